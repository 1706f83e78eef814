/* SPDX-License-Identifier: MIT
 *
 * Where things go that do not simply follow each other: rows of tables, sections within a space, the entry; and what
 * may be said twice: constants, included files.
 */
#include "asm_testing.h"

static const AsmOptions plain = {.dialect = 0};

/* ---- Rows ---- */

static const char functions[] =
	"isa F \"functions by number\"\n"
	"space code : 16, size program\n"
	"space S : 16, size 16\n"
	"code code\n"
	"table fn : nargs 8, nlocals 8, addr 16\n"
	"reg pc : 16 = 0\n"
	"field k : unsigned\n"
	"field t : abs\n"
	"insn call \"1'16 k:16\" k { call fn.addr[k] }\n"
	"insn ret \"2'16\" { stop 0 }\n"
	"insn br \"3'16 t:16\" t { jump t }\n"
	"asm { separators \" \" number hex \"0x\" | dec entry main required\n"
	"  .func n l = row fn n l .\n"
	"  .at n where = row fn n 7 where\n"
	"  .stack = section S\n"
	"  .word w = data 16 }\n";

static void rows(void **state)
{
	Isa *isa = test_isa_text("f.isa", functions, NULL, NULL);
	const char *text = "main:\n .func 0 2\n call g\n call main\n br l\nl: g: .func 1 0xFF\n ret\nh: .at 3 l+1\n call h\n";
	char *messages;
	AsmProgram *program = test_assemble(isa, &plain, text, strlen(text), &messages);
	Buf listing;

	(void)state;
	assert_string_equal(messages, "");
	assert_int_equal(program->row_count, 3);
	assert_string_equal(program->rows[1].name, "g");
	assert_int_equal(program->rows[1].row, 1);
	assert_int_equal(program->rows[1].line, 6);
	assert_int_equal(program->rows[1].values[1], 0xFF);
	assert_int_equal(program->rows[1].values[2], 6);
	assert_int_equal(program->rows[2].values[1], 7);
	assert_int_equal(program->rows[2].values[2], 7);
	assert_int_equal(program->segments[0].cells[1], 1);
	assert_int_equal(program->segments[0].cells[3], 0);
	assert_int_equal(program->segments[0].cells[5], 6); /* l, beside g, is the place itself */
	assert_int_equal(program->segments[0].cells[8], 2);
	assert_true(program->has_entry);
	assert_int_equal(program->entry, 0);
	/* A name of a row stands for its number first, and then for its place. */
	assert_string_equal(program->symbols[0].name, "main");
	assert_int_equal(program->symbols[0].table, 0);
	assert_int_equal(program->symbols[0].space, ISA_NONE);
	assert_string_equal(program->symbols[1].name, "main");
	assert_int_equal(program->symbols[1].space, isa->code_space);
	buf_init(&listing);
	asm_listing(program, &listing);
	assert_non_null(strstr(buf_text(&listing), "Table fn\n"
						   "     0  main                 nargs 0, nlocals 2, addr 0\n"
						   "     1  g                    nargs 1, nlocals 255, addr 6\n"
						   "     2  h                    nargs 3, nlocals 7, addr 7\n"));
	assert_non_null(strstr(buf_text(&listing), "  g                    0001  row of fn\n  g                    0006\n"));
	buf_fini(&listing);
	asm_program_destroy(program);
	free(messages);
	test_says(isa, &plain, "main: .func 1\n call main\n ret\n",
		  "t.asm:1:14: error: .func lacks an operand\n"
		  "    1 | main: .func 1\n"
		  "      |              ^\n"
		  "      = hint: it is written: .func n l\n");
	test_refuses(isa, &plain, "main: .func 300 0\n", "t.asm:1:13: error: 300 does not fit 8 bits (-128..255)");
	test_refuses(isa, &plain, "main: .func 1 2 3\n", "t.asm:1:17: error: .func takes no operand '3' here");
	test_refuses(isa, &plain, "main: .at 1 nowhere\n", "there is no label 'nowhere'");
	test_refuses(isa, &plain, "f: .func 1 2\nf: .func 1 2\n", "label 'f' is defined a second time");
	test_says(isa, &plain, " ret\n", "t.asm: error: there is no label 'main', where the program starts\n");
	isa_destroy(isa);
}

/* ---- Sections ---- */

static const char sections[] =
	"isa S \"sections\"\n"
	"space code : 8, size program\n"
	"space M : 8, size 0x1000\n"
	"code code\n"
	"reg pc : 16 = 0\n"
	"field t : abs\n"
	"insn ld \"1'8 t:16le\" t { jump t }\n"
	"asm { separators \" ,\" strings multiline escapes \"nrt0\\\\\"\n"
	"  number hex \"0x\" | oct \"0o\" | bin \"0b\" | dec\n"
	"  section eight in M align 8\n"
	"  section four in M\n"
	"  section two in M align 8\n"
	"  section text in M align 8\n"
	"  dq v = data 64 little in eight\n"
	"  dd v = data 32 little in four\n"
	"  dw v = data 16 little in two\n"
	"  db v = data 8 in text\n"
	"  ds s = string 8 in text\n"
	"  resd n = space 32 in four\n"
	"  .data = section M\n"
	"  .far s = section\n"
	"  .org a = org\n"
	"  define n v = equ redefine\n"
	"  let n v = equ\n"
	"  = v = equ redefine\n"
	"  include f = include once }\n";

static const AsmSegment *segment_of(const AsmProgram *program, u16 section)
{
	for (u32 i = 0; i < program->segment_count; i++)
		if (program->segments[i].section == section && program->segments[i].count)
			return &program->segments[i];
	fail_msg("no segment of section %u", section);
	return NULL;
}

static void parts_of_a_space(void **state)
{
	Isa *isa = test_isa_text("s.isa", sections, NULL, NULL);
	const char *text = " ld s\n code: w: dw 0x1234\n ld w\n s: ds \"a\\n\\\\\nb\"\n a: dq 1\n f: dd 2\n r: resd 2\n b: dq f\n"
			   " d: db 3\n x: dw code\n ld d\n";
	char *messages;
	AsmProgram *program = test_assemble(isa, &plain, text, strlen(text), &messages);
	const AsmSegment *segment;

	(void)state;
	assert_string_equal(messages, "");
	segment = segment_of(program, ISA_NONE); /* code: s, w, d, and the label `code` stays there */
	assert_int_equal(segment->cells[1], 0x28);
	assert_int_equal(segment->cells[4], 0x20);
	assert_int_equal(segment->cells[7], 0x2D);
	segment = segment_of(program, 0);
	assert_int_equal(segment->origin, 0);
	assert_int_equal(segment->count, 16);
	assert_int_equal(segment->cells[8], 0x10);
	segment = segment_of(program, 1);
	assert_int_equal(segment->origin, 0x10);
	assert_int_equal(segment->count, 12);
	segment = segment_of(program, 2);
	assert_int_equal(segment->origin, 0x20);
	assert_int_equal(segment->cells[0], 0x34);
	assert_int_equal(segment->cells[2], 3); /* code is where the next instruction is */
	segment = segment_of(program, 3);
	assert_int_equal(segment->origin, 0x28);
	assert_int_equal(segment->count, 6);
	assert_int_equal(segment->cells[1], '\n');
	assert_int_equal(segment->cells[3], '\n');
	assert_int_equal(program->lines[3].line, 4);
	assert_int_equal(program->lines[4].line, 6); /* the string took two */
	asm_program_destroy(program);
	free(messages);
	/* They stand behind what is in the space itself. */
	text = ".data\n.org 5\n .far four\n dd 1\n";
	program = test_assemble(isa, &plain, text, strlen(text), &messages);
	assert_string_equal(messages, "");
	assert_int_equal(segment_of(program, 1)->origin, 8);
	asm_program_destroy(program);
	free(messages);
	test_refuses(isa, &plain, ".far four\n.org 7\n dd 1\n", "a section stands behind the one before it");
	test_refuses(isa, &plain, ".far five\n", "there is no space 'five'");
	test_refuses(isa, &plain, " resd 1025\n", "this runs past the end of 'M'");
	test_refuses(isa, &plain, " resd 0xFFFFFFFFFFFF\n", "more than 16777216 cells");
	test_refuses(isa, &plain, " resd -1\n", "resd wants 0 or more, not -1");
	test_refuses(isa, &plain, "x: ds \"a\"\n ds \"never\n dq 1\n dq\n", "t.asm:2:5: error: this string has no closing");
	test_refuses(isa, &plain, "a: resd b-a+1\nb: dd 1\n", "has more than");
	isa_destroy(isa);
}

static char *read_file(void *ctx, const char *name, size_t *len)
{
	const char *text = "c: dq 1\n include \"other\"\n include \"t.asm\"\n";

	++*(int *)ctx;
	if (strcmp(name, "other") && strcmp(name, "one"))
		return NULL;
	*len = strcmp(name, "other") ? strlen(text) : 0;
	return strdup(text);
}

static void said_twice(void **state)
{
	Isa *isa = test_isa_text("s.isa", sections, NULL, NULL);
	int reads = 0;
	AsmOptions options = {.read_file = read_file, .ctx = &reads};

	(void)state;
	/* The last definition counts, everywhere. */
	WORDS(isa, &plain, " define N 5\n dq N\n define N 0o17\n dq N, 0b11\n", 15, 0, 0, 0, 0, 0, 0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 3, 0,
	      0, 0, 0, 0, 0, 0);
	WORDS(isa, &plain, " N = 1\n N = 2\n db N-3\n", 255);
	test_refuses(isa, &plain, " let N 5\n let N 6\n", "label 'N' is defined a second time");
	test_refuses(isa, &plain, "N: db 1\n define N 6\n", "label 'N' is defined a second time");
	test_refuses(isa, &plain, " define N N+1\n dq N\n", "N");
	WORDS(isa, &options, " include \"one\"\n include \"other\"\n include \"one\"\n", 1, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(reads, 2);
	isa_destroy(isa);
}

/* ---- Descriptions ---- */

static void descriptions_are_checked(void **state)
{
	static const struct { const char *text, *says; } bad[] = {
		{".f a = row fn a", "a row of 'fn' has 2 columns"},
		{".f a = row fn a . 3", "a row of 'fn' has 2 columns"},
		{".f a = row fx a .", "there is no table 'fx'"},
		{".f a = row", "there is no table ''"},
		{".f a = row fn b .", "'b' is no operand of '.f'"},
		{"section x in Q", "there is no space 'Q'"},
		{"section x in M align 0", "an alignment is a number from 1"},
		{"section x in M\nsection x in M", "section 'x' is declared twice"},
		{"db v = data 8 in nowhere", "there is no section 'nowhere'"},
		{".text = section nowhere", "names a space 'nowhere' that does not exist"},
		{".f x = data 8\n.f x = data 16", "directive '.f' is described twice"},
		{".f x = float 16", "'.f' needs 32 or 64 bits"},
		{".f x = data 8 redefine", "'redefine' means nothing here"},
	};

	(void)state;
	for (u32 i = 0; i < COUNT_OF(bad); i++) {
		char text[512];
		DiagList diags;
		Buf buf;

		snprintf(text, sizeof(text), "isa T \"t\"\nspace M : 8 x 256\ncode M\ntable fn : a 8, b 8\nreg pc : 8\n"
					     "field k : unsigned\ninsn NOP \"0'8 k:8\" k { jump fn.a[k] }\nasm {\n%s\n}\n", bad[i].text);
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
		cmocka_unit_test(rows),
		cmocka_unit_test(parts_of_a_space),
		cmocka_unit_test(said_twice),
		cmocka_unit_test(descriptions_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
