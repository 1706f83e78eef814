/* SPDX-License-Identifier: MIT
 *
 * Calls about sockets, but for sending and receiving (socket_message.c).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "linux/socket.h"
#include "linux/save.h"
#include "linux/syscalls.h"
#include "linux/unix.h"

enum { SOCKET_DEVICE = 8, OPTION_MAX = 128 };

static Socket *socket_data(const File *file)
{
	return file->data;
}

/* ---- A socket as a file ---- */

static i64 socket_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	Socket *socket = socket_data(file);
	SocketMessage message = { .bytes = to, .len = len };
	i64 result = socket->ops->receive(socket, task, &message);

	(void)offset;
	for (u32 i = 0; i < message.file_count; i++) /* nobody asked for them */
		file_put(message.files[i]);
	free(message.files);
	return result > (i64)len ? (i64)len : result;
}

static i64 socket_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	Socket *socket = socket_data(file);
	SocketMessage message = { .bytes = (u8 *)(uintptr_t)from, .len = len };

	(void)offset;
	return socket->ops->send(socket, task, &message);
}

static u32 socket_poll(File *file)
{
	return socket_data(file)->ops->poll(socket_data(file));
}

static bool socket_watch(File *file, Task *task, u32 events)
{
	return socket_data(file)->ops->watch(socket_data(file), task, events);
}

static u64 socket_changes(File *file, u32 events)
{
	return socket_data(file)->ops->changes(socket_data(file), events);
}

static i64 socket_ioctl(File *file, Task *task, u64 request, u64 argument)
{
	Socket *socket = socket_data(file);
	i64 pending;

	if (request == TIOCOUTQ)
		return user_put_u32(task, argument, 0) ? 0 : -EFAULT;
	if (request != FIONREAD || !socket->ops->pending)
		return -ENOTTY;
	pending = socket->ops->pending(socket);
	if (pending < 0)
		return pending;
	return user_put_u32(task, argument, (u32)pending) ? 0 : -EFAULT;
}

static i64 socket_stat(File *file, FileStat *out)
{
	Kernel *kernel = file->kernel;

	*out = (FileStat){ .device = SOCKET_DEVICE, .inode = file->serial, .mode = S_IFSOCK | 0777, .links = 1,
			   .user = kernel->user, .group = kernel->group, .atime = kernel->real_time,
			   .mtime = kernel->real_time, .ctime = kernel->real_time, .btime = kernel->real_time };
	return 0;
}

static void socket_describe(File *file, Buf *out)
{
	buf_printf(out, "socket:[%llu]", (unsigned long long)file->serial);
}

static u64 socket_patience(File *file, u32 events)
{
	const Socket *socket = socket_data(file);

	return events & POLLIN ? socket->receive_timeout : socket->send_timeout;
}

static void socket_release(File *file)
{
	socket_data(file)->ops->release(socket_data(file));
}

/* Streams may be read and written in pieces, the others not. */
#define SOCKET_FILE_OPS(is_whole)                                                                                      \
	{                                                                                                              \
		.kind = "socket", .read = socket_read, .write = socket_write, .poll = socket_poll,                     \
		.watch = socket_watch, .changes = socket_changes, .ioctl = socket_ioctl, .stat = socket_stat,          \
		.describe = socket_describe, .release = socket_release, .patience = socket_patience,                   \
		.whole = is_whole                                                                                      \
	}

static const FileOps stream_ops = SOCKET_FILE_OPS(false), message_ops = SOCKET_FILE_OPS(true);

File *socket_file(Kernel *kernel, Socket *socket, u32 flags)
{
	const FileOps *ops = socket->type == SOCK_STREAM ? &stream_ops : &message_ops;
	File *file = file_create(kernel, ops, O_RDWR | (flags & O_NONBLOCK), socket);

	socket->kernel = kernel;
	socket->file = file;
	return file;
}

Socket *socket_of(const File *file)
{
	return file && (file->ops == &stream_ops || file->ops == &message_ops) ? file->data : NULL;
}

i64 socket_find(Task *task, u64 fd, Socket **out)
{
	const File *file = fds_stream(task, fd);

	*out = socket_of(file);
	return *out ? 0 : file ? -ENOTSOCK : -EBADF;
}

i64 socket_wait(Task *task, Socket *socket, u32 events, u32 flags)
{
	return flags & MSG_DONTWAIT ? -EAGAIN : file_wait(task, socket->file, events);
}

/* ---- Addresses ---- */

i64 socket_get_name(Task *task, u64 address, u64 len, u8 *to)
{
	memset(to, 0, ADDRESS_MAX);
	if ((i32)len < 0 || (u32)len > ADDRESS_MAX)
		return -EINVAL;
	return user_read(task, address, to, (u32)len) ? (i64)(u32)len : -EFAULT;
}

i64 socket_put_name(Task *task, const u8 *name, u32 len, u64 address, u64 len_address)
{
	i32 room;

	if (!address)
		return 0;
	if (!user_read(task, len_address, &room, sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (!user_write(task, address, name, (u32)room < len ? (u32)room : len))
		return -EFAULT;
	return user_put_u32(task, len_address, len) ? 0 : -EFAULT;
}

/* ---- Making them ---- */

enum { TYPE_MASK = 15 };

static i64 check_type(u64 type)
{
	return type & ~(u64)(TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK) ? -EINVAL : 0;
}

i64 sys_socket(Task *task, const u64 *a)
{
	i32 type = (i32)(a[1] & TYPE_MASK);
	u32 flags = (u32)a[1] & O_NONBLOCK; /* SOCK_NONBLOCK and SOCK_CLOEXEC are the same bits */
	File *file = NULL;
	i64 result = check_type((u32)a[1]);

	if (result < 0)
		return result;
	switch ((i32)a[0]) {
	case AF_UNIX:
		result = unix_create(task, type, (i32)a[2], flags, &file);
		break;
	case AF_INET:
	case AF_INET6:
		result = inet_create(task, (i32)a[0], type, (i32)a[2], flags, &file);
		break;
	default:
		return -EAFNOSUPPORT;
	}
	return result < 0 ? result : fds_install(task, file, 0, a[1] & SOCK_CLOEXEC);
}

i64 sys_socketpair(Task *task, const u64 *a)
{
	File *files[2];
	i32 fds[2];
	i64 result = check_type((u32)a[1]);

	if (result < 0)
		return result;
	if ((i32)a[0] != AF_UNIX)
		return (i32)a[0] == AF_INET || (i32)a[0] == AF_INET6 ? -EOPNOTSUPP : -EAFNOSUPPORT;
	result = unix_pair(task, (i32)(a[1] & TYPE_MASK), (i32)a[2], (u32)a[1] & O_NONBLOCK, files);
	if (result < 0)
		return result;
	result = fds_install(task, files[0], 0, a[1] & SOCK_CLOEXEC);
	if (result < 0) {
		file_put(files[1]);
		return result;
	}
	fds[0] = (i32)result;
	result = fds_install(task, files[1], 0, a[1] & SOCK_CLOEXEC);
	if (result < 0) {
		fds_close(task, fds[0]);
		return result;
	}
	fds[1] = (i32)result;
	if (user_write(task, a[3], fds, sizeof(fds)))
		return 0;
	fds_close(task, fds[0]);
	fds_close(task, fds[1]);
	return -EFAULT;
}

i64 sys_bind(Task *task, const u64 *a)
{
	Socket *socket;
	u8 name[ADDRESS_MAX];
	i64 result = socket_find(task, a[0], &socket);

	if (result == 0)
		result = socket_get_name(task, a[1], a[2], name);
	if (result < 0)
		return result;
	return socket->ops->bind(socket, task, name, (u32)result);
}

i64 sys_connect(Task *task, const u64 *a)
{
	Socket *socket;
	u8 name[ADDRESS_MAX];
	i64 result = socket_find(task, a[0], &socket);

	if (result == 0)
		result = socket_get_name(task, a[1], a[2], name);
	if (result < 0)
		return result;
	result = socket->ops->connect(socket, task, name, (u32)result);
	if (result != -EAGAIN)
		return result;
	if (socket->file->flags & O_NONBLOCK)
		return socket->family == AF_UNIX ? -EAGAIN : -EINPROGRESS;
	return socket_wait(task, socket, POLLOUT, 0);
}

i64 sys_listen(Task *task, const u64 *a)
{
	Socket *socket;
	i64 result = socket_find(task, a[0], &socket);
	i32 backlog = (i32)a[1];

	if (result < 0)
		return result;
	if (!socket->ops->listen)
		return -EOPNOTSUPP;
	return socket->ops->listen(socket, task, backlog < 0 || backlog > BACKLOG_MAX ? BACKLOG_MAX : backlog);
}

static i64 accept_call(Task *task, const u64 *a, u64 flags)
{
	Socket *socket, *accepted;
	u8 name[ADDRESS_MAX] = { 0 };
	File *file;
	i64 result = socket_find(task, a[0], &socket), fd;

	if (result < 0)
		return result;
	if (flags & ~(u64)(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	if (!socket->ops->accept)
		return -EOPNOTSUPP;
	result = socket->ops->accept(socket, task, (u32)flags & O_NONBLOCK, &file);
	if (result == -EAGAIN)
		return socket_wait(task, socket, POLLIN, 0);
	if (result < 0)
		return result;
	fd = fds_install(task, file, 0, flags & SOCK_CLOEXEC);
	if (fd < 0 || !a[1])
		return fd;
	accepted = socket_of(file);
	result = accepted->ops->name(accepted, true, name);
	if (result < 0)
		result = 0;
	result = socket_put_name(task, name, (u32)result, a[1], a[2]);
	if (result < 0) {
		fds_close(task, (i32)fd);
		return result;
	}
	return fd;
}

i64 sys_accept(Task *task, const u64 *a)
{
	return accept_call(task, a, 0);
}

i64 sys_accept4(Task *task, const u64 *a)
{
	return accept_call(task, a, (u32)a[3]);
}

static i64 name_call(Task *task, const u64 *a, bool of_peer)
{
	Socket *socket;
	u8 name[ADDRESS_MAX] = { 0 };
	i64 result = socket_find(task, a[0], &socket);

	if (result == 0)
		result = socket->ops->name(socket, of_peer, name);
	if (result < 0)
		return result;
	return a[1] ? socket_put_name(task, name, (u32)result, a[1], a[2]) : -EFAULT;
}

i64 sys_getsockname(Task *task, const u64 *a)
{
	return name_call(task, a, false);
}

i64 sys_getpeername(Task *task, const u64 *a)
{
	return name_call(task, a, true);
}

i64 sys_shutdown(Task *task, const u64 *a)
{
	Socket *socket;
	i64 result = socket_find(task, a[0], &socket);

	if (result < 0)
		return result;
	return (u32)a[1] <= SHUT_RDWR ? socket->ops->shutdown(socket, (u32)a[1]) : -EINVAL;
}

/* ---- Options ---- */

/* struct timeval -> ns; 0: for ever. */
static i64 timeout_of(const u8 *value, u32 len, u64 *ns)
{
	enum { YEARS = 100, SECONDS = 365 * 86400 };
	i64 time[2];

	if (len < sizeof(time))
		return -EINVAL;
	memcpy(time, value, sizeof(time));
	if (time[1] < 0 || time[1] >= 1000000)
		return -EDOM;
	if (time[0] < 0) /* as Linux: do not wait */
		*ns = 1;
	else if (time[0] > (i64)YEARS * SECONDS)
		*ns = 0;
	else
		*ns = (u64)time[0] * 1000000000 + (u64)time[1] * 1000;
	return 0;
}

static i64 set_common(Socket *socket, i32 name, const u8 *value, u32 len)
{
	switch (name) {
	case SO_RCVTIMEO:
		return timeout_of(value, len, &socket->receive_timeout);
	case SO_SNDTIMEO:
		return timeout_of(value, len, &socket->send_timeout);
	case SO_PASSCRED:
		if (len < 4)
			return -EINVAL;
		socket->pass_credentials = value[0] || value[1] || value[2] || value[3];
		return 0;
	case SO_LINGER:
		if (len < sizeof(socket->linger))
			return -EINVAL;
		memcpy(socket->linger, value, sizeof(socket->linger));
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

i64 sys_setsockopt(Task *task, const u64 *a)
{
	Socket *socket;
	u8 value[OPTION_MAX] = { 0 };
	u32 len = (u32)a[4] < OPTION_MAX ? (u32)a[4] : OPTION_MAX;
	i64 result = socket_find(task, a[0], &socket);

	if (result < 0)
		return result;
	if ((i32)a[4] < 0)
		return -EINVAL;
	if (!user_read(task, a[3], value, len))
		return -EFAULT;
	result = (i32)a[1] == SOL_SOCKET ? set_common(socket, (i32)a[2], value, len) : -ENOPROTOOPT;
	if (result == -ENOPROTOOPT)
		result = socket->ops->set_option(socket, (i32)a[1], (i32)a[2], value, len);
	return result;
}

static void put_number(u8 *value, u32 *len, u32 number)
{
	memcpy(value, &number, sizeof(number));
	*len = sizeof(number);
}

static void put_timeout(u8 *value, u32 *len, u64 ns)
{
	u64 time[2];

	time_to_timeval(ns, time);
	memcpy(value, time, sizeof(time));
	*len = sizeof(time);
}

static i64 get_common(Socket *socket, i32 name, u8 *value, u32 *len)
{
	switch (name) {
	case SO_RCVTIMEO:
		put_timeout(value, len, socket->receive_timeout);
		return 0;
	case SO_SNDTIMEO:
		put_timeout(value, len, socket->send_timeout);
		return 0;
	case SO_PASSCRED:
		put_number(value, len, socket->pass_credentials);
		return 0;
	case SO_LINGER:
		memcpy(value, socket->linger, sizeof(socket->linger));
		*len = sizeof(socket->linger);
		return 0;
	case SO_DOMAIN:
		put_number(value, len, (u32)socket->family);
		return 0;
	case SO_TYPE:
		put_number(value, len, (u32)socket->type);
		return 0;
	case SO_PROTOCOL:
		put_number(value, len, (u32)socket->protocol);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

i64 sys_getsockopt(Task *task, const u64 *a)
{
	Socket *socket;
	u8 value[OPTION_MAX] = { 0 };
	i64 result = socket_find(task, a[0], &socket);
	u32 len = 0;
	i32 room;

	if (result < 0)
		return result;
	if (!user_read(task, a[4], &room, sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	result = (i32)a[1] == SOL_SOCKET ? get_common(socket, (i32)a[2], value, &len) : -ENOPROTOOPT;
	if (result == -ENOPROTOOPT)
		result = socket->ops->get_option(socket, (i32)a[1], (i32)a[2], value, &len);
	if (result < 0)
		return result;
	if (len > (u32)room)
		len = (u32)room;
	if (!user_write(task, a[3], value, len) || !user_put_u32(task, a[4], len))
		return -EFAULT;
	return 0;
}

/* ---- Snapshots: those that are all inside, and those of the host if they may be lost ---- */

static const char *socket_refuses(const Tape *tape, const File *file)
{
	(void)tape;
	return socket_data(file)->family == AF_UNIX || file->kernel->net_resets ? NULL : "a socket of the host";
}

static void socket_carry(Tape *tape, File *file, bool is_stream)
{
	i32 family = tape->loading ? 0 : socket_data(file)->family;

	tape_i32(tape, &family);
	if (family == AF_UNIX)
		unix_carry(tape, file, is_stream);
	else
		inet_carry(tape, file, family, is_stream);
}

static void socket_link(Tape *tape, File *file)
{
	if (socket_data(file)->family == AF_UNIX)
		unix_link(tape, file);
}

static void stream_carry(Tape *tape, File *file)
{
	socket_carry(tape, file, true);
}

static void message_carry(Tape *tape, File *file)
{
	socket_carry(tape, file, false);
}

const FileCodec stream_socket_codec = { .ops = &stream_ops, .shares = TAPE_KINDS, .carry = stream_carry,
					.link = socket_link, .refuses = socket_refuses };
const FileCodec message_socket_codec = { .ops = &message_ops, .shares = TAPE_KINDS, .carry = message_carry,
					 .link = socket_link, .refuses = socket_refuses };
