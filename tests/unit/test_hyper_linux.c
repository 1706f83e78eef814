/* SPDX-License-Identifier: MIT
 *
 * Linux programs under the hypervisor: images of machines that are ready to run, forks, snapshots, reset; several at once, and what
 * callers do to them meanwhile.
 *
 * The thread sanitizer leaves room for five address spaces of 2^38 bytes: no more machines are there at a time.
 */
#include "unit/linux_run.h"

#include "hyper/hyper.h"
#include "jit/jit.h"

static const char program_text[] =
	"#include <stdio.h>\n#include <unistd.h>\n#include <sys/wait.h>\n#include <sys/random.h>\n#include <stdlib.h>\n"
	"int main(void) {\n"
	"	char line[100] = \"\"; int fds[2]; unsigned char seed[4]; FILE *in = fopen(\"/given/in\", \"r\"); long sum = 0;\n"
	"	if (!in || !fgets(line, 100, in) || pipe(fds)) return 1;\n"
	"	for (int i = 0; i < 40000; i++) sum += i ^ sum << 1;\n"
	"	if (!fork()) { sleep(1); dprintf(fds[1], \"child %d of %d\", getpid(), getppid()); _exit(3); }\n"
	"	char told[100] = \"\"; int status; read(fds[0], told, 99); wait(&status);\n"
	"	getrandom(seed, 4, 0);\n"
	"	printf(\"%s%s %d %ld\\n\", line, told, WEXITSTATUS(status), sum);\n"
	"	if (getenv(\"DICE\")) printf(\"%02x%02x%02x%02x\\n\", seed[0], seed[1], seed[2], seed[3]);\n"
	"	return 7;\n}\n";

/* Takes one byte of a message, waits for the next one, and then takes the rest of the first. */
static const char mail_text[] =
	"#include <fcntl.h>\n#include <stdio.h>\n#include <unistd.h>\n#include <poll.h>\n"
	"int main(void) {\n"
	"	char text[100] = \"\", next[100] = \"\"; int box = open(\"/dev/husk/mailbox\", O_RDWR), other = open(\"/dev/husk/mailbox\", O_RDWR);\n"
	"	struct pollfd fd = { .fd = other, .events = POLLIN };\n"
	"	if (box < 0 || read(box, text, 1) != 1 || poll(&fd, 1, -1) != 1 || read(other, next, 99) < 1) return 1;\n"
	"	read(box, text + 1, 98); printf(\"%s|%s|\", text, next);\n"
	"	return 7;\n}\n";

static void make_text(const Rig *rig, const char *text, Buf *program);
static void make_program(const Rig *rig, Buf *program)
{
	make_text(rig, program_text, program);
}

static void make_text(const Rig *rig, const char *text, Buf *program)
{
	char path[120];
	FILE *file;

	snprintf(path, sizeof path, "%s/program.c", rig->folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	compile(rig, path, "", program);
	snprintf(path, sizeof path, "%s/in", rig->folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("given, ", file);
	fclose(file);
}

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
}

static Instance *make(Hyper *hyper, Image *image, Buf *output)
{
	const u32 rights = MAY_ALL;
	const InstanceOptions options = {.output = on_output, .ctx = output, .rights = &rights};
	Instance *instance = NULL;

	buf_init(output);
	assert_int_equal(instance_create(hyper, image, &options, &instance), STATUS_OK);
	return instance;
}

static void assert_ended(Instance *instance, u64 insns)
{
	InstanceInfo info;

	instance_info(instance, &info);
	assert_int_equal(info.state, INSTANCE_ENDED);
	if (info.end != END_HALTED)
		fail_msg("%s ended: %s", info.name, info.text);
	assert_int_equal(info.code, 7);
	assert_int_equal(info.insns, insns);
}

static void test_instances(void **state)
{
	Rig *rig = *state;
	const MachineConfig config = computer_config(rig);
	const HyperConfig hyper_config = {.workers = 0};
	Buf program, alone, outputs[3], forked[2], bytes;
	Instance *instances[3], *twins[2];
	u64 insns, half;
	Machine *machine;
	Image *image;
	Hyper *hyper;

	buf_init(&program);
	buf_init(&alone);
	buf_init(&bytes);
	make_program(rig, &program);
	machine = computer(rig, &alone);
	load(machine, rig, &program);
	assert_int_equal(image_create(&config, machine, &image), STATUS_OK);
	assert_int_equal(run_to(machine, ~(u64)0).kind, STOP_HALT);
	insns = machine_icount(machine);
	machine_destroy(machine); /* the image needs it no more */
	assert_int_equal(memcmp(alone.data, "given, child 2 of 1 3 ", 22), 0);

	assert_int_equal(hyper_create(&hyper_config, &hyper), STATUS_OK);
	for (u32 i = 0; i < 3; i++) {
		instances[i] = make(hyper, image, &outputs[i]);
		instance_input_end(instances[i]);
	}
	assert_int_equal(instance_start(instances[0]), STATUS_OK);
	assert_true(hyper_run(hyper, ~(u64)0 >> 2));
	assert_ended(instances[0], insns);
	assert_int_equal(outputs[0].len, alone.len);
	assert_memory_equal(outputs[0].data, alone.data, alone.len);

	/* In the midst: two copies, one of which is put back to what it was. */
	half = insns / 2;
	machine = instance_hold(instances[1]);
	assert_int_equal(run_to(machine, half).kind, STOP_BUDGET);
	instance_release(instances[1]);
	for (u32 i = 0; i < 2; i++) {
		const u32 rights = MAY_ALL;
		const InstanceOptions options = {.output = on_output, .ctx = &forked[i], .seed = i + 1, .rights = &rights};

		buf_init(&forked[i]);
		assert_int_equal(instance_fork(instances[1], &options, &twins[i]), STATUS_OK);
		instance_input_end(twins[i]);
	}
	assert_int_equal(instance_snapshot(twins[1], &bytes), STATUS_OK);
	machine = instance_hold(twins[1]);
	assert_int_equal(run_to(machine, insns - 1000).kind, STOP_BUDGET);
	instance_release(twins[1]);
	assert_int_equal(instance_restore(twins[1], bytes.data, bytes.len), STATUS_OK);
	buf_clear(&forked[1]);
	for (u32 i = 0; i < 2; i++)
		assert_int_equal(instance_start(twins[i]), STATUS_OK);
	instance_start(instances[1]);
	assert_true(hyper_run(hyper, ~(u64)0 >> 2));
	for (u32 i = 0; i < 2; i++) {
		assert_int_equal(forked[i].len, alone.len);
		assert_memory_equal(forked[i].data, alone.data, alone.len);
	}
	assert_int_equal(outputs[1].len, alone.len);
	for (u32 i = 0; i < 2; i++)
		instance_unref(twins[i]);

	/* Forks of one that has not begun, which has no machine yet; and of one that is held and goes on between them. */
	for (u32 i = 0; i < 3; i++) {
		const u32 rights = MAY_ALL;
		const InstanceOptions options = {.output = on_output, .ctx = &forked[0], .rights = &rights};
		Instance *late;

		buf_clear(&forked[0]);
		if (i)
			assert_int_equal(run_to(instance_hold(instances[2]), half + i * 1000).kind, STOP_BUDGET);
		assert_int_equal(instance_fork(instances[2], &options, &late), STATUS_OK);
		assert_int_equal(budget_used(instance_budget(late), BUDGET_FILES), budget_used(instance_budget(instances[2]), BUDGET_FILES));
		if (i) {
			assert_int_equal(machine_icount(instance_hold(late)), half + i * 1000);
			instance_release(late);
		}
		instance_input_end(late);
		assert_int_equal(instance_start(late), STATUS_OK);
		assert_true(hyper_run(hyper, ~(u64)0 >> 2));
		assert_ended(late, i ? insns - half - i * 1000 : insns);
		if (!i) {
			assert_int_equal(forked[0].len, alone.len);
			assert_memory_equal(forked[0].data, alone.data, alone.len);
		}
		instance_unref(late);
	}
	instance_release(instances[2]);
	instance_release(instances[2]);

	/* Once more from the beginning. */
	buf_clear(&outputs[0]);
	instance_revoke(instances[0], MAY_FILES); /* its files are opened again nevertheless, and then it may */
	assert_int_equal(instance_reset(instances[0]), STATUS_OK);
	instance_grant(instances[0], MAY_FILES);
	instance_input_end(instances[0]);
	assert_int_equal(instance_start(instances[0]), STATUS_OK);
	assert_true(hyper_run(hyper, ~(u64)0 >> 2));
	assert_memory_equal(outputs[0].data, alone.data, alone.len);

	for (u32 i = 0; i < 3; i++) {
		instance_unref(instances[i]);
		buf_fini(&outputs[i]);
	}
	for (u32 i = 0; i < 2; i++)
		buf_fini(&forked[i]);
	image_unref(image);
	hyper_destroy(hyper);
	buf_fini(&bytes);
	buf_fini(&alone);
	buf_fini(&program);
}

/* What a program has read of a message is the machine's, and is copied with it; what waits in the queue is the hypervisor's, and is not. */
static void test_mail(void **state)
{
	static const u32 rights = MAY_PLAIN | MAY_MAILBOX;
	Rig *rig = *state;
	const MachineConfig config = computer_config(rig);
	const HyperConfig hyper_config = {.workers = 0};
	Buf program, nothing, outputs[2];
	Instance *instances[2];
	Machine *machine;
	Image *image;
	Hyper *hyper;

	buf_init(&program);
	buf_init(&nothing);
	make_text(rig, mail_text, &program);
	machine = computer(rig, &nothing);
	load(machine, rig, &program);
	assert_int_equal(image_create(&config, machine, &image), STATUS_OK);
	machine_destroy(machine);
	assert_int_equal(hyper_create(&hyper_config, &hyper), STATUS_OK);
	instances[0] = make(hyper, image, &outputs[0]);
	assert_int_equal(instance_mail(instances[0], 0, (const u8 *)"hello", 5), STATUS_OK);
	instance_start(instances[0]);
	assert_true(hyper_run(hyper, ~(u64)0 >> 2));
	{
		const InstanceOptions options = {.output = on_output, .ctx = &outputs[1], .rights = &rights};

		buf_init(&outputs[1]);
		assert_int_equal(instance_fork(instances[0], &options, &instances[1]), STATUS_OK);
	}
	for (u32 i = 0; i < 2; i++) /* the console three times, the mailbox twice; a copy has as many open */
		assert_true(budget_used(instance_budget(instances[i]), BUDGET_FILES) >= 5);
	assert_int_equal(budget_used(hyper_budget(hyper), BUDGET_FILES), 2 * budget_used(instance_budget(instances[0]), BUDGET_FILES));
	instance_start(instances[1]);
	assert_true(hyper_run(hyper, ~(u64)0 >> 2));
	assert_int_equal(instance_mail(instances[0], 0, (const u8 *)"mine", 4), STATUS_OK);
	assert_int_equal(instance_mail(instances[1], 0, (const u8 *)"twin's", 6), STATUS_OK);
	assert_true(hyper_run(hyper, ~(u64)0 >> 2));
	for (u32 i = 0; i < 2; i++) {
		InstanceInfo info;

		instance_info(instances[i], &info);
		assert_int_equal(info.end, END_HALTED);
		assert_int_equal(info.code, 7);
		assert_string_equal(buf_text(&outputs[i]), i ? "0 hello|0 twin's|" : "0 hello|0 mine|");
		instance_unref(instances[i]);
		buf_fini(&outputs[i]);
	}
	assert_int_equal(budget_used(hyper_budget(hyper), BUDGET_FILES), 0);
	image_unref(image);
	hyper_destroy(hyper);
	buf_fini(&nothing);
	buf_fini(&program);
}

/* Three at once on as many workers; one is killed, two are looked at, held, paused and written out, and come to what one comes to alone. */
static void side_by_side(Rig *rig, const Buf *program, const Buf *alone)
{
	const MachineConfig config = computer_config(rig);
	const HyperConfig hyper_config = {.workers = 3};
	const u64 long_time = 60000000000ull;
	Buf nothing, outputs[3], bytes;
	Instance *instances[3];
	InstanceInfo info;
	Machine *machine;
	Image *image;
	Hyper *hyper;

	buf_init(&nothing);
	buf_init(&bytes);
	machine = computer(rig, &nothing);
	load(machine, rig, program);
	assert_int_equal(image_create(&config, machine, &image), STATUS_OK);
	machine_destroy(machine);
	assert_int_equal(hyper_create(&hyper_config, &hyper), STATUS_OK);
	for (u32 i = 0; i < 3; i++) {
		instances[i] = make(hyper, image, &outputs[i]);
		instance_input_end(instances[i]);
		assert_int_equal(instance_start(instances[i]), STATUS_OK);
	}
	for (u32 k = 0; k < 20; k++) {
		Instance *instance = instances[k % 2];

		if (instance_hold(instance))
			assert_true(machine_icount(instance_hold(instance)) <= ~(u64)0 >> 1);
		instance_release(instance);
		instance_release(instance);
		instance_pause(instance);
		instance_info(instance, &info);
		instance_mail(instance, 0, (const u8 *)"hello", 5);
		instance_revoke(instance, MAY_NET);
		buf_clear(&bytes);
		if (k % 10 == 0)
			assert_int_equal(instance_snapshot(instance, &bytes), STATUS_OK);
		instance_resume(instance);
		if (k == 10)
			instance_kill(instances[2]);
	}
	for (u32 i = 0; i < 3; i++) {
		assert_true(instance_wait(instances[i], long_time));
		instance_info(instances[i], &info);
		if (i < 2) {
			assert_int_equal(info.end, END_HALTED);
			assert_int_equal(info.code, 7);
		}
		instance_unref(instances[i]); /* nothing comes from it any more */
		if (i < 2 && (outputs[i].len != alone->len || memcmp(outputs[i].data, alone->data, alone->len) != 0))
			fail_msg("it said %s", buf_text(&outputs[i]));
		buf_fini(&outputs[i]);
	}
	image_unref(image);
	hyper_destroy(hyper);
	buf_fini(&nothing);
	buf_fini(&bytes);
}

static void test_workers(void **state)
{
	Rig *rig = *state;
	const Rig before = *rig;
	Buf program, alone;
	Machine *machine;

	buf_init(&program);
	buf_init(&alone);
	make_program(rig, &program);
	machine = computer(rig, &alone);
	load(machine, rig, &program);
	assert_int_equal(run_to(machine, ~(u64)0).kind, STOP_HALT);
	machine_destroy(machine);
	side_by_side(rig, &program, &alone);
	if (jit_is_possible()) {
		rig->engine = &jit_engine;
		side_by_side(rig, &program, &alone);
	}
	*rig = before;
	buf_fini(&program);
	buf_fini(&alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instances),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_workers),
	};

	return cmocka_run_group_tests_name("hyper_linux", tests, setup, teardown);
}
