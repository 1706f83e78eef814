/* SPDX-License-Identifier: MIT
 * A region compiled and run with an engine of its own and no machine: slots, a paged space, and what the way out says.
 */
#ifndef UNIT_SSA_CODE_H
#define UNIT_SSA_CODE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jit/jit_private.h"
#include "jit/ssa.h"

enum { CODE_SLOTS = 64, CODE_PAGES = 16 };

typedef struct CodeBench {
	Engine *engine;
	Space space;
	Arena arena, functions;
	SsaFunc *func;
	u8 widths[CODE_SLOTS];
	u64 front[VCPU_FRONT], slots[CODE_SLOTS + VCPU_TEMPS];
	u32 slot_count, snap;
	JitBlock block;
	JitRegion region;
	u64 left;
	const JitExit *exit;
} CodeBench;

static u64 code_no_context(void *ctx, const Vcpu *vcpu)
{
	(void)ctx;
	(void)vcpu;
	return 0;
}

static void code_function(CodeBench *bench)
{
	arena_fini(&bench->functions);
	arena_init(&bench->functions);
	bench->func = ssa_create(&bench->functions, bench->slot_count, bench->widths);
	bench->func->pc_width = 64;
	assert_non_null(bench->func);
}

static void code_open(CodeBench *bench, u32 slots)
{
	EngineEnv env = { .context = code_no_context, .paged = true, .pages = CODE_PAGES, .cold = &interp_engine };

	memset(bench, 0, sizeof *bench);
	assert_int_equal(space_init_paged(&bench->space, "mem", CODE_PAGES * SPACE_PAGE, false), STATUS_OK);
	space_pages_add(&bench->space, 2, 4, ATTR_READ | ATTR_WRITE);
	bench->engine = jit_engine.create(&env);
	assert_non_null(bench->engine);
	bench->engine->slot_count = bench->slot_count = slots;
	bench->engine->spaces = &bench->space;
	bench->engine->pin_of = malloc(slots);
	memset(bench->widths, 64, sizeof bench->widths);
	assert_true(jit_memory_map(bench->engine));
	arena_init(&bench->arena);
	arena_init(&bench->functions);
	code_function(bench);
}

static void code_close(CodeBench *bench)
{
	jit_engine.destroy(bench->engine);
	space_fini(&bench->space);
	arena_fini(&bench->functions);
	arena_fini(&bench->arena);
}

/* Slots 1 .. pins are pinned from now on; all code is forgotten. */
static void code_pin(CodeBench *bench, unsigned pins)
{
	Engine *engine = bench->engine;

	memset(engine->pin_of, JIT_NO_PIN, bench->slot_count);
	engine->pin_count = pins > JIT_PINS ? JIT_PINS : pins;
	for (u32 i = 0; i < engine->pin_count; i++) {
		engine->pinned[i] = i + 1;
		engine->pin_of[i + 1] = (u8)i;
	}
	engine->used = 0;
	jit_memory_write(engine);
	assert_true(engine->target->start(engine));
	engine->start = engine->used;
	jit_evict_begin(engine);
	jit_cache_clear_jumps(engine);
}

/* The function is used up. */
static void code_compile(CodeBench *bench, unsigned pins)
{
	Arena *arena = &bench->functions;
	const JitTarget *target = bench->engine->target;
	SsaFunc copy = *bench->func;
	void *selected;
	Status status;

	code_pin(bench, pins);
	/* The compiler changes what it gets. */
	copy.nodes = memcpy(arena_alloc(arena, copy.node_cap * sizeof(SsaNode)), copy.nodes, copy.node_count * sizeof(SsaNode));
	copy.blocks = memcpy(arena_alloc(arena, copy.block_cap * sizeof(SsaBlock)), copy.blocks, copy.block_count * sizeof(SsaBlock));
	ssa_order(&copy);
	bench->region = (JitRegion){ .head = &bench->block };
	selected = target->select_region(bench->engine, &copy, &status);
	assert_int_equal(status, STATUS_OK);
	assert_int_equal(target->emit_region(bench->engine, &bench->region, selected), STATUS_OK);
	bench->block.entry = bench->region.entries[0].at;
	if (getenv("SSA_CODE_DUMP")) {
		FILE *file = fopen(getenv("SSA_CODE_DUMP"), "wb");

		fwrite(bench->engine->rw + bench->region.code, 1, bench->region.code_bytes, file);
		fclose(file);
	}
	jit_memory_run(bench->engine);
}

/* The kind of the exit; slots, slot 0 and `left` are as they are afterwards. */
static JitExitKind code_run(CodeBench *bench, u64 fuel)
{
	JitFrame frame = { .slots = bench->slots, .spaces = &bench->space, .attr = bench->space.attr, .memory = bench->space.base,
			   .left = fuel, .jumps = bench->engine->jumps };
	u32 number = bench->engine->target->enter(bench->engine, &frame, &bench->block);

	bench->exit = NULL;
	bench->left = frame.left;
	if (number >= JIT_MISSED_CALL)
		return JIT_EXIT_LINK;
	bench->exit = bench->engine->exits[number];
	bench->slots[0] = bench->exit->pc;
	bench->left += bench->exit->refund;
	return (JitExitKind)bench->exit->kind;
}

/* ---- Building by hand ---- */

static SsaRef code_add(CodeBench *bench, u32 block, unsigned op, unsigned width, unsigned aux, SsaRef a, SsaRef b, SsaRef c, u64 imm)
{
	SsaRef ref = ssa_node(bench->func, op, width, aux, a, b, c, imm);

	ssa_append(bench->func, block, ref);
	return ref;
}

typedef struct CodeState {
	u16 slot;
	SsaRef ref;
} CodeState;

/* What ways out made from now on say. */
static void code_state(CodeBench *bench, const CodeState *state, u32 count, u64 pc, u32 refund)
{
	SsaFunc *func = bench->func;

	for (u32 i = 0; i < count; i++) {
		assert_true(arena_grow(func->arena, (void **)&func->entries, &func->entry_cap, func->entry_count,
				       sizeof(SsaSnapEntry)));
		func->entries[func->entry_count++] = (SsaSnapEntry){ .ref = state[i].ref, .slot = state[i].slot };
	}
	assert_true(arena_grow(func->arena, (void **)&func->snaps, &func->snap_cap, func->snap_count, sizeof(SsaSnap)));
	func->snaps[func->snap_count++] =
		(SsaSnap){ .pc = pc, .refund = refund, .first = func->entry_count - count, .count = count };
}

static void code_exit(CodeBench *bench, SsaRef ref)
{
	bench->func->nodes[ref].snap = bench->func->snap_count - 1;
}

#endif
