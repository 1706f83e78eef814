/* SPDX-License-Identifier: MIT
 *
 * Things that happen at an hour, and what the clocks of Linux say. Hours are monotonic nanoseconds (kernel_now).
 *
 * A KernelTimer is embedded in its owner. It fires between instructions (linux_time_passed) or when its owner asks for
 * the time in a way that must see it (timers_run). `fire` gets how many periods have passed (1 without an interval) and
 * may arm or disarm any timer, this one too; an owner that goes away disarms it first.
 */
#ifndef LINUX_TIMERS_H
#define LINUX_TIMERS_H

#include "linux/kernel.h"

typedef struct KernelTimer KernelTimer;
struct KernelTimer {
	Kernel *kernel;
	u64 hour;      /* when it fires next; ~0: not armed */
	u64 interval;  /* 0: once */
	u32 index;     /* in the kernel's heap */
	void (*fire)(KernelTimer *timer, u64 periods);
};

void timer_init(KernelTimer *timer, Kernel *kernel, void (*fire)(KernelTimer *timer, u64 periods));
/* False: no memory. Arming an armed timer moves it. An hour that has passed fires soon, not within this call. */
bool timer_arm(KernelTimer *timer, u64 hour, u64 interval);
void timer_disarm(KernelTimer *timer);
u64 timer_left(const KernelTimer *timer); /* ns; 0: not armed, never 0 when it is */
struct Tape;
void carry_timer(struct Tape *tape, KernelTimer *timer); /* snapshots; loading: after timer_init */
/* Fires all whose hour has come. */
void timers_run(Kernel *kernel);

bool timers_armed(const Kernel *kernel);
/* Does any process have a timer, or a limit of CPU time (itimer.c)? Of many processes it is not looked for. */
bool timers_any(const Kernel *kernel);

/* What clock_gettime gives. False: there is no such clock (EINVAL). */
bool clock_read(Task *task, i32 clock, u64 *ns);
/* The monotonic hour at which a clock that runs with real time says `ns`, or `ns` from now on if not absolute; sums
 * stop at ~0. False: EINVAL (CPU clocks too). */
bool clock_hour(Task *task, i32 clock, bool absolute, u64 ns, u64 *hour);

/* struct itimerspec: interval, value. -EFAULT, -EINVAL or 0. */
i64 user_itimerspec(Task *task, u64 address, u64 *interval, u64 *value);
i64 user_put_itimerspec(Task *task, u64 address, u64 interval, u64 value);

#endif
