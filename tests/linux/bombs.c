/* SPDX-License-Identifier: MIT
 *
 * Bombs: as many processes and threads as there can be, and a clear end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *waits(void *arg)
{
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	return arg;
}

int main(void)
{
	static pthread_t threads[10000];
	int count = 0, error, ended = 0;
	pid_t child;

	while ((child = fork()) > 0 && count < 100000)
		count++;
	if (!child)
		for (;;)
			pause();
	printf("processes: %s %s\n", count > 20 && count < 1000 ? "some" : "?", strerror(errno));
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		ended++;
	printf("all ended: %d\n", ended == count);

	pthread_mutex_lock(&lock);
	for (count = 0; count < 10000; count++) {
		error = pthread_create(&threads[count], NULL, waits, NULL);
		if (error)
			break;
	}
	printf("threads: %s %s\n", count > 20 && count < 5000 ? "some" : "?", strerror(error));
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	/* It all works again. */
	child = fork();
	if (!child)
		_exit(0);
	printf("fork: %d\n", waitpid(child, NULL, 0) == child);

	/* RLIMIT_NPROC binds whoever is not root. */
	child = fork();
	if (!child) {
		struct rlimit few = { 3, 3 };

		if (setuid(1000) || setrlimit(RLIMIT_NPROC, &few))
			_exit(1);
		for (count = 0; (child = fork()) > 0 && count < 100;)
			count++;
		if (!child)
			pause();
		kill(-1, SIGKILL);
		_exit(count == 2 && errno == EAGAIN ? 0 : 1);
	}
	waitpid(child, &error, 0);
	printf("few: %d\n", error);

	/* Every process forks until nothing goes any more. */
	child = fork();
	if (!child) {
		setpgid(0, 0);
		for (;;)
			if (fork() < 0 && errno == EAGAIN)
				kill(0, SIGKILL);
	}
	waitpid(child, NULL, 0);
	puts("the bomb is out");
	return 0;
}

/* expect 0
 * processes: some Resource temporarily unavailable
 * all ended: 1
 * threads: some Resource temporarily unavailable
 * fork: 1
 * few: 0
 * the bomb is out
 */
