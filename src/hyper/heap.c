/* SPDX-License-Identifier: MIT */
#include "hyper/heap.h"

#include <stdlib.h>

enum { WAYS = 4 };

void heap_fini(Heap *heap)
{
	free(heap->entries);
	*heap = (Heap){0};
}

bool heap_reserve(Heap *heap, u32 count)
{
	HeapEntry *entries;
	u32 cap = heap->cap ? heap->cap : 16;

	while (cap < count)
		cap *= 2;
	if (cap == heap->cap)
		return true;
	entries = realloc(heap->entries, (size_t)cap * sizeof *entries);
	if (!entries)
		return false;
	heap->entries = entries;
	heap->cap = cap;
	return true;
}

static bool is_before(const HeapEntry *a, const HeapEntry *b)
{
	return a->key < b->key || (a->key == b->key && a->order < b->order);
}

static void put(Heap *heap, u32 at, HeapEntry entry)
{
	heap->entries[at] = entry;
	entry.item->at = at + 1;
}

static void rise(Heap *heap, u32 at, HeapEntry entry)
{
	while (at && is_before(&entry, &heap->entries[(at - 1) / WAYS])) {
		put(heap, at, heap->entries[(at - 1) / WAYS]);
		at = (at - 1) / WAYS;
	}
	put(heap, at, entry);
}

static void sink(Heap *heap, u32 at, HeapEntry entry)
{
	for (;;) {
		u32 first = WAYS * at + 1, least = first;

		if (first >= heap->count)
			break;
		for (u32 child = first + 1; child < first + WAYS && child < heap->count; child++)
			if (is_before(&heap->entries[child], &heap->entries[least]))
				least = child;
		if (!is_before(&heap->entries[least], &entry))
			break;
		put(heap, at, heap->entries[least]);
		at = least;
	}
	put(heap, at, entry);
}

void heap_add(Heap *heap, HeapItem *item, u64 key)
{
	item->key = key;
	rise(heap, heap->count++, (HeapEntry){.key = key, .order = heap->next_order++, .item = item});
}

void heap_remove(Heap *heap, HeapItem *item)
{
	HeapEntry last;
	u32 at = item->at;

	if (!at--)
		return;
	item->at = 0;
	last = heap->entries[--heap->count];
	if (last.item == item)
		return;
	if (at && is_before(&last, &heap->entries[(at - 1) / WAYS]))
		rise(heap, at, last);
	else
		sink(heap, at, last);
}
