/* SPDX-License-Identifier: MIT
 *
 * The register allocator: one walk forward over the region, which knows at each code what every register holds.
 *
 *     ssa_alloc_live.c     values; how far the next use of each is (over edges, too); hints
 *     ssa_alloc_start.c    what is where when a block begins
 *     ssa_alloc_walk.c     the codes of a block: operands, displaced values, results
 *     ssa_alloc_finish.c   moves on edges, stores into spill slots, places of spill slots
 *
 * A value is in any number of registers, and besides it may always be read from memory: from its spill slot. A value that
 * gives up its register loses nothing, and nothing is emitted for it; if its slot is read somewhere, one store is placed
 * in the end, behind its definition or, if that is in a loop and the reads are not, out of the loop. Constants and HOMEs
 * whose home is in memory are made again and have no slot.
 *
 * Who gives up a register: the value whose next use is the farthest, where to leave a loop is far and to be wanted by
 * snapshots only is farthest (Belady; M. Braun and S. Hack, "Register Spilling and Live-Range Splitting for SSA-Form
 * Programs", for loops).
 *
 * Blocks come in reverse postorder. A block begins with what its hottest predecessor so far left in registers; where
 * another predecessor left it otherwise, moves on that edge make it so.
 *
 * Invariants: (1) what starts as held in a register is in it on all edges; (2) a slot is only read where its store was
 * passed on every path: the store stands where its value is defined or dominates all reads.
 */
#include "jit/ssa_alloc_private.h"

#include <string.h>

static void prepare(Ra *ra)
{
	SsaFunc *func = ra->func;
	SsaAlloc *alloc = ra->alloc;
	u32 places = 0;

	ra->blocks = ARENA_ARRAY(ra->arena, RaBlock, func->rpo_count + 1);
	if (!ra->blocks) {
		ra->failed = true;
		return;
	}
	ra->allowed = alloc->allowed[SSA_GPR] | alloc->allowed[SSA_XMM] << 16;
	for (u32 s = 0; s < func->slot_count; s++)
		if (alloc->pin_reg[s] != RA_NO_REG)
			ra->pins |= ra_bit(alloc->pin_reg[s]);
	for (u32 p = 0; p < func->rpo_count; p++) {
		const SsaBlock *block = ra_block_at(ra, p);

		ra->blocks[p].far = p;
		for (u32 k = 0; k < block->pred_count; k++) {
			u32 pred = func->blocks[block->preds[k]].order;

			if (pred >= p) {
				ra->blocks[p].loops = true;
				ra->blocks[p].far = pred > ra->blocks[p].far ? pred : ra->blocks[p].far;
			}
		}
	}
	for (u32 c = 0; c < alloc->code_count; c++) {
		SsaCode *code = &alloc->codes[c];

		code->move_first = code->move_count = 0;
		code->snap_place = places;
		if (code->snap != ~(u32)0)
			places += func->snaps[code->snap].count;
	}
	alloc->snap_place_count = places;
	alloc->snap_places = ARENA_ARRAY(ra->arena, SsaPlace, places + 1);
	if (!alloc->snap_places)
		ra->failed = true;
}

void ssa_allocate(SsaAlloc *alloc)
{
	Ra ra = {.alloc = alloc, .func = alloc->func, .arena = alloc->func->arena};

	prepare(&ra);
	if (!ra.failed)
		ra_collect(&ra);
	for (u32 p = 0; p < ra.func->rpo_count && !ra.failed; p++) {
		ra.at = p;
		ra.visit++;
		ra_annotate(&ra, p);
		if (ra.failed)
			break;
		ra_start(&ra, p);
		ra_walk(&ra, p);
	}
	if (!ra.failed)
		ra_finish(&ra);
	if (ra.failed)
		alloc->failed = true;
}
