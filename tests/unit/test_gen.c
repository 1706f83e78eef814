/* SPDX-License-Identifier: MIT
 * asm/gen: what is called valid decodes, what is called invalid does not, and the edges do come up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "asm/asm.h"
#include "base/rng.h"

enum { DRAWS = 20000 };

/* The LC-3's description, from its file: these tests need nothing of the guest. */
static const char *lc3_text(void)
{
	static char text[1 << 16];
	FILE *file = fopen("src/guests/lc3/lc3.isa", "rb");

	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = 0;
	fclose(file);
	return text;
}

static Isa *load(const char *text)
{
	DiagList diags;
	Isa *isa;

	diag_init(&diags);
	isa = isa_load("test.isa", text, strlen(text), NULL, 0, &diags);
	if (!isa) {
		Buf messages;

		buf_init(&messages);
		diag_render(&diags, &messages, false);
		print_error("%s", buf_text(&messages));
		buf_fini(&messages);
	}
	diag_fini(&diags);
	assert_non_null(isa);
	return isa;
}

static bool fetch(void *ctx, unsigned index, u64 *parcel)
{
	*parcel = ((const u64 *)ctx)[index]; /* the machines here have one cell a parcel */
	return true;
}

static void every_instruction_and_the_edges_come_up(void **state)
{
	Isa *isa = load(lc3_text());
	u32 *seen = calloc(isa->insn_count, sizeof *seen);
	bool smallest = false, largest = false, minus_one = false, zero = false, twice = false;
	Rng rng = {42};

	(void)state;
	assert_non_null(seen);
	for (unsigned n = 0; n < DRAWS; n++) {
		u64 cells[32] = {0};
		IsaDecoded decoded;

		assert_int_equal(gen_valid(isa, &rng, cells), 1);
		isa_decode(isa, fetch, cells, &decoded);
		assert_non_null(decoded.insn);
		seen[decoded.insn - isa->insns]++;
		if ((cells[0] & 0xF020) == 0x1020) { /* ADD with a literal */
			smallest |= (cells[0] & 31) == 16;
			largest |= (cells[0] & 31) == 15;
			minus_one |= (cells[0] & 31) == 31;
			zero |= (cells[0] & 31) == 0;
			twice |= (cells[0] >> 9 & 7) == (cells[0] >> 6 & 7);
		}
	}
	for (u32 i = 0; i < isa->insn_count; i++)
		if (seen[i] == 0)
			fail_msg("%s never came up", isa->insns[i].name);
	assert_true(smallest && largest && minus_one && zero && twice);
	free(seen);
	isa_destroy(isa);
}

static void conditions_and_register_numbers_hold(void **state)
{
	Isa *isa = load("isa C \"Conditions\"\n"
			"space mem : 8 x 0x10000\n"
			"code mem\n"
			"reg r[5] : 16\n"
			"reg pc : 16\n"
			"field x y : r\n"
			"field h : unsigned\n"
			"insn MOV \"00000001 x:8 y:8\" x, y when #x != #y { x = y }\n"
			"insn INC \"00000010 x:8 h:8\" x, h when h != 0 { x = x + zx(h) }\n");
	Rng rng = {7};

	(void)state;
	for (unsigned n = 0; n < DRAWS; n++) {
		u64 cells[32];

		assert_int_equal(gen_valid(isa, &rng, cells), 3);
		assert_true(cells[1] < 5);
		if (cells[0] == 1)
			assert_true(cells[2] < 5 && cells[1] != cells[2]);
		else
			assert_true(cells[0] == 2 && cells[2] != 0);
	}
	isa_destroy(isa);
}

static void invalid_ones_do_not_decode(void **state)
{
	Isa *isa = load(lc3_text());
	bool opcode = false, filler = false;
	Rng rng = {3};

	(void)state;
	for (unsigned n = 0; n < DRAWS; n++) {
		u64 cells[32] = {0};
		IsaDecoded decoded;

		assert_int_equal(gen_invalid(isa, &rng, cells), 1);
		isa_decode(isa, fetch, cells, &decoded);
		assert_null(decoded.insn);
		opcode |= cells[0] >> 12 == 13;
		filler |= cells[0] >> 12 == 9; /* NOT with a wrong should-be bit */
	}
	assert_true(opcode && filler);
	isa_destroy(isa);
}

static void a_machine_without_illegal_words_gives_none(void **state)
{
	Isa *isa = load("isa F \"Full\"\n"
			"space mem : 8 x 256\n"
			"code mem\n"
			"reg pc : 8\n"
			"reg A : 8\n"
			"field h : unsigned\n"
			"insn ADD \"0 h:7\" h { A = A + zx(h) }\n"
			"insn SUB \"1 h:7\" h { A = A - zx(h) }\n");
	Rng rng = {9};
	u64 cells[32];

	(void)state;
	assert_int_equal(gen_invalid(isa, &rng, cells), 0);
	assert_int_equal(gen_valid(isa, &rng, cells), 1);
	isa_destroy(isa);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_instruction_and_the_edges_come_up),
		cmocka_unit_test(conditions_and_register_numbers_hold),
		cmocka_unit_test(invalid_ones_do_not_decode),
		cmocka_unit_test(a_machine_without_illegal_words_gives_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
