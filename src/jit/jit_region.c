/* SPDX-License-Identifier: MIT
 *
 * Regions among the blocks: how control comes to them, and what ends them.
 *
 * An entry of a region stands in for the code of the block with its pc: the block's `entry` is the region's code then, and
 * all that led to the block leads there (chains, the table of jumps). The block's own code stays, so that a region can be
 * taken away again. A region hangs on every page that any of its guest code is from, and dies with the first byte of it that
 * changes, or with any of the blocks it stands in for.
 */
#include "jit/jit_life.h"

/* Everything that leads to the block leads to offset `entry` from now on. */
static void redirect(Engine *engine, JitBlock *block, u32 entry)
{
	block->entry = entry;
	for (JitExit *exit = block->incoming; exit; exit = exit->next)
		jit_relink(engine, exit, block);
	jit_cache_move_jump(engine, block);
}

static bool hang_on(Engine *engine, JitRegion *region, u64 number)
{
	JitPage *page = jit_page_make(engine, number);
	JitRegionLink *link;

	if (page && page->regions && page->regions->region == region) /* ranges of one page come one behind the other, mostly */
		return true;
	link = page ? ARENA_NEW(&engine->blocks, JitRegionLink) : NULL;
	if (!link)
		return false;
	*link = (JitRegionLink){.region = region, .next = page->regions};
	page->regions = link;
	return true;
}

bool jit_region_hang(Engine *engine, JitRegion *region)
{
	for (u32 i = 0; i < region->range_count; i++) {
		const struct JitRange *range = &region->ranges[i];
		u64 last = (range->pc + (range->cells ? range->cells - 1 : 0)) >> JIT_PAGE_SHIFT;

		for (u64 number = range->pc >> JIT_PAGE_SHIFT; number <= last; number++)
			if (!hang_on(engine, region, number)) {
				region->dead = true;
				return false;
			}
	}
	return true;
}

/* Two can't stand for one block. Where calls come back to, the larger does: it knows more of what runs behind, which an early one leaves for
 * each time. */
static bool gives_way(JitRegion *old, const JitBlock *block, const JitRegion *region)
{
	if (old->head == block || old->guest_insns >= region->guest_insns)
		return false;
	for (u32 i = 0; i < old->entry_count; i++)
		if (old->entries[i].block == block)
			old->entries[i].block = NULL;
	return true;
}

void jit_region_attach(Engine *engine, JitRegion *region)
{
	for (u32 i = 0; i < region->entry_count; i++) {
		JitBlock *block = i ? jit_cache_find(engine, region->entries[i].pc, region->context) : region->head;

		if (!block || block->cold || (block->region && !gives_way(block->region, block, region)))
			continue;
		region->entries[i].block = block;
		block->region = region;
		redirect(engine, block, region->entries[i].at);
	}
}

void jit_region_kill(Engine *engine, JitRegion *region)
{
	if (region->dead)
		return;
	region->dead = true;
	engine->deaths++;
	jit_life_region_killed(engine, region);
	for (u32 i = 0; i < region->entry_count; i++) {
		JitBlock *block = region->entries[i].block;

		if (!block)
			continue;
		block->region = NULL;
		if (block->counter)
			*block->counter = engine->hot;
		redirect(engine, block, block->own);
	}
	for (u32 i = 0; i < region->exit_count; i++)
		jit_exit_unchain(engine, engine->exits[region->first_exit + i]);
}

void jit_region_invalidate(Engine *engine, JitPage *page, u64 address, u64 count)
{
	JitRegionLink **at = &page->regions;

	while (*at) {
		JitRegion *region = (*at)->region;

		for (u32 i = 0; i < region->range_count && !region->dead; i++) {
			const struct JitRange *range = &region->ranges[i];

			if (address - range->pc < range->cells || range->pc - address < count)
				jit_region_kill(engine, region);
		}
		if (region->dead)
			*at = (*at)->next;
		else
			at = &(*at)->next;
	}
}
