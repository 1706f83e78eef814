/* SPDX-License-Identifier: MIT
 *
 * Regions compiled on another thread: whenever they come, and whatever has become of the code in the meantime, the machine does what
 * the interpreter does. This program is linked so that the worker can be held up, has no memory, or is refused
 * (tests.mk); tests/run builds it with the thread sanitizer, too: it uses threads (pthread_create).
 */
#include "paged_random.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jit/jit_background.h"

/* ---- What the worker is in the way of ---- */

static _Atomic bool held, poor, refused;
static pthread_t runner;

int __real_sem_wait(sem_t *sem);
int __wrap_sem_wait(sem_t *sem);
int __wrap_sem_wait(sem_t *sem)
{
	int result = __real_sem_wait(sem);

	while (atomic_load(&held))
		usleep(100);
	return result;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return atomic_load(&poor) && !pthread_equal(pthread_self(), runner) ? NULL : __real_malloc(size);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	return atomic_load(&refused) ? EAGAIN : __real_pthread_create(thread, attr, start, arg);
}

/* ---- A loop ---- */

#ifdef __SANITIZE_THREAD__ /* slow, and with little room for maps */
enum { ROUNDS = 20000, RANDOM_ROUNDS = 12, SPACES = 2 };
#else
enum { ROUNDS = 20000, RANDOM_ROUNDS = 100, SPACES = 12 };
#endif

static const u32 loop_words[] = {
	0x00150513, /* loop: addi a0, a0, 1 */
	0x00A5C5B3, /* xor  a1, a1, a0 */
	0x00A60633, /* add  a2, a2, a0 */
	0xFED51AE3, /* bne  a0, a3, loop */
	0x0000006F, /* j    itself */
};

static Isa *isa;

static u32 slot_of(const char *name)
{
	u32 slot = 0;
	u8 width;

	assert_true(isa_find_register(isa, name, strlen(name), false, &slot, &width));
	return slot;
}

static void put_word(Machine *machine, u64 address, u32 word)
{
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(machine_write(machine, machine_paged_space(machine), address + i, word >> 8 * i & 0xFF), 0);
}

static void begin_loop(Machine *machine)
{
	machine_set_slot(machine, slot_of("a0"), 0);
	machine_set_slot(machine, slot_of("a3"), ROUNDS);
	machine_set_pc(machine, CODE);
}

/* [0]: the interpreter; [1]: compiled beside the program. */
static void open_loop(Machine *machines[2])
{
	static const EngineOptions options = {.background = true, .hot = 50, .hard_after = ~(u64)0};

	engine_options = &options;
	machines[0] = open_paged(isa, &interp_engine);
	machines[1] = open_paged(isa, &jit_engine);
	engine_options = NULL;
	for (u32 m = 0; m < 2; m++) {
		for (u32 i = 0; i < COUNT_OF(loop_words); i++)
			put_word(machines[m], CODE + 4 * i, loop_words[i]);
		begin_loop(machines[m]);
	}
}

static void run_both(Machine *const *machines, u64 insns)
{
	MachineStop stops[2];

	for (u32 m = 0; m < 2; m++)
		stops[m] = machine_run(machines[m], insns);
	compare_state(machines, stops, isa, 0, 0);
}

static void close_both(Machine *const *machines)
{
	machine_destroy(machines[0]);
	machine_destroy(machines[1]);
}

static u64 count_of(const Machine *machine, EngineCount what)
{
	EngineStats stats;

	machine_engine_stats(machine, &stats);
	return stats.counts[what];
}

/* Until nothing of it is under way. */
static void wait_for(Machine *machine)
{
	const Engine *engine = machine->engine;

	for (u32 i = 0; engine->pending && i < 50000; i++) {
		usleep(100);
		machine_run(machine, 0);
		jit_promote_finished(machine->engine, &machine->vcpu);
	}
	assert_int_equal(engine->pending, 0);
}

/* The loop is hot, and nothing comes of it yet. */
static void open_pending(Machine *machines[2])
{
	atomic_store(&held, true);
	open_loop(machines);
	run_both(machines, 4000);
	assert_int_equal(machines[1]->engine->pending, 1);
	assert_int_equal(count_of(machines[1], ENGINE_REGION_BLOCKS), 0);
}

static void let_go(Machine *const *machines)
{
	atomic_store(&held, false);
	wait_for(machines[1]);
}

static void comes_later(void **state)
{
	Machine *machines[2];

	(void)state;
	open_pending(machines);
	run_both(machines, 4000);
	let_go(machines);
	assert_int_equal(count_of(machines[1], ENGINE_REGION_BLOCKS), 1);
	assert_int_equal(count_of(machines[1], ENGINE_BACKGROUND), 1);
	assert_true(count_of(machines[1], ENGINE_BACKGROUND_NS) > 0);
	run_both(machines, 4 * ROUNDS);
	assert_int_equal(count_of(machines[1], ENGINE_BACKGROUND_LATE), 0);
	close_both(machines);
}

/* It is attached while the loop runs, though that never leaves by itself. */
static void comes_at_once(void **state)
{
	Machine *machines[2];
	u64 left = 0;

	(void)state;
	open_loop(machines);
	machine_set_slot(machines[1], slot_of("a3"), 0);
	for (u32 i = 0; i < 1000 && !left; i++) {
		machine_run(machines[1], 10000000);
		left = count_of(machines[1], ENGINE_REGION_BLOCKS);
	}
	assert_int_equal(left, 1);
	close_both(machines);
}

/* ---- What was compiled is not what is there ---- */

static void code_changes(void **state)
{
	Machine *machines[2];

	(void)state;
	for (u32 place = 0; place < 4; place++) {
		open_pending(machines);
		for (u32 m = 0; m < 2; m++)
			put_word(machines[m], CODE + 4 * place, place == 3 ? 0xFED518E3 /* one further back: a fault */ : 0x00250513);
		let_go(machines);
		assert_int_equal(count_of(machines[1], ENGINE_REGION_BLOCKS), 0);
		for (u32 i = 0; i < 10; i++)
			run_both(machines, 3000);
		wait_for(machines[1]);
		run_both(machines, 4 * ROUNDS);
		close_both(machines);
	}
}

/* The program itself changes what it runs. */
static void stores_into_itself(void **state)
{
	Machine *machines[2];

	(void)state;
	open_pending(machines);
	for (u32 m = 0; m < 2; m++) {
		put_word(machines[m], CODE + 0x100, 0x00F72023); /* sw a5, 0(a4) */
		put_word(machines[m], CODE + 0x104, 0xEFDFF06F); /* j CODE */
		machine_set_slot(machines[m], slot_of("a4"), CODE + 8);
		machine_set_slot(machines[m], slot_of("a5"), 0x40A60633); /* sub a2, a2, a0 */
		machine_set_pc(machines[m], CODE + 0x100);
	}
	run_both(machines, 20);
	let_go(machines);
	assert_int_equal(count_of(machines[1], ENGINE_BACKGROUND_LATE), 1);
	assert_int_equal(count_of(machines[1], ENGINE_REGION_BLOCKS), 0);
	for (u32 i = 0; i < 10; i++)
		run_both(machines, 3000);
	wait_for(machines[1]);
	run_both(machines, 4 * ROUNDS);
	close_both(machines);
}

/* The block that was hot stays as it is; another one of the region changes. */
static void another_block_changes(void **state)
{
	Machine *machines[2];

	(void)state;
	atomic_store(&held, true);
	open_loop(machines);
	for (u32 m = 0; m < 2; m++) {
		put_word(machines[m], CODE + 8, 0x0F80006F);     /* j CODE + 0x100 */
		put_word(machines[m], CODE + 0x100, 0x00A60633); /* add a2, a2, a0 */
		put_word(machines[m], CODE + 0x104, 0xEED51EE3); /* bne a0, a3, loop */
		put_word(machines[m], CODE + 0x108, 0x0000006F); /* j itself */
	}
	run_both(machines, 4000);
	assert_int_equal(machines[1]->engine->pending, 1);
	for (u32 m = 0; m < 2; m++)
		put_word(machines[m], CODE + 0x100, 0x40A60633); /* sub a2, a2, a0 */
	let_go(machines);
	assert_int_equal(count_of(machines[1], ENGINE_BACKGROUND_LATE), 1);
	assert_int_equal(count_of(machines[1], ENGINE_REGION_BLOCKS), 0);
	for (u32 i = 0; i < 10; i++)
		run_both(machines, 3000);
	wait_for(machines[1]);
	assert_int_equal(count_of(machines[1], ENGINE_REGION_BLOCKS), 1);
	run_both(machines, 5 * ROUNDS);
	close_both(machines);
}

static void flushes_and_breakpoints(void **state)
{
	Machine *machines[2];

	(void)state;
	for (u32 what = 0; what < 3; what++) {
		open_pending(machines);
		for (u32 m = 0; m < 2; m++) {
			if (what == 0)
				machine_flush_engines(machines[m]);
			else if (what == 1)
				machine_break_set(machines[m], CODE + 8, true);
			else
				machine_pages_protect(machines[m], 0, CODE, SPACE_PAGE, ATTR_READ | ATTR_WRITE);
		}
		if (what < 2)
			assert_int_equal(machines[1]->engine->pending, 0);
		let_go(machines);
		assert_int_equal(count_of(machines[1], ENGINE_REGION_BLOCKS), 0);
		run_both(machines, 3000);
		close_both(machines);
	}
}

/* A turn of the cache takes the records of what is under way. */
static void turns(void **state)
{
	Machine *machines[2];

	(void)state;
	open_pending(machines);
	jit_evict_turn(machines[1]->engine);
	assert_int_equal(machines[1]->engine->pending, 0);
	jit_evict_turn(machines[1]->engine);
	let_go(machines);
	for (u32 i = 0; i < 10; i++)
		run_both(machines, 3000);
	close_both(machines);
}

/* ---- Ends ---- */

static void ends_at_any_time(void **state)
{
	Machine *machines[2];

	(void)state;
	for (u32 i = 0; i < 40; i++) {
		open_loop(machines);
		run_both(machines, 4000);
		usleep(i * 20);
		if (i % 2)
			run_both(machines, 4000);
		close_both(machines);
	}
}

/* The child of a process that forks has no worker, and does not wait for it. (It can't run the machine: memory is shared.) */
static void forks(void **state)
{
	Machine *machines[2];
	int status = 0;
	pid_t child;

	(void)state;
	open_pending(machines);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		alarm(20);
		if (jit_background_is_there(machines[1]->engine) || machines[1]->engine->pending)
			_exit(1);
		machine_destroy(machines[1]);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	let_go(machines);
	assert_int_equal(count_of(machines[1], ENGINE_REGION_BLOCKS), 1);
	run_both(machines, 4000);
	close_both(machines);
}

/* ---- What fails ---- */

static void without_a_thread(void **state)
{
	Machine *machines[2];

	(void)state;
	atomic_store(&refused, true);
	open_loop(machines);
	run_both(machines, 8000);
	assert_int_equal(count_of(machines[1], ENGINE_BACKGROUND), 0);
	assert_int_equal(count_of(machines[1], ENGINE_REGION_BLOCKS), 1);
	close_both(machines);
	atomic_store(&refused, false);
}

static void without_memory(void **state)
{
	Machine *machines[2];

	(void)state;
	open_pending(machines);
	atomic_store(&poor, true);
	let_go(machines);
	atomic_store(&poor, false);
	assert_int_equal(count_of(machines[1], ENGINE_REGION_BLOCKS), 0);
	run_both(machines, 8000);
	run_both(machines, 4 * ROUNDS);
	close_both(machines);
}

/* ---- At random ---- */

/* In slices, with pauses in which the worker may come to its end, or not. */
static void random_code(void **state)
{
	static const EngineOptions modes[] = {
		{.background = true, .hot = 2}, {.background = true, .hot = 2, .hard_after = ~(u64)0},
		{.background = true, .hot = 3, .evict = 60}, {.background = true, .hot = 1, .code_cache = 1, .switch_rights = true},
	};
	static const EngineOps *const both[] = {&interp_engine, &jit_engine};
	u64 made = 0, late = 0, given = 0, full = 0;

	(void)state;
	for (u64 round = 1; round <= RANDOM_ROUNDS; round++) {
		Machine *machines[2];
		MachineStop stops[2];
		Rng rng = {round};

		engine_options = &modes[round % COUNT_OF(modes)];
		for (unsigned i = 0; i < 2; i++) {
			Rng same = {round * 77};

			machines[i] = open_paged(isa, both[i]);
			fill_code(machines[i], isa, &same);
		}
		for (u32 step = 0; step < 5 * STEPS; step++) {
			/* The same few places again and again: they become hot. */
			u64 insns = rng_below(&rng, 2000) + 1, pc = CODE + (rng_below(&rng, 2048) & ~63u), key = rng_next(&rng);

			for (unsigned i = 0; i < 2; i++) {
				Rng same = {key};

				machine_set_pc(machines[i], pc);
				stir(machines[i], isa, &same, false);
				stops[i] = machine_run(machines[i], insns);
			}
			compare_state(machines, stops, isa, round, step);
			switch (machines[1]->engine->pending ? rng_below(&rng, 8) : 8) {
			case 0: usleep((u32)rng_below(&rng, 500)); break;
			case 1: wait_for(machines[1]); break;
			default: break;
			}
		}
		made += count_of(machines[1], ENGINE_REGION_BLOCKS);
		late += count_of(machines[1], ENGINE_BACKGROUND_LATE);
		given += count_of(machines[1], ENGINE_BACKGROUND);
		full += count_of(machines[1], ENGINE_BACKGROUND_FULL);
		close_both(machines);
	}
	engine_options = NULL;
	if (getenv("VERBOSE"))
		fprintf(stderr, "%llu given, %llu made, %llu late, %llu full\n", (unsigned long long)given, (unsigned long long)made,
			(unsigned long long)late, (unsigned long long)full);
	assert_true(made > RANDOM_ROUNDS);
}

/* Address spaces share the worker and its queue: none is kept from going on by what another has not fetched. */
static void many_spaces(void **state)
{
	Machine *machines[2];
	u64 made = 0;
	u32 child;

	(void)state;
	open_loop(machines);
	for (u32 n = 1; n < SPACES; n++)
		for (u32 m = 0; m < 2; m++)
			assert_int_equal(machine_aspace_fork(machines[m], 0, &child), STATUS_OK);
	for (u32 i = 0; i < 200 * SPACES && made < SPACES; i++) {
		for (u32 m = 0; m < 2; m++) {
			machine_vcpu_set_aspace(machines[m], 0, i % SPACES);
			begin_loop(machines[m]);
		}
		run_both(machines, 4000);
		if (i % SPACES == 0)
			wait_for(machines[1]);
		made = count_of(machines[1], ENGINE_REGION_BLOCKS);
	}
	assert_true(made >= SPACES);
	close_both(machines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_later),        cmocka_unit_test(comes_at_once),
		cmocka_unit_test(code_changes),       cmocka_unit_test(stores_into_itself),
		cmocka_unit_test(another_block_changes),
		cmocka_unit_test(flushes_and_breakpoints), cmocka_unit_test(turns),
		cmocka_unit_test(ends_at_any_time),   cmocka_unit_test(forks),
		cmocka_unit_test(without_a_thread),   cmocka_unit_test(without_memory),
		cmocka_unit_test(random_code),        cmocka_unit_test(many_spaces),
	};
	char *text = read_text("src/guests/rv64/rv64.isa");
	int failures;

	runner = pthread_self();
	isa = load("rv64.isa", text);
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	isa_destroy(isa);
	free(text);
	return failures;
}
