/* SPDX-License-Identifier: MIT
 *
 * Every system call: its function, declared from the tables that list them. A file that defines sys_ functions
 * includes this; kernel.c makes one table of all.
 */
#ifndef LINUX_SYSCALLS_H
#define LINUX_SYSCALLS_H

#include "linux/kernel.h"

#define X(number, name, restart, arguments) i64 sys_##name(Task *task, const u64 *a);
#include "linux/syscalls_descriptors.def"
#include "linux/syscalls_files.def"
#include "linux/syscalls_memory.def"
#include "linux/syscalls_process.def"
#include "linux/syscalls_signal.def"
#include "linux/syscalls_time.def"
#undef X

#endif
