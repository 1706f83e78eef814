/* SPDX-License-Identifier: MIT
 *
 * Parking: many machines of one origin take turns in one Machine. A *base* is the frozen state of a machine; a *delta* is
 * what another one, that came from it, has changed since: registers, counts, pieces of memory. A machine that waits is then
 * a few hundred bytes, and a Machine with its engine and its compiled code serves thousands of them, one after the other
 * (docs/decisions/0017-parked-instances.md).
 *
 *     machine_freeze(origin) --> base
 *     machine is as base --machine_unpack(delta)--> it is that one --machine_run ...--> machine_pack --> delta
 *           ^                                                                    |
 *           +------------------------ machine_unwind <--------------------------+
 *
 * Deltas are no snapshots: they are of this process and of this base, and are not checked.
 *
 * A base never changes; any number of threads may use one at a time.
 */
#ifndef MACHINE_PARK_H
#define MACHINE_PARK_H

#include "machine/machine.h"

typedef struct MachineBase MachineBase;

/* STATUS_UNSUPPORTED: there is more to it than what can be packed (machine_can_park). */
Status machine_freeze(const Machine *machine, MachineBase **out);
/* Likewise, but memory may be handed over instead of being copied: the machine runs again when machine_settle has been called, or the base
 * has been destroyed. */
Status machine_freeze_away(Machine *machine, MachineBase **out);
void machine_base_destroy(MachineBase *base);
u64 machine_base_bytes(const MachineBase *base); /* what it takes of the host */
bool machine_base_has_pages(const MachineBase *base); /* memory in pages: a machine that is as it shares them, and takes hardly any */
u64 machine_base_time(const MachineBase *base);  /* machine_time of a machine that is as it */

/* Is its whole state such that it can be packed now? Not while somebody debugs or records it, or cells of it are elsewhere
 * (shared memory, an operating system of its own). */
bool machine_can_park(const Machine *machine);
/* The machine that the base was just made of: it goes on, as all others that are as the base. Nothing it is changes; on
 * failure it is of no more use. *left: memory that nobody needs any more; to give back 64 MiB takes the host some ms, so who has called
 * may do that later, and elsewhere. Perhaps NULL. */
typedef struct MachineLeft MachineLeft;

Status machine_settle(Machine *machine, const MachineBase *base, MachineLeft **left);
void machine_left_destroy(MachineLeft *left);
/* It goes on with memory of its own, which engines can make hard (core/space.h): worth it for who runs long. False: it has it already,
 * or can't. machine_pack and machine_unwind take longer from then on, and give the memory back. */
bool machine_unshare(Machine *machine);
/* How many pages of paged memory a machine of this base has changed, at most. */
u64 machine_changed_pages(const Machine *machine, const MachineBase *base);
/* A machine made with the configuration of the base's origin becomes as it. On failure it is of no more use. */
Status machine_become(Machine *machine, const MachineBase *base);
/* Likewise, but for an operating system of its own: that comes with machine_unpack, as after machine_unwind. */
Status machine_join(Machine *machine, const MachineBase *base);
/* Appends to `out` what is different in a machine that was as the base once. The machine stays as it is. What it has open of the host goes
 * into `held`, but for what the base has open as well: whoever keeps `out` keeps that, too. */
Status machine_pack(Machine *machine, const MachineBase *base, Buf *out, OpenFiles *held);
/* The machine, which was as the base once, is so again, but for an operating system of its own: that comes with machine_unpack. `delta`:
 * what machine_pack just gave of it, or NULL (it may take longer then). On failure it is of no more use. */
Status machine_unwind(Machine *machine, const MachineBase *base, const u8 *delta);
/* The machine, which machine_unwind, machine_join or machine_become has made as the base, becomes what was packed, or, with NULL,
 * wholly as the base. On failure it is of no more use. */
Status machine_unpack(Machine *machine, const MachineBase *base, const u8 *delta);
/* How many cells were changed by all this that were code, and the engine had to forget it. */
u64 machine_park_recoded(const Machine *machine);

#endif
