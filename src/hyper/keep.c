/* SPDX-License-Identifier: MIT
 *
 * Keys and values of instances, in the store that the hypervisor was given (store.h). The space of an instance is
 * REALM/STORE, where STORE is its own name unless its options say another; so what an instance kept is there when one of the same
 * name runs again, and several may share a space.
 *
 * A space has a limit of its own, but each child has a space of its own, too: so what is kept counts in the budget `disk` as well.
 */
#include "hyper/hyper_private.h"

#include <stdio.h>

enum { KEY_COST = 256 }; /* bytes besides its own that a key counts as: the space's name, and what a store has to write */

static const u64 default_most = (u64)1 << 20;

static OutsideResult result_of(Status status)
{
	switch (status) {
	case STATUS_OK: return OUTSIDE_OK;
	case STATUS_NOT_FOUND: return OUTSIDE_NOT_THERE;
	case STATUS_TOO_BIG: return OUTSIDE_FULL;
	default: return OUTSIDE_FAILED;
	}
}

static bool is_key(const Instance *instance, u32 len)
{
	return instance->hyper->config.store && len && len <= KV_KEY_MOST;
}

static OutsideResult kv_get(void *ctx, const u8 *key, u32 len, Buf *value)
{
	const Instance *instance = ctx;
	const HyperStore *store = instance->hyper->config.store;

	return is_key(instance, len) ? result_of(store->get(store->ctx, instance->space, key, len, value)) : OUTSIDE_NOT_THERE;
}

static OutsideResult kv_set(void *ctx, const u8 *key, u32 len, const u8 *value, u32 value_len)
{
	Instance *instance = ctx;
	const HyperStore *store = instance->hyper->config.store;
	const Budget *breach;
	OutsideResult result;
	char limit[120];
	u64 cost = KEY_COST + len + value_len;
	u64 most = instance->options.store_most ? instance->options.store_most : default_most;

	if (!store)
		return OUTSIDE_REFUSED;
	if (!is_key(instance, len) || value_len > KV_VALUE_MOST)
		return OUTSIDE_TOO_BIG;
	if (!budget_take_all(instance->budget, BUDGET_DISK, cost, &breach)) {
		services_refuse(instance, BUDGET_DISK, breach);
		return OUTSIDE_FULL;
	}
	result = result_of(store->set(store->ctx, instance->space, key, len, value, value_len, most));
	if (result == OUTSIDE_FULL) {
		snprintf(limit, sizeof limit, "the limit of %llu bytes of keys and values (%s)", (unsigned long long)most, instance->space);
		services_refuse_by(instance, limit);
	}
	if (result)
		budget_give(instance->budget, BUDGET_DISK, cost);
	return result;
}

static OutsideResult kv_delete(void *ctx, const u8 *key, u32 len)
{
	const Instance *instance = ctx;
	const HyperStore *store = instance->hyper->config.store;

	return is_key(instance, len) ? result_of(store->remove(store->ctx, instance->space, key, len)) : OUTSIDE_NOT_THERE;
}

static OutsideResult kv_next(void *ctx, const u8 *key, u32 len, Buf *next)
{
	const Instance *instance = ctx;
	const HyperStore *store = instance->hyper->config.store;

	if (!store || !store->next || len > KV_KEY_MOST)
		return OUTSIDE_NOT_THERE;
	return result_of(store->next(store->ctx, instance->space, key, len, next));
}

void keep_init(MachineOutside *outside)
{
	outside->kv_get = kv_get;
	outside->kv_set = kv_set;
	outside->kv_delete = kv_delete;
	outside->kv_next = kv_next;
}
