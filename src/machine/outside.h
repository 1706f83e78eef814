/* SPDX-License-Identifier: MIT
 *
 * What stands around a machine: services that are not its own, as long as somebody (a hypervisor) gives them. They are no part of the
 * machine's state and in no snapshot. A machine that stands alone has none: files are not counted, and the rest is not there.
 *
 * Called while the machine runs, by the thread that runs it. None of them waits: who must, does so by
 * machine_wait_for(machine, MACHINE_OUTSIDE), and machine_stir says when it is time to try again.
 */
#ifndef MACHINE_OUTSIDE_H
#define MACHINE_OUTSIDE_H

#include "machine/machine.h"

typedef struct MachineOutside {
	void *ctx;
	/* One more open file; false: there is no room. One less. */
	bool (*file_opened)(void *ctx);
	void (*file_closed)(void *ctx);
} MachineOutside;

/* Borrowed; NULL: none. Not while it runs. */
void machine_set_outside(Machine *machine, const MachineOutside *outside);
const MachineOutside *machine_outside(const Machine *machine);

/* For guests that open files: how many are open. */
bool machine_file_opened(Machine *machine);
void machine_file_closed(Machine *machine);
u64 machine_files(const Machine *machine);

#endif
