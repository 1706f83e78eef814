/* SPDX-License-Identifier: MIT
 *
 * The compiler gives what the interpreter gives: on machines of all shapes (engines.h), and on RV64GC in a paged space,
 * where it compiles most: random code with loads, stores (into code, too), branches, calls and floats, in slices of
 * random length; after each the registers, the count, the reason to stop and all of memory are equal.
 */
#include "engines.h"

#include "jit/jit.h"
#include "machine/pages.h"

enum {
	CODE = 0x10000, CODE_BYTES = 0x3000,
	DATA = 0x40000, DATA_BYTES = 0x4000, /* present from the start */
	LATE_BYTES = 0x8000,                 /* and made by the pager when touched */
	ROUNDS = 60, STEPS = 60,
};

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

/* Ends are frequent in random code: an illegal word, a fault. The next step begins elsewhere. */
static void fill_code(Machine *machine, const Isa *isa, Rng *rng)
{
	u64 words[64];

	for (u64 at = 0; at + 8 < CODE_BYTES;) {
		u32 count = gen_valid(isa, rng, words);

		for (u32 i = 0; i < count && at < CODE_BYTES; i++)
			machine_write(machine, machine_paged_space(machine), CODE + at++, words[i]);
	}
}

static u64 random_register(Rng *rng)
{
	switch (rng_below(rng, 6)) {
	case 0: return CODE + (rng_below(rng, CODE_BYTES) & ~1u);
	case 1: return rng_next(rng);
	case 2: return rng_below(rng, 64);
	case 3: return 0x3FF0000000000000 + (rng_next(rng) & 0x000FFFFF00000000);
	default: return DATA + rng_below(rng, LATE_BYTES + 64);
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
	for (u64 round = 1; round <= ROUNDS; round++) {
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
				for (u32 slot = 1; slot < isa->slot_count; slot++)
					if (rng_below(&same, 2))
						machine_set_slot(machines[i], slot, random_register(&same));
			}
			compare_state(machines, stops, isa, round, step);
		}
		machine_destroy(machines[0]);
		machine_destroy(machines[1]);
	}
	isa_destroy(isa);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_programs),
		cmocka_unit_test(random_rv64),
	};

	return jit_is_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
