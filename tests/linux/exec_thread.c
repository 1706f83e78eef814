/* SPDX-License-Identifier: MIT
 *
 * What execve keeps and what it ends: a thread that is not the first executes the program again. Its number becomes the
 * process's; handlers, alternate stacks and timers of timer_create go, ignored signals, the mask, pending signals and
 * setitimer stay.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *program, *pid_text;

static void *waits(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void handler(int number)
{
	(void)number;
}

static void *executes(void *arg)
{
	sigset_t set;

	(void)arg;
	usleep(5000);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR2);
	execl(program, program, pid_text, NULL);
	perror("execl");
	_exit(1);
}

static void second_life(const char *before)
{
	struct sigaction action;
	stack_t stack;
	sigset_t set;
	struct itimerval timer;

	printf("same process: %d, its first thread: %d\n", getpid() == atoi(before), getpid() == (int)syscall(SYS_gettid));
	sigaction(SIGUSR1, NULL, &action);
	printf("handler gone: %d\n", action.sa_handler == SIG_DFL);
	sigaction(SIGHUP, NULL, &action);
	printf("still ignored: %d\n", action.sa_handler == SIG_IGN);
	sigaltstack(NULL, &stack);
	printf("no alternate stack: %d\n", stack.ss_flags == SS_DISABLE);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	printf("mask: %d %d\n", sigismember(&set, SIGUSR2), sigismember(&set, SIGUSR1));
	sigpending(&set);
	printf("pending: %d\n", sigismember(&set, SIGUSR2));
	getitimer(ITIMER_REAL, &timer);
	printf("timer: %d\n", timer.it_value.tv_sec > 50);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static char stack_bytes[32768];
	stack_t stack = { .ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes) };
	struct itimerval timer = { .it_value = { 100, 0 } };
	pthread_t threads[3];
	timer_t id;
	char text[20];
	int status;
	pid_t child;

	if (argc > 1) {
		second_life(argv[1]);
		return 3;
	}
	child = fork();
	if (!child) {
		program = argv[0];
		snprintf(text, sizeof(text), "%d", getpid());
		pid_text = text;
		signal(SIGUSR1, handler);
		signal(SIGHUP, SIG_IGN);
		sigaltstack(&stack, NULL);
		setitimer(ITIMER_REAL, &timer, NULL);
		timer_create(CLOCK_MONOTONIC, NULL, &id);
		pthread_create(&threads[0], NULL, waits, NULL);
		pthread_create(&threads[1], NULL, executes, NULL);
		waits(NULL);
	}
	waitpid(child, &status, 0);
	printf("exit %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	child = vfork();
	if (!child) {
		execl("/nowhere", "nowhere", NULL);
		_exit(9);
	}
	waitpid(child, &status, 0);
	printf("nowhere: %d\n", WEXITSTATUS(status));
	child = vfork();
	if (!child) {
		execl(argv[0], argv[0], "0", NULL);
		_exit(9);
	}
	waitpid(child, &status, 0);
	printf("exit %d\n", WEXITSTATUS(status));
	return 0;
}

/* expect 0
 * same process: 1, its first thread: 1
 * handler gone: 1
 * still ignored: 1
 * no alternate stack: 1
 * mask: 1 0
 * pending: 1
 * timer: 1
 * same process: 0, its first thread: 1
 * handler gone: 1
 * still ignored: 0
 * no alternate stack: 1
 * mask: 0 0
 * pending: 0
 * timer: 0
 * exit 3
 * nowhere: 9
 * exit 3
 */
