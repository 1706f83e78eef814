/* SPDX-License-Identifier: MIT
 *
 * husk dis of a program for Linux: the sections of the ELF file that hold code, at the addresses in the file, with its
 * symbols. Such a program has too much memory to find out what a file brings, as dis.c does; its sections say it. Without
 * section headers, its executable segments. Every offset and size is checked: the file may be anything.
 */
#include "cmd/dis_elf.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "linux/elf.h"

enum {
	HEADER = 64, SEGMENT = 56, SECTION = 64, SECTION_CODE = 4 /* SHF_EXECINSTR */, SECTION_BITS = 1 /* SHT_PROGBITS */,
	SEGMENT_LOAD = 1, SEGMENT_CODE = 1, WIDTH = 22,
};

typedef struct Name {
	u64 address;
	u32 order; /* as they came: the first of several is shown */
	char *text; /* owned */
} Name;

typedef struct Code {
	const Isa *isa;
	u16 dialect;
	const u8 *bytes; /* of the file */
	size_t len;
	Name *names;
	u32 name_count, name_cap;
	bool failed;
	Buf *out;
} Code;

static u64 number(const Code *code, u64 at, unsigned bytes)
{
	u64 value = 0;

	for (unsigned i = 0; i < bytes && at < code->len && i < code->len - at; i++)
		value |= (u64)code->bytes[at + i] << 8 * i;
	return value;
}

/* ---- Names ---- */

static void add_name(void *ctx, const char *name, size_t len, u16 space, u64 address)
{
	Code *code = ctx;

	(void)space;
	if (code->failed)
		return;
	code->failed = code->name_count >= 1u << 24 ||
		       !array_grow((void **)&code->names, &code->name_cap, code->name_count, sizeof *code->names);
	if (code->failed)
		return;
	code->names[code->name_count] = (Name){address, code->name_count, strndup(name, len)};
	code->failed = !code->names[code->name_count].text;
	code->name_count += !code->failed;
}

static void no_line(void *ctx, u16 space, u64 address, u32 line, const char *text, size_t len)
{
	(void)ctx, (void)space, (void)address, (void)line, (void)text, (void)len;
}

static int by_address(const void *a, const void *b)
{
	const Name *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* The first name at or above the address. */
static u32 first_name(const Code *code, u64 address)
{
	u32 lo = 0, hi = code->name_count;

	while (lo < hi) {
		u32 middle = lo + (hi - lo) / 2;

		if (code->names[middle].address < address)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

static const char *name_at(void *ctx, u16 space, u64 address)
{
	const Code *code = ctx;
	u32 i = first_name(code, address);

	(void)space;
	return i < code->name_count && code->names[i].address == address ? code->names[i].text : NULL;
}

/* ---- Code ---- */

static void write_code(Code *code, u64 address, u64 offset, u64 size)
{
	const DisOptions options = {.dialect = code->dialect, .symbol = name_at, .ctx = code};
	const u32 most = code->isa->max_bits / 8;

	for (u64 at = 0; at < size && !code->out->failed;) {
		u64 cells[ISA_WORDS * 8];
		u32 count = size - at < most ? (u32)(size - at) : most, used;
		size_t start;

		for (u32 i = 0; i < count; i++)
			cells[i] = code->bytes[offset + at + i];
		for (u32 i = first_name(code, address + at); i < code->name_count && code->names[i].address == address + at; i++)
			buf_printf(code->out, "%s%s:\n", at ? "\n" : "", code->names[i].text);
		buf_printf(code->out, "%8llX  ", (unsigned long long)(address + at));
		start = code->out->len;
		buf_str(code->out, "                      ");
		used = dis_cells(code->isa, &options, address + at, cells, count, code->out);
		for (u32 i = 0; i < used && 3 * i + 2 <= WIDTH && !code->out->failed; i++) {
			static const char digits[] = "0123456789ABCDEF";

			code->out->data[start + 3 * i] = (u8)digits[cells[i] >> 4 & 15];
			code->out->data[start + 3 * i + 1] = (u8)digits[cells[i] & 15];
		}
		buf_byte(code->out, '\n');
		at += used ? used : 1;
	}
}

/* A part of the file, as far as it is there. */
static bool write_part(Code *code, u64 address, u64 offset, u64 size)
{
	if (offset >= code->len || !size)
		return false;
	write_code(code, address, offset, size < code->len - offset ? size : code->len - offset);
	return true;
}

static bool write_sections(Code *code)
{
	u64 table = number(code, 40, 8), count = number(code, 60, 2);
	bool any = false;

	if (number(code, 58, 2) != SECTION || table > code->len || count > (code->len - table) / SECTION)
		return false;
	for (u64 at = table; count--; at += SECTION)
		if (number(code, at + 8, 8) & SECTION_CODE && number(code, at + 4, 4) == SECTION_BITS)
			any |= write_part(code, number(code, at + 16, 8), number(code, at + 24, 8), number(code, at + 32, 8));
	return any;
}

static bool write_segments(Code *code)
{
	u64 table = number(code, 32, 8), count = number(code, 56, 2);
	bool any = false;

	if (number(code, 54, 2) != SEGMENT || table > code->len || count > (code->len - table) / SEGMENT)
		return false;
	for (u64 at = table; count--; at += SEGMENT)
		if (number(code, at, 4) == SEGMENT_LOAD && number(code, at + 4, 4) & SEGMENT_CODE)
			any |= write_part(code, number(code, at + 16, 8), number(code, at + 8, 8), number(code, at + 32, 8));
	return any;
}

Status dis_elf(const Isa *isa, u16 dialect, const u8 *bytes, size_t len, Buf *out)
{
	Code code = {.isa = isa, .dialect = dialect, .bytes = bytes, .len = len, .out = out};
	const GuestNames names = {.ctx = &code, .symbol = add_name, .line = no_line};
	Status status = STATUS_OK;

	if (len < HEADER || !elf_is(bytes, len))
		return STATUS_FORMAT;
	elf_symbols(bytes, len, 0, isa->code_space, &names); /* a file without names is fine */
	if (code.name_count)
		qsort(code.names, code.name_count, sizeof *code.names, by_address);
	if (!write_sections(&code) && !write_segments(&code))
		status = STATUS_NOT_FOUND;
	for (u32 i = 0; i < code.name_count; i++)
		free(code.names[i].text);
	free(code.names);
	return code.failed || out->failed ? STATUS_NOMEM : status;
}
