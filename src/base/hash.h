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

#endif
