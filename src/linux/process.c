/* SPDX-License-Identifier: MIT
 *
 * Processes and tasks as records: making, finding, freeing. What programs ask of them is in clone.c (making), exit.c
 * (ending and waiting for it) and identity.c.
 *
 *     kernel->processes   init -> ... in the order they were made; zombies too, until somebody waits for them
 *     kernel->tasks       by number of the vCPU; a zombie has none
 *
 * A record that ended goes to kernel->dead_tasks or dead_processes and is given back when the next call begins: whoever
 * ended it may still hold it.
 */
#include "linux/process.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/array.h"
#include "linux/mm.h"
#include "linux/signal.h"
#include "linux/vfs.h"

enum { PID_LIMIT = 4194304, STACK_BYTES = 8 << 20 };

/* ---- Finding ---- */

Process *process_find(Kernel *kernel, i32 pid)
{
	Process *process = kernel->processes;

	while (process && process->pid != pid)
		process = process->next;
	return process;
}

Task *task_find(Kernel *kernel, i32 tid)
{
	for (u32 i = 0; i < kernel->task_cap; i++)
		if (kernel->tasks[i] && kernel->tasks[i]->tid == tid)
			return kernel->tasks[i];
	return NULL;
}

Task *process_any_task(const Process *process)
{
	for (Task *task = process->tasks; task; task = task->next)
		if (task->tid == process->pid)
			return task;
	return process->tasks;
}

static bool is_taken(Kernel *kernel, i32 pid)
{
	for (const Process *process = kernel->processes; process; process = process->next)
		if (process->pid == pid || process->pgid == pid || process->sid == pid)
			return true;
	return task_find(kernel, pid) != NULL;
}

i32 kernel_new_pid(Kernel *kernel)
{
	i32 pid;

	do {
		pid = kernel->next_pid;
		kernel->next_pid = pid + 1 < PID_LIMIT ? pid + 1 : 2;
	} while (is_taken(kernel, pid));
	return pid;
}

/* ---- Tasks ---- */

static bool room_for(Kernel *kernel, u32 vcpu)
{
	return array_reach((void **)&kernel->tasks, &kernel->task_cap, vcpu, sizeof(Task *));
}

/* vcpu: one that is there already. */
static i64 make_task(Process *process, i32 tid, u32 vcpu, Task **out)
{
	Kernel *kernel = process->kernel;
	Task *task = room_for(kernel, vcpu) ? calloc(1, sizeof(*task)) : NULL;
	Task **link = &process->tasks;

	if (!task)
		return -ENOMEM;
	task->kernel = kernel;
	task->process = process;
	task->vcpu = vcpu;
	task->tid = tid;
	task->call.hour = ~(u64)0;
	task->alt_stack.flags = SS_DISABLE;
	task->started_icount = machine_vcpu_icount(kernel->machine, vcpu);
	while (*link)
		link = &(*link)->next;
	*link = task;
	kernel->tasks[vcpu] = task;
	kernel->task_count++;
	*out = task;
	return 0;
}

Task *task_put(Process *process, u32 vcpu)
{
	Task *task;

	return make_task(process, 0, vcpu, &task) ? NULL : task;
}

i64 task_create(Process *process, i32 tid, Task **out)
{
	Machine *machine = process->kernel->machine;
	u32 vcpu;
	i64 error;

	if (machine_vcpu_add(machine, &vcpu))
		return -EAGAIN;
	error = make_task(process, tid, vcpu, out);
	if (error) {
		machine_vcpu_end(machine, vcpu, 0);
		machine_vcpu_free(machine, vcpu);
	}
	return error;
}

static void unlink_task(Task *task)
{
	Task **link = &task->process->tasks;

	while (*link != task)
		link = &(*link)->next;
	*link = task->next;
}

static void free_task(Task *task)
{
	task_unwatch(task);
	futex_cancel(task);
	if (task->vfork_done)
		wait_fini(task->vfork_done);
	free(task->vfork_done);
	free(task->pending.infos);
	free(task);
}

void task_end(Task *task)
{
	Kernel *kernel = task->kernel;
	Process *process = task->process;
	Machine *machine = kernel->machine;

	if (task->ending)
		return;
	task->ending = true;
	if (process->mm)
		futex_exit(task);
	futex_cancel(task);
	task_unwatch(task);
	if (task->vfork_done)
		wait_wake(task->vfork_done);
	process->user_icount += machine_vcpu_icount(machine, task->vcpu) - task->started_icount;
	unlink_task(task);
	kernel->tasks[task->vcpu] = NULL;
	kernel->task_count--;
	machine_vcpu_end(machine, task->vcpu, process->exit_signal ? 128 + (u64)process->exit_signal : (u64)process->exit_code);
	machine_vcpu_free(machine, task->vcpu);
	task->next_dead = kernel->dead_tasks;
	kernel->dead_tasks = task;
	if (process->pending.set)
		for (Task *other = process->tasks; other; other = other->next)
			signal_look(other);
}

/* ---- Processes ---- */

static void free_process(Process *process)
{
	timers_destroy(process);
	if (process->mm)
		mm_put(process->mm);
	if (process->files)
		fds_put(process->files);
	if (process->fs)
		fs_put(process->fs);
	if (process->signals)
		signals_put(process->signals);
	wait_fini(&process->children_changed);
	wait_fini(&process->signal_arrived);
	free(process->pending.infos);
	free(process->program);
	buf_fini(&process->arguments);
	buf_fini(&process->environment);
	buf_fini(&process->auxv);
	free(process);
}

Process *process_create(Kernel *kernel, i32 pid)
{
	Process *process, **link = &kernel->processes;

	if (kernel->process_count >= kernel->limits.processes)
		return NULL;
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->kernel = kernel;
	process->pid = pid;
	process->started = kernel_now(kernel);
	process->death_signal = SIGCHLD;
	process->dumpable = true;
	wait_init(&process->children_changed);
	wait_init(&process->signal_arrived);
	buf_init(&process->arguments);
	buf_init(&process->environment);
	buf_init(&process->auxv);
	while (*link)
		link = &(*link)->next;
	*link = process;
	kernel->process_count++;
	return process;
}

void process_forget(Process *process)
{
	Kernel *kernel = process->kernel;
	Process **link = &kernel->processes;

	while (*link != process)
		link = &(*link)->next;
	*link = process->next;
	kernel->process_count--;
	process->next_dead = kernel->dead_processes;
	kernel->dead_processes = process;
}

void kernel_bury(Kernel *kernel)
{
	while (kernel->dead_tasks) {
		Task *task = kernel->dead_tasks;

		kernel->dead_tasks = task->next_dead;
		free_task(task);
	}
	while (kernel->dead_processes) {
		Process *process = kernel->dead_processes;

		kernel->dead_processes = process->next_dead;
		free_process(process);
	}
}

void processes_destroy(Kernel *kernel)
{
	kernel_bury(kernel);
	for (u32 i = 0; i < kernel->task_cap; i++)
		if (kernel->tasks[i]) {
			free_task(kernel->tasks[i]);
			kernel->tasks[i] = NULL;
		}
	kernel->task_count = 0;
	/* What the files of one do when they go, nobody hears any more. */
	for (Process *process = kernel->processes; process; process = process->next)
		process->tasks = NULL;
	while (kernel->processes) {
		Process *process = kernel->processes;

		kernel->processes = process->next;
		kernel->process_count--;
		free_process(process);
	}
}

/* ---- The first one ---- */

static void set_limits(Process *process)
{
	const u64 files = process->kernel->limits.files;

	for (u32 i = 0; i < COUNT_OF(process->limits); i++)
		process->limits[i][0] = process->limits[i][1] = ~(u64)0;
	process->limits[RLIMIT_STACK][0] = STACK_BYTES;
	process->limits[RLIMIT_CORE][0] = 0;
	process->limits[RLIMIT_NPROC][0] = process->limits[RLIMIT_NPROC][1] = process->kernel->limits.processes;
	process->limits[RLIMIT_NOFILE][0] = process->limits[RLIMIT_NOFILE][1] = files;
	process->limits[RLIMIT_MEMLOCK][0] = process->limits[RLIMIT_MEMLOCK][1] = STACK_BYTES;
	process->limits[RLIMIT_SIGPENDING][0] = process->limits[RLIMIT_SIGPENDING][1] = SIGNALS_PENDING;
	process->limits[RLIMIT_MSGQUEUE][0] = process->limits[RLIMIT_MSGQUEUE][1] = 819200;
	process->limits[RLIMIT_NICE][0] = process->limits[RLIMIT_NICE][1] = 0;
	process->limits[RLIMIT_RTPRIO][0] = process->limits[RLIMIT_RTPRIO][1] = 0;
}

Status process_create_init(Kernel *kernel, Task **task)
{
	Process *process;
	Status status;

	if (kernel->processes)
		return STATUS_INVALID;
	kernel->next_pid = 2;
	process = process_create(kernel, 1);
	if (!process)
		return STATUS_NOMEM;
	process->pgid = process->sid = kernel->foreground = 1;
	process->user = process->real_user = process->saved_user = kernel->user;
	process->group = process->real_group = process->saved_group = kernel->group;
	set_limits(process);
	process->mm = mm_create_first(kernel);
	process->files = fds_create(kernel);
	process->fs = fs_create(kernel, kernel->directory ? kernel->directory : "/");
	process->signals = signals_create();
	if (!process->mm || !process->files || !process->fs || !process->signals)
		return STATUS_NOMEM;
	if (make_task(process, 1, 0, task))
		return STATUS_NOMEM;
	machine_set_pager(kernel->machine, mm_touch);
	machine_vcpu_set_aspace(kernel->machine, 0, mm_aspace(process->mm));
	status = fds_open_console(*task);
	return status;
}

/* ---- exec ---- */

static void name_after_program(Task *task)
{
	const char *path = task->process->program, *slash = path ? strrchr(path, '/') : NULL;
	const char *name = slash ? slash + 1 : path;

	if (!name)
		return;
	memset(task->name, 0, sizeof(task->name));
	memcpy(task->name, name, strnlen(name, sizeof(task->name) - 1));
}

void process_did_exec(Task *task)
{
	Process *process = task->process;

	task->tid = process->pid;
	task->clear_tid = 0;
	task->robust_list = 0;
	task->alt_stack = (AltStack){ .flags = SS_DISABLE };
	if (task->vfork_done) {
		wait_fini(task->vfork_done);
		free(task->vfork_done);
		task->vfork_done = NULL;
	}
	signals_exec(process);
	timers_exec(process);
	process->did_exec = true;
	process->keeps_capabilities = false;
	process->death_signal = process->death_signal ? SIGCHLD : 0;
	name_after_program(task);
}

/* ---- CPU time ---- */

u64 task_cpu_time(const Task *task)
{
	return (machine_vcpu_icount(task->kernel->machine, task->vcpu) - task->started_icount) * LINUX_INSTRUCTION_NS;
}

u64 process_cpu_time(const Process *process)
{
	u64 total = process->user_icount * LINUX_INSTRUCTION_NS;

	for (const Task *task = process->tasks; task; task = task->next)
		total += task_cpu_time(task);
	return total;
}

/* ---- Groups ---- */

bool process_group_is_orphaned(const Kernel *kernel, i32 pgid)
{
	for (const Process *process = kernel->processes; process; process = process->next) {
		const Process *parent = process->parent;

		if (process->pgid == pgid && !process->zombie && parent && parent->pgid != pgid && parent->sid == process->sid)
			return false;
	}
	return true;
}

void process_stop(Process *process, i32 signal)
{
	process->stopped = true;
	process->continued = false;
	process->stop_signal = signal;
	for (Task *task = process->tasks; task; task = task->next)
		machine_vcpu_pause(process->kernel->machine, task->vcpu, true);
	signal_child(process, false);
}

void process_continue(Process *process, bool tells)
{
	if (!process->stopped)
		return;
	process->stopped = false;
	process->continued = tells;
	for (Task *task = process->tasks; task; task = task->next)
		machine_vcpu_pause(process->kernel->machine, task->vcpu, false);
	if (tells)
		signal_child(process, false);
}
