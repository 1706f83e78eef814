/* SPDX-License-Identifier: MIT
 *
 * A machine of the LC-3 for one call of a fuzz target.
 */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include "fuzz.h"

static inline Machine *fuzz_machine(const Isa *isa)
{
	MachineConfig config = {.isa = isa, .guest = guests_find("lc3"), .random_seed = 1};
	Machine *machine = NULL;
	DiagList diags;

	diag_init(&diags);
	if (machine_create(&config, &machine, &diags) != STATUS_OK)
		fuzz_fail("no machine");
	diag_fini(&diags);
	return machine;
}

/* Runs exactly `count` instructions unless the guest stops before; the clock must say so. */
static inline MachineStop fuzz_run(Machine *machine, u64 count)
{
	u64 before = machine_icount(machine), done;
	MachineStop stop = machine_run(machine, count);

	done = machine_icount(machine) - before;
	if (done > count || (stop.kind == STOP_BUDGET && done != count))
		fuzz_fail("the clock does not count what was run");
	if (stop.kind == STOP_ERROR)
		fuzz_fail(status_text(stop.status));
	return stop;
}

#endif
