/* SPDX-License-Identifier: MIT
 *
 * What nobody uses goes. Everything with an effect stays, and what it is made from; so does what a PUT or the state of a block
 * names: whether a way out sees it is ssa_state's question. Only PUTs and BRINGs whose slot gets another value in the same block,
 * before anything may leave or read it, go here, so that what they name is not thought to be wanted by the passes before that one.
 */
#include "jit/ssa.h"

typedef struct Live {
	SsaFunc *func;
	SsaRef *work;
	u32 count;
} Live;

static void need(Live *live, SsaRef ref)
{
	SsaNode *node;

	ref = ssa_value(live->func, ref);
	node = &live->func->nodes[ref];
	if (!ref || node->mark)
		return;
	node->mark = 1;
	live->work[live->count++] = ref;
}

static void need_operands(Live *live, SsaRef ref)
{
	SsaFunc *func = live->func;
	SsaNode *node = &func->nodes[ref];

	for (unsigned i = ssa_operands(func, node); i-- > 0;)
		need(live, *ssa_operand(func, node, i));
}

/* stamp: per slot, when (in backward order) it was PUT; what may leave begins a new time. In front of the first INSN there may
 * be a charge one day. */
static void drop_overwritten(SsaFunc *func, u32 *stamp)
{
	u32 now = 0;

	for (u32 i = 0; i < func->rpo_count; i++) {
		const SsaBlock *block = &func->blocks[func->rpo[i]];
		SsaRef insn = block->first;

		while (insn && func->nodes[insn].op != SSA_INSN)
			insn = func->nodes[insn].next;
		now++;
		for (SsaRef ref = insn ? block->last : 0, prev; ref && ref != insn; ref = prev) {
			const SsaNode *node = &func->nodes[ref];

			prev = node->prev;
			if (ssa_effects(node) & SSA_EXIT || node->op == SSA_LEAVE)
				now++;
			if (node->op == SSA_FETCH)
				stamp[node->aux] = 0;
			if (node->op != SSA_PUT && node->op != SSA_BRING)
				continue;
			if (stamp[node->aux] == now)
				ssa_remove(func, ref);
			stamp[node->aux] = now;
		}
	}
}

void ssa_dead(SsaFunc *func)
{
	Live live = {.func = func};
	u32 *stamp;

	if (func->failed)
		return;
	stamp = ARENA_ARRAY(func->arena, u32, func->slot_count + 1);
	if (!stamp) {
		func->failed = true;
		return;
	}
	drop_overwritten(func, stamp);
	live.work = ARENA_ARRAY(func->arena, SsaRef, func->node_count);
	if (!live.work) {
		func->failed = true;
		return;
	}
	for (SsaRef ref = 0; ref < func->node_count; ref++)
		func->nodes[ref].mark = 0;
	for (u32 i = 0; i < func->rpo_count; i++) {
		SsaBlock *block = &func->blocks[func->rpo[i]];

		for (SsaRef ref = block->first; ref; ref = func->nodes[ref].next)
			if (!(ssa_effects(&func->nodes[ref]) & SSA_PURE) && func->nodes[ref].op != SSA_FLAGS) /* it only reads */
				need(&live, ref);
		for (u32 k = 0; k < func->elsewhere_count; k++) {
			SsaRef *value = &block->state[func->elsewhere[k]];

			if (!*value)
				continue;
			*value = ssa_value(func, *value);
			need(&live, *value);
		}
	}
	while (live.count)
		need_operands(&live, live.work[--live.count]);
	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first, next; ref; ref = next) {
			next = func->nodes[ref].next;
			if (!func->nodes[ref].mark)
				ssa_remove(func, ref);
		}
}
