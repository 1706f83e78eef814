/* SPDX-License-Identifier: MIT
 *
 * Reading and writing: read, write and their kin, in terms of FileOps.
 *
 * Bytes go straight between a file and the program's memory, CHUNK bytes at a time. A read gives what there is as soon
 * as there is something. A write of a waiting file goes on until all is written; what is done so far stands in
 * call->progress. When an address is bad in the middle, the bytes before it count, and only the first one is EFAULT.
 */
#define _GNU_SOURCE /* O_PATH */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "linux/signal.h"
#include "linux/stream.h"
#include "linux/syscalls.h"

enum {
	LIMIT_FSIZE = 1,            /* RLIMIT_FSIZE */
	MESSAGE_MAX = 256 * 1024,   /* of files whose reads and writes are messages */
};

#define NO_OFFSET (~(u64)0)

static bool can_read(const File *file)
{
	return (file->flags & O_ACCMODE) != O_WRONLY;
}

static bool can_write(const File *file)
{
	return (file->flags & O_ACCMODE) != O_RDONLY;
}

/* As readv and writev, but without waiting: -EAGAIN. *offset moves on. */
static i64 read_vector(Task *task, File *file, const Vector *vector, u64 *offset)
{
	u64 limit = file->ops->whole ? MESSAGE_MAX : CHUNK, done = 0;

	if (!file->ops->read)
		return -EINVAL;
	do {
		Window window;
		i64 result = window_open(task, vector, done, limit, ATTR_WRITE, &window);
		u64 len = window.len;

		if (result == 0) {
			result = file->ops->read(file, task, window.bytes, len, offset);
			window_close(task, vector, done, &window, result > 0 ? (u64)result : 0);
		}
		if (result < 0)
			return done ? (i64)done : result;
		done += (u64)result;
		if ((u64)result < len || file->ops->whole)
			break;
	} while (done < vector->total);
	return (i64)done;
}

i64 file_write_room(Task *task, File *file, u64 len, u64 *offset)
{
	u64 limit = task->process->limits[LIMIT_FSIZE][0];

	if (!file->ops->seek)
		return (i64)len;
	if (file->flags & O_APPEND && !file->ops->append && file->ops->stat) {
		FileStat stat;
		i64 result = file->ops->stat(file, &stat);

		if (result < 0)
			return result;
		*offset = stat.size;
	}
	if (!file->ops->truncate || limit == ~(u64)0)
		return (i64)len;
	if (*offset >= limit) {
		signal_raise(task, SIGXFSZ);
		return -EFBIG;
	}
	return (i64)(len < limit - *offset ? len : limit - *offset);
}

/* `done`: bytes of the vector that an earlier try has written; the result counts them. *full: it would take more later.
 * Raises SIGPIPE. */
static i64 write_vector(Task *task, File *file, const Vector *vector, u64 done, u64 *offset, bool *full)
{
	u64 limit = file->ops->whole ? MESSAGE_MAX : CHUNK;
	bool cut = false;

	*full = false;
	if (!file->ops->write)
		return -EINVAL;
	if (file->ops->whole && vector->total > limit)
		return -EMSGSIZE;
	do {
		Window window;
		i64 result = window_open(task, vector, done, limit, ATTR_READ, &window);
		u64 len = window.len;

		if (result == 0 && len) {
			result = file_write_room(task, file, len, offset);
			if (result >= 0) {
				cut = (u64)result < len;
				len = (u64)result;
			}
		}
		if (result >= 0)
			result = file->ops->write(file, task, window.bytes, len, offset);
		window_close(task, vector, done, &window, 0);
		if (result == -EPIPE)
			signal_raise(task, SIGPIPE);
		*full = result == -EAGAIN;
		if (result < 0)
			return done ? (i64)done : result;
		done += (u64)result; /* fewer than len: the next try says why */
		if (!result)
			break;
	} while (done < vector->total && !cut);
	return (i64)done;
}

/* A file that a call reads or writes, and where. */
static i64 transfer_file(Task *task, u64 fd, bool writes, u64 offset, File **out)
{
	File *file = fds_stream(task, fd);

	if (!file || !(writes ? can_write(file) : can_read(file)))
		return -EBADF;
	if (offset != NO_OFFSET && !file->ops->seek)
		return -ESPIPE;
	*out = file;
	return 0;
}

/* offset: NO_OFFSET = the file's own. */
static i64 read_call(Task *task, u64 fd, const Vector *vector, u64 offset, bool waits)
{
	File *file;
	i64 result = transfer_file(task, fd, false, offset, &file);

	if (result < 0)
		return result;
	result = read_vector(task, file, vector, offset == NO_OFFSET ? &file->position : &offset);
	return result == -EAGAIN && waits ? file_wait(task, file, POLLIN) : result;
}

static i64 write_call(Task *task, u64 fd, const Vector *vector, u64 offset, bool waits)
{
	File *file;
	i64 result = transfer_file(task, fd, true, offset, &file), wait;
	bool full;

	if (result < 0)
		return result;
	result = write_vector(task, file, vector, (u64)task->call.progress,
				   offset == NO_OFFSET ? &file->position : &offset, &full);
	if (!full || !waits)
		return result;
	if (result > 0)
		task->call.progress = result;
	wait = file_wait(task, file, POLLOUT);
	return wait == CALL_WAIT || result < 0 ? wait : result;
}

static i64 offset_of(u64 argument)
{
	return (i64)argument < 0 ? -EINVAL : 0;
}

static i64 one_call(Task *task, const u64 *a, u64 offset, bool writes)
{
	Vector vector;

	if ((i64)a[2] < 0)
		return -EFAULT;
	vector_one(&vector, a[1], a[2]);
	return writes ? write_call(task, a[0], &vector, offset, true) : read_call(task, a[0], &vector, offset, true);
}

static i64 vector_call(Task *task, const u64 *a, u64 offset, bool writes, bool waits)
{
	Vector vector;
	i64 result;

	if (!fds_stream(task, a[0]))
		return -EBADF;
	result = vector_read(task, &vector, a[1], (u64)(i64)(i32)a[2]);
	if (result < 0)
		return result;
	result = writes ? write_call(task, a[0], &vector, offset, waits)
			: read_call(task, a[0], &vector, offset, waits);
	vector_fini(&vector);
	return result;
}

i64 sys_read(Task *task, const u64 *a)
{
	return one_call(task, a, NO_OFFSET, false);
}

i64 sys_write(Task *task, const u64 *a)
{
	return one_call(task, a, NO_OFFSET, true);
}

i64 sys_pread64(Task *task, const u64 *a)
{
	i64 bad = offset_of(a[3]);

	return bad ? bad : one_call(task, a, a[3], false);
}

i64 sys_pwrite64(Task *task, const u64 *a)
{
	i64 bad = offset_of(a[3]);

	return bad ? bad : one_call(task, a, a[3], true);
}

i64 sys_readv(Task *task, const u64 *a)
{
	return vector_call(task, a, NO_OFFSET, false, true);
}

i64 sys_writev(Task *task, const u64 *a)
{
	return vector_call(task, a, NO_OFFSET, true, true);
}

i64 sys_preadv(Task *task, const u64 *a)
{
	i64 bad = offset_of(a[3]);

	return bad ? bad : vector_call(task, a, a[3], false, true);
}

i64 sys_pwritev(Task *task, const u64 *a)
{
	i64 bad = offset_of(a[3]);

	return bad ? bad : vector_call(task, a, a[3], true, true);
}

/* RWF_*: a hint (1) and syncing (2, 4) change nothing here; 8: do not wait. The rest is refused. */
static i64 vector_call_2(Task *task, const u64 *a, bool writes)
{
	enum { HARMLESS = 1 | 2 | 4, NOWAIT = 8 };

	if (a[5] & ~(u64)(HARMLESS | NOWAIT))
		return -EOPNOTSUPP;
	if ((i64)a[3] < -1)
		return -EINVAL;
	return vector_call(task, a, a[3], writes, !(a[5] & NOWAIT)); /* -1 is NO_OFFSET */
}

i64 sys_preadv2(Task *task, const u64 *a)
{
	return vector_call_2(task, a, false);
}

i64 sys_pwritev2(Task *task, const u64 *a)
{
	return vector_call_2(task, a, true);
}

i64 sys_lseek(Task *task, const u64 *a)
{
	File *file = fds_stream(task, a[0]);

	if (!file)
		return -EBADF;
	return file->ops->seek ? file->ops->seek(file, (i64)a[1], (int)a[2]) : -ESPIPE;
}
