/* SPDX-License-Identifier: MIT
 *
 * Arrays that grow: `*items` is owned by the caller, who frees it, and has room for *cap items. (In an arena:
 * arena_grow.)
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include "base/types.h"

/* `used` items are there: afterwards there is room for one more. False: no memory, and nothing has changed. */
bool array_grow(void **items, u32 *cap, u32 used, size_t item_size);
/* Item number `index` is in the array afterwards; those that are new are zero. False as above. */
bool array_reach(void **items, u32 *cap, u32 index, size_t item_size);

#endif
