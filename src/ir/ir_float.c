/* SPDX-License-Identifier: MIT
 *
 * Floating point in integers. A finite number is taken apart into sign, magnitude and exponent:
 *
 *     value = (-1)^sign * (mant + (sticky ? something in (0, 1) : 0)) * 2^exp
 *
 * Every operation computes that exactly, except for what `sticky` stands for, and round_pack makes the nearest number
 * of the format from it. So each result is rounded once, fma's included, and there is no other place that rounds.
 *
 * Invariant: where sticky is set, mant has at least 63 bits, more than any format keeps; so round_pack shifts right.
 */
#include "ir/ir_float.h"

#include <assert.h>

#include "base/bits.h"

typedef unsigned __int128 u128;

typedef struct Format {
	unsigned width, frac; /* bits; of the fraction */
	int low;              /* exponent of the lowest bit of a subnormal number */
} Format;

static const Format formats[2] = {{32, 23, -149}, {64, 52, -1074}};

typedef enum Class { FINITE, INFINITE, NOT_A_NUMBER } Class;

typedef struct Number {
	Class class;
	bool sign, sticky;
	u128 mant;
	int exp;
} Number;

static const Format *format_of(unsigned width)
{
	return &formats[width == 64];
}

static u64 sign_bit(const Format *f, bool sign)
{
	return (u64)sign << (f->width - 1);
}

/* The encoding of infinity: the exponent's bits all set. */
static u64 infinity(const Format *f)
{
	return bits_mask(f->width - 1) & ~bits_mask(f->frac);
}

static Number unpack(const Format *f, u64 bits)
{
	u64 fraction = bits_trunc(bits, f->frac), biased = (bits & infinity(f)) >> f->frac;
	Number n = {.sign = bits >> (f->width - 1) & 1};

	if ((bits & infinity(f)) == infinity(f)) {
		n.class = fraction ? NOT_A_NUMBER : INFINITE;
	} else if (biased) {
		n.mant = fraction | (u64)1 << f->frac;
		n.exp = f->low + (int)biased - 1;
	} else {
		n.mant = fraction;
		n.exp = f->low;
	}
	return n;
}

static unsigned length(u128 mant)
{
	u64 high = (u64)(mant >> 64), low = (u64)mant;

	return high ? 128 - (unsigned)__builtin_clzll(high) : low ? 64 - (unsigned)__builtin_clzll(low) : 0;
}

/* Nearest, ties to even. The encodings of the positive numbers are in their order, so a carry out of the fraction
 * lands in the exponent where it belongs, and beyond the largest number stands infinity. */
static u64 round_pack(const Format *f, const Number *n)
{
	u128 mant = n->mant, rest, half;
	int top = (int)length(mant), low = n->exp + top - 1 - (int)f->frac, shift;
	u64 bits;

	if (n->class == NOT_A_NUMBER)
		return ir_float_nan(f->width);
	if (n->class == INFINITE)
		return sign_bit(f, n->sign) | infinity(f);
	if (low < f->low)
		low = f->low; /* subnormal */
	shift = low - n->exp;
	if (!mant || shift > 127) { /* of at most 127 bits none is left, and less than half */
		bits = 0;
	} else if (shift <= 0) {
		bits = (u64)(mant << -shift);
	} else {
		half = (u128)1 << (shift - 1);
		rest = mant & (half | (half - 1));
		bits = (u64)(mant >> shift);
		if (rest > half || (rest == half && (n->sticky || (bits & 1))))
			bits++;
	}
	if (bits) {
		u64 exponents = (u64)(low - f->low);

		bits = exponents > infinity(f) >> f->frac ? infinity(f) : bits + (exponents << f->frac);
		if (bits > infinity(f))
			bits = infinity(f);
	}
	return sign_bit(f, n->sign) | bits;
}

/* ---- Arithmetic ---- */

/* mant to exactly `bits` bits (it has no more). */
static void normalize(Number *n, unsigned bits)
{
	unsigned up = bits - length(n->mant);

	n->mant <<= up;
	n->exp -= (int)up;
}

static Number make_nan(void)
{
	return (Number){.class = NOT_A_NUMBER};
}

/* With 126 bits each: what is shifted out of the smaller one can matter to rounding only as a sticky bit, since by
 * then (the exponents differ by two or more) at most one leading bit of the larger one cancels. */
static Number add(Number a, Number b)
{
	Number sum;
	unsigned down;

	if (a.class == NOT_A_NUMBER || b.class == NOT_A_NUMBER)
		return make_nan();
	if (a.class == INFINITE)
		return b.class == INFINITE && a.sign != b.sign ? make_nan() : a;
	if (b.class == INFINITE)
		return b;
	if (!a.mant && !b.mant) {
		a.sign = a.sign && b.sign;
		return a;
	}
	if (!a.mant)
		return b;
	if (!b.mant)
		return a;
	normalize(&a, 126);
	normalize(&b, 126);
	if (a.exp < b.exp || (a.exp == b.exp && a.mant < b.mant)) {
		Number swap = a;

		a = b;
		b = swap;
	}
	down = (unsigned)(a.exp - b.exp);
	sum = a;
	sum.sticky = down > 126 || (b.mant & (((u128)1 << down) - 1)) != 0;
	b.mant = down > 126 ? 0 : b.mant >> down;
	if (a.sign == b.sign)
		sum.mant += b.mant;
	else
		sum.mant -= b.mant + sum.sticky; /* a - (b + s) = a - b - 1 + (1 - s) */
	if (!sum.mant)
		sum.sign = false; /* x - x is +0 */
	return sum;
}

static Number multiply(Number a, Number b)
{
	bool sign = a.sign != b.sign;

	if (a.class == NOT_A_NUMBER || b.class == NOT_A_NUMBER)
		return make_nan();
	if (a.class == INFINITE || b.class == INFINITE) {
		if ((a.class == FINITE && !a.mant) || (b.class == FINITE && !b.mant))
			return make_nan();
		return (Number){.class = INFINITE, .sign = sign};
	}
	return (Number){.sign = sign, .mant = a.mant * b.mant, .exp = a.exp + b.exp};
}

static Number divide(Number a, Number b)
{
	Number q = {.sign = a.sign != b.sign};

	if (a.class == NOT_A_NUMBER || b.class == NOT_A_NUMBER)
		return make_nan();
	if (a.class == INFINITE || (b.class == FINITE && !b.mant)) {
		if (b.class == INFINITE || (a.class == FINITE && !a.mant))
			return make_nan();
		q.class = INFINITE;
		return q;
	}
	if (b.class == INFINITE || !a.mant)
		return q;
	normalize(&a, 127);
	normalize(&b, 63);
	q.mant = a.mant / b.mant;
	q.sticky = a.mant % b.mant != 0;
	q.exp = a.exp - b.exp;
	return q;
}

static Number square_root(Number a)
{
	u128 root = 0;

	if (a.class == NOT_A_NUMBER || (a.sign && (a.class == INFINITE || a.mant)))
		return make_nan();
	if (a.class == INFINITE || !a.mant)
		return a;
	normalize(&a, 127);
	if (a.exp & 1) {
		a.mant >>= 1; /* the lowest bit is zero: no format has so many */
		a.exp++;
	}
	for (u128 bit = (u128)1 << 126; bit; bit >>= 2) { /* digit by digit */
		if (a.mant >= root + bit) {
			a.mant -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return (Number){.mant = root, .exp = a.exp / 2, .sticky = a.mant != 0};
}

/* ---- Order ---- */

/* -1, 0, 1; neither is NaN. */
static int compare(const Format *f, u64 a, u64 b)
{
	u64 x = bits_trunc(a, f->width - 1), y = bits_trunc(b, f->width - 1);
	bool less = a != x, b_less = b != y; /* negative */

	if (!x && !y)
		return 0;
	if (less != b_less)
		return less ? -1 : 1;
	return x == y ? 0 : (x < y) != less ? -1 : 1;
}

static bool is_nan(const Format *f, u64 bits)
{
	return bits_trunc(bits, f->width - 1) > infinity(f);
}

/* minimumNumber, maximumNumber: a number beats NaN, and -0 is less than +0. */
static u64 select(const Format *f, u64 a, u64 b, bool max)
{
	int order;

	if (is_nan(f, a))
		return is_nan(f, b) ? ir_float_nan(f->width) : b;
	if (is_nan(f, b))
		return a;
	order = compare(f, a, b);
	if (!order)
		order = a == b ? 0 : a > b ? -1 : 1; /* zeros: the one with the sign is less */
	return (order > 0) == max ? a : b;
}

/* ---- Integers ---- */

static u64 to_integer(const Number *n, unsigned width, bool is_signed)
{
	u64 most = is_signed ? bits_mask(width) >> 1 : bits_mask(width);
	u128 value;

	if (n->class == NOT_A_NUMBER)
		return most;
	if (n->class == INFINITE || (n->mant && n->exp + (int)length(n->mant) > 64))
		value = (u128)1 << 64;
	else
		value = n->exp >= 0 ? n->mant << n->exp : n->exp < -127 ? 0 : n->mant >> -n->exp;
	if (!n->sign)
		return value > most ? most : (u64)value;
	if (!is_signed)
		return 0;
	return bits_trunc(0 - (value > most + 1 ? most + 1 : (u64)value), width);
}

static Number from_integer(u64 value, unsigned width, bool is_signed)
{
	bool negative = is_signed && (value >> (width - 1) & 1);

	return (Number){.sign = negative, .mant = negative ? bits_trunc(0 - value, width) : value};
}

u64 ir_float_eval(IrOp op, unsigned width, unsigned arg_width, u64 a, u64 b, u64 c)
{
	const Format *f = format_of(width), *from = format_of(arg_width);
	Number n, x = {0}, y = {0};

	if (op != IR_OP_FOFS && op != IR_OP_FOFU) {
		x = unpack(from, a);
		y = unpack(from, b);
	}
	switch (op) {
	case IR_OP_FEQ: return !is_nan(from, a) && !is_nan(from, b) && compare(from, a, b) == 0;
	case IR_OP_FLT: return !is_nan(from, a) && !is_nan(from, b) && compare(from, a, b) < 0;
	case IR_OP_FLE: return !is_nan(from, a) && !is_nan(from, b) && compare(from, a, b) <= 0;
	case IR_OP_FMIN: return select(f, a, b, false);
	case IR_OP_FMAX: return select(f, a, b, true);
	case IR_OP_FTOS: return to_integer(&x, width, true);
	case IR_OP_FTOU: return to_integer(&x, width, false);
	case IR_OP_FADD: n = add(x, y); break;
	case IR_OP_FSUB:
		y.sign = !y.sign;
		n = add(x, y);
		break;
	case IR_OP_FMUL: n = multiply(x, y); break;
	case IR_OP_FDIV: n = divide(x, y); break;
	case IR_OP_FSQRT: n = square_root(x); break;
	case IR_OP_FMA: n = add(multiply(x, y), unpack(f, c)); break;
	case IR_OP_FOFS: n = from_integer(a, arg_width, true); break;
	case IR_OP_FOFU: n = from_integer(a, arg_width, false); break;
	case IR_OP_FTOF: n = x; break;
	default: assert(!"no operation on floats"); return 0;
	}
	return round_pack(f, &n);
}
