/* SPDX-License-Identifier: MIT
 *
 * Floats of a region: SSE2 scalars in xmm registers, and FMA3. Flags gather in MXCSR, as in x64_float.c, which says where
 * the host raises others than the IR; a node without SSA_FLOAT_RAISES in a machine that keeps flags must raise none, and is
 * the evaluator's unless it can't. NaNs are the host's until a CANON.
 */
#include "jit/x64/x64_ssa.h"

#include "ir/ir_float.h"

/* ---- Moves ---- */

void x64_movq_to_xmm(X64Buf *x, unsigned width, u8 xmm, u8 reg)
{
	x64_reg_reg(x, 0x66, width == 64, 0x0F6E, xmm, reg, false);
}

void x64_movq_from_xmm(X64Buf *x, unsigned width, u8 reg, u8 xmm)
{
	x64_reg_reg(x, 0x66, width == 64, 0x0F7E, xmm, reg, false);
}

void x64_xmm_load(X64Buf *x, unsigned width, u8 xmm, X64Mem mem)
{
	x64_reg_mem(x, width == 64 ? 0xF2 : 0xF3, false, 0x0F10, xmm, mem, false);
}

void x64_xmm_store(X64Buf *x, unsigned width, X64Mem mem, u8 xmm)
{
	x64_reg_mem(x, width == 64 ? 0xF2 : 0xF3, false, 0x0F11, xmm, mem, false);
}

static void sse(X64Buf *x, unsigned width, u32 opcode, u8 to, u8 from)
{
	x64_reg_reg(x, width == 64 ? 0xF2 : 0xF3, false, opcode, to, from, false);
}

static void sse_opd(X64Buf *x, unsigned width, u32 opcode, u8 to, const X64Opd *from)
{
	if (from->in_memory)
		x64_reg_mem(x, width == 64 ? 0xF2 : 0xF3, false, opcode, to, from->mem, false);
	else
		sse(x, width, opcode, to, from->reg);
}

/* ucomis (2E): quiet NaN raise nothing; comis (2F): they raise "invalid". */
void x64_float_compare(X64Buf *x, unsigned width, u32 opcode, u8 a, u8 b)
{
	x64_reg_reg(x, width == 64 ? 0x66 : 0, false, opcode, a, b, false);
}

static void compare_opd(X64Buf *x, unsigned width, u32 opcode, u8 a, const X64Opd *b)
{
	if (b->in_memory)
		x64_reg_mem(x, width == 64 ? 0x66 : 0, false, opcode, a, b->mem, false);
	else
		x64_float_compare(x, width, opcode, a, b->reg);
}

/* ---- What is native ---- */

static unsigned arg_width(const X64Ssa *s, const SsaNode *node)
{
	return s->func->nodes[node->a].width;
}

static bool has_form(const X64Ssa *s, const SsaNode *node)
{
	unsigned round = node->aux & IR_FLOAT_ROUND, from = arg_width(s, node);

	switch (node->op) {
	case IR_OP_FADD: case IR_OP_FSUB: case IR_OP_FMUL: case IR_OP_FDIV: case IR_OP_FSQRT: case IR_OP_FTOF:
		return round == IR_ROUND_EVEN;
	case IR_OP_FMA:
		return round == IR_ROUND_EVEN && s->engine->has_fma;
	case IR_OP_FEQ: case IR_OP_FLT: case IR_OP_FLE:
		return true;
	case IR_OP_FOFS:
		return round == IR_ROUND_EVEN && from <= 64;
	case IR_OP_FOFU:
		return round == IR_ROUND_EVEN && from <= 32;
	case IR_OP_FTOS: case IR_OP_FTOU:
		return round == IR_ROUND_ZERO && (node->width == 32 || node->width == 64);
	default:
		return false;
	}
}

bool x64_ssa_float_native(const X64Ssa *s, const SsaNode *node)
{
	bool silent = (node->op == IR_OP_FOFS || node->op == IR_OP_FOFU) && arg_width(s, node) <= (node->width == 64 ? 53 : 24);

	if (!ir_float_operands((IrOp)node->op) || (node->aux & IR_FLOAT_FLAGS) || !has_form(s, node))
		return false;
	/* A compare without flags is a quiet one (ssa_flags.c). */
	return !s->func->flags_slot || silent || (node->aux & SSA_FLOAT_RAISES) || node->op == IR_OP_FEQ || node->op == IR_OP_FLT ||
	       node->op == IR_OP_FLE;
}

/* ---- Nodes ---- */

static void arithmetic(X64Ssa *s, const SsaNode *node)
{
	static const u8 codes[] = { 0x58, 0x5C, 0x59, 0x5E };
	SsaRef a = ssa_value(s->func, node->a), b = ssa_value(s->func, node->b);
	const SsaNode *nodes = s->func->nodes;
	X64Opd other;
	u8 to;

	if ((node->op == IR_OP_FADD || node->op == IR_OP_FMUL) && (nodes[a].uses > 1 || s->in_snap[a]) && nodes[b].uses == 1 &&
	    !s->in_snap[b]) {
		SsaRef swap = a;

		a = b;
		b = swap;
	}
	x64_arg_tied(s, a, SSA_XMM);
	other = x64_arg_any(s, b, SSA_XMM, false);
	to = x64_result(s, SSA_XMM);
	s->code->commutes = node->op == IR_OP_FADD || node->op == IR_OP_FMUL;
	if (s->emitting)
		sse_opd(&s->x, node->width, 0x0F00u | codes[node->op - IR_OP_FADD], to, &other);
}

static void square_root(X64Ssa *s, const SsaNode *node)
{
	X64Opd from = x64_arg_any(s, node->a, SSA_XMM, true);
	u8 to = x64_result(s, SSA_XMM);

	if (s->emitting)
		sse_opd(&s->x, node->width, 0x0F51, to, &from);
}

/* a * b + c: vfmadd231 c, a, b. Flags differ for infinity * zero + quiet NaN. */
static void fused(X64Ssa *s, const SsaNode *node)
{
	u8 a, b, to;

	x64_arg_tied(s, node->c, SSA_XMM);
	a = x64_arg_xmm(s, node->a, false);
	b = x64_arg_xmm(s, node->b, false);
	to = x64_result(s, SSA_XMM);
	if (s->emitting) {
		u8 bytes[] = { 0xC4, (u8)((to & 8 ? 0 : 0x80) | 0x40 | (b & 8 ? 0 : 0x20) | 2),
			       (u8)((node->width == 64 ? 0x80 : 0) | (~a & 15) << 3 | 1), 0xB9,
			       (u8)(0xC0 | (to & 7) << 3 | (b & 7)) };
		X64Late *late;

		x64_bytes(&s->x, bytes, sizeof bytes);
		if (!(node->aux & SSA_FLOAT_RAISES))
			return;
		x64_float_compare(&s->x, node->width, 0x0F2E, to, to);
		late = x64_ssa_late(s, X64_LATE_FMA, x64_jcc(&s->x, X64_P));
		if (late) {
			late->xmm = a;
			late->other = b;
			late->width = node->width;
		}
	}
}

/* The result is a NaN: of the product as well, then what that raises counts. */
static void late_fused(X64Ssa *s, const X64Late *late)
{
	X64Mem word = x64_frame(s->engine, X64_AT_OPERATION);
	X64Buf *x = &s->x;
	u8 *also;

	x64_reg_mem(x, 0, false, 0x0FAE, 3, word, false); /* stmxcsr */
	x64_reg_reg(x, 0, false, 0x0F28, X64_XMM_SCRATCH, late->xmm, false);
	sse(x, late->width, 0x0F59, X64_XMM_SCRATCH, late->other);
	x64_float_compare(x, late->width, 0x0F2E, X64_XMM_SCRATCH, X64_XMM_SCRATCH);
	also = x64_jcc(x, X64_P);
	x64_reg_mem(x, 0, false, 0x0FAE, 2, word, false); /* ldmxcsr */
	x64_ssa_here(s, also);
}

X64Test x64_ssa_float_test(X64Ssa *s, const SsaNode *node)
{
	unsigned width = arg_width(s, node);
	bool equal = node->op == IR_OP_FEQ;
	u8 a = x64_arg_xmm(s, equal ? node->a : node->b, false);
	X64Opd b = x64_arg_any(s, equal ? node->b : node->a, SSA_XMM, false);

	if (s->emitting)
		compare_opd(&s->x, width, equal || !(node->aux & SSA_FLOAT_RAISES) ? 0x0F2E : 0x0F2F, a, &b);
	return (X64Test){ .cond = equal ? X64_E : node->op == IR_OP_FLT ? X64_A : X64_AE, .ordered = equal };
}

void x64_ssa_canon(X64Ssa *s, const SsaNode *node)
{
	X64Late *late;
	u8 to;

	x64_arg_tied(s, node->a, SSA_XMM);
	to = x64_result(s, SSA_XMM);
	if (!s->emitting)
		return;
	x64_float_compare(&s->x, node->width, 0x0F2E, to, to);
	late = x64_ssa_late(s, X64_LATE_NAN, x64_jcc(&s->x, X64_P));
	if (late) {
		late->xmm = to;
		late->width = node->width;
	}
}

static void of_integer(X64Ssa *s, const SsaNode *node)
{
	unsigned from = arg_width(s, node), width = node->width;
	bool is_signed = node->op == IR_OP_FOFS;
	u8 reg = x64_arg_reg(s, from == 32 && is_signed ? x64_ssa_low(s, node->a) : node->a, false), to = x64_result(s, SSA_XMM);
	bool wide = from == 64 || (!is_signed && from == 32);
	X64Buf *x = &s->x;

	if (!s->emitting)
		return;
	if (is_signed && from != 32 && from != 64) {
		x64_ssa_sx(s, from, X64_SCRATCH, reg);
		reg = X64_SCRATCH;
		wide = from > 32;
	}
	x64_reg_reg(x, 0, false, 0x0F57, to, to, false); /* xorps: no wait for what was there */
	x64_reg_reg(x, width == 64 ? 0xF2 : 0xF3, wide, 0x0F2A, to, reg, false);
}

/* Truncated. What is out of range is looked at aside. */
static void to_integer(X64Ssa *s, const SsaNode *node)
{
	unsigned from = arg_width(s, node), width = node->width;
	bool is_signed = node->op == IR_OP_FTOS;
	u8 xmm = x64_arg_xmm(s, node->a, false), temp = is_signed ? 0 : x64_temp(s, SSA_GPR), to = x64_result(s, SSA_GPR);
	X64Buf *x = &s->x;
	X64Late *late;
	u8 *site;

	if (!s->emitting)
		return;
	if (is_signed) {
		x64_reg_reg(x, from == 64 ? 0xF2 : 0xF3, width == 64, 0x0F2C, to, xmm, false);
		if (width == 64) {
			x64_mov_imm(x, X64_SCRATCH, (u64)1 << 63);
			x64_alu(x, X64_CMP, 64, to, X64_SCRATCH);
		} else {
			x64_alu_imm(x, X64_CMP, 32, to, INT32_MIN);
		}
		site = x64_jcc(x, X64_E);
	} else {
		u64 top = from == 64 ? (width == 64 ? 0x43E0000000000000u : 0x41F0000000000000u)
			: width == 64 ? 0x5F000000u : 0x4F800000u;

		/* As bits: below that of 2^63 or 2^32, and the sign is 0; NaN are above. */
		x64_movq_from_xmm(x, from, X64_SCRATCH, xmm);
		x64_mov_imm(x, temp, top);
		x64_alu(x, X64_CMP, 64, X64_SCRATCH, temp);
		site = x64_jcc(x, X64_AE);
		x64_reg_reg(x, from == 64 ? 0xF2 : 0xF3, true, 0x0F2C, to, xmm, false);
	}
	late = x64_ssa_late(s, is_signed ? X64_LATE_FTOS : X64_LATE_FTOU, site);
	if (!late)
		return;
	late->reg = to;
	late->temp = temp;
	late->xmm = xmm;
	late->width = (u8)width;
	late->from = (u8)from;
}

/* `to` is the least number: so it stays for one that is too small (and where it is the result); else the greatest. */
static void late_signed(X64Ssa *s, const X64Late *late)
{
	X64Buf *x = &s->x;
	u8 *nan, *small;

	x64_reg_reg(x, 0, false, 0x0F57, X64_XMM_SCRATCH, X64_XMM_SCRATCH, false);
	x64_float_compare(x, late->from, 0x0F2E, late->xmm, X64_XMM_SCRATCH);
	nan = x64_jcc(x, X64_P);
	small = x64_jcc(x, X64_B);
	x64_ssa_here(s, nan);
	x64_mov_imm(x, late->reg, ~(u64)0 >> (65 - late->width));
	x64_ssa_here(s, small);
}

/* "Invalid" is raised by what is no number. */
static void raise_invalid(X64Ssa *s, unsigned from)
{
	x64_ssa_word(s, from == 64 ? 0xF2 : 0xF3, 0x0F2C, X64_SCRATCH, ir_float_nan(from));
}

static void late_unsigned(X64Ssa *s, const X64Late *late)
{
	unsigned from = late->from;
	u8 prefix = from == 64 ? 0xF2 : 0xF3, *nan, *negative, *done[3];
	u64 top = from == 64 ? 0x43E0000000000000u : 0x5F000000u, beyond = from == 64 ? 0x43F0000000000000u : 0x5F800000u;
	X64Buf *x = &s->x;

	x64_reg_reg(x, 0, false, 0x0F57, X64_XMM_SCRATCH, X64_XMM_SCRATCH, false);
	x64_float_compare(x, from, 0x0F2E, late->xmm, X64_XMM_SCRATCH);
	nan = x64_jcc(x, X64_P);
	negative = x64_jcc(x, X64_BE);
	if (late->width == 64) { /* 2^63 ..: the rest, and the top bit. From 2^64 on the difference would be inexact, too */
		x64_movq_from_xmm(x, from, X64_SCRATCH, late->xmm);
		x64_mov_imm(x, late->temp, beyond);
		x64_alu(x, X64_CMP, 64, X64_SCRATCH, late->temp);
		done[0] = x64_jcc(x, X64_AE);
		x64_reg_reg(x, 0, false, 0x0F28, X64_XMM_SCRATCH, late->xmm, false);
		x64_ssa_word(s, prefix, 0x0F5C, X64_XMM_SCRATCH, top);
		x64_reg_reg(x, prefix, true, 0x0F2C, late->reg, X64_XMM_SCRATCH, false);
		x64_mov_imm(x, X64_SCRATCH, (u64)1 << 63);
		x64_alu(x, X64_XOR, 64, late->reg, X64_SCRATCH);
		done[1] = x64_jmp(x);
		x64_ssa_here(s, done[0]);
	} else {
		done[1] = NULL;
	}
	x64_ssa_here(s, nan);
	raise_invalid(s, from);
	x64_mov_imm(x, late->reg, ~(u64)0 >> (64 - late->width));
	done[0] = x64_jmp(x);
	x64_ssa_here(s, negative);
	x64_ssa_word(s, prefix, 0x0F10, X64_XMM_SCRATCH, from == 64 ? 0xBFF0000000000000u : 0xBF800000u); /* -1 */
	x64_float_compare(x, from, 0x0F2E, late->xmm, X64_XMM_SCRATCH);
	done[2] = x64_jcc(x, X64_A);
	raise_invalid(s, from);
	x64_mov_imm(x, late->reg, 0);
	nan = x64_jmp(x);
	x64_ssa_here(s, done[2]);
	x64_reg_reg(x, prefix, true, 0x0F2C, late->reg, late->xmm, false); /* 0, exact or not */
	x64_ssa_here(s, nan);
	x64_ssa_here(s, done[0]);
	if (done[1])
		x64_ssa_here(s, done[1]);
}

void x64_ssa_late_float(X64Ssa *s, const X64Late *late)
{
	switch (late->kind) {
	case X64_LATE_NAN:
		x64_ssa_word(s, late->width == 64 ? 0xF2 : 0xF3, 0x0F10, late->xmm, ir_float_nan(late->width));
		break;
	case X64_LATE_FTOS: late_signed(s, late); break;
	case X64_LATE_FTOU: late_unsigned(s, late); break;
	default: late_fused(s, late);
	}
}

bool x64_ssa_float(X64Ssa *s, SsaRef ref)
{
	const SsaNode *node = &s->func->nodes[ref];

	if (!x64_ssa_float_native(s, node))
		return false;
	switch (node->op) {
	case IR_OP_FADD: case IR_OP_FSUB: case IR_OP_FMUL: case IR_OP_FDIV: arithmetic(s, node); return true;
	case IR_OP_FSQRT: square_root(s, node); return true;
	case IR_OP_FMA: fused(s, node); return true;
	case IR_OP_FEQ: case IR_OP_FLT: case IR_OP_FLE: x64_ssa_setcc(s, node); return true;
	case IR_OP_FOFS: case IR_OP_FOFU: of_integer(s, node); return true;
	case IR_OP_FTOS: case IR_OP_FTOU: to_integer(s, node); return true;
	case IR_OP_FTOF: {
		unsigned from = arg_width(s, node);
		X64Opd opd = x64_arg_any(s, node->a, SSA_XMM, true);
		u8 to = x64_result(s, SSA_XMM);

		if (s->emitting)
			sse_opd(&s->x, from, 0x0F5A, to, &opd);
		return true;
	}
	default: return false;
	}
}
