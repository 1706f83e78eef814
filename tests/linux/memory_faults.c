/* SPDX-License-Identifier: MIT
 *
 * Faults that a program survives: wild pointers all over the 64 bits, the end of the stack on another stack, rights of
 * code; accesses across pages of which one is missing; pointers to nowhere given to system calls.
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
#include <unistd.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

static sigjmp_buf back;
static volatile int fault_signal, fault_code, expected;
static volatile uintptr_t fault_address;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (!expected)
		_exit(99);
	expected = 0;
	fault_signal = number;
	fault_code = info->si_code;
	fault_address = (uintptr_t)info->si_addr;
	siglongjmp(back, 1);
}

/* Below 2^38 nothing is there at these places on any machine; above it there is nothing at all. */
static void wild(void)
{
	int faults = 0, right = 0, tries = 0;

	for (int bit = 0; bit < 38; bit++) {
		for (int minus = 0; minus < 2; minus++) {
			uintptr_t at = ((uintptr_t)1 << bit) - (minus ? 9 : 0);

			if (at >= 0x10000 - 9 && at < 0x40000000)
				continue; /* the program may be there */
			tries++;
			if (sigsetjmp(back, 1) == 0) {
				expected = 1;
				(void)*(volatile uint64_t *)at;
				expected = 0;
			} else {
				faults++;
				right += fault_signal == SIGSEGV && fault_code == SEGV_MAPERR && fault_address == at;
			}
		}
	}
	printf("wild reads: %d tries, %d faults, %d as they should be\n", tries, faults, right);
#ifdef __riscv
	tries = faults = right = 0;
	for (int bit = 38; bit < 64; bit++) {
		for (int kind = 0; kind < 3; kind++) {
			uintptr_t at = ((uintptr_t)1 << bit) + (uintptr_t)(kind == 0 ? 0 : kind == 1 ? 0x12345678 : -1);

			if (at < (uintptr_t)1 << 38)
				continue;
			tries++;
			if (sigsetjmp(back, 1) == 0) {
				expected = 1;
				*(volatile char *)at = 1;
				expected = 0;
			} else {
				faults++;
				right += fault_signal == SIGSEGV;
			}
		}
	}
	printf("beyond the address space: %s, %s\n", faults == tries ? "all fault" : "some do not",
	       right == tries ? "all SIGSEGV" : "some otherwise");
#endif
	if (sigsetjmp(back, 1) == 0) {
		expected = 1;
		((void (*)(void))0x1000)();
	} else {
		printf("jump to nowhere: signal %d code %d at %#lx\n", fault_signal, fault_code, (long)fault_address);
	}
}

/* An access across two pages of which the second is missing changes nothing. */
static void across(void)
{
	char *at = mmap(NULL, 2 * PAGE, RW, ANON, -1, 0);
	struct __attribute__((packed)) { uint64_t value; } *volatile odd = (void *)(at + PAGE - 3);

	memset(at, 'a', 2 * PAGE);
	munmap(at + PAGE, PAGE);
	if (sigsetjmp(back, 1) == 0) {
		expected = 1;
		*(volatile uint64_t *)(void *)odd = 0x1122334455667788;
		puts("across: no fault");
	} else {
		printf("across: signal %d, before it %c%c%c\n", fault_signal, at[PAGE - 3], at[PAGE - 2], at[PAGE - 1]);
	}
	if (sigsetjmp(back, 1) == 0) {
		expected = 1;
		(void)*(volatile uint64_t *)(void *)odd;
		puts("across: no fault");
	} else {
		printf("across: signal %d\n", fault_signal);
	}
}

static void code(void)
{
	char *at = mmap(NULL, PAGE, RW, ANON, -1, 0);

#ifdef __riscv
	memcpy(at, "\x67\x80\x00\x00", 4); /* ret */
#else
	at[0] = (char)0xC3;
#endif
	if (sigsetjmp(back, 1) == 0) {
		expected = 1;
		((void (*)(void))at)();
		puts("data ran");
	} else {
		printf("data as code: signal %d code %d at %+ld\n", fault_signal, fault_code, (long)(fault_address - (uintptr_t)at));
	}
	mprotect(at, PAGE, PROT_READ | PROT_EXEC);
	((void (*)(void))at)();
	puts("with the right it runs");
}

static long deep(long n)
{
	volatile char room[2000];

	room[0] = (char)n;
	room[1999] = (char)n;
	return n <= 0 ? 0 : deep(n - 1) + room[0] + room[1999];
}

static void stack_overflow(void)
{
	struct rlimit limit = {1 << 20, 1 << 20};
	stack_t other = {.ss_sp = malloc(65536), .ss_size = 65536};
	volatile char *low = (char *)__builtin_frame_address(0);

	sigaltstack(&other, NULL);
	printf("half a megabyte deep: %s\n", deep(256) != 1 ? "fine" : "?");
	setrlimit(RLIMIT_STACK, &limit);
	for (int round = 0; round < 2; round++) {
		if (sigsetjmp(back, 1) == 0) {
			expected = 1;
			deep(1 << 20);
			puts("no end");
		} else {
			uintptr_t distance = (uintptr_t)low - fault_address;

			printf("stack overflow: signal %d code %d, %s\n", fault_signal, fault_code,
			       distance > 900 << 10 && distance < 1100 << 10 ? "after a megabyte" : "elsewhere");
		}
	}
}

static void calls(void)
{
	char *at = mmap(NULL, 2 * PAGE, RW, ANON, -1, 0);
	int ends[2];
	ssize_t got;

	munmap(at + PAGE, PAGE);
	if (pipe(ends))
		exit(1);
	errno = 0;
	got = write(ends[1], at + PAGE, 10);
	printf("write from nowhere: %zd %s\n", got, strerror(errno));
	got = write(ends[1], (void *)-4096, 10);
	printf("write from the top: %zd %s\n", got, strerror(errno));
	got = write(ends[1], "0123456789", 10);
	got = read(ends[0], (void *)8, 10);
	printf("read to address 8: %zd %s\n", got, strerror(errno));
	mprotect(at, PAGE, PROT_READ);
	got = read(ends[0], at, 10);
	printf("read to what is read-only: %zd %s\n", got, strerror(errno));
	got = access((void *)(at + PAGE), F_OK);
	printf("path from nowhere: %zd %s\n", got, strerror(errno));
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	wild();
	across();
	code();
	calls();
	stack_overflow();
	return 0;
}

/* expect 0
 * wild reads: 47 tries, 47 faults, 47 as they should be
 * beyond the address space: all fault, all SIGSEGV
 * jump to nowhere: signal 11 code 1 at 0x1000
 * across: signal 11, before it aaa
 * across: signal 11
 * data as code: signal 11 code 2 at +0
 * with the right it runs
 * write from nowhere: -1 Bad address
 * write from the top: -1 Bad address
 * read to address 8: -1 Bad address
 * read to what is read-only: -1 Bad address
 * path from nowhere: -1 Bad address
 * half a megabyte deep: fine
 * stack overflow: signal 11 code 1, after a megabyte
 * stack overflow: signal 11 code 1, after a megabyte
 */
