/* SPDX-License-Identifier: MIT
 *
 * Who stands in a WaitQueue: tasks (wait.c) and watched descriptors of the host (hostwatch.c).
 */
#ifndef LINUX_WAITER_H
#define LINUX_WAITER_H

#include "linux/kernel.h"

struct Waiter {
	WaitQueue *queue;       /* NULL: it has been woken */
	Waiter *before, *after; /* in the queue; before of the first one: NULL */
	Waiter *next;           /* of the same task or kernel */
	void (*woken)(Waiter *waiter); /* it is off the queue already; may free the waiter */
	void *owner;
};

void waiter_add(Waiter *waiter, WaitQueue *queue);
void waiter_remove(Waiter *waiter); /* without waking it; none when it has been woken */

/* ---- For snapshots ---- */
Task *waiter_task(const Waiter *waiter);      /* NULL: it is no task's */
u32 waiter_count(const WaitQueue *queue);     /* tasks in it */
/* Puts the task behind *last, which is then its waiter (NULL: the queue is empty). False: no memory. */
bool task_watch_last(Task *task, WaitQueue *queue, Waiter **last);

#endif
