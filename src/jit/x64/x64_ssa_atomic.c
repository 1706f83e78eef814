/* SPDX-License-Identifier: MIT
 *
 * Atomic accesses of a region to the paged space, and the flags of floats, which the host keeps in MXCSR.
 *
 * All who see the memory of a machine run on one host thread, one instruction after the other (decision 0006), so an atomic
 * access is a load and a store. With the host's own, locked, each would wait for all stores before it: that was half the time
 * of free() in the C library, which sets a flag by an exchange.
 *
 * What may be refused comes before any result is written (ssa_alloc.h).
 */
#include "jit/x64/x64_ssa.h"

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

bool x64_ssa_rmw(X64Ssa *s, SsaRef ref)
{
	const SsaNode *node = &s->func->nodes[ref];
	IrRmw kind = (IrRmw)(node->aux >> IR_ATOMIC_KIND_SHIFT & 15);
	bool wanted = node->uses || s->in_snap[ref];
	X64Buf *x = &s->x;
	X64Mem cell;
	u8 value, old = X64_SCRATCH, to = X64_SCRATCH;

	if (!is_possible(s, node))
		return false;
	cell = cell_of(s, node);
	value = x64_arg_reg(s, node->b, false);
	if (kind != IR_RMW_SWAP)
		old = x64_temp(s, SSA_GPR);
	if (wanted)
		to = x64_result(s, SSA_GPR);
	if (!s->emitting)
		return true;
	if (kind != IR_RMW_SWAP || wanted) {
		x64_ssa_risk(s);
		x64_load_zx(x, node->width, old, cell);
	}
	if (kind != IR_RMW_SWAP) {
		x64_combine(x, kind, node->width, X64_SCRATCH, old, value);
		value = X64_SCRATCH;
	}
	x64_ssa_risk(s);
	x64_store(x, node->width, cell, value);
	if (wanted)
		x64_mov(x, node->width, to, old);
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
	x64_reg_mem(&s->x, 0, node->width == 64, 0x0FB1, value, cell, false); /* cmpxchg */
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
