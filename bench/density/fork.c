/* SPDX-License-Identifier: MIT
 *
 * A Linux program with MIB megabytes of memory that it has all written. For each letter that it reads it computes a little, writes
 * into PAGES of its pages, and writes a letter; so what it has is as large, and what it does as small, as one wants. At the end of its
 * input it says the sum of its memory.
 */
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#ifndef MIB
#define MIB 64
#endif
enum { WORDS = MIB << 17, PAGES = 8 };

static uint64_t memory[WORDS];

int main(void)
{
	uint64_t number = 1, sum = 0;
	char letter = '!';

	for (uint64_t i = 0; i < WORDS; i++)
		memory[i] = number += i * 0x9E3779B97F4A7C15u;
	do {
		for (int i = 0; i < PAGES; i++) {
			number = number * 6364136223846793005u + (uint64_t)letter;
			memory[(number >> 20) % WORDS] += number;
		}
		letter = (char)('a' + (number >> 40) % 26);
		if (write(1, &letter, 1) != 1)
			return 1;
	} while (read(0, &letter, 1) == 1);
	for (uint64_t i = 0; i < WORDS; i++)
		sum += memory[i];
	printf("\n%016llx\n", (unsigned long long)sum);
	return 0;
}
