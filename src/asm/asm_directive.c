/* SPDX-License-Identifier: MIT
 *
 * What each directive wants, occupies and writes. A directive is looked at three times: when read (is it well formed,
 * how many values does it have), at every measuring walk (how many cells, where to), and when writing.
 *
 * Values wider than a cell take several cells, in the order of the space or `little`; narrower ones one cell each.
 */
#include "asm/asm_internal.h"

#include "base/bits.h"

static const IsaDirective *directive_of(const Assembler *as, const AsmStmt *stmt)
{
	return &as->dialect->directives[stmt->directive];
}

static bool at_comma(const AsmStmt *stmt, u32 at)
{
	return stmt->span.tokens[at].kind == TOKEN_PUNCT && stmt->span.tokens[at].value == ',';
}

/* ---- Reading ---- */

/* Goes over the operands without their values: counts characters and numbers. */
static bool scan(Assembler *as, AsmStmt *stmt, bool strings, bool numbers, u32 least, u32 most)
{
	const IsaDirective *d = directive_of(as, stmt);
	u32 at = 0, count = 0;

	stmt->units = 0;
	while (stmt->span.tokens[at].kind != TOKEN_END) {
		const AsmToken *token = &stmt->span.tokens[at];
		bool string = token->kind == TOKEN_STRING ||
			      (strings && !numbers && as->dialect->bare_strings && token->kind == TOKEN_NAME);
		AsmValue value;

		if (count == most) {
			asm_error(as, &stmt->span, token, NULL, most == 1 ? "%s takes one operand, not also %s"
									  : "%s takes no operand %s here",
				  d->name, asm_quote(as, &stmt->span, token));
			return false;
		}
		if (string && !strings) {
			asm_error(as, &stmt->span, token, NULL, "%s takes a number or a label, not a string", d->name);
			return false;
		}
		if (string) {
			u32 in = 0, n = 0;
			u8 c;

			if (asm_register(as, &stmt->span, token, ISA_NONE) != ASM_NO_INDEX) {
				asm_error(as, &stmt->span, token, "put it in quotes if the word itself is meant",
					  "%s is a register, not a string", asm_quote(as, &stmt->span, token));
				return false;
			}
			if (token->flags & TOKEN_UNCLOSED && !as->dialect->quotes_toggle) {
				asm_error(as, &stmt->span, token, NULL, "this string has no closing %c",
					  as->dialect->quote);
				return false;
			}
			if (token->flags & TOKEN_UNCLOSED)
				asm_report_at(as, DIAG_WARNING, stmt->span.source, token->offset, token->len, NULL,
					      "this string has no closing %c: it ends with the line",
					      as->dialect->quote);
			while (asm_string_next(as, &stmt->span, token, &in, &c, true))
				n++;
			stmt->units += n + (d->action == ISA_ACT_STRING && d->has_end);
			at++;
		} else if (!numbers) {
			asm_error(as, &stmt->span, token, NULL, "%s takes a string in %c, not %s", d->name,
				  as->dialect->quote, asm_quote(as, &stmt->span, token));
			return false;
		} else {
			if (!asm_expr(as, &stmt->span, &at, &value))
				return false;
			stmt->units++;
		}
		count++;
		if (as->commas_count && at_comma(stmt, at)) {
			at++;
			if (stmt->span.tokens[at].kind == TOKEN_END) {
				asm_error(as, &stmt->span, &stmt->span.tokens[at], NULL,
					  "an operand is missing behind the ','");
				return false;
			}
		} else if (as->commas_count && stmt->span.tokens[at].kind != TOKEN_END) {
			asm_error(as, &stmt->span, &stmt->span.tokens[at], NULL, "',' is expected before %s",
				  asm_quote(as, &stmt->span, &stmt->span.tokens[at]));
			return false;
		} else if (as->blanks_separate && stmt->span.tokens[at].kind == TOKEN_PUNCT && at_comma(stmt, at)) {
			asm_error(as, &stmt->span, &stmt->span.tokens[at], NULL,
				  "operands are separated by blanks here, not by commas");
			return false;
		}
	}
	if (count < least) {
		asm_error(as, &stmt->span, &stmt->span.tokens[at], NULL, "%s lacks its operand", d->name);
		return false;
	}
	return true;
}

bool asm_directive_check(Assembler *as, AsmStmt *stmt)
{
	const IsaDirective *d = directive_of(as, stmt);

	switch (d->action) {
	case ISA_ACT_ORG:
	case ISA_ACT_EQU:
	case ISA_ACT_ENTRY:
		return scan(as, stmt, false, true, 1, 1);
	case ISA_ACT_SPACE:
	case ISA_ACT_ALIGN:
		return scan(as, stmt, false, true, 1, as->dialect->no_expressions ? 1 : 2);
	case ISA_ACT_DATA:
		return scan(as, stmt, !d->single, true, 1, d->single ? 1 : ASM_MAX_LINE);
	case ISA_ACT_STRING:
		return scan(as, stmt, true, false, 1, d->single ? 1 : ASM_MAX_LINE);
	case ISA_ACT_SECTION: {
		const AsmToken *token = &stmt->span.tokens[0];
		u16 space;

		if (d->section ? token->kind != TOKEN_END : token->kind != TOKEN_NAME || stmt->span.count != 1) {
			asm_error(as, &stmt->span, token, NULL, d->section ? "%s takes no operand"
									   : "%s wants the name of a space", d->name);
			return false;
		}
		if (d->section)
			return true;
		space = isa_find_space(as->isa, asm_token_text(as, &stmt->span, token), token->len);
		if (space == ISA_NONE)
			asm_error(as, &stmt->span, token, NULL, "there is no space %s in this machine",
				  asm_quote(as, &stmt->span, token));
		return space != ISA_NONE;
	}
	default:
		return true;
	}
}

/* ---- Walking ---- */

/* An operand whose value decides about places. Not known (yet) is 0, and an error when writing. */
static bool number_at(Assembler *as, AsmStmt *stmt, u32 *at, i64 *v)
{
	AsmValue value;
	bool dry = as->dry;
	bool ok;

	as->dry = dry || !as->writing;
	ok = asm_expr(as, &stmt->span, at, &value) && value.known;
	as->dry = dry;
	*v = ok ? value.v : 0;
	if (as->commas_count && at_comma(stmt, *at))
		++*at;
	return ok;
}

static void refuse(Assembler *as, AsmStmt *stmt, const AsmToken *token, const char *hint, const char *text)
{
	if (as->writing)
		asm_error(as, &stmt->span, token, hint, "%s", text);
}

static u32 cells_per(const Assembler *as, unsigned bits)
{
	unsigned cell_bits = as->isa->spaces[as->space].cell_bits;

	return bits <= cell_bits ? 1 : (bits + cell_bits - 1) / cell_bits;
}

static void store(const Assembler *as, const IsaDirective *d, u64 *out, u64 value)
{
	const IsaSpace *space = &as->isa->spaces[as->space];
	u32 n = cells_per(as, d->bits);

	value = bits_trunc(value, d->bits ? d->bits : 64);
	for (u32 i = 0; i < n; i++) {
		u32 place = space->big && !d->little ? n - 1 - i : i;
		unsigned shift = i * space->cell_bits;

		out[place] = shift < 64 ? bits_trunc(value >> shift, space->cell_bits) : 0;
	}
}

static void walk_values(Assembler *as, AsmStmt *stmt, bool is_string)
{
	const IsaDirective *d = directive_of(as, stmt);
	u32 per = cells_per(as, d->bits), at = 0;
	u64 *out = asm_reserve(as, stmt, (u64)stmt->units * per, false);

	if (!as->writing)
		return;
	while (stmt->span.tokens[at].kind != TOKEN_END) {
		const AsmToken *token = &stmt->span.tokens[at];

		if (is_string || token->kind == TOKEN_STRING) {
			u32 in = 0;
			u8 c;

			while (asm_string_next(as, &stmt->span, token, &in, &c, false))
				if (out) {
					store(as, d, out, c);
					out += per;
				}
			if (out && is_string && d->has_end) {
				store(as, d, out, d->end);
				out += per;
			}
			at++;
			if (as->commas_count && at_comma(stmt, at))
				at++;
		} else {
			i64 v;

			if (number_at(as, stmt, &at, &v) && d->bits && d->bits < 64 &&
			    (v < -((i64)1 << (d->bits - 1)) || v > (i64)bits_mask(d->bits)))
				asm_error(as, &stmt->span, token, NULL, "%lld does not fit %u bits (%lld..%llu)",
					  (long long)v, d->bits, -((long long)1 << (d->bits - 1)),
					  (unsigned long long)bits_mask(d->bits));
			if (out) {
				store(as, d, out, (u64)v);
				out += per;
			}
		}
	}
}

static void walk_space(Assembler *as, AsmStmt *stmt, bool align)
{
	const IsaDirective *d = directive_of(as, stmt);
	u32 at = 0;
	i64 v, fill = 0;
	u64 count, *out;

	if (!number_at(as, stmt, &at, &v) && as->writing)
		return;
	if (at < stmt->span.count)
		number_at(as, stmt, &at, &fill);
	if (v < 0 || (d->nonzero && v == 0 && as->writing) || (align && v <= 0)) {
		if (as->writing)
			asm_error(as, &stmt->span, &stmt->span.tokens[0], NULL, "%s wants %s, not %lld", d->name,
				  d->nonzero || align ? "a number above 0" : "0 or more", (long long)v);
		return;
	}
	count = (u64)v;
	if (align)
		count = (u64)v ? ((u64)v - as->here % (u64)v) % (u64)v : 0;
	out = asm_reserve(as, stmt, count, false);
	for (u64 i = 0; out && fill && i < count; i++)
		out[i] = bits_trunc((u64)fill, as->isa->spaces[as->space].cell_bits);
}

void asm_directive_walk(Assembler *as, AsmStmt *stmt)
{
	const IsaDirective *d = directive_of(as, stmt);
	const AsmToken *first = &stmt->span.tokens[0];
	u32 at = 0;
	bool known;
	i64 v;

	switch (d->action) {
	case ISA_ACT_ORG:
		known = number_at(as, stmt, &at, &v);
		if (known && v < 0)
			refuse(as, stmt, first, NULL, "an address is not negative");
		else if (known || !as->writing)
			asm_go(as, stmt, (u64)v);
		break;
	case ISA_ACT_DATA:
		walk_values(as, stmt, false);
		break;
	case ISA_ACT_STRING:
		walk_values(as, stmt, true);
		break;
	case ISA_ACT_SPACE:
		walk_space(as, stmt, false);
		break;
	case ISA_ACT_ALIGN:
		walk_space(as, stmt, true);
		break;
	case ISA_ACT_SECTION:
		as->space = d->section ? isa_find_space(as->isa, d->section, __builtin_strlen(d->section))
				       : isa_find_space(as->isa, asm_token_text(as, &stmt->span, first), first->len);
		if (as->space == ISA_NONE) { /* the description names a space it does not have */
			as->space = as->isa->code_space;
			refuse(as, stmt, first, NULL, "the space of this section does not exist");
		}
		break;
	case ISA_ACT_EQU: {
		AsmSym *symbol = &as->symbols[stmt->symbol];

		known = number_at(as, stmt, &at, &v);
		if (known != symbol->known || (u64)v != symbol->value) {
			as->changed = true;
			as->moved = stmt->symbol;
		}
		symbol->known = known;
		symbol->value = (u64)v;
		break;
	}
	case ISA_ACT_ENTRY:
		if (number_at(as, stmt, &at, &v)) {
			as->has_entry = true;
			as->entry = (u64)v;
		}
		break;
	default:
		break;
	}
}
