/* SPDX-License-Identifier: MIT
 *
 * "Did you mean": the known name nearest to a mistyped one, by edits (insert, drop, change, swap two neighbours; case
 * does not count). A name that begins with what was typed (three letters or more) is one edit away. Among equals a
 * name of the same length wins, as typing errors mostly keep it, then the first.
 *
 *     Nearest n = nearest_to(text, len);
 *     nearest_consider(&n, "ADD"); ...
 *     if (n.name) hint "did you mean 'ADD'?"
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include "base/types.h"

typedef struct Nearest {
	const char *text; /* borrowed: what was typed */
	size_t len;
	const char *name; /* borrowed: the nearest so far, or NULL */
	unsigned best;    /* a name must take fewer edits than this */
	bool same_length;
} Nearest;

/* Short words must be closer (1 edit) than longer ones (2). Nothing is near to a single letter or to 33 and more. */
Nearest nearest_to(const char *text, size_t len);
void nearest_consider(Nearest *nearest, const char *name);

#endif
