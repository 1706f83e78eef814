/* SPDX-License-Identifier: MIT */
#include "base/strmap.h"

#include <stdlib.h>
#include <string.h>

char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool ascii_equal_fold(const char *a, size_t alen, const char *b, size_t blen)
{
	if (alen != blen)
		return false;
	for (size_t i = 0; i < alen; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

void strmap_init(StrMap *map, bool fold_case)
{
	*map = (StrMap){.fold_case = fold_case};
}

static void drop(StrMap *map)
{
	if (!map->settled)
		free(map->entries);
	map->settled = false;
}

void strmap_fini(StrMap *map)
{
	drop(map);
	*map = (StrMap){0};
}

static u32 hash_key(const StrMap *map, const char *key, size_t len)
{
	u32 hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < len; i++) {
		u8 c = (u8)(map->fold_case ? ascii_lower(key[i]) : key[i]);

		hash = (hash ^ c) * 16777619u;
	}
	return hash;
}

static StrMapEntry *find(const StrMap *map, const char *key, size_t len, u32 hash)
{
	u32 i = hash & (map->cap - 1);

	for (;; i = (i + 1) & (map->cap - 1)) {
		StrMapEntry *entry = &map->entries[i];

		if (!entry->key)
			return entry;
		if (entry->hash == hash && entry->len == len &&
		    (map->fold_case ? ascii_equal_fold(entry->key, len, key, len) : !memcmp(entry->key, key, len)))
			return entry;
	}
}

static bool grow(StrMap *map)
{
	StrMap bigger = {.cap = map->cap ? map->cap * 2 : 64, .fold_case = map->fold_case};

	bigger.entries = calloc(bigger.cap, sizeof(*bigger.entries));
	if (!bigger.entries) {
		map->failed = true;
		return false;
	}
	for (u32 i = 0; i < map->cap; i++)
		if (map->entries[i].key) {
			StrMapEntry *from = &map->entries[i];

			*find(&bigger, from->key, from->len, from->hash) = *from;
		}
	drop(map);
	map->entries = bigger.entries;
	map->cap = bigger.cap;
	return true;
}

bool strmap_put(StrMap *map, const char *key, size_t len, u32 value)
{
	u32 hash = hash_key(map, key, len);
	StrMapEntry *entry;

	if (map->count * 2 >= map->cap && !grow(map))
		return false;
	entry = find(map, key, len, hash);
	if (!entry->key)
		map->count++;
	*entry = (StrMapEntry){key, (u32)len, hash, value};
	return true;
}

bool strmap_settle(StrMap *map, Arena *arena)
{
	StrMapEntry *entries = ARENA_ROOM(arena, StrMapEntry, map->cap);

	if (!entries)
		return false;
	if (map->cap)
		memcpy(entries, map->entries, map->cap * sizeof(*entries));
	drop(map);
	map->entries = entries;
	map->settled = true;
	return true;
}

u32 strmap_get(const StrMap *map, const char *key, size_t len, u32 missing)
{
	StrMapEntry *entry;

	if (!map->count)
		return missing;
	entry = find(map, key, len, hash_key(map, key, len));
	return entry->key ? entry->value : missing;
}
