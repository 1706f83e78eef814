/* SPDX-License-Identifier: MIT
 *
 * Instructions done where they stand: decoded, and their trees walked with what registers and memory hold. For code that runs once
 * that takes a quarter of what making IR of it takes (isa_lift.c), which is what says what a tree means: here it is the same for
 * what is known, and nothing else. What this does not do (calls of the host, raise, atomic accesses, floats, an access that is not
 * plain, and whatever description it meets that asks for more) it leaves undone and says so, with the state at the start of that
 * instruction: registers are written and the one store is made when all of it has been looked at.
 */
#include <string.h>

#include "base/bits.h"
#include "isa/isa.h"
#include "isa/rtl.h"

enum { VARS = 192, WRITES = 12, DEPTH = 24, ARGS = 16 };

typedef struct Write {
	u32 slot;
	u64 value;
} Write;

typedef struct Walk {
	const IsaWalk *in;
	const Isa *isa;
	const IsaDecoded *decoded;
	u64 pc, next;
	u64 *vars;      /* of the current body: in `room` */
	Write writes[WRITES];
	u32 write_count;
	u8 *store;      /* where to; NULL: nothing is stored */
	u64 stored;
	u32 store_bytes;
	bool jumps;
	u8 flow;
	u64 target;
	u32 used, depth; /* of room; bodies within each other */
	bool failed, floats; /* floats: because of one */
	u64 room[VARS];
} Walk;

static u64 eval(Walk *w, const RtlExpr *e);
static void run(Walk *w, const RtlStmt *s);

static u64 fail(Walk *w)
{
	w->failed = true;
	return 0;
}

/* ---- Registers ---- */

static u64 read_slot(Walk *w, u32 slot)
{
	for (u32 i = 0; i < w->write_count; i++)
		if (w->writes[i].slot == slot)
			return w->writes[i].value;
	return slot ? w->in->slots[slot] : w->pc;
}

static void write_slot(Walk *w, u32 slot, u64 value)
{
	u32 i = 0;

	while (i < w->write_count && w->writes[i].slot != slot)
		i++;
	if (i == WRITES || !slot) {
		fail(w);
		return;
	}
	w->write_count += i == w->write_count;
	w->writes[i] = (Write){slot, value};
}

/* The element that is meant; false: there is none. */
static bool find_register(Walk *w, const RtlExpr *e, const IsaReg **reg, u64 *element)
{
	if (e->kind == RTL_REGFIELD) {
		const IsaField *field = &w->isa->fields[w->decoded->insn->fields[e->index].field];

		*reg = &w->isa->regs[field->reg];
		*element = field->reg_from + isa_field_value(w->isa, w->decoded, e->index);
	} else {
		*reg = &w->isa->regs[e->index];
		*element = e->a ? eval(w, e->a) : 0;
	}
	return *element < (*reg)->count;
}

static u64 read_register(Walk *w, const RtlExpr *e)
{
	const IsaReg *r;
	u64 element;

	if (!find_register(w, e, &r, &element))
		return 0;
	if (r->const_mask && r->const_mask[element])
		return bits_trunc(r->const_values[element], r->width);
	return read_slot(w, r->slot + (u32)element);
}

static void write_register(Walk *w, const RtlExpr *e, u64 value)
{
	const IsaReg *r;
	u64 element;

	if (!find_register(w, e, &r, &element) || (r->const_mask && r->const_mask[element]))
		return;
	if (r->context || r->irq) /* more than a register: what comes next depends on it */
		fail(w);
	write_slot(w, r->slot + (u32)element, value);
}

/* ---- Bodies ---- */

static u64 call(Walk *w, const RtlBody *body, const u64 *args, u32 argc)
{
	u64 *saved = w->vars, result = 0;

	if (w->depth == DEPTH || body->var_count > VARS - w->used)
		return fail(w);
	w->depth++;
	w->vars = w->room + w->used;
	w->used += body->var_count;
	for (u32 i = 0; i < body->var_count; i++)
		w->vars[i] = i < argc ? args[i] : 0;
	if (body->value)
		result = eval(w, body->value);
	else
		run(w, body->stmts);
	if (!body->value && body->result_var != ISA_NONE)
		result = w->vars[body->result_var];
	w->used -= body->var_count;
	w->vars = saved;
	w->depth--;
	return result;
}

static u64 call_function(Walk *w, const RtlExpr *e)
{
	u64 args[ARGS];

	if (e->argc > ARGS)
		return fail(w);
	for (u32 i = 0; i < e->argc; i++)
		args[i] = eval(w, e->args[i]);
	return call(w, &w->isa->funcs[e->index].body, args, e->argc);
}

/* ---- Expressions ---- */

static u64 load(Walk *w, const RtlExpr *e)
{
	const u64 address = eval(w, e->a);
	const u8 *at = w->failed || w->store ? NULL : w->in->place(w->in->ctx, e->index, address, e->width, false);
	u64 value = 0;

	if (!at)
		return fail(w);
	memcpy(&value, at, e->width / 8);
	return value;
}

static u64 field_number(const Walk *w, const RtlExpr *e)
{
	const IsaField *field = &w->isa->fields[w->decoded->insn->fields[e->index].field];

	return isa_field_value(w->isa, w->decoded, e->index) + (field->kind == ISA_FIELD_REG ? field->reg_from : 0);
}

static u64 operate(Walk *w, const RtlExpr *e)
{
	const u64 a = eval(w, e->a), b = e->b ? eval(w, e->b) : 0;
	const unsigned from = e->a->width;

	return ir_eval((IrOp)e->irop, ir_op_info[e->irop].shape == IR_SHAPE_CMP ? 1 : from, from, 0, a, b, 0);
}

static inline __attribute__((always_inline)) u64 eval_inner(Walk *w, const RtlExpr *e)
{
	u64 a;

	switch ((RtlKind)e->kind) {
	case RTL_NUM:
		return e->value;
	case RTL_FIELD:
		return isa_field_value(w->isa, w->decoded, e->index);
	case RTL_FIELDNUM:
		return field_number(w, e);
	case RTL_TARGET:
		return isa_target(w->isa, w->decoded->insn, e->index, w->pc, isa_field_value(w->isa, w->decoded, e->index));
	case RTL_REGFIELD: case RTL_REG:
		return read_register(w, e);
	case RTL_VIEW:
		return call(w, w->isa->views[e->index].get, NULL, 0);
	case RTL_VAR:
		return w->vars[e->index];
	case RTL_PC:
		return w->pc;
	case RTL_NEXT:
		return w->next;
	case RTL_MEM:
		return load(w, e);
	case RTL_BIN: case RTL_UN:
		return operate(w, e);
	case RTL_NEG:
		return 0 - eval(w, e->a);
	case RTL_NOT: case RTL_LNOT:
		return ~eval(w, e->a);
	case RTL_LAND:
		return eval(w, e->a) ? eval(w, e->b) : 0;
	case RTL_LOR:
		return eval(w, e->a) ? 1 : eval(w, e->b);
	case RTL_COND:
		return eval(w, eval(w, e->a) ? e->b : e->c);
	case RTL_SLICE:
		return eval(w, e->a) >> e->index2;
	case RTL_BIT:
		a = eval(w, e->a);
		return ir_eval(IR_OP_SHR, e->a->width, e->a->width, 0, a, eval(w, e->b), 0);
	case RTL_SX:
		return (u64)bits_signed(eval(w, e->a), e->a->width);
	case RTL_ZX:
		return eval(w, e->a);
	case RTL_CONCAT:
		a = eval(w, e->a);
		return a << e->b->width | eval(w, e->b);
	case RTL_CALL:
		return call_function(w, e);
	case RTL_FENCE: /* one host thread at a time runs a machine */
		return 0;
	case RTL_FLOAT:
		w->floats = true;
		break;
	case RTL_ATOMIC: case RTL_TABLE: case RTL_HOST:
		break;
	}
	return fail(w);
}

static u64 eval(Walk *w, const RtlExpr *e)
{
	u64 value;

	if (w->failed)
		return 0;
	value = eval_inner(w, e);
	return e->width ? bits_trunc(value, e->width) : value;
}

/* ---- Statements ---- */

static void store(Walk *w, const RtlExpr *lhs, u64 value)
{
	const u64 address = eval(w, lhs->a);

	w->store = w->failed || w->store ? NULL : w->in->place(w->in->ctx, lhs->index, address, lhs->width, true);
	if (!w->store)
		fail(w);
	w->stored = value;
	w->store_bytes = lhs->width / 8;
}

static void assign(Walk *w, const RtlExpr *lhs, u64 value)
{
	switch (lhs->kind) {
	case RTL_VAR:
		w->vars[lhs->index] = value;
		break;
	case RTL_REG: case RTL_REGFIELD:
		write_register(w, lhs, value);
		break;
	case RTL_PC:
		w->jumps = true;
		w->target = value;
		w->flow = IR_FLOW_JUMP;
		break;
	case RTL_MEM:
		store(w, lhs, value);
		break;
	case RTL_VIEW:
		call(w, w->isa->views[lhs->index].set, &value, 1);
		break;
	default:
		fail(w);
	}
}

static void run(Walk *w, const RtlStmt *s)
{
	for (; s && !w->failed; s = s->next)
		switch (s->kind) {
		case RTL_ASSIGN:
			if (s->lhs)
				assign(w, s->lhs, eval(w, s->rhs));
			break;
		case RTL_IF:
			run(w, eval(w, s->cond) ? s->yes : s->no);
			break;
		case RTL_JUMP:
			w->target = eval(w, s->rhs);
			w->jumps = true;
			w->flow = s->flow;
			break;
		case RTL_DO:
			eval(w, s->rhs);
			break;
		default:
			fail(w);
		}
}

/* ---- Instructions ---- */

static void commit(Walk *w)
{
	if (w->store)
		memcpy(w->store, &w->stored, w->store_bytes);
	for (u32 i = 0; i < w->write_count; i++)
		w->in->slots[w->writes[i].slot] = w->writes[i].value;
}

/* The instruction at w->pc. False: nothing of it was done. */
static bool walk(Walk *w)
{
	const RtlBody *body = w->decoded->insn->body;

	w->vars = w->room;
	w->write_count = w->depth = 0;
	w->store = NULL;
	w->jumps = w->failed = w->floats = false;
	if (body->var_count > VARS)
		return false;
	w->used = body->var_count;
	memset(w->room, 0, body->var_count * sizeof *w->room);
	run(w, body->stmts);
	if (w->failed)
		return false;
	commit(w);
	return true;
}

/* The first bits of code that lies there. */
static u64 code_word(const u8 *at, u32 bytes)
{
	u64 word = 0;

	if (bytes == 4)
		return (u64)at[0] | (u64)at[1] << 8 | (u64)at[2] << 16 | (u64)at[3] << 24;
	for (u32 i = 0; i < bytes; i++)
		word |= (u64)at[i] << i * 8;
	return word;
}

bool isa_can_walk(const Isa *isa)
{
	for (u32 i = 0; i < isa->handler_count; i++)
		if (isa->handlers[i].kind == ISA_ON_FETCH)
			return false;
	return isa->parcel_bits == 16 && isa->parcel_cells == 2 && isa->max_bits <= 64 && isa->cycles_reg == ISA_NONE;
}

IsaWalked isa_walk(const IsaWalk *in, u64 pc, u32 most)
{
	const u32 longest = in->isa->max_bits / 8;
	IsaWalked out = {.pc = pc};
	IsaDecoded decoded;
	const u8 *code = NULL;
	Walk w;
	u32 left = 0;

	w.in = in;
	w.isa = in->isa;
	w.decoded = &decoded;
	while (out.insns < most && !out.ended) {
		*in->done = out.insns;
		out.left = true;
		if (left < longest)
			code = in->code_at(in->ctx, out.pc, &left);
		if (!code || left < longest)
			break;
		isa_decode_word(in->isa, code_word(code, longest), &decoded);
		if (!decoded.insn)
			break;
		w.pc = out.pc;
		w.next = bits_trunc(out.pc + decoded.cells, in->isa->pc_width);
		if (!walk(&w)) {
			out.floats = w.floats;
			break;
		}
		code += decoded.cells;
		left -= decoded.cells;
		out.left = false;
		out.insns++;
		out.pc = w.jumps ? w.target : w.next;
		out.flow = w.jumps ? w.flow : IR_FLOW_NEXT;
		out.ended = w.jumps || (decoded.insn->body->effects & RTL_JUMPS);
	}
	return out;
}
