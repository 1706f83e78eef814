/* SPDX-License-Identifier: MIT
 * machine/snapshot and record: a snapshot at any instruction goes on to the same end, in another machine too; damaged
 * ones are refused and change nothing; a log replays a run bit for bit.
 */
#include "toy.h"

#include "base/rng.h"

/* Memory, devices, interrupts, a timer, exceptions, random numbers, two modes; it waits for a byte first. */
#define PROGRAM(end) \
	".ORG 0x40\nLI R5, -254\nLD R6, R5\nOUT R6\nIRET\n" \
	".ORG 0x80\nwork: ST R1, R1\nLD R2, R1\nADD R3, R3, R2\nRAND R4\nADD R3, R3, R4\nTRAP 2\nRET\n" \
	".ORG 0x100\nGETC R0\nLI R0, 0x7F\nADD R0, R0, R0\nSETF\n" \
	"loop: ADD R1, R0, R0\nLI R4, 0xFF\nADD R1, R1, R4\nADD R1, R1, R4\nCALL work\n" \
	"MODE 1\nWHO R2\nADD R3, R3, R2\nMODE 0\nSTD R3, R2\nLDD R2, R0\nADDI R0, R0, -1\nBNZ R0, loop\n" end

static const char program[] = PROGRAM("STOP 3\n");
static const char program_that_waits[] = PROGRAM("GETC R1\nGETC R1\nSTOP 3\n");

static u64 fnv(const u8 *bytes, size_t len)
{
	u64 hash = 0xCBF29CE484222325u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001B3u;
	return hash;
}

/* Makes the checksum right again, so that what is behind it is tested too. */
static void seal(Buf *snapshot)
{
	u64 hash = fnv(snapshot->data, snapshot->len - 8);

	for (unsigned i = 0; i < 8; i++)
		snapshot->data[snapshot->len - 8 + i] = (u8)(hash >> (8 * i));
}

static void test_every_instruction(void **state)
{
	Toy toy;
	Machine *other;
	u64 end, icount = 0, last;
	MachineStop stop;

	(void)state;
	toy_open(&toy, program);
	machine_input(toy.machine, (const u8 *)"abcdef", 6);
	stop = machine_run(toy.machine, 1000000);
	assert_int_equal(stop.kind, STOP_HALT);
	end = toy_hash(toy.machine);
	last = machine_icount(toy.machine);
	assert_in_range(last, 3000, 10000);
	other = toy_machine(toy.isa);
	toy_close(&toy);

	toy_open(&toy, program);
	machine_destroy(other);
	other = toy_machine(toy.isa); /* without the program: everything is in the snapshot */
	machine_input(toy.machine, (const u8 *)"abcdef", 6);
	while (icount < last) {
		Buf snapshot;

		buf_init(&snapshot);
		assert_int_equal(machine_snapshot(toy.machine, &snapshot), STATUS_OK);
		assert_int_equal(machine_restore(other, snapshot.data, snapshot.len), STATUS_OK);
		assert_true(toy_hash(other) == toy_hash(toy.machine));
		assert_int_equal(machine_run(other, 100000).kind, STOP_HALT);
		assert_true(toy_hash(other) == end);
		assert_int_equal(machine_icount(other), last);
		buf_fini(&snapshot);
		machine_run(toy.machine, icount < 200 ? 1 : 17);
		icount = machine_icount(toy.machine);
	}
	machine_destroy(other);
	toy_close(&toy);
}

/* Sizes that change, a space that does not wrap, guest bytes. */
static void test_sizes(void **state)
{
	static const Guest guest = { .name = "keeper", .private_size = 16 };
	Toy toy;
	DiagList diags;
	MachineConfig config = { .guest = &guest };
	Machine *a, *b, *limited;
	Buf snapshot;
	SnapshotHead head;
	u64 value;

	(void)state;
	toy_open(&toy, "STOP 0\n");
	diag_init(&diags);
	config.isa = isa_load("grow.isa",
			      "isa G\nspace P : 8, size program\nspace Q : 32, address 64\ncode P\nreg pc : 16\n"
			      "reg a : 8\ninsn NOP \"00000000\" { a = a + P[pc] }\n", strlen(
			      "isa G\nspace P : 8, size program\nspace Q : 32, address 64\ncode P\nreg pc : 16\n"
			      "reg a : 8\ninsn NOP \"00000000\" { a = a + P[pc] }\n"), NULL, 0, &diags);
	toy_check(&diags, config.isa);
	config.size_program = 50;
	assert_int_equal(machine_create(&config, &a, &diags), STATUS_OK);
	assert_int_equal(machine_create(&config, &b, &diags), STATUS_OK);
	config.memory_limit = 200;
	assert_int_equal(machine_create(&config, &limited, &diags), STATUS_OK);
	assert_int_equal(machine_resize(a, 1, 1000), STATUS_OK);
	assert_int_equal(machine_write(a, 1, 999, 0xDEADBEEF), STATUS_OK);
	assert_int_equal(machine_write(a, 0, 49, 0x99), STATUS_OK);
	memcpy(machine_private(a), "0123456789ABCDEF", 16);
	buf_init(&snapshot);
	assert_int_equal(machine_snapshot(a, &snapshot), STATUS_OK);
	assert_true(snapshot.len < 400);
	assert_int_equal(machine_snapshot_head(snapshot.data, snapshot.len, &head), STATUS_OK);
	assert_string_equal(head.guest, "keeper");
	assert_string_equal(head.isa, "G");
	assert_true(head.isa_hash == config.isa->hash);
	assert_int_equal(machine_restore(b, snapshot.data, snapshot.len), STATUS_OK);
	assert_int_equal(machine_cells(b, 1), 1000);
	assert_int_equal(machine_read(b, 1, 999, &value), STATUS_OK);
	assert_int_equal(value, 0xDEADBEEF);
	assert_memory_equal(machine_private(b), "0123456789ABCDEF", 16);
	assert_int_equal(machine_restore(limited, snapshot.data, snapshot.len), STATUS_TOO_BIG);
	assert_int_equal(machine_restore(toy.machine, snapshot.data, snapshot.len), STATUS_MISMATCH);
	buf_fini(&snapshot);
	machine_destroy(a);
	machine_destroy(b);
	machine_destroy(limited);
	isa_destroy((Isa *)config.isa);
	diag_fini(&diags);
	toy_close(&toy);
}

static void small_snapshot(Toy *toy, Buf *snapshot)
{
	toy_open(toy, program);
	machine_input(toy->machine, (const u8 *)"abcdef", 6);
	machine_run(toy->machine, 500);
	buf_init(snapshot);
	assert_int_equal(machine_snapshot(toy->machine, snapshot), STATUS_OK);
	machine_run(toy->machine, 77);
}

static void test_damaged(void **state)
{
	Toy toy;
	Buf good, bad;
	u64 before;

	(void)state;
	small_snapshot(&toy, &good);
	before = toy_hash(toy.machine);
	buf_init(&bad);
	for (size_t i = 0; i < good.len; i++) { /* every byte, in three ways */
		static const u8 flips[] = { 0x01, 0x80, 0xFF };

		for (unsigned k = 0; k < 3; k++) {
			buf_clear(&bad);
			buf_add(&bad, good.data, good.len);
			bad.data[i] ^= flips[k];
			assert_true(machine_restore(toy.machine, bad.data, bad.len) != STATUS_OK);
		}
	}
	for (size_t len = 0; len < good.len; len++) {
		Status status = machine_restore(toy.machine, good.data, len);

		assert_int_equal(status, STATUS_TRUNCATED);
	}
	buf_clear(&bad);
	buf_add(&bad, good.data, good.len);
	buf_byte(&bad, 0);
	assert_int_equal(machine_restore(toy.machine, bad.data, bad.len), STATUS_CORRUPT);
	assert_int_equal(machine_restore(toy.machine, (const u8 *)"HUSKISA1xxxxxxxxxxxxxxxxxxxxx", 28), STATUS_FORMAT);
	assert_true(toy_hash(toy.machine) == before);
	assert_int_equal(machine_restore(toy.machine, good.data, good.len), STATUS_OK);
	assert_true(toy_hash(toy.machine) != before);
	buf_fini(&good);
	buf_fini(&bad);
	toy_close(&toy);
}

/* With a right checksum: whatever is accepted is a state the machine can be in, and nothing crashes. */
static void test_forged(void **state)
{
	Toy toy;
	Buf good, bad;
	Rng rng = { 7 };
	u64 accepted = 0, refused = 0;

	(void)state;
	small_snapshot(&toy, &good);
	buf_init(&bad);
	for (unsigned n = 0; n < 6000; n++) {
		unsigned changes = 1 + (unsigned)rng_below(&rng, 3);
		Status status;
		u64 before = toy_hash(toy.machine);

		buf_clear(&bad);
		buf_add(&bad, good.data, good.len);
		for (unsigned k = 0; k < changes; k++) {
			size_t at = n < good.len - 8 ? n : (size_t)rng_below(&rng, good.len - 8);

			bad.data[at] = rng_below(&rng, 2) ? (u8)rng_next(&rng) : 0xFF;
		}
		seal(&bad);
		status = machine_restore(toy.machine, bad.data, bad.len);
		if (status) {
			refused++;
			assert_true(toy_hash(toy.machine) == before);
			continue;
		}
		accepted++;
		machine_run(toy.machine, 200);
		for (u32 slot = 0; slot < toy.isa->slot_count; slot++)
			assert_true(machine_slot(toy.machine, slot) <= 0xFFFF);
	}
	assert_true(accepted > 100 && refused > 100);
	buf_fini(&good);
	buf_fini(&bad);
	toy_close(&toy);
}

/* Bytes arrive at odd moments, also while the program waits; the log brings them at the same ones. */
static void test_replay(void **state)
{
	for (u64 seed = 1; seed <= 20; seed++) {
		Toy toy;
		Rng rng = { seed };
		Buf start;
		MachineStop stop;
		u64 end, icount;
		u32 events;

		(void)state;
		toy_open(&toy, program_that_waits);
		machine_record(toy.machine, true);
		buf_init(&start);
		assert_int_equal(machine_snapshot(toy.machine, &start), STATUS_OK);
		for (;;) {
			u8 byte = (u8)('a' + rng_below(&rng, 26));

			stop = machine_run(toy.machine, 1 + rng_below(&rng, 400));
			if (stop.kind == STOP_WAIT || (stop.kind == STOP_BUDGET && rng_below(&rng, 3) == 0))
				machine_input(toy.machine, &byte, 1);
			else if (stop.kind != STOP_BUDGET)
				break;
		}
		assert_int_equal(stop.kind, STOP_HALT);
		end = toy_hash(toy.machine);
		icount = machine_icount(toy.machine);
		events = machine_event_count(toy.machine);
		assert_true(events >= 2);
		for (int again = 0; again < 3; again++) {
			assert_int_equal(machine_restore(toy.machine, start.data, start.len), STATUS_OK);
			machine_replay_from(toy.machine, 0);
			do {
				stop = machine_run(toy.machine, again == 0 ? ~(u64)0 : 1 + rng_below(&rng, 300));
			} while (stop.kind == STOP_BUDGET);
			assert_int_equal(stop.kind, STOP_HALT);
			assert_int_equal(machine_icount(toy.machine), icount);
			assert_true(toy_hash(toy.machine) == end);
			assert_int_equal(machine_event_count(toy.machine), events);
		}
		/* Another future: what lay ahead is dropped. */
		assert_int_equal(machine_restore(toy.machine, start.data, start.len), STATUS_OK);
		machine_replay_from(toy.machine, 0);
		machine_input(toy.machine, (const u8 *)"zz", 2);
		assert_int_equal(machine_event_count(toy.machine), 1);
		assert_int_equal(machine_event(toy.machine, 0)->len, 2);
		buf_fini(&start);
		toy_close(&toy);
	}
}

/* Arrivals behind the boundary (at a breakpoint) come at the same place when nothing stops there. */
static void test_replay_of_break(void **state)
{
	Toy toy;
	Buf start;
	u64 end;

	(void)state;
	toy_open(&toy, ".ORG 0x40\nLI R5, -254\nLD R6, R5\nADD R3, R3, R1\nIRET\n"
		       ".ORG 0x100\nSETF\nloop: ADDI R1, R1, 1\nLI R2, 1\nBNZ R2, loop\n");
	machine_record(toy.machine, true);
	buf_init(&start);
	assert_int_equal(machine_snapshot(toy.machine, &start), STATUS_OK);
	machine_run(toy.machine, 1002);
	machine_break_set(toy.machine, 0x101, true);
	assert_int_equal(machine_run(toy.machine, 1000).kind, STOP_BREAK);
	machine_input(toy.machine, (const u8 *)"ab", 2);
	machine_break_set(toy.machine, 0x101, false);
	machine_run(toy.machine, 3000 - machine_icount(toy.machine));
	end = toy_hash(toy.machine);
	assert_int_equal(machine_restore(toy.machine, start.data, start.len), STATUS_OK);
	machine_replay_from(toy.machine, 0);
	machine_run(toy.machine, 3000);
	assert_true(toy_hash(toy.machine) == end);
	buf_fini(&start);
	toy_close(&toy);
}

/* Stopped behind the work between two instructions: it is not done twice. */
static void test_phase(void **state)
{
	Toy toy;
	Machine *other;
	Buf bytes;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nLI R1, 1\nLI R1, 1\nLI R1, 1\nLI R1, 1\nLI R1, 1\nLI R1, 1\nLI R1, 1\nLI R1, 1\n"
		       "LI R1, 1\nLI R1, 1\nGETC R2\nSTOP 0\n");
	assert_int_equal(machine_run(toy.machine, 100).kind, STOP_WAIT);
	assert_int_equal(toy_reg(toy.machine, "ticks"), 1);
	buf_init(&bytes);
	assert_int_equal(machine_snapshot(toy.machine, &bytes), STATUS_OK);
	other = toy_machine(toy.isa);
	assert_int_equal(machine_restore(other, bytes.data, bytes.len), STATUS_OK);
	machine_input(other, (const u8 *)"a", 1);
	assert_int_equal(machine_run(other, 100).kind, STOP_HALT);
	assert_int_equal(toy_reg(other, "ticks"), 1);
	assert_int_equal(toy_reg(other, "R2"), 'a'); /* not taken by the event in between */
	buf_fini(&bytes);
	machine_destroy(other);
	toy_close(&toy);
}

/* How long it has been polling in vain is part of the state. */
static void test_polls(void **state)
{
	Toy toy;
	Machine *other;
	Buf bytes;
	u64 end;

	(void)state;
	toy_open(&toy, ".ORG 0x100\nLI R2, -256\npoll: LD R1, R2\nLI R3, 1\nBNZ R3, poll\n");
	machine_input_end(toy.machine);
	assert_int_equal(machine_run(toy.machine, ~(u64)0).kind, STOP_INPUT_ENDED);
	end = machine_icount(toy.machine);
	toy_close(&toy);
	toy_open(&toy, ".ORG 0x100\nLI R2, -256\npoll: LD R1, R2\nLI R3, 1\nBNZ R3, poll\n");
	machine_input_end(toy.machine);
	machine_run(toy.machine, 1000000);
	buf_init(&bytes);
	assert_int_equal(machine_snapshot(toy.machine, &bytes), STATUS_OK);
	other = toy_machine(toy.isa);
	assert_int_equal(machine_restore(other, bytes.data, bytes.len), STATUS_OK);
	assert_int_equal(machine_run(other, ~(u64)0).kind, STOP_INPUT_ENDED);
	assert_int_equal(machine_icount(other), end);
	buf_fini(&bytes);
	machine_destroy(other);
	toy_close(&toy);
}

/* The runs of the last space, D with 100 cells of 8 bits, written by hand. */
static void test_runs(void **state)
{
	typedef struct Record { u64 first; u32 count; } Record;
	static const struct { Record records[4]; Status status; } cases[] = {
		{ { { 5, 2 }, { 50, 3 }, { 100, 0 } }, STATUS_OK },
		{ { { 0, 100 }, { 100, 0 } }, STATUS_OK },
		{ { { 5, 2 }, { 7, 1 }, { 100, 0 } }, STATUS_OK },
		{ { { 100, 0 } }, STATUS_OK },
		{ { { 50, 3 }, { 5, 2 }, { 100, 0 } }, STATUS_CORRUPT },
		{ { { 5, 2 }, { 6, 1 }, { 100, 0 } }, STATUS_CORRUPT },
		{ { { 99, 2 }, { 100, 0 } }, STATUS_CORRUPT },
		{ { { 0, 101 }, { 100, 0 } }, STATUS_CORRUPT },
		{ { { 100, 1 }, { 100, 0 } }, STATUS_CORRUPT },
		{ { { ~(u64)0, 2 }, { 100, 0 } }, STATUS_CORRUPT },
		{ { { 5, 0xFFFFFFFF }, { 100, 0 } }, STATUS_CORRUPT },
		{ { { 5, 2 }, { 99, 0 } }, STATUS_CORRUPT },
		{ { { 5, 2 }, { 101, 0 } }, STATUS_CORRUPT },
	};
	Toy toy;
	Buf good;
	size_t tail; /* what stands behind the spaces: no tables, one vCPU, nothing of a guest */

	(void)state;
	toy_open(&toy, "STOP 0\n");
	tail = 4 + 12 + 46 + 8 * (size_t)toy.isa->slot_count + 8;
	buf_init(&good);
	assert_int_equal(machine_snapshot(toy.machine, &good), STATUS_OK);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		Buf forged;

		buf_init(&forged);
		buf_add(&forged, good.data, good.len - 12 - tail - 8); /* up to the (empty) runs of D */
		for (const Record *record = cases[i].records;; record++) {
			buf_u64(&forged, record->first);
			buf_u32(&forged, record->count);
			buf_fill(&forged, 0xEE, record->count < 1000 ? record->count : 1000);
			if (!record->count)
				break;
		}
		buf_add(&forged, good.data + good.len - 8 - tail, tail);
		buf_u64(&forged, 0);
		for (unsigned k = 0; k < 8; k++)
			forged.data[12 + k] = (u8)(forged.len >> (8 * k));
		seal(&forged);
		if (machine_restore(toy.machine, forged.data, forged.len) != cases[i].status)
			fail_msg("case %zu", i);
		buf_fini(&forged);
	}
	buf_fini(&good);
	toy_close(&toy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_instruction), cmocka_unit_test(test_sizes), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_forged), cmocka_unit_test(test_replay), cmocka_unit_test(test_replay_of_break), cmocka_unit_test(test_phase),
		cmocka_unit_test(test_polls), cmocka_unit_test(test_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
