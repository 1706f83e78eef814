/* SPDX-License-Identifier: MIT
 * ssa_fold: what some regions come to, and that random ones do the same before and behind each pass.
 */
#include "ssa_toy.h"

static void (*const fold[])(SsaFunc *) = {ssa_fold, ssa_dead, ssa_fold, ssa_float};

static void expect(Toy *toy, const char *expected)
{
	toy_expect(toy, fold, 2, expected);
	toy_end(toy);
}

/* addiw a0, a0, 1; addiw a0, a0, 2; sext.w: one addition, one extension. */
static void test_words(void **state)
{
	Toy toy;
	SsaRef x;

	(void)state;
	toy_begin(&toy);
	x = toy_home(&toy, 1);
	for (unsigned i = 1; i <= 2; i++) {
		x = toy_bin(&toy, IR_OP_ADD, x, toy_const(&toy, 64, i));
		x = toy_node(&toy, IR_OP_EXTRACT, 32, 0, x, 0, 0, 0);
		x = toy_node(&toy, IR_OP_SX, 64, 0, x, 0, 0, 0);
		toy_put(&toy, i == 1 ? 3 : 1, x);
	}
	x = toy_node(&toy, IR_OP_SX, 64, 0, toy_node(&toy, IR_OP_EXTRACT, 32, 0, x, 0, 0, 0), 0, 0, 0);
	toy_put(&toy, 5, x);
	x = toy_bin(&toy, IR_OP_SHR, toy_bin(&toy, IR_OP_SHL, x, toy_const(&toy, 6, 32)), toy_const(&toy, 6, 32));
	toy_put(&toy, 7, x);
	toy_leave(&toy);
	expect(&toy, "b0 entry  pc 0x1000\n"
		     "  %1 = home.64 s1\n"
		     "  %20 = extract.32 %1\n"
		     "  %22 = add.32 %20, 1\n"
		     "  %5 = sx.64 %22\n"
		     "  put s3, %5\n"
		     "  %25 = add.32 %20, 3\n"
		     "  %10 = sx.64 %25\n"
		     "  put s1, %10\n"
		     "  put s5, %10\n"
		     "  %26 = zx.64 %25\n"
		     "  put s7, %26\n"
		     "  leave link 0x1000\n");
}

/* slliw a0, a1, 7; srliw a2, a1, 25; or a0, a0, a2: a rotation, whose upper half is its sign. */
static void test_rotate(void **state)
{
	Toy toy;
	SsaRef x, left, right;

	(void)state;
	toy_begin(&toy);
	x = toy_node(&toy, IR_OP_EXTRACT, 32, 0, toy_home(&toy, 1), 0, 0, 0);
	left = toy_node(&toy, IR_OP_SX, 64, 0, toy_bin(&toy, IR_OP_SHL, x, toy_const(&toy, 5, 7)), 0, 0, 0);
	right = toy_node(&toy, IR_OP_ZX, 64, 0, toy_bin(&toy, IR_OP_SHR, x, toy_const(&toy, 5, 25)), 0, 0, 0);
	toy_put(&toy, 1, toy_bin(&toy, IR_OP_OR, right, left));
	toy_put(&toy, 3, toy_bin(&toy, IR_OP_AND, left, toy_node(&toy, IR_OP_ZX, 64, 0, x, 0, 0, 0)));
	toy_leave(&toy);
	expect(&toy, "b0 entry  pc 0x1000\n"
		     "  %1 = home.64 s1\n"
		     "  %2 = extract.32 %1\n"
		     "  %4 = shl.32 %2, 7\n"
		     "  %16 = rol.32 %2, 7\n"
		     "  %17 = sx.64 %16\n"
		     "  put s1, %17\n"
		     "  %18 = and.32 %4, %2\n"
		     "  %19 = zx.64 %18\n"
		     "  put s3, %19\n"
		     "  leave link 0x1000\n");
}

static void show(const SsaFunc *func)
{
	Buf text;

	buf_init(&text);
	ssa_print(func, NULL, NULL, &text);
	fprintf(stderr, "%s", buf_text(&text));
	buf_fini(&text);
}

static void try_passes(u64 seed, bool floats)
{
	ToyRun before[4], after;
	Toy toy;

	toy_random(&toy, seed, floats, false);
	toy_verify(&toy);
	for (unsigned i = 0; i < 4; i++) {
		toy_start(&before[i], seed * 7 + i);
		toy_run(toy.func, &before[i]);
	}
	for (unsigned p = 0; p < COUNT_OF(fold); p++) {
		if (getenv("SSA_SHOW"))
			show(toy.func);
		fold[p](toy.func);
		toy_verify(&toy);
		for (unsigned i = 0; i < 4; i++) {
			toy_start(&after, seed * 7 + i);
			after.host = fold[p] == ssa_float;
			toy_run(toy.func, &after);
			if (!toy_same(&before[i], &after)) {
				show(toy.func);
				fail_msg("seed %llu, start %u: not the same behind pass %u", (unsigned long long)seed, i, p);
			}
		}
	}
	toy_end(&toy);
}

static u64 seeds = 1500, first_seed = 1;

static void test_random(void **state)
{
	(void)state;
	for (u64 seed = first_seed; seed < first_seed + seeds; seed++)
		try_passes(seed, seed % 2 == 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_rotate),
		cmocka_unit_test(test_random),
	};

	if (argc > 1)
		seeds = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
