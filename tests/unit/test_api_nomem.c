/* SPDX-License-Identifier: MIT
 * libhusk without memory: the N-th allocation fails, for every N, once or from then on; those of the context's allocator and those of
 * malloc. Every call says HUSK_NO_MEMORY or has worked, nothing is lost, and sizes come back as they were asked for.
 *
 * Linked with malloc, calloc, realloc, free, mmap, munmap and strdup wrapped (tests.mk).
 * (no thread sanitizer: nothing here runs side by side)
 */
#include "unit/api.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *memory);
void *__real_mmap(void *address, size_t len, int protection, int flags, int file, off_t offset);
int __real_munmap(void *address, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *memory);
char *__wrap_strdup(const char *string);
void *__wrap_mmap(void *address, size_t len, int protection, int flags, int file, off_t offset);
int __wrap_munmap(void *address, size_t len);

static long left = -1; /* that still succeed; -1: all */
static bool forever, failed;
static long live, hooked; /* held: of malloc and mmap; of the hook */
static size_t hooked_bytes;
static bool hook_only;

static bool refuse(bool is_hook)
{
	if (left < 0 || hook_only != is_hook)
		return false;
	if (left > 0) {
		left--;
		return false;
	}
	failed = true;
	if (!forever)
		left = -1;
	return true;
}

void *__wrap_malloc(size_t size)
{
	void *memory = refuse(false) ? NULL : __real_malloc(size);

	live += memory != NULL;
	return memory;
}

void *__wrap_calloc(size_t count, size_t size)
{
	void *memory = refuse(false) ? NULL : __real_calloc(count, size);

	live += memory != NULL;
	return memory;
}

void *__wrap_realloc(void *old, size_t size)
{
	void *memory = refuse(false) ? NULL : __real_realloc(old, size);

	live += memory != NULL && !old;
	return memory;
}

void __wrap_free(void *memory)
{
	live -= memory != NULL;
	__real_free(memory);
}

char *__wrap_strdup(const char *string)
{
	char *copy = __wrap_malloc(strlen(string) + 1);

	return copy ? strcpy(copy, string) : NULL;
}

void *__wrap_mmap(void *address, size_t len, int protection, int flags, int file, off_t offset)
{
	return refuse(false) ? MAP_FAILED : __real_mmap(address, len, protection, flags, file, offset);
}

int __wrap_munmap(void *address, size_t len)
{
	return __real_munmap(address, len);
}

static void *allocate(void *ctx, size_t bytes)
{
	void *memory = refuse(true) ? NULL : __real_malloc(bytes);

	assert_ptr_equal(ctx, &hooked);
	hooked += memory != NULL;
	hooked_bytes += memory ? bytes : 0;
	return memory;
}

static void release(void *ctx, void *memory, size_t bytes)
{
	assert_ptr_equal(ctx, &hooked);
	assert_non_null(memory);
	hooked--;
	hooked_bytes -= bytes;
	__real_free(memory);
}

static husk_host_result twice(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	(void)ctx;
	(void)machine;
	(void)count;
	*result = 2 * args[0];
	return HUSK_HOST_DONE;
}

/* True: go on. */
#define went(call) went_at(call, #call)
static bool went_at(husk_status status, const char *call)
{
	if (status != HUSK_OK && (status != HUSK_NO_MEMORY || !failed))
		fail_msg("%s: %s", call, husk_status_text(status));
	return status == HUSK_OK;
}

static const char isa_text[] = "isa SMALL\nspace M : 8 x 256\ncode M\nreg a : 8\nreg link : 8\nreg pc : 8\nhost twice(x:8) : 8\n"
			       "insn INC \"00000001\" { a = a + 1 }\ninsn CALL \"00000010\" { a = host twice(a) }\n"
			       "insn RET \"00000011\" { jump link }\ninsn HLT \"00000100\" { stop 0 }\n";
static const char text[] = "INC\n CALL\n INC\n HLT\nF: INC\n CALL\n RET\n";

typedef struct All {
	husk_context *context;
	husk_isa *isa;
	husk_hosts *hosts;
	husk_program *program;
	husk_machine *machine;
	husk_view *view;
	husk_function *function;
	husk_image *image;
	husk_hyper *hyper;
	husk_budget *budget;
	husk_instance *instance, *twin;
	husk_blob *blob, *listing;
} All;

static void use(All *all, husk_engine engine)
{
	const husk_allocator allocator = {&hooked, allocate, release};
	husk_instance_options instance_options;
	husk_machine_options machine_options;
	husk_context_options context_options;
	husk_machine *held;
	husk_convention way;
	uint64_t value;
	uint8_t cell;
	husk_stop stop;

	HUSK_INIT(context_options);
	HUSK_INIT(machine_options);
	HUSK_INIT(instance_options);
	HUSK_INIT(way);
	HUSK_INIT(stop);
	context_options.allocator = &allocator;
	if (!went(husk_context_create(&context_options, &all->context)) ||
	    !went(husk_isa_load_text(all->context, "small.isa", isa_text, strlen(isa_text), NULL, &all->isa, NULL)) ||
	    !went(husk_hosts_create(all->context, &all->hosts)) || !went(husk_hosts_add(all->hosts, "twice", twice, NULL)) ||
	    !went(husk_program_assemble(all->isa, "a.asm", text, strlen(text), NULL, &all->program, NULL)) ||
	    !went(husk_program_listing(all->program, 0, &all->listing)))
		return;
	machine_options.hosts = all->hosts;
	machine_options.engine = engine;
	if (!went(husk_machine_create(all->program, &machine_options, &all->machine, NULL)) ||
	    !went(husk_image_create(all->machine, &all->image)))
		return;
	if (!went(husk_machine_run(all->machine, 100, &stop)))
		return;
	if (stop.kind == HUSK_STOP_ERROR) {
		assert_int_equal(stop.status, HUSK_NO_MEMORY);
		assert_true(failed);
	} else {
		assert_int_equal(stop.kind, HUSK_STOP_HALTED);
		assert_int_equal(husk_machine_get(all->machine, "a", &value), HUSK_OK);
		assert_int_equal(value, 3);
	}
	way.arguments = (const char *const[]){"a"};
	way.argument_count = 1;
	way.result = "a";
	way.link = "link";
	if (!went(husk_view_create(all->machine, 0, 4, 1, &all->view)) ||
	    !went(husk_function_find(all->machine, "F", &way, &all->function)) || !went(husk_view_read(all->view, 0, &cell, 1)))
		return;
	if (went(husk_function_call(all->function, &(uint64_t){20}, 1, 100, &value, &stop)))
		assert_int_equal(value, 42);
	if (!went(husk_machine_snapshot(all->machine, &all->blob)) ||
	    !went(husk_machine_restore(all->machine, husk_blob_data(all->blob), husk_blob_size(all->blob))))
		return;
	instance_options.output_kept = 10;
	if (!went(husk_hyper_create(all->context, NULL, &all->hyper)) ||
	    !went(husk_budget_create(all->hyper, NULL, "some", NULL, &all->budget)))
		return;
	instance_options.budget = all->budget;
	if (!went(husk_instance_create(all->hyper, all->image, &instance_options, &all->instance)) ||
	    !went(husk_instance_fork(all->instance, NULL, &all->twin)) || !went(husk_instance_hold(all->instance, &held)))
		return;
	went(husk_instance_release(all->instance));
	if (!went(husk_instance_start(all->instance)) || !went(husk_hyper_run(all->hyper, HUSK_UNLIMITED)))
		return;
	went(husk_instance_reset(all->instance));
}

static void drop(All *all)
{
	left = -1;
	husk_instance_unref(all->instance);
	husk_instance_unref(all->twin);
	husk_budget_unref(all->budget);
	husk_hyper_destroy(all->hyper);
	husk_image_unref(all->image);
	husk_function_destroy(all->function);
	husk_view_destroy(all->view);
	husk_machine_destroy(all->machine);
	husk_program_unref(all->program);
	husk_hosts_unref(all->hosts);
	husk_isa_unref(all->isa);
	husk_blob_destroy(all->blob);
	husk_blob_destroy(all->listing);
	husk_context_unref(all->context);
}

static void every_one(bool is_hook, husk_engine engine)
{
	hook_only = is_hook;
	for (int way = 0; way < 2; way++)
		for (long n = 0;; n++) {
			const long before = live;
			All all = {.context = NULL};

			left = n;
			forever = way;
			failed = false;
			use(&all, engine);
			drop(&all);
			assert_int_equal(live, before);
			assert_int_equal(hooked, 0);
			assert_int_equal(hooked_bytes, 0);
			if (!failed)
				break;
		}
}

static void test_hook(void **state)
{
	(void)state;
	every_one(true, HUSK_ENGINE_INTERPRETER);
}

static void test_heap(void **state)
{
	(void)state;
	every_one(false, HUSK_ENGINE_INTERPRETER);
}

/* Errors that there is no memory for are errors all the same. */
static void test_errors(void **state)
{
	(void)state;
	for (int is_hook = 0; is_hook < 2; is_hook++)
		for (long n = 0;; n++) {
			const husk_allocator allocator = {&hooked, allocate, release};
			husk_context_options options;
			husk_context *context;
			husk_error *error;
			husk_status status;
			husk_isa *isa;
			long before = live;

			HUSK_INIT(options);
			options.allocator = &allocator;
			left = -1;
			assert_int_equal(husk_context_create(&options, &context), HUSK_OK);
			hook_only = is_hook;
			forever = true;
			failed = false;
			left = n;
			status = husk_isa_load_text(context, "t.isa", "isa T\nspace\n", 12, NULL, &isa, &error);
			left = -1;
			assert_true(status == HUSK_TEXT || status == HUSK_NO_MEMORY);
			assert_non_null(error);
			assert_true(strlen(husk_error_text(error)) > 0);
			assert_true(husk_error_status(error) == HUSK_TEXT || husk_error_status(error) == HUSK_NO_MEMORY);
			husk_error_destroy(error);
			husk_context_unref(context);
			assert_int_equal(hooked, 0);
			assert_int_equal(live, before);
			if (!failed)
				break;
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_hook), cmocka_unit_test(test_heap), cmocka_unit_test(test_errors)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
