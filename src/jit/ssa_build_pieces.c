/* SPDX-License-Identifier: MIT
 *
 * A region's sources are cut into pieces, each of which becomes a block: where another source begins, and into the blocks of
 * the source's IR. Jumps between them are edges. Then they are put in order: reverse postorder from the entries; what
 * cannot be reached is forgotten, and two loops with one header become two.
 */
#include "jit/ssa_build_private.h"

#include "base/bits.h"

/* ---- Sources by address ---- */

static u32 hash_of(const SsaBuild *b, u64 pc, u32 copy)
{
	return (u32)((pc * 0x9E3779B97F4A7C15u + copy * 0xC2B2AE3D27D4EB4Fu) >> 33) & (b->map_cap - 1);
}

/* No source begins there, as far as a look at a few bits says. */
static bool begins_nowhere(const SsaBuild *b, u64 pc)
{
	return !(b->begins[pc >> 7 & 7] >> (pc >> 1 & 63) & 1);
}

static u32 find_source(const SsaBuild *b, u64 pc, u32 copy)
{
	if (begins_nowhere(b, pc))
		return SSA_NONE;
	for (u32 at = hash_of(b, pc, copy); b->map[at]; at = (at + 1) & (b->map_cap - 1)) {
		const SsaSource *source = &b->region->sources[b->map[at] - 1];

		if (source->pc == pc && source->copy == copy)
			return b->map[at] - 1;
	}
	return SSA_NONE;
}

bool ssa_build_map(SsaBuild *b)
{
	b->map_cap = 64;
	while (b->map_cap < b->region->count * 2)
		b->map_cap *= 2;
	b->map = ARENA_ARRAY(b->arena, u32, b->map_cap);
	if (!b->map)
		return false;
	for (u32 i = 0; i < b->region->count; i++) {
		const SsaSource *source = &b->region->sources[i];
		u32 at = hash_of(b, source->pc, source->copy);

		while (b->map[at])
			at = (at + 1) & (b->map_cap - 1);
		b->map[at] = i + 1;
		b->begins[source->pc >> 7 & 7] |= (u64)1 << (source->pc >> 1 & 63);
	}
	return true;
}

/* Where a jump to `pc` from a source goes: a source, or SSA_NONE. */
u32 ssa_build_target(const SsaBuild *b, u32 from, u64 pc, unsigned flow)
{
	const SsaSource *source = &b->region->sources[from];
	u32 found;

	for (u32 i = 0; i < source->link_count; i++)
		if (source->links[i].pc == pc)
			return source->links[i].source;
	if (flow == IR_FLOW_CALL)
		return SSA_NONE;
	found = find_source(b, pc, source->copy);
	return found == SSA_NONE && source->copy ? find_source(b, pc, 0) : found;
}

/* ---- Pieces ---- */

static u32 add_piece(SsaBuild *b, u32 source, u32 ir, u64 pc)
{
	SsaPiece *piece;

	if (b->piece_count >= SSA_BLOCKS_MOST ||
	    !arena_grow(b->arena, (void **)&b->pieces, &b->piece_cap, b->piece_count, sizeof(SsaPiece))) {
		b->failed = true;
		return 0;
	}
	piece = &b->pieces[b->piece_count];
	*piece = (SsaPiece){.source = source, .ir = ir, .pc = pc, .order = SSA_NONE, .idom = SSA_NONE, .loop = SSA_NONE,
		.outer = SSA_NONE};
	if (source != SSA_NONE) {
		piece->start = b->shapes[source]->func->blocks[ir].start;
		piece->end = b->shapes[source]->func->blocks[ir].end;
	}
	piece->written = ARENA_ARRAY(b->arena, u64, b->words);
	b->failed = b->failed || !piece->written;
	return b->piece_count++;
}

static void lead_to(SsaBuild *b, u32 from, u32 to)
{
	SsaPiece *piece = &b->pieces[from];

	piece->succ[piece->succ_count++] = to;
}

/* At INSN `at` of source s: does the piece end in front of it? */
static bool is_cut(SsaBuild *b, u32 p, u32 s, u32 at)
{
	const SsaSource *source = &b->region->sources[s];
	const IrIns *ins = &source->func->ins[at];
	SsaPiece *piece = &b->pieces[p];
	u64 pc = 0;
	u32 to;

	if (at == source->begin)
		return false;
	ir_is_const(source->func, ins->a, &pc);
	if (!source->keep && begins_nowhere(b, pc))
		return false; /* where links lead, a source begins, too */
	to = ssa_build_target(b, s, pc, IR_FLOW_CALL);
	if (to == SSA_NONE)
		to = find_source(b, pc, source->copy);
	if (to == SSA_NONE && (!source->keep || ins->b < source->keep))
		return false;
	if (to == SSA_NONE)
		to = ssa_build_target(b, s, pc, IR_FLOW_NEXT);
	piece->end = at;
	piece->how = to == SSA_NONE ? SSA_PIECE_LINK : SSA_PIECE_GO;
	piece->target = pc;
	if (to != SSA_NONE)
		lead_to(b, p, b->top[to]);
	return true;
}

/* Goes through the piece's operations; gives the pc of the instruction it ends in. */
static u64 scan_piece(SsaBuild *b, u32 p, u32 *length)
{
	SsaPiece *piece = &b->pieces[p];
	u32 s = piece->source;
	const SsaShape *shape = b->shapes[s];
	const IrIns *all = shape->func->ins;
	const u8 *act = shape->act;
	bool cold = shape->cold[piece->ir];
	u64 pc = piece->pc;

	for (u32 at = piece->start; at < piece->end; at++) {
		const IrIns *ins = &all[at];

		if (ins->op == IR_OP_INSN) {
			if (is_cut(b, p, s, at))
				return pc;
			ir_is_const(shape->func, ins->a, &pc);
			*length = ins->aux;
		}
		if (cold && act[at] == SSA_ACT_COLD) {
			piece->end = at;
			piece->how = SSA_PIECE_COLD;
			return pc;
		}
		if (ins->op != IR_OP_PUT || act[at] != SSA_ACT_DO || ins->aux >= b->region->slot_count)
			continue;
		if (ins->aux && ins->aux == b->region->flags_slot)
			b->sets_flags = true;
		else
			piece->written[ins->aux / 64] |= (u64)1 << ins->aux % 64;
	}
	return pc;
}

/* The piece of a block of this source's IR, made when a jump to it is met. */
static void flow_into(SsaBuild *b, u32 from, u32 ir, u32 *piece_of, u64 pc, u32 length)
{
	u32 s = b->pieces[from].source;

	if (!piece_of[ir]) {
		piece_of[ir] = add_piece(b, s, ir, pc) + 1;
		if (b->failed)
			return;
		b->pieces[piece_of[ir] - 1].length = length;
	}
	lead_to(b, from, piece_of[ir] - 1);
}

/* An empty piece behind p. */
static u32 add_behind(SsaBuild *b, u32 p, u64 pc, SsaPieceEnd how)
{
	u32 other = add_piece(b, b->pieces[p].source, b->pieces[p].ir, pc);

	if (!b->failed) {
		b->pieces[other].start = b->pieces[other].end = b->pieces[p].end;
		b->pieces[other].how = how;
	}
	return other;
}

/* The piece's GOTO has targets that are usual. Others may go there, too: so a piece leads to each that has no other way to it. */
static void part_by_guess(SsaBuild *b, u32 p, u64 pc, u32 length)
{
	const SsaSource *source = &b->region->sources[b->pieces[p].source];

	for (u32 i = 0; i < source->guess_count && !b->failed; i++) {
		u32 way = add_behind(b, p, pc, SSA_PIECE_GO), other = add_behind(b, p, pc, SSA_PIECE_ASTRAY);

		if (b->failed)
			return;
		b->pieces[other].length = length;
		b->pieces[p].how = SSA_PIECE_GUESS;
		b->pieces[p].guess = i;
		lead_to(b, p, way);
		lead_to(b, way, b->top[source->guesses[i].source]);
		lead_to(b, p, other);
		p = other;
	}
}

static void cut_source(SsaBuild *b, u32 s)
{
	const SsaSource *source = &b->region->sources[s];
	const SsaShape *shape = b->shapes[s];
	u32 *piece_of = ARENA_ARRAY(b->arena, u32, source->func->block_count);

	if (!piece_of) {
		b->failed = true;
		return;
	}
	piece_of[b->pieces[b->top[s]].ir] = b->top[s] + 1;
	for (u32 i = 0; i < shape->order_count && !b->failed; i++) {
		u32 ir = shape->order[i], p = piece_of[ir] - 1, length = 0, to;
		const IrIns *last = &source->func->ins[source->func->blocks[ir].end - 1];
		u64 pc;

		if (!piece_of[ir])
			continue; /* behind a cut */
		length = b->pieces[p].length;
		pc = scan_piece(b, p, &length);
		if (b->pieces[p].end > b->ends[s])
			b->ends[s] = b->pieces[p].end;
		if (b->pieces[p].how != SSA_PIECE_IR)
			continue;
		switch (last->op) {
		case IR_OP_JMP:
			flow_into(b, p, last->a, piece_of, pc, length);
			break;
		case IR_OP_BR:
			flow_into(b, p, last->b, piece_of, pc, length);
			flow_into(b, p, last->c, piece_of, pc, length);
			break;
		default:
			to = SSA_NONE;
			if (shape->gotos[ir].known)
				to = ssa_build_target(b, s, shape->gotos[ir].pc, last->aux);
			else if (last->aux == IR_FLOW_RET)
				to = source->back ? source->back - 1 : SSA_NONE;
			else
				part_by_guess(b, p, pc, length);
			if (to != SSA_NONE)
				lead_to(b, p, b->top[to]);
		}
	}
}

/* The place in shape->order, whose blocks ascend, of the one that has this operation; order_count: none. */
static u32 block_at(const SsaShape *shape, u32 at)
{
	u32 low = 0, high = shape->order_count;

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (at >= shape->func->blocks[shape->order[middle]].end)
			low = middle + 1;
		else
			high = middle;
	}
	return low < shape->order_count && at >= shape->func->blocks[shape->order[low]].start ? low : shape->order_count;
}

/* The piece a source begins with, in the block of its IR that has `begin`. */
static void add_top(SsaBuild *b, u32 s)
{
	const SsaSource *source = &b->region->sources[s];
	SsaShape *shape;
	u32 i;

	b->shapes[s] = source->shape;
	if (!source->shape) {
		shape = ARENA_NEW(b->arena, SsaShape);
		if (!shape || !ssa_shape(b->region, source, b->arena, shape)) {
			b->failed = true;
			return;
		}
		b->shapes[s] = shape;
	}
	i = block_at(b->shapes[s], source->begin);
	if (i == b->shapes[s]->order_count || source->func->ins[source->begin].op != IR_OP_INSN) {
		b->failed = true;
		return;
	}
	b->top[s] = add_piece(b, s, b->shapes[s]->order[i], source->pc);
	if (!b->failed)
		b->pieces[b->top[s]].start = source->begin;
}

void ssa_build_cut(SsaBuild *b)
{
	const SsaRegion *region = b->region;

	b->piece_cap = region->count * 3 + 16;
	b->pieces = ARENA_ROOM(b->arena, SsaPiece, b->piece_cap);
	if (!b->pieces) {
		b->failed = true;
		return;
	}
	for (u32 s = 0; s < region->count; s++)
		if (s == 0 || region->sources[s].landing)
			add_piece(b, SSA_NONE, s, region->sources[s].pc);
	b->entries = b->piece_count;
	for (u32 s = 0; s < region->count && !b->failed; s++)
		add_top(b, s);
	for (u32 p = 0; p < b->entries && !b->failed; p++)
		lead_to(b, p, b->top[b->pieces[p].ir]);
	for (u32 s = 0; s < region->count && !b->failed; s++)
		cut_source(b, s);
}

/* ---- Order ---- */

static bool walk_from(SsaBuild *b, u32 entry, u32 *stack, u8 *next, u32 *post, u32 *count)
{
	u32 depth = 0;

	stack[depth++] = entry;
	next[entry] = 1;
	while (depth) {
		SsaPiece *piece = &b->pieces[stack[depth - 1]];
		u32 taken = next[stack[depth - 1]]++ - 1u, to;

		if (taken >= piece->succ_count) {
			post[(*count)++] = stack[--depth];
			continue;
		}
		/* The first successor last, so that it comes right behind. */
		to = piece->succ[piece->succ_count - 1 - taken];
		if (!next[to]) {
			next[to] = 1;
			stack[depth++] = to;
		}
	}
	return true;
}

static void add_pred(SsaBuild *b, u32 from, u32 to)
{
	SsaPiece *piece = &b->pieces[to];

	if (!arena_grow(b->arena, (void **)&piece->preds, &piece->pred_room, piece->pred_count, sizeof(u32))) {
		b->failed = true;
		return;
	}
	piece->preds[piece->pred_count++] = from;
	piece->header |= b->pieces[from].order >= piece->order;
}

/* The head is walked from first, so its loops have the headers one expects; what it reaches comes last, but for its
 * entry, which is block 0. */
static void put_in_order(SsaBuild *b)
{
	u32 count = 0, *stack = ARENA_ARRAY(b->arena, u32, b->piece_count), *post = ARENA_ARRAY(b->arena, u32, b->piece_count);
	u8 *next = ARENA_ARRAY(b->arena, u8, b->piece_count);

	b->order = ARENA_ARRAY(b->arena, u32, b->piece_count);
	if (!stack || !post || !next || !b->order) {
		b->failed = true;
		return;
	}
	for (u32 p = 0; p < b->piece_count; p++) {
		b->pieces[p].order = SSA_NONE;
		b->pieces[p].pred_count = 0;
		b->pieces[p].header = false;
	}
	for (u32 p = 0; p < b->entries; p++)
		walk_from(b, p, stack, next, post, &count);
	b->order_count = 0;
	b->order[b->order_count++] = 0;
	while (count-- > 0)
		if (post[count])
			b->order[b->order_count++] = post[count];
	for (u32 i = 0; i < b->order_count; i++)
		b->pieces[b->order[i]].order = i;
	for (u32 i = 0; i < b->order_count; i++) {
		const SsaPiece *piece = &b->pieces[b->order[i]];

		for (u32 k = 0; k < piece->succ_count; k++)
			add_pred(b, b->order[i], piece->succ[k]);
	}
}

/* Does this jump back come from behind the header, as that of a loop does whose first instruction that is? What comes from
 * in front of it is another round of a loop around it. */
static bool is_latch(const SsaBuild *b, const SsaPiece *header, const SsaPiece *from)
{
	return from->order >= header->order && from->source != SSA_NONE &&
	       (from->pc >= header->pc || b->region->sources[from->source].copy != b->region->sources[header->source].copy);
}

/* Does what goes round from the header to its latches lie behind it? Else that is no loop of its own: the region was entered in the
 * middle of the one that there is, at a place which several parts of its body go on at. */
static bool lies_behind(const SsaBuild *b, u32 header, bool *failed)
{
	const SsaPiece *top = &b->pieces[header];
	bool *met = ARENA_ARRAY(b->arena, bool, b->piece_count);
	u32 *stack = ARENA_ARRAY(b->arena, u32, b->piece_count), count = 0;

	*failed = !met || !stack;
	if (*failed)
		return false;
	met[header] = true;
	for (u32 i = 0; i < top->pred_count; i++)
		if (is_latch(b, top, &b->pieces[top->preds[i]]) && !met[top->preds[i]]) {
			met[top->preds[i]] = true;
			stack[count++] = top->preds[i];
		}
	while (count) {
		const SsaPiece *piece = &b->pieces[stack[--count]];

		if (piece->source != SSA_NONE && piece->order > top->order && !is_latch(b, top, piece))
			return false;
		for (u32 i = 0; i < piece->pred_count && piece->order > top->order; i++)
			if (!met[piece->preds[i]]) {
				met[piece->preds[i]] = true;
				stack[count++] = piece->preds[i];
			}
	}
	return true;
}

/* Two loops with one header become two: all ways to it but the inner loop's lead through a piece of their own, the outer
 * header. The region was entered in the inner loop, so nothing else stands in front of that. */
static bool part_loops(SsaBuild *b, u32 header)
{
	const SsaPiece *top = &b->pieces[header];
	u32 inner = 0, outer = 0, pad;

	for (u32 i = 0; i < top->pred_count; i++) {
		const SsaPiece *from = &b->pieces[top->preds[i]];

		inner += is_latch(b, top, from);
		outer += from->order >= top->order && !is_latch(b, top, from);
	}
	if (!inner || !outer || !lies_behind(b, header, &b->failed))
		return false;
	pad = add_piece(b, top->source, top->ir, top->pc);
	if (b->failed)
		return false;
	top = &b->pieces[header]; /* it may have moved */
	b->pieces[pad].end = b->pieces[pad].start;
	b->pieces[pad].how = SSA_PIECE_GO;
	for (u32 i = 0; i < top->pred_count; i++) {
		SsaPiece *from = &b->pieces[top->preds[i]];

		for (u32 k = 0; k < from->succ_count && !is_latch(b, top, from); k++)
			if (from->succ[k] == header)
				from->succ[k] = pad;
	}
	lead_to(b, pad, header);
	return true;
}

void ssa_build_order(SsaBuild *b)
{
	u32 count = b->piece_count;
	bool parted = false;

	put_in_order(b);
	for (u32 p = 0; p < count && !b->failed; p++)
		if (b->pieces[p].header)
			parted |= part_loops(b, p);
	if (parted && !b->failed)
		put_in_order(b);
}

/* ---- Dominators ---- */

/* What dominates both; SSA_NONE: they are reached from two entries. */
static u32 meet(const SsaBuild *b, u32 x, u32 y)
{
	while (x != y) {
		u32 *lower;

		if (x == SSA_NONE || y == SSA_NONE)
			return SSA_NONE;
		lower = b->pieces[x].order > b->pieces[y].order ? &x : &y;
		*lower = b->pieces[*lower].source == SSA_NONE ? SSA_NONE : b->pieces[*lower].idom;
	}
	return x;
}

/* As ssa_order does it for blocks. Folding may take edges away yet, so that in the end a piece is dominated by more. */
void ssa_build_dominators(SsaBuild *b)
{
	bool changed = true, first = true;

	while (changed) {
		changed = false;
		for (u32 i = 0; i < b->order_count; i++) {
			SsaPiece *piece = &b->pieces[b->order[i]];
			u32 idom = b->order[i];
			bool any = false;

			for (u32 k = 0; k < piece->pred_count; k++) {
				u32 pred = piece->preds[k];

				if (first && b->pieces[pred].order >= i)
					continue;
				idom = any ? meet(b, idom, pred) : pred;
				any = true;
			}
			changed |= idom != piece->idom && (!first || piece->header);
			piece->idom = idom;
		}
		first = false;
	}
	for (u32 i = 0; i < b->order_count; i++) {
		SsaPiece *piece = &b->pieces[b->order[i]];

		piece->goes_on = piece->pred_count == 1 && !piece->header && b->pieces[piece->preds[0]].succ_count == 1;
	}
}
