/* SPDX-License-Identifier: MIT
 *
 * Processes: fork, vfork, exec's absence, waiting of all kinds, stopping and going on, groups, sessions, orphans.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int children;
static volatile siginfo_t last;

static void on_child(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	children++;
	last = *info;
}

static void show(const char *what, int status)
{
	if (WIFEXITED(status))
		printf("%s: exit %d\n", what, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		printf("%s: signal %d\n", what, WTERMSIG(status));
	else if (WIFSTOPPED(status))
		printf("%s: stopped by %d\n", what, WSTOPSIG(status));
	else if (WIFCONTINUED(status))
		printf("%s: continued\n", what);
}

static pid_t child_that_exits(int code)
{
	pid_t child = fork();

	if (!child)
		_exit(code);
	return child;
}

static int tree(int depth)
{
	int sum = 1, status;

	if (depth == 0)
		return 1;
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();

		if (child < 0)
			return 100;
		if (!child)
			_exit(tree(depth - 1));
	}
	while (wait(&status) > 0)
		sum += WEXITSTATUS(status);
	return sum;
}

static void stops(void)
{
	int status;
	siginfo_t info;
	pid_t child = fork();

	if (!child) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	kill(child, SIGSTOP);
	waitpid(child, &status, WUNTRACED);
	show("stop", status);
	printf("again: %d\n", waitpid(child, &status, WUNTRACED | WNOHANG));
	kill(child, SIGCONT);
	waitpid(child, &status, WCONTINUED);
	show("cont", status);
	kill(child, SIGSTOP);
	waitid(P_PID, child, &info, WSTOPPED);
	printf("waitid: code %d status %d pid %d signo %d\n", info.si_code == CLD_STOPPED, info.si_status,
	       info.si_pid == child, info.si_signo == SIGCHLD);
	kill(child, SIGTERM);
	printf("stopped and not ended: %d\n", waitpid(child, &status, WNOHANG));
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	show("killed", status);
}

static void waits(void)
{
	siginfo_t info;
	int status;
	struct rusage usage;
	pid_t child = child_that_exits(3), other;

	printf("WNOWAIT: %d ", waitid(P_ALL, 0, &info, WEXITED | WNOWAIT));
	printf("code %d status %d\n", info.si_code == CLD_EXITED, info.si_status);
	printf("wait4: %d\n", wait4(child, &status, 0, &usage) == child);
	show("wait4", status);
	printf("no more: %d %s\n", wait(&status), strerror(errno));
	other = fork();
	if (!other) {
		usleep(20000);
		_exit(9);
	}
	setpgid(other, other);
	memset(&info, 0, sizeof(info));
	printf("WNOHANG: %d pid %d\n", waitid(P_PGID, other, &info, WEXITED | WNOHANG), info.si_pid);
	printf("P_PGID: %d\n", waitid(P_PGID, other, &info, WEXITED));
	printf("status %d\n", info.si_status);
	printf("wrong: %d %s\n", waitid(P_PID, 0, &info, WEXITED), strerror(errno));
	printf("wrong: %d %s\n", waitpid(-1, &status, 0x1000), strerror(errno));
	printf("wrong: %d %s\n", kill(999999, 0), strerror(errno));
	signal(SIGCHLD, SIG_IGN);
	child_that_exits(1);
	printf("ignored: %d %s\n", wait(&status), strerror(errno));
	signal(SIGCHLD, SIG_DFL);
}

static void vforks(void)
{
	static volatile int shared;
	int status;
	pid_t child = vfork();

	if (!child) {
		shared = 7;
		usleep(10000);
		_exit(4);
	}
	printf("vfork: shared %d\n", shared);
	waitpid(child, &status, 0);
	show("vfork", status);
}

static void orphans(void)
{
	int fds[2], got[2];
	pid_t child;

	if (pipe(fds))
		return;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	child = fork();
	if (!child) {
		if (!fork()) {
			int parents[2] = { getppid(), 0 };

			usleep(30000);
			parents[1] = getppid();
			if (write(fds[1], parents, sizeof(parents)) < 0)
				_exit(1);
			_exit(0);
		}
		_exit(0);
	}
	waitpid(child, NULL, 0);
	if (read(fds[0], got, sizeof(got)) != sizeof(got))
		puts("nothing");
	printf("orphan: first parent %d, then %d\n", got[0] == child, got[1] == getpid());
	printf("adopted: %d\n", wait(NULL) > 0);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void groups(void)
{
	pid_t child = fork(), got;
	int status;

	if (!child) {
		pid_t self = getpid();
		int ok = setsid() == self && getsid(0) == self && getpgrp() == self;

		_exit(ok && setpgid(0, 0) < 0 && errno == EPERM ? 0 : 1);
	}
	waitpid(child, &status, 0);
	show("session", status);
	child = fork();
	if (!child) {
		setpgid(0, 0);
		for (int i = 0; i < 3; i++)
			if (!fork())
				for (;;)
					pause();
		signal(SIGTERM, SIG_IGN);
		usleep(5000);
		kill(0, SIGTERM);
		for (int i = 0; i < 3; i++) {
			got = wait(&status);
			if (got < 0 || !WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM)
				_exit(1);
		}
		_exit(0);
	}
	waitpid(child, &status, 0);
	show("group", status);
}

static void death_signal(void)
{
	int fds[2], status;
	char byte;
	pid_t child;

	if (pipe(fds))
		return;
	child = fork();
	if (!child) {
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(fds[0]);
			if (write(fds[1], "x", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		close(fds[1]);
		if (read(fds[0], &byte, 1) != 1)
			_exit(1);
		_exit(0);
	}
	close(fds[1]);
	waitpid(child, &status, 0);
	/* The pipe ends when the grandchild does. */
	while (read(fds[0], &byte, 1) > 0)
		;
	wait(NULL); /* it is ours if we are the first process */
	puts("the grandchild went with its parent");
}

static void clones(void)
{
	int status, tid = 0, flag = CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char private = 1;
	long child = syscall(SYS_clone, SIGCHLD | CLONE_PARENT_SETTID, 0, &tid, 0, 0);

	(void)flag;
	if (!child) {
		shared[0] = 5;
		private = 2;
		_exit(private);
	}
	printf("clone: tid %d\n", tid == child);
	waitpid((pid_t)child, &status, 0);
	printf("shared %d private %d\n", shared[0], private);
	printf("newns: %s\n", syscall(SYS_clone, SIGCHLD | CLONE_NEWNS, 0, 0, 0, 0) < 0 ? "no" : "yes");
	printf("bad flags: %s\n", syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0) < 0 ? strerror(errno) : "yes");
	child = syscall(SYS_clone, 0, 0, 0, 0, 0); /* no signal at its end: only __WALL or __WCLONE finds it */
	if (!child)
		_exit(6);
	printf("plain wait: %d %s\n", waitpid(-1, &status, 0), strerror(errno));
	printf("__WALL: %d\n", waitpid(-1, &status, __WALL) == child);
	show("clone child", status);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART };
	int status;
	pid_t child;

	setvbuf(stdout, NULL, _IONBF, 0);
	child = child_that_exits(42);
	waitpid(child, &status, 0);
	show("fork", status);
	printf("tree of %d\n", tree(4));
	sigaction(SIGCHLD, &action, NULL);
	child = child_that_exits(5);
	waitpid(child, &status, 0);
	printf("SIGCHLD: %d code %d status %d pid %d\n", children, last.si_code == CLD_EXITED, last.si_status,
	       last.si_pid == child);
	signal(SIGCHLD, SIG_DFL);
	stops();
	waits();
	vforks();
	orphans();
	groups();
	death_signal();
	clones();
	return 0;
}

/* expect 0
 * fork: exit 42
 * tree of 31
 * SIGCHLD: 1 code 1 status 5 pid 1
 * stop: stopped by 19
 * again: 0
 * cont: continued
 * waitid: code 1 status 19 pid 1 signo 1
 * stopped and not ended: 0
 * killed: signal 9
 * WNOWAIT: 0 code 1 status 3
 * wait4: 1
 * wait4: exit 3
 * no more: -1 No child processes
 * WNOHANG: 0 pid 0
 * P_PGID: 0
 * status 9
 * wrong: -1 Invalid argument
 * wrong: -1 Invalid argument
 * wrong: -1 No such process
 * ignored: -1 No child processes
 * vfork: shared 7
 * vfork: exit 4
 * orphan: first parent 0, then 1
 * adopted: 1
 * session: exit 0
 * group: exit 0
 * the grandchild went with its parent
 * clone: tid 1
 * shared 5 private 1
 * newns: no
 * bad flags: Invalid argument
 * plain wait: -1 No child processes
 * __WALL: 1
 * clone child: exit 6
 */
