/* SPDX-License-Identifier: MIT */
#include "guests/plain.h"

#include "base/bits.h"

static Status refuse(Buf *error, const char *name, const char *what, Status status)
{
	buf_printf(error, "%s: %s", name, what);
	return status;
}

/* Makes sure a space has cells up to `end`. */
static Status make_room(Machine *machine, const char *name, u16 space, u64 end, Buf *error)
{
	Status status = STATUS_OK;

	if (end > machine_cells(machine, space))
		status = machine_resize(machine, space, end);
	if (status)
		buf_printf(error, "%s: does not fit into space %s (%llu cells)", name, machine_isa(machine)->spaces[space].name,
			   (unsigned long long)machine_cells(machine, space));
	return status;
}

Status plain_put_program(Machine *machine, const char *name, const AsmProgram *program, u64 *start, Buf *error)
{
	const Isa *isa = machine_isa(machine);

	for (u32 s = 0; s < program->segment_count; s++) {
		const AsmSegment *segment = &program->segments[s];
		Status status = STATUS_OK;

		if (segment->count)
			status = make_room(machine, name, segment->space, segment->origin + segment->count, error);
		if (status)
			return status;
		for (u32 i = 0; i < segment->count; i++)
			if (machine_write(machine, segment->space, segment->origin + i, segment->cells[i]))
				return refuse(error, name, "address out of range", STATUS_RANGE);
	}
	for (u32 i = 0; i < program->row_count; i++) {
		const AsmRow *row = &program->rows[i];

		for (u16 k = 0; k < isa->tables[row->table].column_count; k++) {
			Status status = machine_set_table(machine, row->table, k, row->row, row->values[k]);

			if (!status)
				continue;
			buf_printf(error, "%s: no memory for row %llu of table %s", name, (unsigned long long)row->row,
				   isa->tables[row->table].name);
			return status;
		}
	}
	*start = program->entry;
	return STATUS_OK;
}

Status plain_put_image(Machine *machine, const char *name, const u8 *data, size_t len, u64 *start, Buf *error)
{
	const Isa *isa = machine_isa(machine);
	const IsaImage *image = isa->image;
	u16 space = image ? image->space : isa->code_space;
	u64 address = image ? image->address : isa->regs[isa->pc_reg].reset;
	unsigned bits = isa->spaces[space].cell_bits, bytes = (bits + 7) / 8;
	u64 cells = (len + bytes - 1) / bytes;
	Status status = make_room(machine, name, space, address + cells, error);

	if (status)
		return status;
	if (len % bytes) {
		buf_printf(error, "%s: %zu bytes are no whole number of cells (%u bytes each)", name, len, bytes);
		return STATUS_FORMAT;
	}
	for (u64 i = 0; i < cells; i++) {
		const u8 *at = data + i * bytes;
		u64 value = 0;

		for (unsigned b = 0; b < bytes; b++)
			value = value << 8 | at[image && image->little ? bytes - 1 - b : b];
		if (value > bits_mask(bits)) {
			buf_printf(error, "%s: cell %llu does not fit %u bits", name, (unsigned long long)i, bits);
			return STATUS_FORMAT;
		}
		if (machine_write(machine, space, address + i, value))
			return refuse(error, name, "address out of range", STATUS_RANGE);
	}
	if (space == isa->code_space)
		*start = address;
	return STATUS_OK;
}
