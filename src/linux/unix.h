/* SPDX-License-Identifier: MIT
 *
 * AF_UNIX sockets, inside one kernel: unix.c (who is connected with whom), unix_queue.c (what is on its way).
 *
 *     client <==peer==> endpoint           a stream: two sockets that are each other's peer
 *                          ^
 *     listener.waiting ----'               until accept takes its File over
 *
 *     dgram --peer--> dgram                one way; the target knows its followers, to tell them when it goes
 *
 * Each socket has one queue, of what it will receive. Whoever finds it full waits on `room` of that socket.
 */
#ifndef LINUX_UNIX_H
#define LINUX_UNIX_H

#include "linux/socket.h"

enum { UNIX_NAME_MAX = 110, UNIX_DATAGRAMS_MAX = 64 };

typedef struct UnixPacket UnixPacket;
typedef struct UnixSocket UnixSocket;

struct UnixPacket {
	UnixPacket *next;
	u32 at, len, cap; /* bytes at .. len are to be read */
	File **files;     /* owned references */
	u32 file_count;
	i32 pid;
	u32 user, group;
	u32 name_len;
	u8 name[UNIX_NAME_MAX]; /* of the sender */
	u8 bytes[];
};

struct UnixSocket {
	Socket socket; /* the first member */
	UnixSocket *peer, *followers, *next_follower, **follower_link;
	bool listens, was_connected;
	bool shut_read, shut_write; /* by itself */
	bool ended;                 /* nothing more will come: the peer has shut it or gone */
	i32 peer_pid;
	u32 peer_user, peer_group;
	i32 pid;                    /* who listens */
	u32 user, group;

	UnixPacket *first, *last;   /* owned */
	u32 queued, packets;        /* bytes, and how many */
	bool starved;               /* somebody found no room */
	WaitQueue arrived, room;

	UnixSocket *waiting, *last_waiting, *next_waiting; /* of a listener: references of their files */
	u32 waiting_count, backlog;
	bool in_line;               /* loading: some listener has it in `waiting` */

	UnixSocket *next_name, **name_link; /* of Streams.names, when it is bound */
	u64 key;                    /* of the node in the file system, or 0 */
	u32 name_len;               /* 0: not bound */
	u8 name[UNIX_NAME_MAX];     /* struct sockaddr_un */
};

/* Room for `len` bytes in the target's queue: how many of them it takes now. */
u32 unix_room(UnixSocket *target, u64 len);
i64 unix_send(Socket *socket, Task *task, SocketMessage *message);
i64 unix_receive(Socket *socket, Task *task, SocketMessage *message);
void unix_queue_free(UnixSocket *socket);
/* A socket by its address. 0 and *out, or -errno. */
i64 unix_find(Task *task, const u8 *name, u32 len, UnixSocket **out);

/* ---- For snapshots (unix_save.c) ---- */
typedef struct Tape Tape;
UnixSocket *unix_blank(Kernel *kernel); /* NULL: no memory */
void unix_follow(UnixSocket *socket, UnixSocket *target);
void unix_wait_in_line(UnixSocket *listener, UnixSocket *endpoint);
void unix_list_name(UnixSocket *socket); /* the name that it has: it is found under it from now on */
/* A packet like this one, without files and bytes, behind the others. NULL: no memory, or there are too many. */
UnixPacket *unix_packet_put(UnixSocket *target, const UnixPacket *like);
void unix_carry(Tape *tape, File *file, bool is_stream);
void unix_link(Tape *tape, File *file);

#endif
