/* SPDX-License-Identifier: MIT
 *
 * Regions as they are built, held against the interpreter: each is run by ssa_eval on random programs of all shapes of machines
 * (engines.h) and on random RV64GC code in a paged space.
 *
 *     test_ssa_build [ROUNDS [SEED]]     of the random RV64GC code
 */
#include "paged_random.h"
#include "ssa_engine.h"

#ifdef __SANITIZE_ADDRESS__
static u64 wanted_rounds = 24, first_seed = 1;
#else
static u64 wanted_rounds = 80, first_seed = 1;
#endif

static const EngineOps *const both[] = {&interp_engine, &ssa_test_engine};

static void watch(void *ctx, const SsaFunc *func, const char *pass)
{
	(void)ctx;
	if (!ssa_test_verify(func))
		fail_msg("after %s", pass);
}

static bool all_passes(SsaFunc *func)
{
	return ssa_optimize(func, watch, NULL);
}

/* State, counting and snapshots alone. */
static bool last_passes(SsaFunc *func)
{
	ssa_fuel(func);
	ssa_state(func);
	ssa_dead(func);
	ssa_snap(func);
	return !func->failed;
}

static bool count_only(SsaFunc *func)
{
	ssa_fuel(func);
	return !func->failed;
}

static bool (*const pass_lists[])(SsaFunc *) = {NULL, last_passes, all_passes, count_only};

static void random_machines(void **state)
{
	(void)state;
	for (u64 seed = 1; seed <= 4; seed++) {
		ssa_test_shy = seed == 2 ? 100 : 0;
		ssa_test_passes = pass_lists[seed % 4];
		try_engines(both, 2, "toy", toy_isa, seed);
		for (u32 i = 0; i < sizeof machine_paths / sizeof *machine_paths; i++) {
			char *text = read_text(machine_paths[i]);

			try_engines(both, 2, machine_paths[i], text, seed);
			free(text);
		}
	}
}

static void random_rv64(void **state)
{
	char *text = read_text("src/guests/rv64/rv64.isa");

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		ssa_test_hard = i & 1;
		ssa_test_shy = i & 2 ? 50 : 0;
		ssa_test_passes = pass_lists[i % 4 ^ (i >> 2)];
		random_paged(both, "rv64.isa", text, first_seed + i * wanted_rounds / 8, wanted_rounds / 8);
	}
	free(text);
}

static void random_odd(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		ssa_test_passes = pass_lists[i];
		random_paged(both, "odd.isa", odd_isa, first_seed + i * wanted_rounds / 4, wanted_rounds / 4);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_machines),
		cmocka_unit_test(random_rv64),
		cmocka_unit_test(random_odd),
	};
	int failed;

	if (argc > 1)
		wanted_rounds = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 0);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (getenv("SSA_COUNTS"))
		fprintf(stderr, "regions %llu, instructions %llu, cold %llu\n", (unsigned long long)ssa_test_regions,
			(unsigned long long)ssa_test_done, (unsigned long long)ssa_test_cold);
	return failed;
}
