/* SPDX-License-Identifier: MIT
 *
 * The passes over a region, in order; some are left out where there is nothing for them. Each leaves all invariants of ssa.h
 * behind; in debug builds they are verified.
 */
#include "jit/ssa.h"

#include <assert.h>

/* What a region must have for a pass to find anything: one of these, or nothing. */
enum { LOOPS = 1, FLOATS = 2, FOLDABLE = 4, BRINGS = 8, SOFT = 16 };

static const SsaPass passes[] = {
	{"dead", ssa_dead, LOOPS | FLOATS}, /* for narrow and flags, who ask what is wanted; others need not know */
	{"loops", ssa_loops, LOOPS},
	{"narrow", ssa_narrow, LOOPS},
	{"fold", ssa_fold, FOLDABLE}, /* else it would find next to nothing: ssa_build has folded */
	{"address", ssa_address, 0},
	{"memory", ssa_memory, 0},
	{"check", ssa_check, 0},
	{"hoist", ssa_hoist, LOOPS},
	{"wide", ssa_wide, LOOPS},
	{"flags", ssa_flags, FLOATS},
	{"float", ssa_float, FLOATS},
	{"fuel", ssa_fuel, 0},
	{"sure", ssa_sure, SOFT},
	{"state", ssa_state, BRINGS},
	{"snap", ssa_snap, 0},
	{"sink", ssa_sink, 0},
	{"lazy", ssa_lazy, 0},
};

static bool is_wanted(const SsaFunc *func, const SsaPass *pass)
{
	unsigned has = (func->loops ? LOOPS : 0) | (func->floats ? FLOATS : 0) | (func->soft ? SOFT : 0) | (func->narrowed || func->unfolded ? FOLDABLE : 0) |
		(ssa_has_made(func, SSA_BRING) ? BRINGS : 0);

	return !pass->needs || pass->needs & has;
}

bool ssa_optimize(SsaFunc *func, SsaWatch *watch, void *ctx)
{
	if (watch && !func->failed)
		watch(ctx, func, "build");
	for (size_t i = 0; i < COUNT_OF(passes) && !func->failed; i++) {
		if (!is_wanted(func, &passes[i]))
			continue;
		passes[i].run(func);
#ifdef HUSK_DEBUG
		assert(func->failed || ssa_verify(func, NULL));
#endif
		if (watch && !func->failed)
			watch(ctx, func, passes[i].name);
	}
	return !func->failed;
}
