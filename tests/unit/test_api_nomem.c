/* SPDX-License-Identifier: MIT
 * libhusk without memory: the N-th allocation fails, for every N, once or from then on; those of the context's allocator and those of
 * malloc. Every call says HUSK_NO_MEMORY or has worked, nothing is lost, and sizes come back as they were asked for.
 *
 * Linked with malloc, calloc, realloc, free, mmap, munmap and strdup wrapped (tests.mk).
 * (no thread sanitizer: nothing here runs side by side)
 */
#include "unit/api.h"
#include "unit/nomem.h"
#include "unit/postal.h"

#include <stdio.h>

static long hooked; /* held of the hook */
static size_t hooked_bytes;

static void *allocate(void *ctx, size_t bytes)
{
	void *memory = nomem_refuse(true) ? NULL : __real_malloc(bytes);

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
	if (status != HUSK_OK && (status != HUSK_NO_MEMORY || !nomem.failed))
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
		assert_true(nomem.failed);
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
	nomem.left = -1;
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
	nomem.of_hook = is_hook;
	for (int way = 0; way < 2; way++)
		for (long n = 0;; n++) {
			const long before = nomem.heap;
			All all = {.context = NULL};

			nomem_limit(n, way);
			use(&all, engine);
			drop(&all);
			assert_int_equal(nomem.heap, before);
			assert_int_equal(hooked, 0);
			assert_int_equal(hooked_bytes, 0);
			if (!nomem.failed)
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

/* ---- Letters, children, a store ---- */

static const char mother[] = "SPAWN R1, kid\nJOIN R1\nFIND R1, desk\nSEND R1, letter\nKGET R0, letter\nKSET R0, letter\nKNEXT R0, letter\n"
			     "GET R1, letter\nSTOP R1\nkid: .TEXT \"kid\"\ndesk: .TEXT \"desk\"\nletter: .WORD 1, 2, 3, 4\n";
static const char kid[] = "STOP R1\n";

typedef struct Village {
	husk_context *context;
	husk_isa *isa;
	husk_program *programs[2];
	husk_machine *machines[2];
	husk_image *images[2];
	husk_sqlite *sqlite;
	husk_hyper *hyper;
	husk_mailbox *desk;
	husk_instance *mother, *found[4];
	size_t count;
} Village;

static husk_status on_spawn(void *ctx, husk_instance *parent, const char *name, husk_spawn *spawn)
{
	const Village *village = ctx;

	(void)parent;
	assert_string_equal(name, "kid");
	return husk_spawn_create(spawn, village->images[1], NULL, NULL);
}

static void live_there(Village *village)
{
	const husk_allocator allocator = {&hooked, allocate, release};
	husk_instance_options instance_options;
	husk_mailbox_options mailbox_options;
	husk_context_options context_options;
	husk_hyper_options hyper_options;
	uint8_t letter[8];
	husk_status status;
	size_t len;

	HUSK_INIT(context_options);
	HUSK_INIT(hyper_options);
	HUSK_INIT(instance_options);
	HUSK_INIT(mailbox_options);
	context_options.allocator = &allocator;
	mailbox_options.name = "desk";
	if (!went(husk_context_create(&context_options, &village->context)) ||
	    !went(husk_isa_load_text(village->context, "postal.isa", mail_isa, strlen(mail_isa), NULL, &village->isa, NULL)))
		return;
	for (int i = 0; i < 2; i++) {
		const char *program = i ? kid : mother;

		if (!went(husk_program_assemble(village->isa, "a.asm", program, strlen(program), NULL, &village->programs[i], NULL)) ||
		    !went(husk_machine_create(village->programs[i], NULL, &village->machines[i], NULL)) ||
		    !went(husk_image_create(village->machines[i], &village->images[i])))
			return;
	}
	status = husk_sqlite_open(village->context, ":memory:", &village->sqlite, NULL);
	if (status != HUSK_UNSUPPORTED && !went(status))
		return;
	hyper_options.store = husk_sqlite_store(village->sqlite);
	instance_options.name = "mother";
	instance_options.realm = "village";
	instance_options.has_rights = 1;
	instance_options.rights = HUSK_MAILBOX | HUSK_SPAWN | HUSK_KV;
	instance_options.spawn = on_spawn;
	instance_options.spawn_ctx = village;
	mailbox_options.realm = "village";
	if (!went(husk_hyper_create(village->context, &hyper_options, &village->hyper)) ||
	    !went(husk_mailbox_create(village->hyper, &mailbox_options, &village->desk)) ||
	    !went(husk_instance_create(village->hyper, village->images[0], &instance_options, &village->mother)) ||
	    !went(husk_instance_mail(village->mother, "hello", 5)) || !went(husk_instance_start(village->mother)))
		return;
	husk_hyper_run(village->hyper, HUSK_UNLIMITED); /* the program finds out itself what it could not have */
	status = husk_mailbox_take(village->desk, letter, sizeof letter, &len, NULL);
	assert_true(status == HUSK_OK || nomem.failed);
	if (went(husk_mailbox_send(village->desk, husk_mailbox_number(village->desk), "me", 2)))
		assert_int_equal(husk_mailbox_take(village->desk, letter, sizeof letter, &len, NULL), HUSK_OK);
	went(husk_hyper_instances(village->hyper, NULL, village->found, 4, &village->count));
}

static void leave(Village *village)
{
	nomem.left = -1;
	for (size_t i = 0; i < village->count; i++)
		husk_instance_unref(village->found[i]);
	husk_instance_unref(village->mother);
	husk_mailbox_unref(village->desk);
	husk_hyper_destroy(village->hyper);
	husk_sqlite_close(village->sqlite);
	for (int i = 0; i < 2; i++) {
		husk_image_unref(village->images[i]);
		husk_machine_destroy(village->machines[i]);
		husk_program_unref(village->programs[i]);
	}
	husk_isa_unref(village->isa);
	husk_context_unref(village->context);
}

static void test_village(void **state)
{
	(void)state;
	for (int is_hook = 0; is_hook < 2; is_hook++)
		for (int way = 0; way < 2; way++)
			for (long n = 0;; n++) {
				const long before = nomem.heap;
				Village village = {.context = NULL};

				nomem.of_hook = is_hook;
				nomem_limit(n, way);
				live_there(&village);
				leave(&village);
				if (nomem.heap != before)
					fail_msg("allocation %ld: %ld leaked", n, nomem.heap - before);
				assert_int_equal(hooked, 0);
				assert_int_equal(hooked_bytes, 0);
				if (!nomem.failed)
					break;
			}
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
			long before = nomem.heap;

			HUSK_INIT(options);
			options.allocator = &allocator;
			nomem.left = -1;
			assert_int_equal(husk_context_create(&options, &context), HUSK_OK);
			nomem.of_hook = is_hook;
			nomem_limit(n, true);
			status = husk_isa_load_text(context, "t.isa", "isa T\nspace\n", 12, NULL, &isa, &error);
			nomem.left = -1;
			assert_true(status == HUSK_TEXT || status == HUSK_NO_MEMORY);
			assert_non_null(error);
			assert_true(strlen(husk_error_text(error)) > 0);
			assert_true(husk_error_status(error) == HUSK_TEXT || husk_error_status(error) == HUSK_NO_MEMORY);
			husk_error_destroy(error);
			husk_context_unref(context);
			assert_int_equal(hooked, 0);
			assert_int_equal(nomem.heap, before);
			if (!nomem.failed)
				break;
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_hook), cmocka_unit_test(test_heap), cmocka_unit_test(test_village), cmocka_unit_test(test_errors)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
