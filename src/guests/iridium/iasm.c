/* SPDX-License-Identifier: MIT
 *
 * The grammar of assembly text, and what the original's assembler would refuse: the messages begin with the words
 * of its error type. Whether an instruction takes these operands is Husk's assembler's business.
 */
#include "guests/iridium/iasm.h"

#include <stdio.h>
#include <string.h>

#include "base/strmap.h"
#include "guests/iridium/iridium.h"

enum { HUGE_NUMBER_BITS = 40 };

/* ---- Characters ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char char_at(const IasmReader *reader, size_t at)
{
	return at < reader->source->len ? reader->source->text[at] : '\0';
}

bool iasm_is(const Source *source, IasmPart part, const char *word, bool fold)
{
	const size_t len = strlen(word);

	return fold ? ascii_equal_fold(source->text + part.at, part.len, word, len)
		    : part.len == len && !memcmp(source->text + part.at, word, len);
}

static size_t skip_blanks(const IasmReader *reader, size_t at)
{
	while (at < reader->source->len && is_blank(reader->source->text[at]))
		at++;
	return at;
}

/* Blanks and, unless the original would not see them here, comments. */
static size_t skip(const IasmReader *reader, size_t at)
{
	at = skip_blanks(reader, at);
	while (!reader->as_built && char_at(reader, at) == ';') {
		while (at < reader->source->len && reader->source->text[at] != '\n')
			at++;
		at = skip_blanks(reader, at);
	}
	return at;
}

/* One comment where the original looks for one: it must end with a line end. */
static size_t skip_comment_as_built(const IasmReader *reader, size_t at)
{
	const size_t start = skip_blanks(reader, at);
	const char *end;

	if (!reader->as_built || char_at(reader, start) != ';')
		return at;
	end = memchr(reader->source->text + start, '\n', reader->source->len - start);
	return end ? skip_blanks(reader, (size_t)(end - reader->source->text)) : at;
}

static IasmPart read_run(const IasmReader *reader, size_t at, bool letters, bool digits)
{
	IasmPart run = {at, 0};

	while ((letters && is_letter(char_at(reader, at + run.len))) || (digits && is_digit(char_at(reader, at + run.len))))
		run.len++;
	return run;
}

static IasmResult bad(IasmReader *reader, size_t at, size_t len, const char *why)
{
	const size_t left = reader->source->len - at;

	reader->trouble = why;
	reader->where = (IasmPart){at, len > left ? left : len};
	return IASM_BAD;
}

/* ---- Parts of a statement ---- */

static i64 number_of(const IasmReader *reader, IasmPart digits)
{
	i64 value = 0;

	for (size_t i = 0; i < digits.len && value < (i64)1 << HUGE_NUMBER_BITS; i++)
		value = value * 10 + (reader->source->text[digits.at + i] - '0');
	return value < (i64)1 << HUGE_NUMBER_BITS ? value : (i64)1 << HUGE_NUMBER_BITS;
}

/* Does an operand begin at `at`? Then it is read, and *next is behind it. */
static bool read_operand(const IasmReader *reader, size_t at, IasmOperand *out, size_t *next)
{
	const char first = char_at(reader, at);
	size_t inner = skip_blanks(reader, at + 1);
	bool negative = false;
	const char *close;
	IasmPart run;

	*out = (IasmOperand){0};
	if (first == '\'') {
		close = memchr(reader->source->text + at + 1, '\'', reader->source->len - at - 1);
		if (!close)
			return false;
		out->kind = IASM_STRING;
		out->name = (IasmPart){at + 1, (size_t)(close - reader->source->text) - at - 1};
		*next = at + out->name.len + 2;
	} else if (first == '#' || first == '$' || first == '@') {
		if (first == '#' && char_at(reader, inner) == '-') {
			negative = true;
			inner = skip_blanks(reader, inner + 1);
		}
		run = read_run(reader, inner, first == '@', true);
		if (!run.len)
			return false;
		out->kind = first == '#' ? IASM_NUMBER : first == '$' ? IASM_REGISTER : IASM_LABEL;
		out->name = run;
		if (first != '@')
			out->value = negative ? -number_of(reader, run) : number_of(reader, run);
		*next = run.at + run.len;
	} else {
		return false;
	}
	out->whole = (IasmPart){at, *next - at};
	return true;
}

/* `name :`; *next behind it and the blanks that follow. */
static IasmPart read_label(const IasmReader *reader, size_t at, size_t *next)
{
	IasmPart name = read_run(reader, skip(reader, at), true, true);
	const size_t colon = skip_blanks(reader, name.at + name.len);

	*next = at;
	if (!name.len || char_at(reader, colon) != ':')
		return (IasmPart){at, 0};
	*next = skip(reader, colon + 1);
	return name;
}

static void read_operands(IasmReader *reader, IasmStatement *out)
{
	while (out->count < COUNT_OF(out->operands)) {
		const size_t at = skip(reader, reader->at);
		size_t next;

		if (!read_operand(reader, at, &out->operands[out->count], &next))
			return;
		/* As built, a string must touch what stands before it; behind a directive blanks are passed anyway. */
		if (reader->as_built && !out->is_directive && at != reader->at && out->operands[out->count].kind == IASM_STRING)
			return;
		reader->at = out->operands[out->count++].kind != IASM_STRING || out->is_directive ? skip(reader, next) : next;
	}
}

/* ---- Statements ---- */

static IasmResult next_as_built(IasmReader *reader, IasmStatement *out)
{
	const size_t start = reader->at;
	size_t next;

	/* An instruction? */
	out->label = read_label(reader, skip_comment_as_built(reader, start), &next);
	out->name = read_run(reader, next, true, false);
	if (out->name.len) {
		reader->at = next + out->name.len;
		read_operands(reader, out);
		reader->at = skip_comment_as_built(reader, reader->at);
		return IASM_STATEMENT;
	}
	/* A directive? */
	next = skip_blanks(reader, start);
	out->label = read_label(reader, next, &next);
	next = skip_blanks(reader, next);
	out->name = read_run(reader, next + 1, true, false);
	if (char_at(reader, next) == '.' && out->name.len) {
		out->is_directive = true;
		reader->at = skip_blanks(reader, next + 1 + out->name.len);
		read_operands(reader, out);
		return IASM_STATEMENT;
	}
	next = skip_blanks(reader, start);
	if (next == reader->source->len)
		return IASM_END;
	return bad(reader, next, 1, "the original's assembler understands nothing from here on");
}

static IasmResult next_as_designed(IasmReader *reader, IasmStatement *out)
{
	size_t at = skip(reader, reader->at), next;
	char c;

	if (at == reader->source->len)
		return IASM_END;
	out->label = read_label(reader, at, &next);
	at = skip(reader, next);
	c = char_at(reader, at);
	out->is_directive = c == '.';
	out->name = read_run(reader, at + out->is_directive, true, !out->is_directive);
	reader->at = out->name.at + out->name.len;
	if (out->name.len && char_at(reader, reader->at) == '_')
		return bad(reader, out->name.at, out->name.len + 1, "names are letters and digits, without '_'");
	if (out->is_directive && !out->name.len)
		return bad(reader, at, 2, "a directive is a dot and letters");
	if (c == 'x' && at > 1 && !memcmp(reader->source->text + at - 2, "#0", 2))
		return bad(reader, at - 2, 2 + out->name.len, "numbers are decimal: #255");
	if (out->name.len && (out->is_directive || is_letter(c))) {
		read_operands(reader, out);
		return IASM_STATEMENT;
	}
	switch (c) {
	case '\0':
		if (at == reader->source->len)
			return bad(reader, out->label.at, out->label.len, "a label names an instruction or data: none follows");
		return bad(reader, at, 1, "this is no text");
	case ',': return bad(reader, at, 1, "operands are separated by blanks, not by commas");
	case '\'': return bad(reader, at, 1, "this string has no end: strings stand between ' and '");
	case '#': return bad(reader, at, 2, "a number is # and decimal digits: #10, #-5");
	case '$': return bad(reader, at, 2, "a register is $ and its number: $0 to $31");
	case '@': return bad(reader, at, 2, "a label is used as @ and its name");
	case '"': return bad(reader, at, 1, "strings stand between ' and '");
	case '/': return bad(reader, at, 1, "comments begin with ;");
	default:
		return bad(reader, at, 1, is_digit(c) || c == '-' ? "a number is written #5 or #-5"
				: "an instruction, a directive or a label is expected");
	}
}

IasmResult iasm_next(IasmReader *reader, IasmStatement *out)
{
	*out = (IasmStatement){0};
	return reader->as_built ? next_as_built(reader, out) : next_as_designed(reader, out);
}

/* ---- What the original would refuse ---- */

typedef struct Check {
	const Source *source;
	DiagList *diags;
	StrMap symbols; /* name -> where it is declared, plus 1 */
	u32 data, code; /* headers seen */
	bool wants_label; /* the statement before has no operand, but needs a label */
} Check;

__attribute__((format(printf, 4, 5)))
static void refuse(Check *check, IasmPart part, const char *hint, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	diag_report(check->diags, DIAG_ERROR, check->source, part.at, part.len, hint, "%s", text);
}

static void check_label(Check *check, const IasmStatement *statement)
{
	const IasmPart label = statement->label;
	const char *name = check->source->text + label.at;
	const u32 before = strmap_get(&check->symbols, name, label.len, 0);
	u32 line, column;
	char hint[64];

	if (!before) {
		strmap_put(&check->symbols, name, label.len, (u32)label.at + 1);
		return;
	}
	source_position(check->source, before - 1, &line, &column);
	snprintf(hint, sizeof(hint), "it is in line %u already", line);
	refuse(check, label, hint, "SymbolAlreadyDeclared: '%.*s' is declared twice",
	       (int)(label.len > 60 ? 60 : label.len), name);
}

static void check_header(Check *check, const IasmStatement *statement)
{
	const bool data = iasm_is(check->source, statement->name, "data", true);
	const bool code = iasm_is(check->source, statement->name, "code", true);

	if (!data && !code)
		refuse(check, statement->name, "the headers are .data and .code; .asciiz 'text' and .integer #5 are data",
		       "UnknownSection: Found an section header that is unknown: \"%.*s\"",
		       (int)(statement->name.len > 60 ? 60 : statement->name.len), check->source->text + statement->name.at);
	else if ((data && check->data) || (code && check->code))
		refuse(check, statement->name, "a program has .data once and .code once",
		       "InsufficientSections: this is the second .%s", data ? "data" : "code");
	check->data += data;
	check->code += code;
}

static void check_directive(Check *check, const IasmStatement *statement)
{
	const bool text = iasm_is(check->source, statement->name, "asciiz", true);
	const bool number = iasm_is(check->source, statement->name, "integer", true);

	if (!text && !number && statement->count)
		refuse(check, statement->name, "there are .asciiz 'text' and .integer #5",
		       "UnknownDirectiveFound: '.%.*s'", (int)(statement->name.len > 60 ? 60 : statement->name.len),
		       check->source->text + statement->name.at);
	else if (!text && !number)
		check_header(check, statement);
	else if (!statement->label.len)
		refuse(check, statement->name, text ? "write: name: .asciiz 'text'" : "write: name: .integer #5",
		       "StringConstantDeclaredWithoutLabel: nothing could use this");
}

static void check_operands(Check *check, const IasmStatement *statement)
{
	for (u32 i = 0; i < statement->count; i++) {
		const IasmOperand *operand = &statement->operands[i];

		if (operand->kind == IASM_NUMBER && (operand->value > INT32_MAX || operand->value < INT32_MIN))
			refuse(check, operand->whole, "registers hold -2147483648 to 2147483647",
			       "ParseError: this number does not fit 32 bits");
		if (operand->kind == IASM_REGISTER && operand->value > 31)
			refuse(check, operand->whole, "there are 32: $0 to $31", "ParseError: there is no register %lld",
			       (long long)operand->value);
	}
}

static bool is_one_of(const Check *check, IasmPart name, const char *const *words)
{
	for (; *words; words++)
		if (iasm_is(check->source, name, *words, true))
			return true;
	return false;
}

/* What somebody writes who comes from another assembler: said here, since the general assembler can't know. */
static void check_habits(Check *check, const IasmStatement *statement)
{
	static const char *const by_register[] = {"jmp", "jmpe", "jmpf", "jmpb", NULL};
	static const char *const by_label[] = {"djmpe", "loop", "call", "prts", NULL};
	const char *text = check->source->text;
	const IasmPart name = statement->name;
	const IasmOperand *first = &statement->operands[0];
	const int len = (int)(name.len > 40 ? 40 : name.len);
	char hint[160];
	size_t digits = 1;

	while (digits < name.len && is_digit(text[name.at + digits]))
		digits++;
	if (name.len > 1 && digits == name.len && (text[name.at] == 'r' || text[name.at] == 'R')) {
		refuse(check, name, "registers are written $0 to $31", "'%.*s' is no register", len, text + name.at);
	} else if (check->wants_label && !statement->label.len && !statement->count && name.len) {
		snprintf(hint, sizeof(hint), "a label is used as @%.*s", len, text + name.at);
		refuse(check, name, hint, "'%.*s' is no label", len, text + name.at);
	} else if (statement->count && first->kind == IASM_LABEL && is_one_of(check, name, by_register)) {
		const int label = (int)(first->name.len > 40 ? 40 : first->name.len);

		snprintf(hint, sizeof(hint), "LOAD $1 @%.*s puts it there; DJMPE @%.*s jumps by itself after a comparison",
			 label, text + first->name.at, label, text + first->name.at);
		refuse(check, first->whole, hint, "%.*s takes a register that holds the address", len, text + name.at);
	}
	for (u32 i = 0; i < statement->count; i++)
		if (statement->operands[i].kind == IASM_STRING)
			refuse(check, statement->operands[i].whole, "name: .asciiz 'text' in .data, then PRTS @name",
			       "no instruction takes a string");
	check->wants_label = !statement->count && is_one_of(check, name, by_label);
}

static void check_statement(Check *check, const IasmStatement *statement)
{
	if ((statement->label.len || !statement->is_directive) && !check->data && !check->code)
		refuse(check, statement->label.len ? statement->label : statement->name, "write .data or .code first",
		       "NoSegmentDeclarationFound: this stands outside of .data and .code");
	if (statement->label.len)
		check_label(check, statement);
	if (statement->is_directive)
		check_directive(check, statement);
	else
		check_habits(check, statement);
	check_operands(check, statement);
}

void iasm_check(const Source *source, DiagList *diags)
{
	IasmReader reader = {.source = source};
	Check check = {.source = source, .diags = diags};
	const u32 errors = diags->errors;
	IasmStatement statement;
	IasmPart first = {0, 0};
	IasmResult result;

	strmap_init(&check.symbols, false);
	while ((result = iasm_next(&reader, &statement)) == IASM_STATEMENT) {
		if (!first.len)
			first = statement.label.len ? statement.label : statement.name;
		check_statement(&check, &statement);
	}
	if (result == IASM_BAD)
		refuse(&check, reader.where, NULL, "%s: %s",
		       char_at(&reader, reader.where.at) == '.' ? "InvalidDirectiveName" : "ParseError", reader.trouble);
	else if (diags->errors == errors && !(check.data && check.code))
		refuse(&check, first, "a program has both .data and .code, once each, in either order",
		       "InsufficientSections: %s is missing",
		       check.data ? ".code" : check.code ? ".data" : ".data and .code");
	strmap_fini(&check.symbols);
}
