/* SPDX-License-Identifier: MIT
 *
 * The state of one lowering, shared by interp_emit.c (instructions, control), interp_emit_op.c (pure
 * operations) and interp_emit_float.c.
 */
#ifndef INTERP_INTERP_EMIT_H
#define INTERP_INTERP_EMIT_H

#include "interp/interp_private.h"

typedef struct Fixup {
	u32 uop, block; /* the uop's `to` becomes the place of the IR block */
} Fixup;

typedef struct TempLife {
	u16 temp;
	u32 next; /* of those that end at the same position; number + 1, 0 = end */
} TempLife;

typedef struct Emit {
	Plan plan;
	const IrFunc *func;
	Arena *arena;
	const void *const *handlers;
	bool dirty, failed, too_big, invalid;
	Uop *uops; u32 uop_count, uop_cap;
	u32 *meta; u32 meta_cap;
	Exit *exits; u32 exit_count, exit_cap;
	InsnRun *runs; u32 run_count, run_cap;
	u16 *calls; u32 call_count, call_cap;
	Fixup *fixups; u32 fixup_count, fixup_cap;
	u32 *place;          /* uop where each IR block starts */
	bool *inlined;       /* IR blocks that were emitted at their branch */
	bool *claimed;       /* PUTs that the uop of their value does */
	u32 *read_until;     /* per slot: last position at which its present content is read as an operand */
	u16 *free_temps; u32 free_count;
	u32 next_temp;
	TempLife *lives; u32 life_count, life_cap;
	u32 *ends_at;        /* per position: first TempLife + 1 that ends there */
	u32 at;              /* position being emitted */
	const Branch *check; /* a range check that the next access does, too; out of range goes to check_out */
	u32 check_out;
	u16 check_base;
} Emit;

typedef struct Dest {
	u16 d, d2;
} Dest;

/* Appends an uop, gives its number. After a failure nothing happens. */
u32 emit_uop(Emit *e, UopKind kind, Dest dest, unsigned a, unsigned b, u64 imm);
/* The operand that holds a value now; a constant is put into a temporary first. */
u16 emit_operand(Emit *e, IrRef ref);
bool emit_const(const Emit *e, IrRef ref, u64 *value);
/* Two values that one uop at e->at makes. */
Dest emit_two(Emit *e, IrRef first, IrRef second, IrRef read);
/* The pair (VALUE_PAIRED) that begins with the value at `at`. */
void emit_pair(Emit *e, u32 at);
/* A pure operation into dest. */
void emit_pure(Emit *e, const IrIns *ins, Dest dest);
/* A float operation, if it is one and gives its value. */
bool emit_float(Emit *e, const IrIns *ins, Dest dest);

/* A compare ready to be emitted as value, jump or exit: `kind` counts from EQ_RR. */
typedef struct Compare {
	u8 kind;
	u16 a, b;
	u64 imm;
} Compare;

Compare emit_compare(Emit *e, const IrIns *ins);
Compare emit_truth(Emit *e, IrRef condition);
Compare emit_opposite(Compare compare);

#endif
