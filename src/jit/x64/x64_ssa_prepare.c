/* SPDX-License-Identifier: MIT
 *
 * What is known of a region before any node is selected.
 *
 *  1. A pinned slot has one HOME, in no block: it is there at each entry (ssa_alloc.h).
 *  2. Snapshots name every pinned slot, as registers are reused; those of hot LEAVEs only the others: what is pinned is an
 *     operand there. From then on they name no COPYs, nor do PHIs.
 *  3. Values are held zero-extended, so a ZX is its operand.
 *  4. What a way out, an access or a condition needs, and what that needs, is computed: nothing else.
 *     What is only needed behind a loop is computed there.
 *  5. What a user does better itself is folded into it (x64_ssa_fold.c).
 *  6. What a slot that stays at home holds is read there, where it is needed, as long as nothing else comes to it: FETCH is HOME then.
 *  7. The class of each value: what makes and uses floats decides about loads, homes and PHIs.
 */
#include "jit/x64/x64_ssa.h"

#include <string.h>

/* ---- States of the ways out ---- */

static void make_homes(X64Ssa *s)
{
	for (u32 i = 0; i < s->engine->pin_count; i++) {
		u32 slot = s->engine->pinned[i];

		s->home[i] = ssa_node(s->func, SSA_HOME, s->func->slot_width[slot], slot, 0, 0, 0, 0);
		s->home_entries[i] = (SsaSnapEntry){ .ref = s->home[i], .slot = (u16)slot };
	}
}

static bool leaves(const SsaNode *node)
{
	return (ssa_effects(node) & SSA_EXIT) || node->op == SSA_LEAVE;
}

/* What of all that is worth to be looked for, and the ways out, in order. */
typedef struct Survey {
	SsaRef *leaves;
	u32 leave_count, leave_cap;
	u32 entries;   /* of their snapshots */
	bool fetches, loops;
	bool names_fetch; /* some way out names one */
} Survey;

enum { SEVERAL = 0xFFFFFFFF };

/* node->mark: the only block that the value is used in, + 1, or SEVERAL. */
static inline void used_in(SsaNode *value, u32 block)
{
	value->mark = !value->mark || value->mark == block + 1 ? block + 1 : SEVERAL;
}

static void note_leave(X64Ssa *s, Survey *survey, SsaRef ref)
{
	const SsaFunc *func = s->func;

	if (func->nodes[ref].snap >= func->snap_count) {
		s->unsupported = true;
		return;
	}
	if (!arena_grow(s->arena, (void **)&survey->leaves, &survey->leave_cap, survey->leave_count, sizeof(SsaRef))) {
		s->failed = true;
		return;
	}
	survey->leaves[survey->leave_count++] = ref;
	survey->entries += func->snaps[func->nodes[ref].snap].count + s->engine->pin_count;
}

/* ---- What is needed, where ssa_snap has not said so ---- */

static bool find_needed(SsaFunc *func)
{
	SsaNeeds needs;

	if (!ssa_find_needed(func, &needs))
		return false;
	for (u32 i = 0; i < func->entry_count; i++)
		ssa_need(func, &needs, func->entries[i].ref, SSA_NEEDED);
	func->needed = needs.needed;
	return true;
}

/* ---- Nodes that stay ---- */

/* Snapshots have said what INSNs and PUTs were for, and what nobody needs. */
static bool is_idle(const SsaFunc *func, const SsaNode *node, SsaRef ref)
{
	if (node->op == SSA_INSN || node->op == SSA_PUT)
		return true;
	return !func->needed[ref] && ssa_effects(node) & SSA_PURE;
}

/* Homes of pinned slots become the one there is; a ZX its operand. What the node is then; 0: it stays. */
static SsaRef stands_for(const X64Ssa *s, const SsaNode *node)
{
	if (node->op == IR_OP_ZX)
		return node->a;
	if (node->op == SSA_HOME && s->pin_reg[node->aux] != JIT_NO_PIN)
		return s->home[s->engine->pin_of[node->aux]];
	return 0;
}

static void name_slot(X64Ssa *s, u32 slot)
{
	s->named[slot / 64] |= (u64)1 << slot % 64;
}

static void look_at(X64Ssa *s, Survey *survey, const SsaNode *node, SsaRef ref)
{
	if (leaves(node))
		note_leave(s, survey, ref);
	else if (node->op < IR_OP_COUNT)
		s->vectors |= ir_float_operands((IrOp)node->op) != 0;
	else
		s->vectors |= node->op == SSA_CANON;
	survey->fetches |= node->op == SSA_FETCH;
	if (node->op == SSA_HOME || node->op == SSA_FETCH || node->op == SSA_BRING)
		name_slot(s, node->aux);
}

/* Constants and homes are in no block: one that is met for the first time counts its uses from here on. */
static inline void meet(X64Ssa *s, SsaRef value)
{
	if (s->way[value] != X64_DEAD)
		return;
	s->way[value] = X64_CODE;
	s->func->nodes[value].uses = s->func->nodes[value].mark = 0;
}

/* Who uses what: an operand stands in front of it, and has been seen. */
static void count_operands(X64Ssa *s, SsaNode *node, u32 block)
{
	SsaFunc *func = s->func;
	const SsaRef *operands = node->op == SSA_WIDE ? func->pool + node->a : node->operands;

	for (unsigned k = 0, count = ssa_operands(func, node); k < count; k++) {
		SsaRef operand = operands[k], value = ssa_value(func, operand);

		meet(s, value);
		func->nodes[value].uses++;
		used_in(&func->nodes[value], block);
		if (func->nodes[value].op == IR_OP_EXTRACT)
			x64_ssa_note_extract(s, node, k, operand);
	}
}

/* Those of PHIs may stand behind them. */
static void count_arguments(X64Ssa *s, const SsaBlock *block)
{
	SsaFunc *func = s->func;

	for (SsaRef ref = block->first; func->nodes[ref].op == SSA_PHI; ref = func->nodes[ref].next)
		for (u32 k = 0; k < block->pred_count; k++) {
			SsaRef *arg = &func->pool[func->nodes[ref].a + k], value = *arg = ssa_value(func, *arg);

			meet(s, value);
			func->nodes[value].uses++;
			used_in(&func->nodes[value], block->preds[k]);
		}
}

/* The block's list is made anew, of what stays. */
static void look_around_block(X64Ssa *s, Survey *survey, u32 b)
{
	SsaBlock *block = &s->func->blocks[b];
	SsaNode *nodes = s->func->nodes;
	SsaRef last = 0, next;

	for (SsaRef ref = block->first; ref; ref = next) {
		SsaNode *node = &nodes[ref];
		bool idle = is_idle(s->func, node, ref);
		SsaRef by = idle ? 0 : stands_for(s, node);

		next = node->next;
		if (!idle)
			look_at(s, survey, node, ref);
		if (idle || by) {
			node->prev = node->next = 0;
			node->block = SSA_NO_BLOCK;
			if (by) {
				node->op = SSA_COPY;
				node->a = by;
			}
			continue;
		}
		s->way[ref] = ssa_is_lazy(s->func, ref) ? X64_LAZY : X64_CODE;
		node->uses = node->mark = 0;
		if (node->op != SSA_PHI && s->way[ref] == X64_CODE)
			count_operands(s, node, b);
		node->prev = last;
		*(last ? &nodes[last].next : &block->first) = ref;
		last = ref;
	}
	nodes[last].next = 0; /* it ends with its END */
	block->last = last;
	block->insns = 0;
}

static void look_around(X64Ssa *s, Survey *survey)
{
	SsaFunc *func = s->func;

	for (u32 i = 0; i < func->rpo_count; i++) {
		survey->loops |= func->blocks[func->rpo[i]].depth != 0;
		look_around_block(s, survey, func->rpo[i]);
	}
	for (u32 i = 0; i < func->rpo_count; i++)
		count_arguments(s, &func->blocks[func->rpo[i]]);
}

static void check_entry(X64Ssa *s, SsaSnapEntry *entry)
{
	const SsaFunc *func = s->func;

	switch ((SsaRecipe)entry->recipe) {
	case SSA_ZX:
		if (func->nodes[entry->ref].width <= entry->imm)
			entry->recipe = SSA_AS_IS; /* values are held so */
		break;
	case SSA_BOX: case SSA_BOX_NAN:
		s->unsupported |= entry->imm != 32 || func->slot_width[entry->slot] != 64;
		s->vectors = true;
		break;
	case SSA_NAN:
		s->vectors = true;
		break;
	case SSA_AS_IS: case SSA_SX: case SSA_PLUS:
		break;
	}
}

/* The leaves of `ref` that this snapshot does not name yet. How many. */
static u32 leaves_of(X64Ssa *s, SsaRef ref, u32 snap, SsaSnapEntry *to)
{
	const SsaFunc *func = s->func;
	const SsaNode *node = &func->nodes[ref];
	u32 count = 0;

	for (unsigned k = 0; k < ssa_operands(func, node); k++) {
		SsaRef operand = ssa_value(func, node->operands[k]);

		if (func->nodes[operand].op == SSA_CONST || s->leaf_of[operand] == snap + 1)
			continue;
		s->leaf_of[operand] = snap + 1;
		if (s->way[operand] == X64_LAZY)
			count += leaves_of(s, operand, snap, to + count);
		else
			to[count++] = (SsaSnapEntry){ .ref = operand, .slot = SSA_NO_SLOT };
	}
	return count;
}

/* Behind those of a snapshot: what its lazy values are made of. */
static u32 add_leaves(X64Ssa *s, u32 snap, const SsaSnapEntry *entries, SsaSnapEntry *to)
{
	u32 count = 0;

	for (const SsaSnapEntry *entry = entries; entry < to; entry++)
		s->leaf_of[ssa_value(s->func, entry->ref)] = snap + 1;
	for (const SsaSnapEntry *entry = entries; entry < to; entry++) {
		SsaRef value = ssa_value(s->func, entry->ref);

		if (s->way[value] == X64_LAZY)
			count += leaves_of(s, value, snap, to + count);
	}
	return count;
}

/* For a hot LEAVE the entries of pinned slots stand behind the snapshot's own, in their order. */
static void complete_snap(X64Ssa *s, Survey *survey, const SsaNode *node, SsaSnapEntry *entries, u32 *count)
{
	const SsaFunc *func = s->func;
	const Engine *engine = s->engine;
	SsaSnap *snap = &func->snaps[node->snap];
	const SsaSnapEntry *old = &func->entries[snap->first];
	SsaSnapEntry pins[JIT_PINS], *to = &entries[*count];
	u32 first = *count;

	memcpy(pins, s->home_entries, sizeof pins);
	for (u32 i = 0, own = snap->count; i < own; i++) {
		u8 pin = engine->pin_of[old[i].slot];
		SsaSnapEntry *entry = pin != JIT_NO_PIN ? &pins[pin] : to++;

		name_slot(s, old[i].slot);
		*entry = old[i];
		if (entry->recipe != SSA_AS_IS)
			check_entry(s, entry);
	}
	for (u32 i = 0; i < engine->pin_count; i++)
		*to++ = pins[i];
	to += s->leaf_of ? add_leaves(s, (u32)(snap - func->snaps), &entries[first], to) : 0;
	*count = (u32)(to - entries);
	for (SsaSnapEntry *entry = &entries[first]; entry < to; entry++) {
		SsaRef value = entry->ref = ssa_value(func, entry->ref);

		s->in_snap[value] = true;
		meet(s, value);
		used_in(&func->nodes[value], node->block);
		survey->names_fetch |= func->nodes[value].op == SSA_FETCH;
	}
	snap->first = first;
	snap->count = *count - first - (ssa_is_hot_leave(node) ? engine->pin_count : 0);
}

/* Lazy values name more than their own entries: at most so much again as there are values. */
static bool room_for_leaves(X64Ssa *s, Survey *survey, SsaSnapEntry **entries, u32 count, u32 own)
{
	u32 wanted = count + own + s->engine->pin_count + 3 * s->func->lazy_count;
	SsaSnapEntry *more;

	if (wanted <= survey->entries)
		return true;
	more = ARENA_ROOM(s->arena, SsaSnapEntry, 2 * wanted);
	if (!more) {
		s->failed = true;
		return false;
	}
	memcpy(more, *entries, count * sizeof *more);
	*entries = more;
	survey->entries = 2 * wanted;
	return true;
}

/* Each way out gets a snapshot of its own, complete. Neighbours with the same entries still share them. */
static void complete_snaps(X64Ssa *s, Survey *survey)
{
	SsaFunc *func = s->func;
	u32 count = 0;
	SsaSnapEntry *entries = ARENA_ROOM(s->arena, SsaSnapEntry, survey->entries + 1);
	SsaSnap *copies = ARENA_ROOM(s->arena, SsaSnap, survey->leave_count + 1), *old = func->snaps;
	SsaSnap was = { .count = ~(u32)0 }, is = { 0 };
	u32 block = SSA_NO_BLOCK;

	if (!entries || !copies) {
		s->failed = true;
		return;
	}
	func->snaps = copies;
	for (u32 i = 0; i < survey->leave_count; i++) {
		SsaNode *node = &func->nodes[survey->leaves[i]];
		SsaSnap *snap = &copies[i];

		*snap = old[node->snap];
		node->snap = i;
		if (s->leaf_of && !room_for_leaves(s, survey, &entries, count, snap->count))
			return;
		if (!ssa_is_hot_leave(node) && snap->first == was.first && snap->count == was.count) {
			snap->first = is.first;
			snap->count = is.count;
			for (u32 k = 0; k < is.count && node->block != block; k++)
				used_in(&func->nodes[entries[is.first + k].ref], node->block);
			block = node->block;
			continue;
		}
		was = *snap;
		block = node->block;
		complete_snap(s, survey, node, entries, &count);
		is = *snap;
		if (ssa_is_hot_leave(node))
			was.count = ~(u32)0;
	}
	func->snap_count = func->snap_cap = survey->leave_count;
	func->entries = entries;
	func->entry_count = func->entry_cap = count;
}

/* ---- What is needed ---- */

/* With those of pinned slots. Snapshots that begin with the same entry have the same ones. */
static u32 entries_of(const X64Ssa *s, const SsaNode *node)
{
	return s->func->snaps[node->snap].count + (ssa_is_hot_leave(node) ? s->engine->pin_count : 0);
}

/* ---- Out of loops, downward ---- */

/* An operation on one value and constants: that one lives on instead. */
static bool may_sink(const X64Ssa *s, SsaRef ref)
{
	const SsaFunc *func = s->func;
	const SsaNode *node = &func->nodes[ref];
	SsaRef a = ssa_value(func, node->a);

	switch (node->op) {
	case IR_OP_ADD: case IR_OP_AND: case IR_OP_OR: case IR_OP_XOR: case IR_OP_SHL: case IR_OP_SHR: case IR_OP_SAR:
		return s->way[ref] == X64_CODE && ssa_is_const(func, node->b, NULL) && func->nodes[a].op != SSA_CONST;
	case IR_OP_SX: case IR_OP_EXTRACT:
		return s->way[ref] == X64_CODE && func->nodes[a].op != SSA_CONST && func->nodes[a].op != SSA_LOAD;
	default:
		return false;
	}
}

/* What only those need who come out of a loop is computed behind it. */
static void sink(X64Ssa *s)
{
	SsaFunc *func = s->func;

	for (u32 i = func->rpo_count; i-- > 0;) {
		u32 b = func->rpo[i];

		for (SsaRef ref = func->blocks[b].depth ? func->blocks[b].last : 0, prev; ref; ref = prev) {
			u32 to = func->nodes[ref].mark - 1;

			prev = func->nodes[ref].prev;
			if (to >= func->block_count || to == b || func->blocks[to].depth >= func->blocks[b].depth ||
			    func->blocks[to].header || !may_sink(s, ref) || !ssa_dominates(func, b, to))
				continue;
			ssa_remove(func, ref);
			ssa_insert_after_phis(func, to, ref);
		}
	}
}

/* ---- Slots that stay at home ---- */

typedef struct Fetches {
	SsaRef *now;   /* per slot: the last FETCH of it, if nothing else has come there since. One of another block is none */
	bool *varies;  /* per node: a FETCH that is used where the home may hold something else */
	SsaRef *list;  /* all FETCHes */
	u32 list_count, list_cap;
	u32 block;
} Fetches;

/* `ref` is used where the block has come to. What is folded into its user is computed here, too. */
static void fetch_used(const X64Ssa *s, Fetches *f, SsaRef ref, unsigned depth);

static void folded_used(const X64Ssa *s, Fetches *f, SsaRef ref, unsigned depth)
{
	const SsaNode *node = &s->func->nodes[ref];

	for (unsigned k = ssa_operands(s->func, node); k-- > 0 && depth <= 8;)
		fetch_used(s, f, node->operands[k], depth + 1);
}

static inline void fetch_used(const X64Ssa *s, Fetches *f, SsaRef ref, unsigned depth)
{
	const SsaNode *node = &s->func->nodes[ref = ssa_value(s->func, ref)];

	if (node->op == SSA_FETCH)
		f->varies[ref] |= f->now[node->aux] != ref || node->block != f->block;
	if (s->way[ref] == X64_FOLDED || s->way[ref] == X64_LOOKED)
		folded_used(s, f, ref, depth);
}

static bool list_fetch(X64Ssa *s, Fetches *f, SsaRef ref)
{
	if (!arena_grow(s->arena, (void **)&f->list, &f->list_cap, f->list_count, sizeof(SsaRef))) {
		s->failed = true;
		return false;
	}
	f->list[f->list_count++] = ref;
	return true;
}

/* What is folded no way out names: those use a FETCH only where they name it. */
static void find_fetches(X64Ssa *s, Fetches *f, bool named)
{
	SsaFunc *func = s->func;

	for (u32 i = 0; i < func->rpo_count; i++) {
		u32 seen = ~(u32)0;

		f->block = func->rpo[i];
		for (SsaRef ref = func->blocks[f->block].first; ref; ref = func->nodes[ref].next) {
			SsaNode *node = &func->nodes[ref];
			u32 first, count;

			if ((s->way[ref] == X64_DEAD || s->way[ref] == X64_LAZY) && node->op < SSA_CHECK)
				continue;
			for (unsigned k = ssa_operands(func, node); k-- > 0;)
				fetch_used(s, f, *ssa_operand(func, node, k), 0);
			if (named && leaves(node)) {
				first = func->snaps[node->snap].first;
				count = entries_of(s, node);
				for (u32 k = 0; k < count && first != seen; k++)
					fetch_used(s, f, func->entries[first + k].ref, 0);
				seen = count ? first : seen;
			}
			if (node->op == SSA_FETCH || node->op == SSA_BRING) {
				f->now[node->aux] = node->op == SSA_FETCH ? ref : 0;
				seen = ~(u32)0;
				if (node->op == SSA_FETCH && !list_fetch(s, f, ref))
					return;
			}
		}
	}
}

static void settle_fetches(X64Ssa *s, bool named)
{
	SsaFunc *func = s->func;
	Fetches f = { .now = ARENA_ARRAY(s->arena, SsaRef, func->slot_count + 1), .varies = ARENA_ARRAY(s->arena, bool, func->node_count) };

	if (!f.now || !f.varies) {
		s->failed = true;
		return;
	}
	find_fetches(s, &f, named);
	for (u32 i = 0; i < f.list_count; i++)
		if (!f.varies[f.list[i]]) {
			func->nodes[f.list[i]].op = SSA_HOME;
			func->nodes[f.list[i]].imm = 1; /* not before it stands there */
		}
}

/* ---- Classes ---- */

/* 1: an xmm register, -1: a general one, 0: either. Of operand `index` of a user. */
static int wants_class(const X64Ssa *s, const SsaNode *user, unsigned index)
{
	if (user->op < IR_OP_COUNT && ir_float_operands((IrOp)user->op) && !x64_ssa_float_native(s, user))
		return -1;
	switch (user->op) {
	case IR_OP_FADD: case IR_OP_FSUB: case IR_OP_FMUL: case IR_OP_FDIV: case IR_OP_FSQRT: case IR_OP_FMA: case IR_OP_FEQ:
	case IR_OP_FLT: case IR_OP_FLE: case IR_OP_FTOS: case IR_OP_FTOF: case SSA_CANON:
		return 1;
	case SSA_STORE:
		return index == 1 ? 0 : -1;
	case SSA_PHI: case IR_OP_SEL: case SSA_BRING:
		return 0;
	default:
		return -1;
	}
}

static bool makes_float(const X64Ssa *s, const SsaNode *node)
{
	switch (node->op) {
	case IR_OP_FADD: case IR_OP_FSUB: case IR_OP_FMUL: case IR_OP_FDIV: case IR_OP_FSQRT: case IR_OP_FMA: case IR_OP_FOFS:
	case IR_OP_FOFU: case IR_OP_FTOF:
		return x64_ssa_float_native(s, node);
	default:
		return node->op == SSA_CANON;
	}
}

/* Loads, homes and PHIs vote with their users; PHIs with their arguments, too. */
static void choose_classes(X64Ssa *s)
{
	SsaFunc *func = s->func;
	i32 *votes = ARENA_ARRAY(s->arena, i32, func->node_count);
	bool floats = false;

	if (!votes) {
		s->failed = true;
		return;
	}
	for (SsaRef ref = 1; ref < func->node_count; ref++)
		if (s->way[ref] != X64_DEAD && makes_float(s, &func->nodes[ref])) {
			s->cls[ref] = SSA_XMM;
			floats = true;
		}
	for (unsigned round = 0; round < 4 && floats; round++) {
		memset(votes, 0, func->node_count * sizeof *votes);
		for (u32 i = 0; i < func->rpo_count; i++)
			for (SsaRef ref = func->blocks[func->rpo[i]].first; ref; ref = func->nodes[ref].next) {
				SsaNode *node = &func->nodes[ref];
				unsigned operands = s->way[ref] == X64_DEAD || s->way[ref] == X64_LAZY ? 0 : ssa_operands(func, node);

				for (unsigned k = 0; k < operands; k++) {
					SsaRef value = ssa_value(func, *ssa_operand(func, node, k));

					votes[value] += 4 * wants_class(s, node, k);
					if (node->op != SSA_PHI)
						continue;
					votes[value] += s->cls[ref] == SSA_XMM ? 3 : round ? -3 : 0;
					if (func->nodes[value].op != SSA_CONST)
						votes[ref] += makes_float(s, &func->nodes[value]) || s->cls[value] == SSA_XMM ? 4
							: round ? -1 : 0;
				}
			}
		for (SsaRef ref = 1; ref < func->node_count; ref++) {
			const SsaNode *node = &func->nodes[ref];

			if ((node->op == SSA_LOAD || node->op == SSA_PHI || node->op == SSA_FETCH || (node->op == SSA_HOME && node->block != SSA_NO_BLOCK)) &&
			    (node->width == 32 || node->width == 64))
				s->cls[ref] = votes[ref] > 0 ? SSA_XMM : SSA_GPR;
		}
	}
	for (SsaRef ref = 1; ref < func->node_count; ref++)
		if (func->nodes[ref].op == SSA_LOAD && s->joined[ref])
			s->cls[ref] = SSA_GPR;
}

bool x64_ssa_prepare(X64Ssa *s)
{
	Survey survey = { 0 };
	u32 room;

	make_homes(s);
	if (s->func->failed || (!s->func->needed && !find_needed(s->func)))
		return false;
	room = s->func->node_count;
	s->way = ARENA_ARRAY(s->arena, u8, room);
	s->cls = ARENA_ARRAY(s->arena, u8, room);
	s->in_snap = ARENA_ARRAY(s->arena, bool, room);
	s->joined = ARENA_ARRAY(s->arena, SsaRef, room);
	if (s->func->lazy && !(s->leaf_of = ARENA_ARRAY(s->arena, u32, room)))
		return false;
	if (!s->way || !s->cls || !s->in_snap || !s->joined)
		return false;
	look_around(s, &survey);
	if (!s->failed && !s->unsupported)
		complete_snaps(s, &survey);
	if (s->failed || s->unsupported)
		return false;
	if (survey.loops)
		sink(s);
	x64_ssa_fold(s);
	if (survey.fetches && !s->failed)
		settle_fetches(s, survey.names_fetch);
	if (s->vectors)
		choose_classes(s);
	return !s->failed;
}
