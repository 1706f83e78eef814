/* SPDX-License-Identifier: MIT
 *
 * AF_UNIX sockets on a tape: each with its file; then, when all files are there, who is connected with whom, what is on its
 * way (files among it), who waits to be accepted, and who is found under a name.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "linux/save.h"
#include "linux/unix.h"

static const TapeField fields[] = {
	TAPE_FIELD(UnixSocket, socket.type), TAPE_FIELD(UnixSocket, socket.protocol),
	TAPE_FIELD(UnixSocket, socket.receive_timeout), TAPE_FIELD(UnixSocket, socket.send_timeout),
	TAPE_FIELD(UnixSocket, socket.pass_credentials), TAPE_FIELD(UnixSocket, socket.linger),
	TAPE_FIELD(UnixSocket, socket.error), TAPE_FIELD(UnixSocket, listens), TAPE_FIELD(UnixSocket, was_connected),
	TAPE_FIELD(UnixSocket, shut_read), TAPE_FIELD(UnixSocket, shut_write), TAPE_FIELD(UnixSocket, ended),
	TAPE_FIELD(UnixSocket, peer_pid), TAPE_FIELD(UnixSocket, peer_user), TAPE_FIELD(UnixSocket, peer_group),
	TAPE_FIELD(UnixSocket, pid), TAPE_FIELD(UnixSocket, user), TAPE_FIELD(UnixSocket, group),
	TAPE_FIELD(UnixSocket, starved), TAPE_FIELD(UnixSocket, backlog), TAPE_FIELD(UnixSocket, key),
	TAPE_FIELD(UnixSocket, name_len), TAPE_FIELD(UnixSocket, name),
};

void unix_carry(Tape *tape, File *file, bool is_stream)
{
	UnixSocket *socket = tape->loading ? unix_blank(tape->kernel) : file->data;

	if (!socket) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	tape_fields(tape, socket, fields, COUNT_OF(fields));
	tape_check(tape, socket->name_len <= UNIX_NAME_MAX && socket->socket.error >= 0 && socket->socket.error < 4096 &&
				 socket->backlog <= BACKLOG_MAX &&
				 (is_stream ? socket->socket.type == SOCK_STREAM
					    : socket->socket.type == SOCK_DGRAM || socket->socket.type == SOCK_SEQPACKET));
	tape_queue(tape, &socket->arrived);
	tape_queue(tape, &socket->room);
	if (!tape->loading)
		return;
	socket->socket.file = file;
	file->data = socket;
	if (!tape_ok(tape))
		free(socket);
}

/* The socket of a file of the tape, or NULL. */
static UnixSocket *find(Tape *tape, const UnixSocket *socket)
{
	File *file = tape_ref(tape, TAPE_FILES, socket ? socket->socket.file : NULL);
	Socket *found = tape_ok(tape) ? socket_of(file) : NULL;

	tape_check(tape, !file || (found && found->family == AF_UNIX));
	return tape_ok(tape) ? (UnixSocket *)found : NULL;
}

/* ---- Packets ---- */

static void carry_passed(Tape *tape, UnixPacket *packet)
{
	u32 count = tape_count(tape, packet->file_count, 4);

	if (!count || !tape_check(tape, count <= PASSED_MAX))
		return;
	if (tape->loading) {
		packet->files = calloc(count, sizeof(File *));
		if (!packet->files) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			return;
		}
	}
	for (u32 i = 0; i < count; i++) {
		File *file = tape_ref(tape, TAPE_FILES, packet->files[i]);

		if (!tape_check(tape, file != NULL))
			return;
		if (tape->loading) {
			packet->files[i] = file_get(file);
			packet->file_count = i + 1;
		}
	}
}

static void carry_packet(Tape *tape, UnixSocket *socket, UnixPacket *packet)
{
	UnixPacket made = { 0 }, *at = packet ? packet : &made;

	tape_u32(tape, &at->at);
	tape_u32(tape, &at->len);
	tape_u32(tape, &at->cap);
	tape_i32(tape, &at->pid);
	tape_u32(tape, &at->user);
	tape_u32(tape, &at->group);
	tape_u32(tape, &at->name_len);
	if (!tape_check(tape, at->at <= at->len && at->len <= at->cap && at->cap <= SOCKET_BUFFER &&
				      at->name_len <= UNIX_NAME_MAX))
		return;
	tape_bytes(tape, at->name, at->name_len);
	if (tape->loading) {
		packet = unix_packet_put(socket, &made);
		if (!packet) {
			tape_fail(tape, STATUS_TOO_BIG, "%s", "more is on its way between sockets than is allowed");
			return;
		}
	}
	tape_bytes(tape, packet->bytes + packet->at, packet->len - packet->at);
	carry_passed(tape, packet);
	if (tape->loading)
		tape->kernel->streams->in_flight += packet->file_count;
	tape_check(tape, tape->kernel->streams->in_flight <= IN_FLIGHT_MAX);
}

/* ---- Links ---- */

static void carry_waiting(Tape *tape, UnixSocket *socket)
{
	u32 count = tape_count(tape, socket->waiting_count, 4);
	UnixSocket *at = socket->waiting;

	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		UnixSocket *endpoint = find(tape, at);

		if (tape->loading && tape_check(tape, endpoint && endpoint != socket && !endpoint->listens && !endpoint->in_line &&
							      endpoint->socket.type == socket->socket.type)) {
			endpoint->in_line = true;
			file_get(endpoint->socket.file);
			unix_wait_in_line(socket, endpoint);
		}
		at = at ? at->next_waiting : NULL;
	}
}

void unix_link(Tape *tape, File *file)
{
	UnixSocket *socket = file->data, *peer = find(tape, socket->peer);
	u32 count = tape_count(tape, socket->packets, 32);
	UnixPacket *packet = socket->first;

	if (tape->loading && peer && tape_check(tape, peer->socket.type == socket->socket.type))
		unix_follow(socket, peer);
	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		carry_packet(tape, socket, packet);
		packet = packet ? packet->next : NULL;
	}
	carry_waiting(tape, socket);
}

/* From the oldest name on. */
void carry_socket_names(Tape *tape)
{
	Streams *streams = tape->kernel->streams;
	UnixSocket *last = streams->names;
	u32 count = 0;

	for (const UnixSocket *socket = streams->names; socket; socket = socket->next_name)
		count++;
	while (last && last->next_name)
		last = last->next_name;
	count = tape_count(tape, count, 4);
	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		UnixSocket *socket = find(tape, last);

		if (tape->loading && tape_check(tape, socket && socket->name_len && !socket->name_link))
			unix_list_name(socket);
		/* name_link is the list's beginning or the next_name of the one before. */
		last = !last || last->name_link == &streams->names
			       ? NULL
			       : (UnixSocket *)(void *)((u8 *)last->name_link - offsetof(UnixSocket, next_name));
	}
}
