/* SPDX-License-Identifier: MIT
 *
 * Loops with several ways in get one (region.c makes the graph; ssa_build.c follows the links).
 */
#ifndef JIT_REGION_TURN_H
#define JIT_REGION_TURN_H

#include "base/arena.h"
#include "jit/ssa.h"

enum { REGION_PEEL_INSNS = 80 }; /* so long is a loop at most whose first round is ahead of it */

/* Control may go from one source to another. */
typedef struct RegionEdge {
	u32 from, to;
} RegionEdge;

typedef struct RegionTurn {
	SsaRegion *region;
	u32 room;                /* of region->sources */
	u32 copies;              /* the highest `copy` so far */
	const u32 *insns;        /* per source: instructions until the next one begins; 0: it is not to be copied */
	const RegionEdge *edges; /* between sources of copy 0 */
	u32 edge_count;
	u32 *moved;              /* out, per source: where it is now, if a copy has its place; else itself */
	bool *comes_round;       /* out, per source that is a loop alone: often, once it is entered */
	Arena *arena;
} RegionTurn;

/* False: no memory. */
bool region_turn(RegionTurn *turn);

#endif
