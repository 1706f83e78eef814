/* SPDX-License-Identifier: MIT
 *
 * ppoll and pselect6: look at every file; when nothing holds, watch them all and wait.
 *
 * call->data[0] is the hour when the call ends in any case (~0: never). Both write the time that is left back, as
 * Linux does (the C library hides it).
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "linux/poll.h"
#include "linux/signal.h"
#include "linux/stream.h"
#include "linux/syscalls.h"

enum { DEADLINE = 0 };

/* ---- Times and masks, for epoll too ---- */

void poll_set_deadline(Task *task, bool limited, u64 ns)
{
	u64 now = kernel_now(task->kernel);

	task->call.data[DEADLINE] = limited && ns < ~(u64)0 - now ? now + ns : ~(u64)0;
}

bool poll_is_over(Task *task)
{
	return task->call.data[DEADLINE] <= kernel_now(task->kernel);
}

i64 poll_deadline(Task *task, u64 address)
{
	u64 ns;

	if (task->call.again)
		return 0;
	if (!address) {
		poll_set_deadline(task, false, 0);
		return 0;
	}
	if (!user_timespec(task, address, &ns))
		return -EFAULT;
	if (ns == ~(u64)0)
		return -EINVAL;
	poll_set_deadline(task, true, ns);
	return 0;
}

i64 poll_mask(Task *task, u64 address, u64 size)
{
	u64 mask;

	if (!address)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (!user_read(task, address, &mask, sizeof(mask)))
		return -EFAULT;
	signal_mask_for_call(task, mask);
	return 0;
}

static void put_left(Task *task, u64 address)
{
	u64 hour = task->call.data[DEADLINE], now;

	if (!address || hour == ~(u64)0)
		return;
	now = kernel_now(task->kernel);
	user_put_timespec(task, address, hour > now ? hour - now : 0); /* a constant is none of our business */
}

/* ---- ppoll ---- */

static u32 look(Task *task, struct pollfd *fd)
{
	File *file;
	u32 events;

	fd->revents = 0;
	if (fd->fd < 0)
		return 0;
	file = fds_stream(task, (u64)fd->fd);
	events = file ? file_poll(file) & ((u32)(u16)fd->events | POLLERR | POLLHUP) : POLLNVAL;
	fd->revents = (short)events;
	return events;
}

/* Everything that is open wakes the task from now on. */
static bool watch(Task *task, const struct pollfd *fds, u64 count)
{
	for (u64 i = 0; i < count; i++) {
		File *file = fds[i].fd < 0 ? NULL : fds_stream(task, (u64)fds[i].fd);

		if (file && file->ops->watch && !file->ops->watch(file, task, (u32)(u16)fds[i].events))
			return false;
	}
	return true;
}

/* Counts those where something holds; else 0 when the time is up, CALL_WAIT, -ENOMEM. */
static i64 poll_all(Task *task, struct pollfd *fds, u64 count)
{
	i64 found = 0;

	for (u64 i = 0; i < count; i++)
		found += look(task, &fds[i]) != 0;
	if (found)
		return found;
	/* Also one that does not wait has said what it looks for (console.c). */
	if (!watch(task, fds, count))
		return -ENOMEM;
	if (poll_is_over(task)) {
		task_unwatch(task);
		return 0;
	}
	task_wait_hour(task, task->call.data[DEADLINE]);
	return CALL_WAIT;
}

i64 sys_ppoll(Task *task, const u64 *a)
{
	u64 count = (u32)a[1], size = count * sizeof(struct pollfd);
	struct pollfd few[16], *fds = few;
	i64 result;

	if (count > fds_limit(task))
		return -EINVAL;
	result = poll_deadline(task, a[2]);
	if (result == 0)
		result = poll_mask(task, a[3], a[4]);
	if (result < 0)
		return result;
	if (size > sizeof(few) && !(fds = malloc(size)))
		return -ENOMEM;
	result = -EFAULT;
	if (user_read(task, a[0], fds, size)) {
		result = poll_all(task, fds, count);
		if (result >= 0) {
			if (!user_write(task, a[0], fds, size))
				result = -EFAULT;
			put_left(task, a[2]);
		}
	}
	if (fds != few)
		free(fds);
	return result;
}

/* ---- pselect6 ---- */

enum {
	SET_WORDS = 1024, /* of 64 descriptors: more than a table has */
	FOR_READ = POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR,
	FOR_WRITE = POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR,
	FOR_EXCEPT = POLLPRI,
};

static const u32 events_of_set[3] = { FOR_READ, FOR_WRITE, FOR_EXCEPT };

/* sets: what was asked for, 3 times `words`; found: likewise, zero. Gives how many bits there are in it. */
static i64 select_all(Task *task, const u64 *sets, u64 *found, u32 words, bool watches)
{
	i64 count = 0;

	for (u32 i = 0; i < words * 64; i++) {
		u32 asked = 0, events;
		File *file;

		if (!(i % 64) && !(sets[i / 64] | sets[words + i / 64] | sets[2 * words + i / 64])) {
			i += 63;
			continue;
		}
		for (u32 set = 0; set < 3; set++)
			asked |= sets[set * words + i / 64] >> i % 64 & 1 ? 1u << set : 0;
		if (!asked)
			continue;
		file = fds_stream(task, i);
		if (!file)
			return -EBADF;
		if (watches) {
			events = (asked & 1 ? POLLIN : 0) | (asked & 2 ? POLLOUT : 0) | (asked & 4 ? POLLPRI : 0);
			if (file->ops->watch && !file->ops->watch(file, task, events))
				return -ENOMEM;
			continue;
		}
		events = file_poll(file);
		for (u32 set = 0; set < 3; set++)
			if (asked >> set & 1 && events & events_of_set[set]) {
				found[set * words + i / 64] |= (u64)1 << i % 64;
				count++;
			}
	}
	return count;
}

static i64 select_sets(Task *task, const u64 *a, u64 *sets, u32 words, u32 bits)
{
	u64 bytes = words * sizeof(u64), *found = sets + 3 * words;
	i64 result;

	for (u32 set = 0; set < 3; set++) {
		u64 *words_of = sets + set * words;

		if (a[1 + set] && !user_read(task, a[1 + set], words_of, bytes))
			return -EFAULT;
		if (words && bits % 64)
			words_of[words - 1] &= ((u64)1 << bits % 64) - 1;
	}
	result = select_all(task, sets, found, words, false);
	if (result == 0) {
		result = select_all(task, sets, found, words, true);
		if (result < 0)
			return result;
		if (!poll_is_over(task)) {
			task_wait_hour(task, task->call.data[DEADLINE]);
			return CALL_WAIT;
		}
		task_unwatch(task);
	}
	for (u32 set = 0; set < 3 && result >= 0; set++)
		if (a[1 + set] && !user_write(task, a[1 + set], found + set * words, bytes))
			return -EFAULT;
	return result;
}

i64 sys_pselect6(Task *task, const u64 *a)
{
	u64 mask[2] = { 0 }, *sets;
	u32 bits = (u32)a[0], limit = fds_limit(task), words;
	i64 result;

	if ((i32)a[0] < 0)
		return -EINVAL;
	if (bits > (limit + 63) / 64 * 64)
		bits = (limit + 63) / 64 * 64;
	if (bits > SET_WORDS * 64)
		bits = SET_WORDS * 64;
	words = (bits + 63) / 64;
	if (a[5] && !user_read(task, a[5], mask, sizeof(mask)))
		return -EFAULT;
	result = poll_deadline(task, a[4]);
	if (result == 0)
		result = poll_mask(task, mask[0], mask[1]);
	if (result < 0)
		return result;
	sets = calloc(6 * (size_t)words + 1, sizeof(u64));
	if (!sets)
		return -ENOMEM;
	result = select_sets(task, a, sets, words, bits);
	if (result >= 0)
		put_left(task, a[4]);
	free(sets);
	return result;
}
