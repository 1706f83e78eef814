/* SPDX-License-Identifier: MIT
 *
 * Program files ("beb", .mbin), little-endian:
 *
 *      0  62 65 62, u8 type = 0, u32 0
 *      8  u64 bytes of the table of instruction sections: 16 each
 *     16  u64 bytes of data | u64 bytes of strings | u64 bytes for debuggers (passed over)
 *     40  the table: u8 kind of core (0 = general purpose), 7 zeros, u64 bytes of its instructions
 *         the instructions of each, in words of 8 bytes; word 0 of the first jumps to main
 *         u64 bytes of 8-byte data | of 4-byte data | of 2-byte data: only in files since the end of May 2025
 *         data | strings | what is for debuggers
 *
 * Every size is held against what is left of the file; that those three words are there is known by the file being 24
 * bytes longer than the rest of it. Nothing in the file says which opcodes it uses: the jump at its start does.
 *
 * Written: one section of instructions, no metadata.
 */
#include <inttypes.h>
#include <string.h>

#include "asm/asm.h"
#include "guests/merry/merry.h"

enum { HEAD = 40, ENTRY = 16, METADATA = 24, LEAST = 64, JUMP_A = 0x5F, JUMP_B = 0x61, KIND_GPC = 0,
       SECTION_BYTES = 3 }; /* of the dialect: eights, fours, twos, bytes */

static const u8 signature[4] = { 0x62, 0x65, 0x62, 0 };

typedef struct Beb {
	const u8 *code;
	u64 code_bytes;
	const u8 *data;    /* data, then strings */
	u64 data_bytes;
} Beb;

int merry_beb_recognize(const GuestFile *file)
{
	return file->len >= sizeof signature && !memcmp(file->data, signature, 3) ? 100 : 0;
}

static Status refuse(const GuestFile *file, DiagList *diags, Status status, const char *detail)
{
	diag_report_file(diags, DIAG_ERROR, file->name, detail,
			 "While INITIALIZING the MANAGER GRAVES.. The HEADER information doesn't complement the obtained "
			 "file information.");
	return status;
}

static Status read_head(const GuestFile *file, u64 sizes[4], DiagList *diags)
{
	ByteReader reader = { file->data, file->len, sizeof signature, false };

	if (file->len < sizeof signature || memcmp(file->data, signature, 3)) {
		diag_report_file(diags, DIAG_ERROR, file->name, "they begin with the bytes 62 65 62",
				 "not a Merry program file");
		return STATUS_FORMAT;
	}
	if (file->data[3]) {
		diag_report_file(diags, DIAG_ERROR, file->name, NULL, "this is not a program: its type is %u, not 0",
				 file->data[3]);
		return STATUS_FORMAT;
	}
	if (file->len < LEAST)
		return refuse(file, diags, STATUS_TRUNCATED, "a program file has at least 64 bytes");
	if (reader_u32(&reader))
		return refuse(file, diags, STATUS_CORRUPT, "bytes 4 to 7 are not zero");
	for (unsigned i = 0; i < 4; i++)
		sizes[i] = reader_u64(&reader);
	if (!sizes[0] || sizes[0] % ENTRY || sizes[0] > file->len - HEAD)
		return refuse(file, diags, STATUS_CORRUPT, "the table of instruction sections has no fitting size");
	for (unsigned i = 1; i < 4; i++)
		if (sizes[i] > file->len)
			return refuse(file, diags, STATUS_TRUNCATED, "a section is said to be larger than the file");
	return STATUS_OK;
}

/* The table: where the instructions of general purpose cores are, and how long all sections are together. */
static Status read_table(const GuestFile *file, u64 table, Beb *out, u64 *total, DiagList *diags)
{
	ByteReader reader = { file->data, file->len, HEAD, false };
	u64 at = HEAD + table;
	bool seen[256] = { false };

	for (u64 i = 0; i < table / ENTRY; i++) {
		u64 head = reader_u64(&reader), bytes = reader_u64(&reader);
		u8 kind = (u8)head;

		if (head >> 8)
			return refuse(file, diags, STATUS_CORRUPT, "a kind of core is one byte and seven zeros");
		if (seen[kind])
			return refuse(file, diags, STATUS_CORRUPT, "two instruction sections for one kind of core");
		seen[kind] = true;
		if (!bytes || bytes % 8)
			return refuse(file, diags, STATUS_CORRUPT, "an instruction section has whole words of 8 bytes");
		if (bytes > file->len - at)
			return refuse(file, diags, STATUS_TRUNCATED, "the file ends within its instructions");
		if (kind == KIND_GPC) {
			out->code = file->data + at;
			out->code_bytes = bytes;
		}
		at += bytes;
		if (kind != KIND_GPC)
			diag_report_file(diags, DIAG_WARNING, file->name, NULL,
					 "its instructions for cores of kind %u are left out: there are none", kind);
	}
	*total = at;
	if (out->code)
		return STATUS_OK;
	diag_report_file(diags, DIAG_ERROR, file->name, NULL, "there are no instructions for general purpose cores");
	return STATUS_FORMAT;
}

static Status read_data(const GuestFile *file, const u64 sizes[4], u64 at, Beb *out, DiagList *diags)
{
	u64 left = file->len - at, wanted = sizes[1] + sizes[2] + sizes[3]; /* each at most the length of the file */

	if (left == wanted + METADATA) {
		ByteReader reader = { file->data, file->len, (size_t)at, false };

		for (unsigned i = 0; i < 3; i++)
			if (reader_u64(&reader) > sizes[1])
				return refuse(file, diags, STATUS_CORRUPT, "more items of one size than there is data");
		at += METADATA;
	} else if (left != wanted) {
		return refuse(file, diags, left < wanted ? STATUS_TRUNCATED : STATUS_CORRUPT,
			      left < wanted ? "the file ends within its data" : "there is more in the file than its header says");
	}
	out->data = file->data + at;
	out->data_bytes = sizes[1] + sizes[2];
	return STATUS_OK;
}

static Status check_revision(const Machine *machine, const GuestFile *file, const Beb *beb, DiagList *diags)
{
	bool is_b = merry_is_b(machine_isa(machine));
	u8 opcode = beb->code[7];

	if (opcode != (is_b ? JUMP_A : JUMP_B))
		return STATUS_OK;
	diag_report_file(diags, DIAG_ERROR, file->name,
			 is_b ? "run it without --set revision=b" : "run it with --set revision=b",
			 "the jump at its start is one of revision %c", is_b ? 'A' : 'B');
	return STATUS_MISMATCH;
}

static Status put(Machine *machine, const char *space_name, const u8 *bytes, u64 count, u64 cells)
{
	u16 space = merry_space(machine, space_name);
	Status status = machine_resize(machine, space, cells);

	for (u64 i = 0; !status && i < count; i++)
		status = machine_write(machine, space, i, bytes[i]);
	return status;
}

Status merry_beb_load(Machine *machine, const GuestFile *file, DiagList *diags)
{
	u64 sizes[4], at = 0;
	Beb beb = { 0 };
	Status status = read_head(file, sizes, diags);

	if (!status)
		status = read_table(file, sizes[0], &beb, &at, diags);
	if (!status)
		status = read_data(file, sizes, at, &beb, diags);
	if (!status)
		status = check_revision(machine, file, &beb, diags);
	if (status)
		return status;
	status = put(machine, "I", beb.code, beb.code_bytes, beb.code_bytes);
	if (!status)
		status = put(machine, "D", beb.data, beb.data_bytes,
			     (beb.data_bytes + MERRY_PAGE - 1) / MERRY_PAGE * MERRY_PAGE);
	if (status)
		diag_report_file(diags, DIAG_ERROR, file->name, "allow more with --memory", "the program: %s",
				 status_text(status));
	return status;
}

/* ---- Writing ---- */

static const AsmSymbol *find_main(const AsmProgram *program)
{
	for (u32 i = 0; i < program->symbol_count; i++)
		if (!strcmp(program->symbols[i].name, "main") && program->symbols[i].space == program->isa->code_space)
			return &program->symbols[i];
	return NULL;
}

/* The bytes of all segments of a space, at their addresses. */
static bool gather(const AsmProgram *program, u16 space, Buf *out)
{
	for (u32 s = 0; s < program->segment_count; s++) {
		const AsmSegment *segment = &program->segments[s];
		u64 end = segment->origin + segment->count;

		if (segment->space != space || !segment->count)
			continue;
		if (end > 1u << 28)
			return false;
		if (end > out->len)
			buf_fill(out, 0, end - out->len);
		for (u32 i = 0; i < segment->count && !out->failed; i++)
			out->data[segment->origin + i] = (u8)segment->cells[i];
	}
	return !out->failed;
}

/* Where strings begin among the data: the last of the dialect's sections holds them and whatever comes in bytes. */
static u64 strings_at(const AsmProgram *program, u16 space, u64 end)
{
	u64 at = end;

	for (u32 s = 0; s < program->segment_count; s++) {
		const AsmSegment *segment = &program->segments[s];

		if (segment->space == space && segment->section == SECTION_BYTES && segment->count && segment->origin < at)
			at = segment->origin;
	}
	return at;
}

Status merry_beb_write(const AsmProgram *program, Buf *out, DiagList *diags)
{
	const Isa *isa = program->isa;
	const AsmSymbol *entry = find_main(program);
	u64 jump = merry_is_b(isa) ? JUMP_B : JUMP_A;
	u16 data_space = isa_find_space(isa, "D", 1);
	u64 boundary;
	Buf code, data;
	bool fine;

	if (!entry) {
		diag_report_file(diags, DIAG_ERROR, program->source_count ? program->sources[0].name : "",
				 "write 'main:' where the program begins",
				 "Entry PROC not found. Expected a main procedure to be defined.");
		return STATUS_SYNTAX;
	}
	buf_init(&code);
	buf_init(&data);
	fine = gather(program, isa->code_space, &code) && gather(program, data_space, &data);
	if (fine) {
		if (code.len < 8)
			buf_fill(&code, 0, 8 - code.len);
		while (code.len % 8)
			buf_byte(&code, 0);
		buf_add(out, signature, sizeof signature);
		buf_u32(out, 0);
		buf_u64(out, ENTRY);
		boundary = strings_at(program, data_space, data.len);
		buf_u64(out, boundary);
		buf_u64(out, data.len - boundary);
		buf_u64(out, 0);
		buf_u64(out, KIND_GPC);
		buf_u64(out, code.len);
		buf_u64(out, jump << 56 | ((entry->value - 8) & 0xFFFFFFFFFFFF));
		buf_add(out, code.data + 8, code.len - 8);
		buf_add(out, data.data, data.len);
	}
	fine = fine && !out->failed;
	buf_fini(&code);
	buf_fini(&data);
	return fine ? STATUS_OK : STATUS_NOMEM;
}
