/* SPDX-License-Identifier: MIT
 *
 * The compiler gives what the interpreter gives: on machines of all shapes (engines.h), and on RV64GC in a paged space,
 * where it compiles most: random code with loads, stores (into code, too), branches, calls and floats, in slices of
 * random length; after each the registers, the count, the reason to stop and all of memory are equal.
 *
 *     test_jit [ROUNDS [SEED]]     of the random RV64GC code
 */
#include "paged_random.h"

#include <sys/resource.h>

#include "jit/jit.h"
#include "jit/jit_private.h"

#ifdef __SANITIZE_ADDRESS__
static u64 wanted_rounds = 60, first_seed = 1;
#else
static u64 wanted_rounds = 150, first_seed = 1;
#endif

static const EngineOps *const both[] = {&interp_engine, &jit_engine};

/* Blocks are hot at once. */
static Engine *create_eager(const EngineEnv *env)
{
	Engine *engine = jit_engine.create(env);

	if (engine)
		engine->hot = 2;
	return engine;
}

static void random_programs(void **state)
{
	EngineOps eager = jit_engine;
	const EngineOps *const engines[] = {&interp_engine, &jit_engine, &eager};

	(void)state;
	eager.create = create_eager;
	for (u64 seed = 1; seed <= 6; seed++) {
		try_engines(engines, 3, "toy", toy_isa, seed);
		for (u32 i = 0; i < sizeof machine_paths / sizeof *machine_paths; i++) {
			char *text = read_text(machine_paths[i]);

			try_engines(engines, 3, machine_paths[i], text, seed);
			free(text);
		}
	}
}

static void random_rv64(void **state)
{
	char *text = read_text("src/guests/rv64/rv64.isa");
	EngineOps eager = jit_engine;
	const EngineOps *const regions[] = {&interp_engine, &eager};

	(void)state;
	eager.create = create_eager;
	random_paged(both, "rv64.isa", text, first_seed, wanted_rounds);
	random_paged(regions, "rv64.isa", text, first_seed, wanted_rounds);
	free(text);
}

static void random_odd(void **state)
{
	(void)state;
	random_paged(both, "odd.isa", odd_isa, first_seed, wanted_rounds);
}

/* More slots are named than there are general registers: the others are parked, also some of 5 bits. */
static void random_parked(void **state)
{
	static const char *const pins[] = {"pin r0-r5 fm r6 r7 fl\n", "pin r0-r6 fm fl r7\n"};
	EngineOps eager = jit_engine;
	const EngineOps *const regions[] = {&interp_engine, &eager};

	(void)state;
	eager.create = create_eager;
	for (unsigned i = 0; i < COUNT_OF(pins); i++) {
		char text[sizeof odd_isa + 64];

		snprintf(text, sizeof text, "%s%s", odd_isa, pins[i]);
		random_paged(both, "odd.isa", text, first_seed, wanted_rounds);
		random_paged(regions, "odd.isa", text, first_seed, wanted_rounds);
	}
}

/* What is rare otherwise: a full code cache, blocks and halves of it that go at any time, one map for code. */
static void hard_modes(void **state)
{
	static const EngineOptions modes[] = {{.code_cache = 1}, {.evict = 3}, {.evict = 40, .code_cache = 1, .switch_rights = true}};
	char *text = read_text("src/guests/rv64/rv64.isa");
	u64 rounds = wanted_rounds;

	(void)state;
	for (u32 i = 0; i < sizeof modes / sizeof *modes; i++) {
		engine_options = &modes[i];
		wanted_rounds = rounds / 6 + 1;
		random_paged(both, "rv64.isa", text, first_seed, wanted_rounds);
		first_seed += wanted_rounds;
	}
	engine_options = NULL;
	wanted_rounds = rounds;
	free(text);
}

/* ---- Address spaces that share what they compile ---- */

static void compare_spaces(Machine *const *machines, const MachineStop *stops, const Isa *isa, u32 spaces, u64 round, u32 step)
{
	compare_state(machines, stops, isa, round, step);
	for (u32 space = 1; space < spaces; space++)
		for (u64 page = CODE; page < DATA + LATE_BYTES; page += SPACE_PAGE) {
			const u8 *one = machine_page_bytes(machines[0], space, page);
			const u8 *other = machine_page_bytes(machines[1], space, page);

			if (!one != !other || (one && memcmp(one, other, SPACE_PAGE) != 0))
				fail_msg("round %llu step %u: memory of space %u, page %llx", (unsigned long long)round, step, space,
					 (unsigned long long)page);
		}
}

/* Something happens to the code of one of them alone. */
static void change_space(Machine *machine, u32 space, u32 what, u64 pc, u64 page, u64 bytes)
{
	if (what == 0)
		machine_pages_protect(machine, space, page, SPACE_PAGE, ATTR_READ | ATTR_WRITE);
	if (what == 1 || what == 2)
		machine_pages_protect(machine, space, page, SPACE_PAGE, ATTR_RIGHTS);
	if (what == 3)
		machine_copy_out(machine, space, pc, &bytes, 4);
}

/* Forks that go their own ways: most of their code is the same, some of it changes in one of them, some loses the right to
 * be executed. */
static void shared(void **state)
{
	static const EngineOptions modes[] = {{0}, {.evict = 200}, {.code_cache = 1, .switch_rights = true}};
	enum { SPACES = 4, FEW = 16, FIRST = 100 };
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	u64 rounds = wanted_rounds / 6 + 1, taken = 0;

	(void)state;
	for (u64 round = 1; round <= rounds; round++) {
		Machine *machines[2];
		MachineStop stops[2];
		Rng rng = {round};
		EngineStats stats;

		hard_after = round % 2 ? ~(u64)0 : 4000;
		engine_options = &modes[round % 3];
		for (unsigned i = 0; i < 2; i++) {
			Rng same = {round * 77};

			machines[i] = open_paged(isa, both[i]);
			fill_code(machines[i], isa, &same);
		}
		for (u32 step = 0; step < STEPS * FEW; step++) {
			u64 insns = rng_below(&rng, 400) + 1, pc = CODE + (rng_below(&rng, CODE_BYTES) & ~63u), key = rng_next(&rng);
			u32 space = step < FIRST ? 0 : (u32)rng_below(&rng, SPACES), what = (u32)rng_below(&rng, 60), child;

			for (unsigned i = 0; i < 2; i++) {
				Rng same = {key};
				u64 page = CODE + (rng_below(&same, CODE_BYTES) & ~(u64)(SPACE_PAGE - 1));

				if (step == FIRST && i)
					jit_settle(machines[i]->engine); /* as it does when more code is known */
				for (u32 n = 1; step == FIRST && n < SPACES; n++)
					assert_int_equal(machine_aspace_fork(machines[i], 0, &child), STATUS_OK);
				machine_vcpu_set_aspace(machines[i], 0, space);
				change_space(machines[i], space, what, pc, page, key);
				machine_set_pc(machines[i], pc);
				stir(machines[i], isa, &same, false);
				stops[i] = machine_run(machines[i], insns);
			}
			if (step % FEW == 0 || stops[0].kind != stops[1].kind)
				compare_spaces(machines, stops, isa, step < FIRST ? 1 : SPACES, round, step);
		}
		machine_engine_stats(machines[1], &stats);
		taken += stats.counts[ENGINE_SHARED_BLOCKS];
		machine_destroy(machines[0]);
		machine_destroy(machines[1]);
	}
	engine_options = NULL;
	hard_after = 1;
	assert_true(taken > 100 * rounds);
	isa_destroy(isa);
	free(text);
}

/* The same run cut at every instruction. */
static void every_stop(void **state)
{
	enum { STOPS = 2000 };
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	Machine *machines[2];

	(void)state;
	hard_after = 1;
	for (unsigned i = 0; i < 2; i++)
		machines[i] = open_paged(isa, both[i]);
	for (u64 k = 1; k <= STOPS; k++) {
		MachineStop stops[2];

		for (unsigned i = 0; i < 2; i++) {
			Rng same = {k / 100 + 1};
			u64 end = machine_icount(machines[i]) + k, ends = 0;

			if (k % 100 == 1)
				fill_code(machines[i], isa, &same);
			stir(machines[i], isa, &same, false);
			machine_set_pc(machines[i], CODE);
			stops[i] = machine_run(machines[i], k);
			for (; stops[i].kind != STOP_BUDGET && ends < 50; ends++) { /* behind what ended it */
				machine_set_pc(machines[i], CODE + (same.state + 2 * ends) % CODE_BYTES / 2 * 2);
				stops[i] = machine_run(machines[i], end - machine_icount(machines[i]));
			}
		}
		compare_state(machines, stops, isa, k, 0);
	}
	machine_destroy(machines[0]);
	machine_destroy(machines[1]);
	isa_destroy(isa);
	free(text);
}

/* ---- Code changes, by every door ---- */

/* What the function at CODE gives in a0: an instruction of it is changed again and again. */
static const u32 function[] = {
	0x00150513, /* addi a0, a0, 1: this one changes */
	0x00360613, /* addi a2, a2, 3 */
	0xFF9FF06F, /* j -8 */
};

static u32 adds(u32 number)
{
	return 0x00050513 | number << 20;
}

static void put_word(Machine *machine, u64 address, u32 word)
{
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(machine_write(machine, machine_paged_space(machine), address + i, word >> 8 * i & 0xFF), 0);
}

static void put_function(Machine *machine, u64 address)
{
	for (u32 i = 0; i < sizeof function / sizeof *function; i++)
		put_word(machine, address + 4 * i, function[i]);
}

static u32 slot_named(const Machine *machine, const char *name)
{
	u32 slot = 0;
	u8 width;

	assert_true(isa_find_register(machine_isa(machine), name, strlen(name), false, &slot, &width));
	return slot;
}

/* Both tiers have code of it: slices of 2 are too short for a block. a0 has grown by `each` for each of three. */
static void run_function(Machine *machine, u64 address, u32 each)
{
	u32 a0 = slot_named(machine, "a0");

	for (u32 slice = 0; slice < 2; slice++) {
		u64 before = machine_slot(machine, a0);

		machine_set_pc(machine, address);
		for (u32 i = 0; i < (slice ? 1u : 6u); i++)
			assert_int_equal(machine_run(machine, slice ? 18 : 3).kind, STOP_BUDGET);
		assert_int_equal(machine_slot(machine, a0) - before, 6 * each);
	}
}

/* Who is jumped back to, or called, is counted: entries are what the counter says, and at zero it is hot. */
static void counted(void **state)
{
	static const u32 code[] = {
		0x00150513, /* 0: addi a0, a0, 1 */
		0x008000EF, /* 4: jal 12, a call */
		0xFF9FF06F, /* 8: j 0 */
		0x00160613, /* 12: addi a2, a2, 1 */
		0x00008067, /* 16: ret */
	};
	enum { ROUND = 5 };
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	const JitBlock *head, *callee, *back;
	Machine *machine;
	Engine *engine;

	(void)state;
	hard_after = ~(u64)0; /* making a space hard forgets what was counted */
	machine = open_paged(isa, &jit_engine);
	engine = machine->engine;
	for (u32 i = 0; i < sizeof code / sizeof *code; i++)
		put_word(machine, CODE + 4 * i, code[i]);
	machine_set_pc(machine, CODE);
	machine_run(machine, 500 * ROUND);
	head = jit_cache_find(engine, CODE, engine->context);
	callee = jit_cache_find(engine, CODE + 12, engine->context);
	back = jit_cache_find(engine, CODE + 8, engine->context);
	assert_true(head && head->counter && callee && callee->counter && back && !back->counter);
	assert_in_range(*head->counter, JIT_HOT / 2 - 500, JIT_HOT / 2 - 490);
	assert_in_range(*callee->counter, JIT_HOT / 2 - 500, JIT_HOT / 2 - 490);
	machine_run(machine, (JIT_HOT / 2 + 100) * ROUND); /* half way registers settle: the other half is still to go, flush or not */
	head = jit_cache_find(engine, CODE, engine->context);
	assert_true(engine->settled && head && head->counter && !head->region);
	assert_in_range(*head->counter, JIT_HOT / 2 - 610, JIT_HOT / 2 - 580);
	machine_run(machine, 3 * JIT_HOT * ROUND); /* now there are regions for them, or there is nothing better .. */
	head = jit_cache_find(engine, CODE, engine->context);
	callee = jit_cache_find(engine, CODE + 12, engine->context);
	assert_true(head->region || *head->counter == JIT_NEVER);
	/* .. or the head was hot a moment earlier, and its region took the other in. */
	assert_true(callee->region || *callee->counter == JIT_NEVER || (head->region && *callee->counter < 10));
	machine_run(machine, 600 * ROUND);
	assert_int_equal(machine_slot(machine, slot_named(machine, "a0")), machine_slot(machine, slot_named(machine, "a2")));
	machine_destroy(machine);
	isa_destroy(isa);
	free(text);
}

/* Nothing is compiled while a program may wait for its end: it runs as ever, and is compiled afterwards. */
static void waits(void **state)
{
	static const u32 code[] = {
		0x00150513, /* addi a0, a0, 1 */
		0x00258593, /* addi a1, a1, 2 */
		0xFF9FF06F, /* j -8 */
	};
	enum { ROUND = 3, ROUNDS = 100 };
	static const EngineOptions patient = {.waits = ROUND * ROUNDS, .hard_after = ~(u64)0};
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	EngineStats stats;
	Machine *machine;

	(void)state;
	engine_options = &patient;
	machine = open_paged(isa, &jit_engine);
	for (u32 i = 0; i < sizeof code / sizeof *code; i++)
		put_word(machine, CODE + 4 * i, code[i]);
	machine_set_pc(machine, CODE);
	machine_run(machine, (ROUNDS + JIT_FIRST_RUNS_YOUNG) * ROUND);
	machine_engine_stats(machine, &stats);
	assert_int_equal(stats.counts[ENGINE_FIRSTS], ROUNDS + JIT_FIRST_RUNS_YOUNG);
	assert_int_equal(stats.counts[ENGINE_BASE_BLOCKS], 0);
	machine_run(machine, 10 * ROUND);
	machine_engine_stats(machine, &stats);
	assert_int_equal(stats.counts[ENGINE_FIRSTS], ROUNDS + JIT_FIRST_RUNS_YOUNG);
	assert_int_equal(stats.counts[ENGINE_BASE_BLOCKS], 1);
	assert_int_equal(machine_slot(machine, slot_named(machine, "a0")), ROUNDS + JIT_FIRST_RUNS_YOUNG + 10);
	assert_int_equal(machine_icount(machine), (ROUNDS + JIT_FIRST_RUNS_YOUNG + 10) * ROUND);
	engine_options = NULL;
	machine_destroy(machine);
	isa_destroy(isa);
	free(text);
}

/* Code that runs once is not translated, whatever it does, and what is not done like that is left to others with nothing done. */
static void walked(void **state)
{
	static const u32 code[] = {
		0x00001537, /*  0: lui a0, 1 */
		0x80050593, /*  4: addi a1, a0, -2048 */
		0x00B50633, /*  8: add a2, a0, a1 */
		0x02B606B3, /* 12: mul a3, a2, a1 */
		0x00000717, /* 16: auipc a4, 0 */
		0x10D73023, /* 20: sd a3, 256(a4) */
		0x10472783, /* 24: lw a5, 260(a4) */
		0x10076803, /* 28: lwu a6, 256(a4) */
		0x02084463, /* 32: blt a6, zero, 40: not taken */
		0x008008EF, /* 36: jal a7, 44 */
		0x00100513, /* 40: addi a0, zero, 1: passed over */
		0x02C6D933, /* 44: divu s2, a3, a2 */
		0x4036D993, /* 48: srai s3, a3, 3 */
		0x00D739B3, /* 52: sltu s3, a4, a3 */
		0x00000A03, /* 56: lb s4, 0(zero): nothing lies there */
	};
	enum { DONE = 13 };
	static const EngineOptions soft = {.hard_after = ~(u64)0};
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	Machine *machines[2];
	EngineStats stats;

	(void)state;
	engine_options = &soft;
	for (unsigned i = 0; i < 2; i++) {
		machines[i] = open_paged(isa, both[i]);
		for (u32 k = 0; k < sizeof code / sizeof *code; k++)
			put_word(machines[i], CODE + 4 * k, code[k]);
		machine_set_pc(machines[i], CODE);
		assert_int_equal(machine_run(machines[i], DONE).kind, STOP_BUDGET);
		assert_int_equal(machine_pc(machines[i]), CODE + 56);
	}
	machine_engine_stats(machines[1], &stats);
	assert_int_equal(stats.counts[ENGINE_TRANSLATIONS], 0);
	assert_int_equal(stats.counts[ENGINE_FIRSTS], 3);
	for (u32 slot = 0; slot < isa->slot_count; slot++)
		assert_int_equal(machine_slot(machines[0], slot), machine_slot(machines[1], slot));
	for (unsigned i = 0; i < 2; i++) {
		machine_run(machines[i], 2);
		assert_int_equal(machine_slot(machines[i], slot_named(machines[i], "s2")), machine_slot(machines[i], slot_named(machines[i], "a1")));
	}
	assert_int_equal(machine_icount(machines[0]), machine_icount(machines[1]));
	assert_int_equal(machine_pc(machines[0]), machine_pc(machines[1]));
	engine_options = NULL;
	machine_destroy(machines[0]);
	machine_destroy(machines[1]);
	isa_destroy(isa);
	free(text);
}

/* What is equal raises its flags again when they have been cleared; and only those that it should: a number from 2^64 on is
 * invalid, and not inexact as well. */
static void raised_again(void **state)
{
	static const u32 code[] = {
		0xC23515D3, /* fcvt.lu.d a1, fa0, rtz */
		0x00101673, /* csrrw a2, fflags, zero */
		0xC23516D3, /* fcvt.lu.d a3, fa0, rtz */
		0x00101773, /* csrrw a4, fflags, zero */
		0xFF1FF06F, /* j -16 */
	};
	static const u64 numbers[] = {
		0x7FF8000000000000, 0x791A446FF0D6B736, 0x43F0000000000000, 0x43EFFFFFFFFFFFFF, 0x43E0000000000000, 0x4004000000000000,
		0xBFE0000000000000, 0xBFF0000000000000, 0xC3E0000000000000, 0x7FF0000000000000, 0x3FF0000000000000,
	};
	static const u8 flags[] = {16, 16, 16, 0, 0, 1, 1, 16, 16, 16, 0};
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	EngineOps eager = jit_engine;
	const EngineOps *const engines[] = {&interp_engine, &jit_engine, &eager};

	(void)state;
	eager.create = create_eager;
	for (u32 e = 0; e < COUNT_OF(engines); e++) {
		Machine *machine = open_paged(isa, engines[e]);

		for (u32 i = 0; i < COUNT_OF(code); i++)
			put_word(machine, CODE + 4 * i, code[i]);
		for (u32 i = 0; i < COUNT_OF(numbers); i++) {
			machine_set_slot(machine, slot_named(machine, "fa0"), numbers[i]);
			machine_set_pc(machine, CODE);
			machine_run(machine, 200 * COUNT_OF(code));
			assert_int_equal(machine_slot(machine, slot_named(machine, "a2")), flags[i]);
			assert_int_equal(machine_slot(machine, slot_named(machine, "a4")), flags[i]);
			assert_int_equal(machine_slot(machine, slot_named(machine, "a1")), machine_slot(machine, slot_named(machine, "a3")));
		}
		machine_destroy(machine);
	}
	isa_destroy(isa);
	free(text);
}

/* A sum that is in a signalling NaN when its loop is entered, and not gone round: nobody has computed with it, so nothing is invalid. */
static void asked_quietly(void **state)
{
	static const u32 code[] = {
		0x00058863, /* 0: beqz a1, 16 */
		0x02B57553, /* 4: fadd.d fa0, fa0, fa1 */
		0xFFF58593, /* 8: addi a1, a1, -1 */
		0xFF5FF06F, /* 12: j 0 */
		0x0000006F, /* 16: j 16 */
	};
	static const u64 numbers[] = {
		0x7FF0000000000001, 0xFFF4000000000000, 0x7FF8000000000001, 0x7FF8000000000000, 0xFFF8000000000000, 0x7FF0000000000000,
	};
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	EngineOps eager = jit_engine;
	Machine *machines[2];
	MachineStop stops[2];

	(void)state;
	eager.create = create_eager;
	for (u32 i = 0; i < 2; i++) {
		machines[i] = open_paged(isa, i ? &eager : &interp_engine);
		for (u32 k = 0; k < COUNT_OF(code); k++)
			put_word(machines[i], CODE + 4 * k, code[k]);
	}
	for (u32 rounds = 0; rounds < 2; rounds++)
		for (u32 n = 0; n < COUNT_OF(numbers); n++) {
			for (u32 i = 0; i < 2; i++) {
				machine_set_slot(machines[i], slot_named(machines[i], "fa0"), 0);
				machine_set_slot(machines[i], slot_named(machines[i], "a1"), 500);
				machine_set_pc(machines[i], CODE);
				machine_run(machines[i], 3000);
				machine_set_slot(machines[i], slot_named(machines[i], "fflags"), 0);
				machine_set_slot(machines[i], slot_named(machines[i], "fa0"), numbers[n]);
				machine_set_slot(machines[i], slot_named(machines[i], "a1"), rounds);
				machine_set_pc(machines[i], CODE);
				stops[i] = machine_run(machines[i], 20);
			}
			compare_state(machines, stops, isa, rounds, n);
		}
	machine_destroy(machines[0]);
	machine_destroy(machines[1]);
	isa_destroy(isa);
	free(text);
}

/* Slots that are parked in vector registers, as operands of what commutes: nobody reads their memory. */
static void parked_operands(void **state)
{
	static const u32 code[] = {
		0x01C000EF, /* 0: jal 28 */
		0x001A0A13, /* 4: addi s4, s4, 1 */
		0x003A8A93, /* 8: addi s5, s5, 3 */
		0x005B0B13, /* 12: addi s6, s6, 5 */
		0x00750513, /* 16: addi a0, a0, 7 */
		0xFEDFF06F, /* 20: j 0 */
		0x0000006F, /* 24: j 24 */
		0xFFF54313, /* 28: not t1, a0 */
		0x006A73B3, /* 32: and t2, s4, t1 */
		0xFFF3C393, /* 36: not t2, t2 */
		0x007AE3B3, /* 40: or t2, s5, t2 */
		0x00139393, /* 44: slli t2, t2, 1 */
		0x027B0333, /* 48: mul t1, s6, t2 */
		0x006E8EB3, /* 52: add t4, t4, t1 */
		0x00008067, /* 56: ret */
	};
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	EngineOptions small = {.region = 1};
	Machine *machines[2];
	MachineStop stops[2];

	(void)state;
	for (u32 round = 0; round < 2; round++) {
		EngineOps eager = jit_engine;

		eager.create = create_eager;
		engine_options = round ? &small : NULL;
		for (u32 i = 0; i < 2; i++) {
			machines[i] = open_paged(isa, i ? &eager : &interp_engine);
			for (u32 k = 0; k < COUNT_OF(code); k++)
				put_word(machines[i], CODE + 4 * k, code[k]);
			machine_set_slot(machines[i], slot_named(machines[i], "a0"), 7);
			machine_set_pc(machines[i], CODE);
		}
		engine_options = NULL;
		for (u32 step = 0; step < 300; step++) {
			for (u32 i = 0; i < 2; i++)
				stops[i] = machine_run(machines[i], step % 97 + 1);
			compare_state(machines, stops, isa, round, step);
		}
		machine_destroy(machines[0]);
		machine_destroy(machines[1]);
	}
	isa_destroy(isa);
	free(text);
}

/* A loop that is entered at its top and in its middle, with sums that one entry alone has computed before; left, and cut, at every
 * instruction: what a region has moved out of it, and what its charges say, are there at each stop. */
static void two_entries(void **state)
{
	static const u32 code[] = {
		0x00187293, /* 0: andi t0, a6, 1 */
		0x00500513, /* 4: li a0, 5 */
		0x00028663, /* 8: beqz t0, 20 */
		0x02F78733, /* 12: mul a4, a5, a5 */
		0x00E686B3, /* 16: add a3, a3, a4 */
		0x00063583, /* 20: ld a1, 0(a2) */
		0x02B788B3, /* 24: mul a7, a5, a1 */
		0x011686B3, /* 28: add a3, a3, a7 */
		0x00D63423, /* 32: sd a3, 8(a2) */
		0xFFF50513, /* 36: addi a0, a0, -1 */
		0xFE0512E3, /* 40: bnez a0, 12 */
		0x00180813, /* 44: addi a6, a6, 1 */
		0x00D7C7B3, /* 48: xor a5, a5, a3 */
		0xFCDFF06F, /* 52: j 0 */
	};
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	EngineOps eager = jit_engine;
	Machine *machines[2];
	MachineStop stops[2];
	EngineStats stats;

	(void)state;
	eager.create = create_eager;
	for (u32 i = 0; i < 2; i++) {
		machines[i] = open_paged(isa, i ? &eager : &interp_engine);
		for (u32 k = 0; k < COUNT_OF(code); k++)
			put_word(machines[i], CODE + 4 * k, code[k]);
		machine_set_slot(machines[i], slot_named(machines[i], "a2"), DATA);
		machine_set_pc(machines[i], CODE);
		stops[i] = machine_run(machines[i], 3000);
	}
	compare_state(machines, stops, isa, 0, 0);
	for (u64 cut = 1; cut <= 600; cut++) {
		for (u32 i = 0; i < 2; i++) {
			machine_set_slot(machines[i], slot_named(machines[i], "a5"), cut * 0x9E3779B97F4A7C15u);
			machine_set_slot(machines[i], slot_named(machines[i], "a6"), cut / 300);
			machine_set_pc(machines[i], CODE + (cut % 5 ? 0 : 4 * (cut % COUNT_OF(code))));
			stops[i] = machine_run(machines[i], cut % 300 + 1);
		}
		compare_state(machines, stops, isa, 1, (u32)cut);
	}
	machine_engine_stats(machines[1], &stats);
	assert_true(stats.counts[ENGINE_REGION_ENTERED] > 100);
	machine_destroy(machines[0]);
	machine_destroy(machines[1]);
	isa_destroy(isa);
	free(text);
}

/* A call through a register that goes to f mostly, and to g: it is chained to f, also after f has changed itself, which f does now
 * and then while it is called. Equal to the interpreter at each stop. odd: the register has a lowest bit, which does not count. */
static void guess(u32 odd)
{
	static const u32 code[] = {
		0x00150513, /* 0: addi a0, a0, 1 */
		0x03F57293, /* 4: andi t0, a0, 63 */
		0x00040313, /* 8: mv t1, s0 */
		0x00029463, /* 12: bnez t0, 20 */
		0x00048313, /* 16: mv t1, s1 */
		0x000300E7, /* 20: jalr t1 */
		0x00B686B3, /* 24: add a3, a3, a1 */
		0xFE5FF06F, /* 28: j 0 */
		0x00160613, /* 32: addi a2, a2, 1, f */
		0x7FF67393, /* 36: andi t2, a2, 2047 */
		0x00039663, /* 40: bnez t2, 52 */
		0x00E92023, /* 44: sw a4, 0(s2), which is 52 */
		0x00F74733, /* 48: xor a4, a4, a5 */
		0x00158593, /* 52: addi a1, a1, 1 */
		0x00008067, /* 56: ret */
		0x00758593, /* 60: addi a1, a1, 7, g */
		0x00008067, /* 64: ret */
	};
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	EngineOps eager = jit_engine;
	Machine *machines[2];
	MachineStop stops[2];
	const Engine *engine;
	u32 to_f = 0, all = 0;

	eager.create = create_eager;
	for (u32 i = 0; i < 2; i++) {
		machines[i] = open_paged(isa, i ? &eager : &interp_engine);
		for (u32 k = 0; k < COUNT_OF(code); k++)
			put_word(machines[i], CODE + 4 * k, code[k]);
		machine_set_slot(machines[i], slot_named(machines[i], "s0"), CODE + 32 + odd);
		machine_set_slot(machines[i], slot_named(machines[i], "s1"), CODE + 60);
		machine_set_slot(machines[i], slot_named(machines[i], "s2"), CODE + 52);
		machine_set_slot(machines[i], slot_named(machines[i], "a4"), 0x00358593);
		machine_set_slot(machines[i], slot_named(machines[i], "a5"), 1u << 21);
		machine_set_pc(machines[i], CODE);
	}
	for (u32 step = 0; step < 600; step++) {
		for (u32 i = 0; i < 2; i++)
			stops[i] = machine_run(machines[i], step < 300 ? 1 + step : 2000 + step);
		compare_state(machines, stops, isa, odd, step);
	}
	engine = machines[1]->engine;
	for (u32 n = engine->half * (JIT_EXITS / 2); n < engine->exit_count; n++) {
		const JitExit *exit = engine->exits[n];

		all += exit->kind == JIT_EXIT_GUESS;
		to_f += exit->kind == JIT_EXIT_GUESS && exit->target && exit->target->pc == CODE + 32;
	}
	assert_in_range(to_f, 1, all);
	machine_destroy(machines[0]);
	machine_destroy(machines[1]);
	isa_destroy(isa);
	free(text);
}

static void guessed(void **state)
{
	(void)state;
	guess(0);
	guess(1);
}

/* A function that comes back by its return address with the lowest bit set, every other time: it does not count. And all of it at an odd
 * address, where it is not the address behind the call that is returned to. */
static void odd_returns(void **state)
{
	static const u32 code[] = {
		0x00150513, /* 0: addi a0, a0, 1 */
		0x00C000EF, /* 4: jal 16 */
		0x00B686B3, /* 8: add a3, a3, a1 */
		0xFF5FF06F, /* 12: j 0 */
		0x00008493, /* 16: mv s1, ra, f */
		0x014000EF, /* 20: jal 40 */
		0x00157393, /* 24: andi t2, a0, 1 */
		0x0074E0B3, /* 28: or ra, s1, t2 */
		0x00158593, /* 32: addi a1, a1, 1 */
		0x00008067, /* 36: ret */
		0x00A64633, /* 40: xor a2, a2, a0, g */
		0x00008067, /* 44: ret */
	};
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	EngineOps eager = jit_engine;
	Machine *machines[2];
	MachineStop stops[2];
	EngineStats stats;

	(void)state;
	assert_int_equal(isa->return_bits, ~(u64)1);
	eager.create = create_eager;
	for (u32 i = 0; i < 2; i++) {
		machines[i] = open_paged(isa, i ? &eager : &interp_engine);
		for (u32 k = 0; k < COUNT_OF(code); k++) {
			put_word(machines[i], CODE + 4 * k, code[k]);
			put_word(machines[i], CODE + 0x201 + 4 * k, code[k]);
		}
		machine_set_pc(machines[i], CODE);
	}
	for (u32 step = 0; step < 600; step++) {
		for (u32 i = 0; i < 2; i++) {
			if (step >= 300 && step % 2)
				machine_set_pc(machines[i], CODE + 0x201);
			stops[i] = machine_run(machines[i], step < 300 ? 1 + step : step % 2 ? 1 + step % 40 : 1000);
		}
		compare_state(machines, stops, isa, 0, step);
		if (step >= 300)
			for (u32 i = 0; i < 2; i++)
				machine_set_pc(machines[i], CODE);
	}
	machine_engine_stats(machines[1], &stats);
	assert_true(stats.counts[ENGINE_REGION_ENTERED] > 100);
	machine_destroy(machines[0]);
	machine_destroy(machines[1]);
	isa_destroy(isa);
	free(text);
}

/* The guest's own store: a page of code that stores into CODE. */
static void store_by_guest(Machine *machine, u64 address, u32 word)
{
	static const u32 stores[] = {0x00C5A023 /* sw a2, 0(a1) */, 0x00100073 /* ebreak */};
	u64 at = CODE + 2 * SPACE_PAGE;

	put_word(machine, at, stores[0]);
	put_word(machine, at + 4, stores[1]);
	machine_set_slot(machine, slot_named(machine, "a1"), address);
	machine_set_slot(machine, slot_named(machine, "a2"), word);
	machine_set_pc(machine, at);
	machine_run(machine, 1);
}

static void change(Machine *machine, u32 door, u32 word)
{
	u64 got, other = 0x200000;
	u8 *bytes;

	switch (door) {
	case 0: put_word(machine, CODE, word); break;
	case 1: store_by_guest(machine, CODE, word); break;
	case 2: assert_int_equal(machine_copy_out(machine, 0, CODE, &word, 4), 4); break;
	case 3:
		bytes = machine_span(machine, 0, CODE, 4, ATTR_WRITE, &got);
		assert_non_null(bytes);
		memcpy(bytes, &word, 4);
		break;
	case 4: /* gone and made anew */
		machine_pages_drop(machine, 0, CODE, SPACE_PAGE);
		assert_int_equal(machine_pages_add(machine, 0, CODE, SPACE_PAGE, ATTR_RIGHTS), STATUS_OK);
		put_function(machine, CODE);
		put_word(machine, CODE, word);
		break;
	case 5: /* another page moves there */
		assert_int_equal(machine_pages_add(machine, 0, other, SPACE_PAGE, ATTR_RIGHTS), STATUS_OK);
		put_function(machine, other);
		put_word(machine, other, word);
		run_function(machine, other, word >> 20);
		machine_pages_drop(machine, 0, CODE, SPACE_PAGE);
		assert_int_equal(machine_pages_move(machine, 0, other, CODE, SPACE_PAGE), STATUS_OK);
		break;
	case 6: /* as a compiler at run time does: no right to execute while it writes */
		machine_pages_protect(machine, 0, CODE, SPACE_PAGE, ATTR_READ | ATTR_WRITE);
		store_by_guest(machine, CODE, word);
		machine_pages_protect(machine, 0, CODE, SPACE_PAGE, ATTR_READ | ATTR_EXEC);
		run_function(machine, CODE, word >> 20);
		machine_pages_protect(machine, 0, CODE, SPACE_PAGE, ATTR_RIGHTS);
		break;
	case 7: /* a fork has its own */ {
		u32 child;

		assert_int_equal(machine_aspace_fork(machine, 0, &child), STATUS_OK);
		machine_vcpu_set_aspace(machine, 0, child);
		store_by_guest(machine, CODE, word ^ 1u << 30);
		run_function(machine, CODE, (u32)((i32)(word ^ 1u << 30) >> 20));
		machine_vcpu_set_aspace(machine, 0, 0);
		machine_aspace_release(machine, child);
		store_by_guest(machine, CODE, word);
		break;
	}
	default: /* all engines of the machine hold too much: all is forgotten when something new is compiled */
		put_function(machine, CODE + 64);
		machine_set_pc(machine, CODE + 64 + 8);
		machine_run(machine, 1);
		machine_set_pc(machine, CODE + 64 + 8);
		machine->code_bytes += (size_t)1 << 30;
		machine_run(machine, 31); /* the jump by itself, then one new block to the end: nothing is translated behind it */
		machine->code_bytes -= (size_t)1 << 30;
		store_by_guest(machine, CODE + 64, adds(7));
		run_function(machine, CODE + 64, 7);
		put_word(machine, CODE, word);
	}
}

enum { DOORS = 9 };

static void doors(void **state)
{
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	Rng rng = {3};

	(void)state;
	hard_after = 1;
	for (unsigned i = 0; i < 2; i++) {
		Machine *machine = open_paged(isa, both[i]);

		put_function(machine, CODE);
		run_function(machine, CODE, 1);
		for (u32 round = 0; round < 400; round++) {
			u32 number = 1 + (u32)rng_below(&rng, 500);

			change(machine, round < 2 * DOORS ? round % DOORS : (u32)rng_below(&rng, DOORS), adds(number));
			run_function(machine, CODE, number);
		}
		machine_destroy(machine);
	}
	isa_destroy(isa);
	free(text);
}

/* What blocks cost is counted and given back, also of those that only the cold engine runs, and of dead ones. */
/* Compiled, run, changed. */
static void die(Machine *machine, u64 at)
{
	put_word(machine, at, 0x00102573); /* frflags a0 */
	put_word(machine, at + 4, 0x00102573);
	machine_set_pc(machine, at);
	assert_int_equal(machine_run(machine, 2).kind, STOP_BUDGET);
	put_word(machine, at, 0x00102573);
}

static void bounded(void **state)
{
	enum { PAGES = 16 };
	const u64 first = CODE + 0x100000;
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	Machine *machine = open_paged(isa, &jit_engine);
	size_t before, most = 0;

	(void)state;
	assert_int_equal(machine_pages_add(machine, 0, first, PAGES * SPACE_PAGE, ATTR_RIGHTS), STATUS_OK);
	before = machine->code_bytes;
	for (u32 i = 0; i < 6 * PAGES; i++)
		die(machine, first + i % PAGES * SPACE_PAGE);
	assert_true(machine->code_bytes - before > 6 * PAGES * 64);
	for (u32 i = 0; i < 300000 && machine->code_bytes >= most; i++) {
		most = machine->code_bytes;
		die(machine, first + i % PAGES * SPACE_PAGE);
		machine->vcpu.icount += JIT_CALM / 4; /* it is compiled again and again */
	}
	assert_true(most < ENGINE_CODE_BYTES);
	machine_pages_drop(machine, 0, CODE, CODE_BYTES);
	machine_destroy(machine);
	isa_destroy(isa);
	free(text);
}

static u32 mappings_both(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[600];
	u32 count = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof line, maps))
		count += strchr(line, ' ') && strchr(line, ' ')[2] == 'w' && strchr(line, ' ')[3] == 'x';
	fclose(maps);
	return count;
}

/* No memory is ever both, to write and to execute; and where none can be had (too many files are open) programs run all
 * the same. */
static void host_memory(void **state)
{
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	u32 both_before = mappings_both();

	(void)state;
	for (u32 denied = 0; denied < 2; denied++) {
		Machine *machine = open_paged(isa, &jit_engine);
		struct rlimit before, none;
		u64 blocks, insns;

		assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
		none = (struct rlimit){0, before.rlim_max};
		put_function(machine, CODE);
		if (denied)
			assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		run_function(machine, CODE, 1);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		run_function(machine, CODE, 1);
		assert_int_equal(mappings_both(), both_before);
		machine->ops->stats(machine->engine, &blocks, &insns);
		assert_true(blocks > 0);
		machine_destroy(machine);
	}
	isa_destroy(isa);
	free(text);
}

/* Wild addresses, in spaces of all sizes. */
static void large_spaces(void **state)
{
	static const u8 bits[] = {20, 31, 32, 38, 42, 43, 44, 45, 46};
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);

	(void)state;
	for (u32 b = 0; b < sizeof bits; b++)
		for (u32 shift = 13; shift < 64; shift++) {
			for (u32 k = 0; k < 4; k++) {
				MachineConfig config = {.isa = isa, .guest = &guest, .address_bits = bits[b], .engine = &jit_engine};
				u64 address = ((u64)1 << shift) - (k & 1 ? 8 : 0);
				static Machine *machine;
				static u8 made;
				MachineStop stop;
				DiagList diags;

				if (made != bits[b]) {
					if (machine)
						machine_destroy(machine);
					diag_init(&diags);
					machine = NULL;
					machine_create(&config, &machine, &diags);
					toy_check(&diags, machine);
					diag_fini(&diags);
					machine_reset(machine, false);
					machine_set_pager(machine, touch);
					made = bits[b];
					assert_int_equal(machine_pages_add(machine, 0, CODE, CODE_BYTES, ATTR_RIGHTS), STATUS_OK);
					put_word(machine, CODE, 0x00000013);
					put_word(machine, CODE + 4, 0x0005B503);  /* ld a0, 0(a1) */
					put_word(machine, CODE + 8, 0x00000013);
					put_word(machine, CODE + 12, 0x00A5B023); /* sd a0, 0(a1) */
				}
				if (address >= DATA - 8 && address < DATA + LATE_BYTES)
					continue;
				machine_set_slot(machine, slot_named(machine, "a1"), address);
				machine_set_pc(machine, CODE + (k & 2 ? 8 : 0));
				stop = machine_run(machine, 10);
				if (address - CODE < CODE_BYTES)
					continue;
				assert_int_equal(stop.kind, STOP_FAULT);
				assert_int_equal(stop.address, address);
				if (b + 1u == sizeof bits && shift == 63 && k == 3) {
					machine_destroy(machine);
					machine = NULL;
				}
			}
		}
	isa_destroy(isa);
	free(text);
}

/* A guest that makes ever new code in one place, each in a process of its own: what is kept of it does not pile up, and
 * none gets that of another. */
static void versions(void **state)
{
	enum { MANY = 1500 };
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	EngineStats stats;
	Machine *machine;
	u32 a0, child;

	(void)state;
	hard_after = ~(u64)0;
	machine = open_paged(isa, &jit_engine);
	a0 = slot_named(machine, "a0");
	put_function(machine, CODE);
	machine_set_pc(machine, CODE);
	machine_run(machine, 300);
	jit_settle(machine->engine);
	for (u32 i = 0; i < MANY; i++) {
		u32 number = i / 2 % 2000 + 1, word = adds(number);
		u64 before = machine_slot(machine, a0);

		assert_int_equal(machine_aspace_fork(machine, 0, &child), STATUS_OK);
		machine_vcpu_set_aspace(machine, 0, child);
		assert_int_equal(machine_copy_out(machine, child, CODE, &word, 4), 4);
		machine_set_pc(machine, CODE);
		assert_int_equal(machine_run(machine, 6).kind, STOP_BUDGET);
		assert_int_equal(machine_slot(machine, a0) - before, 2 * number);
		machine_vcpu_set_aspace(machine, 0, 0);
		machine_aspace_release(machine, child);
	}
	machine_engine_stats(machine, &stats);
	assert_in_range(stats.counts[ENGINE_SHARED_BLOCKS], MANY / 2, 2 * MANY);
	assert_in_range(stats.counts[ENGINE_BASE_BLOCKS], MANY / 2, 2 * MANY);
	machine_destroy(machine);
	hard_after = 1;
	isa_destroy(isa);
	free(text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_programs),
		cmocka_unit_test(random_rv64),
		cmocka_unit_test(random_odd),
		cmocka_unit_test(random_parked),
		cmocka_unit_test(hard_modes),
		cmocka_unit_test(shared),
		cmocka_unit_test(versions),
		cmocka_unit_test(counted),
		cmocka_unit_test(waits),
		cmocka_unit_test(walked),
		cmocka_unit_test(raised_again),
		cmocka_unit_test(asked_quietly),
		cmocka_unit_test(parked_operands),
		cmocka_unit_test(two_entries),
		cmocka_unit_test(guessed),
		cmocka_unit_test(odd_returns),
		cmocka_unit_test(doors),
		cmocka_unit_test(every_stop),
		cmocka_unit_test(bounded),
		cmocka_unit_test(host_memory),
		cmocka_unit_test(large_spaces),
	};

	if (argc > 1)
		wanted_rounds = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 10);
	return jit_is_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
