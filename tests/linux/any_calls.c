/* SPDX-License-Identifier: MIT
 *
 * System calls at random, with arguments that mean something and such that don't. Nothing may come of it but results:
 * the machine goes on, and the first process sees its children end. Given: a seed, and how many children.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long long state;

static unsigned long long random_number(void)
{
	unsigned long long z = state += 0x9E3779B97F4A7C15ull;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
	return z ^ (z >> 31);
}

static char *memory; /* two pages, a hole behind them */

static long argument(void)
{
	switch (random_number() % 12) {
	case 0: return 0;
	case 1: return -1;
	case 2: return (long)(random_number() % 8);
	case 3: return (long)(random_number() % 300);
	case 4: return (long)memory + (long)(random_number() % 8192);
	case 5: return (long)memory + 8192 - (long)(random_number() % 16);
	case 6: return (long)random_number();
	case 7: return 1L << random_number() % 64;
	case 8: return (long)(random_number() % 5) - 100;
	case 9: return 4096;
	case 10: return getpid();
	default: return (long)memory;
	}
}

/* Memory that looks like paths, numbers, times, lists of pointers. */
static void fill(void)
{
	static const char *const texts[] = { "/", "/tmp/a", "../../etc/passwd", "/proc/self/fd/0", "a", "/dev/null", "/tmp" };

	for (int i = 0; i < 8192; i += 8) {
		long value = argument();

		memcpy(memory + i, &value, 8);
	}
	strcpy(memory + random_number() % 4096, texts[random_number() % 7]);
}

static int is_left_out(long number)
{
	switch (number) {
	case SYS_exit: case SYS_exit_group: case SYS_rt_sigsuspend: case SYS_rt_sigreturn:
		return 1;
	default:
		return 0;
	}
}

static void nothing(int number)
{
	(void)number;
}

static void play(void)
{
	struct rlimit cpu = { 2, 3 };
	struct sigaction action = { .sa_handler = nothing };

	sigaction(SIGALRM, &action, NULL);
	setrlimit(RLIMIT_CPU, &cpu);
	for (int i = 0; i < 400; i++) {
		static const int arch[] = { 258, 259 };
		long number = random_number() % 16 ? (long)(random_number() % 300) : 420 + (long)(random_number() % 45);

		(void)arch;
		if (is_left_out(number))
			continue;
		fill();
		ualarm(2000, 2000); /* whatever it waits for */
		syscall(number, argument(), argument(), argument(), argument(), argument(), argument());
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned long long seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	int children = argc > 2 ? atoi(argv[2]) : 6, ended = 0;

	memory = mmap(NULL, 3 * 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(memory + 8192, 8192);
	for (int i = 0; i < children; i++) {
		pid_t child;

		fflush(stdout);
		child = fork();
		if (!child) {
			setsid();
			if (setuid(1000)) /* else it would kill the first process */
				_exit(1);
			state = seed + (unsigned)i;
			close(1);
			close(2);
			play();
		}
		for (int waited = 0; child > 0; waited++) { /* what became of it may hang */
			if (waitpid(child, NULL, WNOHANG) == child)
				break;
			if (waited == 500)
				kill(child, SIGKILL);
			usleep(1000);
		}
		ended++;
		kill(-1, SIGKILL); /* and what it made */
		while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
			;
	}
	printf("ended: %d\n", ended == children);
	return 0;
}

/* expect 0
 * ended: 1
 */
