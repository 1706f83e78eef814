/* SPDX-License-Identifier: MIT
 *
 * Six and basic-cpu, machines that are a description alone: no warnings, and random instructions survive the way
 * through the disassembler and the assembler.
 */
#include "asm/asm.h"
#include "base/rng.h"
#include "museum.h"

static void survives(const Isa *isa, const u64 *cells, u32 count, u64 pc)
{
	u64 again[32];
	DiagList diags;
	Buf text;
	u32 got;

	diag_init(&diags);
	buf_init(&text);
	assert_int_equal(dis_cells(isa, &(DisOptions){0}, pc, cells, count, &text), count);
	got = asm_line(isa, 0, buf_text(&text), pc, NULL, again, &diags);
	if (diags.count)
		museum_fail(&diags, buf_text(&text));
	assert_int_equal(got, count);
	assert_memory_equal(again, cells, count * sizeof *cells);
	buf_fini(&text);
	diag_fini(&diags);
}

static void round_trips(void **state)
{
	static const char *const paths[] = {"examples/isa/six.isa", "examples/isa/basiccpu.isa"};
	Rng rng = {5};
	u64 cells[32];

	(void)state;
	for (u32 i = 0; i < COUNT_OF(paths); i++) {
		Isa *isa = museum_load(paths[i], NULL, 0);

		for (u32 n = 0; n < 2000; n++) {
			u32 count = gen_valid(isa, &rng, cells);

			assert_true(count > 0);
			survives(isa, cells, count, 0x80);
		}
		isa_destroy(isa);
	}
}

/* Every word of Six that is no instruction of one word is illegal or has a second: none is silently something else. */
static void every_word_of_six(void **state)
{
	Isa *isa = museum_load("examples/isa/six.isa", NULL, 0);
	u32 good = 0;

	(void)state;
	for (u32 word = 0; word < 0x10000; word++) {
		Buf text;

		buf_init(&text);
		if (dis_cells(isa, &(DisOptions){0}, 0x80, (u64[]){word, 0x1234}, 2, &text) == 1 && strstr(buf_text(&text), ".word") == NULL) {
			survives(isa, (u64[]){word}, 1, 0x80);
			good++;
		}
		buf_fini(&text);
	}
	/* halt, ret; mov, load, store, cmp and ten of arithmetic with 36 pairs of registers; push, pop, print, putc, getc with 6 */
	assert_int_equal(good, 2 + 14 * 36 + 5 * 6);
	isa_destroy(isa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(round_trips), cmocka_unit_test(every_word_of_six)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
