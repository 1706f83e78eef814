/* SPDX-License-Identifier: MIT
 *
 * Operands that are floating-point numbers: 1.5, -2e10, inf, nan; a whole number in decimal (5 is 5.0); a number in
 * another base, which is the bits themselves; or a constant defined as one of these. There is no arithmetic with them.
 * The text is rounded once, to the width that is wanted: what a constant stands for is kept as it was written.
 */
#include "asm/asm_internal.h"

#include <string.h>

#include "base/bits.h"
#include "base/float_text.h"

enum { MAX_NAMES = 16 }; /* constants that stand for each other */

typedef struct Float {
	Assembler *as;
	const AsmSpan *span;
	const AsmToken *token;
	unsigned bits;
	bool *known;
	u64 *value;
} Float;

static bool refuse(const Float *f, const char *hint, const char *text)
{
	if (!f->as->dry)
		asm_error(f->as, f->span, f->token, hint, "%s %s", asm_quote(f->as, f->span, f->token), text);
	return false;
}

static bool read_text(const Float *f, const char *text, size_t len)
{
	Status status;

	if (!f->as->writing) {
		*f->known = false;
		return true;
	}
	status = float_read(text, len, f->bits, f->value);
	*f->known = true;
	if (status == STATUS_TOO_BIG)
		return refuse(f, NULL, f->bits == 64 ? "is beyond the largest number of 64 bits" : "is beyond the largest number of 32 bits");
	if (status == STATUS_NOMEM)
		f->as->failed_memory = true;
	return status == STATUS_OK || refuse(f, NULL, "is no number");
}

static bool read_number(const Float *f)
{
	const AsmToken *token = f->token;
	const char *text = asm_token_text(f->as, f->span, token);
	size_t digits;

	if (token->kind == TOKEN_NUMBER && !(token->flags & TOKEN_CHAR) && asm_lex_is_decimal(f->as, text, token->len, &digits))
		return read_text(f, text + digits, token->len - digits);
	if (token->flags & TOKEN_TOO_BIG || (token->kind == TOKEN_NUMBER && f->bits < 64 && (u64)token->value > bits_mask(f->bits)))
		return refuse(f, "a number that is not decimal is the bits", "has too many bits");
	*f->known = !(token->kind == TOKEN_VALUE && token->flags & TOKEN_UNKNOWN);
	*f->value = token->kind == TOKEN_NUMBER && !(token->flags & TOKEN_CHAR) ? (u64)token->value
										: float_of_int(token->value, true, f->bits);
	return true;
}

static bool read_operand(Float *f, u32 *at, unsigned names);

/* A constant: what stands behind it in its definition. */
static bool read_name(Float *f, u32 *at, unsigned names)
{
	Assembler *as = f->as;
	const char *text = asm_token_text(as, f->span, f->token), *prefix = as->dialect->symbol_prefix;
	size_t len = f->token->len, n = strlen(prefix);
	u32 index;
	AsmValue value;
	bool fine;

	if (n && len > n && !memcmp(text, prefix, n))
		text += n, len -= n;
	index = asm_symbol_find(as, text, len);
	if (index == ASM_NO_INDEX && (ascii_equal_fold(text, len, "inf", 3) || ascii_equal_fold(text, len, "nan", 3))) {
		++*at;
		return read_text(f, text, len);
	}
	if (index != ASM_NO_INDEX && as->symbols[index].is_float && names < MAX_NAMES) {
		Float inner = *f;
		u32 first = 0;

		++*at;
		as->symbols[index].used = true;
		inner.span = &as->stmts[as->symbols[index].stmt].span;
		return read_operand(&inner, &first, names + 1);
	}
	as->wants_float = true;
	fine = asm_expr(as, f->span, at, &value);
	as->wants_float = false;
	if (!fine)
		return false;
	if (value.is_float) { /* of a piece before, where its text is not kept */
		*f->known = value.known;
		*f->value = f->bits == 64 ? (u64)value.v : float_narrow((u64)value.v);
		return true;
	}
	if (value.address && value.known && as->writing)
		return refuse(f, NULL, "is an address, not a number");
	*f->known = value.known;
	*f->value = float_of_int(value.v, true, f->bits);
	return true;
}

static bool read_operand(Float *f, u32 *at, unsigned names)
{
	bool negative = false, ok;

	f->token = &f->span->tokens[*at];
	if (f->token->kind == TOKEN_PUNCT && (f->token->value == '-' || f->token->value == '+')) {
		negative = f->token->value == '-';
		f->token = &f->span->tokens[++*at];
	}
	switch (f->token->kind) {
	case TOKEN_FLOAT:
		ok = read_text(f, asm_token_text(f->as, f->span, f->token) + f->token->value, f->token->len - (size_t)f->token->value);
		++*at;
		break;
	case TOKEN_NUMBER:
	case TOKEN_VALUE:
		ok = read_number(f);
		++*at;
		break;
	case TOKEN_NAME:
		if (asm_register(f->as, f->span, f->token, ISA_NONE) != ASM_NO_INDEX)
			return refuse(f, NULL, "is a register, not a number");
		ok = read_name(f, at, names);
		break;
	default:
		return refuse(f, "write 1.5, 2e-3, inf or nan", "is no number");
	}
	if (negative)
		*f->value ^= (u64)1 << (f->bits - 1);
	return ok;
}

bool asm_float(Assembler *as, const AsmSpan *span, u32 *at, unsigned bits, u64 *value, bool *known)
{
	Float f = {.as = as, .span = span, .bits = bits, .value = value, .known = known};

	*value = 0;
	*known = false;
	return read_operand(&f, at, 0);
}

bool asm_is_float(const AsmSpan *span)
{
	const AsmToken *token = &span->tokens[0];

	if (token->kind == TOKEN_PUNCT && (token->value == '-' || token->value == '+'))
		token++;
	return token->kind == TOKEN_FLOAT && token + 1 == &span->tokens[span->count];
}
