/* SPDX-License-Identifier: MIT
 *
 * What the calls that wait for several files have in common. The deadline stands in call->data[0].
 */
#ifndef LINUX_POLL_H
#define LINUX_POLL_H

#include "linux/file.h"

/* struct timespec at `address`, or 0: no end. 0, -EFAULT, -EINVAL. */
i64 poll_deadline(Task *task, u64 address);
void poll_set_deadline(Task *task, bool limited, u64 ns);
bool poll_is_over(Task *task);
/* Signals blocked during the call; address 0: as they are. */
i64 poll_mask(Task *task, u64 address, u64 size);

void signal_mask_for_call(Task *task, u64 mask); /* signal.c */

#endif
