/* SPDX-License-Identifier: MIT
 *
 * A loop that calls is a region as soon as it is hot, with the place where the call comes back to as an entry. What runs behind that place
 * only later is in a region that is made later: the place is an entry of that one, from then on.
 */
#include "jit_pair.h"

enum { A0 = 10, A2 = 12, A3 = 13, BODY = 120 };

typedef struct Places {
	u64 loop, landing, behind;
} Places;

static void make_program(Shape *s, Places *places)
{
	u32 start, over, again, function;

	memset(s, 0, sizeof *s);
	function = s->at;
	for (u32 i = 0; i < BODY; i++) /* too much to be taken in */
		shape_addi(s, A0, A0, 3);
	shape_i(s, 0x67, 0, ZERO, RA, 0);
	start = s->at;
	shape_word(s, shape_jal_word(RA, (i32)(function - s->at)));
	places->loop = CODE + start;
	places->landing = CODE + s->at;
	over = s->at;
	shape_word(s, shape_branch_word(1, A2, ZERO, 0));
	shape_word(s, shape_jal_word(ZERO, (i32)(start - s->at)));
	shape_patch(s, over, s->at);
	shape_addi(s, A3, ZERO, 3);
	again = s->at;
	places->behind = CODE + again;
	shape_addi(s, A3, A3, -1);
	shape_addi(s, A0, A0, 1);
	shape_word(s, shape_branch_word(1, A3, ZERO, (i32)(again - s->at)));
	shape_word(s, shape_jal_word(ZERO, (i32)(start - s->at)));
}

static const JitRegion *region_at(u64 pc)
{
	const JitBlock *block = jit_cache_find(pair_engine, pc, 0);

	return block ? block->region : NULL;
}

static void landing(void **state)
{
	static Shape shape;
	const JitRegion *early, *late;
	Places places;
	Pair pair;

	(void)state;
	make_program(&shape, &places);
	pair_open(&pair, &shape);
	pair_go(&pair, places.loop);
	for (u32 i = 0; i < 20; i++)
		pair_run(&pair, 997);
	early = region_at(places.landing);
	assert_non_null(early);
	assert_int_equal(early->head->pc, places.loop);
	pair_set(&pair, "a2", 1);
	for (u32 i = 0; i < 20; i++)
		pair_run(&pair, 997);
	late = region_at(places.landing);
	assert_non_null(late);
	assert_ptr_not_equal(late, early);
	assert_true(late->guest_insns > early->guest_insns);
	assert_ptr_equal(region_at(places.loop), early); /* its head is its own */
	/* Either may go. */
	for (u32 i = 0; i < 2; i++)
		machine_write(pair.machines[i], machine_paged_space(pair.machines[i]), places.behind + 4, 0x13);
	assert_true(late->dead);
	assert_null(region_at(places.landing));
	for (u32 i = 0; i < 200; i++)
		pair_run(&pair, 1 + i % 50);
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(landing)};

	if (!jit_is_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
