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

void machine_set_disk(Machine *machine, const MachineDisk *disk)
{
	machine->disk = disk ? *disk : (MachineDisk){.ctx = NULL};
}

u64 machine_disk_take(Machine *machine, u64 must, u64 may)
{
	const MachineDisk *disk = &machine->disk;
	u64 left = machine->disk_limit ? machine->disk_limit - machine->disk_used : ~(u64)0 - machine->disk_used, taken;

	if (disk->take)
		return disk->take(disk->ctx, must, may);
	taken = must > left ? 0 : may < left - must ? must + may : left;
	if (!taken && !machine->disk_told) {
		machine->disk_told = true;
		machine_note(machine, "ran into the disk limit of %llu bytes", (unsigned long long)machine->disk_limit);
	}
	machine->disk_used += taken;
	return taken;
}

void machine_disk_give(Machine *machine, u64 bytes)
{
	const MachineDisk *disk = &machine->disk;

	if (!disk->take)
		machine->disk_used -= bytes;
	else if (bytes)
		disk->give(disk->ctx, bytes);
}
