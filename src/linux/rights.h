/* SPDX-License-Identifier: MIT */
#ifndef LINUX_RIGHTS_H
#define LINUX_RIGHTS_H

#include "linux/kernel.h"

bool kernel_may(const Kernel *kernel, Right right);
/* 0, or what the call of this number gives because a right is missing. */
i64 kernel_refuses(Kernel *kernel, u64 number);

#endif
