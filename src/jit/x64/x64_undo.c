/* SPDX-License-Identifier: MIT
 *
 * Stores that are taken back. An instruction that stores and then may still leave for the cold engine (a push of two words, a
 * call that saves a frame) must not have changed anything when it does, since the cold engine begins it anew. So such a store
 * puts the cell's index and old content aside, and the way out of whatever stands behind it writes that back. Nobody can
 * have seen the new content: one host thread at a time runs a machine, and cells with marks are not stored to here.
 *
 * Which stores have been done is known at each place, since paths that meet must agree; where they do not the cold engine
 * does the instruction.
 */
#include "jit/x64/x64_code.h"

enum { NOT_REACHED = 1u << 31, DISAGREED = 1u << 30, FOR_GOOD = 1u << 29 /* an atomic access has been done */ };

static void arrive(X64Code *c, u32 block, u32 stored)
{
	if (c->stored[block] == NOT_REACHED)
		c->stored[block] = stored;
	else if (c->stored[block] != stored)
		c->stored[block] = DISAGREED;
}

bool x64_plan_undo(X64Code *c, u32 insn)
{
	const IrFunc *func = c->func;
	u32 stored = 0, needed = 0, count = 0, first = c->undo_count;

	if (!c->stored) {
		c->stored = ARENA_ARRAY(&c->engine->arena, u32, func->block_count);
		if (!c->stored) {
			c->failed = true;
			return false;
		}
		for (u32 b = 0; b < func->block_count; b++)
			c->stored[b] = NOT_REACHED;
	}
	for (u32 i = insn + 1; i < func->ins_count && func->ins[i].op != IR_OP_INSN; i++) {
		const IrIns *ins = &func->ins[i];

		if (c->block_at[i] != IR_NONE)
			stored = c->stored[c->block_at[i]];
		if (stored == NOT_REACHED)
			continue;
		if ((ir_op_info[ins->op].effects & IR_EFFECT_EXIT) || c->values[i].cold) {
			if (stored == DISAGREED || (stored & FOR_GOOD))
				return false;
			c->values[i].undo = stored;
			needed |= stored;
		}
		switch (ins->op) {
		case IR_OP_STORE:
			if (count == X64_UNDOS)
				return false;
			if (!arena_grow(&c->engine->arena, (void **)&c->undos, &c->undo_cap, c->undo_count, sizeof(Undo))) {
				c->failed = true;
				return false;
			}
			c->undos[c->undo_count++] = (Undo){ .store = i, .insn = insn, .bit = count };
			stored |= 1u << count++;
			break;
		case IR_OP_RMW: case IR_OP_CAS: stored |= FOR_GOOD; break;
		case IR_OP_JMP: arrive(c, ins->a, stored); break;
		case IR_OP_BR:
			arrive(c, ins->b, stored);
			arrive(c, ins->c, stored);
			break;
		default: break;
		}
	}
	for (u32 i = first; i < c->undo_count; i++)
		c->undos[i].needed = needed >> c->undos[i].bit & 1;
	if (!needed)
		c->undo_count = first;
	return true;
}

const Undo *x64_undo_of(const X64Code *c, u32 store)
{
	for (u32 i = c->undo_count; i-- > 0 && c->undos[i].store >= store;)
		if (c->undos[i].store == store)
			return c->undos[i].needed ? &c->undos[i] : NULL;
	return NULL;
}

i32 x64_undo_place(const X64Code *c, const Undo *undo, bool old)
{
	return x64_slot(c->engine->slot_count) + (i32)(2 + X64_SPILLS + 2 * undo->bit + old) * 8;
}

void x64_note_undo(X64Code *c, const JitExit *exit, u32 stores)
{
	if (!stores || !exit)
		return;
	if (!arena_grow(&c->engine->arena, (void **)&c->undo_exits, &c->undo_exit_cap, c->undo_exit_count, sizeof(UndoExit)))
		c->failed = true;
	else
		c->undo_exits[c->undo_exit_count++] = (UndoExit){ exit, stores, c->insn };
}

/* The last store is the first to be taken back: two may have gone to one cell. */
void x64_emit_undo(X64Code *c, const JitExit *exit)
{
	for (u32 i = 0; i < c->undo_exit_count; i++) {
		const UndoExit *way = &c->undo_exits[i];

		if (way->exit != exit)
			continue;
		for (u32 k = c->undo_count; k-- > 0;)
			if (c->undos[k].insn == way->insn && (way->stores >> c->undos[k].bit & 1))
				x64_take_back(c, &c->undos[k]);
		return;
	}
}
