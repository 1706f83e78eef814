/* SPDX-License-Identifier: MIT
 *
 * Instances that are held: nobody runs them meanwhile, so their machine may be looked at, written out, set back to another state.
 *
 * Two kinds of holding. Who holds it *still* (instance_hold_still) finds it as it is, parked or not, and nobody moves it; one at
 * a time. Who holds it (instance_hold) has got it a machine; several may, at once.
 */
#include <stdlib.h>

#include "hyper/hyper_private.h"
#include "machine/vcpus.h"

void instance_hold_still(Instance *instance)
{
	Hyper *hyper = instance->hyper;

	instance_lock(instance);
	instance->holds++;
	if (instance->on_worker)
		ready_ring(hyper);
	heap_remove(&hyper->queue, &instance->place);
	while (instance->on_worker || instance->moving)
		pthread_cond_wait(&hyper->changed, &hyper->lock);
	instance->moving = true;
	instance_unlock(instance);
}

static void end_move_locked(Instance *instance)
{
	instance->moving = false;
	pthread_cond_broadcast(&instance->hyper->changed);
}

/* It may move again; it is still held. */
static void let_move(Instance *instance)
{
	instance_lock(instance);
	end_move_locked(instance);
	instance_unlock(instance);
}

void instance_release_still(Instance *instance)
{
	let_move(instance);
	instance_release(instance);
}

Machine *instance_hold(Instance *instance)
{
	Machine *machine;

	instance_hold_still(instance);
	pool_enter(instance, NULL);
	machine = instance->machine;
	let_move(instance);
	return machine;
}

void instance_release(Instance *instance)
{
	instance_lock(instance);
	if (instance->holds == 1 && pool_is_full(instance, instance->state)) {
		instance->moving = true;
		instance_unlock(instance);
		pool_leave(instance);
		instance_lock(instance);
		end_move_locked(instance);
	}
	if (!--instance->holds)
		instance_settle(instance);
	instance_unlock(instance);
}

/* ---- What is done to one that is held ---- */

Status instance_snapshot(Instance *instance, Buf *out)
{
	Machine *machine = instance_hold(instance);
	Status status = machine ? machine_snapshot(machine, out) : STATUS_INVALID;

	instance_release(instance);
	return status;
}

/* In another state: what it waited for, and what came for it, is forgotten. With the lock. */
static void begin_at(Instance *instance, u64 time)
{
	u64 now = hyper_now(instance->hyper);

	instance->base = now > time ? now - time : 0;
	buf_clear(&instance->inbox);
	instance->inbox_end = false;
	instance->news = true;
	instance->fds_ready = false;
}

static bool is_in(Instance *instance, InstanceState a, InstanceState b)
{
	bool is;

	instance_lock(instance);
	is = instance->state == a || instance->state == b;
	instance_unlock(instance);
	return is;
}

Status instance_restore(Instance *instance, const u8 *bytes, size_t len)
{
	Machine *machine = instance_hold(instance);
	Status status = STATUS_INVALID;

	if (machine && !is_in(instance, INSTANCE_ENDED, INSTANCE_ENDED))
		status = machine_restore(machine, bytes, len);
	instance_lock(instance);
	if (!status) {
		begin_at(instance, machine_time(machine));
		if (instance->state == INSTANCE_WAITING)
			ready_wake(instance);
	}
	instance_unlock(instance);
	instance_release(instance);
	return status;
}

/* Its machine, or what stands for it, as it was made. */
static Status make_anew(Instance *instance)
{
	const Image *image = instance->image;
	Status status = STATUS_OK;

	if (!is_in(instance, INSTANCE_ENDED, INSTANCE_CREATED))
		return STATUS_INVALID;
	image_unref(instance->frozen);
	instance->frozen = NULL;
	if (instance->pool) {
		status = pool_rewind(instance);
	} else if (!instance->machine) {
		instance->parked_time = image->time;
	} else if (image->bytes) {
		status = machine_restore(instance->machine, image->bytes, image->len);
	} else {
		Buf bytes;

		buf_init(&bytes);
		status = image_snapshot(image, NULL, &bytes);
		if (!status)
			status = machine_restore(instance->machine, bytes.data, bytes.len);
		buf_fini(&bytes);
	}
	instance->fresh = true;
	if (!status && instance->machine)
		instance_dress(instance);
	return status;
}

Status instance_reset(Instance *instance)
{
	Status status;

	instance_hold_still(instance);
	status = instance->image->base || instance->image->bytes ? make_anew(instance) : STATUS_UNSUPPORTED;
	if (!status)
		spawn_forget(instance);
	instance_lock(instance);
	if (!status)
		begin_at(instance, instance->machine ? machine_time(instance->machine) : instance->parked_time);
	if (!status && !instance->counted && !budget_take_all(instance->budget, BUDGET_INSTANCES, 1, NULL))
		status = STATUS_TOO_BIG;
	if (!status) {
		instance->counted = true;
		instance->end = END_NONE;
		free(instance->text);
		instance->text = NULL;
		instance->breach = NULL;
		instance->stopping = instance->ask_to_end = instance->want_kill = instance->want_pause = false;
		ready_set_state(instance, INSTANCE_CREATED);
	}
	instance_unlock(instance);
	instance_release_still(instance);
	return status;
}

void instance_output(Instance *instance, Buf *out)
{
	u32 size = instance->options.output_kept;

	instance_hold_still(instance);
	if (instance->kept && instance->kept_total <= size) {
		buf_add(out, instance->kept, (size_t)instance->kept_total);
	} else if (instance->kept) {
		u32 at = (u32)(instance->kept_total % size);

		buf_add(out, instance->kept + at, size - at);
		buf_add(out, instance->kept, at);
	}
	instance_release_still(instance);
}
