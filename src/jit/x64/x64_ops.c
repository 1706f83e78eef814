/* SPDX-License-Identifier: MIT
 *
 * The code of pure operations. The caller has seen to it that `to` is none of the registers that operands b and c live in;
 * it may be a's, and it may be rax. rax, rcx and rdx are free otherwise.
 *
 * Values are held zero-extended. Operations of 32 and 64 bits have host instructions that leave them so; others work on
 * more bits and mask.
 */
#include "jit/x64/x64_code.h"

static bool is_native(unsigned width)
{
	return width == 32 || width == 64;
}

static unsigned bits_for(unsigned width)
{
	return width <= 32 ? 32 : 64;
}

static void mask(X64Code *c, unsigned width, u8 to)
{
	X64Buf *x = &c->x;

	if (is_native(width))
		return;
	if (width == 8 || width == 16) {
		x64_zx(x, width, to, to);
	} else if (width < 32) {
		x64_alu_imm(x, X64_AND, 32, to, (i32)((1u << width) - 1));
	} else {
		x64_shift_imm(x, X64_SHL, 64, to, (u8)(64 - width));
		x64_shift_imm(x, X64_SHR, 64, to, (u8)(64 - width));
	}
}

static void move_in(X64Code *c, unsigned bits, u8 to, IrRef ref)
{
	u8 reg = x64_in(c, ref, to);

	if (reg != to || bits == 32)
		x64_mov(&c->x, bits, to, reg);
}

/* Sign-extended from `width` to 64 bits. */
void x64_in_signed(X64Code *c, unsigned width, u8 to, IrRef ref)
{
	u8 reg = x64_in(c, ref, to);

	if (width == 8 || width == 16 || width == 32) {
		x64_sx(&c->x, width, to, reg);
	} else {
		x64_mov(&c->x, 64, to, reg);
		if (width < 64) {
			x64_shift_imm(&c->x, X64_SHL, 64, to, (u8)(64 - width));
			x64_shift_imm(&c->x, X64_SAR, 64, to, (u8)(64 - width));
		}
	}
}

/* An immediate that the operation of this size takes as it is. */
static bool small_const(const X64Code *c, IrRef ref, unsigned bits, i32 *value)
{
	u64 number;

	if (!ir_is_const(c->func, ref, &number))
		return false;
	if (bits == 32)
		number = (u64)(i64)(i32)(u32)number;
	*value = (i32)number;
	return (i64)number == *value;
}

static void alu(X64Code *c, X64Alu op, const IrIns *ins, u8 to)
{
	unsigned bits = bits_for(ins->width);
	X64Buf *x = &c->x;
	X64Mem mem;
	i32 value;

	if (small_const(c, ins->b, bits, &value)) {
		u8 a = x64_in(c, ins->a, to);

		if (op == X64_ADD && a != to) {
			x64_lea(x, bits, to, x64_at(a, value));
		} else {
			x64_mov(x, bits, to, a);
			x64_alu_imm(x, op, bits, to, value);
		}
	} else {
		move_in(c, 64, to, ins->a);
		if (x64_in_memory(c, ins->b, &mem))
			x64_alu_mem(x, op, bits, to, mem);
		else
			x64_alu(x, op, bits, to, x64_in(c, ins->b, X64_RCX));
	}
	if (op == X64_ADD || op == X64_SUB)
		mask(c, ins->width, to);
}

static void shift(X64Code *c, X64Shift op, const IrIns *ins, u8 to)
{
	unsigned width = ins->width, bits = is_native(width) ? width : 64, count_width = ir_width(c->func, ins->b);
	bool right = op == X64_SAR;
	X64Buf *x = &c->x;
	u64 count;

	if (right && !is_native(width))
		x64_in_signed(c, width, to, ins->a);
	else
		move_in(c, bits, to, ins->a);
	if (ir_is_const(c->func, ins->b, &count)) {
		if (count >= width && !right) {
			x64_mov_imm(x, to, 0);
			return;
		}
		if (count >= width)
			count = width - 1;
		x64_shift_imm(x, op, bits, to, (u8)count);
	} else {
		bool may_exceed = count_width >= 7 || (1u << count_width) > width;
		u8 reg = x64_in(c, ins->b, X64_RCX);

		x64_mov(x, 64, X64_RCX, reg);
		if (may_exceed && right) {
			x64_mov_imm(x, X64_RDX, width - 1);
			x64_alu(x, X64_CMP, 64, X64_RCX, X64_RDX);
			x64_cmov(x, X64_A, X64_RCX, X64_RDX);
		}
		x64_shift(x, op, bits, to);
		if (may_exceed && !right) {
			x64_mov_imm(x, X64_RDX, 0);
			x64_alu_imm(x, X64_CMP, 64, X64_RCX, (i32)width);
			x64_cmov(x, X64_AE, to, X64_RDX);
		}
	}
	mask(c, width, to);
}

static bool rotate(X64Code *c, X64Shift op, const IrIns *ins, u8 to)
{
	u64 count;

	if (!is_native(ins->width))
		return false;
	move_in(c, ins->width, to, ins->a);
	if (ir_is_const(c->func, ins->b, &count)) {
		x64_shift_imm(&c->x, op, ins->width, to, (u8)(count & (ins->width - 1u)));
	} else {
		u8 reg = x64_in(c, ins->b, X64_RCX);

		x64_mov(&c->x, 64, X64_RCX, reg);
		x64_shift(&c->x, op, ins->width, to);
	}
	if (ins->width == 32)
		x64_mov(&c->x, 32, to, to);
	return true;
}

static void multiply(X64Code *c, const IrIns *ins, u8 to)
{
	unsigned bits = bits_for(ins->width);
	i32 value;

	if (small_const(c, ins->b, bits, &value)) {
		u8 a = x64_in(c, ins->a, to);

		x64_imul_imm(&c->x, bits, to, a, value);
	} else {
		move_in(c, 64, to, ins->a);
		x64_imul(&c->x, bits, to, x64_in(c, ins->b, X64_RCX));
	}
	mask(c, ins->width, to);
}

static bool multiply_high(X64Code *c, const IrIns *ins, u8 to)
{
	X64Buf *x = &c->x;

	if (ins->width != 64)
		return false;
	move_in(c, 64, X64_RCX, ins->b);
	move_in(c, 64, X64_RAX, ins->a);
	x64_unary(x, 64, ins->op == IR_OP_MULHS ? 5 : 4, X64_RCX);
	if (ins->op == IR_OP_MULHSU) { /* a is negative: b too much */
		move_in(c, 64, X64_RAX, ins->a);
		x64_shift_imm(x, X64_SAR, 64, X64_RAX, 63);
		x64_alu(x, X64_AND, 64, X64_RAX, X64_RCX);
		x64_alu(x, X64_SUB, 64, X64_RDX, X64_RAX);
	}
	x64_mov(x, 64, to, X64_RDX);
	return true;
}

void x64_here(X64Code *c, u8 *site)
{
	if (!c->x.full)
		x64_patch(site, c->x.at);
}

/* x / 0 = all ones, x % 0 = x, MIN / -1 = MIN, MIN % -1 = 0: where the host would trap. */
static bool divide(X64Code *c, const IrIns *ins, u8 to)
{
	bool is_signed = ins->op == IR_OP_DIVS || ins->op == IR_OP_REMS;
	bool rest = ins->op == IR_OP_REMS || ins->op == IR_OP_REMU;
	unsigned w = ins->width;
	X64Buf *x = &c->x;
	u8 *zero, *minus = NULL, *done[2];

	if (!is_native(w))
		return false;
	move_in(c, w, X64_RCX, ins->b);
	move_in(c, w, X64_RAX, ins->a);
	x64_test(x, w, X64_RCX, X64_RCX);
	zero = x64_jcc(x, X64_E);
	if (is_signed) {
		x64_alu_imm(x, X64_CMP, w, X64_RCX, -1);
		minus = x64_jcc(x, X64_E);
		x64_cqo(x, w);
		x64_unary(x, w, 7, X64_RCX);
	} else {
		x64_alu(x, X64_XOR, 32, X64_RDX, X64_RDX);
		x64_unary(x, w, 6, X64_RCX);
	}
	done[0] = x64_jmp(x);
	x64_here(c, zero);
	x64_mov(x, w, X64_RDX, X64_RAX);
	x64_alu_imm(x, X64_OR, w, X64_RAX, -1);
	done[1] = x64_jmp(x);
	if (is_signed) {
		x64_here(c, minus);
		x64_unary(x, w, 3, X64_RAX);
		x64_alu(x, X64_XOR, 32, X64_RDX, X64_RDX);
	}
	x64_here(c, done[0]);
	x64_here(c, done[1]);
	x64_mov(x, w, to, rest ? X64_RDX : X64_RAX);
	return true;
}

static bool count_zeros(X64Code *c, const IrIns *ins, u8 to)
{
	bool leading = ins->op == IR_OP_CLZ;
	unsigned w = ins->width;
	X64Buf *x = &c->x;
	u8 a;

	if (!is_native(w))
		return false;
	a = x64_in(c, ins->a, X64_RCX);
	x64_mov_imm(x, X64_RDX, leading ? 2 * w - 1 : w);
	x64_reg_reg(x, 0, w == 64, leading ? 0x0FBD : 0x0FBC, X64_RAX, a, false);
	x64_cmov(x, X64_E, X64_RAX, X64_RDX);
	if (leading)
		x64_alu_imm(x, X64_XOR, 32, X64_RAX, (i32)w - 1);
	x64_mov(x, 64, to, X64_RAX);
	return true;
}

static void extract(X64Code *c, const IrIns *ins, u8 to)
{
	u8 a = x64_in(c, ins->a, to);

	if (!ins->aux && (ins->width == 8 || ins->width == 16 || ins->width == 32)) {
		x64_zx(&c->x, ins->width, to, a);
		return;
	}
	x64_mov(&c->x, 64, to, a);
	if (ins->aux)
		x64_shift_imm(&c->x, X64_SHR, 64, to, (u8)ins->aux);
	if (ins->width == 32)
		x64_mov(&c->x, 32, to, to);
	else if (ins->aux + ins->width < 64)
		mask(c, ins->width, to);
}

X64Cond x64_emit_compare(X64Code *c, const IrIns *ins)
{
	static const X64Cond conds[] = { X64_E, X64_NE, X64_L, X64_LE, X64_B, X64_BE };
	unsigned w = ir_width(c->func, ins->a);
	bool is_signed = ins->op == IR_OP_LTS || ins->op == IR_OP_LES;
	X64Buf *x = &c->x;
	X64Mem mem;
	i32 value;

	if (is_signed && !is_native(w)) {
		x64_in_signed(c, w, X64_RAX, ins->a);
		x64_in_signed(c, w, X64_RCX, ins->b);
		x64_alu(x, X64_CMP, 64, X64_RAX, X64_RCX);
	} else {
		unsigned bits = bits_for(w);
		u8 a = x64_in(c, ins->a, X64_RAX);

		if (small_const(c, ins->b, bits, &value)) {
			if (value == 0)
				x64_test(x, bits, a, a);
			else
				x64_alu_imm(x, X64_CMP, bits, a, value);
		} else if (x64_in_memory(c, ins->b, &mem)) {
			x64_alu_mem(x, X64_CMP, bits, a, mem);
		} else {
			x64_alu(x, X64_CMP, bits, a, x64_in(c, ins->b, X64_RCX));
		}
	}
	return conds[ins->op - IR_OP_EQ];
}

static void select_value(X64Code *c, const IrIns *ins, u8 to)
{
	X64Buf *x = &c->x;
	u8 cond = x64_in(c, ins->a, X64_RCX), b;

	if (cond == to) {
		x64_mov(x, 64, X64_RCX, cond);
		cond = X64_RCX;
	}
	move_in(c, 64, to, ins->c);
	b = x64_in(c, ins->b, X64_RDX); /* may set the flags: before the test */
	x64_test(x, 32, cond, cond);
	x64_cmov(x, X64_NE, to, b);
}

bool x64_emit_pure(X64Code *c, const IrIns *ins, u8 to)
{
	X64Buf *x = &c->x;
	unsigned from;

	switch (ins->op) {
	case IR_OP_ADD: alu(c, X64_ADD, ins, to); return true;
	case IR_OP_SUB: alu(c, X64_SUB, ins, to); return true;
	case IR_OP_AND: alu(c, X64_AND, ins, to); return true;
	case IR_OP_OR: alu(c, X64_OR, ins, to); return true;
	case IR_OP_XOR: alu(c, X64_XOR, ins, to); return true;
	case IR_OP_MUL: multiply(c, ins, to); return true;
	case IR_OP_MULHS: case IR_OP_MULHU: case IR_OP_MULHSU: return multiply_high(c, ins, to);
	case IR_OP_DIVS: case IR_OP_DIVU: case IR_OP_REMS: case IR_OP_REMU: return divide(c, ins, to);
	case IR_OP_SHL: shift(c, X64_SHL, ins, to); return true;
	case IR_OP_SHR: shift(c, X64_SHR, ins, to); return true;
	case IR_OP_SAR: shift(c, X64_SAR, ins, to); return true;
	case IR_OP_ROL: return rotate(c, X64_ROL, ins, to);
	case IR_OP_ROR: return rotate(c, X64_ROR, ins, to);
	case IR_OP_CLZ: case IR_OP_CTZ: return count_zeros(c, ins, to);
	case IR_OP_BSWAP:
		if (!is_native(ins->width))
			return false;
		move_in(c, ins->width, to, ins->a);
		x64_bswap(x, ins->width, to);
		return true;
	case IR_OP_SX:
		from = ir_width(c->func, ins->a);
		x64_in_signed(c, from, to, ins->a);
		if (ins->width == 32)
			x64_mov(x, 32, to, to);
		else
			mask(c, ins->width, to);
		return true;
	case IR_OP_EXTRACT: extract(c, ins, to); return true;
	case IR_OP_CONCAT: {
		X64Mem mem;
		u64 high;

		if (ir_is_const(c->func, ins->a, &high)) {
			x64_mov_imm(x, to, high << ir_width(c->func, ins->b));
		} else {
			move_in(c, 64, to, ins->a);
			x64_shift_imm(x, X64_SHL, 64, to, (u8)ir_width(c->func, ins->b));
		}
		if (x64_in_memory(c, ins->b, &mem))
			x64_alu_mem(x, X64_OR, 64, to, mem);
		else
			x64_alu(x, X64_OR, 64, to, x64_in(c, ins->b, X64_RCX));
		return true;
	}
	case IR_OP_EQ: case IR_OP_NE: case IR_OP_LTS: case IR_OP_LES: case IR_OP_LTU: case IR_OP_LEU:
		x64_setcc(x, x64_emit_compare(c, ins), to);
		return true;
	case IR_OP_SEL: select_value(c, ins, to); return true;
	default: return x64_emit_float(c, ins, to);
	}
}
