/* SPDX-License-Identifier: MIT
 *
 * A small ELF program made by hand, for tests that change it: code and data in two segments, an interpreter, a stack
 * header, section headers with a symbol table.
 */
#ifndef ELF_FILE_H
#define ELF_FILE_H

#include <string.h>

#include "base/rng.h"
#include "linux/elf.h"

enum {
	ELF_FILE_HEADERS = 4,
	ELF_FILE_INTERPRETER = 0x140, /* its text */
	ELF_FILE_CODE = 0x180,
	ELF_FILE_TEXTS = 0x190,       /* of symbols */
	ELF_FILE_SYMBOLS = 0x1B0,
	ELF_FILE_SECTIONS = 0x240,
	ELF_FILE_DATA = 0x1100,
	ELF_FILE_SIZE = 0x1120,
	ELF_FILE_BASE = 0x10000,
};

typedef struct ElfFile {
	u8 bytes[ELF_FILE_SIZE];
	size_t len;
} ElfFile;

static inline void elf_put(ElfFile *file, size_t at, unsigned size, u64 value)
{
	for (unsigned i = 0; i < size; i++)
		file->bytes[at + i] = (u8)(value >> 8 * i);
}

/* Place of field `offset` of program header i. */
static inline size_t elf_header_field(unsigned i, unsigned offset)
{
	return ELF_HEADER + i * ELF_PROGRAM_HEADER + offset;
}

static inline void elf_put_header(ElfFile *file, unsigned i, u32 type, u32 flags, u64 offset, u64 address, u64 len, u64 memory,
				  u64 align)
{
	elf_put(file, elf_header_field(i, 0), 4, type);
	elf_put(file, elf_header_field(i, 4), 4, flags);
	elf_put(file, elf_header_field(i, 8), 8, offset);
	elf_put(file, elf_header_field(i, 16), 8, address);
	elf_put(file, elf_header_field(i, 24), 8, address);
	elf_put(file, elf_header_field(i, 32), 8, len);
	elf_put(file, elf_header_field(i, 40), 8, memory);
	elf_put(file, elf_header_field(i, 48), 8, align);
}

static inline void elf_put_section(ElfFile *file, unsigned i, u32 type, u64 offset, u64 len, u32 link, u64 item)
{
	size_t at = ELF_FILE_SECTIONS + i * 64u;

	elf_put(file, at + 4, 4, type);
	elf_put(file, at + 24, 8, offset);
	elf_put(file, at + 32, 8, len);
	elf_put(file, at + 40, 4, link);
	elf_put(file, at + 56, 8, item);
}

static inline void elf_put_symbol(ElfFile *file, unsigned i, u32 name, u8 info, u16 section, u64 value)
{
	size_t at = ELF_FILE_SYMBOLS + i * 24u;

	elf_put(file, at, 4, name);
	file->bytes[at + 4] = info;
	elf_put(file, at + 6, 2, section);
	elf_put(file, at + 8, 8, value);
}

static inline void elf_make(ElfFile *file)
{
	static const char texts[] = "\0main\0table\0$x";

	memset(file, 0, sizeof *file);
	file->len = sizeof file->bytes;
	memcpy(file->bytes, "\177ELF\2\1\1", 7);
	elf_put(file, 16, 2, ELF_EXECUTABLE);
	elf_put(file, 18, 2, 243);
	elf_put(file, 20, 4, 1);
	elf_put(file, 24, 8, ELF_FILE_BASE + ELF_FILE_CODE);
	elf_put(file, 32, 8, ELF_HEADER);
	elf_put(file, 40, 8, ELF_FILE_SECTIONS);
	elf_put(file, 48, 4, 5); /* compressed instructions, double floats in registers */
	elf_put(file, 52, 2, ELF_HEADER);
	elf_put(file, 54, 2, ELF_PROGRAM_HEADER);
	elf_put(file, 56, 2, ELF_FILE_HEADERS);
	elf_put(file, 58, 2, 64);
	elf_put(file, 60, 2, 3);
	elf_put_header(file, 0, 3, 4, ELF_FILE_INTERPRETER, ELF_FILE_BASE + ELF_FILE_INTERPRETER, 8, 8, 1);
	elf_put_header(file, 1, 1, 5, 0, ELF_FILE_BASE, 0x300, 0x300, 0x1000);
	elf_put_header(file, 2, 1, 6, ELF_FILE_DATA, ELF_FILE_BASE + 0x2100, 0x20, 0x3000, 0x1000);
	elf_put_header(file, 3, 0x6474E551, 6, 0, 0, 0, 0, 16);
	memcpy(file->bytes + ELF_FILE_INTERPRETER, "/lib/ld", 8);
	memcpy(file->bytes + ELF_FILE_TEXTS, texts, sizeof texts);
	elf_put_symbol(file, 1, 1, 0x12, 1, ELF_FILE_BASE + ELF_FILE_CODE);
	elf_put_symbol(file, 2, 6, 0x11, 2, ELF_FILE_BASE + 0x2100);
	elf_put_symbol(file, 3, 12, 0, 1, ELF_FILE_BASE + ELF_FILE_CODE); /* a mark: not told */
	elf_put_symbol(file, 4, 1, 0x12, 0, 0);                           /* defined elsewhere */
	elf_put_section(file, 1, 2, ELF_FILE_SYMBOLS, 5 * 24, 2, 24);
	elf_put_section(file, 2, 3, ELF_FILE_TEXTS, sizeof texts, 0, 0);
}

static inline i64 elf_file_read(void *ctx, void *to, u64 len, u64 offset)
{
	const ElfFile *file = ctx;

	if (offset >= file->len)
		return 0;
	if (len > file->len - offset)
		len = file->len - offset;
	memcpy(to, file->bytes + offset, len);
	return (i64)len;
}

static inline i64 elf_file_parse(ElfFile *file, ElfProgram *out, DiagList *diags)
{
	const ElfSource source = {.name = "test", .size = file->len, .ctx = file, .read = elf_file_read};
	const ElfWanted wanted = {.machine = 243, .machine_name = "riscv64", .flags_refused = 8, .lowest = 0x1000,
				  .limit = (u64)1 << 38};

	return elf_read(&source, &wanted, out, diags);
}

/* What elf.h promises of an accepted program. */
static inline bool elf_file_is_sound(const ElfFile *file, const ElfProgram *program)
{
	bool entry = false;
	u64 end = 0;

	if (!program->segment_count || program->segment_count > ELF_SEGMENT_LIMIT || program->low % 4096 ||
	    program->high % 4096 || program->low >= program->high || program->high > (u64)1 << 38 ||
	    (program->align & (program->align - 1)) || program->align < 4096 ||
	    memchr(program->interpreter, 0, sizeof program->interpreter) == NULL)
		return false;
	for (u32 i = 0; i < program->segment_count; i++) {
		const ElfSegment *s = &program->segments[i];

		if (s->address < end || s->memory == 0 || s->file > s->memory || s->memory > ((u64)1 << 38) - s->address ||
		    (s->file && (s->offset > file->len || s->file > file->len - s->offset)) ||
		    (s->file && (s->address - s->offset) % 4096) || s->address < program->low ||
		    s->address + s->memory > program->high)
			return false;
		end = s->address + s->memory;
		entry = entry || (program->entry >= s->address && program->entry < end);
	}
	return entry;
}

#endif
