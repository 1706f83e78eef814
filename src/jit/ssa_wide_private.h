/* SPDX-License-Identifier: MIT
 *
 * What ssa_wide.c (loops), ssa_wide_trace.c (ways round them), ssa_wide_pack.c (what is wide in them) and
 * ssa_wide_finish.c share.
 *
 * A *trace* is one way round an innermost loop, from its header back to it. Its nodes are looked at `copies` times over: a
 * value is a node and the number of the copy it is of. That of a header's PHI in copy n is what comes back from copy n - 1.
 */
#ifndef JIT_SSA_WIDE_PRIVATE_H
#define JIT_SSA_WIDE_PRIVATE_H

#include "jit/ssa_wide.h"

enum {
	WIDE_BLOCKS_MOST = 24, WIDE_ACCESSES_MOST = 16, WIDE_BRANCHES_MOST = 12, WIDE_PHIS_MOST = 24, WIDE_BRINGS_MOST = 8,
	WIDE_FETCHES_MOST = 16, WIDE_MOVED_MOST = 16,
	WIDE_COPIES_MOST = 8, WIDE_INSNS_MOST = 100, WIDE_DEPTH = 12, WIDE_FAR = 1 << 16,
};

/* (phi << shift) + base + off, each 0 if it is not there. twin: if that one begins as is said there. */
typedef struct WideLinear {
	SsaRef phi, base, twin;
	unsigned shift;
	u64 off;
} WideLinear;

typedef struct WidePhi {
	SsaRef ref, init, back;
	bool home;  /* no PHI: the FETCH of a slot that stays at home, which the trace brings something to behind it */
	bool steps; /* back is ref + step */
	u64 step;
	SsaRef like; /* it doesn't, but from the second round on it is this one, which does, + off */
	u64 off;
	bool asked;  /* to be so from the first round on */
} WidePhi;

typedef struct WideBranch {
	SsaRef ref;
	bool stay;     /* the trace goes on where the condition is 1 */
	bool counted;  /* the number of rounds says it all */
	u32 position;
} WideBranch;

typedef struct WideTrace {
	SsaFunc *func;
	u32 header, ahead, latch;
	u32 blocks[WIDE_BLOCKS_MOST], block_count;
	WidePhi phis[WIDE_PHIS_MOST];
	u32 phi_count;
	SsaRef accesses[WIDE_ACCESSES_MOST]; /* LOADs and STOREs, in order */
	u32 positions[WIDE_ACCESSES_MOST], access_count;
	WideBranch branches[WIDE_BRANCHES_MOST];
	u32 branch_count;
	struct { u32 slot; SsaRef value; } brings[WIDE_BRINGS_MOST];
	u32 bring_count, insns, length;
	bool floats;
	/* A FETCH is what was brought before it on the trace, or what was at home ahead of the loop. */
	struct { SsaRef ref, value; } fetches[WIDE_FETCHES_MOST];
	u32 fetch_count;
	SsaRef moved[WIDE_MOVED_MOST]; /* what does not change on the trace, made again ahead of the loop */
	u32 moved_count;
} WideTrace;

/* Per block. */
typedef struct WideWays {
	u32 *way;    /* how many blocks it is from there to the header; 0: it does not come there */
	u32 *queue;  /* blocks that have one */
	u32 count, blocks;
} WideWays;

/* ssa_wide_trace.c */
/* The trace of that loop; false: it is none that could be wide. ways: room for all blocks, 0. */
bool wide_trace(WideTrace *t, SsaFunc *func, u32 header, WideWays *ways);
bool wide_inside(const WideTrace *t, SsaRef ref);
/* The node that gives the value in that copy. A PHI of the header comes out in copy 0 alone. */
SsaRef wide_resolve(const WideTrace *t, SsaRef ref, u32 *copy);
/* The same made ahead of the loop, if nothing on the trace changes it; else itself. */
SsaRef wide_move(WideTrace *t, SsaRef ref, u32 copy);
const WidePhi *wide_phi(const WideTrace *t, SsaRef ref);
/* Arithmetic with floats that has a wide form. */
bool wide_float(const SsaFunc *func, const SsaNode *node);
bool wide_linear(const WideTrace *t, SsaRef ref, u32 copy, WideLinear *out);

/* ssa_wide_pack.c */
typedef struct WidePointer {
	SsaRef phi, base;
	unsigned shift;
	i64 step;      /* of all copies */
	SsaRef skew;   /* 0, or a number of bits: it is so far ahead */
} WidePointer;

/* One word of 64 bits that begins `right` bits into a word and ends in the next: right + left is 64, and right whole bytes. */
typedef struct WideMerge {
	SsaRef right, left;
} WideMerge;

typedef struct WideAccess {
	SsaRef ref;
	u32 copy, pointer, position;
	i64 off;
	bool store;
} WideAccess;

/* Four numbers that lie one behind the other. */
typedef struct WidePack {
	u32 pointer;
	i64 off;
	bool store;
	u32 first;     /* access of lane 0, in the order of addresses */
	u32 value;     /* virtual register: what was loaded; */
	u32 prev;      /* the time before, or NO_REG */
	bool out;
	bool there;    /* if it is put out, it still lies where it was */
} WidePack;

/* pointer b - pointer a must not lie between low and high. */
typedef struct WideApart {
	u32 a, b;
	i64 low, high;
} WideApart;

enum { WIDE_NO_REG = 255, WIDE_ALL_MOST = WIDE_ACCESSES_MOST * WIDE_COPIES_MOST, WIDE_PACKS_MOST = 16, WIDE_APARTS_MOST = 12 };

typedef struct WidePlan {
	WideTrace *trace;
	u32 copies;
	WidePointer pointers[SSA_WIDE_POINTERS_MOST];
	u32 pointer_count;
	WideAccess all[WIDE_ALL_MOST];
	u32 all_count;
	WidePack packs[WIDE_PACKS_MOST];
	u32 pack_count;
	WideApart aparts[WIDE_APARTS_MOST];
	u32 apart_count;
	WideMerge merges[SSA_WIDE_POINTERS_MOST]; /* what is to be so */
	u32 merge_count;
	SsaRef operands[SSA_WIDE_OPERANDS_MOST]; /* behind the pointers */
	u32 operand_count;
	SsaWideOp prepare[SSA_WIDE_OPS_MOST], round[SSA_WIDE_OPS_MOST];
	u32 prepare_count, round_count;
	struct { SsaRef ref[SSA_WIDE_LANES]; u8 copy[SSA_WIDE_LANES]; u8 reg; } known[SSA_WIDE_OPS_MOST];
	u32 known_count;
	u32 regs;       /* virtual */
	bool batch;     /* as in SsaWide */
	bool testing;   /* what is made is for a test */
	bool bad;       /* it does not work out */
} WidePlan;

/* With so many copies. False: it does not work out. */
bool wide_plan(WidePlan *plan, WideTrace *trace, u32 copies);
/* The pack that a LOAD is in, and its lane; it is an output from now on. NULL: none. */
WidePack *wide_output(WidePlan *plan, SsaRef load, u32 copy, u32 *lane);
void wide_add_round(WidePlan *p, SsaWideOp op);
/* Of one PHI: they differ only in how far they are ahead. */
bool wide_same_pointer(const WidePlan *p, u32 a, u32 b);

/* ssa_wide_finish.c: registers; the operations as WIDE wants them. */
bool wide_finish(WidePlan *plan, SsaWide *out, Arena *arena);

#endif
