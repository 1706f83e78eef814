/* SPDX-License-Identifier: MIT
 *
 * Stopping in the midst of calls that wait. (qemu: the same)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int seen;
static int fds[2], status;

static void handler(int number)
{
	(void)number;
	seen++;
}

static void *spin(void *arg)
{
	for (;;)
		seen++;
	return arg;
}

static void stop_and_go_on(pid_t child, int between)
{
	usleep(50000);
	kill(child, SIGSTOP);
	waitpid(child, &status, WUNTRACED);
	usleep(between);
	kill(child, SIGCONT);
}

/* It goes on to the same hour. */
static void in_nanosleep(void)
{
	struct timespec time = { 0, 300000000 }, from, to;
	pid_t child = fork();

	if (!child) {
		int result;
		double passed;

		clock_gettime(CLOCK_MONOTONIC, &from);
		result = nanosleep(&time, NULL);
		clock_gettime(CLOCK_MONOTONIC, &to);
		passed = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
		printf("nanosleep %d, long enough %d\n", result, passed >= 0.3);
		_exit(0);
	}
	stop_and_go_on(child, 100000);
	waitpid(child, &status, 0);
}

static void in_read(int with_handler)
{
	pid_t child = fork();

	if (!child) {
		struct sigaction action = { .sa_handler = handler };
		char byte;
		long got;

		if (with_handler)
			sigaction(SIGCONT, &action, NULL);
		got = read(fds[0], &byte, 1);
		printf("read %ld, errno %d, seen %d\n", got, got < 0 ? errno : 0, seen);
		_exit(0);
	}
	stop_and_go_on(child, 0);
	usleep(20000);
	if (!with_handler && write(fds[1], "x", 1) != 1)
		puts("no write");
	waitpid(child, &status, 0);
}

static void busy_threads(void)
{
	pid_t child = fork();
	pthread_t thread;

	if (!child) {
		pthread_create(&thread, NULL, spin, NULL);
		pthread_create(&thread, NULL, spin, NULL);
		spin(NULL);
	}
	usleep(30000);
	kill(child, SIGSTOP);
	waitpid(child, &status, WUNTRACED);
	printf("stopped %d\n", WIFSTOPPED(status));
	kill(child, SIGCONT);
	waitpid(child, &status, WCONTINUED);
	printf("continued %d\n", WIFCONTINUED(status));
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	printf("signal %d\n", WTERMSIG(status));
}

int main(void)
{
	pid_t child;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (pipe(fds))
		return 1;
	in_nanosleep();
	in_read(1);
	in_read(0);
	busy_threads();
	child = fork();
	if (!child) { /* nobody could make it go on: not stopped */
		setsid();
		raise(SIGTSTP);
		_exit(4);
	}
	waitpid(child, &status, WUNTRACED);
	printf("orphaned group: %d\n", WIFEXITED(status));
	return 0;
}

/* expect 0
 * nanosleep 0, long enough 1
 * read -1, errno 4, seen 1
 * read 1, errno 0, seen 0
 * stopped 1
 * continued 1
 * signal 9
 * orphaned group: 1
 */
