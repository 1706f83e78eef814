/* SPDX-License-Identifier: MIT
 *
 * Hypervisors, budgets and images of libhusk. A husk_budget is a Budget: it has no more to it.
 */
#include "api/api_hyper.h"

_Static_assert((int)HUSK_RESOURCE_FUEL == BUDGET_FUEL && (int)HUSK_RESOURCE_MEMORY == BUDGET_MEMORY &&
	       (int)HUSK_RESOURCE_OUTPUT == BUDGET_OUTPUT && (int)HUSK_RESOURCE_INSTANCES == BUDGET_INSTANCES &&
	       (int)HUSK_RESOURCE_MESSAGES == BUDGET_MESSAGES && (int)HUSK_RESOURCE_TIME == BUDGET_TIME &&
	       (int)HUSK_RESOURCE_FILES == BUDGET_FILES && (int)HUSK_RESOURCE_DISK == BUDGET_DISK && HUSK_UNLIMITED == BUDGET_UNLIMITED, "resources have the same numbers outside");

static Budget *budget_of(husk_budget *budget)
{
	return (Budget *)(void *)budget;
}

husk_status api_limits(const husk_limits *given, u64 *limits)
{
	husk_limits own;
	husk_status status = api_options(&own, sizeof own, given);

	for (u32 i = 0; i < BUDGET_KINDS; i++)
		limits[i] = BUDGET_UNLIMITED;
	if (status)
		return status;
	limits[BUDGET_FUEL] = own.fuel ? own.fuel : BUDGET_UNLIMITED;
	limits[BUDGET_MEMORY] = own.memory ? own.memory : BUDGET_UNLIMITED;
	limits[BUDGET_OUTPUT] = own.output ? own.output : BUDGET_UNLIMITED;
	limits[BUDGET_INSTANCES] = own.instances ? own.instances : BUDGET_UNLIMITED;
	limits[BUDGET_MESSAGES] = own.messages ? own.messages : BUDGET_UNLIMITED;
	limits[BUDGET_TIME] = own.time ? own.time : BUDGET_UNLIMITED;
	limits[BUDGET_FILES] = own.files ? own.files : BUDGET_UNLIMITED;
	limits[BUDGET_DISK] = own.disk ? own.disk : BUDGET_UNLIMITED;
	return HUSK_OK;
}

/* ---- Hypervisors ---- */

static void on_changed(void *ctx, Instance *instance)
{
	const husk_hyper *hyper = ctx;
	InstanceInfo info;

	instance_info(instance, &info);
	if (hyper->ended && info.state == INSTANCE_ENDED)
		hyper->ended(hyper->ended_ctx, instance_ctx(instance));
}

husk_status husk_hyper_create(husk_context *context, const husk_hyper_options *options, husk_hyper **out)
{
	u64 limits[BUDGET_KINDS];
	husk_hyper_options own;
	husk_status status;
	HyperConfig config;
	husk_hyper *hyper;

	if (out)
		*out = NULL;
	if (!context || !out)
		return HUSK_INVALID;
	status = api_options(&own, sizeof own, options);
	if (!status)
		status = api_limits(own.limits, limits);
	if (status)
		return status;
	hyper = api_alloc(context, sizeof *hyper);
	if (!hyper)
		return HUSK_NO_MEMORY;
	hyper->context = context;
	hyper->workers = own.workers;
	hyper->ended = own.ended;
	hyper->ended_ctx = own.ended_ctx;
	status = api_use_store(hyper, own.store);
	if (status) {
		api_free(context, hyper, sizeof *hyper);
		return status;
	}
	config = (HyperConfig){.workers = own.workers, .slice_ns = own.slice_ns, .slice_insns = own.slice_instructions, .limits = limits,
			       .store = own.store ? &hyper->store : NULL, .instruction_ns = own.instruction_ns,
			       .residents = own.no_residents ? HYPER_NO_RESIDENTS : own.residents == HYPER_NO_RESIDENTS ? 0 : own.residents,
			       .changed = on_changed, .ctx = hyper};
	status = api_status(hyper_create(&config, &hyper->hyper));
	if (status) {
		api_free(context, hyper, sizeof *hyper);
		return status;
	}
	husk_context_ref(context);
	*out = hyper;
	return HUSK_OK;
}

void husk_hyper_destroy(husk_hyper *hyper)
{
	husk_context *context = hyper ? hyper->context : NULL;

	if (!context)
		return;
	hyper_destroy(hyper->hyper);
	api_free(context, hyper, sizeof *hyper);
	husk_context_unref(context);
}

husk_status husk_hyper_run(husk_hyper *hyper, uint64_t ns)
{
	if (!hyper)
		return HUSK_INVALID;
	return hyper_run(hyper->hyper, ns) ? HUSK_OK : HUSK_TIMEOUT;
}

void husk_hyper_interrupt(husk_hyper *hyper)
{
	if (hyper)
		hyper_interrupt(hyper->hyper);
}

husk_status husk_hyper_find(husk_hyper *hyper, uint64_t number, husk_instance **out)
{
	Instance *found;

	if (out)
		*out = NULL;
	if (!hyper || !out)
		return HUSK_INVALID;
	found = hyper_find(hyper->hyper, number);
	if (found && api_handle(found))
		*out = api_handle(found);
	else
		instance_unref(found);
	return *out ? HUSK_OK : HUSK_NOT_FOUND;
}

/* ---- Budgets ---- */

husk_budget *husk_hyper_budget(husk_hyper *hyper)
{
	return hyper ? (husk_budget *)(void *)hyper_budget(hyper->hyper) : NULL;
}

husk_status husk_budget_create(husk_hyper *hyper, husk_budget *parent, const char *name, const husk_limits *limits, husk_budget **budget)
{
	u64 numbers[BUDGET_KINDS];
	husk_status status;
	Budget *made;

	if (budget)
		*budget = NULL;
	if (!hyper || !name || !budget)
		return HUSK_INVALID;
	status = api_limits(limits, numbers);
	if (status)
		return status;
	made = budget_create(parent ? budget_of(parent) : hyper_budget(hyper->hyper), name, numbers);
	*budget = (husk_budget *)(void *)made;
	return made ? HUSK_OK : HUSK_NO_MEMORY;
}

void husk_budget_ref(husk_budget *budget)
{
	if (budget)
		budget_ref(budget_of(budget));
}

const char *husk_budget_name(const husk_budget *budget)
{
	return budget ? budget_name((const Budget *)(const void *)budget) : "";
}

void husk_budget_unref(husk_budget *budget)
{
	if (budget)
		budget_unref(budget_of(budget));
}

uint64_t husk_budget_used(husk_hyper *hyper, const husk_budget *budget, husk_resource resource)
{
	if (!hyper || !budget || (unsigned)resource >= BUDGET_KINDS)
		return 0;
	return hyper_used(hyper->hyper, (const Budget *)(const void *)budget, (BudgetKind)resource);
}

uint64_t husk_budget_limit(const husk_budget *budget, husk_resource resource)
{
	return budget && (unsigned)resource < BUDGET_KINDS ? budget_limit((const Budget *)(const void *)budget, (BudgetKind)resource)
							   : HUSK_UNLIMITED;
}

uint64_t husk_budget_left(husk_hyper *hyper, const husk_budget *budget, husk_resource resource)
{
	if (!hyper || !budget || (unsigned)resource >= BUDGET_KINDS)
		return 0;
	return hyper_left(hyper->hyper, (const Budget *)(const void *)budget, (BudgetKind)resource);
}

uint32_t husk_budget_rights(const husk_budget *budget)
{
	return budget ? budget_rights((const Budget *)(const void *)budget) & MAY_ALL : 0;
}

husk_status husk_budget_set_limit(husk_hyper *hyper, husk_budget *budget, husk_resource resource, uint64_t limit)
{
	if (!hyper || !budget || (unsigned)resource >= BUDGET_KINDS)
		return HUSK_INVALID;
	hyper_set_limit(hyper->hyper, budget_of(budget), (BudgetKind)resource, limit);
	return HUSK_OK;
}

husk_status husk_budget_grant(husk_hyper *hyper, husk_budget *budget, uint32_t rights)
{
	if (!hyper || !budget)
		return HUSK_INVALID;
	hyper_grant(hyper->hyper, budget_of(budget), rights);
	return HUSK_OK;
}

husk_status husk_budget_revoke(husk_hyper *hyper, husk_budget *budget, uint32_t rights)
{
	if (!hyper || !budget)
		return HUSK_INVALID;
	hyper_revoke(hyper->hyper, budget_of(budget), rights);
	return HUSK_OK;
}

/* ---- Images ---- */

husk_status husk_image_create(husk_machine *machine, husk_image **out)
{
	husk_status status = api_enter_alone(machine);
	husk_image *image;

	if (out)
		*out = NULL;
	if (status || !out)
		return status ? status : HUSK_INVALID;
	image = api_alloc(machine->context, sizeof *image);
	if (!image)
		return HUSK_NO_MEMORY;
	*image = (husk_image){.program = machine->program, .hosts = machine->hosts, .config = machine->config, .refs = 1};
	image->config.user = NULL;
	status = api_status(image_create(&image->config, machine->machine, &image->image));
	if (status) {
		api_free(machine->context, image, sizeof *image);
		return status;
	}
	husk_context_ref(machine->context);
	husk_program_ref(image->program);
	husk_hosts_ref(image->hosts);
	image->context = machine->context;
	*out = image;
	return HUSK_OK;
}

uint64_t husk_image_bytes(const husk_image *image)
{
	return image ? image_bytes(image->image) : 0;
}

void husk_image_ref(husk_image *image)
{
	if (image)
		api_ref(&image->refs);
}

void husk_image_unref(husk_image *image)
{
	husk_context *context;

	if (!image || !api_unref(&image->refs))
		return;
	context = image->context;
	image_unref(image->image);
	husk_hosts_unref(image->hosts);
	husk_program_unref(image->program);
	api_free(context, image, sizeof *image);
	husk_context_unref(context);
}
