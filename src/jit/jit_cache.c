/* SPDX-License-Identifier: MIT
 *
 * Which blocks there are, how they are chained, and what has to go when code changes.
 *
 * A dead block's code stays until its half of the cache is dropped (jit_evict.c).
 */
#define _GNU_SOURCE
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "jit/jit_background.h"
#include "jit/jit_life.h"

/* What lies beside each other has places that do: a program that starts asks for one block after the other, most of which are not there.
 * With all places anywhere that was a miss of the host's cache each (4 % of `python3 -c pass`). apart: one in 2^apart cells has a place;
 * near: 2^near of them are in a row. */
static u32 place_hash(u64 pc, unsigned apart, unsigned near)
{
	return (u32)((pc >> (apart + near)) * 0x9E3779B97F4A7C15u >> 32) << near | (u32)(pc >> apart & ((1u << near) - 1));
}

static u32 block_hash(u64 pc, u64 context)
{
	return place_hash(pc ^ context << 40 ^ context << 10, 3, 7);
}

static u32 page_hash(const Engine *engine, u64 page)
{
	return (u32)((page * 0x9E3779B97F4A7C15u) >> 32) & (engine->page_cap - 1);
}

static void tell_killed(Engine *engine)
{
	for (u32 i = 0; jit_is_watched(engine) && engine->hash && i < engine->hash_cap; i++)
		for (const JitBlock *block = engine->hash[i]; block; block = block->hash_next) {
			if (block->region && block->region->head == block)
				jit_life_region_killed(engine, block->region);
			jit_life_killed(engine, block);
		}
}

void jit_cache_fini(Engine *engine)
{
	tell_killed(engine);
	if (engine->env.code_bytes)
		*engine->env.code_bytes -= engine->counted;
	jit_memory_unmap(engine);
	free(engine->hash);
	free(engine->pages);
	free(engine->faults.list);
	free(engine->other_faults.list);
}

static u32 met_bit(const Engine *engine, u64 pc)
{
	return place_hash(pc, 1, 11) & (engine->hash_cap * JIT_MET - 1);
}

static void add_to_hash(Engine *engine, JitBlock *block)
{
	JitBlock **first = &engine->hash[block_hash(block->pc, block->context) & (engine->hash_cap - 1)];
	const u32 bit = met_bit(engine, block->pc);

	block->hash_next = *first;
	*first = block;
	engine->met[bit / 64] |= (u64)1 << bit % 64;
}

JitBlock *jit_cache_find(const Engine *engine, u64 pc, u64 context)
{
	const u32 bit = met_bit(engine, pc);
	JitBlock *block = NULL;

	if (engine->met[bit / 64] >> bit % 64 & 1)
		block = engine->hash[block_hash(pc, context) & (engine->hash_cap - 1)];
	while (block && (block->pc != pc || block->context != context))
		block = block->hash_next;
	return block;
}

static size_t hash_bytes(u32 cap)
{
	return cap * sizeof(JitBlock *) + cap * (size_t)JIT_MET / 8;
}

/* A table that can't grow only gets slower. */
static void grow_hash(Engine *engine)
{
	const u32 old = engine->hash_cap, cap = old ? old * 2 : 1 << 10;
	JitBlock **before = engine->hash, **hash = calloc(1, hash_bytes(cap));

	if (!hash)
		return;
	engine->hash = hash;
	engine->met = (u64 *)(hash + cap);
	engine->hash_cap = cap;
	for (u32 i = 0; i < old; i++)
		for (JitBlock *block = before[i], *next; block; block = next) {
			next = block->hash_next;
			add_to_hash(engine, block);
		}
	free(before);
}

bool jit_cache_init(Engine *engine)
{
	engine->page_cap = 1 << 8;
	grow_hash(engine);
	engine->pages = calloc(engine->page_cap, sizeof(JitPage *));
	return engine->hash && engine->pages;
}

static JitPage *find_page(const Engine *engine, u64 number)
{
	JitPage *page = engine->pages[page_hash(engine, number)];

	while (page && page->number != number)
		page = page->hash_next;
	return page;
}

static void grow_pages(Engine *engine)
{
	u32 old = engine->page_cap;
	JitPage **before = engine->pages, **grown = calloc((size_t)old * 2, sizeof(JitPage *));

	if (!grown)
		return;
	engine->pages = grown;
	engine->page_cap = old * 2;
	for (u32 i = 0; i < old; i++)
		for (JitPage *page = before[i], *next; page; page = next) {
			u32 at = page_hash(engine, page->number);

			next = page->hash_next;
			page->hash_next = grown[at];
			grown[at] = page;
		}
	free(before);
}

JitPage *jit_page_make(Engine *engine, u64 number)
{
	JitPage *page = find_page(engine, number);
	u32 at = page_hash(engine, number);

	if (page)
		return page;
	if (engine->page_count >= engine->page_cap) {
		grow_pages(engine);
		at = page_hash(engine, number);
	}
	page = ARENA_NEW(&engine->page_records, JitPage);
	if (!page)
		return NULL;
	*page = (JitPage){.number = number, .hash_next = engine->pages[at]};
	engine->pages[at] = page;
	engine->page_count++;
	return page;
}

/* Stores there come to jit_cache_invalidate. */
static void mark_code(Space *space, u64 cell, u64 count)
{
	u64 first = cell >> space->attr_shift, last = (cell + count - 1) >> space->attr_shift;

	if (space->paged)
		space_pages_mark(space, first, count ? last + 1 - first : 0, ATTR_CODE, 0);
	for (u64 granule = first; !space->paged && count && granule <= last; granule++)
		space->attr[granule] |= ATTR_CODE;
}

static void hang(JitPage *page, JitPageLink *link, JitBlock *block)
{
	*link = (JitPageLink){.block = block, .next = page->blocks, .link = &page->blocks};
	if (link->next)
		link->next->link = &link->next;
	page->blocks = link;
}

bool jit_cache_add(Engine *engine, Vcpu *vcpu, JitBlock *block)
{
	u64 first = block->pc >> JIT_PAGE_SHIFT, last = (block->pc + (block->cells ? block->cells - 1 : 0)) >> JIT_PAGE_SHIFT;
	JitPage *one = jit_page_make(engine, first), *two = last == first ? NULL : jit_page_make(engine, last);

	if (!one || (last != first && !two))
		return false;
	if (engine->block_count >= engine->hash_cap / 4 * 3)
		grow_hash(engine);
	block->half = (u8)engine->half;
	add_to_hash(engine, block);
	engine->block_count++;
	hang(one, &block->pages[0], block);
	if (two)
		hang(two, &block->pages[1], block);
	mark_code(&vcpu->spaces[engine->env.code_space], block->pc, block->cells); /* who translated did; a flush came behind */
	return true;
}

JitExit *jit_exit_create(Engine *engine, JitBlock *owner, JitExitKind kind, u64 pc, u32 refund)
{
	JitExit *exit = engine->exit_count < engine->exit_limit ? ARENA_ROOM(&engine->blocks, JitExit, 1) : NULL;

	if (!exit)
		return NULL;
	*exit = (JitExit){.kind = (u8)kind, .pc = pc, .refund = refund, .owner = owner, .number = engine->exit_count,
			  .call = &jit_call_unknown};
	engine->exits[engine->exit_count++] = exit;
	return exit;
}

void jit_relink(Engine *engine, JitExit *exit, const JitBlock *target)
{
	if (exit->kind != JIT_EXIT_LINK && exit->kind != JIT_EXIT_GUESS)
		return;
	jit_memory_write(engine);
	engine->target->link(engine, exit, target);
}

void jit_exit_unchain(Engine *engine, JitExit *exit)
{
	if (!exit->target)
		return;
	*exit->link = exit->next;
	if (exit->next)
		exit->next->link = exit->link;
	exit->target = NULL;
	jit_relink(engine, exit, NULL);
}

/* An entry that holds nothing: whoever goes there leaves. */
static JitJump no_jump(const Engine *engine)
{
	return (JitJump){.pc = ~(u64)0, .code = engine->rx + engine->miss};
}

void jit_cache_kill(Engine *engine, JitBlock *block)
{
	JitBlock **at = &engine->hash[block_hash(block->pc, block->context) & (engine->hash_cap - 1)];
	JitJump *jump = &engine->jumps[jit_jump_hash(block->pc)];

	engine->deaths++;
	if (block->region)
		jit_region_kill(engine, block->region);
	while (*at != block)
		at = &(*at)->hash_next;
	*at = block->hash_next;
	engine->block_count--;
	jit_life_killed(engine, block);
	while (block->incoming)
		jit_exit_unchain(engine, block->incoming);
	for (u32 i = 0; i < block->exit_count; i++)
		jit_exit_unchain(engine, engine->exits[block->first_exit + i]);
	if (jump->pc == block->pc)
		*jump = no_jump(engine);
	for (unsigned i = 0; i < 2 && block->pages[i].block; i++) {
		*block->pages[i].link = block->pages[i].next;
		if (block->pages[i].next)
			block->pages[i].next->link = block->pages[i].link;
	}
}

u32 *jit_counter_create(Engine *engine)
{
	if (engine->counter_count >= engine->counter_limit)
		return NULL;
	engine->counters[engine->counter_count] = jit_counter_begin(engine);
	return &engine->counters[engine->counter_count++];
}

void jit_cache_add_jump(Engine *engine, const JitBlock *block)
{
	if (block->pc & engine->env.return_zeros)
		return; /* jumps to other places may miss their masks until they miss */
	assert(!(block->entry & 1));
	engine->jumps[jit_jump_hash(block->pc)] = (JitJump){.pc = block->pc, .code = engine->rx + block->entry};
}

void jit_cache_move_jump(Engine *engine, const JitBlock *block)
{
	const JitJump *jump = &engine->jumps[jit_jump_hash(block->pc)];

	if (jump->pc == block->pc && block->context == engine->context)
		jit_cache_add_jump(engine, block);
}

void jit_cache_uncount(Engine *engine, JitBlock *block)
{
	*block->counter = JIT_NEVER;
	block->entry = block->own = block->body;
	for (JitExit *exit = block->incoming; exit; exit = exit->next)
		jit_relink(engine, exit, block);
	jit_cache_move_jump(engine, block);
}

void jit_cache_clear_jumps(Engine *engine)
{
	if (!engine->jumps)
		return;
	if (madvise(engine->jumps, JIT_JUMPS * sizeof(JitJump), MADV_DONTNEED) != 0)
		memset(engine->jumps, 0, JIT_JUMPS * sizeof(JitJump));
	engine->jumps[jit_jump_hash(0)] = no_jump(engine);
}

void jit_cache_flush(Engine *engine)
{
	tell_killed(engine);
	jit_background_drop(engine);
	memset(engine->hash, 0, hash_bytes(engine->hash_cap));
	memset(engine->pages, 0, engine->page_cap * sizeof(JitPage *));
	engine->hard = false;
	engine->block_count = engine->page_count = 0;
	if (engine->env.code_bytes)
		*engine->env.code_bytes -= engine->counted;
	engine->counted = 0;
	engine->generation++;
	engine->deaths++;
	arena_fini(&engine->page_records);
	jit_evict_begin(engine);
	jit_cache_clear_jumps(engine);
}

static u32 deaths(const JitPage *page, const Vcpu *vcpu)
{
	u64 calm = (vcpu->icount - page->died_at) / JIT_CALM;

	return page->deaths > calm ? page->deaths - (u32)calm : 0;
}

bool jit_cache_is_restless(const Engine *engine, const Vcpu *vcpu, u64 pc)
{
	const JitPage *page = find_page(engine, pc >> JIT_PAGE_SHIFT);

	return page && deaths(page, vcpu) >= JIT_RESTLESS;
}

void jit_cache_invalidate(Engine *engine, Vcpu *vcpu, u64 address, u64 count)
{
	Space *space = &vcpu->spaces[engine->env.code_space];
	u64 first, last;

	if (!count)
		return;
	/* The cold engine then forgets all of its own, with the marks of pages that have compiled code, too. */
	if (count > (u64)1 << 16 || count > space->cells || count - 1 > ~(u64)0 - address) {
		jit_cache_flush(engine);
		return;
	}
	address &= space->wrap_mask;
	if (space->wraps && count > space->cells - address) { /* on, at the beginning */
		jit_cache_invalidate(engine, vcpu, 0, count - (space->cells - address));
		count = space->cells - address;
	}
	first = address >> JIT_PAGE_SHIFT;
	last = (address + count - 1) >> JIT_PAGE_SHIFT;
	for (u64 number = first; number <= last; number++) {
		JitPage *page = find_page(engine, number);
		JitPageLink *next;
		u64 dead = engine->stats.counts[ENGINE_INVALIDATED];

		if (page)
			jit_region_invalidate(engine, page, address, count);
		for (JitPageLink *link = page ? page->blocks : NULL; link; link = next) {
			const JitBlock *block = link->block;

			next = link->next;
			if (address - block->pc < block->cells || block->pc - address < count) {
				jit_count(engine, ENGINE_INVALIDATED);
				jit_cache_kill(engine, link->block);
			}
		}
		if (dead != engine->stats.counts[ENGINE_INVALIDATED]) {
			u32 now = deaths(page, vcpu);

			page->deaths = now < 2 * JIT_RESTLESS ? now + 1 : now;
			page->died_at = vcpu->icount;
		}
		/* The cold engine may have cleared it, where a page is what can be marked. */
		if (page && (page->blocks || page->regions) && space->attr_shift && number << JIT_PAGE_SHIFT < space->cells)
			mark_code(space, number << JIT_PAGE_SHIFT, 1);
	}
}
