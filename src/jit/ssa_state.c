/* SPDX-License-Identifier: MIT
 *
 * PUTs that no way out sees are gone: their slot is PUT again before anything may leave; and those that change nothing. BRINGs
 * likewise, if no FETCH sees them either. What the state of a block says about such slots is forgotten, so that PHIs for
 * them can go (ssa_dead).
 *
 * A slot is *seen* at a point if some way from there leaves before the slot is PUT. Backward, in one pass: at checkpoints there
 * is FUEL, or will be, which sees everything.
 */
#include <string.h>

#include "jit/ssa.h"

typedef struct State {
	SsaFunc *func;
	u32 words;
	u64 *seen;    /* per block: slots seen at its start */
	SsaRef *now;  /* per slot */
	const bool *checkpoint;
} State;

static void see_all(const State *s, u64 *set)
{
	memset(set, 0xFF, s->words * sizeof(u64));
}

static SsaRef first_insn(const SsaFunc *func, u32 b)
{
	SsaRef ref = func->blocks[b].first;

	while (ref && func->nodes[ref].op != SSA_INSN)
		ref = func->nodes[ref].next;
	return ref;
}

static void drop_unseen(State *s, u32 b)
{
	SsaFunc *func = s->func;
	SsaBlock *block = &func->blocks[b];
	u64 *seen = s->seen + (size_t)b * s->words;
	SsaRef fuel = s->checkpoint[b] ? first_insn(func, b) : 0; /* stands in front of it; 0: at the start, if anywhere */

	for (u32 k = 0; k < block->succ_count; k++)
		for (u32 w = 0; w < s->words; w++)
			seen[w] |= func->blocks[block->succ[k]].order <= block->order ? ~(u64)0
				: s->seen[(size_t)block->succ[k] * s->words + w];
	for (SsaRef ref = block->last, prev; ref; ref = prev) {
		const SsaNode *node = &func->nodes[ref];

		prev = node->prev;
		if (ref == fuel || node->op == SSA_LEAVE || (ssa_effects(node) & SSA_EXIT)) {
			see_all(s, seen);
		} else if (node->op == SSA_FETCH) {
			seen[node->aux / 64] |= (u64)1 << node->aux % 64;
		} else if (node->op == SSA_PUT || node->op == SSA_BRING) {
			u64 bit = (u64)1 << node->aux % 64;

			if (!(seen[node->aux / 64] & bit))
				ssa_remove(func, ref);
			seen[node->aux / 64] &= ~bit;
		}
	}
	if (s->checkpoint[b] && !fuel)
		see_all(s, seen);
	for (u32 k = 0; k < func->elsewhere_count; k++) {
		u32 slot = func->elsewhere[k];

		if (block->state[slot] && !(seen[slot / 64] >> slot % 64 & 1))
			block->state[slot] = 0;
	}
}

/* What is put where it is already. */
static void drop_same(State *s, u32 b)
{
	SsaFunc *func = s->func;
	const SsaBlock *block = &func->blocks[b];

	for (u32 k = 0; k < func->elsewhere_count; k++)
		s->now[func->elsewhere[k]] = block->state[func->elsewhere[k]];
	for (SsaRef ref = block->first, next; ref; ref = next) {
		const SsaNode *node = &func->nodes[ref];
		SsaRef value = ssa_value(func, node->a), now;

		next = node->next;
		if (node->op != SSA_PUT)
			continue;
		now = ssa_value(func, s->now[node->aux]);
		if (now ? now == value : func->nodes[value].op == SSA_HOME && func->nodes[value].aux == node->aux)
			ssa_remove(func, ref);
		s->now[node->aux] = value;
	}
}

void ssa_state(SsaFunc *func)
{
	State s = {.func = func, .words = (func->slot_count + 63) / 64};

	if (func->failed || !s.words)
		return;
	s.seen = ARENA_ARRAY(func->arena, u64, (size_t)func->block_count * s.words);
	s.now = ARENA_ARRAY(func->arena, SsaRef, func->slot_count);
	s.checkpoint = ssa_checkpoints(func);
	if (!s.seen || !s.now || !s.checkpoint) {
		func->failed = true;
		return;
	}
	for (u32 i = 0; i < func->rpo_count; i++)
		drop_same(&s, func->rpo[i]);
	for (u32 i = func->rpo_count; i-- > 0;)
		drop_unseen(&s, func->rpo[i]);
}
