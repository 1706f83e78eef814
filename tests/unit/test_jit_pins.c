/* SPDX-License-Identifier: MIT
 *
 * Which slots the compiler holds in registers once it knows what is hot, and that the counters go on behind that.
 */
#include "paged_random.h"

#include "jit/jit.h"
#include "jit/jit_private.h"

enum { ZERO, SP = 2, T0 = 5, T1 = 6, S0 = 8, A0 = 10, A2 = 12, A3 = 13, A4 = 14, A5 = 15, S2 = 18, S5 = 21, S6 = 22, S7 = 23, S8 = 24, S9 = 25 };

typedef struct Code {
	Machine *machine;
	u64 at;
} Code;

static void word(Code *code, u32 value)
{
	for (u32 i = 0; i < 4; i++)
		machine_write(code->machine, machine_paged_space(code->machine), code->at++, value >> 8 * i & 0xFF);
}

static void add(Code *code, u32 rd, u32 one, u32 two)
{
	word(code, 0x33 | rd << 7 | one << 15 | two << 20);
}

static void jump(Code *code, u64 to)
{
	u32 by = (u32)(to - code->at);

	word(code, 0x6F | (by & 0xFF000) | (by >> 11 & 1) << 20 | (by >> 1 & 0x3FF) << 21 | (by >> 20 & 1) << 31);
}

static void store(Code *code, u32 value, u32 base, u32 at)
{
	word(code, 0x3023 | (at & 31) << 7 | base << 15 | value << 20 | at >> 5 << 25);
}

static void load_word(Code *code, u32 rd, u32 base, u32 at)
{
	word(code, 0x3003 | rd << 7 | base << 15 | at << 20);
}

static bool holds(const Engine *engine, u32 reg)
{
	return engine->pin_of[reg + 1] != JIT_NO_PIN;
}

static const u32 hot_ones[] = {S5, S6, S7, S8, S9, T0, T1};

/* What runs once names a0 and a few others a hundred times; what is hot computes with seven, and saves and restores s2. */
static Machine *open_hot(const Isa *isa, const EngineOps *ops)
{
	Machine *machine = open_paged(isa, ops);
	Code code = {machine, CODE};
	u64 loop;

	for (u32 i = 0; i < 100; i++)
		add(&code, A0 + i % 6, A0, A5);
	loop = code.at;
	for (u32 i = 0; i < 2 * COUNT_OF(hot_ones); i++)
		add(&code, hot_ones[i % COUNT_OF(hot_ones)], hot_ones[i % COUNT_OF(hot_ones)], hot_ones[(i + 1) % COUNT_OF(hot_ones)]);
	store(&code, S2, SP, 64);
	load_word(&code, S2, SP, 64);
	jump(&code, loop);
	for (u32 reg = 1; reg < 32; reg++)
		machine_set_slot(machine, reg + 1, reg);
	machine_set_slot(machine, SP + 1, DATA);
	machine_set_pc(machine, CODE);
	return machine;
}

enum { LOOP = CODE + 400, ROUND = 17 };

static void hot_decides(void **state)
{
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	Machine *machines[2];
	MachineStop stops[2];
	const JitBlock *loop;
	Engine *engine;

	(void)state;
	hard_after = ~(u64)0; /* making a space hard forgets what was counted */
	machines[0] = open_hot(isa, &interp_engine);
	machines[1] = open_hot(isa, &jit_engine);
	engine = machines[1]->engine;
	for (u32 i = 0; i < 2; i++)
		stops[i] = machine_run(machines[i], 100 + 1000 * ROUND);
	compare_state(machines, stops, isa, 1, 0);
	assert_true(!engine->settled && holds(engine, A5) && holds(engine, SP) && jit_park_of(engine, S2 + 1) == JIT_NO_PIN);
	loop = jit_cache_find(engine, LOOP, engine->context);
	assert_true(loop && loop->counter);
	assert_in_range(*loop->counter, JIT_HOT / 2 - 1000, JIT_HOT / 2 - 980);

	for (u32 i = 0; i < 2; i++)
		stops[i] = machine_run(machines[i], JIT_HOT / 2 * ROUND);
	compare_state(machines, stops, isa, 1, 1);
	assert_true(engine->settled && engine->stats.counts[ENGINE_FLUSHED_PINS]);
	for (u32 i = 0; i < COUNT_OF(hot_ones); i++)
		assert_true(holds(engine, hot_ones[i]));
	assert_true(jit_park_of(engine, S2 + 1) != JIT_NO_PIN);
	/* The loop was thrown away, and counts on: half of it was done. */
	loop = jit_cache_find(engine, LOOP, engine->context);
	assert_true(loop && loop->counter && !loop->region);
	assert_in_range(*loop->counter, JIT_HOT / 2 - 1000, JIT_HOT / 2 - 960);

	for (u32 i = 0; i < 2; i++)
		stops[i] = machine_run(machines[i], JIT_HOT / 2 * ROUND);
	compare_state(machines, stops, isa, 1, 2);
	loop = jit_cache_find(engine, LOOP, engine->context);
	assert_true(loop && loop->region);
	machine_destroy(machines[0]);
	machine_destroy(machines[1]);
	isa_destroy(isa);
	free(text);
}

/* Registers that are as good as any stay, and all code with them. */
static void held_stays(void **state)
{
	static const u32 held[] = {A5, A4, SP, A0, S0, A3, A2};
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	const JitBlock *loop;
	Machine *machine;
	Engine *engine;
	Code code;

	(void)state;
	hard_after = ~(u64)0;
	machine = open_paged(isa, &jit_engine);
	engine = machine->engine;
	code = (Code){machine, CODE};
	for (u32 i = 0; i < COUNT_OF(held); i++)
		add(&code, held[i], held[i], held[(i + 1) % COUNT_OF(held)]);
	for (u32 i = 0; i < COUNT_OF(hot_ones); i++) /* what is only read is worth less than what is written, too */
		add(&code, ZERO, hot_ones[i], held[i]);
	jump(&code, CODE);
	machine_set_pc(machine, CODE);
	machine_run(machine, (JIT_HOT / 2 + 100) * 15);
	assert_true(engine->settled && !engine->stats.counts[ENGINE_FLUSHED_PINS]);
	for (u32 i = 0; i < COUNT_OF(held); i++)
		assert_true(holds(engine, held[i]));
	loop = jit_cache_find(engine, CODE, engine->context);
	assert_true(loop && loop->counter && !loop->region);
	assert_in_range(*loop->counter, JIT_HOT / 2 - 110, JIT_HOT / 2 - 80);
	machine_destroy(machine);
	isa_destroy(isa);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(hot_decides), cmocka_unit_test(held_stays)};

	if (!jit_is_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
