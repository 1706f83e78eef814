/* SPDX-License-Identifier: MIT
 *
 * Internet sockets on a tape. Connections are the host's and can't be kept; where the configuration says so (net_resets) a socket
 * comes back as one that the other side has reset: the next call that has to do with it gives ECONNRESET, as SO_ERROR does, and then it
 * is at its end: EOF, EPIPE, EINVAL. Whoever waited for it is woken and finds that out. Programs that can do with an unreliable
 * network connect anew; listeners have to be made anew, too.
 *
 * Such a socket has no descriptor of the host, and asks for none.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "linux/inet.h"
#include "linux/rights.h"
#include "linux/save.h"

/* The reset, once; then what is the case. */
static i64 lost(Socket *socket, i64 then)
{
	i32 error = socket->error;

	socket->error = 0;
	return error ? -(i64)error : then;
}

static i64 lost_bind(Socket *socket, Task *task, const u8 *name, u32 len)
{
	(void)task, (void)name, (void)len;
	return lost(socket, -EINVAL);
}

static i64 lost_listen(Socket *socket, Task *task, i32 backlog)
{
	(void)task, (void)backlog;
	return lost(socket, -EINVAL);
}

static i64 lost_accept(Socket *socket, Task *task, u32 flags, File **out)
{
	(void)task, (void)flags, (void)out;
	return lost(socket, -EINVAL);
}

static i64 lost_name(Socket *socket, bool of_peer, u8 *to)
{
	if (of_peer)
		return -ENOTCONN;
	memset(to, 0, ADDRESS_MAX);
	to[0] = (u8)socket->family;
	return socket->family == AF_INET ? 16 : 28; /* struct sockaddr_in, sockaddr_in6: any address */
}

static i64 lost_send(Socket *socket, Task *task, SocketMessage *message)
{
	(void)task, (void)message;
	return lost(socket, socket->type == SOCK_STREAM ? -EPIPE : -ENOTCONN);
}

static i64 lost_receive(Socket *socket, Task *task, SocketMessage *message)
{
	(void)task;
	message->name_len = 0;
	return lost(socket, socket->type == SOCK_STREAM ? 0 : -ENOTCONN);
}

static i64 lost_shutdown(Socket *socket, u32 how)
{
	(void)socket, (void)how;
	return -ENOTCONN;
}

static i64 lost_set_option(Socket *socket, i32 level, i32 name, const u8 *value, u32 len)
{
	(void)socket, (void)value, (void)len;
	return inet_knows_option(level, name, true) ? 0 : -ENOPROTOOPT;
}

static i64 lost_get_option(Socket *socket, i32 level, i32 name, u8 *value, u32 *len)
{
	if (!inet_knows_option(level, name, false))
		return -ENOPROTOOPT;
	memset(value, 0, 4);
	if (level == SOL_SOCKET && name == SO_ERROR)
		value[0] = (u8)-lost(socket, 0);
	*len = 4;
	return 0;
}

static u32 lost_poll(Socket *socket)
{
	return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLHUP | POLLRDHUP | (socket->error ? (u32)POLLERR : 0);
}

static bool lost_watch(Socket *socket, Task *task, u32 events)
{
	(void)events;
	return task_watch(task, &inet_of(socket)->readable) && task_watch(task, &inet_of(socket)->writable);
}

static u64 lost_changes(Socket *socket, u32 events)
{
	(void)events;
	return inet_of(socket)->edges;
}

static i64 lost_pending(Socket *socket)
{
	(void)socket;
	return 0;
}

static void lost_release(Socket *socket)
{
	wait_fini(&inet_of(socket)->readable);
	wait_fini(&inet_of(socket)->writable);
	free(inet_of(socket));
}

static const SocketOps lost_ops = {
	.bind = lost_bind, .connect = lost_bind, .listen = lost_listen, .accept = lost_accept, .name = lost_name,
	.send = lost_send, .receive = lost_receive, .shutdown = lost_shutdown, .set_option = lost_set_option,
	.get_option = lost_get_option, .poll = lost_poll, .watch = lost_watch, .changes = lost_changes,
	.pending = lost_pending, .release = lost_release,
};

/* ---- On a tape ---- */

static const TapeField fields[] = {
	TAPE_FIELD(InetSocket, socket.type), TAPE_FIELD(InetSocket, socket.protocol),
	TAPE_FIELD(InetSocket, socket.receive_timeout), TAPE_FIELD(InetSocket, socket.send_timeout),
	TAPE_FIELD(InetSocket, socket.pass_credentials), TAPE_FIELD(InetSocket, socket.linger), TAPE_FIELD(InetSocket, edges),
};

void inet_carry(Tape *tape, File *file, i32 family, bool is_stream)
{
	InetSocket *socket = tape->loading ? calloc(1, sizeof(*socket)) : file->data;

	if (!socket) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	if (tape->loading) {
		wait_init(&socket->readable);
		wait_init(&socket->writable);
	}
	tape_fields(tape, socket, fields, COUNT_OF(fields));
	tape_check(tape, (family == AF_INET || family == AF_INET6) && (socket->socket.type == SOCK_STREAM) == is_stream);
	tape_queue(tape, &socket->readable);
	tape_queue(tape, &socket->writable);
	if (!tape->loading)
		return;
	if (!tape->kernel->net_resets)
		tape_fail(tape, STATUS_MISMATCH, "%s", "it has connections of the host, and this machine may not take them for reset");
	socket->socket.ops = &lost_ops;
	socket->socket.kernel = tape->kernel;
	socket->socket.family = family;
	socket->socket.error = ECONNRESET;
	socket->socket.file = file;
	socket->fd = -1;
	socket->edges++;
	file->data = socket;
	if (!tape_ok(tape))
		free(socket);
}

void inet_tell_lost(Tape *tape)
{
	if (!tape->loading)
		return;
	for (u32 i = 0; i < tape->lists[TAPE_FILES].count; i++) {
		Socket *socket = socket_of(tape->lists[TAPE_FILES].items[i]);

		if (!socket || socket->ops != &lost_ops)
			continue;
		wait_wake(&inet_of(socket)->readable);
		wait_wake(&inet_of(socket)->writable);
	}
}
