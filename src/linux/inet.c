/* SPDX-License-Identifier: MIT
 *
 * Internet sockets: each is a socket of the host, which never blocks, behind rules (inet_rules.c).
 *
 * Denied as a whole unless the embedder has given the network. Streams and datagrams of TCP and UDP only; flags, options
 * and addresses are passed on when they are known to be harmless, and nothing else is.
 *
 * Edges. The host is asked what holds (poll with no time) each time somebody looks. What has come up since somebody was
 * told "not now" (EAGAIN) is an edge, and counted, so that an edge-triggered epoll set hears of what came between a
 * read and its wait. `known` are the events that nobody has to be told of anew.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/inet.h"
#include "linux/rights.h"

enum { FOR_READING = POLLIN | POLLPRI | POLLRDHUP, FOR_WRITING = POLLOUT };

/* -errno of the host's last call; the numbers are the same everywhere. */
static i64 failed(InetSocket *socket, u32 events)
{
	if (errno == EAGAIN)
		socket->known &= ~events;
	return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

/* ---- Making them ---- */

static const SocketOps inet_ops;

/* Takes the host's descriptor over. */
static i64 make(Kernel *kernel, int fd, i32 family, i32 type, u32 flags, File **out)
{
	InetSocket *socket = calloc(1, sizeof(*socket));

	if (!socket) {
		close(fd);
		return -ENOMEM;
	}
	socket->socket = (Socket){ .ops = &inet_ops, .kernel = kernel, .family = family, .type = type,
				   .protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP };
	socket->fd = fd;
	wait_init(&socket->readable);
	wait_init(&socket->writable);
	*out = socket_file(kernel, &socket->socket, flags);
	if (*out)
		return 0;
	close(fd);
	free(socket);
	return -ENFILE;
}

i64 inet_create(Task *task, i32 family, i32 type, i32 protocol, u32 flags, File **out)
{
	Kernel *kernel = task->kernel;
	int fd;

	if (!kernel_may(kernel, RIGHT_NET))
		return -EACCES;
	if (!kernel->net) {
		kernel->denied = "the network was not given (--net)";
		return -EACCES;
	}
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return type == SOCK_RAW ? -EPERM : -ESOCKTNOSUPPORT;
	if (protocol && protocol != (type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP))
		return -EPROTONOSUPPORT;
	fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno == EMFILE ? -ENFILE : -errno;
	return make(kernel, fd, family, type, flags, out);
}

static void inet_release(Socket *base)
{
	InetSocket *socket = inet_of(base);

	/* Lingering for a while would block; not at all (a reset) does not. */
	if (base->linger[0] && !base->linger[1])
		setsockopt(socket->fd, SOL_SOCKET, SO_LINGER, base->linger, sizeof(base->linger));
	wait_fini(&socket->readable);
	wait_fini(&socket->writable);
	close(socket->fd);
	free(socket);
}

/* ---- Addresses and connections ---- */

static i64 inet_bind(Socket *base, Task *task, const u8 *name, u32 len)
{
	InetSocket *socket = inet_of(base);
	u8 allowed[ADDRESS_MAX];
	i64 result;

	memcpy(allowed, name, ADDRESS_MAX);
	result = inet_may_bind(task->kernel, base->family, allowed, len);
	if (result < 0)
		return result;
	if (bind(socket->fd, (const struct sockaddr *)(const void *)allowed, len) < 0)
		return -errno;
	socket->bound = true;
	return 0;
}

/* Before the host would choose an address of its own: with the loopback alone, one of that. */
static i64 bind_first(InetSocket *socket)
{
	Socket *base = &socket->socket;
	u8 name[ADDRESS_MAX] = { 0 };
	u32 len;

	if (socket->bound || !base->kernel->net_loopback)
		return 0;
	len = inet_loopback(base->family, name);
	if (bind(socket->fd, (const struct sockaddr *)(const void *)name, len) < 0)
		return -errno;
	socket->bound = true;
	return 0;
}

static i64 connect_result(InetSocket *socket)
{
	struct pollfd fd = { .fd = socket->fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0;

	if (poll(&fd, 1, 0) <= 0) {
		socket->known &= ~(u32)FOR_WRITING;
		return -EAGAIN;
	}
	socket->connecting = false;
	if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

static i64 inet_connect(Socket *base, Task *task, const u8 *name, u32 len)
{
	InetSocket *socket = inet_of(base);
	i64 result;

	if (!kernel_may(base->kernel, RIGHT_NET))
		return -EACCES;
	if (task->call.again && socket->connecting)
		return connect_result(socket);
	result = inet_may_reach(task->kernel, base->family, name, len);
	if (result == 0 && base->type == SOCK_DGRAM)
		result = bind_first(socket);
	if (result < 0)
		return result;
	if (connect(socket->fd, (const struct sockaddr *)(const void *)name, len) == 0) {
		socket->connecting = false;
		return 0;
	}
	if (errno != EINPROGRESS)
		return -errno;
	socket->connecting = true;
	socket->known &= ~(u32)FOR_WRITING;
	return -EAGAIN;
}

static i64 inet_listen(Socket *base, Task *task, i32 backlog)
{
	InetSocket *socket = inet_of(base);
	i64 result = base->type == SOCK_STREAM ? bind_first(socket) : -EOPNOTSUPP;

	(void)task;
	if (result < 0)
		return result;
	return listen(socket->fd, backlog) < 0 ? -errno : 0;
}

static i64 inet_accept(Socket *base, Task *task, u32 flags, File **out)
{
	InetSocket *socket = inet_of(base);
	int fd;

	if (base->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	if (!kernel_may(base->kernel, RIGHT_NET))
		return -EACCES;
	if (task->kernel->open_files >= task->kernel->limits.open)
		return -ENFILE;
	fd = accept4(socket->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return errno == EMFILE ? -ENFILE : failed(socket, FOR_READING);
	return make(task->kernel, fd, base->family, base->type, flags, out);
}

static i64 inet_name(Socket *base, bool of_peer, u8 *to)
{
	InetSocket *socket = inet_of(base);
	socklen_t len = ADDRESS_MAX;
	struct sockaddr *name = (struct sockaddr *)(void *)to;

	if ((of_peer ? getpeername(socket->fd, name, &len) : getsockname(socket->fd, name, &len)) < 0)
		return -errno;
	return len < ADDRESS_MAX ? (i64)len : ADDRESS_MAX;
}

static i64 inet_shutdown(Socket *base, u32 how)
{
	InetSocket *socket = inet_of(base);

	if (shutdown(socket->fd, (int)how) < 0)
		return -errno;
	wait_wake(&socket->readable);
	wait_wake(&socket->writable);
	return 0;
}

/* ---- Bytes ---- */

static i64 inet_send(Socket *base, Task *task, SocketMessage *message)
{
	enum { KNOWN = MSG_MORE | MSG_DONTROUTE | MSG_CONFIRM | MSG_EOR };
	InetSocket *socket = inet_of(base);
	int flags = (int)(message->flags & KNOWN) | MSG_DONTWAIT | MSG_NOSIGNAL;
	i64 result = message->file_count ? -EINVAL : 0;

	if (!kernel_may(base->kernel, RIGHT_NET))
		return -EACCES;
	if (message->flags & MSG_FASTOPEN)
		return -EOPNOTSUPP;
	if (result == 0 && message->name_len && base->type == SOCK_DGRAM) {
		result = inet_may_reach(task->kernel, base->family, message->name, message->name_len);
		if (result == 0)
			result = bind_first(socket);
	}
	if (result < 0)
		return result;
	result = sendto(socket->fd, message->bytes, message->len, flags,
			message->name_len && base->type == SOCK_DGRAM
				? (const struct sockaddr *)(const void *)message->name
				: NULL,
			base->type == SOCK_DGRAM ? message->name_len : 0);
	if (result < 0)
		return failed(socket, FOR_WRITING);
	if ((u64)result < message->len)
		socket->known &= ~(u32)FOR_WRITING;
	return result;
}

static i64 inet_receive(Socket *base, Task *task, SocketMessage *message)
{
	InetSocket *socket = inet_of(base);
	bool datagrams = base->type == SOCK_DGRAM;
	int flags = (int)(message->flags & MSG_PEEK) | MSG_DONTWAIT | (datagrams ? MSG_TRUNC : 0);
	socklen_t len = ADDRESS_MAX;
	i64 result;

	(void)task;
	if (!kernel_may(base->kernel, RIGHT_NET))
		return -EACCES;
	if (message->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	result = recvfrom(socket->fd, message->bytes, message->len, flags, (struct sockaddr *)(void *)message->name, &len);
	if (result < 0)
		return failed(socket, FOR_READING);
	message->name_len = datagrams && len <= ADDRESS_MAX ? len : 0;
	if (!datagrams && (u64)result < message->len)
		socket->known &= ~(u32)FOR_READING;
	return result;
}

static i64 inet_pending(Socket *base)
{
	int count = 0;

	return ioctl(inet_of(base)->fd, FIONREAD, &count) < 0 ? -errno : count;
}

/* ---- Polling ---- */

static u32 inet_poll(Socket *base)
{
	InetSocket *socket = inet_of(base);
	struct pollfd fd = { .fd = socket->fd, .events = FOR_READING | FOR_WRITING | POLLRDNORM | POLLWRNORM };
	u32 events;

	if (poll(&fd, 1, 0) < 0)
		return 0;
	events = (u32)(u16)fd.revents;
	if (events & ~socket->known)
		socket->edges++;
	socket->known = events;
	return events;
}

static bool inet_watch(Socket *base, Task *task, u32 events)
{
	InetSocket *socket = inet_of(base);
	u32 before = socket->known, now = inet_poll(base), fresh = now & ~before & (events | POLLERR | POLLHUP);
	/* What holds already would wake at once and for ever: somebody who waits nevertheless waits for an edge. But what
	 * has come up this very moment is one. */
	u32 missing = fresh ? events : now & (POLLERR | POLLHUP) ? 0 : events & ~now;
	u32 in = missing & FOR_READING, out = missing & FOR_WRITING;

	return task_watch(task, &socket->readable) && task_watch(task, &socket->writable) &&
	       (!in || kernel_watch_host(base->kernel, socket->fd, (short)in, &socket->readable)) &&
	       (!out || kernel_watch_host(base->kernel, socket->fd, (short)out, &socket->writable));
}

static u64 inet_changes(Socket *base, u32 events)
{
	(void)events;
	return inet_of(base)->edges;
}

/* ---- Options ---- */

static i64 inet_set_option(Socket *base, i32 level, i32 name, const u8 *value, u32 len)
{
	if (!inet_knows_option(level, name, true))
		return -ENOPROTOOPT;
	return setsockopt(inet_of(base)->fd, level, name, value, len) < 0 ? -errno : 0;
}

static i64 inet_get_option(Socket *base, i32 level, i32 name, u8 *value, u32 *len)
{
	socklen_t room = 128;

	if (!inet_knows_option(level, name, false))
		return -ENOPROTOOPT;
	if (getsockopt(inet_of(base)->fd, level, name, value, &room) < 0)
		return -errno;
	*len = room;
	return 0;
}

static const SocketOps inet_ops = {
	.bind = inet_bind,
	.connect = inet_connect,
	.listen = inet_listen,
	.accept = inet_accept,
	.name = inet_name,
	.send = inet_send,
	.receive = inet_receive,
	.shutdown = inet_shutdown,
	.set_option = inet_set_option,
	.get_option = inet_get_option,
	.poll = inet_poll,
	.watch = inet_watch,
	.changes = inet_changes,
	.pending = inet_pending,
	.release = inet_release,
};
