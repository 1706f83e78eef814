/* SPDX-License-Identifier: MIT
 *
 * Float operations by the host's compiler and C library: what src/ir/ir_float.c, which knows only integers, is held
 * against. Needs -lm.
 */
#ifndef TESTS_HOST_FLOAT_H
#define TESTS_HOST_FLOAT_H

#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "base/rng.h"
#include "ir/ir.h"

/* Patterns at which something happens, often with a few bits changed; else anything. */
static inline u64 float_edge(Rng *rng, bool wide)
{
	static const u64 doubles[] = {
		0, 0x8000000000000000, 0x3FF0000000000000, 0xBFF0000000000000, 0x7FF0000000000000, 0xFFF0000000000000,
		0x7FF8000000000000, 0x7FF0000000000001, 0xFFF8000000000123, 1, 0x8000000000000001, 0x000FFFFFFFFFFFFF,
		0x0010000000000000, 0x7FEFFFFFFFFFFFFF, 0x4340000000000000, 0x43E0000000000000, 0xC3E0000000000000,
		0x41DFFFFFFFC00000, 0x41E0000000000000, 0x3FE0000000000000, 0x4000000000000000, 0x3CA0000000000000,
		0x36A0000000000000, 0x380FFFFFC0000000, 0x47EFFFFFE0000000, 0x47EFFFFFF0000000, 0x43F0000000000000,
	};
	static const u32 singles[] = {
		0, 0x80000000, 0x3F800000, 0xBF800000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFC00123, 1,
		0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x4B800000, 0x4F000000, 0xCF000000, 0x4F800000, 0x5F000000, 0xDF000000,
		0x5F800000, 0x3F000000, 0x40000000, 0x33800000,
	};
	u64 value = wide ? doubles[rng_below(rng, COUNT_OF(doubles))] : singles[rng_below(rng, COUNT_OF(singles))];

	switch (rng_below(rng, 5)) {
	case 0: return value;
	case 1: return bits_trunc(value + rng_below(rng, 5) - 2, wide ? 64 : 32);
	case 2: return value ^ (u64)1 << rng_below(rng, wide ? 64 : 32);
	case 3: return wide ? 0x3F00000000000000 + bits_trunc(rng_next(rng), 57) : 0x38000000 + bits_trunc(rng_next(rng), 28);
	default: return bits_trunc(rng_next(rng), wide ? 64 : 32);
	}
}

static inline double host_double(u64 bits)
{
	double x;

	memcpy(&x, &bits, 8);
	return x;
}

static inline float host_single(u64 bits)
{
	u32 low = (u32)bits;
	float x;

	memcpy(&x, &low, 4);
	return x;
}

static inline u64 host_bits64(double x)
{
	u64 bits;

	memcpy(&bits, &x, 8);
	return x == x ? bits : 0x7FF8000000000000;
}

static inline u64 host_bits32(float x)
{
	u32 bits;

	memcpy(&bits, &x, 4);
	return x == x ? bits : 0x7FC00000;
}

static inline double host_choose(double a, double b, bool max)
{
	if (a != a || b != b)
		return a != a ? b : a;
	if (a == b)
		return (signbit(a) != 0) == max ? b : a;
	return (a < b) == max ? b : a;
}

/* x is exact here: a float or a double. */
static inline u64 host_integer(double x, unsigned width, bool is_signed)
{
	double top = ldexp(1, (int)width - is_signed);

	if (x != x || x >= top)
		return is_signed ? bits_mask(width) >> 1 : bits_mask(width);
	if (is_signed ? x < -top : x <= -1)
		return is_signed ? bits_mask(width) ^ bits_mask(width) >> 1 : 0;
	return bits_trunc(x < 0 ? (u64)(i64)x : (u64)x, width);
}

static inline u64 host_float(IrOp op, unsigned width, unsigned arg_width, u64 a, u64 b, u64 c)
{
	bool wide = arg_width == 64;
	double x = wide ? host_double(a) : (double)host_single(a), y = wide ? host_double(b) : (double)host_single(b);
	float s = host_single(a), t = host_single(b);

	switch (op) {
	case IR_OP_FADD: return wide ? host_bits64(x + y) : host_bits32(s + t);
	case IR_OP_FSUB: return wide ? host_bits64(x - y) : host_bits32(s - t);
	case IR_OP_FMUL: return wide ? host_bits64(x * y) : host_bits32(s * t);
	case IR_OP_FDIV: return wide ? host_bits64(x / y) : host_bits32(s / t);
	case IR_OP_FSQRT: return wide ? host_bits64(sqrt(x)) : host_bits32(sqrtf(s));
	case IR_OP_FMA: return wide ? host_bits64(fma(x, y, host_double(c))) : host_bits32(fmaf(s, t, host_single(c)));
	case IR_OP_FMIN: x = host_choose(x, y, false); return wide ? host_bits64(x) : host_bits32((float)x);
	case IR_OP_FMAX: x = host_choose(x, y, true); return wide ? host_bits64(x) : host_bits32((float)x);
	case IR_OP_FEQ: return x == y;
	case IR_OP_FLT: return x < y;
	case IR_OP_FLE: return x <= y;
	case IR_OP_FOFS:
		return width == 64 ? host_bits64((double)bits_signed(a, arg_width))
				   : host_bits32((float)bits_signed(a, arg_width));
	case IR_OP_FOFU: return width == 64 ? host_bits64((double)a) : host_bits32((float)a);
	case IR_OP_FTOS: return host_integer(x, width, true);
	case IR_OP_FTOU: return host_integer(x, width, false);
	default: return width == 64 ? host_bits64((double)s) : host_bits32((float)x);
	}
}

#endif
