/* SPDX-License-Identifier: MIT
 *
 * Any text is refused with a message, or gives a program: which is listed, written in every object format, and whose
 * instructions, taken apart, assemble to the same cells again.
 */
#ifndef FUZZ_ASM_H
#define FUZZ_ASM_H

#include "asm/asm.h"
#include "fuzz.h"

static inline void fuzz_round_trip(const Isa *isa, u16 dialect, const AsmSegment *segment)
{
	DisOptions options = {.dialect = dialect};

	for (u32 i = 0; i < segment->count && i < 64;) {
		u64 pc = segment->origin + i, cells[32];
		DiagList diags;
		Buf text;
		u32 used, made = 0;

		buf_init(&text);
		diag_init(&diags);
		used = dis_cells(isa, &options, pc, segment->cells + i, segment->count - i, &text);
		if (used == 0)
			fuzz_fail("an instruction of no cells");
		/* A directive (data) is no single instruction: only those are assembled again. */
		if (buf_text(&text)[0] != '.')
			made = asm_line(isa, dialect, buf_text(&text), pc, NULL, cells, &diags);
		for (u32 k = 0; k < made; k++)
			if (made != used || cells[k] != segment->cells[i + k])
				fuzz_fail(buf_text(&text));
		if (buf_text(&text)[0] != '.' && made == 0)
			fuzz_fail(buf_text(&text));
		diag_fini(&diags);
		buf_fini(&text);
		i += used;
	}
}

/* guest: whose object formats the program is written in, or NULL */
static inline void fuzz_assemble(const Isa *isa, const Guest *guest, const char *dialect, const u8 *data, size_t size)
{
	Source source = {"fuzz.asm", (const char *)data, size};
	AsmOptions options = {.dialect = isa_find_dialect(isa, dialect), .liberal = size & 1, .max_cells = 1 << 16};
	AsmProgram *program;
	DiagList diags;

	if (size > 65536)
		return;
	diag_init(&diags);
	program = asm_assemble(isa, &source, &options, &diags);
	if (!program && diags.errors == 0)
		fuzz_fail("refused without a message");
	if (program && diags.errors)
		fuzz_fail("assembled in spite of errors");
	if (program) {
		Buf out;

		buf_init(&out);
		asm_listing(program, &out);
		if (guest && guest->write_symbols)
			guest->write_symbols(program, &out);
		for (const GuestFormat *format = guest ? guest->formats : NULL; format && format->name; format++)
			format->write(program, &out, &diags);
		for (u32 i = 0; i < program->segment_count; i++)
			if (program->segments[i].space == isa->code_space)
				fuzz_round_trip(isa, options.dialect, &program->segments[i]);
		buf_fini(&out);
		asm_program_destroy(program);
	}
	fuzz_render(&diags);
}

#endif
