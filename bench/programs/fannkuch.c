/* SPDX-License-Identifier: MIT */
/*
 * Pancakes: for every order of n numbers, how often must the first `first` ones be turned round until the first is 1?
 * Small arrays, copied, reversed and rotated. Size: how often n = 10 is done.
 */
#include "bench.h"

enum { N = 10 };

static int flips(const int *order)
{
	int pile[N], count = 0;

	for (int i = 0; i < N; i++)
		pile[i] = order[i];
	for (int first = pile[0]; first; first = pile[0]) {
		for (int low = 0, high = first; low < high; low++, high--) {
			int held = pile[low];

			pile[low] = pile[high];
			pile[high] = held;
		}
		count++;
	}
	return count;
}

static uint64_t all_orders(void)
{
	int order[N], turned[N] = {0}, most = 0;
	int64_t sum = 0;

	for (int i = 0; i < N; i++)
		order[i] = i;
	for (int64_t index = 0;; index++) {
		int count = flips(order), top = 1;

		most = count > most ? count : most;
		sum += index & 1 ? -count : count;
		/* The next order: rotate the first two; when that has gone full circle, the first three, and so on. */
		for (; top < N; top++) {
			int held = order[0];

			for (int i = 0; i < top; i++)
				order[i] = order[i + 1];
			order[top] = held;
			if (++turned[top] <= top)
				break;
			turned[top] = 0;
		}
		if (top == N)
			break;
	}
	return (uint64_t)sum * 1000 + (uint64_t)most;
}

int main(int argc, char **argv)
{
	uint64_t checksum = 0;

	for (int64_t times = size_or(argc, argv, 3); times > 0; times--)
		checksum = checksum * 31 + all_orders();
	return report(checksum);
}
