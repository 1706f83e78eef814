/* SPDX-License-Identifier: MIT */
#ifndef LINUX_HUSK_DEV_H
#define LINUX_HUSK_DEV_H

#include "linux/file.h"

typedef enum HuskDevice { HUSK_MAILBOX, HUSK_SPAWN, HUSK_KV } HuskDevice;

/* Its place is the caller's business. */
i64 husk_dev_open(Kernel *kernel, HuskDevice device, u32 flags, File **out);

#endif
