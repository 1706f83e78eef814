/* SPDX-License-Identifier: MIT
 *
 * IEEE 754 numbers of 32 or 64 bits, as bit patterns, from and to decimal text. Rounds to nearest, whatever locale the
 * program is in. What float_print writes float_read reads back to the same bits, except for the payload of a NaN.
 */
#ifndef BASE_FLOAT_TEXT_H
#define BASE_FLOAT_TEXT_H

#include "base/status.h"
#include "base/types.h"

enum { FLOAT_TEXT_MAX = 40 };

/* -12, 1.5, 2e-3, inf, nan: all of text[0..len). STATUS_INVALID: it is none; STATUS_TOO_BIG: beyond the largest. */
Status float_read(const char *text, size_t len, unsigned bits, u64 *value);
/* The shortest text with a '.' or an exponent ("1.0", "1e+20"), or inf, -inf, nan. */
void float_print(u64 value, unsigned bits, char text[FLOAT_TEXT_MAX]);
/* What a register holds: a value of 64 bits whose upper half is all ones is a NaN there, but may be a number of 32 bits
 * ("NaN-boxed", as RISC-V keeps them); it is shown as that, with an f behind it. */
void float_print_boxed(u64 value, unsigned bits, char text[FLOAT_TEXT_MAX]);
/* What float_print_boxed writes, and any number in decimal: 2, -1.5e3, 0.1f. False: it is none of these. */
bool float_read_boxed(const char *text, size_t len, unsigned bits, u64 *value);
/* Nearest to a whole number. */
u64 float_of_int(i64 value, bool is_signed, unsigned bits);
/* 64 bits to the nearest of 32. */
u64 float_narrow(u64 value);
bool float_is_nan(u64 value, unsigned bits);

#endif
