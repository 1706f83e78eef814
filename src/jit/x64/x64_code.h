/* SPDX-License-Identifier: MIT
 *
 * The x86-64 target: which register is what, and the state of one block being compiled.
 *
 *     rbp  slots + 120, so that one byte of displacement reaches the first 31 slots, and in front of them the limit that
 *          addresses are compared with
 *     rbx  cell 0 of the paged space, or the spaces when none is    r14  what is left of the budget
 *     rsp  JitFrame (jit_private.h)
 *     rsi rdi r8 r9 r10 r11 r12               pinned registers of the guest
 *     xmm3 .. xmm14                           parked slots of the guest: those whose home is a vector register
 *     r13 r15                                 values within an instruction
 *     rax rcx rdx xmm0 xmm1 xmm2              for the code of one operation
 *
 * Between the instructions of a block only rbp, rbx, r14, rsp, and the registers of pinned and parked slots hold anything.
 */
#ifndef JIT_X64_X64_CODE_H
#define JIT_X64_X64_CODE_H

#include "jit/jit_private.h"
#include "jit/x64/x64_cells.h"
#include "jit/x64/x64_emit.h"

enum {
	X64_TEMPS = 2, X64_SPILLS = 64,
	X64_MIDDLE = 120,      /* rbp is so many bytes behind the slots: what a short displacement reaches begins with the limit */
	X64_UNDOS = 16,        /* stores of an instruction that may be taken back */
	/* The frame of compiled code, behind the slots (x64_frame). OPERATION: for whatever an operation needs. */
	X64_AT_OPERATION = 0, X64_AT_JUMPS = 8, X64_AT_ATTR = 16, X64_AT_FRAME = 24, X64_AT_SPACES = 32,
	X64_AT_STACK = 40,     /* rsp when nothing is on it but what enter put there */
	X64_AT_DEEP = 48,      /* below this there are enough of them */
	X64_WIDE = 560,        /* likewise: first of those where a WIDE puts out what it has, behind all spills */
	X64_FRAME = 600,       /* first of the entries behind the slots where this lies */
	X64_HINTS = 1024,      /* places for return addresses */
	X64_MXCSR = 0x1F80,    /* all exceptions masked, to nearest, no flags */
};

typedef enum PlaceKind {
	PLACE_NONE,
	PLACE_REG,    /* a register for values */
	PLACE_PIN,    /* the pinned register itself */
	PLACE_MEMORY, /* displacement from rbp: a slot, or where a value was put aside */
} PlaceKind;

typedef struct Value {
	u8 kind, reg;
	bool skip;       /* another operation does it */
	bool odd;        /* INSN: it may be the cold engine's, or store and leave behind that; all others are done in a straight line */
	i32 disp;
	u32 uses, last;  /* last: position of the last use */
	u32 claim;       /* position of the PUT whose register it is computed into, or 0 */
	u32 into;        /* LOAD: the SX that it does, too; or 0 */
	u32 cold;        /* first of an arm: the operation in it that is the cold engine's, or 0 */
	u32 undo;        /* operation that may leave the instruction: bits of the stores before it */
	u32 flags;       /* float operation: the operation for its flags, which the host keeps (x64_float.c); or 0 */
} Value;

/* site NULL: who comes is sent by a signal. */
typedef struct Stub {
	u8 *site;
	JitExit *exit;
} Stub;

/* A store that may be taken back (x64_undo.c): number `bit` of those of the instruction at `insn`. */
typedef struct Undo {
	u32 store, insn, bit;
	bool needed;
} Undo;

/* A way out that takes stores of its instruction back: bits of them. */
typedef struct UndoExit {
	const JitExit *exit;
	u32 stores, insn;
} UndoExit;

/* An access that the host may refuse. */
typedef struct Risk {
	const u8 *at;
	const JitExit *exit;
} Risk;

/* Where an access that is not aligned is looked at: it goes back, or leaves. */
typedef struct Crossing {
	u8 *site, *back;
	JitExit *exit;
	u32 bytes;
} Crossing;

typedef struct X64Code {
	Engine *engine;
	JitBlock *block;
	const IrFunc *func;
	X64Buf x;
	Value *values;
	u32 *block_at;       /* per instruction: the IR block that begins there, or IR_NONE */
	struct Label { u8 *at; u32 number; bool reached; } *labels; /* per IR block: where its code is (or NULL), in which instruction */
	struct Fix { u8 *site; u32 block, number; } *fixes;
	u32 fix_count, fix_cap;
	Stub *stubs;
	u32 stub_count, stub_cap;
	Crossing *crossings;
	u32 crossing_count, crossing_cap;
	Risk *risks;         /* ascending */
	u32 risk_count, risk_cap;
	u32 at;              /* position */
	u64 pc, next;        /* of the instruction, and behind it */
	u32 number;          /* how many of the block are before it */
	u32 insn;            /* position of its INSN */
	JitExit *bail;       /* its way out, once made */
	u32 bail_undo;       /* bits of the stores that it takes back */
	u32 *stored;         /* per IR block: the stores of the instruction that were done when it begins (x64_undo.c) */
	Undo *undos;
	u32 undo_count, undo_cap;
	UndoExit *undo_exits;
	u32 undo_exit_count, undo_exit_cap;
	EngineCount cold;    /* not 0: it is the cold engine's, for this reason */
	IrOp cold_op;        /* because of this operation */
	bool temp_used[X64_TEMPS];
	bool spill_used[X64_SPILLS];
	bool failed, unsupported;
	/* What there is in the block: most have nothing of it. */
	bool has_extract, has_branch, has_sign, has_float, has_flags; /* flags: a GET or PUT of their slot */
} X64Code;

/* x64_ops.c: one pure operation. False: it is not known, x64_code.c calls ir_eval. */
bool x64_emit_pure(X64Code *c, const IrIns *ins, u8 to);
/* x64_float.c. Finds the operations whose flags the host keeps; before anything is emitted, after uses were counted. */
void x64_match_flags(X64Code *c);
/* At the INSN of an instruction that reads or sets the flags otherwise: those the host still keeps come to the slot. */
void x64_gather_flags(X64Code *c, u32 insn);
bool x64_emit_float(X64Code *c, const IrIns *ins, u8 to);
/* The flags of the compare, as for a jump. */
X64Cond x64_emit_compare(X64Code *c, const IrIns *ins);

/* x64_start.c: the JitTarget's. */
bool x64_start(Engine *engine);
u32 x64_enter(Engine *engine, JitFrame *frame, const JitBlock *block);

/* x64_analyse.c */
IrRef x64_look_through(const X64Code *c, IrRef ref); /* its `skip` is set */
static inline IrRef x64_resolve(const X64Code *c, IrRef ref)
{
	return ref & IR_CONST_BIT || !c->values[ref].skip ? ref : x64_look_through(c, ref);
}
enum { X64_IN_POOL = 0xFF };
extern const u8 x64_operand_counts[IR_OP_COUNT];
unsigned x64_pool_operands(const IrFunc *func, const IrIns *ins, IrRef *out);
static inline unsigned x64_operands(const IrFunc *func, const IrIns *ins, IrRef *out) /* out: room for 16 */
{
	const u8 count = x64_operand_counts[ins->op];

	if (UNLIKELY(count == X64_IN_POOL))
		return x64_pool_operands(func, ins, out);
	out[0] = ins->a;
	out[1] = ins->b;
	out[2] = ins->c;
	return count;
}
bool x64_is_compare(const IrIns *ins);
bool x64_supported(const X64Code *c, const IrIns *ins); /* else the cold engine does the whole instruction */
bool x64_is_overwritten(const X64Code *c, u32 get); /* its slot, before its last use: then the GET is a copy */
void x64_analyse(X64Code *c);

/* x64_places.c */
i32 x64_slot(u32 slot); /* displacement from rbp */
X64Mem x64_frame(const Engine *engine, i32 at); /* X64_AT_... */
X64Mem x64_limit(void); /* in front of the slots: the first address behind the paged space */
/* The value in a register: its own, or `scratch`. Bits above the width of a 32-bit operand may be anything where it
 * was looked through to (x64_low). */
u8 x64_in(X64Code *c, IrRef ref, u8 scratch);
/* Is it in memory? */
bool x64_in_memory(const X64Code *c, IrRef ref, X64Mem *mem);
void x64_into_park(X64Code *c, u8 park, IrRef ref);
bool x64_lives_in(const X64Code *c, IrRef ref, u8 reg);
u8 x64_choose_place(X64Code *c, u32 at); /* for value `at`: computed there or, when it is in memory, in rax; then: */
void x64_settle(X64Code *c, u32 at, u8 reg);
void x64_release(X64Code *c, IrRef ref); /* a use; the place is free when it was the last */

/* x64_exit.c */
/* The displacement at `site` leads to this offset of the common code, also when the block is moved (jit_store.h). */
void x64_to_common(X64Code *c, u8 *site, u32 target);
void x64_add_stub(X64Code *c, u8 *site, JitExit *exit);
JitExit *x64_bail(X64Code *c); /* the present instruction is the cold engine's */
void x64_bail_if(X64Code *c, X64Cond cond);
void x64_emit_stubs(X64Code *c);
bool x64_guess_is_short(const JitExit *exit);
void x64_link(Engine *engine, JitExit *exit, const JitBlock *target); /* the JitTarget's */

/* x64_memory.c */
bool x64_access_supported(const X64Code *c, const IrIns *ins); /* LOAD, STORE */
bool x64_load_signs(const X64Code *c, const IrIns *ins); /* could it extend the sign, too? */
void x64_emit_load(X64Code *c, u32 at);
void x64_emit_store(X64Code *c, u32 at);
void x64_take_back(X64Code *c, const Undo *undo);
void x64_emit_crossings(X64Code *c); /* what was put aside, behind the code of the block */
void x64_list_faults(X64Code *c);    /* when the stubs are there */
/* Where an access to the paged space goes, once checked as far as it has to be; takes rax, rcx, rdx. */
X64Mem x64_checked(X64Code *c, IrRef address, unsigned bytes, u8 mask, u8 want);
void x64_risk(X64Code *c);           /* the next instruction of the host is the access */

/* x64_atomic.c: RMW, CAS */
bool x64_atomic_supported(const X64Code *c, const IrIns *ins);
void x64_emit_rmw(X64Code *c, u32 at);
void x64_emit_cas(X64Code *c, u32 at);
/* `to` becomes what `old`, the content so far, and `value` make; it is another register than `old`. */
void x64_combine(X64Buf *x, IrRmw kind, unsigned width, u8 to, u8 old, u8 value);

/* x64_undo.c */
bool x64_plan_undo(X64Code *c, u32 insn); /* at INSN; false: the instruction can't be done that way */
const Undo *x64_undo_of(const X64Code *c, u32 store); /* NULL: it need not be taken back */
i32 x64_undo_place(const X64Code *c, const Undo *undo, bool old); /* where the cell's index, and its old content, are kept */
void x64_note_undo(X64Code *c, const JitExit *exit, u32 stores);
void x64_emit_undo(X64Code *c, const JitExit *exit); /* at the start of its stub: rax, rcx, rdx change */

/* x64_control.c. next: the IR block that follows. */
void x64_fix(X64Code *c, u8 *site, u32 block); /* the jump leads to an IR block */
void x64_emit_goto(X64Code *c, const IrIns *ins);
void x64_emit_branch(X64Code *c, const IrIns *ins, u32 next);
void x64_emit_jump(X64Code *c, const IrIns *ins, u32 next);

/* x64_code.c: by ir_eval, into rax. */
void x64_evaluate(X64Code *c, const IrIns *ins);

/* x64_ops.c */
void x64_here(X64Code *c, u8 *site); /* the jump leads to what comes now */
void x64_in_signed(X64Code *c, unsigned width, u8 to, IrRef ref); /* into `to`, extended to 64 bits */

/* x64_start.c, x64_control.c: for both tiers. */
void x64_emit_lookup(const Engine *engine, X64Buf *x, u8 pc); /* the table of jumps; E: the pc there is at rdx + 8 * rcx */
/* What is left of rax where a return's pc goes to the table: who returns need not do that. So a pc with other bits is never returned to. */
i32 x64_return_mask(const Engine *engine);
bool x64_may_return_to(const Engine *engine, u64 pc);
void x64_emit_is_pc(X64Buf *x, u64 pc);                /* compares rax; rcx is lost */
void x64_emit_room(const Engine *engine, X64Buf *x);   /* on the stack, for a call */
void x64_emit_is_deep(const Engine *engine, X64Buf *x); /* compares: BE: there is none, */
void x64_emit_anew(const Engine *engine, X64Buf *x);    /* and this makes it begin anew */

extern const JitTarget x64_target;
extern const u8 x64_flags_of_mxcsr[64]; /* JitTarget.constants */
u64 x64_features(void);

extern const u8 x64_temp_regs[X64_TEMPS];
extern const u8 x64_pin_regs[JIT_PINS];
extern const u8 x64_park_regs[JIT_PARKS]; /* xmm */

#endif
