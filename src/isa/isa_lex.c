/* SPDX-License-Identifier: MIT
 *
 * Tokens of the .isa language, on demand. '#' followed by a name is a field's number; otherwise '#' opens a comment,
 * and '##' one that becomes manual text for the item it stands before or behind.
 */
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "isa/isa_parse.h"

static bool is_ident_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_ident(char c)
{
	return is_ident_start(c) || (c >= '0' && c <= '9');
}


void parse_error(Parser *p, u32 pos, u32 len, const char *hint, const char *format, ...)
{
	char text[512];
	va_list args;

	if (p->give_up) /* what follows is noise */
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	p->item_errors++;
	diag_report(p->diags, DIAG_ERROR, &p->source, pos, len, hint, "%s", text);
	if (p->diags->errors >= DIAG_MAX)
		p->give_up = true;
}

void parse_warn(Parser *p, u32 pos, u32 len, const char *hint, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	diag_report(p->diags, DIAG_WARNING, &p->source, pos, len, hint, "%s", text);
}

void error_here(Parser *p, const char *hint, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (p->tok.kind == TOK_END && p->prev_end) /* where the text breaks off, not behind the comments that follow */
		parse_error(p, p->prev_end - 1, 1, hint, "%s", text);
	else
		parse_error(p, p->tok.pos, p->tok.len ? p->tok.len : 1, hint, "%s", text);
}

const char *tok_text(const Parser *p)
{
	return p->source.text + p->tok.pos;
}

u32 line_of(Parser *p, u32 pos)
{
	/* Asked in file order nearly always: go on from the last answer. */
	if (pos < p->line_pos || !p->line) {
		p->line = 1;
		p->line_pos = 0;
	}
	if (pos > p->source.len)
		pos = (u32)p->source.len;
	while (p->line_pos < pos) {
		const char *from = p->source.text + p->line_pos, *end = memchr(from, '\n', pos - p->line_pos);

		p->line += end != NULL;
		p->line_pos = end ? p->line_pos + (u32)(end - from) + 1 : pos;
	}
	return p->line;
}

/* Adds a ## line to the pending doc text. Rulers ("---- RV64I") are headings of the file, not text of an item. */
static void add_doc(Parser *p, u32 pos, u32 end)
{
	const char *text = p->source.text;

	while (pos < end && (text[pos] == ' ' || text[pos] == '\t'))
		pos++;
	while (end > pos && (text[end - 1] == ' ' || text[end - 1] == '\t' || text[end - 1] == '\r'))
		end--;
	if (end - pos >= 4 && !memcmp(text + pos, "----", 4)) {
		p->doc = NULL;
		return;
	}
	if (p->doc && strlen(p->doc) < 8192)
		p->doc = arena_printf(p->arena, "%s\n%.*s", p->doc, (int)(end - pos), text + pos);
	else if (!p->doc)
		p->doc = arena_strndup(p->arena, text + pos, end - pos);
}

/* Skips blanks and comments; tells whether a line end was passed. */
static bool skip_blank(Parser *p)
{
	const char *text = p->source.text;
	u32 len = (u32)p->source.len;
	bool newline = p->at == 0;

	for (;;) {
		if (p->at >= len)
			return true;
		if (text[p->at] == '\n') {
			newline = true;
			p->at++;
		} else if (text[p->at] == ' ' || text[p->at] == '\t' || text[p->at] == '\r') {
			p->at++;
		} else if (text[p->at] == '#' && !(p->at + 1 < len && is_ident_start(text[p->at + 1]))) {
			u32 end = p->at;

			while (end < len && text[end] != '\n')
				end++;
			if (newline && p->at + 1 < len && text[p->at + 1] == '#')
				add_doc(p, p->at + 2, end);
			p->at = end;
		} else {
			return newline;
		}
	}
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

static void lex_number(Parser *p)
{
	const char *text = p->source.text;
	u32 len = (u32)p->source.len, i = p->at;
	Token *t = &p->tok;
	int base = 10;
	u32 errors = p->diags->errors;
	bool overflow = false, any = false;

	if (text[i] == '0' && i + 1 < len && (text[i + 1] == 'x' || text[i + 1] == 'X'))
		base = 16, i += 2;
	else if (text[i] == '0' && i + 1 < len && (text[i + 1] == 'b' || text[i + 1] == 'B'))
		base = 2, i += 2;
	for (; i < len && (digit_value(text[i]) < base || (text[i] == '_' && any)); i++) {
		if (text[i] == '_')
			continue;
		any = true;
		if (__builtin_mul_overflow(t->value, (u64)base, &t->value) ||
		    __builtin_add_overflow(t->value, (u64)digit_value(text[i]), &t->value))
			overflow = true;
	}
	t->kind = TOK_NUMBER;
	if (i < len && text[i] == '\'' && i + 1 < len && text[i + 1] >= '0' && text[i + 1] <= '9') {
		u32 width = 0;

		for (i++; i < len && text[i] >= '0' && text[i] <= '9'; i++)
			width = width < 1000 ? width * 10 + (u32)(text[i] - '0') : width;
		t->sized = true;
		t->width = width > 255 ? 255 : (u8)width;
		if (width == 0 || width > 64)
			parse_error(p, t->pos, i - t->pos, NULL, "a number has 1 to 64 bits, not %u", width);
		else if (!overflow && t->value > bits_mask(width))
			parse_error(p, t->pos, i - t->pos, NULL, "0x%llx does not fit %u bits",
				    (unsigned long long)t->value, width);
	}
	if (i < len && is_ident(text[i])) {
		u32 end = i;

		while (end < len && is_ident(text[end]))
			end++;
		parse_error(p, t->pos, end - t->pos, "numbers are written 12, 0x1F, 0b101, or 5'3 with a width",
			    "'%.*s' is not a number", (int)(end - t->pos > 40 ? 40 : end - t->pos), text + t->pos);
		i = end;
	} else if (!any) {
		parse_error(p, t->pos, i - t->pos, NULL, "a number needs digits");
	} else if (overflow) {
		parse_error(p, t->pos, i - t->pos, NULL, "this number has more than 64 bits");
	}
	t->len = i - t->pos;
	p->at = i;
	if (p->diags->errors != errors) { /* said already: make it harmless */
		t->value = 0;
		t->sized = false;
		t->width = 0;
	}
}

/* The longest operator that stands here. A letter of <s <u >>s /s ... counts only if no name goes on behind it. */
static u32 punct_length(const char *s, u32 left)
{
	static const char *const ops[] = {">>s", "<=s", "<=u", ">=s", ">=u", "<s", "<u", ">s", ">u", "/s", "/u", "%s",
					  "%u", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "..", NULL};

	if (!strchr("><=/%!&|.", s[0])) /* most punctuation is one character */
		return 1;
	for (int i = 0; ops[i]; i++) {
		u32 n = ops[i][2] ? 3 : 2;

		if (n <= left && !memcmp(s, ops[i], n) &&
		    !((ops[i][n - 1] == 's' || ops[i][n - 1] == 'u') && n < left && is_ident(s[n])))
			return n;
	}
	return 1;
}

void lex_next(Parser *p)
{
	const char *text = p->source.text;
	u32 len = (u32)p->source.len;
	Token *t = &p->tok;
	bool newline;

	p->prev_end = p->tok_end;
	newline = skip_blank(p);
	*t = (Token){.line_start = newline, .pos = p->at};
	if (p->at >= len) {
		t->kind = TOK_END;
		p->tok_end = p->at;
		return;
	}
	if (is_ident_start(text[p->at])) {
		u32 i = p->at;

		while (i < len && is_ident(text[i]))
			i++;
		t->kind = TOK_IDENT;
		t->len = i - p->at;
		p->at = i;
	} else if (text[p->at] >= '0' && text[p->at] <= '9') {
		lex_number(p);
	} else if (text[p->at] == '"') {
		u32 i = p->at + 1;

		while (i < len && text[i] != '"' && text[i] != '\n')
			i += text[i] == '\\' && i + 1 < len && text[i + 1] != '\n' ? 2 : 1;
		t->kind = TOK_STRING;
		t->pos = p->at + 1;
		t->len = i - t->pos;
		if (i >= len || text[i] == '\n')
			parse_error(p, p->at, 1, "close it with \" on the same line", "this string does not end");
		p->at = i < len && text[i] == '"' ? i + 1 : i;
	} else if (text[p->at] == '\'' && p->at + 2 < len && text[p->at + 1] != '\n' && text[p->at + 2] == '\'') {
		t->kind = TOK_NUMBER;
		t->value = (u8)text[p->at + 1];
		t->len = 3;
		p->at += 3;
	} else if (text[p->at] == '#') {
		u32 i = p->at + 1;

		while (i < len && is_ident(text[i]))
			i++;
		t->kind = TOK_FIELDNUM;
		t->pos = p->at + 1;
		t->len = i - t->pos;
		p->at = i;
	} else {
		u32 n = punct_length(text + p->at, len - p->at);

		t->kind = TOK_PUNCT;
		t->len = n;
		t->punct_len = (u8)n;
		memcpy(t->punct, text + p->at, n);
		p->at += n;
	}
	p->tok_end = p->at;
}

void lex_start(Parser *p)
{
	p->at = 0;
	lex_next(p);
}


bool accept(Parser *p, const char *punct)
{
	if (!tok_is(p, punct))
		return false;
	lex_next(p);
	return true;
}

bool accept_word(Parser *p, const char *word)
{
	if (!tok_word(p, word))
		return false;
	lex_next(p);
	return true;
}

bool expect(Parser *p, const char *punct, const char *where)
{
	if (accept(p, punct))
		return true;
	if (p->tok.kind == TOK_END)
		error_here(p, NULL, "the file ends where '%s' should stand %s", punct, where);
	else
		error_here(p, NULL, "expected '%s' %s, found '%.*s'", punct, where,
			   (int)(p->tok.len > 40 ? 40 : p->tok.len), tok_text(p));
	return false;
}

void raw_begin(Parser *p)
{
	p->at = p->tok.kind == TOK_STRING || p->tok.kind == TOK_FIELDNUM ? p->tok.pos - 1 : p->tok.pos;
}

bool raw_at_line_end(Parser *p)
{
	const char *text = p->source.text;

	while (p->at < p->source.len && (text[p->at] == ' ' || text[p->at] == '\t'))
		p->at++;
	return p->at >= p->source.len || text[p->at] == '\n' || text[p->at] == '\r' || text[p->at] == ';' ||
	       (text[p->at] == '#' && !(p->at + 1 < p->source.len && is_ident_start(text[p->at + 1])));
}

u32 raw_word(Parser *p, u32 *pos)
{
	const char *text = p->source.text;
	u32 end;

	if (raw_at_line_end(p))
		return 0;
	*pos = end = p->at;
	while (end < p->source.len && !strchr(p->raw_stop, text[end]))
		end++;
	p->at = end;
	return end - *pos;
}

const char *take_doc(Parser *p)
{
	const char *doc = p->doc ? p->doc : "";

	p->doc = NULL;
	return doc;
}

void trailing_doc(Parser *p, u32 item_end, const char **doc)
{
	const char *text = p->source.text;
	u32 i = item_end, end;

	while (i < p->source.len && (text[i] == ' ' || text[i] == '\t' || text[i] == ';'))
		i++;
	if (i + 1 >= p->source.len || text[i] != '#' || text[i + 1] != '#')
		return;
	end = i += 2;
	while (end < p->source.len && text[end] != '\n')
		end++;
	while (i < end && text[i] == ' ')
		i++;
	while (end > i && (text[end - 1] == '\r' || text[end - 1] == ' '))
		end--;
	if (**doc)
		*doc = arena_printf(p->arena, "%s\n%.*s", *doc, (int)(end - i), text + i);
	else
		*doc = arena_strndup(p->arena, text + i, end - i);
	if (!*doc)
		*doc = "";
}
