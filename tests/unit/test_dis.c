/* SPDX-License-Identifier: MIT
 *
 * assemble(disassemble(x)) == x: every word of the LC-3 in each profile and dialect, random words elsewhere. And that
 * what is printed is what a reader expects.
 */
#include "asm_testing.h"

#include "base/bits.h"
#include "base/rng.h"

static const char lc3_isa[] = "src/guests/lc3/lc3.isa";

/* The cells at pc as text, and that text assembled again. */
static u32 round_trip(const Isa *isa, u16 dialect, u64 pc, const u64 *cells, u32 count)
{
	DisOptions options = {.dialect = dialect};
	u64 again[32];
	DiagList diags;
	u32 used, n;
	Buf buf;

	buf_init(&buf);
	diag_init(&diags);
	used = dis_cells(isa, &options, pc, cells, count, &buf);
	assert_in_range(used, 1, count);
	n = asm_line(isa, dialect, buf_text(&buf), pc, NULL, again, &diags);
	if (n != used || memcmp(again, cells, n * sizeof(*cells)) != 0) {
		Buf text;

		buf_init(&text);
		diag_render(&diags, &text, false);
		fail_msg("%s at 0x%llx: 0x%llx.. (%u cells) is shown as \"%s\", which gives %u cells, 0x%llx..\n%s",
			 isa->name, (unsigned long long)pc, (unsigned long long)cells[0], used, buf_text(&buf), n,
			 n ? (unsigned long long)again[0] : 0, buf_text(&text));
	}
	diag_fini(&diags);
	buf_fini(&buf);
	return used;
}

static void every_lc3_word(void **state)
{
	static const char *const profiles[] = {"v3", "classic", "tiny"};

	(void)state;
	for (u32 p = 0; p < COUNT_OF(profiles); p++) {
		Isa *isa = test_isa_file(lc3_isa, "profile", profiles[p]);

		assert_int_equal(isa->dialect_count, 2);
		for (u16 dialect = 0; dialect < 2; dialect++)
			for (u64 word = 0; word < 0x10000; word++)
				assert_int_equal(round_trip(isa, dialect, 0x3000, &word, 1), 1);
		isa_destroy(isa);
	}
}

/* Places where pc-relative targets wrap. */
static void lc3_edges(void **state)
{
	static const u64 places[] = {0, 1, 0xFF, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF};
	Isa *isa = test_isa_file(lc3_isa, NULL, NULL);

	(void)state;
	for (u32 i = 0; i < COUNT_OF(places); i++)
		for (u64 word = 0; word < 0x10000; word += 37)
			round_trip(isa, 0, places[i], &word, 1);
	isa_destroy(isa);
}

static void random_cells(const char *file, u32 tries)
{
	Isa *isa = test_isa_file(file, NULL, NULL);
	unsigned cell_bits = isa->spaces[isa->code_space].cell_bits;
	Rng rng = {.state = 1};

	for (u16 dialect = 0; dialect < isa->dialect_count; dialect++)
		for (u32 i = 0; i < tries; i++) {
			u64 cells[32], pc = rng_next(&rng) & bits_mask(isa->pc_width < 12 ? isa->pc_width : 12) & ~(u64)7;

			for (u32 k = 0; k < COUNT_OF(cells); k++)
				cells[k] = bits_trunc(rng_next(&rng), cell_bits);
			/* Small numbers, zero pages and the like are rare among random ones. */
			if (i % 3 == 1)
				for (u32 k = 1; k < 8; k++)
					cells[k] = rng_below(&rng, 3) ? 0 : cells[k] & 0xF;
			round_trip(isa, dialect, pc, cells, COUNT_OF(cells));
		}
	isa_destroy(isa);
}

/* Every valid instruction that the generator makes. */
static void generated(const char *file, u32 tries)
{
	Isa *isa = test_isa_file(file, NULL, NULL);
	Rng rng = {.state = 7};

	for (u16 dialect = 0; dialect < isa->dialect_count; dialect++)
		for (u32 i = 0; i < tries; i++) {
			u64 cells[32] = {0};
			u32 n = gen_valid(isa, &rng, cells);

			assert_in_range(n, 1, 32);
			round_trip(isa, dialect, (rng_next(&rng) & 0x3F) * 4, cells, n);
		}
	isa_destroy(isa);
}

static const char *const others[] = {
	"examples/isa/6502.isa", "examples/isa/chip8.isa", "examples/isa/tiny8.isa",   "tests/isa/iridium.isa",
	"tests/isa/svm.isa",	 "tests/isa/rv64gc.isa",   "tests/isa/constructs.isa",
};

static void other_machines(void **state)
{
	(void)state;
	for (u32 i = 0; i < COUNT_OF(others); i++) {
		random_cells(others[i], 8000);
		generated(others[i], 8000);
	}
}

static void shows(const Isa *isa, const DisOptions *options, u64 pc, u64 word, const char *expected)
{
	Buf buf;

	buf_init(&buf);
	dis_cells(isa, options, pc, &word, 1, &buf);
	assert_string_equal(buf_text(&buf), expected);
	buf_fini(&buf);
}

static const char *symbol_3005(void *ctx, u16 space, u64 address)
{
	(void)ctx;
	assert_int_equal(space, 0);
	return address == 0x3005 ? "LOOP" : NULL;
}

static void lc3_texts(void **state)
{
	DisOptions plain = {.dialect = 0}, bare = {.no_alias = true}, named = {.symbol = symbol_3005},
		   classic = {.dialect = 1};
	Isa *isa = test_isa_file(lc3_isa, NULL, NULL);

	(void)state;
	shows(isa, &plain, 0x3000, 0x1042, "ADD R0, R1, R2");
	shows(isa, &plain, 0x3000, 0x103F, "ADD R0, R0, #-1");
	shows(isa, &plain, 0x3000, 0xC1C0, "RET");
	shows(isa, &bare, 0x3000, 0xC1C0, "JMP R7");
	shows(isa, &plain, 0x3000, 0xF025, "HALT");
	shows(isa, &plain, 0x3000, 0xF021, "OUT");
	shows(isa, &bare, 0x3000, 0xF025, "TRAP x25");
	shows(isa, &plain, 0x3000, 0xF0FF, "TRAP xFF");
	shows(isa, &plain, 0x3000, 0x0E04, "BR #4");
	shows(isa, &bare, 0x3000, 0x0E04, "BRnzp #4");
	shows(isa, &plain, 0x3000, 0x0604, "BRzp #4");
	shows(isa, &named, 0x3000, 0x0604, "BRzp LOOP");
	shows(isa, &named, 0x3000, 0x0605, "BRzp #5");
	shows(isa, &plain, 0x3000, 0x0000, "NOP");
	shows(isa, &classic, 0x3000, 0x0000, ".FILL x0000");
	shows(isa, &plain, 0x3000, 0x0001, "NOP #1"); /* a branch that never branches */
	shows(isa, &plain, 0x3000, 0x01FF, "NOP #-1");
	shows(isa, &named, 0x3000, 0x0004, "NOP LOOP");
	shows(isa, &bare, 0x3000, 0x0001, ".FILL x0001");
	shows(isa, &classic, 0x3000, 0x0001, ".FILL x0001");
	shows(isa, &plain, 0x3000, 0xD000, ".FILL xD000");
	shows(isa, &plain, 0x3000, 0x1048, ".FILL x1048"); /* a bit that must be zero */
	shows(isa, &plain, 0x3000, 0x6042, "LDR R0, R1, #2");
	isa_destroy(isa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_lc3_word),
		cmocka_unit_test(lc3_edges),
		cmocka_unit_test(lc3_texts),
		cmocka_unit_test(other_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
