/* SPDX-License-Identifier: MIT
 *
 * The intermediate representation: what one block of guest instructions, or one handler of a machine, means.
 *
 * A function is a list of basic blocks; a block is a contiguous run of 16-byte instructions in func->ins, ended by
 * exactly one END op. Values are in SSA form: an IrRef names the instruction that made it, or, with IR_CONST_BIT
 * set, an interned constant. Block 0 is the entry. Types are widths: 1..64 bits, held zero-extended (docs/ir.md).
 *
 *    ins[]   | block 0 ........ | block 1 ..... | block 2 ... |      op width aux a b c
 *    consts[]  {width, value} ...      pool[] refs: arguments of JMP and HOST
 *
 * Two kinds of function:
 *   - a guest block (IR_FUNC_BLOCK): n guest instructions, each opened by INSN. Ends in GOTO, RAISE, ILLEGAL, STOP.
 *   - a handler (IR_FUNC_HANDLER): what `on raise`, `on read`, `interrupt`... do. Has ARGs, ends in RET, GOTO (sets
 *     pc), RAISE or STOP.
 *
 * Invariants (ir_verify checks them; run after every pass in debug builds):
 *  1. Definitions dominate uses. Refs are of the widths that the shape demands.
 *  2. A block that is entered by BR has no parameters and exactly one predecessor edge: no critical edges.
 *  3. Within one guest instruction no op with effect EXIT follows a PUT: registers change only after the last
 *     point at which the instruction can be left. So at every exit the slots hold the state at its start.
 *  4. A GET reads the slot as it was at the start of the instruction, except after HOST or a device access.
 *  5. INSN numbers rise by one along every path; pc constants are known.
 *  6. Control goes forward only: a block's successors stand behind it in ins[]. So every function ends.
 *
 * Ownership: everything lives in the arena given to ir_func_create. One thread at a time.
 */
#ifndef IR_IR_H
#define IR_IR_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/types.h"

typedef u32 IrRef; /* index into func->ins, or IR_CONST_BIT | index into func->consts */

enum {
	IR_CONST_BIT = 0x80000000u,
	IR_NONE = 0xFFFFFFFFu, /* no value; also returned by builders when memory is out */
	IR_RAW = 0x8000,       /* in aux of LOAD, STORE, RMW, CAS */
	IR_ATOMIC_SPACE = 0xFF, IR_ATOMIC_ORDER_SHIFT = 8, IR_ATOMIC_KIND_SHIFT = 10, /* aux of RMW, CAS: ir_atomic.c */
};

typedef enum IrOp {
#define X(name, shape, effects, text) IR_OP_##name,
#include "ir/ir_ops.def"
#undef X
	IR_OP_COUNT
} IrOp;

typedef enum IrShape {
	IR_SHAPE_LEAF,  /* aux only */
	IR_SHAPE_UN0,   /* a; no result */
	IR_SHAPE_BIN,   /* a, b of the result's width */
	IR_SHAPE_SHIFT, /* a of the result's width, b of any */
	IR_SHAPE_UN,    /* a of the result's width */
	IR_SHAPE_CONV,  /* a of another width */
	IR_SHAPE_CAT,   /* a, b; widths add */
	IR_SHAPE_CMP,   /* a, b of one width; result width 1 */
	IR_SHAPE_SEL,   /* a width 1; b, c of the result's width */
	IR_SHAPE_LOAD, IR_SHAPE_STORE, IR_SHAPE_HOST, IR_SHAPE_MARK,
	IR_SHAPE_RMW, IR_SHAPE_CAS, IR_SHAPE_FENCE,
	IR_SHAPE_JMP, IR_SHAPE_BR, IR_SHAPE_NONE, IR_SHAPE_RET,
	/* floats: width 32 or 64. With IR_FLOAT_FLAGS in aux the result has 5 bits, and aux says what width it had without. */
	IR_SHAPE_FUN,  /* a of the result's width */
	IR_SHAPE_FBIN, /* a, b */
	IR_SHAPE_FTRI, /* a, b, c */
	IR_SHAPE_FCMP, /* a, b of one width; result width 1 */
	IR_SHAPE_FOFI, /* a of any width */
	IR_SHAPE_FTOI, /* result of any width */
	IR_SHAPE_FTOF, /* 32 from 64 or 64 from 32 */
	IR_SHAPE_FCLASS, /* a; result width 10 */
} IrShape;

enum IrEffect {
	IR_EFFECT_PURE = 1, IR_EFFECT_READ = 2, IR_EFFECT_WRITE = 4,
	IR_EFFECT_REG = 8, IR_EFFECT_EXIT = 16, IR_EFFECT_END = 32,
};

/* Rounding modes, in RISC-V's coding: to nearest with ties to even, toward zero, down, up, to nearest with ties away. */
typedef enum IrRound {
	IR_ROUND_EVEN, IR_ROUND_ZERO, IR_ROUND_DOWN, IR_ROUND_UP, IR_ROUND_AWAY, IR_ROUND_COUNT
} IrRound;

/* aux of float operations: | width of the value (8..14), with FLAGS only | FLAGS (3) | IrRound (0..2) |
 * An operation that never rounds has IR_ROUND_EVEN. */
enum { IR_FLOAT_ROUND = 7, IR_FLOAT_FLAGS = 8, IR_FLOAT_WIDTH_SHIFT = 8 };

/* What an operation on floats raises (IEEE 754, 7), in RISC-V's coding. */
enum IrFloatFlag {
	IR_FLOAT_INEXACT = 1, IR_FLOAT_UNDERFLOW = 2, IR_FLOAT_OVERFLOW = 4, IR_FLOAT_DIVIDE = 8, IR_FLOAT_INVALID = 16,
};

/* What RMW does. */
typedef enum IrRmw {
	IR_RMW_SWAP, IR_RMW_ADD, IR_RMW_AND, IR_RMW_OR, IR_RMW_XOR, IR_RMW_MIN, IR_RMW_MAX, IR_RMW_MINU, IR_RMW_MAXU,
	IR_RMW_COUNT
} IrRmw;

/* Order of an atomic access with the accesses around it: a release comes after those before it, an acquire before those
 * behind it. An engine may always do both. */
enum IrOrder { IR_ORDER_NONE, IR_ORDER_RELEASE, IR_ORDER_ACQUIRE, IR_ORDER_BOTH };

/* How control goes on at a GOTO; the same for execution, different for prediction, debuggers and region formers. */
typedef enum IrFlow { IR_FLOW_NEXT, IR_FLOW_JUMP, IR_FLOW_CALL, IR_FLOW_RET } IrFlow;

typedef struct IrIns {
	u8 op;    /* IrOp */
	u8 width; /* of the result; for PUT and STORE of the value; 0 where there is none */
	u16 aux;
	u32 a, b, c;
} IrIns;

typedef struct IrConst {
	u64 value; /* zero-extended */
	u8 width;
} IrConst;

typedef struct IrBlock {
	u32 start, end; /* half-open range in func->ins; end == start until the block was begun */
	u32 params;
	bool begun;
} IrBlock;

typedef enum IrFuncKind { IR_FUNC_BLOCK, IR_FUNC_HANDLER } IrFuncKind;

typedef struct IrFunc {
	Arena *arena; /* borrowed */
	IrFuncKind kind;
	u32 args;     /* number of ARGs of a handler */
	IrIns *ins;
	u32 ins_count, ins_cap;
	IrConst *consts;
	u32 const_count, const_cap;
	u32 *const_index; /* hash of consts: number + 1, 0 = free */
	u32 const_index_cap;
	IrBlock *blocks;
	u32 block_count, block_cap;
	IrRef *pool;
	u32 pool_count, pool_cap;
	u32 current;   /* block being filled, or IR_NONE */
	u32 cse_floor; /* pure ops before this index are not shared with new ones (start of the dominating run) */
	bool failed;   /* memory ran out; the function is unusable */
} IrFunc;

typedef struct IrOpInfo {
	const char *name; /* as in ir_ops.def; ir_print shows it in lower case */
	u8 shape, effects;
} IrOpInfo;

extern const IrOpInfo ir_op_info[IR_OP_COUNT];

/* ---- Building. Builders append to the current block and fold as they go: the result may be a constant or an
 * earlier instruction. After a failure (func->failed) they return IR_NONE and may still be called. ---- */

IrFunc *ir_func_create(Arena *arena, IrFuncKind kind); /* NULL when memory is out */
u32 ir_block_create(IrFunc *func);                    /* a block to be begun later; block 0 exists and is begun */
void ir_block_begin(IrFunc *func, u32 block);          /* the previous one must have ended */
bool ir_block_ended(const IrFunc *func);               /* is there no current block? */

IrRef ir_const(IrFunc *func, unsigned width, u64 value); /* value is truncated to width */

static inline bool ir_is_const(const IrFunc *func, IrRef ref, u64 *value)
{
	if (ref == IR_NONE || !(ref & IR_CONST_BIT) || (ref & ~IR_CONST_BIT) >= func->const_count)
		return false;
	if (value)
		*value = func->consts[ref & ~IR_CONST_BIT].value;
	return true;
}

static inline unsigned ir_width(const IrFunc *func, IrRef ref)
{
	if (ref == IR_NONE)
		return 1; /* after a failure: anything that keeps callers going */
	if (ref & IR_CONST_BIT)
		return func->consts[ref & ~IR_CONST_BIT].width;
	return func->ins[ref].width;
}


IrRef ir_arg(IrFunc *func, unsigned index, unsigned width);
IrRef ir_param(IrFunc *func, unsigned width); /* a new parameter of the current block, before anything else in it */
IrRef ir_get(IrFunc *func, unsigned slot, unsigned width);
void ir_put(IrFunc *func, unsigned slot, IrRef value);
IrRef ir_bin(IrFunc *func, IrOp op, IrRef a, IrRef b);   /* BIN, SHIFT, CMP, CAT */
IrRef ir_un(IrFunc *func, IrOp op, IrRef a);             /* UN */
IrRef ir_not(IrFunc *func, IrRef a);
IrRef ir_neg(IrFunc *func, IrRef a);
IrRef ir_zx(IrFunc *func, IrRef a, unsigned width);      /* width >= width(a) */
IrRef ir_sx(IrFunc *func, IrRef a, unsigned width);
IrRef ir_extract(IrFunc *func, IrRef a, unsigned lo, unsigned width);
IrRef ir_select(IrFunc *func, IrRef cond, IrRef a, IrRef b);
/* Float operations: result width, operands (IR_NONE where the shape has fewer). `round` counts where they round. */
IrRef ir_float(IrFunc *func, IrOp op, IrRound round, unsigned width, IrRef a, IrRef b, IrRef c);
/* The flags (5 bits, IrFloatFlag) of what ir_float makes of the same arguments. */
IrRef ir_float_flags(IrFunc *func, IrOp op, IrRound round, unsigned width, IrRef a, IrRef b, IrRef c);
unsigned ir_float_operands(IrOp op); /* 1, 2 or 3; 0: not a float operation */
/* put SLOT, or(get SLOT, flags): gives the operation for the flags and the GET, or 0. */
u32 ir_noted_flags(const IrFunc *func, u32 put, u32 *get);
bool ir_float_rounds(IrOp op, unsigned width); /* can its result, of that width, depend on the mode? */
IrRef ir_load(IrFunc *func, unsigned space, unsigned width, IrRef address, bool raw);
void ir_store(IrFunc *func, unsigned space, IrRef address, IrRef value, bool raw);
/* Atomic accesses: the value that was there. */
IrRef ir_rmw(IrFunc *func, IrRmw kind, unsigned space, unsigned order, IrRef address, IrRef value, bool raw);
IrRef ir_cas(IrFunc *func, unsigned space, unsigned order, IrRef address, IrRef expected, IrRef value, bool raw);
void ir_fence(IrFunc *func, unsigned before, unsigned after); /* bits: 1 writes, 2 reads, 4 output, 8 input */
IrRef ir_host(IrFunc *func, unsigned host, unsigned width, const IrRef *args, unsigned count);
void ir_insn(IrFunc *func, u64 pc, unsigned length, unsigned number);
void ir_jmp(IrFunc *func, u32 block, const IrRef *args, unsigned count);
void ir_br(IrFunc *func, IrRef cond, u32 yes, u32 no);   /* a constant cond becomes JMP */
void ir_goto(IrFunc *func, IrRef pc, IrFlow flow);
void ir_raise(IrFunc *func, IrRef number);
void ir_illegal(IrFunc *func);
void ir_stop(IrFunc *func, IrRef code);
void ir_ret(IrFunc *func, IrRef value);                  /* IR_NONE = none */

/* What the op gives for constant operands: the one definition of each pure operation, used by the folder, the
 * interpreter's tests and the random testers. width is the result's, arg_width that of a. */
u64 ir_eval(IrOp op, unsigned width, unsigned arg_width, unsigned aux, u64 a, u64 b, u64 c);

/* What RMW stores: its one definition. */
u64 ir_rmw_value(IrRmw kind, unsigned width, u64 old, u64 value);

/* ---- Looking ---- */

/* Parts of aux of RMW and CAS. */
static inline unsigned ir_atomic_space(const IrIns *ins)
{
	return ins->aux & IR_ATOMIC_SPACE;
}
static inline IrRmw ir_atomic_kind(const IrIns *ins)
{
	return (IrRmw)(ins->aux >> IR_ATOMIC_KIND_SHIFT & 15);
}

/* A copy, all of which lies in the arena; nothing can be added to it. NULL: no memory. */
IrFunc *ir_copy(const IrFunc *from, Arena *arena);
/* Checks all invariants. False, with one line of text per fault in `why` (may be NULL), when one is broken. */
bool ir_verify(const IrFunc *func, Buf *why);
/* Prints the function; slot_name may be NULL (slots print as numbers). */
void ir_print(const IrFunc *func, const char *(*slot_name)(const void *ctx, unsigned slot), const void *ctx, Buf *out);

#endif
