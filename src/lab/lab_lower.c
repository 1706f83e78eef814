/* SPDX-License-Identifier: MIT
 *
 * IR to lab operations, one for one. Each IR value gets a temporary of its own; a constant where no number fits is SET into
 * one first. Blocks stand in the order of the IR; jumps to blocks are patched at the end.
 */
#include "lab/lab_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

typedef struct Lower {
	const IrFunc *func;
	LabOp *ops;
	u16 *calls;
	u32 count, cap, call_count, call_cap;
	u32 temps;
	u16 *where;   /* per IR instruction */
	u32 *starts;  /* per IR block: its first operation */
	Status status;
} Lower;

static LabOp *emit(Lower *l, LabKind kind, unsigned width)
{
	if (l->count == l->cap) {
		u32 cap = l->cap ? l->cap * 2 : 64;
		LabOp *grown = realloc(l->ops, cap * sizeof *grown);

		if (!grown) {
			l->status = STATUS_NOMEM;
			l->count = 0; /* the caller sees status in the end */
			if (!l->cap)
				return NULL;
		} else {
			l->ops = grown;
			l->cap = cap;
		}
	}
	l->ops[l->count] = (LabOp){.kind = (u16)kind, .width = (u8)width};
	return &l->ops[l->count++];
}

static u16 new_temp(Lower *l)
{
	if (l->temps >= VCPU_TEMPS) {
		l->status = STATUS_TOO_BIG;
		return 0;
	}
	return (u16)l->temps++;
}

/* The temporary that holds `ref` when the operations emitted so far have run. */
static u16 use(Lower *l, IrRef ref)
{
	u64 value;
	LabOp *op;

	if (ref == IR_NONE || !ir_is_const(l->func, ref, &value)) {
		if (ref != IR_NONE)
			return l->where[ref];
		value = 0;
	}
	op = emit(l, LAB_OP_SET, 64);
	if (!op)
		return 0;
	op->imm = value;
	op->d = new_temp(l);
	return op->d;
}

static int plain_kind(IrOp op)
{
	switch (op) {
	case IR_OP_ADD: return LAB_OP_ADD_RR;
	case IR_OP_SUB: return LAB_OP_SUB_RR;
	case IR_OP_MUL: return LAB_OP_MUL_RR;
	case IR_OP_AND: return LAB_OP_AND_RR;
	case IR_OP_OR: return LAB_OP_OR_RR;
	case IR_OP_XOR: return LAB_OP_XOR_RR;
	case IR_OP_SHL: return LAB_OP_SHL_RR;
	case IR_OP_SHR: return LAB_OP_SHR_RR;
	case IR_OP_EQ: return LAB_OP_EQ_RR;
	case IR_OP_NE: return LAB_OP_NE_RR;
	case IR_OP_LTS: return LAB_OP_LTS_RR;
	case IR_OP_LES: return LAB_OP_LES_RR;
	case IR_OP_LTU: return LAB_OP_LTU_RR;
	case IR_OP_LEU: return LAB_OP_LEU_RR;
	default: return -1;
	}
}

/* Operations without effects: they make a value out of values. */
static void lower_pure(Lower *l, u32 at, const IrIns *ins)
{
	const u8 shape = ir_op_info[ins->op].shape;
	const unsigned floats = ir_float_operands((IrOp)ins->op);
	bool three = shape == IR_SHAPE_SEL || floats == 3;
	bool one = shape == IR_SHAPE_UN || shape == IR_SHAPE_CONV || floats == 1;
	int plain = plain_kind((IrOp)ins->op);
	u64 number = 0;
	bool has_number = plain >= 0 && ir_is_const(l->func, ins->b, &number);
	LabKind kind = LAB_OP_EVAL;
	u16 a = use(l, ins->a), b = one || has_number ? a : use(l, ins->b), c = three ? use(l, ins->c) : a;
	LabOp *op;

	if (plain >= 0)
		kind = (LabKind)(plain + has_number);
	else if (ins->op == IR_OP_ZX)
		kind = LAB_OP_MOVE;
	else if (ins->op == IR_OP_SX)
		kind = LAB_OP_SX;
	else if (ins->op == IR_OP_EXTRACT)
		kind = LAB_OP_EXTRACT;
	else if (ins->op == IR_OP_CONCAT)
		kind = LAB_OP_CONCAT;
	else if (ins->op == IR_OP_SEL)
		kind = LAB_OP_SEL;
	op = emit(l, kind, ins->width);
	if (!op)
		return;
	op->from = (u8)ir_width(l->func, ins->a);
	op->a = a;
	op->b = b;
	op->c = c;
	op->aux = ins->aux;
	op->imm = kind == LAB_OP_EVAL ? ins->op : kind == LAB_OP_CONCAT ? ir_width(l->func, ins->b) : number;
	op->d = l->where[at] = new_temp(l);
}

static void lower_host(Lower *l, u32 at, const IrIns *ins)
{
	u32 first = l->call_count;
	LabOp *op;

	if (l->call_count + ins->c > l->call_cap) {
		u32 cap = (l->call_count + ins->c) * 2;
		u16 *grown = realloc(l->calls, cap * sizeof *grown);

		if (!grown) {
			l->status = STATUS_NOMEM;
			return;
		}
		l->calls = grown;
		l->call_cap = cap;
	}
	for (u32 i = 0; i < ins->c; i++) {
		u16 arg = use(l, l->func->pool[ins->b + i]);

		l->calls[l->call_count++] = arg;
	}
	op = emit(l, LAB_OP_HOST, ins->width);
	if (!op)
		return;
	op->aux = ins->aux;
	op->imm = (u64)ins->c << 32 | first;
	op->d = l->where[at] = new_temp(l);
}

/* Arguments move in parallel: all are read before the first parameter is written. */
static void lower_jump(Lower *l, const IrIns *ins)
{
	u32 target = l->func->blocks[ins->a].start;
	u16 from[64];
	LabOp *op;

	if (ins->c > 64) {
		l->status = STATUS_TOO_BIG;
		return;
	}
	for (u32 i = 0; i < ins->c; i++) {
		from[i] = use(l, l->func->pool[ins->b + i]);
		if (ins->c > 1 && (op = emit(l, LAB_OP_MOVE, 64))) {
			op->a = from[i];
			op->d = from[i] = new_temp(l);
		}
	}
	for (u32 i = 0; i < ins->c; i++)
		if ((op = emit(l, LAB_OP_MOVE, 64))) {
			op->a = from[i];
			op->d = l->where[target + i];
		}
	if ((op = emit(l, LAB_OP_JUMP, 0)))
		op->imm = ins->a;
}

static void lower_ins(Lower *l, u32 at)
{
	const IrIns *ins = &l->func->ins[at];
	bool handler = l->func->kind == IR_FUNC_HANDLER;
	LabOp *op;
	u16 a, b;

	switch ((IrOp)ins->op) {
	case IR_OP_ARG:   /* in the first temporaries, see lab_lower */
	case IR_OP_PARAM: /* likewise given before */
	case IR_OP_INSN:
		return;
	case IR_OP_GET:
		if ((op = emit(l, LAB_OP_GET, ins->width))) {
			op->aux = ins->aux;
			op->d = l->where[at] = new_temp(l);
		}
		return;
	case IR_OP_PUT:
		a = use(l, ins->a);
		if ((op = emit(l, LAB_OP_PUT, ins->width))) {
			op->aux = ins->aux;
			op->a = a;
		}
		return;
	case IR_OP_LOAD:
		a = use(l, ins->a);
		if ((op = emit(l, LAB_OP_LOAD, ins->width))) {
			op->aux = ins->aux;
			op->a = a;
			op->d = l->where[at] = new_temp(l);
		}
		return;
	case IR_OP_STORE:
		a = use(l, ins->a);
		b = use(l, ins->b);
		if ((op = emit(l, LAB_OP_STORE, ins->width))) {
			op->aux = ins->aux;
			op->a = a;
			op->b = b;
		}
		return;
	case IR_OP_HOST:
		lower_host(l, at, ins);
		return;
	case IR_OP_JMP:
		lower_jump(l, ins);
		return;
	case IR_OP_BR:
		a = use(l, ins->a);
		if ((op = emit(l, LAB_OP_BRANCH, 0))) {
			op->a = a;
			op->imm = ins->b | (u64)ins->c << 32;
		}
		return;
	case IR_OP_GOTO: case IR_OP_RAISE: case IR_OP_STOP: case IR_OP_RET: {
		LabKind kind = ins->op == IR_OP_RET ? LAB_OP_RET
			     : ins->op == IR_OP_GOTO ? (handler ? LAB_OP_HANDLER_GOTO : LAB_OP_GOTO)
			     : ins->op == IR_OP_RAISE ? (handler ? LAB_OP_HANDLER_RAISE : LAB_OP_RAISE)
						      : (handler ? LAB_OP_HANDLER_STOP : LAB_OP_STOP);
		a = use(l, ins->a);
		if ((op = emit(l, kind, 0)))
			op->a = a;
		return;
	}
	case IR_OP_FENCE:
		return;
	case IR_OP_RMW: case IR_OP_CAS: /* no machine of the lab has them */
		l->status = STATUS_INVALID;
		return;
	case IR_OP_ILLEGAL:
		emit(l, LAB_OP_ILLEGAL, 0);
		return;
	default:
		lower_pure(l, at, ins);
	}
}

static void lower_all(Lower *l)
{
	const IrFunc *func = l->func;

	l->temps = func->args; /* ARG i lies in temporary i */
	for (u32 b = 0; b < func->block_count && !l->status; b++)
		for (u32 i = func->blocks[b].start; i < func->blocks[b].end; i++) {
			if (func->ins[i].op == IR_OP_ARG)
				l->where[i] = func->ins[i].aux;
			if (func->ins[i].op == IR_OP_PARAM)
				l->where[i] = new_temp(l);
		}
	/* Control goes forward in ins[], so blocks are taken in the order of their places there. */
	for (u32 i = 0, b = 0; i < func->ins_count && !l->status; i++) {
		for (b = 0; b < func->block_count; b++)
			if (func->blocks[b].begun && func->blocks[b].start == i && func->blocks[b].end > i)
				l->starts[b] = l->count;
		lower_ins(l, i);
	}
	for (u32 i = 0; i < l->count && !l->status; i++) {
		LabOp *op = &l->ops[i];

		if (op->kind == LAB_OP_JUMP)
			op->imm = l->starts[op->imm];
		else if (op->kind == LAB_OP_BRANCH)
			op->imm = l->starts[(u32)op->imm] | (u64)l->starts[op->imm >> 32] << 32;
	}
}

LabCode *lab_lower(const IrFunc *func, const void *const *handlers, Status *status)
{
	Lower l = {.func = func};
	LabCode *code = NULL;

	l.where = calloc(func->ins_count + 1, sizeof *l.where);
	l.starts = calloc(func->block_count + 1, sizeof *l.starts);
	if (!l.where || !l.starts)
		l.status = STATUS_NOMEM;
	else
		lower_all(&l);
	if (!l.status) {
		size_t bytes = sizeof *code + l.count * sizeof(LabOp);

		code = calloc(1, bytes + l.call_count * sizeof(u16));
		if (!code)
			l.status = STATUS_NOMEM;
		else {
			memcpy(code->ops, l.ops, l.count * sizeof(LabOp));
			code->calls = (u16 *)(void *)((u8 *)code + bytes);
			if (l.call_count)
				memcpy(code->calls, l.calls, l.call_count * sizeof(u16));
			code->count = l.count;
			code->temps = l.temps;
			for (u32 i = 0; handlers && i < l.count; i++)
				code->ops[i].handler = handlers[code->ops[i].kind];
		}
	}
	free(l.where);
	free(l.starts);
	free(l.ops);
	free(l.calls);
	*status = l.status;
	return code;
}
