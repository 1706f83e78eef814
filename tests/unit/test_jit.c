/* SPDX-License-Identifier: MIT
 *
 * The compiler gives what the interpreter gives: on machines of all shapes (engines.h), and on RV64GC in a paged space,
 * where it compiles most: random code with loads, stores (into code, too), branches, calls and floats, in slices of
 * random length; after each the registers, the count, the reason to stop and all of memory are equal.
 *
 *     test_jit [ROUNDS [SEED]]     of the random RV64GC code
 */
#include "engines.h"

#include "jit/jit.h"
#include "machine/pages.h"

enum {
	CODE = 0x10000, CODE_BYTES = 0x3000,
	DATA = 0x40000, DATA_BYTES = 0x4000, /* present from the start */
	LATE_BYTES = 0x8000,                 /* and made by the pager when touched */
	STEPS = 60,
};

#ifdef __SANITIZE_ADDRESS__
static u64 wanted_rounds = 60, first_seed = 1;
#else
static u64 wanted_rounds = 150, first_seed = 1;
#endif

static const EngineOps *const both[] = {&interp_engine, &jit_engine};

static void random_programs(void **state)
{
	(void)state;
	for (u64 seed = 1; seed <= 6; seed++) {
		try_engines(both, 2, "toy", toy_isa, seed);
		for (u32 i = 0; i < sizeof machine_paths / sizeof *machine_paths; i++) {
			char *text = read_text(machine_paths[i]);

			try_engines(both, 2, machine_paths[i], text, seed);
			free(text);
		}
	}
}

static bool touch(Machine *machine, u32 aspace, u64 address, u8 access)
{
	u64 page = address & ~(u64)(SPACE_PAGE - 1);

	if (address < DATA || address >= DATA + LATE_BYTES || access == ATTR_EXEC)
		return false;
	return machine_pages_add(machine, aspace, page, SPACE_PAGE, ATTR_READ | ATTR_WRITE) == STATUS_OK;
}

/* Jumps go near, most accesses are aligned, floats are rounded to nearest more often: else most instructions would be
 * the cold engine's, and few runs long. */
static u32 tame(Rng *rng, u32 word)
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
static void fill_code(Machine *machine, const Isa *isa, Rng *rng)
{
	u64 words[64];

	for (u64 at = 0; at + 8 < CODE_BYTES;) {
		u32 count = gen_valid(isa, rng, words), word = 0;

		for (u32 i = 0; i < count && i < 4; i++)
			word |= (u32)words[i] << 8 * i;
		if (count == 4)
			word = tame(rng, word);
		for (u32 i = 0; i < count && at < CODE_BYTES; i++)
			machine_write(machine, machine_paged_space(machine), CODE + at++, word >> 8 * i & 0xFF);
	}
}

static u64 random_float(Rng *rng)
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

static u64 random_register(Rng *rng, bool at_code)
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
static void stir(Machine *machine, const Isa *isa, Rng *rng, bool at_code)
{
	for (u32 slot = 1; slot < isa->slot_count; slot++) {
		const char *name = isa_slot_name(isa, slot);
		u64 value = name[0] == 'f' && name[1] != 'r' && name[1] != 'f' ? random_float(rng) : random_register(rng, at_code);

		if (strcmp(name, "frm") == 0)
			value = rng_below(rng, 4) ? 0 : rng_below(rng, 8);
		if (strcmp(name, "fflags") == 0)
			value = rng_below(rng, 2) ? 0 : rng_below(rng, 32);
		if (rng_below(rng, 2))
			machine_set_slot(machine, slot, value);
	}
}

static Machine *open_rv64(const Isa *isa, const EngineOps *engine)
{
	Machine *machine = create(isa, engine);

	machine_set_pager(machine, touch);
	assert_int_equal(machine_pages_add(machine, 0, CODE, CODE_BYTES, ATTR_RIGHTS), STATUS_OK);
	assert_int_equal(machine_pages_add(machine, 0, DATA, DATA_BYTES, ATTR_READ | ATTR_WRITE), STATUS_OK);
	return machine;
}

static void compare_state(Machine *const *machines, const MachineStop *stops, const Isa *isa, u64 round, u32 step)
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

static void random_rv64(void **state)
{
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);

	(void)state;
	for (u64 round = first_seed; round < first_seed + wanted_rounds; round++) {
		Machine *machines[2];
		MachineStop stops[2];
		Rng rng = {round};

		for (unsigned i = 0; i < 2; i++) {
			Rng same = {round * 99};

			machines[i] = open_rv64(isa, both[i]);
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
		}
		machine_destroy(machines[0]);
		machine_destroy(machines[1]);
	}
	isa_destroy(isa);
	free(text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_programs),
		cmocka_unit_test(random_rv64),
	};

	if (argc > 1)
		wanted_rounds = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 10);
	return jit_is_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
