/* SPDX-License-Identifier: MIT
 * jit: faults of compiled code go on where its list says; all others go to whoever handled them before.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/space.h"
#include "jit/jit_signal.h"

#ifdef __x86_64__

enum { MEMORY = 64 * 4096, LISTED = 0, UNLISTED = 16, STORE = 32, PATH = 48 };

/* Each takes an address: 0: load; 16: load that is not listed; 32: store. 48: where the listed ones go: -2. */
static const u8 text[] = {
	0x8B, 0x07, 0xC3, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC,
	0x8B, 0x07, 0xC3, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC,
	0x89, 0x07, 0x31, 0xC0, 0xC3, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC,
	0xB8, 0xFE, 0xFF, 0xFF, 0xFF, 0xC3,
};

typedef struct Rig {
	u8 *code, *reserved, *memory;
	JitFaults faults;
	JitRun run;
} Rig;

/* Pages of the memory: readable and writable, readable, nothing, and so on. */
static void rig_init(Rig *rig)
{
	*rig = (Rig){.code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)};
	memcpy(rig->code, text, sizeof text);
	mprotect(rig->code, 4096, PROT_READ | PROT_EXEC);
	rig->reserved = mmap(NULL, MEMORY + 2 * SPACE_GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rig->memory = rig->reserved + SPACE_GUARD;
	for (u32 i = 0; i < MEMORY / 4096; i++)
		mprotect(rig->memory + i * 4096, 4096, i % 3 == 0 ? PROT_READ | PROT_WRITE : i % 3 == 1 ? PROT_READ : PROT_NONE);
	assert_true(jit_faults_add(&rig->faults, LISTED, PATH) && jit_faults_add(&rig->faults, STORE, PATH));
	rig->run = (JitRun){.code = rig->code, .code_bytes = 4096, .memory = rig->memory, .memory_bytes = MEMORY,
			    .faults = &rig->faults};
}

static void rig_fini(Rig *rig)
{
	munmap(rig->code, 4096);
	munmap(rig->reserved, MEMORY + 2 * SPACE_GUARD);
	free(rig->faults.list);
}

static int call(const Rig *rig, u32 at, u8 *address)
{
	int (*function)(u8 *address);
	u8 *entry = rig->code + at;

	memcpy(&function, &entry, sizeof function);
	return function(address);
}

static sigjmp_buf back;
static volatile int others; /* faults that came to the handler of this test */

static void other(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
	others++;
	siglongjmp(back, 1);
}

static void handle_otherwise(void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGSEGV, &action, NULL);
}

static void expect_other(const Rig *rig, u32 at, u8 *address)
{
	int before = others;

	if (sigsetjmp(back, 1) == 0) {
		call(rig, at, address);
		fail_msg("nobody was asked");
	}
	assert_int_equal(others, before + 1);
}

static void whose_fault(void **state)
{
	Rig rig;

	(void)state;
	rig_init(&rig);
	handle_otherwise(other);
	assert_true(jit_signal_install());
	jit_signal_enter(&rig.run);
	for (u32 round = 0; round < 100; round++)
		for (u32 i = 0; i < MEMORY / 4096; i++) {
			u8 *at = rig.memory + i * 4096 + 40 * round;

			rig.run.faulted = false;
			assert_int_equal(call(&rig, LISTED, at), i % 3 == 2 ? -2 : 0);
			assert_int_equal(rig.run.faulted, i % 3 == 2);
			assert_true(!rig.run.faulted || rig.run.page == i);
			rig.run.faulted = false;
			assert_int_equal(call(&rig, STORE, at), i % 3 ? -2 : 0);
			assert_int_equal(rig.run.faulted, i % 3 != 0);
			*(u32 *)(void *)(rig.memory) = 0;
			if (i % 3 == 0)
				memset(at, 0, 4);
		}
	assert_int_equal(others, 0);
	/* An access that ends in the guard, or begins there. */
	assert_int_equal(call(&rig, LISTED, rig.memory + MEMORY - 2), -2);
	assert_int_equal(call(&rig, LISTED, rig.memory + MEMORY + SPACE_GUARD - 4), -2);
	assert_true(rig.run.page >= MEMORY / 4096);
	assert_int_equal(call(&rig, STORE, rig.memory - SPACE_GUARD), -2);
	assert_true(rig.run.page >= MEMORY / 4096);
	rig.run.faulted = false;
	expect_other(&rig, UNLISTED, rig.memory + 2 * 4096);
	expect_other(&rig, LISTED, NULL);
	expect_other(&rig, LISTED, rig.memory - SPACE_GUARD - 8192);
	if (sigsetjmp(back, 1) == 0)
		raise(SIGSEGV); /* somebody sends one */
	assert_int_equal(others, 4);
	assert_false(rig.run.faulted);
	jit_signal_leave(&rig.run);
	expect_other(&rig, LISTED, rig.memory + 2 * 4096); /* nothing compiled runs */
	rig_fini(&rig);
}

/* A run inside of a run: the outer one is there again behind it. */
static void nested(void **state)
{
	Rig rigs[2];

	(void)state;
	handle_otherwise(other);
	assert_true(jit_signal_install());
	for (u32 i = 0; i < 2; i++)
		rig_init(&rigs[i]);
	jit_signal_enter(&rigs[0].run);
	assert_int_equal(call(&rigs[0], LISTED, rigs[0].memory + 2 * 4096), -2);
	jit_signal_enter(&rigs[1].run);
	assert_int_equal(call(&rigs[1], LISTED, rigs[1].memory + 2 * 4096), -2);
	expect_other(&rigs[0], LISTED, rigs[0].memory + 2 * 4096);
	jit_signal_leave(&rigs[1].run);
	assert_int_equal(call(&rigs[0], LISTED, rigs[0].memory + 2 * 4096), -2);
	jit_signal_leave(&rigs[0].run);
	for (u32 i = 0; i < 2; i++)
		rig_fini(&rigs[i]);
}

/* Somebody else takes the signal: ours comes first again when asked for, and gives him what is his. */
static void taken_away(void **state)
{
	Rig rig;
	int before;

	(void)state;
	rig_init(&rig);
	assert_true(jit_signal_install());
	jit_signal_enter(&rig.run);
	for (u32 round = 0; round < 3; round++) {
		handle_otherwise(other);
		assert_true(jit_signal_install());
		assert_true(jit_signal_install());
		before = others;
		assert_int_equal(call(&rig, LISTED, rig.memory + 2 * 4096), -2);
		assert_int_equal(others, before);
		expect_other(&rig, UNLISTED, rig.memory + 2 * 4096);
	}
	jit_signal_leave(&rig.run);
	rig_fini(&rig);
}

static void gives_way(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
}

/* A real crash ends the process, also when the former handler does nothing about it. */
static void crash(void **state)
{
	static void (*const handlers[])(int, siginfo_t *, void *) = {NULL, gives_way};

	(void)state;
	for (u32 i = 0; i < COUNT_OF(handlers); i++) {
		volatile int *volatile nowhere = (volatile int *)16;
		int status = 0;
		pid_t child = fork();

		if (child == 0) {
			if (handlers[i])
				handle_otherwise(handlers[i]);
			else
				signal(SIGSEGV, SIG_DFL);
			alarm(20);
			jit_signal_install();
			*nowhere = 1;
			_exit(0);
		}
		waitpid(child, &status, 0);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSEGV);
	}
}

static void *fault_a_lot(void *ctx)
{
	Rig rig;
	u64 wrong = 0;

	(void)ctx;
	rig_init(&rig);
	jit_signal_enter(&rig.run);
	for (u32 i = 0; i < 20000; i++)
		wrong += call(&rig, LISTED, rig.memory + i % (MEMORY / 4096) * 4096) != (i % (MEMORY / 4096) % 3 == 2 ? -2 : 0);
	jit_signal_leave(&rig.run);
	rig_fini(&rig);
	return (void *)(uintptr_t)wrong;
}

static void threads(void **state)
{
	pthread_t threads[4];
	void *wrong;

	(void)state;
	assert_true(jit_signal_install());
	for (u32 i = 0; i < COUNT_OF(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fault_a_lot, NULL), 0);
	for (u32 i = 0; i < COUNT_OF(threads); i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose_fault), cmocka_unit_test(nested), cmocka_unit_test(taken_away),
		cmocka_unit_test(crash), cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	return 0;
}

#endif
