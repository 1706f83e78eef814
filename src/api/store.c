/* SPDX-License-Identifier: MIT
 *
 * A husk_store as the hypervisor wants it (hyper/store.h). What it answers is not believed: lengths are held against what there was
 * room for.
 */
#include "api/api_hyper.h"
#include "machine/outside.h"

static Status status_of(husk_status status)
{
	switch (status) {
	case HUSK_OK: return STATUS_OK;
	case HUSK_NOT_FOUND: return STATUS_NOT_FOUND;
	case HUSK_LIMIT: return STATUS_TOO_BIG;
	case HUSK_NO_MEMORY: return STATUS_NOMEM;
	default: return STATUS_IO;
	}
}

typedef husk_status Look(void *ctx, const char *space, const void *key, size_t key_len, void *found, size_t *found_len);

static Status look_up(const husk_store *store, Look *look, const char *space, const u8 *key, size_t len, Buf *found, size_t room)
{
	size_t found_len = 0;
	Status status;

	if (!buf_reserve(found, room + 1))
		return STATUS_NOMEM;
	status = status_of(look(store->ctx, space, key, len, found->data + found->len, &found_len));
	if (status)
		return status;
	if (found_len > room)
		return STATUS_IO;
	found->len += found_len;
	found->data[found->len] = 0;
	return STATUS_OK;
}

static Status get(void *ctx, const char *space, const u8 *key, size_t len, Buf *value)
{
	const husk_hyper *hyper = ctx;

	return look_up(&hyper->given, hyper->given.get, space, key, len, value, KV_VALUE_MOST);
}

static Status next_key(void *ctx, const char *space, const u8 *key, size_t len, Buf *next)
{
	const husk_hyper *hyper = ctx;

	return look_up(&hyper->given, hyper->given.next, space, key, len, next, KV_KEY_MOST);
}

static Status set(void *ctx, const char *space, const u8 *key, size_t len, const u8 *value, size_t value_len, u64 most)
{
	const husk_hyper *hyper = ctx;

	return status_of(hyper->given.set(hyper->given.ctx, space, key, len, value, value_len, most));
}

static Status remove_key(void *ctx, const char *space, const u8 *key, size_t len)
{
	const husk_hyper *hyper = ctx;

	return status_of(hyper->given.remove(hyper->given.ctx, space, key, len));
}

husk_status api_use_store(husk_hyper *hyper, const husk_store *given)
{
	husk_status status = api_options(&hyper->given, sizeof hyper->given, given);

	if (status || !given)
		return status;
	if (!hyper->given.get || !hyper->given.set || !hyper->given.remove)
		return HUSK_INVALID;
	hyper->store = (HyperStore){.ctx = hyper, .get = get, .set = set, .remove = remove_key,
				    .next = hyper->given.next ? next_key : NULL};
	return HUSK_OK;
}
