/* SPDX-License-Identifier: MIT
 *
 * What the GNU assembler has beyond directives (`use gnu`):
 *
 *     1: ..  j 1b  j 1f                     labels that are numbers: the last one before, the next one behind
 *     %hi(x) %lo(x)                         the upper 20 and the lower 12 bits of an address, as lui and addi want them
 *     1: auipc a0, %pcrel_hi(x)             likewise of the distance from the instruction; the second of the pair
 *        addi a0, a0, %pcrel_lo(1b)         names the first by its label
 *
 * The k-th label that is a number n is the symbol "n:k", which no text can spell. Which one a reference means is known
 * when it is read, also forward.
 */
#include "asm/asm_internal.h"

#include <stdio.h>

#include "base/bits.h"

enum { PERCENT_DEPTH = 4 };

void asm_local_name(i64 value, char room[32], u32 *len)
{
	*len = (u32)snprintf(room, 32, "%u:%u", (unsigned)((u64)value >> 32), (unsigned)(u32)value);
}

const char *asm_local_define(Assembler *as, u32 number, u32 *len)
{
	char room[32];

	asm_local_name((i64)((u64)number << 32 | ++as->locals[number]), room, len);
	return arena_strndup(&as->program->arena, room, *len);
}

void asm_local_refer(Assembler *as, const AsmSpan *span, AsmToken *tokens, u32 count)
{
	for (u32 i = 0; i < count && as->dialect->gnu; i++) {
		AsmToken *token = &tokens[i];
		const char *text = asm_token_text(as, span, token);
		u32 number = 0, digits = 0;

		if (token->kind != TOKEN_PUNCT || token->value != 0 || token->flags & TOKEN_NEUTRAL || token->len > 8)
			continue;
		while (digits < token->len && text[digits] >= '0' && text[digits] <= '9')
			number = number * 10 + (u32)(text[digits++] - '0');
		if (!digits || digits + 1 != token->len || (text[digits] != 'b' && text[digits] != 'f') || number >= ASM_LOCALS)
			continue;
		token->kind = TOKEN_LOCAL;
		token->value = (i64)((u64)number << 32 | (as->locals[number] + (text[digits] == 'f')));
	}
}

AsmPercent asm_percent(const Assembler *as, const AsmSpan *span, u32 at)
{
	static const char *const names[] = {"", "hi", "lo", "pcrel_hi", "pcrel_lo"};
	const AsmToken *token = &span->tokens[at];

	if (!as->dialect->gnu || token->kind != TOKEN_PUNCT || token->value != '%' || token[1].kind != TOKEN_NAME ||
	    token[1].flags & TOKEN_BLANK || token[2].kind != TOKEN_PUNCT || token[2].value != '(')
		return PERCENT_NONE;
	for (unsigned i = PERCENT_HI; i <= PERCENT_PCREL_LO; i++)
		if (asm_token_is(as, span, token + 1, names[i]))
			return (AsmPercent)i;
	return PERCENT_NONE;
}

static i64 upper(i64 v)
{
	return (i64)(((u64)v + 0x800) >> 12 & 0xFFFFF);
}

static i64 lower(i64 v)
{
	return bits_signed((u64)v & 0xFFF, 12);
}

/* The distance that the instruction at this label has in its %pcrel_hi. */
static bool paired_distance(Assembler *as, u32 symbol, i64 *distance, bool *known)
{
	const AsmSym *label = &as->symbols[symbol];
	const AsmStmt *first = label->stmt < as->stmt_count ? &as->stmts[label->stmt] : NULL;
	bool found = false;

	if (++as->percent_depth > PERCENT_DEPTH)
		first = NULL; /* it names itself */
	for (u32 i = 0; first && !found && i < first->span.count; i++) {
		AsmValue target;
		u32 at = i + 3;

		if (asm_percent(as, &first->span, i) != PERCENT_PCREL_HI || !asm_expr(as, &first->span, &at, &target))
			continue;
		*distance = (i64)((u64)target.v - label->value);
		*known = target.known && label->known;
		found = true;
	}
	as->percent_depth--;
	return found;
}

bool asm_percent_value(Assembler *as, const AsmSpan *span, u32 at, AsmPercent which, const AsmValue *a, AsmValue *value)
{
	i64 distance = (i64)((u64)a->v - as->here);
	bool known = a->known;

	*value = (AsmValue){.symbol = ASM_NO_INDEX};
	if (which == PERCENT_PCREL_LO && (a->symbol == ASM_NO_INDEX || !paired_distance(as, a->symbol, &distance, &known))) {
		if (as->writing && !as->dry) {
			asm_error(as, span, &span->tokens[at], "write: 1: auipc a0, %pcrel_hi(x)  and then  addi a0, a0, %pcrel_lo(1b)",
				  "%%pcrel_lo wants the label of an instruction with %%pcrel_hi");
			return false;
		}
		known = false;
	}
	value->known = known;
	switch (which) {
	case PERCENT_HI: value->v = upper(a->v); break;
	case PERCENT_LO: value->v = lower(a->v); break;
	case PERCENT_PCREL_HI: value->v = upper(distance); break;
	default: value->v = lower(distance); break;
	}
	return true;
}
