/* SPDX-License-Identifier: MIT
 *
 * What each directive wants, occupies and writes. A directive is looked at three times: when read (is it well formed,
 * how many values does it have), at every measuring walk (how many cells, where to), and when writing.
 *
 * Values wider than a cell take several cells, in the order of the space or `little`; narrower ones one cell each.
 */
#include "asm/asm_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/bits.h"

static const IsaDirective *directive_of(const Assembler *as, const AsmStmt *stmt)
{
	return &as->dialect->directives[stmt->directive];
}

/* `.rodata.str1.8` of compilers is a part of .rodata, `.text.startup` of the code. */
static bool is_part_of(const Assembler *as, const char *section, const char *name, size_t len)
{
	size_t n = strlen(section);

	return as->dialect->gnu && len >= n && !memcmp(name, section, n) && (len == n || name[n] == '.');
}

/* A note for a linker, as compilers write at the end (.note.GNU-stack): among what is only read. */
static bool is_note(const Assembler *as, const char *name, size_t len)
{
	return is_part_of(as, ".note", name, len);
}

/* The section or space of this name, as an index into places; or ASM_NO_INDEX. */
static u32 find_place(const Assembler *as, const char *name, size_t len)
{
	/* What compilers keep near the global pointer is not apart here. */
	static const char *const others[][2] = {
		{".note", ".rodata"}, {".srodata", ".rodata"}, {".sdata", ".data"}, {".sbss", ".bss"},
	};
	u16 space;

	if (is_part_of(as, ".text", name, len))
		return as->isa->code_space;
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		if (is_part_of(as, others[i][0], name, len)) {
			name = others[i][1];
			len = strlen(name);
		}
	}
	for (u32 i = 0; i < as->dialect->section_count; i++)
		if (is_part_of(as, as->dialect->sections[i].name, name, len))
			return as->isa->space_count + i;

	for (u32 i = 0; i < as->dialect->section_count; i++)
		if (strlen(as->dialect->sections[i].name) == len && !memcmp(as->dialect->sections[i].name, name, len))
			return as->isa->space_count + i;
	space = isa_find_space(as->isa, name, len);
	return space == ISA_NONE ? ASM_NO_INDEX : space;
}

static bool at_comma(const AsmStmt *stmt, u32 at)
{
	return stmt->span.tokens[at].kind == TOKEN_PUNCT && stmt->span.tokens[at].value == ',';
}

/* ---- Reading ---- */

/* "it is written: .func n, l", for rows: nobody can guess what they want. */
static const char *row_usage(Assembler *as, const IsaDirective *d)
{
	const char *text = d->name;

	if (d->action != ISA_ACT_ROW || as->diags->count >= DIAG_MAX)
		return NULL;
	for (u32 i = 0; i < d->params; i++)
		text = arena_printf(&as->scratch, "%s%s %s", text, i && as->commas_count ? "," : "", d->names[i]);
	return arena_printf(&as->scratch, "it is written: %s", text);
}

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
			asm_error(as, &stmt->span, token, row_usage(as, d), most == 1 ? "%s takes one operand, not also %s"
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
		} else if (d->is_float || (d->action == ISA_ACT_EQU && !at && asm_is_float(&stmt->span))) {
			bool known;
			u64 bits;

			if (!asm_float(as, &stmt->span, &at, d->is_float ? d->bits : 64, &bits, &known))
				return false;
			stmt->units++;
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
			asm_error(as, &stmt->span, &stmt->span.tokens[at], row_usage(as, d), "',' is expected before %s",
				  asm_quote(as, &stmt->span, &stmt->span.tokens[at]));
			return false;
		} else if (as->blanks_separate && stmt->span.tokens[at].kind == TOKEN_PUNCT && at_comma(stmt, at)) {
			asm_error(as, &stmt->span, &stmt->span.tokens[at], NULL,
				  "operands are separated by blanks here, not by commas");
			return false;
		}
	}
	if (count < least) {
		asm_error(as, &stmt->span, &stmt->span.tokens[at], row_usage(as, d), "%s lacks %s", d->name,
			  count ? "an operand" : "its operand");
		return false;
	}
	return true;
}

bool asm_directive_check(Assembler *as, AsmStmt *stmt)
{
	const IsaDirective *d = directive_of(as, stmt);

	switch (d->action) {
	case ISA_ACT_EQU:
		as->symbols[stmt->symbol].is_float = asm_is_float(&stmt->span);
		return scan(as, stmt, false, true, 1, 1);
	case ISA_ACT_ORG:
	case ISA_ACT_ENTRY:
		return scan(as, stmt, false, true, 1, 1);
	case ISA_ACT_SPACE:
	case ISA_ACT_ALIGN:
		return scan(as, stmt, false, true, 1, as->dialect->no_expressions ? 1 : 2);
	case ISA_ACT_DATA:
		return scan(as, stmt, !d->single && !d->is_float, true, 1, d->single ? 1 : ASM_MAX_LINE);
	case ISA_ACT_STRING:
		return scan(as, stmt, true, false, 1, d->single ? 1 : ASM_MAX_LINE);
	case ISA_ACT_ROW:
		return scan(as, stmt, false, true, d->params, d->params);
	case ISA_ACT_SECTION: {
		const AsmToken *token = &stmt->span.tokens[0];
		u32 place;

		/* GNU sections may have flags: .section .rodata, "a" */
		bool more = stmt->span.count != 1 && !(as->dialect->gnu && stmt->span.count > 1 && at_comma(stmt, 1)) &&
			    !is_note(as, asm_token_text(as, &stmt->span, token), token->len);

		if (d->section ? token->kind != TOKEN_END : token->kind != TOKEN_NAME || more) {
			asm_error(as, &stmt->span, token, NULL, d->section ? "%s takes no operand"
									   : "%s wants the name of a space", d->name);
			return false;
		}
		if (d->section)
			return true;
		place = find_place(as, asm_token_text(as, &stmt->span, token), token->len);
		if (place == ASM_NO_INDEX)
			asm_error(as, &stmt->span, token, NULL, "there is no space %s in this machine",
				  asm_quote(as, &stmt->span, token));
		return place != ASM_NO_INDEX;
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
		} else if (d->is_float) {
			u64 bits;
			bool known;

			if (!asm_float(as, &stmt->span, &at, d->bits, &bits, &known))
				break;
			if (as->commas_count && at_comma(stmt, at))
				at++;
			if (out) {
				store(as, d, out, bits);
				out += per;
			}
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

/* The form of this mnemonic without operands, or ASM_NO_INDEX. */
static u32 bare_form(const Isa *isa, const char *name)
{
	u32 f = name ? strmap_get(&isa->mnemonics, name, strlen(name), ASM_NO_INDEX) : ASM_NO_INDEX;

	while (f != ASM_NO_INDEX && isa->forms[f].syntax_count)
		f = isa->form_next[f];
	return f;
}

/* Gaps in code hold instructions that do nothing: as many of the first kind, the longer, as there is room for; what is
 * left in front of them are of the second. */
static void fill_code(const Assembler *as, const IsaDirective *d, u64 *out, u64 count)
{
	const Isa *isa = as->isa;

	for (u32 i = COUNT_OF(d->fills); i-- > 0;) {
		u32 f = bare_form(isa, d->fills[i]), longer = i ? bare_form(isa, d->fills[i - 1]) : ASM_NO_INDEX;
		u64 w[ISA_WORDS] = {0}, here = longer == ASM_NO_INDEX ? count : count % asm_form_cells(isa, &isa->forms[longer]);
		unsigned bad;
		u32 cells;

		if (f == ASM_NO_INDEX || !isa_encode(isa, &isa->insns[isa->forms[f].insn], isa->forms[f].bound, w, &bad))
			continue;
		cells = asm_form_cells(isa, &isa->forms[f]);
		for (; here >= cells; here -= cells, count -= cells, out += cells)
			isa_word_to_cells(isa, w, isa->insns[isa->forms[f].insn].bits, out);
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
	if (v < 0 || (d->nonzero && v == 0 && as->writing) || (align && !d->power && v <= 0) || (d->power && v > 20)) {
		if (as->writing)
			asm_error(as, &stmt->span, &stmt->span.tokens[0], d->power ? "it is a power of two: 3 stands for 8" : NULL,
				  "%s wants %s, not %lld", d->name,
				  d->power ? "0 to 20" : d->nonzero || align ? "a number above 0" : "0 or more", (long long)v);
		return;
	}
	count = (u64)v;
	if (!align && d->bits)
		count = count > as->max_cells ? as->max_cells + 1 : count * cells_per(as, d->bits);
	if (align && d->power)
		v = v < 32 ? (i64)1 << v : -1;
	if (align)
		count = v > 0 ? ((u64)v - as->here % (u64)v) % (u64)v : 0;
	out = asm_reserve(as, stmt, count, false);
	for (u64 i = 0; out && fill && i < count; i++)
		out[i] = bits_trunc((u64)fill, as->isa->spaces[as->space].cell_bits);
	if (out && !fill && align && as->place == as->isa->code_space)
		fill_code(as, d, out, count);
}

/* One row more: its number is what the label in front stands for. */
static void walk_row(Assembler *as, AsmStmt *stmt)
{
	const IsaDirective *d = directive_of(as, stmt);
	const IsaTable *table = &as->isa->tables[d->table];
	AsmProgram *program = as->program;
	u64 row = as->rows[d->table]++;
	u32 at = 0;
	i64 operands[ISA_MAX_COLUMNS] = {0};
	AsmRow *out;

	if (stmt->symbol != ASM_NO_INDEX) {
		AsmSym *symbol = &as->symbols[stmt->symbol];

		as->changed = as->changed || !symbol->known || symbol->value != row;
		symbol->known = true;
		symbol->value = row;
		for (u32 i = 0; i < table->column_count; i++)
			if (d->columns[i].kind == ISA_COLUMN_HERE) {
				symbol->row_space = as->space;
				symbol->row_address = as->here;
			}
	}
	if (!as->writing)
		return;
	if (!arena_grow(&program->arena, (void **)&program->rows, &as->row_cap, program->row_count, sizeof(AsmRow))) {
		as->failed_memory = true;
		return;
	}
	out = &program->rows[program->row_count++];
	*out = (AsmRow){.table = d->table, .row = row, .source = stmt->span.source, .line = stmt->line,
			.name = stmt->symbol != ASM_NO_INDEX ? as->symbols[stmt->symbol].name : ""};
	for (u32 i = 0; i < d->params; i++) {
		const AsmToken *token = &stmt->span.tokens[at];
		unsigned width = 64;

		number_at(as, stmt, &at, &operands[i]);
		for (u32 k = 0; k < table->column_count; k++)
			if (d->columns[k].kind == ISA_COLUMN_OPERAND && d->columns[k].operand == i && table->widths[k] < width)
				width = table->widths[k];
		if (width < 64 && (operands[i] < -((i64)1 << (width - 1)) || operands[i] > (i64)bits_mask(width)))
			asm_error(as, &stmt->span, token, NULL, "%lld does not fit %u bits (%lld..%llu)",
				  (long long)operands[i], width, -((long long)1 << (width - 1)),
				  (unsigned long long)bits_mask(width));
	}
	for (u32 k = 0; k < table->column_count; k++) {
		const IsaRowColumn *column = &d->columns[k];
		u64 value = column->kind == ISA_COLUMN_HERE ? as->here :
			    column->kind == ISA_COLUMN_NUMBER ? column->number : (u64)operands[column->operand];

		out->values[k] = bits_trunc(value, table->widths[k]);
	}
}

/* `.ORIG 3000` where hexadecimal is x3000: a round number, if it were that. */
static void doubt_origin(Assembler *as, const AsmStmt *stmt, u64 address)
{
	const IsaSpace *space = &as->isa->spaces[as->space];
	const AsmToken *token = &stmt->span.tokens[0];
	const IsaNumberForm *hex = NULL;
	u64 other = 0;
	char decimal[24];

	for (u32 i = 0; i < as->dialect->number_count && !hex; i++)
		if (as->dialect->numbers[i].base == ISA_BASE_HEX && !as->dialect->numbers[i].is_suffix)
			hex = &as->dialect->numbers[i];
	if (!hex || !hex->affix || !*hex->affix || (*hex->affix >= '0' && *hex->affix <= '9') ||
	    token->kind != TOKEN_NUMBER || token->flags & TOKEN_CHAR)
		return;
	snprintf(decimal, sizeof(decimal), "%llu", (unsigned long long)address);
	if (strlen(decimal) != token->len || memcmp(decimal, asm_token_text(as, &stmt->span, token), token->len) != 0)
		return;
	for (const char *s = decimal; *s; s++)
		other = other << 4 | (u64)(*s - '0');
	if (!other || other % 0x100 || address % 0x100 == 0 || strlen(decimal) > 8 || (space->cells && other >= space->cells))
		return;
	asm_report_at(as, DIAG_WARNING, stmt->span.source, token->offset, token->len,
		      arena_printf(&as->scratch, "did you mean %s%s?", hex->affix, decimal), "this is decimal %s, which is %s%llX",
		      decimal, hex->affix, (unsigned long long)address);
}

void asm_directive_walk(Assembler *as, AsmStmt *stmt)
{
	const IsaDirective *d = directive_of(as, stmt);
	const AsmToken *first = &stmt->span.tokens[0];
	u32 at = 0, place;
	bool known;
	i64 v;

	switch (d->action) {
	case ISA_ACT_ORG:
		known = number_at(as, stmt, &at, &v);
		if (as->place >= as->isa->space_count)
			refuse(as, stmt, first, NULL, "a section stands behind the one before it, at no address of its own");
		else if (known && v < 0)
			refuse(as, stmt, first, NULL, "an address is not negative");
		else if (known || !as->writing)
			asm_go(as, stmt, (u64)v);
		if (known && as->writing && stmt->span.count == 1)
			doubt_origin(as, stmt, (u64)v);
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
		place = d->section ? find_place(as, d->section, strlen(d->section))
				   : find_place(as, asm_token_text(as, &stmt->span, first), first->len);
		if (place == ASM_NO_INDEX) /* the description names a space it does not have */
			refuse(as, stmt, first, NULL, "the space of this section does not exist");
		else
			asm_enter(as, place);
		break;
	case ISA_ACT_EQU: {
		AsmSym *symbol = &as->symbols[stmt->symbol];

		if (symbol->is_float) {
			if (as->writing)
				asm_float(as, &stmt->span, &at, 64, &symbol->value, &known);
			break;
		}
		known = number_at(as, stmt, &at, &v);
		if (known != symbol->known || (u64)v != symbol->value) {
			as->changed = true;
			as->moved = stmt->symbol;
		}
		symbol->known = known;
		symbol->value = (u64)v;
		break;
	}
	case ISA_ACT_ROW:
		walk_row(as, stmt);
		break;
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
