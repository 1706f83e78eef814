/* SPDX-License-Identifier: MIT
 *
 * Calls of the host from compiled code.
 *
 *     code, at an instruction that calls the host: state at home, eax = number of its way out
 *       -> common code: registers into the slots (x64_start.c) -> jit_call: the instruction's IR is evaluated here
 *            -> a block:  registers out of the slots, on at its code; guest's calls on the stack stay as they are
 *            -> NULL:     compiled code is left as by any other way out; frame->number says which one
 *
 * So a call costs no way out and no way in. It is the one place where compiled code calls the machine, and the host may do
 * anything meanwhile: run the same engine (machine_call), store into code, let code be dropped, switch address spaces. So nothing
 * of the code that called is believed behind it: it goes on at a block that is looked up, and only if no code has died since
 * (Engine.deaths: return addresses on the stack lead into code), memory is where it was and registers are those of the same
 * vCPU; else it leaves.
 *
 * What cannot be taken back must not be begun: an instruction that may do more behind its call than write registers is the cold
 * engine's, as is one that writes what translations depend on. Which it is, and its IR, is kept at the way out (JitExit.call).
 *
 * The host may let all code be forgotten, but not the records of code: they stay while compiled code is on the stack (Engine.entered).
 */
#include "jit/jit_call.h"

#include "base/bits.h"
#include "jit/jit_eval.h"
#include "jit/jit_life.h"

enum {
	CALL_INS = 128, /* of the IR of an instruction */
	DIRECT_ARGS = 6,
};

struct JitCall {
	const IrFunc *func; /* NULL: it is the cold engine's, or nothing is known yet */
	/* Nearly all are a call with slots and constants, whose result goes to a slot or nowhere, and then the next instruction. */
	bool direct;
	u8 count;
	u16 straight;          /* count + 1 where it is of a service, and a look at one slot tells whether the context has changed; else 0 */
	u16 host, to;          /* to: slot of the result; 0: none, as the pc is written behind it */
	u16 from[DIRECT_ARGS]; /* slots; 0: */
	u64 consts[DIRECT_ARGS];
	u64 kept;              /* bits of the result that are its own */
	u64 next;
	EngineService service; /* that it calls; call NULL: env->host does */
	struct Machine *machine; /* it gets that */
};

const JitCall jit_call_unknown = { .func = NULL };
static const JitCall the_cold_engines = { .func = NULL };

/* May its call be made here? What stands behind it in the IR, on whatever way, can't be left. */
static bool is_simple(const IrFunc *func)
{
	bool called = false;

	if (func->ins_count > CALL_INS || !jit_eval_knows(func))
		return false;
	for (u32 i = 0; i < func->ins_count; i++) {
		const IrIns *ins = &func->ins[i];

		switch (ins->op) {
		case IR_OP_INSN: case IR_OP_PARAM: case IR_OP_GET: case IR_OP_PUT: case IR_OP_BR: case IR_OP_GOTO: case IR_OP_FENCE:
			break;
		case IR_OP_HOST:
			called = true;
			/* fall through */
		case IR_OP_JMP:
			if (ins->c > JIT_EVAL_ARGS)
				return false;
			break;
		default:
			if (called && !(ir_op_info[ins->op].effects & IR_EFFECT_PURE))
				return false;
		}
	}
	return called;
}

/* Is it that alone? */
static bool is_direct(const IrFunc *func, JitCall *call)
{
	u32 at = IR_NONE;

	for (u32 i = 0; i < func->ins_count; i++) {
		const IrIns *ins = &func->ins[i];

		if (ins->op == IR_OP_HOST && at == IR_NONE && ins->c <= DIRECT_ARGS) {
			at = i;
			call->host = ins->aux;
			call->kept = ins->width ? bits_mask(ins->width) : ~(u64)0;
			call->count = (u8)ins->c;
		} else if (ins->op == IR_OP_PUT && ins->a == at && at != IR_NONE && !call->to) {
			call->to = ins->aux;
		} else if (ins->op == IR_OP_GOTO && i + 1 == func->ins_count && ir_is_const(func, ins->a, &call->next)) {
			continue;
		} else if (ins->op != IR_OP_INSN && !(ins->op == IR_OP_GET && ins->aux && at == IR_NONE)) {
			return false;
		}
	}
	for (u32 i = 0; i < call->count; i++) {
		IrRef ref = func->pool[func->ins[at].b + i];

		call->from[i] = 0;
		if (ref & IR_CONST_BIT)
			call->consts[i] = func->consts[ref & ~IR_CONST_BIT].value;
		else
			call->from[i] = func->ins[ref].aux; /* of a GET: no other value is there before */
	}
	return func->ins[func->ins_count - 1].op == IR_OP_GOTO;
}

static JitCall *keep(Engine *engine, const IrFunc *from)
{
	JitCall *call = ARENA_NEW(&engine->blocks, JitCall);
	IrFunc *func = ir_copy(from, &engine->blocks);

	if (!call || !func)
		return NULL;
	*call = (JitCall){ .func = func };
	call->direct = is_direct(func, call);
	if (call->direct && call->host < engine->env.service_count)
		call->service = engine->env.services[call->host];
	call->machine = engine->env.ctx;
	if (call->service.call && (engine->env.no_context || engine->env.context_slot))
		call->straight = (u16)(call->count + 1);
	return call;
}

static __attribute__((noinline)) JitEvalResult evaluate(Engine *engine, Vcpu *vcpu, const JitCall *call, u64 pc)
{
	Space *space = &vcpu->spaces[engine->env.code_space];
	u64 values[CALL_INS];
	JitEval e = { .func = call->func, .vcpu = vcpu, .env = &engine->env, .memory = engine->env.paged && !space->big ? space : NULL,
		      .code_space = engine->env.code_space, .pc = pc, .values = values };

	return jit_eval(&e);
}

/* When it is met the first time. The code it is from is that of the way out: it can't change without that dying. */
static __attribute__((noinline)) const JitCall *find_out(Engine *engine, const JitExit *exit)
{
	u64 before = jit_bytes(engine);
	Translation translation = { 0 };
	const JitCall *call;

	arena_reset(&engine->arena);
	if (engine->env.translate(engine->env.ctx, exit->pc, exit->owner->context, 1, &engine->arena, &translation) ||
	    translation.no_code || translation.breakpoint || translation.insns != 1 || (translation.dirty && !translation.only_host) ||
	    !is_simple(translation.func))
		return &the_cold_engines;
	call = keep(engine, translation.func);
	if (engine->env.code_bytes)
		*engine->env.code_bytes += jit_bytes(engine) - before;
	engine->counted += jit_bytes(engine) - before;
	return call ? call : &the_cold_engines;
}

/* What the call has left for the end of the instruction. True: the run is over, vcpu->exit says why. */
static bool takes_pending(Vcpu *vcpu)
{
	if (LIKELY(vcpu->pending.kind == EXIT_BUDGET && !vcpu->event_pending))
		return false;
	vcpu->exit = vcpu->pending.kind != EXIT_BUDGET ? vcpu->pending : (VcpuExit){ .kind = EXIT_EVENT };
	if (vcpu->pending.kind == EXIT_BUDGET)
		vcpu->event_pending = false;
	vcpu->pending.kind = EXIT_BUDGET;
	return true;
}

/* Is the code there, and are its registers and memory where they were? (The array of spaces and where a space that is not paged lies never
 * change; base goes with attr.) */
static inline bool is_in_place(const JitFrame *frame, const Engine *engine, const Vcpu *vcpu)
{
	const Space *space = frame->space;

	return engine->deaths == frame->deaths && vcpu->slots == frame->slots && space->attr == frame->attr && space->view == frame->view;
}

/* Is all that compiled code relies on as it was? */
static inline bool may_stay(const Engine *engine, const JitFrame *frame)
{
	const Vcpu *vcpu = frame->vcpu;

	return is_in_place(frame, engine, vcpu) && (engine->env.no_context || engine_context(&engine->env, vcpu) == engine->context) &&
	       !(vcpu->calls && vcpu->slots[0] == vcpu->return_pc);
}

/* Where code goes on behind a call: what jit_call gives. */
static __attribute__((noinline)) const u8 *go_on(JitFrame *frame, JitExit *exit, JitEvalResult result)
{
	Engine *engine = frame->engine;
	Vcpu *vcpu = frame->vcpu;
	JitBlock *target;

	frame->number = JIT_CALLED;
	frame->from = NULL;
	frame->left = frame->limit - vcpu->icount;
	frame->over = result == JIT_EVAL_EXIT || takes_pending(vcpu);
	if (result == JIT_EVAL_EXIT)
		vcpu->pending.kind = EXIT_BUDGET; /* the instruction did not happen, so neither did that */
	if (frame->over || !may_stay(engine, frame))
		return NULL;
	target = exit->target;
	if (target && target->pc == vcpu->slots[0])
		return engine->rx + target->entry;
	target = jit_cache_find(engine, vcpu->slots[0], engine->context);
	if (!target) {
		frame->from = exit;
		return NULL;
	}
	if (target->cold)
		return NULL;
	jit_chain(engine, exit, target);
	return engine->rx + target->entry;
}

/* What a direct call came to, for the instruction. */
static const u8 *take_answer(JitFrame *frame, JitExit *exit, const JitCall *call, AccessResult outcome, u64 result)
{
	Vcpu *vcpu = frame->vcpu;

	jit_count(frame->engine, ENGINE_CALLS);
	if (outcome != ACCESS_OK)
		return go_on(frame, exit, JIT_EVAL_EXIT);
	vcpu->slots[call->to] = result & call->kept;
	vcpu->slots[0] = call->next;
	vcpu->icount++;
	return go_on(frame, exit, JIT_EVAL_DONE);
}

/* A service was called, and not all is as it was before. */
static __attribute__((noinline)) const u8 *look_behind(JitFrame *frame, JitExit *exit, unsigned given, u64 result)
{
	const JitCall *call = exit->call;
	AccessResult outcome = ACCESS_OK;

	if (given || frame->vcpu->host_slow)
		outcome = frame->engine->env.host_done(frame->engine->env.ctx, frame->vcpu, call->host, given, &result);
	return take_answer(frame, exit, call, outcome, result);
}

static inline void gather(const JitCall *call, u32 count, const u64 *slots, u64 *arguments)
{
	for (u32 i = 0; i < count; i++)
		arguments[i] = call->from[i] ? slots[call->from[i]] : call->consts[i];
}

static const u8 *ask_machine(JitFrame *frame, JitExit *exit, const JitCall *call)
{
	const EngineEnv *env = &frame->engine->env;
	u64 arguments[DIRECT_ARGS], result = 0;
	AccessResult outcome;

	gather(call, call->count, frame->slots, arguments);
	outcome = env->host(env->ctx, frame->vcpu, call->host, arguments, call->count, &result);
	return take_answer(frame, exit, call, outcome, result);
}

/* A call that is met for the first time, or is not straight. */
static __attribute__((noinline)) const u8 *call_anew(JitFrame *frame, JitExit *exit, u64 left)
{
	Engine *engine = frame->engine;
	Vcpu *vcpu = frame->vcpu;
	const u64 icount = frame->limit - left - exit->refund;
	JitEvalResult result;

	frame->number = exit->number;
	frame->left = left;
	if (icount == frame->limit)
		return NULL;
	vcpu->slots[0] = exit->pc;
	vcpu->icount = icount;
	if (exit->call == &jit_call_unknown)
		exit->call = find_out(engine, exit);
	if (!exit->call->func)
		return NULL;
	if (exit->call->direct)
		return ask_machine(frame, exit, exit->call);
	result = evaluate(engine, vcpu, exit->call, exit->pc);
	if (result == JIT_EVAL_LEFT)
		return NULL;
	jit_count(engine, ENGINE_CALLS);
	return go_on(frame, exit, result);
}

/* may_stay, and nothing asks for attention: for straight calls, whose context is told by one slot. */
static inline bool is_as_before(const JitFrame *frame, const Engine *engine, const Vcpu *vcpu)
{
	return !vcpu_wants(vcpu) && vcpu->pending.kind == EXIT_BUDGET && is_in_place(frame, engine, vcpu) && *frame->context == engine->context;
}

/* In a straight line: what is usual, with as few looks at memory as will do. So what is needed behind the call is looked up anew there:
 * what were kept in registers would have to be put away first. Slot 0 is not written for code that goes on, nor is icount. */
JitGoOn jit_call(JitFrame *frame, JitExit *exit, u64 left)
{
	const u64 ahead = left + exit->refund;
	const JitCall *call = exit->call;
	const u32 straight = call->straight;
	Vcpu *vcpu = frame->vcpu;
	u64 arguments[DIRECT_ARGS], result = 0, *slots = frame->slots;
	const JitBlock *target;
	unsigned given;
	Engine *engine;

	if (UNLIKELY(!straight || !ahead || vcpu->host_slow)) {
		const u8 *code = call_anew(frame, exit, left);

		return (JitGoOn){ code, frame->left };
	}
	vcpu->icount = frame->limit - ahead;
	slots[0] = exit->pc;
	gather(call, straight - 1, slots, arguments);
	given = call->service.call(call->service.ctx, call->machine, arguments, straight - 1, &result);
	vcpu = frame->vcpu;
	engine = frame->engine;
	target = exit->target; /* the block at `next` */
	if (UNLIKELY(given || !target || !is_as_before(frame, engine, vcpu))) {
		const u8 *code = look_behind(frame, exit, given, result);

		return (JitGoOn){ code, frame->left };
	}
	jit_count(engine, ENGINE_CALLS);
	call = exit->call;
	if (call->to)
		vcpu->slots[call->to] = result & call->kept;
	return (JitGoOn){ engine->rx + target->entry, frame->limit - vcpu->icount - 1 };
}
