/* SPDX-License-Identifier: MIT
 *
 * Float operations three ways: src/ir/ir_float.c (integers only) against a table of exact bit patterns that was
 * computed with rational numbers, and against the host's arithmetic and C library on random patterns, in all modes that
 * hosts have and with the flags. test_float_rv64 holds all of it against another emulator. That the
 * interpreter does the same is test_interp_random's and test_rtl_oracle's business.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ir/ir_float.h"
#include "unit/host_float.h"

typedef struct Row {
	u8 op, width, arg_width;
	u64 a, b, c, result;
} Row;

static const Row rows[] = {
	{IR_OP_FADD, 64, 64, 0x0, 0x0, 0x0, 0x0}, /* +0 + +0 */
	{IR_OP_FADD, 64, 64, 0x8000000000000000, 0x8000000000000000, 0x0, 0x8000000000000000}, /* -0 + -0 */
	{IR_OP_FADD, 64, 64, 0x0, 0x8000000000000000, 0x0, 0x0}, /* +0 + -0 */
	{IR_OP_FADD, 64, 64, 0x3FF0000000000000, 0xBFF0000000000000, 0x0, 0x0}, /* 1 - 1 is +0 */
	{IR_OP_FADD, 64, 64, 0x7FF0000000000000, 0x7FF0000000000000, 0x0, 0x7FF0000000000000},
	{IR_OP_FADD, 64, 64, 0x7FF0000000000000, 0xFFF0000000000000, 0x0, 0x7FF8000000000000}, /* inf - inf */
	{IR_OP_FADD, 64, 64, 0x7FF0000000000000, 0xC014000000000000, 0x0, 0x7FF0000000000000},
	{IR_OP_FADD, 64, 64, 0x7FF0000000000001, 0x3FF0000000000000, 0x0, 0x7FF8000000000000}, /* a signaling NaN */
	{IR_OP_FADD, 64, 64, 0xFFF8000000000123, 0x3FF0000000000000, 0x0, 0x7FF8000000000000}, /* a payload is not kept */
	{IR_OP_FADD, 64, 64, 0x7FEFFFFFFFFFFFFF, 0x7FEFFFFFFFFFFFFF, 0x0, 0x7FF0000000000000}, /* overflow */
	{IR_OP_FADD, 64, 64, 0x7FEFFFFFFFFFFFFF, 0x7C80000000000000, 0x0, 0x7FEFFFFFFFFFFFFF}, /* below half a step: stays */
	{IR_OP_FADD, 64, 64, 0x7FEFFFFFFFFFFFFF, 0x7C90000000000000, 0x0, 0x7FF0000000000000}, /* half a step: to even, infinity */
	{IR_OP_FADD, 64, 64, 0x3FF0000000000000, 0x3CA0000000000000, 0x0, 0x3FF0000000000000}, /* tie to even: down */
	{IR_OP_FADD, 64, 64, 0x3FF0000000000001, 0x3CA0000000000000, 0x0, 0x3FF0000000000002}, /* tie to even: up */
	{IR_OP_FADD, 64, 64, 0x3FF0000000000000, 0x3CA0000000000001, 0x0, 0x3FF0000000000001}, /* just above the tie */
	{IR_OP_FADD, 64, 64, 0x3FF0000000000000, 0xBC90000000000000, 0x0, 0x3FF0000000000000}, /* tie below 1 */
	{IR_OP_FADD, 64, 64, 0x1, 0x1, 0x0, 0x2}, /* subnormal */
	{IR_OP_FADD, 64, 64, 0x10000000000000, 0x8000000000000001, 0x0, 0xFFFFFFFFFFFFF}, /* into the subnormal */
	{IR_OP_FADD, 64, 64, 0x3FB999999999999A, 0x3FC999999999999A, 0x0, 0x3FD3333333333334}, /* 0.1 + 0.2 */
	{IR_OP_FADD, 64, 64, 0x7E37E43C8800759C, 0x81A56E1FC2F8F359, 0x0, 0x7E37E43C8800759C}, /* far apart */
	{IR_OP_FADD, 64, 64, 0x3FF0000000000000, 0x8000000000000001, 0x0, 0x3FF0000000000000}, /* far apart */
	{IR_OP_FSUB, 64, 64, 0x0, 0x0, 0x0, 0x0}, /* 0 - 0 */
	{IR_OP_FSUB, 64, 64, 0x8000000000000000, 0x0, 0x0, 0x8000000000000000}, /* -0 - 0 */
	{IR_OP_FSUB, 64, 64, 0x7FF0000000000000, 0x7FF0000000000000, 0x0, 0x7FF8000000000000},
	{IR_OP_FSUB, 64, 64, 0x3FF0000000000000, 0x3FF0000000000001, 0x0, 0xBCB0000000000000},
	{IR_OP_FMUL, 64, 64, 0x0, 0xC008000000000000, 0x0, 0x8000000000000000},
	{IR_OP_FMUL, 64, 64, 0x0, 0x7FF0000000000000, 0x0, 0x7FF8000000000000}, /* 0 * inf */
	{IR_OP_FMUL, 64, 64, 0x7FF0000000000000, 0xBFF0000000000000, 0x0, 0xFFF0000000000000},
	{IR_OP_FMUL, 64, 64, 0x7FEFFFFFFFFFFFFF, 0x4000000000000000, 0x0, 0x7FF0000000000000}, /* overflow */
	{IR_OP_FMUL, 64, 64, 0x10000000000000, 0x3FE0000000000000, 0x0, 0x8000000000000}, /* exact subnormal */
	{IR_OP_FMUL, 64, 64, 0x1, 0x3FE0000000000000, 0x0, 0x0}, /* half the least: to even, 0 */
	{IR_OP_FMUL, 64, 64, 0x1, 0x3FE0000000000001, 0x0, 0x1}, /* just above: the least */
	{IR_OP_FMUL, 64, 64, 0x3, 0x3FE0000000000000, 0x0, 0x2}, /* 1.5 of the least: to even, 2 */
	{IR_OP_FMUL, 64, 64, 0x3FB999999999999A, 0x3FB999999999999A, 0x0, 0x3F847AE147AE147C},
	{IR_OP_FMUL, 64, 64, 0x10000000000000, 0x3FEFFFFFFFFFFFFF, 0x0, 0x10000000000000}, /* rounds up to the least normal */
	{IR_OP_FMUL, 64, 64, 0x8000000000000001, 0x1, 0x0, 0x8000000000000000}, /* -0 */
	{IR_OP_FDIV, 64, 64, 0x0, 0x0, 0x0, 0x7FF8000000000000}, /* 0 / 0 */
	{IR_OP_FDIV, 64, 64, 0x3FF0000000000000, 0x0, 0x0, 0x7FF0000000000000}, /* 1 / 0 */
	{IR_OP_FDIV, 64, 64, 0x3FF0000000000000, 0x8000000000000000, 0x0, 0xFFF0000000000000}, /* 1 / -0 */
	{IR_OP_FDIV, 64, 64, 0x7FF0000000000000, 0x7FF0000000000000, 0x0, 0x7FF8000000000000},
	{IR_OP_FDIV, 64, 64, 0x3FF0000000000000, 0x7FF0000000000000, 0x0, 0x0},
	{IR_OP_FDIV, 64, 64, 0xFFF0000000000000, 0x4000000000000000, 0x0, 0xFFF0000000000000},
	{IR_OP_FDIV, 64, 64, 0x3FF0000000000000, 0x4008000000000000, 0x0, 0x3FD5555555555555}, /* 1 / 3 */
	{IR_OP_FDIV, 64, 64, 0x1, 0x4000000000000000, 0x0, 0x0},
	{IR_OP_FDIV, 64, 64, 0x7FEFFFFFFFFFFFFF, 0x3FE0000000000000, 0x0, 0x7FF0000000000000},
	{IR_OP_FDIV, 64, 64, 0x1, 0x7FEFFFFFFFFFFFFF, 0x0, 0x0}, /* underflow */
	{IR_OP_FDIV, 64, 64, 0x3FF0000000000000, 0xFFFFFFFFFFFFF, 0x0, 0x7FD0000000000001}, /* subnormal divisor */
	{IR_OP_FDIV, 64, 64, 0x8000000000000000, 0x401C000000000000, 0x0, 0x8000000000000000},
	{IR_OP_FSQRT, 64, 64, 0x0, 0x0, 0x0, 0x0},
	{IR_OP_FSQRT, 64, 64, 0x8000000000000000, 0x0, 0x0, 0x8000000000000000}, /* sqrt(-0) is -0 */
	{IR_OP_FSQRT, 64, 64, 0x4010000000000000, 0x0, 0x0, 0x4000000000000000},
	{IR_OP_FSQRT, 64, 64, 0x4000000000000000, 0x0, 0x0, 0x3FF6A09E667F3BCD},
	{IR_OP_FSQRT, 64, 64, 0xBFF0000000000000, 0x0, 0x0, 0x7FF8000000000000},
	{IR_OP_FSQRT, 64, 64, 0x7FF0000000000000, 0x0, 0x0, 0x7FF0000000000000},
	{IR_OP_FSQRT, 64, 64, 0xFFF0000000000000, 0x0, 0x0, 0x7FF8000000000000},
	{IR_OP_FSQRT, 64, 64, 0x1, 0x0, 0x0, 0x1E60000000000000}, /* the least */
	{IR_OP_FSQRT, 64, 64, 0x3, 0x0, 0x0, 0x1E6BB67AE8584CAA}, /* odd exponent */
	{IR_OP_FSQRT, 64, 64, 0x7FEFFFFFFFFFFFFF, 0x0, 0x0, 0x5FEFFFFFFFFFFFFF},
	{IR_OP_FSQRT, 64, 64, 0xFFFFFFFFFFFFF, 0x0, 0x0, 0x1FFFFFFFFFFFFFFF},
	{IR_OP_FSQRT, 64, 64, 0xFFF8000000000123, 0x0, 0x0, 0x7FF8000000000000},
	{IR_OP_FMA, 64, 64, 0x3FF0000000000001, 0x3FF0000000000001, 0xBFF0000000000002, 0x3970000000000000}, /* the product is not rounded: 2^-104 */
	{IR_OP_FMA, 64, 64, 0x3FF0000000000001, 0x3FEFFFFFFFFFFFFF, 0xBFF0000000000000, 0x3C9FFFFFFFFFFFFE}, /* one rounding */
	{IR_OP_FMA, 64, 64, 0x0, 0x7FF0000000000000, 0x3FF0000000000000, 0x7FF8000000000000}, /* 0 * inf + 1 */
	{IR_OP_FMA, 64, 64, 0x0, 0x7FF0000000000000, 0xFFF8000000000123, 0x7FF8000000000000}, /* 0 * inf + NaN */
	{IR_OP_FMA, 64, 64, 0x7FF0000000000000, 0x3FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000000}, /* inf - inf */
	{IR_OP_FMA, 64, 64, 0x0, 0x3FF0000000000000, 0x8000000000000000, 0x0}, /* 0 * 1 + -0 */
	{IR_OP_FMA, 64, 64, 0x8000000000000000, 0x3FF0000000000000, 0x8000000000000000, 0x8000000000000000},
	{IR_OP_FMA, 64, 64, 0x3FF0000000000000, 0xBFF0000000000000, 0x3FF0000000000000, 0x0}, /* exact cancellation is +0 */
	{IR_OP_FMA, 64, 64, 0x1A70000000000000, 0x1A70000000000000, 0x1, 0x1}, /* a sticky bit above the tie? */
	{IR_OP_FMA, 64, 64, 0x1E50000000000000, 0x1E60000000000000, 0x1, 0x2}, /* 1.5 of the least: to even */
	{IR_OP_FMA, 64, 64, 0x1E50000000000000, 0x1E50000000000000, 0x3FF0000000000000, 0x3FF0000000000000}, /* far below */
	{IR_OP_FMA, 64, 64, 0x7FEFFFFFFFFFFFFF, 0x4000000000000000, 0xFFEFFFFFFFFFFFFF, 0x7FEFFFFFFFFFFFFF}, /* no overflow in between */
	{IR_OP_FMA, 64, 64, 0x3FB999999999999A, 0x4024000000000000, 0xBFF0000000000000, 0x3C90000000000000},
	{IR_OP_FMA, 64, 64, 0x6974E718D7D7625A, 0x6974E718D7D7625A, 0xFFF0000000000000, 0xFFF0000000000000},
	{IR_OP_FTOS, 32, 64, 0x3FE0000000000000, 0x0, 0x0, 0x0},
	{IR_OP_FTOS, 32, 64, 0xBFE0000000000000, 0x0, 0x0, 0x0},
	{IR_OP_FTOS, 32, 64, 0x3FFFFBE76C8B4396, 0x0, 0x0, 0x1},
	{IR_OP_FTOS, 32, 64, 0xBFFFFBE76C8B4396, 0x0, 0x0, 0xFFFFFFFF},
	{IR_OP_FTOS, 32, 64, 0x41DFFFFFFFC00000, 0x0, 0x0, 0x7FFFFFFF},
	{IR_OP_FTOS, 32, 64, 0x41E0000000000000, 0x0, 0x0, 0x7FFFFFFF}, /* saturates */
	{IR_OP_FTOS, 32, 64, 0xC1E0000000000000, 0x0, 0x0, 0x80000000},
	{IR_OP_FTOS, 32, 64, 0xC1E00000001CCCCD, 0x0, 0x0, 0x80000000}, /* truncates to the least */
	{IR_OP_FTOS, 32, 64, 0xC1E0000000200000, 0x0, 0x0, 0x80000000}, /* saturates */
	{IR_OP_FTOS, 32, 64, 0x7FF0000000000000, 0x0, 0x0, 0x7FFFFFFF},
	{IR_OP_FTOS, 32, 64, 0xFFF0000000000000, 0x0, 0x0, 0x80000000},
	{IR_OP_FTOS, 32, 64, 0xFFF8000000000123, 0x0, 0x0, 0x7FFFFFFF}, /* NaN: the largest, whatever its sign */
	{IR_OP_FTOS, 64, 64, 0x43DFFFFFFFFFFFFF, 0x0, 0x0, 0x7FFFFFFFFFFFFC00},
	{IR_OP_FTOS, 64, 64, 0x43E0000000000000, 0x0, 0x0, 0x7FFFFFFFFFFFFFFF},
	{IR_OP_FTOS, 64, 64, 0xC3E0000000000000, 0x0, 0x0, 0x8000000000000000},
	{IR_OP_FTOS, 64, 64, 0xFE37E43C8800759C, 0x0, 0x0, 0x8000000000000000},
	{IR_OP_FTOS, 64, 64, 0x1, 0x0, 0x0, 0x0},
	{IR_OP_FTOS, 64, 64, 0x4330000000000002, 0x0, 0x0, 0x10000000000002},
	{IR_OP_FTOU, 64, 64, 0xBFEFAE147AE147AE, 0x0, 0x0, 0x0},
	{IR_OP_FTOU, 64, 64, 0xBFF0000000000000, 0x0, 0x0, 0x0},
	{IR_OP_FTOU, 64, 64, 0x43EFFFFFFFFFFFFF, 0x0, 0x0, 0xFFFFFFFFFFFFF800},
	{IR_OP_FTOU, 64, 64, 0x43F0000000000000, 0x0, 0x0, 0xFFFFFFFFFFFFFFFF},
	{IR_OP_FTOU, 64, 64, 0xFFF8000000000123, 0x0, 0x0, 0xFFFFFFFFFFFFFFFF},
	{IR_OP_FTOU, 64, 64, 0xFFF0000000000000, 0x0, 0x0, 0x0},
	{IR_OP_FTOS, 1, 64, 0xBFF0000000000000, 0x0, 0x0, 0x1},
	{IR_OP_FTOS, 1, 64, 0x0, 0x0, 0x0, 0x0},
	{IR_OP_FTOS, 1, 64, 0x3FECCCCCCCCCCCCD, 0x0, 0x0, 0x0},
	{IR_OP_FTOS, 1, 64, 0x3FF0000000000000, 0x0, 0x0, 0x0},
	{IR_OP_FTOS, 1, 64, 0xBFF8000000000000, 0x0, 0x0, 0x1},
	{IR_OP_FTOU, 8, 64, 0x406FFCCCCCCCCCCD, 0x0, 0x0, 0xFF},
	{IR_OP_FTOU, 8, 64, 0x4070000000000000, 0x0, 0x0, 0xFF},
	{IR_OP_FOFS, 64, 64, 0x0, 0x0, 0x0, 0x0},
	{IR_OP_FOFU, 64, 64, 0x0, 0x0, 0x0, 0x0},
	{IR_OP_FOFS, 32, 64, 0x0, 0x0, 0x0, 0x0},
	{IR_OP_FOFU, 32, 64, 0x0, 0x0, 0x0, 0x0},
	{IR_OP_FOFS, 64, 1, 0x1, 0x0, 0x0, 0xBFF0000000000000},
	{IR_OP_FOFU, 64, 1, 0x1, 0x0, 0x0, 0x3FF0000000000000},
	{IR_OP_FOFS, 32, 1, 0x1, 0x0, 0x0, 0xBF800000},
	{IR_OP_FOFU, 32, 1, 0x1, 0x0, 0x0, 0x3F800000},
	{IR_OP_FOFS, 64, 64, 0x8000000000000000, 0x0, 0x0, 0xC3E0000000000000},
	{IR_OP_FOFU, 64, 64, 0x8000000000000000, 0x0, 0x0, 0x43E0000000000000},
	{IR_OP_FOFS, 32, 64, 0x8000000000000000, 0x0, 0x0, 0xDF000000},
	{IR_OP_FOFU, 32, 64, 0x8000000000000000, 0x0, 0x0, 0x5F000000},
	{IR_OP_FOFS, 64, 64, 0xFFFFFFFFFFFFFFFF, 0x0, 0x0, 0xBFF0000000000000},
	{IR_OP_FOFU, 64, 64, 0xFFFFFFFFFFFFFFFF, 0x0, 0x0, 0x43F0000000000000},
	{IR_OP_FOFS, 32, 64, 0xFFFFFFFFFFFFFFFF, 0x0, 0x0, 0xBF800000},
	{IR_OP_FOFU, 32, 64, 0xFFFFFFFFFFFFFFFF, 0x0, 0x0, 0x5F800000},
	{IR_OP_FOFS, 64, 64, 0x20000000000001, 0x0, 0x0, 0x4340000000000000},
	{IR_OP_FOFU, 64, 64, 0x20000000000001, 0x0, 0x0, 0x4340000000000000},
	{IR_OP_FOFS, 32, 64, 0x20000000000001, 0x0, 0x0, 0x5A000000},
	{IR_OP_FOFU, 32, 64, 0x20000000000001, 0x0, 0x0, 0x5A000000},
	{IR_OP_FOFS, 64, 64, 0x20000000000003, 0x0, 0x0, 0x4340000000000002},
	{IR_OP_FOFU, 64, 64, 0x20000000000003, 0x0, 0x0, 0x4340000000000002},
	{IR_OP_FOFS, 32, 64, 0x20000000000003, 0x0, 0x0, 0x5A000000},
	{IR_OP_FOFU, 32, 64, 0x20000000000003, 0x0, 0x0, 0x5A000000},
	{IR_OP_FOFS, 64, 64, 0x7FFFFFFFFFFFFFFF, 0x0, 0x0, 0x43E0000000000000},
	{IR_OP_FOFU, 64, 64, 0x7FFFFFFFFFFFFFFF, 0x0, 0x0, 0x43E0000000000000},
	{IR_OP_FOFS, 32, 64, 0x7FFFFFFFFFFFFFFF, 0x0, 0x0, 0x5F000000},
	{IR_OP_FOFU, 32, 64, 0x7FFFFFFFFFFFFFFF, 0x0, 0x0, 0x5F000000},
	{IR_OP_FOFS, 64, 8, 0x80, 0x0, 0x0, 0xC060000000000000},
	{IR_OP_FOFU, 64, 8, 0x80, 0x0, 0x0, 0x4060000000000000},
	{IR_OP_FOFS, 32, 8, 0x80, 0x0, 0x0, 0xC3000000},
	{IR_OP_FOFU, 32, 8, 0x80, 0x0, 0x0, 0x43000000},
	{IR_OP_FOFU, 32, 25, 0x1000001, 0x0, 0x0, 0x4B800000}, /* tie to even */
	{IR_OP_FOFU, 32, 25, 0x1000003, 0x0, 0x0, 0x4B800002},
	{IR_OP_FTOF, 32, 64, 0x3FF0000000000000, 0x0, 0x0, 0x3F800000},
	{IR_OP_FTOF, 32, 64, 0x36A0000000000000, 0x0, 0x0, 0x1}, /* the least single */
	{IR_OP_FTOF, 32, 64, 0x3690000000000000, 0x0, 0x0, 0x0}, /* half of it: 0 */
	{IR_OP_FTOF, 32, 64, 0x3690000000000001, 0x0, 0x0, 0x1},
	{IR_OP_FTOF, 32, 64, 0x36A8000000000000, 0x0, 0x0, 0x2}, /* 1.5 of it: 2 */
	{IR_OP_FTOF, 32, 64, 0x47EFFFFFE0000000, 0x0, 0x0, 0x7F7FFFFF}, /* the largest */
	{IR_OP_FTOF, 32, 64, 0x47EFFFFFEFFFFFFF, 0x0, 0x0, 0x7F7FFFFF}, /* rounds down to it */
	{IR_OP_FTOF, 32, 64, 0x47EFFFFFF0000000, 0x0, 0x0, 0x7F800000}, /* half a step above: infinity */
	{IR_OP_FTOF, 32, 64, 0x380FFFFFE0000000, 0x0, 0x0, 0x800000}, /* rounds up to a normal number */
	{IR_OP_FTOF, 32, 64, 0x7FF0000000000001, 0x0, 0x0, 0x7FC00000},
	{IR_OP_FTOF, 32, 64, 0xFFF8000000000123, 0x0, 0x0, 0x7FC00000},
	{IR_OP_FTOF, 32, 64, 0xFFF0000000000000, 0x0, 0x0, 0xFF800000},
	{IR_OP_FTOF, 32, 64, 0x8000000000000000, 0x0, 0x0, 0x80000000},
	{IR_OP_FTOF, 32, 64, 0x3FB999999999999A, 0x0, 0x0, 0x3DCCCCCD},
	{IR_OP_FTOF, 64, 32, 0x1, 0x0, 0x0, 0x36A0000000000000},
	{IR_OP_FTOF, 64, 32, 0x7FFFFF, 0x0, 0x0, 0x380FFFFFC0000000},
	{IR_OP_FTOF, 64, 32, 0x800000, 0x0, 0x0, 0x3810000000000000},
	{IR_OP_FTOF, 64, 32, 0x7F7FFFFF, 0x0, 0x0, 0x47EFFFFFE0000000},
	{IR_OP_FTOF, 64, 32, 0x7F800000, 0x0, 0x0, 0x7FF0000000000000},
	{IR_OP_FTOF, 64, 32, 0x7F800001, 0x0, 0x0, 0x7FF8000000000000},
	{IR_OP_FTOF, 64, 32, 0xFFC00123, 0x0, 0x0, 0x7FF8000000000000},
	{IR_OP_FTOF, 64, 32, 0x80000000, 0x0, 0x0, 0x8000000000000000},
	{IR_OP_FTOF, 64, 32, 0x3DCCCCCD, 0x0, 0x0, 0x3FB99999A0000000},
	{IR_OP_FADD, 32, 32, 0x3F800000, 0x33800000, 0x0, 0x3F800000},
	{IR_OP_FADD, 32, 32, 0x3F800001, 0x33800000, 0x0, 0x3F800002},
	{IR_OP_FADD, 32, 32, 0x7F7FFFFF, 0x7F7FFFFF, 0x0, 0x7F800000},
	{IR_OP_FADD, 32, 32, 0x7F7FFFFF, 0x72800000, 0x0, 0x7F7FFFFF},
	{IR_OP_FADD, 32, 32, 0x7F7FFFFF, 0x73000000, 0x0, 0x7F800000},
	{IR_OP_FADD, 32, 32, 0x7F800001, 0x0, 0x0, 0x7FC00000},
	{IR_OP_FADD, 32, 32, 0x7F800000, 0xFF800000, 0x0, 0x7FC00000},
	{IR_OP_FMUL, 32, 32, 0x3DCCCCCD, 0x3DCCCCCD, 0x0, 0x3C23D70B},
	{IR_OP_FMUL, 32, 32, 0x1, 0x3F000000, 0x0, 0x0},
	{IR_OP_FMUL, 32, 32, 0x3, 0x3F000000, 0x0, 0x2},
	{IR_OP_FMUL, 32, 32, 0x7F7FFFFF, 0x7F7FFFFF, 0x0, 0x7F800000},
	{IR_OP_FDIV, 32, 32, 0x3F800000, 0x40400000, 0x0, 0x3EAAAAAB},
	{IR_OP_FDIV, 32, 32, 0x0, 0x0, 0x0, 0x7FC00000},
	{IR_OP_FDIV, 32, 32, 0xBF800000, 0x0, 0x0, 0xFF800000},
	{IR_OP_FSQRT, 32, 32, 0x40000000, 0x0, 0x0, 0x3FB504F3},
	{IR_OP_FSQRT, 32, 32, 0x1, 0x0, 0x0, 0x1A3504F3},
	{IR_OP_FSQRT, 32, 32, 0xC0000000, 0x0, 0x0, 0x7FC00000},
	{IR_OP_FMA, 32, 32, 0x3F800001, 0x3F800001, 0xBF800002, 0x28800000}, /* the product is not rounded: 2^-46 */
	{IR_OP_FMA, 32, 32, 0x7F7FFFFF, 0x40000000, 0xFF7FFFFF, 0x7F7FFFFF},
	/* Order. */
	{IR_OP_FEQ, 1, 64, 0, 0x8000000000000000, 0, 1}, /* +0 == -0 */
	{IR_OP_FLT, 1, 64, 0x8000000000000000, 0, 0, 0},
	{IR_OP_FLE, 1, 64, 0, 0x8000000000000000, 0, 1},
	{IR_OP_FEQ, 1, 64, 0x7FF8000000000000, 0x7FF8000000000000, 0, 0},
	{IR_OP_FLT, 1, 64, 0x7FF8000000000000, 0, 0, 0},
	{IR_OP_FLE, 1, 64, 0, 0xFFF0000000000001, 0, 0},
	{IR_OP_FLT, 1, 64, 0xFFF0000000000000, 0xFFEFFFFFFFFFFFFF, 0, 1}, /* -inf < -largest */
	{IR_OP_FLT, 1, 64, 0x8000000000000001, 0, 0, 1},
	{IR_OP_FLT, 1, 64, 0xBFF0000000000000, 0xC000000000000000, 0, 0}, /* -1 < -2 */
	{IR_OP_FLE, 1, 32, 0x7F800000, 0x7F800000, 0, 1},
	{IR_OP_FLT, 1, 32, 0x3F800000, 0x3F800001, 0, 1},
	{IR_OP_FMIN, 64, 64, 0, 0x8000000000000000, 0, 0x8000000000000000}, /* -0 < +0 */
	{IR_OP_FMIN, 64, 64, 0x8000000000000000, 0, 0, 0x8000000000000000},
	{IR_OP_FMAX, 64, 64, 0, 0x8000000000000000, 0, 0},
	{IR_OP_FMAX, 64, 64, 0x8000000000000000, 0, 0, 0},
	{IR_OP_FMIN, 64, 64, 0x7FF0000000000001, 0x4000000000000000, 0, 0x4000000000000000}, /* a number beats NaN */
	{IR_OP_FMAX, 64, 64, 0xC000000000000000, 0x7FF8000000000000, 0, 0xC000000000000000},
	{IR_OP_FMAX, 64, 64, 0xFFF8000000000123, 0x7FF0000000000001, 0, 0x7FF8000000000000},
	{IR_OP_FMIN, 64, 64, 0xFFF0000000000000, 0x7FF0000000000000, 0, 0xFFF0000000000000},
	{IR_OP_FMIN, 32, 32, 0xFFC00001, 0x7F800001, 0, 0x7FC00000},
	{IR_OP_FMAX, 32, 32, 0xBF800000, 0xC0000000, 0, 0xBF800000},
};

static void check(const Row *r, u64 is, const char *how)
{
	if (is != r->result)
		fail_msg("%s %s(%llx, %llx, %llx), width %u from %u: %llx, must be %llx", how, ir_op_info[r->op].name,
			 (unsigned long long)r->a, (unsigned long long)r->b, (unsigned long long)r->c, r->width, r->arg_width,
			 (unsigned long long)is, (unsigned long long)r->result);
}

/* The table's conversions to integers go toward zero, all else to nearest. */
static IrRound usual(const Row *r)
{
	return ir_op_info[r->op].shape == IR_SHAPE_FTOI ? IR_ROUND_ZERO : IR_ROUND_EVEN;
}

static void known(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		const Row *r = &rows[i];

		check(r, ir_eval((IrOp)r->op, r->width, r->arg_width, usual(r), r->a, r->b, r->c), "ir_eval");
		check(r, host_float((IrOp)r->op, r->width, r->arg_width, usual(r), r->a, r->b, r->c), "host");
	}
}

/* Constants fold to what the operation gives; anything else is built, and shared. */
static void folded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		const Row *r = &rows[i];
		Arena arena;
		IrFunc *func;
		IrRef a, b, c, made;
		u64 value = 0;

		arena_init(&arena);
		func = ir_func_create(&arena, IR_FUNC_HANDLER);
		a = ir_const(func, r->arg_width, r->a);
		b = ir_const(func, r->arg_width, r->b);
		c = ir_const(func, r->arg_width, r->c);
		assert_true(ir_is_const(func, ir_float(func, (IrOp)r->op, usual(r), r->width, a, b, c), &value));
		check(r, value, "fold");
		a = ir_get(func, 1, r->arg_width);
		made = ir_float(func, (IrOp)r->op, usual(r), r->width, a, b, c);
		assert_false(ir_is_const(func, made, NULL));
		assert_int_equal(ir_width(func, made), r->width);
		assert_int_equal(made, ir_float(func, (IrOp)r->op, usual(r), r->width, a, b, c));
		ir_ret(func, made);
		assert_true(ir_verify(func, NULL));
		arena_fini(&arena);
	}
}

static const char *const modes[] = {"to nearest", "toward zero", "down", "up", "away"};

static void host(void **state)
{
	Rng rng = {7};

	(void)state;
	for (int round = 0; round < 1000000; round++) {
		Row r = {.op = (u8)(IR_OP_FADD + rng_below(&rng, IR_OP_FCLASS - IR_OP_FADD + 1))};
		IrRound mode = (IrRound)rng_below(&rng, HOST_ROUNDS);
		unsigned flags, must;

		r.width = r.arg_width = rng_below(&rng, 2) ? 64 : 32;
		switch (ir_op_info[r.op].shape) {
		case IR_SHAPE_FCMP: r.width = 1; break;
		case IR_SHAPE_FOFI: r.arg_width = (u8)(1 + rng_below(&rng, 64)); break;
		case IR_SHAPE_FTOI: r.width = (u8)(1 + rng_below(&rng, 64)); break;
		case IR_SHAPE_FTOF: r.arg_width = 96 - r.width; break;
		case IR_SHAPE_FCLASS: r.width = 10; break;
		default: break;
		}
		r.a = ir_op_info[r.op].shape == IR_SHAPE_FOFI ? rng_next(&rng) >> rng_below(&rng, 64) : float_edge(&rng, r.arg_width == 64);
		r.a = bits_trunc(r.a, r.arg_width);
		r.b = rng_below(&rng, 8) ? float_edge(&rng, r.arg_width == 64) : r.a;
		r.c = float_edge(&rng, r.arg_width == 64);
		r.result = host_float_flags((IrOp)r.op, r.width, r.arg_width, mode, r.a, r.b, r.c, &must);
		check(&r, ir_float_compute((IrOp)r.op, r.width, r.arg_width, mode, r.a, r.b, r.c, &flags), modes[mode]);
		r.result = must;
		check(&r, flags, "flags");
	}
}

/* fma near cancellation: a product against its own rounded value, where every bit below counts. */
static void fma_cancels(void **state)
{
	Rng rng = {9};

	(void)state;
	for (int round = 0; round < 200000; round++) {
		unsigned w = round & 1 ? 64 : 32;
		u64 a = float_edge(&rng, w == 64), b = float_edge(&rng, w == 64);
		u64 c = ir_eval(IR_OP_FMUL, w, w, 0, a, b, 0) ^ (u64)1 << (w - 1);
		unsigned flags, must, mode = rng_below(&rng, HOST_ROUNDS);
		Row r = {IR_OP_FMA, (u8)w, (u8)w, a, b, bits_trunc(c + rng_below(&rng, 3) - 1, w), 0};

		r.result = host_float_flags(IR_OP_FMA, w, w, mode, r.a, r.b, r.c, &must);
		check(&r, ir_float_compute(IR_OP_FMA, w, w, mode, r.a, r.b, r.c, &flags), modes[mode]);
		r.result = must;
		check(&r, flags, "flags");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known), cmocka_unit_test(folded), cmocka_unit_test(host),
					   cmocka_unit_test(fma_cancels)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
