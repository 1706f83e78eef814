/* SPDX-License-Identifier: MIT
 *
 * The listing: every source line with the address and the cells it made, then the symbols.
 *
 *     3000  2005        2          LD   R2, TEN
 *     300C  0009        11 TEN     .FILL #9
 *
 * A statement of many cells goes on in lines of its own; of long runs only the first are shown.
 */
#include <stdlib.h>
#include <string.h>

#include "asm/asm.h"

enum { SHOWN_CELLS = 32 };

typedef struct Piece { /* the cells of one statement */
	const AsmLine *line;
	const u64 *cells;
	u32 order;
} Piece;

static int by_line(const void *a, const void *b)
{
	const Piece *x = a, *y = b;

	if (x->line->source != y->line->source)
		return x->line->source < y->line->source ? -1 : 1;
	if (x->line->line != y->line->line)
		return x->line->line < y->line->line ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* One piece for each AsmLine, in the order of the sources. */
static Piece *pieces_of(const AsmProgram *program, u32 *count)
{
	Piece *pieces = calloc((size_t)program->line_count + 1, sizeof(*pieces));
	u32 n = 0;

	for (u32 s = 0; pieces && s < program->segment_count; s++) {
		const AsmSegment *segment = &program->segments[s];

		for (u32 i = 0; i < segment->count && n < program->line_count;) {
			const AsmLine *line = &program->lines[segment->lines[i]];

			pieces[n] = (Piece){.line = line, .cells = segment->cells + i, .order = n};
			n++;
			i += line->cells ? line->cells : 1;
		}
	}
	if (n > 1)
		qsort(pieces, n, sizeof(*pieces), by_line);
	*count = n;
	return pieces;
}

static unsigned hex_digits(u64 most)
{
	unsigned n = 1;

	while (n < 16 && most >> (4 * n))
		n++;
	return n;
}

typedef struct Listing {
	const AsmProgram *program;
	Buf *out;
	unsigned address_digits;
} Listing;

typedef struct Columns {
	unsigned cell, per_row, width; /* digits, cells, characters of all cells */
} Columns;

static Columns columns_of(const Listing *l, u16 space_index)
{
	const IsaSpace *space = &l->program->isa->spaces[space_index];
	Columns c = {.cell = (space->cell_bits + 3u) / 4};

	c.per_row = space->cell_bits <= 8 ? 6 : space->cell_bits <= 16 ? 3 : 1;
	c.width = c.per_row * (c.cell + 1);
	return c;
}

static void put_row(const Listing *l, const Piece *piece, u32 from, u32 count)
{
	Columns c = columns_of(l, piece->line->space);
	u32 n = count - from < c.per_row ? count - from : c.per_row;

	buf_printf(l->out, "%0*llX  ", (int)l->address_digits, (unsigned long long)(piece->line->address + from));
	for (u32 i = 0; i < n; i++)
		buf_printf(l->out, "%0*llX ", (int)c.cell, (unsigned long long)piece->cells[from + i]);
	buf_fill(l->out, ' ', c.width - n * (c.cell + 1));
}

/* The rows of a statement behind its first. */
static void put_rest(const Listing *l, const Piece *piece)
{
	u32 count = piece->line->cells, shown = count < SHOWN_CELLS ? count : SHOWN_CELLS;
	u32 per_row = columns_of(l, piece->line->space).per_row;

	for (u32 at = per_row; at < shown; at += per_row) {
		put_row(l, piece, at, shown);
		buf_byte(l->out, '\n');
	}
	if (count > shown)
		buf_printf(l->out, "      ... %u cells in all\n", count);
}

static void put_source(const Listing *l, u32 index, const Piece *pieces, u32 count, u32 *at)
{
	const AsmSource *source = &l->program->sources[index];
	Columns c = columns_of(l, l->program->isa->code_space);
	size_t from = 0;

	if (l->program->source_count > 1)
		buf_printf(l->out, "%s:\n", source->name);
	for (u32 number = 1; from < source->len; number++) {
		const char *newline = memchr(source->text + from, '\n', source->len - from);
		size_t end = newline ? (size_t)(newline - source->text) : source->len, trimmed = end;
		bool first = true;

		while (trimmed > from && (source->text[trimmed - 1] == '\r' || source->text[trimmed - 1] == ' '))
			trimmed--;
		for (; *at < count && pieces[*at].line->source == index && pieces[*at].line->line == number; ++*at) {
			put_row(l, &pieces[*at], 0, pieces[*at].line->cells);
			if (first) {
				buf_printf(l->out, "%5u  ", number);
				buf_add(l->out, source->text + from, trimmed - from);
			}
			buf_byte(l->out, '\n');
			put_rest(l, &pieces[*at]);
			first = false;
		}
		if (first) {
			buf_fill(l->out, ' ', l->address_digits + 2 + c.width);
			buf_printf(l->out, "%5u", number);
			if (trimmed > from)
				buf_str(l->out, "  ");
			buf_add(l->out, source->text + from, trimmed - from);
			buf_byte(l->out, '\n');
		}
		from = end + 1;
	}
}

static void put_tables(const AsmProgram *program, Buf *out)
{
	const Isa *isa = program->isa;

	for (u32 t = 0; t < isa->table_count && program->row_count; t++) {
		const IsaTable *table = &isa->tables[t];
		bool begun = false;

		for (u32 i = 0; i < program->row_count; i++) {
			const AsmRow *row = &program->rows[i];

			if (row->table != t)
				continue;
			if (!begun)
				buf_printf(out, "\nTable %s\n", table->name);
			begun = true;
			buf_printf(out, "  %4llu  %-20s", (unsigned long long)row->row, row->name);
			for (u32 k = 0; k < table->column_count; k++)
				buf_printf(out, " %s %llu%s", table->columns[k], (unsigned long long)row->values[k],
					   k + 1 < table->column_count ? "," : "");
			buf_byte(out, '\n');
		}
	}
}

void asm_listing(const AsmProgram *program, Buf *out)
{
	Listing l = {.program = program, .out = out};
	u32 count = 0, at = 0;
	Piece *pieces = pieces_of(program, &count);
	u64 highest = 0xFFFF;

	if (!pieces) {
		out->failed = true;
		return;
	}
	for (u32 i = 0; i < program->segment_count; i++)
		if (program->segments[i].origin + program->segments[i].count > highest)
			highest = program->segments[i].origin + program->segments[i].count;
	l.address_digits = hex_digits(highest);
	for (u32 i = 0; i < program->source_count; i++)
		put_source(&l, i, pieces, count, &at);
	free(pieces);
	if (program->symbol_count)
		buf_str(out, "\nSymbols\n");
	for (u32 i = 0; i < program->symbol_count; i++) {
		const AsmSymbol *symbol = &program->symbols[i];

		buf_printf(out, "  %-20s %0*llX", symbol->name, (int)l.address_digits, (unsigned long long)symbol->value);
		if (symbol->table != ISA_NONE)
			buf_printf(out, "  row of %s", program->isa->tables[symbol->table].name);
		else if (symbol->space == ISA_NONE)
			buf_str(out, "  constant");
		else if (symbol->space != program->isa->code_space)
			buf_printf(out, "  %s", program->isa->spaces[symbol->space].name);
		buf_byte(out, '\n');
	}
	put_tables(program, out);
}
