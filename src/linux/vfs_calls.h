/* SPDX-License-Identifier: MIT
 *
 * What the system calls about files (vfs_calls*.c) share.
 */
#ifndef LINUX_VFS_CALLS_H
#define LINUX_VFS_CALLS_H

#include "linux/signal.h"
#include "linux/vfs_private.h"

/* A path of the caller into PATH_LIMIT bytes: 0, -EFAULT, -ENAMETOOLONG. */
i64 call_path(Task *task, u64 address, char *path);
i64 call_resize(Task *task, File *file, u64 size);
/* The place that dirfd, path and AT_ flags mean. */
i64 call_place(Task *task, u64 dirfd, u64 address, u32 flags, VfsPlace **out);

#endif
