/* SPDX-License-Identifier: MIT
 *
 * Programs in files: the two formats svm.h shows. Whatever a file says is held against the limits there before
 * anything is made of it.
 */
#include "guests/svm/svm.h"

#include <stdio.h>
#include <string.h>

#include "asm/asm.h"
#include "base/nearest.h"
#include "base/strmap.h"

#define MAGIC "SVM\x1a"

enum { MAGIC_LEN = 4, VERSION = 1 };

void svm_program_fini(SvmProgram *program)
{
	arena_fini(&program->arena);
}

static bool is_binary(const GuestFile *file)
{
	return file->len >= MAGIC_LEN && memcmp(file->data, MAGIC, MAGIC_LEN) == 0;
}

static bool name_ends(const GuestFile *file, const char *ending)
{
	size_t len = strlen(file->name), n = strlen(ending);

	return len >= n && ascii_equal_fold(file->name + len - n, n, ending, n);
}

int svm_recognize(const GuestFile *file)
{
	return is_binary(file) ? 100 : name_ends(file, ".svmi") ? 95 : name_ends(file, ".svmo") ? 70 : 0;
}

/* ---- What both readers end with ---- */

static Status add_word(SvmProgram *program, u32 word)
{
	if (program->word_count == SVM_MAX_WORDS)
		return STATUS_TOO_BIG;
	if (!arena_grow(&program->arena, (void **)&program->words, &program->word_cap, program->word_count, sizeof(u32)))
		return STATUS_NOMEM;
	program->words[program->word_count++] = word;
	return STATUS_OK;
}

static Status add_function(SvmProgram *program, const SvmFunction *function)
{
	if (program->function_count == SVM_MAX_FUNCTIONS)
		return STATUS_TOO_BIG;
	if (!arena_grow(&program->arena, (void **)&program->functions, &program->function_cap, program->function_count,
			sizeof(SvmFunction)))
		return STATUS_NOMEM;
	program->functions[program->function_count] = *function;
	program->functions[program->function_count++].name =
		arena_strndup(&program->arena, function->name, function->name_len);
	return program->functions[program->function_count - 1].name ? STATUS_OK : STATUS_NOMEM;
}

/* What is wrong with the program as a whole, or NULL. `where` gets the function that it is about. */
static const char *first_fault(const SvmProgram *program, const SvmFunction **where)
{
	*where = NULL;
	if (!program->word_count)
		return "the program has no code";
	if (program->globals > SVM_MAX_GLOBALS)
		return "more than 1048576 globals";
	for (u32 i = 0; i < program->function_count; i++) {
		const SvmFunction *function = *where = &program->functions[i];

		if (function->nargs > SVM_MAX_ARGUMENTS)
			return "has more than 1000 arguments: the stack holds no more";
		if (function->nlocals > SVM_MAX_LOCALS)
			return "has more than 65536 locals";
		if (function->address >= program->word_count)
			return "begins behind the end of the code";
	}
	*where = NULL;
	if (program->start >= program->word_count)
		return "the program starts behind its code";
	return NULL;
}

static Status finish(SvmProgram *program, const char *name, DiagList *diags)
{
	const SvmFunction main_function = {.name = "main", .name_len = 4, .address = program->start};
	const SvmFunction *where;
	const char *fault = first_fault(program, &where);

	if (fault) {
		if (where)
			diag_report_file(diags, DIAG_ERROR, name, NULL, "function '%s' %s", where->name, fault);
		else
			diag_report_file(diags, DIAG_ERROR, name, NULL, "%s", fault);
		return STATUS_INVALID;
	}
	return program->function_count ? STATUS_OK : add_function(program, &main_function);
}

/* ---- Binary ---- */

static Status read_binary(const GuestFile *file, SvmProgram *program, DiagList *diags)
{
	ByteReader reader = {file->data, file->len, MAGIC_LEN, false};
	u32 version = reader_u32(&reader), functions, words;
	Status status = STATUS_OK;

	if (!reader.bad && version != VERSION) {
		diag_report_file(diags, DIAG_ERROR, file->name, NULL, "version %u of the format; this is made for version %d",
				 version, VERSION);
		return STATUS_MISMATCH;
	}
	program->globals = reader_u32(&reader);
	program->start = reader_u32(&reader);
	functions = reader_u32(&reader);
	words = reader_u32(&reader);
	if (functions > SVM_MAX_FUNCTIONS || words > SVM_MAX_WORDS) {
		diag_report_file(diags, DIAG_ERROR, file->name, NULL, "%u functions and %u words of code are more than the %d and %d that go",
				 functions, words, SVM_MAX_FUNCTIONS, SVM_MAX_WORDS);
		return STATUS_TOO_BIG;
	}
	for (u32 i = 0; i < functions && !reader.bad && !status; i++) {
		SvmFunction function = {.nargs = reader_u32(&reader), .name = ""};

		function.nlocals = reader_u32(&reader);
		function.address = reader_u32(&reader);
		function.name_len = reader_u8(&reader);
		function.name = (const char *)reader_bytes(&reader, function.name_len);
		if (!reader.bad)
			status = add_function(program, &function);
	}
	for (u32 i = 0; i < words && !reader.bad && !status; i++) {
		u32 word = reader_u32(&reader);

		if (!reader.bad)
			status = add_word(program, word);
	}
	if (status)
		return status;
	if (reader.bad || reader.at != reader.len) {
		diag_report_file(diags, DIAG_ERROR, file->name, NULL, reader.bad ? "the file is cut off" : "%zu bytes too many at the end",
				 reader.len - reader.at);
		return reader.bad ? STATUS_TRUNCATED : STATUS_CORRUPT;
	}
	return finish(program, file->name, diags);
}

/* ---- Text ---- */

typedef struct Words {
	Source source;
	size_t at, start, len; /* the current word */
} Words;

/* The next word; false at the end. */
static bool next_word(Words *words)
{
	const char *text = words->source.text;
	size_t i = words->at, end = words->source.len;

	while (i < end) {
		if (text[i] == '#' || text[i] == ';' || (text[i] == '/' && i + 1 < end && text[i + 1] == '/'))
			while (i < end && text[i] != '\n')
				i++;
		else if (strchr(" \t\r\n\f\v,|", text[i]) && text[i])
			i++;
		else
			break;
	}
	words->start = i;
	while (i < end && text[i] && !strchr(" \t\r\n\f\v,|#;/", text[i]))
		i++;
	if (i == words->start && i < end)
		i++;
	words->len = i - words->start;
	words->at = i;
	return words->len != 0;
}

static bool word_is(const Words *words, const char *text)
{
	return words->len == strlen(text) && memcmp(words->source.text + words->start, text, words->len) == 0;
}

/* The current word as a number, -2^31 .. 2^32-1. */
static bool word_number(const Words *words, u32 *value)
{
	const char *text = words->source.text + words->start;
	bool negative = words->len > 1 && text[0] == '-';
	u64 number = 0;

	for (size_t i = negative; i < words->len; i++) {
		if (text[i] < '0' || text[i] > '9' || number > 0xFFFFFFFF)
			return false;
		number = number * 10 + (u64)(text[i] - '0');
	}
	if (number > (negative ? 0x80000000u : 0xFFFFFFFFu))
		return false;
	*value = negative ? 0u - (u32)number : (u32)number;
	return true;
}

static bool complain(const Words *words, DiagList *diags, const char *expected)
{
	static const char *const known[] = {"globals", "start", "function"};
	const char *text = words->source.text + words->start;
	size_t len = words->len ? words->len : 1;
	Nearest nearest = nearest_to(text, words->len);
	char hint[64];

	for (u32 i = 0; i < COUNT_OF(known); i++)
		nearest_consider(&nearest, known[i]);
	if (nearest.name)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", nearest.name);
	diag_report(diags, DIAG_ERROR, &words->source, words->start, len, nearest.name ? hint :
		    "a program is: globals N, start N, function NAME ARGUMENTS LOCALS ADDRESS, and the numbers of the code; "
		    "assembly text stands in a .svm",
		    words->len ? "expected %s" : "the file ends where %s is expected", expected);
	return false;
}

static bool next_number(Words *words, u32 *value, const char *what, DiagList *diags)
{
	return (next_word(words) && word_number(words, value)) || complain(words, diags, what);
}

static Status read_function(Words *words, SvmProgram *program, DiagList *diags)
{
	SvmFunction function = {0};
	u32 number;

	if (!next_word(words) || word_number(words, &number) || words->len > SVM_MAX_NAME) {
		complain(words, diags, "the function's name");
		return STATUS_SYNTAX;
	}
	function.name = words->source.text + words->start;
	function.name_len = (u32)words->len;
	if (!next_number(words, &function.nargs, "the number of arguments", diags) ||
	    !next_number(words, &function.nlocals, "the number of locals", diags) ||
	    !next_number(words, &function.address, "the function's address", diags))
		return STATUS_SYNTAX;
	return add_function(program, &function);
}

static Status read_text(const GuestFile *file, SvmProgram *program, DiagList *diags)
{
	Words words = {.source = {file->name, (const char *)file->data, file->len}};
	Status status = STATUS_OK;
	bool has_start = false;
	u32 number;

	while (!status && next_word(&words)) {
		if (word_number(&words, &number))
			status = add_word(program, number);
		else if (word_is(&words, "globals"))
			status = next_number(&words, &program->globals, "the number of globals", diags) ? STATUS_OK : STATUS_SYNTAX;
		else if (word_is(&words, "start"))
			status = (has_start = next_number(&words, &program->start, "an address", diags)) ? STATUS_OK : STATUS_SYNTAX;
		else if (word_is(&words, "function"))
			status = read_function(&words, program, diags);
		else
			status = complain(&words, diags, "a number of 32 bits") ? STATUS_OK : STATUS_SYNTAX;
	}
	if (!has_start && program->function_count)
		program->start = program->functions[0].address;
	return status ? status : finish(program, file->name, diags);
}

Status svm_read(const GuestFile *file, SvmProgram *out, DiagList *diags)
{
	*out = (SvmProgram){0};
	arena_init(&out->arena);
	return is_binary(file) ? read_binary(file, out, diags) : read_text(file, out, diags);
}

/* ---- Writing ---- */

/* Lays the code segments of an assembled program side by side; counts globals; takes the rows of `.func`. */
static Status collect(const AsmProgram *program, SvmProgram *out, DiagList *diags)
{
	u16 code = program->isa->code_space, globals = isa_find_space(program->isa, "globals", strlen("globals"));
	Status status = STATUS_OK;

	for (u32 s = 0; s < program->segment_count && !status; s++) {
		const AsmSegment *segment = &program->segments[s];
		u64 end = segment->origin + segment->count;

		if (segment->space == globals && end > out->globals)
			out->globals = end > SVM_MAX_GLOBALS ? SVM_MAX_GLOBALS + 1 : (u32)end;
		if (segment->space != code)
			continue;
		while (!status && out->word_count < end)
			status = add_word(out, 0);
		for (u32 i = 0; !status && i < segment->count; i++)
			out->words[segment->origin + i] = (u32)segment->cells[i];
	}
	for (u32 i = 0; i < program->row_count && !status; i++) {
		const AsmRow *row = &program->rows[i];
		SvmFunction function = {.name = row->name, .name_len = (u32)strnlen(row->name, SVM_MAX_NAME)};

		function.nargs = (u32)row->values[SVM_NARGS];
		function.nlocals = (u32)row->values[SVM_NLOCALS];
		function.address = (u32)row->values[SVM_ADDRESS];
		status = add_function(out, &function);
	}
	out->start = (u32)(out->function_count && !program->has_entry ? out->functions[0].address : program->entry);
	return status ? status : finish(out, program->sources[0].name, diags);
}

Status svm_write(const AsmProgram *program, Buf *out, DiagList *diags)
{
	SvmProgram own = {0};
	Status status;

	arena_init(&own.arena);
	status = collect(program, &own, diags);
	if (!status) {
		buf_add(out, MAGIC, MAGIC_LEN);
		buf_u32(out, VERSION);
		buf_u32(out, own.globals);
		buf_u32(out, own.start);
		buf_u32(out, own.function_count);
		buf_u32(out, own.word_count);
		for (u32 i = 0; i < own.function_count; i++) {
			const SvmFunction *function = &own.functions[i];

			buf_u32(out, function->nargs);
			buf_u32(out, function->nlocals);
			buf_u32(out, function->address);
			buf_byte(out, (u8)function->name_len);
			buf_add(out, function->name, function->name_len);
		}
		for (u32 i = 0; i < own.word_count; i++)
			buf_u32(out, own.words[i]);
		status = out->failed ? STATUS_NOMEM : STATUS_OK;
	}
	arena_fini(&own.arena);
	return status;
}
