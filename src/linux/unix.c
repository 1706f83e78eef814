/* SPDX-License-Identifier: MIT
 *
 * AF_UNIX sockets: names, and who is connected with whom (unix.h has the picture).
 *
 * Names are on one list of the kernel: a path is known by the node that bind made in the file system, so that links and
 * renames mean what they mean; an abstract name by its bytes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "linux/unix.h"
#include "linux/vfs.h"

enum { PATH_AT = 2 }; /* of sun_path in struct sockaddr_un */

static UnixSocket *unix_of(Socket *socket)
{
	return (UnixSocket *)socket;
}

/* ---- Names ---- */

/* 0, or -EINVAL: no address of this family. */
static i64 check_name(const u8 *name, u32 len)
{
	u16 family;

	if (len < PATH_AT || len > UNIX_NAME_MAX)
		return -EINVAL;
	memcpy(&family, name, sizeof(family));
	return family == AF_UNIX ? 0 : -EINVAL;
}

static bool is_abstract(const u8 *name, u32 len)
{
	return len > PATH_AT && !name[PATH_AT];
}

static UnixSocket *find_bound(Kernel *kernel, const u8 *name, u32 len, u64 key)
{
	UnixSocket *socket = kernel->streams ? kernel->streams->names : NULL;

	for (; socket; socket = socket->next_name)
		if (key ? socket->key == key
			: !socket->key && socket->name_len == len && !memcmp(socket->name, name, len))
			return socket;
	return NULL;
}

static void path_of(const u8 *name, u32 len, char *path)
{
	memcpy(path, name + PATH_AT, len - PATH_AT);
	path[len - PATH_AT] = 0;
}

i64 unix_find(Task *task, const u8 *name, u32 len, UnixSocket **out)
{
	char path[UNIX_NAME_MAX];
	u64 key = 0;
	i64 result = check_name(name, len);

	if (result < 0 || len == PATH_AT)
		return -EINVAL;
	if (!is_abstract(name, len)) {
		path_of(name, len, path);
		result = vfs_find_socket(task, path, &key);
		if (result < 0)
			return result;
	}
	*out = find_bound(task->kernel, name, len, key);
	return *out ? 0 : -ECONNREFUSED;
}

void unix_list_name(UnixSocket *socket)
{
	Streams *streams = socket->socket.kernel->streams;

	socket->next_name = streams->names;
	socket->name_link = &streams->names;
	if (socket->next_name)
		socket->next_name->name_link = &socket->next_name;
	streams->names = socket;
}

static void set_name(UnixSocket *socket, const u8 *name, u32 len, u64 key)
{
	memcpy(socket->name, name, len);
	socket->name_len = len;
	socket->key = key;
	unix_list_name(socket);
}

/* bind without a name: an abstract one that is free. */
static i64 bind_free(UnixSocket *socket)
{
	Streams *streams = socket->socket.kernel->streams;
	u8 name[PATH_AT + 7] = { AF_UNIX };

	do {
		char digits[8];

		snprintf(digits, sizeof(digits), "%05x", (unsigned)(streams->serial++ & 0xFFFFF));
		memcpy(name + PATH_AT + 1, digits, 5);
	} while (find_bound(socket->socket.kernel, name, PATH_AT + 6, 0));
	set_name(socket, name, PATH_AT + 6, 0);
	return 0;
}

static i64 unix_bind(Socket *base, Task *task, const u8 *name, u32 len)
{
	UnixSocket *socket = unix_of(base);
	char path[UNIX_NAME_MAX];
	i64 result = check_name(name, len);
	u64 key = 0;

	if (result < 0)
		return result;
	if (socket->name_len)
		return -EINVAL;
	if (len == PATH_AT)
		return bind_free(socket);
	if (is_abstract(name, len)) {
		if (find_bound(base->kernel, name, len, 0))
			return -EADDRINUSE;
	} else {
		path_of(name, len, path);
		result = vfs_bind(task, path, 0777, &key);
		if (result < 0)
			return result;
		len = PATH_AT + (u32)strlen(path) + 1;
		if (len > UNIX_NAME_MAX)
			len = UNIX_NAME_MAX;
	}
	set_name(socket, name, len, key);
	return 0;
}

static i64 unix_name(Socket *base, bool of_peer, u8 *to)
{
	const UnixSocket *socket = unix_of(base);
	const u16 family = AF_UNIX;

	if (of_peer) {
		if (!socket->was_connected)
			return -ENOTCONN;
		socket = socket->peer;
	}
	if (socket && socket->name_len) {
		memcpy(to, socket->name, socket->name_len);
		return socket->name_len;
	}
	memcpy(to, &family, sizeof(family));
	return sizeof(family);
}

/* ---- Connections ---- */

void unix_follow(UnixSocket *socket, UnixSocket *target)
{
	socket->peer = target;
	socket->was_connected = true;
	socket->next_follower = target->followers;
	socket->follower_link = &target->followers;
	if (socket->next_follower)
		socket->next_follower->follower_link = &socket->next_follower;
	target->followers = socket;
}

static void unfollow(UnixSocket *socket)
{
	if (!socket->peer)
		return;
	*socket->follower_link = socket->next_follower;
	if (socket->next_follower)
		socket->next_follower->follower_link = socket->follower_link;
	socket->peer = NULL;
}

static const SocketOps unix_ops;

UnixSocket *unix_blank(Kernel *kernel)
{
	UnixSocket *socket = streams_of(kernel) ? calloc(1, sizeof(*socket)) : NULL;

	if (!socket)
		return NULL;
	socket->socket = (Socket){ .ops = &unix_ops, .kernel = kernel, .family = AF_UNIX };
	wait_init(&socket->arrived);
	wait_init(&socket->room);
	return socket;
}

static UnixSocket *new_socket(Task *task, i32 type)
{
	UnixSocket *socket = unix_blank(task->kernel);

	if (!socket)
		return NULL;
	socket->socket.type = type;
	socket->pid = socket->peer_pid = task->process->pid;
	socket->user = socket->peer_user = task->process->user;
	socket->group = socket->peer_group = task->process->group;
	return socket;
}

static i64 check_kind(i32 *type, i32 protocol)
{
	if (protocol != 0 && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (*type == SOCK_RAW)
		*type = SOCK_DGRAM;
	return *type == SOCK_STREAM || *type == SOCK_DGRAM || *type == SOCK_SEQPACKET ? 0 : -ESOCKTNOSUPPORT;
}

i64 unix_create(Task *task, i32 type, i32 protocol, u32 flags, File **out)
{
	UnixSocket *socket;
	i64 result = check_kind(&type, protocol);

	if (result < 0)
		return result;
	socket = new_socket(task, type);
	if (!socket)
		return -ENOMEM;
	*out = socket_file(task->kernel, &socket->socket, flags);
	if (!*out)
		free(socket);
	return *out ? 0 : -ENFILE;
}

i64 unix_pair(Task *task, i32 type, i32 protocol, u32 flags, File **out)
{
	UnixSocket *sockets[2];
	i64 result = unix_create(task, type, protocol, flags, &out[0]);

	if (result < 0)
		return result;
	result = unix_create(task, type, protocol, flags, &out[1]);
	if (result < 0) {
		file_put(out[0]);
		return result;
	}
	for (int i = 0; i < 2; i++)
		sockets[i] = unix_of(socket_of(out[i]));
	unix_follow(sockets[0], sockets[1]);
	unix_follow(sockets[1], sockets[0]);
	return 0;
}

void unix_wait_in_line(UnixSocket *listener, UnixSocket *endpoint)
{
	if (listener->last_waiting)
		listener->last_waiting->next_waiting = endpoint;
	else
		listener->waiting = endpoint;
	listener->last_waiting = endpoint;
	listener->waiting_count++;
}

static i64 connect_datagrams(UnixSocket *socket, Task *task, const u8 *name, u32 len)
{
	UnixSocket *target;
	u16 family = 0;
	i64 result;

	if (len >= sizeof(family))
		memcpy(&family, name, sizeof(family));
	if (len >= sizeof(family) && family == AF_UNSPEC) {
		unfollow(socket);
		socket->was_connected = false;
		return 0;
	}
	result = unix_find(task, name, len, &target);
	if (result < 0)
		return result;
	if (target->socket.type != SOCK_DGRAM)
		return -EPROTOTYPE;
	if (target->peer && target->peer != socket)
		return -EPERM;
	unfollow(socket);
	unix_follow(socket, target);
	return 0;
}

static i64 unix_connect(Socket *base, Task *task, const u8 *name, u32 len)
{
	UnixSocket *socket = unix_of(base), *listener, *endpoint;
	File *file;
	i64 result;

	if (base->type == SOCK_DGRAM)
		return connect_datagrams(socket, task, name, len);
	if (socket->was_connected)
		return -EISCONN;
	if (socket->listens)
		return -EINVAL;
	result = unix_find(task, name, len, &listener);
	if (result < 0)
		return result;
	if (listener->socket.type != base->type)
		return -EPROTOTYPE;
	if (!listener->listens || listener->shut_read)
		return -ECONNREFUSED;
	if (listener->waiting_count > listener->backlog) {
		if (base->file->flags & O_NONBLOCK)
			return -EAGAIN;
		return task_watch(task, &listener->room) ? CALL_WAIT : -ENOMEM;
	}
	result = unix_create(task, base->type, 0, 0, &file);
	if (result < 0)
		return result;
	endpoint = unix_of(socket_of(file));
	endpoint->name_len = listener->name_len; /* but it is not found by it */
	memcpy(endpoint->name, listener->name, listener->name_len);
	endpoint->socket.pass_credentials = listener->socket.pass_credentials;
	socket->peer_pid = listener->pid;
	socket->peer_user = listener->user;
	socket->peer_group = listener->group;
	unix_follow(socket, endpoint);
	unix_follow(endpoint, socket);
	unix_wait_in_line(listener, endpoint);
	wait_wake(&listener->arrived);
	return 0;
}

static i64 unix_listen(Socket *base, Task *task, i32 backlog)
{
	UnixSocket *socket = unix_of(base);

	if (base->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	if (!socket->name_len || socket->was_connected)
		return -EINVAL;
	socket->listens = true;
	socket->backlog = (u32)backlog;
	socket->pid = task->process->pid;
	socket->user = task->process->user;
	socket->group = task->process->group;
	wait_wake(&socket->room);
	return 0;
}

static UnixSocket *take_waiting(UnixSocket *socket)
{
	UnixSocket *endpoint = socket->waiting;

	if (!endpoint)
		return NULL;
	socket->waiting = endpoint->next_waiting;
	if (!socket->waiting)
		socket->last_waiting = NULL;
	endpoint->next_waiting = NULL;
	socket->waiting_count--;
	return endpoint;
}

static i64 unix_accept(Socket *base, Task *task, u32 flags, File **out)
{
	UnixSocket *socket = unix_of(base), *endpoint;

	(void)task;
	if (base->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	if (!socket->listens || socket->shut_read)
		return -EINVAL;
	endpoint = take_waiting(socket);
	if (!endpoint)
		return -EAGAIN;
	wait_wake(&socket->room);
	*out = endpoint->socket.file;
	(*out)->flags |= flags;
	return 0;
}

static void wake_both(UnixSocket *socket)
{
	wait_wake(&socket->arrived);
	wait_wake(&socket->room);
}

static i64 unix_shutdown(Socket *base, u32 how)
{
	UnixSocket *socket = unix_of(base);

	if (base->type != SOCK_DGRAM && !socket->was_connected && !socket->listens)
		return -ENOTCONN;
	if (how != SHUT_WR)
		socket->shut_read = true;
	if (how != SHUT_RD) {
		socket->shut_write = true;
		if (socket->peer && socket->peer->peer == socket && base->type != SOCK_DGRAM)
			socket->peer->ended = true;
	}
	wake_both(socket);
	if (socket->peer)
		wake_both(socket->peer);
	return 0;
}

static void unix_release(Socket *base)
{
	UnixSocket *socket = unix_of(base), *follower, *endpoint;
	bool unread = socket->first != NULL;

	if (socket->name_link) {
		*socket->name_link = socket->next_name;
		if (socket->next_name)
			socket->next_name->name_link = socket->name_link;
	}
	unfollow(socket);
	while ((follower = socket->followers) != NULL) {
		unfollow(follower);
		if (base->type != SOCK_DGRAM) {
			follower->ended = true;
			if (unread)
				follower->socket.error = ECONNRESET;
		}
		wake_both(follower);
	}
	while ((endpoint = take_waiting(socket)) != NULL) {
		if (endpoint->peer)
			endpoint->peer->socket.error = ECONNRESET;
		file_put(endpoint->socket.file);
	}
	unix_queue_free(socket);
	wait_fini(&socket->arrived);
	wait_fini(&socket->room);
	free(socket);
}

/* ---- Polling ---- */

static bool can_send(UnixSocket *socket)
{
	UnixSocket *target = socket->peer;

	if (!target)
		return true; /* says at once what is wrong */
	return unix_room(target, socket->socket.type == SOCK_STREAM ? 1 : SOCKET_BUFFER / 4) > 0;
}

static u32 unix_poll(Socket *base)
{
	UnixSocket *socket = unix_of(base);
	bool stream = base->type != SOCK_DGRAM;
	u32 events = base->error ? POLLERR : 0;

	if (socket->listens)
		return events | (socket->waiting ? POLLIN | POLLRDNORM : 0);
	if (socket->first || socket->ended || socket->shut_read)
		events |= POLLIN | POLLRDNORM;
	if (stream && (socket->ended || socket->shut_read))
		events |= POLLRDHUP;
	if (stream && ((socket->ended || socket->shut_read) && (socket->shut_write || !socket->peer)))
		events |= POLLHUP;
	if (stream && !socket->was_connected)
		return events | POLLOUT | POLLWRNORM | POLLHUP;
	if (can_send(socket))
		events |= POLLOUT | POLLWRNORM;
	return events;
}

static bool unix_watch(Socket *base, Task *task, u32 events)
{
	UnixSocket *socket = unix_of(base);

	if (!task_watch(task, &socket->arrived)) /* its end is everybody's business */
		return false;
	return !(events & POLLOUT) || task_watch(task, socket->peer ? &socket->peer->room : &socket->room);
}

static u64 unix_changes(Socket *base, u32 events)
{
	const UnixSocket *socket = unix_of(base);

	(void)events;
	return socket->arrived.wakes + socket->room.wakes + (socket->peer ? socket->peer->room.wakes : 0);
}

static i64 unix_pending(Socket *base)
{
	const UnixSocket *socket = unix_of(base);

	return socket->listens ? -EINVAL : (i64)socket->queued;
}

/* ---- Options ---- */

static i64 unix_set_option(Socket *base, i32 level, i32 name, const u8 *value, u32 len)
{
	(void)base;
	(void)value;
	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (len < 4)
		return -EINVAL;
	switch (name) { /* what is about networks, or about memory that is given as it is needed */
	case SO_REUSEADDR:
	case SO_REUSEPORT:
	case SO_KEEPALIVE:
	case SO_BROADCAST:
	case SO_PRIORITY:
	case SO_SNDBUF:
	case SO_RCVBUF:
	case SO_DONTROUTE:
	case SO_OOBINLINE:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static i64 unix_get_option(Socket *base, i32 level, i32 name, u8 *value, u32 *len)
{
	const UnixSocket *socket = unix_of(base);
	u32 number = 0;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	switch (name) {
	case SO_ERROR:
		number = (u32)base->error;
		base->error = 0;
		break;
	case SO_ACCEPTCONN:
		number = socket->listens;
		break;
	case SO_SNDBUF:
	case SO_RCVBUF:
		number = SOCKET_BUFFER;
		break;
	case SO_REUSEADDR:
	case SO_REUSEPORT:
	case SO_KEEPALIVE:
	case SO_BROADCAST:
	case SO_PRIORITY:
		break;
	case SO_PEERCRED: {
		const u32 said[3] = { (u32)socket->peer_pid, socket->peer_user, socket->peer_group };
		const u32 nobody[3] = { 0, ~0u, ~0u };

		*len = sizeof(said);
		memcpy(value, socket->was_connected ? said : nobody, sizeof(said));
		return 0;
	}
	default:
		return -ENOPROTOOPT;
	}
	*len = sizeof(number);
	memcpy(value, &number, sizeof(number));
	return 0;
}

static const SocketOps unix_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.name = unix_name,
	.send = unix_send,
	.receive = unix_receive,
	.shutdown = unix_shutdown,
	.set_option = unix_set_option,
	.get_option = unix_get_option,
	.poll = unix_poll,
	.watch = unix_watch,
	.changes = unix_changes,
	.pending = unix_pending,
	.release = unix_release,
};
