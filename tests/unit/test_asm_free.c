/* SPDX-License-Identifier: MIT
 *
 * Dialects whose statements end where the next begins (`lines free`), numbers that are instructions, mnemonics made of
 * symbols.
 */
#include "asm_testing.h"

static const AsmOptions plain = {.dialect = 0};

static const char prefixed[] =
	"isa IRI \"prefixes everywhere\"\n"
	"space code : 8, size 0x400, big\n"
	"space ro : 8, size 0x400\n"
	"code code\n"
	"reg r[32] : 32 names $0-$31\n"
	"reg pc : 64 = 68\n"
	"field a b c : r\n"
	"field h : unsigned\n"
	"insn LOAD \"00000000 a:8 h:16\" a, h { a = zx(h) }\n"
	"insn ADD \"00000001 a:8 b:8 c:8\" a, b, c { c = a + b }\n"
	"insn HLT \"00000101 ........ ........ ........\" { stop 0 }\n"
	"insn CALL \"00101110 h:16 ........\" h { call zx(h) }\n"
	"asm { comment \";\" case off origin 68 separators \" \" label colon number dec \"#\" register \"$\" symbol \"@\"\n"
	"      quote \"'\" lines free\n"
	"  .data = section ro\n"
	"  .code = section code\n"
	"  .asciiz s = string 8 s 0\n"
	"  .integer w = data 32 w little }\n";

static void statements_end_where_the_next_begins(void **state)
{
	Isa *isa = test_isa_text("iri.isa", prefixed, NULL, NULL);

	(void)state;
	WORDS(isa, &plain, "load $0 #5 add $0 $0 $1 hlt", 0, 0, 0, 5, 1, 0, 0, 1, 5, 0, 0, 0);
	WORDS(isa, &plain, "load\n$0\n\n#5 ; add\nadd $0 $0\n $1 hlt", 0, 0, 0, 5, 1, 0, 0, 1, 5, 0, 0, 0);
	isa_destroy(isa);
}

static void labels_and_sections(void **state)
{
	Isa *isa = test_isa_text("iri.isa", prefixed, NULL, NULL);
	const char *text = ".data m: .asciiz 'a ; b' n:\n.integer #5 #6 .code call @b a: b: hlt c:";
	char *messages;
	AsmProgram *program = test_assemble(isa, &plain, text, strlen(text), &messages);

	(void)state;
	assert_string_equal(messages, "");
	assert_int_equal(program->segment_count, 2);
	assert_int_equal(program->segments[0].count, 6 + 8);
	assert_int_equal(program->segments[0].cells[6], 5);
	assert_int_equal(program->segments[1].cells[2], 72);
	assert_int_equal(program->symbol_count, 5);
	assert_string_equal(program->symbols[4].name, "c");
	assert_int_equal(program->symbols[4].value, 76);
	assert_int_equal(program->symbols[1].line, 1);
	assert_int_equal(program->lines[1].line, 2);
	asm_program_destroy(program);
	free(messages);
	isa_destroy(isa);
}

static void mistakes_have_their_place(void **state)
{
	Isa *isa = test_isa_text("iri.isa", prefixed, NULL, NULL);

	(void)state;
	test_says(isa, &plain, "load $0 #5 lod $1 #4\n  add $1 $0 $2 hlt $3",
		  "t.asm:1:12: error: there is no instruction 'lod'\n"
		  "    1 | load $0 #5 lod $1 #4\n"
		  "      |            ^~~\n"
		  "      = hint: did you mean 'LOAD'?\n"
		  "t.asm:2:20: error: there is no instruction '$3'\n"
		  "    2 |   add $1 $0 $2 hlt $3\n"
		  "      |                    ^~\n");
	test_says(isa, &plain, "load $1 ; no number\n\n  hlt\n",
		  "t.asm:1:8: error: a number is missing here\n"
		  "    1 | load $1 ; no number\n"
		  "      |        ^\n"
		  "      = hint: it is written: LOAD $a #h\n");
	test_refuses(isa, &plain, "hlt .stack #5 hlt", "t.asm:1:5: error: there is no directive '.stack'");
	test_refuses(isa, &plain, "load\n $1\n #70000", "t.asm:3:2: error: 70000 does not fit 'h'");
	test_refuses(isa, &plain, "load $1, #7", "operands are separated by blanks here, not by commas");
	test_refuses(isa, &plain, "call @nowhere", "there is no label '@nowhere'");
	isa_destroy(isa);
}

/* A statement may be long, but not without end; many on one line are nothing special. */
static void long_statements(void **state)
{
	Isa *isa = test_isa_text("iri.isa", prefixed, NULL, NULL);
	char *text = malloc(70000 * 4 + 64), *messages, *at = text;
	AsmProgram *program;

	(void)state;
	at += sprintf(at, ".data .integer ");
	for (u32 i = 0; i < 70000; i++)
		at += sprintf(at, "#1%c", i % 1000 ? ' ' : '\n');
	program = test_assemble(isa, &plain, text, strlen(text), &messages);
	assert_null(program);
	assert_non_null(strstr(messages, "t.asm:1:7: error: the statement that begins here has more than"));
	free(messages);
	at = text;
	for (u32 i = 0; i < 20000; i++)
		at += sprintf(at, "hlt%c", i % 10000 ? ' ' : '\n');
	program = test_assemble(isa, &plain, text, strlen(text), &messages);
	assert_null(program);
	assert_non_null(strstr(messages, "runs past the end of 'code'"));
	free(messages);
	free(text);
	isa_destroy(isa);
}

/* ---- Stack words ---- */

#define STACK(literal, push)                                                                     \
	"isa STK \"stack\"\n"                                                                        \
	"space M : 32, size 4096\n"                                                                  \
	"code M\n"                                                                                   \
	"reg pc : 32 = 100\n"                                                                        \
	"reg sp : 32\n"                                                                              \
	"field v : unsigned\n"                                                                       \
	"insn push \"00 v:30\" v { M[sp + 1] = zx(v); sp = sp + 1 }\n"                               \
	"insn + \"01 1'30\" { sp = sp - 1 }\n"                                                       \
	"insn - \"01 2'30\" { sp = sp - 1 }\n"                                                       \
	"insn * \"01 3'30\" { sp = sp - 1 }\n"                                                       \
	"insn / \"01 4'30\" { sp = sp - 1 }\n"                                                       \
	"insn << \"01 5'30\" { sp = sp - 1 }\n"                                                      \
	"insn halt \"01 0'30\" { stop 0 }\n"                                                         \
	"asm { comment \"//\" number dec origin 100 number-alone " literal " " push "\n"             \
	"  .word w = data 32 single }\n"                                                             \
	"asm lines { comment \"//\" number dec label colon number-alone push }\n"

static void numbers_alone(void **state)
{
	static const AsmOptions lines = {.dialect = 1};
	Isa *isa = test_isa_text("stk.isa", STACK("push", "lines free exclude push"), NULL, NULL);

	(void)state;
	WORDS(isa, &plain, "3 4 + 2 * // 9\n\n5 6<<halt", 3, 4, 0x40000001, 2, 0x40000003, 5, 6, 0x40000005, 0x40000000);
	WORDS(isa, &plain, "8 2 / 1 - x: 7", 8, 2, 0x40000004, 1, 0x40000002, 7);
	test_says(isa, &plain, "5 abc 6 +\n[ push",
		  "t.asm:1:3: error: there is no instruction 'abc'\n"
		  "    1 | 5 abc 6 +\n"
		  "      |   ^~~\n"
		  "      = hint: there are numbers + - * / << halt\n"
		  "t.asm:2:1: error: a label or an instruction is expected, not '['\n"
		  "    2 | [ push\n"
		  "      | ^\n"
		  "      = hint: there are numbers + - * / << halt\n"
		  "t.asm:2:3: error: there is no instruction 'push'\n"
		  "    2 | [ push\n"
		  "      |   ^~~~\n"
		  "      = hint: there are numbers + - * / << halt\n");
	test_refuses(isa, &plain, "1 1073741824", "t.asm:1:3: error: 1073741824 does not fit 'v', 30 bits");
	/* In lines, a number is the instruction's operand all the same. */
	WORDS(isa, &lines, "3\n push 4\n +\nx: 2+5\n", 3, 4, 0x40000001, 7);
	test_refuses(isa, &lines, "3 4\n", "'4' is more than push takes");
	isa_destroy(isa);
	/* A number alone may be an item of data. */
	isa = test_isa_text("stk.isa", STACK(".word", "lines free expressions off"), NULL, NULL);
	WORDS(isa, &plain, "1073741825 push 5 +", 0x40000001, 5, 0x40000001);
	isa_destroy(isa);
}

static void it_reads_back(void **state)
{
	static const u64 cells[] = {3, 4, 0x40000001, 0x3FFFFFFF, 0x40000005, 0x40000000, 0x80000000, 0x40000077, 12};
	Isa *isa = test_isa_text("stk.isa", STACK("push", "lines free exclude push"), NULL, NULL);
	DisOptions options = {.dialect = 0};
	Buf text;

	(void)state;
	buf_init(&text);
	for (u32 at = 0; at < COUNT_OF(cells);) {
		at += dis_cells(isa, &options, 100 + at, cells + at, COUNT_OF(cells) - at, &text);
		buf_byte(&text, at % 2 ? ' ' : '\n');
	}
	assert_string_equal(buf_text(&text), "3 4\n+ 1073741823\n<< halt\n.word 2147483648 .word 1073741943\n12 ");
	test_words(isa, &plain, buf_text(&text), cells, COUNT_OF(cells));
	buf_fini(&text);
	isa_destroy(isa);
}

static void descriptions_are_checked(void **state)
{
	static const struct { const char *text, *says; } bad[] = {
		{"lines free label bare", "only a ':' tells a label"},
		{"lines", "'lines' is end or free"},
		{"number-alone PUSH2", "'PUSH2' is no instruction and no data directive"},
		{"number-alone", "'number-alone' needs an instruction"},
	};

	(void)state;
	for (u32 i = 0; i < COUNT_OF(bad); i++) {
		char text[512];
		DiagList diags;
		Buf buf;

		snprintf(text, sizeof(text), "isa T \"t\"\nspace M : 8 x 256\ncode M\nreg pc : 8\ninsn NOP \"0'8\" { }\nasm { %s\n}\n",
			 bad[i].text);
		diag_init(&diags);
		buf_init(&buf);
		assert_null(isa_load("t.isa", text, strlen(text), NULL, 0, &diags));
		diag_render(&diags, &buf, false);
		if (!strstr(buf_text(&buf), bad[i].says))
			fail_msg("for %s: %s", bad[i].text, buf_text(&buf));
		buf_fini(&buf);
		diag_fini(&diags);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_end_where_the_next_begins),
		cmocka_unit_test(labels_and_sections),
		cmocka_unit_test(mistakes_have_their_place),
		cmocka_unit_test(long_statements),
		cmocka_unit_test(numbers_alone),
		cmocka_unit_test(it_reads_back),
		cmocka_unit_test(descriptions_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
