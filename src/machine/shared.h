/* SPDX-License-Identifier: MIT
 *
 * Memory that several machines see, through windows in spaces of theirs: how cores of different kinds talk to each other.
 *
 *     machine A, space M, cells of 16 bits       shared bytes            machine B, space heap, cells of 8 bits
 *       | .. |x4000 x4001 x4002| .. |  <-----> | 0 1 2 3 4 5 | <-------->  | .. |64 65 66 67 68 69| .. |
 *
 * A cell of n bits takes (n + 7) / 8 bytes, in the window's own byte order. A window hides what the space holds there, and
 * may lie beyond its end. It goes before devices of the description. Accesses through it are slow (a function call), always
 * checked, and atomic per instruction. Instructions are not fetched through it: that is a fault.
 *
 * The bytes belong to whoever made them, not to a machine: a snapshot of a machine holds neither them nor the windows.
 * Inside `on read` and `on write` handlers memory is plain: windows are not seen there.
 */
#ifndef MACHINE_SHARED_H
#define MACHINE_SHARED_H

#include "machine/machine.h"

typedef struct SharedMemory SharedMemory;

/* All zero; counted references, one at first. NULL when memory is out. One thread at a time. */
SharedMemory *shared_create(const char *name, u64 bytes);
void shared_ref(SharedMemory *memory);
void shared_unref(SharedMemory *memory);
u8 *shared_bytes(SharedMemory *memory);
u64 shared_size(const SharedMemory *memory);
const char *shared_name(const SharedMemory *memory);

typedef struct MachineWindow {
	u16 space;
	u64 address, cells;
	SharedMemory *memory;    /* the machine takes a reference */
	u64 offset;              /* bytes */
	bool big;                /* byte order of a cell in the shared bytes */
	bool readable, writable; /* else a fault */
} MachineWindow;

/* STATUS_RANGE: beyond the space's addresses or the memory. STATUS_INVALID: overlaps another window. */
Status machine_map_shared(Machine *machine, const MachineWindow *window);
/* The window that a cell lies in, or NULL. */
const MachineWindow *machine_window_at(const Machine *machine, u16 space, u64 address);

#endif
