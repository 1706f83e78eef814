/* SPDX-License-Identifier: MIT
 *
 * Atomic accesses of a block to the paged space: a load and a store, as in regions (x64_ssa_atomic.c says why). They are aligned, or
 * the cold engine's.
 *
 * Both may be refused, and then nothing has been changed. What stands behind one in its instruction may not leave any more: it is
 * not put aside like a store (x64_undo.c).
 */
#include "jit/x64/x64_code.h"

bool x64_atomic_supported(const X64Code *c, const IrIns *ins)
{
	return c->engine->env.paged && (ins->aux & IR_ATOMIC_SPACE) == c->engine->env.code_space && !(ins->aux & IR_RAW) &&
	       (ins->width == 32 || ins->width == 64);
}

static X64Mem aligned(X64Code *c, const IrIns *ins)
{
	X64Mem cell = x64_checked(c, ins->a, ins->width / 8u, ATTR_PAGED_LOAD | ATTR_PAGED_STORE, ATTR_READ | ATTR_WRITE);

	x64_test_imm8(&c->x, cell.index, (u8)(ins->width / 8 - 1));
	x64_bail_if(c, X64_NE);
	return cell;
}

void x64_combine(X64Buf *x, IrRmw kind, unsigned width, u8 to, u8 old, u8 value)
{
	static const u8 alu[] = { [IR_RMW_ADD] = X64_ADD, [IR_RMW_AND] = X64_AND, [IR_RMW_OR] = X64_OR, [IR_RMW_XOR] = X64_XOR };
	static const u8 keep[] = { [IR_RMW_MIN] = X64_LE, [IR_RMW_MAX] = X64_GE, [IR_RMW_MINU] = X64_BE, [IR_RMW_MAXU] = X64_AE };

	x64_mov(x, width, to, value);
	if (kind == IR_RMW_ADD || kind == IR_RMW_AND || kind == IR_RMW_OR || kind == IR_RMW_XOR) {
		x64_alu(x, (X64Alu)alu[kind], width, to, old);
	} else if (kind != IR_RMW_SWAP) {
		x64_alu(x, X64_CMP, width, old, to);
		x64_cmov(x, (X64Cond)keep[kind], to, old);
	}
}

static void give(X64Code *c, u32 at, u8 reg)
{
	const IrIns *ins = &c->func->ins[at];

	x64_release(c, ins->a);
	x64_release(c, ins->b);
	if (ins->op == IR_OP_CAS)
		x64_release(c, ins->c);
	if (!c->values[at].uses)
		return;
	x64_choose_place(c, at);
	x64_settle(c, at, reg);
}

void x64_emit_rmw(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	X64Mem cell = aligned(c, ins);

	x64_risk(c);
	x64_load_zx(&c->x, ins->width, X64_RDX, cell);
	x64_combine(&c->x, ir_atomic_kind(ins), ins->width, X64_RCX, X64_RDX, x64_in(c, ins->b, X64_RCX));
	x64_risk(c);
	x64_store(&c->x, ins->width, cell, X64_RCX);
	give(c, at, X64_RDX);
}

void x64_emit_cas(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	X64Mem cell = aligned(c, ins);
	X64Buf *x = &c->x;
	u8 value;

	if (cell.index == X64_RAX) {
		x64_mov(x, 64, X64_RCX, X64_RAX);
		cell.index = X64_RCX;
	}
	x64_mov(x, 64, X64_RAX, x64_in(c, ins->b, X64_RAX));
	value = x64_in(c, ins->c, X64_RDX);
	x64_risk(c);
	x64_reg_mem(x, 0, ins->width == 64, 0x0FB1, value, cell, false); /* cmpxchg */
	give(c, at, X64_RAX);
}
