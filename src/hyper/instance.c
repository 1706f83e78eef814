/* SPDX-License-Identifier: MIT
 *
 * The life of instances: what callers from outside may do with them. What a worker does is in slice.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hyper/hyper_private.h"
#include "machine/vcpus.h"

static const char *const state_names[] = {"created", "ready", "running", "waiting", "throttled", "paused", "ended"};
static const char *const end_names[] = {"", "halted", "failed", "limit", "stopped", "killed", "error"};

static void lock(const Instance *instance)
{
	pthread_mutex_lock(&instance->hyper->lock);
}

static void unlock(const Instance *instance)
{
	pthread_mutex_unlock(&instance->hyper->lock);
}

/* ---- Birth ---- */

static u64 seed_of(const Instance *instance)
{
	const InstanceOptions *options = &instance->options;
	struct timespec now;

	if (options->seed)
		return options->seed;
	if (hyper_is_deterministic(instance->hyper))
		return instance->number;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec) ^ instance->number << 48;
}

static void destroy(Instance *instance)
{
	if (instance->child_count)
		spawn_forget(instance);
	if (instance->pool)
		pool_forget(instance);
	machine_destroy(instance->machine);
	if (instance->budget && instance->files_held) /* of a machine that was never made */
		budget_give(instance->budget, BUDGET_FILES, instance->files_held);
	if (instance->budget && instance->memory_held)
		budget_give(instance->budget, BUDGET_MEMORY, instance->memory_held);
	if (instance->budget && instance->counted)
		budget_give(instance->budget, BUDGET_INSTANCES, 1);
	budget_unref(instance->budget);
	image_unref(instance->image);
	image_unref(instance->frozen);
	buf_fini(&instance->inbox);
	free(instance->fds);
	free(instance->kept);
	free(instance->name);
	free(instance->realm);
	free(instance->space);
	free(instance->children);
	if (instance->options.release)
		instance->options.release(instance->options.ctx);
	free(instance);
}

/* Room for it in the tables of the hypervisor, so that nothing fails later. */
static Status enlist(Hyper *hyper, Instance *instance)
{
	Status status = STATUS_OK;

	pthread_mutex_lock(&hyper->lock);
	if (hyper->closing) {
		status = STATUS_INVALID;
	} else if (!heap_reserve(&hyper->queue, hyper->count + 1) || !heap_reserve(&hyper->hours, hyper->count + 1) ||
		   !mail_make_room(hyper, hyper->count + 1)) {
		status = STATUS_NOMEM;
	} else if (hyper->count == hyper->cap) {
		u32 cap = hyper->cap ? 2 * hyper->cap : 16;
		Instance **all = realloc(hyper->all, cap * sizeof *all);

		if (all) {
			hyper->all = all;
			hyper->cap = cap;
		} else {
			status = STATUS_NOMEM;
		}
	}
	if (!status) {
		instance->index = hyper->count;
		hyper->all[hyper->count++] = instance;
		hyper->refs++;
		instance->number = ++hyper->next_number;
	}
	pthread_mutex_unlock(&hyper->lock);
	return status;
}

static void delist_locked(Instance *instance)
{
	Hyper *hyper = instance->hyper;
	Instance *last = hyper->all[--hyper->count];

	mail_delist(instance);
	hyper->all[instance->index] = last;
	last->index = instance->index;
}

static char *space_of(const Instance *instance)
{
	const char *store = instance->options.store ? instance->options.store : instance->name;
	size_t len = strlen(instance->realm) + strlen(store) + 2;
	char *space = malloc(len);

	if (space)
		snprintf(space, len, "%s/%s", instance->realm, store);
	return space;
}

/* Everything but its machine. Its name may depend on its number. */
static Status prepare(Hyper *hyper, const InstanceOptions *options, Instance **out)
{
	static const InstanceOptions plain = {.weight = 0};
	Instance *instance = calloc(1, sizeof *instance);
	char name[32];
	Status status;

	if (!instance)
		return STATUS_NOMEM;
	options = options ? options : &plain;
	instance->hyper = hyper;
	instance->options = *options;
	instance->options.weight = options->weight ? options->weight : HYPER_WEIGHT;
	instance->refs = 1;
	instance->slice = hyper->config.slice_insns;
	instance->base = instance->wake = instance->deadline = instance->kill_at = instance->time_over = NEVER;
	buf_init(&instance->inbox);
	services_init(instance);
	if (options->weight > HYPER_WEIGHT_MOST || options->priority > HYPER_PRIORITY_MOST) {
		free(instance);
		return STATUS_INVALID;
	}
	status = enlist(hyper, instance);
	if (status) {
		free(instance);
		return status;
	}
	snprintf(name, sizeof name, "instance-%llu", (unsigned long long)instance->number);
	instance->name = strdup(options->name ? options->name : name);
	instance->options.name = NULL;
	instance->options.limits = NULL;
	instance->options.rights = NULL;
	instance->realm = strdup(options->realm ? options->realm : "");
	instance->options.realm = NULL;
	if (instance->name && instance->realm)
		instance->space = space_of(instance);
	instance->options.store = NULL;
	if (instance->name)
		instance->budget = budget_create(options->parent ? options->parent : hyper->root, instance->name, options->limits);
	if (instance->budget)
		budget_set_rights(instance->budget, 0, ~(options->rights ? *options->rights : (u32)MAY_PLAIN));
	if (options->output_kept)
		instance->kept = malloc(options->output_kept);
	if (!instance->budget || !instance->space || (options->output_kept && !instance->kept))
		status = STATUS_NOMEM;
	else if (!budget_take_all(instance->budget, BUDGET_INSTANCES, 1, NULL))
		status = STATUS_TOO_BIG;
	else
		instance->counted = true;
	if (!status) {
		pthread_mutex_lock(&hyper->lock);
		mail_enlist(instance);
		pthread_mutex_unlock(&hyper->lock);
	}
	*out = instance;
	return status;
}

/* Gone before anybody knew it. */
static void undo(Instance *instance)
{
	Hyper *hyper = instance->hyper;

	instance->options.release = NULL; /* what is the caller's stays so */
	pthread_mutex_lock(&hyper->lock);
	delist_locked(instance);
	pthread_mutex_unlock(&hyper->lock);
	destroy(instance);
	pthread_mutex_lock(&hyper->lock);
	hyper_unref_locked(hyper);
}

/* What its machine may grow to is its own from now on. */
static Status hold_memory(Instance *instance, u64 bytes)
{
	if (!budget_take_all(instance->budget, BUDGET_MEMORY, bytes, NULL))
		return STATUS_TOO_BIG;
	instance->memory_held = bytes;
	return STATUS_OK;
}

void instance_dress(Instance *instance)
{
	if (instance->fresh)
		machine_set_seed(instance->machine, seed_of(instance));
	instance->fresh = false;
	machine_set_rights(instance->machine, budget_rights(instance->budget));
	machine_set_outside(instance->machine, &instance->outside);
	if (instance->pool)
		machine_set_user(instance->machine, instance->options.user ? instance->options.user : instance->image->config.user);
	slice_attach(instance);
}

/* Its own from now on. */
static Status give_machine(Instance *instance, Machine *machine)
{
	Status status = hold_memory(instance, machine_memory_most(machine));

	if (status)
		return status;
	if (!services_attach(instance, machine)) {
		budget_give(instance->budget, BUDGET_MEMORY, instance->memory_held);
		instance->memory_held = 0;
		return STATUS_TOO_BIG;
	}
	instance->machine = machine;
	instance_dress(instance);
	return STATUS_OK;
}

/* A machine of its own, of this configuration and in this state. */
static Status make_machine(Instance *instance, const MachineConfig *config, const u8 *bytes, size_t len)
{
	u64 limit = budget_limit(instance->budget, BUDGET_MEMORY);
	MachineConfig own = *config;
	Machine *machine;
	DiagList diags;
	Status status;

	if (limit < own.memory_limit || !own.memory_limit)
		own.memory_limit = limit == BUDGET_UNLIMITED ? own.memory_limit : limit;
	if (instance->options.user)
		own.user = instance->options.user;
	diag_init(&diags);
	status = machine_create(&own, &machine, &diags);
	diag_fini(&diags);
	if (status)
		return status;
	instance->fresh = true;
	status = machine_restore(machine, bytes, len);
	if (!status)
		status = give_machine(instance, machine);
	if (status)
		machine_destroy(machine);
	return status;
}

/* A machine of the image's pool would be allowed more than the instance is. */
static bool is_narrow(const Instance *instance, const Image *image)
{
	return image->memory_most > image->memory_used && budget_limit(instance->budget, BUDGET_MEMORY) < image->memory_limit;
}

/* Parked, with what another one has changed; the reference to it is the instance's if this succeeds. */
static Status park(Instance *instance, Image *image, Delta *delta)
{
	Status status = hold_memory(instance, image->memory_most);

	if (status)
		return status;
	instance->pool = pool_find(instance->hyper, image);
	if (!instance->pool)
		return STATUS_NOMEM;
	image_ref(image);
	instance->image = image;
	instance->delta = delta;
	instance->fresh = true;
	instance->memory = image->memory_used;
	instance->parked_time = machine_base_time(image->base);
	return STATUS_OK;
}

/* What image->bytes would be. */
static Status image_snapshot(const Image *image, const Delta *delta, Buf *out)
{
	Machine *machine = NULL;
	DiagList diags;
	Status status;

	diag_init(&diags);
	status = machine_create(&image->config, &machine, &diags);
	diag_fini(&diags);
	if (!status)
		status = machine_become(machine, image->base);
	if (!status && delta)
		status = machine_unpack(machine, image->base, delta->bytes);
	if (!status)
		status = machine_snapshot(machine, out);
	machine_destroy(machine);
	return status;
}

/* It will have a machine of its own, as soon as it needs one. */
static Status conceive(Instance *instance, Image *image)
{
	u64 limit = budget_limit(instance->budget, BUDGET_MEMORY);
	bool grows = image->memory_most > image->memory_used;
	const Budget *breach;
	Status status;

	if (limit > image->memory_limit)
		limit = image->memory_limit;
	if (image->memory_used > limit)
		return STATUS_TOO_BIG;
	status = hold_memory(instance, grows ? limit : image->memory_most);
	if (status)
		return status;
	if (image->files && !budget_take_all(instance->budget, BUDGET_FILES, image->files, &breach)) {
		services_refuse(instance, BUDGET_FILES, breach);
		return STATUS_TOO_BIG;
	}
	instance->files_held = image->files;
	instance->memory = image->memory_used;
	instance->parked_time = image->time;
	image_ref(image);
	instance->image = image;
	return STATUS_OK;
}

Status instance_bear(Instance *instance)
{
	const Image *image = instance->image;
	MachineConfig own = image->config;
	Machine *machine = NULL;
	DiagList diags;
	Status status;

	if (!image->bytes)
		return STATUS_INVALID;
	if (image->memory_most > image->memory_used)
		own.memory_limit = instance->memory_held;
	if (instance->options.user)
		own.user = instance->options.user;
	diag_init(&diags);
	status = machine_create(&own, &machine, &diags);
	diag_fini(&diags);
	if (!status && image->setup)
		status = own.guest->set_up(machine, image->setup);
	if (!status)
		status = machine_restore(machine, image->bytes, image->len);
	if (status) {
		machine_destroy(machine);
		return status;
	}
	instance->machine = machine;
	instance->fresh = true;
	instance_dress(instance);
	return STATUS_OK;
}

/* As `delta` upon the image; if it is not parked, it has a machine of its own. The delta stays the caller's. */
static Status settle_in(Instance *instance, Image *image, Delta *delta)
{
	Status status;
	Buf bytes;

	if (image->base && !is_narrow(instance, image)) {
		status = park(instance, image, delta_ref(delta));
		if (status)
			delta_unref(delta);
		return status;
	}
	if (!image->base)
		return conceive(instance, image);
	buf_init(&bytes);
	status = image_snapshot(image, delta, &bytes);
	if (!status)
		status = make_machine(instance, &image->config, bytes.data, bytes.len);
	buf_fini(&bytes);
	if (status)
		return status;
	image_ref(image);
	instance->image = image;
	return STATUS_OK;
}

Status instance_create(Hyper *hyper, Image *image, const InstanceOptions *options, Instance **out)
{
	Instance *instance = NULL;
	Status status = prepare(hyper, options, &instance);

	*out = NULL;
	if (!status)
		status = settle_in(instance, image, NULL);
	if (status) {
		if (instance)
			undo(instance);
		return status;
	}
	*out = instance;
	return STATUS_OK;
}

Status instance_adopt(Hyper *hyper, const MachineConfig *config, Machine *machine, const InstanceOptions *options, Instance **out)
{
	Instance *instance = NULL;
	Status status = prepare(hyper, options, &instance);

	*out = NULL;
	if (!status) {
		instance->image = image_of_config(config);
		status = instance->image ? give_machine(instance, machine) : STATUS_NOMEM;
	}
	if (status) {
		if (instance)
			undo(instance);
		return status;
	}
	*out = instance;
	return STATUS_OK;
}

static void hold_still(Instance *instance);
static void release_still(Instance *instance);

/* Nobody but us: it stays as it is. */
static bool is_held_once(const Instance *instance)
{
	bool once;

	lock(instance);
	once = instance->holds == 1;
	unlock(instance);
	return once;
}

/* What a fork of it is made of: an image, and what has been changed since. One that was handed over becomes an image now, and
 * shares it with its forks. */
static Status origin_of(Instance *instance, Image **image, Delta **delta)
{
	MachineConfig config = instance->image->config;
	Status status;
	Pool *pool;

	*delta = NULL;
	if (instance->pool) {
		if (instance->machine && is_held_once(instance)) /* so that the next fork finds it packed */
			pool_leave(instance);
		status = pool_copy(instance, delta);
		*image = instance->image;
		image_ref(*image);
		if (status != STATUS_UNSUPPORTED)
			return status;
		image_unref(*image);
	}
	if (!instance->machine || instance->frozen) { /* there is an image of it */
		*image = instance->machine ? instance->frozen : instance->image;
		image_ref(*image);
		return (*image)->bytes ? STATUS_OK : STATUS_INVALID;
	}
	config.memory_limit = machine_memory_limit(instance->machine);
	status = image_create(&config, instance->machine, image);
	if (!status && !instance->pool && !(*image)->base && is_held_once(instance)) {
		image_ref(*image);
		instance->frozen = *image;
	}
	if (status || instance->pool || !(*image)->base || instance->image->bytes || instance->image->base)
		return status;
	pool = pool_find(instance->hyper, *image);
	if (!pool)
		return STATUS_OK;
	image_unref(instance->image);
	image_ref(*image);
	instance->image = *image;
	pool_adopt(instance, pool);
	return STATUS_OK;
}

Status instance_fork(Instance *instance, const InstanceOptions *options, Instance **out)
{
	InstanceOptions own = options ? *options : (InstanceOptions){.weight = 0};
	u32 rights = instance_rights(instance);
	Instance *twin = NULL;
	Image *image = NULL;
	Delta *delta = NULL;
	Status status;

	*out = NULL;
	if (!own.rights) /* what was taken does not come back by a copy */
		own.rights = &rights;
	if (!own.realm)
		own.realm = instance->realm;
	hold_still(instance);
	status = origin_of(instance, &image, &delta);
	release_still(instance);
	if (!status)
		status = prepare(instance->hyper, &own, &twin);
	if (!status)
		status = settle_in(twin, image, delta);
	delta_unref(delta);
	image_unref(image);
	if (status) {
		if (twin)
			undo(twin);
		return status;
	}
	*out = twin;
	return STATUS_OK;
}

/* ---- References ---- */

void instance_ref(Instance *instance)
{
	lock(instance);
	instance->refs++;
	unlock(instance);
}

void instance_destroy_locked(Instance *instance)
{
	Hyper *hyper = instance->hyper;

	if (instance->state != INSTANCE_ENDED)
		ready_end(instance, END_KILLED, "nobody refers to it any more");
	delist_locked(instance);
	pthread_mutex_unlock(&hyper->lock); /* a guest may have much to give back */
	destroy(instance);
	pthread_mutex_lock(&hyper->lock);
	hyper_unref_locked(hyper);
}

void instance_unref(Instance *instance)
{
	if (!instance)
		return;
	lock(instance);
	if (--instance->refs) {
		unlock(instance);
		return;
	}
	if (instance->on_worker) { /* it goes when its slice is over */
		instance->want_kill = true;
		unlock(instance);
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

	lock(instance);
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
	unlock(instance);
	return status;
}

Status instance_pause(Instance *instance)
{
	Status status = STATUS_OK;

	lock(instance);
	if (instance->state == INSTANCE_ENDED || instance->state == INSTANCE_CREATED) {
		status = STATUS_INVALID;
	} else if (instance->state != INSTANCE_PAUSED) {
		instance->want_pause = true;
		if (!instance->on_worker)
			instance_settle(instance);
	}
	unlock(instance);
	return status;
}

Status instance_resume(Instance *instance)
{
	Status status = STATUS_OK;

	lock(instance);
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
	unlock(instance);
	return status;
}

Status instance_stop(Instance *instance, u64 ns)
{
	u64 now;

	lock(instance);
	if (instance->state == INSTANCE_ENDED) {
		unlock(instance);
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
	}
	ready_set_hour(instance);
	unlock(instance);
	return STATUS_OK;
}

Status instance_kill(Instance *instance)
{
	Status status = STATUS_INVALID;

	lock(instance);
	if (instance->state != INSTANCE_ENDED) {
		instance->want_kill = true;
		if (!instance->on_worker && !instance->holds)
			instance_settle(instance);
		status = STATUS_OK;
	}
	unlock(instance);
	return status;
}

/* False: the hour has come. */
static bool wait_changed(Hyper *hyper, u64 until)
{
	struct timespec at;

	if (until == NEVER)
		return pthread_cond_wait(&hyper->changed, &hyper->lock) == 0;
	until += hyper->started;
	at = (struct timespec){.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000)};
	return pthread_cond_timedwait(&hyper->changed, &hyper->lock, &at) == 0;
}

bool instance_wait(Instance *instance, u64 ns)
{
	Hyper *hyper = instance->hyper;
	bool ended;
	u64 now, until;

	lock(instance);
	now = hyper_now(hyper);
	until = ns < NEVER - now ? now + ns : NEVER;
	while (instance->state != INSTANCE_ENDED && !hyper_is_deterministic(hyper) && wait_changed(hyper, until))
		;
	ended = instance->state == INSTANCE_ENDED;
	unlock(instance);
	return ended;
}

void instance_input(Instance *instance, const u8 *bytes, size_t len)
{
	lock(instance);
	if (instance->state != INSTANCE_ENDED)
		buf_add(&instance->inbox, bytes, len);
	if (!instance->on_worker && instance->state == INSTANCE_WAITING)
		ready_wake(instance);
	unlock(instance);
}

void instance_input_end(Instance *instance)
{
	lock(instance);
	instance->inbox_end = true;
	if (!instance->on_worker && instance->state == INSTANCE_WAITING)
		ready_wake(instance);
	unlock(instance);
}

Status instance_share(Instance *instance, u32 weight, u32 priority, u32 cap)
{
	if (!weight || weight > HYPER_WEIGHT_MOST || priority > HYPER_PRIORITY_MOST)
		return STATUS_INVALID;
	lock(instance);
	instance->options.weight = weight;
	instance->options.priority = priority;
	instance->options.cap = cap;
	unlock(instance);
	return STATUS_OK;
}

/* ---- Holding ---- */

/* It does not run and does not move; it may be parked. One at a time. */
static void hold_still(Instance *instance)
{
	Hyper *hyper = instance->hyper;

	lock(instance);
	instance->holds++;
	heap_remove(&hyper->queue, &instance->place);
	while (instance->on_worker || instance->moving)
		pthread_cond_wait(&hyper->changed, &hyper->lock);
	instance->moving = true;
	unlock(instance);
}

static void end_move_locked(Instance *instance)
{
	instance->moving = false;
	pthread_cond_broadcast(&instance->hyper->changed);
}

/* It may move again; it is still held. */
static void let_move(Instance *instance)
{
	lock(instance);
	end_move_locked(instance);
	unlock(instance);
}

static void release_still(Instance *instance)
{
	let_move(instance);
	instance_release(instance);
}

Machine *instance_hold(Instance *instance)
{
	Machine *machine;

	hold_still(instance);
	pool_enter(instance);
	machine = instance->machine;
	let_move(instance);
	return machine;
}

void instance_release(Instance *instance)
{
	lock(instance);
	if (instance->holds == 1 && pool_is_full(instance, instance->state)) {
		instance->moving = true;
		unlock(instance);
		pool_leave(instance);
		lock(instance);
		end_move_locked(instance);
	}
	if (!--instance->holds)
		instance_settle(instance);
	unlock(instance);
}

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

	lock(instance);
	is = instance->state == a || instance->state == b;
	unlock(instance);
	return is;
}

Status instance_restore(Instance *instance, const u8 *bytes, size_t len)
{
	Machine *machine = instance_hold(instance);
	Status status = STATUS_INVALID;

	if (machine && !is_in(instance, INSTANCE_ENDED, INSTANCE_ENDED))
		status = machine_restore(machine, bytes, len);
	lock(instance);
	if (!status) {
		begin_at(instance, machine_time(machine));
		if (instance->state == INSTANCE_WAITING)
			ready_wake(instance);
	}
	unlock(instance);
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

	hold_still(instance);
	status = instance->image->base || instance->image->bytes ? make_anew(instance) : STATUS_UNSUPPORTED;
	if (!status)
		spawn_forget(instance);
	lock(instance);
	if (!status)
		begin_at(instance, instance->machine ? machine_time(instance->machine) : instance->parked_time);
	if (!status && !instance->counted && !budget_take_all(instance->budget, BUDGET_INSTANCES, 1, NULL))
		status = STATUS_TOO_BIG;
	if (!status) {
		instance->counted = true;
		instance->end = END_NONE;
		instance->text[0] = 0;
		instance->breach = NULL;
		instance->stopping = instance->ask_to_end = instance->want_kill = instance->want_pause = false;
		ready_set_state(instance, INSTANCE_CREATED);
	}
	unlock(instance);
	release_still(instance);
	return status;
}

/* ---- Looking ---- */

void instance_info(Instance *instance, InstanceInfo *out)
{
	lock(instance);
	*out = (InstanceInfo){.number = instance->number, .name = instance->name, .state = instance->state,
			      .waits = instance->state == INSTANCE_WAITING ? instance->waits : WAIT_NOTHING,
			      .end = instance->end, .code = instance->code, .insns = instance->insns,
			      .cpu_ns = instance->cpu_ns, .slices = instance->slices, .memory = instance->memory,
			      .output_bytes = instance->output_bytes,
			      .time_ns = budget_time_used(instance->budget, hyper_now(instance->hyper)), .wakes = instance->wakes, .late_ns = instance->late_ns,
			      .weight = instance->options.weight, .priority = instance->options.priority,
			      .cap = instance->options.cap, .stop = instance->stop};
	out->files = instance->files;
	out->messages = budget_used(instance->budget, BUDGET_MESSAGES);
	memcpy(out->text, instance->text, sizeof out->text);
	memcpy(out->refused, instance->refused, sizeof out->refused);
	unlock(instance);
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

void instance_output(Instance *instance, Buf *out)
{
	u32 size = instance->options.output_kept;

	hold_still(instance);
	if (instance->kept && instance->kept_total <= size) {
		buf_add(out, instance->kept, (size_t)instance->kept_total);
	} else if (instance->kept) {
		u32 at = (u32)(instance->kept_total % size);

		buf_add(out, instance->kept + at, size - at);
		buf_add(out, instance->kept, at);
	}
	release_still(instance);
}

const char *instance_state_name(InstanceState state)
{
	return state_names[state];
}

const char *instance_end_name(InstanceEnd end)
{
	return end_names[end];
}
