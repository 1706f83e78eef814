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
 * name in a file of the host can lead outside of what was given; each host folder is opened from its parent's
 * descriptor with openat2 (RESOLVE_BENEATH and no symbolic links), or O_NOFOLLOW where that call is missing.
 */
#ifndef LINUX_VFS_H
#define LINUX_VFS_H

#include "linux/file.h"

Status vfs_configure(Kernel *kernel, const LinuxConfig *config, DiagList *diags);
void vfs_destroy(Vfs *vfs);

/* Working directory, root and umask of a process; counted (CLONE_FS). */
FsState *fs_create(Kernel *kernel, const char *directory);
FsState *fs_get(FsState *fs);
void fs_put(FsState *fs);
FsState *fs_fork(FsState *fs);

/* open(2): dirfd may be AT_FDCWD; flags as Linux has them. 0 and a reference in *out, or -errno. */
i64 vfs_open(Task *task, i32 dirfd, const char *path, u32 flags, u32 mode, File **out);
/* The same for a program to be executed: EACCES unless it may be. */
i64 vfs_open_program(Task *task, i32 dirfd, const char *path, u32 flags, File **out);
/* The absolute path of an open file in the guest; false: it has none. */
bool vfs_path(const File *file, Buf *out);
/* A file given from outside, that programs see read-only at this path (the program itself). */
Status vfs_add_file(Kernel *kernel, const char *path, const u8 *data, size_t len, u32 mode);

#endif
