/* SPDX-License-Identifier: MIT
 *
 * Instances that instances start. What they are is said by whoever made the parent (InstanceOptions.spawn); the child's node of the
 * budgets stands below the parent's, so it takes from what the parent has and may no more than the parent.
 *
 *     parent --- children[]: a reference each, until the parent has asked how it ended, ends itself or goes
 *          <---- child->spawner, as long as it is in that list
 *
 * Nobody outlives whoever started him: with the parent's end its children are killed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "hyper/hyper_private.h"

enum { CHILDREN_MOST = 1024, DEPTH_MOST = 16, END_CODES = 256 };

static OutsideResult result_of(Status status)
{
	switch (status) {
	case STATUS_OK: return OUTSIDE_OK;
	case STATUS_NOT_FOUND: return OUTSIDE_NOT_THERE;
	case STATUS_TOO_BIG: return OUTSIDE_FULL;
	default: return OUTSIDE_FAILED;
	}
}

/* Room for one more, so that nothing fails once the child is there. Only the parent's own thread adds. */
static bool make_room(Instance *instance)
{
	Instance **children;
	u32 cap;

	if (instance->child_count < instance->child_cap)
		return true;
	cap = instance->child_cap ? 2 * instance->child_cap : 8;
	pthread_mutex_lock(&instance->hyper->lock);
	children = realloc(instance->children, cap * sizeof *children);
	if (children) {
		instance->children = children;
		instance->child_cap = cap;
	}
	pthread_mutex_unlock(&instance->hyper->lock);
	return children != NULL;
}

/* Which of the limits was in the way? */
static void tell_refusal(Instance *instance)
{
	static const BudgetKind kinds[] = {BUDGET_INSTANCES, BUDGET_MEMORY};
	const Budget *breach;

	for (u32 i = 0; i < COUNT_OF(kinds); i++)
		if (!budget_take(instance->budget, kinds[i], 1, &breach)) {
			services_refuse(instance, kinds[i], breach);
			return;
		} else {
			budget_give(instance->budget, kinds[i], 1);
		}
	services_refuse(instance, BUDGET_MEMORY, instance->budget);
}

static OutsideResult spawn(void *ctx, const char *name, u64 *number)
{
	Instance *instance = ctx, *child = NULL;
	char own_name[OUTSIDE_NAME_MOST + 96];
	InstanceOptions options = {.parent = instance->budget, .realm = instance->realm, .name = own_name};
	Status status;

	if (!instance->options.spawn)
		return OUTSIDE_NOT_THERE;
	if (instance->depth >= DEPTH_MOST || instance->child_count >= CHILDREN_MOST) {
		snprintf(own_name, sizeof own_name, instance->depth >= DEPTH_MOST ? "the limit of %u generations" : "the limit of %u children",
			 (unsigned)(instance->depth >= DEPTH_MOST ? DEPTH_MOST : CHILDREN_MOST));
		services_refuse_by(instance, own_name);
		return OUTSIDE_FULL;
	}
	if (!make_room(instance))
		return OUTSIDE_FAILED;
	snprintf(own_name, sizeof own_name, "%.63s.%u", instance->name, instance->spawned + 1);
	status = instance->options.spawn(instance->options.ctx, instance, name, &options, &child);
	if (status == STATUS_TOO_BIG)
		tell_refusal(instance);
	if (status)
		return result_of(status);
	pthread_mutex_lock(&instance->hyper->lock);
	child->refs++;
	child->spawner = instance;
	child->depth = instance->depth + 1;
	instance->children[instance->child_count++] = child;
	instance->spawned++;
	*number = child->number;
	pthread_mutex_unlock(&instance->hyper->lock);
	instance_start(child);
	instance_unref(child); /* the list has one of its own */
	return OUTSIDE_OK;
}

/* With the lock. */
static u32 find_child(const Instance *instance, u64 number)
{
	u32 i = 0;

	while (i < instance->child_count && instance->children[i]->number != number)
		i++;
	return i;
}

static OutsideResult ended(void *ctx, u64 number, u32 *code)
{
	Instance *instance = ctx, *child = NULL;
	OutsideResult result = OUTSIDE_NOT_THERE;
	u32 i;

	pthread_mutex_lock(&instance->hyper->lock);
	i = find_child(instance, number);
	if (i < instance->child_count) {
		child = instance->children[i];
		result = child->state == INSTANCE_ENDED && !child->on_worker ? OUTSIDE_OK : OUTSIDE_FULL;
	}
	if (child && result == OUTSIDE_OK) {
		*code = child->end == END_HALTED ? (u32)child->code & 0xFF : END_CODES + (u32)child->end;
		child->spawner = NULL;
		for (; i + 1 < instance->child_count; i++) /* in order, for any_ended */
			instance->children[i] = instance->children[i + 1];
		instance->child_count--;
	}
	pthread_mutex_unlock(&instance->hyper->lock);
	if (result == OUTSIDE_OK)
		instance_unref(child);
	return result;
}

static u64 any_ended(void *ctx, bool *any)
{
	Instance *instance = ctx;
	u64 number = 0;

	pthread_mutex_lock(&instance->hyper->lock);
	*any = instance->child_count != 0;
	for (u32 i = 0; i < instance->child_count && !number; i++)
		if (instance->children[i]->state == INSTANCE_ENDED && !instance->children[i]->on_worker)
			number = instance->children[i]->number;
	pthread_mutex_unlock(&instance->hyper->lock);
	return number;
}

/* With the lock. */
static void kill_child(Instance *child)
{
	if (child->state == INSTANCE_ENDED)
		return;
	child->want_kill = true;
	if (child->on_worker)
		ready_ring(child->hyper);
	else if (!child->holds)
		instance_settle(child);
}

static OutsideResult kill_one(void *ctx, u64 number)
{
	Instance *instance = ctx;
	OutsideResult result = OUTSIDE_NOT_THERE;
	u32 i;

	pthread_mutex_lock(&instance->hyper->lock);
	i = find_child(instance, number);
	if (i < instance->child_count) {
		kill_child(instance->children[i]);
		result = OUTSIDE_OK;
	}
	pthread_mutex_unlock(&instance->hyper->lock);
	return result;
}

void spawn_init(MachineOutside *outside)
{
	outside->spawn = spawn;
	outside->ended = ended;
	outside->any_ended = any_ended;
	outside->kill = kill_one;
}

void spawn_end(Instance *instance)
{
	for (u32 i = 0; i < instance->child_count; i++)
		kill_child(instance->children[i]);
	if (instance->spawner)
		instance_nudge(instance->spawner);
}

void spawn_forget(Instance *instance)
{
	for (;;) {
		Instance *child = NULL;

		pthread_mutex_lock(&instance->hyper->lock);
		if (instance->child_count) {
			child = instance->children[--instance->child_count];
			child->spawner = NULL;
			kill_child(child);
		}
		pthread_mutex_unlock(&instance->hyper->lock);
		if (!child)
			return;
		instance_unref(child);
	}
}
