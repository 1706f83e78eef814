/* SPDX-License-Identifier: MIT
 *
 * usage: measure TIMES SECONDS OUTPUT COMMAND [ARGUMENT]...
 *
 * Runs COMMAND so many times, stdin empty, stdout into the file OUTPUT, stderr into OUTPUT.err, and prints a line for each run:
 * exit status (128 + n: signal n; 124: it took longer than SECONDS and was killed), wall-clock seconds from before the fork
 * to after the exit, processor seconds (user and system), and the most memory that was resident, in KiB.
 *
 * This is no part of the script that calls it because a process inherits the peak of the memory it was forked from: forked
 * from Python nothing would seem to need less than 10 MiB. This program is linked statically and has next to none.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t late;
static volatile pid_t child;

static void on_alarm(int number)
{
	(void)number;
	late = 1;
	kill(-child, SIGKILL);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static void become(char **command, int out, int err)
{
	setpgid(0, 0);
	dup2(open("/dev/null", O_RDONLY), 0);
	dup2(out, 1);
	dup2(err, 2);
	execvp(command[0], command);
	dprintf(2, "%s: %s\n", command[0], strerror(errno));
	_exit(127);
}

int main(int argc, char **argv)
{
	int times = argc > 4 ? atoi(argv[1]) : 0, limit = argc > 4 ? atoi(argv[2]) : 0;
	char errors[4096];

	if (times < 1 || limit < 1) {
		fprintf(stderr, "usage: measure TIMES SECONDS OUTPUT COMMAND [ARGUMENT]...\n");
		return 2;
	}
	snprintf(errors, sizeof errors, "%s.err", argv[3]);
	signal(SIGALRM, on_alarm);
	for (int i = 0; i < times && !late; i++) {
		int out = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), status;
		int err = open(errors, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		struct rusage usage;
		double start, wall;

		if (out < 0 || err < 0) {
			perror(argv[3]);
			return 1;
		}
		start = now();
		child = fork();
		if (child == 0)
			become(argv + 4, out, err);
		if (child < 0) {
			perror("fork");
			return 1;
		}
		setpgid(child, child); /* as the child does: whoever is first */
		alarm((unsigned)limit);
		while (wait4(child, &status, 0, &usage) < 0)
			if (errno != EINTR)
				return 1;
		wall = now() - start;
		alarm(0);
		close(out);
		close(err);
		printf("%d %.6f %.6f %ld\n", late ? 124 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), wall,
		       seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss);
		fflush(stdout);
	}
	return 0;
}
