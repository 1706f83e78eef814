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
 *
 * State while building: per piece an array of values at its end, one per slot, 0 = at home. Only slots that the region
 * writes ever differ from 0. Constants are folded on the way, so a jump through a register that holds a known address
 * (the return of an inlined function) is an edge; edges that folding shows to be never taken are not made.
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

static void jump(SsaBuild *b, u32 piece)
{
	ssa_build_append(b, SSA_JUMP, 0, 0, 0, 0, 0, 0);
	go(b, piece);
}

static void leave(SsaBuild *b, SsaLeave kind, u64 pc, SsaRef computed, SsaRef back)
{
	bool first = !b->func->blocks[b->block].first;

	ssa_build_append(b, SSA_LEAVE, 0, kind, computed, back, 0, pc);
	/* A branch to what is not here: it never ran, or is far away. */
	b->func->blocks[b->block].cold |= kind == SSA_LEAVE_COLD || (kind == SSA_LEAVE_LINK && first);
}

/* Behind a call: 0, or the pc where an entry waits. */
static SsaRef way_back(SsaBuild *b, u32 s)
{
	u64 pc = bits_trunc(b->pc + b->length, b->region->pc_width);
	u32 to = ssa_build_target(b, s, pc, IR_FLOW_JUMP);

	return to == SSA_NONE || !b->region->sources[to].landing ? 0 : ssa_const(b->func, b->region->pc_width, pc);
}

static void end_goto(SsaBuild *b, const SsaPiece *piece, const IrIns *ins)
{
	SsaRef to = ssa_build_value(b, ins->a);
	bool call = ins->aux == IR_FLOW_CALL;
	u64 pc = 0;

	if (b->failed)
		return;
	if (ssa_is_const(b->func, to, &pc)) {
		u32 source = piece->succ_count ? b->pieces[piece->succ[0]].source : SSA_NONE; /* which begins there */

		if (source != SSA_NONE && b->region->sources[source].pc == pc)
			jump(b, piece->succ[0]);
		else
			leave(b, call ? SSA_LEAVE_CALL : SSA_LEAVE_LINK, pc, 0, call ? way_back(b, piece->source) : 0);
	} else if (call) {
		leave(b, SSA_LEAVE_CALLR, 0, to, way_back(b, piece->source));
	} else {
		leave(b, ins->aux == IR_FLOW_RET ? SSA_LEAVE_RET : SSA_LEAVE_JUMP, 0, to, 0);
	}
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
	switch (last->op) {
	case IR_OP_JMP:
		jump(b, piece->succ[0]);
		break;
	case IR_OP_BR:
		condition = ssa_build_value(b, last->a);
		if (b->failed)
			return;
		if (ssa_is_const(b->func, condition, &value)) {
			jump(b, piece->succ[value ? 0 : 1]);
		} else {
			ssa_build_append(b, SSA_BRANCH, 0, 0, condition, 0, 0, 0);
			go(b, piece->succ[0]);
			go(b, piece->succ[1]);
		}
		break;
	default:
		end_goto(b, piece, last);
	}
}

/* ---- Into a piece ---- */

static u32 piece_of_block(const SsaBuild *b, u32 block)
{
	return b->order[block]; /* blocks are made in the order of pieces */
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

static void meet_state(SsaBuild *b, const SsaPiece *piece)
{
	const SsaBlock *block = &b->func->blocks[b->block];
	bool open = piece->header && !block->pred_count;

	clear(b, b->state);
	for (u32 i = 0; i < b->slot_count; i++) {
		u32 slot = b->slots[i];
		bool phi = open || (piece->header && (piece->written[slot / 64] >> slot % 64 & 1));
		SsaRef first = open ? 0 : b->pieces[piece_of_block(b, block->preds[0])].state[slot];

		for (u32 k = 1; k < block->pred_count && !phi; k++)
			phi = b->pieces[piece_of_block(b, block->preds[k])].state[slot] != first;
		b->state[slot] = phi ? make_phi(b, piece, b->region->slot_width[slot], slot) : first;
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
	memcpy(b->homes, b->pieces[piece_of_block(b, block->preds[0])].homes, b->region->slot_count * sizeof(SsaRef));
	for (u32 k = 1; k < block->pred_count; k++)
		keep_common(b, b->homes, b->pieces[piece_of_block(b, block->preds[k])].homes);
}

/* What all predecessors know of homes. */
static void meet_near(SsaBuild *b, const SsaPiece *piece)
{
	const SsaBlock *block = &b->func->blocks[b->block];
	const SsaPiece *from = block->pred_count && !piece->header ? &b->pieces[piece_of_block(b, block->preds[0])] : NULL;

	if (!from)
		clear(b, b->near);
	else
		memcpy(b->near, from->near, b->region->slot_count * sizeof(SsaRef));
	for (u32 k = 1; k < block->pred_count && from; k++)
		keep_common(b, b->near, b->pieces[piece_of_block(b, block->preds[k])].near);
}

/* Parameters of the IR's blocks: control only goes forward there, so all predecessors are known. */
static void take_params(SsaBuild *b, SsaPiece *piece)
{
	const IrFunc *func = b->shapes[piece->source]->func;
	u32 preds = b->func->blocks[b->block].pred_count;

	for (u32 at = piece->start; at < piece->end && func->ins[at].op == IR_OP_PARAM; at++) {
		u32 index = at - piece->start;
		SsaRef phi = preds == 1 ? 0 : make_phi(b, piece, func->ins[at].width, SSA_NO_SLOT), first = 0;
		bool same = true;

		for (u32 k = 0; k < preds && !b->func->failed; k++) {
			const SsaPiece *from = &b->pieces[piece_of_block(b, b->func->blocks[b->block].preds[k])];
			const IrIns *jmp = &func->ins[from->end - 1];
			SsaRef value = index < jmp->c ? ssa_build_value(b, func->pool[jmp->b + index]) : 0;

			if (b->failed || !value) {
				b->failed = true;
				return;
			}
			same = same && (!first || first == value);
			first = first ? first : value;
			if (phi)
				b->func->pool[b->func->nodes[phi].a + k] = value;
		}
		if (phi && same)
			ssa_replace(b->func, phi, first);
		b->values[at - b->begin] = phi && !same ? phi : first;
	}
}

static void enter_piece(SsaBuild *b, u32 p)
{
	SsaPiece *piece = &b->pieces[p];
	const SsaBlock *block = &b->func->blocks[b->block];
	u32 count = b->region->slot_count;
	SsaRef *room = ARENA_ROOM(b->arena, SsaRef, 3 * (size_t)count + 1);

	if (!room) {
		b->failed = true;
		return;
	}
	piece->state = b->state = room;
	piece->homes = b->homes = b->single ? NULL : room + count;
	piece->near = b->near = b->stay ? room + 2 * (size_t)count : NULL;
	b->piece = p;
	b->pc = piece->pc;
	b->length = piece->length;
	if (b->stay)
		meet_near(b, piece);
	if (piece->source == SSA_NONE) {
		clear(b, b->state);
		if (b->homes)
			clear(b, b->homes);
		return;
	}
	if (block->pred_count == 1 && !piece->header)
		memcpy(b->state, b->pieces[piece_of_block(b, block->preds[0])].state, b->region->slot_count * sizeof(SsaRef));
	else
		meet_state(b, piece);
	meet_homes(b, piece);
	memcpy(b->func->blocks[b->block].state, b->state, b->region->slot_count * sizeof(SsaRef));
	if (p != b->top[piece->source])
		take_params(b, piece);
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

	for (u32 at = start; at < end && !b->failed && !b->func->failed; at++)
		if (act[at] != SSA_ACT_NONE && !(ir_op_info[ins[at].op].effects & IR_EFFECT_END))
			ssa_build_ins(b, at);
}

static void build_piece(SsaBuild *b, u32 p)
{
	SsaPiece *piece = &b->pieces[p];

	b->block = piece->block;
	if (piece->source != SSA_NONE && !piece->header && !b->func->blocks[b->block].pred_count)
		return; /* what folding has shown */
	enter_source(b, piece->source);
	enter_piece(b, p);
	piece->built = true;
	if (piece->start < piece->end)
		build_operations(b, piece->start, piece->end);
	if (!b->failed && !b->func->failed)
		end_piece(b, p);
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
			b->func->pool[node->a + i] =
				b->pieces[piece_of_block(b, b->func->blocks[block].preds[i])].state[node->aux];
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

		for (u32 i = 0; slot != SSA_NO_SLOT && i < b->func->blocks[block].pred_count && !b->func->failed; i++) {
			u32 from = b->func->blocks[block].preds[i];

			if (b->func->pool[args + i])
				continue;
			b->block = from;
			b->homes = b->pieces[piece_of_block(b, from)].homes;
			b->func->pool[args + i] = ssa_build_home(b, slot);
		}
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

static void close_loops(SsaBuild *b)
{
	bool changed = true;

	for (u32 i = 0; i < b->order_count; i++)
		if (b->pieces[b->order[i]].built)
			fill_phis(b, i);
	for (u32 round = 0; round < 8 && changed; round++) {
		changed = false;
		for (u32 i = 0; i < b->order_count && !b->func->failed; i++)
			if (b->pieces[b->order[i]].built)
				changed |= prune_phis(b, i);
	}
	for (u32 i = 0; i < b->order_count && !b->func->failed; i++)
		if (b->pieces[b->order[i]].built) {
			fetch_homes(b, i);
			settle_states(b, i);
		}
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
	for (u32 i = 0; i < b->order_count && !b->func->failed; i++) {
		SsaPiece *piece = &b->pieces[b->order[i]];

		piece->block = ssa_block(b->func, piece->pc);
		if (b->func->failed)
			break;
		b->func->blocks[piece->block].entry = piece->source == SSA_NONE;
		b->func->blocks[piece->block].heat = region->sources[piece->source == SSA_NONE ? piece->ir : piece->source].heat;
	}
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
	if (b.failed || !start(&b))
		return NULL;
	for (u32 i = 0; i < b.order_count && !b.failed && !b.func->failed; i++)
		build_piece(&b, b.order[i]);
	if (b.failed || b.func->failed)
		return NULL;
	close_loops(&b);
	ssa_order(b.func);
	return b.func->failed ? NULL : b.func;
}
