/* SPDX-License-Identifier: MIT
 *
 * 6502.isa against a second description of the same processor: a small interpreter in C that decodes the way the
 * chip's opcode map is built (aaabbbcc), so that the two have no structure in common. Every documented opcode runs
 * from thousands of random states; registers, flags, cycles and all of memory must agree. The states favour what
 * goes wrong: zero-page and stack wrap, page crossings, decimal digits, the values 0, 0x7F, 0x80, 0xFF.
 */
#include "base/rng.h"
#include "museum.h"

typedef struct Model {
	u8 a, x, y, s, p; /* p without B and bit 5 */
	u16 pc;
	u64 cycles;
	u8 *memory; /* 64 KiB */
	u32 stored; /* where the instruction wrote, and what was there; NOWHERE */
	u8 old;
} Model;

enum { NOWHERE = 0x10000 };
enum { C = 1, Z = 2, I = 4, D = 8, B = 16, U = 32, V = 64, N = 128 };

static u8 fetch(Model *m)
{
	return m->memory[m->pc++];
}

static u16 fetch_word(Model *m)
{
	u8 low = fetch(m);

	return (u16)(low | fetch(m) << 8);
}

static u16 zero_page_word(const Model *m, u8 at)
{
	return (u16)(m->memory[at] | m->memory[(u8)(at + 1)] << 8);
}

static void flag(Model *m, unsigned bit, bool on)
{
	m->p = (u8)(on ? m->p | bit : m->p & ~bit);
}

static u8 result(Model *m, unsigned value)
{
	flag(m, Z, (value & 0xFF) == 0);
	flag(m, N, value & 0x80);
	return (u8)value;
}

static void push(Model *m, unsigned value)
{
	m->memory[0x100 + m->s--] = (u8)value;
}

static u8 pull(Model *m)
{
	return m->memory[0x100 + ++m->s];
}

static void store(Model *m, u16 at, u8 v)
{
	m->stored = at;
	m->old = m->memory[at];
	m->memory[at] = v;
}

/* An index on a base; crossing costs a cycle when `read`. */
static u16 indexed(Model *m, u16 base, u8 index, bool read)
{
	u16 at = (u16)(base + index);

	m->cycles += read && (at & 0xFF00) != (base & 0xFF00);
	return at;
}

static void add(Model *m, u8 b)
{
	unsigned c = m->p & C, sum = m->a + b + c, low, high;

	flag(m, Z, (sum & 0xFF) == 0);
	if (!(m->p & D)) {
		flag(m, V, ~(m->a ^ b) & (m->a ^ sum) & 0x80);
		flag(m, C, sum > 0xFF);
		m->a = (u8)sum;
		flag(m, N, m->a & 0x80);
		return;
	}
	low = (m->a & 15u) + (b & 15u) + c;
	high = (m->a & 0xF0u) + (b & 0xF0u);
	if (low > 9) {
		low = (low + 6) & 15;
		high += 0x10;
	}
	flag(m, N, high & 0x80);
	flag(m, V, ~(m->a ^ b) & (m->a ^ high) & 0x80);
	if (high > 0x90)
		high += 0x60;
	flag(m, C, high > 0xFF);
	m->a = (u8)((high & 0xF0) | low);
}

static void subtract(Model *m, u8 b)
{
	int borrow = !(m->p & C), dif = m->a - b - borrow, low, high;
	u8 a = m->a;

	low = (a & 15) - (b & 15) - borrow;
	high = (a >> 4) - (b >> 4);
	if (low < 0) {
		low -= 6;
		high--;
	}
	if (high < 0)
		high -= 6;
	m->a = (u8)(m->p & D ? high * 16 | (low & 15) : dif);
	flag(m, Z, (dif & 0xFF) == 0);
	flag(m, N, dif & 0x80);
	flag(m, V, (a ^ b) & (a ^ dif) & 0x80);
	flag(m, C, dif >= 0);
}

static void compare(Model *m, u8 reg, u8 b)
{
	flag(m, C, reg >= b);
	result(m, (unsigned)reg - b);
}

static u8 modify(Model *m, unsigned operation, u8 v)
{
	unsigned carry = m->p & C;

	switch (operation) {
	case 0: flag(m, C, v & 0x80); return result(m, (unsigned)v << 1);
	case 1: flag(m, C, v & 0x80); return result(m, (unsigned)v << 1 | carry);
	case 2: flag(m, C, v & 1); return result(m, v >> 1);
	case 3: flag(m, C, v & 1); return result(m, v >> 1 | carry << 7);
	case 6: return result(m, v - 1u);
	default: return result(m, v + 1u);
	}
}

/* Columns of cc = 01: the eight accumulator operations in eight addressing modes. */
static void column_01(Model *m, unsigned operation, unsigned mode)
{
	static const u8 base[8] = {6, 3, 2, 4, 5, 4, 4, 4}, write[8] = {6, 3, 0, 4, 6, 4, 5, 5};
	bool read = operation != 4;
	u16 at = 0;

	m->cycles += read ? base[mode] : write[mode];
	switch (mode) {
	case 0: at = zero_page_word(m, (u8)(fetch(m) + m->x)); break;
	case 1: at = fetch(m); break;
	case 2: at = m->pc++; break;
	case 3: at = fetch_word(m); break;
	case 4: at = indexed(m, zero_page_word(m, fetch(m)), m->y, read); break;
	case 5: at = (u8)(fetch(m) + m->x); break;
	case 6: at = indexed(m, fetch_word(m), m->y, read); break;
	case 7: at = indexed(m, fetch_word(m), m->x, read); break;
	}
	switch (operation) {
	case 0: m->a = result(m, m->a | m->memory[at]); break;
	case 1: m->a = result(m, m->a & m->memory[at]); break;
	case 2: m->a = result(m, m->a ^ m->memory[at]); break;
	case 3: add(m, m->memory[at]); break;
	case 4: store(m, at, m->a); break;
	case 5: m->a = result(m, m->memory[at]); break;
	case 6: compare(m, m->a, m->memory[at]); break;
	case 7: subtract(m, m->memory[at]); break;
	}
}

/* cc = 10: shifts, INC, DEC, STX, LDX. */
static void column_10(Model *m, unsigned operation, unsigned mode)
{
	bool x_reg = operation == 4 || operation == 5;
	u8 index = x_reg ? m->y : m->x;
	u16 at = 0;

	if (mode == 2) { /* the register itself; those that are something else come before */
		m->cycles += 2;
		m->a = modify(m, operation, m->a);
		return;
	}
	switch (mode) {
	case 0: at = m->pc++; m->cycles += 2; break;
	case 1: at = fetch(m); m->cycles += 3; break;
	case 3: at = fetch_word(m); m->cycles += 4; break;
	case 5: at = (u8)(fetch(m) + index); m->cycles += 4; break;
	case 7: at = indexed(m, fetch_word(m), index, x_reg); m->cycles += 4 + !x_reg; break;
	}
	if (operation == 4) {
		store(m, at, m->x);
	} else if (operation == 5) {
		m->x = result(m, m->memory[at]);
	} else {
		m->cycles += 2;
		store(m, at, modify(m, operation, m->memory[at]));
	}
}

/* cc = 00: BIT, STY, LDY, CPY, CPX; what is regular there. */
static void column_00(Model *m, unsigned operation, unsigned mode)
{
	u16 at = 0;

	switch (mode) {
	case 0: at = m->pc++; m->cycles += 2; break;
	case 1: at = fetch(m); m->cycles += 3; break;
	case 3: at = fetch_word(m); m->cycles += 4; break;
	case 5: at = (u8)(fetch(m) + m->x); m->cycles += 4; break;
	case 7: m->cycles += 4; at = indexed(m, fetch_word(m), m->x, true); break;
	}
	switch (operation) {
	case 1:
		m->p = (u8)((m->p & ~(N | V)) | (m->memory[at] & (N | V)));
		flag(m, Z, (m->a & m->memory[at]) == 0);
		break;
	case 4: store(m, at, m->y); break;
	case 5: m->y = result(m, m->memory[at]); break;
	case 6: compare(m, m->y, m->memory[at]); break;
	case 7: compare(m, m->x, m->memory[at]); break;
	}
}

static void branch(Model *m, unsigned opcode)
{
	static const u8 flags[4] = {N, V, C, Z};
	i8 offset = (i8)fetch(m);
	u16 target = (u16)(m->pc + offset);

	m->cycles += 2;
	if (!(m->p & flags[opcode >> 6]) == !(opcode & 0x20)) {
		m->cycles += 1 + ((target & 0xFF00) != (m->pc & 0xFF00));
		m->pc = target;
	}
}

/* The opcodes outside of the regular columns. False: it is not one of them. */
static bool irregular(Model *m, unsigned opcode)
{
	u16 at;
	u8 low;

	switch (opcode) {
	case 0x00:
		m->pc++;
		push(m, m->pc >> 8);
		push(m, m->pc & 0xFF);
		push(m, m->p | B | U);
		m->p |= I;
		m->pc = (u16)(m->memory[0xFFFE] | m->memory[0xFFFF] << 8);
		m->cycles += 7;
		return true;
	case 0x20:
		at = fetch_word(m);
		push(m, (m->pc - 1) >> 8);
		push(m, (m->pc - 1) & 0xFF);
		m->pc = at;
		m->cycles += 6;
		return true;
	case 0x40:
		m->p = pull(m) & (u8)~(B | U);
		low = pull(m);
		m->pc = (u16)(low | pull(m) << 8);
		m->cycles += 6;
		return true;
	case 0x60:
		low = pull(m);
		m->pc = (u16)((low | pull(m) << 8) + 1);
		m->cycles += 6;
		return true;
	case 0x4C: m->pc = fetch_word(m); m->cycles += 3; return true;
	case 0x6C:
		at = fetch_word(m);
		m->pc = (u16)(m->memory[at] | m->memory[(at & 0xFF00) | ((at + 1) & 0xFF)] << 8);
		m->cycles += 5;
		return true;
	case 0x08: push(m, m->p | B | U); m->cycles += 3; return true;
	case 0x28: m->p = pull(m) & (u8)~(B | U); m->cycles += 4; return true;
	case 0x48: push(m, m->a); m->cycles += 3; return true;
	case 0x68: m->a = result(m, pull(m)); m->cycles += 4; return true;
	}
	m->cycles += 2;
	switch (opcode) {
	case 0x18: flag(m, C, false); return true;
	case 0x38: flag(m, C, true); return true;
	case 0x58: flag(m, I, false); return true;
	case 0x78: flag(m, I, true); return true;
	case 0xB8: flag(m, V, false); return true;
	case 0xD8: flag(m, D, false); return true;
	case 0xF8: flag(m, D, true); return true;
	case 0x88: m->y = result(m, m->y - 1u); return true;
	case 0xC8: m->y = result(m, m->y + 1u); return true;
	case 0xCA: m->x = result(m, m->x - 1u); return true;
	case 0xE8: m->x = result(m, m->x + 1u); return true;
	case 0x8A: m->a = result(m, m->x); return true;
	case 0x98: m->a = result(m, m->y); return true;
	case 0xA8: m->y = result(m, m->a); return true;
	case 0xAA: m->x = result(m, m->a); return true;
	case 0xBA: m->x = result(m, m->s); return true;
	case 0x9A: m->s = m->x; return true;
	case 0xEA: return true;
	}
	m->cycles -= 2;
	return false;
}

/* Is there such an opcode in the regular columns? */
static bool regular(unsigned opcode)
{
	unsigned operation = opcode >> 5, mode = opcode >> 2 & 7;

	switch (opcode & 3) {
	case 1:
		return opcode != 0x89;
	case 2:
		if (operation == 4)
			return mode == 1 || mode == 3 || mode == 5;
		if (operation == 5)
			return mode == 0 || mode == 1 || mode == 3 || mode == 5 || mode == 7;
		return mode == 1 || mode == 3 || mode == 5 || mode == 7 || (mode == 2 && operation < 4);
	case 0:
		switch (operation) {
		case 1: return mode == 1 || mode == 3;
		case 4: return mode == 1 || mode == 3 || mode == 5;
		case 5: return mode == 0 || mode == 1 || mode == 3 || mode == 5 || mode == 7;
		case 6: case 7: return mode == 0 || mode == 1 || mode == 3;
		}
		return false;
	}
	return false;
}

static bool model_step(Model *m)
{
	u16 start = m->pc;
	unsigned opcode = fetch(m);

	if ((opcode & 0x1F) == 0x10) {
		branch(m, opcode);
	} else if (irregular(m, opcode)) {
	} else if (!regular(opcode)) {
		m->pc = start;
		return false;
	} else if ((opcode & 3) == 1) {
		column_01(m, opcode >> 5, opcode >> 2 & 7);
	} else if ((opcode & 3) == 2) {
		column_10(m, opcode >> 5, opcode >> 2 & 7);
	} else {
		column_00(m, opcode >> 5, opcode >> 2 & 7);
	}
	return true;
}

/* ---- The comparison ---- */

static const char *const names[] = {"A", "X", "Y", "S", "pc", "N", "V", "D", "I", "Z", "C", "cycles"};
static u8 memory[0x10000];
static Model model = {.memory = memory};
static Museum museum;
static u32 slots[COUNT_OF(names)];

static u8 odd_byte(Rng *rng)
{
	static const u8 favourites[] = {0, 1, 0x7F, 0x80, 0xFF, 0x09, 0x99, 0x10};

	return rng_below(rng, 3) ? (u8)rng_next(rng) : favourites[rng_below(rng, COUNT_OF(favourites))];
}

static void values_of_model(u64 out[COUNT_OF(names)])
{
	const u64 values[] = {model.a, model.x, model.y, model.s, model.pc, model.p >> 7 & 1, model.p >> 6 & 1,
			      model.p >> 3 & 1, model.p >> 2 & 1, model.p >> 1 & 1, model.p & 1, model.cycles};

	memcpy(out, values, sizeof(values));
}

static void compare_states(unsigned opcode, u32 round)
{
	u64 want[COUNT_OF(names)];

	values_of_model(want);
	for (u32 i = 0; i < COUNT_OF(names); i++)
		if (machine_slot(museum.machine, slots[i]) != want[i])
			fail_msg("opcode %02X, round %u: %s is %llX, should be %llX", opcode, round, names[i],
				 (unsigned long long)machine_slot(museum.machine, slots[i]), (unsigned long long)want[i]);
}

static void compare_memory(unsigned opcode)
{
	for (u32 at = 0; at < 0x10000; at++)
		if (museum_peek(&museum, at) != model.memory[at])
			fail_msg("opcode %02X: memory at %04X is %02X, should be %02X", opcode, at,
				 (unsigned)museum_peek(&museum, at), model.memory[at]);
}

static void test_every_opcode(void **state)
{
	Rng rng = {.state = 6502};
	unsigned documented = 0;

	(void)state;
	museum_open(&museum, "examples/isa/6502.isa", (IsaChoice[]){{"selfjump", "loop"}}, 1);
	for (u32 i = 0; i < COUNT_OF(names); i++)
		slots[i] = museum_slot(&museum, names[i]);
	for (u32 at = 0; at < 0x10000; at++) {
		memory[at] = odd_byte(&rng);
		if (at == 0xF004 || at == 0xF005) /* what the board answers: no key, no line */
			memory[at] = 0;
		museum_poke(&museum, at, memory[at]);
	}
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		for (u32 round = 0; round < 1500; round++) {
			u64 values[COUNT_OF(names)];
			u8 code[3] = {(u8)opcode, odd_byte(&rng), odd_byte(&rng)};
			Model before;
			MachineStop stop;

			model.a = odd_byte(&rng);
			model.x = odd_byte(&rng);
			model.y = odd_byte(&rng);
			model.s = odd_byte(&rng);
			model.p = (u8)(rng_next(&rng) & (C | Z | I | D | V | N));
			model.pc = (u16)(0x2000 + rng_below(&rng, 0x100));
			model.cycles = 0;
			for (u32 k = 0; k < 3; k++)
				model.memory[model.pc + k] = code[k];
			model.stored = NOWHERE;
			before = model;
			values_of_model(values);
			for (u32 k = 0; k < 3; k++)
				museum_poke(&museum, before.pc + k, code[k]);
			if (!model_step(&model)) {
				machine_set_pc(museum.machine, before.pc);
				assert_int_equal(machine_run(museum.machine, 1).kind, STOP_ILLEGAL);
				break;
			}
			documented += round == 0;
			if (model.stored != NOWHERE && model.stored >> 4 == 0xF00) { /* a device, not memory */
				memory[model.stored] = model.old;
				continue;
			}
			for (u32 i = 0; i < COUNT_OF(names); i++)
				machine_set_slot(museum.machine, slots[i], values[i]);
			stop = machine_run(museum.machine, 1);
			if (stop.kind != STOP_BUDGET)
				fail_msg("opcode %02X stopped: %s", opcode, stop.text ? stop.text : "?");
			compare_states(opcode, round);
		}
		compare_memory(opcode);
	}
	assert_int_equal(documented, 151);
	museum_close(&museum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_opcode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
