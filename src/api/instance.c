/* SPDX-License-Identifier: MIT
 *
 * Instances of libhusk. What they do is hyper/instance.c; here their handles come and go with them, and the handles of
 * their machines are opened for those who hold them.
 */
#include "api/api_hyper.h"

#include <stdio.h>

_Static_assert((int)HUSK_INSTANCE_CREATED == INSTANCE_CREATED && (int)HUSK_INSTANCE_READY == INSTANCE_READY &&
	       (int)HUSK_INSTANCE_RUNNING == INSTANCE_RUNNING && (int)HUSK_INSTANCE_WAITING == INSTANCE_WAITING &&
	       (int)HUSK_INSTANCE_THROTTLED == INSTANCE_THROTTLED && (int)HUSK_INSTANCE_PAUSED == INSTANCE_PAUSED &&
	       (int)HUSK_INSTANCE_ENDED == INSTANCE_ENDED, "states have the same numbers outside");
_Static_assert((int)HUSK_END_NONE == END_NONE && (int)HUSK_END_HALTED == END_HALTED && (int)HUSK_END_FAILED == END_FAILED &&
	       (int)HUSK_END_LIMIT == END_LIMIT && (int)HUSK_END_STOPPED == END_STOPPED && (int)HUSK_END_KILLED == END_KILLED &&
	       (int)HUSK_END_ERROR == END_ERROR, "ends have the same numbers outside");

_Static_assert((int)HUSK_WAIT_NOTHING == WAIT_NOTHING && (int)HUSK_WAIT_INPUT == WAIT_INPUT && (int)HUSK_WAIT_TIME == WAIT_TIME &&
	       (int)HUSK_WAIT_OUTSIDE == WAIT_OUTSIDE && (int)HUSK_WAIT_MESSAGE == WAIT_MESSAGE, "so have reasons to wait");

/* ---- Handles ---- */

static void free_handle(husk_instance *handle)
{
	husk_context *context = handle->context;

	husk_image_unref(handle->image);
	pthread_mutex_destroy(&handle->lock);
	api_free(context, handle, sizeof *handle);
	husk_context_unref(context);
}

/* The instance is gone. */
static void on_release(void *ctx)
{
	husk_instance *handle = ctx;
	husk_machine *machine = handle->machine;
	void (*gone)(void *user) = handle->gone;
	void *user = handle->user;

	machine->generation++;
	machine->machine = NULL;
	machine->instance = NULL;
	api_machine_unref(machine);
	free_handle(handle);
	if (gone)
		gone(user);
}

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	const husk_instance *handle = ctx;

	if (handle->output)
		handle->output(handle->output_ctx, bytes, len);
}

static void on_errors(void *ctx, const u8 *bytes, size_t len)
{
	const husk_instance *handle = ctx;

	if (handle->errors)
		handle->errors(handle->output_ctx, bytes, len);
	else
		on_output(ctx, bytes, len);
}

/* Everything that an instance is made with; the arrays are borrowed by *out. */
typedef struct Making {
	husk_instance_options own;
	u64 limits[BUDGET_KINDS];
	u32 rights;
	InstanceOptions out;
	husk_instance *handle;
} Making;

static husk_status begin(Making *making, husk_context *context, const husk_instance_options *options)
{
	husk_status status = api_options(&making->own, sizeof making->own, options);
	const husk_instance_options *own = &making->own;
	husk_instance *handle;

	if (!status)
		status = api_limits(own->limits, making->limits);
	if (status)
		return status;
	handle = api_alloc(context, sizeof *handle);
	if (!handle)
		return HUSK_NO_MEMORY;
	if (pthread_mutex_init(&handle->lock, NULL)) {
		api_free(context, handle, sizeof *handle);
		return HUSK_NO_MEMORY;
	}
	husk_context_ref(context);
	handle->context = context;
	handle->output = own->output;
	handle->errors = own->errors;
	handle->output_ctx = own->output_ctx;
	handle->user = own->user;
	handle->spawn = own->spawn;
	handle->spawn_ctx = own->spawn_ctx;
	handle->gone = own->gone;
	making->handle = handle;
	making->rights = own->rights;
	making->out = (InstanceOptions){.name = own->name, .parent = (Budget *)(void *)own->budget,
					.limits = own->limits ? making->limits : NULL, .rights = own->has_rights ? &making->rights : NULL,
					.weight = own->weight, .priority = own->priority, .cap = own->cap, .timeout = own->timeout,
					.seed = own->seed, .output_kept = own->output_kept, .output = on_output, .errors = on_errors,
					.ctx = handle, .release = on_release, .spawn = own->spawn ? api_on_spawn : NULL,
					.realm = own->realm, .store = own->space, .store_most = own->space_limit};
	return HUSK_OK;
}

/* A handle for a machine that is not there yet. */
static husk_machine *machine_handle(husk_context *context, husk_program *program, husk_hosts *hosts, const MachineConfig *config, void *user)
{
	husk_machine *machine = api_alloc(context, sizeof *machine);

	if (!machine)
		return NULL;
	husk_context_ref(context);
	husk_program_ref(program);
	husk_hosts_ref(hosts);
	*machine = (husk_machine){.context = context, .program = program, .hosts = hosts, .config = *config, .user = user, .refs = 1};
	machine->config.user = machine;
	return machine;
}

/* ---- Birth ---- */

/* Others find it from now on. */
static void finish(husk_instance *handle, Instance *made)
{
	__atomic_store_n(&handle->instance, made, __ATOMIC_RELEASE);
}

husk_instance *api_handle(const Instance *instance)
{
	husk_instance *handle = instance_ctx(instance);

	return __atomic_load_n(&handle->instance, __ATOMIC_ACQUIRE) ? handle : NULL;
}

husk_status husk_instance_create(husk_hyper *hyper, husk_image *image, const husk_instance_options *options, husk_instance **out)
{
	if (out)
		*out = NULL;
	if (!hyper || !image || !out)
		return HUSK_INVALID;
	return api_make_instance(hyper, image, options, NULL, out);
}

husk_status api_make_instance(husk_hyper *hyper, husk_image *image, const husk_instance_options *options, const InstanceOptions *before,
			      husk_instance **out)
{
	husk_instance *handle;
	husk_status status;
	Instance *made;
	Making making;

	status = begin(&making, hyper->context, options);
	if (status)
		return status;
	handle = making.handle;
	if (before) {
		making.out.name = before->name;
		making.out.parent = before->parent;
		making.out.realm = before->realm;
	}
	handle->has_workers = hyper->workers > 0;
	handle->hyper = hyper;
	husk_image_ref(image);
	handle->image = image;
	handle->machine = machine_handle(image->context, image->program, image->hosts, &image->config, making.own.user);
	if (!handle->machine) {
		free_handle(handle);
		return HUSK_NO_MEMORY;
	}
	handle->machine->instance = handle;
	making.out.user = handle->machine;
	status = api_status(instance_create(hyper->hyper, image->image, &making.out, &made));
	if (status) {
		api_machine_unref(handle->machine);
		free_handle(handle);
		return status;
	}
	finish(handle, made);
	*out = handle;
	return HUSK_OK;
}

static husk_status state_of(Status status)
{
	return status == STATUS_INVALID ? HUSK_STATE : api_status(status);
}

husk_status husk_instance_fork(husk_instance *instance, const husk_instance_options *options, husk_instance **out)
{
	husk_instance *handle;
	husk_status status;
	Instance *made;
	Making making;

	if (out)
		*out = NULL;
	if (!instance || !out)
		return HUSK_INVALID;
	status = begin(&making, instance->context, options);
	if (status)
		return status;
	handle = making.handle;
	handle->has_workers = instance->has_workers;
	handle->hyper = instance->hyper;
	husk_image_ref(instance->image);
	handle->image = instance->image;
	handle->machine = machine_handle(instance->machine->context, instance->machine->program, instance->machine->hosts,
					 &instance->machine->config, making.own.user);
	if (!handle->machine) {
		free_handle(handle);
		return HUSK_NO_MEMORY;
	}
	handle->machine->instance = handle;
	making.out.user = handle->machine;
	status = state_of(instance_fork(instance->instance, &making.out, &made));
	if (status) {
		api_machine_unref(handle->machine);
		free_handle(handle);
		return status;
	}
	finish(handle, made);
	*out = handle;
	return HUSK_OK;
}

husk_status husk_instance_adopt(husk_hyper *hyper, husk_machine *machine, const husk_instance_options *options, husk_instance **out)
{
	husk_status status = api_enter_alone(machine);
	husk_instance *handle;
	Instance *made;
	Machine *guest;
	Making making;

	if (out)
		*out = NULL;
	if (status || !hyper || !out)
		return status ? status : HUSK_INVALID;
	status = begin(&making, hyper->context, options);
	if (status)
		return status;
	handle = making.handle;
	handle->has_workers = hyper->workers > 0;
	handle->hyper = hyper;
	handle->machine = machine;
	guest = machine->machine;
	machine->machine = NULL; /* it may be run at once */
	machine->instance = handle;
	status = api_status(instance_adopt(hyper->hyper, &machine->config, guest, &making.out, &made));
	if (status) {
		machine->machine = guest;
		machine->instance = NULL;
		free_handle(handle);
		return status;
	}
	finish(handle, made);
	if (making.own.user)
		machine->user = making.own.user;
	*out = handle;
	return HUSK_OK;
}

void husk_instance_ref(husk_instance *instance)
{
	if (instance)
		instance_ref(instance->instance);
}

void husk_instance_unref(husk_instance *instance)
{
	if (instance)
		instance_unref(instance->instance);
}

/* ---- Life ---- */

/* STATUS_INVALID of the functions below means the state. */
husk_status husk_instance_start(husk_instance *instance)
{
	return instance ? state_of(instance_start(instance->instance)) : HUSK_INVALID;
}

husk_status husk_instance_pause(husk_instance *instance)
{
	return instance ? state_of(instance_pause(instance->instance)) : HUSK_INVALID;
}

husk_status husk_instance_resume(husk_instance *instance)
{
	return instance ? state_of(instance_resume(instance->instance)) : HUSK_INVALID;
}

husk_status husk_instance_stop(husk_instance *instance, uint64_t ns)
{
	return instance ? state_of(instance_stop(instance->instance, ns)) : HUSK_INVALID;
}

husk_status husk_instance_kill(husk_instance *instance)
{
	return instance ? state_of(instance_kill(instance->instance)) : HUSK_INVALID;
}

husk_status husk_instance_wait(husk_instance *instance, uint64_t ns)
{
	if (!instance)
		return HUSK_INVALID;
	if (!instance->has_workers)
		return HUSK_STATE;
	return instance_wait(instance->instance, ns) ? HUSK_OK : HUSK_TIMEOUT;
}

husk_status husk_instance_reset(husk_instance *instance)
{
	husk_status status = instance ? state_of(instance_reset(instance->instance)) : HUSK_INVALID;

	if (status)
		return status;
	pthread_mutex_lock(&instance->lock);
	instance->machine->generation++;
	instance->ended = false;
	pthread_mutex_unlock(&instance->lock);
	return HUSK_OK;
}

husk_status husk_instance_input(husk_instance *instance, const void *bytes, size_t len)
{
	if (!instance || (!bytes && len))
		return HUSK_INVALID;
	if (len)
		instance_input(instance->instance, bytes, len);
	return HUSK_OK;
}

husk_status husk_instance_input_end(husk_instance *instance)
{
	if (!instance)
		return HUSK_INVALID;
	instance_input_end(instance->instance);
	return HUSK_OK;
}

husk_status husk_instance_mail(husk_instance *instance, const void *bytes, size_t len)
{
	if (!instance || (!bytes && len))
		return HUSK_INVALID;
	return len > HUSK_MESSAGE_MOST ? HUSK_RANGE : state_of(instance_mail(instance->instance, 0, bytes, len));
}

husk_status husk_instance_share(husk_instance *instance, uint32_t weight, uint32_t priority, uint32_t cap)
{
	return instance ? api_status(instance_share(instance->instance, weight, priority, cap)) : HUSK_INVALID;
}

husk_status husk_instance_grant(husk_instance *instance, uint32_t rights)
{
	if (!instance)
		return HUSK_INVALID;
	instance_grant(instance->instance, rights);
	return HUSK_OK;
}

husk_status husk_instance_revoke(husk_instance *instance, uint32_t rights)
{
	if (!instance)
		return HUSK_INVALID;
	instance_revoke(instance->instance, rights);
	return HUSK_OK;
}

/* ---- Its machine ---- */

husk_status husk_instance_hold(husk_instance *instance, husk_machine **machine)
{
	InstanceInfo info;
	Machine *guest;

	if (machine)
		*machine = NULL;
	if (!instance || !machine)
		return HUSK_INVALID;
	guest = instance_hold(instance->instance);
	instance_info(instance->instance, &info);
	if (!guest) { /* it was put away, and there is no memory to take it out */
		instance_release(instance->instance);
		return info.state == INSTANCE_ENDED ? HUSK_STATE : HUSK_NO_MEMORY;
	}
	pthread_mutex_lock(&instance->lock);
	instance->holds++;
	__atomic_store_n(&instance->machine->machine, guest, __ATOMIC_RELEASE);
	if (info.state == INSTANCE_ENDED && !instance->ended) {
		instance->ended = true;
		instance->machine->generation++;
	}
	pthread_mutex_unlock(&instance->lock);
	*machine = instance->machine;
	return HUSK_OK;
}

husk_status husk_instance_release(husk_instance *instance)
{
	bool held;

	if (!instance)
		return HUSK_INVALID;
	pthread_mutex_lock(&instance->lock);
	held = instance->holds > 0;
	if (held && --instance->holds == 0)
		__atomic_store_n(&instance->machine->machine, NULL, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&instance->lock);
	if (!held)
		return HUSK_STATE;
	instance_release(instance->instance);
	return HUSK_OK;
}

/* What its machine has to say about that, for those who do not hold it. */
static void keep_why(husk_instance *instance, const husk_machine *machine)
{
	pthread_mutex_lock(&instance->lock);
	snprintf(instance->why, sizeof instance->why, "%s", machine_why(machine->machine));
	pthread_mutex_unlock(&instance->lock);
}

husk_status husk_instance_snapshot(husk_instance *instance, husk_blob **out)
{
	husk_machine *machine;
	husk_status status;
	Buf bytes;

	if (out)
		*out = NULL;
	if (!instance || !out)
		return HUSK_INVALID;
	status = husk_instance_hold(instance, &machine); /* says why it has none */
	if (status)
		return status;
	buf_init(&bytes);
	status = state_of(instance_snapshot(instance->instance, &bytes));
	keep_why(instance, machine);
	husk_instance_release(instance);
	if (!status)
		return api_blob(instance->context, &bytes, out);
	buf_fini(&bytes);
	return status;
}

husk_status husk_instance_restore(husk_instance *instance, const void *bytes, size_t len)
{
	husk_machine *machine;
	husk_status status;

	if (!instance || (!bytes && len))
		return HUSK_INVALID;
	status = husk_instance_hold(instance, &machine);
	if (status)
		return status;
	status = state_of(instance_restore(instance->instance, bytes, len));
	keep_why(instance, machine);
	husk_instance_release(instance);
	if (status)
		return status;
	pthread_mutex_lock(&instance->lock);
	instance->machine->generation++;
	pthread_mutex_unlock(&instance->lock);
	return HUSK_OK;
}

u64 api_take_fuel(husk_instance *instance, u64 wanted)
{
	/* Who calls is within the instance, and may spend what is its own. */
	return wanted ? budget_take((Budget *)instance_budget(instance->instance), BUDGET_FUEL, wanted, NULL) : 0;
}

void api_give_fuel(husk_instance *instance, u64 unused)
{
	if (unused)
		budget_give((Budget *)instance_budget(instance->instance), BUDGET_FUEL, unused);
}

/* ---- Looking ---- */

husk_status husk_instance_get_info(husk_instance *instance, husk_instance_info *out)
{
	husk_instance_info answer = {0};
	husk_stop stop;
	InstanceInfo info;

	if (!instance || !out)
		return HUSK_INVALID;
	instance_info(instance->instance, &info);
	api_describe_stop(NULL, &info.stop, &stop);
	answer.number = info.number;
	answer.state = (husk_instance_state)info.state;
	answer.end = (husk_instance_end)info.end;
	answer.exit_code = info.code;
	answer.stop = stop.kind;
	answer.instructions = info.insns;
	answer.cpu_ns = info.cpu_ns;
	answer.time_ns = info.time_ns;
	answer.memory = info.memory;
	answer.output_bytes = info.output_bytes;
	answer.files = info.files;
	answer.disk = info.disk;
	answer.messages = info.messages;
	answer.weight = info.weight;
	answer.priority = info.priority;
	answer.cap = info.cap;
	answer.rights = instance_rights(instance->instance);
	memcpy(answer.text, info.text, sizeof answer.text);
	answer.waits = (husk_wait)info.waits;
	answer.children = instance_children(instance->instance, NULL, 0);
	answer.parent = info.parent;
	answer.slices = info.slices;
	answer.wakes = info.wakes;
	answer.late_ns = info.late_ns;
	memcpy(answer.refused, info.refused, sizeof answer.refused);
	pthread_mutex_lock(&instance->lock);
	memcpy(answer.why, instance->why, sizeof answer.why);
	pthread_mutex_unlock(&instance->lock);
	return api_answer(out, sizeof answer, &answer);
}

const char *husk_instance_name(const husk_instance *instance)
{
	return instance ? instance_name(instance->instance) : "";
}

void *husk_instance_user(const husk_instance *instance)
{
	return instance ? instance->user : NULL;
}

husk_budget *husk_instance_budget(husk_instance *instance)
{
	return instance ? (husk_budget *)(void *)instance_budget(instance->instance) : NULL;
}

husk_status husk_instance_output(husk_instance *instance, husk_blob **out)
{
	Buf bytes;

	if (out)
		*out = NULL;
	if (!instance || !out)
		return HUSK_INVALID;
	buf_init(&bytes);
	instance_output(instance->instance, &bytes);
	return api_blob(instance->context, &bytes, out);
}

const char *husk_instance_state_name(husk_instance_state state)
{
	return (unsigned)state <= HUSK_INSTANCE_ENDED ? instance_state_name((InstanceState)state) : "";
}

const char *husk_instance_end_name(husk_instance_end end)
{
	return (unsigned)end <= HUSK_END_ERROR ? instance_end_name((InstanceEnd)end) : "";
}
