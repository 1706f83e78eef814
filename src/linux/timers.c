/* SPDX-License-Identifier: MIT
 *
 * The kernel's timers: a binary heap by hour, so that a hostile number of them costs no more than its logarithm.
 */
#include "linux/timers.h"

#include <stdlib.h>

#include "linux/process.h"
#include "linux/save.h"

struct TimerHeap {
	u32 count, cap;
	KernelTimer *items[]; /* items[i]->index == i; a parent is never later than its children */
};

enum { UNARMED = 0xFFFFFFFFu };

void timer_init(KernelTimer *timer, Kernel *kernel, void (*fire)(KernelTimer *timer, u64 periods))
{
	*timer = (KernelTimer){ .kernel = kernel, .hour = ~(u64)0, .index = UNARMED, .fire = fire };
}

static void put(struct TimerHeap *heap, u32 at, KernelTimer *timer)
{
	heap->items[at] = timer;
	timer->index = at;
}

static void sift_up(struct TimerHeap *heap, u32 at)
{
	KernelTimer *timer = heap->items[at];

	while (at && heap->items[(at - 1) / 2]->hour > timer->hour) {
		put(heap, at, heap->items[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(heap, at, timer);
}

static void sift_down(struct TimerHeap *heap, u32 at)
{
	KernelTimer *timer = heap->items[at];

	for (;;) {
		u32 child = 2 * at + 1;

		if (child + 1 < heap->count && heap->items[child + 1]->hour < heap->items[child]->hour)
			child++;
		if (child >= heap->count || heap->items[child]->hour >= timer->hour)
			break;
		put(heap, at, heap->items[child]);
		at = child;
	}
	put(heap, at, timer);
}

void timer_disarm(KernelTimer *timer)
{
	struct TimerHeap *heap = timer->kernel->timers;
	u32 at = timer->index;
	KernelTimer *last;

	timer->hour = ~(u64)0;
	timer->interval = 0;
	if (at == UNARMED)
		return;
	timer->index = UNARMED;
	last = heap->items[--heap->count];
	if (last == timer)
		return;
	put(heap, at, last);
	sift_up(heap, at);
	sift_down(heap, last->index);
}

bool timer_arm(KernelTimer *timer, u64 hour, u64 interval)
{
	Kernel *kernel = timer->kernel;
	struct TimerHeap *heap = kernel->timers;

	timer_disarm(timer);
	if (!heap || heap->count == heap->cap) {
		u32 cap = heap ? heap->cap * 2 : 16;
		struct TimerHeap *grown = realloc(heap, sizeof(*heap) + cap * sizeof(heap->items[0]));

		if (!grown)
			return false;
		if (!heap)
			grown->count = 0;
		grown->cap = cap;
		kernel->timers = heap = grown;
	}
	timer->hour = hour == ~(u64)0 ? hour - 1 : hour;
	timer->interval = interval;
	put(heap, heap->count, timer);
	sift_up(heap, heap->count++);
	return true;
}

u64 timer_left(const KernelTimer *timer)
{
	u64 now = kernel_now(timer->kernel);

	if (timer->index == UNARMED)
		return 0;
	return timer->hour > now ? timer->hour - now : 1;
}

void timers_run(Kernel *kernel)
{
	struct TimerHeap *heap = kernel->timers;
	u64 now;

	if (!heap || !heap->count)
		return;
	now = kernel_now(kernel);
	while ((heap = kernel->timers) != NULL && heap->count && heap->items[0]->hour <= now) {
		KernelTimer *timer = heap->items[0];
		u64 periods = 1;

		if (timer->interval) {
			periods += (now - timer->hour) / timer->interval;
			/* The next one lies ahead, so each fires once in this loop. */
			if (__builtin_add_overflow(timer->hour, periods * timer->interval, &timer->hour))
				timer->hour = ~(u64)0 - 1;
			sift_down(heap, 0);
		} else {
			timer_disarm(timer);
		}
		timer->fire(timer, periods);
	}
}

bool timers_armed(const Kernel *kernel)
{
	return kernel->timers && kernel->timers->count;
}

u64 linux_next_hour(Machine *machine)
{
	const Kernel *kernel = kernel_of(machine);

	return kernel && kernel->timers && kernel->timers->count ? kernel->timers->items[0]->hour : ~(u64)0;
}

/* ---- Snapshots: each timer says where in the heap it stands, so that those of one hour fire in the same order ---- */

static bool heap_reach(Kernel *kernel, u32 index)
{
	struct TimerHeap *heap = kernel->timers, *grown;
	u32 cap = heap ? heap->cap : 0, want = cap ? cap : 16;

	if (index < cap)
		return true;
	while (want <= index)
		want *= 2;
	grown = realloc(heap, sizeof(*heap) + want * sizeof(heap->items[0]));
	if (!grown)
		return false;
	if (!heap)
		grown->count = 0;
	for (u32 i = cap; i < want; i++)
		grown->items[i] = NULL;
	grown->cap = want;
	kernel->timers = grown;
	return true;
}

void carry_timer(Tape *tape, KernelTimer *timer)
{
	enum { INDEX_MOST = 1 << 22 };
	u32 index = timer->index;
	u64 hour = timer->hour, interval = timer->interval;
	struct TimerHeap *heap;

	tape_u64(tape, &hour);
	tape_u64(tape, &interval);
	tape_u32(tape, &index);
	if (!tape->loading || index == UNARMED || !tape_check(tape, index < INDEX_MOST && hour != ~(u64)0))
		return;
	if (!heap_reach(timer->kernel, index)) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	heap = timer->kernel->timers;
	if (!tape_check(tape, !heap->items[index]))
		return;
	timer->hour = hour;
	timer->interval = interval;
	put(heap, index, timer);
	heap->count++;
}

/* All places from the first on are taken, and nobody is later than who stands below. */
void carry_timer_heap(Tape *tape)
{
	const struct TimerHeap *heap = tape->kernel->timers;

	for (u32 i = 0; tape->loading && heap && i < heap->count && tape_ok(tape); i++)
		tape_check(tape, heap->items[i] && (!i || heap->items[(i - 1) / 2]->hour <= heap->items[i]->hour));
}
