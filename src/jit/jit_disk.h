/* SPDX-License-Identifier: MIT
 *
 * Compiled blocks that outlive the machine: a directory with a file for each program.
 *
 *     run 1   jit_disk_load: no file    blocks are compiled, jit_store_put keeps them      jit_disk_save: they are written
 *     run 2   jit_disk_load: its index  jit_store_take finds them here, and copies         jit_disk_save: if there are many new ones
 *
 *     header | index: u32 per place of the hash, in units of 16 bytes | templates (jit_store.h), one behind the other
 *
 * What is found is right, or it is not found:
 *  1. The file's name and header hold a key: the build of Husk (its build id), the processor, the machine's description, and
 *     which program. Of another key it is as if there were none.
 *  2. Each template has a sum of its bytes, and all its numbers are looked at before it is used.
 *  3. A template is keyed by the guest's own bytes, which are compared (jit_store_take), and by all else that its code
 *     depends on.
 *  4. The directory and its files belong to the user, and nobody else may write there: it is code that will run. Else it is
 *     refused.
 *
 * A file is read in pieces, into memory: nothing is mapped, so one that is cut meanwhile gives fewer blocks, not a signal. It
 * is written anew under another name and moved into place: who reads sees the old one or the new one, and of two that
 * write the later one stays. Whatever fails on the way (no room, no right) leaves what was there.
 *
 * What is not used for JIT_DISK_AGES writes of its file is left out, and before that what was used longest ago, where the
 * file would be too large. Files that were used longest ago go when the directory is too large.
 *
 * For one machine at a time, and one thread.
 */
#ifndef JIT_JIT_DISK_H
#define JIT_JIT_DISK_H

#include "base/buf.h"
#include "base/status.h"
#include "base/types.h"

enum { JIT_DISK_AGES = 8, JIT_DISK_BYTES = 512 << 20 };

typedef struct JitDisk JitDisk;
struct Engine;
struct JitTemplate;
struct JitStoreSettings;

/* The directory, made if only its last part is not there. `program` chooses the file: any text. `limit`: bytes for all
 * files; 0: JIT_DISK_BYTES. Not STATUS_OK: `why` has a line that says so. */
Status jit_disk_open(const char *directory, const char *program, u64 limit, JitDisk **out, Buf *why);
void jit_disk_close(JitDisk *disk);

/* ---- For jit_store.c ---- */

/* Reads what there is for this engine's machine; false: nothing. */
bool jit_disk_load(JitDisk *disk, const struct Engine *engine, u32 slot_count, struct JitStoreSettings *settings);
/* What was loaded does not fit any more. */
void jit_disk_forget(JitDisk *disk);
/* The next one of this key behind `after` (NULL: the first); it is whole. NULL: there is none. */
struct JitTemplate *jit_disk_find(JitDisk *disk, u64 pc, u64 context, bool counted, const struct JitTemplate *after);
/* Writes what was loaded, and those from `first` on, if it is worth it. They are used up. */
void jit_disk_save(JitDisk *disk, const struct JitStoreSettings *settings, struct JitTemplate *first);

#endif
