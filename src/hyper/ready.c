/* SPDX-License-Identifier: MIT
 *
 * States of instances, who runs next, and what happens at which hour. Everything here is called with the lock.
 *
 * Every instance has had an amount of run time, divided by its weight. Who has had least goes first. Whoever becomes ready is
 * brought up to a few slices below what the least of those in the queue has had. What was not used while waiting is not kept, but
 * who has waited goes first for as long as these last: a thousand who never wait take turns of a quarter of a second, and who
 * reads a letter twice in such a turn must not lose one of them. Who is started has no such credit.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hyper/hyper_private.h"

#define OF(item, field) ((Instance *)(void *)((char *)(item) - offsetof(Instance, field)))

enum { WEIGHT_SHIFT = 10, BEHIND_SLICES = 4, MANY = 64, TURN_SLICES = 4, TURN_SWITCHES = 256, DEAR_SLICES = 40, DEAR_SWITCHES = 24 };

static bool is_live(const Instance *instance)
{
	switch (instance->state) {
	case INSTANCE_READY:
	case INSTANCE_RUNNING:
	case INSTANCE_THROTTLED: return true;
	case INSTANCE_WAITING:
		return (instance->waits != WAIT_INPUT && instance->waits != WAIT_MESSAGE) || instance->hour.at;
	default: return instance->on_worker;
	}
}

void ready_count(Instance *instance)
{
	Hyper *hyper = instance->hyper;
	bool live = is_live(instance);

	if (live == instance->live)
		return;
	instance->live = live;
	hyper->live += live ? 1 : -1u;
	if (!hyper->live)
		pthread_cond_broadcast(&hyper->changed);
}

static bool is_counted(InstanceState state)
{
	return state == INSTANCE_READY || state == INSTANCE_RUNNING || state == INSTANCE_WAITING || state == INSTANCE_THROTTLED;
}

/* The clock of its budget runs while it lives and is not paused. */
static void set_clock(Instance *instance)
{
	bool counted = is_counted(instance->state);
	u64 now;

	if (counted == instance->clocked)
		return;
	now = hyper_now(instance->hyper);
	instance->clocked = counted;
	if (counted)
		budget_clock_start(instance->budget, now);
	else
		budget_clock_stop(instance->budget, now);
	instance->time_over = counted ? budget_time_over(instance->budget, now, NULL) : NEVER;
}

void ready_recount_time(Instance *instance)
{
	if (!instance->clocked)
		return;
	instance->time_over = budget_time_over(instance->budget, hyper_now(instance->hyper), NULL);
	ready_set_hour(instance);
}

void ready_set_state(Instance *instance, InstanceState state)
{
	if (state != INSTANCE_READY)
		heap_remove(&instance->hyper->queue, &instance->place);
	if (state != INSTANCE_WAITING)
		outside_forget(instance);
	instance->state = state;
	set_clock(instance);
	ready_count(instance);
}

/* One slice of an instance of usual weight, as `had` counts it. */
static u64 slice_share(const Hyper *hyper)
{
	return (hyper_is_deterministic(hyper) ? hyper->config.slice_insns : hyper->config.slice_ns) << WEIGHT_SHIFT;
}

void ready_ring(Hyper *hyper)
{
	__atomic_fetch_add(&hyper->bell, 1, __ATOMIC_RELAXED);
}

static void enqueue(Instance *instance)
{
	Hyper *hyper = instance->hyper;
	u64 ahead = instance->options.priority * slice_share(hyper), behind = BEHIND_SLICES * slice_share(hyper);

	if (instance->had + behind < hyper->had_least)
		instance->had = hyper->had_least - behind;
	heap_add(&hyper->queue, &instance->place, instance->had > ahead ? instance->had - ahead : 0);
	if (hyper->idle)
		pthread_cond_signal(&hyper->work);
}

void ready_wake(Instance *instance)
{
	Hyper *hyper = instance->hyper;
	bool newcomer = instance->state != INSTANCE_READY;

	switch (instance->state) {
	case INSTANCE_PAUSED:
		if (instance->under == INSTANCE_WAITING || instance->under == INSTANCE_CREATED)
			instance->under = INSTANCE_READY;
		return;
	case INSTANCE_WAITING:
		instance->woken = hyper_now(hyper);
		instance->wake = NEVER;
		break;
	case INSTANCE_CREATED:
		if (instance->had < hyper->had_least)
			instance->had = hyper->had_least;
		break;
	case INSTANCE_THROTTLED:
	case INSTANCE_READY: break;
	default: return;
	}
	ready_set_state(instance, INSTANCE_READY);
	ready_set_hour(instance);
	if (!instance->place.at && !instance->holds && !instance->on_worker) {
		enqueue(instance);
		if (newcomer && !hyper->idle)
			ready_ring(hyper);
	}
}

void ready_end(Instance *instance, InstanceEnd end, const char *format, ...)
{
	Hyper *hyper = instance->hyper;
	char text[sizeof ((InstanceInfo *)NULL)->text];
	va_list args;

	instance->end = end;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	free(instance->text);
	instance->text = *text ? strdup(text) : NULL;
	instance->wake = instance->deadline = instance->kill_at = NEVER;
	ready_set_hour(instance);
	ready_set_state(instance, INSTANCE_ENDED);
	instance->want_kill = instance->want_pause = false;
	mail_clear(&instance->post);
	mail_forget_room(instance);
	spawn_end(instance);
	if (instance->counted)
		budget_give(instance->budget, BUDGET_INSTANCES, 1);
	instance->counted = false;
	if (hyper->config.changed && instance->refs && !instance->untold) {
		instance->untold = true;
		instance->refs++;
		instance->next_untold = hyper->untold;
		hyper->untold = instance;
		pthread_cond_signal(&hyper->work);
		ready_ring(hyper);
	}
	if (instance->waiters)
		pthread_cond_broadcast(&hyper->changed);
}

static void note_next_hour(Hyper *hyper)
{
	const HeapItem *first = heap_first(&hyper->hours);

	__atomic_store_n(&hyper->next_hour, first ? first->key : NEVER, __ATOMIC_RELAXED);
}

void ready_set_hour(Instance *instance)
{
	Hyper *hyper = instance->hyper;
	bool sleeps = instance->state == INSTANCE_WAITING || instance->state == INSTANCE_THROTTLED;
	u64 hour = sleeps ? instance->wake : NEVER;

	if (instance->deadline < hour)
		hour = instance->deadline;
	if (instance->kill_at < hour)
		hour = instance->kill_at;
	if (instance->time_over < hour)
		hour = instance->time_over;
	heap_remove(&hyper->hours, &instance->hour);
	if (hour != NEVER) {
		heap_add(&hyper->hours, &instance->hour, hour);
		if (heap_first(&hyper->hours) == &instance->hour && hyper->idle)
			pthread_cond_signal(&hyper->work);
	}
	note_next_hour(hyper);
	ready_count(instance);
}

static void at_hour(Instance *instance, u64 now)
{
	bool over = instance->deadline <= now || instance->time_over <= now, kill = instance->kill_at <= now;

	if (instance->state == INSTANCE_ENDED)
		return;
	if (over || kill) {
		instance->want_kill = true;
		if (instance->on_worker)
			ready_ring(instance->hyper);
		else
			instance_settle(instance);
		return;
	}
	if (instance->wake <= now && (instance->state == INSTANCE_WAITING || instance->state == INSTANCE_THROTTLED))
		ready_wake(instance);
	else
		ready_set_hour(instance);
}

void ready_pass_time(Hyper *hyper, u64 now)
{
	HeapItem *first;

	while ((first = heap_first(&hyper->hours)) && first->key <= now) {
		Instance *instance = OF(first, hour);

		heap_remove(&hyper->hours, first);
		at_hour(instance, now);
	}
	note_next_hour(hyper);
}

/* Deterministic: to its time limit is a number of instructions, so that is exact. */
static u64 slice_most(const Instance *instance, u64 now)
{
	u64 hour = instance->deadline < instance->time_over ? instance->deadline : instance->time_over;
	u64 one = instance->hyper->config.instruction_ns;

	if (!hyper_is_deterministic(instance->hyper) || hour == NEVER)
		return NEVER;
	return hour > now ? (hour - now - 1) / one + 1 : 1;
}

/* A turn is one slice, unless so many are ready that each one is moved in and out for its turn: then as long as makes up for that,
 * that is, what is measured of it is 0.4 % of the turn; what caches have to fetch anew comes to some three times that. Where moving is dear
 * (Linux programs), the turn is longer, and it is 4 % at most. Nobody waits for it who comes: see ready_ring. */
static u64 turn_ns(const Instance *instance)
{
	const Hyper *hyper = instance->hyper;
	u64 slice = hyper->config.slice_ns, turn, dear;

	if (hyper_is_deterministic(hyper) || hyper->queue.count < MANY || instance->options.cap || !instance->pool)
		return 0;
	turn = TURN_SWITCHES * instance->pool->switch_ns;
	turn = turn < TURN_SLICES * slice ? turn : TURN_SLICES * slice;
	dear = DEAR_SWITCHES * instance->pool->switch_ns;
	dear = dear < DEAR_SLICES * slice ? dear : DEAR_SLICES * slice;
	return turn > dear ? turn : dear;
}

Instance *ready_take(Hyper *hyper, u64 now)
{
	HeapItem *first = heap_first(&hyper->queue);
	Instance *instance;

	if (!first)
		return NULL;
	instance = OF(first, place);
	heap_remove(&hyper->queue, first);
	if (first->key > hyper->had_least) /* nobody in the queue has had less */
		hyper->had_least = first->key;
	instance->on_worker = true;
	instance->state = INSTANCE_RUNNING;
	instance->slice_most = slice_most(instance, now);
	instance->turn_ns = turn_ns(instance);
	instance->bell = __atomic_load_n(&hyper->bell, __ATOMIC_RELAXED);
	hyper->running++;
	if (!instance->slices && instance->pool && instance->pool->slice > instance->slice)
		instance->slice = instance->pool->slice;
	if (instance->woken) {
		u64 late = now > instance->woken ? now - instance->woken : 0;

		instance->late_ns = late > instance->late_ns ? late : instance->late_ns;
		instance->wakes++;
		instance->woken = 0;
	}
	return instance;
}
