/* SPDX-License-Identifier: MIT
 *
 * Snapshots of Linux programs when memory is short: each allocation fails once. Saving then says so, a machine that can't be
 * restored can be when there is memory again, and nothing is lost.
 */
#include "unit/linux_run.h"

static long left = -1; /* allocations until one fails; -1: none does */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

static bool fails(void)
{
	return left >= 0 && left-- == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

static void test_no_memory(void **state)
{
	Rig *rig = *state;
	Buf program, output, whole, kernel, part;
	Machine *machine, *other;
	bool failed = true;

	buf_init(&program);
	buf_init(&output);
	buf_init(&whole);
	buf_init(&kernel);
	compile(rig, "tests/linux/kept.c", "-s", &program);
	machine = computer(rig, &output);
	load(machine, rig, &program);
	run_to(machine, 200000);
	snapshot(machine, &whole);
	assert_int_equal(rig->guest->save(machine, &kernel), STATUS_OK);
	for (long n = 0; failed; n++) {
		Status status;

		buf_init(&part);
		left = n;
		status = rig->guest->save(machine, &part);
		failed = left < 0;
		left = -1;
		if (failed)
			assert_int_equal(status, STATUS_NOMEM);
		else
			assert_same(&part, &kernel, "saved", 200000);
		buf_fini(&part);
	}
	machine_destroy(machine);
	failed = true;
	for (long n = 0; failed; n += n < 40 ? 1 : 4) {
		Status status;

		other = computer(rig, &output);
		left = n;
		status = machine_restore(other, whole.data, whole.len);
		failed = left < 0;
		left = -1;
		if (status) {
			assert_true(failed);
			restore(other, &whole);
		}
		run_to(other, 200000 + (n % 16 ? 100 : 100000));
		machine_destroy(other);
	}
	buf_fini(&program);
	buf_fini(&output);
	buf_fini(&whole);
	buf_fini(&kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("linux_save_nomem", tests, setup, teardown);
}
