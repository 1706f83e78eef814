/* SPDX-License-Identifier: MIT
 *
 * Several vCPUs in one machine, with tests/isa/vcpus.isa: who runs when, exact counts, waiting, sleeping, ending,
 * failing, limits. That runs repeat bit for bit (snapshots, replay) is tested in test_vcpus_replay.c.
 */
#include "unit/vcpus.h"

/* Four vCPUs count to 50 each, in one cell, and number 0 waits for them by looking. */
static const char counters[] =
	".ORG 0x100\n"
	"       LI R0, 0x80\n"        /* 0x80: how many have ended; 0x81: the sum */
	"       LI R1, 4\n"
	"       LI R2, 100\n"
	"       ADD R2, R2, R2\n"
	"       ADD R2, R2, R2\n"     /* 0x190 */
	"start: START R3, R2\n"
	"       ADDI R1, R1, -1\n"
	"       BNZ R1, start\n"
	"look:  LD R4, R0\n"
	"       ADDI R4, R4, -4\n"
	"       BNZ R4, look\n"
	"       LI R4, 7\n"
	"       END R4\n"
	".ORG 0x190\n"
	"       LI R0, 0x80\n"
	"       ADDI R1, R0, 1\n"
	"       LI R2, 50\n"
	"again: INC R3, R1\n"
	"       ADDI R2, R2, -1\n"
	"       BNZ R2, again\n"
	"       INC R3, R0\n"
	"       LI R5, 3\n"
	"       END R5\n";

static void test_counts(void **state)
{
	static const u64 quanta[] = { 1, 2, 7, 1000 };

	(void)state;
	for (unsigned q = 0; q < COUNT_OF(quanta); q++) {
		Rig rig;
		MachineStop stop;
		u64 sum = 0;

		rig_open(&rig, counters, &(MachineConfig){ .quantum = quanta[q] });
		stop = machine_run(rig.machine, ~(u64)0);
		assert_int_equal(stop.kind, STOP_HALT);
		assert_int_equal(stop.code, 7);
		assert_int_equal(rig_cell(&rig, 0x80), 4);
		assert_int_equal(rig_cell(&rig, 0x81), 200);
		assert_int_equal(machine_vcpu_count(rig.machine), 5);
		for (u32 n = 0; n < 5; n++)
			sum += machine_vcpu_icount(rig.machine, n);
		assert_int_equal(sum, machine_icount(rig.machine));
		for (u32 n = 1; n < 5; n++) {
			assert_int_equal(machine_vcpu_icount(rig.machine, n), 3 + 50 * 3 + 3);
			assert_int_equal(machine_vcpu_state(rig.machine, n), VCPU_ENDED);
			assert_int_equal(machine_vcpu_code(rig.machine, n), 3);
			assert_int_equal(machine_vcpu_serial(rig.machine, n), n);
		}
		rig_close(&rig);
	}
}

/* However a run is cut, the same things happen, to the instruction. */
static void test_slices(void **state)
{
	static const u64 slices[] = { 1, 2, 3, 13, 64, 1000 };
	MachineConfig config = { .quantum = 5, .quantum_jitter = true, .random_seed = 3 };
	Rig whole;
	u64 hash, count;

	(void)state;
	rig_open(&whole, counters, &config);
	assert_int_equal(machine_run(whole.machine, ~(u64)0).kind, STOP_HALT);
	hash = rig_hash(&whole);
	count = machine_icount(whole.machine);
	rig_close(&whole);
	for (unsigned s = 0; s < COUNT_OF(slices); s++) {
		Rig rig;
		MachineStop stop;

		rig_open(&rig, counters, &config);
		do {
			u64 before = machine_icount(rig.machine);

			stop = machine_run(rig.machine, slices[s]);
			if (stop.kind == STOP_BUDGET)
				assert_int_equal(machine_icount(rig.machine) - before, slices[s]);
		} while (stop.kind == STOP_BUDGET);
		assert_int_equal(stop.kind, STOP_HALT);
		assert_int_equal(machine_icount(rig.machine), count);
		assert_true(rig_hash(&rig) == hash);
		rig_close(&rig);
	}
}

static const char three_loops[] =
	".ORG 0x100\n"
	"       LI R2, 100\n"
	"       ADD R2, R2, R2\n"
	"       ADD R2, R2, R2\n"
	"       START R3, R2\n"
	"       START R3, R2\n"
	"       JMP loop\n"
	".ORG 0x190\n"
	"loop:  ADDI R1, R1, 1\n"
	"       JMP loop\n";

static void test_fair(void **state)
{
	static const u64 quanta[] = { 1, 7, 1000 };

	(void)state;
	for (unsigned q = 0; q < COUNT_OF(quanta); q++)
		for (unsigned jitter = 0; jitter < 2; jitter++) {
			Rig rig;
			u64 most = (jitter ? 60 : 2) * quanta[q] + 10;

			rig_open(&rig, three_loops, &(MachineConfig){ .quantum = quanta[q], .quantum_jitter = jitter });
			assert_int_equal(machine_run(rig.machine, 300 * quanta[q]).kind, STOP_BUDGET);
			for (u32 n = 0; n < 3; n++) {
				u64 own = machine_vcpu_icount(rig.machine, n), share = 100 * quanta[q];

				assert_in_range(own, share > most ? share - most : 0, share + most);
			}
			rig_close(&rig);
		}
}

static void test_seeds(void **state)
{
	u64 hashes[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		Rig rig;

		rig_open(&rig, three_loops,
			 &(MachineConfig){ .quantum = 10, .quantum_jitter = true, .random_seed = i == 2 ? 6 : 5 });
		machine_run(rig.machine, 5000);
		hashes[i] = machine_vcpu_slot(rig.machine, 1, rig_slot(&rig, "R1"));
		rig_close(&rig);
	}
	assert_true(hashes[0] == hashes[1]);
	assert_true(hashes[0] != hashes[2]);
}

/* ---- Waiting for one another ---- */

/* Number 0 waits on 5; number 1 counts to 20, wakes 5 and ends. */
static const char waker[] =
	".ORG 0x100\n"
	"       LI R2, 0x20\n"
	"       START R3, R2\n"
	"       LI R1, 5\n"
	"       LI R4, 0x90\n"
	"wait:  LD R5, R4\n"
	"       BNZ R5, done\n"
	"       WAIT R1\n"
	"done:  LD R5, R4\n"
	"       STOP 1\n"
	".ORG 0x20\n"
	"       LI R2, 20\n"
	"loop:  ADDI R2, R2, -1\n"
	"       BNZ R2, loop\n"
	"       LI R4, 0x90\n"
	"       LI R5, 9\n"
	"       ST R5, R4\n"
	"       LI R1, 5\n"
	"       WAKE R1\n"
	"       END R1\n";

static void test_wait(void **state)
{
	Rig rig;
	MachineStop stop;

	(void)state;
	rig_open(&rig, waker, &(MachineConfig){ .quantum = 7 });
	machine_run(rig.machine, 20);
	assert_int_equal(machine_vcpu_state(rig.machine, 0), VCPU_WAIT_CHANNEL);
	assert_int_equal(machine_vcpu_channel(rig.machine, 0), 5);
	/* woken, it tries WAIT again, and there is nobody left: a wait without a condition is one of the mistakes
	   that the text must make clear */
	stop = machine_run(rig.machine, ~(u64)0);
	assert_int_equal(stop.kind, STOP_DEADLOCK);
	assert_int_equal(stop.vcpu, 0);
	assert_string_equal(stop.text, "nothing can go on: vCPU 0 at 0x106 waits for channel 0x5");
	assert_int_equal(machine_run(rig.machine, 10).kind, STOP_DEADLOCK);
	/* Somebody from outside sets it free. */
	machine_set_pc(rig.machine, 0x107);
	stop = machine_run(rig.machine, 10);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(machine_vcpu_slot(rig.machine, 0, rig_slot(&rig, "R5")), 9);
	rig_close(&rig);
}

/* Three count in turns under a lock, with the value held outside memory for a while. */
static const char locked[] =
	".ORG 0x100\n"
	"       LI R2, 0x20\n"
	"       START R3, R2\n"
	"       START R3, R2\n"
	"       JMP work\n"
	".ORG 0x20\n"
	"work:  LI R0, 0x90\n"
	"       LI R1, 0x91\n"
	"       LI R2, 30\n"
	"again: LOCK R0\n"
	"       LD R3, R1\n"
	"       LI R4, 3\n"
	"slow:  ADDI R4, R4, -1\n"
	"       BNZ R4, slow\n"
	"       ADDI R3, R3, 1\n"
	"       ST R3, R1\n"
	"       FREE R0\n"
	"       ADDI R2, R2, -1\n"
	"       BNZ R2, again\n"
	"       LI R5, 0\n"
	"       END R5\n";

static void test_lock(void **state)
{
	static const u64 quanta[] = { 1, 3, 8, 1000 };

	(void)state;
	for (unsigned q = 0; q < COUNT_OF(quanta); q++) {
		Rig rig;
		MachineStop stop;

		rig_open(&rig, locked, &(MachineConfig){ .quantum = quanta[q], .quantum_jitter = q == 2 });
		stop = machine_run(rig.machine, 100000);
		assert_int_equal(stop.kind, STOP_HALT);
		assert_int_equal(stop.code, 0);
		assert_int_equal(rig_cell(&rig, 0x91), 90);
		assert_int_equal(rig_cell(&rig, 0x90), 0);
		rig_close(&rig);
	}
}

static void describe(const Machine *machine, u32 vcpu, u64 channel, Buf *out)
{
	(void)machine;
	buf_printf(out, "lock %llu (asks %u)", (unsigned long long)channel, vcpu);
}

/* Each holds one lock and wants the other's. */
static const char embrace[] =
	".ORG 0x100\n"
	"       LI R2, 0x20\n"
	"       START R3, R2\n"
	"       LI R0, 0x90\n"
	"       LI R1, 0x91\n"
	"       LOCK R0\n"
	"       LOCK R1\n"
	"       STOP 0\n"
	".ORG 0x20\n"
	"       LI R0, 0x91\n"
	"       LI R1, 0x90\n"
	"       LOCK R0\n"
	"       LOCK R1\n"
	"       STOP 0\n";

static void test_deadlock(void **state)
{
	Guest guest = { .name = "rig", .describe_wait = describe, .vcpu_word = "thread" };
	Rig rig;
	MachineStop stop;

	(void)state;
	rig_open(&rig, embrace, &(MachineConfig){ .quantum = 1, .guest = &guest });
	stop = machine_run(rig.machine, 1000);
	assert_int_equal(stop.kind, STOP_DEADLOCK);
	assert_string_equal(stop.text, "nothing can go on: thread 0 at 0x105 waits for lock 145 (asks 0); "
				       "thread 1 at 0x23 waits for lock 144 (asks 1)");
	rig_close(&rig);
}

/* An instruction that wakes the other before it waits itself must not hold the machine for ever. */
static void test_ping_pong(void **state)
{
	Rig rig;

	(void)state;
	rig_open(&rig,
		 ".ORG 0x100\nLI R2, 0x20\nSTART R3, R2\nLI R0, 1\nLI R1, 2\nSWAP R0, R1\n"
		 ".ORG 0x20\nLI R0, 2\nLI R1, 1\nSWAP R0, R1\n",
		 &(MachineConfig){ .quantum = 1 });
	assert_int_equal(machine_run(rig.machine, 1000).kind, STOP_DEADLOCK);
	assert_int_equal(machine_run(rig.machine, 1000).kind, STOP_DEADLOCK);
	assert_int_equal(machine_icount(rig.machine), 6);
	rig_close(&rig);
}

/* ---- Time ---- */

/* 0 sleeps 50 ms, 1 sleeps 20 ms twice; each prints when it wakes. */
static const char sleepers[] =
	".ORG 0x100\n"
	"       LI R2, 0x20\n"
	"       START R3, R2\n"
	"       LI R1, 50\n"
	"       SLEEP R1\n"
	"       LI R4, 48\n"
	"       OUT R4\n"
	"       TIME R6\n"
	"       STOP 0\n"
	".ORG 0x20\n"
	"       LI R1, 20\n"
	"       SLEEP R1\n"
	"       LI R4, 49\n"
	"       OUT R4\n"
	"       SLEEP R1\n"
	"       OUT R4\n"
	"       LI R1, 255\n"
	"       SLEEP R1\n"
	"       OUT R4\n"
	"       STOP 1\n";

static void test_virtual_sleep(void **state)
{
	Rig rig;

	(void)state;
	rig_open(&rig, sleepers, &(MachineConfig){ .quantum = 3, .virtual_time = true, .instruction_ns = 1000 });
	assert_int_equal(machine_run(rig.machine, 1000).kind, STOP_HALT);
	assert_string_equal(buf_text(&rig.output), "110");
	assert_int_equal(machine_slot(rig.machine, rig_slot(&rig, "R6")), 50);
	assert_in_range(machine_time(rig.machine), 50003000, 50020000);
	assert_int_equal(machine_vcpu_state(rig.machine, 1), VCPU_SLEEPING);
	rig_close(&rig);
}

static void test_real_sleep(void **state)
{
	static const u64 ms = 1000000;
	Rig rig;
	MachineStop stop;

	(void)state;
	rig_open(&rig, sleepers, &(MachineConfig){ .quantum = 3 });
	machine_set_time(rig.machine, 100 * ms);
	stop = machine_run(rig.machine, 1000);
	assert_int_equal(stop.kind, STOP_SLEEP);
	assert_int_equal(stop.code, 120 * ms);
	assert_int_equal(stop.vcpu, 1);
	machine_set_time(rig.machine, 119 * ms);
	assert_int_equal(machine_run(rig.machine, 1000).kind, STOP_SLEEP);
	assert_string_equal(buf_text(&rig.output), "");
	machine_set_time(rig.machine, 130 * ms);
	machine_set_time(rig.machine, 20 * ms); /* never back */
	assert_int_equal(machine_time(rig.machine), 130 * ms);
	stop = machine_run(rig.machine, 1000);
	assert_int_equal(stop.kind, STOP_SLEEP);
	assert_int_equal(stop.code, 150 * ms);
	assert_string_equal(buf_text(&rig.output), "1");
	machine_set_time(rig.machine, 150 * ms); /* both are due: 0 comes up first, for three */
	stop = machine_run(rig.machine, 1000);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_string_equal(buf_text(&rig.output), "101");
	rig_close(&rig);
}

/* ---- The console ---- */

/* 1 and 2 read a key each and print it; 0 counts meanwhile. */
static const char readers[] =
	".ORG 0x100\n"
	"       LI R2, 0x20\n"
	"       START R3, R2\n"
	"       START R3, R2\n"
	"       LI R1, 30\n"
	"loop:  ADDI R1, R1, -1\n"
	"       BNZ R1, loop\n"
	"       END R1\n"
	".ORG 0x20\n"
	"       GETC R1\n"
	"       OUT R1\n"
	"       END R2\n";

static void test_input(void **state)
{
	Rig rig;
	MachineStop stop;

	(void)state;
	rig_open(&rig, readers, &(MachineConfig){ .quantum = 4 });
	stop = machine_run(rig.machine, 1000);
	assert_int_equal(stop.kind, STOP_WAIT); /* only when 0 has ended */
	assert_int_equal(stop.vcpu, 1);
	assert_int_equal(stop.pc, 0x20);
	assert_int_equal(machine_vcpu_state(rig.machine, 0), VCPU_ENDED);
	machine_input(rig.machine, (const u8 *)"x", 1);
	stop = machine_run(rig.machine, 1000);
	assert_int_equal(stop.kind, STOP_WAIT);
	assert_string_equal(buf_text(&rig.output), "x");
	machine_input_end(rig.machine);
	stop = machine_run(rig.machine, 1000);
	assert_int_equal(stop.kind, STOP_INPUT_ENDED);
	machine_input(rig.machine, (const u8 *)"y", 1);
	assert_int_equal(machine_run(rig.machine, 1000).kind, STOP_HALT);
	assert_string_equal(buf_text(&rig.output), "xy");
	rig_close(&rig);
}

/* Events reach the vCPU that has asked for them. */
static void test_events(void **state)
{
	Rig rig;

	(void)state;
	rig_open(&rig,
		 ".ORG 0x100\nLI R2, 0x20\nSTART R3, R2\nloop: JMP loop\n"
		 ".ORG 0x20\nARM\nlook: KEY R1\nBNZ R1, got\nJMP look\ngot: OUT R1\nSTOP 3\n",
		 &(MachineConfig){ .quantum = 3 });
	machine_run(rig.machine, 50);
	machine_input(rig.machine, (const u8 *)"q", 1);
	assert_int_equal(machine_run(rig.machine, 50).kind, STOP_HALT);
	assert_string_equal(buf_text(&rig.output), "q");
	rig_close(&rig);
}

/* A handler that must wait for a second byte has not begun, and has not taken the first. */
static void test_handler_waits(void **state)
{
	static const char *const texts[] = {
		".ORG 0x100\nTWO\nlook: KEY R1\nBNZ R1, got\nJMP look\ngot: STOP 3\n",
		".ORG 0x100\nLI R2, 0x20\nSTART R3, R2\nloop: ADDI R6, R6, 1\nJMP loop\n"
		".ORG 0x20\nTWO\nlook: KEY R1\nBNZ R1, got\nJMP look\ngot: STOP 3\n",
	};

	(void)state;
	for (unsigned several = 0; several < 2; several++) {
		Rig rig;
		MachineStop stop;
		u64 own;

		rig_open(&rig, texts[several], &(MachineConfig){ .quantum = 3 });
		machine_run(rig.machine, 50);
		machine_input(rig.machine, (const u8 *)"A", 1);
		stop = machine_run(rig.machine, 50);
		assert_int_equal(stop.kind, several ? STOP_BUDGET : STOP_WAIT);
		assert_int_equal(machine_input_pending(rig.machine), 1);
		own = machine_vcpu_icount(rig.machine, several);
		machine_run(rig.machine, 50);
		assert_int_equal(machine_vcpu_icount(rig.machine, several), own);
		machine_input(rig.machine, (const u8 *)" ", 1);
		stop = machine_run(rig.machine, 50);
		assert_int_equal(stop.kind, STOP_HALT);
		assert_int_equal(machine_vcpu_slot(rig.machine, several, rig_slot(&rig, "R1")), 'A' + ' ');
		rig_close(&rig);
	}
}

/* ---- Ending, failing, limits ---- */

static void test_bomb(void **state)
{
	static const char bomb[] = ".ORG 0x100\nagain: LI R2, 0x80\nADD R2, R2, R2\nSTART R1, R2\nJMP again\n";
	Rig rig;

	(void)state;
	rig_open(&rig, bomb, &(MachineConfig){ .quantum = 10 });
	assert_int_equal(machine_run(rig.machine, 100000).kind, STOP_BUDGET);
	assert_int_equal(machine_vcpu_count(rig.machine), VCPU_LIMIT);
	assert_int_equal(machine_vcpu_slot(rig.machine, VCPU_LIMIT - 1, rig_slot(&rig, "R1")), 0xFFFF);
	rig_close(&rig);
	rig_open(&rig, bomb, &(MachineConfig){ .quantum = 10, .vcpu_limit = 3 });
	assert_int_equal(machine_run(rig.machine, 1000).kind, STOP_BUDGET);
	assert_int_equal(machine_vcpu_count(rig.machine), 3);
	rig_close(&rig);
	/* 2 * 64 cells of private memory fit, and a third 128 bytes do not. */
	rig_open(&rig, bomb, &(MachineConfig){ .quantum = 10, .memory_limit = 0x20000 + 300 });
	assert_int_equal(machine_run(rig.machine, 1000).kind, STOP_BUDGET);
	assert_int_equal(machine_vcpu_count(rig.machine), 2);
	rig_close(&rig);
}

static const char failing[] =
	".ORG 0x100\n"
	"       LI R2, 0x20\n"
	"       START R3, R2\n"
	"       LI R1, 40\n"
	"loop:  ADDI R1, R1, -1\n"
	"       BNZ R1, loop\n"
	"       STOP 6\n"
	".ORG 0x20\n"
	"       LI R1, 4\n"
	"       LI R2, 255\n"
	"       TRAP 9\n";

static bool take_failure(Machine *machine, const MachineStop *stop, Buf *out)
{
	buf_printf(out, "[%u failed: %llu]", machine_vcpu_current(machine), (unsigned long long)stop->code);
	return true;
}

static void test_failure(void **state)
{
	Guest guest = { .name = "rig", .vcpu_failed = take_failure, .stop_ends_vcpu = true };
	Rig rig;
	MachineStop stop;

	(void)state;
	rig_open(&rig, failing, &(MachineConfig){ .quantum = 5 });
	stop = machine_run(rig.machine, 1000);
	assert_int_equal(stop.kind, STOP_TRAP);
	assert_int_equal(stop.code, 9);
	assert_int_equal(stop.vcpu, 1);
	assert_int_equal(stop.pc, 0x22);
	assert_string_equal(stop.text, "exception without a handler (trap 9) (vCPU 1)");
	assert_int_equal(machine_vcpu_current(rig.machine), 1);
	rig_close(&rig);

	rig_open(&rig, failing, &(MachineConfig){ .quantum = 5, .guest = &guest });
	stop = machine_run(rig.machine, 1000);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 6);
	assert_string_equal(buf_text(&rig.output), "[1 failed: 9]");
	assert_int_equal(machine_vcpu_state(rig.machine, 1), VCPU_FAILED);
	assert_int_equal(machine_vcpu_icount(rig.machine, 1), 2);
	assert_int_equal(machine_vcpu_icount(rig.machine, 0), 3 + 80 + 1);
	rig_close(&rig);
}

/* stop_ends_vcpu: the machine ends with the last one, and with the code of number 0. */
static void test_stop_ends_one(void **state)
{
	static const char text[] = ".ORG 0x100\nLI R2, 0x20\nSTART R3, R2\nSTOP 5\n.ORG 0x20\nLI R1, 9\nLI R1, 8\nLI R1, 7\n"
				   "LI R1, 6\nSTOP 8\n";
	Guest guest = { .name = "rig", .stop_ends_vcpu = true };
	Rig rig;
	MachineStop stop;

	(void)state;
	rig_open(&rig, text, &(MachineConfig){ .quantum = 100, .guest = &guest });
	stop = machine_run(rig.machine, 1000);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 5);
	assert_int_equal(machine_icount(rig.machine), 8);
	assert_int_equal(machine_vcpu_code(rig.machine, 1), 8);
	assert_int_equal(machine_run(rig.machine, 1000).kind, STOP_HALT);
	assert_int_equal(machine_icount(rig.machine), 8);
	rig_close(&rig);
	rig_open(&rig, text, &(MachineConfig){ .quantum = 100 });
	stop = machine_run(rig.machine, 1000);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(machine_icount(rig.machine), 3);
	rig_close(&rig);
}

static void test_pause_and_kill(void **state)
{
	Rig rig;
	u32 number, other;
	u64 serial;

	(void)state;
	/* 1 waits for a channel; pausing it does not lose that it is woken. */
	rig_open(&rig,
		 ".ORG 0x100\nloop: JMP loop\n"
		 ".ORG 0x20\nLI R0, 5\nLI R1, 1\nLI R3, 0x90\nLOCK R3\nLI R2, 9\nself: JMP self\n",
		 &(MachineConfig){ .quantum = 3 });
	assert_int_equal(machine_vcpu_add(rig.machine, &number), STATUS_OK);
	assert_int_equal(number, 1);
	machine_vcpu_set_slot(rig.machine, 1, 0, 0x20);
	machine_write(rig.machine, 0, 0x90, 1); /* locked */
	machine_run(rig.machine, 30);
	assert_int_equal(machine_vcpu_state(rig.machine, 1), VCPU_WAIT_CHANNEL);
	machine_vcpu_pause(rig.machine, 1, true);
	assert_int_equal(machine_vcpu_state(rig.machine, 1), VCPU_PAUSED);
	machine_write(rig.machine, 0, 0x90, 0);
	machine_wake(rig.machine, 0x90);
	machine_run(rig.machine, 30);
	assert_int_equal(machine_vcpu_slot(rig.machine, 1, rig_slot(&rig, "R2")), 0);
	machine_vcpu_pause(rig.machine, 1, false);
	assert_int_equal(machine_vcpu_state(rig.machine, 1), VCPU_READY);
	machine_run(rig.machine, 30);
	assert_int_equal(machine_vcpu_slot(rig.machine, 1, rig_slot(&rig, "R2")), 9);
	assert_int_equal(rig_cell(&rig, 0x90), 1);
	/* Killed while it waits; its number is used anew. */
	machine_vcpu_set_slot(rig.machine, 1, 0, 0x23);
	machine_run(rig.machine, 30);
	assert_int_equal(machine_vcpu_state(rig.machine, 1), VCPU_WAIT_CHANNEL);
	serial = machine_vcpu_serial(rig.machine, 1);
	machine_vcpu_free(rig.machine, 1); /* it lives: nothing happens */
	assert_int_equal(machine_vcpu_state(rig.machine, 1), VCPU_WAIT_CHANNEL);
	machine_vcpu_end(rig.machine, 1, 44);
	assert_int_equal(machine_vcpu_state(rig.machine, 1), VCPU_ENDED);
	machine_wake(rig.machine, 0x90);
	assert_int_equal(machine_vcpu_state(rig.machine, 1), VCPU_ENDED);
	assert_int_equal(machine_vcpu_add(rig.machine, &other), STATUS_OK);
	assert_int_equal(other, 2);
	machine_vcpu_free(rig.machine, 1);
	assert_int_equal(machine_vcpu_state(rig.machine, 1), VCPU_FREE);
	assert_int_equal(machine_vcpu_select(rig.machine, 1), STATUS_NOT_FOUND);
	assert_int_equal(machine_vcpu_add(rig.machine, &number), STATUS_OK);
	assert_int_equal(number, 1);
	assert_true(machine_vcpu_serial(rig.machine, 1) > serial);
	assert_int_equal(machine_vcpu_slot(rig.machine, 1, rig_slot(&rig, "R2")), 0);
	assert_int_equal(machine_vcpu_slot(rig.machine, 1, 0), 0x100);
	/* All paused: nobody will ever go on. */
	for (u32 n = 0; n < 3; n++)
		machine_vcpu_pause(rig.machine, n, true);
	assert_int_equal(machine_run(rig.machine, 30).kind, STOP_DEADLOCK);
	machine_vcpu_pause(rig.machine, 2, false);
	assert_int_equal(machine_run(rig.machine, 30).kind, STOP_BUDGET);
	rig_close(&rig);
}

/* The services of a description: state, kill, pause, get, set, as a program sees them. */
static void test_services(void **state)
{
	static const char text[] =
		".ORG 0x100\n"
		"  LI R2, 0x20\n  START R3, R2\n" /* 1 */
		"  STATE R4, R3\n"                /* READY 0 */
		"  PAUSE R3\n  STATE R5, R3\n"    /* PAUSED 4 */
		"  LI R6, 1\n  LI R7, 77\n  SETR R6, R3, R7\n" /* its R0 (slot 1?) */
		"  LI R0, 1\n  GETR R0, R3\n"
		"  GOON R3\n  KILL R3\n  STATE R6, R3\n  KILL R3\n  STATE R7, R3\n"
		"  SELF R1\n  STOP 0\n"
		".ORG 0x20\nloop: JMP loop\n";
	Rig rig;

	(void)state;
	rig_open(&rig, text, &(MachineConfig){ .quantum = 1000 });
	assert_int_equal(machine_run(rig.machine, 1000).kind, STOP_HALT);
	assert_int_equal(rig_reg(&rig, "R3"), 1);
	assert_int_equal(rig_reg(&rig, "R4"), VCPU_READY);
	assert_int_equal(rig_reg(&rig, "R5"), VCPU_PAUSED);
	assert_int_equal(rig_reg(&rig, "R0"), 77);
	assert_int_equal(rig_reg(&rig, "R6"), VCPU_ENDED);
	assert_int_equal(rig_reg(&rig, "R7"), VCPU_FREE);
	assert_int_equal(rig_reg(&rig, "R1"), 0);
	assert_int_equal(machine_vcpu_code(rig.machine, 1), 137);
	rig_close(&rig);
}

/* Both write to address 3 of their stack, and read back their own. */
static const char stacks[] =
	".ORG 0x100\n"
	"       LI R2, 0x20\n"
	"       START R3, R2\n"
	"       JMP work\n"
	".ORG 0x20\n"
	"work:  SELF R0\n"
	"       ADDI R0, R0, 5\n"
	"       LI R1, 3\n"
	"       PUSH R0, R1\n"
	"       LI R2, 9\n"
	"loop:  ADDI R2, R2, -1\n"
	"       BNZ R2, loop\n"
	"       POP R4, R1\n"
	"       END R2\n";

static void test_private(void **state)
{
	static const u64 quanta[] = { 1, 2, 5, 100 };

	(void)state;
	for (unsigned q = 0; q < COUNT_OF(quanta); q++) {
		Rig rig;
		u16 stack = 1;
		u64 value;

		rig_open(&rig, stacks, &(MachineConfig){ .quantum = quanta[q] });
		assert_int_equal(machine_run(rig.machine, 1000).kind, STOP_HALT);
		for (u32 n = 0; n < 2; n++) {
			assert_int_equal(machine_vcpu_slot(rig.machine, n, rig_slot(&rig, "R4")), 5 + n);
			assert_int_equal(machine_vcpu_read(rig.machine, n, stack, 3, &value), STATUS_OK);
			assert_int_equal(value, 5 + n);
			assert_int_equal(machine_vcpu_select(rig.machine, n), STATUS_OK);
			assert_int_equal(machine_read(rig.machine, stack, 3, &value), STATUS_OK);
			assert_int_equal(value, 5 + n);
			assert_int_equal(machine_vcpu_write(rig.machine, n, stack, 4, n), STATUS_OK);
			assert_int_equal(machine_vcpu_write(rig.machine, n, stack, 64, n), STATUS_RANGE);
		}
		assert_int_equal(machine_vcpu_read(rig.machine, 0, stack, 4, &value), STATUS_OK);
		assert_int_equal(value, 0);
		assert_int_equal(machine_vcpu_read(rig.machine, 2, stack, 4, &value), STATUS_NOT_FOUND);
		/* A reset leaves one, with clean memory. */
		machine_reset(rig.machine, false);
		assert_int_equal(machine_vcpu_count(rig.machine), 1);
		assert_int_equal(machine_read(rig.machine, stack, 3, &value), STATUS_OK);
		assert_int_equal(value, 0);
		rig_close(&rig);
	}
}

/* A breakpoint holds for each of them, and nothing is executed twice or left out. */
static void test_break(void **state)
{
	Rig rig;
	u32 hits[3] = { 0 };

	(void)state;
	rig_open(&rig, locked, &(MachineConfig){ .quantum = 4 });
	machine_break_set(rig.machine, 0x2B, true); /* ADDI R2, R2, -1 */
	for (;;) {
		MachineStop stop = machine_run(rig.machine, 7);

		if (stop.kind == STOP_HALT)
			break;
		if (stop.kind == STOP_BUDGET)
			continue;
		assert_int_equal(stop.kind, STOP_BREAK);
		assert_int_equal(stop.pc, 0x2B);
		hits[stop.vcpu]++;
		machine_skip_break(rig.machine);
	}
	for (u32 n = 0; n < 3; n++)
		assert_int_equal(hits[n], 30);
	assert_int_equal(rig_cell(&rig, 0x91), 90);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts), cmocka_unit_test(test_slices), cmocka_unit_test(test_fair),
		cmocka_unit_test(test_seeds), cmocka_unit_test(test_wait), cmocka_unit_test(test_lock),
		cmocka_unit_test(test_deadlock), cmocka_unit_test(test_ping_pong), cmocka_unit_test(test_virtual_sleep),
		cmocka_unit_test(test_real_sleep), cmocka_unit_test(test_input), cmocka_unit_test(test_events),
		cmocka_unit_test(test_bomb), cmocka_unit_test(test_failure), cmocka_unit_test(test_stop_ends_one),
		cmocka_unit_test(test_pause_and_kill), cmocka_unit_test(test_services), cmocka_unit_test(test_private),
		cmocka_unit_test(test_break), cmocka_unit_test(test_handler_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
