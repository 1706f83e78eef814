/* SPDX-License-Identifier: MIT
 *
 * Programs that want too much, each held at its limit: floods descriptors | files | sockets | output
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* As many as one process gets. */
static void descriptors(void)
{
	struct rlimit limit;
	int count = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (open("/dev/null", O_RDONLY) >= 0)
		count++;
	printf("%d: %s\n", count, strerror(errno));
}

/* Processes that open all they can, until all together have too many. */
static void files(void)
{
	int status, most = 0;

	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			int fds[2], error;

			while (pipe(fds) == 0)
				;
			error = errno;
			usleep(200000);
			_exit(error);
		}
	while (wait(&status) > 0)
		if (WEXITSTATUS(status) > most && WEXITSTATUS(status) == ENFILE)
			most = WEXITSTATUS(status);
	printf("%s\n", strerror(most));
}

/* Files in files' queues, and sets of everything. */
static void sockets(void)
{
	char control[CMSG_SPACE(sizeof(int) * 100)] = "";
	struct iovec byte = { "f", 1 };
	struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	struct epoll_event event = { EPOLLIN, { 0 } };
	int fds[2], chain[2], sets = 0, items = 0, sent = 0;
	static char block[4096];

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int) * 100);
	for (int i = 0; i < 100; i++)
		((int *)CMSG_DATA(head))[i] = fds[i % 2];
	while (sendmsg(fds[0], &message, 0) == 1)
		sent++;
	printf("sent: %s after %s\n", strerror(errno), sent > 10 && sent < 100 ? "some" : "too few or many");
	close(fds[0]);
	close(fds[1]); /* and they hold one another */
	/* A chain: each in the queue of the next, and then all go at once. */
	message.msg_controllen = CMSG_LEN(sizeof(int));
	head->cmsg_len = CMSG_LEN(sizeof(int));
	socketpair(AF_UNIX, SOCK_STREAM, 0, chain);
	for (int i = 0; i < 3000; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
			break;
		*(int *)CMSG_DATA(head) = chain[1];
		if (sendmsg(fds[0], &message, 0) != 1)
			break;
		close(chain[0]);
		close(chain[1]);
		chain[0] = fds[0];
		chain[1] = fds[1];
	}
	close(chain[0]);
	close(chain[1]);
	/* Memory in queues stays bounded. */
	for (int i = 0; i < 300; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
			break;
		while (write(fds[0], block, sizeof(block)) > 0)
			;
	}
	close_range(3, ~0u, 0);
	/* Sets in sets. */
	for (; sets < 200; sets++) {
		int set = epoll_create1(0);

		for (int fd = 3; fd < set; fd++)
			items += epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0;
	}
	printf("sets: %d, items: %s\n", sets, items > 0 && items < 20000 ? "some" : "too few or many");
	for (int fd = 3; fd < 3 + sets; fd++)
		epoll_wait(fd, &event, 1, 0);
}

static void output(void)
{
	static char block[1000];

	memset(block, 'x', sizeof(block));
	block[999] = '\n';
	fork(); /* the child as well */
	for (;;)
		write(1, block, sizeof(block));
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 1;
	if (!strcmp(argv[1], "descriptors"))
		descriptors();
	else if (!strcmp(argv[1], "files"))
		files();
	else if (!strcmp(argv[1], "sockets"))
		sockets();
	else
		output();
	return 0;
}
