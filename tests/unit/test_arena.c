/* SPDX-License-Identifier: MIT
 * base/arena, base/strmap: allocations keep to themselves, whatever their sizes; a settled map.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/arena.h"
#include "base/rng.h"
#include "base/strmap.h"

enum { MANY = 3000 };

typedef struct Given {
	u8 *bytes;
	size_t size;
	u8 mark;
} Given;

/* Mostly small; now and then larger than a window of pages, or than a chunk. */
static size_t some_size(Rng *rng)
{
	static const size_t kinds[] = {1, 40, 300, 5000, 70000, 300000, 900000};
	const u64 kind = rng_below(rng, 1000);

	return rng_below(rng, kinds[kind < 600 ? 1 : kind < 800 ? 2 : kind < 900 ? 0 : kind < 980 ? 3 : kind < 996 ? 4 : kind < 999 ? 5 : 6] + 1);
}

static bool is_all(const u8 *bytes, size_t size, u8 mark)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != mark)
			return false;
	return true;
}

static void fill(Arena *arena, Rng *rng, Given *given, bool zeroed)
{
	size_t total = 0;

	for (u32 i = 0; i < MANY; i++) {
		const size_t size = some_size(rng);

		given[i] = (Given){zeroed ? arena_alloc(arena, size) : arena_room(arena, size), size, (u8)(i * 7 + 1)};
		assert_non_null(given[i].bytes);
		assert_int_equal((uintptr_t)given[i].bytes % ARENA_ALIGN, 0);
		if (zeroed)
			assert_true(is_all(given[i].bytes, size, 0));
		memset(given[i].bytes, given[i].mark, size);
		total += (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
	}
	assert_int_equal(arena->total, total);
	for (u32 i = 0; i < MANY; i++)
		assert_true(is_all(given[i].bytes, given[i].size, given[i].mark));
}

static void allocations(void **state)
{
	Given *given = calloc(MANY, sizeof *given);
	Rng rng = {1};
	Arena arena;

	(void)state;
	assert_non_null(given);
	arena_init(&arena);
	for (int round = 0; round < 6; round++) {
		fill(&arena, &rng, given, round % 2 == 0);
		arena_reset(&arena);
	}
	arena_fini(&arena);
	free(given);
}

/* Arrays that grow, side by side. */
static void growing(void **state)
{
	u32 *items[5] = {0}, cap[5] = {0}, count[5] = {0};
	Rng rng = {2};
	Arena arena;

	(void)state;
	arena_init(&arena);
	for (u32 i = 0; i < 400000; i++) {
		const u64 which = rng_below(&rng, 5);

		assert_true(arena_grow(&arena, (void **)&items[which], &cap[which], count[which], sizeof(u32)));
		items[which][count[which]] = count[which] ^ (u32)which << 28;
		count[which]++;
	}
	for (u32 which = 0; which < 5; which++)
		for (u32 i = 0; i < count[which]; i++)
			assert_int_equal(items[which][i], i ^ which << 28);
	arena_fini(&arena);
}

/* Each allocation can be told from the others, in order. */
static void apart(void **state)
{
	static const size_t sizes[] = {1, 16, 17, 0, 100000};
	ArenaPiece pieces[COUNT_OF(sizes) + 1] = {0};
	u8 *given[COUNT_OF(sizes)];
	Arena arena;

	(void)state;
	arena_init_apart(&arena);
	assert_int_equal(arena_pieces(&arena, NULL, 0), 0);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		given[i] = i % 2 ? arena_room(&arena, sizes[i]) : arena_alloc(&arena, sizes[i]);
		assert_non_null(given[i]);
		assert_true(is_all(given[i], sizes[i], 0));
	}
	assert_int_equal(arena_pieces(&arena, pieces, COUNT_OF(pieces)), COUNT_OF(sizes));
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		assert_ptr_equal(pieces[i].bytes, given[i]);
		assert_true(pieces[i].size >= sizes[i] && pieces[i].size % ARENA_ALIGN == 0 && pieces[i].size < sizes[i] + 17);
	}
	assert_null(pieces[COUNT_OF(sizes)].bytes);
	arena_fini(&arena);
}

/* Nothing of a settled map is on the heap, and it can still be changed. */
static void settling(void **state)
{
	char names[300][8];
	Arena arena;
	StrMap map;

	(void)state;
	arena_init(&arena);
	strmap_init(&map, true);
	assert_true(strmap_settle(&map, &arena));
	strmap_fini(&map);
	strmap_init(&map, true);
	for (u32 i = 0; i < 300; i++) {
		snprintf(names[i], sizeof names[i], "N%u", i);
		if (i == 200)
			assert_true(strmap_settle(&map, &arena));
		assert_true(strmap_put(&map, names[i], strlen(names[i]), i));
	}
	for (u32 i = 0; i < 300; i++)
		assert_int_equal(strmap_get(&map, names[i], strlen(names[i]), 999), i);
	assert_int_equal(strmap_get(&map, "n7", 2, 999), 7);
	assert_int_equal(strmap_get(&map, "N300", 4, 999), 999);
	assert_true(strmap_settle(&map, &arena));
	assert_int_equal(strmap_get(&map, "n299", 4, 999), 299);
	strmap_fini(&map);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations), cmocka_unit_test(growing), cmocka_unit_test(apart), cmocka_unit_test(settling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
