/* SPDX-License-Identifier: MIT
 *
 * Loops with several ways in (region_turn.c): who goes where afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "jit/region_turn.h"

enum { MOST = 64 };

typedef struct Fixture {
	Arena arena;
	SsaSource sources[MOST];
	SsaRegion region;
	RegionEdge edges[4 * MOST];
	u32 insns[MOST];
	RegionTurn turn;
} Fixture;

static void begin(Fixture *f, u32 count)
{
	arena_init(&f->arena);
	for (u32 i = 0; i < count; i++) {
		f->sources[i] = (SsaSource){.pc = 0x100 + 16 * i};
		f->insns[i] = 4;
	}
	f->region = (SsaRegion){.sources = f->sources, .count = count};
	f->turn = (RegionTurn){.region = &f->region, .room = MOST, .insns = f->insns, .edges = f->edges, .arena = &f->arena};
}

static void edge(Fixture *f, u32 from, u32 to)
{
	f->edges[f->turn.edge_count++] = (RegionEdge){from, to};
}

/* As ssa_build.c has it. */
static u32 goes_to(const Fixture *f, u32 from, u64 pc)
{
	const SsaSource *source = &f->sources[from];
	u32 plain = MOST;

	for (u32 i = 0; i < source->link_count; i++)
		if (source->links[i].pc == pc)
			return source->links[i].source;
	for (u32 i = 0; i < f->region.count; i++)
		if (f->sources[i].pc == pc && f->sources[i].copy == source->copy)
			return i;
	for (u32 i = 0; i < f->region.count; i++)
		if (f->sources[i].pc == pc && !f->sources[i].copy)
			plain = i;
	return plain;
}

/* 0 -> 1 | 2;  1 -> 2;  2 -> 1 | 3: the loop is 1, 2; what comes from 0 to 2 has a 2 of its own. */
static void test_middle(void **state)
{
	Fixture f = {0};
	u32 copy;

	(void)state;
	begin(&f, 4);
	edge(&f, 0, 1);
	edge(&f, 0, 2);
	edge(&f, 1, 2);
	edge(&f, 2, 1);
	edge(&f, 2, 3);
	assert_true(region_turn(&f.turn));
	assert_int_equal(f.region.count, 5);
	copy = goes_to(&f, 0, f.sources[2].pc);
	assert_int_equal(copy, 4);
	assert_int_not_equal(f.sources[copy].copy, 0);
	assert_int_equal(goes_to(&f, copy, f.sources[1].pc), 1);
	assert_int_equal(goes_to(&f, copy, f.sources[3].pc), 3);
	assert_int_equal(goes_to(&f, 0, f.sources[1].pc), 1);
	assert_int_equal(goes_to(&f, 1, f.sources[2].pc), 2);
	assert_int_equal(f.turn.moved[2], 2);
	arena_fini(&f.arena);
}

/* Likewise: how long the rest of the loop is does not matter, but what would be there twice may not be long. */
static void test_long(void **state)
{
	(void)state;
	for (u32 longer = 1; longer <= 2; longer++) {
		Fixture f = {0};

		begin(&f, 4);
		f.insns[longer] = 200;
		edge(&f, 0, 1);
		edge(&f, 0, 2);
		edge(&f, 1, 2);
		edge(&f, 2, 1);
		edge(&f, 2, 3);
		assert_true(region_turn(&f.turn));
		assert_int_equal(f.region.count, longer == 1 ? 5 : 4);
		assert_int_equal(goes_to(&f, 0, f.sources[2].pc), longer == 1 ? 4 : 2);
		arena_fini(&f.arena);
	}
}

/* Control comes from outside the region to 2: the place is the copy's, the loop goes on elsewhere. */
static void test_landing(void **state)
{
	Fixture f = {0};
	u32 inside;

	(void)state;
	begin(&f, 3);
	f.sources[2].landing = true;
	edge(&f, 0, 1);
	edge(&f, 1, 2);
	edge(&f, 2, 1);
	assert_true(region_turn(&f.turn));
	assert_int_equal(f.region.count, 4);
	inside = f.turn.moved[2];
	assert_int_equal(inside, 3);
	assert_true(f.sources[2].landing);
	assert_false(f.sources[inside].landing);
	assert_int_equal(f.sources[inside].copy, 0);
	assert_int_equal(goes_to(&f, 1, f.sources[inside].pc), inside);
	assert_int_equal(goes_to(&f, 2, f.sources[1].pc), 1);
	arena_fini(&f.arena);
}

/* 1 -> 2 -> 3 -> 2 | 1: the inner loop has its first round ahead of it if it comes round often, and is short. */
static void test_first_round(void **state)
{
	(void)state;
	for (u32 i = 0; i < 4; i++) { /* often; unknown; seldom; long */
		Fixture f = {0};
		u32 first;

		begin(&f, 5);
		f.sources[1].heat = i == 1 ? 0 : 100;
		f.sources[3].heat = i == 2 ? 500 : 600;
		f.insns[2] = i == 3 ? 80 : 76;
		edge(&f, 0, 1);
		edge(&f, 1, 2);
		edge(&f, 2, 3);
		edge(&f, 3, 2);
		edge(&f, 3, 1);
		edge(&f, 3, 4);
		assert_true(region_turn(&f.turn));
		if (i >= 2) {
			assert_int_equal(f.region.count, 5);
			arena_fini(&f.arena);
			continue;
		}
		assert_int_equal(f.region.count, 7);
		first = goes_to(&f, 1, f.sources[2].pc);
		assert_true(first >= 5);
		assert_int_equal(goes_to(&f, 0, f.sources[1].pc), 1);
		assert_true(goes_to(&f, first, f.sources[3].pc) >= 5);
		assert_int_equal(goes_to(&f, goes_to(&f, first, f.sources[3].pc), f.sources[2].pc), 2);
		assert_int_equal(goes_to(&f, goes_to(&f, first, f.sources[3].pc), f.sources[1].pc), 1);
		assert_int_equal(goes_to(&f, goes_to(&f, first, f.sources[3].pc), f.sources[4].pc), 4);
		assert_int_equal(goes_to(&f, 3, f.sources[2].pc), 2);
		assert_int_equal(goes_to(&f, 2, f.sources[3].pc), 3);
		arena_fini(&f.arena);
	}
}

/* One way in: nothing happens. A loop inside, with two: it does. */
static void test_nested(void **state)
{
	Fixture f = {0};

	(void)state;
	begin(&f, 5);
	f.sources[1].heat = 100;
	f.sources[2].heat = f.sources[3].heat = 200;
	edge(&f, 0, 1);
	edge(&f, 1, 2);
	edge(&f, 2, 3);
	edge(&f, 3, 2);
	edge(&f, 3, 1);
	edge(&f, 3, 4);
	assert_true(region_turn(&f.turn));
	assert_int_equal(f.region.count, 5);
	edge(&f, 1, 3);
	assert_true(region_turn(&f.turn));
	assert_int_equal(f.region.count, 6);
	assert_int_equal(goes_to(&f, 1, f.sources[3].pc), 5);
	assert_int_equal(goes_to(&f, 5, f.sources[2].pc), 2);
	arena_fini(&f.arena);
}

/* for (0) { for (2) { 3, which is the head, or 4 } 5 }: the head has a copy of the round, the others have the loops as they are. */
static void test_head(void **state)
{
	static const u8 place[] = {3, 0, 1, 2, 4, 5}; /* of the source in the program */
	Fixture f = {0};
	u32 inner, at;

	(void)state;
	begin(&f, 6);
	for (u32 i = 0; i < 6; i++)
		f.sources[i].pc = 0x100 + 16 * place[i];
	edge(&f, 1, 2); /* 0 -> 1 -> 2, by their places */
	edge(&f, 2, 3);
	edge(&f, 3, 0); /* 2 -> 3 | 4 */
	edge(&f, 3, 4);
	edge(&f, 0, 3); /* 3 -> 2 | 5 */
	edge(&f, 0, 5);
	edge(&f, 4, 3); /* 4 -> 2 | 5 */
	edge(&f, 4, 5);
	edge(&f, 5, 1); /* 5 -> 0 */
	assert_true(region_turn(&f.turn));
	inner = f.turn.moved[0];
	assert_int_not_equal(inner, 0);
	assert_int_not_equal(f.sources[0].copy, 0);
	assert_int_equal(f.sources[inner].copy, 0);
	assert_int_equal(goes_to(&f, 3, f.sources[0].pc), inner);
	assert_int_equal(goes_to(&f, inner, f.sources[3].pc), 3);
	at = goes_to(&f, 0, f.sources[5].pc); /* its own, until the header */
	assert_int_not_equal(f.sources[at].copy, 0);
	assert_int_equal(goes_to(&f, at, f.sources[1].pc), 1);
	arena_fini(&f.arena);
}

/* for (1) { for (3) { .. the head, 2 } 4 }: behind the copy of the round for the head, the inner loop has its first round ahead of it. */
static void test_inside(void **state)
{
	static const u8 place[] = {2, 1, 3, 4};
	Fixture f = {0};
	u32 first, second;

	(void)state;
	begin(&f, 4);
	for (u32 i = 0; i < 4; i++)
		f.sources[i].pc = 0x100 + 16 * place[i];
	f.sources[1].heat = 100;
	f.sources[0].heat = f.sources[2].heat = 600;
	edge(&f, 1, 2); /* 1 -> 3, by their places */
	edge(&f, 2, 0); /* 3 -> 2 | 4 */
	edge(&f, 2, 3);
	edge(&f, 0, 2); /* 2 -> 3 */
	edge(&f, 3, 1); /* 4 -> 1 */
	assert_true(region_turn(&f.turn));
	assert_int_equal(f.region.count, 9);
	first = goes_to(&f, 1, f.sources[2].pc);
	assert_true(first >= 7);
	assert_int_equal(goes_to(&f, first, f.sources[3].pc), 3);
	second = goes_to(&f, first, f.sources[0].pc);
	assert_true(second >= 7);
	assert_int_equal(goes_to(&f, second, f.sources[2].pc), 2);
	assert_int_equal(goes_to(&f, 2, f.sources[0].pc), f.turn.moved[0]);
	assert_int_equal(goes_to(&f, f.turn.moved[0], f.sources[2].pc), 2);
	arena_fini(&f.arena);
}

/* Any graph: whoever walks goes by the same addresses as before, whichever sources they are. */
static void test_random(void **state)
{
	(void)state;
	for (u64 seed = 0; seed < 3000; seed++) {
		Fixture f = {0};
		Rng rng;
		u32 count, edges, around;

		rng = (Rng){seed};
		count = 2 + (u32)rng_below(&rng, 14);
		edges = 1 + (u32)rng_below(&rng, 3 * count);
		begin(&f, count);
		around = (u32)rng_below(&rng, count);
		for (u32 i = 0; i < count; i++) {
			f.sources[i].landing = rng_below(&rng, 12) == 0;
			f.sources[i].pc = 0x100 + 16 * ((i + around) % count);
		}
		for (u32 i = 0; i < edges; i++)
			edge(&f, (u32)rng_below(&rng, count), (u32)rng_below(&rng, count));
		assert_true(region_turn(&f.turn));
		assert_true(f.region.count <= MOST);
		for (u32 i = 0; i < f.region.count; i++) {
			assert_true(f.sources[i].pc < 0x100 + 16 * count);
			for (u32 e = 0; e < edges; e++)
				if (f.sources[f.edges[e].from].pc == f.sources[i].pc) {
					u64 pc = 0x100 + 16 * (u64)((f.edges[e].to + around) % count);

					assert_int_equal(f.sources[goes_to(&f, i, pc)].pc, pc);
				}
			for (u32 k = 0; k < i; k++)
				assert_false(f.sources[i].pc == f.sources[k].pc && f.sources[i].copy == f.sources[k].copy);
		}
		for (u32 i = 0; i < count; i++)
			assert_int_equal(f.sources[i].pc, 0x100 + 16 * ((i + around) % count));
		arena_fini(&f.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_middle),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_landing),
		cmocka_unit_test(test_first_round),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_inside),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
