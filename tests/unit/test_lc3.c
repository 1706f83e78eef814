/* SPDX-License-Identifier: MIT
 *
 * The LC-3: four programs with outputs and final states as the original tools give them, and the places where an
 * implementation goes wrong, one test each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../lc3/rig.h"
#include "guests/lc3/lc3.h"

#define HALTING "\n\n--- Halting the LC-3 ---\n\n"
#define CLASSIC_HELLO "\n\nWelcome to the LC-3.\n\n"
#define CLASSIC_HALTING "\n\n--- halting the LC-3 ---\n\n"

static const char e1[] =
	"        .ORIG x3000\n"
	"        LD   R2, TEN\n"
	"LOOP    ADD  R0, R2, #0\n"
	"        JSR  DIGIT\n"
	"        OUT\n"
	"        ADD  R2, R2, #-1\n"
	"        BRzp LOOP\n"
	"        LEA  R0, NL\n"
	"        PUTS\n"
	"        HALT\n"
	"DIGIT   LD   R1, ZERO\n"
	"        ADD  R0, R0, R1\n"
	"        RET\n"
	"TEN     .FILL #9\n"
	"ZERO    .FILL x30\n"
	"NL      .STRINGZ \"\\n\"\n"
	"        .END\n";

static const char e2[] =
	"        .ORIG x3000\n"
	"        LEA  R0, MSG\n"
	"        PUTSP\n"
	"        LEA  R0, MSG2\n"
	"        PUTS\n"
	"        LD   R3, W\n"
	"        ST   R3, PATCH\n"
	"PATCH   .FILL x0000\n"
	"        ST   R4, RES\n"
	"        LD   R5, RES\n"
	"        HALT\n"
	"W       .FILL x1967     ; ADD R4,R5,#7\n"
	"RES     .BLKW 1\n"
	"MSG     .FILL x6548\n"
	"        .FILL x796C\n"
	"        .FILL x0000\n"
	"MSG2    .STRINGZ \"\\t<tab>\\n\"\n"
	"        .END\n";

static const char e3[] =
	"        .ORIG x3000\n"
	"        AND  R0, R0, #0\n"
	"        ADD  R0, R0, #-1\n"
	"        LEA  R1, X\n"
	"        BRn  NEG\n"
	"        LEA  R0, SP\n"
	"        PUTS\n"
	"        HALT\n"
	"NEG     LEA  R0, SN\n"
	"        PUTS\n"
	"        GETC\n"
	"        OUT\n"
	"        IN\n"
	"        HALT\n"
	"X       .FILL 0\n"
	"SN      .STRINGZ \"cc kept \"\n"
	"SP      .STRINGZ \"cc set \"\n"
	"        .END\n";

/* Supervisor code sets the keyboard interrupt up and starts the user program, which spins until it has happened. */
static const char e4[] =
	"        .ORIG x0800\n"
	"        LD   R0, HANDLER\n"
	"        STI  R0, VECTOR\n"
	"        LD   R0, USERPSR\n"
	"        ADD  R6, R6, #-1\n"
	"        STR  R0, R6, #0\n"
	"        LD   R0, USERPC\n"
	"        ADD  R6, R6, #-1\n"
	"        STR  R0, R6, #0\n"
	"        LD   R0, ENABLE\n"
	"        STI  R0, KBSR\n"
	"        RTI\n"
	"HANDLER .FILL x1000\n"
	"VECTOR  .FILL x0180\n"
	"USERPSR .FILL x8002\n"
	"USERPC  .FILL x3000\n"
	"ENABLE  .FILL x4000\n"
	"KBSR    .FILL xFE00\n"
	"        .END\n"
	"        .ORIG x1000\n"
	"        LDI  R0, KBDR\n"
	"        STI  R0, DDR\n"
	"        AND  R5, R5, #0\n"
	"        ADD  R5, R5, #1\n"
	"        RTI\n"
	"KBDR    .FILL xFE02\n"
	"DDR     .FILL xFE06\n"
	"        .END\n"
	"        .ORIG x3000\n"
	"        AND  R5, R5, #0\n"
	"SPIN    ADD  R5, R5, #0\n"
	"        BRz  SPIN\n"
	"        HALT\n"
	"        .END\n";

/* A user-mode program that is over: what HALT leaves behind. */
static void assert_v3_halt(Rig *rig, MachineStop stop)
{
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 0);
	assert_int_equal(rig_get(rig, rig->r[0]), 0);
	assert_int_equal(rig_get(rig, rig->r[1]), 0x7FFF);
	assert_int_equal(rig_get(rig, rig->r[6]), 0x2FFE);
	assert_int_equal(rig_get(rig, rig->pc), 0x036C);
	assert_int_equal(rig_psr(rig), 0x0002);
	assert_int_equal(rig_get(rig, rig->mcr), 0);
}

/* ---- The four programs ---- */

static void test_countdown_v3(void **state)
{
	Rig *rig = rig_create("");

	(void)state;
	rig_load(rig, e1, NULL);
	assert_int_equal(rig_psr(rig), 0x8002);
	assert_v3_halt(rig, rig_run(rig, ""));
	assert_string_equal(rig_output(rig), "9876543210\n" HALTING);
	assert_int_equal(machine_icount(rig->machine), 571);
	assert_int_equal(rig_get(rig, rig->r[2]), 0xFFFF);
	assert_int_equal(rig_get(rig, rig->r[7]), 0x3003);
	assert_int_equal(rig_get(rig, rig->ssp), 0);
	rig_destroy(rig);
}

static void test_countdown_classic(void **state)
{
	Rig *rig = rig_create("profile=classic");
	MachineStop stop;

	(void)state;
	rig_load(rig, e1, NULL);
	stop = rig_run(rig, "");
	assert_int_equal(stop.kind, STOP_HALT);
	assert_string_equal(rig_output(rig), CLASSIC_HELLO "9876543210\n" CLASSIC_HALTING);
	assert_int_equal(rig_get(rig, rig->r[2]), 0xFFFF);
	rig_destroy(rig);
}

static void test_countdown_tiny(void **state)
{
	Rig *rig = rig_create("profile=tiny");
	MachineStop stop;

	(void)state;
	rig_load(rig, e1, NULL);
	stop = rig_run(rig, "");
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 0);
	assert_string_equal(rig_output(rig), "9876543210\nHALT\n");
	assert_int_equal(rig_get(rig, rig->r[2]), 0xFFFF);
	assert_int_equal(rig_get(rig, rig->r[7]), 0x3009);
	rig_destroy(rig);
}

static void test_self_modifying_and_packed(void **state)
{
	static const struct {
		const char *options, *output;
	} cases[] = {
		{ "", "Hely\t<tab>\n" HALTING },
		{ "profile=classic", CLASSIC_HELLO "Hely\t<tab>\n" CLASSIC_HALTING },
		{ "profile=tiny", "Hely\t<tab>\nHALT\n" },
	};

	(void)state;
	for (u32 i = 0; i < COUNT_OF(cases); i++) {
		Rig *rig = rig_create(cases[i].options);
		MachineStop stop;

		rig_load(rig, e2, NULL);
		stop = rig_run(rig, "");
		assert_int_equal(stop.kind, STOP_HALT);
		assert_string_equal(rig_output(rig), cases[i].output);
		assert_int_equal(rig_get(rig, rig->r[3]), 0x1967);
		assert_int_equal(rig_get(rig, rig->r[4]), 7);
		assert_int_equal(rig_get(rig, rig->r[5]), 7);
		if (!i) {
			assert_v3_halt(rig, stop);
			assert_int_equal(machine_icount(rig->machine), 678);
		}
		rig_destroy(rig);
	}
}

static void test_condition_codes_after_lea(void **state)
{
	static const struct {
		const char *options, *output;
	} cases[] = {
		{ "", "cc kept a\nInput a character> b\n" HALTING },
		{ "profile=classic", CLASSIC_HELLO "cc set " CLASSIC_HALTING },
		{ "profile=tiny", "cc set HALT\n" },
	};

	(void)state;
	for (u32 i = 0; i < COUNT_OF(cases); i++) {
		Rig *rig = rig_create(cases[i].options);

		rig_load(rig, e3, NULL);
		assert_int_equal(rig_run(rig, "ab").kind, STOP_HALT);
		assert_string_equal(rig_output(rig), cases[i].output);
		rig_destroy(rig);
	}
}

static void test_keyboard_interrupt(void **state)
{
	Rig *rig = rig_create("");
	MachineStop stop;

	(void)state;
	rig_load(rig, e4, NULL);
	assert_int_equal(rig_psr(rig), 0x0002);
	assert_int_equal(rig_get(rig, rig->r[6]), 0x3000);
	stop = machine_run(rig->machine, 1000); /* it spins before the key comes */
	assert_int_equal(stop.kind, STOP_BUDGET);
	assert_v3_halt(rig, rig_run(rig, "Q"));
	assert_string_equal(rig_output(rig), "Q" HALTING);
	assert_int_equal(rig_get(rig, rig->r[5]), 1);
	rig_destroy(rig);
}

/* ---- Edge cases. Each program runs to its HALT; registers that HALT uses (R0, R1) hold no results. ---- */

static Rig *ran(const char *options, const char *text, const char *input)
{
	Rig *rig = rig_create(options);

	rig_load(rig, text, NULL);
	assert_int_equal(rig_run(rig, input).kind, STOP_HALT);
	return rig;
}

#define R(n) rig_get(rig, rig->r[n])

static void test_01_add_wraps(void **state)
{
	Rig *rig = ran("", ".ORIG x3000\n LD R2 MAX\n ADD R2 R2 #1\n BRn NEG\n HALT\n"
			   "NEG ADD R3 R3 #1\n ADD R4 R2 R2\n BRz ZERO\n HALT\n"
			   "ZERO ADD R3 R3 #1\n HALT\nMAX .FILL x7FFF\n.END\n", "");

	(void)state;
	assert_int_equal(R(2), 0x8000);
	assert_int_equal(R(4), 0);
	assert_int_equal(R(3), 2);
	rig_destroy(rig);
}

static void test_02_addresses_wrap(void **state)
{
	Rig *rig = rig_create("profile=tiny");

	(void)state;
	/* LD R2, #1 at xFFFE reads x0000; the instruction at xFFFF is followed by the one at x0000. */
	rig_load(rig, ".ORIG x3000\n LD R1 TOP\n JMP R1\nTOP .FILL xFFFD\n.END\n", NULL);
	rig_poke(rig, 0xFFFD, 0x2402); /* LD R2, x0000 */
	rig_poke(rig, 0xFFFE, 0x66C1); /* LDR R3, R3, #1 -> M[1] */
	rig_poke(rig, 0xFFFF, 0x1921); /* ADD R4, R4, #1 */
	rig_poke(rig, 0x0000, 0x0001); /* BR never */
	rig_poke(rig, 0x0001, 0xF025);
	assert_int_equal(rig_run(rig, "").kind, STOP_HALT);
	assert_int_equal(R(2), 1);
	assert_int_equal(R(3), 0xF025);
	assert_int_equal(R(4), 1);
	assert_int_equal(R(7), 2);
	rig_destroy(rig);
}

static void test_03_indirect_checks_both_accesses(void **state)
{
	static const char *const bad[] = {
		".ORIG x3000\n LDI R2 P\n HALT\nP .FILL x2FFF\n.END\n",  /* second access */
		".ORIG x3000\n STI R2 P\n HALT\nP .FILL xFE00\n.END\n",
		".ORIG x3000\n LDI R2 #-2\n HALT\n.END\n",               /* first access: x2FFF */
		".ORIG x3000\n STI R2 #-2\n HALT\n.END\n",
	};

	(void)state;
	for (u32 i = 0; i < COUNT_OF(bad); i++) {
		Rig *rig = ran("", bad[i], "");

		assert_string_equal(rig_output(rig), "\n\n--- Access violation---\n\n" HALTING);
		assert_int_equal(rig_word(rig, 0x2FFE), 0x3000); /* saved PC: the instruction itself */
		rig_destroy(rig);
	}
	{
		Rig *rig = ran("", ".ORIG x3000\n LEA R2 HERE\n LDR R3 R2 #-32\n LDI R4 P\n STI R4 Q\n HALT\n"
				   "P .FILL x3005\nQ .FILL x4000\n .BLKW 24\nX .FILL x1234\n .BLKW 31\n"
				   "HERE .FILL 0\n.END\n", "");

		assert_int_equal(R(3), 0x1234);
		assert_int_equal(R(4), 0x3005);
		assert_int_equal(rig_word(rig, 0x4000), 0x3005);
		rig_destroy(rig);
	}
}

static void test_04_lea_and_stores_and_cc(void **state)
{
	static const struct {
		const char *options;
		u16 cc;
	} cases[] = { { "", 2 }, { "profile=classic", 1 }, { "profile=tiny", 1 } };
	static const char text[] = ".ORIG x3000\n AND R2 R2 #0\n ST R6 X\n STR R6 R2 #0\n LEA R3 X\nX .FILL 0\n.END\n";

	(void)state;
	for (u32 i = 0; i < COUNT_OF(cases); i++) {
		Rig *rig = rig_create(cases[i].options);

		rig_load(rig, text, NULL);
		machine_set_pc(rig->machine, 0x3000);
		machine_set_slot(rig->machine, rig->r[6], 0x8000);
		machine_run(rig->machine, 2);
		assert_int_equal(rig_get(rig, rig->cc), 0); /* Z, though the stored value is negative */
		machine_set_pc(rig->machine, 0x3003);
		machine_run(rig->machine, 1);
		assert_int_equal(R(3), 0x3004);
		assert_int_equal(machine_view(rig->machine, isa_find_view(rig->isa, "Z", 1, false)), cases[i].cc == 2);
		rig_destroy(rig);
	}
}

static void test_05_zero_words_are_no_operation(void **state)
{
	Rig *rig = ran("", ".ORIG x3000\n AND R2 R2 #0\n .BLKW 300\n .FILL x01FF\n BR LAST\nLAST HALT\n.END\n", "");

	(void)state;
	/* AND, 301 words that do nothing, BR, HALT and what the system does for it */
	assert_int_equal(machine_icount(rig->machine), 1 + 301 + 1 + 1 + 382);
	rig_destroy(rig);
}

static void test_06_store_to_the_next_instruction(void **state)
{
	Rig *rig = ran("", ".ORIG x3000\n LD R2 NEW\n AND R3 R3 #0\nLOOP ST R2 NEXT\nNEXT ADD R3 R3 #1\n"
			   " ADD R4 R4 #1\n ADD R5 R4 #-3\n BRn LOOP\n HALT\nNEW .FILL x16E5\n.END\n", "");

	(void)state;
	assert_int_equal(R(3), 15); /* ADD R3, R3, #5 each time */
	rig_destroy(rig);
}

static void test_07_trap_r7_and_cc(void **state)
{
	static const char text[] = ".ORIG x3000\n LD R7 MARK\n AND R2 R2 #0\n ADD R2 R2 #-1\n GETC\n BRn NEG\n"
				   " ADD R3 R3 #1\nNEG ADD R4 R7 #0\n HALT\nMARK .FILL x7777\n.END\n";
	Rig *rig = ran("", text, "a");

	(void)state;
	assert_int_equal(R(3), 0);
	assert_int_equal(R(4), 0x7777);
	rig_destroy(rig);
	rig = ran("profile=tiny", text, "a");
	assert_int_equal(R(3), 1); /* GETC set P */
	assert_int_equal(R(4), 0x3004);
	rig_destroy(rig);
	rig = ran("profile=classic", text, "a");
	assert_int_equal(R(4), 0x3004);
	rig_destroy(rig);
}

static void test_08_user_r6_survives_a_trap(void **state)
{
	Rig *rig = ran("", ".ORIG x3000\n LD R6 JUNK\n LEA R0 S\n PUTS\n ADD R2 R6 #0\n HALT\nJUNK .FILL x0007\n"
			   "S .STRINGZ \"ok\"\n.END\n", "");

	(void)state;
	assert_string_equal(rig_output(rig), "ok" HALTING);
	assert_int_equal(R(2), 7);
	assert_int_equal(rig_get(rig, rig->ssp), 7);
	assert_int_equal(R(6), 0x2FFE);
	assert_int_equal(rig_word(rig, 0x2FFF), 0x8001); /* frame of HALT: PSR with P */
	assert_int_equal(rig_word(rig, 0x2FFE), 0x3005);
	assert_int_equal(rig_word(rig, 0x0007), 0x038C); /* the vector table was not a stack */
	rig_destroy(rig);
}

static void test_09_rti_in_user_mode(void **state)
{
	Rig *rig = ran("", ".ORIG x3000\n AND R2 R2 #0\n RTI\n.END\n", "");

	(void)state;
	assert_string_equal(rig_output(rig), "\n\n--- Privilege violation ---\n\n" HALTING);
	assert_int_equal(rig_word(rig, 0x2FFE), 0x3001);
	assert_int_equal(rig_word(rig, 0x2FFF), 0x8002);
	rig_destroy(rig);
}

static void test_10_fixed_bits(void **state)
{
	/* TRAP bits 11..8, ADD bits 4..3, NOT low six, JMP, JSRR, RTI fillers, opcode 1101 */
	static const u16 bad[] = { 0xF125, 0x1008, 0x1010, 0x5018, 0x903E, 0xC1C1, 0xC3C0, 0x4201, 0x8001, 0xD000 };

	(void)state;
	for (u32 i = 0; i < COUNT_OF(bad); i++) {
		Rig *rig = rig_create("");

		rig_load(rig, ".ORIG x3000\n .FILL 0\n HALT\n.END\n", NULL);
		rig_poke(rig, 0x3000, bad[i]);
		assert_int_equal(rig_run(rig, "").kind, STOP_HALT);
		assert_string_equal(rig_output(rig), "\n\n--- Illegal opcode ---\n\n" HALTING);
		assert_int_equal(rig_word(rig, 0x2FFE), 0x3000);
		rig_destroy(rig);
	}
	for (u32 i = 0; i < 4; i++) { /* the other machines do not look at them */
		Rig *rig = rig_create(i % 2 ? "profile=tiny" : "profile=classic");
		MachineStop stop;

		rig_load(rig, ".ORIG x3000\n .FILL 0\n HALT\n.END\n", NULL);
		rig_poke(rig, 0x3000, i < 2 ? bad[0] : bad[4]);
		stop = rig_run(rig, "");
		assert_int_equal(stop.kind, STOP_HALT);
		rig_destroy(rig);
	}
	for (u32 i = 0; i < 4; i++) { /* but have no opcode 1101 and no RTI */
		Rig *rig = rig_create(i % 2 ? "profile=tiny" : "profile=classic");
		MachineStop stop;

		rig_load(rig, ".ORIG x3000\n .FILL 0\n HALT\n.END\n", NULL);
		rig_poke(rig, 0x3000, i < 2 ? 0xD000 : 0x8000);
		stop = rig_run(rig, "");
		assert_int_equal(stop.kind, i < 2 ? STOP_ILLEGAL : STOP_TRAP);
		assert_int_equal(stop.pc, 0x3000);
		rig_destroy(rig);
	}
}

static void test_11_fetch_violation(void **state)
{
	static const u16 targets[] = { 0x2FFF, 0xFE00, 0x0000, 0xFFFF };

	(void)state;
	for (u32 i = 0; i < COUNT_OF(targets); i++) {
		Rig *rig = rig_create("");

		rig_load(rig, ".ORIG x3000\n LD R2 T\n JMP R2\nT .FILL 0\n.END\n", NULL);
		rig_poke(rig, 0x3002, targets[i]);
		assert_int_equal(rig_run(rig, "").kind, STOP_HALT);
		assert_string_equal(rig_output(rig), "\n\n--- Access violation---\n\n" HALTING);
		assert_int_equal(rig_word(rig, 0x2FFE), targets[i]);
		rig_destroy(rig);
	}
	{ /* walking off the end of user space, with `privilege = off` past it */
		static const char text[] = ".ORIG xFDFE\n ADD R2 R2 #1\n ADD R2 R2 #1\n.END\n";
		Rig *rig = ran("", text, "");

		assert_int_equal(rig_word(rig, 0x2FFE), 0xFE00);
		assert_int_equal(R(2), 2);
		rig_destroy(rig);
		rig = rig_create("privilege=off");
		rig_load(rig, text, NULL);
		assert_int_equal(machine_run(rig->machine, 100).kind, STOP_BUDGET);
		assert_int_equal(rig_get(rig, rig->pc), 0xFDFE + 100);
		rig_destroy(rig);
	}
}

/* Polls and reads the keyboard directly, from supervisor mode: two characters. */
static void test_12_polling_consumes_one_character(void **state)
{
	Rig *rig = rig_create("");
	MachineStop stop;

	(void)state;
	rig_load(rig, ".ORIG x1000\n LDI R2 KBSR\n BRzp #-2\n LDI R2 KBSR\n LDI R3 KBDR\n"
		      "W LDI R4 KBSR\n BRzp W\n LDI R4 KBDR\n LDI R5 KBDR\n HALT\n"
		      "KBSR .FILL xFE00\nKBDR .FILL xFE02\n.END\n", NULL);
	stop = rig_run(rig, "\xE9Z");
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(R(2), 0x8000);
	assert_int_equal(R(3), 0xFFE9);
	assert_int_equal(R(4), 'Z');
	assert_int_equal(R(5), 'Z'); /* nothing new: the last one again */
	rig_destroy(rig);
}

static void test_13_status_writes_and_line_ends(void **state)
{
	static const char text[] = ".ORIG x1000\n AND R2 R2 #0\n NOT R2 R2\n STI R2 KBSR\n STI R2 DSR\n LDI R3 KBSR\n"
				   " LDI R4 DSR\n LD R2 CR\n STI R2 DDR\n LDI R5 DSR\n LDI R7 DDR\n HALT\n"
				   "KBSR .FILL xFE00\nDSR .FILL xFE04\nDDR .FILL xFE06\nCR .FILL x010D\n.END\n";
	Rig *rig = ran("", text, "");

	(void)state;
	assert_int_equal(R(3), 0x4000);
	assert_int_equal(R(4), 0xC000);
	assert_int_equal(R(5), 0xC000); /* ready again one step after the write */
	assert_int_equal(R(7), 0);
	assert_string_equal(rig_output(rig), "\n" HALTING);
	rig_destroy(rig);
	rig = ran("profile=classic", ".ORIG x3000\n LD R0 CR\n OUT\n HALT\nCR .FILL x0D\n.END\n", "");
	assert_string_equal(rig_output(rig), CLASSIC_HELLO "\r" CLASSIC_HALTING);
	rig_destroy(rig);
}

/* The handler does not read the character: one interrupt, not a second one. At priority 4 and above: none. */
static void test_14_one_interrupt_a_character(void **state)
{
	static const char text[] =
		".ORIG x1000\n LEA R2 HANDLER\n STI R2 VECTOR\n LD R2 ENABLE\n STI R2 KBSR\n"
		" LD R3 COUNT\nLOOP ADD R3 R3 #-1\n BRp LOOP\n HALT\n"
		"HANDLER ADD R5 R5 #1\n LDI R4 PSR\n RTI\n"
		"VECTOR .FILL x0180\nENABLE .FILL x4000\nKBSR .FILL xFE00\nPSR .FILL xFFFC\nCOUNT .FILL 100\n.END\n";

	(void)state;
	for (u32 prio = 0; prio < 8; prio++) {
		Rig *rig = rig_create("");

		rig_load(rig, text, NULL);
		machine_set_slot(rig->machine, rig->prio, prio);
		assert_int_equal(rig_run(rig, "ab").kind, STOP_HALT);
		assert_int_equal(R(5), prio < 4);
		if (prio < 4)
			assert_int_equal(R(4) & 0x8700, 0x0400);
		rig_destroy(rig);
	}
}

static void test_15_clock_off(void **state)
{
	Rig *rig = rig_create("");
	MachineStop stop;

	(void)state;
	rig_load(rig, ".ORIG x1000\n AND R2 R2 #0\n STI R2 MCR\n ADD R3 R3 #1\nMCR .FILL xFFFE\n.END\n", NULL);
	stop = rig_run(rig, "");
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(rig_get(rig, rig->pc), 0x1002);
	assert_int_equal(machine_icount(rig->machine), 2);
	assert_int_equal(R(3), 0);
	assert_int_equal(machine_run(rig->machine, 1).kind, STOP_BUDGET); /* and can be continued */
	assert_int_equal(R(3), 1);
	rig_destroy(rig);
}

static void test_16_putsp_ends(void **state)
{
	static const char text[] = ".ORIG x3000\n LEA R0 A\n PUTSP\n HALT\nA .FILL x4241\n .FILL x0043\n .FILL x4544\n"
				   " .FILL 0\n.END\n";
	Rig *rig = ran("", text, "");

	(void)state;
	assert_string_equal(rig_output(rig), "ABC" HALTING);
	rig_destroy(rig);
	rig = ran("profile=tiny", text, "");
	assert_string_equal(rig_output(rig), "ABCDEHALT\n");
	rig_destroy(rig);
}

static void test_17_undefined_trap(void **state)
{
	static const char text[] = ".ORIG x3000\n TRAP x30\n ADD R2 R7 #0\n HALT\n.END\n";
	Rig *rig = ran("", text, "");

	(void)state;
	assert_string_equal(rig_output(rig), "\n\n--- Undefined trap executed ---\n\n" HALTING);
	rig_destroy(rig);
	rig = ran("profile=classic", text, "");
	assert_string_equal(rig_output(rig), CLASSIC_HELLO "\n\n--- undefined trap executed ---\n\n" CLASSIC_HALTING);
	rig_destroy(rig);
	rig = ran("profile=tiny", text, "");
	assert_string_equal(rig_output(rig), "HALT\n");
	assert_int_equal(R(2), 0x3001);
	rig_destroy(rig);
}

static void test_18_end_of_input(void **state)
{
	static const char text[] = ".ORIG x3000\n GETC\n ADD R2 R0 #0\n HALT\n.END\n";
	Rig *rig = rig_create("");

	(void)state;
	rig_load(rig, text, NULL);
	assert_int_equal(rig_run(rig, "").kind, STOP_INPUT_ENDED);
	rig_destroy(rig);
	rig = ran("profile=tiny", text, "");
	assert_int_equal(R(2), 0xFFFF);
	rig_destroy(rig);
	rig = rig_create("profile=tiny"); /* and before the end it waits, having prompted once */
	rig_load(rig, ".ORIG x3000\n IN\n ADD R2 R0 #0\n HALT\n.END\n", NULL);
	assert_int_equal(machine_run(rig->machine, 10).kind, STOP_WAIT);
	assert_int_equal(machine_run(rig->machine, 10).kind, STOP_WAIT);
	assert_int_equal(rig_run(rig, "\xC0").kind, STOP_HALT);
	assert_string_equal(rig_output(rig), "Enter a character: \xC0HALT\n");
	assert_int_equal(R(2), 0xFFC0);
	rig_destroy(rig);
}

static void test_19_mode_depends_on_the_start(void **state)
{
	static const struct {
		const char *origin;
		u16 start, psr, r6, ssp;
	} cases[] = {
		{ "x3000", 0x3000, 0x8002, 0, 0x3000 }, { "xFDFF", 0xFDFF, 0x8002, 0, 0x3000 },
		{ "x2FFF", 0x2FFF, 0x0002, 0x3000, 0 }, { "x0000", 0x0200, 0x0002, 0x3000, 0 },
	};

	(void)state;
	for (u32 i = 0; i < COUNT_OF(cases); i++) {
		Rig *rig = rig_create("");
		char text[64];

		snprintf(text, sizeof text, " .ORIG %s\n ADD R2 R2 #1\n .END\n", cases[i].origin);
		rig_load(rig, text, NULL);
		for (u32 again = 0; again < 2; again++) {
			assert_int_equal(rig_get(rig, rig->pc), cases[i].start);
			assert_int_equal(rig_psr(rig), cases[i].psr);
			assert_int_equal(R(6), cases[i].r6);
			assert_int_equal(rig_get(rig, rig->ssp), cases[i].ssp);
			machine_run(rig->machine, 1);
			machine_reset(rig->machine, true); /* the same after a reset */
		}
		rig_destroy(rig);
	}
	{ /* the boot code: user mode at x3000 */
		Rig *rig = rig_create("");

		machine_reset(rig->machine, false);
		assert_int_equal(rig_get(rig, rig->pc), 0x0200);
		machine_run(rig->machine, 8);
		assert_int_equal(rig_get(rig, rig->pc), 0x3000);
		assert_int_equal(rig_psr(rig), 0x8002);
		assert_int_equal(rig_get(rig, rig->ssp), 0x3000);
		rig_destroy(rig);
	}
}

static void test_20_jsrr_r7(void **state)
{
	static const char text[] = ".ORIG x3000\n LEA R7 SUB\n JSRR R7\n ADD R2 R2 #1\n HALT\n"
				   "SUB ADD R3 R3 #1\n ADD R4 R7 #0\n HALT\n.END\n";
	static const struct {
		const char *options;
		u16 r2, r3;
	} cases[] = {
		{ "", 0, 1 }, { "profile=tiny", 0, 1 }, { "profile=classic", 0, 1 },
		{ "jsrr=original", 1, 0 }, { "jsrr=original profile=tiny", 1, 0 },
		{ "jsrr=original profile=classic", 0, 1 },
	};

	(void)state;
	for (u32 i = 0; i < COUNT_OF(cases); i++) {
		Rig *rig = ran(cases[i].options, text, "");

		assert_int_equal(R(2), cases[i].r2);
		assert_int_equal(R(3), cases[i].r3);
		if (cases[i].r3)
			assert_int_equal(R(4), 0x3002);
		rig_destroy(rig);
	}
}

static void test_21_several_objects(void **state)
{
	static const char first[] = ".ORIG x3000\n ADD R2 R2 #1\n ADD R2 R2 #1\n ADD R2 R2 #1\n HALT\n.END\n";
	static const char second[] = ".ORIG x3001\n ADD R2 R2 #8\n.END\n";
	Rig *rig = rig_create("");

	(void)state;
	rig_load(rig, first, second, NULL);
	assert_int_equal(rig_get(rig, rig->pc), 0x3001); /* entry of the last */
	assert_int_equal(rig_run(rig, "").kind, STOP_HALT);
	assert_int_equal(R(2), 9);
	rig_destroy(rig);
	rig = rig_create("profile=tiny");
	rig_load(rig, first, second, NULL);
	assert_int_equal(rig_get(rig, rig->pc), 0x3000); /* always */
	assert_int_equal(rig_run(rig, "").kind, STOP_HALT);
	assert_int_equal(R(2), 10);
	rig_destroy(rig);
}

static void test_22_polling_from_user_mode(void **state)
{
	static const char text[] = ".ORIG x3000\nW LDI R2 KBSR\n BRzp W\n LDI R0 KBDR\n OUT\n HALT\n"
				   "KBSR .FILL xFE00\nKBDR .FILL xFE02\n.END\n";
	Rig *rig = ran("", text, "x");

	(void)state;
	assert_string_equal(rig_output(rig), "\n\n--- Access violation---\n\n" HALTING);
	rig_destroy(rig);
	rig = ran("privilege=off", text, "x");
	assert_string_equal(rig_output(rig), "x" HALTING);
	rig_destroy(rig);
	rig = ran("profile=tiny", text, "x");
	assert_string_equal(rig_output(rig), "xHALT\n");
	rig_destroy(rig);
}

/* ---- Beyond the list ---- */

/* Every instruction assembles for every machine: RTI is one, even where it can't be executed. */
static void test_rti_has_words_everywhere(void **state)
{
	static const char *const options[] = { "", "profile=classic", "profile=tiny" };

	(void)state;
	for (u32 i = 0; i < COUNT_OF(options); i++) {
		Rig *rig = rig_create(options[i]);

		rig_load(rig, ".ORIG x3000\n RTI\n.END\n", NULL);
		assert_int_equal(rig_word(rig, 0x3000), 0x8000);
		rig_destroy(rig);
	}
}

static void test_halt_can_be_continued(void **state)
{
	Rig *rig = ran("", ".ORIG x3000\n HALT\n.END\n", "");
	MachineStop stop = machine_run(rig->machine, 10000);

	(void)state;
	assert_int_equal(stop.kind, STOP_HALT);
	assert_string_equal(rig_output(rig), HALTING HALTING);
	rig_destroy(rig);
}

/* A handler that reads two characters: the second one's own interrupt comes only when interrupts are queued. */
static void test_interrupts_level_or_queued(void **state)
{
	static const char text[] =
		".ORIG x1000\n LEA R2 HANDLER\n STI R2 VECTOR\n LD R2 ENABLE\n STI R2 KBSR\n"
		" LD R3 COUNT\nLOOP ADD R3 R3 #-1\n BRp LOOP\n HALT\n"
		"HANDLER ADD R5 R5 #1\n LDI R4 KBDR\n LDI R4 KBDR\n RTI\n"
		"VECTOR .FILL x0180\nENABLE .FILL x4000\nKBSR .FILL xFE00\nKBDR .FILL xFE02\nCOUNT .FILL 100\n.END\n";
	static const struct {
		const char *options;
		u16 entries;
	} kinds[] = { { "", 4 }, { "interrupts=queued", 4 }, { "interrupts=level", 2 } };

	(void)state;
	for (u32 i = 0; i < COUNT_OF(kinds); i++) {
		Rig *rig = ran(kinds[i].options, text, "abcd");

		assert_int_equal(R(5), kinds[i].entries);
		rig_destroy(rig);
	}
}

static void test_psr_store_keeps_the_stacks(void **state)
{
	Rig *rig = rig_create("");

	(void)state;
	rig_load(rig, ".ORIG x1000\n LD R2 NEW\n STI R2 PSR\nNEW .FILL x8704\nPSR .FILL xFFFC\n.END\n", NULL);
	machine_run(rig->machine, 2);
	assert_int_equal(rig_psr(rig), 0x8704);
	assert_int_equal(R(6), 0x3000);
	assert_int_equal(rig_get(rig, rig->ssp), 0);
	machine_run(rig->machine, 1); /* the next fetch is already forbidden */
	assert_int_equal(rig_get(rig, rig->pc), 0x03F4);
	rig_destroy(rig);
}

static void test_entry_addresses_of_the_system(void **state)
{
	static const struct {
		u16 vector, address;
	} table[] = { { 0x20, 0x0300 }, { 0x21, 0x0306 }, { 0x22, 0x0310 }, { 0x23, 0x031F }, { 0x24, 0x0340 },
		      { 0x25, 0x0366 }, { 0x00, 0x038C }, { 0x1F, 0x038C }, { 0x26, 0x038C }, { 0xFF, 0x038C },
		      { 0x100, 0x03B3 }, { 0x101, 0x03D6 }, { 0x102, 0x03F4 }, { 0x103, 0x0413 }, { 0x180, 0x0413 },
		      { 0x1FF, 0x0413 } };
	Rig *rig = rig_create("");

	(void)state;
	machine_reset(rig->machine, false);
	for (u32 i = 0; i < COUNT_OF(table); i++)
		assert_int_equal(rig_word(rig, table[i].vector), table[i].address);
	assert_int_equal(rig_word(rig, 0x0413), 0x8000);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_countdown_v3),
		cmocka_unit_test(test_countdown_classic),
		cmocka_unit_test(test_countdown_tiny),
		cmocka_unit_test(test_self_modifying_and_packed),
		cmocka_unit_test(test_condition_codes_after_lea),
		cmocka_unit_test(test_keyboard_interrupt),
		cmocka_unit_test(test_01_add_wraps),
		cmocka_unit_test(test_02_addresses_wrap),
		cmocka_unit_test(test_03_indirect_checks_both_accesses),
		cmocka_unit_test(test_04_lea_and_stores_and_cc),
		cmocka_unit_test(test_05_zero_words_are_no_operation),
		cmocka_unit_test(test_06_store_to_the_next_instruction),
		cmocka_unit_test(test_07_trap_r7_and_cc),
		cmocka_unit_test(test_08_user_r6_survives_a_trap),
		cmocka_unit_test(test_09_rti_in_user_mode),
		cmocka_unit_test(test_10_fixed_bits),
		cmocka_unit_test(test_11_fetch_violation),
		cmocka_unit_test(test_12_polling_consumes_one_character),
		cmocka_unit_test(test_13_status_writes_and_line_ends),
		cmocka_unit_test(test_14_one_interrupt_a_character),
		cmocka_unit_test(test_15_clock_off),
		cmocka_unit_test(test_16_putsp_ends),
		cmocka_unit_test(test_17_undefined_trap),
		cmocka_unit_test(test_18_end_of_input),
		cmocka_unit_test(test_19_mode_depends_on_the_start),
		cmocka_unit_test(test_20_jsrr_r7),
		cmocka_unit_test(test_21_several_objects),
		cmocka_unit_test(test_22_polling_from_user_mode),
		cmocka_unit_test(test_rti_has_words_everywhere),
		cmocka_unit_test(test_halt_can_be_continued),
		cmocka_unit_test(test_interrupts_level_or_queued),
		cmocka_unit_test(test_psr_store_keeps_the_stacks),
		cmocka_unit_test(test_entry_addresses_of_the_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
