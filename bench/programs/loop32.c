/* SPDX-License-Identifier: MIT */
/* The billion with `unsigned int`: what 32-bit arithmetic costs in 64-bit registers. Size: rounds. */
#include "bench.h"

int main(int argc, char **argv)
{
	unsigned n = (unsigned)size_or(argc, argv, 1000000000), sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += i ^ (sum >> 3);
	return report(sum);
}
