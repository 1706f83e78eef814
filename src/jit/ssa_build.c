/* SPDX-License-Identifier: MIT
 *
 * From guest blocks to a region in SSA.
 *
 *     ssa_shape.c          what each source comes to
 *     ssa_build_pieces.c   *pieces*: what becomes a block. A source is cut where another one begins, and into the blocks of its
 *                          IR. Their order; what cannot be reached is forgotten
 *     ssa_build_loops.c    which slots a loop changes: those have a PHI at its header; which stay at home
 *     ssa_build_nodes.c    nodes, piece by piece, so that of each piece all predecessors are there but for jumps back
 *     close_loops          arguments of the headers' PHIs; those that turn out to be one value are gone
 *     ssa_build_webs.c     likewise PHIs that name each other and one value
 *
 * Nodes are folded and shared as they are made (ssa_share.c), on a walk down the tree of dominators: what ssa_fold would throw away is
 * not made at all. So a jump through a register that holds a known address (the return of an inlined function) is an edge; edges
 * that folding shows to be never taken are not made. What is seen only when loops are closed is left to ssa_fold
 * (func->unfolded). A piece behind which alone another one stands has that in its block.
 *
 * State while building: per piece an array of values at its end, one per slot, 0 = at home. Only slots that the region
 * writes ever differ from 0.
 *
 * HOME nodes. With one entry there is one per slot, there. With several there is none that dominates everything: each piece
 * has a table of those that reach it (homes).
 */
#include <string.h>

#include "base/bits.h"
#include "jit/ssa_build_private.h"

/* ---- Ends ---- */

static void go(SsaBuild *b, u32 piece)
{
	ssa_edge(b->func, b->block, b->pieces[piece].block);
}

/* What branches have said of the values that slots have: PHIs behind this piece get it. */
static void tell(SsaBuild *b)
{
	const SsaNode *nodes = b->func->nodes;
	SsaPiece *piece = &b->pieces[b->piece];

	for (u32 i = 0; i < b->slot_count && b->fold.mark_count; i++) {
		u32 slot = b->slots[i];
		SsaRef known = nodes[b->state[slot]].mark;

		if (!known)
			continue;
		if (!piece->told) {
			piece->told = ARENA_ROOM(b->arena, SsaRef, b->region->slot_count + 1);
			if (!piece->told) {
				b->failed = true;
				return;
			}
			memcpy(piece->told, b->state, b->region->slot_count * sizeof(SsaRef));
		}
		piece->told[slot] = known;
	}
}

static void jump(SsaBuild *b, u32 piece)
{
	if (b->pieces[piece].goes_on) {
		b->pieces[piece].wanted = true;
		return;
	}
	ssa_build_append(b, SSA_JUMP, 0, 0, 0, 0, 0, 0);
	go(b, piece);
	tell(b);
}

static void leave(SsaBuild *b, SsaLeave kind, u64 pc, SsaRef computed, SsaRef back)
{
	bool alone = !b->pieces[b->piece].goes_on, first = !b->func->blocks[b->block].first;

	ssa_build_append(b, SSA_LEAVE, 0, kind, computed, back, 0, pc);
	/* A branch to what is not here: it never ran, or is far away. */
	b->func->blocks[b->block].cold |= alone && (kind == SSA_LEAVE_COLD || (kind == SSA_LEAVE_LINK && first));
}

/* The pc behind a call. */
static SsaRef way_back(SsaBuild *b)
{
	return ssa_const(b->func, b->region->pc_width, bits_trunc(b->pc + b->length, b->region->pc_width));
}

/* A jump through a register: of a function that was taken in it goes on in the call's name. */
static void leave_computed(SsaBuild *b, const SsaPiece *piece, unsigned flow, SsaRef to)
{
	const SsaSource *sources = b->region->sources;
	u32 caller = sources[piece->source].back;
	bool astray = piece->how == SSA_PIECE_ASTRAY;
	const SsaNode *node = &b->func->nodes[to];

	/* Which bits count is seen to where that is needed, which is here (end_guess), and seldom. */
	if (astray && node->op == IR_OP_AND && ssa_is_const(b->func, node->b, NULL))
		to = ssa_build_append(b, IR_OP_AND, node->width, 0, node->a, node->b, 0, 0);
	if (flow == IR_FLOW_CALL)
		leave(b, SSA_LEAVE_CALLR, astray, to, way_back(b));
	else if (flow == IR_FLOW_JUMP && caller)
		leave(b, SSA_LEAVE_CALLR, astray, to, ssa_const(b->func, b->region->pc_width, sources[caller - 1].pc));
	else
		leave(b, flow == IR_FLOW_RET ? SSA_LEAVE_RET : SSA_LEAVE_JUMP, astray, to, 0);
	b->func->blocks[b->block].cold |= astray;
}

static void end_goto(SsaBuild *b, const SsaPiece *piece, const IrIns *ins)
{
	SsaRef to = ssa_fold_value(&b->fold, ssa_build_value(b, ins->a));
	bool call = ins->aux == IR_FLOW_CALL;
	u64 pc = 0;

	if (b->failed)
		return;
	if (ssa_is_const(b->func, to, &pc)) {
		u32 source = piece->succ_count ? b->pieces[piece->succ[0]].source : SSA_NONE; /* which begins there */

		if (source != SSA_NONE && b->region->sources[source].pc == pc)
			jump(b, piece->succ[0]);
		else
			leave(b, call ? SSA_LEAVE_CALL : SSA_LEAVE_LINK, pc, 0, call ? way_back(b) : 0);
	} else {
		leave_computed(b, piece, ins->aux, to);
	}
}

/* NOT of a condition is the other way round. */
static void branch(SsaBuild *b, SsaRef condition, const u32 succ[2])
{
	const SsaNode *node = &b->func->nodes[condition];
	bool inverted = node->op == IR_OP_XOR && ssa_is_const(b->func, node->b, NULL);

	ssa_build_append(b, SSA_BRANCH, 0, 0, inverted ? ssa_fold_value(&b->fold, node->a) : condition, 0, 0, 0);
	go(b, succ[inverted]);
	go(b, succ[!inverted]);
}

/* If it goes where it usually does, on there. An address whose low bits do not count is compared as it is: it has none, usually. */
static void end_guess(SsaBuild *b, const SsaPiece *piece, const IrIns *ins)
{
	u64 guess = b->region->sources[piece->source].guesses[piece->guess].pc, value;
	SsaRef to = ssa_fold_value(&b->fold, ssa_build_value(b, ins->a)), condition;
	const SsaNode *node = &b->func->nodes[to];

	if (b->failed || b->func->failed)
		return;
	if (node->op == IR_OP_AND && ssa_is_const(b->func, node->b, &value) && (guess & value) == guess)
		to = ssa_fold_value(&b->fold, node->a);
	if (ssa_is_const(b->func, to, &value)) {
		jump(b, piece->succ[value != guess]);
		return;
	}
	condition = ssa_fold_make(&b->fold, IR_OP_EQ, 1, 0, to, ssa_const(b->func, b->func->nodes[to].width, guess), 0);
	if (b->func->failed)
		return;
	if (ssa_is_const(b->func, condition, &value))
		jump(b, piece->succ[!value]);
	else
		branch(b, condition, piece->succ);
}

static void end_piece(SsaBuild *b, u32 p)
{
	SsaPiece *piece = &b->pieces[p];
	const IrIns *last;
	SsaRef condition;
	u64 value;

	if (piece->source == SSA_NONE || piece->how == SSA_PIECE_GO) {
		jump(b, piece->succ[0]);
		return;
	}
	if (piece->how == SSA_PIECE_LINK) {
		leave(b, SSA_LEAVE_LINK, piece->target, 0, 0);
		return;
	}
	if (piece->how == SSA_PIECE_COLD) {
		if (b->shapes[piece->source]->func->ins[piece->end].op == IR_OP_INSN)
			ssa_build_ins(b, piece->end);
		leave(b, ssa_calls_host(b->shapes[piece->source], piece->end) ? SSA_LEAVE_HOST : SSA_LEAVE_COLD, b->pc, 0, 0);
		return;
	}
	last = &b->shapes[piece->source]->func->ins[piece->end - 1];
	if (piece->how == SSA_PIECE_GUESS) {
		end_guess(b, piece, last);
		return;
	}
	switch (last->op) {
	case IR_OP_JMP:
		jump(b, piece->succ[0]);
		break;
	case IR_OP_BR:
		condition = ssa_fold_value(&b->fold, ssa_build_value(b, last->a));
		if (b->failed)
			return;
		if (ssa_is_const(b->func, condition, &value)) {
			jump(b, piece->succ[value ? 0 : 1]);
			b->again = true;
		} else {
			branch(b, condition, piece->succ);
		}
		break;
	default:
		end_goto(b, piece, last);
	}
}

/* ---- Into a piece ---- */

/* The piece that a block ends with. */
static const SsaPiece *end_of(const SsaBuild *b, u32 block)
{
	return &b->pieces[b->last[block]];
}

/* A PHI with room for all that may still jump here. */
static SsaRef make_phi(SsaBuild *b, const SsaPiece *piece, unsigned width, unsigned slot)
{
	SsaBlock *block = &b->func->blocks[b->block];
	u32 count = block->pred_count;
	SsaRef ref;

	block->pred_count = piece->pred_count;
	ref = ssa_phi(b->func, b->block, width, slot);
	b->func->blocks[b->block].pred_count = count;
	return ref;
}

static void clear(const SsaBuild *b, SsaRef *slots)
{
	memset(slots, 0, b->region->slot_count * sizeof(SsaRef));
}

/* HOME of a slot at the end of a block. */
static SsaRef home_behind(SsaBuild *b, u32 block, u32 slot)
{
	u32 here = b->block;
	SsaRef *homes = b->homes, home;

	b->block = block;
	b->homes = end_of(b, block)->homes;
	home = ssa_build_home(b, slot);
	b->block = here;
	b->homes = homes;
	return home;
}

/* The value of a slot behind a block, as it is known there. */
static SsaRef told_by(const SsaBuild *b, u32 block, u32 slot)
{
	const SsaPiece *piece = end_of(b, block);

	return piece->told ? piece->told[slot] : piece->state[slot];
}

/* A PHI of the block like this one. */
static SsaRef like(const SsaBuild *b, u32 block, SsaRef phi)
{
	const SsaFunc *func = b->func;
	const SsaNode *node = &func->nodes[phi], *other;
	u32 size = func->blocks[block].pred_count * (u32)sizeof(SsaRef), tries = 0;

	for (SsaRef ref = node->next; ref && tries < 8; ref = other->next, tries++) {
		other = &func->nodes[ref];
		if (other->op != SSA_PHI)
			break;
		if (other->width == node->width && !memcmp(func->pool + node->a, func->pool + other->a, size))
			return ref;
	}
	return 0;
}

/* What a slot is where ways meet that bring several values, all of which are known. */
static SsaRef merge(SsaBuild *b, const SsaPiece *piece, u32 slot)
{
	u32 block = b->block, count = b->func->blocks[block].pred_count;
	SsaRef phi = make_phi(b, piece, b->region->slot_width[slot], slot), first = 0, same;
	bool one = true, homes = true;

	for (u32 k = 0; k < count && !b->func->failed; k++) {
		u32 pred = b->func->blocks[block].preds[k];
		SsaRef value = told_by(b, pred, slot);
		const SsaNode *node;

		if (!value)
			value = home_behind(b, pred, slot);
		b->func->pool[b->func->nodes[phi].a + k] = value;
		first = k ? first : value;
		node = &b->func->nodes[value];
		one = one && value == first;
		homes = homes && node->op == SSA_HOME && node->aux == b->func->nodes[first].aux;
	}
	if (b->func->failed)
		return 0;
	same = one ? first : homes ? ssa_build_home(b, b->func->nodes[first].aux) : like(b, block, phi);
	if (!same)
		return phi;
	ssa_replace(b->func, phi, same);
	return ssa_build_settled(b, same, slot);
}

static void meet_state(SsaBuild *b, const SsaPiece *piece)
{
	const SsaBlock *block = &b->func->blocks[b->block];
	bool open = piece->header && !block->pred_count;

	clear(b, b->state);
	for (u32 i = 0; i < b->slot_count; i++) {
		u32 slot = b->slots[i];
		SsaRef first = open ? 0 : end_of(b, block->preds[0])->state[slot];
		bool same = !open;

		if (piece->header && (open || piece->written[slot / 64] >> slot % 64 & 1)) {
			b->state[slot] = make_phi(b, piece, b->region->slot_width[slot], slot);
			continue;
		}
		for (u32 k = 1; k < block->pred_count && same; k++)
			same = end_of(b, block->preds[k])->state[slot] == first;
		b->state[slot] = same ? first : piece->header ? make_phi(b, piece, b->region->slot_width[slot], slot)
			: merge(b, piece, slot);
		block = &b->func->blocks[b->block];
	}
}

/* Of what is known per slot, what others know as well. */
static void keep_common(const SsaBuild *b, SsaRef *known, const SsaRef *others)
{
	for (u32 slot = 0; slot < b->region->slot_count; slot++)
		if (known[slot] != others[slot])
			known[slot] = 0;
}

/* HOMEs that all predecessors know. A header may be reached from where a HOME is not: but for loops entered elsewhere, those
 * of the others dominate it. */
static void meet_homes(SsaBuild *b, const SsaPiece *piece)
{
	const SsaBlock *block = &b->func->blocks[b->block];

	if (b->single)
		return;
	if (!block->pred_count || (piece->header && piece->written == b->region_written)) {
		clear(b, b->homes);
		return;
	}
	memcpy(b->homes, end_of(b, block->preds[0])->homes, b->region->slot_count * sizeof(SsaRef));
	for (u32 k = 1; k < block->pred_count; k++)
		keep_common(b, b->homes, end_of(b, block->preds[k])->homes);
}

/* What all predecessors know of homes. */
static void meet_near(SsaBuild *b, const SsaPiece *piece)
{
	const SsaBlock *block = &b->func->blocks[b->block];
	const SsaPiece *from = block->pred_count && !piece->header ? end_of(b, block->preds[0]) : NULL;

	if (!from)
		clear(b, b->near);
	else
		memcpy(b->near, from->near, b->region->slot_count * sizeof(SsaRef));
	for (u32 k = 1; k < block->pred_count && from; k++)
		keep_common(b, b->near, end_of(b, block->preds[k])->near);
}

/* What a parameter of the IR's block gets from a piece. */
static SsaRef passed_by(SsaBuild *b, const IrFunc *func, const SsaPiece *from, u32 index)
{
	const IrIns *jmp = &func->ins[from->end - 1];
	SsaRef value = index < jmp->c ? ssa_build_value(b, func->pool[jmp->b + index]) : 0;

	b->failed |= !value;
	return value;
}

/* Parameters of the IR's blocks: control only goes forward there, so all predecessors are known. */
static void take_params(SsaBuild *b, SsaPiece *piece)
{
	const IrFunc *func = b->shapes[piece->source]->func;
	const SsaBlock *block = &b->func->blocks[b->block];
	u32 preds = piece->goes_on ? 1 : block->pred_count;

	for (u32 at = piece->start; at < piece->end && func->ins[at].op == IR_OP_PARAM && !b->failed; at++) {
		const SsaPiece *first = piece->goes_on ? &b->pieces[piece->preds[0]] : end_of(b, block->preds[0]);
		SsaRef value = passed_by(b, func, first, at - piece->start), phi;
		bool same = true;

		for (u32 k = 1; k < preds; k++)
			same = same && passed_by(b, func, end_of(b, block->preds[k]), at - piece->start) == value;
		b->values[at - b->begin] = value;
		if (same || b->failed)
			continue;
		b->values[at - b->begin] = phi = make_phi(b, piece, func->ins[at].width, SSA_NO_SLOT);
		for (u32 k = 0; k < preds && !b->func->failed; k++)
			b->func->pool[b->func->nodes[phi].a + k] = passed_by(b, func, end_of(b, block->preds[k]), at - piece->start);
	}
}

/* In the block of the one in front of it, whose state it takes over. */
static void go_on(SsaBuild *b, SsaPiece *piece)
{
	const SsaPiece *from = &b->pieces[piece->preds[0]];

	piece->state = b->state = from->state;
	piece->homes = b->homes = from->homes;
	piece->near = b->near = from->near;
}

static void enter_piece(SsaBuild *b, u32 p)
{
	SsaPiece *piece = &b->pieces[p];
	const SsaBlock *block = &b->func->blocks[b->block];
	u32 count = b->region->slot_count;
	SsaRef *room = ARENA_ROOM(b->arena, SsaRef, (1 + !b->single + !!b->stay) * (size_t)count + 1);

	if (!room) {
		b->failed = true;
		return;
	}
	piece->state = b->state = room;
	piece->homes = b->homes = b->single ? NULL : room + count;
	piece->near = b->near = b->stay ? room + (1 + !b->single) * (size_t)count : NULL;
	if (b->stay)
		meet_near(b, piece);
	if (piece->source == SSA_NONE) {
		clear(b, b->state);
		if (b->homes)
			clear(b, b->homes);
		return;
	}
	meet_homes(b, piece);
	if (block->pred_count == 1 && !piece->header)
		memcpy(b->state, end_of(b, block->preds[0])->state, b->region->slot_count * sizeof(SsaRef));
	else
		meet_state(b, piece);
	memcpy(b->func->blocks[b->block].state, b->state, b->region->slot_count * sizeof(SsaRef));
}

/* Its values are at hand. */
static void enter_source(SsaBuild *b, u32 s)
{
	if (s == SSA_NONE)
		return;
	b->shape = b->shapes[s];
	b->values = b->refs[s];
	b->begin = b->region->sources[s].begin;
	b->value_count = b->ends[s] > b->begin ? b->ends[s] - b->begin : 0;
}

static void build_operations(SsaBuild *b, u32 start, u32 end)
{
	const u8 *act = b->shape->act;
	const IrIns *ins = b->shape->func->ins;

	end -= (ir_op_info[ins[end - 1].op].effects & IR_EFFECT_END) != 0; /* it is the last of its block */
	for (u32 at = start; at < end && !b->failed && !b->func->failed; at++)
		if (act[at] != SSA_ACT_NONE)
			ssa_build_ins(b, at);
}

static void build_piece(SsaBuild *b, u32 p)
{
	SsaPiece *piece = &b->pieces[p];

	b->block = b->fold.block = piece->block;
	if (piece->goes_on ? !piece->wanted
		: piece->source != SSA_NONE && !piece->header && !b->func->blocks[b->block].pred_count)
		return; /* what folding has shown */
	b->piece = p;
	b->pc = piece->pc;
	b->length = piece->length;
	enter_source(b, piece->source);
	if (piece->goes_on) {
		go_on(b, piece);
	} else {
		if (!piece->header)
			ssa_fold_learn(&b->fold, piece->block);
		enter_piece(b, p);
	}
	b->last[b->block] = p;
	if (!b->failed && piece->source != SSA_NONE && p != b->top[piece->source])
		take_params(b, piece);
	piece->built = true;
	if (piece->start < piece->end && !b->failed)
		build_operations(b, piece->start, piece->end);
	if (!b->failed && !b->func->failed)
		end_piece(b, p);
}

/* ---- Down the tree of dominators ---- */

typedef struct Scope {
	u32 entries, marks;
	u32 next; /* child to visit: piece + 1 */
} Scope;

/* Children in the order of pieces. So the predecessors of a piece, those that jump back aside, come before it: each is below one
 * of the pieces beside it, or is what is above. */
static void walk_from(SsaBuild *b, u32 root, const u32 *child, const u32 *sibling, Scope *scopes)
{
	u32 depth = 0;

	for (u32 next = root + 1; next || depth; next = depth ? scopes[depth - 1].next : 0) {
		if (next) {
			if (depth)
				scopes[depth - 1].next = sibling[next - 1];
			scopes[depth++] = (Scope){b->fold.entry_count, b->fold.mark_count, child[next - 1]};
			build_piece(b, next - 1);
			if (b->failed || b->func->failed)
				return;
		} else {
			depth--;
			ssa_fold_forget(&b->fold, scopes[depth].entries, scopes[depth].marks);
		}
	}
}

static void build_pieces(SsaBuild *b)
{
	u32 *child = ARENA_ARRAY(b->arena, u32, b->piece_count), *sibling = ARENA_ARRAY(b->arena, u32, b->piece_count);
	Scope *scopes = ARENA_ROOM(b->arena, Scope, b->order_count + 1);

	if (!child || !sibling || !scopes) {
		b->failed = true;
		return;
	}
	for (u32 i = b->order_count; i-- > 0;) {
		u32 p = b->order[i], above = b->pieces[p].idom;

		if (above != p && above != SSA_NONE) {
			sibling[p] = child[above];
			child[above] = p + 1;
		}
	}
	for (u32 i = 0; i < b->order_count && !b->failed && !b->func->failed; i++) {
		u32 p = b->order[i];

		if (b->pieces[p].idom == p || b->pieces[p].idom == SSA_NONE)
			walk_from(b, p, child, sibling, scopes);
	}
}

/* ---- Loops ---- */

/* The one value that a PHI of a slot has; itself: there are several. */
static SsaRef only_value(const SsaBuild *b, SsaRef phi)
{
	const SsaNode *node = &b->func->nodes[phi];
	u32 count = b->func->blocks[node->block].pred_count;
	SsaRef only = phi;

	for (u32 i = 0; i < count; i++) {
		SsaRef value = ssa_build_settled(b, b->func->pool[node->a + i], node->aux);

		if (value == phi || value == only)
			continue;
		if (only != phi)
			return phi;
		only = value;
	}
	return only;
}

static void fill_phis(SsaBuild *b, u32 block)
{
	for (SsaRef ref = b->func->blocks[block].first; ref && b->func->nodes[ref].op == SSA_PHI; ref = b->func->nodes[ref].next) {
		const SsaNode *node = &b->func->nodes[ref];

		if (node->aux == SSA_NO_SLOT)
			continue;
		for (u32 i = 0; i < b->func->blocks[block].pred_count; i++)
			b->func->pool[node->a + i] = told_by(b, b->func->blocks[block].preds[i], node->aux);
	}
}

static bool prune_phis(SsaBuild *b, u32 block)
{
	SsaRef next;
	bool changed = false;

	for (SsaRef ref = b->func->blocks[block].first; ref && b->func->nodes[ref].op == SSA_PHI && !b->func->failed; ref = next) {
		u32 slot = b->func->nodes[ref].aux;
		SsaRef only = slot == SSA_NO_SLOT ? ref : only_value(b, ref);

		next = b->func->nodes[ref].next;
		if (only == ref)
			continue;
		if (!only) {
			b->block = block;
			only = b->single ? ssa_build_home(b, slot) : ssa_node(b->func, SSA_HOME, b->region->slot_width[slot], slot, 0, 0, 0, 0);
			if (!b->single)
				ssa_insert_after_phis(b->func, block, only);
		}
		next = b->func->nodes[ref].next;
		ssa_replace(b->func, ref, only);
		changed = true;
	}
	return changed;
}

/* Arguments that are at home are HOMEs, read where they come from. */
static void fetch_homes(SsaBuild *b, u32 block)
{
	for (SsaRef ref = b->func->blocks[block].first; ref && b->func->nodes[ref].op == SSA_PHI; ref = b->func->nodes[ref].next) {
		u32 slot = b->func->nodes[ref].aux, args = b->func->nodes[ref].a;

		for (u32 i = 0; slot != SSA_NO_SLOT && i < b->func->blocks[block].pred_count && !b->func->failed; i++)
			if (!b->func->pool[args + i])
				b->func->pool[args + i] = home_behind(b, b->func->blocks[block].preds[i], slot);
	}
}

/* Slots that a loop changes alike have one PHI. */
static void share_phis(SsaBuild *b, u32 block)
{
	SsaRef next, same;

	for (SsaRef ref = b->func->blocks[block].first; ref && b->func->nodes[ref].op == SSA_PHI && !b->func->failed; ref = next) {
		next = b->func->nodes[ref].next;
		same = like(b, block, ref);
		if (!same)
			continue;
		ssa_replace(b->func, ref, same);
		b->again = true;
	}
}

/* What PHIs have turned out to be; HOMEs of their own slot are at home. */
static void settle_states(SsaBuild *b, u32 block)
{
	SsaRef *state = b->func->blocks[block].state;

	for (u32 i = 0; i < b->slot_count; i++)
		if (state[b->slots[i]])
			state[b->slots[i]] = ssa_build_settled(b, state[b->slots[i]], b->slots[i]);
}

/* What headers' PHIs are is known now. Where some of them are one value, others may be one, and nodes that were made from them
 * something simpler. */
static void close_loops(SsaBuild *b)
{
	bool changed = false, loops = false;

	for (u32 i = 0; i < b->order_count && !b->func->failed; i++) {
		const SsaPiece *piece = &b->pieces[b->order[i]];

		if (piece->built && piece->header) {
			fill_phis(b, piece->block);
			loops = true;
		}
	}
	for (u32 i = 0; i < b->order_count && !b->func->failed; i++) {
		const SsaPiece *piece = &b->pieces[b->order[i]];

		if (piece->built && piece->header)
			changed |= prune_phis(b, piece->block);
	}
	b->again |= changed;
	for (u32 round = 0; round < 8 && changed; round++) {
		changed = false;
		for (u32 block = 0; block < b->func->block_count; block++)
			changed |= prune_phis(b, block);
	}
	b->again |= loops && !b->func->failed && ssa_build_webs(b);
	for (u32 i = 0; i < b->order_count && !b->func->failed; i++) {
		const SsaPiece *piece = &b->pieces[b->order[i]];

		if (piece->built && piece->header) {
			fetch_homes(b, piece->block);
			share_phis(b, piece->block);
		}
	}
	for (u32 block = 0; block < b->func->block_count && b->again; block++)
		settle_states(b, block);
}

/* ---- All ---- */

static bool prepare(SsaBuild *b)
{
	const SsaRegion *region = b->region;

	if (!region->count || region->count > SSA_BLOCKS_MOST || region->slot_count > SSA_SLOTS_MOST)
		return false;
	for (u32 s = 0; s < region->count; s++)
		if (region->sources[s].back > region->count)
			return false;
	b->words = (region->slot_count + 63) / 64 + !region->slot_count;
	b->shapes = ARENA_ARRAY(b->arena, const SsaShape *, region->count);
	b->refs = ARENA_ARRAY(b->arena, SsaRef *, region->count);
	b->ends = ARENA_ARRAY(b->arena, u32, region->count);
	b->top = ARENA_ARRAY(b->arena, u32, region->count);
	return b->shapes && b->refs && b->ends && b->top && ssa_build_map(b);
}

static void give_block(SsaBuild *b, SsaPiece *piece)
{
	u64 heat = b->region->sources[piece->source == SSA_NONE ? piece->ir : piece->source].heat;
	SsaBlock *block;

	piece->block = piece->goes_on ? b->pieces[piece->preds[0]].block : ssa_block(b->func, piece->pc);
	if (b->func->failed)
		return;
	block = &b->func->blocks[piece->block];
	block->entry |= piece->source == SSA_NONE;
	block->heat = heat > block->heat ? heat : block->heat;
}

static bool start(SsaBuild *b)
{
	const SsaRegion *region = b->region;
	u32 nodes = 0;

	b->func = ssa_create(b->arena, region->slot_count, region->slot_width);
	if (!b->func)
		return false;
	for (u32 i = 0; i < b->order_count; i++)
		nodes += b->pieces[b->order[i]].end - b->pieces[b->order[i]].start;
	ssa_reserve(b->func, nodes + nodes / 2 + 128, b->order_count + b->order_count / 4 + 4);
	b->func->pc_width = region->pc_width;
	b->func->context = region->context;
	b->func->hard_spaces = region->hard_spaces;
	b->func->careful = region->careful;
	b->func->has_wide = region->wide;
	b->func->spaces = region->spaces;
	b->func->space_count = region->space_count;
	b->func->stored_spaces = region->stored_spaces;
	b->func->flags_slot = region->flags_slot;
	b->func->elsewhere = b->slots;
	b->func->elsewhere_count = b->slot_count;
	if (b->entries == 1) {
		b->single = ARENA_ARRAY(b->arena, SsaRef, region->slot_count + 1);
		if (!b->single)
			return false;
	}
	b->last = ARENA_ROOM(b->arena, u32, b->order_count + 1);
	if (!b->last || !ssa_fold_start(&b->fold, b->func, nodes))
		return false;
	b->fold.sets_flags = b->sets_flags;
	for (u32 i = 0; i < b->order_count && !b->func->failed; i++)
		give_block(b, &b->pieces[b->order[i]]);
	for (u32 s = 0; s < region->count; s++) {
		u32 begin = region->sources[s].begin;
		SsaRef *refs = ARENA_ARRAY(b->arena, SsaRef, b->ends[s] > begin ? b->ends[s] - begin + 1 : 1);

		if (!refs)
			return false;
		b->refs[s] = refs;
	}
	return !b->func->failed;
}

SsaFunc *ssa_build(const SsaRegion *region, Arena *arena)
{
	SsaBuild b = {.region = region, .arena = arena};

	if (!prepare(&b))
		return NULL;
	ssa_build_cut(&b);
	if (b.failed)
		return NULL;
	ssa_build_order(&b);
	if (!b.failed)
		ssa_build_written(&b);
	if (!b.failed)
		ssa_build_homes(&b);
	if (b.failed)
		return NULL;
	ssa_build_dominators(&b);
	if (!start(&b))
		return NULL;
	build_pieces(&b);
	if (b.failed || b.func->failed)
		return NULL;
	close_loops(&b);
	b.func->unfolded = b.again;
	b.func->folded = b.func->node_count;
	ssa_order(b.func);
	return b.func->failed ? NULL : b.func;
}
