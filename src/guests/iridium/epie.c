/* SPDX-License-Identifier: MIT
 *
 * EPIE files, written as designed: the strings stand behind the header, the instructions behind them. (Reading one is
 * loading it: iridium.c.) And files as texts that make them again.
 */
#include <string.h>

#include "asm/asm.h"
#include "guests/iridium/iridium.h"

void epie_header(u32 strings, Buf *out)
{
	buf_str(out, "EPIE");
	buf_fill(out, 0, EPIE_COUNT_AT - 4);
	buf_u32(out, strings);
}

/* Bytes of data: they come first. */
static u32 strings_of(const AsmProgram *program)
{
	u32 count = 0;

	for (u32 i = 0; i < program->line_count; i++)
		if (!program->lines[i].is_code && program->lines[i].space == program->isa->code_space)
			count += program->lines[i].cells;
	return count;
}

Status epie_write(const AsmProgram *program, Buf *out, DiagList *diags)
{
	const char *compat = isa_option_value(program->isa, "compat");
	const u16 code = program->isa->code_space;
	u64 cells = 0, end = EPIE_HEADER;

	if (compat && !strcmp(compat, "built"))
		return epie_write_built(program, out, diags);
	for (u32 s = 0; s < program->segment_count; s++) {
		const AsmSegment *segment = &program->segments[s];

		if (segment->space != code || !segment->count)
			continue;
		cells += segment->count;
		end = segment->origin + segment->count > end ? segment->origin + segment->count : end;
	}
	if (cells != end - EPIE_HEADER) { /* no directive can make a gap, but a changed description could */
		diag_report_file(diags, DIAG_ERROR, program->sources[0].name, NULL, "a file holds its bytes without gaps");
		return STATUS_INVALID;
	}
	epie_header(strings_of(program), out);
	buf_fill(out, 0, cells);
	for (u32 s = 0; s < program->segment_count && !out->failed; s++) {
		const AsmSegment *segment = &program->segments[s];

		for (u32 i = 0; segment->space == code && i < segment->count; i++)
			out->data[out->len - end + segment->origin + i] = (u8)segment->cells[i];
	}
	return out->failed ? STATUS_NOMEM : STATUS_OK;
}

/* ---- Back to a text ---- */

static u8 byte_at(const Machine *machine, u64 address)
{
	u64 value = 0;

	machine_read(machine, machine_isa(machine)->code_space, address, &value);
	return (u8)value;
}

/* Bytes of the string at `at` with its NUL, as far as a text can hold it; 0: it is none. */
static u32 string_length(const Machine *machine, u64 at, u64 end)
{
	for (u64 i = at; i < end; i++) {
		const u8 c = byte_at(machine, i);

		if (!c)
			return (u32)(i + 1 - at);
		if (c == '\'' || (c < ' ' && c != '\n' && c != '\t'))
			return 0;
	}
	return 0;
}

/* The header is what the two sections make; data are strings, else numbers; all behind them is instructions. */
u32 epie_source_item(Machine *machine, u64 address, const char *label, bool *as_code, bool *lossy, Buf *out)
{
	u64 start, end;
	u32 len;

	iridium_extent(machine, &start, &end);
	if (start > end)
		start = end;
	if (!address && start >= EPIE_HEADER) {
		buf_str(out, start == end ? "          .data\n          .code\n" : "          .data\n");
		return EPIE_HEADER;
	}
	if (address >= start) {
		if (address == start)
			buf_str(out, "          .code\n");
		*as_code = *as_code || (address - start) % 4 == 0;
		return 0;
	}
	len = string_length(machine, address, start);
	if (!len && start - address < 4) {
		*lossy = true;
		return 0;
	}
	if (label)
		buf_printf(out, "%s: ", label);
	else
		buf_printf(out, "D%08llX: ", (unsigned long long)address);
	if (!len) {
		buf_printf(out, ".integer #%d\n", (i32)(byte_at(machine, address) | (u32)byte_at(machine, address + 1) << 8 |
			   (u32)byte_at(machine, address + 2) << 16 | (u32)byte_at(machine, address + 3) << 24));
		return 4;
	}
	buf_str(out, ".asciiz '");
	for (u32 i = 0; i + 1 < len; i++)
		buf_byte(out, byte_at(machine, address + i));
	buf_str(out, "'\n");
	return len;
}
