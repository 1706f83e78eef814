/* SPDX-License-Identifier: MIT
 * Files for machines without an operating system: what leads out of the folder, handles, wild numbers and places, snapshots, replays,
 * budgets and rights.
 */
#include <fcntl.h>
#include <sys/resource.h>

#include "unit/filer.h"

#include "base/hash.h"
#include "unit/api.h"

/* ---- */

static void writes_and_reads(void **state)
{
	Machine *machine;
	Rig rig;
	i32 h;

	(void)state;
	rig_open(&rig);
	machine = rig.machine;
	h = open_it(machine, "a", FILE_WRITE);
	assert_int_equal(h, 1);
	assert_int_equal(write_it(machine, h, "hello"), 5);
	assert_int_equal(write_it(machine, h, " all"), 4);
	assert_int_equal(ask(machine, SEEK, 1, 1, 0), 0);
	assert_int_equal(write_it(machine, h, "E"), 1);
	assert_int_equal(ask(machine, READ, 1, PLACE, 1), REFUSED);
	assert_int_equal(ask(machine, SIZE, 1, 0, 0), 9);
	assert_int_equal(machine_slot(machine, R0 + 1), 0);
	assert_int_equal(ask(machine, CLOSE, 1, 0, 0), 0);
	assert_host_file(&rig, "in/a", "hEllo all");
	h = open_it(machine, "/in//a", FILE_APPEND);
	assert_int_equal(ask(machine, SEEK, (u32)h, 0, 0), 0);
	assert_int_equal(write_it(machine, h, "!"), 1);
	assert_int_equal(ask(machine, CLOSE, (u32)h, 0, 0), 0);
	h = open_it(machine, "/look/a", FILE_READ);
	assert_int_equal(ask(machine, READ, (u32)h, PLACE, 3), 3);
	assert_cells(machine, PLACE, "hEl");
	assert_int_equal(ask(machine, READ, (u32)h, PLACE, 1000), 7);
	assert_cells(machine, PLACE, "lo all!");
	assert_int_equal(ask(machine, READ, (u32)h, PLACE, 1000), 0);
	assert_int_equal(ask(machine, WRITE, (u32)h, PLACE, 1), REFUSED);
	/* Written anew: it is empty first. Then a hole. */
	h = open_it(machine, "a", FILE_WRITE);
	assert_int_equal(ask(machine, SEEK, (u32)h, 5, 2), 0);
	assert_int_equal(write_it(machine, h, "x"), 1);
	assert_int_equal(ask(machine, SIZE, (u32)h, 0, 0), 0x20006);
	assert_int_equal(machine_slot(machine, R0 + 1), 2);
	/* The folder with the longer path. */
	h = open_it(machine, "/in/other/b", FILE_WRITE);
	assert_int_equal(write_it(machine, h, "deep"), 4);
	assert_host_file(&rig, "in/deep/b", "deep");
	put_text(machine, NAME, "deep/b");
	assert_int_equal(ask(machine, REMOVE, NAME, 0, 0), 0);
	assert_int_equal(ask(machine, REMOVE, NAME, 0, 0), GONE);
	assert_int_equal(access(beneath(&rig, "in/deep/b"), F_OK), -1);
	rig_close(&rig);
}

static void nothing_leads_out(void **state)
{
	static const char *const names[] = {"../out", "/in/../out", "deep/../../out", "/etc/passwd", "/", "", "/in", "/in/", ".", "..", "./a", "link",
		"up/out", "pipe", "deep", "/inn/a", "deep/", "/look/../in/a", "no/a", "a/b", "/in/deep/../a", "null"};
	char link_to[400], out[400];
	Machine *machine;
	Rig rig;

	(void)state;
	rig_open(&rig);
	machine = rig.machine;
	put_host_file(&rig, "out", "secret");
	put_host_file(&rig, "in/a", "a");
	snprintf(out, sizeof out, "%s", beneath(&rig, "out"));
	snprintf(link_to, sizeof link_to, "%s", beneath(&rig, "in/link"));
	assert_int_equal(symlink(out, link_to), 0);
	assert_int_equal(symlink("..", beneath(&rig, "in/up")), 0);
	assert_int_equal(symlink("/dev/null", beneath(&rig, "in/null")), 0);
	assert_int_equal(mkfifo(beneath(&rig, "in/pipe"), 0600), 0);
	for (u32 i = 0; i < COUNT_OF(names); i++) {
		for (u32 mode = 0; mode < FILE_MODES; mode++)
			if (open_it(machine, names[i], (FileMode)mode) >= 0)
				fail_msg("'%s' opens", names[i]);
		put_text(machine, NAME, names[i]);
		if (ask(machine, REMOVE, NAME, 0, 0) >= 0)
			fail_msg("'%s' is removed", names[i]);
	}
	assert_int_equal(open_it(machine, "/look/new", FILE_WRITE), REFUSED);
	assert_int_equal(open_it(machine, "/look/a", FILE_APPEND), REFUSED);
	put_text(machine, NAME, "/look/a");
	assert_int_equal(ask(machine, REMOVE, NAME, 0, 0), REFUSED);
	assert_host_file(&rig, "out", "secret");
	assert_host_file(&rig, "in/a", "a");
	assert_int_equal(machine_files(machine), 0);
	rig_close(&rig);
}

static void hostile_numbers(void **state)
{
	char name[300];
	Machine *machine;
	Rig rig;

	(void)state;
	rig_open(&rig);
	machine = rig.machine;
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = 0;
	assert_int_equal(open_it(machine, name, FILE_READ), BIG);
	name[255] = 0;
	assert_int_equal(open_it(machine, name, FILE_WRITE), 1);
	assert_int_equal(ask(machine, OPEN, NAME, FILE_MODES, 0), REFUSED);
	assert_int_equal(ask(machine, OPEN, NAME, 0xFFFFFFFF, 0), REFUSED);
	assert_int_equal(ask(machine, OPEN, CELLS - 1, 0, 0), GONE); /* a name of nothing */
	assert_int_equal(ask(machine, OPEN, 0xFFFFFFFF, 0, 0), BIG);
	for (u32 service = READ; service <= CLOSE; service++)
		for (u32 h = 0; h < 20; h++)
			if (h != 1)
				assert_int_equal(ask(machine, service, h == 19 ? 0xFFFFFFFF : h, PLACE, 1), GONE);
	assert_int_equal(ask(machine, WRITE, 1, PLACE, 0xFFFFFFFF), FILE_AT_ONCE);
	assert_int_equal(ask(machine, WRITE, 1, CELLS - 10, 11), BIG);
	assert_int_equal(ask(machine, WRITE, 1, 0xFFFFFFF0, 0xFFFFFFFF), BIG);
	assert_int_equal(ask(machine, WRITE, 1, CELLS - 10, 10), 10);
	assert_int_equal(ask(machine, WRITE, 1, 0xFFFFFFF0, 0), 0);
	assert_int_equal(ask(machine, SEEK, 1, 0x80000000, 0), BIG);
	assert_int_equal(ask(machine, SEEK, 1, 0, 0xFFFFFFFF), BIG);
	assert_int_equal(ask(machine, SEEK, 1, 0x7FFFFFFF, 0), 0);
	assert_int_equal(ask(machine, WRITE, 1, PLACE, 1), BIG);
	assert_int_equal(ask(machine, CLOSE, 1, 0, 0), 0);
	assert_int_equal(ask(machine, CLOSE, 1, 0, 0), GONE);
	put_host_file(&rig, "in/a", "0123456789");
	assert_int_equal(open_it(machine, "a", FILE_READ), 1);
	assert_int_equal(ask(machine, READ, 1, CELLS - 5, 6), BIG);
	assert_int_equal(ask(machine, READ, 1, CELLS - FILE_AT_ONCE, 0xFFFFFFFF), 10);
	assert_cells(machine, CELLS - FILE_AT_ONCE, "0123456789");
	for (i32 h = 2; h <= FILE_HANDLES; h++)
		assert_int_equal(open_it(machine, "a", FILE_READ), h);
	assert_int_equal(open_it(machine, "new", FILE_WRITE), FULL);
	assert_int_equal(access(beneath(&rig, "in/new"), F_OK), -1);
	assert_int_equal(ask(machine, CLOSE, 7, 0, 0), 0);
	assert_int_equal(open_it(machine, "a", FILE_READ), 7);
	assert_int_equal(machine_files(machine), FILE_HANDLES);
	machine_reset(machine, false);
	assert_int_equal(machine_files(machine), 0);
	rig_close(&rig);
}

/* A limit of this process would end it by a signal. */
static void limits_of_the_host(void **state)
{
	struct rlimit before, small;
	Rig rig;

	(void)state;
	rig_open(&rig);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 10;
	assert_int_equal(open_it(rig.machine, "a", FILE_WRITE), 1);
	assert_int_equal(open_it(rig.machine, "a", FILE_APPEND), 2);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(write_it(rig.machine, 1, "01234567"), 8);
	assert_int_equal(write_it(rig.machine, 1, "89abc"), 2);
	assert_int_equal(write_it(rig.machine, 1, "x"), FULL);
	assert_int_equal(write_it(rig.machine, 2, "x"), FULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(write_it(rig.machine, 2, "x"), 1);
	assert_host_file(&rig, "in/a", "0123456789x");
	rig_close(&rig);
}

static void needs_right_and_folder(void **state)
{
	MachineConfig alone;
	Machine *none;
	MachineStop stop;
	Rig rig;

	(void)state;
	rig_open(&rig);
	put_host_file(&rig, "in/a", "text");
	assert_int_equal(open_it(rig.machine, "a", FILE_READ), 1);
	machine_set_rights(rig.machine, MAY_ALL & ~MAY_FILES);
	for (u32 service = OPEN; service <= NEXT; service++) {
		stop = call(rig.machine, service, 1, PLACE, 1);
		assert_int_equal(stop.kind, STOP_DENIED);
		assert_non_null(strstr(stop.text, "no right to 'files'"));
	}
	machine_set_rights(rig.machine, MAY_FILES);
	assert_int_equal(ask(rig.machine, READ, 1, PLACE, 100), 4);
	alone = rig.config;
	rig.config.folders = NULL;
	none = one_more(&rig);
	rig.config = alone;
	for (u32 service = OPEN; service <= NEXT; service++)
		assert_int_equal(call(none, service, NAME, 0, 1).kind, STOP_DENIED);
	machine_destroy(none);
	rig_close(&rig);
}

static void snapshots_have_handles(void **state)
{
	Machine *machine, *other;
	Buf bytes, again;
	Rig rig;

	(void)state;
	rig_open(&rig);
	buf_init(&bytes);
	buf_init(&again);
	machine = rig.machine;
	other = one_more(&rig);
	put_host_file(&rig, "in/a", "0123456789");
	put_host_file(&rig, "in/gone", "0123456789");
	assert_int_equal(open_it(machine, "a", FILE_READ), 1);
	assert_int_equal(open_it(machine, "gone", FILE_READ), 2);
	assert_int_equal(open_it(machine, "w", FILE_WRITE), 3);
	assert_int_equal(ask(machine, CLOSE, 1, 0, 0), 0);
	assert_int_equal(ask(machine, READ, 2, PLACE, 4), 4);
	assert_int_equal(write_it(machine, 3, "before"), 6);
	assert_int_equal(machine_snapshot(machine, &bytes), STATUS_OK);
	assert_int_equal(write_it(machine, 3, " behind"), 7);
	assert_int_equal(machine_restore(other, bytes.data, bytes.len), STATUS_OK);
	assert_int_equal(machine_snapshot(other, &again), STATUS_OK);
	assert_int_equal(again.len, bytes.len);
	assert_memory_equal(again.data, bytes.data, bytes.len);
	assert_int_equal(machine_files(other), 2);
	assert_int_equal(unlink(beneath(&rig, "in/gone")), 0);
	assert_int_equal(ask(machine, READ, 2, PLACE, 3), 3); /* the host has it open */
	assert_int_equal(ask(other, READ, 2, PLACE, 3), GONE);
	assert_int_equal(ask(other, READ, 1, PLACE, 3), GONE);
	put_host_file(&rig, "in/gone", "abcdefghij");
	assert_int_equal(ask(other, READ, 2, PLACE, 3), 3);
	assert_cells(other, PLACE, "efg");
	assert_int_equal(write_it(other, 3, "-"), 1); /* where it was then, and nothing is emptied */
	assert_host_file(&rig, "in/w", "before-behind");
	assert_int_equal(ask(other, CLOSE, 3, 0, 0), 0);
	assert_int_equal(machine_restore(machine, again.data, again.len), STATUS_OK);
	assert_int_equal(write_it(machine, 3, "+"), 1);
	assert_host_file(&rig, "in/w", "before+behind");
	rig.config.folders = NULL;
	machine_destroy(other);
	other = one_more(&rig);
	assert_int_equal(machine_restore(other, bytes.data, bytes.len), STATUS_OK);
	assert_int_equal(machine_files(other), 0);
	machine_destroy(other);
	buf_fini(&bytes);
	buf_fini(&again);
	rig_close(&rig);
}

/* The end of a snapshot with open files, each byte another one, and the sum right: it is refused, or makes handles that can be used. */
static void hostile_snapshots(void **state)
{
	static const u8 flips[] = {1, 2, 0x10, 0x80, 0xFF};
	Machine *machine;
	size_t body;
	Buf bytes;
	Rig rig;

	(void)state;
	rig_open(&rig);
	buf_init(&bytes);
	machine = rig.machine;
	put_host_file(&rig, "in/a", "0123456789");
	assert_int_equal(machine_snapshot(machine, &bytes), STATUS_OK);
	body = bytes.len - 8;
	buf_clear(&bytes);
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(open_it(machine, "a", FILE_READ), i + 1);
	assert_int_equal(ask(machine, CLOSE, 2, 0, 0), 0);
	assert_int_equal(machine_snapshot(machine, &bytes), STATUS_OK);
	assert_int_equal(bytes.data[bytes.len - 9], 'a');
	for (size_t at = bytes.len - 8 - 27; at < bytes.len - 8; at++) {
		for (u32 i = 0; i < COUNT_OF(flips); i++) {
			u64 sum;
			Status status;

			bytes.data[at] ^= flips[i];
			sum = hash_bytes(HASH_START, bytes.data, bytes.len - 8);
			memcpy(bytes.data + bytes.len - 8, &sum, 8);
			status = machine_restore(machine, bytes.data, bytes.len);
			assert_true(status == STATUS_OK || status == STATUS_CORRUPT);
			assert_int_equal(machine_files(machine), 2);
			for (u32 h = 1; h <= FILE_HANDLES; h++) {
				ask(machine, READ, h, PLACE, 4);
				ask(machine, WRITE, h, PLACE, 4);
				ask(machine, SIZE, h, 0, 0);
			}
			bytes.data[at] ^= flips[i];
		}
	}
	assert_true(body < bytes.len - 8 - 27);
	buf_fini(&bytes);
	rig_close(&rig);
}

/* The same again from the log: the world is asked nothing, and nothing in it changes. */
static void session(Machine *machine, bool again)
{
	assert_int_equal(open_it(machine, "none", FILE_READ), GONE);
	assert_int_equal(open_it(machine, "r", FILE_READ), 1);
	assert_int_equal(open_it(machine, "w", FILE_WRITE), 2);
	assert_int_equal(ask(machine, SIZE, 1, 0, 0), 10);
	assert_int_equal(ask(machine, READ, 1, PLACE, 4), 4);
	assert_cells(machine, PLACE, "0123");
	assert_int_equal(write_it(machine, 2, again ? "xyz" : "abc"), 3);
	assert_int_equal(ask(machine, READ, 1, PLACE, 100), 6);
	assert_cells(machine, PLACE, "456789");
	put_text(machine, NAME, "old");
	assert_int_equal(ask(machine, REMOVE, NAME, 0, 0), 0);
}

static void replays_from_the_log(void **state)
{
	u64 hash;
	Rig rig;
	Buf start;

	(void)state;
	rig_open(&rig);
	buf_init(&start);
	put_host_file(&rig, "in/r", "0123456789");
	put_host_file(&rig, "in/old", "");
	machine_record(rig.machine, true);
	assert_int_equal(machine_snapshot(rig.machine, &start), STATUS_OK);
	session(rig.machine, false);
	hash = toy_hash(rig.machine);
	assert_int_equal(machine_event_count(rig.machine), 8);
	put_host_file(&rig, "in/r", "other");
	put_host_file(&rig, "in/none", "now");
	put_host_file(&rig, "in/old", "kept");
	assert_host_file(&rig, "in/w", "abc");
	assert_int_equal(machine_restore(rig.machine, start.data, start.len), STATUS_OK);
	assert_int_equal(machine_files(rig.machine), 0);
	machine_replay_from(rig.machine, 0);
	session(rig.machine, true);
	put_text(rig.machine, PLACE, "456789"); /* as it was: write_it's text differed */
	assert_int_equal(toy_hash(rig.machine), hash);
	assert_host_file(&rig, "in/w", "abc");
	assert_host_file(&rig, "in/old", "kept");
	/* And on in the world, where the log ends. */
	assert_int_equal(write_it(rig.machine, 2, "de"), 2);
	assert_host_file(&rig, "in/w", "abcde");
	assert_int_equal(ask(rig.machine, SEEK, 1, 0, 0), 0);
	assert_int_equal(ask(rig.machine, READ, 1, PLACE, 100), 5);
	assert_cells(rig.machine, PLACE, "other");
	assert_int_equal(machine_event_count(rig.machine), 10);
	buf_fini(&start);
	rig_close(&rig);
}

/* ---- In a hypervisor ---- */

/* Each opens one and keeps it; the budget of both has room for one; when its owner ends there is room again. */
static void budgets_count(void **state)
{
	static const u32 may = MAY_PLAIN | MAY_FILES;
	u64 limits[BUDGET_KINDS];
	InstanceOptions options = {.name = "reader", .limits = limits, .rights = &may};
	Instance *instance;
	Image *image;
	Hyper *hyper;
	u32 at = 0;
	Rig rig;

	(void)state;
	rig_open(&rig);
	put_host_file(&rig, "in/a", "a");
	put_text(rig.machine, NAME, "a");
	emit_call(rig.machine, &at, OPEN, NAME, FILE_READ, 0);
	emit_call(rig.machine, &at, OPEN, NAME, FILE_READ, 0); /* what it says is the exit code */
	emit(rig.machine, &at, 0);
	image = image_for(&rig);
	hyper = hyper_for();
	for (u32 most = 0; most < 3; most++) {
		for (u32 i = 0; i < BUDGET_KINDS; i++)
			limits[i] = BUDGET_UNLIMITED;
		limits[BUDGET_FILES] = most;
		instance = make(hyper, image, &options);
		for (u32 life = 0; life < 2; life++) {
			if (life)
				assert_int_equal(instance_reset(instance), STATUS_OK);
			assert_int_equal(instance_start(instance), STATUS_OK);
			assert_true(hyper_run(hyper, 1000000000));
			assert_int_equal(info_of(instance).end, END_HALTED);
			assert_int_equal(info_of(instance).code, most < 2 ? (FULL & 0xFF) : 2);
		}
		instance_unref(instance);
	}
	/* Default deny. */
	options.rights = NULL;
	instance = make(hyper, image, &options);
	assert_int_equal(instance_start(instance), STATUS_OK);
	assert_true(hyper_run(hyper, 1000000000));
	assert_non_null(strstr(info_of(instance).text, "no right to 'files'"));
	instance_unref(instance);
	image_unref(image);
	hyper_destroy(hyper);
	rig_close(&rig);
}

/* A machine with an open file becomes an image: each instance reads on from there, and counts it; so does a fork. */
static void handles_go_along(void **state)
{
	static const u32 may = MAY_PLAIN | MAY_FILES;
	u64 limits[BUDGET_KINDS];
	InstanceOptions options = {.name = "reader", .limits = limits, .rights = &may};
	Instance *instance, *fork;
	Image *image;
	Hyper *hyper;
	u32 at = 0;
	Rig rig;
	Buf bytes;

	(void)state;
	rig_open(&rig);
	buf_init(&bytes);
	put_host_file(&rig, "in/a", "0123456789");
	assert_int_equal(open_it(rig.machine, "a", FILE_READ), 1);
	assert_int_equal(ask(rig.machine, READ, 1, PLACE, 3), 3);
	machine_set_pc(rig.machine, 0);
	emit_call(rig.machine, &at, READ, 1, PLACE, 4);
	emit_call(rig.machine, &at, READ, 1, PLACE, 100);
	emit(rig.machine, &at, 0);
	image = image_for(&rig);
	assert_int_equal(ask(rig.machine, CLOSE, 1, 0, 0), 0);
	hyper = hyper_for();
	for (u32 i = 0; i < BUDGET_KINDS; i++)
		limits[i] = BUDGET_UNLIMITED;
	limits[BUDGET_FILES] = 0;
	assert_int_equal(instance_create(hyper, image, &options, &instance), STATUS_TOO_BIG);
	limits[BUDGET_FILES] = 1;
	instance = make(hyper, image, &options);
	assert_int_equal(instance_snapshot(instance, &bytes), STATUS_OK);
	assert_int_equal(instance_fork(instance, &options, &fork), STATUS_OK);
	for (u32 life = 0; life < 3; life++) {
		if (life)
			assert_int_equal(instance_reset(instance), STATUS_OK);
		if (life == 2)
			assert_int_equal(instance_restore(instance, bytes.data, bytes.len), STATUS_OK);
		instance_start(instance);
		if (!life)
			instance_start(fork);
		assert_true(hyper_run(hyper, 1000000000));
		assert_int_equal(info_of(instance).end, END_HALTED);
		assert_int_equal(info_of(instance).code, 3);
		assert_int_equal(info_of(fork).code, 3);
	}
	instance_unref(instance);
	instance_unref(fork);
	image_unref(image);
	hyper_destroy(hyper);
	buf_fini(&bytes);
	rig_close(&rig);
}

/* Forked in its midst, with a file open that its image does not know; and begun anew. */
static void forks_in_the_midst(void **state)
{
	static const u32 may = MAY_PLAIN | MAY_FILES;
	const HyperConfig config = {.workers = 0, .residents = HYPER_NO_RESIDENTS, .slice_insns = 4};
	InstanceOptions options = {.name = "reader", .rights = &may};
	Instance *instance, *fork;
	Image *image;
	Hyper *hyper;
	u32 at = 0;
	Rig rig;

	(void)state;
	rig_open(&rig);
	put_host_file(&rig, "in/a", "0123456789");
	put_text(rig.machine, NAME, "a");
	emit_call(rig.machine, &at, OPEN, NAME, FILE_READ, 0);
	emit_call(rig.machine, &at, READ, 1, PLACE, 4);
	emit_call(rig.machine, &at, READ, 1, PLACE, 100);
	emit(rig.machine, &at, 0);
	image = image_for(&rig);
	assert_int_equal(hyper_create(&config, &hyper), STATUS_OK);
	for (u32 some = 1; some < 13; some++) {
		instance = make(hyper, image, &options);
		instance_start(instance);
		hyper_run(hyper, some * 1000);
		assert_int_not_equal(info_of(instance).state, INSTANCE_ENDED);
		assert_int_equal(instance_fork(instance, &options, &fork), STATUS_OK);
		instance_start(fork);
		assert_true(hyper_run(hyper, 1000000000));
		assert_int_equal(info_of(instance).code, 6);
		assert_int_equal(info_of(fork).code, 6);
		assert_int_equal(instance_reset(instance), STATUS_OK);
		instance_start(instance);
		assert_true(hyper_run(hyper, 1000000000));
		assert_int_equal(info_of(instance).code, 6);
		instance_unref(fork);
		instance_unref(instance);
	}
	image_unref(image);
	hyper_destroy(hyper);
	rig_close(&rig);
}

/* Through libhusk: folders live as long as anything that was made of the machine. */
static void of_libhusk(void **state)
{
	static const char text[] = "LI R0, 256\nLI R1, 1\nSERV 63\nLI R1, 256\nLI R2, 4\nSERV 65\nSTOP\n";
	static const uint16_t name[] = {'f', 'i', 'l', 'e', 0};
	husk_instance_options making;
	husk_context *context;
	husk_hyper_options world;
	husk_hyper *hyper;
	husk_linux_options given;
	husk_machine_options options;
	husk_instance *instance;
	husk_machine *machine;
	husk_image *image;
	husk_mount mount;
	husk_stop stop;
	Rig rig;

	(void)state;
	rig_open(&rig);
	HUSK_INIT(making);
	HUSK_INIT(world);
	making.name = "writer";
	making.has_rights = 1;
	making.rights = HUSK_FILES;
	assert_int_equal(husk_context_create(NULL, &context), HUSK_OK);
	assert_int_equal(husk_hyper_create(context, &world, &hyper), HUSK_OK);
	mount = (husk_mount){beneath(&rig, "in"), "/in", 1};
	HUSK_INIT(given);
	HUSK_INIT(options);
	HUSK_INIT(stop);
	given.mounts = &mount;
	given.mount_count = 1;
	options.linux_options = &given;
	machine = api_make(context, "filer.isa", file_isa, text, &options);
	assert_int_equal(husk_machine_write(machine, 1, NAME, name, COUNT_OF(name)), HUSK_OK);
	assert_int_equal(husk_image_create(machine, &image), HUSK_OK);
	assert_int_equal(husk_machine_run(machine, 100, &stop), HUSK_OK);
	assert_int_equal(stop.kind, HUSK_STOP_HALTED);
	assert_int_equal(stop.code, 4);
	assert_host_file(&rig, "in/file", "file");
	husk_machine_destroy(machine);
	assert_int_equal(unlink(beneath(&rig, "in/file")), 0);
	assert_int_equal(husk_instance_create(hyper, image, &making, &instance), HUSK_OK);
	husk_image_unref(image);
	assert_int_equal(husk_instance_start(instance), HUSK_OK);
	husk_hyper_run(hyper, 1000000000);
	assert_host_file(&rig, "in/file", "file");
	husk_instance_unref(instance);
	husk_hyper_destroy(hyper);
	husk_context_unref(context);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_and_reads), cmocka_unit_test(nothing_leads_out), cmocka_unit_test(hostile_numbers),
		cmocka_unit_test(limits_of_the_host), cmocka_unit_test(needs_right_and_folder), cmocka_unit_test(snapshots_have_handles), cmocka_unit_test(hostile_snapshots),
		cmocka_unit_test(replays_from_the_log),
		cmocka_unit_test(budgets_count), cmocka_unit_test(handles_go_along),
		cmocka_unit_test(forks_in_the_midst), cmocka_unit_test(of_libhusk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
