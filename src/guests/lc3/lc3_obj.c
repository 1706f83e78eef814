/* SPDX-License-Identifier: MIT
 *
 * Object files, read and written.
 *
 * lc3tools:  1C 30 15 C0 01 01 01, then records to the end of the file:
 *
 *     u16 value | u8 is_origin | u32 n | n bytes of source text        (little-endian)
 *
 * is_origin = 1: the value is where the following words go. Any number of segments.
 *
 * classic:   big-endian words; the first is the origin, the rest the content. One segment, no mark to know it by.
 *
 * Files come from outside: every length is checked against what is left of the file, addresses against the memory,
 * and a file whose records would make more segments or words than LC3_MAX_* is refused.
 */
#include <string.h>

#include "asm/asm.h"
#include "base/strmap.h"
#include "guests/lc3/lc3.h"

static const u8 signature[7] = { 0x1C, 0x30, 0x15, 0xC0, 1, 1, 1 };

enum { RECORD_HEAD = 7, MEMORY_WORDS = 0x10000 };

/* ---- Building an object ---- */

void lc3_object_fini(Lc3Object *object)
{
	arena_fini(&object->arena);
	object->segments = NULL;
	object->count = 0;
}

bool lc3_object_origin(Lc3Object *object, u16 origin, const char *file, DiagList *diags)
{
	if (object->count == LC3_MAX_SEGMENTS) {
		diag_report_file(diags, DIAG_ERROR, file, NULL, "more than %d segments", LC3_MAX_SEGMENTS);
		return false;
	}
	if (!arena_grow(&object->arena, (void **)&object->segments, &object->cap, object->count, sizeof(Lc3Segment))) {
		diag_report_file(diags, DIAG_ERROR, file, NULL, "%s", status_text(STATUS_NOMEM));
		return false;
	}
	object->segments[object->count++] = (Lc3Segment){ .origin = origin };
	return true;
}

/* The words of the last segment grow by doubling: a power of two that is reached is a full array. */
bool lc3_object_word(Lc3Object *object, u16 word, const char *file, DiagList *diags)
{
	Lc3Segment *segment = &object->segments[object->count - 1];
	u32 n = segment->count;

	if (segment->origin + n >= MEMORY_WORDS) {
		diag_report_file(diags, DIAG_ERROR, file, NULL, "the segment at x%04X runs past xFFFF", segment->origin);
		return false;
	}
	if (object->words == LC3_MAX_WORDS) {
		diag_report_file(diags, DIAG_ERROR, file, NULL, "more than %d words", LC3_MAX_WORDS);
		return false;
	}
	if (!(n & (n - 1))) {
		u16 *grown = ARENA_ARRAY(&object->arena, u16, n ? 2 * n : 1);

		if (!grown) {
			diag_report_file(diags, DIAG_ERROR, file, NULL, "%s", status_text(STATUS_NOMEM));
			return false;
		}
		if (n)
			memcpy(grown, segment->words, n * sizeof(u16));
		segment->words = grown;
	}
	segment->words[n] = word;
	segment->count = n + 1;
	object->words++;
	return true;
}

/* ---- Reading ---- */

static bool looks_like_bin(const u8 *data, size_t len)
{
	size_t digits = 0, i = 0;

	while (i < len && digits < 16) {
		if (data[i] == ';')
			while (i < len && data[i] != '\n')
				i++;
		else if (data[i] == '0' || data[i] == '1')
			digits++, i++;
		else if (data[i] == ' ' || data[i] == '\t' || data[i] == '\r' || data[i] == '\n')
			i++;
		else
			return false;
	}
	return digits == 16;
}

Lc3Format lc3_format(const u8 *data, size_t len)
{
	if (len >= sizeof signature && !memcmp(data, signature, sizeof signature))
		return LC3_FORMAT_TOOLS;
	if (looks_like_bin(data, len))
		return LC3_FORMAT_BIN;
	if (len >= 2 && len % 2 == 0 && (size_t)(data[0] << 8 | data[1]) + len / 2 - 1 <= MEMORY_WORDS)
		return LC3_FORMAT_CLASSIC;
	return LC3_FORMAT_NONE;
}

typedef struct Record {
	u16 value;
	u8 is_origin;
	const u8 *text; /* not terminated */
	u32 text_len;
} Record;

/* False: the file ends within it. */
static bool read_record(ByteReader *reader, Record *record)
{
	record->value = reader_u16(reader);
	record->is_origin = reader_u8(reader);
	record->text_len = reader_u32(reader);
	record->text = reader_bytes(reader, record->text_len);
	return !reader->bad;
}

static Status read_tools(const GuestFile *file, Lc3Object *out, DiagList *diags)
{
	ByteReader reader = { file->data, file->len, sizeof signature, false };

	while (reader.at < reader.len) {
		Record record;

		if (!read_record(&reader, &record)) {
			diag_report_file(diags, DIAG_ERROR, file->name, NULL, "the object file ends within a record");
			return STATUS_TRUNCATED;
		}
		if (record.is_origin > 1) {
			diag_report_file(diags, DIAG_ERROR, file->name, NULL,
					 "damaged object file: a record is neither origin nor word");
			return STATUS_CORRUPT;
		}
		if (record.is_origin) {
			if (!lc3_object_origin(out, record.value, file->name, diags))
				return STATUS_TOO_BIG;
			continue;
		}
		if (!out->count) {
			diag_report_file(diags, DIAG_ERROR, file->name, NULL,
					 "damaged object file: a word stands before the first origin");
			return STATUS_CORRUPT;
		}
		if (!lc3_object_word(out, record.value, file->name, diags))
			return STATUS_RANGE;
	}
	if (!out->count) {
		diag_report_file(diags, DIAG_ERROR, file->name, NULL, "the object file holds no program");
		return STATUS_TRUNCATED;
	}
	return STATUS_OK;
}

static Status read_classic(const GuestFile *file, Lc3Object *out, bool *cut, DiagList *diags)
{
	size_t words = file->len / 2;

	if (words < 1 || (file->len % 2 && !cut)) {
		diag_report_file(diags, DIAG_ERROR, file->name, NULL,
				 "not an LC-3 object file: %zu bytes are no whole words", file->len);
		return STATUS_FORMAT;
	}
	if (!lc3_object_origin(out, (u16)(file->data[0] << 8 | file->data[1]), file->name, diags))
		return STATUS_NOMEM;
	for (size_t i = 1; i < words; i++) {
		if (cut && out->segments[0].origin + i > MEMORY_WORDS) {
			*cut = true;
			break;
		}
		if (!lc3_object_word(out, (u16)(file->data[2 * i] << 8 | file->data[2 * i + 1]), file->name, diags))
			return STATUS_RANGE;
	}
	return STATUS_OK;
}

Status lc3_object_read(const GuestFile *file, Lc3Object *out, bool *cut, DiagList *diags)
{
	*out = (Lc3Object){ 0 };
	arena_init(&out->arena);
	if (cut)
		*cut = false;
	switch (lc3_format(file->data, file->len)) {
	case LC3_FORMAT_TOOLS: return read_tools(file, out, diags);
	case LC3_FORMAT_BIN: return lc3_bin_read(file, out, diags);
	default: return read_classic(file, out, cut, diags);
	}
}

Status lc3_object_names(const GuestFile *file, u16 space, const GuestNames *names)
{
	ByteReader reader = { file->data, file->len, sizeof signature, false };
	Record record;
	u32 address = 0, len;

	if (lc3_format(file->data, file->len) != LC3_FORMAT_TOOLS)
		return STATUS_FORMAT;
	while (reader.at < reader.len && read_record(&reader, &record)) {
		if (record.is_origin) {
			address = record.value;
			continue;
		}
		for (len = 0; len < record.text_len && (record.text[len] >= ' ' || record.text[len] == '\t'); len++)
			;
		if (len > 1 && address < MEMORY_WORDS) /* one byte: a letter of a string */
			names->line(names->ctx, space, address, 0, (const char *)record.text, len);
		address++;
	}
	return STATUS_OK;
}

/* ---- Writing ---- */

typedef struct Text {
	const char *at;
	size_t len;
} Text;

typedef struct LineFinder { /* the line found last: the next one is mostly behind it */
	const AsmSource *source;
	const char *at;
	u32 line;
} LineFinder;

/* A line of the source as lc3tools keeps it: without its comment (quotes toggle whether one may begin) and without
 * trailing blanks. */
static Text source_line(LineFinder *finder, const AsmSource *source, u32 line)
{
	const char *at, *end = source->text + source->len, *stop;
	bool quoted = false;

	if (finder->source != source || line < finder->line)
		*finder = (LineFinder){ source, source->text, 1 };
	for (at = finder->at; finder->line < line && at < end; at++)
		if (*at == '\n' || (*at == '\r' && !(at + 1 < end && at[1] == '\n')))
			finder->line++;
	finder->at = at;
	for (stop = at; stop < end && *stop != '\n' && *stop != '\r'; stop++) {
		if (*stop == '"')
			quoted = !quoted;
		else if (*stop == ';' && !quoted)
			break;
	}
	while (stop > at && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	return (Text){ at, (size_t)(stop - at) };
}

/* Does one of the first two words of the line name a directive for strings? */
static bool is_string_line(const Isa *isa, Text text)
{
	size_t at = 0;

	for (unsigned word = 0; word < 2; word++) {
		size_t start;

		while (at < text.len && strchr(" \t,:", text.at[at]))
			at++;
		for (start = at; at < text.len && !strchr(" \t,:\"", text.at[at]);)
			at++;
		for (u32 d = 0; d < isa->dialects[0].directive_count; d++) {
			const IsaDirective *directive = &isa->dialects[0].directives[d];

			if (directive->action == ISA_ACT_STRING &&
			    ascii_equal_fold(text.at + start, at - start, directive->name, strlen(directive->name)))
				return true;
		}
	}
	return false;
}

static void put_record(Buf *out, u16 value, bool is_origin, const char *text, size_t len)
{
	buf_u16(out, value);
	buf_byte(out, is_origin);
	buf_u32(out, (u32)len);
	buf_add(out, text, len);
}

/* The text of the statement that opened the segment: the last `org` before its first statement. AsmProgram does not
 * keep that line, so it is looked for upwards. */
static Text origin_line(LineFinder *finder, const AsmProgram *program, const AsmSegment *segment)
{
	const AsmLine *first;

	if (!segment->count)
		return (Text){ "", 0 };
	first = &program->lines[segment->lines[0]];
	for (u32 line = first->line; line-- > 1;) {
		Text text = source_line(finder, &program->sources[first->source], line);

		for (size_t i = 0; i + 5 <= text.len; i++)
			if (ascii_equal_fold(text.at + i, 5, ".ORIG", 5))
				return text;
	}
	return (Text){ "", 0 };
}

Status lc3_write_tools(const AsmProgram *program, Buf *out, DiagList *diags)
{
	LineFinder finder = { 0 };

	(void)diags;
	buf_add(out, signature, sizeof signature);
	for (u32 s = 0; s < program->segment_count; s++) {
		const AsmSegment *segment = &program->segments[s];
		Text text = origin_line(&finder, program, segment);

		put_record(out, (u16)segment->origin, true, text.at, text.len);
		for (u32 i = 0; i < segment->count; i++) {
			const AsmLine *line = &program->lines[segment->lines[i]];
			bool last = i + 1 == segment->count || segment->lines[i + 1] != segment->lines[i];
			char letter = (char)segment->cells[i];

			if (!i || segment->lines[i] != segment->lines[i - 1])
				text = source_line(&finder, &program->sources[line->source], line->line);
			if (!last && is_string_line(program->isa, text))
				put_record(out, (u16)segment->cells[i], false, &letter, 1);
			else
				put_record(out, (u16)segment->cells[i], false, text.at, text.len);
		}
	}
	return out->failed ? STATUS_NOMEM : STATUS_OK;
}

/* The program as one run of words from its lowest to its highest address: what a file with one origin can hold. */
static Status flatten(const AsmProgram *program, u16 **words, u32 *origin, u32 *count, Arena *arena, DiagList *diags)
{
	const char *name = program->source_count ? program->sources[0].name : "";
	u64 lo = MEMORY_WORDS, hi = 0;

	for (u32 s = 0; s < program->segment_count; s++) {
		const AsmSegment *segment = &program->segments[s];

		if (segment->origin + segment->count > MEMORY_WORDS) {
			diag_report_file(diags, DIAG_ERROR, name, NULL, "the segment at x%04X runs past xFFFF",
					 (unsigned)segment->origin);
			return STATUS_RANGE;
		}
		lo = segment->origin < lo ? segment->origin : lo;
		hi = segment->origin + segment->count > hi ? segment->origin + segment->count : hi;
	}
	if (hi < lo)
		hi = lo;
	*origin = (u32)(lo == MEMORY_WORDS ? 0x3000 : lo);
	*count = (u32)(hi - lo);
	*words = ARENA_ARRAY(arena, u16, *count + 1);
	if (!*words)
		return STATUS_NOMEM;
	for (u32 s = 0; s < program->segment_count; s++) {
		const AsmSegment *segment = &program->segments[s];

		for (u32 i = 0; i < segment->count; i++)
			(*words)[segment->origin - lo + i] = (u16)segment->cells[i];
	}
	return STATUS_OK;
}

Status lc3_write_classic(const AsmProgram *program, Buf *out, DiagList *diags)
{
	Arena arena;
	u16 *words;
	u32 origin, count;
	Status status;

	arena_init(&arena);
	status = flatten(program, &words, &origin, &count, &arena, diags);
	if (!status) {
		buf_byte(out, (u8)(origin >> 8));
		buf_byte(out, (u8)origin);
		for (u32 i = 0; i < count; i++) {
			buf_byte(out, (u8)(words[i] >> 8));
			buf_byte(out, (u8)words[i]);
		}
	}
	arena_fini(&arena);
	return status ? status : out->failed ? STATUS_NOMEM : STATUS_OK;
}

static void put_binary(Buf *out, u16 word)
{
	for (unsigned bit = 16; bit-- > 0;)
		buf_byte(out, word >> bit & 1 ? '1' : '0');
	buf_byte(out, '\n');
}

Status lc3_write_bin(const AsmProgram *program, Buf *out, DiagList *diags)
{
	Arena arena;
	u16 *words;
	u32 origin, count;
	Status status;

	arena_init(&arena);
	status = flatten(program, &words, &origin, &count, &arena, diags);
	if (!status) {
		put_binary(out, (u16)origin);
		for (u32 i = 0; i < count; i++)
			put_binary(out, words[i]);
	}
	arena_fini(&arena);
	return status ? status : out->failed ? STATUS_NOMEM : STATUS_OK;
}
