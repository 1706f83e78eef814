/* SPDX-License-Identifier: MIT
 * core/space: sizes, bounds, wrapping, growing and shrinking; a huge space costs nothing until it is touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/rng.h"
#include "core/space.h"

static void cells(void **state)
{
	static const struct { u8 bits, shift; } kinds[] = {{1, 0}, {8, 0}, {9, 1}, {16, 1}, {24, 2}, {32, 2}, {48, 3}, {64, 3}};

	(void)state;
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		Space s;
		u64 value = 1, ones = kinds[k].bits == 64 ? ~(u64)0 : ((u64)1 << kinds[k].bits) - 1;

		assert_int_equal(space_init(&s, "s", kinds[k].bits, 100, 200, false, false), STATUS_OK);
		assert_int_equal(s.cell_shift, kinds[k].shift);
		assert_int_equal(s.attr_shift, 0);
		assert_true(space_peek(&s, 99, &value));
		assert_int_equal(value, 0);
		assert_true(space_poke(&s, 99, ~(u64)0)); /* bits above the cell are dropped */
		assert_true(space_peek(&s, 99, &value));
		assert_int_equal(value, ones);
		assert_int_equal(space_cell(&s, 99), ones);
		assert_true(space_peek(&s, 98, &value));
		assert_int_equal(value, 0);
		assert_false(space_peek(&s, 100, &value));
		assert_false(space_poke(&s, 100, 1));
		assert_false(space_peek(&s, ~(u64)0, &value));
		space_fini(&s);
		assert_null(s.base);
	}
}

static void wrapping(void **state)
{
	Space s;
	u64 value;

	(void)state;
	assert_int_equal(space_init(&s, "M", 16, 0x10000, 0x10000, true, false), STATUS_OK);
	assert_true(space_poke(&s, 0x1FFFF, 7));
	assert_true(space_peek(&s, 0xFFFF, &value));
	assert_int_equal(value, 7);
	assert_true(space_peek(&s, ~(u64)0, &value));
	assert_int_equal(value, 7);
	assert_int_equal(space_resize(&s, 0x8000), STATUS_INVALID);
	assert_int_equal(space_resize(&s, 0x10000), STATUS_OK);
	space_clear(&s);
	assert_true(space_peek(&s, 0xFFFF, &value));
	assert_int_equal(value, 0);
	space_fini(&s);
}

static void resizing(void **state)
{
	Space s;
	u64 value;

	(void)state;
	assert_int_equal(space_init(&s, "s", 32, 10, 100000, false, false), STATUS_OK);
	assert_false(space_poke(&s, 10, 5));
	assert_int_equal(space_resize(&s, 50000), STATUS_OK);
	for (u64 i = 0; i < 50000; i++)
		assert_true(space_poke(&s, i, i + 1));
	assert_int_equal(space_resize(&s, 777), STATUS_OK);
	assert_int_equal(space_resize(&s, 100000), STATUS_OK);
	for (u64 i = 0; i < 100000; i++) { /* what came back is zero, what stayed is there */
		assert_true(space_peek(&s, i, &value));
		assert_int_equal(value, i < 777 ? i + 1 : 0);
	}
	assert_int_equal(space_resize(&s, 100001), STATUS_TOO_BIG);
	assert_int_equal(s.cells, 100000);
	assert_int_equal(space_resize(&s, 0), STATUS_OK);
	assert_false(space_peek(&s, 0, &value));
	space_clear(&s);
	space_fini(&s);
}

static void limits(void **state)
{
	Space s;

	(void)state;
	assert_int_equal(space_init(&s, "s", 0, 1, 1, false, false), STATUS_INVALID);
	assert_int_equal(space_init(&s, "s", 65, 1, 1, false, false), STATUS_INVALID);
	assert_int_equal(space_init(&s, "s", 8, 2, 1, false, false), STATUS_INVALID);
	assert_int_equal(space_init(&s, "s", 8, 0, 0, false, false), STATUS_INVALID);
	assert_int_equal(space_init(&s, "s", 8, 100, 100, true, false), STATUS_INVALID);
	assert_int_equal(space_init(&s, "s", 8, 64, 128, true, false), STATUS_INVALID);
	assert_int_equal(space_init(&s, "s", 64, ~(u64)0, ~(u64)0, false, false), STATUS_TOO_BIG);
	assert_int_equal(space_init(&s, "s", 64, 0, (u64)1 << 61, false, false), STATUS_TOO_BIG);
}

static void untouched_is_free(void **state)
{
	Space s;
	u64 value;

	(void)state;
	assert_int_equal(space_init(&s, "s", 8, (u64)1 << 36, (u64)1 << 36, false, false), STATUS_OK);
	assert_int_equal(s.attr_shift, 12);
	assert_true(space_poke(&s, ((u64)1 << 36) - 1, 9));
	assert_true(space_peek(&s, (u64)1 << 35, &value));
	assert_int_equal(value, 0);
	space_clear(&s);
	assert_true(space_peek(&s, ((u64)1 << 36) - 1, &value));
	assert_int_equal(value, 0);
	space_fini(&s);
}

/* Pages that are present are found, from wherever one looks and up to wherever, over runs of empty chunks of all lengths. */
static void present(void **state)
{
	enum { PAGES = 1 << 26, SOME = 400 };
	u64 pages[SOME + 1];
	Rng rng = {5};
	Space s;

	(void)state;
	assert_int_equal(space_init_paged(&s, "mem", (u64)PAGES * SPACE_PAGE, false), STATUS_OK);
	for (u32 i = 0; i < SOME; i++) { /* ever further apart, now and then beside each other */
		const u64 step = i % 3 == 0 ? 1 : 1 + rng_below(&rng, (u64)2 << i / 18);

		pages[i] = i ? pages[i - 1] + step : 3;
		if (pages[i] >= PAGES)
			pages[i] = PAGES - 1;
		space_pages_add(&s, pages[i], 1, ATTR_READ);
	}
	pages[SOME] = ~(u64)0;
	for (u32 i = 0; i < 20000; i++) {
		const u64 from = i % 2 ? rng_below(&rng, PAGES) : pages[rng_below(&rng, SOME)] + rng_below(&rng, 3);
		const u64 end = i % 4 < 2 ? ~(u64)0 : from + rng_below(&rng, (u64)2 << rng_below(&rng, 27));
		u64 found = from;
		u32 next = 0;

		while (pages[next] < from)
			next++;
		if (pages[next] < end) {
			assert_true(space_next_present(&s, &found, end));
			assert_int_equal(found, pages[next]);
		} else {
			assert_false(space_next_present(&s, &found, end));
		}
	}
	space_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells),  cmocka_unit_test(wrapping),	       cmocka_unit_test(resizing),
		cmocka_unit_test(limits), cmocka_unit_test(untouched_is_free), cmocka_unit_test(present),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
