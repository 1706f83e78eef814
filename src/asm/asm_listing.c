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

typedef struct Columns {
	unsigned address, cell, per_row, width; /* digits, digits, cells, characters of all cells */
} Columns;

static Columns columns_of(const AsmProgram *program, u16 space_index)
{
	const IsaSpace *space = &program->isa->spaces[space_index];
	Columns c = {.cell = (space->cell_bits + 3u) / 4};
	u64 highest = 0xFFFF;

	for (u32 i = 0; i < program->segment_count; i++)
		if (program->segments[i].origin + program->segments[i].count > highest)
			highest = program->segments[i].origin + program->segments[i].count;
	c.address = hex_digits(highest);
	c.per_row = space->cell_bits <= 8 ? 6 : space->cell_bits <= 16 ? 3 : 1;
	c.width = c.per_row * (c.cell + 1);
	return c;
}

static void put_row(Buf *out, const AsmProgram *program, const Piece *piece, u32 from, u32 count)
{
	Columns c = columns_of(program, piece->line->space);
	u32 n = count - from < c.per_row ? count - from : c.per_row;

	buf_printf(out, "%0*llX  ", (int)c.address, (unsigned long long)(piece->line->address + from));
	for (u32 i = 0; i < n; i++)
		buf_printf(out, "%0*llX ", (int)c.cell, (unsigned long long)piece->cells[from + i]);
	buf_fill(out, ' ', c.width - n * (c.cell + 1));
}

static void put_rest(Buf *out, const AsmProgram *program, const Piece *piece, u32 from)
{
	u32 count = piece->line->cells, shown = count < SHOWN_CELLS ? count : SHOWN_CELLS;
	u32 per_row = columns_of(program, piece->line->space).per_row;

	for (u32 at = from; at < shown; at += per_row) {
		put_row(out, program, piece, at, shown);
		buf_byte(out, '\n');
	}
	if (count > shown)
		buf_printf(out, "      ... %u cells in all\n", count);
}

static void put_source(Buf *out, const AsmProgram *program, u32 index, const Piece *pieces, u32 count, u32 *at)
{
	const AsmSource *source = &program->sources[index];
	Columns c = columns_of(program, program->isa->code_space);
	size_t from = 0;

	if (program->source_count > 1)
		buf_printf(out, "%s:\n", source->name);
	for (u32 number = 1; from < source->len; number++) {
		const char *newline = memchr(source->text + from, '\n', source->len - from);
		size_t end = newline ? (size_t)(newline - source->text) : source->len, trimmed = end;
		bool first = true;

		while (trimmed > from && (source->text[trimmed - 1] == '\r' || source->text[trimmed - 1] == ' '))
			trimmed--;
		for (; *at < count && pieces[*at].line->source == index && pieces[*at].line->line == number; ++*at) {
			const Piece *piece = &pieces[*at];
			u32 per_row = columns_of(program, piece->line->space).per_row;

			put_row(out, program, piece, 0, piece->line->cells);
			if (first) {
				buf_printf(out, "%5u  ", number);
				buf_add(out, source->text + from, trimmed - from);
			}
			buf_byte(out, '\n');
			put_rest(out, program, piece, per_row);
			first = false;
		}
		if (first) {
			buf_fill(out, ' ', c.address + 2 + c.width);
			buf_printf(out, "%5u", number);
			if (trimmed > from)
				buf_str(out, "  ");
			buf_add(out, source->text + from, trimmed - from);
			buf_byte(out, '\n');
		}
		from = end + 1;
	}
}

void asm_listing(const AsmProgram *program, Buf *out)
{
	u32 count = 0, at = 0;
	Piece *pieces = pieces_of(program, &count);
	unsigned digits = columns_of(program, program->isa->code_space).address;

	if (!pieces) {
		out->failed = true;
		return;
	}
	for (u32 i = 0; i < program->source_count; i++)
		put_source(out, program, i, pieces, count, &at);
	free(pieces);
	if (program->symbol_count)
		buf_str(out, "\nSymbols\n");
	for (u32 i = 0; i < program->symbol_count; i++) {
		const AsmSymbol *symbol = &program->symbols[i];

		buf_printf(out, "  %-20s %0*llX", symbol->name, (int)digits, (unsigned long long)symbol->value);
		if (symbol->space == ISA_NONE)
			buf_str(out, "  constant");
		else if (symbol->space != program->isa->code_space)
			buf_printf(out, "  %s", program->isa->spaces[symbol->space].name);
		buf_byte(out, '\n');
	}
}
