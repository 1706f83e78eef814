/* SPDX-License-Identifier: MIT */
#include "machine/rights.h"

#include <string.h>

static const char *const names[] = {
#define X(NAME, name, about) name,
#include "machine/rights.def"
#undef X
};

static const char *const abouts[] = {
#define X(NAME, name, about) about,
#include "machine/rights.def"
#undef X
};

const char *right_name(Right right)
{
	return names[right];
}

const char *right_about(Right right)
{
	return abouts[right];
}

Right right_find(const char *name)
{
	Right right = 0;

	while (right < RIGHT_COUNT && strcmp(names[right], name) != 0)
		right++;
	return right;
}
