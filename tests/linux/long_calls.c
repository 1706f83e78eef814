/* SPDX-License-Identifier: MIT
 *
 * Much work for the kernel. long_calls time: few instructions and long system calls, without end: limits of time hold
 * all the same. long_calls texts: a thousand descriptors on a long text of /proc, each of which keeps one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, AREAS = 20000 };

int main(int argc, char **argv)
{
	char *areas = mmap(NULL, 2l * AREAS * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	static char text[100];
	int count, maps = open("/proc/self/maps", O_RDONLY);

	for (long i = 0; i < AREAS; i++)
		mprotect(areas + 2 * i * PAGE, PAGE, PROT_READ);
	if (!strcmp(argv[1], "texts")) {
		for (count = 0; count < 1000; count++)
			if (read(open("/proc/self/maps", O_RDONLY), text, sizeof text) < 0)
				break;
		printf("%s: %s\n", count > 2 && count < 50 ? "some" : "?", strerror(errno));
		return 0;
	}
	for (;;) {
		lseek(maps, 0, SEEK_SET);
		if (read(maps, text, sizeof text) != sizeof text)
			return 1;
	}
}
