/* SPDX-License-Identifier: MIT
 *
 * Which blocks there are, how they are chained, and what of them has to go when code changes.
 *
 *   hash        (pc, context, single) -> block
 *   jump_cache  direct-mapped pc -> block, for computed jumps inside the loop
 *   page_hash   page of the code space -> the blocks made from it; a page is a granule of attributes, or 64 cells
 *               where each cell has an attribute of its own
 *
 * Invalidation is lazy about attributes: a dead block's other cells stay marked ATTR_CODE, and the first store to
 * each of them comes here, finds nothing, and clears the mark. So invalidating costs as much as there is to kill.
 *
 * Pages whose code changes again and again get short blocks, then single instructions: what is translated anew for
 * each store is then no more than what will run. A page of the index that is a cell's neighbours keeps that mark; a granule
 * of thousands of cells forgets it with time, since a compiler at run time patches its pages now and then for ever.
 *
 * Data may lie beside code. Each page knows which of its 64 parts have code, so that storing the data kills nobody and looks
 * at no list.
 */
#include "interp/interp_private.h"

#include <stdlib.h>

enum { SHORT_INSNS = 8 };

static u32 block_hash(u64 pc, u64 context, bool single)
{
	return (u32)(((pc ^ context << 32 ^ context >> 7 ^ (u64)single << 63) * 0x9E3779B97F4A7C15u) >> 32);
}

bool interp_cache_init(Engine *engine)
{
	engine->nowhere = calloc(1, sizeof(Block));
	engine->hash_cap = 256;
	engine->hash = calloc(engine->hash_cap, sizeof(Block *));
	engine->page_cap = 64;
	engine->page_hash = calloc(engine->page_cap, sizeof(CodePage *));
	if (!engine->nowhere || !engine->hash || !engine->page_hash)
		return false;
	engine->nowhere->cost = engine->nowhere->pc = engine->nowhere->context = ~(u64)0;
	for (u32 i = 0; i < JUMP_CACHE; i++)
		engine->jump_cache[i] = engine->nowhere;
	return true;
}

static void free_block(Engine *engine, Block *block)
{
	*engine->bytes -= block->bytes;
	free(block->pages);
	free(block);
}

void interp_cache_bury(Engine *engine)
{
	while (engine->graveyard && !engine->host_depth) {
		Block *block = engine->graveyard;

		engine->graveyard = block->grave_next;
		free_block(engine, block);
	}
}

void interp_cache_fini(Engine *engine)
{
	interp_cache_bury(engine);
	for (u32 i = 0; engine->hash && i < engine->hash_cap; i++)
		for (Block *block = engine->hash[i], *next; block; block = next) {
			next = block->hash_next;
			free_block(engine, block);
		}
	for (u32 i = 0; engine->page_hash && i < engine->page_cap; i++)
		for (CodePage *page = engine->page_hash[i], *next; page; page = next) {
			next = page->next;
			free(page);
		}
	free(engine->hash);
	free(engine->page_hash);
	free(engine->nowhere);
}

Block *interp_cache_find(const Engine *engine, u64 pc, u64 context, bool single)
{
	Block *block = engine->hash[block_hash(pc, context, single) & (engine->hash_cap - 1)];

	while (block && (block->pc != pc || block->context != context || block->single != single))
		block = block->hash_next;
	return block;
}

/* A table that can't grow only gets slower. */
static void grow_hash(Engine *engine)
{
	u32 cap = engine->hash_cap * 2;
	Block **hash = calloc(cap, sizeof(Block *));

	if (!hash)
		return;
	for (u32 i = 0; i < engine->hash_cap; i++)
		for (Block *block = engine->hash[i], *next; block; block = next) {
			u32 at = block_hash(block->pc, block->context, block->single) & (cap - 1);

			next = block->hash_next;
			block->hash_next = hash[at];
			hash[at] = block;
		}
	free(engine->hash);
	engine->hash = hash;
	engine->hash_cap = cap;
}

/* ---- Chains ---- */

static void unlink_exit(const Engine *engine, Exit *exit)
{
	if (!exit->target)
		return;
	*exit->link = exit->next;
	if (exit->next)
		exit->next->link = exit->link;
	exit->target = NULL;
	exit->owner->uops[exit->uop].imm = (u64)(uintptr_t)engine->nowhere;
}

void interp_exit_link(Exit *exit, Block *target)
{
	if (exit->target || exit->owner->dead || target->dead)
		return;
	exit->target = target;
	exit->next = target->incoming;
	exit->link = &target->incoming;
	if (exit->next)
		exit->next->link = &exit->next;
	target->incoming = exit;
	exit->owner->uops[exit->uop].imm = (u64)(uintptr_t)target;
}

/* ---- Pages ---- */

static unsigned page_shift(const Space *space)
{
	return space->attr_shift ? space->attr_shift : PAGE_SHIFT;
}

static u32 page_slot(const Engine *engine, u64 number)
{
	return (u32)((number * 0x9E3779B97F4A7C15u) >> 32) & (engine->page_cap - 1);
}

static CodePage *find_page(const Engine *engine, u64 number)
{
	CodePage *page = engine->page_hash[page_slot(engine, number)];

	while (page && page->number != number)
		page = page->next;
	return page;
}

static void grow_pages(Engine *engine)
{
	u32 old = engine->page_cap;
	CodePage **before = engine->page_hash, **hash = calloc((size_t)old * 2, sizeof(CodePage *));

	if (!hash)
		return;
	engine->page_cap = old * 2;
	engine->page_hash = hash;
	for (u32 i = 0; i < old; i++)
		for (CodePage *page = before[i], *next; page; page = next) {
			u32 at = page_slot(engine, page->number);

			next = page->next;
			page->next = hash[at];
			hash[at] = page;
		}
	free(before);
}

static CodePage *make_page(Engine *engine, u64 number)
{
	CodePage *page = find_page(engine, number);
	u32 at;

	if (page)
		return page;
	if (engine->page_count >= engine->page_cap)
		grow_pages(engine);
	page = calloc(1, sizeof(*page));
	if (!page)
		return NULL;
	at = page_slot(engine, number);
	page->number = number;
	page->next = engine->page_hash[at];
	engine->page_hash[at] = page;
	engine->page_count++;
	return page;
}

/* Sets or clears ATTR_CODE for cells from..from+count-1 (wrapping). */
static void mark_code(Space *space, u64 from, u64 count, bool on)
{
	u64 step = (u64)1 << space->attr_shift;

	for (u64 i = 0; i < count; i += step - ((from + i) & (step - 1))) {
		u64 at = (from + i) & space->wrap_mask;

		if (at >= space->cells)
			continue;
		if (space->paged)
			space_pages_mark(space, at >> SPACE_PAGE_SHIFT, 1, on ? ATTR_CODE : 0, on ? 0 : ATTR_CODE);
		else if (on)
			space->attr[at >> space->attr_shift] |= ATTR_CODE;
		else
			space->attr[at >> space->attr_shift] &= (u8)~ATTR_CODE;
	}
}

/* The parts of page `number` that cells from..from+count-1 lie in; count != 0, no further than the page after the last. */
static u64 lines_of(u64 number, unsigned shift, u64 from, u64 count)
{
	u64 start = number << shift, last = from + count - 1;
	u64 first = from > start ? (from - start) >> (shift - 6) : 0;
	u64 end = last - start < (u64)1 << shift ? (last - start) >> (shift - 6) : 63;

	return (~(u64)0 << (first & 63)) & (~(u64)0 >> (63 - end));
}

static bool link_pages(Engine *engine, const Space *space, Block *block)
{
	unsigned shift = page_shift(space);
	u64 first = block->pc >> shift, last;

	if (!block->cells)
		return true;
	last = block->cells - 1 > ~block->pc ? ~(u64)0 : block->pc + block->cells - 1; /* at the end of all addresses */
	last >>= shift;
	block->pages = calloc(last - first + 1, sizeof(PageLink));
	if (!block->pages)
		return false;
	for (u64 p = first; p <= last; p++) {
		CodePage *page = make_page(engine, ((p << shift) & space->wrap_mask) >> shift);
		PageLink *link = &block->pages[block->page_count];

		if (!page)
			return false;
		*link = (PageLink){.block = block, .page = page, .next = page->blocks, .link = &page->blocks};
		if (link->next)
			link->next->link = &link->next;
		page->blocks = link;
		page->lines |= space->wraps ? ~(u64)0 : lines_of(p, shift, block->pc, block->cells);
		block->page_count++;
	}
	return true;
}

static void unlink_pages(Block *block)
{
	for (u32 i = 0; i < block->page_count; i++) {
		PageLink *link = &block->pages[i];

		*link->link = link->next;
		if (link->next)
			link->next->link = link->link;
	}
	block->page_count = 0;
}

bool interp_cache_add(Engine *engine, Vcpu *vcpu, Block *block)
{
	Space *space = &vcpu->spaces[engine->env.code_space];
	u32 at;

	*engine->bytes += block->bytes;
	if (block->cells > (u64)1 << 20 || !link_pages(engine, space, block)) {
		unlink_pages(block);
		free_block(engine, block);
		return false;
	}
	if (engine->block_count >= engine->hash_cap)
		grow_hash(engine);
	at = block_hash(block->pc, block->context, block->single) & (engine->hash_cap - 1);
	block->hash_next = engine->hash[at];
	engine->hash[at] = block;
	engine->block_count++;
	mark_code(space, block->pc, block->cells, true);
	return true;
}

/* Blocks that died lately, forgotten at one for every THRASH_CALM instructions. */
static u32 deaths(const Engine *engine, const Vcpu *vcpu)
{
	u64 calm = (vcpu->icount - engine->deaths_at) / THRASH_CALM;

	return engine->deaths > calm ? engine->deaths - (u32)calm : 0;
}

static void note_death(Engine *engine, const Vcpu *vcpu)
{
	u32 now = deaths(engine, vcpu);

	engine->deaths = now < 2 * THRASH_SINGLE ? now + 1 : now;
	engine->deaths_at = vcpu->icount;
}

static u32 recent(const CodePage *page, const Vcpu *vcpu)
{
	u64 calm = (vcpu->icount - page->invalidated_at) / THRASH_CALM;

	return page->invalidations > calm ? page->invalidations - (u32)calm : 0;
}

/* A page tells by its own history. A new one may belong to a program that writes over all the code it comes through (a
 * stack that grows behind the pc): what happened elsewhere just before is then the best guess. */
u32 interp_cache_max_insns(const Engine *engine, const Vcpu *vcpu, u64 pc)
{
	const Space *space = &vcpu->spaces[engine->env.code_space];
	const CodePage *page = find_page(engine, (pc & space->wrap_mask) >> page_shift(space));
	u32 bad = page && page->invalidations ? page->invalidations : deaths(engine, vcpu);

	if (space->attr_shift)
		bad = page ? recent(page, vcpu) : 0;

	if (bad < THRASH_SHORT)
		return BLOCK_INSNS;
	return bad < THRASH_SINGLE ? SHORT_INSNS : 1;
}

/* ---- Death ---- */

/* Out of every table; the memory stays until nothing executes. */
static void kill_block(Engine *engine, Block *block)
{
	Block **at = &engine->hash[block_hash(block->pc, block->context, block->single) & (engine->hash_cap - 1)];
	Block **cached = &engine->jump_cache[interp_jump_hash(block->pc)];

	while (*at != block)
		at = &(*at)->hash_next;
	*at = block->hash_next;
	engine->block_count--;
	while (block->incoming)
		unlink_exit(engine, block->incoming);
	for (u32 i = 0; i < block->exit_count; i++)
		unlink_exit(engine, &block->exits[i]);
	if (*cached == block)
		*cached = engine->nowhere;
	unlink_pages(block);
	block->dead = true;
	block->grave_next = engine->graveyard;
	engine->graveyard = block;
}

static bool overlaps(const Space *space, const Block *block, u64 address, u64 count)
{
	return ((address - block->pc) & space->wrap_mask) < block->cells ||
	       ((block->pc - address) & space->wrap_mask) < count;
}

void interp_cache_flush(Engine *engine, Vcpu *vcpu)
{
	Space *space = &vcpu->spaces[engine->env.code_space];

	for (u32 i = 0; i < engine->hash_cap; i++)
		while (engine->hash[i]) {
			mark_code(space, engine->hash[i]->pc, engine->hash[i]->cells, false);
			kill_block(engine, engine->hash[i]);
		}
	for (u32 i = 0; i < engine->page_cap; i++)
		while (engine->page_hash[i]) {
			CodePage *page = engine->page_hash[i];

			engine->page_hash[i] = page->next;
			free(page);
		}
	engine->page_count = 0;
	engine->generation++;
	engine->attention = true;
}

/* A store of a few cells; whole pages are forgotten because they are mapped anew, which says nothing about the future. */
static bool is_patch(u64 count)
{
	return count < SPACE_PAGE;
}

static void kill_in_page(Engine *engine, const Vcpu *vcpu, CodePage *page, u64 address, u64 count)
{
	const Space *space = &vcpu->spaces[engine->env.code_space];
	unsigned shift = page_shift(space);
	u64 lines = 0;
	PageLink *next;

	for (PageLink *link = page->blocks; link; link = next) {
		next = link->next;
		if (!overlaps(space, link->block, address, count)) {
			lines |= space->wraps ? ~(u64)0 : lines_of(page->number, shift, link->block->pc, link->block->cells);
			continue;
		}
		/* A block may be in the list more than once only when it wraps onto its own page. */
		while (next && next->block == link->block)
			next = next->next;
		kill_block(engine, link->block);
		engine->attention = true;
		if (!is_patch(count))
			continue;
		if (space->attr_shift)
			page->invalidations = recent(page, vcpu);
		page->invalidated_at = vcpu->icount;
		if (page->invalidations < 2 * THRASH_SINGLE)
			page->invalidations++;
		note_death(engine, vcpu);
	}
	page->lines = lines;
}

void interp_cache_invalidate(Engine *engine, Vcpu *vcpu, u64 address, u64 count)
{
	Space *space = &vcpu->spaces[engine->env.code_space];
	unsigned shift = page_shift(space);
	u64 first, last;

	if (!count)
		return;
	if (count > (u64)1 << 16 || count - 1 > ~(u64)0 - address) {
		interp_cache_flush(engine, vcpu);
		return;
	}
	first = address >> shift;
	last = (address + count - 1) >> shift;
	for (u64 p = first; p <= last; p++) {
		CodePage *page = find_page(engine, ((p << shift) & space->wrap_mask) >> shift);

		if (page && page->blocks && (space->wraps || page->lines & lines_of(p, shift, address, count)))
			kill_in_page(engine, vcpu, page, address, count);
		if (space->attr_shift && (!page || !page->blocks))
			mark_code(space, p << shift, 1, false);
	}
	if (!space->attr_shift)
		mark_code(space, address, count, false);
}
