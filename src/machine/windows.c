/* SPDX-License-Identifier: MIT */
#include "machine/shared.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "machine/machine_private.h"

struct SharedMemory {
	u32 references;
	u64 size;
	char name[64];
	u8 bytes[];
};

SharedMemory *shared_create(const char *name, u64 bytes)
{
	SharedMemory *memory;

	if (bytes > (u64)1 << 40)
		return NULL;
	memory = calloc(1, sizeof *memory + bytes);
	if (!memory)
		return NULL;
	memory->references = 1;
	memory->size = bytes;
	strncpy(memory->name, name, sizeof memory->name - 1);
	return memory;
}

void shared_ref(SharedMemory *memory)
{
	memory->references++;
}

void shared_unref(SharedMemory *memory)
{
	if (memory && --memory->references == 0)
		free(memory);
}

u8 *shared_bytes(SharedMemory *memory)
{
	return memory->bytes;
}

u64 shared_size(const SharedMemory *memory)
{
	return memory->size;
}

const char *shared_name(const SharedMemory *memory)
{
	return memory->name;
}

const MachineWindow *machine_window_at(const Machine *machine, u16 space, u64 address)
{
	for (u32 i = 0; i < machine->window_count; i++) {
		const MachineWindow *window = &machine->windows[i];

		if (window->space == space && address >= window->address && address - window->address < window->cells)
			return window;
	}
	return NULL;
}

static unsigned cell_bytes(const Machine *machine, u16 space)
{
	return (machine->vcpu.spaces[space].cell_bits + 7u) / 8;
}

static bool overlaps(const Machine *machine, const MachineWindow *window)
{
	for (u32 i = 0; i < machine->window_count; i++) {
		const MachineWindow *other = &machine->windows[i];

		if (other->space == window->space && window->address - other->address < other->cells)
			return true;
		if (other->space == window->space && other->address - window->address < window->cells)
			return true;
	}
	return false;
}

Status machine_map_shared(Machine *machine, const MachineWindow *window)
{
	const Space *space;
	MachineWindow *grown;
	u64 bytes, mask;

	if (window->space >= machine->vcpu.space_count)
		return STATUS_NOT_FOUND;
	space = &machine->vcpu.spaces[window->space];
	if (space->paged)
		return STATUS_UNSUPPORTED; /* machine_pages_back */
	mask = space->wraps ? space->wrap_mask : bits_mask(machine->isa->spaces[window->space].addr_bits);
	bytes = cell_bytes(machine, window->space);
	if (!window->cells || window->address > mask || window->cells - 1 > mask - window->address ||
	    window->offset > window->memory->size || window->cells > (window->memory->size - window->offset) / bytes)
		return STATUS_RANGE;
	if (overlaps(machine, window))
		return STATUS_INVALID;
	grown = realloc(machine->windows, (machine->window_count + 1) * sizeof *grown);
	if (!grown)
		return STATUS_NOMEM;
	machine->windows = grown;
	grown[machine->window_count++] = *window;
	shared_ref(window->memory);
	machine_mark_space(machine, window->space);
	machine_flush_engines(machine); /* code may have stood there */
	return STATUS_OK;
}

void machine_unmap_windows(Machine *machine)
{
	for (u32 i = 0; i < machine->window_count; i++)
		shared_unref(machine->windows[i].memory);
	free(machine->windows);
	machine->windows = NULL;
	machine->window_count = 0;
}

static u8 *cell_at(const Machine *machine, const MachineWindow *window, u64 address)
{
	return window->memory->bytes + window->offset + (address - window->address) * cell_bytes(machine, window->space);
}

u64 machine_window_read(const Machine *machine, const MachineWindow *window, u64 address)
{
	unsigned bytes = cell_bytes(machine, window->space);
	const u8 *at = cell_at(machine, window, address);
	u64 value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | at[window->big ? i : bytes - 1 - i];
	return bits_trunc(value, machine->vcpu.spaces[window->space].cell_bits);
}

void machine_window_write(Machine *machine, const MachineWindow *window, u64 address, u64 value)
{
	unsigned bytes = cell_bytes(machine, window->space);
	u8 *at = cell_at(machine, window, address);

	for (unsigned i = 0; i < bytes; i++)
		at[window->big ? bytes - 1 - i : i] = (u8)(value >> (8 * i));
}
