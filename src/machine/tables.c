/* SPDX-License-Identifier: MIT
 *
 * The rows of `table NAME : COLUMN WIDTH, ...`: numbers a loader puts in and instructions are decoded with (a
 * function's address, how many arguments it takes). They are part of the program, like the cells of a memory: counted
 * against the memory limit, kept by a reset that keeps memory, in every snapshot.
 *
 * A table has rows 0 .. rows-1. Setting a cell of a row behind the last one makes the rows up to it, all zero.
 * Translated code has the values folded in, so a change forgets all of it.
 */
#include "machine/machine_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

u64 machine_table_bytes(const Machine *machine)
{
	u64 total = 0;

	for (u32 i = 0; i < machine->table_count; i++)
		total += machine->tables[i].rows * machine->isa->tables[i].column_count * sizeof(u64);
	return total;
}

bool machine_table_cell(const Machine *machine, u16 table, u16 column, u64 row, u64 *value)
{
	const IsaTable *shape;

	if (table >= machine->table_count)
		return false;
	shape = &machine->isa->tables[table];
	if (column >= shape->column_count || row >= machine->tables[table].rows)
		return false;
	*value = machine->tables[table].cells[row * shape->column_count + column];
	return true;
}

/* Room for `rows` rows; their number does not change. */
static bool table_room(Machine *machine, u16 table, u64 rows)
{
	MachineTable *t = &machine->tables[table];
	u64 columns = machine->isa->tables[table].column_count, cap = t->cap ? t->cap : 8;
	u64 *grown;

	if (rows <= t->cap)
		return true;
	while (cap < rows)
		cap *= 2;
	grown = realloc(t->cells, cap * columns * sizeof(u64));
	if (!grown)
		return false;
	t->cells = grown;
	t->cap = cap;
	return true;
}

Status machine_table_reserve(Machine *machine, u16 table, u64 rows)
{
	if (rows > MACHINE_TABLE_ROWS)
		return STATUS_TOO_BIG;
	return table_room(machine, table, rows) ? STATUS_OK : STATUS_NOMEM;
}

void machine_table_resize(Machine *machine, u16 table, u64 rows)
{
	MachineTable *t = &machine->tables[table];
	u64 columns = machine->isa->tables[table].column_count;

	if (rows > t->rows)
		memset(t->cells + t->rows * columns, 0, (rows - t->rows) * columns * sizeof(u64));
	t->rows = rows;
}

Status machine_set_table(Machine *machine, u16 table, u16 column, u64 row, u64 value)
{
	const IsaTable *shape;
	Status status;

	if (table >= machine->table_count || column >= machine->isa->tables[table].column_count)
		return STATUS_NOT_FOUND;
	shape = &machine->isa->tables[table];
	if (value != bits_trunc(value, shape->widths[column]))
		return STATUS_RANGE;
	if (row >= MACHINE_TABLE_ROWS)
		return STATUS_TOO_BIG;
	if (row >= machine->tables[table].rows) {
		u64 more = (row + 1 - machine->tables[table].rows) * shape->column_count * sizeof(u64);
		u64 used = machine_memory_bytes(machine);

		if (used > machine->memory_limit || more > machine->memory_limit - used)
			return STATUS_TOO_BIG;
		status = machine_table_reserve(machine, table, row + 1);
		if (status)
			return status;
		machine_table_resize(machine, table, row + 1);
	}
	machine->tables[table].cells[row * shape->column_count + column] = value;
	machine_flush_engines(machine);
	return STATUS_OK;
}

u64 machine_table_rows(const Machine *machine, u16 table)
{
	return table < machine->table_count ? machine->tables[table].rows : 0;
}

Status machine_get_table(const Machine *machine, u16 table, u16 column, u64 row, u64 *value)
{
	if (table >= machine->table_count || column >= machine->isa->tables[table].column_count)
		return STATUS_NOT_FOUND;
	return machine_table_cell(machine, table, column, row, value) ? STATUS_OK : STATUS_RANGE;
}
