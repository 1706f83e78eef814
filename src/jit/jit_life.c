/* SPDX-License-Identifier: MIT */
#include "jit/jit_life.h"

#include <string.h>
#include <time.h>

#include "base/array.h"

static u64 read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

u64 jit_life_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

u64 jit_life_spent(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

bool jit_shows_stages(const Engine *engine)
{
	for (u32 i = 0; jit_is_watched(engine) && i < engine->env.options->watcher_count; i++)
		if (engine->env.options->watchers[i].stage)
			return true;
	return false;
}

void jit_life_begin(Engine *engine)
{
	engine->place_count = 0;
}

/* What there is no memory for is not told. */
void jit_life_place(Engine *engine, u32 offset, u64 pc)
{
	if (!jit_is_watched(engine) ||
	    !array_grow((void **)&engine->places, &engine->place_cap, engine->place_count, sizeof(EnginePlace)))
		return;
	engine->places[engine->place_count++] = (EnginePlace){ .offset = offset, .pc = pc };
}

void jit_life_stage(Engine *engine, u64 pc, const char *name, const IrFunc *func, const char *text)
{
	for (u32 i = 0; jit_is_watched(engine) && i < engine->env.options->watcher_count; i++) {
		const EngineWatcher *watcher = &engine->env.options->watchers[i];

		if (watcher->stage)
			watcher->stage(watcher->ctx, pc, name, func, text);
	}
}

static EnginePiece piece_of_block(const Engine *engine, const JitBlock *block)
{
	return (EnginePiece){ .pc = block->pc, .context = block->context, .tier = "base", .code = engine->rx + block->own,
			      .size = block->size, .insns = block->insns, .cfi = engine->cfi, .cfi_size = engine->cfi_size };
}

static EnginePiece piece_of_region(const Engine *engine, const JitRegion *region)
{
	return (EnginePiece){ .pc = region->head->pc, .context = region->context, .tier = "region",
			      .code = engine->rx + region->code, .size = region->code_bytes, .insns = region->guest_insns,
			      .cfi = engine->cfi, .cfi_size = engine->cfi_size };
}

static void tell_killed(const Engine *engine, const EnginePiece *piece)
{
	for (u32 i = 0; i < engine->env.options->watcher_count; i++)
		if (engine->env.options->watchers[i].killed)
			engine->env.options->watchers[i].killed(engine->env.options->watchers[i].ctx, piece);
}

void jit_life_made(Engine *engine, const JitBlock *block, u32 size, JitTier tier, u64 ns)
{
	static const EngineCount firsts[] = { [JIT_TIER_BASE] = ENGINE_BASE_BLOCKS, [JIT_TIER_REGION] = ENGINE_REGION_BLOCKS };
	u64 *counts = &engine->stats.counts[firsts[tier]];
	EnginePiece piece;

	counts[0]++;
	counts[1] += tier == JIT_TIER_REGION ? block->region->guest_insns : block->insns;
	counts[2] += size;
	counts[3] += ns;
	if (!jit_is_watched(engine))
		return;
	if (tier == JIT_TIER_REGION)
		block->region->told = true;
	piece = tier == JIT_TIER_REGION ? piece_of_region(engine, block->region) : piece_of_block(engine, block);
	piece.places = engine->places;
	piece.place_count = engine->place_count;
	for (u32 i = 0; i < engine->env.options->watcher_count; i++)
		engine->env.options->watchers[i].made(engine->env.options->watchers[i].ctx, &piece);
}

void jit_life_taken(Engine *engine, const JitBlock *block)
{
	jit_count(engine, ENGINE_SHARED_BLOCKS);
	engine->stats.counts[ENGINE_SHARED_INSNS] += block->insns;
	engine->stats.counts[ENGINE_SHARED_BYTES] += block->size;
}

void jit_life_killed(Engine *engine, const JitBlock *block)
{
	EnginePiece piece;

	if (!jit_is_watched(engine) || !block->size)
		return;
	piece = piece_of_block(engine, block);
	tell_killed(engine, &piece);
}

void jit_life_region_killed(Engine *engine, const JitRegion *region)
{
	EnginePiece piece;

	if (!jit_is_watched(engine) || !region->told)
		return;
	piece = piece_of_region(engine, region);
	tell_killed(engine, &piece);
}

void jit_life_bailed(Engine *engine, const JitExit *exit, const u64 slow[ENGINE_SLOWS])
{
	static const EngineCount accesses[] = { [ENGINE_SLOW_TOUCH] = ENGINE_BAIL_TOUCH, [ENGINE_SLOW_CODE] = ENGINE_BAIL_CODE,
						[ENGINE_SLOW_DEVICE] = ENGINE_BAIL_DEVICE };
	EngineCount why = exit->why;

	jit_count(engine, ENGINE_BAILS);
	if (exit->op < ENGINE_OPS)
		engine->stats.bails[exit->op]++;
	/* An access: what did the machine see in it? */
	if (why == ENGINE_BAIL_CROSSING && engine->env.slow)
		for (unsigned i = 0; i < ENGINE_SLOWS; i++)
			if (engine->env.slow[i] != slow[i]) {
				why = accesses[i];
				break;
			}
	jit_count(engine, why);
}

void jit_life_count(const Engine *engine, EngineStats *sum)
{
	for (u32 i = 0; i < ENGINE_COUNTS; i++)
		sum->counts[i] += engine->stats.counts[i];
	for (u32 i = 0; i < ENGINE_OPS; i++) {
		sum->bails[i] += engine->stats.bails[i];
		sum->slow[i] += engine->stats.slow[i];
	}
}
