/* SPDX-License-Identifier: MIT
 *
 * A bit of everything that a snapshot must keep: threads and a lock, a child behind a pipe, a timer, a file of a folder that
 * was given, memory, a file in memory that has no name any more, shared memory, a pair of sockets, and typed lines.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long sum;
static volatile int ticks;

static void *work(void *number)
{
	for (long i = 0; i < 2000; i++) {
		pthread_mutex_lock(&lock);
		sum += i * (long)number;
		pthread_mutex_unlock(&lock);
		if (i % 500 == 0)
			usleep(1000);
	}
	return NULL;
}

static void tick(int number)
{
	(void)number;
	ticks++;
}

static int read_lines(int fd, int *shared)
{
	FILE *in = fdopen(fd, "r");
	char line[100];
	int len = 0;

	signal(SIGALRM, SIG_IGN);
	while (fgets(line, sizeof line, in)) {
		len += (int)strlen(line);
		shared[1]++;
	}
	printf("the child has read %d bytes\n", len);
	fflush(stdout);
	return len & 127;
}

int main(void)
{
	struct itimerval timer = {{0, 3000}, {0, 3000}}, none = {0};
	FILE *given = fopen("/data/lines", "r"), *out;
	char *heap[64], line[100], typed[100] = "", echoed[100] = "";
	int *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fds[2], pair[2], hidden = open("/tmp/hidden", O_RDWR | O_CREAT, 0600), status, lines = 0;
	pthread_t threads[4];
	long check = 0;
	pid_t child;

	if (!given || hidden < 0 || pipe(fds) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 1;
	unlink("/tmp/hidden");
	signal(SIGALRM, tick);
	setitimer(ITIMER_REAL, &timer, NULL);
	fflush(stdout);
	child = fork();
	if (!child) {
		close(fds[1]);
		exit(read_lines(fds[0], shared));
	}
	close(fds[0]);
	out = fdopen(fds[1], "w");
	for (long i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, work, (void *)(i + 1));
	for (int i = 0; i < 64; i++)
		heap[i] = memset(malloc(1000 + i * 700), i, 1000 + i * 700);
	while (fgets(line, sizeof line, given)) {
		fprintf(out, "%d %s", lines++, line);
		if (lines % 50)
			continue;
		fflush(out);
		dprintf(hidden, "%d;", lines);
		dprintf(pair[0], "%d,", lines);
		if (lines == 500)
			fgets(typed, sizeof typed, stdin);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	fclose(out);
	while (waitpid(child, &status, 0) != child)
		;
	setitimer(ITIMER_REAL, &none, NULL);
	for (int i = 0; i < 64; i++)
		check += heap[i][999] * i;
	pread(hidden, line, 20, 0);
	line[20] = 0;
	read(pair[1], echoed, 20);
	printf("sum %ld, %d lines, %d read, child %d, check %ld\n", sum, lines, shared[1], WEXITSTATUS(status), check);
	printf("%s %s %s", line, echoed, typed);
	printf("%s", fgets(typed, sizeof typed, stdin) ? typed : "no more\n");
	printf("%s\n", ticks > 2 ? "it ticked" : "it did not tick");
	return 5;
}
