/* SPDX-License-Identifier: MIT
 *
 * Sending and receiving: send*, recv*, with what travels beside the bytes (addresses, files, credentials).
 *
 * struct msghdr of 64-bit machines:   name 0  name_len 8  iov 16  iov_len 24  control 32  control_len 40  flags 48
 * struct cmsghdr:                     len 0 (u64)  level 8  type 12  data 16, the next one at a multiple of 8
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "linux/signal.h"
#include "linux/socket.h"
#include "linux/syscalls.h"

enum {
	HEADER_SIZE = 56, HEADER_NAME_LEN = 8, HEADER_CONTROL_LEN = 40, HEADER_FLAGS = 48,
	CONTROL_HEAD = 16,
	CONTROL_MAX = 4096,   /* files and credentials need no more */
	MESSAGE_LIMIT = 256 * 1024,
	MESSAGES_MAX = 1024,  /* of sendmmsg, recvmmsg: UIO_MAXIOV */
	CLOSE_ON_EXEC = 0x40000000, /* MSG_CMSG_CLOEXEC */
	MMSG_SIZE = 64,
};

/* What a call brings, whichever it is. */
typedef struct Request {
	Vector vector;
	SocketMessage message;
	u64 name_address, control_address, control_len;
	u32 name_room;
} Request;

static void drop_files(SocketMessage *message)
{
	for (u32 i = 0; i < message->file_count; i++)
		file_put(message->files[i]);
	free(message->files);
	message->files = NULL;
	message->file_count = 0;
}

static void request_fini(Request *request)
{
	drop_files(&request->message);
	vector_fini(&request->vector);
}

/* ---- struct msghdr ---- */

static u64 field(const u8 *header, u32 offset)
{
	u64 value;

	memcpy(&value, header + offset, sizeof(value));
	return value;
}

static i64 read_header(Task *task, u64 address, Request *request)
{
	u8 header[HEADER_SIZE];

	*request = (Request){ 0 };
	if (!user_read(task, address, header, sizeof(header)))
		return -EFAULT;
	request->name_address = field(header, 0);
	request->name_room = (u32)field(header, HEADER_NAME_LEN);
	request->control_address = field(header, 32);
	request->control_len = field(header, HEADER_CONTROL_LEN);
	if ((i32)request->name_room < 0)
		return -EINVAL;
	if (field(header, 24) > IOV_LIMIT)
		return -EMSGSIZE;
	return vector_read(task, &request->vector, field(header, 16), field(header, 24));
}

/* ---- Control messages out ---- */

static i64 take_files(Task *task, SocketMessage *message, const u8 *data, u64 len)
{
	u32 count = (u32)(len / 4);
	File **files;

	if (len % 4 || message->file_count + (u64)count > PASSED_MAX)
		return -EINVAL;
	if (!count)
		return 0;
	files = realloc(message->files, (message->file_count + count) * sizeof(File *));
	if (!files)
		return -ENOMEM;
	message->files = files;
	for (u32 i = 0; i < count; i++) {
		i32 fd;
		File *file;

		memcpy(&fd, data + 4 * (size_t)i, sizeof(fd));
		file = fds_file(task, fd);
		if (!file)
			return -EBADF;
		files[message->file_count++] = file_get(file);
	}
	return 0;
}

static i64 take_credentials(const Task *task, const u8 *data, u64 len)
{
	u32 said[3];

	if (len != sizeof(said))
		return -EINVAL;
	memcpy(said, data, sizeof(said));
	if ((i32)said[0] != task->process->pid || said[1] != task->process->user || said[2] != task->process->group)
		return -EPERM;
	return 0; /* everybody sends his own in any case */
}

static i64 take_control(Task *task, Request *request)
{
	u8 control[CONTROL_MAX];
	u64 len = request->control_len, at = 0;

	if (!len || !request->control_address)
		return 0;
	if (len > CONTROL_MAX)
		return -ENOBUFS;
	if (!user_read(task, request->control_address, control, len))
		return -EFAULT;
	while (len - at >= CONTROL_HEAD) {
		u64 size = field(control, (u32)at), kind = field(control, (u32)at + 8);
		i64 result = 0;

		if (size < CONTROL_HEAD || size > len - at)
			return -EINVAL;
		if ((u32)kind == SOL_SOCKET) {
			const u8 *data = control + at + CONTROL_HEAD;

			if (kind >> 32 == SCM_RIGHTS)
				result = take_files(task, &request->message, data, size - CONTROL_HEAD);
			else if (kind >> 32 == SCM_CREDENTIALS)
				result = take_credentials(task, data, size - CONTROL_HEAD);
			else
				result = -EINVAL;
		}
		if (result < 0)
			return result;
		size = (size + 7) & ~(u64)7;
		if (size > len - at)
			break;
		at += size;
	}
	return 0;
}

/* ---- Sending ---- */

static i64 send_all(Task *task, Socket *socket, Request *request, u32 flags)
{
	bool stream = socket->type == SOCK_STREAM;
	u64 limit = stream ? CHUNK : MESSAGE_LIMIT, done = (u64)task->call.progress;
	SocketMessage *message = &request->message;
	i64 result;

	if (!stream && request->vector.total > limit)
		return -EMSGSIZE;
	message->flags = flags;
	if (done) /* they went with the first bytes */
		drop_files(message);
	do {
		Window window;

		result = window_open(task, &request->vector, done, limit, ATTR_READ, &window);
		if (result == 0 && !stream && window.len < request->vector.total)
			result = -EFAULT;
		if (result == 0) {
			message->bytes = window.bytes;
			message->len = window.len;
			result = socket->ops->send(socket, task, message);
		}
		window_close(task, &request->vector, done, &window, 0);
		if (result > 0)
			done += (u64)result;
	} while (result > 0 && done < request->vector.total);
	if (result == -EPIPE && !(flags & MSG_NOSIGNAL))
		signal_raise(task, SIGPIPE);
	if (result == -EAGAIN) {
		i64 wait = socket_wait(task, socket, POLLOUT, flags);

		task->call.progress = (i64)done;
		if (wait == CALL_WAIT)
			return wait;
	}
	return done ? (i64)done : result;
}

static i64 send_request(Task *task, Socket *socket, Request *request, u32 flags)
{
	i64 result = 0;

	if (request->name_address && request->name_room) {
		result = socket_get_name(task, request->name_address, request->name_room, request->message.name);
		if (result < 0)
			return result;
		request->message.name_len = (u32)result;
	}
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	result = take_control(task, request);
	return result < 0 ? result : send_all(task, socket, request, flags);
}

i64 sys_sendto(Task *task, const u64 *a)
{
	Request request = { .name_address = a[4], .name_room = (u32)a[5] };
	Socket *socket;
	i64 result = socket_find(task, a[0], &socket);

	if (result < 0)
		return result;
	if ((i64)a[2] < 0)
		return -EFAULT;
	vector_one(&request.vector, a[1], a[2]);
	result = send_request(task, socket, &request, (u32)a[3]);
	request_fini(&request);
	return result;
}

static i64 send_header(Task *task, Socket *socket, u64 address, u32 flags)
{
	Request request;
	i64 result = read_header(task, address, &request);

	if (result == 0)
		result = send_request(task, socket, &request, flags);
	request_fini(&request);
	return result;
}

i64 sys_sendmsg(Task *task, const u64 *a)
{
	Socket *socket;
	i64 result = socket_find(task, a[0], &socket);

	return result < 0 ? result : send_header(task, socket, a[1], (u32)a[2]);
}

/* call->data[1]: messages that are done. */
i64 sys_sendmmsg(Task *task, const u64 *a)
{
	u64 count = (u32)a[2] < MESSAGES_MAX ? (u32)a[2] : MESSAGES_MAX, *done = &task->call.data[1];
	Socket *socket;
	i64 result = socket_find(task, a[0], &socket);

	if (result < 0)
		return result;
	while (*done < count) {
		u64 address = a[1] + *done * MMSG_SIZE;

		result = send_header(task, socket, address, (u32)a[3] | (*done ? MSG_DONTWAIT : 0));
		if (result == CALL_WAIT)
			return result;
		task->call.progress = 0;
		if (result >= 0 && !user_put_u32(task, address + HEADER_SIZE, (u32)result))
			result = -EFAULT;
		if (result < 0)
			break;
		++*done;
	}
	return *done ? (i64)*done : result;
}

/* ---- Control messages in ---- */

typedef struct Control {
	Task *task;
	u64 address, room, used;
	bool cut;
} Control;

/* Room for `len` bytes of data; at most what there is. */
static void put_control(Control *control, u32 type, const void *data, u64 len)
{
	u8 head[CONTROL_HEAD];
	u64 left = control->room - control->used, size = CONTROL_HEAD + len;
	const u32 kind[2] = { SOL_SOCKET, type };

	if (left < CONTROL_HEAD + (type == SCM_RIGHTS ? 4 : 0)) {
		control->cut = true;
		return;
	}
	if (size > left) {
		size = left;
		control->cut = true;
	}
	memcpy(head, &size, sizeof(size));
	memcpy(head + 8, kind, sizeof(kind));
	if (!user_write(control->task, control->address + control->used, head, sizeof(head)) ||
	    !user_write(control->task, control->address + control->used + CONTROL_HEAD, data, size - CONTROL_HEAD)) {
		control->cut = true;
		return;
	}
	size = (size + 7) & ~(u64)7;
	control->used += size < left ? size : left;
}

/* Files get descriptors, as many as there is room for. */
static void give_files(Control *control, SocketMessage *message)
{
	i32 fds[PASSED_MAX];
	u64 left = control->room - control->used;
	u32 room = left > CONTROL_HEAD ? (u32)((left - CONTROL_HEAD) / 4 < PASSED_MAX ? (left - CONTROL_HEAD) / 4 : PASSED_MAX)
				       : 0;
	u32 given = 0;

	for (u32 i = 0; i < message->file_count; i++) {
		i64 fd = -EMFILE;

		if (given == i && i < room)
			fd = fds_install(control->task, file_get(message->files[i]), 0, message->flags & CLOSE_ON_EXEC);
		if (fd >= 0)
			fds[given++] = (i32)fd;
		else
			control->cut = true;
	}
	if (given)
		put_control(control, SCM_RIGHTS, fds, 4 * (u64)given);
	drop_files(message);
}

static u64 give_control(Task *task, const Socket *socket, Request *request)
{
	Control control = { .task = task, .address = request->control_address, .room = request->control_len };
	SocketMessage *message = &request->message;

	if (!control.address)
		control.room = 0;
	if (socket->pass_credentials && message->has_credentials) {
		const u32 said[3] = { (u32)message->pid, message->user, message->group };

		put_control(&control, SCM_CREDENTIALS, said, sizeof(said));
	}
	if (message->file_count)
		give_files(&control, message);
	if (control.cut)
		message->result_flags |= MSG_CTRUNC;
	return control.used;
}

/* ---- Receiving ---- */

static i64 receive_all(Task *task, Socket *socket, Request *request, u32 flags)
{
	bool stream = socket->type == SOCK_STREAM;
	u64 limit = stream ? CHUNK : MESSAGE_LIMIT, done = (u64)task->call.progress, len = 0;
	SocketMessage *message = &request->message;
	i64 result;

	message->flags = flags;
	do {
		Window window;

		result = window_open(task, &request->vector, done, limit, ATTR_WRITE, &window);
		len = window.len;
		if (result == 0) {
			message->bytes = window.bytes;
			message->len = len;
			result = socket->ops->receive(socket, task, message);
		}
		window_close(task, &request->vector, done, &window,
			     result < 0 ? 0 : (u64)result < len ? (u64)result : len);
		if (result <= 0)
			break;
		done += (u64)result;
		if (!stream || flags & MSG_PEEK || message->file_count)
			break;
	} while (done < request->vector.total && (flags & MSG_WAITALL || (u64)result == len));
	if (result == -EAGAIN && (!done || flags & MSG_WAITALL)) {
		i64 wait = socket_wait(task, socket, POLLIN, flags);

		if (stream)
			task->call.progress = (i64)done;
		if (wait == CALL_WAIT)
			return wait;
	}
	if (result < 0 && !done)
		return result;
	if (!stream && done > request->vector.total) {
		message->result_flags |= MSG_TRUNC;
		if (!(flags & MSG_TRUNC))
			done = request->vector.total;
	}
	return (i64)done;
}

i64 sys_recvfrom(Task *task, const u64 *a)
{
	Request request = { 0 };
	Socket *socket;
	i64 result = socket_find(task, a[0], &socket), put;

	if (result < 0)
		return result;
	if ((i64)a[2] < 0)
		return -EFAULT;
	if (a[3] & MSG_OOB)
		return -EINVAL;
	vector_one(&request.vector, a[1], a[2]);
	result = receive_all(task, socket, &request, (u32)a[3]);
	if (result >= 0 && a[4] && a[5]) {
		put = socket_put_name(task, request.message.name, request.message.name_len, a[4], a[5]);
		if (put < 0)
			result = put;
	}
	request_fini(&request);
	return result;
}

static i64 receive_header(Task *task, Socket *socket, u64 address, u32 flags)
{
	Request request;
	i64 result = read_header(task, address, &request);
	SocketMessage *message = &request.message;

	if (result == 0 && flags & MSG_OOB)
		result = -EINVAL;
	if (result == 0)
		result = receive_all(task, socket, &request, flags);
	if (result >= 0) {
		u64 used = give_control(task, socket, &request);
		u32 room = request.name_room < message->name_len ? request.name_room : message->name_len;

		message->result_flags |= flags & CLOSE_ON_EXEC;
		if (request.name_address && !user_write(task, request.name_address, message->name, room))
			result = -EFAULT;
		if ((request.name_address && !user_put_u32(task, address + HEADER_NAME_LEN, message->name_len)) ||
		    !user_put_u64(task, address + HEADER_CONTROL_LEN, used) ||
		    !user_put_u32(task, address + HEADER_FLAGS, message->result_flags))
			result = -EFAULT;
	}
	request_fini(&request);
	return result;
}

i64 sys_recvmsg(Task *task, const u64 *a)
{
	Socket *socket;
	i64 result = socket_find(task, a[0], &socket);

	return result < 0 ? result : receive_header(task, socket, a[1], (u32)a[2]);
}

/* call->data[1]: messages that are done; [2]: the hour of the timeout, looked at between messages as on Linux. */
i64 sys_recvmmsg(Task *task, const u64 *a)
{
	u64 count = (u32)a[2] < MESSAGES_MAX ? (u32)a[2] : MESSAGES_MAX, *done = &task->call.data[1], ns;
	u32 flags = (u32)a[3] & ~(u32)MSG_WAITFORONE;
	Socket *socket;
	i64 result = socket_find(task, a[0], &socket);

	if (result < 0)
		return result;
	if (!task->call.again) {
		task->call.data[2] = ~(u64)0;
		if (a[4]) {
			u64 now = kernel_now(task->kernel);

			if (!user_timespec(task, a[4], &ns))
				return -EFAULT;
			if (ns == ~(u64)0)
				return -EINVAL;
			task->call.data[2] = ns < ~(u64)0 - now ? now + ns : ~(u64)0;
		}
	}
	task->call.progress = 0;
	while (*done < count) {
		u64 address = a[1] + *done * MMSG_SIZE;
		bool waits = !*done || !(a[3] & MSG_WAITFORONE);

		if (*done && kernel_now(task->kernel) >= task->call.data[2])
			break;
		result = receive_header(task, socket, address, flags | (waits ? 0 : MSG_DONTWAIT));
		if (result == CALL_WAIT) {
			if (*done)
				task->call.progress = (i64)*done;
			return result;
		}
		task->call.progress = 0;
		if (result >= 0 && !user_put_u32(task, address + HEADER_SIZE, (u32)result))
			result = -EFAULT;
		if (result < 0)
			break;
		++*done;
	}
	return *done ? (i64)*done : result;
}
