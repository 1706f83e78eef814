/* SPDX-License-Identifier: MIT
 *
 * Open files and descriptors.
 *
 *     FdTable   0 1 2 3 ...  (shared by threads, copied by fork)
 *               | | |
 *               File         an open file description: position, flags; shared by dup and fork; counted
 *               FileOps      what it is: console, pipe, regular file, directory, socket, epoll ...
 *
 * Operations never wait: they give -EAGAIN, and whoever called them (sys_read, sys_poll ...) waits on what ->watch
 * names, unless the file is O_NONBLOCK. All members but kind and release may be NULL: EINVAL, or what is said.
 */
#ifndef LINUX_FILE_H
#define LINUX_FILE_H

#include "linux/kernel.h"

/* struct stat, before it is written as the machine lays it out. */
typedef struct FileStat {
	u64 device, inode, special; /* special: st_rdev */
	u32 mode, links, user, group;
	u64 size, blocks;           /* of 512 bytes */
	u64 atime, mtime, ctime, btime; /* ns since 1970 */
} FileStat;

typedef struct FileOps {
	const char *kind;
	/* *offset is moved on; for streams it is ignored. 0 = end. */
	i64 (*read)(File *file, Task *task, u8 *to, u64 len, u64 *offset);
	i64 (*write)(File *file, Task *task, const u8 *from, u64 len, u64 *offset);
	i64 (*seek)(File *file, i64 offset, int whence); /* NULL: ESPIPE */
	u32 (*poll)(File *file);                        /* POLL* that hold; NULL: POLLIN | POLLOUT */
	bool (*watch)(File *file, Task *task, u32 events); /* task_watch on what changes them; NULL: never changes */
	i64 (*ioctl)(File *file, Task *task, u64 request, u64 argument); /* NULL: ENOTTY */
	i64 (*stat)(File *file, FileStat *out);
	i64 (*truncate)(File *file, u64 size);
	i64 (*allocate)(File *file, u32 mode, u64 offset, u64 len);
	i64 (*sync)(File *file);
	/* The next entries of a folder as struct linux_dirent64, at most len bytes; 0 at the end; moves file->position. */
	i64 (*entries)(File *file, u8 *to, u64 len);
	/* Shared memory with the file's content (a memfd that can't shrink below `size`), for MAP_SHARED: pages of all who
	 * map it. What was written comes back by ->sync or release. NULL: shared maps are refused (ENODEV). */
	i64 (*shared)(File *file, u64 size, bool writable, int *fd);
	void (*describe)(File *file, Buf *out); /* what /proc/self/fd/N links to: "pipe:[7]"; NULL: the path */
	void (*release)(File *file);            /* the last reference went */
	/* Goes up whenever something happened that `events` may mean (the wakes of its queues): what EPOLLET reports.
	 * NULL: never. */
	u64 (*changes)(File *file, u32 events);
	/* fcntl commands about what it is (record locks, seals); NULL: EINVAL. */
	i64 (*control)(File *file, Task *task, u32 command, u64 argument);
	/* The task's process has closed one of its descriptors: its record locks go (fcntl(2)). */
	void (*closed)(File *file, Task *task);
	/* How long a read (POLLIN) or write (POLLOUT) waits at most, ns; 0, NULL: no end (SO_RCVTIMEO). */
	u64 (*patience)(File *file, u32 events);
	bool whole;  /* a read or write is one message: never made in pieces */
	bool append; /* ->write looks at O_APPEND itself; else the offset is set to what ->stat says */
} FileOps;

struct File {
	const FileOps *ops;
	Kernel *kernel;
	u32 refs;
	u32 flags;        /* O_ACCMODE, O_APPEND, O_NONBLOCK ... as open and fcntl set them */
	u64 position;
	u64 serial;
	i32 owner;        /* F_SETOWN */
	void *data;       /* the kind's own */
	struct VfsPlace *place; /* files that have a path: where (vfs.h), owned; else NULL */
	struct EpollItem *epolls; /* in epoll sets (epoll.c) */
	File *next, **link; /* of kernel->files */
	File *next_dying;
};

/* One reference. NULL: limits.open or memory; counts against them. */
File *file_create(Kernel *kernel, const FileOps *ops, u32 flags, void *data);
File *file_get(File *file);
void file_put(File *file);
/* At the end of the kernel, when all tables are gone: what is left over (sockets that hold one another). */
void files_fini(Kernel *kernel);

/* ---- Tables (fd.c) ---- */
FdTable *fds_create(Kernel *kernel);
FdTable *fds_get(FdTable *table);
void fds_put(FdTable *table);
FdTable *fds_fork(FdTable *table);      /* a copy; NULL: no memory */
void fds_close_on_exec(Task *task);     /* a shared table is copied before */
/* Takes the reference over. The lowest free number >= least, or -EMFILE. */
i64 fds_install(Task *task, File *file, i32 least, bool close_on_exec);
/* Borrowed until the table changes; NULL: EBADF. */
File *fds_file(Task *task, i32 fd);
i64 fds_close(Task *task, i32 fd);
/* fds_file, but not for what O_PATH opened, which is good for nothing but paths. fd as a system call gets it. */
File *fds_stream(Task *task, u64 fd);
u32 fds_limit(const Task *task); /* descriptors it may have */
bool fds_closes_on_exec(const FdTable *table, i32 fd);
i64 fds_set_close_on_exec(FdTable *table, i32 fd, bool on);
bool fds_next(const FdTable *table, i32 *fd); /* the first in use from *fd on: /proc/self/fd */
/* 0, 1 and 2 of the first process. */
Status fds_open_console(Task *task);

u32 file_poll(File *file);
/* Waits as ->watch says: for read and write alike. The result of a call that got -EAGAIN. call->data[4] is in use. */
i64 file_wait(Task *task, File *file, u32 events);

#endif
