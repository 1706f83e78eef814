/* SPDX-License-Identifier: MIT
 *
 * Arrays that grow: what is there stays, what is new through array_reach is zero, sizes that cannot be are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/array.h"

static void grow(void **state)
{
	u64 *items = NULL;
	u32 cap = 0;

	(void)state;
	for (u32 i = 0; i < 1000; i++) {
		assert_true(array_grow((void **)&items, &cap, i, sizeof(*items)));
		assert_true(cap > i);
		items[i] = 3 * i;
	}
	for (u32 i = 0; i < 1000; i++)
		assert_int_equal(items[i], 3 * i);
	free(items);
}

static void reach(void **state)
{
	static const u32 indexes[] = {0, 5, 8, 100, 99, 1000};
	u32 *items = NULL, cap = 0;

	(void)state;
	for (u32 i = 0; i < sizeof(indexes) / sizeof(*indexes); i++) {
		assert_true(array_reach((void **)&items, &cap, indexes[i], sizeof(*items)));
		assert_true(cap > indexes[i]);
		assert_int_equal(items[indexes[i]], 0);
		items[indexes[i]] = i + 1;
	}
	for (u32 i = 0; i < sizeof(indexes) / sizeof(*indexes); i++)
		assert_int_equal(items[indexes[i]], i + 1);
	for (u32 i = 101; i < 1000; i++)
		assert_int_equal(items[i], 0);
	free(items);
}

static void too_large(void **state)
{
	u8 *items = NULL;
	u32 cap = 1u << 30, none = 0;

	(void)state;
	assert_false(array_grow((void **)&items, &cap, cap, 1));
	assert_int_equal(cap, 1u << 30);
	assert_false(array_reach((void **)&items, &none, ~0u, 1));
	assert_false(array_grow((void **)&items, &none, 0, SIZE_MAX / 2));
	assert_null(items);
	assert_int_equal(none, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grow),
		cmocka_unit_test(reach),
		cmocka_unit_test(too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
