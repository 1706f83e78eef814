/* SPDX-License-Identifier: MIT
 *
 * The same loop, dispatched in four ways: only these few macros differ. Compilers like to merge the indirect jumps of
 * a computed goto into a single one; the Makefile compiles this file with -fno-gcse -fno-crossjumping, as the authors of
 * interpreters do.
 */
#include "lab/lab_private.h"

#include "base/bits.h"

/* One `switch` in one loop. */
#define LOOP_NAME lab_loop_switch
#define BEGIN for (;;) { switch ((LabKind)op->kind) {
#define END case LAB_OP_COUNT: default: return LAB_EXIT; } again:; }
#define OP(name) case LAB_OP_##name:
#define DISPATCH goto again
#define COUNT_OP (void)0
#define COUNT_INSN (void)0
#define FIND (engine->technique == LAB_REDECODE ? NULL : lab_find(engine, target, run->context))
#define HANDLERS NULL
#include "lab/lab_loop.inc"

/* The opcode chooses a label; every operation ends in a jump of its own. */
#define LOOP_NAME lab_loop_goto
#define LOOP_LABELS
#define BEGIN DISPATCH;
#define END
#define OP(name) do_##name:
#define DISPATCH goto *labels[op->kind]
#define COUNT_OP (void)0
#define COUNT_INSN (void)0
#define FIND lab_find(engine, target, run->context)
#define HANDLERS NULL
#include "lab/lab_loop.inc"

/* The operation holds the address of its handler. */
#define LOOP_NAME lab_loop_threaded
#define LOOP_LABELS
#define BEGIN DISPATCH;
#define END
#define OP(name) do_##name:
#define DISPATCH goto *op->handler
#define COUNT_OP (void)0
#define COUNT_INSN (void)0
#define FIND lab_find(engine, target, run->context)
#define HANDLERS labels
#include "lab/lab_loop.inc"

/* The first once more, with counters. */
#define LOOP_NAME lab_loop_counting
#define BEGIN for (;;) { switch ((LabKind)op->kind) {
#define END case LAB_OP_COUNT: default: return LAB_EXIT; } again:; }
#define OP(name) case LAB_OP_##name:
#define DISPATCH goto again
#define COUNT_OP engine->counts.ops++
#define COUNT_INSN \
	do { \
		engine->counts.insns++; \
		engine->counts.fetched += code->cells; \
		engine->counts.jumps += target != code->pc + code->cells; \
	} while (0)
#define FIND lab_find(engine, target, run->context)
#define HANDLERS NULL
#include "lab/lab_loop.inc"
