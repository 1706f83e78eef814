/* SPDX-License-Identifier: MIT
 *
 * The way of a system call:
 *
 *     ecall -> linux_syscall -> sys_NAME -> result into its register; the next instruction
 *                 ^                |
 *                 |                `- CALL_WAIT: the instruction is undone, the vCPU waits for its own channel
 *                 `--- woken: the same instruction, the same call with call.again
 *
 * A call that would wait while a signal is there gives way to it: its instruction ends, and linux_attend, before the
 * next one, runs the handler or makes the call again. Everything that changes the program counter is done there, as
 * the instruction that calls sets it when it ends.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "linux/process.h"
#include "linux/rights.h"
#include "linux/signal.h"
#include "linux/syscalls.h"
#include "linux/timers.h"
#include "linux/waiter.h"

/* ---- The table ---- */

static const Syscall calls[] = {
#define X(number, name, restart, arguments) { number, #name, arguments, CALL_##restart, sys_##name },
#include "linux/syscalls_descriptors.def"
#include "linux/syscalls_files.def"
#include "linux/syscalls_memory.def"
#include "linux/syscalls_process.def"
#include "linux/syscalls_signal.def"
#include "linux/syscalls_time.def"
#undef X
};

enum { NUMBER_LIMIT = 512 };

enum {
#define X(number, name, restart, arguments) PLACE_##name,
#include "linux/syscalls_descriptors.def"
#include "linux/syscalls_files.def"
#include "linux/syscalls_memory.def"
#include "linux/syscalls_process.def"
#include "linux/syscalls_signal.def"
#include "linux/syscalls_time.def"
#undef X
};

/* Where each number stands in `calls`, plus 1. */
static const u16 places[NUMBER_LIMIT] = {
#define X(number, name, restart, arguments) [number] = 1 + PLACE_##name,
#include "linux/syscalls_descriptors.def"
#include "linux/syscalls_files.def"
#include "linux/syscalls_memory.def"
#include "linux/syscalls_process.def"
#include "linux/syscalls_signal.def"
#include "linux/syscalls_time.def"
#undef X
};

const Syscall *kernel_syscall(u64 number)
{
	return number < NUMBER_LIMIT && places[number] ? &calls[places[number] - 1] : NULL;
}

/* Names of calls that programs try and that are not here, for messages. */
static const struct {
	u32 number;
	const char *name;
} absent[] = {
	{ 0, "io_setup" }, { 58, "vhangup" }, { 104, "kexec_load" },
	{ 105, "init_module" }, { 180, "mq_open" }, { 186, "msgget" },
	{ 190, "semget" }, { 194, "shmget" }, { 217, "add_key" },
	{ 219, "keyctl" }, { 274, "sched_setattr" }, { 275, "sched_getattr" },
	{ 277, "seccomp" }, { 282, "userfaultfd" }, { 289, "pkey_alloc" },
	{ 425, "io_uring_setup" }, { 426, "io_uring_enter" }, { 427, "io_uring_register" },
	{ 438, "pidfd_getfd" }, { 440, "process_madvise" }, { 444, "landlock_create_ruleset" },
	{ 449, "futex_waitv" }, { 453, "map_shadow_stack" }, { 462, "mseal" },
};

static void print_absent(u64 number, Buf *out)
{
	for (u32 i = 0; i < COUNT_OF(absent); i++)
		if (absent[i].number == number) {
			buf_str(out, absent[i].name);
			return;
		}
	buf_printf(out, "number %llu", (unsigned long long)number);
}

void linux_summary(const Machine *machine, Buf *out)
{
	const Kernel *kernel = kernel_of(machine);
	bool any = false;

	for (u64 i = 0; kernel && kernel->reported && i < NUMBER_LIMIT; i++) {
		if (!kernel->reported[i])
			continue;
		buf_str(out, any ? ", " : "system calls that do not exist here: ");
		print_absent(i, out);
		any = true;
	}
	if (any)
		buf_str(out, "\n");
}

/* ---- A call ---- */

Task *task_current(Kernel *kernel)
{
	u32 vcpu = machine_vcpu_current(kernel->machine);

	return vcpu < kernel->task_cap ? kernel->tasks[vcpu] : NULL;
}

u64 kernel_now(Kernel *kernel)
{
	return kernel->in_call ? machine_clock(kernel->machine) : machine_time(kernel->machine);
}

u64 kernel_real_time(Kernel *kernel)
{
	return kernel->real_time + kernel_now(kernel);
}

void kernel_random(Kernel *kernel, void *to, size_t len)
{
	u8 *at = to;

	while (len) {
		u64 value = machine_random(kernel->machine);
		size_t piece = len < sizeof(value) ? len : sizeof(value);

		memcpy(at, &value, piece);
		at += piece;
		len -= piece;
	}
}

static bool is_again(const Call *call, u64 number, u64 pc)
{
	return call->again && call->number == number && call->pc == pc;
}

static void begin(Task *task, const LinuxRegisters *registers, u64 number, u64 pc)
{
	Machine *machine = task->kernel->machine;
	Call *call = &task->call;

	/* One by one: a `rep stos`, as compilers clear it, takes longer than most calls. */
	call->number = number;
	call->pc = pc;
	call->hour = ~(u64)0;
	call->again = false;
	call->progress = 0;
	call->started = 0;
	call->restart = (CallRestart)0;
	for (unsigned i = 0; i < COUNT_OF(call->data); i++)
		call->data[i] = 0;
	machine_get_slots(machine, registers->args, COUNT_OF(call->args), call->args);
	if (task->kernel->trace) {
		call->started = kernel_now(task->kernel);
		strace_enter(task);
	}
}

static i64 unknown(Kernel *kernel, u64 number)
{
	if (!kernel->reported)
		kernel->reported = calloc(NUMBER_LIMIT, 1);
	if (kernel->reported && number < NUMBER_LIMIT)
		kernel->reported[number] = 1;
	return -ENOSYS;
}

/* The call would wait. True: it does; false: it gives way to a signal, with *result. */
static bool waits(Task *task, i64 *result)
{
	Call *call = &task->call;
	bool woken = false;

	if (call->restart == CALL_NEVER ? !signal_kills(task) : !signal_is_pending(task)) {
		for (const Waiter *waiter = task->waiters; waiter; waiter = waiter->next)
			woken |= !waiter->queue;
		call->again = true;
		if (woken)
			call->hour = 0;
		return true;
	}
	task_unwatch(task);
	futex_cancel(task);
	call->again = false;
	*result = call->progress ? call->progress : -EINTR;
	task->restarts = !call->progress;
	return false;
}

/* Calls that change nothing the machine has to look at before the next instruction, but for what says so itself: signals, who is
 * woken, whose turn it is. */
static const bool quiet[NUMBER_LIMIT] = {
	[62] = true, [63] = true, [64] = true, [65] = true, [66] = true, [67] = true, [68] = true, /* lseek, read, write, readv, writev, pread64, pwrite64 */
	[17] = true, [48] = true, [78] = true, [79] = true, [80] = true, /* getcwd, faccessat, readlinkat, newfstatat, fstat */
	[113] = true, [114] = true, [153] = true, [165] = true, [169] = true, /* clock_gettime, clock_getres, times, getrusage, gettimeofday */
	[98] = true, [134] = true, [135] = true, /* futex, rt_sigaction, rt_sigprocmask */
	[155] = true, [156] = true, [160] = true, [163] = true, [168] = true, /* getpgid, getsid, uname, getrlimit, getcpu */
	[172] = true, [173] = true, [174] = true, [175] = true, [176] = true, [177] = true, [178] = true, /* getpid ... gettid */
	[278] = true, /* getrandom */
};

enum { QUIET_LOOKS = 8, SHORT = 4096 };

/* The driver has to look at its clock now and then, however many instructions that is. Short calls are worth less than a look. */
static void look_at_clock(Kernel *kernel, u64 number, u64 length)
{
	struct timespec time;
	u64 now;

	if (!kernel->slice_time)
		return;
	if (number < NUMBER_LIMIT && quiet[number] && length <= SHORT && ++kernel->quiet_calls % QUIET_LOOKS)
		return;
	clock_gettime(CLOCK_MONOTONIC, &time);
	now = (u64)time.tv_sec * 1000000000u + (u64)time.tv_nsec;
	if (now - kernel->slice_start < kernel->slice_time)
		return;
	kernel->slice_start = now;
	machine_break_soon(kernel->machine);
}

HostResult linux_syscall(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	Kernel *kernel = kernel_of(machine);
	Task *task = kernel ? task_current(kernel) : NULL;
	const LinuxRegisters *registers;
	const Syscall *syscall;
	u64 number, pc = machine_pc(machine);
	u32 vcpu = machine_vcpu_current(machine);
	i64 value;

	(void)args;
	(void)count;
	(void)result;
	if (!task) /* no program was loaded as Linux loads it: there is nobody who could call */
		return HOST_DENIED;
	registers = &kernel->abi->registers;
	if (kernel->dead_tasks || kernel->dead_processes)
		kernel_bury(kernel);
	number = machine_slot(machine, registers->number);
	kernel->in_call = true;
	timers_run(kernel); /* a program that has set a timer of a microsecond sees it at its next call */
	if (is_again(&task->call, number, pc))
		task_unwatch(task);
	else
		begin(task, registers, number, pc);
	look_at_clock(kernel, number, task->call.args[2]);
	syscall = kernel_syscall(number);
	if (syscall && !task->call.again)
		task->call.restart = syscall->restart;
	value = kernel_refuses(kernel, number);
	if (!value)
		value = syscall ? syscall->call(task, task->call.args) : unknown(kernel, number);
	if (kernel->tasks[vcpu] != task || (value == CALL_WAIT && waits(task, &value))) {
		kernel->in_call = false;
		if (kernel->tasks[vcpu] != task) /* it has ended */
			return HOST_OK;
		return machine_wait_until(machine, (u64)task->tid, task->call.hour);
	}
	if (task->waiters || task->call.hour != ~(u64)0)
		task_unwatch(task);
	if (!task->restarts)
		task->call.again = false;
	if (kernel->trace)
		strace_leave(task, value == CALL_DONE ? 0 : value);
	if (task->has_saved_blocked && !task->restarts) {
		task->blocked = task->saved_blocked;
		task->has_saved_blocked = false;
	}
	if (value == CALL_DONE) {
		task->resumes = true;
		task->resume_pc = machine_pc(machine);
	} else {
		machine_set_slot(machine, registers->result, (u64)value);
	}
	kernel->in_call = false;
	if (task->resumes || task->restarts || signal_is_pending(task))
		machine_want_attention(machine, vcpu);
	else if (number < NUMBER_LIMIT && quiet[number] && (!machine_time_has_moved(machine) || !timers_any(kernel)))
		return HOST_QUIET;
	return HOST_OK;
}
