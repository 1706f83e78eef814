/* SPDX-License-Identifier: MIT
 *
 * Operands against the syntax of each form of a mnemonic. Only shape is looked at here (a register where a register
 * must be, a parenthesis where one must be); whether values fit is asm_encode's question, at every walk anew, since
 * labels move. What comes out is the list of candidates, shortest first.
 *
 * Of several forms that fit in shape, those that used most punctuation win: in `JMP (x)` the parenthesis is the
 * indirect form's, though it could also be read as part of an expression.
 *
 * When no form fits, the message is about the place that the furthest form reached, and says what any of those forms
 * wanted there.
 */
#include "asm/asm_internal.h"

#include <string.h>

enum { MAX_WANTED = 6, MAX_CANDIDATES = 64 };

typedef struct Match {
	Assembler *as;
	const AsmSpan *span;
	u32 at;
	u32 far;          /* furthest token at which a form failed */
	bool describe;    /* collect what was wanted there */
	bool said;        /* an expression has complained itself */
	u32 literals;     /* punctuation tokens matched */
	const char *wanted[MAX_WANTED];
	u32 wanted_count;
} Match;

static const AsmToken *peek(const Match *m)
{
	return &m->span->tokens[m->at];
}

/* Notes a failure at the current token; `what` is only asked for when describing. */
static bool want(Match *m, const char *what)
{
	if (m->at > m->far) {
		m->far = m->at;
		m->wanted_count = 0;
	}
	if (!m->describe || m->at != m->far || m->wanted_count == MAX_WANTED || !what)
		return false;
	for (u32 i = 0; i < m->wanted_count; i++)
		if (!strcmp(m->wanted[i], what))
			return false;
	m->wanted[m->wanted_count++] = what;
	return false;
}

static const char *describe_register(const Match *m, const IsaField *field, unsigned width)
{
	const IsaReg *reg = &m->as->isa->regs[field->reg];
	const char *prefix = m->as->dialect->register_prefix ? m->as->dialect->register_prefix : "";
	u64 last = (u64)field->reg_from + (width >= 32 ? 0xFFFFFFFF : ((u64)1 << width) - 1);
	const char *first_name, *last_name;

	if (last >= reg->count)
		last = reg->count - 1;
	if (!reg->names || field->reg_from >= reg->count)
		return "a register";
	first_name = reg->names[field->reg_from];
	last_name = reg->names[last];
	if (!strncmp(first_name, prefix, strlen(prefix)))
		prefix = "";
	return arena_printf(&m->as->scratch, "a register (%s%s..%s%s)", prefix, first_name, prefix, last_name);
}

static const char *describe_enum(const Match *m, const IsaField *field)
{
	char *text = arena_strdup(&m->as->scratch, "one of ");

	for (u32 i = 0; text && i < field->enum_count && i < 12; i++)
		text = arena_printf(&m->as->scratch, "%s%s%s", text, i ? ", " : "", field->enums[i].name);
	return text;
}

static bool is_punct(const AsmToken *token, char c)
{
	return token->kind == TOKEN_PUNCT && token->value == c;
}

/* ---- Pieces ---- */

/* A literal of the syntax, e.g. "(" or "sp" or "),": each token must be its next part. */
static bool match_literal(Match *m, const char *literal)
{
	const Assembler *as = m->as;

	while (*literal) {
		const AsmToken *token = peek(m);
		const char *text;
		size_t len;

		if (*literal == ' ') {
			literal++;
			continue;
		}
		if (*literal == ',' && !as->commas_count && !(token->flags & TOKEN_NEUTRAL)) {
			literal++; /* blanks do */
			continue;
		}
		if (token->kind == TOKEN_END || token->kind == TOKEN_VALUE)
			return want(m, m->describe ? arena_printf(&m->as->scratch, "'%s'", literal) : NULL);
		text = asm_token_text(as, m->span, token);
		len = token->len;
		if (token->kind == TOKEN_NAME && as->dialect->register_prefix) {
			size_t n = strlen(as->dialect->register_prefix);

			if (n && len > n && !memcmp(text, as->dialect->register_prefix, n) &&
			    strncmp(literal, as->dialect->register_prefix, n) != 0) {
				text += n;
				len -= n;
			}
		}
		if (len > strlen(literal) ||
		    !(as->dialect->fold_case ? ascii_equal_fold(text, len, literal, len)
					     : !memcmp(text, literal, len)))
			return want(m, m->describe ? arena_printf(&m->as->scratch, "'%s'", literal) : NULL);
		if (*literal != ',')
			m->literals++;
		literal += len;
		m->at++;
	}
	return true;
}

u32 asm_enum(const Assembler *as, const AsmSpan *span, const AsmToken *token, const IsaField *field)
{
	u32 i = 0;

	if (token->kind != TOKEN_NAME && token->kind != TOKEN_PUNCT)
		return field->enum_count;
	while (i < field->enum_count && !asm_token_is(as, span, token, field->enums[i].name))
		i++;
	return i;
}

bool asm_list(const Assembler *as, const AsmSpan *span, u32 *at, u16 reg, u64 *mask)
{
	*mask = 0;
	if (!is_punct(&span->tokens[*at], '{'))
		return false;
	++*at;
	while (!is_punct(&span->tokens[*at], '}')) {
		u32 from = asm_register(as, span, &span->tokens[*at], reg), to = from;

		if (from >= 64)
			return false;
		++*at;
		if (is_punct(&span->tokens[*at], '-')) {
			++*at;
			to = asm_register(as, span, &span->tokens[*at], reg);
			if (to >= 64 || to < from)
				return false;
			++*at;
		}
		for (u32 i = from; i <= to; i++)
			*mask |= (u64)1 << i;
		if (is_punct(&span->tokens[*at], ','))
			++*at;
		else if (as->commas_count && !is_punct(&span->tokens[*at], '}'))
			return false;
	}
	++*at;
	return true;
}

/* An expression that began well went wrong at token `failed`: when describing it says so itself, that is best. */
static bool expression_failed(Match *m, u32 failed)
{
	if (m->describe && failed >= m->far && !m->said) {
		bool dry = m->as->dry;
		AsmValue value;
		u32 at = m->at;

		m->as->dry = false;
		m->said = !asm_expr(m->as, m->span, &at, &value);
		m->as->dry = dry;
	}
	m->at = failed;
	return want(m, NULL);
}

static bool match_number(Match *m, const IsaField *field)
{
	bool label = field->kind == ISA_FIELD_REL || field->kind == ISA_FIELD_ABS;
	const AsmToken *token = peek(m);
	bool limited = m->as->dialect->no_expressions && !(token->flags & TOKEN_NEUTRAL);
	const char *what = label ? "a label or a number" : "a number";
	u32 at = m->at;
	AsmValue value;
	bool named;

	if (token->kind == TOKEN_END || token->kind == TOKEN_STRING)
		return want(m, what);
	if (token->kind == TOKEN_NAME &&
	    (asm_register(m->as, m->span, token, ISA_NONE) != ASM_NO_INDEX || (limited && !label)))
		return want(m, what);
	if (asm_expr(m->as, m->span, &at, &value)) {
		m->at = at;
		return true;
	}
	/* A function or a label without its prefix fails at its first token, and yet is no stranger there. */
	named = token->kind == TOKEN_NAME && ((token->flags & TOKEN_NEUTRAL && is_punct(token + 1, '(')) ||
					      (m->as->dialect->symbol_prefix && *m->as->dialect->symbol_prefix));
	if (at == m->at && !named)
		return want(m, what);
	return expression_failed(m, at);
}

static bool match_float(Match *m, const IsaField *field)
{
	u32 at = m->at;
	u64 value;
	bool known;

	if (peek(m)->kind == TOKEN_END || !asm_float(m->as, m->span, &at, field->float_bits, &value, &known))
		return want(m, "a number such as 1.5");
	m->at = at;
	return true;
}

static bool match_field(Match *m, const IsaInsn *insn, unsigned index)
{
	const IsaInsnField *place = &insn->fields[index];
	const IsaField *field = &m->as->isa->fields[place->field];
	u32 element, at = m->at;
	u64 mask;

	if (m->as->checking && peek(m)->kind == TOKEN_VALUE &&
	    (field->kind == ISA_FIELD_REG || field->kind == ISA_FIELD_LIST || field->kind == ISA_FIELD_ENUM)) {
		/* A parameter: may be anything. */
		m->at++;
		return true;
	}
	switch (field->kind) {
	case ISA_FIELD_REG:
		element = asm_register(m->as, m->span, peek(m), field->reg);
		if (element == ASM_NO_INDEX || element < field->reg_from ||
		    (place->width < 32 && element - field->reg_from >= (u32)1 << place->width))
			return want(m, m->describe ? describe_register(m, field, place->width) : NULL);
		m->at++;
		return true;
	case ISA_FIELD_LIST:
		if (!asm_list(m->as, m->span, &at, field->reg, &mask)) {
			m->at = at;
			return want(m, "a list of registers such as {a, b-c}");
		}
		m->at = at;
		return true;
	case ISA_FIELD_ENUM:
		if (asm_enum(m->as, m->span, peek(m), field) < field->enum_count) {
			m->at++;
			return true;
		}
		if (peek(m)->kind == TOKEN_NAME || peek(m)->kind == TOKEN_END)
			return want(m, m->describe ? describe_enum(m, field) : NULL);
		return match_number(m, field);
	default:
		if (field->float_bits)
			return match_float(m, field);
		if (field->of_word && asm_token_is(m->as, m->span, peek(m), field->of_word))
			m->at++;
		return match_number(m, field);
	}
}

/* An operand used twice (`c.add rd, rd, rs2` as an alias) must be written the same twice. */
static bool same_tokens(const Match *m, u32 a, u32 b, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		const AsmToken *x = &m->span->tokens[a + i], *y = &m->span->tokens[b + i];
		const char *text;

		if (x->kind != y->kind || x->value != y->value)
			return false;
		if (x->kind != TOKEN_NAME)
			continue;
		text = asm_token_text(m->as, m->span, x);
		if (x->len != y->len || !ascii_equal_fold(text, x->len, asm_token_text(m->as, m->span, y), y->len))
			return false;
	}
	return true;
}

/* May the syntax end at item `at` because what is left is an enum at its default (and the comma in front of it)? */
static bool rest_is_default(const Assembler *as, const IsaInsn *insn, const IsaForm *form, u32 at)
{
	const IsaSyntax *syntax = &form->syntax[form->syntax_count - 1];
	const IsaField *field;

	if (at != 0 && strcmp(form->syntax[at].is_field ? "" : form->syntax[at].text, ",") != 0)
		return false;
	if (at + (at ? 2 : 1) != form->syntax_count || !syntax->is_field)
		return false;
	field = &as->isa->fields[insn->fields[syntax->field].field];
	return field->kind == ISA_FIELD_ENUM && field->enum_default != ISA_NONE;
}

/* `(a0)` for `0(a0)`: here stands what comes behind the number, and no number begins with it. */
static bool left_out(const Match *m, const IsaInsn *insn, const IsaForm *form, u32 at)
{
	const IsaField *field = &m->as->isa->fields[insn->fields[form->syntax[at].field].field];
	const char *next = at + 1 < form->syntax_count && !form->syntax[at + 1].is_field ? form->syntax[at + 1].text : NULL;
	bool dry = m->as->dry, number;
	AsmValue value;
	u32 end = m->at;

	if (!field->has_default || !next || !is_punct(peek(m), next[0]))
		return false;
	m->as->dry = true;
	number = asm_expr(m->as, m->span, &end, &value);
	m->as->dry = dry;
	return !number;
}

/* `0(a0)` where the instruction has no offset, as the GNU assembler lets it be written. */
static bool is_offset_zero(const Match *m, const char *literal)
{
	const AsmToken *token = peek(m);

	return m->as->dialect->gnu && literal[0] == '(' && token->kind == TOKEN_NUMBER && token->value == 0 &&
	       is_punct(token + 1, '(');
}

static bool match_form(Match *m, const IsaForm *form, u32 at, AsmCandidate *out)
{
	const IsaInsn *insn = &m->as->isa->insns[form->insn];

	memset(out->at, 0xFF, sizeof(out->at));
	m->at = at;
	m->literals = 0;
	for (u32 i = 0; i < form->syntax_count; i++) {
		const IsaSyntax *syntax = &form->syntax[i];
		u32 start = m->at;

		if (peek(m)->kind == TOKEN_END && rest_is_default(m->as, insn, form, i))
			return true;
		if (!syntax->is_field) {
			if (is_offset_zero(m, syntax->text))
				m->at++;
			if (!match_literal(m, syntax->text))
				return false;
			continue;
		}
		if (left_out(m, insn, form, i))
			continue;
		if (!match_field(m, insn, syntax->field))
			return false;
		if (out->at[syntax->field] == ASM_NO_TOKEN) {
			out->at[syntax->field] = (u16)start;
		} else if (!same_tokens(m, out->at[syntax->field], start, m->at - start)) {
			m->at = start;
			return want(m, "the same operand again");
		}
	}
	return peek(m)->kind == TOKEN_END || want(m, NULL);
}

static bool match_pseudo(Match *m, const IsaPseudo *pseudo, u32 at, AsmCandidate *out)
{
	memset(out->at, 0xFF, sizeof(out->at));
	m->at = at;
	m->literals = 0;
	for (u32 i = 0; i < pseudo->syntax_count; i++) {
		const IsaSyntax *syntax = &pseudo->syntax[i];
		u32 next = m->at;
		AsmValue value;

		if (!syntax->is_field) {
			if (!match_literal(m, syntax->text))
				return false;
			continue;
		}
		if (peek(m)->kind == TOKEN_END || syntax->field >= ISA_MAX_FIELDS)
			return want(m, "an operand");
		out->at[syntax->field] = (u16)m->at;
		if (asm_expr(m->as, m->span, &next, &value))
			m->at = next;
		else if (peek(m)->kind == TOKEN_NAME || peek(m)->kind == TOKEN_FLOAT)
			m->at++;
		else if (next != m->at)
			return expression_failed(m, next);
		else
			return want(m, "an operand");
	}
	return peek(m)->kind == TOKEN_END || want(m, NULL);
}

/* ---- All forms of a mnemonic ---- */

static bool excluded(const Assembler *as, const char *name, size_t len)
{
	for (u32 i = 0; i < as->dialect->exclude_count; i++)
		if (asm_same(as, name, len, as->dialect->excludes[i]))
			return true;
	return false;
}

static u32 first_form(const Assembler *as, const char *name, size_t len)
{
	return strmap_get(&as->isa->mnemonics, name, len, ASM_NO_INDEX);
}

bool asm_is_mnemonic(const Assembler *as, const char *name, size_t len)
{
	if (excluded(as, name, len))
		return false;
	if (strmap_get(&as->pseudos, name, len, ASM_NO_INDEX) != ASM_NO_INDEX)
		return true;
	for (u32 i = first_form(as, name, len); i != ASM_NO_INDEX; i = as->isa->form_next[i])
		if (asm_same(as, name, len, as->isa->forms[i].mnemonic))
			return true;
	return false;
}

bool asm_takes_operands(const Assembler *as, const char *name, size_t len)
{
	for (u32 i = first_form(as, name, len); i != ASM_NO_INDEX; i = as->isa->form_next[i])
		if (as->isa->forms[i].syntax_count && asm_same(as, name, len, as->isa->forms[i].mnemonic))
			return true;
	for (u32 i = strmap_get(&as->pseudos, name, len, ASM_NO_INDEX); i < as->isa->pseudo_count; i++)
		if (as->isa->pseudos[i].syntax_count && asm_same(as, name, len, as->isa->pseudos[i].mnemonic))
			return true;
	return false;
}

/* "ADD d, a, b": how a form is written. */
static char *form_usage(Assembler *as, const char *mnemonic, const IsaSyntax *syntax, u32 count, const IsaInsn *insn,
			const IsaPseudo *pseudo)
{
	char *text = arena_strdup(&as->scratch, mnemonic);

	for (u32 i = 0; text && i < count; i++) {
		const char *piece = syntax[i].text, *gap = i ? "" : " ";

		if (syntax[i].is_field && !pseudo) {
			const IsaField *field = &as->isa->fields[insn->fields[syntax[i].field].field];

			piece = arena_printf(&as->scratch, "%s%s", dis_prefix(as->dialect, field), field->name);
		} else if (syntax[i].is_field)
			piece = pseudo->params[syntax[i].field];
		else if (!strcmp(piece, ","))
			piece = as->blanks_separate && !as->is_blank[','] ? " " : ", ";
		text = arena_printf(&as->scratch, "%s%s%s", text, gap, piece);
	}
	return text;
}

/* Adds one way of writing to the text, unless it is there already. */
static char *add_usage(Assembler *as, char *text, const char *one, u32 *shown)
{
	if (!one || (text && strstr(text, one)))
		return text;
	++*shown;
	return text ? arena_printf(&as->scratch, "%s, or: %s", text, one)
		    : arena_printf(&as->scratch, "it is written: %s", one);
}

static const char *usage(Assembler *as, const char *name, size_t len)
{
	char *text = NULL;
	u32 shown = 0, pieces = 0;

	for (u32 i = first_form(as, name, len); i != ASM_NO_INDEX && shown < 4; i = as->isa->form_next[i]) {
		const IsaForm *form = &as->isa->forms[i];

		if (asm_same(as, name, len, form->mnemonic) && !form->shadowed) {
			pieces = form->syntax_count;
			text = add_usage(as, text, form_usage(as, form->mnemonic, form->syntax, form->syntax_count,
							      &as->isa->insns[form->insn], NULL), &shown);
		}
	}
	for (u32 i = 0; i < as->isa->pseudo_count && shown < 4; i++) {
		const IsaPseudo *pseudo = &as->isa->pseudos[i];

		/* What looks the same says nothing more. */
		if (asm_same(as, name, len, pseudo->mnemonic) && !(shown && pseudo->syntax_count == pieces))
			text = add_usage(as, text, form_usage(as, pseudo->mnemonic, pseudo->syntax, pseudo->syntax_count,
							      NULL, pseudo), &shown);
	}
	return text;
}

static void explain(Match *m, const char *name, size_t len)
{
	Assembler *as = m->as;
	const AsmToken *token = &m->span->tokens[m->far];
	const char *hint, *list = NULL;

	if (m->said)
		return;
	hint = usage(as, name, len);
	for (u32 i = 0; i < m->wanted_count; i++)
		list = !i ? m->wanted[0] : arena_printf(&as->scratch, "%s or %s", list, m->wanted[i]);
	if (!as->commas_count && is_punct(token, ','))
		asm_error(as, m->span, token, hint, "operands are separated by blanks here, not by commas");
	else if (is_punct(token, '-') && token[1].kind == TOKEN_NUMBER && as->dialect->no_expressions)
		asm_error(as, m->span, token, "the sign of a number stands behind its prefix",
			  "%s is not a number", asm_quote(as, m->span, token));
	else if (is_punct(token, 0))
		asm_error(as, m->span, token, asm_number_usage(as), "%s is no number", asm_quote(as, m->span, token));
	else if (!list)
		asm_error(as, m->span, token, hint, "%s is more than %.*s takes", asm_quote(as, m->span, token),
			  (int)(len > 60 ? 60 : len), name);
	else if (token->kind == TOKEN_END)
		asm_error(as, m->span, token, hint, "%s is missing here", list);
	else if (list[0] == '\'')
		asm_error(as, m->span, token, hint, "%s is expected before %s", list, asm_quote(as, m->span, token));
	else
		asm_error(as, m->span, token, hint, "%s is not %s", asm_quote(as, m->span, token), list);
}

u32 asm_form_cells(const Isa *isa, const IsaForm *form)
{
	u32 cell_bits = isa->spaces[isa->code_space].cell_bits;

	return (isa->insns[form->insn].bits + cell_bits - 1) / cell_bits;
}

static void add_candidate(Match *m, AsmCandidate *found, u32 *literals, u32 *count, const AsmCandidate *candidate)
{
	const Isa *isa = m->as->isa;
	u32 i;

	if (*count && m->literals < *literals)
		return;
	if (!*count || m->literals > *literals)
		*count = 0;
	*literals = m->literals;
	if (*count == MAX_CANDIDATES)
		return;
	/* Shortest first, in the order of the file among equals; pseudo-instructions last. */
	for (i = *count; i > 0 && !(candidate->form & ASM_PSEUDO); i--) {
		const AsmCandidate *before = &found[i - 1];

		if (!(before->form & ASM_PSEUDO) && asm_form_cells(isa, &isa->forms[before->form]) <=
							    asm_form_cells(isa, &isa->forms[candidate->form]))
			break;
		found[i] = *before;
	}
	found[i] = *candidate;
	++*count;
}

static u32 match_all(Match *m, const char *name, size_t len, u32 at, AsmCandidate *found)
{
	const Isa *isa = m->as->isa;
	u32 count = 0, literals = 0;
	AsmCandidate candidate;

	for (u32 i = first_form(m->as, name, len); i != ASM_NO_INDEX; i = isa->form_next[i]) {
		candidate.form = i;
		if (!isa->forms[i].shadowed && asm_same(m->as, name, len, isa->forms[i].mnemonic) &&
		    match_form(m, &isa->forms[i], at, &candidate))
			add_candidate(m, found, &literals, &count, &candidate);
	}
	for (u32 i = strmap_get(&m->as->pseudos, name, len, ASM_NO_INDEX); i < isa->pseudo_count; i++) {
		candidate.form = ASM_PSEUDO + i;
		if (asm_same(m->as, name, len, isa->pseudos[i].mnemonic) &&
		    match_pseudo(m, &isa->pseudos[i], at, &candidate))
			add_candidate(m, found, &literals, &count, &candidate);
	}
	return count;
}

u32 asm_match(Assembler *as, const AsmSpan *span, const char *name, size_t len, u32 at, AsmCandidate **out)
{
	Match m = {.as = as, .span = span};
	AsmCandidate found[MAX_CANDIDATES];
	bool dry = as->dry;
	u32 count;

	as->dry = true;
	count = match_all(&m, name, len, at, found);
	if (!count && !dry && as->diags->count < DIAG_MAX) {
		m.describe = true;
		match_all(&m, name, len, at, found);
	}
	as->dry = dry;
	if (!count && !dry) {
		if (as->diags->count < DIAG_MAX)
			explain(&m, name, len);
		else
			as->diags->errors++;
		return 0;
	}
	*out = count ? arena_alloc(as->expanding ? &as->temp : &as->scratch, count * sizeof(**out)) : NULL;
	if (!*out) {
		as->failed_memory = as->failed_memory || count;
		return 0;
	}
	memcpy(*out, found, count * sizeof(**out));
	return count;
}
