/* SPDX-License-Identifier: MIT
 *
 * What all programs of the benchmark share. Each is one file of plain C that takes its size as the only argument and
 * prints one line, a checksum, that must be the same wherever it runs: 64-bit and 32-bit hosts (WebAssembly has 32-bit
 * pointers), any C library. So: no `long`, no library sort or hash, no addresses in sums, and -ffp-contract=off.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int64_t size_or(int argc, char **argv, int64_t preset)
{
	return argc > 1 ? strtoll(argv[1], NULL, 10) : preset;
}

static inline int report(uint64_t checksum)
{
	printf("%016llx\n", (unsigned long long)checksum);
	return 0;
}

/* xorshift64*: the same numbers everywhere. The state may not be 0. */
static inline uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dull;
}

static inline void *allocate(size_t bytes)
{
	void *p = malloc(bytes);

	if (!p) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return p;
}

/* The bits of a double, to sum up what must be equal to the last bit. */
static inline uint64_t bits_of(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof bits);
	return bits;
}

#endif
