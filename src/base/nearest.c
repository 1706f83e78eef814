/* SPDX-License-Identifier: MIT */
#include "base/nearest.h"

#include <string.h>

#include "base/strmap.h"

enum { LONGEST = 32 };

Nearest nearest_to(const char *text, size_t len)
{
	return (Nearest){.text = text, .len = len, .best = len < 2 || len > LONGEST ? 0 : len <= 3 ? 2 : 3};
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

static unsigned edits(const char *a, size_t alen, const char *b, size_t blen)
{
	unsigned rows[3][LONGEST + 1];

	for (size_t j = 0; j <= blen; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= alen; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= blen; j++) {
			char x = ascii_lower(a[i - 1]), y = ascii_lower(b[j - 1]);

			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == ascii_lower(b[j - 2]) && y == ascii_lower(a[i - 2]) && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
	}
	return rows[alen % 3][blen];
}

void nearest_consider(Nearest *n, const char *name)
{
	size_t len = strlen(name);
	unsigned d;

	if (!n->best || len > LONGEST || (len == n->len && !memcmp(name, n->text, len)))
		return;
	if (n->len >= 3 && len > n->len && ascii_equal_fold(name, n->len, n->text, n->len))
		d = 1;
	else if (len + 2 < n->len || len > n->len + 2)
		return;
	else
		d = edits(n->text, n->len, name, len);
	if (d < n->best || (n->name && d == n->best && len == n->len && !n->same_length)) {
		n->best = d;
		n->name = name;
		n->same_length = len == n->len;
	}
}
