/* SPDX-License-Identifier: MIT */
/*
 * Quicksort over records with a comparison that is called through a pointer, as qsort's is; our own, because each C library
 * sorts in another way. Size: records, sorted four times.
 */
#include "bench.h"

typedef struct Record {
	uint32_t key, serial;
} Record;

typedef int Compare(const void *a, const void *b);

static int by_key(const void *a, const void *b)
{
	const Record *x = a, *y = b;

	return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : (x->serial > y->serial) - (x->serial < y->serial);
}

static int by_serial(const void *a, const void *b)
{
	const Record *x = a, *y = b;

	return (x->serial > y->serial) - (x->serial < y->serial);
}

static void swap(Record *a, Record *b)
{
	Record held = *a;

	*a = *b;
	*b = held;
}

static void quicksort(Record *low, Record *high, Compare *compare) /* both ends are part of it */
{
	while (low < high) {
		Record pivot = low[(high - low) / 2], *i = low, *j = high;

		while (i <= j) {
			while (compare(i, &pivot) < 0)
				i++;
			while (compare(j, &pivot) > 0)
				j--;
			if (i <= j)
				swap(i++, j--);
		}
		if (j - low < high - i) { /* the smaller half by recursion */
			quicksort(low, j, compare);
			low = i;
		} else {
			quicksort(i, high, compare);
			high = j;
		}
	}
}

int main(int argc, char **argv)
{
	int64_t n = size_or(argc, argv, 1000000);
	Record *records = allocate(sizeof *records * (size_t)n);
	Compare *volatile orders[2] = {by_key, by_serial}; /* volatile: no compiler sees through the pointer */
	uint64_t state = 4711, sum = 0;

	for (int64_t i = 0; i < n; i++)
		records[i] = (Record){(uint32_t)next_random(&state) & 0xfffffff, (uint32_t)i};
	for (int time = 0; time < 4; time++) {
		quicksort(records, records + n - 1, orders[time & 1]);
		for (int64_t i = 0; i < n; i += 97)
			sum = sum * 31 + records[i].key + records[i].serial;
	}
	return report(sum);
}
