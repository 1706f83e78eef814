/* SPDX-License-Identifier: MIT
 *
 * Iridium, each opcode alone: $0 = 5, $1 = 10, in floating point as well, one instruction, then a look at what it
 * changed. And what the command line cannot show: a machine reset with its heap grown, a program loaded twice, snapshots.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "guests/iridium/iridium.h"
#include "isa/isa.h"

typedef struct Rig {
	Isa *isa;
	Machine *machine;
	Buf output;
	DiagList diags;
} Rig;

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
}

static u32 slot_of(const Rig *rig, const char *name)
{
	u32 slot = 0;
	u8 width;

	assert_true(isa_find_register(rig->isa, name, strlen(name), false, &slot, &width));
	return slot;
}

static u64 get(const Rig *rig, const char *name)
{
	return machine_slot(rig->machine, slot_of(rig, name));
}

static void set(const Rig *rig, const char *name, u64 value)
{
	machine_set_slot(rig->machine, slot_of(rig, name), value);
}

static u64 bits_of(double real)
{
	u64 bits;

	memcpy(&bits, &real, sizeof(bits));
	return bits;
}

/* A file of these strings and instructions; 5 and 10 in the first registers. */
static void load(Rig *rig, const char *strings, u32 strings_len, const u8 *code, size_t len)
{
	GuestFile file = {.name = "test.epie"};
	Buf bytes;

	buf_init(&bytes);
	epie_header(strings_len, &bytes);
	buf_add(&bytes, strings, strings_len);
	buf_add(&bytes, code, len);
	file.data = bytes.data;
	file.len = bytes.len;
	assert_int_equal(iridium_guest.load(rig->machine, &file, 1, &rig->diags), STATUS_OK);
	buf_fini(&bytes);
	set(rig, "$0", 5);
	set(rig, "$1", 10);
	set(rig, "f0", bits_of(5));
	set(rig, "f1", bits_of(10));
}

static void open_rig(Rig *rig, const char *compat)
{
	const IsaChoice choice = {"compat", compat};
	MachineConfig config = {.guest = &iridium_guest};

	diag_init(&rig->diags);
	buf_init(&rig->output);
	rig->isa = isa_load("iridium.isa", iridium_isa_text, strlen(iridium_isa_text), &choice, 1, &rig->diags);
	assert_non_null(rig->isa);
	config.isa = rig->isa;
	assert_int_equal(machine_create(&config, &rig->machine, &rig->diags), STATUS_OK);
	machine_set_output(rig->machine, on_output, &rig->output);
	assert_int_equal(rig->diags.count, 0);
}

static void close_rig(Rig *rig)
{
	machine_destroy(rig->machine);
	isa_destroy(rig->isa);
	buf_fini(&rig->output);
	diag_fini(&rig->diags);
}

/* ---- Each opcode ---- */

typedef struct Case {
	u8 code[4];
	const char *name; /* the register that changes; NULL: none but pc */
	u64 value;
	double real;      /* for f2 */
	u32 pc;           /* afterwards, counted from 68; 0 = 4 */
	bool equal;       /* before */
} Case;

enum { OTHER_PC = 68 };

static const Case cases[] = {
	{{0x00, 2, 0x01, 0xF4}, "$2", 500, 0, 0, false},
	{{0x00, 2, 0xFF, 0xFF}, "$2", 65535, 0, 0, false},
	{{0x01, 0, 1, 2}, "$2", 15, 0, 0, false},
	{{0x02, 1, 0, 2}, "$2", 5, 0, 0, false},
	{{0x02, 0, 1, 2}, "$2", 0xFFFFFFFB, 0, 0, false},
	{{0x03, 0, 1, 2}, "$2", 50, 0, 0, false},
	{{0x04, 1, 0, 2}, "$2", 2, 0, 0, false},
	{{0x04, 0, 1, 2}, "remainder", 5, 0, 0, false},
	{{0x06, 0, 0, 0}, NULL, 0, 0, (u32)(5 - OTHER_PC), false},
	{{0x07, 0, 0, 0}, NULL, 0, 0, 7, false},
	{{0x08, 0, 0, 0}, NULL, 0, 0, (u32)-3, false},
	{{0x09, 0, 1, 0}, "equal", 0, 0, 0, true},
	{{0x09, 0, 0, 0}, "equal", 1, 0, 0, false},
	{{0x0A, 0, 1, 0}, "equal", 1, 0, 0, false},
	{{0x0A, 0, 0, 0}, "equal", 0, 0, 0, true},
	{{0x0B, 0, 0, 0}, "equal", 1, 0, 0, false},
	{{0x0B, 0, 1, 0}, "equal", 0, 0, 0, true},
	{{0x0C, 0, 1, 0}, "equal", 1, 0, 0, false},
	{{0x0C, 1, 0, 0}, "equal", 0, 0, 0, true},
	{{0x0D, 0, 1, 0}, "equal", 1, 0, 0, false},
	{{0x0D, 0, 0, 0}, "equal", 0, 0, 0, true},
	{{0x0E, 1, 0, 0}, "equal", 1, 0, 0, false},
	{{0x0E, 0, 1, 0}, "equal", 0, 0, 0, true},
	{{0x0F, 1, 0, 0}, NULL, 0, 0, (u32)(10 - OTHER_PC), true},
	{{0x0F, 1, 0, 0}, NULL, 0, 0, 0, false},
	{{0x10, 9, 9, 9}, NULL, 0, 0, 0, false},
	{{0x12, 0, 0, 0}, "$0", 6, 0, 0, false},
	{{0x13, 0, 0, 0}, "$0", 4, 0, 0, false},
	{{0x14, 0x01, 0x02, 0}, NULL, 0, 0, 0x102 - OTHER_PC, true},
	{{0x14, 0x01, 0x02, 0}, NULL, 0, 0, 0, false},
	{{0x16, 2, 0x01, 0x00}, "f2", 0, 256, 0, false},
	{{0x17, 0, 1, 2}, "f2", 0, 15, 0, false},
	{{0x18, 1, 0, 2}, "f2", 0, 5, 0, false},
	{{0x19, 0, 1, 2}, "f2", 0, 50, 0, false},
	{{0x1A, 1, 0, 2}, "f2", 0, 2, 0, false},
	{{0x1B, 0, 0, 0}, "equal", 1, 0, 0, false},
	{{0x1B, 0, 1, 0}, "equal", 0, 0, 0, true},
	{{0x1C, 0, 1, 0}, "equal", 1, 0, 0, false},
	{{0x1C, 0, 0, 0}, "equal", 0, 0, 0, true},
	{{0x1D, 1, 0, 0}, "equal", 1, 0, 0, false},
	{{0x1D, 0, 0, 0}, "equal", 0, 0, 0, true},
	{{0x1E, 0, 0, 0}, "equal", 1, 0, 0, false},
	{{0x1E, 0, 1, 0}, "equal", 0, 0, 0, true},
	{{0x1F, 0, 1, 0}, "equal", 1, 0, 0, false},
	{{0x1F, 0, 0, 0}, "equal", 0, 0, 0, true},
	{{0x20, 0, 0, 0}, "equal", 1, 0, 0, false},
	{{0x20, 1, 0, 0}, "equal", 0, 0, 0, true},
	{{0x21, 0, 0, 0}, "$0", 327680, 0, 0, false},
	{{0x21, 0, 5, 0}, "$0", 160, 0, 0, false},
	{{0x21, 0, 33, 0}, "$0", 10, 0, 0, false},
	{{0x21, 0, 32, 0}, "$0", 5, 0, 0, false},
	{{0x22, 1, 1, 0}, "$1", 5, 0, 0, false},
	{{0x22, 1, 0, 0}, "$1", 0, 0, 0, false},
	{{0x23, 0, 1, 2}, "$2", 0, 0, 0, false},
	{{0x24, 0, 1, 2}, "$2", 15, 0, 0, false},
	{{0x25, 0, 0, 2}, "$2", 0, 0, 0, false},
	{{0x26, 0, 2, 0}, "$2", 0xFFFFFFFA, 0, 0, false},
	{{0x27, 0, 0x12, 0x34}, "$0", 0x51234, 0, 0, false},
	{{0x28, 0, 10, 0}, "loops", 10, 0, 0, false},
	{{0x29, 0, 10, 0}, NULL, 0, 0, 0, false},
	{{0x2A, 0, 2, 0}, "$2", 0, 0, 0, false},
	{{0x2C, 1, 0, 0}, "sp", 1, 0, 0, false},
	{{0x2E, 0x00, 0x60, 0}, "top", 2, 0, 0x60 - OTHER_PC, false},
};

static void test_opcodes(void **state)
{
	Rig rig;

	(void)state;
	open_rig(&rig, "designed");
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const Case *c = &cases[i];
		const u64 value = c->name && !strcmp(c->name, "f2") ? bits_of(c->real) : c->value;
		MachineStop stop;

		load(&rig, "", 0, c->code, 4);
		set(&rig, "equal", c->equal);
		stop = machine_run(rig.machine, 1);
		if (stop.kind != STOP_BUDGET || (c->name && get(&rig, c->name) != value) ||
		    machine_pc(rig.machine) != (u32)(68 + (c->pc ? c->pc : 4)))
			fail_msg("case %zu, opcode 0x%02X: %s = 0x%llx, pc = %llu (%s)", i, c->code[0],
				 c->name ? c->name : "-", (unsigned long long)(c->name ? get(&rig, c->name) : 0),
				 (unsigned long long)machine_pc(rig.machine), stop.text ? stop.text : "");
		machine_reset(rig.machine, true);
	}
	close_rig(&rig);
}

static MachineStop run_code(Rig *rig, const char *strings, u32 len, const u8 *code, size_t code_len)
{
	load(rig, strings, len, code, code_len);
	return machine_run(rig->machine, 1000);
}

#define RUN(rig, ...) run_code(rig, "", 0, (const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))

static void test_ends(void **state)
{
	Rig rig;
	MachineStop stop;

	(void)state;
	open_rig(&rig, "designed");
	stop = RUN(&rig, 5, 0, 0, 0);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 0);
	for (int op = 0x30; op < 0x100; op++) { /* none of these is an instruction, as built as designed */
		stop = RUN(&rig, (u8)op, 0, 0, 0);
		assert_int_equal(stop.kind, STOP_HALT);
		assert_int_equal(stop.code, 1);
		assert_int_equal(get(&rig, "$1"), 10);
	}
	stop = RUN(&rig, 0x01, 0, 32, 1);
	assert_int_equal(stop.kind, STOP_TRAP);
	assert_string_equal(stop.reason, "register 32 of ADD: there are $0 to $31");
	stop = RUN(&rig, 0x04, 0, 2, 1);
	assert_int_equal(stop.kind, STOP_TRAP);
	assert_string_equal(stop.reason, "division by zero");
	close_rig(&rig);
}

static void test_stack_and_memory(void **state)
{
	Rig rig;
	MachineStop stop;
	u64 cell = 0;

	(void)state;
	open_rig(&rig, "designed");
	stop = RUN(&rig, 0x2C, 1, 0, 0, 0x2D, 2, 0, 0, 5, 0, 0, 0);
	assert_int_equal(stop.code, 0);
	assert_int_equal(get(&rig, "$2"), 10);
	assert_int_equal(get(&rig, "sp"), 0);
	/* call 80; hlt; nop; ret at 80 */
	stop = RUN(&rig, 0x2E, 0, 80, 0, 5, 0, 0, 0, 0x10, 0, 0, 0, 0x2F, 0, 0, 0);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 0);
	assert_int_equal(machine_pc(rig.machine), 76);
	assert_int_equal(get(&rig, "top"), 0);
	/* setm $0 $1: ten at byte 5; loadm $0 $2 */
	stop = RUN(&rig, 0x2B, 0, 1, 0, 0x2A, 0, 2, 0, 5, 0, 0, 0);
	assert_int_equal(get(&rig, "$2"), 10);
	assert_int_equal(machine_read(rig.machine, isa_find_space(rig.isa, "heap", 4), 5, &cell), STATUS_OK);
	assert_int_equal(cell, 10);
	close_rig(&rig);
}

/* 1024 bytes more; a reset takes them away again. */
static void test_heap(void **state)
{
	const u8 code[] = {0x00, 0, 0x04, 0x00, 0x11, 0, 0, 0, 5, 0, 0, 0};
	MachineStop stop;
	u16 heap;
	Rig rig;
	Buf snapshot;

	(void)state;
	open_rig(&rig, "designed");
	heap = isa_find_space(rig.isa, "heap", 4);
	assert_int_equal(machine_cells(rig.machine, heap), 64);
	stop = run_code(&rig, "", 0, code, sizeof(code));
	assert_int_equal(stop.code, 0);
	assert_int_equal(machine_cells(rig.machine, heap), 1088);
	buf_init(&snapshot);
	assert_int_equal(machine_snapshot(rig.machine, &snapshot), STATUS_OK);
	machine_reset(rig.machine, true);
	assert_int_equal(machine_cells(rig.machine, heap), 64);
	assert_int_equal(machine_pc(rig.machine), 68);
	assert_int_equal(machine_restore(rig.machine, snapshot.data, snapshot.len), STATUS_OK);
	assert_int_equal(machine_cells(rig.machine, heap), 1088);
	assert_int_equal(machine_pc(rig.machine), 80);
	machine_reset(rig.machine, true);
	stop = machine_run(rig.machine, 1000);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 0);
	buf_fini(&snapshot);
	close_rig(&rig);
}

static void test_strings(void **state)
{
	const u8 code[] = {0x15, 0, 3, 0, 0x15, 0, 0, 0, 5, 0, 0, 0};
	MachineStop stop;
	Rig rig;

	(void)state;
	open_rig(&rig, "designed");
	stop = run_code(&rig, "ab\0cd\0", 6, code, sizeof(code));
	assert_int_equal(stop.code, 0);
	assert_int_equal(rig.output.len, 4);
	assert_memory_equal(rig.output.data, "cdab", 4);
	close_rig(&rig);
}

/* As built: how many bytes each instruction takes. */
static void test_eaten(void **state)
{
	static const struct { u8 op, eats; } table[] = {
		{0x00, 3}, {0x01, 3}, {0x04, 3}, {0x09, 3}, {0x0F, 0}, {0x10, 3}, {0x11, 1}, {0x12, 3}, {0x14, 3},
		{0x16, 3}, {0x17, 3}, {0x1B, 3}, {0x21, 3}, {0x23, 3}, {0x26, 3}, {0x27, 3}, {0x28, 3}, {0x29, 3},
		{0x2A, 2}, {0x2B, 2}, {0x2C, 1},
	};
	Rig rig;

	(void)state;
	open_rig(&rig, "built");
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const u8 code[] = {table[i].op, 1, 1, 1, 5, 5, 5, 5};

		load(&rig, "", 0, code, sizeof(code));
		assert_int_equal(machine_run(rig.machine, 1).kind, STOP_BUDGET);
		if (machine_pc(rig.machine) != 69u + table[i].eats)
			fail_msg("opcode 0x%02X leaves pc at %llu", table[i].op,
				 (unsigned long long)machine_pc(rig.machine));
	}
	close_rig(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opcodes), cmocka_unit_test(test_ends),    cmocka_unit_test(test_stack_and_memory),
		cmocka_unit_test(test_heap),    cmocka_unit_test(test_strings), cmocka_unit_test(test_eaten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
