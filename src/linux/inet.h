/* SPDX-License-Identifier: MIT
 *
 * Which addresses and options of Internet sockets a program may use: the rules between inet.c and the host.
 *
 * kernel->net: any address. kernel->net_loopback besides: only the loopback (127.0.0.0/8, ::1), as on a computer that
 * has no other interface; "any address" in bind means the loopback's then, so that nobody outside can connect.
 */
#ifndef LINUX_INET_H
#define LINUX_INET_H

#include "linux/socket.h"

typedef struct InetSocket {
	Socket socket; /* the first member */
	int fd;        /* owned; of the host. -1: lost (inet_lost.c) */
	bool connecting, bound;
	u32 known;     /* POLL* */
	u64 edges;
	WaitQueue readable, writable;
} InetSocket;

static inline InetSocket *inet_of(Socket *socket)
{
	return (InetSocket *)socket;
}

/* 0 or -errno. The address may be changed ("any" -> loopback). */
i64 inet_may_bind(Kernel *kernel, i32 family, u8 *name, u32 len);
i64 inet_may_reach(Kernel *kernel, i32 family, const u8 *name, u32 len);
/* The loopback's address, port 0; gives the length. */
u32 inet_loopback(i32 family, u8 *name);
bool inet_knows_option(i32 level, i32 name, bool set);

/* After vfs_configure: /etc/hosts and /etc/resolv.conf, if the network was given and the root has none (inet_files.c). */
Status inet_add_files(Kernel *kernel);

#endif
