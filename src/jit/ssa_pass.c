/* SPDX-License-Identifier: MIT
 *
 * The passes over a region, in order. Each leaves all invariants of ssa.h behind; in debug builds they are verified.
 */
#include "jit/ssa.h"

#include <assert.h>

static const SsaPass passes[] = {
	{"fold", ssa_fold},
	{"dead", ssa_dead},
	{"loops", ssa_loops},
	{"narrow", ssa_narrow},
	{"fold", ssa_fold},
	{"dead", ssa_dead},
	{"address", ssa_address},
	{"memory", ssa_memory},
	{"check", ssa_check},
	{"hoist", ssa_hoist},
	{"wide", ssa_wide},
	{"flags", ssa_flags},
	{"float", ssa_float},
	{"fuel", ssa_fuel},
	{"sure", ssa_sure},
	{"state", ssa_state},
	{"dead", ssa_dead},
	{"snap", ssa_snap},
};

bool ssa_optimize(SsaFunc *func, SsaWatch *watch, void *ctx)
{
	if (watch && !func->failed)
		watch(ctx, func, "build");
	for (size_t i = 0; i < COUNT_OF(passes) && !func->failed; i++) {
		passes[i].run(func);
#ifdef HUSK_DEBUG
		assert(func->failed || ssa_verify(func, NULL));
#endif
		if (watch && !func->failed)
			watch(ctx, func, passes[i].name);
	}
	return !func->failed;
}
