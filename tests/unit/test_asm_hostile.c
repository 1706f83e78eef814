/* SPDX-License-Identifier: MIT
 *
 * Text that means harm: too long, too deep, too much, or just noise. The assembler may refuse it in any words; it must
 * not crash, hang, or eat memory, and the sanitizers watch.
 */
#include "asm_testing.h"
#include "asm_toy.h"

#include <time.h>

#include "base/rng.h"

static Isa *toy, *lc3;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Assembles in every dialect of the machine; within the time. */
static void survive(const Isa *isa, const char *text, size_t len, double limit)
{
	for (u16 dialect = 0; dialect < isa->dialect_count; dialect++)
		for (u32 liberal = 0; liberal < 2; liberal++) {
			AsmOptions options = {.dialect = dialect, .liberal = liberal != 0};
			double start = seconds();
			char *messages;
			AsmProgram *program = test_assemble(isa, &options, text, len, &messages);

			if (program) {
				Buf buf;

				buf_init(&buf);
				asm_listing(program, &buf);
				buf_fini(&buf);
			}
			asm_program_destroy(program);
			free(messages);
			if (seconds() - start > limit)
				fail_msg("dialect %u took %.1f s for %zu bytes of: %.60s", dialect, seconds() - start, len, text);
		}
}

static char *repeat(const char *head, const char *body, u32 times, const char *tail, size_t *len)
{
	size_t n = strlen(head), m = strlen(body);
	char *text = malloc(n + m * times + strlen(tail) + 1);

	assert_non_null(text);
	memcpy(text, head, n);
	for (u32 i = 0; i < times; i++, n += m)
		memcpy(text + n, body, m);
	strcpy(text + n, tail);
	*len = n + strlen(tail);
	return text;
}

static void repeated(const char *head, const char *body, u32 times, const char *tail)
{
	size_t len;
	char *text = repeat(head, body, times, tail, &len);

	survive(lc3, text, len, 8);
	survive(toy, text, len, 8);
	free(text);
}

static void much(void **state)
{
	(void)state;
	repeated(".ORIG x3000\n", "ADD R0, R0, #1\n", 20000, ".END\n");
	repeated(".ORIG x3000\n", ".BLKW 65535\n", 20000, ".END\n");
	repeated("", ".ORIG x0\n.BLKW 65000\n.END\n", 2000, "");
	repeated("", " .space 65000\n .org 0\n", 5000, "");
	repeated("", " .balign 60000\n .byte 1\n", 5000, "");
	repeated("", ".ORIG x3000\n.END\n", 20000, "");
	repeated("", "\n", 300000, "");
	repeated("", "\r", 300000, "");
	repeated("", ";", 300000, "");
	repeated("", ":", 60000, "");
	repeated("", "\"", 60000, "");
	repeated("", "'", 60000, "");
	repeated("", "x", 60000, "");
	repeated("", "0", 60000, "");
	repeated("", "-", 60000, "");
	repeated("", "(", 60000, "");
	repeated("", "a:", 30000, "");
	repeated(" .byte ", "1,", 30000, "1");
	repeated(" .byte ", "1+", 30000, "1");
	repeated(" .byte ", "1+(", 20000, "1");
	repeated(" .ascii \"", "\\n", 30000, "\"");
	repeated(" push {", "r1,", 20000, "r1}");
	repeated("", "foo bar\n", 20000, "");
	repeated(".ORIG x3000\n", "BRzn A\n", 20000, "");
	repeated(" nop", ";nop", 15000, "");
	repeated("", " deep r1, 123456789\n", 2000, "");
	repeated("", " tree r1\n", 300, "");
	repeated("", " loopy r1\n", 300, "");
}

static void long_lines(void **state)
{
	(void)state;
	repeated("", "a", 70000, "\n");
	repeated("", " ", 70000, "\n");
	repeated(" .byte 1 //", "x", 65000, "\n");
	{
		AsmOptions options = {.dialect = 0};
		size_t len;
		char *text = repeat("", " ", 70000, "nop\n", &len);

		test_refuses(toy, &options, text, "this line is longer than 65520 bytes");
		free(text);
	}
}

/* n labels, each statement refers to another one: nothing may be quadratic. */
static void many_labels(void **state)
{
	enum { LABELS = 20000 };
	char *text = malloc((size_t)LABELS * 48);
	size_t n = 0;

	(void)state;
	assert_non_null(text);
	for (u32 i = 0; i < LABELS; i++)
		n += (size_t)sprintf(text + n, "l%u: jmp l%u\n", i, (i * 7919 + 13) % LABELS);
	survive(toy, text, n, 8);
	n = 0;
	for (u32 i = 0; i < LABELS; i++)
		n += (size_t)sprintf(text + n, " .equ c%u, c%u+1\n", i, i + 1);
	survive(toy, text, n, 8);
	n = 0;
	for (u32 i = 0; i < LABELS; i++) /* none of them defined: suggestions must not be sought for all */
		n += (size_t)sprintf(text + n, "m%u: jmp l%u\n", i, i);
	survive(toy, text, n, 8);
	free(text);
}

static void limits(void **state)
{
	AsmOptions small = {.dialect = 0, .max_cells = 10}, low = {.dialect = 0, .max_address = 0x100};
	char *messages;
	AsmProgram *program;

	(void)state;
	test_words(toy, &small, " .space 10\n", (const u64[10]){0}, 10);
	test_refuses(toy, &small, " .space 11\n", "the program has more than 10 cells");
	test_refuses(toy, &small, " .space 5\n .org 100\n .space 6\n", "the program has more than 10 cells");
	program = test_assemble(toy, &low, " .org 0xFF\n .byte 1\n", 20, &messages);
	assert_non_null(program);
	asm_program_destroy(program);
	free(messages);
	test_refuses(toy, &low, " .org 0xFF\n .byte 1\n .byte 2\n", "nothing can stand at 0x100 or above");
}

/* Noise made of the words that mean something, so that it gets past the first token. */
static void noise(void **state)
{
	static const char *const words[] = {
		".ORIG", ".END", ".FILL", ".BLKW", ".STRINGZ", "ADD", "BR", "LD", "HALT", "R0", "R7", "x3000", "#1", "#-1", "LOOP",
		"LOOP", "A", ":", ",", " ", " ", " ", "\n", "\n", "\n", "\"", "\\", ";", "\"a\"", "(", ")", "{", "}", "-", "+", "*",
		"/", "%", "~", "<<", ">>", "&", ".", "0", "nop", "mov", "lda", "push", "li", "near", "deep", "test", ".byte", ".org",
		".space", ".equ", ".balign", "r1", "sp", "eq", "%", "@", "$", "\r", "\t", "\xFF", "\x01", "0x", "ld", "=", ".ro",
		".co", ".in", ".s", ".end", ".include", "99999999999999999999", "-9223372036854775808", "9223372036854775807",
	};
	Rng rng = {.state = 42};
	char text[2000];

	(void)state;
	for (u32 i = 0; i < 600; i++) {
		size_t n = 0;

		while (n < 300 + rng_below(&rng, 1200)) {
			const char *word = words[rng_below(&rng, COUNT_OF(words))];

			n += (size_t)sprintf(text + n, "%s%s", word, rng_below(&rng, 2) ? " " : "");
		}
		survive(toy, text, n, 8);
		survive(lc3, text, n, 8);
	}
}

static void bytes(void **state)
{
	Rng rng = {.state = 43};
	char text[512];

	(void)state;
	for (u32 i = 0; i < 600; i++) {
		size_t n = rng_below(&rng, sizeof(text));

		for (size_t k = 0; k < n; k++)
			text[k] = (char)rng_next(&rng);
		survive(toy, text, n, 8);
		survive(lc3, text, n, 8);
	}
}

static int load(void **state)
{
	(void)state;
	toy = test_isa_text("toy.isa", toy_isa, NULL, NULL);
	lc3 = test_isa_file("src/guests/lc3/lc3.isa", NULL, NULL);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	isa_destroy(toy);
	isa_destroy(lc3);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(much),	  cmocka_unit_test(long_lines), cmocka_unit_test(many_labels),
		cmocka_unit_test(limits), cmocka_unit_test(noise),	    cmocka_unit_test(bytes),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
