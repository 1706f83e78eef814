/* SPDX-License-Identifier: MIT
 *
 * Which spill slot a value has.
 *
 * The time of a value in memory is an interval of the order of blocks: from its definition to its last read; if there is
 * a jump back in between to behind the definition, until that jump. (A jump back to before the definition passes the
 * definition before any read.) Values whose intervals do not meet may share a slot.
 *
 * A PHI in memory and an argument of it had better share one: then nothing is to be done on the edge. So they are put
 * together first, the hottest edges before others, as long as no two of the group are in memory at one time; after
 * that a group is one interval, from the first of its members to the last. An argument that is in a register at the end of
 * its edge and is in memory besides (for a snapshot, say) counts as read there: rather one store than two.
 */
#include "jit/ssa_alloc_private.h"

#include <stdlib.h>

enum { GROUP_MOST = 16 };

/* A transfer that is nothing if both share a slot. */
typedef struct Pair {
	u64 heat;
	u32 phi, arg; /* slots */
	u32 at, last; /* the read, as in RaEvent */
	u32 transfer;
	bool held;    /* the argument is in a register */
} Pair;

typedef struct Slots {
	Ra *ra;
	RaSlot *slots;
	u32 count;
	u32 *of;      /* per id: index + 1 */
	Pair *pairs;
	u32 pair_count;
} Slots;

/* ---- Which block dominates ---- */

u32 ra_above(const SsaFunc *func, u32 b)
{
	return func->blocks[b].entry ? SSA_NO_BLOCK : func->blocks[b].idom;
}

u32 ra_common(const SsaFunc *func, u32 x, u32 y)
{
	while (x != y) {
		if (x == SSA_NO_BLOCK || y == SSA_NO_BLOCK)
			return SSA_NO_BLOCK;
		if (func->blocks[x].order > func->blocks[y].order)
			x = ra_above(func, x);
		else
			y = ra_above(func, y);
	}
	return x;
}

/* ---- When a value is in memory ---- */

/* Until the end of the loops that begin behind the definition. */
static u32 around_loops(const Ra *ra, const RaValue *value, u32 last)
{
	u32 p = ra->next_loop[value->many ? 0 : ra->func->blocks[value->block].order + 1];

	for (; p < ra->func->rpo_count && ra->base[p] <= last; p = ra->next_loop[p + 1])
		if (ra->base[ra->blocks[p].far + 1] - 1 > last)
			last = ra->base[ra->blocks[p].far + 1] - 1;
	return last;
}

static u32 first_of(const Ra *ra, const RaValue *value)
{
	u32 base = ra->base[ra->func->blocks[value->block].order];

	if (value->many)
		return 0;
	if (value->kind == RA_PHI || value->code == RA_NO_CODE)
		return base;
	return base + value->code - ra->alloc->block_first[value->block] + 1;
}

static void find_intervals(Slots *s)
{
	Ra *ra = s->ra;

	for (u32 e = 0; e < ra->event_count; e++) {
		const RaEvent *event = &ra->events[e];
		u32 b = ra->func->rpo[event->at], last = ra->base[event->at] + event->last;
		RaSlot *slot;

		if (!s->of[event->id]) {
			s->slots[s->count] = (RaSlot){
				.id = event->id, .reads = b, .group = s->count,
				.first = first_of(ra, &ra->values[event->id]),
			};
			s->of[event->id] = ++s->count;
		}
		slot = &s->slots[s->of[event->id] - 1];
		slot->last = last > slot->last ? last : slot->last;
		slot->reads = ra_common(ra->func, slot->reads, b);
	}
	for (u32 k = 0; k < s->count; k++) {
		RaSlot *slot = &s->slots[k];

		slot->last = around_loops(ra, &ra->values[slot->id], slot->last);
		slot->from = slot->first;
		slot->to = slot->last;
		slot->members = 1;
	}
}

/* ---- PHIs and their arguments ---- */

static u64 heat_of(const SsaBlock *block)
{
	return block->cold ? 0 : (u64)(1 + block->depth) << 48 | (block->heat < (u64)1 << 48 ? block->heat : ((u64)1 << 48) - 1);
}

static void find_pairs(Slots *s, const RaTransfer *transfers, const SsaEdge *edges, u32 edge_count)
{
	const Ra *ra = s->ra;

	for (u32 e = 0; e < edge_count; e++) {
		const SsaBlock *from = &ra->func->blocks[edges[e].from], *to = &ra->func->blocks[edges[e].to];

		for (u32 t = edges[e].move_first; t < edges[e].move_first + edges[e].move_count; t++) {
			u32 id = transfers[t].id;
			bool held = transfers[t].from.kind == SSA_PLACE_REG;

			if (transfers[t].to.kind != SSA_PLACE_SPILL || (!held && transfers[t].from.kind != SSA_PLACE_SPILL) || !s->of[id])
				continue;
			if (held && heat_of(&ra->func->blocks[ra->values[id].block]) > heat_of(from))
				continue; /* one store less here would be one more in a loop */
			s->pairs[s->pair_count++] = (Pair){
				.heat = heat_of(from) < heat_of(to) ? heat_of(from) : heat_of(to),
				.phi = s->of[transfers[t].to.number] - 1, .arg = s->of[id] - 1, .transfer = t,
				.at = from->order, .last = ra->base[from->order] + ra->alloc->block_codes[edges[e].from], .held = held,
			};
		}
	}
}

static int by_heat(const void *a, const void *b)
{
	const Pair *x = a, *y = b;

	if (x->heat != y->heat)
		return x->heat > y->heat ? -1 : 1;
	return x->transfer < y->transfer ? -1 : x->transfer > y->transfer;
}

/* Are members of two groups in memory at one time, the argument until `last`? */
static bool meet(const Slots *s, u32 x, u32 y, u32 arg, u32 last)
{
	for (u32 i = x + 1; i; i = s->slots[i - 1].next)
		for (u32 j = y + 1; j; j = s->slots[j - 1].next) {
			const RaSlot *a = &s->slots[i - 1], *b = &s->slots[j - 1];
			u32 a_last = i - 1 == arg ? last : a->last, b_last = j - 1 == arg ? last : b->last;

			if (a_last >= b->first && b_last >= a->first)
				return true;
		}
	return false;
}

/* The argument lives in memory until `last`: does it meet one of its own group then? */
static bool stays_alone(const Slots *s, u32 arg, u32 last)
{
	for (u32 i = s->slots[arg].group + 1; i; i = s->slots[i - 1].next)
		if (i - 1 != arg && last >= s->slots[i - 1].first && s->slots[i - 1].last >= s->slots[arg].first)
			return false;
	return true;
}

static void join(Slots *s, u32 x, u32 y)
{
	RaSlot *a = &s->slots[x], *b = &s->slots[y];
	u32 end = x;

	a->from = b->from < a->from ? b->from : a->from;
	a->to = b->to > a->to ? b->to : a->to;
	a->members += b->members;
	while (s->slots[end].next)
		end = s->slots[end].next - 1;
	s->slots[end].next = y + 1;
	for (u32 i = y + 1; i; i = s->slots[i - 1].next)
		s->slots[i - 1].group = x;
}

static void try_pair(Slots *s, const Pair *pair, RaTransfer *transfer)
{
	const Ra *ra = s->ra;
	RaSlot *arg = &s->slots[pair->arg];
	u32 x = s->slots[pair->phi].group, y = arg->group;
	u32 last = pair->held ? around_loops(ra, &ra->values[arg->id], pair->last) : arg->last;

	last = last > arg->last ? last : arg->last;
	if (!stays_alone(s, pair->arg, last))
		return;
	if (x != y) {
		if (s->slots[x].members + s->slots[y].members > GROUP_MOST || meet(s, x, y, pair->arg, last))
			return;
		join(s, x, y);
	}
	if (!pair->held)
		return;
	arg->last = last;
	s->slots[x].to = last > s->slots[x].to ? last : s->slots[x].to;
	arg->reads = ra_common(ra->func, arg->reads, ra->func->rpo[pair->at]);
	transfer->from = (SsaPlace){.kind = SSA_PLACE_SPILL, .number = arg->id};
}

/* ---- Numbers ---- */

static int by_first(const void *a, const void *b)
{
	const RaSlot *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void number(Slots *s)
{
	Ra *ra = s->ra;
	u32 used = 0, ends[SSA_SPILLS_MOST];

	for (u32 k = 0; k < s->count; k++) /* of the group: its first member's id */
		s->of[s->slots[k].id] = s->slots[s->slots[k].group].id;
	qsort(s->slots, s->count, sizeof(RaSlot), by_first);
	for (u32 k = 0; k < s->count; k++) {
		const RaSlot *slot = &s->slots[k];
		u32 n = 0;

		if (s->of[slot->id] != slot->id)
			continue;
		while (n < used && ends[n] >= slot->from)
			n++;
		if (n == SSA_SPILLS_MOST) {
			ra->failed = true;
			return;
		}
		used = n == used ? used + 1 : used;
		ends[n] = slot->to;
		ra->values[slot->id].slot = n;
	}
	for (u32 k = 0; k < s->count; k++)
		ra->values[s->slots[k].id].slot = ra->values[s->of[s->slots[k].id]].slot;
	ra->alloc->spills = used;
}

RaSlot *ra_find_slots(Ra *ra, RaTransfer *transfers, u32 transfer_count, const SsaEdge *edges, u32 edge_count, u32 *count)
{
	Slots s = {.ra = ra};

	*count = ra->alloc->spills = 0;
	if (!ra->event_count)
		return NULL;
	s.of = ARENA_ARRAY(ra->arena, u32, ra->value_count);
	s.slots = ARENA_ROOM(ra->arena, RaSlot, ra->event_count + 1);
	s.pairs = ARENA_ROOM(ra->arena, Pair, transfer_count + 1);
	if (!s.of || !s.slots || !s.pairs) {
		ra->failed = true;
		return NULL;
	}
	find_intervals(&s);
	if (s.count <= SSA_SPILLS_MOST) { /* groups may need more slots than their members alone would, but no more than one each */
		find_pairs(&s, transfers, edges, edge_count);
		qsort(s.pairs, s.pair_count, sizeof(Pair), by_heat);
		for (u32 k = 0; k < s.pair_count; k++)
			try_pair(&s, &s.pairs[k], &transfers[s.pairs[k].transfer]);
	}
	number(&s);
	*count = s.count;
	return s.slots;
}
