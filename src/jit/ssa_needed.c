/* SPDX-License-Identifier: MIT
 *
 * Which values something is made from.
 */
#include "jit/ssa.h"

void ssa_need(SsaFunc *func, SsaNeeds *needs, SsaRef ref, u8 as)
{
	u32 count = 0;

	ref = ssa_value(func, ref);
	if (!ref || (needs->needed[ref] & as) == as)
		return;
	needs->needed[ref] |= as;
	needs->work[count++] = ref;
	while (count) {
		SsaNode *node = &func->nodes[needs->work[--count]];

		for (unsigned i = ssa_operands(func, node); i-- > 0;) {
			SsaRef operand = ssa_value(func, *ssa_operand(func, node, i));

			if (operand && (needs->needed[operand] & as) != as) {
				needs->needed[operand] |= as;
				needs->work[count++] = operand;
			}
		}
	}
}

/* What a home gets: the narrow number, if it is only widened for that. */
static SsaRef brought(const SsaFunc *func, SsaRef ref)
{
	const SsaNode *node = &func->nodes[ref = ssa_value(func, ref)];
	SsaRef a = ssa_value(func, node->a);

	return node->op == IR_OP_SX && node->width == 64 && func->nodes[a].width == 32 && func->nodes[a].op != SSA_LOAD ? a : ref;
}

bool ssa_find_needed(SsaFunc *func, SsaNeeds *needs)
{
	needs->needed = ARENA_ARRAY(func->arena, u8, func->node_count);
	needs->work = ARENA_ROOM(func->arena, SsaRef, func->node_count);
	if (!needs->needed || !needs->work) {
		func->failed = true;
		return false;
	}
	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref; ref = func->nodes[ref].next) {
			SsaNode *node = &func->nodes[ref];

			if (node->op == SSA_PUT || node->op == SSA_INSN || ssa_effects(node) & SSA_PURE)
				continue;
			if (node->op == SSA_BRING) {
				needs->needed[ssa_value(func, node->a)] |= SSA_NAMED;
				ssa_need(func, needs, brought(func, node->a), SSA_FIRM);
				continue;
			}
			for (unsigned k = ssa_operands(func, node); k-- > 0;)
				ssa_need(func, needs, *ssa_operand(func, node, k), SSA_FIRM);
		}
	return true;
}
