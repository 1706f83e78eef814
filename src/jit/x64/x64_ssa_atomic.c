/* SPDX-License-Identifier: MIT
 *
 * Atomic accesses of a region to the paged space, as the host's own, and the flags of floats, which the host keeps in MXCSR.
 *
 * What may be refused comes before anything is written (ssa_alloc.h): an exchange works on a copy in the scratch register;
 * a loop of compare-and-exchange begins by writing back what is there.
 */
#include "jit/x64/x64_ssa.h"

enum { LOCK = 0xF0 };

/* lock op [mem], reg: two-byte opcodes 0F xx. */
static void locked(X64Buf *x, unsigned width, u32 opcode, u8 reg, X64Mem mem)
{
	x64_byte(x, LOCK);
	x64_reg_mem(x, 0, width == 64, opcode, reg, mem, false);
}

static bool is_possible(const X64Ssa *s, const SsaNode *node)
{
	return s->engine->env.paged && (node->aux & IR_ATOMIC_SPACE) == s->engine->env.code_space && !node->imm &&
	       (node->width == 32 || node->width == 64);
}

static X64Mem cell_of(X64Ssa *s, const SsaNode *node)
{
	X64Mem cell = x64_ssa_paged_cell(s, node, ATTR_PAGED_LOAD | ATTR_PAGED_STORE, ATTR_READ | ATTR_WRITE);

	if (s->emitting) {
		x64_test_imm8(&s->x, cell.index, (u8)(node->width / 8 - 1));
		x64_ssa_exit_if(s, X64_NE);
	}
	return cell;
}

/* The scratch register becomes what rax, the value that is there, and `value` make. */
static void combine(X64Buf *x, IrRmw kind, unsigned width, u8 value)
{
	static const u8 alu[] = { [IR_RMW_AND] = X64_AND, [IR_RMW_OR] = X64_OR, [IR_RMW_XOR] = X64_XOR };
	static const u8 keep[] = { [IR_RMW_MIN] = X64_LE, [IR_RMW_MAX] = X64_GE, [IR_RMW_MINU] = X64_BE, [IR_RMW_MAXU] = X64_AE };

	if (kind == IR_RMW_AND || kind == IR_RMW_OR || kind == IR_RMW_XOR) {
		x64_mov(x, width, X64_SCRATCH, X64_RAX);
		x64_alu(x, (X64Alu)alu[kind], width, X64_SCRATCH, value);
		return;
	}
	x64_mov(x, width, X64_SCRATCH, value);
	x64_alu(x, X64_CMP, width, X64_RAX, value);
	x64_cmov(x, (X64Cond)keep[kind], X64_SCRATCH, X64_RAX);
}

bool x64_ssa_rmw(X64Ssa *s, const SsaNode *node)
{
	IrRmw kind = (IrRmw)(node->aux >> IR_ATOMIC_KIND_SHIFT & 15);
	bool loops = kind != IR_RMW_SWAP && kind != IR_RMW_ADD;
	X64Buf *x = &s->x;
	X64Mem cell;
	u8 value, to, *again;

	if (!is_possible(s, node))
		return false;
	cell = cell_of(s, node);
	value = x64_arg_reg(s, node->b, false);
	to = loops ? x64_result_in(s, X64_RAX) : x64_result(s, SSA_GPR);
	if (loops)
		x64_clobber(s, 1 << X64_RAX, 0);
	if (!s->emitting)
		return true;
	if (!loops) {
		x64_mov(x, node->width, X64_SCRATCH, value);
		x64_ssa_risk(s);
		if (kind == IR_RMW_SWAP)
			x64_reg_mem(x, 0, node->width == 64, 0x87, X64_SCRATCH, cell, false);
		else
			locked(x, node->width, 0x0FC1, X64_SCRATCH, cell);
		x64_mov(x, node->width, to, X64_SCRATCH);
		return true;
	}
	x64_ssa_risk(s);
	x64_byte(x, LOCK);
	x64_alu_mem_imm(x, X64_OR, node->width, cell, 0);
	x64_load_zx(x, node->width, X64_RAX, cell);
	again = x->at;
	combine(x, kind, node->width, value);
	locked(x, node->width, 0x0FB1, X64_SCRATCH, cell);
	x64_ssa_here_to(s, x64_jcc(x, X64_NE), again);
	return true;
}

bool x64_ssa_cas(X64Ssa *s, const SsaNode *node)
{
	X64Mem cell;
	u8 value;

	if (!is_possible(s, node))
		return false;
	x64_arg_fixed(s, node->b, X64_RAX, true);
	cell = cell_of(s, node);
	value = x64_arg_reg(s, node->c, false);
	x64_result_in(s, X64_RAX);
	x64_clobber(s, 1 << X64_RAX, 0);
	if (!s->emitting)
		return true;
	x64_ssa_risk(s);
	locked(&s->x, node->width, 0x0FB1, value, cell);
	return true;
}

/* ---- Flags ---- */

static bool flags_at_home(const X64Ssa *s)
{
	u32 slot = s->func->flags_slot;

	return slot && s->engine->pin_of[slot] == JIT_NO_PIN;
}

bool x64_ssa_flags(X64Ssa *s)
{
	X64Mem word = x64_frame(s->engine, X64_AT_OPERATION);
	X64Buf *x = &s->x;
	u8 to;

	if (!flags_at_home(s))
		return false;
	to = x64_result(s, SSA_GPR);
	if (!s->emitting)
		return true;
	x64_reg_mem(x, 0, false, 0x0FAE, 3, word, false); /* stmxcsr */
	x64_load(x, 32, to, word);
	x64_alu_imm(x, X64_AND, 32, to, 0x3F);
	if (to == X64_SCRATCH) /* nobody wants it */
		return true;
	x64_mov_imm(x, X64_SCRATCH, (u64)(uintptr_t)x64_flags_of_mxcsr);
	x64_load_zx(x, 8, to, x64_at_index(X64_SCRATCH, to, 0, 0));
	x64_alu_mem(x, X64_OR, 64, to, x64_at(X64_RBP, x64_slot(s->func->flags_slot)));
	return true;
}

bool x64_ssa_set_flags(X64Ssa *s, const SsaNode *node)
{
	X64Mem word = x64_frame(s->engine, X64_AT_OPERATION);
	u8 value;

	if (!flags_at_home(s))
		return false;
	value = x64_arg_reg(s, node->a, false);
	if (!s->emitting)
		return true;
	x64_store(&s->x, 64, x64_at(X64_RBP, x64_slot(s->func->flags_slot)), value);
	x64_store_imm(&s->x, 32, word, X64_MXCSR);
	x64_reg_mem(&s->x, 0, false, 0x0FAE, 2, word, false); /* ldmxcsr */
	return true;
}
