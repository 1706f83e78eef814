/* SPDX-License-Identifier: MIT
 *
 * Every tests/isa/bad/NAME.isa is a description with a mistake, and says itself what the loader must answer:
 *
 *     # expect: 13:42: error: say whether the comparison is signed
 *
 * one line for each message, in order: LINE:COLUMN (0:0 = about the file), the level, and the message or its beginning.
 * The description ends where these lines begin.
 * A file whose messages are all warnings must still load. Every tests/isa/good/NAME.isa must load without a message.
 */
#include <dirent.h>

#include "museum.h"

enum { EXPECT_MAX = 64 };

typedef struct Expectation {
	unsigned line, column;
	DiagLevel level;
	const char *text; /* in the file's text, len long */
	size_t len;
} Expectation;

static u32 expectations(const char *text, Expectation *out)
{
	static const char mark[] = "# expect: ";
	u32 count = 0;

	for (const char *at = text; (at = strstr(at, mark)) != NULL;) {
		Expectation *e = &out[count];
		char level[16];
		int used = 0;

		at += sizeof(mark) - 1;
		if (sscanf(at, "%u:%u: %15[a-z]: %n", &e->line, &e->column, level, &used) != 3 || !used)
			fail_msg("what is this: %.60s", at);
		at += used;
		e->level = strcmp(level, "error") ? DIAG_WARNING : DIAG_ERROR;
		e->text = at;
		e->len = strcspn(at, "\r\n");
		if (++count == EXPECT_MAX)
			fail_msg("more than %d expectations", EXPECT_MAX);
	}
	return count;
}

static bool matches(const Diag *diag, const Expectation *e)
{
	return diag->line == e->line && diag->column == e->column && diag->level == e->level && e->len > 0 &&
	       strncmp(diag->message, e->text, e->len) == 0;
}

static bool check_bad(const char *path)
{
	Expectation expected[EXPECT_MAX];
	DiagList diags;
	size_t len = 0;
	char *text = museum_read_file(path, &len);
	u32 count, errors = 0;
	Isa *isa;
	bool ok;

	assert_non_null(text);
	count = expectations(text, expected);
	if (!count)
		fail_msg("%s expects nothing", path);
	len = (size_t)(strstr(text, "# expect: ") - text);
	diag_init(&diags);
	isa = isa_load(path, text, len, NULL, 0, &diags);
	ok = diags.count == count;
	for (u32 i = 0; ok && i < count; i++) {
		ok = matches(&diags.items[i], &expected[i]);
		errors += expected[i].level == DIAG_ERROR;
	}
	if (ok && (isa != NULL) != (errors == 0)) {
		print_error("%s: %s\n", path, isa ? "loaded in spite of an error" : "not loaded for a warning");
		ok = false;
	} else if (!ok) {
		Buf out;

		buf_init(&out);
		diag_render(&diags, &out, false);
		print_error("%s: other messages than expected:\n%s\n", path, buf_text(&out));
		buf_fini(&out);
	}
	if (isa)
		isa_destroy(isa);
	diag_fini(&diags);
	free(text);
	return ok;
}

static bool check_good(const char *path)
{
	Isa *isa = museum_load(path, NULL, 0);

	isa_destroy(isa);
	return true;
}

/* Runs check over every .isa file of a directory; all must pass and there must be at least `least`. */
static void check_directory(const char *directory, unsigned least, bool (*check)(const char *path))
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	unsigned files = 0, wrong = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');
		char path[512];

		if (!dot || strcmp(dot, ".isa"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		files++;
		wrong += !check(path);
	}
	closedir(dir);
	assert_true(files >= least);
	assert_int_equal(wrong, 0);
}

static void test_bad(void **state)
{
	(void)state;
	check_directory("tests/isa/bad", 100, check_bad);
}

static void test_good(void **state)
{
	(void)state;
	check_directory("tests/isa/good", 1, check_good);
	check_directory("examples/isa", 3, check_good);
}

/* A description cut off anywhere, or with any byte changed, gives messages and nothing worse. */
static void damage(const char *path, size_t step)
{
	size_t len = 0;
	char *text = museum_read_file(path, &len);

	assert_non_null(text);
	for (size_t at = 0; at < len; at += step)
		for (unsigned how = 0; how < 3; how++) {
			DiagList diags;
			char kept = text[at];
			Isa *isa;

			diag_init(&diags);
			if (how)
				text[at] = how == 1 ? '{' : (char)(kept ^ 0x15);
			isa = isa_load(path, text, how ? len : at, NULL, 0, &diags);
			text[at] = kept;
			if (!isa)
				assert_true(diags.errors > 0);
			else
				isa_destroy(isa);
			diag_fini(&diags);
		}
	free(text);
}

static void test_damaged(void **state)
{
	(void)state;
	damage("examples/isa/tiny8.isa", 7);
	damage("examples/isa/chip8.isa", 31);
	damage("examples/isa/6502.isa", 131);
}

/* ---- Descriptions made to take for ever, or to run out of stack ---- */

static void load_hostile(const char *what, const Buf *text)
{
	DiagList diags;
	Isa *isa;

	diag_init(&diags);
	isa = isa_load(what, buf_text(text), text->len, NULL, 0, &diags);
	if (isa)
		isa_destroy(isa);
	else
		assert_true(diags.errors > 0);
	diag_fini(&diags);
}

static const char skeleton[] = "isa X \"x\"\nspace M : 8 x 256\ncode M\nreg pc : 8\nreg A : 8\n";

static void repeat(const char *what, const char *head, const char *piece, const char *middle, const char *tail, u32 count)
{
	Buf text;

	buf_init(&text);
	buf_str(&text, skeleton);
	buf_str(&text, head);
	for (u32 i = 0; i < count; i++)
		buf_str(&text, piece);
	buf_str(&text, middle);
	for (u32 i = 0; i < count; i++)
		buf_str(&text, tail);
	buf_str(&text, "\n");
	load_hostile(what, &text);
	buf_fini(&text);
}

static void test_hostile(void **state)
{
	Buf text;

	(void)state;
	repeat("parentheses", "insn L \"00000000\" { A = ", "(", "A", ")", 200000);
	repeat("braces", "insn L \"00000000\" { ", "{", " A = 1 ", "}", 200000);
	repeat("nots", "insn L \"00000000\" { A = ", "~", "A }", "", 200000);
	repeat("a sum", "insn L \"00000000\" { A = A", "+A", " }", "", 500000);
	repeat("a ladder", "insn L \"00000000\" { A = ", "A==1?1:", "A }", "", 200000);
	repeat("ifs", "insn L \"00000000\" { ", "if (A==1) ", "A = 2 }", "", 200000);
	repeat("else ifs", "insn L \"00000000\" { ", "if (A==1) A = 2 else ", "A = 3 }", "", 200000);
	repeat("returns", "func f() : 8 { ", "if (A==1) return 2; ", "return 3 }", "", 100000);
	repeat("loops", "insn L \"00000000\" { ", "for i in 0..1 {", "A = 1", "}", 60);
	repeat("many loops", "insn L \"00000000\" { ", "for i in 0..1 {", "A = 1", "}", 200000);
	repeat("slices", "insn L \"00000000\" { A = A", "[7:0]", " }", "", 200000);
	repeat("addresses", "insn L \"00000000\" { A = ", "M[", "A", "]", 200000);
	repeat("concatenations", "insn L \"00000000\" { A = (", "A@", "A)[7:0] }", "", 200000);
	repeat("fields", "field ", "f ", ": unsigned", "", 200000);
	repeat("pattern", "insn L \"", "0 ", "\" { A = 1 }", "", 200000);
	repeat("operands", "field i : unsigned\ninsn L \"i:8\" ", "i,", " { A = 1 }", "", 200000);
	repeat("docs", "", "## text text text\n", "reg B : 8", "", 100000);
	repeat("instructions", "", "insn L \"00000000\" { A = 1 }\n", "", "", 20000);

	/* Functions that each call the one before twice: 2^50 if pasted in without a limit. */
	buf_init(&text);
	buf_str(&text, skeleton);
	buf_str(&text, "func f0(v:8) { A = A + v; M[v] = A }\n");
	for (u32 i = 1; i < 50; i++)
		buf_printf(&text, "func f%u(v:8) { f%u(v); f%u(v) }\n", i, i - 1, i - 1);
	buf_str(&text, "insn L \"00000000\" { f49(A) }\n");
	load_hostile("doubling functions", &text);
	buf_clear(&text);
	/* The same as values, and through views. */
	buf_str(&text, skeleton);
	buf_str(&text, "func f0(v:8) : 8 { return A + v }\nview v0 = A + M[A]\n");
	for (u32 i = 1; i < 50; i++) {
		buf_printf(&text, "func f%u(v:8) : 8 { return f%u(v) + f%u(v) }\n", i, i - 1, i - 1);
		buf_printf(&text, "view v%u = v%u + v%u\n", i, i - 1, i - 1);
	}
	buf_str(&text, "insn L \"00000000\" { A = f49(A) }\ninsn N \"00000001\" { A = v49 }\n");
	load_hostile("doubling values", &text);
	/* Bytes that are no text. */
	buf_clear(&text);
	for (u32 i = 0; i < 100000; i++)
		buf_byte(&text, (u8)(i * 2654435761u >> 13));
	load_hostile("noise", &text);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
