/* SPDX-License-Identifier: MIT
 *
 * One connection and one lock: SQLite would take one of its own anyway, and writing is what takes time.
 *
 *     entries  space | key | value        what is kept; primary key (space, key)
 *     sizes    space | bytes              of keys and values of each space, by triggers, so that a limit costs no sum
 */
#include "store/store.h"

#ifdef HAVE_SQLITE

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

enum { BUSY_MS = 10000 };

struct Store {
	HyperStore face;
	pthread_mutex_t lock;
	sqlite3 *db;
	sqlite3_stmt *get, *set, *remove, *size, *begin, *commit, *rollback; /* guarded by lock */
};

static const char schema[] =
	"PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = FULL;"
	"CREATE TABLE IF NOT EXISTS entries (space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
	" PRIMARY KEY (space, key)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS sizes (space TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TRIGGER IF NOT EXISTS added AFTER INSERT ON entries BEGIN"
	" INSERT INTO sizes VALUES (new.space, length(new.key) + length(new.value))"
	" ON CONFLICT (space) DO UPDATE SET bytes = bytes + excluded.bytes; END;"
	"CREATE TRIGGER IF NOT EXISTS changed AFTER UPDATE ON entries BEGIN"
	" UPDATE sizes SET bytes = bytes + length(new.value) - length(old.value) WHERE space = new.space; END;"
	"CREATE TRIGGER IF NOT EXISTS removed AFTER DELETE ON entries BEGIN"
	" UPDATE sizes SET bytes = bytes - length(old.key) - length(old.value) WHERE space = old.space; END;";

static bool bind(sqlite3_stmt *statement, const char *space, const u8 *key, size_t len)
{
	return sqlite3_bind_text(statement, 1, space, -1, SQLITE_STATIC) == SQLITE_OK &&
	       sqlite3_bind_blob(statement, 2, key, (int)len, SQLITE_STATIC) == SQLITE_OK;
}

static void done(sqlite3_stmt *statement)
{
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
}

static bool run(sqlite3_stmt *statement)
{
	bool fine = sqlite3_step(statement) == SQLITE_DONE;

	done(statement);
	return fine;
}

static Status get(void *ctx, const char *space, const u8 *key, size_t len, Buf *value)
{
	Store *store = ctx;
	Status status = STATUS_IO;

	pthread_mutex_lock(&store->lock);
	if (bind(store->get, space, key, len)) {
		int step = sqlite3_step(store->get);

		if (step == SQLITE_ROW) {
			buf_add(value, sqlite3_column_blob(store->get, 0), (size_t)sqlite3_column_bytes(store->get, 0));
			status = value->failed ? STATUS_NOMEM : STATUS_OK;
		} else if (step == SQLITE_DONE) {
			status = STATUS_NOT_FOUND;
		}
	}
	done(store->get);
	pthread_mutex_unlock(&store->lock);
	return status;
}

static bool fits(Store *store, const char *space, u64 most)
{
	bool fine = false;

	if (sqlite3_bind_text(store->size, 1, space, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(store->size) == SQLITE_ROW)
		fine = (u64)sqlite3_column_int64(store->size, 0) <= most;
	done(store->size);
	return fine;
}

static Status set(void *ctx, const char *space, const u8 *key, size_t len, const u8 *value, size_t value_len, u64 most)
{
	Store *store = ctx;
	Status status = STATUS_IO;

	pthread_mutex_lock(&store->lock);
	if (run(store->begin)) {
		bool fine = bind(store->set, space, key, len) &&
			    sqlite3_bind_blob(store->set, 3, value_len ? value : (const u8 *)"", (int)value_len, SQLITE_STATIC) == SQLITE_OK &&
			    run(store->set);

		if (fine && !fits(store, space, most)) {
			status = STATUS_TOO_BIG;
			fine = false;
		}
		if (fine && run(store->commit))
			status = STATUS_OK;
		else
			run(store->rollback);
	}
	pthread_mutex_unlock(&store->lock);
	return status;
}

static Status remove_key(void *ctx, const char *space, const u8 *key, size_t len)
{
	Store *store = ctx;
	Status status = STATUS_IO;

	pthread_mutex_lock(&store->lock);
	if (bind(store->remove, space, key, len) && run(store->remove))
		status = sqlite3_changes(store->db) ? STATUS_OK : STATUS_NOT_FOUND;
	pthread_mutex_unlock(&store->lock);
	return status;
}

static bool prepare(Store *store, const char *text, sqlite3_stmt **out)
{
	return sqlite3_prepare_v2(store->db, text, -1, out, NULL) == SQLITE_OK;
}

void store_close(Store *store)
{
	if (!store)
		return;
	sqlite3_finalize(store->get);
	sqlite3_finalize(store->set);
	sqlite3_finalize(store->remove);
	sqlite3_finalize(store->size);
	sqlite3_finalize(store->begin);
	sqlite3_finalize(store->commit);
	sqlite3_finalize(store->rollback);
	sqlite3_close(store->db);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

Status store_open(const char *path, Store **out, Buf *why)
{
	Store *store = calloc(1, sizeof *store);

	*out = NULL;
	if (!store)
		return STATUS_NOMEM;
	if (pthread_mutex_init(&store->lock, NULL)) {
		free(store);
		return STATUS_NOMEM;
	}
	store->face = (HyperStore){.ctx = store, .get = get, .set = set, .remove = remove_key};
	if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
	    sqlite3_busy_timeout(store->db, BUSY_MS) != SQLITE_OK || sqlite3_exec(store->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
	    !prepare(store, "SELECT value FROM entries WHERE space = ? AND key = ?", &store->get) ||
	    !prepare(store, "INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT (space, key) DO UPDATE SET value = excluded.value", &store->set) ||
	    !prepare(store, "DELETE FROM entries WHERE space = ? AND key = ?", &store->remove) ||
	    !prepare(store, "SELECT bytes FROM sizes WHERE space = ?", &store->size) || !prepare(store, "BEGIN IMMEDIATE", &store->begin) ||
	    !prepare(store, "COMMIT", &store->commit) || !prepare(store, "ROLLBACK", &store->rollback)) {
		buf_printf(why, "%s: %s", path, store->db ? sqlite3_errmsg(store->db) : "out of memory");
		store_close(store);
		return STATUS_IO;
	}
	*out = store;
	return STATUS_OK;
}

const HyperStore *store_of(Store *store)
{
	return &store->face;
}

#else

Status store_open(const char *path, Store **out, Buf *why)
{
	*out = NULL;
	buf_printf(why, "%s: this husk was built without SQLite (tools/deps build installs it; then make again)", path);
	return STATUS_UNSUPPORTED;
}

void store_close(Store *store)
{
	(void)store;
}

const HyperStore *store_of(Store *store)
{
	(void)store;
	return NULL;
}

#endif
