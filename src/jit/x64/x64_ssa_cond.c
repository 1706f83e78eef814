/* SPDX-License-Identifier: MIT
 *
 * Conditions: compares that a branch, a guard or a selection does itself, or as a value of one bit.
 */
#include "base/bits.h"
#include "jit/x64/x64_ssa.h"

static const X64Cond conds[] = { X64_E, X64_NE, X64_L, X64_LE, X64_B, X64_BE };
static const X64Cond swapped[] = { X64_E, X64_NE, X64_G, X64_GE, X64_A, X64_AE };

static void test_imm(X64Ssa *s, unsigned bits, u8 reg, i32 value)
{
	if (value >= 0 && value <= 0x7F) {
		x64_test_imm8(&s->x, reg, (u8)value);
		return;
	}
	x64_reg_reg(&s->x, 0, bits == 64 && value < 0, 0xF7, 0, reg, false);
	x64_imm32(&s->x, value);
}

/* bt reg, bit: into the carry */
static void bit_test(X64Ssa *s, u8 reg, unsigned bit)
{
	x64_reg_reg(&s->x, 0, bit >= 32, 0x0FBA, 4, reg, false);
	x64_byte(&s->x, bit);
}

static X64Test test_bits(X64Ssa *s, const SsaNode *and, X64Cond cond)
{
	unsigned bits = x64_bits(and->width);
	SsaRef a = and->a, b = and->b;
	u64 number;
	i32 value;

	if (and->width == 32) {
		a = x64_ssa_low(s, a);
		b = x64_ssa_low(s, b);
	}
	if (x64_imm(s, b, bits, &value)) {
		u8 reg = x64_arg_reg(s, a, false);

		if (s->emitting)
			test_imm(s, bits, reg, value);
	} else if (ssa_is_const(s->func, b, &number) && (number & (number - 1)) == 0) {
		u8 reg = x64_arg_reg(s, a, false);

		if (s->emitting)
			bit_test(s, reg, (unsigned)__builtin_ctzll(number));
		cond = cond == X64_E ? X64_AE : X64_B;
	} else {
		u8 x = x64_arg_reg(s, a, false), y = x64_arg_reg(s, b, false);

		if (s->emitting)
			x64_test(&s->x, bits, x, y);
	}
	return (X64Test){ .cond = cond };
}

/* Signed bytes and words. Numbers of 16 bits are left out: hosts are slow to read an instruction that they make longer. */
static bool compare_short(X64Ssa *s, SsaRef a, SsaRef b, unsigned width)
{
	u8 prefix = width == 16 ? 0x66 : 0, x, y;
	X64Buf *buf = &s->x;
	u64 number = 0;
	bool constant = ssa_is_const(s->func, b, &number);
	i64 value = bits_signed(number, width);

	if ((width != 8 && width != 16) || value != (i8)value)
		return false;
	x = x64_arg_reg(s, a, false);
	y = constant ? 0 : x64_arg_reg(s, b, false);
	if (s->emitting && constant)
		x64_reg_reg_imm(buf, prefix, false, width == 8 ? 0x80 : 0x83, X64_CMP, x, width == 8, (i32)value, 1);
	else if (s->emitting)
		x64_reg_reg(buf, prefix, false, width == 8 ? 0x3A : 0x3B, x, y, width == 8);
	return true;
}

/* Signed numbers of odd widths: their sign bits go to the top. */
static void compare_odd(X64Ssa *s, SsaRef a, SsaRef b, unsigned width)
{
	unsigned bits = x64_bits(width);
	u8 up = (u8)(bits - width), x, y = X64_SCRATCH, temp;
	u64 number;
	X64Buf *buf = &s->x;

	if (compare_short(s, a, b, width))
		return;
	x = x64_arg_reg(s, a, false);
	if (bits == 32 && ssa_is_const(s->func, b, &number)) {
		if (!s->emitting)
			return;
		x64_mov(buf, 32, X64_SCRATCH, x);
		x64_shift_imm(buf, X64_SHL, 32, X64_SCRATCH, up);
		x64_alu_imm(buf, X64_CMP, 32, X64_SCRATCH, (i32)(u32)(number << up));
		return;
	}
	y = x64_arg_reg(s, b, false);
	temp = x64_temp(s, SSA_GPR);
	if (!s->emitting)
		return;
	x64_mov(buf, bits, X64_SCRATCH, x);
	x64_shift_imm(buf, X64_SHL, bits, X64_SCRATCH, up);
	x64_mov(buf, bits, temp, y);
	x64_shift_imm(buf, X64_SHL, bits, temp, up);
	x64_alu(buf, X64_CMP, bits, X64_SCRATCH, temp);
}

static X64Test compare(X64Ssa *s, const SsaNode *node)
{
	unsigned width = s->func->nodes[node->a].width, bits = x64_bits(width);
	bool is_signed = node->op == IR_OP_LTS || node->op == IR_OP_LES;
	X64Cond cond = conds[node->op - IR_OP_EQ];
	SsaRef a = ssa_value(s->func, node->a), b = ssa_value(s->func, node->b);
	u64 number;
	i32 value;

	if (s->way[a] == X64_FOLDED && s->func->nodes[a].op == IR_OP_AND)
		return test_bits(s, &s->func->nodes[a], cond);
	if (ssa_is_const(s->func, a, &number) && !ssa_is_const(s->func, b, NULL)) {
		SsaRef other = a;

		a = b;
		b = other;
		cond = swapped[node->op - IR_OP_EQ];
	}
	if (is_signed && width != 32 && width != 64) {
		compare_odd(s, a, b, width);
		return (X64Test){ .cond = cond };
	}
	if (width == 32) {
		a = x64_ssa_low(s, a);
		b = x64_ssa_low(s, b);
	}
	if (x64_imm(s, b, bits, &value)) {
		X64Opd x = x64_arg_any(s, a, SSA_GPR, false);

		if (s->emitting && x.in_memory)
			x64_alu_mem_imm(&s->x, X64_CMP, bits, x.mem, value);
		else if (s->emitting && !value)
			x64_test(&s->x, bits, x.reg, x.reg);
		else if (s->emitting)
			x64_alu_imm(&s->x, X64_CMP, bits, x.reg, value);
	} else {
		X64Opd y;
		u8 x;

		if (x64_ssa_at_home(s, a) && !x64_ssa_at_home(s, b) && !ssa_is_const(s->func, b, NULL)) {
			SsaRef other = a;

			a = b;
			b = other;
			cond = swapped[node->op - IR_OP_EQ];
		}
		x = x64_arg_reg(s, a, false);
		y = x64_arg_any(s, b, SSA_GPR, false);
		if (s->emitting && y.in_memory)
			x64_alu_mem(&s->x, X64_CMP, bits, x, y.mem);
		else if (s->emitting)
			x64_alu(&s->x, X64_CMP, bits, x, y.reg);
	}
	return (X64Test){ .cond = cond };
}

X64Test x64_ssa_test(X64Ssa *s, SsaRef ref)
{
	bool invert = false;
	const SsaNode *node;
	X64Test test;

	ref = ssa_value(s->func, ref);
	node = &s->func->nodes[ref];
	while (s->way[ref] == X64_FOLDED && node->op == IR_OP_XOR) {
		invert = !invert;
		ref = ssa_value(s->func, node->a);
		node = &s->func->nodes[ref];
	}
	if (s->way[ref] == X64_FOLDED && x64_ssa_is_compare(node)) {
		test = compare(s, node);
	} else if (s->way[ref] == X64_FOLDED && node->op == IR_OP_EXTRACT) {
		u8 reg = x64_arg_reg(s, node->a, false);

		test = (X64Test){ .cond = node->aux < 7 ? X64_NE : X64_B };
		if (s->emitting && node->aux < 7)
			x64_test_imm8(&s->x, reg, (u8)(1u << node->aux));
		else if (s->emitting)
			bit_test(s, reg, node->aux);
	} else if (s->way[ref] == X64_FOLDED) {
		test = x64_ssa_float_test(s, node);
	} else {
		u8 reg = x64_arg_reg(s, ref, false);

		test = (X64Test){ .cond = X64_NE };
		if (s->emitting)
			x64_test(&s->x, 32, reg, reg);
	}
	if (invert)
		test.cond = (X64Cond)(test.cond ^ 1);
	return test;
}

void x64_ssa_setcc(X64Ssa *s, const SsaNode *node)
{
	X64Test test = x64_ssa_is_compare(node) ? compare(s, node) : x64_ssa_float_test(s, node);
	u8 to = x64_result(s, SSA_GPR);

	if (!s->emitting)
		return;
	if (test.ordered) {
		x64_setcc(&s->x, X64_NP, X64_SCRATCH);
		x64_setcc(&s->x, test.cond, to);
		x64_alu(&s->x, X64_AND, 32, to, X64_SCRATCH);
	} else {
		x64_setcc(&s->x, test.cond, to);
	}
}

void x64_ssa_select_value(X64Ssa *s, const SsaNode *node)
{
	u8 to;
	X64Test test;
	X64Opd yes;

	x64_arg_tied(s, node->c, SSA_GPR);
	test = x64_ssa_test(s, node->a);
	yes = x64_arg_any(s, node->b, SSA_GPR, false);
	to = x64_result(s, SSA_GPR);
	if (!s->emitting)
		return;
	if (yes.in_memory)
		x64_reg_mem(&s->x, 0, true, 0x0F40u | test.cond, to, yes.mem, false);
	else
		x64_cmov(&s->x, test.cond, to, yes.reg);
}
