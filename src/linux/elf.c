/* SPDX-License-Identifier: MIT */
#include "linux/elf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CLASS_AT = 4, DATA_AT = 5, VERSION_AT = 6, TYPE_AT = 16, MACHINE_AT = 18, ENTRY_AT = 24, HEADERS_AT = 32,
       FLAGS_AT = 48, HEADER_SIZE_AT = 54, HEADER_COUNT_AT = 56 };
enum { LOAD = 1, INTERPRETER = 3, STACK = 0x6474E551 }; /* p_type */
enum { PAGE = 4096, HEADER_BYTES_LIMIT = 65536 };

typedef struct Header {
	u32 type, flags;
	u64 offset, address, file, memory, align;
} Header;

typedef struct Reader {
	const ElfSource *source;
	const ElfWanted *wanted;
	DiagList *diags;
	u64 table; /* offset of the program headers */
} Reader;

static i64 refuse(const Reader *reader, i64 error, const char *hint, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static i64 refuse(const Reader *reader, i64 error, const char *hint, const char *format, ...)
{
	va_list args;
	Buf text;

	if (!reader->diags)
		return error;
	buf_init(&text);
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	diag_report_file(reader->diags, DIAG_ERROR, reader->source->name, hint, "%s", buf_text(&text));
	buf_fini(&text);
	return error;
}

static u16 get16(const u8 *at)
{
	return (u16)(at[0] | at[1] << 8);
}

static u32 get32(const u8 *at)
{
	return get16(at) | (u32)get16(at + 2) << 16;
}

static u64 get64(const u8 *at)
{
	return get32(at) | (u64)get32(at + 4) << 32;
}

bool elf_is(const u8 *bytes, size_t len)
{
	return len >= 4 && memcmp(bytes, "\177ELF", 4) == 0;
}

const char *elf_machine_name(u16 machine)
{
	static const struct {
		u16 number;
		const char *name;
	} names[] = {{2, "SPARC"}, {3, "x86 of 32 bits"}, {4, "Motorola 68000"}, {8, "MIPS"}, {20, "PowerPC"},
		     {21, "PowerPC of 64 bits"}, {22, "IBM Z"}, {40, "ARM of 32 bits"}, {43, "SPARC of 64 bits"},
		     {50, "Itanium"}, {62, "x86-64"}, {83, "AVR"}, {94, "Xtensa"}, {183, "ARM of 64 bits"},
		     {243, "RISC-V"}, {247, "BPF"}, {258, "LoongArch"}};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (names[i].number == machine)
			return names[i].name;
	return NULL;
}

/* ---- The header ---- */

static i64 check_kind(const Reader *reader, const u8 *header)
{
	const ElfWanted *wanted = reader->wanted;
	u16 type = get16(header + TYPE_AT), machine = get16(header + MACHINE_AT);
	const char *name = elf_machine_name(machine);

	if (machine != wanted->machine && name)
		return refuse(reader, -ENOEXEC, NULL,
			      "this is a program for %s, not for %s (e_machine, at offset %d, is %u instead of %u)",
			      name, wanted->machine_name, MACHINE_AT, machine, wanted->machine);
	if (machine != wanted->machine)
		return refuse(reader, -ENOEXEC, NULL,
			      "this is a program for another machine (e_machine, at offset %d, is %u instead of %u)",
			      MACHINE_AT, machine, wanted->machine);
	if (header[CLASS_AT] != 2)
		return refuse(reader, -ENOEXEC, NULL, "this is %s of 64 bits (EI_CLASS, at offset %d, is %u instead of 2)",
			      header[CLASS_AT] == 1 ? "a program of 32 bits, not" : "no program", CLASS_AT,
			      header[CLASS_AT]);
	if (header[DATA_AT] != 1)
		return refuse(reader, -ENOEXEC, NULL, "this is %s little-endian program (EI_DATA, at offset %d, is %u instead of 1)",
			      header[DATA_AT] == 2 ? "a big-endian, not a" : "no", DATA_AT, header[DATA_AT]);
	if (header[VERSION_AT] != 1)
		return refuse(reader, -ENOEXEC, NULL,
			      "EI_VERSION, at offset %d, is %u instead of 1", VERSION_AT, header[VERSION_AT]);
	if (type == 1)
		return refuse(reader, -ENOEXEC, "link it first",
			      "this is an object file, not a program (e_type, at offset %d, is 1)", TYPE_AT);
	if (type == 4)
		return refuse(reader, -ENOEXEC, NULL,
			      "this is the memory dump of a program that crashed (e_type, at offset %d, is 4)",
			      TYPE_AT);
	if (type != ELF_EXECUTABLE && type != ELF_SHARED)
		return refuse(reader, -ENOEXEC, NULL,
			      "e_type, at offset %d, is %u instead of 2 or 3", TYPE_AT, type);
	if (get32(header + FLAGS_AT) & wanted->flags_refused)
		return refuse(reader, -ENOEXEC, "compile it for the usual calling convention (-mabi=lp64d)",
			      "its calling convention is not supported (e_flags, at offset %d, is 0x%x)", FLAGS_AT,
			      get32(header + FLAGS_AT));
	return 0;
}

static i64 check_table(const Reader *reader, const u8 *header)
{
	u16 size = get16(header + HEADER_SIZE_AT), count = get16(header + HEADER_COUNT_AT);
	u64 bytes = (u64)count * ELF_PROGRAM_HEADER;

	if (!count)
		return refuse(reader, -ENOEXEC, NULL,
			      "it has no program headers (e_phnum, at offset %d, is 0): nothing to load",
			      HEADER_COUNT_AT);
	if (size != ELF_PROGRAM_HEADER)
		return refuse(reader, -ENOEXEC, NULL,
			      "e_phentsize, at offset %d, is %u instead of %d",
			      HEADER_SIZE_AT, size, ELF_PROGRAM_HEADER);
	if (bytes > HEADER_BYTES_LIMIT)
		return refuse(reader, -ENOEXEC, NULL,
			      "e_phnum, at offset %d, is %u: more program headers than a program may have (%d)",
			      HEADER_COUNT_AT, count, HEADER_BYTES_LIMIT / ELF_PROGRAM_HEADER);
	if (reader->table > reader->source->size || bytes > reader->source->size - reader->table)
		return refuse(reader, -ENOEXEC, NULL,
			      "e_phoff, at offset %d, is 0x%llx: the %u program headers there reach beyond the file's end at 0x%llx",
			      HEADERS_AT, (unsigned long long)reader->table, count, (unsigned long long)reader->source->size);
	return 0;
}

/* ---- Program headers ---- */

static Header header_at(const u8 *at)
{
	return (Header){.type = get32(at), .flags = get32(at + 4), .offset = get64(at + 8), .address = get64(at + 16),
			.file = get64(at + 32), .memory = get64(at + 40), .align = get64(at + 48)};
}

/* A message about program header `index` names its place in the file. */
#define ABOUT "program header %u (at offset 0x%llx): "

static i64 add_segment(const Reader *reader, unsigned index, const Header *header, ElfProgram *out)
{
	unsigned long long at = reader->table + (u64)index * ELF_PROGRAM_HEADER;
	const ElfSegment *before = out->segment_count ? &out->segments[out->segment_count - 1] : NULL;
	u64 limit = reader->wanted->limit, size = reader->source->size;

	if (header->file > header->memory)
		return refuse(reader, -ENOEXEC, NULL,
			      ABOUT "p_filesz, 0x%llx, is larger than p_memsz, 0x%llx", index, at,
			      (unsigned long long)header->file, (unsigned long long)header->memory);
	if (!header->memory)
		return 0;
	if (header->address > limit || header->memory > limit - header->address)
		return refuse(reader, -ENOMEM, NULL,
			      ABOUT "p_vaddr 0x%llx with p_memsz 0x%llx reaches beyond the last address, 0x%llx",
			      index,
			      at, (unsigned long long)header->address, (unsigned long long)header->memory,
			      (unsigned long long)limit - 1);
	if (out->type == ELF_EXECUTABLE && header->address < reader->wanted->lowest)
		return refuse(reader, -EPERM, "link it to a higher address (-Wl,-Ttext-segment=0x400000)",
			      ABOUT "p_vaddr 0x%llx is below 0x%llx, the lowest address a program may have", index, at,
			      (unsigned long long)header->address, (unsigned long long)reader->wanted->lowest);
	if (header->file && (header->offset > size || header->file > size - header->offset))
		return refuse(reader, -ENOEXEC, "the file is incomplete",
			      ABOUT "p_offset 0x%llx with p_filesz 0x%llx reaches beyond the file's end at 0x%llx",
			      index, at, (unsigned long long)header->offset, (unsigned long long)header->file,
			      (unsigned long long)size);
	if (header->file && (header->address - header->offset) % PAGE)
		return refuse(reader, -EINVAL, NULL,
			      ABOUT "p_vaddr 0x%llx and p_offset 0x%llx differ in their low 12 bits, so it can't be mapped",
			      index, at, (unsigned long long)header->address, (unsigned long long)header->offset);
	if (before && header->address < before->address + before->memory)
		return refuse(reader, -ENOEXEC, NULL,
			      ABOUT "p_vaddr 0x%llx is not above the segment before it, which ends at 0x%llx",
			      index, at,
			      (unsigned long long)header->address, (unsigned long long)(before->address + before->memory));
	if (out->segment_count == ELF_SEGMENT_LIMIT)
		return refuse(reader, -ENOEXEC, NULL,
			      ABOUT "more than %d segments", index, at, ELF_SEGMENT_LIMIT);
	out->segments[out->segment_count++] = (ElfSegment){.address = header->address, .memory = header->memory,
		.offset = header->offset, .file = header->file, .flags = header->flags};
	if (header->align > out->align && !(header->align & (header->align - 1)))
		out->align = header->align;
	return 0;
}

static i64 read_interpreter(const Reader *reader, unsigned index, const Header *header, ElfProgram *out)
{
	unsigned long long at = reader->table + (u64)index * ELF_PROGRAM_HEADER;
	i64 got;

	if (out->interpreter[0])
		return 0; /* the first counts */
	if (header->file < 2 || header->file > sizeof out->interpreter)
		return refuse(reader, -ENOEXEC, NULL,
			      ABOUT "p_filesz 0x%llx: no length of an interpreter's path", index, at,
			      (unsigned long long)header->file);
	got = reader->source->read(reader->source->ctx, out->interpreter, header->file, header->offset);
	if (got != (i64)header->file || out->interpreter[header->file - 1] || !out->interpreter[0]) {
		out->interpreter[0] = 0;
		return refuse(reader, got < 0 ? got : -ENOEXEC, NULL,
			      ABOUT "the interpreter's path is not a text that ends with 0", index, at);
	}
	return 0;
}

static i64 read_headers(const Reader *reader, const u8 *table, ElfProgram *out)
{
	i64 error = 0;

	for (unsigned i = 0; !error && i < out->header_count; i++) {
		Header header = header_at(table + (size_t)i * ELF_PROGRAM_HEADER);

		if (header.type == LOAD)
			error = add_segment(reader, i, &header, out);
		else if (header.type == INTERPRETER)
			error = read_interpreter(reader, i, &header, out);
		else if (header.type == STACK)
			out->executable_stack = header.flags & ELF_EXECUTE;
	}
	return error;
}

/* What follows from the segments. */
static i64 conclude(const Reader *reader, ElfProgram *out)
{
	const ElfSegment *last;
	bool found = false;
	u64 bytes = (u64)out->header_count * ELF_PROGRAM_HEADER;

	if (!out->segment_count)
		return refuse(reader, -ENOEXEC, NULL,
			      "none of its %u program headers is of type PT_LOAD: nothing to load",
			      out->header_count);
	last = &out->segments[out->segment_count - 1];
	out->low = out->segments[0].address & ~(u64)(PAGE - 1);
	out->high = (last->address + last->memory + PAGE - 1) & ~(u64)(PAGE - 1);
	if (out->align > reader->wanted->limit)
		out->align = PAGE;
	for (u32 i = 0; i < out->segment_count; i++) {
		const ElfSegment *segment = &out->segments[i];

		found = found || (out->entry >= segment->address && out->entry - segment->address < segment->memory);
		if (!out->headers && reader->table >= segment->offset && bytes <= segment->file &&
		    reader->table - segment->offset <= segment->file - bytes)
			out->headers = segment->address + (reader->table - segment->offset);
	}
	/* A shared library is none either, but may be asked to run all the same. */
	if (!found)
		return refuse(reader, -ENOEXEC, out->type == ELF_SHARED && !out->entry ? "this may be a library" : NULL,
			      "e_entry, at offset %d, is 0x%llx: in no segment", ENTRY_AT, (unsigned long long)out->entry);
	return 0;
}

i64 elf_read(const ElfSource *source, const ElfWanted *wanted, ElfProgram *out, DiagList *diags)
{
	Reader reader = {.source = source, .wanted = wanted, .diags = diags};
	u8 header[ELF_HEADER], *table;
	size_t bytes;
	i64 error, got = source->read(source->ctx, header, sizeof header, 0);

	out->segment_count = 0;
	out->headers = 0;
	out->align = PAGE;
	out->executable_stack = false;
	out->interpreter[0] = 0;
	if (got < 0)
		return refuse(&reader, got, NULL, "it can't be read");
	if (!elf_is(header, (size_t)got))
		return refuse(&reader, -ENOEXEC, NULL,
			      "this is not an ELF program: it does not begin with 7f 45 4c 46");
	if (got != sizeof header)
		return refuse(&reader, -ENOEXEC, "the file is incomplete",
			      "it ends at offset %lld, within the ELF header", (long long)got);
	out->type = get16(header + TYPE_AT);
	out->entry = get64(header + ENTRY_AT);
	out->header_count = get16(header + HEADER_COUNT_AT);
	reader.table = get64(header + HEADERS_AT);
	error = check_kind(&reader, header);
	if (!error)
		error = check_table(&reader, header);
	if (error)
		return error;
	bytes = (size_t)out->header_count * ELF_PROGRAM_HEADER;
	table = malloc(bytes);
	if (!table)
		return refuse(&reader, -ENOMEM, NULL, "out of memory");
	got = source->read(source->ctx, table, bytes, reader.table);
	error = got == (i64)bytes ? read_headers(&reader, table, out)
				  : refuse(&reader, got < 0 ? got : -ENOEXEC, NULL,
					   "its program headers can't be read");
	free(table);
	return error ? error : conclude(&reader, out);
}

/* ---- Symbols ---- */

typedef struct Section {
	u32 type, link;
	u64 offset, size, item;
} Section;

enum { SECTION_HEADER = 64, SYMBOL = 24, SYMBOLS = 2, DYNAMIC_SYMBOLS = 11 };

/* Section `index`, if all of it lies in the file. */
static bool section(const u8 *bytes, size_t len, u64 index, Section *out)
{
	u64 table = get64(bytes + 40), count = get16(bytes + 60);
	const u8 *at;

	if (index >= count || table > len || (index + 1) * SECTION_HEADER > len - table)
		return false;
	at = bytes + table + index * SECTION_HEADER;
	*out = (Section){.type = get32(at + 4), .link = get32(at + 40), .offset = get64(at + 24), .size = get64(at + 32),
			 .item = get64(at + 56)};
	return out->offset <= len && out->size <= len - out->offset;
}

/* Marks of the assembler: where code and data begin, and places local to one function. */
static bool is_mark(const char *name)
{
	return name[0] == '$' || (name[0] == '.' && name[1] == 'L') || strncmp(name, "L0\001", 3) == 0;
}

static void symbol(const u8 *at, const u8 *texts, u64 texts_len, u64 bias, u16 space, const GuestNames *names)
{
	u32 name = get32(at), kind = at[4] & 15, place = get16(at + 6);
	size_t most, len;

	/* None, object, function, indirect function; defined, and not just a number. */
	if (!name || name >= texts_len || !place || place == 0xFFF1 || (kind > 2 && kind != 10))
		return;
	most = (size_t)(texts_len - name);
	len = strnlen((const char *)texts + name, most);
	if (len == most || !len || is_mark((const char *)texts + name))
		return;
	names->symbol(names->ctx, (const char *)texts + name, len, space, get64(at + 8) + bias);
}

Status elf_symbols(const u8 *bytes, size_t len, u64 bias, u16 space, const GuestNames *names)
{
	Section table, texts;
	bool found = false;

	if (!elf_is(bytes, len) || len < ELF_HEADER || bytes[CLASS_AT] != 2 || bytes[DATA_AT] != 1 ||
	    get16(bytes + 58) != SECTION_HEADER)
		return STATUS_FORMAT;
	/* The full table where there is one. */
	for (u32 wanted = SYMBOLS;; wanted = DYNAMIC_SYMBOLS) {
		for (u64 i = 0; !found && i < get16(bytes + 60); i++)
			found = section(bytes, len, i, &table) && table.type == wanted && table.item == SYMBOL &&
				section(bytes, len, table.link, &texts);
		if (found || wanted == DYNAMIC_SYMBOLS)
			break;
	}
	if (!found)
		return STATUS_FORMAT;
	for (u64 at = 0; table.size - at >= SYMBOL; at += SYMBOL)
		symbol(bytes + table.offset + at, bytes + texts.offset, texts.size, bias, space, names);
	return STATUS_OK;
}
