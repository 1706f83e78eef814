/* SPDX-License-Identifier: MIT
 *
 * A HyperStore (hyper/store.h) in one file of SQLite's. It is an optional part: without SQLite store_open says so.
 *
 * Each set and each remove is a transaction, and is on the disk when it returns (WAL, synchronous = FULL): what happens to the process or
 * the computer afterwards takes nothing back. One file may be open in several processes.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "hyper/store.h"

typedef struct Store Store;

/* Makes the file if it is not there. `why` gets words when it fails. */
Status store_open(const char *path, Store **out, Buf *why);
void store_close(Store *store);
/* Borrowed; as long as the store is open. */
const HyperStore *store_of(Store *store);

#endif
