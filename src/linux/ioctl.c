/* SPDX-License-Identifier: MIT
 *
 * ioctl: what every file knows; the rest is the file's own.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>

#include "linux/file.h"
#include "linux/syscalls.h"

static i64 bytes_to_read(Task *task, File *file, u64 argument)
{
	FileStat stat;
	i64 result;

	if (!file->ops->truncate || !file->ops->stat) /* no regular file */
		return -ENOTTY;
	result = file->ops->stat(file, &stat);
	if (result < 0)
		return result;
	return user_put_u32(task, argument, stat.size > file->position ? (u32)(stat.size - file->position) : 0) ? 0
															: -EFAULT;
}

i64 sys_ioctl(Task *task, const u64 *a)
{
	File *file = fds_stream(task, a[0]);
	u64 request = (u32)a[1];
	u32 on;

	if (!file)
		return -EBADF;
	switch (request) {
	case FIOCLEX:
	case FIONCLEX:
		return fds_set_close_on_exec(task->process->files, (i32)a[0], request == FIOCLEX);
	case FIONBIO:
	case FIOASYNC:
		if (!user_read(task, a[2], &on, sizeof(on)))
			return -EFAULT;
		if (request == FIONBIO)
			file->flags = on ? file->flags | O_NONBLOCK : file->flags & ~(u32)O_NONBLOCK;
		return 0;
	default:
		break;
	}
	if (file->ops->ioctl)
		return file->ops->ioctl(file, task, request, a[2]);
	return request == FIONREAD ? bytes_to_read(task, file, a[2]) : -ENOTTY;
}
