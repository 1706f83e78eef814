/* SPDX-License-Identifier: MIT
 *
 * The disassembler: of the forms of an instruction, the most telling one whose bound fields have these values (an
 * alias before the plain form, the one with the most bound fields first), printed in the dialect's own writing.
 *
 * The promise is that the text assembles to the same cells at the same place. It is kept by checking, not by hope:
 * the chosen form is encoded again (odd should-be bits fail here), and where another form of the mnemonic could
 * capture the text (LDA $0012 would become the short LDA $12), the text itself is assembled. What no form gives is
 * printed with the data directive.
 */
#include <stdlib.h>
#include <string.h>

#include "asm/asm.h"
#include "base/bits.h"
#include "base/float_text.h"

enum { MAX_FORMS = 32 };

typedef struct Dis {
	const Isa *isa;
	const IsaDialect *dialect;
	const DisOptions *options;
	u64 pc;
	const IsaDecoded *decoded;
	bool plain;     /* no symbols: for the check */
	bool omitted;   /* an enum at its default was left out */
	Buf *out;
} Dis;

/* ---- Writing in the dialect ---- */

static const IsaNumberForm *number_form(const IsaDialect *dialect, u8 base)
{
	for (u32 i = 0; i < dialect->number_count; i++)
		if (dialect->numbers[i].base == base)
			return &dialect->numbers[i];
	return NULL;
}

static void put_decimal(const Dis *d, i64 value)
{
	const IsaNumberForm *form = number_form(d->dialect, ISA_BASE_DEC);
	const char *affix = form && form->affix ? form->affix : "";
	bool suffix = form && form->is_suffix;

	buf_printf(d->out, "%s%lld%s", suffix ? "" : affix, (long long)value, suffix ? affix : "");
}

static void put_hex(const Dis *d, u64 value, unsigned digits)
{
	const IsaNumberForm *form = number_form(d->dialect, ISA_BASE_HEX);
	char text[24];

	if (!form) {
		put_decimal(d, (i64)value);
		return;
	}
	for (unsigned i = 0; i < 16; i++)
		text[15 - i] = "0123456789ABCDEF"[value >> (4 * i) & 15];
	text[16] = 0;
	if (digits < 1)
		digits = 1;
	while (digits < 16 && value >> (4 * digits))
		digits++;
	if (digits > 16)
		digits = 16;
	if (form->is_suffix)
		buf_printf(d->out, "0%s%s", text + 16 - digits, form->affix ? form->affix : "");
	else
		buf_printf(d->out, "%s%s", form->affix ? form->affix : "", text + 16 - digits);
}

static void put_literal(const Dis *d, const char *text)
{
	const char *separators = d->dialect->separators ? d->dialect->separators : "";

	for (; *text; text++) {
		if (*text != ',')
			buf_byte(d->out, (u8)*text);
		else if (!d->dialect->commas && *separators && !strchr(separators, ','))
			buf_byte(d->out, ' ');
		else
			buf_str(d->out, text[1] ? "," : ", ");
	}
}

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool put_register(const Dis *d, const IsaReg *reg, u64 element)
{
	const char *prefix = d->dialect->register_prefix ? d->dialect->register_prefix : "";
	const char *name;

	if (element >= reg->count)
		return false;
	name = reg->names ? reg->names[element] : reg->name;
	if (*prefix && reg->alt_names && reg->alt_names[element] && begins_with(reg->alt_names[element], prefix))
		name = reg->alt_names[element]; /* `names f0-f31/$0-$31`: the one that texts use */
	if (!*prefix || !begins_with(name, prefix))
		buf_str(d->out, prefix);
	buf_str(d->out, name);
	return true;
}

static void put_list(const Dis *d, const IsaField *field, u64 mask)
{
	const IsaReg *reg = &d->isa->regs[field->reg];
	bool first = true;

	buf_byte(d->out, '{');
	for (u32 i = 0; i < 64 && i < reg->count; i++) {
		u32 last = i;

		if (!(mask >> i & 1))
			continue;
		while (last < 63 && last + 1 < reg->count && (mask >> (last + 1) & 1))
			last++;
		if (!first)
			put_literal(d, ",");
		first = false;
		put_register(d, reg, i);
		if (last > i) {
			if (last > i + 1)
				buf_byte(d->out, '-');
			else
				put_literal(d, ",");
			put_register(d, reg, last);
		}
		i = last;
	}
	buf_byte(d->out, '}');
}

static void put_target(const Dis *d, const IsaInsn *insn, unsigned index, const IsaField *field, u64 value)
{
	u64 target = isa_target(d->isa, insn, index, d->pc, value);
	const DisOptions *options = d->options;
	const char *name = NULL;

	if (field->of_word)
		buf_printf(d->out, "%s ", field->of_word);
	if (options->symbol && !d->plain)
		name = options->symbol(options->ctx, d->isa->code_space, target);
	if (name)
		buf_printf(d->out, "%s%s", d->dialect->symbol_prefix ? d->dialect->symbol_prefix : "", name);
	else if (field->kind == ISA_FIELD_REL && d->dialect->rel_number_is_offset)
		put_decimal(d, (i64)value);
	else
		put_hex(d, target, field->kind == ISA_FIELD_ABS && field->hex ? (insn->fields[index].width + 3) / 4 : 1);
}

/* Reads back to the same bits: a NaN only as these. */
static void put_float(const Dis *d, u64 value, unsigned bits)
{
	const IsaNumberForm *form = number_form(d->dialect, ISA_BASE_DEC);
	char text[FLOAT_TEXT_MAX];

	float_print(value, bits, text);
	if (float_is_nan(value, bits) && number_form(d->dialect, ISA_BASE_HEX))
		put_hex(d, value, bits / 4);
	else
		buf_printf(d->out, "%s%s", form && !form->is_suffix && form->affix ? form->affix : "", text);
}

static bool put_field(const Dis *d, unsigned index, u64 value)
{
	const IsaInsn *insn = d->decoded->insn;
	const IsaField *field = &d->isa->fields[insn->fields[index].field];

	switch (field->kind) {
	case ISA_FIELD_REG:
		return put_register(d, &d->isa->regs[field->reg], field->reg_from + value);
	case ISA_FIELD_LIST:
		put_list(d, field, value);
		return true;
	case ISA_FIELD_ENUM:
		for (u32 i = 0; i < field->enum_count; i++)
			if (field->enums[i].value == value) {
				buf_str(d->out, field->enums[i].name);
				return true;
			}
		put_decimal(d, (i64)value);
		return true;
	case ISA_FIELD_REL:
	case ISA_FIELD_ABS:
		put_target(d, insn, index, field, value);
		return true;
	default:
		if (field->float_bits) {
			put_float(d, value, field->float_bits);
			return true;
		}
		if (field->hex && !field->is_signed)
			put_hex(d, value, (insn->fields[index].width + 3) / 4);
		else
			put_decimal(d, (i64)value);
		return true;
	}
}

/* ---- Choosing a form ---- */

static bool is_excluded(const Dis *d, const char *mnemonic)
{
	size_t len = strlen(mnemonic);

	for (u32 i = 0; i < d->dialect->exclude_count; i++) {
		const char *name = d->dialect->excludes[i];

		if (d->dialect->fold_case ? ascii_equal_fold(mnemonic, len, name, strlen(name))
					  : !strcmp(mnemonic, name))
			return true;
	}
	return false;
}

/* Is this what a number alone means? */
static bool is_number_alone(const Dis *d, const char *mnemonic)
{
	const char *name = d->dialect->number_alone;

	return name && (d->dialect->fold_case ? ascii_equal_fold(mnemonic, strlen(mnemonic), name, strlen(name))
					      : !strcmp(mnemonic, name));
}

static bool form_applies(const Dis *d, const IsaForm *form, const u64 *values)
{
	if (form->insn != d->decoded->insn - d->isa->insns || form->shadowed ||
	    (form->is_alias && d->options->no_alias) ||
	    (is_excluded(d, form->mnemonic) && !is_number_alone(d, form->mnemonic)))
		return false;
	for (unsigned i = 0; i < d->decoded->insn->field_count; i++)
		if ((form->bound_mask >> i & 1) && (form->same[i] ? values[form->same[i] - 1] : form->bound[i]) != values[i])
			return false;
	return true;
}

static unsigned rank(const IsaForm *form)
{
	return (form->is_alias ? 100u : 0u) + (unsigned)__builtin_popcount(form->bound_mask);
}

/* Does the form give back exactly these bits? */
static bool encodes_same(const Dis *d, const u64 *values)
{
	const IsaInsn *insn = d->decoded->insn;
	u64 w[ISA_WORDS] = {0};
	unsigned bad;

	if (!isa_encode(d->isa, insn, values, w, &bad))
		return false;
	for (unsigned at = 0; at < insn->bits; at += 64) {
		u64 mask = bits_mask(insn->bits - at > 64 ? 64 : insn->bits - at);

		if ((w[at / 64] ^ d->decoded->w[at / 64]) & mask)
			return false;
	}
	return true;
}

/* An operand that can look like one of the other form's: same register names, or both numbers. */
static bool operands_alike(const Isa *isa, const IsaForm *a, const IsaForm *b, u32 i)
{
	const IsaField *x, *y;

	if (a->syntax[i].is_field != b->syntax[i].is_field)
		return false;
	if (!a->syntax[i].is_field)
		return !strcmp(a->syntax[i].text, b->syntax[i].text);
	x = &isa->fields[isa->insns[a->insn].fields[a->syntax[i].field].field];
	y = &isa->fields[isa->insns[b->insn].fields[b->syntax[i].field].field];
	if ((x->kind == ISA_FIELD_REG) != (y->kind == ISA_FIELD_REG))
		return false;
	if (x->kind == ISA_FIELD_REG) {
		const IsaReg *p = &isa->regs[x->reg], *q = &isa->regs[y->reg];

		return x->reg == y->reg || !p->names || !q->names || !strcmp(p->names[0], q->names[0]);
	}
	return (x->kind == ISA_FIELD_LIST) == (y->kind == ISA_FIELD_LIST);
}

/* Could the assembler read this form's text as another form (or pseudo-instruction) of the mnemonic? */
static bool could_be_another(const Dis *d, const IsaForm *form)
{
	const Isa *isa = d->isa;
	u32 i = strmap_get(&isa->mnemonics, form->mnemonic, strlen(form->mnemonic), 0xFFFFFFFF);

	for (; i != 0xFFFFFFFF; i = isa->form_next[i]) {
		const IsaForm *other = &isa->forms[i];
		u32 k = 0;

		if (other == form || other->shadowed)
			continue;
		if (d->omitted)
			return true;
		if (other->syntax_count != form->syntax_count)
			continue;
		while (k < form->syntax_count && operands_alike(isa, form, other, k))
			k++;
		if (k == form->syntax_count)
			return true;
	}
	return false;
}

/* Assembles the text behind `mark` and compares. */
static bool reads_back(const Dis *d, size_t mark)
{
	const Isa *isa = d->isa;
	u64 cells[64], wanted[256];
	u32 count, n;
	DiagList diags;

	diag_init(&diags);
	n = asm_line(isa, d->options->dialect, buf_text(d->out) + mark, d->pc, NULL, cells, &diags);
	diag_fini(&diags);
	count = isa_word_to_cells(isa, d->decoded->w, d->decoded->insn->bits, wanted);
	return n == count && !memcmp(cells, wanted, n * sizeof(cells[0]));
}

static bool is_word(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* A blank at `mark` where two words would run together: `PUT R1 into R2`. */
static void part_words(Buf *out, size_t mark)
{
	if (out->failed || mark == 0 || mark >= out->len || !is_word(out->data[mark - 1]) || !is_word(out->data[mark]))
		return;
	buf_byte(out, 0);
	if (out->failed)
		return;
	memmove(out->data + mark + 1, out->data + mark, out->len - 1 - mark);
	out->data[mark] = ' ';
}

static bool put_form(Dis *d, const IsaForm *form, const u64 *values)
{
	const IsaInsn *insn = d->decoded->insn;
	u32 count = form->syntax_count;
	bool alone;

	d->omitted = false;
	/* A last operand at its default is not written, nor the comma in front of it. */
	if (count && form->syntax[count - 1].is_field) {
		unsigned index = form->syntax[count - 1].field;
		const IsaField *field = &d->isa->fields[insn->fields[index].field];

		if (field->kind == ISA_FIELD_ENUM && field->enum_default < field->enum_count &&
		    field->enums[field->enum_default].value == values[index] &&
		    (count == 1 || (!form->syntax[count - 2].is_field && !strcmp(form->syntax[count - 2].text, ",")))) {
			count = count == 1 ? 0 : count - 2;
			d->omitted = true;
		}
	}
	alone = count && is_number_alone(d, form->mnemonic);
	if (!alone)
		buf_str(d->out, form->mnemonic);
	for (u32 i = 0; i < count; i++) {
		size_t mark = d->out->len;

		if (!i && !alone)
			buf_byte(d->out, ' ');
		if (!form->syntax[i].is_field)
			put_literal(d, form->syntax[i].text);
		else if (!put_field(d, form->syntax[i].field, values[form->syntax[i].field]))
			return false;
		if (i)
			part_words(d->out, mark);
	}
	return true;
}

static bool has_floats(const Dis *d, const IsaForm *form)
{
	for (u32 i = 0; i < form->syntax_count; i++)
		if (form->syntax[i].is_field &&
		    d->isa->fields[d->isa->insns[form->insn].fields[form->syntax[i].field].field].float_bits)
			return true;
	return false;
}

static bool try_form(Dis *d, const IsaForm *form, const u64 *values)
{
	size_t mark = d->out->len;
	bool fine;

	d->plain = true;
	fine = put_form(d, form, values) && ((!has_floats(d, form) && !could_be_another(d, form)) || reads_back(d, mark));
	d->out->len = mark;
	if (d->out->data)
		d->out->data[mark] = 0;
	d->plain = false;
	return fine && put_form(d, form, values);
}

static bool put_instruction(Dis *d)
{
	const IsaInsn *insn = d->decoded->insn;
	const IsaForm *forms[MAX_FORMS];
	u64 values[ISA_MAX_FIELDS];
	u32 count = 0;

	for (unsigned i = 0; i < insn->field_count; i++)
		values[i] = isa_field_value(d->isa, d->decoded, i);
	if (!encodes_same(d, values))
		return false;
	for (u32 i = 0; i < d->isa->form_count; i++) {
		const IsaForm *form = &d->isa->forms[i];
		u32 at;

		if (!form_applies(d, form, values))
			continue;
		for (at = count; at > 0 && rank(forms[at - 1]) < rank(form); at--)
			if (at < MAX_FORMS)
				forms[at] = forms[at - 1];
		if (at < MAX_FORMS) {
			forms[at] = form;
			count += count < MAX_FORMS;
		}
	}
	for (u32 i = 0; i < count; i++)
		if (try_form(d, forms[i], values))
			return true;
	return false;
}

/* ---- Data ---- */

/* The directive that writes items of `bits`, or NULL. */
static const IsaDirective *data_directive(const IsaDialect *dialect, unsigned bits)
{
	for (u32 i = 0; i < dialect->directive_count; i++)
		if (dialect->directives[i].action == ISA_ACT_DATA && dialect->directives[i].bits == bits &&
		    !dialect->directives[i].is_float && dialect->directives[i].in == ISA_NONE)
			return &dialect->directives[i];
	return NULL;
}

/* The cells with a data directive: one item of their whole width if there is one, else parcel by parcel, else cell by
 * cell; a directive of one operand takes only the first item. */
static u32 put_data(const Dis *d, const u64 *cells, u32 count)
{
	const Isa *isa = d->isa;
	const IsaSpace *space = &isa->spaces[isa->code_space];
	unsigned bits = count * space->cell_bits;
	const IsaDirective *directive = bits <= 64 ? data_directive(d->dialect, bits) : NULL;
	u32 per = count, items = 1;

	if (!directive && count % isa->parcel_cells == 0) {
		per = isa->parcel_cells;
		directive = data_directive(d->dialect, per * space->cell_bits);
	}
	if (!directive) {
		per = 1;
		directive = data_directive(d->dialect, space->cell_bits);
	}
	if (!directive) {
		buf_printf(d->out, "%s %s%s0x%llX", d->dialect->comment_count ? d->dialect->comments[0] : "#",
			   d->decoded && d->decoded->insn ? d->decoded->insn->name : "no spelling for",
			   d->decoded && d->decoded->insn ? ": no spelling here for " : " ", (unsigned long long)cells[0]);
		if (d->options && d->options->unwritable)
			*d->options->unwritable = true;
		return count;
	}
	if (!directive->single)
		items = count / per;
	if (directive->single && is_number_alone(d, directive->name))
		items = 1;
	else
		buf_printf(d->out, "%s ", directive->name);
	for (u32 i = 0; i < items; i++) {
		u64 value = 0;

		for (u32 k = 0; k < per; k++) {
			u32 from = space->big && !directive->little ? per - 1 - k : k;
			unsigned shift = k * space->cell_bits;

			value |= shift < 64 ? cells[i * per + from] << shift : 0;
		}
		if (i)
			put_literal(d, ",");
		put_hex(d, value, (directive->bits + 3) / 4);
	}
	return items * per;
}

/* ---- Doors ---- */

const char *dis_prefix(const IsaDialect *dialect, const IsaField *field)
{
	const char *prefix = NULL;

	switch ((IsaFieldKind)field->kind) {
	case ISA_FIELD_REG:
		prefix = dialect->register_prefix;
		break;
	case ISA_FIELD_REL:
	case ISA_FIELD_ABS:
		prefix = dialect->symbol_prefix;
		break;
	case ISA_FIELD_SIGNED:
	case ISA_FIELD_UNSIGNED:
		if (dialect->number_count == 1 && !dialect->numbers[0].is_suffix)
			prefix = dialect->numbers[0].affix;
		break;
	default:
		break;
	}
	return prefix ? prefix : "";
}

void dis_hex(const Isa *isa, u16 dialect, u64 value, unsigned digits, Buf *out)
{
	Dis d = {.isa = isa, .dialect = &isa->dialects[dialect < isa->dialect_count ? dialect : 0], .out = out};

	put_hex(&d, value, digits);
}

u32 dis_instruction(const Isa *isa, const DisOptions *options, u64 pc, const IsaDecoded *decoded, Buf *out)
{
	DisOptions none = {0};
	Dis d = {.isa = isa, .options = options ? options : &none, .pc = pc, .decoded = decoded, .out = out};
	u32 cell_bits = isa->spaces[isa->code_space].cell_bits, count, whole;
	u64 cells[256] = {0};

	d.dialect = &isa->dialects[d.options->dialect < isa->dialect_count ? d.options->dialect : 0];
	if (decoded->insn && put_instruction(&d))
		return decoded->cells ? decoded->cells : 1;
	whole = decoded->insn ? decoded->insn->bits : decoded->cells * cell_bits;
	if (whole > 256)
		whole = 256;
	count = isa_word_to_cells(isa, decoded->w, whole, cells);
	return put_data(&d, cells, count ? count : 1);
}

typedef struct CellFetch {
	const Isa *isa;
	const u64 *cells;
	u32 count;
} CellFetch;

static bool fetch_cells(void *ctx, unsigned index, u64 *parcel)
{
	const CellFetch *fetch = ctx;
	const IsaSpace *space = &fetch->isa->spaces[fetch->isa->code_space];
	u32 per = fetch->isa->parcel_cells;

	if ((u64)index * per + per > fetch->count)
		return false;
	*parcel = 0;
	for (u32 i = 0; i < per; i++) {
		u32 k = space->big ? per - 1 - i : i;
		unsigned shift = k * space->cell_bits;

		*parcel |= shift < 64 ? fetch->cells[index * per + i] << shift : 0;
	}
	return true;
}

u32 dis_cells(const Isa *isa, const DisOptions *options, u64 pc, const u64 *cells, u32 count, Buf *out)
{
	CellFetch fetch = {.isa = isa, .cells = cells, .count = count};
	DisOptions none = {0};
	IsaDecoded decoded;

	isa_decode(isa, fetch_cells, &fetch, &decoded);
	if (decoded.fetch_failed || (decoded.cells > count)) {
		/* The last cells do not make an instruction: one of them as data. */
		Dis d = {.isa = isa, .options = options ? options : &none, .pc = pc, .out = out};

		d.dialect = &isa->dialects[d.options->dialect < isa->dialect_count ? d.options->dialect : 0];
		return put_data(&d, cells, count < isa->parcel_cells ? 1 : isa->parcel_cells);
	}
	return dis_instruction(isa, options, pc, &decoded, out);
}
