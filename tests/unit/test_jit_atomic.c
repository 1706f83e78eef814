/* SPDX-License-Identifier: MIT
 *
 * Atomic accesses in compiled code, of both tiers, against the interpreter: each kind, of both widths, its result wanted or not and
 * into its own operands; addresses that are aligned, are not, or are nowhere; what follows a pair of lr and sc.
 */
#include "soak_rv64.h"

#include "jit/jit.h"
#include "jit/jit_private.h"

enum { A1 = 11, A2 = 12, A3 = 13, A4 = 14, A5 = 15, AMO = 0x2F, LR = 2, SC = 3 };

static u32 hot;

static Engine *create_hot(const EngineEnv *env)
{
	Engine *engine = jit_engine.create(env);

	if (engine)
		engine->hot = hot;
	return engine;
}

static void amo(Shape *s, u32 kind, u32 width, u32 rd, u32 rs1, u32 rs2)
{
	shape_word(s, kind << 27 | rs2 << 20 | rs1 << 15 | width << 12 | rd << 7 | AMO);
}

static void make_program(Shape *s)
{
	static const u8 kinds[] = {1, 0, 4, 12, 8, 16, 20, 24, 28}; /* swap, add, xor, and, or, min, max, minu, maxu */
	u32 start;

	memset(s, 0, sizeof *s);
	start = s->at;
	for (u32 width = 2; width <= 3; width++) {
		for (u32 k = 0; k < COUNT_OF(kinds); k++) {
			amo(s, kinds[k], width, A3, A1, A2);
			shape_r(s, 0, 0, A4, A4, A3);
			amo(s, kinds[k], width, ZERO, A1, A4);
			amo(s, kinds[k], width, A4, A1, ZERO);
			shape_addi(s, A5, A1, 0);
			shape_i(s, 0x13, 1, A2, A2, 1);    /* slli */
			amo(s, kinds[k], width, A2, A1, A2); /* into its operand */
			amo(s, kinds[k], width, A5, A5, A2); /* .. and its address */
			shape_addi(s, A2, A2, 77);
		}
		amo(s, LR, width, A3, A1, ZERO);
		shape_addi(s, A3, A3, 1);
		amo(s, SC, width, A4, A1, A3);
		amo(s, SC, width, A5, A1, A2); /* nothing is reserved */
		shape_r(s, 0, 0, A2, A2, A5);
		amo(s, LR, width, A3, A1, ZERO);
		shape_i(s, 0x23, 0, 0, A1, A2); /* sb a2, (a1) */
		amo(s, SC, width, ZERO, A1, A2);
	}
	shape_word(s, shape_jal_word(ZERO, (i32)(start - s->at)));
}

static void set(const Isa *isa, Machine *machines[2], const char *name, u64 value)
{
	u32 slot;
	u8 width;

	assert_true(isa_find_register(isa, name, strlen(name), false, &slot, &width));
	for (u32 i = 0; i < 2; i++)
		machine_set_slot(machines[i], slot, value);
}

static void run_all(void **state)
{
	static const u64 wrong[] = {1, 2, 4, 7};
	static Shape shape;
	EngineOps ops = jit_engine;

	ops.create = create_hot;
	make_program(&shape);
	for (hot = 8; hot; hot = hot == 8 ? 1 << 30 : 0) {
		char *text = read_text("src/guests/rv64/rv64.isa");
		Isa *isa = load("rv64.isa", text);
		Machine *machines[2] = {open_paged(isa, &interp_engine), open_paged(isa, &ops)};
		EngineStats stats = {0};
		Rng rng = {hot + 1};
		u32 step = 0;

		for (u32 i = 0; i < 2; i++)
			for (u32 k = 0; k < shape.at; k++)
				assert_int_equal(machine_write(machines[i], machine_paged_space(machines[i]), CODE + k, shape.code[k]), 0);
		for (u32 round = 0; round < 400; round++) {
			u64 at = DATA + 8 * rng_below(&rng, 1000);

			if (round % 4 == 3)
				at = round % 8 == 3 ? at + wrong[rng_below(&rng, 4)] : round % 16 == 7 ? (u64)1 << 40 : ~(u64)7;
			set(isa, machines, "a1", at);
			set(isa, machines, "a2", rng_next(&rng) >> rng_below(&rng, 64));
			set(isa, machines, "a4", rng_next(&rng));
			for (u32 i = 0; i < 2; i++)
				machine_set_pc(machines[i], CODE);
			for (u32 slice = 0; slice < 4; slice++) {
				u64 budget = rng_below(&rng, 4) ? 1 + rng_below(&rng, 100) : 2000;
				MachineStop stops[2];

				for (u32 i = 0; i < 2; i++)
					stops[i] = machine_run(machines[i], budget);
				compare_state(machines, stops, isa, round, step++);
			}
		}
		machine_engine_stats(machines[1], &stats);
		assert_int_equal(stats.counts[ENGINE_BAIL_ATOMIC], 0);
		assert_true(hot > 8 || stats.counts[ENGINE_REGION_INSNS]);
		for (u32 i = 0; i < 2; i++)
			machine_destroy(machines[i]);
		isa_destroy(isa);
		free(text);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(run_all)};

	if (!jit_is_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
