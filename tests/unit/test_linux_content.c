/* SPDX-License-Identifier: MIT
 *
 * The bytes of a file in memory (linux/vfs_content.c) against a model: which pages there are, and what is in them, after any order of
 * writing, cutting and growing; and that all of it is given back, slabs too (the sanitizer looks).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/rng.h"
#include "linux/vfs_content.h"

enum { PAGES = 640, SLAB = 16, SLAB_FROM = 64, PLENTY = 64 << 20 };

typedef struct Model {
	u8 bytes[PAGES * CONTENT_PAGE];
	bool pages[PAGES];
	u64 size;
} Model;

static Model model;

/* Without tables. */
static u64 count_pages(void)
{
	u64 count = 0;

	for (u32 i = 0; i < PAGES; i++)
		count += model.pages[i];
	return count;
}

static void compare(const Kernel *kernel, const Content *content)
{
	static u8 bytes[sizeof model.bytes];
	const u64 pages = count_pages();

	assert_int_equal(content->size, model.size);
	assert_int_equal(content_read(content, bytes, sizeof bytes, 0), model.size);
	assert_memory_equal(bytes, model.bytes, model.size);
	for (u64 i = 0; i < PAGES; i++) {
		u64 at = i;
		const u8 *page = content_page(content, &at);

		assert_int_equal(page && at == i, model.pages[i]);
		if (model.pages[i])
			assert_memory_equal(page, model.bytes + i * CONTENT_PAGE, CONTENT_PAGE);
	}
	assert_in_range(content->pages, pages, pages + 3); /* and two tables below one */
	assert_int_equal(kernel->storage, content->pages * CONTENT_PAGE);
}

static void write_at(Kernel *kernel, Content *content, u64 offset, u64 len, Rng *rng)
{
	if (len > sizeof model.bytes - offset)
		len = sizeof model.bytes - offset;
	if (!len)
		return;
	for (u64 i = 0; i < len; i++)
		model.bytes[offset + i] = (u8)(rng_next(rng) | 1);
	for (u64 i = offset / CONTENT_PAGE; i <= (offset + len - 1) / CONTENT_PAGE; i++)
		model.pages[i] = true;
	model.size = offset + len > model.size ? offset + len : model.size;
	assert_int_equal(content_write(kernel, content, model.bytes + offset, len, offset), len);
}

static void resize(Kernel *kernel, Content *content, u64 size)
{
	assert_true(content_resize(kernel, content, size));
	if (size < model.size) {
		memset(model.bytes + size, 0, sizeof model.bytes - size);
		for (u64 i = (size + CONTENT_PAGE - 1) / CONTENT_PAGE; i < PAGES; i++)
			model.pages[i] = false;
	}
	model.size = size;
}

static void as_the_model(void **state)
{
	(void)state;
	for (u64 seed = 0; seed < 60; seed++) {
		Kernel kernel = {.limits.storage = PLENTY};
		Content content = {0};
		Rng rng = {.state = seed};

		memset(&model, 0, sizeof model);
		for (u32 step = 0; step < 40; step++) {
			const u64 place = rng_below(&rng, sizeof model.bytes);

			switch (rng_below(&rng, 6)) {
			case 0: /* anywhere */
				write_at(&kernel, &content, place, rng_below(&rng, 40 * CONTENT_PAGE), &rng);
				break;
			case 1:
				resize(&kernel, &content, place);
				break;
			case 2:
				resize(&kernel, &content, model.size - rng_below(&rng, model.size / 8 + 1));
				break;
			default: /* behind what is there */
				write_at(&kernel, &content, model.size, rng_below(&rng, 60 * CONTENT_PAGE), &rng);
			}
			if (step % 8 == 7)
				compare(&kernel, &content);
		}
		compare(&kernel, &content);
		content_fini(&kernel, &content);
		assert_int_equal(kernel.storage, 0);
	}
}

static const u8 *page_at(const Content *content, u64 page)
{
	u64 at = page;
	const u8 *bytes = content_page(content, &at);

	return at == page ? bytes : NULL;
}

/* Where a file grows in order its pages lie side by side from a certain length on, and nothing counts but what it has. */
static void grows_in_order(void **state)
{
	Kernel kernel = {.limits.storage = PLENTY};
	Content content = {0};
	const u8 *was;

	(void)state;
	for (u64 page = 0; page < PAGES; page++)
		assert_int_equal(content_write(&kernel, &content, (const u8 *)"x", 1, page * CONTENT_PAGE), 1);
	for (u64 page = SLAB_FROM; page < PAGES; page++)
		if (page % SLAB)
			assert_ptr_equal(page_at(&content, page), page_at(&content, page - 1) + CONTENT_PAGE);
	assert_int_equal(content.pages, PAGES + 3);
	/* Cut in the middle of a slab and grown again: at the same place, zero. */
	was = page_at(&content, 101);
	assert_true(content_resize(&kernel, &content, 100 * CONTENT_PAGE));
	assert_null(page_at(&content, 101));
	assert_int_equal(content_write(&kernel, &content, (const u8 *)"yz", 1, 101 * CONTENT_PAGE + 9), 1);
	assert_ptr_equal(page_at(&content, 101), was);
	assert_int_equal(was[0], 0);
	assert_int_equal(was[9], 'y');
	assert_null(page_at(&content, 100));
	content_fini(&kernel, &content);
	assert_int_equal(kernel.storage, 0);
}

/* Where storage ends, the other pages of a slab are not to be had either. */
static void storage_ends(void **state)
{
	static u8 bytes[PAGES * CONTENT_PAGE];
	Kernel kernel = {.limits.storage = 71 * CONTENT_PAGE};
	Content content = {0};

	(void)state;
	assert_int_equal(content_write(&kernel, &content, bytes, sizeof bytes, 0), 70 * CONTENT_PAGE); /* and a table */
	assert_int_equal(content_write(&kernel, &content, bytes, 1, 70 * CONTENT_PAGE), -28);
	assert_int_equal(kernel.storage, 71 * CONTENT_PAGE);
	assert_true(content_resize(&kernel, &content, 65 * CONTENT_PAGE));
	assert_int_equal(kernel.storage, 66 * CONTENT_PAGE);
	assert_int_equal(content_write(&kernel, &content, bytes, sizeof bytes, 65 * CONTENT_PAGE), 5 * CONTENT_PAGE);
	content_fini(&kernel, &content);
	assert_int_equal(kernel.storage, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_model),
		cmocka_unit_test(grows_in_order),
		cmocka_unit_test(storage_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
