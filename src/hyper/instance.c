/* SPDX-License-Identifier: MIT
 *
 * The life of instances: what callers from outside may do with them. How they come to be is in birth.c, how they are held, written
 * out and set back in hold.c, what a worker does in slice.c.
 */
#include <stdio.h>

#include "hyper/hyper_private.h"
#include "machine/vcpus.h"

static const char *const state_names[] = {"created", "ready", "running", "waiting", "throttled", "paused", "ended"};
static const char *const end_names[] = {"", "halted", "failed", "limit", "stopped", "killed", "error"};

/* ---- References ---- */

void instance_ref(Instance *instance)
{
	instance_lock(instance);
	instance->refs++;
	instance_unlock(instance);
}

void instance_unref(Instance *instance)
{
	if (!instance)
		return;
	instance_lock(instance);
	if (--instance->refs) {
		instance_unlock(instance);
		return;
	}
	if (instance->on_worker) { /* it goes when its slice is over */
		instance->want_kill = true;
		ready_ring(instance->hyper);
		instance_unlock(instance);
		return;
	}
	instance_destroy_locked(instance);
}

/* ---- What callers want ---- */

static void end_without_time(Instance *instance, u64 now)
{
	const Budget *breach = instance->budget;
	Buf text;

	buf_init(&text);
	budget_time_over(instance->budget, now, &breach);
	budget_describe(breach, BUDGET_TIME, &text);
	ready_end(instance, END_LIMIT, "reached %s", buf_text(&text));
	buf_fini(&text);
}

void instance_settle(Instance *instance)
{
	Hyper *hyper = instance->hyper;
	u64 now = hyper_now(hyper);

	if (instance->state == INSTANCE_ENDED)
		return;
	if (instance->want_kill) {
		if (instance->time_over <= now)
			end_without_time(instance, now);
		else if (instance->deadline <= now)
			ready_end(instance, END_LIMIT, "reached the time limit of %g s", (double)instance->options.timeout / 1e9);
		else if (instance->kill_at <= now)
			ready_end(instance, END_KILLED, "did not end when it was asked to");
		else
			ready_end(instance, END_KILLED, "killed");
		return;
	}
	if (instance->want_pause) {
		instance->want_pause = false;
		instance->under = instance->state == INSTANCE_RUNNING ? INSTANCE_READY : instance->state;
		ready_set_state(instance, INSTANCE_PAUSED);
		pthread_cond_broadcast(&hyper->changed);
		return;
	}
	if (instance->state == INSTANCE_READY || instance->state == INSTANCE_RUNNING) {
		instance->state = INSTANCE_READY;
		ready_wake(instance);
	}
}

Status instance_start(Instance *instance)
{
	Status status = STATUS_INVALID;
	u64 now, time;

	instance_lock(instance);
	while (instance->moving)
		pthread_cond_wait(&instance->hyper->changed, &instance->hyper->lock);
	if (instance->state == INSTANCE_CREATED && !instance->hyper->closing) {
		now = hyper_now(instance->hyper);
		time = instance->machine ? machine_time(instance->machine) : instance->parked_time;
		instance->base = now > time ? now - time : 0;
		if (instance->options.timeout && instance->options.timeout < NEVER - now)
			instance->deadline = now + instance->options.timeout;
		ready_wake(instance);
		status = STATUS_OK;
	}
	instance_unlock(instance);
	return status;
}

Status instance_pause(Instance *instance)
{
	Status status = STATUS_OK;

	instance_lock(instance);
	if (instance->state == INSTANCE_ENDED || instance->state == INSTANCE_CREATED) {
		status = STATUS_INVALID;
	} else if (instance->state != INSTANCE_PAUSED) {
		instance->want_pause = true;
		if (instance->on_worker)
			ready_ring(instance->hyper);
		else
			instance_settle(instance);
	}
	instance_unlock(instance);
	return status;
}

Status instance_resume(Instance *instance)
{
	Status status = STATUS_OK;

	instance_lock(instance);
	if (instance->state == INSTANCE_PAUSED) {
		ready_set_state(instance, INSTANCE_READY);
		if (instance->under == INSTANCE_WAITING) /* it looks itself whether what it waits for is there */
			instance->waits = WAIT_NOTHING;
		ready_wake(instance);
	} else if (instance->want_pause) {
		instance->want_pause = false;
	} else {
		status = STATUS_INVALID;
	}
	instance_unlock(instance);
	return status;
}

Status instance_stop(Instance *instance, u64 ns)
{
	u64 now;

	instance_lock(instance);
	if (instance->state == INSTANCE_ENDED) {
		instance_unlock(instance);
		return STATUS_INVALID;
	}
	now = hyper_now(instance->hyper);
	instance->stopping = instance->ask_to_end = true;
	instance->kill_at = ns < NEVER - now ? now + ns : NEVER;
	if (instance->state == INSTANCE_CREATED) {
		ready_end(instance, END_STOPPED, "%s", "");
	} else if (instance->state == INSTANCE_PAUSED) { /* it can't end by itself as long as it is */
		ready_set_state(instance, INSTANCE_READY);
		ready_wake(instance);
	} else if (!instance->on_worker) {
		ready_wake(instance);
	} else {
		ready_ring(instance->hyper);
	}
	ready_set_hour(instance);
	instance_unlock(instance);
	return STATUS_OK;
}

Status instance_kill(Instance *instance)
{
	Status status = STATUS_INVALID;

	instance_lock(instance);
	if (instance->state != INSTANCE_ENDED) {
		instance->want_kill = true;
		if (instance->on_worker)
			ready_ring(instance->hyper);
		else if (!instance->holds)
			instance_settle(instance);
		status = STATUS_OK;
	}
	instance_unlock(instance);
	return status;
}

bool instance_wait(Instance *instance, u64 ns)
{
	Hyper *hyper = instance->hyper;
	bool ended;
	u64 now, until;

	instance_lock(instance);
	now = hyper_now(hyper);
	until = ns < NEVER - now ? now + ns : NEVER;
	instance->waiters++;
	while (instance->state != INSTANCE_ENDED && !hyper_is_deterministic(hyper) && hyper_wait_changed(hyper, until))
		;
	instance->waiters--;
	ended = instance->state == INSTANCE_ENDED;
	instance_unlock(instance);
	return ended;
}

void instance_input(Instance *instance, const u8 *bytes, size_t len)
{
	instance_lock(instance);
	if (instance->state != INSTANCE_ENDED)
		buf_add(&instance->inbox, bytes, len);
	if (!instance->on_worker && instance->state == INSTANCE_WAITING)
		ready_wake(instance);
	instance_unlock(instance);
}

void instance_input_end(Instance *instance)
{
	instance_lock(instance);
	instance->inbox_end = true;
	if (!instance->on_worker && instance->state == INSTANCE_WAITING)
		ready_wake(instance);
	instance_unlock(instance);
}

Status instance_share(Instance *instance, u32 weight, u32 priority, u32 cap)
{
	if (!weight || weight > HYPER_WEIGHT_MOST || priority > HYPER_PRIORITY_MOST)
		return STATUS_INVALID;
	instance_lock(instance);
	instance->options.weight = weight;
	instance->options.priority = priority;
	instance->options.cap = cap;
	instance_unlock(instance);
	return STATUS_OK;
}

/* ---- Looking ---- */

void instance_info(Instance *instance, InstanceInfo *out)
{
	instance_lock(instance);
	*out = (InstanceInfo){.number = instance->number, .name = instance->name, .state = instance->state,
			      .waits = instance->state == INSTANCE_WAITING ? instance->waits : WAIT_NOTHING,
			      .end = instance->end, .code = instance->code, .insns = instance->insns,
			      .cpu_ns = instance->cpu_ns, .slices = instance->slices, .memory = instance->memory,
			      .output_bytes = instance->output_bytes,
			      .time_ns = budget_time_used(instance->budget, hyper_now(instance->hyper)), .wakes = instance->wakes, .late_ns = instance->late_ns,
			      .weight = instance->options.weight, .priority = instance->options.priority,
			      .cap = instance->options.cap, .stop = instance->stop};
	out->parent = instance->spawner ? instance->spawner->number : 0;
	out->files = instance->files;
	out->messages = budget_used(instance->budget, BUDGET_MESSAGES);
	out->disk = budget_used(instance->budget, BUDGET_DISK);
	snprintf(out->text, sizeof out->text, "%s", instance->text ? instance->text : "");
	snprintf(out->refused, sizeof out->refused, "%s", instance->refused ? instance->refused : "");
	instance_unlock(instance);
}

const Budget *instance_budget(const Instance *instance)
{
	return instance->budget;
}

const char *instance_name(const Instance *instance)
{
	return instance->name;
}

void *instance_ctx(const Instance *instance)
{
	return instance->options.ctx;
}

const char *instance_state_name(InstanceState state)
{
	return state_names[state];
}

const char *instance_end_name(InstanceEnd end)
{
	return end_names[end];
}
