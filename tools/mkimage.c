/* SPDX-License-Identifier: MIT
 *
 * Assembles a guest's own software (an operating system in its machine's assembly language) while Husk is built. The
 * guest embeds the result with .incbin. Uses only what can be built before any guest.
 *
 *     mkimage ISA ASM OUT [option=choice ...]
 *
 * A line `.INCLUDE "NAME"` stands for the text of that file, which lies beside ASM and includes none itself. (Husk's assembler
 * has no such thing: it takes several files. Messages count lines with the included ones.)
 *
 * The image, all numbers little-endian: eight bytes "HUSKIMG1", then for each segment
 *
 *     u16 space | u32 origin | u32 count | u8 bytes per cell | count cells
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asm/asm.h"
#include "base/buf.h"
#include "base/diag.h"
#include "isa/isa.h"
#include "tools/files.h"

enum { MAX_CHOICES = 8 };

/* The text with what it includes. */
static bool include(const char *asm_name, const Buf *text, Buf *out)
{
	const char *slash = strrchr(asm_name, '/');
	size_t folder_len = slash ? (size_t)(slash + 1 - asm_name) : 0;
	bool fine = true;

	for (const char *line = buf_text(text), *end; *line && fine; line = end) {
		char name[80];

		end = line + strcspn(line, "\n");
		end += *end == '\n';
		if (sscanf(line + strspn(line, " \t"), ".INCLUDE \"%79[^\"\n]\"", name) == 1) {
			Buf path;

			buf_init(&path);
			buf_add(&path, asm_name, folder_len);
			buf_str(&path, name);
			fine = read_file("mkimage", buf_text(&path), out);
			buf_fini(&path);
		} else {
			buf_add(out, line, (size_t)(end - line));
		}
	}
	return fine && !out->failed;
}

static void add_segment(const Isa *isa, const AsmSegment *segment, Buf *out)
{
	unsigned cell_bytes = (isa->spaces[segment->space].cell_bits + 7u) / 8;

	buf_u16(out, segment->space);
	buf_u32(out, (u32)segment->origin);
	buf_u32(out, segment->count);
	buf_byte(out, (u8)cell_bytes);
	for (u32 i = 0; i < segment->count; i++)
		for (unsigned b = 0; b < cell_bytes; b++)
			buf_byte(out, (u8)(segment->cells[i] >> 8 * b));
}

/* The image of the assembly text, or false with messages in diags. */
static bool make_image(const char *isa_name, const Buf *isa_text, const char *asm_name, const Buf *asm_text,
		       const IsaChoice *choices, u32 choice_count, Buf *image, DiagList *diags)
{
	Isa *isa = isa_load(isa_name, buf_text(isa_text), isa_text->len, choices, choice_count, diags);
	Source source = { asm_name, buf_text(asm_text), asm_text->len };
	AsmOptions options = { 0 };
	AsmProgram *program;

	if (!isa)
		return false;
	program = asm_assemble(isa, &source, &options, diags);
	if (program) {
		buf_str(image, "HUSKIMG1");
		for (u32 i = 0; i < program->segment_count; i++)
			add_segment(isa, &program->segments[i], image);
		asm_program_destroy(program);
	}
	isa_destroy(isa);
	return program && !image->failed;
}

int main(int argc, char **argv)
{
	IsaChoice choices[MAX_CHOICES];
	u32 choice_count = 0;
	Buf isa_text, file_text, asm_text, image, messages;
	DiagList diags;
	bool fine;

	if (argc < 4 || argc > 4 + MAX_CHOICES) {
		fprintf(stderr, "usage: mkimage ISA ASM OUT [option=choice ...]\n");
		return 2;
	}
	for (int i = 4; i < argc; i++) {
		char *equals = strchr(argv[i], '=');

		if (!equals) {
			fprintf(stderr, "mkimage: '%s' is not option=choice\n", argv[i]);
			return 2;
		}
		*equals = 0;
		choices[choice_count++] = (IsaChoice){ argv[i], equals + 1 };
	}
	buf_init(&isa_text);
	buf_init(&file_text);
	buf_init(&asm_text);
	buf_init(&image);
	buf_init(&messages);
	diag_init(&diags);
	fine = read_file("mkimage", argv[1], &isa_text) && read_file("mkimage", argv[2], &file_text) &&
	       include(argv[2], &file_text, &asm_text);
	if (fine) {
		fine = make_image(argv[1], &isa_text, argv[2], &asm_text, choices, choice_count, &image, &diags);
		diag_render(&diags, &messages, false);
		fputs(buf_text(&messages), stderr);
		fine = fine && write_file("mkimage", argv[3], &image);
	}
	diag_fini(&diags);
	buf_fini(&messages);
	buf_fini(&image);
	buf_fini(&asm_text);
	buf_fini(&file_text);
	buf_fini(&isa_text);
	return fine ? 0 : 1;
}
