/* SPDX-License-Identifier: MIT
 *
 * `lines free`: line ends are blanks, so where does a statement end? Where the next one begins, and that is at
 *   - `name:`, a directive, `NAME =` (with a directive of constants);
 *   - a mnemonic, or, where registers and labels both have a prefix, any bare word that no operand could be: so that
 *     a mistyped mnemonic is a wrong instruction of its own and no strange operand of the one before it;
 *   - whatever follows something that takes no operands: HLT, a number alone, the name of a section.
 * A comment still ends with its line.
 *
 * Tokens are collected line by line, and handed on (asm_parse_statement) as soon as a statement is seen to be whole,
 * which takes one token more than its last. What waits is at most one statement and one line, so a long text needs
 * no more memory than a short one; a statement of more than ASM_MAX_LINE tokens is refused.
 */
#include "asm/asm_internal.h"

#include <string.h>

static AsmSpan span_of(const AsmFree *text)
{
	return (AsmSpan){.tokens = text->tokens, .count = text->count, .source = text->source};
}

static const char *text_at(const AsmFree *text, u32 i)
{
	AsmSpan span = span_of(text);

	return asm_token_text(text->as, &span, &text->tokens[i]);
}

static const IsaDirective *directive_at(const AsmFree *text, u32 i)
{
	const Assembler *as = text->as;
	const AsmToken *token = &text->tokens[i];
	u32 index = ASM_NO_INDEX;

	if (i < text->count && (token->kind == TOKEN_NAME || token->kind == TOKEN_PUNCT))
		index = strmap_get(&as->directives, text_at(text, i), token->len, ASM_NO_INDEX);
	return index == ASM_NO_INDEX ? NULL : &as->dialect->directives[index];
}

/* `N = 5`. Where lines may end anywhere a word behind a name begins something new: `out r1 define N 5`. */
static bool names_constant(const AsmFree *text, u32 i)
{
	const IsaDirective *d = directive_at(text, i + 1);

	return text->tokens[i].kind == TOKEN_NAME && d && d->action == ISA_ACT_EQU && !directive_at(text, i) &&
	       text->tokens[i + 1].kind == TOKEN_PUNCT;
}

static bool is_label(const AsmFree *text, u32 i)
{
	return i + 1 < text->count && text->tokens[i].kind == TOKEN_NAME && text->tokens[i + 1].kind == TOKEN_PUNCT &&
	       text->tokens[i + 1].value == ':';
}

static bool is_mnemonic(const AsmFree *text, u32 i)
{
	const AsmToken *token = &text->tokens[i];

	return (token->kind == TOKEN_NAME || token->kind == TOKEN_PUNCT) &&
	       asm_is_mnemonic(text->as, text_at(text, i), token->len);
}

static bool has_prefix(const AsmFree *text, u32 i, const char *prefix)
{
	size_t n = prefix ? strlen(prefix) : 0;

	return n && text->tokens[i].len > n && !memcmp(text_at(text, i), prefix, n);
}

/* A word that is part of some operand: the name of an enum value, or punctuation of the syntax such as `into`. */
static bool is_operand_word(const AsmFree *text, u32 i)
{
	const Assembler *as = text->as;
	AsmSpan span = span_of(text);
	const AsmToken *token = &text->tokens[i];

	if (as->diags->count >= DIAG_MAX)
		return false; /* nobody will read it */
	for (u32 f = 0; f < as->isa->field_count; f++) {
		const IsaField *field = &as->isa->fields[f];

		if ((field->kind == ISA_FIELD_ENUM && asm_enum(as, &span, token, field) < field->enum_count) ||
		    (field->of_word && asm_token_is(as, &span, token, field->of_word)))
			return true;
	}
	for (u32 f = 0; f < as->isa->form_count; f++)
		for (u32 s = 0; s < as->isa->forms[f].syntax_count; s++) {
			const IsaSyntax *syntax = &as->isa->forms[f].syntax[s];

			if (!syntax->is_field && asm_token_is(as, &span, token, syntax->text))
				return true;
		}
	return false;
}

/* May a statement begin at token i, which stands behind the beginning of another whose operands are from `operands` on? */
static bool begins(const AsmFree *text, u32 i, u32 operands)
{
	const Assembler *as = text->as;
	const IsaDialect *dialect = as->dialect;
	const AsmToken *token = &text->tokens[i], *before = token - 1;
	AsmSpan span = span_of(text);

	if (before->kind == TOKEN_PUNCT && before->value == ',')
		return false;
	if (token->kind == TOKEN_PUNCT)
		return directive_at(text, i) || (dialect->no_expressions && is_mnemonic(text, i));
	if (token->kind == TOKEN_NUMBER || token->kind == TOKEN_FLOAT) /* `.word 1 2` has no comma, so the 2 is alone */
		return dialect->number_alone && as->commas_count && i > operands && before->kind != TOKEN_PUNCT;
	if (token->kind != TOKEN_NAME)
		return false;
	if (is_label(text, i) || directive_at(text, i) || names_constant(text, i))
		return true;
	if (has_prefix(text, i, dialect->register_prefix) || has_prefix(text, i, dialect->symbol_prefix) ||
	    asm_register(as, &span, token, ISA_NONE) != ASM_NO_INDEX)
		return false;
	if (text_at(text, i)[0] == '.' || is_mnemonic(text, i))
		return true;
	return dialect->register_prefix[0] && dialect->symbol_prefix[0] && !dialect->bare_strings &&
	       !is_operand_word(text, i);
}

/* How many tokens the statement that begins at token `at` has at least, its first; 0: it is whole with *whole. */
static u32 head_of(const AsmFree *text, u32 at, u32 *whole)
{
	const Assembler *as = text->as;
	const AsmToken *token = &text->tokens[at];
	const IsaDirective *d = directive_at(text, at);
	bool number = as->dialect->number_alone != NULL;

	*whole = 1;
	if (names_constant(text, at))
		return 2;
	if (d) {
		if (d->action == ISA_ACT_END || (d->action == ISA_ACT_SECTION && d->section))
			return 0;
		return d->action == ISA_ACT_EQU || d->action == ISA_ACT_GLOBAL || d->action == ISA_ACT_SECTION ? 2 : 1;
	}
	if (is_mnemonic(text, at))
		return asm_takes_operands(as, text_at(text, at), token->len) ? 1 : 0;
	if (number && token->kind == TOKEN_PUNCT && token->value == '-' && at + 1 < text->count &&
	    token[1].kind == TOKEN_NUMBER && !(token[1].flags & TOKEN_BLANK)) {
		*whole = 2;
		return 0;
	}
	return number ? 0 : 1;
}

/* Tokens of the first statement, or 0 when its end is not to be seen yet. */
static u32 first_statement(AsmFree *text, bool last)
{
	u32 at = 0, whole, need;

	while (is_label(text, at))
		at += 2;
	/* One token behind must be known: it tells a label from a mnemonic. */
	if (at + 1 >= text->count)
		return last ? text->count : 0;
	need = head_of(text, at, &whole);
	if (!need)
		return at + whole;
	for (u32 i = text->looked > at + need ? text->looked : at + need; i + !last < text->count; i++) {
		if (begins(text, i, at + need))
			return i;
		text->looked = i;
	}
	return last ? text->count : 0;
}

static void hand_on(AsmFree *text, u32 count)
{
	Assembler *as = text->as;
	AsmToken behind = text->tokens[count], *end = &text->tokens[count]; /* there is always room for one more */
	const AsmToken *final = end - 1;

	*end = (AsmToken){.kind = TOKEN_END, .flags = TOKEN_BLANK, .offset = final->offset + final->len};
	asm_parse_statement(as, text->source, text->tokens, count, text->lines[0], text->lines);
	*end = behind;
	text->count -= count;
	text->tokens += count;
	text->lines += count;
	text->looked = 0;
}

static void split(AsmFree *text, bool last)
{
	Assembler *as = text->as;

	while (text->count && !as->stop && !as->halted && !as->failed_memory) {
		u32 count = first_statement(text, last);

		if (!count) {
			const AsmToken *first = text->tokens;

			if (text->count <= ASM_MAX_LINE)
				return;
			asm_report_at(as, DIAG_ERROR, text->source, first->offset, first->len, NULL,
				      "the statement that begins here has more than %d words", ASM_MAX_LINE);
			as->halted = true;
			return;
		}
		hand_on(text, count);
	}
}

void asm_free_line(AsmFree *text, u32 count, u32 line)
{
	Assembler *as = text->as;

	if (text->tokens != text->all) {
		memmove(text->all, text->tokens, text->count * sizeof(*text->all));
		memmove(text->all_lines, text->lines, text->count * sizeof(*text->all_lines));
		text->tokens = text->all;
		text->lines = text->all_lines;
	}
	for (u32 i = 0; i < count; i++) {
		/* Room for this one and a TOKEN_END. */
		if ((text->count + 2 > text->cap &&
		     !arena_grow(&as->scratch, (void **)&text->all, &text->cap, text->cap, sizeof(*text->all))) ||
		    !arena_grow(&as->scratch, (void **)&text->all_lines, &text->line_cap, text->count,
				sizeof(*text->all_lines))) {
			as->failed_memory = true;
			return;
		}
		text->tokens = text->all;
		text->lines = text->all_lines;
		text->tokens[text->count] = as->line_tokens[i];
		text->tokens[text->count].flags |= i ? 0 : TOKEN_BLANK;
		text->lines[text->count++] = line;
	}
	split(text, false);
}

void asm_free_end(AsmFree *text)
{
	split(text, true);
}
