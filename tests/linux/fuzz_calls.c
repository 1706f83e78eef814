/* SPDX-License-Identifier: MIT
 *
 * Random system calls with random arguments, on descriptors of every kind: a kernel may refuse them all, but not fall.
 *
 *     fuzz_calls [CALLS [SEED]]
 *
 * Children make the calls; the parent counts (in memory they share) and begins a new one when one has died or hangs.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NUMBERS = 470, PAGE = 4096, PAGES = 8 };

static volatile long *made;
static uint64_t state;
static char *memory; /* PAGES pages, the last without rights */

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545F4914F6CDD1Du;
}

static uint64_t below(uint64_t limit)
{
	return (draw() >> 11) % limit;
}

/* Calls after which there is nobody left who could go on. */
static int ends(long number)
{
	switch (number) {
	case SYS_exit:
	case SYS_exit_group:
	case SYS_execve:
	case SYS_execveat:
	case SYS_kill:
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
	case SYS_reboot:
	case SYS_prlimit64:
	case SYS_setrlimit:
		return 1;
	}
	return 0;
}

/* Calls that wait, or take the ground from under those that follow: now and then. */
static int is_rare(long number)
{
	switch (number) {
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_rt_sigsuspend:
	case SYS_rt_sigtimedwait:
	case SYS_rt_sigaction:
	case SYS_rt_sigprocmask:
	case SYS_rt_sigreturn:
	case SYS_setitimer:
	case SYS_futex:
	case SYS_ppoll:
	case SYS_pselect6:
	case SYS_epoll_pwait:
	case SYS_wait4:
	case SYS_waitid:
	case SYS_clone:
	case 435: /* clone3 */
	case SYS_munmap:
	case SYS_mremap:
	case SYS_mprotect:
	case SYS_mmap:
	case SYS_brk:
	case SYS_close_range:
	case SYS_close:
	case SYS_chroot:
	case SYS_fallocate:
	case SYS_ftruncate:
		return 1;
	}
	return 0;
}

static uint64_t argument(void)
{
	static const uint64_t odd[] = {
		0, 1, (uint64_t)-1, (uint64_t)-2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF,
		0x8000000000000000, (uint64_t)-100 /* AT_FDCWD */, (uint64_t)-4096, 1 << 16, 0x4000000000,
	};
	char *at = memory + below(PAGES * PAGE);

	switch (below(12)) {
	case 0:
		return odd[below(sizeof(odd) / sizeof(odd[0]))];
	case 1:
		return (uint64_t)1 << below(64);
	case 2:
		return draw();
	case 3:
	case 4:
		return below(300);
	case 5:
	case 6:
		return 3 + below(24); /* a descriptor */
	case 7: /* just before what is not there */
		return (uint64_t)(memory + (PAGES - 1) * PAGE - below(80));
	case 8:
		return (uint64_t)(memory + below(PAGES) * PAGE);
	case 9: /* a structure whose members are as wild */
		for (int i = 0; i < 8 && at + 64 < memory + (PAGES - 1) * PAGE; i++) {
			uint64_t value = below(3) ? below(64) : (uint64_t)(memory + below(PAGES * PAGE));

			memcpy(at + 8 * i, &value, 8);
		}
		return (uint64_t)at;
	case 10:
		if (at + 64 < memory + (PAGES - 1) * PAGE)
			strcpy(at, below(2) ? "/tmp/husk-fuzz/a" : "../b/./c//");
		return (uint64_t)at;
	default:
		return (uint64_t)at;
	}
}

static void on_alarm(int number)
{
	(void)number;
}

static void objects(void)
{
	struct sockaddr_un name = { AF_UNIX, "\0husk-fuzz" };
	int fds[2], listener, null = open("/dev/null", O_RDWR), set;
	struct epoll_event event = { EPOLLIN | EPOLLOUT | EPOLLET, { 0 } };
	sigset_t signals;

	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	mkdir("/tmp/husk-fuzz", 0700);
	chdir("/tmp/husk-fuzz");
	close(null);
	pipe2(fds, O_NONBLOCK);
	pipe2(fds, O_NONBLOCK);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds);
	socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds);
	socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	bind(listener, (void *)&name, 11);
	listen(listener, 5);
	connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *)&name, 11);
	eventfd(5, EFD_NONBLOCK);
	timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	signalfd(-1, &signals, SFD_NONBLOCK);
	memfd_create("fuzz", 0);
	open("/tmp", O_RDONLY | O_DIRECTORY);
	open("/tmp/husk-fuzz/a", O_RDWR | O_CREAT, 0600);
	open("/proc", O_RDONLY);
	open("/proc/self/maps", O_RDONLY);
	open("/dev/zero", O_RDWR);
	open("/tmp", O_PATH);
	set = epoll_create1(0);
	for (int fd = 3; fd < 24; fd++)
		epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

static void child(long limit)
{
	struct itimerval tick = { { 0, 5000 }, { 0, 5000 } };
	struct sigaction action = { .sa_handler = on_alarm };

	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(memory + (PAGES - 1) * PAGE, PAGE, PROT_NONE);
	objects();
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGPIPE, &action, NULL);
	setitimer(ITIMER_REAL, &tick, NULL);
	while (*made < limit) {
		/* There is nothing between 294 and 424 on 64-bit machines. */
		long number = (long)(below(8) ? below(295) : 424 + below(NUMBERS - 424)), result;
		uint64_t first = below(5) < 2 ? 3 + below(24) : argument();

		if (ends(number) || (is_rare(number) && below(60)))
			continue;
		++*made;
		result = syscall(number, first, argument(), argument(), argument(), argument(), argument());
		if ((number == SYS_clone || number == 435) && result == 0)
			_exit(0);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	long limit = argc > 1 ? atol(argv[1]) : 20000, rounds = 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;

	made = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	while (*made < limit) {
		pid_t pid = fork();
		long before = *made, same = 0;

		if (pid == 0) {
			setpgid(0, 0);
			state = (seed + (uint64_t)rounds) * 0x9E3779B97F4A7C15u | 1;
			child(limit);
		}
		if (pid < 0)
			break;
		rounds++;
		for (;;) { /* a child that makes no calls for a while hangs */
			int status;
			pid_t ended = waitpid(-1, &status, WNOHANG);

			if (ended == pid)
				break;
			if (ended > 0)
				continue;
			usleep(2000);
			same = *made == before ? same + 1 : 0;
			before = *made;
			if (same == 50) {
				kill(-pid, SIGKILL);
				kill(pid, SIGKILL);
			}
		}
		kill(-pid, SIGKILL);
	}
	printf("fuzz_calls: %s\n", *made >= limit ? "made" : "no more children");
	return 0;
}

/* expect 0
 * fuzz_calls: made
 */
