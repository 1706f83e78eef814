/* SPDX-License-Identifier: MIT */
/* A linked list in random order, walked: each load waits for the one before, mostly out of the second cache. Size: walks. */
#include "bench.h"

enum { NODES = 1 << 15 };

typedef struct Node Node;
struct Node {
	Node *next;
	uint64_t value;
};

int main(int argc, char **argv)
{
	int64_t n = size_or(argc, argv, 3000);
	Node *nodes = allocate(sizeof *nodes * NODES);
	uint32_t *order = allocate(sizeof *order * NODES);
	uint64_t state = 12345, sum = 0;

	for (uint32_t i = 0; i < NODES; i++)
		order[i] = i;
	for (uint32_t i = NODES - 1; i; i--) {
		uint32_t j = (uint32_t)(next_random(&state) % (i + 1)), held = order[i];

		order[i] = order[j];
		order[j] = held;
	}
	for (uint32_t i = 0; i < NODES; i++)
		nodes[order[i]] = (Node){&nodes[order[(i + 1) & (NODES - 1)]], order[i] ^ state};
	for (int64_t i = 0; i < n; i++) {
		Node *node = nodes;

		do {
			sum += node->value ^ (uint64_t)i;
			node = node->next;
		} while (node != nodes);
	}
	return report(sum);
}
