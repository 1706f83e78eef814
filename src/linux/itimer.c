/* SPDX-License-Identifier: MIT
 *
 * Timers of processes: setitimer and timer_create, and the limit of CPU time.
 *
 * Those that run with real time stand in the kernel's heap. Those that run with CPU time are looked at between slices
 * (timers_check_cpu), as the instruction counts that they depend on advance everywhere.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "linux/process.h"
#include "linux/save.h"
#include "linux/signal.h"
#include "linux/syscalls.h"
#include "linux/timers.h"

enum { TIMER_LIMIT = 256, OVERRUN_MAX = 0x7FFFFFFF };
enum { REAL = 0, VIRTUAL = 1, PROF = 2 };

typedef struct PosixTimer PosixTimer;
struct PosixTimer {
	KernelTimer timer; /* the first member */
	PosixTimer *next;
	Process *process;
	i32 id, clock, notify, number, tid;
	u64 value, overrun;
	u64 cpu_hour, cpu_interval; /* for CPU clocks: cpu_hour 0 = not armed */
};

struct Timers {
	KernelTimer real; /* the first member: ITIMER_REAL */
	Process *process;
	u64 cpu_hour[3], cpu_interval[3]; /* of VIRTUAL and PROF; hour 0: not armed */
	PosixTimer *list;
	u32 count;
	i32 next_id;
	u64 limit_told;   /* seconds of CPU time at the last SIGXCPU */
};

static void real_fires(KernelTimer *timer, u64 periods)
{
	(void)periods;
	signal_send(((struct Timers *)timer)->process, &(SignalInfo){ .number = SIGALRM, .code = SI_KERNEL });
}

static struct Timers *timers_of(Process *process)
{
	struct Timers *timers = process->timers;

	if (timers)
		return timers;
	timers = process->timers = calloc(1, sizeof(*timers));
	if (!timers)
		return NULL;
	timer_init(&timers->real, process->kernel, real_fires);
	timers->process = process;
	return timers;
}

static void destroy_list(struct Timers *timers)
{
	while (timers->list) {
		PosixTimer *timer = timers->list;

		timers->list = timer->next;
		timer_disarm(&timer->timer);
		free(timer);
	}
	timers->count = 0;
}

void timers_exec(Process *process)
{
	if (process->timers)
		destroy_list(process->timers);
}

void timers_destroy(Process *process)
{
	if (!process->timers)
		return;
	destroy_list(process->timers);
	timer_disarm(&process->timers->real);
	free(process->timers);
	process->timers = NULL;
}

/* ---- setitimer ---- */

static bool read_timeval(Task *task, u64 address, u64 *ns)
{
	i64 value[2];

	if (!user_read(task, address, value, sizeof(value)))
		return false;
	*ns = ~(u64)0;
	if (value[0] < 0 || value[1] < 0 || value[1] >= 1000000)
		return true;
	if (value[0] > INT64_MAX / NS_IN_SECOND - 1)
		value[0] = INT64_MAX / NS_IN_SECOND - 1;
	*ns = (u64)value[0] * NS_IN_SECOND + (u64)value[1] * 1000;
	return true;
}

static i64 put_itimer(Task *task, u64 address, u64 interval, u64 left)
{
	u64 value[4];

	if (left && left < 1000)
		left = 1000;
	time_to_timeval(interval, &value[0]);
	time_to_timeval(left, &value[2]);
	return user_write(task, address, value, sizeof(value)) ? 0 : -EFAULT;
}

static i64 get_itimer(Task *task, i32 which, u64 address)
{
	struct Timers *timers = task->process->timers;
	u64 cpu = process_cpu_time(task->process);

	if (!timers)
		return put_itimer(task, address, 0, 0);
	if (which == REAL)
		return put_itimer(task, address, timers->real.interval, timer_left(&timers->real));
	return put_itimer(task, address, timers->cpu_interval[which],
			  !timers->cpu_hour[which] ? 0 : timers->cpu_hour[which] > cpu ? timers->cpu_hour[which] - cpu : 1);
}

i64 sys_getitimer(Task *task, const u64 *a)
{
	return (i32)a[0] < REAL || (i32)a[0] > PROF ? -EINVAL : get_itimer(task, (i32)a[0], a[1]);
}

i64 sys_setitimer(Task *task, const u64 *a)
{
	i32 which = (i32)a[0];
	struct Timers *timers = timers_of(task->process);
	u64 interval = 0, value = 0;
	i64 error;

	if (which < REAL || which > PROF)
		return -EINVAL;
	if (!timers)
		return -ENOMEM;
	if (a[1] && (!read_timeval(task, a[1], &interval) || !read_timeval(task, a[1] + 16, &value)))
		return -EFAULT;
	if (interval == ~(u64)0 || value == ~(u64)0)
		return -EINVAL;
	timers_run(task->kernel);
	error = a[2] ? get_itimer(task, which, a[2]) : 0;
	if (error)
		return error;
	if (which != REAL) {
		timers->cpu_hour[which] = value ? process_cpu_time(task->process) + value : 0;
		timers->cpu_interval[which] = interval;
	} else if (!value) {
		timer_disarm(&timers->real);
	} else if (!timer_arm(&timers->real, kernel_now(task->kernel) + value, interval)) {
		return -ENOMEM;
	}
	return 0;
}

/* ---- timer_create ---- */

static void tell(PosixTimer *timer, u64 periods)
{
	SignalInfo info = { .number = timer->number, .code = SI_TIMER, .timer = timer->id, .value = timer->value };
	Task *task = timer->notify == SIGEV_THREAD_ID ? task_find(timer->process->kernel, timer->tid) : NULL;
	bool pending = task ? task->pending.set >> (timer->number - 1) & 1 : timer->process->pending.set >> (timer->number - 1) & 1;

	if (timer->notify == SIGEV_NONE)
		return;
	if (pending) { /* it has not been taken yet: counted */
		timer->overrun += periods;
		return;
	}
	timer->overrun = periods - 1;
	if (timer->overrun > OVERRUN_MAX)
		timer->overrun = OVERRUN_MAX;
	info.address = timer->overrun;
	if (timer->notify == SIGEV_THREAD_ID && task && task->process == timer->process)
		signal_send_task(task, &info);
	else if (timer->notify != SIGEV_THREAD_ID)
		signal_send(timer->process, &info);
}

static void posix_fires(KernelTimer *timer, u64 periods)
{
	tell((PosixTimer *)timer, periods);
}

static bool is_cpu_clock(i32 clock)
{
	return clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID || clock < 0;
}

i64 sys_timer_create(Task *task, const u64 *a)
{
	struct Timers *timers = timers_of(task->process);
	u8 event[64] = { 0 };
	PosixTimer *timer, made = { .process = task->process, .clock = (i32)a[0], .notify = SIGEV_SIGNAL, .number = SIGALRM };
	u64 hour;

	if (!timers)
		return -ENOMEM;
	if (is_cpu_clock(made.clock) ? !clock_read(task, made.clock, &hour) : !clock_hour(task, made.clock, false, 0, &hour))
		return -EINVAL;
	made.id = timers->next_id;
	made.value = (u64)made.id;
	if (a[1]) {
		if (!user_read(task, a[1], event, sizeof(event)))
			return -EFAULT;
		memcpy(&made.value, event, 8);
		memcpy(&made.number, event + 8, 4);
		memcpy(&made.notify, event + 12, 4);
		memcpy(&made.tid, event + 16, 4);
	}
	if (made.notify != SIGEV_NONE && (made.number < 1 || made.number > 64))
		return -EINVAL;
	if (made.notify == SIGEV_THREAD_ID) {
		const Task *target = task_find(task->kernel, made.tid);

		if (!target || target->process != task->process)
			return -EINVAL;
	} else if (made.notify != SIGEV_SIGNAL && made.notify != SIGEV_NONE && made.notify != SIGEV_THREAD) {
		return -EINVAL;
	}
	if (timers->count >= TIMER_LIMIT)
		return -EAGAIN;
	if (!user_put_u32(task, a[2], (u32)made.id))
		return -EFAULT;
	timer = malloc(sizeof(*timer));
	if (!timer)
		return -ENOMEM;
	*timer = made;
	timer_init(&timer->timer, task->kernel, posix_fires);
	timer->next = timers->list;
	timers->list = timer;
	timers->count++;
	timers->next_id = timers->next_id < OVERRUN_MAX ? timers->next_id + 1 : 0;
	return 0;
}

static PosixTimer *find(Task *task, u64 id)
{
	PosixTimer *timer = task->process->timers ? task->process->timers->list : NULL;

	while (timer && timer->id != (i32)id)
		timer = timer->next;
	return timer;
}

static i64 put_state(Task *task, const PosixTimer *timer, u64 address)
{
	u64 cpu = 0;

	if (!is_cpu_clock(timer->clock))
		return user_put_itimerspec(task, address, timer->timer.interval, timer_left(&timer->timer));
	clock_read(task, timer->clock, &cpu);
	return user_put_itimerspec(task, address, timer->cpu_interval,
				   !timer->cpu_hour ? 0 : timer->cpu_hour > cpu ? timer->cpu_hour - cpu : 1);
}

i64 sys_timer_settime(Task *task, const u64 *a)
{
	PosixTimer *timer = find(task, a[0]);
	bool absolute = a[1] & TIMER_ABSTIME;
	u64 interval, value, hour = 0;
	i64 error;

	if (!timer || !a[2])
		return -EINVAL;
	error = user_itimerspec(task, a[2], &interval, &value);
	if (error)
		return error;
	timers_run(task->kernel);
	error = a[3] ? put_state(task, timer, a[3]) : 0;
	if (error)
		return error;
	timer->overrun = 0;
	if (is_cpu_clock(timer->clock)) {
		clock_read(task, timer->clock, &hour);
		timer->cpu_hour = !value ? 0 : absolute ? value : hour + value;
		timer->cpu_interval = interval;
		return 0;
	}
	if (!value) {
		timer_disarm(&timer->timer);
		return 0;
	}
	clock_hour(task, timer->clock, absolute, value, &hour);
	return timer_arm(&timer->timer, hour, interval) ? 0 : -ENOMEM;
}

i64 sys_timer_gettime(Task *task, const u64 *a)
{
	const PosixTimer *timer = find(task, a[0]);

	return timer ? put_state(task, timer, a[1]) : -EINVAL;
}

i64 sys_timer_getoverrun(Task *task, const u64 *a)
{
	const PosixTimer *timer = find(task, a[0]);

	return timer ? (i64)(timer->overrun > OVERRUN_MAX ? OVERRUN_MAX : timer->overrun) : -EINVAL;
}

i64 sys_timer_delete(Task *task, const u64 *a)
{
	PosixTimer *timer = find(task, a[0]), **link;

	if (!timer)
		return -EINVAL;
	link = &task->process->timers->list;
	while (*link != timer)
		link = &(*link)->next;
	*link = timer->next;
	task->process->timers->count--;
	timer_disarm(&timer->timer);
	free(timer);
	return 0;
}

/* ---- CPU time ---- */

/* Periods that have passed; moves the hour on. */
static u64 passed(u64 *hour, u64 interval, u64 cpu)
{
	u64 periods = 1;

	if (!*hour || cpu < *hour)
		return 0;
	if (interval) {
		periods += (cpu - *hour) / interval;
		*hour += periods * interval;
	} else {
		*hour = 0;
	}
	return periods;
}

static void check_posix(Process *process)
{
	for (PosixTimer *timer = process->timers->list; timer; timer = timer->next) {
		Task *task = process_any_task(process);
		u64 cpu = 0, periods;

		if (!timer->cpu_hour || !task || !clock_read(task, timer->clock, &cpu))
			continue;
		periods = passed(&timer->cpu_hour, timer->cpu_interval, cpu);
		if (periods)
			tell(timer, periods);
	}
}

static void check_limit(Process *process, u64 cpu)
{
	const u64 *limit = process->limits[RLIMIT_CPU];
	u64 seconds = cpu / NS_IN_SECOND;
	struct Timers *timers;

	if (seconds >= limit[1]) {
		signal_send(process, &(SignalInfo){ .number = SIGKILL, .code = SI_KERNEL });
		return;
	}
	timers = seconds >= limit[0] ? timers_of(process) : NULL;
	if (timers && (!timers->limit_told || seconds > timers->limit_told)) {
		timers->limit_told = seconds ? seconds : 1;
		signal_send(process, &(SignalInfo){ .number = SIGXCPU, .code = SI_KERNEL });
	}
}

enum { FEW = 4 };

bool timers_any(const Kernel *kernel)
{
	if (timers_armed(kernel) || kernel->process_count > FEW)
		return true;
	for (const Process *process = kernel->processes; process; process = process->next)
		if (!process->zombie && (process->timers || process->limits[RLIMIT_CPU][0] != ~(u64)0))
			return true;
	return false;
}

void timers_check_cpu(Kernel *kernel)
{
	for (Process *process = kernel->processes; process; process = process->next) {
		struct Timers *timers = process->timers;
		u64 cpu;

		if (process->zombie || (!timers && process->limits[RLIMIT_CPU][0] == ~(u64)0))
			continue;
		cpu = process_cpu_time(process);
		if (process->limits[RLIMIT_CPU][0] != ~(u64)0)
			check_limit(process, cpu);
		if (!timers)
			continue;
		if (passed(&timers->cpu_hour[VIRTUAL], timers->cpu_interval[VIRTUAL], cpu))
			signal_send(process, &(SignalInfo){ .number = SIGVTALRM, .code = SI_KERNEL });
		if (passed(&timers->cpu_hour[PROF], timers->cpu_interval[PROF], cpu))
			signal_send(process, &(SignalInfo){ .number = SIGPROF, .code = SI_KERNEL });
		check_posix(process);
	}
}

/* ---- Snapshots ---- */

static const TapeField posix_fields[] = {
	TAPE_FIELD(PosixTimer, id), TAPE_FIELD(PosixTimer, clock), TAPE_FIELD(PosixTimer, notify),
	TAPE_FIELD(PosixTimer, number), TAPE_FIELD(PosixTimer, tid), TAPE_FIELD(PosixTimer, value),
	TAPE_FIELD(PosixTimer, overrun), TAPE_FIELD(PosixTimer, cpu_hour), TAPE_FIELD(PosixTimer, cpu_interval),
};

static const TapeField timers_fields[] = {
	TAPE_FIELD(struct Timers, cpu_hour), TAPE_FIELD(struct Timers, cpu_interval), TAPE_FIELD(struct Timers, next_id),
	TAPE_FIELD(struct Timers, limit_told),
};

static PosixTimer *load_timer(Tape *tape, struct Timers *timers, PosixTimer **last)
{
	PosixTimer *timer = calloc(1, sizeof(*timer));

	if (!timer) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return NULL;
	}
	timer->process = timers->process;
	timer_init(&timer->timer, tape->kernel, posix_fires);
	*(*last ? &(*last)->next : &timers->list) = timer;
	*last = timer;
	timers->count++;
	return timer;
}

static bool timer_is_possible(const PosixTimer *timer)
{
	return timer->notify == SIGEV_NONE || (timer->number >= 1 && timer->number <= 64 &&
		(timer->notify == SIGEV_SIGNAL || timer->notify == SIGEV_THREAD || timer->notify == SIGEV_THREAD_ID));
}

void carry_timers(Tape *tape, Process *process)
{
	bool has = process->timers != NULL;
	struct Timers *timers;
	PosixTimer *last = NULL, *at;
	u32 count;

	tape_bool(tape, &has);
	if (!has)
		return;
	timers = timers_of(process);
	if (!timers) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	tape_fields(tape, timers, timers_fields, COUNT_OF(timers_fields));
	carry_timer(tape, &timers->real);
	count = tape_count(tape, timers->count, 72);
	tape_check(tape, count <= TIMER_LIMIT && timers->next_id >= 0);
	at = timers->list;
	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		PosixTimer *timer = tape->loading ? load_timer(tape, timers, &last) : at;

		if (!timer)
			return;
		tape_fields(tape, timer, posix_fields, COUNT_OF(posix_fields));
		tape_check(tape, timer_is_possible(timer));
		carry_timer(tape, &timer->timer);
		at = at ? at->next : NULL;
	}
}
