/* SPDX-License-Identifier: MIT
 *
 * Ways out of a block, as stubs behind its code: each gives the number of its record (JitExit) and goes to the common code.
 * A jump to a constant pc is chained to its block by patching it past the stub.
 */
#include "jit/x64/x64_code.h"

#include <string.h>

#include "jit/jit_store.h"

void x64_to_common(X64Code *c, u8 *site, u32 target)
{
	if (c->x.full)
		return;
	x64_patch(site, c->engine->rw + target);
	jit_store_move(c->engine, (u32)(site - c->x.start), JIT_MOVE_OUT, 0);
}

void x64_add_stub(X64Code *c, u8 *site, JitExit *exit)
{
	if (!exit || !arena_grow(&c->engine->arena, (void **)&c->stubs, &c->stub_cap, c->stub_count, sizeof(Stub))) {
		c->failed = true;
		return;
	}
	c->stubs[c->stub_count++] = (Stub){ site, exit };
}

/* The present instruction is the cold engine's. */
JitExit *x64_bail(X64Code *c)
{
	IrOp op = c->cold ? c->cold_op : (IrOp)c->func->ins[c->at].op;
	EngineCount why = c->cold ? c->cold : op == IR_OP_RAISE || op == IR_OP_ILLEGAL ? ENGINE_BAIL_RAISE : ENGINE_BAIL_CROSSING;

	u32 undo = c->values[c->at].undo;

	if (c->bail && c->bail->why == why && c->bail_undo == undo)
		return c->bail;
	c->bail_undo = undo;
	c->bail = jit_exit_create(c->engine, c->block, JIT_EXIT_BAIL, c->pc, c->block->insns - c->number);
	if (c->bail) {
		c->bail->why = (u8)why;
		c->bail->op = (u8)op;
	}
	x64_note_undo(c, c->bail, undo);
	return c->bail;
}

void x64_bail_if(X64Code *c, X64Cond cond)
{
	x64_add_stub(c, x64_jcc(&c->x, cond), x64_bail(c));
}

void x64_emit_stubs(X64Code *c)
{
	X64Buf *x = &c->x;

	for (u32 i = 0; i < c->stub_count; i++) {
		JitExit *exit = c->stubs[i].exit;

		if (!exit->stub) {
			u8 *site;

			exit->stub = (u32)(x->at - c->engine->rw);
			x64_emit_undo(c, exit);
			x64_byte(x, 0xB8); /* mov eax, number */
			x64_imm32(x, (i32)exit->number);
			jit_store_move(c->engine, (u32)(x->at - x->start) - 4, JIT_MOVE_EXIT, exit->number - c->block->first_exit);
			site = x64_jmp(x);
			x64_to_common(c, site, exit->op == IR_OP_HOST && exit->kind == JIT_EXIT_BAIL ? c->engine->call : c->engine->leave);
		}
		if (!x->full && c->stubs[i].site)
			x64_patch(c->stubs[i].site, c->engine->rw + exit->stub);
	}
}

/* Where the pc that a call is compared with is four bytes, calls that go farther are not chained. */
bool x64_guess_is_short(const JitExit *exit)
{
	return exit->owner->pc <= 0x7FFFFFFF;
}

void x64_link(Engine *engine, JitExit *exit, const JitBlock *target)
{
	if (target && exit->kind == JIT_EXIT_GUESS) {
		bool is_short = x64_guess_is_short(exit);

		if (is_short && target->pc > 0x7FFFFFFF)
			return;
		memcpy(engine->rw + exit->site - exit->guess, &target->pc, is_short ? 4 : 8);
	}
	x64_patch(engine->rw + exit->site, engine->rw + (target ? target->entry : exit->stub));
}
