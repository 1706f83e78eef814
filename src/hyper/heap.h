/* SPDX-License-Identifier: MIT
 *
 * A heap of items that lie in other structs: the least key first, those of equal keys in the order they came.
 *
 *     entries[0] -- [1] .. [4] -- [5] .. [8], [9] .. [12] ...     each has up to four below it, none of them less
 *
 * Keys stand in the table itself, and it is flat: the items, which lie wherever they lie, are only told where they are, so to take the
 * first of ten thousand does not wait for thirty lines of memory that no cache has.
 */
#ifndef HYPER_HEAP_H
#define HYPER_HEAP_H

#include "base/types.h"

typedef struct HeapItem {
	u64 key; /* as long as it is in one */
	u32 at; /* its place + 1; 0: in no heap */
} HeapItem;

typedef struct HeapEntry {
	u64 key, order;
	HeapItem *item;
} HeapEntry;

typedef struct Heap {
	HeapEntry *entries; /* owned; [0] is the least */
	u32 count, cap;
	u64 next_order;
} Heap;

void heap_fini(Heap *heap);
/* Room for `count` items, so that heap_add cannot fail. */
bool heap_reserve(Heap *heap, u32 count);
void heap_add(Heap *heap, HeapItem *item, u64 key);
void heap_remove(Heap *heap, HeapItem *item); /* nothing if it is in none */
static inline HeapItem *heap_first(const Heap *heap)
{
	return heap->count ? heap->entries[0].item : NULL;
}

#endif
