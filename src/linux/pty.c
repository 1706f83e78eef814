/* SPDX-License-Identifier: MIT
 *
 * The two ends of pseudo-terminals as files, and the calls about them. A pty goes with the last file of either end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "linux/process.h"
#include "linux/pty.h"
#include "linux/save.h"

/* With the size of struct termios2. */
enum { GET_MODE_2 = 0x802C542A, SET_MODE_2 = 0x402C542B };

static Pty *pty_of(const File *file)
{
	return file->data;
}

static Pty *find(const Kernel *kernel, u32 number)
{
	const Streams *streams = kernel->streams;

	return streams && number < streams->pty_cap ? streams->ptys[number] : NULL;
}

static Pty *find_session(const Kernel *kernel, i32 session)
{
	for (u32 i = 0; kernel->streams && i < kernel->streams->pty_cap; i++)
		if (kernel->streams->ptys[i] && kernel->streams->ptys[i]->session == session)
			return kernel->streams->ptys[i];
	return NULL;
}

/* ---- The master's end ---- */

static i64 master_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	Pty *pty = pty_of(file);
	u32 got = queue_take(file->kernel, &pty->output, to, len);

	(void)task;
	(void)offset;
	if (got) {
		wait_wake(&pty->slave_changed);
		return got;
	}
	return !len ? 0 : pty->was_open && !pty->slaves ? -EIO : -EAGAIN;
}

static i64 master_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	u64 done = pty_type(pty_of(file), from, len);

	(void)task;
	(void)offset;
	return done || !len ? (i64)done : -EAGAIN;
}

static u32 master_poll(File *file)
{
	const Pty *pty = pty_of(file);

	return (pty->output.len ? POLLIN | POLLRDNORM : 0) | (pty->was_open && !pty->slaves ? POLLHUP : 0) |
	       (queue_room(file->kernel, &pty->input) > PTY_LINE_MAX ? POLLOUT | POLLWRNORM : 0);
}

static bool master_watch(File *file, Task *task, u32 events)
{
	(void)events;
	return task_watch(task, &pty_of(file)->master_changed);
}

static u64 master_changes(File *file, u32 events)
{
	(void)events;
	return pty_of(file)->master_changed.wakes;
}

/* ---- The slave's end ---- */

static bool is_controlling(const Pty *pty, const Task *task)
{
	return pty->session && pty->session == task->process->sid;
}

static i64 slave_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	Pty *pty = pty_of(file);

	(void)offset;
	if (is_controlling(pty, task)) {
		i64 result = tty_may_read(task, pty->foreground);

		if (result < 0)
			return result;
	}
	if (!len)
		return 0;
	if (pty_has_input(pty))
		return (i64)pty_take(pty, to, len);
	if (!pty->masters)
		return 0;
	return !pty_is_canonical(pty) && !pty_character(pty, VMIN) ? 0 : -EAGAIN;
}

static i64 slave_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	Pty *pty = pty_of(file);
	u64 done;

	(void)task;
	(void)offset;
	if (!pty->masters)
		return -EIO;
	done = pty_print(pty, from, len);
	return done || !len ? (i64)done : -EAGAIN;
}

static u32 slave_poll(File *file)
{
	const Pty *pty = pty_of(file);

	if (!pty->masters)
		return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLHUP | POLLERR;
	return (pty_has_input(pty) ? POLLIN | POLLRDNORM : 0) |
	       (!pty->stopped && queue_room(file->kernel, &pty->output) >= 2 ? POLLOUT | POLLWRNORM : 0);
}

static bool slave_watch(File *file, Task *task, u32 events)
{
	(void)events;
	return task_watch(task, &pty_of(file)->slave_changed);
}

static u64 slave_changes(File *file, u32 events)
{
	(void)events;
	return pty_of(file)->slave_changed.wakes;
}

/* ---- Calls ---- */

static i64 set_mode(Pty *pty, Task *task, bool slave, u64 argument, u32 size, bool flush)
{
	u8 termios[TERMIOS2_SIZE];
	i64 result = slave && is_controlling(pty, task) ? tty_may_change(task, pty->foreground) : 0;

	if (result)
		return result;
	if (!user_read(task, argument, termios, size))
		return -EFAULT;
	if (flush)
		pty_flush(pty, true, false);
	pty_set_termios(pty, termios, size);
	return 0;
}

static i64 set_size(Pty *pty, Task *task, u64 argument)
{
	u8 size[WINSIZE_SIZE];

	if (!user_read(task, argument, size, sizeof(size)))
		return -EFAULT;
	if (memcmp(size, pty->size, sizeof(size)) && pty->foreground)
		tty_signal_group(pty->kernel, pty->foreground, SIGWINCH);
	memcpy(pty->size, size, sizeof(size));
	return 0;
}

static i64 take_session(Pty *pty, const Task *task)
{
	const Process *process = task->process;

	if (process->pid != process->sid || (pty->session && pty->session != process->sid))
		return -EPERM;
	pty->session = process->sid;
	pty->foreground = process->pgid;
	return 0;
}

static i64 put_number(Task *task, u64 argument, u32 number)
{
	return user_put_u32(task, argument, number) ? 0 : -EFAULT;
}

static i64 common_ioctl(Pty *pty, Task *task, bool slave, u64 request, u64 argument)
{
	switch (request) {
	case TCGETS:
		return user_write(task, argument, pty->termios, TERMIOS_SIZE) ? 0 : -EFAULT;
	case GET_MODE_2:
		return user_write(task, argument, pty->termios, TERMIOS2_SIZE) ? 0 : -EFAULT;
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_mode(pty, task, slave, argument, TERMIOS_SIZE, request == TCSETSF);
	case SET_MODE_2:
	case SET_MODE_2 + 1:
	case SET_MODE_2 + 2:
		return set_mode(pty, task, slave, argument, TERMIOS2_SIZE, request == SET_MODE_2 + 2);
	case TIOCGWINSZ:
		return user_write(task, argument, pty->size, WINSIZE_SIZE) ? 0 : -EFAULT;
	case TIOCSWINSZ:
		return set_size(pty, task, argument);
	case TIOCGPGRP:
		return slave && !is_controlling(pty, task) ? -ENOTTY : put_number(task, argument, (u32)pty->foreground);
	case TIOCSPGRP:
		return is_controlling(pty, task) ? tty_set_foreground(task, argument, &pty->foreground) : -ENOTTY;
	case TIOCGSID:
		return slave && !is_controlling(pty, task) ? -ENOTTY : put_number(task, argument, (u32)pty->session);
	case TCFLSH:
		if (argument > TCIOFLUSH)
			return -EINVAL;
		/* What is output to one end is input to the other. */
		pty_flush(pty, argument != (slave ? TCOFLUSH : TCIFLUSH), argument != (slave ? TCIFLUSH : TCOFLUSH));
		wait_wake(&pty->slave_changed);
		wait_wake(&pty->master_changed);
		return 0;
	case TCXONC:
		if (argument > TCION)
			return -EINVAL;
		if (slave && argument <= TCOON)
			pty->stopped = argument == TCOOFF;
		wait_wake(&pty->slave_changed);
		return 0;
	case TCSBRK:
	case TCSBRKP:
		return 0;
	case TIOCOUTQ:
		return put_number(task, argument, 0);
	default:
		return -ENOTTY;
	}
}

static i64 master_ioctl(File *file, Task *task, u64 request, u64 argument)
{
	Pty *pty = pty_of(file);
	File *slave;
	u32 value;
	i64 result;

	switch (request) {
	case TIOCGPTN:
		return put_number(task, argument, pty->number);
	case TIOCSPTLCK:
		if (!user_read(task, argument, &value, sizeof(value)))
			return -EFAULT;
		pty->locked = value;
		return 0;
	case TIOCGPTLCK:
		return put_number(task, argument, pty->locked);
	case TIOCGPTPEER:
		result = pts_open(task, pty->number, (u32)argument, &slave);
		return result < 0 ? result : fds_install(task, slave, 0, argument & O_CLOEXEC);
	case FIONREAD:
		return put_number(task, argument, pty->output.len);
	default:
		return common_ioctl(pty, task, false, request, argument);
	}
}

static i64 slave_ioctl(File *file, Task *task, u64 request, u64 argument)
{
	Pty *pty = pty_of(file);

	switch (request) {
	case FIONREAD:
		return put_number(task, argument, pty_is_canonical(pty) && !pty->line_count ? 0 : pty->input.len);
	case TIOCSCTTY:
		return take_session(pty, task);
	case TIOCNOTTY:
		if (!is_controlling(pty, task))
			return -ENOTTY;
		if (task->process->pid == task->process->sid)
			pty->session = pty->foreground = 0;
		return 0;
	default:
		return common_ioctl(pty, task, true, request, argument);
	}
}

/* ---- Beginning and end ---- */

static void end_if_unused(Pty *pty)
{
	if (pty->masters || pty->slaves)
		return;
	pty->kernel->streams->ptys[pty->number] = NULL;
	wait_fini(&pty->master_changed);
	wait_fini(&pty->slave_changed);
	queue_fini(pty->kernel, &pty->input);
	queue_fini(pty->kernel, &pty->output);
	free(pty);
}

static void master_release(File *file)
{
	Pty *pty = pty_of(file);

	pty->masters--;
	if (pty->foreground) { /* the line was cut */
		tty_signal_group(pty->kernel, pty->foreground, SIGHUP);
		tty_signal_group(pty->kernel, pty->foreground, SIGCONT);
	}
	wait_wake(&pty->slave_changed);
	end_if_unused(pty);
}

static void slave_release(File *file)
{
	Pty *pty = pty_of(file);

	pty->slaves--;
	wait_wake(&pty->master_changed);
	end_if_unused(pty);
}

static void master_describe(File *file, Buf *out)
{
	(void)file;
	buf_str(out, "/dev/ptmx");
}

static void slave_describe(File *file, Buf *out)
{
	buf_printf(out, "/dev/pts/%u", pty_of(file)->number);
}

static i64 master_stat(File *file, FileStat *out)
{
	pts_stat(file->kernel, pty_of(file)->number, out);
	out->inode = 2;
	out->special = makedev(5, 2);
	out->mode = S_IFCHR | 0666;
	return 0;
}

static i64 slave_stat(File *file, FileStat *out)
{
	pts_stat(file->kernel, pty_of(file)->number, out);
	return 0;
}

static const FileOps master_ops = {
	.kind = "ptmx", .read = master_read, .write = master_write, .poll = master_poll, .watch = master_watch,
	.changes = master_changes, .ioctl = master_ioctl, .stat = master_stat, .describe = master_describe,
	.release = master_release,
};

static const FileOps slave_ops = {
	.kind = "pts", .read = slave_read, .write = slave_write, .poll = slave_poll, .watch = slave_watch,
	.changes = slave_changes, .ioctl = slave_ioctl, .stat = slave_stat, .describe = slave_describe,
	.release = slave_release,
};

bool pts_exists(const Kernel *kernel, u32 number)
{
	return find(kernel, number) != NULL;
}

void pts_stat(Kernel *kernel, u32 number, FileStat *out)
{
	*out = (FileStat){ .device = kernel->streams ? kernel->streams->pts_device : 0, .inode = 3 + number,
			   .special = makedev(PTY_MAJOR, number), .mode = S_IFCHR | 0620, .links = 1,
			   .user = kernel->user, .group = kernel->group, .atime = kernel->real_time,
			   .mtime = kernel->real_time, .ctime = kernel->real_time, .btime = kernel->real_time };
}

static i64 put_number_on(Streams *streams, Pty *pty, u32 number)
{
	if (number >= streams->pty_cap) {
		Pty **grown = realloc(streams->ptys, (number + 1) * sizeof(Pty *));

		if (!grown)
			return -ENOMEM;
		while (streams->pty_cap <= number)
			grown[streams->pty_cap++] = NULL;
		streams->ptys = grown;
	}
	streams->ptys[number] = pty;
	pty->number = number;
	return 0;
}

/* The lowest free number. */
static i64 take_number(Streams *streams, Pty *pty)
{
	u32 number = 0;

	while (number < streams->pty_cap && streams->ptys[number])
		number++;
	return number < PTY_LIMIT ? put_number_on(streams, pty, number) : -ENOSPC;
}

i64 ptmx_open(Task *task, u32 flags, File **out)
{
	Kernel *kernel = task->kernel;
	Streams *streams = streams_of(kernel);
	Pty *pty = calloc(1, sizeof(*pty));
	i64 result = streams && pty ? take_number(streams, pty) : -ENOMEM;

	if (result < 0) {
		free(pty);
		return result;
	}
	pty->kernel = kernel;
	pty->locked = true;
	tty_default_mode(pty->termios);
	queue_init(&pty->input, 4 * STREAM_PAGE);
	queue_init(&pty->output, STREAM_CAPACITY);
	wait_init(&pty->master_changed);
	wait_init(&pty->slave_changed);
	*out = file_create(kernel, &master_ops, flags, pty);
	if (*out) {
		pty->masters = 1;
		return 0;
	}
	streams->ptys[pty->number] = NULL;
	free(pty);
	return -ENFILE;
}

i64 pts_open(Task *task, u32 number, u32 flags, File **out)
{
	Process *process = task->process;
	Pty *pty = find(task->kernel, number);

	if (!pty || !pty->masters)
		return pty ? -EIO : -ENXIO;
	if (pty->locked)
		return -EIO;
	*out = file_create(task->kernel, &slave_ops, flags, pty);
	if (!*out)
		return -ENFILE;
	pty->slaves++;
	pty->was_open = true;
	/* A session's leader without a terminal gets this one. */
	if (!(flags & O_NOCTTY) && process->pid == process->sid && !pty->session && !tty_has_console(task) &&
	    !find_session(task->kernel, process->sid))
		take_session(pty, task);
	return 0;
}

i64 pty_open_controlling(Task *task, u32 flags, File **out)
{
	const Pty *pty = find_session(task->kernel, task->process->sid);

	return pty ? pts_open(task, pty->number, flags | O_NOCTTY, out) : -ENXIO;
}

/* ---- Snapshots: who has it open is counted anew as files are loaded ---- */

static const TapeField pty_fields[] = {
	TAPE_FIELD(Pty, locked), TAPE_FIELD(Pty, was_open), TAPE_FIELD(Pty, stopped), TAPE_FIELD(Pty, termios),
	TAPE_FIELD(Pty, size), TAPE_FIELD(Pty, first_line), TAPE_FIELD(Pty, line_count), TAPE_FIELD(Pty, line_len),
	TAPE_FIELD(Pty, session), TAPE_FIELD(Pty, foreground),
};

/* The lines that wait lie in the input, one behind the other. */
static bool lines_fit(const Pty *pty)
{
	u64 sum = 0;

	for (u32 i = 0; i < pty->line_count; i++)
		sum += pty->lines[(pty->first_line + i) % PTY_LINES];
	return sum <= pty->input.len;
}

static void carry_pty(Tape *tape, Pty *pty)
{
	tape_fields(tape, pty, pty_fields, COUNT_OF(pty_fields));
	if (!tape_check(tape, pty->first_line < PTY_LINES && pty->line_count <= PTY_LINES && pty->line_len <= PTY_LINE_MAX))
		return;
	for (u32 i = 0; i < pty->line_count; i++)
		tape_u32(tape, &pty->lines[(pty->first_line + i) % PTY_LINES]);
	tape_bytes(tape, pty->line, pty->line_len);
	carry_queue(tape, &pty->input, 4 * STREAM_PAGE);
	carry_queue(tape, &pty->output, STREAM_CAPACITY);
	tape_check(tape, lines_fit(pty));
	tape_queue(tape, &pty->master_changed);
	tape_queue(tape, &pty->slave_changed);
}

void carry_ptys(Tape *tape)
{
	Streams *streams = streams_of(tape->kernel);
	u32 count = tape_count(tape, tape->lists[TAPE_PTYS].count, 100);

	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		Pty *pty = tape->loading ? calloc(1, sizeof(*pty)) : tape->lists[TAPE_PTYS].items[i];
		u32 number = !tape->loading ? pty->number : 0;

		tape_u32(tape, &number);
		if (!tape_check(tape, number < PTY_LIMIT && (!tape->loading || !find(tape->kernel, number))) || !pty || !streams ||
		    (tape->loading && (!tape_add(tape, TAPE_PTYS, pty) || put_number_on(streams, pty, number)))) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			if (tape->loading && !(streams && find(tape->kernel, number) == pty))
				free(pty);
			return;
		}
		if (tape->loading) {
			pty->kernel = tape->kernel;
			queue_init(&pty->input, 4 * STREAM_PAGE);
			queue_init(&pty->output, STREAM_CAPACITY);
		}
		carry_pty(tape, pty);
	}
}

void tape_release_ptys(Tape *tape)
{
	for (u32 i = 0; i < PTY_LIMIT; i++) {
		Pty *pty = find(tape->kernel, i);

		if (pty)
			end_if_unused(pty);
	}
}

static void master_carry(Tape *tape, File *file)
{
	pty_of(file)->masters += tape->loading;
}

static void slave_carry(Tape *tape, File *file)
{
	pty_of(file)->slaves += tape->loading;
}

const FileCodec master_codec = { .ops = &master_ops, .shares = TAPE_PTYS, .carry = master_carry };
const FileCodec slave_codec = { .ops = &slave_ops, .shares = TAPE_PTYS, .carry = slave_carry };
