/* SPDX-License-Identifier: MIT
 * What libhusk keeps and gives: stores for instances, budgets, rights of machines; and the words for snapshots that are refused.
 */
#include "unit/api_world.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/hash.h"

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

/* A snapshot with one byte wrong and a checksum that is right, all over it: refused or not, the machine lives. */
static void try_damaged(husk_machine *machine, const husk_blob *blob)
{
	size_t len = husk_blob_size(blob), refused = 0;
	uint8_t *bytes = malloc(len);

	assert_non_null(bytes);
	for (size_t at = 0; at + 8 < len; at += 1 + len / 1500) {
		uint64_t check;

		memcpy(bytes, husk_blob_data(blob), len);
		bytes[at] ^= (uint8_t)(1 << at % 8);
		check = hash_bytes(HASH_START, bytes, len - 8);
		for (int i = 0; i < 8; i++)
			bytes[len - 8 + (size_t)i] = (uint8_t)(check >> (8 * i));
		refused += husk_machine_restore(machine, bytes, len) != HUSK_OK;
		IS(husk_machine_run(machine, 50, NULL), HUSK_OK);
	}
	assert_true(refused > 20);
	free(bytes);
	IS(husk_machine_restore(machine, husk_blob_data(blob), len), HUSK_OK);
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
		try_damaged(machine, blob);
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
		cmocka_unit_test(test_store), cmocka_unit_test(test_sqlite), cmocka_unit_test(test_budgets),
		cmocka_unit_test(test_why), cmocka_unit_test(test_deny), cmocka_unit_test(test_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
