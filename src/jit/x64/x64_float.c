/* SPDX-License-Identifier: MIT
 *
 * Floats by the host's SSE, where that gives the same bits: rounded to nearest, NaN results made canonical.
 *
 * Exception flags. A description that keeps them says
 *
 *     %f:5 = fadd.flags %a, %b     %g:5 = get fflags     %o:5 = or %g, %f     put fflags, %o     %d:64 = fadd %a, %b
 *
 * x86 raises the same five exceptions, for these operations under the same conditions (tininess after rounding), and
 * keeps them until somebody clears them. So where this pattern is met only %d is computed: what it raises stays in MXCSR and
 * is or-ed to the slot whenever compiled code is left (x64_code.c, enter), and before an instruction that looks at the slot
 * otherwise (frflags; gcc puts it around each compare that must not raise anything).
 *
 * Where x86 differs the operands are tested first, or the result afterwards, and ir_eval does the rest: conversions out
 * of range; a fused product of infinity and zero, which raises "invalid" here even if the addend is a quiet NaN.
 *
 * An operation without the pattern is done here only if it raises nothing, or if the machine keeps no flags at all.
 */
#include "jit/jit_store.h"
#include "jit/x64/x64_code.h"

#include "ir/ir_float.h"

static bool has_native(const X64Code *c, const IrIns *ins)
{
	unsigned round = ins->aux & IR_FLOAT_ROUND, from = ir_width(c->func, ins->a);

	switch (ins->op) {
	case IR_OP_FADD: case IR_OP_FSUB: case IR_OP_FMUL: case IR_OP_FDIV: case IR_OP_FSQRT: case IR_OP_FTOF:
		return round == IR_ROUND_EVEN;
	case IR_OP_FMA:
		return round == IR_ROUND_EVEN && c->engine->has_fma;
	case IR_OP_FEQ: case IR_OP_FLT: case IR_OP_FLE:
		return true;
	case IR_OP_FOFS:
		return round == IR_ROUND_EVEN && from <= 64;
	case IR_OP_FOFU:
		return round == IR_ROUND_EVEN && from <= 32;
	case IR_OP_FTOS: case IR_OP_FTOU:
		return round == IR_ROUND_ZERO && (ins->width == 32 || ins->width == 64);
	default:
		return false;
	}
}

/* Nothing it does can raise an exception. */
static bool is_silent(const X64Code *c, const IrIns *ins)
{
	return (ins->op == IR_OP_FOFS || ins->op == IR_OP_FOFU) && ir_width(c->func, ins->a) <= (ins->width == 64 ? 53 : 24);
}

static bool same_operands(const X64Code *c, const IrIns *a, const IrIns *b)
{
	IrRef x[16], y[16];
	unsigned count = x64_operands(c->func, a, x);

	x64_operands(c->func, b, y);
	for (unsigned i = 0; i < count; i++)
		if (x64_resolve(c, x[i]) != x64_resolve(c, y[i]))
			return false;
	return true;
}

/* The value whose flags `flags` gives, in the same guest instruction and block of the IR. */
static u32 value_of(const X64Code *c, u32 flags)
{
	const IrIns *wanted = &c->func->ins[flags];
	u32 low = flags, high = flags;

	while (low && c->func->ins[low].op != IR_OP_INSN && !(ir_op_info[c->func->ins[low].op].effects & IR_EFFECT_END))
		low--;
	while (high + 1 < c->func->ins_count && c->func->ins[high].op != IR_OP_INSN &&
	       !(ir_op_info[c->func->ins[high].op].effects & IR_EFFECT_END))
		high++;
	for (u32 i = low; i <= high; i++) {
		const IrIns *ins = &c->func->ins[i];

		if (ins->op == wanted->op && !(ins->aux & IR_FLOAT_FLAGS) && c->values[i].uses && !c->values[i].flags &&
		    (ins->aux & IR_FLOAT_ROUND) == (wanted->aux & IR_FLOAT_ROUND) &&
		    ins->width == (wanted->aux >> IR_FLOAT_WIDTH_SHIFT & 0x7F) && has_native(c, ins) &&
		    same_operands(c, ins, wanted))
			return i;
	}
	return 0;
}

/* Of those at `from` and between it and `to`. */
static u32 last_use(const X64Code *c, IrRef ref, u32 from, u32 to)
{
	IrRef refs[16];

	for (u32 i = to; i-- > from + 1;)
		for (unsigned k = c->values[i].skip ? 0 : x64_operands(c->func, &c->func->ins[i], refs); k-- > 0;)
			if (x64_resolve(c, refs[k]) == ref)
				return i;
	return from;
}

/* The flags are never computed: what was to live until then lives until the value is. */
static void keep_until(X64Code *c, u32 flags, u32 value)
{
	IrRef refs[16];
	unsigned count = x64_operands(c->func, &c->func->ins[flags], refs);

	for (unsigned i = 0; i < count; i++) {
		IrRef ref = x64_resolve(c, refs[i]);

		if (!(ref & IR_CONST_BIT) && c->values[ref].last == flags)
			c->values[ref].last = last_use(c, ref, value, flags);
	}
}

void x64_match_flags(X64Code *c)
{
	for (u32 i = 0; i < c->func->ins_count; i++) {
		u32 get = 0, flags = ir_noted_flags(c->func, i, &get), value;
		IrRef either = c->func->ins[i].a;

		if (!flags || c->values[either].uses != 1 || c->values[flags].uses != 1 || c->values[get].uses != 1)
			continue;
		if (!c->engine->flags_slot) {
			c->engine->flags_slot = c->func->ins[i].aux;
			c->engine->learned = true;
		}
		value = c->func->ins[i].aux == c->engine->flags_slot ? value_of(c, flags) : 0;
		if (!value)
			continue;
		c->values[value].flags = flags;
		c->values[i].skip = c->values[either].skip = c->values[flags].skip = c->values[get].skip = true;
		keep_until(c, flags, value);
	}
}

static bool wants_flags(const X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	u32 get;

	if (!c->engine->flags_slot || ins->aux != c->engine->flags_slot || c->values[at].skip)
		return false;
	if (ins->op == IR_OP_PUT)
		return !ir_noted_flags(c->func, at, &get);
	if (ins->op != IR_OP_GET)
		return false;
	for (u32 i = at + 1; c->values[at].uses == 1 && i < c->func->ins_count && c->func->ins[i].op != IR_OP_INSN; i++)
		if (ir_noted_flags(c->func, i, &get) && get == at && c->values[c->func->ins[i].a].uses == 1)
			return false;
	return c->values[at].uses != 0;
}

/* By the six exception bits of MXCSR: IE DE ZE OE UE PE, from bit 0 on. */
#define FLAGS1(n) ((n) & 1 ? IR_FLOAT_INVALID : 0) | ((n) & 4 ? IR_FLOAT_DIVIDE : 0) | ((n) & 8 ? IR_FLOAT_OVERFLOW : 0) | \
		  ((n) & 16 ? IR_FLOAT_UNDERFLOW : 0) | ((n) & 32 ? IR_FLOAT_INEXACT : 0)
#define FLAGS4(n) FLAGS1(n), FLAGS1(n + 1), FLAGS1(n + 2), FLAGS1(n + 3)
#define FLAGS16(n) FLAGS4(n), FLAGS4(n + 4), FLAGS4(n + 8), FLAGS4(n + 12)
const u8 x64_flags_of_mxcsr[64] = { FLAGS16(0), FLAGS16(16), FLAGS16(32), FLAGS16(48) };

void x64_gather_flags(X64Code *c, u32 insn)
{
	X64Mem word = x64_frame(c->engine, X64_AT_OPERATION);
	const u8 *table = x64_flags_of_mxcsr;
	X64Buf *x = &c->x;
	bool wanted = false;
	u8 pin;

	for (u32 i = insn + 1; i < c->func->ins_count && c->func->ins[i].op != IR_OP_INSN && !wanted; i++)
		wanted = wants_flags(c, i);
	if (!wanted)
		return;
	pin = c->engine->pin_of[c->engine->flags_slot];
	x64_reg_mem(x, 0, false, 0x0FAE, 3, word, false); /* stmxcsr */
	x64_load(x, 32, X64_RCX, word);
	x64_alu_imm(x, X64_AND, 32, X64_RCX, 0x3F);
	x64_byte(x, 0x48); /* mov rdx, imm64 */
	x64_byte(x, 0xBA);
	jit_store_move(c->engine, (u32)(x->at - x->start), JIT_MOVE_CONSTANTS, 0);
	x64_bytes(x, &table, 8);
	x64_load_zx(x, 8, X64_RCX, x64_at_index(X64_RDX, X64_RCX, 0, 0));
	if (pin != JIT_NO_PIN)
		x64_alu(x, X64_OR, 64, x64_pin_regs[pin], X64_RCX);
	else
		x64_reg_mem(x, 0, true, 0x09, X64_RCX, x64_at(X64_RBP, x64_slot(c->engine->flags_slot)), false);
	x64_store_imm(x, 32, word, X64_MXCSR);
	x64_reg_mem(x, 0, false, 0x0FAE, 2, word, false); /* ldmxcsr */
}

/* ---- Code ---- */

static void into_xmm(X64Code *c, unsigned width, u8 xmm, IrRef ref)
{
	X64Mem mem;

	if (x64_in_memory(c, ref, &mem)) /* movq, movd */
		x64_reg_mem(&c->x, width == 64 ? 0xF3 : 0x66, false, width == 64 ? 0x0F7E : 0x0F6E, xmm, mem, false);
	else
		x64_reg_reg(&c->x, 0x66, width == 64, 0x0F6E, xmm, x64_in(c, ref, X64_RCX), false);
}

static void from_xmm(X64Code *c, unsigned width, u8 to, u8 xmm)
{
	x64_reg_reg(&c->x, 0x66, width == 64, 0x0F7E, xmm, to, false);
}

static void sse(X64Code *c, unsigned width, u32 opcode, u8 to, u8 from)
{
	x64_reg_reg(&c->x, width == 64 ? 0xF2 : 0xF3, false, opcode, to, from, false);
}

/* ucomis (2E): quiet NaN raise nothing; comis (2F): they raise "invalid". */
static void compare(X64Code *c, unsigned width, u32 opcode, u8 a, u8 b)
{
	x64_reg_reg(&c->x, width == 64 ? 0x66 : 0, false, opcode, a, b, false);
}

/* The float in xmm0, canonical. */
static void finish(X64Code *c, unsigned width, u8 to)
{
	u8 *fine;

	compare(c, width, 0x0F2E, 0, 0);
	from_xmm(c, width, to, 0);
	fine = x64_jcc(&c->x, X64_NP);
	x64_mov_imm(&c->x, to, ir_float_nan(width));
	x64_here(c, fine);
}

static u32 flags_of(const X64Code *c, const IrIns *ins)
{
	return c->values[ins - c->func->ins].flags;
}

/* What the host does otherwise: value (in rax) and flags by ir_eval. */
static void by_hand(X64Code *c, const IrIns *ins)
{
	u32 flags = flags_of(c, ins);

	if (flags) {
		u8 pin = c->engine->pin_of[c->engine->flags_slot];

		x64_evaluate(c, &c->func->ins[flags]);
		if (pin != JIT_NO_PIN)
			x64_alu(&c->x, X64_OR, 64, x64_pin_regs[pin], X64_RAX);
		else
			x64_reg_mem(&c->x, 0, true, 0x09, X64_RAX, x64_at(X64_RBP, x64_slot(c->engine->flags_slot)), false);
	}
	x64_evaluate(c, ins);
}

static bool arithmetic(X64Code *c, const IrIns *ins, u8 to)
{
	static const u8 codes[] = { 0x58, 0x5C, 0x59, 0x5E };
	unsigned w = ins->width;

	into_xmm(c, w, 0, ins->a);
	if (ins->op == IR_OP_FSQRT) {
		sse(c, w, 0x0F51, 0, 0);
	} else {
		into_xmm(c, w, 1, ins->b);
		sse(c, w, 0x0F00u | codes[ins->op - IR_OP_FADD], 0, 1);
	}
	finish(c, w, to);
	return true;
}

/* a * b + c: vfmadd213 xmm0, xmm1, xmm2. */
static bool fused(X64Code *c, const IrIns *ins, u8 to)
{
	u8 bytes[] = { 0xC4, 0xE2, (u8)(ins->width == 64 ? 0xF1 : 0x71), 0xA9, 0xC2 };
	unsigned w = ins->width;
	u8 *fine, *done;

	into_xmm(c, w, 0, ins->a);
	into_xmm(c, w, 1, ins->b);
	into_xmm(c, w, 2, ins->c);
	x64_bytes(&c->x, bytes, sizeof bytes);
	compare(c, w, 0x0F2E, 0, 0);
	fine = x64_jcc(&c->x, X64_NP);
	by_hand(c, ins);
	x64_mov(&c->x, 64, to, X64_RAX);
	done = x64_jmp(&c->x);
	x64_here(c, fine);
	from_xmm(c, w, to, 0);
	x64_here(c, done);
	return true;
}

static bool comparison(X64Code *c, const IrIns *ins, u8 to)
{
	unsigned w = ir_width(c->func, ins->a);
	X64Buf *x = &c->x;

	into_xmm(c, w, 0, ins->a);
	into_xmm(c, w, 1, ins->b);
	if (ins->op == IR_OP_FEQ) {
		compare(c, w, 0x0F2E, 0, 1);
		x64_setcc(x, X64_NP, X64_RCX);
		x64_setcc(x, X64_E, X64_RAX); /* the extension leaves the condition alone */
		x64_alu(x, X64_AND, 32, X64_RAX, X64_RCX);
		x64_mov(x, 64, to, X64_RAX);
	} else {
		compare(c, w, 0x0F2F, 1, 0);
		x64_setcc(x, ins->op == IR_OP_FLT ? X64_A : X64_AE, to);
	}
	return true;
}

static bool of_integer(X64Code *c, const IrIns *ins, u8 to)
{
	unsigned from = ir_width(c->func, ins->a), w = ins->width;

	if (ins->op == IR_OP_FOFS) {
		x64_in_signed(c, from, X64_RCX, ins->a);
	} else {
		u8 reg = x64_in(c, ins->a, X64_RCX);

		x64_mov(&c->x, 64, X64_RCX, reg);
		if (from == 32)
			x64_mov(&c->x, 32, X64_RCX, X64_RCX);
	}
	x64_reg_reg(&c->x, 0x66, false, 0x0FEF, 0, 0, false); /* pxor: no wait for what was there */
	x64_reg_reg(&c->x, w == 64 ? 0xF2 : 0xF3, true, 0x0F2A, 0, X64_RCX, false);
	from_xmm(c, w, to, 0);
	return true;
}

/* Truncated. Unsigned ones as signed ones of 64 bits, where they are >= 0 and fit. */
static bool to_integer(X64Code *c, const IrIns *ins, u8 to)
{
	unsigned from = ir_width(c->func, ins->a), w = ins->width;
	X64Buf *x = &c->x;
	u8 *slow, *done;

	into_xmm(c, from, 0, ins->a);
	if (ins->op == IR_OP_FTOS) {
		x64_reg_reg(x, from == 64 ? 0xF2 : 0xF3, w == 64, 0x0F2C, X64_RAX, 0, false);
		x64_mov_imm(x, X64_RCX, w == 64 ? (u64)1 << 63 : (u64)1 << 31);
		x64_alu(x, X64_CMP, w, X64_RAX, X64_RCX);
		slow = x64_jcc(x, X64_E);
	} else {
		u64 top = from == 64 ? (w == 64 ? 0x43E0000000000000 : 0x41F0000000000000) : w == 64 ? 0x5F000000 : 0x4F800000;

		/* As bits: below that of 2^63 or 2^32, and the sign is 0; NaN are above. */
		from_xmm(c, from, X64_RAX, 0);
		x64_mov_imm(x, X64_RCX, top);
		x64_alu(x, X64_CMP, 64, X64_RAX, X64_RCX);
		slow = x64_jcc(x, X64_AE);
		x64_reg_reg(x, from == 64 ? 0xF2 : 0xF3, true, 0x0F2C, X64_RAX, 0, false);
	}
	done = x64_jmp(x);
	x64_here(c, slow);
	by_hand(c, ins);
	x64_here(c, done);
	x64_mov(x, w == 32 ? 32 : 64, to, X64_RAX);
	return true;
}

bool x64_emit_float(X64Code *c, const IrIns *ins, u8 to)
{
	if (!ir_float_operands((IrOp)ins->op) || ins->op == IR_OP_FCLASS || (ins->aux & IR_FLOAT_FLAGS) || !has_native(c, ins))
		return false;
	if (!flags_of(c, ins) && c->engine->flags_slot && !is_silent(c, ins))
		return false;
	switch (ins->op) {
	case IR_OP_FADD: case IR_OP_FSUB: case IR_OP_FMUL: case IR_OP_FDIV: case IR_OP_FSQRT:
		return arithmetic(c, ins, to);
	case IR_OP_FMA: return fused(c, ins, to);
	case IR_OP_FEQ: case IR_OP_FLT: case IR_OP_FLE: return comparison(c, ins, to);
	case IR_OP_FOFS: case IR_OP_FOFU: return of_integer(c, ins, to);
	case IR_OP_FTOS: case IR_OP_FTOU: return to_integer(c, ins, to);
	case IR_OP_FTOF:
		into_xmm(c, ins->width == 64 ? 32 : 64, 0, ins->a);
		sse(c, ins->width == 64 ? 32 : 64, 0x0F5A, 0, 0);
		finish(c, ins->width, to);
		return true;
	default: return false;
	}
}
