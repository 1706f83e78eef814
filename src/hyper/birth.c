/* SPDX-License-Identifier: MIT
 *
 * How instances come to be, and go: made of an image, of a machine that is handed over, or of another instance (a fork).
 *
 *     prepare     a place in the tables of the hypervisor, a name, a node of the budgets: nothing that comes later fails for want
 *                 of these
 *     settle_in   what stands for its machine: nothing at all (conceive: one of its own when it is needed first), what another
 *                 one has changed (park), or a machine at once (make_machine)
 *     undo        if anything was refused: as if it had never been
 *
 * What it may grow to is taken from its budget here, once, so no instance fails later for memory that others took.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hyper/hyper_private.h"
#include "machine/vcpus.h"

/* ---- Going ---- */

static void delist_locked(Instance *instance)
{
	Hyper *hyper = instance->hyper;
	Instance *last = hyper->all[--hyper->count];

	if (instance->listed)
		mail_delist(hyper, &instance->post);
	instance->listed = false;
	hyper->all[instance->index] = last;
	last->index = instance->index;
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
	free(instance->refused);
	free(instance->text);
	free(instance->children);
	if (instance->options.release)
		instance->options.release(instance->options.ctx);
	free(instance);
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

/* ---- A place among the others ---- */

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

/* Its name, its realm and its space, in one block. */
static bool call(Instance *instance, const InstanceOptions *options)
{
	char own[32];
	const char *name = options->name ? options->name : own, *realm = options->realm ? options->realm : "";
	const char *store = options->store ? options->store : name;
	size_t name_len, realm_len, store_len;
	char *at;

	snprintf(own, sizeof own, "instance-%llu", (unsigned long long)instance->number);
	name_len = strlen(name) + 1;
	realm_len = strlen(realm) + 1;
	store_len = strlen(store) + 1;
	at = malloc(name_len + 2 * realm_len + store_len);
	if (!at)
		return false;
	instance->name = at;
	instance->realm = at + name_len;
	instance->space = at + name_len + realm_len;
	memcpy(at, name, name_len);
	memcpy(at + name_len, realm, realm_len);
	snprintf(at + name_len + realm_len, realm_len + store_len, "%s/%s", realm, store);
	return true;
}

static InstanceTerms terms_of(const InstanceOptions *options)
{
	return (InstanceTerms){.weight = options->weight ? options->weight : HYPER_WEIGHT, .priority = options->priority, .cap = options->cap,
			       .output_kept = options->output_kept, .timeout = options->timeout, .seed = options->seed,
			       .store_most = options->store_most, .output = options->output, .errors = options->errors,
			       .ctx = options->ctx, .release = options->release, .spawn = options->spawn, .user = options->user};
}

/* Everything but its machine. Its name may depend on its number. */
static Status prepare(Hyper *hyper, const InstanceOptions *options, Instance **out)
{
	static const InstanceOptions plain = {.weight = 0};
	Instance *instance = calloc(1, sizeof *instance);
	Status status;

	if (!instance)
		return STATUS_NOMEM;
	options = options ? options : &plain;
	instance->hyper = hyper;
	instance->options = terms_of(options);
	instance->refs = 1;
	instance->slice = hyper->config.slice_insns;
	instance->base = instance->wake = instance->deadline = instance->kill_at = instance->time_over = NEVER;
	buf_init(&instance->inbox);
	if (options->weight > HYPER_WEIGHT_MOST || options->priority > HYPER_PRIORITY_MOST) {
		free(instance);
		return STATUS_INVALID;
	}
	status = enlist(hyper, instance);
	if (status) {
		free(instance);
		return status;
	}
	if (call(instance, options))
		instance->budget = budget_create(options->parent ? options->parent : hyper->root, instance->name, options->limits);
	if (instance->budget)
		budget_set_rights(instance->budget, 0, ~(options->rights ? *options->rights : (u32)MAY_PLAIN));
	if (options->output_kept)
		instance->kept = malloc(options->output_kept);
	if (!instance->budget || (options->output_kept && !instance->kept))
		status = STATUS_NOMEM;
	else if (!budget_take_all(instance->budget, BUDGET_INSTANCES, 1, NULL))
		status = STATUS_TOO_BIG;
	else
		instance->counted = true;
	if (!status) {
		pthread_mutex_lock(&hyper->lock);
		mail_enlist(hyper, &instance->post);
		instance->listed = true;
		pthread_mutex_unlock(&hyper->lock);
	}
	*out = instance;
	return status;
}

/* ---- Its machine ---- */

static u64 seed_of(const Instance *instance)
{
	const InstanceTerms *options = &instance->options;
	struct timespec now;

	if (options->seed)
		return options->seed;
	if (hyper_is_deterministic(instance->hyper))
		return instance->number;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec) ^ instance->number << 48;
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
	MachineOutside outside = services_of(instance);
	MachineDisk disk = services_disk(instance);

	if (instance->fresh)
		machine_set_seed(instance->machine, seed_of(instance));
	instance->fresh = false;
	machine_set_rights(instance->machine, budget_rights(instance->budget));
	machine_set_outside(instance->machine, &outside);
	machine_set_disk(instance->machine, &disk);
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

/* A machine of the image's pool would be allowed more than the instance is. Paged machines are told what they may have. */
static bool is_narrow(const Instance *instance, const Image *image)
{
	return !machine_base_has_pages(image->base) && image->memory_most > image->memory_used && budget_limit(instance->budget, BUDGET_MEMORY) < image->memory_limit;
}

/* What it may come to and what it has open is its own from now on: as the image's machines, or as the delta says. */
static Status hold_all(Instance *instance, const Image *image, const Delta *delta)
{
	u64 limit = budget_limit(instance->budget, BUDGET_MEMORY), used = delta ? delta->memory : image->memory_used;
	u64 files = delta ? delta->files : image->files;
	bool grows = image->memory_most > image->memory_used;
	const Budget *breach;
	Status status;

	if (limit > image->memory_limit)
		limit = image->memory_limit;
	if (grows && used > limit)
		return STATUS_TOO_BIG;
	status = hold_memory(instance, grows ? limit : image->memory_most);
	if (status)
		return status;
	if (files && !budget_take_all(instance->budget, BUDGET_FILES, files, &breach)) {
		services_refuse(instance, BUDGET_FILES, breach);
		return STATUS_TOO_BIG;
	}
	instance->files_held = files;
	instance->memory = used;
	return STATUS_OK;
}

/* Parked, with what another one has changed; the reference to it is the instance's if this succeeds. */
static Status park(Instance *instance, Image *image, Delta *delta)
{
	Status status = hold_all(instance, image, delta);

	if (status)
		return status;
	instance->pool = pool_find(instance->hyper, image);
	if (!instance->pool)
		return STATUS_NOMEM;
	image_ref(image);
	instance->image = image;
	instance->delta = delta;
	instance->fresh = true;
	instance->parked_time = delta ? delta->time : machine_base_time(image->base);
	return STATUS_OK;
}

/* It will have a machine of its own, as soon as it needs one. */
static Status conceive(Instance *instance, Image *image)
{
	Status status = hold_all(instance, image, NULL);

	if (status)
		return status;
	instance->parked_time = image->time;
	image_ref(image);
	instance->image = image;
	return STATUS_OK;
}

Status instance_bear(Instance *instance, Buf *why)
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
		if (why && machine)
			buf_str(why, machine_why(machine));
		machine_destroy(machine);
		return status;
	}
	instance->machine = machine;
	instance->fresh = true;
	instance_dress(instance);
	return STATUS_OK;
}

/* ---- Made of ... ---- */

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

/* Nobody but us: it stays as it is. */
static bool is_held_once(const Instance *instance)
{
	bool once;

	instance_lock(instance);
	once = instance->holds == 1;
	instance_unlock(instance);
	return once;
}

/* It is an image of its own from now on, if this succeeds; else as before. */
static Status make_image(Instance *instance, MachineConfig *config, Image **image)
{
	Status status = pool_enter(instance, NULL);

	if (status)
		return status;
	if (!machine_can_park(instance->machine))
		return STATUS_UNSUPPORTED;
	config->memory_limit = machine_memory_limit(instance->machine);
	status = image_create_away(config, instance->machine, image);
	if (!status && (*image)->base)
		status = pool_adopt(instance, *image);
	if (status) {
		image_unref(*image);
	} else if (!(*image)->base) {
		image_ref(*image);
		instance->frozen = *image;
	}
	return status;
}

/* What a fork of it is made of: an image, and what has been changed since. One that was handed over becomes an image now, and
 * shares it with its forks. */
static Status origin_of(Instance *instance, Image **image, Delta **delta)
{
	MachineConfig config = instance->image->config;
	bool once = is_held_once(instance);
	Status status;

	*delta = NULL;
	if (instance->pool && once && pool_is_far(instance)) {
		status = make_image(instance, &config, image);
		if (!status)
			return status;
	}
	if (instance->pool) {
		if (instance->machine && once) /* so that the next fork finds it packed */
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
	if (!status && !(*image)->base && once) {
		image_ref(*image);
		instance->frozen = *image;
	}
	if (status || !once || instance->pool || !(*image)->base || instance->image->bytes || instance->image->base)
		return status;
	pool_adopt(instance, *image);
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
	instance_hold_still(instance);
	status = origin_of(instance, &image, &delta);
	instance_release_still(instance);
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
