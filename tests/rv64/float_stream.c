/* SPDX-License-Identifier: MIT
 *
 * Does every operation of float_ops.def in every mode on ROUNDS operands and prints a line for each: the number of the
 * operation, the mode, and a hash of all results and flags. For riscv64 Linux, without a C library:
 *
 *     riscv64-linux-gnu-gcc -O2 -march=rv64gc -static -nostdlib -ffreestanding -Isrc -Itests tests/rv64/float_stream.c
 */
#include "rv64/float_stream.h"

#ifndef ROUNDS
#define ROUNDS 10000
#endif

static long call(long number, long a, long b, long c)
{
	register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a7 __asm__("a7") = number;

	__asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
	return a0;
}

static char *put_hex(char *to, u64 value, int digits)
{
	while (digits--)
		*to++ = "0123456789abcdef"[value >> 4 * digits & 15];
	return to;
}

static void print(unsigned op, unsigned mode, u64 hash)
{
	char line[32], *end = line;

	end = put_hex(end, op, 2);
	*end++ = ' ';
	end = put_hex(end, mode, 1);
	*end++ = ' ';
	end = put_hex(end, hash, 16);
	*end++ = '\n';
	call(64, 1, (long)line, end - line);
}

#define IN_s "fmv.w.x ft0, %2\nfmv.w.x ft1, %3\nfmv.w.x ft2, %4\n"
#define IN_d "fmv.d.x ft0, %2\nfmv.d.x ft1, %3\nfmv.d.x ft2, %4\n"
#define IN_x "mv t0, %2\n"
#define OUT_s "fmv.x.w %0, ft3\n"
#define OUT_d "fmv.x.d %0, ft3\n"
#define OUT_x "mv %0, t1\n"
#define IS_INTEGER_s 0
#define IS_INTEGER_d 0
#define IS_INTEGER_x 1

static u64 low_bits(u64 value, unsigned width)
{
	return width == 64 ? value : value & (((u64)1 << width) - 1);
}

#define X(ir, to, from, in, out, text, rtl)                                                                             \
	static void do_##ir##_##to##_##from(unsigned number, unsigned mode)                                           \
	{                                                                                                             \
		Stream s = stream_open(from, number * 8 + mode);                                                      \
		u64 hash = 0;                                                                                         \
                                                                                                                      \
		for (u64 i = 0; i < ROUNDS; i++) {                                                                    \
			Operands o = stream_next(&s, IS_INTEGER_##in);                                                \
			u64 result, flags;                                                                            \
                                                                                                                      \
			__asm__ volatile("fsrm %5\nfsflags zero\n" IN_##in text "\nfrflags %1\n" OUT_##out            \
					 : "=&r"(result), "=&r"(flags)                                                \
					 : "r"(o.a), "r"(o.b), "r"(o.c), "r"((u64)mode)                               \
					 : "t0", "t1", "ft0", "ft1", "ft2", "ft3");                                   \
			hash = stream_hash(stream_hash(hash, low_bits(result, to)), flags);                           \
		}                                                                                                     \
		print(number, mode, hash);                                                                            \
	}
#include "rv64/float_ops.def"
#undef X

void _start(void);
void _start(void)
{
	static void (*const operations[])(unsigned, unsigned) = {
#define X(ir, to, from, in, out, text, rtl) do_##ir##_##to##_##from,
#include "rv64/float_ops.def"
#undef X
	};

	for (unsigned op = 0; op < sizeof operations / sizeof operations[0]; op++)
		for (unsigned mode = 0; mode < STREAM_MODES; mode++)
			operations[op](op, mode);
	call(93, 0, 0, 0);
	__builtin_unreachable();
}
