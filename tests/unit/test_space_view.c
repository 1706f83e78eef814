/* SPDX-License-Identifier: MIT
 * core: the view of a hard space allows what attr says, after whatever was done to its pages, and shows the same memory.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/rng.h"
#include "core/space.h"

enum { PAGES = 96, SPACE_CELLS = 1 << 26, FIRST = 1000, SHARED = 64 };

typedef struct Lines {
	u64 from, to;
	bool read, write;
} Lines;

/* What the host says it allows: /proc/self/maps. */
static u32 read_maps(Lines *lines, u32 cap)
{
	FILE *file = fopen("/proc/self/maps", "r");
	char text[512];
	u32 count = 0;

	assert_non_null(file);
	while (fgets(text, sizeof text, file)) {
		unsigned long long from, to;
		char rights[8];

		if (sscanf(text, "%llx-%llx %7s", &from, &to, rights) == 3 && count < cap)
			lines[count++] = (Lines){from, to, rights[0] == 'r', rights[1] == 'w'};
	}
	fclose(file);
	return count;
}

static const Lines *line_of(const Lines *lines, u32 count, const void *at)
{
	u64 address = (u64)(uintptr_t)at;

	for (u32 i = 0; i < count; i++)
		if (address >= lines[i].from && address < lines[i].to)
			return &lines[i];
	fail_msg("%p is not mapped", at);
	return NULL;
}

static bool host_allows(const Lines *lines, u32 count, const Space *space, u64 page, bool write)
{
	const Lines *line = line_of(lines, count, space->view + page * SPACE_PAGE);

	return write ? line->write : line->read;
}

/* An access is made in the view only if the host allows it there in all its pages. */
static void expect_places(const Space *space, const Lines *lines, u32 count, u64 page)
{
	for (unsigned write = 0; write < 2; write++) {
		const u64 inside = page * SPACE_PAGE + SPACE_PAGE - 8, across = inside + 4;
		const bool first = host_allows(lines, count, space, page, write), both = first && host_allows(lines, count, space, page + 1, write);

		assert_ptr_equal(space_bytes_for(space, inside, 8, write), (first ? space->view : space->base) + inside);
		assert_ptr_equal(space_bytes_for(space, across, 8, write), (both ? space->view : space->base) + across);
	}
}

/* exact: else it may allow less. */
static void expect_mirror(const Space *space, bool exact)
{
	static Lines lines[4096];
	u32 count = read_maps(lines, COUNT_OF(lines));
	u64 pages = space->cells / SPACE_PAGE;
	const Lines *line;

	for (u64 p = FIRST - 2; p < FIRST + PAGES + 2; p++) {
		u8 attr = space->attr[p];
		bool read = (attr & ATTR_PRESENT) && (attr & ATTR_READ) && !(attr & ATTR_WATCH_READ);
		bool write = read && (attr & ATTR_WRITE) && !(attr & (ATTR_CODE | ATTR_WATCH_WRITE));

		line = line_of(lines, count, space->view + p * SPACE_PAGE);
		if ((line->read && !read) || (line->write && !write) || (exact && (line->read != read || line->write != write)))
			fail_msg("page %llu with attr %x is %d %d", (unsigned long long)p, attr, line->read, line->write);
		read = line->read;
		line = line_of(lines, count, space->base + p * SPACE_PAGE);
		assert_true(line->read && line->write);
		if (read)
			assert_memory_equal(space->base + p * SPACE_PAGE, space->view + p * SPACE_PAGE, 16);
		expect_places(space, lines, count, p);
	}
	line = line_of(lines, count, space->view - 1);
	assert_true(!line->read && !line->write && space->view - SPACE_GUARD >= (u8 *)(uintptr_t)line->from);
	line = line_of(lines, count, space->view + pages * SPACE_PAGE);
	assert_true(!line->read && !line->write);
	line_of(lines, count, space->view + pages * SPACE_PAGE + SPACE_GUARD - 1);
}

static u32 seams_of(const Space *space)
{
	u32 seams = 0;

	for (u64 p = FIRST - 2; p < FIRST + PAGES + 2; p++)
		seams += space->view_rights[p] != space->view_rights[p - 1];
	return seams;
}

static u8 random_rights(Rng *rng)
{
	return (u8)(rng_below(rng, 8) * ATTR_READ);
}

static void change(Space *space, Rng *rng, int fd)
{
	u64 page = FIRST + rng_below(rng, PAGES), count = 1 + rng_below(rng, rng_below(rng, 4) ? 4 : 40), other;
	u8 mark = rng_below(rng, 2) ? ATTR_CODE : rng_below(rng, 2) ? ATTR_WATCH_READ : ATTR_WATCH_WRITE;

	if (page + count > FIRST + PAGES)
		count = FIRST + PAGES - page;
	switch (rng_below(rng, 8)) {
	case 0:
	case 1:
		space_pages_add(space, page, count, random_rights(rng));
		break;
	case 2:
		space_pages_protect(space, page, count, random_rights(rng));
		break;
	case 3:
		space_pages_drop(space, page, count);
		break;
	case 4:
		other = FIRST + rng_below(rng, PAGES);
		space_pages_drop(space, other, count);
		if (other + count <= FIRST + PAGES)
			space_pages_move(space, page, other, count); /* or they overlap */
		break;
	case 5:
		space_pages_mark(space, page, count, mark, 0);
		break;
	case 6:
		space_pages_mark(space, page, count, 0, mark);
		break;
	default:
		space_pages_drop(space, page, count);
		assert_int_equal(space_pages_back(space, page, count, fd, rng_below(rng, SHARED - (u32)count) * SPACE_PAGE),
				 STATUS_OK);
		break;
	}
	for (u64 p = page; p < page + count; p++) /* the host writes whatever the rights */
		if (space->attr[p] & ATTR_PRESENT)
			memset(space->base + p * SPACE_PAGE, (int)rng_below(rng, 256), 16);
}

static void mirror(void **state)
{
	int fd = memfd_create("shared", 0);

	(void)state;
	assert_int_equal(ftruncate(fd, SHARED * SPACE_PAGE), 0);
	for (u64 seed = 1; seed <= 12; seed++) {
		Rng rng = {seed};
		u32 all = 7, before = 0;
		Space space, copy;

		assert_int_equal(space_init_paged(&space, "s", SPACE_CELLS, true), STATUS_OK);
		space.all_seams = &all;
		for (u32 step = 0; step < 20 * (seed % 3); step++)
			change(&space, &rng, fd);
		assert_true(space_harden(&space));
		for (u32 step = 0; step < 120; step++) {
			expect_mirror(&space, step == 0);
			change(&space, &rng, fd);
			assert_non_null(space.view);
			assert_int_equal(space.seams, seams_of(&space));
			assert_int_equal(all, 7 + space.seams);
			before += space.seams;
		}
		assert_true(before > 100);
		for (u64 p = 0; p < SPACE_CELLS / SPACE_PAGE; p++)
			space_settle(&space, p);
		expect_mirror(&space, true);

		assert_int_equal(space_init_paged(&copy, "s", SPACE_CELLS, true), STATUS_OK);
		assert_int_equal(space_pages_copy(&copy, &space), STATUS_OK);
		assert_null(copy.view);
		assert_true(space_harden(&copy));
		expect_mirror(&copy, false);
		space_fini(&copy);

		space_clear(&space);
		assert_int_equal(space.present, 0);
		assert_null(space.view); /* there is nothing to see */
		assert_true(space_harden(&space));
		space_pages_add(&space, FIRST, PAGES, ATTR_READ | ATTR_WRITE);
		expect_mirror(&space, true);
		for (u64 p = FIRST; p < FIRST + PAGES; p++)
			for (u32 i = 0; i < 16; i++)
				assert_int_equal(space.view[p * SPACE_PAGE + i], 0);
		space_soften(&space);
		assert_int_equal(all, 7);
		space_fini(&space);
	}
	close(fd);
}

/* More changes of rights than a process may have maps: the space works on, soft. */
static void too_many_seams(void **state)
{
	enum { CELLS = 1 << 28 };
	u64 pages = CELLS / SPACE_PAGE, value;
	u32 all = 0;
	Space space;

	(void)state;
	assert_int_equal(space_init_paged(&space, "s", CELLS, true), STATUS_OK);
	space.all_seams = &all;
	assert_true(space_harden(&space));
	for (u64 p = 0; p < pages; p++)
		space_pages_add(&space, p, 1, p % 2 ? ATTR_READ : ATTR_READ | ATTR_WRITE);
	assert_null(space.view);
	assert_int_equal(all, 0);
	assert_false(space_harden(&space));
	assert_true(space_poke(&space, 5 * SPACE_PAGE, 77));
	assert_true(space_peek(&space, 5 * SPACE_PAGE, &value));
	assert_int_equal(value, 77);
	assert_int_equal(space.present, pages);
	space_pages_drop(&space, 0, pages / 2);
	assert_int_equal(space.present, pages / 2);
	space_pages_add(&space, 5, 1, ATTR_READ);
	assert_true(space_peek(&space, 5 * SPACE_PAGE, &value));
	assert_int_equal(value, 0);
	space_fini(&space);
}

static void soft_ones(void **state)
{
	Space space;

	(void)state;
	assert_int_equal(space_init_paged(&space, "s", SPACE_CELLS, false), STATUS_OK);
	assert_false(space_harden(&space));
	space_pages_add(&space, 3, 2, ATTR_READ);
	assert_false(space_settle(&space, 3));
	assert_ptr_equal(space_bytes_for(&space, 3 * SPACE_PAGE, 8, false), space.base + 3 * SPACE_PAGE);
	space_fini(&space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mirror), cmocka_unit_test(too_many_seams), cmocka_unit_test(soft_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
