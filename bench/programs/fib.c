/* SPDX-License-Identifier: MIT */
/* Fibonacci by recursion: nothing but calls and returns. Size: which number. */
#include "bench.h"

static uint64_t fib(unsigned n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int main(int argc, char **argv)
{
	return report(fib((unsigned)size_or(argc, argv, 43)));
}
