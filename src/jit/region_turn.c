/* SPDX-License-Identifier: MIT
 *
 * A loop that is entered in several places (a switch that jumps into the middle of an unrolled loop) has no block that
 * everything in it comes from: nothing can be moved in front of it, no pointer is known to step. So the part of its round
 * between such a way in and the header is there a second time, for those who come from outside:
 *
 *       x   y                   x   y
 *       |   |                   |   |
 *   +-> h   |     becomes   +-> h   b'
 *   |   |   |               |   |   |
 *   |   b <-+               |   b   |
 *   +---+                   +---+<--+  (b' goes on at h)
 *
 * The head of a region is a way in, too: it may lie in the middle of an inner loop. Were that the header of all, the outer loop
 * would go round inside the inner one. So if there is, without the head, a loop that begins before it and ends behind it,
 * that one's header is the header.
 *
 * A short loop without another inside that comes round often has all of its first round there a second time, for those who come
 * from outside (ssa_sink.c says what for). What is inside a loop that was entered in several places is looked at behind that: there,
 * the copies are not of the set any more, and who entered the loop from outside the region comes to them.
 *
 * Sets of sources that reach one another are found (Tarjan, SIAM J. Comput. 1, 1972); the header is the lowest that is jumped
 * back to. Loops inside are those of the set without its header.
 *
 * That is so, too, where an interpreter's switch (region_forks.c) is hot: the head is one of the ways that its loop goes round by. The copy is of
 * that way, up to the loop; a part with a fork of its own is not copied.
 *
 * Where control comes from outside the region to a source in the middle, the copy takes that source's place in the list, as who
 * enters there knows the place; the one that is part of the loop moves to the copy's.
 */
#include "jit/region_turn.h"

#include <string.h>

enum { NONE = 0xFFFFFFFF, INSNS_MOST = 80, SOURCES_MOST = 24, INSIDE_MOST = 12, DEPTH = 4, OFTEN = 6 };
enum { WAY_IN = 1, BACK = 2 };

typedef struct Graph {
	RegionTurn *turn;
	u32 count;             /* sources that were there at the start */
	u32 *first, *targets;  /* edges, by source */
	u32 *set;              /* per source: the set it is looked at in; NONE: out of all */
	u8 *rank;              /* per source of that set: WAY_IN, BACK */
	u32 *number, *low, *stack, stack_count, next_number, next_set;
	u32 *member, member_count; /* of the sets that were found: members, one set behind the other */
	u32 *begin, set_count; /* where each begins */
} Graph;

static bool make_graph(Graph *g)
{
	RegionTurn *turn = g->turn;
	u32 count = g->count;

	g->first = ARENA_ARRAY(turn->arena, u32, count + 2);
	g->targets = ARENA_ARRAY(turn->arena, u32, turn->edge_count + 1);
	g->set = ARENA_ARRAY(turn->arena, u32, count + 1);
	g->number = ARENA_ARRAY(turn->arena, u32, count + 1);
	g->low = ARENA_ARRAY(turn->arena, u32, count + 1);
	g->rank = ARENA_ARRAY(turn->arena, u8, count + 1);
	g->stack = ARENA_ARRAY(turn->arena, u32, count + 1);
	if (!g->first || !g->targets || !g->set || !g->number || !g->low || !g->rank || !g->stack)
		return false;
	for (u32 i = 0; i < turn->edge_count; i++)
		g->first[turn->edges[i].from + 2]++;
	for (u32 i = 0; i < count; i++)
		g->first[i + 2] += g->first[i + 1];
	for (u32 i = 0; i < turn->edge_count; i++)
		g->targets[g->first[turn->edges[i].from + 1]++] = turn->edges[i].to;
	return true;
}

/* ---- Sets ---- */

static bool is_in(const Graph *g, u32 source, u32 set)
{
	return g->set[source] == set;
}

/* Tarjan's walk over what is in `set`. Recursion is as deep as there are sources: region.h bounds them. */
static void walk(Graph *g, u32 at, u32 set)
{
	g->number[at] = g->low[at] = ++g->next_number;
	g->stack[g->stack_count++] = at;
	for (u32 i = g->first[at]; i < g->first[at + 1]; i++) {
		u32 to = g->targets[i];

		if (!is_in(g, to, set))
			continue;
		if (!g->number[to]) {
			walk(g, to, set);
			g->low[at] = g->low[to] < g->low[at] ? g->low[to] : g->low[at];
		} else if (g->number[to] < g->low[at] && g->number[to] != NONE) {
			g->low[at] = g->number[to];
		}
	}
	if (g->low[at] != g->number[at])
		return;
	g->begin[g->set_count++] = g->member_count;
	for (;;) {
		u32 top = g->stack[--g->stack_count];

		g->number[top] = NONE; /* done with */
		g->member[g->member_count++] = top;
		if (top == at)
			return;
	}
}

typedef struct Loop {
	const u32 *members;
	u32 count, set, header;
	bool turns;  /* it has several ways in */
	bool turned; /* so has one around it */
	bool peel;   /* all of its first round is to be there a second time */
	bool copied; /* what is to be there a second time is */
} Loop;

static bool reaches_itself(const Graph *g, u32 source)
{
	for (u32 i = g->first[source]; i < g->first[source + 1]; i++)
		if (g->targets[i] == source)
			return true;
	return false;
}

/* Where it is now, which is elsewhere if who enters there comes to its copy. */
static SsaSource *now(const Graph *g, u32 source)
{
	return &g->turn->region->sources[g->turn->moved[source]];
}

static bool is_entered(const Graph *g, u32 source)
{
	return g->turn->moved[source] == source && (source == 0 || g->turn->region->sources[source].landing);
}

/* Of a set that reaches itself: the header. */
static void look_at(const Graph *g, Loop *loop)
{
	const SsaSource *sources = g->turn->region->sources;
	u32 ways = 0, best = 0;

	for (u32 k = 0; k < loop->count; k++)
		g->rank[loop->members[k]] = is_entered(g, loop->members[k]);
	for (u32 i = 0; i < g->turn->edge_count; i++) {
		u32 from = g->turn->edges[i].from, to = g->turn->edges[i].to;

		if (!is_in(g, to, loop->set))
			continue;
		if (!is_in(g, from, loop->set))
			g->rank[to] |= WAY_IN;
		else if (sources[from].pc >= sources[to].pc)
			g->rank[to] |= BACK;
	}
	for (u32 k = 0; k < loop->count; k++)
		ways += g->rank[loop->members[k]] & WAY_IN;
	loop->turns = ways > 1;
	loop->header = loop->members[0];
	for (u32 k = 0; k < loop->count; k++) {
		u32 source = loop->members[k], rank = g->rank[source] + 1u;

		if (!loop->turns && !(g->rank[source] & WAY_IN))
			continue; /* it is the header, wherever one jumps back to */
		if (rank > best || (rank == best && sources[source].pc < sources[loop->header].pc)) {
			best = rank;
			loop->header = source;
		}
	}
}

/* ---- Copies ---- */

static bool add_link(Graph *g, u32 from, u32 to_pc_of, u32 to)
{
	SsaSource *source = &g->turn->region->sources[from];
	SsaLink *links = ARENA_ARRAY(g->turn->arena, SsaLink, source->link_count + 1);

	if (!links)
		return false;
	if (source->link_count)
		memcpy(links, source->links, source->link_count * sizeof(SsaLink));
	for (u32 i = 0; i < source->link_count; i++)
		if (links[i].pc == g->turn->region->sources[to_pc_of].pc)
			return true;
	links[source->link_count] = (SsaLink){g->turn->region->sources[to_pc_of].pc, to};
	source->links = links;
	source->link_count++;
	return true;
}

/* Everything that may run from ways in on until the header: copy_of, NONE for what is not copied. */
static void find_copied(const Graph *g, const Loop *loop, bool *copied)
{
	bool more = true;

	for (u32 i = 0; i < g->turn->edge_count; i++) {
		const RegionEdge *edge = &g->turn->edges[i];

		if (is_in(g, edge->to, loop->set) && !is_in(g, edge->from, loop->set))
			copied[edge->to] = true;
	}
	for (u32 k = 0; k < loop->count; k++)
		copied[loop->members[k]] |= is_entered(g, loop->members[k]);
	copied[loop->header] = loop->peel;
	while (more) {
		more = false;
		for (u32 k = 0; k < loop->count; k++)
			for (u32 i = g->first[loop->members[k]]; copied[loop->members[k]] && i < g->first[loop->members[k] + 1]; i++) {
				u32 to = g->targets[i];

				if (to == loop->header || !is_in(g, to, loop->set) || copied[to])
					continue;
				copied[to] = more = true;
			}
	}
}

/* What is around the part that is there twice may be as long as it likes. */
static bool may_copy(const Graph *g, const Loop *loop, const bool *copied)
{
	u32 insns = 0, count = 0;

	if (loop->turned && loop->turns && loop->count > INSIDE_MOST)
		return false;
	for (u32 k = 0; k < loop->count; k++) {
		const SsaSource *source = now(g, loop->members[k]);

		if (!g->turn->insns[loop->members[k]] || source->copy || source->link_count || source->keep)
			return false;
		if (copied[loop->members[k]]) {
			if (source->guess_count)
				return false;
			insns += g->turn->insns[loop->members[k]];
			count++;
		}
	}
	return insns <= (loop->peel ? REGION_PEEL_INSNS : INSNS_MOST) && count <= SOURCES_MOST &&
		g->turn->region->count + count <= g->turn->room;
}

/* Sources that were not there at the start are where they are. */
static u32 moved_to(const Graph *g, u32 source)
{
	return source < g->count ? g->turn->moved[source] : source;
}

/* Of what is in the loop, forks lead to what is in the loop. False: no memory. */
static bool move_forks(Graph *g, const Loop *loop)
{
	for (u32 k = 0; k < loop->count; k++) {
		SsaSource *source = now(g, loop->members[k]);
		SsaLink *guesses = source->guess_count ? ARENA_ROOM(g->turn->arena, SsaLink, source->guess_count) : NULL;

		if (!source->guess_count)
			continue;
		if (!guesses)
			return false;
		for (u32 i = 0; i < source->guess_count; i++)
			guesses[i] = (SsaLink){source->guesses[i].pc, moved_to(g, source->guesses[i].source)};
		source->guesses = guesses;
	}
	return true;
}

/* False: no memory. */
static bool copy_part(Graph *g, Loop *loop)
{
	SsaRegion *region = g->turn->region;
	bool *copied = ARENA_ARRAY(g->turn->arena, bool, g->count + 1);
	u32 *copy_of = ARENA_ARRAY(g->turn->arena, u32, g->count + 1);
	SsaLink *links = ARENA_ARRAY(g->turn->arena, SsaLink, loop->count + g->turn->edge_count + 1);
	u32 link_count = 1, copy;

	if (!copied || !copy_of || !links)
		return false;
	find_copied(g, loop, copied);
	if (!may_copy(g, loop, copied))
		return true;
	loop->copied = true;
	copy = ++g->turn->copies;
	/* Where copies go that is not among them: once each. */
	links[0] = (SsaLink){region->sources[loop->header].pc, g->turn->moved[loop->header]};
	for (u32 i = 0; i < g->turn->edge_count; i++) {
		u32 to = g->turn->edges[i].to;
		bool known = !copied[g->turn->edges[i].from] || is_in(g, to, loop->set);

		for (u32 k = 0; k < link_count && !known; k++)
			known = links[k].pc == region->sources[to].pc;
		if (!known)
			links[link_count++] = (SsaLink){region->sources[to].pc, g->turn->moved[to]};
	}
	for (u32 k = 0; k < loop->count; k++) {
		u32 source = loop->members[k], at = region->count;
		SsaSource *as_copy = &region->sources[at];

		if (!copied[source])
			continue;
		region->count++;
		copy_of[source] = at;
		region->sources[at] = *now(g, source);
		if (is_entered(g, source)) { /* who comes to this place comes to the copy */
			region->sources[at].landing = false;
			g->turn->moved[source] = at;
			copy_of[source] = source;
			as_copy = &region->sources[source];
		}
		as_copy->copy = copy;
		as_copy->links = links;
		as_copy->link_count = link_count;
	}
	for (u32 i = 0; i < g->turn->edge_count; i++) {
		const RegionEdge *edge = &g->turn->edges[i];

		if (is_in(g, edge->to, loop->set) && !is_in(g, edge->from, loop->set) && copied[edge->to] &&
		    !add_link(g, g->turn->moved[edge->from], edge->to, copy_of[edge->to]))
			return false;
	}
	return move_forks(g, loop);
}

/* The sets among these, all of which are in `set`: g->member, g->begin, g->set_count. */
static bool find_sets(Graph *g, const u32 *sources, u32 count, u32 set)
{
	g->member = ARENA_ARRAY(g->turn->arena, u32, count + 1);
	g->begin = ARENA_ARRAY(g->turn->arena, u32, count + 2);
	if (!g->member || !g->begin)
		return false;
	g->member_count = g->set_count = g->next_number = 0;
	for (u32 i = 0; i < count; i++)
		g->number[sources[i]] = 0;
	for (u32 i = 0; i < count; i++)
		if (is_in(g, sources[i], set) && !g->number[sources[i]])
			walk(g, sources[i], set);
	g->begin[g->set_count] = g->member_count;
	return true;
}

/* The head is the only way in. Is there, without it, a loop around it? Then that one's header is the header. */
static bool look_around_head(Graph *g, Loop *loop)
{
	const SsaSource *sources = g->turn->region->sources;

	g->set[loop->header] = NONE;
	if (!find_sets(g, loop->members, loop->count, loop->set))
		return false;
	g->set[loop->header] = loop->set;
	for (u32 s = 0; s < g->set_count; s++) {
		u32 best = NONE;
		bool behind = false;

		for (u32 k = g->begin[s]; k < g->begin[s + 1]; k++) {
			u32 source = g->member[k];

			behind |= sources[source].pc > sources[0].pc;
			if (g->rank[source] & BACK && (best == NONE || sources[source].pc < sources[best].pc))
				best = source;
		}
		if (behind && best != NONE && sources[best].pc < sources[0].pc) {
			loop->header = best;
			loop->turns = true;
			break;
		}
	}
	return true;
}

/* Does a loop go round often before it is left, as far as anybody has counted? */
static bool comes_round(const Graph *g, const u32 *members, u32 count, u32 outer)
{
	const SsaSource *sources = g->turn->region->sources;
	u64 inside = 0, around = outer == NONE || reaches_itself(g, outer) ? 0 : sources[outer].heat;

	for (u32 k = 0; k < count; k++)
		inside = sources[members[k]].heat > inside ? sources[members[k]].heat : inside;
	return !around || inside >= OFTEN * around;
}

/* An innermost loop is to have its first round ahead of it. */
static bool look_inside(Graph *g, Loop *loop)
{
	loop->peel = true;
	for (u32 k = 0; k < loop->count; k++)
		if (reaches_itself(g, loop->members[k]))
			loop->peel = false;
	g->set[loop->header] = NONE;
	if (!find_sets(g, loop->members, loop->count, loop->set))
		return false;
	g->set[loop->header] = loop->set;
	if (g->set_count + 1 < loop->count)
		loop->peel = false;
	return true;
}

static bool turn_all(Graph *g, const u32 *sources, u32 count, u32 depth, const Loop *around);

/* What it says in front, for one loop and those inside it. */
static bool turn_one(Graph *g, Loop *loop, u32 depth, u32 outer)
{
	for (u32 k = 0; k < loop->count; k++)
		g->set[loop->members[k]] = loop->set;
	look_at(g, loop);
	if (!loop->turns && loop->header == 0 && !look_around_head(g, loop))
		return false;
	if (loop->turns && !copy_part(g, loop))
		return false;
	if (loop->turns && !loop->copied)
		return true;
	if (!loop->turns && !is_entered(g, loop->header) && comes_round(g, loop->members, loop->count, outer)) {
		if (!look_inside(g, loop))
			return false;
		if (loop->peel)
			return copy_part(g, loop);
	}
	g->set[loop->header] = NONE;
	return depth >= DEPTH || loop->count <= 2 || turn_all(g, loop->members, loop->count, depth + 1, loop);
}

/* The loops among these, and those inside them. */
static bool turn_all(Graph *g, const u32 *sources, u32 count, u32 depth, const Loop *around)
{
	u32 *members, *begin, sets, outer = around ? around->header : NONE;

	if (!find_sets(g, sources, count, around ? around->set : 0))
		return false;
	members = g->member;
	begin = g->begin;
	sets = g->set_count;
	for (u32 s = 0; s < sets; s++) {
		Loop loop = {
			.members = &members[begin[s]], .count = begin[s + 1] - begin[s], .set = ++g->next_set,
			.turned = around && (around->turned || around->turns),
		};

		if (loop.count < 2)
			g->turn->comes_round[loop.members[0]] = comes_round(g, loop.members, 1, outer);
		else if (!turn_one(g, &loop, depth, outer))
			return false;
	}
	return true;
}

bool region_turn(RegionTurn *turn)
{
	Graph g = {.turn = turn, .count = turn->region->count};
	u32 *all = ARENA_ARRAY(turn->arena, u32, g.count + 1), count = 0;

	turn->moved = ARENA_ARRAY(turn->arena, u32, g.count + 1);
	turn->comes_round = ARENA_ARRAY(turn->arena, bool, g.count + 1);
	if (!all || !turn->moved || !turn->comes_round || !make_graph(&g))
		return false;
	for (u32 i = 0; i < g.count; i++) {
		turn->moved[i] = i;
		g.set[i] = turn->region->sources[i].copy ? NONE : 0;
		if (!turn->region->sources[i].copy)
			all[count++] = i;
	}
	return turn_all(&g, all, count, 0, NULL);
}
