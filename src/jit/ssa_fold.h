/* SPDX-License-Identifier: MIT
 *
 * Operations that become what they equal: what those who make them (ssa_build.c), the walk over a region (ssa_fold.c), the one place
 * where they are shared (ssa_share.c) and the rules (ssa_algebra.c, ssa_relation.c, ssa_known.c) have in common.
 *
 * A rule gives a ref that equals an operation and is simpler, or 0. It makes other operations with ssa_fold_make and the
 * helpers below, which are simplified and shared in turn and stand before the node that is looked at, where all operands of
 * its operands are. Nodes move in memory when one is made: rules copy the nodes they look at.
 */
#ifndef JIT_SSA_FOLD_H
#define JIT_SSA_FOLD_H

#include "jit/ssa.h"

typedef struct SsaKnownEntry SsaKnownEntry;

typedef struct SsaFold {
	SsaFunc *func;
	SsaRef at;       /* what is made stands before it; 0: at the end .. */
	u32 block;       /* .. of this block, which has none yet */
	u32 uses;        /* of what is made at the end: SsaNode.uses, as far as that is known */
	unsigned depth;  /* of rules that made what made this */
	/* Operations that dominate `at`, by what they compute: a hash with chains, whose newest entries are taken away when
	 * the walk leaves the blocks they dominate. */
	SsaKnownEntry *entries;
	u32 entry_count, entry_cap;
	u32 *heads, head_mask;
	/* Nodes whose mark says a value that they are known to have here. */
	SsaRef *marked;
	u32 mark_count, mark_cap;
	/* Of the first `settled` nodes: those that are made of something else than when they were last folded. Only they, and newer
	 * ones, may be anything simpler now. */
	u8 *changed;
	u32 settled;
	SsaRef truths[2]; /* the constants, once they are asked for */
	bool edges;      /* edges have changed */
	bool sets_flags; /* there is a SET_FLAGS */
} SsaFold;

/* ssa_share.c */
bool ssa_fold_start(SsaFold *f, SsaFunc *func, u32 nodes); /* for about so many; false: no memory (func->failed) */
SsaRef ssa_fold_make(SsaFold *f, unsigned op, unsigned width, unsigned aux, SsaRef a, SsaRef b, SsaRef c);
void ssa_fold_operation(SsaFold *f, SsaRef ref);  /* one that is there already: it stays, or becomes a COPY */
void ssa_fold_share_home(SsaFold *f, SsaRef ref); /* a HOME likewise */
void ssa_fold_learn(SsaFold *f, u32 block); /* a block behind one branch knows how it went, from here down */
void ssa_fold_forget(SsaFold *f, u32 entries, u32 marks); /* what came since there were so many */

/* ssa_algebra.c: an operation with its operands resolved; constants stand on the right of those that commute. */
SsaRef ssa_algebra(SsaFold *f, const SsaNode *node);
extern const bool ssa_commuting[SSA_OP_COUNT];
static inline bool ssa_commutes(unsigned op)
{
	return ssa_commuting[op];
}

/* ssa_relation.c */
SsaRef ssa_fold_compare(SsaFold *f, const SsaNode *node);
SsaRef ssa_fold_relations(SsaFold *f, unsigned op, SsaRef a, SsaRef b); /* AND, OR, XOR of compares of one pair */
SsaRef ssa_fold_invert(SsaFold *f, SsaRef a);

/* ssa_known.c: bits that may be 1; how many of the topmost bits are the same (at least 1). */
u64 ssa_may_be_one(const SsaFunc *func, SsaRef ref);
unsigned ssa_sign_bits(const SsaFunc *func, SsaRef ref);

/* What ref stands for at f->at. */
static inline SsaRef ssa_fold_value(const SsaFold *f, SsaRef ref)
{
	ref = ssa_value(f->func, ref);
	return f->func->nodes[ref].mark ? f->func->nodes[ref].mark : ref;
}
static inline unsigned ssa_width(const SsaFunc *func, SsaRef ref)
{
	return func->nodes[ssa_value(func, ref)].width;
}
static inline SsaRef ssa_fold_bin(SsaFold *f, unsigned op, SsaRef a, SsaRef b)
{
	unsigned width = ssa_width(f->func, a);

	if (op == IR_OP_CONCAT)
		width += ssa_width(f->func, b);
	else if (ir_op_info[op].shape == IR_SHAPE_CMP)
		width = 1;
	return ssa_fold_make(f, op, width, 0, a, b, 0);
}
static inline SsaRef ssa_fold_extract(SsaFold *f, SsaRef a, unsigned low, unsigned width)
{
	return width == ssa_width(f->func, a) ? a : ssa_fold_make(f, IR_OP_EXTRACT, width, low, a, 0, 0);
}
static inline SsaRef ssa_fold_widen(SsaFold *f, unsigned op, SsaRef a, unsigned width) /* ZX or SX */
{
	return width == ssa_width(f->func, a) ? a : ssa_fold_make(f, op, width, 0, a, 0, 0);
}
static inline SsaRef ssa_fold_not(SsaFold *f, SsaRef a)
{
	return ssa_fold_make(f, IR_OP_XOR, ssa_width(f->func, a), 0, a, ssa_const(f->func, ssa_width(f->func, a), ~(u64)0), 0);
}

#endif
