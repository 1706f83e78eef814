/* SPDX-License-Identifier: MIT */
/* usage: loop_c count|sum ROUNDS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned count(unsigned n)
{
	while (n) {
		__asm__ volatile("" : "+r"(n)); /* or the compiler would know how it ends */
		n--;
	}
	return n;
}

static unsigned sum(unsigned n)
{
	unsigned s = 0;

	for (unsigned i = 0; i < n; i++)
		s += i ^ (s >> 3);
	return s;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

	if (argc < 3)
		return 2;
	printf("%016x\n", strcmp(argv[1], "count") ? sum(rounds) : count(rounds));
	return 0;
}
