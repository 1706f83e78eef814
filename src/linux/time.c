/* SPDX-License-Identifier: MIT
 *
 * Clocks and sleeping.
 *
 *     CLOCK_MONOTONIC, _RAW, _COARSE, BOOTTIME     the machine's time
 *     CLOCK_REALTIME, _COARSE, TAI                 that, from the configured hour on; nobody can set it
 *     CLOCK_PROCESS_CPUTIME_ID, _THREAD_CPUTIME_ID instructions executed, LINUX_INSTRUCTION_NS each; and the clocks of
 *                                                  other processes and threads (negative numbers)
 */
#include <string.h>
#include <time.h>

#include "linux/process.h"
#include "linux/signal.h"
#include "linux/syscalls.h"
#include "linux/timers.h"

enum { TICK = 10000000 /* USER_HZ = 100 */ };

static u64 add_ns(u64 a, u64 b)
{
	return a > ~(u64)0 - b ? ~(u64)0 : a + b;
}

/* ~(pid << 3 | kind): the CPU clock of a process, or of a thread (bit 2). */
static bool read_cpu_clock(Task *task, i32 clock, u64 *ns)
{
	i32 id = ~(clock >> 3);
	Task *thread;
	Process *process;

	if ((clock & 3) == 3)
		return false;
	if (clock & 4) {
		thread = id ? task_find(task->kernel, id) : task;
		if (!thread || thread->process != task->process)
			return false;
		*ns = task_cpu_time(thread);
		return true;
	}
	process = id ? process_find(task->kernel, id) : task->process;
	if (!process)
		return false;
	*ns = process_cpu_time(process);
	return true;
}

bool clock_read(Task *task, i32 clock, u64 *ns)
{
	switch (clock) {
	case CLOCK_REALTIME: case CLOCK_REALTIME_COARSE: case CLOCK_TAI: case CLOCK_REALTIME_ALARM:
		*ns = kernel_real_time(task->kernel);
		return true;
	case CLOCK_MONOTONIC: case CLOCK_MONOTONIC_RAW: case CLOCK_MONOTONIC_COARSE: case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = kernel_now(task->kernel);
		return true;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = process_cpu_time(task->process);
		return true;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = task_cpu_time(task);
		return true;
	default:
		return clock < 0 && read_cpu_clock(task, clock, ns);
	}
}

bool clock_hour(Task *task, i32 clock, bool absolute, u64 ns, u64 *hour)
{
	bool real = clock == CLOCK_REALTIME || clock == CLOCK_TAI || clock == CLOCK_REALTIME_ALARM;

	if (!real && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME && clock != CLOCK_BOOTTIME_ALARM)
		return false;
	if (!absolute)
		*hour = add_ns(kernel_now(task->kernel), ns);
	else
		*hour = !real ? ns : ns > task->kernel->real_time ? ns - task->kernel->real_time : 0;
	return true;
}

i64 user_itimerspec(Task *task, u64 address, u64 *interval, u64 *value)
{
	if (!user_timespec(task, address, interval) || !user_timespec(task, address + 16, value))
		return -EFAULT;
	return *interval == ~(u64)0 || *value == ~(u64)0 ? -EINVAL : 0;
}

i64 user_put_itimerspec(Task *task, u64 address, u64 interval, u64 value)
{
	return user_put_timespec(task, address, interval) && user_put_timespec(task, address + 16, value) ? 0 : -EFAULT;
}

/* ---- Asking ---- */

i64 sys_clock_gettime(Task *task, const u64 *a)
{
	u64 ns;

	if (!clock_read(task, (i32)a[0], &ns))
		return -EINVAL;
	return user_put_timespec(task, a[1], ns) ? 0 : -EFAULT;
}

i64 sys_clock_getres(Task *task, const u64 *a)
{
	i32 clock = (i32)a[0];
	u64 ns;

	if (!clock_read(task, clock, &ns))
		return -EINVAL;
	ns = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE ? TICK : 1;
	return !a[1] || user_put_timespec(task, a[1], ns) ? 0 : -EFAULT;
}

i64 sys_clock_settime(Task *task, const u64 *a)
{
	u64 ns;

	if (!clock_read(task, (i32)a[0], &ns))
		return -EINVAL;
	return (i32)a[0] == CLOCK_REALTIME ? -EPERM : -EINVAL;
}

i64 sys_clock_adjtime(Task *task, const u64 *a)
{
	(void)task;
	(void)a;
	return -EPERM;
}

i64 sys_adjtimex(Task *task, const u64 *a)
{
	(void)task;
	(void)a;
	return -EPERM;
}

i64 sys_gettimeofday(Task *task, const u64 *a)
{
	u64 value[2], zone = 0;

	time_to_timeval(kernel_real_time(task->kernel), value);
	if (a[0] && !user_write(task, a[0], value, sizeof(value)))
		return -EFAULT;
	return !a[1] || user_write(task, a[1], &zone, sizeof(zone)) ? 0 : -EFAULT;
}

i64 sys_settimeofday(Task *task, const u64 *a)
{
	(void)task;
	(void)a;
	return -EPERM;
}

i64 sys_times(Task *task, const u64 *a)
{
	Process *process = task->process;
	u64 value[4] = { process_cpu_time(process) / TICK, 0, process->children_icount * LINUX_INSTRUCTION_NS / TICK, 0 };

	if (a[0] && !user_write(task, a[0], value, sizeof(value)))
		return -EFAULT;
	return (i64)(kernel_now(task->kernel) / TICK);
}

/* ---- Sleeping ---- */

/* `left`: where to write what is left when a signal ends it; 0: nowhere. */
static i64 sleep_until(Task *task, u64 hour, u64 left)
{
	u64 now = kernel_now(task->kernel);

	if (now >= hour)
		return 0;
	if (left && signal_is_pending(task) && !user_put_timespec(task, left, hour - now))
		return -EFAULT;
	task_wait_hour(task, hour);
	return CALL_WAIT;
}

static i64 sleep_on_cpu_clock(Task *task, i32 clock, u64 until)
{
	u64 ns, now = kernel_now(task->kernel);

	if (!clock_read(task, clock, &ns))
		return -EINVAL;
	if (ns >= until)
		return 0;
	/* It advances no faster than about real time: look again when it could be there. */
	task_wait_hour(task, add_ns(now, until - ns > 1000000 ? until - ns : 1000000));
	return CALL_WAIT;
}

i64 sys_clock_nanosleep(Task *task, const u64 *a)
{
	i32 clock = (i32)a[0];
	bool absolute = a[1] & TIMER_ABSTIME;
	u64 *data = task->call.data, ns, now;
	bool cpu = clock == CLOCK_PROCESS_CPUTIME_ID || clock < 0;

	if (!task->call.again) {
		if (!user_timespec(task, a[2], &ns))
			return -EFAULT;
		if (ns == ~(u64)0 || clock == CLOCK_THREAD_CPUTIME_ID)
			return -EINVAL;
		if (cpu && !clock_read(task, clock, &now))
			return -EINVAL;
		if (cpu)
			data[0] = absolute ? ns : add_ns(now, ns);
		else if (!clock_hour(task, clock, absolute, ns, &data[0]))
			return -EOPNOTSUPP;
	}
	return cpu ? sleep_on_cpu_clock(task, clock, data[0]) : sleep_until(task, data[0], absolute ? 0 : a[3]);
}

i64 sys_nanosleep(Task *task, const u64 *a)
{
	u64 ns;

	if (!task->call.again) {
		if (!user_timespec(task, a[0], &ns))
			return -EFAULT;
		if (ns == ~(u64)0)
			return -EINVAL;
		task->call.data[0] = add_ns(kernel_now(task->kernel), ns);
	}
	return sleep_until(task, task->call.data[0], a[1]);
}
