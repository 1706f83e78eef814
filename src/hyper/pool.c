/* SPDX-License-Identifier: MIT
 *
 * Machines for instances that are parked (machine/park.h). An instance that was made of an image is either *resident*, it has a
 * Machine, or *parked*: then there is only what it has changed since the image. Before it runs or is held it gets a machine
 * of its image, and when it stops running it keeps it, as long as not too many have one; else what it has changed is packed,
 * and the machine, as the image again and with all its compiled code, is free for the next one.
 *
 *     image --- pool (one per hypervisor) --- free machines, all as the image
 *       \                                          ^     | pool_enter: unpack
 *        base (frozen)                    pool_leave:    v
 *                                          pack    instance->machine
 *
 * Who holds an instance or has it on its worker may move it in and out; both take the lock themselves, for a moment.
 *
 * A pool belongs to its image, and refers to its hypervisor. Free machines of all pools of a hypervisor stand in one list, the
 * newest first; when there are too many the oldest goes.
 */
#include <stdlib.h>
#include <string.h>

#include "hyper/hyper_private.h"
#include "machine/vcpus.h"

enum {
	RESIDENT_BYTES = 256 << 20,  /* of memory of residents, together */
	FREE_MOST = 16,              /* besides one per worker */
	READY_MOST = 8,              /* residents that could run: more machines would each have code to compile, and memory to fetch, anew */
	PAGED_MOST = 32,             /* residents with pages: each process takes addresses of the host, of which there are 512 times as many */
	HEAVY_MOST = 96,             /* residents, before one with pages that could run goes: to move it costs much */
	EAGER_BYTES = 1 << 20,       /* who is larger, or has changed more, is not packed as long as it could run */
	FAR_BYTES = 1 << 20,         /* who has changed more, and a part of its memory that counts, is an image of its own for its forks */
	FAR_PART = 16,
	STAY_INSNS = 1000000,        /* who has run so much, and so much per page that it has, gets memory of its own: it runs faster then */
	STAY_INSNS_PAGE = 2048,
};

struct Resident { /* a machine that is nobody's */
	Machine *machine;         /* owned */
	Pool *pool;
	Resident *below;          /* of the same pool */
	Resident *older, *newer;  /* of all pools */
};

/* ---- Deltas ---- */

Delta *delta_ref(Delta *delta)
{
	if (delta)
		__atomic_add_fetch(&delta->refs, 1, __ATOMIC_RELAXED);
	return delta;
}

void delta_unref(Delta *delta)
{
	if (!delta || __atomic_sub_fetch(&delta->refs, 1, __ATOMIC_ACQ_REL))
		return;
	open_files_fini(&delta->held);
	free(delta);
}

static Status pack(Machine *machine, const MachineBase *base, Delta **out)
{
	Delta head = {.refs = 1, .time = machine_time(machine), .memory = machine_memory_used(machine), .files = machine_files(machine)};
	OpenFiles held = {.items = NULL};
	Status status;
	Delta *delta;
	Buf buf;

	buf_init(&buf);
	buf_reserve(&buf, 1000);
	buf_add(&buf, &head, sizeof head);
	status = machine_pack(machine, base, &buf, &held);
	if (status || buf.failed) {
		open_files_fini(&held);
		buf_fini(&buf);
		return status ? status : STATUS_NOMEM;
	}
	delta = realloc(buf.data, buf.len); /* smaller */
	delta = delta ? delta : (Delta *)(void *)buf.data;
	delta->held = held;
	delta->len = buf.len < ~(u32)0 ? (u32)buf.len : ~(u32)0;
	*out = delta;
	return STATUS_OK;
}

/* ---- Free machines. With the lock ---- */

static void unlink_resident(Hyper *hyper, Resident *resident)
{
	if (resident->older)
		resident->older->newer = resident->newer;
	else
		hyper->oldest = resident->newer;
	if (resident->newer)
		resident->newer->older = resident->older;
	else
		hyper->newest = resident->older;
	hyper->free_count--;
}

static Machine *take_from(Pool *pool)
{
	Resident *resident = pool->free;
	Machine *machine;

	if (!resident)
		return NULL;
	pool->free = resident->below;
	unlink_resident(pool->hyper, resident);
	machine = resident->machine;
	free(resident);
	return machine;
}

/* The one that has been free for longest. */
static Machine *take_oldest(Hyper *hyper)
{
	Resident *resident = hyper->oldest, **place = &resident->pool->free;
	Machine *machine = resident->machine;

	while (*place != resident)
		place = &(*place)->below;
	*place = resident->below;
	unlink_resident(hyper, resident);
	free(resident);
	return machine;
}

static void put_into(Pool *pool, Resident *resident)
{
	Hyper *hyper = pool->hyper;

	resident->pool = pool;
	resident->below = pool->free;
	pool->free = resident;
	resident->older = hyper->newest;
	resident->newer = NULL;
	if (hyper->newest)
		hyper->newest->newer = resident;
	else
		hyper->oldest = resident;
	hyper->newest = resident;
	hyper->free_count++;
}

/* ---- Pools ---- */

Pool *pool_find(Hyper *hyper, Image *image)
{
	Pool *pool;

	pthread_mutex_lock(&image->lock);
	for (pool = image->pools; pool && pool->hyper != hyper;)
		pool = pool->next;
	if (!pool && (pool = calloc(1, sizeof *pool))) {
		*pool = (Pool){.hyper = hyper, .image = image, .next = image->pools};
		image->pools = pool;
		pthread_mutex_lock(&hyper->lock);
		hyper->refs++;
		pthread_mutex_unlock(&hyper->lock);
	}
	pthread_mutex_unlock(&image->lock);
	return pool;
}

void pool_destroy(Pool *pool)
{
	Hyper *hyper = pool->hyper;
	Machine *machine;

	pthread_mutex_lock(&hyper->lock);
	while ((machine = take_from(pool))) {
		pthread_mutex_unlock(&hyper->lock);
		machine_destroy(machine);
		pthread_mutex_lock(&hyper->lock);
	}
	free(pool);
	hyper_unref_locked(hyper);
}

void pool_drop_free(Hyper *hyper)
{
	pthread_mutex_lock(&hyper->lock);
	while (hyper->oldest) {
		Machine *machine = take_oldest(hyper);

		pthread_mutex_unlock(&hyper->lock);
		machine_destroy(machine);
		pthread_mutex_lock(&hyper->lock);
	}
	pthread_mutex_unlock(&hyper->lock);
}

/* ---- In and out ---- */

/* To be unpacked. */
static Status make(const Image *image, Machine **out)
{
	DiagList diags;
	Status status;

	diag_init(&diags);
	status = machine_create(&image->config, out, &diags);
	diag_fini(&diags);
	if (!status)
		status = machine_join(*out, image->base);
	if (status) {
		machine_destroy(*out);
		*out = NULL;
	}
	return status;
}

static void count(Pool *pool, bool in)
{
	Hyper *hyper = pool->hyper;

	hyper->residents += in ? 1 : -1u;
	hyper->resident_bytes += in ? pool->image->resident_bytes : -pool->image->resident_bytes;
}

Status pool_enter(Instance *instance, Buf *why)
{
	Pool *pool = instance->pool;
	Hyper *hyper = instance->hyper;
	const Image *image = instance->image;
	Status status = STATUS_OK;
	Machine *machine;

	image_unref(instance->frozen);
	instance->frozen = NULL;
	if (instance->machine)
		return STATUS_OK;
	instance->stayed = 0;
	if (!pool)
		return instance_bear(instance, why);
	pthread_mutex_lock(&hyper->lock);
	machine = take_from(pool);
	count(pool, true);
	pthread_mutex_unlock(&hyper->lock);
	if (!machine)
		status = make(image, &machine);
	if (!status && machine_base_has_pages(image->base))
		machine_set_memory_limit(machine, instance->memory_held);
	if (!status)
		status = machine_unpack(machine, image->base, instance->delta ? instance->delta->bytes : NULL);
	if (status) {
		if (why && machine)
			buf_str(why, machine_why(machine));
		machine_destroy(machine);
		pthread_mutex_lock(&hyper->lock);
		count(pool, false);
		pthread_mutex_unlock(&hyper->lock);
		return status;
	}
	delta_unref(instance->delta);
	instance->delta = NULL;
	instance->machine = machine;
	instance_dress(instance);
	return STATUS_OK;
}

/* Back to the pool, as the image again; delta: what was just packed of it, or NULL. */
static void give_back(Pool *pool, Machine *machine, const u8 *delta, bool good)
{
	Hyper *hyper = pool->hyper;
	Resident *resident;

	machine_set_output(machine, NULL, NULL);
	machine_set_errors(machine, NULL, NULL);
	machine_set_clock(machine, NULL, NULL);
	machine_set_outside(machine, NULL); /* what is closed and opened on the way is no business of the instance */
	good = good && machine_unwind(machine, pool->image->base, delta) == STATUS_OK;
	if (good)
		machine_set_disk(machine, NULL); /* not before: maps of files may have been written */
	resident = good ? malloc(sizeof *resident) : NULL;
	pthread_mutex_lock(&hyper->lock);
	count(pool, false);
	if (resident && !hyper->closing) {
		resident->machine = machine;
		put_into(pool, resident);
		machine = hyper->free_count > FREE_MOST + hyper->config.workers ? take_oldest(hyper) : NULL;
		resident = NULL;
	}
	pthread_mutex_unlock(&hyper->lock);
	free(resident);
	machine_destroy(machine);
}

bool pool_is_full(const Instance *instance, InstanceState state)
{
	const Hyper *hyper = instance->hyper;
	const Image *image = instance->image;
	u32 most = hyper->config.residents;
	bool pages, heavy;

	if (!instance->pool || !instance->machine)
		return false;
	if (state == INSTANCE_ENDED)
		return true;
	pages = machine_base_has_pages(image->base);
	heavy = image->resident_bytes > EAGER_BYTES || instance->delta_len > EAGER_BYTES || instance->own_bytes;
	if (state == INSTANCE_READY && (heavy || (pages && most == RESIDENTS)))
		return pages && hyper->residents > HEAVY_MOST + hyper->running;
	if (pages && most == RESIDENTS)
		most = PAGED_MOST;
	if (state == INSTANCE_READY && most > READY_MOST)
		most = READY_MOST;
	return hyper->residents > most + hyper->running || hyper->resident_bytes > RESIDENT_BYTES;
}

static void count_own(Instance *instance, u64 bytes)
{
	Hyper *hyper = instance->hyper;

	pthread_mutex_lock(&hyper->lock);
	hyper->resident_bytes += bytes - instance->own_bytes;
	pthread_mutex_unlock(&hyper->lock);
	instance->own_bytes = bytes;
}

/* It would have to leave when its turn is over: what it had made for itself would be for nothing. */
static bool will_go(const Instance *instance)
{
	bool will;

	instance_lock(instance);
	will = pool_is_full(instance, INSTANCE_READY);
	instance_unlock(instance);
	return will;
}

void pool_stay(Instance *instance, u64 insns)
{
	u64 memory;

	instance->stayed += insns;
	if (!instance->pool || instance->own_bytes || !instance->image->config.host_rights || instance->stayed < STAY_INSNS)
		return;
	memory = machine_memory_used(instance->machine);
	if (instance->stayed < memory / SPACE_PAGE * STAY_INSNS_PAGE || memory >= RESIDENT_BYTES || will_go(instance))
		return;
	if (machine_unshare(instance->machine))
		count_own(instance, memory);
}

void pool_leave(Instance *instance)
{
	const Image *image = instance->image;
	Machine *machine = instance->machine;

	if (pack(machine, image->base, &instance->delta))
		return; /* it stays where it is */
	if (instance->own_bytes)
		count_own(instance, 0);
	instance->parked_time = instance->delta->time;
	instance->delta_len = instance->delta->len;
	instance->machine = NULL;
	give_back(instance->pool, machine, instance->delta->bytes, true);
}

void pool_forget(Instance *instance)
{
	Machine *machine = instance->machine;

	if (instance->own_bytes)
		count_own(instance, 0);
	if (machine)
		give_back(instance->pool, machine, NULL, machine_can_park(machine));
	instance->machine = NULL;
	delta_unref(instance->delta);
	instance->delta = NULL;
}

/* It has no machine: what it has open is counted by hand. */
static Status open_anew(Instance *instance)
{
	u64 files = instance->image->files;
	const Budget *breach;

	budget_give(instance->budget, BUDGET_FILES, instance->files_held);
	instance->files_held = 0;
	if (!budget_take_all(instance->budget, BUDGET_FILES, files, &breach)) {
		services_refuse(instance, BUDGET_FILES, breach);
		return STATUS_TOO_BIG;
	}
	instance->files_held = files;
	return STATUS_OK;
}

Status pool_rewind(Instance *instance)
{
	const MachineBase *base = instance->image->base;
	Status status;

	delta_unref(instance->delta);
	instance->delta = NULL;
	instance->parked_time = machine_base_time(base);
	if (!instance->machine)
		return open_anew(instance);
	if (instance->own_bytes)
		count_own(instance, 0);
	status = machine_unwind(instance->machine, base, NULL);
	return status ? status : machine_unpack(instance->machine, base, NULL);
}

bool pool_is_far(const Instance *instance)
{
	const Image *image = instance->image;
	u64 changed;

	if (!machine_base_has_pages(image->base))
		return false;
	if (instance->own_bytes) /* it can be had without a copy */
		return instance->memory > FAR_BYTES;
	changed = instance->delta ? instance->delta->len : 0;
	if (instance->machine)
		changed = machine_changed_pages(instance->machine, image->base) * SPACE_PAGE;
	return changed > FAR_BYTES && changed > instance->memory / FAR_PART;
}

Status pool_copy(Instance *instance, Delta **out)
{
	if (instance->machine)
		return pack(instance->machine, instance->image->base, out);
	*out = delta_ref(instance->delta);
	return STATUS_OK;
}

Status pool_adopt(Instance *instance, Image *image)
{
	Pool *pool = pool_find(instance->hyper, image), *before = instance->pool;
	MachineLeft *left;
	bool good;

	if (!pool)
		return STATUS_NOMEM;
	if (instance->own_bytes)
		count_own(instance, 0);
	instance->stayed = 0;
	good = machine_settle(instance->machine, image->base, &left) == STATUS_OK;
	hyper_leave(instance->hyper, left);
	if (!good) { /* all that it was is in the image */
		instance->parked_time = machine_time(instance->machine);
		machine_set_outside(instance->machine, NULL);
		machine_destroy(instance->machine);
		instance->machine = NULL;
	}
	pthread_mutex_lock(&instance->hyper->lock);
	if (before)
		count(before, false);
	instance->pool = pool;
	if (good)
		count(pool, true);
	pthread_mutex_unlock(&instance->hyper->lock);
	image_ref(image);
	image_unref(instance->image);
	instance->image = image;
	return STATUS_OK;
}
