/* SPDX-License-Identifier: MIT
 *
 * Descriptors of the host that programs wait for. Nothing here waits: the driver asks which ones there are
 * (linux_poll_set), calls poll() with them when no program can run, and says what came of it (linux_poll_done).
 *
 * A watch stands in the queue that it is to wake, beside the tasks. So it ends with the first waking of that queue,
 * whoever did it, and with the queue's end.
 */
#include <stdlib.h>

#include "linux/process.h"
#include "linux/waiter.h"

typedef struct HostWatch HostWatch;
struct HostWatch {
	Waiter waiter; /* the first member; owner is the kernel */
	HostWatch *next, **link;
	int fd;
	short events;
};

typedef struct HostWatches HostWatches;
struct HostWatches {
	HostWatch *first;
};

static void drop(HostWatch *watch)
{
	*watch->link = watch->next;
	if (watch->next)
		watch->next->link = watch->link;
	free(watch);
}

static void watch_woken(Waiter *waiter)
{
	drop((HostWatch *)waiter);
}

bool kernel_watch_host(Kernel *kernel, int fd, short events, WaitQueue *queue)
{
	HostWatches *watches = kernel->watches;
	HostWatch *watch;

	for (Waiter *waiter = queue->first; waiter; waiter = waiter->after) {
		watch = (HostWatch *)waiter;
		if (waiter->woken == watch_woken && watch->fd == fd) {
			watch->events |= events;
			return true;
		}
	}
	if (!watches)
		watches = kernel->watches = calloc(1, sizeof(*watches));
	watch = calloc(1, sizeof(*watch));
	if (!watches || !watch) {
		free(watch);
		return false;
	}
	*watch = (HostWatch){ .waiter = { .woken = watch_woken, .owner = kernel }, .next = watches->first,
			      .link = &watches->first, .fd = fd, .events = events };
	if (watch->next)
		watch->next->link = &watch->next;
	watches->first = watch;
	waiter_add(&watch->waiter, queue);
	return true;
}

bool kernel_watches_host(const Kernel *kernel)
{
	return kernel->watches && kernel->watches->first;
}

void host_watches_destroy(Kernel *kernel)
{
	while (kernel->watches && kernel->watches->first) {
		HostWatch *watch = kernel->watches->first;

		waiter_remove(&watch->waiter);
		drop(watch);
	}
	free(kernel->watches);
	kernel->watches = NULL;
}

u32 linux_poll_set(const Machine *machine, struct pollfd *fds, u32 cap)
{
	const Kernel *kernel = kernel_of(machine);
	u32 count = 0;

	if (!kernel || !kernel->watches)
		return 0;
	for (const HostWatch *watch = kernel->watches->first; watch; watch = watch->next) {
		if (count < cap)
			fds[count] = (struct pollfd){ .fd = watch->fd, .events = watch->events };
		count++;
	}
	return count;
}

static HostWatch *find(const Kernel *kernel, const struct pollfd *fd)
{
	HostWatch *watch = kernel->watches->first;

	while (watch && (watch->fd != fd->fd || !(fd->revents & (watch->events | POLLERR | POLLHUP | POLLNVAL))))
		watch = watch->next;
	return watch;
}

void linux_poll_done(Machine *machine, const struct pollfd *fds, u32 count)
{
	Kernel *kernel = kernel_of(machine);

	if (!kernel || !kernel->watches)
		return;
	for (u32 i = 0; i < count; i++) {
		HostWatch *watch;

		/* Each waking ends at least the watch that was found. */
		while (fds[i].revents && (watch = find(kernel, &fds[i])) != NULL)
			wait_wake(watch->waiter.queue);
	}
}
