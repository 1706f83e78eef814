/* SPDX-License-Identifier: MIT
 * machine: what stops it and how, devices, events, interrupts, timers, exceptions, host functions, input; and that
 * no way of cutting a run into pieces shows in what the guest does.
 */
#include "toy.h"

static MachineStop run(Toy *toy)
{
	return machine_run(toy->machine, 1000000000);
}

/* ---- Stops ---- */

static void test_budget(void **state)
{
	Toy toy;
	MachineStop stop;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nloop: ADDI R1, R1, 1\nLI R2, 1\nBNZ R2, loop\n");
	stop = machine_run(toy.machine, 0);
	assert_int_equal(stop.kind, STOP_BUDGET);
	assert_int_equal(machine_icount(toy.machine), 0);
	for (u64 n = 1; n < 200; n += 7) {
		u64 before = machine_icount(toy.machine);

		stop = machine_run(toy.machine, n);
		assert_int_equal(stop.kind, STOP_BUDGET);
		assert_int_equal(machine_icount(toy.machine), before + n);
		assert_int_equal(stop.pc, 0x100 + (before + n) % 3);
	}
	toy_close(&toy);
}

static void test_halt(void **state)
{
	Toy toy;
	MachineStop stop;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nLI R1, -1\nSTOP 7\n");
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 7);
	assert_int_equal(stop.pc, 0x102);
	assert_int_equal(machine_icount(toy.machine), 2);
	assert_int_equal(toy_reg(toy.machine, "R1"), 0xFFFF);
	toy_close(&toy);
}

static void test_illegal(void **state)
{
	Toy toy;
	MachineStop stop;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nLI R1, 3\n.WORD 0x7FFF\n");
	for (int again = 0; again < 2; again++) {
		stop = run(&toy);
		assert_int_equal(stop.kind, STOP_ILLEGAL);
		assert_int_equal(stop.pc, 0x101);
		assert_int_equal(machine_icount(toy.machine), 1);
	}
	toy_close(&toy);
}

/* `on raise`: counts as one instruction; declined and double ones stop, and leave the registers alone. */
static void test_raise(void **state)
{
	Toy toy;
	MachineStop stop;
	u64 before;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nTRAP 3\nLI R1, 1\nTRAP 6\nTRAP 9\nTRAP 8\n");
	stop = machine_run(toy.machine, 1);
	assert_int_equal(stop.kind, STOP_BUDGET);
	assert_int_equal(machine_icount(toy.machine), 1);
	assert_int_equal(toy_reg(toy.machine, "cause"), 3);
	assert_int_equal(machine_pc(toy.machine), 0x101);
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_HALT); /* `stop` in the handler */
	assert_int_equal(stop.code, 66);
	assert_int_equal(machine_icount(toy.machine), 3);
	machine_set_pc(toy.machine, 0x103);
	before = toy_hash(toy.machine);
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_TRAP);
	assert_int_equal(stop.code, 9);
	assert_null(strstr(stop.text, "double"));
	assert_int_equal(stop.pc, 0x103);
	assert_int_equal(machine_icount(toy.machine), 3);
	machine_set_pc(toy.machine, 0x104);
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_TRAP);
	assert_int_equal(stop.code, 7);
	assert_non_null(strstr(stop.text, "double fault"));
	assert_int_equal(toy_reg(toy.machine, "cause"), 6);
	(void)before;
	toy_close(&toy);
}

static void test_fault(void **state)
{
	Toy toy;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nLI R1, 99\nLI R2, 5\nSTD R2, R1\nADDI R1, R1, 1\nSTD R2, R1\nLDD R3, R1\nSTOP 0\n");
	assert_int_equal(run(&toy).kind, STOP_HALT);
	assert_int_equal(toy_reg(toy.machine, "cause"), 0xFA);
	assert_int_equal(machine_icount(toy.machine), 7);
	assert_int_equal(toy_reg(toy.machine, "R3"), 0);
	toy_close(&toy);
}

/* ---- Devices, events, interrupts, timers ---- */

static void test_devices(void **state)
{
	Toy toy;
	MachineStop stop;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nLI R1, 65\nLI R2, -252\nST R1, R2\nOUT R1\nLI R2, -250\nLI R1, 0\nST R1, R2\n");
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 5);
	assert_int_equal(machine_icount(toy.machine), 7); /* the store that stopped it is done */
	assert_string_equal(buf_text(&toy.output), "AA");
	assert_int_equal(machine_output_bytes(toy.machine), 2);
	toy_close(&toy);
}

/* Polls the keyboard and echoes; one byte is taken at a time. */
static const char echo[] = ".ORG 0x100\n"
			   "LI R2, -256\n" /* 0xFF00 */
			   "poll: LD R1, R2\n"
			   "BNZ R1, got\n"
			   "LI R3, 1\n"
			   "BNZ R3, poll\n"
			   "got: ADDI R4, R2, 2\n"
			   "LD R1, R4\n"
			   "OUT R1\n"
			   "LI R3, 1\n"
			   "BNZ R3, poll\n";

static void test_event(void **state)
{
	Toy toy;
	MachineStats stats;

	(void)state;
	toy_open(&toy, echo);
	machine_input(toy.machine, (const u8 *)"hello", 5);
	assert_int_equal(machine_run(toy.machine, 1).kind, STOP_BUDGET);
	assert_int_equal(machine_input_pending(toy.machine), 4); /* one waits in the device */
	assert_int_equal(machine_run(toy.machine, 1000).kind, STOP_BUDGET);
	assert_string_equal(buf_text(&toy.output), "hello");
	machine_stats(toy.machine, &stats);
	assert_int_equal(stats.input_bytes, 5);
	assert_true(stats.key_polls > 100);
	toy_close(&toy);
}

static void test_input_ended(void **state)
{
	Toy toy;
	MachineStop stop;
	u64 first;

	(void)state;
	toy_open(&toy, echo);
	assert_int_equal(machine_run(toy.machine, 3000000).kind, STOP_BUDGET); /* not ended: polls for ever */
	machine_input(toy.machine, (const u8 *)"x", 1);
	machine_input_end(toy.machine);
	assert_int_equal(machine_run(toy.machine, 100).kind, STOP_BUDGET);
	first = machine_icount(toy.machine);
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_INPUT_ENDED);
	assert_string_equal(buf_text(&toy.output), "x");
	assert_in_range(machine_icount(toy.machine) - first, 3999000, 4000000);
	toy_close(&toy);

	/* The same place when it runs in pieces. */
	toy_open(&toy, echo);
	assert_int_equal(machine_run(toy.machine, 3000000).kind, STOP_BUDGET);
	machine_input(toy.machine, (const u8 *)"x", 1);
	machine_input_end(toy.machine);
	do {
		stop = machine_run(toy.machine, 997);
	} while (stop.kind == STOP_BUDGET);
	assert_int_equal(stop.kind, STOP_INPUT_ENDED);
	assert_in_range(machine_icount(toy.machine) - first, 3999000, 4000000);
	toy_close(&toy);
}

static void test_wait(void **state)
{
	Toy toy;
	MachineStop stop;

	(void)state;
	toy_open(&toy, ".ORG 0x40\nIRET\n.ORG 0x100\nLI R1, 2\nGETC R2\nGETC R3\nSTOP 0\n");
	/* The event takes one byte into the device before; the rest is for GETC. */
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_WAIT);
	assert_int_equal(stop.pc, 0x101);
	assert_int_equal(machine_icount(toy.machine), 1);
	assert_int_equal(run(&toy).kind, STOP_WAIT);
	machine_input(toy.machine, (const u8 *)"abc", 3);
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_HALT);
	/* The boundary before GETC was behind it when the bytes came: it gets the first. */
	assert_int_equal(toy_reg(toy.machine, "R2"), 'a');
	assert_int_equal(toy_reg(toy.machine, "kdata"), 'b');
	assert_int_equal(toy_reg(toy.machine, "R3"), 'c');
	toy_close(&toy);

	toy_open(&toy, ".ORG 0x100\nGETC R2\n");
	machine_input_end(toy.machine);
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_INPUT_ENDED);
	assert_int_equal(machine_icount(toy.machine), 0);
	toy_close(&toy);
}

static void test_interrupt(void **state)
{
	Toy toy;
	MachineStats stats;

	(void)state;
	toy_open(&toy, ".ORG 0x40\nLI R5, -254\nLD R6, R5\nOUT R6\nIRET\n"
		       ".ORG 0x100\nloop: ADDI R1, R1, 1\nSETF\nLI R2, 1\nBNZ R2, loop\n");
	machine_input(toy.machine, (const u8 *)"xyz", 3);
	assert_int_equal(machine_run(toy.machine, 1).kind, STOP_BUDGET);
	assert_int_equal(machine_pc(toy.machine), 0x101); /* not enabled yet */
	assert_int_equal(machine_run(toy.machine, 2).kind, STOP_BUDGET);
	assert_int_equal(machine_pc(toy.machine), 0x41); /* taken right behind SETF, and one instruction executed */
	assert_int_equal(toy_reg(toy.machine, "epc"), 0x102);
	assert_int_equal(machine_run(toy.machine, 100).kind, STOP_BUDGET);
	assert_string_equal(buf_text(&toy.output), "xyz");
	machine_stats(toy.machine, &stats);
	assert_int_equal(stats.interrupts, 3);
	toy_close(&toy);
}

static void test_every(void **state)
{
	Toy toy;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nloop: LI R1, 1\nBNZ R1, loop\n");
	machine_run(toy.machine, 9);
	assert_int_equal(toy_reg(toy.machine, "ticks"), 0);
	machine_run(toy.machine, 1); /* the 10th: its tick comes before the 11th */
	machine_run(toy.machine, 1);
	assert_int_equal(toy_reg(toy.machine, "ticks"), 1);
	machine_run(toy.machine, 990);
	assert_int_equal(toy_reg(toy.machine, "ticks"), 100);
	toy_close(&toy);
}

/* The work between two instructions is done behind an exception, too. */
static void test_after_exception(void **state)
{
	Toy toy;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nloop: TRAP 1\nTRAP 2\nTRAP 3\nTRAP 4\nLI R1, 1\nBNZ R1, loop\n");
	machine_run(toy.machine, 601);
	assert_int_equal(toy_reg(toy.machine, "ticks"), 60);
	toy_close(&toy);
}

/* A device that changes what an interrupt depends on: looked at right behind the store, however long the budget. */
static void test_device_wakes(void **state)
{
	Toy toy;

	(void)state;
	toy_open(&toy, ".ORG 0x40\nSTOP 9\n.ORG 0x100\nLI R1, -250\nLI R2, 1\nLI R3, 3\nloop: ADDI R3, R3, -1\n"
		       "BNZ R3, loop\nLI R4, 7\nLI R4, 8\nST R2, R1\nLI R4, 4\nLI R4, 5\nSTOP 0\n");
	machine_input(toy.machine, (const u8 *)"x", 1);
	assert_int_equal(run(&toy).code, 9);
	assert_int_equal(toy_reg(toy.machine, "epc"), 0x108); /* 12 instructions on: no tick comes to help */
	assert_int_equal(toy_reg(toy.machine, "R4"), 8);
	toy_close(&toy);
}

/* Two memories of which one is large (one attribute for many cells), an event that always takes, two interrupts. */
static const char eager_isa[] =
	"isa EAGER\n"
	"space M : 8 x 0x1000\n"
	"space B : 8 x 0x200000\n"
	"code M\n"
	"reg R[4] : 32\n"
	"reg pc : 16,  taken : 16,  a : 1,  b : 1,  log : 32\n"
	"field d s : R\n"
	"field i : unsigned\n"
	"insn LI  \"0001 dd .. iiiiiiii\" d, i  { d = i }\n"
	"insn SHL \"0010 dd ..\"          d     { d = d << 8 }\n"
	"insn STB \"0011 dd ss\"          d, s  { B[s[20:0]] = d[7:0] }\n"
	"insn LDB \"0100 dd ss\"          d, s  { d = zx(B[s[20:0]]) }\n"
	"insn NOP \"00000000\"                  { }\n"
	"insn KEY \"0101 dd ..\"          d     { d = zx(host key()) }\n"
	"insn END \"01100000\"                  { stop 0 }\n"
	"on read B[0x1FF000] { return 0x77 }\n"
	"event key(c:8) { taken = taken + 1; if (c == 'A') a = 1; if (c == 'B') { a = 1; b = 1 } }\n"
	"interrupt first when a { a = 0; log = log << 4 | 1 }\n"
	"interrupt second when b { b = 0; log = log << 4 | 2 }\n"
	"asm { comment \";\"  label colon  number hex \"0x\" | dec\n  .ORG q = org\n  .BYTE w = data 8\n }\n";

/* One byte a boundary, one interrupt a boundary, also where no instruction does anything. */
static void test_eager(void **state)
{
	Toy toy;

	(void)state;
	toy_open_isa(&toy, eager_isa, ".ORG 0x100\nEND\n");
	machine_input(toy.machine, (const u8 *)"xxxxxBx", 7);
	for (u64 n = 1; n <= 4; n++) {
		machine_run(toy.machine, 1);
		assert_int_equal(toy_reg(toy.machine, "taken"), n);
	}
	toy_close(&toy);
	toy_open_isa(&toy, eager_isa, ".ORG 0x100\nEND\n");
	machine_input(toy.machine, (const u8 *)"xxxxxBx", 7);
	machine_run(toy.machine, 6); /* in one go: the 6th boundary takes B and enters the first interrupt */
	assert_int_equal(toy_reg(toy.machine, "taken"), 6);
	assert_int_equal(toy_reg(toy.machine, "log"), 1);
	machine_run(toy.machine, 100);
	assert_int_equal(toy_reg(toy.machine, "taken"), 7);
	assert_int_equal(toy_reg(toy.machine, "log"), 0x12);
	toy_close(&toy);
}

static void test_coarse_attributes(void **state)
{
	Toy toy;
	MachineStop stop;

	(void)state;
	toy_open_isa(&toy, eager_isa, "LI R1, 0x13\nSHL R1\nLI R0, 9\nSTB R0, R1\nLDB R2, R1\nEND\n"); /* B[0x1300] */
	assert_int_equal(machine_watch_set(toy.machine, 1, 0x1301, 3, true, true, true), STATUS_OK);
	assert_int_equal(machine_watch_set(toy.machine, 1, 0x12FD, 3, true, true, true), STATUS_OK);
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_HALT);
	machine_reset(toy.machine, true);
	assert_int_equal(machine_watch_set(toy.machine, 1, 0x1300, 1, true, true, true), STATUS_OK);
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_WATCH);
	assert_int_equal(stop.address, 0x1300);
	assert_true(stop.write);
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_WATCH);
	assert_false(stop.write);
	assert_int_equal(toy_reg(toy.machine, "R2"), 9);
	toy_close(&toy);
	/* A device in a coarse granule answers for its own cell only. */
	for (unsigned k = 0; k < 2; k++) {
		toy_open_isa(&toy, eager_isa, "LDB R2, R3\nEND\n");
		machine_write(toy.machine, 1, 0x1FF000, 5);
		machine_write(toy.machine, 1, 0x1FF001, 6);
		machine_set_slot(toy.machine, toy.isa->regs[0].slot + 3, 0x1FF000 + k);
		assert_int_equal(run(&toy).kind, STOP_HALT);
		assert_int_equal(toy_reg(toy.machine, "R2"), k ? 6 : 0x77);
		toy_close(&toy);
	}
}

static void test_context(void **state)
{
	Toy toy;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nLI R4, 3\nloop: WHO R1\nADD R2, R2, R1\nMODE 1\nWHO R1\nADD R3, R3, R1\nMODE 0\n"
		       "ADDI R4, R4, -1\nBNZ R4, loop\nSTOP 0\n");
	assert_int_equal(run(&toy).kind, STOP_HALT);
	assert_int_equal(toy_reg(toy.machine, "R2"), 0);
	assert_int_equal(toy_reg(toy.machine, "R3"), 3);
	toy_close(&toy);
}

static void test_self_modifying(void **state)
{
	Toy toy;

	(void)state;
	/* Writes "LI R3, 5" over the next instruction, in a loop so that it had been translated before. */
	toy_open(&toy, ".ORG 0x100\nLI R4, 2\nloop: LI R1, 0x8F\nADDI R1, R1, 6\nLD R2, R1\nLI R1, 0x80\nADD R1, R1, R1\n"
		       "ADDI R1, R1, 8\nST R2, R1\npatch: LI R3, 1\nADD R5, R5, R3\nADDI R4, R4, -1\nBNZ R4, loop\nSTOP 0\n"
		       ".ORG 0x95\nLI R3, 5\n");
	assert_int_equal(run(&toy).kind, STOP_HALT);
	assert_int_equal(toy_reg(toy.machine, "R5"), 10);
	machine_set_pc(toy.machine, 0x108);
	assert_int_equal(machine_write(toy.machine, 0, 0x108, 0x0604), STATUS_OK); /* LI R3, 4 from outside */
	machine_run(toy.machine, 1);
	assert_int_equal(toy_reg(toy.machine, "R3"), 4);
	toy_close(&toy);
}

/* ---- Breakpoints and watchpoints ---- */

static void test_break(void **state)
{
	Toy toy;
	MachineStop stop;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nloop: ADDI R1, R1, 1\nLI R2, 1\nBNZ R2, loop\n");
	machine_run(toy.machine, 100); /* translated before the breakpoint is set */
	machine_break_set(toy.machine, 0x101, true);
	for (int i = 0; i < 5; i++) {
		stop = run(&toy);
		assert_int_equal(stop.kind, STOP_BREAK);
		assert_int_equal(stop.pc, 0x101);
		assert_int_equal(machine_icount(toy.machine), 100 + 3 * (u64)i);
		assert_int_equal(run(&toy).kind, STOP_BREAK);
		assert_int_equal(machine_icount(toy.machine), 100 + 3 * (u64)i);
		machine_skip_break(toy.machine);
	}
	assert_int_equal(machine_break_set(toy.machine, 0x101, false), STATUS_OK);
	assert_int_equal(machine_break_set(toy.machine, 0x101, false), STATUS_NOT_FOUND);
	assert_int_equal(machine_run(toy.machine, 50).kind, STOP_BUDGET);
	toy_close(&toy);
}

static void test_watch(void **state)
{
	Toy toy;
	MachineStop stop;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nLI R1, 0x50\nloop: ST R2, R1\nADDI R1, R1, 1\nLD R3, R1\nLI R4, 1\nBNZ R4, loop\n");
	assert_int_equal(machine_watch_set(toy.machine, 0, 0x60, 2, false, true, true), STATUS_OK);
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_WATCH);
	assert_int_equal(stop.address, 0x60);
	assert_true(stop.write);
	assert_int_equal(stop.pc, 0x102); /* behind the store */
	assert_int_equal(run(&toy).address, 0x61);
	assert_int_equal(machine_watch_set(toy.machine, 0, 0x60, 2, false, true, false), STATUS_OK);
	assert_int_equal(machine_watch_set(toy.machine, 0, 0x64, 1, true, false, true), STATUS_OK);
	stop = run(&toy);
	assert_int_equal(stop.kind, STOP_WATCH);
	assert_int_equal(stop.address, 0x64);
	assert_false(stop.write);
	assert_int_equal(machine_watch_set(toy.machine, 0, 0x64, 1, true, false, false), STATUS_OK);
	assert_int_equal(machine_run(toy.machine, 1000).kind, STOP_BUDGET);
	assert_int_equal(machine_watch_set(toy.machine, 1, 99, 2, true, false, true), STATUS_RANGE);
	toy_close(&toy);
}

/* ---- State ---- */

static void test_views_and_reset(void **state)
{
	Toy toy;
	u16 flags;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nLI R1, 5\nSTOP 0\n");
	flags = isa_find_view(toy.isa, "flags", 5, false);
	assert_int_equal(machine_view(toy.machine, flags), 0);
	assert_int_equal(machine_set_view(toy.machine, flags, 3), STATUS_OK);
	assert_int_equal(machine_view(toy.machine, flags), 3);
	assert_int_equal(toy_reg(toy.machine, "ie"), 1);
	machine_set_view(toy.machine, flags, 0);
	machine_set_slot(toy.machine, 0, 0x12345);
	assert_int_equal(machine_pc(toy.machine), 0x2345);
	machine_reset(toy.machine, true);
	assert_int_equal(machine_pc(toy.machine), 0x100);
	assert_int_equal(run(&toy).kind, STOP_HALT);
	machine_reset(toy.machine, false);
	assert_int_equal(machine_icount(toy.machine), 0);
	assert_int_equal(toy_reg(toy.machine, "R1"), 0);
	machine_run(toy.machine, 1);
	assert_int_equal(toy_reg(toy.machine, "R1"), 0); /* the program is gone: memory was cleared */
	toy_close(&toy);
}

static void test_limits(void **state)
{
	Toy toy;
	DiagList diags;
	Machine *machine = NULL;
	MachineConfig config = { 0 };

	(void)state;
	toy_open(&toy, "STOP 0\n");
	diag_init(&diags);
	config.isa = toy.isa;
	config.memory_limit = 1000;
	assert_int_equal(machine_create(&config, &machine, &diags), STATUS_TOO_BIG);
	assert_null(machine);
	assert_int_equal(diags.errors, 1);
	diag_fini(&diags);
	assert_int_equal(machine_resize(toy.machine, 1, (u64)1 << 60), STATUS_TOO_BIG);
	assert_int_equal(machine_read(toy.machine, 1, 100, &(u64){ 0 }), STATUS_RANGE);
	assert_int_equal(machine_write(toy.machine, 9, 0, 0), STATUS_NOT_FOUND);
	toy_close(&toy);
}

/* Something of everything: memory, devices, interrupts, timer, exceptions, random numbers, two modes. */
static const char busy[] = ".ORG 0x40\n"
			   "LI R5, -254\nLD R6, R5\nOUT R6\nIRET\n"
			   ".ORG 0x80\n"
			   "work: ST R1, R1\nLD R2, R1\nADD R3, R3, R2\nRAND R4\nADD R3, R3, R4\nTRAP 2\nRET\n"
			   ".ORG 0x100\n"
			   "LI R0, 0x7F\nADD R0, R0, R0\nSETF\n"
			   "loop: ADD R1, R0, R0\nADD R1, R1, R1\nLI R4, 0xFF\nADD R1, R1, R4\nADD R1, R1, R4\nCALL work\nMODE 1\nWHO R2\nADD R3, R3, R2\nMODE 0\n"
			   "STD R3, R2\nLDD R2, R0\nADDI R0, R0, -1\nBNZ R0, loop\nSTOP 3\n";

static u64 run_busy(u64 slice, u64 *icount, char *output, size_t cap)
{
	Toy toy;
	MachineStop stop;
	u64 hash;

	toy_open(&toy, busy);
	/* Input comes at fixed places, so the slices must meet them. */
	for (u64 at = 0; at < 600; at += 100) {
		while (machine_icount(toy.machine) < at) {
			u64 left = at - machine_icount(toy.machine);

			assert_int_equal(machine_run(toy.machine, left < slice ? left : slice).kind, STOP_BUDGET);
		}
		machine_input(toy.machine, (const u8 *)"qrstuvwx" + at / 100, 1);
	}
	do {
		stop = machine_run(toy.machine, slice);
	} while (stop.kind == STOP_BUDGET);
	assert_int_equal(stop.kind, STOP_HALT);
	*icount = machine_icount(toy.machine);
	snprintf(output, cap, "%s", buf_text(&toy.output));
	hash = toy_hash(toy.machine);
	toy_close(&toy);
	return hash;
}

static void test_slices(void **state)
{
	char whole_text[100], text[100];
	u64 icount, whole_icount, whole = run_busy(~(u64)0, &whole_icount, whole_text, sizeof(whole_text));

	(void)state;
	assert_true(whole_icount > 3000);
	assert_string_equal(whole_text, "qrstuv");
	for (u64 slice = 1; slice < 400; slice = slice < 20 ? slice + 1 : slice + 37) {
		assert_true(run_busy(slice, &icount, text, sizeof(text)) == whole);
		assert_int_equal(icount, whole_icount);
		assert_string_equal(text, whole_text);
	}
}

/* Paused at each k, one instruction, then on: the same end. */
static void test_pause_everywhere(void **state)
{
	Toy toy;
	u64 end_icount, end;

	(void)state;
	toy_open(&toy, busy);
	machine_input(toy.machine, (const u8 *)"abc", 3);
	assert_int_equal(run(&toy).kind, STOP_HALT);
	end_icount = machine_icount(toy.machine);
	end = toy_hash(toy.machine);
	for (u64 k = 1; k < end_icount; k += k < 300 ? 1 : 61) {
		machine_reset(toy.machine, false);
		toy_put(toy.machine, toy.program);
		machine_input(toy.machine, (const u8 *)"abc", 3);
		assert_int_equal(machine_run(toy.machine, k).kind, STOP_BUDGET);
		assert_int_equal(machine_icount(toy.machine), k);
		assert_int_equal(run(&toy).kind, STOP_HALT);
		assert_int_equal(machine_icount(toy.machine), end_icount);
		assert_true(toy_hash(toy.machine) == end);
	}
	toy_close(&toy);
}

/* ---- Host functions ---- */

static HostResult deny_putc(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)machine;
	(void)count;
	*result = 77;
	return args[0] == '!' ? HOST_STOP : args[0] == '?' ? HOST_RAISE : HOST_DENIED;
}

static void test_hosts(void **state)
{
	static const HostEntry hosts[] = { { "putc", deny_putc }, { NULL, NULL } };
	static const Guest guest = { .name = "toy", .hosts = hosts, .private_size = 8 };
	Toy toy;
	Machine *machine;
	MachineConfig config = { .guest = &guest };
	DiagList diags;
	MachineStop stop;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nLI R1, 33\nOUT R1\nLI R1, 63\nOUT R1\nOUT R2\n");
	diag_init(&diags);
	config.isa = toy.isa;
	assert_int_equal(machine_create(&config, &machine, &diags), STATUS_OK);
	toy_put(machine, toy.program);
	stop = machine_run(machine, 100);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 77);
	assert_int_equal(machine_icount(machine), 2);
	stop = machine_run(machine, 2);
	assert_int_equal(toy_reg(machine, "cause"), 77);
	stop = machine_run(machine, 100);
	assert_int_equal(stop.kind, STOP_DENIED);
	assert_non_null(strstr(stop.text, "putc"));
	assert_int_equal(stop.pc, 0x104);
	assert_int_equal(machine_icount(machine), 4);
	machine_destroy(machine);
	diag_fini(&diags);
	toy_close(&toy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget), cmocka_unit_test(test_halt), cmocka_unit_test(test_illegal),
		cmocka_unit_test(test_raise), cmocka_unit_test(test_fault), cmocka_unit_test(test_devices),
		cmocka_unit_test(test_event), cmocka_unit_test(test_input_ended), cmocka_unit_test(test_wait),
		cmocka_unit_test(test_interrupt), cmocka_unit_test(test_every),
		cmocka_unit_test(test_after_exception), cmocka_unit_test(test_device_wakes),
		cmocka_unit_test(test_eager), cmocka_unit_test(test_coarse_attributes),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_self_modifying), cmocka_unit_test(test_break), cmocka_unit_test(test_watch),
		cmocka_unit_test(test_views_and_reset), cmocka_unit_test(test_limits), cmocka_unit_test(test_slices),
		cmocka_unit_test(test_pause_everywhere), cmocka_unit_test(test_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
