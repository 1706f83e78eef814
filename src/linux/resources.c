/* SPDX-License-Identifier: MIT
 *
 * Limits, usage, priorities, processors, and what prctl says and sets.
 */
#define _GNU_SOURCE /* sched.h: SCHED_BATCH, CLONE_* */
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "linux/mm.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/syscalls.h"

/* ---- Limits ---- */

static i64 set_limit(Process *process, u32 which, const u64 *wanted)
{
	u64 *limit = process->limits[which];

	if (wanted[0] > wanted[1])
		return -EINVAL;
	if (wanted[1] > limit[1])
		return -EPERM; /* what the machine was given is the end, also for root */
	limit[0] = wanted[0];
	limit[1] = wanted[1];
	return 0;
}

static i64 limits(Task *task, Process *process, u64 which, u64 new, u64 old)
{
	u64 wanted[2], before[2];
	i64 error;

	if (which >= RLIM_NLIMITS)
		return -EINVAL;
	if (new && !user_read(task, new, wanted, sizeof(wanted)))
		return -EFAULT;
	memcpy(before, process->limits[which], sizeof(before));
	error = new ? set_limit(process, (u32)which, wanted) : 0;
	if (error)
		return error;
	return !old || user_write(task, old, before, sizeof(before)) ? 0 : -EFAULT;
}

i64 sys_prlimit64(Task *task, const u64 *a)
{
	Process *process = (i32)a[0] ? process_find(task->kernel, (i32)a[0]) : task->process;

	if (!process)
		return -ESRCH;
	if (process != task->process && task->process->user != 0 && task->process->real_user != process->real_user)
		return -EPERM;
	return limits(task, process, (u32)a[1], a[2], a[3]);
}

i64 sys_getrlimit(Task *task, const u64 *a)
{
	return limits(task, task->process, (u32)a[0], 0, a[1]);
}

i64 sys_setrlimit(Task *task, const u64 *a)
{
	return a[1] ? limits(task, task->process, (u32)a[0], a[1], 0) : -EFAULT;
}

/* ---- Usage ---- */

i64 sys_getrusage(Task *task, const u64 *a)
{
	const Process *process = task->process;
	u64 usage[18] = { 0 }, ns;

	switch ((i32)a[0]) {
	case RUSAGE_SELF: ns = process_cpu_time(process); break;
	case RUSAGE_CHILDREN: ns = process->children_icount * LINUX_INSTRUCTION_NS; break;
	case RUSAGE_THREAD: ns = task_cpu_time(task); break;
	default: return -EINVAL;
	}
	time_to_timeval(ns, usage);
	usage[4] = (i32)a[0] == RUSAGE_CHILDREN ? 0 : mm_bytes_present(process->mm) / 1024; /* ru_maxrss */
	return user_write(task, a[1], usage, sizeof(usage)) ? 0 : -EFAULT;
}

i64 sys_sysinfo(Task *task, const u64 *a)
{
	struct {
		u64 uptime, loads[3], total, free, shared, buffers, swap, swap_free;
		u16 processes, pad;
		u32 pad2;
		u64 high, high_free;
		u32 unit, pad3;
	} info = { .uptime = kernel_now(task->kernel) / NS_IN_SECOND, .unit = 1 };
	MachineStats stats;

	machine_stats(task->kernel->machine, &stats);
	info.total = machine_memory_limit(task->kernel->machine);
	info.free = stats.memory_bytes < info.total ? info.total - stats.memory_bytes : 0;
	info.processes = (u16)task->kernel->task_count;
	return user_write(task, a[0], &info, sizeof(info)) ? 0 : -EFAULT;
}

/* ---- Random ---- */

i64 sys_getrandom(Task *task, const u64 *a)
{
	enum { NONBLOCK = 1, RANDOM = 2, INSECURE = 4, MOST = 0x1FFFFFF };
	u64 len = a[1] < MOST ? a[1] : MOST, done = 0;
	u8 bytes[256];

	if ((a[2] & ~(u64)(NONBLOCK | RANDOM | INSECURE)) || (a[2] & (RANDOM | INSECURE)) == (RANDOM | INSECURE))
		return -EINVAL;
	while (done < len) {
		u64 piece = len - done < sizeof(bytes) ? len - done : sizeof(bytes);

		kernel_random(task->kernel, bytes, piece);
		if (!user_write(task, a[0] + done, bytes, piece))
			return done ? (i64)done : -EFAULT;
		done += piece;
	}
	return (i64)done;
}

/* ---- Processors and priorities ---- */

static bool thread_exists(Task *task, u64 tid)
{
	return !(i32)tid || ((i32)tid > 0 && (task_find(task->kernel, (i32)tid) || process_find(task->kernel, (i32)tid)));
}

i64 sys_sched_yield(Task *task, const u64 *a)
{
	(void)a;
	machine_yield(task->kernel->machine);
	return 0;
}

i64 sys_sched_getaffinity(Task *task, const u64 *a)
{
	u64 mask = 1;

	if (a[1] < sizeof(mask) || a[1] % sizeof(mask))
		return -EINVAL;
	if (!thread_exists(task, a[0]))
		return -ESRCH;
	return user_put_u64(task, a[2], mask) ? (i64)sizeof(mask) : -EFAULT;
}

i64 sys_sched_setaffinity(Task *task, const u64 *a)
{
	u64 mask = 0;

	if (!thread_exists(task, a[0]))
		return -ESRCH;
	if (!user_read(task, a[2], &mask, a[1] < sizeof(mask) ? a[1] : sizeof(mask)))
		return -EFAULT;
	return mask & 1 ? 0 : -EINVAL;
}

i64 sys_getcpu(Task *task, const u64 *a)
{
	return (!a[0] || user_put_u32(task, a[0], 0)) && (!a[1] || user_put_u32(task, a[1], 0)) ? 0 : -EFAULT;
}

i64 sys_sched_getscheduler(Task *task, const u64 *a)
{
	return (i32)a[0] < 0 ? -EINVAL : thread_exists(task, a[0]) ? SCHED_OTHER : -ESRCH;
}

i64 sys_sched_setscheduler(Task *task, const u64 *a)
{
	i32 policy = (i32)a[1], priority;

	if ((i32)a[0] < 0)
		return -EINVAL;
	if (!user_read(task, a[2], &priority, sizeof(priority)))
		return -EFAULT;
	if (!thread_exists(task, a[0]))
		return -ESRCH;
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return priority >= 1 && priority <= 99 ? -EPERM : -EINVAL;
	return (policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE) && !priority ? 0 : -EINVAL;
}

i64 sys_sched_getparam(Task *task, const u64 *a)
{
	if (!thread_exists(task, a[0]))
		return -ESRCH;
	return user_put_u32(task, a[1], 0) ? 0 : -EFAULT;
}

i64 sys_sched_setparam(Task *task, const u64 *a)
{
	i32 priority;

	if (!thread_exists(task, a[0]))
		return -ESRCH;
	if (!user_read(task, a[1], &priority, sizeof(priority)))
		return -EFAULT;
	return priority ? -EINVAL : 0;
}

i64 sys_sched_get_priority_max(Task *task, const u64 *a)
{
	(void)task;
	switch ((i32)a[0]) {
	case SCHED_FIFO: case SCHED_RR: return 99;
	case SCHED_OTHER: case SCHED_BATCH: case SCHED_IDLE: case 6: return 0;
	default: return -EINVAL;
	}
}

i64 sys_sched_get_priority_min(Task *task, const u64 *a)
{
	i64 most = sys_sched_get_priority_max(task, a);

	return most > 0 ? 1 : most;
}

i64 sys_sched_rr_get_interval(Task *task, const u64 *a)
{
	if (!thread_exists(task, a[0]))
		return -ESRCH;
	return user_put_timespec(task, a[1], 4000000) ? 0 : -EFAULT;
}

i64 sys_getpriority(Task *task, const u64 *a)
{
	i32 which = (i32)a[0], who = (i32)a[1], best = 20;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	for (const Process *process = task->kernel->processes; process; process = process->next) {
		bool meant = which == PRIO_PROCESS ? process->pid == (who ? who : task->process->pid) :
			     which == PRIO_PGRP ? process->pgid == (who ? who : task->process->pgid) :
			     process->real_user == (who ? (u32)who : task->process->real_user);

		if (meant && !process->zombie && process->nice < best)
			best = process->nice;
	}
	return best == 20 ? -ESRCH : 20 - best;
}

i64 sys_setpriority(Task *task, const u64 *a)
{
	i32 which = (i32)a[0], who = (i32)a[1], nice = (i32)a[2];
	bool any = false;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
	for (Process *process = task->kernel->processes; process; process = process->next) {
		bool meant = which == PRIO_PROCESS ? process->pid == (who ? who : task->process->pid) :
			     which == PRIO_PGRP ? process->pgid == (who ? who : task->process->pgid) :
			     process->real_user == (who ? (u32)who : task->process->real_user);

		if (!meant || process->zombie)
			continue;
		if (nice < process->nice && task->process->user != 0)
			return -EACCES;
		process->nice = nice;
		any = true;
	}
	return any ? 0 : -ESRCH;
}

i64 sys_ioprio_get(Task *task, const u64 *a)
{
	(void)task;
	return a[0] >= 1 && a[0] <= 3 ? 4 : -EINVAL; /* as if it had not been set */
}

i64 sys_ioprio_set(Task *task, const u64 *a)
{
	(void)task;
	return a[0] >= 1 && a[0] <= 3 ? 0 : -EINVAL;
}

/* ---- prctl ---- */

enum { CAPABILITIES = 41, SET_ANON_NAME = 0x53564d41 };

static i64 get_u32(Task *task, u64 address, u32 value)
{
	return user_put_u32(task, address, value) ? 0 : -EFAULT;
}

static i64 task_name(Task *task, const u64 *a)
{
	char name[16] = "";

	if (a[0] == PR_GET_NAME)
		return user_write(task, a[1], task->name, sizeof(task->name)) ? 0 : -EFAULT;
	if (user_string(task, a[1], name, sizeof(name)) == -EFAULT)
		return -EFAULT;
	name[15] = 0;
	memset(task->name, 0, sizeof(task->name));
	memcpy(task->name, name, strlen(name));
	return 0;
}

i64 sys_prctl(Task *task, const u64 *a)
{
	Process *process = task->process;

	switch ((i32)a[0]) {
	case PR_SET_NAME: case PR_GET_NAME:
		return task_name(task, a);
	case PR_SET_PDEATHSIG:
		if (a[1] > 64)
			return -EINVAL;
		process->parent_death_signal = (i32)a[1];
		return 0;
	case PR_GET_PDEATHSIG:
		return get_u32(task, a[1], (u32)process->parent_death_signal);
	case PR_GET_DUMPABLE:
		return process->dumpable;
	case PR_SET_DUMPABLE:
		if (a[1] > 1)
			return -EINVAL;
		process->dumpable = a[1];
		return 0;
	case PR_GET_KEEPCAPS:
		return process->keeps_capabilities;
	case PR_SET_KEEPCAPS:
		if (a[1] > 1)
			return -EINVAL;
		process->keeps_capabilities = a[1];
		return 0;
	case PR_CAPBSET_READ:
		return a[1] >= CAPABILITIES ? -EINVAL : process->user == 0;
	case PR_CAPBSET_DROP:
		return a[1] >= CAPABILITIES ? -EINVAL : process->user == 0 ? 0 : -EPERM;
	case PR_GET_SECUREBITS: case PR_GET_THP_DISABLE: case PR_GET_TIMING: case PR_GET_IO_FLUSHER: case PR_MCE_KILL:
		return 0;
	case PR_GET_SECCOMP:
		return 0;
	case PR_SET_TIMERSLACK: case PR_SET_THP_DISABLE:
		return 0;
	case PR_GET_TIMERSLACK:
		return 50000;
	case PR_SET_CHILD_SUBREAPER:
		process->subreaper = a[1] != 0;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return get_u32(task, a[1], process->subreaper);
	case PR_SET_NO_NEW_PRIVS:
		if (a[1] != 1 || a[2] || a[3] || a[4])
			return -EINVAL;
		process->no_new_privileges = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return process->no_new_privileges;
	case PR_GET_TID_ADDRESS:
		return user_put_u64(task, a[1], task->clear_tid) ? 0 : -EFAULT;
	case PR_CAP_AMBIENT:
		return a[1] == PR_CAP_AMBIENT_IS_SET || a[1] == PR_CAP_AMBIENT_CLEAR_ALL ? 0 : -EPERM;
	case PR_SET_MM:
		return -EPERM;
	default:
		return -EINVAL; /* SET_ANON_NAME among them: as a kernel built without it */
	}
}

i64 sys_personality(Task *task, const u64 *a)
{
	enum { ASK = 0xFFFFFFFF, NO_RANDOM_ADDRESSES = 0x0040000 };

	(void)task;
	return (u32)a[0] == ASK || (u32)a[0] == 0 || (u32)a[0] == NO_RANDOM_ADDRESSES ? 0 : -EINVAL;
}

/* ---- Order of memory: all tasks run one after the other ---- */

i64 sys_membarrier(Task *task, const u64 *a)
{
	enum { QUERY = 0, ALL = 0x1FF };

	(void)task;
	if (a[1])
		return -EINVAL;
	if ((i32)a[0] == QUERY)
		return 1 | 2 | 4 | 8 | 16; /* global, expedited and private expedited, with their registrations */
	return (i32)a[0] > 0 && (i32)a[0] <= 16 && !(a[0] & (a[0] - 1)) ? 0 : -EINVAL;
}

/* Restartable sequences: libraries do without when the kernel is built without them. */
i64 sys_rseq(Task *task, const u64 *a)
{
	(void)task;
	(void)a;
	return -ENOSYS;
}

/* ---- What a locked container refuses ---- */

static i64 refused(void)
{
	return -EPERM;
}

i64 sys_unshare(Task *task, const u64 *a)
{
	(void)task;
	/* What a thread shares with its process stays shared; a process has these for itself already. */
	return a[0] & ~(u64)(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM) || task->process->tasks->next ? refused() : 0;
}

i64 sys_ptrace(Task *task, const u64 *a)
{
	(void)task;
	(void)a;
	return refused();
}

i64 sys_setns(Task *task, const u64 *a)
{
	(void)task;
	(void)a;
	return refused();
}

i64 sys_kcmp(Task *task, const u64 *a)
{
	(void)task;
	(void)a;
	return refused();
}

i64 sys_bpf(Task *task, const u64 *a)
{
	(void)task;
	(void)a;
	return refused();
}

i64 sys_perf_event_open(Task *task, const u64 *a)
{
	(void)task;
	(void)a;
	return refused();
}

i64 sys_reboot(Task *task, const u64 *a)
{
	(void)task;
	(void)a;
	return refused();
}

i64 sys_syslog(Task *task, const u64 *a)
{
	(void)task;
	(void)a;
	return refused();
}

i64 sys_acct(Task *task, const u64 *a)
{
	(void)task;
	(void)a;
	return refused();
}
