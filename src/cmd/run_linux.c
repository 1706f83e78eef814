/* SPDX-License-Identifier: MIT
 *
 * husk run: the loop of a machine that runs Linux programs.
 *
 *     run a slice -> write its output -> what happened outside meanwhile? -> next slice
 *                                        (when nobody can run: wait for it)
 *
 * What can happen outside: input on stdin, if a program waits for it; a host descriptor (a socket) that one waits for;
 * a signal; the hour that one sleeps until. Signals are the programs' own business: SIGINT and its like are passed on,
 * and a program that dies of one ends the run.
 *
 * stdin is read only when a program reads, and no more than it asked for, so that what nobody read is there for the next
 * command of a script. A file that was read too far (a program ended meanwhile) is set back.
 *
 * A reader of our stdout that goes away is told the programs by EPIPE and SIGPIPE, as if they wrote there themselves.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/run_private.h"
#include "cmd/say.h"
#include "cmd/terminal.h"
#include "machine/vcpus.h"

enum {
	READ_MOST = 64 * 1024,
	POLL_FIRST = 64,
};

#define BACKGROUND_SECONDS 0.1 /* how often we look whether we are in the terminal's foreground again */

typedef struct LinuxLoop {
	Run *run;
	Machine *machine;
	struct pollfd *fds; /* owned; [0] is stdin's place */
	u32 fd_cap;
	bool input_ended, is_terminal;
} LinuxLoop;

bool run_is_linux(const Run *run)
{
	return run->loaded.guest && run->loaded.guest->is_linux;
}

/* ---- What the machine asks for ---- */

static u64 clock_now(void *ctx)
{
	Run *run = ctx;
	u64 now = terminal_now_ns();

	return run->time_before + (now > run->start_ns ? now - run->start_ns : 0);
}

static bool get_mode(void *ctx, u8 *mode)
{
	(void)ctx;
	return terminal_get_mode(mode);
}

static bool set_mode(void *ctx, const u8 *mode)
{
	run_flush(ctx); /* it was written under the old one */
	return terminal_set_mode(mode);
}

static bool get_size(void *ctx, u8 *size)
{
	(void)ctx;
	return terminal_get_size(size);
}

void run_linux_terminal(Run *run, LinuxTerminal *terminal)
{
	*terminal = (LinuxTerminal){.ctx = run, .get_mode = get_mode, .set_mode = set_mode, .get_size = get_size};
	for (u32 fd = 0; fd < 3; fd++) {
		const int closed = fd == 0 ? O_WRONLY : O_RDONLY; /* as main() opens them then */

		terminal->is_terminal |= (u32)(isatty((int)fd) == 1) << fd;
		if (fd > 0 || !run->options->input)
			terminal->is_closed |= (u32)((fcntl((int)fd, F_GETFL) & O_ACCMODE) == closed) << fd;
		terminal->can_stop = terminal->is_terminal != 0;
	}
}

static void on_strace(void *ctx, const u8 *bytes, size_t len)
{
	Run *run = ctx;

	if (run->strace_fd == STDERR_FILENO)
		run_flush(run);
	say_write(run->strace_fd, bytes, len);
}

void run_linux_strace(Run *run, LinuxConfig *config)
{
	config->trace = run->options->strace ? on_strace : NULL;
	config->trace_ctx = run;
}

int run_linux_open_strace(Run *run)
{
	const char *path = run->options->strace;

	if (!run_is_linux(run)) {
		buf_printf(&run->loaded.error, "%s runs no Linux programs: --strace is for those", run->loaded.isa->name);
		return EXIT_HUSK;
	}
	run->strace_fd = *path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : STDERR_FILENO;
	if (run->strace_fd >= 0)
		return 0;
	buf_printf(&run->loaded.error, "cannot write %s: %s", path, strerror(errno));
	return EXIT_HUSK;
}

/* ---- The world outside ---- */

static void pass_signals(LinuxLoop *loop)
{
	u64 set = terminal_take_signals();

	for (int number = 1; set; number++, set >>= 1) {
		if (!(set & 1))
			continue;
		if (number == SIGTSTP && !linux_has_job_control(loop->machine))
			terminal_suspend();
		else
			linux_signal(loop->machine, number);
	}
}

static void take_input(LinuxLoop *loop, u64 wanted)
{
	static const size_t most = READ_MOST;
	u8 bytes[READ_MOST];
	ssize_t n = read(STDIN_FILENO, bytes, wanted < most ? (size_t)wanted : most);

	if (n > 0) {
		machine_input(loop->machine, bytes, (size_t)n);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		machine_input_end(loop->machine);
		loop->input_ended = n < 0 || !loop->is_terminal; /* Ctrl-D is not the last word */
	}
}

/* What programs wait for, in loop->fds from [1] on. How many. */
static u32 collect(LinuxLoop *loop)
{
	u32 count = linux_poll_set(loop->machine, loop->fds + 1, loop->fd_cap - 1);

	if (count > loop->fd_cap - 1) {
		struct pollfd *more = realloc(loop->fds, ((size_t)count + 1) * sizeof *more);

		if (more) {
			loop->fds = more;
			loop->fd_cap = count + 1;
			count = linux_poll_set(loop->machine, loop->fds + 1, loop->fd_cap - 1);
		}
	}
	return count < loop->fd_cap ? count : loop->fd_cap - 1;
}

/* Looks at what programs wait for, and waits for it at most so long. */
static void look_outside(LinuxLoop *loop, double seconds)
{
	u64 wanted = loop->input_ended || machine_input_pending(loop->machine) ? 0 : linux_wants_input(loop->machine);
	u32 count = collect(loop);
	bool may = !wanted || terminal_may_read();

	if (loop->input_ended && loop->is_terminal && linux_wants_input(loop->machine)) /* the terminal is gone */
		machine_input_end(loop->machine);
	if (seconds == 0 && !count && !wanted)
		return;
	if (!may && (seconds < 0 || seconds > BACKGROUND_SECONDS))
		seconds = BACKGROUND_SECONDS;
	loop->fds[0] = (struct pollfd){.fd = wanted && may ? STDIN_FILENO : -1, .events = POLLIN};
	if (terminal_poll(loop->fds, count + 1, seconds) <= 0)
		return;
	if (loop->fds[0].revents)
		take_input(loop, wanted);
	if (count)
		linux_poll_done(loop->machine, loop->fds + 1, count);
}

static void sleep_until(LinuxLoop *loop, u64 hour)
{
	double seconds = -1;
	u64 now;

	run_set_time(loop->run);
	now = machine_time(loop->machine);
	if (machine_time_is_virtual(loop->machine) || hour == ~(u64)0)
		seconds = -1;
	else if (hour <= now)
		seconds = 0;
	else
		seconds = (double)(hour - now) * 1e-9;
	look_outside(loop, run_seconds_left(loop->run, seconds));
}

static bool can_go_on(const MachineStop *stop)
{
	return stop->kind == STOP_BUDGET || stop->kind == STOP_SLEEP || stop->kind == STOP_WAIT ||
	       stop->kind == STOP_DEADLOCK;
}

static void loop_run(LinuxLoop *loop)
{
	Run *run = loop->run;

	while (!run_has_to_end(run)) {
		double before = terminal_now();
		u64 icount = machine_icount(loop->machine);
		MachineStop stop;

		pass_signals(loop);
		run_set_time(run);
		stop = run_slice(run);
		run_flush(run);
		if (can_go_on(&stop) && linux_stop_wanted(loop->machine)) {
			terminal_suspend();
			linux_signal(loop->machine, SIGCONT);
			continue;
		}
		switch (stop.kind) {
		case STOP_BUDGET:
			run_adapt_slice(run, terminal_now() - before, machine_icount(loop->machine) - icount);
			look_outside(loop, 0);
			break;
		case STOP_SLEEP:
			sleep_until(loop, stop.code);
			break;
		case STOP_WAIT:
			sleep_until(loop, ~(u64)0);
			break;
		default:
			if (!run->output_closed)
				outcome_of_stop(&run->outcome, &run->loaded, &stop);
			return;
		}
	}
}

/* What was read and nobody took goes back, where that is possible. */
static void give_back(const LinuxLoop *loop)
{
	u64 left = machine_input_pending(loop->machine);

	if (left && left < READ_MOST * 16)
		lseek(STDIN_FILENO, -(off_t)left, SEEK_CUR);
}

void run_linux(Run *run)
{
	LinuxLoop loop = {.run = run, .machine = run->loaded.machine, .fd_cap = POLL_FIRST};

	loop.is_terminal = isatty(STDIN_FILENO) == 1;
	loop.fds = calloc(loop.fd_cap, sizeof *loop.fds);
	if (!loop.fds) {
		outcome_set(&run->outcome, "failed", EXIT_HUSK, "out of memory");
		return;
	}
	if (!machine_time_is_virtual(loop.machine))
		machine_set_clock(loop.machine, clock_now, run);
	if (run->options->input) {
		loop.input_ended = true;
		if (run_input_start(run) == 0)
			loop_run(&loop);
	} else {
		loop_run(&loop);
		give_back(&loop);
	}
	free(loop.fds);
	if (run->strace_fd > STDERR_FILENO)
		close(run->strace_fd);
}

/* ---- How it ended ---- */

/* As a shell would put it: nothing about those that users send, and about readers that left. */
void run_linux_outcome(Run *run)
{
	int number = linux_end_signal(run->loaded.machine);
	bool quiet = number == SIGINT || number == SIGPIPE || number == SIGHUP || number == SIGTERM;
	u64 pc, address;
	const char *denied = number == SIGKILL ? linux_denied(run->loaded.machine) : NULL;

	if (!number || run->outcome.stop.kind != STOP_HALT || strcmp(run->outcome.state, "halted") != 0)
		return;
	outcome_set(&run->outcome, quiet ? "interrupted" : "signal", EXIT_SIGNAL + number, "%s", strsignal(number));
	if (denied)
		buf_printf(&run->outcome.reason, ", %s", denied);
	if (!linux_end_place(run->loaded.machine, &pc, &address))
		return;
	buf_str(&run->outcome.reason, " at ");
	outcome_place(&run->loaded, run->loaded.isa->code_space, pc, &run->outcome.reason);
	if (pc == address && number == SIGSEGV)
		buf_str(&run->outcome.reason, ": no instruction is there, a wrong jump");
	else if (number == SIGSEGV || number == SIGBUS)
		buf_printf(&run->outcome.reason, ": no access to address %#llx", (unsigned long long)address);
}
