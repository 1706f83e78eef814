/* SPDX-License-Identifier: MIT
 *
 * The register allocator: one walk forward over the region, which knows at each code what every register holds.
 *
 *     ssa_alloc_live.c     values; how far the next use of each is (over edges, too); hints
 *     ssa_alloc_start.c    what is where when a block begins
 *     ssa_alloc_walk.c     the codes of a block: operands, displaced values, results
 *     ssa_alloc_make.c     what ways out make themselves and is not stored for them
 *     ssa_alloc_finish.c   moves on edges, stores into spill slots
 *     ssa_alloc_slots.c    numbers of spill slots; PHIs share those of their arguments
 *
 * A value is in any number of registers, and besides it may always be read from memory: from its spill slot. A value that
 * gives up its register loses nothing, and nothing is emitted for it; if its slot is read somewhere, one store is placed
 * in the end, behind its definition or, if that is in a loop and the reads are not, out of the loop, or on the way to the reads.
 * Constants and HOMEs whose home is in memory are made again and have no slot.
 *
 * Who gives up a register: the value whose next use is the farthest, where to leave a loop is far and to be wanted by
 * snapshots only is farthest (Belady; M. Braun and S. Hack, "Register Spilling and Live-Range Splitting for SSA-Form
 * Programs", for loops).
 *
 * Blocks come in reverse postorder. A block begins with what its hottest predecessor so far left in registers; where
 * another predecessor left it otherwise, moves on that edge make it so. A loop begins with what is used in it, loaded
 * before it if need be. Whether that was wise is known when its last block is walked: a value that had to give up its
 * register in the loop would be loaded again on the way back. Then what was learnt is noted and the loop is walked again
 * (ra_learn), a few times at most, and no more than three times the whole. What only ways out want is no reason for that: it begins
 * in a register only where that costs nothing.
 *
 * Invariants: (1) what starts as held in a register is in it on all edges; (2) a slot is only read where its store was
 * passed on every path: the store stands where its value is defined or dominates all reads.
 */
#include "jit/ssa_alloc_private.h"

#include <stddef.h>
#include <string.h>

/* ---- Loops that are none ---- */

/* How often a loop came round, as far as anybody counted. */
static u64 rounds_of(const SsaFunc *func, u32 header)
{
	const SsaBlock *block = &func->blocks[header];
	u64 heat = block->heat;

	for (u32 k = 0; k < block->pred_count; k++) {
		const SsaBlock *pred = &func->blocks[block->preds[k]];

		if (pred->order >= block->order && !pred->cold && pred->heat > heat)
			heat = pred->heat;
	}
	return heat;
}

/* A loop that seldom comes round is a branch that happens to lead back: what is in registers is not decided for its sake.
 * Who has counted to the end may have done so long ago, and says nothing. */
static void weigh_loops(Ra *ra)
{
	enum { SELDOM = 4 };
	SsaFunc *func = ra->func;
	u64 most = 0;
	bool seldom = false;

	for (u32 p = 0; p < func->rpo_count; p++)
		most = func->blocks[func->rpo[p]].heat > most ? func->blocks[func->rpo[p]].heat : most;
	for (u32 p = ra->next_loop[0]; p < func->rpo_count; p = ra->next_loop[p + 1]) {
		u32 header = func->rpo[p], outer = func->blocks[header].outer;
		u64 inside = rounds_of(func, header), around = outer == SSA_NO_BLOCK ? 0 : rounds_of(func, outer);

		ra->blocks[p].brief = inside && inside < most && inside <= around;
		ra->blocks[p].seldom = ra->blocks[p].brief && SELDOM * inside <= around;
		seldom |= ra->blocks[p].seldom;
	}
	for (u32 p = 0; p < func->rpo_count && seldom; p++) {
		SsaBlock *block = &func->blocks[func->rpo[p]];

		for (u32 h = block->loop; h != SSA_NO_BLOCK; h = func->blocks[h].outer)
			block->depth -= ra->blocks[func->blocks[h].order].seldom;
	}
}

/* ---- Blocks in their order, loops again ---- */

static void prepare(Ra *ra)
{
	SsaFunc *func = ra->func;
	SsaAlloc *alloc = ra->alloc;

	ra->blocks = ARENA_ROOM(ra->arena, RaBlock, func->rpo_count + 1);
	ra->ending = ARENA_ARRAY(ra->arena, u32, func->rpo_count + 1);
	ra->base = ARENA_ARRAY(ra->arena, u32, func->rpo_count + 2);
	ra->next_loop = ARENA_ARRAY(ra->arena, u32, func->rpo_count + 1);
	if (!ra->blocks || !ra->ending || !ra->base || !ra->next_loop) {
		ra->failed = true;
		return;
	}
	for (u32 p = 0; p <= func->rpo_count; p++)
		memset(&ra->blocks[p], 0, offsetof(RaBlock, start));
	ra->allowed = alloc->allowed[SSA_GPR] | alloc->allowed[SSA_XMM] << 16;
	for (u32 s = 0; s < func->slot_count; s++)
		if (alloc->pin_reg[s] != RA_NO_REG)
			ra->pins |= ra_bit(alloc->pin_reg[s]);
	for (u32 p = 0; p < func->rpo_count; p++) {
		const SsaBlock *block = ra_block_at(ra, p);

		ra->blocks[p].far = p;
		for (u32 k = 0; k < block->pred_count; k++) {
			u32 pred = func->blocks[block->preds[k]].order;

			ra->blocks[pred].back[ra_block_at(ra, pred)->succ[0] != func->rpo[p]] = k;
			if (pred >= p) {
				ra->blocks[p].loops = true;
				ra->blocks[p].far = pred > ra->blocks[p].far ? pred : ra->blocks[p].far;
			}
		}
	}
	for (u32 p = 0; p < func->rpo_count; p++) {
		ra->base[p + 1] = ra->base[p] + alloc->block_codes[func->rpo[p]] + 3;
		if (!ra->blocks[p].loops)
			continue;
		ra->blocks[p].around = ra->ending[ra->blocks[p].far];
		ra->ending[ra->blocks[p].far] = p + 1;
	}
	ra->next_loop[func->rpo_count] = func->rpo_count;
	for (u32 p = func->rpo_count; p-- > 0;)
		ra->next_loop[p] = ra->blocks[p].loops ? p : ra->next_loop[p + 1];
	weigh_loops(ra);
}

/* The innermost loop that ends behind block p and is to be walked again; or p. */
static u32 again_from(Ra *ra, u32 p, u32 *budget)
{
	for (u32 h = ra->ending[p]; h--; h = ra->blocks[h].around) {
		RaBlock *head = &ra->blocks[h];
		u32 codes = ra->base[p + 1] - ra->base[h];

		if (head->seldom || head->tries >= 3 || codes > *budget || !ra_learn(ra, h))
			continue;
		*budget -= codes;
		head->tries++;
		ra->move_count = head->move_mark;
		ra->event_count = head->event_mark;
		ra->scene_count = head->scene_mark;
		ra->maybe_count = head->maybe_mark;
		for (u32 q = h; q <= p; q++)
			ra->blocks[q].done = false;
		return h;
	}
	return p + 1;
}

void ssa_allocate(SsaAlloc *alloc)
{
	Ra ra = {.alloc = alloc, .func = alloc->func, .arena = alloc->func->arena};
	u32 budget;

	prepare(&ra);
	budget = ra.failed ? 0 : 2 * ra.base[ra.func->rpo_count];
	if (!ra.failed)
		ra_collect(&ra);
	for (u32 p = 0; p < ra.func->rpo_count && !ra.failed;) {
		ra.at = p;
		ra.visit++;
		ra.blocks[p].move_mark = ra.move_count;
		ra.blocks[p].event_mark = ra.event_count;
		ra.blocks[p].lesson_mark = ra.lessons;
		ra.blocks[p].scene_mark = ra.scene_count;
		ra.blocks[p].maybe_mark = ra.maybe_count;
		ra_annotate(&ra, p);
		if (ra.failed)
			break;
		ra_start(&ra, p);
		ra_walk(&ra, p);
		ra_tell_behind(&ra, p);
		p = again_from(&ra, p, &budget);
	}
	if (!ra.failed)
		ra_finish(&ra);
	if (ra.failed)
		alloc->failed = true;
}
