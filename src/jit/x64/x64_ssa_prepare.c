/* SPDX-License-Identifier: MIT
 *
 * What is known of a region before any node is selected.
 *
 *  1. A pinned slot has one HOME, in no block: it is there at each entry (ssa_alloc.h).
 *  2. Snapshots name every pinned slot, as registers are reused; those of hot LEAVEs only the others: what is pinned is an
 *     operand there.
 *  3. Values are held zero-extended, so a ZX is its operand.
 *  4. What a way out, an access or a condition needs, and what that needs, is computed: nothing else.
 *     What is only needed behind a loop is computed there.
 *  5. What a user does better itself is folded into it (X64Way).
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
	}
}

static bool is_hot_leave(const SsaNode *node)
{
	return node->op == SSA_LEAVE && node->aux != SSA_LEAVE_COLD;
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
} Survey;

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

typedef struct Needs {
	const SsaFunc *func;
	u8 *needed;
	SsaRef *work;
	u32 count;
} Needs;

static void need(Needs *n, SsaRef ref)
{
	ref = ssa_value(n->func, ref);
	if (!n->needed[ref])
		n->work[n->count++] = ref;
	n->needed[ref] = SSA_NEEDED;
}

static void need_operands(Needs *n, SsaFunc *func, SsaNode *node)
{
	for (unsigned k = ssa_operands(func, node); k-- > 0;)
		need(n, *ssa_operand(func, node, k));
}

static bool find_needed(SsaFunc *func)
{
	Needs n = { .func = func, .needed = ARENA_ARRAY(func->arena, u8, func->node_count),
		    .work = ARENA_ARRAY(func->arena, SsaRef, func->node_count) };

	if (!n.needed || !n.work)
		return false;
	for (u32 i = 0; i < func->entry_count; i++)
		need(&n, func->entries[i].ref);
	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref; ref = func->nodes[ref].next)
			if (!(ssa_effects(&func->nodes[ref]) & SSA_PURE) && func->nodes[ref].op != SSA_PUT)
				need_operands(&n, func, &func->nodes[ref]);
	while (n.count)
		need_operands(&n, func, &func->nodes[n.work[--n.count]]);
	func->needed = n.needed;
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
		s->vectors |= node->op == SSA_CANON || node->op == SSA_WIDE || node->op == SSA_LANE;
	survey->fetches |= node->op == SSA_FETCH;
	if (node->op == SSA_HOME || node->op == SSA_FETCH || node->op == SSA_BRING)
		name_slot(s, node->aux);
}

/* The block's list is made anew, of what stays. */
static void look_around_block(X64Ssa *s, Survey *survey, SsaBlock *block)
{
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
		s->way[ref] = X64_CODE;
		node->uses = 0;
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
		look_around_block(s, survey, &func->blocks[func->rpo[i]]);
	}
}

/* Constants and homes are in no block: one that is met for the first time counts its uses from here on. */
static void meet(X64Ssa *s, SsaRef value)
{
	if (s->way[value] != X64_DEAD)
		return;
	s->way[value] = X64_CODE;
	s->func->nodes[value].uses = 0;
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

/* For a hot LEAVE the entries of pinned slots stand behind the snapshot's own, in their order. */
static void complete_snap(X64Ssa *s, const SsaNode *node, SsaSnapEntry *entries, u32 *count)
{
	const SsaFunc *func = s->func;
	const Engine *engine = s->engine;
	SsaSnap *snap = &func->snaps[node->snap];
	const SsaSnapEntry *old = &func->entries[snap->first];
	SsaSnapEntry pins[JIT_PINS], *to = &entries[*count];
	u32 first = *count;

	for (u32 i = 0; i < engine->pin_count; i++)
		pins[i] = (SsaSnapEntry){ .ref = s->home[i], .slot = (u16)engine->pinned[i] };
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
	*count = (u32)(to - entries);
	for (const SsaSnapEntry *entry = &entries[first]; entry < to; entry++) {
		SsaRef value = ssa_value(func, entry->ref);

		s->in_snap[value] = true;
		meet(s, value);
	}
	snap->first = first;
	snap->count = *count - first - (is_hot_leave(node) ? engine->pin_count : 0);
}

/* Each way out gets a snapshot of its own, complete. Neighbours with the same entries still share them. */
static void complete_snaps(X64Ssa *s, const Survey *survey)
{
	SsaFunc *func = s->func;
	u32 count = 0;
	SsaSnapEntry *entries = ARENA_ROOM(s->arena, SsaSnapEntry, survey->entries + 1);
	SsaSnap *copies = ARENA_ROOM(s->arena, SsaSnap, survey->leave_count + 1), *old = func->snaps;
	SsaSnap was = { .count = ~(u32)0 }, is = { 0 };

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
		if (!is_hot_leave(node) && snap->first == was.first && snap->count == was.count) {
			snap->first = is.first;
			snap->count = is.count;
			continue;
		}
		was = *snap;
		complete_snap(s, node, entries, &count);
		is = *snap;
		if (is_hot_leave(node))
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
	return s->func->snaps[node->snap].count + (is_hot_leave(node) ? s->engine->pin_count : 0);
}

/* What is left in the blocks is needed. */
static void count_uses(X64Ssa *s)
{
	SsaFunc *func = s->func;

	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref; ref = func->nodes[ref].next) {
			SsaNode *node = &func->nodes[ref];

			for (unsigned k = 0, count = ssa_operands(func, node); k < count; k++) {
				SsaRef value = ssa_value(func, *ssa_operand(func, node, k));

				meet(s, value);
				func->nodes[value].uses++;
			}
		}
}

/* ---- Out of loops, downward ---- */

enum { SEVERAL = 0xFFFFFFFF };

static void used_in(const X64Ssa *s, u32 *where, SsaRef ref, u32 block)
{
	ref = ssa_value(s->func, ref);
	where[ref] = !where[ref] || where[ref] == block + 1 ? block + 1 : SEVERAL;
}

/* Per node: the only block it is used in, + 1. */
static void find_users(const X64Ssa *s, u32 *where)
{
	SsaFunc *func = s->func;

	for (u32 i = 0; i < func->rpo_count; i++) {
		u32 b = func->rpo[i], seen = ~(u32)0;

		for (SsaRef ref = func->blocks[b].first; ref; ref = func->nodes[ref].next) {
			SsaNode *node = &func->nodes[ref];
			u32 first, count;

			if (s->way[ref] == X64_DEAD && (ssa_effects(node) & SSA_PURE))
				continue;
			for (unsigned k = ssa_operands(func, node); k-- > 0;)
				used_in(s, where, *ssa_operand(func, node, k), node->op == SSA_PHI ? func->blocks[b].preds[k] : b);
			if (!leaves(node))
				continue;
			first = func->snaps[node->snap].first;
			count = entries_of(s, node);
			for (u32 k = 0; k < count && first != seen; k++)
				used_in(s, where, func->entries[first + k].ref, b);
			seen = count ? first : seen;
		}
	}
}

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
	u32 *where = ARENA_ARRAY(s->arena, u32, func->node_count);

	if (!where) {
		s->failed = true;
		return;
	}
	find_users(s, where);
	for (u32 i = func->rpo_count; i-- > 0;) {
		u32 b = func->rpo[i];

		for (SsaRef ref = func->blocks[b].depth ? func->blocks[b].last : 0, prev; ref; ref = prev) {
			u32 to = where[ref] - 1;

			prev = func->nodes[ref].prev;
			if (!where[ref] || where[ref] == SEVERAL || to == b || func->blocks[to].depth >= func->blocks[b].depth ||
			    func->blocks[to].header || !may_sink(s, ref) || !ssa_dominates(func, b, to))
				continue;
			ssa_remove(func, ref);
			ssa_insert_after_phis(func, to, ref);
		}
	}
}

/* ---- Folding ---- */

bool x64_ssa_is_compare(const SsaNode *node)
{
	return node->op >= IR_OP_EQ && node->op <= IR_OP_LEU;
}

/* Does operand `index` of `user` take the low `width` bits of it alone? */
static bool takes_low(const X64Ssa *s, const SsaNode *user, unsigned index, unsigned width)
{
	switch (user->op) {
	case IR_OP_ADD: case IR_OP_SUB: case IR_OP_MUL: case IR_OP_XOR:
		return width == user->width && (width == 8 || width == 16 || width == 32); /* what is above is cut off behind them */
	case IR_OP_AND: case IR_OP_OR:
		return width == 32 && user->width == 32;
	case IR_OP_SHL: case IR_OP_SHR: case IR_OP_SAR: case IR_OP_ROL: case IR_OP_ROR:
		if (index == 1)
			return (user->width == 64 && width == 6) || (user->width == 32 && width == 5);
		return width == 32 && user->width == 32;
	case IR_OP_EQ: case IR_OP_NE: case IR_OP_LTS: case IR_OP_LES: case IR_OP_LTU: case IR_OP_LEU:
		return width == 32;
	case IR_OP_SX:
		return width == 8 || width == 16 || width == 32;
	case IR_OP_FOFS:
		return width == 32;
	case SSA_STORE:
		return index == 1 && (width == 8 || width == 16 || width == 32) && user->width == width &&
		       s->engine->env.paged;
	default:
		return false;
	}
}

/* EXTRACTs are counted out: what all users look through is no use of the EXTRACT. */
static void look_through(X64Ssa *s)
{
	SsaFunc *func = s->func;
	u32 *low, *list = NULL, count = 0, cap = 0;

	if (!ssa_has_made(func, IR_OP_EXTRACT))
		return;
	low = ARENA_ARRAY(s->arena, u32, func->node_count);
	if (!low) {
		s->failed = true;
		return;
	}
	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref; ref = func->nodes[ref].next) {
			const SsaNode *node = &func->nodes[ref];
			unsigned operands = ssa_operands(func, node);

			if (s->way[ref] == X64_DEAD || node->op == SSA_PHI)
				continue;
			for (unsigned k = 0; k < operands; k++) {
				SsaRef operand = k == 0 ? node->a : k == 1 ? node->b : node->c, value = ssa_value(func, operand);
				const SsaNode *used = &func->nodes[value];
				bool shifts = k == 1 && node->op >= IR_OP_SHL && node->op <= IR_OP_ROR;

				if (used->op != IR_OP_EXTRACT || used->aux != 0 || !takes_low(s, node, k, used->width) ||
				    (!shifts && func->nodes[operand].width != used->width) || low[value]++)
					continue;
				if (!arena_grow(s->arena, (void **)&list, &cap, count, sizeof(u32))) {
					s->failed = true;
					return;
				}
				list[count++] = value;
			}
		}
	for (u32 i = 0; i < count; i++) {
		SsaRef ref = list[i];

		if (low[ref] == func->nodes[ref].uses && !s->in_snap[ref] && s->way[ref] == X64_CODE) {
			SsaRef from = ssa_value(func, func->nodes[ref].a);

			s->way[ref] = X64_LOOKED;
			func->nodes[from].uses += low[ref] - 1;
		}
	}
}

SsaRef x64_ssa_low(const X64Ssa *s, SsaRef ref)
{
	ref = ssa_value(s->func, ref);
	while (s->way[ref] == X64_LOOKED)
		ref = ssa_value(s->func, s->func->nodes[ref].a);
	return ref;
}

static bool only_use(const X64Ssa *s, SsaRef ref)
{
	return s->func->nodes[ref].uses == 1 && !s->in_snap[ref] && s->way[ref] == X64_CODE;
}

static bool raises(const SsaNode *node)
{
	return node->op < IR_OP_COUNT && ir_float_operands((IrOp)node->op) && (node->aux & SSA_FLOAT_RAISES);
}

/* May the node be computed where `user` stands? Its flags are raised in the same guest instruction, then. */
static bool can_wait(const X64Ssa *s, SsaRef ref, SsaRef user)
{
	const SsaNode *nodes = s->func->nodes;

	if (!raises(&nodes[ref]))
		return true;
	for (unsigned i = 0; i < 16; i++) {
		ref = nodes[ref].next;
		if (ref == user)
			return true;
		if (!ref || (ssa_effects(&nodes[ref]) & SSA_EXIT))
			return false;
	}
	return false;
}

/* The condition a of `user`: a compare that nobody else needs is done there. */
static void fold_test(X64Ssa *s, SsaRef user)
{
	SsaRef ref = ssa_value(s->func, s->func->nodes[user].a);
	const SsaNode *node = &s->func->nodes[ref];
	bool branch = s->func->nodes[user].op == SSA_BRANCH;

	while (only_use(s, ref)) {
		u64 one;

		if (x64_ssa_is_compare(node) || node->op == IR_OP_FLT || node->op == IR_OP_FLE ||
		    (node->op == IR_OP_FEQ && branch)) {
			if (!can_wait(s, ref, user) || (!x64_ssa_is_compare(node) && !x64_ssa_float_native(s, node)))
				return;
			s->way[ref] = X64_FOLDED;
			if (x64_ssa_is_compare(node)) { /* test a, b */
				SsaRef a = ssa_value(s->func, node->a);

				if ((node->op == IR_OP_EQ || node->op == IR_OP_NE) && ssa_is_const(s->func, node->b, &one) &&
				    one == 0 && s->func->nodes[a].op == IR_OP_AND && only_use(s, a))
					s->way[a] = X64_FOLDED;
			}
			return;
		}
		if (node->op == IR_OP_EXTRACT && node->width == 1 && node->aux < 64) {
			s->way[ref] = X64_FOLDED;
			return;
		}
		if (node->op != IR_OP_XOR || node->width != 1 || !ssa_is_const(s->func, node->b, &one) || one != 1)
			return;
		s->way[ref] = X64_FOLDED;
		ref = ssa_value(s->func, node->a);
		node = &s->func->nodes[ref];
	}
}

/* A load and the extension that is its only use are one move. */
static void join_load(X64Ssa *s, SsaRef sx)
{
	SsaRef ref = ssa_value(s->func, s->func->nodes[sx].a);
	const SsaNode *load = &s->func->nodes[ref], *node = &s->func->nodes[sx];

	if (load->op != SSA_LOAD || load->uses != 1 || s->in_snap[ref] || s->way[ref] != X64_CODE ||
	    (load->width != 8 && load->width != 16 && load->width != 32) || (node->width != 64 && node->width != 32) ||
	    node->width == load->width || s->func->nodes[node->a].width != load->width)
		return;
	if (load->aux != s->engine->env.code_space || !s->engine->env.paged) {
		X64Cells access = { .space = &s->engine->spaces[load->aux], .number = load->aux, .width = load->width };

		if (node->width != 64 || !s->engine->spaces || !x64_cells_possible(&access) || !x64_cells_signs(&access))
			return;
	}
	s->joined[ref] = sx;
	s->way[sx] = X64_JOINED;
}

/* add(shl(x, 1..3), y) and add(add(x, y), c) are one lea. */
static void fold_add(X64Ssa *s, const SsaNode *node)
{
	const SsaNode *nodes = s->func->nodes;
	SsaRef a = ssa_value(s->func, node->a), b = ssa_value(s->func, node->b);
	u64 count;

	if (node->width != 64 && node->width != 32)
		return;
	if (nodes[a].op != IR_OP_SHL) {
		SsaRef swap = a;

		a = b;
		b = swap;
	}
	if (nodes[a].op != IR_OP_SHL || !only_use(s, a) || nodes[a].width != node->width ||
	    !ssa_is_const(s->func, nodes[a].b, &count) || count < 1 || count > 3 || nodes[b].op == SSA_CONST)
		return;
	s->way[a] = X64_FOLDED;
}

/* and(not(x), y) is one instruction where the host has it. */
static void fold_not(X64Ssa *s, const SsaNode *node)
{
	const SsaNode *nodes = s->func->nodes;
	u64 ones;

	if (!s->has_bmi1 || (node->width != 64 && node->width != 32))
		return;
	for (unsigned k = 0; k < 2; k++) {
		SsaRef not = ssa_value(s->func, node->operands[k]), other = ssa_value(s->func, node->operands[!k]);

		if (nodes[not].op == IR_OP_XOR && nodes[not].width == node->width && only_use(s, not) && nodes[other].op != SSA_CONST &&
		    ssa_is_const(s->func, nodes[not].b, &ones) && ones == ~(u64)0 >> (64 - node->width)) {
			s->way[not] = X64_FOLDED;
			return;
		}
	}
}

static bool is_fetch_of(const X64Ssa *s, SsaRef ref, u32 slot)
{
	return s->func->nodes[ref].op == SSA_FETCH && s->func->nodes[ref].aux == slot;
}

/* What comes to a home is extended on the way there, or added to what is there. */
static void fold_bring(X64Ssa *s, const SsaNode *bring)
{
	SsaRef ref = ssa_value(s->func, bring->a), a, b;
	SsaNode *node = &s->func->nodes[ref];
	const SsaNode *from;

	if (!only_use(s, ref) || node->width != 64)
		return;
	a = ssa_value(s->func, node->a);
	from = &s->func->nodes[a];
	if (node->op == IR_OP_SX && from->width == 32 && from->op != SSA_CONST && !(from->op == SSA_LOAD && from->uses == 1))
		s->way[ref] = X64_FOLDED;
	if (node->op != IR_OP_ADD)
		return;
	b = ssa_value(s->func, node->b);
	if (is_fetch_of(s, b, bring->aux)) {
		node->a = b;
		node->b = a;
		b = a;
	} else if (!is_fetch_of(s, a, bring->aux)) {
		return;
	}
	if (s->func->nodes[b].op != SSA_CONST)
		s->way[ref] = X64_FOLDED;
}

/* From the stack to a parked slot: the load goes there itself, if nothing stands between the two that may leave or look. */
static void join_bring(X64Ssa *s, SsaRef bring)
{
	const SsaNode *node = &s->func->nodes[bring];
	SsaRef ref = ssa_value(s->func, node->a);
	const SsaNode *load = &s->func->nodes[ref];

	if (x64_ssa_park(s, node->aux) == JIT_NO_PIN || node->prev != ref || load->op != SSA_LOAD || load->width != 64 ||
	    !only_use(s, ref) || !s->engine->env.paged || load->aux != s->engine->env.code_space)
		return;
	s->joined[ref] = bring;
	s->way[bring] = X64_JOINED;
}

static void fold(X64Ssa *s)
{
	SsaFunc *func = s->func;

	for (u32 i = func->rpo_count; i-- > 0;)
		for (SsaRef ref = func->blocks[func->rpo[i]].last; ref; ref = func->nodes[ref].prev) {
			const SsaNode *node = &func->nodes[ref];

			if (s->way[ref] != X64_CODE)
				continue;
			switch (node->op) {
			case SSA_BRANCH: case SSA_GUARD: case IR_OP_SEL: fold_test(s, ref); break;
			case SSA_BRING:
				fold_bring(s, node);
				join_bring(s, ref);
				break;
			case IR_OP_SX: join_load(s, ref); break;
			case IR_OP_ADD: fold_add(s, node); break;
			case IR_OP_AND: fold_not(s, node); break;
			default: break;
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

static void find_fetches(X64Ssa *s, Fetches *f)
{
	SsaFunc *func = s->func;

	for (u32 i = 0; i < func->rpo_count; i++) {
		u32 seen = ~(u32)0;

		f->block = func->rpo[i];
		for (SsaRef ref = func->blocks[f->block].first; ref; ref = func->nodes[ref].next) {
			SsaNode *node = &func->nodes[ref];
			u32 first, count;

			if (s->way[ref] == X64_DEAD && node->op < SSA_CHECK)
				continue;
			for (unsigned k = ssa_operands(func, node); k-- > 0;)
				fetch_used(s, f, *ssa_operand(func, node, k), 0);
			if (leaves(node)) {
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

static void settle_fetches(X64Ssa *s)
{
	SsaFunc *func = s->func;
	Fetches f = { .now = ARENA_ARRAY(s->arena, SsaRef, func->slot_count + 1), .varies = ARENA_ARRAY(s->arena, bool, func->node_count) };

	if (!f.now || !f.varies) {
		s->failed = true;
		return;
	}
	find_fetches(s, &f);
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
				unsigned operands = s->way[ref] == X64_DEAD ? 0 : ssa_operands(func, node);

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
	if (!s->way || !s->cls || !s->in_snap || !s->joined)
		return false;
	look_around(s, &survey);
	if (!s->failed && !s->unsupported)
		complete_snaps(s, &survey);
	if (!s->failed && !s->unsupported)
		count_uses(s);
	if (s->failed || s->unsupported)
		return false;
	if (survey.loops)
		sink(s);
	look_through(s);
	fold(s);
	if (survey.fetches && !s->failed)
		settle_fetches(s);
	if (s->vectors)
		choose_classes(s);
	return !s->failed;
}
