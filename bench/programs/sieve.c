/* SPDX-License-Identifier: MIT */
/* Eratosthenes over a million bytes: stores with a stride, then a count. Size: how often. */
#include "bench.h"

enum { LIMIT = 1000000 };

static uint8_t composite[LIMIT + 1];

int main(int argc, char **argv)
{
	int64_t times = size_or(argc, argv, 400);
	uint64_t sum = 0;

	for (int64_t t = 0; t < times; t++) {
		memset(composite, 0, sizeof composite);
		for (int i = 2; i * i <= LIMIT; i++)
			if (!composite[i])
				for (int k = i * i; k <= LIMIT; k += i)
					composite[k] = 1;
		for (int i = 2; i <= LIMIT - (int)(t & 255); i++)
			sum += !composite[i];
	}
	return report(sum);
}
