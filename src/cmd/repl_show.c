/* SPDX-License-Identifier: MIT
 *
 * What a session shows: what a line changed, registers, memory, the program, its labels.
 *
 *     R0 = 5  cc: P               registers that changed, in the order of the description
 *     M[x3005..x3006] = 1 2       cells that changed, neighbours together
 */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/float_text.h"
#include "cmd/repl.h"

enum {
	COPY_BYTES = 16 << 20, /* of the copy of a space */
	COMPARED = 1 << 17,    /* cells of a space that is compared as a whole */
	AROUND = 16,           /* cells compared on both sides of a write that was noted */
	RUNS_SHOWN = 6, RUN_CELLS = 8, REGISTERS_SHOWN = 24,
	LABEL_REACH = 2048,
};

/* ---- Values ---- */

static void hex(Repl *repl, u64 value, unsigned bits)
{
	load_hex(repl->isa, repl->loaded.dialect, value, bits, &repl->out);
}

/* As many bits as are worth showing: of wide values only those that are in use. */
static unsigned shown_bits(u64 value, unsigned width)
{
	unsigned used = value ? 64 - (unsigned)__builtin_clzll(value) : 1;

	used = used < 8 ? 8 : (used + 3) & ~3u;
	return width <= 32 || used > width ? width : used;
}

void repl_show_number(Repl *repl, u64 value, unsigned width)
{
	i64 number = width < 64 ? bits_signed(value, width) : (i64)value;

	if (width == 1)
		number = (i64)value;
	buf_printf(&repl->out, "%lld", (long long)number);
	if (number < 0 || number > 9) {
		buf_str(&repl->out, " (");
		hex(repl, value, shown_bits(value, width));
		buf_byte(&repl->out, ')');
	}
}

void repl_show_address(Repl *repl, u16 space, u64 address)
{
	if (space == ISA_NONE)
		repl_show_number(repl, address, 64);
	else
		hex(repl, address, shown_bits(address, repl->isa->spaces[space].addr_bits));
}

void repl_show_float(Repl *repl, u64 value, unsigned width)
{
	char text[FLOAT_TEXT_MAX];

	float_print_boxed(value, width, text);
	buf_printf(&repl->out, "%s (", text);
	hex(repl, value, width);
	buf_byte(&repl->out, ')');
}

static void show_content(Repl *repl, const IsaReg *reg, u64 value)
{
	if (reg->floats)
		repl_show_float(repl, value, reg->width);
	else
		repl_show_number(repl, value, reg->width);
}

/* "R0"; "f.$0" when other registers are called $0 too. */
static void register_name(const Isa *isa, u32 slot, Buf *out)
{
	const char *name = isa_slot_name(isa, slot);

	for (u32 i = 0; i < isa->slot_count; i++)
		if (i != slot && strcmp(isa_slot_name(isa, i), name) == 0 && i < slot) {
			buf_printf(out, "%s.", isa_slot_register(isa, slot)->name);
			break;
		}
	buf_str(out, name);
}

/* ---- Copies of the spaces ---- */

static void set_copy(ReplCopy *copy, u64 at, u64 value)
{
	switch (copy->size) {
	case 1: copy->bytes[at] = (u8)value; break;
	case 2: ((u16 *)(void *)copy->bytes)[at] = (u16)value; break;
	case 4: ((u32 *)(void *)copy->bytes)[at] = (u32)value; break;
	default: ((u64 *)(void *)copy->bytes)[at] = value; break;
	}
}

static u64 get_copy(const ReplCopy *copy, u64 at)
{
	switch (copy->size) {
	case 1: return copy->bytes[at];
	case 2: return ((const u16 *)(const void *)copy->bytes)[at];
	case 4: return ((const u32 *)(const void *)copy->bytes)[at];
	default: return ((const u64 *)(const void *)copy->bytes)[at];
	}
}

/* The copy gets as many cells as the space has. */
static bool fit_copy(Repl *repl, u16 space)
{
	const unsigned bits = repl->isa->spaces[space].cell_bits;
	const u64 cells = machine_cells(repl->machine, space);
	ReplCopy *copy = &repl->copies[space];
	u8 *bytes;

	copy->size = bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8;
	if (cells > COPY_BYTES / copy->size) {
		free(copy->bytes);
		copy->bytes = NULL;
		copy->cells = 0;
		return false;
	}
	if (cells != copy->cells) {
		bytes = realloc(copy->bytes, cells * copy->size + 1);
		if (!bytes)
			return false;
		copy->bytes = bytes;
		if (cells > copy->cells)
			memset(bytes + copy->cells * copy->size, 0, (cells - copy->cells) * copy->size);
		copy->cells = cells;
	}
	if (cells > COMPARED && !copy->watched)
		copy->watched = machine_watch_set(repl->machine, space, 0, cells, false, true, true) == STATUS_OK;
	return cells != 0;
}

void repl_note_registers(Repl *repl)
{
	for (u32 i = 0; i < repl->isa->slot_count; i++)
		repl->slots[i] = machine_slot(repl->machine, i);
}

void repl_note_cell(Repl *repl, u16 space, u64 address)
{
	u64 value;

	if (fit_copy(repl, space) && address < repl->copies[space].cells &&
	    machine_read(repl->machine, space, address, &value) == STATUS_OK)
		set_copy(&repl->copies[space], address, value);
}

void repl_note_state(Repl *repl)
{
	repl_note_registers(repl);
	for (u16 s = 0; s < repl->isa->space_count; s++) {
		ReplCopy *copy = &repl->copies[s];
		u64 value;

		if (!fit_copy(repl, s))
			continue;
		for (u64 at = 0; at < copy->cells; at++)
			if (machine_read(repl->machine, s, at, &value) == STATUS_OK)
				set_copy(copy, at, value);
	}
}

/* ---- What changed ---- */

static void show_registers_changed(Repl *repl)
{
	const Isa *isa = repl->isa;
	const size_t start = repl->out.len;
	u32 shown = 0;

	for (u32 slot = 0; slot < isa->slot_count; slot++) {
		const IsaReg *reg = isa_slot_register(isa, slot);
		const u64 value = machine_slot(repl->machine, slot);
		const size_t before = repl->out.len;

		if (value == repl->slots[slot] || !reg || reg == &isa->regs[isa->pc_reg] ||
		    (isa->cycles_reg != ISA_NONE && reg == &isa->regs[isa->cycles_reg]))
			continue;
		if (shown == REGISTERS_SHOWN) {
			buf_str(&repl->out, "  ...");
			break;
		}
		if (before > start)
			buf_str(&repl->out, "  ");
		const size_t item = repl->out.len;
		if (!repl->shell->show_register ||
		    !repl->shell->show_register(repl->machine, slot, repl->slots[slot], &repl->out)) {
			register_name(isa, slot, &repl->out);
			buf_str(&repl->out, " = ");
			show_content(repl, reg, value);
		}
		if (repl->out.len == item)
			repl->out.len = before; /* hidden */
		else
			shown++;
	}
	if (shown)
		buf_byte(&repl->out, '\n');
}

/* A run of neighbours with new values. */
static void show_run(Repl *repl, u16 space, u64 first, u64 count)
{
	const IsaSpace *s = &repl->isa->spaces[space];
	u64 value = 0;

	buf_printf(&repl->out, "%s[", s->name);
	repl_show_address(repl, space, first);
	if (count > 1) {
		buf_str(&repl->out, "..");
		repl_show_address(repl, space, first + count - 1);
	}
	buf_str(&repl->out, "] =");
	for (u64 i = 0; i < count && i < RUN_CELLS; i++) {
		machine_read(repl->machine, space, first + i, &value);
		buf_byte(&repl->out, ' ');
		if (count == 1)
			repl_show_number(repl, value, s->cell_bits);
		else
			hex(repl, value, s->cell_bits);
	}
	buf_str(&repl->out, count > RUN_CELLS ? " ...\n" : "\n");
}

typedef struct Runs {
	u16 space;
	u64 first, count;
	u32 shown;
	u64 more; /* cells that are not shown any more */
} Runs;

static void end_run(Repl *repl, Runs *runs)
{
	if (runs->count && runs->shown < RUNS_SHOWN) {
		show_run(repl, runs->space, runs->first, runs->count);
		runs->shown++;
	} else {
		runs->more += runs->count;
	}
	runs->count = 0;
}

static void compare(Repl *repl, u16 space, u64 from, u64 to, Runs *runs)
{
	ReplCopy *copy = &repl->copies[space];

	for (u64 at = from; at < to && at < copy->cells; at++) {
		u64 value;

		if (machine_read(repl->machine, space, at, &value) != STATUS_OK || value == get_copy(copy, at) ||
		    (repl->shell->hides && repl->shell->hides(repl->machine, space, at)))
			continue;
		set_copy(copy, at, value);
		if (runs->count && (runs->space != space || runs->first + runs->count != at))
			end_run(repl, runs);
		if (!runs->count) {
			runs->space = space;
			runs->first = at;
		}
		runs->count++;
	}
}

void repl_show_changes(Repl *repl)
{
	Runs runs = {0};

	show_registers_changed(repl);
	for (u16 s = 0; s < repl->isa->space_count; s++) {
		if (!fit_copy(repl, s))
			continue;
		if (repl->copies[s].cells <= COMPARED) {
			compare(repl, s, 0, repl->copies[s].cells, &runs);
		} else {
			for (u32 i = 0; i < repl->touched_count; i++) {
				const u64 at = repl->touched[i].address;

				if (repl->touched[i].space == s)
					compare(repl, s, at < AROUND ? 0 : at - AROUND, at + AROUND, &runs);
			}
		}
		end_run(repl, &runs);
	}
	if (runs.more)
		buf_printf(&repl->out, "... and %llu more cells\n", (unsigned long long)runs.more);
}

/* ---- Registers ---- */

static const char *text_or(const char *text, const char *other)
{
	return text ? text : other;
}

static void line_if(Repl *repl, const char *text)
{
	if (text)
		repl_message(repl, "%s", text);
}

/* The first file of several registers: "the registers" of the machine. */
static const IsaReg *main_file(const Isa *isa)
{
	for (u32 i = 0; i < isa->reg_count; i++)
		if (isa->regs[i].array)
			return &isa->regs[i];
	return NULL;
}

static void registers_vector(Repl *repl)
{
	const IsaReg *file = main_file(repl->isa);

	buf_str(&repl->out, "[\n");
	for (u32 i = 0; file && i < file->count; i++)
		buf_printf(&repl->out, "    %lld,\n",
			   (long long)bits_signed(machine_slot(repl->machine, file->slot + i), file->width));
	buf_str(&repl->out, "]\n");
}

void repl_show_registers(Repl *repl)
{
	const Isa *isa = repl->isa;
	size_t columns;
	u32 column = 0;

	line_if(repl, repl->shell->registers[0]);
	if (repl->shell->vectors) {
		registers_vector(repl);
		line_if(repl, repl->shell->registers[1]);
		return;
	}
	for (u32 slot = 0; slot < isa->slot_count; slot++) {
		const IsaReg *reg = isa_slot_register(isa, slot);
		const size_t start = repl->out.len;

		if (!reg)
			continue;
		columns = reg->width > 16 ? 2 : 4;
		register_name(isa, slot, &repl->out);
		buf_str(&repl->out, " = ");
		show_content(repl, reg, machine_slot(repl->machine, slot));
		if (++column % columns == 0 || slot + 1 == isa->slot_count)
			buf_byte(&repl->out, '\n');
		else
			buf_fill(&repl->out, ' ', repl->out.len - start < 22 ? 22 - (repl->out.len - start) : 2);
	}
	for (u32 i = 0; i < isa->view_count; i++) {
		buf_printf(&repl->out, "%s = ", isa->views[i].name);
		repl_show_number(repl, machine_view(repl->machine, (u16)i), isa->views[i].width);
		buf_str(&repl->out, i + 1 < isa->view_count ? "  " : "\n");
	}
	line_if(repl, repl->shell->registers[1]);
}

/* ---- Memory and code ---- */

void repl_show_memory(Repl *repl, u16 space, u64 address, u64 count)
{
	const IsaSpace *s = &repl->isa->spaces[space];
	const unsigned per_line = s->cell_bits <= 8 ? 16 : s->cell_bits <= 32 ? 8 : 4;

	for (u64 i = 0; i < count; i++, address++) {
		u64 value;

		if (i % per_line == 0) {
			buf_printf(&repl->out, "%s%s[", i ? "\n" : "", s->name);
			repl_show_address(repl, space, address);
			buf_byte(&repl->out, ']');
		}
		if (machine_read(repl->machine, space, address, &value) != STATUS_OK) {
			buf_str(&repl->out, " (outside)");
			break;
		}
		buf_printf(&repl->out, " %0*llX", (s->cell_bits + 3) / 4, (unsigned long long)value);
	}
	buf_byte(&repl->out, '\n');
}

static const char *symbol_at(void *ctx, u16 space, u64 address)
{
	Repl *repl = ctx;
	u64 offset;
	const DebugSymbol *symbol = debug_symbols_near(&repl->names, space, address, 0, &offset);

	return symbol ? symbol->name : NULL;
}

static void show_cells(Repl *repl, u16 space, u64 address, u64 count, u64 most)
{
	const unsigned digits = (repl->isa->spaces[space].cell_bits + 3) / 4;

	for (u64 i = 0; i < count && i < most; i++) {
		u64 value = 0;

		machine_read(repl->machine, space, address + i, &value);
		buf_printf(&repl->out, " %0*llX", digits, (unsigned long long)value);
	}
	if (count > most)
		buf_str(&repl->out, " ...");
}

static void pad(Repl *repl, size_t start, size_t width)
{
	const size_t used = repl->out.len - start;

	buf_fill(&repl->out, ' ', used < width ? width - used : 2);
}

static size_t cells_width(const Isa *isa)
{
	const IsaSpace *s = &isa->spaces[isa->code_space];
	const size_t width = (size_t)(isa->max_bits / s->cell_bits) * ((s->cell_bits + 3u) / 4 + 1);

	return (width < 10 ? 10 : width > 24 ? 24 : width) + 2;
}

void repl_show_code(Repl *repl, u64 address, u64 count)
{
	const Isa *isa = repl->isa;
	const DisOptions how = {.dialect = repl->loaded.dialect, .symbol = symbol_at, .ctx = repl};

	while (count-- > 0 && address < machine_cells(repl->machine, isa->code_space)) {
		const ReplItem *item = repl_item_at(repl, isa->code_space, address);
		const char *label = symbol_at(repl, isa->code_space, address);
		IsaDecoded decoded;
		size_t start;
		u64 cells;

		machine_decode(repl->machine, address, &decoded);
		cells = item && !item->is_code ? item->cells - (address - item->address) : decoded.cells;
		repl_show_address(repl, isa->code_space, address);
		buf_byte(&repl->out, ' ');
		start = repl->out.len;
		show_cells(repl, isa->code_space, address, cells, 4);
		pad(repl, start, cells_width(isa));
		start = repl->out.len;
		if (label)
			buf_str(&repl->out, label);
		pad(repl, start, 10);
		if (item && !item->is_code)
			buf_printf(&repl->out, "(data, %llu cells)", (unsigned long long)cells);
		else if (decoded.fetch_failed)
			buf_str(&repl->out, "(outside of the memory)");
		else
			dis_instruction(isa, &how, address, &decoded, &repl->out);
		buf_byte(&repl->out, '\n');
		address += cells ? cells : 1;
	}
}

/* ---- The program ---- */

static void show_text(Repl *repl, const char *text, size_t len)
{
	for (size_t i = 0; i < len && text[i]; i++)
		buf_byte(&repl->out, text[i] == '\t' ? ' ' : (u8)text[i] < 32 || text[i] == 127 ? '?' : (u8)text[i]);
}

static void show_item(Repl *repl, const ReplPiece *piece, const ReplItem *item, bool first)
{
	size_t start, skip = 0;

	if (item->space != repl->isa->code_space)
		buf_printf(&repl->out, "%s ", repl->isa->spaces[item->space].name);
	repl_show_address(repl, item->space, item->address);
	buf_byte(&repl->out, ' ');
	start = repl->out.len;
	show_cells(repl, item->space, item->address, item->cells, item->is_code ? 8 : 4);
	pad(repl, start, cells_width(repl->isa));
	while (skip < item->len && strchr(" \t", piece->text[item->from + skip]) && piece->text[item->from + skip])
		skip++;
	if (first)
		show_text(repl, piece->text + item->from + skip, item->len - skip);
	while (repl->out.len && repl->out.data[repl->out.len - 1] == ' ')
		repl->out.len--;
	buf_byte(&repl->out, '\n');
}

/* What a line placed that is not executed: data, and blocks. */
void repl_show_piece(Repl *repl, const ReplPiece *piece)
{
	for (u32 i = 0; i < piece->count && i < 200; i++)
		if (!piece->items[i].is_code)
			show_item(repl, piece, &piece->items[i], i == 0 || piece->items[i - 1].from != piece->items[i].from);
}

/* The cells of the program, as a list of numbers. */
static void program_vector(Repl *repl)
{
	const u16 code = repl->isa->code_space;
	u64 value = 0;

	if (repl->state.places[code] == repl->origin) {
		buf_str(&repl->out, "[]\n");
		return;
	}
	buf_str(&repl->out, "[\n");
	for (u64 at = repl->origin; at < repl->state.places[code]; at++) {
		machine_read(repl->machine, code, at, &value);
		buf_printf(&repl->out, "    %llu,\n", (unsigned long long)value);
		if (repl->out.len > 1 << 16)
			repl_flush(repl);
	}
	buf_str(&repl->out, "]\n");
}

void repl_show_program(Repl *repl)
{
	line_if(repl, repl->shell->program[0]);
	if (repl->shell->vectors) {
		program_vector(repl);
	} else {
		for (u32 p = repl->state.first_piece; p < repl->state.pieces; p++) {
			const ReplPiece *piece = &repl->pieces[p];

			for (u32 i = 0; i < piece->count; i++)
				show_item(repl, piece, &piece->items[i],
					  i == 0 || piece->items[i - 1].from != piece->items[i].from);
			if (repl->out.len > 1 << 16)
				repl_flush(repl);
		}
		if (repl->state.first_piece == repl->state.pieces)
			repl_message(repl, "the program is empty");
	}
	line_if(repl, repl->shell->program[1]);
}

void repl_show_symbols(Repl *repl)
{
	line_if(repl, repl->shell->symbols[0]);
	for (u32 i = repl->state.first_symbol; i < repl->state.symbols; i++) {
		const ReplSymbol *symbol = &repl->symbols[i];

		buf_printf(&repl->out, "%-16s ", symbol->name);
		repl_show_address(repl, symbol->space, symbol->value);
		buf_byte(&repl->out, '\n');
	}
	if (repl->state.first_symbol == repl->state.symbols)
		repl_message(repl, "%s", text_or(repl->shell->vectors ? "[]" : NULL, "no labels yet"));
	line_if(repl, repl->shell->symbols[1]);
}

void repl_show_history(Repl *repl)
{
	if (repl->shell->vectors)
		buf_str(&repl->out, "[\n");
	for (u32 i = 0; i < repl->history_count; i++) {
		const char *line = repl->history[i];

		if (repl->shell->vectors) {
			buf_str(&repl->out, "    ");
			buf_json_string(&repl->out, line, strlen(line));
			buf_byte(&repl->out, ',');
		} else {
			buf_printf(&repl->out, "%5u  ", i + 1);
			show_text(repl, line, strlen(line));
		}
		buf_byte(&repl->out, '\n');
	}
	if (repl->shell->vectors)
		buf_str(&repl->out, "]\n");
}
