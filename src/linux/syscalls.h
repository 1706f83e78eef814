/* SPDX-License-Identifier: MIT
 *
 * Every system call: its function, declared from the tables that list them. A file that defines sys_ functions
 * includes this; kernel.c makes one table of all.
 *
 * Their last column has a letter for each argument, for strace.c:
 *     f descriptor        a descriptor of a folder     s path, text        v array of texts
 *     b bytes in, their length next                    o bytes out, as many as the result says
 *     i vector of bytes in, their count next           j vector of bytes out, their count next
 *     l u unsigned        d q signed, 32 and 64 bits   x hexadecimal       p address
 *     t timespec in       T timespec out               y clock             F futex operation
 *     O flags of open     m mode                       n flags of *at      X access
 *     P M protection and flags of mmap                 B madvise           L whence
 *     S signal            g set of them in             k sigaction in      h how
 *     w wait status out   W flags of wait              c flags of clone    V prctl
 *     D fcntl             r ioctl                      R resource          z stat out
 *     e epoll_event in    E epoll_ctl                  N pollfds in, their count next
 *     K family            Y type of a socket           A socket address in, its length next
 *     C environment
 *     I two descriptors out                            G flags of getrandom
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
