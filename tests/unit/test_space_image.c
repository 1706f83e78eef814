/* SPDX-License-Identifier: MIT
 *
 * core: spaces over images, after whatever was done to their pages: each page has what a model says, what was written is found, and
 * the image stays as it was.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/rng.h"
#include "core/space.h"

enum { PAGES = 200, SPACE_CELLS = 1 << 26, FIRST = 4000, FILE_PAGES = 100 }; /* over the border of two chunks */

typedef struct Model {
	Space space;
	u8 tags[PAGES];       /* what all bytes of a page are */
	bool present[PAGES];
	bool written[PAGES];  /* since it was put there or reverted */
	u32 image[PAGES];     /* page of the file + 1; 0: none */
	bool shared[PAGES];
	int file, memory;
} Model;

static u8 *bytes(const Model *model, u32 page)
{
	return model->space.base + ((size_t)(FIRST + page) << SPACE_PAGE_SHIFT);
}

static int make_file(bool filled)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	u8 page[SPACE_PAGE];

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, FILE_PAGES * SPACE_PAGE), 0);
	for (u32 i = 0; i < FILE_PAGES && filled; i++) {
		memset(page, (int)i + 1, sizeof page);
		assert_int_equal(pwrite(fd, page, sizeof page, (off_t)i * SPACE_PAGE), sizeof page);
	}
	return fd;
}

static void forget(Model *model, u32 page, u32 count)
{
	for (u32 p = page; p < page + count; p++) {
		model->tags[p] = 0;
		model->present[p] = model->shared[p] = false;
		model->written[p] = true; /* may count as such, and need not */
		model->image[p] = 0;
	}
}

static void write_page(Model *model, u32 page, u8 tag)
{
	if (!model->present[page] || model->shared[page])
		return;
	memset(bytes(model, page), tag, SPACE_PAGE);
	model->tags[page] = tag;
	model->written[page] = true;
}

static void put(Model *model, u32 page, u32 count, u32 at)
{
	assert_int_equal(space_pages_drop(&model->space, FIRST + page, count), STATUS_OK);
	forget(model, page, count);
	assert_int_equal(space_image_put(&model->space, FIRST + page, count, model->file, at), STATUS_OK);
	assert_true(space_image_is(&model->space, FIRST + page, count, at));
	space_pages_add(&model->space, FIRST + page, count, ATTR_READ | ATTR_WRITE);
	for (u32 i = 0; i < count; i++) {
		model->tags[page + i] = (u8)(at + i + 1);
		model->present[page + i] = true;
		model->written[page + i] = false;
		model->image[page + i] = at + i + 1;
	}
}

static void revert(Model *model, u32 page, u32 count)
{
	for (u32 p = page; p < page + count; p++)
		if (model->shared[p])
			return;
	space_revert(&model->space, FIRST + page, count);
	for (u32 p = page; p < page + count; p++) {
		model->tags[p] = (u8)model->image[p];
		model->written[p] = false;
		if (!model->present[p] && model->image[p]) { /* as whoever reverts does: present again */
			space_pages_add(&model->space, FIRST + p, 1, ATTR_READ | ATTR_WRITE);
			model->present[p] = true;
		}
	}
}

static void share(Model *model, u32 page, u32 count, u32 at)
{
	assert_int_equal(space_pages_drop(&model->space, FIRST + page, count), STATUS_OK);
	forget(model, page, count);
	assert_int_equal(space_pages_back(&model->space, FIRST + page, count, model->memory, (u64)at * SPACE_PAGE), STATUS_OK);
	space_pages_add(&model->space, FIRST + page, count, ATTR_READ);
	for (u32 p = page; p < page + count; p++)
		model->present[p] = model->shared[p] = true;
}

static void move(Model *model, u32 from, u32 to, u32 count)
{
	if (from < to ? to - from < count : from - to < count)
		return;
	assert_int_equal(space_pages_drop(&model->space, FIRST + to, count), STATUS_OK);
	forget(model, to, count);
	assert_int_equal(space_pages_move(&model->space, FIRST + from, FIRST + to, count), STATUS_OK);
	for (u32 i = 0; i < count; i++) {
		model->tags[to + i] = model->present[from + i] ? model->tags[from + i] : 0;
		model->present[to + i] = model->present[from + i];
		model->shared[to + i] = model->shared[from + i];
	}
	forget(model, from, count);
}

static void check_page(const Model *model, const Space *space, u32 page)
{
	const u8 *at = space->base + ((size_t)(FIRST + page) << SPACE_PAGE_SHIFT);

	assert_int_equal(!!(space->attr[FIRST + page] & ATTR_PRESENT), model->present[page]);
	if (at[0] != model->tags[page] || memcmp(at, at + 1, SPACE_PAGE - 1) != 0)
		fail_msg("page %u is %u, not %u", page, at[0], model->tags[page]);
}

static void check(const Model *model, int pagemap)
{
	bool found[PAGES] = {false};
	u64 page, end, last = 0;
	SpaceScan scan;

	space_scan_begin(&scan, &model->space, pagemap, FIRST, FIRST + PAGES);
	while (space_scan_next(&scan, &page, &end)) {
		assert_true(page >= last && page < end && page >= FIRST && end <= FIRST + PAGES);
		for (last = end; page < end; page++)
			found[page - FIRST] = true;
	}
	for (u32 p = 0; p < PAGES; p++) {
		/* Nothing that was written is missed, and nothing else of an image is found. A page of zeros need not be. */
		if (!found[p] && model->written[p] && model->tags[p] && !model->shared[p])
			fail_msg("page %u was written and is not found", p);
		if (found[p] && pagemap >= 0 && !model->written[p])
			fail_msg("page %u was not written and is found", p);
		check_page(model, &model->space, p);
	}
}

static void check_copy(const Model *model)
{
	Space copy;

	assert_int_equal(space_init_paged(&copy, "copy", SPACE_CELLS, false), STATUS_OK);
	assert_int_equal(space_pages_copy(&copy, &model->space), STATUS_OK);
	for (u32 p = 0; p < PAGES; p++)
		check_page(model, &copy, p);
	space_fini(&copy);
}

static void drop(Model *model, u32 page, u32 count)
{
	assert_int_equal(space_pages_drop(&model->space, FIRST + page, count), STATUS_OK);
	forget(model, page, count);
}

static void anything(void **state)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	Rng rng = {1};

	(void)state;
	for (u32 round = 0; round < 12; round++) {
		Model model = {.file = make_file(true), .memory = make_file(false)};

		assert_int_equal(space_init_paged(&model.space, "s", SPACE_CELLS, false), STATUS_OK);
		for (u32 step = 0; step < 120; step++) {
			u32 page = (u32)rng_below(&rng, PAGES), count = 1 + (u32)rng_below(&rng, PAGES - page < 40 ? PAGES - page : 40);
			u32 at = (u32)rng_below(&rng, FILE_PAGES - count);

			switch (rng_below(&rng, 9)) {
			case 0:
			case 1: put(&model, page, count, at); break;
			case 2: drop(&model, page, count); break;
			case 3: revert(&model, page, count); break;
			case 4: share(&model, page, count < 3 ? count : 3, at); break;
			case 5: move(&model, page, (u32)rng_below(&rng, PAGES - count), count); break;
			case 6:
				space_pages_add(&model.space, FIRST + page, count, ATTR_READ | ATTR_WRITE);
				for (u32 p = page; p < page + count; p++)
					model.present[p] = true;
				break;
			default:
				for (u32 i = 0; i < 10; i++)
					write_page(&model, (page + i * 7) % PAGES, (u8)rng_next(&rng));
			}
			if (step % 8 == 0)
				check(&model, step % 16 ? pagemap : -1);
		}
		check_copy(&model);
		space_fini(&model.space);
		for (u32 i = 0; i < FILE_PAGES; i++) { /* nobody's writes are in it */
			u8 byte = 0;

			assert_int_equal(pread(model.file, &byte, 1, (off_t)i * SPACE_PAGE + 99), 1);
			assert_int_equal(byte, i + 1);
		}
		close(model.file);
		close(model.memory);
	}
	if (pagemap >= 0)
		close(pagemap);
}

/* Every other page is dropped: there are not as many maps as that. */
static void holes(void **state)
{
	enum { MANY = 5000 };
	int fd = memfd_create("image", MFD_CLOEXEC);
	u8 page[SPACE_PAGE];
	Space space;

	(void)state;
	memset(page, 5, sizeof page);
	for (u32 i = 0; i < MANY; i++)
		assert_int_equal(pwrite(fd, page, sizeof page, (off_t)i * SPACE_PAGE), sizeof page);
	assert_int_equal(space_init_paged(&space, "s", SPACE_CELLS, false), STATUS_OK);
	assert_int_equal(space_image_put(&space, 0, MANY, fd, 0), STATUS_OK);
	space_pages_add(&space, 0, MANY, ATTR_READ | ATTR_WRITE);
	for (u32 i = 0; i < MANY; i += 2)
		assert_int_equal(space_pages_drop(&space, i, 1), STATUS_OK);
	assert_true(space.image_count < 500);
	for (u32 i = 0; i < MANY; i++) {
		assert_int_equal(space.base[(size_t)i * SPACE_PAGE + 7], i % 2 ? 5 : 0);
		assert_int_equal(!!(space.attr[i] & ATTR_PRESENT), i % 2);
	}
	assert_int_equal(space_pages_drop(&space, 0, MANY), STATUS_OK);
	assert_int_equal(space.image_count, 0);
	for (u32 i = 0; i < MANY; i++)
		assert_int_equal(space.base[(size_t)i * SPACE_PAGE], 0);
	space_fini(&space);
	close(fd);
}

static void refused(void **state)
{
	int fd = make_file(true);
	Space space;

	(void)state;
	assert_int_equal(space_init_in_file(&space, "s", SPACE_CELLS), STATUS_OK); /* can be made hard */
	assert_true(space.has_file);
	assert_int_equal(space_image_put(&space, 0, 1, fd, 0), STATUS_UNSUPPORTED);
	space_fini(&space);
	assert_int_equal(space_init_paged(&space, "s", SPACE_CELLS, false), STATUS_OK);
	assert_int_equal(space_image_put(&space, 0, 0, fd, 0), STATUS_INVALID);
	assert_int_equal(space_image_put(&space, (SPACE_CELLS >> SPACE_PAGE_SHIFT) - 1, 2, fd, 0), STATUS_INVALID);
	assert_int_equal(space_image_put(&space, 3, 1, -1, 0), STATUS_NOMEM);
	assert_int_equal(space.image_count, 0);
	space_fini(&space);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anything),
		cmocka_unit_test(holes),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests_name("space_image", tests, NULL, NULL);
}
