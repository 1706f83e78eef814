/* SPDX-License-Identifier: MIT */
/* The Mandelbrot set: a short chain of double products with a branch on a comparison. Size: width and height. */
#include "bench.h"

int main(int argc, char **argv)
{
	int n = (int)size_or(argc, argv, 1000);
	uint64_t sum = 0;

	for (int row = 0; row < n; row++)
		for (int column = 0; column < n; column++) {
			double cx = 2.0 * column / n - 1.5, cy = 2.0 * row / n - 1.0, x = 0, y = 0, xx = 0, yy = 0;
			int i = 0;

			while (i < 500 && xx + yy <= 4.0) {
				y = 2.0 * x * y + cy;
				x = xx - yy + cx;
				xx = x * x;
				yy = y * y;
				i++;
			}
			sum = sum * 31 + (uint64_t)i;
		}
	return report(sum);
}
