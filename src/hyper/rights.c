/* SPDX-License-Identifier: MIT
 *
 * Rights and limits that change while instances run. Both stand in the tree of budgets; a slice begins by looking at them, so all
 * there is to do here is to wake those who sleep.
 */
#include "hyper/hyper_private.h"

void instance_nudge(Instance *instance)
{
	instance->news = true;
	if (!instance->on_worker && instance->state == INSTANCE_WAITING)
		ready_wake(instance);
}

static void nudge_all(Hyper *hyper, const Budget *node)
{
	pthread_mutex_lock(&hyper->lock);
	for (u32 i = 0; i < hyper->count; i++)
		if (hyper->all[i]->budget && budget_is_in(hyper->all[i]->budget, node))
			instance_nudge(hyper->all[i]);
	pthread_mutex_unlock(&hyper->lock);
}

void instance_grant(Instance *instance, u32 rights)
{
	hyper_grant(instance->hyper, instance->budget, rights);
}

void instance_revoke(Instance *instance, u32 rights)
{
	hyper_revoke(instance->hyper, instance->budget, rights);
}

u32 instance_rights(const Instance *instance)
{
	return budget_rights(instance->budget) & MAY_ALL;
}

void hyper_grant(Hyper *hyper, Budget *node, u32 rights)
{
	budget_set_rights(node, rights, 0);
	nudge_all(hyper, node);
}

void hyper_revoke(Hyper *hyper, Budget *node, u32 rights)
{
	budget_set_rights(node, 0, rights);
	nudge_all(hyper, node);
}

Status instance_deny(Instance *instance, const char *group)
{
	Right right = right_find(group);

	if (right < RIGHT_COUNT)
		instance_revoke(instance, 1u << right);
	return STATUS_OK;
}

/* ---- Limits ---- */

void hyper_set_limit(Hyper *hyper, Budget *node, BudgetKind kind, u64 limit)
{
	budget_set_limit(node, kind, limit);
	if (kind != BUDGET_TIME)
		return;
	pthread_mutex_lock(&hyper->lock);
	for (u32 i = 0; i < hyper->count; i++)
		if (hyper->all[i]->budget && budget_is_in(hyper->all[i]->budget, node))
			ready_recount_time(hyper->all[i]);
	pthread_mutex_unlock(&hyper->lock);
}

u64 hyper_used(Hyper *hyper, const Budget *node, BudgetKind kind)
{
	u64 used;

	if (kind != BUDGET_TIME)
		return budget_used(node, kind);
	pthread_mutex_lock(&hyper->lock);
	used = budget_time_used(node, hyper_now(hyper));
	pthread_mutex_unlock(&hyper->lock);
	return used;
}

u64 hyper_left(Hyper *hyper, const Budget *node, BudgetKind kind)
{
	u64 now, over;

	if (kind != BUDGET_TIME)
		return budget_left(node, kind);
	pthread_mutex_lock(&hyper->lock);
	now = hyper_now(hyper);
	over = budget_time_over(node, now, NULL);
	pthread_mutex_unlock(&hyper->lock);
	return over == BUDGET_UNLIMITED ? over : over - now;
}
