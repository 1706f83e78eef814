/* SPDX-License-Identifier: MIT
 *
 * What ways out make themselves.
 *
 * Many a value is in memory for rare ways out alone: nothing on the way reads it again, but the guest's register must have it
 * if the budget ends there. A store for that costs time on each round. Where the value is an operation on what the way out finds
 * anyway (in registers there, in slots that have to be stored, constants, homes), or a few of them, the way out does it again,
 * and nothing is stored. Nobody lives longer in a register for that: what is not there any more is not used.
 *
 * While it walks, the allocator keeps for such ways out what registers hold (RaScene), and which values they want from memory
 * (RaMaybe). Afterwards values are looked at in the order of their definitions: so of what a value is made of it is known whether
 * it is stored. One that cannot be made at one of its ways out is stored, for all.
 *
 * A slot that is read at one more place may need its store at a hotter one: then it is not used.
 *
 * Lazy values (ssa_lazy.c) have no code and no place: snapshots that name one name what it is made of, too, so that is there.
 */
#include "jit/ssa_alloc_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { OPERATIONS_MOST = 8 }; /* for one value at one way out */

/* What a scene's value is made of. */
typedef struct Making {
	u32 next;  /* of the scene: index + 1 */
	u32 scene;
} Making;

typedef struct Candidate {
	u64 order; /* of the definition */
	u32 id;
} Candidate;

typedef struct Maker {
	Ra *ra;
	u8 *stored;        /* per id */
	u32 *reads;        /* per id: a block that dominates all reads of its slot */
	u32 *first;        /* per id: its maybes: index + 1 */
	Making *making;    /* beside alloc->made */
	u32 making_cap, made_cap;
	u32 scene;         /* the present one */
	u32 left;          /* so many operations may be taken yet */
} Maker;

static bool make(Maker *m, SsaRef ref, SsaPlace *to);

static void add_read(Maker *m, u32 id, u32 block)
{
	m->reads[id] = m->stored[id] ? ra_common(m->ra->func, m->reads[id], block) : block;
	m->stored[id] = 1;
}

/* May the slot be read in the present scene, too? */
static bool is_stored_for(const Maker *m, u32 id)
{
	const Ra *ra = m->ra;
	u32 at;

	if (!m->stored[id] || ra->values[id].cls != SSA_GPR)
		return false;
	if (ra->values[id].in_memory || ra->values[id].many)
		return true;
	at = ra_store_block(ra, id, m->reads[id]);
	return at == SSA_NO_BLOCK || ssa_dominates(ra->func, at, ra->func->rpo[ra->scenes[m->scene].at]);
}

/* Is it in a place that the way out can read? */
static bool is_there(const Maker *m, SsaRef ref, SsaPlace *to)
{
	const Ra *ra = m->ra;
	const RaScene *scene = &ra->scenes[m->scene];
	u32 id = ra->id[ref];
	unsigned reg;

	if (ra->func->nodes[ref].op == SSA_CONST) {
		*to = (SsaPlace){.kind = SSA_PLACE_CONST, .number = ref};
		return true;
	}
	if (!id || ssa_is_odd(ra->func, ref))
		return false;
	reg = ra_found(scene->held, id, scene->set);
	if (reg != RA_NO_REG) {
		*to = ra_place(reg);
		return true;
	}
	if (ra->values[id].kind == RA_HOME && !ra->values[id].local) {
		*to = (SsaPlace){.kind = SSA_PLACE_HOME, .number = ra->values[id].slot};
		return true;
	}
	*to = (SsaPlace){.kind = SSA_PLACE_SPILL, .number = id};
	return is_stored_for(m, id);
}

static bool is_made_there(const Maker *m, SsaRef ref, SsaPlace *to)
{
	const Ra *ra = m->ra;

	for (u32 i = ra->scenes[m->scene].made; i; i = m->making[i - 1].next)
		if (ra->alloc->made[i - 1].ref == ref) {
			*to = (SsaPlace){.kind = SSA_PLACE_MADE, .number = i - 1};
			return true;
		}
	return false;
}

/* By its operation. */
static bool make_again(Maker *m, SsaRef ref, SsaPlace *to)
{
	Ra *ra = m->ra;
	SsaAlloc *alloc = ra->alloc;
	const SsaNode *node = &ra->func->nodes[ref];
	RaScene *scene = &ra->scenes[m->scene];
	SsaMade made = {.ref = ref};

	if (is_made_there(m, ref, to))
		return true;
	if (!ssa_may_make(ra->func, ref) || !m->left || scene->made_count >= SSA_MADE_MOST)
		return false;
	m->left--;
	for (unsigned k = 0; k < ssa_op_info[node->op].operands; k++)
		if (!make(m, node->operands[k], &made.from[k]))
			return false;
	if (!arena_grow(ra->arena, (void **)&alloc->made, &m->made_cap, alloc->made_count, sizeof(SsaMade)) ||
	    !arena_grow(ra->arena, (void **)&m->making, &m->making_cap, alloc->made_count, sizeof(Making))) {
		ra->failed = true;
		return false;
	}
	m->making[alloc->made_count] = (Making){.next = scene->made, .scene = m->scene};
	alloc->made[alloc->made_count] = made;
	*to = (SsaPlace){.kind = SSA_PLACE_MADE, .number = alloc->made_count};
	scene->made = ++alloc->made_count;
	scene->made_count++;
	return true;
}

static bool make(Maker *m, SsaRef ref, SsaPlace *to)
{
	ref = ssa_value(m->ra->func, ref);
	return is_there(m, ref, to) || make_again(m, ref, to);
}

/* The operations from `mark` on are not needed. */
static void forget(Maker *m, u32 mark)
{
	Ra *ra = m->ra;

	while (ra->alloc->made_count > mark) {
		const Making *last = &m->making[--ra->alloc->made_count];

		ra->scenes[last->scene].made = last->next;
		ra->scenes[last->scene].made_count--;
	}
}

/* Slots that the operations from `mark` on read are read there. */
static void note_reads(Maker *m, u32 mark)
{
	Ra *ra = m->ra;

	for (u32 i = mark; i < ra->alloc->made_count; i++) {
		const RaScene *scene = &ra->scenes[m->making[i].scene];

		for (unsigned k = 0; k < 3; k++) {
			const SsaPlace *from = &ra->alloc->made[i].from[k];

			if (from->kind != SSA_PLACE_SPILL)
				continue;
			add_read(m, from->number, ra->func->rpo[scene->at]);
			if (ra->event_count >= ra->event_cap &&
			    !arena_grow(ra->arena, (void **)&ra->events, &ra->event_cap, ra->event_count, sizeof(RaEvent))) {
				ra->failed = true;
				return;
			}
			ra->events[ra->event_count++] = (RaEvent){.id = from->number, .at = scene->at, .last = scene->last, .by_code = true};
		}
	}
}

/* At all its ways out, or at none. */
static bool make_value(Maker *m, u32 id)
{
	Ra *ra = m->ra;
	u32 mark = ra->alloc->made_count;
	SsaPlace place;

	for (u32 i = m->first[id]; i; i = ra->maybes[i - 1].next) {
		m->scene = ra->maybes[i - 1].scene;
		m->left = OPERATIONS_MOST;
		if (!make_again(m, ra->values[id].ref, &place)) {
			forget(m, mark);
			return false;
		}
		ra->alloc->snap_places[ra->maybes[i - 1].place] = place;
	}
	note_reads(m, mark);
	return true;
}

static void store_value(Maker *m, u32 id)
{
	Ra *ra = m->ra;

	for (u32 i = m->first[id]; i; i = ra->maybes[i - 1].next) {
		ra->alloc->snap_places[ra->maybes[i - 1].place] = (SsaPlace){.kind = SSA_PLACE_SPILL, .number = id};
		add_read(m, id, ra->func->rpo[ra->scenes[ra->maybes[i - 1].scene].at]);
	}
}

/* Not worth the time where it is stored once in a while. */
static bool is_worth_it(const Ra *ra, const RaValue *value)
{
	return !ra->func->blocks[value->block].cold && value->code != RA_NO_CODE && !value->in_memory && !value->many;
}

static int by_order(const void *a, const void *b)
{
	const Candidate *x = a, *y = b;

	return x->order < y->order ? -1 : x->order > y->order;
}

static void make_candidates(Maker *m)
{
	Ra *ra = m->ra;
	Candidate *list = ARENA_ROOM(ra->arena, Candidate, ra->maybe_count + 1);
	u32 count = 0;

	if (!list) {
		ra->failed = true;
		return;
	}
	for (u32 i = ra->maybe_count; i-- > 0;) {
		RaMaybe *maybe = &ra->maybes[i];
		const RaValue *value = &ra->values[maybe->id];

		if (m->stored[maybe->id])
			continue;
		maybe->next = m->first[maybe->id];
		if (!maybe->next)
			list[count++] = (Candidate){
				.order = (u64)ra->func->blocks[value->block].order << 32 | value->code, .id = maybe->id,
			};
		m->first[maybe->id] = i + 1;
	}
	qsort(list, count, sizeof *list, by_order);
	for (u32 i = 0; i < count && !ra->failed; i++)
		if (!is_worth_it(ra, &ra->values[list[i].id]) || !make_value(m, list[i].id))
			store_value(m, list[i].id);
}

/* What is made is in memory nowhere. */
static void drop_events(Ra *ra, const u8 *stored)
{
	u32 count = 0;

	for (u32 e = 0; e < ra->event_count; e++)
		if (stored[ra->events[e].id])
			ra->events[count++] = ra->events[e];
	ra->event_count = count;
}

/* ---- Lazy values ---- */

/* A snapshot whose lazy values are made. */
typedef struct Lazy {
	Maker *m;
	const SsaSnap *snap;
	SsaPlace *places;
	u32 *entry;    /* per node: which of the snapshot's, + 1, if that names it */
	u32 first;     /* of alloc->made: those for this snapshot */
} Lazy;

static bool is_lazy_place(const SsaPlace *place)
{
	return place->kind == SSA_PLACE_CONST && !place->number;
}

static bool make_lazy(Lazy *lazy, SsaRef ref, SsaPlace *to);

static bool lazy_operand(Lazy *lazy, SsaRef ref, SsaPlace *to)
{
	const Ra *ra = lazy->m->ra;
	u32 k;

	ref = ssa_value(ra->func, ref);
	k = lazy->entry[ref];
	if (ra->func->nodes[ref].op == SSA_CONST) {
		*to = (SsaPlace){.kind = SSA_PLACE_CONST, .number = ref};
		return true;
	}
	if (k && k <= lazy->snap->count && ra->func->entries[lazy->snap->first + k - 1].ref == ref && !is_lazy_place(&lazy->places[k - 1])) {
		*to = lazy->places[k - 1];
		return true;
	}
	return make_lazy(lazy, ref, to);
}

static bool make_lazy(Lazy *lazy, SsaRef ref, SsaPlace *to)
{
	Maker *m = lazy->m;
	SsaAlloc *alloc = m->ra->alloc;
	const SsaNode *node = &m->ra->func->nodes[ref];
	SsaMade made = {.ref = ref};

	assert(ssa_is_lazy(m->ra->func, ref));
	for (u32 i = lazy->first; i < alloc->made_count; i++)
		if (alloc->made[i].ref == ref) {
			*to = (SsaPlace){.kind = SSA_PLACE_MADE, .number = i};
			return true;
		}
	for (unsigned k = 0; k < ssa_op_info[node->op].operands; k++)
		if (!lazy_operand(lazy, node->operands[k], &made.from[k]))
			return false;
	if (!arena_grow(m->ra->arena, (void **)&alloc->made, &m->made_cap, alloc->made_count, sizeof(SsaMade))) {
		m->ra->failed = true;
		return false;
	}
	*to = (SsaPlace){.kind = SSA_PLACE_MADE, .number = alloc->made_count};
	alloc->made[alloc->made_count++] = made;
	return true;
}

/* The way out before has the same entries: if they are in the same places, so are lazy ones. */
static bool lazy_as_before(const SsaSnap *snap, SsaPlace *places, const SsaPlace *before)
{
	for (u32 k = 0; k < snap->count; k++)
		if (!is_lazy_place(&places[k]) && !ssa_same_place(&places[k], &before[k]))
			return false;
	memcpy(places, before, snap->count * sizeof *places);
	return true;
}

static void make_lazies(Maker *m)
{
	Ra *ra = m->ra;
	Lazy lazy = {.m = m, .entry = ARENA_ARRAY(ra->arena, u32, ra->func->node_count)};
	SsaPlace *before = NULL;
	u64 seen = 0;

	if (!lazy.entry) {
		ra->failed = true;
		return;
	}
	for (u32 c = 0; c < ra->alloc->code_count && !ra->failed; c++) {
		const SsaCode *code = &ra->alloc->codes[c];
		bool any = false;

		if (code->snap == ~(u32)0)
			continue;
		lazy.snap = &ra->func->snaps[code->snap];
		lazy.places = ra->alloc->snap_places + code->snap_place;
		for (u32 k = 0; k < lazy.snap->count; k++)
			any |= is_lazy_place(&lazy.places[k]);
		if (!any || (before && seen == ra_entries_of(lazy.snap) && lazy_as_before(lazy.snap, lazy.places, before)))
			continue;
		lazy.first = ra->alloc->made_count;
		for (u32 k = 0; k < lazy.snap->count; k++)
			lazy.entry[ra->func->entries[lazy.snap->first + k].ref] = k + 1;
		for (u32 k = 0; k < lazy.snap->count; k++)
			if (is_lazy_place(&lazy.places[k]) &&
			    !make_lazy(&lazy, ra->func->entries[lazy.snap->first + k].ref, &lazy.places[k]))
				return;
		before = lazy.places;
		seen = ra_entries_of(lazy.snap);
	}
}

/* What is in memory for ways out alone. */
static void make_maybes(Maker *m)
{
	Ra *ra = m->ra;

	m->stored = ARENA_ARRAY(ra->arena, u8, ra->value_count);
	m->reads = ARENA_ROOM(ra->arena, u32, ra->value_count);
	m->first = ARENA_ARRAY(ra->arena, u32, ra->value_count);
	if (!m->stored || !m->reads || !m->first) {
		ra->failed = true;
		return;
	}
	for (u32 e = 0; e < ra->event_count; e++)
		if (ra->events[e].by_code)
			add_read(m, ra->events[e].id, ra->func->rpo[ra->events[e].at]);
	for (u32 e = 0; e < ra->event_count; e++)
		if (!ra->events[e].by_code && m->stored[ra->events[e].id])
			add_read(m, ra->events[e].id, ra->func->rpo[ra->events[e].at]);
	make_candidates(m);
	drop_events(ra, m->stored);
}

void ra_make(Ra *ra)
{
	Maker m = {.ra = ra};

	ra->alloc->made = NULL;
	ra->alloc->made_count = 0;
	if (ra->maybe_count)
		make_maybes(&m);
	if (ra->func->lazy && !ra->failed)
		make_lazies(&m);
}
