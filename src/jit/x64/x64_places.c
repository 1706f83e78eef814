/* SPDX-License-Identifier: MIT
 *
 * Where values are. They live no longer than their guest instruction, so there is little to allocate: two registers, then
 * memory behind the slots.
 */
#include "jit/x64/x64_code.h"

const u8 x64_temp_regs[X64_TEMPS] = { X64_R13, X64_R15 };
const u8 x64_pin_regs[JIT_PINS] = { X64_RSI, X64_RDI, X64_R8, X64_R9, X64_R10, X64_R11, X64_R12 };

const u8 x64_park_regs[JIT_PARKS] = { 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 };

i32 x64_slot(u32 slot)
{
	return (i32)(slot * 8) - X64_MIDDLE;
}

X64Mem x64_frame(const Engine *engine, i32 at)
{
	return x64_at(X64_RBP, x64_slot(engine->slot_count + X64_FRAME) + at);
}

X64Mem x64_limit(void)
{
	return x64_at(X64_RBP, x64_slot(0) - 8);
}

void x64_release(X64Code *c, IrRef ref)
{
	Value *value;

	ref = x64_resolve(c, ref);
	if (ref & IR_CONST_BIT)
		return;
	value = &c->values[ref];
	if (value->last != c->at || value->kind == PLACE_NONE)
		return;
	for (unsigned i = 0; i < X64_TEMPS; i++)
		if (value->kind == PLACE_REG && value->reg == x64_temp_regs[i])
			c->temp_used[i] = false;
	if (value->kind == PLACE_MEMORY && value->disp >= x64_slot(c->engine->slot_count))
		c->spill_used[(value->disp - x64_slot(c->engine->slot_count)) / 8 - 2] = false;
}

/* A place for value `at`; computed there or, when it is in memory, in rax. */
u8 x64_choose_place(X64Code *c, u32 at)
{
	Value *value = &c->values[at];

	if (value->claim) {
		value->kind = PLACE_PIN;
		value->reg = x64_pin_regs[c->engine->pin_of[c->func->ins[value->claim].aux]];
		return value->reg;
	}
	for (unsigned i = 0; i < X64_TEMPS; i++)
		if (!c->temp_used[i]) {
			c->temp_used[i] = true;
			value->kind = PLACE_REG;
			return value->reg = x64_temp_regs[i];
		}
	for (unsigned i = 0; i < X64_SPILLS; i++)
		if (!c->spill_used[i]) {
			c->spill_used[i] = true;
			value->kind = PLACE_MEMORY;
			value->disp = x64_slot(c->engine->slot_count) + (i32)(i + 2) * 8;
			return X64_RAX;
		}
	c->unsupported = true;
	return X64_RAX;
}

void x64_settle(X64Code *c, u32 at, u8 reg)
{
	if (c->values[at].kind == PLACE_MEMORY)
		x64_store(&c->x, 64, x64_at(X64_RBP, c->values[at].disp), reg);
	else if (c->values[at].reg != reg)
		x64_mov(&c->x, 64, c->values[at].reg, reg);
}

bool x64_in_memory(const X64Code *c, IrRef ref, X64Mem *mem)
{
	ref = x64_resolve(c, ref);
	if ((ref & IR_CONST_BIT) || c->values[ref].kind != PLACE_MEMORY)
		return false;
	*mem = x64_at(X64_RBP, c->values[ref].disp);
	return true;
}

u8 x64_in(X64Code *c, IrRef ref, u8 scratch)
{
	X64Mem mem;
	u64 number;

	ref = x64_resolve(c, ref);
	if (ir_is_const(c->func, ref, &number)) {
		x64_mov_imm(&c->x, scratch, number);
		return scratch;
	}
	if (x64_in_memory(c, ref, &mem)) {
		x64_load(&c->x, 64, scratch, mem);
		return scratch;
	}
	if (c->values[ref].kind == PLACE_NONE)
		c->unsupported = true;
	return c->values[ref].reg;
}

bool x64_lives_in(const X64Code *c, IrRef ref, u8 reg)
{
	ref = x64_resolve(c, ref);
	return !(ref & IR_CONST_BIT) && (c->values[ref].kind == PLACE_REG || c->values[ref].kind == PLACE_PIN) &&
	       c->values[ref].reg == reg;
}

/* Into the vector register of a parked slot. */
void x64_into_park(X64Code *c, u8 park, IrRef ref)
{
	u8 xmm = x64_park_regs[park];
	X64Mem mem;
	u64 number;

	if (ir_is_const(c->func, x64_resolve(c, ref), &number) && !number)
		x64_reg_reg(&c->x, 0, false, 0x0F57, xmm, xmm, false); /* xorps */
	else if (x64_in_memory(c, ref, &mem))
		x64_reg_mem(&c->x, 0xF3, false, 0x0F7E, xmm, mem, false); /* movq */
	else
		x64_reg_reg(&c->x, 0x66, true, 0x0F6E, xmm, x64_in(c, ref, X64_RAX), false);
}
