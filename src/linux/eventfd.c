/* SPDX-License-Identifier: MIT
 *
 * Files that are a number: eventfd (a counter), timerfd (how often an hour has come).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "linux/anon.h"
#include "linux/save.h"
#include "linux/syscalls.h"
#include "linux/timers.h"

#define NEVER (~(u64)0)

/* ---- eventfd ---- */

typedef struct EventFd {
	u64 count;
	bool semaphore;
	WaitQueue changed;
} EventFd;

static i64 eventfd_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	EventFd *event = file->data;
	u64 value;

	(void)task;
	(void)offset;
	if (len < sizeof(value))
		return -EINVAL;
	if (!event->count)
		return -EAGAIN;
	value = event->semaphore ? 1 : event->count;
	event->count -= value;
	memcpy(to, &value, sizeof(value));
	wait_wake(&event->changed);
	return sizeof(value);
}

static i64 eventfd_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	EventFd *event = file->data;
	u64 value;

	(void)task;
	(void)offset;
	if (len < sizeof(value))
		return -EINVAL;
	memcpy(&value, from, sizeof(value));
	if (value == NEVER)
		return -EINVAL;
	if (NEVER - 1 - event->count < value)
		return -EAGAIN;
	event->count += value;
	wait_wake(&event->changed);
	return sizeof(value);
}

static u32 eventfd_poll(File *file)
{
	const EventFd *event = file->data;

	return (event->count ? POLLIN | POLLRDNORM : 0) | (event->count < NEVER - 1 ? POLLOUT | POLLWRNORM : 0);
}

static bool eventfd_watch(File *file, Task *task, u32 events)
{
	EventFd *event = file->data;

	(void)events;
	return task_watch(task, &event->changed);
}

static u64 eventfd_changes(File *file, u32 events)
{
	const EventFd *event = file->data;

	(void)events;
	return event->changed.wakes;
}

static void eventfd_describe(File *file, Buf *out)
{
	(void)file;
	buf_str(out, "anon_inode:[eventfd]");
}

static void eventfd_release(File *file)
{
	EventFd *event = file->data;

	wait_fini(&event->changed);
	free(event);
}

static const FileOps eventfd_ops = {
	.kind = "eventfd",
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.watch = eventfd_watch,
	.changes = eventfd_changes,
	.stat = anon_stat,
	.describe = eventfd_describe,
	.release = eventfd_release,
	.whole = true,
};

i64 sys_eventfd2(Task *task, const u64 *a)
{
	enum { SEMAPHORE = 1 };
	EventFd *event;
	File *file;

	if (a[1] & ~(u64)(O_CLOEXEC | O_NONBLOCK | SEMAPHORE))
		return -EINVAL;
	event = calloc(1, sizeof(*event));
	if (!event)
		return -ENOMEM;
	wait_init(&event->changed);
	event->count = (u32)a[0];
	event->semaphore = a[1] & SEMAPHORE;
	file = file_create(task->kernel, &eventfd_ops, O_RDWR | ((u32)a[1] & O_NONBLOCK), event);
	if (!file) {
		free(event);
		return -ENFILE;
	}
	return fds_install(task, file, 0, a[1] & O_CLOEXEC);
}

/* ---- timerfd ---- */

/* No timer of the kernel's: who waits waits until the hour, and who looks computes how often it has come. */
typedef struct TimerFd {
	i32 clock;
	u64 hour;     /* the next one that has not been read; NEVER: not armed */
	u64 interval;
	u64 count;    /* hours that came before, all in all */
	WaitQueue changed; /* the setting */
} TimerFd;

/* How often it has come and was not read. */
static u64 timerfd_count(const File *file)
{
	const TimerFd *timer = file->data;
	u64 now = kernel_now(file->kernel);

	if (timer->hour > now)
		return 0;
	return timer->interval ? 1 + (now - timer->hour) / timer->interval : 1;
}

static i64 timerfd_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	TimerFd *timer = file->data;
	u64 count = timerfd_count(file);

	(void)task;
	(void)offset;
	if (len < sizeof(count))
		return -EINVAL;
	if (!count)
		return -EAGAIN;
	timer->hour = timer->interval ? timer->hour + count * timer->interval : NEVER;
	timer->count += count;
	memcpy(to, &count, sizeof(count));
	return sizeof(count);
}

static u32 timerfd_poll(File *file)
{
	return timerfd_count(file) ? POLLIN | POLLRDNORM : 0;
}

static bool timerfd_watch(File *file, Task *task, u32 events)
{
	TimerFd *timer = file->data;

	if (events & POLLIN) {
		u64 count = timerfd_count(file);

		/* For an edge: also the next one counts. */
		if (count && timer->interval)
			task_wait_hour(task, timer->hour + count * timer->interval);
		else if (!count)
			task_wait_hour(task, timer->hour);
	}
	return task_watch(task, &timer->changed);
}

static u64 timerfd_changes(File *file, u32 events)
{
	const TimerFd *timer = file->data;

	(void)events;
	return timer->count + timerfd_count(file) + timer->changed.wakes;
}

static void timerfd_describe(File *file, Buf *out)
{
	(void)file;
	buf_str(out, "anon_inode:[timerfd]");
}

static void timerfd_release(File *file)
{
	TimerFd *timer = file->data;

	wait_fini(&timer->changed);
	free(timer);
}

static const FileOps timerfd_ops = {
	.kind = "timerfd",
	.read = timerfd_read,
	.poll = timerfd_poll,
	.watch = timerfd_watch,
	.changes = timerfd_changes,
	.stat = anon_stat,
	.describe = timerfd_describe,
	.release = timerfd_release,
	.whole = true,
};

i64 sys_timerfd_create(Task *task, const u64 *a)
{
	TimerFd *timer;
	u64 hour;
	File *file;

	if (a[1] & ~(u64)(O_CLOEXEC | O_NONBLOCK) || !clock_hour(task, (i32)a[0], false, 0, &hour))
		return -EINVAL;
	timer = calloc(1, sizeof(*timer));
	if (!timer)
		return -ENOMEM;
	wait_init(&timer->changed);
	timer->clock = (i32)a[0];
	timer->hour = NEVER;
	file = file_create(task->kernel, &timerfd_ops, O_RDONLY | ((u32)a[1] & O_NONBLOCK), timer);
	if (!file) {
		free(timer);
		return -ENFILE;
	}
	file->flags |= O_RDWR; /* as Linux says it */
	return fds_install(task, file, 0, a[1] & O_CLOEXEC);
}

/* 0 and *out, or -errno. */
static i64 timer_file(Task *task, u64 fd, File **out)
{
	File *file = fds_stream(task, fd);

	if (!file)
		return -EBADF;
	*out = file;
	return file->ops == &timerfd_ops ? 0 : -EINVAL;
}

static i64 put_setting(Task *task, const File *file, u64 address)
{
	const TimerFd *timer = file->data;
	u64 now = kernel_now(file->kernel), left = 0;

	if (timer->hour != NEVER) {
		u64 next = timer->hour + timerfd_count(file) * timer->interval;

		left = next > now ? next - now : 0;
	}
	return user_put_itimerspec(task, address, timer->interval, left);
}

i64 sys_timerfd_settime(Task *task, const u64 *a)
{
	enum { ABSOLUTE = 1, CANCEL_ON_SET = 2 };
	u64 interval, value, hour = NEVER;
	TimerFd *timer;
	File *file = NULL;
	i64 result;

	if (a[1] & ~(u64)(ABSOLUTE | CANCEL_ON_SET))
		return -EINVAL;
	result = user_itimerspec(task, a[2], &interval, &value);
	if (result == 0)
		result = timer_file(task, a[0], &file);
	if (result < 0)
		return result;
	timer = file->data;
	if (value && !clock_hour(task, timer->clock, a[1] & ABSOLUTE, value, &hour))
		return -EINVAL;
	if (a[3]) {
		result = put_setting(task, file, a[3]);
		if (result < 0)
			return result;
	}
	timer->count += timerfd_count(file);
	timer->hour = hour;
	timer->interval = value ? interval : 0;
	wait_wake(&timer->changed);
	return 0;
}

i64 sys_timerfd_gettime(Task *task, const u64 *a)
{
	File *file;
	i64 result = timer_file(task, a[0], &file);

	return result < 0 ? result : put_setting(task, file, a[1]);
}

/* ---- Snapshots ---- */

static void eventfd_carry(Tape *tape, File *file)
{
	EventFd *event = tape->loading ? calloc(1, sizeof(*event)) : file->data;

	if (!event) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	tape_u64(tape, &event->count);
	tape_bool(tape, &event->semaphore);
	tape_check(tape, event->count < NEVER);
	tape_queue(tape, &event->changed);
	file->data = event;
	if (!tape_ok(tape) && tape->loading)
		free(event);
}

static void timerfd_carry(Tape *tape, File *file)
{
	TimerFd *timer = tape->loading ? calloc(1, sizeof(*timer)) : file->data;

	if (!timer) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	tape_i32(tape, &timer->clock);
	tape_u64(tape, &timer->hour);
	tape_u64(tape, &timer->interval);
	tape_u64(tape, &timer->count);
	tape_queue(tape, &timer->changed);
	file->data = timer;
	if (!tape_ok(tape) && tape->loading)
		free(timer);
}

const FileCodec eventfd_codec = { .ops = &eventfd_ops, .shares = TAPE_KINDS, .carry = eventfd_carry };
const FileCodec timerfd_codec = { .ops = &timerfd_ops, .shares = TAPE_KINDS, .carry = timerfd_carry };
