/* SPDX-License-Identifier: MIT
 *
 * IR evaluated where it stands: blocks that are met for the first time (jit_first.c), instructions that call the host (jit_call.c).
 *
 * An instruction is done wholly here, or not at all and the cold engine does it: IR has its PUTs last (ir.h, 3), an access that is
 * not plain comes back before anything has changed, and a store with another access behind it is not even begun. Counts are
 * exact: an instruction is counted when the next one begins.
 */
#ifndef JIT_JIT_EVAL_H
#define JIT_JIT_EVAL_H

#include "jit/jit_private.h"

enum { JIT_EVAL_ARGS = 16 }; /* of a call of the host, and of a JMP */

typedef struct JitEval {
	const IrFunc *func;
	Vcpu *vcpu;
	const EngineEnv *env; /* for calls of the host; NULL: these are the cold engine's */
	Space *memory;        /* the code space, if it is paged; NULL: accesses are the cold engine's */
	unsigned code_space;
	u64 pc;               /* of the first instruction, then of the one that runs */
	u64 *values;          /* room for one per operation */
} JitEval;

typedef enum JitEvalResult {
	JIT_EVAL_DONE, /* all of it; on at slot 0 */
	JIT_EVAL_LEFT, /* the instruction at slot 0 is the cold engine's: nothing of it is done */
	JIT_EVAL_EXIT, /* the host's answer ends the run in front of the instruction at slot 0: vcpu->exit says why */
} JitEvalResult;

/* func: jit_eval_knows. */
JitEvalResult jit_eval(JitEval *e);
/* No STOP, no ARG or RET, no PUT of the pc. */
bool jit_eval_knows(const IrFunc *func);

#endif
