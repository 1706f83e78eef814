/* SPDX-License-Identifier: MIT
 *
 * Decimal fractions in data, constants and instructions; and instructions of one mnemonic told apart by what an
 * operand is: a register, a number, a variable of some width.
 */
#include "asm_testing.h"

#include <locale.h>

#include "base/float_text.h"
#include "base/rng.h"

static const AsmOptions plain = {.dialect = 0};

#define MACHINE(numbers)                                                                       \
	"isa M \"fractions and variables\"\n"                                                      \
	"space code : 64, size program\n"                                                          \
	"space D : 8, size 4096\n"                                                                 \
	"code code\n"                                                                              \
	"reg r[4] : 64 names r0-r3\n"                                                              \
	"reg pc : 16 = 0\n"                                                                        \
	"field d s : r\n"                                                                          \
	"field i : signed\n"                                                                       \
	"field x : float 64\n"                                                                     \
	"field y : float 32\n"                                                                     \
	"field v8 : abs of 8 \"byte\"\n"                                                           \
	"field v16 : abs of 16 \"word\"\n"                                                         \
	"field v64 : abs of 64 \"quad\"\n"                                                         \
	"insn mov \"1'8 0'48 d:8 x:64\" d, x { d = x }\n"                                          \
	"insn mov32 \"2'8 0'16 d:8 y:32\" d, y { d = zx(y) }\n"                                    \
	"insn add \"3'8 0'48 d:8 i:64\" d, i { d = d + i }\n"                                      \
	"insn add \"4'8 0'44 d:8 s:4\" d, s { d = d + s }\n"                                       \
	"insn add \"5'8 d:8 v8:48\" d, v8 { d = d + zx(D[zx(v8[11:0])]) }\n"                       \
	"insn add \"6'8 d:8 v16:48\" d, v16 { d = d + zx(D[zx(v16[11:0])]) }\n"                    \
	"insn add \"7'8 d:8 v64:48\" d, v64 { d = d + zx(D[zx(v64[11:0])]) }\n"                    \
	"insn ld \"8'8 d:8 v64:48\" d, v64 { d = zx(D[zx(v64[11:0])]) }\n"                         \
	"insn st \"9'8 d:8 v8:48\" d, v8 { D[zx(v8[11:0])] = d[7:0] }\n"                           \
	"insn st \"10'8 d:8 v16:48\" d, v16 { D[zx(v16[11:0])] = d[7:0] }\n"                       \
	"pseudo twice a = { mov r1, a; mov r2, a }\n"                                              \
	"asm { separators \" ,\" number " numbers "\n"                                             \
	"  .f64 x = float 64 x\n"                                                                  \
	"  .f32 x = float 32 x\n"                                                                  \
	"  section data in D\n"                                                                    \
	"  db v = data 8 in data\n"                                                                \
	"  dw v = data 16 little in data\n"                                                        \
	"  resq n = space 64 in data\n"                                                            \
	"  .word w = data 64\n"                                                                    \
	"  define n v = equ redefine }\n"

static u64 of(double value)
{
	u64 bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static u64 of32(float value)
{
	u32 bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static void data(void **state)
{
	Isa *isa = test_isa_text("m.isa", MACHINE("hex \"0x\" | dec"), NULL, NULL);
	char *text = malloc(30000), *at = text;

	(void)state;
	WORDS(isa, &plain, ".f64 1.5 -2.25e-3 5 -5 1e22 0.1 0x3FF0000000000000 inf -inf nan -0.0", of(1.5), of(-2.25e-3), of(5), of(-5),
	      of(1e22), of(0.1), 0x3FF0000000000000, 0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000000, of(-0.0));
	WORDS(isa, &plain, ".f32 1.5, 0.1, 16777217, 3.4028235e38, 1e-46, 18446744073709551616, nan", of32(1.5f), of32(0.1f),
	      of32(16777216.f), of32(3.4028235e38f), 0, of32(18446744073709551616.f), 0x7FC00000);
	/* Rounded once: by way of 64 bits this would be a tie, and go to the even neighbour below. */
	WORDS(isa, &plain, "define X 1.00000005960464484\n.f32 1.00000005960464484 X -X", 0x3F800001, 0x3F800001, 0xBF800001);
	WORDS(isa, &plain, "define A B\ndefine B 0x10\ndefine C 2.5\ndefine C 3.5\n.f64 A C", of(16), of(3.5));
	at += sprintf(at, ".f64 0.");
	for (u32 i = 0; i < 20000; i++)
		*at++ = "1234567890"[i % 10];
	strcpy(at, "e0");
	WORDS(isa, &plain, text, of(0.12345678901234567890));
	free(text);
	test_refuses(isa, &plain, ".f64 1e309", "t.asm:1:6: error: '1e309' is beyond the largest number of 64 bits");
	test_refuses(isa, &plain, ".f32 1e39", "'1e39' is beyond the largest number of 32 bits");
	test_refuses(isa, &plain, ".f32 0x1FFFFFFFF", "'0x1FFFFFFFF' has too many bits");
	test_refuses(isa, &plain, ".f64 1.5.2", "'1.5.2' is no number");
	test_refuses(isa, &plain, ".f64 \"x\"", ".f64 takes a number or a label, not a string");
	test_refuses(isa, &plain, ".f64 r1", "'r1' is a register");
	test_refuses(isa, &plain, ".f64 nowhere", "there is no label 'nowhere'");
	test_refuses(isa, &plain, "x: .f64 x+0\n .f64 x", "'x' is an address, not a number");
	test_refuses(isa, &plain, ".word 1.5", "a whole number or a label is expected, not '1.5'");
	test_refuses(isa, &plain, "define X 1.5\n.word X", "'X' is a decimal fraction; a whole number is wanted here");
	test_refuses(isa, &plain, "define X X\n.f64 X", "'X' has no value");
	isa_destroy(isa);
}

static void instructions(void **state)
{
	Isa *isa = test_isa_text("m.isa", MACHINE("hex \"0x\" | dec"), NULL, NULL);

	(void)state;
	WORDS(isa, &plain, " mov r1, 1.5\n mov r2 -3\n mov32 r1 0.1\n", 0x0100000000000001, of(1.5), 0x0100000000000002, of(-3),
	      0x0200000100000000 | of32(.1f));
	WORDS(isa, &plain, " mov r1 X\n twice 2.5\n twice 7\ndefine X 0.25", 0x0100000000000001, of(0.25), 0x0100000000000001, of(2.5),
	      0x0100000000000002, of(2.5), 0x0100000000000001, of(7), 0x0100000000000002, of(7));
	test_says(isa, &plain, " mov r1, r2",
		  "t.asm:1:10: error: 'r2' is not a number such as 1.5\n"
		  "    1 |  mov r1, r2\n"
		  "      |          ^~\n"
		  "      = hint: it is written: mov d, x\n");
	test_refuses(isa, &plain, " add r1, 1.5", "'1.5'");
	isa_destroy(isa);
}

static void by_width(void **state)
{
	Isa *isa = test_isa_text("m.isa", MACHINE("hex \"0x\" | dec"), NULL, NULL);

	(void)state;
	WORDS(isa, &plain, " add r1 5\n add r1 r2\n add r1 b\n add r1 w\n add r1 w+2\n add r1 q\n add r1 N\n add r1 quad 8\n ld r1 8\n"
			   "b: db 1\nw: dw 2\nq: resq 1\ndefine N 9\n",
	      0x0300000000000001, 5, 0x0400000000000012, 0x0501000000000000, 0x0601000000000001, 0x0601000000000003,
	      0x0701000000000003, 0x0300000000000001, 9, 0x0701000000000008, 0x0801000000000008, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	test_says(isa, &plain, " st r1 q\nq: resq 1\n",
		  "t.asm:1:8: error: 'q' is a variable of 64 bits, which st does not take\n"
		  "    1 |  st r1 q\n"
		  "      |        ^\n"
		  "      = hint: the width can be written in front: st word ..\n");
	test_refuses(isa, &plain, " st r1 8\n", "'8' is no variable, so its width is not known");
	test_refuses(isa, &plain, " st r1 nowhere\n", "there is no label 'nowhere'");
	isa_destroy(isa);
}

/* Any bits of a fraction come back from what is printed, through the assembler. */
static void it_reads_back(void **state)
{
	static const char *const numbers[] = {"hex \"0x\" | dec", "dec \"#\"", "hex \"x\" | dec \"#\" expressions off"};
	static const u64 edges[] = {0, 1, 0x8000000000000000, 0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000000,
				    0x7FEFFFFFFFFFFFFF, 0x000FFFFFFFFFFFFF, 0xFFF0000000000001, 0x3FB999999999999A, 0x4340000000000001};
	Rng rng = {.state = 7};

	(void)state;
	for (u32 n = 0; n < COUNT_OF(numbers); n++) {
		char text[4096];
		Isa *isa;

		snprintf(text, sizeof(text), MACHINE("%s"), numbers[n]);
		isa = test_isa_text("m.isa", text, NULL, NULL);
		for (u32 i = 0; i < 300; i++) {
			u64 bits = i < COUNT_OF(edges) ? edges[i] : rng_next(&rng), cells[4] = {0x0100000000000002, bits, 0x0200000100000000 |
				   (i < COUNT_OF(edges) ? edges[i] >> 32 : rng_next(&rng) >> 32), 0x0701000000000008};
			DisOptions options = {.dialect = 0};
			Buf out;

			buf_init(&out);
			for (u32 at = 0; at < 4;) {
				at += dis_cells(isa, &options, at, cells + at, 4 - at, &out);
				buf_byte(&out, '\n');
			}
			test_words(isa, &plain, buf_text(&out), cells, 4);
			if (n != 1 && strstr(buf_text(&out), ".word")) /* only a NaN without a base for its bits is data */
				fail_msg("no spelling: %s", buf_text(&out));
			buf_fini(&out);
		}
		isa_destroy(isa);
	}
}

static void shortest_text(void **state)
{
	static const struct { u64 bits; unsigned width; const char *text; } table[] = {
		{0x3FB999999999999A, 64, "0.1"}, {0x3FF0000000000000, 64, "1.0"}, {0x44B52D02C7E14AF6, 64, "1e+23"},
		{0x0000000000000001, 64, "5e-324"}, {0x8000000000000000, 64, "-0.0"}, {0x3DCCCCCD, 32, "0.1"},
		{0x7F7FFFFF, 32, "3.4028235e+38"}, {0xFF800000, 32, "-inf"}, {0x7FC00000, 32, "nan"}, {0x4CBEBC20, 32, "1e+08"},
		{0x7FEFFFFFFFFFFFFF, 64, "1.7976931348623157e+308"},
	};
	u64 value;
	char text[FLOAT_TEXT_MAX];

	(void)state;
	for (unsigned turn = 0; turn < 2; turn++) {
		for (u32 i = 0; i < COUNT_OF(table); i++) {
			float_print(table[i].bits, table[i].width, text);
			assert_string_equal(text, table[i].text);
		}
		/* In a locale with another decimal point, if there is one, it is all the same. */
		if (!setlocale(LC_ALL, "de_DE.UTF-8"))
			break;
	}
	setlocale(LC_ALL, "C");
	assert_int_equal(float_read("0x10", 4, 64, &value), STATUS_INVALID);
	assert_int_equal(float_read("", 0, 64, &value), STATUS_INVALID);
	assert_int_equal(float_read(" 1", 2, 64, &value), STATUS_INVALID);
	assert_int_equal(float_read("1e", 2, 64, &value), STATUS_INVALID);
	assert_int_equal(float_read("-1e400", 6, 64, &value), STATUS_TOO_BIG);
	assert_int_equal(float_of_int(-3, true, 64), of(-3));
	assert_int_equal(float_of_int(-1, false, 32), of32(18446744073709551616.f));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(data),
		cmocka_unit_test(instructions),
		cmocka_unit_test(by_width),
		cmocka_unit_test(it_reads_back),
		cmocka_unit_test(shortest_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
