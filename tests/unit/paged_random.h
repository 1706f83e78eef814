/* SPDX-License-Identifier: MIT
 *
 * Random code in a paged space, on two engines side by side: loads, stores (into code, too), branches, calls and floats, in
 * slices of random length; after each the registers, the count, the reason to stop and all of memory are equal.
 */
#ifndef TESTS_PAGED_RANDOM_H
#define TESTS_PAGED_RANDOM_H

#include "engines.h"

#include "machine/machine_private.h"
#include "machine/pages.h"

enum {
	CODE = 0x10000, CODE_BYTES = 0x3000,
	DATA = 0x40000, DATA_BYTES = 0x4000, /* present from the start */
	LATE_BYTES = 0x8000,                 /* and made by the pager when touched */
	STEPS = 60,
};

static inline bool touch(Machine *machine, u32 aspace, u64 address, u8 access)
{
	u64 page = address & ~(u64)(SPACE_PAGE - 1);

	if (address < DATA || address >= DATA + LATE_BYTES || access == ATTR_EXEC)
		return false;
	return machine_pages_add(machine, aspace, page, SPACE_PAGE, ATTR_READ | ATTR_WRITE) == STATUS_OK;
}

/* Jumps go near, most accesses are aligned, floats are rounded to nearest more often: else most instructions would be
 * the cold engine's, and few runs long. */
static inline u32 tame(Rng *rng, u32 word)
{
	bool back = rng_below(rng, 4) == 0;

	switch (word & 0x7F) {
	case 0x6F: return (word & 0xFFF) | rng_below(rng, 64) << 22;
	case 0x67: return rng_below(rng, 4) ? word ^ (0x67 ^ 0x13) : word;
	case 0x63: return back ? word | 0xF8000080 : word & ~0xF8000080;
	case 0x03: case 0x07: return rng_below(rng, 4) ? word & ~(7u << 20) : word;
	case 0x23: case 0x27: return rng_below(rng, 4) ? word & ~(7u << 7) : word;
	case 0x43: case 0x47: case 0x4B: case 0x4F: case 0x53: return rng_below(rng, 2) ? word & ~(7u << 12) : word;
	case 0x73: case 0x2F: return rng_below(rng, 4) ? word : 0x13;
	default: return word;
	}
}

/* Ends are frequent in random code: an illegal word, a fault. The next step begins elsewhere. */
static inline void fill_code(Machine *machine, const Isa *isa, Rng *rng)
{
	u64 words[64];

	for (u64 at = 0; at + 8 < CODE_BYTES;) {
		u32 count = gen_valid(isa, rng, words), word = 0;

		for (u32 i = 0; i < count && i < 4; i++)
			word |= (u32)words[i] << 8 * i;
		if (count == 4 && isa->parcel_cells == 2)
			word = tame(rng, word);
		for (u32 i = 0; i < count && at < CODE_BYTES; i++)
			machine_write(machine, machine_paged_space(machine), CODE + at++, word >> 8 * i & 0xFF);
	}
}

static inline u64 random_float(Rng *rng)
{
	static const u64 ends[] = {
		0, (u64)1 << 63, 0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000000, 0x7FF0000000000001, 1,
		0x0010000000000000, 0x7FEFFFFFFFFFFFFF, 0x43E0000000000000, 0xC3E0000000000000, 0x41E0000000000000,
		0xC1E0000000000000, 0x41F0000000000000, 0x000FFFFFFFFFFFFF, 0x3FF0000000000000, 0xBFE8000000000000,
	};
	static const u32 small_ends[] = {
		0, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 1, 0x00800000, 0x7F7FFFFF, 0x5F000000,
		0xDF000000, 0x4F000000, 0xCF000000, 0x4F800000, 0x007FFFFF, 0x3F800000, 0xBF400000,
	};

	switch (rng_below(rng, 6)) {
	case 0: return ends[rng_below(rng, sizeof ends / sizeof *ends)];
	case 1: return 0xFFFFFFFF00000000 | small_ends[rng_below(rng, sizeof small_ends / sizeof *small_ends)];
	case 2: return 0xFFFFFFFF00000000 | (u32)rng_next(rng);
	case 3: return 0xFFFFFFFF00000000 | (0x3F000000 + (u32)rng_below(rng, 0x01000000));
	case 4: return 0x3FE0000000000000 + (rng_next(rng) >> 11);
	default: return rng_next(rng);
	}
}

static inline u64 random_register(Rng *rng, bool at_code)
{
	switch (rng_below(rng, 7)) {
	case 0: return CODE + (rng_below(rng, CODE_BYTES) & ~1u);
	case 1: return rng_next(rng);
	case 2: return rng_below(rng, 64);
	case 3: return rng_next(rng) >> rng_below(rng, 64);
	case 4: return DATA + rng_below(rng, LATE_BYTES + 64);
	default: return (at_code ? CODE + (rng_below(rng, CODE_BYTES) & ~7u) : DATA + (rng_below(rng, LATE_BYTES) & ~7u));
	}
}

/* Each slot gets a new value, or keeps its own. */
static inline void stir(Machine *machine, const Isa *isa, Rng *rng, bool at_code)
{
	for (u32 slot = 1; slot < isa->slot_count; slot++) {
		const char *name = isa_slot_name(isa, slot);
		bool number = (name[0] == 'f' && name[1] != 'r' && name[1] != 'f') || (name[0] == 'r' && rng_below(rng, 2));
		u64 value = number ? random_float(rng) : random_register(rng, at_code);

		if (strcmp(name, "frm") == 0)
			value = rng_below(rng, 4) ? 0 : rng_below(rng, 8);
		if (strcmp(name, "fflags") == 0)
			value = rng_below(rng, 2) ? 0 : rng_below(rng, 32);
		if (rng_below(rng, 2))
			machine_set_slot(machine, slot, value);
	}
}

static inline Machine *open_paged(const Isa *isa, const EngineOps *engine)
{
	Machine *machine = create(isa, engine);

	machine_set_pager(machine, touch);
	assert_int_equal(machine_pages_add(machine, 0, CODE, CODE_BYTES, ATTR_RIGHTS), STATUS_OK);
	assert_int_equal(machine_pages_add(machine, 0, DATA, DATA_BYTES, ATTR_READ | ATTR_WRITE), STATUS_OK);
	return machine;
}

static inline void compare_state(Machine *const *machines, const MachineStop *stops, const Isa *isa, u64 round, u32 step)
{
	bool same = stops[0].kind == stops[1].kind && stops[0].pc == stops[1].pc && stops[0].address == stops[1].address &&
		    machine_icount(machines[0]) == machine_icount(machines[1]);

	for (u32 slot = 0; slot < isa->slot_count; slot++)
		if (machine_slot(machines[0], slot) != machine_slot(machines[1], slot)) {
			fprintf(stderr, "%s: %llx, compiled %llx\n", isa_slot_name(isa, slot),
				(unsigned long long)machine_slot(machines[0], slot),
				(unsigned long long)machine_slot(machines[1], slot));
			same = false;
		}
	for (u64 page = CODE; page < DATA + LATE_BYTES; page += SPACE_PAGE) {
		const u8 *one = machine_page_bytes(machines[0], 0, page), *other = machine_page_bytes(machines[1], 0, page);

		same &= !one == !other && (!one || memcmp(one, other, SPACE_PAGE) == 0);
	}
	if (!same)
		fail_msg("round %llu step %u: stops %d %d, pc %llx %llx, instructions %llu %llu", (unsigned long long)round, step,
			 stops[0].kind, stops[1].kind, (unsigned long long)stops[0].pc, (unsigned long long)stops[1].pc,
			 (unsigned long long)machine_icount(machines[0]), (unsigned long long)machine_icount(machines[1]));
}

/* What one engine has made the other goes on with. */
static inline void carry_over(Machine *from, Machine *to)
{
	Buf bytes;

	buf_init(&bytes);
	assert_int_equal(machine_snapshot(from, &bytes), STATUS_OK);
	assert_int_equal(machine_restore(to, (const u8 *)bytes.data, bytes.len), STATUS_OK);
	buf_fini(&bytes);
}

/* Flags kept otherwise; `stop` behind registers; a load whose extension stands in one arm. */
static const char odd_isa[] =
	"isa ODD \"what rv64 does not have\"\n"
	"space mem : 8, address 64, little, paged\n"
	"code mem\n"
	"reg r[8] : 64\n"
	"reg pc : 64\n"
	"reg fl : 5\n"
	"reg fm : 5\n"
	"field d a b : r\n"
	"field i : signed\n"
	"insn ADDI  \"00000 ddd aaa iiiii\"  d, a, i { d = a + sx(i) }\n"
	"insn STOP  \"00001 ddd aaa 00000\"  d, a  { d = d + a; stop d[7:0] }\n"
	"insn LDC   \"00010 ddd aaa 00bbb\"  d, a, b { let v = mem:32[a]; if (b == 0) { d = sx(v); b = b + 1 } else { if (b == 1) raise 7; b = 0 } }\n"
	"insn ADDF  \"00011 ddd aaa 00bbb\"  d, a, b { fl = fl | f64.add_flags(a, b, 0); d = f64.add(a, b, 0) }\n"
	"insn ADDG  \"00100 ddd aaa 00bbb\"  d, a, b { fm = fm | f64.add_flags(a, b, 0); d = f64.add(a, b, 0) }\n"
	"insn MULN  \"00101 ddd aaa 00bbb\"  d, a, b { d = f64.mul(a, b, 0) }\n"
	"insn BOTH  \"00110 ddd aaa 00bbb\"  d, a, b { let o = fl | f64.mul_flags(a, b, 0); fl = o; d = f64.mul(a, b, 0); b = zx(o) }\n"
	"insn LATE  \"00111 ddd aaa 00bbb\"  d, a, b { let v = f64.div(a, b, 0); let w = (a ^ b) * a; fl = fl | f64.div_flags(a, b, 0); d = v + w; a = w }\n"
	"insn OLD   \"01000 ddd aaa 00bbb\"  d, a, b { let o = fl; fl = fl | f64.add_flags(a, b, 0); d = f64.add(a, b, 0); b = zx(o) }\n"
	"insn SETF  \"01001 ddd aaa 00000\"  d, a  { fl = a[4:0] }\n"
	"insn GETF  \"01010 ddd 00000000\"   d     { d = zx(fl) }\n"
	"insn SUBQ  \"01011 ddd aaa 00bbb\"  d, a, b { fl = fl | f64.sub_flags(a, b, 0) | f64.mul_flags(a, b, 0); d = f64.sub(a, b, 0) }\n"
	"insn XCHG  \"01100 ddd aaa 00000\"  d, a  { let v = d; d = a; a = v }\n"
	"insn ST    \"01101 ddd aaa 00000\"  d, a  { mem:64[a] = d }\n"
	"insn MIX   \"01110 ddd aaa 00bbb\"  d, a, b { d = zx(((a[31:0] + b[31:0]) << b[4:0])[31:0]); a = sx((b[15:0] * a[15:0])[11:0]) }\n";

static inline void random_paged(const EngineOps *const *both, const char *name, const char *text, u64 first, u64 rounds)
{
	Isa *isa = load(name, text);

	for (u64 round = first; round < first + rounds; round++) {
		Machine *machines[2];
		MachineStop stops[2];
		Rng rng = {round};

		hard_after = round % 4 == 3 ? ~(u64)0 : round % 4 ? 1 : 3000;
		for (unsigned i = 0; i < 2; i++) {
			Rng same = {round * 99};

			machines[i] = open_paged(isa, both[i]);
			fill_code(machines[i], isa, &same);
		}
		for (u32 step = 0; step < STEPS; step++) {
			u64 insns = rng_below(&rng, 4) ? rng_below(&rng, 200) + 1 : rng_below(&rng, 5000) + 1;
			u64 pc = CODE + (rng_below(&rng, CODE_BYTES) & ~1u), key = rng_next(&rng);

			for (unsigned i = 0; i < 2; i++) {
				Rng same = {key};

				stops[i] = machine_run(machines[i], insns);
				if (stops[i].kind == STOP_BUDGET && step % 4)
					continue;
				machine_set_pc(machines[i], pc);
				stir(machines[i], isa, &same, round % 4 == 1);
			}
			compare_state(machines, stops, isa, round, step);
			if (step % 16 == 7)
				carry_over(machines[round & 1], machines[~round & 1]);
		}
		machine_destroy(machines[0]);
		machine_destroy(machines[1]);
	}
	isa_destroy(isa);
}

#endif
