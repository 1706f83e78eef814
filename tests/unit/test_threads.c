/* SPDX-License-Identifier: MIT
 * Machines on several threads: an Isa is shared by all of them and nothing else is. Each thread assembles, decodes,
 * disassembles, runs in pieces, takes snapshots and goes back to them, and all come to the same end. The test is as
 * good as the build it runs in: tests/run builds it with the thread sanitizer.
 */
#include "toy.h"

#include <pthread.h>

#include "asm/manual.h"
#include "base/rng.h"

enum { THREADS = 4, ROUNDS = 3 };

/* Everything there is in toy.h: devices, timer, interrupts, exceptions, random numbers, self-modifying code. */
static const char program[] =
	".ORG 0x40\nLI R5, -254\nLD R6, R5\nOUT R6\nIRET\n"
	".ORG 0x80\nwork: ST R1, R1\nLD R2, R1\nADD R3, R3, R2\nRAND R4\nADD R3, R3, R4\nTRAP 2\nRET\n"
	".ORG 0x100\nGETC R0\nLI R0, 0x7F\nADD R0, R0, R0\nSETF\n"
	"loop: ADD R1, R0, R0\nLI R4, 0xFF\nADD R1, R1, R4\nADD R1, R1, R4\nCALL work\n"
	"LI R4, 0x85\nLD R2, R4\nST R2, R4\n" /* TRAP 2, on itself */
	"MODE 1\nWHO R2\nADD R3, R3, R2\nMODE 0\nSTD R3, R2\nLDD R2, R0\nADDI R0, R0, -1\nBNZ R0, loop\nSTOP 3\n";

typedef struct Work {
	const Isa *isa;
	u64 end, cells;
	bool wrong;
} Work;

static void drop(void *ctx, const u8 *bytes, size_t len)
{
	*(u64 *)ctx += len + bytes[0];
}

/* No assertions in here: cmocka's belong to one thread. */
static void *run_toy(void *ctx)
{
	Work *work = ctx;
	Source source = { "toy.asm", program, strlen(program) };
	AsmOptions options = { 0 };
	MachineConfig config = { .isa = work->isa, .random_seed = 42, .size_program = 100 };

	for (unsigned round = 0; round < ROUNDS; round++) {
		DiagList diags;
		AsmProgram *made;
		Machine *machine = NULL;
		MachineStop stop = { 0 };
		Buf snapshot, text;
		u64 seen = 0, hash = 1469598103934665603u;

		diag_init(&diags);
		buf_init(&snapshot);
		buf_init(&text);
		made = asm_assemble(work->isa, &source, &options, &diags);
		if (!made || machine_create(&config, &machine, &diags)) {
			work->wrong = true;
			return NULL;
		}
		machine_set_output(machine, drop, &seen);
		for (u32 i = 0; i < made->segment_count; i++)
			for (u32 k = 0; k < made->segments[i].count; k++)
				machine_write(machine, made->segments[i].space, made->segments[i].origin + k,
					      made->segments[i].cells[k]);
		machine_reset(machine, true);
		machine_input(machine, (const u8 *)"abcdef", 6);
		for (u64 n = 1; stop.kind != STOP_HALT && n < 100000; n++) {
			DisOptions dis = { 0 };
			IsaDecoded decoded;

			stop = machine_run(machine, n % 23);
			machine_decode(machine, machine_pc(machine), &decoded);
			isa_flow(work->isa, &decoded);
			if (n % 16 == 0)
				dis_instruction(work->isa, &dis, machine_pc(machine), &decoded, &text);
			machine_view(machine, 0);
			if (n % 64 == 0) {
				buf_clear(&snapshot);
				work->wrong |= machine_snapshot(machine, &snapshot) != STATUS_OK;
				machine_run(machine, 50);
				work->wrong |= machine_restore(machine, snapshot.data, snapshot.len) != STATUS_OK;
			}
		}
		buf_clear(&snapshot);
		work->wrong |= stop.kind != STOP_HALT || machine_snapshot(machine, &snapshot) != STATUS_OK;
		for (size_t i = 0; i < snapshot.len; i++)
			hash = (hash ^ snapshot.data[i]) * 1099511628211u;
		work->wrong |= round && hash != work->end;
		work->end = hash;
		buf_clear(&text);
		manual_write(work->isa, MANUAL_TEXT, &text);
		machine_destroy(machine);
		asm_program_destroy(made);
		diag_fini(&diags);
		buf_fini(&snapshot);
		buf_fini(&text);
	}
	return NULL;
}

/* Random instructions of a larger computer, the same in each thread. */
static void *run_random(void *ctx)
{
	Work *work = ctx;
	Rng rng = { 99 };
	u64 hash = 1469598103934665603u;

	for (unsigned n = 0; n < 200; n++) {
		MachineConfig config = { .isa = work->isa, .random_seed = n, .memory_limit = 1 << 21 };
		Machine *machine = NULL;
		DiagList diags;
		u64 at, cells[32], sink = 0;

		diag_init(&diags);
		if (machine_create(&config, &machine, &diags)) {
			work->wrong = true;
			return NULL;
		}
		machine_reset(machine, false);
		machine_set_output(machine, drop, &sink);
		machine_input_end(machine);
		at = machine_pc(machine);
		for (unsigned i = 0; i < 60; i++) {
			u32 count = gen_valid(work->isa, &rng, cells);

			for (u32 k = 0; k < count; k++)
				machine_write(machine, work->isa->code_space, at++, cells[k]);
		}
		for (unsigned i = 0; i < 5; i++)
			hash = (hash ^ (u64)machine_run(machine, 40).kind ^ machine_pc(machine) << 8) * 1099511628211u;
		machine_destroy(machine);
		diag_fini(&diags);
	}
	work->end = hash;
	return NULL;
}

static void run_all(const Isa *isa, void *(*function)(void *))
{
	pthread_t threads[THREADS];
	Work work[THREADS] = { 0 };

	for (unsigned i = 0; i < THREADS; i++) {
		work[i].isa = isa;
		assert_int_equal(pthread_create(&threads[i], NULL, function, &work[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_false(work[i].wrong);
		assert_true(work[i].end == work[0].end);
	}
	assert_int_not_equal(work[0].end, 0);
}

static Isa *load(const char *name, const char *text)
{
	DiagList diags;
	Isa *isa;

	diag_init(&diags);
	isa = isa_load(name, text, strlen(text), NULL, 0, &diags);
	toy_check(&diags, isa);
	diag_fini(&diags);
	return isa;
}

static void test_toy(void **state)
{
	Isa *isa = load("toy.isa", toy_isa);

	(void)state;
	run_all(isa, run_toy);
	isa_destroy(isa);
}

static void test_random(void **state)
{
	static const char *const names[] = { "tests/isa/rv64gc.isa", "examples/isa/6502.isa", "tests/isa/constructs.isa" };
	char *text = calloc(1, 1 << 18);

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < COUNT_OF(names); i++) {
		FILE *file = fopen(names[i], "rb");
		Isa *isa;

		assert_non_null(file);
		memset(text, 0, 1 << 18);
		assert_true(fread(text, 1, (1 << 18) - 1, file) > 0);
		fclose(file);
		isa = load(names[i], text);
		run_all(isa, run_random);
		isa_destroy(isa);
	}
	free(text);
}

/* Loading itself, each thread its own. */
static void *load_one(void *ctx)
{
	Work *work = ctx;

	for (unsigned i = 0; i < 20; i++) {
		DiagList diags;
		Isa *isa;

		diag_init(&diags);
		isa = isa_load("toy.isa", toy_isa, strlen(toy_isa), NULL, 0, &diags);
		work->wrong |= !isa;
		work->end = isa ? isa->hash : 0;
		isa_destroy(isa);
		diag_fini(&diags);
	}
	return NULL;
}

static void test_load(void **state)
{
	(void)state;
	run_all(NULL, load_one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_toy), cmocka_unit_test(test_random), cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
