/* SPDX-License-Identifier: MIT
 *
 * Order, dominators and loops of a region. Several blocks may be entries: above them stands one block that does not
 * exist (SSA_NO_BLOCK), the dominator of whatever can be reached from two of them.
 *
 * Dominators: Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm". A loop is the set of blocks from which
 * its header is reached without leaving what the header dominates; a jump back to a block that does not dominate it
 * (several entries lead into one loop) makes a loop all the same, of its target: what counts here is where time goes, and
 * that each circle has a header.
 */
#include <string.h>

#include "jit/ssa.h"

/* An argument of every PHI and the place in preds go. */
static void drop_pred(SsaFunc *func, u32 b, u32 index)
{
	SsaBlock *block = &func->blocks[b];

	for (SsaRef ref = block->first; ref && func->nodes[ref].op == SSA_PHI; ref = func->nodes[ref].next) {
		SsaRef *args = func->pool + func->nodes[ref].a;

		memmove(args + index, args + index + 1, (block->pred_count - index - 1) * sizeof(SsaRef));
	}
	memmove(block->preds + index, block->preds + index + 1, (block->pred_count - index - 1) * sizeof(u32));
	block->pred_count--;
}

typedef struct Walk {
	SsaFunc *func;
	u32 *stack; /* block << 2 | next successor */
	u8 *seen;   /* 1: on the way, 2: done */
	u32 *post;
	u32 count;
} Walk;

/* Depth first; a successor that is on the way is a header. */
static void walk_from(Walk *walk, u32 entry)
{
	SsaFunc *func = walk->func;
	u32 depth = 0;

	walk->stack[depth++] = entry << 2;
	walk->seen[entry] = 1;
	while (depth) {
		u32 b = walk->stack[depth - 1] >> 2, next = walk->stack[depth - 1] & 3;
		const SsaBlock *block = &func->blocks[b];

		if (next == block->succ_count) {
			walk->seen[b] = 2;
			walk->post[walk->count++] = b;
			depth--;
			continue;
		}
		walk->stack[depth - 1]++;
		/* The first successor last: so it comes right behind its predecessor in reverse postorder. */
		next = block->succ[block->succ_count - 1 - next];
		if (walk->seen[next] == 1)
			func->blocks[next].header = true;
		if (!walk->seen[next]) {
			walk->seen[next] = 1;
			walk->stack[depth++] = next << 2;
		}
	}
}

static u32 meet(const SsaFunc *func, u32 x, u32 y)
{
	while (x != y) {
		if (x == SSA_NO_BLOCK || y == SSA_NO_BLOCK)
			return SSA_NO_BLOCK;
		if (func->blocks[x].order > func->blocks[y].order)
			x = func->blocks[x].entry ? SSA_NO_BLOCK : func->blocks[x].idom;
		else
			y = func->blocks[y].entry ? SSA_NO_BLOCK : func->blocks[y].idom;
	}
	return x;
}

static void find_dominators(SsaFunc *func, u8 *known)
{
	bool changed = true;

	memset(known, 0, func->block_count);
	while (changed) {
		changed = false;
		for (u32 i = 0; i < func->rpo_count; i++) {
			u32 b = func->rpo[i], idom = SSA_NO_BLOCK;
			SsaBlock *block = &func->blocks[b];
			bool any = false;

			if (block->entry)
				idom = b;
			for (u32 p = 0; p < block->pred_count; p++) {
				u32 pred = block->preds[p];

				if (!known[pred])
					continue;
				idom = any ? meet(func, idom, pred) : pred;
				any = true;
			}
			if (!known[b] || block->idom != idom) {
				known[b] = 1;
				block->idom = idom;
				changed = func->loops; /* else all predecessors were known */
			}
		}
	}
}

bool ssa_dominates(const SsaFunc *func, u32 above, u32 below)
{
	for (;;) {
		const SsaBlock *block = &func->blocks[below];

		if (above == below)
			return true;
		if (block->entry || block->idom == SSA_NO_BLOCK || block->order < func->blocks[above].order)
			return false;
		below = block->idom;
	}
}

/* Blocks of the loop: from its back edges against the flow until the header. Outer loops come later, so that the
 * innermost is what a block keeps. */
static void mark_loop(SsaFunc *func, u32 header, u32 *stack, u32 *stamp)
{
	u32 count = 0, order = func->blocks[header].order;

	stamp[header] = header + 1;
	for (u32 p = 0; p < func->blocks[header].pred_count; p++) {
		u32 pred = func->blocks[header].preds[p];

		if (func->blocks[pred].order >= order && stamp[pred] != header + 1) {
			stamp[pred] = header + 1;
			stack[count++] = pred;
		}
	}
	while (count) {
		u32 b = stack[--count];

		for (u32 p = 0; p < func->blocks[b].pred_count; p++) {
			u32 pred = func->blocks[b].preds[p];

			if (func->blocks[pred].order >= order && stamp[pred] != header + 1) {
				stamp[pred] = header + 1;
				stack[count++] = pred;
			}
		}
	}
}

static void find_loops(SsaFunc *func, u32 *stack, u32 *stamp)
{
	memset(stamp, 0, func->block_count * sizeof(u32));
	for (u32 i = func->rpo_count; i-- > 0;) { /* inner headers stand behind outer ones */
		u32 header = func->rpo[i];

		if (!func->blocks[header].header)
			continue;
		mark_loop(func, header, stack, stamp);
		for (u32 k = i; k < func->rpo_count; k++) {
			SsaBlock *block = &func->blocks[func->rpo[k]];

			if (stamp[func->rpo[k]] != header + 1)
				continue;
			block->depth++;
			if (block->loop == SSA_NO_BLOCK)
				block->loop = header;
			else if (block->header && block->outer == SSA_NO_BLOCK && func->rpo[k] != header)
				block->outer = header;
		}
	}
}

void ssa_order(SsaFunc *func)
{
	Walk walk = {.func = func};
	u32 count = func->block_count;

	func->touches = NULL;
	func->tree = NULL;
	if (func->failed)
		return;
	walk.stack = ARENA_ROOM(func->arena, u32, count + 1);
	walk.post = ARENA_ROOM(func->arena, u32, count + 1);
	walk.seen = ARENA_ARRAY(func->arena, u8, count + 1);
	func->rpo = ARENA_ROOM(func->arena, u32, count + 1);
	if (!walk.stack || !walk.post || !walk.seen || !func->rpo) {
		func->failed = true;
		return;
	}
	for (u32 b = 0; b < count; b++) {
		SsaBlock *block = &func->blocks[b];

		block->header = false;
		block->loop = block->outer = block->idom = SSA_NO_BLOCK;
		block->depth = 0;
	}
	for (u32 b = count; b-- > 0;) /* block 0 last, so it is first */
		if (func->blocks[b].entry && !func->blocks[b].dead)
			walk_from(&walk, b);
	func->rpo_count = walk.count;
	for (u32 i = 0; i < walk.count; i++) {
		func->rpo[i] = walk.post[walk.count - 1 - i];
		func->blocks[func->rpo[i]].order = i;
	}
	for (u32 b = 0; b < count; b++) {
		SsaBlock *block = &func->blocks[b];

		if (walk.seen[b] && walk.count < count)
			for (u32 p = block->pred_count; p-- > 0;)
				if (!walk.seen[block->preds[p]])
					drop_pred(func, b, p);
	}
	for (u32 b = 0; b < count; b++)
		if (!walk.seen[b]) {
			func->blocks[b].dead = true;
			func->blocks[b].pred_count = func->blocks[b].succ_count = 0;
		}
	func->loops = false;
	for (u32 i = 0; i < func->rpo_count && !func->loops; i++)
		func->loops = func->blocks[func->rpo[i]].header;
	find_dominators(func, walk.seen);
	if (func->loops)
		find_loops(func, walk.stack, walk.post);
}
