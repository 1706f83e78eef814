/* SPDX-License-Identifier: MIT
 *
 * What is on its way between AF_UNIX sockets: packets. A datagram is a packet; of a stream, bytes written one after the
 * other share one as long as no file travels with them, so that a file comes out with the byte it was sent with.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "linux/unix.h"

enum { PACKET_ROOM = 4000 }; /* of a stream's packets at least: writes are small often */

static Streams *streams(const UnixSocket *socket)
{
	return socket->socket.kernel->streams; /* made with the first socket */
}

static bool is_stream(const UnixSocket *socket)
{
	return socket->socket.type == SOCK_STREAM;
}

static void free_packet(UnixSocket *socket, UnixPacket *packet)
{
	for (u32 i = 0; i < packet->file_count; i++)
		file_put(packet->files[i]);
	streams(socket)->in_flight -= packet->file_count;
	streams(socket)->held -= packet->cap;
	free(packet->files);
	free(packet);
}

static void drop_first(UnixSocket *socket)
{
	UnixPacket *packet = socket->first;

	socket->first = packet->next;
	if (!socket->first)
		socket->last = NULL;
	socket->packets--;
	socket->queued -= packet->len - packet->at;
	free_packet(socket, packet);
}

void unix_queue_free(UnixSocket *socket)
{
	while (socket->first)
		drop_first(socket);
}

u32 unix_room(UnixSocket *target, u64 len)
{
	u64 room = target->queued < SOCKET_BUFFER ? SOCKET_BUFFER - target->queued : 0;

	/* Beyond the memory of all streams together: one page's worth each. */
	if (streams(target)->held > STREAM_MEMORY)
		room = target->first ? 0 : is_stream(target) ? STREAM_PAGE : room;
	if (!is_stream(target) && target->packets >= UNIX_DATAGRAMS_MAX)
		room = 0;
	if (room < len && (!is_stream(target) || !room)) {
		target->starved = true;
		return 0;
	}
	return len < room ? (u32)len : (u32)room;
}

/* ---- In ---- */

/* Bytes that go into the last packet. */
static u32 extend(UnixSocket *target, const SocketMessage *message, u32 len)
{
	UnixPacket *packet = target->last;
	u32 room;

	if (!is_stream(target) || !packet || packet->file_count || message->file_count || packet->pid != message->pid)
		return 0;
	room = packet->cap - packet->len;
	if (len > room)
		len = room;
	memcpy(packet->bytes + packet->len, message->bytes, len);
	packet->len += len;
	target->queued += len;
	return len;
}

static void put_last(UnixSocket *target, UnixPacket *packet)
{
	if (target->last)
		target->last->next = packet;
	else
		target->first = packet;
	target->last = packet;
	target->packets++;
	target->queued += packet->len - packet->at;
	streams(target)->held += packet->cap;
}

static bool append(UnixSocket *target, const UnixSocket *from, const SocketMessage *message, u32 done, u32 len)
{
	u32 cap = is_stream(target) && len < PACKET_ROOM && !message->file_count ? PACKET_ROOM : len;
	UnixPacket *packet = malloc(sizeof(*packet) + cap);

	if (!packet)
		return false;
	*packet = (UnixPacket){ .len = len, .cap = cap, .files = message->files, .file_count = message->file_count,
				.pid = message->pid, .user = message->user, .group = message->group,
				.name_len = from->name_len };
	memcpy(packet->name, from->name, from->name_len);
	memcpy(packet->bytes, message->bytes + done, len);
	put_last(target, packet);
	streams(target)->in_flight += message->file_count;
	return true;
}

static i64 deliver(UnixSocket *target, const UnixSocket *from, Task *task, SocketMessage *message)
{
	u32 take = unix_room(target, message->len), done;

	if (!take && message->len)
		return -EAGAIN;
	if (!message->len && !is_stream(target) && target->packets >= UNIX_DATAGRAMS_MAX) {
		target->starved = true;
		return -EAGAIN;
	}
	if (streams(target)->in_flight + message->file_count > IN_FLIGHT_MAX)
		return -ETOOMANYREFS;
	message->pid = task->process->pid;
	message->user = task->process->user;
	message->group = task->process->group;
	done = extend(target, message, take);
	if ((done < take || !is_stream(target)) && !append(target, from, message, done, take - done)) {
		if (!done)
			return -ENOMEM;
		take = done;
	} else {
		message->files = NULL; /* they are in the packet */
		message->file_count = 0;
	}
	wait_wake(&target->arrived);
	return take;
}

/* The target of a datagram. 0 and *out, or -errno. */
static i64 find_target(UnixSocket *own, Task *task, const SocketMessage *message, UnixSocket **out)
{
	UnixSocket *target = own->peer;

	if (message->name_len) {
		i64 result = unix_find(task, message->name, message->name_len, &target);

		if (result < 0)
			return result;
		if (target->socket.type != own->socket.type)
			return -EPROTOTYPE;
		if (target->peer && target->peer != own)
			return -EPERM;
	}
	if (!target) {
		bool gone = own->was_connected;

		own->was_connected = false;
		return gone ? -ECONNREFUSED : -ENOTCONN;
	}
	*out = target;
	return target->shut_read ? -EPIPE : 0;
}

i64 unix_send(Socket *socket, Task *task, SocketMessage *message)
{
	UnixSocket *own = (UnixSocket *)socket, *target = own->peer;
	i64 result;

	if (socket->error) {
		result = -socket->error;
		socket->error = 0;
		return result;
	}
	if (own->shut_write)
		return -EPIPE;
	if (message->len > SOCKET_BUFFER && socket->type != SOCK_STREAM)
		return -EMSGSIZE;
	if (socket->type == SOCK_DGRAM) {
		result = find_target(own, task, message, &target);
		if (result < 0)
			return result;
		result = deliver(target, own, task, message);
		if (result != -EAGAIN || target == own->peer || message->flags & MSG_DONTWAIT ||
		    socket->file->flags & O_NONBLOCK)
			return result;
		return task_watch(task, &target->room) ? CALL_WAIT : -ENOMEM; /* it is not what ->watch knows */
	}
	if (!own->was_connected)
		return -ENOTCONN;
	if (message->name_len && socket->type == SOCK_STREAM)
		return -EISCONN;
	if (!target || target->shut_read)
		return -EPIPE;
	if (!message->len && socket->type == SOCK_STREAM)
		return 0;
	return deliver(target, own, task, message);
}

/* ---- Out ---- */

static i64 give_files(UnixSocket *socket, UnixPacket *packet, SocketMessage *message)
{
	if (!packet->file_count)
		return 0;
	if (message->flags & MSG_PEEK) {
		message->files = malloc(packet->file_count * sizeof(File *));
		if (!message->files)
			return -ENOMEM;
		for (u32 i = 0; i < packet->file_count; i++)
			message->files[i] = file_get(packet->files[i]);
	} else {
		message->files = packet->files;
		streams(socket)->in_flight -= packet->file_count;
		packet->files = NULL;
	}
	message->file_count = packet->file_count;
	if (!packet->files)
		packet->file_count = 0;
	return 0;
}

/* What travels beside the bytes of the packet that is read first. */
static i64 give_rest(UnixSocket *socket, UnixPacket *packet, SocketMessage *message)
{
	message->has_credentials = true;
	message->pid = packet->pid;
	message->user = packet->user;
	message->group = packet->group;
	message->name_len = packet->name_len;
	memcpy(message->name, packet->name, packet->name_len);
	return give_files(socket, packet, message);
}

static void taken(UnixSocket *socket)
{
	if (socket->starved && (socket->queued <= SOCKET_BUFFER / 2 || !socket->first)) {
		socket->starved = false;
		wait_wake(&socket->room);
	}
}

static i64 receive_stream(UnixSocket *socket, SocketMessage *message)
{
	bool peek = message->flags & MSG_PEEK;
	UnixPacket *packet = socket->first;
	u64 done = 0;
	i32 pid = packet->pid;

	while (packet && done < message->len) {
		u32 len = packet->len - packet->at;

		if (done && (packet->file_count || (socket->socket.pass_credentials && packet->pid != pid)))
			break;
		if (!done && give_rest(socket, packet, message) < 0)
			return -ENOMEM;
		if (len > message->len - done)
			len = (u32)(message->len - done);
		memcpy(message->bytes + done, packet->bytes + packet->at, len);
		done += len;
		if (peek) {
			packet = packet->next;
			continue;
		}
		packet->at += len;
		socket->queued -= len;
		if (packet->at < packet->len)
			break;
		drop_first(socket);
		packet = socket->first;
		if (message->file_count)
			break;
	}
	return (i64)done;
}

static i64 receive_packet(UnixSocket *socket, SocketMessage *message)
{
	UnixPacket *packet = socket->first;
	i64 len = packet->len;

	if (give_rest(socket, packet, message) < 0)
		return -ENOMEM;
	memcpy(message->bytes, packet->bytes, (u64)len < message->len ? (u64)len : message->len);
	if (!(message->flags & MSG_PEEK))
		drop_first(socket);
	return len;
}

i64 unix_receive(Socket *socket, Task *task, SocketMessage *message)
{
	UnixSocket *own = (UnixSocket *)socket;
	i64 result;

	(void)task;
	if (own->listens || (socket->type != SOCK_DGRAM && !own->was_connected))
		return socket->type == SOCK_SEQPACKET ? -ENOTCONN : -EINVAL;
	if (!own->first) {
		if (socket->error) {
			result = -socket->error;
			socket->error = 0;
			return result;
		}
		return own->ended || own->shut_read ? 0 : -EAGAIN;
	}
	if (socket->type == SOCK_STREAM && !message->len)
		return 0;
	result = socket->type == SOCK_STREAM ? receive_stream(own, message) : receive_packet(own, message);
	taken(own);
	return result;
}

UnixPacket *unix_packet_put(UnixSocket *target, const UnixPacket *like)
{
	UnixPacket *packet = NULL;

	if (is_stream(target) || target->packets < UNIX_DATAGRAMS_MAX)
		packet = calloc(1, sizeof(*packet) + like->cap);
	if (!packet)
		return NULL;
	*packet = *like;
	put_last(target, packet);
	return packet;
}
