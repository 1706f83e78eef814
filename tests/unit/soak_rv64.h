/* SPDX-License-Identifier: MIT
 *
 * Random RV64GC programs that have a shape: functions, loops (counted up and down, tested above and below, with breaks, with
 * two entries), branches, switches, calls (direct, by register, to one of two, recursive), pointers that walk through memory and off
 * its end, stores into code, rounding modes and flags. In between, any instruction of the description. So compilers have
 * something to make of it: what is hot becomes regions.
 *
 *     CODE   functions, callees first; the last one calls them for ever
 *     DATA   what s0, s1 and gp point into; the stack at its end
 */
#ifndef TESTS_SOAK_RV64_H
#define TESTS_SOAK_RV64_H

#include "paged_random.h"

enum {
	SHAPE_FUNCTIONS = 8, SHAPE_DEPTH = 3, SHAPE_BYTES = CODE_BYTES - 1024,
	ZERO = 0, RA = 1, SP = 2, GP = 3, TP = 4, T0 = 5, T1 = 6, T2 = 7, S0 = 8, S1 = 9, COUNTER = 18, /* s2 .. */
};

typedef struct Shape {
	const Isa *isa;
	Rng *rng;
	u8 code[CODE_BYTES];
	u32 at;
	u32 functions[SHAPE_FUNCTIONS], function_count;
	bool recursive[SHAPE_FUNCTIONS];
	bool stores_code, leaf;
} Shape;

static inline u64 shape_below(Shape *s, u64 n)
{
	return rng_below(s->rng, n);
}

static inline void shape_word(Shape *s, u32 word)
{
	for (u32 i = 0; i < 4 && s->at < CODE_BYTES; i++)
		s->code[s->at++] = (u8)(word >> 8 * i);
}

static inline void shape_i(Shape *s, u32 opcode, u32 f3, u32 rd, u32 rs1, i32 imm)
{
	shape_word(s, (u32)imm << 20 | rs1 << 15 | f3 << 12 | rd << 7 | opcode);
}

static inline void shape_addi(Shape *s, u32 rd, u32 rs1, i32 imm)
{
	shape_i(s, 0x13, 0, rd, rs1, imm);
}

static inline void shape_r(Shape *s, u32 f7, u32 f3, u32 rd, u32 rs1, u32 rs2)
{
	shape_word(s, f7 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | 0x33);
}

static inline void shape_number(Shape *s, u32 rd, u32 number)
{
	shape_word(s, ((number + 0x800) & 0xFFFFF000) | rd << 7 | 0x37);
	shape_i(s, 0x1B, 0, rd, rd, (i32)(number << 20) >> 20); /* addiw */
}

static inline u32 shape_branch_word(u32 f3, u32 rs1, u32 rs2, i32 by)
{
	u32 d = (u32)by;

	return (d >> 12 & 1) << 31 | (d >> 5 & 63) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (d >> 1 & 15) << 8 | (d >> 11 & 1) << 7 | 0x63;
}

static inline u32 shape_jal_word(u32 rd, i32 by)
{
	u32 d = (u32)by;

	return (d >> 20 & 1) << 31 | (d >> 1 & 1023) << 21 | (d >> 11 & 1) << 20 | (d >> 12 & 255) << 12 | rd << 7 | 0x6F;
}

/* The instruction at `from` goes to `to` now. */
static inline void shape_patch(Shape *s, u32 from, u32 to)
{
	u32 word, at = s->at;

	if (from + 4 > CODE_BYTES)
		return;
	memcpy(&word, s->code + from, 4);
	s->at = from;
	if ((word & 0x7F) == 0x6F)
		shape_word(s, shape_jal_word(word >> 7 & 31, (i32)(to - from)));
	else
		shape_word(s, shape_branch_word(word >> 12 & 7, word >> 15 & 31, word >> 20 & 31, (i32)(to - from)));
	s->at = at;
}

static inline u32 shape_any(Shape *s) /* a register that nothing hangs on */
{
	static const u8 all[] = {5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 24, 25, 26, 27, 28, 29, 30, 31};

	return all[shape_below(s, sizeof all)];
}

static inline bool shape_is_kept(u64 reg)
{
	return reg == RA || reg == SP || reg == GP || reg == TP || reg == S0 || reg == S1 || (reg >= COUNTER && reg < COUNTER + 6);
}

/* A branch somewhere (to be patched), by chance, or after some rounds. */
static inline u32 shape_branch(Shape *s)
{
	static const u8 tests[] = {0, 1, 4, 5, 6, 7};
	u32 at;

	if (shape_below(s, 2))
		shape_i(s, 0x13, 7, T2, shape_any(s), (i32)(1u << shape_below(s, 5))); /* andi */
	at = s->at;
	shape_word(s, shape_branch_word(tests[shape_below(s, 6)], shape_below(s, 2) ? T2 : shape_any(s),
					shape_below(s, 2) ? ZERO : shape_any(s), 0));
	return at;
}

typedef struct ShapeCells {
	const u64 *cells;
	u32 count;
} ShapeCells;

static inline bool shape_fetch(void *ctx, unsigned index, u64 *parcel)
{
	const ShapeCells *c = ctx;

	if (2 * index + 1 >= c->count)
		return false;
	*parcel = c->cells[2 * index] | c->cells[2 * index + 1] << 8;
	return true;
}

static inline bool shape_starts(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

/* One of the description's instructions that does not jump; memory is where pointers point, most of the time. */
static inline void shape_insn(Shape *s)
{
	u64 cells[64], values[ISA_MAX_FIELDS], w[ISA_WORDS] = {0};
	bool memory = false, csr = false;
	u32 count = gen_valid(s->isa, s->rng, cells);
	ShapeCells from = {cells, count};
	IsaDecoded decoded;
	const IsaInsn *insn;
	unsigned bad;

	isa_decode(s->isa, shape_fetch, &from, &decoded);
	insn = decoded.insn;
	if (!insn || shape_starts(insn->name, "jalr") || shape_starts(insn->name, "c.j") || strstr(insn->name, "ebreak") ||
	    shape_starts(insn->name, "ecall") || shape_starts(insn->name, "c.addi16sp") ||
	    (strstr(insn->name, "sp") && shape_below(s, 4)) || (shape_starts(insn->name, "fence.i") && shape_below(s, 8)))
		return;
	for (u32 i = 0; i < insn->syntax_count; i++)
		memory = memory || (!insn->syntax[i].is_field && strchr(insn->syntax[i].text, '('));
	for (u32 i = 0; i < insn->field_count; i++) {
		const IsaField *field = &s->isa->fields[insn->fields[i].field];
		const char *name = field->name;
		u64 *value = &values[i];

		*value = isa_field_value(s->isa, &decoded, i);
		if (field->kind == ISA_FIELD_REL)
			return;
		if (memory && shape_starts(name, "rs1") && shape_below(s, 64))
			*value = (shape_below(s, 3) ? S0 + shape_below(s, 2) : field->reg_from ? S1 : GP) - field->reg_from;
		else if (memory && strcmp(name, "imm") == 0 && shape_below(s, 8))
			*value = shape_below(s, 16) * 8;
		else if (shape_starts(name, "rd") && shape_is_kept(*value + field->reg_from))
			*value = (field->reg_from ? 10 + shape_below(s, 6) : shape_any(s)) - field->reg_from;
		else if (strcmp(name, "csr") == 0) {
			*value = shape_below(s, 4) ? 1 : 2 + shape_below(s, 2);
			csr = *value > 1;
		} else if (strcmp(name, "rm") == 0 && shape_below(s, 2))
			*value = shape_below(s, 3) ? 7 : shape_below(s, 5);
	}
	if (!isa_encode(s->isa, insn, values, w, &bad))
		return;
	count = isa_word_to_cells(s->isa, w, insn->bits, cells);
	for (u32 i = 0; i < count && s->at < CODE_BYTES; i++)
		s->code[s->at++] = (u8)cells[i];
	if (csr && shape_below(s, 16))
		shape_word(s, 0x00205073 | (u32)(shape_below(s, 2) ? 0 : shape_below(s, 5)) << 15); /* csrwi frm, .. */
}

/* Bits that are cleared (not, and: one instruction of some hosts), of all 64 or of those that addw takes. */
static inline void shape_clear(Shape *s)
{
	u32 d = shape_any(s);

	shape_i(s, 0x13, 4, d, shape_any(s), -1);
	shape_word(s, shape_any(s) << 20 | d << 15 | 7 << 12 | d << 7 | 0x33);
	if (shape_below(s, 2))
		shape_word(s, shape_any(s) << 20 | d << 15 | d << 7 | 0x3B);
}

static inline void shape_insns(Shape *s, u32 most)
{
	for (u32 n = (u32)shape_below(s, most + 1); n-- > 0;)
		if (shape_below(s, 16))
			shape_insn(s);
		else
			shape_clear(s);
}

/* Places that walk: p = somewhere; and a load and a store there. */
static inline void shape_walk(Shape *s)
{
	u32 p = S0 + (u32)shape_below(s, 2), v = shape_any(s);

	switch (shape_below(s, 4)) {
	case 0: shape_addi(s, p, GP, (i32)shape_below(s, 2048)); break;
	case 1: shape_addi(s, p, p, 8 * (i32)shape_below(s, 5) - 8); break;
	default:
		shape_i(s, 0x03, (u32)shape_below(s, 7), v, p, (i32)shape_below(s, 4) * 8);
		shape_insns(s, 2);
		shape_word(s, v << 20 | p << 15 | (u32)shape_below(s, 4) << 12 | (u32)shape_below(s, 4) << 10 | 0x23);
		shape_addi(s, p, p, 8);
	}
}

/* An `addi` that is written anew each time, with another number. */
static inline void shape_store_code(Shape *s)
{
	u32 at;

	if (s->at % 4)
		shape_word(s, 0x00010001); /* c.nop c.nop */
	at = s->at;
	shape_word(s, T0 << 7 | 0x17); /* auipc t0, 0 */
	shape_i(s, 0x13, 1, T1, shape_any(s), 20); /* slli: its number */
	shape_number(s, T2, 30 << 15 | 30 << 7 | 0x13);
	shape_r(s, 0, 6, T1, T1, T2);
	shape_word(s, T1 << 20 | T0 << 15 | 2 << 12 | 28 << 7 | 0x23); /* sw t1, 28(t0) */
	shape_word(s, shape_below(s, 2) ? 0x0000100F : 0x13); /* fence.i */
	if (s->at == at + 28)
		shape_addi(s, 30, 30, 1);
}

static inline void shape_block(Shape *s, u32 depth);

static inline void shape_loop(Shape *s, u32 depth)
{
	u32 c = s->leaf ? COUNTER + 4 : COUNTER + depth, top, leave = 0, enter = 0, end = 0, kind = (u32)shape_below(s, 4);
	i32 rounds = 1 + (i32)(shape_below(s, 8) ? shape_below(s, depth ? 12 : 40) : shape_below(s, depth > 1 ? 60 : 1000));

	shape_addi(s, c, ZERO, kind == 1 ? 0 : rounds);
	if (shape_below(s, 6) == 0) /* a second entry */
		enter = shape_branch(s);
	top = s->at;
	if (kind == 2) {
		end = s->at;
		shape_word(s, shape_branch_word(0, c, ZERO, 0));
	}
	shape_block(s, depth + 1);
	if (shape_below(s, 4) == 0)
		leave = shape_branch(s);
	if (enter)
		shape_patch(s, enter, s->at);
	if (shape_below(s, 2))
		shape_block(s, depth + 1);
	if (kind == 1) {
		shape_i(s, shape_below(s, 2) ? 0x1B : 0x13, 0, c, c, 1);
		shape_addi(s, T0, ZERO, rounds);
		shape_word(s, shape_branch_word(shape_below(s, 2) ? 4 : 6, c, T0, (i32)(top - s->at)));
	} else {
		shape_addi(s, c, c, -1);
		shape_word(s, kind == 2 ? shape_jal_word(ZERO, (i32)(top - s->at)) : kind == 3 ? shape_branch_word(4, ZERO, c, (i32)(top - s->at)) :
				shape_branch_word(1, c, ZERO, (i32)(top - s->at)));
	}
	if (leave)
		shape_patch(s, leave, s->at);
	if (end)
		shape_patch(s, end, s->at);
}

static inline void shape_if(Shape *s, u32 depth)
{
	u32 over = shape_branch(s), end = 0;

	shape_block(s, depth + 1);
	if (shape_below(s, 2)) {
		end = s->at;
		shape_word(s, shape_jal_word(ZERO, 0));
	}
	shape_patch(s, over, s->at);
	if (end) {
		shape_block(s, depth + 1);
		shape_patch(s, end, s->at);
	}
}

/* reg = the address of a function. */
static inline void shape_address(Shape *s, u32 reg, u32 to)
{
	i32 by = (i32)(to - s->at);

	shape_word(s, ((u32)(by + 0x800) & 0xFFFFF000) | reg << 7 | 0x17);
	shape_addi(s, reg, reg, (i32)((u32)by << 20) >> 20);
}

/* To one of some places by a register: a switch, through a table of jumps. The address may be odd, which does not count. */
static inline void shape_switch(Shape *s, u32 depth)
{
	u32 ways = 2u << shape_below(s, 3), reg = shape_below(s, 2) ? T1 : 15, table, ends[8];

	shape_i(s, 0x13, 7, T2, shape_any(s), (i32)ways - 1); /* andi */
	shape_i(s, 0x13, 1, T2, T2, 2); /* slli */
	shape_address(s, reg, s->at + 16);
	shape_r(s, 0, 0, reg, reg, T2);
	shape_i(s, 0x67, 0, ZERO, reg, (i32)shape_below(s, 2));
	table = s->at;
	for (u32 i = 0; i < ways; i++)
		shape_word(s, shape_jal_word(ZERO, 0));
	for (u32 i = 0; i < ways; i++) {
		shape_patch(s, table + 4 * i, s->at);
		if (shape_below(s, 4) || ways > 4)
			shape_insns(s, 4);
		else
			shape_block(s, depth + 1);
		ends[i] = s->at;
		shape_word(s, shape_jal_word(ZERO, 0));
	}
	for (u32 i = 0; i < ways; i++)
		shape_patch(s, ends[i], s->at);
}

/* T0: one of two functions. */
static inline void shape_choose(Shape *s, u32 callee, u32 other)
{
	shape_address(s, T0, s->functions[callee]);
	shape_number(s, T2, s->functions[other] - s->functions[callee]);
	shape_i(s, 0x13, 7, T1, shape_any(s), 1 << shape_below(s, 3));
	shape_r(s, 0, 3, T1, ZERO, T1);    /* snez */
	shape_r(s, 0x20, 0, T1, ZERO, T1); /* neg */
	shape_r(s, 0, 7, T1, T1, T2);
	shape_r(s, 0, 0, T0, T0, T1);
}

static inline void shape_call(Shape *s)
{
	u32 callee, other;

	if (!s->function_count)
		return;
	callee = (u32)shape_below(s, s->function_count);
	other = (u32)shape_below(s, s->function_count);
	if (s->recursive[callee] || s->recursive[other])
		shape_addi(s, TP, ZERO, 1 + (i32)shape_below(s, 6));
	switch (shape_below(s, 4)) {
	case 0:
		shape_address(s, T0, s->functions[callee]);
		shape_i(s, 0x67, 0, RA, T0, 0);
		break;
	case 1:
		shape_choose(s, callee, other);
		shape_i(s, 0x67, 0, RA, T0, 0);
		break;
	default:
		shape_word(s, shape_jal_word(RA, (i32)(s->functions[callee] - s->at)));
	}
}

static inline void shape_block(Shape *s, u32 depth)
{
	for (u32 n = 1 + (u32)shape_below(s, depth ? 3 : 5); n-- > 0 && s->at < SHAPE_BYTES;) {
		shape_insns(s, 6);
		switch (shape_below(s, depth < SHAPE_DEPTH ? 10 : 5)) {
		case 0: shape_walk(s); break;
		case 1: shape_call(s); break;
		case 2:
			if (s->stores_code && shape_below(s, 3) == 0)
				shape_store_code(s);
			break;
		case 5: case 6: case 7: shape_loop(s, depth); break;
		case 8: shape_if(s, depth); break;
		case 9:
			if (shape_below(s, 2))
				shape_if(s, depth);
			else
				shape_switch(s, depth);
			break;
		default: shape_insns(s, 8);
		}
	}
}

/* A function that ends in another: mostly in the same one of two. */
static inline void shape_stub(Shape *s)
{
	u32 callee = (u32)shape_below(s, s->function_count), other = (u32)shape_below(s, s->function_count), at = s->at;

	if (s->recursive[callee] || s->recursive[other])
		shape_addi(s, TP, ZERO, 1 + (i32)shape_below(s, 6));
	if (shape_below(s, 2))
		shape_insns(s, 6);
	shape_choose(s, callee, other);
	shape_addi(s, T1, T0, 0); /* from T0 it would be a return */
	shape_i(s, 0x67, 0, shape_below(s, 2) ? T1 : ZERO, T1, 0);
	s->functions[s->function_count++] = at;
}

/* Leaves do without the stack; the others keep what loops around a call count in. */
static inline void shape_function(Shape *s)
{
	u32 at = s->at, index = s->function_count, out;

	s->recursive[index] = index && shape_below(s, 4) == 0;
	if (!index || shape_below(s, 3) == 0) {
		u32 count = s->function_count;

		s->recursive[index] = false;
		s->function_count = 0; /* it calls nobody */
		s->leaf = true;
		if (shape_below(s, 2))
			shape_insns(s, 12);
		else
			shape_block(s, SHAPE_DEPTH - 1);
		s->function_count = count;
		s->leaf = false;
		shape_i(s, 0x67, 0, ZERO, RA, 0);
	} else {
		shape_addi(s, SP, SP, -48);
		shape_word(s, RA << 20 | SP << 15 | 3 << 12 | 8 << 7 | 0x23); /* sd ra, 8(sp) */
		for (u32 i = 0; i < SHAPE_DEPTH + 1; i++)
			shape_word(s, (COUNTER + i) << 20 | SP << 15 | 3 << 12 | (16 + 8 * i) / 32 << 25 | (16 + 8 * i) % 32 << 7 | 0x23);
		if (s->recursive[index]) {
			shape_addi(s, TP, TP, -1);
			out = s->at;
			shape_word(s, shape_branch_word(5, ZERO, TP, 0)); /* blez */
			shape_insns(s, 6);
			shape_word(s, shape_jal_word(RA, (i32)(at - s->at)));
			shape_insns(s, 6);
			shape_patch(s, out, s->at);
		}
		shape_block(s, 0);
		for (u32 i = 0; i < SHAPE_DEPTH + 1; i++)
			shape_i(s, 0x03, 3, COUNTER + i, SP, (i32)(16 + 8 * i));
		shape_i(s, 0x03, 3, RA, SP, 8);
		shape_addi(s, SP, SP, 48);
		shape_i(s, 0x67, 0, ZERO, RA, 0);
	}
	s->functions[s->function_count++] = at;
}

/* A program; gives where it starts. */
static inline u32 shape_program(Shape *s, const Isa *isa, Rng *rng)
{
	u32 count = 2 + (u32)rng_below(rng, SHAPE_FUNCTIONS - 2), start;

	memset(s, 0, sizeof *s);
	s->isa = isa;
	s->rng = rng;
	s->stores_code = rng_below(rng, 4) == 0;
	while (s->function_count < count && s->at < SHAPE_BYTES * (s->function_count + 1) / (count + 1))
		if (s->function_count && shape_below(s, 6) == 0)
			shape_stub(s);
		else
			shape_function(s);
	start = s->at;
	shape_addi(s, S0, GP, (i32)shape_below(s, 2000));
	shape_addi(s, S1, GP, (i32)shape_below(s, 2000) & ~7);
	if (rng_below(rng, 2))
		shape_word(s, 0x00205073 | (u32)shape_below(s, 5) << 15); /* csrwi frm, .. */
	for (u32 i = 0; i < 6 && s->at < SHAPE_BYTES; i++) {
		shape_call(s);
		shape_block(s, 0);
	}
	shape_word(s, shape_jal_word(ZERO, (i32)(start - s->at)));
	return start;
}

#endif
