/* SPDX-License-Identifier: MIT
 *
 * A binary heap of items that lie in other structs: the least key first, those of equal keys in the order they came.
 */
#ifndef HYPER_HEAP_H
#define HYPER_HEAP_H

#include "base/types.h"

typedef struct HeapItem {
	u64 key, order;
	u32 at; /* its place + 1; 0: in no heap */
} HeapItem;

typedef struct Heap {
	HeapItem **items; /* owned; [0] is the least */
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
	return heap->count ? heap->items[0] : NULL;
}

#endif
