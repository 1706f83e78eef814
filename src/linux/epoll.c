/* SPDX-License-Identifier: MIT */
#include "linux/epoll.h"

void epoll_forget(File *file)
{
	(void)file;
}
