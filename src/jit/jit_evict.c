/* SPDX-License-Identifier: MIT
 *
 * The bound of the code cache: two halves, two generations.
 *
 *     | common code | half 0: blocks, regions ... free | half 1: ...            |
 *                             filled until full, then the other one is dropped, and filled
 *
 * So what is in use is compiled anew at most every second turn, and never all of it at once. Everything a block or region
 * has is of its half: code, numbers of exits, counters, records (an arena for each half), so that dropping is giving back
 * ranges. What is left in the other half may have led there: killing the dropped blocks unlinks that, and dropped exits are
 * taken out of the lists of those they led to.
 *
 * A region is of the half of its first block, or of a younger one: what dies with a half is killed with its blocks.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "jit/jit_background.h"
#include "jit/jit_life.h"

enum {
	PAGE = 4096,
	LEAST = 64 << 10,              /* of code_cache */
	RECORD_BYTES = JIT_CODE_BYTES / 2, /* of one half; and of pages */
};

static u32 cache_bytes(const Engine *engine)
{
	u64 wanted = engine->env.options ? engine->env.options->code_cache : 0;

	return !wanted || wanted > JIT_CODE_BYTES - PAGE ? JIT_CODE_BYTES - PAGE : wanted < LEAST ? LEAST : (u32)wanted & ~(u32)(PAGE - 1);
}

/* Where a half begins; 2: the end. Whole pages, but for what lies behind the common code. */
static u32 border(const Engine *engine, u32 half)
{
	u32 first = (engine->start + PAGE - 1) & ~(u32)(PAGE - 1), end = cache_bytes(engine);

	return half == 0 ? engine->start : half == 1 ? (first + (end - first) / 2) & ~(u32)(PAGE - 1) : end;
}

static void give_back(Engine *engine, u32 from, u32 to)
{
	from = (from + PAGE - 1) & ~(u32)(PAGE - 1);
	to = (to + PAGE - 1) & ~(u32)(PAGE - 1);
	if (from >= to)
		return;
	if (engine->switches)
		madvise(engine->rx + from, to - from, MADV_DONTNEED);
	else
		madvise(engine->rw + from, to - from, MADV_REMOVE);
}

static void begin_half(Engine *engine, u32 half)
{
	engine->half = half;
	engine->used = engine->ahead = border(engine, half);
	engine->limit = border(engine, half + 1);
	engine->exit_count = half * (JIT_EXITS / 2);
	engine->exit_limit = engine->exit_count + JIT_EXITS / 2;
	engine->counter_count = half * (JIT_COUNTERS / 2);
	engine->counter_limit = engine->counter_count + JIT_COUNTERS / 2;
}

/* Records of code that is no more. What calls the host may be of them (jit_call.c): they stay until compiled code has been left. */
static void drop_records(Engine *engine, Arena *records)
{
	if (engine->entered)
		arena_join(&engine->dropped, records);
	else
		arena_fini(records);
}

void jit_evict_begin(Engine *engine)
{
	u32 exits = engine->exit_count % (JIT_EXITS / 2), counters = engine->counter_count % (JIT_COUNTERS / 2);

	if (engine->rw && engine->used > engine->start)
		give_back(engine, border(engine, engine->half), engine->used);
	if (engine->rw && engine->other_used)
		give_back(engine, border(engine, !engine->half), engine->other_used);
	if (engine->rw && (exits > PAGE || engine->other_used))
		madvise(engine->exits, JIT_EXITS * sizeof(JitExit *), MADV_DONTNEED);
	if (engine->rw && (counters > PAGE || engine->other_used))
		madvise(engine->counters, JIT_DATA_BYTES, MADV_DONTNEED);
	engine->other_used = engine->other_exit_end = 0;
	engine->other_counted = 0;
	drop_records(engine, &engine->blocks);
	drop_records(engine, &engine->other_blocks);
	free(engine->other_faults.list);
	free(engine->faults.list);
	engine->other_faults = engine->faults = (JitFaults){0};
	begin_half(engine, 0);
	if (engine->env.options && engine->env.options->evict && !engine->chance.state)
		engine->chance.state = engine->env.options->evict;
}

static void kill_blocks(Engine *engine, u32 half)
{
	for (u32 i = 0; i < engine->hash_cap; i++)
		for (JitBlock *block = engine->hash[i], *next; block; block = next) {
			next = block->hash_next;
			if (block->half == half)
				jit_cache_kill(engine, block);
		}
}

/* Records of regions hang on pages, also of dead ones. */
static void clean_pages(Engine *engine, u32 from, u32 to)
{
	for (u32 i = 0; i < engine->page_cap; i++)
		for (JitPage *page = engine->pages[i]; page; page = page->hash_next)
			for (JitRegionLink **at = &page->regions; *at;) {
				JitRegion *region = (*at)->region;

				if (region->code >= from && region->code < to)
					jit_region_kill(engine, region);
				if (region->dead)
					*at = (*at)->next;
				else
					at = &(*at)->next;
			}
}

void jit_evict_turn(Engine *engine)
{
	u32 other = !engine->half, from = border(engine, other), to = border(engine, other + 1);
	u32 used = engine->used, exit_end = engine->exit_count;
	u64 counted = engine->counted - engine->other_counted;
	Arena blocks = engine->other_blocks;

	if (engine->page_records.total > RECORD_BYTES) {
		jit_cache_flush(engine);
		return;
	}
	jit_count(engine, ENGINE_EVICTIONS);
	jit_background_drop(engine);
	kill_blocks(engine, other);
	clean_pages(engine, from, to);
	for (u32 n = other * (JIT_EXITS / 2); n < engine->other_exit_end; n++)
		jit_exit_unchain(engine, engine->exits[n]);
	give_back(engine, from, engine->other_used);
	if (engine->env.code_bytes)
		*engine->env.code_bytes -= engine->other_counted;
	drop_records(engine, &blocks);
	arena_init(&blocks);
	engine->other_blocks = engine->blocks;
	engine->blocks = blocks;
	free(engine->other_faults.list);
	engine->other_faults = engine->faults;
	engine->faults = (JitFaults){0};
	engine->other_used = used;
	engine->other_exit_end = exit_end;
	engine->other_counted = engine->counted = counted;
	begin_half(engine, other);
	engine->generation++;
	engine->deaths++;
}

void jit_evict_make_room(Engine *engine, u32 bytes)
{
	u32 half;

	if (!engine->rw || engine->without)
		return;
	half = (engine->limit - border(engine, engine->half)) / 2;
	if (engine->limit - engine->used < (bytes < half ? bytes : half) || engine->blocks.total > RECORD_BYTES ||
	    engine->exit_limit - engine->exit_count < JIT_ROOM_EXITS || engine->counter_count >= engine->counter_limit)
		jit_evict_turn(engine);
}

static void kill_one(Engine *engine)
{
	u32 at = rng_below(&engine->chance, engine->hash_cap);

	for (u32 i = 0; i < engine->hash_cap; i++) {
		JitBlock *block = engine->hash[(at + i) & (engine->hash_cap - 1)];

		if (block) {
			jit_cache_kill(engine, block);
			engine->generation++; /* who is about to chain an exit of it looks at this */
			return;
		}
	}
}

void jit_evict_by_chance(Engine *engine)
{
	if (!engine->rw || engine->without || rng_below(&engine->chance, engine->env.options->evict))
		return;
	switch (rng_below(&engine->chance, 8)) {
	case 0: jit_cache_flush(engine); break;
	case 1: case 2: jit_evict_turn(engine); break;
	default: kill_one(engine);
	}
}
