/* SPDX-License-Identifier: MIT
 *
 * IEEE 754 binary32 and binary64 on bit patterns: what the F* operations of the IR mean. Integers only, so the result
 * is the same on every host and under every compiler flag; an engine may use the host's arithmetic where that is
 * known to be the same (interp_exec.c does for + - * / and the compares).
 *
 * Rounding is to nearest, ties to even. A NaN that is a result is the canonical quiet one, whatever came in. Exception
 * flags are not kept. `round_pack` in ir_float.c is the one place that rounds (docs/ir.md, "Floating point").
 */
#ifndef IR_IR_FLOAT_H
#define IR_IR_FLOAT_H

#include "base/types.h"
#include "ir/ir.h"

static inline u64 ir_float_nan(unsigned width)
{
	return width == 64 ? 0x7FF8000000000000 : 0x7FC00000;
}

/* An F* operation. width is the result's, arg_width that of a: one of them at least is 32 or 64 (ir_ops.def). */
u64 ir_float_eval(IrOp op, unsigned width, unsigned arg_width, u64 a, u64 b, u64 c);

#endif
