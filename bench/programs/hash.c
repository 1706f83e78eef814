/* SPDX-License-Identifier: MIT */
/*
 * A hash table with open addresses, at most half full, looked up, added and deleted at random.
 * Cache misses and branches nobody predicts. Size: operations.
 */
#include "bench.h"

enum { BITS = 18, PLACES = 1 << BITS, KEYS = 1 << (BITS - 1) };

typedef struct Entry {
	uint64_t key, value; /* key 0: free */
} Entry;

static Entry table[PLACES];

static uint32_t home_of(uint64_t key)
{
	return (uint32_t)(key * 0x9e3779b97f4a7c15ull >> (64 - BITS));
}

/* The entry of the key, or the free one where it would go. */
static uint32_t find(uint64_t key)
{
	uint32_t at = home_of(key);

	while (table[at].key && table[at].key != key)
		at = (at + 1) & (PLACES - 1);
	return at;
}

/* Closes the gap: every follower that could have stood there moves up. */
static void delete(uint32_t at)
{
	for (uint32_t next = at;;) {
		table[at].key = 0;
		for (;;) {
			uint32_t home;

			next = (next + 1) & (PLACES - 1);
			if (!table[next].key)
				return;
			home = home_of(table[next].key);
			if (((next - home) & (PLACES - 1)) >= ((next - at) & (PLACES - 1)))
				break;
		}
		table[at] = table[next];
		at = next;
	}
}

int main(int argc, char **argv)
{
	int64_t n = size_or(argc, argv, 80000000);
	uint64_t state = 88172645463325252ull, sum = 0;

	for (int64_t i = 0; i < n; i++) {
		uint64_t random = next_random(&state), key = (random & (KEYS - 1)) + 1;
		uint32_t at = find(key);

		if (table[at].key && (random >> 60) == 0) {
			sum ^= table[at].value;
			delete(at);
		} else if (table[at].key) {
			sum += table[at].value++;
		} else {
			table[at] = (Entry){key, random >> 40};
		}
	}
	return report(sum);
}
