/* SPDX-License-Identifier: MIT
 *
 * Compares: bounds, extensions and constants in them, and compares of compares.
 *
 * A compare of a pair (x, y) is the set of outcomes it accepts, out of {less, equal, greater}, in one order. AND, OR and XOR
 * of two compares of the same pair are set operations; so condition codes that a description spells as three tests, which
 * other instructions made long before the branch that asks for them, become one compare.
 */
#include "base/bits.h"
#include "jit/ssa_fold.h"

enum { LESS = 1, EQUAL = 2, GREATER = 4, ALL = 7 };

typedef enum Order { ORDER_ANY, ORDER_SIGNED, ORDER_UNSIGNED } Order;

typedef struct Relation {
	SsaRef x, y;
	unsigned set;
	Order order;
} Relation;

static bool get_relation(const SsaFold *f, SsaRef ref, Relation *r)
{
	const SsaNode *node = &f->func->nodes[ssa_fold_value(f, ref)];

	if (node->op >= IR_OP_COUNT || ir_op_info[node->op].shape != IR_SHAPE_CMP)
		return false;
	r->x = ssa_fold_value(f, node->a);
	r->y = ssa_fold_value(f, node->b);
	switch (node->op) {
	case IR_OP_EQ: r->set = EQUAL; r->order = ORDER_ANY; break;
	case IR_OP_NE: r->set = LESS | GREATER; r->order = ORDER_ANY; break;
	case IR_OP_LTS: r->set = LESS; r->order = ORDER_SIGNED; break;
	case IR_OP_LES: r->set = LESS | EQUAL; r->order = ORDER_SIGNED; break;
	case IR_OP_LTU: r->set = LESS; r->order = ORDER_UNSIGNED; break;
	default: r->set = LESS | EQUAL; r->order = ORDER_UNSIGNED; break;
	}
	return true;
}

static SsaRef make_relation(SsaFold *f, const Relation *r)
{
	unsigned less = r->order == ORDER_UNSIGNED ? IR_OP_LTU : IR_OP_LTS;
	unsigned less_equal = r->order == ORDER_UNSIGNED ? IR_OP_LEU : IR_OP_LES;

	switch (r->set) {
	case 0: return ssa_const(f->func, 1, 0);
	case LESS: return ssa_fold_bin(f, less, r->x, r->y);
	case GREATER: return ssa_fold_bin(f, less, r->y, r->x);
	case EQUAL: return ssa_fold_bin(f, IR_OP_EQ, r->x, r->y);
	case LESS | EQUAL: return ssa_fold_bin(f, less_equal, r->x, r->y);
	case GREATER | EQUAL: return ssa_fold_bin(f, less_equal, r->y, r->x);
	case LESS | GREATER: return ssa_fold_bin(f, IR_OP_NE, r->x, r->y);
	default: return ssa_const(f->func, 1, 1);
	}
}

static unsigned mirror(unsigned set)
{
	return (set & EQUAL) | (set & LESS ? GREATER : 0) | (set & GREATER ? LESS : 0);
}

SsaRef ssa_fold_relations(SsaFold *f, unsigned op, SsaRef a, SsaRef b)
{
	Relation r, s;

	if (!get_relation(f, a, &r) || !get_relation(f, b, &s))
		return 0;
	if (r.x == s.y && r.y == s.x)
		s.set = mirror(s.set);
	else if (r.x != s.x || r.y != s.y)
		return 0;
	if (r.order != ORDER_ANY && s.order != ORDER_ANY && r.order != s.order)
		return 0;
	if (r.order == ORDER_ANY)
		r.order = s.order;
	r.set = op == IR_OP_OR ? r.set | s.set : op == IR_OP_AND ? r.set & s.set : r.set ^ s.set;
	return make_relation(f, &r);
}

SsaRef ssa_fold_invert(SsaFold *f, SsaRef a)
{
	Relation r;

	if (!get_relation(f, a, &r))
		return 0;
	r.set ^= ALL;
	return make_relation(f, &r);
}

/* EQ, NE with the constant c. */
static SsaRef equal_const(SsaFold *f, unsigned op, SsaRef a, u64 c)
{
	SsaFunc *func = f->func;
	SsaNode x = func->nodes[a];
	unsigned width = x.width, low;
	SsaRef high, part;
	u64 inner, other;

	if (width == 1)
		return (op == IR_OP_EQ) == (c == 1) ? a : ssa_fold_not(f, a);
	if (c & ~ssa_may_be_one(func, a))
		return ssa_const(func, 1, op == IR_OP_NE);
	switch (x.op) {
	case IR_OP_ZX: case IR_OP_SX:
		low = ssa_width(func, x.a);
		if (ir_eval((IrOp)x.op, width, low, 0, bits_trunc(c, low), 0, 0) != c)
			return ssa_const(func, 1, op == IR_OP_NE);
		return ssa_fold_bin(f, op, x.a, ssa_const(func, low, c));
	case IR_OP_ADD: case IR_OP_XOR:
		if (ssa_is_const(func, x.b, &inner))
			return ssa_fold_bin(f, op, x.a, ssa_const(func, width, x.op == IR_OP_ADD ? c - inner : c ^ inner));
		return x.op == IR_OP_XOR && c == 0 ? ssa_fold_bin(f, op, x.a, x.b) : 0;
	case IR_OP_SUB:
		return c == 0 ? ssa_fold_bin(f, op, x.a, x.b) : 0;
	case IR_OP_AND: /* one bit: against zero */
		if (c && (c & (c - 1)) == 0 && ssa_is_const(func, x.b, &inner) && inner == c)
			return ssa_fold_bin(f, op == IR_OP_EQ ? IR_OP_NE : IR_OP_EQ, a, ssa_const(func, width, 0));
		return 0;
	case IR_OP_SEL:
		if (!ssa_is_const(func, x.b, &inner) || !ssa_is_const(func, x.c, &other))
			return 0;
		if ((inner == c) == (other == c))
			return ssa_const(func, 1, (inner == c) == (op == IR_OP_EQ));
		return (inner == c) == (op == IR_OP_EQ) ? x.a : ssa_fold_not(f, x.a);
	case IR_OP_CONCAT:
		low = ssa_width(func, x.b);
		if (!ssa_is_const(func, x.a, &inner) && !ssa_is_const(func, x.b, &inner))
			return 0;
		high = ssa_fold_bin(f, op, x.a, ssa_const(func, width - low, c >> low));
		part = ssa_fold_bin(f, op, x.b, ssa_const(func, low, c));
		return ssa_fold_bin(f, op == IR_OP_EQ ? IR_OP_AND : IR_OP_OR, high, part);
	default:
		return 0;
	}
}

/* Compares of two values that are widened alike are compares of what was widened: both ways keep either order. */
static SsaRef compare_widened(SsaFold *f, unsigned op, SsaRef a, SsaRef b)
{
	SsaFunc *func = f->func;
	SsaNode x = func->nodes[a], y = func->nodes[b];
	const SsaNode *wide = x.op == IR_OP_ZX || x.op == IR_OP_SX ? &x : &y;
	unsigned width, narrow = op;
	bool signed_order = op == IR_OP_LTS || op == IR_OP_LES;

	if (wide->op != IR_OP_ZX && wide->op != IR_OP_SX)
		return 0;
	width = ssa_width(func, wide->a);
	if (wide->op == IR_OP_ZX && signed_order)
		narrow = op == IR_OP_LTS ? IR_OP_LTU : IR_OP_LEU;
	if (x.op == y.op && ssa_width(func, x.a) == ssa_width(func, y.a))
		return ssa_fold_bin(f, narrow, x.a, y.a);
	if (x.op == SSA_CONST || y.op == SSA_CONST) {
		u64 value = x.op == SSA_CONST ? x.imm : y.imm, low = bits_trunc(value, width);
		SsaRef c;

		if (ir_eval((IrOp)wide->op, x.width, width, 0, low, 0, 0) != value)
			return 0;
		c = ssa_const(func, width, low);
		return x.op == SSA_CONST ? ssa_fold_bin(f, narrow, c, y.a) : ssa_fold_bin(f, narrow, x.a, c);
	}
	return 0;
}

/* a < b, a <= b with one constant side that is a bound of the order, or beyond all that the other may be. */
static SsaRef compare_bound(SsaFold *f, unsigned op, SsaRef a, SsaRef b)
{
	SsaFunc *func = f->func;
	unsigned width = func->nodes[a].width;
	bool is_signed = op == IR_OP_LTS || op == IR_OP_LES, strict = op == IR_OP_LTS || op == IR_OP_LTU;
	u64 min = is_signed ? (u64)1 << (width - 1) : 0, max = min ^ bits_mask(width), c, most;

	if (ssa_is_const(func, b, &c)) {
		if (c == min)
			return strict ? ssa_const(func, 1, 0) : ssa_fold_bin(f, IR_OP_EQ, a, b);
		if (c == max)
			return strict ? ssa_fold_bin(f, IR_OP_NE, a, b) : ssa_const(func, 1, 1);
		if (strict && c == min + 1)
			return ssa_fold_bin(f, IR_OP_EQ, a, ssa_const(func, width, min));
		most = ssa_may_be_one(func, a);
		if (op == IR_OP_LTS && c == 0) { /* the sign bit */
			SsaNode x = func->nodes[a];

			if (!(most >> (width - 1)))
				return ssa_const(func, 1, 0);
			if (x.op == IR_OP_CONCAT)
				return ssa_fold_bin(f, op, x.a, ssa_const(func, ssa_width(func, x.a), 0));
			if (x.op == IR_OP_XOR && ssa_is_const(func, x.b, &c) && !(c >> (width - 1)))
				return ssa_fold_bin(f, op, x.a, b);
			return 0;
		}
		if (!is_signed && (strict ? most < c : most <= c))
			return ssa_const(func, 1, 1);
	} else if (ssa_is_const(func, a, &c)) {
		if (c == max)
			return strict ? ssa_const(func, 1, 0) : ssa_fold_bin(f, IR_OP_EQ, b, a);
		if (c == min)
			return strict ? ssa_fold_bin(f, IR_OP_NE, b, a) : ssa_const(func, 1, 1);
		if (!is_signed && (strict ? ssa_may_be_one(func, b) <= c : ssa_may_be_one(func, b) < c))
			return ssa_const(func, 1, 0);
	}
	return 0;
}

SsaRef ssa_fold_compare(SsaFold *f, const SsaNode *node)
{
	unsigned op = node->op;
	SsaRef a = node->a, b = node->b, folded;
	bool equality = op == IR_OP_EQ || op == IR_OP_NE;
	u64 c;

	if (a == b)
		return ssa_const(f->func, 1, op == IR_OP_EQ || op == IR_OP_LES || op == IR_OP_LEU);
	folded = equality ? ssa_is_const(f->func, b, &c) ? equal_const(f, op, a, c) : 0 : compare_bound(f, op, a, b);
	return folded ? folded : compare_widened(f, op, a, b);
}
