/* SPDX-License-Identifier: MIT
 *
 * From guest blocks to a region in SSA.
 *
 *     ssa_shape      what each source comes to
 *     cut_sources    *pieces*: what becomes a block. A source is cut where another one begins, and into the blocks of its IR
 *     order_pieces   reverse postorder from the entries; what cannot be reached is forgotten
 *     find_written   which slots a loop changes: those have a PHI at its header
 *     build_piece    nodes, in that order, so that of each piece all predecessors are there but for jumps back
 *     close_loops    arguments of the headers' PHIs; those that turn out to be one value are gone
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
#include "jit/ssa_home.h"
#include "jit/ssa_shape.h"

enum { NONE = 0xFFFFFFFFu, LOOP_STEPS = 200000 };

typedef enum PieceEnd {
	END_IR,    /* the last operation of its block of the IR */
	END_GO,    /* to the piece succ[0] */
	END_LINK,  /* to `target`, which is no source */
	END_COLD,  /* at the operation `end`, which is the cold engine's (or at INSN `end`) */
} PieceEnd;

typedef struct Piece {
	u32 source;       /* NONE: the entry in front of succ[0] */
	u32 ir;           /* block of the IR */
	u32 start, end;   /* its operations */
	u8 how;           /* PieceEnd */
	bool header;      /* somebody jumps back to it */
	u32 loop;         /* header of the innermost loop around it (its own, if it is one); NONE: none */
	u32 outer;        /* of a header: that of the loop around */
	u64 weight;       /* of a header: how often its loop goes round, by estimate, in units of SSA_ONCE */
	u64 pc;           /* of the instruction that it begins in */
	u64 target;
	u32 length;       /* of that instruction, in cells */
	u32 succ[2], succ_count;
	u32 *preds, pred_count, pred_room;
	u32 order;        /* position in build->order; NONE: cannot be reached */
	u32 block;        /* of func */
	u64 *written;     /* bits: slots it PUTs; for headers afterwards: that change in the loop */
	SsaRef *state, *homes, *near; /* at its end */
	bool built;
} Piece;

typedef struct Build {
	const SsaRegion *region;
	Arena *arena;
	SsaFunc *func;
	const SsaShape **shapes; /* per source */
	SsaRef **refs;    /* per source: values of its IR, from source->begin on */
	u32 *ends;        /* per source: where the last of its pieces ends */
	Piece *pieces;
	u32 piece_count, piece_cap;
	u32 *top;         /* per source: its first piece */
	u32 *map;         /* hash of (pc, copy): source + 1 */
	u32 map_cap;
	u32 *order, order_count;
	u32 entries;      /* pieces that are entries: the first ones */
	u32 words;        /* of a set of slots */
	u64 *region_written;
	u32 *slots, slot_count; /* those that are written, ascending */
	SsaWeights weights;
	bool stay;        /* some slots stay at home */
	SsaRef *single;   /* one entry: HOME per slot */
	bool failed;
	/* of the piece that is built */
	u32 piece, block;
	SsaRef *state, *homes;
	SsaRef *near;     /* per slot that stays at home: what it has there, where that is known */
	u64 pc;
	u32 length;
} Build;

/* ---- Sources by address ---- */

static u32 hash_of(const Build *b, u64 pc, u32 copy)
{
	return (u32)((pc * 0x9E3779B97F4A7C15u + copy * 0xC2B2AE3D27D4EB4Fu) >> 33) & (b->map_cap - 1);
}

static u32 find_source(const Build *b, u64 pc, u32 copy)
{
	for (u32 at = hash_of(b, pc, copy); b->map[at]; at = (at + 1) & (b->map_cap - 1)) {
		const SsaSource *source = &b->region->sources[b->map[at] - 1];

		if (source->pc == pc && source->copy == copy)
			return b->map[at] - 1;
	}
	return NONE;
}

static bool map_sources(Build *b)
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
	}
	return true;
}

/* Where a jump to `pc` from a source goes: a source, or NONE. */
static u32 jump_target(const Build *b, u32 from, u64 pc, unsigned flow)
{
	const SsaSource *source = &b->region->sources[from];
	u32 found;

	for (u32 i = 0; i < source->link_count; i++)
		if (source->links[i].pc == pc)
			return source->links[i].source;
	if (flow == IR_FLOW_CALL)
		return NONE;
	found = find_source(b, pc, source->copy);
	return found == NONE && source->copy ? find_source(b, pc, 0) : found;
}

/* ---- Pieces ---- */

static u32 add_piece(Build *b, u32 source, u32 ir, u64 pc)
{
	Piece *piece;

	if (b->piece_count >= SSA_BLOCKS_MOST ||
	    !arena_grow(b->arena, (void **)&b->pieces, &b->piece_cap, b->piece_count, sizeof(Piece))) {
		b->failed = true;
		return 0;
	}
	piece = &b->pieces[b->piece_count];
	*piece = (Piece){.source = source, .ir = ir, .pc = pc, .order = NONE, .loop = NONE, .outer = NONE};
	if (source != NONE) {
		piece->start = b->shapes[source]->func->blocks[ir].start;
		piece->end = b->shapes[source]->func->blocks[ir].end;
	}
	piece->written = ARENA_ARRAY(b->arena, u64, b->words);
	b->failed = b->failed || !piece->written;
	return b->piece_count++;
}

static void lead_to(Build *b, u32 from, u32 to)
{
	Piece *piece = &b->pieces[from];

	piece->succ[piece->succ_count++] = to;
}

/* At INSN `at` of source s: does the piece end in front of it? */
static bool is_cut(Build *b, u32 p, u32 s, u32 at)
{
	const SsaSource *source = &b->region->sources[s];
	const IrIns *ins = &source->func->ins[at];
	Piece *piece = &b->pieces[p];
	u64 pc = 0;
	u32 to;

	if (at == source->begin)
		return false;
	ir_is_const(source->func, ins->a, &pc);
	to = jump_target(b, s, pc, IR_FLOW_CALL);
	if (to == NONE)
		to = find_source(b, pc, source->copy);
	if (to == NONE && (!source->keep || ins->b < source->keep))
		return false;
	if (to == NONE)
		to = jump_target(b, s, pc, IR_FLOW_NEXT);
	piece->end = at;
	piece->how = to == NONE ? END_LINK : END_GO;
	piece->target = pc;
	if (to != NONE)
		lead_to(b, p, b->top[to]);
	return true;
}

/* Goes through the piece's operations; gives the pc of the instruction it ends in. */
static u64 scan_piece(Build *b, u32 p, u32 *length)
{
	Piece *piece = &b->pieces[p];
	u32 s = piece->source;
	const SsaShape *shape = b->shapes[s];
	u64 pc = piece->pc;

	for (u32 at = piece->start; at < piece->end; at++) {
		const IrIns *ins = &shape->func->ins[at];

		if (ins->op == IR_OP_INSN) {
			if (is_cut(b, p, s, at))
				return pc;
			ir_is_const(shape->func, ins->a, &pc);
			*length = ins->aux;
		}
		if (shape->act[at] == SSA_ACT_COLD) {
			piece->end = at;
			piece->how = END_COLD;
			return pc;
		}
		if (ins->op == IR_OP_PUT && shape->act[at] == SSA_ACT_DO && ins->aux < b->region->slot_count &&
		    (!ins->aux || ins->aux != b->region->flags_slot))
			piece->written[ins->aux / 64] |= (u64)1 << ins->aux % 64;
	}
	return pc;
}

/* The piece of a block of this source's IR, made when a jump to it is met. */
static void flow_into(Build *b, u32 from, u32 ir, u32 *piece_of, u64 pc, u32 length)
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

static void cut_source(Build *b, u32 s)
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
		if (b->pieces[p].how != END_IR)
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
			to = NONE;
			if (shape->gotos[ir].known)
				to = jump_target(b, s, shape->gotos[ir].pc, last->aux);
			else if (last->aux == IR_FLOW_RET && source->back)
				to = source->back - 1;
			if (to != NONE)
				lead_to(b, p, b->top[to]);
		}
	}
}

/* The piece a source begins with, in the block of its IR that has `begin`. */
static void add_top(Build *b, u32 s)
{
	const SsaSource *source = &b->region->sources[s];
	SsaShape *shape;
	u32 i = 0;

	b->shapes[s] = source->shape;
	if (!source->shape) {
		shape = ARENA_NEW(b->arena, SsaShape);
		if (!shape || !ssa_shape(b->region, source, b->arena, shape)) {
			b->failed = true;
			return;
		}
		b->shapes[s] = shape;
	}
	while (i < b->shapes[s]->order_count && (source->begin < source->func->blocks[b->shapes[s]->order[i]].start ||
						 source->begin >= source->func->blocks[b->shapes[s]->order[i]].end))
		i++;
	if (i == b->shapes[s]->order_count || source->func->ins[source->begin].op != IR_OP_INSN) {
		b->failed = true;
		return;
	}
	b->top[s] = add_piece(b, s, b->shapes[s]->order[i], source->pc);
	if (!b->failed)
		b->pieces[b->top[s]].start = source->begin;
}

static void cut_sources(Build *b)
{
	const SsaRegion *region = b->region;

	for (u32 s = 0; s < region->count; s++)
		if (s == 0 || region->sources[s].landing)
			add_piece(b, NONE, s, region->sources[s].pc);
	b->entries = b->piece_count;
	for (u32 s = 0; s < region->count && !b->failed; s++)
		add_top(b, s);
	for (u32 p = 0; p < b->entries && !b->failed; p++)
		lead_to(b, p, b->top[b->pieces[p].ir]);
	for (u32 s = 0; s < region->count && !b->failed; s++)
		cut_source(b, s);
}

/* ---- Order ---- */

static bool walk_from(Build *b, u32 entry, u32 *stack, u8 *next, u32 *post, u32 *count)
{
	u32 depth = 0;

	stack[depth++] = entry;
	next[entry] = 1;
	while (depth) {
		Piece *piece = &b->pieces[stack[depth - 1]];
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

static void add_pred(Build *b, u32 from, u32 to)
{
	Piece *piece = &b->pieces[to];

	if (!arena_grow(b->arena, (void **)&piece->preds, &piece->pred_room, piece->pred_count, sizeof(u32))) {
		b->failed = true;
		return;
	}
	piece->preds[piece->pred_count++] = from;
	piece->header |= b->pieces[from].order >= piece->order;
}

/* The head is walked from first, so its loops have the headers one expects; what it reaches comes last, but for its
 * entry, which is block 0. */
static void put_in_order(Build *b)
{
	u32 count = 0, *stack = ARENA_ARRAY(b->arena, u32, b->piece_count), *post = ARENA_ARRAY(b->arena, u32, b->piece_count);
	u8 *next = ARENA_ARRAY(b->arena, u8, b->piece_count);

	b->order = ARENA_ARRAY(b->arena, u32, b->piece_count);
	if (!stack || !post || !next || !b->order) {
		b->failed = true;
		return;
	}
	for (u32 p = 0; p < b->piece_count; p++) {
		b->pieces[p].order = NONE;
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
		const Piece *piece = &b->pieces[b->order[i]];

		for (u32 k = 0; k < piece->succ_count; k++)
			add_pred(b, b->order[i], piece->succ[k]);
	}
}

/* Does this jump back come from behind the header, as that of a loop does whose first instruction that is? What comes from
 * in front of it is another round of a loop around it. */
static bool is_latch(const Build *b, const Piece *header, const Piece *from)
{
	return from->order >= header->order && from->source != NONE &&
	       (from->pc >= header->pc || b->region->sources[from->source].copy != b->region->sources[header->source].copy);
}

/* Two loops with one header become two: all ways to it but the inner loop's lead through a piece of their own, the outer
 * header. The region was entered in the inner loop, so nothing else stands in front of that. */
static bool part_loops(Build *b, u32 header)
{
	const Piece *top = &b->pieces[header];
	u32 inner = 0, outer = 0, pad;

	for (u32 i = 0; i < top->pred_count; i++) {
		const Piece *from = &b->pieces[top->preds[i]];

		inner += is_latch(b, top, from);
		outer += from->order >= top->order && !is_latch(b, top, from);
	}
	if (!inner || !outer)
		return false;
	pad = add_piece(b, top->source, top->ir, top->pc);
	if (b->failed)
		return false;
	top = &b->pieces[header]; /* it may have moved */
	b->pieces[pad].end = b->pieces[pad].start;
	b->pieces[pad].how = END_GO;
	for (u32 i = 0; i < top->pred_count; i++) {
		Piece *from = &b->pieces[top->preds[i]];

		for (u32 k = 0; k < from->succ_count && !is_latch(b, top, from); k++)
			if (from->succ[k] == header)
				from->succ[k] = pad;
	}
	lead_to(b, pad, header);
	return true;
}

static void order_pieces(Build *b)
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

/* ---- What loops change ---- */

/* All that is written from where one can jump back, without passing the header. A way into that from outside may bring any
 * state. */
static void find_loop(Build *b, u32 header, u32 *stack, u32 *stamp, u32 *steps)
{
	Piece *top = &b->pieces[header];
	u64 *written = ARENA_ARRAY(b->arena, u64, b->words);
	bool all = false;
	u32 count = 0;

	if (!written) {
		b->failed = true;
		return;
	}
	memcpy(written, top->written, b->words * sizeof(u64));
	top->loop = header;
	stamp[header] = header + 1;
	for (u32 i = 0; i < top->pred_count; i++)
		if (b->pieces[top->preds[i]].order >= top->order && stamp[top->preds[i]] != header + 1) {
			stamp[top->preds[i]] = header + 1;
			stack[count++] = top->preds[i];
		}
	while (count && !all) {
		Piece *piece = &b->pieces[stack[--count]];

		if (piece->loop == NONE)
			piece->loop = header;
		else if (piece->loop == (u32)(piece - b->pieces) && piece->outer == NONE)
			piece->outer = header;
		all = piece->source == NONE || ++*steps > LOOP_STEPS;
		for (u32 w = 0; w < b->words; w++)
			written[w] |= piece->written[w];
		for (u32 i = 0; i < piece->pred_count; i++)
			if (stamp[piece->preds[i]] != header + 1) {
				stamp[piece->preds[i]] = header + 1;
				stack[count++] = piece->preds[i];
			}
	}
	top->written = all ? b->region_written : written;
}

static void find_written(Build *b)
{
	u32 *stack = ARENA_ARRAY(b->arena, u32, b->piece_count), *stamp = ARENA_ARRAY(b->arena, u32, b->piece_count);
	u32 steps = 0;

	b->region_written = ARENA_ARRAY(b->arena, u64, b->words);
	b->slots = ARENA_ARRAY(b->arena, u32, b->region->slot_count + 1);
	if (!stack || !stamp || !b->region_written || !b->slots) {
		b->failed = true;
		return;
	}
	for (u32 i = 0; i < b->order_count; i++)
		for (u32 w = 0; w < b->words; w++)
			b->region_written[w] |= b->pieces[b->order[i]].written[w];
	for (u32 slot = 0; slot < b->region->slot_count; slot++)
		if (b->region_written[slot / 64] >> slot % 64 & 1)
			b->slots[b->slot_count++] = slot;
	/* Inner ones first, each before the sets of those around it, which take in its blocks and not its set. */
	for (u32 i = b->order_count; i-- > 0 && !b->failed;)
		if (b->pieces[b->order[i]].header)
			find_loop(b, b->order[i], stack, stamp, &steps);
}

/* How often the piece runs, for one time that the region does. Heat tells how much more often a loop goes round than what is
 * around it, where both are counted and did not reach the limit; else ten times is assumed. */
static u64 weight_of(const Build *b, u32 p)
{
	const Piece *piece = &b->pieces[p];

	return piece->loop == NONE || !b->pieces[piece->loop].weight ? SSA_ONCE : b->pieces[piece->loop].weight;
}

static u64 heat_of(const Build *b, u32 p)
{
	const Piece *piece = &b->pieces[p];

	return b->region->sources[piece->source == NONE ? piece->ir : piece->source].heat;
}

static void weigh_loops(Build *b)
{
	for (u32 i = 0; i < b->order_count; i++) {
		Piece *piece = &b->pieces[b->order[i]];
		u64 around, inside, once;

		if (piece->loop != b->order[i])
			continue;
		once = piece->outer == NONE ? SSA_ONCE : weight_of(b, piece->outer);
		around = piece->outer == NONE ? b->region->sources[0].heat : heat_of(b, piece->outer);
		inside = heat_of(b, b->order[i]);
		if (!inside || !around || inside >= b->region->heat_most)
			piece->weight = once * 10;
		else
			piece->weight = inside <= around ? once : inside >= around * 10 ? once * 10 : once * inside / around;
		if (piece->weight > SSA_OFTEN)
			piece->weight = SSA_OFTEN;
	}
}

/* Those that stay at home are written no more, as far as states go. */
static void choose_homes(Build *b)
{
	u32 count = b->region->slot_count, kept = 0;

	b->weights = (SsaWeights){.count = count, .weights = ARENA_ARRAY(b->arena, u64, count), .floats = ARENA_ARRAY(b->arena, bool, count),
		.stay = ARENA_ARRAY(b->arena, bool, count)};
	if (!b->weights.weights || !b->weights.floats || !b->weights.stay) {
		b->failed = true;
		return;
	}
	weigh_loops(b);
	for (u32 i = 0; i < b->order_count; i++) {
		const Piece *piece = &b->pieces[b->order[i]];

		if (piece->source != NONE)
			ssa_weigh(&b->weights, b->shapes[piece->source]->func, piece->start, piece->end, weight_of(b, b->order[i]));
	}
	ssa_choose_homes(&b->weights, b->region_written, b->region->pin_of, b->region->values_most);
	for (u32 i = 0; i < b->slot_count; i++)
		if (!b->weights.stay[b->slots[i]])
			b->slots[kept++] = b->slots[i];
	b->stay = kept < b->slot_count;
	b->slot_count = kept;
}

/* ---- Values ---- */

static unsigned width_of(const Build *b, SsaRef ref)
{
	return b->func->nodes[ref].width;
}

static SsaRef append(Build *b, unsigned op, unsigned width, unsigned aux, SsaRef x, SsaRef y, SsaRef z, u64 imm)
{
	SsaRef ref = ssa_node(b->func, op, width, aux, x, y, z, imm);

	ssa_append(b->func, b->block, ref);
	return ref;
}

/* Something pure; constants are folded. */
static SsaRef pure(Build *b, unsigned op, unsigned width, unsigned aux, SsaRef x, SsaRef y, SsaRef z)
{
	u64 values[3] = {0, 0, 0};
	SsaRef refs[3] = {x, y, z};
	bool known = !(ir_float_operands((IrOp)op) && aux & SSA_FLOAT_RAISES);
	unsigned count = ssa_op_info[op].operands;

	if (b->func->failed)
		return 0;
	for (unsigned i = 0; i < count && known; i++)
		known = ssa_is_const(b->func, refs[i], &values[i]);
	if (known)
		return ssa_const(b->func, width,
				 ir_eval((IrOp)op, width, width_of(b, x), aux, values[0], values[1], values[2]));
	if (op == IR_OP_SEL && ssa_is_const(b->func, x, &values[0]))
		return values[0] ? y : z;
	return append(b, op, width, aux, x, y, z, 0);
}

/* A new HOME in a block that is not being filled, or is: in front of its end if it has one. */
static SsaRef make_home(Build *b, u32 block, u32 slot)
{
	SsaRef ref = ssa_node(b->func, SSA_HOME, b->region->slot_width[slot], slot, 0, 0, 0, 0);
	SsaRef last;

	if (b->func->failed)
		return 0;
	last = b->func->blocks[block].last;
	if (last && (ssa_effects(&b->func->nodes[last]) & SSA_END))
		ssa_insert_before(b->func, last, ref);
	else
		ssa_append(b->func, block, ref);
	return ref;
}

static SsaRef home_of(Build *b, u32 slot)
{
	if (b->single) {
		if (!b->single[slot])
			b->single[slot] = make_home(b, b->pieces[0].block, slot);
		return b->single[slot];
	}
	if (!b->homes[slot])
		b->homes[slot] = make_home(b, b->block, slot);
	return b->homes[slot];
}

/* Where the value of an operation of the IR is kept. */
static SsaRef *ref_at(const Build *b, u32 s, u32 at)
{
	return &b->refs[s][at - b->region->sources[s].begin];
}

static SsaRef value_of(Build *b, u32 s, IrRef ref)
{
	const IrFunc *func = b->shapes[s]->func;
	SsaRef value;

	if (ref & IR_CONST_BIT) {
		const IrConst *constant = &func->consts[ref & ~IR_CONST_BIT];

		return ssa_const(b->func, constant->width, constant->value);
	}
	value = ref < b->region->sources[s].begin || ref >= b->ends[s] ? 0 : *ref_at(b, s, ref);
	if (!value)
		b->failed = true; /* IR that breaks its rules, or values that go from one instruction to another */
	return value;
}

/* ---- Floats ---- */

static SsaRef emit_float(Build *b, u32 s, const IrIns *ins, unsigned width, unsigned aux)
{
	unsigned count = ir_float_operands((IrOp)ins->op);
	SsaRef x = value_of(b, s, ins->a), y = count > 1 ? value_of(b, s, ins->b) : 0, z = count > 2 ? value_of(b, s, ins->c) : 0;

	return b->failed ? 0 : pure(b, ins->op, width, aux, x, y, z);
}

/* PUT of flags(x) | slot: what raises them. */
static void emit_raising(Build *b, u32 s, const IrIns *put)
{
	const IrFunc *func = b->shapes[s]->func;
	const IrIns *either = &func->ins[put->a], *flags = &func->ins[either->a];

	if (flags->op == IR_OP_GET)
		flags = &func->ins[either->b];
	emit_float(b, s, flags, flags->aux >> IR_FLOAT_WIDTH_SHIFT, (flags->aux & IR_FLOAT_ROUND) | SSA_FLOAT_RAISES);
}

/* ---- One operation ---- */

static bool is_flags(const Build *b, u32 slot)
{
	return b->region->flags_slot && slot == b->region->flags_slot;
}

static SsaRef read_slot(Build *b, u32 slot)
{
	if (b->weights.stay[slot]) {
		if (!b->near[slot])
			b->near[slot] = append(b, SSA_FETCH, b->region->slot_width[slot], slot, 0, 0, 0, 0);
		return b->near[slot];
	}
	return b->state[slot] ? b->state[slot] : home_of(b, slot);
}

static SsaRef settled(const Build *b, SsaRef ref, u32 slot)
{
	const SsaNode *node;

	ref = ssa_value(b->func, ref);
	node = &b->func->nodes[ref];
	return node->op == SSA_HOME && node->aux == slot ? 0 : ref; /* 0: whichever HOME */
}

static void put_slot(Build *b, u32 slot, SsaRef value)
{
	SsaRef now;

	if (!value || b->func->failed)
		return;
	if (is_flags(b, slot)) {
		append(b, SSA_SET_FLAGS, 0, 0, value, 0, 0, 0);
		return;
	}
	if (b->weights.stay[slot]) {
		append(b, SSA_BRING, b->region->slot_width[slot], slot, value, 0, 0, 0);
		b->near[slot] = value;
		return;
	}
	now = settled(b, value, slot);
	if (now == b->state[slot])
		return;
	b->state[slot] = now;
	append(b, SSA_PUT, b->region->slot_width[slot], slot, value, 0, 0, 0);
}

static SsaRef emit_access(Build *b, u32 s, const IrIns *ins)
{
	SsaRef address = value_of(b, s, ins->a), value = ins->op == IR_OP_STORE ? value_of(b, s, ins->b) : 0;

	if (b->failed || b->func->failed)
		return 0;
	if (ins->aux < 64 && b->region->hard_spaces >> ins->aux & 1)
		append(b, SSA_CHECK, 0, ins->aux, address, 0, 0, 0);
	if (ins->op == IR_OP_LOAD)
		return append(b, SSA_LOAD, ins->width, ins->aux, address, 0, 0, 0);
	append(b, SSA_STORE, width_of(b, value), ins->aux, address, value, 0, 0);
	return 0;
}

static SsaRef emit_atomic(Build *b, u32 s, const IrIns *ins)
{
	SsaRef address = value_of(b, s, ins->a), first = value_of(b, s, ins->b);
	SsaRef second = ins->op == IR_OP_CAS ? value_of(b, s, ins->c) : 0;
	unsigned space = ir_atomic_space(ins);

	if (b->failed || b->func->failed)
		return 0;
	if (space < 64 && b->region->hard_spaces >> space & 1)
		append(b, SSA_CHECK, 0, space, address, 0, 0, 0);
	return append(b, ins->op == IR_OP_RMW ? SSA_RMW : SSA_CAS, ins->width, ins->aux, address, first, second, 0);
}

static void emit_ins(Build *b, u32 s, u32 at)
{
	const SsaShape *shape = b->shapes[s];
	const IrIns *ins = &shape->func->ins[at];
	SsaRef *out = ref_at(b, s, at);
	unsigned count;

	switch (ins->op) {
	case IR_OP_INSN:
		ir_is_const(shape->func, ins->a, &b->pc);
		b->length = ins->aux;
		append(b, SSA_INSN, 0, ins->aux, 0, 0, 0, b->pc);
		b->func->guest_insns++;
		return;
	case IR_OP_PARAM:
		return; /* enter_piece has it */
	case IR_OP_GET:
		if (!ins->aux) { /* the pc: its slot is not kept while compiled code runs */
			*out = ssa_const(b->func, ins->width, b->pc);
			return;
		}
		*out = is_flags(b, ins->aux) ? append(b, SSA_FLAGS, ins->width, 0, 0, 0, 0, 0) : read_slot(b, ins->aux);
		return;
	case IR_OP_PUT:
		if (shape->act[at] == SSA_ACT_VALUE) {
			emit_raising(b, s, ins);
			return;
		}
		put_slot(b, ins->aux, value_of(b, s, ins->a));
		return;
	case IR_OP_LOAD: case IR_OP_STORE:
		*out = emit_access(b, s, ins);
		return;
	case IR_OP_RMW: case IR_OP_CAS:
		*out = emit_atomic(b, s, ins);
		return;
	case IR_OP_FENCE:
		append(b, SSA_FENCE, 0, 0, 0, 0, 0, 0);
		return;
	default:
		break;
	}
	count = ssa_op_info[ins->op].operands;
	if (ir_float_operands((IrOp)ins->op)) {
		*out = emit_float(b, s, ins, ins->width, ins->aux | (shape->act[at] == SSA_ACT_RAISES ? SSA_FLOAT_RAISES : 0u));
	} else if (count) {
		SsaRef x = value_of(b, s, ins->a), y = count > 1 ? value_of(b, s, ins->b) : 0;
		SsaRef z = count > 2 ? value_of(b, s, ins->c) : 0;

		*out = b->failed ? 0 : pure(b, ins->op, ins->width, ins->aux, x, y, z);
	}
}

/* ---- Ends ---- */

static void go(Build *b, u32 piece)
{
	ssa_edge(b->func, b->block, b->pieces[piece].block);
}

static void jump(Build *b, u32 piece)
{
	append(b, SSA_JUMP, 0, 0, 0, 0, 0, 0);
	go(b, piece);
}

static void leave(Build *b, SsaLeave kind, u64 pc, SsaRef computed, SsaRef back)
{
	bool first = !b->func->blocks[b->block].first;

	append(b, SSA_LEAVE, 0, kind, computed, back, 0, pc);
	/* A branch to what is not here: it never ran, or is far away. */
	b->func->blocks[b->block].cold |= kind == SSA_LEAVE_COLD || (kind == SSA_LEAVE_LINK && first);
}

/* Behind a call: 0, or the pc where an entry waits. */
static SsaRef way_back(Build *b, u32 s)
{
	u64 pc = bits_trunc(b->pc + b->length, b->region->pc_width);
	u32 to = jump_target(b, s, pc, IR_FLOW_JUMP);

	return to == NONE || !b->region->sources[to].landing ? 0 : ssa_const(b->func, b->region->pc_width, pc);
}

static void end_goto(Build *b, const Piece *piece, const IrIns *ins)
{
	SsaRef to = value_of(b, piece->source, ins->a);
	bool call = ins->aux == IR_FLOW_CALL;
	u64 pc = 0;

	if (b->failed)
		return;
	if (ssa_is_const(b->func, to, &pc)) {
		u32 source = piece->succ_count ? b->pieces[piece->succ[0]].source : NONE; /* which begins there */

		if (source != NONE && b->region->sources[source].pc == pc)
			jump(b, piece->succ[0]);
		else
			leave(b, call ? SSA_LEAVE_CALL : SSA_LEAVE_LINK, pc, 0, call ? way_back(b, piece->source) : 0);
	} else if (call) {
		leave(b, SSA_LEAVE_CALLR, 0, to, way_back(b, piece->source));
	} else {
		leave(b, ins->aux == IR_FLOW_RET ? SSA_LEAVE_RET : SSA_LEAVE_JUMP, 0, to, 0);
	}
}

static void end_piece(Build *b, u32 p)
{
	Piece *piece = &b->pieces[p];
	const IrIns *last;
	SsaRef condition;
	u64 value;

	if (piece->source == NONE || piece->how == END_GO) {
		jump(b, piece->succ[0]);
		return;
	}
	if (piece->how == END_LINK) {
		leave(b, SSA_LEAVE_LINK, piece->target, 0, 0);
		return;
	}
	if (piece->how == END_COLD) {
		if (b->shapes[piece->source]->func->ins[piece->end].op == IR_OP_INSN)
			emit_ins(b, piece->source, piece->end);
		leave(b, ssa_calls_host(b->shapes[piece->source], piece->end) ? SSA_LEAVE_HOST : SSA_LEAVE_COLD, b->pc, 0, 0);
		return;
	}
	last = &b->shapes[piece->source]->func->ins[piece->end - 1];
	switch (last->op) {
	case IR_OP_JMP:
		jump(b, piece->succ[0]);
		break;
	case IR_OP_BR:
		condition = value_of(b, piece->source, last->a);
		if (b->failed)
			return;
		if (ssa_is_const(b->func, condition, &value)) {
			jump(b, piece->succ[value ? 0 : 1]);
		} else {
			append(b, SSA_BRANCH, 0, 0, condition, 0, 0, 0);
			go(b, piece->succ[0]);
			go(b, piece->succ[1]);
		}
		break;
	default:
		end_goto(b, piece, last);
	}
}

/* ---- Into a piece ---- */

static u32 piece_of_block(const Build *b, u32 block)
{
	return b->order[block]; /* blocks are made in the order of pieces */
}

/* A PHI with room for all that may still jump here. */
static SsaRef make_phi(Build *b, const Piece *piece, unsigned width, unsigned slot)
{
	SsaBlock *block = &b->func->blocks[b->block];
	u32 count = block->pred_count;
	SsaRef ref;

	block->pred_count = piece->pred_count;
	ref = ssa_phi(b->func, b->block, width, slot);
	b->func->blocks[b->block].pred_count = count;
	return ref;
}

static void meet_state(Build *b, const Piece *piece)
{
	const SsaBlock *block = &b->func->blocks[b->block];
	bool open = piece->header && !block->pred_count;

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

/* HOMEs that all predecessors know. A header may be reached from where a HOME is not: but for loops entered elsewhere, those
 * of the others dominate it. */
static void meet_homes(Build *b, const Piece *piece)
{
	const SsaBlock *block = &b->func->blocks[b->block];

	if (b->single || !block->pred_count || (piece->header && piece->written == b->region_written))
		return;
	memcpy(b->homes, b->pieces[piece_of_block(b, block->preds[0])].homes, b->region->slot_count * sizeof(SsaRef));
	for (u32 k = 1; k < block->pred_count; k++) {
		const SsaRef *homes = b->pieces[piece_of_block(b, block->preds[k])].homes;

		for (u32 slot = 0; slot < b->region->slot_count; slot++)
			if (homes[slot] != b->homes[slot])
				b->homes[slot] = 0;
	}
}

/* What all predecessors know of homes. */
static bool meet_near(Build *b, const Piece *piece)
{
	const SsaBlock *block = &b->func->blocks[b->block];
	const Piece *from = block->pred_count && !piece->header ? &b->pieces[piece_of_block(b, block->preds[0])] : NULL;

	b->near = ARENA_ARRAY(b->arena, SsaRef, b->region->slot_count + 1);
	if (!b->near)
		return false;
	if (from)
		memcpy(b->near, from->near, b->region->slot_count * sizeof(SsaRef));
	for (u32 k = 1; k < block->pred_count && from; k++) {
		const SsaRef *near = b->pieces[piece_of_block(b, block->preds[k])].near;

		for (u32 slot = 0; slot < b->region->slot_count; slot++)
			if (near[slot] != b->near[slot])
				b->near[slot] = 0;
	}
	return true;
}

/* Parameters of the IR's blocks: control only goes forward there, so all predecessors are known. */
static void take_params(Build *b, Piece *piece)
{
	const IrFunc *func = b->shapes[piece->source]->func;
	u32 preds = b->func->blocks[b->block].pred_count;

	for (u32 at = piece->start; at < piece->end && func->ins[at].op == IR_OP_PARAM; at++) {
		u32 index = at - piece->start;
		SsaRef phi = preds == 1 ? 0 : make_phi(b, piece, func->ins[at].width, SSA_NO_SLOT), first = 0;
		bool same = true;

		for (u32 k = 0; k < preds && !b->func->failed; k++) {
			const Piece *from = &b->pieces[piece_of_block(b, b->func->blocks[b->block].preds[k])];
			const IrIns *jmp = &func->ins[from->end - 1];
			SsaRef value = index < jmp->c ? value_of(b, piece->source, func->pool[jmp->b + index]) : 0;

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
		*ref_at(b, piece->source, at) = phi && !same ? phi : first;
	}
}

static void enter_piece(Build *b, u32 p)
{
	Piece *piece = &b->pieces[p];
	const SsaBlock *block = &b->func->blocks[b->block];

	b->state = ARENA_ARRAY(b->arena, SsaRef, b->region->slot_count + 1);
	b->homes = b->single ? NULL : ARENA_ARRAY(b->arena, SsaRef, b->region->slot_count + 1);
	if (!b->state || (!b->single && !b->homes)) {
		b->failed = true;
		return;
	}
	piece->state = b->state;
	piece->homes = b->homes;
	b->piece = p;
	b->pc = piece->pc;
	b->length = piece->length;
	if (b->stay && !meet_near(b, piece))
		b->failed = true;
	piece->near = b->near;
	if (piece->source == NONE || b->failed)
		return;
	if (block->pred_count == 1 && !piece->header)
		memcpy(b->state, b->pieces[piece_of_block(b, block->preds[0])].state, b->region->slot_count * sizeof(SsaRef));
	else
		meet_state(b, piece);
	meet_homes(b, piece);
	memcpy(b->func->blocks[b->block].state, b->state, b->region->slot_count * sizeof(SsaRef));
	if (p != b->top[piece->source])
		take_params(b, piece);
}

static void build_piece(Build *b, u32 p)
{
	Piece *piece = &b->pieces[p];

	b->block = piece->block;
	if (piece->source != NONE && !piece->header && !b->func->blocks[b->block].pred_count)
		return; /* what folding has shown */
	enter_piece(b, p);
	piece->built = true;
	for (u32 at = piece->start; at < piece->end && !b->failed && !b->func->failed; at++) {
		const IrIns *ins = &b->shapes[piece->source]->func->ins[at];

		if (b->shapes[piece->source]->act[at] == SSA_ACT_NONE || (ir_op_info[ins->op].effects & IR_EFFECT_END))
			continue;
		emit_ins(b, piece->source, at);
	}
	if (!b->failed && !b->func->failed)
		end_piece(b, p);
}

/* ---- Loops ---- */

/* The one value that a PHI of a slot has; itself: there are several. */
static SsaRef only_value(const Build *b, SsaRef phi)
{
	const SsaNode *node = &b->func->nodes[phi];
	u32 count = b->func->blocks[node->block].pred_count;
	SsaRef only = phi;

	for (u32 i = 0; i < count; i++) {
		SsaRef value = settled(b, b->func->pool[node->a + i], node->aux);

		if (value == phi || value == only)
			continue;
		if (only != phi)
			return phi;
		only = value;
	}
	return only;
}

static void fill_phis(Build *b, u32 block)
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

static bool prune_phis(Build *b, u32 block)
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
			only = b->single ? home_of(b, slot) : ssa_node(b->func, SSA_HOME, b->region->slot_width[slot], slot, 0, 0, 0, 0);
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
static void fetch_homes(Build *b, u32 block)
{
	for (SsaRef ref = b->func->blocks[block].first; ref && b->func->nodes[ref].op == SSA_PHI; ref = b->func->nodes[ref].next) {
		u32 slot = b->func->nodes[ref].aux, args = b->func->nodes[ref].a;

		for (u32 i = 0; slot != SSA_NO_SLOT && i < b->func->blocks[block].pred_count && !b->func->failed; i++) {
			u32 from = b->func->blocks[block].preds[i];

			if (b->func->pool[args + i])
				continue;
			b->block = from;
			b->homes = b->pieces[piece_of_block(b, from)].homes;
			b->func->pool[args + i] = home_of(b, slot);
		}
	}
}

/* What PHIs have turned out to be; HOMEs of their own slot are at home. */
static void settle_states(Build *b, u32 block)
{
	SsaRef *state = b->func->blocks[block].state;

	for (u32 i = 0; i < b->slot_count; i++)
		state[b->slots[i]] = settled(b, state[b->slots[i]], b->slots[i]);
}

static void close_loops(Build *b)
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

static bool prepare(Build *b)
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
	return b->shapes && b->refs && b->ends && b->top && map_sources(b);
}

static bool start(Build *b)
{
	const SsaRegion *region = b->region;

	b->func = ssa_create(b->arena, region->slot_count, region->slot_width);
	if (!b->func)
		return false;
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
		Piece *piece = &b->pieces[b->order[i]];

		piece->block = ssa_block(b->func, piece->pc);
		if (b->func->failed)
			break;
		b->func->blocks[piece->block].entry = piece->source == NONE;
		b->func->blocks[piece->block].heat = region->sources[piece->source == NONE ? piece->ir : piece->source].heat;
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
	Build b = {.region = region, .arena = arena};

	if (!prepare(&b))
		return NULL;
	cut_sources(&b);
	if (b.failed)
		return NULL;
	order_pieces(&b);
	if (!b.failed)
		find_written(&b);
	if (!b.failed)
		choose_homes(&b);
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
