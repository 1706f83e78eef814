/* SPDX-License-Identifier: MIT */
#include "base/float_text.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"

static u64 bits_of(double wide, float narrow, unsigned bits)
{
	u64 value = 0;
	u32 half;

	if (bits == 64) {
		memcpy(&value, &wide, sizeof(value));
	} else {
		memcpy(&half, &narrow, sizeof(half));
		value = half;
	}
	return value;
}

/* The C locale for this thread; *old is what uselocale takes back. */
static bool enter_c(locale_t *c, locale_t *old)
{
	*c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!*c)
		return false;
	*old = uselocale(*c);
	return true;
}

static void leave_c(locale_t c, locale_t old)
{
	uselocale(old);
	freelocale(c);
}

/* Digits, '.', exponent and nothing else: strtod would take hexadecimal, blanks, nan(...) too. */
static bool is_decimal(const char *text, size_t len)
{
	size_t at = 0, digits = 0;

	while (at < len && text[at] >= '0' && text[at] <= '9')
		at++, digits++;
	if (at < len && text[at] == '.')
		for (at++; at < len && text[at] >= '0' && text[at] <= '9';)
			at++, digits++;
	if (!digits)
		return false;
	if (at < len && (text[at] == 'e' || text[at] == 'E')) {
		at++;
		if (at < len && (text[at] == '-' || text[at] == '+'))
			at++;
		if (at == len)
			return false;
		while (at < len && text[at] >= '0' && text[at] <= '9')
			at++;
	}
	return at == len;
}

Status float_read(const char *text, size_t len, unsigned bits, u64 *value)
{
	u64 sign = 0;
	char small[64], *copy = small;
	locale_t c, old;
	double wide = 0;
	float narrow = 0;

	*value = 0;
	if (len && (text[0] == '-' || text[0] == '+')) {
		sign = text[0] == '-' ? (u64)1 << (bits - 1) : 0;
		text++;
		len--;
	}
	if (ascii_equal_fold(text, len, "inf", 3) || ascii_equal_fold(text, len, "nan", 3)) {
		bool nan = ascii_lower(text[0]) == 'n';

		*value = sign | (bits == 64 ? (nan ? 0x7FF8000000000000u : 0x7FF0000000000000u) : nan ? 0x7FC00000u : 0x7F800000u);
		return STATUS_OK;
	}
	if (!is_decimal(text, len))
		return STATUS_INVALID;
	if (len + 1 > sizeof(small))
		copy = malloc(len + 1);
	if (!copy)
		return STATUS_NOMEM;
	memcpy(copy, text, len);
	copy[len] = 0;
	if (!enter_c(&c, &old)) {
		if (copy != small)
			free(copy);
		return STATUS_NOMEM;
	}
	if (bits == 64)
		wide = strtod(copy, NULL);
	else
		narrow = strtof(copy, NULL);
	leave_c(c, old);
	if (copy != small)
		free(copy);
	*value = sign | bits_of(wide, narrow, bits);
	return isinf(wide) || isinf(narrow) ? STATUS_TOO_BIG : STATUS_OK;
}

bool float_is_nan(u64 value, unsigned bits)
{
	return bits == 64 ? (value & 0x7FFFFFFFFFFFFFFFu) > 0x7FF0000000000000u : (value & 0x7FFFFFFFu) > 0x7F800000u;
}

u64 float_of_int(i64 value, bool is_signed, unsigned bits)
{
	return is_signed ? bits_of((double)value, (float)value, bits) : bits_of((double)(u64)value, (float)(u64)value, bits);
}

u64 float_narrow(u64 value)
{
	double wide;

	if (float_is_nan(value, 64))
		return (value >> 63) << 31 | 0x7FC00000u;
	memcpy(&wide, &value, sizeof(wide));
	return bits_of(0, (float)wide, 32);
}

void float_print(u64 value, unsigned bits, char text[FLOAT_TEXT_MAX])
{
	bool negative = value >> (bits - 1) & 1;
	u64 magnitude = value & ~((u64)1 << (bits - 1)), again;
	double wide = 0;
	locale_t c, old;
	size_t len;

	if (float_is_nan(value, bits) || magnitude == (bits == 64 ? 0x7FF0000000000000u : 0x7F800000u)) {
		snprintf(text, FLOAT_TEXT_MAX, "%s%s", negative ? "-" : "", float_is_nan(value, bits) ? "nan" : "inf");
		return;
	}
	if (bits == 64) {
		memcpy(&wide, &magnitude, sizeof(wide));
	} else {
		u32 half = (u32)magnitude;
		float narrow;

		memcpy(&narrow, &half, sizeof(narrow));
		wide = narrow;
	}
	if (!enter_c(&c, &old)) {
		snprintf(text, FLOAT_TEXT_MAX, "nan"); /* out of memory: something that is refused or seen to be wrong */
		return;
	}
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, FLOAT_TEXT_MAX, "%s%.*g", negative ? "-" : "", digits, wide);
		if (float_read(text, strlen(text), bits, &again) == STATUS_OK && again == value)
			break;
	}
	leave_c(c, old);
	len = strlen(text);
	if (!strpbrk(text, ".e") && len + 3 <= FLOAT_TEXT_MAX)
		memcpy(text + len, ".0", 3);
}

void float_print_boxed(u64 value, unsigned bits, char text[FLOAT_TEXT_MAX])
{
	bool boxed = bits == 64 && value >> 32 == 0xFFFFFFFF;

	float_print(boxed ? (u32)value : value, boxed ? 32 : bits, text);
	if (boxed)
		strcat(text, "f");
}

bool float_read_boxed(const char *text, size_t len, unsigned bits, u64 *value)
{
	bool boxed = bits == 64 && len > 1 && text[len - 1] == 'f' && text[len - 2] != 'n'; /* not inf */

	if (boxed)
		len--;
	if (float_read(text, len, boxed ? 32 : bits, value) != STATUS_OK)
		return false;
	if (boxed)
		*value |= 0xFFFFFFFF00000000;
	return true;
}
