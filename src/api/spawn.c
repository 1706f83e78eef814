/* SPDX-License-Identifier: MIT
 *
 * Instances that instances start, and who is there. The function that makes a child for its parent (husk_instance_options.spawn) is
 * called on the parent's worker with a husk_spawn, which lives for that call and gives one child.
 */
#include "api/api_hyper.h"

#include <stdlib.h>

struct husk_spawn {
	husk_instance *parent;          /* borrowed, as are these: */
	const InstanceOptions *before;
	Instance *child;                /* the reference that the hypervisor gets; NULL: none was made */
};

husk_status husk_spawn_create(husk_spawn *spawn, husk_image *image, const husk_instance_options *options, husk_instance **child)
{
	husk_instance *handle;
	husk_status status;

	if (child)
		*child = NULL;
	if (!spawn || !image)
		return HUSK_INVALID;
	if (spawn->child)
		return HUSK_STATE;
	status = api_make_instance(spawn->parent->hyper, image, options, spawn->before, &handle);
	if (status)
		return status;
	spawn->child = handle->instance;
	if (child) {
		husk_instance_ref(handle);
		*child = handle;
	}
	return HUSK_OK;
}

Status api_on_spawn(void *ctx, Instance *parent, const char *name, InstanceOptions *options, Instance **out)
{
	husk_instance *handle = ctx;
	husk_spawn spawn = {handle, options, NULL};
	husk_status status = handle->spawn(handle->spawn_ctx, handle, name, &spawn);

	(void)parent;
	*out = spawn.child;
	if (spawn.child)
		return STATUS_OK;
	switch (status) {
	case HUSK_OK: /* it should have made one */
	case HUSK_NOT_FOUND: return STATUS_NOT_FOUND;
	case HUSK_LIMIT: return STATUS_TOO_BIG;
	default: return STATUS_NOMEM;
	}
}

/* ---- Lists ---- */

/* Of `list` (all, or children) into the caller's array; those that have no handle yet are not there yet. */
static husk_status list_of(husk_context *context, u32 (*list)(const void *of, const void *node, Instance **out, u32 room), const void *of,
			   const void *node, husk_instance **out, size_t room, size_t *count)
{
	u32 most = room < UINT32_MAX / sizeof(Instance *) ? (u32)room : UINT32_MAX / (u32)sizeof(Instance *), there, given, kept = 0;
	Instance **found = most ? api_alloc(context, most * sizeof *found) : NULL;

	if (most && !found)
		return HUSK_NO_MEMORY;
	there = list(of, node, found, most);
	given = there < most ? there : most;
	for (u32 i = 0; i < given; i++)
		if (api_handle(found[i])) {
			out[kept++] = api_handle(found[i]);
		} else {
			instance_unref(found[i]);
			there--;
		}
	api_free(context, found, most * sizeof *found);
	*count = there;
	return HUSK_OK;
}

static u32 list_all(const void *hyper, const void *node, Instance **out, u32 room)
{
	return hyper_instances(((const husk_hyper *)hyper)->hyper, node, out, room);
}

static u32 list_children(const void *instance, const void *node, Instance **out, u32 room)
{
	(void)node;
	return instance_children(((const husk_instance *)instance)->instance, out, room);
}

husk_status husk_hyper_instances(husk_hyper *hyper, const husk_budget *budget, husk_instance **instances, size_t room, size_t *count)
{
	if (count)
		*count = 0;
	if (!hyper || !count || (!instances && room))
		return HUSK_INVALID;
	return list_of(hyper->context, list_all, hyper, budget, instances, room, count);
}

husk_status husk_instance_children(husk_instance *instance, husk_instance **children, size_t room, size_t *count)
{
	if (count)
		*count = 0;
	if (!instance || !count || (!children && room))
		return HUSK_INVALID;
	return list_of(instance->context, list_children, instance, NULL, children, room, count);
}
