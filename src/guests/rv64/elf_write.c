/* SPDX-License-Identifier: MIT
 *
 * What the assembler makes, as a program of Linux: a static ELF file for RISC-V (System V ABI; RISC-V ELF psABI).
 *
 *     ELF header | program headers | pages ... | symbols | their names | section headers
 *
 * Each section of the text becomes a segment with the rights its name promises: code r-x, .rodata r--, .data and .bss
 * rw-. A segment lies in the file at an offset that agrees with its address in the low 12 bits. Segments that would share
 * a page become one, with the rights of both. The page in front of the first, where the dialect leaves it free, has the
 * headers, so that a program finds its own (AT_PHDR). A text without any cell makes room to try things in: rwx.
 */
#include <stdlib.h>
#include <string.h>

#include "asm/asm.h"
#include "guests/rv64/rv64.h"

enum {
	PAGE = 4096, HEADER = 64, PROGRAM_HEADER = 56, SECTION_HEADER = 64, SYMBOL = 24, MACHINE_RISCV = 243,
	FLAGS_RVC_DOUBLE = 5, RIGHT_X = 1, RIGHT_W = 2, RIGHT_R = 4, TYPE_LOAD = 1, TYPE_STACK = 0x6474E551,
	MOST_SEGMENTS = 64, /* with their headers in the first page */
	LOWEST = 0x10000,   /* address of a program */
	ROOM = 1 << 20,
};

typedef struct Part { /* segments of the text that go to one of the file */
	u32 first, count;    /* into Writer.order */
	u64 low, high, offset;
	u64 file;            /* bytes of it that are in the file */
	u32 rights;
} Part;

typedef struct Writer {
	const AsmProgram *program;
	const AsmSegment **order; /* by address, none empty */
	Part *parts;
	u32 order_count, part_count;
	Buf *out;
} Writer;

static const char *section_name(const AsmProgram *program, const AsmSegment *segment)
{
	const IsaDialect *dialect = &program->isa->dialects[0];

	return segment->section < dialect->section_count ? dialect->sections[segment->section].name : ".text";
}

static u32 rights_of(const AsmProgram *program, const AsmSegment *segment)
{
	const char *name = section_name(program, segment);

	if (!strcmp(name, ".text"))
		return RIGHT_R | RIGHT_X;
	return !strcmp(name, ".rodata") ? RIGHT_R : RIGHT_R | RIGHT_W;
}

static int by_address(const void *a, const void *b)
{
	u64 x = (*(const AsmSegment *const *)a)->origin, y = (*(const AsmSegment *const *)b)->origin;

	return x < y ? -1 : x > y;
}

static Status find_parts(Writer *w, DiagList *diags)
{
	const AsmProgram *program = w->program;
	u64 offset = PAGE;

	for (u32 i = 0; i < program->segment_count; i++)
		if (program->segments[i].count)
			w->order[w->order_count++] = &program->segments[i];
	qsort(w->order, w->order_count, sizeof *w->order, by_address);
	for (u32 i = 0; i < w->order_count; i++) {
		const AsmSegment *segment = w->order[i];
		Part *last = w->part_count ? &w->parts[w->part_count - 1] : NULL;
		u64 end = segment->origin + segment->count;
		bool zeros = !strcmp(section_name(program, segment), ".bss");

		if (last && segment->origin / PAGE <= (last->high - 1) / PAGE) {
			last->count++;
			last->high = end > last->high ? end : last->high;
			last->rights |= rights_of(program, segment);
			last->file = last->high - last->low;
		} else if (w->part_count == MOST_SEGMENTS) {
			diag_report_file(diags, DIAG_ERROR, program->sources[0].name, NULL,
					 "a program has at most %d segments in different pages", MOST_SEGMENTS);
			return STATUS_TOO_BIG;
		} else {
			w->parts[w->part_count++] = (Part){.first = i, .count = 1, .low = segment->origin, .high = end,
				.rights = rights_of(program, segment), .file = zeros ? 0 : segment->count};
		}
	}
	if (!w->part_count)
		w->parts[w->part_count++] = (Part){.low = program->entry, .high = program->entry + ROOM,
						   .rights = RIGHT_R | RIGHT_W | RIGHT_X};
	for (u32 i = 0; i < w->part_count; i++) {
		Part *part = &w->parts[i];

		part->offset = offset + part->low % PAGE;
		offset = (part->offset + part->file + PAGE - 1) / PAGE * PAGE;
	}
	return STATUS_OK;
}

static void write_header(const Writer *w, u64 sections, u32 section_count)
{
	static const u8 ident[16] = {0x7F, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little-endian */, 1};
	Buf *out = w->out;

	buf_add(out, ident, sizeof ident);
	buf_u16(out, 2); /* executable */
	buf_u16(out, MACHINE_RISCV);
	buf_u32(out, 1);
	buf_u64(out, w->program->entry);
	buf_u64(out, HEADER);
	buf_u64(out, sections);
	buf_u32(out, FLAGS_RVC_DOUBLE);
	buf_u16(out, HEADER);
	buf_u16(out, PROGRAM_HEADER);
	buf_u16(out, (u16)(w->part_count + 1));
	buf_u16(out, SECTION_HEADER);
	buf_u16(out, (u16)section_count);
	buf_u16(out, (u16)(section_count - 1));
}

/* `before`: bytes of the file in front of the part that belong to the segment, too. */
static void program_header(Buf *out, u32 type, u32 rights, const Part *part, u64 before)
{
	buf_u32(out, type);
	buf_u32(out, rights);
	buf_u64(out, part->offset - before);
	buf_u64(out, part->low - before);
	buf_u64(out, part->low - before);
	buf_u64(out, part->file + before);
	buf_u64(out, part->high - part->low + before);
	buf_u64(out, type == TYPE_LOAD ? PAGE : 16);
}

static void write_part(const Writer *w, const Part *part)
{
	size_t start = (size_t)part->offset;

	if (!part->file)
		return;
	buf_fill(w->out, 0, start + (size_t)part->file - w->out->len);
	for (u32 i = part->first; i < part->first + part->count && !w->out->failed; i++) {
		u8 *to = (u8 *)w->out->data + start + (w->order[i]->origin - part->low);

		for (u32 k = 0; k < w->order[i]->count; k++)
			to[k] = (u8)w->order[i]->cells[k];
	}
}

static void section_header(Buf *out, u32 name, u32 type, u64 flags, const Part *place, u32 link, u32 info, u64 size)
{
	buf_u32(out, name);
	buf_u32(out, type);
	buf_u64(out, flags);
	buf_u64(out, place->low);
	buf_u64(out, place->offset);
	buf_u64(out, place->high - place->low);
	buf_u32(out, link);
	buf_u32(out, info);
	buf_u64(out, type == 1 ? 4 : 1);
	buf_u64(out, size);
}

/* Number of the section header that an address lies in, 0xFFF1 (absolute) for none. */
static u16 section_at(const Writer *w, u64 address)
{
	for (u32 i = 0; i < w->part_count; i++)
		if (address >= w->parts[i].low && address <= w->parts[i].high)
			return (u16)(i + 1);
	return 0xFFF1;
}

static void write_symbols(const Writer *w, Buf *symbols, Buf *names)
{
	const AsmProgram *program = w->program;

	buf_fill(symbols, 0, SYMBOL);
	buf_byte(names, 0);
	for (u32 i = 0; i < program->symbol_count; i++) {
		const AsmSymbol *symbol = &program->symbols[i];

		if (symbol->is_float)
			continue;
		buf_u32(symbols, (u32)names->len);
		buf_byte(symbols, 1 << 4); /* global, of no type */
		buf_byte(symbols, 0);
		buf_u16(symbols, symbol->space == ISA_NONE ? 0xFFF1 : section_at(w, symbol->value));
		buf_u64(symbols, symbol->value);
		buf_u64(symbols, 0);
		buf_add(names, symbol->name, strlen(symbol->name) + 1);
	}
}

static void write_sections(const Writer *w, u64 symbols_at, u64 symbols_len, u64 names_at, u64 names_len, u64 words_at,
			   const Buf *words, const u32 *word_of)
{
	Part place = {.low = 0};
	u32 n = w->part_count;

	section_header(w->out, 0, 0, 0, &place, 0, 0, 0);
	for (u32 i = 0; i < n; i++) {
		const Part *part = &w->parts[i];
		u64 flags = 2 | (part->rights & RIGHT_W ? 1 : 0) | (part->rights & RIGHT_X ? 4 : 0);

		section_header(w->out, word_of[i], part->file ? 1 : 8, flags, part, 0, 0, 0);
	}
	place = (Part){.offset = symbols_at, .high = symbols_len};
	section_header(w->out, word_of[n], 2, 0, &place, n + 2, 1, SYMBOL);
	place = (Part){.offset = names_at, .high = names_len};
	section_header(w->out, word_of[n + 1], 3, 0, &place, 0, 0, 0);
	place = (Part){.offset = words_at, .high = words->len};
	section_header(w->out, word_of[n + 2], 3, 0, &place, 0, 0, 0);
}

/* Names of the sections; where each begins goes to word_of. */
static void write_words(const Writer *w, Buf *words, u32 *word_of)
{
	static const char *const last[] = {".symtab", ".strtab", ".shstrtab"};

	buf_byte(words, 0);
	for (u32 i = 0; i < w->part_count + COUNT_OF(last); i++) {
		const char *name = i >= w->part_count ? last[i - w->part_count]
				   : w->order_count   ? section_name(w->program, w->order[w->parts[i].first])
						      : ".text";

		word_of[i] = (u32)words->len;
		buf_add(words, name, strlen(name) + 1);
	}
}

static void write_all(Writer *w, Buf *symbols, Buf *names, Buf *words, u32 *word_of)
{
	const Part stack = {.low = 0};
	u64 end = PAGE, symbols_at, names_at, words_at;

	write_symbols(w, symbols, names);
	write_words(w, words, word_of);
	for (u32 i = 0; i < w->part_count; i++)
		if (w->parts[i].file)
			end = w->parts[i].offset + w->parts[i].file;
	symbols_at = (end + 7) / 8 * 8;
	names_at = symbols_at + symbols->len;
	words_at = names_at + names->len;
	write_header(w, (words_at + words->len + 7) / 8 * 8, w->part_count + 4);
	for (u32 i = 0; i < w->part_count; i++)
		program_header(w->out, TYPE_LOAD, w->parts[i].rights, &w->parts[i],
			       i == 0 && w->parts[i].file && w->parts[i].low >= LOWEST + PAGE ? w->parts[i].offset : 0);
	program_header(w->out, TYPE_STACK, RIGHT_R | RIGHT_W, &stack, 0);
	for (u32 i = 0; i < w->part_count; i++)
		write_part(w, &w->parts[i]);
	buf_fill(w->out, 0, (size_t)symbols_at - w->out->len);
	buf_add(w->out, symbols->data, symbols->len);
	buf_add(w->out, names->data, names->len);
	buf_add(w->out, words->data, words->len);
	buf_fill(w->out, 0, (8 - w->out->len % 8) % 8);
	write_sections(w, symbols_at, symbols->len, names_at, names->len, words_at, words, word_of);
}

Status rv64_write_elf(const AsmProgram *program, Buf *out, DiagList *diags)
{
	Buf file, symbols, names, words; /* offsets count from the start of `file` */
	Writer w = {.program = program, .out = &file};
	u32 *word_of;
	Status status;

	buf_init(&file);
	buf_init(&symbols);
	buf_init(&names);
	buf_init(&words);
	w.order = calloc(program->segment_count + 1, sizeof *w.order);
	w.parts = calloc(program->segment_count + 1, sizeof *w.parts);
	word_of = calloc(program->segment_count + 4, sizeof *word_of);
	status = w.order && w.parts && word_of ? find_parts(&w, diags) : STATUS_NOMEM;
	if (!status) {
		write_all(&w, &symbols, &names, &words, word_of);
		buf_add(out, file.data, file.len);
		if (out->failed || file.failed || symbols.failed || names.failed || words.failed)
			status = STATUS_NOMEM;
	}
	free(w.order);
	free(w.parts);
	free(word_of);
	buf_fini(&file);
	buf_fini(&symbols);
	buf_fini(&names);
	buf_fini(&words);
	return status;
}
