/* SPDX-License-Identifier: MIT
 *
 * The engine's operations: run (look up, execute, look at what happened, again) and eval (handler functions).
 *
 * Which block runs: the one that starts at slot 0, up to BLOCK_INSNS instructions long, if the budget pays for all
 * of it; else a single instruction. The same single blocks run what a longer one could not do (OUT_BAIL).
 *
 * Every turn of the loop in run() retires at least one instruction or returns, and so does every execute() it calls
 * but for a bail, which the single block follows up. Functions only go forward, so each execute() ends.
 */
#include "interp/interp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "interp/interp_private.h"

static Engine *engine_create(const EngineEnv *env)
{
	Engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return NULL;
	engine->env = *env;
	engine->bytes = env->code_bytes ? env->code_bytes : &engine->own_bytes;
	arena_init(&engine->arena);
	if (!interp_cache_init(engine)) {
		interp_cache_fini(engine);
		free(engine);
		return NULL;
	}
	return engine;
}

static void engine_destroy(Engine *engine)
{
	if (!engine)
		return;
	interp_cache_fini(engine);
	for (u32 i = 0; i < engine->handler_cap; i++)
		free(engine->handlers[i].block);
	free(engine->handlers);
	arena_fini(&engine->arena);
	free(engine);
}

static void check_ir(const IrFunc *func)
{
#ifdef HUSK_DEBUG
	Buf why;

	buf_init(&why);
	if (!func->failed && !ir_verify(func, &why) && !why.failed && !strstr(buf_text(&why), "out of memory"))
		assert(!"IR that ir_verify rejects");
	buf_fini(&why);
#else
	(void)func;
#endif
}

/* ---- Blocks ---- */

static const Status NO_CODE = STATUS_RANGE; /* of the functions below: vcpu->exit says why nothing can be had at pc */

/* Translates at most max_insns from pc. With too many temporaries it tries fewer instructions. */
static Status make_block(Engine *engine, Vcpu *vcpu, u64 pc, u64 context, bool single, Block **out)
{
	u32 max_insns = single ? 1 : interp_cache_max_insns(engine, vcpu, pc);

	for (;;) {
		Translation translation = {0};
		Block *block;
		Status status;

		arena_reset(&engine->arena);
		status = engine->env.translate(engine->env.ctx, pc, context, max_insns, &engine->arena, &translation);
		if (status)
			return status;
		if (translation.no_code)
			return NO_CODE;
		check_ir(translation.func);
		if (translation.insns > 1) {
			if (!interp_forward(translation.func, vcpu, translation.plain_spaces, &engine->arena))
				return STATUS_NOMEM;
			check_ir(translation.func);
		}
		status = interp_lower(engine, vcpu, translation.func, single, translation.dirty && !translation.only_host, &engine->arena, &block);
		if (status == STATUS_TOO_BIG && max_insns > 1) {
			max_insns = translation.insns > 1 ? (translation.insns + 1) / 2 : 1;
			if (max_insns >= translation.insns)
				max_insns = 1;
			continue;
		}
		if (status)
			return status;
		block->pc = pc;
		block->context = context;
		block->insns = translation.insns;
		block->breakpoint = translation.breakpoint;
		block->cost = translation.breakpoint ? ~(u64)0 : translation.insns;
		block->cells = translation.code_cells;
		if (!interp_cache_add(engine, vcpu, block))
			return STATUS_NOMEM;
		engine->translated_blocks++;
		engine->translated_insns += translation.insns;
		*out = block;
		return STATUS_OK;
	}
}

static Status get_block(Engine *engine, Vcpu *vcpu, u64 pc, u64 context, bool single, Block **out)
{
	*out = interp_cache_find(engine, pc, context, single);
	if (*out)
		return STATUS_OK;
	if (*engine->bytes > ENGINE_CODE_BYTES) { /* nothing executes */
		if (engine->env.drop_code)
			engine->env.drop_code(engine->env.ctx);
		interp_cache_flush(engine, vcpu);
		interp_cache_bury(engine);
	}
	return make_block(engine, vcpu, pc, context, single, out);
}

/* ---- run ---- */

static ExitKind leave(Vcpu *vcpu, ExitKind kind)
{
	vcpu->exit = (VcpuExit){.kind = kind};
	return kind;
}

static ExitKind leave_error(Vcpu *vcpu, Status status)
{
	if (status == NO_CODE)
		return vcpu->exit.kind;
	vcpu->exit = (VcpuExit){.kind = EXIT_ERROR, .status = status};
	return EXIT_ERROR;
}

/* What slow accesses left behind for the end of the instruction. True: return from run. */
static bool take_pending(Vcpu *vcpu)
{
	if (vcpu->pending.kind != EXIT_BUDGET) {
		vcpu->exit = vcpu->pending;
		vcpu->pending.kind = EXIT_BUDGET;
		return true;
	}
	if (vcpu->event_pending) {
		vcpu->event_pending = false;
		leave(vcpu, EXIT_EVENT);
		return true;
	}
	return false;
}

typedef struct Run {
	Exec x;
	Exit *from;      /* exit to be chained to the next block, or NULL */
	u64 generation;  /* of the cache when `from` was set */
	u64 start;       /* icount at the start of the run */
} Run;

/* Chains where the last block was left to the one found now. */
static void connect(Run *run, Block *block)
{
	Engine *engine = run->x.engine;

	if (run->from && run->generation == engine->generation && !run->from->owner->dead && !block->breakpoint &&
	    run->from->owner->context == block->context && run->from->pc == block->pc)
		interp_exit_link(run->from, block);
	if (!block->breakpoint)
		engine->jump_cache[interp_jump_hash(block->pc)] = block;
}

/* Finds the block to execute, or makes it. True: return from run, vcpu->exit is filled. */
static __attribute__((noinline)) bool choose(Run *run, u64 context, Block **out)
{
	Engine *engine = run->x.engine;
	Vcpu *vcpu = run->x.vcpu;
	/* With little budget left a long block would be made only to find that it does not fit: steps stay cheap. */
	bool single = run->x.left < BLOCK_INSNS && !interp_cache_find(engine, vcpu->slots[0], context, false);
	Status status = get_block(engine, vcpu, vcpu->slots[0], context, single, out);

	if (!status && (*out)->breakpoint && !(vcpu->skip_break && vcpu->icount == run->start)) {
		leave(vcpu, EXIT_BREAK);
		return true;
	}
	if (!status && !single && run->x.left < (*out)->insns)
		status = get_block(engine, vcpu, vcpu->slots[0], context, true, out);
	else if (!status && !single)
		connect(run, *out);
	if (status)
		leave_error(vcpu, status);
	return status != STATUS_OK;
}

/* True: return from run, vcpu->exit is filled. */
static bool handle(Run *run, Outcome outcome)
{
	Engine *engine = run->x.engine;
	Vcpu *vcpu = run->x.vcpu;

	engine->attention = false;
	run->from = NULL;
	switch (outcome) {
	case OUT_DISPATCH:
		run->from = run->x.exit;
		run->generation = engine->generation;
		return false;
	case OUT_LEAVE:
		return take_pending(vcpu);
	case OUT_EVENT:
		if (take_pending(vcpu))
			return true;
		leave(vcpu, EXIT_EVENT);
		return true;
	case OUT_STOP: {
		VcpuExit stop = vcpu->exit;

		vcpu->pending.kind = EXIT_BUDGET;
		vcpu->exit = stop;
		return true;
	}
	default:
		vcpu->pending.kind = EXIT_BUDGET; /* the instruction did not happen, so neither did that */
		return true;
	}
}

/* One turn. True: return from run. */
static bool turn(Run *run)
{
	Engine *engine = run->x.engine;
	Vcpu *vcpu = run->x.vcpu;
	u64 context;
	Block *block;
	Status status;
	Outcome outcome;

	if (UNLIKELY(vcpu->calls) && vcpu->slots[0] == vcpu->return_pc) {
		leave(vcpu, EXIT_RETURN);
		return true;
	}
	if (!run->x.left) {
		leave(vcpu, EXIT_BUDGET);
		return true;
	}
	context = engine_context(&engine->env, vcpu);
	/* What was met before, mostly. No budget pays for a breakpoint. */
	block = engine->jump_cache[interp_jump_hash(vcpu->slots[0])];
	if (UNLIKELY(block->pc != vcpu->slots[0] || block->context != context || run->x.left < block->cost)) {
		if (choose(run, context, &block))
			return true;
	} else if (run->from) {
		connect(run, block);
	}
	outcome = interp_execute(&run->x, block);
	if (outcome == OUT_BAIL) {
		bool dirty = block->dirty && vcpu->slots[0] != block->pc;

		status = get_block(engine, vcpu, vcpu->slots[0], context, true, &block);
		if (status || dirty) { /* dirty: what ran of the block may have changed the context */
			run->from = NULL;
			engine->attention = false;
			if (status)
				leave_error(vcpu, status);
			else
				leave(vcpu, EXIT_EVENT);
			return true;
		}
		outcome = interp_execute(&run->x, block);
	}
	if (handle(run, outcome))
		return true;
	if (engine->graveyard && !engine->eval_depth) {
		run->from = run->from && run->from->owner->dead ? NULL : run->from;
		interp_cache_bury(engine);
	}
	return false;
}

static ExitKind engine_run(Engine *engine, Vcpu *vcpu, u64 budget)
{
	Run run = {.start = vcpu->icount};

	if (budget > (u64)1 << NO_BUDGET)
		budget = (u64)1 << NO_BUDGET;
	run.x = (Exec){.engine = engine, .vcpu = vcpu, .limit = vcpu->icount + budget, .left = budget};
	vcpu->slots[vcpu->slot_count + FILE_ZERO] = 0;
	engine->attention = false;
	if (take_pending(vcpu))
		return vcpu->exit.kind;
	if (engine->graveyard && !engine->eval_depth)
		interp_cache_bury(engine);
	engine->running = true;
	while (!turn(&run))
		;
	engine->running = false;
	if (vcpu->icount != run.start)
		vcpu->skip_break = false;
	return vcpu->exit.kind;
}

/* ---- eval ---- */

static u32 handler_slot(const Engine *engine, const IrFunc *func)
{
	u32 at = (u32)(((uintptr_t)func >> 4) * 0x9E3779B1u) & (engine->handler_cap - 1);

	while (engine->handlers[at].func && engine->handlers[at].func != func)
		at = (at + 1) & (engine->handler_cap - 1);
	return at;
}

static bool grow_handlers(Engine *engine)
{
	u32 old = engine->handler_cap;
	Handler *before = engine->handlers, *grown = calloc(old ? (size_t)old * 2 : 32, sizeof(Handler));

	if (!grown)
		return false;
	engine->handlers = grown;
	engine->handler_cap = old ? old * 2 : 32;
	for (u32 i = 0; i < old; i++)
		if (before[i].func)
			grown[handler_slot(engine, before[i].func)] = before[i];
	free(before);
	return true;
}

static Status get_handler(Engine *engine, const Vcpu *vcpu, const IrFunc *func, Block **out)
{
	Arena arena;
	Status status;
	u32 at;

	if (engine->handler_count >= engine->handler_cap / 2 && !grow_handlers(engine))
		return STATUS_NOMEM;
	at = handler_slot(engine, func);
	if (engine->handlers[at].func) {
		*out = engine->handlers[at].block;
		return STATUS_OK;
	}
	check_ir(func);
	arena_init(&arena); /* not engine->arena: a translation may be under way */
	status = interp_lower(engine, vcpu, func, false, false, &arena, out);
	arena_fini(&arena);
	if (status)
		return status;
	engine->handlers[at] = (Handler){func, *out};
	engine->handler_count++;
	return STATUS_OK;
}

static AccessResult engine_eval(Engine *engine, Vcpu *vcpu, const IrFunc *func, const u64 *args, u64 *result,
				bool *jumped)
{
	u64 saved[VCPU_TEMPS], *temps = vcpu->slots + vcpu->slot_count;
	Exec x = {.engine = engine, .vcpu = vcpu, .handler = true};
	Block *handler;
	Status status;
	Outcome outcome;

	*jumped = false;
	*result = 0;
	if (engine->eval_depth >= EVAL_DEPTH)
		status = STATUS_TOO_BIG;
	else
		status = get_handler(engine, vcpu, func, &handler);
	if (status) {
		leave_error(vcpu, status);
		return ACCESS_EXIT;
	}
	/* The instruction or handler below us keeps its temporaries. */
	memcpy(saved, temps, handler->temps * sizeof(u64));
	temps[FILE_ZERO] = 0;
	if (func->args)
		memcpy(temps + FILE_TEMPS, args, func->args * sizeof(u64));
	engine->eval_depth++;
	outcome = interp_execute(&x, handler);
	engine->eval_depth--;
	memcpy(temps, saved, handler->temps * sizeof(u64));
	engine->attention = true;
	if (outcome == OUT_EXIT)
		return ACCESS_EXIT;
	*jumped = outcome == OUT_JUMPED;
	*result = x.result;
	return ACCESS_OK;
}

/* One that is not at work gives its memory back at once. */
static void engine_flush(Engine *engine, Vcpu *vcpu)
{
	interp_cache_flush(engine, vcpu);
	if (!engine->running && !engine->eval_depth)
		interp_cache_bury(engine);
}

static void engine_stats(const Engine *engine, u64 *blocks, u64 *translated_insns)
{
	*blocks = engine->translated_blocks;
	*translated_insns = engine->translated_insns;
}

const EngineOps interp_engine = {
	.name = "interpreter",
	.create = engine_create,
	.destroy = engine_destroy,
	.run = engine_run,
	.eval = engine_eval,
	.invalidate = interp_cache_invalidate,
	.flush = engine_flush,
	.stats = engine_stats,
};
