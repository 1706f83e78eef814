/* SPDX-License-Identifier: MIT
 *
 * Jumps: within a block, and out of it.
 */
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

void x64_emit_goto(X64Code *c, const IrIns *ins)
{
	X64Buf *x = &c->x;
	u32 refund = c->block->insns - c->number - 1;
	JitExit *exit;
	u8 *site;
	u64 pc;

	if (refund)
		x64_alu_imm(x, X64_ADD, 64, X64_R14, (i32)refund);
	if (ir_is_const(c->func, ins->a, &pc)) {
		exit = jit_exit_create(c->engine, c->block, JIT_EXIT_LINK, pc, 0);
		site = x64_jmp(x);
		x64_add_stub(c, site, exit);
		if (exit) {
			exit->site = (u32)(site - c->engine->rw);
			exit->back = ins->aux == IR_FLOW_CALL || pc <= c->pc;
		}
		return;
	}
	/* A computed jump: the table, else with slot 0 set to whoever looks for it. */
	x64_mov(x, 64, X64_RAX, x64_in(c, ins->a, X64_RAX));
	x64_load(x, 64, X64_RDX, x64_at(X64_RSP, X64_AT_JUMPS));
	x64_mov(x, 32, X64_RCX, X64_RAX);
	x64_shift_imm(x, X64_SHR, 32, X64_RCX, 1);
	x64_alu_imm(x, X64_AND, 32, X64_RCX, JIT_JUMPS - 1);
	x64_shift_imm(x, X64_SHL, 32, X64_RCX, 4);
	x64_alu_mem(x, X64_CMP, 64, X64_RAX, x64_at_index(X64_RDX, X64_RCX, 0, 0));
	site = x64_jcc(x, X64_NE);
	x64_jmp_mem(x, x64_at_index(X64_RDX, X64_RCX, 0, 8));
	if (!x->full)
		x64_patch(site, c->engine->rw + (ins->aux == IR_FLOW_RET ? c->engine->miss : c->engine->miss_call));
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
	if (ins->a != next)
		x64_fix(c, x64_jmp(&c->x), ins->a);
}
