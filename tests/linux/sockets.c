/* SPDX-License-Identifier: MIT
 *
 * AF_UNIX sockets: pairs, files that travel, servers with children, names, datagrams, ends.
 * Linux itself gives the same; qemu-user differs where an address is bad.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int polled(int fd, short events)
{
	struct pollfd one = { fd, events, 0 };

	return poll(&one, 1, 0) < 0 ? -1 : one.revents;
}

static socklen_t name_of(struct sockaddr_un *name, const char *text)
{
	memset(name, 0, sizeof(*name));
	name->sun_family = AF_UNIX;
	strcpy(name->sun_path + (*text == '@'), text + (*text == '@'));
	return offsetof(struct sockaddr_un, sun_path) + strlen(text) + (*text != '@');
}

static void pairs(void)
{
	struct sockaddr_un name;
	socklen_t len = sizeof(name);
	int fds[2], pending, type;
	char bytes[100];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	FAILS(EAGAIN, read(fds[0], bytes, 1));
	CHECK(write(fds[0], "hello ", 6) == 6 && send(fds[0], "world", 5, 0) == 5);
	CHECK(ioctl(fds[1], FIONREAD, &pending) == 0 && pending == 11);
	CHECK(recv(fds[1], bytes, 3, MSG_PEEK) == 3 && read(fds[1], bytes, 100) == 11 && !memcmp(bytes, "hello world", 11));
	CHECK(write(fds[1], "back", 4) == 4 && read(fds[0], bytes, 100) == 4);
	CHECK(polled(fds[0], POLLIN | POLLOUT) == POLLOUT);
	CHECK(getsockname(fds[0], (void *)&name, &len) == 0 && len == 2 && name.sun_family == AF_UNIX);
	len = sizeof(type);
	CHECK(getsockopt(fds[0], SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM && len == 4);
	FAILS(ESPIPE, lseek(fds[0], 0, SEEK_SET));
	FAILS(EISCONN, sendto(fds[0], "x", 1, 0, (void *)&name, 2));
	CHECK(shutdown(fds[0], SHUT_WR) == 0 && read(fds[1], bytes, 1) == 0);
	CHECK(polled(fds[1], POLLIN | POLLRDHUP) == (POLLIN | POLLRDHUP));
	FAILS(EPIPE, send(fds[0], "x", 1, MSG_NOSIGNAL));
	CHECK(write(fds[1], "still", 5) == 5);
	close(fds[1]);
	CHECK(polled(fds[0], POLLIN) == (POLLIN | POLLHUP) && read(fds[0], bytes, 100) == 5 && read(fds[0], bytes, 1) == 0);
	close(fds[0]);
	/* what was not read is lost, and the other side hears of it */
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 && write(fds[0], "lost", 4) == 4);
	close(fds[1]);
	FAILS(ECONNRESET, read(fds[0], bytes, 1));
	CHECK(read(fds[0], bytes, 1) == 0);
	close(fds[0]);
	/* messages keep their bounds */
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) == 0);
	CHECK(write(fds[0], "one", 3) == 3 && write(fds[0], "three", 5) == 5);
	CHECK(recv(fds[1], bytes, 2, MSG_TRUNC) == 3 && !memcmp(bytes, "on", 2));
	CHECK(read(fds[1], bytes, 100) == 5);
	FAILS(EAGAIN, read(fds[1], bytes, 100));
	close(fds[0]);
	CHECK(read(fds[1], bytes, 100) == 0);
	close(fds[1]);
	FAILS(EAFNOSUPPORT, socketpair(99, SOCK_STREAM, 0, fds));
	FAILS(EPROTONOSUPPORT, socket(AF_UNIX, SOCK_STREAM, 77));
	FAILS(ENOTSOCK, listen(0, 1));
}

/* Sends the file beside one byte; gives what sendmsg did. */
static ssize_t send_file(int socket, int *files, int count)
{
	char control[CMSG_SPACE(sizeof(int) * 8)] = "";
	struct iovec byte = { "f", 1 };
	struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = CMSG_SPACE(sizeof(int) * count) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(head), files, sizeof(int) * count);
	return sendmsg(socket, &message, 0);
}

/* Gives how many files came; *flags: of the message. */
static int receive_files(int socket, int *files, int room, int *flags)
{
	char control[CMSG_SPACE(sizeof(int) * 8)] = "", bytes[10];
	struct iovec byte = { bytes, 10 };
	struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = CMSG_LEN(sizeof(int) * room) };
	struct cmsghdr *head;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	*flags = message.msg_flags;
	head = CMSG_FIRSTHDR(&message);
	if (!head || head->cmsg_type != SCM_RIGHTS)
		return 0;
	memcpy(files, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
	return (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
}

static void passing(void)
{
	int fds[2], through[2], files[8] = { 0 }, flags, bad = 999;
	char bytes[8];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 && pipe(through) == 0);
	CHECK(send_file(fds[0], &through[0], 1) == 1);
	close(through[0]); /* it lives on in the queue */
	CHECK(write(fds[0], "tail", 4) == 4);
	CHECK(receive_files(fds[1], files, 8, &flags) == 1 && !(flags & MSG_CTRUNC));
	CHECK(fcntl(files[0], F_GETFD) == FD_CLOEXEC);
	CHECK(write(through[1], "x", 1) == 1 && read(files[0], bytes, 8) == 1 && bytes[0] == 'x');
	CHECK(read(fds[1], bytes, 8) == 4);
	close(files[0]);
	FAILS(EBADF, send_file(fds[0], &bad, 1));
	/* two files, room for one */
	CHECK(send_file(fds[0], fds, 2) == 1 && receive_files(fds[1], files, 1, &flags) == 1 && (flags & MSG_CTRUNC));
	close(files[0]);
	/* a plain read loses them */
	CHECK(send_file(fds[0], through + 1, 1) == 1 && read(fds[1], bytes, 8) == 1);
	/* a socket in its own queue */
	CHECK(send_file(fds[0], fds + 1, 1) == 1);
	close(fds[0]);
	close(fds[1]);
	close(through[1]);
}

static void credentials(void)
{
	char control[100] = "", byte[4];
	struct iovec vector = { byte, 4 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 100 };
	struct ucred *who;
	int fds[2], on = 1, status;
	struct cmsghdr *head;
	pid_t child;

	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
	CHECK(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	child = fork();
	if (!child)
		_exit(write(fds[0], "c", 1) == 1 ? 0 : 1);
	CHECK(recvmsg(fds[1], &message, 0) == 1);
	head = CMSG_FIRSTHDR(&message);
	CHECK(head && head->cmsg_type == SCM_CREDENTIALS && head->cmsg_len == CMSG_LEN(sizeof(*who)));
	who = (struct ucred *)CMSG_DATA(head);
	CHECK(who->pid == child && who->uid == getuid() && who->gid == getgid());
	CHECK(wait(&status) == child && status == 0);
	close(fds[0]);
	close(fds[1]);
}

static void serve(const char *text, int type)
{
	struct sockaddr_un name, peer;
	socklen_t len = name_of(&name, text), peer_len = sizeof(peer);
	int listener = socket(AF_UNIX, type, 0), status, sum = 0;
	struct ucred who;
	pid_t children[5];

	unlink(text);
	CHECK(bind(listener, (void *)&name, len) == 0);
	FAILS(EINVAL, bind(listener, (void *)&peer, name_of(&peer, "@husk-test-other")));
	if (*text != '@') {
		struct stat stat_of;

		CHECK(stat(text, &stat_of) == 0 && S_ISSOCK(stat_of.st_mode));
		FAILS(ENXIO, open(text, O_RDWR));
	}
	int early = socket(AF_UNIX, type, 0);
	FAILS(ECONNREFUSED, connect(early, (void *)&name, len));
	close(early);
	CHECK(listen(listener, 2) == 0);
	CHECK(polled(listener, POLLIN) == 0);
	for (int i = 0; i < 5; i++) {
		children[i] = fork();
		if (!children[i]) {
			int fd = socket(AF_UNIX, type, 0);
			char bytes[10] = { (char)('0' + i) };

			if (connect(fd, (void *)&name, len) || write(fd, bytes, 1) != 1 || read(fd, bytes, 10) != 2)
				_exit(100);
			_exit(bytes[1] == '!' ? bytes[0] - '0' : 101);
		}
	}
	for (int i = 0; i < 5; i++) {
		int fd = accept4(listener, (void *)&peer, &peer_len, SOCK_CLOEXEC);
		char bytes[10] = "";

		len = sizeof(who);
		CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
		CHECK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.uid == getuid());
		CHECK(read(fd, bytes, 10) == 1);
		bytes[1] = '!';
		CHECK(write(fd, bytes, 2) == 2);
		peer_len = sizeof(peer);
		CHECK(getsockname(fd, (void *)&peer, &peer_len) == 0 && !memcmp(peer.sun_path, name.sun_path, 8));
		close(fd);
	}
	for (int i = 0; i < 5; i++) {
		CHECK(waitpid(children[i], &status, 0) == children[i] && WIFEXITED(status));
		sum += WEXITSTATUS(status);
	}
	CHECK(sum == 0 + 1 + 2 + 3 + 4);
	close(listener);
	int late = socket(AF_UNIX, type, 0);
	FAILS(ECONNREFUSED, connect(late, (void *)&name, name_of(&name, text)));
	close(late);
	unlink(text);
}

static void datagrams(void)
{
	struct sockaddr_un here, there, from;
	socklen_t here_len = name_of(&here, "@husk-test-a"), there_len = name_of(&there, "@husk-test-b"), len = sizeof(from);
	int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0);
	char bytes[20];

	CHECK(bind(a, (void *)&here, here_len) == 0 && bind(b, (void *)&there, there_len) == 0);
	FAILS(EADDRINUSE, bind(c, (void *)&there, there_len));
	CHECK(sendto(a, "first", 5, 0, (void *)&there, there_len) == 5);
	CHECK(sendto(a, "", 0, 0, (void *)&there, there_len) == 0);
	CHECK(recvfrom(b, bytes, 20, 0, (void *)&from, &len) == 5 && len == here_len && !memcmp(&from, &here, len));
	CHECK(recv(b, bytes, 20, 0) == 0);
	FAILS(EAGAIN, recv(b, bytes, 20, MSG_DONTWAIT));
	FAILS(ENOTCONN, send(c, "x", 1, 0));
	CHECK(connect(c, (void *)&there, there_len) == 0 && send(c, "second", 6, 0) == 6 && recv(b, bytes, 20, 0) == 6);
	FAILS(EMSGSIZE, send(c, bytes, 10000000, 0));
	CHECK(connect(b, (void *)&here, here_len) == 0);
	FAILS(EPERM, sendto(c, "x", 1, 0, (void *)&there, there_len));
	close(b);
	FAILS(ECONNREFUSED, sendto(a, "x", 1, 0, (void *)&there, there_len));
	FAILS(ECONNREFUSED, send(c, "x", 1, 0));
	FAILS(EOPNOTSUPP, listen(a, 1));
	close(a);
	close(c);
	/* a name of the kernel's choice */
	a = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(bind(a, (void *)&here, 2) == 0);
	len = sizeof(from);
	CHECK(getsockname(a, (void *)&from, &len) == 0 && len == 8 && !from.sun_path[0]);
	close(a);
}

/* More than a queue holds, each way, between two processes. */
static void flood(void)
{
	static char bytes[1000000];
	int fds[2], status;
	size_t got = 0;
	ssize_t piece;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	if (fork() == 0) {
		close(fds[0]);
		_exit(write(fds[1], bytes, sizeof(bytes)) == sizeof(bytes) ? 0 : 1);
	}
	close(fds[1]);
	while ((piece = read(fds[0], bytes, 50000)) > 0)
		got += piece;
	CHECK(got == sizeof(bytes) && wait(&status) > 0 && status == 0);
	close(fds[0]);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	if (fork() == 0) {
		for (int i = 0; i < 10; i++) {
			usleep(1000);
			write(fds[1], bytes, 1000);
		}
		_exit(0);
	}
	CHECK(recv(fds[0], bytes, 10000, MSG_WAITALL) == 10000);
	wait(NULL);
	struct timeval patience = { 0, 10000 };
	CHECK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	FAILS(EAGAIN, read(fds[0], bytes, 1));
	FAILS(EAGAIN, recv(fds[0], bytes, 1, 0));
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	struct sockaddr_un name;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	FAILS(ENOENT, connect(fd, (void *)&name, name_of(&name, "/tmp/husk-test-none")));
	FAILS(ENOTCONN, getpeername(fd, (void *)&name, &(socklen_t){ sizeof(name) }));
	FAILS(EINVAL, accept(fd, NULL, NULL));
	FAILS(EINVAL, connect(fd, (void *)&name, 200));
	close(fd);
	pairs();
	passing();
	credentials();
	serve("/tmp/husk-test-socket", SOCK_STREAM);
	serve("@husk-test-socket", SOCK_STREAM);
	serve("@husk-test-socket", SOCK_SEQPACKET);
	datagrams();
	flood();
	return check_end("sockets");
}

/* expect 0
 * sockets: all right
 */
