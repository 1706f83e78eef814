/* SPDX-License-Identifier: MIT
 *
 * Linux programs in machines, for tests: compiled with riscv64-linux-gnu-gcc, loaded, run to a count of instructions, saved
 * and loaded. A folder of the host is there as /given.
 */
#ifndef TESTS_UNIT_LINUX_RUN_H
#define TESTS_UNIT_LINUX_RUN_H

#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "guests/guests.h"
#include "interp/interp.h"
#include "isa/isa.h"
#include "linux/linux.h"
#include "machine/machine.h"
#include "unit/tools.h"

enum { MEMORY = 64 << 20, VCPUS = 300 };

typedef struct Rig {
	Isa *isa;
	const Guest *guest;
	char folder[64];
	const EngineOps *engine;
	bool on_host; /* the program is a file of the host, not in the snapshot */
	const char *root; /* a folder of the host that is its / ; its libraries are there. NULL: none, and programs are static */
} Rig;

static inline void collect(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
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

static inline MachineConfig computer_config(const Rig *rig)
{
	return (MachineConfig){.isa = rig->isa, .guest = rig->guest, .memory_limit = MEMORY, .random_seed = 1,
			       .virtual_time = true, .vcpu_limit = VCPUS, .quantum = 1000, .engine = rig->engine};
}

static inline Machine *computer(const Rig *rig, Buf *output)
{
	const MachineConfig config = computer_config(rig);
	const LinuxMount mount = {.host = rig->folder, .guest = "/given"};
	const char *argument = "program", *environment = "HOME=/tmp";
	const LinuxConfig linux_config = {.program = rig->on_host ? "/given/program" : "/program", .arguments = &argument, .argument_count = 1,
					  .environment = &environment, .environment_count = 1, .directory = "/tmp", .root = rig->root,
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

static inline void compile(const Rig *rig, const char *source, const char *options, Buf *program)
{
	char command[500];
	FILE *file;
	int byte;

	snprintf(command, sizeof command, "riscv64-linux-gnu-gcc -O1 -w %s -pthread -Itests/linux %s -o %s/program %s", rig->root ? "" : "-static",
		 options, rig->folder, source);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof command, "%s/program", rig->folder);
	file = fopen(command, "rb");
	assert_non_null(file);
	while ((byte = fgetc(file)) != EOF)
		buf_byte(program, (u8)byte);
	fclose(file);
	if (!rig->on_host)
		unlink(command);
}

static inline void load(Machine *machine, const Rig *rig, const Buf *program)
{
	const GuestFile file = {.name = "program", .data = program->data, .len = program->len};
	DiagList diags;

	diag_init(&diags);
	assert_int_equal(rig->guest->load(machine, &file, 1, &diags), STATUS_OK);
	diag_fini(&diags);
	machine_input_end(machine);
}

/* Until the instruction counts so much, or the end. */
static inline MachineStop run_to(Machine *machine, u64 icount)
{
	MachineStop stop = {.kind = STOP_BUDGET};

	while (machine_icount(machine) < icount && stop.kind == STOP_BUDGET)
		stop = machine_run(machine, icount - machine_icount(machine));
	return stop;
}

static inline void snapshot(Machine *machine, Buf *out)
{
	Status status;

	buf_clear(out);
	status = machine_snapshot(machine, out);
	if (status)
		fail_msg("at %llu: no snapshot: %s: %s", (unsigned long long)machine_icount(machine), status_text(status),
			 machine_why(machine));
}

static inline void assert_same(const Buf *a, const Buf *b, const char *what, u64 icount)
{
	size_t at = 0;

	while (at < a->len && at < b->len && a->data[at] == b->data[at])
		at++;
	if (at < a->len || at < b->len)
		fail_msg("%s at %llu: snapshots of %zu and %zu bytes differ at %zu", what, (unsigned long long)icount, a->len, b->len,
			 at);
}

static inline void restore(Machine *machine, const Buf *bytes)
{
	Status status = machine_restore(machine, bytes->data, bytes->len);

	if (status)
		fail_msg("it is refused: %s: %s", status_text(status), machine_why(machine));
}

#endif
