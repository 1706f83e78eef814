/* SPDX-License-Identifier: MIT
 *
 * Between snapshot.c, which writes, and snapshot_read.c.
 */
#ifndef MACHINE_SNAPSHOT_PRIVATE_H
#define MACHINE_SNAPSHOT_PRIVATE_H

#include "machine/machine_private.h"

enum {
	SNAPSHOT_VERSION_AT = 8,
	SNAPSHOT_LENGTH_AT = 12, /* where the total length stands */
	SNAPSHOT_HEAD_BYTES = 20,
	SNAPSHOT_CHECK_BYTES = 8,
	SNAPSHOT_INPUT_ENDED = 1,
	SNAPSHOT_JITTER = 1, /* of the schedule */
	SNAPSHOT_VIRTUAL = 2,
	SNAPSHOT_ALONE = 4,
	SNAPSHOT_MOVED = 8,  /* time has, and the guest does not know */
	SNAPSHOT_PAUSED = 1, /* of a vCPU */
	SNAPSHOT_ATTENTION = 2,
};

/* The private bytes of a guest that has something to give back hold pointers: it saves what they mean. */
static inline size_t snapshot_plain_private(const Machine *machine)
{
	return machine->guest && machine->guest->fini ? 0 : machine->private_size;
}

static inline bool snapshot_is_possible(const Machine *machine)
{
	const Guest *guest = machine->guest;

	return !guest || !guest->fini || (guest->save && guest->restore);
}

#endif
