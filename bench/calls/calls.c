/* SPDX-License-Identifier: MIT
 *
 * usage: calls getppid|clock|write COUNT
 *
 * Asks the system for something cheap, again and again: a call that answers at once (getppid), the clock (on Linux a function
 * the kernel maps into the program, which need not be a system call), a byte written to /dev/null.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0, wrong = 0;
	struct timespec last = {0, 0}, t;

	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "clock")) {
		for (long i = 0; i < count; i++) {
			clock_gettime(CLOCK_MONOTONIC, &t);
			wrong += t.tv_sec < last.tv_sec || (t.tv_sec == last.tv_sec && t.tv_nsec < last.tv_nsec);
			last = t;
		}
	} else if (!strcmp(argv[1], "write")) {
		int null = open("/dev/null", O_WRONLY);

		for (long i = 0; i < count; i++)
			wrong += write(null, "x", 1) != 1;
#ifndef __wasi__
	} else {
		pid_t parent = getppid();

		for (long i = 0; i < count; i++)
			wrong += getppid() != parent;
#endif
	}
	printf("%ld calls, %ld wrong\n", count, wrong);
	return 0;
}
