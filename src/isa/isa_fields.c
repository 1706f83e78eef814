/* SPDX-License-Identifier: MIT
 *
 * The item `field`: what the bits of an instruction that have a name mean, and how they are written.
 */
#include <string.h>

#include "base/bits.h"
#include "isa/isa_parse.h"

static void parse_enum(Parser *p, IsaField *f)
{
	u32 cap = 0;
	u64 value = 0;

	f->kind = ISA_FIELD_ENUM;
	f->enum_default = ISA_NONE;
	while (p->tok.kind == TOK_IDENT && !tok_word(p, "default") && !(p->tok.line_start && at_item(p)) && !p->give_up) {
		if (!grow_table(p, (void **)&f->enums, &cap, f->enum_count, sizeof(*f->enums), 1024, "names"))
			return;
		f->enums[f->enum_count].name = take_name(p, "the value");
		if (accept(p, "="))
			parse_const(p, &value);
		f->enums[f->enum_count++].value = value++;
	}
	if (accept_word(p, "default")) {
		for (u32 i = 0; i < f->enum_count; i++)
			if (p->tok.kind == TOK_IDENT && text_is(tok_text(p), p->tok.len, f->enums[i].name))
				f->enum_default = i;
		if (f->enum_default == ISA_NONE)
			error_here(p, NULL, "the default must be one of the names");
		lex_next(p);
	}
	if (!f->enum_count)
		error_here(p, "write: field rm : enum rne=0 rtz=1", "an enum needs names");
}

static void parse_field_kind(Parser *p, IsaField *f)
{
	Isa *isa = p->isa;
	bool number = false;
	u64 value;

	f->scale = 1;
	for (bool first = true; !p->give_up; first = false) {
		if (!first && (p->tok.line_start || p->tok.kind == TOK_END))
			return;
		if (accept_word(p, "signed")) {
			f->is_signed = true;
			f->kind = f->kind == ISA_FIELD_REL ? ISA_FIELD_REL : ISA_FIELD_SIGNED;
			number = true;
		} else if (accept_word(p, "unsigned")) {
			f->is_signed = false;
			f->kind = f->kind == ISA_FIELD_REL ? ISA_FIELD_REL : ISA_FIELD_UNSIGNED;
			number = true;
		} else if (accept_word(p, "hex")) {
			f->hex = true;
		} else if (accept_word(p, "rel")) {
			if (!number)
				f->is_signed = true;
			f->kind = ISA_FIELD_REL;
			if (accept_word(p, "next"))
				f->from_next = true;
			else if (!accept_word(p, "pc"))
				error_here(p, NULL, "relative to what? write 'rel next' or 'rel pc'");
		} else if (accept_word(p, "abs")) {
			f->kind = ISA_FIELD_ABS;
		} else if (accept_word(p, "float")) {
			u32 pos = p->tok.pos;

			if (!parse_const(p, &value) || (value != 32 && value != 64))
				parse_error(p, pos, 1, "write: field x : float 64", "a float has 32 or 64 bits");
			else
				f->float_bits = (u8)value;
		} else if (accept_word(p, "of")) {
			u32 pos = p->tok.pos;

			if (f->kind != ISA_FIELD_ABS)
				parse_error(p, pos, 1, "write: field v : abs of 8", "'of' belongs to an address: to abs");
			if (parse_const(p, &value) && value >= 1 && value <= 64)
				f->of_bits = (u8)value;
			else
				parse_error(p, pos, 1, NULL, "an item has 1 to 64 bits");
			if (p->tok.kind == TOK_STRING && !p->tok.line_start) {
				f->of_word = arena_strndup(p->arena, tok_text(p), p->tok.len);
				lex_next(p);
			}
		} else if (accept_word(p, "scale")) {
			if (parse_const(p, &value) && value >= 1 && value <= 4096)
				f->scale = (u32)value;
			else
				error_here(p, NULL, "a scale is 1 to 4096");
		} else if (accept_word(p, "bias")) {
			u32 pos = p->tok.pos;

			if (f->kind != ISA_FIELD_ABS && f->kind != ISA_FIELD_REL)
				parse_error(p, pos, 1, "write: field t : abs bias 8", "'bias' belongs to an address: to abs or rel");
			if (parse_const(p, &value) && value <= 0xFFFFFFFF)
				f->bias = (u32)value;
			else
				parse_error(p, pos, 1, NULL, "a bias is 0 to 0xFFFFFFFF");
		} else if (number && accept_word(p, "default")) {
			bool negative = accept(p, "-");

			f->has_default = parse_const(p, &value);
			f->default_value = negative ? -(i64)value : (i64)value;
			if (!f->has_default)
				error_here(p, NULL, "'default' needs a number");
		} else if (accept_word(p, "letter")) {
			f->kind = ISA_FIELD_LETTER;
		} else if (accept_word(p, "enum")) {
			parse_enum(p, f);
			return;
		} else if (accept_word(p, "names")) {
			lex_next(p); /* a table of names for a number; kept for readers */
		} else {
			bool list = accept_word(p, "list");
			u32 i;

			for (i = 0; p->tok.kind == TOK_IDENT && i < isa->reg_count; i++)
				if (text_is(tok_text(p), p->tok.len, isa->regs[i].name))
					break;
			if (p->tok.kind != TOK_IDENT || i == isa->reg_count) {
				if (first)
					error_here(p, "signed, unsigned, float 64, rel next, rel pc, abs, letter, enum, list R, or a register file",
						   "'%.*s' is no kind of field", (int)(p->tok.len > 40 ? 40 : p->tok.len),
						   tok_text(p));
				if (first)
					lex_next(p);
				return;
			}
			f->kind = list ? ISA_FIELD_LIST : ISA_FIELD_REG;
			f->reg = (u16)i;
			lex_next(p);
			if (accept_word(p, "from") && parse_const(p, &value))
				f->reg_from = (u32)(value > 4095 ? 4095 : value);
			if (f->reg_from >= isa->regs[i].count)
				error_here(p, NULL, "'%s' has no register %u", isa->regs[i].name, f->reg_from);
		}
	}
}

void parse_field(Parser *p)
{
	Isa *isa = p->isa;
	const char *doc = take_doc(p);
	u32 first = isa->field_count;
	IsaField kind = {0};

	while (p->tok.kind == TOK_IDENT && !p->give_up) {
		u32 used_cap = p->cap_field_used;

		if (!grow_table(p, (void **)&isa->fields, &p->cap_fields, isa->field_count, sizeof(kind), 1024, "fields") ||
		    !grow_table(p, (void **)&p->field_used, &used_cap, isa->field_count, 1, 1024, "fields"))
			return;
		p->cap_field_used = used_cap;
		if (find_field(isa, tok_text(p), p->tok.len) != ISA_NONE)
			error_here(p, NULL, "field '%.*s' is declared twice", (int)p->tok.len, tok_text(p));
		isa->fields[isa->field_count] = (IsaField){.name = take_name(p, "the field")};
		p->field_used[isa->field_count++] = 0;
	}
	if (first == isa->field_count)
		error_here(p, "write: field a b : R", "'field' needs names");
	if (!expect(p, ":", "between fields and their kind"))
		return;
	parse_field_kind(p, &kind);
	trailing_doc(p, p->prev_end, &doc);
	for (u32 i = first; i < isa->field_count; i++) {
		const char *name = isa->fields[i].name;

		isa->fields[i] = kind;
		isa->fields[i].name = name;
		isa->fields[i].doc = doc;
	}
}
