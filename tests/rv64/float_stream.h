/* SPDX-License-Identifier: MIT
 *
 * The operands that a riscv64 program (float_stream.c) and a test (tests/unit/test_float_rv64.c) compute with, each on its
 * own: first all pairs of a list of edges, then numbers made of edges, of random bits, and of bits near those of the
 * number before (where sums cancel). Needs nothing but integers.
 */
#ifndef TESTS_RV64_FLOAT_STREAM_H
#define TESTS_RV64_FLOAT_STREAM_H

#include "base/rng.h"

typedef struct Stream {
	Rng rng;
	unsigned width;
	u64 round;
} Stream;

typedef struct Operands {
	u64 a, b, c;
} Operands;

enum { STREAM_EDGES = 48, STREAM_MODES = 5 };

static inline u64 stream_edge(unsigned width, u64 i)
{
	static const u64 doubles[STREAM_EDGES / 2] = {
		0, 1, 2, 0x000FFFFFFFFFFFFF, 0x0010000000000000, 0x0010000000000001, 0x3CA0000000000000, 0x3FE0000000000000,
		0x3FEFFFFFFFFFFFFF, 0x3FF0000000000000, 0x3FF0000000000001, 0x3FF8000000000000, 0x4008000000000000,
		0x41DFFFFFFFE00000, 0x41EFFFFFFFF00000, 0x4330000000000001, 0x43E0000000000000, 0x43F0000000000000,
		0x47EFFFFFEFFFFFFF, 0x7FDFFFFFFFFFFFFF, 0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000, 0x7FF0000000000001,
		0x7FF8000000000000,
	};
	static const u32 singles[STREAM_EDGES / 2] = {
		0, 1, 2, 0x007FFFFF, 0x00800000, 0x00800001, 0x33800000, 0x3F000000, 0x3F7FFFFF, 0x3F800000, 0x3F800001,
		0x3FC00000, 0x40400000, 0x4EFFFFFF, 0x4F7FFFFF, 0x4B000001, 0x5F000000, 0x5F800000, 0x7EFFFFFF, 0x7F000001,
		0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FC00000,
	};
	u64 sign = (i & 1) << (width - 1);

	return (width == 64 ? doubles[i / 2] : singles[i / 2]) | sign;
}

static inline u64 stream_number(Stream *s, u64 near)
{
	u64 random = rng_next(&s->rng), edge = stream_edge(s->width, rng_below(&s->rng, STREAM_EDGES)), bits, mask;

	mask = s->width == 64 ? ~(u64)0 : 0xFFFFFFFF;
	switch (rng_below(&s->rng, 8)) {
	case 0: bits = edge; break;
	case 1: bits = edge + random % 9 - 4; break;
	case 2: bits = edge ^ (u64)1 << random % 64; break;
	case 3: bits = near ^ (u64)1 << random % 64 ^ random >> 63; break;
	case 4: /* about 1, with a short fraction: much comes out exactly */
		bits = s->width == 64 ? 0x3E00000000000000 + (random & 0x83FF700000000000)
				      : 0x3C000000 + (random & 0x83FFE000);
		break;
	case 5: /* about 1 */
		bits = s->width == 64 ? 0x3E00000000000000 + (random & 0x83FFFFFFFFFFFFFF) : 0x3C000000 + (random & 0x87FFFFFF);
		break;
	default: bits = random; break;
	}
	return bits & mask;
}

/* width: of the operands; integers come as bits like all others, and as small numbers. */
static inline Stream stream_open(unsigned width, u64 seed)
{
	return (Stream){.rng = {seed}, .width = width};
}

static inline Operands stream_next(Stream *s, int integer)
{
	Operands o;
	u64 round = s->round++;

	if (round < STREAM_EDGES * STREAM_EDGES) {
		o.a = stream_edge(s->width, round % STREAM_EDGES);
		o.b = stream_edge(s->width, round / STREAM_EDGES);
		o.c = stream_edge(s->width, rng_below(&s->rng, STREAM_EDGES));
		return o;
	}
	o.a = stream_number(s, rng_next(&s->rng));
	o.b = stream_number(s, o.a);
	o.c = stream_number(s, o.b);
	if (integer && round & 1) {
		o.a = rng_next(&s->rng);
		o.a = (round & 2 ? -(o.a >> (round >> 2 & 63)) : o.a >> (round >> 2 & 63)) & (s->width == 64 ? ~(u64)0 : 0xFFFFFFFF);
	}
	return o;
}

static inline u64 stream_hash(u64 hash, u64 value)
{
	hash = (hash ^ value) * 0x9E3779B97F4A7C15;
	return hash ^ hash >> 29;
}

#endif
