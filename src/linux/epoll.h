/* SPDX-License-Identifier: MIT
 *
 * Epoll sets, as far as other files concern them.
 */
#ifndef LINUX_EPOLL_H
#define LINUX_EPOLL_H

#include "linux/file.h"

typedef struct EpollItem EpollItem;

/* The file goes: out of all sets. */
void epoll_forget(File *file);

#endif
