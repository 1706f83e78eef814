/* SPDX-License-Identifier: MIT
 * The lab's engines give what the interpreter gives: random programs on machines of all shapes, run in slices of random
 * length; after each slice the whole states (as snapshots) are equal, and so are the reasons to stop.
 */
#include "engines.h"

#include <sys/resource.h>

#include "lab/lab_engine.h"

enum { ENGINES = LAB_TECHNIQUES + 1 };

/* No machine of the lab has atomic accesses: the lines with them become comments. */
static void leave_out_atomics(char *text)
{
	for (char *line = text, *end; line; line = end ? end + 1 : NULL) {
		char *found = strstr(line, "atomic.");

		end = strchr(line, '\n');
		if (found && (!end || found < end))
			memcpy(line, "# ", 2);
	}
}

static void random_programs(void **state)
{
	const EngineOps *engines[ENGINES] = {&interp_engine};

	(void)state;
	for (unsigned i = 1; i < ENGINES; i++)
		engines[i] = &lab_engines[i - 1];
	for (u64 seed = 1; seed <= 4; seed++) {
		try_engines(engines, ENGINES, "toy", toy_isa, seed);
		for (u32 i = 0; i < sizeof machine_paths / sizeof *machine_paths; i++) {
			char *text = read_text(machine_paths[i]);

			leave_out_atomics(text);
			try_engines(engines, ENGINES, machine_paths[i], text, seed);
			free(text);
		}
	}
}

/* 1 + 2 + .. + 10 on the toy: 2 instructions before, 3 a turn, 1 after. */
static void counts_are_exact(void **state)
{
	static const u16 program[] = {0x000A /* LI R0, 10 */, 0x0200 /* LI R1, 0 */, 0x1240 /* ADD R1, R1, R0 */,
				      0x203F /* ADDI R0, R0, -1 */, 0x51FD /* BNZ R0, -3 */, 0xA000 /* STOP 0 */};
	LabCounts counts;
	MachineStop stop;
	Machine *machine;
	Isa *isa;

	(void)state;
	isa = load("toy", toy_isa);
	machine = create(isa, &lab_engines[LAB_COUNTING]);
	for (u32 i = 0; i < sizeof program / sizeof *program; i++)
		machine_write(machine, 0, 0x100 + i, program[i]);
	machine_write(machine, 0, 0x104, 0x5000 | 0x1FD);
	stop = machine_run(machine, 1000);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(machine_slot(machine, isa->regs[0].slot + 1), 55);
	lab_counts(machine_engine(machine), &counts);
	assert_int_equal(counts.insns, 2 + 3 * 10 + 1);
	assert_int_equal(counts.fetched, counts.insns);
	assert_int_equal(counts.jumps, 9);
	assert_int_equal(counts.reads[0] + counts.writes[0], 0);
	assert_true(counts.ops > 2 * counts.insns);
	machine_destroy(machine);
	isa_destroy(isa);
}

/* What makes a word illegal may be its second cell: a store there must be seen. */
static void an_illegal_word_becomes_legal(void **state)
{
	static const char text[] = "isa T \"t\"\nspace M : 8 x 256\ncode M\nreg pc : 8\n"
				   "insn A \"00000001 00000001\" { stop 3 }\ninsn B \"00000010\" { }\n";
	Isa *isa;

	(void)state;
	isa = load("t", text);
	for (unsigned i = 0; i < ENGINES; i++) {
		Machine *machine = create(isa, i ? &lab_engines[i - 1] : NULL);

		machine_write(machine, 0, 0, 1);
		assert_int_equal(machine_run(machine, 5).kind, STOP_ILLEGAL);
		machine_write(machine, 0, 1, 1);
		assert_int_equal(machine_run(machine, 5).kind, STOP_HALT);
		assert_int_equal(machine_icount(machine), 1);
		machine_destroy(machine);
	}
	isa_destroy(isa);
}

/* Code at the end of all addresses cannot be fetched: a fault of the guest, nothing else. */
static void the_last_address_faults(void **state)
{
	char *text = read_text("tests/isa/rv64gc.isa");
	Isa *isa;

	(void)state;
	isa = load("t", text);
	for (unsigned i = 0; i < ENGINES; i++) {
		Machine *machine = create(isa, i ? &lab_engines[i - 1] : NULL);

		machine_set_pc(machine, ~(u64)0);
		assert_int_equal(machine_run(machine, 5).kind, STOP_FAULT);
		machine_destroy(machine);
	}
	isa_destroy(isa);
	free(text);
}

/* The interpreter knows what it has just stored and does not load it; when somebody watches reads, it must. */
static void a_watch_sees_loads_of_known_cells(void **state)
{
	static const u16 program[] = {0xE041 /* STD R0, R1 */, 0xE440 /* LDD R2, R1 */, 0xA000 /* STOP 0 */};
	Machine *machine;
	MachineStop stop;
	Isa *isa;

	(void)state;
	isa = load("toy", toy_isa);
	machine = create(isa, NULL);
	for (u32 i = 0; i < 3; i++)
		machine_write(machine, 0, 0x100 + i, program[i]);
	for (u32 round = 0; round < 3; round++) {
		machine_set_pc(machine, 0x100);
		machine_set_slot(machine, isa->regs[0].slot, 0x55 + round);
		machine_set_slot(machine, isa->regs[0].slot + 1, 20);
		stop = machine_run(machine, 1000);
		if (round < 2) {
			assert_int_equal(stop.kind, STOP_HALT);
			assert_int_equal(machine_slot(machine, isa->regs[0].slot + 2), 0x55 + round);
		} else {
			assert_int_equal(stop.kind, STOP_WATCH);
			assert_int_equal(stop.address, 20);
			assert_false(stop.write);
		}
		if (round == 1)
			assert_int_equal(machine_watch_set(machine, 1, 20, 1, true, false, true), STATUS_OK);
	}
	machine_destroy(machine);
	isa_destroy(isa);
}

/* Two stores and a load, of all widths and at all places that may overlap, also around the end of the space. */
static void overlaps_are_seen(void **state)
{
	static const char text[] =
		"isa T \"t\"\nspace M : 16 x 0x4000\nspace S : 8 x 8\ncode M\nreg pc : 14\nreg a : 32, b : 8 = 6\n"
		"field v : unsigned\nfield u : unsigned\n"
		"insn ST8 \"0001 0000 uuuu vvvv\" u, v { S[b + zx(u)] = zx(v) + 1 }\n"
		"insn ST16 \"0010 0000 uuuu vvvv\" u, v { S:16[b + zx(u)] = zx(v) * 0x1234 + 5 }\n"
		"insn ST24 \"0011 0000 uuuu vvvv\" u, v { S:24[b + zx(u)] = zx(v) * 0x654321 + 7 }\n"
		"insn LD8 \"0101 0000 uuuu 0000\" u { a = a * 3 + zx(S[b + zx(u)]) }\n"
		"insn LD16 \"0110 0000 uuuu 0000\" u { a = a * 3 + zx(S:16[b + zx(u)]) }\n"
		"insn LD24 \"0111 0000 uuuu 0000\" u { a = a * 3 + zx(S:24[b + zx(u)]) }\n"
		"insn HLT \"1111 0000 0000 vvvv\" v { stop 3 }\n";
	u64 sums[2];
	Isa *isa;

	(void)state;
	isa = load("t", text);
	for (unsigned i = 0; i < 2; i++) {
		Machine *machine = create(isa, i ? &lab_engines[0] : NULL);
		u64 at = 0;

		for (u64 k = 0; k < 27 * 64; k++) { /* widths w of three, places p of four */
			const u64 w[] = {k % 3, k / 3 % 3, k / 9 % 3}, p[] = {k / 27 % 4, k / 108 % 4, k / 432};

			machine_write(machine, 0, at++, (w[0] + 1) << 12 | p[0] << 4 | (k & 15));
			machine_write(machine, 0, at++, (w[1] + 1) << 12 | p[1] << 4 | (~k & 15));
			machine_write(machine, 0, at++, (w[2] + 5) << 12 | p[2] << 4);
			machine_write(machine, 0, at++, (w[0] + 5) << 12 | p[0] << 4);
		}
		machine_write(machine, 0, at, 0xF000);
		assert_int_equal(machine_run(machine, 100000).kind, STOP_HALT);
		sums[i] = machine_slot(machine, isa->regs[1].slot);
		machine_destroy(machine);
	}
	assert_int_equal(sums[0], sums[1]);
	isa_destroy(isa);
}

/* A range check before an access is done by the access; not when the number is wanted elsewhere, too. */
static void a_checked_number_is_used_again(void **state)
{
	static const char text[] = "isa T \"t\"\nspace M : 16 x 0x10000\ncode M\nreg pc : 16\nreg a : 16\nfield v : unsigned\n"
				   "func at(p:16) : 16 { if (p <u 0x100 || p >=u 0xF000) raise p; return p }\n"
				   "insn ST \"00000001 vvvvvvvv\" v { let p = at(a + zx(v)); M[p] = p }\n"
				   "insn LD \"00000010 vvvvvvvv\" v { a = M[at(a + zx(v))] }\n"
				   "insn HLT \"00000011 vvvvvvvv\" v { stop 3 }\n";
	Isa *isa;

	(void)state;
	isa = load("t", text);
	for (unsigned i = 0; i < ENGINES; i++) {
		Machine *machine = create(isa, i ? &lab_engines[i - 1] : NULL);
		MachineStop stop;
		u64 cell;

		machine_write(machine, 0, 0, 0x0110); /* ST 16 */
		machine_write(machine, 0, 1, 0x0201); /* LD 1 */
		machine_write(machine, 0, 2, 0x0300); /* HLT 0 */
		machine_set_slot(machine, isa->regs[1].slot, 0x100);
		machine_write(machine, 0, 0x101, 0x77);
		stop = machine_run(machine, 100);
		assert_int_equal(stop.kind, STOP_HALT);
		assert_int_equal(machine_slot(machine, isa->regs[1].slot), 0x77);
		assert_int_equal(machine_read(machine, 0, 0x110, &cell), STATUS_OK);
		assert_int_equal(cell, 0x110);
		machine_set_pc(machine, 0);
		machine_set_slot(machine, isa->regs[1].slot, 5);
		stop = machine_run(machine, 100);
		assert_int_equal(stop.kind, STOP_TRAP);
		assert_int_equal(stop.code, 0x15);
		machine_destroy(machine);
	}
	isa_destroy(isa);
}

/* Thousands of registers and hundreds of branches in one instruction: gigabytes, were all that is known at all of them
 * kept for a whole block. */
static void blocks_take_memory_within_reason(void **state)
{
	struct rusage before, after;
	Machine *machine;
	DiagList diags;
	Buf text;
	Isa *isa;

	(void)state;
	buf_init(&text);
	buf_printf(&text, "isa T \"t\"\nspace M : 8 x 256\nspace S : 8 x 256\ncode M\nreg pc : 8\nreg r[4000] : 64\n"
			  "field i : unsigned\ninsn A \"i:8\" i { let x = 0'8;\n");
	for (unsigned k = 0; k < 500; k++)
		buf_printf(&text, "if (r[%u][%u]) { x = S[%u] }\n", k, k % 64, k % 256);
	buf_printf(&text, "r[i] = zx(x) }\n");
	diag_init(&diags);
	isa = isa_load("t", buf_text(&text), text.len, NULL, 0, &diags);
	toy_check(&diags, isa);
	diag_fini(&diags);
	machine = create(isa, NULL);
	getrusage(RUSAGE_SELF, &before);
	assert_int_equal(machine_run(machine, 500).kind, STOP_BUDGET);
	getrusage(RUSAGE_SELF, &after);
	assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, 700000); /* kB; sanitizers keep what was freed */
	machine_destroy(machine);
	isa_destroy(isa);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_programs),
		cmocka_unit_test(counts_are_exact),
		cmocka_unit_test(an_illegal_word_becomes_legal),
		cmocka_unit_test(the_last_address_faults),
		cmocka_unit_test(a_watch_sees_loads_of_known_cells),
		cmocka_unit_test(overlaps_are_seen),
		cmocka_unit_test(a_checked_number_is_used_again),
		cmocka_unit_test(blocks_take_memory_within_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
