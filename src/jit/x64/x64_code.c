/* SPDX-License-Identifier: MIT
 *
 * From the IR of a block to x86-64, in one pass forward after one that looks.
 *
 *     x64_analyse.c  who uses what until when; which values are looked through; which go straight into a pinned register
 *     this file      each operation where it stands; x64_ops.c and x64_float.c know the pure ones, x64_memory.c accesses,
 *                    x64_control.c jumps
 *     x64_exit.c     the ways out behind, as stubs
 *
 * Each operation that touches the world is the cold engine's.
 */
#define _GNU_SOURCE /* REG_RIP */
#include "jit/x64/x64_code.h"
#include "jit/x64/x64_ssa.h"

#include "jit/jit_life.h"
#include "jit/jit_store.h"

#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

static void clean(X64Code *c, IrRef ref, u8 reg)
{
	unsigned width = ir_width(c->func, ref);
	u64 number;

	if (width == 64 || ir_is_const(c->func, ref, &number))
		return;
	if (width == 32) {
		x64_mov(&c->x, 32, reg, reg);
	} else {
		x64_shift_imm(&c->x, X64_SHL, 64, reg, (u8)(64 - width));
		x64_shift_imm(&c->x, X64_SHR, 64, reg, (u8)(64 - width));
	}
}

/* By ir_eval. */
void x64_evaluate(X64Code *c, const IrIns *ins)
{
	static const u8 regs[] = { X64_RAX, X64_RCX, X64_RDX };
	X64Buf *x = &c->x;
	IrRef refs[16];
	unsigned count = x64_operands(c->func, ins, refs);

	c->engine->stats.slow[ins->op]++;
	for (unsigned i = 0; i < count; i++) {
		u8 reg = x64_in(c, refs[i], regs[i]);

		x64_mov(x, 64, regs[i], reg);
		clean(c, refs[i], regs[i]);
	}
	x64_store_imm(x, 32, x64_frame(c->engine, X64_AT_OPERATION),
		      (i32)(ins->op | (u32)ins->width << 8 | ir_width(c->func, ins->a) << 16));
	x64_store_imm(x, 32, x64_frame(c->engine, X64_AT_OPERATION + 4), ins->aux);
	x64_byte(x, 0xE8);
	x64_imm32(x, 0);
	x64_to_common(c, x->at - 4, c->engine->evaluate);
}

static void emit_value(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	u8 place, to;
	IrRef refs[16];
	unsigned count = x64_operands(c->func, ins, refs);

	for (unsigned i = 0; i < count; i++)
		x64_release(c, refs[i]);
	to = place = x64_choose_place(c, at);
	for (unsigned i = 1; i < count; i++)
		if (x64_lives_in(c, refs[i], place))
			to = X64_RAX;
	if (!x64_emit_pure(c, ins, to)) {
		x64_evaluate(c, ins);
		to = X64_RAX;
	}
	x64_settle(c, at, to);
}

static void emit_get(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	u8 pin = c->engine->pin_of[ins->aux];
	Value *value = &c->values[at];
	u8 park;
	bool copy;

	if (!value->uses)
		return;
	park = pin != JIT_NO_PIN ? JIT_NO_PIN : jit_park_of(c->engine, ins->aux);
	copy = x64_is_overwritten(c, at);
	if (ins->aux == 0) { /* the pc: its slot is not kept while compiled code runs */
		u8 to = x64_choose_place(c, at);

		x64_mov_imm(&c->x, to, c->pc);
		x64_settle(c, at, to);
	} else if (!copy && pin != JIT_NO_PIN) {
		value->kind = PLACE_PIN;
		value->reg = x64_pin_regs[pin];
	} else if (!copy && park == JIT_NO_PIN) {
		value->kind = PLACE_MEMORY;
		value->disp = x64_slot(ins->aux);
	} else {
		u8 to = x64_choose_place(c, at);

		if (pin != JIT_NO_PIN)
			x64_mov(&c->x, 64, to, x64_pin_regs[pin]);
		else if (park != JIT_NO_PIN)
			x64_movq_from_xmm(&c->x, 64, to, x64_park_regs[park]);
		else
			x64_load(&c->x, 64, to, x64_at(X64_RBP, x64_slot(ins->aux)));
		x64_settle(c, at, to);
	}
}

static void emit_put(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	u8 pin = c->engine->pin_of[ins->aux], park;
	IrRef ref = x64_resolve(c, ins->a);
	u64 number;

	if (!(ref & IR_CONST_BIT) && c->values[ref].claim == at)
		return;
	park = pin != JIT_NO_PIN ? JIT_NO_PIN : jit_park_of(c->engine, ins->aux);
	if (pin != JIT_NO_PIN) {
		if (ir_is_const(c->func, ref, &number)) {
			x64_mov_imm(&c->x, x64_pin_regs[pin], number);
		} else {
			u8 reg = x64_in(c, ref, x64_pin_regs[pin]);

			x64_mov(&c->x, 64, x64_pin_regs[pin], reg);
		}
	} else if (park != JIT_NO_PIN) {
		x64_into_park(c, park, ins->a);
	} else if (ir_is_const(c->func, ref, &number) && (i64)number == (i32)number) {
		x64_store_imm(&c->x, 64, x64_at(X64_RBP, x64_slot(ins->aux)), (i32)number);
	} else {
		x64_store(&c->x, 64, x64_at(X64_RBP, x64_slot(ins->aux)), x64_in(c, ref, X64_RAX));
	}
	x64_release(c, ins->a);
}

/* ---- Control ---- */

static void emit_ins(X64Code *c, u32 next)
{
	const IrIns *ins = &c->func->ins[c->at];
	u64 pc = 0;

	if (c->values[c->at].skip)
		return;
	switch (ins->op) {
	case IR_OP_INSN:
		ir_is_const(c->func, ins->a, &pc);
		c->pc = pc;
		c->next = pc + ins->aux;
		if (ir_width(c->func, ins->a) < 64)
			c->next &= ((u64)1 << ir_width(c->func, ins->a)) - 1;
		c->number = ins->b;
		c->bail = NULL;
		c->insn = c->at;
		jit_life_place(c->engine, (u32)(c->x.at - c->x.start), pc);
		break;
	case IR_OP_PARAM: break;
	case IR_OP_GET: emit_get(c, c->at); break;
	case IR_OP_PUT: emit_put(c, c->at); break;
	case IR_OP_LOAD: x64_emit_load(c, c->at); break;
	case IR_OP_STORE: x64_emit_store(c, c->at); break;
	case IR_OP_RMW: x64_emit_rmw(c, c->at); break;
	case IR_OP_CAS: x64_emit_cas(c, c->at); break;
	case IR_OP_FENCE: /* one host thread at a time runs a machine */ break;
	case IR_OP_JMP: x64_emit_jump(c, ins, next); break;
	case IR_OP_BR: x64_emit_branch(c, ins, next); break;
	case IR_OP_GOTO: x64_emit_goto(c, ins); break;
	case IR_OP_RAISE: case IR_OP_ILLEGAL:
		x64_add_stub(c, x64_jmp(&c->x), x64_bail(c));
		break;
	default:
		if (c->values[c->at].uses)
			emit_value(c, c->at);
	}
}

/* ---- The block ---- */

static EngineCount why_cold(const IrIns *ins)
{
	switch (ins->op) {
	case IR_OP_HOST: return ENGINE_BAIL_HOST;
	case IR_OP_RMW: case IR_OP_CAS: return ENGINE_BAIL_ATOMIC;
	case IR_OP_STOP: return ENGINE_BAIL_RAISE;
	case IR_OP_LOAD: case IR_OP_STORE: return ENGINE_BAIL_SPACE;
	default: return ENGINE_BAIL_OP;
	}
}

/* What only the cold engine does: where an arm of the instruction has it, the arm is left when it begins, else the whole is,
 * at its INSN. */
static void find_cold(X64Code *c, u32 insn)
{
	u32 start = insn, put = 0;

	for (u32 i = insn + 1; !c->cold && i < c->func->ins_count && c->func->ins[i].op != IR_OP_INSN; i++) {
		const IrIns *ins = &c->func->ins[i];

		if (c->block_at[i] != IR_NONE)
			start = i;
		if (!put && ins->op == IR_OP_PUT)
			put = i;
		if (x64_supported(c, ins))
			continue;
		if (start == insn || (put && put < start)) {
			c->cold_op = (IrOp)ins->op;
			c->cold = why_cold(ins);
		} else if (!c->values[start].cold) {
			c->values[start].cold = i;
		}
	}
	if (!c->cold && !x64_plan_undo(c, insn))
		c->cold = ENGINE_BAIL_AGAIN; /* a store must not be done twice */
}

static bool is_cold(X64Code *c, u32 insn)
{
	c->cold = 0;
	if (c->values[insn].odd)
		find_cold(c, insn);
	if (!c->cold && c->block->dirty && c->number == c->block->insns - 1) {
		c->cold_op = IR_OP_PUT;
		c->cold = ENGINE_BAIL_CONTEXT;
	}
	return c->cold;
}

/* Which block of the IR begins at each instruction, and at the end of all: none. */
static bool find_blocks(X64Code *c)
{
	c->block_at = ARENA_ARRAY(&c->engine->arena, u32, c->func->ins_count + 1);
	if (!c->block_at)
		return false;
	memset(c->block_at, 0xFF, (c->func->ins_count + 1) * sizeof(u32));
	for (u32 b = 0; b < c->func->block_count; b++)
		if (c->func->blocks[b].end > c->func->blocks[b].start)
			c->block_at[c->func->blocks[b].start] = b;
	return true;
}

/* Nothing comes here: values end, that is all. */
static void pass_over(X64Code *c)
{
	IrRef refs[16];

	for (unsigned k = x64_operands(c->func, &c->func->ins[c->at], refs); k-- > 0;)
		x64_release(c, refs[k]);
}

static void leave_arm(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[c->values[at].cold];

	c->cold = why_cold(ins);
	c->cold_op = (IrOp)ins->op;
	x64_add_stub(c, x64_jmp(&c->x), x64_bail(c));
	c->cold = 0;
}

static void emit_block(X64Code *c)
{
	const IrFunc *func = c->func;
	bool dead = false; /* the present place is not reached, or is the cold engine's */

	c->labels[0].reached = true;
	for (c->at = 0; c->at < func->ins_count && !c->failed && !c->unsupported; c->at++) {
		u32 block = c->block_at[c->at], next = c->block_at[c->at + 1];

		if (block != IR_NONE) {
			dead = !c->labels[block].reached;
			c->labels[block].at = c->x.at;
			c->labels[block].number = c->number;
			if (!dead && c->values[c->at].cold) {
				leave_arm(c, c->at);
				dead = true;
			}
		}
		if (dead) {
			pass_over(c);
			continue;
		}
		emit_ins(c, next);
		if (func->ins[c->at].op != IR_OP_INSN)
			continue;
		if (is_cold(c, c->at)) {
			if (c->number == 0 && c->cold_op != IR_OP_HOST) {
				c->block->why = ENGINE_COLD_OP;
				c->block->op = (u8)c->cold_op;
				c->unsupported = true;
				return;
			}
			x64_add_stub(c, x64_jmp(&c->x), x64_bail(c));
			c->cold = 0;
			dead = true;
			continue;
		}
		if (c->has_flags)
			x64_gather_flags(c, c->at);
	}
}

/* The entry of a block that is counted. */
static void emit_counter(X64Code *c)
{
	X64Buf *x = &c->x;
	u32 counter = JIT_CODE_BYTES + (u32)(c->block->counter - c->engine->counters) * 4;

	x64_byte(x, 0xFF); /* dec dword [rip + ..] */
	x64_byte(x, 0x0D);
	x64_imm32(x, (i32)(counter - (u32)(x->at + 4 - c->engine->rw)));
	jit_store_move(c->engine, (u32)(x->at - x->start) - 4, JIT_MOVE_COUNTER, 0);
	x64_add_stub(c, x64_jcc(x, X64_E), jit_exit_create(c->engine, c->block, JIT_EXIT_HOT, c->block->pc, 0));
}

static Status compile(Engine *engine, JitBlock *block, const IrFunc *func)
{
	X64Code c = { .engine = engine, .block = block, .func = func };
	u32 faults = engine->faults.count;
	JitExit *fuel;

	c.values = ARENA_ARRAY(&engine->arena, Value, func->ins_count);
	c.labels = ARENA_ARRAY(&engine->arena, struct Label, func->block_count);
	if (!c.values || !c.labels || !find_blocks(&c) || engine->arena.failed)
		return STATUS_NOMEM;
	c.x = (X64Buf){ engine->rw + engine->used, engine->rw + engine->used, engine->rw + engine->limit, false };
	block->entry = engine->used;
	x64_analyse(&c);
	if (block->counter)
		emit_counter(&c);
	block->body = (u32)(c.x.at - engine->rw);
	fuel = jit_exit_create(engine, block, JIT_EXIT_FUEL, block->pc, 0);
	x64_alu_imm(&c.x, X64_SUB, 64, X64_R14, (i32)block->insns);
	if (fuel)
		fuel->refund = block->insns;
	x64_add_stub(&c, x64_jcc(&c.x, X64_B), fuel);
	emit_block(&c);
	x64_emit_crossings(&c);
	x64_emit_stubs(&c);
	x64_list_faults(&c);
	for (u32 i = 0; i < c.fix_count && !c.x.full; i++) {
		const struct Label *label = &c.labels[c.fixes[i].block];

		/* The instruction that runs is the last one that began before, wherever control comes from. */
		if (!label->at || label->number != c.fixes[i].number)
			c.unsupported = true;
		else
			x64_patch(c.fixes[i].site, label->at);
	}
	if (c.failed || engine->arena.failed || c.unsupported || c.x.full) {
		engine->faults.count = faults;
		return c.failed || engine->arena.failed ? STATUS_NOMEM : STATUS_UNSUPPORTED;
	}
	engine->used = ((u32)(c.x.at - engine->rw) + 15u) & ~15u;
	return STATUS_OK;
}

static u64 *fault_pc(void *context)
{
	return (u64 *)&((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
}

const JitTarget x64_target = {
	.name = "x86-64",
	.elf_machine = 62,
	.return_column = 16,
	.fault_pc = fault_pc,
	.start = x64_start,
	.compile = compile,
	.constants = x64_flags_of_mxcsr,
	.features = x64_features,
	.select_region = x64_select_region,
	.emit_region = x64_emit_region,
	.values_most = { 10, 15 },
	.flag_moves = true,
	.atomics = true,
	.link = x64_link,
	.enter = x64_enter,
};
