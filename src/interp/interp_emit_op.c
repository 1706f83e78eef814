/* SPDX-License-Identifier: MIT
 *
 * Pure operations and compares as uops: which handler fits, with constants as immediates.
 */
#include "interp/interp_emit.h"

#include "base/bits.h"

/* The order of the compare handlers in uops.def, in each of the three groups. */
enum {
	CMP_EQ_RR, CMP_NE_RR, CMP_LTS_RR, CMP_LES_RR, CMP_LTU_RR, CMP_LEU_RR,
	CMP_EQ_RI, CMP_NE_RI, CMP_LTS_RI, CMP_LES_RI, CMP_GTS_RI, CMP_GES_RI,
	CMP_LTU_RI, CMP_LEU_RI, CMP_GTU_RI, CMP_GEU_RI, CMP_COUNT
};

_Static_assert(UOP_GEU_RI - UOP_EQ_RR == CMP_GEU_RI && UOP_J_GEU_RI - UOP_J_EQ_RR == CMP_GEU_RI &&
	       UOP_X_GEU_RI - UOP_X_EQ_RR == CMP_GEU_RI && UOP_LTS_RI - UOP_EQ_RR == CMP_LTS_RI &&
	       UOP_J_GTU_RI - UOP_J_EQ_RR == CMP_GTU_RI, "compares stand in one order");

static Compare compare_rr(Emit *e, unsigned kind, const IrIns *ins, unsigned width)
{
	bool is_signed = kind == CMP_LTS_RR || kind == CMP_LES_RR;

	return (Compare){.kind = (u8)kind, .a = emit_operand(e, ins->a), .b = emit_operand(e, ins->b),
			 .imm = is_signed ? 64 - width : 0};
}

static Compare compare_ri(Emit *e, unsigned kind, IrRef a, u64 value, unsigned width)
{
	bool is_signed = kind >= CMP_LTS_RI && kind <= CMP_GES_RI;
	unsigned shift = is_signed ? 64 - width : 0;

	return (Compare){.kind = (u8)kind, .a = emit_operand(e, a), .b = (u16)shift, .imm = value << shift};
}

Compare emit_compare(Emit *e, const IrIns *ins)
{
	static const u8 rr[] = {CMP_EQ_RR, CMP_NE_RR, CMP_LTS_RR, CMP_LES_RR, CMP_LTU_RR, CMP_LEU_RR};
	static const u8 ri[] = {CMP_EQ_RI, CMP_NE_RI, CMP_LTS_RI, CMP_LES_RI, CMP_LTU_RI, CMP_LEU_RI};
	static const u8 ir[] = {CMP_EQ_RI, CMP_NE_RI, CMP_GTS_RI, CMP_GES_RI, CMP_GTU_RI, CMP_GEU_RI};
	unsigned index = ins->op - IR_OP_EQ, width = ir_width(e->func, ins->a);
	u64 value;

	if (emit_const(e, ins->b, &value))
		return compare_ri(e, ri[index], ins->a, value, width);
	if (emit_const(e, ins->a, &value))
		return compare_ri(e, ir[index], ins->b, value, width);
	return compare_rr(e, rr[index], ins, width);
}

Compare emit_truth(Emit *e, IrRef condition)
{
	return (Compare){.kind = CMP_NE_RI, .a = emit_operand(e, condition)};
}

Compare emit_opposite(Compare c)
{
	static const u8 opposite[CMP_COUNT] = {
		CMP_NE_RR, CMP_EQ_RR, CMP_LES_RR, CMP_LTS_RR, CMP_LEU_RR, CMP_LTU_RR,
		CMP_NE_RI, CMP_EQ_RI, CMP_GES_RI, CMP_GTS_RI, CMP_LES_RI, CMP_LTS_RI,
		CMP_GEU_RI, CMP_GTU_RI, CMP_LEU_RI, CMP_LTU_RI,
	};

	if (c.kind >= CMP_LTS_RR && c.kind <= CMP_LEU_RR) { /* not a < b is b <= a */
		u16 swap = c.a;

		c.a = c.b;
		c.b = swap;
	}
	c.kind = opposite[c.kind];
	return c;
}

static void emit_add(Emit *e, const IrIns *ins, Dest dest)
{
	unsigned w = ins->width;
	u64 c;

	if (emit_const(e, ins->b, &c))
		emit_uop(e, w == 16 ? UOP_ADD16_RI : w == 32 ? UOP_ADD32_RI : w == 64 ? UOP_ADD64_RI : UOP_ADD_RI, dest,
			 emit_operand(e, ins->a), 64 - w, c);
	else
		emit_uop(e, w == 16 ? UOP_ADD16_RR : UOP_ADD_RR, dest, emit_operand(e, ins->a),
			 emit_operand(e, ins->b), bits_mask(w));
}

/* The low 32 bits of a sum or difference, extended. */
static void emit_narrow(Emit *e, const IrIns *sum, Dest dest)
{
	u16 a = emit_operand(e, sum->a);
	u64 c;

	if (sum->op == IR_OP_ADD && emit_const(e, sum->b, &c))
		emit_uop(e, UOP_ADDW_RI, dest, a, 0, c);
	else
		emit_uop(e, sum->op == IR_OP_ADD ? UOP_ADDW_RR : UOP_SUBW_RR, dest, a, emit_operand(e, sum->b), 0);
}

static void emit_sx(Emit *e, const IrIns *ins, Dest dest)
{
	unsigned from = ir_width(e->func, ins->a), left = 64 - from;
	IrRef a = ins->a;

	if (a < e->func->ins_count && e->plan.values[a].kind == VALUE_ABSORBED) { /* the EXTRACT below it */
		left -= e->func->ins[a].aux;
		a = e->func->ins[a].a;
		if (a < e->func->ins_count && e->plan.values[a].kind == VALUE_ABSORBED) {
			emit_narrow(e, &e->func->ins[a], dest);
			return;
		}
	}
	emit_uop(e, UOP_SX, dest, emit_operand(e, a), left | (64 - from) << 8, bits_mask(ins->width));
}

static void emit_shift(Emit *e, const IrIns *ins, Dest dest)
{
	unsigned w = ins->width;
	u64 by;

	if (emit_const(e, ins->b, &by)) {
		u16 a = emit_operand(e, ins->a);

		if (ins->op == IR_OP_SAR) {
			unsigned right = 64 - w + (unsigned)(by < w ? by : w - 1);

			emit_uop(e, UOP_SX, dest, a, (64 - w) | right << 8, bits_mask(w));
		} else if (by >= w) {
			emit_uop(e, UOP_SET, dest, 0, 0, 0);
		} else if (ins->op == IR_OP_SHL) {
			emit_uop(e, UOP_SHL_RI, dest, a, (unsigned)by, bits_mask(w));
		} else {
			emit_uop(e, UOP_EXTRACT, dest, a, (unsigned)by, ~(u64)0);
		}
		return;
	}
	emit_uop(e, ins->op == IR_OP_SHL ? UOP_SHL_RR : UOP_SHR_RR, dest, emit_operand(e, ins->a),
		 emit_operand(e, ins->b), 64 - w);
}

static void emit_concat(Emit *e, const IrIns *ins, Dest dest)
{
	unsigned low = ir_width(e->func, ins->b);
	u64 c;

	if (emit_const(e, ins->b, &c))
		emit_uop(e, UOP_CONCAT_RI, dest, emit_operand(e, ins->a), low, c);
	else if (emit_const(e, ins->a, &c))
		emit_uop(e, UOP_OR_RI, dest, emit_operand(e, ins->b), 0, c << low);
	else
		emit_uop(e, UOP_CONCAT, dest, emit_operand(e, ins->a), emit_operand(e, ins->b), low);
}

/* Any operation, through its definition. */
static void emit_eval(Emit *e, const IrIns *ins, Dest dest)
{
	unsigned count = ir_float_operands((IrOp)ins->op);
	bool two = ir_op_info[ins->op].shape == IR_SHAPE_BIN || ir_op_info[ins->op].shape == IR_SHAPE_SHIFT || count > 1;
	u16 a = emit_operand(e, ins->a), b = two ? emit_operand(e, ins->b) : a, c = count > 2 ? emit_operand(e, ins->c) : a;

	emit_uop(e, UOP_EVAL, dest, a, b,
		 (u64)ins->op | (u64)ins->width << 8 | (u64)ir_width(e->func, ins->a) << 16 | (u64)ins->aux << 32 |
			 (u64)c << 48);
}

void emit_pure(Emit *e, const IrIns *ins, Dest dest)
{
	unsigned w = ins->width;
	u64 c;
	bool known = (ir_op_info[ins->op].shape == IR_SHAPE_BIN) && emit_const(e, ins->b, &c);

	switch (ins->op) {
	case IR_OP_ADD: emit_add(e, ins, dest); return;
	case IR_OP_SUB:
		if (emit_const(e, ins->a, &c))
			emit_uop(e, UOP_SUB_IR, dest, emit_operand(e, ins->b), 64 - w, c);
		else
			emit_uop(e, UOP_SUB_RR, dest, emit_operand(e, ins->a), emit_operand(e, ins->b), bits_mask(w));
		return;
	case IR_OP_MUL:
		if (known)
			emit_uop(e, UOP_MUL_RI, dest, emit_operand(e, ins->a), 64 - w, c);
		else
			emit_uop(e, UOP_MUL_RR, dest, emit_operand(e, ins->a), emit_operand(e, ins->b), bits_mask(w));
		return;
	case IR_OP_AND: case IR_OP_OR: case IR_OP_XOR: {
		UopKind rr = ins->op == IR_OP_AND ? UOP_AND_RR : ins->op == IR_OP_OR ? UOP_OR_RR : UOP_XOR_RR;
		UopKind ri = ins->op == IR_OP_AND ? UOP_AND_RI : ins->op == IR_OP_OR ? UOP_OR_RI : UOP_XOR_RI;

		if (known)
			emit_uop(e, ri, dest, emit_operand(e, ins->a), 0, c);
		else
			emit_uop(e, rr, dest, emit_operand(e, ins->a), emit_operand(e, ins->b), 0);
		return;
	}
	case IR_OP_SHL: case IR_OP_SHR: emit_shift(e, ins, dest); return;
	case IR_OP_SAR:
		if (emit_const(e, ins->b, &c))
			emit_shift(e, ins, dest);
		else
			emit_eval(e, ins, dest);
		return;
	case IR_OP_SX: emit_sx(e, ins, dest); return;
	case IR_OP_EXTRACT:
		emit_uop(e, ins->aux ? UOP_EXTRACT : UOP_AND_RI, dest, emit_operand(e, ins->a), ins->aux, bits_mask(w));
		return;
	case IR_OP_CONCAT: emit_concat(e, ins, dest); return;
	case IR_OP_SEL: {
		if (interp_is_unboxing(&e->plan, ins) && emit_const(e, ins->c, &c)) {
			emit_uop(e, UOP_UNBOX, dest, emit_operand(e, e->func->ins[ins->b].a), 0, c);
			return;
		}
		u16 cond = emit_operand(e, ins->a), yes = emit_operand(e, ins->b), no = emit_operand(e, ins->c);

		emit_uop(e, UOP_SEL, dest, cond, yes, no);
		return;
	}
	default:
		break;
	}
	if (ir_op_info[ins->op].shape == IR_SHAPE_CMP) {
		Compare compare = emit_compare(e, ins);

		emit_uop(e, UOP_EQ_RR + compare.kind, dest, compare.a, compare.b, compare.imm);
		return;
	}
	if (!emit_float(e, ins, dest))
		emit_eval(e, ins, dest);
}
