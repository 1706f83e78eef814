/* SPDX-License-Identifier: MIT
 *
 * Which neighbours come with a page that is touched (linux/mm_touch.c): many where memory is touched in order, or nearly; none elsewhere, as
 * all that is there counts. Anonymous memory of 4096 pages, touched by stores.
 */
#include "unit/linux_mm.h"

enum { BASE = 0x10000000, ALL = 4096 };

static u64 there(const Rig *rig)
{
	return mm_bytes_present(rig->process.mm) / PAGE;
}

static void open_with(Rig *rig, u64 memory_limit, u64 pages)
{
	rig_open(rig, memory_limit);
	assert_int_equal(CALL(rig, mmap, BASE, pages * PAGE, RW, FIXED, (u64)-1, 0), BASE);
	assert_int_equal(there(rig), 0);
}

/* How many came. */
static u64 touch(Rig *rig, u64 page)
{
	const u64 before = there(rig);

	assert_true(store(rig, BASE + page * PAGE, page));
	return there(rig) - before;
}

static bool is_there(const Rig *rig, u64 page)
{
	return machine_page_attr(rig->machine, rig->process.mm->aspace, BASE + page * PAGE) != 0;
}

/* Twice as many as there are, then a quarter of them, and no more than MM_EXPAND. */
static void in_order(void **state)
{
	static const u64 wanted[] = {1, 1, 2, 4, 8, 16, 16, 16, 16, 20, 25};
	u64 page = 0, came, most = 0, touches = 0;
	Rig rig;

	(void)state;
	open_with(&rig, 64 << 20, ALL);
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		if (touch(&rig, page) != wanted[i])
			fail_msg("page %u", (unsigned)page);
		page += wanted[i];
	}
	while (page < ALL) {
		came = touch(&rig, page);
		assert_in_range(came, page + came == ALL ? 1 : MM_EXPAND_SOON, MM_EXPAND);
		assert_true(came <= MM_EXPAND_SOON || came <= page / MM_RUN_PART);
		most = came > most ? came : most;
		touches++;
		page += came;
	}
	assert_int_equal(most, MM_EXPAND);
	assert_true(touches < 80);
	assert_int_equal(there(&rig), ALL); /* no page twice, none beyond the end */
	rig_close(&rig);
}

/* As a heap grows: behind each piece that is given the allocator writes first. */
static void nearly_in_order(void **state)
{
	u64 touches = 0;
	Rig rig;

	(void)state;
	open_with(&rig, 64 << 20, ALL);
	for (u64 page = 0; page + 4 < 1024; page += 3)
		for (u64 k = 0; k < 4; k++)
			touches += touch(&rig, page + (k ? k - 1 : 3)) > 0;
	assert_true(touches < 60);
	assert_in_range(there(&rig), 1000, 1024 + MM_EXPAND);
	/* None is left behind in the middle. */
	for (u64 page = 64; page < 1000; page++)
		assert_true(is_there(&rig, page));
	rig_close(&rig);
}

/* Several that grow in turn, each as if it were alone. */
static void in_several_places(void **state)
{
	u64 touches = 0;
	Rig rig;

	(void)state;
	open_with(&rig, 64 << 20, ALL);
	for (u64 i = 0; i < 500; i++)
		for (u64 stream = 0; stream < 4; stream++)
			touches += touch(&rig, stream * 1024 + i) > 0;
	assert_true(touches < 4 * 35);
	assert_true(there(&rig) <= 4 * (500 + 500 / MM_RUN_PART));
	rig_close(&rig);
}

static void one_by_one(Rig *rig, u64 from, u64 end, u64 step)
{
	for (u64 page = from; page < end; page += step)
		if (touch(rig, page) != 1)
			fail_msg("page %u, in steps of %u", (unsigned)page, (unsigned)step);
}

/* What is touched here and there gets no neighbours: every n-th page, upwards and downwards, and in random order. */
static void here_and_there(void **state)
{
	static const u64 steps[] = {2, 3, 9, 16, 17, 64, 512};
	Rig rig;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		open_with(&rig, 64 << 20, ALL);
		one_by_one(&rig, 5, ALL, steps[i]);
		rig_close(&rig);
		open_with(&rig, 64 << 20, ALL);
		for (u64 page = ALL - 1; page >= steps[i]; page -= steps[i])
			assert_int_equal(touch(&rig, page), 1);
		rig_close(&rig);
	}
	for (u64 seed = 0; seed < 4; seed++) {
		Rng rng = {.state = seed};
		u64 pages = 0;

		open_with(&rig, 64 << 20, ALL);
		for (u64 k = 0; k < ALL / 8; k++)
			pages += touch(&rig, rng_below(&rng, ALL)) > 0;
		assert_true(there(&rig) <= pages + pages / 16);
		rig_close(&rig);
	}
}

/* Alone where memory is scarce, and never beyond the area. */
static void not_where_it_is_scarce(void **state)
{
	u64 page = 0, came, value;
	Rig rig;

	(void)state;
	open_with(&rig, 1024 * PAGE, 1000);
	for (; there(&rig) * PAGE <= mm_memory_limit(rig.process.mm) / 2; page += came)
		came = touch(&rig, page);
	one_by_one(&rig, page, page + 100, 1);
	rig_close(&rig);

	open_with(&rig, 64 << 20, 100);
	for (u64 at = 0; at < 100; at++)
		touch(&rig, at);
	assert_int_equal(there(&rig), 100);
	/* What another area has below is no run of this one. */
	assert_int_equal(CALL(&rig, mmap, BASE + 100 * PAGE, 100 * PAGE, LINUX_PROT_READ, FIXED, (u64)-1, 0), BASE + 100 * PAGE);
	assert_true(load(&rig, BASE + 100 * PAGE, &value));
	assert_int_equal(there(&rig), 101);
	rig_close(&rig);
}

/* A page that is given back is zero when it comes again, with its neighbours or as one; those that stayed are as they were. */
static void what_comes_again(void **state)
{
	u64 value;
	Rig rig;

	(void)state;
	open_with(&rig, 64 << 20, ALL);
	for (u64 page = 0; page < 600; page++)
		assert_true(store(&rig, BASE + page * PAGE, page + 1));
	for (u64 page = 200; page < 600; page += 8)
		assert_int_equal(CALL(&rig, madvise, BASE + page * PAGE, 4 * PAGE, 4), 0);
	for (u64 page = 203; page < 600; page += 8)
		touch(&rig, page);
	for (u64 page = 0; page < 600; page++) {
		assert_true(load(&rig, BASE + page * PAGE, &value));
		assert_int_equal(value, page < 200 || page % 8 >= 4 ? page + 1 : page % 8 == 3 ? page : 0);
	}
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(nearly_in_order),
		cmocka_unit_test(in_several_places),
		cmocka_unit_test(here_and_there),
		cmocka_unit_test(not_where_it_is_scarce),
		cmocka_unit_test(what_comes_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
