/* SPDX-License-Identifier: MIT
 *
 * Code that is met for the first time: most of what a program runs while it starts never runs again, and making code of it
 * costs as much as translating it. So the IR of a block is evaluated where it stands, the first JIT_FIRST_RUNS times,
 * and kept meanwhile; what is met again after that is compiled from the IR that was kept.
 *
 *     firsts[bits of pc]  -> pc, context, the block's IR and its guest bytes, all in first_arena;
 *                            full, or anything was flushed: all is forgotten
 *     seen[bits of pc]    how often it was met; whoever is met again and was forgotten is compiled, so nothing is translated
 *                            more than twice. One who is taken for another is compiled earlier, that is all
 *
 * What is kept is believed when the same bytes still stand there (EngineEnv.has_code): nobody has to be told of it when
 * code changes. Only paged spaces have that, so the small machines compile at once; so do processes that share what they compile.
 */
#include "jit/jit_eval.h"

#include <stdlib.h>
#include <string.h>

#include "jit/jit_life.h"
#include "jit/jit_store.h"

enum {
	FIRST_HASH = 1 << 14,
	FIRST_BYTES = 2 << 20,
	FIRST_SEEN = 1 << 18,
	FIRST_INS = 768, /* of the IR: room for their values on the stack */
	FIRST_TIMED = 16, /* one in so many is timed, and stands for the others: two looks at the clock cost as much as an instruction */
};

typedef struct JitFirst {
	u64 pc, context;
	Translation translation;
	u8 *guest;
	bool calls, returns; /* how it ends */
} JitFirst;

/* Neighbours stay neighbours: a program that is small touches few pages of the tables. */
static u32 hash_of(u64 pc)
{
	return (u32)(pc >> 1 ^ pc >> 15) & (FIRST_HASH - 1);
}

static u8 *times_seen(const Engine *engine, u64 pc)
{
	return (u8 *)(engine->firsts + FIRST_HASH) + ((u32)(pc >> 1 ^ pc >> 19) & (FIRST_SEEN - 1));
}

static void forget(Engine *engine)
{
	if (engine->firsts)
		memset(engine->firsts, 0, FIRST_HASH * sizeof(JitFirst *));
	arena_reset(&engine->first_arena);
	engine->first_generation = engine->generation;
}

static bool flows(const IrFunc *func, IrFlow how)
{
	for (u32 i = 0; i < func->ins_count; i++)
		if (func->ins[i].op == IR_OP_GOTO && func->ins[i].aux == how)
			return true;
	return false;
}

static JitFirst *keep(Engine *engine, const Space *space, u64 pc, u64 context, const Translation *translation)
{
	JitFirst *first;
	IrFunc *func;

	if (engine->first_arena.total > FIRST_BYTES)
		forget(engine);
	first = arena_room(&engine->first_arena, sizeof *first);
	func = first ? ir_copy(translation->func, &engine->first_arena) : NULL;
	if (!func)
		return NULL;
	*first = (JitFirst){ .pc = pc, .context = context, .translation = *translation };
	first->translation.func = func;
	first->calls = flows(func, IR_FLOW_CALL);
	first->returns = flows(func, IR_FLOW_RET);
	first->guest = arena_room(&engine->first_arena, translation->code_cells);
	if (!first->guest)
		return NULL;
	memcpy(first->guest, space->base + pc, translation->code_cells);
	engine->firsts[hash_of(pc)] = first;
	return first;
}

/* A page without the mark would let the code store into itself unseen: it is translated anew, which marks it. */
static bool is_marked(const Space *space, const JitFirst *first)
{
	u64 last = first->pc + first->translation.code_cells - 1;

	return (space->attr[first->pc / SPACE_PAGE] & ATTR_CODE) && (space->attr[last / SPACE_PAGE] & ATTR_CODE);
}

static JitFirst *find(Engine *engine, const Space *space, u64 pc, u64 context)
{
	JitFirst *first;

	if (!engine->firsts)
		return NULL;
	if (engine->first_generation != engine->generation) {
		forget(engine);
		return NULL;
	}
	first = engine->firsts[hash_of(pc)];
	if (!first || first->pc != pc || first->context != context ||
	    !engine->env.has_code(engine->env.ctx, pc, first->guest, first->translation.code_cells) || !is_marked(space, first))
		return NULL;
	return first;
}

/* ---- For jit_run.c ---- */

static bool wants(Engine *engine, const Vcpu *vcpu)
{
	const Space *space = &vcpu->spaces[engine->env.code_space];

	return engine->env.has_code && space->paged && !space->big && !engine->without && !jit_store_has_others(engine) &&
	       !(engine->env.options && engine->env.options->watcher_count);
}

bool jit_first_take(Engine *engine, Vcpu *vcpu, u64 pc, u64 context, Translation *out)
{
	const JitFirst *first = wants(engine, vcpu) ? find(engine, &vcpu->spaces[engine->env.code_space], pc, context) : NULL;

	if (first)
		*out = first->translation;
	return first != NULL;
}

JitFirstResult jit_first_run(Engine *engine, Vcpu *vcpu, u64 pc, u64 context, u64 left)
{
	const Space *space = &vcpu->spaces[engine->env.code_space];
	Translation translation = { 0 };
	JitFirst *first;
	JitEval e;
	u64 values[FIRST_INS];
	u64 start;
	bool is_timed;
	u8 *seen;

	if (!wants(engine, vcpu) || jit_cache_is_restless(engine, vcpu, pc))
		return JIT_FIRST_NOT;
	if (!engine->firsts) {
		engine->firsts = calloc(1, FIRST_HASH * sizeof(JitFirst *) + FIRST_SEEN);
		engine->first_generation = engine->generation;
	}
	if (!engine->firsts || *(seen = times_seen(engine, pc)) >= JIT_FIRST_RUNS)
		return JIT_FIRST_NOT;
	first = find(engine, space, pc, context);
	if (!first && *seen)
		return JIT_FIRST_NOT;
	if (!first) {
		is_timed = engine->stats.counts[ENGINE_TRANSLATIONS] % FIRST_TIMED == 0;
		start = is_timed ? jit_life_now() : 0;
		arena_reset(&engine->arena);
		if (engine->env.translate(engine->env.ctx, pc, context, JIT_BLOCK_INSNS, &engine->arena, &translation))
			return JIT_FIRST_NOT;
		if (translation.no_code || (translation.dirty && !translation.only_host) || translation.breakpoint || translation.func->ins_count > FIRST_INS || !jit_eval_knows(translation.func) ||
		    translation.code_cells > JIT_CODE_CELLS || pc >= space->cells || translation.code_cells > space->cells - pc ||
		    !engine->env.has_code(engine->env.ctx, pc, space->base + pc, translation.code_cells))
			return JIT_FIRST_NOT;
		jit_count(engine, ENGINE_TRANSLATIONS);
		engine->stats.counts[ENGINE_TRANSLATED] += translation.insns;
		if (is_timed)
			engine->stats.counts[ENGINE_TRANSLATE_NS] += (jit_life_now() - start) * FIRST_TIMED;
		first = keep(engine, space, pc, context, &translation);
	}
	if (!first || first->translation.insns > left)
		return JIT_FIRST_NOT;
	++*seen;
	jit_count(engine, ENGINE_FIRSTS);
	e.func = first->translation.func;
	e.vcpu = vcpu;
	e.env = NULL;
	e.memory = &vcpu->spaces[engine->env.code_space];
	e.code_space = engine->env.code_space;
	e.pc = pc;
	e.values = values;
	if (jit_eval(&e) != JIT_EVAL_DONE)
		return JIT_FIRST_LEFT;
	return first->calls || (!first->returns && vcpu->slots[0] <= pc) ? JIT_FIRST_TURNED : JIT_FIRST_DONE;
}

void jit_first_fini(Engine *engine)
{
	free(engine->firsts);
	arena_fini(&engine->first_arena);
}
