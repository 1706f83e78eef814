/* SPDX-License-Identifier: MIT
 *
 * Float operations as uops: by themselves, or paired with the register that their flags are added to (interp_plan.c). What
 * the uops do, and why the host may do it, says interp_float.h.
 */
#include "interp/interp_emit.h"
#include "interp/interp_float.h"

enum { NONE = UOP_COUNT };

static const struct {
	u8 op;
	u16 plain[2], flagged[2]; /* of 32 and 64 bits, to nearest */
} direct[] = {
	{IR_OP_FADD, {UOP_FADD32, UOP_FADD64}, {UOP_FADD32_X, UOP_FADD64_X}},
	{IR_OP_FSUB, {UOP_FSUB32, UOP_FSUB64}, {UOP_FSUB32_X, UOP_FSUB64_X}},
	{IR_OP_FMUL, {UOP_FMUL32, UOP_FMUL64}, {UOP_FMUL32_X, UOP_FMUL64_X}},
	{IR_OP_FDIV, {UOP_FDIV32, UOP_FDIV64}, {UOP_FDIV32_X, UOP_FDIV64_X}},
	{IR_OP_FEQ, {UOP_FEQ32, UOP_FEQ64}, {UOP_FEQ32_X, UOP_FEQ64_X}},
	{IR_OP_FLT, {UOP_FLT32, UOP_FLT64}, {UOP_FLT32_X, UOP_FLT64_X}},
	{IR_OP_FLE, {UOP_FLE32, UOP_FLE64}, {UOP_FLE32_X, UOP_FLE64_X}},
	{IR_OP_FSQRT, {NONE, NONE}, {UOP_FSQRT32_X, UOP_FSQRT64_X}},
	{IR_OP_FMA, {NONE, NONE}, {UOP_FMA32_X, UOP_FMA64_X}},
	{IR_OP_FMIN, {NONE, NONE}, {UOP_FMIN32_X, UOP_FMIN64_X}},
	{IR_OP_FMAX, {NONE, NONE}, {UOP_FMAX32_X, UOP_FMAX64_X}},
	{IR_OP_FTOF, {NONE, NONE}, {UOP_WIDEN_X, UOP_NARROW_X}},
	{IR_OP_FTOS, {NONE, NONE}, {UOP_FTOS32_X, UOP_FTOS64_X}},
};

static unsigned direct_uop(const IrIns *ins, unsigned width, unsigned arg_width, bool flagged)
{
	bool wide = arg_width == 64;

	if ((ins->aux & IR_FLOAT_ROUND) != (ins->op == IR_OP_FTOS ? IR_ROUND_ZERO : IR_ROUND_EVEN))
		return NONE;
	if (ins->op == IR_OP_FOFS)
		return !flagged ? (width == 64 ? UOP_FOFS64 : NONE) : width == 64 ? UOP_FOFS64_X : UOP_FOFS32_X;
	if ((ins->op == IR_OP_FSQRT && !FLOAT_HOST_SQRT) || (ins->op == IR_OP_FMA && wide && !interp_has_fma64()))
		return NONE;
	for (unsigned i = 0; i < COUNT_OF(direct); i++)
		if (direct[i].op == ins->op)
			return flagged ? direct[i].flagged[wide] : direct[i].plain[wide];
	return NONE;
}

/* Operands a, b, and the imm of interp_float.h, where `old` is 0. width: of the value. */
static u64 emit_operands(Emit *e, const IrIns *ins, unsigned width, u16 *a, u16 *b)
{
	unsigned count = ir_float_operands((IrOp)ins->op);
	u16 c;

	*a = emit_operand(e, ins->a);
	*b = count > 1 ? emit_operand(e, ins->b) : *a;
	c = count > 2 ? emit_operand(e, ins->c) : *a;
	return (u64)c << 16 | (u64)ins->op << 32 | (u64)width << 40 | (u64)ir_width(e->func, ins->a) << 48 |
	       (u64)(ins->aux & IR_FLOAT_ROUND) << 56;
}

bool emit_float(Emit *e, const IrIns *ins, Dest dest)
{
	unsigned kind;
	u16 a, b;
	u64 imm;

	if (!ir_float_operands((IrOp)ins->op) || (ins->aux & IR_FLOAT_FLAGS))
		return false;
	imm = emit_operands(e, ins, ins->width, &a, &b);
	kind = direct_uop(ins, ins->width, ir_width(e->func, ins->a), false);
	emit_uop(e, kind == NONE ? UOP_FLOAT : (UopKind)kind, dest, a, b, imm);
	return true;
}

void emit_pair(Emit *e, u32 at)
{
	bool is_or = e->func->ins[at].op == IR_OP_OR;
	IrRef pair = e->plan.values[at].pair, sum = is_or ? at : pair, value = is_or ? pair : at;
	IrRef x = interp_resolve(&e->plan, e->func->ins[sum].a), y = interp_resolve(&e->plan, e->func->ins[sum].b);
	bool x_is_flags = x < e->func->ins_count && e->plan.values[x].kind == VALUE_ABSORBED;
	const IrIns *flags = &e->func->ins[x_is_flags ? x : y];
	IrRef old = x_is_flags ? y : x;
	unsigned width = flags->aux >> IR_FLOAT_WIDTH_SHIFT, kind = direct_uop(flags, width, ir_width(e->func, flags->a), true);
	u16 a, b;
	u64 imm = emit_operands(e, flags, width, &a, &b) | emit_operand(e, old);
	Dest dest = emit_two(e, value, sum, old);

	emit_uop(e, kind == NONE ? UOP_FLOAT_X : (UopKind)kind, dest, a, b, imm);
}
