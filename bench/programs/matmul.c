/* SPDX-License-Identifier: MIT */
/* Product of two matrices of doubles, row by row: loads, a product and a sum. Size: rows. */
#include "bench.h"

int main(int argc, char **argv)
{
	int n = (int)size_or(argc, argv, 1000);
	size_t bytes = sizeof(double) * (size_t)n * (size_t)n;
	double *a = allocate(bytes), *b = allocate(bytes), *c = allocate(bytes), sum = 0;
	uint64_t state = 99;

	for (int i = 0; i < n * n; i++) {
		a[i] = (double)(next_random(&state) >> 53) / 1024;
		b[i] = (double)(next_random(&state) >> 53) / 512;
		c[i] = 0;
	}
	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++) {
			double factor = a[i * n + k];

			for (int j = 0; j < n; j++)
				c[i * n + j] += factor * b[k * n + j];
		}
	for (int i = 0; i < n * n; i++)
		sum += c[i] * (i & 7);
	return report(bits_of(sum));
}
