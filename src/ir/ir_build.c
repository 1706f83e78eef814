/* SPDX-License-Identifier: MIT
 *
 * The builders: they check shapes (asserts: a wrong shape is a bug of the caller), put operands into the canonical
 * order, let ir_fold.c try first, and append what is left.
 */
#include "ir/ir_private.h"

#include <assert.h>

static bool commutes(IrOp op)
{
	switch (op) {
	case IR_OP_ADD: case IR_OP_MUL: case IR_OP_MULHS: case IR_OP_MULHU: case IR_OP_AND: case IR_OP_OR:
	case IR_OP_XOR: case IR_OP_EQ: case IR_OP_NE:
		return true;
	default:
		return false;
	}
}

/* Operands are missing only after an earlier failure; then every builder does nothing. */
static bool unusable(IrFunc *func, IrRef ref)
{
	if (ref == IR_NONE)
		func->failed = true;
	return func->failed;
}

static u32 add_to_pool(IrFunc *func, const IrRef *refs, unsigned count)
{
	u32 start = func->pool_count;

	for (unsigned i = 0; i < count; i++) {
		if (unusable(func, refs[i]))
			return 0;
		if (func->pool_count >= 1u << 24 || !arena_grow(func->arena, (void **)&func->pool, &func->pool_cap,
								 func->pool_count, sizeof(IrRef))) {
			func->failed = true;
			return 0;
		}
		func->pool[func->pool_count++] = refs[i];
	}
	return start;
}

IrRef ir_arg(IrFunc *func, unsigned index, unsigned width)
{
	assert(func->kind == IR_FUNC_HANDLER);
	if (index >= func->args)
		func->args = index + 1;
	return ir_share(func, IR_OP_ARG, width, index, 0, 0, 0);
}

IrRef ir_param(IrFunc *func, unsigned width)
{
	IrBlock *block;

	if (func->failed)
		return IR_NONE;
	assert(func->current != IR_NONE);
	block = &func->blocks[func->current];
	assert(block->end - block->start == block->params);
	return ir_emit(func, IR_OP_PARAM, width, block->params++, 0, 0, 0);
}

IrRef ir_get(IrFunc *func, unsigned slot, unsigned width)
{
	return ir_share(func, IR_OP_GET, width, slot, 0, 0, 0);
}

void ir_put(IrFunc *func, unsigned slot, IrRef value)
{
	if (!unusable(func, value))
		ir_emit(func, IR_OP_PUT, ir_width(func, value), slot, value, 0, 0);
}

IrRef ir_bin(IrFunc *func, IrOp op, IrRef a, IrRef b)
{
	unsigned width;
	IrRef folded;

	if (unusable(func, a) || unusable(func, b))
		return IR_NONE;
	width = ir_width(func, a);
	switch (ir_op_info[op].shape) {
	case IR_SHAPE_BIN:
		assert(width == ir_width(func, b));
		break;
	case IR_SHAPE_CMP:
		assert(width == ir_width(func, b));
		width = 1;
		break;
	case IR_SHAPE_CAT:
		width += ir_width(func, b);
		assert(width <= 64);
		break;
	default:
		assert(ir_op_info[op].shape == IR_SHAPE_SHIFT);
	}
	if (commutes(op) && ir_is_const(func, a, NULL)) {
		IrRef swap = a;

		a = b;
		b = swap;
	}
	folded = ir_fold_bin(func, op, a, b);
	if (folded != IR_NONE)
		return folded;
	return ir_share(func, op, width, 0, a, b, 0);
}

IrRef ir_un(IrFunc *func, IrOp op, IrRef a)
{
	IrRef folded;

	if (unusable(func, a))
		return IR_NONE;
	assert(ir_op_info[op].shape == IR_SHAPE_UN);
	assert(op != IR_OP_BSWAP || ir_width(func, a) == 16 || ir_width(func, a) == 32 || ir_width(func, a) == 64);
	folded = ir_fold_un(func, op, a);
	if (folded != IR_NONE)
		return folded;
	return ir_share(func, op, ir_width(func, a), 0, a, 0, 0);
}

IrRef ir_not(IrFunc *func, IrRef a)
{
	return ir_bin(func, IR_OP_XOR, a, ir_const(func, ir_width(func, a), ~(u64)0));
}

IrRef ir_neg(IrFunc *func, IrRef a)
{
	return ir_bin(func, IR_OP_SUB, ir_const(func, ir_width(func, a), 0), a);
}

static IrRef convert(IrFunc *func, IrOp op, unsigned width, unsigned aux, IrRef a)
{
	IrRef folded = ir_fold_conv(func, op, width, aux, a);

	if (folded != IR_NONE)
		return folded;
	return ir_share(func, op, width, aux, a, 0, 0);
}

IrRef ir_zx(IrFunc *func, IrRef a, unsigned width)
{
	if (unusable(func, a))
		return IR_NONE;
	assert(width >= ir_width(func, a) && width <= 64);
	return convert(func, IR_OP_ZX, width, 0, a);
}

IrRef ir_sx(IrFunc *func, IrRef a, unsigned width)
{
	if (unusable(func, a))
		return IR_NONE;
	assert(width >= ir_width(func, a) && width <= 64);
	return convert(func, IR_OP_SX, width, 0, a);
}

IrRef ir_extract(IrFunc *func, IrRef a, unsigned lo, unsigned width)
{
	if (unusable(func, a))
		return IR_NONE;
	assert(width >= 1 && lo + width <= ir_width(func, a));
	return convert(func, IR_OP_EXTRACT, width, lo, a);
}

IrRef ir_select(IrFunc *func, IrRef cond, IrRef a, IrRef b)
{
	IrRef folded;

	if (unusable(func, cond) || unusable(func, a) || unusable(func, b))
		return IR_NONE;
	assert(ir_width(func, cond) == 1 && ir_width(func, a) == ir_width(func, b));
	folded = ir_fold_select(func, cond, a, b);
	if (folded != IR_NONE)
		return folded;
	return ir_share(func, IR_OP_SEL, ir_width(func, a), 0, cond, a, b);
}

unsigned ir_float_operands(IrOp op)
{
	switch (ir_op_info[op].shape) {
	case IR_SHAPE_FUN: case IR_SHAPE_FOFI: case IR_SHAPE_FTOI: case IR_SHAPE_FTOF: case IR_SHAPE_FCLASS: return 1;
	case IR_SHAPE_FBIN: case IR_SHAPE_FCMP: return 2;
	case IR_SHAPE_FTRI: return 3;
	default: return 0;
	}
}

u32 ir_noted_flags(const IrFunc *func, u32 put, u32 *get)
{
	const IrIns *ins = &func->ins[put], *either, *x;
	u32 flags;

	if (ins->op != IR_OP_PUT || (ins->a & IR_CONST_BIT) || func->ins[ins->a].op != IR_OP_OR)
		return 0;
	either = &func->ins[ins->a];
	if ((either->a & IR_CONST_BIT) || (either->b & IR_CONST_BIT))
		return 0;
	*get = func->ins[either->a].op == IR_OP_GET ? either->a : either->b;
	flags = *get == either->a ? either->b : either->a;
	x = &func->ins[flags];
	if (func->ins[*get].op != IR_OP_GET || func->ins[*get].aux != ins->aux || !ir_float_operands((IrOp)x->op) ||
	    x->op == IR_OP_FCLASS || !(x->aux & IR_FLOAT_FLAGS))
		return 0;
	return flags;
}

bool ir_float_rounds(IrOp op, unsigned width)
{
	switch (ir_op_info[op].shape) {
	case IR_SHAPE_FCMP: case IR_SHAPE_FCLASS: return false;
	case IR_SHAPE_FTOF: return width == 32; /* every single is a double */
	default: return op != IR_OP_FMIN && op != IR_OP_FMAX;
	}
}

/* aux has the mode, and FLAGS if they are wanted; width is that of the value. */
static IrRef build_float(IrFunc *func, IrOp op, unsigned aux, unsigned width, IrRef a, IrRef b, IrRef c)
{
	unsigned count = ir_float_operands(op);
	u64 x, y = 0, z = 0;

	if (unusable(func, a) || (count > 1 && unusable(func, b)) || (count > 2 && unusable(func, c)))
		return IR_NONE;
	assert(count > 0);
	assert(width == 32 || width == 64 || ir_width(func, a) == 32 || ir_width(func, a) == 64);
	assert((aux & IR_FLOAT_ROUND) < IR_ROUND_COUNT);
	if (!ir_float_rounds(op, width))
		aux &= ~(unsigned)IR_FLOAT_ROUND;
	if (aux & IR_FLOAT_FLAGS) {
		aux |= width << IR_FLOAT_WIDTH_SHIFT;
		width = 5;
	}
	/* Constants: the definition gives the same on every host, so that folding changes nothing. */
	if (ir_is_const(func, a, &x) && (count < 2 || ir_is_const(func, b, &y)) && (count < 3 || ir_is_const(func, c, &z)))
		return ir_const(func, width, ir_eval(op, width, ir_width(func, a), aux, x, y, z));
	return ir_share(func, op, width, aux, a, count > 1 ? b : 0, count > 2 ? c : 0);
}

IrRef ir_float(IrFunc *func, IrOp op, IrRound round, unsigned width, IrRef a, IrRef b, IrRef c)
{
	return build_float(func, op, round, width, a, b, c);
}

IrRef ir_float_flags(IrFunc *func, IrOp op, IrRound round, unsigned width, IrRef a, IrRef b, IrRef c)
{
	return build_float(func, op, round | IR_FLOAT_FLAGS, width, a, b, c);
}

IrRef ir_load(IrFunc *func, unsigned space, unsigned width, IrRef address, bool raw)
{
	if (unusable(func, address))
		return IR_NONE;
	assert(space < IR_RAW && width >= 1);
	return ir_emit(func, IR_OP_LOAD, width, space | (raw ? IR_RAW : 0), address, 0, 0);
}

void ir_store(IrFunc *func, unsigned space, IrRef address, IrRef value, bool raw)
{
	if (unusable(func, address) || unusable(func, value))
		return;
	assert(space < IR_RAW);
	ir_emit(func, IR_OP_STORE, ir_width(func, value), space | (raw ? IR_RAW : 0), address, value, 0);
}

IrRef ir_host(IrFunc *func, unsigned host, unsigned width, const IrRef *args, unsigned count)
{
	u32 start = add_to_pool(func, args, count);

	return ir_emit(func, IR_OP_HOST, width, host, 0, start, count);
}

void ir_insn(IrFunc *func, u64 pc, unsigned length, unsigned number)
{
	IrRef at = ir_const(func, 64, pc);

	assert(func->kind == IR_FUNC_BLOCK);
	ir_emit(func, IR_OP_INSN, 0, length, at, number, 0);
	func->cse_floor = func->ins_count; /* registers are read anew, so nothing before it is the same as anything behind */
}

void ir_jmp(IrFunc *func, u32 block, const IrRef *args, unsigned count)
{
	u32 start = add_to_pool(func, args, count);

	ir_emit(func, IR_OP_JMP, 0, 0, block, start, count);
}

void ir_br(IrFunc *func, IrRef cond, u32 yes, u32 no)
{
	u64 value;

	if (unusable(func, cond))
		return;
	assert(ir_width(func, cond) == 1);
	if (ir_is_const(func, cond, &value))
		ir_jmp(func, value ? yes : no, NULL, 0);
	else
		ir_emit(func, IR_OP_BR, 0, 0, cond, yes, no);
}

void ir_goto(IrFunc *func, IrRef pc, IrFlow flow)
{
	if (!unusable(func, pc))
		ir_emit(func, IR_OP_GOTO, 0, flow, pc, 0, 0);
}

void ir_raise(IrFunc *func, IrRef number)
{
	if (!unusable(func, number))
		ir_emit(func, IR_OP_RAISE, 0, 0, number, 0, 0);
}

void ir_illegal(IrFunc *func)
{
	ir_emit(func, IR_OP_ILLEGAL, 0, 0, 0, 0, 0);
}

void ir_stop(IrFunc *func, IrRef code)
{
	if (!unusable(func, code))
		ir_emit(func, IR_OP_STOP, 0, 0, code, 0, 0);
}

void ir_ret(IrFunc *func, IrRef value)
{
	ir_emit(func, IR_OP_RET, value == IR_NONE ? 0 : ir_width(func, value), 0, value, 0, 0);
}
