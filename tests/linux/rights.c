/* SPDX-License-Identifier: MIT
 * What the program may do, by trying: a word for each right, "yes" or the error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char *what, long result)
{
	static const struct { int number; const char *name; } names[] = {
		{EPERM, "EPERM"}, {EACCES, "EACCES"}, {ENXIO, "ENXIO"}, {ENOENT, "ENOENT"}};
	const char *word = "other";

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].number == errno)
			word = names[i].name;
	printf("%s=%s ", what, result >= 0 ? "yes" : word);
}

static void close_it(const char *what, int fd)
{
	say(what, fd);
	if (fd >= 0)
		close(fd);
}

int main(void)
{
	struct timespec now;
	char byte;
	long pid;

	say("input", read(0, &byte, 1));
	say("random", getrandom(&byte, 1, 0));
	close_it("urandom", open("/dev/urandom", O_RDONLY));
	say("time", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now));
	say("sleep", syscall(SYS_nanosleep, &(struct timespec){0, 1}, NULL));
	pid = syscall(SYS_clone, 17, 0, 0, 0, 0);
	if (!pid)
		_exit(0);
	if (pid > 0)
		waitpid((int)pid, NULL, 0);
	say("clone", pid);
	close_it("files", open("/data/file", O_RDONLY));
	close_it("net", socket(AF_INET, SOCK_STREAM, 0));
	close_it("mailbox", open("/dev/husk/mailbox", O_RDWR));
	close_it("spawn", open("/dev/husk/spawn", O_RDWR));
	close_it("kv", open("/dev/husk/kv", O_RDWR));
	printf("\n");
	return 0;
}
/* expect 0
 * input=yes random=yes urandom=yes time=yes sleep=yes clone=yes files=ENOENT net=EACCES mailbox=ENXIO spawn=ENXIO kv=ENXIO 
 */
