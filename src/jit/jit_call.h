/* SPDX-License-Identifier: MIT
 *
 * Calls of the host from compiled code: see jit_call.c.
 */
#ifndef JIT_JIT_CALL_H
#define JIT_JIT_CALL_H

#include "jit/jit_private.h"

/* For the target's common code, at the way out `number` (BAIL, IR_OP_HOST) with the state at home: registers and flags in
 * frame->slots, left: what is left of the budget. The code to go on at, with registers anew from the slots and what is left from
 * frame->left; NULL: leave with frame->number. */
const u8 *jit_call(JitFrame *frame, u32 number, u64 left);

#endif
