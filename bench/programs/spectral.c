/* SPDX-License-Identifier: MIT */
/*
 * Largest singular value of the matrix a(i,j) = 1 / ((i+j)(i+j+1)/2 + i + 1), by ten rounds of the power method: integer
 * to double conversions and divisions in two nested loops. Size: rows.
 */
#include "bench.h"
#include <math.h>

static double element(int i, int j)
{
	return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1);
}

static void multiply(int n, const double *in, double *out, int transposed)
{
	for (int i = 0; i < n; i++) {
		double sum = 0;

		for (int j = 0; j < n; j++)
			sum += (transposed ? element(j, i) : element(i, j)) * in[j];
		out[i] = sum;
	}
}

int main(int argc, char **argv)
{
	int n = (int)size_or(argc, argv, 3000);
	double *u = allocate(sizeof *u * (size_t)n), *v = allocate(sizeof *v * (size_t)n), *t = allocate(sizeof *t * (size_t)n);
	double uv = 0, vv = 0;

	for (int i = 0; i < n; i++)
		u[i] = 1;
	for (int round = 0; round < 10; round++) {
		multiply(n, u, t, 0);
		multiply(n, t, v, 1);
		multiply(n, v, t, 0);
		multiply(n, t, u, 1);
	}
	for (int i = 0; i < n; i++) {
		uv += u[i] * v[i];
		vv += v[i] * v[i];
	}
	return report(bits_of(sqrt(uv / vv)));
}
