/* SPDX-License-Identifier: MIT
 *
 * A form with its operands, at an address, as bits; or the reason why its values do not go in.
 *
 * Ranges. A field takes lo..hi in steps of 2^low_zero (isa_field_range). `ranges loose` takes what either reading of
 * the bits gives, -2^(n-1) .. 2^n - 1, and reads a number with the top bit of the address width set as negative.
 * A number where a label could stand is the target itself, or the raw offset where the dialect says so.
 *
 * Asked for a value that is not known yet, a form is taken to fit: the shortest is tried first and only grows.
 */
#include "asm/asm_internal.h"

#include <string.h>

#include "base/bits.h"

typedef struct Encode {
	Assembler *as;
	const AsmSpan *span;
	const IsaForm *form;
	const IsaInsn *insn;
	u64 pc;
	bool unknown;
	bool report;
} Encode;

static const char *cell_name(const Isa *isa, bool many)
{
	switch (isa->spaces[isa->code_space].cell_bits) {
	case 8: return many ? "bytes" : "byte";
	case 16: case 32: return many ? "words" : "word";
	default: return many ? "cells" : "cell";
	}
}

static AsmFit refuse_range(Encode *e, const AsmToken *token, const IsaField *field, const IsaInsnField *place, i64 v,
			   i64 lo, i64 hi)
{
	const char *hint = NULL;
	bool is_signed = lo < 0, loose = e->as->dialect->loose_ranges;

	if (!e->report)
		return FIT_NO;
	if (is_signed && place->width < 63 && v > hi && v < (i64)1 << place->width)
		hint = arena_printf(&e->as->scratch, "as %u bits, %lld would mean %lld", place->width, (long long)v,
				    (long long)bits_signed((u64)v, place->width));
	/* What the description says of the field helps when it is more than a name. */
	if (!hint && field->doc && strlen(field->doc) > 40 && strlen(field->doc) < 160)
		hint = arena_printf(&e->as->scratch, "%s", field->doc);
	asm_error(e->as, e->span, token, hint, "%lld does not fit '%s', %u bits%s (%lld..%lld)", (long long)v,
		  field->name, place->width, loose ? "" : is_signed ? " signed" : " unsigned", (long long)lo,
		  (long long)hi);
	return FIT_NO;
}

/* An integer into a field that is not a label's: loose ranges fold it into the field's own first. */
static AsmFit put_number(Encode *e, const AsmToken *token, unsigned index, i64 v, u64 *value)
{
	const Isa *isa = e->as->isa;
	const IsaInsnField *place = &e->insn->fields[index];
	const IsaField *field = &isa->fields[place->field];
	u64 step = place->low_zero < 64 ? (u64)1 << place->low_zero : 0;
	i64 lo, hi, top;

	isa_field_range(isa, e->insn, index, &lo, &hi);
	top = hi;
	if (e->as->dialect->loose_ranges && place->width < 62) {
		unsigned wide = isa->pc_width < 62 ? isa->pc_width : 62;

		if (v >= (i64)1 << (wide - 1) && v < (i64)1 << wide && v >= (i64)1 << place->width)
			v -= (i64)1 << wide;
		lo = -((i64)1 << (place->width - 1));
		top = ((i64)1 << place->width) - 1;
	}
	if (place->width < 64 && (v < lo || v > (top | (i64)(step - 1))))
		return refuse_range(e, token, field, place, v, lo, top);
	if ((u64)v & (step - 1)) {
		if (e->report)
			asm_error(e->as, e->span, token, NULL, "%lld must be a multiple of %llu", (long long)v,
				  (unsigned long long)step);
		return FIT_NO;
	}
	*value = field->is_signed && place->width < 64 ? (u64)bits_signed((u64)v, place->width)
						       : bits_trunc((u64)v, place->width);
	return FIT_YES;
}

static AsmFit refuse_distance(Encode *e, const AsmToken *token, const IsaField *field, i64 offset, i64 lo, i64 hi,
			      const AsmValue *v)
{
	const Isa *isa = e->as->isa;
	i64 distance = (i64)((u64)offset * field->scale);
	const char *name;

	if (!e->report)
		return FIT_NO;
	name = v->symbol != ASM_NO_INDEX ? arena_printf(&e->as->scratch, "label '%s'", e->as->symbols[v->symbol].name)
					 : asm_quote(e->as, e->span, token);
	asm_error(e->as, e->span, token, NULL, "%s is %lld %s away; %s reaches %lld..%lld", name, (long long)distance,
		  cell_name(isa, distance != 1), e->form->mnemonic, (long long)(lo * (i64)field->scale),
		  (long long)(hi * (i64)field->scale));
	return FIT_NO;
}

/* An address that no bits give: address = bits * scale + bias. */
static AsmFit refuse_address(Encode *e, const AsmToken *token, const IsaField *field, unsigned width, const AsmValue *v)
{
	u64 last = width < 64 ? bits_mask(width) * field->scale + field->bias : ~(u64)0;
	const char *name;

	if (!e->report)
		return FIT_NO;
	name = v->symbol != ASM_NO_INDEX ? arena_printf(&e->as->scratch, "label '%s'", e->as->symbols[v->symbol].name)
					 : asm_quote(e->as, e->span, token);
	asm_error(e->as, e->span, token,
		  arena_printf(&e->as->scratch, "the instruction holds (address - %u) / %u", field->bias, field->scale),
		  "%s is address 0x%llX; %s reaches 0x%X..0x%llX%s", name, (unsigned long long)v->v, e->form->mnemonic,
		  field->bias, (unsigned long long)bits_trunc(last, e->as->isa->pc_width),
		  field->scale > 1 ? arena_printf(&e->as->scratch, " in steps of %u", field->scale) : "");
	return FIT_NO;
}

static AsmFit put_label(Encode *e, const AsmToken *token, unsigned index, const AsmValue *v, u64 *value)
{
	const Isa *isa = e->as->isa;
	const IsaInsnField *place = &e->insn->fields[index];
	const IsaField *field = &isa->fields[place->field];
	u64 step = place->low_zero < 64 ? (u64)1 << place->low_zero : 0;
	i64 offset, lo, hi;

	if (field->kind == ISA_FIELD_REL && !v->address && e->as->dialect->rel_number_is_offset)
		return put_number(e, token, index, v->v, value);
	if (!isa_offset(isa, e->insn, index, e->pc, (u64)v->v, &offset)) {
		if (field->kind == ISA_FIELD_ABS)
			return refuse_address(e, token, field, place->width, v);
		if (e->report)
			asm_error(e->as, e->span, token, NULL, "%s is not a multiple of %u %s away",
				  asm_quote(e->as, e->span, token), field->scale, cell_name(isa, true));
		return FIT_NO;
	}
	isa_field_range(isa, e->insn, index, &lo, &hi);
	if (place->width < 64 && (offset < lo || offset > (hi | (i64)(step - 1)))) {
		if (field->kind == ISA_FIELD_ABS && (field->bias || field->scale > 1))
			return refuse_address(e, token, field, place->width, v);
		if (field->kind == ISA_FIELD_ABS)
			return refuse_range(e, token, field, place, offset, lo, hi);
		return refuse_distance(e, token, field, offset, lo, hi, v);
	}
	if ((u64)offset & (step - 1)) {
		if (e->report)
			asm_error(e->as, e->span, token, NULL, "%s is %lld %s away, which must be a multiple of %llu",
				  asm_quote(e->as, e->span, token), (long long)offset, cell_name(isa, offset != 1),
				  (unsigned long long)step);
		return FIT_NO;
	}
	*value = field->is_signed ? (u64)offset : bits_trunc((u64)offset, place->width);
	return FIT_YES;
}

/* `add r1, v` where v is no variable of the width this form is for. */
static AsmFit refuse_width(Encode *e, const AsmToken *token, const IsaField *field, const AsmValue *v)
{
	const char *hint = NULL;

	if (!e->report || (!v->known && v->symbol == ASM_NO_INDEX)) /* no such label: said */
		return FIT_NO;
	if (field->of_word)
		hint = arena_printf(&e->as->scratch, "the width can be written in front: %s %s ..", e->form->mnemonic, field->of_word);
	if (v->width)
		asm_error(e->as, e->span, token, hint, "%s is a variable of %u bits, which %s does not take",
			  asm_quote(e->as, e->span, token), v->width, e->form->mnemonic);
	else
		asm_error(e->as, e->span, token, hint, "%s is no variable, so its width is not known",
			  asm_quote(e->as, e->span, token));
	return FIT_NO;
}

/* The value of one operand. */
static AsmFit operand(Encode *e, unsigned index, u32 at, u64 *value)
{
	Assembler *as = e->as;
	const IsaInsnField *place = &e->insn->fields[index];
	const IsaField *field = &as->isa->fields[place->field];
	const AsmToken *token;
	AsmValue v;
	bool said;
	u64 mask;
	u32 i;

	*value = 0;
	if (at == ASM_NO_TOKEN) {
		if (field->kind == ISA_FIELD_ENUM && field->enum_default < field->enum_count)
			*value = field->enums[field->enum_default].value;
		else if (field->has_default)
			return put_number(e, &e->span->tokens[0], index, field->default_value, value);
		return FIT_YES;
	}
	token = &e->span->tokens[at];
	switch (field->kind) {
	case ISA_FIELD_REG:
		i = asm_register(as, e->span, token, field->reg);
		*value = i - field->reg_from;
		return FIT_YES;
	case ISA_FIELD_LIST:
		asm_list(as, e->span, &at, field->reg, &mask);
		if (mask & ~bits_mask(place->width)) {
			if (e->report)
				asm_error(as, e->span, token, NULL, "this list has registers that '%s' (%u bits) can't hold",
					  field->name, place->width);
			return FIT_NO;
		}
		*value = mask;
		return FIT_YES;
	case ISA_FIELD_ENUM:
		i = asm_enum(as, e->span, token, field);
		if (i < field->enum_count) {
			*value = field->enums[i].value;
			return FIT_YES;
		}
		break;
	default:
		break;
	}
	if (field->float_bits) {
		bool known;

		if (!asm_float(as, e->span, &at, field->float_bits, value, &known))
			return FIT_NO;
		e->unknown = e->unknown || !known;
		return FIT_YES;
	}
	said = field->of_word && asm_token_is(as, e->span, token, field->of_word);
	at += said;
	if (!asm_expr(as, e->span, &at, &v))
		return FIT_NO;
	if (field->of_bits && !said && v.width != field->of_bits && !(as->only && !v.width))
		return refuse_width(e, token, field, &v);
	if (!v.known) {
		e->unknown = true;
		return FIT_YES;
	}
	if (field->kind == ISA_FIELD_REL || field->kind == ISA_FIELD_ABS)
		return put_label(e, token, index, &v, value);
	return put_number(e, token, index, v.v, value);
}

/* Parcels of W for the decoder. */
typedef struct WordFetch {
	const Isa *isa;
	const u64 *w;
	unsigned bits;
} WordFetch;

static bool fetch_word(void *ctx, unsigned index, u64 *parcel)
{
	const WordFetch *fetch = ctx;
	unsigned lo = index * fetch->isa->parcel_bits, len = fetch->isa->parcel_bits;

	if (lo >= fetch->bits)
		return false;
	if (lo + len > fetch->bits)
		len = fetch->bits - lo;
	*parcel = bits_extract(fetch->w, lo, len);
	return true;
}

AsmFit asm_encode(Assembler *as, const AsmSpan *span, const AsmCandidate *candidate, u64 pc, u64 w[ISA_WORDS])
{
	const IsaForm *form = &as->isa->forms[candidate->form];
	Encode e = {.as = as, .span = span, .form = form, .insn = &as->isa->insns[form->insn], .pc = pc,
		    .report = as->writing && !as->dry};
	u64 values[ISA_MAX_FIELDS] = {0};
	unsigned bad = 0;

	for (unsigned i = 0; i < e.insn->field_count; i++) {
		if (form->bound_mask >> i & 1)
			values[i] = form->bound[i];
		else if (operand(&e, i, candidate->at[i], &values[i]) == FIT_NO)
			return FIT_NO;
	}
	for (unsigned i = 0; i < e.insn->field_count; i++)
		if (form->same[i])
			values[i] = values[form->same[i] - 1];
	if (e.unknown)
		return FIT_UNKNOWN;
	if (!isa_encode(as->isa, e.insn, values, w, &bad)) {
		if (e.report)
			asm_error(as, span, &span->tokens[0], NULL, "the operand '%s' does not fit",
				  as->isa->fields[e.insn->fields[bad < e.insn->field_count ? bad : 0].field].name);
		return FIT_NO;
	}
	if (e.insn->when) {
		WordFetch fetch = {.isa = as->isa, .w = w, .bits = e.insn->bits};
		IsaDecoded decoded;

		isa_decode(as->isa, fetch_word, &fetch, &decoded);
		if (decoded.insn != e.insn) {
			if (e.report)
				asm_error(as, span, &span->tokens[0], NULL,
					  "%s does not exist with these operands (its `when` is not met)", form->mnemonic);
			return FIT_NO;
		}
	}
	return FIT_YES;
}

AsmFit asm_choose(Assembler *as, const AsmSpan *span, const AsmCandidate *candidates, u32 count, u8 *chosen, u64 pc,
		  u64 *out, u32 room, u32 *cells)
{
	bool dry = as->dry, only = as->only;
	AsmFit fit = FIT_NO;

	*cells = 0;
	for (u32 i = *chosen; i < count; i++) {
		bool last = i + 1 == count;
		u64 w[ISA_WORDS] = {0};

		as->only = count == 1;
		as->dry = dry || !last; /* only the last, widest one complains */
		if (candidates[i].form & ASM_PSEUDO) {
			fit = asm_expand(as, span, &candidates[i], pc, out, room, cells);
		} else {
			const IsaForm *form = &as->isa->forms[candidates[i].form];
			u64 scratch[ASM_MAX_CELLS_INSN];

			*cells = asm_form_cells(as->isa, form);
			fit = asm_encode(as, span, &candidates[i], pc, w);
			if (fit == FIT_UNKNOWN && as->writing && as->dry && !dry) {
				as->dry = false; /* a label that nobody defines: say which */
				fit = asm_encode(as, span, &candidates[i], pc, w);
			}
			if (fit == FIT_YES && out) {
				isa_word_to_cells(as->isa, w, as->isa->insns[form->insn].bits, scratch);
				for (u32 k = 0; k < *cells && k < room; k++)
					out[k] = scratch[k];
			}
			if (*cells > room) { /* only inside a pseudo-instruction that makes too much */
				if (as->writing && !as->dry)
					asm_error(as, span, &span->tokens[0], NULL, "this makes more than %d cells",
						  ASM_MAX_CELLS);
				*cells = room;
				fit = FIT_NO;
			}
		}
		as->dry = dry;
		as->only = only;
		if (fit != FIT_NO || last) {
			*chosen = (u8)i;
			break;
		}
	}
	return fit;
}
