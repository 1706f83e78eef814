/* SPDX-License-Identifier: MIT
 * The hypervisor: limits are exact, shares are as weights are, nobody is in another's way; every state is left as the header says.
 */
#include "hyper_toy.h"

#include <pthread.h>
#include <time.h>

#include "base/rng.h"
#include "hyper/hyper.h"

static const char endless[] = ".ORG 0x100\nloop: ADDI R0, R0, 1\nLI R1, 1\nBNZ R1, loop\n";
static const char counts[] = ".ORG 0x100\nLI R0, 100\nloop: ADDI R0, R0, -1\nBNZ R0, loop\nSTOP 7\n"; /* 202 instructions */
static const char echo[] = ".ORG 0x100\nloop: GETC R0\nOUT R0\nADDI R1, R0, -10\nBNZ R1, loop\nSTOP 0\n"; /* up to a line's end */
static const char floods[] = ".ORG 0x100\nLI R0, 33\nloop: OUT R0\nBNZ R0, loop\n";
static const char wild[] = ".ORG 0x100\nTRAP 9\n";
static const char dice[] = ".ORG 0x100\nRAND R0\nOUT R0\nRAND R0\nOUT R0\nRAND R0\nOUT R0\nRAND R0\nOUT R0\nSTOP 0\n";

/* Writes into its own code, waits, and does what it has written. */
static const char turns_itself[] = ".ORG 0x100\nLI R2, 9\nloop: LI R1, 0x80\nADD R1, R1, R1\nADDI R1, R1, 8\nLD R0, R1\nADDI R0, R0, 1\n"
				   "ST R0, R1\nGETC R5\nADDI R4, R4, 0\nADDI R0, R4, 31\nOUT R0\nADDI R2, R2, -1\nBNZ R2, loop\nSTOP 1\n";

static const u64 second = 1000000000;

typedef struct Sink {
	Buf text;
	u32 released;
} Sink;

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(&((Sink *)ctx)->text, bytes, len);
}

static void on_release(void *ctx)
{
	((Sink *)ctx)->released++;
}

static u32 residents; /* as many as usual, or none: whoever does not run is parked */

static Hyper *start(u32 workers, const u64 *limits)
{
	HyperConfig config = {.workers = workers, .limits = limits, .residents = residents};
	Hyper *hyper;

	assert_int_equal(hyper_create(&config, &hyper), STATUS_OK);
	return hyper;
}

static const u64 *limit(BudgetKind kind, u64 amount)
{
	static u64 limits[BUDGET_KINDS];

	for (u32 i = 0; i < BUDGET_KINDS; i++)
		limits[i] = BUDGET_UNLIMITED;
	limits[kind] = amount;
	return limits;
}

#ifdef __SANITIZE_THREAD__
enum { RACES_ONLY = 1 }; /* much work on one thread is not for this run */
#else
enum { RACES_ONLY = 0 };
#endif

/* As a program halts, so the instance ends: with its code, and no instruction more or less. */
static void halts(void **state)
{
	(void)state;
	for (u32 workers = 0; workers < 3; workers++) {
		Hyper *hyper = start(workers, NULL);
		Toy toy;
		Image *image = image_of(&toy, counts);
		Instance *instance = make(hyper, image, NULL);
		InstanceInfo info = info_of(instance);

		assert_int_equal(info.state, INSTANCE_CREATED);
		assert_string_equal(info.name, "instance-1");
		assert_int_equal(instance_start(instance), STATUS_OK);
		assert_int_equal(instance_start(instance), STATUS_INVALID);
		assert_true(hyper_run(hyper, 10 * second));
		info = info_of(instance);
		assert_int_equal(info.state, INSTANCE_ENDED);
		assert_int_equal(info.end, END_HALTED);
		assert_int_equal(info.code, 7);
		assert_int_equal(info.insns, 202);
		assert_true(instance_wait(instance, 0));
		instance_unref(instance);
		image_unref(image);
		toy_close(&toy);
		hyper_destroy(hyper);
	}
}

/* However the limit lies, alone and shared by several, exactly so many instructions are run. */
static void fuel_is_exact(void **state)
{
	static const u64 amounts[] = {1, 2, 999, 10000, 10001, 1234567};

	(void)state;
	for (u32 workers = 0; workers < 3; workers++)
		for (u32 k = 0; k < COUNT_OF(amounts); k++) {
			Hyper *hyper = start(workers, limit(BUDGET_FUEL, amounts[k]));
			Instance *instances[5];
			u64 sum = 0;
			Toy toy;
			Image *image = image_of(&toy, endless);

			for (u32 i = 0; i < 5; i++)
				instances[i] = make(hyper, image, NULL);
			for (u32 i = 0; i < 5; i++)
				instance_start(instances[i]);
			assert_true(hyper_run(hyper, 20 * second));
			for (u32 i = 0; i < 5; i++) {
				InstanceInfo info = info_of(instances[i]);

				assert_int_equal(info.end, END_LIMIT);
				assert_non_null(strstr(info.text, "fuel limit"));
				assert_non_null(strstr(info.text, "(all)"));
				sum += info.insns;
				instance_unref(instances[i]);
			}
			assert_int_equal(sum, amounts[k]);
			assert_int_equal(budget_used(hyper_budget(hyper), BUDGET_FUEL), amounts[k]);
			image_unref(image);
			toy_close(&toy);
			hyper_destroy(hyper);
		}
}

/* What is written is written to the last byte that is allowed; the one that floods stops soon. */
static void output_is_exact(void **state)
{
	(void)state;
	for (u32 workers = 0; workers < 2; workers++) {
		Hyper *hyper = start(workers, NULL);
		Sink sink = {.released = 0};
		InstanceOptions options = {.limits = limit(BUDGET_OUTPUT, 5000), .output = on_output, .ctx = &sink,
					   .release = on_release, .output_kept = 16, .name = "flood"};
		Buf kept;
		Toy toy;
		Image *image = image_of(&toy, floods);
		Instance *instance = make(hyper, image, &options);

		instance_start(instance);
		assert_true(hyper_run(hyper, 10 * second));
		assert_int_equal(info_of(instance).end, END_LIMIT);
		assert_non_null(strstr(info_of(instance).text, "output limit of 5000 bytes (flood)"));
		assert_int_equal(sink.text.len, 5000);
		assert_int_equal(info_of(instance).output_bytes, 5000);
		assert_in_range(info_of(instance).insns, 10000, 30000);
		buf_init(&kept);
		instance_output(instance, &kept);
		assert_string_equal(buf_text(&kept), "!!!!!!!!!!!!!!!!");
		buf_fini(&kept);
		instance_unref(instance);
		assert_int_equal(sink.released, 1);
		image_unref(image);
		toy_close(&toy);
		hyper_destroy(hyper);
		buf_fini(&sink.text);
	}
}

static void failures_say_why(void **state)
{
	Hyper *hyper = start(1, NULL);
	Toy toy;
	Image *image = image_of(&toy, wild);
	Instance *instance = make(hyper, image, NULL);

	(void)state;
	instance_start(instance);
	assert_true(instance_wait(instance, 10 * second));
	assert_int_equal(info_of(instance).end, END_FAILED);
	assert_string_equal(info_of(instance).text, "unhandled exception 9 at 0x100");
	assert_int_equal(info_of(instance).stop.kind, STOP_TRAP);
	assert_int_equal(instance_kill(instance), STATUS_INVALID);
	assert_int_equal(instance_pause(instance), STATUS_INVALID);
	assert_int_equal(instance_resume(instance), STATUS_INVALID);
	assert_int_equal(instance_stop(instance, 0), STATUS_INVALID);
	assert_int_equal(instance_start(instance), STATUS_INVALID);
	assert_int_equal(instance_reset(instance), STATUS_OK);
	assert_int_equal(instance_start(instance), STATUS_OK);
	assert_true(instance_wait(instance, 10 * second));
	assert_int_equal(info_of(instance).end, END_FAILED);
	instance_unref(instance);
	image_unref(image);
	toy_close(&toy);
	hyper_destroy(hyper);
}

/* Who waits for input costs nothing and goes on when it comes; hyper_run returns when all wait for the caller. */
static void input_wakes(void **state)
{
	(void)state;
	for (u32 workers = 0; workers < 3; workers++) {
		Hyper *hyper = start(workers, NULL);
		Sink sink = {.released = 0};
		InstanceOptions options = {.output = on_output, .ctx = &sink};
		Toy toy;
		Image *image = image_of(&toy, echo);
		Instance *instance = make(hyper, image, &options);

		instance_start(instance);
		for (const char *at = "hello\n"; *at; at++) {
			assert_true(hyper_run(hyper, 10 * second));
			assert_int_equal(info_of(instance).state, INSTANCE_WAITING);
			assert_int_equal(info_of(instance).waits, WAIT_INPUT);
			instance_input(instance, (const u8 *)at, 1);
		}
		assert_true(hyper_run(hyper, 10 * second));
		assert_int_equal(info_of(instance).end, END_HALTED);
		assert_string_equal(buf_text(&sink.text), "hello\n");
		instance_unref(instance);

		instance = make(hyper, image, NULL);
		instance_start(instance);
		instance_input_end(instance);
		assert_true(hyper_run(hyper, 10 * second));
		assert_int_equal(info_of(instance).end, END_FAILED);
		assert_non_null(strstr(info_of(instance).text, "input"));
		instance_unref(instance);
		image_unref(image);
		toy_close(&toy);
		hyper_destroy(hyper);
		buf_fini(&sink.text);
	}
}

static void sleep_ms(long ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static void pause_and_kill(void **state)
{
	Hyper *hyper = start(2, NULL);
	Toy toy;
	Image *image = image_of(&toy, endless);
	Instance *instance = make(hyper, image, NULL);
	u64 insns;

	(void)state;
	assert_int_equal(instance_pause(instance), STATUS_INVALID);
	instance_start(instance);
	sleep_ms(5);
	assert_int_equal(instance_pause(instance), STATUS_OK);
	assert_true(hyper_run(hyper, 10 * second));
	assert_int_equal(info_of(instance).state, INSTANCE_PAUSED);
	insns = info_of(instance).insns;
	assert_true(insns > 0);
	sleep_ms(5);
	assert_int_equal(info_of(instance).insns, insns);
	assert_int_equal(instance_resume(instance), STATUS_OK);
	assert_int_equal(instance_resume(instance), STATUS_INVALID);
	sleep_ms(20);
	assert_true(info_of(instance).insns > insns);
	assert_false(instance_wait(instance, 1000000));
	assert_false(hyper_run(hyper, 1000000));
	assert_int_equal(instance_kill(instance), STATUS_OK);
	assert_true(instance_wait(instance, 10 * second));
	assert_int_equal(info_of(instance).end, END_KILLED);
	instance_unref(instance);

	/* Nobody refers to it: it goes by itself. */
	instance = make(hyper, image, NULL);
	instance_start(instance);
	sleep_ms(2);
	instance_unref(instance);
	assert_true(hyper_run(hyper, 10 * second));
	assert_int_equal(budget_used(hyper_budget(hyper), BUDGET_INSTANCES), 0);

	/* The hypervisor goes first. */
	instance = make(hyper, image, NULL);
	instance_start(instance);
	hyper_destroy(hyper);
	assert_int_equal(info_of(instance).end, END_KILLED);
	instance_unref(instance);
	image_unref(image);
	toy_close(&toy);
}

/* A guest that takes no notice is killed at the deadline, one that waits for input sees its end. */
static void stop_and_timeout(void **state)
{
	Hyper *hyper = start(1, NULL);
	Toy deaf, reader;
	Image *deaf_image = image_of(&deaf, endless), *reader_image = image_of(&reader, echo);
	InstanceOptions timed = {.timeout = 20000000};
	Instance *a = make(hyper, deaf_image, NULL), *b = make(hyper, reader_image, NULL), *c = make(hyper, deaf_image, &timed);

	(void)state;
	instance_start(a);
	instance_start(b);
	instance_start(c);
	sleep_ms(2);
	assert_int_equal(instance_stop(a, 10000000), STATUS_OK);
	assert_int_equal(instance_stop(b, 10 * second), STATUS_OK);
	assert_true(hyper_run(hyper, 10 * second));
	assert_int_equal(info_of(a).end, END_KILLED);
	assert_non_null(strstr(info_of(a).text, "did not end"));
	assert_int_equal(info_of(b).end, END_FAILED);
	assert_int_equal(info_of(c).end, END_LIMIT);
	assert_string_equal(info_of(c).text, "reached the time limit of 0.02 s");
	instance_unref(a);
	instance_unref(b);
	instance_unref(c);
	image_unref(deaf_image);
	image_unref(reader_image);
	toy_close(&deaf);
	toy_close(&reader);
	hyper_destroy(hyper);
}

/* A fork goes on from the same state, and draws numbers of its own. */
static void forks(void **state)
{
	Hyper *hyper = start(0, NULL);
	Sink sinks[3] = {{.released = 0}};
	Instance *instances[3];
	Toy toy;
	Image *image = image_of(&toy, dice);

	(void)state;
	for (u32 i = 0; i < 3; i++) {
		InstanceOptions options = {.output = on_output, .ctx = &sinks[i], .seed = i == 2 ? 0 : 77};

		if (i == 0)
			instances[0] = make(hyper, image, &options);
		else
			assert_int_equal(instance_fork(instances[0], &options, &instances[i]), STATUS_OK);
	}
	for (u32 i = 0; i < 3; i++)
		instance_start(instances[i]);
	assert_true(hyper_run(hyper, 10 * second));
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(sinks[i].text.len, 4);
		assert_int_equal(info_of(instances[i]).end, END_HALTED);
	}
	assert_memory_equal(sinks[0].text.data, sinks[1].text.data, 4);
	assert_memory_not_equal(sinks[0].text.data, sinks[2].text.data, 4);
	for (u32 i = 0; i < 3; i++) {
		instance_unref(instances[i]);
		buf_fini(&sinks[i].text);
	}
	image_unref(image);
	toy_close(&toy);
	hyper_destroy(hyper);
}

/* Forked while it runs, snapshot and restored: the count goes on where it was. */
static void forks_of_running_ones(void **state)
{
	Hyper *hyper = start(2, NULL);
	InstanceOptions options = {.limits = limit(BUDGET_FUEL, 1000000)};
	Instance *one, *two;
	Machine *machine;
	u64 at, then;
	Buf bytes;
	Toy toy;
	Image *image = image_of(&toy, endless);

	(void)state;
	one = make(hyper, image, NULL);
	instance_start(one);
	while (!info_of(one).insns) /* a computer that has other things to do takes its time */
		sleep_ms(1);
	assert_int_equal(instance_fork(one, &options, &two), STATUS_OK);
	machine = instance_hold(two);
	at = machine_icount(machine);
	instance_release(two);
	assert_true(at > 0);
	instance_start(two);
	assert_true(instance_wait(two, 10 * second));
	assert_int_equal(info_of(two).insns, 1000000);
	machine = instance_hold(two);
	assert_int_equal(machine_icount(machine), at + 1000000);
	instance_release(two);
	buf_init(&bytes);
	assert_int_equal(instance_snapshot(two, &bytes), STATUS_OK);
	assert_int_equal(instance_restore(one, bytes.data, bytes.len), STATUS_OK);
	machine = instance_hold(one);
	then = machine_icount(machine);
	instance_release(one);
	assert_true(then >= at + 1000000);
	assert_int_equal(instance_restore(one, bytes.data, bytes.len - 1), STATUS_TRUNCATED);
	instance_kill(one);
	assert_true(instance_wait(one, 10 * second));
	buf_fini(&bytes);
	instance_unref(one);
	instance_unref(two);
	image_unref(image);
	toy_close(&toy);
	hyper_destroy(hyper);
}

/* Deterministic: instructions are shared as weights are, to a slice. */
static void shares_are_as_weights(void **state)
{
	static const u32 weights[] = {100, 200, 50, 1000};
	HyperConfig config = {.slice_insns = 1000, .limits = limit(BUDGET_FUEL, 2700000), .residents = residents};
	Instance *instances[4];
	Hyper *hyper;
	Toy toy;
	Image *image = image_of(&toy, endless);

	(void)state;
	assert_int_equal(hyper_create(&config, &hyper), STATUS_OK);
	for (u32 i = 0; i < 4; i++) {
		InstanceOptions options = {.weight = weights[i], .priority = i == 2 ? 7 : 0};

		instances[i] = make(hyper, image, &options);
		instance_start(instances[i]);
	}
	assert_true(hyper_run(hyper, 60 * second));
	for (u32 i = 0; i < 4; i++) {
		assert_in_range(info_of(instances[i]).insns, weights[i] * 2000 - 10000, weights[i] * 2000 + 10000);
		instance_unref(instances[i]);
	}
	image_unref(image);
	toy_close(&toy);
	hyper_destroy(hyper);
}

typedef struct Beats {
	Instance *asked;
	u32 count;
} Beats;

static void on_beat(void *ctx, const u8 *bytes, size_t len)
{
	Beats *beats = ctx;

	(void)bytes;
	beats->count += (u32)len;
	if (beats->count >= 1500 && beats->count < 1508)
		instance_input(beats->asked, (const u8 *)"x", 1);
}

/* Who has waited long goes before all that never wait, some times in a row, though it then has more than its share. */
static void who_waited_goes_first(void **state)
{
	enum { COUNT = 50, SLICE = 10000 };
	static const char beats_on[] = ".ORG 0x100\nLI R0, 33\nloop: OUT R0\nLI R2, 25\nouter: LI R1, 100\ninner: ADDI R1, R1, -1\n"
				       "BNZ R1, inner\nADDI R2, R2, -1\nBNZ R2, outer\nBNZ R0, loop\n"; /* some 5,000 instructions a beat */
	static const char works[] = ".ORG 0x100\nloop: GETC R0\nLI R2, 15\nouter: LI R1, 100\ninner: ADDI R1, R1, -1\n"
				    "BNZ R1, inner\nADDI R2, R2, -1\nBNZ R2, outer\nBNZ R0, loop\n"; /* some 3,000 a letter */
	Hyper *hyper = start(0, NULL);
	Toy toy, worker;
	Image *image = image_of(&toy, beats_on), *waits = image_of(&worker, works);
	Beats beats = {0};
	InstanceOptions options = {.output = on_beat, .ctx = &beats, .limits = limit(BUDGET_FUEL, 200000)};
	Instance *all[COUNT];
	InstanceInfo info;

	(void)state;
	beats.asked = make(hyper, waits, NULL);
	assert_int_equal(instance_start(beats.asked), STATUS_OK);
	for (u32 i = 0; i < COUNT; i++) {
		all[i] = make(hyper, image, &options);
		assert_int_equal(instance_start(all[i]), STATUS_OK);
	}
	assert_true(hyper_run(hyper, 60 * second));
	info = info_of(beats.asked);
	assert_int_equal(info.state, INSTANCE_WAITING);
	assert_in_range(info.wakes, 2, 8);
	assert_in_range(info.late_ns, 0, 2 * SLICE * 1000);
	for (u32 i = 0; i < COUNT; i++)
		instance_unref(all[i]);
	instance_unref(beats.asked);
	image_unref(image);
	image_unref(waits);
	toy_close(&toy);
	toy_close(&worker);
	hyper_destroy(hyper);
}

static void room_is_counted(void **state)
{
	u64 limits[BUDGET_KINDS];
	Instance *a, *b = NULL;
	Hyper *hyper;
	Toy toy;
	Image *image = image_of(&toy, endless);

	(void)state;
	for (u32 i = 0; i < BUDGET_KINDS; i++)
		limits[i] = BUDGET_UNLIMITED;
	limits[BUDGET_INSTANCES] = 1;
	hyper = start(1, limits);
	a = make(hyper, image, NULL);
	assert_int_equal(instance_create(hyper, image, NULL, &b), STATUS_TOO_BIG);
	assert_null(b);
	instance_kill(a);
	assert_int_equal(instance_create(hyper, image, NULL, &b), STATUS_OK);
	assert_int_equal(instance_reset(a), STATUS_TOO_BIG);
	instance_unref(a);
	instance_unref(b);
	budget_set_limit(hyper_budget(hyper), BUDGET_MEMORY, 300000);
	a = make(hyper, image, NULL);
	assert_in_range(budget_used(hyper_budget(hyper), BUDGET_MEMORY), 131072, 140000);
	budget_set_limit(hyper_budget(hyper), BUDGET_INSTANCES, 100);
	assert_int_equal(instance_create(hyper, image, NULL, &b), STATUS_OK);
	instance_unref(b);
	budget_set_limit(hyper_budget(hyper), BUDGET_MEMORY, 200000);
	assert_int_equal(instance_create(hyper, image, NULL, &b), STATUS_TOO_BIG);
	instance_unref(a);
	assert_int_equal(budget_used(hyper_budget(hyper), BUDGET_MEMORY), 0);
	image_unref(image);
	toy_close(&toy);
	hyper_destroy(hyper);
}

typedef struct Ends {
	pthread_mutex_t lock;
	u32 count;
} Ends;

static void on_changed(void *ctx, Instance *instance)
{
	Ends *ends = ctx;

	pthread_mutex_lock(&ends->lock);
	ends->count += info_of(instance).state == INSTANCE_ENDED;
	pthread_mutex_unlock(&ends->lock);
}

/* Who ends again before anybody was told of its first end. */
static void ends_twice(void **state)
{
	Ends ends = {.lock = PTHREAD_MUTEX_INITIALIZER};
	HyperConfig config = {.changed = on_changed, .ctx = &ends};
	Instance *a, *b;
	Hyper *hyper;
	Toy toy;
	Image *image = image_of(&toy, endless);

	(void)state;
	assert_int_equal(hyper_create(&config, &hyper), STATUS_OK);
	a = make(hyper, image, NULL);
	b = make(hyper, image, NULL);
	instance_stop(a, 0);
	instance_stop(b, 0);
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(instance_reset(a), STATUS_OK);
		assert_int_equal(instance_stop(a, 0), STATUS_OK);
	}
	assert_true(hyper_run(hyper, 10 * second));
	assert_int_equal(ends.count, 2);
	assert_int_equal(instance_reset(a), STATUS_OK);
	assert_int_equal(instance_stop(a, 0), STATUS_OK);
	assert_true(hyper_run(hyper, 10 * second));
	assert_int_equal(ends.count, 3);
	instance_unref(a);
	instance_unref(b);
	image_unref(image);
	toy_close(&toy);
	hyper_destroy(hyper);
}

/* A crowd of all kinds, with hands in it from outside; everybody is told of once. */
static void a_crowd(void **state)
{
	static const char *const programs[] = {endless, counts, echo, floods, wild};
	enum { CROWD = 100 };
	Ends ends = {.lock = PTHREAD_MUTEX_INITIALIZER};
	HyperConfig config = {.workers = 2, .changed = on_changed, .ctx = &ends, .residents = residents};
	Instance *instances[CROWD];
	Image *images[5];
	Budget *root;
	Hyper *hyper;
	Rng rng = {1};
	Toy toys[5];

	(void)state;
	assert_int_equal(hyper_create(&config, &hyper), STATUS_OK);
	for (u32 i = 0; i < 5; i++)
		images[i] = image_of(&toys[i], programs[i]);
	for (u32 i = 0; i < CROWD; i++) {
		instances[i] = make(hyper, images[i % 5], NULL);
		instance_start(instances[i]);
	}
	for (u32 k = 0; k < 2000; k++) {
		Instance *instance = instances[rng_below(&rng, CROWD)];

		switch (rng_below(&rng, 8)) {
		case 0: instance_pause(instance); break;
		case 1: instance_resume(instance); break;
		case 2: instance_input(instance, (const u8 *)"x", 1); break;
		case 3: instance_hold(instance); instance_release(instance); break;
		case 4: instance_share(instance, 1 + (u32)rng_below(&rng, 1000), (u32)rng_below(&rng, 8), (u32)rng_below(&rng, 3) * 10); break;
		case 5: instance_reset(instance); break;
		case 6: instance_start(instance); break;
		default: if (k % 20 == 0) instance_stop(instance, rng_below(&rng, 2000000)); break;
		}
	}
	for (u32 i = 0; i < CROWD; i++) {
		instance_kill(instances[i]);
		assert_true(instance_wait(instances[i], 10 * second));
		instance_unref(instances[i]);
	}
	for (u32 i = 0; i < 5; i++)
		image_unref(images[i]);
	assert_true(hyper_run(hyper, 10 * second));
	root = hyper_budget(hyper);
	budget_ref(root);
	hyper_destroy(hyper);
	assert_int_equal(budget_used(root, BUDGET_INSTANCES), 0);
	assert_int_equal(budget_used(root, BUDGET_MEMORY), 0);
	budget_unref(root);
	assert_true(ends.count >= CROWD);
	for (u32 i = 0; i < 5; i++)
		toy_close(&toys[i]);
}

/* Who is parked while he does not run computes what he computed anyway: a crowd whose input comes bit by bit, side by side, with
 * forks on the way. */
static void parked_or_not(void **state)
{
	static const char *const programs[] = {echo, counts, dice, turns_itself};
	enum { MANY = 12, TURNS = 16 };
	u64 insns[2][2 * MANY];
	Sink sinks[2][2 * MANY];

	(void)state;
	if (RACES_ONLY)
		skip();
	memset(sinks, 0, sizeof sinks);
	for (u32 way = 0; way < 2; way++) {
		HyperConfig config = {.slice_insns = 61, .residents = way ? HYPER_NO_RESIDENTS : 1000};
		Instance *instances[2 * MANY];
		Image *images[4];
		Rng rng = {7};
		Hyper *hyper;
		Toy toys[4];
		u32 count = 0;

		assert_int_equal(hyper_create(&config, &hyper), STATUS_OK);
		for (u32 i = 0; i < 4; i++)
			images[i] = image_of(&toys[i], programs[i]);
		for (; count < MANY; count++) {
			InstanceOptions options = {.output = on_output, .ctx = &sinks[way][count]};

			instances[count] = make(hyper, images[count % 4], &options);
			instance_start(instances[count]);
		}
		for (u32 turn = 0; turn < TURNS; turn++) {
			hyper_run(hyper, ~(u64)0);
			for (u32 i = 0; i < count; i++)
				if (rng_below(&rng, 2))
					instance_input(instances[i], (const u8 *)(rng_below(&rng, 20) ? "a" : "\n"), 1);
			if (count < 2 * MANY) {
				InstanceOptions options = {.output = on_output, .ctx = &sinks[way][count]};
				Status status = instance_fork(instances[rng_below(&rng, count)], &options, &instances[count]);

				assert_int_equal(status, STATUS_OK);
				instance_start(instances[count++]);
			}
		}
		hyper_run(hyper, ~(u64)0);
		for (u32 i = 0; i < count; i++) {
			Machine *machine = instance_hold(instances[i]);

			assert_non_null(machine);
			insns[way][i] = machine_icount(machine) * 100 + toy_reg(machine, "R0");
			instance_release(instances[i]);
			assert_int_equal(way ? insns[0][i] : insns[way][i], insns[way][i]);
			assert_string_equal(buf_text(&sinks[0][i].text), buf_text(&sinks[way][i].text));
			instance_unref(instances[i]);
		}
		for (u32 i = 0; i < 4; i++) {
			image_unref(images[i]);
			toy_close(&toys[i]);
		}
		hyper_destroy(hyper);
	}
	for (u32 i = 0; i < 4 * MANY; i++)
		buf_fini(&sinks[i / (2 * MANY)][i % (2 * MANY)].text);
}

/* Handed over, then forked: the parent shares what it was with its forks, and all go on from there. */
static void forks_of_adopted_ones(void **state)
{
	Hyper *hyper = start(0, NULL);
	MachineConfig config;
	Instance *one, *others[5];
	Machine *machine;
	Toy toy;

	(void)state;
	toy_open(&toy, counts);
	config = (MachineConfig){.isa = toy.isa, .random_seed = 42, .size_program = 100};
	machine_run(toy.machine, 50);
	assert_int_equal(instance_adopt(hyper, &config, toy.machine, NULL, &one), STATUS_OK);
	assert_int_equal(instance_reset(one), STATUS_UNSUPPORTED);
	for (u32 i = 0; i < 5; i++) {
		assert_int_equal(instance_fork(one, NULL, &others[i]), STATUS_OK);
		instance_start(others[i]);
	}
	instance_start(one);
	assert_true(hyper_run(hyper, 10 * second));
	for (u32 i = 0; i < 6; i++) {
		Instance *instance = i < 5 ? others[i] : one;

		assert_int_equal(info_of(instance).end, END_HALTED);
		assert_int_equal(info_of(instance).code, 7);
		assert_int_equal(info_of(instance).insns, 152);
		machine = instance_hold(instance);
		assert_int_equal(machine_icount(machine), 202);
		instance_release(instance);
		instance_unref(instance);
	}
	toy.machine = NULL;
	hyper_destroy(hyper);
	toy_close(&toy);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(halts), cmocka_unit_test(fuel_is_exact), cmocka_unit_test(output_is_exact),
		cmocka_unit_test(failures_say_why), cmocka_unit_test(input_wakes), cmocka_unit_test(pause_and_kill),
		cmocka_unit_test(stop_and_timeout), cmocka_unit_test(forks), cmocka_unit_test(forks_of_running_ones),
		cmocka_unit_test(shares_are_as_weights),
		cmocka_unit_test(who_waited_goes_first), cmocka_unit_test(room_is_counted), cmocka_unit_test(ends_twice), cmocka_unit_test(a_crowd),
		cmocka_unit_test(parked_or_not), cmocka_unit_test(forks_of_adopted_ones),
	};
	int failed = cmocka_run_group_tests_name("residents", tests, NULL, NULL);

	residents = HYPER_NO_RESIDENTS;
	return failed | cmocka_run_group_tests_name("all parked", tests, NULL, NULL);
}
