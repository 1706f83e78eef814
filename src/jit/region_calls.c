/* SPDX-License-Identifier: MIT
 *
 * Functions that are taken in: small ones that call nobody. Each call has a copy of its sources, which return to the call's own
 * place. ssa_build finds that the register with the address to return to still holds it.
 *
 * Of a call through a register it is the function that it usually goes to (JitHabit), behind a compare; several, if it goes to one
 * for long and then to another one. The rest leaves, and comes back to the block behind the call, no entry of the region: either
 * those are few, or the region is given up (jit_run.c).
 *
 * What a jump through a register leads to is looked at, too, where it is the end of a small function: programs that are linked when
 * they run call stubs, which load where to go.
 */
#include <string.h>

#include "jit/region_private.h"

enum {
	INLINE_INSNS = 40,   /* of a function that is taken in; */
	INLINE_SOURCES = 12,
	INLINE_ALL = 400,    /* all of them together */
	LOOK_MOST = 48,      /* blocks that are looked at for calls */
	HABIT = 125,         /* a usual target: so often in a row, times this is what makes a block hot */
};

/* Before anything of it is translated: as far as the first tier's blocks and their exits say, may the function be taken in?
 * Most can't, and translating is a good part of what a region costs. */
static bool may_take_in(const RegionFormer *f, u64 pc)
{
	const JitBlock *blocks[INLINE_SOURCES];
	u32 count = 0, insns = 0;

	blocks[count++] = jit_cache_find(f->engine, pc, f->context);
	for (u32 i = 0; i < count; i++) {
		const JitBlock *block = blocks[i];

		insns += block->insns;
		if (insns > INLINE_INSNS)
			return false;
		for (u32 k = 0; k < block->exit_count; k++) {
			const JitExit *exit = f->engine->exits[block->first_exit + k];
			const JitBlock *to;
			u32 known = 0;

			if (exit->kind != JIT_EXIT_LINK)
				continue;
			if (exit->back && exit->pc >= block->pc + block->cells)
				return false; /* a call */
			to = jit_cache_find(f->engine, exit->pc, f->context);
			while (known < count && blocks[known] != to)
				known++;
			if (!to || to->cold || known < count)
				continue;
			if (count == INLINE_SOURCES)
				return false;
			blocks[count++] = to;
		}
	}
	return true;
}

/* A block that the first tier runs joins those that are looked at, unless it is one or in the region. */
static u32 look_at_next(const RegionFormer *f, u64 pc, const JitBlock **blocks, u32 count)
{
	const JitBlock *block = jit_cache_find(f->engine, pc, f->context);
	u32 known = 0;

	while (known < count && blocks[known] != block)
		known++;
	if (!block || block->cold || known < count || count == LOOK_MOST || region_spot(f, pc)->source)
		return count;
	blocks[count] = block;
	return count + 1;
}

bool region_comes_back(const RegionFormer *f, u64 pc)
{
	const JitBlock *blocks[LOOK_MOST];
	u32 count = look_at_next(f, pc, blocks, 0);

	for (u32 i = 0; i < count; i++)
		for (u32 k = 0; k < blocks[i]->exit_count; k++) {
			const JitExit *exit = f->engine->exits[blocks[i]->first_exit + k];
			u64 behind = blocks[i]->pc + blocks[i]->cells, next = exit->pc;

			if (exit->kind != JIT_EXIT_LINK)
				continue;
			if (exit->back && exit->pc >= behind) { /* a call */
				if ((!region_is_warm(f, exit->pc) || !may_take_in(f, exit->pc)) && region_is_warm(f, behind))
					return true;
				next = behind;
			}
			count = look_at_next(f, next, blocks, count);
		}
	return false;
}

/* Where a call or jump through a register goes, if it goes there again and again. NULL: here and there. */
static JitHabit *habit_of(const RegionFormer *f, const RegionExit *exit)
{
	JitHabit *habit = &f->engine->habits[jit_habit_hash(exit->behind)];

	return f->guesses && habit->same > f->engine->hot / HABIT && region_is_warm(f, habit->pc) ? habit : NULL;
}

static bool guess(RegionFormer *f, u32 index, u64 pc, u32 to)
{
	SsaSource *source = &f->plan->region.sources[index];
	SsaLink *guesses = ARENA_ROOM(f->arena, SsaLink, source->guess_count + 1);

	if (!guesses) {
		f->failed = true;
		return false;
	}
	if (source->guess_count)
		memcpy(guesses, source->guesses, source->guess_count * sizeof(SsaLink));
	guesses[source->guess_count++] = (SsaLink){pc, to};
	source->guesses = guesses;
	return true;
}

typedef struct Callee {
	RegionFormer *f;
	u32 copy, first, count; /* its sources: region->sources[first ..] */
	u32 source;   /* that is looked at */
	bool guesses; /* jumps through registers are followed where they usually go; */
	bool guessed; /* some were */
	bool returns;
	bool leaves;  /* a jump through a register is a call that comes back behind this one */
} Callee;

/* The callee's source at pc: index + 1, or 0. */
static u32 want_in_callee(Callee *callee, u64 pc)
{
	RegionFormer *f = callee->f;
	const SsaRegion *region = &f->plan->region;
	RegionSpot *spot;

	for (u32 i = callee->first; i < region->count; i++)
		if (region->sources[i].pc == pc)
			return i + 1;
	spot = region_have_code(f, pc);
	callee->count++;
	return spot && callee->count <= INLINE_SOURCES ? region_add_source(f, spot, callee->copy) : 0;
}

/* A jump through a register that has a usual target: a stub that leads to a function elsewhere, the last call of a function. A small
 * function there is taken in with it, and if it is another one the region is left as by a call; so it is if it is not small. */
static bool look_behind_jump(Callee *callee, const RegionExit *exit)
{
	RegionFormer *f = callee->f;
	const JitHabit *habit = habit_of(f, exit);
	u32 to;

	if (!habit)
		return false;
	if (!callee->guesses || f->plan->region.sources[callee->source].guess_count || !may_take_in(f, habit->pc)) {
		callee->leaves = true;
		return true;
	}
	callee->guessed = true;
	to = want_in_callee(callee, habit->pc);
	return to && guess(f, callee->source, habit->pc, to - 1);
}

static bool look_in_callee(void *ctx, const RegionExit *exit)
{
	Callee *callee = ctx;

	if (!exit->jump)
		return true;
	if (exit->jump->aux == IR_FLOW_CALL)
		return false;
	if (!exit->known && exit->jump->aux == IR_FLOW_RET) {
		callee->returns = true;
		return true;
	}
	if (!exit->known)
		return look_behind_jump(callee, exit);
	return !region_is_warm(callee->f, exit->to) || want_in_callee(callee, exit->to);
}

static bool copy_callee(Callee *callee, u64 pc, u32 *insns)
{
	RegionFormer *f = callee->f;
	const SsaRegion *region = &f->plan->region;

	if (!want_in_callee(callee, pc))
		return false;
	for (u32 i = callee->first; i < region->count; i++) {
		callee->source = i;
		if (!region_follow(f, &region->sources[i], look_in_callee, callee, insns) || *insns > INLINE_INSNS)
			return false;
	}
	return callee->returns || callee->leaves;
}

/* The call's own copy of the function at pc: index + 1 of its first source, or 0. *leaves: it may call on from there, and come back
 * behind the call. */
static u32 take_in(RegionFormer *f, u64 pc, u32 back, bool *leaves)
{
	SsaRegion *region = &f->plan->region;
	Callee callee = {.f = f, .copy = f->copies + 1, .first = region->count, .guesses = true};
	u32 insns = 0;
	bool done;

	if (f->inlined >= INLINE_ALL || !region_is_warm(f, pc) || !may_take_in(f, pc))
		return 0;
	done = copy_callee(&callee, pc, &insns);
	if (!done && callee.guessed) {
		region->count = callee.first;
		callee = (Callee){.f = f, .copy = callee.copy, .first = callee.first};
		insns = 0;
		done = copy_callee(&callee, pc, &insns);
	}
	if (!done) {
		region->count = callee.first;
		return 0;
	}
	for (u32 i = callee.first; i < region->count; i++)
		region->sources[i].back = back;
	f->copies++;
	f->inlined += insns;
	*leaves = callee.leaves;
	return callee.first + 1;
}

static void link_call(RegionFormer *f, u32 source, u64 pc, u32 to)
{
	SsaLink *link = ARENA_NEW(f->arena, SsaLink);

	if (!link) {
		f->failed = true;
		return;
	}
	*link = (SsaLink){pc, to};
	f->plan->region.sources[source].links = link;
	f->plan->region.sources[source].link_count = 1;
}

/* The functions that a call through a register usually goes to, and those for which regions with it were made before: who goes now
 * to one, now to another one for long is not given up again and again. */
static bool take_in_usual(RegionFormer *f, u32 source, JitHabit *habit, u32 back, bool *leaves)
{
	const u64 pcs[] = {habit->pc, habit->taken[0], habit->taken[1]};
	bool any = false;

	for (u32 i = 0; i < COUNT_OF(pcs) && any == (i > 0); i++) {
		u32 callee = i == 0 || (pcs[i] && pcs[i] != pcs[0]) ? take_in(f, pcs[i], back, leaves) : 0;

		any |= callee && guess(f, source, pcs[i], callee - 1);
	}
	if (any && habit->taken[0] != habit->pc) {
		habit->taken[1] = habit->taken[0];
		habit->taken[0] = habit->pc;
	}
	return any;
}

bool region_take_in(RegionFormer *f, u32 source, const RegionExit *exit, u32 back, bool *leaves)
{
	JitHabit *habit;
	u32 callee;

	if (f->plan->region.sources[source].link_count || f->plan->region.sources[source].guess_count)
		return false;
	if (!exit->known) {
		habit = habit_of(f, exit);
		return habit && take_in_usual(f, source, habit, back, leaves);
	}
	callee = take_in(f, exit->to, back, leaves);
	if (callee)
		link_call(f, source, exit->to, callee - 1);
	return callee;
}
