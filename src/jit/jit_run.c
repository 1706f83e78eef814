/* SPDX-License-Identifier: MIT
 *
 * The engine's operations. A run goes from block to block: compiled ones are entered and come back with a reason; where
 * there is nothing compiled, or a reason asks for it, the cold engine does one instruction (or what is left of the
 * budget, when that is less than a block).
 */
#include <stdlib.h>
#include <string.h>

#include "jit/jit_background.h"
#include "jit/jit_life.h"
#include "jit/jit_pins.h"
#include "jit/jit_store.h"
#include "jit/ssa.h"

static u64 evaluate(u64 operation, u64 a, u64 b, u64 c)
{
	return ir_eval((IrOp)(operation & 0xFF), operation >> 8 & 0xFF, operation >> 16 & 0xFF, operation >> 32 & 0xFFFF, a, b,
		       c);
}

static Engine *engine_create(const EngineEnv *env)
{
	Engine *engine = calloc(1, sizeof(*engine));

	if (!engine || !env->cold || !jit_host()) {
		free(engine);
		return NULL;
	}
	engine->env = *env;
	engine->target = jit_host();
	arena_init(&engine->arena);
	arena_init(&engine->blocks);
	arena_init(&engine->first_arena);
	arena_init(&engine->first_before);
	arena_init(&engine->other_blocks);
	arena_init(&engine->page_records);
	arena_init(&engine->regions);
	engine->cold = env->cold->create(env);
	engine->evaluator = evaluate;
	engine->flags_slot = env->flags_slot;
	engine->hot = env->options && env->options->hot ? env->options->hot : JIT_HOT;
	if (!engine->cold || !jit_cache_init(engine)) {
		jit_engine.destroy(engine);
		return NULL;
	}
	return engine;
}

static void engine_destroy(Engine *engine)
{
	if (!engine)
		return;
	if (engine->cold)
		engine->env.cold->destroy(engine->cold);
	jit_background_drop(engine);
	jit_cache_fini(engine);
	jit_first_fini(engine);
	jit_uses_fini(engine);
	free(engine->pin_of);
	free(engine->slot_uses);
	free(engine->places);
	free(engine->moves);
	arena_fini(&engine->arena);
	arena_fini(&engine->blocks);
	arena_fini(&engine->other_blocks);
	arena_fini(&engine->page_records);
	arena_fini(&engine->regions);
	free(engine);
}

/* ---- Blocks ---- */

/* What has no place in the tables: the cold engine's, and looked at anew each time. */
static JitBlock *leave_homeless(Engine *engine, u64 pc, u32 insns, EngineCount why)
{
	jit_count(engine, why);
	engine->homeless = (JitBlock){.pc = pc, .insns = insns, .cold = true, .why = (u8)why};
	return &engine->homeless;
}

/* Does the code jump to its own beginning? */
static bool is_loop(const IrFunc *func, u64 pc)
{
	for (u32 i = 0; i < func->ins_count; i++) {
		u64 to;

		if (func->ins[i].op == IR_OP_GOTO && ir_is_const(func, func->ins[i].a, &to) && to == pc)
			return true;
	}
	return false;
}

/* Into the tables; `before`: how much there was without it. */
static Status add_block(Engine *engine, Vcpu *vcpu, JitBlock *block, u64 before)
{
	if (!jit_cache_add(engine, vcpu, block))
		return STATUS_NOMEM;
	if (engine->env.code_bytes)
		*engine->env.code_bytes += jit_bytes(engine) - before;
	engine->counted += jit_bytes(engine) - before;
	engine->compiled_blocks++;
	engine->compiled_insns += block->insns;
	return STATUS_OK;
}

/* Or looks at the flags that they raise? */
static bool uses_floats(const Engine *engine, const IrFunc *func)
{
	for (u32 i = 0; i < func->ins_count; i++) {
		const IrIns *ins = &func->ins[i];

		if (ssa_op_info[ins->op].effects & SSA_MAY_RAISE)
			return true;
		if (engine->flags_slot && (ins->op == IR_OP_GET || ins->op == IR_OP_PUT) && ins->aux == engine->flags_slot)
			return true;
	}
	return false;
}

static Status compile_block(Engine *engine, Vcpu *vcpu, const Translation *translation, JitBlock *block, bool counted)
{
	block->why = ENGINE_COLD_SHAPE;
	engine->spaces = vcpu->spaces;
	engine->plain_spaces = translation->plain_spaces;
	if (counted || is_loop(translation->func, block->pc))
		block->counter = jit_counter_create(engine);
	jit_uses_resume(engine, block);
	if (!engine->floats && uses_floats(engine, translation->func))
		jit_floats(engine);
	jit_memory_write(engine);
	jit_memory_ahead(engine);
	return engine->target->compile(engine, block, translation->func);
}

/* counted: something jumps back to it, or calls it. */
static Status make_block(Engine *engine, Vcpu *vcpu, u64 pc, u64 context, bool counted, JitBlock **out)
{
	const Space *space = &vcpu->spaces[engine->env.code_space];
	Translation translation = {0};
	JitBlock *block;
	Status status;
	u64 before, start, translated;
	u32 faults;

	if (jit_cache_is_restless(engine, vcpu, pc)) {
		*out = leave_homeless(engine, pc, 1, ENGINE_COLD_RESTLESS);
		return STATUS_OK;
	}
	if (!engine->slot_uses && engine->env.store)
		jit_pins_adopt(engine, vcpu->slot_count);
	jit_evict_make_room(engine, JIT_BLOCK_BYTES);
	if (engine->env.code_bytes && *engine->env.code_bytes > ENGINE_CODE_BYTES && engine->env.drop_code)
		engine->env.drop_code(engine->env.ctx);
	before = jit_bytes(engine);
	*out = block = jit_store_take(engine, vcpu, pc, context, counted);
	if (block) {
		jit_life_taken(engine, block);
		return add_block(engine, vcpu, block, before);
	}
	arena_reset(&engine->arena);
	start = jit_life_now();
	if (jit_first_take(engine, vcpu, pc, context, &translation)) {
		translated = start;
	} else {
		status = engine->env.translate(engine->env.ctx, pc, context, JIT_BLOCK_INSNS, &engine->arena, &translation);
		translated = jit_life_now();
		if (status)
			return status;
		if (translation.no_code) /* vcpu->exit says why */
			return STATUS_OK;
		jit_count(engine, ENGINE_TRANSLATIONS);
		engine->stats.counts[ENGINE_TRANSLATED] += translation.insns;
		engine->stats.counts[ENGINE_TRANSLATE_NS] += translated - start;
		jit_first_keep(engine, vcpu, pc, context, &translation);
	}
	/* What has no place in the tables of pages is the cold engine's: code across the end of a space, or very long. */
	if (translation.code_cells > JIT_CODE_CELLS || pc >= space->cells || translation.code_cells > space->cells - pc) {
		*out = leave_homeless(engine, pc, translation.insns, ENGINE_COLD_LONG);
		return STATUS_OK;
	}
	jit_pins_note(engine, vcpu, translation.func);
	if (engine->without) {
		*out = leave_homeless(engine, pc, translation.insns, ENGINE_COLD_MEMORY);
		return STATUS_OK;
	}
	engine->lists_faults = space->twice;
	engine->hard |= space->view != NULL;
	faults = engine->faults.count;
	before = jit_bytes(engine);
	block = ARENA_NEW(&engine->blocks, JitBlock);
	if (!block)
		return STATUS_NOMEM;
	*block = (JitBlock){.pc = pc, .context = context, .cells = translation.code_cells, .insns = translation.insns,
			    .first_exit = engine->exit_count};
	block->cold = translation.breakpoint;
	block->why = ENGINE_COLD_BREAK;
	block->dirty = translation.dirty && !translation.only_host;
	jit_life_begin(engine);
	jit_store_begin(engine);
	jit_life_stage(engine, pc, "ir", translation.func, NULL);
	if (!block->cold) {
		status = compile_block(engine, vcpu, &translation, block, counted);
		if (engine->learned) {
			engine->learned = false;
			jit_count(engine, ENGINE_FLUSHED_FLAGS);
			jit_cache_flush(engine);
			jit_pins_leave_flags(engine);
			jit_store_settle(engine);
			return make_block(engine, vcpu, pc, context, counted, out);
		}
		if (status == STATUS_NOMEM)
			return status;
		block->cold = status != STATUS_OK;
	}
	jit_uses_note(engine, block, translation.func);
	block->own = block->entry;
	block->exit_count = engine->exit_count - block->first_exit;
	block->size = block->cold ? 0 : engine->used - block->entry;
	status = add_block(engine, vcpu, block, before);
	if (status)
		return status;
	if (block->cold)
		jit_count(engine, block->why);
	else
		jit_life_made(engine, block, block->size, JIT_TIER_BASE, jit_life_now() - translated);
	jit_store_put(engine, vcpu, block, counted, faults);
	*out = block;
	return STATUS_OK;
}

void jit_chain(Engine *engine, JitExit *exit, JitBlock *target)
{
	if (exit->target || target->cold || exit->owner->context != target->context)
		return;
	exit->target = target;
	exit->next = target->incoming;
	exit->link = &target->incoming;
	if (exit->next)
		exit->next->link = &exit->next;
	target->incoming = exit;
	jit_count(engine, ENGINE_CHAINED);
	jit_relink(engine, exit, target);
}

/* What it goes to now is what it is chained to next, if that has code. Where it goes here and there it is not asked any more. */
static void guess_anew(Engine *engine, JitExit *exit)
{
	static const u32 misses[] = {100, 10000, JIT_NEVER};

	*exit->misses = misses[exit->guesses];
	exit->guesses += exit->guesses + 1u < COUNT_OF(misses);
	jit_exit_unchain(engine, exit);
}

/* What a region took in of a call or jump through a register is not what it goes to. Where that is so often, the region is formed
 * anew when it is hot again: with what is usual by then, or without (region.c). */
static void went_astray(Engine *engine, const Vcpu *vcpu, JitExit *exit)
{
	enum { MISSES = 1000, SELDOM = 100 }; /* instructions for each */
	JitRegion *region = exit->owner->region;
	u64 since = exit->pc; /* count of instructions when it was here last; 0: never */

	*exit->misses = MISSES;
	exit->pc = vcpu->icount + 1;
	if (since && vcpu->icount - since < (u64)MISSES * SELDOM && region && exit->number - region->first_exit < region->exit_count) {
		jit_count(engine, ENGINE_ASTRAY);
		jit_region_kill(engine, region);
	}
}

/* ---- run ---- */

static ExitKind run_cold(Engine *engine, Vcpu *vcpu, u64 count)
{
	return engine->env.cold->run(engine->cold, vcpu, count);
}

/* One instruction; the record may be gone behind it. */
static ExitKind run_bailed(Engine *engine, Vcpu *vcpu, const JitExit *exit)
{
	const JitExit kept = *exit;
	u64 slow[ENGINE_SLOWS] = {0};
	ExitKind kind;

	if (engine->env.slow)
		memcpy(slow, engine->env.slow, sizeof slow);
	kind = run_cold(engine, vcpu, 1);
	jit_life_bailed(engine, &kept, slow);
	return kind;
}

/* A space is made hard when it has run for a while, or when something hot in it is worth the optimizer: a script's many short
 * processes never pay for it. What was compiled before looks at rights itself and goes on to do so, in the view now: that is why
 * all accesses are listed from the beginning. */
void jit_harden(Engine *engine, Vcpu *vcpu, bool is_worth_it)
{
	const EngineOptions *options = engine->env.options;
	u64 wanted = options ? options->hard_after : 0, after = wanted ? wanted : ENGINE_HARD_INSNS;
	Space *memory = &vcpu->spaces[engine->env.code_space];

	if (memory->view || !memory->twice || memory->never || !engine->slot_uses ||
	    (vcpu->icount - engine->first_icount < after && (wanted || !is_worth_it)))
		return;
	if (jit_signal_install())
		space_harden(memory);
	else
		memory->never = true;
}

/* Others may have had the signals in the meantime. */
static void look_at_signals(Space *memory, Vcpu *vcpu)
{
	if (memory->view && vcpu->resumed && !jit_signal_install())
		space_soften(memory);
	vcpu->resumed = false;
}

/* What a region asked ahead of a loop failed, where the loop need not have come to it. If that is no accident, the region is made anew
 * without such questions when it is hot again. */
static void note_in_vain(Engine *engine, JitExit *exit)
{
	enum { AHEAD_MOST = 16 };
	JitRegion *region = exit->owner->region;

	if (++exit->faults < AHEAD_MOST || !region || exit->number - region->first_exit >= region->exit_count)
		return;
	exit->owner->careful = true;
	jit_region_kill(engine, region);
}

/* A store into code comes back: an instruction that does it often asks first, from now on. */
static void note_fault(Engine *engine, Vcpu *vcpu, JitExit *exit, u64 page)
{
	Space *memory = &vcpu->spaces[engine->env.code_space];
	u32 hash = jit_soft_hash(exit->pc);

	if (space_settle(memory, page) || page >= memory->cells >> SPACE_PAGE_SHIFT || !(memory->attr[page] & ATTR_CODE) ||
	    ++exit->faults < JIT_CODE_FAULTS)
		return;
	engine->has_softly = true;
	engine->softly[hash / 64] |= (u64)1 << hash % 64;
	jit_cache_kill(engine, exit->owner);
}

/* Behind a call of the host. Who calls it again and again is at home in the cold engine: some dozen instructions there cost less
 * than going out of code and in again. */
static ExitKind stay_cold(Engine *engine, Vcpu *vcpu, u64 limit)
{
	u64 since = vcpu->icount - engine->host_at, chunk = JIT_HOST_NEAR, calls;
	ExitKind kind = EXIT_BUDGET;

	engine->host_at = vcpu->icount;
	if (since > JIT_HOST_NEAR)
		return EXIT_BUDGET;
	do {
		u64 left = limit - vcpu->icount;

		calls = vcpu->host_calls;
		kind = left ? run_cold(engine, vcpu, left < chunk ? left : chunk) : EXIT_BUDGET;
		calls = vcpu->host_calls - calls;
		if (calls)
			engine->host_at = vcpu->icount;
		if (calls < chunk / JIT_HOST_NEAR)
			break;
		chunk = chunk < JIT_HOST_MOST ? 2 * chunk : chunk;
	} while (kind == EXIT_BUDGET && vcpu->icount < limit);
	return kind;
}

static const u64 no_context;

static ExitKind run_blocks(Engine *engine, Vcpu *vcpu, u64 budget, JitRun *run)
{
	Space *memory = &vcpu->spaces[engine->env.code_space];
	u64 limit = budget > (u64)1 << 62 ? vcpu->icount + ((u64)1 << 62) : vcpu->icount + budget;
	JitFrame frame = {.slots = vcpu->slots, .spaces = vcpu->spaces, .attr = memory->attr, .engine = engine, .vcpu = vcpu,
			  .space = memory, .limit = limit};
	JitExit *from = NULL;
	bool counted = false; /* so is the next block */
	u64 generation = engine->generation;
	ExitKind kind;

	jit_pins_look(engine, vcpu);
	if (engine->without)
		return run_cold(engine, vcpu, budget);
	/* What is pending, and a breakpoint to be passed over, is the cold engine's business. */
	if (vcpu->skip_break || vcpu->pending.kind != EXIT_BUDGET || vcpu->event_pending) {
		kind = run_cold(engine, vcpu, vcpu->icount < limit ? 1 : 0);
		if (kind != EXIT_BUDGET)
			return kind;
	}
	if (!engine->slot_uses)
		engine->first_icount = vcpu->icount;
	look_at_signals(memory, vcpu);
	jit_harden(engine, vcpu, false);
	while (vcpu->icount < limit) {
		u64 pc = vcpu->slots[0], context = engine_context(&engine->env, vcpu);
		JitBlock *block;
		Status status = STATUS_OK;
		JitExit *exit;
		bool is_host;
		u32 number;

		if (UNLIKELY(vcpu->calls) && pc == vcpu->return_pc) {
			vcpu->exit = (VcpuExit){.kind = EXIT_RETURN};
			return EXIT_RETURN;
		}
		if (engine->pending)
			jit_promote_finished(engine, vcpu);
		if (engine->chance.state)
			jit_evict_by_chance(engine);
		block = jit_cache_find(engine, pc, context);
		if (block && counted && !block->counter && !block->cold && !block->region) {
			jit_cache_kill(engine, block);
			block = NULL;
		}
		if (!block && limit - vcpu->icount == 1) { /* who goes by single steps needs no blocks */
			kind = run_cold(engine, vcpu, 1);
			if (kind != EXIT_BUDGET)
				return kind;
			break;
		}
		if (!block) {
			JitFirstResult first = jit_first_run(engine, vcpu, pc, context, limit - vcpu->icount);

			if (first != JIT_FIRST_NOT) {
				from = NULL;
				counted = first == JIT_FIRST_TURNED;
				kind = first == JIT_FIRST_LEFT ? run_cold(engine, vcpu, 1) : EXIT_BUDGET;
				if (kind != EXIT_BUDGET)
					return kind;
				continue;
			}
			status = make_block(engine, vcpu, pc, context, counted, &block);
		}
		counted = false;
		if (status) {
			vcpu->exit = (VcpuExit){.kind = EXIT_ERROR, .status = status};
			return EXIT_ERROR;
		}
		if (!block)
			return vcpu->exit.kind;
		if (block->cold || limit - vcpu->icount < block->insns) {
			u64 left = limit - vcpu->icount;

			from = NULL;
			jit_count(engine, block->cold ? ENGINE_COLD_STEPS : ENGINE_RESTS);
			if (block->cold)
				engine->stats.bails[block->op]++;
			if (block->cold && (block->why != ENGINE_COLD_RESTLESS || left > JIT_RESTLESS_INSNS))
				left = block->why == ENGINE_COLD_RESTLESS ? JIT_RESTLESS_INSNS : 1;
			is_host = block->cold && block->op == IR_OP_HOST;
			kind = run_cold(engine, vcpu, left);
			if (kind == EXIT_BUDGET && is_host)
				kind = stay_cold(engine, vcpu, limit);
			if (kind != EXIT_BUDGET)
				return kind;
			continue;
		}
		if (engine->hard && !memory->view) { /* what was compiled for the view must not run */
			jit_cache_flush(engine);
			continue;
		}
		if (context != engine->context) {
			jit_cache_clear_jumps(engine);
			engine->context = context;
		}
		if (from && generation == engine->generation)
			jit_chain(engine, from, block);
		else if (!from)
			jit_cache_add_jump(engine, block);
		from = NULL;
		generation = engine->generation;
		frame.left = limit - vcpu->icount;
		frame.jumps = engine->jumps;
		frame.exits = engine->exits;
		frame.view = memory->view;
		frame.floats = engine->floats;
		frame.context = engine->env.context_slot ? &vcpu->slots[engine->env.context_slot] : &no_context;
		frame.deaths = engine->pending || engine->chance.state ? JIT_EACH_CALL : engine->deaths;
		if (engine->env.paged)
			frame.memory = memory->view ? memory->view : memory->base;
		else
			frame.memory = (u8 *)vcpu->spaces;
		*run = (JitRun){.code = engine->rx, .code_bytes = JIT_CODE_BYTES, .memory = memory->view,
				.memory_bytes = memory->cells, .faults = &engine->faults, .other_faults = &engine->other_faults,
				.outer = run->outer};
		jit_count(engine, ENGINE_ENTERED);
		if (block->region)
			jit_count(engine, ENGINE_REGION_ENTERED);
		jit_memory_run(engine);
		if (engine->without)
			return run_cold(engine, vcpu, limit - vcpu->icount);
		engine->entered++;
		number = engine->target->enter(engine, &frame, block);
		if (!--engine->entered && UNLIKELY(engine->dropped.chunks != NULL))
			arena_fini(&engine->dropped);
		vcpu->icount = limit - frame.left;
		if (number == JIT_MISSED || number == JIT_MISSED_CALL) {
			jit_count(engine, ENGINE_JUMPS);
			counted = number == JIT_MISSED_CALL;
			continue;
		}
		if (number == JIT_CALLED) {
			if (frame.over)
				return vcpu->exit.kind;
			from = frame.from;
			continue;
		}
		exit = engine->exits[number];
		if (exit->kind == JIT_EXIT_GUESS) {
			guess_anew(engine, exit);
			jit_count(engine, ENGINE_LINKS);
			from = exit;
			counted = true;
			continue;
		}
		if (exit->kind == JIT_EXIT_ASTRAY) {
			went_astray(engine, vcpu, exit);
			jit_count(engine, ENGINE_JUMPS);
			counted = true;
			continue;
		}
		vcpu->slots[0] = exit->pc;
		vcpu->icount -= exit->refund;
		if (exit->kind == JIT_EXIT_LINK) {
			from = engine->exits[number];
			counted = exit->back;
			jit_count(engine, ENGINE_LINKS);
			continue;
		}
		if (exit->kind == JIT_EXIT_HOT) {
			jit_count(engine, ENGINE_HOTS);
			if (!jit_promote(engine, vcpu, exit->owner))
				jit_cache_uncount(engine, exit->owner); /* there is nothing better to be had for it */
			counted = true; /* if all was forgotten first */
			continue;
		}
		if (run->faulted)
			note_fault(engine, vcpu, exit, run->page);
		if (vcpu->icount == limit) /* a region leaves in front of an instruction that is not charged */
			break;
		if (exit->kind == JIT_EXIT_BAIL) {
			is_host = exit->op == IR_OP_HOST;
			if (exit->ahead)
				note_in_vain(engine, exit);
			kind = run_bailed(engine, vcpu, exit);
			if (kind == EXIT_BUDGET && is_host)
				kind = stay_cold(engine, vcpu, limit);
		} else {
			jit_count(engine, ENGINE_FUELS);
			kind = run_cold(engine, vcpu, limit - vcpu->icount);
		}
		if (kind != EXIT_BUDGET)
			return kind;
	}
	vcpu->exit = (VcpuExit){.kind = EXIT_BUDGET};
	return EXIT_BUDGET;
}

static ExitKind engine_run(Engine *engine, Vcpu *vcpu, u64 budget)
{
	JitRun run = {0};
	ExitKind kind;

	jit_signal_enter(&run);
	kind = run_blocks(engine, vcpu, budget, &run);
	jit_signal_leave(&run);
	return kind;
}

static ExitKind engine_run_short(Engine *engine, Vcpu *vcpu, u64 budget)
{
	return run_cold(engine, vcpu, budget);
}

/* ---- The rest is the cold engine's, which has blocks of its own ---- */

static AccessResult engine_eval(Engine *engine, Vcpu *vcpu, const IrFunc *func, const u64 *args, u64 *result, bool *jumped)
{
	return engine->env.cold->eval(engine->cold, vcpu, func, args, result, jumped);
}

static void engine_invalidate(Engine *engine, Vcpu *vcpu, u64 address, u64 count)
{
	engine->env.cold->invalidate(engine->cold, vcpu, address, count);
	jit_count(engine, ENGINE_INVALIDATIONS);
	jit_cache_invalidate(engine, vcpu, address, count);
}

static void engine_flush(Engine *engine, Vcpu *vcpu)
{
	engine->env.cold->flush(engine->cold, vcpu);
	jit_count(engine, ENGINE_FLUSHES);
	jit_cache_flush(engine);
}

static void engine_stats(const Engine *engine, u64 *blocks, u64 *translated_insns)
{
	u64 cold_blocks, cold_insns;

	engine->env.cold->stats(engine->cold, &cold_blocks, &cold_insns);
	*blocks = engine->compiled_blocks + cold_blocks;
	*translated_insns = engine->compiled_insns + cold_insns;
}

const EngineOps jit_engine = {
	.name = "jit",
	.create = engine_create,
	.destroy = engine_destroy,
	.run = engine_run,
	.run_short = engine_run_short,
	.eval = engine_eval,
	.invalidate = engine_invalidate,
	.flush = engine_flush,
	.stats = engine_stats,
	.count = jit_life_count,
	.store_create = jit_store_create,
	.store_destroy = jit_store_destroy,
};
