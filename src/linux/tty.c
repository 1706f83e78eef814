/* SPDX-License-Identifier: MIT
 *
 * Terminal calls: modes, size, process groups. The console's line discipline is the host's: its mode is read and set
 * there (LinuxTerminal); a pseudo-terminal keeps its own.
 *
 * Job control is the kernel's: the console belongs to the session of the first process, and kernel->foreground is the
 * group that may read it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "linux/process.h"
#include "linux/signal.h"
#include "linux/stream.h"
#include "linux/tty.h"

/* With the size of struct termios2, the same for all 64-bit machines of the generic kind. */
enum { GET_MODE_2 = 0x802C542A, SET_MODE_2 = 0x402C542B /* and the next two */ };

enum { SPEED_38400 = 15 }; /* B38400, as c_cflag has it */

/* The two behind struct termios. */
static void set_speeds(u8 *termios)
{
	const u32 speeds[2] = { 38400, 38400 };

	memcpy(termios + TERMIOS_SIZE, speeds, sizeof(speeds));
}

void tty_default_mode(u8 *termios)
{
	static const u8 characters[19] = {
		3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0, /* ^C ^\ DEL ^U ^D .. ^Q ^S ^Z .. */
	};
	const u32 flags[4] = {
		0x0500,          /* ICRNL | IXON */
		0x0005,          /* OPOST | ONLCR */
		0x00B0 | SPEED_38400, /* CS8 | CREAD */
		0x8A3B,          /* ISIG ICANON ECHO ECHOE ECHOK ECHOCTL ECHOKE IEXTEN */
	};

	memset(termios, 0, TERMIOS2_SIZE);
	memcpy(termios, flags, sizeof(flags));
	memcpy(termios + 17, characters, sizeof(characters));
	set_speeds(termios);
}

/* ---- Job control ---- */

/* Nobody could continue it: no member has a parent in its session outside of the group. */
static bool is_orphaned(const Kernel *kernel, i32 group)
{
	for (const Process *process = kernel->processes; process; process = process->next)
		if (process->pgid == group && !process->zombie && process->parent &&
		    process->parent->sid == process->sid && process->parent->pgid != group)
			return false;
	return true;
}

void tty_signal_group(Kernel *kernel, i32 group, i32 number)
{
	for (Process *process = kernel->processes, *next; process; process = next) {
		next = process->next;
		if (process->pgid == group && !process->zombie)
			signal_send(process, &(SignalInfo){ .number = number, .code = SI_KERNEL });
	}
}

static bool is_deaf(const Task *task, i32 number)
{
	return task->blocked >> (number - 1) & 1 || signal_is_ignored(task->process, number);
}

i64 tty_may_read(Task *task, i32 foreground)
{
	Process *process = task->process;

	if (process->pgid == foreground)
		return 0;
	if (is_deaf(task, SIGTTIN) || is_orphaned(task->kernel, process->pgid))
		return -EIO;
	tty_signal_group(task->kernel, process->pgid, SIGTTIN);
	return -EAGAIN;
}

i64 tty_may_change(Task *task, i32 foreground)
{
	Process *process = task->process;

	if (process->pgid == foreground || is_deaf(task, SIGTTOU))
		return 0;
	if (is_orphaned(task->kernel, process->pgid))
		return -EIO;
	tty_signal_group(task->kernel, process->pgid, SIGTTOU);
	return CALL_WAIT;
}

i64 tty_set_foreground(Task *task, u64 argument, i32 *foreground)
{
	const Process *process = task->kernel->processes;
	i64 result;
	i32 group;

	if (!user_read(task, argument, &group, sizeof(group)))
		return -EFAULT;
	if (group < 0)
		return -EINVAL;
	result = tty_may_change(task, *foreground);
	if (result)
		return result;
	while (process && (process->pgid != group || process->zombie))
		process = process->next;
	if (!process)
		return -ESRCH;
	if (process->sid != task->process->sid)
		return -EPERM;
	*foreground = group;
	return 0;
}

/* ---- The console ---- */

static const Process *init_of(const Kernel *kernel)
{
	const Process *process = kernel->processes;

	while (process && process->pid != 1)
		process = process->next;
	return process;
}

static bool is_controlling(const Task *task)
{
	const Process *init = init_of(task->kernel);

	return init && init->sid == task->process->sid;
}

static void get_mode(const LinuxTerminal *terminal, u8 *termios)
{
	tty_default_mode(termios);
	if (terminal->get_mode)
		terminal->get_mode(terminal->ctx, termios);
	set_speeds(termios);
}

static void drop_input(Machine *machine)
{
	while (machine_input_pending(machine))
		machine_key(machine);
}

static i64 set_mode(Task *task, u64 argument, u64 size, bool flush)
{
	const LinuxTerminal *terminal = task->kernel->terminal;
	u8 termios[TERMIOS2_SIZE];
	i64 result = tty_may_change(task, task->kernel->foreground);

	if (result)
		return result;
	if (!user_read(task, argument, termios, size))
		return -EFAULT;
	if (flush)
		drop_input(task->kernel->machine);
	return !terminal->set_mode || terminal->set_mode(terminal->ctx, termios) ? 0 : -EIO;
}

i64 console_ioctl(File *file, Task *task, u64 request, u64 argument)
{
	Kernel *kernel = task->kernel;
	const LinuxTerminal *terminal = kernel->terminal;
	u8 bytes[TERMIOS2_SIZE] = { 0 };

	if (request == FIONREAD) {
		u64 pending = machine_input_pending(kernel->machine);

		return user_put_u32(task, argument, (u32)pending) ? 0 : -EFAULT;
	}
	if (!file_is_console_terminal(file))
		return -ENOTTY;
	switch (request) {
	case TCGETS:
	case GET_MODE_2:
		get_mode(terminal, bytes);
		return user_write(task, argument, bytes, request == TCGETS ? TERMIOS_SIZE : TERMIOS2_SIZE) ? 0 : -EFAULT;
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_mode(task, argument, TERMIOS_SIZE, request == TCSETSF);
	case SET_MODE_2:
	case SET_MODE_2 + 1:
	case SET_MODE_2 + 2:
		return set_mode(task, argument, TERMIOS2_SIZE, request == SET_MODE_2 + 2);
	case TIOCGWINSZ:
		if (terminal->get_size && !terminal->get_size(terminal->ctx, bytes))
			memset(bytes, 0, WINSIZE_SIZE);
		return user_write(task, argument, bytes, WINSIZE_SIZE) ? 0 : -EFAULT;
	case TIOCSWINSZ:
		return -EPERM; /* the host's window is as large as it is */
	case TIOCGPGRP:
		if (!is_controlling(task))
			return -ENOTTY;
		return user_put_u32(task, argument, (u32)kernel->foreground) ? 0 : -EFAULT;
	case TIOCSPGRP:
		return is_controlling(task) ? tty_set_foreground(task, argument, &kernel->foreground) : -ENOTTY;
	case TIOCGSID:
		if (!is_controlling(task))
			return -ENOTTY;
		return user_put_u32(task, argument, (u32)task->process->sid) ? 0 : -EFAULT;
	case TIOCSCTTY:
		return is_controlling(task) ? 0 : -EPERM;
	case TIOCNOTTY:
		return is_controlling(task) ? 0 : -ENOTTY;
	case TIOCOUTQ:
		return user_put_u32(task, argument, 0) ? 0 : -EFAULT;
	case TCFLSH:
		if (argument == TCIFLUSH || argument == TCIOFLUSH)
			drop_input(kernel->machine);
		return argument <= TCIOFLUSH ? 0 : -EINVAL;
	case TCSBRK:
	case TCSBRKP:
	case TCXONC:
		return 0; /* what was written is out */
	default:
		return -ENOTTY;
	}
}

i64 tty_open(Task *task, u32 flags, File **out)
{
	return is_controlling(task) ? console_open(task, flags, out) : pty_open_controlling(task, flags, out);
}

bool tty_has_console(const Task *task)
{
	return is_controlling(task) && task->kernel->terminal && task->kernel->terminal->is_terminal;
}
