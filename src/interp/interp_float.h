/* SPDX-License-Identifier: MIT
 *
 * Float operations by the host's arithmetic, where that gives the same as src/ir/ir_float.c bit for bit.
 *
 * Values. To nearest, hosts do as IEEE 754 says; only NaNs must be made canonical. Their rounding mode is never touched, so
 * other modes are done by integers, except where a result turns out to be exact and the mode does not matter.
 *
 * Flags. Nobody asks the host's floating-point unit, which is slow. A guest adds the flags of an operation to those it has
 * (`fflags = fflags | f64.add_flags(a, b)`), and "inexact" is nearly always set: then an operation with an ordinary result
 * can't add anything, and one look at the exponent says so. If it is not set, whether the result is exact is computed:
 * sums by the error that the sum has (Knuth), products, quotients and roots by multiplying mantissas back, singles in
 * double. All else, which is rare, is done by integers.
 *
 * "Ordinary" is a finite result for sums, which are exact when they are subnormal; for all others one of at least twice the
 * least normal number, since a result just below that may be rounded up to it and yet be tiny.
 *
 * The uop of an operation with flags: d := value, d2 := flags | f[old]. imm:
 *
 *     | round 56..58 | arg_width 48..54 | width 40..46 | op 32..39 | c 16..31 | old 0..15 |
 */
#ifndef INTERP_INTERP_FLOAT_H
#define INTERP_INTERP_FLOAT_H

#include <float.h>
#include <string.h>

#include "interp/interp_private.h"
#include "ir/ir_float.h"

#if FLT_EVAL_METHOD != 0 || defined(__FAST_MATH__)
#error "float operations must round to their own width"
#endif
#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

static inline double float_of64(u64 bits)
{
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static inline float float_of32(u64 value)
{
	u32 bits = (u32)value;
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

/* As they are, and with NaN made canonical. */
static inline u64 float_raw64(double x)
{
	u64 bits;

	memcpy(&bits, &x, sizeof(x));
	return bits;
}

static inline u64 float_raw32(float x)
{
	u32 bits;

	memcpy(&bits, &x, sizeof(x));
	return bits;
}

static inline u64 float_bits64(double x)
{
	return LIKELY(x == x) ? float_raw64(x) : ir_float_nan(64);
}

static inline u64 float_bits32(float x)
{
	return LIKELY(x == x) ? float_raw32(x) : ir_float_nan(32);
}

static inline bool float_finite64(u64 bits)
{
	return bits << 1 < 0xFFE0000000000000;
}

static inline bool float_finite32(u64 bits)
{
	return (u32)(bits << 1) < 0xFF000000;
}

/* Finite, and at least twice the least normal number. */
static inline bool float_ordinary64(u64 bits)
{
	return (bits << 1) - 0x0040000000000000 < 0xFFE0000000000000 - 0x0040000000000000;
}

static inline bool float_ordinary32(u64 bits)
{
	return (u32)(bits << 1) - 0x02000000u < 0xFF000000u - 0x02000000u;
}

/* ---- What C has no operator for ---- */

#if defined(__SSE2__) || defined(__aarch64__)
#define FLOAT_HOST_SQRT 1
#else
#define FLOAT_HOST_SQRT 0
#endif

static inline double float_sqrt64(double x)
{
#if defined(__SSE2__)
	__m128d v = _mm_set_sd(x);

	return _mm_cvtsd_f64(_mm_sqrt_sd(v, v));
#elif defined(__aarch64__)
	return vget_lane_f64(vsqrt_f64(vdup_n_f64(x)), 0);
#else
	return x;
#endif
}

static inline float float_sqrt32(float x)
{
#if defined(__SSE2__)
	return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
#elif defined(__aarch64__)
	return vget_lane_f32(vsqrt_f32(vdup_n_f32(x)), 0);
#else
	return x;
#endif
}

/* x * y + z, rounded once: in double the product is exact, and the sum is rounded to odd there, which keeps what the
 * second rounding needs to know. */
static inline float float_fma32(float x, float y, float z)
{
	double product = (double)x * y, sum = product + z, part = sum - product;
	double error = (product - (sum - part)) + ((double)z - part);
	u64 bits = float_raw64(sum);

	if (error != 0 && !(bits & 1)) { /* the error says to which side */
		bits += (error > 0) == (sum > 0) ? 1 : -(u64)1;
		sum = float_of64(bits);
	}
	return (float)sum;
}

bool interp_has_fma64(void);
double interp_fma64(double x, double y, double z); /* only where there is one */

/* ---- interp_float.c ---- */

/* Does the uop at u, whatever its operands and mode. */
void interp_float_flagged(const Uop *u, u64 *f);
/* The value alone; imm as above without `old`. */
u64 interp_float_value(u64 imm, u64 a, u64 b, u64 c);

#endif
