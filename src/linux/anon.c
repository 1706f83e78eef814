/* SPDX-License-Identifier: MIT
 *
 * signalfd and pidfd; and what fstat says of files without a place.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "linux/anon.h"
#include "linux/process.h"
#include "linux/save.h"
#include "linux/signal.h"
#include "linux/syscalls.h"

i64 anon_stat(File *file, FileStat *out)
{
	Kernel *kernel = file->kernel;

	*out = (FileStat){ .device = 0xD, .inode = 9, .mode = 0600, .links = 1, .user = kernel->user,
			   .group = kernel->group, .atime = kernel->real_time, .mtime = kernel->real_time,
			   .ctime = kernel->real_time, .btime = kernel->real_time };
	return 0;
}

/* ---- signalfd ---- */

enum { SIGNALFD_RECORD = 128 };

typedef struct SignalFd {
	u64 set;
} SignalFd;

/* struct signalfd_siginfo. */
static void put_record(const SignalInfo *info, u8 *to)
{
	const u32 words[] = {
		(u32)info->number, (u32)info->error, (u32)info->code, (u32)info->pid, (u32)info->uid,
		0, (u32)info->timer, 0, 0, 0, (u32)info->status, (u32)info->value, /* fd tid band overrun trap status int */
	};

	memset(to, 0, SIGNALFD_RECORD);
	memcpy(to, words, sizeof(words));
	memcpy(to + 48, &info->value, sizeof(info->value));
	memcpy(to + 72, &info->address, sizeof(info->address));
}

/* The signals are those of whoever reads, not of who made the file. */
static i64 signalfd_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	const SignalFd *fd = file->data;
	u64 done = 0;
	SignalInfo info;

	(void)offset;
	if (len < SIGNALFD_RECORD)
		return -EINVAL;
	while (len - done >= SIGNALFD_RECORD && signal_take(task, fd->set, &info)) {
		put_record(&info, to + done);
		done += SIGNALFD_RECORD;
	}
	return done ? (i64)done : -EAGAIN;
}

static u32 signalfd_poll(File *file)
{
	const SignalFd *fd = file->data;
	const Task *task = task_current(file->kernel);

	if (!task)
		return 0;
	return (task->pending.set | task->process->pending.set) & fd->set ? POLLIN | POLLRDNORM : 0;
}

static bool signalfd_watch(File *file, Task *task, u32 events)
{
	(void)file;
	(void)events;
	return task_watch(task, &task->process->signal_arrived);
}

static u64 signalfd_changes(File *file, u32 events)
{
	const Task *task = task_current(file->kernel);

	(void)events;
	return task ? task->process->signal_arrived.wakes : 0;
}

static void signalfd_describe(File *file, Buf *out)
{
	(void)file;
	buf_str(out, "anon_inode:[signalfd]");
}

static void free_data(File *file)
{
	free(file->data);
}

static const FileOps signalfd_ops = {
	.kind = "signalfd",
	.read = signalfd_read,
	.poll = signalfd_poll,
	.watch = signalfd_watch,
	.changes = signalfd_changes,
	.stat = anon_stat,
	.describe = signalfd_describe,
	.release = free_data,
	.whole = true,
};

i64 sys_signalfd4(Task *task, const u64 *a)
{
	const u64 never = (u64)1 << (SIGKILL - 1) | (u64)1 << (SIGSTOP - 1);
	SignalFd *fd;
	File *file;
	u64 set;

	if (a[2] != sizeof(set) || a[3] & ~(u64)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	if (!user_read(task, a[1], &set, sizeof(set)))
		return -EFAULT;
	set &= ~never;
	if ((i32)a[0] != -1) {
		file = fds_stream(task, a[0]);
		if (!file)
			return -EBADF;
		if (file->ops != &signalfd_ops)
			return -EINVAL;
		fd = file->data;
		fd->set = set;
		wait_wake(&task->process->signal_arrived); /* it may be about others now */
		return (i32)a[0];
	}
	fd = calloc(1, sizeof(*fd));
	if (!fd)
		return -ENOMEM;
	fd->set = set;
	file = file_create(task->kernel, &signalfd_ops, O_RDWR | ((u32)a[3] & O_NONBLOCK), fd);
	if (!file) {
		free(fd);
		return -ENFILE;
	}
	return fds_install(task, file, 0, a[3] & O_CLOEXEC);
}

/* ---- pidfd ---- */

/* Numbers of processes are used anew only after a long while, and `started` tells them apart. */
typedef struct PidFd {
	i32 pid;
	u64 started;
} PidFd;

static Process *process_of(const File *file)
{
	const PidFd *fd = file->data;
	Process *process = process_find(file->kernel, fd->pid);

	return process && process->started == fd->started ? process : NULL;
}

static u32 pidfd_poll(File *file)
{
	const Process *process = process_of(file);

	return !process || process->zombie ? POLLIN | POLLRDNORM : 0;
}

static bool pidfd_watch(File *file, Task *task, u32 events)
{
	const Process *process = process_of(file);

	(void)events;
	return !process || !process->parent || task_watch(task, &process->parent->children_changed);
}

static void pidfd_describe(File *file, Buf *out)
{
	(void)file;
	buf_str(out, "anon_inode:[pidfd]");
}

static const FileOps pidfd_ops = {
	.kind = "pidfd",
	.poll = pidfd_poll,
	.watch = pidfd_watch,
	.stat = anon_stat,
	.describe = pidfd_describe,
	.release = free_data,
};

i64 pidfd_make(Task *task, const Process *process, u32 flags)
{
	PidFd *fd = calloc(1, sizeof(*fd));
	File *file;

	if (!fd)
		return -ENOMEM;
	*fd = (PidFd){ process->pid, process->started };
	file = file_create(task->kernel, &pidfd_ops, O_RDWR | (flags & O_NONBLOCK), fd);
	if (!file) {
		free(fd);
		return -ENFILE;
	}
	return fds_install(task, file, 0, true);
}

i32 pidfd_pid(Task *task, u64 fd)
{
	const File *file = fds_stream(task, fd);
	const PidFd *pidfd = file && file->ops == &pidfd_ops ? file->data : NULL;

	return pidfd ? pidfd->pid : -EBADF;
}

i64 sys_pidfd_open(Task *task, const u64 *a)
{
	Process *process;

	if (a[1] & ~(u64)O_NONBLOCK || (i32)a[0] <= 0)
		return -EINVAL;
	process = process_find(task->kernel, (i32)a[0]);
	return process ? pidfd_make(task, process, (u32)a[1]) : -ESRCH;
}

i64 sys_pidfd_send_signal(Task *task, const u64 *a)
{
	File *file = fds_stream(task, a[0]);
	Process *process;

	if (!file || file->ops != &pidfd_ops)
		return -EBADF;
	if (a[3] || a[1] > 64 || a[2]) /* a siginfo of the caller's own making: not here */
		return -EINVAL;
	process = process_of(file);
	if (!process)
		return -ESRCH;
	if (a[1])
		signal_send(process, &(SignalInfo){ .number = (i32)a[1], .code = SI_USER, .pid = task->process->pid,
						    .uid = (i32)task->process->user });
	return 0;
}

/* ---- Snapshots ---- */

static void *data_of(Tape *tape, File *file, size_t size)
{
	if (tape->loading)
		file->data = calloc(1, size);
	if (!file->data)
		tape_fail(tape, STATUS_NOMEM, "%s", "");
	return file->data;
}

static void signalfd_carry(Tape *tape, File *file)
{
	SignalFd *fd = data_of(tape, file, sizeof(*fd));

	if (fd)
		tape_u64(tape, &fd->set);
	if (tape->loading && !tape_ok(tape))
		free(fd);
}

static void pidfd_carry(Tape *tape, File *file)
{
	PidFd *fd = data_of(tape, file, sizeof(*fd));

	if (fd) {
		tape_i32(tape, &fd->pid);
		tape_u64(tape, &fd->started);
	}
	if (tape->loading && !tape_ok(tape))
		free(fd);
}

const FileCodec signalfd_codec = { .ops = &signalfd_ops, .shares = TAPE_KINDS, .carry = signalfd_carry };
const FileCodec pidfd_codec = { .ops = &pidfd_ops, .shares = TAPE_KINDS, .carry = pidfd_carry };
