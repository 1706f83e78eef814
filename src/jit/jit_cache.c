/* SPDX-License-Identifier: MIT
 *
 * Which blocks there are, how they are chained, and what has to go when code changes.
 *
 * The memory for code is one shared-memory file mapped twice, to write and to execute: no page is ever both. A dead
 * block's code stays until the whole cache is flushed, which happens when it is full.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/array.h"
#include "jit/jit_life.h"

#define JUMPS_BYTES (JIT_JUMPS * sizeof(JitJump))

static u32 block_hash(u64 pc, u64 context)
{
	return (u32)(((pc ^ context << 40 ^ context) * 0x9E3779B97F4A7C15u) >> 32);
}

static u32 page_hash(const Engine *engine, u64 page)
{
	return (u32)((page * 0x9E3779B97F4A7C15u) >> 32) & (engine->page_cap - 1);
}

bool jit_cache_init(Engine *engine)
{
	engine->hash_cap = 1 << 10;
	engine->page_cap = 1 << 8;
	engine->hash = calloc(engine->hash_cap, sizeof(JitBlock *));
	engine->pages = calloc(engine->page_cap, sizeof(JitPage *));
	return engine->hash && engine->pages;
}

static void unmap(Engine *engine)
{
	if (engine->rw)
		munmap(engine->rw, JIT_CODE_BYTES);
	if (engine->rx)
		munmap(engine->rx, JIT_CODE_BYTES + JIT_DATA_BYTES);
	if (engine->jumps)
		munmap(engine->jumps, JUMPS_BYTES);
	engine->rw = engine->rx = NULL;
	engine->counters = NULL;
	engine->jumps = NULL;
}

/* The code, and the counters behind it. MAP_FAILED on failure. */
static u8 *map_to_execute(int fd)
{
	u8 *both = mmap(NULL, JIT_CODE_BYTES + JIT_DATA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (both == MAP_FAILED || mmap(both, JIT_CODE_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0) == both)
		return both;
	munmap(both, JIT_CODE_BYTES + JIT_DATA_BYTES);
	return MAP_FAILED;
}

/* When there is something to compile: most address spaces of a script live too short for that. */
bool jit_cache_map(Engine *engine)
{
	int fd = memfd_create("husk-code", MFD_CLOEXEC);

	if (fd < 0)
		return false;
	if (ftruncate(fd, JIT_CODE_BYTES) == 0) {
		engine->rw = mmap(NULL, JIT_CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		engine->rx = map_to_execute(fd);
	}
	close(fd);
	if (engine->rw == MAP_FAILED)
		engine->rw = NULL;
	if (engine->rx == MAP_FAILED)
		engine->rx = NULL;
	engine->jumps = mmap(NULL, JUMPS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (engine->jumps == MAP_FAILED)
		engine->jumps = NULL;
	if (engine->rw && engine->rx && engine->jumps) {
		engine->counters = (u32 *)(void *)(engine->rx + JIT_CODE_BYTES);
		return true;
	}
	unmap(engine);
	return false;
}

static void tell_killed(Engine *engine)
{
	for (u32 i = 0; jit_is_watched(engine) && engine->hash && i < engine->hash_cap; i++)
		for (const JitBlock *block = engine->hash[i]; block; block = block->hash_next)
			jit_life_killed(engine, block);
}

void jit_cache_fini(Engine *engine)
{
	tell_killed(engine);
	if (engine->env.code_bytes)
		*engine->env.code_bytes -= engine->counted;
	unmap(engine);
	free(engine->hash);
	free(engine->pages);
	free(engine->exits);
	free(engine->faults.list);
}

JitBlock *jit_cache_find(const Engine *engine, u64 pc, u64 context)
{
	JitBlock *block = engine->hash[block_hash(pc, context) & (engine->hash_cap - 1)];

	while (block && (block->pc != pc || block->context != context))
		block = block->hash_next;
	return block;
}

/* A table that can't grow only gets slower. */
static void grow_hash(Engine *engine)
{
	u32 cap = engine->hash_cap * 2;
	JitBlock **hash = calloc(cap, sizeof(JitBlock *));

	if (!hash)
		return;
	for (u32 i = 0; i < engine->hash_cap; i++)
		for (JitBlock *block = engine->hash[i], *next; block; block = next) {
			u32 at = block_hash(block->pc, block->context) & (cap - 1);

			next = block->hash_next;
			block->hash_next = hash[at];
			hash[at] = block;
		}
	free(engine->hash);
	engine->hash = hash;
	engine->hash_cap = cap;
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
	page = ARENA_NEW(&engine->blocks, JitPage);
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
	u32 at;

	if (!one || (last != first && !two))
		return false;
	if (engine->block_count >= engine->hash_cap)
		grow_hash(engine);
	at = block_hash(block->pc, block->context) & (engine->hash_cap - 1);
	block->hash_next = engine->hash[at];
	engine->hash[at] = block;
	engine->block_count++;
	hang(one, &block->pages[0], block);
	if (two)
		hang(two, &block->pages[1], block);
	mark_code(&vcpu->spaces[engine->env.code_space], block->pc, block->cells); /* who translated did; a flush came behind */
	return true;
}

JitExit *jit_exit_create(Engine *engine, JitBlock *owner, JitExitKind kind, u64 pc, u32 refund)
{
	JitExit *exit = ARENA_NEW(&engine->blocks, JitExit);

	if (!exit)
		return NULL;
	if (!array_grow((void **)&engine->exits, &engine->exit_cap, engine->exit_count, sizeof(JitExit *)))
		return NULL;
	*exit = (JitExit){.kind = (u8)kind, .pc = pc, .refund = refund, .owner = owner, .number = engine->exit_count};
	engine->exits[engine->exit_count++] = exit;
	return exit;
}

void jit_exit_unchain(Engine *engine, JitExit *exit)
{
	if (!exit->target)
		return;
	*exit->link = exit->next;
	if (exit->next)
		exit->next->link = exit->link;
	exit->target = NULL;
	engine->target->link(engine, exit, NULL);
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
	if (engine->counter_count >= JIT_COUNTERS)
		return NULL;
	engine->counters[engine->counter_count] = engine->hot;
	return &engine->counters[engine->counter_count++];
}

void jit_cache_uncount(Engine *engine, JitBlock *block)
{
	JitJump *jump = &engine->jumps[jit_jump_hash(block->pc)];

	*block->counter = JIT_NEVER;
	block->entry = block->own = block->body;
	for (JitExit *exit = block->incoming; exit; exit = exit->next)
		engine->target->link(engine, exit, block);
	if (jump->pc == block->pc && block->context == engine->context)
		jump->code = engine->rx + block->entry;
}

void jit_cache_clear_jumps(Engine *engine)
{
	if (!engine->jumps)
		return;
	if (madvise(engine->jumps, JUMPS_BYTES, MADV_DONTNEED) != 0)
		memset(engine->jumps, 0, JUMPS_BYTES);
	engine->jumps[jit_jump_hash(0)] = no_jump(engine);
}

/* What was used of the memory for code, and the records, are given back: a machine has many address spaces. */
void jit_cache_flush(Engine *engine)
{
	u32 keep = (engine->start + 4095u) & ~4095u;

	tell_killed(engine);
	memset(engine->hash, 0, engine->hash_cap * sizeof(JitBlock *));
	memset(engine->pages, 0, engine->page_cap * sizeof(JitPage *));
	engine->block_count = engine->exit_count = engine->page_count = engine->exit_cap = 0;
	free(engine->exits);
	engine->exits = NULL;
	free(engine->faults.list);
	engine->faults = (JitFaults){0};
	engine->hard = false;
	if (engine->used > keep)
		madvise(engine->rw + keep, ((engine->used + 4095u) & ~4095u) - keep, MADV_REMOVE);
	engine->used = engine->start;
	if (engine->counter_count > SPACE_PAGE)
		madvise(engine->counters, JIT_DATA_BYTES, MADV_DONTNEED);
	engine->counter_count = 0;
	if (engine->env.code_bytes)
		*engine->env.code_bytes -= engine->counted;
	engine->counted = 0;
	engine->generation++;
	arena_fini(&engine->blocks);
	jit_cache_clear_jumps(engine);
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
		/* The cold engine may have cleared it, where a page is what can be marked. */
		if (page && (page->blocks || page->regions) && space->attr_shift && number << JIT_PAGE_SHIFT < space->cells)
			mark_code(space, number << JIT_PAGE_SHIFT, 1);
	}
}
