/* SPDX-License-Identifier: MIT
 *
 * What a region asks ahead of a loop that need not come to it: whether an address that the loop does not change is in the space. Where it is
 * not, and nobody accesses it, all goes on as ever, and the region is soon made anew without asking; where somebody does, that faults.
 * Likewise what it asks of registers that may hold numbers of 32 bits.
 */
#include "jit_pair.h"

enum { A0 = 10, A1 = 11, A2 = 12, A3 = 13, A4 = 14, A5 = 15, ROUNDS = 6 };

static void make_loop(Shape *s)
{
	u32 outer, inner, over;

	memset(s, 0, sizeof *s);
	outer = s->at;
	shape_addi(s, A0, ZERO, ROUNDS);
	inner = s->at;
	shape_r(s, 0, 7, A3, A0, A2); /* and: every other round, or never */
	over = s->at;
	shape_word(s, shape_branch_word(0, A3, ZERO, 0));
	shape_i(s, 0x03, 3, A3, A1, 0); /* ld */
	shape_r(s, 0, 0, A4, A4, A3);
	shape_patch(s, over, s->at);
	shape_addi(s, A0, A0, -1);
	shape_word(s, shape_branch_word(1, A0, ZERO, (i32)(inner - s->at)));
	shape_addi(s, A5, A5, 1);
	shape_word(s, shape_jal_word(ZERO, (i32)(outer - s->at)));
}

static u64 bails(const Pair *pair)
{
	EngineStats stats = {0};

	machine_engine_stats(pair->machines[1], &stats);
	return stats.counts[ENGINE_BAIL_CROSSING];
}

static void in_vain(void **state)
{
	static Shape shape;
	Pair pair;
	u64 before;

	(void)state;
	make_loop(&shape);
	pair_open(&pair, &shape);
	pair_set(&pair, "a1", DATA);
	pair_set(&pair, "a2", 1);
	pair_run(&pair, 5000);
	before = bails(&pair);
	for (u32 turn = 0; turn < 40; turn++) { /* it is accessed, or not and is nowhere */
		pair_set(&pair, "a2", turn & 1);
		pair_set(&pair, "a1", turn & 1 ? DATA + 8 * turn : ~(u64)0 - 0xFFFF * turn);
		for (u32 budget = 1; budget < 60; budget++)
			pair_run(&pair, budget);
		pair_run(&pair, 3000);
		/* The budget may end within the loop, where what it has in a2 is another, and the access faults: on from the start. */
		pair_go(&pair, CODE);
	}
	assert_true(bails(&pair) > before);
	assert_true(bails(&pair) - before <= 64); /* 16 for each region */
	pair_set(&pair, "a2", 1);
	pair_run(&pair, 3000);
	pair_close(&pair);
}

/* a0 = (i32)(a0 - 1) until it is nothing, or a1. */
static void make_count(Shape *s)
{
	u32 outer, inner, over;

	memset(s, 0, sizeof *s);
	outer = s->at;
	shape_addi(s, A0, ZERO, ROUNDS);
	inner = s->at;
	shape_i(s, 0x1B, 0, A0, A0, -1); /* addiw */
	over = s->at;
	shape_word(s, shape_branch_word(0, A0, A1, 0));
	shape_word(s, shape_branch_word(1, A0, ZERO, (i32)(inner - s->at)));
	shape_patch(s, over, s->at);
	shape_addi(s, A5, A5, 1);
	shape_word(s, shape_jal_word(ZERO, (i32)(outer - s->at)));
}

/* What a1 is compared with are numbers: whether it is one, too, is asked ahead, and soon no more if it is not. */
static void no_number(void **state)
{
	static Shape shape;
	Pair pair;
	u64 before;

	(void)state;
	make_count(&shape);
	pair_open(&pair, &shape);
	pair_set(&pair, "a1", 2);
	pair_run(&pair, 5000);
	before = bails(&pair);
	pair_run(&pair, 5000);
	assert_true(bails(&pair) == before);
	pair_set(&pair, "a1", (u64)1 << 40 | 2);
	pair_run(&pair, 5000);
	assert_true(bails(&pair) > before);
	assert_true(bails(&pair) - before <= 64);
	before = bails(&pair);
	pair_run(&pair, 5000);
	assert_true(bails(&pair) == before);
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(in_vain), cmocka_unit_test(no_number)};

	if (!jit_is_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
