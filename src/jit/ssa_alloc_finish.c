/* SPDX-License-Identifier: MIT
 *
 * After the walk: moves on edges, stores into spill slots (whose numbers ssa_alloc_slots.c gives).
 *
 * Stores. Where the memory of a value was read is known by its events. One store is enough, behind the definition. But that
 * stands in an inner loop perhaps, and the reads outside, or on one way behind it: then at the start of a block that dominates all
 * reads, lies in no more loops, and has the value in a register.
 */
#include "jit/ssa_alloc_private.h"

#include <string.h>

typedef struct Store {
	u32 next;  /* index + 1 */
	u32 id;
	u8 reg;
} Store;

typedef struct Finish {
	Ra *ra;
	RaTransfer *transfers;
	u32 transfer_count, transfer_cap;
	SsaEdge *edges;     /* of transfers */
	u32 edge_count;
	Store *stores;
	u32 store_count, store_cap;
	u32 *store_at;      /* per code: index + 1 of the first store before it */
	SsaMove *moves;
	u32 move_count, move_cap;
} Finish;

static bool room(Finish *f, void **items, u32 *cap, u32 used, size_t size)
{
	if (used >= *cap && !arena_grow(f->ra->arena, items, cap, used, size))
		f->ra->failed = true;
	return !f->ra->failed;
}

/* ---- Edges ---- */

static SsaPlace place_at_end(Ra *ra, const RaBlock *pred, u32 id, unsigned cls)
{
	unsigned found = ra_found(pred->end, id, pred->ends & ra_class(cls));

	if (found == RA_NO_REG)
		found = ra_found(pred->end, id, pred->ends);
	return found == RA_NO_REG ? ra_memory_of(ra, id) : ra_place(found);
}

static void transfer(Finish *f, u32 id, SsaPlace from, SsaPlace to, u8 width)
{
	if (room(f, (void **)&f->transfers, &f->transfer_cap, f->transfer_count, sizeof(RaTransfer)))
		f->transfers[f->transfer_count++] = (RaTransfer){.from = from, .to = to, .id = id, .width = width};
}

static void edge(Finish *f, u32 b, u32 k)
{
	Ra *ra = f->ra;
	const SsaBlock *block = &ra->func->blocks[b];
	const RaBlock *here = &ra->blocks[block->order], *pred = &ra->blocks[ra->func->blocks[block->preds[k]].order];
	SsaEdge *out = &f->edges[f->edge_count];

	*out = (SsaEdge){.from = block->preds[k], .to = b, .move_first = f->transfer_count};
	ra->at = ra->func->blocks[block->preds[k]].order;
	ra->position = ra->alloc->block_codes[block->preds[k]];
	ra->visit++;
	for (u32 set = here->starts; set; set &= set - 1) {
		unsigned reg = (unsigned)__builtin_ctz(set);
		u32 id = here->start[reg], from = id;
		const RaValue *value;

		if (pred->end[reg] == id && !here->phi_count)
			continue; /* most */
		value = &ra->values[id];
		if (value->kind == RA_PHI && value->block == b)
			from = ra_arg(ra, id, k);
		if (pred->end[reg] != from)
			transfer(f, from, place_at_end(ra, pred, from, reg >> 4), ra_place(reg), value->width);
	}
	for (u32 n = 0; n < here->phi_count; n++) {
		u32 id = ra->phis[here->phi_first + n].id, from = ra_arg(ra, id, k);

		if (!ra->values[id].in_memory)
			continue;
		if (from != id || place_at_end(ra, pred, from, ra->values[id].cls).kind != SSA_PLACE_SPILL)
			transfer(f, from, place_at_end(ra, pred, from, ra->values[id].cls),
				 (SsaPlace){.kind = SSA_PLACE_SPILL, .number = id}, ra->values[id].width);
	}
	out->move_count = f->transfer_count - out->move_first;
	if (out->move_count)
		f->edge_count++;
}

static void find_edges(Finish *f)
{
	Ra *ra = f->ra;
	u32 edges = 0;

	for (u32 p = 0; p < ra->func->rpo_count; p++) {
		const SsaBlock *block = ra_block_at(ra, p);

		edges += block->pred_count;
		for (u32 n = 0; n < ra->blocks[p].phi_count; n++) {
			u32 id = ra->phis[ra->blocks[p].phi_first + n].id;

			if (ra_found(ra->blocks[p].start, id, ra->blocks[p].starts) != RA_NO_REG)
				continue;
			ra->values[id].in_memory = true;
			ra->at = p;
			ra->position = 0;
			ra->visit++;
			ra_memory_of(ra, id);
		}
	}
	f->edges = ARENA_ARRAY(ra->arena, SsaEdge, edges + 1);
	if (!f->edges) {
		ra->failed = true;
		return;
	}
	for (u32 p = 0; p < ra->func->rpo_count && !ra->failed; p++)
		for (u32 k = 0; k < ra_block_at(ra, p)->pred_count; k++)
			edge(f, ra->func->rpo[p], k);
}

/* ---- Stores ---- */

static void store_before(Finish *f, u32 code, u32 id, unsigned reg)
{
	if (!room(f, (void **)&f->stores, &f->store_cap, f->store_count, sizeof(Store)))
		return;
	f->stores[f->store_count++] = (Store){.next = f->store_at[code], .id = id, .reg = (u8)reg};
	f->store_at[code] = f->store_count;
}

static u32 heat_of(const SsaBlock *block)
{
	return block->cold ? 0 : 1 + block->depth;
}

static unsigned starts_in(const Ra *ra, u32 b, u32 id)
{
	const RaBlock *block = &ra->blocks[ra->func->blocks[b].order];

	return ra_found(block->start, id, block->starts);
}

static void store_behind_all(Finish *f, u32 id)
{
	Ra *ra = f->ra;
	SsaRef ref = ra->values[id].ref;

	for (u32 d = 0; d < ra->def_count; d++) {
		u32 b;

		if (ra->defs[d].id != id)
			continue;
		b = ra->func->rpo[ra->defs[d].position];
		for (u32 i = 0; i < ra->alloc->block_codes[b]; i++) {
			u32 c = ra->alloc->block_first[b] + i;

			if (ra->alloc->codes[c].result && ra->alloc->codes[c].node == ref)
				store_before(f, c + 1, id, 16u * ra->alloc->codes[c].at.cls + ra->alloc->codes[c].at.number);
		}
	}
}

/* Of those between the reads and the definition, the coldest; of these, the one nearest to the reads, as ways that do not come to it
 * need no store. One that is as hot as the definition must be in the same loop, or it may come round more often. */
u32 ra_store_block(const Ra *ra, u32 id, u32 reads)
{
	const RaValue *value = &ra->values[id];
	const SsaBlock *blocks = ra->func->blocks, *made = &blocks[value->block];
	u32 best = SSA_NO_BLOCK, least = heat_of(made);

	for (u32 b = reads; b != value->block && b != SSA_NO_BLOCK; b = ra_above(ra->func, b)) {
		u32 heat = heat_of(&blocks[b]);
		bool sooner = best == SSA_NO_BLOCK && heat == least && blocks[b].loop == made->loop;

		if ((heat < least || sooner) && starts_in(ra, b, id) != RA_NO_REG) {
			best = b;
			least = heat;
		}
	}
	return best;
}

/* reads: a block that dominates all reads of the memory, or SSA_NO_BLOCK. */
static void place_store(Finish *f, u32 id, u32 reads)
{
	Ra *ra = f->ra;
	const RaValue *value = &ra->values[id];
	u32 best;

	if (value->in_memory)
		return;
	if (value->many) {
		store_behind_all(f, id);
		return;
	}
	best = ra_store_block(ra, id, reads);
	if (best != SSA_NO_BLOCK)
		store_before(f, ra->alloc->block_first[best], id, starts_in(ra, best, id));
	else if (value->kind == RA_PHI)
		store_before(f, ra->alloc->block_first[value->block], id, starts_in(ra, value->block, id));
	else if (value->code != RA_NO_CODE)
		store_before(f, value->code + 1, id,
			     16u * ra->alloc->codes[value->code].at.cls + ra->alloc->codes[value->code].at.number);
	else
		ra->failed = true; /* used, but not defined */
}

/* Stores and slots of all values that have events. */
static void find_stores(Finish *f)
{
	const RaSlot *slots;
	u32 count;

	ra_make(f->ra);
	slots = ra_find_slots(f->ra, f->transfers, f->transfer_count, f->edges, f->edge_count, &count);
	for (u32 s = 0; s < count && !f->ra->failed; s++)
		place_store(f, slots[s].id, slots[s].reads);
}

/* ---- What the emitter reads ---- */

static void final_place(const Ra *ra, SsaPlace *place)
{
	if (place->kind == SSA_PLACE_SPILL)
		place->number = ra->values[place->number].slot;
}

static void push(Finish *f, SsaPlace from, SsaPlace to, u8 width)
{
	if (room(f, (void **)&f->moves, &f->move_cap, f->move_count, sizeof(SsaMove)))
		f->moves[f->move_count++] = (SsaMove){.from = from, .to = to, .width = width};
}

static void final_codes(Finish *f)
{
	Ra *ra = f->ra;
	bool spills = ra->event_count != 0;

	for (u32 c = 0; c < ra->alloc->code_count; c++) {
		SsaCode *code = &ra->alloc->codes[c];
		u32 first = f->move_count;

		for (u32 s = f->store_at[c]; s; s = f->stores[s - 1].next) {
			const RaValue *value = &ra->values[f->stores[s - 1].id];

			push(f, ra_place(f->stores[s - 1].reg), (SsaPlace){.kind = SSA_PLACE_SPILL, .number = value->slot}, value->width);
		}
		for (u32 m = 0; m < code->move_count; m++) {
			SsaMove move = ra->moves[code->move_first + m];

			final_place(ra, &move.from);
			push(f, move.from, move.to, move.width);
		}
		code->move_first = first;
		code->move_count = f->move_count - first;
		for (unsigned u = 0, uses = spills ? code->use_count : 0; u < uses; u++)
			final_place(ra, &code->uses[u].place);
	}
	for (SsaPlace *place = ra->alloc->snap_places, *end = place + ra->alloc->snap_place_count; spills && place < end; place++)
		final_place(ra, place);
	for (u32 i = 0; i < ra->alloc->made_count; i++)
		for (unsigned k = 0; k < 3; k++)
			final_place(ra, &ra->alloc->made[i].from[k]);
}

/* Places of a parallel move as numbers: registers, then slots. */
static u32 index_of(SsaPlace place)
{
	return place.kind == SSA_PLACE_REG ? 16u * place.cls + place.number : RA_REGS + place.number;
}

static bool is_made(SsaPlace place)
{
	return place.kind == SSA_PLACE_CONST || place.kind == SSA_PLACE_HOME;
}

static void alone(Finish *f, SsaEdge *out)
{
	RaTransfer *only = f->transfers + out->move_first;

	final_place(f->ra, &only->from);
	final_place(f->ra, &only->to);
	out->move_first = f->move_count;
	if (!ssa_same_place(&only->from, &only->to))
		push(f, only->from, only->to, only->width);
	out->move_count = f->move_count - out->move_first;
}

/* The transfers of an edge happen all at once: in an order in which nobody's source is overwritten before it is read. */
static void in_order(Finish *f, SsaEdge *out)
{
	Ra *ra = f->ra;
	RaTransfer *list = f->transfers + out->move_first;
	u32 count = out->move_count, left = 0, reading[RA_REGS + SSA_SPILLS_MOST] = {0};

	out->move_first = f->move_count;
	for (u32 t = 0; t < count; t++) {
		final_place(ra, &list[t].from);
		final_place(ra, &list[t].to);
		if (ssa_same_place(&list[t].from, &list[t].to))
			list[t].from.kind = SSA_PLACE_NONE;
		else if (!is_made(list[t].from))
			reading[index_of(list[t].from)]++, left++;
	}
	while (left && !ra->failed) {
		RaTransfer *cycle = NULL;
		bool any = false;

		for (u32 t = 0; t < count; t++) {
			if (list[t].from.kind == SSA_PLACE_NONE || is_made(list[t].from))
				continue;
			if (reading[index_of(list[t].to)]) {
				cycle = &list[t];
				continue;
			}
			push(f, list[t].from, list[t].to, list[t].width);
			reading[index_of(list[t].from)]--;
			list[t].from.kind = SSA_PLACE_NONE;
			left--;
			any = true;
		}
		if (!any && cycle) {
			/* Memory on the cycle needs the general scratch register for itself. */
			unsigned cls = cycle->to.kind == SSA_PLACE_REG ? cycle->to.cls : SSA_XMM;
			SsaPlace scratch;

			for (u32 t = 0; t < count; t++)
				if (list[t].from.kind == SSA_PLACE_SPILL)
					cls = SSA_XMM;
			scratch = (SsaPlace){.kind = SSA_PLACE_REG, .cls = (u8)cls, .number = ra->alloc->scratch[cls]};
			push(f, cycle->to, scratch, 64);
			for (u32 t = 0; t < count; t++)
				if (list[t].from.kind != SSA_PLACE_NONE && ssa_same_place(&list[t].from, &cycle->to)) {
					list[t].from = scratch;
					reading[index_of(scratch)]++;
				}
			reading[index_of(cycle->to)] = 0;
		}
	}
	for (u32 t = 0; t < count; t++)
		if (is_made(list[t].from))
			push(f, list[t].from, list[t].to, list[t].width);
	out->move_count = f->move_count - out->move_first;
}

void ra_finish(Ra *ra)
{
	Finish f = {.ra = ra};

	f.store_at = ARENA_ARRAY(ra->arena, u32, ra->alloc->code_count + 1);
	if (!f.store_at) {
		ra->failed = true;
		return;
	}
	find_edges(&f);
	if (!ra->failed)
		find_stores(&f);
	if (ra->failed)
		return;
	final_codes(&f);
	for (u32 e = 0; e < f.edge_count && !ra->failed; e++)
		(f.edges[e].move_count == 1 ? alone : in_order)(&f, &f.edges[e]);
	ra->alloc->moves = f.moves;
	ra->alloc->move_count = f.move_count;
	ra->alloc->edges = f.edges;
	ra->alloc->edge_count = f.edge_count;
}
