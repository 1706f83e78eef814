/* SPDX-License-Identifier: MIT
 *
 * Changes to a good snapshot, which noise would never get past its checksum:
 *
 *     u8 kind | u16 offset | u8 value      kind 0: set the byte, 1: add to it, 2: cut off at offset, 3: insert
 */
#ifndef FUZZ_CHANGE_H
#define FUZZ_CHANGE_H

#include <string.h>

#include "base/buf.h"

enum { LENGTH_AT = 12, HEAD_BYTES = 20, CHECK_BYTES = 8 };

static inline void fuzz_put_u64(u8 *at, u64 value)
{
	for (unsigned i = 0; i < 8; i++)
		at[i] = (u8)(value >> (8 * i));
}

static inline void fuzz_seal(Buf *bytes)
{
	u64 hash = 0xCBF29CE484222325u; /* docs/snapshot-format.md: FNV-1a over all bytes before it */

	if (bytes->len < HEAD_BYTES + CHECK_BYTES)
		return;
	fuzz_put_u64(bytes->data + LENGTH_AT, bytes->len);
	for (size_t i = 0; i < bytes->len - CHECK_BYTES; i++)
		hash = (hash ^ bytes->data[i]) * 0x100000001B3u;
	fuzz_put_u64(bytes->data + bytes->len - CHECK_BYTES, hash);
}

static inline void fuzz_change(Buf *bytes, ByteReader *changes)
{
	u8 kind = reader_u8(changes);
	size_t offset = reader_u16(changes);
	u8 value = reader_u8(changes);

	if (changes->bad || offset >= bytes->len)
		return;
	switch (kind % 4) {
	case 0: bytes->data[offset] = value; break;
	case 1: bytes->data[offset] = (u8)(bytes->data[offset] + value); break;
	case 2: bytes->len = offset; break;
	default:
		buf_byte(bytes, 0);
		memmove(bytes->data + offset + 1, bytes->data + offset, bytes->len - 1 - offset);
		bytes->data[offset] = value;
		break;
	}
}

#endif
