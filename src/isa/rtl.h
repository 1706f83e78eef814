/* SPDX-License-Identifier: MIT
 *
 * The meaning of instructions and handlers as the loader keeps it: small typed trees, checked once at load and
 * turned into IR for each decoded instruction (isa_lift.c). Private to src/isa.
 *
 * After the checker has run:
 *  1. Every expression has a width (1..64); operands have the widths their operator wants. Immediates and literals
 *     have been widened (RTL_SX/RTL_ZX nodes stand where a field was).
 *  2. `return` is gone: it is an assignment to variable `result` in tail position, and what stood behind an
 *     `if (..) return` has moved into its else.
 *  3. Functions stand before their use, so there is no recursion; bodies contain no loops but `for` over bounds
 *     that are known at decode time.
 */
#ifndef ISA_RTL_H
#define ISA_RTL_H

#include "base/types.h"
#include "ir/ir.h"

typedef enum RtlKind {
	/* expressions */
	RTL_NUM,      /* value */
	RTL_FIELD,    /* value of insn->fields[index] */
	RTL_FIELDNUM, /* #f: register number (or raw value) of insn->fields[index] */
	RTL_TARGET,   /* address that the rel/abs field insn->fields[index] means */
	RTL_REGFIELD, /* the register that insn->fields[index] names */
	RTL_REG,      /* regs[index], element a (NULL: 0) */
	RTL_VIEW,     /* views[index] */
	RTL_VAR,      /* variable index of the body */
	RTL_PC, RTL_NEXT,
	RTL_MEM,      /* width bits of space index at a */
	RTL_ATOMIC,   /* irop (IrRmw; IR_RMW_COUNT: compare and swap) on space index at a with b (expected) and c; args[0] order */
	RTL_FENCE,    /* args: before, after; no value */
	RTL_TABLE,    /* tables[index], column index2, row a */
	RTL_BIN,      /* irop a, b */
	RTL_UN,       /* irop a: clz ctz popc bswap */
	RTL_FLOAT,    /* irop a, b, c; index = bits of the format in its name; args[0]: the mode; index2: rtl_float.c */
	RTL_NEG, RTL_NOT,
	RTL_LNOT, RTL_LAND, RTL_LOR, /* width 1; the right side is evaluated only if needed when it has effects */
	RTL_COND,     /* a ? b : c */
	RTL_SLICE,    /* a[index:index2] (hi, lo) */
	RTL_BIT,      /* a[b] */
	RTL_SX, RTL_ZX, /* a widened to width */
	RTL_CONCAT,   /* a @ b */
	RTL_CALL,     /* funcs[index](args) */
	RTL_HOST,     /* hosts[index](args) */
} RtlKind;

typedef struct RtlExpr RtlExpr;
struct RtlExpr {
	u8 kind;
	u8 width;    /* 0 until typed, unless explicit */
	u8 irop;
	u8 argc;
	bool explicit_width; /* SX, ZX with a given width; NUM with 'width */
	bool negative;       /* NUM: written with a minus */
	u16 index, index2;
	u32 pos;     /* offset in the source, for messages */
	u64 value;
	RtlExpr *a, *b, *c;
	RtlExpr **args;
};

/* How a RTL_FLOAT rounds that names no mode. */
static inline IrRound rtl_default_mode(const RtlExpr *e)
{
	return e->irop == IR_OP_FTOS || e->irop == IR_OP_FTOU ? IR_ROUND_ZERO : IR_ROUND_EVEN;
}

typedef enum RtlStmtKind {
	RTL_ASSIGN, /* lhs = rhs (also let, return) */
	RTL_IF,     /* if (cond) yes else no */
	RTL_FOR,    /* for var in lo .. hi (half-open) yes */
	RTL_JUMP,   /* rhs, flow */
	RTL_RAISE, RTL_STOP, /* rhs */
	RTL_SWAP,   /* lhs, rhs */
	RTL_DO,     /* rhs: a call for its effects */
	RTL_CHARGE, /* rhs cycles */
} RtlStmtKind;

/* What a statement, or a whole body, may do. */
enum RtlEffect {
	RTL_LOADS = 1, RTL_STORES = 2, RTL_HOSTS = 4, RTL_RAISES = 8, RTL_STOPS = 16, RTL_JUMPS = 32,
	RTL_IMPURE = RTL_LOADS | RTL_STORES | RTL_HOSTS | RTL_RAISES | RTL_STOPS | RTL_JUMPS,
};

typedef struct RtlStmt RtlStmt;
struct RtlStmt {
	u8 kind;
	u8 flow;    /* IrFlow */
	u8 effects; /* RtlEffect, with everything below */
	bool leaves; /* every path through it ends in raise or stop */
	u16 var;    /* FOR */
	u32 pos;
	RtlExpr *lhs, *rhs, *hi; /* FOR: rhs .. hi */
	RtlExpr *cond;
	RtlStmt *yes, *no; /* lists */
	RtlStmt *next;
};

typedef struct RtlBody {
	RtlStmt *stmts;
	RtlExpr *value;   /* a body that is one expression (view get, when) */
	u16 var_count;    /* parameters first */
	u16 param_count;
	u16 result_var;   /* 0xFFFF: no result */
	u8 *var_widths;   /* [var_count] */
	u64 loop_vars;    /* bit v: variable v counts a `for`; known at decode time, takes the width it meets */
	u32 nodes;        /* operations in it, with everything it pastes in */
	u8 result_width;
	u8 effects;
	bool store_then_fault; /* an access or raise may follow a store */
	bool alone;            /* a memory access may follow a store: see isa_lift.c */
} RtlBody;

typedef struct RtlFunc {
	const char *name;
	u32 name_len;
	RtlBody body;
} RtlFunc;

#endif
