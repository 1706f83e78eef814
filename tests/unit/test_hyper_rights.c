/* SPDX-License-Identifier: MIT
 * Limits of time, and rights: exact, of subtrees, conserved when instances start anew, taken and given while they run.
 */
#include "hyper_toy.h"

#include "hyper/hyper.h"

static const char endless[] = ".ORG 0x100\nloop: ADDI R0, R0, 1\nLI R1, 1\nBNZ R1, loop\n";
static const char counts[] = ".ORG 0x100\nLI R0, 100\nloop: ADDI R0, R0, -1\nBNZ R0, loop\nSTOP 7\n"; /* 202 instructions */
static const char echo[] = ".ORG 0x100\nloop: GETC R0\nOUT R0\nADDI R1, R0, -10\nBNZ R1, loop\nSTOP 0\n";
static const char floods[] = ".ORG 0x100\nLI R0, 33\nloop: OUT R0\nBNZ R0, loop\n";

static const u64 second = 1000000000;

static void fill(u64 *limits, BudgetKind kind, u64 amount)
{
	for (u32 i = 0; i < BUDGET_KINDS; i++)
		limits[i] = BUDGET_UNLIMITED;
	limits[kind] = amount;
}

static Hyper *start(u32 workers, const u64 *limits)
{
	HyperConfig config = {.workers = workers, .limits = limits};
	Hyper *hyper;

	assert_int_equal(hyper_create(&config, &hyper), STATUS_OK);
	return hyper;
}

/* Deterministic, an instruction is 1000 ns: a limit of time is one of instructions, to each of them. */
static void time_is_exact(void **state)
{
	static const u64 amounts[] = {1, 1000, 1001, 7777000, 12345678};

	(void)state;
	for (u32 k = 0; k < COUNT_OF(amounts); k++) {
		u64 limits[BUDGET_KINDS];
		Hyper *hyper = start(0, NULL);
		Toy toy;
		Image *image = image_of(&toy, endless);
		InstanceOptions options = {.name = "short", .limits = limits};
		Instance *instance;
		InstanceInfo info;

		fill(limits, BUDGET_TIME, amounts[k]);
		instance = make(hyper, image, &options);
		instance_start(instance);
		assert_true(hyper_run(hyper, 10 * second));
		info = info_of(instance);
		assert_int_equal(info.end, END_LIMIT);
		assert_non_null(strstr(info.text, "reached the time limit of "));
		assert_non_null(strstr(info.text, " s (short)"));
		assert_int_equal(info.insns, (amounts[k] + 999) / 1000);
		assert_int_equal(info.time_ns, info.insns * 1000);
		instance_unref(instance);
		image_unref(image);
		hyper_destroy(hyper);
		toy_close(&toy);
	}
}

/* Three lives of 202 us fit into 700, the fourth has 94 left, the fifth nothing. */
static void time_is_conserved_over_lives(void **state)
{
	u64 limits[BUDGET_KINDS], total = 0;
	InstanceOptions options = {.name = "often", .limits = limits};
	Hyper *hyper = start(0, NULL);
	Instance *instance;
	Image *image;
	Toy toy;

	(void)state;
	fill(limits, BUDGET_TIME, 700000);
	image = image_of(&toy, counts);
	instance = make(hyper, image, &options);
	for (u32 life = 0; life < 5; life++) {
		if (life)
			assert_int_equal(instance_reset(instance), STATUS_OK);
		assert_int_equal(instance_start(instance), STATUS_OK);
		hyper_run(hyper, 10 * second);
		assert_int_equal(info_of(instance).end, life < 3 ? END_HALTED : END_LIMIT);
		assert_int_equal(info_of(instance).insns - total, life < 3 ? 202 : life == 3 ? 94 : 0);
		total = info_of(instance).insns;
	}
	assert_int_equal(info_of(instance).time_ns, 700000);
	/* More of it, and it goes on. */
	hyper_set_limit(hyper, (Budget *)(uintptr_t)instance_budget(instance), BUDGET_TIME, 2000000);
	assert_int_equal(instance_reset(instance), STATUS_OK);
	instance_start(instance);
	hyper_run(hyper, 10 * second);
	assert_int_equal(info_of(instance).end, END_HALTED);
	instance_unref(instance);
	image_unref(image);
	hyper_destroy(hyper);
	toy_close(&toy);
}

/* The wall time of a subtree: two side by side use it up once, and both end with it. One that is not in it does not care. */
static void time_of_a_subtree(void **state)
{
	(void)state;
	for (u32 workers = 0; workers < 3; workers++) {
		u64 limits[BUDGET_KINDS];
		Hyper *hyper = start(workers, NULL);
		Instance *instances[3];
		Budget *tenant;
		Image *image;
		Toy toy;

		fill(limits, BUDGET_TIME, 30000000);
		tenant = budget_create(hyper_budget(hyper), "tenant", limits);
		image = image_of(&toy, endless);
		for (u32 i = 0; i < 3; i++) {
			InstanceOptions options = {.parent = i < 2 ? tenant : NULL};

			instances[i] = make(hyper, image, &options);
			instance_start(instances[i]);
		}
		for (u32 tries = 0; tries < 300 && (info_of(instances[0]).end == END_NONE || info_of(instances[1]).end == END_NONE); tries++)
			hyper_run(hyper, 100000000);
		for (u32 i = 0; i < 2; i++) {
			assert_int_equal(info_of(instances[i]).end, END_LIMIT);
			assert_non_null(strstr(info_of(instances[i]).text, "the time limit of 0.03 s (tenant)"));
		}
		assert_int_not_equal(info_of(instances[2]).state, INSTANCE_ENDED);
		assert_true(hyper_used(hyper, tenant, BUDGET_TIME) >= 30000000);
		if (!workers)
			assert_in_range(hyper_used(hyper, tenant, BUDGET_TIME), 30000000, 30000000 + 3 * 10000 * 1000);
		for (u32 i = 0; i < 3; i++) {
			instance_kill(instances[i]);
			instance_unref(instances[i]);
		}
		budget_unref(tenant);
		image_unref(image);
		hyper_destroy(hyper);
		toy_close(&toy);
	}
}

/* Nobody may what he was not given: the set of the instance, and those of all nodes above. */
static void denied_by_default(void **state)
{
	static const u32 none = MAY_NOTHING, output = MAY_OUTPUT;
	Hyper *hyper = start(0, NULL);
	Toy toy;
	Image *image = image_of(&toy, floods);
	InstanceOptions silent = {.name = "silent", .rights = &none}, loud = {.name = "loud", .rights = &output};
	Budget *tenant = budget_create(hyper_budget(hyper), "tenant", NULL);
	Instance *instance = make(hyper, image, &silent);
	InstanceInfo info;

	(void)state;
	instance_start(instance);
	hyper_run(hyper, 10 * second);
	info = info_of(instance);
	assert_int_equal(info.end, END_FAILED);
	assert_int_equal(info.stop.kind, STOP_DENIED);
	assert_non_null(strstr(info.text, "no right to 'output'"));
	assert_int_equal(info.output_bytes, 0);
	instance_unref(instance);

	/* A right that the subtree has lost is no right. */
	hyper_revoke(hyper, tenant, MAY_OUTPUT);
	loud.parent = tenant;
	instance = make(hyper, image, &loud);
	assert_int_equal(instance_rights(instance), MAY_NOTHING);
	instance_grant(instance, MAY_OUTPUT);
	assert_int_equal(instance_rights(instance), MAY_NOTHING);
	hyper_grant(hyper, tenant, MAY_OUTPUT);
	assert_int_equal(instance_rights(instance), MAY_OUTPUT);
	instance_unref(instance);
	budget_unref(tenant);
	image_unref(image);
	hyper_destroy(hyper);
	toy_close(&toy);
}

/* Taken from a whole subtree while it runs: those in it stop at their next attempt, the others go on. */
static void revoked_while_running(void **state)
{
	(void)state;
	for (u32 workers = 0; workers < 3; workers++) {
		Hyper *hyper = start(workers, NULL);
		Budget *tenant = budget_create(hyper_budget(hyper), "tenant", NULL);
		Instance *instances[3];
		Toy toy;
		Image *image = image_of(&toy, floods);
		u64 written[3];

		for (u32 i = 0; i < 3; i++) {
			InstanceOptions options = {.parent = i < 2 ? tenant : NULL};

			instances[i] = make(hyper, image, &options);
			instance_start(instances[i]);
		}
		for (u32 i = 0; i < 3; i++)
			for (u32 tries = 0; tries < 1000 && !info_of(instances[i]).output_bytes; tries++)
				hyper_run(hyper, 20000000);
		hyper_revoke(hyper, tenant, MAY_OUTPUT);
		for (u32 i = 0; i < 3; i++)
			written[i] = info_of(instances[i]).output_bytes;
		for (u32 tries = 0; tries < 1000 && (info_of(instances[0]).state != INSTANCE_ENDED ||
						    info_of(instances[1]).state != INSTANCE_ENDED ||
						    info_of(instances[2]).output_bytes == written[2]); tries++)
			hyper_run(hyper, 20000000);
		for (u32 i = 0; i < 2; i++) {
			assert_int_equal(info_of(instances[i]).stop.kind, STOP_DENIED);
			assert_true(written[i] > 0);
		}
		assert_true(info_of(instances[2]).output_bytes > written[2]);
		for (u32 i = 0; i < 3; i++) {
			instance_kill(instances[i]);
			instance_unref(instances[i]);
		}
		budget_unref(tenant);
		image_unref(image);
		hyper_destroy(hyper);
		toy_close(&toy);
	}
}

/* A copy may no more than what it is a copy of, unless somebody says so; starting anew gives nothing back either. */
static void copies_have_no_more(void **state)
{
	Hyper *hyper = start(0, NULL);
	Toy toy;
	Image *image = image_of(&toy, floods);
	Instance *instance = make(hyper, image, NULL), *twin;
	static const u32 all = MAY_ALL;
	InstanceOptions options = {.rights = &all};

	(void)state;
	assert_int_equal(instance_rights(instance), MAY_PLAIN);
	instance_revoke(instance, MAY_OUTPUT);
	assert_int_equal(instance_fork(instance, NULL, &twin), STATUS_OK);
	assert_int_equal(instance_rights(twin), MAY_PLAIN & ~MAY_OUTPUT);
	instance_unref(twin);
	assert_int_equal(instance_fork(instance, &options, &twin), STATUS_OK);
	assert_int_equal(instance_rights(twin), MAY_ALL);
	instance_unref(twin);
	assert_int_equal(instance_reset(instance), STATUS_OK);
	assert_int_equal(instance_rights(instance), MAY_PLAIN & ~MAY_OUTPUT);
	instance_unref(instance);
	image_unref(image);
	toy_close(&toy);
	hyper_destroy(hyper);
}

/* One that sleeps in a call is woken, and its call is refused; given back before that, it notices nothing. */
static void revoked_while_waiting(void **state)
{
	(void)state;
	for (u32 workers = 0; workers < 3; workers++) {
		Hyper *hyper = start(workers, NULL);
		Toy toy;
		Image *image = image_of(&toy, echo);
		Instance *instance = make(hyper, image, NULL);

		instance_start(instance);
		assert_true(hyper_run(hyper, 10 * second));
		assert_int_equal(info_of(instance).state, INSTANCE_WAITING);
		instance_pause(instance);
		instance_revoke(instance, MAY_INPUT);
		instance_grant(instance, MAY_INPUT);
		instance_resume(instance);
		assert_true(hyper_run(hyper, 10 * second));
		assert_int_equal(info_of(instance).state, INSTANCE_WAITING);
		instance_revoke(instance, MAY_INPUT);
		hyper_run(hyper, 10 * second);
		assert_int_equal(info_of(instance).state, INSTANCE_ENDED);
		assert_int_equal(info_of(instance).stop.kind, STOP_DENIED);
		assert_non_null(strstr(info_of(instance).text, "no right to 'input'"));
		instance_unref(instance);
		image_unref(image);
		hyper_destroy(hyper);
		toy_close(&toy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_is_exact),
		cmocka_unit_test(time_is_conserved_over_lives),
		cmocka_unit_test(time_of_a_subtree),
		cmocka_unit_test(denied_by_default),
		cmocka_unit_test(revoked_while_running),
		cmocka_unit_test(revoked_while_waiting),
		cmocka_unit_test(copies_have_no_more),
	};
	/* pthread_create: run under TSan, too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
