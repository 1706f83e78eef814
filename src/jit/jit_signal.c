/* SPDX-License-Identifier: MIT
 *
 * The handler of SIGSEGV (jit_signal.h). Two things of a process are global by nature: what handles its signals, and which
 * run a thread is in. They are the variables here.
 */

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/array.h"
#include "core/space.h"
#include "jit/jit_private.h"
#include "jit/jit_signal.h"

enum { ROUNDS = 1000 }; /* of one fault that is not ours, until nobody is taken to help */

/* initial-exec: a handler may not allocate, as the first use of other kinds does. */
#define IN_HANDLER __attribute__((tls_model("initial-exec")))

static _Thread_local JitRun *current_run IN_HANDLER;
static _Thread_local u64 passed_pc IN_HANDLER;
static _Thread_local u32 passed IN_HANDLER; /* so often, one behind the other, from there */

static const int numbers[] = { SIGSEGV, SIGBUS };
static struct sigaction before[COUNT_OF(numbers)];
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER; /* before */

static u64 *program_counter(void *context)
{
	return jit_host()->fault_pc(context); /* nothing is compiled where there is no target, and nothing is installed */
}

static const JitFault *find(const JitFaults *faults, u32 at)
{
	u32 lo = 0, hi = faults->count;

	while (lo < hi) {
		u32 middle = lo + (hi - lo) / 2;

		if (faults->list[middle].at < at)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo < faults->count && faults->list[lo].at == at ? &faults->list[lo] : NULL;
}

static bool is_ours(const siginfo_t *info, void *context)
{
	JitRun *run = current_run;
	u64 *pc = program_counter(context), offset;
	u64 address = (u64)(uintptr_t)info->si_addr - (u64)(uintptr_t)(run ? run->memory : NULL);
	const JitFault *fault;

	if (!run || !run->memory || !pc || info->si_code <= 0) /* sent by somebody */
		return false;
	offset = *pc - (u64)(uintptr_t)run->code;
	if (offset >= run->code_bytes || address + SPACE_GUARD >= run->memory_bytes + 2 * (u64)SPACE_GUARD)
		return false;
	fault = find(run->faults, (u32)offset);
	if (!fault && run->other_faults)
		fault = find(run->other_faults, (u32)offset);
	if (!fault)
		return false;
	*pc = (u64)(uintptr_t)(run->code + (fault->to & ~JIT_FAULT_STAYS));
	if (fault->to & JIT_FAULT_STAYS)
		return true;
	run->page = address >> SPACE_PAGE_SHIFT;
	run->faulted = true;
	return true;
}

static void pass_on(int number, siginfo_t *info, void *context)
{
	const struct sigaction *former = &before[number == numbers[0] ? 0 : 1];
	const u64 *pc = program_counter(context);

	passed = pc && *pc == passed_pc ? passed + 1 : 0;
	passed_pc = pc ? *pc : 0;
	if (passed < ROUNDS && former->sa_flags & SA_SIGINFO) {
		former->sa_sigaction(number, info, context);
	} else if (passed < ROUNDS && former->sa_handler != SIG_DFL && former->sa_handler != SIG_IGN) {
		former->sa_handler(number);
	} else if (former->sa_handler != SIG_IGN || info->si_code > 0) {
		/* A fault happens again when we return, and then ends the process; one that was sent does not. */
		signal(number, SIG_DFL);
		if (info->si_code <= 0)
			raise(number);
	}
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	if (!is_ours(info, context))
		pass_on(number, info, context);
}

static bool install(unsigned i)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK }, now;

	sigemptyset(&action.sa_mask);
	if (sigaction(numbers[i], NULL, &now))
		return false;
	if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_fault)
		return true;
	before[i] = now;
	return sigaction(numbers[i], &action, NULL) == 0;
}

bool jit_signal_install(void)
{
	bool done = true;

	if (pthread_mutex_lock(&changing))
		return false;
	for (unsigned i = 0; i < COUNT_OF(numbers); i++)
		done &= install(i);
	pthread_mutex_unlock(&changing);
	return done;
}

void jit_signal_enter(JitRun *run)
{
	run->outer = current_run;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	current_run = run;
}

void jit_signal_leave(const JitRun *run)
{
	current_run = run->outer;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

bool jit_faults_add(JitFaults *faults, u32 at, u32 to)
{
	if (!array_grow((void **)&faults->list, &faults->cap, faults->count, sizeof(JitFault)))
		return false;
	faults->list[faults->count++] = (JitFault){ at, to };
	return true;
}
