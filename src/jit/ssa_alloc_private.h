/* SPDX-License-Identifier: MIT
 *
 * The inside of the allocator (ssa_alloc.c says how it works).
 *
 * Values have an id, 1..value_count - 1; 0 is none. Registers are numbered
 * 0..31 here: 16 * class + number; sets of them are u32.
 */
#ifndef JIT_SSA_ALLOC_PRIVATE_H
#define JIT_SSA_ALLOC_PRIVATE_H

#include "jit/ssa_alloc.h"

enum { RA_REGS = 32, RA_NO_REG = 0xFF };

/* The next use of a value, counted in codes from the start of the block; behind its end: as far as it is from there.
 * Loops that are left on the way count for much. */
enum {
	RA_DEAD = 0xFFFFFFFFu,
	RA_LEAVING = 0xFFFFFFFEu, /* the snapshot of the present code still wants it, then it is dead */
	RA_IDLE = 0xFFFFFFFDu,    /* only snapshots want it */
};

/* So far it is out of a loop, and to where it is cold; no edge is longer than RA_FAR. */
enum { RA_FAR = 0xFFFF, RA_LOOP = 0x3000, RA_COLD = 0x0800 };

typedef enum RaKind { RA_VALUE, RA_PHI, RA_CONST, RA_HOME } RaKind;

typedef struct RaValue {
	SsaRef ref;
	u32 code;      /* that defines it; RA_NO_CODE for PHIs and what needs no definition */
	u32 block;     /* where it is defined */
	u32 avoid;     /* registers that it had to leave before */
	u32 wished;    /* position + 1 of the loop that `wish` is about */
	u32 taught;    /* the round of learning that it is from */
	u32 event;     /* its last event + 1 */
	u32 slot;      /* of the JitFrame; HOME: the one it is the home of; CONST: its ref */
	u32 args;      /* PHIs: in ra->args, one for each predecessor */
	u8 cls, hint, kind, width, wish;
	u8 wanted;     /* RA_BY_CODE, RA_BY_SNAP; through PHIs, too */
	bool crosses;  /* lives across blocks */
	bool in_memory; /* a PHI that its edges store */
	bool local;    /* a HOME that is what it is in one block only */
	bool makeable; /* a way out could make it */
	bool many;     /* several codes define it: the HOME of a pinned slot where there are several entries */
} RaValue;

enum { RA_NO_CODE = 0xFFFFFFFFu };

/* The memory of a value is read in a block (or on an edge out of it). */
typedef struct RaEvent {
	u32 id, visit;
	u32 at, last; /* position of the block, of the last code in it */
	bool by_code; /* not only by snapshots that might make it */
} RaEvent;

/* What registers hold at the ways out of a block, until that changes. */
typedef struct RaScene {
	u32 set;      /* those that the ways out see */
	u32 at, last; /* as of events */
	u32 made;     /* what is made of it, last first: in alloc->made, + 1 */
	u32 made_count;
	u32 held[RA_REGS];
} RaScene;

/* A snapshot's value in memory, which the way out might make. */
typedef struct RaMaybe {
	u32 next;     /* of the same value: index + 1 */
	u32 id, scene;
	u32 place;    /* in snap_places */
} RaMaybe;

/* How far it is to the next use. */
typedef struct RaNear {
	u32 id;
	u32 distance;
} RaNear;

typedef struct RaPhi {
	u32 id, args;
} RaPhi;

typedef struct RaBlock {
	u32 starts, ends; /* registers that hold something then: */
	u32 far;        /* greatest position of a block that jumps back to it; its own if none does */
	RaNear *live;   /* what lives at its start and across blocks */
	u32 live_count, live_cap;
	u32 phi_first, phi_count; /* those that are wanted */
	u32 back[2];    /* which predecessor of its successors it is */
	u32 gen_first, gen_count, kill_first, kill_count;
	u32 move_mark, event_mark, lesson_mark, scene_mark, maybe_mark; /* loops: what stood there when it began */
	u32 wishes;     /* loops: index + 1 */
	u32 full;       /* loops: classes (as registers) of which not all values can stay */
	u32 around;     /* loops: another loop that ends in the same block + 1 */
	u8 tries;
	bool done, loops; /* walked; something jumps back to it */
	bool brief, seldom; /* a loop that comes round no more often than what is around it; much less often */
	u32 start[RA_REGS], end[RA_REGS]; /* ids. Not filled before `starts` and `ends` are; then 0 where nothing is held */
} RaBlock;

/* What an earlier try taught about the start of a loop: a value is to begin in this register, or in none. */
typedef struct RaWish {
	u32 next, id;
	u8 reg;
} RaWish;

typedef struct RaDef {
	u32 id, position, code;
} RaDef;

typedef struct Ra {
	SsaAlloc *alloc;
	SsaFunc *func;
	Arena *arena;
	u32 *id;           /* per node */
	u32 *named;        /* per entry of a snapshot: its id */
	RaValue *values;
	u32 value_count, value_cap;
	RaPhi *phis;
	u32 phi_count, phi_cap;
	u32 *args;         /* ids */
	u32 arg_count, arg_cap;
	RaBlock *blocks;   /* by position in rpo */
	u32 *ending;       /* by position: the innermost loop that ends there + 1; ra->blocks[].around: the next */
	u32 *base;         /* by position: a number for its start; codes are numbered from there on, with room for moves */
	u32 *next_loop;    /* by position: the first at or behind it where a loop begins */
	u32 *behind;       /* ids that live at the end of the present block */
	u32 behind_count;
	RaNear *gens;
	u32 gen_count, gen_cap;
	RaDef *defs;       /* of values with several */
	u32 def_count;
	u32 *kills;        /* ids */
	u32 allowed, pins; /* registers */
	/* the state */
	u32 held[RA_REGS]; /* id */
	u32 begun;         /* registers that held something before the moves of the present code */
	u32 changed;       /* by it or its moves: these registers, which held .. */
	u32 before[RA_REGS]; /* .. that before */
	u32 *regs;         /* per id: where it is held */
	u32 *next;         /* per id */
	u32 occupied, touched;
	u32 position;      /* of the code in its block */
	u32 at, visit;     /* position of the block; a number per visit */
	u32 depth;         /* of the block */
	u64 shown;         /* the entries of the last snapshot of the block whose places are all registers, constants and homes; 0: none */
	const SsaPlace *shown_places; /* those, */
	u32 shown_regs;    /* the registers of them, */
	u32 scene;         /* the present one + 1, if it is of this block; `stirred` is what has changed since */
	u32 stirred;       /* and which registers have changed since, up to the code before the present one */
	/* the present block, filled from behind by ra_annotate and read by the walk */
	u32 *after;        /* per use, from after_first on: next of its value behind the code */
	u32 after_first;
	u32 *first_use;    /* per code: of its result */
	u32 *leaving, *leaving_end; /* ids whose last use is the snapshot of code i: leaving[leaving_end[i + 1]] up to leaving_end[i] */
	u32 after_cap, leaving_cap, codes_cap;
	/* out */
	SsaMove *moves;    /* SPILL: number is still an id */
	u32 move_count, move_cap;
	RaEvent *events;
	u32 event_count, event_cap;
	RaScene *scenes;
	u32 scene_count, scene_cap;
	RaMaybe *maybes;
	u32 maybe_count, maybe_cap;
	RaWish *wishes;
	u32 wish_count, wish_cap, round, drops;
	u32 lessons;       /* how often a value turned out to be in somebody's way */
	bool failed;
} Ra;

/* On an edge, with others all at once. SPILL: id, later the slot. */
typedef struct RaTransfer {
	SsaPlace from, to;
	u32 id;        /* of what is moved */
	u8 width;
} RaTransfer;

/* A value that is in memory for some time. */
typedef struct RaSlot {
	u32 id;
	u32 first, last; /* numbers of codes, as ra->base counts */
	u32 reads;     /* a block that dominates all reads, or SSA_NO_BLOCK */
	u32 group;     /* index of the first of those that share the slot for sure */
	u32 next;      /* of the group, index + 1 */
	u32 from, to, members; /* of the first: of the whole group */
} RaSlot;

enum { RA_BY_CODE = 1, RA_BY_SNAP = 2 };

static inline u32 ra_bit(unsigned reg)
{
	return (u32)1 << reg;
}

static inline u32 ra_class(unsigned cls)
{
	return (u32)0xFFFF << 16 * cls;
}

static inline SsaPlace ra_place(unsigned reg)
{
	return (SsaPlace){.kind = SSA_PLACE_REG, .cls = (u8)(reg >> 4), .number = reg & 15};
}

static inline const SsaBlock *ra_block_at(const Ra *ra, u32 position)
{
	return &ra->func->blocks[ra->func->rpo[position]];
}

static inline bool ra_loses_nothing(const RaValue *value)
{
	return value->kind == RA_CONST || value->kind == RA_HOME;
}

/* The register that holds a value, of those in `set`; RA_NO_REG: none. */
static inline unsigned ra_found(const u32 *held, u32 id, u32 set)
{
	for (; set; set &= set - 1)
		if (held[__builtin_ctz(set)] == id)
			return (unsigned)__builtin_ctz(set);
	return RA_NO_REG;
}

/* Snapshots with the same entries, one behind the other in a block, say nothing new. */
static inline u64 ra_entries_of(const SsaSnap *snap)
{
	return (u64)snap->first << 32 | snap->count;
}

/* What PHI id gets from predecessor k; 0 never. */
static inline u32 ra_arg(const Ra *ra, u32 id, u32 k)
{
	return ra->args[ra->values[id].args + k];
}

/* ---- ssa_alloc_live.c ---- */
void ra_collect(Ra *ra);                 /* values, ids, distances, hints */
void ra_annotate(Ra *ra, u32 position);  /* next, after, first_use, leaving of this block */

/* ---- ssa_alloc_walk.c ---- */
void ra_walk(Ra *ra, u32 position);      /* the codes of a block, from its start to its end */
SsaPlace ra_memory_of(Ra *ra, u32 id);   /* where it is if in no register; noted as an event */
void ra_take(Ra *ra, unsigned reg, u32 id); /* the register now holds it (too); what was there loses it */
void ra_release(Ra *ra, u32 id);
u8 ra_pick(Ra *ra, u32 id, unsigned cls, u32 forbidden, bool evict);

/* ---- ssa_alloc_start.c ---- */
void ra_start(Ra *ra, u32 position);     /* what is where at the start of a block */
void ra_tell_behind(Ra *ra, u32 position); /* after its end: hints for PHIs behind it and their other arguments */
bool ra_learn(Ra *ra, u32 position);     /* the loop that begins there was walked: should it be, once more? */

/* ---- ssa_alloc_make.c ---- */
void ra_make(Ra *ra);                    /* decides what is made: snap_places say so, and it has no events any more */

/* ---- ssa_alloc_finish.c ---- */
/* Where the value is stored that is read below `reads`, out of loops if that is possible; SSA_NO_BLOCK: behind its definition. */
u32 ra_store_block(const Ra *ra, u32 id, u32 reads);
void ra_finish(Ra *ra);                  /* edges, stores, the arrays of the result */

/* ---- ssa_alloc_slots.c ---- */
/* Slots of all values that have events (values[].slot). What that makes needless of `transfers` is then from a slot to itself. */
RaSlot *ra_find_slots(Ra *ra, RaTransfer *transfers, u32 transfer_count, const SsaEdge *edges, u32 edge_count, u32 *count);
u32 ra_above(const SsaFunc *func, u32 b); /* the block that dominates it next; SSA_NO_BLOCK: none */
u32 ra_common(const SsaFunc *func, u32 x, u32 y); /* a block that dominates both */

#endif
