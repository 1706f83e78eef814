/* SPDX-License-Identifier: MIT
 *
 * Waiting: queues, and tasks that stand in them. A task that waits is a vCPU that waits for the channel with its own
 * number; waking it makes its instruction, and so its call, be tried again.
 */
#include <stdlib.h>

#include "linux/waiter.h"

/* ---- Queues ---- */

void wait_init(WaitQueue *queue)
{
	*queue = (WaitQueue){ .first = NULL };
}

void waiter_add(Waiter *waiter, WaitQueue *queue)
{
	waiter->queue = queue;
	waiter->before = NULL;
	waiter->after = queue->first;
	if (queue->first)
		queue->first->before = waiter;
	queue->first = waiter;
}

void waiter_remove(Waiter *waiter)
{
	if (!waiter->queue)
		return;
	if (waiter->before)
		waiter->before->after = waiter->after;
	else
		waiter->queue->first = waiter->after;
	if (waiter->after)
		waiter->after->before = waiter->before;
	waiter->queue = NULL;
}

void wait_wake(WaitQueue *queue)
{
	queue->wakes++;
	while (queue->first) {
		Waiter *waiter = queue->first;

		waiter_remove(waiter);
		waiter->woken(waiter);
	}
}

void wait_fini(WaitQueue *queue)
{
	wait_wake(queue);
}

/* ---- Tasks ---- */

static void task_woken(Waiter *waiter)
{
	task_wake(waiter->owner);
}

bool task_watch(Task *task, WaitQueue *queue)
{
	Waiter *waiter = malloc(sizeof(*waiter));

	if (!waiter)
		return false;
	*waiter = (Waiter){ .next = task->waiters, .woken = task_woken, .owner = task };
	task->waiters = waiter;
	waiter_add(waiter, queue);
	return true;
}

Task *waiter_task(const Waiter *waiter)
{
	return waiter->woken == task_woken ? waiter->owner : NULL;
}

u32 waiter_count(const WaitQueue *queue)
{
	u32 count = 0;

	for (const Waiter *waiter = queue->first; waiter; waiter = waiter->after)
		count += waiter_task(waiter) != NULL;
	return count;
}

bool task_watch_last(Task *task, WaitQueue *queue, Waiter **last)
{
	Waiter *waiter = malloc(sizeof(*waiter));

	if (!waiter)
		return false;
	*waiter = (Waiter){ .queue = queue, .before = *last, .next = task->waiters, .woken = task_woken, .owner = task };
	*(*last ? &(*last)->after : &queue->first) = waiter;
	task->waiters = *last = waiter;
	return true;
}

void task_unwatch(Task *task)
{
	while (task->waiters) {
		Waiter *waiter = task->waiters;

		task->waiters = waiter->next;
		waiter_remove(waiter);
		free(waiter);
	}
	task->call.hour = ~(u64)0;
}

void task_wait_hour(Task *task, u64 hour)
{
	if (hour < task->call.hour)
		task->call.hour = hour;
}

void task_wake(Task *task)
{
	if (!task->kernel->closing)
		machine_wake(task->kernel->machine, (u64)task->tid);
}
