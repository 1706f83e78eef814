/* SPDX-License-Identifier: MIT
 *
 * usage: compare ROUNDS COMMAND COMMAND...
 *
 * Runs each COMMAND (through /bin/sh, stdin empty, stdout dropped) ROUNDS times, taking turns: first, second ..., first,
 * second ..., so that whatever else the machine does hits all of them alike. Prints for each the median, the smallest
 * and the largest processor time (user + system) in seconds, one line a command.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double run_once(const char *command)
{
	struct rusage usage;
	int status;
	pid_t child = fork();

	if (child == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "compare: failed: %s\n", command);
		exit(1);
	}
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[1]) : 0, count = argc - 2;
	double *times;

	if (rounds < 1) {
		fprintf(stderr, "usage: compare ROUNDS COMMAND...\n");
		return 2;
	}
	times = calloc((size_t)rounds * (size_t)count, sizeof *times);
	if (!times)
		return 1;
	for (int c = 0; c < count; c++)
		run_once(argv[c + 2]); /* files into the cache, not measured */
	for (int r = 0; r < rounds; r++)
		for (int c = 0; c < count; c++)
			times[c * rounds + r] = run_once(argv[c + 2]);
	for (int c = 0; c < count; c++) {
		double *mine = times + c * rounds;

		qsort(mine, (size_t)rounds, sizeof *mine, by_value);
		printf("%.4f %.4f %.4f\n", mine[rounds / 2], mine[0], mine[rounds - 1]);
	}
	free(times);
	return 0;
}
