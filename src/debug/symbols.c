/* SPDX-License-Identifier: MIT */
#include "debug/symbols.h"
#include "base/array.h"

#include <stdlib.h>
#include <string.h>

void debug_symbols_init(DebugSymbols *symbols, bool fold_case)
{
	*symbols = (DebugSymbols){ .fold_case = fold_case };
	arena_init(&symbols->arena);
	strmap_init(&symbols->by_name, fold_case);
}

void debug_symbols_fini(DebugSymbols *symbols)
{
	strmap_fini(&symbols->by_name);
	arena_fini(&symbols->arena);
	free(symbols->by_address);
	free(symbols->symbols);
	free(symbols->lines);
	*symbols = (DebugSymbols){ 0 };
}

Status debug_symbols_add(DebugSymbols *symbols, const char *name, size_t len, u16 space, u64 value)
{
	char *copy = arena_strndup(&symbols->arena, name, len);

	if (!copy || !array_grow((void **)&symbols->symbols, &symbols->symbol_cap, symbols->symbol_count, sizeof(DebugSymbol)))
		return STATUS_NOMEM;
	symbols->symbols[symbols->symbol_count] = (DebugSymbol){ .name = copy, .value = value, .space = space };
	if (!strmap_put(&symbols->by_name, copy, len, symbols->symbol_count))
		return STATUS_NOMEM;
	symbols->symbol_count++;
	symbols->sorted = false;
	return STATUS_OK;
}

void debug_symbols_mark(DebugSymbols *symbols, u8 width, bool is_float)
{
	symbols->symbols[symbols->symbol_count - 1].width = width;
	symbols->symbols[symbols->symbol_count - 1].is_float = is_float;
}

Status debug_symbols_add_line(DebugSymbols *symbols, const DebugLine *line)
{
	DebugLine copy = *line;

	copy.file = arena_strdup(&symbols->arena, line->file ? line->file : "");
	copy.text = arena_strdup(&symbols->arena, line->text ? line->text : "");
	if (!copy.file || !copy.text || !copy.cells ||
	    !array_grow((void **)&symbols->lines, &symbols->line_cap, symbols->line_count, sizeof(DebugLine)))
		return copy.cells ? STATUS_NOMEM : STATUS_INVALID;
	symbols->lines[symbols->line_count++] = copy;
	symbols->sorted = false;
	return STATUS_OK;
}

/* The text of each line of a source, found in one pass over it. */
typedef struct LineFinder {
	const AsmSource *source;
	size_t at;
	u32 line;
} LineFinder;

static const char *find_line_text(LineFinder *finder, const AsmSource *source, u32 line, size_t *len)
{
	size_t end;

	if (finder->source != source || line < finder->line)
		*finder = (LineFinder){ source, 0, 1 };
	while (finder->line < line && finder->at < source->len) {
		char c = source->text[finder->at++];

		if (c == '\n' || (c == '\r' && (finder->at >= source->len || source->text[finder->at] != '\n')))
			finder->line++;
	}
	for (end = finder->at; end < source->len && source->text[end] != '\n' && source->text[end] != '\r'; end++)
		;
	*len = end - finder->at;
	return source->text + finder->at;
}

Status debug_symbols_add_program(DebugSymbols *symbols, const AsmProgram *program)
{
	LineFinder finder = { 0 };
	Status status = STATUS_OK;

	for (u32 i = 0; i < program->symbol_count && !status; i++) {
		const AsmSymbol *symbol = &program->symbols[i];

		status = debug_symbols_add(symbols, symbol->name, strlen(symbol->name), symbol->space, symbol->value);
		if (!status)
			debug_symbols_mark(symbols, symbol->width, symbol->is_float);
	}
	for (u32 i = 0; i < program->line_count && !status; i++) {
		const AsmLine *from = &program->lines[i];
		DebugLine line = { .address = from->address, .cells = from->cells, .line = from->line,
				   .space = from->space, .is_code = from->is_code };
		size_t len = 0;
		const char *text = "";

		if (!from->cells)
			continue;
		if (from->source < program->source_count) {
			line.file = program->sources[from->source].name;
			text = find_line_text(&finder, &program->sources[from->source], from->line, &len);
		}
		line.text = arena_strndup(&symbols->arena, text, len);
		status = line.text ? debug_symbols_add_line(symbols, &line) : STATUS_NOMEM;
	}
	return status;
}

/* ---- Questions ---- */

typedef struct Place { /* what both tables are sorted by */
	u16 space;
	u64 address;
	u32 index;
} Place;

static int compare_places(const void *a, const void *b)
{
	const Place *x = a, *y = b;

	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static bool sort_lines(DebugSymbols *symbols, Place *places)
{
	DebugLine *sorted;

	if (!symbols->line_count)
		return true;
	sorted = calloc(symbols->line_cap, sizeof(*sorted));
	if (!sorted)
		return false;
	for (u32 i = 0; i < symbols->line_count; i++)
		places[i] = (Place){ symbols->lines[i].space, symbols->lines[i].address, i };
	qsort(places, symbols->line_count, sizeof(Place), compare_places);
	for (u32 i = 0; i < symbols->line_count; i++)
		sorted[i] = symbols->lines[places[i].index];
	free(symbols->lines);
	symbols->lines = sorted;
	return true;
}

static bool sort_symbols(DebugSymbols *symbols, Place *places)
{
	u32 *by_address = calloc(symbols->symbol_count + 1, sizeof(u32)), count = 0;

	if (!by_address)
		return false;
	for (u32 i = 0; i < symbols->symbol_count; i++)
		if (symbols->symbols[i].space != ISA_NONE)
			places[count++] = (Place){ symbols->symbols[i].space, symbols->symbols[i].value, i };
	qsort(places, count, sizeof(Place), compare_places);
	for (u32 i = 0; i < count; i++)
		by_address[i] = places[i].index;
	free(symbols->by_address);
	symbols->by_address = by_address;
	symbols->address_count = count;
	return true;
}

static bool sort(DebugSymbols *symbols)
{
	u32 most = symbols->line_count > symbols->symbol_count ? symbols->line_count : symbols->symbol_count;
	Place *places;

	if (symbols->sorted)
		return true;
	places = calloc((size_t)most + 1, sizeof(*places));
	if (!places)
		return false;
	symbols->sorted = sort_lines(symbols, places) && sort_symbols(symbols, places);
	free(places);
	return symbols->sorted;
}

const DebugSymbol *debug_symbols_find(const DebugSymbols *symbols, const char *name, size_t len)
{
	u32 index = strmap_get(&symbols->by_name, name, len, ~0u);

	return index < symbols->symbol_count ? &symbols->symbols[index] : NULL;
}

const DebugSymbol *debug_symbols_operand(const DebugSymbols *symbols, const char *name, size_t len)
{
	const DebugSymbol *symbol = debug_symbols_find(symbols, name, len);

	if (symbol && symbol > symbols->symbols && symbol->space != ISA_NONE && symbol[-1].space == ISA_NONE &&
	    strcmp(symbol[-1].name, symbol->name) == 0)
		return symbol - 1;
	return symbol;
}

const DebugSymbol *debug_symbols_near(DebugSymbols *symbols, u16 space, u64 address, u64 reach, u64 *offset)
{
	const DebugSymbol *found = NULL;
	u32 lo = 0, hi;

	if (!sort(symbols))
		return NULL;
	hi = symbols->address_count;
	while (lo < hi) { /* how many lie at or below (space, address)? */
		u32 middle = lo + (hi - lo) / 2;
		const DebugSymbol *symbol = &symbols->symbols[symbols->by_address[middle]];

		if (symbol->space < space || (symbol->space == space && symbol->value <= address))
			lo = middle + 1;
		else
			hi = middle;
	}
	while (lo--) { /* of several at one address the first defined */
		const DebugSymbol *symbol = &symbols->symbols[symbols->by_address[lo]];

		if (symbol->space != space || address - symbol->value > reach || (found && symbol->value != found->value))
			break;
		found = symbol;
	}
	if (found && offset)
		*offset = address - found->value;
	return found;
}

const DebugLine *debug_symbols_line(DebugSymbols *symbols, u16 space, u64 address)
{
	u32 lo = 0, hi;

	if (!sort(symbols))
		return NULL;
	hi = symbols->line_count;
	while (lo < hi) {
		u32 middle = lo + (hi - lo) / 2;
		const DebugLine *line = &symbols->lines[middle];

		if (line->space < space || (line->space == space && line->address <= address))
			lo = middle + 1;
		else
			hi = middle;
	}
	if (!lo)
		return NULL;
	lo--; /* of several at one address the last: it was loaded over the others */
	if (symbols->lines[lo].space != space || address - symbols->lines[lo].address >= symbols->lines[lo].cells)
		return NULL;
	return &symbols->lines[lo];
}

const DebugLine *debug_symbols_find_line(DebugSymbols *symbols, const char *file, u32 line)
{
	const DebugLine *best = NULL;

	if (!sort(symbols))
		return NULL;
	for (u32 i = 0; i < symbols->line_count; i++) {
		const DebugLine *have = &symbols->lines[i];

		if (have->line < line || (file && strcmp(file, have->file) != 0))
			continue;
		if (!best || have->line < best->line)
			best = have;
	}
	return best;
}
