/* SPDX-License-Identifier: MIT */
#include "hyper/heap.h"

#include <stdlib.h>

void heap_fini(Heap *heap)
{
	free(heap->items);
	*heap = (Heap){0};
}

bool heap_reserve(Heap *heap, u32 count)
{
	HeapItem **items;
	u32 cap = heap->cap ? heap->cap : 16;

	while (cap < count)
		cap *= 2;
	if (cap == heap->cap)
		return true;
	items = realloc(heap->items, (size_t)cap * sizeof *items);
	if (!items)
		return false;
	heap->items = items;
	heap->cap = cap;
	return true;
}

static bool is_before(const HeapItem *a, const HeapItem *b)
{
	return a->key < b->key || (a->key == b->key && a->order < b->order);
}

static void put(Heap *heap, u32 at, HeapItem *item)
{
	heap->items[at] = item;
	item->at = at + 1;
}

static void rise(Heap *heap, u32 at, HeapItem *item)
{
	while (at && is_before(item, heap->items[(at - 1) / 2])) {
		put(heap, at, heap->items[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(heap, at, item);
}

static void sink(Heap *heap, u32 at, HeapItem *item)
{
	for (;;) {
		u32 child = 2 * at + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count && is_before(heap->items[child + 1], heap->items[child]))
			child++;
		if (!is_before(heap->items[child], item))
			break;
		put(heap, at, heap->items[child]);
		at = child;
	}
	put(heap, at, item);
}

void heap_add(Heap *heap, HeapItem *item, u64 key)
{
	item->key = key;
	item->order = heap->next_order++;
	rise(heap, heap->count++, item);
}

void heap_remove(Heap *heap, HeapItem *item)
{
	HeapItem *last;
	u32 at = item->at;

	if (!at--)
		return;
	item->at = 0;
	last = heap->items[--heap->count];
	if (last == item)
		return;
	if (at && is_before(last, heap->items[(at - 1) / 2]))
		rise(heap, at, last);
	else
		sink(heap, at, last);
}
