/* SPDX-License-Identifier: MIT
 *
 * An engine made of regions and ssa_eval: so whatever runs on the interpreter runs through ssa_build (and the passes), and
 * is compared. Regions are formed here without any judgement: what can be reached, up to a random size.
 */
#ifndef TESTS_SSA_ENGINE_H
#define TESTS_SSA_ENGINE_H

#include "engines.h"

#include "interp/interp.h"
#include "jit/ssa.h"
#include "jit/ssa_eval.h"
#include "jit/ssa_shape.h"
#include "jit/ssa_wide.h"

enum { SSA_TEST_SOURCES = 24, SSA_TEST_REGIONS = 64 };

typedef struct TestRegion {
	u64 pc, context;
	SsaFunc *func; /* NULL: nothing to build */
	Arena arena;
	bool used;
} TestRegion;

struct Engine {
	EngineEnv env;
	Engine *cold;
	Rng rng;
	TestRegion regions[SSA_TEST_REGIONS];
	Vcpu *vcpu; /* that runs */
	u64 built, insns, wrong;
	u64 stay; /* a random number for each run of a region */
};

/* What is done with a region after it is built; and how memory behaves. A test sets them before it makes machines. */
static bool (*ssa_test_passes)(SsaFunc *func);
static unsigned ssa_test_shy;      /* of 1000 accesses, so many are left to the cold engine for no reason */
static bool ssa_test_hard;         /* the paged space is a hard one */
static u64 ssa_test_most = 64;     /* instructions of a source */
static u64 ssa_test_regions, ssa_test_done, ssa_test_cold, ssa_test_wides, ssa_test_wide_ops[SSA_WIDE_KEEP + 1];

static inline void ssa_test_show(const SsaFunc *func)
{
	Buf text;

	buf_init(&text);
	ssa_print(func, NULL, NULL, &text);
	fprintf(stderr, "%s", buf_text(&text));
	buf_fini(&text);
}

static inline bool ssa_test_verify(const SsaFunc *func)
{
	Buf why;
	bool good;

	buf_init(&why);
	good = ssa_verify(func, &why);
	if (!good) {
		ssa_test_show(func);
		fprintf(stderr, "%s", buf_text(&why));
	}
	buf_fini(&why);
	return good;
}

static inline void forget_regions(Engine *engine)
{
	for (u32 i = 0; i < SSA_TEST_REGIONS; i++)
		if (engine->regions[i].used) {
			arena_fini(&engine->regions[i].arena);
			engine->regions[i].used = false;
		}
}

static inline Engine *ssa_engine_create(const EngineEnv *env)
{
	Engine *engine = calloc(1, sizeof(*engine));

	engine->env = *env;
	engine->cold = env->cold->create(env);
	engine->rng.state = 5;
	return engine;
}

static inline void ssa_engine_destroy(Engine *engine)
{
	if (!engine)
		return;
	forget_regions(engine);
	engine->env.cold->destroy(engine->cold);
	free(engine);
}

/* ---- Memory: what is plain ---- */

/* The same answer for a cell as long as a region runs: an access that did not leave vouches for others. */
static inline bool is_shy(const Engine *engine, u64 address)
{
	Rng rng = {engine->stay ^ address * 0x9E3779B97F4A7C15u};

	return rng_below(&rng, 1000) < ssa_test_shy;
}

static inline bool is_plain(Engine *engine, unsigned number, u64 address, unsigned width, bool write)
{
	const Space *space = &engine->vcpu->spaces[number];
	u64 cells = (width + space->cell_bits - 1) / space->cell_bits;

	if (is_shy(engine, address))
		return false;
	/* Where there is a CHECK, nothing but guard zones may be reached beyond it. */
	if (ssa_test_hard && space->paged && address >= space->cells + (1 << 20) - 16 && address < 0 - (u64)((1 << 20) - 16))
		fail_msg("an access to 0x%llx reaches host memory", (unsigned long long)address);
	for (u64 i = 0; i < cells; i++) {
		u64 at = (address + i) & space->wrap_mask;
		u8 attr;

		if (at >= space->cells)
			return false;
		attr = space->attr[space->paged ? at >> SPACE_PAGE_SHIFT : at >> space->attr_shift];
		if (space->paged ? (attr & (write ? ATTR_PAGED_STORE : ATTR_PAGED_LOAD)) != (write ? ATTR_WRITE : ATTR_READ)
				 : (attr & (write ? ATTR_SLOW_WRITE : ATTR_SLOW_READ)) != 0)
			return false;
	}
	return true;
}

static inline bool ssa_engine_read(void *ctx, unsigned space, u64 address, unsigned width, u64 *value)
{
	Engine *engine = ctx;

	return is_plain(engine, space, address, width, false) &&
	       engine->env.read(engine->env.ctx, engine->vcpu, space, address, width, value) == ACCESS_OK;
}

static inline bool ssa_engine_write(void *ctx, unsigned space, u64 address, unsigned width, u64 value)
{
	Engine *engine = ctx;

	return is_plain(engine, space, address, width, true) &&
	       engine->env.write(engine->env.ctx, engine->vcpu, space, address, width, value) == ACCESS_OK;
}

static inline u64 ssa_engine_limit(void *ctx, unsigned space)
{
	return ((Engine *)ctx)->vcpu->spaces[space].cells;
}

/* ---- Regions ---- */

static u8 ssa_test_widths[SSA_SLOTS_MOST];

/* Is there an instruction at pc in what a source has? Then another one may begin there. */
static inline bool slice_source(SsaRegion *region, u64 pc, SsaSource *out)
{
	for (u32 i = 0; i < region->count; i++) {
		const IrFunc *func = region->sources[i].func;
		u64 at = 0;

		for (u32 k = region->sources[i].begin; k < func->ins_count; k++)
			if (func->ins[k].op == IR_OP_INSN && ir_is_const(func, func->ins[k].a, &at) && at == pc) {
				*out = region->sources[i];
				out->begin = k;
				out->keep = 0;
				return true;
			}
	}
	return false;
}

static inline bool add_source(Engine *engine, SsaRegion *region, Arena *arena, u64 pc)
{
	Translation t = {0};
	SsaSource source = {.pc = pc};

	for (u32 i = 0; i < region->count; i++)
		if (region->sources[i].pc == pc)
			return true;
	if (region->count == SSA_TEST_SOURCES)
		return false;
	if (rng_below(&engine->rng, 2) || !slice_source(region, pc, &source)) {
		if (engine->env.translate(engine->env.ctx, pc, region->context, (u32)rng_below(&engine->rng, ssa_test_most) + 1, arena,
					  &t) || t.no_code || t.breakpoint)
			return false;
		source = (SsaSource){.func = t.func, .insns = t.insns, .dirty = t.dirty && !t.only_host,
				     .keep = rng_below(&engine->rng, 4) ? 0 : (u32)rng_below(&engine->rng, t.insns) + 1};
	}
	source.pc = pc;
	source.landing = rng_below(&engine->rng, 6) == 0;
	region->sources[region->count++] = source;
	return true;
}

/* Further copies of sources, and jumps that go to any of them: all mean the same. */
static inline void add_copies(Engine *engine, SsaRegion *region, Arena *arena)
{
	u32 count = region->count;
	SsaLink *links = ARENA_ARRAY(arena, SsaLink, SSA_TEST_SOURCES);

	for (u32 i = 0; i < count; i++)
		if (region->count < SSA_TEST_SOURCES && rng_below(&engine->rng, 3) == 0) {
			region->sources[region->count] = region->sources[i];
			region->sources[region->count].landing = false;
			region->sources[region->count++].copy = (u32)rng_below(&engine->rng, 2) + 1;
		}
	for (u32 i = count; i-- > 0;) /* no two with one pc and copy */
		for (u32 k = region->count; k-- > i + 1;)
			if (region->sources[k].pc == region->sources[i].pc && region->sources[k].copy == region->sources[i].copy)
				region->sources[k] = region->sources[--region->count];
	for (u32 i = 0; i < region->count; i++)
		links[i] = (SsaLink){region->sources[i].pc, i};
	for (u32 i = 0; i < region->count; i++) {
		u32 first = (u32)rng_below(&engine->rng, region->count);

		region->sources[i].links = links + first;
		region->sources[i].link_count = (u32)rng_below(&engine->rng, region->count - first + 1);
		region->sources[i].back = (u32)rng_below(&engine->rng, region->count + 1);
	}
}

/* Also where a call would come back to: from there on the region is entered from outside. */
static inline void form_region(Engine *engine, SsaRegion *region, Arena *arena, u64 pc)
{
	u32 most = (u32)rng_below(&engine->rng, SSA_TEST_SOURCES) + 1;

	if (!add_source(engine, region, arena, pc))
		return;
	region->sources[0].landing = false;
	for (u32 s = 0; s < region->count && region->count < most; s++) {
		SsaShape shape;

		assert_true(ssa_shape(region, &region->sources[s], arena, &shape));
		for (u32 i = 0; i < shape.order_count; i++)
			if (shape.gotos[shape.order[i]].known && rng_below(&engine->rng, 8))
				add_source(engine, region, arena, shape.gotos[shape.order[i]].pc);
	}
	if (rng_below(&engine->rng, 3) == 0)
		add_copies(engine, region, arena);
}

static inline TestRegion *find_region(Engine *engine, u64 pc, u64 context)
{
	TestRegion *found = &engine->regions[(pc >> 1) % SSA_TEST_REGIONS];
	const Isa *isa = machine_isa(engine->env.ctx);
	SsaSource sources[SSA_TEST_SOURCES];
	SsaRegion region = {
		.sources = sources, .slot_count = engine->vcpu->slot_count, .slot_width = ssa_test_widths, .context = context,
		.values_most = { rng_below(&engine->rng, 12), rng_below(&engine->rng, 6) },
		.fma = true, .wide = true, .pc_width = 64, .atomics = rng_below(&engine->rng, 2), .flag_moves = rng_below(&engine->rng, 2),
	};
	u32 slot;
	u8 width;

	if (found->used && found->pc == pc && found->context == context)
		return found;
	if (found->used)
		arena_fini(&found->arena);
	*found = (TestRegion){.pc = pc, .context = context, .used = true};
	arena_init(&found->arena);
	for (u32 r = 0; r < isa->reg_count; r++)
		for (u32 i = 0; i < isa->regs[r].count; i++)
			ssa_test_widths[isa->regs[r].slot + i] = isa->regs[r].width;
	region.pc_width = ssa_test_widths[0];
	if (isa_find_register(isa, "fflags", 6, false, &slot, &width) || isa_find_register(isa, "fl", 2, false, &slot, &width))
		region.flags_slot = slot;
	if (ssa_test_hard && engine->env.paged)
		region.hard_spaces = (u64)1 << engine->env.code_space;
	form_region(engine, &region, &found->arena, pc);
	if (!region.count)
		return found;
	found->func = ssa_build(&region, &found->arena);
	assert_non_null(found->func);
	assert_true(ssa_test_verify(found->func));
	if (ssa_test_passes && !ssa_test_passes(found->func)) {
		ssa_test_show(found->func);
		fail_msg("a pass has failed");
	}
	assert_true(ssa_test_verify(found->func));
	engine->built++;
	ssa_test_regions++;
	ssa_test_wides += found->func->wide_count;
	for (u32 i = 0; i < found->func->wide_count; i++) {
		for (u32 k = 0; k < found->func->wides[i]->prepare_count; k++)
			ssa_test_wide_ops[found->func->wides[i]->prepare[k].kind]++;
		for (u32 k = 0; k < found->func->wides[i]->round_count; k++)
			ssa_test_wide_ops[found->func->wides[i]->round[k].kind]++;
	}
	engine->insns += found->func->guest_insns;
	return found;
}

static inline ExitKind ssa_engine_run(Engine *engine, Vcpu *vcpu, u64 budget)
{
	u64 limit = vcpu->icount + budget;
	const EngineOps *cold = engine->env.cold;
	SsaMemory memory = {engine, ssa_engine_read, ssa_engine_write, ssa_engine_limit};
	ExitKind kind;

	engine->vcpu = vcpu;
	if (vcpu->skip_break || vcpu->pending.kind != EXIT_BUDGET || vcpu->event_pending) {
		kind = cold->run(engine->cold, vcpu, budget ? 1 : 0);
		if (kind != EXIT_BUDGET)
			return kind;
	}
	while (vcpu->icount < limit) {
		TestRegion *region = find_region(engine, vcpu->slots[0], engine->env.context(engine->env.ctx, vcpu));
		SsaEvalEnd end = SSA_EVAL_COLD;
		Buf why;

		if (region->func) {
			SsaEval eval = {.slots = vcpu->slots, .left = limit - vcpu->icount, .why = &why};

			buf_init(&why);
			engine->stay = rng_next(&engine->rng);
			end = ssa_eval(region->func, 0, &memory, &eval);
			ssa_test_done += limit - vcpu->icount - eval.left;
			vcpu->icount = limit - eval.left;
			if (end == SSA_EVAL_WRONG) {
				ssa_test_show(region->func);
				fail_msg("evaluated: %s", buf_text(&why));
			}
			buf_fini(&why);
		}
		if (end == SSA_EVAL_LEFT || vcpu->icount == limit)
			continue;
		ssa_test_cold++;
		kind = cold->run(engine->cold, vcpu, 1);
		if (kind != EXIT_BUDGET)
			return kind;
	}
	vcpu->exit = (VcpuExit){.kind = EXIT_BUDGET};
	return EXIT_BUDGET;
}

static inline AccessResult ssa_engine_eval(Engine *engine, Vcpu *vcpu, const IrFunc *func, const u64 *args, u64 *result, bool *jumped)
{
	return engine->env.cold->eval(engine->cold, vcpu, func, args, result, jumped);
}

/* Nothing is changed while a region runs: such a store is the cold engine's. */
static inline void ssa_engine_invalidate(Engine *engine, Vcpu *vcpu, u64 address, u64 count)
{
	engine->env.cold->invalidate(engine->cold, vcpu, address, count);
	forget_regions(engine);
}

static inline void ssa_engine_flush(Engine *engine, Vcpu *vcpu)
{
	engine->env.cold->flush(engine->cold, vcpu);
	forget_regions(engine);
}

static inline void ssa_engine_stats(const Engine *engine, u64 *blocks, u64 *translated_insns)
{
	*blocks = engine->built;
	*translated_insns = engine->insns;
}

static const EngineOps ssa_test_engine = {
	.name = "ssa", .create = ssa_engine_create, .destroy = ssa_engine_destroy, .run = ssa_engine_run,
	.eval = ssa_engine_eval, .invalidate = ssa_engine_invalidate, .flush = ssa_engine_flush, .stats = ssa_engine_stats,
};

#endif
