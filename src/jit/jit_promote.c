/* SPDX-License-Identifier: MIT
 *
 * From a hot block to a region: which blocks (region.c), SSA (ssa_build.c), passes (ssa_pass.c), code (target), and in its
 * place (jit_region.c). All of it happens between two runs of compiled code; or the middle of it beside them, on another thread
 * (jit_background.h).
 *
 * Which slots are pinned is decided for good before the first region is made, when a block is half way to being hot (jit_pins.c).
 */
#include <string.h>

#include "jit/jit_background.h"
#include "jit/jit_life.h"

enum { PROMOTED_MOST = 4 };

/* The code that changes under a region again and again stays with the first tier. */
static bool may_promote(const Engine *engine, const JitBlock *block)
{
	return engine->target->select_region && block->counter && !block->region && !block->cold && !block->dirty &&
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

void jit_unit_work(JitUnit *unit)
{
	u64 began = jit_life_spent();

	unit->status = STATUS_UNSUPPORTED;
	unit->func = ssa_build(&unit->plan.region, unit->arena);
	if (unit->func && ssa_optimize(unit->func, unit->watch, unit->watch_ctx))
		unit->selected = unit->settings->target->select_region(unit->settings, unit->func, &unit->status);
	unit->ns = jit_life_spent() - began;
}

/* Its code, in its place. */
static Status finish(Engine *engine, JitRegion *region, const JitUnit *unit)
{
	Status status;

	if (unit->status)
		return unit->status;
	region->guest_insns = unit->func->guest_insns;
	if (unit->func->floats || ssa_has_made(unit->func, SSA_FLAGS) || ssa_has_made(unit->func, SSA_SET_FLAGS))
		jit_floats(engine);
	jit_memory_write(engine);
	status = engine->target->emit_region(engine, region, unit->selected);
	if (!status)
		jit_region_attach(engine, region);
	return status;
}

/* It hangs where its code is from: what is stored there kills it. */
static JitRegion *begin(Engine *engine, JitBlock *block, const RegionPlan *plan)
{
	JitRegion *region = ARENA_NEW(&engine->blocks, JitRegion);

	if (!region)
		return NULL;
	*region = (JitRegion){.head = block, .context = block->context, .code = engine->used};
	return take_ranges(engine, region, plan) && jit_region_hang(engine, region) ? region : NULL;
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

static bool form(Engine *engine, Vcpu *vcpu, JitBlock *block, JitUnit *unit)
{
	block->promoted++;
	if (!region_form(engine, vcpu, block, unit->arena, &unit->plan))
		return false;
	leave_rights_to_host(engine, vcpu, &unit->plan.region);
	engine->spaces = vcpu->spaces;
	return true;
}

static bool has_room(const Engine *engine)
{
	return engine->limit - engine->used >= JIT_REGION_BYTES && engine->exit_limit - engine->exit_count >= JIT_REGION_EXITS;
}

static void account(Engine *engine, u64 before)
{
	if (engine->env.code_bytes)
		*engine->env.code_bytes += jit_bytes(engine) - before;
	engine->counted += jit_bytes(engine) - before;
}

/* ---- At once ---- */

static bool promote_now(Engine *engine, Vcpu *vcpu, JitBlock *block)
{
	Watched watched = {engine, block->pc};
	JitUnit unit = {.arena = &engine->regions, .settings = engine, .watch = jit_shows_stages(engine) ? show : NULL,
			.watch_ctx = &watched};
	Status status = STATUS_UNSUPPORTED;
	u64 before = jit_bytes(engine);
	JitRegion *region;

	arena_reset(&engine->regions);
	jit_life_begin(engine);
	if (form(engine, vcpu, block, &unit)) {
		jit_unit_work(&unit);
		region = unit.status ? NULL : begin(engine, block, &unit.plan);
		status = unit.status ? unit.status : region ? finish(engine, region, &unit) : STATUS_NOMEM;
		if (status && region)
			region->dead = true;
	}
	arena_reset(&engine->regions);
	account(engine, before);
	if (status == STATUS_OK)
		jit_life_made(engine, block, block->region->code_bytes, JIT_TIER_REGION, 0);
	return status == STATUS_OK;
}

/* ---- Beside the program ---- */

/* The block goes on in the first tier, and looks again after as many rounds. */
static bool promote_later(Engine *engine, Vcpu *vcpu, JitBlock *block)
{
	JitJob *job = jit_background_claim(engine);
	u64 before = jit_bytes(engine);
	JitRegion *region = NULL;

	*block->counter = engine->hot;
	if (!job) {
		jit_count(engine, ENGINE_BACKGROUND_FULL);
		return true;
	}
	if (form(engine, vcpu, block, &job->unit))
		region = begin(engine, block, &job->unit.plan);
	account(engine, before);
	if (!region) {
		jit_background_free(job);
		return false;
	}
	jit_count(engine, ENGINE_BACKGROUND);
	jit_background_submit(engine, job, region);
	return true;
}

/* Is the engine as it was when the plan was made? */
static bool is_as_before(const Engine *engine, const Engine *then)
{
	return engine->slot_count == then->slot_count && engine->pin_count == then->pin_count &&
	       !memcmp(engine->pinned, then->pinned, engine->pin_count * sizeof(u32)) && engine->park_count == then->park_count &&
	       !memcmp(engine->parked, then->parked, engine->park_count * sizeof(u32)) &&
	       engine->flags_slot == then->flags_slot && engine->hard == then->hard &&
	       engine->lists_faults == then->lists_faults && !memcmp(engine->softly, then->softly, sizeof engine->softly);
}

static void attach_later(Engine *engine, const Vcpu *vcpu, const JitJob *job, JitRegion *region)
{
	JitBlock *head = jit_cache_find(engine, job->unit.plan.region.sources[0].pc, region->context);
	u64 before = jit_bytes(engine), began = jit_life_spent();
	Status status;

	engine->stats.counts[ENGINE_BACKGROUND_NS] += job->unit.ns;
	if (region->dead || !head || head != region->head || head->region || head->cold || !is_as_before(engine, &job->settings)) {
		region->dead = true;
		jit_count(engine, ENGINE_BACKGROUND_LATE);
		return;
	}
	engine->spaces = vcpu->spaces;
	engine->plain_spaces = job->settings.plain_spaces;
	status = finish(engine, region, &job->unit);
	account(engine, before);
	if (status) {
		region->dead = true;
		if (head->counter)
			jit_cache_uncount(engine, head);
		return;
	}
	jit_life_begin(engine);
	for (const JitStage *stage = job->stages; stage; stage = stage->next)
		jit_life_stage(engine, head->pc, stage->pass, NULL, stage->text);
	jit_life_made(engine, head, region->code_bytes, JIT_TIER_REGION, jit_life_spent() - began);
}

void jit_promote_finished(Engine *engine, Vcpu *vcpu)
{
	JitJob *job;

	while (engine->pending && (job = jit_background_take(engine))) {
		JitRegion *region = job->region;

		if (!has_room(engine)) {
			region->dead = true;
			jit_evict_make_room(engine, JIT_REGION_BYTES);
			jit_count(engine, ENGINE_BACKGROUND_LATE);
		} else {
			attach_later(engine, vcpu, job, region);
		}
		jit_background_free(job);
	}
}

bool jit_promote(Engine *engine, Vcpu *vcpu, JitBlock *block)
{
	u64 began;
	bool later, made;

	if (!may_promote(engine, block))
		return false;
	if (!engine->settled) {
		u64 generation = engine->generation;

		jit_note_asking(engine, vcpu);
		jit_settle(engine);
		if (engine->generation != generation) { /* the block is gone */
			jit_harden(engine, vcpu, true);
			return true;
		}
		if (*block->counter)
			return true;
	}
	if (jit_background_covers(engine, block->pc, block->context)) {
		*block->counter = engine->hot; /* see what comes of that first */
		return true;
	}
	if (!has_room(engine)) {
		u32 half = engine->half;

		*block->counter = engine->hot; /* it may be gone behind the turn */
		jit_evict_make_room(engine, JIT_REGION_BYTES);
		return engine->half != half;
	}
	later = jit_background_is_there(engine);
	jit_harden(engine, vcpu, true);
	began = jit_life_spent();
	made = later ? promote_later(engine, vcpu, block) : promote_now(engine, vcpu, block);
	engine->stats.counts[ENGINE_REGION_NS] += jit_life_spent() - began;
	return made;
}
