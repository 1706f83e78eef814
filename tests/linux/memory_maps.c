/* SPDX-License-Identifier: MIT
 *
 * mmap and its relatives: what they give, what they refuse, and what is in memory afterwards.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

static sigjmp_buf back;
static volatile int fault_signal, fault_code, expected;
static void *volatile fault_address;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (!expected)
		_exit(99);
	expected = 0;
	fault_signal = number;
	fault_code = info->si_code;
	fault_address = info->si_addr;
	siglongjmp(back, 1);
}

/* "ok", or which fault at which distance from `near`. */
static void touch(const char *what, volatile char *at, int write, const char *near)
{
	if (sigsetjmp(back, 1) == 0) {
		expected = 1;
		if (write)
			*at = 1;
		else
			(void)*at;
		expected = 0;
		printf("%s: ok\n", what);
	} else {
		printf("%s: signal %d code %d at %+ld\n", what, fault_signal, fault_code, (long)((char *)fault_address - near));
	}
}

static void result(const char *what, long value)
{
	if (value == -1)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %s\n", what, value < 0 || value > 4096 ? "an address" : value ? "a number" : "0");
}

static char *map(size_t pages, int prot)
{
	char *at = mmap(NULL, pages * PAGE, prot, ANON, -1, 0);

	if (at == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return at;
}

static void refused(void)
{
	unsigned char there[4];
	char *at = map(4, RW);

	result("length 0", (long)mmap(NULL, 0, RW, ANON, -1, 0));
	result("neither shared nor private", (long)mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
	result("no descriptor", (long)mmap(NULL, PAGE, RW, MAP_PRIVATE, 77, 0));
	result("odd offset", syscall(SYS_mmap, NULL, PAGE, RW, MAP_PRIVATE, 0, 100));
	result("fixed at an odd address", (long)mmap(at + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	result("no replace", (long)mmap(at, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	result("larger than everything", (long)mmap(NULL, (size_t)1 << 62, PROT_NONE, ANON | MAP_NORESERVE, -1, 0));
	result("length that wraps", (long)mmap(NULL, ~(size_t)0, RW, ANON, -1, 0));
	result("fixed beyond the end", (long)mmap((void *)0x7ffffffffffff000, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
	result("munmap at an odd address", munmap(at + 8, PAGE));
	result("munmap of nothing", munmap(at, 0));
	result("munmap that wraps", munmap(at, ~(size_t)0 - 100));
	result("munmap of what is free", munmap(at + 3 * PAGE, PAGE) || munmap(at + 3 * PAGE, PAGE));
	result("mprotect over a hole", mprotect(at, 4 * PAGE, PROT_READ));
	result("mprotect at an odd address", mprotect(at + 1, PAGE, PROT_READ));
	result("mprotect of unknown rights", mprotect(at, PAGE, 0x40));
	result("msync of a hole", msync(at, 4 * PAGE, MS_SYNC));
	result("msync both ways", msync(at, PAGE, MS_SYNC | MS_ASYNC));
	result("madvise of a hole", madvise(at, 4 * PAGE, MADV_DONTNEED));
	result("madvise unknown", madvise(at, PAGE, 12345));
	result("mincore of a hole", mincore(at, 4 * PAGE, there));
	result("mlock of a hole", mlock(at, 4 * PAGE));
	result("munmap", munmap(at, 3 * PAGE));
}

static void hints(void)
{
	char *at = map(8, RW), *got;

	munmap(at + 2 * PAGE, 4 * PAGE);
	got = mmap(at + 3 * PAGE, PAGE, RW, ANON, -1, 0);
	printf("a hint where it is free: %+ld pages\n", (long)(got - at) / PAGE);
	got = mmap(at, PAGE, RW, ANON, -1, 0);
	printf("a hint where it is not: %s\n", got == at ? "taken" : "elsewhere");
	at[0] = 5;
	got = mmap(at, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	printf("fixed: %+ld, %d\n", (long)(got - at), got[0]);
	got = mmap(at + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	printf("no replace: %+ld\n", (long)(got - at) / PAGE);
}

static void rights(void)
{
	char *at = map(5, RW);

	strcpy(at + 2 * PAGE, "content");
	mprotect(at + 2 * PAGE, PAGE, PROT_NONE);
	touch("read what may not be", at + 2 * PAGE + 3, 0, at);
	touch("the page before it", at + 2 * PAGE - 1, 1, at);
	touch("the page behind it", at + 3 * PAGE, 1, at);
	mprotect(at + 2 * PAGE, PAGE, PROT_READ);
	touch("write what may be read", at + 2 * PAGE, 1, at);
	printf("still there: %s\n", at + 2 * PAGE);
	munmap(at + PAGE, PAGE);
	touch("read what is gone", at + PAGE, 0, at);
	touch("read address 0", NULL, 0, NULL);
	touch("write address 8", (char *)8, 1, NULL);
}

static void beyond_the_file(void)
{
	char path[] = "/tmp/husk-maps-XXXXXX";
	int fd = mkstemp(path);
	char *at, *shared;

	if (fd < 0 || write(fd, "0123456789", 10) != 10) {
		perror(path);
		exit(1);
	}
	unlink(path);
	at = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE, fd, 0);
	printf("file: %.10s, then %d\n", at, at[10]);
	touch("the rest of its last page", at + PAGE - 1, 1, at);
	touch("beyond its end", at + PAGE + 7, 0, at);
	at[0] = 'X';
	shared = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	printf("a private change: %c, shared %c\n", at[0], shared[0]);
	shared[1] = 'Y';
	msync(shared, PAGE, MS_SYNC);
	{
		char byte = 0;

		if (pread(fd, &byte, 1, 1) != 1)
			perror("pread");
		printf("a shared change: %c\n", byte);
	}
	if (pwrite(fd, "Z", 1, 2) == 1)
		printf("a write to the file: %c\n", shared[2]);
	close(fd);
	printf("after close: %c\n", shared[1]);
	fd = open("/proc/self/exe", O_RDONLY);
	if (fd >= 0) {
		result("shared for writing of what is read-only", (long)mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
		at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		printf("shared for reading: %.3s\n", at + 1);
		result("then made writable", mprotect(at, PAGE, RW));
		close(fd);
	}
}

static void remaps(void)
{
	char *at = map(6, RW), *got;

	for (int i = 0; i < 6; i++)
		at[i * PAGE] = (char)('a' + i);
	got = mremap(at, 6 * PAGE, 3 * PAGE, 0);
	printf("smaller: %+ld\n", (long)(got - at));
	touch("what was cut off", at + 4 * PAGE, 0, at);
	got = mremap(at, 3 * PAGE, 5 * PAGE, 0);
	printf("larger where it is: %+ld, %c%d\n", (long)(got - at), got[2 * PAGE], got[4 * PAGE]);
	mmap(at + 5 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	mprotect(at + 5 * PAGE, PAGE, PROT_READ);
	result("no room", (long)mremap(at, 5 * PAGE, 9 * PAGE, 0));
	got = mremap(at, 5 * PAGE, 9 * PAGE, MREMAP_MAYMOVE);
	printf("moved: %s, %c%c%c%d\n", got == at ? "no" : "yes", got[0], got[PAGE], got[2 * PAGE], got[8 * PAGE]);
	touch("where it was", at, 0, at);
	at = map(4, RW);
	at[0] = 'n';
	got = mremap(got, 9 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE);
	printf("to a place: %+ld, %c%c, before it %c\n", (long)(got - at), got[0], got[PAGE], at[0]);
	result("onto itself", (long)mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE));
	result("of what is not there", (long)mremap((void *)0x10000000000, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	result("to length 0", (long)mremap(at, PAGE, 0, MREMAP_MAYMOVE));
	got = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	got[0] = 's';
	at = mremap(got, 0, 2 * PAGE, MREMAP_MAYMOVE);
	at[1] = 't';
	printf("a second view: %c%c\n", got[0], got[1]);
}

static void advice(void)
{
	char *at = map(3, RW), *shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned char there[3];
	int status;

	at[0] = at[PAGE] = shared[0] = 7;
	mincore(at, 3 * PAGE, there);
	printf("present: %d%d%d\n", there[0] & 1, there[1] & 1, there[2] & 1);
	madvise(at, PAGE, MADV_DONTNEED);
	madvise(shared, PAGE, MADV_DONTNEED);
	printf("after DONTNEED: %d %d, shared %d\n", at[0], at[PAGE], shared[0]);
	at[0] = 8;
	madvise(at + PAGE, PAGE, MADV_WIPEONFORK);
	madvise(at + 2 * PAGE, PAGE, MADV_DONTFORK);
	fflush(stdout);
	if (fork() == 0) {
		printf("child: %d %d, shared %d\n", at[0], at[PAGE], shared[0]);
		touch("child: what is not forked", at + 2 * PAGE, 0, at);
		at[0] = 9;
		shared[0] = 9;
		fflush(stdout);
		_exit(0);
	}
	wait(&status);
	printf("parent: %d %d, shared %d\n", at[0], at[PAGE], shared[0]);
}

static void reservations(void)
{
	size_t gib = (size_t)1 << 30;
	char *at = mmap(NULL, 60 * gib, PROT_NONE, ANON | MAP_NORESERVE, -1, 0), *wide;

	printf("60 GiB without rights: %s\n", at == MAP_FAILED ? strerror(errno) : "yes");
	touch("in the middle", at + 30 * gib, 1, at);
	mprotect(at + 30 * gib, PAGE, RW);
	touch("with rights", at + 30 * gib, 1, at);
	touch("behind them", at + 30 * gib + PAGE, 1, at);
	wide = mmap(NULL, 60 * gib, RW, ANON | MAP_NORESERVE, -1, 0);
	printf("60 GiB not reserved: %s\n", wide == MAP_FAILED ? strerror(errno) : "yes");
	for (size_t i = 0; i < 60; i++)
		wide[i * gib] = 1;
	printf("a byte in each: %d\n", wide[0] + wide[59 * gib]);
	munmap(wide, 60 * gib);
	munmap(at, 60 * gib);
	touch("given back", at + 30 * gib, 0, at);
}

static void the_break(void)
{
	char *start = sbrk(0), *more;

	more = sbrk(3 * PAGE + 100);
	printf("break: %s\n", more == start ? "where it was" : "elsewhere");
	memset(more, 'b', 3 * PAGE + 100);
	brk(start + PAGE);
	touch("below it", (char *)(((uintptr_t)start + PAGE - 1) & ~(uintptr_t)(PAGE - 1)) - 1, 1, start);
	brk(start + 4 * PAGE);
	printf("zero again: %d\n", start[3 * PAGE]);
	result("below its start", brk((void *)PAGE));
	result("beyond everything", brk((void *)0x7ffffffff000));
	printf("unmoved: %ld\n", (long)((char *)sbrk(0) - start) / PAGE);
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	refused();
	hints();
	rights();
	beyond_the_file();
	remaps();
	advice();
	reservations();
	the_break();
	return 0;
}

/* expect 0
 * length 0: Invalid argument
 * neither shared nor private: Invalid argument
 * no descriptor: Bad file descriptor
 * odd offset: Invalid argument
 * fixed at an odd address: Invalid argument
 * no replace: File exists
 * larger than everything: Cannot allocate memory
 * length that wraps: Cannot allocate memory
 * fixed beyond the end: Cannot allocate memory
 * munmap at an odd address: Invalid argument
 * munmap of nothing: Invalid argument
 * munmap that wraps: Invalid argument
 * munmap of what is free: 0
 * mprotect over a hole: Cannot allocate memory
 * mprotect at an odd address: Invalid argument
 * mprotect of unknown rights: Invalid argument
 * msync of a hole: Cannot allocate memory
 * msync both ways: Invalid argument
 * madvise of a hole: Cannot allocate memory
 * madvise unknown: Invalid argument
 * mincore of a hole: Cannot allocate memory
 * mlock of a hole: Cannot allocate memory
 * munmap: 0
 * a hint where it is free: +3 pages
 * a hint where it is not: elsewhere
 * fixed: +0, 0
 * no replace: +2
 * read what may not be: signal 11 code 2 at +8195
 * the page before it: ok
 * the page behind it: ok
 * write what may be read: signal 11 code 2 at +8192
 * still there: content
 * read what is gone: signal 11 code 1 at +4096
 * read address 0: signal 11 code 1 at +0
 * write address 8: signal 11 code 1 at +8
 * file: 0123456789, then 0
 * the rest of its last page: ok
 * beyond its end: signal 7 code 2 at +4103
 * a private change: X, shared 0
 * a shared change: Y
 * a write to the file: Z
 * after close: Y
 * shared for writing of what is read-only: Permission denied
 * shared for reading: ELF
 * then made writable: Permission denied
 * smaller: +0
 * what was cut off: signal 11 code 1 at +16384
 * larger where it is: +0, c0
 * no room: Cannot allocate memory
 * moved: yes, abc0
 * where it was: signal 11 code 1 at +0
 * to a place: +4096, ab, before it n
 * onto itself: Invalid argument
 * of what is not there: Bad address
 * to length 0: Invalid argument
 * a second view: st
 * present: 110
 * after DONTNEED: 0 7, shared 7
 * child: 8 0, shared 7
 * child: what is not forked: signal 11 code 1 at +8192
 * parent: 8 7, shared 9
 * 60 GiB without rights: yes
 * in the middle: signal 11 code 2 at +32212254720
 * with rights: ok
 * behind them: signal 11 code 2 at +32212258816
 * 60 GiB not reserved: yes
 * a byte in each: 2
 * given back: signal 11 code 1 at +32212254720
 * break: where it was
 * below it: ok
 * zero again: 0
 * below its start: 0
 * beyond everything: Cannot allocate memory
 * unmoved: 4
 */
