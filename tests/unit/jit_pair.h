/* SPDX-License-Identifier: MIT
 *
 * The same program on two RV64 machines, interpreted and with regions made after eight rounds: what either does must be the same.
 */
#ifndef TESTS_JIT_PAIR_H
#define TESTS_JIT_PAIR_H

#include "soak_rv64.h"

#include "jit/jit.h"
#include "jit/jit_private.h"

typedef struct Pair {
	char *text;
	Isa *isa;
	Machine *machines[2]; /* interpreted, compiled */
	u32 step;
} Pair;

static Engine *pair_engine; /* the latest one that compiles */

static Engine *pair_create_eager(const EngineEnv *env)
{
	pair_engine = jit_engine.create(env);
	if (pair_engine)
		pair_engine->hot = 8;
	return pair_engine;
}

static void pair_set(Pair *pair, const char *name, u64 value)
{
	u32 slot;
	u8 width;

	assert_true(isa_find_register(pair->isa, name, strlen(name), false, &slot, &width));
	for (u32 i = 0; i < 2; i++)
		machine_set_slot(pair->machines[i], slot, value);
}

static void pair_go(Pair *pair, u64 pc)
{
	for (u32 i = 0; i < 2; i++)
		machine_set_pc(pair->machines[i], pc);
}

static void pair_run(Pair *pair, u64 insns)
{
	MachineStop stops[2];

	for (u32 i = 0; i < 2; i++)
		stops[i] = machine_run(pair->machines[i], insns);
	compare_state(pair->machines, stops, pair->isa, 0, pair->step++);
}

/* With the code of `shape` at CODE, and the pc there. */
static void pair_open(Pair *pair, const Shape *shape)
{
	static EngineOps eager;

	*pair = (Pair){.text = read_text("src/guests/rv64/rv64.isa")};
	pair->isa = load("rv64.isa", pair->text);
	eager = jit_engine;
	eager.create = pair_create_eager;
	for (u32 i = 0; i < 2; i++) {
		Machine *machine = open_paged(pair->isa, i ? &eager : &interp_engine);

		pair->machines[i] = machine;
		for (u32 k = 0; k < shape->at; k++)
			assert_int_equal(machine_write(machine, machine_paged_space(machine), CODE + k, shape->code[k]), 0);
	}
	pair_go(pair, CODE);
}

static void pair_close(Pair *pair)
{
	for (u32 i = 0; i < 2; i++)
		machine_destroy(pair->machines[i]);
	isa_destroy(pair->isa);
	free(pair->text);
}

#endif
