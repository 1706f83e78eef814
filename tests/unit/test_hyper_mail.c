/* SPDX-License-Identifier: MIT
 * What instances have of one another: messages, instances that they start, keys and values that stay. Nothing is lost, doubled or
 * shared; waiting changes nothing; and who has nothing to do with it notices nothing.
 */
#include "toy.h"
#include "postal.h"

#include <pthread.h>

#include "hyper/hyper.h"
#include "machine/outside.h"

static const u64 second = 1000000000;

static Image *image_of(Toy *toy, const char *text)
{
	MachineConfig config;
	Machine *machine;
	DiagList diags;
	Image *image;

	toy_open_isa(toy, mail_isa, text);
	config = (MachineConfig){.isa = toy->isa, .random_seed = 42, .virtual_time = true}; /* so that time is of its own making */
	diag_init(&diags);
	assert_int_equal(machine_create(&config, &machine, &diags), STATUS_OK);
	diag_fini(&diags);
	toy_put(machine, toy->program);
	machine_reset(machine, true);
	assert_int_equal(image_create(&config, machine, &image), STATUS_OK);
	machine_destroy(machine);
	return image;
}

static Hyper *start(u32 workers, const HyperStore *store)
{
	HyperConfig config = {.workers = workers, .store = store};
	Hyper *hyper;

	assert_int_equal(hyper_create(&config, &hyper), STATUS_OK);
	return hyper;
}

static Instance *make(Hyper *hyper, Image *image, InstanceOptions options)
{
	static const u32 all = MAY_ALL;
	Instance *instance = NULL;

	if (!options.rights)
		options.rights = &all;
	assert_int_equal(instance_create(hyper, image, &options, &instance), STATUS_OK);
	return instance;
}

static InstanceInfo info_of(Instance *instance)
{
	InstanceInfo info;

	instance_info(instance, &info);
	return info;
}

static u64 hash_of(Instance *instance)
{
	u64 hash = toy_hash(instance_hold(instance));

	instance_release(instance);
	return hash;
}

static u64 reg_of(Instance *instance, const char *name)
{
	u64 value = toy_reg(instance_hold(instance), name);

	instance_release(instance);
	return value;
}

/* ---- Messages ---- */

/* Sends 250 numbered messages to "sink", again when its queue is full. */
static const char source[] = "FIND R1, name\nLD R2, count\nagain: ST R2, letter\nretry: SEND R1, letter\nADDI R3, 0\nBNZ R3, retry\n"
			     "ADDI R2, -1\nBNZ R2, again\nLI R0, 5\nSTOP R0\ncount: .WORD 250\nletter: .WORD 0, 0, 0, 7\nname: .TEXT \"sink\"\n";
/* Takes 250 of them, and ends with 0 when none is left. */
static const char sink[] = "LD R2, count\nagain: GET R1, letter\nLD R1, letter\nST R2, mine\nADDI R2, -1\nBNZ R2, again\nLEN R0\nSTOP R0\n"
			   "count: .WORD 250\nletter: .SPACE 4\nmine: .SPACE 1\n";

/* Nothing is lost, nothing comes twice: as many as were sent are taken, however often the queue was full. */
static void nothing_is_lost(void **state)
{
	(void)state;
	for (u32 workers = 0; workers < 3; workers++)
		for (u32 round = 0; round < 2; round++) {
			Hyper *hyper = start(workers, NULL);
			Toy toys[2];
			Image *images[2] = {image_of(&toys[0], source), image_of(&toys[1], sink)};
			Instance *from = make(hyper, images[0], (InstanceOptions){.name = "source"});
			Instance *to = make(hyper, images[1], (InstanceOptions){.name = "sink"});

			instance_start(round ? from : to);
			if (round) /* the queue is filled before anybody reads */
				hyper_run(hyper, 3000000);
			instance_start(round ? to : from);
			assert_true(hyper_run(hyper, 20 * second));
			assert_int_equal(info_of(from).end, END_HALTED);
			assert_int_equal(info_of(from).code, 5);
			assert_int_equal(info_of(from).messages, 250);
			assert_int_equal(info_of(to).end, END_HALTED);
			assert_int_equal(info_of(to).code, 0);
			assert_int_equal(info_of(to).insns, 1 + 250 * 5 + 2);
			for (u32 i = 0; i < 2; i++) {
				image_unref(images[i]);
				toy_close(&toys[i]);
			}
			instance_unref(from);
			instance_unref(to);
			hyper_destroy(hyper);
		}
}

/* A queue holds 256; the one after that is refused, and 256 are there. */
static void queues_are_bounded(void **state)
{
	Hyper *hyper = start(0, NULL);
	Toy toy;
	Image *image = image_of(&toy, sink);
	Instance *instance = make(hyper, image, (InstanceOptions){.name = "sink"});
	u8 bytes[MAIL_MOST + 1] = {0};
	u32 count = 0;

	(void)state;
	while (instance_mail(instance, 0, bytes, 10) == STATUS_OK)
		count++;
	assert_int_equal(count, 256);
	assert_int_equal(instance_mail(instance, 0, bytes, sizeof bytes), STATUS_TOO_BIG);
	/* They go when it starts anew, and then it waits. */
	instance_reset(instance);
	instance_kill(instance);
	assert_int_equal(instance_mail(instance, 0, bytes, 10), STATUS_INVALID);
	instance_reset(instance);
	instance_start(instance);
	assert_true(hyper_run(hyper, second));
	assert_int_equal(info_of(instance).state, INSTANCE_WAITING);
	assert_int_equal(info_of(instance).waits, WAIT_MESSAGE);
	/* By bytes as well. */
	for (count = 0; instance_mail(instance, 0, bytes, MAIL_MOST) == STATUS_OK; count++)
		;
	assert_int_equal(count, 16);
	instance_unref(instance);
	image_unref(image);
	toy_close(&toy);
	hyper_destroy(hyper);
}

/* Waiting changes nothing: the state at the wait is the same before and after somebody looked, and a copy of it, made by a fork or put
 * back by a snapshot, goes on from there with messages of its own. */
static void waiting_changes_nothing(void **state)
{
	Hyper *hyper = start(0, NULL);
	Toy toy;
	Image *image = image_of(&toy, sink);
	Instance *instance = make(hyper, image, (InstanceOptions){.name = "sink"}), *twin;
	static const u32 all = MAY_ALL;
	InstanceOptions options = {.name = "twin", .rights = &all};
	u8 letter[4] = {9, 9, 9, 9};
	Buf bytes;

	(void)state;
	instance_start(instance);
	assert_true(hyper_run(hyper, second));
	instance_revoke(instance, MAY_NET); /* wakes it for nothing */
	hyper_run(hyper, second);
	assert_int_equal(info_of(instance).state, INSTANCE_WAITING);
	assert_int_equal(info_of(instance).insns, 1);
	assert_int_equal(reg_of(instance, "pc"), 1);
	assert_int_equal(reg_of(instance, "R0"), 0);
	buf_init(&bytes);
	assert_int_equal(instance_snapshot(instance, &bytes), STATUS_OK);
	assert_int_equal(instance_fork(instance, &options, &twin), STATUS_OK);
	instance_start(twin);
	assert_true(hyper_run(hyper, second));
	assert_int_equal(info_of(twin).state, INSTANCE_WAITING);
	/* One message for the first: the twin has none of it. */
	instance_mail(instance, 0, letter, 4);
	assert_true(hyper_run(hyper, second));
	assert_int_equal(reg_of(instance, "R2"), 249);
	assert_int_equal(reg_of(twin, "R2"), 250);
	/* Back to before: the message has been taken and does not come again; one that waits in the queue is found. */
	instance_pause(instance);
	instance_mail(instance, 0, letter, 4);
	assert_int_equal(instance_restore(instance, bytes.data, bytes.len), STATUS_OK);
	instance_resume(instance);
	assert_true(hyper_run(hyper, second));
	assert_int_equal(reg_of(instance, "R2"), 249);
	assert_int_equal(info_of(instance).state, INSTANCE_WAITING);
	buf_fini(&bytes);
	instance_unref(twin);
	instance_unref(instance);
	image_unref(image);
	toy_close(&toy);
	hyper_destroy(hyper);
}

/* ---- Instances that are started ---- */

typedef struct Family {
	Image *image;
	u32 made;
} Family;

static Hyper *family_hyper; /* of the one test that runs */

static Status on_spawn_here(void *ctx, Instance *parent, const char *name, InstanceOptions *options, Instance **out)
{
	static const u32 all = MAY_ALL;
	Family *family = ctx;

	(void)parent;
	if (strcmp(name, "me") != 0)
		return STATUS_NOT_FOUND;
	options->rights = &all;
	options->spawn = on_spawn_here;
	options->ctx = family;
	__atomic_add_fetch(&family->made, 1, __ATOMIC_RELAXED);
	return instance_create(family_hyper, family->image, options, out);
}

/* Starts itself until it gets no more, waits for the last one, and ends with the number of those below it: as deep as allowed. */
static const char deep[] = "SPAWN R1, name\nBNZ R1, wait\nLI R0, 0\nSTOP R0\nwait: JOIN R1\nADDI R1, 1\nSTOP R1\nname: .TEXT \"me\"\n";
/* Starts itself for ever. */
static const char bomb[] = "again: SPAWN R1, name\nLI R1, 1\nBNZ R1, again\nname: .TEXT \"me\"\n";

static void families_end(void **state)
{
	(void)state;
	for (u32 workers = 0; workers < 3; workers++) {
		Family family = {0};
		Toy toy;
		Instance *instance;

		family_hyper = start(workers, NULL);
		family.image = image_of(&toy, deep);
		instance = make(family_hyper, family.image, (InstanceOptions){.name = "root", .spawn = on_spawn_here, .ctx = &family});
		instance_start(instance);
		assert_true(hyper_run(family_hyper, 20 * second));
		assert_int_equal(info_of(instance).end, END_HALTED);
		assert_int_equal(info_of(instance).code, 16); /* no family is deeper */
		assert_int_equal(family.made, 16);
		instance_unref(instance);
		image_unref(family.image);
		toy_close(&toy);
		hyper_destroy(family_hyper);
	}
}

/* However many there are, they have the fuel of one, to the instruction; and are never more than allowed. */
static void families_live_on_one_budget(void **state)
{
	(void)state;
	for (u32 workers = 0; workers < 3; workers++) {
		u64 limits[BUDGET_KINDS];
		Family family = {0};
		Toy toy;
		Instance *instance;

		for (u32 i = 0; i < BUDGET_KINDS; i++)
			limits[i] = BUDGET_UNLIMITED;
		limits[BUDGET_FUEL] = 30001;
		limits[BUDGET_INSTANCES] = 7;
		family_hyper = start(workers, NULL);
		family.image = image_of(&toy, bomb);
		instance = make(family_hyper, family.image,
				(InstanceOptions){.name = "root", .spawn = on_spawn_here, .ctx = &family, .limits = limits});
		instance_start(instance);
		assert_true(hyper_run(family_hyper, 30 * second));
		assert_int_equal(info_of(instance).state, INSTANCE_ENDED);
		assert_int_equal(budget_used(instance_budget(instance), BUDGET_FUEL), 30001);
		assert_non_null(strstr(info_of(instance).refused, "the instances limit of 7 instances (root)"));
		instance_unref(instance);
		assert_int_equal(budget_used(hyper_budget(family_hyper), BUDGET_INSTANCES), 0);
		assert_int_equal(budget_used(hyper_budget(family_hyper), BUDGET_MEMORY), 0);
		image_unref(family.image);
		toy_close(&toy);
		hyper_destroy(family_hyper);
	}
}

/* ---- Keys and values ---- */

typedef struct Cupboard { /* one value per space and key, a byte each */
	pthread_mutex_t lock;
	char spaces[16][32];
	u8 keys[16], values[16];
	u32 count, writes;
} Cupboard;

static u32 find(const Cupboard *cupboard, const char *space, u8 key)
{
	u32 i = 0;

	while (i < cupboard->count && (strcmp(cupboard->spaces[i], space) != 0 || cupboard->keys[i] != key))
		i++;
	return i;
}

static Status cupboard_get(void *ctx, const char *space, const u8 *key, size_t len, Buf *value)
{
	Cupboard *cupboard = ctx;
	Status status = STATUS_NOT_FOUND;
	u32 i;

	assert_int_equal(len, 1);
	pthread_mutex_lock(&cupboard->lock);
	i = find(cupboard, space, key[0]);
	if (i < cupboard->count) {
		buf_byte(value, cupboard->values[i]);
		status = STATUS_OK;
	}
	pthread_mutex_unlock(&cupboard->lock);
	return status;
}

static Status cupboard_set(void *ctx, const char *space, const u8 *key, size_t len, const u8 *value, size_t value_len, u64 most)
{
	Cupboard *cupboard = ctx;
	u32 i;

	assert_int_equal(len, 1);
	assert_int_equal(value_len, 1);
	assert_int_equal(most, 77);
	pthread_mutex_lock(&cupboard->lock);
	i = find(cupboard, space, key[0]);
	if (i == cupboard->count) {
		cupboard->count++;
		snprintf(cupboard->spaces[i], sizeof cupboard->spaces[i], "%s", space);
		cupboard->keys[i] = key[0];
	}
	cupboard->values[i] = value[0];
	cupboard->writes++;
	pthread_mutex_unlock(&cupboard->lock);
	return STATUS_OK;
}

static Status cupboard_remove(void *ctx, const char *space, const u8 *key, size_t len)
{
	(void)ctx, (void)space, (void)key, (void)len;
	return STATUS_NOT_FOUND;
}

/* Adds one to what is kept under "k", and ends with it. */
static const char counter[] = "KGET R0, key\nLD R1, value\nADDI R1, 1\nST R1, value\nKSET R0, key\nSTOP R1\nkey: .WORD 107\nvalue: .WORD 0\n";

static void values_stay(void **state)
{
	Cupboard cupboard = {.lock = PTHREAD_MUTEX_INITIALIZER};
	HyperStore store = {.ctx = &cupboard, .get = cupboard_get, .set = cupboard_set, .remove = cupboard_remove};
	static const struct {
		const char *name, *space, *realm;
		int code;
	} runs[] = {
		{"one", NULL, NULL, 1}, {"one", NULL, NULL, 2}, {"two", NULL, NULL, 1}, {"two", "one", NULL, 3}, {"one", NULL, "far", 1},
		{"one", NULL, NULL, 4},
	};
	Toy toy;
	Image *image = image_of(&toy, counter);

	(void)state;
	for (u32 i = 0; i < COUNT_OF(runs); i++) {
		Hyper *hyper = start(i % 3, &store);
		Instance *instance = make(hyper, image, (InstanceOptions){.name = runs[i].name, .store = runs[i].space,
									  .realm = runs[i].realm, .store_most = 77});

		instance_start(instance);
		assert_true(hyper_run(hyper, 10 * second));
		assert_int_equal(info_of(instance).end, END_HALTED);
		assert_int_equal(info_of(instance).code, runs[i].code);
		instance_unref(instance);
		hyper_destroy(hyper);
	}
	assert_int_equal(cupboard.writes, COUNT_OF(runs));
	image_unref(image);
	toy_close(&toy);
}

/* ---- Neighbours ---- */

/* Counts, in registers and memory, and ends. */
static const char quiet[] = "LD R1, count\nagain: LD R2, sum\nADDI R2, 3\nST R2, sum\nADDI R1, -1\nBNZ R1, again\nLI R0, 9\nSTOP R0\n"
			    "count: .WORD 20000\nsum: .WORD 0\n";
static const char floods[] = "SELF R1\nagain: SEND R1, again\nLI R2, 1\nBNZ R2, again\n";

/* Bit for bit what it is alone, whatever happens beside it. */
static void neighbours_notice_nothing(void **state)
{
	u64 hash = 0, insns = 0;

	(void)state;
	for (u32 workers = 0; workers < 3; workers++)
		for (u32 crowd = 0; crowd < 2; crowd++) {
			u64 limits[BUDGET_KINDS];
			Family family = {0};
			Toy toys[3];
			Image *images[3];
			Instance *instances[3];

			for (u32 i = 0; i < BUDGET_KINDS; i++)
				limits[i] = BUDGET_UNLIMITED;
			limits[BUDGET_FUEL] = 50000;
			limits[BUDGET_INSTANCES] = 5;
			family_hyper = start(workers, NULL);
			images[0] = image_of(&toys[0], quiet);
			images[1] = image_of(&toys[1], floods);
			images[2] = family.image = image_of(&toys[2], bomb);
			instances[0] = make(family_hyper, images[0], (InstanceOptions){.name = "quiet", .seed = 5});
			instances[1] = make(family_hyper, images[1], (InstanceOptions){.limits = limits});
			instances[2] = make(family_hyper, images[2],
					    (InstanceOptions){.limits = limits, .spawn = on_spawn_here, .ctx = &family});
			for (u32 i = 0; i < (crowd ? 3 : 1); i++)
				instance_start(instances[i]);
			assert_true(hyper_run(family_hyper, 30 * second));
			assert_int_equal(info_of(instances[0]).code, 9);
			if (!hash) {
				hash = hash_of(instances[0]);
				insns = info_of(instances[0]).insns;
			}
			assert_int_equal(info_of(instances[0]).insns, insns);
			assert_int_equal(hash_of(instances[0]), hash);
			for (u32 i = 0; i < 3; i++) {
				instance_unref(instances[i]);
				image_unref(images[i]);
				toy_close(&toys[i]);
			}
			hyper_destroy(family_hyper);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost),
		cmocka_unit_test(queues_are_bounded),
		cmocka_unit_test(waiting_changes_nothing),
		cmocka_unit_test(families_end),
		cmocka_unit_test(families_live_on_one_budget),
		cmocka_unit_test(values_stay),
		cmocka_unit_test(neighbours_notice_nothing),
	};
	/* pthread_create: under TSan, too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
