/* SPDX-License-Identifier: MIT
 *
 * What each pure operation gives for constants (ir_eval), and the algebra the builders apply while they build.
 *
 * Each fold returns a ref that already exists or builds a simpler operation through the builders, so results are
 * themselves folded. Termination: every rule either returns an operand, or makes an operation on an operand's
 * operand, or moves to a smaller op in the order SUB > ADD, EXTRACT > LTS, compare pair > compare. Depth is
 * bounded by the nesting of CONCAT and EXTRACT, which the 64 bits of a value bound.
 *
 * Relations. A compare of a pair (x, y) is the set of outcomes it accepts, out of {less, equal, greater}, in one
 * order, signed or unsigned. OR, AND and XOR of two compares of the same pair and order are set operations:
 *
 *     x <s 0 | x == 0   ->  x <=s 0        x == y | y <s x  ->  y <=s x        x <u y | y <u x  ->  x != y
 *
 * This turns condition codes that a description spells as three tests into one compare.
 */
#include "ir/ir_private.h"

#include <assert.h>

#include "base/bits.h"
#include "ir/ir_float.h"

static u64 divide_signed(u64 a, u64 b, unsigned width, bool remainder)
{
	i64 x = bits_signed(a, width), y = bits_signed(b, width);

	if (y == 0)
		return remainder ? a : ~(u64)0;
	if (y == -1) /* MIN / -1 would trap on the host */
		return remainder ? 0 : 0 - a;
	return (u64)(remainder ? x % y : x / y);
}

static u64 shift(IrOp op, u64 a, u64 b, unsigned width)
{
	switch (op) {
	case IR_OP_SHL: return b >= width ? 0 : a << b;
	case IR_OP_SHR: return b >= width ? 0 : a >> b;
	default: return (u64)(bits_signed(a, width) >> (b >= width ? width - 1 : b));
	}
}

static u64 rotate_left(u64 a, u64 by, unsigned width)
{
	return by ? a << by | a >> (width - by) : a;
}

u64 ir_eval(IrOp op, unsigned width, unsigned arg_width, unsigned aux, u64 a, u64 b, u64 c)
{
	i64 sa = bits_signed(a, arg_width), sb = 0;
	u64 result = 0;

	/* Where b is compared or multiplied as a signed number it has the width of a. */
	sb = bits_signed(bits_trunc(b, arg_width), arg_width);
	switch (op) {
	case IR_OP_ADD: result = a + b; break;
	case IR_OP_SUB: result = a - b; break;
	case IR_OP_MUL: result = a * b; break;
	case IR_OP_MULHS: result = (u64)(((__int128)sa * sb) >> width); break;
	case IR_OP_MULHU: result = (u64)(((unsigned __int128)a * b) >> width); break;
	case IR_OP_MULHSU: result = (u64)(((__int128)sa * (__int128)b) >> width); break;
	case IR_OP_DIVS: result = divide_signed(a, b, width, false); break;
	case IR_OP_DIVU: result = b ? a / b : ~(u64)0; break;
	case IR_OP_REMS: result = divide_signed(a, b, width, true); break;
	case IR_OP_REMU: result = b ? a % b : a; break;
	case IR_OP_AND: result = a & b; break;
	case IR_OP_OR: result = a | b; break;
	case IR_OP_XOR: result = a ^ b; break;
	case IR_OP_SHL: case IR_OP_SHR: case IR_OP_SAR: result = shift(op, a, b, width); break;
	case IR_OP_ROL: result = rotate_left(a, b % width, width); break;
	case IR_OP_ROR: result = rotate_left(a, (width - b % width) % width, width); break;
	case IR_OP_CLZ: result = a ? (u64)__builtin_clzll(a) - (64 - width) : width; break;
	case IR_OP_CTZ: result = a ? (u64)__builtin_ctzll(a) : width; break;
	case IR_OP_POPC: result = (u64)__builtin_popcountll(a); break;
	case IR_OP_BSWAP: result = __builtin_bswap64(a) >> (64 - width); break;
	case IR_OP_ZX: result = a; break;
	case IR_OP_SX: result = (u64)sa; break;
	case IR_OP_EXTRACT: result = a >> aux; break;
	case IR_OP_CONCAT: result = a << (width - arg_width) | b; break;
	case IR_OP_EQ: result = a == b; break;
	case IR_OP_NE: result = a != b; break;
	case IR_OP_LTS: result = sa < sb; break;
	case IR_OP_LES: result = sa <= sb; break;
	case IR_OP_LTU: result = a < b; break;
	case IR_OP_LEU: result = a <= b; break;
	case IR_OP_SEL: result = a ? b : c; break;
	case IR_OP_FADD: case IR_OP_FSUB: case IR_OP_FMUL: case IR_OP_FDIV: case IR_OP_FMIN: case IR_OP_FMAX:
	case IR_OP_FSQRT: case IR_OP_FMA: case IR_OP_FEQ: case IR_OP_FLT: case IR_OP_FLE: case IR_OP_FOFS:
	case IR_OP_FOFU: case IR_OP_FTOS: case IR_OP_FTOU: case IR_OP_FTOF: case IR_OP_FCLASS:
		return ir_float_eval(op, width, arg_width, aux, a, b, c);
	default: assert(!"ir_eval of an operation that is not pure");
	}
	return bits_trunc(result, width);
}

/* ---- Relations ---- */

enum { REL_LT = 1, REL_EQ = 2, REL_GT = 4, REL_ALL = 7 };

typedef enum Order { ORDER_ANY, ORDER_SIGNED, ORDER_UNSIGNED } Order;

typedef struct Relation {
	IrRef x, y;
	unsigned set;
	Order order;
} Relation;

static bool get_relation(const IrFunc *func, IrRef ref, Relation *out)
{
	const IrIns *ins = ir_def(func, ref);

	if (!ins || ir_op_info[ins->op].shape != IR_SHAPE_CMP)
		return false;
	out->x = ins->a;
	out->y = ins->b;
	switch (ins->op) {
	case IR_OP_EQ: out->set = REL_EQ; out->order = ORDER_ANY; break;
	case IR_OP_NE: out->set = REL_LT | REL_GT; out->order = ORDER_ANY; break;
	case IR_OP_LTS: out->set = REL_LT; out->order = ORDER_SIGNED; break;
	case IR_OP_LES: out->set = REL_LT | REL_EQ; out->order = ORDER_SIGNED; break;
	case IR_OP_LTU: out->set = REL_LT; out->order = ORDER_UNSIGNED; break;
	default: out->set = REL_LT | REL_EQ; out->order = ORDER_UNSIGNED; break;
	}
	return true;
}

static unsigned mirror(unsigned set)
{
	return (set & REL_EQ) | (set & REL_LT ? REL_GT : 0) | (set & REL_GT ? REL_LT : 0);
}

static IrRef make_relation(IrFunc *func, const Relation *r)
{
	IrOp less = r->order == ORDER_UNSIGNED ? IR_OP_LTU : IR_OP_LTS;
	IrOp less_equal = r->order == ORDER_UNSIGNED ? IR_OP_LEU : IR_OP_LES;

	switch (r->set) {
	case 0: return ir_const(func, 1, 0);
	case REL_LT: return ir_bin(func, less, r->x, r->y);
	case REL_GT: return ir_bin(func, less, r->y, r->x);
	case REL_EQ: return ir_bin(func, IR_OP_EQ, r->x, r->y);
	case REL_LT | REL_EQ: return ir_bin(func, less_equal, r->x, r->y);
	case REL_GT | REL_EQ: return ir_bin(func, less_equal, r->y, r->x);
	case REL_LT | REL_GT: return ir_bin(func, IR_OP_NE, r->x, r->y);
	default: return ir_const(func, 1, 1);
	}
}

/* x <u 0, MAX <=s x ...: compares that a bound decides or turns into an equality say less than they seem; the
 * relation of x != 0 to the unsigned order (x >u 0) is lost by that, which costs only a merge nobody writes. */
static IrRef merge_relations(IrFunc *func, IrOp op, IrRef a, IrRef b)
{
	Relation r, s;

	if (!get_relation(func, a, &r) || !get_relation(func, b, &s))
		return IR_NONE;
	if (r.x == s.y && r.y == s.x) {
		s.set = mirror(s.set);
	} else if (r.x != s.x || r.y != s.y) {
		return IR_NONE;
	}
	if (r.order != ORDER_ANY && s.order != ORDER_ANY && r.order != s.order)
		return IR_NONE;
	if (r.order == ORDER_ANY)
		r.order = s.order;
	switch (op) {
	case IR_OP_OR: r.set |= s.set; break;
	case IR_OP_AND: r.set &= s.set; break;
	default: r.set ^= s.set; break;
	}
	return make_relation(func, &r);
}

static IrRef invert_relation(IrFunc *func, IrRef a)
{
	Relation r;

	if (!get_relation(func, a, &r))
		return IR_NONE;
	r.set ^= REL_ALL;
	return make_relation(func, &r);
}

/* ---- Binary operations ---- */

/* a op a */
static IrRef fold_same(IrFunc *func, IrOp op, IrRef a, unsigned width)
{
	switch (op) {
	case IR_OP_AND: case IR_OP_OR: return a;
	case IR_OP_SUB: case IR_OP_XOR: return ir_const(func, width, 0);
	case IR_OP_EQ: case IR_OP_LES: case IR_OP_LEU: return ir_const(func, 1, 1);
	case IR_OP_NE: case IR_OP_LTS: case IR_OP_LTU: return ir_const(func, 1, 0);
	default: return IR_NONE;
	}
}

/* (x op c1) op c: one operation with both constants. */
static IrRef fold_nested(IrFunc *func, IrOp op, IrRef a, u64 c, unsigned width)
{
	const IrIns *inner = ir_def(func, a);
	IrRef x;
	u64 c1;

	if (!inner || inner->op != op || !ir_is_const(func, inner->b, &c1))
		return IR_NONE;
	x = inner->a;
	switch (op) {
	case IR_OP_ADD: case IR_OP_MUL: case IR_OP_AND: case IR_OP_OR: case IR_OP_XOR:
		return ir_bin(func, op, x, ir_const(func, width, ir_eval(op, width, width, 0, c1, c, 0)));
	case IR_OP_SHL: case IR_OP_SHR:
		return c1 + c >= width ? ir_const(func, width, 0)
				       : ir_bin(func, op, x, ir_const(func, 8, c1 + c));
	default:
		return IR_NONE;
	}
}

static IrRef fold_arithmetic_const(IrFunc *func, IrOp op, IrRef a, IrRef b, u64 c, unsigned width)
{
	u64 ones = bits_mask(width);

	switch (op) {
	case IR_OP_ADD: case IR_OP_OR:
		if (c == 0)
			return a;
		if (op == IR_OP_OR && c == ones)
			return b;
		break;
	case IR_OP_SUB: return c == 0 ? a : ir_bin(func, IR_OP_ADD, a, ir_const(func, width, 0 - c));
	case IR_OP_XOR:
		if (c == 0)
			return a;
		if (width == 1) {
			IrRef inverse = invert_relation(func, a);

			if (inverse != IR_NONE)
				return inverse;
		}
		break;
	case IR_OP_AND:
		if (c == 0)
			return b;
		if (c == ones)
			return a;
		if (ir_def(func, a) && ir_def(func, a)->op == IR_OP_ZX) {
			u64 inner = bits_mask(ir_width(func, ir_def(func, a)->a));

			if ((c & inner) == inner)
				return a;
		}
		break;
	case IR_OP_MUL:
		if (c == 0)
			return b;
		if (c == 1)
			return a;
		if ((c & (c - 1)) == 0)
			return ir_bin(func, IR_OP_SHL, a, ir_const(func, 8, (u64)__builtin_ctzll(c)));
		break;
	case IR_OP_MULHU: return c == 0 ? b : IR_NONE;
	case IR_OP_DIVU:
		if (c == 1)
			return a;
		if (c && (c & (c - 1)) == 0)
			return ir_bin(func, IR_OP_SHR, a, ir_const(func, 8, (u64)__builtin_ctzll(c)));
		break;
	case IR_OP_REMU:
		if (c && (c & (c - 1)) == 0)
			return ir_bin(func, IR_OP_AND, a, ir_const(func, width, c - 1));
		break;
	case IR_OP_SHL: case IR_OP_SHR: case IR_OP_SAR:
		if (c == 0)
			return a;
		if (c >= width && op != IR_OP_SAR)
			return ir_const(func, width, 0);
		break;
	case IR_OP_ROL: case IR_OP_ROR: return c % width == 0 ? a : IR_NONE;
	default: break;
	}
	return fold_nested(func, op, a, c, width);
}

/* EQ and NE with a constant on the right. */
static IrRef fold_equality(IrFunc *func, IrOp op, IrRef a, u64 c, unsigned width)
{
	const IrIns *ins = ir_def(func, a);
	u64 inner;

	if (width == 1)
		return (op == IR_OP_EQ) == (c == 1) ? a : ir_not(func, a);
	if (!ins)
		return IR_NONE;
	if (ins->op == IR_OP_ZX || ins->op == IR_OP_SX) {
		unsigned w = ir_width(func, ins->a);

		if (ir_eval(ins->op, width, w, 0, bits_trunc(c, w), 0, 0) != c)
			return ir_const(func, 1, op == IR_OP_NE);
		return ir_bin(func, op, ins->a, ir_const(func, w, c));
	}
	if ((ins->op == IR_OP_ADD || ins->op == IR_OP_XOR) && ir_is_const(func, ins->b, &inner))
		return ir_bin(func, op, ins->a, ir_const(func, width, ins->op == IR_OP_ADD ? c - inner : c ^ inner));
	return IR_NONE;
}

/* a < b, a <= b with one constant side that is a bound of the order, or just beside it. */
static IrRef fold_order(IrFunc *func, IrOp op, IrRef a, IrRef b, unsigned width)
{
	bool is_signed = op == IR_OP_LTS || op == IR_OP_LES, strict = op == IR_OP_LTS || op == IR_OP_LTU;
	u64 min = is_signed ? (u64)1 << (width - 1) : 0, max = min ^ bits_mask(width), c;

	if (ir_is_const(func, b, &c)) {
		const IrIns *ins = ir_def(func, a);

		if (c == min)
			return strict ? ir_const(func, 1, 0) : ir_bin(func, IR_OP_EQ, a, b);
		if (c == max)
			return strict ? ir_bin(func, IR_OP_NE, a, b) : ir_const(func, 1, 1);
		if (ins && op == IR_OP_LTS && c == 0) { /* the sign bit */
			if (ins->op == IR_OP_ZX)
				return ir_const(func, 1, 0);
			if (ins->op == IR_OP_SX || ins->op == IR_OP_CONCAT)
				return ir_bin(func, op, ins->a, ir_const(func, ir_width(func, ins->a), 0));
		}
	} else if (ir_is_const(func, a, &c)) {
		if (c == max)
			return strict ? ir_const(func, 1, 0) : ir_bin(func, IR_OP_EQ, b, a);
		if (c == min)
			return strict ? ir_bin(func, IR_OP_NE, b, a) : ir_const(func, 1, 1);
	}
	return IR_NONE;
}

/* x[63] @ x[62:0] is x, and ~x[63] @ x[62:0], the negation of a float, x with its top bit changed. That bit has become
 * x <s 0, and 0 <=s x when inverted. */
static IrRef fold_sign(IrFunc *func, IrRef a, IrRef b)
{
	const IrIns *high = ir_def(func, a), *low = ir_def(func, b);
	unsigned width = 1 + ir_width(func, b);
	bool inverted = high && high->op == IR_OP_LES;
	u64 zero;

	if (!high || !low || (high->op != IR_OP_LTS && !inverted) || low->op != IR_OP_EXTRACT || low->aux ||
	    ir_width(func, low->a) != width || low->a != (inverted ? high->b : high->a) ||
	    !ir_is_const(func, inverted ? high->a : high->b, &zero) || zero)
		return IR_NONE;
	return inverted ? ir_bin(func, IR_OP_XOR, low->a, ir_const(func, width, (u64)1 << (width - 1))) : low->a;
}

static IrRef fold_concat(IrFunc *func, IrRef a, IrRef b)
{
	const IrIns *high = ir_def(func, a), *low = ir_def(func, b);
	unsigned wa = ir_width(func, a), wb = ir_width(func, b);
	u64 c, inner;
	IrRef sign = fold_sign(func, a, b);

	if (sign != IR_NONE)
		return sign;
	if (ir_is_const(func, a, &c) && c == 0)
		return ir_zx(func, b, wa + wb);
	if (high && high->op == IR_OP_ZX)
		return ir_zx(func, ir_bin(func, IR_OP_CONCAT, high->a, b), wa + wb);
	if (high && low && high->op == IR_OP_EXTRACT && low->op == IR_OP_EXTRACT && high->a == low->a &&
	    high->aux == low->aux + wb)
		return ir_extract(func, low->a, low->aux, wa + wb);
	if (high && high->op == IR_OP_CONCAT && ir_is_const(func, b, &c) && ir_is_const(func, high->b, &inner)) {
		unsigned mid = ir_width(func, high->b);

		return ir_bin(func, IR_OP_CONCAT, high->a, ir_const(func, mid + wb, inner << wb | c));
	}
	return IR_NONE;
}

IrRef ir_fold_bin(IrFunc *func, IrOp op, IrRef a, IrRef b)
{
	unsigned width = ir_width(func, a);
	u64 x, y = 0;
	bool known = ir_is_const(func, b, &y);
	IrRef folded;

	if (known && ir_is_const(func, a, &x)) {
		unsigned result = width;

		if (ir_op_info[op].shape == IR_SHAPE_CMP)
			result = 1;
		else if (op == IR_OP_CONCAT)
			result = width + ir_width(func, b);
		return ir_const(func, result, ir_eval(op, result, width, 0, x, y, 0));
	}
	if (op == IR_OP_CONCAT)
		return fold_concat(func, a, b);
	if (a == b) {
		folded = fold_same(func, op, a, width);
		if (folded != IR_NONE)
			return folded;
	}
	if (ir_op_info[op].shape == IR_SHAPE_CMP) {
		if (op == IR_OP_EQ || op == IR_OP_NE)
			return known ? fold_equality(func, op, a, y, width) : IR_NONE;
		return fold_order(func, op, a, b, width);
	}
	if (known)
		return fold_arithmetic_const(func, op, a, b, y, width);
	if (width == 1 && (op == IR_OP_AND || op == IR_OP_OR || op == IR_OP_XOR))
		return merge_relations(func, op, a, b);
	if (ir_is_const(func, a, &x) && x == 0 && ir_op_info[op].shape == IR_SHAPE_SHIFT)
		return a;
	return IR_NONE;
}

/* ---- The others ---- */

IrRef ir_fold_un(IrFunc *func, IrOp op, IrRef a)
{
	unsigned width = ir_width(func, a);
	u64 value;

	if (ir_is_const(func, a, &value))
		return ir_const(func, width, ir_eval(op, width, width, 0, value, 0, 0));
	return IR_NONE;
}

static IrRef fold_extract(IrFunc *func, unsigned width, unsigned lo, IrRef a)
{
	const IrIns *ins = ir_def(func, a);
	unsigned whole = ir_width(func, a), low_width;
	IrRef inner, second;

	if (!ins)
		return IR_NONE;
	inner = ins->a;
	second = ins->b;
	switch (ins->op) {
	case IR_OP_EXTRACT:
		return ir_extract(func, inner, ins->aux + lo, width);
	case IR_OP_CONCAT:
		low_width = ir_width(func, second);
		if (lo >= low_width)
			return ir_extract(func, inner, lo - low_width, width);
		if (lo + width <= low_width)
			return ir_extract(func, second, lo, width);
		return ir_bin(func, IR_OP_CONCAT, ir_extract(func, inner, 0, lo + width - low_width),
			      ir_extract(func, second, lo, low_width - lo));
	case IR_OP_ZX: case IR_OP_SX:
		low_width = ir_width(func, inner);
		if (lo + width <= low_width)
			return ir_extract(func, inner, lo, width);
		if (ins->op == IR_OP_ZX)
			return lo >= low_width ? ir_const(func, width, 0)
					       : ir_zx(func, ir_extract(func, inner, lo, low_width - lo), width);
		if (lo >= low_width)
			lo = low_width - 1;
		return ir_sx(func, ir_extract(func, inner, lo, low_width - lo), width);
	default:
		break;
	}
	if (width == 1 && lo == whole - 1)
		return ir_bin(func, IR_OP_LTS, a, ir_const(func, whole, 0));
	return IR_NONE;
}

IrRef ir_fold_conv(IrFunc *func, IrOp op, unsigned width, unsigned aux, IrRef a)
{
	unsigned from = ir_width(func, a);
	const IrIns *ins = ir_def(func, a);
	u64 value;

	if (from == width)
		return a; /* an extract of all bits, too */
	if (ir_is_const(func, a, &value))
		return ir_const(func, width, ir_eval(op, width, from, aux, value, 0, 0));
	if (op == IR_OP_EXTRACT)
		return fold_extract(func, width, aux, a);
	if (ins && (ins->op == IR_OP_ZX || ins->op == op)) /* a number widened with zeros has no sign to spread */
		return ins->op == IR_OP_ZX ? ir_zx(func, ins->a, width) : ir_sx(func, ins->a, width);
	return IR_NONE;
}

IrRef ir_fold_select(IrFunc *func, IrRef cond, IrRef a, IrRef b)
{
	u64 value, x, y;

	if (ir_is_const(func, cond, &value))
		return value ? a : b;
	if (a == b)
		return a;
	if (ir_width(func, a) == 1) {
		bool a_known = ir_is_const(func, a, &x), b_known = ir_is_const(func, b, &y);

		if (a_known && b_known) /* they differ */
			return x ? cond : ir_not(func, cond);
		if (a_known)
			return x ? ir_bin(func, IR_OP_OR, cond, b) : ir_bin(func, IR_OP_AND, ir_not(func, cond), b);
		if (b_known)
			return y ? ir_bin(func, IR_OP_OR, ir_not(func, cond), a) : ir_bin(func, IR_OP_AND, cond, a);
	}
	return IR_NONE;
}
