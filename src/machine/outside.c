/* SPDX-License-Identifier: MIT */
#include "machine/outside.h"

#include "machine/machine_private.h"

void machine_set_outside(Machine *machine, const MachineOutside *outside)
{
	if (outside)
		machine->outside_own = *outside;
	machine->outside = outside ? &machine->outside_own : NULL;
}

const MachineOutside *machine_outside(const Machine *machine)
{
	return machine->outside;
}

bool machine_file_opened(Machine *machine)
{
	if (machine->outside && !machine->outside->file_opened(machine->outside->ctx))
		return false;
	machine->files++;
	return true;
}

void machine_file_closed(Machine *machine)
{
	machine->files--;
	if (machine->outside)
		machine->outside->file_closed(machine->outside->ctx);
}

u64 machine_files(const Machine *machine)
{
	return machine->files;
}
