/* SPDX-License-Identifier: MIT
 *
 * What the tests of the assembler and the disassembler share: loading a description, assembling a text, comparing
 * words and messages.
 */
#ifndef TESTS_ASM_TESTING_H
#define TESTS_ASM_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "asm/asm.h"

__attribute__((unused)) static char *test_read(const char *name, size_t *len)
{
	FILE *file = fopen(name, "rb");
	char *text;
	long size;

	if (!file)
		fail_msg("can't read %s", name);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	text = malloc((size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)size, file), size);
	fclose(file);
	text[size] = 0;
	*len = (size_t)size;
	return text;
}

__attribute__((unused)) static Isa *test_isa_text(const char *name, const char *text, const char *option, const char *choice)
{
	IsaChoice chosen = {option, choice};
	DiagList diags;
	Isa *isa;

	diag_init(&diags);
	isa = isa_load(name, text, strlen(text), &chosen, option ? 1 : 0, &diags);
	if (!isa) {
		Buf buf;

		buf_init(&buf);
		diag_render(&diags, &buf, false);
		fail_msg("%s does not load:\n%s", name, buf_text(&buf));
	}
	diag_fini(&diags);
	return isa;
}

__attribute__((unused)) static Isa *test_isa_file(const char *name, const char *option, const char *choice)
{
	size_t len;
	char *text = test_read(name, &len);
	Isa *isa = test_isa_text(name, text, option, choice);

	free(text);
	return isa;
}

/* Assembles; the messages, as the user sees them, to *messages (which the caller frees). */
__attribute__((unused)) static AsmProgram *test_assemble(const Isa *isa, const AsmOptions *options, const char *text,
							 size_t len, char **messages)
{
	Source source = {.name = "t.asm", .text = text, .len = len};
	AsmProgram *program;
	DiagList diags;
	Buf buf;

	diag_init(&diags);
	buf_init(&buf);
	program = asm_assemble(isa, &source, options, &diags);
	diag_render(&diags, &buf, false);
	assert_int_equal(program == NULL, diags.errors > 0);
	*messages = strdup(buf_text(&buf));
	assert_non_null(*messages);
	buf_fini(&buf);
	diag_fini(&diags);
	return program;
}

/* The text assembles without a message, into these words (of all segments, one behind the other). */
__attribute__((unused)) static void test_words(const Isa *isa, const AsmOptions *options, const char *text,
					       const u64 *words, size_t count)
{
	char *messages;
	AsmProgram *program = test_assemble(isa, options, text, strlen(text), &messages);
	size_t n = 0;

	if (!program || *messages)
		fail_msg("for:\n%s\nunexpected:\n%s", text, messages);
	for (u32 s = 0; s < program->segment_count; s++)
		for (u32 i = 0; i < program->segments[s].count; i++, n++)
			if (n >= count || program->segments[s].cells[i] != words[n])
				fail_msg("word %zu of:\n%s\nis 0x%llx, not 0x%llx", n, text,
					 (unsigned long long)program->segments[s].cells[i],
					 n < count ? (unsigned long long)words[n] : 0);
	if (n != count)
		fail_msg("%zu words, not %zu, from:\n%s", n, count, text);
	asm_program_destroy(program);
	free(messages);
}

/* The text is refused (or, if it is fine but for warnings, said so) with exactly these messages. */
__attribute__((unused)) static void test_says(const Isa *isa, const AsmOptions *options, const char *text,
					      const char *expected)
{
	char *messages;
	AsmProgram *program = test_assemble(isa, options, text, strlen(text), &messages);

	if (strcmp(messages, expected) != 0)
		fail_msg("for:\n%s\nexpected:\n%s\nhave:\n%s", text, expected, messages);
	asm_program_destroy(program);
	free(messages);
}

/* As test_says, but only that `part` is among the messages, and that the program is refused. */
__attribute__((unused)) static void test_refuses(const Isa *isa, const AsmOptions *options, const char *text,
						 const char *part)
{
	char *messages;
	AsmProgram *program = test_assemble(isa, options, text, strlen(text), &messages);

	if (program || !strstr(messages, part))
		fail_msg("for:\n%s\nexpected:\n%s\nhave:\n%s", text, part, messages);
	free(messages);
}

#define WORDS(isa, options, text, ...)                                                                     \
	do {                                                                                               \
		const u64 words_[] = {__VA_ARGS__};                                                        \
		test_words((isa), (options), (text), words_, sizeof(words_) / sizeof(words_[0]));          \
	} while (0)

#endif
