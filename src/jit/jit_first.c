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
 *
 * Invariants: an instruction is done wholly here, or not at all and the cold engine does it: IR has its PUTs last (ir.h, 3), an
 * access that is not plain comes back before anything has changed, and a store with another access behind it is not even
 * begun. Counts are exact: an instruction is counted when the next one begins.
 */
#include "jit/jit_private.h"

#include <stdlib.h>
#include <string.h>

#include "jit/jit_life.h"
#include "jit/jit_store.h"

enum {
	FIRST_HASH = 1 << 14,
	FIRST_BYTES = 2 << 20,
	FIRST_SEEN = 1 << 18,
	FIRST_TIMED = 16, /* one in so many is timed, and stands for the others: two looks at the clock cost as much as an instruction */
	FIRST_INS = 768, /* of the IR: room for their values on the stack */
};

typedef struct JitFirst {
	u64 pc, context;
	Translation translation;
	u8 *guest;
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

static void *copy(Engine *engine, const void *from, size_t bytes)
{
	void *to = arena_room(&engine->first_arena, bytes ? bytes : 1);

	if (to && bytes)
		memcpy(to, from, bytes);
	return to;
}

/* Can all of it be evaluated, but for instructions that leave before they have changed anything? */
static bool is_plain(const IrFunc *func)
{
	if (func->ins_count > FIRST_INS)
		return false;
	for (u32 i = 0; i < func->ins_count; i++)
		if (func->ins[i].op == IR_OP_STOP || func->ins[i].op == IR_OP_ARG || func->ins[i].op == IR_OP_RET ||
		    (func->ins[i].op == IR_OP_PUT && func->ins[i].aux == 0))
			return false;
	return true;
}

static JitFirst *keep(Engine *engine, const Space *space, u64 pc, u64 context, const Translation *translation)
{
	const IrFunc *from = translation->func;
	JitFirst *first;
	IrFunc *func;

	if (engine->first_arena.total > FIRST_BYTES)
		forget(engine);
	first = arena_room(&engine->first_arena, sizeof *first);
	func = first ? copy(engine, from, sizeof *from) : NULL;
	if (!func)
		return NULL;
	func->arena = &engine->first_arena;
	func->ins = copy(engine, from->ins, from->ins_count * sizeof(IrIns));
	func->consts = copy(engine, from->consts, from->const_count * sizeof(IrConst));
	func->blocks = copy(engine, from->blocks, from->block_count * sizeof(IrBlock));
	func->pool = copy(engine, from->pool, from->pool_count * sizeof(IrRef));
	func->const_index = NULL; /* nothing is added any more */
	func->ins_cap = func->ins_count;
	func->const_cap = func->const_count;
	func->block_cap = func->block_count;
	func->pool_cap = func->pool_count;
	func->const_index_cap = 0;
	*first = (JitFirst){ .pc = pc, .context = context, .translation = *translation };
	first->translation.func = func;
	first->guest = copy(engine, space->base + pc, translation->code_cells);
	if (!func->ins || !func->consts || !func->blocks || !func->pool || !first->guest)
		return NULL;
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

/* ---- Evaluation ---- */

typedef struct First {
	const IrFunc *func;
	const Vcpu *vcpu;
	Space *memory;
	unsigned code_space;
	u64 pc;              /* of the instruction that runs */
	u64 values[FIRST_INS];
} First;

static u64 value(const First *f, IrRef ref)
{
	return ref & IR_CONST_BIT ? f->func->consts[ref & ~IR_CONST_BIT].value : f->values[ref];
}

/* Where a plain access of that many bytes goes; NULL: it is no plain one. */
static u8 *place(const First *f, const IrIns *ins, unsigned width, u8 looked_at, u8 wanted)
{
	const Space *space = f->memory;
	u64 at = value(f, ins->a), bytes = width / 8;

	if (ins->aux != f->code_space || (width != 8 && width != 16 && width != 32 && width != 64) || at >= space->cells ||
	    at % SPACE_PAGE > SPACE_PAGE - bytes || (space->attr[at / SPACE_PAGE] & looked_at) != wanted)
		return NULL;
	return space->base + at;
}

/* Does the instruction that stores at `at` do anything behind it that may have to be left? */
static bool goes_on(const IrFunc *func, u32 at)
{
	for (u32 i = at + 1; i < func->ins_count && func->ins[i].op != IR_OP_INSN; i++)
		if (ir_op_info[func->ins[i].op].effects & (IR_EFFECT_READ | IR_EFFECT_WRITE | IR_EFFECT_EXIT))
			return true;
	return false;
}

static u64 operate(const First *f, const IrIns *ins)
{
	const bool two = ir_op_info[ins->op].shape != IR_SHAPE_UN && ir_op_info[ins->op].shape != IR_SHAPE_CONV;
	const unsigned floats = ir_float_operands((IrOp)ins->op);
	const unsigned count = floats ? floats : ir_op_info[ins->op].shape == IR_SHAPE_SEL ? 3 : two ? 2 : 1;

	return ir_eval((IrOp)ins->op, ins->width, ir_width(f->func, ins->a), ins->aux, value(f, ins->a),
		       count > 1 ? value(f, ins->b) : 0, count > 2 ? value(f, ins->c) : 0);
}

/* The arguments of a JMP become parameters; all are read first. */
static u32 jump(First *f, const IrIns *ins)
{
	const u32 to = f->func->blocks[ins->a].start;
	u64 arguments[16];

	if (ins->c > 16)
		return IR_NONE;
	for (u32 i = 0; i < ins->c; i++)
		arguments[i] = value(f, f->func->pool[ins->b + i]);
	memcpy(f->values + to, arguments, ins->c * sizeof(u64));
	return to;
}

/* Runs the block. True: to its end; false: the instruction at slot 0 is the cold engine's. */
static bool evaluate(First *f, Vcpu *vcpu)
{
	const IrFunc *func = f->func;
	u32 number = 0;

	for (u32 i = 0; i < func->ins_count; i++) {
		const IrIns *ins = &func->ins[i];
		u64 loaded = 0, stored;
		u8 *at;

		switch (ins->op) {
		case IR_OP_INSN:
			f->pc = value(f, ins->a);
			number = ins->b;
			break;
		case IR_OP_PARAM: case IR_OP_FENCE: /* one host thread at a time runs a machine */
			break;
		case IR_OP_GET:
			f->values[i] = ins->aux ? vcpu->slots[ins->aux] : f->pc;
			break;
		case IR_OP_PUT:
			vcpu->slots[ins->aux] = value(f, ins->a);
			break;
		case IR_OP_LOAD:
			at = place(f, ins, ins->width, ATTR_PAGED_LOAD, ATTR_READ);
			if (!at)
				goto leave;
			memcpy(&loaded, at, ins->width / 8);
			f->values[i] = loaded;
			break;
		case IR_OP_STORE:
			at = place(f, ins, ins->width, ATTR_PAGED_STORE, ATTR_WRITE);
			if (!at || goes_on(func, i))
				goto leave;
			stored = value(f, ins->b);
			memcpy(at, &stored, ins->width / 8);
			break;
		case IR_OP_JMP:
			i = jump(f, ins);
			if (i == IR_NONE)
				goto leave;
			i--;
			break;
		case IR_OP_BR:
			i = func->blocks[value(f, ins->a) ? ins->b : ins->c].start - 1;
			break;
		case IR_OP_GOTO:
			vcpu->slots[0] = value(f, ins->a);
			vcpu->icount += number + 1;
			return true;
		default:
			if (!(ir_op_info[ins->op].effects & IR_EFFECT_PURE))
				goto leave;
			f->values[i] = operate(f, ins);
		}
	}
leave:
	vcpu->slots[0] = f->pc;
	vcpu->icount += number;
	return false;
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
	First f;
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
		if (translation.no_code || (translation.dirty && !translation.only_host) || translation.breakpoint || !is_plain(translation.func) ||
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
	f.func = first->translation.func;
	f.vcpu = vcpu;
	f.memory = &vcpu->spaces[engine->env.code_space];
	f.code_space = engine->env.code_space;
	f.pc = pc;
	return evaluate(&f, vcpu) ? JIT_FIRST_DONE : JIT_FIRST_LEFT;
}

void jit_first_fini(Engine *engine)
{
	free(engine->firsts);
	arena_fini(&engine->first_arena);
}
