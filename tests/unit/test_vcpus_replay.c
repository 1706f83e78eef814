/* SPDX-License-Identifier: MIT
 *
 * Runs of several vCPUs repeat bit for bit: from a snapshot at any place, from a recording of input and time however the
 * run is cut into pieces, and in a debugging session that goes back and forth.
 *
 * The program does a bit of everything, by chance: workers sleep, read keys, take a lock, yield, use their private
 * memory, start others, take events, and end.
 */
#include "unit/vcpus.h"

#include "base/rng.h"
#include "debug/session.h"

static const char medley[] =
	".ORG 0x100\n"
	"       JMP work\n"
	".ORG 0x20\n"
	"work:  LI R7, 12\n"
	"top:   RAND R0\n"
	"       LI R1, 7\n"
	"       AND R0, R0, R1\n"
	"       BNZ R0, n0\n"
	"       SLEEP R1\n"
	"       JMP next\n"
	"n0:    ADDI R0, R0, -1\n"
	"       BNZ R0, n1\n"
	"       GETC R2\n"
	"       OUT R2\n"
	"       JMP next\n"
	"n1:    ADDI R0, R0, -1\n"
	"       BNZ R0, n2\n"
	"       LI R3, 0x90\n"
	"       LOCK R3\n"
	"       LI R4, 5\n"
	"d:     ADDI R4, R4, -1\n"
	"       BNZ R4, d\n"
	"       LI R5, 0x91\n"
	"       INC R6, R5\n"
	"       FREE R3\n"
	"       JMP next\n"
	"n2:    ADDI R0, R0, -1\n"
	"       BNZ R0, n3\n"
	"       YIELD\n"
	"       JMP next\n"
	"n3:    ADDI R0, R0, -1\n"
	"       BNZ R0, n4\n"
	"       SELF R2\n"
	"       PUSH R2, R1\n"
	"       POP R5, R1\n"
	"       JMP next\n"
	"n4:    ADDI R0, R0, -1\n"
	"       BNZ R0, n5\n"
	"       LI R2, 0x20\n"
	"       START R3, R2\n"
	"       JMP next\n"
	"n5:    ADDI R0, R0, -1\n"
	"       BNZ R0, n6\n"
	"       ARM\n"
	"       SELF R4\n"
	"       BNZ R4, n7\n"
	"       TWO\n"
	"n7:    YIELD\n"
	"       TIME R4\n"
	"       KEY R2\n"
	"       JMP next\n"
	"n6:    OUT R7\n"
	"next:  ADDI R7, R7, -1\n"
	"       BNZ R7, top\n"
	"       END R7\n";

static MachineConfig config_of(Rng *rng, bool virtual_time)
{
	static const u64 quanta[] = { 1, 2, 5, 17, 1000 };

	return (MachineConfig){ .quantum = quanta[rng_below(rng, COUNT_OF(quanta))], .quantum_jitter = rng_below(rng, 2),
				.random_seed = rng_next(rng), .vcpu_limit = 6, .virtual_time = virtual_time };
}

/* Something from outside. */
static void disturb(Machine *machine, Rng *rng)
{
	u8 byte = (u8)('a' + rng_below(rng, 26));

	if (rng_below(rng, 2))
		machine_input(machine, &byte, 1);
	else
		machine_set_time(machine, machine_time(machine) + rng_below(rng, 5000000));
}

static bool is_over(StopKind kind)
{
	return kind == STOP_HALT || kind == STOP_DEADLOCK || kind == STOP_INPUT_ENDED;
}

/* Runs to the end, with disturbances; what the machine waits for comes. */
static StopKind run_live(Machine *machine, Rng *rng)
{
	for (;;) {
		MachineStop stop = machine_run(machine, 1 + rng_below(rng, 40));

		if (is_over(stop.kind))
			return stop.kind;
		if (stop.kind == STOP_BREAK)
			machine_skip_break(machine);
		if (stop.kind == STOP_SLEEP && rng_below(rng, 2))
			machine_set_time(machine, stop.code);
		if (stop.kind == STOP_WAIT)
			machine_input(machine, (const u8 *)"w", 1);
		if (stop.kind != STOP_BUDGET || rng_below(rng, 8) == 0)
			disturb(machine, rng);
		if (rng_below(rng, 400) == 0)
			machine_input_end(machine);
	}
}

static StopKind run_again(Machine *machine, Rng *rng, u64 most)
{
	for (;;) {
		MachineStop stop = machine_run(machine, 1 + rng_below(rng, most));

		if (stop.kind == STOP_BREAK)
			machine_skip_break(machine);
		else if (stop.kind != STOP_BUDGET)
			return stop.kind;
	}
}

static void test_replay(void **state)
{
	Rng rng = { 11 };
	u32 ends[STOP_ERROR + 1] = { 0 };

	(void)state;
	for (unsigned n = 0; n < 90; n++) {
		MachineConfig config = config_of(&rng, false);
		StopKind end;
		Rig rig;
		Buf start;
		u64 hash, count;

		rig_open(&rig, medley, &config);
		buf_init(&start);
		machine_record(rig.machine, true);
		assert_int_equal(machine_snapshot(rig.machine, &start), STATUS_OK);
		if (n % 3 == 0)
			machine_break_set(rig.machine, 0x22 + rng_below(&rng, 40), true);
		end = run_live(rig.machine, &rng);
		ends[end]++;
		hash = rig_hash(&rig);
		count = machine_icount(rig.machine);
		for (unsigned k = 0; k < 3; k++) {
			static const u64 most[] = { 1, 30, 100000 };

			assert_int_equal(machine_restore(rig.machine, start.data, start.len), STATUS_OK);
			machine_replay_from(rig.machine, 0);
			assert_int_equal(run_again(rig.machine, &rng, most[k]), end);
			assert_int_equal(machine_icount(rig.machine), count);
			assert_true(rig_hash(&rig) == hash);
		}
		buf_fini(&start);
		rig_close(&rig);
	}
	assert_true(ends[STOP_HALT] > 30);
}

/* From a snapshot at any instruction, in a machine that was made with other settings and has run something else. */
static void test_snapshots(void **state)
{
	Rng rng = { 5 };
	u64 serials = 0;

	(void)state;
	for (unsigned n = 0; n < 40; n++) {
		MachineConfig config = config_of(&rng, true), others = config_of(&rng, n % 2);
		u8 keys[100];
		StopKind end;
		Rig rig;
		u64 hash, count;

		rig_open(&rig, medley, &config);
		for (unsigned i = 0; i < sizeof(keys); i++)
			keys[i] = (u8)('a' + i % 26);
		machine_input(rig.machine, keys, sizeof(keys));
		end = run_again(rig.machine, &rng, 1000000);
		hash = rig_hash(&rig);
		count = machine_icount(rig.machine);
		for (unsigned k = 0; k < 8; k++) {
			Machine *other = rig_machine(rig.isa, rig.program, &others);
			Buf snapshot;

			machine_run(other, rng_below(&rng, 300));
			machine_reset(rig.machine, false);
			for (u32 i = 0; i < rig.program->segment_count; i++)
				for (u32 c = 0; c < rig.program->segments[i].count; c++)
					machine_write(rig.machine, 0, rig.program->segments[i].origin + c,
						      rig.program->segments[i].cells[c]);
			machine_input(rig.machine, keys, sizeof(keys));
			while (machine_icount(rig.machine) < rng_below(&rng, count))
				if (machine_run(rig.machine, 1 + rng_below(&rng, 9)).kind != STOP_BUDGET)
					break;
			buf_init(&snapshot);
			assert_int_equal(machine_snapshot(rig.machine, &snapshot), STATUS_OK);
			assert_int_equal(machine_restore(other, snapshot.data, snapshot.len), STATUS_OK);
			assert_true(hash_of(other) == rig_hash(&rig));
			assert_int_equal(run_again(other, &rng, 50), end);
			assert_true(hash_of(other) == hash);
			for (u32 v = 0; v < machine_vcpu_count(other); v++)
				serials += machine_vcpu_serial(other, v);
			buf_fini(&snapshot);
			machine_destroy(other);
		}
		rig_close(&rig);
	}
	assert_true(serials > 500);
}

/* Damage with a right checksum: refused without a change, or a state from which the machine runs. */
static void test_forged(void **state)
{
	Rng rng = { 17 };
	MachineConfig config = { .quantum = 5, .quantum_jitter = true, .vcpu_limit = 6, .virtual_time = true };
	Rig rig;
	Buf good, bad;
	u64 accepted = 0, refused = 0;

	(void)state;
	rig_open(&rig, medley, &config);
	machine_input(rig.machine, (const u8 *)"abcdefghijkl", 12);
	machine_run(rig.machine, 250);
	assert_true(machine_vcpu_count(rig.machine) > 2);
	buf_init(&good);
	buf_init(&bad);
	assert_int_equal(machine_snapshot(rig.machine, &good), STATUS_OK);
	for (unsigned n = 0; n < 4000; n++) {
		u64 sum = 0xCBF29CE484222325u, before = rig_hash(&rig);
		size_t at = n < good.len - 8 ? n : (size_t)rng_below(&rng, good.len - 8);
		Status status;

		buf_clear(&bad);
		buf_add(&bad, good.data, good.len);
		bad.data[at] = rng_below(&rng, 2) ? (u8)rng_next(&rng) : rng_below(&rng, 2) ? 0xFF : (u8)rng_below(&rng, 9);
		for (size_t i = 0; i < bad.len - 8; i++)
			sum = (sum ^ bad.data[i]) * 0x100000001B3u;
		memcpy(bad.data + bad.len - 8, &sum, 8);
		status = machine_restore(rig.machine, bad.data, bad.len);
		if (status) {
			refused++;
			assert_true(rig_hash(&rig) == before);
			continue;
		}
		accepted++;
		machine_run(rig.machine, 300);
	}
	assert_true(accepted > 100 && refused > 100);
	buf_fini(&good);
	buf_fini(&bad);
	rig_close(&rig);
}

/* ---- In the debugger ---- */

/* What all of them are like, without what has to do with the present place between two instructions. */
static u64 look(const Rig *rig)
{
	u64 hash = machine_icount(rig->machine);

	for (u32 n = 0; n < machine_vcpu_count(rig->machine); n++) {
		for (u32 i = 0; i < rig->isa->slot_count; i++)
			hash = (hash ^ machine_vcpu_slot(rig->machine, n, i)) * 1099511628211u;
		hash = (hash ^ machine_vcpu_icount(rig->machine, n)) * 1099511628211u;
	}
	for (u64 at = 0x80; at < 0x100; at++)
		hash = (hash ^ rig_cell(rig, at)) * 1099511628211u;
	return hash;
}

static void test_session(void **state)
{
	Rng rng = { 23 };

	(void)state;
	for (unsigned n = 0; n < 12; n++) {
		MachineConfig config = config_of(&rng, n % 2);
		DebugOutput output = { 0 };
		DebugSymbols symbols;
		DebugSession *session;
		u64 *looks, count = 0;
		Rig rig;

		rig_open(&rig, medley, &config);
		debug_symbols_init(&symbols, false);
		session = debug_session_create(rig.machine, &symbols, 0, &output);
		assert_non_null(session);
		debug_session_interval(session, 20);
		for (unsigned i = 0; i < 40; i++)
			debug_input(session, (const u8 *)"xy", 2);
		looks = calloc(3000, sizeof(u64));
		while (count < 3000) { /* forward, one instruction at a time */
			looks[count++] = look(&rig);
			if (debug_run_to(session, count).reason != DEBUG_DONE)
				break;
			assert_int_equal(machine_icount(rig.machine), count);
		}
		for (unsigned k = 0; k < 60; k++) {
			u64 to = rng_below(&rng, count);
			u32 vcpu;
			u64 own;

			assert_int_equal(debug_goto(session, to).reason, DEBUG_DONE);
			assert_true(look(&rig) == looks[to]);
			/* One step of any of them and back again: it is where it was. */
			vcpu = (u32)rng_below(&rng, machine_vcpu_count(rig.machine));
			if (machine_vcpu_count(rig.machine) < 2 || !machine_vcpu_is_alive(rig.machine, vcpu))
				continue;
			machine_vcpu_select(rig.machine, vcpu);
			own = machine_vcpu_icount(rig.machine, vcpu);
			if (debug_step(session, 1).reason != DEBUG_DONE || !machine_vcpu_is_alive(rig.machine, vcpu))
				continue;
			assert_int_equal(machine_vcpu_current(rig.machine), vcpu);
			assert_int_equal(machine_vcpu_icount(rig.machine, vcpu), own + 1);
			to = machine_icount(rig.machine);
			assert_int_equal(debug_reverse_step(session, 1).reason, DEBUG_DONE);
			assert_int_equal(machine_vcpu_current(rig.machine), vcpu);
			assert_int_equal(machine_vcpu_icount(rig.machine, vcpu), own);
			assert_int_equal(machine_icount(rig.machine), to - 1);
		}
		free(looks);
		debug_session_destroy(session);
		debug_symbols_fini(&symbols);
		rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replay), cmocka_unit_test(test_snapshots), cmocka_unit_test(test_forged),
		cmocka_unit_test(test_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
