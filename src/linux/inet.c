/* SPDX-License-Identifier: MIT
 *
 * Internet sockets. Denied unless the embedder has given the network: then the reason is told when the run ends.
 */
#include "linux/socket.h"

i64 inet_create(Task *task, i32 family, i32 type, i32 protocol, u32 flags, File **out)
{
	(void)family;
	(void)type;
	(void)protocol;
	(void)flags;
	(void)out;
	if (!task->kernel->net) {
		task->kernel->denied = "Internet sockets (--net)";
		return -EACCES;
	}
	return -EAFNOSUPPORT;
}
