/* SPDX-License-Identifier: MIT
 *
 * BRINGs that nobody sees are gone: their home gets another value before anything may leave or FETCHes it. (PUTs that nobody sees
 * cost nothing: no snapshot has them.)
 *
 * A home is *seen* at a point if some way from there leaves, or reads it, before it gets another value. Backward, in one pass: where
 * a loop jumps back is a FUEL, which sees everything.
 */
#include <string.h>

#include "jit/ssa.h"

typedef struct State {
	SsaFunc *func;
	u32 words;
	u64 *seen;    /* per block: homes seen at its start */
} State;

static void see_all(const State *s, u64 *set)
{
	memset(set, 0xFF, s->words * sizeof(u64));
}

static void drop_unseen(State *s, u32 b)
{
	SsaFunc *func = s->func;
	const SsaBlock *block = &func->blocks[b];
	u64 *seen = s->seen + (size_t)b * s->words;

	for (u32 k = 0; k < block->succ_count; k++)
		for (u32 w = 0; w < s->words; w++)
			seen[w] |= func->blocks[block->succ[k]].order <= block->order ? ~(u64)0
				: s->seen[(size_t)block->succ[k] * s->words + w];
	for (SsaRef ref = block->last, prev; ref; ref = prev) {
		const SsaNode *node = &func->nodes[ref];

		prev = node->prev;
		if (node->op < SSA_CHECK)
			continue; /* what may leave, and what touches a home, has a higher number */
		if (node->op == SSA_LEAVE || (ssa_effects(node) & SSA_EXIT)) {
			see_all(s, seen);
		} else if (node->op == SSA_FETCH) {
			seen[node->aux / 64] |= (u64)1 << node->aux % 64;
		} else if (node->op == SSA_BRING) {
			u64 bit = (u64)1 << node->aux % 64;

			if (!(seen[node->aux / 64] & bit))
				ssa_remove(func, ref);
			seen[node->aux / 64] &= ~bit;
		}
	}
}

void ssa_state(SsaFunc *func)
{
	State s = {.func = func, .words = (func->slot_count + 63) / 64};

	if (func->failed || !s.words)
		return;
	s.seen = ARENA_ARRAY(func->arena, u64, (size_t)func->block_count * s.words);
	if (!s.seen) {
		func->failed = true;
		return;
	}
	for (u32 i = func->rpo_count; i-- > 0;)
		drop_unseen(&s, func->rpo[i]);
}
