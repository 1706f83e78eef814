/* SPDX-License-Identifier: MIT
 *
 * From one file to another: sendfile, copy_file_range, splice, tee, vmsplice. All by way of a buffer of CHUNK bytes.
 *
 * Nothing is taken from a side that could not be put to the other: a seekable file's offset moves by what was written,
 * a pipe's bytes are looked at and dropped afterwards, and of other streams no more is read than the pipe has room for.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "linux/signal.h"
#include "linux/stream.h"
#include "linux/syscalls.h"

enum {
	COPY_MAX = 64 * 1024 * 1024, /* in one call; it may give less than was asked for */
};

/* One side: a file, and the offset the caller names or its own. */
typedef struct Side {
	File *file;
	u64 *offset;
	u64 own;      /* what `address` said */
	u64 address;  /* of the caller's offset, or 0 */
} Side;

static i64 side_open(Task *task, Side *side, u64 fd, u64 address, bool writes)
{
	File *file = fds_stream(task, fd);

	if (!file || (file->flags & O_ACCMODE) == (writes ? O_RDONLY : O_WRONLY))
		return -EBADF;
	*side = (Side){ .file = file, .offset = &file->position, .address = address };
	if (!address)
		return 0;
	if (!file->ops->seek)
		return -ESPIPE;
	if (!user_read(task, address, &side->own, sizeof(side->own)))
		return -EFAULT;
	side->offset = &side->own;
	return (i64)side->own < 0 ? -EINVAL : 0;
}

/* The offset goes back to the caller. */
static i64 side_close(Task *task, const Side *side, i64 result)
{
	if (side->address && !user_put_u64(task, side->address, side->own) && result >= 0)
		return -EFAULT;
	return result;
}

static i64 read_from(Task *task, Side *side, u8 *to, u64 len)
{
	return side->file->ops->read ? side->file->ops->read(side->file, task, to, len, side->offset) : -EINVAL;
}

static i64 write_to(Task *task, Side *side, const u8 *from, u64 len)
{
	i64 result = file_write_room(task, side->file, len, side->offset);

	if (result < 0)
		return result;
	if (!side->file->ops->write)
		return -EINVAL;
	result = side->file->ops->write(side->file, task, from, (u64)result, side->offset);
	if (result == -EPIPE)
		signal_raise(task, SIGPIPE);
	return result;
}

/* Up to `count` bytes of a seekable file; gives how many; *stopped: why it is not all, or 0. */
static u64 pour(Task *task, Side *in, Side *out, u64 count, i64 *stopped)
{
	u8 *buffer = malloc(CHUNK);
	u64 done = 0;

	*stopped = buffer ? 0 : -ENOMEM;
	while (buffer && done < count && !*stopped) {
		u64 want = count - done < CHUNK ? count - done : CHUNK;
		i64 got = read_from(task, in, buffer, want), put;

		if (got <= 0) {
			*stopped = got;
			break;
		}
		put = write_to(task, out, buffer, (u64)got);
		*in->offset -= (u64)(got - (put > 0 ? put : 0));
		if (put > 0)
			done += (u64)put;
		else
			*stopped = put ? put : -EIO;
	}
	free(buffer);
	return done;
}

i64 sys_sendfile(Task *task, const u64 *a)
{
	Side in, out;
	i64 result = side_open(task, &in, a[1], a[2], false), stopped;
	u64 done = (u64)task->call.progress, count = a[3] < COPY_MAX ? a[3] : COPY_MAX;

	if (result == 0)
		result = side_open(task, &out, a[0], 0, true);
	if (result < 0)
		return result == -ESPIPE && !fds_file(task, (i32)a[0]) ? -EBADF : result;
	if (!in.file->ops->seek || out.file->flags & O_APPEND)
		return -EINVAL;
	done += pour(task, &in, &out, count > done ? count - done : 0, &stopped);
	result = done || !stopped ? (i64)done : stopped;
	if (stopped == -EAGAIN) {
		i64 wait = file_wait(task, out.file, POLLOUT);

		task->call.progress = (i64)done;
		if (wait == CALL_WAIT || !done)
			result = wait;
	}
	return side_close(task, &in, result);
}

static bool is_regular(const File *file)
{
	return file->ops->seek && file->ops->truncate && file->ops->read;
}

i64 sys_copy_file_range(Task *task, const u64 *a)
{
	Side in, out;
	i64 result = side_open(task, &in, a[0], a[1], false), stopped;
	u64 count = a[4] < COPY_MAX ? a[4] : COPY_MAX, done, from, to;

	if (result == 0)
		result = side_open(task, &out, a[2], a[3], true);
	if (result < 0)
		return result;
	if (a[5] || !is_regular(in.file) || !is_regular(out.file))
		return in.file->ops->entries || out.file->ops->entries ? -EISDIR : -EINVAL;
	if (out.file->flags & O_APPEND)
		return -EBADF;
	from = *in.offset;
	to = *out.offset;
	if (in.file->ops == out.file->ops) { /* the same file twice? */
		FileStat stats[2];

		if (in.file->ops->stat && in.file->ops->stat(in.file, &stats[0]) == 0 &&
		    out.file->ops->stat(out.file, &stats[1]) == 0 && stats[0].inode == stats[1].inode &&
		    stats[0].device == stats[1].device && (from < to ? to - from : from - to) < count)
			return -EINVAL;
	}
	done = pour(task, &in, &out, count, &stopped);
	result = side_close(task, &in, done || !stopped ? (i64)done : stopped);
	return side_close(task, &out, result);
}

/* ---- With pipes ---- */

enum { SPLICE_NONBLOCK = 2, SPLICE_FLAGS = 15 };

static i64 wait_unless(Task *task, File *file, u32 events, u64 flags)
{
	return flags & SPLICE_NONBLOCK ? -EAGAIN : file_wait(task, file, events);
}

static i64 from_pipe(Task *task, Side *in, Side *out, u8 *buffer, u64 len, u64 flags, bool keep)
{
	Pipe *pipe = pipe_of_reader(in->file);
	u64 got = queue_peek(pipe_queue(pipe), 0, buffer, len);
	i64 result;

	if (!got) { /* says why */
		result = in->file->ops->read(in->file, task, buffer, 1, in->offset);
		return result == -EAGAIN ? wait_unless(task, in->file, POLLIN, flags) : result;
	}
	if (pipe_of_writer(out->file)) { /* pieces are as good as the whole here */
		u64 room = queue_room(task->kernel, pipe_queue(pipe_of_writer(out->file)));

		if (room && got > room)
			got = room;
	}
	result = write_to(task, out, buffer, got);
	if (result == -EAGAIN)
		return wait_unless(task, out->file, POLLOUT, flags);
	if (result > 0 && !keep) {
		queue_drop(task->kernel, pipe_queue(pipe), (u32)result);
		pipe_taken(pipe);
	}
	return result;
}

static i64 to_pipe(Task *task, Side *in, Side *out, u8 *buffer, u64 len, u64 flags)
{
	u64 room = queue_room(task->kernel, pipe_queue(pipe_of_writer(out->file)));
	i64 result;

	if (file_poll(out->file) & POLLERR)
		return write_to(task, out, buffer, 1);
	if (!room)
		return wait_unless(task, out->file, POLLOUT, flags);
	result = read_from(task, in, buffer, len < room ? len : room);
	if (result == -EAGAIN)
		return wait_unless(task, in->file, POLLIN, flags);
	return result > 0 ? write_to(task, out, buffer, (u64)result) : result;
}

i64 sys_splice(Task *task, const u64 *a)
{
	u64 len = a[4] < CHUNK ? a[4] : CHUNK;
	u8 *buffer;
	Side in, out;
	i64 result;

	if (!a[4])
		return 0;
	if (a[5] & ~(u64)SPLICE_FLAGS)
		return -EINVAL;
	result = side_open(task, &in, a[0], a[1], false);
	if (result == 0)
		result = side_open(task, &out, a[2], a[3], true);
	if (result < 0)
		return result;
	if (!pipe_of_reader(in.file) && !pipe_of_writer(out.file))
		return -EINVAL;
	if (out.file->flags & O_APPEND || (pipe_of_reader(in.file) && pipe_of_reader(in.file) == pipe_of_writer(out.file)))
		return -EINVAL;
	buffer = malloc(CHUNK);
	if (!buffer)
		return -ENOMEM;
	result = pipe_of_reader(in.file) ? from_pipe(task, &in, &out, buffer, len, a[5], false)
					 : to_pipe(task, &in, &out, buffer, len, a[5]);
	free(buffer);
	if (result == CALL_WAIT)
		return result;
	return side_close(task, &out, side_close(task, &in, result));
}

i64 sys_tee(Task *task, const u64 *a)
{
	u64 len = a[2] < CHUNK ? a[2] : CHUNK;
	u8 *buffer;
	Side in, out;
	i64 result;

	if (a[3] & ~(u64)SPLICE_FLAGS)
		return -EINVAL;
	if (!len)
		return 0;
	result = side_open(task, &in, a[0], 0, false);
	if (result == 0)
		result = side_open(task, &out, a[1], 0, true);
	if (result < 0)
		return result;
	if (!pipe_of_reader(in.file) || !pipe_of_writer(out.file) ||
	    pipe_of_reader(in.file) == pipe_of_writer(out.file))
		return -EINVAL;
	buffer = malloc(CHUNK);
	if (!buffer)
		return -ENOMEM;
	result = from_pipe(task, &in, &out, buffer, len, a[3], true);
	free(buffer);
	return result;
}

i64 sys_vmsplice(Task *task, const u64 *a)
{
	File *file = fds_stream(task, a[0]);

	if (!file)
		return -EBADF;
	if (a[3] & ~(u64)SPLICE_FLAGS)
		return -EINVAL;
	if (pipe_of_writer(file))
		return sys_writev(task, a);
	return pipe_of_reader(file) ? sys_readv(task, a) : -EBADF;
}
