/* SPDX-License-Identifier: MIT
 *
 * Where keys and values of instances are kept: whoever makes a hypervisor gives it one of these (src/store has one on SQLite).
 * Keys stand in a space of a name; spaces know nothing of each other. Called by any worker, several at a time. What set and remove
 * have done when they return outlives a crash of the host's process.
 */
#ifndef HYPER_STORE_H
#define HYPER_STORE_H

#include "base/buf.h"
#include "base/status.h"

typedef struct HyperStore {
	void *ctx;
	/* STATUS_NOT_FOUND: no such key. */
	Status (*get)(void *ctx, const char *space, const u8 *key, size_t len, Buf *value);
	/* STATUS_TOO_BIG: keys and values of the space would be more than `most` bytes; nothing is changed. STATUS_IO: it can't. */
	Status (*set)(void *ctx, const char *space, const u8 *key, size_t len, const u8 *value, size_t value_len, u64 most);
	Status (*remove)(void *ctx, const char *space, const u8 *key, size_t len);
	/* The first key of the space behind this one (len 0: the first of all), by bytes. STATUS_NOT_FOUND: it was the last. NULL: keys
	 * cannot be told. */
	Status (*next)(void *ctx, const char *space, const u8 *key, size_t len, Buf *next);
} HyperStore;

#endif
