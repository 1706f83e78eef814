/* SPDX-License-Identifier: MIT
 *
 * Pseudo-instructions: one line of a program that stands for several instructions, by the body its .isa gives:
 *
 *     pseudo li rd, v = { if (fits(v,12)) addi rd, zero, v
 *                         else if (fits(v,32)) { lui rd, hi20(v); addiw rd, rd, lo12(v) }
 *                         else { li rd, v >>s 12; slli rd, rd, 12; addi rd, rd, lo12(v) } }
 *
 * The body is walked each time the statement is laid out: conditions look at the operands' present values, so the
 * expansion may change while labels settle (asm_layout.c lets it only grow after a few walks). An operand of one
 * name (a register, a label) goes in as it was written; anything longer goes in as its value, so text never
 * multiplies, however deep pseudo-instructions use each other. pcrel_hi and pcrel_lo count from the first instruction
 * of the expansion.
 */
#include "asm/asm_internal.h"

#include <string.h>

enum { MAX_BLOCKS = 32 };

typedef struct Expand {
	Assembler *as;
	const AsmSpan *from;            /* the statement that is expanded */
	const IsaPseudo *pseudo;
	const AsmBody *body;
	AsmToken bound[ISA_MAX_FIELDS]; /* what each parameter stands for */
	u32 at;
	u64 base, pc;
	u64 *out;
	u32 room, cells;
	u32 blocks;
	AsmFit fit;
} Expand;

static bool statement(Expand *x, bool run);

static void expand_error(Expand *x, const AsmToken *token, const char *hint, const char *text)
{
	AsmSpan span = *x->from;

	x->fit = FIT_NO;
	if (x->as->dry)
		return;
	span.pseudo = x->pseudo;
	span.neutral = x->as->pool;
	asm_error(x->as, &span, token, hint, "%s", text ? text : "out of memory");
}

static bool bodies_ready(Assembler *as)
{
	size_t total = 0;

	if (as->bodies)
		return true;
	for (u32 i = 0; i < as->isa->pseudo_count; i++)
		total += strlen(as->isa->pseudos[i].body) + 1;
	if (total > ASM_MAX_TEXT)
		return false;
	as->pool = arena_alloc(&as->scratch, total + 1);
	as->bodies = ARENA_ARRAY(&as->scratch, AsmBody, as->isa->pseudo_count);
	if (!as->pool || !as->bodies) {
		as->bodies = NULL;
		as->failed_memory = true;
		return false;
	}
	total = 0;
	for (u32 i = 0; i < as->isa->pseudo_count; i++) {
		size_t len = strlen(as->isa->pseudos[i].body) + 1;

		memcpy(as->pool + total, as->isa->pseudos[i].body, len);
		as->bodies[i].offset = (u32)total;
		total += len;
	}
	return true;
}

static const AsmBody *body_of(Assembler *as, u32 index)
{
	AsmBody *body;

	if (!bodies_ready(as))
		return NULL;
	body = &as->bodies[index];
	if (!body->done && !asm_lex_body(as, as->isa->pseudos[index].body, body->offset, body))
		return NULL;
	body->done = true;
	return body;
}

/* ---- Tokens of the body ---- */

static const AsmToken *peek(const Expand *x)
{
	return &x->body->tokens[x->at];
}

static bool at_punct(const Expand *x, i64 c)
{
	return peek(x)->kind == TOKEN_PUNCT && peek(x)->value == c;
}

static bool at_word(const Expand *x, const char *word)
{
	const AsmToken *token = peek(x);
	size_t len = strlen(word);

	return token->kind == TOKEN_NAME && token->len == len && !memcmp(x->as->pool + token->offset, word, len);
}

static void skip_separators(Expand *x)
{
	while (at_punct(x, ';'))
		x->at++;
}

/* Tokens from..to of the body with the operands put in, ended by TOKEN_END; their number or ASM_NO_INDEX. */
static u32 substitute(Expand *x, u32 from, u32 to, AsmToken *out)
{
	u32 count = 0;

	for (u32 i = from; i < to; i++) {
		const AsmToken *token = &x->body->tokens[i];
		u32 p = x->pseudo->param_count;

		if (count == ASM_MAX_BODY_TOKENS) {
			expand_error(x, token, NULL, "this statement of the body is too long");
			return ASM_NO_INDEX;
		}
		out[count] = *token;
		if (token->kind == TOKEN_NAME)
			for (p = 0; p < x->pseudo->param_count; p++) {
				const char *name = x->pseudo->params[p];

				if (strlen(name) == token->len &&
				    !memcmp(x->as->pool + token->offset, name, token->len))
					break;
			}
		if (p < x->pseudo->param_count && p < ISA_MAX_FIELDS)
			out[count] = x->bound[p];
		count++;
	}
	out[count] = (AsmToken){.kind = TOKEN_END, .flags = TOKEN_NEUTRAL, .offset = x->body->tokens[to].offset};
	return count;
}

static AsmSpan span_of(const Expand *x, const AsmToken *tokens, u32 count)
{
	AsmSpan span = *x->from;

	span.tokens = tokens;
	span.count = count;
	span.neutral = x->as->pool;
	span.pseudo = x->pseudo;
	span.base = x->base;
	span.depth = (u8)(x->from->depth + 1);
	return span;
}

/* ---- Statements of the body ---- */

static bool condition(Expand *x, bool run, bool *holds)
{
	AsmToken tokens[ASM_MAX_BODY_TOKENS + 1];
	u32 from, depth = 0, at = 0, count;
	AsmValue value;
	AsmSpan span;

	if (!at_punct(x, '(')) {
		expand_error(x, peek(x), NULL, "'(' is expected after if");
		return false;
	}
	from = ++x->at;
	for (; peek(x)->kind != TOKEN_END; x->at++) {
		if (at_punct(x, '('))
			depth++;
		else if (at_punct(x, ')') && depth-- == 0)
			break;
	}
	if (peek(x)->kind == TOKEN_END) {
		expand_error(x, peek(x), NULL, "')' is missing");
		return false;
	}
	*holds = true;
	if (run) {
		count = substitute(x, from, x->at, tokens);
		if (count == ASM_NO_INDEX)
			return false;
		span = span_of(x, tokens, count);
		if (!asm_expr(x->as, &span, &at, &value)) {
			x->fit = FIT_NO;
			return false;
		}
		if (at != count) {
			expand_error(x, &tokens[at], NULL, "an operator or ')' is expected in this condition");
			return false;
		}
		*holds = !value.known || value.v != 0;
	}
	x->at++;
	return true;
}

static bool instruction(Expand *x, bool run)
{
	AsmToken tokens[ASM_MAX_BODY_TOKENS + 2];
	Assembler *as = x->as;
	u32 from = x->at, depth = 0, count, cells = 0;
	AsmCandidate *candidates;
	const char *name;
	u8 chosen = 0;
	AsmSpan span;
	AsmFit fit;

	for (; peek(x)->kind != TOKEN_END && !at_punct(x, ';') && !(depth == 0 && at_word(x, "else")); x->at++) {
		if (at_punct(x, '{'))
			depth++;
		else if (at_punct(x, '}') && depth-- == 0)
			break;
	}
	if (!run)
		return true;
	if (x->body->tokens[from].kind != TOKEN_NAME) {
		expand_error(x, &x->body->tokens[from], NULL, "an instruction is expected in the body");
		x->at += x->at == from;
		return false;
	}
	count = substitute(x, from + 1, x->at, tokens + 1); /* room for a mnemonic in front: tokens[0] */
	if (count == ASM_NO_INDEX)
		return false;
	tokens[0] = x->body->tokens[from];
	span = span_of(x, tokens, count + 1);
	name = as->pool + tokens[0].offset;
	if (++as->expanded > ASM_MAX_EXPANSION || span.depth > ASM_MAX_NESTING) {
		expand_error(x, &tokens[0], NULL, "the expansion does not end");
		return false;
	}
	if (!asm_is_mnemonic(as, name, tokens[0].len) &&
	    strmap_get(&as->isa->mnemonics, name, tokens[0].len, ASM_NO_INDEX) == ASM_NO_INDEX) {
		expand_error(x, &tokens[0], as->dry ? NULL : asm_suggest(as, NAMES_MNEMONIC, name, tokens[0].len),
			     arena_printf(&as->scratch, "there is no instruction %s", asm_quote(as, &span, &tokens[0])));
		return as->checking; /* on to the next one */
	}
	count = asm_match(as, &span, name, tokens[0].len, 1, &candidates);
	if (!count) {
		x->fit = FIT_NO;
		return as->checking;
	}
	if (as->checking)
		return true;
	fit = asm_choose(as, &span, candidates, count, &chosen, x->pc, x->out ? x->out + x->cells : NULL,
			 x->room - x->cells, &cells);
	x->cells += cells;
	x->pc += cells;
	if (fit == FIT_NO || (fit == FIT_UNKNOWN && x->fit == FIT_YES))
		x->fit = fit;
	return fit != FIT_NO;
}

static bool block(Expand *x, bool run)
{
	for (;;) {
		skip_separators(x);
		if (peek(x)->kind == TOKEN_END || at_punct(x, '}'))
			return true;
		if (!statement(x, run))
			return false;
	}
}

static bool conditional(Expand *x, bool run)
{
	bool holds, all = x->as->checking;
	u32 behind;

	x->at++;
	if (!condition(x, run, &holds))
		return false;
	skip_separators(x);
	if (!statement(x, run && (holds || all)))
		return false;
	behind = x->at;
	skip_separators(x);
	if (!at_word(x, "else")) {
		x->at = behind;
		return true;
	}
	x->at++;
	skip_separators(x);
	return statement(x, run && (!holds || all));
}

static bool statement(Expand *x, bool run)
{
	bool ok;

	if (peek(x)->kind == TOKEN_END) {
		expand_error(x, peek(x), NULL, "an instruction is expected in the body");
		return false;
	}
	if (++x->blocks > MAX_BLOCKS) {
		expand_error(x, peek(x), NULL, "the body is nested too deep");
		return false;
	}
	if (at_punct(x, '{')) {
		x->at++;
		ok = block(x, run);
		if (ok && !at_punct(x, '}')) {
			expand_error(x, peek(x), NULL, "'}' is missing");
			ok = false;
		}
		x->at += ok;
	} else if (at_word(x, "if")) {
		ok = conditional(x, run);
	} else if (at_word(x, "else")) {
		expand_error(x, peek(x), "write: if (fits(v, 12)) .. else ..", "'else' has no 'if'");
		ok = false;
	} else {
		ok = instruction(x, run);
	}
	x->blocks--;
	return ok;
}

/* ---- Use ---- */

static bool is_enum_name(const Assembler *as, const AsmSpan *span, const AsmToken *token)
{
	for (u32 i = 0; i < as->isa->field_count; i++)
		if (as->isa->fields[i].kind == ISA_FIELD_ENUM &&
		    asm_enum(as, span, token, &as->isa->fields[i]) < as->isa->fields[i].enum_count)
			return true;
	return false;
}

/* What the operand at token `at` puts in for its parameter: a register or the name of an enum value as it is, anything
 * else by its value. False when it has none. */
static bool bind(Assembler *as, const AsmSpan *span, u32 at, AsmToken *out)
{
	const AsmToken *first = &span->tokens[at < span->count ? at : span->count];
	AsmValue value;

	*out = *first;
	if (first->kind == TOKEN_END)
		return true;
	if (first->kind == TOKEN_NAME && (asm_register(as, span, first, ISA_NONE) != ASM_NO_INDEX ||
					  is_enum_name(as, span, first)))
		return true;
	if (first->kind == TOKEN_FLOAT)
		return true;
	if (!asm_expr(as, span, &at, &value) || (as->writing && !value.known))
		return false; /* said by asm_expr */
	out->kind = TOKEN_VALUE;
	out->value = value.v;
	out->flags = (u8)((first->flags & TOKEN_NEUTRAL) | (value.known ? 0 : TOKEN_UNKNOWN) |
			  (value.address ? TOKEN_ADDRESS : 0));
	return true;
}

AsmFit asm_expand(Assembler *as, const AsmSpan *span, const AsmCandidate *candidate, u64 pc, u64 *out, u32 room,
		  u32 *cells)
{
	u32 index = candidate->form & ~(u32)ASM_PSEUDO;
	Expand x = {.as = as, .from = span, .pseudo = &as->isa->pseudos[index], .base = pc, .pc = pc, .out = out,
		    .room = room, .fit = FIT_YES};
	bool dry = as->dry, expanding = as->expanding;

	*cells = 0;
	x.body = body_of(as, index);
	if (!x.body)
		return FIT_NO;
	if (!expanding)
		as->expanded = 0;
	as->expanding = true;
	as->dry = dry || !as->writing;
	for (u32 i = 0; i < x.pseudo->param_count && i < ISA_MAX_FIELDS; i++)
		if (!bind(as, span, candidate->at[i], &x.bound[i]))
			x.fit = FIT_NO;
	if (x.fit == FIT_YES && block(&x, true) && peek(&x)->kind != TOKEN_END)
		expand_error(&x, peek(&x), NULL, "'}' has no '{'");
	as->dry = dry;
	as->expanding = expanding;
	if (!expanding)
		arena_reset(&as->temp);
	*cells = x.cells;
	return x.fit;
}

/* For asm_check_pseudo: the body with parameters that may be anything, both branches of every `if`. */
void asm_pseudo_check_body(Assembler *as, u32 index)
{
	AsmSpan span = {.count = 0};
	Expand x = {.as = as, .from = &span, .pseudo = &as->isa->pseudos[index], .fit = FIT_YES};

	x.body = body_of(as, index);
	if (!x.body)
		return;
	as->expanding = true;
	for (u32 i = 0; i < ISA_MAX_FIELDS; i++)
		x.bound[i] = (AsmToken){.kind = TOKEN_VALUE, .flags = TOKEN_UNKNOWN | TOKEN_NEUTRAL};
	if (block(&x, true) && peek(&x)->kind != TOKEN_END)
		expand_error(&x, peek(&x), NULL, "'}' has no '{'");
	as->expanding = false;
	arena_reset(&as->temp);
}
