/* SPDX-License-Identifier: MIT
 *
 * The store that Husk's own command has (store/store.h), for those who have none of their own.
 */
#include "api/api_private.h"
#include "store/store.h"

struct husk_sqlite {
	husk_context *context; /* a reference */
	Store *store;          /* owned */
	const HyperStore *inner; /* borrowed from it */
	husk_store face;
};

typedef Status Look(void *ctx, const char *space, const u8 *key, size_t len, Buf *found);

static husk_status look_up(const husk_sqlite *sqlite, Look *look, const char *space, const void *key, size_t key_len, size_t room, void *to, size_t *len)
{
	husk_status status;
	Buf found;

	buf_init(&found);
	status = api_status(look(sqlite->inner->ctx, space, key, key_len, &found));
	if (!status && found.len > room) /* another program has put it there */
		status = HUSK_LIMIT;
	*len = status ? 0 : found.len;
	if (*len)
		memcpy(to, found.data, *len);
	buf_fini(&found);
	return status;
}

static husk_status get(void *ctx, const char *space, const void *key, size_t key_len, void *value, size_t *value_len)
{
	const husk_sqlite *sqlite = ctx;

	return look_up(sqlite, sqlite->inner->get, space, key, key_len, HUSK_VALUE_MOST, value, value_len);
}

static husk_status next_key(void *ctx, const char *space, const void *key, size_t key_len, void *next, size_t *next_len)
{
	const husk_sqlite *sqlite = ctx;

	return look_up(sqlite, sqlite->inner->next, space, key, key_len, HUSK_KEY_MOST, next, next_len);
}

static husk_status set(void *ctx, const char *space, const void *key, size_t key_len, const void *value, size_t value_len, uint64_t most)
{
	const husk_sqlite *sqlite = ctx;

	return api_status(sqlite->inner->set(sqlite->inner->ctx, space, key, key_len, value, value_len, most));
}

static husk_status remove_key(void *ctx, const char *space, const void *key, size_t key_len)
{
	const husk_sqlite *sqlite = ctx;

	return api_status(sqlite->inner->remove(sqlite->inner->ctx, space, key, key_len));
}

husk_status husk_sqlite_open(husk_context *context, const char *path, husk_sqlite **out, husk_error **error)
{
	husk_sqlite *sqlite;
	husk_status status;
	Status opened;
	Buf why;

	if (out)
		*out = NULL;
	if (error)
		*error = NULL;
	if (!context || !path || !out)
		return HUSK_INVALID;
	sqlite = api_alloc(context, sizeof *sqlite);
	if (!sqlite)
		return api_fail(context, error, HUSK_NO_MEMORY, "out of memory");
	buf_init(&why);
	opened = store_open(path, &sqlite->store, &why);
	status = opened ? api_fail(context, error, api_status(opened), "%s", buf_text(&why)) : HUSK_OK;
	buf_fini(&why);
	if (status) {
		api_free(context, sqlite, sizeof *sqlite);
		return status;
	}
	husk_context_ref(context);
	sqlite->context = context;
	sqlite->inner = store_of(sqlite->store);
	HUSK_INIT(sqlite->face);
	sqlite->face.ctx = sqlite;
	sqlite->face.get = get;
	sqlite->face.set = set;
	sqlite->face.remove = remove_key;
	sqlite->face.next = next_key;
	*out = sqlite;
	return HUSK_OK;
}

const husk_store *husk_sqlite_store(const husk_sqlite *sqlite)
{
	return sqlite ? &sqlite->face : NULL;
}

void husk_sqlite_close(husk_sqlite *sqlite)
{
	husk_context *context = sqlite ? sqlite->context : NULL;

	if (!context)
		return;
	store_close(sqlite->store);
	api_free(context, sqlite, sizeof *sqlite);
	husk_context_unref(context);
}
