/* SPDX-License-Identifier: MIT
 *
 * Assembles a guest's own software (an operating system in its machine's assembly language) while Husk is built. The
 * guest embeds the result with .incbin. Uses only what can be built before any guest.
 *
 *     mkimage ISA ASM OUT [option=choice ...]
 *
 * The image, all numbers little-endian: eight bytes "HUSKIMG1", then for each segment
 *
 *     u16 space | u32 origin | u32 count | u8 bytes per cell | count cells
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asm/asm.h"
#include "base/buf.h"
#include "base/diag.h"
#include "isa/isa.h"

enum { MAX_CHOICES = 8 };

static bool read_file(const char *name, Buf *out)
{
	FILE *file = fopen(name, "rb");
	u8 chunk[4096];
	size_t n;
	bool fine;

	if (!file) {
		fprintf(stderr, "mkimage: %s: %s\n", name, strerror(errno));
		return false;
	}
	while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
		buf_add(out, chunk, n);
	fine = !ferror(file) && !out->failed;
	fclose(file);
	if (!fine)
		fprintf(stderr, "mkimage: %s: cannot be read\n", name);
	return fine;
}

static bool write_file(const char *name, const Buf *content)
{
	FILE *file = fopen(name, "wb");
	bool fine = file != NULL;

	if (file) {
		fine = fwrite(content->data, 1, content->len, file) == content->len;
		fine = fclose(file) == 0 && fine;
	}
	if (!fine)
		fprintf(stderr, "mkimage: %s: %s\n", name, strerror(errno));
	return fine;
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
	Buf isa_text, asm_text, image, messages;
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
	buf_init(&asm_text);
	buf_init(&image);
	buf_init(&messages);
	diag_init(&diags);
	fine = read_file(argv[1], &isa_text) && read_file(argv[2], &asm_text);
	if (fine) {
		fine = make_image(argv[1], &isa_text, argv[2], &asm_text, choices, choice_count, &image, &diags);
		diag_render(&diags, &messages, false);
		fputs(buf_text(&messages), stderr);
		fine = fine && write_file(argv[3], &image);
	}
	diag_fini(&diags);
	buf_fini(&messages);
	buf_fini(&image);
	buf_fini(&asm_text);
	buf_fini(&isa_text);
	return fine ? 0 : 1;
}
