/* SPDX-License-Identifier: MIT
 *
 * asm NAME { ... }: how programs for the machine are written. Line by line: either a keyword (comment, case, number,
 * ...) or a directive `NAME operands = action ...`. A file without any gets one plain dialect with GNU's directives.
 */
#include <string.h>

#include "base/bits.h"
#include "isa/isa_parse.h"

static const struct {
	const char *name;
	u8 action;
} actions[] = {
	{"org", ISA_ACT_ORG},   {"data", ISA_ACT_DATA},       {"space", ISA_ACT_SPACE},   {"string", ISA_ACT_STRING},
	{"align", ISA_ACT_ALIGN}, {"section", ISA_ACT_SECTION}, {"equ", ISA_ACT_EQU},     {"include", ISA_ACT_INCLUDE},
	{"end", ISA_ACT_END},   {"global", ISA_ACT_GLOBAL},   {"entry", ISA_ACT_ENTRY},   {"ignore", ISA_ACT_IGNORE},
};

static IsaDirective *new_directive(Parser *p, IsaDialect *d, u32 *cap)
{
	if (d->directive_count >= 200 ||
	    !arena_grow(p->arena, (void **)&d->directives, cap, d->directive_count, sizeof(IsaDirective))) {
		p->give_up = true;
		return NULL;
	}
	d->directives[d->directive_count] = (IsaDirective){0};
	return &d->directives[d->directive_count++];
}

static void use_gnu(Parser *p, IsaDialect *d, u32 *cap)
{
	static const struct {
		const char *name;
		u8 action, bits;
		bool has_end;
	} gnu[] = {
		{".byte", ISA_ACT_DATA, 8, false},    {".half", ISA_ACT_DATA, 16, false},   {".short", ISA_ACT_DATA, 16, false},
		{".2byte", ISA_ACT_DATA, 16, false},  {".word", ISA_ACT_DATA, 32, false},   {".long", ISA_ACT_DATA, 32, false},
		{".4byte", ISA_ACT_DATA, 32, false},  {".dword", ISA_ACT_DATA, 64, false},  {".quad", ISA_ACT_DATA, 64, false},
		{".8byte", ISA_ACT_DATA, 64, false},  {".ascii", ISA_ACT_STRING, 8, false}, {".asciz", ISA_ACT_STRING, 8, true},
		{".string", ISA_ACT_STRING, 8, true}, {".space", ISA_ACT_SPACE, 0, false},  {".zero", ISA_ACT_SPACE, 0, false},
		{".skip", ISA_ACT_SPACE, 0, false},   {".org", ISA_ACT_ORG, 0, false},      {".balign", ISA_ACT_ALIGN, 0, false},
		{".equ", ISA_ACT_EQU, 0, false},      {".set", ISA_ACT_EQU, 0, false},      {".globl", ISA_ACT_GLOBAL, 0, false},
		{".global", ISA_ACT_GLOBAL, 0, false}, {".include", ISA_ACT_INCLUDE, 0, false}, {".end", ISA_ACT_END, 0, false},
		{".text", ISA_ACT_IGNORE, 0, false},  {".data", ISA_ACT_IGNORE, 0, false},  {".section", ISA_ACT_IGNORE, 0, false},
		{".type", ISA_ACT_IGNORE, 0, false},  {".size", ISA_ACT_IGNORE, 0, false},  {".file", ISA_ACT_IGNORE, 0, false},
		{".option", ISA_ACT_IGNORE, 0, false}, {".attribute", ISA_ACT_IGNORE, 0, false},
	};

	for (u32 i = 0; i < COUNT_OF(gnu); i++) {
		IsaDirective *x = new_directive(p, d, cap);

		if (!x)
			return;
		*x = (IsaDirective){.name = gnu[i].name, .action = gnu[i].action, .bits = gnu[i].bits, .has_end = gnu[i].has_end};
	}
	d->label |= ISA_LABEL_COLON;
}

static void default_numbers(IsaDialect *d)
{
	static const IsaNumberForm forms[] = {{ISA_BASE_HEX, false, "0x"}, {ISA_BASE_BIN, false, "0b"}, {ISA_BASE_DEC, false, ""}};

	if (d->number_count)
		return;
	memcpy(d->numbers, forms, sizeof(forms));
	d->number_count = COUNT_OF(forms);
}

/* One word or quoted string of the current line, as text; NULL at the end of the line. Quotes are taken off and
 * \" \\ \n \t read. */
static const char *line_word(Parser *p)
{
	const char *text = p->source.text;
	u32 start;

	while (p->at < p->source.len && strchr(" \t,", text[p->at]))
		p->at++;
	if (p->at >= p->source.len || strchr("\r\n;}", text[p->at]) ||
	    (text[p->at] == '#' && p->at + 1 < p->source.len && strchr(" #\n\r\t", text[p->at + 1])))
		return NULL;
	start = p->at;
	if (text[p->at] == '"') {
		char out[128];
		u32 n = 0;

		for (p->at++; p->at < p->source.len && text[p->at] != '"' && text[p->at] != '\n'; p->at++) {
			char c = text[p->at];

			if (c == '\\' && p->at + 1 < p->source.len && text[p->at + 1] != '\n') {
				c = text[++p->at];
				c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
			}
			if (n + 1 < sizeof(out))
				out[n++] = c;
		}
		if (p->at < p->source.len && text[p->at] == '"')
			p->at++;
		else
			parse_error(p, start, 1, NULL, "this string does not end");
		return arena_strndup(p->arena, out, n);
	}
	while (p->at < p->source.len && !strchr(" \t\r\n,;\"", text[p->at]) && !(text[p->at] == '}' ) &&
	       !(text[p->at] == '=' && p->at > start))
		p->at++;
	if (p->at == start)
		p->at++;
	return arena_strndup(p->arena, text + start, p->at - start);
}

static void skip_line(Parser *p)
{
	while (line_word(p))
		;
}

static bool word_number(const char *word, u64 *value)
{
	u32 base = 10;
	u64 v = 0;

	if (word[0] == '0' && (word[1] | 32) == 'x')
		base = 16, word += 2;
	if (!*word)
		return false;
	for (; *word; word++) {
		u32 d = *word >= '0' && *word <= '9' ? (u32)(*word - '0') :
			(*word | 32) >= 'a' && (*word | 32) <= 'f' ? (u32)((*word | 32) - 'a' + 10) : 99;

		if (d >= base || v >> 58)
			return false;
		v = v * base + d;
	}
	*value = v;
	return true;
}

/* The same, telling where it began and whether it was a string. */
static const char *next_word(Parser *p, u32 *at, bool *quoted)
{
	while (p->at < p->source.len && (p->source.text[p->at] == ' ' || p->source.text[p->at] == '\t'))
		p->at++;
	*at = p->at;
	*quoted = p->at < p->source.len && p->source.text[p->at] == '"';
	return line_word(p);
}

/* number dec "#" | hex "x" | bin "b" | dec */
static void read_numbers(Parser *p, IsaDialect *d)
{
	u32 at;
	bool quoted;
	const char *word = next_word(p, &at, &quoted);

	while (word) {
		IsaNumberForm form = {0, false, ""};

		form.base = !strcmp(word, "dec") ? ISA_BASE_DEC : !strcmp(word, "hex") ? ISA_BASE_HEX :
			    !strcmp(word, "bin") ? ISA_BASE_BIN : !strcmp(word, "oct") ? ISA_BASE_OCT : 0;
		if (!form.base || d->number_count == COUNT_OF(d->numbers)) {
			parse_error(p, p->at - (u32)strlen(word), (u32)strlen(word), "number dec \"#\" | hex \"x\" | bin \"b\" | dec",
				    "'%s' is no number base", word);
			skip_line(p);
			return;
		}
		word = next_word(p, &at, &quoted);
		if (word && !quoted && !strcmp(word, "suffix")) {
			form.is_suffix = true;
			word = next_word(p, &at, &quoted);
		}
		if (word && quoted) {
			form.affix = word;
			word = next_word(p, &at, &quoted);
		}
		d->numbers[d->number_count++] = form;
		if (!word || strcmp(word, "|")) {
			p->at = at; /* the next keyword of the same line */
			return;
		}
		word = next_word(p, &at, &quoted);
	}
}

static bool choose(Parser *p, const char *keyword, const char *const *words, int *out)
{
	u32 pos;
	const char *word;

	while (p->at < p->source.len && (p->source.text[p->at] == ' ' || p->source.text[p->at] == '\t'))
		p->at++;
	pos = p->at;
	word = line_word(p);
	for (int i = 0; words[i]; i++)
		if (word && !strcmp(word, words[i])) {
			*out = i;
			return true;
		}
	parse_error(p, pos, word ? (u32)strlen(word) : 1, NULL, "'%s' is %s%s%s%s%s, not '%s'", keyword, words[0], words[1] ? " or " : "",
		    words[1] ? words[1] : "", words[1] && words[2] ? " or " : "", words[1] && words[2] ? words[2] : "",
		    word ? word : "");
	return false;
}

static bool keyword(Parser *p, IsaDialect *d, const char *word, u32 *cap)
{
	static const char *const on_off[] = {"off", "on", NULL}, *const labels[] = {"bare", "colon", "both", NULL},
	       *const ranges[] = {"strict", "loose", NULL}, *const segments[] = {"open", "explicit", "single", NULL},
	       *const escapes[] = {"error", "keep", "char", NULL}, *const rel[] = {"target", "offset", NULL},
	       *const toggle[] = {"escape", "toggle", NULL}, *const strings[] = {"quoted", "bare", NULL},
	       *const lines[] = {"end", "free", NULL};
	const char *value;
	int choice;
	u64 number;

	if (!strcmp(word, "comment")) {
		bool quoted;
		u32 at;

		while ((value = next_word(p, &at, &quoted)) != NULL && quoted)
			if (d->comment_count < COUNT_OF(d->comments))
				d->comments[d->comment_count++] = value;
		p->at = at;
	} else if (!strcmp(word, "case")) {
		if (choose(p, word, on_off, &choice))
			d->fold_case = choice == 0;
	} else if (!strcmp(word, "separators")) {
		value = line_word(p);
		d->separators = value ? value : "";
		d->commas = !strcmp(d->separators, ",");
	} else if (!strcmp(word, "label")) {
		if (choose(p, word, labels, &choice))
			d->label = (u8)(choice + 1);
	} else if (!strcmp(word, "number")) {
		read_numbers(p, d);
	} else if (!strcmp(word, "register")) {
		value = line_word(p);
		d->register_prefix = value ? value : "";
	} else if (!strcmp(word, "symbol")) {
		value = line_word(p);
		d->symbol_prefix = value ? value : "";
	} else if (!strcmp(word, "ranges")) {
		if (choose(p, word, ranges, &choice))
			d->loose_ranges = choice == 1;
	} else if (!strcmp(word, "quote")) {
		value = line_word(p);
		if (value && strlen(value) == 1)
			d->quote = value[0];
		else
			parse_error(p, p->at, 1, NULL, "a quote is one character");
	} else if (!strcmp(word, "escapes")) {
		value = line_word(p);
		d->escapes = value ? value : "";
	} else if (!strcmp(word, "rel-numbers")) {
		if (choose(p, word, rel, &choice))
			d->rel_number_is_offset = choice == 1;
	} else if (!strcmp(word, "expressions")) {
		if (choose(p, word, on_off, &choice))
			d->no_expressions = choice == 0;
	} else if (!strcmp(word, "label-chars")) {
		d->label_chars = line_word(p);
	} else if (!strcmp(word, "segments")) {
		if (choose(p, word, segments, &choice))
			d->segments = (u8)choice;
	} else if (!strcmp(word, "origin") || !strcmp(word, "limit")) {
		value = line_word(p);
		if (!value || !word_number(value, &number))
			parse_error(p, p->at, 1, NULL, "'%s' needs a number", word);
		else if (!strcmp(word, "origin"))
			d->origin = number;
		else
			d->limit = number;
		if (!strcmp(word, "limit")) {
			bool quoted;
			u32 at;

			d->limit_reason = next_word(p, &at, &quoted);
			if (!quoted) {
				d->limit_reason = NULL;
				p->at = at;
			}
		}
	} else if (!strcmp(word, "quotes")) {
		if (choose(p, word, toggle, &choice))
			d->quotes_toggle = choice == 1;
	} else if (!strcmp(word, "unknown-escape")) {
		if (choose(p, word, escapes, &choice))
			d->unknown_escape = (u8)choice;
	} else if (!strcmp(word, "strings")) {
		if (choose(p, word, strings, &choice))
			d->bare_strings = choice == 1;
	} else if (!strcmp(word, "final-newline")) {
		if (choose(p, word, on_off, &choice))
			d->final_newline = choice == 1;
	} else if (!strcmp(word, "lines")) {
		if (choose(p, word, lines, &choice))
			d->lines_free = choice == 1;
	} else if (!strcmp(word, "number-alone")) {
		d->number_alone = line_word(p);
		if (!d->number_alone)
			parse_error(p, p->at, 1, "number-alone push", "'number-alone' needs an instruction or a data directive");
	} else if (!strcmp(word, "exclude")) {
		while ((value = line_word(p)) != NULL)
			if (d->exclude_count < COUNT_OF(d->excludes))
				d->excludes[d->exclude_count++] = value;
	} else if (!strcmp(word, "use")) {
		value = line_word(p);
		if (value && !strcmp(value, "gnu"))
			use_gnu(p, d, cap);
		else
			parse_error(p, p->at, 1, "use gnu", "there is no such set of directives");
	} else {
		return false;
	}
	return true;
}

/* .FILL w = data 16 little */
static void directive(Parser *p, IsaDialect *d, const char *name, u32 pos, u32 *cap)
{
	IsaDirective *x;
	const char *word;
	u32 action = 0;
	u64 number;

	/* Operand names up to '=' are for readers. */
	while ((word = line_word(p)) != NULL && strcmp(word, "="))
		;
	if (!word) {
		parse_error(p, pos, (u32)strlen(name), "keywords: comment case separators label number register symbol ranges quote "
			    "escapes use ...; directives: .WORD w = data 16",
			    "'%s' is no keyword of 'asm', and a directive needs '='", name);
		return;
	}
	word = line_word(p);
	while (action < COUNT_OF(actions) && !(word && !strcmp(word, actions[action].name)))
		action++;
	if (action == COUNT_OF(actions)) {
		parse_error(p, pos, (u32)strlen(name), "org data space string align section equ include end global entry ignore",
			    "'%s' is nothing a directive can do", word ? word : "");
		skip_line(p);
		return;
	}
	x = new_directive(p, d, cap);
	if (!x)
		return;
	x->name = name;
	x->action = actions[action].action;
	if (x->action == ISA_ACT_SECTION) {
		x->section = line_word(p);
		return;
	}
	if (x->action == ISA_ACT_DATA || x->action == ISA_ACT_STRING) {
		word = line_word(p);
		if (!word || !word_number(word, &number) || number < 1 || number > 64)
			parse_error(p, pos, (u32)strlen(name), "write: .WORD w = data 16", "'%s' needs the bits of one item", name);
		else
			x->bits = (u8)number;
	}
	while ((word = line_word(p)) != NULL) {
		if (!strcmp(word, "little")) {
			x->little = true;
		} else if (!strcmp(word, "single")) {
			x->single = true;
		} else if (!strcmp(word, "nonzero")) {
			x->nonzero = true;
		} else if (x->action == ISA_ACT_STRING && word_number(word, &number)) {
			x->has_end = true;
			x->end = number;
		} else if (strlen(word) != 1) { /* an operand's name again: `org q` */
			parse_error(p, pos, (u32)strlen(name), NULL, "'%s' means nothing here", word);
		}
	}
}

void parse_dialect(Parser *p)
{
	Isa *isa = p->isa;
	u32 cap = 0, pos = p->tok.pos;
	IsaDialect d = {.name = "", .separators = ",", .register_prefix = "", .symbol_prefix = "", .escapes = "", .quote = '"'};

	take_doc(p);
	lex_next(p);
	if (p->tok.kind == TOK_IDENT) {
		d.name = arena_strndup(p->arena, tok_text(p), p->tok.len);
		lex_next(p);
	}
	for (u32 i = 0; i < isa->dialect_count; i++)
		if (!strcmp(isa->dialects[i].name, d.name))
			parse_error(p, pos, 3, NULL, "dialect '%s' is described twice", d.name);
	if (!tok_is(p, "{")) {
		expect(p, "{", "after 'asm'");
		return;
	}
	p->at = p->tok_end;
	while (!p->give_up) {
		const char *text = p->source.text, *word;
		u32 start;

		while (p->at < p->source.len && strchr(" \t\r\n;,", text[p->at]))
			p->at++;
		if (p->at >= p->source.len) {
			parse_error(p, pos, 3, NULL, "this 'asm {' is never closed");
			break;
		}
		if (text[p->at] == '#' && p->at + 1 < p->source.len && strchr(" #\n\r\t", text[p->at + 1])) {
			while (p->at < p->source.len && text[p->at] != '\n')
				p->at++;
			continue;
		}
		if (text[p->at] == '}')
			break;
		start = p->at;
		word = line_word(p);
		if (!word) {
			p->at++;
			continue;
		}
		if (!keyword(p, &d, word, &cap))
			directive(p, &d, word, start, &cap);
	}
	if (p->at < p->source.len)
		p->at++;
	lex_next(p);
	if (!arena_grow(p->arena, (void **)&isa->dialects, &p->cap_dialects, isa->dialect_count, sizeof(d)) ||
	    isa->dialect_count >= 16) {
		p->give_up = true;
		return;
	}
	isa->dialects[isa->dialect_count++] = d;
}

void finish_dialects(Parser *p)
{
	Isa *isa = p->isa;

	if (!isa->dialect_count) {
		u32 cap = 0;
		IsaDialect d = {.name = "", .comments = {";"}, .comment_count = 1, .separators = ",", .register_prefix = "",
				.symbol_prefix = "", .escapes = "", .quote = '"', .label = ISA_LABEL_COLON};

		use_gnu(p, &d, &cap);
		if (!arena_grow(p->arena, (void **)&isa->dialects, &p->cap_dialects, 0, sizeof(d))) {
			p->give_up = true;
			return;
		}
		isa->dialects[isa->dialect_count++] = d;
	}
	for (u32 i = 0; i < isa->dialect_count; i++) {
		IsaDialect *d = &isa->dialects[i];

		default_numbers(d);
		if (!d->comment_count)
			d->comments[d->comment_count++] = ";";
		if (!d->label)
			d->label = ISA_LABEL_COLON;
		for (u32 k = 0; k < d->directive_count; k++)
			if (d->directives[k].section && isa_find_space(isa, d->directives[k].section,
								       strlen(d->directives[k].section)) == ISA_NONE)
				diag_report_file(p->diags, DIAG_ERROR, p->source.name, NULL,
						 "directive '%s' names a space '%s' that does not exist", d->directives[k].name,
						 d->directives[k].section);
	}
}

static bool is_mnemonic(const Isa *isa, const char *name)
{
	for (u32 i = 0; i < isa->pseudo_count; i++)
		if (!strcmp(isa->pseudos[i].mnemonic, name))
			return true;
	return strmap_get(&isa->mnemonics, name, strlen(name), ISA_NONE) != ISA_NONE;
}

void check_dialects(Parser *p)
{
	const Isa *isa = p->isa;

	for (u32 i = 0; i < isa->dialect_count; i++) {
		const IsaDialect *d = &isa->dialects[i];
		bool found = !d->number_alone || is_mnemonic(isa, d->number_alone);

		for (u32 k = 0; k < d->directive_count && !found; k++)
			found = d->directives[k].action == ISA_ACT_DATA && !strcmp(d->directives[k].name, d->number_alone);
		if (!found)
			diag_report_file(p->diags, DIAG_ERROR, p->source.name, NULL,
					 "number-alone: '%s' is no instruction and no data directive", d->number_alone);
		if (d->lines_free && d->label != ISA_LABEL_COLON)
			diag_report_file(p->diags, DIAG_ERROR, p->source.name, "write: label colon",
					 "with 'lines free' only a ':' tells a label");
	}
}
