/* SPDX-License-Identifier: MIT
 *
 * What one source of a region comes to, looked at before any of it is built: which of its operations a region does, where
 * it leaves for the cold engine, and where it goes. Asked by ssa_build.c, and by region.c to find what belongs together.
 */
#ifndef JIT_SSA_SHAPE_H
#define JIT_SSA_SHAPE_H

#include "jit/ssa.h"

/* What becomes of an operation of the IR. */
typedef enum SsaAct {
	SSA_ACT_DO,     /* it is done as it stands */
	SSA_ACT_NONE,   /* nothing: another one stands for it (flags of floats) */
	SSA_ACT_COLD,   /* INSN: the whole instruction is the cold engine's. Others: here an arm of it is left, which has changed
	                   nothing so far */
	SSA_ACT_RAISES, /* a float operation whose exceptions the host notes */
	SSA_ACT_VALUE,  /* PUT of the flags of a float operation nobody wants the value of: that is done here, and raises */
} SsaAct;

typedef struct SsaGoto {
	u64 pc;
	bool known;
} SsaGoto;

typedef struct SsaShapeInsn {
	u32 at;         /* its INSN */
	u32 length;     /* in cells */
	u64 pc;
} SsaShapeInsn;

typedef struct SsaShape {
	const IrFunc *func;
	u32 *order;     /* its blocks that can be reached, in the order they stand in */
	u32 order_count;
	u8 *act;        /* per instruction of the IR: SsaAct */
	const u32 *uses; /* likewise: how often its value is an operand in func */
	bool *cold;     /* per block: there are SSA_ACT_COLDs in it */
	SsaShapeInsn *insns; /* all of its blocks, ascending */
	u32 insn_count;
	SsaGoto *gotos; /* per block: where its GOTO goes, if constants of this source alone say so */
} SsaShape;

/* False: no memory. */
bool ssa_shape(const SsaRegion *region, const SsaSource *source, Arena *arena, SsaShape *out);
/* The operation at `at` is COLD: because its instruction calls the host? */
bool ssa_calls_host(const SsaShape *shape, u32 at);

#endif
