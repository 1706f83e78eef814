/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prefault.h"

struct ArenaChunk {
	ArenaChunk *next;
	size_t size;
	u8 bytes[];
};

enum { CHUNK_SIZE = 16 * 1024 - sizeof(ArenaChunk) - 16, ALIGN = ARENA_ALIGN, KEPT_MOST = 4 << 20,
       PREFAULT_LEAST = 48 << 10 /* chunks smaller than that are not worth asking */, WINDOW = 64 << 10, PAGE = 4096,
       PREFAULT_MOST = 512 << 10 /* for one allocation */ };

void arena_init(Arena *arena)
{
	*arena = (Arena){0};
}

void arena_init_apart(Arena *arena)
{
	*arena = (Arena){.apart = true};
}

size_t arena_pieces(const Arena *arena, ArenaPiece *pieces, size_t room)
{
	size_t count = 0, at;

	for (const ArenaChunk *chunk = arena->chunks; chunk; chunk = chunk->next)
		count++;
	at = count;
	for (ArenaChunk *chunk = arena->chunks; chunk; chunk = chunk->next)
		if (--at < room)
			pieces[at] = (ArenaPiece){chunk->bytes, chunk->size};
	return count;
}

static void free_all(ArenaChunk *chunk)
{
	while (chunk) {
		ArenaChunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
}

void arena_fini(Arena *arena)
{
	free_all(arena->chunks);
	free_all(arena->spare);
	*arena = (Arena){0};
}

void arena_join(Arena *arena, Arena *from)
{
	ArenaChunk **last = &from->chunks;

	while (*last)
		last = &(*last)->next;
	*last = arena->chunks;
	arena->chunks = from->chunks;
	arena->at = arena->end = NULL; /* what follows begins a chunk of its own */
	arena->total += from->total;
	free_all(from->spare);
	*from = (Arena){0};
}

static u8 *align_up(u8 *p)
{
	return (u8 *)(((uintptr_t)p + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
}

static void begin_chunk(Arena *arena, ArenaChunk *chunk)
{
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->at = align_up(chunk->bytes);
	arena->end = chunk->bytes + chunk->size;
	ARENA_POISON(arena->at, (size_t)(arena->end - arena->at)); /* what lay there is forgotten */
}

void arena_reset(Arena *arena)
{
	ArenaChunk *all = arena->chunks, **last = &all;
	size_t kept = 0;

	arena->failed = false;
	if (!all)
		return;
	while (*last)
		last = &(*last)->next;
	*last = arena->spare;
	arena->chunks = arena->spare = NULL;
	/* The newest is among the largest: it comes first again. */
	last = &arena->spare;
	while (all) {
		ArenaChunk *chunk = all;

		all = chunk->next;
		kept += chunk->size;
		if (kept > KEPT_MOST && arena->spare) {
			free(chunk);
			continue;
		}
		chunk->next = NULL;
		*last = chunk;
		last = &chunk->next;
	}
	all = arena->spare;
	arena->spare = all->next;
	begin_chunk(arena, all);
	arena->total = 0;
}

/* The pages of a large chunk come a window at a time: chunks double, so half of what there is may never be touched. Until then
 * the chunk seems to end with its window. */
static bool widen(Arena *arena, size_t size)
{
	size_t fresh;
	u8 *end;

	if (!arena->chunks)
		return false;
	end = arena->chunks->bytes + arena->chunks->size;
	if ((size_t)(end - arena->at) < size)
		return false;
	if ((size_t)(end - arena->at) > size + WINDOW)
		end = (u8 *)((uintptr_t)(arena->at + size + WINDOW) & ~(uintptr_t)(PAGE - 1));
	fresh = (size_t)(end - arena->end);
	prefault(arena->end, fresh < PREFAULT_MOST ? fresh : PREFAULT_MOST);
	arena->end = end;
	return true;
}

/* A spare chunk with that much room, or a new one. */
static bool more(Arena *arena, size_t size)
{
	/* Chunks double with use, so that a large file costs a few mallocs, not hundreds. */
	size_t want = arena->total > CHUNK_SIZE ? arena->total : CHUNK_SIZE;
	ArenaChunk *chunk;

	for (ArenaChunk **at = &arena->spare; *at; at = &(*at)->next)
		if ((*at)->size >= size + ALIGN) {
			chunk = *at;
			*at = chunk->next;
			begin_chunk(arena, chunk);
			return true;
		}
	if (want > (size_t)1 << 22)
		want = (size_t)1 << 22;
	if (want < size + ALIGN)
		want = size + ALIGN;
	chunk = malloc(sizeof(*chunk) + want);
	if (!chunk) {
		arena->failed = true;
		return false;
	}
	chunk->size = want;
	begin_chunk(arena, chunk);
	if (want >= PREFAULT_LEAST) {
		arena->end = arena->at;
		widen(arena, size);
	}
	return true;
}

static void *piece(Arena *arena, size_t size)
{
	ArenaChunk *chunk = calloc(1, sizeof(*chunk) + (size ? size : ALIGN));

	if (!chunk) {
		arena->failed = true;
		return NULL;
	}
	chunk->size = size ? size : ALIGN;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->total += size;
	return chunk->bytes;
}

void *arena_room_elsewhere(Arena *arena, size_t size)
{
	const size_t bytes = arena_bytes(size);

	if (size > (size_t)1 << 40) {
		arena->failed = true;
		return NULL;
	}
	if (arena->apart)
		return piece(arena, bytes - ARENA_GAP);
	if ((!arena->at || (size_t)(arena->end - arena->at) < bytes) && !widen(arena, bytes) && !more(arena, bytes))
		return NULL;
	return arena_take(arena, size, bytes);
}

void *arena_alloc(Arena *arena, size_t size)
{
	void *result = arena_room(arena, size);

	if (result)
		memset(result, 0, size);
	return result;
}

char *arena_strndup(Arena *arena, const char *text, size_t len)
{
	char *copy = arena_alloc(arena, len + 1);

	if (copy)
		memcpy(copy, text, len);
	return copy;
}

char *arena_strdup(Arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_printf(Arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		return NULL;
	text = arena_alloc(arena, (size_t)len + 1);
	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return text;
}

bool arena_grow_now(Arena *arena, void **items, u32 *cap, u32 used, size_t item_size)
{
	u32 new_cap;
	void *grown;

	if (*cap >= (u32)1 << 30)
		return false;
	new_cap = *cap ? *cap * 2 : 8;
	grown = arena_room(arena, new_cap * item_size);
	if (!grown)
		return false;
	if (used)
		memcpy(grown, *items, used * item_size);
	memset((u8 *)grown + used * item_size, 0, (new_cap - used) * item_size);
	*items = grown;
	*cap = new_cap;
	return true;
}
