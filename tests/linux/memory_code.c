/* SPDX-License-Identifier: MIT
 *
 * Programs that write code: in memory that may be written and executed, through a second view of the same memory, by
 * changing rights, over the end of a page, in a place that held other code before, and in a child.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, RWX = RW | PROT_EXEC, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

typedef long (*Function)(long);

/* long f(long x) { return x + n; }: addi a0, a0, n; ret */
static void write_adder(void *at, int n)
{
	uint32_t code[2] = {(uint32_t)n << 20 | 10 << 15 | 10 << 7 | 0x13, 0x00008067};

	memcpy(at, code, sizeof code);
}

static long call(void *at, long x)
{
	return ((Function)at)(x);
}

static void flush(void *at, size_t len)
{
	__builtin___clear_cache((char *)at, (char *)at + len);
}

static void fence(void)
{
	__asm__ volatile("fence.i" ::: "memory");
}

int main(void)
{
	char *at = mmap(NULL, 4 * PAGE, RWX, ANON, -1, 0), *view, *other;
	long sum = 0;
	int fd = (int)syscall(SYS_memfd_create, "code", 0), status;

	for (int n = 0; n < 1000; n++) {
		write_adder(at, n);
		fence();
		sum += call(at, 1);
	}
	printf("written anew a thousand times: %ld\n", sum);
	sum = 0;
	for (int n = 0; n < 1000; n++) {
		write_adder(at + 8 * (n % 64), n);
		flush(at + 8 * (n % 64), 8);
		sum += call(at + 8 * (n % 64), 1);
	}
	printf("at many places: %ld\n", sum);
	for (int k = 2; k < 8; k += 2) {
		write_adder(at + PAGE - k, k);
		fence();
		printf("over the end of a page: %ld\n", call(at + PAGE - k, 100));
	}
	/* Only the half behind the page's end changes. */
	write_adder(at + PAGE - 2, 5);
	fence();
	call(at + PAGE - 2, 0);
	write_adder(at + PAGE - 2, 0x705);
	fence();
	printf("half an instruction: %ld\n", call(at + PAGE - 2, 0));
	mprotect(at, PAGE, RW);
	write_adder(at, 77);
	mprotect(at, PAGE, PROT_READ | PROT_EXEC);
	printf("rights changed: %ld\n", call(at, 0));
	mmap(at, PAGE, RWX, ANON | MAP_FIXED, -1, 0);
	write_adder(at, 78);
	fence();
	printf("mapped anew: %ld\n", call(at, 0));
	other = mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + 3 * PAGE);
	printf("moved: %ld\n", call(other, 1));
	if (ftruncate(fd, PAGE))
		return 1;
	view = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	other = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	sum = 0;
	for (int n = 0; n < 100; n++) {
		write_adder(view, n);
		flush(other, 8);
		sum += call(other, 1);
	}
	printf("two views: %ld\n", sum);
	for (int n = 0; n < 100; n++) {
		write_adder(view + 16, n);
		fence();
		sum += call(other + 16, 1);
	}
	printf("two views, fenced: %ld\n", sum);
	write_adder(view, 1);
	at = mmap(NULL, PAGE, RWX, ANON, -1, 0);
	write_adder(at, 1);
	fence();
	printf("before the child: %ld %ld\n", call(at, 0), call(other, 0));
	fflush(stdout);
	if (fork() == 0) {
		write_adder(at, 2);
		write_adder(view, 2);
		fence();
		printf("in the child: %ld %ld\n", call(at, 0), call(other, 0));
		fflush(stdout);
		_exit(0);
	}
	wait(&status);
	fence();
	printf("behind the child: %ld %ld\n", call(at, 0), call(other, 0));
	return 0;
}

/* expect 0
 * written anew a thousand times: 500500
 * at many places: 500500
 * over the end of a page: 102
 * over the end of a page: 104
 * over the end of a page: 106
 * half an instruction: 1797
 * rights changed: 77
 * mapped anew: 78
 * moved: 79
 * two views: 5050
 * two views, fenced: 10100
 * before the child: 1 1
 * in the child: 2 2
 * behind the child: 1 2
 */
