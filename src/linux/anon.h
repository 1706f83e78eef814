/* SPDX-License-Identifier: MIT
 *
 * Files that have no place in the file system and no content: eventfd, epoll, signalfd ...
 */
#ifndef LINUX_ANON_H
#define LINUX_ANON_H

#include "linux/file.h"

/* What fstat gives of all of them. */
i64 anon_stat(File *file, FileStat *out);

/* pidfd: of this process, in the task's table, close-on-exec (CLONE_PIDFD). A descriptor, or -errno. */
i64 pidfd_make(Task *task, const Process *process, u32 flags);
/* The process a pidfd is about, or -EBADF (waitid(P_PIDFD)). */
i32 pidfd_pid(Task *task, u64 fd);

#endif
