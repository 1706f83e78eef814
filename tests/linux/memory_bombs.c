/* SPDX-License-Identifier: MIT
 *
 * Children that want all the memory there is, each in another way. Each ends, and the next one finds as much as the one
 * before it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, MIB = 1 << 20, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

static void by_malloc(void)
{
	for (;;)
		memset(malloc(MIB), 1, MIB);
}

static void by_break(void)
{
	char *at;

	while ((at = sbrk(MIB)) != (void *)-1)
		memset(at, 1, MIB);
	_exit(1);
}

/* Reserved without limit, then touched. */
static void by_touch(void)
{
	char *at = mmap(NULL, (size_t)30 << 30, RW, ANON | MAP_NORESERVE, -1, 0);

	for (size_t i = 0;; i += PAGE)
		at[i] = 1;
}

static void by_shared(void)
{
	char *at = mmap(NULL, (size_t)30 << 30, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0;; i += PAGE)
		at[i] = 1;
}

/* What nobody maps any more is still there, but not without end: storage. */
static void by_hidden(void)
{
	char *at = mmap(NULL, (size_t)30 << 30, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0;; i += PAGE) {
		at[i] = 1;
		madvise(at + i, PAGE, MADV_DONTNEED);
	}
}

static long by_recursion(long n)
{
	volatile char room[PAGE];

	memset((char *)room, (int)n, sizeof room);
	return by_recursion(n + 1) + room[n % PAGE];
}

static void by_stack(void)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_STACK, &limit);
	printf("%ld", by_recursion(0));
}

static void by_read(void)
{
	char *at = mmap(NULL, (size_t)30 << 30, RW, ANON | MAP_NORESERVE, -1, 0);
	int fd = (int)syscall(SYS_memfd_create, "data", 0);
	ssize_t got = ftruncate(fd, (off_t)1 << 30);

	for (size_t i = 0; got >= 0; i += (size_t)got)
		got = pread(fd, at + i, MIB, 0);
	_exit(2);
}

static void by_forks(void)
{
	char *at = mmap(NULL, MIB, RW, ANON, -1, 0);

	memset(at, 1, MIB);
	for (int i = 0; i < 1000; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			int refused = errno;

			kill(0, 0);
			_exit(refused == ENOMEM || refused == EAGAIN ? 50 : 3);
		}
		if (pid == 0)
			pause();
	}
}

static void by_areas(void)
{
	char *at = mmap(NULL, (size_t)1 << 30, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	size_t count = 0;

	while (mprotect(at + count * 2 * PAGE, PAGE, PROT_READ) == 0)
		count++;
	_exit(errno == ENOMEM && count > 30000 && count < 33000 ? 60 : 4);
}

/* Each child has as many again. */
static void by_areas_of_children(void)
{
	char *at = mmap(NULL, (size_t)1 << 30, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);

	for (size_t i = 0; i < 30000; i++)
		mprotect(at + i * 2 * PAGE, PAGE, PROT_READ);
	for (;;) {
		pid_t pid = fork();

		if (pid < 0)
			_exit(errno == ENOMEM ? 70 : 5);
		if (pid == 0)
			pause();
	}
}

static void show(const char *what, void (*bomb)(void))
{
	int status = 0;

	fflush(stdout);
	if (fork() == 0) {
		setpgid(0, 0);
		bomb();
		_exit(0);
	}
	wait(&status);
	if (WIFSIGNALED(status))
		printf("%s: signal %d\n", what, WTERMSIG(status));
	else
		printf("%s: exit %d\n", what, WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	char *at;

	if (argc > 1)
		by_touch();
	(void)argv;
	errno = 0;
	at = mmap(NULL, (size_t)2 << 30, RW, ANON, -1, 0);
	printf("2 GiB at once: %s\n", at == MAP_FAILED ? strerror(errno) : "yes");
	at = malloc((size_t)2 << 30);
	printf("malloc of it: %s\n", at ? "yes" : strerror(errno));
	show("malloc", by_malloc);
	show("break", by_break);
	show("touch", by_touch);
	show("shared", by_shared);
	show("hidden", by_hidden);
	show("stack", by_stack);
	show("read", by_read);
	show("areas", by_areas);
	show("areas of children", by_areas_of_children);
	show("forks", by_forks);
	printf("still here\n");
	return 0;
}

/* expect 0
 * 2 GiB at once: Cannot allocate memory
 * malloc of it: Cannot allocate memory
 * malloc: signal 9
 * break: exit 1
 * touch: signal 9
 * shared: signal 9
 * hidden: signal 7
 * stack: signal 9
 * read: signal 9
 * areas: exit 60
 * areas of children: exit 70
 * forks: exit 50
 * still here
 */
