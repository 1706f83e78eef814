/* SPDX-License-Identifier: MIT
 *
 * Loops over words in a row (ssa_wide.c), of many shapes: fills, copies up and down, merged from two words, in place, searches,
 * compares; with pointers that overlap, that run into pages that are missing, not writable or hold code. In slices of random
 * length, evaluated and compiled, all is as the interpreter has it.
 *
 *     test_ssa_wide [ROUNDS [SEED]]
 */
#include "paged_random.h"
#include "ssa_engine.h"

#include "jit/jit.h"

#ifdef __SANITIZE_ADDRESS__
static u64 wanted_rounds = 60, first_seed = 1;
#else
static u64 wanted_rounds = 300, first_seed = 1;
#endif

static bool three_pages; /* such loops alone: that a page between two others is missing is rare */

/* ---- Loops as RV64 code ---- */

enum { T0 = 5, T1, T2, A0 = 10, A1, A2, A3, A4, A5, A6, A7, S4 = 20, S5, S6, S7, T3 = 28, T4, T5 };
enum { F_ADD = 0, F_SUB = 0x20 << 25, F_SLL = 1 << 12, F_XOR = 4 << 12, F_SRL = 5 << 12, F_OR = 6 << 12, F_AND = 7 << 12 };
enum { B_EQ, B_NE, B_LT = 4, B_GE, B_LTU, B_GEU };

typedef struct Code {
	u32 words[256];
	u32 count, shape;
} Code;

static void word(Code *c, u32 value)
{
	c->words[c->count++] = value;
}

static void reg3(Code *c, u32 op, u32 d, u32 a, u32 b)
{
	word(c, op | b << 20 | a << 15 | d << 7 | 0x33);
}

static void addi(Code *c, u32 d, u32 a, i32 imm)
{
	word(c, (u32)imm << 20 | a << 15 | d << 7 | 0x13);
}

static void ld(Code *c, u32 d, u32 a, i32 imm)
{
	word(c, (u32)imm << 20 | a << 15 | 3 << 12 | d << 7 | 0x03);
}

static void sd(Code *c, u32 b, u32 a, i32 imm)
{
	word(c, ((u32)imm >> 5 & 127) << 25 | b << 20 | a << 15 | 3 << 12 | ((u32)imm & 31) << 7 | 0x23);
}

static u32 branch(Code *c, u32 kind, u32 a, u32 b)
{
	word(c, b << 20 | a << 15 | kind << 12 | 0x63);
	return c->count - 1;
}

static void lands(Code *c, u32 at, u32 target)
{
	i32 far = ((i32)target - (i32)at) * 4;

	c->words[at] |= ((u32)far >> 12 & 1) << 31 | ((u32)far >> 5 & 63) << 25 | ((u32)far >> 1 & 15) << 8 | ((u32)far >> 11 & 1) << 7;
}

static void jump(Code *c, u32 target)
{
	i32 far = ((i32)target - (i32)c->count) * 4;

	word(c, ((u32)far >> 20 & 1) << 31 | ((u32)far >> 1 & 1023) << 21 |
		 ((u32)far >> 11 & 1) << 20 | ((u32)far >> 12 & 255) << 12 | 0x6F);
}

static void compute(Code *c, Rng *rng, u32 d, u32 a, u32 b)
{
	static const u32 ops[] = { F_ADD, F_SUB, F_XOR, F_OR, F_AND };

	reg3(c, ops[rng_below(rng, 5)], d, rng_below(rng, 2) ? a : b, rng_below(rng, 2) ? b : a);
}

/* A number of doubles; mostly alike in all words. */
static void calculate(Code *c, Rng *rng, i32 which, u32 d, u32 a, u32 b)
{
	static const u32 ops[] = { 0x01, 0x05, 0x09, 0x0D }; /* fadd.d fsub.d fmul.d fdiv.d */
	u32 op = ops[rng_below(rng, 16) ? (c->shape >> (which & 1) * 2 & 3) : rng_below(rng, 4)];

	word(c, op << 25 | b << 20 | a << 15 | 7 << 12 | d << 7 | 0x53);
}

/* The end of a round: back to `top` while there are words left. down: the pointer goes down. */
static void end_round(Code *c, Rng *rng, u32 top, i32 step, u32 pointer)
{
	u32 kind = (u32)rng_below(rng, 4);

	if (kind == 0) {
		addi(c, A2, A2, step < 0 ? step / 8 : -step / 8);
		lands(c, branch(c, B_NE, A2, 0), top);
	} else if (kind == 1 || step < 0) {
		lands(c, branch(c, B_NE, pointer, A3), top);
	} else {
		lands(c, branch(c, kind == 2 ? B_LTU : B_LT, pointer, A3), top);
	}
}

/* Pointers in S4, S5, bytes in S6; numbers in A4, A5, counts of shifts in T1, T2. Round and round for ever. */
static void make_loop(Code *c, Rng *rng)
{
	i32 words = 1 << rng_below(rng, 4), step = 8 * words, sign = 1;
	u32 kind = three_pages ? 9 : (u32)rng_below(rng, 11), top, out[16], outs = 0, second = rng_below(rng, 4) ? A1 : A0, to = A0;

	c->count = 0;
	c->shape = (u32)rng_below(rng, 16);
	addi(c, A0, S4, 0);
	addi(c, A1, S5, 0);
	word(c, 3 << 20 | S6 << 15 | 5 << 12 | A2 << 7 | 0x13); /* srli a2, s6, 3 */
	if (kind == 2 || kind == 4) {
		sign = -1;
		reg3(c, F_ADD, A0, A0, S6);
		reg3(c, F_ADD, A1, A1, S6);
		addi(c, A3, S4, 0);
	} else if (rng_below(rng, 8)) {
		reg3(c, F_ADD, A3, A0, S6);
	} else { /* what is left of an unrolled loop */
		word(c, 56u << 20 | S6 << 15 | 7 << 12 | T0 << 7 | 0x13); /* andi */
		reg3(c, F_ADD, A3, A0, T0);
	}
	if (words > 4 && (kind == 3 || kind == 4 || kind == 9))
		step = 8 * (words = 4);
	ld(c, T4, A1, sign > 0 ? 0 : -8);
	ld(c, T5, A1, sign > 0 ? 8 : -16);
	/* A second pointer that follows the first, and mostly begins there. */
	if (kind < 5 && rng_below(rng, 2)) {
		to = A6;
		addi(c, A6, A0, rng_below(rng, 4) ? 0 : 8 * ((i32)rng_below(rng, 5) - 2));
	}
	top = c->count;
	for (i32 k = 0; k < words; k++) {
		i32 at = sign > 0 ? 8 * k : -8 * (k + 1);

		switch (kind) {
		case 0: /* fill; what is loaded nobody asks for until it is over */
			if ((c->shape & 3) == 3)
				ld(c, T0, A1, at);
			sd(c, A4, k ? A0 : to, at);
			break;
		case 1: case 2: /* copy, with something done to it */
			ld(c, T0, second, at);
			if (rng_below(rng, 2))
				compute(c, rng, T0, T0, A4);
			sd(c, T0, k ? A0 : to, at);
			break;
		case 3: case 4: /* merge of two words, of which one stays until the next */
			reg3(c, F_SRL, T0, k & 1 ? T5 : T4, T1);
			reg3(c, F_SLL, T3, k & 1 ? T4 : T5, T2);
			if (words == 1) {
				reg3(c, F_SLL, T3, T5, T2);
				addi(c, T4, T5, 0);
				ld(c, T5, A1, sign > 0 ? 16 : -24);
			} else {
				ld(c, k & 1 ? T5 : T4, A1, sign > 0 ? at + 16 : at - 16);
			}
			reg3(c, F_OR, T0, T0, T3);
			sd(c, T0, k ? A0 : to, at);
			break;
		case 5: /* search: the first that has something to do with A4 and A5 */
			ld(c, T0, A0, at);
			compute(c, rng, T3, T0, A4);
			if (c->shape & 1) {
				word(c, 0xFFFu << 20 | T0 << 15 | 4 << 12 | T0 << 7 | 0x13); /* not */
				reg3(c, F_AND, T3, c->shape & 2 ? T3 : T0, c->shape & 2 ? T0 : T3);
			}
			reg3(c, F_AND, T3, T3, A5);
			out[outs++] = branch(c, rng_below(rng, 6) ? B_NE : B_EQ, T3, 0);
			break;
		case 6: /* compare */
			ld(c, T0, A0, at);
			ld(c, T3, A1, at);
			out[outs++] = branch(c, rng_below(rng, 6) ? B_NE : B_EQ, T0, T3);
			break;
		case 7: /* from two places to one */
			ld(c, T0, A1, at);
			ld(c, T3, A0, at);
			compute(c, rng, T0, T0, T3);
			sd(c, T0, second, at);
			break;
		case 8: /* two at once */
			sd(c, A4, A0, at);
			sd(c, rng_below(rng, 8) ? A5 : A4, A1, at);
			break;
		case 9: /* three on as many pages, in place */
			for (u32 page = 0; page < 3; page++) {
				word(c, page << 12 | T1 << 7 | 0x37); /* lui */
				reg3(c, F_ADD, T1, T1, A0);
				ld(c, T0, T1, at);
				compute(c, rng, T0, T0, A4);
				sd(c, T0, T1, at);
			}
			break;
		default: /* floats; what is stored is sometimes not what was computed last */
			word(c, (u32)at << 20 | second << 15 | 3 << 12 | 1 << 7 | 0x07); /* fld f1 */
			word(c, (u32)at << 20 | A0 << 15 | 3 << 12 | 2 << 7 | 0x07);
			calculate(c, rng, k, 3, 1, 10);
			calculate(c, rng, k + 1, 4, rng_below(rng, 8) ? 2 : 3, 3);
			word(c, ((u32)at >> 5 & 127) << 25 | 4 << 20 | A0 << 15 | 3 << 12 | ((u32)at & 31) << 7 | 0x27);
		}
	}
	addi(c, A0, A0, sign * step);
	addi(c, A1, A1, sign * step);
	if (to != A0)
		addi(c, A6, A0, 0);
	if (kind == 5 && rng_below(rng, 2))
		jump(c, top);
	else
		end_round(c, rng, top, sign * step, A0);
	while (outs)
		lands(c, out[--outs], c->count);
	addi(c, A7, A7, 1);
	if (rng_below(rng, 2))
		addi(c, S4, S4, 8);
	jump(c, 0);
}

/* ---- Side by side ---- */


static void put_code(Machine *machine, const Code *code)
{
	for (u32 i = 0; i < code->count; i++)
		for (u32 k = 0; k < 4; k++)
			machine_write(machine, machine_paged_space(machine), CODE + 4 * i + k, code->words[i] >> 8 * k & 0xFF);
}

/* Words that are alike for long: so compares and searches go far. */
static void put_data(Machine *machine, Rng *rng)
{
	u64 value = rng_below(rng, 4) ? 0x0101010101010101u * (1 + rng_below(rng, 100)) : 0;

	for (u64 at = 0; at < DATA_BYTES; at += 8) {
		if (rng_below(rng, 1000) == 0)
			value = random_float(rng);
		else if (rng_below(rng, 300) == 0)
			value = rng_below(rng, 2) ? rng_next(rng) : value ^ (u64)1 << rng_below(rng, 64);
		for (u32 k = 0; k < 8; k++)
			machine_write(machine, machine_paged_space(machine), DATA + at + k, value >> 8 * k & 0xFF);
	}
}

static u32 slot_of(const Isa *isa, const char *names, u32 number)
{
	for (u32 r = 0; r < isa->reg_count; r++)
		if (isa->regs[r].count == 32 && isa->regs[r].slot && strchr(names, isa->regs[r].name[0]))
			return isa->regs[r].slot + number;
	fail();
	return 0;
}

static u32 x_slot(const Isa *isa, u32 number)
{
	return slot_of(isa, "xr", number);
}

static u64 random_pointer(Rng *rng)
{
	u64 at = DATA + (rng_below(rng, DATA_BYTES) & ~7u);

	switch (rng_below(rng, 12)) {
	case 0: return at + rng_below(rng, 8);
	case 1: return DATA + LATE_BYTES - (rng_below(rng, 600) & ~7u);
	case 2: return CODE + CODE_BYTES - (rng_below(rng, 1200) & ~7u);
	case 3: return DATA + DATA_BYTES - (rng_below(rng, 600) & ~7u);
	default: return at;
	}
}

/* Of the pages that the pager makes some are gone again, some can't be stored to. */
static void make_holes(Machine *machine, Rng *rng)
{
	machine_pages_drop(machine, 0, DATA + DATA_BYTES + rng_below(rng, 4) * SPACE_PAGE, SPACE_PAGE);
	machine_pages_protect(machine, 0, DATA, LATE_BYTES, ATTR_READ | ATTR_WRITE);
	if (rng_below(rng, 2))
		machine_pages_protect(machine, 0, DATA + rng_below(rng, 8) * SPACE_PAGE, SPACE_PAGE, ATTR_READ);
}

static void set_registers(Machine *machine, const Isa *isa, Rng *rng)
{
	u64 to = random_pointer(rng), from = rng_below(rng, 3) ? to + 8 * (rng_below(rng, 24) - 12) : random_pointer(rng);
	u32 fflags;
	u8 width;
	u64 bytes = rng_below(rng, 3) ? rng_below(rng, 20) * 64 : rng_below(rng, 400) * 8, shift = 8 * rng_below(rng, 8);

	machine_set_slot(machine, x_slot(isa, S4), to);
	machine_set_slot(machine, x_slot(isa, S5), from);
	machine_set_slot(machine, x_slot(isa, S6), bytes);
	machine_set_slot(machine, x_slot(isa, A4), rng_below(rng, 2) ? rng_next(rng) : 0xFEFEFEFEFEFEFEFF);
	machine_set_slot(machine, x_slot(isa, A5), rng_below(rng, 2) ? 0x8080808080808080 : rng_next(rng));
	if (isa_find_register(isa, "fflags", 6, false, &fflags, &width))
		machine_set_slot(machine, fflags, rng_below(rng, 2) ? 0 : rng_below(rng, 32));
	machine_set_slot(machine, slot_of(isa, "f", 10), random_float(rng));
	machine_set_slot(machine, x_slot(isa, T1), shift);
	machine_set_slot(machine, x_slot(isa, T2), 64 - shift);
	machine_set_pc(machine, CODE);
}

static void side_by_side(const EngineOps *engine, u64 first, u64 rounds)
{
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	const EngineOps *engines[2] = {&interp_engine, engine};

	hard_after = 1;
	for (u64 round = first; round < first + rounds; round++) {
		Machine *machines[2];
		MachineStop stops[2];
		Rng rng = {round};
		Code code = {0};

		make_loop(&code, &rng);
		for (unsigned i = 0; i < 2; i++) {
			Rng same = {round * 31};

			machines[i] = open_paged(isa, engines[i]);
			put_code(machines[i], &code);
			put_data(machines[i], &same);
		}
		for (u32 step = 0; step < 30; step++) {
			u64 insns = rng_below(&rng, 3) ? rng_below(&rng, 300) + 1 : rng_below(&rng, 6000) + 1, key = rng_next(&rng);
			bool anew = step % 8 == 0;

			for (unsigned i = 0; i < 2; i++) {
				Rng same = {key};

				if (anew || stops[i].kind != STOP_BUDGET) {
					put_code(machines[i], &code);
					set_registers(machines[i], isa, &same);
					make_holes(machines[i], &same);
				}
				stops[i] = machine_run(machines[i], insns);
			}
			compare_state(machines, stops, isa, round, step);
		}
		machine_destroy(machines[0]);
		machine_destroy(machines[1]);
	}
	isa_destroy(isa);
	free(text);
}

static bool all_passes(SsaFunc *func)
{
	return ssa_optimize(func, NULL, NULL);
}

static void evaluated(void **state)
{
	(void)state;
	ssa_test_passes = all_passes;
	ssa_test_hard = true;
	ssa_test_wides = 0;
	memset(ssa_test_wide_ops, 0, sizeof(ssa_test_wide_ops));
	for (unsigned i = 0; i < 2; i++) {
		ssa_test_shy = i ? 10 : 0;
		side_by_side(&ssa_test_engine, first_seed + i * wanted_rounds, wanted_rounds);
	}
	assert_true(ssa_test_wides > wanted_rounds / 2);
	assert_true(ssa_test_wide_ops[SSA_WIDE_EXPECT] && ssa_test_wide_ops[SSA_WIDE_CANON]);
	for (unsigned i = 0; i <= SSA_WIDE_KEEP; i++)
		if (!ssa_test_wide_ops[i] && wanted_rounds >= 300 && first_seed == 1)
			fail_msg("no operation %u has run", i);
}

static void compiled(void **state)
{
	static const EngineOptions eager = {.hot = 3};

	(void)state;
	engine_options = &eager;
	side_by_side(&jit_engine, first_seed, 3 * wanted_rounds);
	engine_options = NULL;
}

static void page_between(void **state)
{
	(void)state;
	three_pages = true;
	ssa_test_shy = 0;
	side_by_side(&ssa_test_engine, first_seed, wanted_rounds / 2);
	three_pages = false;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(evaluated),
		cmocka_unit_test(compiled),
		cmocka_unit_test(page_between),
	};

	if (argc > 1)
		wanted_rounds = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
