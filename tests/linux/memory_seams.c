/* SPDX-License-Identifier: MIT
 *
 * Every other page has other rights, in more pages than the host has maps for, in one process or in several (argument:
 * pages of each of how many). The rights hold all the same, and programs that do no such thing go on beside.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { PAGE = 4096 };

static sigjmp_buf back;
static volatile unsigned sink;

static void on_fault(int number)
{
	(void)number;
	siglongjmp(back, 1);
}

static int faults(volatile char *at)
{
	if (sigsetjmp(back, 0))
		return 1;
	*at = 1;
	return 0;
}

static void warm(void)
{
	for (unsigned i = 0; i < 1500000; i++)
		sink += i;
}

static void play(int pages)
{
	char *at = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int wrong = 0;

	for (int i = 0; i < pages; i++)
		at[i * (long)PAGE] = i;
	for (int i = 0; i < pages; i += 2)
		CHECK(mprotect(at + i * (long)PAGE, PAGE, i % 4 ? PROT_READ : PROT_NONE) == 0);
	warm();
	for (int i = 0; i < pages; i++)
		wrong += faults(at + i * (long)PAGE + 8) != (i % 2 == 0);
	CHECK(wrong == 0);
	for (int i = 0; i < pages; i += 2)
		CHECK(mprotect(at + i * (long)PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
	for (int i = 0; i < pages; i++)
		wrong += at[i * (long)PAGE] != (char)i || at[i * (long)PAGE + 8] != i % 2;
	CHECK(wrong == 0);
}

int main(int count, char **arguments)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	int pages = count > 1 ? atoi(arguments[1]) : 20000, processes = count > 2 ? atoi(arguments[2]) : 1, status, hold[2];
	char byte;

	sigaction(SIGSEGV, &action, NULL);
	warm();
	pipe(hold);
	for (int i = 0; i < processes; i++)
		if (fork() == 0) {
			play(pages);
			close(hold[1]);
			read(hold[0], &byte, 1); /* all are there until all are done */
			_exit(check_failures);
		}
	close(hold[1]);
	close(hold[0]);
	for (int i = 0; i < processes; i++)
		CHECK(wait(&status) > 0 && status == 0);
	warm();
	return check_end("memory_seams");
}

/* expect 0
 * memory_seams: all right
 */
