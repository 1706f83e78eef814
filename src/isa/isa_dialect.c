/* SPDX-License-Identifier: MIT
 *
 * asm NAME { ... }: how programs for the machine are written. Line by line: either a keyword (comment, case, number,
 * ...) or a directive (isa_directive.c). A file without any gets one plain dialect with GNU's directives.
 */
#include <string.h>

#include "base/bits.h"
#include "isa/isa_parse.h"

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
const char *line_word(Parser *p)
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

void skip_line(Parser *p)
{
	while (line_word(p))
		;
}

/* The same, telling where it began and whether it was a string. */
const char *next_word(Parser *p, u32 *at, bool *quoted)
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
		IsaNumberForm form = {.affix = ""};

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

/* entry main [required]; not a directive called so. */
static bool read_entry(Parser *p, IsaDialect *d)
{
	u32 start = p->at, behind;
	const char *name = line_word(p), *word;

	behind = p->at;
	word = name ? line_word(p) : NULL;
	if (!name || !strcmp(name, "=") || (word && !strcmp(word, "="))) {
		p->at = start;
		return false;
	}
	d->entry = name;
	d->entry_required = word && !strcmp(word, "required");
	if (!d->entry_required)
		p->at = behind;
	return true;
}

static bool keyword(Parser *p, IsaDialect *d, const char *word, u32 *cap)
{
	static const char *const on_off[] = {"off", "on", NULL}, *const labels[] = {"bare", "colon", "both", NULL},
	       *const ranges[] = {"strict", "loose", NULL}, *const segments[] = {"open", "explicit", "single", NULL},
	       *const escapes[] = {"error", "keep", "char", "none", NULL}, *const rel[] = {"target", "offset", NULL},
	       *const toggle[] = {"escape", "toggle", NULL}, *const strings[] = {"quoted", "bare", "multiline", NULL},
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
			*(choice == 2 ? &d->multiline : &d->bare_strings) = choice != 0;
	} else if (!strcmp(word, "final-newline")) {
		if (choose(p, word, on_off, &choice))
			d->final_newline = choice == 1;
	} else if (!strcmp(word, "lines")) {
		if (choose(p, word, lines, &choice))
			d->lines_free = choice == 1;
	} else if (!strcmp(word, "section")) {
		return parse_section(p, d);
	} else if (!strcmp(word, "entry")) {
		return read_entry(p, d);
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
			parse_directive(p, &d, word, start, &cap);
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

static bool place_exists(const Isa *isa, const IsaDialect *d, const char *name)
{
	for (u32 i = 0; i < d->section_count; i++)
		if (!strcmp(d->sections[i].name, name))
			return true;
	return isa_find_space(isa, name, strlen(name)) != ISA_NONE;
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
			if (d->directives[k].section && !place_exists(isa, d, d->directives[k].section))
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
