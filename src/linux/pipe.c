/* SPDX-License-Identifier: MIT
 *
 * Pipes and FIFOs: a byte queue between files that write and files that read.
 *
 *     write --> ByteQueue (64 KiB) --> read        each end is a File or several; the pipe goes with the last of all
 *
 * A write of at most PIPE_BUF (4096) bytes goes in whole or not at all. Writers are woken when that much is free, which
 * is also what poll means by POLLOUT. With no reader left a write gives EPIPE; with no writer left a read gives 0.
 *
 * The opening of a FIFO waits until the other end is opened. Who waits has no File yet; `granted` counts openers that
 * were let in by the other end and have not run since, so that it does not take the pipe for broken meanwhile.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "linux/save.h"
#include "linux/stream.h"
#include "linux/syscalls.h"

enum { READER, WRITER };

enum {
	CAPACITY_MAX = 1024 * 1024, /* of fcntl(F_SETPIPE_SZ): /proc/sys/fs/pipe-max-size */
	PIPE_DEVICE = 0xE,
};

struct Pipe {
	Kernel *kernel;
	ByteQueue queue;
	u64 serial;
	u32 ends[2];          /* files that read, that write */
	u32 granted[2];
	u64 openings[2];      /* how often that end was opened */
	WaitQueue changed[2]; /* something to read; room to write (or the other end has gone) */
	WaitQueue opening[2];
	bool node;            /* a node of the file system holds it, too */
	bool on_tape;         /* a snapshot that is being loaded does */
};

static Pipe *pipe_of(const File *file)
{
	return file->data;
}

static bool has(const Pipe *pipe, int end)
{
	return pipe->ends[end] || pipe->granted[end];
}

static void end_pipe(Pipe *pipe)
{
	for (int end = 0; end < 2; end++) {
		wait_fini(&pipe->changed[end]);
		wait_fini(&pipe->opening[end]);
	}
	queue_fini(pipe->kernel, &pipe->queue);
	free(pipe);
}

static Pipe *make_pipe(Kernel *kernel)
{
	Pipe *pipe = calloc(1, sizeof(*pipe));

	if (!pipe)
		return NULL;
	pipe->kernel = kernel;
	pipe->serial = ++kernel->file_serial;
	queue_init(&pipe->queue, STREAM_CAPACITY);
	for (int end = 0; end < 2; end++) {
		wait_init(&pipe->changed[end]);
		wait_init(&pipe->opening[end]);
	}
	return pipe;
}

/* ---- Reading and writing ---- */

void pipe_taken(Pipe *pipe)
{
	if (queue_room(pipe->kernel, &pipe->queue) >= STREAM_PAGE || !pipe->queue.len)
		wait_wake(&pipe->changed[WRITER]);
}

static i64 pipe_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	Pipe *pipe = pipe_of(file);
	u32 got;

	(void)task;
	(void)offset;
	if (!len)
		return 0;
	if (!pipe->queue.len)
		return has(pipe, WRITER) ? -EAGAIN : 0;
	got = queue_take(file->kernel, &pipe->queue, to, len);
	pipe_taken(pipe);
	return got;
}

static i64 pipe_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	Pipe *pipe = pipe_of(file);
	u32 put;

	(void)task;
	(void)offset;
	if (!len)
		return 0;
	if (!has(pipe, READER))
		return -EPIPE;
	if (len <= STREAM_PAGE && queue_room(file->kernel, &pipe->queue) < len)
		return -EAGAIN;
	put = queue_add(file->kernel, &pipe->queue, from, len);
	if (!put)
		return -EAGAIN;
	wait_wake(&pipe->changed[READER]);
	return put;
}

static u32 pipe_poll(File *file)
{
	const Pipe *pipe = pipe_of(file);
	u32 access = file->flags & O_ACCMODE, events = 0;

	if (access != O_WRONLY) {
		if (pipe->queue.len)
			events |= POLLIN | POLLRDNORM;
		if (!has(pipe, WRITER) && pipe->openings[WRITER])
			events |= POLLHUP;
	}
	if (access != O_RDONLY) {
		if (queue_room(file->kernel, &pipe->queue) >= STREAM_PAGE)
			events |= POLLOUT | POLLWRNORM;
		if (!has(pipe, READER))
			events |= POLLERR;
	}
	return events;
}

static bool pipe_watch(File *file, Task *task, u32 events)
{
	Pipe *pipe = pipe_of(file);
	u32 access = file->flags & O_ACCMODE;

	(void)events; /* the other end's going is an event that everybody waits for */
	return (access == O_WRONLY || task_watch(task, &pipe->changed[READER])) &&
	       (access == O_RDONLY || task_watch(task, &pipe->changed[WRITER]));
}

static u64 pipe_changes(File *file, u32 events)
{
	const Pipe *pipe = pipe_of(file);
	u32 access = file->flags & O_ACCMODE;

	(void)events;
	return (access == O_WRONLY ? 0 : pipe->changed[READER].wakes) +
	       (access == O_RDONLY ? 0 : pipe->changed[WRITER].wakes);
}

static i64 pipe_ioctl(File *file, Task *task, u64 request, u64 argument)
{
	if (request != FIONREAD)
		return -ENOTTY;
	return user_put_u32(task, argument, pipe_of(file)->queue.len) ? 0 : -EFAULT;
}

static i64 pipe_stat(File *file, FileStat *out)
{
	Kernel *kernel = file->kernel;

	*out = (FileStat){ .device = PIPE_DEVICE, .inode = pipe_of(file)->serial, .mode = S_IFIFO | 0600, .links = 1,
			   .user = kernel->user, .group = kernel->group, .atime = kernel->real_time,
			   .mtime = kernel->real_time, .ctime = kernel->real_time, .btime = kernel->real_time };
	return 0;
}

static void pipe_describe(File *file, Buf *out)
{
	buf_printf(out, "pipe:[%llu]", (unsigned long long)pipe_of(file)->serial);
}

static void leave(Pipe *pipe, int end)
{
	pipe->ends[end]--;
	if (!pipe->ends[end])
		wait_wake(&pipe->changed[!end]);
}

static void pipe_release(File *file)
{
	Pipe *pipe = pipe_of(file);
	u32 access = file->flags & O_ACCMODE;

	if (access != O_WRONLY)
		leave(pipe, READER);
	if (access != O_RDONLY)
		leave(pipe, WRITER);
	if (pipe->ends[READER] || pipe->ends[WRITER])
		return;
	/* Who was let in finds another one when the node has gone. */
	if (!pipe->node && !pipe->on_tape)
		end_pipe(pipe);
	else if (!pipe->granted[READER] && !pipe->granted[WRITER]) /* a FIFO keeps nothing while nobody has it open */
		queue_fini(pipe->kernel, &pipe->queue);
}

static const FileOps pipe_ops = {
	.kind = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.watch = pipe_watch,
	.changes = pipe_changes,
	.ioctl = pipe_ioctl,
	.stat = pipe_stat,
	.describe = pipe_describe,
	.release = pipe_release,
};

/* FIFOs have a path and a node, and these say what fstat gives. */
static const FileOps fifo_ops = {
	.kind = "fifo",
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.watch = pipe_watch,
	.changes = pipe_changes,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

static bool is_pipe(const File *file)
{
	return file->ops == &pipe_ops || file->ops == &fifo_ops;
}

Pipe *pipe_of_reader(const File *file)
{
	return is_pipe(file) && (file->flags & O_ACCMODE) != O_WRONLY ? pipe_of(file) : NULL;
}

Pipe *pipe_of_writer(const File *file)
{
	return is_pipe(file) && (file->flags & O_ACCMODE) != O_RDONLY ? pipe_of(file) : NULL;
}

ByteQueue *pipe_queue(Pipe *pipe)
{
	return &pipe->queue;
}

i64 pipe_capacity(const File *file)
{
	return is_pipe(file) ? (i64)pipe_of(file)->queue.limit : -EBADF;
}

i64 pipe_set_capacity(File *file, u64 capacity)
{
	u32 limit = STREAM_PAGE;
	Pipe *pipe;

	if (!is_pipe(file))
		return -EBADF;
	if (capacity > CAPACITY_MAX)
		return capacity > INT32_MAX ? -EINVAL : -EPERM;
	while (limit < capacity)
		limit *= 2;
	pipe = pipe_of(file);
	if (limit < pipe->queue.len)
		return -EBUSY;
	if (limit < pipe->queue.cap && !queue_fit(file->kernel, &pipe->queue, limit))
		return -ENOMEM;
	pipe->queue.limit = limit;
	pipe_taken(pipe);
	return limit;
}

/* ---- Making them ---- */

static void join(Pipe *pipe, int end)
{
	pipe->ends[end]++;
	pipe->openings[end]++;
}

i64 sys_pipe2(Task *task, const u64 *a)
{
	u32 flags = (u32)a[1];
	Kernel *kernel = task->kernel;
	File *files[2];
	i64 fds[2];
	i32 numbers[2];
	Pipe *pipe;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK)) /* O_DIRECT, packets: not here */
		return -EINVAL;
	pipe = make_pipe(kernel);
	if (!pipe)
		return -ENOMEM;
	files[0] = file_create(kernel, &pipe_ops, O_RDONLY | (flags & O_NONBLOCK), pipe);
	if (!files[0]) {
		end_pipe(pipe);
		return -ENFILE;
	}
	join(pipe, READER);
	files[1] = file_create(kernel, &pipe_ops, O_WRONLY | (flags & O_NONBLOCK), pipe);
	if (!files[1]) {
		file_put(files[0]);
		return -ENFILE;
	}
	join(pipe, WRITER);
	fds[0] = fds_install(task, files[0], 0, flags & O_CLOEXEC);
	if (fds[0] < 0) {
		file_put(files[1]);
		return fds[0];
	}
	fds[1] = fds_install(task, files[1], 0, flags & O_CLOEXEC);
	if (fds[1] < 0) {
		fds_close(task, (i32)fds[0]);
		return fds[1];
	}
	numbers[0] = (i32)fds[0];
	numbers[1] = (i32)fds[1];
	if (!user_write(task, a[0], numbers, sizeof(numbers))) {
		fds_close(task, numbers[0]);
		fds_close(task, numbers[1]);
		return -EFAULT;
	}
	return 0;
}

/* Lets in who waits to open this end. */
static void grant(Pipe *pipe, int end)
{
	if (pipe->opening[end].first && !pipe->granted[end]) {
		pipe->granted[end] = 1;
		wait_wake(&pipe->opening[end]);
	}
}

i64 fifo_open(Task *task, void **state, u32 flags, File **out)
{
	u32 access = flags & O_ACCMODE;
	Pipe *pipe = *state;
	u64 *seen = &task->call.data[5]; /* 1 + the openings of the other end when this one began to wait */
	int end = access == O_WRONLY ? WRITER : READER;

	if (access == O_ACCMODE)
		return -EINVAL;
	if (!pipe) {
		*state = pipe = make_pipe(task->kernel);
		if (!pipe)
			return -ENOMEM;
		pipe->node = true;
	}
	if (access != O_RDWR && !has(pipe, !end) && !(*seen && *seen - 1 != pipe->openings[!end]) &&
	    !pipe->opening[!end].first) {
		if (flags & O_NONBLOCK) {
			if (end == WRITER)
				return -ENXIO;
		} else {
			*seen = 1 + pipe->openings[!end];
			return task_watch(task, &pipe->opening[end]) ? CALL_WAIT : -ENOMEM;
		}
	}
	*out = file_create(task->kernel, &fifo_ops, flags, pipe);
	if (!*out)
		return -ENFILE;
	if (*seen)
		pipe->granted[end] = 0;
	if (access != O_WRONLY)
		join(pipe, READER);
	if (access != O_RDONLY)
		join(pipe, WRITER);
	if (access == O_RDWR)
		grant(pipe, READER);
	grant(pipe, access == O_RDWR ? WRITER : !end);
	return 0;
}

void fifo_free(void *state)
{
	Pipe *pipe = state;

	if (!pipe)
		return;
	pipe->node = false;
	if (!pipe->ends[READER] && !pipe->ends[WRITER] && !pipe->on_tape)
		end_pipe(pipe);
}

/* ---- Snapshots: `ends` is counted anew as files are loaded ---- */

static void carry_pipe(Tape *tape, Pipe *pipe)
{
	tape_u64(tape, &pipe->serial);
	carry_queue(tape, &pipe->queue, CAPACITY_MAX);
	for (int end = 0; end < 2 && tape_ok(tape); end++) {
		tape_u32(tape, &pipe->granted[end]);
		tape_check(tape, pipe->granted[end] <= 1);
		tape_u64(tape, &pipe->openings[end]);
		tape_queue(tape, &pipe->changed[end]);
		tape_queue(tape, &pipe->opening[end]);
	}
}

void carry_pipes(Tape *tape)
{
	u32 count = tape_count(tape, tape->lists[TAPE_PIPES].count, 60);

	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		Pipe *pipe = tape->loading ? make_pipe(tape->kernel) : tape->lists[TAPE_PIPES].items[i];

		if (!pipe || (tape->loading && !tape_add(tape, TAPE_PIPES, pipe))) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			free(tape->loading ? pipe : NULL);
			return;
		}
		pipe->on_tape = tape->loading;
		carry_pipe(tape, pipe);
	}
}

/* Those that no file and no node took. */
void tape_release_pipes(Tape *tape)
{
	for (u32 i = 0; i < tape->lists[TAPE_PIPES].count; i++) {
		Pipe *pipe = tape->lists[TAPE_PIPES].items[i];

		pipe->on_tape = false;
		if (!pipe->node && !pipe->ends[READER] && !pipe->ends[WRITER])
			end_pipe(pipe);
	}
}

bool fifo_take(void **state, Pipe *pipe)
{
	if (pipe->node)
		return false;
	pipe->node = true;
	*state = pipe;
	return true;
}

static void pipe_carry(Tape *tape, File *file)
{
	Pipe *pipe = pipe_of(file);

	if (!tape->loading)
		return;
	if ((file->flags & O_ACCMODE) != O_WRONLY)
		pipe->ends[READER]++;
	if ((file->flags & O_ACCMODE) != O_RDONLY)
		pipe->ends[WRITER]++;
}

const FileCodec pipe_codec = { .ops = &pipe_ops, .shares = TAPE_PIPES, .carry = pipe_carry };
const FileCodec fifo_codec = { .ops = &fifo_ops, .has_place = true, .shares = TAPE_PIPES, .carry = pipe_carry };
