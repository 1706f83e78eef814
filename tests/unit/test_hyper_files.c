/* SPDX-License-Identifier: MIT
 *
 * Linux instances that have files of the host open and mapped, parked and forked: each has positions of its own, and goes on with the file
 * that it opened, whatever has become of its name; what was written under a private map is refused by name; rights and limits hold, and
 * nothing stays open.
 * (no thread sanitizer: it has no room for so many address spaces)
 */
#include "unit/linux_run.h"

#include <dirent.h>
#include <sys/stat.h>

#include "hyper/hyper_private.h"
#include "jit/jit.h"

enum { TWINS = 12, BYTES = 1 << 18 };

/* By letters: r the next byte of the file; s how large it is; m maps it; p a byte of a page that was not touched yet; o opens it once more;
 * w writes a byte at its own place into another one, x makes this 64 KiB and maps it shared, y and a letter puts this there;
 * z never ends; W writes a byte into the first page of the file that it reads. */
static const char program_text[] =
	"#include <errno.h>\n#include <fcntl.h>\n#include <stdio.h>\n#include <unistd.h>\n#include <sys/mman.h>\n#include <sys/stat.h>\n"
	"int main(void) { int data = open(\"/given/data\", O_RDONLY), out = open(\"/given/out\", O_RDWR | O_CREAT, 0644), page = 0, some, mine = -1;\n"
	"	char letter, byte; unsigned char *map = 0, *shared = 0; struct stat info; if (data < 0 || out < 0) return 1;\n"
	"	while (read(0, &letter, 1) == 1 && letter != '.') {\n"
	"		switch (letter) {\n"
	"		case 'r': some = read(data, &byte, 1); some = some == 1 ? byte : some < 0 ? -errno : 0; break;\n"
	"		case 's': fstat(data, &info); some = info.st_size; break;\n"
	"		case 'm': map = mmap(0, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE, data, 0); some = map[0]; break;\n"
	"		case 'p': page += 16; some = map[page * 4096]; break;\n"
	"		case 'o': some = open(\"/given/data\", O_RDONLY); some = some < 0 ? -errno : 1; break;\n"
	"		case 'x': some = ftruncate(out, 1 << 16); shared = mmap(0, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, out, 0); break;\n"
	"		case 'z': for (;;) ;\n"
	"		case 'y': some = 0; read(0, (char *)shared, 1); break;\n"
	"		case 'W': if (mine < 0) mine = open(\"/given/data\", O_RDWR); some = pwrite(mine, &letter, 1, 99); break;\n"
	"		case 'w': some = write(out, &letter, 1); break;\n"
	"		default: some = 0; }\n"
	"		printf(\"%d \", some); fflush(stdout); }\n"
	"	return 7; }\n";

typedef struct Stage {
	const Rig *rig;
	Hyper *hyper;
	Image *image;
	Instance *parent, *twins[TWINS];
	Buf said[TWINS + 1]; /* the last is the parent's */
	u32 open_before;
} Stage;

static void put(const Rig *rig, const char *name, const char *as, u8 first)
{
	char path[160], to[160];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", rig->folder, name);
	snprintf(to, sizeof to, "%s/%s", rig->folder, as);
	file = fopen(path, "wb");
	assert_non_null(file);
	for (u32 i = 0; i < BYTES; i++)
		fputc((int)(first + i % 4096 + i / 4096) & 0x7F, file);
	fclose(file);
	assert_int_equal(rename(path, to), 0);
}

static u32 open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	u32 count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void run_all(Stage *stage)
{
	assert_true(hyper_run(stage->hyper, ~(u64)0 >> 2));
}

static void begin(Stage *stage, const Rig *rig, const char *letters)
{
	const HyperConfig hyper_config = {.workers = 0, .residents = 2};
	const MachineConfig config = computer_config(rig);
	const u32 rights = MAY_PLAIN | MAY_FILES;
	InstanceOptions options = {.rights = &rights, .output = collect, .ctx = &stage->said[TWINS]};
	char path[120];
	Buf program, output;
	Machine *machine;
	FILE *file;

	*stage = (Stage){.rig = rig, .open_before = open_descriptors()};
	for (u32 i = 0; i <= TWINS; i++)
		buf_init(&stage->said[i]);
	buf_init(&program);
	buf_init(&output);
	put(rig, "new", "data", 1);
	snprintf(path, sizeof path, "%s/program.c", rig->folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(program_text, file);
	fclose(file);
	compile(rig, path, "", &program);
	machine = computer(rig, &output);
	load(machine, rig, &program);
	assert_int_equal(hyper_create(&hyper_config, &stage->hyper), STATUS_OK);
	assert_int_equal(image_create(&config, machine, &stage->image), STATUS_OK);
	machine_destroy(machine);
	buf_fini(&program);
	buf_fini(&output);
	assert_int_equal(instance_create(stage->hyper, stage->image, &options, &stage->parent), STATUS_OK);
	assert_int_equal(instance_start(stage->parent), STATUS_OK);
	instance_input(stage->parent, (const u8 *)letters, strlen(letters));
	run_all(stage);
}

static void fork_all(Stage *stage)
{
	for (u32 i = 0; i < TWINS; i++) {
		InstanceOptions options = {.output = collect, .ctx = &stage->said[i]};

		assert_int_equal(instance_fork(stage->parent, &options, &stage->twins[i]), STATUS_OK);
		assert_int_equal(instance_start(stage->twins[i]), STATUS_OK);
	}
}

/* All but those that may keep a machine. */
static void are_parked(const Stage *stage)
{
	u32 with = 0;

	for (u32 i = 0; i < TWINS; i++)
		with += stage->twins[i]->machine != NULL;
	assert_true(with <= 3);
}

static void tell(Instance *instance, const char *letters)
{
	instance_input(instance, (const u8 *)letters, strlen(letters));
}

static void says(const Buf *said, const char *text)
{
	Buf copy;

	buf_init(&copy);
	buf_add(&copy, said->data, said->len);
	assert_string_equal(buf_text(&copy), text);
	buf_fini(&copy);
}

static void finish(Stage *stage)
{
	for (u32 i = 0; i < TWINS; i++)
		instance_unref(stage->twins[i]);
	instance_unref(stage->parent);
	image_unref(stage->image);
	assert_int_equal(budget_used(hyper_budget(stage->hyper), BUDGET_FILES), 0);
	hyper_destroy(stage->hyper);
	for (u32 i = 0; i <= TWINS; i++)
		buf_fini(&stage->said[i]);
	assert_int_equal(open_descriptors(), stage->open_before);
}

static void positions(void **state)
{
	struct stat info;
	char path[120];
	Stage stage;

	begin(&stage, *state, "rrw");
	fork_all(&stage);
	run_all(&stage);
	for (u32 i = 0; i < TWINS; i++) /* one after the other, and each some more */
		for (u32 k = 0; k <= i % 3; k++) {
			tell(stage.twins[i], "r");
			run_all(&stage);
		}
	are_parked(&stage);
	tell(stage.twins[5], "wwww");
	tell(stage.parent, "r");
	run_all(&stage);
	for (u32 i = 0; i < TWINS; i++) {
		tell(stage.twins[i], "r");
		run_all(&stage);
	}
	says(&stage.said[TWINS], "1 2 1 3 ");
	says(&stage.said[3], "3 4 ");
	says(&stage.said[4], "3 4 5 ");
	says(&stage.said[5], "3 4 5 1 1 1 1 6 ");
	snprintf(path, sizeof path, "%s/out", stage.rig->folder);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_size, 5);
	finish(&stage);
}

/* Another file has the name now, and then none: who had it open has the old one. Opened anew it is the other one. */
static void replaced(void **state)
{
	char path[120];
	Stage stage;

	begin(&stage, *state, "rm");
	fork_all(&stage);
	run_all(&stage);
	put(stage.rig, "new", "data", 60);
	for (u32 i = 0; i < TWINS; i++)
		tell(stage.twins[i], "rpso");
	run_all(&stage);
	are_parked(&stage);
	snprintf(path, sizeof path, "%s/data", stage.rig->folder);
	assert_int_equal(unlink(path), 0);
	for (u32 i = 0; i < TWINS; i++)
		tell(stage.twins[i], "rpo");
	run_all(&stage);
	for (u32 i = 0; i < TWINS; i++)
		says(&stage.said[i], "2 17 262144 1 3 33 -2 ");
	finish(&stage);
}

/* Written where it lies: who maps it privately would have pages of two ages, and is told so; who only reads goes on. */
static void overwritten(void **state)
{
	for (u32 mapped = 0; mapped < 2; mapped++) {
		InstanceInfo info;
		char path[120];
		Stage stage;
		FILE *file;

		begin(&stage, *state, mapped ? "rm" : "r");
		fork_all(&stage);
		run_all(&stage);
		snprintf(path, sizeof path, "%s/data", stage.rig->folder);
		file = fopen(path, "r+b");
		assert_non_null(file);
		for (u32 i = 0; i < BYTES + 1; i++)
			fputc(70, file);
		fclose(file);
		tell(stage.twins[TWINS - 1], "r");
		run_all(&stage);
		instance_info(stage.twins[TWINS - 1], &info);
		if (mapped) {
			assert_int_equal(info.state, INSTANCE_ENDED);
			assert_int_equal(info.end, END_ERROR);
			assert_non_null(strstr(info.text, "data is not the file that it was"));
		} else {
			assert_int_equal(info.state, INSTANCE_WAITING);
			says(&stage.said[TWINS - 1], "70 ");
		}
		finish(&stage);
	}
}

/* Who writes to what he maps has it open for that, and goes on; so do his forks. */
static void written(void **state)
{
	Stage stage;

	begin(&stage, *state, "rmW");
	fork_all(&stage);
	for (u32 round = 0; round < 2; round++)
		for (u32 i = 0; i < TWINS; i++) {
			tell(stage.twins[i], "Wp");
			run_all(&stage);
		}
	are_parked(&stage);
	for (u32 i = 0; i < TWINS; i++)
		says(&stage.said[i], "1 17 1 33 ");
	finish(&stage);
}

static void rights_and_limits(void **state)
{
	u64 limits[BUDGET_KINDS];
	InstanceOptions options = {.limits = limits};
	const u32 plain = MAY_PLAIN;
	InstanceInfo info;
	Instance *poor;
	Stage stage;

	begin(&stage, *state, "r");
	fork_all(&stage);
	run_all(&stage);
	instance_info(stage.parent, &info);
	assert_int_equal(budget_used(hyper_budget(stage.hyper), BUDGET_FILES), info.files * (TWINS + 1));
	instance_revoke(stage.twins[4], MAY_FILES);
	tell(stage.twins[4], "ro");
	tell(stage.twins[3], "r");
	run_all(&stage);
	says(&stage.said[4], "-13 -13 ");
	says(&stage.said[3], "2 ");
	for (u32 i = 0; i < BUDGET_KINDS; i++)
		limits[i] = BUDGET_UNLIMITED;
	limits[BUDGET_FILES] = info.files - 1;
	assert_int_equal(instance_fork(stage.parent, &options, &poor), STATUS_TOO_BIG);
	limits[BUDGET_FILES] = info.files + 1;
	options.output = collect;
	options.ctx = &stage.said[0];
	assert_int_equal(instance_fork(stage.parent, &options, &poor), STATUS_OK);
	assert_int_equal(instance_start(poor), STATUS_OK);
	tell(poor, "oo");
	run_all(&stage);
	says(&stage.said[0], "1 -23 ");
	instance_unref(poor);
	buf_clear(&stage.said[0]);
	options.limits = NULL;
	options.rights = &plain;
	assert_int_equal(instance_fork(stage.parent, &options, &poor), STATUS_OK);
	assert_int_equal(instance_start(poor), STATUS_OK);
	tell(poor, "r");
	run_all(&stage);
	says(&stage.said[0], "-13 ");
	instance_unref(poor);
	finish(&stage);
}

/* What goes to the host when a machine is taken away (shared maps are written back) is still its instance's. */
static void maps_are_counted(void **state)
{
	enum { NAME = 4096, SIZE = 1 << 16, BLOCK = 16384, ROOM = 5 };
	Budget *root;
	char path[120];
	Stage stage;

	snprintf(path, sizeof path, "%s/out", ((const Rig *)*state)->folder);
	unlink(path);
	begin(&stage, *state, "x");
	root = hyper_budget(stage.hyper);
	fork_all(&stage);
	run_all(&stage);
	assert_int_equal(budget_used(root, BUDGET_DISK), NAME + SIZE);
	hyper_set_limit(stage.hyper, root, BUDGET_DISK, NAME + SIZE + ROOM * BLOCK + 7);
	for (u32 i = 0; i < TWINS; i++) {
		const char letters[] = {'y', (char)('a' + i), 'z', 0};

		tell(stage.twins[i], letters);
		assert_false(hyper_run(stage.hyper, 20000000));
		instance_unref(stage.twins[i]); /* in its midst */
		stage.twins[i] = NULL;
	}
	assert_int_equal(budget_used(root, BUDGET_DISK), NAME + SIZE + ROOM * BLOCK + 7);
	finish(&stage);
	unlink(path);
}

/* ---- Debian's own programs ---- */

typedef struct Command {
	const char *path, *arguments[4]; /* answers each letter with one */
} Command;

static const Command commands[] = {
	{"/usr/bin/bash", {"bash", "-c", "while read -N 1 x; do printf %d- $(( ++n * n )); done"}},
	{"/usr/bin/lua5.4", {"lua", "-e", "n = 0 for x in function() return io.read(1) end do n = n + 1 io.write(n * n, '-') io.flush() end"}},
	{"/usr/bin/perl", {"perl", "-e", "use POSIX; $| = 1; while (sysread STDIN, $x, 1) { $n++; print $n * $n, '-' }"}},
	{"/usr/bin/python3.13", {"python3", "-c", "import json, os\nn = 0\nwhile os.read(0, 1):\n n += 1\n print(json.dumps(n * n), end='-', flush=True)"}},
};

static void read_file(const char *folder, const char *path, Buf *out)
{
	char full[4096], block[4096];
	size_t len;
	FILE *file;

	snprintf(full, sizeof full, "%s%s", folder, path);
	file = fopen(full, "rb");
	while (file && (len = fread(block, 1, sizeof block, file)) > 0)
		buf_add(out, block, len);
	if (file)
		fclose(file);
}

static Image *debian_image(const Rig *rig, const Command *command, const char *tree)
{
	static const char *const environment[] = {"PATH=/usr/bin", "LANG=C.UTF-8"};
	const LinuxConfig linux_config = {.program = command->path, .arguments = command->arguments, .argument_count = 3, .root = tree,
					  .environment = environment, .environment_count = 2, .real_time = 1700000000000000000};
	MachineConfig config = computer_config(rig);
	Image *image = NULL;
	Machine *machine;
	DiagList diags;
	Buf program;

	buf_init(&program);
	diag_init(&diags);
	config.engine = &jit_engine;
	config.host_rights = true;
	config.memory_limit = 256 << 20;
	read_file(tree, command->path, &program);
	if (program.len) {
		const GuestFile file = {.name = command->path, .data = program.data, .len = program.len};

		assert_int_equal(machine_create(&config, &machine, &diags), STATUS_OK);
		assert_int_equal(linux_configure(machine, &linux_config, &diags), STATUS_OK);
		assert_int_equal(rig->guest->load(machine, &file, 1, &diags), STATUS_OK);
		assert_int_equal(image_create(&config, machine, &image), STATUS_OK);
		machine_destroy(machine);
	}
	diag_fini(&diags);
	buf_fini(&program);
	return image;
}

/* Forked after two letters, the twins get some more, one after the other. */
static void play(Stage *stage)
{
	const u32 rights = MAY_PLAIN | MAY_FILES;
	InstanceOptions options = {.rights = &rights, .output = collect, .ctx = &stage->said[TWINS], .seed = 1};

	assert_int_equal(instance_create(stage->hyper, stage->image, &options, &stage->parent), STATUS_OK);
	assert_int_equal(instance_start(stage->parent), STATUS_OK);
	tell(stage->parent, "ab");
	run_all(stage);
	says(&stage->said[TWINS], "1-4-");
	fork_all(stage);
	for (u32 round = 0; round < 2; round++)
		for (u32 i = 0; i < TWINS; i++) {
			tell(stage->twins[i], i % 2 ? "xyz" : "x");
			run_all(stage);
		}
	are_parked(stage);
	for (u32 i = 0; i < TWINS; i++)
		says(&stage->said[i], i % 2 ? "9-16-25-36-49-64-" : "9-16-");
}

static void debian(void **state)
{
	const char *tree = getenv("DEBIAN_RV64") ? getenv("DEBIAN_RV64") : "build/debian-rv64";
	const HyperConfig hyper_config = {.workers = 0, .residents = 2};
	u32 found = 0;

	for (u32 i = 0; i < COUNT_OF(commands); i++) {
		Stage stage = {.open_before = open_descriptors()};

		for (u32 k = 0; k <= TWINS; k++)
			buf_init(&stage.said[k]);
		stage.image = debian_image(*state, &commands[i], tree);
		if (!stage.image)
			continue;
		found++;
		assert_int_equal(hyper_create(&hyper_config, &stage.hyper), STATUS_OK);
		play(&stage);
		finish(&stage);
	}
	if (!found)
		skip(); /* tools/debian-rv64 makes such a folder */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(positions),
		cmocka_unit_test(replaced),
		cmocka_unit_test(overwritten),
		cmocka_unit_test(written),
		cmocka_unit_test(rights_and_limits),
		cmocka_unit_test(debian),
		cmocka_unit_test(maps_are_counted),
	};

	return cmocka_run_group_tests_name("hyper_files", tests, setup, teardown);
}
