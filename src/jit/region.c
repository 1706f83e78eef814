/* SPDX-License-Identifier: MIT
 *
 * Breadth first from the head, so that what is near is in before the limit is reached. Code counts as part of the program
 * when it has run: the first tier has a block at its pc. What never ran stays outside, as a way out that costs nothing on the
 * way.
 *
 * A call ends a path; where it comes back to is a further entry of the region (a landing).
 */
#include "jit/region.h"

#include <string.h>

typedef struct Former {
	Engine *engine;
	Vcpu *vcpu;
	Arena *arena;
	RegionPlan *plan;
	u64 context;
	u8 *slot_width;
	u32 insns;
	bool failed;
} Former;

static SsaSource *find(const Former *f, u64 pc)
{
	for (u32 i = 0; i < f->plan->region.count; i++)
		if (f->plan->region.sources[i].pc == pc)
			return &f->plan->region.sources[i];
	return NULL;
}

static bool is_warm(const Former *f, u64 pc)
{
	const JitBlock *block = jit_cache_find(f->engine, pc, f->context);

	return block && !block->cold;
}

/* Counted blocks say how often they ran, as long as the first tier runs them. */
static u64 heat_of(const Former *f, u64 pc)
{
	const JitBlock *block = jit_cache_find(f->engine, pc, f->context);

	return block && block->counter && *block->counter <= f->engine->hot ? f->engine->hot - *block->counter : 0;
}

static void want(Former *f, u64 pc, bool landing)
{
	SsaSource *source = find(f, pc);
	SsaRegion *region = &f->plan->region;

	if (source) {
		source->landing = source->landing || landing;
		return;
	}
	if (region->count == REGION_SOURCES || f->insns >= REGION_INSNS || !is_warm(f, pc))
		return;
	region->sources[region->count++] = (SsaSource){.pc = pc, .landing = landing, .heat = heat_of(f, pc)};
}

/* The pc behind the last instruction. */
static u64 behind(const IrFunc *func, unsigned pc_width)
{
	u64 pc = 0;

	for (u32 i = 0; i < func->ins_count; i++)
		if (func->ins[i].op == IR_OP_INSN) {
			ir_is_const(func, func->ins[i].a, &pc);
			pc += func->ins[i].aux;
		}
	return pc_width < 64 ? pc & (((u64)1 << pc_width) - 1) : pc;
}

static void look_at(Former *f, const IrFunc *func)
{
	for (u32 i = 0; i < func->ins_count; i++) {
		const IrIns *ins = &func->ins[i];
		u64 to;

		if ((ins->op == IR_OP_GET || ins->op == IR_OP_PUT) && ins->aux < f->engine->slot_count)
			f->slot_width[ins->aux] = ins->width;
		if (ins->op != IR_OP_GOTO)
			continue;
		f->plan->region.pc_width = (u8)ir_width(func, ins->a);
		if (ins->aux == IR_FLOW_CALL)
			want(f, behind(func, f->plan->region.pc_width), true);
		else if (ir_is_const(func, ins->a, &to))
			want(f, to, false);
	}
}

/* False: it stays outside. */
static bool translate(Former *f, SsaSource *source)
{
	const Space *space = &f->vcpu->spaces[f->engine->env.code_space];
	Translation translation = {0};

	if (f->engine->env.translate(f->engine->env.ctx, source->pc, f->context, JIT_BLOCK_INSNS, f->arena, &translation)) {
		f->failed = true;
		return false;
	}
	if (translation.no_code || translation.breakpoint || translation.code_cells > JIT_CODE_CELLS || source->pc >= space->cells ||
	    translation.code_cells > space->cells - source->pc)
		return false;
	source->func = translation.func;
	source->insns = source->keep = translation.insns;
	source->dirty = translation.dirty && !translation.only_host;
	f->insns += translation.insns;
	f->plan->ranges[f->plan->range_count++] = (struct JitRange){source->pc, translation.code_cells};
	return true;
}

/* Those that could not be had are taken out; jumps to them lead outside. */
static void drop_empty(SsaRegion *region)
{
	u32 count = 0;

	for (u32 i = 0; i < region->count; i++)
		if (region->sources[i].func)
			region->sources[count++] = region->sources[i];
	region->count = count;
}

bool region_form(Engine *engine, Vcpu *vcpu, const JitBlock *head, Arena *arena, RegionPlan *out)
{
	Former f = {.engine = engine, .vcpu = vcpu, .arena = arena, .plan = out, .context = head->context};
	SsaRegion *region = &out->region;

	*out = (RegionPlan){0};
	if (engine->slot_count > SSA_SLOTS_MOST)
		return false;
	f.slot_width = ARENA_ARRAY(arena, u8, engine->slot_count);
	region->sources = ARENA_ARRAY(arena, SsaSource, REGION_SOURCES);
	out->ranges = ARENA_ARRAY(arena, struct JitRange, REGION_SOURCES);
	if (!f.slot_width || !region->sources || !out->ranges)
		return false;
	memset(f.slot_width, 64, engine->slot_count);
	region->slot_count = engine->slot_count;
	region->slot_width = f.slot_width;
	region->context = head->context;
	region->flags_slot = engine->flags_slot;
	want(&f, head->pc, false);
	for (u32 i = 0; i < region->count && !f.failed; i++)
		if (translate(&f, &region->sources[i]))
			look_at(&f, region->sources[i].func);
	if (f.failed || !region->count || !region->sources[0].func)
		return false;
	drop_empty(region);
	return true;
}
