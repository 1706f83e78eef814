/* SPDX-License-Identifier: MIT
 * The passes behind ssa_fold: random regions with pointers into a small space, good and bad ones, leave where the others
 * pass in the same state, and nothing reaches beyond guard zones. And what some loops come to.
 */
#include "ssa_toy.h"

static void (*const all[])(SsaFunc *) = {ssa_fold, ssa_dead, ssa_loops, ssa_narrow, ssa_fold, ssa_dead, ssa_address, ssa_memory,
	ssa_check, ssa_hoist, ssa_fold, ssa_dead, ssa_float};

static u64 seeds = 1500, first_seed = 1, left_early;

static void show(const SsaFunc *func)
{
	Buf text;

	buf_init(&text);
	ssa_print(func, NULL, NULL, &text);
	fprintf(stderr, "%s", buf_text(&text));
	buf_fini(&text);
}

static void try_seed(u64 seed)
{
	ToyRun before[4], after;
	Toy toy;

	toy_random(&toy, seed, seed % 4 == 0, seed % 8 != 7);
	toy_verify(&toy);
	for (unsigned i = 0; i < 4; i++) {
		toy_start(&before[i], seed * 7 + i);
		toy_run(toy.func, &before[i]);
	}
	for (unsigned p = 0; p < COUNT_OF(all); p++) {
		if (getenv("SSA_SHOW"))
			show(toy.func);
		all[p](toy.func);
		toy_verify(&toy);
		for (unsigned i = 0; i < 4; i++) {
			toy_start(&after, seed * 7 + i);
			after.host = all[p] == ssa_float;
			toy_run(toy.func, &after);
			left_early += after.done < before[i].done;
			if (!toy_leaves_on_way(&before[i], &after) || (after.left && !toy_same(&before[i], &after))) {
				show(toy.func);
				fail_msg("seed %llu, start %u: not the same behind pass %u", (unsigned long long)seed, i, p);
			}
		}
	}
	toy_end(&toy);
}

static void test_random(void **state)
{
	(void)state;
	for (u64 seed = first_seed; seed < first_seed + seeds; seed++)
		try_seed(seed);
	if (getenv("SSA_COUNTS"))
		fprintf(stderr, "left early: %llu\n", (unsigned long long)left_early);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	if (argc > 1)
		seeds = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
