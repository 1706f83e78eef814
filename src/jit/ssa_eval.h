/* SPDX-License-Identifier: MIT
 *
 * A region run node by node: slow, and as plain as ssa.h's words. What builds, changes and compiles regions is held against it.
 */
#ifndef JIT_SSA_EVAL_H
#define JIT_SSA_EVAL_H

#include "jit/ssa.h"

/* Memory. False: the access is the cold engine's. */
typedef struct SsaMemory {
	void *ctx;
	bool (*read)(void *ctx, unsigned space, u64 address, unsigned width, u64 *value);
	bool (*write)(void *ctx, unsigned space, u64 address, unsigned width, u64 value);
	u64 (*limit)(void *ctx, unsigned space); /* for CHECK */
} SsaMemory;

typedef enum SsaEvalEnd {
	SSA_EVAL_LEFT, /* by a LEAVE but COLD: slots[0] is the next pc */
	SSA_EVAL_COLD, /* the instruction at slots[0] is the cold engine's */
	SSA_EVAL_FUEL, /* `left` does not pay for what comes */
	SSA_EVAL_WRONG, /* the region breaks its rules: `why` */
} SsaEvalEnd;

typedef struct SsaEval {
	u64 *slots;     /* homes; at the end the exact state, with slot 0 */
	u64 left;       /* instructions that may be done; at the end less those that were. While there are no FUELs in the region each
	                   instruction takes its own */
	SsaRef last;    /* the way out */
	Buf *why;
} SsaEval;

/* From the entry block on. Without memory for its tables: SSA_EVAL_WRONG. */
SsaEvalEnd ssa_eval(const SsaFunc *func, u32 entry, const SsaMemory *memory, SsaEval *eval);

#endif
