/* SPDX-License-Identifier: MIT
 *
 * The engine around the loops: finding and making code, memory accesses, host calls, handler functions.
 */
#include "lab/lab_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

typedef LabOutcome (*LabLoop)(LabRun *run, LabCode *code, const void *const **handlers);

static LabLoop loop_of(LabTechnique technique)
{
	switch (technique) {
	case LAB_GOTO: return lab_loop_goto;
	case LAB_THREADED: return lab_loop_threaded;
	case LAB_COUNTING: return lab_loop_counting;
	default: return lab_loop_switch;
	}
}

/* ---- Code ---- */

static void bury(Engine *engine)
{
	while (engine->dead) {
		LabCode *code = engine->dead;

		engine->dead = code->dead_next;
		free(code);
	}
}

static void drop(Engine *engine, LabCode **link)
{
	LabCode *code = *link;

	*link = code->next;
	code->dead_next = engine->dead;
	engine->dead = code;
	engine->code_count--;
}

static void lab_flush(Engine *engine, Vcpu *vcpu)
{
	(void)vcpu;
	for (u32 i = 0; i < LAB_HASH; i++)
		while (engine->hash[i])
			drop(engine, &engine->hash[i]);
	if (!engine->depth)
		bury(engine);
}

static void lab_invalidate(Engine *engine, Vcpu *vcpu, u64 address, u64 count)
{
	u64 mask = vcpu->spaces[engine->env.code_space].wrap_mask;

	if (count > LAB_HASH) {
		for (u32 i = 0; i < LAB_HASH; i++)
			while (engine->hash[i])
				drop(engine, &engine->hash[i]);
		return;
	}
	for (u64 at = address - (LAB_MAX_CELLS - 1); at != address + count; at++) {
		u64 pc = at & mask;

		for (LabCode **link = &engine->hash[lab_hash(pc)]; *link;) {
			if ((*link)->pc == pc && pc + (*link)->cells > address)
				drop(engine, link);
			else if ((*link)->pc == pc && pc > address + count) /* wrapped round */
				drop(engine, link);
			else
				link = &(*link)->next;
		}
	}
}

static const void *const *handlers_of(const Engine *engine)
{
	const void *const *handlers = NULL;

	loop_of(engine->technique)(NULL, NULL, &handlers);
	return handlers;
}

static LabCode *make_code(Engine *engine, Vcpu *vcpu, u64 pc, u64 context, Status *status)
{
	Translation translation = {0};
	LabCode *code;

	arena_reset(&engine->arena);
	*status = engine->env.translate(engine->env.ctx, pc, context, 1, &engine->arena, &translation);
	if (!*status && translation.no_code)
		*status = STATUS_RANGE;
	if (*status)
		return NULL;
	code = lab_lower(translation.func, handlers_of(engine), status);
	if (!code)
		return NULL;
	code->pc = pc;
	code->context = context;
	code->cells = translation.code_cells;
	code->dirty = translation.dirty;
	code->breakpoint = translation.breakpoint;
	engine->translated++;
	if (engine->code_count >= LAB_HASH * 4 || engine->technique == LAB_REDECODE)
		lab_flush(engine, vcpu);
	code->next = engine->hash[lab_hash(pc)];
	engine->hash[lab_hash(pc)] = code;
	engine->code_count++;
	return code;
}

/* ---- Memory and host ---- */

static bool fault(LabRun *run, unsigned space, u64 address, bool write)
{
	run->vcpu->exit = (VcpuExit){.kind = EXIT_FAULT, .value = address, .space = (u16)space, .write = write};
	return false;
}

static void count_cells(u64 *counts, unsigned space, u64 cells)
{
	counts[space < 16 ? space : 15] += cells;
}

static bool is_plain(const Space *space, u64 at, unsigned cells, u8 attrs)
{
	if (space->paged || space->cells < cells || at > space->cells - cells)
		return false;
	for (unsigned i = 0; i < cells; i++)
		if (space->attr[(at + i) >> space->attr_shift] & attrs)
			return false;
	return true;
}

bool lab_load(LabRun *run, const LabOp *op, u64 address, u64 *value)
{
	unsigned number = op->aux & ~(unsigned)IR_RAW;
	bool raw = op->aux & IR_RAW;
	const EngineEnv *env = &run->engine->env;
	const Space *space = &run->vcpu->spaces[number];
	unsigned cells = op->width / space->cell_bits;
	u64 at = address & space->wrap_mask, whole = 0;

	if (run->engine->technique == LAB_COUNTING)
		count_cells(run->engine->counts.reads, number, cells);
	if (!raw && !is_plain(space, at, cells, ATTR_SLOW_READ)) {
		run->engine->attention = true;
		return env->read(env->ctx, run->vcpu, number, address, op->width, value) == ACCESS_OK;
	}
	for (unsigned i = 0; i < cells; i++) {
		u64 cell;

		if (!space_peek(space, address + i, &cell))
			return fault(run, number, (address + i) & space->wrap_mask, false);
		if (space->big)
			whole = (space->cell_bits < 64 ? whole << space->cell_bits : 0) | cell;
		else
			whole |= cell << (i * space->cell_bits);
	}
	*value = whole;
	return true;
}

bool lab_store(LabRun *run, const LabOp *op, u64 address, u64 value)
{
	unsigned number = op->aux & ~(unsigned)IR_RAW;
	bool raw = op->aux & IR_RAW;
	const EngineEnv *env = &run->engine->env;
	Space *space = &run->vcpu->spaces[number];
	unsigned cells = op->width / space->cell_bits;
	u64 at = address & space->wrap_mask;

	if (run->engine->technique == LAB_COUNTING)
		count_cells(run->engine->counts.writes, number, cells);
	if (!raw && !is_plain(space, at, cells, ATTR_SLOW_WRITE)) {
		run->engine->attention = true;
		return env->write(env->ctx, run->vcpu, number, address, op->width, value) == ACCESS_OK;
	}
	for (unsigned i = 0; raw && i < cells; i++)
		if (((address + i) & space->wrap_mask) >= space->cells)
			return fault(run, number, (address + i) & space->wrap_mask, true);
	for (unsigned i = 0; i < cells; i++) {
		unsigned shift = (space->big ? cells - 1 - i : i) * space->cell_bits;

		space_poke(space, address + i, value >> shift);
	}
	if (raw && number == env->code_space)
		lab_invalidate(run->engine, run->vcpu, at, cells);
	return true;
}

bool lab_host(LabRun *run, const LabCode *code, const LabOp *op, u64 *temps)
{
	const EngineEnv *env = &run->engine->env;
	unsigned count = (unsigned)(op->imm >> 32);
	const u16 *from = code->calls + (u32)op->imm;
	u64 args[256], result = 0;

	for (unsigned i = 0; i < count && i < 256; i++)
		args[i] = temps[from[i]];
	run->engine->attention = true;
	if (env->host(env->ctx, run->vcpu, op->aux, args, count, &result) != ACCESS_OK)
		return false;
	temps[op->d] = op->width ? bits_trunc(result, op->width) : 0;
	return true;
}

/* ---- run ---- */

static ExitKind leave(Vcpu *vcpu, ExitKind kind, Status status)
{
	vcpu->exit = (VcpuExit){.kind = kind, .status = status};
	return kind;
}

static bool take_pending(Vcpu *vcpu)
{
	if (vcpu->pending.kind != EXIT_BUDGET) {
		vcpu->exit = vcpu->pending;
		vcpu->pending.kind = EXIT_BUDGET;
		return true;
	}
	if (!vcpu->event_pending)
		return false;
	vcpu->event_pending = false;
	leave(vcpu, EXIT_EVENT, STATUS_OK);
	return true;
}

static ExitKind lab_run(Engine *engine, Vcpu *vcpu, u64 budget)
{
	LabLoop loop = loop_of(engine->technique);
	u64 start = vcpu->icount;
	LabRun run = {.engine = engine, .vcpu = vcpu};

	run.limit = budget > ~(u64)0 - start ? ~(u64)0 : start + budget;
	engine->attention = false;
	if (take_pending(vcpu))
		return vcpu->exit.kind;
	while (vcpu->icount < run.limit) {
		Status status = STATUS_OK;
		LabOutcome outcome;
		LabCode *code;

		if (!engine->depth)
			bury(engine);
		run.context = engine->env.context(engine->env.ctx, vcpu);
		code = engine->technique == LAB_REDECODE ? NULL : lab_find(engine, vcpu->slots[0], run.context);
		if (!code)
			code = make_code(engine, vcpu, vcpu->slots[0], run.context, &status);
		if (!code)
			return status == STATUS_RANGE ? vcpu->exit.kind : leave(vcpu, EXIT_ERROR, status);
		if (code->breakpoint && !(vcpu->skip_break && vcpu->icount == start))
			return leave(vcpu, EXIT_BREAK, STATUS_OK);
		outcome = loop(&run, code, NULL);
		engine->attention = false;
		if (outcome == LAB_STOP || outcome == LAB_EXIT) {
			vcpu->pending.kind = EXIT_BUDGET;
			vcpu->skip_break = vcpu->skip_break && vcpu->icount == start;
			return vcpu->exit.kind;
		}
		vcpu->skip_break = false;
		if ((outcome == LAB_LOOK || outcome == LAB_EVENT) && take_pending(vcpu))
			return vcpu->exit.kind;
		if (outcome == LAB_EVENT)
			return leave(vcpu, EXIT_EVENT, STATUS_OK);
	}
	return leave(vcpu, EXIT_BUDGET, STATUS_OK);
}

/* ---- eval ---- */

static LabCode *get_handler(Engine *engine, const IrFunc *func, Status *status)
{
	LabCode **link = &engine->handlers[((uintptr_t)func >> 4) % LAB_HANDLERS], *code;

	for (code = *link; code; code = code->next)
		if (code->func == func)
			return code;
	code = lab_lower(func, handlers_of(engine), status);
	if (!code)
		return NULL;
	code->func = func;
	code->next = *link;
	*link = code;
	return code;
}

static AccessResult lab_eval(Engine *engine, Vcpu *vcpu, const IrFunc *func, const u64 *args, u64 *result, bool *jumped)
{
	u64 saved[VCPU_TEMPS], *temps = vcpu->slots + vcpu->slot_count;
	LabRun run = {.engine = engine, .vcpu = vcpu};
	Status status = STATUS_TOO_BIG;
	LabCode *code = NULL;
	LabOutcome outcome;

	*jumped = false;
	*result = 0;
	if (engine->depth < LAB_DEPTH)
		code = get_handler(engine, func, &status);
	if (!code) {
		leave(vcpu, EXIT_ERROR, status);
		return ACCESS_EXIT;
	}
	memcpy(saved, temps, code->temps * sizeof(u64));
	if (func->args)
		memcpy(temps, args, func->args * sizeof(u64));
	engine->depth++;
	outcome = loop_of(engine->technique)(&run, code, NULL);
	engine->depth--;
	memcpy(temps, saved, code->temps * sizeof(u64));
	engine->attention = true;
	if (outcome == LAB_EXIT)
		return ACCESS_EXIT;
	*jumped = outcome == LAB_JUMPED;
	*result = run.result;
	return ACCESS_OK;
}

/* ---- An engine ---- */

static Engine *create(const EngineEnv *env, LabTechnique technique)
{
	Engine *engine = calloc(1, sizeof *engine);

	if (!engine)
		return NULL;
	engine->env = *env;
	engine->technique = technique;
	arena_init(&engine->arena);
	return engine;
}

static Engine *create_redecode(const EngineEnv *env) { return create(env, LAB_REDECODE); }
static Engine *create_switch(const EngineEnv *env) { return create(env, LAB_SWITCH); }
static Engine *create_goto(const EngineEnv *env) { return create(env, LAB_GOTO); }
static Engine *create_threaded(const EngineEnv *env) { return create(env, LAB_THREADED); }
static Engine *create_counting(const EngineEnv *env) { return create(env, LAB_COUNTING); }

static void lab_destroy(Engine *engine)
{
	if (!engine)
		return;
	engine->depth = 0;
	lab_flush(engine, NULL);
	for (u32 i = 0; i < LAB_HANDLERS; i++)
		while (engine->handlers[i])
			drop(engine, &engine->handlers[i]);
	bury(engine);
	arena_fini(&engine->arena);
	free(engine);
}

static void lab_stats(const Engine *engine, u64 *blocks, u64 *translated_insns)
{
	*blocks = *translated_insns = engine->translated;
}

void lab_counts(const Engine *engine, LabCounts *out)
{
	*out = engine->counts;
}

#define ENGINE(text, creator) \
	{ .name = text, .create = creator, .destroy = lab_destroy, .run = lab_run, .eval = lab_eval, \
	  .invalidate = lab_invalidate, .flush = lab_flush, .stats = lab_stats }

const EngineOps lab_engines[LAB_TECHNIQUES] = {
	[LAB_REDECODE] = ENGINE("redecode", create_redecode),
	[LAB_SWITCH] = ENGINE("switch", create_switch),
	[LAB_GOTO] = ENGINE("goto", create_goto),
	[LAB_THREADED] = ENGINE("threaded", create_threaded),
	[LAB_COUNTING] = ENGINE("counting", create_counting),
};
