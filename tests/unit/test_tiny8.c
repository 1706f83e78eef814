/* SPDX-License-Identifier: MIT
 *
 * examples/isa/tiny8.isa: its program, its devices, and every one of its 2^16 words through disassembler and assembler.
 * The last part is done for the other machines of examples/isa as well.
 */
#include "base/rng.h"
#include "museum.h"

static void test_hello(void **state)
{
	Museum museum;
	MachineStop stop;

	(void)state;
	museum_open(&museum, "examples/isa/tiny8.isa", NULL, 0);
	museum_assemble_file(&museum, "examples/isa/tiny8/hello.asm");
	stop = machine_run(museum.machine, 10000);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 0);
	museum_expect_output(&museum, "Hello from a computer that fits in one file.\n321!\n");
	assert_int_equal(museum_get(&museum, "sp"), 0xF0);
	museum_close(&museum);
}

static void test_echo(void **state)
{
	static const char program[] =
		"     LDI R1, 0xFE\n"
		"     LDI R2, 0xFF\n"
		"loop: LD R0, [R1]\n"
		"     ST [R2], R0\n"
		"     ADDI R0, -'.'\n"
		"     JNZ loop\n"
		"     HALT\n";
	Museum museum;
	MachineStop stop;

	(void)state;
	museum_open(&museum, "examples/isa/tiny8.isa", NULL, 0);
	museum_assemble(&museum, "echo.asm", program, sizeof(program) - 1);
	stop = machine_run(museum.machine, 100);
	assert_int_equal(stop.kind, STOP_WAIT);
	assert_int_equal(machine_pc(museum.machine), 4); /* the LD, which has not happened yet */
	machine_input(museum.machine, (const u8 *)"ab", 2);
	stop = machine_run(museum.machine, 100);
	assert_int_equal(stop.kind, STOP_WAIT);
	machine_input(museum.machine, (const u8 *)".z", 2);
	stop = machine_run(museum.machine, 100);
	assert_int_equal(stop.kind, STOP_HALT);
	museum_expect_output(&museum, "ab.");
	assert_int_equal(machine_input_pending(museum.machine), 1);
	museum_close(&museum);
}

static void test_flag_and_stack(void **state)
{
	static const char program[] =
		"     LDI R0, 200\n"
		"     ADDI R0, 56\n"      /* wraps to 0 */
		"     JNZ bad\n"
		"     LDI R1, 5\n"
		"     PUSH R1\n"
		"     CALL sub\n"
		"     POP R2\n"
		"     MOV R3, R2\n"
		"     SUB R3, R1\n"
		"     JZ bad\n"           /* sub made it 10 */
		"     AND R3, R2\n"
		"     HALT\n"
		"bad: JMP bad\n"
		"sub: LDI R3, 0xEF\n"
		"     LD R0, [R3]\n"
		"     ADD R0, R0\n"
		"     ST [R3], R0\n"
		"     RET\n";
	Museum museum;

	(void)state;
	museum_open(&museum, "examples/isa/tiny8.isa", NULL, 0);
	museum_assemble(&museum, "stack.asm", program, sizeof(program) - 1);
	assert_int_equal(machine_run(museum.machine, 1000).kind, STOP_HALT);
	assert_int_equal(museum_get(&museum, "R2"), 10);
	assert_int_equal(museum_get(&museum, "R3"), 5 & 10);
	assert_int_equal(museum_get(&museum, "sp"), 0xF0);
	museum_close(&museum);
}

/* ---- What the disassembler prints assembles to the same cells ---- */

static void round_trip(const Isa *isa, const u64 *cells, u32 count, u64 pc)
{
	DisOptions options = {0};
	DiagList diags;
	Buf text;
	u64 again[32];
	u32 used, got;

	buf_init(&text);
	diag_init(&diags);
	used = dis_cells(isa, &options, pc, cells, count, &text);
	assert_in_range(used, 1, count);
	got = asm_line(isa, 0, buf_text(&text), pc, NULL, again, &diags);
	if (got != used || memcmp(again, cells, used * sizeof(u64))) {
		print_error("%s at %llx: '%s' took %u cells, gives %u\n", isa->name, (unsigned long long)pc,
			    buf_text(&text), used, got);
		museum_fail(&diags, "no round trip");
	}
	diag_fini(&diags);
	buf_fini(&text);
}

static void test_round_trip_tiny8(void **state)
{
	Isa *isa = museum_load("examples/isa/tiny8.isa", NULL, 0);

	(void)state;
	for (unsigned word = 0; word < 0x10000; word++)
		round_trip(isa, (u64[]){word >> 8, word & 0xFF}, 2, 0x40);
	isa_destroy(isa);
}

static void test_round_trip_chip8(void **state)
{
	Isa *isa = museum_load("examples/isa/chip8.isa", NULL, 0);

	(void)state;
	for (unsigned word = 0; word < 0x10000; word++)
		round_trip(isa, (u64[]){word >> 8, word & 0xFF}, 2, 0x200);
	isa_destroy(isa);
}

static void test_round_trip_6502(void **state)
{
	Isa *isa = museum_load("examples/isa/6502.isa", NULL, 0);
	Rng rng = {.state = 1};

	(void)state;
	for (unsigned opcode = 0; opcode < 256; opcode++)
		for (unsigned k = 0; k < 300; k++) {
			/* Every low byte, and high bytes that favour zero page, where two spellings meet. */
			unsigned low = k < 256 ? k : (unsigned)rng_below(&rng, 256);
			unsigned high = k % 3 ? (unsigned)rng_below(&rng, 256) : 0;

			round_trip(isa, (u64[]){opcode, low, high}, 3, 0x1000);
		}
	isa_destroy(isa);
}

/* ---- Random instructions: each is one, and survives the round trip ---- */

static void test_generated(void **state)
{
	static const char *const paths[] = {"examples/isa/tiny8.isa", "examples/isa/chip8.isa", "examples/isa/6502.isa"};

	(void)state;
	for (u32 k = 0; k < COUNT_OF(paths); k++) {
		Isa *isa = museum_load(paths[k], NULL, 0);
		Rng rng = {.state = 7};
		u64 cells[32];

		for (u32 i = 0; i < 5000; i++) {
			u32 count = gen_valid(isa, &rng, cells);

			assert_in_range(count, 1, 3);
			round_trip(isa, cells, count, 0x80);
		}
		isa_destroy(isa);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_flag_and_stack),
		cmocka_unit_test(test_round_trip_tiny8),
		cmocka_unit_test(test_round_trip_chip8),
		cmocka_unit_test(test_round_trip_6502),
		cmocka_unit_test(test_generated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
