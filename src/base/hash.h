/* SPDX-License-Identifier: MIT
 *
 * FNV-1a with 64 bits: tells damaged and mistaken bytes from right ones, not forged ones. Begin with HASH_START; several
 * pieces are hashed one after the other by going on with the last result.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/types.h"

#define HASH_START 0xCBF29CE484222325u

static inline u64 hash_bytes(u64 hash, const void *bytes, size_t len)
{
	const u8 *at = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001B3u;
	return hash;
}

/* The same end for much more: words of eight bytes (len is a multiple), a few bytes a cycle. Another number than hash_bytes. */
static inline u64 hash_words(u64 hash, const void *bytes, size_t len)
{
	const u8 *at = bytes;

	for (size_t i = 0; i < len; i += 8) {
		u64 word;

		__builtin_memcpy(&word, at + i, 8);
		hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
		hash ^= hash >> 32;
	}
	return hash;
}

#endif
