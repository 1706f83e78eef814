/* SPDX-License-Identifier: MIT
 *
 * Calls through a register whose usual target is taken into the region: targets that stay, change once, change for ever, return to
 * odd places or call on; stubs that jump through a cell; code of the callee that changes, by the guest and by others; budgets that
 * end anywhere in between. Equal to the interpreter at each stop, on a machine of 16-bit cells and on RV64.
 */
#include "jit_pair.h"

/* ---- Cells ---- */

static const char cells_isa[] =
	"isa CELLS \"calls through registers\"\n"
	"space M : 16 x 0x1000\n"
	"code M\n"
	"reg R[8] : 16\n"
	"reg pc : 16 = 0x100\n"
	"field d a b : R\n"
	"field i : signed\n"
	"field t : rel next\n"
	"insn LI    \"0000 ddd iiiiiiiii\"     d, i      { d = i }\n"
	"insn ADD   \"0001 ddd aaa bbb 000\"  d, a, b   { d = a + b }\n"
	"insn ADDI  \"0010 ddd aaa iiiiii\"    d, a, i   { d = a + i }\n"
	"insn LD    \"0011 ddd aaa 000000\"    d, a      { d = M[a] }\n"
	"insn ST    \"0100 ddd aaa 000000\"    d, a      { M[a] = d }\n"
	"insn BNZ   \"0101 aaa ttttttttt\"     a, t      { if (a != 0) jump t }\n"
	"insn CALL  \"0110 tttttttttttt\"      t         { R[7] = next; call t }\n"
	"insn RET   \"0111 000000000000\"                { ret R[7] }\n"
	"insn CALLR \"1000 aaa 000000000\"     a         { let q = a; R[7] = next; call q }\n"
	"insn JR    \"1001 aaa 000000000\"     a         { jump a }\n"
	"insn CALLZ \"1010 aaa bbb 000000\"    a, b      { if (b == 0) { R[7] = next; call a } }\n"
	"asm {\n"
	"  comment \";\"  label colon  number hex \"0x\" | dec\n"
	"  .ORG q = org\n"
	"}\n";

/* R6: what is called; R5: what stands in CELL, where the stub looks; R4: what is stored into F every hundredth time. */
static const char cells_text[] =
	"        .ORG 0x80\n"
	"CELL:   LI R0, 0\n"
	"STUB:   LI R0, 0x80\n"
	"        LD R0, R0\n"
	"        JR R0\n"
	"        .ORG 0x100\n"
	"AGAIN:  LI R3, 100\n"
	"LOOP:   CALLR R6\n"
	"        ADDI R2, R2, 1\n"
	"        CALL STUB\n"
	"        ADD R2, R2, R1\n"
	"        CALLZ R6, R3\n"
	"        ADDI R2, R2, 2\n"
	"        ADDI R3, R3, -1\n"
	"        BNZ R3, LOOP\n"
	"        LI R0, 0xC0\n" /* half of F */
	"        ADD R0, R0, R0\n"
	"        BNZ R4, STORE\n"
	"        BNZ R0, AGAIN\n"
	"STORE:  ST R4, R0\n"
	"        BNZ R0, AGAIN\n"
	"        .ORG 0x180\n"
	"F:      ADDI R1, R1, 1\n"
	"        BNZ R1, FF\n"
	"        ADDI R2, R2, 3\n"
	"FF:     RET\n"
	"        .ORG 0x190\n"
	"G:      ADDI R1, R1, 7\n"
	"        RET\n"
	"        .ORG 0x198\n"
	"SKIP:   ADDI R7, R7, 1\n"
	"        RET\n"
	"        .ORG 0x1A0\n"
	"CALLS:  ADDI R1, R7, 0\n"
	"        CALL G\n"
	"        ADDI R7, R1, -7\n"
	"        ADDI R1, R1, 5\n"
	"        RET\n"
	"        .ORG 0x1B0\n"
	"TAIL:   ADDI R1, R1, 2\n"
	"        JR R5\n";

enum { CELL = 0x80, F = 0x180, G = 0x190, SKIP = 0x198, CALLS = 0x1A0, TAIL = 0x1B0 };

static AsmProgram *assemble(const Isa *isa, const char *text)
{
	Source source = {"cells.asm", text, strlen(text)};
	AsmOptions options = {0};
	AsmProgram *program;
	DiagList diags;

	diag_init(&diags);
	program = asm_assemble(isa, &source, &options, &diags);
	toy_check(&diags, program);
	diag_fini(&diags);
	return program;
}

/* Calls with a target that was taken in. */
static u32 count_taken(const Machine *machine)
{
	const Engine *engine = machine->engine;
	u32 count = 0;

	for (u32 n = engine->half * (JIT_EXITS / 2); n < engine->exit_count; n++)
		count += engine->exits[n]->kind == JIT_EXIT_ASTRAY;
	return count;
}

static u64 count_astray(const Machine *machine)
{
	EngineStats stats = {0};

	machine_engine_stats(machine, &stats);
	return stats.counts[ENGINE_ASTRAY];
}

enum { WAYS = 7, CELLS_MOST = WAYS + 1 };
static const EngineOptions ways[WAYS] = {
	{.hot = 1}, {.hot = 3, .evict = 7}, {.hot = 1, .evict = 40}, {.hot = 1, .region = 1}, {.hot = 20, .switch_rights = true},
	{.hot = 1, .background = true}, {.hot = 600},
};

typedef struct Cells {
	Isa *isa;
	AsmProgram *program;
	Machine *machines[CELLS_MOST];
	const EngineOps *engines[CELLS_MOST];
	u32 slice;
} Cells;

static void open_cells(Cells *c)
{
	*c = (Cells){.isa = load("cells.isa", cells_isa)};
	c->program = assemble(c->isa, cells_text);
	for (unsigned e = 0; e < CELLS_MOST; e++) {
		c->engines[e] = e ? &jit_engine : &interp_engine;
		engine_options = e ? &ways[e - 1] : NULL;
		c->machines[e] = create(c->isa, c->engines[e]);
		toy_put(c->machines[e], c->program);
	}
	engine_options = NULL;
}

static void close_cells(Cells *c)
{
	for (unsigned e = 0; e < CELLS_MOST; e++)
		machine_destroy(c->machines[e]);
	asm_program_destroy(c->program);
	isa_destroy(c->isa);
}

static void run_cells(Cells *c, u64 insns)
{
	MachineStop stops[CELLS_MOST];

	for (unsigned e = 0; e < CELLS_MOST; e++)
		stops[e] = machine_run(c->machines[e], insns);
	compare_machines(c->machines, c->engines, stops, CELLS_MOST, "cells", c->slice++);
}

static void set_cells(Cells *c, u64 called, u64 by_stub, u64 stored)
{
	u32 slot = c->isa->regs[0].slot;

	for (unsigned e = 0; e < CELLS_MOST; e++) {
		machine_set_slot(c->machines[e], slot + 6, called);
		machine_set_slot(c->machines[e], slot + 5, G);
		machine_set_slot(c->machines[e], slot + 4, stored);
		assert_int_equal(machine_write(c->machines[e], 0, CELL, by_stub), 0);
	}
}

/* One target, another one, and back; then the function is another: the regions that held it are gone. */
static void stays_and_changes(void **state)
{
	Cells c;
	u64 astray, later;

	(void)state;
	open_cells(&c);
	set_cells(&c, F, G, 0);
	run_cells(&c, 20000);
	assert_true(count_taken(c.machines[1]) >= 2);
	assert_int_equal(count_astray(c.machines[1]), 0);
	for (u32 budget = 1; budget < 70; budget++) /* it ends at each instruction of the loop */
		for (u32 k = 0; k < 6; k++)
			run_cells(&c, budget);
	set_cells(&c, G, F, 0);
	run_cells(&c, 60000);
	astray = count_astray(c.machines[1]);
	assert_true(astray > 0);
	for (u32 turn = 0; turn < 12; turn++) {
		set_cells(&c, turn & 1 ? G : F, turn & 1 ? F : G, 0);
		run_cells(&c, 30000 + turn);
	}
	later = count_astray(c.machines[1]);
	assert_true(later - astray <= 8);
	for (u32 i = 1; i < 30; i++) { /* ADDI R1, R1, i */
		for (unsigned e = 0; e < CELLS_MOST; e++)
			assert_int_equal(machine_write(c.machines[e], 0, i & 1 ? F : G, 0x2240 | i), 0);
		run_cells(&c, 3000 + 7 * i);
	}
	close_cells(&c);
}

/* Everything at random: what is called at all, where it returns to, and what the guest stores into it. */
static void anything(void **state)
{
	static const u64 targets[] = {F, F, F, G, G, SKIP, CALLS, TAIL};

	(void)state;
	for (u64 seed = 1; seed <= 6; seed++) {
		Rng rng = {seed};
		Cells c;

		open_cells(&c);
		for (u32 round = 0; round < 60; round++) {
			u64 stored = rng_below(&rng, 3) ? 0 : 0x2240 | rng_below(&rng, 32);

			set_cells(&c, targets[rng_below(&rng, COUNT_OF(targets))], targets[rng_below(&rng, COUNT_OF(targets))], stored);
			for (u32 k = 0; k < 4; k++)
				run_cells(&c, rng_below(&rng, 3) ? 1 + rng_below(&rng, 3000) : 1 + rng_below(&rng, 20));
		}
		close_cells(&c);
	}
}

/* ---- RV64 ---- */

/*
 * A program that is linked when it runs: calls of stubs, which load where to go from a table at s0 (auipc and an offset in such
 * programs). One function is small, the other calls.
 */
static void make_linked(Shape *s)
{
	enum { A0 = 10, A1 = 11, T3 = 28 };
	u32 small, calls, stubs[2], call[2];

	memset(s, 0, sizeof *s);
	shape_word(s, shape_jal_word(ZERO, 96));
	small = s->at; /* 4 */
	shape_addi(s, A0, A0, 1);
	shape_i(s, 0x67, 0, ZERO, RA, 0);
	calls = s->at; /* 12 */
	shape_addi(s, S1, RA, 0);
	shape_word(s, shape_jal_word(RA, (i32)(small - s->at)));
	shape_addi(s, A1, A1, 1);
	shape_i(s, 0x67, 0, ZERO, S1, 0);
	for (u32 i = 0; i < 2; i++) {
		stubs[i] = s->at;
		shape_i(s, 0x03, 3, T3, S0, (i32)(8 * i)); /* ld */
		shape_i(s, 0x67, 0, T1, T3, 0);
		shape_addi(s, ZERO, ZERO, 0);
	}
	while (s->at < 96)
		shape_addi(s, ZERO, ZERO, 0);
	for (u32 i = 0; i < 2; i++) {
		call[i] = s->at;
		shape_word(s, shape_jal_word(RA, (i32)(stubs[i] - s->at)));
		shape_addi(s, A1, A1, 2);
	}
	shape_word(s, shape_jal_word(ZERO, (i32)(call[0] - s->at)));
	assert_int_equal(calls, 12);
}

static void set_table(Machine *machine, u64 first, u64 second)
{
	const u64 table[] = {first, second};

	for (u32 i = 0; i < 16; i++)
		assert_int_equal(machine_write(machine, machine_paged_space(machine), DATA + i, table[i / 8] >> 8 * (i % 8) & 0xFF), 0);
}

static void linked(void **state)
{
	static Shape shape;
	Pair pair;

	(void)state;
	make_linked(&shape);
	pair_open(&pair, &shape);
	pair_set(&pair, "s0", DATA);
	for (u32 i = 0; i < 2; i++)
		set_table(pair.machines[i], CODE + 4, CODE + 12);
	for (u32 step = 0; step < 900; step++) {
		for (u32 i = 0; i < 2 && step >= 300 && step % 60 == 0; i++) /* the lowest bit does not count */
			set_table(pair.machines[i], CODE + (step / 60 & 1 ? 4 : 12), CODE + (step / 120 & 1 ? 13 : 4));
		pair_run(&pair, step < 200 ? 500 + step : step < 300 ? 1 + step % 50 : 2000 + step);
		if (step == 199)
			assert_true(count_taken(pair.machines[1]) > 0);
	}
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(stays_and_changes), cmocka_unit_test(anything), cmocka_unit_test(linked)};

	if (!jit_is_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
