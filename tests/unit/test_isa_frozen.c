/* SPDX-License-Identifier: MIT
 * isa/isa_frozen: the descriptions that were loaded when Husk was built are what loading their texts gives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the three above first */
#include <cmocka.h>

#include "asm/asm.h"
#include "base/rng.h"
#include "guests/guests.h"
#include "ir/ir.h"
#include "isa/isa_frozen.h"

enum { ROUNDS = 2000, CELLS = 32 };

static size_t frozen_size(const void *frozen)
{
	const IsaFrozenHead *head = frozen;

	return sizeof *head + head->moving + head->still + 2 * isa_frozen_bits(head->moving) * sizeof(u64);
}

static Isa *load(const char *name, const char *text)
{
	DiagList diags;
	Isa *isa;

	diag_init(&diags);
	isa = isa_load(name, text, strlen(text), NULL, 0, &diags);
	assert_int_equal(diags.count, 0);
	diag_fini(&diags);
	assert_non_null(isa);
	return isa;
}

static Isa *thaw(const Guest *guest)
{
	Isa *isa = isa_thaw(guest->isa_frozen, guest->name, guest->isa_text, strlen(guest->isa_text), NULL, 0);

	assert_non_null(isa);
	return isa;
}

/* The bytes are those that the loader gives now, in this program. */
static void test_bytes(void **state)
{
	u32 count = 0;

	(void)state;
	for (const Guest *const *guest = guests_all; *guest; guest++) {
		DiagList diags;
		Buf again;

		if (!(*guest)->isa_text)
			continue;
		assert_non_null((*guest)->isa_frozen);
		diag_init(&diags);
		buf_init(&again);
		assert_true(isa_freeze((*guest)->name, (*guest)->isa_text, strlen((*guest)->isa_text), &again, &diags));
		assert_int_equal(again.len, frozen_size((*guest)->isa_frozen));
		assert_memory_equal(again.data, (*guest)->isa_frozen, again.len);
		buf_fini(&again);
		diag_fini(&diags);
		count++;
	}
	assert_true(count >= 7);
}

typedef struct Cells {
	const Isa *isa;
	const u64 *cells;
	u64 at; /* the lifter's */
} Cells;

static bool fetch(void *ctx, unsigned index, u64 *parcel)
{
	const Cells *code = ctx;
	const IsaSpace *space = &code->isa->spaces[code->isa->code_space];

	*parcel = 0;
	for (u32 i = 0; i < code->isa->parcel_cells; i++) {
		const u64 at = code->at + (u64)index * code->isa->parcel_cells + i;
		const u32 place = space->big ? code->isa->parcel_cells - 1 - i : i;

		if (at >= CELLS)
			return false;
		*parcel |= code->cells[at] << place * space->cell_bits;
	}
	return true;
}

/* What is to be known about one instruction: decoded, written in every dialect, explained, and its meaning. */
static void describe(const Isa *isa, const u64 *cells, u32 count, Buf *out)
{
	Cells code = {.isa = isa, .cells = cells};
	u64 *slots = calloc(isa->slot_count, sizeof *slots);
	IsaLift lift = {.isa = isa, .fetch_at = fetch, .ctx = &code, .fetch_address = &code.at, .slots = slots};
	IsaLifted lifted;
	IsaDecoded decoded;
	Arena arena;

	assert_non_null(slots);
	arena_init(&arena);
	isa_decode(isa, fetch, &code, &decoded);
	buf_printf(out, "%d %u %u\n", decoded.insn ? (int)(decoded.insn - isa->insns) : -1, decoded.cells, decoded.looked);
	for (u16 d = 0; d < isa->dialect_count; d++) {
		const DisOptions options = {.dialect = d};

		dis_cells(isa, &options, 0, cells, count, out);
		buf_byte(out, '\n');
		if (decoded.insn)
			manual_explain(isa, d, 0, &decoded, out);
	}
	if (isa_lift_block(&lift, 0, 1, &arena, &lifted) == STATUS_OK) {
		ir_print(lifted.func, isa_slot_name_ctx, isa, out);
		buf_printf(out, "%u %d %d %d\n", lifted.insns, lifted.dirty, lifted.only_host, lifted.no_code);
	}
	arena_fini(&arena);
	free(slots);
}

static void same_text(Buf *a, Buf *b)
{
	assert_false(a->failed || b->failed);
	assert_string_equal(buf_text(a), buf_text(b));
	assert_true(a->len > 0);
	buf_clear(a);
	buf_clear(b);
}

static void same_handlers(const Isa *x, const Isa *y, Buf *a, Buf *b)
{
	for (u32 i = 0; i < x->handler_count; i++)
		for (int when = 0; when < 2; when++) {
			Arena arena;
			IrFunc *func;

			if (when && !x->handlers[i].when)
				continue;
			arena_init(&arena);
			assert_int_equal(isa_lift_handler(x, &x->handlers[i], when, &arena, &func), STATUS_OK);
			ir_print(func, isa_slot_name_ctx, x, a);
			assert_int_equal(isa_lift_handler(y, &y->handlers[i], when, &arena, &func), STATUS_OK);
			ir_print(func, isa_slot_name_ctx, y, b);
			arena_fini(&arena);
			same_text(a, b);
		}
}

/* All that can be asked of the one and of the other. */
static void test_answers(void **state)
{
	(void)state;
	for (const Guest *const *guest = guests_all; *guest; guest++) {
		Isa *loaded, *thawed;
		Rng one, other;
		Buf a, b;

		if (!(*guest)->isa_text)
			continue;
		loaded = load((*guest)->name, (*guest)->isa_text);
		thawed = thaw(*guest);
		buf_init(&a);
		buf_init(&b);
		assert_true(loaded->hash == thawed->hash);
		assert_string_equal(loaded->source_name, thawed->source_name);
		manual_write(loaded, MANUAL_TEXT, &a);
		manual_write(thawed, MANUAL_TEXT, &b);
		same_text(&a, &b);
		same_handlers(loaded, thawed, &a, &b);
		one = other = (Rng){7};
		for (u32 i = 0; i < ROUNDS; i++) {
			u64 x[CELLS] = {0}, y[CELLS] = {0};
			const u32 count = gen_valid(loaded, &one, x);

			assert_int_equal(gen_valid(thawed, &other, y), count);
			assert_memory_equal(x, y, sizeof x);
			describe(loaded, x, count, &a);
			describe(thawed, y, count, &b);
			same_text(&a, &b);
		}
		buf_fini(&a);
		buf_fini(&b);
		isa_destroy(loaded);
		isa_destroy(thawed);
	}
}

static const Guest *with_options(void)
{
	for (const Guest *const *guest = guests_all; *guest; guest++)
		if ((*guest)->isa_text) {
			Isa *isa = thaw(*guest);
			const bool found = isa->option_count && isa->options[0].choice_count > 1;

			isa_destroy(isa);
			if (found)
				return *guest;
		}
	return NULL;
}

/* Another text, or another choice, is loaded; the choice that is the default is not another one. */
static void test_others(void **state)
{
	const Guest *guest = with_options();
	const size_t len = strlen(guest->isa_text);
	char *text = strdup(guest->isa_text), *digit;
	Isa *isa = thaw(guest), *changed;
	const IsaOption *option = &isa->options[0];
	const IsaChoice usual = {option->name, option->choices[option->chosen]},
			other = {option->name, option->choices[option->chosen ? 0 : 1]}, wrong = {"nothing", "v3"};
	DiagList diags;

	(void)state;
	changed = isa_thaw(guest->isa_frozen, "x", text, len, &usual, 1);
	assert_non_null(changed);
	assert_string_equal(changed->source_name, "x");
	isa_destroy(changed);
	changed = isa_thaw(guest->isa_frozen, "x", NULL, 0, NULL, 0);
	assert_non_null(changed);
	assert_string_equal(changed->text, text);
	isa_destroy(changed);
	assert_null(isa_thaw(guest->isa_frozen, "x", NULL, 0, &other, 1));
	assert_null(isa_thaw(guest->isa_frozen, "x", text, len, &other, 1));
	assert_null(isa_thaw(guest->isa_frozen, "x", text, len, &wrong, 1));
	assert_null(isa_thaw(guest->isa_frozen, "x", text, len - 1, NULL, 0));
	diag_init(&diags);
	changed = isa_thaw_or_load(guest->isa_frozen, "x", text, len, &other, 1, &diags);
	assert_non_null(changed);
	assert_string_equal(isa_option_value(changed, other.option), other.choice);
	assert_true(changed->hash != isa->hash);
	isa_destroy(changed);
	assert_null(isa_thaw_or_load(guest->isa_frozen, "x", text, len, &wrong, 1, &diags));
	assert_int_equal(diags.errors, 1);
	diag_fini(&diags);
	/* One byte in a comment. */
	digit = strstr(text, "##");
	assert_non_null(digit);
	digit[2] = digit[2] == ' ' ? '-' : ' ';
	assert_null(isa_thaw(guest->isa_frozen, "x", text, len, NULL, 0));
	isa_destroy(isa);
	free(text);
}

/* What could not be frozen when Husk was built is loaded. */
static void test_nothing(void **state)
{
	static const IsaFrozenHead nothing;
	const Guest *guest = with_options();
	DiagList diags;
	Isa *isa;

	(void)state;
	assert_null(isa_thaw(&nothing, guest->name, guest->isa_text, strlen(guest->isa_text), NULL, 0));
	diag_init(&diags);
	isa = isa_thaw_or_load(&nothing, guest->name, guest->isa_text, strlen(guest->isa_text), NULL, 0, &diags);
	assert_non_null(isa);
	isa_destroy(isa);
	diag_fini(&diags);
}

/* A text with a warning is not frozen: nobody would see it. */
static void test_refused(void **state)
{
	static const char text[] = "isa toy \"Toy\"\nspace M : 8 x 256\ncode M\nreg pc : 8\nreg a : 8\nreg b : 8\n"
				   "insn nop \"00000000\" { a = a + 1 }\n";
	DiagList diags;
	Buf out;
	Isa *isa;

	(void)state;
	diag_init(&diags);
	buf_init(&out);
	isa = isa_load("toy", text, sizeof text - 1, NULL, 0, &diags);
	assert_non_null(isa);
	assert_int_equal(diags.warnings, 1);
	isa_destroy(isa);
	diag_fini(&diags);
	diag_init(&diags);
	assert_false(isa_freeze("toy", text, sizeof text - 1, &out, &diags));
	assert_int_equal(out.len, 0);
	buf_fini(&out);
	diag_fini(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_others), cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
