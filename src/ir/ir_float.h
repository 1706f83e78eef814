/* SPDX-License-Identifier: MIT
 *
 * IEEE 754 binary32 and binary64 on bit patterns: what the F* operations of the IR mean. Integers only, so the result
 * is the same on every host and under every compiler flag; an engine may use the host's arithmetic where that is
 * known to be the same.
 *
 * All five rounding modes, and the five exception flags of each operation, in the coding of RISC-V's frm and fflags. A
 * NaN that is a result is the canonical quiet one, whatever came in. Exceptions are handled as by default: underflow is
 * told only when the result is not exact, and whether a number is tiny is decided after rounding.
 */
#ifndef IR_IR_FLOAT_H
#define IR_IR_FLOAT_H

#include "base/types.h"
#include "ir/ir.h"

static inline u64 ir_float_nan(unsigned width)
{
	return width == 64 ? 0x7FF8000000000000 : 0x7FC00000;
}

/* An F* operation and the flags it raises (IrFloatFlag). width is the result's, arg_width that of a: one of them at least
 * is 32 or 64 (ir_ops.def). */
u64 ir_float_compute(IrOp op, unsigned width, unsigned arg_width, IrRound round, u64 a, u64 b, u64 c, unsigned *flags);

/* The same as the IR has it: aux says the mode, and whether the value or the flags are the result. */
u64 ir_float_eval(IrOp op, unsigned width, unsigned arg_width, unsigned aux, u64 a, u64 b, u64 c);

#endif
