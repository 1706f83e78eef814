/* SPDX-License-Identifier: MIT
 *
 * Internet sockets on the loopback: a server and clients in one guest, waiting in all ways. qemu: the same
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static struct sockaddr_in here(int port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return name;
}

static int listener(struct sockaddr_in *name)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	socklen_t len = sizeof(*name);

	*name = here(0);
	CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	CHECK(bind(fd, (void *)name, sizeof(*name)) == 0 && listen(fd, 5) == 0);
	CHECK(getsockname(fd, (void *)name, &len) == 0 && name->sin_port != 0);
	return fd;
}

/* Sends back what comes, three clients one after the other. */
static void echo(void)
{
	struct sockaddr_in name, peer;
	socklen_t len = sizeof(peer);
	int server = listener(&name), status;
	char bytes[1000];
	ssize_t got;

	for (int i = 0; i < 3; i++)
		if (fork() == 0) {
			static char block[200000], back[200000];
			int fd = socket(AF_INET, SOCK_STREAM, 0);
			size_t done = 0;

			memset(block, 'a' + i, sizeof(block));
			if (connect(fd, (void *)&name, sizeof(name)))
				_exit(1);
			if (fork() == 0)
				_exit(write(fd, block, sizeof(block)) == sizeof(block) && !shutdown(fd, SHUT_WR) ? 0 : 1);
			while ((got = read(fd, back + done, sizeof(back) - done)) > 0)
				done += got;
			wait(&status);
			_exit(status || done != sizeof(block) || memcmp(block, back, done));
		}
	for (int i = 0; i < 3; i++) {
		int fd = accept(server, (void *)&peer, &len);

		CHECK(fd >= 0 && peer.sin_family == AF_INET && peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
		while ((got = read(fd, bytes, sizeof(bytes))) > 0)
			CHECK(write(fd, bytes, got) == got);
		close(fd);
	}
	for (int i = 0; i < 3; i++)
		CHECK(wait(&status) > 0 && status == 0);
	close(server);
	FAILS(ECONNREFUSED, connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&name, sizeof(name)));
}

/* Nonblocking ends under epoll, at edges. */
static void edges(void)
{
	struct epoll_event event = { EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, { 0 } };
	struct sockaddr_in name;
	int server = listener(&name), set = epoll_create1(0), one = 1, error = 1;
	int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), fd;
	socklen_t len = sizeof(error);
	char bytes[100];

	CHECK(connect(client, (void *)&name, sizeof(name)) == 0 || errno == EINPROGRESS);
	fd = accept4(server, NULL, NULL, SOCK_NONBLOCK);
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, client, &event) == 0);
	CHECK(epoll_wait(set, &event, 1, -1) == 1 && event.events == EPOLLOUT);
	CHECK(getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0);
	CHECK(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
	FAILS(EAGAIN, read(client, bytes, 100));
	CHECK(epoll_wait(set, &event, 1, 10) == 0);
	if (fork() == 0) {
		usleep(5000);
		_exit(write(fd, "late", 4) == 4 ? 0 : 1);
	}
	CHECK(epoll_wait(set, &event, 1, -1) == 1 && event.events & EPOLLIN);
	CHECK(recv(client, bytes, 100, MSG_PEEK) == 4 && read(client, bytes, 100) == 4);
	wait(NULL);
	FAILS(EAGAIN, recv(client, bytes, 100, 0));
	CHECK(write(fd, "quick", 5) == 5); /* between the read and the wait */
	CHECK(epoll_wait(set, &event, 1, 1000) == 1 && event.events & EPOLLIN);
	CHECK(read(client, bytes, 100) == 5);
	close(fd);
	CHECK(epoll_wait(set, &event, 1, 1000) == 1 && event.events & EPOLLRDHUP);
	CHECK(read(client, bytes, 100) == 0);
	close(client);
	close(server);
}

static void datagrams(void)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), pending;
	struct sockaddr_in name = here(0), from;
	socklen_t len = sizeof(name), from_len = sizeof(from);
	struct timeval patience = { 0, 20000 };
	struct pollfd one = { b, POLLIN, 0 };
	char bytes[10];

	CHECK(bind(b, (void *)&name, sizeof(name)) == 0 && getsockname(b, (void *)&name, &len) == 0);
	CHECK(sendto(a, "datagram", 8, 0, (void *)&name, sizeof(name)) == 8);
	CHECK(poll(&one, 1, -1) == 1 && ioctl(b, FIONREAD, &pending) == 0 && pending == 8);
	CHECK(recvfrom(b, bytes, 4, MSG_TRUNC, (void *)&from, &from_len) == 8 && from_len == sizeof(from));
	CHECK(connect(b, (void *)&from, from_len) == 0 || errno == EINVAL);
	CHECK(setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	FAILS(EAGAIN, recv(b, bytes, 10, 0));
	close(a);
	close(b);
	FAILS(EAFNOSUPPORT, socket(77, SOCK_DGRAM, 0));
}

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (argc > 1) { /* no network was given */
		printf("%d %d\n", fd, errno == EACCES);
		return 0;
	}
	close(fd);
	signal(SIGPIPE, SIG_IGN);
	echo();
	edges();
	datagrams();
	return check_end("internet");
}

/* expect 0
 * internet: all right
 */
