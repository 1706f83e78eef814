/* SPDX-License-Identifier: MIT */
#include "base/array.h"

#include <stdlib.h>
#include <string.h>

enum { ARRAY_FIRST = 8, ARRAY_LAST = 1 << 30 };

static bool resize(void **items, u32 *cap, u32 wanted, size_t item_size)
{
	void *grown = wanted <= SIZE_MAX / item_size ? realloc(*items, wanted * item_size) : NULL;

	if (!grown)
		return false;
	*items = grown;
	*cap = wanted;
	return true;
}

bool array_grow(void **items, u32 *cap, u32 used, size_t item_size)
{
	if (used < *cap)
		return true;
	return *cap < ARRAY_LAST && resize(items, cap, *cap ? *cap * 2 : ARRAY_FIRST, item_size);
}

bool array_reach(void **items, u32 *cap, u32 index, size_t item_size)
{
	u32 before = *cap, wanted = before ? before : ARRAY_FIRST;

	if (index < before)
		return true;
	if (index >= ARRAY_LAST)
		return false;
	while (wanted <= index)
		wanted *= 2;
	if (!resize(items, cap, wanted, item_size))
		return false;
	memset((char *)*items + before * item_size, 0, (wanted - before) * item_size);
	return true;
}
