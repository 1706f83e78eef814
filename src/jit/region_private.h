/* SPDX-License-Identifier: MIT
 *
 * What the files that form a region share (region.c).
 */
#ifndef JIT_REGION_PRIVATE_H
#define JIT_REGION_PRIVATE_H

#include "jit/region.h"
#include "jit/ssa_shape.h"

/* A stretch of translated guest code. */
typedef struct RegionCode {
	const IrFunc *func;
	SsaShape *shape;
	u32 insns;
	bool dirty;
} RegionCode;

/* Where an instruction is: of one pc, the code that came first. */
typedef struct RegionSpot {
	u64 pc;
	u32 code;   /* + 1; 0: free */
	u32 at;     /* its INSN in func->ins */
	u32 source; /* of copy 0 that begins here, + 1 */
} RegionSpot;

typedef struct RegionFormer {
	Engine *engine;
	Vcpu *vcpu;
	Arena *arena;
	RegionPlan *plan;
	u64 context;
	u8 *slot_width;
	RegionSpot *spots;
	u32 spot_count, spot_cap;
	/* Bits by pc (region_bit): where sources of copy 0 begin; where there are spots. What has none need not be looked up. */
	u64 starts[8], known[8];
	RegionCode *codes;
	u32 code_count, code_cap;
	u32 source_cap, range_cap;
	u32 inlined, copies; /* instructions taken in; copies so far */
	u32 most;            /* sources */
	u32 shortest;        /* cells of the shortest instruction seen */
	bool guesses;        /* calls through registers may be taken in */
	bool jumps;          /* there are jumps through registers */
	bool stays;          /* nothing that is taken in may come back from a call: region_look_around ends where something does */
	bool failed;
} RegionFormer;

/* An end of a source. */
typedef struct RegionExit {
	const IrIns *jump; /* GOTO; NULL: it goes over to where another source begins */
	u64 to;
	bool known;
	u64 behind;        /* the pc behind its instruction */
	bool host;         /* it calls the host there, and goes on at `to` as behind a call; jump is NULL */
} RegionExit;

typedef bool RegionVisit(void *ctx, const RegionExit *exit);

static inline bool region_bit(const u64 set[8], u64 pc)
{
	return set[pc >> 7 & 7] >> (pc >> 1 & 63) & 1;
}

static inline void region_set_bit(u64 set[8], u64 pc)
{
	set[pc >> 7 & 7] |= (u64)1 << (pc >> 1 & 63);
}

/* ---- region.c ---- */
RegionSpot *region_spot(const RegionFormer *f, u64 pc);
/* Room for so many more sources, up to REGION_SOURCES in all. Where they were, they may still be read. */
bool region_more_sources(RegionFormer *f, u32 count);
/* All GOTOs that a source comes to before another one begins, and where one does; the instructions on the way. False: somebody
 * said so, or memory is out. */
bool region_follow(RegionFormer *f, const SsaSource *source, RegionVisit *visit, void *ctx, u32 *insns);

/* The first tier runs it. */
bool region_is_warm(const RegionFormer *f, u64 pc);
/* The place of pc, translated if need be; NULL: it stays outside. */
RegionSpot *region_have_code(RegionFormer *f, u64 pc);
/* Index + 1; 0: there is none. */
u32 region_add_source(RegionFormer *f, const RegionSpot *spot, u32 copy);
/* A source of copy 0 at pc: index + 1; 0: it stays outside. */
u32 region_want(RegionFormer *f, u64 pc);
/* What the sources lead to, from this one on. False: no memory, or a call comes back and f->stays. */
bool region_look_around(RegionFormer *f, u32 first);

/* ---- region_calls.c ---- */
/* The source ends with this call, which comes back to `back` (index + 1). Is what it calls, or usually calls, part of the region now?
 * *leaves: it may call on from there. */
bool region_take_in(RegionFormer *f, u32 source, const RegionExit *exit, u32 back, bool *leaves);

/* Likewise before anything is translated: does something on the ways from pc come back from a call that is not taken in? False: not
 * as far as one sees. */
bool region_comes_back(const RegionFormer *f, u64 pc);

/* ---- region_forks.c ---- */
void region_take_forks(RegionFormer *f);

/* ---- region_ends.c ---- */
void region_part_ways(RegionFormer *f);

#endif
