/* SPDX-License-Identifier: MIT
 *
 * Expressions over numbers, labels, `.` (or `*`: here) and, inside a pseudo-instruction's body, a few functions.
 * Evaluated from tokens each time: there is no tree, since a label may move between two walks.
 *
 * Precedence as in C: unary - + ~ (and < > = low and high part of an address), * / %, + -, << >>, &, ^, |; in bodies
 * also comparisons, && and ||. All on 64 bits; `>>` keeps the sign in a program and not in a body (there `>>s` does).
 * Where blanks separate operands, an operator with a blank in front of it does not go on: `a -1` are two operands,
 * unless in parentheses.
 *
 * A value that depends on something not yet placed is `known == false`; nothing is said about it until the walk that
 * writes, so forward references cost nothing.
 */
#include "asm/asm_internal.h"

#include <string.h>

#include "base/bits.h"

typedef struct Expr {
	Assembler *as;
	const AsmSpan *span;
	u32 at;
	u32 depth;
	u32 parens;
} Expr;

static bool expr_binary(Expr *e, unsigned level, AsmValue *value);

bool asm_same(const Assembler *as, const char *a, size_t alen, const char *b)
{
	size_t blen = strlen(b);

	return as->dialect->fold_case ? ascii_equal_fold(a, alen, b, blen) : alen == blen && !memcmp(a, b, alen);
}

bool asm_token_is(const Assembler *as, const AsmSpan *span, const AsmToken *token, const char *text)
{
	return token->kind != TOKEN_END && token->kind != TOKEN_VALUE &&
	       asm_same(as, asm_token_text(as, span, token), token->len, text);
}

u32 asm_symbol_find(const Assembler *as, const char *name, size_t len)
{
	return strmap_get(&as->symbol_map, name, len, ASM_NO_INDEX);
}

/* ---- Registers ---- */

/* The name without the dialect's register prefix; false when it should have one and has not. */
static bool strip_prefix(const Assembler *as, const AsmToken *token, const char **text, size_t *len)
{
	const char *prefix = as->dialect->register_prefix ? as->dialect->register_prefix : "";
	size_t n = strlen(prefix);

	if (!n)
		return true;
	if (*len > n && !memcmp(*text, prefix, n)) {
		*text += n;
		*len -= n;
		return true;
	}
	return token && (token->flags & TOKEN_NEUTRAL);
}

static u32 find_register(const Assembler *as, const char *text, size_t len, u16 reg)
{
	for (u32 i = strmap_get(&as->registers, text, len, ASM_NO_INDEX); i != ASM_NO_INDEX; i = as->reg_names[i].next)
		if (reg == ISA_NONE || as->reg_names[i].reg == reg)
			return as->reg_names[i].element;
	return ASM_NO_INDEX;
}

static u32 lookup_register(const Assembler *as, const AsmToken *token, const char *text, size_t len, u16 reg)
{
	const char *whole = text;
	size_t whole_len = len;
	u32 element;

	if (!strip_prefix(as, token, &text, &len))
		return ASM_NO_INDEX;
	/* A description may spell the prefix in its names ("$0") or leave it to the dialect ("0"). */
	element = find_register(as, whole, whole_len, reg);
	return element != ASM_NO_INDEX || whole == text ? element : find_register(as, text, len, reg);
}

u32 asm_register(const Assembler *as, const AsmSpan *span, const AsmToken *token, u16 reg)
{
	if (token->kind != TOKEN_NAME)
		return ASM_NO_INDEX;
	return lookup_register(as, token, asm_token_text(as, span, token), token->len, reg);
}

bool asm_is_register(const Assembler *as, const char *text, size_t len)
{
	return lookup_register(as, NULL, text, len, ISA_NONE) != ASM_NO_INDEX;
}

/* ---- Primaries ---- */

const char *asm_number_usage(Assembler *as)
{
	const IsaDialect *dialect = as->dialect;
	char *text = arena_strdup(&as->scratch, "numbers are written");

	for (u32 i = 0; text && i < dialect->number_count; i++) {
		const IsaNumberForm *form = &dialect->numbers[i];
		const char *affix = form->affix ? form->affix : "";
		const char *digits = form->base == ISA_BASE_HEX ? "1F" : form->base == ISA_BASE_BIN ? "101"
				   : form->base == ISA_BASE_OCT ? "17" : "10";

		text = arena_printf(&as->scratch, "%s%s%s%s%s", text,
				    !i ? " " : i + 1 == dialect->number_count ? " or " : ", ",
				    form->is_suffix ? "" : affix, digits, form->is_suffix ? affix : "");
	}
	return text;
}

static bool expr_fail(Expr *e, const char *hint, const char *what)
{
	const AsmToken *token = &e->span->tokens[e->at];

	if (e->as->dry)
		return false;
	if (token->kind == TOKEN_PUNCT && token->value == 0)
		asm_error(e->as, e->span, token, asm_number_usage(e->as), "%s is no number",
			  asm_quote(e->as, e->span, token));
	else if (token->kind == TOKEN_END)
		asm_error(e->as, e->span, token, hint, "%s is missing here", what);
	else
		asm_error(e->as, e->span, token, hint, "%s is expected, not %s", what,
			  asm_quote(e->as, e->span, token));
	return false;
}

static void use_symbol(const AsmSymbol *symbol, AsmValue *value)
{
	*value = (AsmValue){.v = (i64)symbol->value, .known = true, .symbol = ASM_NO_INDEX, .width = symbol->width,
			    .address = symbol->space != ISA_NONE, .is_float = symbol->is_float};
}

static bool outside_symbol(Assembler *as, const char *text, size_t len, AsmValue *value)
{
	const AsmProgram *program = as->outside;

	for (u32 i = 0; program && i < program->symbol_count; i++)
		if (asm_same(as, text, len, program->symbols[i].name)) {
			use_symbol(&program->symbols[i], value);
			return true;
		}
	if (as->piece && as->piece->symbol) {
		AsmSymbol symbol = {0};

		if (!as->piece->symbol(as->piece->ctx, text, len, &symbol))
			return false;
		use_symbol(&symbol, value);
		return true;
	}
	return false;
}

static void refuse_float(Expr *e, const AsmToken *token, AsmValue *value)
{
	value->known = value->is_float = false;
	if (!e->as->writing || e->as->dry)
		return;
	if (token->kind == TOKEN_NAME)
		asm_error(e->as, e->span, token, NULL, "%s is a decimal fraction; a whole number is wanted here",
			  asm_quote(e->as, e->span, token));
	else
		asm_error(e->as, e->span, token, NULL, "there is no arithmetic with decimal fractions");
}

static bool expr_symbol(Expr *e, const AsmToken *token, AsmValue *value)
{
	Assembler *as = e->as;
	const char *text = asm_token_text(as, e->span, token), *prefix = as->dialect->symbol_prefix;
	size_t len = token->len, n = prefix ? strlen(prefix) : 0;
	u32 index;

	if (asm_register(as, e->span, token, ISA_NONE) != ASM_NO_INDEX)
		return expr_fail(e, NULL, "a number or a label");
	if (n && !(token->flags & TOKEN_NEUTRAL)) {
		if (len <= n || memcmp(text, prefix, n)) {
			if (!as->dry)
				asm_error(as, e->span, token,
					  arena_printf(&as->scratch, "write %s%.*s", prefix, token->len, text),
					  "labels are written with '%s' in front here", prefix);
			return false;
		}
		text += n;
		len -= n;
	}
	e->at++;
	*value = (AsmValue){.symbol = ASM_NO_INDEX, .address = true};
	index = asm_symbol_find(as, text, len);
	if (index != ASM_NO_INDEX) {
		AsmSym *symbol = &as->symbols[index];

		symbol->used = true;
		*value = (AsmValue){.v = (i64)symbol->value, .known = symbol->known, .symbol = index, .width = symbol->width,
				    .address = symbol->space != ISA_NONE};
		if (symbol->is_float)
			refuse_float(e, token, value);
		else if (as->writing && !symbol->known && !as->dry)
			asm_error(as, e->span, token, NULL,
				  "%s has no value: it depends on itself, or on a label that is not defined",
				  asm_quote(as, e->span, token));
		return true;
	}
	if (as->checking || outside_symbol(as, text, len, value)) {
		if (value->is_float && !as->wants_float)
			refuse_float(e, token, value);
		return true;
	}
	if (as->writing && !as->dry) {
		const char *hint = NULL;

		/* "=5" or "[R1]" of another assembler is no mistyped name. */
		if (!strchr("=[(<{#&*", text[0]))
			hint = asm_suggest(as, NAMES_SYMBOL | NAMES_REGISTER, text, len);
		if (!hint && text[0] == '-' && len > 1)
			hint = "the sign of a number stands behind its prefix";
		asm_error(as, e->span, token, hint, "there is no label %s", asm_quote(as, e->span, token));
	}
	return true;
}

/* hi20, lo12: the halves that an upper-immediate and an add of signed 12 bits put together again. */
static i64 high_part(i64 v)
{
	return bits_signed(((u64)v + 0x800) & 0xFFFFF000u, 32);
}

static i64 low_part(i64 v)
{
	return bits_signed((u64)v & 0xFFF, 12);
}

static bool expr_function(Expr *e, const AsmToken *name, AsmValue *value)
{
	static const char *const names[] = {"fits", "fitsu", "hi20", "lo12", "pcrel_hi", "pcrel_lo"};
	AsmValue a, n = {.known = true};
	u32 which = 0;
	i64 distance;

	while (which < COUNT_OF(names) && !asm_token_is(e->as, e->span, name, names[which]))
		which++;
	if (which == COUNT_OF(names))
		return expr_fail(e, "the functions are fits, fitsu, hi20, lo12, pcrel_hi and pcrel_lo", "a function");
	e->at += 2;
	e->parens++;
	if (!expr_binary(e, 0, &a))
		return false;
	if (which < 2) {
		if (e->span->tokens[e->at].kind != TOKEN_PUNCT || e->span->tokens[e->at].value != ',')
			return expr_fail(e, NULL, "','");
		e->at++;
		if (!expr_binary(e, 0, &n))
			return false;
	}
	if (e->span->tokens[e->at].kind != TOKEN_PUNCT || e->span->tokens[e->at].value != ')')
		return expr_fail(e, NULL, "')'");
	e->at++;
	e->parens--;
	distance = (i64)((u64)a.v - e->span->base);
	*value = (AsmValue){.known = a.known && n.known, .symbol = ASM_NO_INDEX};
	switch (which) {
	/* Something not placed yet is taken to fit: the short expansion first, it grows when it must. */
	case 0:
		value->v = !a.known || n.v >= 64 || (n.v > 0 && bits_fit_signed(a.v, (unsigned)n.v));
		value->known = true;
		break;
	case 1:
		value->v = !a.known || n.v >= 64 || (n.v >= 0 && bits_fit_unsigned(a.v, (unsigned)n.v));
		value->known = true;
		break;
	case 2: value->v = high_part(a.v); break;
	case 3: value->v = low_part(a.v); break;
	case 4: value->v = high_part(distance); break;
	default: value->v = low_part(distance); break;
	}
	return true;
}

static bool expr_percent(Expr *e, AsmValue *value)
{
	u32 start = e->at;
	AsmPercent which = asm_percent(e->as, e->span, start);
	const AsmToken *token;
	AsmValue a;

	e->at += 3;
	e->parens++;
	if (!expr_binary(e, 0, &a))
		return false;
	token = &e->span->tokens[e->at];
	if (token->kind != TOKEN_PUNCT || token->value != ')')
		return expr_fail(e, NULL, "')'");
	e->at++;
	e->parens--;
	return asm_percent_value(e->as, e->span, start, which, &a, value);
}

/* 1b, 1f */
static bool expr_local(Expr *e, const AsmToken *token, AsmValue *value)
{
	Assembler *as = e->as;
	char room[32];
	u32 len, index;

	e->at++;
	*value = (AsmValue){.symbol = ASM_NO_INDEX, .address = true};
	asm_local_name(token->value, room, &len);
	index = asm_symbol_find(as, room, len);
	if (index != ASM_NO_INDEX) {
		as->symbols[index].used = true;
		*value = (AsmValue){.v = (i64)as->symbols[index].value, .known = as->symbols[index].known, .symbol = index,
				    .address = true};
	} else if (as->writing && !as->dry) {
		asm_error(as, e->span, token, "labels that are numbers: 1b is the last label 1 before, 1f the next one behind",
			  "there is no label %u %s this", (unsigned)((u64)token->value >> 32),
			  asm_token_text(as, e->span, token)[token->len - 1] == 'b' ? "before" : "behind");
	}
	return true;
}

static bool expr_primary(Expr *e, AsmValue *value)
{
	Assembler *as = e->as;
	const AsmToken *token = &e->span->tokens[e->at];

	switch (token->kind) {
	case TOKEN_NUMBER:
		if (token->flags & TOKEN_TOO_BIG && !as->dry)
			asm_error(as, e->span, token, NULL, "this number has more than 64 bits");
		if (token->flags & TOKEN_TOO_BIG)
			return false;
		e->at++;
		*value = (AsmValue){.v = token->value, .known = true, .symbol = ASM_NO_INDEX};
		return true;
	case TOKEN_VALUE:
		e->at++;
		*value = (AsmValue){.v = token->value, .known = !(token->flags & TOKEN_UNKNOWN),
				    .address = (token->flags & TOKEN_ADDRESS) != 0, .symbol = ASM_NO_INDEX};
		return true;
	case TOKEN_NAME:
		if ((token->flags & TOKEN_NEUTRAL) && token[1].kind == TOKEN_PUNCT && token[1].value == '(')
			return expr_function(e, token, value);
		return expr_symbol(e, token, value);
	case TOKEN_LOCAL:
		return expr_local(e, token, value);
	case TOKEN_PUNCT:
		if (as->dialect->no_expressions && !(token->flags & TOKEN_NEUTRAL))
			break;
		if (token->value == '%' && asm_percent(as, e->span, e->at) != PERCENT_NONE)
			return expr_percent(e, value);
		if (token->value == '.' || token->value == '*') {
			e->at++;
			*value = (AsmValue){.v = (i64)as->here, .known = !as->checking, .address = true,
					    .symbol = ASM_NO_INDEX};
			return true;
		}
		if (token->value == '(') {
			e->at++;
			e->parens++;
			if (!expr_binary(e, 0, value))
				return false;
			token = &e->span->tokens[e->at];
			if (token->kind != TOKEN_PUNCT || token->value != ')')
				return expr_fail(e, NULL, "')'");
			e->at++;
			e->parens--;
			return true;
		}
		break;
	}
	return expr_fail(e, NULL, token->kind == TOKEN_FLOAT ? "a whole number or a label" : "a number or a label");
}

static bool expr_unary(Expr *e, AsmValue *value)
{
	const AsmToken *token = &e->span->tokens[e->at];
	bool limited = e->as->dialect->no_expressions && !(token->flags & TOKEN_NEUTRAL);
	i64 op = token->kind == TOKEN_PUNCT && !limited ? token->value : 0;
	unsigned cell_bits = e->as->isa->spaces[e->as->isa->code_space].cell_bits;

	if (e->depth >= ASM_MAX_DEPTH) {
		if (!e->as->dry)
			asm_error(e->as, e->span, token, NULL, "this expression is nested deeper than %d levels",
				  ASM_MAX_DEPTH);
		return false;
	}
	if (op != '-' && op != '+' && op != '~' && op != '<' && op != '>' && op != '!')
		return expr_primary(e, value);
	if (op == '!' && !(token->flags & TOKEN_NEUTRAL))
		return expr_primary(e, value);
	e->at++;
	e->depth++;
	if (!expr_unary(e, value))
		return false;
	e->depth--;
	switch (op) {
	case '-': value->v = (i64)(0 - (u64)value->v); break;
	case '~': value->v = ~value->v; break;
	case '!': value->v = !value->v; break;
	case '<': value->v = (i64)((u64)value->v & bits_mask(cell_bits)); break;
	case '>': value->v = (i64)(cell_bits < 64 ? (u64)value->v >> cell_bits & bits_mask(cell_bits) : 0); break;
	default: break;
	}
	value->symbol = ASM_NO_INDEX;
	if (value->is_float)
		refuse_float(e, token, value);
	if (op != '+')
		value->width = 0;
	if (op != '+')
		value->address = false;
	return true;
}

/* ---- Operators ---- */

static unsigned level_of(i64 op, bool neutral)
{
	switch (op) {
	case OP_OR: return neutral ? 1 : 0;
	case OP_AND: return neutral ? 2 : 0;
	case '|': return 3;
	case '^': return 4;
	case '&': return 5;
	case OP_EQ: case OP_NE: return neutral ? 6 : 0;
	case '<': case '>': case OP_LE: case OP_GE: return neutral ? 7 : 0;
	case OP_SHL: case OP_SHR: case OP_SAR: return 8;
	case '+': case '-': return 9;
	case '*': case '/': case '%': return 10;
	default: return 0;
	}
}

static i64 apply(i64 op, i64 a, i64 b, bool neutral)
{
	unsigned shift = b < 0 || b > 63 ? 64 : (unsigned)b;

	switch (op) {
	case OP_OR: return a || b;
	case OP_AND: return a && b;
	case '|': return a | b;
	case '^': return a ^ b;
	case '&': return a & b;
	case OP_EQ: return a == b;
	case OP_NE: return a != b;
	case '<': return a < b;
	case '>': return a > b;
	case OP_LE: return a <= b;
	case OP_GE: return a >= b;
	case OP_SHL: return shift > 63 ? 0 : (i64)((u64)a << shift);
	case OP_SHR:
		if (neutral)
			return shift > 63 ? 0 : (i64)((u64)a >> shift);
		return a >> (shift > 63 ? 63 : shift);
	case OP_SAR: return a >> (shift > 63 ? 63 : shift);
	case '+': return (i64)((u64)a + (u64)b);
	case '-': return (i64)((u64)a - (u64)b);
	case '*': return (i64)((u64)a * (u64)b);
	case '/': return b == -1 ? (i64)(0 - (u64)a) : a / b;
	case '%': return b == -1 ? 0 : a % b;
	default: return 0;
	}
}

static bool expr_binary(Expr *e, unsigned level, AsmValue *value)
{
	e->depth++; /* the cap is in expr_unary, which every level passes */
	if (!expr_unary(e, value))
		return false;
	for (;;) {
		const AsmToken *token = &e->span->tokens[e->at];
		bool neutral = token->flags & TOKEN_NEUTRAL;
		unsigned mine = token->kind == TOKEN_PUNCT ? level_of(token->value, neutral) : 0;
		AsmValue right;
		bool address;

		if (!mine || mine < level || (e->as->dialect->no_expressions && !neutral))
			break;
		if (!neutral && e->as->blanks_separate && !e->parens && (token->flags & TOKEN_BLANK))
			break;
		e->at++;
		if (!expr_binary(e, mine + 1, &right))
			return false;
		if ((token->value == '/' || token->value == '%') && right.known && right.v == 0) {
			if (!e->as->dry)
				asm_error(e->as, e->span, token, NULL, "division by zero");
			return false;
		}
		if (value->is_float || right.is_float)
			refuse_float(e, token, value);
		/* label + 2 is an address, label - label a number. */
		address = token->value == '+' ? value->address || right.address
			: token->value == '-' ? value->address && !right.address : false;
		value->v = right.known || right.v ? apply(token->value, value->v, right.v, neutral) : value->v;
		value->known = value->known && right.known;
		value->address = address;
		value->width = !address ? 0 : value->width ? value->width : right.width;
		value->symbol = ASM_NO_INDEX;
	}
	e->depth--;
	return true;
}

bool asm_expr(Assembler *as, const AsmSpan *span, u32 *at, AsmValue *value)
{
	Expr e = {.as = as, .span = span, .at = *at};
	bool ok;

	*value = (AsmValue){.symbol = ASM_NO_INDEX};
	ok = expr_binary(&e, 0, value);
	*at = e.at;
	return ok;
}
