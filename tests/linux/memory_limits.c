/* SPDX-License-Identifier: MIT
 *
 * Limits of address space, data and stack; memory that grows down.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, MIB = 1 << 20, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

static sigjmp_buf back;
static volatile int fault_signal, fault_code, expected;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (!expected)
		_exit(99);
	expected = 0;
	fault_signal = number;
	fault_code = info->si_code;
	siglongjmp(back, 1);
}

static void touch(const char *what, volatile char *at)
{
	if (sigsetjmp(back, 1) == 0) {
		expected = 1;
		*at = 1;
		expected = 0;
		printf("%s: ok\n", what);
	} else {
		printf("%s: signal %d code %d\n", what, fault_signal, fault_code);
	}
}

static void result(const char *what, long value)
{
	printf("%s: %s\n", what, value == -1 ? strerror(errno) : "ok");
}

static void limit(int which, unsigned long soft)
{
	struct rlimit limits;

	getrlimit(which, &limits);
	limits.rlim_cur = soft;
	if (setrlimit(which, &limits))
		perror("setrlimit");
}

static void address_space(void)
{
	char *at, *few = mmap(NULL, PAGE, RW, ANON, -1, 0);

	limit(RLIMIT_AS, 64 * MIB);
	result("128 MiB of 64", (long)mmap(NULL, 128 * MIB, PROT_NONE, ANON, -1, 0));
	at = mmap(NULL, 32 * MIB, PROT_NONE, ANON, -1, 0);
	result("32 MiB of 64", (long)at);
	result("32 more", (long)mmap(NULL, 32 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0));
	result("in the same place", (long)mmap(at, 32 * MIB, PROT_NONE, ANON | MAP_FIXED, -1, 0));
	result("a page grows to 64 MiB", (long)mremap(few, PAGE, 64 * MIB, MREMAP_MAYMOVE));
	munmap(at, 32 * MIB);
	result("32 again", (long)mmap(NULL, 32 * MIB, PROT_NONE, ANON, -1, 0));
	result("the break", (long)sbrk(40 * MIB));
}

static void data(void)
{
	char *at;

	limit(RLIMIT_DATA, 16 * MIB);
	result("32 MiB of data of 16", (long)mmap(NULL, 32 * MIB, RW, ANON, -1, 0));
	at = mmap(NULL, 32 * MIB, PROT_READ, ANON, -1, 0);
	result("32 MiB for reading", (long)at);
	result("32 MiB shared", (long)mmap(NULL, 32 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	result("8 of them written", mprotect(at, 8 * MIB, RW));
	result("all of them written", mprotect(at, 32 * MIB, RW));
	result("the break", (long)sbrk(14 * MIB));
	munmap(at, 32 * MIB);
	result("the break without them", (long)sbrk(14 * MIB));
}

static void grows_down(void)
{
	char *room = mmap(NULL, 8 * MIB, PROT_NONE, ANON, -1, 0), *at;

	/* Alone in the upper half of the room; a neighbour at its low end. */
	munmap(room, 8 * MIB);
	at = mmap(room + 6 * MIB, PAGE, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	mmap(room, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	touch("its own page", at);
	touch("the page below", at - 1);
	touch("a megabyte below", at - MIB);
	touch("near its neighbour", room + 2 * MIB);
	touch("nearer", room + MIB + PAGE);
	touch("too near", room + MIB - PAGE);
	result("rights downwards", mprotect(at, PAGE, PROT_READ | PROT_GROWSDOWN));
	touch("what is now read-only", at - PAGE);
	result("rights upwards", mprotect(at, PAGE, PROT_READ | PROT_GROWSUP));
	result("both ways", mprotect(at, PAGE, PROT_READ | PROT_GROWSUP | PROT_GROWSDOWN));
	result("of what does not grow", mprotect(room, PAGE, PROT_READ | PROT_GROWSDOWN));
}

static void stack(void)
{
	volatile char *here = __builtin_frame_address(0);

	limit(RLIMIT_STACK, 2 * MIB);
	touch("a megabyte down the stack", here - MIB);
	touch("three", here - 3 * MIB);
	limit(RLIMIT_STACK, 4 * MIB);
	touch("three with a higher limit", here - 3 * MIB);
	touch("five", here - 5 * MIB);
	result("executable", mprotect((void *)((uintptr_t)here & ~(uintptr_t)(PAGE - 1)), PAGE, RW | PROT_EXEC | PROT_GROWSDOWN));
}

static void apart(void (*test)(void))
{
	int status;

	fflush(stdout);
	if (fork() == 0) {
		test();
		fflush(stdout);
		_exit(0);
	}
	wait(&status);
	if (status)
		printf("status %x\n", status);
}

int main(void)
{
	static char other[65536];
	stack_t alternate = {.ss_sp = other, .ss_size = sizeof other};
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	apart(address_space);
	apart(data);
	apart(grows_down);
	apart(stack);
	return 0;
}

/* expect 0
 * 128 MiB of 64: Cannot allocate memory
 * 32 MiB of 64: ok
 * 32 more: Cannot allocate memory
 * in the same place: ok
 * a page grows to 64 MiB: Cannot allocate memory
 * 32 again: ok
 * the break: Cannot allocate memory
 * 32 MiB of data of 16: Cannot allocate memory
 * 32 MiB for reading: ok
 * 32 MiB shared: ok
 * 8 of them written: ok
 * all of them written: Cannot allocate memory
 * the break: Cannot allocate memory
 * the break without them: ok
 * its own page: ok
 * the page below: ok
 * a megabyte below: ok
 * near its neighbour: ok
 * nearer: ok
 * too near: signal 11 code 1
 * rights downwards: ok
 * what is now read-only: signal 11 code 2
 * rights upwards: Invalid argument
 * both ways: Invalid argument
 * of what does not grow: Invalid argument
 * a megabyte down the stack: ok
 * three: signal 11 code 1
 * three with a higher limit: ok
 * five: signal 11 code 1
 * executable: ok
 */
