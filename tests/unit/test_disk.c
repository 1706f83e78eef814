/* SPDX-License-Identifier: MIT
 * What goes to folders of the host is counted: each byte, each new name, what a file grows by. Limits hold to the byte, for one and for
 * a subtree, over forks and new lives; and say whose they are. Files that are read and written, and listings.
 */
#include <stdlib.h>

#include "unit/filer.h"

#include "machine/rights.h"
#include "unit/api.h"

static u64 size_of(const Rig *rig, const char *name)
{
	struct stat info;

	assert_int_equal(stat(beneath(rig, name), &info), 0);
	return (u64)info.st_size;
}

static void limits_to(u64 *limits, u64 disk)
{
	for (u32 i = 0; i < BUDGET_KINDS; i++)
		limits[i] = BUDGET_UNLIMITED;
	limits[BUDGET_DISK] = disk;
}

/* A machine that stands alone has a limit of its own. */
static void alone(void **state)
{
	Machine *machine;
	Rig rig;

	(void)state;
	rig_open(&rig);
	put_host_file(&rig, "in/there", "0123456789");
	rig.config.disk_limit = DISK_NAME + 20;
	machine = one_more(&rig);
	assert_int_equal(open_it(machine, "a", FILE_WRITE), 1);
	assert_int_equal(open_it(machine, "b", FILE_WRITE), FULL); /* no room for its name */
	assert_int_equal(access(beneath(&rig, "in/b"), F_OK), -1);
	assert_int_equal(open_it(machine, "there", FILE_APPEND), 2); /* no name of it is new */
	assert_int_equal(write_it(machine, 1, "01234"), 5);
	assert_int_equal(ask(machine, SEEK, 1, 0, 0), 0);
	assert_int_equal(write_it(machine, 1, "56789"), 5); /* over what was there: written is written */
	assert_int_equal(ask(machine, SEEK, 1, 9, 0), 0);
	assert_int_equal(write_it(machine, 1, "ab"), 2); /* the four before it as well */
	assert_int_equal(write_it(machine, 2, "abcdef"), 4);
	assert_int_equal(write_it(machine, 2, "g"), FULL);
	assert_int_equal(ask(machine, WRITE, 2, PLACE, 0), 0);
	assert_host_file(&rig, "in/there", "0123456789abcd");
	assert_int_equal(size_of(&rig, "in/a"), 11);
	/* Nothing comes back. */
	put_text(machine, NAME, "there");
	assert_int_equal(ask(machine, REMOVE, NAME, 0, 0), 0);
	assert_int_equal(open_it(machine, "a", FILE_WRITE), 3);
	assert_int_equal(write_it(machine, 3, "x"), FULL);
	machine_destroy(machine);
	/* A hole that there is no room for leaves the file as it is. */
	machine = one_more(&rig);
	assert_int_equal(open_it(machine, "c", FILE_CHANGE), 1);
	assert_int_equal(ask(machine, SEEK, 1, 20, 0), 0);
	assert_int_equal(write_it(machine, 1, "x"), FULL);
	assert_int_equal(size_of(&rig, "in/c"), 0);
	assert_int_equal(ask(machine, SEEK, 1, 19, 0), 0);
	assert_int_equal(write_it(machine, 1, "xyz"), 1);
	machine_destroy(machine);
	rig_close(&rig);
}

/* A program that opens "NAME" at its end and writes 300 bytes three times. */
static Image *writer(Rig *rig)
{
	u32 at = 0;

	put_text(rig->machine, NAME, "f");
	emit_call(rig->machine, &at, OPEN, NAME, FILE_APPEND, 0);
	for (u32 i = 0; i < 3; i++)
		emit_call(rig->machine, &at, WRITE, 1, PLACE, 300); /* what the last says is the exit code */
	emit(rig->machine, &at, 0);
	machine_set_pc(rig->machine, 0);
	return image_for(rig);
}

static void live(Hyper *hyper, Instance *instance, i32 code)
{
	assert_int_equal(instance_start(instance), STATUS_OK);
	assert_true(hyper_run(hyper, 1000000000));
	assert_int_equal(info_of(instance).end, END_HALTED);
	assert_int_equal(info_of(instance).code, code & 0xFF);
}

/* Of one: over its lives, and what was restored. */
static void over_lives(void **state)
{
	static const u32 may = MAY_PLAIN | MAY_FILES;
	u64 limits[BUDGET_KINDS];
	InstanceOptions options = {.name = "writer", .limits = limits, .rights = &may};
	Instance *instance;
	Image *image;
	Hyper *hyper;
	Buf bytes;
	Rig rig;

	(void)state;
	rig_open(&rig);
	buf_init(&bytes);
	image = writer(&rig);
	hyper = hyper_for();
	limits_to(limits, DISK_NAME + 2150);
	instance = make(hyper, image, &options);
	assert_int_equal(instance_snapshot(instance, &bytes), STATUS_OK);
	live(hyper, instance, 300);
	assert_int_equal(info_of(instance).disk, DISK_NAME + 900);
	assert_string_equal(info_of(instance).refused, "");
	assert_int_equal(instance_reset(instance), STATUS_OK);
	live(hyper, instance, 300);
	assert_int_equal(instance_reset(instance), STATUS_OK);
	assert_int_equal(instance_restore(instance, bytes.data, bytes.len), STATUS_OK);
	live(hyper, instance, FULL); /* 300, 50, none */
	assert_int_equal(info_of(instance).disk, DISK_NAME + 2150);
	assert_int_equal(size_of(&rig, "in/f"), 2150);
	assert_string_equal(info_of(instance).refused, "the disk limit of 6246 bytes (writer)");
	instance_unref(instance);
	image_unref(image);
	hyper_destroy(hyper);
	buf_fini(&bytes);
	rig_close(&rig);
}

/* Of a subtree: whoever writes, by whatever name, forked or made, the sum stays below. */
static void of_a_subtree(void **state)
{
	static const u32 may = MAY_PLAIN | MAY_FILES;
	enum { FAMILY = 5 };
	u64 limits[BUDGET_KINDS], sum = 0;
	InstanceOptions options = {.name = "member", .rights = &may};
	Instance *family[FAMILY];
	Budget *tenant;
	Image *image;
	Hyper *hyper;
	Rig rig;

	(void)state;
	rig_open(&rig);
	image = writer(&rig);
	hyper = hyper_for();
	limits_to(limits, DISK_NAME + 3333);
	tenant = budget_create(hyper_budget(hyper), "tenant", limits);
	options.parent = tenant;
	family[0] = make(hyper, image, &options);
	for (u32 i = 1; i < FAMILY; i++)
		assert_int_equal(instance_fork(family[i - 1], &options, &family[i]), STATUS_OK);
	for (u32 i = 0; i < FAMILY; i++)
		assert_int_equal(instance_start(family[i]), STATUS_OK);
	assert_true(hyper_run(hyper, 1000000000));
	for (u32 i = 0; i < FAMILY; i++) {
		InstanceInfo info = info_of(family[i]);

		assert_int_equal(info.end, END_HALTED);
		if (info.code == (FULL & 0xFF))
			assert_string_equal(info.refused, "the disk limit of 7429 bytes (tenant)");
		else
			assert_string_equal(info.refused, "");
		sum += info.disk;
		instance_unref(family[i]);
	}
	assert_int_equal(sum, DISK_NAME + 3333);
	assert_int_equal(budget_used(tenant, BUDGET_DISK), sum);
	assert_int_equal(budget_used(hyper_budget(hyper), BUDGET_DISK), sum);
	assert_int_equal(size_of(&rig, "in/f"), 3333);
	budget_unref(tenant);
	image_unref(image);
	hyper_destroy(hyper);
	rig_close(&rig);
}

static void read_and_written(void **state)
{
	Machine *machine, *other;
	Buf bytes;
	Rig rig;

	(void)state;
	rig_open(&rig);
	buf_init(&bytes);
	machine = rig.machine;
	assert_int_equal(open_it(machine, "/look/new", FILE_CHANGE), REFUSED);
	assert_int_equal(open_it(machine, "new", FILE_CHANGE), 1);
	assert_int_equal(write_it(machine, 1, "hello"), 5);
	assert_int_equal(ask(machine, READ, 1, PLACE, 10), 0);
	assert_int_equal(ask(machine, SEEK, 1, 1, 0), 0);
	assert_int_equal(ask(machine, READ, 1, PLACE, 2), 2);
	assert_cells(machine, PLACE, "el");
	assert_int_equal(write_it(machine, 1, "L"), 1);
	assert_int_equal(machine_snapshot(machine, &bytes), STATUS_OK);
	assert_int_equal(ask(machine, CLOSE, 1, 0, 0), 0);
	assert_host_file(&rig, "in/new", "helLo");
	assert_int_equal(open_it(machine, "new", FILE_CHANGE), 1);
	assert_int_equal(ask(machine, READ, 1, PLACE, 100), 5); /* nothing is emptied */
	assert_cells(machine, PLACE, "helLo");
	other = one_more(&rig);
	assert_int_equal(machine_restore(other, bytes.data, bytes.len), STATUS_OK);
	assert_int_equal(ask(other, READ, 1, PLACE, 100), 1);
	assert_cells(other, PLACE, "o");
	assert_int_equal(write_it(other, 1, "!"), 1);
	assert_host_file(&rig, "in/new", "helLo!");
	machine_destroy(other);
	buf_fini(&bytes);
	rig_close(&rig);
}

/* ---- Listings ---- */

static i32 next_of(Machine *machine, const char *name, u32 most)
{
	put_text(machine, NAME, name);
	return ask(machine, NEXT, NAME, PLACE, most);
}

/* What the listing that begins with `name` says, one after the other: names, with '/' behind those of folders. */
static void assert_listing(Machine *machine, const char *name, const char *want)
{
	char at[FILE_NAME_MOST], found[1000] = "";
	i32 len;

	snprintf(at, sizeof at, "%s", name);
	while ((len = next_of(machine, at, FILE_NAME_MOST)) > 0) {
		assert_in_range(len, 1, FILE_NAME_MOST - 1);
		for (i32 i = 0; i < len; i++) {
			u64 cell;

			assert_int_equal(machine_read(machine, 1, PLACE + (u32)i, &cell), STATUS_OK);
			at[i] = (char)cell;
		}
		at[len] = 0;
		assert_true(strlen(found) + strlen(at) + 3 < sizeof found);
		strcat(strcat(found, at), machine_slot(machine, R0 + 1) ? "/ " : " ");
	}
	assert_int_equal(len, GONE);
	assert_string_equal(found, want);
}

static void listed(void **state)
{
	char inner[400];
	Machine *machine;
	Rig rig;

	(void)state;
	rig_open(&rig);
	machine = rig.machine;
	assert_listing(machine, "", "deep/ ");
	put_host_file(&rig, "in/b", "");
	put_host_file(&rig, "in/B", "");
	put_host_file(&rig, "in/ab", "");
	put_host_file(&rig, "in/a", "");
	put_host_file(&rig, "in/\xC3\xA9 \n", "");
	put_host_file(&rig, "in/.hidden", "");
	put_host_file(&rig, "in/deep/x", "");
	/* None of these is listed: they could not be opened. */
	snprintf(inner, sizeof inner, "%s", beneath(&rig, "in/link"));
	assert_int_equal(symlink("a", inner), 0);
	assert_int_equal(mkfifo(beneath(&rig, "in/pipe"), 0600), 0);
	assert_listing(machine, "", ".hidden B a ab b deep/ \xC3\xA9 \n ");
	assert_listing(machine, "aa", "ab b deep/ \xC3\xA9 \n "); /* that it is there itself does not matter */
	assert_listing(machine, "/in/", "/in/.hidden /in/B /in/a /in/ab /in/b /in/deep/ /in/\xC3\xA9 \n ");
	assert_listing(machine, "/look/b", "/look/deep/ /look/\xC3\xA9 \n ");
	assert_listing(machine, "deep/", "deep/x ");
	assert_listing(machine, "/in/other/", "/in/other/x ");
	assert_listing(machine, "deep//", "deep//x ");
	/* As much as there is room for; the length is that of all. */
	put_text(machine, PLACE, "....");
	assert_int_equal(next_of(machine, "aa", 1), 2);
	assert_cells(machine, PLACE, "a...");
	/* Names that lead nowhere, or out. */
	assert_int_equal(next_of(machine, "none/", 9), GONE);
	assert_int_equal(next_of(machine, "a/", 9), GONE);
	assert_int_equal(next_of(machine, "link/", 9), GONE);
	assert_int_equal(next_of(machine, "pipe/", 9), GONE);
	assert_int_equal(next_of(machine, "../", 9), REFUSED);
	assert_int_equal(next_of(machine, "..", 9), REFUSED);
	assert_int_equal(next_of(machine, "deep/../", 9), REFUSED);
	assert_int_equal(next_of(machine, "/", 9), GONE);
	assert_int_equal(next_of(machine, "/etc/", 9), GONE);
	assert_int_equal(next_of(machine, "/inn/", 9), GONE);
	put_text(machine, NAME, "");
	assert_int_equal(ask(machine, NEXT, NAME, CELLS - 3, 100), BIG);
	assert_int_equal(ask(machine, NEXT, NAME, CELLS - 7, 100), 7);
	assert_int_equal(ask(machine, NEXT, NAME, 0xFFFFFFFF, 0), 7);
	assert_int_equal(ask(machine, NEXT, 0xFFFFFFFF, PLACE, 9), BIG);
	rig_close(&rig);
}

/* Longer than a program could ask for; more than are looked at. */
static void long_listings(void **state)
{
	char name[FILE_NAME_MOST];
	Machine *machine;
	Rig rig;

	(void)state;
	rig_open(&rig);
	machine = rig.machine;
	memset(name, 'n', sizeof name);
	name[250] = 0;
	for (u32 i = 0; i < 2; i++) { /* with "deep/" before it 255 bytes, and 256: this one cannot be asked for */
		char path[FILE_NAME_MOST + 20];

		name[249 + i] = 'n', name[250 + i] = 0;
		snprintf(path, sizeof path, "in/deep/%s", name);
		put_host_file(&rig, path, "");
	}
	assert_int_equal(next_of(machine, "deep/", 1000), 255);
	assert_int_equal(next_of(machine, "/in/other/", 1000), GONE);
	put_host_file(&rig, "in/deep/o", "");
	assert_int_equal(next_of(machine, "/in/other/", 1000), 11);
	assert_int_equal(next_of(machine, "deep/nnn", 1000), 255);
	assert_int_equal(mkdir(beneath(&rig, "in/many"), 0700), 0);
	for (u32 i = 0; i < FILE_LIST_MOST + 1; i++) {
		snprintf(name, sizeof name, "in/many/%u", i);
		assert_int_equal(mknod(beneath(&rig, name), S_IFREG | 0600, 0), 0);
	}
	assert_int_equal(next_of(machine, "many/", 9), BIG);
	assert_int_equal(unlink(beneath(&rig, name)), 0);
	assert_int_equal(next_of(machine, "many/", 9), 6);
	assert_cells(machine, PLACE, "many/0");
	rig_close(&rig);
}

/* The same listing again from the log. */
static void replayed(void **state)
{
	Rig rig;
	Buf start;

	(void)state;
	rig_open(&rig);
	buf_init(&start);
	put_host_file(&rig, "in/a", "");
	machine_record(rig.machine, true);
	assert_int_equal(machine_snapshot(rig.machine, &start), STATUS_OK);
	assert_listing(rig.machine, "", "a deep/ ");
	put_host_file(&rig, "in/b", "");
	assert_int_equal(machine_restore(rig.machine, start.data, start.len), STATUS_OK);
	machine_replay_from(rig.machine, 0);
	assert_listing(rig.machine, "", "a deep/ ");
	assert_listing(rig.machine, "", "a b deep/ ");
	buf_fini(&start);
	rig_close(&rig);
}

/* Through libhusk: of a machine, and of instances. */
static void of_libhusk(void **state)
{
	static const char text[] = "LI R0, 256\nLI R1, 2\nSERV 63\nLI R1, 256\nLI R2, 9\nSERV 65\nSTOP\n";
	static const uint16_t name[] = {'f', 0, '3', '4', '5', '6', '7', '8', '9'};
	husk_instance_options making;
	husk_machine_options options;
	husk_instance_info info;
	husk_linux_options given;
	husk_hyper_options world;
	husk_instance *instance;
	husk_context *context;
	husk_machine *machine;
	husk_limits limits;
	husk_hyper *hyper;
	husk_image *image;
	husk_mount mount;
	husk_stop stop;
	Rig rig;

	(void)state;
	rig_open(&rig);
	HUSK_INIT(making);
	HUSK_INIT(options);
	HUSK_INIT(info);
	HUSK_INIT(given);
	HUSK_INIT(world);
	HUSK_INIT(limits);
	HUSK_INIT(stop);
	assert_int_equal(husk_context_create(NULL, &context), HUSK_OK);
	assert_int_equal(husk_hyper_create(context, &world, &hyper), HUSK_OK);
	mount = (husk_mount){beneath(&rig, "in"), "/in", 1};
	given.mounts = &mount;
	given.mount_count = 1;
	options.linux_options = &given;
	options.disk = DISK_NAME + 5;
	machine = api_make(context, "filer.isa", file_isa, text, &options);
	assert_int_equal(husk_machine_write(machine, 1, NAME, name, COUNT_OF(name)), HUSK_OK);
	assert_int_equal(husk_image_create(machine, &image), HUSK_OK);
	assert_int_equal(husk_machine_run(machine, 100, &stop), HUSK_OK);
	assert_int_equal(stop.kind, HUSK_STOP_HALTED);
	assert_int_equal(stop.code, 5);
	husk_machine_destroy(machine);
	limits.disk = 7;
	making.name = "writer";
	making.has_rights = 1;
	making.rights = HUSK_FILES;
	making.limits = &limits;
	assert_int_equal(husk_instance_create(hyper, image, &making, &instance), HUSK_OK);
	husk_image_unref(image);
	assert_int_equal(husk_instance_start(instance), HUSK_OK);
	husk_hyper_run(hyper, 1000000000);
	assert_int_equal(husk_instance_get_info(instance, &info), HUSK_OK);
	assert_int_equal(info.exit_code, 7);
	assert_int_equal(info.disk, 7);
	assert_int_equal(husk_budget_used(hyper, husk_instance_budget(instance), HUSK_RESOURCE_DISK), 7);
	assert_int_equal(husk_budget_left(hyper, husk_instance_budget(instance), HUSK_RESOURCE_DISK), 0);
	assert_int_equal(size_of(&rig, "in/f"), 12);
	husk_instance_unref(instance);
	husk_hyper_destroy(hyper);
	husk_context_unref(context);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone), cmocka_unit_test(over_lives), cmocka_unit_test(of_a_subtree), cmocka_unit_test(read_and_written),
		cmocka_unit_test(listed), cmocka_unit_test(long_listings), cmocka_unit_test(replayed), cmocka_unit_test(of_libhusk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
