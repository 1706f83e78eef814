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

#include "base/library.h"

enum { BUSY_MS = 10000 };

#define WANTED(X)                                                                                                     \
	X(open_v2) X(close) X(busy_timeout) X(exec) X(errmsg) X(changes) X(prepare_v2) X(finalize) X(bind_text) X(bind_blob)  \
	X(step) X(reset) X(clear_bindings) X(column_blob) X(column_bytes) X(column_int64)
#define POINTER(name) __typeof__(sqlite3_##name) *name;
#define NAME(name) "sqlite3_" #name,

typedef struct Sqlite {
	WANTED(POINTER)
} Sqlite;

static const char *const sqlite_names[] = {WANTED(NAME) NULL};

struct Store {
	HyperStore face;
	Sqlite sql;
	pthread_mutex_t lock;
	sqlite3 *db;
	sqlite3_stmt *get, *set, *remove, *next, *size, *begin, *commit, *rollback; /* guarded by lock */
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

static bool bind(const Sqlite *sql, sqlite3_stmt *statement, const char *space, const u8 *key, size_t len)
{
	return sql->bind_text(statement, 1, space, -1, SQLITE_STATIC) == SQLITE_OK &&
	       sql->bind_blob(statement, 2, key, (int)len, SQLITE_STATIC) == SQLITE_OK;
}

static void done(const Sqlite *sql, sqlite3_stmt *statement)
{
	sql->reset(statement);
	sql->clear_bindings(statement);
}

static bool run(const Sqlite *sql, sqlite3_stmt *statement)
{
	bool fine = sql->step(statement) == SQLITE_DONE;

	done(sql, statement);
	return fine;
}

/* The one column of the first row. */
static Status look_up(Store *store, sqlite3_stmt *what, const char *space, const u8 *key, size_t len, Buf *value)
{
	const Sqlite *sql = &store->sql;
	Status status = STATUS_IO;

	pthread_mutex_lock(&store->lock);
	if (bind(sql, what, space, key, len)) {
		int step = sql->step(what);

		if (step == SQLITE_ROW) {
			buf_add(value, sql->column_blob(what, 0), (size_t)sql->column_bytes(what, 0));
			status = value->failed ? STATUS_NOMEM : STATUS_OK;
		} else if (step == SQLITE_DONE) {
			status = STATUS_NOT_FOUND;
		}
	}
	done(sql, what);
	pthread_mutex_unlock(&store->lock);
	return status;
}

static Status get(void *ctx, const char *space, const u8 *key, size_t len, Buf *value)
{
	Store *store = ctx;

	return look_up(store, store->get, space, key, len, value);
}

static Status next_key(void *ctx, const char *space, const u8 *key, size_t len, Buf *next)
{
	Store *store = ctx;

	return look_up(store, store->next, space, len ? key : (const u8 *)"", len, next);
}

static bool fits(Store *store, const char *space, u64 most)
{
	const Sqlite *sql = &store->sql;
	bool fine = false;

	if (sql->bind_text(store->size, 1, space, -1, SQLITE_STATIC) == SQLITE_OK && sql->step(store->size) == SQLITE_ROW)
		fine = (u64)sql->column_int64(store->size, 0) <= most;
	done(sql, store->size);
	return fine;
}

static Status set(void *ctx, const char *space, const u8 *key, size_t len, const u8 *value, size_t value_len, u64 most)
{
	Store *store = ctx;
	const Sqlite *sql = &store->sql;
	Status status = STATUS_IO;

	pthread_mutex_lock(&store->lock);
	if (run(sql, store->begin)) {
		bool fine = bind(sql, store->set, space, key, len) &&
			    sql->bind_blob(store->set, 3, value_len ? value : (const u8 *)"", (int)value_len, SQLITE_STATIC) == SQLITE_OK &&
			    run(sql, store->set);

		if (fine && !fits(store, space, most)) {
			status = STATUS_TOO_BIG;
			fine = false;
		}
		if (fine && run(sql, store->commit))
			status = STATUS_OK;
		else
			run(sql, store->rollback);
	}
	pthread_mutex_unlock(&store->lock);
	return status;
}

static Status remove_key(void *ctx, const char *space, const u8 *key, size_t len)
{
	Store *store = ctx;
	const Sqlite *sql = &store->sql;
	Status status = STATUS_IO;

	pthread_mutex_lock(&store->lock);
	if (bind(sql, store->remove, space, key, len) && run(sql, store->remove))
		status = sql->changes(store->db) ? STATUS_OK : STATUS_NOT_FOUND;
	pthread_mutex_unlock(&store->lock);
	return status;
}

static bool prepare(Store *store, const char *text, sqlite3_stmt **out)
{
	return store->sql.prepare_v2(store->db, text, -1, out, NULL) == SQLITE_OK;
}

void store_close(Store *store)
{
	const Sqlite *sql;

	if (!store)
		return;
	sql = &store->sql;
	sql->finalize(store->get);
	sql->finalize(store->set);
	sql->finalize(store->remove);
	sql->finalize(store->next);
	sql->finalize(store->size);
	sql->finalize(store->begin);
	sql->finalize(store->commit);
	sql->finalize(store->rollback);
	sql->close(store->db);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

Status store_open(const char *path, Store **out, Buf *why)
{
	Store *store = calloc(1, sizeof *store);
	const Sqlite *sql;
	const char *missing;

	*out = NULL;
	if (!store)
		return STATUS_NOMEM;
	sql = &store->sql;
	missing = library_load(SQLITE_FILE, sqlite_names, &store->sql);
	if (missing) {
		buf_printf(why, "%s: keys and values are kept by SQLite: %s", path, missing);
		free(store);
		return STATUS_UNSUPPORTED;
	}
	if (pthread_mutex_init(&store->lock, NULL)) {
		free(store);
		return STATUS_NOMEM;
	}
	store->face = (HyperStore){.ctx = store, .get = get, .set = set, .remove = remove_key, .next = next_key};
	if (sql->open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
	    sql->busy_timeout(store->db, BUSY_MS) != SQLITE_OK || sql->exec(store->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
	    !prepare(store, "SELECT value FROM entries WHERE space = ? AND key = ?", &store->get) ||
	    !prepare(store, "INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT (space, key) DO UPDATE SET value = excluded.value", &store->set) ||
	    !prepare(store, "DELETE FROM entries WHERE space = ? AND key = ?", &store->remove) ||
	    !prepare(store, "SELECT key FROM entries WHERE space = ? AND key > ? ORDER BY key LIMIT 1", &store->next) ||
	    !prepare(store, "SELECT bytes FROM sizes WHERE space = ?", &store->size) || !prepare(store, "BEGIN IMMEDIATE", &store->begin) ||
	    !prepare(store, "COMMIT", &store->commit) || !prepare(store, "ROLLBACK", &store->rollback)) {
		buf_printf(why, "%s: %s", path, store->db ? sql->errmsg(store->db) : "out of memory");
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
