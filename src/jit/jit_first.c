/* SPDX-License-Identifier: MIT
 *
 * Code that is met for the first time: most of what a program runs while it starts never runs again, translating it costs several times
 * what doing it costs, and making code of it as much again. So it is done where it stands the first time (EngineEnv.walk); then its IR
 * is made, kept, and evaluated until it was met four times (eight while the program is young); what is met again after that is
 * compiled from the IR that was kept.
 *
 *     firsts[hash of pc]  how often it was met, and, if it is kept, its context, IR and guest bytes, all in first_arena. When
 *                            that is full, it becomes first_before, and what lay there is forgotten. Anything was flushed: all is
 *                            forgotten but how often. Whoever is met again and was forgotten is compiled, so nothing is
 *                            translated more than twice
 *
 * So the latest 8 to 16 MiB are kept, which is 60,000 to 120,000 instructions: regions are made of them. (SQLite has some 70,000 that run
 * more than once; with half as much, every second block of its regions had to be translated again.)
 *
 * The table grows with the program: one that only starts and ends touches a few pages of it. When it has grown as large as it may,
 * what is new is compiled at once.
 *
 * What is kept is believed when the same bytes still stand there (EngineEnv.has_code): nobody has to be told of it when
 * code changes. Only paged spaces have that, so the small machines compile at once; so do processes that share what they compile.
 */
#include "jit/jit_eval.h"

#include <stdlib.h>
#include <string.h>

#include "base/prefault.h"
#include "jit/jit_life.h"
#include "jit/jit_store.h"

enum {
	FIRST_SLOTS = 1 << 8, FIRST_SLOTS_MOST = 1 << 18, /* at most half of them are taken */
#ifdef HUSK_DEBUG
	FIRST_BYTES = 16 << 10, /* tests run through it, too */
#else
	FIRST_BYTES = 8 << 20, /* twice */
#endif
	FIRST_INS = 768, /* of the IR: room for their values on the stack */
	TIMES_MOST = 255,
	FIRST_TIMED = 16, /* one in so many is timed, and stands for the others: two looks at the clock cost as much as an instruction */
};

typedef struct JitFirst {
	u64 pc, context;
	Translation translation;
	u8 *guest;
	bool calls, returns; /* how it ends */
	bool side;           /* Engine.first_side when it was kept: else it lies in first_before */
} JitFirst;

/* ---- The table: open addressing; nobody leaves it. Four slots in a row are for 32 cells of code (and for others when they are full):
 * a program goes on where it is, and finds them in the cache ---- */

typedef struct JitFirstSlot {
	u64 pc : 55;     /* paged spaces are much smaller */
	u64 walked : 1;  /* the first time, without translating it */
	u64 times : 8;   /* it was met, + 1; 0: nobody is here */
	JitFirst *first; /* kept; or NULL */
} JitFirstSlot;

/* Where the pc is or would be. Rows go on elsewhere, not beside: what is beside is of the code beside. */
static JitFirstSlot *slot_of(const Engine *engine, u64 pc)
{
	enum { ROW = 4, CELLS = 32, NEAR = 64 /* rows */ };
	const u32 rows = engine->first_slots / ROW;
	const u64 hash = pc / (CELLS * NEAR) * 0x9E3779B97F4A7C15u;

	for (u32 row = (u32)(pc / CELLS ^ hash >> 44);; row += (u32)(hash >> 20) | 1) {
		JitFirstSlot *slots = &engine->firsts[(row & (rows - 1)) * ROW];

		for (u32 i = 0; i < ROW; i++)
			if (!slots[i].times || slots[i].pc == pc)
				return &slots[i];
	}
}

static bool grow(Engine *engine)
{
	JitFirstSlot *old = engine->firsts;
	const u32 old_slots = engine->first_slots, slots = old_slots ? old_slots * 2 : FIRST_SLOTS;

	if (slots > FIRST_SLOTS_MOST)
		return false;
	engine->firsts = calloc(slots, sizeof *engine->firsts);
	if (!engine->firsts) {
		engine->firsts = old;
		return false;
	}
	engine->first_slots = slots;
	prefault(engine->firsts, slots * sizeof *engine->firsts); /* else a fault to look, and one to write, for each */
	for (u32 i = 0; i < old_slots; i++)
		if (old[i].times)
			*slot_of(engine, old[i].pc) = old[i];
	free(old);
	return true;
}

/* NULL: there is no room for one more. */
static JitFirstSlot *slot_for(Engine *engine, u64 pc)
{
	JitFirstSlot *slot = engine->firsts ? slot_of(engine, pc) : NULL;

	if (slot && slot->times)
		return slot;
	if (engine->first_count >= engine->first_slots / 2) {
		if (!grow(engine))
			return NULL;
		slot = slot_of(engine, pc);
	}
	*slot = (JitFirstSlot){ .pc = pc, .times = 1 };
	engine->first_count++;
	return slot;
}

static void forget(Engine *engine)
{
	for (u32 i = 0; i < engine->first_slots; i++)
		engine->firsts[i].first = NULL;
	arena_reset(&engine->first_arena);
	arena_reset(&engine->first_before);
	engine->first_generation = engine->generation;
}

/* What was kept before the last turn is forgotten. */
static void turn(Engine *engine)
{
	Arena emptied = engine->first_before;

	for (u32 i = 0; i < engine->first_slots; i++)
		if (engine->firsts[i].first && engine->firsts[i].first->side != engine->first_side)
			engine->firsts[i].first = NULL;
	arena_reset(&emptied);
	engine->first_before = engine->first_arena;
	engine->first_arena = emptied;
	engine->first_side = !engine->first_side;
}

static bool flows(const IrFunc *func, IrFlow how)
{
	for (u32 i = 0; i < func->ins_count; i++)
		if (func->ins[i].op == IR_OP_GOTO && func->ins[i].aux == how)
			return true;
	return false;
}

static JitFirst *keep(Engine *engine, JitFirstSlot *slot, const Space *space, u64 pc, u64 context, const Translation *translation)
{
	JitFirst *first;
	IrFunc *func;

	if (engine->first_arena.total > FIRST_BYTES)
		turn(engine);
	first = arena_room(&engine->first_arena, sizeof *first);
	func = first ? ir_copy(translation->func, &engine->first_arena) : NULL;
	if (!func)
		return NULL;
	*first = (JitFirst){ .pc = pc, .context = context, .translation = *translation, .side = engine->first_side };
	first->translation.func = func;
	first->calls = flows(func, IR_FLOW_CALL);
	first->returns = flows(func, IR_FLOW_RET);
	first->guest = arena_room(&engine->first_arena, translation->code_cells);
	if (!first->guest)
		return NULL;
	memcpy(first->guest, space->base + pc, translation->code_cells);
	slot->first = first;
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
	const JitFirstSlot *slot;
	JitFirst *first;

	if (!engine->firsts)
		return NULL;
	if (engine->first_generation != engine->generation) {
		forget(engine);
		return NULL;
	}
	slot = slot_of(engine, pc);
	first = slot->times ? slot->first : NULL;
	if (!first || first->context != context ||
	    !engine->env.has_code(engine->env.ctx, pc, first->guest, first->translation.code_cells) || !is_marked(space, first))
		return NULL;
	return first;
}

/* Are these the bytes of memory that it was made from, in one piece? */
static bool is_plain(const Engine *engine, const Space *space, u64 pc, const Translation *translation)
{
	return !translation->no_code && (!translation->dirty || translation->only_host) && !translation->breakpoint &&
	       translation->code_cells <= JIT_CODE_CELLS && pc < space->cells && translation->code_cells <= space->cells - pc &&
	       engine->env.has_code(engine->env.ctx, pc, space->base + pc, translation->code_cells);
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

/* A program that has met little so far may be one that ends soon: compiling a block costs it as much as some twenty evaluations. For
 * one that runs on, as it has many blocks that come again, waiting longer costs more than it saves (python: 4 %). */
static u32 runs_of(const Engine *engine)
{
	return engine->first_count < JIT_FIRST_YOUNG ? JIT_FIRST_RUNS_YOUNG : JIT_FIRST_RUNS;
}

/* As long as nothing is compiled, there is no memory for code, no tables for it and none of what goes with them: getting that takes as
 * long as some thousand evaluations (0.3 ms, with what is compiled first). Who ends within so many never needs it. */
static bool may_wait(Engine *engine, const JitFirstSlot *slot)
{
	const u32 insns = slot->first ? slot->first->translation.insns : 0, most = engine->env.options ? engine->env.options->waits : 0;

	if (!insns || engine->compiled_blocks || engine->first_waited + insns > most)
		return false;
	engine->first_waited += insns;
	return true;
}

void jit_first_keep(Engine *engine, const Vcpu *vcpu, u64 pc, u64 context, const Translation *translation)
{
	const Space *space = &vcpu->spaces[engine->env.code_space];
	JitFirstSlot *slot;

	if (!engine->firsts || engine->first_generation != engine->generation || !wants(engine, vcpu) ||
	    !is_plain(engine, space, pc, translation))
		return;
	slot = slot_of(engine, pc);
	if (slot->times)
		keep(engine, slot, space, pc, context, translation);
}

/* The first time. */
static JitFirstResult walk(Engine *engine, Vcpu *vcpu, JitFirstSlot *slot, u64 pc, u64 left)
{
	static const JitFirstResult results[] = {
		[ENGINE_WALK_NOT] = JIT_FIRST_NOT, [ENGINE_WALK_DONE] = JIT_FIRST_DONE, [ENGINE_WALK_TURNED] = JIT_FIRST_TURNED,
		[ENGINE_WALK_LEFT] = JIT_FIRST_LEFT,
	};
	const EngineWalked walked = engine->env.walk(engine->env.ctx, vcpu, pc, left < JIT_BLOCK_INSNS ? (u32)left : JIT_BLOCK_INSNS);

	if (walked == ENGINE_WALK_NOT)
		return JIT_FIRST_NOT;
	slot->walked = true;
	slot->times++;
	jit_count(engine, ENGINE_FIRSTS);
	return results[walked];
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
	JitFirstSlot *slot;
	JitFirstResult result;

	if (!wants(engine, vcpu) || pc >= space->cells || jit_cache_is_restless(engine, vcpu, pc))
		return JIT_FIRST_NOT;
	if (!engine->firsts)
		engine->first_generation = engine->generation;
	slot = slot_for(engine, pc);
	if (!slot || (slot->times > runs_of(engine) && !may_wait(engine, slot)))
		return JIT_FIRST_NOT;
	if (slot->times == 1 && engine->env.walk) {
		result = walk(engine, vcpu, slot, pc, left);
		if (result != JIT_FIRST_NOT)
			return result;
	}
	first = find(engine, space, pc, context);
	if (!first && slot->times > 1 && !slot->walked)
		return JIT_FIRST_NOT;
	if (!first) {
		slot->walked = false;
		is_timed = engine->stats.counts[ENGINE_TRANSLATIONS] % FIRST_TIMED == 0;
		start = is_timed ? jit_life_now() : 0;
		arena_reset(&engine->arena);
		if (engine->env.translate(engine->env.ctx, pc, context, JIT_BLOCK_INSNS, &engine->arena, &translation))
			return JIT_FIRST_NOT;
		if (!is_plain(engine, space, pc, &translation) || translation.func->ins_count > FIRST_INS || !jit_eval_knows(translation.func))
			return JIT_FIRST_NOT;
		jit_count(engine, ENGINE_TRANSLATIONS);
		engine->stats.counts[ENGINE_TRANSLATED] += translation.insns;
		if (is_timed)
			engine->stats.counts[ENGINE_TRANSLATE_NS] += (jit_life_now() - start) * FIRST_TIMED;
		first = keep(engine, slot, space, pc, context, &translation);
	}
	if (!first || first->translation.insns > left)
		return JIT_FIRST_NOT;
	slot->times += slot->times < TIMES_MOST;
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
	arena_fini(&engine->first_before);
}
