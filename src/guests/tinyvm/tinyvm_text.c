/* SPDX-License-Identifier: MIT
 *
 * Source text. A line is an instruction: a word, then operands, apart by blanks; what follows them is ignored. Lines
 * that are empty or begin with '/' count for nothing. From stage 06 on `function NAME` begins a function; text before
 * the first one belongs to none.
 *
 * What a stage does not know is no error in this language: an unknown word is PRINT without a name, a missing operand
 * is empty, a number ends where its digits end. All of that is kept, with a warning, because nobody means it.
 */
#include "guests/tinyvm/tinyvm.h"

#include <string.h>

#include "base/nearest.h"

typedef enum Form { FORM_NONE, FORM_NAME, FORM_NAME_NUMBER, FORM_THREE_NAMES, FORM_NUMBER } Form;

typedef struct Word {
	const char *text;
	u32 op;
	u8 from; /* the stage that brought it */
	u8 to;   /* in later ones it does nothing; 0 = it is in all */
	Form form;
	bool pooled; /* the name goes into the function's pool as well */
} Word;

static const Word words[] = {
	{ "set", TVM_LOAD_CONST, 1, 0, FORM_NAME_NUMBER, true },
	{ "add", TVM_ADD, 1, 0, FORM_THREE_NAMES, true },
	{ "print", TVM_PRINT, 1, 0, FORM_NAME, true },
	{ "sleep", TVM_SLEEP, 1, 0, FORM_NUMBER, false },
	{ "thread", TVM_THREAD, 2, 6, FORM_NUMBER, false },
	{ "exit", TVM_RETURN, 2, 0, FORM_NONE, false },
	{ "setshared", TVM_SETSHARED, 3, 0, FORM_NAME_NUMBER, false },
	{ "lock", TVM_MONITOR_ENTER, 4, 0, FORM_NAME, false },
	{ "unlock", TVM_MONITOR_EXIT, 4, 0, FORM_NAME, false },
	{ "function", TVM_NOP, 6, 0, FORM_NONE, false },
	{ "sync", TVM_INVOKE_SYNC, 6, 0, FORM_NAME, false },
	{ "async", TVM_INVOKE_ASYNC, 6, 0, FORM_NAME, false },
	{ "print_stack_trace", TVM_PRINT_STACK_TRACE, 9, 0, FORM_NONE, false },
};

enum { WORD_COUNT = sizeof words / sizeof words[0], OPERANDS = 3 };

typedef struct Parser {
	Source source;
	TvmProgram *program;
	DiagList *diags; /* or NULL */
	TvmFunction *function;
	bool failed, before_first; /* before_first: text there was reported */
} Parser;

/* One line, cut into words. */
typedef struct Line {
	size_t at, len; /* in the source */
	struct { size_t at, len; } words[1 + OPERANDS];
	unsigned count;
	u32 number;
} Line;

#define REPORT(parser, level, at, len, hint, ...) \
	do { \
		if ((parser)->diags) \
			diag_report((parser)->diags, level, &(parser)->source, at, len, hint, __VA_ARGS__); \
	} while (0)

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void cut(const Parser *p, Line *line)
{
	const char *text = p->source.text;
	size_t at = line->at, end = line->at + line->len;

	for (line->count = 0; line->count < 1 + OPERANDS; line->count++) {
		size_t from;

		while (at < end && is_blank(text[at]))
			at++;
		for (from = at; at < end && !is_blank(text[at]);)
			at++;
		if (at == from)
			return;
		line->words[line->count].at = from;
		line->words[line->count].len = at - from;
	}
}

/* The characters of a word that count; "" when the line has fewer words. */
static const char *word(Parser *p, const Line *line, unsigned index)
{
	size_t len = index < line->count ? line->words[index].len : 0;
	const char *copy;

	if (len > TVM_WORD) {
		REPORT(p, DIAG_WARNING, line->words[index].at, len, NULL,
		       "only the first %d characters of a word count", TVM_WORD);
		len = TVM_WORD;
	}
	copy = arena_strndup(&p->program->arena, len ? p->source.text + line->words[index].at : "", len);
	if (!copy)
		p->failed = true;
	return copy ? copy : "";
}

/* Digits behind a sign, perhaps; what follows is ignored. Beyond 64 bits it stays at the end of their range, and the
 * low 32 bits are the value: the rules of C's atoi where `long` has 64 bits. */
static i32 number(Parser *p, const Line *line, unsigned index)
{
	const char *text = word(p, line, index);
	const char *at = text;
	const bool negative = *at == '-';
	u64 value = 0;
	const u64 most = negative ? (u64)1 << 63 : ((u64)1 << 63) - 1;
	const char *digits;

	if (*at == '-' || *at == '+')
		at++;
	for (digits = at; *at >= '0' && *at <= '9'; at++) {
		const unsigned digit = (unsigned)(*at - '0');

		value = value > (most - digit) / 10 ? most : value * 10 + digit;
	}
	if (negative)
		value = 0 - value;
	if (index < line->count && (*at || at == digits))
		REPORT(p, DIAG_WARNING, line->words[index].at, line->words[index].len, NULL,
		       "'%s' is no number: read as %d", text, (i32)(u32)value);
	else if (index < line->count && (i64)value != (i32)(u32)value)
		REPORT(p, DIAG_WARNING, line->words[index].at, line->words[index].len, NULL,
		       "%s needs more than 32 bits: read as %d", text, (i32)(u32)value);
	return (i32)(u32)value;
}

static const Word *find_word(const TvmProgram *program, const char *text)
{
	for (unsigned i = 0; i < WORD_COUNT; i++)
		if (words[i].from <= program->stage && strcmp(words[i].text, text) == 0)
			return &words[i];
	return NULL;
}

static void report_unknown(Parser *p, const Line *line, const char *text)
{
	Nearest nearest = nearest_to(text, strlen(text));
	Buf hint;

	if (!p->diags)
		return;
	buf_init(&hint);
	for (unsigned i = 0; i < WORD_COUNT; i++) {
		if (strcmp(words[i].text, text) == 0)
			buf_printf(&hint, "'%s' comes with stage %02u: --set stage=s%02u", text, words[i].from, words[i].from);
		else if (words[i].from <= p->program->stage)
			nearest_consider(&nearest, words[i].text);
	}
	if (!hint.len && nearest.name)
		buf_printf(&hint, "did you mean '%s'?", nearest.name);
	REPORT(p, DIAG_WARNING, line->words[0].at, line->words[0].len, hint.len ? buf_text(&hint) : NULL,
	       "unknown instruction '%s': it prints a variable without a name", text);
	buf_fini(&hint);
}

static unsigned operand_count(Form form)
{
	return form == FORM_NONE ? 0 : form == FORM_THREE_NAMES ? 3 : form == FORM_NAME_NUMBER ? 2 : 1;
}

/* ---- Instructions ---- */

static void pool(Parser *p, const char *text, u16 *index)
{
	if (!tvm_add_pool(p->program, p->function, text, index))
		p->failed = true;
}

static void instruction(Parser *p, const Line *line)
{
	static const Word unknown = { "", TVM_PRINT, 1, 0, FORM_NONE, true };
	TvmInsn *insn = tvm_add_insn(p->program, p->function);
	const char *text = word(p, line, 0);
	const Word *known = find_word(p->program, text);

	if (!insn) {
		p->failed = true;
		return;
	}
	if (!known) {
		report_unknown(p, line, text);
		insn->strange = true;
		known = &unknown;
	} else if (line->count < 1 + operand_count(known->form)) {
		REPORT(p, DIAG_WARNING, line->at, line->len, NULL, "%s takes %u operand%s", text,
		       operand_count(known->form), operand_count(known->form) == 1 ? "" : "s");
	}
	insn->op = known->op;
	insn->line = line->number;
	insn->at = line->at;
	insn->text = arena_strndup(&p->program->arena, p->source.text + line->at, line->len);
	if (known->to && p->program->stage > known->to) {
		REPORT(p, DIAG_WARNING, line->words[0].at, line->words[0].len, "start a function with 'async'",
		       "'%s' does nothing from stage 07 on", text);
		insn->op = TVM_NOP;
		return;
	}
	switch (known->form) {
	case FORM_NUMBER:
		insn->constant = number(p, line, 1);
		break;
	case FORM_THREE_NAMES:
		pool(p, word(p, line, 1), &insn->x);
		pool(p, word(p, line, 2), &insn->y);
		pool(p, word(p, line, 3), &insn->z);
		break;
	case FORM_NAME:
	case FORM_NAME_NUMBER:
		insn->name = word(p, line, 1);
		if (known->form == FORM_NAME_NUMBER)
			insn->constant = number(p, line, 2);
		break;
	case FORM_NONE:
		if (known == &unknown)
			insn->name = "";
		break;
	}
	if (known->pooled && insn->name)
		pool(p, insn->name, &insn->x);
}

/* ---- Functions ---- */

static void begin_function(Parser *p, const Line *line)
{
	const u32 limit = p->program->stage == 6 ? TVM_FUNCTIONS_06 : TVM_FUNCTIONS;
	TvmFunction *function;

	if (line->count < 2) {
		REPORT(p, DIAG_ERROR, line->at, line->len, NULL, "this function has no name");
		p->failed = true;
		return;
	}
	if (p->program->count >= limit && p->program->stage > 6) {
		REPORT(p, DIAG_ERROR, line->at, line->len, NULL, "more than %u functions", limit);
		p->failed = true;
		return;
	}
	if (p->program->count >= limit) {
		REPORT(p, DIAG_WARNING, line->at, line->len, NULL,
		       "stage 06 has room for %u functions: this one will not be found", limit);
		p->program->refused++;
		p->function = NULL;
		return;
	}
	function = tvm_add_function(p->program, word(p, line, 1));
	p->function = function;
	if (!function) {
		p->failed = true;
		return;
	}
	for (u32 i = 0; i + 1 < p->program->count; i++)
		if (strcmp(p->program->functions[i].name, function->name) == 0)
			REPORT(p, DIAG_WARNING, line->words[1].at, line->words[1].len, NULL,
			       "there is a function '%s' already: this one is never called", function->name);
	if (p->program->stage == 6) /* its lines are counted from this one */
		instruction(p, line);
}

static bool begins_function(const Parser *p, const Line *line)
{
	static const char word_and_blank[] = "function ";

	return p->program->stage >= 6 && line->len >= sizeof word_and_blank - 1 &&
	       memcmp(p->source.text + line->at, word_and_blank, sizeof word_and_blank - 1) == 0;
}

static void take_line(Parser *p, const Line *line)
{
	const u32 most = p->program->stage < 6 ? TVM_PROGRAM_LINES : TVM_FUNCTION_LINES;

	p->program->lines++;
	if (begins_function(p, line)) {
		begin_function(p, line);
	} else if (p->function && p->function->count >= most) {
		REPORT(p, DIAG_ERROR, line->at, line->len, NULL, "more than %u lines in one %s", most,
		       p->program->stage < 6 ? "program" : "function");
		p->failed = true;
	} else if (p->function) {
		instruction(p, line);
	} else if (!p->program->count && !p->before_first) {
		p->before_first = true;
		REPORT(p, DIAG_WARNING, line->at, line->len,
		       "begin with 'function main', or choose an earlier stage: --set stage=s05",
		       "this stands before the first function: it is never run");
	}
}

/* A called function that is nowhere is found out when it is called; better to hear of it now. */
static void check_call(Parser *p, const TvmInsn *insn)
{
	u32 native;

	if (insn->op != TVM_INVOKE_SYNC && insn->op != TVM_INVOKE_ASYNC)
		return;
	if (insn->op == TVM_INVOKE_SYNC && p->program->natives && tvm_native_variable(insn->name, &native))
		return;
	for (u32 i = 0; i < p->program->count; i++)
		if (strcmp(p->program->functions[i].name, insn->name) == 0)
			return;
	REPORT(p, DIAG_WARNING, insn->at, strlen(insn->text), NULL, "there is no function '%s'", insn->name);
}

Status tvm_parse(const GuestFile *source, TvmProgram *program, DiagList *diags)
{
	Parser p = { .source = { source->name, (const char *)source->data, source->len }, .program = program,
		     .diags = diags };
	Line line = { .number = 1 };

	program->from_text = true;
	if (program->stage < 6 && !(p.function = tvm_add_function(program, "")))
		return STATUS_NOMEM;
	for (size_t at = 0; at < source->len && !p.failed; line.number++) {
		const u8 *end = memchr(source->data + at, '\n', source->len - at);

		line.at = at;
		line.len = end ? (size_t)(end - source->data) - at : source->len - at;
		at += line.len + 1;
		if (line.len && source->data[line.at + line.len - 1] == '\r')
			line.len--;
		cut(&p, &line);
		if (!line.count || source->data[line.at] == '/')
			continue;
		if (line.len > TVM_LINE) {
			REPORT(&p, DIAG_ERROR, line.at, line.len, NULL, "more than %d characters in one line", TVM_LINE);
			return STATUS_FORMAT;
		}
		take_line(&p, &line);
	}
	if (p.failed || program->arena.failed)
		return program->arena.failed ? STATUS_NOMEM : STATUS_FORMAT;
	for (u32 f = 0; f < program->count; f++)
		for (u32 i = 0; i < program->functions[f].count; i++)
			check_call(&p, &program->functions[f].insns[i]);
	return STATUS_OK;
}
