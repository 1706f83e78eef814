/* SPDX-License-Identifier: MIT
 *
 * Merry's Core64: every opcode of revision A but those that speak to the console or to Graves, against a model in C,
 * over random operands with edge values; the same words with the opcodes of revision B.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/rng.h"
#include "guests/merry/merry.h"

enum { CODE = 0x100, DATA = 4096, STACK = 0x200000, WINDOW = 256, TRIALS = 16 };
enum { Z, C, N, V, P, FZ, FS, FU, FLAGS = 11 };

typedef struct Core {
	u64 r[16], pc, handler;
	u64 flag[FLAGS];
	u64 calls[50], depth;
	u8 data[WINDOW], stack[WINDOW]; /* stack: the bytes from STACK_AT on */
} Core;

enum { STACK_AT = 0x1000 };

typedef struct Rig {
	Isa *isa;
	Machine *machine;
	MerrySlots slots;
	u32 depth;
	bool is_b;
} Rig;

static void rig_open(Rig *rig, const char *revision)
{
	IsaChoice choice = { "revision", revision };
	DiagList diags;
	MachineConfig config = { .guest = &merry_guest };

	diag_init(&diags);
	rig->isa = isa_load("merry", merry_isa_text, strlen(merry_isa_text), &choice, 1, &diags);
	assert_non_null(rig->isa);
	config.isa = rig->isa;
	assert_int_equal(machine_create(&config, &rig->machine, &diags), STATUS_OK);
	diag_fini(&diags);
	rig->is_b = *revision == 'b';
	assert_int_equal(machine_resize(rig->machine, merry_space(rig->machine, "I"), 0x1000), STATUS_OK);
	assert_int_equal(machine_resize(rig->machine, merry_space(rig->machine, "D"), DATA), STATUS_OK);
	merry_slots(rig->machine, &rig->slots);
	for (u32 i = 0; i < rig->isa->slot_count; i++)
		if (isa_slot_name(rig->isa, i) && !strcmp(isa_slot_name(rig->isa, i), "depth"))
			rig->depth = i;
}

static void rig_close(Rig *rig)
{
	machine_destroy(rig->machine);
	isa_destroy(rig->isa);
}

static void put_word(Rig *rig, u64 at, u64 word)
{
	for (unsigned i = 0; i < 8; i++)
		machine_write(rig->machine, merry_space(rig->machine, "I"), at + i, word >> 8 * i & 0xFF);
}

static void write_core(Rig *rig, const Core *core)
{
	Machine *m = rig->machine;

	for (unsigned i = 0; i < 16; i++)
		machine_set_slot(m, rig->slots.registers + i, core->r[i]);
	for (unsigned i = 0; i < FLAGS; i++)
		machine_set_slot(m, rig->slots.flags[i], core->flag[i]);
	for (unsigned i = 0; i < 50; i++)
		machine_write(m, merry_space(m, "K"), i, core->calls[i]);
	for (unsigned i = 0; i < WINDOW; i++) {
		machine_write(m, merry_space(m, "D"), i, core->data[i]);
		machine_write(m, merry_space(m, "S"), STACK_AT + i, core->stack[i]);
	}
	machine_set_slot(m, rig->depth, core->depth);
	machine_set_slot(m, rig->slots.handler, core->handler);
	machine_set_pc(m, core->pc);
}

static void read_core(Rig *rig, Core *core)
{
	Machine *m = rig->machine;
	u64 value;

	for (unsigned i = 0; i < 16; i++)
		core->r[i] = machine_slot(m, rig->slots.registers + i);
	for (unsigned i = 0; i < FLAGS; i++)
		core->flag[i] = machine_slot(m, rig->slots.flags[i]);
	core->depth = machine_slot(m, rig->depth);
	core->handler = machine_slot(m, rig->slots.handler);
	core->pc = machine_pc(m);
	for (unsigned i = 0; i < 50; i++)
		machine_read(m, merry_space(m, "K"), i, &core->calls[i]);
	for (unsigned i = 0; i < WINDOW; i++) {
		machine_read(m, merry_space(m, "D"), i, &value);
		core->data[i] = (u8)value;
		machine_read(m, merry_space(m, "S"), STACK_AT + i, &value);
		core->stack[i] = (u8)value;
	}
}

/* ---- The model ---- */

static u64 get(const u8 *at, unsigned bytes)
{
	u64 value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static void mark(Core *c, u64 r, bool carry, bool overflow)
{
	c->flag[Z] = r == 0;
	c->flag[N] = r >> 63;
	c->flag[P] = !(__builtin_popcountll(r & 0xFF) & 1);
	c->flag[C] = carry;
	c->flag[V] = overflow;
}

/* op: 0 add 1 sub 2 mul 3 div 4 mod 5 iadd 6 isub 7 imul 8 idiv 9 imod. False: division by zero. */
static bool arithmetic(Core *c, unsigned op, u64 x, u64 y, u64 *out)
{
	i64 sx = (i64)x, sy = (i64)y, sr = 0;
	u64 r = 0;
	bool carry = false, overflow = false, least = x == (u64)1 << 63 && sy == -1;

	switch (op) {
	case 0:
	case 5:
		carry = __builtin_add_overflow(x, y, &r);
		overflow = __builtin_add_overflow(sx, sy, &sr);
		break;
	case 1:
	case 6:
		carry = __builtin_sub_overflow(x, y, &r);
		overflow = __builtin_sub_overflow(sx, sy, &sr);
		break;
	case 2: carry = overflow = __builtin_mul_overflow(x, y, &r); break;
	case 7:
		r = x * y;
		carry = overflow = __builtin_mul_overflow(sx, sy, &sr);
		break;
	default:
		if (!y)
			return false;
		r = op == 3 ? x / y : op == 4 ? x % y : op == 8 ? (least ? x : (u64)(sx / sy)) : least ? 0 : (u64)(sx % sy);
		overflow = op == 8 && least;
	}
	mark(c, r, carry, overflow);
	*out = r;
	return true;
}

static double as_double(u64 bits)
{
	double value;

	memcpy(&value, &bits, 8);
	return value;
}

static float as_float(u64 bits)
{
	float value;
	u32 low = (u32)bits;

	memcpy(&value, &low, 4);
	return value;
}

static u64 float_op(unsigned op, u64 x, u64 y, bool single)
{
	u64 bits = 0;

	if (single) {
		float a = as_float(x), b = as_float(y), r = op == 0 ? a + b : op == 1 ? a - b : op == 2 ? a * b : a / b;
		memcpy(&bits, &r, 4);
		return r != r ? 0x7FC00000 : bits;
	} else {
		double a = as_double(x), b = as_double(y), r = op == 0 ? a + b : op == 1 ? a - b : op == 2 ? a * b : a / b;
		memcpy(&bits, &r, 8);
		return r != r ? 0x7FF8000000000000 : bits;
	}
}

static void compare(Core *c, bool equal, bool less, bool unordered)
{
	for (unsigned i = FZ; i < FLAGS; i++)
		c->flag[i] = 0;
	c->flag[FZ] = equal;
	c->flag[FS] = less;
	c->flag[FU] = c->flag[10] = unordered;
}

/* nz z ne e nc c no o nn n ng g ns s ge se */
static bool condition(const Core *c, unsigned which)
{
	const u64 *f = c->flag;
	bool greater = !f[Z] && f[N] == f[V], smaller = f[N] != f[V];
	bool holds[16] = { !f[Z], f[Z], !f[Z], f[Z], !f[C], f[C], !f[V], f[V], !f[N], f[N], !greater, greater, !smaller,
			   smaller, greater || f[Z], smaller || f[Z] };

	return holds[which];
}

static u64 low(u64 value, unsigned bytes)
{
	return bits_trunc(value, 8 * bytes);
}

static bool push(Core *c, u64 value, unsigned bytes)
{
	memcpy(c->stack + (c->r[2] - STACK_AT), &value, bytes);
	c->r[2] += bytes;
	return true;
}

static u64 pop(Core *c, unsigned bytes)
{
	c->r[2] -= bytes;
	return get(c->stack + (c->r[2] - STACK_AT), bytes);
}

static bool ret(Core *c)
{
	if (!c->depth)
		return false;
	c->pc = c->calls[--c->depth];
	return true;
}

static bool call(Core *c, u64 to, u64 back)
{
	if (c->depth == 50)
		return false;
	c->calls[c->depth++] = back;
	c->pc = to;
	return true;
}

/* One instruction; pc is behind its first word (as the original has it, which then adds 8 to where jumps go). False: an
 * error that leaves everything as it was. */
static bool step(Core *c, u64 w, u64 imm)
{
	unsigned op = (unsigned)(w >> 56), d6 = w >> 8 & 15, d7 = w & 15, d1 = w >> 48 & 15, bytes, k;
	u64 a = w & 0xFFFFFFFFFFFF, x, *r = c->r;

	c->pc += 8;
	if (op >= 0x02 && op <= 0x15) {
		k = (op - 2) / 2;
		if (!(op & 1))
			c->pc += 8;
		return op & 1 ? arithmetic(c, k, r[d6], r[d7], &r[d6]) : arithmetic(c, k, r[d7], imm, &r[d7]);
	}
	if (op >= 0x16 && op <= 0x1D)
		return r[d6] = float_op((op - 0x16) % 4, r[d6], r[d7], op >= 0x1A), true;
	if (op >= 0x1E && op <= 0x31)
		return arithmetic(c, (op - 0x1E) / 4, r[d1], get(c->data + a, 1u << (op - 0x1E) % 4), &r[d1]);
	if (op >= 0x32 && op <= 0x39)
		return r[d1] = float_op((op - 0x32) % 4, r[d1], get(c->data + a, 8), op >= 0x36), true;
	if (op >= 0x4E && op <= 0x5D) {
		c->pc += 8;
		if (condition(c, op - 0x4E))
			r[d7] = imm;
		return true;
	}
	if (op >= 0x60 && op <= 0x6F) {
		if (condition(c, op - 0x60))
			c->pc = a + 8;
		return true;
	}
	if (op >= 0x72 && op <= 0x81)
		return condition(c, op - 0x72) ? ret(c) : true;
	bytes = 1u << (op & 3);
	switch (op) {
	case 0x00: return true;
	case 0x3A: r[d7]++; return true;
	case 0x3B: r[d7]--; return true;
	case 0x3C: c->pc += 8; r[d7] = imm; return true;
	case 0x3D: r[d6] = r[d7]; return true;
	case 0x3E ... 0x40: r[d6] = low(r[d7], 1u << (op - 0x3E)); return true;
	case 0x41 ... 0x43: r[d1] = (u64)bits_signed(low(w, 1u << (op - 0x41)), 8u << (op - 0x41)); return true;
	case 0x44 ... 0x46: r[d6] = (u64)bits_signed(low(r[d7], 1u << (op - 0x44)), 8u << (op - 0x44)); return true;
	case 0x47 ... 0x4A: {
		u64 mask = bits_mask(8u << (op - 0x47)), v = r[d6], e = r[d7];

		r[d6] = (v & ~mask) | (e & mask);
		r[d7] = (r[d7] & ~mask) | (v & mask);
		return true;
	}
	case 0x4B ... 0x4D: {
		u64 mask = bits_mask(8u << (op - 0x4B));

		r[d6] = (r[d6] & ~mask) | (r[d7] & mask);
		return true;
	}
	case 0x5E: c->pc += (u64)bits_signed(a, 48); return true;
	case 0x5F: c->pc = a + 8; return true;
	case 0x70: return call(c, a, c->pc);
	case 0x71: return ret(c);
	case 0x82: c->pc = r[d1] ? a + 8 : c->pc; return true;
	case 0x83: return call(c, r[d7], c->pc);
	case 0x84: c->pc = r[d7] + 8; return true;
	case 0x86 ... 0x89: c->pc += 8; return push(c, imm, 1u << (op - 0x86));
	case 0x8A: return push(c, r[d7], 8);
	case 0x8B ... 0x8E: x = pop(c, 1u << (op - 0x8B)); r[d7] = x; return true;
	case 0x8F:
		for (k = 0; k < 16; k++)
			if (k != 2)
				push(c, r[k], 8);
		return true;
	case 0x90:
		for (k = 16; k-- > 0;)
			if (k != 2)
				r[k] = pop(c, 8);
		return true;
	case 0x91 ... 0x94: return push(c, get(c->data + a, 1u << (op - 0x91)), 1u << (op - 0x91));
	case 0x95 ... 0x98: bytes = 1u << (op - 0x95); x = pop(c, bytes); memcpy(c->data + a, &x, bytes); return true;
	case 0x99 ... 0x9C: r[d1] = get(c->stack + (r[1] + (u64)(i64)(i16)w - STACK_AT), 1u << (op - 0x99)); return true;
	case 0x9D ... 0xA0: memcpy(c->stack + (r[1] + (u64)(i64)(i16)w - STACK_AT), &r[d1], 1u << (op - 0x9D)); return true;
	case 0xA1: c->pc += 8; r[d7] &= imm; return true;
	case 0xA2: r[d6] &= r[d7]; return true;
	case 0xA3: c->pc += 8; r[d7] |= imm; return true;
	case 0xA4: r[d6] |= r[d7]; return true;
	case 0xA5: c->pc += 8; r[d7] ^= imm; return true;
	case 0xA6: r[d6] ^= r[d7]; return true;
	case 0xA7: r[d7] = ~r[d7]; return true;
	case 0xA8: r[d1] <<= w & 63; return true;
	case 0xA9: r[d1] >>= w & 63; return true;
	case 0xAA: r[d6] <<= r[d7] & 63; return true;
	case 0xAB: r[d6] >>= r[d7] & 63; return true;
	case 0xAC: c->pc += 8; return arithmetic(c, 1, r[d7], imm, &x);
	case 0xAD: return arithmetic(c, 1, r[d6], r[d7], &x);
	case 0xAE ... 0xB1: return arithmetic(c, 1, r[d1], get(c->data + a, 1u << (op - 0xAE)), &x);
	case 0xB2: {
		double p = as_double(r[d6]), q = as_double(r[d7]);

		compare(c, p == q, p < q, p != p || q != q);
		return true;
	}
	case 0xB3: {
		float p = as_float(r[d6]), q = as_float(r[d7]);

		compare(c, p == q, p < q, p != p || q != q);
		return true;
	}
	case 0xD0 ... 0xD2: r[d1] = get(c->data + a, 1u << (op - 0xD0)); return true;
	case 0xD3 ... 0xD5: memcpy(c->data + a, &r[d1], 1u << (op - 0xD3)); return true;
	case 0xD6: r[d1] = get(c->data + a, 8); return true;
	case 0xD7: memcpy(c->data + a, &r[d1], 8); return true;
	case 0xD8: case 0xDA: case 0xDC: case 0xDE: r[d6] = get(c->data + r[d7], 1u << (op - 0xD8) / 2); return true;
	case 0xD9: case 0xDB: case 0xDD: case 0xDF: memcpy(c->data + r[d7], &r[d6], 1u << (op - 0xD9) / 2); return true;
	case 0xE0 ... 0xE3: r[d1] = get(c->data + a, bytes); return true;
	case 0xE4 ... 0xE7: memcpy(c->data + a, &r[d1], bytes); return true;
	case 0xE8 ... 0xEB: r[d6] = get(c->data + r[d7], bytes); return true;
	case 0xEC ... 0xEF: memcpy(c->data + r[d7], &r[d6], bytes); return true;
	case 0xF0: r[w >> 24 & 15] = r[w >> 16 & 15] + r[d6] * r[d7]; return true;
	case 0xF1: memset(c->flag, 0, 5 * sizeof c->flag[0]); return true;
	case 0xF2: memset(r, 0, 16 * sizeof r[0]); return true;
	case 0xF3:
	case 0xF4:
		a = op == 0xF3 ? imm : r[w >> 16 & 15];
		c->pc += op == 0xF3 ? 8 : 0;
		x = get(c->data + a, 8);
		c->flag[Z] = x == r[d7];
		if (c->flag[Z])
			memcpy(c->data + a, &r[d6], 8);
		else
			r[d7] = x;
		return true;
	case 0xF5: c->pc += 8; c->handler = imm; return true;
	}
	fail_msg("opcode %02X has no model", op);
	return false;
}

/* ---- Comparing ---- */

static u64 edgy(Rng *rng)
{
	static const u64 edges[] = { 0, 1, 2, ~(u64)0, (u64)1 << 63, ~(u64)0 >> 1, 0x80, 0x7F, 0xFF, 0x8000, 0xFFFF,
				     0x80000000, 0xFFFFFFFF, 0x100000000, 0x3FF0000000000000, 0x7FF0000000000000,
				     0x7FF8000000000000, 0x3F800000, 0xFF800000, 0x7FC00000, 63, 64, 65 };

	return rng_below(rng, 2) ? edges[rng_below(rng, COUNT_OF(edges))] : rng_next(rng) >> rng_below(rng, 64);
}

static bool takes_immediate(unsigned op)
{
	return (op >= 0x02 && op <= 0x15 && !(op & 1)) || op == 0x3C || (op >= 0x4E && op <= 0x5D) ||
	       (op >= 0x86 && op <= 0x89) || op == 0xA1 || op == 0xA3 || op == 0xA5 || op == 0xAC || op == 0xF3 || op == 0xF5;
}

static bool has_data_address(unsigned op)
{
	return (op >= 0x1E && op <= 0x39) || (op >= 0x91 && op <= 0x98) || (op >= 0xAE && op <= 0xB1) ||
	       (op >= 0xD0 && op <= 0xD7) || (op >= 0xE0 && op <= 0xE7);
}

static bool register_address(unsigned op)
{
	return (op >= 0xD8 && op <= 0xDF) || (op >= 0xE8 && op <= 0xEF);
}

static u64 to_b(u64 word)
{
	u64 op = word >> 56;

	op += op <= 0x3C ? 0 : op <= 0xF1 ? 2 : op <= 0xF4 ? 3 : 4;
	return (word << 8 >> 8) | op << 56;
}

static void random_core(Core *core, Rng *rng)
{
	memset(core, 0, sizeof *core);
	for (unsigned i = 0; i < 16; i++)
		core->r[i] = edgy(rng);
	for (unsigned i = 0; i < FLAGS; i++)
		core->flag[i] = rng_below(rng, 2);
	for (unsigned i = 0; i < WINDOW; i++) {
		core->data[i] = (u8)rng_next(rng);
		core->stack[i] = (u8)rng_next(rng);
	}
	for (unsigned i = 0; i < 50; i++)
		core->calls[i] = 8 * rng_below(rng, 64);
	core->depth = (u64[]){ 0, 1, 49, 50, rng_below(rng, 51) }[rng_below(rng, 5)];
	core->handler = ~(u64)0;
	core->pc = CODE;
	core->r[1] = core->r[2] = STACK_AT + WINDOW / 2;
}

/* The word of an instruction whose addresses lie in the windows. */
static u64 random_word(unsigned op, Core *core, u64 *imm, Rng *rng)
{
	u64 word = rng_next(rng) << 8 >> 8 | (u64)op << 56;

	*imm = edgy(rng);
	if (has_data_address(op))
		word = (word & ~(u64)0xFFFFFFFFFFFF) | rng_below(rng, WINDOW - 8);
	if (op >= 0x99 && op <= 0xA0) {
		word = (word & ~(u64)0xFFFF) | ((rng_below(rng, WINDOW - 8) - WINDOW / 2) & 0xFFFF);
		core->r[1] = STACK_AT + WINDOW / 2;
	}
	if (register_address(op)) /* not the register with the address as the value: it stays simple */
		core->r[word & 15] = rng_below(rng, WINDOW - 8);
	if (op == 0xF3)
		*imm = rng_below(rng, WINDOW - 8);
	if (op == 0xF4)
		core->r[word >> 16 & 15] = rng_below(rng, WINDOW - 8);
	if ((op == 0xF3 || op == 0xF4) && rng_below(rng, 2) && (word >> 16 & 15) != (word & 15))
		core->r[word & 15] = get(core->data + (op == 0xF3 ? *imm : core->r[word >> 16 & 15]), 8);
	if (op >= 0x86 && op <= 0x98)
		core->r[2] = STACK_AT + WINDOW / 2;
	return word;
}

static void compare_cores(unsigned op, u64 word, u64 imm, const Core *got, const Core *wanted)
{
	for (unsigned i = 0; i < 16; i++)
		if (got->r[i] != wanted->r[i])
			fail_msg("op %02X %016llx %llx: register %u is %llx, not %llx", op, (unsigned long long)word,
				 (unsigned long long)imm, i, (unsigned long long)got->r[i], (unsigned long long)wanted->r[i]);
	for (unsigned i = 0; i < FLAGS; i++)
		if (got->flag[i] != wanted->flag[i])
			fail_msg("op %02X %016llx %llx: flag %u", op, (unsigned long long)word, (unsigned long long)imm, i);
	if (memcmp(got, wanted, sizeof *got))
		fail_msg("op %02X %016llx %llx: memory, stack, calls, pc %llx (wanted %llx)", op, (unsigned long long)word,
			 (unsigned long long)imm, (unsigned long long)got->pc, (unsigned long long)wanted->pc);
}

static void try_opcode(Rig *rig, unsigned op, Rng *rng)
{
	Core before, wanted, got = { 0 };
	MachineStop stop;
	u64 imm, word;
	bool fine;

	random_core(&before, rng);
	word = random_word(op, &before, &imm, rng);
	wanted = before;
	fine = step(&wanted, word, imm);
	if (!fine)
		wanted = before;
	put_word(rig, CODE, rig->is_b ? to_b(word) : word);
	if (takes_immediate(op))
		put_word(rig, CODE + 8, imm);
	write_core(rig, &before);
	stop = machine_run(rig->machine, 1);
	read_core(rig, &got);
	assert_int_equal(stop.kind, fine ? STOP_BUDGET : STOP_TRAP);
	compare_cores(op, word, imm, &got, &wanted);
}

static bool is_modelled(unsigned op)
{
	return op != 0x01 && op != 0x85 && !(op >= 0xB4 && op <= 0xCF) && op <= 0xF5;
}

static void every_opcode(const char *revision)
{
	Rig rig = { 0 };
	Rng rng;

	rig_open(&rig, revision);
	rng = (Rng){ 7 };
	for (unsigned op = 0; op < 256; op++)
		for (unsigned trial = 0; is_modelled(op) && trial < TRIALS; trial++)
			try_opcode(&rig, op, &rng);
	rig_close(&rig);
}

static void test_revision_a(void **state)
{
	(void)state;
	every_opcode("a");
}

static void test_revision_b(void **state)
{
	(void)state;
	every_opcode("b");
}

/* Revision B has conditions on the flags of fcmp behind a prefix. */
static void test_float_conditions(void **state)
{
	static const u8 flag_of[6] = { FZ, FS, 9, 8, FU, 10 }; /* z n uf o u i */
	Rig rig = { 0 };
	Core core, got = { 0 };
	Rng rng;

	(void)state;
	rig_open(&rig, "b");
	rng = (Rng){ 8 };
	for (unsigned sub = 0; sub < 36; sub++) {
		for (unsigned set = 0; set < 2; set++) {
			bool holds = (sub & 1) != set;

			random_core(&core, &rng);
			core.flag[flag_of[sub % 12 / 2]] = set;
			core.depth = 1;
			put_word(&rig, CODE, sub == 35 ? (u64)0xF8 << 56 : (u64)0xFF << 56 | (u64)sub << 48 | (sub < 12 ? 3 : 0x208));
			put_word(&rig, CODE + 8, 77);
			write_core(&rig, &core);
			assert_int_equal(machine_run(rig.machine, 1).kind, STOP_BUDGET);
			read_core(&rig, &got);
			if (sub < 12) {
				core.pc += 16;
				core.r[3] = holds ? 77 : core.r[3];
			} else if (sub < 24) {
				core.pc = holds ? 0x210 : CODE + 8;
			} else {
				core.pc = holds ? core.calls[0] : CODE + 8;
				core.depth = !holds;
			}
			compare_cores(0xFF, sub, set, &got, &core);
		}
	}
	core.pc = CODE;
	put_word(&rig, CODE, (u64)0xF4 << 56);
	write_core(&rig, &core);
	machine_run(rig.machine, 1);
	read_core(&rig, &got);
	for (unsigned i = FZ; i < FLAGS; i++)
		assert_int_equal(got.flag[i], 0);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_revision_a),
		cmocka_unit_test(test_revision_b),
		cmocka_unit_test(test_float_conditions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
