/* SPDX-License-Identifier: MIT
 *
 * What nobody uses goes. Everything with an effect stays, and what it is made from; so does what a PUT or the state of a block
 * names: whether a way out sees it is ssa_snap's question. Only PUTs and BRINGs whose slot gets another value in the same block,
 * before anything may leave or read it, go here, so that what they name is not thought to be wanted by the passes before that one.
 */
#include "jit/ssa.h"

typedef struct Live {
	SsaFunc *func;
	u8 *is;        /* per node: somebody needs it */
	SsaRef *work;  /* those of `late` */
	u32 count;
	u32 *stamp, now; /* per slot, when (in backward order) it was PUT; what may leave begins a new time */
} Live;

/* What stands in front of whoever needs it in the order: the walk comes to it yet. */
static void need(Live *live, SsaRef ref)
{
	live->is[ssa_value(live->func, ref)] = 1;
}

/* What comes round a loop: the walk may have passed it. */
static void need_late(Live *live, SsaRef ref)
{
	ref = ssa_value(live->func, ref);
	if (live->is[ref])
		return;
	live->is[ref] = 1;
	live->work[live->count++] = ref;
}

static void need_phi(Live *live, const SsaNode *phi)
{
	const SsaFunc *func = live->func;
	const SsaBlock *block = &func->blocks[phi->block];

	for (u32 k = 0; k < block->pred_count; k++)
		if (func->blocks[block->preds[k]].order >= block->order)
			need_late(live, func->pool[phi->a + k]);
		else
			need(live, func->pool[phi->a + k]);
}

static void need_operands(Live *live, SsaRef ref)
{
	SsaFunc *func = live->func;
	SsaNode *node = &func->nodes[ref];

	switch (ssa_op_info[node->op].operands) {
	case 3: need(live, node->c); __attribute__((fallthrough));
	case 2: need(live, node->b); __attribute__((fallthrough));
	case 1: need(live, node->a); __attribute__((fallthrough));
	case 0: return;
	default: break;
	}
	if (node->op == SSA_PHI) {
		need_phi(live, node);
		return;
	}
	for (unsigned i = ssa_operands(func, node); i-- > 0;)
		need(live, *ssa_operand(func, node, i));
}

/* All that is made from what the loops' PHIs need. */
static void finish_late(Live *live)
{
	SsaFunc *func = live->func;

	while (live->count) {
		SsaNode *node = &func->nodes[live->work[--live->count]];

		for (unsigned i = ssa_operands(func, node); i-- > 0;)
			need_late(live, *ssa_operand(func, node, i));
	}
}

/* A PUT or BRING whose slot gets another value before anything may leave. */
static bool is_overwritten(Live *live, const SsaNode *node)
{
	bool was = live->stamp[node->aux] == live->now;

	live->stamp[node->aux] = live->now;
	return was;
}

/* In front of the first INSN there may be a charge one day: what is put there stays. */
static SsaRef first_insn(const SsaFunc *func, const SsaBlock *block)
{
	SsaRef ref = block->first;

	while (ref && func->nodes[ref].op != SSA_INSN)
		ref = func->nodes[ref].next;
	return ref;
}

static void walk_block(Live *live, SsaBlock *block)
{
	SsaFunc *func = live->func;
	SsaRef insn = first_insn(func, block);
	bool behind = insn != 0;

	live->now++;
	for (SsaRef ref = block->last, prev; ref; ref = prev) {
		const SsaNode *node = &func->nodes[ref];
		unsigned effects;

		prev = node->prev;
		if (node->op == SSA_INSN) {
			behind = behind && ref != insn;
			continue;
		}
		effects = ssa_effects(node);
		if (effects & SSA_PURE || node->op == SSA_FLAGS) { /* that one only reads */
			if (live->is[ref])
				need_operands(live, ref);
			else if (!block->depth)
				ssa_remove(func, ref);
			continue;
		}
		if (effects & SSA_EXIT || node->op == SSA_LEAVE)
			live->now++;
		else if (node->op == SSA_FETCH)
			live->stamp[node->aux] = 0;
		else if (behind && (node->op == SSA_PUT || node->op == SSA_BRING) && is_overwritten(live, node)) {
			ssa_remove(func, ref);
			continue;
		}
		live->is[ref] = 1;
		need_operands(live, ref);
	}
}

static void need_state(Live *live, SsaBlock *block)
{
	const SsaFunc *func = live->func;

	const u32 *slot = func->elsewhere, *behind = slot + func->elsewhere_count;
	SsaRef *state = block->state;

	for (; slot < behind; slot++)
		if (state[*slot]) {
			state[*slot] = ssa_value(func, state[*slot]);
			live->is[state[*slot]] = 1;
		}
}

static void remove_unneeded(Live *live, const SsaBlock *block)
{
	for (SsaRef ref = block->first, next; ref; ref = next) {
		next = live->func->nodes[ref].next;
		if (!live->is[ref] && live->func->nodes[ref].op != SSA_INSN)
			ssa_remove(live->func, ref);
	}
}

/* Backward in reverse postorder: whoever needs a node comes before it, but for PHIs of loops. Those need only what lies in their
 * loop, or in front of it. */
void ssa_dead(SsaFunc *func)
{
	Live live = {.func = func};

	if (func->failed)
		return;
	live.stamp = ARENA_ARRAY(func->arena, u32, func->slot_count + 1);
	live.is = ARENA_ARRAY(func->arena, u8, func->node_count);
	live.work = ARENA_ROOM(func->arena, SsaRef, func->loops ? func->node_count : 1);
	if (!live.stamp || !live.is || !live.work) {
		func->failed = true;
		return;
	}
	for (u32 i = func->rpo_count; i-- > 0;) {
		SsaBlock *block = &func->blocks[func->rpo[i]];

		need_state(&live, block);
		walk_block(&live, block);
		finish_late(&live);
	}
	for (u32 i = 0; i < func->rpo_count && func->loops; i++)
		if (func->blocks[func->rpo[i]].depth)
			remove_unneeded(&live, &func->blocks[func->rpo[i]]);
}
