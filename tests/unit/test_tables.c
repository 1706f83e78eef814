/* SPDX-License-Identifier: MIT
 * machine/tables: what a loader puts into a description's tables is what instructions are decoded with; it is counted,
 * bounded, in snapshots, and changing it forgets translated code.
 */
#include "toy.h"

enum { NARGS, NLOCALS, ADDR }; /* columns of SVM's table */

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = calloc(1, 1 << 16);

	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 16) - 1, file) > 0);
	fclose(file);
	return text;
}

static void open_svm(Toy *toy, const char *text)
{
	char *isa = read_text("tests/isa/svm.isa");

	toy_open_isa(toy, isa, text);
	free(isa);
}

static void set_function(Machine *machine, u64 row, u64 nargs, u64 nlocals, const AsmProgram *program, const char *name)
{
	for (u32 i = 0; i < program->symbol_count; i++)
		if (strcmp(program->symbols[i].name, name) == 0) {
			assert_int_equal(machine_set_table(machine, 0, NARGS, row, nargs), STATUS_OK);
			assert_int_equal(machine_set_table(machine, 0, NLOCALS, row, nlocals), STATUS_OK);
			assert_int_equal(machine_set_table(machine, 0, ADDR, row, program->symbols[i].value), STATUS_OK);
			return;
		}
	fail();
}

/* Factorial and Fibonacci call themselves; diff shows the order of arguments. */
static const char program[] =
	"main: iconst 10\n call 1\n print\n"
	" iconst 15\n call 2\n print\n"
	" iconst 10\n iconst 3\n call 3\n print\n"
	" halt\n"
	"fact: load 0\n iconst 2\n ilt\n brf more\n iconst 1\n ret\n"
	"more: load 0\n load 0\n iconst 1\n isub\n call 1\n imul\n ret\n"
	"fib: load 0\n iconst 2\n ilt\n brf both\n load 0\n ret\n"
	"both: load 0\n iconst 1\n isub\n call 2\n store 1\n load 0\n iconst 2\n isub\n call 2\n load 1\n iadd\n ret\n"
	"diff: load 0\n load 1\n isub\n ret\n";

static void open_program(Toy *toy)
{
	open_svm(toy, program);
	set_function(toy->machine, 0, 0, 0, toy->program, "main");
	set_function(toy->machine, 1, 1, 0, toy->program, "fact");
	set_function(toy->machine, 2, 1, 1, toy->program, "fib");
	set_function(toy->machine, 3, 2, 0, toy->program, "diff");
}

static void test_functions(void **state)
{
	Toy toy;

	(void)state;
	open_program(&toy);
	assert_int_equal(machine_run(toy.machine, 1000000).kind, STOP_HALT);
	assert_string_equal(buf_text(&toy.output), "3628800\n610\n7\n");
	assert_int_equal(toy_reg(toy.machine, "sp"), 0);
	assert_int_equal(toy_reg(toy.machine, "fp"), 0);
	/* A reset that keeps memory keeps tables. */
	machine_reset(toy.machine, true);
	buf_clear(&toy.output);
	assert_int_equal(machine_run(toy.machine, 1000000).kind, STOP_HALT);
	assert_string_equal(buf_text(&toy.output), "3628800\n610\n7\n");
	machine_reset(toy.machine, false);
	assert_int_equal(machine_table_rows(toy.machine, 0), 0);
	toy_close(&toy);
}

/* What an instruction does to control flow is known without a machine that has filled the tables. */
static void test_flow(void **state)
{
	Toy toy;
	IsaDecoded decoded;
	IsaFlow flow;

	(void)state;
	open_program(&toy);
	assert_int_equal(machine_write(toy.machine, toy.isa->code_space, 0, 16), STATUS_OK); /* call k */
	assert_int_equal(machine_write(toy.machine, toy.isa->code_space, 1, 77), STATUS_OK);
	machine_decode(toy.machine, 0, &decoded);
	assert_non_null(decoded.insn);
	flow = isa_flow(toy.isa, &decoded);
	assert_true(flow.calls && !flow.jumps && !flow.returns && !flow.conditional);
	toy_close(&toy);
}

static void test_rows(void **state)
{
	Toy toy;
	u64 value, before;
	MachineStats stats;

	(void)state;
	open_svm(&toy, "a: call 2\n halt\nb: iconst 1\n halt\n");
	assert_int_equal(machine_run(toy.machine, 10).kind, STOP_ILLEGAL);
	machine_stats(toy.machine, &stats);
	before = stats.memory_bytes;
	assert_int_equal(machine_set_table(toy.machine, 0, ADDR, 1, 3), STATUS_OK);
	assert_int_equal(machine_table_rows(toy.machine, 0), 2);
	assert_int_equal(machine_run(toy.machine, 10).kind, STOP_ILLEGAL); /* still no row 2 */
	assert_int_equal(machine_set_table(toy.machine, 0, ADDR, 2, 3), STATUS_OK);
	machine_stats(toy.machine, &stats);
	assert_int_equal(stats.memory_bytes - before, 3 * 3 * 8);
	assert_int_equal(machine_run(toy.machine, 10).kind, STOP_HALT);
	assert_int_equal(toy_reg(toy.machine, "sp"), 1);
	/* Translated code follows a change. */
	machine_set_pc(toy.machine, 0);
	assert_int_equal(machine_set_table(toy.machine, 0, ADDR, 2, 2), STATUS_OK);
	assert_int_equal(machine_run(toy.machine, 10).kind, STOP_HALT);
	assert_int_equal(toy_reg(toy.machine, "sp"), 1);

	assert_int_equal(machine_get_table(toy.machine, 0, ADDR, 2, &value), STATUS_OK);
	assert_int_equal(value, 2);
	assert_int_equal(machine_get_table(toy.machine, 0, ADDR, 0, &value), STATUS_OK);
	assert_int_equal(value, 0);
	assert_int_equal(machine_get_table(toy.machine, 0, ADDR, 3, &value), STATUS_RANGE);
	assert_int_equal(machine_get_table(toy.machine, 1, ADDR, 0, &value), STATUS_NOT_FOUND);
	assert_int_equal(machine_set_table(toy.machine, 1, 0, 0, 0), STATUS_NOT_FOUND);
	assert_int_equal(machine_set_table(toy.machine, 0, 3, 0, 0), STATUS_NOT_FOUND);
	assert_int_equal(machine_set_table(toy.machine, 0, 0, 0, 0x100000000), STATUS_RANGE);
	assert_int_equal(machine_set_table(toy.machine, 0, 0, 1 << 20, 0), STATUS_TOO_BIG);
	assert_int_equal(machine_set_table(toy.machine, 0, 0, ~(u64)0, 0), STATUS_TOO_BIG);
	assert_int_equal(machine_table_rows(toy.machine, 0), 3);
	assert_int_equal(machine_set_table(toy.machine, 0, 0, (1 << 20) - 1, 9), STATUS_OK);
	assert_int_equal(machine_table_rows(toy.machine, 0), 1 << 20);
	toy_close(&toy);
}

static Machine *small_machine(const Isa *isa, u64 limit)
{
	DiagList diags;
	MachineConfig config = { .isa = isa, .size_program = 100, .memory_limit = limit };
	Machine *machine = NULL;

	diag_init(&diags);
	assert_int_equal(machine_create(&config, &machine, &diags), STATUS_OK);
	diag_fini(&diags);
	return machine;
}

static void test_limit(void **state)
{
	Toy toy;
	MachineStats stats;
	Machine *small;
	Buf snapshot;
	u64 used, hash;

	(void)state;
	open_program(&toy);
	machine_stats(toy.machine, &stats);
	used = stats.memory_bytes - 4 * 3 * 8;
	small = small_machine(toy.isa, used + 2 * 3 * 8);
	assert_int_equal(machine_set_table(small, 0, 0, 2, 1), STATUS_TOO_BIG);
	assert_int_equal(machine_table_rows(small, 0), 0);
	assert_int_equal(machine_set_table(small, 0, 0, 1, 1), STATUS_OK);
	assert_int_equal(machine_resize(small, 0, 101), STATUS_TOO_BIG); /* the table has taken it */
	hash = toy_hash(small);
	buf_init(&snapshot);
	assert_int_equal(machine_snapshot(toy.machine, &snapshot), STATUS_OK);
	assert_int_equal(machine_restore(small, snapshot.data, snapshot.len), STATUS_TOO_BIG);
	assert_true(toy_hash(small) == hash);
	buf_fini(&snapshot);
	machine_destroy(small);
	toy_close(&toy);
}

/* At each instruction: into a machine whose tables hold something else, and on to the same end. */
static void test_snapshots(void **state)
{
	Toy toy;
	Machine *other;
	u64 last, end;
	Buf snapshot;

	(void)state;
	open_program(&toy);
	assert_int_equal(machine_run(toy.machine, 1000000).kind, STOP_HALT);
	end = toy_hash(toy.machine);
	last = machine_icount(toy.machine);
	machine_reset(toy.machine, true);
	for (u64 n = 0; n < last; n += n < 150 ? 1 : 97) {
		other = toy_machine(toy.isa);
		for (u64 row = 0; row < n % 9; row++)
			assert_int_equal(machine_set_table(other, 0, ADDR, row, 77), STATUS_OK);
		machine_run(toy.machine, n - machine_icount(toy.machine));
		buf_init(&snapshot);
		assert_int_equal(machine_snapshot(toy.machine, &snapshot), STATUS_OK);
		assert_int_equal(machine_restore(other, snapshot.data, snapshot.len), STATUS_OK);
		assert_true(toy_hash(other) == toy_hash(toy.machine));
		assert_int_equal(machine_run(other, 1000000).kind, STOP_HALT);
		assert_true(toy_hash(other) == end);
		buf_fini(&snapshot);
		machine_destroy(other);
	}
	toy_close(&toy);
}

/* Every length is refused, and so are rows and cells that cannot be, with a right checksum. */
static void test_damaged(void **state)
{
	Toy toy;
	Buf good;
	size_t end;
	u64 hash;

	(void)state;
	open_program(&toy);
	hash = toy_hash(toy.machine);
	buf_init(&good);
	assert_int_equal(machine_snapshot(toy.machine, &good), STATUS_OK);
	/* Behind the tables: three counts, one vCPU, the length of what a guest saves, the check. */
	end = good.len - 8 - 8 - 46 - 8 * (size_t)toy.isa->slot_count - 12;
	for (size_t at = end - 4 * 3 * 8 - 12; at < end; at++) {
		u8 saved = good.data[at];
		u64 sum = 0xCBF29CE484222325u;
		Status status;

		good.data[at] = 0xFF;
		for (size_t i = 0; i < good.len - 8; i++)
			sum = (sum ^ good.data[i]) * 0x100000001B3u;
		memcpy(good.data + good.len - 8, &sum, 8);
		status = machine_restore(toy.machine, good.data, good.len);
		if (at < end - 4 * 3 * 8 || (at - end) % 8 >= 4) /* counts; bits above 32 */
			assert_int_not_equal(status, STATUS_OK);
		else
			assert_int_equal(status, STATUS_OK);
		good.data[at] = saved;
		sum = 0xCBF29CE484222325u;
		for (size_t i = 0; i < good.len - 8; i++)
			sum = (sum ^ good.data[i]) * 0x100000001B3u;
		memcpy(good.data + good.len - 8, &sum, 8);
		assert_int_equal(machine_restore(toy.machine, good.data, good.len), STATUS_OK);
		assert_true(toy_hash(toy.machine) == hash);
	}
	buf_fini(&good);
	toy_close(&toy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions), cmocka_unit_test(test_flow), cmocka_unit_test(test_rows), cmocka_unit_test(test_limit),
		cmocka_unit_test(test_snapshots), cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
