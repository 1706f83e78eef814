/* SPDX-License-Identifier: MIT */
/*
 * The C library's memcpy, memmove, memset, memcmp and strlen, over blocks of 8 bytes to 64 KiB. What is measured is as much
 * the C library (glibc has plain loops for RISC-V and vectors for x86-64). Size: rounds.
 */
#include "bench.h"

enum { BLOCK = 65536 };

static char one[BLOCK + 64], two[BLOCK + 64];

int main(int argc, char **argv)
{
	int64_t n = size_or(argc, argv, 50000);
	uint64_t sum = 0;

	for (int64_t i = 0; i < n; i++) {
		for (size_t size = 8; size <= BLOCK; size *= 2) {
			/* Small blocks more often: about as many bytes of each size. */
			for (size_t times = size < 4096 ? 4096 / size / 8 + 1 : 1; times; times--) {
				size_t shift = (size_t)(i + (int64_t)times) & 7;

				memset(one + shift, (int)(i & 63) + 1, size);
				memcpy(two, one + shift, size);
				memmove(two + 3, two, size);
				two[size] = 0;
				sum += strlen(two);
				sum += (uint64_t)(memcmp(one + shift, two, size) != 0);
			}
		}
		sum = sum * 31 + (uint8_t)two[i & (BLOCK - 1)];
	}
	return report(sum);
}
