/* SPDX-License-Identifier: MIT
 * Waits for mail and for a pipe at once, with poll and a thread that writes into the pipe; takes three messages as they come, answers
 * each, and reads one of them byte by byte.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int ends[2];

static void *writer(void *arg)
{
	write(ends[1], "x", 1);
	return arg;
}

int main(void)
{
	int box = open("/dev/husk/mailbox", O_RDWR), mails = 0, pipes = 0;
	char text[256], name[64], answer[400];
	pthread_t thread;

	if (box < 0 || pipe(ends))
		return 1;
	if (write(box, "nobody hello", 12) != -1 || errno != EHOSTUNREACH)
		return 2;
	if (write(box, "", 0) != 0 && errno != EINVAL)
		return 3;
	pthread_create(&thread, NULL, writer, NULL);
	while (mails < 3 || pipes < 1) {
		struct pollfd fds[2] = {{.fd = box, .events = POLLIN}, {.fd = ends[0], .events = POLLIN}};
		ssize_t n = 0, got;

		if (poll(fds, 2, -1) < 1)
			return 5;
		if (fds[1].revents)
			pipes += read(ends[0], text, 1) == 1;
		if (!fds[0].revents)
			continue;
		if (mails == 1) { /* in pieces */
			while ((got = read(box, text + n, 1)) == 1 && text[n++] != '\n')
				;
		} else {
			n = read(box, text, sizeof text - 1);
		}
		if (n <= 0)
			return 6;
		text[n] = 0;
		mails++;
		printf("%s", text);
		sscanf(text, "%63s", name);
		snprintf(answer, sizeof answer, "%s mail %d\n", name, mails);
		if (write(box, answer, strlen(answer)) != (ssize_t)strlen(answer))
			return 7;
	}
	pthread_join(thread, NULL);
	fcntl(box, F_SETFL, O_RDWR | O_NONBLOCK); /* nobody writes any more */
	if (read(box, text, sizeof text) != -1 || errno != EAGAIN)
		return 4;
	return 0;
}
