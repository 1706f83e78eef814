/* SPDX-License-Identifier: MIT
 *
 * What the files of ir/ share and nobody else needs.
 */
#ifndef IR_IR_PRIVATE_H
#define IR_IR_PRIVATE_H

#include "ir/ir.h"

/* Appends an instruction to the current block; gives its ref. */
IrRef ir_emit(IrFunc *func, IrOp op, unsigned width, unsigned aux, u32 a, u32 b, u32 c);
/* The same for a pure operation or a GET, but shares an equal earlier one when there is one that dominates. */
IrRef ir_share(IrFunc *func, IrOp op, unsigned width, unsigned aux, u32 a, u32 b, u32 c);
/* The instruction a ref names; NULL for constants and IR_NONE. */
static inline const IrIns *ir_def(const IrFunc *func, IrRef ref)
{
	return ref < func->ins_count ? &func->ins[ref] : NULL;
}

/* Each gives a ref that equals the operation, or IR_NONE when there is nothing simpler than emitting it.
 * Operands of commutative operations come with a constant on the right. */
IrRef ir_fold_bin(IrFunc *func, IrOp op, IrRef a, IrRef b);
IrRef ir_fold_un(IrFunc *func, IrOp op, IrRef a);
IrRef ir_fold_conv(IrFunc *func, IrOp op, unsigned width, unsigned aux, IrRef a);
IrRef ir_fold_select(IrFunc *func, IrRef cond, IrRef a, IrRef b);

#endif
