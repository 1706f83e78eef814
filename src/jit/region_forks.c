/* SPDX-License-Identifier: MIT
 *
 * Jumps through a register that go to a few places again and again: the switch of an interpreter. Where nearly all of them go (JitFork) is
 * part of the region, and the pc is compared with each, the most usual first; the rest leaves by the table, and is counted as calls
 * are that go elsewhere. So what the interpreter keeps in registers stays there from one instruction to the next, and what does not
 * change is looked at once.
 *
 * All or nothing: either every such jump of the region is a fork, and nothing in it comes back from a call, or there is none. Else what all of
 * it has in registers would be brought home and fetched again where a single way leaves (Lua's interpreter ran 4 to 15 % more instructions of
 * the host).
 */
#include "jit/region_private.h"

enum {
	FORK_WAYS = 6,
	FORK_REST = 20, /* 1 in so many may go elsewhere */
	FORK_SEEN = 125, /* so often in all, times this is what makes a block hot */
};

/* The ways of a fork that nearly all jumps take: their number; 0: there are too many. */
static u32 usual_ways(const RegionFormer *f, const JitFork *fork, const struct JitWay *ways[FORK_WAYS])
{
	u64 all = 0, sum = 0;
	u32 count = 0;

	for (u32 i = 0; i < JIT_WAYS; i++)
		all += fork->ways[i].count;
	while (all > f->engine->hot / FORK_SEEN && sum + all / FORK_REST < all) {
		const struct JitWay *best = NULL;

		for (u32 i = 0; i < JIT_WAYS; i++) {
			const struct JitWay *way = &fork->ways[i];
			bool taken = !way->count;

			for (u32 k = 0; k < count && !taken; k++)
				taken = ways[k] == way;
			if (!taken && (!best || way->count > best->count))
				best = way;
		}
		if (!best || count == FORK_WAYS)
			return 0;
		ways[count++] = best;
		sum += best->count;
	}
	return count;
}

static bool any_landing(const RegionFormer *f)
{
	for (u32 i = 0; i < f->plan->region.count; i++)
		if (f->plan->region.sources[i].landing)
			return true;
	return false;
}

/* Such a jump, and the source that ends with it. */
typedef struct Jump {
	JitFork *fork;
	u32 source;
} Jump;

typedef struct Forks {
	RegionFormer *f;
	u32 count, inlined; /* of f when there were none */
	u32 source;         /* that is looked at */
	Jump *jumps;
	u32 jump_count, jump_cap;
	bool odd;           /* something is as it must not be */
} Forks;

static void take_back(Forks *forks)
{
	RegionFormer *f = forks->f;
	SsaRegion *region = &f->plan->region;

	for (u32 i = 0; i < region->count; i++) {
		if (i >= forks->count && !region->sources[i].copy)
			region_spot(f, region->sources[i].pc)->source = 0;
		region->sources[i].landing = false;
	}
	for (u32 k = 0; k < forks->jump_count; k++)
		region->sources[forks->jumps[k].source].guess_count = 0;
	region->count = forks->count;
	f->inlined = forks->inlined;
}

/* False: not all of it can be in the region. */
static bool fork_to(RegionFormer *f, u32 source, const struct JitWay *const *ways, u32 way_count)
{
	const u32 count = f->plan->region.count;
	SsaLink *guesses = ARENA_ROOM(f->arena, SsaLink, way_count);

	f->failed |= !guesses;
	for (u32 i = 0; i < way_count && guesses; i++) {
		u32 to = region_want(f, ways[i]->pc);

		if (!to)
			return false;
		guesses[i] = (SsaLink){ways[i]->pc, to - 1};
	}
	if (f->failed)
		return false;
	f->plan->region.sources[source].guesses = guesses;
	f->plan->region.sources[source].guess_count = way_count;
	return region_look_around(f, count);
}

/* May they be part of the region? */
static bool may_fork(const RegionFormer *f, const JitFork *fork)
{
	const struct JitWay *ways[FORK_WAYS];
	u32 count = usual_ways(f, fork, ways);

	for (u32 i = 0; i < count; i++)
		if (!region_is_warm(f, ways[i]->pc) || region_comes_back(f, ways[i]->pc))
			return false;
	return count;
}

static bool list_jump(void *ctx, const RegionExit *exit)
{
	Forks *forks = ctx;
	RegionFormer *f = forks->f;
	Jump jump = {.source = forks->source};

	if (!exit->jump || exit->known || exit->jump->aux != IR_FLOW_JUMP)
		return true;
	jump.fork = &f->engine->forks[jit_fork_hash(exit->behind)];
	forks->odd = f->plan->region.sources[forks->source].guess_count || !may_fork(f, jump.fork);
	if (!forks->odd && !arena_grow(f->arena, (void **)&forks->jumps, &forks->jump_cap, forks->jump_count, sizeof(Jump)))
		f->failed = forks->odd = true;
	if (!forks->odd)
		forks->jumps[forks->jump_count++] = jump;
	return !forks->odd;
}

static void take_ways(Forks *forks, const Jump *jump)
{
	const struct JitWay *ways[FORK_WAYS];
	u32 count = usual_ways(forks->f, jump->fork, ways);

	forks->odd = !count || forks->f->plan->region.sources[jump->source].guess_count ||
		     !fork_to(forks->f, jump->source, ways, count);
	for (u32 i = 0; i < JIT_WAYS && count; i++) /* what comes later counts for more */
		jump->fork->ways[i].count /= 2;
}

/* Jumps of all sources there are before ways of the first one are formed: mostly one has none, and it comes to nothing. */
void region_take_forks(RegionFormer *f)
{
	const SsaRegion *region = &f->plan->region;
	Forks forks = {.f = f, .count = region->count, .inlined = f->inlined};
	u32 insns = 0, listed = 0, taken = 0;

	if (!f->guesses || !f->jumps || any_landing(f))
		return;
	f->stays = true;
	while (listed < region->count && !f->failed && !forks.odd) {
		for (; listed < region->count && !f->failed && !forks.odd; listed++) {
			forks.source = listed;
			if (!region->sources[listed].copy)
				region_follow(f, &region->sources[listed], list_jump, &forks, &insns);
		}
		for (; taken < forks.jump_count && !f->failed && !forks.odd; taken++)
			take_ways(&forks, &forks.jumps[taken]);
	}
	f->stays = false;
	if (forks.odd && !f->failed)
		take_back(&forks);
}
