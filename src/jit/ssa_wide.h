/* SPDX-License-Identifier: MIT
 *
 * Wide rounds. SSA_WIDE is a whole loop in one node: it does as many rounds as it may of a loop that comes behind it, several
 * at a time, on vectors of four numbers of 64 bits, and says how many times it went round. ssa_wide.c finds such
 * loops and writes what follows from the number; the loop itself stays as it is and does the rest.
 *
 *     operand 0           how often to go round, at the most; not 0
 *     1 .. pointer_count  addresses; each goes on by its step
 *     behind them         what `prepare` takes
 *
 * One time round: `round` from the first operation to the last. It is done wholly or not at all:
 *
 *   - loads come first, then tests; where one says no, it ends before this time;
 *   - whatever the host refuses ends it, too. TOUCH asks the host for the right to store before anything is stored, so that
 *     nothing is stored of a time that ends; the first store needs none;
 *   - flags of floats are raised by numbers that are stored alone: all that may end a time comes before these operations;
 *   - it takes `cost` from the budget; where there is less left, it ends.
 *
 * Who comes behind begins where it ended, one thing at a time, and finds out what was in the way. So WIDE is not a way out.
 * Each pointer is below the limit of the space before anything is done (or near it), and each time round touches what is near it: it can't
 * pass over a guard zone.
 */
#ifndef JIT_SSA_WIDE_H
#define JIT_SSA_WIDE_H

#include "jit/ssa.h"

enum {
	SSA_WIDE_LANES = 4, SSA_WIDE_REGS = 15, SSA_WIDE_BATCH = 4,
	SSA_WIDE_OPS_MOST = 64, SSA_WIDE_POINTERS_MOST = 4, SSA_WIDE_OPERANDS_MOST = 10, SSA_WIDE_OUTS_MOST = 4,
};

typedef enum SsaWideKind {
	/* prepare */
	SSA_WIDE_SPLAT,  /* to = operand a in all lanes */
	SSA_WIDE_CONST,  /* to = imm in all lanes */
	SSA_WIDE_LANE,   /* lane `lane` of `to` = operand a; ones for a register stand one behind the other */
	SSA_WIDE_EXPECT, /* nothing is done unless operand a is what lies at pointer b + imm */
	/* round */
	SSA_WIDE_LOAD,   /* to = what lies at pointer a + imm */
	SSA_WIDE_REACH,  /* the word at pointer a + imm may be loaded, or it ends; lane: others of its pointer's are loaded behind it, as that goes */
	SSA_WIDE_AND, SSA_WIDE_ANDN, /* b without a */
	SSA_WIDE_OR, SSA_WIDE_XOR, SSA_WIDE_ADD, SSA_WIDE_SUB, SSA_WIDE_EQ, /* EQ: ones or 0 */
	SSA_WIDE_SHL, SSA_WIDE_SHR, /* lane by lane; 0 for counts beyond 63 */
	SSA_WIDE_FADD, SSA_WIDE_FSUB, SSA_WIDE_FMUL, SSA_WIDE_FDIV, /* of numbers of 64 bits, to nearest; a NaN may be any quiet one */
	SSA_WIDE_CANON,  /* a, but b where it is a NaN */
	SSA_WIDE_SPLICE, /* to = lanes a[lane] .. a[3] b[0] .. b[lane - 1] */
	SSA_WIDE_TEST,   /* ends unless all of a is 0 */
	SSA_WIDE_TOUCH,  /* the byte at pointer a + imm may be stored to, or it ends */
	SSA_WIDE_STORE,  /* b goes to pointer a + imm */
	SSA_WIDE_KEEP,   /* to = a; at the end of the round */
} SsaWideKind;

typedef struct SsaWideOp {
	u8 kind, to, a, b, lane;
	u64 imm;
} SsaWideOp;

/* What LANE nodes read: what a register that KEEP writes had last, or what lies at pointer + off when the last time is done. */
typedef struct SsaWideOut {
	bool there;
	u8 reg, pointer;
	i32 off;
} SsaWideOut;

typedef struct SsaWide {
	u32 operand_count, pointer_count;
	i32 step[SSA_WIDE_POINTERS_MOST];
	u8 near[SSA_WIDE_POINTERS_MOST]; /* 1 + another pointer that it is at most 8 bytes ahead of: so it is below the limit, or hardly beyond */
	bool batch;              /* of so many times in a row (SSA_WIDE_BATCH) no store is seen by a load of a later one */
	u32 space, cost;         /* instructions of one time round */
	bool counted;            /* operand 0 says something */
	SsaWideOp *prepare, *round;
	u32 prepare_count, round_count;
	SsaWideOut outs[SSA_WIDE_OUTS_MOST];
	u32 out_count;
	u32 regs;                /* so many are used */
} SsaWide;

/* Does it access memory at its pointer a? */
static inline bool ssa_wide_at_pointer(const SsaWideOp *op)
{
	return op->kind == SSA_WIDE_LOAD || op->kind == SSA_WIDE_REACH || op->kind == SSA_WIDE_TOUCH || op->kind == SSA_WIDE_STORE;
}

/* Does an operation of a round write register `to`? */
static inline bool ssa_wide_makes(const SsaWideOp *op)
{
	return op->kind != SSA_WIDE_TEST && (op->kind == SSA_WIDE_LOAD || !ssa_wide_at_pointer(op));
}

/* What lies in a space: ssa_eval.c's own. */
struct SsaMemory;
/* Goes round `most` times at the most; outs: SSA_WIDE_LANES numbers for each; |= raised: flags of floats. The number of times. */
u64 ssa_wide_eval(const SsaWide *wide, const u64 *operands, u64 most, const struct SsaMemory *memory, u64 *outs, unsigned *raised);

#endif
