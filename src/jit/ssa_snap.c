/* SPDX-License-Identifier: MIT
 *
 * What each way out writes: the slots that are not at home, and how their values are made.
 *
 * First, what is computed anyway: all that something with an effect is made from (PUTs have none). A value that a way out
 * sees and nobody else needs is not computed if a recipe makes it from something that is: the sign of a narrow number, a
 * constant added, a NaN made canonical, a float put into its box. What a snapshot names is needed from there on.
 *
 * Neighbouring ways out with the same state share its entries, those of one instruction share the snapshot.
 *
 * The refund is what was charged and not done: charges and INSNs are followed along the order; that they come to the same on all
 * ways is ssa_fuel's doing. A FUEL has not charged yet when it leaves.
 */
#include <string.h>

#include "base/bits.h"
#include "jit/ssa.h"

typedef struct Snaps {
	SsaFunc *func;
	SsaNeeds needs;
	SsaRef *now;     /* per slot: its value, 0: at home */
	u64 *away;       /* bits: slots that are not */
	SsaSnapEntry *made; /* per slot: what the last way out wrote of `now`; ref 0: none has */
	u32 *owed;       /* per block, at its start */
	u32 words;
	u32 first, count; /* entries of the state now, */
	bool fresh;      /* if they are right */
	u32 snap;        /* ~0: the next way out needs another one */
} Snaps;

/* ---- Entries ---- */

static bool is_ones(const SsaFunc *func, SsaRef ref)
{
	u64 value;

	return ssa_is_const(func, ref, &value) && value == bits_mask(func->nodes[ssa_value(func, ref)].width);
}

/* How to make entry->ref, if it is not computed. */
static void choose_recipe(const Snaps *s, SsaSnapEntry *entry)
{
	const SsaFunc *func = s->func;
	const SsaNode *node = &func->nodes[entry->ref];
	SsaRef a = node->op < IR_OP_COUNT || node->op == SSA_CANON ? ssa_value(func, node->a) : 0;
	unsigned wide = func->slot_width[entry->slot], narrow = func->nodes[a].width;
	u64 value;
	i64 number;

	if (ssa_is_odd(func, entry->ref)) {
		entry->recipe = SSA_NAN;
		entry->imm = node->width;
	}
	if (!a || s->needs.needed[entry->ref] & SSA_NEEDED || ssa_is_odd(func, entry->ref) || node->width != wide)
		return;
	switch (node->op) {
	case IR_OP_SX: case IR_OP_ZX:
		if ((narrow != 8 && narrow != 16 && narrow != 32) || ssa_is_odd(func, a))
			return;
		*entry = (SsaSnapEntry){.ref = a, .slot = entry->slot, .recipe = node->op == IR_OP_SX ? SSA_SX : SSA_ZX, .imm = (i32)narrow};
		return;
	case IR_OP_ADD:
		if (!ssa_is_const(func, node->b, &value) || ssa_is_const(func, a, NULL) || ssa_is_odd(func, a))
			return;
		number = bits_signed(value, node->width);
		if (number == (i32)number)
			*entry = (SsaSnapEntry){.ref = a, .slot = entry->slot, .recipe = SSA_PLUS, .imm = (i32)number};
		return;
	case SSA_CANON:
		*entry = (SsaSnapEntry){.ref = a, .slot = entry->slot, .recipe = SSA_NAN, .imm = (i32)narrow};
		return;
	case IR_OP_CONCAT: {
		SsaRef low = ssa_value(func, node->b);
		bool odd = ssa_is_odd(func, low);

		if (!is_ones(func, a) || func->nodes[low].width != 32 || ssa_is_const(func, low, NULL))
			return;
		if (func->nodes[low].op == SSA_CANON && !(s->needs.needed[low] & SSA_NEEDED)) {
			low = ssa_value(func, func->nodes[low].a);
			odd = true;
		}
		*entry = (SsaSnapEntry){.ref = low, .slot = entry->slot, .recipe = odd ? SSA_BOX_NAN : SSA_BOX, .imm = 32};
		return;
	}
	default:
		return;
	}
}

static inline void set(Snaps *s, u32 slot, SsaRef ref)
{
	const SsaNode *node;
	u64 bit = (u64)1 << slot % 64;

	if (s->now[slot] == ref)
		return; /* most slots, from block to block */
	node = &s->func->nodes[ref = ssa_value(s->func, ref)];
	if (node->op == SSA_HOME && node->aux == slot)
		ref = 0;
	if (s->now[slot] == ref)
		return;
	s->now[slot] = ref;
	s->made[slot].ref = 0;
	s->away[slot / 64] = ref ? s->away[slot / 64] | bit : s->away[slot / 64] & ~bit;
	s->fresh = false;
}

/* A recipe is no good any more once its value is computed for something else. */
static SsaSnapEntry *entry_of(Snaps *s, u32 slot)
{
	SsaSnapEntry *entry = &s->made[slot];
	SsaRef ref = s->now[slot];

	if (!entry->ref || (entry->ref != ref && s->needs.needed[ref] & SSA_NEEDED)) {
		*entry = (SsaSnapEntry){.ref = ref, .slot = (u16)slot};
		choose_recipe(s, entry);
		ssa_need(s->func, &s->needs, entry->ref, SSA_NEEDED);
	}
	return entry;
}

static void add_entries(Snaps *s)
{
	SsaFunc *func = s->func;

	s->first = func->entry_count;
	for (u32 w = 0; w < s->words; w++)
		for (u64 left = s->away[w]; left; left &= left - 1) {
			const SsaSnapEntry *entry = entry_of(s, w * 64 + (u32)__builtin_ctzll(left));

			if (!arena_grow(func->arena, (void **)&func->entries, &func->entry_cap, func->entry_count, sizeof(*entry))) {
				func->failed = true;
				return;
			}
			func->entries[func->entry_count++] = *entry;
		}
	s->count = func->entry_count - s->first;
	s->fresh = true;
}

static void add_snap(Snaps *s, SsaRef ref, u64 pc, u32 refund)
{
	SsaFunc *func = s->func;

	if (!s->fresh) {
		add_entries(s);
		s->snap = ~(u32)0;
	}
	if (s->snap != ~(u32)0 && (func->snaps[s->snap].pc != pc || func->snaps[s->snap].refund != refund))
		s->snap = ~(u32)0;
	if (s->snap == ~(u32)0) {
		if (!arena_grow(func->arena, (void **)&func->snaps, &func->snap_cap, func->snap_count, sizeof(SsaSnap))) {
			func->failed = true;
			return;
		}
		s->snap = func->snap_count++;
		func->snaps[s->snap] = (SsaSnap){.pc = pc, .refund = refund, .first = s->first, .count = s->count};
	}
	func->nodes[ref].snap = s->snap;
}

/* ---- Blocks ---- */

static void snap_block(Snaps *s, u32 b)
{
	SsaFunc *func = s->func;
	const SsaBlock *block = &func->blocks[b];
	u32 owed = s->owed[b];
	u64 pc = block->pc;

	for (u32 i = 0; i < func->elsewhere_count; i++)
		set(s, func->elsewhere[i], block->state[func->elsewhere[i]]);
	for (SsaRef ref = block->first; ref && !func->failed; ref = func->nodes[ref].next) {
		const SsaNode *node = &func->nodes[ref];

		switch (node->op) {
		case SSA_PUT:
			set(s, node->aux, node->a);
			break;
		case SSA_INSN:
			pc = node->imm;
			owed--;
			break;
		case SSA_FUEL: /* between two instructions */
			add_snap(s, ref, ssa_pc_behind(func, ref), owed);
			owed += (u32)node->imm;
			break;
		case SSA_REFUND:
			owed -= (u32)node->imm;
			break;
		case SSA_LEAVE: {
			bool computed = node->aux == SSA_LEAVE_JUMP || node->aux == SSA_LEAVE_CALLR || node->aux == SSA_LEAVE_RET;

			add_snap(s, ref, computed ? 0 : node->imm, owed + (node->aux == SSA_LEAVE_COLD || node->aux == SSA_LEAVE_HOST));
			break;
		}
		default:
			if (ssa_effects(node) & SSA_EXIT)
				add_snap(s, ref, pc, owed + !block->ahead); /* there it has not begun */
		}
	}
	for (u32 k = 0; k < block->succ_count; k++)
		s->owed[block->succ[k]] = owed;
}

void ssa_snap(SsaFunc *func)
{
	Snaps s = {.func = func};

	if (func->failed)
		return;
	func->snap_count = func->entry_count = 0;
	s.now = ARENA_ARRAY(func->arena, SsaRef, func->slot_count + 1);
	s.made = ARENA_ARRAY(func->arena, SsaSnapEntry, func->slot_count + 1);
	s.words = func->slot_count / 64 + 1;
	s.away = ARENA_ARRAY(func->arena, u64, s.words);
	s.owed = ARENA_ARRAY(func->arena, u32, func->block_count);
	if (!ssa_find_needed(func, &s.needs) || !s.now || !s.made || !s.away || !s.owed) {
		func->failed = true;
		return;
	}
	func->needed = s.needs.needed;
	for (u32 i = 0; i < func->rpo_count && !func->failed; i++)
		snap_block(&s, func->rpo[i]);
}
