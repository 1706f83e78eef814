/* SPDX-License-Identifier: MIT
 *
 * Instructions are counted by charging in advance: at a *checkpoint* (an entry, where a loop has been left) the longest way to
 * the next one is charged, the first round of a loop with it, and where control jumps back one more round. Whoever takes a
 * shorter way gives the rest back where the ways meet.
 *
 *     longest(b)   INSNs on the longest way from the start of b to the next checkpoint, out, or to where it jumps back
 *     owed(b)      what was charged before b and not yet done when b begins. Where ways meet it is longest(b), at entries 0.
 *                  A block with one predecessor takes over what is left there, so that a way out gives it back for nothing
 *                  (ssa_snap).
 *     left(b)      likewise, when it ends
 *
 * Why where it jumps back, and not in the loop's header: the FUEL leaves with the state at that place. In the header this would be
 * one PHI for each slot that the loop changes, also for those that only a way out ever looks at; at the end of a round the
 * values are what they are.
 *
 * A FUEL stands between two instructions: in front of the first INSN of its block, at the start of an entry, or (SSA_FUEL_NEXT)
 * at the end of a block that jumps back, or leads to a loop. An entry that is jumped back to charges each round itself.
 *
 * Behind a loop no more is charged than what is not left of the round: if enough is, on all ways there, it is no checkpoint,
 * nothing can leave there, and nobody keeps a state for it.
 */
#include "jit/ssa.h"

typedef struct Fuel {
	SsaFunc *func;
	bool *checkpoint; /* per block */
	u32 *longest, *left;
} Fuel;

static bool jumps_back(const SsaFunc *func, u32 from, u32 to)
{
	return func->blocks[to].order <= func->blocks[from].order;
}

/* Behind a loop, where the next instruction begins: else each round of the loop would pay for what comes after. In front of
 * another loop that is the block ahead of it; ~0: it jumps back, and pays there. */
static u32 behind_loop(const Fuel *f, u32 to)
{
	const SsaBlock *block = &f->func->blocks[to];

	while (!block->insns && block->succ_count == 1 && !f->checkpoint[to]) {
		u32 next = block->succ[0];

		if (jumps_back(f->func, to, next))
			return ~(u32)0;
		if (f->func->blocks[next].header)
			return to;
		block = &f->func->blocks[to = next];
	}
	return block->insns ? to : ~(u32)0;
}

static void find_checkpoints(Fuel *f)
{
	SsaFunc *func = f->func;

	for (u32 i = 0; i < func->rpo_count; i++)
		f->checkpoint[func->rpo[i]] |= func->blocks[func->rpo[i]].entry;
	for (u32 i = 0; i < func->rpo_count; i++) {
		const SsaBlock *block = &func->blocks[func->rpo[i]];

		for (u32 k = 0; k < block->succ_count; k++)
			if (func->blocks[block->succ[k]].depth < block->depth) {
				u32 to = behind_loop(f, block->succ[k]);

				if (to != ~(u32)0)
					f->checkpoint[to] = true;
			}
	}
}

static void find_longest(Fuel *f)
{
	for (u32 i = f->func->rpo_count; i-- > 0;) {
		u32 b = f->func->rpo[i], most = 0;
		const SsaBlock *block = &f->func->blocks[b];

		for (u32 k = 0; k < block->succ_count; k++)
			if (!f->checkpoint[block->succ[k]] && !jumps_back(f->func, b, block->succ[k]) &&
			    f->longest[block->succ[k]] > most)
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

/* Behind all of b. */
static void charge_next(SsaFunc *func, u32 b, u32 count)
{
	SsaRef node = count ? ssa_node(func, SSA_FUEL, 0, SSA_FUEL_NEXT, 0, 0, 0, count) : 0;

	if (node)
		ssa_insert_before(func, func->blocks[b].last, node);
}

static void charge(Fuel *f, u32 b, u32 count)
{
	SsaFunc *func = f->func;
	bool next = !func->blocks[b].insns && !func->blocks[b].entry;
	SsaRef node = count && !next ? ssa_node(func, SSA_FUEL, 0, 0, 0, 0, 0, count) : 0;

	if (next)
		charge_next(func, b, count);
	else if (node)
		stand_before_insn(func, b, node);
}

/* Of a block that jumps back: from `left`, what is left of its round, to what the header wants. */
static void next_round(Fuel *f, u32 from, u32 to, u32 left)
{
	u32 wanted = f->checkpoint[to] ? 0 : f->longest[to];

	if (left > wanted)
		refund(f, from, to, left - wanted);
	else
		charge_next(f->func, from, wanted - left);
}

/* The least that is left on the ways to b; 0: it is an entry. */
static u32 least_left(const Fuel *f, u32 b)
{
	const SsaBlock *block = &f->func->blocks[b];
	u32 least = block->pred_count ? ~(u32)0 : 0;

	for (u32 k = 0; k < block->pred_count && least; k++)
		if (!jumps_back(f->func, block->preds[k], b) && f->left[block->preds[k]] < least)
			least = f->left[block->preds[k]];
	return least;
}

/* All blocks before it in the order are done. */
static void place(Fuel *f, u32 b)
{
	SsaFunc *func = f->func;
	const SsaBlock *block = &func->blocks[b];
	const u32 *preds = block->preds;
	u32 least = f->checkpoint[b] ? least_left(f, b) : 0, owed = f->longest[b];
	bool met = block->pred_count != 1;

	if (f->checkpoint[b] && least < f->longest[b]) {
		owed = met ? 0 : least;
		charge(f, b, f->longest[b] - owed);
		f->left[b] = f->longest[b];
	} else {
		f->left[b] = owed = met ? f->longest[b] : f->left[preds[0]];
	}
	for (u32 k = 0; k < block->pred_count; k++)
		if (!jumps_back(func, preds[k], b))
			refund(f, preds[k], b, f->left[preds[k]] - owed);
	f->left[b] -= block->insns;
	for (u32 k = 0; k < block->succ_count; k++)
		if (jumps_back(func, b, block->succ[k]))
			next_round(f, b, block->succ[k], f->left[b]);
}

void ssa_fuel(SsaFunc *func)
{
	Fuel f = {.func = func};

	if (func->failed)
		return;
	f.checkpoint = ARENA_ARRAY(func->arena, bool, func->block_count);
	f.longest = ARENA_ARRAY(func->arena, u32, func->block_count);
	f.left = ARENA_ARRAY(func->arena, u32, func->block_count);
	if (!f.checkpoint || !f.longest || !f.left) {
		func->failed = true;
		return;
	}
	find_checkpoints(&f);
	find_longest(&f);
	for (u32 i = 0; i < func->rpo_count; i++)
		place(&f, func->rpo[i]);
}
