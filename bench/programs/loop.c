/* SPDX-License-Identifier: MIT */
/* The billion: one chain of a shift, an exclusive or and a sum in 64 bits. Size: rounds. */
#include "bench.h"

int main(int argc, char **argv)
{
	uint64_t n = (uint64_t)size_or(argc, argv, 1000000000), sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += i ^ (sum >> 3);
	return report(sum);
}
