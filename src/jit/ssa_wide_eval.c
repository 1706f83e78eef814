/* SPDX-License-Identifier: MIT
 *
 * Wide rounds one number at a time, as ssa_wide.h's words say.
 */
#include <string.h>

#include "jit/ssa_eval.h"
#include "jit/ssa_wide.h"

enum { TRIES = 1000 };

typedef struct Vectors {
	const SsaWide *wide;
	const SsaMemory *memory;
	u64 pointers[SSA_WIDE_POINTERS_MOST];
	unsigned raised;
	u64 regs[SSA_WIDE_REGS][SSA_WIDE_LANES];
} Vectors;

static bool touch(const Vectors *v, u64 address, unsigned width)
{
	u64 value;

	return v->memory->read(v->memory->ctx, v->wide->space, address, width, &value) &&
	       v->memory->write(v->memory->ctx, v->wide->space, address, width, value);
}

/* What may be stored to is: memory may say no for no reason, but not for good. */
static bool store(const Vectors *v, u64 address, u64 value)
{
	for (u32 i = 0; i < TRIES; i++)
		if (v->memory->write(v->memory->ctx, v->wide->space, address, 64, value))
			return true;
	return false;
}

/* Likewise. */
static void load_again(const Vectors *v, u64 address, u64 *value)
{
	for (u32 i = 0; i < TRIES; i++)
		if (v->memory->read(v->memory->ctx, v->wide->space, address, 64, value))
			return;
}

static u64 float_of(Vectors *v, IrOp op, u64 a, u64 b)
{
	v->raised |= (unsigned)ir_eval(op, 5, 64, IR_FLOAT_FLAGS | 64 << IR_FLOAT_WIDTH_SHIFT, a, b, 0);
	return ir_eval(op, 64, 64, 0, a, b, 0);
}

static u64 lane_of(Vectors *v, const SsaWideOp *op, u64 a, u64 b)
{
	switch (op->kind) {
	case SSA_WIDE_AND: return a & b;
	case SSA_WIDE_ANDN: return ~a & b;
	case SSA_WIDE_OR: return a | b;
	case SSA_WIDE_XOR: return a ^ b;
	case SSA_WIDE_ADD: return a + b;
	case SSA_WIDE_SUB: return a - b;
	case SSA_WIDE_EQ: return a == b ? ~(u64)0 : 0;
	case SSA_WIDE_SHL: return b < 64 ? a << b : 0;
	case SSA_WIDE_SHR: return b < 64 ? a >> b : 0;
	case SSA_WIDE_FADD: return float_of(v, IR_OP_FADD, a, b);
	case SSA_WIDE_FSUB: return float_of(v, IR_OP_FSUB, a, b);
	case SSA_WIDE_FMUL: return float_of(v, IR_OP_FMUL, a, b);
	case SSA_WIDE_FDIV: return float_of(v, IR_OP_FDIV, a, b);
	case SSA_WIDE_CANON: return a << 1 > (u64)0x7FF << 53 ? b : a;
	default: return a;
	}
}

/* False: it ends. */
static bool step(Vectors *v, const SsaWideOp *op, bool *stores)
{
	u64 at = v->pointers[op->a % SSA_WIDE_POINTERS_MOST] + op->imm, *to = v->regs[op->to], both[2 * SSA_WIDE_LANES];

	switch (op->kind) {
	case SSA_WIDE_LOAD:
		for (u32 k = 0; k < SSA_WIDE_LANES; k++)
			if (!v->memory->read(v->memory->ctx, v->wide->space, at + 8 * k, 64, &to[k]))
				return false;
		return true;
	case SSA_WIDE_TEST:
		for (u32 k = 0; k < SSA_WIDE_LANES; k++)
			if (v->regs[op->a][k])
				return false;
		return true;
	case SSA_WIDE_REACH:
		return v->memory->read(v->memory->ctx, v->wide->space, at, 64, &both[0]);
	case SSA_WIDE_TOUCH:
		return touch(v, at, 8);
	case SSA_WIDE_STORE:
		for (u32 k = 0; k < SSA_WIDE_LANES && !*stores; k++)
			if (!touch(v, at + 8 * k, 64))
				return false;
		*stores = true;
		for (u32 k = 0; k < SSA_WIDE_LANES; k++)
			if (!store(v, at + 8 * k, v->regs[op->b][k]))
				return false;
		return true;
	case SSA_WIDE_SPLICE:
		memcpy(both, v->regs[op->a], sizeof(both) / 2);
		memcpy(both + SSA_WIDE_LANES, v->regs[op->b], sizeof(both) / 2);
		memcpy(to, both + op->lane, sizeof(both) / 2);
		return true;
	default:
		for (u32 k = 0; k < SSA_WIDE_LANES; k++)
			to[k] = lane_of(v, op, v->regs[op->a][k], v->regs[op->b][k]);
		return true;
	}
}

static void put_out(const Vectors *v, const SsaWideOut *out, u64 times, u64 *to)
{
	memcpy(to, v->regs[out->reg], SSA_WIDE_LANES * sizeof(u64));
	for (u32 k = 0; k < SSA_WIDE_LANES && out->there && times; k++)
		load_again(v, v->pointers[out->pointer] + (u64)(i64)out->off + 8 * k, &to[k]);
}

u64 ssa_wide_eval(const SsaWide *wide, const u64 *operands, u64 most, const SsaMemory *memory, u64 *outs,
	unsigned *raised)
{
	Vectors v = {.wide = wide, .memory = memory};
	u64 times = 0;
	bool goes_on = true;

	most = wide->counted && operands[0] < most ? operands[0] : most;
	for (u32 i = 0; i < wide->pointer_count; i++) {
		v.pointers[i] = operands[1 + i];
		if (v.pointers[i] >= memory->limit(memory->ctx, wide->space))
			return 0;
	}
	for (u32 i = 0; i < wide->prepare_count; i++) {
		const SsaWideOp *op = &wide->prepare[i];
		u64 there;

		if (op->kind == SSA_WIDE_EXPECT) {
			if (!memory->read(memory->ctx, wide->space, v.pointers[op->b] + op->imm, 64, &there) || there != operands[op->a])
				return 0;
			continue;
		}
		for (u32 k = 0; k < SSA_WIDE_LANES; k++)
			if (op->kind != SSA_WIDE_LANE || k == op->lane)
				v.regs[op->to][k] = op->kind == SSA_WIDE_CONST ? op->imm : operands[op->a];
	}
	while (times < most && goes_on) {
		bool stores = false;

		for (u32 i = 0; i < wide->round_count && goes_on; i++)
			goes_on = step(&v, &wide->round[i], &stores);
		if (!goes_on)
			break;
		for (u32 i = 0; i < wide->pointer_count; i++)
			v.pointers[i] += (u64)(i64)wide->step[i];
		times++;
	}
	*raised |= v.raised;
	for (u32 i = 0; i < wide->out_count; i++)
		put_out(&v, &wide->outs[i], times, &outs[i * SSA_WIDE_LANES]);
	return times;
}
