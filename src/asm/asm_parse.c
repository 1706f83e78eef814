/* SPDX-License-Identifier: MIT
 *
 * Lines to statements: labels, then a mnemonic or a directive, then its operands. What a line may look like is the
 * dialect's: labels bare, with a colon, or both; statements anywhere or only between `org` and `end`.
 *
 * A mistake costs its own line only: the labels of the line are still defined, so one error does not make ten.
 */
#include "asm/asm_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct Line { /* the statement being read */
	Assembler *as;
	AsmSpan span;     /* all tokens of the line */
	u32 at;
	u32 line;
	const u32 *lines; /* of each token, when they are not all in `line` */
	u32 label;        /* last label defined on it, or ASM_NO_INDEX */
} Line;

static const AsmToken *peek(const Line *l)
{
	return &l->span.tokens[l->at];
}

static const char *text_of(const Line *l, const AsmToken *token)
{
	return asm_token_text(l->as, &l->span, token);
}

static u32 line_of(const Line *l, const AsmToken *token)
{
	return l->lines ? l->lines[token - l->span.tokens] : l->line;
}

static bool is_colon(const AsmToken *token)
{
	return token->kind == TOKEN_PUNCT && token->value == ':';
}

static u32 directive_at(const Line *l, const AsmToken *token)
{
	if (token->kind != TOKEN_NAME && token->kind != TOKEN_PUNCT)
		return ASM_NO_INDEX;
	return strmap_get(&l->as->directives, text_of(l, token), token->len, ASM_NO_INDEX);
}

static bool mnemonic_at(const Line *l, const AsmToken *token)
{
	return token->kind == TOKEN_NAME && asm_is_mnemonic(l->as, text_of(l, token), token->len);
}

static const char *directive_name(const Assembler *as, IsaAction action)
{
	for (u32 i = 0; i < as->dialect->directive_count; i++)
		if (as->dialect->directives[i].action == action)
			return as->dialect->directives[i].name;
	return action == ISA_ACT_ORG ? "org" : "end";
}

/* ---- Symbols ---- */

/* Defines a symbol at the next statement; its index or ASM_NO_INDEX after an error. A constant may take the place of
 * one that is there where the directive says so. */
static u32 define(Line *l, const AsmToken *token, u16 space, bool redefine)
{
	Assembler *as = l->as;
	const char *name = text_of(l, token);
	u32 old = asm_symbol_find(as, name, token->len), index = as->symbol_count;
	AsmSym *symbol;

	if (asm_is_register(as, name, token->len)) {
		asm_error(as, &l->span, token, NULL, "%s is a register, so it can't be a label",
			  asm_quote(as, &l->span, token));
		return ASM_NO_INDEX;
	}
	if (old != ASM_NO_INDEX && redefine && as->symbols[old].space == ISA_NONE) {
		as->symbols[old].replaced = true;
	} else if (old != ASM_NO_INDEX) {
		const char *hint = arena_printf(&as->scratch, "it is defined in line %u", as->symbols[old].line);

		if (!as->options->liberal) {
			asm_error(as, &l->span, token, hint, "label %s is defined a second time",
				  asm_quote(as, &l->span, token));
			return ASM_NO_INDEX;
		}
		asm_report_at(as, DIAG_WARNING, l->span.source, token->offset, token->len, hint,
			      "label %s is defined a second time; this one counts", asm_quote(as, &l->span, token));
		as->symbols[old].replaced = true;
	}
	if (!arena_grow(&as->scratch, (void **)&as->symbols, &as->symbol_cap, as->symbol_count, sizeof(AsmSym))) {
		as->failed_memory = true;
		return ASM_NO_INDEX;
	}
	symbol = &as->symbols[index];
	*symbol = (AsmSym){.name = arena_strndup(&as->program->arena, name, token->len), .len = token->len,
			   .source = l->span.source, .offset = token->offset, .line = line_of(l, token),
			   .stmt = as->stmt_count, .space = space, .table = ISA_NONE, .row_space = ISA_NONE};
	if (!symbol->name || !strmap_put(&as->symbol_map, symbol->name, symbol->len, index)) {
		as->failed_memory = true;
		return ASM_NO_INDEX;
	}
	as->symbol_count++;
	return index;
}

/* `1:` */
static u32 define_local(Line *l, const AsmToken *token)
{
	Assembler *as = l->as;
	u32 len = 0, index = as->symbol_count;
	const char *name;

	if (token->value < 0 || token->value >= ASM_LOCALS) {
		asm_error(as, &l->span, token, NULL, "labels that are numbers are 0 to %d", ASM_LOCALS - 1);
		return ASM_NO_INDEX;
	}
	name = asm_local_define(as, (u32)token->value, &len);
	if (!name || !arena_grow(&as->scratch, (void **)&as->symbols, &as->symbol_cap, as->symbol_count, sizeof(AsmSym)) ||
	    !strmap_put(&as->symbol_map, name, len, index)) {
		as->failed_memory = true;
		return ASM_NO_INDEX;
	}
	as->symbols[as->symbol_count++] = (AsmSym){.name = name, .len = len, .source = l->span.source, .offset = token->offset,
		.line = line_of(l, token), .stmt = as->stmt_count, .space = as->isa->code_space, .table = ISA_NONE,
		.row_space = ISA_NONE, .used = true, .local = true};
	return index;
}

/* ---- Where statements may stand ---- */

static bool placed(Line *l, const AsmToken *token)
{
	Assembler *as = l->as;
	const char *org;

	if (as->single || as->dialect->segments == ISA_SEGMENTS_OPEN || as->in_segment)
		return true;
	if (as->told_outside) {
		as->diags->errors += as->diags->count >= DIAG_MAX;
		return false;
	}
	as->told_outside = true;
	org = directive_name(as, ISA_ACT_ORG);
	if (as->seen_org)
		asm_error(as, &l->span, token, arena_printf(&as->scratch, "start another segment with %s", org),
			  "this stands behind %s, in no segment", directive_name(as, ISA_ACT_END));
	else
		asm_error(as, &l->span, token, arena_printf(&as->scratch, "%s says where the program begins", org),
			  "this stands before the first %s", org);
	return false;
}

/* A label in front of the directive that opens a segment stands in none: it names nothing, and that is no error. */
static bool label_of_segment(Line *l, const AsmToken *token)
{
	const Assembler *as = l->as;
	u32 index = directive_at(l, token + 1);

	if (as->single || as->dialect->segments == ISA_SEGMENTS_OPEN || as->in_segment || index == ASM_NO_INDEX ||
	    as->dialect->directives[index].action != ISA_ACT_ORG)
		return false;
	asm_report_at(l->as, DIAG_WARNING, l->span.source, token->offset, token->len,
		      "put it on the line behind", "a label in front of %s names nothing",
		      as->dialect->directives[index].name);
	l->at++;
	return true;
}

static bool open_segment(Line *l, const AsmToken *token)
{
	Assembler *as = l->as;

	if (as->single || as->dialect->segments == ISA_SEGMENTS_OPEN)
		return true;
	if (as->in_segment) {
		asm_error(as, &l->span, token,
			  arena_printf(&as->scratch, "close the segment above with %s", directive_name(as, ISA_ACT_END)),
			  "%s stands inside a segment", asm_quote(as, &l->span, token));
		return false;
	}
	as->in_segment = true;
	as->seen_org = true;
	as->told_outside = false;
	as->org_source = l->span.source;
	as->org_offset = token->offset;
	as->org_len = token->len;
	return true;
}

void asm_parse_end(Assembler *as)
{
	const char *org = directive_name(as, ISA_ACT_ORG), *end = directive_name(as, ISA_ACT_END);
	DiagLevel level = as->options->liberal ? DIAG_WARNING : DIAG_ERROR;

	if (as->single || as->dialect->segments == ISA_SEGMENTS_OPEN)
		return;
	if (as->in_segment)
		asm_report_at(as, level, as->org_source, as->org_offset, as->org_len,
			      arena_printf(&as->scratch, "put %s behind the last statement", end),
			      "this segment has no %s", end);
	else if (!as->seen_org && !as->told_outside)
		diag_report_file(as->diags, DIAG_ERROR, as->program->sources[0].name,
				 arena_printf(&as->scratch, "a program stands between %s and %s", org, end),
				 "there is no %s in this file", org);
}

/* ---- Statements ---- */

static AsmStmt *add_stmt(Line *l, u8 kind)
{
	const AsmToken *head = &l->span.tokens[l->at ? l->at - 1 : 0]; /* a number alone is its own head */
	Assembler *as = l->as;
	u32 count = l->span.count - l->at;
	AsmToken *tokens;
	AsmStmt *stmt;

	tokens = arena_alloc(&as->scratch, (count + 1) * sizeof(AsmToken));
	if (!tokens || !arena_grow(&as->scratch, (void **)&as->stmts, &as->stmt_cap, as->stmt_count,
				   sizeof(AsmStmt))) {
		as->failed_memory = true;
		return NULL;
	}
	memcpy(tokens, l->span.tokens + l->at, (count + 1) * sizeof(AsmToken));
	asm_local_refer(as, &l->span, tokens, count);
	stmt = &as->stmts[as->stmt_count];
	*stmt = (AsmStmt){.kind = kind, .line = line_of(l, head), .span = l->span, .symbol = ASM_NO_INDEX,
			  .label = ASM_NO_INDEX};
	stmt->span.tokens = tokens;
	stmt->span.count = count;
	stmt->span.head = head->offset;
	stmt->span.head_len = head->len;
	return stmt;
}

/* The statement stays when it is well formed. When not, nobody shall complain that its name has no value. */
static void keep_directive(Assembler *as, AsmStmt *stmt)
{
	bool fine = asm_directive_check(as, stmt);

	as->stmt_count += fine;
	if (!fine && stmt->symbol != ASM_NO_INDEX)
		as->symbols[stmt->symbol].known = true;
}

/* An instruction of this name, whose operands begin here. */
static void instruction(Line *l, const char *name, size_t len)
{
	Assembler *as = l->as;
	AsmStmt *stmt = add_stmt(l, STMT_INSN);
	AsmCandidate *candidates;
	u32 count;

	if (!stmt)
		return;
	count = asm_match(as, &stmt->span, name, len, 0, &candidates);
	if (!count)
		return; /* said; the statement is not kept */
	stmt->candidates = candidates;
	stmt->candidate_count = (u8)count;
	as->stmt_count++;
}

/* `5`, as Forths have it: the operand of the instruction, or the item of the data directive, that the dialect says. */
static void number_alone(Line *l, const AsmToken *token)
{
	Assembler *as = l->as;
	const char *name = as->dialect->number_alone;
	u32 index = strmap_get(&as->directives, name, strlen(name), ASM_NO_INDEX);
	AsmStmt *stmt;

	if (!placed(l, token))
		return;
	if (index == ASM_NO_INDEX) {
		instruction(l, name, strlen(name));
		return;
	}
	stmt = add_stmt(l, STMT_DIRECTIVE);
	if (!stmt)
		return;
	stmt->directive = index;
	keep_directive(as, stmt);
}

static bool is_number_alone(const Line *l, const AsmToken *token)
{
	if (!l->as->dialect->number_alone)
		return false;
	return token->kind == TOKEN_NUMBER || token->kind == TOKEN_FLOAT || (token->kind == TOKEN_PUNCT && token->value == '-' &&
					       token[1].kind == TOKEN_NUMBER && !(token[1].flags & TOKEN_BLANK));
}

/* Was a file of this name, or under this name beside it the first, read before? */
static bool was_read(const Assembler *as, const char *name)
{
	const AsmProgram *program = as->program;
	const char *first = program->sources[0].name;
	size_t n = strlen(first), k = strlen(name);

	for (u32 i = 1; i < program->source_count; i++)
		if (!strcmp(program->sources[i].name, name))
			return true;
	return k <= n && !strcmp(first + n - k, name) && (k == n || (first[n - k - 1] == '/' && !strchr(name, '/')));
}

static void include(Line *l, bool once)
{
	Assembler *as = l->as;
	const AsmToken *token = peek(l);
	char *text, *name, raw[1024];
	u32 at = 0, n = 0;
	size_t len = 0;
	u8 c;

	if (token->kind != TOKEN_STRING && !(token->kind == TOKEN_NAME && as->dialect->bare_strings)) {
		asm_error(as, &l->span, token, NULL, "the name of the file is expected here, in %c", as->dialect->quote);
		return;
	}
	while (n + 1 < sizeof(raw) && asm_string_next(as, &l->span, token, &at, &c, true))
		raw[n++] = (char)c;
	raw[n] = 0;
	name = arena_strdup(&as->scratch, raw);
	if (!name || strlen(name) != n || n + 1 >= sizeof(raw)) {
		asm_error(as, &l->span, token, NULL, "this is no name of a file");
		return;
	}
	if (!as->options->read_file) {
		asm_error(as, &l->span, token, NULL, "files can't be included here");
		return;
	}
	if (once && was_read(as, name))
		return;
	if (as->include_depth >= ASM_MAX_INCLUDE) {
		asm_error(as, &l->span, token, "does the file include itself?", "includes are nested deeper than %d",
			  ASM_MAX_INCLUDE);
		as->halted = true;
		return;
	}
	text = as->options->read_file(as->options->ctx, name, &len);
	if (!text) {
		asm_error(as, &l->span, token, NULL, "the file '%s' can't be read", name);
		return;
	}
	as->include_depth++;
	asm_parse_source(as, name, text, len);
	as->include_depth--;
	free(text);
}

static void equ(Line *l, const AsmToken *name, u32 directive)
{
	Assembler *as = l->as;
	AsmStmt *stmt;
	u32 symbol;

	if (name->kind != TOKEN_NAME) {
		asm_error(as, &l->span, name, NULL, "the name of the constant is expected, not %s",
			  asm_quote(as, &l->span, name));
		return;
	}
	symbol = define(l, name, ISA_NONE, as->dialect->directives[directive].redefine);
	stmt = add_stmt(l, STMT_DIRECTIVE);
	if (symbol == ASM_NO_INDEX || !stmt)
		return;
	stmt->directive = directive;
	stmt->symbol = symbol;
	keep_directive(as, stmt);
}

/* `.equ name, value`, or `name: .equ value`. */
static void equ_directive(Line *l, u32 directive)
{
	const AsmToken *name = peek(l);

	if (l->label != ASM_NO_INDEX && !(name->kind == TOKEN_NAME && name[1].kind == TOKEN_PUNCT && name[1].value == ',')) {
		AsmStmt *stmt = add_stmt(l, STMT_DIRECTIVE);

		if (!stmt)
			return;
		l->as->symbols[l->label].space = ISA_NONE;
		stmt->directive = directive;
		stmt->symbol = l->label;
		keep_directive(l->as, stmt);
		return;
	}
	l->at += name->kind != TOKEN_END;
	if (l->as->commas_count && peek(l)->kind == TOKEN_PUNCT && peek(l)->value == ',')
		l->at++;
	equ(l, name, directive);
}

/* The label right in front is the directive's: its cells may go elsewhere, and the name of a row is its number. */
static void note_label(Assembler *as, AsmStmt *stmt, const IsaDirective *d)
{
	AsmSym *symbol = as->symbol_count ? &as->symbols[as->symbol_count - 1] : NULL;

	if (!symbol || symbol->stmt != as->stmt_count || symbol->space == ISA_NONE)
		return;
	stmt->label = as->symbol_count - 1;
	if (d->action == ISA_ACT_DATA || d->action == ISA_ACT_STRING || d->action == ISA_ACT_SPACE)
		symbol->width = d->bits;
	if (d->action != ISA_ACT_ROW)
		return;
	symbol->space = ISA_NONE;
	symbol->table = d->table;
	stmt->symbol = stmt->label;
}

static void directive(Line *l, u32 index)
{
	Assembler *as = l->as;
	const IsaDirective *d = &as->dialect->directives[index];
	const AsmToken *name = peek(l);
	AsmStmt *stmt;

	if (d->action == ISA_ACT_END && !as->single && as->dialect->segments == ISA_SEGMENTS_EXPLICIT && as->seen_org &&
	    !as->in_segment) {
		asm_report_at(as, DIAG_WARNING, l->span.source, name->offset, name->len, NULL,
			      "there is no segment that %s could close", d->name);
		return;
	}
	if (d->action == ISA_ACT_ORG ? !open_segment(l, name)
				     : d->action != ISA_ACT_INCLUDE && d->action != ISA_ACT_EQU &&
					       d->action != ISA_ACT_GLOBAL && d->action != ISA_ACT_IGNORE &&
					       !placed(l, name))
		return;
	l->at++;
	switch (d->action) {
	case ISA_ACT_INCLUDE:
		include(l, d->once);
		return;
	case ISA_ACT_EQU:
		equ_directive(l, index);
		return;
	case ISA_ACT_END:
		as->in_segment = false;
		as->stop = as->dialect->segments != ISA_SEGMENTS_EXPLICIT;
		if (peek(l)->kind != TOKEN_END)
			asm_report_at(as, DIAG_WARNING, l->span.source, peek(l)->offset, peek(l)->len, NULL,
				      "what stands behind %s is not read", d->name);
		return;
	case ISA_ACT_GLOBAL:
	case ISA_ACT_IGNORE:
		return;
	default:
		break;
	}
	stmt = add_stmt(l, STMT_DIRECTIVE);
	if (!stmt)
		return;
	stmt->directive = index;
	note_label(as, stmt, d);
	keep_directive(as, stmt);
}

/* A word where an instruction should be. In a liberal reading an unknown directive takes one cell; where numbers stand
 * alone, so that a text is a row of words, a word without meaning is left out. */
static void unknown(Line *l, const AsmToken *token)
{
	Assembler *as = l->as;
	const char *text = text_of(l, token), *hint = NULL;
	bool is_directive = token->kind == TOKEN_NAME && text[0] == '.';

	if (is_directive && as->options->liberal) {
		AsmStmt *stmt;

		asm_report_at(as, DIAG_WARNING, l->span.source, token->offset, token->len, NULL,
			      "unknown directive %s: one empty word", asm_quote(as, &l->span, token));
		l->at = (u32)(token - l->span.tokens) + 1;
		stmt = placed(l, token) ? add_stmt(l, STMT_UNKNOWN_DIRECTIVE) : NULL;
		as->stmt_count += stmt != NULL;
		return;
	}
	if (as->dialect->number_alone && !hint) { /* a calculator: the list is short */
		const char *list = "numbers";

		for (u32 i = 0; i < as->isa->form_count && i < 40; i++)
			if (asm_is_mnemonic(as, as->isa->forms[i].mnemonic, strlen(as->isa->forms[i].mnemonic)))
				list = arena_printf(&as->scratch, "%s %s", list, as->isa->forms[i].mnemonic);
		hint = arena_printf(&as->scratch, "there are %s", list);
	}
	if (as->dialect->number_alone && as->options->liberal) {
		asm_report_at(as, DIAG_WARNING, l->span.source, token->offset, token->len, NULL,
			      "invalid instruction %s: left out", asm_quote(as, &l->span, token));
		l->at = l->span.count;
		return;
	}
	if (token->kind == TOKEN_NUMBER || token->kind == TOKEN_FLOAT) {
		asm_error(as, &l->span, token, NULL, "%s is a number, so it can't be a label or an instruction",
			  asm_quote(as, &l->span, token));
		return;
	}
	if (as->dialect->comment_count && text[0] && strchr("#/*;'!|", text[0]))
		hint = arena_printf(&as->scratch, "a comment begins with %s", as->dialect->comments[0]);
	if (token->kind != TOKEN_NAME) {
		asm_error(as, &l->span, token, hint, "a label or an instruction is expected, not %s",
			  asm_quote(as, &l->span, token));
		return;
	}
	if (!hint)
		hint = asm_suggest(as, is_directive ? NAMES_DIRECTIVE : NAMES_MNEMONIC | NAMES_DIRECTIVE, text, token->len);
	if (!hint && as->dialect->label == ISA_LABEL_COLON && token[1].kind == TOKEN_END && !as->dialect->lines_free)
		hint = "a label ends with ':'";
	if (token[1].kind == TOKEN_PUNCT && !(token[1].flags & TOKEN_BLANK) && token[1].value != ':' &&
	    as->dialect->label & ISA_LABEL_BARE)
		hint = arena_printf(&as->scratch, "a label is made of letters, digits and any of %s",
				    as->dialect->label_chars ? as->dialect->label_chars : "_.$");
	asm_error(as, &l->span, token, hint, "there is no %s %s", is_directive ? "directive" : "instruction",
		  asm_quote(as, &l->span, token));
}

/* A word that is neither instruction nor directive, where the dialect has bare labels: true when it is one. */
static bool bare_label(Line *l)
{
	Assembler *as = l->as;
	const AsmToken *token = peek(l), *next = token + 1;
	bool lone = next->kind == TOKEN_END;
	const char *text = text_of(l, token);

	if (!(as->dialect->label & ISA_LABEL_BARE) || text[0] == '.')
		return false;
	if (!lone && next->kind == TOKEN_NAME && next[1].kind == TOKEN_NAME && !mnemonic_at(l, next) &&
	    directive_at(l, next) == ASM_NO_INDEX && !asm_is_register(as, text_of(l, next), next->len) &&
	    (mnemonic_at(l, next + 1) || directive_at(l, next + 1) != ASM_NO_INDEX)) {
		asm_error(as, &l->span, next, NULL, "%s would be a second label of this line",
			  asm_quote(as, &l->span, next));
		l->at = l->span.count;
		return true;
	}
	/* `ADDD R0, R0, #1`: the next word is no instruction either, so it is more likely this one that is mistyped. */
	if (!lone && !mnemonic_at(l, next) && directive_at(l, next) == ASM_NO_INDEX) {
		bool directive_like = next->kind == TOKEN_NAME && text_of(l, next)[0] == '.';
		bool next_near = next->kind == TOKEN_NAME && !asm_is_register(as, text_of(l, next), next->len) &&
				 asm_nearest(as, NAMES_MNEMONIC | NAMES_DIRECTIVE, text_of(l, next), next->len, 1);

		if (!directive_like && !(next_near && !asm_nearest(as, NAMES_MNEMONIC, text, token->len, 2)))
			return false;
	}
	if (label_of_segment(l, token))
		return true;
	if (!placed(l, token)) {
		l->at++;
		return true;
	}
	l->label = define(l, token, as->isa->code_space, false);
	if (l->label != ASM_NO_INDEX)
		as->symbols[l->label].lone = lone;
	l->at++;
	return true;
}

/* `* = address`, as assemblers of the 6502 have it: the place is set like a constant. */
static bool star_assignment(Line *l)
{
	Assembler *as = l->as;
	const AsmToken *token = peek(l);
	u32 index = token->kind == TOKEN_PUNCT && token->value == '*' ? directive_at(l, token + 1) : ASM_NO_INDEX;
	AsmStmt *stmt;

	if (index == ASM_NO_INDEX || as->dialect->directives[index].action != ISA_ACT_EQU)
		return false;
	for (u32 i = 0; i < as->dialect->directive_count; i++) {
		if (as->dialect->directives[i].action != ISA_ACT_ORG)
			continue;
		if (!open_segment(l, token))
			return true;
		l->at += 2;
		stmt = add_stmt(l, STMT_DIRECTIVE);
		if (!stmt)
			return true;
		stmt->directive = i;
		as->stmt_count += asm_directive_check(as, stmt);
		return true;
	}
	return false;
}

static void statement(Line *l)
{
	Assembler *as = l->as;
	bool bare = false;

	for (;;) {
		const AsmToken *token = peek(l), *next = token + 1;
		u32 index;

		if (token->kind == TOKEN_END)
			return;
		if (token->kind == TOKEN_NUMBER && is_colon(next) && as->dialect->gnu && !as->dialect->lines_free) {
			if (placed(l, token))
				l->label = define_local(l, token);
			l->at += 2;
			continue;
		}
		if (token->kind == TOKEN_NAME && is_colon(next) && as->dialect->label & ISA_LABEL_COLON) {
			if (placed(l, token))
				l->label = define(l, token, as->isa->code_space, false);
			l->at += 2;
			continue;
		}
		if (token->kind == TOKEN_NAME && next->kind != TOKEN_END &&
		    (index = directive_at(l, next)) != ASM_NO_INDEX &&
		    as->dialect->directives[index].action == ISA_ACT_EQU &&
		    directive_at(l, token) == ASM_NO_INDEX && text_of(l, next)[0] != '.' &&
		    !(as->dialect->lines_free && next->kind == TOKEN_NAME)) {
			l->at += 2;
			equ(l, token, index);
			return;
		}
		index = directive_at(l, token);
		if (index != ASM_NO_INDEX) {
			directive(l, index);
			return;
		}
		if (mnemonic_at(l, token) || /* `+`: mnemonics hold any characters */
		    (token->kind == TOKEN_PUNCT && asm_is_mnemonic(as, text_of(l, token), token->len))) {
			l->at++;
			if (placed(l, token))
				instruction(l, text_of(l, token), token->len);
			return;
		}
		if (is_number_alone(l, token)) {
			number_alone(l, token);
			return;
		}
		if (token->kind == TOKEN_NAME && !bare && bare_label(l)) {
			bare = true;
			continue;
		}
		if (!star_assignment(l))
			unknown(l, token);
		return;
	}
}

/* ---- Lines and files ---- */

void asm_parse_statement(Assembler *as, u32 source, const AsmToken *tokens, u32 count, u32 line, const u32 *lines)
{
	Line l = {.as = as, .line = line, .lines = lines, .label = ASM_NO_INDEX};

	l.span.source = source;
	l.span.count = count;
	l.span.tokens = tokens;
	statement(&l);
}

static void read_line(Assembler *as, AsmFree *free_text, u32 source, u32 number, const char *text, size_t start,
		      size_t end)
{
	size_t at = start;

	if (end - start > ASM_MAX_LINE) {
		asm_report_at(as, DIAG_ERROR, source, start, 1, NULL, "this line is longer than %d bytes", ASM_MAX_LINE);
		return;
	}
	do {
		size_t before = at;
		u32 count = asm_lex_line(as, source, text, &at, end);

		if (as->failed_memory)
			return;
		if (as->dialect->lines_free)
			asm_free_line(free_text, count, number);
		else
			asm_parse_statement(as, source, as->line_tokens, count, number, NULL);
		if (at == before)
			break;
	} while (at < end && !as->stop && !as->halted);
}

/* The text as Husk keeps it: a lone CR ends a line like LF does. */
static const char *keep_text(Assembler *as, const char *text, size_t len)
{
	char *copy = arena_strndup(&as->program->arena, text, len);

	for (size_t i = 0; copy && i < len; i++)
		if (copy[i] == '\r' && (i + 1 == len || copy[i + 1] != '\n'))
			copy[i] = '\n';
	return copy;
}

static bool add_source(Assembler *as, const char *name, const char *text, size_t len)
{
	AsmProgram *program = as->program;

	if (program->source_count >= ASM_MAX_SOURCES || len > ASM_MAX_TEXT - as->text_total) {
		diag_report_file(as->diags, DIAG_ERROR, name, NULL,
				 program->source_count >= ASM_MAX_SOURCES
					 ? "more than %d files are included"
					 : "the text is longer than %d bytes",
				 program->source_count >= ASM_MAX_SOURCES ? ASM_MAX_SOURCES : ASM_MAX_TEXT);
		as->halted = true;
		return false;
	}
	as->text_total += len;
	if (!arena_grow(&program->arena, (void **)&program->sources, &as->source_cap, program->source_count,
			sizeof(AsmSource))) {
		as->failed_memory = true;
		return false;
	}
	program->sources[program->source_count] = (AsmSource){.name = arena_strdup(&program->arena, name),
							      .text = keep_text(as, text, len), .len = len};
	if (!program->sources[program->source_count].name || !program->sources[program->source_count].text) {
		as->failed_memory = true;
		return false;
	}
	program->source_count++;
	return true;
}

/* Where the line ends that begins here: with `strings multiline` not inside a string. *lines: lines it has. */
static size_t line_end(Assembler *as, const char *text, size_t at, size_t len, u32 *lines)
{
	const char *newline = memchr(text + at, '\n', len - at);
	size_t plain = newline ? (size_t)(newline - text) : len, most = len - at > ASM_MAX_LINE ? at + ASM_MAX_LINE : len;
	u32 count = 1;
	bool quoted = false;

	*lines = 1;
	if (!as->dialect->multiline || as->unclosed || !memchr(text + at, as->dialect->quote, plain - at))
		return plain;
	for (; at < most; at++) {
		if (text[at] == '\n' && !quoted)
			break;
		count += text[at] == '\n';
		if (!quoted && asm_comment_at(as->dialect, text + at, len - at)) {
			newline = memchr(text + at, '\n', len - at);
			at = newline ? (size_t)(newline - text) : len;
			break;
		}
		if (text[at] == as->dialect->quote)
			quoted = !quoted;
		else if (text[at] == '\\' && quoted && at + 1 < most && as->dialect->unknown_escape != ISA_ESCAPE_NONE)
			count += text[++at] == '\n';
	}
	if (quoted) { /* never closed: said by the line where it begins; from here on strings end with their lines */
		as->unclosed = true;
		return plain;
	}
	*lines = count;
	return at;
}

bool asm_parse_source(Assembler *as, const char *name, const char *given, size_t len)
{
	u32 source = as->program->source_count, number = 1;
	AsmFree free_text = {.as = as, .source = source};
	const char *text;
	size_t at = 0;

	if (!add_source(as, name, given, len))
		return false;
	text = as->program->sources[source].text;
	while (at < len && !as->stop && !as->halted && !as->failed_memory) {
		u32 lines;
		size_t end = line_end(as, text, at, len, &lines);
		bool newline = end < len;

		if (!newline && as->dialect->final_newline && !as->single)
			asm_report_at(as, DIAG_WARNING, source, end, 1, NULL,
				      "the last line has no line end, which other assemblers of this dialect want");
		read_line(as, &free_text, source, number, text, at, end);
		number += lines;
		at = end + newline;
	}
	asm_free_end(&free_text);
	/* An `end` in an open dialect ends its file; where a program is one segment, it ends everything. */
	if (as->dialect->segments == ISA_SEGMENTS_OPEN)
		as->stop = false;
	return !as->failed_memory;
}
