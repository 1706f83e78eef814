/* SPDX-License-Identifier: MIT
 *
 * Jumps: within a block, and out of it.
 */
#include "jit/jit_store.h"
#include "jit/x64/x64_code.h"

static const IrIns *ins_of(const X64Code *c, IrRef ref)
{
	return ref & IR_CONST_BIT ? NULL : &c->func->ins[ref];
}

void x64_fix(X64Code *c, u8 *site, u32 block)
{
	if (!arena_grow(&c->engine->arena, (void **)&c->fixes, &c->fix_cap, c->fix_count, sizeof(*c->fixes))) {
		c->failed = true;
		return;
	}
	c->fixes[c->fix_count++] = (struct Fix){ site, block, c->number };
}

/* Behind a call: control comes back with the guest's pc in rax. `pc` is where it belongs; from there code goes on. */
static void emit_landing(X64Code *c, u64 pc)
{
	X64Buf *x = &c->x;
	JitExit *exit;
	u8 *site;

	if (!x64_may_return_to(c->engine, pc)) {
		x64_to_common(c, x64_jmp(x), c->engine->lookup);
		return;
	}
	exit = jit_exit_create(c->engine, c->block, JIT_EXIT_LINK, pc, 0);
	x64_emit_is_pc(x, pc);
	site = x64_jcc(x, X64_NE);
	x64_to_common(c, site, c->engine->lookup);
	site = x64_jmp(x);
	x64_add_stub(c, site, exit);
	if (exit)
		exit->site = (u32)(site - c->engine->rw);
}

i32 x64_return_mask(const Engine *engine)
{
	u64 mask = ~engine->env.return_zeros;

	return (i64)mask == (i32)mask ? (i32)mask : -1;
}

bool x64_may_return_to(const Engine *engine, u64 pc)
{
	return !(pc & ~(u64)(i64)x64_return_mask(engine));
}

void x64_emit_is_pc(X64Buf *x, u64 pc)
{
	if (pc <= 0x7FFFFFFF) {
		x64_alu_imm(x, X64_CMP, 64, X64_RAX, (i32)pc);
		return;
	}
	x64_mov_imm(x, X64_RCX, pc);
	x64_alu(x, X64_CMP, 64, X64_RAX, X64_RCX);
}

void x64_emit_is_deep(const Engine *engine, X64Buf *x)
{
	x64_alu_mem(x, X64_CMP, 64, X64_RSP, x64_frame(engine, X64_AT_DEEP));
}

void x64_emit_anew(const Engine *engine, X64Buf *x)
{
	x64_load(x, 64, X64_RSP, x64_frame(engine, X64_AT_STACK));
	x64_alu_imm(x, X64_SUB, 64, X64_RSP, 8); /* what enter put there still lies there: bottom */
}

/* Before a call: there is room on the stack, or it begins anew. */
void x64_emit_room(const Engine *engine, X64Buf *x)
{
	u8 *from;

	x64_emit_is_deep(engine, x);
	x64_byte(x, 0x70u | X64_A); /* over what follows */
	x64_byte(x, 0);
	from = x->at;
	x64_emit_anew(engine, x);
	if (!x->full)
		from[-1] = (u8)(x->at - from);
}

static void emit_constant(X64Code *c, const IrIns *ins, u64 pc)
{
	JitExit *exit = jit_exit_create(c->engine, c->block, JIT_EXIT_LINK, pc, 0);
	X64Buf *x = &c->x;
	u8 *site;

	if (ins->aux == IR_FLOW_CALL)
		x64_emit_room(c->engine, x);
	site = ins->aux == IR_FLOW_CALL ? x64_call(x) : x64_jmp(x);
	x64_add_stub(c, site, exit);
	if (exit) {
		exit->site = (u32)(site - c->engine->rw);
		exit->back = ins->aux == IR_FLOW_CALL || pc <= c->pc;
	}
}

/* An operation on a word of data behind the code: `behind` more bytes of it follow the displacement. */
static void on_data(X64Code *c, u32 opcode, u32 data, u32 behind)
{
	X64Buf *x = &c->x;

	x64_opcode(x, opcode);
	x64_imm32(x, (i32)(data - (u32)(x->at + 4 + behind - c->engine->rw)));
	jit_store_move(c->engine, (u32)(x->at - x->start) - 4, JIT_MOVE_OUT, 0);
}

/* Where it goes (rax) is noted for who forms regions: the last pc, and how often in a row. */
static void note_habit(X64Code *c)
{
	u32 pc = JIT_CODE_BYTES + JIT_COUNTERS * 4 + jit_habit_hash(c->next) * (u32)sizeof(JitHabit);
	u32 same = pc + (u32)offsetof(JitHabit, same);
	X64Buf *x = &c->x;
	u8 *as_ever;

	on_data(c, 0x483905, pc, 0); /* cmp [rip + pc], rax */
	x64_byte(x, 0x70u | X64_E);
	x64_byte(x, 0);
	as_ever = x->at;
	on_data(c, 0x488905, pc, 0); /* mov [rip + pc], rax */
	on_data(c, 0x8325, same, 1); /* and dword [rip + same], 0 */
	x64_byte(x, 0);
	if (!x->full)
		as_ever[-1] = (u8)(x->at - as_ever);
	on_data(c, 0xFF05, same, 0); /* inc dword [rip + same] */
}

/* Of a jump through a register (rax): one more time that it goes there, or one less for who has its way. rcx and rdx are free. */
static void note_way(X64Code *c)
{
	u32 fork = JIT_CODE_BYTES + JIT_COUNTERS * 4 + JIT_HABITS * (u32)sizeof(JitHabit) + jit_fork_hash(c->next) * (u32)sizeof(JitFork);
	X64Mem pc = x64_at_index(X64_RDX, X64_RCX, 3, 0), count = x64_at_index(X64_RDX, X64_RCX, 3, 8);
	X64Buf *x = &c->x;
	u8 *same, *other;

	on_data(c, 0x488D15, fork, 0); /* lea rdx, [rip + fork] */
	x64_reg_reg_imm(x, 0, false, 0x69, X64_RCX, X64_RAX, false, (i32)0x9E3779B1, 4); /* imul ecx, eax, .. */
	x64_shift_imm(x, X64_SHR, 32, X64_RCX, 27);
	x64_alu_imm(x, X64_AND, 32, X64_RCX, 2 * (JIT_WAYS - 1));
	x64_alu_mem(x, X64_CMP, 64, X64_RAX, pc);
	x64_byte(x, 0x70u | X64_E);
	x64_byte(x, 0);
	same = x->at;
	x64_alu_mem_imm(x, X64_SUB, 32, count, 1);
	x64_byte(x, 0x70u | X64_AE);
	x64_byte(x, 0);
	other = x->at;
	x64_store(x, 64, pc, X64_RAX);
	if (!x->full)
		same[-1] = (u8)(x->at - same);
	x64_alu_mem_imm(x, X64_ADD, 32, count, 1);
	if (!x->full)
		other[-1] = (u8)(x->at - other);
}

static void emit_computed(X64Code *c, const IrIns *ins)
{
	X64Buf *x = &c->x;
	u8 *site;

	x64_mov(x, 64, X64_RAX, x64_in(c, ins->a, X64_RAX));
	if (ins->aux == IR_FLOW_RET) {
		x64_ret(x);
		return;
	}
	note_habit(c);
	if (ins->aux == IR_FLOW_JUMP)
		note_way(c);
	x64_emit_lookup(c->engine, x, X64_RAX);
	site = x64_jcc(x, X64_NE);
	x64_to_common(c, site, c->engine->miss_call);
	if (ins->aux != IR_FLOW_CALL) {
		x64_jmp_mem(x, x64_at_index(X64_RDX, X64_RCX, 3, 8));
		return;
	}
	x64_emit_room(c->engine, x);
	x64_call_mem(x, x64_at_index(X64_RDX, X64_RCX, 3, 8));
}

void x64_emit_goto(X64Code *c, const IrIns *ins)
{
	u32 refund = c->block->insns - c->number - 1;
	u64 pc;

	if (refund)
		x64_alu_imm(&c->x, X64_ADD, 64, X64_R14, (i32)refund);
	if (ir_is_const(c->func, ins->a, &pc))
		emit_constant(c, ins, pc);
	else
		emit_computed(c, ins);
	if (ins->aux == IR_FLOW_CALL)
		emit_landing(c, c->next);
}

void x64_emit_branch(X64Code *c, const IrIns *ins, u32 next)
{
	const IrIns *compare = ins_of(c, ins->a);
	X64Cond cond = X64_NE;

	if (compare && c->values[ins->a].skip && x64_is_compare(compare)) {
		cond = x64_emit_compare(c, compare);
	} else {
		u8 reg = x64_in(c, ins->a, X64_RAX);

		x64_test(&c->x, 32, reg, reg);
	}
	if (compare && c->values[ins->a].skip) {
		x64_release(c, compare->a);
		x64_release(c, compare->b);
	}
	x64_release(c, ins->a);
	c->labels[ins->b].reached = c->labels[ins->c].reached = true;
	if (ins->b == next) {
		x64_fix(c, x64_jcc(&c->x, (X64Cond)(cond ^ 1)), ins->c);
	} else {
		x64_fix(c, x64_jcc(&c->x, cond), ins->b);
		if (ins->c != next)
			x64_fix(c, x64_jmp(&c->x), ins->c);
	}
}

/* Parameters lie in memory; those of a block are not read before all are written. */
void x64_emit_jump(X64Code *c, const IrIns *ins, u32 next)
{
	u32 param = c->func->blocks[ins->a].start;

	if (ins->c > 16) {
		c->unsupported = true;
		return;
	}

	for (u32 i = 0; i < ins->c; i++) {
		Value *value = &c->values[param + i];

		if (value->kind == PLACE_NONE) {
			for (unsigned k = 0; k < X64_SPILLS && value->kind == PLACE_NONE; k++)
				if (!c->spill_used[k]) {
					c->spill_used[k] = true;
					value->kind = PLACE_MEMORY;
					value->disp = x64_slot(c->engine->slot_count) + (i32)(k + 2) * 8;
				}
			if (value->kind == PLACE_NONE) {
				c->unsupported = true;
				return;
			}
		}
		x64_store(&c->x, 64, x64_at(X64_RBP, value->disp), x64_in(c, c->func->pool[ins->b + i], X64_RAX));
	}
	for (u32 i = 0; i < ins->c; i++)
		x64_release(c, c->func->pool[ins->b + i]);
	c->labels[ins->a].reached = true;
	if (ins->a != next)
		x64_fix(c, x64_jmp(&c->x), ins->a);
}
