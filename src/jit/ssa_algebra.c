/* SPDX-License-Identifier: MIT
 *
 * Algebra on pure operations: the rules that need nothing but an operation and those above it. They end because each
 * gives an operand, or an operation on an operand's operands, or moves down in the order
 *
 *     SUB > ADD     MUL, DIVU, REMU > shifts, AND     SHR(SHL), SAR(SHL) > AND > ZX(EXTRACT), SX(EXTRACT)     SEL > AND, OR, ZX
 *
 * and ssa_fold_make stops at a depth. Low bits of a number are ZX(EXTRACT) for 8, 16, 32 of them (free on a host), AND else.
 * Floats are not touched: what is folded of them are constants, which ssa_fold_make does.
 */
#include "base/bits.h"
#include "ir/ir_float.h"
#include "jit/ssa_fold.h"

const bool ssa_commuting[SSA_OP_COUNT] = {
	[IR_OP_ADD] = true, [IR_OP_MUL] = true, [IR_OP_MULHS] = true, [IR_OP_MULHU] = true, [IR_OP_AND] = true, [IR_OP_OR] = true,
	[IR_OP_XOR] = true, [IR_OP_EQ] = true, [IR_OP_NE] = true, [IR_OP_FADD] = true, [IR_OP_FMUL] = true, [IR_OP_FEQ] = true,
};

/* What a rule looks at: nodes move when one is made. */
typedef struct Def {
	u8 op, width;
	u16 aux;
	SsaRef a, b, c;
	u32 uses;
} Def;

/* A node with its operands as they are known here: it may be one that would have been simplified, had that been known where it
 * stands. */
static Def def(const SsaFold *f, SsaRef ref)
{
	const SsaNode *node = &f->func->nodes[ssa_fold_value(f, ref)];
	Def def = {.op = node->op, .width = node->width, .aux = node->aux, .a = node->a, .b = node->b, .c = node->c,
		.uses = node->uses};

	if (def.op < IR_OP_COUNT || def.op == SSA_CANON) {
		def.a = ssa_fold_value(f, def.a);
		def.b = ssa_fold_value(f, def.b);
		def.c = ssa_fold_value(f, def.c);
	}
	return def;
}

/* Its operation alone: most rules need know no more. */
static unsigned op_of(const SsaFold *f, SsaRef ref)
{
	return f->func->nodes[ssa_fold_value(f, ref)].op;
}

static bool is_const(const SsaFold *f, SsaRef ref, u64 *value)
{
	return ssa_is_const(f->func, ref, value);
}

static SsaRef constant(const SsaFold *f, unsigned width, u64 value)
{
	return ssa_const(f->func, width, value);
}

/* Widths whose low part a host takes for nothing. */
static bool is_handy(unsigned width)
{
	return width == 8 || width == 16 || width == 32;
}

/* ---- Arithmetic ---- */

static SsaRef fold_same(SsaFold *f, unsigned op, SsaRef a, unsigned width)
{
	switch (op) {
	case IR_OP_AND: case IR_OP_OR: return a;
	case IR_OP_SUB: case IR_OP_XOR: return constant(f, width, 0);
	default: return 0;
	}
}

/* (x op c1) op c */
static SsaRef fold_nested(SsaFold *f, unsigned op, SsaRef a, u64 c, unsigned width)
{
	Def x;
	u64 c1;

	if (op_of(f, a) != op)
		return 0;
	x = def(f, a);
	if (!is_const(f, x.b, &c1))
		return 0;
	switch (op) {
	case IR_OP_ADD: case IR_OP_MUL: case IR_OP_AND: case IR_OP_OR: case IR_OP_XOR:
		return ssa_fold_bin(f, op, x.a, constant(f, width, ir_eval((IrOp)op, width, width, 0, c1, c, 0)));
	case IR_OP_SHL: case IR_OP_SHR:
		return c1 >= width || c >= width || c1 + c >= width ? constant(f, width, 0)
			: ssa_fold_bin(f, op, x.a, constant(f, 8, c1 + c));
	case IR_OP_SAR:
		c = c1 >= width || c >= width || c1 + c >= width ? width - 1 : c1 + c;
		return ssa_fold_bin(f, op, x.a, constant(f, 8, c));
	case IR_OP_ROL: case IR_OP_ROR:
		return ssa_fold_bin(f, op, x.a, constant(f, 8, (c1 % width + c % width) % width));
	default:
		return 0;
	}
}

static SsaRef fold_add(SsaFold *f, SsaRef a, SsaRef b, unsigned width)
{
	unsigned first = op_of(f, a);
	Def x, y;
	u64 c, d;

	if (is_const(f, b, &c)) {
		if (c == 0)
			return a;
		if (first != IR_OP_SUB && first != IR_OP_XOR && first != IR_OP_ADD)
			return 0;
		x = def(f, a);
		if (x.op == IR_OP_SUB && is_const(f, x.a, &d)) /* (d - y) + c */
			return ssa_fold_bin(f, IR_OP_SUB, constant(f, width, c + d), x.b);
		if (x.op == IR_OP_XOR && is_const(f, x.b, &d) && d == bits_mask(width)) /* ~y + c */
			return ssa_fold_bin(f, IR_OP_SUB, constant(f, width, c - 1), x.a);
		return fold_nested(f, IR_OP_ADD, a, c, width);
	}
	if (first != IR_OP_SUB && op_of(f, b) != IR_OP_SUB)
		return 0;
	x = def(f, a);
	y = def(f, b);
	if (x.op == IR_OP_SUB && x.b == b)
		return x.a;
	if (y.op == IR_OP_SUB && y.b == a)
		return y.a;
	if (y.op == IR_OP_SUB && is_const(f, y.a, &c) && c == 0)
		return ssa_fold_bin(f, IR_OP_SUB, a, y.b);
	if (x.op == IR_OP_SUB && is_const(f, x.a, &c) && c == 0)
		return ssa_fold_bin(f, IR_OP_SUB, b, x.b);
	return 0;
}

static SsaRef fold_sub(SsaFold *f, SsaRef a, SsaRef b, unsigned width)
{
	Def x, y;
	u64 c, d;

	if (is_const(f, b, &c))
		return ssa_fold_bin(f, IR_OP_ADD, a, constant(f, width, 0 - c));
	x = def(f, a);
	y = def(f, b);
	if (x.op == IR_OP_ADD && x.a == b)
		return x.b;
	if (x.op == IR_OP_ADD && x.b == b)
		return x.a;
	if (y.op == IR_OP_SUB && y.a == a)
		return y.b;
	if (is_const(f, a, &c)) {
		if (y.op == IR_OP_SUB && is_const(f, y.a, &d)) /* c - (d - z) */
			return ssa_fold_bin(f, IR_OP_ADD, y.b, constant(f, width, c - d));
		if (y.op == IR_OP_ADD && is_const(f, y.b, &d)) /* c - (z + d) */
			return ssa_fold_bin(f, IR_OP_SUB, constant(f, width, c - d), y.a);
		return 0;
	}
	if (x.op == IR_OP_ADD && y.op == IR_OP_ADD && x.a == y.a && is_const(f, x.b, &c) && is_const(f, y.b, &d))
		return constant(f, width, c - d);
	return 0;
}

/* AND with c: what c clears is zero anyway; the low bits of a number. */
static SsaRef fold_and_const(SsaFold *f, SsaRef a, SsaRef b, u64 c, unsigned width)
{
	Def x = def(f, a);
	u64 d;
	unsigned low;

	if (c == 0)
		return b;
	if (!(ssa_may_be_one(f->func, a) & ~c))
		return a;
	if ((x.op == IR_OP_OR || x.op == IR_OP_XOR) && is_const(f, x.b, &d) && !(c & d))
		return ssa_fold_bin(f, IR_OP_AND, x.a, b);
	if ((c & (c + 1)) == 0) {
		low = (unsigned)__builtin_popcountll(c);
		if (is_handy(low))
			return ssa_fold_widen(f, IR_OP_ZX, ssa_fold_extract(f, a, 0, low), width);
	}
	if (x.op == IR_OP_ZX || (x.op == IR_OP_SX && !(c >> ssa_width(f->func, x.a)))) {
		low = ssa_width(f->func, x.a);
		return ssa_fold_widen(f, IR_OP_ZX, ssa_fold_bin(f, IR_OP_AND, x.a, constant(f, low, c)), width);
	}
	return fold_nested(f, IR_OP_AND, a, c, width);
}

/* Bitwise operations of values widened alike happen before the widening. What is ZX may be SX as well (the lower half of a rotation). */
static SsaRef fold_widened(SsaFold *f, unsigned op, SsaRef a, SsaRef b, unsigned width)
{
	unsigned low, wide, first = op_of(f, a);
	Def x, y;
	u64 c;

	if (first != IR_OP_ZX && first != IR_OP_SX)
		return 0;
	x = def(f, a);
	y = def(f, b);
	if (x.op == IR_OP_ZX && y.op == IR_OP_SX) {
		Def swap = x;

		x = y;
		y = swap;
	}
	low = ssa_width(f->func, x.a);
	if ((y.op == IR_OP_ZX || y.op == IR_OP_SX) && ssa_width(f->func, y.a) == low) {
		wide = y.op == x.op ? x.op : op == IR_OP_AND ? IR_OP_ZX
			: ssa_may_be_one(f->func, y.a) >> (low - 1) ? (unsigned)IR_OP_COUNT : IR_OP_SX;
		return wide == IR_OP_COUNT ? 0 : ssa_fold_widen(f, wide, ssa_fold_bin(f, op, x.a, y.a), width);
	}
	if (is_const(f, b, &c) && ir_eval((IrOp)x.op, width, low, 0, bits_trunc(c, low), 0, 0) == c)
		return ssa_fold_widen(f, x.op, ssa_fold_bin(f, op, x.a, constant(f, low, c)), width);
	return 0;
}

/* x << k | x >> (width - k) */
static SsaRef fold_rotate(SsaFold *f, SsaRef a, SsaRef b, unsigned width)
{
	unsigned first = op_of(f, a);
	Def x, y;
	u64 left, right;

	if (first != IR_OP_SHR && first != IR_OP_SHL)
		return 0;
	x = def(f, a);
	y = def(f, b);
	if (x.op == IR_OP_SHR) {
		Def swap = x;

		x = y;
		y = swap;
	}
	if (x.op != IR_OP_SHL || y.op != IR_OP_SHR || x.a != y.a || !is_const(f, x.b, &left) || !is_const(f, y.b, &right) ||
	    left >= width || right >= width || left + right != width)
		return 0;
	return ssa_fold_bin(f, IR_OP_ROL, x.a, constant(f, 8, left));
}

static SsaRef fold_bitwise(SsaFold *f, unsigned op, SsaRef a, SsaRef b, unsigned width)
{
	SsaRef folded;
	u64 c;

	if (width == 1 && (folded = ssa_fold_relations(f, op, a, b)))
		return folded;
	if (is_const(f, b, &c)) {
		if (op == IR_OP_AND && (folded = fold_and_const(f, a, b, c, width)))
			return folded;
		if (op != IR_OP_AND && c == 0)
			return a;
		if (op == IR_OP_OR && c == bits_mask(width))
			return b;
		if (op == IR_OP_XOR && width == 1 && (folded = ssa_fold_invert(f, a)))
			return folded;
		if ((folded = fold_nested(f, op, a, c, width)))
			return folded;
	}
	if (op != IR_OP_AND && (folded = fold_rotate(f, a, b, width)))
		return folded;
	return fold_widened(f, op, a, b, width);
}

/* ---- Multiplication, division ---- */

static SsaRef fold_multiply(SsaFold *f, const SsaNode *node, u64 c)
{
	unsigned width = node->width;
	bool power = c && (c & (c - 1)) == 0;
	SsaRef shift = power ? constant(f, 8, (u64)__builtin_ctzll(c)) : 0;

	switch (node->op) {
	case IR_OP_MUL:
		if (c == 0)
			return node->b;
		if (c == bits_mask(width))
			return ssa_fold_bin(f, IR_OP_SUB, constant(f, width, 0), node->a);
		return power ? ssa_fold_bin(f, IR_OP_SHL, node->a, shift) : fold_nested(f, IR_OP_MUL, node->a, c, width);
	case IR_OP_MULHU:
		if (c == 0)
			return node->b;
		return c == 1 ? constant(f, width, 0)
			: power ? ssa_fold_bin(f, IR_OP_SHR, node->a, constant(f, 8, width - (u64)__builtin_ctzll(c))) : 0;
	case IR_OP_MULHS: case IR_OP_MULHSU:
		return c == 0 ? node->b : 0;
	case IR_OP_DIVU:
		return power ? ssa_fold_bin(f, IR_OP_SHR, node->a, shift) : 0;
	case IR_OP_REMU:
		return power ? ssa_fold_bin(f, IR_OP_AND, node->a, constant(f, width, c - 1)) : 0;
	case IR_OP_DIVS:
		return c == 1 && width > 1 ? node->a : 0;
	case IR_OP_REMS:
		return c == 1 && width > 1 ? constant(f, width, 0) : 0;
	default:
		return 0;
	}
}

/* ---- Shifts ---- */

/* Shifts of what was shifted the other way are masks or extensions, and a shift. */
static SsaRef fold_shift_pair(SsaFold *f, unsigned op, SsaRef a, u64 by, unsigned width)
{
	Def x = def(f, a);
	unsigned low;
	u64 left;
	SsaRef part;

	if (!is_const(f, x.b, &left) || left >= width || left == 0)
		return 0;
	if (op == IR_OP_SHL && (x.op == IR_OP_SHR || x.op == IR_OP_SAR) && left == by)
		return ssa_fold_bin(f, IR_OP_AND, x.a, constant(f, width, bits_mask(width) << by));
	if (x.op != IR_OP_SHL || op == IR_OP_SHL)
		return 0;
	low = width - (unsigned)left; /* bits of x.a that are left */
	if (is_handy(low)) {
		part = ssa_fold_widen(f, op == IR_OP_SAR ? IR_OP_SX : IR_OP_ZX, ssa_fold_extract(f, x.a, 0, low), width);
		return by >= left ? ssa_fold_bin(f, op, part, constant(f, 8, by - left))
			: ssa_fold_bin(f, IR_OP_SHL, part, constant(f, 8, left - by));
	}
	if (op == IR_OP_SHR && by == left)
		return ssa_fold_bin(f, IR_OP_AND, x.a, constant(f, width, bits_mask(low)));
	return 0;
}

static SsaRef fold_shift(SsaFold *f, const SsaNode *node)
{
	unsigned op = node->op, width = node->width, low;
	SsaRef a = node->a, folded;
	Def x;
	u64 c;

	if (is_const(f, a, &c) && c == 0)
		return a;
	if (!is_const(f, node->b, &c))
		return 0;
	if (op == IR_OP_ROL || op == IR_OP_ROR)
		return c % width == 0 ? a : fold_nested(f, op, a, c, width);
	if (c == 0)
		return a;
	if (c >= width) {
		if (op != IR_OP_SAR)
			return constant(f, width, 0);
		return ssa_fold_bin(f, op, a, constant(f, 8, width - 1));
	}
	x = def(f, a);
	if (op != IR_OP_SHL) {
		low = x.op == IR_OP_ZX || x.op == IR_OP_SX ? ssa_width(f->func, x.a) : 0;
		if (x.op == IR_OP_ZX && low) {
			if (c >= low)
				return constant(f, width, 0);
			return ssa_fold_widen(f, IR_OP_ZX, ssa_fold_bin(f, IR_OP_SHR, x.a, node->b), width);
		}
		if (x.op == IR_OP_SX && op == IR_OP_SAR)
			return ssa_fold_widen(f, IR_OP_SX, ssa_fold_bin(f, IR_OP_SAR, x.a, node->b), width);
	}
	folded = fold_shift_pair(f, op, a, c, width);
	return folded ? folded : fold_nested(f, op, a, c, width);
}

/* ---- Widths ---- */

/* Low bits of arithmetic are arithmetic on low bits: if nobody else wants the rest. */
static SsaRef cut_arithmetic(SsaFold *f, const Def *x, unsigned width)
{
	bool shift = x->op == IR_OP_SHL;
	SsaRef a, b;

	if (!is_handy(width) || x->uses > 1)
		return 0;
	a = ssa_fold_extract(f, x->a, 0, width);
	b = shift ? x->b : ssa_fold_extract(f, x->b, 0, width);
	return ssa_fold_make(f, x->op, width, 0, a, b, 0);
}

static SsaRef fold_extract(SsaFold *f, const SsaNode *node)
{
	unsigned low = node->aux, width = node->width, part;
	Def x = def(f, node->a);
	SsaRef a = x.a, b = x.b;
	u64 c;

	switch (x.op) {
	case IR_OP_EXTRACT:
		return ssa_fold_extract(f, a, x.aux + low, width);
	case IR_OP_CONCAT:
		part = ssa_width(f->func, b);
		if (low >= part)
			return ssa_fold_extract(f, a, low - part, width);
		if (low + width <= part)
			return ssa_fold_extract(f, b, low, width);
		return ssa_fold_bin(f, IR_OP_CONCAT, ssa_fold_extract(f, a, 0, low + width - part),
				    ssa_fold_extract(f, b, low, part - low));
	case IR_OP_ZX: case IR_OP_SX:
		part = ssa_width(f->func, a);
		if (low + width <= part)
			return ssa_fold_extract(f, a, low, width);
		if (x.op == IR_OP_ZX && low >= part)
			return constant(f, width, 0);
		if (low >= part)
			low = part - 1;
		return ssa_fold_widen(f, x.op, ssa_fold_extract(f, a, low, part - low), width);
	case IR_OP_SHR: case IR_OP_SAR:
		if (is_const(f, b, &c) && c < x.width && low + c + width <= x.width && (low || x.uses <= 1))
			return ssa_fold_extract(f, a, low + (unsigned)c, width);
		break;
	case IR_OP_ADD: case IR_OP_SUB: case IR_OP_MUL:
		if (low == 0)
			return cut_arithmetic(f, &x, width);
		break;
	case IR_OP_SHL:
		if (is_const(f, b, &c)) {
			if (low + width <= c)
				return constant(f, width, 0);
			if (low >= c)
				return ssa_fold_extract(f, a, low - (unsigned)c, width);
			if (low == 0)
				return cut_arithmetic(f, &x, width);
		}
		break;
	case IR_OP_AND: case IR_OP_OR: case IR_OP_XOR:
		if (is_const(f, b, &c)) { /* the constant says nothing about these bits */
			u64 piece = bits_trunc(c >> low, width);

			if (piece == (x.op == IR_OP_AND ? bits_mask(width) : 0))
				return ssa_fold_extract(f, a, low, width);
			if (piece == (x.op == IR_OP_AND ? 0 : bits_mask(width)) && x.op != IR_OP_XOR)
				return constant(f, width, piece);
		}
		if (low == 0)
			return cut_arithmetic(f, &x, width);
		break;
	case IR_OP_SEL:
		if (low == 0 && is_handy(width) && x.uses <= 1)
			return ssa_fold_make(f, IR_OP_SEL, width, 0, a, ssa_fold_extract(f, b, 0, width),
					     ssa_fold_extract(f, x.c, 0, width));
		break;
	default:
		break;
	}
	if (width == 1 && low == x.width - 1u)
		return ssa_fold_bin(f, IR_OP_LTS, node->a, constant(f, x.width, 0));
	return 0;
}

static SsaRef fold_widen(SsaFold *f, const SsaNode *node)
{
	Def x = def(f, node->a);
	unsigned width = node->width;

	if (x.op == IR_OP_ZX)
		return ssa_fold_widen(f, IR_OP_ZX, x.a, width);
	if (node->op == IR_OP_SX) {
		if (x.op == IR_OP_SX)
			return ssa_fold_widen(f, IR_OP_SX, x.a, width);
		if (x.op == IR_OP_EXTRACT && x.aux == 0 && ssa_width(f->func, x.a) == width &&
		    ssa_sign_bits(f->func, x.a) > width - x.width)
			return x.a;
		if (!(ssa_may_be_one(f->func, node->a) >> (x.width - 1)))
			return ssa_fold_widen(f, IR_OP_ZX, node->a, width);
	} else if (x.op == IR_OP_EXTRACT && x.aux == 0 && ssa_width(f->func, x.a) == width &&
		   !(ssa_may_be_one(f->func, x.a) >> x.width)) {
		return x.a;
	}
	return 0;
}

/* x[63] @ x[62:0] is x; with the top bit inverted (the negation of a float) it is an XOR. The top bit has become x <s 0. */
static SsaRef fold_top_bit(SsaFold *f, SsaRef a, SsaRef b)
{
	Def high = def(f, a), low = def(f, b);
	unsigned width = low.width + 1u;
	bool inverted = high.op == IR_OP_LES;
	u64 zero;

	if ((high.op != IR_OP_LTS && !inverted) || low.op != IR_OP_EXTRACT || low.aux || ssa_width(f->func, low.a) != width ||
	    low.a != (inverted ? high.b : high.a) || !is_const(f, inverted ? high.a : high.b, &zero) || zero)
		return 0;
	return inverted ? ssa_fold_bin(f, IR_OP_XOR, low.a, constant(f, width, (u64)1 << (width - 1))) : low.a;
}

static SsaRef fold_concat(SsaFold *f, const SsaNode *node)
{
	Def high = def(f, node->a), low = def(f, node->b);
	SsaRef folded = fold_top_bit(f, node->a, node->b);
	unsigned width = node->width;
	u64 c, inner;

	if (folded)
		return folded;
	if (is_const(f, node->a, &c) && c == 0)
		return ssa_fold_widen(f, IR_OP_ZX, node->b, width);
	if (high.op == IR_OP_ZX)
		return ssa_fold_widen(f, IR_OP_ZX, ssa_fold_bin(f, IR_OP_CONCAT, high.a, node->b), width);
	if (high.op == IR_OP_EXTRACT && low.op == IR_OP_EXTRACT && high.a == low.a && high.aux == low.aux + low.width)
		return ssa_fold_extract(f, low.a, low.aux, width);
	if (high.op == IR_OP_CONCAT && is_const(f, node->b, &c) && is_const(f, high.b, &inner))
		return ssa_fold_bin(f, IR_OP_CONCAT, high.a,
				    constant(f, ssa_width(f->func, high.b) + low.width, inner << low.width | c));
	if (is_const(f, node->b, &c) && c == 0 && high.op == IR_OP_EXTRACT && high.aux == 0 &&
	    ssa_width(f->func, high.a) == width)
		return ssa_fold_bin(f, IR_OP_SHL, high.a, constant(f, 8, low.width));
	return 0;
}

/* ---- Choices ---- */

static SsaRef fold_select(SsaFold *f, const SsaNode *node)
{
	Def cond = def(f, node->a), x = def(f, node->b), y = def(f, node->c);
	unsigned width = node->width;
	u64 c, d;

	if (is_const(f, node->a, &c))
		return c ? node->b : node->c;
	if (node->b == node->c)
		return node->b;
	if (cond.op == IR_OP_XOR && is_const(f, cond.b, &c)) /* 0: it is known here only */
		return ssa_fold_make(f, IR_OP_SEL, width, 0, cond.a, c ? node->c : node->b, c ? node->b : node->c);
	if ((cond.op == IR_OP_EQ || cond.op == IR_OP_NE) &&
	    ((cond.a == node->b && cond.b == node->c) || (cond.b == node->b && cond.a == node->c)))
		return cond.op == IR_OP_EQ ? node->c : node->b;
	if (x.op == IR_OP_SEL && x.a == node->a)
		return ssa_fold_make(f, IR_OP_SEL, width, 0, node->a, x.b, node->c);
	if (y.op == IR_OP_SEL && y.a == node->a)
		return ssa_fold_make(f, IR_OP_SEL, width, 0, node->a, node->b, y.c);
	if (width == 1) {
		bool known = is_const(f, node->b, &c), other = is_const(f, node->c, &d);

		if (known && other)
			return c ? node->a : ssa_fold_not(f, node->a);
		if (known)
			return c ? ssa_fold_bin(f, IR_OP_OR, node->a, node->c)
				: ssa_fold_bin(f, IR_OP_AND, ssa_fold_not(f, node->a), node->c);
		if (other)
			return d ? ssa_fold_bin(f, IR_OP_OR, ssa_fold_not(f, node->a), node->b)
				: ssa_fold_bin(f, IR_OP_AND, node->a, node->b);
		return 0;
	}
	if (is_const(f, node->b, &c) && is_const(f, node->c, &d)) {
		if (d == 0 && c == 1)
			return ssa_fold_widen(f, IR_OP_ZX, node->a, width);
		if (d == 0 && c == bits_mask(width))
			return ssa_fold_widen(f, IR_OP_SX, node->a, width);
		if (c == 0 && d == 1)
			return ssa_fold_widen(f, IR_OP_ZX, ssa_fold_not(f, node->a), width);
	}
	return 0;
}

static SsaRef fold_canon(SsaFold *f, const SsaNode *node)
{
	u64 value, nan = ir_float_nan(node->width);
	u64 infinity = node->width == 64 ? 0x7FF0000000000000 : 0x7F800000;

	if (is_const(f, node->a, &value))
		return bits_trunc(value, node->width - 1u) > infinity ? constant(f, node->width, nan) : node->a;
	return def(f, node->a).op == SSA_CANON ? node->a : 0;
}

SsaRef ssa_algebra(SsaFold *f, const SsaNode *node)
{
	unsigned width = node->width;
	SsaRef folded;
	u64 c;

	if (node->op == SSA_CANON)
		return fold_canon(f, node);
	if (node->op >= IR_OP_COUNT)
		return 0;
	switch (ir_op_info[node->op].shape) {
	case IR_SHAPE_CMP: return ssa_fold_compare(f, node);
	case IR_SHAPE_SHIFT: return fold_shift(f, node);
	case IR_SHAPE_SEL: return fold_select(f, node);
	case IR_SHAPE_CAT: return fold_concat(f, node);
	case IR_SHAPE_CONV: return node->op == IR_OP_EXTRACT ? fold_extract(f, node) : fold_widen(f, node);
	case IR_SHAPE_BIN: break;
	default: return 0;
	}
	if (node->a == node->b && (folded = fold_same(f, node->op, node->a, width)))
		return folded;
	switch (node->op) {
	case IR_OP_ADD: return fold_add(f, node->a, node->b, width);
	case IR_OP_SUB: return fold_sub(f, node->a, node->b, width);
	case IR_OP_AND: case IR_OP_OR: case IR_OP_XOR: return fold_bitwise(f, node->op, node->a, node->b, width);
	default: return is_const(f, node->b, &c) ? fold_multiply(f, node, c) : 0;
	}
}
