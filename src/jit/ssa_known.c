/* SPDX-License-Identifier: MIT
 *
 * What is known about the bits of a value, from the few operations above it. Answers are right but not the best: PHIs know
 * nothing here (ssa_narrow.c follows loops).
 */
#include "base/bits.h"
#include "jit/ssa_fold.h"

enum { DEPTH = 3 };

/* All bits up to the topmost of `bits`. */
static u64 filled(u64 bits)
{
	return bits ? ~(u64)0 >> __builtin_clzll(bits) : 0;
}

static u64 ones(const SsaFunc *func, SsaRef ref, unsigned depth)
{
	const SsaNode *node = &func->nodes[ssa_value(func, ref)];
	u64 all = bits_mask(node->width), a, b, count;
	bool known;

	if (node->op == SSA_CONST)
		return node->imm;
	if (!depth)
		return all;
	depth--;
	switch (node->op) {
	case IR_OP_AND: return ones(func, node->a, depth) & ones(func, node->b, depth);
	case IR_OP_OR: case IR_OP_XOR: return ones(func, node->a, depth) | ones(func, node->b, depth);
	case IR_OP_SEL: return ones(func, node->b, depth) | ones(func, node->c, depth);
	case IR_OP_ZX: return ones(func, node->a, depth);
	case IR_OP_SX:
		a = ones(func, node->a, depth);
		return a >> (ssa_width(func, node->a) - 1) & 1 ? a | (all & ~bits_mask(ssa_width(func, node->a))) : a;
	case IR_OP_EXTRACT: return ones(func, node->a, depth) >> node->aux & all;
	case IR_OP_CONCAT:
		return ones(func, node->a, depth) << ssa_width(func, node->b) | ones(func, node->b, depth);
	case IR_OP_SHL: case IR_OP_SHR:
		known = ssa_is_const(func, node->b, &count);
		a = ones(func, node->a, depth);
		if (!known)
			return node->op == IR_OP_SHR ? filled(a) : all;
		if (count >= node->width)
			return 0;
		return node->op == IR_OP_SHR ? a >> count : a << count & all;
	case IR_OP_ADD:
		a = ones(func, node->a, depth);
		b = ones(func, node->b, depth);
		return !(a & b) ? a | b : (filled(a | b) << 1 | 1) & all;
	case IR_OP_DIVU: /* by 0 gives all ones */
		return ssa_is_const(func, node->b, &count) && count ? filled(ones(func, node->a, depth)) : all;
	case IR_OP_REMU:
		return ssa_is_const(func, node->b, &count) && count ? filled(count - 1) : all;
	case IR_OP_CLZ: case IR_OP_CTZ: case IR_OP_POPC: return filled(node->width);
	default: return all;
	}
}

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned signs(const SsaFunc *func, SsaRef ref, unsigned depth)
{
	const SsaNode *node = &func->nodes[ssa_value(func, ref)];
	unsigned width = node->width, inner, count = 1;
	u64 may, by;

	if (node->op == SSA_CONST) {
		i64 value = bits_signed(node->imm, width);
		u64 rest = (u64)(value < 0 ? ~value : value);

		return rest ? width - (64 - (unsigned)__builtin_clzll(rest)) : width;
	}
	if (!depth)
		return 1;
	depth--;
	switch (node->op) {
	case IR_OP_SX: return width - ssa_width(func, node->a) + signs(func, node->a, depth);
	case IR_OP_AND: case IR_OP_OR: case IR_OP_XOR:
		count = min(signs(func, node->a, depth), signs(func, node->b, depth));
		break;
	case IR_OP_SEL: return min(signs(func, node->b, depth), signs(func, node->c, depth));
	case IR_OP_ADD: case IR_OP_SUB:
		count = min(signs(func, node->a, depth), signs(func, node->b, depth));
		count -= count > 1;
		break;
	case IR_OP_EXTRACT:
		inner = signs(func, node->a, depth);
		by = ssa_width(func, node->a) - node->aux - width; /* bits above the piece */
		count = inner > by ? min(inner - (unsigned)by, width) : 1;
		break;
	case IR_OP_SAR:
		inner = signs(func, node->a, depth);
		return ssa_is_const(func, node->b, &by) ? min(inner + (by > width ? width : (unsigned)by), width) : inner;
	case IR_OP_SHL:
		inner = signs(func, node->a, depth);
		count = ssa_is_const(func, node->b, &by) && by < inner ? inner - (unsigned)by : 1;
		break;
	default:
		break;
	}
	may = ones(func, ref, depth);
	inner = may ? width - (64 - (unsigned)__builtin_clzll(may)) : width;
	return inner > count ? inner : count;
}

u64 ssa_may_be_one(const SsaFunc *func, SsaRef ref)
{
	return ones(func, ref, DEPTH);
}

unsigned ssa_sign_bits(const SsaFunc *func, SsaRef ref)
{
	return signs(func, ref, DEPTH);
}
