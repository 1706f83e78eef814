/* SPDX-License-Identifier: MIT
 *
 * Descriptors 0, 1 and 2 of the first process: the machine's console. Input comes from its queue, so it is recorded and
 * replayed; output goes where the machine's output and errors go, and counts against limits.output.
 *
 * To programs it is a terminal where the embedder has one (LinuxTerminal), else a pipe. The input queue is one, whoever
 * reads it: a reader that finds nothing says so (kernel->input_wanted) or waits on kernel->console_input, and the driver
 * then reads for it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "linux/process.h"
#include "linux/rights.h"
#include "linux/save.h"
#include "linux/signal.h"
#include "linux/stream.h"
#include "linux/tty.h"
#include "linux/vfs.h"

enum { TERMINAL_MAJOR = 136, TERMINAL_DEVICE = 0x18, PIPE_DEVICE = 0xF };

/* file->data: which descriptor it was made for. */
static u32 which(const File *file)
{
	return (u32)(uintptr_t)file->data;
}

/* Is it a terminal, to those who ask by descriptor 0, 1, 2 of the first process? */
static bool has_terminal(const Kernel *kernel, u32 descriptor)
{
	return kernel->terminal && kernel->terminal->is_terminal >> descriptor & 1;
}

static bool is_terminal(const File *file)
{
	return has_terminal(file->kernel, which(file));
}

static i64 console_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	Kernel *kernel = file->kernel;
	Machine *machine = kernel->machine;
	u64 got = 0;

	(void)offset;
	if (!kernel_may(kernel, RIGHT_INPUT))
		return -EPERM;
	if (!len)
		return 0;
	if (is_terminal(file)) {
		i64 result = tty_may_read(task, kernel->foreground);

		if (result < 0)
			return result;
	}
	while (got < len && machine_input_pending(machine))
		to[got++] = (u8)machine_key(machine);
	if (got)
		return (i64)got;
	if (machine_input_ended(machine)) {
		if (is_terminal(file)) /* Ctrl-D ends this read; what is typed later is for the next */
			machine_input_resume(machine);
		return 0;
	}
	if (kernel->input_wanted < len)
		kernel->input_wanted = len;
	return -EAGAIN;
}

/* The output limit: the whole program ends, not only who wrote. */
static i64 end_all(Kernel *kernel)
{
	kernel->denied = "output limit reached";
	for (Process *process = kernel->processes, *next; process; process = next) {
		next = process->next;
		if (!process->zombie && !process->exiting) {
			Task *task = process_any_task(process);

			if (task)
				signal_raise(task, SIGKILL);
		}
	}
	return -EIO;
}

static i64 console_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	Kernel *kernel = file->kernel;
	u64 limit = kernel->limits.output;
	bool over = false;

	(void)task;
	(void)offset;
	if (!kernel_may(kernel, RIGHT_OUTPUT))
		return -EPERM;
	if (kernel->output_closed[which(file) == 2 ? 2 : 1])
		return -EPIPE;
	if (limit && limit != ~(u64)0) {
		u64 left = kernel->output < limit ? limit - kernel->output : 0;

		over = len > left;
		if (over)
			len = left;
	}
	kernel->output += len;
	if (which(file) == 2)
		machine_put_errors(kernel->machine, from, len);
	else
		machine_put(kernel->machine, from, len);
	return over ? end_all(kernel) : (i64)len;
}

static u32 console_poll(File *file)
{
	Machine *machine = file->kernel->machine;
	u32 events = 0;

	if ((file->flags & O_ACCMODE) != O_RDONLY)
		events |= POLLOUT | POLLWRNORM;
	if (file->kernel->output_closed[which(file) == 2 ? 2 : 1] && events)
		events |= POLLERR;
	if ((file->flags & O_ACCMODE) == O_WRONLY)
		return events;
	if (machine_input_pending(machine))
		events |= POLLIN | POLLRDNORM;
	else if (machine_input_ended(machine))
		events |= is_terminal(file) ? POLLIN | POLLRDNORM : POLLHUP;
	return events;
}

static bool console_watch(File *file, Task *task, u32 events)
{
	Kernel *kernel = file->kernel;

	if (!(events & POLLIN))
		return true;
	if (!kernel->input_wanted)
		kernel->input_wanted = 1;
	return task_watch(task, &kernel->console_input);
}

static u64 console_changes(File *file, u32 events)
{
	return events & POLLIN ? file->kernel->console_input.wakes : 0;
}

static i64 console_stat(File *file, FileStat *out)
{
	Kernel *kernel = file->kernel;
	u64 now = kernel_real_time(kernel);

	*out = (FileStat){ .inode = 3, .links = 1, .user = kernel->user, .group = kernel->group,
			   .atime = now, .mtime = now, .ctime = now, .btime = kernel->real_time };
	if (is_terminal(file) && vfs_stat(kernel, "/dev/console", out) == 0) { /* ttyname compares the two */
		out->user = kernel->user;
		out->group = kernel->group;
	} else if (is_terminal(file)) {
		out->device = TERMINAL_DEVICE;
		out->special = makedev(TERMINAL_MAJOR, 0);
		out->mode = S_IFCHR | 0620;
	} else {
		out->device = PIPE_DEVICE;
		out->inode = 16 + which(file);
		out->mode = S_IFIFO | 0600;
	}
	return 0;
}

static void console_describe(File *file, Buf *out)
{
	if (is_terminal(file))
		buf_str(out, "/dev/console");
	else
		buf_printf(out, "pipe:[%u]", 16 + which(file));
}

static const FileOps console_ops = {
	.kind = "console",
	.read = console_read,
	.write = console_write,
	.poll = console_poll,
	.watch = console_watch,
	.changes = console_changes,
	.ioctl = console_ioctl,
	.stat = console_stat,
	.describe = console_describe,
};

bool file_is_console_terminal(const File *file)
{
	return file->ops == &console_ops && is_terminal(file);
}

static i64 open_console(Kernel *kernel, u32 descriptor, u32 flags, File **out)
{
	*out = file_create(kernel, &console_ops, flags, (void *)(uintptr_t)descriptor);
	return *out ? 0 : -ENFILE;
}

i64 console_open(Task *task, u32 flags, File **out)
{
	for (u32 i = 0; i < 3; i++)
		if (has_terminal(task->kernel, i))
			return open_console(task->kernel, i == 0 ? 1 : i, flags, out);
	return -ENXIO;
}

Status fds_open_console(Task *task)
{
	for (u32 i = 0; i < 3; i++) {
		u32 flags = has_terminal(task->kernel, i) ? O_RDWR : i ? O_WRONLY : O_RDONLY;
		File *file;

		if (task->kernel->terminal && (task->kernel->terminal->is_closed >> i & 1))
			continue;
		if (open_console(task->kernel, i, flags, &file) < 0 || fds_install(task, file, (i32)i, false) < 0)
			return STATUS_NOMEM;
	}
	return STATUS_OK;
}

/* ---- For the driver ---- */

u64 linux_wants_input(const Machine *machine)
{
	const Kernel *kernel = kernel_of(machine);

	return kernel ? kernel->input_wanted : 0;
}

void linux_input_arrived(Machine *machine)
{
	Kernel *kernel = kernel_of(machine);

	if (!kernel)
		return;
	kernel->input_wanted = 0; /* who wants more will say so */
	wait_wake(&kernel->console_input);
}

void linux_output_closed(Machine *machine, int fd)
{
	Kernel *kernel = kernel_of(machine);

	if (kernel && fd >= 1 && fd <= 2)
		kernel->output_closed[fd] = true;
}

/* ---- Snapshots ---- */

static void console_carry(Tape *tape, File *file)
{
	u8 descriptor = tape->loading ? 0 : (u8)which(file);

	tape_u8(tape, &descriptor);
	tape_check(tape, descriptor < 3);
	if (tape->loading)
		file->data = (void *)(uintptr_t)descriptor;
}

const FileCodec console_codec = { .ops = &console_ops, .shares = TAPE_KINDS, .carry = console_carry };
