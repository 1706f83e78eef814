/* SPDX-License-Identifier: MIT
 *
 * Atomic accesses: a cell is read and written in one step, which no other vCPU can come into. What is read is the
 * operation's value. `aux` says where, how and in what order:
 *
 *     15     14   13 .. 10   9 8     7 .. 0
 *     raw    -    IrRmw      order   space
 */
#include "ir/ir_private.h"

#include <assert.h>

#include "base/bits.h"

static unsigned pack(unsigned space, IrRmw kind, unsigned order, bool raw)
{
	assert(space <= IR_ATOMIC_SPACE && kind < IR_RMW_COUNT && order <= IR_ORDER_BOTH);
	return space | order << IR_ATOMIC_ORDER_SHIFT | (unsigned)kind << IR_ATOMIC_KIND_SHIFT | (raw ? IR_RAW : 0);
}

IrRef ir_rmw(IrFunc *func, IrRmw kind, unsigned space, unsigned order, IrRef address, IrRef value, bool raw)
{
	if (address == IR_NONE || value == IR_NONE || func->failed) {
		func->failed = true;
		return IR_NONE;
	}
	return ir_emit(func, IR_OP_RMW, ir_width(func, value), pack(space, kind, order, raw), address, value, 0);
}

IrRef ir_cas(IrFunc *func, unsigned space, unsigned order, IrRef address, IrRef expected, IrRef value, bool raw)
{
	if (address == IR_NONE || expected == IR_NONE || value == IR_NONE || func->failed) {
		func->failed = true;
		return IR_NONE;
	}
	assert(ir_width(func, expected) == ir_width(func, value));
	return ir_emit(func, IR_OP_CAS, ir_width(func, value), pack(space, IR_RMW_SWAP, order, raw), address, expected, value);
}

void ir_fence(IrFunc *func, unsigned before, unsigned after)
{
	ir_emit(func, IR_OP_FENCE, 0, (before & 15) << 4 | (after & 15), 0, 0, 0);
}

u64 ir_rmw_value(IrRmw kind, unsigned width, u64 old, u64 value)
{
	i64 a = bits_signed(old, width), b = bits_signed(value, width);

	switch (kind) {
	case IR_RMW_SWAP: return value;
	case IR_RMW_ADD: return bits_trunc(old + value, width);
	case IR_RMW_AND: return old & value;
	case IR_RMW_OR: return old | value;
	case IR_RMW_XOR: return old ^ value;
	case IR_RMW_MIN: return a < b ? old : value;
	case IR_RMW_MAX: return a > b ? old : value;
	case IR_RMW_MINU: return old < value ? old : value;
	case IR_RMW_MAXU: return old > value ? old : value;
	case IR_RMW_COUNT: break;
	}
	return value;
}
