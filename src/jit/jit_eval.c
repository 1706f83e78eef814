/* SPDX-License-Identifier: MIT */
#include "jit/jit_eval.h"

#include <string.h>

#include "base/bits.h"

bool jit_eval_knows(const IrFunc *func)
{
	static const bool unknown[IR_OP_COUNT] = {[IR_OP_STOP] = true, [IR_OP_ARG] = true, [IR_OP_RET] = true};

	for (const IrIns *ins = func->ins, *end = ins + func->ins_count; ins < end; ins++)
		if (unknown[ins->op] || (ins->op == IR_OP_PUT && ins->aux == 0))
			return false;
	return true;
}

_Static_assert(sizeof(IrConst) == 2 * sizeof(u64) && offsetof(IrConst, value) == 0 && IR_CONST_BIT == (u32)1 << 31, "look");

/* Which it is nobody can predict: no branch. */
static inline u64 look(const IrConst *consts, const u64 *values, IrRef ref)
{
	const u64 is_const = ref >> 31, at = (u64)(ref & ~IR_CONST_BIT) << is_const; /* a constant takes two words */
	const uintptr_t bases = (uintptr_t)values ^ (((uintptr_t)values ^ (uintptr_t)consts) & (0 - is_const));

	return ((const u64 *)bases)[at];
}

static u64 value(const JitEval *e, IrRef ref)
{
	return look(e->func->consts, e->values, ref);
}

/* Where a plain access of that many bytes goes; NULL: it is no plain one. */
static inline u8 *place(const JitEval *e, const IrIns *ins, u64 at, unsigned width, u8 looked_at, u8 wanted)
{
	const Space *space = e->memory;
	const u64 bytes = width / 8;

	if (!space || ins->aux != e->code_space || (width != 8 && width != 16 && width != 32 && width != 64) || at >= space->cells ||
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

static u64 operate(const JitEval *e, const IrIns *ins)
{
	/* Those that are not here have two. */
	static const u8 operands[] = {
		[IR_SHAPE_UN] = 1, [IR_SHAPE_CONV] = 1, [IR_SHAPE_FUN] = 1, [IR_SHAPE_FOFI] = 1, [IR_SHAPE_FTOI] = 1,
		[IR_SHAPE_FTOF] = 1, [IR_SHAPE_SEL] = 3, [IR_SHAPE_FTRI] = 3, [IR_SHAPE_FCLASS] = 1,
	};
	const u8 given = operands[ir_op_info[ins->op].shape], count = given ? given : 2;

	return ir_eval((IrOp)ins->op, ins->width, ir_width(e->func, ins->a), ins->aux, value(e, ins->a),
		       count > 1 ? value(e, ins->b) : 0, count > 2 ? value(e, ins->c) : 0);
}

/* The arguments of a JMP become parameters; all are read first. */
static u32 jump(JitEval *e, const IrIns *ins)
{
	const u32 to = e->func->blocks[ins->a].start;
	u64 arguments[JIT_EVAL_ARGS];

	if (ins->c > JIT_EVAL_ARGS)
		return IR_NONE;
	for (u32 i = 0; i < ins->c; i++)
		arguments[i] = value(e, e->func->pool[ins->b + i]);
	memcpy(e->values + to, arguments, ins->c * sizeof(u64));
	return to;
}

/* The call of the host. False: its answer is vcpu->exit. */
static bool call_host(JitEval *e, u32 at, u64 counted)
{
	const IrIns *ins = &e->func->ins[at];
	u64 arguments[JIT_EVAL_ARGS], result = 0;

	e->vcpu->slots[0] = e->pc;
	e->vcpu->icount += counted;
	for (u32 i = 0; i < ins->c; i++)
		arguments[i] = value(e, e->func->pool[ins->b + i]);
	if (e->env->host(e->env->ctx, e->vcpu, ins->aux, arguments, ins->c, &result) != ACCESS_OK)
		return false;
	e->vcpu->icount -= counted;
	e->values[at] = ins->width ? bits_trunc(result, ins->width) : 0;
	return true;
}

/* `result` as that operation gives it, width bits. */
static inline u64 cut(const IrIns *ins, u64 result)
{
	return result & ~(u64)0 >> (64 - ins->width);
}

/* What is usual of the pure operations is here, as `operate` says what it is; the rest is left to that. */
JitEvalResult jit_eval(JitEval *e)
{
	const IrFunc *func = e->func;
	const IrConst *consts = func->consts;
	u64 *values = e->values;
	Vcpu *vcpu = e->vcpu;
	u32 number = 0;

	for (u32 i = 0; i < func->ins_count; i++) {
		const IrIns *ins = &func->ins[i];
		u64 loaded, stored, a, b;
		u8 *at;

		switch (ins->op) {
		case IR_OP_INSN:
			e->pc = look(consts, values, ins->a);
			number = ins->b;
			break;
		case IR_OP_PARAM: case IR_OP_FENCE: /* one host thread at a time runs a machine */
			break;
		case IR_OP_GET:
			values[i] = ins->aux ? vcpu->slots[ins->aux] : e->pc;
			break;
		case IR_OP_PUT:
			vcpu->slots[ins->aux] = look(consts, values, ins->a);
			break;
		case IR_OP_LOAD:
			at = place(e, ins, look(consts, values, ins->a), ins->width, ATTR_PAGED_LOAD, ATTR_READ);
			if (!at)
				goto leave;
			loaded = 0;
			memcpy(&loaded, at, ins->width / 8);
			values[i] = loaded;
			break;
		case IR_OP_STORE:
			at = place(e, ins, look(consts, values, ins->a), ins->width, ATTR_PAGED_STORE, ATTR_WRITE);
			if (!at || goes_on(func, i))
				goto leave;
			stored = look(consts, values, ins->b);
			memcpy(at, &stored, ins->width / 8);
			break;
		case IR_OP_JMP:
			i = jump(e, ins);
			if (i == IR_NONE)
				goto leave;
			i--;
			break;
		case IR_OP_BR:
			i = func->blocks[look(consts, values, ins->a) ? ins->b : ins->c].start - 1;
			break;
		case IR_OP_GOTO:
			vcpu->slots[0] = look(consts, values, ins->a);
			vcpu->icount += number + 1;
			return JIT_EVAL_DONE;
		case IR_OP_HOST:
			if (!e->env)
				goto leave;
			if (!call_host(e, i, number))
				return JIT_EVAL_EXIT;
			break;
		case IR_OP_ADD:
			values[i] = cut(ins, look(consts, values, ins->a) + look(consts, values, ins->b));
			break;
		case IR_OP_SUB:
			values[i] = cut(ins, look(consts, values, ins->a) - look(consts, values, ins->b));
			break;
		case IR_OP_AND:
			values[i] = look(consts, values, ins->a) & look(consts, values, ins->b);
			break;
		case IR_OP_OR:
			values[i] = look(consts, values, ins->a) | look(consts, values, ins->b);
			break;
		case IR_OP_XOR:
			values[i] = look(consts, values, ins->a) ^ look(consts, values, ins->b);
			break;
		case IR_OP_SHL:
			b = look(consts, values, ins->b);
			values[i] = b < ins->width ? cut(ins, look(consts, values, ins->a) << b) : 0;
			break;
		case IR_OP_SHR:
			b = look(consts, values, ins->b);
			values[i] = b < ins->width ? look(consts, values, ins->a) >> b : 0;
			break;
		case IR_OP_ZX:
			values[i] = look(consts, values, ins->a);
			break;
		case IR_OP_SX:
			values[i] = cut(ins, (u64)bits_signed(look(consts, values, ins->a), ir_width(func, ins->a)));
			break;
		case IR_OP_EXTRACT:
			values[i] = cut(ins, look(consts, values, ins->a) >> ins->aux);
			break;
		case IR_OP_EQ:
			values[i] = look(consts, values, ins->a) == look(consts, values, ins->b);
			break;
		case IR_OP_NE:
			values[i] = look(consts, values, ins->a) != look(consts, values, ins->b);
			break;
		case IR_OP_LTU:
			values[i] = look(consts, values, ins->a) < look(consts, values, ins->b);
			break;
		case IR_OP_LTS:
			a = look(consts, values, ins->a), b = look(consts, values, ins->b);
			values[i] = bits_signed(a, ir_width(func, ins->a)) < bits_signed(b, ir_width(func, ins->a));
			break;
		default:
			if (!(ir_op_info[ins->op].effects & IR_EFFECT_PURE))
				goto leave;
			values[i] = operate(e, ins);
		}
	}
leave:
	vcpu->slots[0] = e->pc;
	vcpu->icount += number;
	return JIT_EVAL_LEFT;
}
