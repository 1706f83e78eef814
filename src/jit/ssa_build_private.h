/* SPDX-License-Identifier: MIT
 *
 * The inside of ssa_build.c: pieces, and what is known while nodes are made of them.
 */
#ifndef JIT_SSA_BUILD_PRIVATE_H
#define JIT_SSA_BUILD_PRIVATE_H

#include "jit/ssa_fold.h"
#include "jit/ssa_home.h"
#include "jit/ssa_shape.h"

enum { SSA_NONE = 0xFFFFFFFFu }; /* no source, no piece */

typedef enum SsaPieceEnd {
	SSA_PIECE_IR,    /* the last operation of its block of the IR */
	SSA_PIECE_GO,    /* to the piece succ[0] */
	SSA_PIECE_GUESS, /* likewise; its GOTO is compared with a guess of the source: if that is it, succ[0]; else succ[1], an empty
	                    piece of .. */
	SSA_PIECE_ASTRAY, /* .. the same kind, or this */
	SSA_PIECE_LINK,  /* to `target`, which is no source */
	SSA_PIECE_COLD,  /* at the operation `end`, which is the cold engine's (or at INSN `end`) */
} SsaPieceEnd;

typedef struct SsaPiece {
	u32 source;       /* SSA_NONE: the entry in front of succ[0] */
	u32 ir;           /* block of the IR */
	u32 start, end;   /* its operations */
	u8 how;           /* SsaPieceEnd */
	u32 guess;        /* GUESS: which */
	bool header;      /* somebody jumps back to it */
	u32 loop;         /* header of the innermost loop around it (its own, if it is one); SSA_NONE: none */
	u32 outer;        /* of a header: that of the loop around */
	u64 weight;       /* of a header: how often its loop goes round, by estimate, in units of SSA_ONCE */
	u64 pc;           /* of the instruction that it begins in */
	u64 target;
	u32 length;       /* of that instruction, in cells */
	u32 succ[2], succ_count;
	u32 *preds, pred_count, pred_room;
	u32 order;        /* position in build->order; SSA_NONE: cannot be reached */
	u32 idom;         /* the piece that dominates it; itself for entries; SSA_NONE: none does */
	u32 block;        /* of func */
	bool goes_on;     /* in the block of its only predecessor, which leads nowhere else */
	bool wanted;      /* such a one: that has come to it */
	u64 *written;     /* bits: slots it PUTs; for headers afterwards: that change in the loop */
	SsaRef *state, *homes, *near; /* at its end */
	SsaRef *told;     /* `state`, each value as it is known there: what PHIs get from here */
	bool built;
} SsaPiece;

typedef struct SsaBuild {
	const SsaRegion *region;
	Arena *arena;
	SsaFunc *func;
	const SsaShape **shapes; /* per source */
	SsaRef **refs;    /* per source: values of its IR, from source->begin on */
	u32 *ends;        /* per source: where the last of its pieces ends */
	SsaPiece *pieces;
	u32 piece_count, piece_cap;
	u32 *top;         /* per source: its first piece */
	u32 *map;         /* hash of (pc, copy): source + 1 */
	u32 map_cap;
	u64 begins[8];    /* bits: a source begins at such a pc (a hash) */
	u32 *order, order_count;
	u32 *last;        /* per block: the last of its pieces that is built */
	u32 entries;      /* pieces that are entries: the first ones */
	u32 words;        /* of a set of slots */
	u64 *region_written;
	u32 *slots, slot_count; /* those that are written, ascending */
	SsaWeights weights;
	bool stay;        /* some slots stay at home */
	bool sets_flags;  /* something PUTs the flags of floats */
	SsaRef *single;   /* one entry: HOME per slot */
	bool failed;
	SsaFold fold;     /* what is known where nodes are made */
	bool again;       /* what was folded was not all known then: ssa_fold would find more */
	/* of the piece that is built */
	u32 piece, block;
	const SsaShape *shape; /* of its source, whose values are */
	SsaRef *values;        /* those of operations from `begin` on, */
	u32 begin, value_count; /* so many */
	SsaRef *state, *homes;
	SsaRef *near;     /* per slot that stays at home: what it has there, where that is known */
	u64 pc;
	u32 length;
} SsaBuild;

/* ---- ssa_build_pieces.c ---- */
bool ssa_build_map(SsaBuild *b);    /* sources by address */
void ssa_build_cut(SsaBuild *b);    /* all sources into pieces */
void ssa_build_order(SsaBuild *b);
void ssa_build_dominators(SsaBuild *b); /* and which pieces go on in the block of another */
/* Where a jump to `pc` from a source goes: a source, or SSA_NONE. */
u32 ssa_build_target(const SsaBuild *b, u32 from, u64 pc, unsigned flow);

/* ---- ssa_build_loops.c ---- */
void ssa_build_written(SsaBuild *b); /* per header: what its loop changes */
void ssa_build_homes(SsaBuild *b);   /* which slots stay at home */

/* ---- ssa_build_webs.c ---- */
bool ssa_build_webs(SsaBuild *b);    /* PHIs of one value through others; were there any? */

/* ---- ssa_build_nodes.c ---- */
SsaRef ssa_build_append(SsaBuild *b, unsigned op, unsigned width, unsigned aux, SsaRef x, SsaRef y, SsaRef z, u64 imm);
SsaRef ssa_build_home(SsaBuild *b, u32 slot); /* HOME of a slot, which the present block knows */
SsaRef ssa_build_settled(const SsaBuild *b, SsaRef ref, u32 slot); /* what the state of a slot says of this value */
/* Of the source whose piece is built: a value of its IR, one of its operations. */
SsaRef ssa_build_value(SsaBuild *b, IrRef ref);
void ssa_build_ins(SsaBuild *b, u32 at);

#endif
