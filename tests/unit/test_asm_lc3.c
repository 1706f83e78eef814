/* SPDX-License-Identifier: MIT
 *
 * Both LC-3 dialects, rule by rule (docs: what lc3tools and lc3as accept), with the messages as the user sees them.
 */
#include "asm_testing.h"

static Isa *lc3;
static const AsmOptions tools = {.dialect = 0}, classic = {.dialect = 1}, liberal = {.dialect = 0, .liberal = true};

#define TOOLS(text, ...) WORDS(lc3, &tools, ".ORIG x3000\n" text "\n.END\n", __VA_ARGS__)
#define CLASSIC(text, ...) WORDS(lc3, &classic, ".ORIG x3000\n" text "\n.END\n", __VA_ARGS__)
#define TOOLS_REFUSES(text, part) test_refuses(lc3, &tools, ".ORIG x3000\n" text "\n.END\n", part)
#define CLASSIC_REFUSES(text, part) test_refuses(lc3, &classic, ".ORIG x3000\n" text "\n.END\n", part)

/* ---- Programs whose words were checked against the original tools ---- */

static const char e1[] =
	"        .ORIG x3000\n"
	"        LD   R2, TEN\n"
	"LOOP    ADD  R0, R2, #0\n"
	"        JSR  DIGIT\n"
	"        OUT\n"
	"        ADD  R2, R2, #-1\n"
	"        BRzp LOOP\n"
	"        LEA  R0, NL\n"
	"        PUTS\n"
	"        HALT\n"
	"DIGIT   LD   R1, ZERO\n"
	"        ADD  R0, R0, R1\n"
	"        RET\n"
	"TEN     .FILL #9\n"
	"ZERO    .FILL x30\n"
	"NL      .STRINGZ \"\\n\"\n"
	"        .END\n";
#define E1_WORDS                                                                                            \
	0x240B, 0x10A0, 0x4806, 0xF021, 0x14BF, 0x07FB, 0xE007, 0xF022, 0xF025, 0x2203, 0x1001, 0xC1C0, 9,    \
		0x30, 10, 0

static void countdown(void **state)
{
	(void)state;
	WORDS(lc3, &tools, e1, E1_WORDS);
	WORDS(lc3, &classic, e1, E1_WORDS);
}

static void patched(void **state)
{
	static const char text[] =
		"        .ORIG x3000\n        LEA  R0, MSG\n        PUTSP\n        LEA  R0, MSG2\n        PUTS\n"
		"        LD   R3, W\n        ST   R3, PATCH\nPATCH   .FILL x0000\n        ST   R4, RES\n"
		"        LD   R5, RES\n        HALT\nW       .FILL x1967     ; ADD R4,R5,#7\nRES     .BLKW 1\n"
		"MSG     .FILL x6548\n        .FILL x796C\n        .FILL x0000\nMSG2    .STRINGZ \"\\t<tab>\\n\"\n"
		"        .END\n";

	(void)state;
	WORDS(lc3, &tools, text, 0xE00B, 0xF024, 0xE00C, 0xF022, 0x2605, 0x3600, 0, 0x3803, 0x2A02, 0xF025, 0x1967, 0,
	      0x6548, 0x796C, 0, '\t', '<', 't', 'a', 'b', '>', '\n', 0);
}

static void condition_codes(void **state)
{
	static const char text[] =
		"        .ORIG x3000\n        AND  R0, R0, #0\n        ADD  R0, R0, #-1\n        LEA  R1, X\n"
		"        BRn  NEG\n        LEA  R0, SP\n        PUTS\n        HALT\nNEG     LEA  R0, SN\n        PUTS\n"
		"        GETC\n        OUT\n        IN\n        HALT\nX       .FILL 0\nSN      .STRINGZ \"cc kept \"\n"
		"SP      .STRINGZ \"cc set \"\n        .END\n";

	(void)state;
	WORDS(lc3, &tools, text, 0x5020, 0x103F, 0xE20A, 0x0803, 0xE012, 0xF022, 0xF025, 0xE006, 0xF022, 0xF020, 0xF021,
	      0xF023, 0xF025, 0, 'c', 'c', ' ', 'k', 'e', 'p', 't', ' ', 0, 'c', 'c', ' ', 's', 'e', 't', ' ', 0);
}

static void keyboard_interrupt(void **state)
{
	static const char text[] =
		".ORIG x0800\nLD R0, H\nLD R1, V\nSTR R0, R1, #0\nADD R6, R6, #-2\nLD R0, PSR\nSTR R0, R6, #1\n"
		"LD R0, PC\nSTR R0, R6, #0\nLD R0, IE\nSTI R0, KBSR\nRTI\nH .FILL x1000\nV .FILL x0180\nPSR .FILL x8002\n"
		"PC .FILL x3000\nIE .FILL x4000\nKBSR .FILL xFE00\n.END\n"
		".ORIG x1000\nLDI R0, KBDR\nSTI R0, DDR\nAND R5, R5, #0\nADD R5, R5, #1\nRTI\nKBDR .FILL xFE02\n"
		"DDR .FILL xFE06\n.END\n"
		".ORIG x3000\nAND R5, R5, #0\nW ADD R5, R5, #0\nBRz W\nHALT\n.END\n";
	char *messages;
	AsmProgram *program = test_assemble(lc3, &tools, text, strlen(text), &messages);

	(void)state;
	assert_string_equal(messages, "");
	assert_int_equal(program->segment_count, 3);
	assert_int_equal(program->segments[0].origin, 0x800);
	assert_int_equal(program->segments[1].origin, 0x1000);
	assert_int_equal(program->segments[2].origin, 0x3000);
	assert_false(program->has_entry);
	assert_int_equal(program->entry, 0x800);
	free(messages);
	asm_program_destroy(program);
	WORDS(lc3, &tools, text, 0x200A, 0x220A, 0x7040, 0x1DBE, 0x2008, 0x7181, 0x2007, 0x7180, 0x2006, 0xB006, 0x8000,
	      0x1000, 0x0180, 0x8002, 0x3000, 0x4000, 0xFE00, 0xA004, 0xB004, 0x5B60, 0x1B61, 0x8000, 0xFE02, 0xFE06, 0x5B60,
	      0x1B60, 0x05FE, 0xF025);
}

/* ---- lc3tools ---- */

static void tools_line_ends(void **state)
{
	(void)state;
	WORDS(lc3, &tools, ".ORIG x3000\r\nADD R0, R0, #1\r\n.END\r\n", 0x1021);
	WORDS(lc3, &tools, ".ORIG x3000\rADD R0, R0, #1\r.END\r", 0x1021);
	WORDS(lc3, &tools, ".ORIG x3000\nADD R0, R0, #1\n.END", 0x1021);
	/* Places are right with every kind. */
	test_says(lc3, &tools, ".ORIG x3000\r\n FOO R1\r\n.END\r\n",
		  "t.asm:2:2: error: there is no instruction 'FOO'\n    2 |  FOO R1\n      |  ^~~\n");
	test_says(lc3, &tools, ".ORIG x3000\r FOO R1\r.END\r",
		  "t.asm:2:2: error: there is no instruction 'FOO'\n    2 |  FOO R1\n      |  ^~~\n");
}

static void tools_separators(void **state)
{
	(void)state;
	TOOLS("ADD R0 R0 #1\nADD R0,R0,#1\nADD\tR0:R0,,#1,", 0x1021, 0x1021, 0x1021);
	TOOLS("LOOP: ADD R0, R0, #1\nBR LOOP", 0x1021, 0x0FFE);
	TOOLS("add r0, r0, #1\nbRnZp #0\nhalt", 0x1021, 0x0E00, 0xF025);
	TOOLS("ADD R0, R0, #1;comment\n; ADD\n   ;\n", 0x1021);
}

static void tools_numbers(void **state)
{
	(void)state;
	TOOLS(".FILL #-12\n.FILL -12\n.FILL 12\n.FILL x1F\n.FILL x-1F\n.FILL b-101\n.FILL B101\n.FILL XfF", 0xFFF4, 0xFFF4, 12,
	      0x1F, 0xFFE1, 0xFFFB, 5, 0xFF);
	TOOLS(".FILL 65535\n.FILL -32768", 0xFFFF, 0x8000);
	TOOLS_REFUSES(".FILL 65536", "65536 does not fit 16 bits (-32768..65535)");
	TOOLS_REFUSES(".FILL -32769", "-32769 does not fit 16 bits (-32768..65535)");
	TOOLS_REFUSES(".FILL -x1F", "there is no label '-x1F'\n");
	TOOLS_REFUSES(".FILL -x1F", "the sign of a number stands behind its prefix");
	test_says(lc3, &tools, ".ORIG x3000\n.FILL 0x1F\n.END\n",
		  "t.asm:2:7: error: '0x1F' is no number\n"
		  "    2 | .FILL 0x1F\n"
		  "      |       ^~~~\n"
		  "      = hint: numbers are written #10, x1F, b101 or 10\n");
	TOOLS_REFUSES("ADD R0,R0,0b11", "'0b11' is no number");
	TOOLS_REFUSES(".FILL 99999999999999999999", "this number has more than 64 bits");
	WORDS(lc3, &liberal, ".ORIG x3000\n.FILL 0x1F\n.FILL 0b11\n.END\n", 0x1F, 3);
}

static void tools_labels(void **state)
{
	(void)state;
	TOOLS("BAD .FILL BAD\nmy-label+1 .FILL MY-LABEL+1\nA_1.x .FILL a_1.X", 0x3000, 0x3001, 0x3002);
	TOOLS("ALONE\nALSO\n.FILL ALONE\n.FILL ALSO\nLAST", 0x3000, 0x3000);
	TOOLS("PC .FILL PC\ncycles .FILL CYCLES", 0x3000, 0x3001);
	TOOLS_REFUSES("x1 .FILL 1", "'x1' is a number, so it can't be a label");
	TOOLS_REFUSES("b101 .FILL 1", "'b101' is a number, so it can't be a label");
	TOOLS_REFUSES("12 .FILL 1", "'12' is a number, so it can't be a label");
	TOOLS_REFUSES("R1 .FILL 1", "'R1' is a register, so it can't be a label");
	TOOLS_REFUSES("r7 HALT", "'r7' is a register, so it can't be a label");
	TOOLS_REFUSES("9a .FILL 1", "a label or an instruction is expected, not '9a'");
	TOOLS_REFUSES("A .FILL 1\na .FILL 2", "label 'a' is defined a second time");
	TOOLS_REFUSES("A B .FILL 1", "'B' would be a second label of this line");
	TOOLS_REFUSES("ADD .FILL 1", "'.FILL' is not a register");
}

static void tools_limits(void **state)
{
	(void)state;
	TOOLS("ADD R0,R0,#15\nADD R0,R0,#-16\nLDR R1,R2,#31\nSTR R1,R2,#-32", 0x102F, 0x1030, 0x629F, 0x72A0);
	TOOLS("LD R1,#255\nLD R1,#-256\nJSR #1023\nJSR #-1024\nTRAP x00\nTRAP 255", 0x22FF, 0x2300, 0x4BFF, 0x4C00, 0xF000,
	      0xF0FF);
	TOOLS_REFUSES("ADD R0,R0,#16", "16 does not fit 'i', 5 bits signed (-16..15)");
	TOOLS_REFUSES("ADD R0,R0,#16", "hint: as 5 bits, 16 would mean -16");
	TOOLS_REFUSES("AND R0,R0,#-17", "-17 does not fit 'i', 5 bits signed (-16..15)");
	TOOLS_REFUSES("LDR R0,R0,#32", "32 does not fit 'o', 6 bits signed (-32..31)");
	TOOLS_REFUSES("STR R0,R0,#-33", "-33 does not fit 'o', 6 bits signed (-32..31)");
	TOOLS_REFUSES("LD R0,#256", "256 does not fit 't', 9 bits signed (-256..255)");
	TOOLS_REFUSES("JSR #1024", "1024 does not fit 't', 11 bits signed (-1024..1023)");
	TOOLS_REFUSES("TRAP 256", "256 does not fit 'v', 8 bits unsigned (0..255)");
	TOOLS_REFUSES("TRAP -1", "-1 does not fit 'v', 8 bits unsigned (0..255)");
	/* A number is the raw offset, a label is converted; both ends of the reach. */
	TOOLS("LD R0,FAR\n.BLKW 255\nFAR .BLKW 1", 0x20FF,
#define Z16 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
	      Z16, Z16, Z16, Z16, Z16, Z16, Z16, Z16, Z16, Z16, Z16, Z16, Z16, Z16, Z16, Z16);
	TOOLS_REFUSES("LD R0,FAR\n.BLKW 256\nFAR .FILL 0", "label 'FAR' is 256 words away; LD reaches -256..255");
	TOOLS_REFUSES("NEAR .BLKW 300\nBR NEAR", "label 'NEAR' is -301 words away; BR reaches -256..255");
}

static void tools_operands(void **state)
{
	(void)state;
	test_says(lc3, &tools, ".ORIG x3000\n    ADD R0, R0, #40\n.END\n",
		  "t.asm:2:17: error: 40 does not fit 'i', 5 bits signed (-16..15)\n"
		  "    2 |     ADD R0, R0, #40\n"
		  "      |                 ^~~\n");
	test_says(lc3, &tools, ".ORIG x3000\nADD R0, R0, R9\n.END\n",
		  "t.asm:2:13: error: 'R9' is not a register (R0..R7) or a number\n"
		  "    2 | ADD R0, R0, R9\n"
		  "      |             ^~\n"
		  "      = hint: it is written: ADD d, a, b, or: ADD d, a, i\n");
	test_says(lc3, &tools, ".ORIG x3000\nADD R0, R0\n.END\n",
		  "t.asm:2:11: error: a register (R0..R7) or a number is missing here\n"
		  "    2 | ADD R0, R0\n"
		  "      |           ^\n"
		  "      = hint: it is written: ADD d, a, b, or: ADD d, a, i\n");
	test_says(lc3, &tools, ".ORIG x3000\nADD R0, R0, R1, R2\n.END\n",
		  "t.asm:2:17: error: 'R2' is more than ADD takes\n"
		  "    2 | ADD R0, R0, R1, R2\n"
		  "      |                 ^~\n"
		  "      = hint: it is written: ADD d, a, b, or: ADD d, a, i\n");
	TOOLS_REFUSES("HALT R0", "'R0' is more than HALT takes");
	TOOLS_REFUSES("JMP LOOP", "'LOOP' is not a register (R0..R7)");
	TOOLS_REFUSES("A TRAP A", "'A' is not a number");
	TOOLS_REFUSES("LD R0", "a label or a number is missing here");
	TOOLS_REFUSES("LD R0, R1", "'R1' is not a label or a number");
	TOOLS_REFUSES("LD R0, \"x\"", "'\"x\"' is not a label or a number");
}

static void tools_mnemonics(void **state)
{
	(void)state;
	TOOLS("BR #1\nBRn #1\nBRz #1\nBRp #1\nBRnz #1\nBRnp #1\nBRzp #1\nBRnzp #1", 0x0E01, 0x0801, 0x0401, 0x0201, 0x0C01,
	      0x0A01, 0x0601, 0x0E01);
	TOOLS("NOP\nRET\nRTI\nGETC\nOUT\nPUTC\nPUTS\nIN\nPUTSP\nHALT\nJMP R3\nJSRR R4\nNOT R1,R2\nLEA R5,#0\nSTI R6,#1", 0,
	      0xC1C0, 0x8000, 0xF020, 0xF021, 0xF021, 0xF022, 0xF023, 0xF024, 0xF025, 0xC0C0, 0x4100, 0x92BF, 0xEA00, 0xBC01);
	TOOLS("NOP #1\nNOP -1\nA NOP A\nNOP xFF\nNOP A", 1, 0x01FF, 0x01FF, 0x00FF, 0x01FD); /* an offset, unused */
	TOOLS_REFUSES("NOP #256", "does not fit");
	TOOLS_REFUSES("NOP R0", "'R0' is not a label or a number");
	test_says(lc3, &tools, ".ORIG x3000\nL BRzn L\n.END\n",
		  "t.asm:2:3: error: there is no instruction 'BRzn'\n"
		  "    2 | L BRzn L\n"
		  "      |   ^~~~\n"
		  "      = hint: did you mean 'BRnz'?\n");
	TOOLS_REFUSES("BRpz #1", "there is no instruction 'BRpz'");
	TOOLS_REFUSES("ADDD R0, R0, #1", "there is no instruction 'ADDD'");
	TOOLS_REFUSES("ADDD R0, R0, #1", "did you mean 'ADD'?");
	/* By the rules this is a label, so it is only a warning. */
	test_says(lc3, &tools, ".ORIG x3000\nHALTT\n.END\n",
		  "t.asm:2:1: warning: 'HALTT' is taken as a label, which nothing uses\n"
		  "    2 | HALTT\n"
		  "      | ^~~~~\n"
		  "      = hint: did you mean 'HALT'?\n");
	test_says(lc3, &tools, ".ORIG x3000\nHALTT\n.FILL HALTT\n.END\n", "");
}

static void tools_missing_label(void **state)
{
	(void)state;
	test_says(lc3, &tools, ".ORIG x3000\nLOOP LD R0, LOP\n.END\n",
		  "t.asm:2:13: error: there is no label 'LOP'\n"
		  "    2 | LOOP LD R0, LOP\n"
		  "      |             ^~~\n"
		  "      = hint: did you mean 'LOOP'?\n");
	TOOLS_REFUSES(".FILL NOWHERE", "there is no label 'NOWHERE'");
}

static void tools_segments(void **state)
{
	(void)state;
	WORDS(lc3, &tools, ".ORIG x3000\nHALT\n.END\n.ORIG x4000\nRET\n.END\n", 0xF025, 0xC1C0);
	test_says(lc3, &tools, "HALT\nHALT\n.ORIG x3000\n.END\n",
		  "t.asm:1:1: error: this stands before the first .ORIG\n"
		  "    1 | HALT\n"
		  "      | ^~~~\n"
		  "      = hint: .ORIG says where the program begins\n");
	test_says(lc3, &tools, ".ORIG x3000\n.ORIG x4000\n.END\n",
		  "t.asm:2:1: error: '.ORIG' stands inside a segment\n"
		  "    2 | .ORIG x4000\n"
		  "      | ^~~~~\n"
		  "      = hint: close the segment above with .END\n");
	test_says(lc3, &tools, ".ORIG x3000\n.END\nHALT\n",
		  "t.asm:3:1: error: this stands behind .END, in no segment\n"
		  "    3 | HALT\n"
		  "      | ^~~~\n"
		  "      = hint: start another segment with .ORIG\n");
	test_says(lc3, &tools, ".ORIG x3000\nHALT\n",
		  "t.asm:1:1: error: this segment has no .END\n"
		  "    1 | .ORIG x3000\n"
		  "      | ^~~~~\n"
		  "      = hint: put .END behind the last statement\n");
	test_says(lc3, &tools, "",
		  "t.asm: error: there is no .ORIG in this file\n"
		  "      = hint: a program stands between .ORIG and .END\n");
	test_refuses(lc3, &tools, "A\n.ORIG x3000\n.END\n", "this stands before the first .ORIG");
	/* Found in programs that the original takes. */
	test_says(lc3, &tools, "A .ORIG x3000\nHALT\n.END\n.END\n",
		  "t.asm:1:1: warning: a label in front of .ORIG names nothing\n"
		  "    1 | A .ORIG x3000\n"
		  "      | ^\n"
		  "      = hint: put it on the line behind\n"
		  "t.asm:4:1: warning: there is no segment that .END could close\n"
		  "    4 | .END\n"
		  "      | ^~~~\n");
	test_refuses(lc3, &tools, "A .ORIG x3000\nLEA R0 A\n.END\n", "there is no label 'A'");
	test_refuses(lc3, &tools, ".END\n.ORIG x3000\n.END\n", "this stands before the first .ORIG");
	test_refuses(lc3, &tools, ".ORIG\n.END\n", ".ORIG lacks its operand");
	test_refuses(lc3, &tools, ".ORIG x10000\n.END\n", "address 0x10000 is outside of 'M'");
	test_refuses(lc3, &tools, ".ORIG -1\n.END\n", "an address is not negative");
	test_says(lc3, &tools, ".ORIG xFDFF\n.FILL 1\n.FILL 2\n.FILL 3\n.END\n",
		  "t.asm:3:1: error: nothing can stand at 0xFE00 or above: memory-mapped I/O\n"
		  "    3 | .FILL 2\n"
		  "      | ^~~~~\n");
	test_says(lc3, &tools, ".ORIG x3000\n.FILL 1\n.FILL 2\n.END\n.ORIG x3001\n.FILL 3\n.END\n",
		  "t.asm:6:1: warning: the segment at 0x3001 overlaps the one at 0x3000 (2 cells)\n"
		  "    6 | .FILL 3\n"
		  "      | ^\n");
}

static void tools_empty_segment(void **state)
{
	static const char text[] = ".ORIG x3000\n.END\n.ORIG x3005\nHALT\n.END\n";
	char *messages;
	AsmProgram *program = test_assemble(lc3, &tools, text, strlen(text), &messages);

	(void)state;
	assert_string_equal(messages, "");
	assert_int_equal(program->segment_count, 2);
	assert_int_equal(program->segments[0].origin, 0x3000);
	assert_int_equal(program->segments[0].count, 0);
	assert_int_equal(program->segments[1].origin, 0x3005);
	asm_program_destroy(program);
	free(messages);
}

static void tools_space(void **state)
{
	(void)state;
	TOOLS(".BLKW 3\n.FILL 1", 0, 0, 0, 1);
	TOOLS_REFUSES(".BLKW 0", ".BLKW wants a number above 0, not 0");
	TOOLS_REFUSES(".BLKW -1", ".BLKW wants a number above 0, not -1");
	TOOLS_REFUSES(".BLKW 65536", "this runs past the end of 'M' (0x10000 cells)");
	TOOLS_REFUSES(".BLKW", ".BLKW lacks its operand");
	TOOLS_REFUSES(".BLKW 1 2", ".BLKW takes one operand, not also '2'");
}

static void tools_strings(void **state)
{
	(void)state;
	TOOLS(".STRINGZ \"aB;c\" ; x", 'a', 'B', ';', 'c', 0);
	TOOLS(".STRINGZ \"\\n\\t\\r\\\\\\q\"", '\n', '\t', '\r', '\\', '\\', 'q', 0);
	TOOLS(".STRINGZ \"\\\"\\\"\"", '"', '"', 0);
	TOOLS(".STRINGZ \"\"\n.STRINGZ bare\n.FILL 7", 0, 'b', 'a', 'r', 'e', 0, 7);
	TOOLS_REFUSES(".STRINGZ R3", "'R3' is a register, not a string");
	TOOLS_REFUSES(".STRINGZ 12", ".STRINGZ takes a string in \", not '12'");
	TOOLS_REFUSES(".STRINGZ", ".STRINGZ lacks its operand");
	TOOLS_REFUSES(".FILL \"a\"", ".FILL takes a number or a label, not a string");
	TOOLS_REFUSES(".FILL R1", "a number or a label is expected, not 'R1'");
	/* The quote state toggles at every quote, so the line is cut at the ';' and the string ends with it. */
	test_says(lc3, &tools, ".ORIG x3000\n.STRINGZ \"a\\\"b;c\"\n.END\n",
		  "t.asm:2:15: warning: a comment begins here: a backslash does not protect a quote in this dialect\n"
		  "    2 | .STRINGZ \"a\\\"b;c\"\n"
		  "      |               ^\n"
		  "t.asm:2:10: warning: this string has no closing \": it ends with the line\n"
		  "    2 | .STRINGZ \"a\\\"b;c\"\n"
		  "      |          ^~~~~\n");
}

static void tools_directives(void **state)
{
	(void)state;
	test_says(lc3, &tools, ".ORIG x3000\n.FIL 1\n.END\n",
		  "t.asm:2:1: error: there is no directive '.FIL'\n"
		  "    2 | .FIL 1\n"
		  "      | ^~~~\n"
		  "      = hint: did you mean '.FILL'?\n");
	TOOLS_REFUSES("A .FOO 1", "there is no directive '.FOO'");
	TOOLS_REFUSES(".FILL 1 2", ".FILL takes one operand, not also '2'");
}

static void tools_liberal(void **state)
{
	(void)state;
	test_says(lc3, &liberal, ".ORIG x3000\nA .FILL 1\nA .FILL 2\n.FOO 1, 2\n.FILL A\n",
		  "t.asm:1:1: warning: this segment has no .END\n"
		  "    1 | .ORIG x3000\n"
		  "      | ^~~~~\n"
		  "      = hint: put .END behind the last statement\n"
		  "t.asm:3:1: warning: label 'A' is defined a second time; this one counts\n"
		  "    3 | A .FILL 2\n"
		  "      | ^\n"
		  "      = hint: it is defined in line 2\n"
		  "t.asm:4:1: warning: unknown directive '.FOO': one empty word\n"
		  "    4 | .FOO 1, 2\n"
		  "      | ^~~~\n");
}

static void tools_liberal_words(void **state)
{
	static const char text[] = ".ORIG x3000\nA .FILL 1\nA .FILL 2\n.FOO 1, 2\n.FILL A\n";
	char *messages;
	AsmProgram *program = test_assemble(lc3, &liberal, text, strlen(text), &messages);
	static const u64 words[] = {1, 2, 0, 0x3001};

	(void)state;
	assert_non_null(program);
	assert_int_equal(program->segments[0].count, 4);
	assert_memory_equal(program->segments[0].cells, words, sizeof(words));
	assert_int_equal(program->symbol_count, 1);
	assert_int_equal(program->symbols[0].value, 0x3001);
	asm_program_destroy(program);
	free(messages);
}

/* Mistakes of many lines come in one run, in the order of the lines, and labels of broken lines still count. */
static void many_mistakes(void **state)
{
	(void)state;
	test_says(lc3, &tools, ".ORIG x3000\nA ADD R0\nBR A\nLD R0, B\nFOO R1\nADD R0,R0,#99\n.END\n",
		  "t.asm:2:9: error: a register (R0..R7) is missing here\n"
		  "    2 | A ADD R0\n"
		  "      |         ^\n"
		  "      = hint: it is written: ADD d, a, b, or: ADD d, a, i\n"
		  "t.asm:4:8: error: there is no label 'B'\n"
		  "    4 | LD R0, B\n"
		  "      |        ^\n"
		  "t.asm:5:1: error: there is no instruction 'FOO'\n"
		  "    5 | FOO R1\n"
		  "      | ^~~\n"
		  "t.asm:6:11: error: 99 does not fit 'i', 5 bits signed (-16..15)\n"
		  "    6 | ADD R0,R0,#99\n"
		  "      |           ^~~\n");
}

/* ---- classic ---- */

static void classic_commas(void **state)
{
	(void)state;
	CLASSIC("ADD R0,R0,#1\nADD R0 , R0 , #1", 0x1021, 0x1021);
	CLASSIC_REFUSES("ADD R0 R0 R1", "',' is expected before 'R0'");
	CLASSIC_REFUSES("ADD R0,R0,", "a register (R0..R7) or a number is missing here");
	CLASSIC_REFUSES("ADD R0,,R0", "',' is not a register (R0..R7)");
}

static void classic_ranges(void **state)
{
	(void)state;
	CLASSIC("ADD R0,R0,#31\nADD R0,R0,x001F\nADD R0,R0,xFFFF\nADD R0,R0,#-16\nAND R0,R0,#16", 0x103F, 0x103F, 0x103F,
		0x1030, 0x5030);
	CLASSIC("LDR R0,R1,#63\nLD R0,#511\nJSR #2047\nTRAP #-128\nTRAP x25\nLDR R0,R1,xFFE0", 0x607F, 0x21FF, 0x4FFF, 0xF080,
		0xF025, 0x6060);
	CLASSIC_REFUSES("ADD R0,R0,#32", "32 does not fit 'i', 5 bits (-16..31)");
	CLASSIC_REFUSES("ADD R0,R0,#-17", "-17 does not fit 'i', 5 bits (-16..31)");
	CLASSIC_REFUSES("ADD R0,R0,xFFEF", "-17 does not fit 'i', 5 bits (-16..31)");
	CLASSIC_REFUSES("TRAP x100", "256 does not fit 'v', 8 bits (-128..255)");
	/* A label's distance is not loose. */
	CLASSIC_REFUSES("LD R0,FAR\n.BLKW 256\nFAR .FILL 0", "label 'FAR' is 256 words away; LD reaches -256..255");
}

static void classic_labels(void **state)
{
	(void)state;
	CLASSIC("A: .FILL A\nB .FILL b\nADD: ADD R1,R1,R1\nBR ADD\nBRnz: HALT\nLD R0,BRnz", 0x3000, 0x3001, 0x1241, 0x0FFE,
		0xF025, 0x21FE);
	CLASSIC("NOP .FILL 1\nPUTC .FILL 2\nLEA R0,NOP", 1, 2, 0xE1FD); /* no mnemonics here */
	CLASSIC_REFUSES("NOP\nNOP", "label 'NOP' is defined a second time");
	CLASSIC_REFUSES("PUTC R0", "there is no instruction 'PUTC'");
	CLASSIC_REFUSES("foo-bar .FILL 1", "a label is made of letters, digits and any of _");
	CLASSIC_REFUSES("R1: .FILL 1", "'R1' is a register, so it can't be a label");
	CLASSIC_REFUSES("9a HALT", "a label or an instruction is expected, not '9a'");
}

static void classic_numbers(void **state)
{
	(void)state;
	CLASSIC(".FILL x1F\n.FILL x-1F\n.FILL #10\n.FILL #-10\n.FILL 10\n.FILL -10", 0x1F, 0xFFE1, 10, 0xFFF6, 10, 0xFFF6);
	CLASSIC_REFUSES(".FILL b101", "there is no label 'b101'");
	CLASSIC_REFUSES("LD R0,-x1F", "'-' is not a number");
}

static void classic_strings(void **state)
{
	(void)state;
	CLASSIC(".STRINGZ \"\\a\\b\\e\\f\\n\\r\\t\\v\\\\\\\"\\q;\"", 7, 8, 27, 12, 10, 13, 9, 11, '\\', '"', 'q', ';', 0);
	CLASSIC_REFUSES(".STRINGZ bare", ".STRINGZ takes a string in \", not 'bare'");
	CLASSIC_REFUSES(".STRINGZ \"open", "this string has no closing \"");
}

static void classic_segments(void **state)
{
	(void)state;
	CLASSIC(".BLKW 0\nHALT", 0xF025);
	WORDS(lc3, &classic, ".ORIG x3000\nHALT\n.END\nwhatever stands here, is not read\n.ORIG\n", 0xF025);
	test_says(lc3, &classic, ".ORIG x3000\nHALT\n.END",
		  "t.asm:3:5: warning: the last line has no line end, which other assemblers of this dialect want\n"
		  "    3 | .END\n"
		  "      |     ^\n");
	test_refuses(lc3, &classic, ".ORIG x3000\nHALT\n", "this segment has no .END");
	test_refuses(lc3, &classic, "HALT\n.ORIG x3000\n.END\n", "this stands before the first .ORIG");
	WORDS(lc3, &classic, ".ORIG xFE00\n.FILL 1\n.END\n", 1); /* no I/O limit here */
}

/* ---- What comes besides the words ---- */

static void lines_and_symbols(void **state)
{
	char *messages;
	AsmProgram *program = test_assemble(lc3, &tools, e1, strlen(e1), &messages);
	const AsmLine *line;

	(void)state;
	assert_int_equal(program->source_count, 1);
	assert_string_equal(program->sources[0].text, e1);
	assert_int_equal(program->line_count, 15);
	line = &program->lines[program->segments[0].lines[1]];
	assert_int_equal(line->line, 3);
	assert_int_equal(line->address, 0x3001);
	assert_int_equal(line->cells, 1);
	assert_true(line->is_code);
	line = &program->lines[program->segments[0].lines[15]];
	assert_int_equal(line->line, 16);
	assert_int_equal(line->cells, 2);
	assert_false(line->is_code);
	assert_int_equal(program->symbol_count, 5);
	assert_string_equal(program->symbols[4].name, "NL");
	assert_int_equal(program->symbols[4].value, 0x300E);
	assert_int_equal(program->symbols[4].line, 16);
	assert_int_equal(program->symbols[4].space, 0);
	asm_program_destroy(program);
	free(messages);
}

static void listing(void **state)
{
	static const char text[] = ".ORIG x3000\nA LD R0, B ; x\n\nB .STRINGZ \"abcd\"\n.BLKW 100\n.END\n";
	char *messages;
	AsmProgram *program = test_assemble(lc3, &tools, text, strlen(text), &messages);
	Buf buf;

	(void)state;
	buf_init(&buf);
	asm_listing(program, &buf);
	assert_non_null(strstr(buf_text(&buf), "                     1  .ORIG x3000\n"
					       "3000  2000               2  A LD R0, B ; x\n"
					       "                         3\n"
					       "3001  0061 0062 0063     4  B .STRINGZ \"abcd\"\n"
					       "3004  0064 0000      \n"));
	assert_non_null(strstr(buf_text(&buf), "... 100 cells in all\n"));
	assert_non_null(strstr(buf_text(&buf), "\nSymbols\n  A                    3000\n  B                    3001\n"));
	buf_fini(&buf);
	asm_program_destroy(program);
	free(messages);
}

static void one_line(void **state)
{
	static const char text[] = ".ORIG x3000\nLOOP HALT\n.END\n";
	char *messages;
	AsmProgram *program = test_assemble(lc3, &tools, text, strlen(text), &messages);
	DiagList diags;
	u64 out[32];

	(void)state;
	diag_init(&diags);
	assert_int_equal(asm_line(lc3, 0, "ADD R0, R0, #1", 0x3000, NULL, out, &diags), 1);
	assert_int_equal(out[0], 0x1021);
	assert_int_equal(asm_line(lc3, 0, "BR LOOP", 0x3010, program, out, &diags), 1);
	assert_int_equal(out[0], 0x0FEF);
	assert_int_equal(asm_line(lc3, 0, "BR loop", 0xFE10, program, out, &diags), 0); /* too far */
	assert_int_equal(diags.errors, 1);
	assert_int_equal(asm_line(lc3, 0, "FOO R1", 0x3000, NULL, out, &diags), 0);
	assert_int_equal(asm_line(lc3, 0, "", 0x3000, NULL, out, &diags), 0);
	assert_int_equal(asm_line(lc3, 0, ".BLKW 33", 0x3000, NULL, out, &diags), 0);
	assert_int_equal(asm_line(lc3, 1, ".FILL xFFFF", 0xFFFF, NULL, out, &diags), 1);
	assert_int_equal(out[0], 0xFFFF);
	diag_fini(&diags);
	asm_program_destroy(program);
	free(messages);
}

static int load(void **state)
{
	(void)state;
	lc3 = test_isa_file("src/guests/lc3/lc3.isa", NULL, NULL);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	isa_destroy(lc3);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(countdown),
		cmocka_unit_test(patched),
		cmocka_unit_test(condition_codes),
		cmocka_unit_test(keyboard_interrupt),
		cmocka_unit_test(tools_line_ends),
		cmocka_unit_test(tools_separators),
		cmocka_unit_test(tools_numbers),
		cmocka_unit_test(tools_labels),
		cmocka_unit_test(tools_limits),
		cmocka_unit_test(tools_operands),
		cmocka_unit_test(tools_mnemonics),
		cmocka_unit_test(tools_missing_label),
		cmocka_unit_test(tools_segments),
		cmocka_unit_test(tools_empty_segment),
		cmocka_unit_test(tools_space),
		cmocka_unit_test(tools_strings),
		cmocka_unit_test(tools_directives),
		cmocka_unit_test(tools_liberal),
		cmocka_unit_test(tools_liberal_words),
		cmocka_unit_test(many_mistakes),
		cmocka_unit_test(classic_commas),
		cmocka_unit_test(classic_ranges),
		cmocka_unit_test(classic_labels),
		cmocka_unit_test(classic_numbers),
		cmocka_unit_test(classic_strings),
		cmocka_unit_test(classic_segments),
		cmocka_unit_test(lines_and_symbols),
		cmocka_unit_test(listing),
		cmocka_unit_test(one_line),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
