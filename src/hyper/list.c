/* SPDX-License-Identifier: MIT
 *
 * Who is there: instances for those who do not have them by name. Each that is given out is referred to.
 */
#include "hyper/hyper_private.h"

#include <stdlib.h>

/* Nobody knows it yet while it is made; and who is given up must not come back. */
static bool is_there(const Instance *instance)
{
	return instance->listed && instance->refs;
}

static int by_number(const void *a, const void *b)
{
	u64 left = (*(Instance *const *)a)->number, right = (*(Instance *const *)b)->number;

	return left < right ? -1 : left > right;
}

static u32 give(Instance **all, u32 count, const Budget *node, Instance **out, u32 room)
{
	u32 there = 0;

	for (u32 i = 0; i < count; i++) {
		if (!is_there(all[i]) || (node && !budget_is_in(all[i]->budget, node)))
			continue;
		if (there < room) {
			all[i]->refs++;
			out[there] = all[i];
		}
		there++;
	}
	return there;
}

static void sort(Instance **out, u32 count)
{
	if (count > 1)
		qsort(out, count, sizeof *out, by_number);
}

u32 hyper_instances(Hyper *hyper, const Budget *node, Instance **out, u32 room)
{
	u32 there;

	pthread_mutex_lock(&hyper->lock);
	there = give(hyper->all, hyper->count, node, out, room);
	pthread_mutex_unlock(&hyper->lock);
	sort(out, there < room ? there : room);
	return there;
}

u32 instance_children(Instance *instance, Instance **out, u32 room)
{
	u32 there;

	pthread_mutex_lock(&instance->hyper->lock);
	there = give(instance->children, instance->child_count, NULL, out, room);
	pthread_mutex_unlock(&instance->hyper->lock);
	sort(out, there < room ? there : room);
	return there;
}

Instance *hyper_find(Hyper *hyper, u64 number)
{
	Instance *found;

	pthread_mutex_lock(&hyper->lock);
	found = mail_instance(hyper, number);
	if (found && is_there(found))
		found->refs++;
	else
		found = NULL;
	pthread_mutex_unlock(&hyper->lock);
	return found;
}
