/* SPDX-License-Identifier: MIT
 *
 * Compilers on several threads share nothing but the description: the same random RV64GC programs, each on a thread of its own with
 * its own machine, come to what the interpreter comes to alone. The test is as good as the build it runs in: the
 * thread sanitizer's.
 */
#include "paged_random.h"

#include <pthread.h>

#include "jit/jit.h"
#include "jit/jit_private.h"

enum { THREADS = 4, TURNS = 60, INSNS = 1500 };

typedef struct Work {
	Machine *machine;
	u64 seed;
	const Isa *isa;
} Work;

static Engine *create_eager(const EngineEnv *env)
{
	Engine *engine = jit_engine.create(env);

	if (engine)
		engine->hot = 2;
	return engine;
}

/* No assertions in here: cmocka's belong to one thread. */
static void *run_alone(void *arg)
{
	Work *work = arg;
	Rng rng = {work->seed};

	for (u32 i = 0; i < TURNS; i++) {
		machine_set_pc(work->machine, CODE + (rng_below(&rng, 2048) & ~63u));
		stir(work->machine, work->isa, &rng, false);
		machine_run(work->machine, 1 + rng_below(&rng, INSNS));
	}
	return NULL;
}

static void threads(void **state)
{
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	EngineOps eager = jit_engine;
	Work works[THREADS], alone[THREADS];
	pthread_t ids[THREADS];

	(void)state;
	eager.create = create_eager;
	for (u32 i = 0; i < THREADS; i++) {
		works[i] = (Work){open_paged(isa, &eager), i + 1, isa};
		alone[i] = (Work){open_paged(isa, &interp_engine), i + 1, isa};
		fill_code(works[i].machine, isa, &(Rng){i + 1});
		fill_code(alone[i].machine, isa, &(Rng){i + 1});
	}
	for (u32 i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&ids[i], NULL, run_alone, &works[i]), 0);
	for (u32 i = 0; i < THREADS; i++)
		run_alone(&alone[i]);
	for (u32 i = 0; i < THREADS; i++) {
		Machine *machines[] = {alone[i].machine, works[i].machine};
		MachineStop stops[2] = {{0}};

		assert_int_equal(pthread_join(ids[i], NULL), 0);
		assert_true(machine_icount(works[i].machine) > TURNS);
		compare_state(machines, stops, isa, i, 0);
		machine_destroy(works[i].machine);
		machine_destroy(alone[i].machine);
	}
	isa_destroy(isa);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
