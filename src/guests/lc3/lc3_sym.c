/* SPDX-License-Identifier: MIT
 *
 * .sym: the labels of a program, as the classic assembler writes them beside the object file.
 *
 *     // Symbol table
 *     // Scope level 0:
 *     //	Symbol Name       Page Address
 *     //	----------------  ------------
 *     //	LOOP              3001
 */
#include <string.h>

#include "asm/asm.h"
#include "guests/lc3/lc3.h"

static const char first_line[] = "// Symbol table";

void lc3_write_symbols(const AsmProgram *program, Buf *out)
{
	buf_printf(out, "%s\n// Scope level 0:\n", first_line);
	buf_str(out, "//\tSymbol Name       Page Address\n//\t----------------  ------------\n");
	for (u32 i = 0; i < program->symbol_count; i++)
		buf_printf(out, "//\t%-16s  %04X\n", program->symbols[i].name,
			   (unsigned)(program->symbols[i].value & 0xFFFF));
	buf_str(out, "\n");
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* "//", blanks, name, blanks, four hex digits, blanks: anything else is no symbol. */
static bool parse_symbol(const char *line, size_t len, const char **name, size_t *name_len, u16 *address)
{
	size_t i = 2, start;
	u32 value = 0;
	unsigned digits = 0;

	if (len < 2 || line[0] != '/' || line[1] != '/')
		return false;
	while (i < len && is_blank(line[i]))
		i++;
	for (start = i; i < len && !is_blank(line[i]);)
		i++;
	*name = line + start;
	*name_len = i - start;
	while (i < len && is_blank(line[i]))
		i++;
	for (; i < len && hex_digit(line[i]) >= 0; i++, digits++)
		value = value << 4 | (u32)hex_digit(line[i]);
	while (i < len && is_blank(line[i]))
		i++;
	*address = (u16)value;
	return *name_len && digits == 4 && i == len;
}

Status lc3_symbols_read(const char *text, size_t len, Lc3Symbols *out)
{
	*out = (Lc3Symbols){ 0 };
	arena_init(&out->arena);
	if (len < sizeof first_line - 1 || memcmp(text, first_line, sizeof first_line - 1))
		return STATUS_FORMAT;
	for (size_t at = 0; at < len;) {
		const char *end = memchr(text + at, '\n', len - at), *name;
		size_t line_len = end ? (size_t)(end - (text + at)) : len - at, name_len;
		u16 address;

		if (parse_symbol(text + at, line_len, &name, &name_len, &address)) {
			if (out->count == LC3_MAX_SYMBOLS)
				return STATUS_TOO_BIG;
			if (!arena_grow(&out->arena, (void **)&out->items, &out->cap, out->count, sizeof(Lc3Symbol)))
				return STATUS_NOMEM;
			out->items[out->count].name = arena_strndup(&out->arena, name, name_len);
			out->items[out->count].address = address;
			if (!out->items[out->count++].name)
				return STATUS_NOMEM;
		}
		at += line_len + 1;
	}
	return STATUS_OK;
}

Status lc3_symbols_names(const GuestFile *file, u16 space, const GuestNames *names)
{
	Lc3Symbols symbols;
	Status status = lc3_symbols_read((const char *)file->data, file->len, &symbols);

	for (u32 i = 0; !status && i < symbols.count; i++)
		names->symbol(names->ctx, symbols.items[i].name, strlen(symbols.items[i].name), space,
			      symbols.items[i].address);
	lc3_symbols_fini(&symbols);
	return status;
}

void lc3_symbols_fini(Lc3Symbols *symbols)
{
	arena_fini(&symbols->arena);
	symbols->items = NULL;
	symbols->count = 0;
}
