/* SPDX-License-Identifier: MIT
 *
 * How the pieces fit:
 *   - Ending signals only note themselves; the run loop sees the note after its slice (some 5 ms). Between looking
 *     and sleeping no signal is lost: terminal_wait blocks them, looks, and lets ppoll unblock them.
 *   - Crash signals put the terminal back, then hand over to whoever handled the signal before, so a sanitizer's or
 *     the shell's report is the same as without us. The handler has its own stack: the crash may be an overflow.
 *   - SIGTSTP: put back, stop as if it had not been caught, and on the way back make raw again. SIGCONT alone
 *     (`fg` after `bg`) makes raw again too, if husk is then in the foreground.
 * Everything called in handlers is async-signal-safe; errno is kept.
 */
#define _GNU_SOURCE /* ppoll */
#include "cmd/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cmd/say.h"

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static const int passing[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};
static const int crashing[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};

static volatile sig_atomic_t asked_to_end; /* the signal */
static volatile sig_atomic_t is_raw;       /* stdin is to be raw while we are in the foreground */
static volatile sig_atomic_t has_screen;   /* the alternate screen is shown */
static volatile sig_atomic_t in_background;/* the last time we looked */
static volatile sig_atomic_t is_guarded;   /* the handlers for stopping, going on and crashing are in place */
static volatile sig_atomic_t passes;       /* signals are the guest's: terminal_open_guest */
static volatile sig_atomic_t arrived[COUNT_OF(passing)];
static volatile sig_atomic_t last_words;   /* how often it was asked to end */
static volatile sig_atomic_t screen_lost;  /* it was left and entered again: empty now */
static struct termios cooked, raw_mode;    /* written before is_raw is set */
static struct sigaction before_ending[COUNT_OF(ending)], before_pass[COUNT_OF(passing)],
	before_crash[COUNT_OF(crashing)];
static struct sigaction before_stop, before_continue;
static char crash_stack[32 * 1024];

static const char enter_screen[] = "\033[?1049h\033[?25l\033[2J";
static const char leave_screen[] = "\033[0m\033[?25h\033[?1049l";

/* tcsetattr from the background would stop us; then there is nothing to put back either: the shell has the terminal. */
static bool in_foreground(void)
{
	return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void write_all(const char *bytes, size_t len)
{
	ssize_t n = write(STDOUT_FILENO, bytes, len);

	(void)n; /* nothing could be done about it here */
}

static void put_back(void)
{
	if (has_screen)
		write_all(leave_screen, sizeof leave_screen - 1);
	if (is_raw && in_foreground())
		tcsetattr(STDIN_FILENO, TCSADRAIN, &cooked);
}

static void take(void)
{
	if (is_raw && in_foreground())
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw_mode);
	if (has_screen) {
		write_all(enter_screen, sizeof enter_screen - 1);
		screen_lost = 1;
	}
}

static void on_ending(int number)
{
	int error = errno;

	if (asked_to_end) {
		put_back();
		_exit(EXIT_SIGNAL + number);
	}
	asked_to_end = number;
	errno = error;
}

static void on_pass(int number)
{
	int error = errno;

	if (number == SIGTERM || number == SIGHUP)
		last_words++;
	if (last_words >= 3) {
		put_back();
		_exit(EXIT_SIGNAL + number);
	}
	for (size_t i = 0; i < COUNT_OF(passing); i++)
		if (passing[i] == number)
			arrived[i] = 1;
	errno = error;
}

static void on_crash(int number, siginfo_t *info, void *context)
{
	(void)context;
	put_back();
	is_raw = has_screen = 0;
	for (size_t i = 0; i < COUNT_OF(crashing); i++)
		sigaction(crashing[i], &before_crash[i], NULL);
	/* A fault happens again when we return, now to the former handler; a signal that was sent does not. */
	if (info->si_code <= 0)
		raise(number);
}

static void on_stop(int number)
{
	int error = errno;
	struct sigaction mine;
	sigset_t only;

	put_back();
	sigaction(number, &before_stop, &mine);
	sigemptyset(&only);
	sigaddset(&only, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &only, NULL); /* here it stops */
	sigprocmask(SIG_BLOCK, &only, NULL);
	sigaction(number, &mine, NULL);
	take();
	errno = error;
}

static void on_continue(int number)
{
	int error = errno;

	(void)number;
	take();
	errno = error;
}

static void handle(int number, void (*handler)(int), int flags, struct sigaction *before)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigemptyset(&action.sa_mask);
	sigaction(number, &action, before);
}

static void guard(void)
{
	stack_t stack = {.ss_sp = crash_stack, .ss_size = sizeof crash_stack};

	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < COUNT_OF(crashing); i++) {
		struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_ONSTACK | SA_SIGINFO};

		sigemptyset(&action.sa_mask);
		sigaction(crashing[i], &action, &before_crash[i]);
	}
	handle(SIGTSTP, on_stop, SA_RESTART, &before_stop);
	if (before_stop.sa_handler == SIG_IGN) /* no job control here */
		sigaction(SIGTSTP, &before_stop, NULL);
	handle(SIGCONT, on_continue, SA_RESTART, &before_continue);
}

void terminal_open(bool raw, bool screen)
{
	asked_to_end = 0;
	in_background = 0;
	for (size_t i = 0; i < COUNT_OF(ending); i++) {
		handle(ending[i], on_ending, 0, &before_ending[i]);
		if (before_ending[i].sa_handler == SIG_IGN) /* started with nohup: stays ignored */
			sigaction(ending[i], &before_ending[i], NULL);
	}
	if (raw && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &cooked) == 0) {
		raw_mode = cooked;
		raw_mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHOE | ECHOK | ECHONL);
		raw_mode.c_cc[VMIN] = 1;
		raw_mode.c_cc[VTIME] = 0;
		is_raw = 1;
	}
	has_screen = screen;
	is_guarded = is_raw || has_screen;
	if (is_guarded) {
		guard();
		take();
	}
}

void terminal_open_guest(void)
{
	last_words = asked_to_end = in_background = is_raw = has_screen = 0;
	passes = is_guarded = 1;
	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &cooked) < 0)
		memset(&cooked, 0, sizeof cooked);
	guard();
	for (size_t i = 0; i < COUNT_OF(passing); i++) {
		arrived[i] = 0;
		handle(passing[i], on_pass, 0, &before_pass[i]);
		if (before_pass[i].sa_handler == SIG_IGN) /* started with nohup: stays ignored */
			sigaction(passing[i], &before_pass[i], NULL);
	}
}

void terminal_suspend(void)
{
	on_stop(SIGTSTP);
}

void terminal_close(void)
{
	put_back();
	if (passes) {
		for (size_t i = 0; i < COUNT_OF(passing); i++)
			sigaction(passing[i], &before_pass[i], NULL);
	}
	is_raw = has_screen = 0;
	if (is_guarded) {
		is_guarded = 0;
		sigaction(SIGTSTP, &before_stop, NULL);
		sigaction(SIGCONT, &before_continue, NULL);
		for (size_t i = 0; i < COUNT_OF(crashing); i++)
			sigaction(crashing[i], &before_crash[i], NULL);
	}
	for (size_t i = 0; i < COUNT_OF(ending) && !passes; i++)
		sigaction(ending[i], &before_ending[i], NULL);
	passes = 0;
}

bool terminal_screen_lost(void)
{
	bool lost = screen_lost;

	screen_lost = 0;
	return lost;
}

int terminal_signal(void)
{
	return asked_to_end;
}

bool terminal_may_read(void)
{
	bool mine;

	if (!is_raw)
		return true;
	mine = in_foreground();
	if (mine && in_background)
		take();
	in_background = !mine;
	return mine;
}

u64 terminal_take_signals(void)
{
	u64 set = 0;

	for (size_t i = 0; i < COUNT_OF(passing); i++) {
		if (!arrived[i])
			continue;
		arrived[i] = 0;
		set |= (u64)1 << (passing[i] - 1);
	}
	return set;
}

/* struct termios as the kernel has it: four words of flags, the line discipline, 19 characters. */
bool terminal_get_mode(u8 *mode)
{
	struct termios now;
	u32 flags[4];

	if (is_raw) /* what was set, also while we are in the background */
		now = raw_mode;
	else if (tcgetattr(STDIN_FILENO, &now) < 0)
		return false;
	flags[0] = now.c_iflag;
	flags[1] = now.c_oflag;
	flags[2] = now.c_cflag;
	flags[3] = now.c_lflag;
	memcpy(mode, flags, sizeof flags);
	mode[16] = now.c_line;
	memcpy(mode + 17, now.c_cc, TERMINAL_MODE - 17);
	return true;
}

bool terminal_set_mode(const u8 *mode)
{
	struct termios next = cooked;
	u32 flags[4];

	if (!passes || !isatty(STDIN_FILENO))
		return false;
	memcpy(flags, mode, sizeof flags);
	next.c_iflag = flags[0];
	next.c_oflag = flags[1];
	next.c_cflag = flags[2];
	next.c_lflag = flags[3];
	next.c_line = mode[16];
	memcpy(next.c_cc, mode + 17, TERMINAL_MODE - 17);
	is_raw = 0; /* no handler may see half of it */
	raw_mode = next;
	is_raw = 1;
	take();
	return true;
}

bool terminal_get_size(u8 *size)
{
	struct winsize now;

	for (int fd = 0; fd < 3; fd++) {
		if (ioctl(fd, TIOCGWINSZ, &now) < 0)
			continue;
		memcpy(size, &now, TERMINAL_SIZE);
		return true;
	}
	return false;
}

static bool anything_arrived(void)
{
	for (size_t i = 0; i < COUNT_OF(arrived); i++)
		if (arrived[i])
			return true;
	return false;
}

int terminal_poll(struct pollfd *fds, u32 count, double seconds)
{
	struct timespec time, *limit = NULL;
	sigset_t block, before;
	int ready = 0;

	if (seconds >= 0) {
		time.tv_sec = (time_t)seconds;
		time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
		limit = &time;
	}
	sigemptyset(&block);
	for (size_t i = 0; i < COUNT_OF(passing); i++)
		sigaddset(&block, passing[i]);
	sigprocmask(SIG_BLOCK, &block, &before);
	if (!asked_to_end && !anything_arrived())
		ready = ppoll(fds, count, limit, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ready;
}

bool terminal_wait(int fd, double seconds)
{
	struct pollfd poll = {.fd = fd, .events = POLLIN};

	return terminal_poll(&poll, fd >= 0 ? 1 : 0, seconds) > 0;
}

bool terminal_size(u32 *columns, u32 *rows)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
		return false;
	*columns = size.ws_col;
	*rows = size.ws_row;
	return true;
}

u64 terminal_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

double terminal_now(void)
{
	return (double)terminal_now_ns() * 1e-9;
}
