/* SPDX-License-Identifier: MIT
 *
 * A unit of work of the optimizing tier: one region, from guest code to registers. It is self-contained: what it is made of (IR,
 * shapes of spaces, settings of the engine) and what becomes of it lie in its arena, so that jit_unit_work may run on any thread.
 *
 *     the running thread: region_form -> plan     any: jit_unit_work     the running thread: target->emit_region, attach
 */
#ifndef JIT_JIT_UNIT_H
#define JIT_JIT_UNIT_H

#include "jit/region.h"

typedef struct JitUnit {
	Arena *arena;      /* borrowed */
	Engine *settings;  /* the engine, or a copy of what it was when the plan was made; read only */
	RegionPlan plan;
	SsaWatch *watch;   /* called behind each pass; or NULL */
	void *watch_ctx;
	SsaFunc *func;     /* NULL: not built */
	void *selected;    /* what emit_region gets */
	Status status;
	u64 ns;            /* that jit_unit_work took */
} JitUnit;

/* SSA, passes, selection, registers: fills what stands behind `plan`. */
void jit_unit_work(JitUnit *unit);

#endif
