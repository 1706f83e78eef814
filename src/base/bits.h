/* SPDX-License-Identifier: MIT
 *
 * Arithmetic on values that are N bits wide (1..64) and held zero-extended in a u64.
 * This is the representation of every guest value in Husk: in register slots, in IR constants, in the RTL.
 */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include "base/types.h"

/* The N low bits set. width 0..64. */
static inline u64 bits_mask(unsigned width)
{
	return width >= 64 ? ~(u64)0 : ((u64)1 << width) - 1;
}

/* `value` as the width-bit number the guest sees. */
static inline u64 bits_trunc(u64 value, unsigned width)
{
	return value & bits_mask(width);
}

/* `value`, width bits wide, read as a two's complement number. width 1..64. */
static inline i64 bits_signed(u64 value, unsigned width)
{
	unsigned shift = 64 - width;

	return (i64)(value << shift) >> shift;
}

/* Does the mathematical integer `value` fit an unsigned / a signed field of `width` bits? */
static inline bool bits_fit_unsigned(i64 value, unsigned width)
{
	return width >= 64 || (value >= 0 && (u64)value <= bits_mask(width));
}

static inline bool bits_fit_signed(i64 value, unsigned width)
{
	return width >= 64 || (value >= -((i64)1 << (width - 1)) && value < ((i64)1 << (width - 1)));
}

/* The bits lo..lo+len-1 of a multi-word bit string (word 0 holds the lowest 64 bits). len 1..64. */
static inline u64 bits_extract(const u64 *words, unsigned lo, unsigned len)
{
	unsigned word = lo / 64, shift = lo % 64;
	u64 value = words[word] >> shift;

	if (shift && shift + len > 64)
		value |= words[word + 1] << (64 - shift);
	return value & bits_mask(len);
}

/* The reverse: ORs `value` (len bits) in at bit `lo`. The place must be zero before. */
static inline void bits_insert(u64 *words, unsigned lo, unsigned len, u64 value)
{
	unsigned word = lo / 64, shift = lo % 64;

	value &= bits_mask(len);
	words[word] |= value << shift;
	if (shift && shift + len > 64)
		words[word + 1] |= value >> (64 - shift);
}

#endif
