/* SPDX-License-Identifier: MIT
 *
 * EPIE files, written as designed: the strings stand behind the header, the instructions behind them. (Reading one is
 * loading it: iridium.c.)
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
