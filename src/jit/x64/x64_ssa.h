/* SPDX-License-Identifier: MIT
 *
 * From a region in SSA (jit/ssa.h) to x86-64.
 *
 *     x64_ssa_prepare.c   states of the ways out; what is needed at all; classes
 *     x64_ssa_fold.c      which nodes are done by their users
 *     x64_ssa_layout.c    in which order blocks come
 *     x64_ssa_select.c    a SsaCode per node that makes code -> ssa_allocate -> the same functions emit
 *     x64_ssa_int.c, x64_ssa_cond.c, x64_ssa_memory.c, x64_ssa_atomic.c, x64_ssa_wide.c, x64_ssa_float.c    nodes
 *     x64_ssa_leave.c     ways out, and their maps
 *     x64_ssa_emit.c      blocks, moves, jumps
 *
 * One function per kind of node, run twice. It first says what it needs (x64_arg_reg, x64_result ...): when selecting, this
 * fills a SsaCode; when emitting it gives the registers found. What comes behind `if (!s->emitting) return` is the
 * code. So the two can't disagree; a function must only ask in the same order both times.
 *
 * Registers: rbp rbx r14 rsp as in x64_code.h; r15 and xmm15 are scratch within one code and between codes; all others are
 * the allocator's. Values are held zero-extended.
 */
#ifndef JIT_X64_X64_SSA_H
#define JIT_X64_X64_SSA_H

#include "jit/ssa_alloc.h"
#include "jit/x64/x64_code.h"

enum {
	X64_SCRATCH = X64_R15, X64_XMM_SCRATCH = 15,
	X64_REGS = 0x3FC7,    /* all but rbx, rsp, rbp, r14, r15 */
	X64_XMMS = 0x7FFF, X64_XMMS_LEFT = 7, /* where slots are parked in the others */
};

/* How a node is done. */
typedef enum X64Way {
	X64_DEAD,   /* nobody needs it */
	X64_CODE,   /* it makes code */
	X64_FOLDED, /* its only user does it, too */
	X64_LOOKED, /* EXTRACT: all users look through it */
	X64_JOINED, /* SX, BRING: the LOAD does it */
	X64_LAZY,   /* only rare ways out want it, who make it themselves (ssa_lazy.c) */
} X64Way;

typedef struct X64Opd {
	bool in_memory;
	u8 reg;
	X64Mem mem;
} X64Opd;

/* A condition as flags. */
typedef struct X64Test {
	X64Cond cond;
	bool ordered; /* and (E) not P; its negation (NE): or P */
} X64Test;

typedef struct X64Late X64Late;

typedef struct X64Ssa {
	Engine *engine;
	JitRegion *region;
	SsaFunc *func;
	Arena *arena;
	SsaAlloc alloc;
	u32 code_cap, ref_cap;
	SsaRef *refs;      /* per code: the node it is emitted for; 0: none */
	u8 *way;           /* per node: X64Way */
	u8 *cls;           /* per node: SsaClass */
	bool *in_snap;     /* per node: some way out names it */
	SsaRef *joined;    /* per node: LOAD: the SX or BRING it does */
	u32 *low;          /* per node: of an EXTRACT: how many users take no more of its operand anyway; NULL: there is none */
	SsaRef *lows;      /* those */
	u32 low_count, low_cap;
	u32 *leaf_of;      /* per node: the last snapshot + 1 that names it, while they are completed; NULL: nothing is lazy */
	SsaRef home[JIT_PINS]; /* the HOME of each pinned slot .. */
	SsaSnapEntry home_entries[JIT_PINS]; /* .. and that as what a way out writes */
	u8 *pin_reg;       /* per slot */
	u8 *park_reg;      /* per slot: the xmm register where blocks have it parked, or JIT_NO_PIN */
	bool vectors;      /* it uses vector registers for itself: parked slots that it names are in memory meanwhile, .. */
	u32 away;          /* .. and those whose registers it uses: bit n is engine->parked[n]. After ssa_allocate */
	u64 named[SSA_SLOTS_MOST / 64]; /* slots whose homes it reads or may write */
	/* of the present code */
	bool emitting;
	SsaCode *code;
	SsaUse *uses;      /* room for those of the present code, selecting */
	u32 uses_left;     /* so many; never fewer than SSA_USES_MOST when a code begins */
	unsigned use_at, temp_at[SSA_CLASSES];
	JitExit *exit;     /* of the code, once made */
	/* emission */
	X64Buf x;
	u8 **labels;       /* per block */
	struct X64Fix { u8 *site; u32 block; } *fixes;
	u32 fix_count, fix_cap;
	struct X64Stub { u8 *site; JitExit *exit; } *stubs;
	u32 stub_count, stub_cap;
	struct X64Risk { const u8 *at, *to; const JitExit *exit; } *risks; /* accesses that the host may refuse; ascending. to: where to
	                                              go on, else the way out */
	u32 risk_count, risk_cap;
	X64Late *lates;    /* code aside, not emitted yet */
	struct X64Word { u8 *site; u64 value; } *words; /* numbers behind the code; site: displacement from rip */
	u32 word_count, word_cap;
	JitMap **maps;     /* hash */
	const JitMap *map; /* the last one, of .. */
	SsaSnap map_snap;
	const SsaPlace *map_places;
	bool jumped;       /* the block's code has already jumped */
	u32 *edge_in, *edge_out; /* per block: number + 1 of the edge whose moves come at its start, at its end */
	u32 next;          /* the block that is emitted next, or SSA_NO_BLOCK */
	bool failed, unsupported, has_bmi1, has_bmi2, has_lzcnt, has_popcnt;
} X64Ssa;

/* Code aside: emitted behind the region, it comes back. */
typedef enum X64LateKind {
	X64_LATE_CROSSING, X64_LATE_DIVIDE, X64_LATE_NAN, X64_LATE_NAN_HOME, X64_LATE_FTOS, X64_LATE_FTOU, X64_LATE_FMA,
	X64_LATE_GUESS, X64_LATE_ROOM,
} X64LateKind;

struct X64Late {
	X64Late *next;
	X64LateKind kind;
	u8 *site, *back;
	JitExit *exit;
	u32 bytes;     /* of the access; or the slot */
	u8 reg, temp, xmm, other, width, from;
};

/* ---- What a code needs (x64_ssa_select.c) ---- */

u8 x64_arg_reg(X64Ssa *s, SsaRef ref, bool early);      /* a general register */
u8 x64_arg_xmm(X64Ssa *s, SsaRef ref, bool early);
X64Opd x64_arg_any(X64Ssa *s, SsaRef ref, u8 cls, bool early);
/* The xmm register that is the home of a slot (of a HOME), or JIT_NO_PIN. */
u8 x64_ssa_park(const X64Ssa *s, u32 slot);
u8 x64_ssa_park_of(const X64Ssa *s, SsaRef ref);
bool x64_ssa_at_home(const X64Ssa *s, SsaRef ref);      /* x64_arg_any will be, or is, the home of a slot */
u8 x64_arg_fixed(X64Ssa *s, SsaRef ref, u8 reg, bool early); /* early: it may be clobbered */
u8 x64_arg_tied(X64Ssa *s, SsaRef ref, u8 cls);         /* the first; the result is made in its register */
u8 x64_result(X64Ssa *s, u8 cls);
u8 x64_result_in(X64Ssa *s, u8 reg);
u8 x64_temp(X64Ssa *s, u8 cls);
void x64_clobber(X64Ssa *s, u32 gprs, u32 xmms);
bool x64_imm(const X64Ssa *s, SsaRef ref, unsigned bits, i32 *value);
/* A call of the evaluator. */
void x64_ssa_evaluate(X64Ssa *s, SsaRef ref);
bool x64_ssa_select(X64Ssa *s);  /* all codes */
void x64_ssa_node(X64Ssa *s, SsaRef ref);
bool x64_ssa_makes_code(const X64Ssa *s, SsaRef ref);

/* ---- The rest ---- */

bool x64_ssa_prepare(X64Ssa *s);
void x64_ssa_note_extract(X64Ssa *s, const SsaNode *user, unsigned index, SsaRef operand);
void x64_ssa_fold(X64Ssa *s);
bool x64_ssa_layout(X64Ssa *s);
SsaRef x64_ssa_low(const X64Ssa *s, SsaRef ref); /* through EXTRACTs that are looked through */
static inline const SsaNode *x64_node(const X64Ssa *s, SsaRef ref)
{
	return &s->func->nodes[ssa_value(s->func, ref)];
}
static inline unsigned x64_bits(unsigned width)
{
	return width <= 32 ? 32 : 64;
}
bool x64_ssa_is_compare(const SsaNode *node);
/* Emits the compare that ref is made of, or a test of it. */
X64Test x64_ssa_test(X64Ssa *s, SsaRef ref);
void x64_ssa_setcc(X64Ssa *s, const SsaNode *node);
void x64_ssa_select_value(X64Ssa *s, const SsaNode *node);
bool x64_ssa_int(X64Ssa *s, SsaRef ref);    /* false: not known */
bool x64_ssa_float(X64Ssa *s, SsaRef ref);
void x64_ssa_canon(X64Ssa *s, const SsaNode *node);
X64Test x64_ssa_float_test(X64Ssa *s, const SsaNode *node);
void x64_ssa_load(X64Ssa *s, SsaRef ref);
void x64_ssa_store(X64Ssa *s, const SsaNode *node);
X64Mem x64_ssa_paged_cell(X64Ssa *s, const SsaNode *node, u8 mask, u8 want); /* of bytes, not looked at for crossing */
void x64_ssa_risk(X64Ssa *s); /* the next instruction is an access that may be refused */
bool x64_ssa_rmw(X64Ssa *s, SsaRef ref); /* false: not known */
bool x64_ssa_cas(X64Ssa *s, const SsaNode *node);
void x64_ssa_fetch(X64Ssa *s, SsaRef ref);
void x64_ssa_bring(X64Ssa *s, const SsaNode *node);
void x64_ssa_wide(X64Ssa *s, const SsaNode *node);
void x64_ssa_lane(X64Ssa *s, const SsaNode *node);
bool x64_ssa_flags(X64Ssa *s);
bool x64_ssa_set_flags(X64Ssa *s, const SsaNode *node);
void x64_ssa_late_crossing(X64Ssa *s, const X64Late *late);
void x64_ssa_late_divide(X64Ssa *s, const X64Late *late);
void x64_ssa_check(X64Ssa *s, const SsaNode *node);
void x64_ssa_mask(X64Ssa *s, unsigned width, u8 reg);
void x64_ssa_sx(X64Ssa *s, unsigned width, u8 to, u8 from); /* to 64 bits */

/* x64_ssa_leave.c */
JitExit *x64_ssa_exit(X64Ssa *s, JitExitKind kind, u32 more_refund); /* the present code's way out */
void x64_ssa_exit_if(X64Ssa *s, X64Cond cond);
void x64_ssa_add_stub(X64Ssa *s, u8 *site, JitExit *exit);
void x64_ssa_fuel(X64Ssa *s, const SsaNode *node);
void x64_ssa_refund(X64Ssa *s, const SsaNode *node);
void x64_ssa_leave(X64Ssa *s, const SsaNode *node);
void x64_ssa_home_store(X64Ssa *s, u32 slot, u8 reg);
void x64_ssa_home_imm(X64Ssa *s, u32 slot, i32 imm);
void x64_ssa_choose_away(X64Ssa *s); /* after ssa_allocate */
/* Parked slots are in their registers outside of regions (and wide rounds) that use those themselves. which: bit n is engine->parked[n] */
void x64_ssa_unpark(X64Ssa *s, u32 which);
void x64_ssa_park_again(X64Ssa *s, u32 which);
void x64_ssa_stubs(X64Ssa *s);
bool x64_ssa_list_faults(X64Ssa *s);
void x64_ssa_late_nan_home(X64Ssa *s, const X64Late *late);
void x64_ssa_late_guess(X64Ssa *s, const X64Late *late);
void x64_ssa_late_room(X64Ssa *s);

/* x64_ssa_emit.c */
X64Mem x64_ssa_place(const X64Ssa *s, const SsaPlace *place); /* in memory */
X64Mem x64_ssa_spill(const X64Ssa *s, u32 number);
void x64_ssa_move(X64Ssa *s, const SsaMove *move);
void x64_ssa_fix(X64Ssa *s, u8 *site, u32 block);
void x64_ssa_jump(X64Ssa *s, u32 block); /* nothing, if it comes next */
void x64_ssa_branch(X64Ssa *s, const SsaNode *node, X64Test test);
bool x64_ssa_jump_back_if(X64Ssa *s, const SsaNode *fuel, X64Cond cond);
X64Late *x64_ssa_late(X64Ssa *s, X64LateKind kind, u8 *site); /* back: here */
void x64_ssa_late_back(X64Ssa *s); /* the one begun last comes back here */
void x64_ssa_word(X64Ssa *s, u8 prefix, u32 opcode, u8 reg, u64 value); /* an operation with a number in memory */
void x64_ssa_here(X64Ssa *s, u8 *site); /* the jump leads to what comes now */
void x64_ssa_here_to(X64Ssa *s, u8 *site, const u8 *to);
void *x64_select_region(Engine *engine, SsaFunc *func, Status *status);
Status x64_emit_region(Engine *engine, JitRegion *region, void *selected);

/* x64_ssa_float.c: moves between classes and memory */
void x64_movq_to_xmm(X64Buf *x, unsigned width, u8 xmm, u8 reg);
void x64_movq_from_xmm(X64Buf *x, unsigned width, u8 reg, u8 xmm);
void x64_xmm_load(X64Buf *x, unsigned width, u8 xmm, X64Mem mem);
void x64_xmm_store(X64Buf *x, unsigned width, X64Mem mem, u8 xmm);
void x64_ssa_late_float(X64Ssa *s, const X64Late *late);
bool x64_ssa_float_native(const X64Ssa *s, const SsaNode *node);
void x64_float_compare(X64Buf *x, unsigned width, u32 opcode, u8 a, u8 b);

#endif
