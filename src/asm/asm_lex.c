/* SPDX-License-Identifier: MIT
 *
 * Characters to tokens, as the dialect says. Three things make dialects differ here:
 *   - what separates operands: commas, or blanks (then every separator is just a blank and an operand is one run);
 *   - what a number looks like: prefix or suffix, and whether the sign may stand behind the prefix (x-1F);
 *   - what a name may hold: letters, digits and label-chars, or anything at all up to the next separator ("*").
 * Whatever reads as a number is a number, never a name: x1 and b101 are numbers where 'x' and 'b' are prefixes.
 * A line is cut at a comment first when `quotes toggle`, else a quote protects whatever is in it.
 *
 * Bodies of pseudo-instructions (asm_lex_body) are the same for all dialects: C numbers, commas, `;` or a line end
 * between statements.
 */
#include "asm/asm_internal.h"

#include <string.h>

#include "base/strmap.h"

static bool is_digit(u8 c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int digit_value(u8 c)
{
	if (is_digit(c))
		return c - '0';
	c = (u8)ascii_lower((char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* Punctuation in the syntax of any form ends a name, even where names may hold anything. */
static void break_at_literals(Assembler *as)
{
	for (u32 i = 0; i < as->isa->form_count; i++) {
		const IsaForm *form = &as->isa->forms[i];

		for (u32 j = 0; j < form->syntax_count; j++)
			for (const char *s = form->syntax[j].is_field ? "" : form->syntax[j].text; *s; s++)
				if (!is_letter((u8)*s) && !is_digit((u8)*s))
					as->is_name[(u8)*s] = 0;
	}
}

/* Mnemonics such as "<=": tokens of their own. */
static void find_signs(Assembler *as)
{
	for (u32 i = 0; i < as->isa->form_count; i++) {
		const char *name = as->isa->forms[i].mnemonic;

		if (as->is_name[(u8)name[0]] || !name[0] || !name[1])
			continue;
		if (!arena_grow(&as->scratch, (void **)&as->signs, &as->sign_cap, as->sign_count, sizeof(*as->signs))) {
			as->failed_memory = true;
			return;
		}
		as->signs[as->sign_count++] = name;
	}
}

/* Length of the longest such mnemonic at text, or 0. */
static size_t sign_length(const Assembler *as, const char *text, size_t len)
{
	size_t best = 0;

	for (u32 i = 0; i < as->sign_count; i++) {
		size_t n = strlen(as->signs[i]);

		if (n > best && n <= len && !memcmp(text, as->signs[i], n))
			best = n;
	}
	return best;
}

static void init_characters(Assembler *as)
{
	const IsaDialect *dialect = as->dialect;
	const char *separators = dialect->separators ? dialect->separators : "";
	const char *chars = dialect->label_chars ? dialect->label_chars : "_.$";

	for (const char *s = " \t\r\v\f"; *s; s++)
		as->is_blank[(u8)*s] = 1;
	as->blanks_separate = !dialect->commas && *separators && strcmp(separators, ",") != 0;
	as->commas_count = !as->blanks_separate;
	for (const char *s = separators; as->blanks_separate && *s; s++)
		as->is_blank[(u8)*s] = 1;
	if (!strcmp(chars, "*")) {
		for (unsigned c = 0x21; c < 256; c++)
			as->is_name[c] = c != 0x7F && !as->is_blank[c] && !(c == ',' && as->commas_count);
		if (dialect->label & ISA_LABEL_COLON)
			as->is_name[':'] = 0;
		break_at_literals(as);
		return;
	}
	for (unsigned c = 0; c < 256; c++)
		as->is_name[c] = is_letter((u8)c) || is_digit((u8)c) || c >= 0x80;
	for (const char *s = chars; *s; s++)
		as->is_name[(u8)*s] = !as->is_blank[(u8)*s] && *s != ',';
}

static bool has_floats(const Assembler *as);

void asm_lex_init(Assembler *as)
{
	init_characters(as);
	find_signs(as);
	as->floats = has_floats(as);
}

static bool starts_with(const char *text, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return n && n <= len && ascii_equal_fold(text, n, prefix, n);
}

/* Digits of a base from text[at]; their number. */
static size_t read_digits(const char *text, size_t at, size_t len, u8 base, u64 *value, u8 *flags)
{
	size_t n = 0;

	*value = 0;
	for (; at + n < len && digit_value((u8)text[at + n]) < base; n++) {
		u64 next;

		if (__builtin_mul_overflow(*value, base, &next) ||
		    __builtin_add_overflow(next, (u64)digit_value((u8)text[at + n]), &next)) {
			*flags |= TOKEN_TOO_BIG;
			next = 0;
		}
		*value = next;
	}
	return n;
}

static size_t number_with(const Assembler *as, const IsaNumberForm *form, const char *text, size_t len, i64 *value,
			  u8 *flags)
{
	const char *affix = form->affix ? form->affix : "";
	size_t at = 0, digits, suffix = 0;
	u64 magnitude;

	*flags = 0;
	if (!form->is_suffix && *affix) {
		if (!starts_with(text, len, affix))
			return 0;
		at = strlen(affix);
	}
	/* #-12 and x-1F: the sign stands behind the prefix. 0x-1 would look like a subtraction, so it is none. */
	if (at < len && text[at] == '-' &&
	    (as->dialect->no_expressions || (at && !is_digit((u8)affix[0])))) {
		*flags |= TOKEN_SIGNED;
		at++;
	}
	if (form->is_suffix && (at >= len || !is_digit((u8)text[at])))
		return 0;
	digits = read_digits(text, at, len, form->base, &magnitude, flags);
	if (form->is_suffix && *affix) {
		/* In 0Bh the 'B' is a digit; in 01B the last letter is the suffix: try the longest run first. */
		if (starts_with(text + at + digits, len - at - digits, affix)) {
			suffix = strlen(affix);
		} else if (digits > 1 && starts_with(text + at + digits - 1, 1, affix)) {
			u8 again = *flags & TOKEN_SIGNED;

			digits = read_digits(text, at, at + digits - 1, form->base, &magnitude, &again);
			*flags = again;
			suffix = 1;
		} else {
			return 0;
		}
	}
	if (!digits || (at + digits + suffix < len && as->is_name[(u8)text[at + digits + suffix]]))
		return 0;
	*value = *flags & TOKEN_SIGNED ? (i64)(0 - magnitude) : (i64)magnitude;
	return at + digits + suffix;
}

size_t asm_lex_number(const Assembler *as, const char *text, size_t len, i64 *value, u8 *flags)
{
	static const IsaNumberForm liberal[] = {{.base = 16, .affix = "0x"}, {.base = 2, .affix = "0b"}};
	size_t best = 0, best_affix = 0;

	/* The longest prefix wins ("0x" before "0" before ""), so 0x10 is not 0 followed by x10. */
	for (u32 i = 0; i < as->dialect->number_count + 2; i++) {
		const IsaNumberForm *form;
		i64 v;
		u8 f;
		size_t n, affix;

		if (i < as->dialect->number_count)
			form = &as->dialect->numbers[i];
		else if (as->options->liberal)
			form = &liberal[i - as->dialect->number_count];
		else
			break;
		affix = form->affix ? strlen(form->affix) : 0;
		if (best && affix <= best_affix)
			continue;
		n = number_with(as, form, text, len, &v, &f);
		if (n) {
			best = n;
			best_affix = affix;
			*value = v;
			*flags = f;
		}
	}
	return best;
}

bool asm_lex_is_decimal(const Assembler *as, const char *text, size_t len, size_t *digits)
{
	for (u32 i = 0; i < as->dialect->number_count; i++) {
		const IsaNumberForm *form = &as->dialect->numbers[i];
		i64 value;
		u8 flags;

		if (form->base != ISA_BASE_DEC || form->is_suffix)
			continue;
		if (number_with(as, form, text, len, &value, &flags) == len) {
			*digits = strlen(form->affix ? form->affix : "");
			return true;
		}
	}
	return false;
}

/* Length of a decimal fraction at text, or 0: 1.5, 2e10, -1.5e-3, #1.5, and #inf and #nan where there is a prefix. A
 * sign is its own, since there is no arithmetic with fractions that it could belong to. */
static size_t float_with(const Assembler *as, const char *affix, const char *text, size_t len)
{
	size_t at = strlen(affix), digits, start;
	bool fraction = false;

	if (at && !starts_with(text, len, affix))
		return 0;
	at += at < len && (text[at] == '-' || text[at] == '+');
	start = at;
	for (digits = 0; at < len && is_digit((u8)text[at]); digits++)
		at++;
	if (!digits && *affix && len - start >= 3 &&
	    (ascii_equal_fold(text + start, 3, "inf", 3) || ascii_equal_fold(text + start, 3, "nan", 3))) {
		at = start + 3;
		fraction = true;
	} else if (!digits) {
		return 0;
	}
	if (digits && at + 1 < len && text[at] == '.' && is_digit((u8)text[at + 1])) {
		for (at++; at < len && is_digit((u8)text[at]);)
			at++;
		fraction = true;
	}
	if (digits && at + 1 < len && (text[at] == 'e' || text[at] == 'E')) {
		size_t e = at + 1 + (text[at + 1] == '-' || text[at + 1] == '+');

		if (e < len && is_digit((u8)text[e])) {
			for (at = e; at < len && is_digit((u8)text[at]);)
				at++;
			fraction = true;
		}
	}
	return fraction && !(at < len && as->is_name[(u8)text[at]]) ? at : 0;
}

static size_t float_length(const Assembler *as, const char *text, size_t len, i64 *affix)
{
	for (u32 i = 0; as->floats && i < as->dialect->number_count; i++) {
		const IsaNumberForm *form = &as->dialect->numbers[i];
		const char *prefix = form->affix ? form->affix : "";
		size_t n = form->base == ISA_BASE_DEC && !form->is_suffix ? float_with(as, prefix, text, len) : 0;

		if (n) {
			*affix = (i64)strlen(prefix);
			return n;
		}
	}
	return 0;
}

/* Does this dialect, or an instruction, have any use for fractions? */
static bool has_floats(const Assembler *as)
{
	for (u32 i = 0; i < as->dialect->directive_count; i++)
		if (as->dialect->directives[i].is_float)
			return true;
	for (u32 i = 0; i < as->isa->field_count; i++)
		if (as->isa->fields[i].float_bits)
			return true;
	return false;
}

/* ---- Tokens ---- */

static AsmToken *add_token(Assembler *as, u32 *count, u8 kind, u8 flags, size_t offset, size_t len)
{
	if (!arena_grow(&as->scratch, (void **)&as->line_tokens, &as->line_token_cap, *count, sizeof(AsmToken))) {
		as->failed_memory = true;
		return NULL;
	}
	as->line_tokens[*count] =
		(AsmToken){.kind = kind, .flags = flags, .offset = (u32)offset, .len = (u16)len};
	return &as->line_tokens[(*count)++];
}

bool asm_comment_at(const IsaDialect *dialect, const char *text, size_t len)
{
	for (u32 i = 0; i < dialect->comment_count; i++) {
		size_t n = dialect->comments[i] ? strlen(dialect->comments[i]) : 0;

		if (n && n <= len && !memcmp(text, dialect->comments[i], n))
			return true;
	}
	return false;
}

/* Where the line ends when every quote, escaped or not, toggles whether a comment may begin. */
static size_t cut_comment(const Assembler *as, const char *text, size_t at, size_t end)
{
	bool quoted = false;

	for (; at < end; at++) {
		if (text[at] == as->dialect->quote)
			quoted = !quoted;
		else if (!quoted && asm_comment_at(as->dialect, text + at, end - at))
			return at;
	}
	return end;
}

/* Length of the string that starts at text[at]; `escapes`: a backslash protects what follows it. */
static size_t string_length(const char *text, size_t at, size_t end, char quote, bool escapes, bool *closed)
{
	size_t i = at + 1;

	*closed = false;
	while (i < end && text[i] != quote)
		i += escapes && text[i] == '\\' && i + 1 < end ? 2 : 1;
	if (i < end) {
		*closed = true;
		i++;
	}
	return (i > end ? end : i) - at;
}

/* Operators of more than one character; 0: it is just text[0]. */
static unsigned long_operator(const char *text, size_t len, bool neutral, i64 *op)
{
	static const struct { const char *text; u16 op; bool neutral; } table[] = {
		{">>s", OP_SAR, true}, {"<<", OP_SHL, false}, {">>", OP_SHR, false}, {"==", OP_EQ, true},
		{"!=", OP_NE, true},   {"<=", OP_LE, true},   {">=", OP_GE, true},   {"&&", OP_AND, true},
		{"||", OP_OR, true},
	};

	for (u32 i = 0; i < COUNT_OF(table); i++) {
		size_t n = strlen(table[i].text);

		if ((neutral || !table[i].neutral) && n <= len && !memcmp(text, table[i].text, n)) {
			/* `x >> s`: the sign letter must touch the arrows and end there. */
			if (n == 3 && n < len && (is_letter((u8)text[3]) || is_digit((u8)text[3])))
				continue;
			*op = table[i].op;
			return (unsigned)n;
		}
	}
	*op = (u8)text[0];
	return 1;
}

/* Length of the name at text[at], its prefix included, or 0. */
static size_t name_length(const Assembler *as, const char *text, size_t at, size_t end)
{
	const char *prefixes[2] = {as->dialect->register_prefix, as->dialect->symbol_prefix};
	size_t start = at;

	for (unsigned i = 0; i < 2; i++) {
		const char *prefix = prefixes[i] ? prefixes[i] : "";
		size_t n = strlen(prefix);

		if (n && end - at > n && !memcmp(text + at, prefix, n) && as->is_name[(u8)text[at + n]]) {
			at += n;
			break;
		}
	}
	if (at == start) {
		if (is_digit((u8)text[at]))
			return 0;
		if (text[at] == '.' && end - at > 1 && as->is_name[(u8)text[at + 1]])
			at++; /* a directive */
		else if (text[at] == '.' && !as->dialect->no_expressions)
			return 0; /* here */
		else if (!as->is_name[(u8)text[at]])
			return 0;
	}
	while (at < end && as->is_name[(u8)text[at]])
		at++;
	return at - start;
}

/* One character in quotes, as a number: 'a' or '\n'. */
static size_t char_literal(Assembler *as, const char *text, size_t at, size_t end, i64 *value)
{
	AsmToken token = {.kind = TOKEN_STRING, .offset = 0};
	bool closed;
	size_t n = string_length(text, at, end, '\'', true, &closed);
	AsmSpan span = {.count = 0};
	u32 in = 1;
	u8 c;

	if (!closed || n < 3 || n > 8)
		return 0;
	/* Read through the neutral text, so that it needs no source. */
	token.flags = TOKEN_NEUTRAL;
	token.len = (u16)n;
	span.neutral = text + at;
	if (!asm_string_next(as, &span, &token, &in, &c, false) || in + 1 != n)
		return 0;
	*value = c;
	return n;
}

u32 asm_lex_line(Assembler *as, u32 source, const char *text, size_t *from, size_t line_end)
{
	const IsaDialect *dialect = as->dialect;
	size_t at = *from, end = line_end;
	u32 count = 0;
	u8 blank = 0;

	if (dialect->quotes_toggle) {
		bool had_end = false;

		end = cut_comment(as, text, at, line_end);
		had_end = end < line_end;
		for (size_t i = at; had_end && i + 1 < end; i++)
			if (text[i] == '\\' && text[i + 1] == dialect->quote) {
				asm_report_at(as, DIAG_WARNING, source, end, 1, NULL,
					      "a comment begins here: a backslash does not protect a quote in this dialect");
				break;
			}
	}
	while (at < end) {
		AsmToken *token;
		size_t n;
		i64 value = 0;
		u8 flags = 0;

		if (as->is_blank[(u8)text[at]]) {
			blank = TOKEN_BLANK;
			at++;
			continue;
		}
		if (!dialect->quotes_toggle && asm_comment_at(dialect, text + at, end - at)) {
			at = end;
			break;
		}
		if (text[at] == dialect->quote) {
			bool closed;

			n = string_length(text, at, end, dialect->quote, dialect->unknown_escape != ISA_ESCAPE_NONE, &closed);
			token = add_token(as, &count, TOKEN_STRING, blank | (closed ? 0 : TOKEN_UNCLOSED), at, n);
		} else if ((n = float_length(as, text + at, end - at, &value))) {
			token = add_token(as, &count, TOKEN_FLOAT, blank, at, n);
		} else if ((n = asm_lex_number(as, text + at, end - at, &value, &flags))) {
			token = add_token(as, &count, TOKEN_NUMBER, blank | flags, at, n);
		} else if (text[at] == '\'' && !dialect->no_expressions &&
			   (n = char_literal(as, text, at, end, &value))) {
			token = add_token(as, &count, TOKEN_NUMBER, blank | TOKEN_CHAR, at, n);
		} else if ((n = name_length(as, text, at, end))) {
			token = add_token(as, &count, TOKEN_NAME, blank, at, n);
		} else if (is_digit((u8)text[at])) { /* a number of some other dialect */
			for (n = 1; at + n < end && as->is_name[(u8)text[at + n]];)
				n++;
			token = add_token(as, &count, TOKEN_PUNCT, blank, at, n);
		} else if ((n = sign_length(as, text + at, end - at))) {
			token = add_token(as, &count, TOKEN_PUNCT, blank, at, n);
			value = -1;
		} else if (text[at] == ';' && !as->dialect->lines_free) { /* no comment here, so it separates statements */
			at++;
			break;
		} else {
			n = long_operator(text + at, end - at, false, &value);
			token = add_token(as, &count, TOKEN_PUNCT, blank, at, n);
		}
		if (!token)
			break;
		token->value = value;
		blank = 0;
		at += n;
	}
	if (at >= end)
		at = line_end;
	*from = at;
	if (add_token(as, &count, TOKEN_END, blank, at, 0)) {
		AsmToken *last = &as->line_tokens[count - 1];

		/* The caret for something missing goes right behind the last thing that is there. */
		if (count > 1)
			last->offset = last[-1].offset + last[-1].len;
	}
	return count ? count - 1 : 0;
}

bool asm_lex_body(Assembler *as, const char *text, u32 offset, AsmBody *out)
{
	size_t len = strlen(text), at = 0;
	u32 count = 0;
	u8 blank = 0;

	while (at < len) {
		u8 c = (u8)text[at], flags = 0;
		u8 kind = TOKEN_PUNCT;
		size_t n;
		i64 value = 0;
		AsmToken *token;

		if (c == ' ' || c == '\t' || c == '\r') {
			blank = TOKEN_BLANK;
			at++;
			continue;
		}
		if (c == '#' && (at + 1 == len || text[at + 1] == ' ' || text[at + 1] == '#')) { /* comment */
			while (at < len && text[at] != '\n')
				at++;
			continue;
		}
		if (is_digit(c)) {
			u8 base = 10;
			size_t skip = 0;
			u64 magnitude;

			if (c == '0' && at + 2 < len && (text[at + 1] == 'x' || text[at + 1] == 'b'))
				base = text[at + 1] == 'x' ? 16 : 2, skip = 2;
			n = skip + read_digits(text, at + skip, len, base, &magnitude, &flags);
			value = (i64)magnitude;
			kind = TOKEN_NUMBER;
		} else if (is_letter(c) || c == '_') {
			for (n = 1; at + n < len && (is_letter((u8)text[at + n]) || is_digit((u8)text[at + n]) ||
						     text[at + n] == '_' || text[at + n] == '.');)
				n++;
			kind = TOKEN_NAME;
		} else if (c == '\n') {
			n = 1;
			value = ';';
		} else {
			n = long_operator(text + at, len - at, true, &value);
		}
		if (n > 0xFFFF)
			return false;
		token = add_token(as, &count, kind, (u8)(blank | flags | TOKEN_NEUTRAL), offset + at, n);
		if (!token)
			return false;
		token->value = value;
		blank = 0;
		at += n;
	}
	if (!add_token(as, &count, TOKEN_END, TOKEN_NEUTRAL, offset + at, 0))
		return false;
	out->count = count - 1;
	out->tokens = arena_alloc(&as->scratch, count * sizeof(AsmToken));
	if (!out->tokens) {
		as->failed_memory = true;
		return false;
	}
	memcpy(out->tokens, as->line_tokens, count * sizeof(AsmToken));
	return true;
}

/* ---- Strings ---- */

static const char *token_start(const Assembler *as, const AsmSpan *span, const AsmToken *token)
{
	if (token->flags & TOKEN_NEUTRAL)
		return span->neutral + token->offset;
	return as->program->sources[span->source].text + token->offset;
}

static bool escape_value(char c, u8 *out)
{
	static const char letters[] = "abefnrtv0\\\"'?";
	static const char values[] = "\a\b\033\f\n\r\t\v\0\\\"'?";
	const char *found = c ? strchr(letters, c) : NULL;

	if (found)
		*out = (u8)values[found - letters];
	return found != NULL;
}

bool asm_string_next(Assembler *as, const AsmSpan *span, const AsmToken *token, u32 *at, u8 *c, bool report)
{
	const char *text = token_start(as, span, token);
	const char *allowed = as->dialect->escapes && *as->dialect->escapes ? as->dialect->escapes : NULL;
	u32 end = token->len - (token->flags & TOKEN_UNCLOSED ? 0 : 1);
	AsmToken place = *token;
	char escape;

	if (token->kind != TOKEN_STRING) { /* a bare word */
		if (*at >= token->len)
			return false;
		*c = (u8)text[(*at)++];
		return true;
	}
	if (*at == 0)
		*at = 1;
	if (*at >= end)
		return false;
	if (text[*at] != '\\' || *at + 1 >= end || as->dialect->unknown_escape == ISA_ESCAPE_NONE) {
		*c = (u8)text[(*at)++];
		return true;
	}
	escape = text[*at + 1];
	if (!allowed && escape == 'x' && *at + 2 < end && digit_value((u8)text[*at + 2]) < 16) {
		u32 n = 2;
		unsigned value = 0;

		while (n < 4 && *at + n < end && digit_value((u8)text[*at + n]) < 16)
			value = value * 16 + (unsigned)digit_value((u8)text[*at + n++]);
		*c = (u8)value;
		*at += n;
		return true;
	}
	if (!allowed && escape >= '0' && escape <= '7') {
		u32 n = 1;
		unsigned value = 0;

		while (n < 4 && *at + n < end && text[*at + n] >= '0' && text[*at + n] <= '7')
			value = value * 8 + (unsigned)(text[*at + n++] - '0');
		*c = (u8)value;
		*at += n;
		return true;
	}
	if ((!allowed || strchr(allowed, escape)) && escape && escape_value(escape, c)) {
		*at += 2;
		return true;
	}
	if (as->dialect->unknown_escape == ISA_ESCAPE_KEEP) { /* the backslash now, the character next time */
		*c = (u8)text[(*at)++];
		return true;
	}
	if (as->dialect->unknown_escape == ISA_ESCAPE_ERROR && report) {
		place.offset += *at;
		place.len = 2;
		asm_error(as, span, &place, "write \\\\ for a backslash itself", "'\\%c' is no escape of this dialect",
			  escape >= 0x20 && escape < 0x7F ? escape : '?');
	}
	*c = (u8)escape;
	*at += 2;
	return true;
}
