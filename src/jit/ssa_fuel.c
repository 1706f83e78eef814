/* SPDX-License-Identifier: MIT
 *
 * Instructions are counted by charging in advance: at a *checkpoint* (an entry, a loop header, where a loop has been left) the
 * longest way to the next one is charged, and whoever takes a shorter way gives the rest back where the ways meet. So a loop
 * pays once per round.
 *
 *     longest(b)   INSNs on the longest way from the start of b to the next checkpoint, or out
 *     owed(b)      what was charged before b and not yet done when b begins. Where ways meet it is longest(b), at a checkpoint 0:
 *                  edges into those refund the difference. A block with one predecessor takes over what is left there, so that
 *                  a way out gives it back for nothing (ssa_snap).
 *
 * Every circle has a checkpoint: that to which it jumps back in the order of func->rpo. A FUEL stands between two instructions: in
 * front of the first INSN of its block, or at the start of an entry.
 */
#include "jit/ssa.h"

typedef struct Fuel {
	SsaFunc *func;
	bool *checkpoint; /* per block */
	u32 *longest, *owed;
} Fuel;

/* Behind a loop, where the next instruction begins: else each round of the loop would pay for what comes after. */
static u32 behind_loop(const SsaFunc *func, const bool *checkpoint, u32 to)
{
	while (!func->blocks[to].insns && func->blocks[to].succ_count == 1 && !checkpoint[to])
		to = func->blocks[to].succ[0];
	return to;
}

bool *ssa_checkpoints(SsaFunc *func)
{
	bool *checkpoint = ARENA_ARRAY(func->arena, bool, func->block_count);

	if (!checkpoint) {
		func->failed = true;
		return NULL;
	}
	for (u32 i = 0; i < func->rpo_count; i++) {
		u32 b = func->rpo[i];
		const SsaBlock *block = &func->blocks[b];

		checkpoint[b] |= block->entry;
		for (u32 k = 0; k < block->succ_count; k++)
			checkpoint[block->succ[k]] |= func->blocks[block->succ[k]].order <= block->order;
	}
	for (u32 i = 0; i < func->rpo_count; i++) {
		const SsaBlock *block = &func->blocks[func->rpo[i]];

		for (u32 k = 0; k < block->succ_count; k++)
			if (func->blocks[block->succ[k]].depth < block->depth) {
				u32 to = behind_loop(func, checkpoint, block->succ[k]);

				checkpoint[to] |= func->blocks[to].insns != 0;
			}
	}
	return checkpoint;
}

static void find_longest(Fuel *f)
{
	for (u32 i = f->func->rpo_count; i-- > 0;) {
		u32 b = f->func->rpo[i], most = 0;
		const SsaBlock *block = &f->func->blocks[b];

		for (u32 k = 0; k < block->succ_count; k++)
			if (!f->checkpoint[block->succ[k]] && f->longest[block->succ[k]] > most)
				most = f->longest[block->succ[k]];
		f->longest[b] = block->insns + most;
	}
}

static void refund(Fuel *f, u32 from, u32 to, u32 count)
{
	SsaFunc *func = f->func;
	SsaRef node = count ? ssa_node(func, SSA_REFUND, 0, 0, 0, 0, 0, count) : 0;

	if (!node)
		return;
	if (func->blocks[from].succ_count == 1)
		ssa_insert_before(func, func->blocks[from].last, node);
	else
		ssa_insert_after_phis(func, to, node);
}

static void stand_before_insn(SsaFunc *func, u32 b, SsaRef node)
{
	SsaRef at = func->blocks[b].first;

	while (at && func->nodes[at].op != SSA_INSN)
		at = func->blocks[b].insns ? func->nodes[at].next : 0;
	if (at)
		ssa_insert_before(func, at, node);
	else
		ssa_insert_after_head(func, b, node);
}

static void place(Fuel *f, u32 b)
{
	SsaFunc *func = f->func;
	const SsaBlock *block = &func->blocks[b];
	u32 left = f->owed[b];

	if (f->checkpoint[b]) {
		SsaRef node = f->longest[b] ? ssa_node(func, SSA_FUEL, 0, 0, 0, 0, 0, f->longest[b]) : 0;

		if (node)
			stand_before_insn(func, b, node);
		left = f->longest[b];
	}
	left -= block->insns;
	for (u32 k = 0; k < block->succ_count; k++) {
		u32 to = block->succ[k];

		if (f->checkpoint[to]) {
			refund(f, b, to, left);
		} else if (func->blocks[to].pred_count == 1) {
			f->owed[to] = left;
		} else {
			f->owed[to] = f->longest[to];
			refund(f, b, to, left - f->longest[to]);
		}
	}
}

void ssa_fuel(SsaFunc *func)
{
	Fuel f = {.func = func};

	if (func->failed)
		return;
	f.checkpoint = ssa_checkpoints(func);
	f.longest = ARENA_ARRAY(func->arena, u32, func->block_count);
	f.owed = ARENA_ARRAY(func->arena, u32, func->block_count);
	if (!f.checkpoint || !f.longest || !f.owed) {
		func->failed = true;
		return;
	}
	find_longest(&f);
	for (u32 i = 0; i < func->rpo_count; i++)
		place(&f, func->rpo[i]);
}
