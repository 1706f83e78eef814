/* SPDX-License-Identifier: MIT
 *
 * Forks of Linux instances: a family that takes turns in two machines does what one does where everybody has a machine, to the
 * instruction; nobody sees what another one writes, and nothing held is lost.
 * (no thread sanitizer: it has no room for so many address spaces, and takes the faults of guests for signals)
 */
#include "unit/linux_run.h"

#include "hyper/hyper.h"
#include "jit/jit.h"

enum { FAMILY = 40, LETTERS = 4 };

/* Has 1.5 MiB; after each letter it writes here and there, maps and gives back. "!" makes it write all, "?" ends it. */
static const char program_text[] =
	"#define _GNU_SOURCE\n#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n#include <sys/mman.h>\n#include <sys/random.h>\n"
	"static unsigned long pool[3 << 16];\nenum { N = 3 << 16 };\n"
	"int main(void) { unsigned long sum = 1, seed; char letter, line[40], *map = 0;\n"
	"	for (int i = 0; i < N; i++) pool[i] = i * 5 + 1;\n"
	"	while (read(0, &letter, 1) == 1 && letter != '?') {\n"
	"		getrandom(&seed, 8, 0);\n"
	"		for (int i = 0; i < 6; i++) { sum = sum * 6364136223846793005 + letter + seed; pool[(sum >> 30) % N] ^= sum; }\n"
	"		if (letter == '!') for (int i = 0; i < N; i += 100) pool[i] += letter;\n"
	"		if (map) { sum += map[5000]; munmap(map, 9000); map = 0; }\n"
	"		else { map = mmap(0, 20000, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); map[5000] = letter; }\n"
	"		write(1, line, sprintf(line, \"%c%lx \", letter, sum)); }\n"
	"	for (int i = 0; i < N; i += 13) sum = sum * 3 + pool[i];\n"
	"	printf(\"%lx\\n\", sum); return 7; }\n";

typedef struct Member {
	Instance *instance;
	Buf said;
} Member;

static void hear(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
}

static Image *make_image(Rig *rig, const MachineConfig *config)
{
	char path[120];
	Machine *machine;
	Buf program, said;
	Image *image;
	FILE *file;

	snprintf(path, sizeof path, "%s/program.c", rig->folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(program_text, file);
	fclose(file);
	buf_init(&program);
	buf_init(&said);
	compile(rig, path, "", &program);
	{
		const LinuxConfig linux_config = {.program = "/program", .argument_count = 0, .directory = "/tmp", .real_time = 1};
		const GuestFile files = {.name = "program", .data = program.data, .len = program.len};
		DiagList diags;

		diag_init(&diags);
		assert_int_equal(machine_create(config, &machine, &diags), STATUS_OK);
		assert_int_equal(linux_configure(machine, &linux_config, &diags), STATUS_OK);
		assert_int_equal(rig->guest->load(machine, &files, 1, &diags), STATUS_OK);
		diag_fini(&diags);
	}
	assert_int_equal(image_create(config, machine, &image), STATUS_OK);
	machine_destroy(machine);
	buf_fini(&program);
	buf_fini(&said);
	return image;
}

static void wait_for(Hyper *hyper, const Member *members, u32 count)
{
	InstanceInfo info;

	assert_true(hyper_run(hyper, ~(u64)0 >> 2));
	for (u32 i = 0; i < count; i++) {
		instance_info(members[i].instance, &info);
		if (info.state != INSTANCE_WAITING)
			fail_msg("%s is %s (%s)", info.name, instance_state_name(info.state), info.text);
	}
}

static void fork_one(Member *parent, Member *child, u64 seed)
{
	InstanceOptions options = {.output = hear, .ctx = &child->said, .seed = seed};

	buf_init(&child->said);
	assert_int_equal(instance_fork(parent->instance, &options, &child->instance), STATUS_OK);
	assert_int_equal(instance_start(child->instance), STATUS_OK);
}

static void tell(Member *member, u8 letter)
{
	instance_input(member->instance, &letter, 1);
}

/* The first one is forked into half of the family, each of which has a child of its own later. */
static void live(Image *image, u32 residents, Member *members)
{
	const HyperConfig config = {.workers = 0, .residents = residents};
	InstanceOptions options = {.output = hear, .ctx = &members[0].said, .seed = 99};
	Hyper *hyper;

	assert_int_equal(hyper_create(&config, &hyper), STATUS_OK);
	buf_init(&members[0].said);
	assert_int_equal(instance_create(hyper, image, &options, &members[0].instance), STATUS_OK);
	assert_int_equal(instance_start(members[0].instance), STATUS_OK);
	wait_for(hyper, members, 1);
	for (u32 i = 1; i < FAMILY / 2; i++)
		fork_one(&members[0], &members[i], i);
	wait_for(hyper, members, FAMILY / 2);
	for (u32 letter = 0; letter < LETTERS; letter++) {
		for (u32 i = 0; i < FAMILY / 2; i++)
			tell(&members[i], (u8)(i == 7 ? '!' : 'a' + (i + letter) % 26));
		wait_for(hyper, members, FAMILY / 2);
	}
	for (u32 i = FAMILY / 2; i < FAMILY; i++)
		fork_one(&members[i - FAMILY / 2], &members[i], i);
	for (u32 i = 0; i < FAMILY; i++)
		tell(&members[i], (u8)('A' + i % 26));
	wait_for(hyper, members, FAMILY);
	assert_int_equal(budget_used(hyper_budget(hyper), BUDGET_FILES), FAMILY * budget_used(instance_budget(members[3].instance), BUDGET_FILES));
	for (u32 i = 0; i < FAMILY; i++)
		tell(&members[i], '?');
	assert_true(hyper_run(hyper, ~(u64)0 >> 2));
	for (u32 i = 0; i < FAMILY; i++) {
		InstanceInfo info;

		instance_info(members[i].instance, &info);
		if (info.end != END_HALTED || info.code != 7)
			fail_msg("%s ended: %s", info.name, info.text);
		buf_printf(&members[i].said, "%llu", (unsigned long long)info.insns);
		instance_unref(members[i].instance);
	}
	assert_int_equal(budget_used(hyper_budget(hyper), BUDGET_FILES), 0);
	assert_int_equal(budget_used(hyper_budget(hyper), BUDGET_MEMORY), 0);
	hyper_destroy(hyper);
}

static void compare_families(Rig *rig, const EngineOps *engine, bool host_rights)
{
	static Member one[FAMILY], other[FAMILY];
	MachineConfig config = computer_config(rig);
	Image *image;

	config.engine = engine;
	config.host_rights = host_rights;
	image = make_image(rig, &config);
	live(image, 1000, one);
	live(image, 2, other);
	for (u32 i = 0; i < FAMILY; i++) {
		if (strcmp(buf_text(&one[i].said), buf_text(&other[i].said)) != 0)
			fail_msg("number %u said %s, not %s", i, buf_text(&other[i].said), buf_text(&one[i].said));
		for (u32 k = 0; k < i; k++) /* each had random numbers of its own */
			assert_string_not_equal(buf_text(&one[i].said), buf_text(&one[k].said));
	}
	for (u32 i = 0; i < FAMILY; i++) {
		buf_fini(&one[i].said);
		buf_fini(&other[i].said);
	}
	image_unref(image);
}

static void interpreted(void **state)
{
	compare_families(*state, &interp_engine, false);
}

static void compiled(void **state)
{
	compare_families(*state, &jit_engine, false);
	compare_families(*state, &jit_engine, true);
}

/* A fork has a limit of its own: less than its parent has, and it is not; less than it comes to want, and it is told so. */
static void limits(void **state)
{
	MachineConfig config = computer_config(*state);
	const HyperConfig hyper_config = {.workers = 0, .residents = 2};
	u64 own[BUDGET_KINDS];
	InstanceOptions options = {.limits = own};
	Instance *twin;
	Member parent;
	Image *image;
	Hyper *hyper;

	for (u32 i = 0; i < BUDGET_KINDS; i++)
		own[i] = BUDGET_UNLIMITED;
	own[BUDGET_MEMORY] = 1 << 20;
	image = make_image(*state, &config);
	assert_int_equal(hyper_create(&hyper_config, &hyper), STATUS_OK);
	assert_int_equal(instance_create(hyper, image, NULL, &parent.instance), STATUS_OK);
	assert_int_equal(instance_start(parent.instance), STATUS_OK);
	wait_for(hyper, &parent, 1);
	assert_int_equal(instance_fork(parent.instance, &options, &twin), STATUS_TOO_BIG);
	own[BUDGET_MEMORY] = 8 << 20;
	assert_int_equal(instance_fork(parent.instance, &options, &twin), STATUS_OK);
	assert_int_equal(budget_used(instance_budget(twin), BUDGET_MEMORY), 8 << 20);
	assert_int_equal(machine_memory_limit(instance_hold(twin)), 8 << 20);
	instance_release(twin);
	assert_int_equal(machine_memory_limit(instance_hold(parent.instance)), MEMORY);
	instance_release(parent.instance);
	instance_unref(twin);
	instance_unref(parent.instance);
	image_unref(image);
	hyper_destroy(hyper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interpreted),
		cmocka_unit_test(compiled),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests_name("hyper_forks", tests, setup, teardown);
}
