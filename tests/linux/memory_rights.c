/* SPDX-License-Identifier: MIT
 *
 * Rights of pages as accesses meet them: pointers to where nothing is, by every width; accesses over the border of a page
 * that is not there, cannot be written, or lies beyond all; pages whose rights change between two accesses, that move, come
 * back empty, or are shared; code beside data, written by stores and by read(2); a fork in the middle.
 * Every access is made by the same few instructions again and again, so that they are compiled long before they fault.
 *
 * Linux as Husk has it: the address space ends at 2^38, and accesses that are not aligned are allowed.
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
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS, KINDS = 13 };

static sigjmp_buf back;
static volatile uintptr_t fault_address;
static char *good;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	(void)number;
	fault_address = (uintptr_t)info->si_addr;
	siglongjmp(back, 1);
}

#define VALUE 0x8899AABBCCDDEEFFu

/* One access. Loads give their value; stores store VALUE. */
static uint64_t access_it(unsigned kind, char *at)
{
	uint64_t value = VALUE;

	switch (kind) {
	case 0: asm volatile("lb %0, 0(%1)" : "=r"(value) : "r"(at) : "memory"); break;
	case 1: asm volatile("lbu %0, 0(%1)" : "=r"(value) : "r"(at) : "memory"); break;
	case 2: asm volatile("lh %0, 0(%1)" : "=r"(value) : "r"(at) : "memory"); break;
	case 3: asm volatile("lhu %0, 0(%1)" : "=r"(value) : "r"(at) : "memory"); break;
	case 4: asm volatile("lw %0, 0(%1)" : "=r"(value) : "r"(at) : "memory"); break;
	case 5: asm volatile("lwu %0, 0(%1)" : "=r"(value) : "r"(at) : "memory"); break;
	case 6: asm volatile("ld %0, 0(%1)" : "=r"(value) : "r"(at) : "memory"); break;
	case 7: asm volatile("fld ft0, 0(%1); fmv.x.d %0, ft0" : "=r"(value) : "r"(at) : "memory", "ft0"); break;
	case 8: asm volatile("sb %0, 0(%1)" : : "r"(value), "r"(at) : "memory"); break;
	case 9: asm volatile("sh %0, 0(%1)" : : "r"(value), "r"(at) : "memory"); break;
	case 10: asm volatile("sw %0, 0(%1)" : : "r"(value), "r"(at) : "memory"); break;
	case 11: asm volatile("sd %0, 0(%1)" : : "r"(value), "r"(at) : "memory"); break;
	default: asm volatile("fmv.d.x ft0, %0; fsd ft0, 0(%1)" : : "r"(value), "r"(at) : "memory", "ft0"); break;
	}
	return value;
}

static const unsigned widths[KINDS] = { 1, 1, 2, 2, 4, 4, 8, 8, 1, 2, 4, 8, 8 };

static int is_store(unsigned kind)
{
	return kind >= 8;
}

/* 0: it went well. */
static uintptr_t fault_of(unsigned kind, char *at)
{
	volatile unsigned long beside = 0x1234567;

	if (sigsetjmp(back, 0) == 0) {
		access_it(kind, at);
		return 0;
	}
	CHECK(beside == 0x1234567);
	return fault_address ? fault_address : 1;
}

static void warm(void)
{
	for (unsigned i = 0; i < 200000; i++)
		access_it(i % KINDS, good + i % 1000);
}

static void wild(void)
{
	static const uint64_t places[] = {
		0, 1, 8, 4095, 4096, 0x4000000000, 0x4000000001, 0x4000000FFF, 0x40000FFFF8,
		0x40000FFFFF, 0x4000100000, 0x7FFFFFFFF000, 0x7FFFFFFFFFFF, 0x800000000000, 0x8000000000000000,
		0xFFFF800000000000, 0xFFFFFFFFFFF00000, 0xFFFFFFFFFFFFFFF8, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFC000000000,
		0x0000400000000000, 0x4000000000000000, 0xFFFFFFFF00000000,
	};

	for (unsigned i = 0; i < sizeof places / sizeof *places; i++)
		for (unsigned kind = 0; kind < KINDS; kind++)
			if (!fault_of(kind, (char *)places[i]))
				printf("%#lx: no fault, kind %u\n", (long)places[i], kind);
	/* The stack lies at the end of all addresses. */
	for (unsigned away = 1; away <= 9; away++)
		for (unsigned kind = 0; kind < KINDS; kind++)
			CHECK(!fault_of(kind, (char *)0x4000000000 - away) == (widths[kind] <= away));
}

/* Over the border to a page that does not allow it. */
static void border(int before, int behind)
{
	char *page = mmap(NULL, 3 * PAGE, RW, ANON, -1, 0), *edge = page + PAGE;

	memset(page, 'x', 3 * PAGE);
	if (behind < 0)
		munmap(edge, PAGE);
	else
		mprotect(edge, PAGE, behind);
	if (before != RW)
		mprotect(page, PAGE, before);
	for (unsigned kind = 0; kind < KINDS; kind++)
		for (int away = -9; away <= 0; away++) {
			int need = is_store(kind) ? PROT_WRITE : PROT_READ, crosses = away + (int)widths[kind] > 0;
			int first_bad = away < 0 && !(before & need), second_bad = crosses && (behind < 0 || !(behind & need));
			uintptr_t fault = fault_of(kind, edge + away);
			uintptr_t wanted = first_bad ? (uintptr_t)edge + away : second_bad ? (uintptr_t)edge : 0;

			if (fault != wanted)
				printf("rights %d %d, kind %u at %d: fault at %#lx instead of %#lx\n", before, behind, kind, away,
				       (long)fault, (long)wanted);
			if (before & PROT_READ && (first_bad || second_bad) && is_store(kind))
				for (int i = away; i < 0; i++)
					CHECK(edge[i] == 'x');
			if (!first_bad && !second_bad && is_store(kind)) {
				for (int i = 0; i < (int)widths[kind]; i++)
					if (away + i < 0 ? before & PROT_READ : behind & PROT_READ)
						CHECK((unsigned char)edge[away + i] == (unsigned char)(VALUE >> 8 * i));
				if (before & PROT_WRITE)
					memset(edge - 16, 'x', 16);
				if (behind > 0 && behind & PROT_WRITE)
					memset(edge, 'x', 16);
			}
		}
	munmap(page, 3 * PAGE);
}

static void borders(void)
{
	static const int rights[] = { RW, PROT_READ, PROT_NONE, -1 };

	for (int i = 0; i < 4; i++) {
		border(RW, rights[i]);
		if (rights[i] >= 0)
			border(rights[i], RW);
	}
	border(PROT_READ, PROT_NONE);
}

/* Rights that change all the time. */
static void games(void)
{
	enum { PAGES = 64 };
	static const int rights[] = { RW, PROT_READ, PROT_NONE };
	char *at = mmap(NULL, PAGES * PAGE, PROT_NONE, ANON, -1, 0);
	int now[PAGES];
	unsigned wrong = 0;
	uint64_t x = 88172645463325252u;

	for (int i = 0; i < PAGES; i++)
		now[i] = PROT_NONE;
	for (int round = 0; round < 4000; round++) {
		unsigned page, count, kind;
		int fault;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		page = x % PAGES;
		count = 1 + x / 64 % 3;
		if (page + count > PAGES)
			count = PAGES - page;
		if (round % 3 == 0) {
			mprotect(at + page * PAGE, count * PAGE, rights[x / 4096 % 3]);
			for (unsigned i = page; i < page + count; i++)
				now[i] = rights[x / 4096 % 3];
		} else if (round % 50 == 1) {
			CHECK(madvise(at + page * PAGE, PAGE, MADV_DONTNEED) == 0);
			if (now[page] & PROT_READ)
				CHECK(at[page * PAGE + 17] == 0);
		}
		kind = x / 9999 % KINDS;
		fault = fault_of(kind, at + page * PAGE + x / 777 % 500 * 8) != 0;
		wrong += fault != !(now[page] & (is_store(kind) ? PROT_WRITE : PROT_READ));
	}
	CHECK(wrong == 0);
	munmap(at, PAGES * PAGE);
}

/* What goes away is not there; what comes back is empty. */
static void moves(void)
{
	for (int round = 0; round < 40; round++) {
		char *at = mmap(NULL, 8 * PAGE, RW, ANON, -1, 0), *to;

		memset(at, round + 1, 8 * PAGE);
		munmap(at + 2 * PAGE, PAGE);
		CHECK(fault_of(6, at + 2 * PAGE) && !fault_of(6, at + PAGE));
		CHECK(mmap(at + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == at + 2 * PAGE);
		CHECK(at[2 * PAGE] == 0 && at[3 * PAGE] == round + 1);
		to = mremap(at + 4 * PAGE, 4 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
		CHECK(to != MAP_FAILED && to[0] == round + 1 && to[4 * PAGE - 1] == round + 1 && to[4 * PAGE] == 0);
		if (to != at + 4 * PAGE)
			CHECK(fault_of(1, at + 4 * PAGE) && fault_of(8, at + 8 * PAGE - 1));
		munmap(at, 4 * PAGE);
		munmap(to, 16 * PAGE);
		CHECK(fault_of(0, to) && fault_of(11, at));
	}
}

/* Two processes: what is shared is seen, what is not is not. */
static void forks(void)
{
	volatile int *shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int *own = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
	int status = 0;

	own[0] = shared[0] = 1;
	for (int round = 0; round < 3; round++) {
		pid_t child = fork();

		if (child == 0) {
			warm();
			CHECK(own[0] == 1 + round && shared[0] == 1 + round);
			own[0] = 99;
			for (int i = 0; i < 1000; i++)
				shared[1024 + i] += 1;
			mprotect((void *)own, PAGE, PROT_NONE);
			CHECK(fault_of(4, (char *)own));
			_exit(check_failures);
		}
		waitpid(child, &status, 0);
		CHECK(status == 0 && own[0] == 1 + round);
		own[0]++;
		shared[0]++;
		CHECK(shared[1024 + 999] == round + 1);
	}
	munmap((void *)(shared + 1024), PAGE); /* private memory follows where shared memory was */
	CHECK(fault_of(4, (char *)(shared + 1024)));
	CHECK(mmap((void *)(shared + 1024), PAGE, RW, ANON | MAP_FIXED, -1, 0) == (void *)(shared + 1024));
	CHECK(shared[1024] == 0 && shared[0] == 4);
	for (int i = 0; i < 100000; i++)
		shared[1024 + i % 1024] += i;
	CHECK(shared[1024 + 1] == 97 * 1 + 1024 * (96 * 97 / 2) + 97 * 1024 + 1);
}

static uint32_t adds(unsigned number)
{
	return 0x00050513 | number << 20; /* addi a0, a0, number */
}

/* Functions on a page, with data between them, written by stores and by the kernel. */
static void code(void)
{
	uint32_t *at = mmap(NULL, 4 * PAGE, RW | PROT_EXEC, ANON, -1, 0);
	long (*one)(long) = (void *)at, (*two)(long) = (void *)(at + 512);
	uint32_t text[2] = { adds(5), 0x00008067 };
	int pipes[2];
	long sum = 0;

	at[0] = at[512] = adds(1);
	at[1] = at[513] = 0x00008067;
	asm volatile("fence.i" ::: "memory");
	for (int i = 0; i < 3000; i++) {
		at[100 + i % 300] = i;
		sum = one(sum) + two(0);
		CHECK(at[100 + i % 300] == (uint32_t)i);
		if (i % 10 == 0) {
			at[512] = adds(i % 7);
			asm volatile("fence.i" ::: "memory");
			CHECK(two(0) == i % 7);
			at[512] = adds(1);
			asm volatile("fence.i" ::: "memory");
		}
	}
	CHECK(sum == 6000);
	CHECK(pipe(pipes) == 0 && write(pipes[1], text, sizeof text) == sizeof text);
	CHECK(read(pipes[0], at, sizeof text) == sizeof text);
	asm volatile("fence.i" ::: "memory");
	CHECK(one(0) == 5 && two(0) == 1);
	CHECK(mprotect(at, PAGE, PROT_READ | PROT_EXEC) == 0);
	CHECK(one(0) == 5 && fault_of(10, (char *)(at + 600)) && !fault_of(4, (char *)(at + 600)));
	CHECK(write(pipes[1], text, sizeof text) == sizeof text);
	FAILS(EFAULT, read(pipes[0], at, sizeof text));
	CHECK(mprotect(at, PAGE, RW) == 0);
	CHECK(!fault_of(10, (char *)(at + 600)));
	munmap(at, 4 * PAGE);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	good = mmap(NULL, PAGE, RW, ANON, -1, 0);
	warm();
	wild();
	borders();
	games();
	moves();
	forks();
	code();
	warm();
	return check_end("memory_rights");
}

/* expect 0
 * memory_rights: all right
 */
