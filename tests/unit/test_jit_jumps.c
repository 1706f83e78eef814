/* SPDX-License-Identifier: MIT
 *
 * Jumps through registers: interpreters that jump from instruction to instruction by a table, whose addresses may have bits that a jump
 * does not look at; whose jumps go to a few places (which become part of the region), then to others; code at odd places, where some jumps
 * go and none returns to. Equal to the interpreter at each stop, on a machine of
 * 16-bit cells and on RV64.
 */
#include "soak_rv64.h"

#include "jit/jit.h"
#include "jit/jit_private.h"

enum { WAYS = 6, ENGINES = WAYS + 1 };
static const EngineOptions ways[WAYS] = {
	{.hot = 1}, {.hot = 3, .evict = 7}, {.hot = 1, .region = 1}, {.hot = 20, .switch_rights = true}, {.hot = 8, .background = true},
	{.hot = 600},
};

typedef struct Side {
	Isa *isa;
	Machine *machines[ENGINES];
	const EngineOps *engines[ENGINES];
	u32 slice;
} Side;

static void open_side(Side *side, const char *name, const char *text, bool paged)
{
	*side = (Side){.isa = load(name, text)};
	for (unsigned e = 0; e < ENGINES; e++) {
		side->engines[e] = e ? &jit_engine : &interp_engine;
		engine_options = e ? &ways[e - 1] : NULL;
		side->machines[e] = paged ? open_paged(side->isa, side->engines[e]) : create(side->isa, side->engines[e]);
	}
	engine_options = NULL;
}

static void close_side(Side *side)
{
	for (unsigned e = 0; e < ENGINES; e++)
		machine_destroy(side->machines[e]);
	isa_destroy(side->isa);
}

static void run_side(Side *side, u64 insns)
{
	MachineStop stops[ENGINES];

	for (unsigned e = 0; e < ENGINES; e++)
		stops[e] = machine_run(side->machines[e], insns);
	compare_machines(side->machines, side->engines, stops, ENGINES, "jumps", side->slice++);
}

static void set_register(Side *side, const char *name, u64 value)
{
	u32 slot;
	u8 width;

	assert_true(isa_find_register(side->isa, name, strlen(name), false, &slot, &width));
	for (unsigned e = 0; e < ENGINES; e++)
		machine_set_slot(side->machines[e], slot, value);
}

static void set_pc(Side *side, u64 pc)
{
	for (unsigned e = 0; e < ENGINES; e++)
		machine_set_pc(side->machines[e], pc);
}

static void poke(Side *side, u16 space, u64 address, u64 cell)
{
	for (unsigned e = 0; e < ENGINES; e++)
		assert_int_equal(machine_write(side->machines[e], space, address, cell), 0);
}

static u64 count(const Side *side, unsigned engine, EngineCount what)
{
	EngineStats stats = {0};

	machine_engine_stats(side->machines[engine], &stats);
	return stats.counts[what];
}

/* Jumps with ways that are in the region, in code that is there. */
static u32 count_forks(const Side *side, unsigned engine)
{
	const Engine *of = side->machines[engine]->engine;
	u32 found = 0;

	for (u32 n = of->half * (JIT_EXITS / 2); n < of->exit_count; n++)
		found += of->exits[n]->kind == JIT_EXIT_ASTRAY;
	return found;
}

/* ---- Cells: returns go to even places, jumps anywhere or to even places, too ---- */

static const char cells_isa[] =
	"isa CELLS \"jumps through registers\"\n"
	"space M : 16 x 0x1000\n"
	"code M\n"
	"reg R[8] : 16\n"
	"reg pc : 16 = 0x100\n"
	"field d a : R\n"
	"field i : signed\n"
	"field t : rel next\n"
	"insn ADDI  \"0010 ddd aaa iiiiii\"    d, a, i   { d = a + i }\n"
	"insn LD    \"0011 ddd aaa 000000\"    d, a      { d = M[a] }\n"
	"insn BR    \"0101 tttttttttttt\"      t         { jump t }\n"
	"insn CALL  \"0110 tttttttttttt\"      t         { R[7] = next; call t }\n"
	"insn RET   \"0111 000000000000\"                { let t = R[7] & 0xFFFE; ret t }\n"
	"insn JR    \"1001 aaa 000000000\"     a         { jump a }\n"
	"insn JE    \"1011 aaa 000000000\"     a         { let t = a & 0xFFFE; jump t }\n"
	"insn JQ    \"1100 aaa 000000000\"     a         { let t = a & 0xFFFC; jump t }\n";

static void set_codes(Side *side, u64 seed, u32 kinds)
{
	Rng rng = {seed};

	for (u32 i = 0; i < 64; i++)
		poke(side, 0, 0x800 + i, 0x80 + (i == 63 ? 7 : rng_below(&rng, kinds)));
}

/* The table is at 0x80, codes from 0x800 on, R6 is the place in them. Behind each instruction the next one is looked up and jumped to. */
static void put_cells(Side *side, u64 seed, u16 jump)
{
	Rng rng = {seed};
	u64 at = 0x201;

	for (u32 k = 0; k < 8; k++) {
		u64 place = jump == 0xC000 ? (at + 3) & ~(u64)3 : jump == 0xB000 ? (at + 1) & ~(u64)1 : at;

		/* A pc with bits that the jump does not look at is as good. */
		poke(side, 0, 0x80 + k, place | (jump == 0x9000 ? 0 : rng_below(&rng, jump == 0xC000 ? 4 : 2)));
		at = place;
		poke(side, 0, at++, 0x2000 | 1 << 9 | 1 << 6 | (k + 1)); /* ADDI R1, R1, k + 1 */
		if (k == 7) {
			poke(side, 0, at++, 0x2000 | 6 << 9 | 4 << 6); /* ADDI R6, R4, 0: again */
		} else if (k & 1) {
			poke(side, 0, at, 0x6000 | ((0x300 + k * 9 - at - 1) & 0xFFF)); /* CALL: comes back to an even place or not there */
			poke(side, 0, 0x300 + k * 9, 0x2000 | 3 << 9 | 3 << 6 | 5); /* ADDI R3, R3, 5 */
			poke(side, 0, 0x301 + k * 9, 0x7000); /* RET */
			at += 1;
		}
		poke(side, 0, at++, 0x3000 | 0 << 9 | 6 << 6); /* LD R0, R6 */
		poke(side, 0, at++, 0x2000 | 6 << 9 | 6 << 6 | 1); /* ADDI R6, R6, 1 */
		poke(side, 0, at++, 0x3000 | 5 << 9 | 0 << 6); /* LD R5, R0 */
		poke(side, 0, at++, (u64)jump | 5 << 9);
	}
	set_codes(side, seed, 3);
	set_register(side, "R4", 0x800);
	set_register(side, "R6", 0x800);
}

static void by_cells(void **state)
{
	static const u16 jumps[] = {0x9000, 0xB000, 0xC000};

	(void)state;
	for (u64 seed = 1; seed <= 4; seed++)
		for (u32 j = 0; j < COUNT_OF(jumps); j++) {
			Side side;

			open_side(&side, "cells.isa", cells_isa, false);
			assert_int_equal(side.isa->return_bits, 0xFFFE);
			put_cells(&side, seed, jumps[j]);
			set_pc(&side, jumps[j] == 0x9000 ? 0x201 : jumps[j] == 0xB000 ? 0x202 : 0x204);
			run_side(&side, 30000);
			for (u32 budget = 1; budget < 60; budget++)
				run_side(&side, budget);
			run_side(&side, 30000);
			assert_true(count(&side, 1, ENGINE_REGION_ENTERED) > 0);
			assert_true(count_forks(&side, WAYS) > 0);
			set_codes(&side, seed, 7);
			run_side(&side, 60000);
			close_side(&side);
		}
}

/* ---- RV64 ---- */

enum { A0 = 10, A1 = 11, A4 = 14, A5 = 15, TABLE = DATA, CODES = DATA + 256, HANDLERS = 8 };

/* s0: the table; s1: where in the codes; `reg`: what is jumped through. */
static void put_dispatch(Shape *s, u32 reg, i32 imm)
{
	shape_i(s, 0x03, 4, A4, S1, 0); /* lbu */
	shape_addi(s, S1, S1, 1);
	shape_i(s, 0x13, 1, A4, A4, 3); /* slli */
	shape_r(s, 0, 0, A4, A4, S0);
	shape_i(s, 0x03, 3, reg, A4, 0); /* ld */
	shape_i(s, 0x67, 0, ZERO, reg, imm);
}

/* threaded: each handler jumps on by itself; else all go to one place. */
static void put_interpreter(Side *side, Shape *s, u32 reg, i32 imm, bool threaded, u32 from)
{
	u32 dispatch = from, handlers[HANDLERS];

	memset(s, 0, sizeof *s);
	s->at = from;
	put_dispatch(s, reg, imm);
	for (u32 k = 0; k < HANDLERS; k++) {
		handlers[k] = s->at;
		if (k == HANDLERS - 1)
			shape_addi(s, S1, S1, -64);
		else if (k & 1)
			shape_r(s, 0, 0, A0, A0, A1);
		else
			shape_addi(s, A1, A0, (i32)k);
		if (threaded)
			put_dispatch(s, reg, imm);
		else
			shape_word(s, shape_jal_word(ZERO, (i32)(dispatch - s->at)));
	}
	for (u32 i = from; i < s->at; i++)
		poke(side, machine_paged_space(side->machines[0]), CODE + i, s->code[i]);
	for (u32 k = 0; k < HANDLERS; k++)
		for (u32 i = 0; i < 8; i++) /* the lowest bit does not count */
			poke(side, machine_paged_space(side->machines[0]), TABLE + 8 * k + i,
			     (CODE + handlers[k] - (u64)imm + (k & 1 ? !(from & 1) : 0)) >> 8 * i & 0xFF);
}

static void put_codes(Side *side, Rng *rng, u32 kinds)
{
	for (u32 i = 0; i < 64; i++)
		poke(side, machine_paged_space(side->machines[0]), CODES + i, i == 63 ? HANDLERS - 1 : rng_below(rng, kinds));
	set_register(side, "s0", TABLE);
	set_register(side, "s1", CODES);
	set_pc(side, CODE);
}

static void by_rv64(void **state)
{
	static const u32 regs[] = {A5, T1, 28}; /* pinned; in memory; parked */
	char *text = read_text("src/guests/rv64/rv64.isa");
	static Shape shape;
	u64 astray = 0;

	(void)state;
	for (u32 n = 0; n < 2 * COUNT_OF(regs); n++) {
		Rng rng = {n + 1};
		Side side;

		open_side(&side, "rv64.isa", text, true);
		put_interpreter(&side, &shape, regs[n / 2], n / 2 == 1 ? 4 : 0, n & 1, 0);
		put_codes(&side, &rng, 3);
		run_side(&side, 60000);
		assert_true(count_forks(&side, WAYS) > 0);
		for (u32 budget = 1; budget < 90; budget++) /* it ends at each instruction of each way */
			run_side(&side, budget);
		assert_true(count(&side, 1, ENGINE_REGION_ENTERED) > 0);
		for (u32 turn = 0; turn < 6; turn++) { /* they go elsewhere; where that is often, the region is given up */
			put_codes(&side, &rng, 1 + turn);
			run_side(&side, 20000 + turn);
		}
		astray += count(&side, WAYS, ENGINE_ASTRAY);
		/* All of it at an odd place, where no jump leads to. */
		put_interpreter(&side, &shape, regs[n / 2], 0, n & 1, 0x401);
		for (u32 turn = 0; turn < 60; turn++) {
			set_register(&side, "s1", CODES);
			set_pc(&side, CODE + 0x401);
			run_side(&side, 1 + turn % 20);
		}
		put_interpreter(&side, &shape, regs[n / 2], 0, n & 1, 0);
		put_codes(&side, &rng, 7);
		run_side(&side, 20000);
		close_side(&side);
	}
	assert_true(astray > 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(by_cells), cmocka_unit_test(by_rv64)};

	if (!jit_is_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
