/* SPDX-License-Identifier: MIT
 *
 * Snapshots of Linux programs. Each of the programs in tests/linux, which know best what there is in a kernel, is run
 * through; and then again by stages, each in a new machine that the one before was saved to: at every stage
 *
 *     saved, loaded and saved once more it is the same bytes
 *     the machine that was never interrupted, saved there, is the same bytes
 *
 * and at the end output, exit code and count of instructions are the same. Then bytes that are not a snapshot any more:
 * whatever is changed, a machine takes it or refuses it.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/hash.h"
#include "base/rng.h"
#include "guests/guests.h"
#include "isa/isa.h"
#include "interp/interp.h"
#include "jit/jit.h"
#include "linux/linux.h"
#include "machine/machine.h"
#include "unit/tools.h"

enum { MEMORY = 64 << 20, VCPUS = 300, STEP_MOST = 40000000 };

typedef struct Rig {
	Isa *isa;
	const Guest *guest;
	char folder[64];
	const EngineOps *engine;
} Rig;

typedef struct Computer {
	Machine *machine;
	Buf *output;
} Computer;

static void collect(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
}

static int setup(void **state)
{
	Rig *rig = calloc(1, sizeof(*rig));
	DiagList diags;

	need_tool("riscv64-linux-gnu-gcc");
	diag_init(&diags);
	rig->guest = guests_find("rv64");
	assert_non_null(rig->guest);
	rig->isa = isa_load("rv64.isa", rig->guest->isa_text, strlen(rig->guest->isa_text), NULL, 0, &diags);
	assert_non_null(rig->isa);
	diag_fini(&diags);
	strcpy(rig->folder, "/tmp/husk-save-XXXXXX");
	assert_non_null(mkdtemp(rig->folder));
	rig->engine = &interp_engine;
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	Rig *rig = *state;
	char command[100];

	snprintf(command, sizeof command, "rm -rf %s", rig->folder);
	assert_int_equal(system(command), 0);
	isa_destroy(rig->isa);
	free(rig);
	return 0;
}

/* ---- Computers ---- */

static Machine *computer(const Rig *rig, Buf *output)
{
	const MachineConfig config = {.isa = rig->isa, .guest = rig->guest, .memory_limit = MEMORY, .random_seed = 1,
				      .virtual_time = true, .vcpu_limit = VCPUS, .quantum = 1000, .engine = rig->engine};
	const LinuxMount mount = {.host = rig->folder, .guest = "/given"};
	const char *argument = "program", *environment = "HOME=/tmp";
	const LinuxConfig linux_config = {.program = "/program", .arguments = &argument, .argument_count = 1,
					  .environment = &environment, .environment_count = 1, .directory = "/tmp",
					  .mounts = &mount, .mount_count = 1, .real_time = 1700000000000000000};
	Machine *machine;
	DiagList diags;

	diag_init(&diags);
	assert_int_equal(machine_create(&config, &machine, &diags), STATUS_OK);
	machine_set_output(machine, collect, output);
	machine_set_errors(machine, collect, output);
	assert_int_equal(linux_configure(machine, &linux_config, &diags), STATUS_OK);
	diag_fini(&diags);
	return machine;
}

static void compile(const Rig *rig, const char *source, const char *options, Buf *program)
{
	char command[500];
	FILE *file;
	int byte;

	snprintf(command, sizeof command, "riscv64-linux-gnu-gcc -O1 -w -static -pthread -Itests/linux %s -o %s/program %s", options,
		 rig->folder, source);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof command, "%s/program", rig->folder);
	file = fopen(command, "rb");
	assert_non_null(file);
	while ((byte = fgetc(file)) != EOF)
		buf_byte(program, (u8)byte);
	fclose(file);
	unlink(command);
}

static void load(Machine *machine, const Rig *rig, const Buf *program)
{
	const GuestFile file = {.name = "program", .data = program->data, .len = program->len};
	DiagList diags;

	diag_init(&diags);
	assert_int_equal(rig->guest->load(machine, &file, 1, &diags), STATUS_OK);
	diag_fini(&diags);
	machine_input_end(machine);
}

/* Until the instruction counts so much, or the end. */
static MachineStop run_to(Machine *machine, u64 icount)
{
	MachineStop stop = {.kind = STOP_BUDGET};

	while (machine_icount(machine) < icount && stop.kind == STOP_BUDGET)
		stop = machine_run(machine, icount - machine_icount(machine));
	return stop;
}

static void snapshot(Machine *machine, Buf *out)
{
	Status status;

	buf_clear(out);
	status = machine_snapshot(machine, out);
	if (status)
		fail_msg("at %llu: no snapshot: %s: %s", (unsigned long long)machine_icount(machine), status_text(status),
			 machine_why(machine));
}

static void assert_same(const Buf *a, const Buf *b, const char *what, u64 icount)
{
	size_t at = 0;

	while (at < a->len && at < b->len && a->data[at] == b->data[at])
		at++;
	if (at < a->len || at < b->len)
		fail_msg("%s at %llu: snapshots of %zu and %zu bytes differ at %zu", what, (unsigned long long)icount, a->len, b->len,
			 at);
}

static void restore(Machine *machine, const Buf *bytes)
{
	Status status = machine_restore(machine, bytes->data, bytes->len);

	if (status)
		fail_msg("it is refused: %s: %s", status_text(status), machine_why(machine));
}

/* ---- By stages ---- */

static void by_stages(const Rig *rig, const Buf *program, const char *name, u64 step, u64 most)
{
	Buf whole, parts, here, there, again;
	Machine *through, *stage, *next;
	MachineStop stop = {.kind = STOP_BUDGET}, other;

	buf_init(&whole);
	buf_init(&parts);
	buf_init(&here);
	buf_init(&there);
	buf_init(&again);
	through = computer(rig, &whole);
	stage = computer(rig, &parts);
	load(through, rig, program);
	load(stage, rig, program);
	for (u64 at = step; stop.kind == STOP_BUDGET && at < most; at += step) {
		stop = run_to(through, at);
		other = run_to(stage, at);
		assert_int_equal(other.kind, stop.kind);
		assert_int_equal(other.code, stop.code);
		assert_int_equal(machine_icount(stage), machine_icount(through));
		if (stop.kind != STOP_BUDGET)
			break;
		snapshot(through, &there);
		snapshot(stage, &here);
		assert_same(&there, &here, name, at);
		next = computer(rig, &parts);
		restore(next, &here);
		snapshot(next, &again);
		assert_same(&here, &again, "loaded", at);
		machine_destroy(stage);
		stage = next;
	}
	if (stop.kind != STOP_HALT)
		fail_msg("%s did not end: %d at %llu: %s", name, (int)stop.kind, (unsigned long long)machine_icount(through),
			 stop.text ? stop.text : "");
	assert_int_equal(parts.len, whole.len);
	assert_memory_equal(parts.data, whole.data, whole.len);
	machine_destroy(through);
	machine_destroy(stage);
	buf_fini(&whole);
	buf_fini(&parts);
	buf_fini(&here);
	buf_fini(&there);
	buf_fini(&again);
}

static void test_programs(void **state)
{
	/* About how many stages each has says the step. */
	static const struct {
		const char *name;
		u64 step;
	} programs[] = {
		{"pipes", 100000}, {"threads", 30000}, {"processes", 1000}, {"signals", 1500}, {"polling", 1000},
		{"sockets", 500}, {"terminals", 300}, {"descriptors", 500}, {"exec", 20000}, {"memory_maps", 1500},
		{"stops", 1000},
	};
	Rig *rig = *state;
	const char *only = getenv("ONLY"), *step = getenv("STEP");

	for (u32 i = 0; i < COUNT_OF(programs); i++) {
		char source[100];
		Buf program;

		if (only && strcmp(only, programs[i].name))
			continue;
		buf_init(&program);
		snprintf(source, sizeof source, "tests/linux/%s.c", programs[i].name);
		compile(rig, source, "", &program);
		by_stages(rig, &program, programs[i].name, step ? strtoull(step, NULL, 0) : programs[i].step, STEP_MOST);
		buf_fini(&program);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs),
	};

	return cmocka_run_group_tests_name("linux_save", tests, setup, teardown);
}
