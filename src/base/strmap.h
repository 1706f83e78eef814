/* SPDX-License-Identifier: MIT
 *
 * Names to numbers: an open-addressing hash map from byte strings to u32. Keys are borrowed (they usually live in an
 * arena or in the source text); optional ASCII case folding. Used for symbols, mnemonics, registers.
 */
#ifndef BASE_STRMAP_H
#define BASE_STRMAP_H

#include "base/arena.h"
#include "base/types.h"

typedef struct StrMapEntry {
	const char *key; /* borrowed; NULL = free */
	u32 len, hash, value;
} StrMapEntry;

typedef struct StrMap {
	StrMapEntry *entries; /* owned, unless settled */
	u32 cap, count;
	bool fold_case, failed;
	bool settled;         /* the entries are an arena's */
} StrMap;

void strmap_init(StrMap *map, bool fold_case);
void strmap_fini(StrMap *map);
/* Sets key to value, replacing. False when memory is out. */
bool strmap_put(StrMap *map, const char *key, size_t len, u32 value);
/* Moves the entries into an arena. False when memory is out; the map is as it was. */
bool strmap_settle(StrMap *map, Arena *arena);
/* The value, or `missing`. */
u32 strmap_get(const StrMap *map, const char *key, size_t len, u32 missing);

/* ASCII-only helpers that do not depend on the locale. */
char ascii_lower(char c);
bool ascii_equal_fold(const char *a, size_t alen, const char *b, size_t blen);

#endif
