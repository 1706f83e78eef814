/* SPDX-License-Identifier: MIT
 *
 * Float operations by the host's compiler and C library: what src/ir/ir_float.c, which knows only integers, is held
 * against. Needs -lm. Rounding modes and flags are those of the host's floating-point unit (x86: tininess after
 * rounding, as RISC-V wants it); ties away from zero, which hosts do not have, is not among them.
 */
#ifndef TESTS_HOST_FLOAT_H
#define TESTS_HOST_FLOAT_H

#include <fenv.h>
#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "base/rng.h"
#include "ir/ir.h"

enum { HOST_ROUNDS = 4 }; /* IrRound below it */

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

static inline bool host_signaling(u64 bits, bool wide)
{
	return wide ? (bits << 1) > 0xFFE0000000000000 && !(bits >> 51 & 1) : (u32)(bits << 1) > 0xFF000000 && !(bits >> 22 & 1);
}

/* x is exact here: a float or a double. */
static inline u64 host_integer(double x, unsigned width, bool is_signed, unsigned *flags)
{
	double (*volatile library)(double) = rint; /* not the compiler's own, which knows one mode */
	double top = ldexp(1, (int)width - is_signed), whole = library(x);

	*flags = IR_FLOAT_INVALID;
	if (x != x || whole >= top)
		return is_signed ? bits_mask(width) >> 1 : bits_mask(width);
	if (is_signed ? whole < -top : whole < 0)
		return is_signed ? bits_mask(width) ^ bits_mask(width) >> 1 : 0;
	*flags = whole == x ? 0 : IR_FLOAT_INEXACT;
	return bits_trunc(whole < 0 ? (u64)(i64)whole : (u64)whole, width);
}

static inline u64 host_class(double x, bool signaling, bool normal)
{
	unsigned size = x == 0 ? 0 : isinf(x) ? 3 : normal ? 2 : 1;

	if (x != x)
		return signaling ? 0x100 : 0x200;
	return 1u << (signbit(x) ? 3 - size : 4 + size);
}

/* The operation and its flags under a mode of the host. Everything goes through volatile variables: what the compiler
 * computes by itself, it computes in another mode. */
static inline u64 host_float_flags(IrOp op, unsigned width, unsigned arg_width, IrRound round, u64 a, u64 b, u64 c, unsigned *flags)
{
	static const int modes[HOST_ROUNDS] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
	bool wide = arg_width == 64, signaling = host_signaling(a, wide) || (ir_float_operands(op) > 1 && host_signaling(b, wide));
	volatile double x = wide ? host_double(a) : (double)host_single(a), y = wide ? host_double(b) : (double)host_single(b);
	volatile double z = host_double(c), d = 0;
	volatile float s = host_single(a), t = host_single(b), u = host_single(c), e = 0;
	volatile i64 signed_a = bits_signed(a, arg_width);
	volatile u64 unsigned_a = a;
	bool result = false; /* of an arithmetic operation in d or e */
	u64 value = 0;
	unsigned raised;

	fesetround(modes[round]);
	feclearexcept(FE_ALL_EXCEPT);
	switch (op) {
	case IR_OP_FADD: result = true; if (wide) d = x + y; else e = s + t; break;
	case IR_OP_FSUB: result = true; if (wide) d = x - y; else e = s - t; break;
	case IR_OP_FMUL: result = true; if (wide) d = x * y; else e = s * t; break;
	case IR_OP_FDIV: result = true; if (wide) d = x / y; else e = s / t; break;
	case IR_OP_FSQRT: result = true; if (wide) d = sqrt(x); else e = sqrtf(s); break;
	case IR_OP_FMA: result = true; if (wide) d = fma(x, y, z); else e = fmaf(s, t, u); break;
	case IR_OP_FOFS: result = true; if (width == 64) d = (double)signed_a; else e = (float)signed_a; break;
	case IR_OP_FOFU: result = true; if (width == 64) d = (double)unsigned_a; else e = (float)unsigned_a; break;
	case IR_OP_FTOF: result = true; if (width == 64) d = (double)s; else e = (float)x; break;
	case IR_OP_FTOS: value = host_integer(x, width, true, flags); break;
	case IR_OP_FTOU: value = host_integer(x, width, false, flags); break;
	case IR_OP_FCLASS: value = host_class(x, signaling, wide ? isnormal(x) : isnormal(s)); break;
	case IR_OP_FEQ: value = x == y; break;
	case IR_OP_FLT: value = x < y; break;
	case IR_OP_FLE: value = x <= y; break;
	default: d = host_choose(x, y, op == IR_OP_FMAX); value = wide ? host_bits64(d) : host_bits32((float)d); break;
	}
	raised = (unsigned)fetestexcept(FE_ALL_EXCEPT);
	fesetround(FE_TONEAREST);
	if (result) {
		*flags = (raised & FE_INEXACT ? 1u : 0) | (raised & FE_UNDERFLOW ? 2 : 0) | (raised & FE_OVERFLOW ? 4 : 0) |
			 (raised & FE_DIVBYZERO ? 8 : 0) | (raised & FE_INVALID ? 16 : 0);
		/* IEEE 754 leaves open whether 0 * inf + NaN raises; RISC-V wants it to. */
		if (op == IR_OP_FMA && ((isinf(x) && y == 0) || (isinf(y) && x == 0)))
			*flags |= IR_FLOAT_INVALID;
		return width == 64 ? host_bits64(d) : host_bits32(e);
	}
	if (op == IR_OP_FCLASS)
		*flags = 0;
	else if (op == IR_OP_FLT || op == IR_OP_FLE)
		*flags = x != x || y != y ? IR_FLOAT_INVALID : 0;
	else if (op != IR_OP_FTOS && op != IR_OP_FTOU)
		*flags = signaling ? IR_FLOAT_INVALID : 0;
	return value;
}

/* As the IR has it: aux says the mode, and whether the flags are wanted. */
static inline u64 host_float(IrOp op, unsigned width, unsigned arg_width, unsigned aux, u64 a, u64 b, u64 c)
{
	unsigned flags, to = aux & IR_FLOAT_FLAGS ? aux >> IR_FLOAT_WIDTH_SHIFT : width;
	u64 value = host_float_flags(op, to, arg_width, (IrRound)(aux & IR_FLOAT_ROUND), a, b, c, &flags);

	return aux & IR_FLOAT_FLAGS ? flags : value;
}

#endif
