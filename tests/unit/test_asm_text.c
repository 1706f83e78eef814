/* SPDX-License-Identifier: MIT
 *
 * What dialects can differ in, on a machine made for it (asm_toy.h): expressions, operands of every kind, forms of
 * several lengths, directives, sections, includes, pseudo-instructions, and the messages about all of them.
 */
#include "asm_testing.h"
#include "asm_toy.h"

static Isa *toy;
static const AsmOptions gnu = {.dialect = 0}, dot = {.dialect = 1}, six = {.dialect = 2};

#define GNU(text, ...) WORDS(toy, &gnu, text, __VA_ARGS__)
#define DOT(text, ...) WORDS(toy, &dot, text, __VA_ARGS__)
#define SIX(text, ...) WORDS(toy, &six, text, __VA_ARGS__)
#define REFUSES(text, part) test_refuses(toy, &gnu, text, part)

/* ---- Expressions ---- */

static void operators(void **state)
{
	(void)state;
	GNU(" .byte 1+2*3, (1+2)*3, -5, ~0 & 0xF, 7/2, 7%4, 1<<4|1, 0xF0>>4, 6^3, 10-3-2, 2*3%4, +4, - -4", 7, 9, 0xFB, 15, 3,
	    3, 17, 15, 5, 5, 2, 4, 4);
	GNU(" .byte 1|2^3&1<<1, 8>>1+1, -7>>1, 'a', '\\n', '\\\\'", 1, 2, 0xFC, 'a', '\n', '\\');
	GNU(" .word 0x12345678, 0b101, -1", 0x78, 0x56, 0x34, 0x12, 5, 0, 0, 0, 255, 255, 255, 255);
	GNU(" .quad 0xFFFFFFFFFFFFFFFF, -9223372036854775807-1", 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0,
	    128);
	GNU(" .byte (-9223372036854775807-1)/-1 & 1, (-9223372036854775807-1)%-1, 1<<64, 1<<-1", 0, 0, 0, 0);
	GNU("a: .byte . - a, b - a, (b-a)*2\nb: .byte .-b, *-b", 0, 3, 6, 0, 0);
	REFUSES(" .byte 1/0", "division by zero");
	REFUSES("a: .byte 5%(a-a)", "division by zero");
	REFUSES(" .byte 5 +", "a number or a label is missing here");
	REFUSES(" .byte (5", "')' is missing here");
	REFUSES(" .byte 5)", "',' is expected before ')'");
	REFUSES(" .byte r1", "a number or a label is expected, not 'r1'");
	REFUSES(" .byte 0x1FFFFFFFFFFFFFFFF", "this number has more than 64 bits");
	REFUSES(" .byte 12ab", "'12ab' is no number");
	REFUSES(" .byte x", "there is no label 'x'");
	SIX(" .byte <$1234, >$1234, %101, $fF, 10", 0x34, 0x12, 5, 255, 10);
	/* Where blanks separate, an operator behind a blank begins the next operand, except in parentheses. */
	DOT(".b #3 -#1\n.b #3-#1\n.b (#3 - #1)\n.b #1+ #2", 3, 255, 2, 2, 3);
	DOT(".b 0FFh 1h\n.b #10", 255, 1, 10);
}

static void depth_is_limited(void **state)
{
	enum { DEEP = 20000 };
	static const struct { const char *open, *close; } kinds[] = {{"(", ")"}, {"-", ""}, {"~", ""}, {"1+(", ")"}};
	char *text = malloc(4 * DEEP + 100);

	(void)state;
	for (u32 k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		size_t n = (size_t)sprintf(text, " .byte ");

		for (u32 i = 0; i < DEEP / 2; i++)
			n += (size_t)sprintf(text + n, "%s", kinds[k].open);
		n += (size_t)sprintf(text + n, "1");
		for (u32 i = 0; i < DEEP / 2; i++)
			n += (size_t)sprintf(text + n, "%s", kinds[k].close);
		REFUSES(text, "this expression is nested deeper than 200 levels");
	}
	free(text);
	GNU(" .byte ((((((((((((((((((((1))))))))))))))))))))", 1);
}

/* ---- Operands ---- */

static void registers(void **state)
{
	(void)state;
	GNU(" mov r0, r6\n mov sp, r7\n ld r1, -4(sp)\n ld r1, (2+2)(r7)", 0x10, 0xC0, 0x1E, 0xE0, 0x92, 0xE0, 0xFC, 0x92, 0xE0,
	    4);
	GNU(" nz r4, 1\n nz sp, 255", 0x80, 1, 0x8C, 255);
	REFUSES(" mov r0, r8", "'r8' is not a register (r0..sp)");
	REFUSES(" nz r3, 1", "'r3' is not a register (r4..sp)");
	REFUSES(" mov R0, r1", "'R0' is not a register (r0..sp)");
	REFUSES(" li r1, r2", "'r2' is not a number");
	REFUSES(" ld r1, 5(sp", "')' is missing here");
	REFUSES(" ld r1, 5", "'(' is missing here");
	REFUSES("r1: nop", "'r1' is a register, so it can't be a label");
	DOT(" MOV %R0 %SP\n mov %r7 %sp", 0x10, 0xE0, 0x1E, 0xE0);
	test_refuses(toy, &dot, " mov r0 %r1", "'r0' is not a register (%r0..%sp)");
	test_refuses(toy, &dot, " mov %r0, %r1", "operands are separated by blanks here, not by commas");
}

static void enums_and_lists(void **state)
{
	(void)state;
	GNU(" cmp r1\n cmp r1, eq\n cmp r1, ne\n cmp r1, lt\n cmp r1, 3", 0x52, 0, 0x52, 0, 0x52, 0x40, 0x52, 0x80, 0x52,
	    0xC0);
	REFUSES(" cmp r1, gt", "'gt' is not one of eq, ne, lt");
	REFUSES(" cmp r1, 4", "4 does not fit 'm', 2 bits unsigned (0..3)");
	REFUSES(" cmp r1,", "one of eq, ne, lt is missing here");
	GNU(" push {r0, r2-r4, sp}\n push {}\n push {r0-r7}\n push {sp}", 0x60, 0x9D, 0x60, 0, 0x60, 0xFF, 0x60, 0x80);
	DOT(" push {%r0 %r2}", 0x60, 5);
	REFUSES(" push {r0", "a list of registers such as {a, b-c} is missing here");
	REFUSES(" push {r3-r1}", "is not a list of registers");
	REFUSES(" push r0", "'r0' is not a list of registers");
}

static void letters_and_aliases(void **state)
{
	(void)state;
	GNU(" li r1, 2\n lis r1, 2\n zero r3\n clear r3\n ret\n inc r2", 0x22, 2, 0x23, 2, 0x26, 0, 0x26, 0, 0x10, 0xE0, 0x75,
	    1);
	REFUSES(" lix r1, 2", "there is no instruction 'lix'");
}

static void ranges(void **state)
{
	(void)state;
	GNU(" li r0, -128\n li r0, 127\n even 254\n hi r1, 0x7F00\n hi r1, -0x8000\n big4 0xFFFFFF", 0x20, 0x80, 0x20, 0x7F, 0x61,
	    0xFE, 0x72, 0x7F, 0x72, 0x80, 0x62, 0xFF, 0xFF, 0xFF);
	test_says(toy, &gnu, " li r0, 200\n",
		  "t.asm:1:9: error: 200 does not fit 'i', 8 bits signed (-128..127)\n"
		  "    1 |  li r0, 200\n"
		  "      |         ^~~\n"
		  "      = hint: as 8 bits, 200 would mean -56\n");
	REFUSES(" even 5", "5 must be a multiple of 2");
	REFUSES(" even 256", "256 does not fit 'u', 8 bits unsigned (0..254)");
	REFUSES(" hi r1, 0x1234", "4660 must be a multiple of 256");
	REFUSES(" hi r1, 0x8000", "32768 does not fit 'i', 16 bits signed (-32768..32512)");
	REFUSES(" nz r4, 0", "nz does not exist with these operands (its `when` is not met)");
	REFUSES(" big4 -1", "-1 does not fit 'u', 24 bits unsigned");
}

static void targets(void **state)
{
	(void)state;
	/* A number is the target here; w counts in pairs of bytes from the next instruction. */
	GNU("a: nop\n nop\n jmp a\n jmp 0\n bw a\n bw 12+a", 0, 0, 0x30, 0xFE, 0x30, 0xFC, 0x32, 0xFC, 0x32, 1);
	REFUSES(" nop\n bw 0", "'0' is not a multiple of 2 bytes away");
	REFUSES("a: .space 300\n bw a", "label 'a' is -302 bytes away; bw reaches -256..254");
}

/* ---- Forms ---- */

static void shortest_form(void **state)
{
	(void)state;
	GNU(" lda 0x12\n lda 0x1234\n lda (0x12)\n lda 0x12, A", 0x40, 0x12, 0x41, 0x34, 0x12, 0x42, 0x12, 0x43, 0x12, 0);
	GNU(" lda b\n lda a\n lda c\na: nop\nb: nop\n .equ c, 5", 0x40, 7, 0x40, 6, 0x40, 5, 0, 0);
	REFUSES(" lda (0x1234)", "4660 does not fit 'z', 8 bits unsigned (0..255)");
	REFUSES(" lda 0x10000", "65536 does not fit 'q', 16 bits unsigned (0..65535)");
	REFUSES(" lda nowhere", "there is no label 'nowhere'");
	REFUSES(" lda (5", "')' is missing here");
}

/* Jumps that just reach, and whose growth makes others grow. */
static void relaxation(void **state)
{
	static const char text[] = "a: jmp b\n .space 122\n jmp c\n .space 1\nb: .space 120\n jmp a\nc: nop\n";
	char *messages;
	AsmProgram *program = test_assemble(toy, &gnu, text, strlen(text), &messages);

	(void)state;
	assert_string_equal(messages, "");
	/* a->b: 2+122+2+1 = 127 fits; a's jump stays short; b-120..: the jump back is 247 away: long. */
	assert_int_equal(program->segments[0].cells[0], 0x30);
	assert_int_equal(program->segments[0].cells[1], 127);
	assert_int_equal(program->segments[0].cells[124], 0x30);
	assert_int_equal(program->segments[0].cells[125], 126);
	assert_int_equal(program->segments[0].cells[247], 0x31);
	assert_int_equal(program->symbols[2].value, 250);
	asm_program_destroy(program);
	free(messages);
}

static void relaxation_chain(void **state)
{
	enum { JUMPS = 300 };
	char *text = malloc(JUMPS * 64), *messages;
	AsmProgram *program;
	size_t n = 0;

	(void)state;
	for (u32 i = 0; i < JUMPS; i++)
		n += (size_t)sprintf(text + n, "l%u: jmp l%u\n", i, i + 50 < JUMPS ? i + 50 : 0);
	program = test_assemble(toy, &gnu, text, n, &messages);
	assert_string_equal(messages, "");
	/* Every jump lands where it says. */
	for (u32 i = 0; i < JUMPS; i++) {
		u64 at = program->symbols[i].value, to = program->symbols[i + 50 < JUMPS ? i + 50 : 0].value;
		const u64 *cells = program->segments[0].cells + at;
		i64 distance = cells[0] == 0x30 ? (i8)cells[1] : (i16)(cells[1] | cells[2] << 8);

		assert_int_equal(at + (u64)distance, to);
	}
	asm_program_destroy(program);
	free(messages);
	free(text);
}

static void does_not_settle(void **state)
{
	(void)state;
	REFUSES("a: .space 3+b-a\nb: nop", "the value of 'b' depends on itself and does not settle");
	REFUSES(" .equ a, b\n .equ b, a\n li r1, a", "'b' has no value: it depends on itself");
	test_refuses(toy, &six, "a = a + 1", "'a' has no value: it depends on itself");
}

/* ---- Directives ---- */

static void data(void **state)
{
	(void)state;
	GNU(" .byte -128, 255, \"ab\", 'c'\n .half 0x1234\n .2byte -2", 128, 255, 'a', 'b', 'c', 0x34, 0x12, 0xFE, 0xFF);
	GNU(" .ascii \"ab\"\n .asciz \"a\", \"b\"\n .string \"\\x41\\102\\0\\e\"", 'a', 'b', 'a', 0, 'b', 0, 'A', 'B', 0, 27, 0);
	GNU(" .byte \"\"\n .byte 1", 1);
	REFUSES(" .byte 256", "256 does not fit 8 bits (-128..255)");
	REFUSES(" .byte -129", "-129 does not fit 8 bits (-128..255)");
	REFUSES(" .byte", ".byte lacks its operand");
	REFUSES(" .byte 1,", "an operand is missing behind the ','");
	REFUSES(" .byte 1 2", "',' is expected before '2'");
	REFUSES(" .ascii 5", ".ascii takes a string in \", not '5'");
	REFUSES(" .ascii \"a", "this string has no closing \"");
	REFUSES(" .ascii \"a\\q\"", "'\\q' is no escape of this dialect");
	DOT(".w #258\n.wl #258\n.s 'a;\\q' ; c\n.s2 'A'", 2, 1, 2, 1, 'a', ';', 'q', 0, 'A', 0);
	/* The other space is big-endian. */
	DOT(".ro\n.w #258\n.wl #258", 1, 2, 2, 1);
}

static void places(void **state)
{
	(void)state;
	GNU(" .byte 1\n .balign 4\n .byte 2\n .space 2\n .balign 1\n .space 2, 7\n .byte .", 1, 0, 0, 0, 2, 0, 0, 7, 7, 9);
	GNU(" .balign 8, 0xEE\n .byte 1\n .balign 4, 0xEE", 1, 0xEE, 0xEE, 0xEE);
	REFUSES(" .balign 0", ".balign wants a number above 0, not 0");
	REFUSES(" .space -1", ".space wants 0 or more, not -1");
	REFUSES(" .space nowhere", "there is no label 'nowhere'");
	REFUSES(" .org 0xFFFE\n .byte 1, 2, 3", "this runs past the end of 'mem' (0x10000 cells)");
	REFUSES(" .org 0x10000", "address 0x10000 is outside of 'mem' (0x10000 cells)");
	REFUSES(" .space 0x7fffffffffffffff", "the program has more than 16777216 cells");
	SIX("* = 5\n .byte *\n* = *+2\n .byte *", 5, 8);
	GNU(" nop\n .end\n this is not read", 0);
}

static void constants(void **state)
{
	(void)state;
	GNU(" .equ x, 5\n .set y, x*2\n .byte x, y, z\nz: .equ 7", 5, 10, 7);
	SIX("x = $10\ny=x+2\n .byte x, y, late\nlate = y", 16, 18, 18);
	REFUSES(" .equ x, 1\n .equ x, 2", "label 'x' is defined a second time");
	REFUSES(" .equ 5, 2", "the name of the constant is expected, not '5'");
	REFUSES(" .equ x", ".equ lacks its operand");
}

static void labels(void **state)
{
	(void)state;
	GNU("x: y: z: nop\n .byte x, y, z, end\nend:", 0, 0, 0, 0, 5);
	GNU("addi: addi r1, 2\n jmp addi\n nop; nop", 0x73, 2, 0x30, 0xFE, 0, 0);
	REFUSES("a: nop\na: nop", "label 'a' is defined a second time");
	REFUSES("foo", "there is no instruction 'foo'");
	REFUSES("foo", "a label ends with ':'");
	REFUSES("NOP", "there is no instruction 'NOP'");
	REFUSES("A: .byte a", "there is no label 'a'");
	test_says(toy, &dot, "b\na: nop\n jmp a",
		  "t.asm:3:6: error: labels are written with '@' in front here\n"
		  "    3 |  jmp a\n"
		  "      |      ^\n"
		  "      = hint: write @a\n");
	DOT("a .b @a\nb: .b @B", 16, 17);
}

static void sections(void **state)
{
	static const char text[] = "nop\n.ro\ns: .s 'hi'\n.co\nnop\n.in ro\nt: .s '!'\n.co\nli %r1 @t\n.start @s\n";
	char *messages;
	AsmProgram *program = test_assemble(toy, &dot, text, strlen(text), &messages);

	(void)state;
	assert_string_equal(messages, "");
	assert_int_equal(program->segment_count, 2);
	assert_int_equal(program->segments[0].space, 0);
	assert_int_equal(program->segments[0].origin, 16);
	assert_int_equal(program->segments[0].count, 4);
	assert_int_equal(program->segments[1].space, 1);
	assert_int_equal(program->segments[1].origin, 0);
	assert_int_equal(program->segments[1].count, 5);
	assert_int_equal(program->symbols[1].value, 3);
	assert_int_equal(program->symbols[1].space, 1);
	assert_int_equal(program->segments[0].cells[3], 3);
	assert_true(program->has_entry);
	assert_int_equal(program->entry, 0);
	asm_program_destroy(program);
	free(messages);
	test_refuses(toy, &dot, ".in nowhere", "there is no space 'nowhere' in this machine");
	test_refuses(toy, &dot, ".in", ".in wants the name of a space");
	test_refuses(toy, &dot, ".ro #5", ".ro takes no operand");
}

/* ---- Includes ---- */

static char *read_file(void *ctx, const char *name, size_t *len)
{
	static const struct { const char *name, *text; } files[] = {
		{"one", "in: nop\n .byte 7"}, {"self", " .byte 1\n .include \"self\"\n"},
		{"twice", " .include \"two\"\n .include \"two\"\n"}, {"two", " .include \"three\"\n .include \"three\"\n"},
		{"three", " .include \"two\"\n"}, {"wrong", "\n\n foo\n"}, {"ends", " .byte 9\n .end\n .byte 8\n"},
	};

	(void)ctx;
	for (u32 i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!strcmp(files[i].name, name)) {
			*len = strlen(files[i].text);
			return strdup(files[i].text);
		}
	return NULL;
}

static void includes(void **state)
{
	AsmOptions with = {.dialect = 0, .read_file = read_file};

	(void)state;
	WORDS(toy, &with, " .byte 1\n .include \"one\"\n .byte in, 2\n", 1, 0, 7, 1, 2);
	WORDS(toy, &with, " .include \"ends\"\n .byte 2\n", 9, 2);
	test_refuses(toy, &with, " .include \"none\"\n", "the file 'none' can't be read");
	test_refuses(toy, &with, " .include none\n", "the name of the file is expected here");
	test_refuses(toy, &with, " .include \"self\"\n", "includes are nested deeper than 16");
	test_refuses(toy, &with, " .include \"twice\"\n", "includes are nested deeper than 16");
	test_says(toy, &with, " nop\n .include \"wrong\"\n",
		  "wrong:3:2: error: there is no instruction 'foo'\n"
		  "    3 |  foo\n"
		  "      |  ^~~\n"
		  "      = hint: a label ends with ':'\n");
	REFUSES(" .include \"one\"\n", "files can't be included here");
}

/* ---- Pseudo-instructions ---- */

static void pseudos(void **state)
{
	(void)state;
	GNU(" near r1, -128\n near r1, 127\n near r1, 128\n near r1, 0x7FFF-128\n near r1, -3000", 0x22, 0x80, 0x22, 0x7F, 0x72,
	    1, 0x73, 0x80, 0x72, 0x7F, 0x73, 0x7F, 0x72, 0xF4, 0x73, 0x48);
	GNU(" two r1\n test r1, ne\n test r1, 2\n ldx r1, 4(sp)", 0, 0x12, 0x20, 0, 0x52, 0x40, 0, 0x52, 0x80, 0, 0x92, 0xE0, 4,
	    0);
	GNU(" deep r1, 5000", 0x22, 1, 0x73, 3, 0x73, 0, 0x73, 0);
	GNU(" nop\n nop\n here r1, q\nq: nop", 0, 0, 0x22, 6, 0x22, 4, 0);
	/* The expansion grows when the label turns out to be far. */
	GNU(" near r1, q\n .org 0x1234\nq: nop", 0x72, 0x12, 0x73, 0x34, 0);
	GNU(" near r1, q\nq: nop", 0x22, 2, 0);
	test_says(toy, &gnu, " here r1, 100*100\n",
		  "t.asm:1:2: error: in what 'here' stands for: 1808 does not fit 'i', 8 bits signed (-128..127)\n"
		  "    1 |  here r1, 100*100\n"
		  "      |  ^~~~\n");
	REFUSES(" near r1, nowhere", "t.asm:1:11: error: there is no label 'nowhere'");
	REFUSES(" near r1, 1/0", "division by zero");
	REFUSES(" near r1", "',' is missing here");
	REFUSES(" near", "an operand is missing here");
	REFUSES(" ldx r1, r2", "'(' is missing here");
	REFUSES(" loopy r1", "in what 'loopy' stands for: the expansion does not end");
	REFUSES(" tree r1", "in what 'tree' stands for: the expansion does not end");
	REFUSES(" bad r1", "in what 'bad' stands for: there is no instruction 'foo'");
	REFUSES(" worse r1", "in what 'worse' stands for: '(' is expected after if");
	REFUSES(" far r1, 1000", "in what 'far' stands for: a function is expected, not 'lo8'");
}

static void checked_pseudos(void **state)
{
	static const struct { const char *name, *message; } expected[] = {
		{"far", "pseudo 'far': a function is expected, not 'lo8'"},
		{"bad", "pseudo 'bad': there is no instruction 'foo'"},
		{"bad", "pseudo 'bad': ',' is missing here"},
		{"worse", "pseudo 'worse': '(' is expected after if"},
		{"lone", "pseudo 'lone': there is no instruction 'foo'"},
		{"lone", "pseudo 'lone': 'else' has no 'if'"},
	};
	u32 seen = 0;

	(void)state;
	for (u32 i = 0; i < toy->pseudo_count; i++) {
		DiagList diags;

		diag_init(&diags);
		asm_check_pseudo(toy, &toy->pseudos[i], &diags);
		assert_int_equal(diags.errors, 0);
		for (u32 k = 0; k < diags.count; k++, seen++) {
			assert_true(seen < sizeof(expected) / sizeof(expected[0]));
			assert_string_equal(diags.items[k].message, expected[seen].message);
			assert_string_equal(toy->pseudos[i].mnemonic, expected[seen].name);
			assert_int_not_equal(diags.items[k].line, 0);
		}
		diag_fini(&diags);
	}
	assert_int_equal(seen, sizeof(expected) / sizeof(expected[0]));
}

static int load(void **state)
{
	(void)state;
	toy = test_isa_text("toy.isa", toy_isa, NULL, NULL);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	isa_destroy(toy);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operators),	    cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(registers),	    cmocka_unit_test(enums_and_lists),
		cmocka_unit_test(letters_and_aliases), cmocka_unit_test(ranges),
		cmocka_unit_test(targets),	    cmocka_unit_test(shortest_form),
		cmocka_unit_test(relaxation),	    cmocka_unit_test(relaxation_chain),
		cmocka_unit_test(does_not_settle),  cmocka_unit_test(data),
		cmocka_unit_test(places),	    cmocka_unit_test(constants),
		cmocka_unit_test(labels),	    cmocka_unit_test(sections),
		cmocka_unit_test(includes),	    cmocka_unit_test(pseudos),
		cmocka_unit_test(checked_pseudos),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
