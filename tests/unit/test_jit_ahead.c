/* SPDX-License-Identifier: MIT
 *
 * What a region asks ahead of a loop that need not come to it: whether an address that the loop does not change is in the space. Where it is
 * not, and nobody accesses it, all goes on as ever, and the region is soon made anew without asking; where somebody does, that faults.
 * Likewise what it asks of registers that may hold numbers of 32 bits.
 */
#include "soak_rv64.h"

#include "jit/jit.h"
#include "jit/jit_private.h"

enum { A0 = 10, A1 = 11, A2 = 12, A3 = 13, A4 = 14, A5 = 15, ROUNDS = 6 };

static Engine *create_eager(const EngineEnv *env)
{
	Engine *engine = jit_engine.create(env);

	if (engine)
		engine->hot = 8;
	return engine;
}

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

typedef struct Pair {
	char *text;
	Isa *isa;
	Machine *machines[2];
	u32 step;
} Pair;

static void set(Pair *pair, const char *name, u64 value)
{
	u32 slot;
	u8 width;

	assert_true(isa_find_register(pair->isa, name, strlen(name), false, &slot, &width));
	for (u32 i = 0; i < 2; i++)
		machine_set_slot(pair->machines[i], slot, value);
}

static void run(Pair *pair, u64 insns)
{
	MachineStop stops[2];

	for (u32 i = 0; i < 2; i++)
		stops[i] = machine_run(pair->machines[i], insns);
	compare_state(pair->machines, stops, pair->isa, 0, pair->step++);
}

static u64 bails(const Pair *pair)
{
	EngineStats stats = {0};

	machine_engine_stats(pair->machines[1], &stats);
	return stats.counts[ENGINE_BAIL_CROSSING];
}

static void open_pair(Pair *pair, const Shape *shape)
{
	static EngineOps eager;

	*pair = (Pair){.text = read_text("src/guests/rv64/rv64.isa")};
	pair->isa = load("rv64.isa", pair->text);
	eager = jit_engine;
	eager.create = create_eager;
	for (u32 i = 0; i < 2; i++) {
		Machine *machine = open_paged(pair->isa, i ? &eager : &interp_engine);

		pair->machines[i] = machine;
		for (u32 k = 0; k < shape->at; k++)
			assert_int_equal(machine_write(machine, machine_paged_space(machine), CODE + k, shape->code[k]), 0);
		machine_set_pc(machine, CODE);
	}
}

static void close_pair(Pair *pair)
{
	for (u32 i = 0; i < 2; i++)
		machine_destroy(pair->machines[i]);
	isa_destroy(pair->isa);
	free(pair->text);
}

static void in_vain(void **state)
{
	static Shape shape;
	Pair pair;
	u64 before;

	(void)state;
	make_loop(&shape);
	open_pair(&pair, &shape);
	set(&pair, "a1", DATA);
	set(&pair, "a2", 1);
	run(&pair, 5000);
	before = bails(&pair);
	for (u32 turn = 0; turn < 40; turn++) { /* it is accessed, or not and is nowhere */
		set(&pair, "a2", turn & 1);
		set(&pair, "a1", turn & 1 ? DATA + 8 * turn : ~(u64)0 - 0xFFFF * turn);
		for (u32 budget = 1; budget < 60; budget++)
			run(&pair, budget);
		run(&pair, 3000);
		/* The budget may end within the loop, where what it has in a2 is another, and the access faults: on from the start. */
		for (u32 i = 0; i < 2; i++)
			machine_set_pc(pair.machines[i], CODE);
	}
	assert_true(bails(&pair) > before);
	assert_true(bails(&pair) - before <= 64); /* 16 for each region */
	set(&pair, "a2", 1);
	run(&pair, 3000);
	close_pair(&pair);
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
	open_pair(&pair, &shape);
	set(&pair, "a1", 2);
	run(&pair, 5000);
	before = bails(&pair);
	run(&pair, 5000);
	assert_true(bails(&pair) == before);
	set(&pair, "a1", (u64)1 << 40 | 2);
	run(&pair, 5000);
	assert_true(bails(&pair) > before);
	assert_true(bails(&pair) - before <= 64);
	before = bails(&pair);
	run(&pair, 5000);
	assert_true(bails(&pair) == before);
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(in_vain), cmocka_unit_test(no_number)};

	if (!jit_is_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
