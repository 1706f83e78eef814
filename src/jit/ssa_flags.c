/* SPDX-License-Identifier: MIT
 *
 * Programs that compare floats without raising "invalid" save the flags, compare, and restore them:
 *
 *     %f = flags    %c = flt[raises] %a, %b    set_flags %f
 *
 * What the compare raises nobody sees, if nothing leaves in between: it becomes a quiet one, and nothing is restored. A quiet
 * compare by the host still raises "invalid" for a signaling NaN; where one could come in, a GUARD in front looks (the
 * compare of a number with itself raises the same then, as the instruction that is left to the cold engine will).
 */
#include "base/bits.h"
#include "ir/ir_float.h"
#include "jit/ssa.h"

static bool raises(const SsaNode *node)
{
	return node->op < IR_OP_COUNT && ir_float_operands((IrOp)node->op) && (node->aux & SSA_FLOAT_RAISES);
}

static bool is_compare(const SsaNode *node)
{
	return node->op == IR_OP_FEQ || node->op == IR_OP_FLT || node->op == IR_OP_FLE;
}

static bool may_signal(const SsaFunc *func, SsaRef ref)
{
	const SsaNode *node = &func->nodes[ssa_value(func, ref)];
	u64 infinity = node->width == 64 ? 0x7FF0000000000000 : 0x7F800000, quiet = node->width == 64 ? (u64)1 << 51 : 1 << 22;

	switch (node->op) {
	case SSA_CONST: return (node->imm & bits_mask(node->width - 1u)) > infinity && !(node->imm & quiet);
	case SSA_CANON: case IR_OP_FADD: case IR_OP_FSUB: case IR_OP_FMUL: case IR_OP_FDIV: case IR_OP_FSQRT: case IR_OP_FMA:
	case IR_OP_FTOF: case IR_OP_FOFS: case IR_OP_FOFU: return false;
	default: return true;
	}
}

static void guard_against(SsaFunc *func, SsaRef compare, SsaRef operand)
{
	SsaRef same, guard;

	if (!may_signal(func, operand))
		return;
	same = ssa_node(func, IR_OP_FEQ, 1, SSA_FLOAT_RAISES, operand, operand, 0, 0);
	guard = ssa_node(func, SSA_GUARD, 0, 0, same, 0, 0, 0);
	if (func->failed)
		return;
	ssa_insert_before(func, compare, same);
	ssa_insert_before(func, compare, guard);
}

static void look_through(SsaFunc *func, u32 b)
{
	SsaRef saved = 0, compare = 0, next;

	for (SsaRef ref = func->blocks[b].first; ref; ref = next) {
		const SsaNode *node = &func->nodes[ref];

		next = node->next;
		if (node->op == SSA_FLAGS) {
			saved = ref;
			compare = 0;
		} else if (node->op == SSA_SET_FLAGS) {
			if (saved && compare && ssa_value(func, node->a) == saved) {
				SsaRef x = func->nodes[compare].a, y = func->nodes[compare].b;

				func->nodes[compare].aux = SSA_FLOAT_QUIET;
				guard_against(func, compare, x);
				if (x != y)
					guard_against(func, compare, y);
				ssa_remove(func, ref);
			}
			saved = 0;
		} else if (raises(node)) {
			saved = compare || !is_compare(node) ? 0 : saved;
			compare = ref;
		} else if (ssa_effects(node) & SSA_EXIT) {
			saved = compare ? 0 : saved;
		}
	}
}

void ssa_flags(SsaFunc *func)
{
	if (func->failed || !func->flags_slot)
		return;
	for (u32 i = 0; i < func->rpo_count && !func->failed; i++)
		look_through(func, func->rpo[i]);
}
