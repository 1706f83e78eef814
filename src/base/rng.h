/* SPDX-License-Identifier: MIT
 *
 * A small seeded generator (splitmix64) for tests and instruction generators: same seed, same numbers, everywhere.
 * Not for secrets.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include "base/types.h"

typedef struct Rng {
	u64 state;
} Rng;

static inline u64 rng_next(Rng *rng)
{
	u64 z = rng->state += 0x9E3779B97F4A7C15u;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

/* 0..bound-1; bound > 0. */
static inline u64 rng_below(Rng *rng, u64 bound)
{
	return rng_next(rng) % bound;
}

#endif
