/* SPDX-License-Identifier: MIT
 *
 * Which slots of a region become values, and which stay at home.
 *
 * A value that finds no register lies in memory, and where ways meet it is copied to where the PHI lies: for a slot
 * that is mostly not used that is worse than having it where it is at home. So the written slots are weighed: at home, each write is
 * a store, and what a stretch of code reads before it writes it is a load that waits for the store of the round before.
 * That times how often it runs, as far as one knows; the heaviest become values, as many as there are registers for.
 * Pinned slots always do: their home is a register. So do those that only pass: they need a register for no time.
 */
#include <string.h>

#include "base/bits.h"
#include "jit/jit_private.h"
#include "jit/ssa_home.h"

enum {
	READ_IN = 3, /* what the load and its wait weigh, in stores */
	PASSING_OFTEN = 100 * SSA_ONCE, PASSING_READS = 8,
};

static bool is_float(const IrIns *ins)
{
	return ssa_op_info[ins->op].effects & SSA_MAY_RAISE && !(ins->aux & IR_FLOAT_FLAGS);
}

static void look_at(SsaWeights *w, const IrFunc *func, IrRef ref)
{
	const IrIns *ins;

	for (unsigned i = 0; i < 3 && !(ref & IR_CONST_BIT); i++) { /* through what boxes a float: SEL, EXTRACT, CONCAT */
		ins = &func->ins[ref];
		if (ins->op == IR_OP_GET && ins->aux < w->count)
			w->floats[ins->aux] = true;
		if (ins->op != IR_OP_SEL && ins->op != IR_OP_EXTRACT)
			return;
		ref = ins->op == IR_OP_SEL ? ins->b : ins->a;
	}
}

/* What comes into the stretch is read from the home; what is written there is only read by those who come later. */
static void count_use(SsaWeights *w, const IrIns *ins, u64 weight)
{
	u32 *seen = &w->seen[ins->aux];

	if (ins->op == IR_OP_PUT) {
		w->weights[ins->aux] += weight;
	} else if (*seen != w->stretch) {
		w->weights[ins->aux] += READ_IN * weight;
		w->reads[ins->aux] += weight;
	}
	*seen = w->stretch;
}

void ssa_weigh(SsaWeights *w, const IrFunc *func, u32 start, u32 end, u64 weight)
{
	w->stretch++;
	for (u32 at = start; at < end; at++) {
		const IrIns *ins = &func->ins[at];

		if ((ins->op == IR_OP_GET || ins->op == IR_OP_PUT) && ins->aux < w->count)
			count_use(w, ins, weight);
		if (is_float(ins)) {
			look_at(w, func, ins->a);
			if (ssa_op_info[ins->op].operands > 1)
				look_at(w, func, ins->b);
		}
		if (ins->op == IR_OP_PUT && ins->aux < w->count && !(ins->a & IR_CONST_BIT)) {
			const IrIns *value = &func->ins[ins->a];

			if (value->op == IR_OP_CONCAT && !(value->b & IR_CONST_BIT))
				value = &func->ins[value->b];
			if (is_float(value) && value->op != IR_OP_FTOS && value->op != IR_OP_FTOU && ir_op_info[value->op].shape != IR_SHAPE_FCMP &&
			    value->op != IR_OP_FCLASS)
				w->floats[ins->aux] = true;
		}
	}
}

/* It is written in a loop, often, and hardly ever read before it is written again: as a value it lives for a few instructions, and
 * what ways out want of it they make themselves, mostly (ssa_lazy.c). */
static bool passes(const SsaWeights *w, u32 slot)
{
	return w->weights[slot] >= PASSING_OFTEN && PASSING_READS * w->reads[slot] <= w->weights[slot] - READ_IN * w->reads[slot];
}

static bool is_written(const u64 *written, u32 slot)
{
	return written[slot / 64] >> slot % 64 & 1;
}

/* Of one class, where there are too many of it. What is pinned has its place. The last place is only for a slot that weighs as much
 * as any: the fewer there are, the more registers are left for what is computed in between. */
static void choose(SsaWeights *w, const u64 *written, const u8 *pin_of, unsigned cls, u32 places)
{
	u64 heaviest = 0;

	for (u32 slot = 1; slot < w->count; slot++)
		if (w->floats[slot] == cls && is_written(written, slot) && !passes(w, slot)) {
			bool pinned = pin_of && pin_of[slot] != JIT_NO_PIN;

			w->stay[slot] = !pinned;
			places -= pinned && places;
			heaviest = w->weights[slot] > heaviest ? w->weights[slot] : heaviest;
		}
	for (; places; places--) {
		u32 best = 0;

		for (u32 slot = 1; slot < w->count; slot++)
			if (w->stay[slot] && w->floats[slot] == cls && (!best || w->weights[slot] > w->weights[best]))
				best = slot;
		if (!best || (places == 1 && cls == 0 && w->weights[best] < heaviest))
			break;
		w->stay[best] = false;
	}
}

void ssa_choose_homes(SsaWeights *w, const u64 *written, const u8 *pin_of, const u32 most[2])
{
	u32 count[2] = {0, 0};

	memset(w->stay, 0, w->count);
	for (u32 slot = 1; slot < w->count; slot++)
		count[w->floats[slot]] += is_written(written, slot) && !passes(w, slot);
	for (unsigned cls = 0; cls < 2; cls++)
		if (most[cls] && count[cls] > most[cls])
			choose(w, written, pin_of, cls, most[cls]);
}
