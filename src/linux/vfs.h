/* SPDX-License-Identifier: MIT
 *
 * The virtual file system: what paths mean to a program. A tree of its own, made of mounts:
 *
 *     /          the root folder of the host, read-only or copy-on-write; or an empty one in memory
 *     /tmp /run /dev/shm   in memory, unless the root is writable and has them
 *     /proc      about the processes inside            /dev   null zero full random urandom tty stdin ...
 *     ...        what LinuxConfig.mounts names
 *
 * A path is walked name by name in this tree, symbolic links are read and followed in it, so that no link, `..` or
 * name in a file of the host can lead outside of what was given: the host is only ever asked for one name in a folder
 * that is open already, never through a link (O_NOFOLLOW).
 */
#ifndef LINUX_VFS_H
#define LINUX_VFS_H

#include "linux/file.h"

typedef struct VfsPlace VfsPlace;

Status vfs_configure(Kernel *kernel, const LinuxConfig *config, DiagList *diags);
void vfs_destroy(Vfs *vfs);
void vfs_forget_roots(Kernel *kernel);

/* Working directory, root and umask of a process; counted (CLONE_FS). */
/* Where there is no such folder, it is the root. */
FsState *fs_create(Kernel *kernel, const char *directory);
bool fs_is_at_root(const FsState *fs); /* does the working directory lie there? */
FsState *fs_get(FsState *fs);
void fs_put(FsState *fs);
FsState *fs_fork(FsState *fs);

/* open(2): dirfd may be AT_FDCWD; flags as Linux has them. 0 and a reference in *out, or -errno, or CALL_WAIT (fifos).
 */
i64 vfs_open(Task *task, i32 dirfd, const char *path, u32 flags, u32 mode, File **out);
i64 vfs_open_kernel(Kernel *kernel, const char *path, File **out); /* for reading, by nobody in particular */
/* The same for a program to be executed: EACCES unless it may be. */
i64 vfs_open_program(Task *task, i32 dirfd, const char *path, u32 flags, File **out);
/* stat(2) of an absolute path, for the kernel. 0 or -errno. */
i64 vfs_stat(Kernel *kernel, const char *path, FileStat *out);
/* The absolute path of an open file in the guest; false: it has none. */
bool vfs_path(const File *file, Buf *out);
/* A file given from outside, that programs see read-only at this path (the program itself). Of `given` only the bytes count, and
 * whether they stay. */
Status vfs_add_file(Kernel *kernel, const char *path, const GuestFile *given, u32 mode);
/* file_put calls it after ->release, for File.place. NULL: nothing. */
void vfs_place_put(VfsPlace *place);

/* A regular file in memory that has no name: memfd_create. flags: O_RDWR ... `name` is what /proc shows. */
i64 vfs_open_nameless(Task *task, const char *name, u32 flags, File **out);

/* ---- Locks (vfs_lock.c) ---- */
i64 vfs_flock(Task *task, File *file, u32 operation);             /* flock(2); may give CALL_WAIT */
i64 vfs_fcntl_lock(Task *task, File *file, u32 command, u64 address); /* fcntl: F_GETLK ... F_OFD_SETLKW; may wait */
void vfs_closed(Process *process, File *file); /* a descriptor was closed: the process's record locks of it end */

void vfs_process_ended(Process *process);      /* likewise of all files */

/* ---- Sockets with a path: the key of the node is what bind and connect have in common ---- */
i64 vfs_bind(Task *task, const char *path, u32 mode, u64 *key);   /* EADDRINUSE */
i64 vfs_find_socket(Task *task, const char *path, u64 *key);      /* ECONNREFUSED: it is none; ENOENT ... */

#endif
