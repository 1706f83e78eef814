/* SPDX-License-Identifier: MIT
 *
 * The lifter's working state. Private to isa_lift.c (blocks, handlers), isa_lift_expr.c (expressions, registers) and
 * isa_lift_stmt.c (statements, the four kinds of `if`).
 */
#ifndef ISA_ISA_LIFT_PRIVATE_H
#define ISA_ISA_LIFT_PRIVATE_H

#include "base/bits.h"
#include "ir/ir.h"
#include "isa/isa.h"
#include "isa/rtl.h"

enum {
	INS_PER_INSN_MAX = 60000, /* IR one guest instruction may become; beyond it, the description is unreasonable */
	PENDING_MAX = 300,
	PENDING_FIRST = 30, /* room of an instruction, reused by those of a block; more when there are more */
	FORK_DEPTH_MAX = 24,
	LIFT_DEPTH_MAX = 200,
	INS_PER_BLOCK = 12000, /* a block that has so many gets no further guest instruction */
};

/* A register write that waits for the end of the instruction. `when` is IR_NONE, or the 1-bit value that says whether
 * the write happens at all: an `if` that did not write must not write the old value back, because a device's handler
 * may change the register in between. */
typedef struct Pending {
	u32 slot;
	IrRef value, when;
} Pending;

/* Everything that assignments change. Copied at forks. */
typedef struct Env {
	IrRef *vars; /* of the current frame */
	u32 var_count;
	Pending *pending;
	u32 pending_count, pending_cap;
	IrRef jump;  /* IR_NONE: falls through */
	u8 flow;
} Env;

/* What runs after a list of statements ends. */
typedef struct Cont {
	const RtlStmt *stmts;
	IrRef *caller_vars; /* not NULL: restore these variables (return from a function) */
	u32 caller_var_count;
	const struct Cont *next;
} Cont;

typedef struct Lift {
	const Isa *isa;
	const IsaLift *in;   /* NULL for handlers */
	Arena *arena;
	IrFunc *func;
	Env env;
	const IsaDecoded *decoded; /* NULL in handlers */
	u64 pc, next;
	u32 insn_start;      /* IR index where the instruction began */
	Pending *pending_room; /* reused by each instruction of a block */
	const IsaHandler *on_fetch; /* or NULL */
	IrRef zeros[65];     /* of each width, + 1; 0: not made yet */
	u32 forks, depth;
	bool flow_only;      /* only which way control goes is asked (isa_flow): no state, no tables */
	bool handler, raw;   /* raw: memory accesses pass devices by */
	u16 raw_space;
	bool dirty, ended;   /* this instruction ends the guest block */
	bool calls_host;
	bool dead;           /* the current IR block can't be reached: the instruction has been left */
	bool failed;
	const RtlBody *body;
} Lift;

/* isa_lift_expr.c */
/* Sets failed when the instruction became too large. */
static inline bool lift_over_budget(Lift *l)
{
	if (l->func->ins_count - l->insn_start > INS_PER_INSN_MAX || l->depth > LIFT_DEPTH_MAX || l->forks > FORK_DEPTH_MAX ||
	    l->func->failed)
		l->failed = true;
	return l->failed;
}
IrRef lift_zero(Lift *l, unsigned width);
void lift_go_dead(Lift *l);
void lift_close_dead(Lift *l);
void lift_begin_live(Lift *l, u32 block);
bool lift_env_copy(Lift *l, Env *to, const Env *from);
Pending *lift_find_pending(Env *env, u32 slot);
IrRef lift_read_slot(Lift *l, u32 slot, unsigned width);
IrRef lift_pending_value(Lift *l, const Pending *p); /* what the register is once p has happened or not */
void lift_write_slot(Lift *l, u32 slot, IrRef value, IrRef when);
const IsaReg *lift_reg_of_slot(const Isa *isa, u32 slot);
void lift_write_reg(Lift *l, const RtlExpr *e, IrRef value);
IrRef lift_fit(Lift *l, IrRef ref, unsigned width);
IrRef lift_call_body(Lift *l, const RtlBody *body, const IrRef *args, u32 argc);
IrRef lift_expr(Lift *l, const RtlExpr *e);

/* isa_lift_stmt.c */
void lift_inline(Lift *l, const RtlStmt *stmts);                 /* a list without conditional jumps */
void lift_seq(Lift *l, const RtlStmt *stmts, const Cont *cont);  /* a list with all that follows, to the end */
void lift_commit(Lift *l);
void lift_charge(Lift *l, IrRef cycles);

#endif
