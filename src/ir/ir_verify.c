/* SPDX-License-Identifier: MIT
 *
 * Checks the numbered invariants of ir.h in one pass over the blocks in the order they stand. Because control goes
 * forward only (6), all predecessors of a block are done when it is reached: immediate dominator, number of the
 * running guest instruction and the slots PUT in it so far all come from one meet over the incoming edges.
 *
 * A block without an edge into it is unreachable: its shapes are checked, paths through it are not.
 */
#define _GNU_SOURCE /* qsort_r */
#include "ir/ir_private.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NO_NUMBER 0xFFFFFFFFu /* no guest instruction has begun: one less than the first, 0 */

typedef struct BlockState {
	u32 idom;       /* immediate dominator (block number); itself for the entry */
	u32 depth;      /* in the dominator tree */
	u32 edges;      /* into it */
	u32 number;     /* guest instruction running at its start, later: at its end */
	bool reachable;
	bool put;       /* some slot was PUT since INSN on a path here; later: at its end */
	bool by_branch; /* some edge into it is an arm of BR */
} BlockState;

typedef struct Verifier {
	const IrFunc *func;
	Buf *why;
	BlockState *blocks;
	u32 *order;       /* begun blocks by position */
	u32 order_count;
	u32 *owner;       /* block of each instruction */
	u64 *puts;        /* per block a bitmap: slots PUT since INSN */
	size_t put_words; /* u64 per block */
	bool good;
} Verifier;

static void complain(Verifier *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void complain(Verifier *v, const char *format, ...)
{
	va_list args;

	v->good = false;
	if (!v->why || v->why->len > 4096)
		return;
	va_start(args, format);
	buf_vprintf(v->why, format, args);
	va_end(args);
	buf_byte(v->why, '\n');
}

/* ---- Layout: blocks are contiguous runs, each ended by its only END op ---- */

static int by_start(const void *a, const void *b, void *ctx)
{
	const IrFunc *func = ctx;
	u32 x = func->blocks[*(const u32 *)a].start, y = func->blocks[*(const u32 *)b].start;

	return x < y ? -1 : x > y;
}

static bool check_layout(Verifier *v)
{
	const IrFunc *func = v->func;
	u32 at = 0;

	for (u32 b = 0; b < func->block_count; b++)
		if (func->blocks[b].begun)
			v->order[v->order_count++] = b;
	qsort_r(v->order, v->order_count, sizeof(u32), by_start, (void *)(uintptr_t)func);
	if (!v->order_count || v->order[0] != 0)
		complain(v, "block 0 does not come first");
	for (u32 i = 0; i < v->order_count; i++) {
		const IrBlock *block = &func->blocks[v->order[i]];

		if (block->start != at || block->end <= block->start || block->end > func->ins_count) {
			complain(v, "block %u is empty or not contiguous", v->order[i]);
			return false;
		}
		for (; at < block->end; at++) {
			if (func->ins[at].op >= IR_OP_COUNT) {
				complain(v, "%%%u: no such operation", at);
				return false;
			}
			v->owner[at] = v->order[i];
			if (!!(ir_op_info[func->ins[at].op].effects & IR_EFFECT_END) != (at + 1 == block->end))
				complain(v, "%%%u: block %u must end in exactly one END operation", at, v->order[i]);
		}
	}
	if (at != func->ins_count)
		complain(v, "instructions outside of any block");
	return v->good;
}

/* ---- Shapes: refs exist, are values, and have the widths that the op demands ---- */

/* Width of a ref, 0 after a complaint. */
static unsigned value_width(Verifier *v, u32 at, IrRef ref)
{
	const IrIns *ins;
	unsigned width = 0;

	if (ref != IR_NONE && (ref & IR_CONST_BIT)) {
		if ((ref & ~IR_CONST_BIT) < v->func->const_count)
			width = v->func->consts[ref & ~IR_CONST_BIT].width;
	} else if ((ins = ir_def(v->func, ref))) {
		if (ins->op != IR_OP_PUT && ins->op != IR_OP_STORE && ins->op != IR_OP_RET)
			width = ins->width;
	}
	if (!width)
		complain(v, "%%%u: operand is no value", at);
	return width;
}

static void want_width(Verifier *v, u32 at, IrRef ref, unsigned width)
{
	unsigned is = value_width(v, at, ref);

	if (is && is != width)
		complain(v, "%%%u: operand has width %u, not %u", at, is, width);
}

static bool check_pool(Verifier *v, u32 at, const IrIns *ins)
{
	if ((u64)ins->b + ins->c > v->func->pool_count) {
		complain(v, "%%%u: arguments outside the pool", at);
		return false;
	}
	for (u32 i = 0; i < ins->c; i++)
		value_width(v, at, v->func->pool[ins->b + i]);
	return true;
}

/* 6 and the half of 2 that concerns targets; counts the edge. */
static bool check_edge(Verifier *v, u32 at, u32 target)
{
	const IrFunc *func = v->func;

	if (target >= func->block_count || !func->blocks[target].begun) {
		complain(v, "%%%u: goes to a block that does not exist", at);
		return false;
	}
	if (func->blocks[target].start <= at) {
		complain(v, "%%%u: goes backward", at);
		return false;
	}
	v->blocks[target].edges++;
	return true;
}

static void check_jmp(Verifier *v, u32 at, const IrIns *ins)
{
	const IrBlock *target;

	if (!check_pool(v, at, ins) || !check_edge(v, at, ins->a))
		return;
	target = &v->func->blocks[ins->a];
	if (target->params != ins->c) {
		complain(v, "%%%u: %u arguments for %u parameters", at, ins->c, target->params);
		return;
	}
	for (u32 i = 0; i < ins->c && target->start + i < target->end; i++)
		want_width(v, at, v->func->pool[ins->b + i], v->func->ins[target->start + i].width);
}

static void check_br(Verifier *v, u32 at, const IrIns *ins)
{
	want_width(v, at, ins->a, 1);
	for (int i = 0; i < 2; i++) {
		u32 target = i ? ins->c : ins->b;

		if (!check_edge(v, at, target))
			continue;
		v->blocks[target].by_branch = true;
		if (v->func->blocks[target].params)
			complain(v, "%%%u: branches to a block with parameters", at);
	}
}

static void check_leaf(Verifier *v, u32 at, const IrIns *ins)
{
	const IrBlock *block = &v->func->blocks[v->owner[at]];

	if (ins->op == IR_OP_ARG && (v->func->kind != IR_FUNC_HANDLER || ins->aux >= v->func->args))
		complain(v, "%%%u: no such argument", at);
	if (ins->op == IR_OP_PARAM && (at - block->start != ins->aux || ins->aux >= block->params))
		complain(v, "%%%u: parameter out of place", at);
}

static void check_mark(Verifier *v, u32 at, const IrIns *ins)
{
	if (v->func->kind != IR_FUNC_BLOCK)
		complain(v, "%%%u: INSN in a handler", at);
	if (!ir_is_const(v->func, ins->a, NULL))
		complain(v, "%%%u: pc is not constant", at);
}

static void check_conv(Verifier *v, u32 at, const IrIns *ins)
{
	unsigned from = value_width(v, at, ins->a);

	if (!from)
		return;
	if (ins->op == IR_OP_EXTRACT ? ins->aux + ins->width > from : ins->width < from)
		complain(v, "%%%u: impossible conversion from width %u to %u", at, from, ins->width);
}

/* Floats have 32 or 64 bits. */
static void check_float(Verifier *v, u32 at, const IrIns *ins)
{
	unsigned from = value_width(v, at, ins->a), shape = ir_op_info[ins->op].shape;
	bool from_float = shape != IR_SHAPE_FOFI, flags = ins->aux & IR_FLOAT_FLAGS;
	bool to_float = shape != IR_SHAPE_FTOI && shape != IR_SHAPE_FCMP && shape != IR_SHAPE_FCLASS;
	unsigned above = ins->aux >> IR_FLOAT_WIDTH_SHIFT, to = flags ? above : ins->width;
	unsigned round = ins->aux & IR_FLOAT_ROUND;

	if ((from_float && from && from != 32 && from != 64) || (to_float && to != 32 && to != 64) || !to || to > 64 ||
	    (shape == IR_SHAPE_FCMP && to != 1) || (shape == IR_SHAPE_FTOF && from == to) ||
	    (shape == IR_SHAPE_FCLASS && (to != 10 || flags)))
		complain(v, "%%%u: impossible float widths %u, %u", at, from, to);
	if (flags && ins->width != 5)
		complain(v, "%%%u: flags have 5 bits, not %u", at, ins->width);
	if (round >= IR_ROUND_COUNT || (round && !ir_float_rounds((IrOp)ins->op, to)) || (ins->aux & 0xF0) || (!flags && above))
		complain(v, "%%%u: rounding 0x%x", at, ins->aux);
	if ((shape == IR_SHAPE_FUN || shape == IR_SHAPE_FBIN || shape == IR_SHAPE_FTRI) && to <= 64 && to)
		want_width(v, at, ins->a, to);
	if (ir_float_operands((IrOp)ins->op) > 1 && from)
		want_width(v, at, ins->b, from);
	if (ir_float_operands((IrOp)ins->op) > 2 && from)
		want_width(v, at, ins->c, from);
}

static void check_shape(Verifier *v, u32 at)
{
	const IrIns *ins = &v->func->ins[at];
	unsigned shape = ir_op_info[ins->op].shape, a, b;
	bool no_value = ins->op == IR_OP_HOST || shape == IR_SHAPE_RET || shape == IR_SHAPE_MARK || shape == IR_SHAPE_FENCE ||
			(ir_op_info[ins->op].effects & IR_EFFECT_END);

	if (ins->width > 64 || (!ins->width && !no_value)) {
		complain(v, "%%%u: width %u", at, ins->width);
		return;
	}
	switch (shape) {
	case IR_SHAPE_LEAF: check_leaf(v, at, ins); break;
	case IR_SHAPE_UN0:
		if (ins->op == IR_OP_PUT)
			want_width(v, at, ins->a, ins->width);
		else
			value_width(v, at, ins->a);
		break;
	case IR_SHAPE_BIN:
		want_width(v, at, ins->a, ins->width);
		want_width(v, at, ins->b, ins->width);
		break;
	case IR_SHAPE_SHIFT:
		want_width(v, at, ins->a, ins->width);
		value_width(v, at, ins->b);
		break;
	case IR_SHAPE_UN: want_width(v, at, ins->a, ins->width); break;
	case IR_SHAPE_CONV: check_conv(v, at, ins); break;
	case IR_SHAPE_CAT:
		a = value_width(v, at, ins->a);
		b = value_width(v, at, ins->b);
		if (a && b && a + b != ins->width)
			complain(v, "%%%u: widths %u and %u do not add up to %u", at, a, b, ins->width);
		break;
	case IR_SHAPE_CMP:
		a = value_width(v, at, ins->a);
		if (a)
			want_width(v, at, ins->b, a);
		if (ins->width != 1)
			complain(v, "%%%u: a compare has width 1", at);
		break;
	case IR_SHAPE_SEL:
		want_width(v, at, ins->a, 1);
		want_width(v, at, ins->b, ins->width);
		want_width(v, at, ins->c, ins->width);
		break;
	case IR_SHAPE_FUN: case IR_SHAPE_FBIN: case IR_SHAPE_FTRI: case IR_SHAPE_FCMP: case IR_SHAPE_FOFI:
	case IR_SHAPE_FTOI: case IR_SHAPE_FTOF: case IR_SHAPE_FCLASS:
		check_float(v, at, ins);
		break;
	case IR_SHAPE_LOAD: value_width(v, at, ins->a); break;
	case IR_SHAPE_STORE:
		value_width(v, at, ins->a);
		want_width(v, at, ins->b, ins->width);
		break;
	case IR_SHAPE_RMW: case IR_SHAPE_CAS:
		value_width(v, at, ins->a);
		want_width(v, at, ins->b, ins->width);
		if (shape == IR_SHAPE_CAS)
			want_width(v, at, ins->c, ins->width);
		if (ir_atomic_kind(ins) >= IR_RMW_COUNT)
			complain(v, "%%%u: no such atomic operation", at);
		break;
	case IR_SHAPE_HOST: check_pool(v, at, ins); break;
	case IR_SHAPE_MARK: check_mark(v, at, ins); break;
	case IR_SHAPE_JMP: check_jmp(v, at, ins); break;
	case IR_SHAPE_BR: check_br(v, at, ins); break;
	case IR_SHAPE_NONE:
		if (v->func->kind != IR_FUNC_BLOCK)
			complain(v, "%%%u: ILLEGAL in a handler", at);
		break;
	case IR_SHAPE_RET:
		if (v->func->kind != IR_FUNC_HANDLER)
			complain(v, "%%%u: RET in a guest block", at);
		if (ins->a != IR_NONE)
			want_width(v, at, ins->a, ins->width);
		break;
	default: break;
	}
}

static void check_entries(Verifier *v)
{
	const IrFunc *func = v->func;

	for (u32 i = 0; i < v->order_count; i++) {
		u32 b = v->order[i];
		const IrBlock *block = &func->blocks[b];
		u32 params = 0;

		while (block->start + params < block->end && func->ins[block->start + params].op == IR_OP_PARAM)
			params++;
		if (params != block->params || (b == 0 && params))
			complain(v, "block %u: has %u parameters, says %u", b, params, block->params);
		if (v->blocks[b].by_branch && v->blocks[b].edges != 1)
			complain(v, "block %u: entered by a branch and by another edge", b);
	}
}

/* ---- Paths: dominance (1), PUTs last (3), GETs first (4), numbers (5) ---- */

static u32 common_dominator(const Verifier *v, u32 a, u32 b)
{
	while (a != b) {
		if (v->blocks[a].depth < v->blocks[b].depth)
			b = v->blocks[b].idom;
		else
			a = v->blocks[a].idom;
	}
	return a;
}

static void flow_into(Verifier *v, u32 from, u32 to)
{
	BlockState *source = &v->blocks[from], *target = &v->blocks[to];

	if (!target->reachable) {
		target->reachable = true;
		target->idom = from;
		target->depth = source->depth + 1;
		target->number = source->number;
	} else {
		target->idom = common_dominator(v, target->idom, from);
		target->depth = v->blocks[target->idom].depth + 1;
		if (target->number != source->number)
			complain(v, "block %u: paths into it are in different guest instructions", to);
	}
	target->put |= source->put;
	for (size_t w = 0; w < v->put_words; w++)
		v->puts[to * v->put_words + w] |= v->puts[from * v->put_words + w];
}

static void check_use(Verifier *v, u32 at, IrRef ref)
{
	u32 here = v->owner[at], there;

	if (ref & IR_CONST_BIT)
		return;
	there = v->owner[ref];
	if (there == here) {
		if (ref >= at)
			complain(v, "%%%u: uses %%%u before it is made", at, ref);
		return;
	}
	while (v->blocks[here].depth > v->blocks[there].depth)
		here = v->blocks[here].idom;
	if (here != there || !v->blocks[there].reachable)
		complain(v, "%%%u: uses %%%u, which does not dominate it", at, ref);
}

static void check_uses(Verifier *v, u32 at)
{
	const IrIns *ins = &v->func->ins[at];
	unsigned shape = ir_op_info[ins->op].shape;

	if (shape == IR_SHAPE_HOST || shape == IR_SHAPE_JMP) {
		for (u32 i = 0; i < ins->c; i++)
			check_use(v, at, v->func->pool[ins->b + i]);
		return;
	}
	if (shape == IR_SHAPE_LEAF || shape == IR_SHAPE_NONE || shape == IR_SHAPE_FENCE)
		return;
	check_use(v, at, ins->a);
	if (shape == IR_SHAPE_BIN || shape == IR_SHAPE_SHIFT || shape == IR_SHAPE_CAT || shape == IR_SHAPE_CMP ||
	    shape == IR_SHAPE_SEL || shape == IR_SHAPE_STORE || shape == IR_SHAPE_RMW || shape == IR_SHAPE_CAS || ir_float_operands((IrOp)ins->op) > 1)
		check_use(v, at, ins->b);
	if (shape == IR_SHAPE_SEL || shape == IR_SHAPE_CAS || ir_float_operands((IrOp)ins->op) > 2)
		check_use(v, at, ins->c);
}

static void check_order(Verifier *v, u32 at, BlockState *state, u64 *puts)
{
	const IrIns *ins = &v->func->ins[at];
	u64 bit = (u64)1 << (ins->aux & 63);

	if (ins->op == IR_OP_INSN) {
		if (ins->b != state->number + 1)
			complain(v, "%%%u: guest instruction %u after %d", at, ins->b, (int)state->number);
		state->number = ins->b;
		state->put = false;
		memset(puts, 0, v->put_words * sizeof(u64));
		return;
	}
	if (state->number == NO_NUMBER)
		complain(v, "%%%u: comes before the first INSN", at);
	if (state->put && (ir_op_info[ins->op].effects & IR_EFFECT_EXIT))
		complain(v, "%%%u: can leave the instruction after a PUT", at);
	if (ins->op == IR_OP_PUT) {
		state->put = true;
		puts[ins->aux / 64] |= bit;
	} else if (ins->op == IR_OP_GET && ins->aux / 64 < v->put_words && (puts[ins->aux / 64] & bit)) {
		complain(v, "%%%u: reads a slot that this instruction has PUT", at);
	}
}

static void check_paths(Verifier *v)
{
	const IrFunc *func = v->func;

	v->blocks[0].reachable = true;
	v->blocks[0].number = NO_NUMBER;
	for (u32 i = 0; i < v->order_count; i++) {
		u32 b = v->order[i];
		const IrBlock *block = &func->blocks[b];
		const IrIns *last = &func->ins[block->end - 1];

		if (!v->blocks[b].reachable)
			continue;
		for (u32 at = block->start; at < block->end; at++) {
			check_uses(v, at);
			if (func->kind == IR_FUNC_BLOCK)
				check_order(v, at, &v->blocks[b], v->puts + b * v->put_words);
		}
		if (last->op == IR_OP_JMP) {
			flow_into(v, b, last->a);
		} else if (last->op == IR_OP_BR) {
			flow_into(v, b, last->b);
			flow_into(v, b, last->c);
		}
	}
}

bool ir_verify(const IrFunc *func, Buf *why)
{
	Verifier v = {.func = func, .why = why, .good = true};
	bool memory;

	if (func->failed || func->current != IR_NONE) {
		complain(&v, func->failed ? "memory ran out while building" : "the last block has not ended");
		return false;
	}
	for (u32 i = 0; i < func->ins_count; i++)
		if (func->ins[i].op == IR_OP_PUT && func->ins[i].aux / 64u >= v.put_words)
			v.put_words = func->ins[i].aux / 64u + 1;
	v.blocks = calloc(func->block_count, sizeof(BlockState));
	v.order = calloc(func->block_count, sizeof(u32));
	v.owner = calloc(func->ins_count + 1, sizeof(u32));
	v.puts = calloc(func->block_count * v.put_words + 1, sizeof(u64));
	memory = v.blocks && v.order && v.owner && v.puts;
	if (!memory)
		complain(&v, "out of memory");
	if (memory && check_layout(&v)) {
		for (u32 at = 0; at < func->ins_count; at++)
			check_shape(&v, at);
		if (v.good)
			check_entries(&v);
		if (v.good)
			check_paths(&v);
	}
	free(v.blocks);
	free(v.order);
	free(v.owner);
	free(v.puts);
	return v.good;
}
