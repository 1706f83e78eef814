/* SPDX-License-Identifier: MIT
 *
 * examples/isa/6502.isa against what is known of the NMOS part: arithmetic in both modes over every operand, the
 * cycles of every opcode, the page-wrap oddities, the interrupts, and whole programs.
 *
 * Decimal mode is compared with the steps that Bruce Clark's article on it gives, written out here in plain
 * integers. HUSK_6502_FUNCTIONAL_TEST may name the 64 KiB image of Klaus Dormann's functional test: then it is run
 * too (it is not part of this tree).
 */
#include "museum.h"

static const char isa_path[] = "examples/isa/6502.isa";

static Museum museum;

static int setup(void **state)
{
	(void)state;
	museum_open(&museum, isa_path, NULL, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	museum_close(&museum);
	return 0;
}

/* One instruction at $0400, from memory as it is. */
static MachineStop step(void)
{
	machine_set_pc(museum.machine, 0x0400);
	return machine_run(museum.machine, 1);
}

/* ---- ADC and SBC, every accumulator, operand and carry ---- */

typedef struct Sum {
	unsigned a, n, v, z, c;
} Sum;

static Sum model_add(unsigned a, unsigned b, unsigned c, bool decimal)
{
	unsigned binary = a + b + c;
	Sum sum = {.a = binary & 0xFF, .z = (binary & 0xFF) == 0, .c = binary > 0xFF, .n = binary >> 7 & 1,
		   .v = (~(a ^ b) & (a ^ binary)) >> 7 & 1};
	int low, all, signed_all;

	if (!decimal)
		return sum;
	low = (int)((a & 0x0F) + (b & 0x0F) + c);
	if (low >= 0x0A)
		low = ((low + 0x06) & 0x0F) + 0x10;
	all = (int)((a & 0xF0) + (b & 0xF0)) + low;
	signed_all = (i8)(a & 0xF0) + (i8)(b & 0xF0) + low;
	sum.n = all >> 7 & 1;
	sum.v = signed_all < -128 || signed_all > 127;
	if (all >= 0xA0)
		all += 0x60;
	sum.a = (unsigned)all & 0xFF;
	sum.c = all >= 0x100;
	return sum;
}

static Sum model_subtract(unsigned a, unsigned b, unsigned c, bool decimal)
{
	int binary = (int)a - (int)b - (int)(1 - c), low, all;
	Sum sum = {.a = (unsigned)binary & 0xFF, .z = (binary & 0xFF) == 0, .c = binary >= 0,
		   .n = (unsigned)binary >> 7 & 1, .v = ((a ^ b) & (a ^ (unsigned)binary)) >> 7 & 1};

	if (!decimal)
		return sum;
	low = (int)(a & 0x0F) - (int)(b & 0x0F) + (int)c - 1;
	if (low < 0)
		low = ((low - 0x06) & 0x0F) - 0x10;
	all = (int)(a & 0xF0) - (int)(b & 0xF0) + low;
	if (all < 0)
		all -= 0x60;
	sum.a = (unsigned)all & 0xFF;
	return sum;
}

static void check_arithmetic(unsigned opcode, bool decimal, Sum (*model)(unsigned, unsigned, unsigned, bool))
{
	u32 a_slot = museum_slot(&museum, "A"), n = museum_slot(&museum, "N"), v = museum_slot(&museum, "V"),
	    z = museum_slot(&museum, "Z"), c = museum_slot(&museum, "C");

	/* The operand comes from zero page, so the code is translated once. */
	museum_poke(&museum, 0x0400, opcode);
	museum_poke(&museum, 0x0401, 0x80);
	museum_set(&museum, "D", decimal);
	for (unsigned b = 0; b < 256; b++) {
		museum_poke(&museum, 0x0080, b);
		for (unsigned a = 0; a < 256; a++)
			for (unsigned carry = 0; carry < 2; carry++) {
				Sum want = model(a, b, carry, decimal), got;

				machine_set_slot(museum.machine, a_slot, a);
				machine_set_slot(museum.machine, c, carry);
				step();
				got = (Sum){.a = (unsigned)machine_slot(museum.machine, a_slot),
					    .n = (unsigned)machine_slot(museum.machine, n),
					    .v = (unsigned)machine_slot(museum.machine, v),
					    .z = (unsigned)machine_slot(museum.machine, z),
					    .c = (unsigned)machine_slot(museum.machine, c)};
				if (memcmp(&want, &got, sizeof(want)))
					fail_msg("opcode %02X decimal %d: %02X, %02X carry %u: got %02X n%u v%u z%u c%u, "
						 "want %02X n%u v%u z%u c%u", opcode, decimal, a, b, carry, got.a, got.n,
						 got.v, got.z, got.c, want.a, want.n, want.v, want.z, want.c);
			}
	}
}

static void test_binary_arithmetic(void **state)
{
	(void)state;
	check_arithmetic(0x65, false, model_add);
	check_arithmetic(0xE5, false, model_subtract);
}

static void test_decimal_arithmetic(void **state)
{
	(void)state;
	check_arithmetic(0x65, true, model_add);
	check_arithmetic(0xE5, true, model_subtract);
}

/* ---- Cycles: the published table; 0 = no documented instruction ---- */

static const u8 cycles[256] = {
	7, 6, 0, 0, 0, 3, 5, 0, 3, 2, 2, 0, 0, 4, 6, 0, 2, 5, 0, 0, 0, 4, 6, 0, 2, 4, 0, 0, 0, 4, 7, 0,
	6, 6, 0, 0, 3, 3, 5, 0, 4, 2, 2, 0, 4, 4, 6, 0, 2, 5, 0, 0, 0, 4, 6, 0, 2, 4, 0, 0, 0, 4, 7, 0,
	6, 6, 0, 0, 0, 3, 5, 0, 3, 2, 2, 0, 3, 4, 6, 0, 2, 5, 0, 0, 0, 4, 6, 0, 2, 4, 0, 0, 0, 4, 7, 0,
	6, 6, 0, 0, 0, 3, 5, 0, 4, 2, 2, 0, 5, 4, 6, 0, 2, 5, 0, 0, 0, 4, 6, 0, 2, 4, 0, 0, 0, 4, 7, 0,
	0, 6, 0, 0, 3, 3, 3, 0, 2, 0, 2, 0, 4, 4, 4, 0, 2, 6, 0, 0, 4, 4, 4, 0, 2, 5, 2, 0, 0, 5, 0, 0,
	2, 6, 2, 0, 3, 3, 3, 0, 2, 2, 2, 0, 4, 4, 4, 0, 2, 5, 0, 0, 4, 4, 4, 0, 2, 4, 2, 0, 4, 4, 4, 0,
	2, 6, 0, 0, 3, 3, 5, 0, 2, 2, 2, 0, 4, 4, 6, 0, 2, 5, 0, 0, 0, 4, 6, 0, 2, 4, 0, 0, 0, 4, 7, 0,
	2, 6, 0, 0, 3, 3, 5, 0, 2, 2, 2, 0, 4, 4, 6, 0, 2, 5, 0, 0, 0, 4, 6, 0, 2, 4, 0, 0, 0, 4, 7, 0,
};

/* Reads whose index can leave the page: one more cycle then. */
static bool pays_for_page(unsigned opcode)
{
	switch (opcode & 0x1F) {
	case 0x11: return opcode != 0x91;            /* (z),Y */
	case 0x19: return opcode != 0x99;            /* q,Y */
	case 0x1D: return opcode != 0x9D;            /* q,X */
	case 0x1C: return opcode == 0xBC;            /* LDY q,X */
	case 0x1E: return opcode == 0xBE;            /* LDX q,Y; the others there are read-modify-write */
	default: return false;
	}
}

static void test_cycles(void **state)
{
	unsigned documented = 0;

	(void)state;
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		bool branch = (opcode & 0x1F) == 0x10;

		machine_reset(museum.machine, false);
		museum_poke(&museum, 0x0400, opcode);
		museum_poke(&museum, 0x0401, 0x20);
		museum_poke(&museum, 0x0402, 0x03);
		/* Flags so that no branch is taken: bit 5 of its opcode says which value takes it. */
		for (const char *flag = "NVCZ"; *flag; flag++)
			museum_set(&museum, (char[]){*flag, 0}, !(opcode >> 5 & 1));
		if (!cycles[opcode]) {
			assert_int_equal(step().kind, STOP_ILLEGAL);
			assert_int_equal(machine_pc(museum.machine), 0x0400);
			continue;
		}
		documented++;
		assert_int_equal(step().kind, STOP_BUDGET);
		if (museum_get(&museum, "cycles") != cycles[opcode])
			fail_msg("opcode %02X took %u cycles, not %u", opcode, (unsigned)museum_get(&museum, "cycles"),
				 cycles[opcode]);

		/* Again, with an index that leaves the page or a branch that is taken. */
		museum_set(&museum, "cycles", 0);
		museum_set(&museum, "X", 0xF0);
		museum_set(&museum, "Y", 0xF0);
		museum_poke(&museum, 0x0020, 0x40);
		for (const char *flag = "NVCZ"; *flag; flag++)
			museum_set(&museum, (char[]){*flag, 0}, opcode >> 5 & 1);
		museum_poke(&museum, 0x0400, opcode);
		step();
		if (museum_get(&museum, "cycles") != (u64)cycles[opcode] + (branch || pays_for_page(opcode)))
			fail_msg("opcode %02X took %u cycles across a page", opcode,
				 (unsigned)museum_get(&museum, "cycles"));
		if (!branch)
			continue;
		assert_int_equal(machine_pc(museum.machine), 0x0422);
		museum_set(&museum, "cycles", 0);
		museum_poke(&museum, 0x0401, 0x80); /* 128 back: another page */
		step();
		assert_int_equal(museum_get(&museum, "cycles"), 4);
		assert_int_equal(machine_pc(museum.machine), 0x0382);
	}
	assert_int_equal(documented, 151);
	assert_int_equal(museum.isa->insn_count, 151);
}

/* ---- Addresses that wrap ---- */

static void test_wrapping(void **state)
{
	static const char program[] =
		".org $0400\n"
		" LDX #$10\n LDY #0\n"
		" LDA $F8,X\n"      /* $08, not $108 */
		" STA $40\n"
		" LDA ($EF,X)\n"    /* the pointer at $FF, $00 */
		" STA $41\n"
		" LDA ($FF),Y\n"    /* likewise */
		" STA $42\n"
		" LDX #$FF\n TXS\n INX\n"
		" PLA\n"            /* S wraps to $00 */
		" STA $43\n"
		" JMP ($02FF)\n"    /* high byte from $0200 */
		" .org $0567\n"
		"end: JMP end\n";
	MachineStop stop;

	(void)state;
	museum_assemble(&museum, "wrap.asm", program, sizeof(program) - 1);
	museum_poke(&museum, 0x0008, 0x11);
	museum_poke(&museum, 0x0108, 0x99);
	museum_poke(&museum, 0x00FF, 0x34);
	museum_poke(&museum, 0x0000, 0x12);
	museum_poke(&museum, 0x0100, 0x55);
	museum_poke(&museum, 0x1234, 0x22);
	museum_poke(&museum, 0x02FF, 0x67);
	museum_poke(&museum, 0x0200, 0x05);
	museum_poke(&museum, 0x0300, 0x77);
	stop = machine_run(museum.machine, 100);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 0);
	assert_int_equal(machine_pc(museum.machine), 0x0567);
	assert_int_equal(museum_peek(&museum, 0x40), 0x11);
	assert_int_equal(museum_peek(&museum, 0x41), 0x22);
	assert_int_equal(museum_peek(&museum, 0x42), 0x22);
	assert_int_equal(museum_peek(&museum, 0x43), 0x55);
}

/* ---- Stack, interrupts ---- */

static void test_interrupt_frames(void **state)
{
	(void)state;
	machine_reset(museum.machine, false);
	museum_set(&museum, "S", 0xFF);
	museum_set(&museum, "I", 0);
	museum_set(&museum, "C", 1);
	museum_set(&museum, "Z", 0);
	museum_set(&museum, "D", 1);
	museum_poke(&museum, 0xFFFA, 0x00);
	museum_poke(&museum, 0xFFFB, 0x70);
	museum_poke(&museum, 0xFFFE, 0x00);
	museum_poke(&museum, 0xFFFF, 0x60);
	museum_poke(&museum, 0x0400, 0x00); /* BRK */
	museum_poke(&museum, 0x6000, 0x40); /* RTI */
	museum_poke(&museum, 0x7000, 0x40);
	step();
	assert_int_equal(machine_pc(museum.machine), 0x6000);
	assert_int_equal(museum_peek(&museum, 0x01FF), 0x04);
	assert_int_equal(museum_peek(&museum, 0x01FE), 0x02);
	assert_int_equal(museum_peek(&museum, 0x01FD), 0x39); /* bit 5, B, D, C */
	assert_int_equal(museum_get(&museum, "S"), 0xFC);
	assert_int_equal(museum_get(&museum, "I"), 1);
	assert_int_equal(museum_get(&museum, "D"), 1); /* NMOS: not cleared */
	machine_run(museum.machine, 1);
	assert_int_equal(machine_pc(museum.machine), 0x0402);
	assert_int_equal(museum_get(&museum, "I"), 0);
	assert_int_equal(museum_get(&museum, "S"), 0xFF);

	/* NMI and IRQ at once: NMI goes first, and IRQ waits for its RTI. */
	museum_poke(&museum, 0x0400, 0xEA);
	museum_set(&museum, "nmi", 1);
	museum_set(&museum, "irq", 1);
	machine_set_pc(museum.machine, 0x0400);
	machine_run(museum.machine, 1); /* enters the NMI handler and runs its RTI */
	assert_int_equal(museum_peek(&museum, 0x01FD), 0x29); /* B clear */
	assert_int_equal(museum_get(&museum, "nmi"), 0);
	machine_run(museum.machine, 1); /* the IRQ handler's */
	assert_int_equal(museum_peek(&museum, 0x01FD), 0x29);
	museum_set(&museum, "irq", 0);
	assert_int_equal(museum_get(&museum, "S"), 0xFF);
	assert_int_equal(machine_pc(museum.machine), 0x0400);
}

/* ---- Programs ---- */

static void run_program(const char *path, const char *output)
{
	MachineStop stop;

	buf_clear(&museum.output);
	museum_assemble_file(&museum, path);
	stop = machine_run(museum.machine, 1000000);
	if (stop.kind != STOP_HALT)
		fail_msg("%s: %s at %04X", path, stop.text ? stop.text : "stopped", (unsigned)stop.pc);
	assert_int_equal(stop.code, 0);
	museum_expect_output(&museum, output);
}

static void test_programs(void **state)
{
	Buf primes;

	(void)state;
	run_program("examples/isa/6502/hello.asm", "Hello from 1975.\n");
	run_program("examples/isa/6502/interrupts.asm", "BN-I\n");
	buf_init(&primes);
	for (unsigned n = 2; n < 256; n++) {
		bool prime = true;

		for (unsigned k = 2; k * k <= n; k++)
			prime = prime && n % k;
		if (prime)
			buf_printf(&primes, "%u ", n);
	}
	buf_str(&primes, "\n");
	run_program("examples/isa/6502/primes.asm", buf_text(&primes));
	buf_fini(&primes);
}

static void test_exit_code(void **state)
{
	static const char program[] = " .org $0400\n LDA #42\n STA $F00F\n";
	MachineStop stop;

	(void)state;
	museum_assemble(&museum, "exit.asm", program, sizeof(program) - 1);
	stop = machine_run(museum.machine, 100);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 42);
}

static void test_functional(void **state)
{
	const char *path = getenv("HUSK_6502_FUNCTIONAL_TEST");
	size_t len = 0;
	char *image;
	MachineStop stop;

	(void)state;
	if (!path)
		skip();
	image = museum_read_file(path, &len);
	assert_non_null(image);
	assert_int_equal(len, 0x10000);
	machine_reset(museum.machine, false);
	for (u32 i = 0; i < len; i++)
		museum_poke(&museum, i, (u8)image[i]);
	free(image);
	machine_set_pc(museum.machine, 0x0400);
	stop = machine_run(museum.machine, 100000000);
	assert_int_equal(stop.kind, STOP_HALT);
	/* Where the listing of this image has its success trap; every failure is a trap of its own elsewhere. */
	assert_int_equal(machine_pc(museum.machine), 0x3469);
	assert_int_equal(machine_icount(museum.machine), 30646177);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_binary_arithmetic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_decimal_arithmetic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cycles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrapping, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupt_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(test_programs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exit_code, setup, teardown),
		cmocka_unit_test_setup_teardown(test_functional, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
