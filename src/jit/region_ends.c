/* SPDX-License-Identifier: MIT
 *
 * Ways back of their own.
 *
 * What a function does without calling anybody (it finds that there is nothing to do) often ends where other ways do that
 * have called somebody: what it has saved is restored from the stack, about which nothing is known there. With a copy of that
 * end it never was away from its registers.
 */
#include "jit/region_private.h"

enum { FROM_HEAD = 1, FROM_CALL = 2 };
enum { ENDS_ALL = 100 }; /* instructions of all that are copied */

typedef struct Ways {
	RegionFormer *f;
	u8 *from;       /* per source: FROM_HEAD, FROM_CALL */
	u32 *stack, count;
	u32 source;     /* that is looked at */
	u8 mark;
	u32 added;      /* instructions copied */
	u32 pc_count;
	u64 pcs[4];     /* ends that this source leads to */
} Ways;

/* Index + 1, or 0. */
static u32 leads_to(const RegionFormer *f, u32 from, const RegionExit *exit)
{
	const SsaRegion *region = &f->plan->region;
	const SsaSource *source = &region->sources[from];

	if (!exit->known)
		return exit->jump->aux == IR_FLOW_RET ? source->back : 0;
	for (u32 i = 0; i < source->link_count; i++)
		if (source->links[i].pc == exit->to)
			return source->links[i].source + 1;
	if (exit->jump && exit->jump->aux == IR_FLOW_CALL)
		return 0;
	for (u32 i = region->count; source->copy && i-- > 0;)
		if (region->sources[i].pc == exit->to && region->sources[i].copy == source->copy)
			return i + 1;
	return region_spot(f, exit->to)->source;
}

static void mark(Ways *w, u32 source)
{
	if (w->from[source] & w->mark)
		return;
	w->from[source] |= w->mark;
	w->stack[w->count++] = source;
}

static bool go_on(void *ctx, const RegionExit *exit)
{
	Ways *w = ctx;
	const SsaSource *source = &w->f->plan->region.sources[w->source];
	u32 to = leads_to(w->f, w->source, exit);

	if (to)
		mark(w, to - 1);
	for (u32 i = 0; i < source->guess_count && !exit->known && exit->jump->aux != IR_FLOW_RET; i++)
		mark(w, source->guesses[i].source);
	return true;
}

static void mark_from(Ways *w, u32 source, u8 as)
{
	u32 insns = 0;

	w->mark = as;
	mark(w, source);
	while (w->count) {
		w->source = w->stack[--w->count];
		if (!region_follow(w->f, &w->f->plan->region.sources[w->source], go_on, w, &insns))
			return;
	}
}

static bool is_return(void *ctx, const RegionExit *exit)
{
	bool *returns = ctx;

	*returns = !exit->known && exit->jump->aux == IR_FLOW_RET;
	return *returns;
}

static bool find_ends(void *ctx, const RegionExit *exit)
{
	Ways *w = ctx;
	RegionFormer *f = w->f;
	SsaRegion *region = &f->plan->region;
	u32 to = leads_to(f, w->source, exit), insns = 0;
	bool returns = false;

	/* Known ones: the copy is found by its pc. */
	if (!exit->known || !to || w->from[to - 1] != (FROM_HEAD | FROM_CALL) || region->sources[to - 1].back ||
	    w->pc_count == COUNT_OF(w->pcs))
		return true;
	if (region_follow(f, &region->sources[to - 1], is_return, &returns, &insns) && returns && w->added + insns <= ENDS_ALL) {
		w->added += insns;
		w->pcs[w->pc_count++] = exit->to;
	}
	return true;
}

static void part_ends(Ways *w, u32 index)
{
	SsaRegion *region = &w->f->plan->region;
	SsaSource *source;
	RegionExit exit = {.known = true};
	SsaLink *links;
	u32 insns = 0;

	w->source = index;
	w->pc_count = 0;
	if (region->count < REGION_SOURCES && !region_more_sources(w->f, COUNT_OF(w->pcs) < REGION_SOURCES - region->count ?
							    COUNT_OF(w->pcs) : REGION_SOURCES - region->count))
		return;
	source = &region->sources[index];
	if (!region_follow(w->f, source, find_ends, w, &insns) || !w->pc_count || region->count + w->pc_count > REGION_SOURCES)
		return;
	links = ARENA_ARRAY(w->f->arena, SsaLink, source->link_count + w->pc_count);
	if (!links) {
		w->f->failed = true;
		return;
	}
	for (u32 i = 0; i < w->pc_count; i++) {
		u32 to;

		exit.to = w->pcs[i];
		to = leads_to(w->f, index, &exit);
		links[i] = (SsaLink){exit.to, region->count};
		region->sources[region->count] = region->sources[to - 1];
		region->sources[region->count].landing = false;
		region->sources[region->count++].copy = ++w->f->copies;
	}
	for (u32 i = 0; i < source->link_count; i++)
		links[w->pc_count + i] = source->links[i];
	source->links = links;
	source->link_count += w->pc_count;
}

void region_part_ways(RegionFormer *f)
{
	SsaRegion *region = &f->plan->region;
	Ways w = {.f = f, .from = ARENA_ARRAY(f->arena, u8, REGION_SOURCES), .stack = ARENA_ROOM(f->arena, u32, REGION_SOURCES)};
	u32 count = region->count, landings = 0;

	for (u32 i = 0; i < count; i++)
		landings += region->sources[i].landing;
	if (!landings)
		return;
	if (!w.from || !w.stack) {
		f->failed = true;
		return;
	}
	mark_from(&w, 0, FROM_HEAD);
	for (u32 i = 0; i < count; i++)
		if (region->sources[i].landing)
			mark_from(&w, i, FROM_CALL);
	for (u32 i = 0; i < count && !f->failed; i++)
		if (w.from[i] == FROM_HEAD)
			part_ends(&w, i);
}
