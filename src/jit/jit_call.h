/* SPDX-License-Identifier: MIT
 *
 * Calls of the host from compiled code: see jit_call.c.
 */
#ifndef JIT_JIT_CALL_H
#define JIT_JIT_CALL_H

#include "jit/jit_private.h"

typedef struct JitGoOn {
	const u8 *code; /* NULL: leave with frame->number, and frame->left */
	u64 left;       /* of the budget, for that code; registers are in the slots */
} JitGoOn;

/* For the target's common code, at a way out (BAIL, IR_OP_HOST) with the state at home: registers and flags in frame->slots, left: what is
 * left of the budget. */
JitGoOn jit_call(JitFrame *frame, JitExit *exit, u64 left);

#endif
