/* SPDX-License-Identifier: MIT
 *
 * Descriptors of the host that instances wait for (sockets of Linux programs): one thread polls them all, and wakes those
 * for whom something has come. It is there from the first time that somebody waits. A byte through its pipe makes it look anew
 * at who waits for what.
 *
 * Deterministic: there is no thread; outside_look polls when nothing else is to be done.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hyper/hyper_private.h"

struct Outside {
	pthread_t thread;
	bool has_thread;
	int pipe[2];
	Instance **waiting;  /* owned: those with fds in state WAITING */
	u32 count, cap;
	struct pollfd *fds;  /* owned by whoever polls: all of them, [0] is the pipe */
	u32 fd_cap;
};

static void nudge(struct Outside *outside)
{
	ssize_t n = write(outside->pipe[1], "", 1); /* full: it will look anyway */

	(void)n;
}

/* All that is waited for now, with the lock. How many; 0 when memory is out. */
static u32 collect(struct Outside *outside)
{
	u32 total = 1;

	for (u32 i = 0; i < outside->count; i++)
		total += outside->waiting[i]->fd_count;
	if (total > outside->fd_cap) {
		struct pollfd *fds = realloc(outside->fds, total * sizeof *fds);

		if (!fds)
			return 0;
		outside->fds = fds;
		outside->fd_cap = total;
	}
	outside->fds[0] = (struct pollfd){.fd = outside->pipe[0], .events = POLLIN};
	total = 1;
	for (u32 i = 0; i < outside->count; i++) {
		const Instance *instance = outside->waiting[i];

		memcpy(outside->fds + total, instance->fds, instance->fd_count * sizeof *instance->fds);
		total += instance->fd_count;
	}
	return total;
}

static bool has_happened(const struct pollfd *fds, u32 count)
{
	for (u32 i = 0; i < count; i++)
		if (fds[i].revents)
			return true;
	return false;
}

/* With the lock. Those who wait may be others than when `fds` was made: descriptors of one instance are recognized by what
 * they ask for, and to be woken for nothing does no harm. */
static void hand_out(struct Outside *outside, u32 total)
{
	u32 at = 1;

	for (u32 i = 0; i < outside->count && at < total;) {
		Instance *instance = outside->waiting[i];
		u32 count = instance->fd_count;
		bool same = count <= total - at;

		for (u32 k = 0; same && k < count; k++)
			same = outside->fds[at + k].fd == instance->fds[k].fd &&
			       outside->fds[at + k].events == instance->fds[k].events;
		if (!same) { /* things have moved: the next poll is about what is now */
			return;
		}
		if (!has_happened(outside->fds + at, count)) {
			at += count;
			i++;
			continue;
		}
		for (u32 k = 0; k < count; k++)
			instance->fds[k].revents = outside->fds[at + k].revents;
		instance->fds_ready = true;
		at += count;
		ready_wake(instance); /* no longer in the list; or paused, and to be woken later */
		if (i < outside->count && outside->waiting[i] == instance)
			i++;
	}
}

static void *run(void *arg)
{
	Hyper *hyper = arg;
	struct Outside *outside = hyper->outside;

	pthread_mutex_lock(&hyper->lock);
	while (!hyper->closing) {
		u32 total = collect(outside);
		char bytes[64];

		pthread_mutex_unlock(&hyper->lock);
		if (poll(outside->fds, total, total ? -1 : 10) > 0 && outside->fds[0].revents)
			while (read(outside->pipe[0], bytes, sizeof bytes) > 0)
				;
		pthread_mutex_lock(&hyper->lock);
		hand_out(outside, total);
	}
	pthread_mutex_unlock(&hyper->lock);
	return NULL;
}

static struct Outside *open_outside(Hyper *hyper)
{
	struct Outside *outside = calloc(1, sizeof *outside);

	if (!outside)
		return NULL;
	if (pipe2(outside->pipe, O_CLOEXEC | O_NONBLOCK)) {
		free(outside);
		return NULL;
	}
	hyper->outside = outside;
	if (hyper_is_deterministic(hyper))
		return outside;
	if (pthread_create(&outside->thread, NULL, run, hyper)) {
		hyper->outside = NULL;
		close(outside->pipe[0]);
		close(outside->pipe[1]);
		free(outside);
		return NULL;
	}
	outside->has_thread = true;
	return outside;
}

static bool ask(Instance *instance)
{
	const Guest *guest = machine_guest(instance->machine);
	u32 count = guest->outside(instance->machine, instance->fds, instance->fd_cap);

	if (count > instance->fd_cap) {
		struct pollfd *fds = realloc(instance->fds, count * sizeof *fds);

		if (!fds)
			return false;
		instance->fds = fds;
		instance->fd_cap = count;
		count = guest->outside(instance->machine, instance->fds, instance->fd_cap);
	}
	instance->fd_count = count < instance->fd_cap ? count : instance->fd_cap;
	return count != 0;
}

bool outside_watch(Instance *instance)
{
	Hyper *hyper = instance->hyper;
	const Guest *guest = machine_guest(instance->machine);
	struct Outside *outside = hyper->outside;

	if (!guest || !guest->outside || !ask(instance))
		return false;
	if (!outside)
		outside = open_outside(hyper);
	if (!outside)
		return false;
	if (outside->count == outside->cap) {
		u32 cap = outside->cap ? 2 * outside->cap : 16;
		Instance **waiting = realloc(outside->waiting, cap * sizeof *waiting);

		if (!waiting)
			return false;
		outside->waiting = waiting;
		outside->cap = cap;
	}
	instance->watch_at = ++outside->count;
	outside->waiting[outside->count - 1] = instance;
	if (outside->has_thread)
		nudge(outside);
	return true;
}

void outside_forget(Instance *instance)
{
	struct Outside *outside = instance->hyper->outside;
	Instance *last;

	if (!instance->watch_at)
		return;
	last = outside->waiting[--outside->count];
	outside->waiting[instance->watch_at - 1] = last;
	last->watch_at = instance->watch_at;
	instance->watch_at = 0;
}

bool outside_look(Hyper *hyper, u64 ns)
{
	struct Outside *outside = hyper->outside;
	u32 total = outside && outside->count ? collect(outside) : 0;

	if (!total || poll(outside->fds, total, (int)(ns / 1000000)) <= 0)
		return false;
	hand_out(outside, total);
	return true;
}

void outside_close(Hyper *hyper)
{
	struct Outside *outside = hyper->outside;

	if (!outside)
		return;
	if (outside->has_thread) {
		nudge(outside);
		pthread_join(outside->thread, NULL);
	}
	close(outside->pipe[0]);
	close(outside->pipe[1]);
	free(outside->waiting);
	free(outside->fds);
	free(outside);
	hyper->outside = NULL;
}
