/* SPDX-License-Identifier: MIT
 *
 * The areas of an address space against a model that has a byte for each page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "linux/area.h"

enum { PAGES = 2048, PAGE = 4096, GUARD_PAGES = AREA_GUARD / PAGE };

typedef struct Model {
	u16 owner[PAGES];  /* number of the area, 0 = free */
	bool guard[PAGES]; /* free, but an area that grows down is near */
} Model;

/* Free pages right before an area that grows down are its guard. */
static void find_guards(Model *model, const Areas *areas)
{
	memset(model->guard, 0, sizeof model->guard);
	for (const Area *area = areas->first; area; area = area->next)
		if (area->flags & AREA_GROWS_DOWN)
			for (u64 page = area->start / PAGE, k = 0; k < GUARD_PAGES && page > 0 && !model->owner[page - 1]; k++)
				model->guard[--page] = true;
}

static bool model_free(const Model *model, u64 page)
{
	return !model->owner[page] && !model->guard[page];
}

/* The highest (or lowest) place of `len` pages in [low, high), or PAGES. */
static u64 model_place(const Model *model, u64 low, u64 high, u64 len, bool lowest)
{
	u64 run = 0, found = PAGES;

	for (u64 page = low; page < high; page++) {
		run = model_free(model, page) ? run + 1 : 0;
		if (run >= len) {
			found = page + 1 - len;
			if (lowest)
				break;
		}
	}
	return found;
}

static void compare(Areas *areas, const Model *model)
{
	u32 count = 0;

	assert_true(area_check(areas));
	for (u64 page = 0; page < PAGES; page++) {
		const Area *area = area_at(areas, page * PAGE);

		assert_int_equal(area ? area->offset : 0, model->owner[page]);
		if (model->owner[page] && (page == 0 || model->owner[page - 1] != model->owner[page]))
			count++;
	}
	assert_int_equal(areas->count, count);
}

static void insert(Areas *areas, Model *model, u64 start, u64 len, u16 number, u32 flags)
{
	assert_non_null(area_insert(areas, &(Area){.start = start * PAGE, .end = (start + len) * PAGE, .offset = number,
						   .flags = flags}));
	for (u64 page = start; page < start + len; page++)
		model->owner[page] = number;
}

static void resize(Areas *areas, Model *model, Rng *rng, Area *area)
{
	u64 start = area->start / PAGE, end = area->end / PAGE;
	u64 low = area->previous ? area->previous->end / PAGE : 0, high = area->next ? area->next->start / PAGE : PAGES;
	u16 number = (u16)area->offset;
	u64 new_start = low + rng_below(rng, end - low), new_end = new_start + 1 + rng_below(rng, high - new_start);

	/* Sizes stay small, or one area soon has everything. */
	if (new_end - new_start > 64)
		new_end = new_start + 64;
	for (u64 page = start; page < end; page++)
		model->owner[page] = 0;
	for (u64 page = new_start; page < new_end; page++)
		model->owner[page] = number;
	area_resize(areas, area, new_start * PAGE, new_end * PAGE);
}

static void check_places(Areas *areas, Model *model, Rng *rng)
{
	u64 low = rng_below(rng, PAGES), high = rng_below(rng, PAGES + 1), len = 1 + rng_below(rng, 40), start, want;

	if (low > high)
		return;
	find_guards(model, areas);
	want = model_place(model, low, high, len, false);
	assert_int_equal(area_place_below(areas, low * PAGE, high * PAGE, len * PAGE, &start), want != PAGES);
	if (want != PAGES)
		assert_int_equal(start / PAGE, want);
	want = model_place(model, low, high, len, true);
	assert_int_equal(area_place_above(areas, low * PAGE, high * PAGE, len * PAGE, &start), want != PAGES);
	if (want != PAGES)
		assert_int_equal(start / PAGE, want);
}

static void empty(Areas *areas)
{
	while (areas->root)
		area_remove(areas, areas->root);
	assert_true(area_check(areas));
	assert_int_equal(areas->count, 0);
}

static void random_operations(void **state)
{
	Rng rng = {.state = 7};
	static Model model;

	(void)state;
	for (int round = 0; round < 6; round++) {
		Areas areas = {0};
		u16 number = 0;

		memset(&model, 0, sizeof model);
		for (int step = 0; step < 3000; step++) {
			u64 page = rng_below(&rng, PAGES);
			Area *area = area_at(&areas, page * PAGE);

			if (area && rng_below(&rng, 3) == 0) {
				resize(&areas, &model, &rng, area);
			} else if (area) {
				for (u64 p = area->start / PAGE; p < area->end / PAGE; p++)
					model.owner[p] = 0;
				area_remove(&areas, area);
			} else {
				u64 len = 1;

				while (len < 1 + rng_below(&rng, 24) && page + len < PAGES && !model.owner[page + len])
					len++;
				insert(&areas, &model, page, len, ++number, rng_below(&rng, 40) ? 0 : AREA_GROWS_DOWN);
			}
			check_places(&areas, &model, &rng);
			if (step % 50 == 0)
				compare(&areas, &model);
		}
		compare(&areas, &model);
		empty(&areas);
	}
}

/* As many as a program may have, in orders that make trees lean: still as deep as a logarithm. */
static void many(void **state)
{
	enum { MANY = 65530 };

	(void)state;
	for (int order = 0; order < 3; order++) {
		Areas areas = {0};
		u64 start;

		for (u64 i = 0; i < MANY; i++) {
			u64 at = order == 0 ? i : order == 1 ? MANY - 1 - i : i % 2 ? MANY - 1 - i / 2 : i / 2;

			assert_non_null(area_insert(&areas, &(Area){.start = at * 2 * PAGE, .end = (at * 2 + 1) * PAGE}));
		}
		assert_true(area_check(&areas));
		assert_true(areas.root->height <= 24);
		assert_true(area_place_above(&areas, 5 * PAGE, MANY * 2 * PAGE, PAGE, &start));
		assert_int_equal(start, 5 * PAGE);
		assert_true(area_place_below(&areas, 0, (MANY * 2 - 2) * PAGE, PAGE, &start));
		assert_int_equal(start, (MANY * 2 - 3) * (u64)PAGE);
		assert_false(area_place_below(&areas, 0, (MANY * 2 - 1) * PAGE, 2 * PAGE, &start));
		while (areas.first)
			area_remove(&areas, order == 1 ? areas.last : order == 2 ? areas.root : areas.first);
		assert_true(area_check(&areas));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_operations), cmocka_unit_test(many)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
