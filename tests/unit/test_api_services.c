/* SPDX-License-Identifier: MIT
 * libhusk's services for instances: letters to and from the host, children, a store of the host's; who is there; and the words for
 * snapshots that are refused.
 */
#include "unit/api.h"
#include "unit/postal.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define IS(call, status) assert_int_equal(call, status)
#define NO(call) assert_int_equal(call, HUSK_INVALID)

static const uint64_t second = 1000000000;
enum { ALL = HUSK_OUTPUT | HUSK_INPUT | HUSK_RANDOM | HUSK_TIME | HUSK_VCPUS | HUSK_SERVICES | HUSK_MAILBOX | HUSK_SPAWN | HUSK_KV };

typedef struct World {
	husk_context *context;
	husk_hyper *hyper;
} World;

static void open_world(World *world, uint32_t workers, const husk_store *store)
{
	husk_hyper_options options;

	HUSK_INIT(options);
	options.workers = workers;
	options.store = store;
	IS(husk_context_create(NULL, &world->context), HUSK_OK);
	IS(husk_hyper_create(world->context, &options, &world->hyper), HUSK_OK);
}

static void close_world(World *world)
{
	husk_hyper_destroy(world->hyper);
	husk_context_unref(world->context);
}

static husk_image *image_of(World *world, const char *text)
{
	husk_machine *machine = api_make(world->context, "postal.isa", mail_isa, text, NULL);
	husk_image *image;

	IS(husk_image_create(machine, &image), HUSK_OK);
	assert_true(husk_image_bytes(image) > 0);
	husk_machine_destroy(machine);
	return image;
}

static husk_instance_options with_rights(const char *name)
{
	husk_instance_options options;

	HUSK_INIT(options);
	options.name = name;
	options.has_rights = 1;
	options.rights = ALL;
	return options;
}

/* One of this program, which is let go. */
static husk_instance *make(World *world, const char *text, const husk_instance_options *options)
{
	husk_image *image = image_of(world, text);
	husk_instance *instance;

	IS(husk_instance_create(world->hyper, image, options, &instance), HUSK_OK);
	husk_image_unref(image);
	return instance;
}

static husk_instance_info info_of(husk_instance *instance)
{
	husk_instance_info info;

	HUSK_INIT(info);
	IS(husk_instance_get_info(instance, &info), HUSK_OK);
	return info;
}

/* ---- Letters ---- */

static const char asking[] = "FIND R1, name\nSEND R1, letter\nGET R2, letter\nLD R0, letter\nSTOP R0\n"
			     "letter: .WORD 1, 2, 3, 4\nname: .TEXT \"desk\"\n";
static const char waiting[] = "GET R1, letter\nLD R0, letter\nSTOP R0\nletter: .SPACE 4\n";
static const char writing[] = "FIND R1, name\nLI R2, 100\nagain: SEND R1, letter\nBNZ R3, again\nADDI R2, -1\nBNZ R2, again\nSTOP R2\n"
			      "letter: .WORD 1, 2, 3, 4\nname: .TEXT \"desk\"\n";

typedef struct Desk {
	unsigned arrived; /* atomic */
	bool answers;
} Desk;

static void on_arrived(void *ctx, husk_mailbox *mailbox)
{
	Desk *desk = ctx;
	uint8_t letter[HUSK_MESSAGE_MOST];
	uint64_t from;
	size_t len;

	__atomic_add_fetch(&desk->arrived, 1, __ATOMIC_RELAXED);
	if (desk->answers && !husk_mailbox_take(mailbox, letter, sizeof letter, &len, &from)) {
		letter[0] = (uint8_t)(letter[0] + 41);
		IS(husk_mailbox_send(mailbox, from, letter, len), HUSK_OK);
	}
}

static void test_mailbox(void **state)
{
	(void)state;
	for (uint32_t workers = 0; workers < 3; workers += 2) {
		husk_instance_options options = with_rights("asker");
		husk_mailbox_options desk_options;
		husk_instance *asker;
		husk_mailbox *mailbox;
		uint64_t number, from;
		uint8_t letter[4];
		World world;
		size_t len;

		open_world(&world, workers, NULL);
		HUSK_INIT(desk_options);
		desk_options.name = "desk";
		IS(husk_mailbox_create(world.hyper, &desk_options, &mailbox), HUSK_OK);
		IS(husk_mailbox_take(mailbox, letter, 4, &len, &from), HUSK_NOT_FOUND);
		IS(husk_mailbox_wait(mailbox, 1000), workers ? HUSK_TIMEOUT : HUSK_STATE);
		asker = make(&world, asking, &options);
		IS(husk_mailbox_find(mailbox, "asker", &number), HUSK_OK);
		assert_int_equal(number, info_of(asker).number);
		IS(husk_mailbox_find(mailbox, "nobody", &number), HUSK_NOT_FOUND);
		assert_int_equal(number, 0);
		IS(husk_instance_start(asker), HUSK_OK);
		if (!workers)
			IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
		IS(husk_mailbox_wait(mailbox, 20 * second), HUSK_OK);
		IS(husk_mailbox_take(mailbox, letter, 3, &len, &from), HUSK_LIMIT); /* and stays */
		assert_int_equal(len, 4);
		IS(husk_mailbox_take(mailbox, letter, 4, &len, &from), HUSK_OK);
		assert_int_equal(len, 4);
		assert_memory_equal(letter, "\1\2\3\4", 4);
		assert_int_equal(from, info_of(asker).number);
		IS(husk_mailbox_take(mailbox, letter, 4, &len, NULL), HUSK_NOT_FOUND);
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK); /* all wait */
		assert_int_equal(info_of(asker).state, HUSK_INSTANCE_WAITING);
		assert_int_equal(info_of(asker).waits, HUSK_WAIT_MESSAGE);
		IS(husk_mailbox_send(mailbox, from, "\x2A\0\0\0", 4), HUSK_OK);
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
		assert_int_equal(info_of(asker).end, HUSK_END_HALTED);
		assert_int_equal(info_of(asker).exit_code, 42);
		IS(husk_mailbox_send(mailbox, from, "late", 4), HUSK_NOT_FOUND);
		IS(husk_instance_mail(asker, "late", 4), HUSK_STATE);
		husk_instance_unref(asker);
		close_world(&world);
		husk_mailbox_unref(mailbox); /* after its hypervisor */
	}
}

/* It is told at once, on the thread that sends, and may answer there. */
static void test_arrived(void **state)
{
	(void)state;
	for (uint32_t workers = 0; workers < 3; workers += 2) {
		husk_instance_options options = with_rights(NULL);
		husk_mailbox_options desk_options;
		husk_instance *askers[20];
		Desk desk = {.answers = true};
		husk_mailbox *mailbox;
		husk_image *image;
		World world;

		open_world(&world, workers, NULL);
		HUSK_INIT(desk_options);
		desk_options.name = "desk";
		desk_options.arrived = on_arrived;
		desk_options.arrived_ctx = &desk;
		IS(husk_mailbox_create(world.hyper, &desk_options, &mailbox), HUSK_OK);
		image = image_of(&world, asking);
		for (int i = 0; i < 20; i++) {
			IS(husk_instance_create(world.hyper, image, &options, &askers[i]), HUSK_OK);
			IS(husk_instance_start(askers[i]), HUSK_OK);
		}
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
		assert_int_equal(desk.arrived, 20);
		for (int i = 0; i < 20; i++) {
			assert_int_equal(info_of(askers[i]).end, HUSK_END_HALTED);
			assert_int_equal(info_of(askers[i]).exit_code, 42);
			husk_instance_unref(askers[i]);
		}
		husk_image_unref(image);
		husk_mailbox_unref(mailbox);
		close_world(&world);
	}
}

/* Who finds a mailbox full waits or tries again; realms and rights part; without it nobody is there. */
static void test_full_and_foreign(void **state)
{
	husk_instance_options options = with_rights("source");
	husk_mailbox_options desk_options;
	husk_mailbox *mailbox, *foreign, *twin;
	husk_instance *source, *far, *silent;
	uint8_t letter[HUSK_MESSAGE_MOST + 1] = {0};
	size_t len, taken = 0, sent;
	uint64_t number;
	World world;

	(void)state;
	open_world(&world, 0, NULL);
	HUSK_INIT(desk_options);
	desk_options.name = "desk";
	IS(husk_mailbox_create(world.hyper, &desk_options, &mailbox), HUSK_OK);
	desk_options.realm = "far";
	IS(husk_mailbox_create(world.hyper, &desk_options, &foreign), HUSK_OK);
	IS(husk_mailbox_create(world.hyper, NULL, &twin), HUSK_OK);
	assert_true(husk_mailbox_number(twin) > husk_mailbox_number(foreign));
	IS(husk_mailbox_find(mailbox, "host", &number), HUSK_OK);
	assert_int_equal(number, husk_mailbox_number(twin));
	IS(husk_mailbox_find(foreign, "host", &number), HUSK_NOT_FOUND);
	IS(husk_mailbox_send(foreign, husk_mailbox_number(twin), "x", 1), HUSK_NOT_FOUND);

	for (sent = 0; !husk_mailbox_send(twin, husk_mailbox_number(mailbox), "xxxx", 4); sent++)
		;
	assert_int_equal(sent, 256);
	IS(husk_mailbox_send(twin, husk_mailbox_number(mailbox), "xxxx", 4), HUSK_LIMIT);
	IS(husk_mailbox_send(twin, husk_mailbox_number(mailbox), letter, sizeof letter), HUSK_RANGE);
	source = make(&world, writing, &options);
	IS(husk_instance_start(source), HUSK_OK);
	while (info_of(source).state != HUSK_INSTANCE_ENDED) {
		IS(husk_hyper_run(world.hyper, 1000000) == HUSK_INVALID, 0);
		for (int i = 0; i < 30 && !husk_mailbox_take(mailbox, letter, sizeof letter, &len, NULL); i++)
			taken++;
	}
	while (!husk_mailbox_take(mailbox, letter, sizeof letter, &len, NULL))
		taken++;
	assert_int_equal(taken, 256 + 100);
	assert_int_equal(info_of(source).messages, 100);

	options = with_rights("far");
	options.realm = "far";
	far = make(&world, waiting, &options);
	IS(husk_mailbox_send(mailbox, info_of(far).number, "x", 1), HUSK_NOT_FOUND);
	IS(husk_mailbox_send(foreign, info_of(far).number, "\7", 1), HUSK_OK);
	IS(husk_instance_start(far), HUSK_OK);
	options = with_rights("silent");
	options.rights = ALL & ~HUSK_MAILBOX;
	silent = make(&world, waiting, &options);
	IS(husk_mailbox_send(mailbox, info_of(silent).number, "x", 1), HUSK_NOT_FOUND);
	IS(husk_instance_grant(silent, HUSK_MAILBOX), HUSK_OK);
	IS(husk_mailbox_send(mailbox, info_of(silent).number, "\10", 1), HUSK_OK);
	IS(husk_instance_mail(silent, "\11", 1), HUSK_OK);
	IS(husk_instance_mail(silent, letter, sizeof letter), HUSK_RANGE);
	IS(husk_instance_start(silent), HUSK_OK);
	IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
	assert_int_equal(info_of(far).exit_code, 7);
	assert_int_equal(info_of(silent).exit_code, 8);
	/* A mailbox that has gone is nobody. */
	number = husk_mailbox_number(twin);
	husk_mailbox_ref(twin);
	husk_mailbox_unref(twin);
	IS(husk_mailbox_send(mailbox, number, "x", 1), HUSK_OK);
	husk_mailbox_unref(twin);
	IS(husk_mailbox_send(mailbox, number, "x", 1), HUSK_NOT_FOUND);
	husk_mailbox_unref(mailbox);
	husk_mailbox_unref(foreign);
	husk_instance_unref(source);
	husk_instance_unref(far);
	husk_instance_unref(silent);
	close_world(&world);
}

static void test_mailbox_misuse(void **state)
{
	struct {
		husk_mailbox_options now;
		uint64_t later;
	} newer;
	husk_mailbox *mailbox;
	uint64_t number = 5;
	uint8_t byte;
	size_t len;
	World world;

	(void)state;
	open_world(&world, 0, NULL);
	NO(husk_mailbox_create(NULL, NULL, &mailbox));
	assert_null(mailbox);
	NO(husk_mailbox_create(world.hyper, NULL, NULL));
	memset(&newer, 0, sizeof newer);
	NO(husk_mailbox_create(world.hyper, &newer.now, &mailbox));
	newer.now.size = sizeof newer;
	newer.later = 1;
	IS(husk_mailbox_create(world.hyper, &newer.now, &mailbox), HUSK_UNSUPPORTED);
	IS(husk_mailbox_create(world.hyper, NULL, &mailbox), HUSK_OK);
	husk_mailbox_ref(NULL);
	husk_mailbox_unref(NULL);
	assert_int_equal(husk_mailbox_number(NULL), 0);
	NO(husk_mailbox_find(NULL, "a", &number));
	assert_int_equal(number, 0);
	NO(husk_mailbox_find(mailbox, NULL, &number));
	NO(husk_mailbox_find(mailbox, "a", NULL));
	NO(husk_mailbox_send(NULL, 1, "a", 1));
	NO(husk_mailbox_send(mailbox, 1, NULL, 1));
	IS(husk_mailbox_send(mailbox, 0, NULL, 0), HUSK_NOT_FOUND);
	IS(husk_mailbox_send(mailbox, husk_mailbox_number(mailbox), NULL, 0), HUSK_OK); /* to oneself, nothing */
	IS(husk_mailbox_take(mailbox, NULL, 0, &len, &number), HUSK_OK);
	assert_int_equal(number, husk_mailbox_number(mailbox));
	NO(husk_mailbox_take(NULL, &byte, 1, &len, &number));
	NO(husk_mailbox_take(mailbox, NULL, 1, &len, &number));
	NO(husk_mailbox_take(mailbox, &byte, 1, NULL, &number));
	NO(husk_mailbox_wait(NULL, 0));
	IS(husk_mailbox_wait(mailbox, 0), HUSK_STATE);
	husk_mailbox_unref(mailbox);
	close_world(&world);
}

/* ---- Children ---- */

static const char mother[] = "SPAWN R1, kid\nSPAWN R2, kid\nSPAWN R0, wolf\nJOIN R1\nJOIN R2\nST R2, end\nLD R0, end\nSTOP R0\n"
			     "end: .WORD 0\nkid: .TEXT \"kid\"\nwolf: .TEXT \"wolf\"\n";

typedef struct Family {
	husk_image *kid;
	husk_instance *kids[2]; /* references */
	unsigned count, refused, gone;
} Family;

static void on_gone(void *user)
{
	__atomic_add_fetch((unsigned *)user, 1, __ATOMIC_RELAXED);
}

static husk_status on_spawn(void *ctx, husk_instance *parent, const char *name, husk_spawn *spawn)
{
	husk_instance_options options;
	Family *family = ctx;
	husk_limits limits;

	assert_string_equal(husk_instance_name(parent), "mother");
	NO(husk_spawn_create(spawn, NULL, NULL, NULL));
	NO(husk_spawn_create(NULL, family->kid, NULL, NULL));
	if (strcmp(name, "kid") != 0) {
		family->refused++;
		return HUSK_NOT_FOUND;
	}
	HUSK_INIT(limits);
	limits.fuel = 1000;
	options = with_rights("not its name");
	options.limits = &limits;
	options.user = &family->gone;
	options.gone = on_gone;
	IS(husk_spawn_create(spawn, family->kid, &options, &family->kids[family->count]), HUSK_OK);
	IS(husk_spawn_create(spawn, family->kid, NULL, NULL), HUSK_STATE);
	family->count++;
	return HUSK_OK;
}

static void test_children(void **state)
{
	(void)state;
	for (uint32_t workers = 0; workers < 3; workers += 2) {
		husk_instance_options options = with_rights("mother");
		husk_instance *instance, *other, *found[4];
		Family family = {.count = 0};
		husk_budget *node;
		husk_limits limits;
		World world;
		size_t count;

		open_world(&world, workers, NULL);
		family.kid = image_of(&world, waiting);
		HUSK_INIT(limits);
		limits.instances = 3;
		IS(husk_budget_create(world.hyper, NULL, "family", &limits, &node), HUSK_OK);
		options.budget = node;
		options.spawn = on_spawn;
		options.spawn_ctx = &family;
		instance = make(&world, mother, &options);
		options = with_rights("other");
		other = make(&world, waiting, &options);
		IS(husk_instance_start(instance), HUSK_OK);
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK); /* kids wait for letters, and their mother for them */
		assert_int_equal(family.count, 2);
		assert_int_equal(family.refused, 1);
		assert_int_equal(husk_budget_used(world.hyper, node, HUSK_RESOURCE_INSTANCES), 3);
		assert_int_equal(husk_budget_left(world.hyper, node, HUSK_RESOURCE_INSTANCES), 0);

		IS(husk_hyper_instances(world.hyper, NULL, found, 4, &count), HUSK_OK);
		assert_int_equal(count, 4);
		assert_ptr_equal(found[0], instance);
		assert_ptr_equal(found[1], other);
		assert_ptr_equal(found[2], family.kids[0]);
		assert_ptr_equal(found[3], family.kids[1]);
		for (int i = 0; i < 4; i++)
			husk_instance_unref(found[i]);
		IS(husk_hyper_instances(world.hyper, node, found, 2, &count), HUSK_OK);
		assert_int_equal(count, 3);
		husk_instance_unref(found[0]);
		husk_instance_unref(found[1]);
		IS(husk_instance_children(instance, found, 4, &count), HUSK_OK);
		assert_int_equal(count, 2);
		assert_ptr_equal(found[0], family.kids[0]);
		assert_ptr_equal(found[1], family.kids[1]);
		husk_instance_unref(found[0]);
		husk_instance_unref(found[1]);
		assert_int_equal(info_of(instance).children, 2);
		assert_int_equal(info_of(instance).parent, 0);
		assert_int_equal(info_of(family.kids[0]).parent, info_of(instance).number);
		assert_string_equal(husk_instance_name(family.kids[1]), "mother.2");
		IS(husk_hyper_find(world.hyper, info_of(family.kids[1]).number, &found[0]), HUSK_OK);
		assert_ptr_equal(found[0], family.kids[1]);
		husk_instance_unref(found[0]);

		IS(husk_instance_mail(family.kids[0], "\5", 1), HUSK_OK);
		IS(husk_instance_mail(family.kids[1], "\6", 1), HUSK_OK);
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
		assert_int_equal(info_of(family.kids[0]).exit_code, 5);
		assert_int_equal(info_of(family.kids[1]).exit_code, 6);
		assert_int_equal(info_of(instance).exit_code, 6);
		assert_int_equal(info_of(instance).children, 0);
		assert_int_equal(family.gone, 0);
		husk_instance_unref(family.kids[0]);
		assert_true(workers || family.gone == 1); /* a worker may have it still, to tell of its end */
		husk_instance_unref(family.kids[1]);
		husk_instance_unref(instance);
		husk_instance_unref(other);
		husk_budget_unref(node);
		husk_image_unref(family.kid);
		close_world(&world);
		assert_int_equal(family.gone, 2);
	}
}

/* Nothing is made: the program learns it, whatever the function says. */
static husk_status refuse(void *ctx, husk_instance *parent, const char *name, husk_spawn *spawn)
{
	(void)parent, (void)name, (void)spawn;
	return *(husk_status *)ctx;
}

static void test_spawn_refused(void **state)
{
	static const husk_status answers[] = {HUSK_OK, HUSK_NOT_FOUND, HUSK_LIMIT, HUSK_NO_MEMORY, HUSK_IO};
	husk_instance *instance;
	husk_instance *found[1];
	World world;
	size_t count = 7;

	(void)state;
	open_world(&world, 0, NULL);
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		husk_status answer = answers[i];
		husk_instance_options options = with_rights("mother");

		options.spawn = refuse;
		options.spawn_ctx = &answer;
		instance = make(&world, "SPAWN R1, kid\nSTOP R1\nkid: .TEXT \"kid\"\n", &options);
		IS(husk_instance_start(instance), HUSK_OK);
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
		assert_int_equal(info_of(instance).end, HUSK_END_HALTED);
		assert_int_equal(info_of(instance).exit_code, 0);
		husk_instance_unref(instance);
	}
	IS(husk_hyper_instances(world.hyper, NULL, NULL, 0, &count), HUSK_OK);
	assert_int_equal(count, 0);
	NO(husk_hyper_instances(NULL, NULL, found, 1, &count));
	NO(husk_hyper_instances(world.hyper, NULL, NULL, 1, &count));
	NO(husk_hyper_instances(world.hyper, NULL, found, 1, NULL));
	NO(husk_hyper_find(NULL, 1, found));
	NO(husk_hyper_find(world.hyper, 1, NULL));
	IS(husk_hyper_find(world.hyper, 0, found), HUSK_NOT_FOUND);
	assert_null(found[0]);
	IS(husk_hyper_find(world.hyper, 12345, found), HUSK_NOT_FOUND);
	NO(husk_instance_children(NULL, found, 1, &count));
	instance = make(&world, waiting, NULL);
	NO(husk_instance_children(instance, NULL, 1, &count));
	NO(husk_instance_children(instance, found, 1, NULL));
	IS(husk_instance_children(instance, NULL, 0, &count), HUSK_OK);
	assert_int_equal(count, 0);
	NO(husk_instance_mail(NULL, "a", 1));
	NO(husk_instance_mail(instance, NULL, 1));
	husk_instance_unref(instance);
	close_world(&world);
}

/* ---- The store ---- */

typedef struct Cupboard { /* keys and values of a byte */
	pthread_mutex_t lock;
	char space[64];
	bool has[256];
	uint8_t values[256];
	uint64_t most;
	size_t lie; /* says that it has found so many bytes */
	husk_status answer;
} Cupboard;

static husk_status cupboard_get(void *ctx, const char *space, const void *key, size_t key_len, void *value, size_t *value_len)
{
	Cupboard *cupboard = ctx;
	uint8_t k = *(const uint8_t *)key;
	husk_status status = HUSK_NOT_FOUND;

	assert_int_equal(key_len, 1);
	pthread_mutex_lock(&cupboard->lock);
	snprintf(cupboard->space, sizeof cupboard->space, "%s", space);
	if (cupboard->answer) {
		status = cupboard->answer;
	} else if (cupboard->has[k]) {
		memset(value, cupboard->values[k], HUSK_VALUE_MOST);
		*value_len = cupboard->lie ? cupboard->lie : 1;
		status = HUSK_OK;
	}
	pthread_mutex_unlock(&cupboard->lock);
	return status;
}

static husk_status cupboard_set(void *ctx, const char *space, const void *key, size_t key_len, const void *value, size_t value_len, uint64_t most)
{
	Cupboard *cupboard = ctx;
	uint8_t k = *(const uint8_t *)key;

	(void)space;
	assert_int_equal(key_len, 1);
	assert_int_equal(value_len, 1);
	pthread_mutex_lock(&cupboard->lock);
	cupboard->most = most;
	cupboard->has[k] = true;
	cupboard->values[k] = *(const uint8_t *)value;
	pthread_mutex_unlock(&cupboard->lock);
	return cupboard->answer;
}

static husk_status cupboard_remove(void *ctx, const char *space, const void *key, size_t key_len)
{
	(void)ctx, (void)space, (void)key, (void)key_len;
	return HUSK_NOT_FOUND;
}

static husk_status cupboard_next(void *ctx, const char *space, const void *key, size_t key_len, void *next, size_t *next_len)
{
	Cupboard *cupboard = ctx;
	unsigned k = key_len ? *(const uint8_t *)key + 1u : 0;

	(void)space;
	while (k < 256 && !cupboard->has[k])
		k++;
	if (k == 256)
		return HUSK_NOT_FOUND;
	*(uint8_t *)next = (uint8_t)k;
	*next_len = cupboard->lie ? cupboard->lie : 1;
	return HUSK_OK;
}

/* Counts under "k"; ends with how many there are. */
static const char counting[] = "KGET R0, key\nLD R1, value\nADDI R1, 1\nST R1, value\nKSET R0, key\nST R0, value\nSTOP R1\nkey: .WORD 107\nvalue: .WORD 0\n";
/* The keys, one after another; ends with the last. */
static const char listing[] = "LI R0, 0\nagain: ST R0, got\nLD R2, key\nST R2, last\nKNEXT R0, key\nADDI R0, 1\nBNZ R0, more\nLD R1, last\nSTOP R1\n"
			      "more: LI R0, 1\nLI R3, 1\nBNZ R3, again\nkey: .WORD 0\nlast: .WORD 0\ngot: .WORD 0\n";

static int run_one(World *world, const char *text, const husk_instance_options *options)
{
	husk_instance *instance = make(world, text, options);
	husk_instance_info info;

	IS(husk_instance_start(instance), HUSK_OK);
	IS(husk_hyper_run(world->hyper, 20 * second), HUSK_OK);
	info = info_of(instance);
	assert_int_equal(info.end, HUSK_END_HALTED);
	husk_instance_unref(instance);
	return info.exit_code;
}

static void test_store(void **state)
{
	Cupboard cupboard = {.lock = PTHREAD_MUTEX_INITIALIZER};
	husk_instance_options options = with_rights("one");
	husk_hyper_options hyper_options;
	husk_store store;
	husk_hyper *hyper;
	World world;

	(void)state;
	HUSK_INIT(store);
	store.ctx = &cupboard;
	IS(husk_context_create(NULL, &world.context), HUSK_OK);
	HUSK_INIT(hyper_options);
	hyper_options.store = &store;
	NO(husk_hyper_create(world.context, &hyper_options, &hyper)); /* functions are missing */
	assert_null(hyper);
	store.get = cupboard_get;
	store.set = cupboard_set;
	NO(husk_hyper_create(world.context, &hyper_options, &hyper));
	store.size = 0;
	store.remove = cupboard_remove;
	NO(husk_hyper_create(world.context, &hyper_options, &hyper));
	husk_context_unref(world.context);

	HUSK_INIT(store);
	store.ctx = &cupboard;
	store.get = cupboard_get;
	store.set = cupboard_set;
	store.remove = cupboard_remove;
	for (uint32_t workers = 0; workers < 2; workers++) {
		open_world(&world, workers, &store);
		options.space = NULL;
		options.realm = NULL;
		options.space_limit = 0;
		assert_int_equal(run_one(&world, counting, &options), 1 + 2 * (int)workers);
		assert_string_equal(cupboard.space, "/one");
		assert_int_equal(cupboard.most, 1 << 20);
		options.space = "shelf";
		options.realm = "shop";
		options.space_limit = 77;
		assert_int_equal(run_one(&world, counting, &options), 2 + 2 * (int)workers);
		assert_string_equal(cupboard.space, "shop/shelf");
		assert_int_equal(cupboard.most, 77);
		/* It can't list. */
		assert_int_equal(run_one(&world, listing, &options), 0);
		close_world(&world);
	}
	cupboard.has[3] = cupboard.has[200] = true;
	store.next = cupboard_next;
	open_world(&world, 1, &store);
	assert_int_equal(run_one(&world, listing, &options), 200);
	/* What it says is not believed. */
	cupboard.lie = HUSK_VALUE_MOST + 1;
	assert_int_equal(run_one(&world, counting, &options), 1);
	cupboard.lie = HUSK_KEY_MOST + 1;
	assert_int_equal(run_one(&world, listing, &options), 0);
	cupboard.lie = 0;
	cupboard.answer = HUSK_STALE;
	assert_int_equal(run_one(&world, counting, &options), 1);
	close_world(&world);
}

static void test_sqlite(void **state)
{
	husk_instance_options options = with_rights("one");
	char folder[] = "/tmp/husk-test-XXXXXX", path[64];
	uint8_t value[HUSK_VALUE_MOST], key[HUSK_KEY_MOST];
	const husk_store *store;
	husk_context *context;
	husk_sqlite *sqlite;
	husk_status status;
	husk_error *error;
	World world;
	size_t len;

	(void)state;
	IS(husk_context_create(NULL, &context), HUSK_OK);
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/kept.db", folder);
	NO(husk_sqlite_open(NULL, path, &sqlite, &error));
	assert_null(sqlite);
	assert_null(error);
	NO(husk_sqlite_open(context, NULL, &sqlite, &error));
	NO(husk_sqlite_open(context, path, NULL, &error));
	assert_null(husk_sqlite_store(NULL));
	husk_sqlite_close(NULL);
	status = husk_sqlite_open(context, folder, &sqlite, &error); /* a folder */
	assert_true(status == HUSK_IO || status == HUSK_UNSUPPORTED);
	assert_null(sqlite);
	assert_true(strlen(husk_error_text(error)) > 0);
	husk_error_destroy(error);
	for (int run = 1; status == HUSK_IO && run <= 3; run++) {
		IS(husk_sqlite_open(context, path, &sqlite, &error), HUSK_OK);
		store = husk_sqlite_store(sqlite);
		open_world(&world, run % 2, store);
		assert_int_equal(run_one(&world, counting, &options), run);
		assert_int_equal(run_one(&world, listing, &options), 'k');
		close_world(&world);
		IS(store->get(store->ctx, "/one", "k", 1, value, &len), HUSK_OK);
		assert_int_equal(len, 1);
		assert_int_equal(value[0], run);
		IS(store->get(store->ctx, "/two", "k", 1, value, &len), HUSK_NOT_FOUND);
		IS(store->next(store->ctx, "/one", NULL, 0, key, &len), HUSK_OK);
		assert_int_equal(len, 1);
		assert_int_equal(key[0], 'k');
		IS(store->next(store->ctx, "/one", "k", 1, key, &len), HUSK_NOT_FOUND);
		IS(store->next(store->ctx, "/one", "ja", 2, key, &len), HUSK_OK); /* it need not be there */
		IS(store->set(store->ctx, "/one", "abc", 3, "defg", 4, 8), HUSK_LIMIT);
		IS(store->set(store->ctx, "/one", "abc", 3, "defg", 4, 9), HUSK_OK);
		IS(store->next(store->ctx, "/one", NULL, 0, key, &len), HUSK_OK);
		assert_int_equal(len, 3);
		IS(store->remove(store->ctx, "/one", "abc", 3), HUSK_OK);
		IS(store->remove(store->ctx, "/one", "abc", 3), HUSK_NOT_FOUND);
		memset(value, 1, sizeof value); /* not by way of a guest: more than one may have */
		IS(store->set(store->ctx, "/two", value, HUSK_KEY_MOST + 1, value, 1, 1 << 20), HUSK_OK);
		IS(store->next(store->ctx, "/two", NULL, 0, key, &len), HUSK_LIMIT);
		assert_int_equal(len, 0);
		IS(store->remove(store->ctx, "/two", value, HUSK_KEY_MOST + 1), HUSK_OK);
		husk_sqlite_close(sqlite);
	}
	unlink(path);
	rmdir(folder);
	husk_context_unref(context);
}

/* ---- Budgets and snapshots ---- */

static void test_budgets(void **state)
{
	husk_budget *tenant, *below;
	husk_limits limits;
	World world;

	(void)state;
	open_world(&world, 0, NULL);
	HUSK_INIT(limits);
	limits.fuel = 1000;
	limits.time = 5 * second;
	IS(husk_budget_create(world.hyper, NULL, "tenant", &limits, &tenant), HUSK_OK);
	limits.fuel = 10000;
	IS(husk_budget_create(world.hyper, tenant, "below", &limits, &below), HUSK_OK);
	assert_string_equal(husk_budget_name(below), "below");
	assert_string_equal(husk_budget_name(NULL), "");
	assert_int_equal(husk_budget_left(world.hyper, below, HUSK_RESOURCE_FUEL), 1000);
	assert_int_equal(husk_budget_left(world.hyper, below, HUSK_RESOURCE_TIME), 5 * second);
	assert_true(husk_budget_left(world.hyper, below, HUSK_RESOURCE_FILES) == HUSK_UNLIMITED);
	assert_true(husk_budget_left(world.hyper, husk_hyper_budget(world.hyper), HUSK_RESOURCE_TIME) == HUSK_UNLIMITED);
	assert_int_equal(husk_budget_left(NULL, below, HUSK_RESOURCE_FUEL), 0);
	assert_int_equal(husk_budget_left(world.hyper, NULL, HUSK_RESOURCE_FUEL), 0);
	assert_int_equal(husk_budget_left(world.hyper, below, (husk_resource)99), 0);
	assert_int_equal(husk_budget_rights(NULL), 0);
	IS(husk_budget_revoke(world.hyper, tenant, HUSK_KV | HUSK_NET), HUSK_OK);
	assert_int_equal(husk_budget_rights(below), 2047 & ~(HUSK_KV | HUSK_NET));
	husk_budget_ref(below);
	husk_budget_ref(NULL);
	husk_budget_unref(below);
	husk_budget_unref(tenant);
	assert_string_equal(husk_budget_name(below), "below");
	husk_budget_unref(below);
	assert_int_equal(husk_image_bytes(NULL), 0);
	close_world(&world);
}

static void test_why(void **state)
{
	static const char *const tiny[] = {"profile=v3"};
	husk_instance_options options = with_rights("one");
	husk_snapshot_info info;
	husk_isa_options isa_options;
	husk_machine *machine, *other, *v3;
	husk_instance *instance;
	husk_program *program;
	husk_blob *blob;
	husk_isa *isa;
	uint8_t bytes[64];
	World world;

	(void)state;
	open_world(&world, 0, NULL);
	assert_string_equal(husk_machine_why(NULL), "");
	HUSK_INIT(info);
	NO(husk_snapshot_get_info(NULL, 1, &info));
	NO(husk_snapshot_get_info("x", 1, NULL));
	IS(husk_snapshot_get_info(NULL, 0, &info), HUSK_TRUNCATED);
	IS(husk_snapshot_get_info("no snapshot at all, is it?", 26, &info), HUSK_FORMAT);
	assert_int_equal(husk_isa_hash(NULL), 0);

	machine = api_make(world.context, "lc3", NULL, ".ORIG x3000\nHALT\n.END\n", NULL);
	other = api_make(world.context, "postal.isa", mail_isa, "STOP R0\n", NULL);
	IS(husk_machine_snapshot(machine, &blob), HUSK_OK);
	assert_string_equal(husk_machine_why(machine), "");
	IS(husk_snapshot_get_info(husk_blob_data(blob), husk_blob_size(blob), &info), HUSK_OK);
	assert_string_equal(info.isa, "LC-3");
	assert_string_equal(info.guest, "lc3");
	assert_int_equal(info.is_readable, 1);
	assert_non_null(strstr(info.choices, "profile="));
	assert_true(info.isa_hash == husk_isa_hash(husk_program_isa(husk_machine_program(machine))));
	IS(husk_snapshot_get_info(husk_blob_data(blob), husk_blob_size(blob) - 1, &info), HUSK_TRUNCATED);

	IS(husk_machine_restore(other, husk_blob_data(blob), husk_blob_size(blob)), HUSK_MISMATCH);
	assert_string_equal(husk_machine_why(other), "the snapshot is of LC-3, and this machine is POSTAL");
	HUSK_INIT(isa_options);
	isa_options.choices = tiny;
	isa_options.choice_count = 1;
	IS(husk_isa_load_builtin(world.context, "lc3", &isa_options, &isa, NULL), HUSK_OK);
	IS(husk_program_assemble(isa, "a.asm", ".ORIG x3000\nHALT\n.END\n", 22, NULL, &program, NULL), HUSK_OK);
	IS(husk_machine_create(program, NULL, &v3, NULL), HUSK_OK);
	IS(husk_machine_restore(machine, "nothing", 7), HUSK_FORMAT);
	assert_string_equal(husk_machine_why(machine), "");
	if (husk_isa_hash(isa) != husk_isa_hash(husk_program_isa(husk_machine_program(machine)))) {
		IS(husk_machine_restore(v3, husk_blob_data(blob), husk_blob_size(blob)), HUSK_MISMATCH);
		assert_non_null(strstr(husk_machine_why(v3), "and this machine is with profile=v3"));
	}
	/* Another version of the format. */
	memcpy(bytes, husk_blob_data(blob), sizeof bytes);
	bytes[8] = 3;
	info.version = 0;
	IS(husk_snapshot_get_info(bytes, sizeof bytes, &info), HUSK_OK);
	assert_int_equal(info.version, 3);
	assert_int_equal(info.is_readable, 0);
	assert_string_equal(info.isa, "");
	IS(husk_machine_restore(machine, bytes, sizeof bytes), HUSK_MISMATCH);
	assert_non_null(strstr(husk_machine_why(machine), "the snapshot is of version 3"));

	instance = make(&world, waiting, &options);
	IS(husk_instance_restore(instance, husk_blob_data(blob), husk_blob_size(blob)), HUSK_MISMATCH);
	assert_string_equal(info_of(instance).why, "the snapshot is of LC-3, and this machine is POSTAL");
	husk_blob_destroy(blob);
	IS(husk_instance_snapshot(instance, &blob), HUSK_OK);
	IS(husk_instance_restore(instance, husk_blob_data(blob), husk_blob_size(blob)), HUSK_OK);
	assert_string_equal(info_of(instance).why, "");
	husk_blob_destroy(blob);
	husk_instance_unref(instance);
	husk_machine_destroy(machine);
	husk_machine_destroy(other);
	husk_machine_destroy(v3);
	husk_program_unref(program);
	husk_isa_unref(isa);
	close_world(&world);
}

/* Rights are taken from a machine, and given, between its runs; not from that of an instance. */
static void test_deny(void **state)
{
	husk_instance *instance;
	husk_machine *machine, *held;
	husk_stop stop;
	World world;

	(void)state;
	open_world(&world, 0, NULL);
	HUSK_INIT(stop);
	machine = api_make(world.context, "lc3", NULL, ".ORIG x3000\nL OUT\nBR L\n.END\n", NULL);
	IS(husk_machine_run(machine, 1000, &stop), HUSK_OK);
	assert_int_equal(stop.kind, HUSK_STOP_FUEL);
	IS(husk_machine_deny(machine, HUSK_OUTPUT), HUSK_OK);
	IS(husk_machine_run(machine, 1000, &stop), HUSK_OK);
	assert_int_equal(stop.kind, HUSK_STOP_DENIED);
	assert_non_null(strstr(stop.text, "no right to 'output'"));
	IS(husk_machine_deny(machine, 0), HUSK_OK);
	IS(husk_machine_run(machine, 1000, &stop), HUSK_OK);
	assert_int_equal(stop.kind, HUSK_STOP_FUEL);
	husk_machine_destroy(machine);
	instance = make(&world, waiting, NULL);
	IS(husk_instance_hold(instance, &held), HUSK_OK);
	IS(husk_machine_deny(held, HUSK_OUTPUT), HUSK_STATE);
	IS(husk_instance_release(instance), HUSK_OK);
	husk_instance_unref(instance);
	close_world(&world);
}

/* A program with a socket of the host has no snapshot, and says why; unless its connections may be lost. */
static void test_connections(void **state)
{
	static const char text[] = "_start: li a0, 2\n li a1, 1\n li a2, 0\n li a7, 198\n ecall\n mv s0, a0\nagain: j again\n";
	husk_instance *instance, *twin;
	husk_linux_options linux_options;
	husk_machine_options options;
	husk_machine *machine, *held;
	husk_image *image;
	husk_blob *blob;
	uint64_t value;
	World world;

	(void)state;
	open_world(&world, 0, NULL);
	for (uint32_t resets = 0; resets < 2; resets++) {
		HUSK_INIT(options);
		HUSK_INIT(linux_options);
		linux_options.net = 1;
		linux_options.net_resets = resets;
		options.linux_options = &linux_options;
		options.engine = HUSK_ENGINE_INTERPRETER;
		machine = api_make(world.context, "rv64", NULL, text, &options);
		IS(husk_machine_run(machine, 1000, NULL), HUSK_OK);
		IS(husk_machine_get(machine, "s0", &value), HUSK_OK);
		assert_int_equal(value, 3);
		IS(husk_machine_snapshot(machine, &blob), resets ? HUSK_OK : HUSK_UNSUPPORTED);
		if (!resets) {
			assert_non_null(strstr(husk_machine_why(machine), "descriptor 3 of process 1"));
			IS(husk_image_create(machine, &image), HUSK_UNSUPPORTED);
			husk_machine_destroy(machine);
			continue;
		}
		IS(husk_machine_restore(machine, husk_blob_data(blob), husk_blob_size(blob)), HUSK_OK);
		IS(husk_image_create(machine, &image), HUSK_OK);
		IS(husk_instance_create(world.hyper, image, NULL, &instance), HUSK_OK);
		IS(husk_instance_fork(instance, NULL, &twin), HUSK_OK);
		IS(husk_instance_hold(twin, &held), HUSK_OK);
		IS(husk_machine_get(held, "s0", &value), HUSK_OK);
		assert_int_equal(value, 3);
		IS(husk_instance_release(twin), HUSK_OK);
		husk_instance_unref(instance);
		husk_instance_unref(twin);
		husk_image_unref(image);
		husk_blob_destroy(blob);
		husk_machine_destroy(machine);
	}
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mailbox), cmocka_unit_test(test_arrived), cmocka_unit_test(test_full_and_foreign),
		cmocka_unit_test(test_mailbox_misuse), cmocka_unit_test(test_children), cmocka_unit_test(test_spawn_refused),
		cmocka_unit_test(test_store), cmocka_unit_test(test_sqlite), cmocka_unit_test(test_budgets), cmocka_unit_test(test_why), cmocka_unit_test(test_deny), cmocka_unit_test(test_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
