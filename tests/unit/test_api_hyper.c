/* SPDX-License-Identifier: MIT
 * libhusk's hypervisor: instances, budgets, holds, views that end, host functions on workers.
 */
#include "unit/api.h"

#include <pthread.h>
#include <stdio.h>

/* Counts up for ever; HOST tells how far it is and may pause it. */
static const char isa_text[] = "isa COUNTER \"counts\"\n"
			       "space M : 8 x 256\n"
			       "code M\n"
			       "reg a : 32\n"
			       "reg link : 8\n"
			       "reg pc : 8\n"
			       "host report(x:32) : 32\n"
			       "field t : abs\n"
			       "insn INC \"00000001\" { a = a + 1 }\n"
			       "insn REP \"00000010\" { a = host report(a) }\n"
			       "insn JMP \"00000011 tttttttt\" t { jump t }\n"
			       "insn HLT \"00000100\" { stop 5 }\n"
			       "insn OUT \"00000101\" { host putc(65) }\n"
			       "insn BAD \"00000110\" { raise 9 \"gives up\" }\n"
			       "insn RET \"00000111\" { jump link }\n";
static const char counting[] = "L: INC\n JMP L\n";
static const char reporting[] = "L: INC\n REP\n JMP L\n F: INC\n RET\n";
static const char printing[] = "L: OUT\n JMP L\n";
static const char halting[] = "OUT\n HLT\n";
static const char failing[] = "BAD\n";

typedef struct World {
	husk_context *context;
	husk_hyper *hyper;
	husk_hosts *hosts;
	unsigned ended, reports; /* atomic */
	husk_host_result answer;
	size_t bytes;
} World;

static void on_ended(void *ctx, husk_instance *instance)
{
	World *world = ctx;

	assert_non_null(husk_instance_name(instance));
	__atomic_add_fetch(&world->ended, 1, __ATOMIC_RELAXED);
}

static void on_output(void *ctx, const void *bytes, size_t len)
{
	World *world = ctx;

	(void)bytes;
	__atomic_add_fetch(&world->bytes, len, __ATOMIC_RELAXED);
}

static husk_host_result report(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	World *world = ctx;
	uint64_t *user = husk_machine_user(machine), value;

	assert_int_equal(count, 1);
	__atomic_add_fetch(&world->reports, 1, __ATOMIC_RELAXED);
	assert_int_equal(husk_machine_get(machine, "a", &value), HUSK_OK);
	assert_int_equal(value, args[0]);
	assert_int_equal(husk_machine_run(machine, 1, NULL), HUSK_STATE);
	if (user)
		*user = args[0];
	*result = args[0];
	return world->answer;
}

static void open_world(World *world, uint32_t workers, const husk_limits *limits)
{
	husk_hyper_options options;

	*world = (World){.ended = 0};
	HUSK_INIT(options);
	options.workers = workers;
	options.limits = limits;
	options.ended = on_ended;
	options.ended_ctx = world;
	assert_int_equal(husk_context_create(NULL, &world->context), HUSK_OK);
	assert_int_equal(husk_hyper_create(world->context, &options, &world->hyper), HUSK_OK);
	assert_int_equal(husk_hosts_create(world->context, &world->hosts), HUSK_OK);
	assert_int_equal(husk_hosts_add(world->hosts, "report", report, world), HUSK_OK);
}

static void close_world(World *world)
{
	husk_hyper_destroy(world->hyper);
	husk_hosts_unref(world->hosts);
	husk_context_unref(world->context);
}

static husk_image *image_of(World *world, const char *text)
{
	husk_machine_options options;
	husk_machine *machine;
	husk_image *image;

	HUSK_INIT(options);
	options.hosts = world->hosts;
	machine = api_make(world->context, "counter.isa", isa_text, text, &options);
	assert_int_equal(husk_image_create(machine, &image), HUSK_OK);
	husk_machine_destroy(machine);
	return image;
}

static husk_instance_info info_of(husk_instance *instance)
{
	husk_instance_info info;

	HUSK_INIT(info);
	assert_int_equal(husk_instance_get_info(instance, &info), HUSK_OK);
	return info;
}

/* Limits are exact for one and for all below a node, and the ends say which. */
static void test_limits(void **state)
{
	husk_instance_options options;
	husk_instance *some[4], *loud;
	husk_limits limits;
	husk_budget *node;
	husk_image *image, *prints;
	husk_blob *blob;
	World world;

	(void)state;
	open_world(&world, 2, NULL);
	image = image_of(&world, counting);
	prints = image_of(&world, printing);
	HUSK_INIT(limits);
	limits.fuel = 1000001;
	assert_int_equal(husk_budget_create(world.hyper, NULL, "tenant", &limits, &node), HUSK_OK);
	assert_int_equal(husk_budget_limit(node, HUSK_RESOURCE_FUEL), 1000001);
	HUSK_INIT(options);
	options.budget = node;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(husk_instance_create(world.hyper, image, &options, &some[i]), HUSK_OK);
		assert_int_equal(husk_instance_start(some[i]), HUSK_OK);
	}
	HUSK_INIT(limits);
	limits.output = 1234;
	HUSK_INIT(options);
	options.limits = &limits;
	options.output = on_output;
	options.output_ctx = &world;
	options.output_kept = 100;
	options.name = "loud";
	assert_int_equal(husk_instance_create(world.hyper, prints, &options, &loud), HUSK_OK);
	assert_int_equal(husk_instance_start(loud), HUSK_OK);
	assert_int_equal(husk_instance_start(loud), HUSK_STATE);
	assert_int_equal(husk_hyper_run(world.hyper, HUSK_UNLIMITED), HUSK_OK);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(info_of(some[i]).end, HUSK_END_LIMIT);
		assert_non_null(strstr(info_of(some[i]).text, "tenant"));
		husk_instance_unref(some[i]);
	}
	assert_int_equal(husk_budget_used(world.hyper, node, HUSK_RESOURCE_FUEL), 1000001);
	husk_budget_unref(node);
	assert_int_equal(husk_instance_wait(loud, HUSK_UNLIMITED), HUSK_OK);
	assert_int_equal(info_of(loud).output_bytes, 1234);
	assert_int_equal(world.bytes, 1234);
	assert_string_equal(husk_instance_name(loud), "loud");
	assert_int_equal(husk_instance_output(loud, &blob), HUSK_OK);
	assert_int_equal(husk_blob_size(blob), 100);
	husk_blob_destroy(blob);
	husk_instance_unref(loud);
	husk_image_unref(image);
	husk_image_unref(prints);
	close_world(&world);
	assert_int_equal(world.ended, 5);
}

/* States, ends, and starting anew. */
static void test_life(void **state)
{
	husk_instance_options options;
	husk_instance *instance;
	husk_image *image;
	World world;

	(void)state;
	open_world(&world, 1, NULL);
	image = image_of(&world, halting);
	HUSK_INIT(options);
	options.output_kept = 10;
	assert_int_equal(husk_instance_create(world.hyper, image, &options, &instance), HUSK_OK);
	assert_int_equal(info_of(instance).state, HUSK_INSTANCE_CREATED);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(husk_instance_start(instance), HUSK_OK);
		assert_int_equal(husk_instance_wait(instance, HUSK_UNLIMITED), HUSK_OK);
		assert_int_equal(info_of(instance).end, HUSK_END_HALTED);
		assert_int_equal(info_of(instance).exit_code, 5);
		assert_int_equal(husk_instance_kill(instance), HUSK_STATE);
		assert_int_equal(husk_instance_resume(instance), HUSK_STATE);
		assert_int_equal(husk_instance_reset(instance), HUSK_OK);
	}
	husk_instance_unref(instance);
	husk_image_unref(image);

	image = image_of(&world, failing);
	assert_int_equal(husk_instance_create(world.hyper, image, NULL, &instance), HUSK_OK);
	assert_int_equal(husk_instance_start(instance), HUSK_OK);
	assert_int_equal(husk_instance_wait(instance, HUSK_UNLIMITED), HUSK_OK);
	assert_int_equal(info_of(instance).end, HUSK_END_FAILED);
	assert_int_equal(info_of(instance).stop, HUSK_STOP_TRAP);
	assert_non_null(strstr(info_of(instance).text, "gives up"));
	husk_instance_unref(instance);
	husk_image_unref(image);

	image = image_of(&world, counting);
	assert_int_equal(husk_instance_create(world.hyper, image, NULL, &instance), HUSK_OK);
	assert_int_equal(husk_instance_start(instance), HUSK_OK);
	assert_int_equal(husk_instance_wait(instance, 1), HUSK_TIMEOUT);
	assert_int_equal(husk_instance_pause(instance), HUSK_OK);
	assert_int_equal(husk_instance_resume(instance), HUSK_OK);
	assert_int_equal(husk_instance_share(instance, 200, 3, 50), HUSK_OK);
	assert_int_equal(husk_instance_share(instance, 0, 3, 50), HUSK_INVALID);
	assert_int_equal(husk_instance_kill(instance), HUSK_OK);
	assert_int_equal(husk_instance_wait(instance, HUSK_UNLIMITED), HUSK_OK);
	assert_int_equal(info_of(instance).end, HUSK_END_KILLED);
	assert_string_equal(husk_instance_end_name(info_of(instance).end), "killed");
	assert_string_equal(husk_instance_state_name(info_of(instance).state), "ended");
	husk_instance_unref(instance);
	husk_image_unref(image);
	close_world(&world);
}

/* Who holds an instance has its machine; views end with what they are of. */
static void test_hold(void **state)
{
	husk_machine *machine, *again;
	husk_instance *instance, *twin;
	husk_function *function;
	husk_convention way;
	husk_view *view, *later;
	husk_image *image;
	husk_blob *bytes;
	uint64_t before, value;
	uint8_t cell = 0;
	World world;

	(void)state;
	open_world(&world, 2, NULL);
	image = image_of(&world, reporting);
	assert_int_equal(husk_instance_create(world.hyper, image, NULL, &instance), HUSK_OK);
	assert_int_equal(husk_instance_release(instance), HUSK_STATE);
	assert_int_equal(husk_instance_start(instance), HUSK_OK);
	assert_int_equal(husk_instance_hold(instance, &machine), HUSK_OK);
	assert_int_equal(husk_machine_get(machine, "a", &before), HUSK_OK);
	assert_int_equal(husk_instance_hold(instance, &again), HUSK_OK);
	assert_ptr_equal(machine, again);
	assert_int_equal(husk_instance_release(instance), HUSK_OK);
	assert_int_equal(husk_machine_get(machine, "a", &value), HUSK_OK);
	assert_int_equal(before, value);
	assert_int_equal(husk_machine_run(machine, 1, NULL), HUSK_STATE);
	husk_machine_destroy(machine); /* nothing */
	HUSK_INIT(way);
	way.link = "link";
	way.result = "a";
	assert_int_equal(husk_function_find(machine, "F", &way, &function), HUSK_OK);
	assert_int_equal(husk_function_call(function, NULL, 0, 10, &value, NULL), HUSK_OK);
	assert_int_equal(value, before + 1);
	assert_int_equal(husk_view_create(machine, 0, 0x80, 16, &view), HUSK_OK);
	assert_int_equal(husk_view_write(view, 15, "\x2A", 1), HUSK_OK);
	assert_int_equal(husk_instance_snapshot(instance, &bytes), HUSK_OK);
	assert_int_equal(husk_instance_release(instance), HUSK_OK);
	assert_int_equal(husk_view_read(view, 15, &cell, 1), HUSK_STATE);
	assert_int_equal(husk_function_call(function, NULL, 0, 10, &value, NULL), HUSK_STATE);
	assert_int_equal(husk_machine_get(machine, "a", &value), HUSK_STATE);

	assert_int_equal(husk_instance_fork(instance, NULL, &twin), HUSK_OK);
	assert_int_equal(husk_instance_hold(twin, &again), HUSK_OK);
	assert_int_equal(husk_machine_read(again, 0, 0x8F, &cell, 1), HUSK_OK);
	assert_int_equal(cell, 0x2A);
	assert_int_equal(husk_instance_release(twin), HUSK_OK);
	husk_instance_unref(twin);

	/* Restored: another memory. */
	assert_int_equal(husk_instance_restore(instance, husk_blob_data(bytes), husk_blob_size(bytes)), HUSK_OK);
	assert_int_equal(husk_instance_restore(instance, "x", 1), HUSK_FORMAT);
	husk_blob_destroy(bytes);
	assert_int_equal(husk_instance_hold(instance, &machine), HUSK_OK);
	assert_int_equal(husk_view_read(view, 15, &cell, 1), HUSK_STALE);
	assert_int_equal(husk_view_create(machine, 0, 0x80, 16, &later), HUSK_OK);
	assert_int_equal(husk_view_read(later, 15, &cell, 1), HUSK_OK);
	assert_int_equal(cell, 0x2A);
	assert_int_equal(husk_instance_release(instance), HUSK_OK);

	/* Ended. */
	assert_int_equal(husk_instance_kill(instance), HUSK_OK);
	assert_int_equal(husk_instance_wait(instance, HUSK_UNLIMITED), HUSK_OK);
	assert_int_equal(husk_instance_hold(instance, &machine), HUSK_OK);
	assert_int_equal(husk_view_read(later, 15, &cell, 1), HUSK_STALE);
	assert_int_equal(husk_instance_release(instance), HUSK_OK);
	husk_instance_unref(instance);
	husk_image_unref(image);
	close_world(&world); /* now it is surely gone */
	assert_int_equal(husk_view_read(later, 15, &cell, 1), HUSK_STALE);
	assert_int_equal(husk_function_call(function, NULL, 0, 10, &value, NULL), HUSK_STALE);
	husk_view_destroy(view);
	husk_view_destroy(later);
	husk_function_destroy(function);
}

/* Without workers the same instances give the same run. */
static void test_deterministic(void **state)
{
	uint64_t numbers[2][3];

	(void)state;
	for (int round = 0; round < 2; round++) {
		husk_instance_options options;
		husk_instance *some[3];
		husk_limits limits;
		husk_image *image;
		World world;

		HUSK_INIT(limits);
		limits.fuel = 100000;
		open_world(&world, 0, &limits);
		image = image_of(&world, reporting);
		for (int i = 0; i < 3; i++) {
			HUSK_INIT(options);
			options.weight = 100 * (uint32_t)(i + 1);
			options.user = &numbers[round][i];
			assert_int_equal(husk_instance_create(world.hyper, image, &options, &some[i]), HUSK_OK);
			assert_ptr_equal(husk_instance_user(some[i]), &numbers[round][i]);
			assert_int_equal(husk_instance_start(some[i]), HUSK_OK);
		}
		assert_int_equal(husk_instance_wait(some[0], 1), HUSK_STATE);
		assert_int_equal(husk_hyper_run(world.hyper, HUSK_UNLIMITED), HUSK_OK);
		assert_int_equal(husk_budget_used(world.hyper, husk_hyper_budget(world.hyper), HUSK_RESOURCE_FUEL), 100000);
		for (int i = 0; i < 3; i++)
			husk_instance_unref(some[i]);
		husk_image_unref(image);
		close_world(&world);
	}
	assert_memory_equal(numbers[0], numbers[1], sizeof numbers[0]);
	assert_true(numbers[0][2] > numbers[0][0]);
}

/* A machine that was handed over; rights that are taken and given. */
static void test_adopt(void **state)
{
	husk_instance_options options;
	husk_machine *machine, *held;
	husk_instance *instance;
	uint64_t value;
	World world;

	(void)state;
	open_world(&world, 1, NULL);
	machine = api_make(world.context, "counter.isa", isa_text, printing, NULL);
	assert_int_equal(husk_machine_set(machine, "a", 77), HUSK_OK);
	HUSK_INIT(options);
	options.weight = 100000;
	assert_int_equal(husk_instance_adopt(world.hyper, machine, &options, &instance), HUSK_INVALID);
	assert_int_equal(husk_machine_run(machine, 10, NULL), HUSK_OK);
	options.weight = 1;
	options.has_rights = 1;
	assert_int_equal(husk_instance_adopt(world.hyper, machine, &options, &instance), HUSK_OK);
	assert_int_equal(husk_machine_run(machine, 10, NULL), HUSK_STATE);
	assert_int_equal(husk_instance_reset(instance), HUSK_UNSUPPORTED);
	assert_int_equal(husk_instance_hold(instance, &held), HUSK_OK);
	assert_ptr_equal(held, machine);
	assert_int_equal(husk_machine_get(held, "a", &value), HUSK_OK);
	assert_int_equal(value, 77);
	assert_int_equal(husk_instance_release(instance), HUSK_OK);
	assert_int_equal(husk_instance_grant(instance, HUSK_OUTPUT), HUSK_OK);
	assert_int_equal(info_of(instance).rights, HUSK_OUTPUT);
	assert_int_equal(husk_instance_start(instance), HUSK_OK);
	assert_int_equal(husk_instance_revoke(instance, HUSK_OUTPUT), HUSK_OK);
	assert_int_equal(husk_instance_wait(instance, HUSK_UNLIMITED), HUSK_OK);
	assert_int_equal(info_of(instance).stop, HUSK_STOP_DENIED);
	husk_instance_unref(instance);
	close_world(&world);
}

/* What host functions can answer, in an instance. */
static void test_answers(void **state)
{
	static const struct {
		husk_host_result answer;
		husk_instance_end end;
		husk_stop_kind stop;
	} cases[] = {
		{HUSK_HOST_DONE, HUSK_END_LIMIT, HUSK_STOP_FUEL},     {HUSK_HOST_PAUSE, HUSK_END_LIMIT, HUSK_STOP_FUEL},
		{HUSK_HOST_HALT, HUSK_END_HALTED, HUSK_STOP_HALTED},  {HUSK_HOST_RAISE, HUSK_END_FAILED, HUSK_STOP_TRAP},
		{HUSK_HOST_DENIED, HUSK_END_FAILED, HUSK_STOP_DENIED}, {(husk_host_result)99, HUSK_END_FAILED, HUSK_STOP_DENIED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		husk_instance *instance;
		husk_limits limits;
		husk_image *image;
		World world;

		HUSK_INIT(limits);
		limits.fuel = 1000;
		open_world(&world, 0, &limits);
		world.answer = cases[i].answer;
		image = image_of(&world, reporting);
		assert_int_equal(husk_instance_create(world.hyper, image, NULL, &instance), HUSK_OK);
		assert_int_equal(husk_instance_start(instance), HUSK_OK);
		assert_int_equal(husk_hyper_run(world.hyper, HUSK_UNLIMITED), HUSK_OK);
		assert_int_equal(info_of(instance).end, cases[i].end);
		if (cases[i].end != HUSK_END_LIMIT)
			assert_int_equal(info_of(instance).stop, cases[i].stop);
		assert_true(world.reports > 0);
		husk_instance_unref(instance);
		husk_image_unref(image);
		close_world(&world);
	}
}

static void *holder(void *ctx)
{
	husk_instance *instance = ctx;

	for (int i = 0; i < 200; i++) {
		husk_machine *machine;
		uint64_t value;

		assert_int_equal(husk_instance_hold(instance, &machine), HUSK_OK);
		assert_int_equal(husk_machine_get(machine, "a", &value), HUSK_OK);
		assert_int_equal(husk_instance_release(instance), HUSK_OK);
	}
	return NULL;
}

/* Threads that hold different instances while all run. */
static void test_threads(void **state)
{
	husk_instance *some[3];
	pthread_t threads[3];
	husk_image *image;
	World world;

	(void)state;
	open_world(&world, 2, NULL);
	image = image_of(&world, reporting);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(husk_instance_create(world.hyper, image, NULL, &some[i]), HUSK_OK);
		assert_int_equal(husk_instance_start(some[i]), HUSK_OK);
		assert_int_equal(pthread_create(&threads[i], NULL, holder, some[i]), 0);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		husk_instance_unref(some[i]);
	}
	husk_image_unref(image);
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits), cmocka_unit_test(test_life), cmocka_unit_test(test_hold),
		cmocka_unit_test(test_deterministic), cmocka_unit_test(test_adopt), cmocka_unit_test(test_answers), cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
