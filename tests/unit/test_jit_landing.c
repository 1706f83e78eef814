/* SPDX-License-Identifier: MIT
 *
 * A loop that calls is a region as soon as it is hot, with the place where the call comes back to as an entry. What runs behind that place
 * only later is in a region that is made later: the place is an entry of that one, from then on.
 */
#include "soak_rv64.h"

#include "jit/jit.h"
#include "jit/jit_private.h"

enum { A0 = 10, A2 = 12, A3 = 13, BODY = 120 };

static Engine *made;

static Engine *create_eager(const EngineEnv *env)
{
	made = jit_engine.create(env);
	if (made)
		made->hot = 8;
	return made;
}

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
	const JitBlock *block = jit_cache_find(made, pc, 0);

	return block ? block->region : NULL;
}

static void run(Machine *machines[2], const Isa *isa, u64 insns, u32 step)
{
	MachineStop stops[2];

	for (u32 i = 0; i < 2; i++)
		stops[i] = machine_run(machines[i], insns);
	compare_state(machines, stops, isa, 0, step);
}

static void landing(void **state)
{
	static Shape shape;
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	EngineOps eager = jit_engine;
	Machine *machines[2];
	const JitRegion *early, *late;
	Places places;
	u32 slot, step = 0;
	u8 width;

	(void)state;
	eager.create = create_eager;
	make_program(&shape, &places);
	assert_true(isa_find_register(isa, "a2", 2, false, &slot, &width));
	for (u32 i = 0; i < 2; i++) {
		machines[i] = open_paged(isa, i ? &eager : &interp_engine);
		for (u32 k = 0; k < shape.at; k++)
			assert_int_equal(machine_write(machines[i], machine_paged_space(machines[i]), CODE + k, shape.code[k]), 0);
		machine_set_pc(machines[i], places.loop);
	}
	for (u32 i = 0; i < 20; i++)
		run(machines, isa, 997, step++);
	early = region_at(places.landing);
	assert_non_null(early);
	assert_int_equal(early->head->pc, places.loop);
	for (u32 i = 0; i < 2; i++)
		machine_set_slot(machines[i], slot, 1);
	for (u32 i = 0; i < 20; i++)
		run(machines, isa, 997, step++);
	late = region_at(places.landing);
	assert_non_null(late);
	assert_ptr_not_equal(late, early);
	assert_true(late->guest_insns > early->guest_insns);
	assert_ptr_equal(region_at(places.loop), early); /* its head is its own */
	/* Either may go. */
	machine_write(machines[0], machine_paged_space(machines[0]), places.behind + 4, 0x13);
	machine_write(machines[1], machine_paged_space(machines[1]), places.behind + 4, 0x13);
	assert_true(late->dead);
	assert_null(region_at(places.landing));
	for (u32 i = 0; i < 200; i++)
		run(machines, isa, 1 + i % 50, step++);
	for (u32 i = 0; i < 2; i++)
		machine_destroy(machines[i]);
	isa_destroy(isa);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(landing)};

	if (!jit_is_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
