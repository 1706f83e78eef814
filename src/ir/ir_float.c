/* SPDX-License-Identifier: MIT
 *
 * Floating point in integers. A finite number is taken apart into sign, magnitude and exponent:
 *
 *     value = (-1)^sign * (mant + (sticky ? something in (0, 1) : 0)) * 2^exp
 *
 * Every operation computes that exactly, except for what `sticky` stands for, and round_pack makes a number of the
 * format from it. So each result is rounded once, fma's included; round_up is the one place that decides which way, for
 * conversions to integers too.
 *
 * Exceptions are collected on the way: an operation that has no result notes INVALID where it makes its NaN, division
 * notes DIVIDE, and round_pack what is lost by packing.
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

/* One operation. */
typedef struct Env {
	unsigned round; /* IrRound */
	unsigned flags; /* IrFloatFlag */
} Env;

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

/* Is a number that is not exact moved away from zero? odd: of what was kept; half: what was cut off against half of the
 * last place, -1 less, 0 equal, 1 more. */
static bool round_up(unsigned round, bool sign, bool odd, int half)
{
	switch (round) {
	case IR_ROUND_ZERO: return false;
	case IR_ROUND_DOWN: return sign;
	case IR_ROUND_UP: return !sign;
	case IR_ROUND_AWAY: return half >= 0;
	default: return half > 0 || (half == 0 && odd);
	}
}

/* |n| in units of 2^low, rounded. n has at most 127 bits, and where it is sticky low > n->exp. */
static u64 round_at(const Number *n, int low, unsigned round, bool *inexact)
{
	int shift = low - n->exp, half;
	u128 middle, rest;
	u64 bits = 0;

	*inexact = n->sticky;
	if (shift <= 0)
		return (u64)(n->mant << -shift);
	if (shift > 127) { /* nothing is left, and less than half */
		half = -1;
		*inexact = n->mant != 0;
	} else {
		middle = (u128)1 << (shift - 1);
		rest = n->mant & (middle | (middle - 1));
		bits = (u64)(n->mant >> shift);
		half = rest > middle || (rest == middle && n->sticky) ? 1 : rest == middle ? 0 : -1;
		*inexact = *inexact || rest;
	}
	return bits + (*inexact && round_up(round, n->sign, bits & 1, half));
}

/* Beyond the largest number stands infinity, or the largest number itself where the mode does not go outward. */
static u64 overflow(const Format *f, const Number *n, Env *env)
{
	env->flags |= IR_FLOAT_OVERFLOW | IR_FLOAT_INEXACT;
	return infinity(f) - !round_up(env->round, n->sign, true, 1);
}

/* The encodings of the positive numbers are in their order, so a carry out of the fraction lands in the exponent where it
 * belongs. An inexact number is tiny when, with an exponent that knows no bounds, it were still below all normal ones. */
static u64 round_pack(const Format *f, const Number *n, Env *env)
{
	int top = (int)length(n->mant), low = n->exp + top - 1 - (int)f->frac;
	bool inexact, below = false;
	u64 bits;

	if (n->class == NOT_A_NUMBER)
		return ir_float_nan(f->width);
	if (n->class == INFINITE)
		return sign_bit(f, n->sign) | infinity(f);
	if (!n->mant)
		return sign_bit(f, n->sign);
	if (low < f->low) { /* subnormal */
		below = low < f->low - 1 || !(round_at(n, low, env->round, &inexact) >> f->frac >> 1);
		low = f->low;
	}
	bits = round_at(n, low, env->round, &inexact);
	if (bits) {
		u64 exponents = (u64)(low - f->low);

		if (exponents > infinity(f) >> f->frac || bits + (exponents << f->frac) >= infinity(f))
			return sign_bit(f, n->sign) | overflow(f, n, env);
		bits += exponents << f->frac;
	}
	if (inexact)
		env->flags |= below ? IR_FLOAT_INEXACT | IR_FLOAT_UNDERFLOW : IR_FLOAT_INEXACT;
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

static Number invalid(Env *env)
{
	env->flags |= IR_FLOAT_INVALID;
	return make_nan();
}

/* With 126 bits each: what is shifted out of the smaller one can matter to rounding only as a sticky bit, since by
 * then (the exponents differ by two or more) at most one leading bit of the larger one cancels. */
static Number add(Number a, Number b, Env *env)
{
	bool zero_sign = env->round == IR_ROUND_DOWN; /* of x - x */
	Number sum;
	unsigned down;

	if (a.class == NOT_A_NUMBER || b.class == NOT_A_NUMBER)
		return make_nan();
	if (a.class == INFINITE)
		return b.class == INFINITE && a.sign != b.sign ? invalid(env) : a;
	if (b.class == INFINITE)
		return b;
	if (!a.mant && !b.mant) {
		a.sign = a.sign == b.sign ? a.sign : zero_sign;
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
		sum.sign = zero_sign;
	return sum;
}

static Number multiply(Number a, Number b, Env *env)
{
	bool sign = a.sign != b.sign;

	if (a.class == NOT_A_NUMBER || b.class == NOT_A_NUMBER)
		return make_nan();
	if (a.class == INFINITE || b.class == INFINITE) {
		if ((a.class == FINITE && !a.mant) || (b.class == FINITE && !b.mant))
			return invalid(env);
		return (Number){.class = INFINITE, .sign = sign};
	}
	return (Number){.sign = sign, .mant = a.mant * b.mant, .exp = a.exp + b.exp};
}

static Number divide(Number a, Number b, Env *env)
{
	Number q = {.sign = a.sign != b.sign};

	if (a.class == NOT_A_NUMBER || b.class == NOT_A_NUMBER)
		return make_nan();
	if (a.class == INFINITE || (b.class == FINITE && !b.mant)) {
		if (b.class == INFINITE || (a.class == FINITE && !a.mant))
			return invalid(env);
		if (a.class == FINITE)
			env->flags |= IR_FLOAT_DIVIDE;
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

static Number square_root(Number a, Env *env)
{
	u128 root = 0;

	if (a.class == NOT_A_NUMBER)
		return a;
	if (a.sign && (a.class == INFINITE || a.mant))
		return invalid(env);
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

/* The NaN that is an exception wherever it goes in: the topmost bit of its fraction is clear. */
static bool is_signaling(const Format *f, u64 bits)
{
	return is_nan(f, bits) && !(bits >> (f->frac - 1) & 1);
}

/* What the instruction FCLASS of RISC-V says: one bit of ten. */
static u64 classify(const Format *f, u64 bits)
{
	bool sign = bits >> (f->width - 1) & 1;
	u64 rest = bits_trunc(bits, f->width - 1);
	unsigned size = rest == infinity(f) ? 3 : rest >> f->frac ? 2 : rest ? 1 : 0;

	if (is_nan(f, bits))
		return is_signaling(f, bits) ? 1 << 8 : 1 << 9;
	return (u64)1 << (sign ? 3 - size : 4 + size);
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

/* Beyond the ends the end, and INVALID alone; NaN counts as above. */
static u64 to_integer(const Number *n, unsigned width, bool is_signed, Env *env)
{
	u64 most = is_signed ? bits_mask(width) >> 1 : bits_mask(width), value = 0;
	bool below = n->sign && n->class != NOT_A_NUMBER, inexact = false;
	u64 end = !below ? most : is_signed ? most + 1 : 0; /* as a magnitude */
	bool beyond = n->class != FINITE || (n->mant && n->exp + (int)length(n->mant) > 64);

	if (!beyond) { /* at most 2^64, which rounding does not reach: a float of so many bits is an integer */
		value = round_at(n, 0, env->round, &inexact);
		beyond = value > end;
	}
	if (beyond) {
		env->flags |= IR_FLOAT_INVALID;
		value = end;
	} else if (inexact) {
		env->flags |= IR_FLOAT_INEXACT;
	}
	return bits_trunc(below ? 0 - value : value, width);
}

static Number from_integer(u64 value, unsigned width, bool is_signed)
{
	bool negative = is_signed && (value >> (width - 1) & 1);

	return (Number){.sign = negative, .mant = negative ? bits_trunc(0 - value, width) : value};
}

/* ---- All of them ---- */

static u64 compute(IrOp op, unsigned width, unsigned arg_width, u64 a, u64 b, u64 c, Env *env)
{
	const Format *f = format_of(width), *from = format_of(arg_width);
	unsigned operands = ir_float_operands(op);
	bool unordered = false;
	Number n, x = {0}, y = {0};

	if (op != IR_OP_FOFS && op != IR_OP_FOFU) {
		x = unpack(from, a);
		y = unpack(from, b);
		unordered = is_nan(from, a) || (operands > 1 && is_nan(from, b));
		if (op != IR_OP_FCLASS && (is_signaling(from, a) || (operands > 1 && is_signaling(from, b)) ||
					   (operands > 2 && is_signaling(from, c))))
			env->flags |= IR_FLOAT_INVALID;
	}
	switch (op) {
	case IR_OP_FEQ: return !unordered && compare(from, a, b) == 0;
	case IR_OP_FLT: case IR_OP_FLE:
		if (unordered)
			env->flags |= IR_FLOAT_INVALID;
		return !unordered && compare(from, a, b) < (op == IR_OP_FLE);
	case IR_OP_FMIN: return select(f, a, b, false);
	case IR_OP_FMAX: return select(f, a, b, true);
	case IR_OP_FCLASS: return classify(from, a);
	case IR_OP_FTOS: return to_integer(&x, width, true, env);
	case IR_OP_FTOU: return to_integer(&x, width, false, env);
	case IR_OP_FADD: n = add(x, y, env); break;
	case IR_OP_FSUB:
		y.sign = !y.sign;
		n = add(x, y, env);
		break;
	case IR_OP_FMUL: n = multiply(x, y, env); break;
	case IR_OP_FDIV: n = divide(x, y, env); break;
	case IR_OP_FSQRT: n = square_root(x, env); break;
	case IR_OP_FMA:
		n = multiply(x, y, env);
		n = add(n, unpack(f, c), env);
		break;
	case IR_OP_FOFS: n = from_integer(a, arg_width, true); break;
	case IR_OP_FOFU: n = from_integer(a, arg_width, false); break;
	case IR_OP_FTOF: n = x; break;
	default: assert(!"no operation on floats"); return 0;
	}
	return round_pack(f, &n, env);
}

u64 ir_float_compute(IrOp op, unsigned width, unsigned arg_width, IrRound round, u64 a, u64 b, u64 c, unsigned *flags)
{
	Env env = {.round = round};
	u64 value = compute(op, width, arg_width, a, b, c, &env);

	*flags = env.flags;
	return value;
}

u64 ir_float_eval(IrOp op, unsigned width, unsigned arg_width, unsigned aux, u64 a, u64 b, u64 c)
{
	bool wants_flags = aux & IR_FLOAT_FLAGS;
	unsigned flags;
	u64 value = ir_float_compute(op, wants_flags ? aux >> IR_FLOAT_WIDTH_SHIFT : width, arg_width,
				     (IrRound)(aux & IR_FLOAT_ROUND), a, b, c, &flags);

	return wants_flags ? flags : value;
}
