/* SPDX-License-Identifier: MIT
 *
 * From a hot block to a region: which blocks (region.c), SSA (ssa_build.c), passes (ssa_pass.c), code (target), and in its
 * place (jit_region.c). All of it happens between two runs of compiled code.
 *
 * Which slots are pinned is decided for good before the first region is made: what the code so far used most.
 */
#include "jit/jit_life.h"
#include "jit/region.h"
#include "jit/ssa.h"

enum { PROMOTED_MOST = 4 };

/* The code that changes under a region again and again stays with the first tier. */
static bool may_promote(const Engine *engine, const JitBlock *block)
{
	return engine->target->compile_region && block->counter && !block->region && !block->cold && !block->dirty &&
	       block->promoted < PROMOTED_MOST;
}

static bool take_ranges(Engine *engine, JitRegion *region, const RegionPlan *plan)
{
	region->ranges = ARENA_ARRAY(&engine->blocks, struct JitRange, plan->range_count);
	if (!region->ranges)
		return false;
	for (u32 i = 0; i < plan->range_count; i++)
		region->ranges[i] = plan->ranges[i];
	region->range_count = plan->range_count;
	return true;
}

typedef struct Watched {
	Engine *engine;
	u64 pc;
} Watched;

/* Those who look on are told what the region is after each pass. */
static void show(void *ctx, const SsaFunc *func, const char *pass)
{
	const Watched *watched = ctx;
	Buf text;

	buf_init(&text);
	ssa_print(func, NULL, NULL, &text);
	buf_byte(&text, 0);
	if (!text.failed)
		jit_life_stage(watched->engine, watched->pc, pass, NULL, (const char *)text.data);
	buf_fini(&text);
}

static Status make(Engine *engine, JitBlock *block, const RegionPlan *plan)
{
	Watched watched = {engine, block->pc};
	SsaFunc *func = ssa_build(&plan->region, &engine->regions);
	JitRegion *region = ARENA_NEW(&engine->blocks, JitRegion);
	Status status;

	if (!region)
		return STATUS_NOMEM;
	if (!func || !ssa_optimize(func, jit_is_watched(engine) ? show : NULL, &watched))
		return STATUS_UNSUPPORTED;
	*region = (JitRegion){.head = block, .context = block->context, .guest_insns = func->guest_insns};
	if (!take_ranges(engine, region, plan))
		return STATUS_NOMEM;
	region->first_exit = engine->exit_count;
	jit_memory_write(engine);
	status = engine->target->compile_region(engine, region, func);
	if (status)
		return status;
	return jit_region_attach(engine, region) ? STATUS_OK : STATUS_NOMEM;
}

/* What region_form has translated may have had the view taken away. */
static void leave_rights_to_host(Engine *engine, const Vcpu *vcpu, SsaRegion *region)
{
	u32 space = engine->env.code_space;

	if (!vcpu->spaces[space].view || space >= 64)
		return;
	region->hard_spaces |= (u64)1 << space;
	engine->hard = true;
}

static bool has_room(const Engine *engine)
{
	return engine->limit - engine->used >= JIT_REGION_BYTES && engine->exit_limit - engine->exit_count >= JIT_REGION_EXITS;
}

bool jit_promote(Engine *engine, Vcpu *vcpu, JitBlock *block)
{
	RegionPlan plan = {0};
	u64 before, began = jit_life_now();
	Status status = STATUS_UNSUPPORTED;

	if (!may_promote(engine, block))
		return false;
	if (!engine->settled) {
		jit_settle(engine);
		jit_harden(engine, vcpu, true);
		return true;
	}
	if (!has_room(engine)) {
		u32 half = engine->half;

		*block->counter = engine->hot; /* it may be gone behind the turn */
		jit_evict_make_room(engine, JIT_REGION_BYTES);
		return engine->half != half;
	}
	jit_harden(engine, vcpu, true);
	before = jit_bytes(engine);
	block->promoted++;
	arena_reset(&engine->regions);
	jit_life_begin(engine);
	if (region_form(engine, vcpu, block, &engine->regions, &plan)) {
		leave_rights_to_host(engine, vcpu, &plan.region);
		status = make(engine, block, &plan);
	}
	arena_reset(&engine->regions);
	if (engine->env.code_bytes)
		*engine->env.code_bytes += jit_bytes(engine) - before;
	engine->counted += jit_bytes(engine) - before;
	if (status == STATUS_OK)
		jit_life_made(engine, block, block->region->code_bytes, JIT_TIER_REGION, jit_life_now() - began);
	return status == STATUS_OK;
}
