/* SPDX-License-Identifier: MIT
 *
 * Registers, memory and names of machines, and views: pieces of memory that know when they are over.
 */
#include "api/api_private.h"

#include "machine/pages.h"
#include "machine/vcpus.h"

struct husk_view {
	husk_machine *machine; /* a reference: of the handle, not of the memory */
	u64 generation;        /* the machine's when it was made */
	u64 address, count;
	u32 space;
};

/* ---- Registers ---- */

husk_status husk_machine_get_register(husk_machine *machine, uint32_t number, uint64_t *value)
{
	husk_status status = api_enter(machine);

	if (status || !value)
		return status ? status : HUSK_INVALID;
	*value = 0;
	if (number >= machine->config.isa->slot_count)
		return HUSK_RANGE;
	*value = machine_slot(machine->machine, number);
	return HUSK_OK;
}

husk_status husk_machine_set_register(husk_machine *machine, uint32_t number, uint64_t value)
{
	husk_status status = api_enter(machine);

	if (status)
		return status;
	if (number >= machine->config.isa->slot_count)
		return HUSK_RANGE;
	machine_set_slot(machine->machine, number, value);
	machine_changed(machine->machine);
	return HUSK_OK;
}

/* A register, or else a view. *view is ISA_NONE for a register. */
static husk_status find(const husk_machine *machine, const char *name, u32 *slot, u16 *view)
{
	const Isa *isa = machine->config.isa;
	size_t len = strlen(name);
	u8 width;

	*view = ISA_NONE;
	if (isa_find_register(isa, name, len, false, slot, &width) || isa_find_register(isa, name, len, true, slot, &width))
		return HUSK_OK;
	*view = isa_find_view(isa, name, len, false);
	if (*view == ISA_NONE)
		*view = isa_find_view(isa, name, len, true);
	return *view == ISA_NONE ? HUSK_NOT_FOUND : HUSK_OK;
}

husk_status husk_machine_get(husk_machine *machine, const char *name, uint64_t *value)
{
	husk_status status = api_enter(machine);
	u32 slot;
	u16 view;

	if (status || !name || !value)
		return status ? status : HUSK_INVALID;
	*value = 0;
	status = find(machine, name, &slot, &view);
	if (status)
		return status;
	*value = view == ISA_NONE ? machine_slot(machine->machine, slot) : machine_view(machine->machine, view);
	return HUSK_OK;
}

husk_status husk_machine_set(husk_machine *machine, const char *name, uint64_t value)
{
	husk_status status = api_enter(machine);
	u32 slot;
	u16 view;

	if (status || !name)
		return status ? status : HUSK_INVALID;
	status = find(machine, name, &slot, &view);
	if (status)
		return status;
	machine_changed(machine->machine);
	if (view != ISA_NONE)
		return api_status(machine_set_view(machine->machine, view, value));
	machine_set_slot(machine->machine, slot, value);
	return HUSK_OK;
}

husk_status husk_machine_select(husk_machine *machine, uint32_t vcpu)
{
	husk_status status = api_enter(machine);

	if (status)
		return status;
	if (machine->runner)
		return HUSK_STATE;
	if (machine_vcpu_state(machine->machine, vcpu) == VCPU_FREE)
		return HUSK_RANGE;
	return api_status(machine_vcpu_select(machine->machine, vcpu));
}

/* ---- Memory ---- */

static husk_status check(husk_machine *machine, u32 space, const void *cells, size_t count)
{
	husk_status status = api_enter(machine);

	if (status || (!cells && count))
		return status ? status : HUSK_INVALID;
	return space < machine->config.isa->space_count ? HUSK_OK : HUSK_NOT_FOUND;
}

static husk_status read_cells(husk_machine *machine, u32 space, u64 address, void *cells, size_t count)
{
	unsigned size = api_cell_size(machine->config.isa->spaces[space].cell_bits);
	u64 value;

	if (space == machine_paged_space(machine->machine))
		return machine_copy_in(machine->machine, machine_aspace(machine->machine), address, cells, count) == count ? HUSK_OK
															   : HUSK_RANGE;
	for (size_t i = 0; i < count; i++) {
		if (address + i < address || machine_read(machine->machine, (u16)space, address + i, &value))
			return HUSK_RANGE;
		api_set_cell(cells, i, size, value);
	}
	return HUSK_OK;
}

static husk_status write_cells(husk_machine *machine, u32 space, u64 address, const void *cells, size_t count)
{
	unsigned size = api_cell_size(machine->config.isa->spaces[space].cell_bits);

	if (space == machine_paged_space(machine->machine))
		return machine_copy_out(machine->machine, machine_aspace(machine->machine), address, cells, count) == count ? HUSK_OK
															    : HUSK_RANGE;
	for (size_t i = 0; i < count; i++)
		if (address + i < address || machine_write(machine->machine, (u16)space, address + i, api_cell(cells, i, size)))
			return HUSK_RANGE;
	return HUSK_OK;
}

husk_status husk_machine_read(husk_machine *machine, uint32_t space, uint64_t address, void *cells, size_t count)
{
	husk_status status = check(machine, space, cells, count);

	return status ? status : read_cells(machine, space, address, cells, count);
}

husk_status husk_machine_write(husk_machine *machine, uint32_t space, uint64_t address, const void *cells, size_t count)
{
	husk_status status = check(machine, space, cells, count);

	return status ? status : write_cells(machine, space, address, cells, count);
}

husk_status husk_machine_read_text(husk_machine *machine, uint32_t space, uint64_t address, char *text, size_t size)
{
	husk_status status;

	if (text && size)
		*text = 0;
	status = check(machine, space, text, size);
	if (status || !size)
		return status ? status : HUSK_INVALID;
	for (size_t i = 0; i + 1 < size; i++) {
		u64 cell = 0; /* of any width */

		text[i] = 0;
		status = read_cells(machine, space, address + i, &cell, 1);
		if (status)
			return status;
		text[i] = (char)(api_cell(&cell, 0, api_cell_size(machine->config.isa->spaces[space].cell_bits)) & 0xFF);
		if (!text[i])
			return HUSK_OK;
	}
	text[size - 1] = 0;
	return HUSK_LIMIT;
}

husk_status husk_machine_symbol(husk_machine *machine, const char *name, uint64_t *value)
{
	husk_status status = api_enter(machine);

	if (value)
		*value = 0;
	if (status || !name || !value)
		return status ? status : HUSK_INVALID;
	return api_find_symbol(machine->program, machine->machine, name, value);
}

/* ---- Stops ---- */

husk_status husk_machine_break(husk_machine *machine, uint64_t address, int on)
{
	husk_status status = api_enter(machine);

	if (!status && machine->instance)
		return HUSK_UNSUPPORTED;
	return status ? status : api_status(machine_break_set(machine->machine, address, on != 0));
}

husk_status husk_machine_watch(husk_machine *machine, uint32_t space, uint64_t address, uint64_t count, int reads, int writes, int on)
{
	husk_status status = check(machine, space, NULL, 0);

	if (!status && machine->instance)
		return HUSK_UNSUPPORTED;
	if (status)
		return status;
	return api_status(machine_watch_set(machine->machine, (u16)space, address, count, reads != 0, writes != 0, on != 0));
}

/* ---- Views ---- */

husk_status husk_view_create(husk_machine *machine, uint32_t space, uint64_t address, uint64_t count, husk_view **view)
{
	husk_status status;

	if (view)
		*view = NULL;
	status = check(machine, space, NULL, 0);
	if (status || !view)
		return status ? status : HUSK_INVALID;
	if (count > ~(u64)0 - address)
		return HUSK_RANGE;
	*view = api_alloc(machine->context, sizeof **view);
	if (!*view)
		return HUSK_NO_MEMORY;
	api_ref(&machine->refs);
	**view = (husk_view){.machine = machine, .generation = machine->generation, .address = address, .count = count, .space = space};
	return HUSK_OK;
}

uint64_t husk_view_count(const husk_view *view)
{
	return view ? view->count : 0;
}

/* Is it still the memory it was made of, may this thread look at it, and are these cells in it? */
static husk_status enter_view(const husk_view *view, u64 offset, const void *cells, size_t count)
{
	husk_status status;

	if (!view || (!cells && count))
		return HUSK_INVALID;
	if (view->generation != view->machine->generation)
		return HUSK_STALE;
	status = api_enter(view->machine);
	if (status)
		return status;
	return offset > view->count || count > view->count - offset ? HUSK_RANGE : HUSK_OK;
}

husk_status husk_view_read(husk_view *view, uint64_t offset, void *cells, size_t count)
{
	husk_status status = enter_view(view, offset, cells, count);

	return status ? status : read_cells(view->machine, view->space, view->address + offset, cells, count);
}

husk_status husk_view_write(husk_view *view, uint64_t offset, const void *cells, size_t count)
{
	husk_status status = enter_view(view, offset, cells, count);

	return status ? status : write_cells(view->machine, view->space, view->address + offset, cells, count);
}

void husk_view_destroy(husk_view *view)
{
	husk_machine *machine = view ? view->machine : NULL;

	if (!machine)
		return;
	api_free(machine->context, view, sizeof *view);
	api_machine_unref(machine);
}
