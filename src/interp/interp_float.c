/* SPDX-License-Identifier: MIT
 *
 * Float operations that the loop does not finish by itself: interp_float.h says which and why they may be done here by
 * the host's arithmetic. Each `quick_` function gives false when it does not know; then ir_float.c does it.
 *
 * Invariant: what is said here to be exact is exact, and "inexact" alone is raised by what is said to be inexact.
 */
#include "interp/interp_float.h"

#include "base/bits.h"

typedef struct Result {
	u64 value;
	bool inexact;
} Result;

#if defined(__x86_64__)
bool interp_has_fma64(void)
{
	return __builtin_cpu_supports("fma");
}

__attribute__((target("fma"))) double interp_fma64(double x, double y, double z)
{
	return __builtin_fma(x, y, z);
}
#else
bool interp_has_fma64(void)
{
#if defined(__FP_FAST_FMA)
	return true;
#else
	return false;
#endif
}

double interp_fma64(double x, double y, double z)
{
#if defined(__FP_FAST_FMA)
	return __builtin_fma(x, y, z);
#else
	(void)y, (void)z;
	return x;
#endif
}
#endif

/* ---- Doubles ---- */

static bool is_zero64(u64 bits)
{
	return bits << 1 == 0;
}

static unsigned exponent64(u64 bits)
{
	return (unsigned)(bits >> 52 & 0x7FF);
}

static u64 mantissa64(u64 bits)
{
	return (bits & bits_mask(52)) | (u64)1 << 52;
}

/* Below the largest exponents nothing overflows on the way to the error. */
static bool quick_add64(u64 a, u64 b, Result *r)
{
	double x = float_of64(a), y = float_of64(b), sum = x + y, part = sum - x;

	if (exponent64(a) > 0x7FC || exponent64(b) > 0x7FC)
		return false;
	r->value = float_raw64(sum);
	r->inexact = (x - (sum - part)) + (y - part) != 0;
	return true;
}

static bool normal64(u64 bits)
{
	return exponent64(bits) - 1 < 0x7FE;
}

static bool quick_mul64(u64 a, u64 b, Result *r)
{
	unsigned __int128 product;

	r->value = float_raw64(float_of64(a) * float_of64(b));
	r->inexact = false;
	if (is_zero64(a) || is_zero64(b))
		return float_finite64(r->value); /* not 0 * infinity */
	if (!normal64(a) || !normal64(b) || !float_ordinary64(r->value))
		return false;
	product = (unsigned __int128)mantissa64(a) * mantissa64(b);
	r->inexact = (u64)product << (product >> 105 ? 11 : 12);
	return true;
}

/* Is x * y a number with z's mantissa? */
static bool gives_mantissa(u64 x, u64 y, u64 z)
{
	unsigned __int128 product = (unsigned __int128)mantissa64(x) * mantissa64(y), want = mantissa64(z);

	return product == want << 52 || product == want << 53;
}

static bool quick_div64(u64 a, u64 b, Result *r)
{
	r->value = float_raw64(float_of64(a) / float_of64(b));
	r->inexact = false;
	if (is_zero64(a))
		return normal64(b);
	if (!normal64(a) || !normal64(b) || !float_ordinary64(r->value))
		return false;
	r->inexact = !gives_mantissa(r->value, b, a);
	return true;
}

static bool quick_sqrt64(u64 a, Result *r)
{
	if (!FLOAT_HOST_SQRT || a >> 63 || !normal64(a))
		return false;
	r->value = float_raw64(float_sqrt64(float_of64(a)));
	r->inexact = !gives_mantissa(r->value, r->value, a);
	return true;
}

/* ---- Singles ---- */

static bool is_zero32(u64 bits)
{
	return (u32)(bits << 1) == 0;
}

static unsigned exponent32(u64 bits)
{
	return (unsigned)(bits >> 23 & 0xFF);
}

static bool quick_add32(u64 a, u64 b, Result *r)
{
	float x = float_of32(a), y = float_of32(b), sum = x + y, part = sum - x;

	if (exponent32(a) > 0xFC || exponent32(b) > 0xFC)
		return false;
	r->value = float_raw32(sum);
	r->inexact = (x - (sum - part)) + (y - part) != 0;
	return true;
}

static bool quick_mul32(u64 a, u64 b, Result *r)
{
	double product = (double)float_of32(a) * float_of32(b);

	r->value = float_raw32((float)product);
	r->inexact = (double)(float)product != product;
	return float_ordinary32(r->value) || product == 0;
}

static bool quick_div32(u64 a, u64 b, Result *r)
{
	float quotient = float_of32(a) / float_of32(b);

	r->value = float_raw32(quotient);
	r->inexact = (double)quotient * float_of32(b) != float_of32(a);
	return float_finite32(b) && (float_ordinary32(r->value) || (is_zero32(a) && !is_zero32(b)));
}

static bool quick_sqrt32(u64 a, Result *r)
{
	float root = float_sqrt32(float_of32(a));

	if (!FLOAT_HOST_SQRT)
		return false;
	r->value = float_raw32(root);
	r->inexact = (double)root * root != float_of32(a);
	return float_ordinary32(r->value);
}

static bool quick_fma32(u64 a, u64 b, u64 c, Result *r)
{
	double product = (double)float_of32(a) * float_of32(b), z = float_of32(c), sum = product + z, part = sum - product;
	double error = (product - (sum - part)) + (z - part);

	r->value = float_raw32(float_fma32(float_of32(a), float_of32(b), float_of32(c)));
	r->inexact = error != 0 || float_of32(r->value) != sum;
	return float_ordinary32(r->value);
}

/* ---- Both ---- */

static bool quick_arithmetic(IrOp op, bool wide, u64 a, u64 b, u64 c, bool inexact_is_known, Result *r)
{
	switch (op) {
	case IR_OP_FADD: return wide ? quick_add64(a, b, r) : quick_add32(a, b, r);
	case IR_OP_FSUB: return wide ? quick_add64(a, b ^ (u64)1 << 63, r) : quick_add32(a, b ^ (u64)1 << 31, r);
	case IR_OP_FMUL: return wide ? quick_mul64(a, b, r) : quick_mul32(a, b, r);
	case IR_OP_FDIV: return wide ? quick_div64(a, b, r) : quick_div32(a, b, r);
	case IR_OP_FSQRT: return wide ? quick_sqrt64(a, r) : quick_sqrt32(a, r);
	case IR_OP_FMA:
		if (!wide)
			return quick_fma32(a, b, c, r);
		if (!inexact_is_known || !interp_has_fma64())
			return false;
		r->value = float_raw64(interp_fma64(float_of64(a), float_of64(b), float_of64(c)));
		r->inexact = true;
		return float_ordinary64(r->value);
	default: return false;
	}
}

/* Compares, minimum and maximum of numbers. */
static bool quick_order(IrOp op, bool wide, u64 a, u64 b, Result *r)
{
	double x = wide ? float_of64(a) : float_of32(a), y = wide ? float_of64(b) : float_of32(b);

	r->inexact = false;
	if (__builtin_isunordered(x, y))
		return false;
	switch (op) {
	case IR_OP_FEQ: r->value = x == y; break;
	case IR_OP_FLT: r->value = x < y; break;
	case IR_OP_FLE: r->value = x <= y; break;
	/* Equal numbers are the same bits, but for the zeros. */
	case IR_OP_FMIN: r->value = x < y ? a : y < x ? b : a | b; break;
	default: r->value = x > y ? a : y > x ? b : a & b; break;
	}
	return true;
}

/* Away from zero by one, or not: as round_up in ir_float.c. */
static bool moves(IrRound round, bool negative, bool odd, double rest)
{
	double size = negative ? -rest : rest;

	switch (round) {
	case IR_ROUND_ZERO: return false;
	case IR_ROUND_DOWN: return negative;
	case IR_ROUND_UP: return !negative;
	case IR_ROUND_AWAY: return size >= 0.5;
	default: return size > 0.5 || (size == 0.5 && odd);
	}
}

static bool quick_to_integer(IrOp op, unsigned width, bool wide, IrRound round, u64 a, Result *r)
{
	double x = wide ? float_of64(a) : float_of32(a), rest;
	i64 whole;

	if (!(x > -0x1p62 && x < 0x1p62))
		return false;
	whole = (i64)x;
	rest = x - (double)whole; /* of few bits when it is not 0, so exact */
	r->inexact = rest != 0;
	if (r->inexact && moves(round, x < 0, whole & 1, rest))
		whole += x < 0 ? -1 : 1;
	r->value = bits_trunc((u64)whole, width);
	return op == IR_OP_FTOS ? bits_signed(r->value, width) == whole : whole >= 0 && (i64)r->value == whole;
}

static bool quick_from_integer(IrOp op, unsigned width, unsigned arg_width, u64 a, Result *r)
{
	i64 value = op == IR_OP_FOFS ? bits_signed(a, arg_width) : (i64)a;

	if (value >= (i64)1 << 62 || value < (op == IR_OP_FOFS ? -((i64)1 << 62) : 0))
		return false; /* what comes out must fit back in */
	if (width == 64) {
		double x = (double)value;

		r->value = float_raw64(x);
		r->inexact = (i64)x != value;
	} else {
		float x = (float)value;

		r->value = float_raw32(x);
		r->inexact = (i64)x != value;
	}
	return true;
}

static bool quick_format(unsigned width, u64 a, Result *r)
{
	if (width == 64) {
		float x = float_of32(a);

		r->value = float_raw64(x);
		r->inexact = false;
		return x == x;
	}
	r->value = float_raw32((float)float_of64(a));
	r->inexact = (double)float_of32(r->value) != float_of64(a);
	return float_ordinary32(r->value) || is_zero64(a);
}

static bool quick(IrOp op, unsigned width, unsigned arg_width, IrRound round, u64 a, u64 b, u64 c, bool inexact_is_known, Result *r)
{
	bool wide = arg_width == 64, known;

	switch (op) {
	case IR_OP_FTOS: case IR_OP_FTOU:
		return quick_to_integer(op, width, wide, round, a, r);
	case IR_OP_FEQ: case IR_OP_FLT: case IR_OP_FLE: case IR_OP_FMIN: case IR_OP_FMAX:
		return quick_order(op, wide, a, b, r);
	case IR_OP_FOFS: case IR_OP_FOFU: known = quick_from_integer(op, width, arg_width, a, r); break;
	case IR_OP_FTOF: known = quick_format(width, a, r); break;
	default: known = quick_arithmetic(op, wide, a, b, c, inexact_is_known, r); break;
	}
	/* An exact result is the same in all modes, but for the sign of x - x. */
	return known && (round == IR_ROUND_EVEN || (!r->inexact && !(width == 64 ? is_zero64(r->value) : is_zero32(r->value))));
}

static u64 compute(u64 imm, u64 a, u64 b, u64 c, unsigned *flags)
{
	IrOp op = (IrOp)(imm >> 32 & 0xFF);
	unsigned width = imm >> 40 & 0x7F, arg_width = imm >> 48 & 0x7F;
	IrRound round = (IrRound)(imm >> 56);
	Result r;

	if (quick(op, width, arg_width, round, a, b, c, *flags & IR_FLOAT_INEXACT, &r))
		*flags |= r.inexact ? IR_FLOAT_INEXACT : 0;
	else {
		unsigned raised;

		r.value = ir_float_compute(op, width, arg_width, round, a, b, c, &raised);
		*flags |= raised;
	}
	return r.value;
}

void interp_float_flagged(const Uop *u, u64 *f)
{
	u64 old = f[u->imm & 0xFFFF];
	unsigned flags = (unsigned)old;
	u64 value = compute(u->imm, f[u->a], f[u->b], f[u->imm >> 16 & 0xFFFF], &flags);

	f[u->d] = value;
	f[u->d2] = old | flags; /* a register of flags may be wide */
}

u64 interp_float_value(u64 imm, u64 a, u64 b, u64 c)
{
	unsigned flags = IR_FLOAT_INEXACT; /* nobody asks */

	return compute(imm, a, b, c, &flags);
}
