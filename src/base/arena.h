/* SPDX-License-Identifier: MIT
 *
 * A bump allocator: one per unit of work (one .isa file, one assembly, one translated block). Nothing is freed
 * by itself; arena_fini frees all. Memory is zeroed. One thread at a time.
 * Running out of memory: arena_alloc returns NULL and arena->failed stays set, so a builder may go on with
 * scratch memory and check once at its end (arena_alloc_or_scratch is not provided on purpose: check the pointer).
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/types.h"

typedef struct ArenaChunk ArenaChunk;

typedef struct Arena {
	ArenaChunk *chunks; /* owned, newest first */
	ArenaChunk *spare;  /* owned: kept by arena_reset, for those to come */
	u8 *at, *end;
	size_t total; /* bytes handed out */
	bool failed;
	bool apart;   /* arena_init_apart */
} Arena;

void arena_init(Arena *arena);
/* One whose allocations can be told from each other: each is a chunk of its own, and zeroed whatever asked for it. Not for
 * arena_reset. */
void arena_init_apart(Arena *arena);

typedef struct ArenaPiece {
	u8 *bytes;
	size_t size; /* a multiple of ARENA_ALIGN */
} ArenaPiece;

/* The allocations of such an arena, the oldest first: how many there are; the first `room` of them are written. */
size_t arena_pieces(const Arena *arena, ArenaPiece *pieces, size_t room);
void arena_fini(Arena *arena);
/* What `from` holds becomes this one's, to be freed with it; `from` is empty then. */
void arena_join(Arena *arena, Arena *from);
/* Forgets all allocations. Up to 4 MiB are kept for those to come, so that an arena that is filled again and again asks the
 * host for nothing, and touches no new page. */
void arena_reset(Arena *arena);

void *arena_alloc(Arena *arena, size_t size);
void *arena_room_elsewhere(Arena *arena, size_t size); /* where `at` has no room: arena_room's */

/* Where AddressSanitizer looks on, each allocation has a gap behind it that nobody may touch, nor what arena_reset has taken back. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define ARENA_POISON(at, size) ASAN_POISON_MEMORY_REGION(at, size)
#define ARENA_UNPOISON(at, size) ASAN_UNPOISON_MEMORY_REGION(at, size)
enum { ARENA_GAP = 16 };
#else
#define ARENA_POISON(at, size) ((void)(at))
#define ARENA_UNPOISON(at, size) ((void)(at))
enum { ARENA_GAP = 0 };
#endif

enum { ARENA_ALIGN = 16 };

/* What an allocation takes. */
static inline size_t arena_bytes(size_t size)
{
	return ((size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1)) + ARENA_GAP;
}

/* There is room. */
static inline void *arena_take(Arena *arena, size_t size, size_t bytes)
{
	u8 *at = arena->at;

	arena->at = at + bytes;
	arena->total += bytes - ARENA_GAP;
	ARENA_UNPOISON(at, size);
	ARENA_POISON(at + size, bytes - size);
	return at;
}

/* The same, not zeroed: for what is written whole before it is read. */
static inline void *arena_room(Arena *arena, size_t size)
{
	const size_t bytes = arena_bytes(size);

	if (bytes < size || !arena->at || (size_t)(arena->end - arena->at) < bytes)
		return arena_room_elsewhere(arena, size);
	return arena_take(arena, size, bytes);
}
/* Copies len bytes and adds a NUL. */
char *arena_strndup(Arena *arena, const char *text, size_t len);
char *arena_strdup(Arena *arena, const char *text);
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(arena, Type) ((Type *)arena_alloc((arena), sizeof(Type)))
#define ARENA_ARRAY(arena, Type, n) ((Type *)arena_alloc((arena), sizeof(Type) * (size_t)(n)))
#define ARENA_ROOM(arena, Type, n) ((Type *)arena_room((arena), sizeof(Type) * (size_t)(n)))

/* Grows an array that lives in an arena: *items has room for *cap, `used` are in use; afterwards at least used+1.
 * The old copy stays behind until arena_fini. Returns false when memory is out. */
bool arena_grow_now(Arena *arena, void **items, u32 *cap, u32 used, size_t item_size);

static inline bool arena_grow(Arena *arena, void **items, u32 *cap, u32 used, size_t item_size)
{
	return used < *cap || arena_grow_now(arena, items, cap, used, item_size);
}

#endif
