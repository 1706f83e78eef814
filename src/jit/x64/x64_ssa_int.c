/* SPDX-License-Identifier: MIT
 *
 * Integer nodes. Operations of 32 and 64 bits leave values as they are held; others work on more bits and mask.
 */
#include "jit/x64/x64_ssa.h"

static bool is_native(unsigned width)
{
	return width == 32 || width == 64;
}

void x64_ssa_mask(X64Ssa *s, unsigned width, u8 reg)
{
	X64Buf *x = &s->x;

	if (is_native(width))
		return;
	if (width == 8 || width == 16) {
		x64_zx(x, width, reg, reg);
	} else if (width < 32) {
		x64_alu_imm(x, X64_AND, 32, reg, (i32)((1u << width) - 1));
	} else {
		x64_shift_imm(x, X64_SHL, 64, reg, (u8)(64 - width));
		x64_shift_imm(x, X64_SHR, 64, reg, (u8)(64 - width));
	}
}

void x64_ssa_sx(X64Ssa *s, unsigned width, u8 to, u8 from)
{
	if (width == 8 || width == 16 || width == 32) {
		x64_sx(&s->x, width, to, from);
	} else {
		x64_mov(&s->x, 64, to, from);
		if (width < 64) {
			x64_shift_imm(&s->x, X64_SHL, 64, to, (u8)(64 - width));
			x64_shift_imm(&s->x, X64_SAR, 64, to, (u8)(64 - width));
		}
	}
}

/* The operand, looked through where its low bits are all that counts. */
static SsaRef low(const X64Ssa *s, SsaRef ref, unsigned width)
{
	return width == 8 || width == 16 || width == 32 ? x64_ssa_low(s, ref) : ssa_value(s->func, ref);
}

static void add(X64Ssa *s, const SsaNode *node)
{
	unsigned bits = x64_bits(node->width);
	SsaRef a = low(s, node->a, node->width), b = low(s, node->b, node->width);
	const SsaNode *shifted = &s->func->nodes[a];
	X64Buf *x = &s->x;
	u8 from, other, to;
	u64 count = 0;
	i32 value;

	if (s->func->nodes[b].op == IR_OP_SHL && s->way[b] == X64_FOLDED)
		shifted = &s->func->nodes[b];
	if (shifted->op == IR_OP_SHL && s->way[shifted == &s->func->nodes[b] ? b : a] == X64_FOLDED) {
		SsaRef base = shifted == &s->func->nodes[b] ? a : b;

		ssa_is_const(s->func, shifted->b, &count);
		from = x64_arg_reg(s, low(s, shifted->a, node->width), true);
		other = x64_arg_reg(s, base, true);
		to = x64_result(s, SSA_GPR);
		if (s->emitting)
			x64_lea(x, bits, to, x64_at_index(other, from, (u8)count, 0));
		return;
	}
	if (x64_imm(s, a, bits, &value)) {
		SsaRef swap = a;

		a = b;
		b = swap;
	}
	if (x64_imm(s, b, bits, &value)) {
		from = x64_arg_reg(s, a, true);
		to = x64_result(s, SSA_GPR);
		if (!s->emitting)
			return;
		if (from == to)
			x64_alu_imm(x, X64_ADD, bits, to, value);
		else
			x64_lea(x, bits, to, x64_at(from, value));
	} else if (x64_ssa_at_home(s, a) || x64_ssa_at_home(s, b)) {
		bool swap = !x64_ssa_at_home(s, b);
		X64Opd opd;

		x64_arg_tied(s, swap ? b : a, SSA_GPR);
		opd = x64_arg_any(s, swap ? a : b, SSA_GPR, false);
		to = x64_result(s, SSA_GPR);
		if (!s->emitting)
			return;
		x64_alu_mem(x, X64_ADD, bits, to, opd.mem);
	} else {
		from = x64_arg_reg(s, a, true);
		other = x64_arg_reg(s, b, true);
		to = x64_result(s, SSA_GPR);
		if (!s->emitting)
			return;
		if (from == to)
			x64_alu(x, X64_ADD, bits, to, other);
		else if (other == to)
			x64_alu(x, X64_ADD, bits, to, from);
		else
			x64_lea(x, bits, to, x64_at_index(from, other, 0, 0));
	}
	x64_ssa_mask(s, node->width, to);
}

static bool lives_on(const X64Ssa *s, SsaRef ref)
{
	return s->func->nodes[ref].uses > 1 || s->in_snap[ref];
}

/* The operand of this AND that fold_not has left to it; 0. */
static SsaRef not_of(const X64Ssa *s, const SsaNode *node)
{
	for (unsigned k = 0; k < 2; k++) {
		SsaRef ref = ssa_value(s->func, node->operands[k]);

		if (s->way[ref] == X64_FOLDED && s->func->nodes[ref].op == IR_OP_XOR)
			return ref;
	}
	return 0;
}

/* andn: y of and(not(x), y) is what rm names, x is in the prefix. */
static void and_not(X64Ssa *s, const SsaNode *node, SsaRef not)
{
	SsaRef y = ssa_value(s->func, node->a) == not ? node->b : node->a;
	u8 x_reg = x64_arg_reg(s, low(s, s->func->nodes[not].a, node->width), true);
	u8 y_reg = x64_arg_reg(s, low(s, y, node->width), true), to = x64_result(s, SSA_GPR);
	u8 bytes[] = { 0xC4, (u8)((to & 8 ? 0 : 0x80) | 0x40 | (y_reg & 8 ? 0 : 0x20) | 2),
		       (u8)((node->width == 64 ? 0x80 : 0) | (~x_reg & 15) << 3), 0xF2, (u8)(0xC0 | (to & 7) << 3 | (y_reg & 7)) };

	if (s->emitting)
		x64_bytes(&s->x, bytes, sizeof bytes);
}

static void alu(X64Ssa *s, X64Alu op, const SsaNode *node)
{
	unsigned bits = x64_bits(node->width);
	SsaRef a = low(s, node->a, node->width), b = low(s, node->b, node->width);
	X64Buf *x = &s->x;
	X64Opd other;
	u64 number;
	i32 value;
	u8 to;

	if (op != X64_SUB && (ssa_is_const(s->func, a, NULL) ||
			      (!ssa_is_const(s->func, b, NULL) && !x64_ssa_at_home(s, b) &&
			       (x64_ssa_at_home(s, a) || (lives_on(s, a) && !lives_on(s, b)))))) {
		SsaRef swap = a;

		a = b;
		b = swap;
	}
	if (op == X64_SUB && ssa_is_const(s->func, a, &number) && number == 0) {
		x64_arg_tied(s, b, SSA_GPR);
		to = x64_result(s, SSA_GPR);
		if (s->emitting)
			x64_unary(x, bits, 3, to);
	} else if (op == X64_AND && ssa_is_const(s->func, b, &number) && (number == 0xFF || number == 0xFFFF || number == 0xFFFFFFFF)) {
		u8 from = x64_arg_reg(s, a, true);

		to = x64_result(s, SSA_GPR);
		if (s->emitting)
			x64_zx(x, number == 0xFF ? 8 : number == 0xFFFF ? 16 : 32, to, from);
		return;
	} else if (x64_imm(s, b, bits, &value)) {
		x64_arg_tied(s, a, SSA_GPR);
		to = x64_result(s, SSA_GPR);
		if (s->emitting && op == X64_XOR && value == -1)
			x64_unary(x, bits, 2, to);
		else if (s->emitting)
			x64_alu_imm(x, op, op == X64_AND && value >= 0 ? 32 : bits, to, value);
	} else {
		x64_arg_tied(s, a, SSA_GPR);
		other = x64_arg_any(s, b, SSA_GPR, false);
		to = x64_result(s, SSA_GPR);
		s->code->commutes = op != X64_SUB;
		if (s->emitting && other.in_memory)
			x64_alu_mem(x, op, bits, to, other.mem);
		else if (s->emitting)
			x64_alu(x, op, bits, to, other.reg);
	}
	if (s->emitting && (op == X64_SUB || op == X64_XOR))
		x64_ssa_mask(s, node->width, to);
}

static void and(X64Ssa *s, const SsaNode *node)
{
	SsaRef not = not_of(s, node);

	if (not)
		and_not(s, node, not);
	else
		alu(s, X64_AND, node);
}

/* ---- Shifts ---- */

/* Is the count below the width, whatever it is? */
static bool count_fits(const X64Ssa *s, SsaRef ref, unsigned width)
{
	const SsaNode *node = x64_node(s, ref);
	u64 number;

	if (node->width < 7 && (1u << node->width) <= width)
		return true;
	return node->op == IR_OP_AND && ssa_is_const(s->func, node->b, &number) && number < width;
}

/* shlx, sarx, shrx */
static void shift_x(X64Ssa *s, X64Shift op, unsigned bits, u8 to, u8 from, u8 count)
{
	u8 pp = op == X64_SHL ? 1 : op == X64_SAR ? 2 : 3;
	u8 bytes[] = { 0xC4, (u8)((to & 8 ? 0 : 0x80) | 0x40 | (from & 8 ? 0 : 0x20) | 2),
		       (u8)((bits == 64 ? 0x80 : 0) | (~count & 15) << 3 | pp), 0xF7, (u8)(0xC0 | (to & 7) << 3 | (from & 7)) };

	x64_bytes(&s->x, bytes, sizeof bytes);
}

static void shift_const(X64Ssa *s, X64Shift op, const SsaNode *node, u64 count)
{
	unsigned width = node->width, bits = x64_bits(width);
	SsaRef a = low(s, node->a, width);
	X64Buf *x = &s->x;
	u8 to, from;

	if (count >= width && op != X64_SAR) {
		to = x64_result(s, SSA_GPR);
		if (s->emitting)
			x64_mov_imm(x, to, 0);
		return;
	}
	if (count >= width)
		count = width - 1;
	if (op == X64_SHL && count <= 3 && is_native(width) && lives_on(s, a)) {
		from = x64_arg_reg(s, a, true);
		to = x64_result(s, SSA_GPR);
		if (!s->emitting)
			return;
		if (count == 1) {
			x64_lea(x, bits, to, x64_at_index(from, from, 0, 0));
			return;
		}
		x64_mov(x, bits, to, from);
		x64_shift_imm(x, op, bits, to, (u8)count);
		return;
	}
	if (op == X64_SAR && !is_native(width)) { /* the sign to the top and down again */
		from = x64_arg_reg(s, a, true);
		to = x64_result(s, SSA_GPR);
		if (!s->emitting)
			return;
		x64_mov(x, bits, to, from);
		x64_shift_imm(x, X64_SHL, bits, to, (u8)(bits - width));
		x64_shift_imm(x, X64_SAR, bits, to, (u8)(bits - width + count));
		x64_ssa_mask(s, width, to);
		return;
	}
	x64_arg_tied(s, a, SSA_GPR);
	to = x64_result(s, SSA_GPR);
	if (!s->emitting)
		return;
	if (count || width == 32)
		x64_shift_imm(x, op, bits, to, (u8)count);
	if (width == 32 && !count)
		x64_mov(x, 32, to, to);
	if (op == X64_SHL)
		x64_ssa_mask(s, width, to);
}

static void shift(X64Ssa *s, X64Shift op, const SsaNode *node)
{
	unsigned width = node->width, bits = x64_bits(width);
	SsaRef a = low(s, node->a, width), b = x64_ssa_low(s, node->b);
	bool fits = count_fits(s, node->b, width), right = op == X64_SAR;
	X64Buf *x = &s->x;
	u8 to, from, by, temp = 0;
	u64 count;

	if (ssa_is_const(s->func, node->b, &count)) {
		shift_const(s, op, node, count);
		return;
	}
	if (!s->has_bmi2) {
		/* The count where the host wants it; the value wherever, but not there. */
		from = x64_arg_reg(s, a, false);
		x64_arg_fixed(s, b, X64_RCX, false);
		temp = x64_temp(s, SSA_GPR);
		to = x64_result(s, SSA_GPR);
		if (!s->emitting)
			return;
		if (right)
			x64_ssa_sx(s, width == 32 ? 32 : width, X64_SCRATCH, from);
		else
			x64_mov(x, bits, X64_SCRATCH, from);
		if (!fits) {
			if (right) {
				x64_mov_imm(x, temp, width - 1);
				x64_alu(x, X64_CMP, 64, X64_RCX, temp);
				x64_cmov(x, X64_A, X64_RCX, temp);
			} else { /* nothing is left of it */
				x64_mov_imm(x, temp, 0);
				x64_alu_imm(x, X64_CMP, 64, X64_RCX, (i32)width);
				x64_cmov(x, X64_AE, X64_SCRATCH, temp);
			}
		}
		x64_shift(x, op, right ? 64 : bits, X64_SCRATCH);
		x64_mov(x, bits, to, X64_SCRATCH);
		x64_ssa_mask(s, width, to);
		return;
	}
	from = x64_arg_reg(s, a, fits && is_native(width));
	by = x64_arg_reg(s, b, fits && is_native(width));
	to = x64_result(s, SSA_GPR);
	if (!s->emitting)
		return;
	if (right && !is_native(width)) {
		x64_ssa_sx(s, width, to, from);
		from = to;
		bits = 64;
	}
	if (!fits && right) {
		x64_mov_imm(x, X64_SCRATCH, width - 1);
		x64_alu(x, X64_CMP, 64, by, X64_SCRATCH);
		x64_cmov(x, X64_B, X64_SCRATCH, by);
		by = X64_SCRATCH;
	}
	shift_x(s, op, bits, to, from, by);
	if (!fits && !right) {
		x64_mov_imm(x, X64_SCRATCH, 0);
		x64_alu_imm(x, X64_CMP, 64, by, (i32)width);
		x64_cmov(x, X64_AE, to, X64_SCRATCH);
	}
	if (op != X64_SHR)
		x64_ssa_mask(s, width, to);
}

static void rorx(X64Ssa *s, unsigned bits, u8 to, u8 from, u8 count)
{
	u8 bytes[] = { 0xC4, (u8)((to & 8 ? 0 : 0x80) | 0x40 | (from & 8 ? 0 : 0x20) | 3), bits == 64 ? 0xFB : 0x7B, 0xF0,
		       (u8)(0xC0 | (to & 7) << 3 | (from & 7)), count };

	x64_bytes(&s->x, bytes, sizeof bytes);
}

static bool rotate(X64Ssa *s, X64Shift op, const SsaNode *node)
{
	unsigned width = node->width;
	bool constant;
	u64 count = 0;
	u8 to;

	if (!is_native(width))
		return false;
	constant = ssa_is_const(s->func, node->b, &count);
	if (constant && s->has_bmi2) {
		u8 from = x64_arg_reg(s, low(s, node->a, width), true);

		to = x64_result(s, SSA_GPR);
		if (s->emitting)
			rorx(s, width, to, from, (u8)((op == X64_ROR ? count : 0 - count) & (width - 1u)));
		return true;
	}
	x64_arg_tied(s, low(s, node->a, width), SSA_GPR);
	if (constant) {
		to = x64_result(s, SSA_GPR);
		if (s->emitting)
			x64_shift_imm(&s->x, op, width, to, (u8)(count & (width - 1u)));
	} else {
		x64_arg_fixed(s, x64_ssa_low(s, node->b), X64_RCX, false);
		to = x64_result(s, SSA_GPR);
		if (s->emitting)
			x64_shift(&s->x, op, width, to);
	}
	if (s->emitting && width == 32)
		x64_mov(&s->x, 32, to, to);
	return true;
}

/* ---- Products and quotients ---- */

static void multiply(X64Ssa *s, const SsaNode *node)
{
	unsigned bits = x64_bits(node->width);
	SsaRef a = low(s, node->a, node->width), b = low(s, node->b, node->width);
	X64Buf *x = &s->x;
	i32 value;
	u8 to;

	if (ssa_is_const(s->func, a, NULL)) {
		SsaRef swap = a;

		a = b;
		b = swap;
	}
	if (x64_imm(s, b, bits, &value)) {
		X64Opd from = x64_arg_any(s, a, SSA_GPR, true);

		to = x64_result(s, SSA_GPR);
		if (!s->emitting)
			return;
		if (from.in_memory) {
			x64_load(x, bits, to, from.mem);
			from.reg = to;
		}
		if (!from.in_memory && (value == 3 || value == 5 || value == 9))
			x64_lea(x, bits, to, x64_at_index(from.reg, from.reg, value == 3 ? 1 : value == 5 ? 2 : 3, 0));
		else
			x64_imul_imm(x, bits, to, from.reg, value);
	} else {
		X64Opd other;

		x64_arg_tied(s, a, SSA_GPR);
		other = x64_arg_any(s, b, SSA_GPR, false);
		to = x64_result(s, SSA_GPR);
		s->code->commutes = true;
		if (!s->emitting)
			return;
		if (other.in_memory)
			x64_reg_mem(x, 0, bits == 64, 0x0FAF, to, other.mem, false);
		else
			x64_imul(x, bits, to, other.reg);
	}
	x64_ssa_mask(s, node->width, to);
}

static bool multiply_high(X64Ssa *s, const SsaNode *node)
{
	X64Buf *x = &s->x;
	u8 b;

	if (node->width != 64)
		return false;
	x64_arg_fixed(s, node->a, X64_RAX, true);
	b = x64_arg_reg(s, node->b, false);
	x64_result_in(s, X64_RDX);
	x64_clobber(s, 1 << X64_RAX, 0);
	if (!s->emitting)
		return true;
	if (node->op == IR_OP_MULHSU) { /* a is negative: b too much */
		x64_mov(x, 64, X64_SCRATCH, X64_RAX);
		x64_shift_imm(x, X64_SAR, 64, X64_SCRATCH, 63);
		x64_alu(x, X64_AND, 64, X64_SCRATCH, b);
	}
	x64_unary(x, 64, node->op == IR_OP_MULHS ? 5 : 4, b);
	if (node->op == IR_OP_MULHSU)
		x64_alu(x, X64_SUB, 64, X64_RDX, X64_SCRATCH);
	return true;
}

/* x / 0 = all ones, x % 0 = x, MIN / -1 = MIN, MIN % -1 = 0: where the host would trap. Those come aside. */
static bool divide(X64Ssa *s, const SsaNode *node)
{
	bool is_signed = node->op == IR_OP_DIVS || node->op == IR_OP_REMS;
	bool rest = node->op == IR_OP_REMS || node->op == IR_OP_REMU;
	unsigned width = node->width, bits = width;
	X64Buf *x = &s->x;
	u64 by = 0;
	bool known;
	u8 *zero = NULL, *minus = NULL;

	if (is_signed && !is_native(width))
		return false;
	bits = x64_bits(width);
	known = ssa_is_const(s->func, node->b, &by) && by != 0 && (!is_signed || by != ~(u64)0 >> (64 - width));
	x64_arg_fixed(s, node->a, X64_RAX, true);
	x64_arg_fixed(s, node->b, X64_RCX, false);
	x64_result_in(s, rest ? X64_RDX : X64_RAX);
	x64_clobber(s, 1 << X64_RAX | 1 << X64_RDX, 0);
	if (!s->emitting)
		return true;
	if (!known) {
		X64Late *late;

		if (is_signed) { /* 0 and -1 at once */
			x64_lea(x, bits, X64_SCRATCH, x64_at(X64_RCX, 1));
			x64_alu_imm(x, X64_CMP, bits, X64_SCRATCH, 1);
			minus = x64_jcc(x, X64_BE);
		} else {
			x64_test(x, bits, X64_RCX, X64_RCX);
			zero = x64_jcc(x, X64_E);
		}
		late = x64_ssa_late(s, X64_LATE_DIVIDE, is_signed ? minus : zero);
		if (late) {
			late->width = (u8)width;
			late->reg = is_signed;
		}
	}
	if (is_signed) {
		x64_cqo(x, bits);
		x64_unary(x, bits, 7, X64_RCX);
	} else {
		x64_alu(x, X64_XOR, 32, X64_RDX, X64_RDX);
		x64_unary(x, bits, 6, X64_RCX);
	}
	if (!known)
		x64_ssa_late_back(s);
	return true;
}

/* rax / rcx, where rcx is 0 (or -1, when signed: late->reg). */
void x64_ssa_late_divide(X64Ssa *s, const X64Late *late)
{
	unsigned bits = x64_bits(late->width);
	u8 *minus = NULL, *done;
	X64Buf *x = &s->x;

	x64_test(x, bits, X64_RCX, X64_RCX);
	if (late->reg)
		minus = x64_jcc(x, X64_NE);
	x64_mov(x, bits, X64_RDX, X64_RAX);
	x64_mov_imm(x, X64_RAX, ~(u64)0 >> (64 - late->width));
	if (!late->reg)
		return;
	done = x64_jmp(x);
	x64_ssa_here(s, minus);
	x64_unary(x, bits, 3, X64_RAX);
	x64_alu(x, X64_XOR, 32, X64_RDX, X64_RDX);
	x64_ssa_here(s, done);
}

/* ---- Bits ---- */

static bool count_zeros(X64Ssa *s, const SsaNode *node)
{
	bool leading = node->op == IR_OP_CLZ;
	unsigned width = node->width;
	X64Buf *x = &s->x;
	u8 from, to;

	if (!is_native(width))
		return false;
	from = x64_arg_reg(s, low(s, node->a, width), false);
	to = x64_result(s, SSA_GPR);
	if (!s->emitting)
		return true;
	if (s->has_lzcnt) { /* lzcnt, tzcnt */
		x64_reg_reg(x, 0xF3, width == 64, leading ? 0x0FBD : 0x0FBC, to, from, false);
		return true;
	}
	x64_mov_imm(x, X64_SCRATCH, leading ? 2 * width - 1 : width);
	x64_reg_reg(x, 0, width == 64, leading ? 0x0FBD : 0x0FBC, to, from, false);
	x64_cmov(x, X64_E, to, X64_SCRATCH);
	if (leading)
		x64_alu_imm(x, X64_XOR, 32, to, (i32)width - 1);
	return true;
}

static bool population(X64Ssa *s, const SsaNode *node)
{
	u8 from, to;

	if (!s->has_popcnt)
		return false;
	from = x64_arg_reg(s, node->a, true);
	to = x64_result(s, SSA_GPR);
	if (s->emitting)
		x64_reg_reg(&s->x, 0xF3, true, 0x0FB8, to, from, false);
	return true;
}

static bool byte_swap(X64Ssa *s, const SsaNode *node)
{
	unsigned width = node->width;
	u8 to;

	if (width != 16 && !is_native(width))
		return false;
	x64_arg_tied(s, low(s, node->a, width), SSA_GPR);
	to = x64_result(s, SSA_GPR);
	if (!s->emitting)
		return true;
	x64_bswap(&s->x, x64_bits(width), to);
	if (width == 16)
		x64_shift_imm(&s->x, X64_SHR, 32, to, 16);
	return true;
}

static void extract(X64Ssa *s, const SsaNode *node)
{
	X64Buf *x = &s->x;
	X64Opd opd;
	u8 from, to;

	if (!node->aux && node->width == 32) {
		opd = x64_arg_any(s, node->a, SSA_GPR, true);
		to = x64_result(s, SSA_GPR);
		if (s->emitting && opd.in_memory)
			x64_load_zx(x, 32, to, opd.mem);
		else if (s->emitting)
			x64_mov(x, 32, to, opd.reg);
		return;
	}
	from = x64_arg_reg(s, node->a, true);
	to = x64_result(s, SSA_GPR);
	if (!s->emitting)
		return;
	if (!node->aux && (node->width == 8 || node->width == 16 || node->width == 32)) {
		x64_zx(x, node->width, to, from);
		return;
	}
	if (!node->aux && node->width < 32) {
		x64_mov(x, 32, to, from);
		x64_ssa_mask(s, node->width, to);
		return;
	}
	x64_mov(x, 64, to, from);
	if (node->aux)
		x64_shift_imm(x, X64_SHR, 64, to, (u8)node->aux);
	if (node->aux + node->width >= s->func->nodes[node->a].width)
		return; /* there is nothing above */
	if (node->width == 32)
		x64_mov(x, 32, to, to);
	else
		x64_ssa_mask(s, node->width, to);
}

static void extend(X64Ssa *s, const SsaNode *node)
{
	unsigned from = s->func->nodes[node->a].width;
	SsaRef a = from == 8 || from == 16 || from == 32 ? x64_ssa_low(s, node->a) : ssa_value(s->func, node->a);
	u8 reg = x64_arg_reg(s, a, true), to = x64_result(s, SSA_GPR);

	if (!s->emitting)
		return;
	if (node->width == 32 && (from == 8 || from == 16)) {
		x64_reg_reg(&s->x, 0, false, from == 8 ? 0x0FBE : 0x0FBF, to, reg, from == 8); /* clears the upper half */
		return;
	}
	x64_ssa_sx(s, from, to, reg);
	if (node->width == 32)
		x64_mov(&s->x, 32, to, to);
	else
		x64_ssa_mask(s, node->width, to);
}

static void concat(X64Ssa *s, const SsaNode *node)
{
	unsigned low_width = s->func->nodes[node->b].width;
	X64Buf *x = &s->x;
	X64Opd other;
	u64 high;
	u8 to;

	if (ssa_is_const(s->func, node->a, &high)) {
		u8 from = x64_arg_reg(s, node->b, false);

		to = x64_result(s, SSA_GPR);
		if (!s->emitting)
			return;
		if (low_width < 32 && node->width <= 32) {
			x64_mov(x, 32, to, from);
			x64_alu_imm(x, X64_OR, 32, to, (i32)(u32)(high << low_width));
			return;
		}
		x64_mov_imm(x, to, low_width < 64 ? high << low_width : 0);
		x64_alu(x, X64_OR, 64, to, from);
		return;
	}
	x64_arg_tied(s, node->a, SSA_GPR);
	other = x64_arg_any(s, node->b, SSA_GPR, false);
	to = x64_result(s, SSA_GPR);
	if (!s->emitting)
		return;
	x64_shift_imm(x, X64_SHL, 64, to, (u8)low_width);
	if (other.in_memory)
		x64_alu_mem(x, X64_OR, 64, to, other.mem);
	else
		x64_alu(x, X64_OR, 64, to, other.reg);
}

bool x64_ssa_int(X64Ssa *s, SsaRef ref)
{
	const SsaNode *node = &s->func->nodes[ref];

	switch (node->op) {
	case IR_OP_ADD: add(s, node); return true;
	case IR_OP_SUB: alu(s, X64_SUB, node); return true;
	case IR_OP_AND: and(s, node); return true;
	case IR_OP_OR: alu(s, X64_OR, node); return true;
	case IR_OP_XOR: alu(s, X64_XOR, node); return true;
	case IR_OP_MUL: multiply(s, node); return true;
	case IR_OP_MULHS: case IR_OP_MULHU: case IR_OP_MULHSU: return multiply_high(s, node);
	case IR_OP_DIVS: case IR_OP_DIVU: case IR_OP_REMS: case IR_OP_REMU: return divide(s, node);
	case IR_OP_SHL: shift(s, X64_SHL, node); return true;
	case IR_OP_SHR: shift(s, X64_SHR, node); return true;
	case IR_OP_SAR: shift(s, X64_SAR, node); return true;
	case IR_OP_ROL: return rotate(s, X64_ROL, node);
	case IR_OP_ROR: return rotate(s, X64_ROR, node);
	case IR_OP_CLZ: case IR_OP_CTZ: return count_zeros(s, node);
	case IR_OP_POPC: return population(s, node);
	case IR_OP_BSWAP: return byte_swap(s, node);
	case IR_OP_SX: extend(s, node); return true;
	case IR_OP_EXTRACT: extract(s, node); return true;
	case IR_OP_CONCAT: concat(s, node); return true;
	case IR_OP_EQ: case IR_OP_NE: case IR_OP_LTS: case IR_OP_LES: case IR_OP_LTU: case IR_OP_LEU:
		x64_ssa_setcc(s, node);
		return true;
	case IR_OP_SEL: x64_ssa_select_value(s, node); return true;
	default: return false;
	}
}
