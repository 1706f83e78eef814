/* SPDX-License-Identifier: MIT
 *
 * The end of threads and processes, and waiting for it.
 *
 *     exit_group, a signal -> process_end -> zombie -> parent waits -> process_reap
 *                                 |             `---- or at once, if the parent ignores SIGCHLD
 *                                 |- children go to the nearest subreaper or the first process
 *                                 `- the first process: everything ends
 */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "linux/anon.h"
#include "linux/mm.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/syscalls.h"
#include "linux/vfs.h"

/* ---- The end ---- */

static Process *heir_of(const Process *process)
{
	for (Process *parent = process->parent; parent; parent = parent->parent)
		if (parent->subreaper && !parent->exiting)
			return parent;
	return process->kernel->processes;
}

static void orphan(Process *child, Process *heir)
{
	child->parent = heir;
	child->death_signal = SIGCHLD; /* not what it would have told its maker */
	if (child->zombie) {
		signal_child(child, true);
		return;
	}
	if (child->parent_death_signal)
		signal_send(child, &(SignalInfo){ .number = child->parent_death_signal, .code = SI_USER });
	if (child->stopped && process_group_is_orphaned(child->kernel, child->pgid)) {
		signal_send(child, &(SignalInfo){ .number = SIGHUP, .code = SI_KERNEL });
		signal_send(child, &(SignalInfo){ .number = SIGCONT, .code = SI_KERNEL });
	}
}

static void leave_children(Process *process)
{
	Process *heir = heir_of(process);

	for (Process *child = process->kernel->processes, *next; child; child = next) {
		next = child->next;
		if (child->parent == process)
			orphan(child, heir);
	}
}

static void end_all_others(Process *first)
{
	Kernel *kernel = first->kernel;

	kernel->ended = true;
	kernel->end_signal = first->exit_signal;
	for (Process *process = first->next; process; process = process->next)
		process_end(process, 0, SIGKILL);
}

void process_end(Process *process, i32 code, i32 signal)
{
	Kernel *kernel = process->kernel;

	if (process->exiting)
		return;
	process->exiting = true;
	process->exit_code = code;
	process->exit_signal = signal;
	if (kernel->trace && process->tasks && !kernel->ended)
		strace_exit(process_any_task(process), code, signal);
	if (!process->parent && !kernel->ended)
		end_all_others(process);
	while (process->tasks)
		task_end(process->tasks);
	timers_destroy(process);
	vfs_process_ended(process);
	fds_put(process->files);
	fs_put(process->fs);
	mm_put(process->mm);
	process->files = NULL;
	process->fs = NULL;
	process->mm = NULL;
	process->stopped = false;
	process->zombie = true;
	if (kernel->ended)
		return;
	leave_children(process);
	signal_child(process, true);
}

void process_end_others(Task *task)
{
	Task *next;

	for (Task *other = task->process->tasks; other; other = next) {
		next = other->next;
		if (other != task)
			task_end(other);
	}
}

void process_reap(Process *process)
{
	Process *parent = process->parent;

	if (parent)
		parent->children_icount += process->user_icount + process->children_icount;
	process_forget(process);
}

i64 sys_exit(Task *task, const u64 *a)
{
	Process *process = task->process;
	i32 code = (i32)(a[0] & 0xFF);

	if (process->tasks == task && !task->next) {
		process_end(process, code, 0);
		return CALL_DONE;
	}
	if (task->kernel->trace)
		strace_exit(task, code, 0);
	task_end(task);
	return CALL_DONE;
}

i64 sys_exit_group(Task *task, const u64 *a)
{
	process_end(task->process, (i32)(a[0] & 0xFF), 0);
	return CALL_DONE;
}

/* ---- Waiting for children ---- */

typedef enum Happened { NOTHING, ENDED, STOPPED, CONTINUED } Happened;

enum { P_PIDFD_TYPE = 3 }; /* not in every sys/wait.h */

typedef struct Wanted {
	i32 type, id; /* P_ALL, P_PID, P_PGID */
	u32 options;
} Wanted;

static bool is_wanted(const Task *task, const Process *child, const Wanted *wanted)
{
	bool is_clone = child->death_signal != SIGCHLD;

	if (child->parent != task->process)
		return false;
	if (wanted->type == P_PID && child->pid != wanted->id)
		return false;
	if (wanted->type == P_PGID && child->pgid != wanted->id)
		return false;
	return (wanted->options & __WALL) || is_clone == !!(wanted->options & __WCLONE);
}

static Happened what_happened(const Process *child, u32 options)
{
	if (child->zombie)
		return options & WEXITED ? ENDED : NOTHING;
	if (child->stopped && child->stop_signal && (options & WSTOPPED))
		return STOPPED;
	return child->continued && (options & WCONTINUED) ? CONTINUED : NOTHING;
}

/* A child that something happened to. CALL_WAIT, -ECHILD, 0 (WNOHANG), or its number with *out and *what. */
static i64 wait_for(Task *task, const Wanted *wanted, Process **out, Happened *what)
{
	bool any = false;

	*out = NULL;
	for (Process *child = task->kernel->processes; child; child = child->next) {
		if (!is_wanted(task, child, wanted))
			continue;
		any = true;
		*what = what_happened(child, wanted->options);
		if (*what == NOTHING)
			continue;
		*out = child;
		return child->pid;
	}
	if (!any)
		return -ECHILD;
	if (wanted->options & WNOHANG)
		return 0;
	return task_watch(task, &task->process->children_changed) ? CALL_WAIT : -ENOMEM;
}

static void take(Process *child, Happened what, u32 options)
{
	if (options & WNOWAIT)
		return;
	if (what == ENDED)
		process_reap(child);
	else if (what == STOPPED)
		child->stop_signal = 0;
	else
		child->continued = false;
}

static u32 status_of(const Process *child, Happened what)
{
	if (what == STOPPED)
		return (u32)child->stop_signal << 8 | 0x7F;
	if (what == CONTINUED)
		return 0xFFFF;
	return child->exit_signal ? (u32)child->exit_signal : (u32)child->exit_code << 8;
}

static bool put_usage(Task *task, u64 address, const Process *child)
{
	u64 usage[18] = { 0 }, ns = process_cpu_time(child) + child->children_icount * LINUX_INSTRUCTION_NS;

	time_to_timeval(ns, usage);
	return !address || user_write(task, address, usage, sizeof(usage));
}

i64 sys_wait4(Task *task, const u64 *a)
{
	i32 pid = (i32)a[0];
	Wanted wanted = { .options = (u32)a[2] };
	Process *child;
	Happened what = NOTHING;
	i64 result;

	if (wanted.options & ~(u32)(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	wanted.options |= WEXITED;
	wanted.type = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
	wanted.id = pid > 0 ? pid : pid == 0 ? task->process->pgid : -pid;
	result = wait_for(task, &wanted, &child, &what);
	if (!child)
		return result;
	if (a[1] && !user_put_u32(task, a[1], status_of(child, what)))
		return -EFAULT;
	if (!put_usage(task, a[3], child))
		return -EFAULT;
	take(child, what, wanted.options);
	return result;
}

i64 sys_waitid(Task *task, const u64 *a)
{
	Wanted wanted = { .type = (i32)a[0], .id = (i32)a[1], .options = (u32)a[3] };
	Process *child;
	Happened what = NOTHING;
	u8 bytes[128] = { 0 };
	i64 result;

	if (wanted.options & ~(u32)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE))
		return -EINVAL;
	if (!(wanted.options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	if (wanted.type == P_PIDFD_TYPE) {
		wanted.type = P_PID;
		wanted.id = pidfd_pid(task, a[1]);
		if (wanted.id < 0)
			return wanted.id;
	}
	if (wanted.type < P_ALL || wanted.type > P_PGID || (wanted.type == P_PID && wanted.id <= 0) || wanted.id < 0)
		return -EINVAL;
	if (wanted.type == P_PGID && !wanted.id)
		wanted.id = task->process->pgid;
	result = wait_for(task, &wanted, &child, &what);
	if (result < 0)
		return result;
	if (child) {
		SignalInfo info = { .number = SIGCHLD, .pid = child->pid, .uid = (i32)child->real_user };

		info.code = what == STOPPED ? CLD_STOPPED : what == CONTINUED ? CLD_CONTINUED :
			    child->exit_signal ? CLD_KILLED : CLD_EXITED;
		info.status = what == STOPPED ? child->stop_signal : what == CONTINUED ? SIGCONT :
			      child->exit_signal ? child->exit_signal : child->exit_code;
		signal_put_info(&info, bytes);
		if (!put_usage(task, a[4], child))
			return -EFAULT;
	}
	if (a[2] && !user_write(task, a[2], bytes, 28))
		return -EFAULT;
	if (child)
		take(child, what, wanted.options);
	return 0;
}
