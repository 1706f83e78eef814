/* SPDX-License-Identifier: MIT
 *
 * Sockets: what the calls (socket.c, socket_message.c) ask of a family (unix.c, inet.c).
 *
 * As everywhere, nothing in here waits: -EAGAIN, and the caller waits on what ->watch names. Addresses are struct
 * sockaddr as Linux lays it out, which is the same on all its machines.
 */
#ifndef LINUX_SOCKET_H
#define LINUX_SOCKET_H

#include "linux/stream.h"

enum {
	ADDRESS_MAX = 128,      /* struct sockaddr_storage */
	PASSED_MAX = 253,       /* files in one message: SCM_MAX_FD */
	IN_FLIGHT_MAX = 4096,   /* files in the queues of all sockets */
	SOCKET_BUFFER = 212992, /* SO_SNDBUF, SO_RCVBUF at first */
	BACKLOG_MAX = 128,
};

/* One message, on its way in or out. */
typedef struct SocketMessage {
	u8 *bytes;
	u64 len;               /* out: to send; in: room */
	u32 flags;             /* MSG_* of the call */
	u32 result_flags;      /* in: MSG_TRUNC ... */
	u8 name[ADDRESS_MAX];  /* out: where to; in: where from */
	u32 name_len;          /* 0: none */
	File **files;          /* owned array of references, or NULL */
	u32 file_count;
	bool has_credentials;
	i32 pid;
	u32 user, group;
} SocketMessage;

typedef struct Socket Socket;

typedef struct SocketOps {
	i64 (*bind)(Socket *socket, Task *task, const u8 *name, u32 len);
	/* Again and again until it is no longer -EAGAIN. */
	i64 (*connect)(Socket *socket, Task *task, const u8 *name, u32 len);
	i64 (*listen)(Socket *socket, Task *task, i32 backlog);
	i64 (*accept)(Socket *socket, Task *task, u32 flags, File **out);
	i64 (*name)(Socket *socket, bool of_peer, u8 *to); /* ADDRESS_MAX bytes; gives how many */
	/* Bytes. receive may give the true length of a message that was cut (MSG_TRUNC). Takes message->files over if it
	 * gives no error. */
	i64 (*send)(Socket *socket, Task *task, SocketMessage *message);
	i64 (*receive)(Socket *socket, Task *task, SocketMessage *message);
	i64 (*shutdown)(Socket *socket, u32 how);
	/* What socket.c does not do for all: -ENOPROTOOPT. value: at most 128 bytes. */
	i64 (*set_option)(Socket *socket, i32 level, i32 name, const u8 *value, u32 len);
	i64 (*get_option)(Socket *socket, i32 level, i32 name, u8 *value, u32 *len);
	u32 (*poll)(Socket *socket);
	bool (*watch)(Socket *socket, Task *task, u32 events);
	u64 (*changes)(Socket *socket, u32 events);
	i64 (*pending)(Socket *socket); /* bytes to read: FIONREAD */
	void (*release)(Socket *socket); /* and frees it */
} SocketOps;

/* Families embed it as their first member. */
struct Socket {
	const SocketOps *ops;
	Kernel *kernel;
	File *file;       /* its own; not a reference */
	i32 family, type, protocol;
	u64 receive_timeout, send_timeout; /* ns; 0: none */
	bool pass_credentials;
	u32 linger[2];
	i32 error;        /* positive; SO_ERROR gives and clears it */
};

/* The file of a socket whose family and type are set. NULL: limits. The socket stays with the caller then. */
File *socket_file(Kernel *kernel, Socket *socket, u32 flags);
Socket *socket_of(const File *file); /* NULL: it is none */
/* 0 and *out, or -EBADF, -ENOTSOCK. */
i64 socket_find(Task *task, u64 fd, Socket **out);
/* A struct sockaddr of the caller's. Its length, -EFAULT or -EINVAL. */
i64 socket_get_name(Task *task, u64 address, u64 len, u8 *to);
/* Back to the caller: as much as fits; *len_address gets the whole length. 0, -EFAULT, -EINVAL. */
i64 socket_put_name(Task *task, const u8 *name, u32 len, u64 address, u64 len_address);
/* After -EAGAIN: waits, as long as SO_RCVTIMEO (POLLIN) or SO_SNDTIMEO (POLLOUT) says, unless `flags` has MSG_DONTWAIT. */
i64 socket_wait(Task *task, Socket *socket, u32 events, u32 flags);

/* ---- unix.c, inet.c. 0 and *out, or -errno ---- */
i64 unix_create(Task *task, i32 type, i32 protocol, u32 flags, File **out);
i64 unix_pair(Task *task, i32 type, i32 protocol, u32 flags, File **out);
i64 inet_create(Task *task, i32 family, i32 type, i32 protocol, u32 flags, File **out);

#endif
