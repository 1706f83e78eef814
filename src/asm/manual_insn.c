/* SPDX-License-Identifier: MIT
 *
 * The manual's sections on instructions: one per mnemonic (all encodings of the same name together), with the
 * diagram, the operands, the meaning in the description's own words, and every other spelling.
 */
#include <string.h>

#include "asm/manual.h"
#include "base/bits.h"
#include "base/float_text.h"

const char *manual_insn_id(Arena *arena, const IsaInsn *insn)
{
	return doc_id(arena, "i", insn->name);
}

void manual_value(const Isa *isa, const IsaInsn *insn, unsigned index, u64 value, Buf *out)
{
	const IsaField *field = &isa->fields[insn->fields[index].field];

	switch ((IsaFieldKind)field->kind) {
	case ISA_FIELD_REG: {
		const IsaReg *reg = &isa->regs[field->reg];
		u64 element = field->reg_from + value;

		if (reg->names && element < reg->count)
			buf_str(out, reg->names[element]);
		else if (element < reg->count && !reg->array)
			buf_str(out, reg->name);
		else
			buf_printf(out, "%s[%llu]", reg->name, (unsigned long long)element);
		return;
	}
	case ISA_FIELD_LIST: {
		const IsaReg *reg = &isa->regs[field->reg];
		const char *between = "";

		buf_byte(out, '{');
		for (u32 i = 0; i < 64 && i < insn->fields[index].width; i++) {
			if (!(value >> i & 1))
				continue;
			if (reg->names && i < reg->count)
				buf_printf(out, "%s%s", between, reg->names[i]);
			else
				buf_printf(out, "%s%s[%u]", between, reg->name, i);
			between = ", ";
		}
		buf_byte(out, '}');
		return;
	}
	case ISA_FIELD_ENUM:
		for (u32 i = 0; i < field->enum_count; i++)
			if (field->enums[i].value == value) {
				buf_str(out, field->enums[i].name);
				return;
			}
		break;
	default:
		break;
	}
	if (field->float_bits) {
		char text[FLOAT_TEXT_MAX];

		float_print(value, field->float_bits, text);
		buf_str(out, text);
	} else if (field->is_signed)
		buf_printf(out, "%lld", (long long)value);
	else if (field->hex || field->kind == ISA_FIELD_ABS)
		buf_printf(out, "0x%llX", (unsigned long long)value);
	else
		buf_printf(out, "%llu", (unsigned long long)value);
}

void manual_operands(const Isa *isa, const IsaInsn *insn, const IsaSyntax *syntax, u32 count, const IsaForm *form,
		     Buf *out)
{
	/* As the first dialect writes it. */
	const IsaDialect *dialect = isa->dialect_count ? isa->dialects : NULL;
	const char *separators = dialect && dialect->separators ? dialect->separators : "";
	const bool blanks = *separators && !strchr(separators, ',');

	for (u32 i = 0; i < count; i++) {
		unsigned at = syntax[i].field;

		if (syntax[i].is_field && form && form->same[at])
			at = form->same[at] - 1u;
		if (syntax[i].is_field && form && form->bound_mask >> at & 1) {
			manual_value(isa, insn, at, form->bound[at], out);
		} else if (syntax[i].is_field) {
			const IsaField *field = &isa->fields[insn->fields[at].field];

			buf_printf(out, "%s%s", dialect ? dis_prefix(dialect, field) : "", field->name);
		} else if (strcmp(syntax[i].text, ",") == 0) {
			buf_str(out, blanks ? " " : ", ");
		} else {
			buf_str(out, syntax[i].text);
		}
	}
}

void manual_field_text(const Isa *isa, const IsaInsn *insn, unsigned index, Buf *out)
{
	const IsaInsnField *use = &insn->fields[index];
	const IsaField *field = &isa->fields[use->field];
	i64 lo, hi;

	isa_field_range(isa, insn, index, &lo, &hi);
	switch ((IsaFieldKind)field->kind) {
	case ISA_FIELD_REG: {
		u64 last = field->reg_from + (use->width >= 32 ? UINT32_MAX : bits_mask(use->width));
		u32 count = isa->regs[field->reg].count;

		buf_str(out, "register ");
		manual_value(isa, insn, index, 0, out);
		if (last >= count)
			last = count ? count - 1 : 0;
		if (last > field->reg_from) {
			buf_str(out, "..");
			manual_value(isa, insn, index, last - field->reg_from, out);
		}
		if (use->width < 64 && bits_mask(use->width) > last - field->reg_from)
			buf_printf(out, "; above %llu illegal", (unsigned long long)(last - field->reg_from));
		return;
	}
	case ISA_FIELD_LIST:
		buf_printf(out, "list of registers, bit i = register i of %s", isa->regs[field->reg].name);
		return;
	case ISA_FIELD_LETTER:
		buf_printf(out, "the letter %s of the mnemonic", field->name);
		return;
	case ISA_FIELD_ENUM:
		for (u32 i = 0; i < field->enum_count && i < 16; i++)
			buf_printf(out, "%s%s = %llu%s", i ? ", " : "", field->enums[i].name,
				   (unsigned long long)field->enums[i].value,
				   i == field->enum_default ? " (default)" : "");
		if (field->enum_count > 16)
			buf_str(out, ", ...");
		return;
	case ISA_FIELD_REL:
		buf_printf(out, "label: offset from %s, ", field->from_next ? "the next instruction" : "this instruction");
		break;
	case ISA_FIELD_ABS:
		buf_str(out, "label: address, ");
		if (field->of_bits)
			buf_printf(out, "of a variable of %u bits, ", field->of_bits);
		break;
	default:
		if (field->float_bits) {
			buf_printf(out, "a decimal fraction, %u bits", field->float_bits);
			return;
		}
		buf_str(out, field->is_signed ? "signed, " : "unsigned, ");
		break;
	}
	if (field->is_signed)
		buf_printf(out, "%lld..%lld", (long long)lo, (long long)hi);
	else if (use->width >= 64)
		buf_str(out, "0..0xFFFFFFFFFFFFFFFF");
	else
		buf_printf(out, field->hex ? "0..0x%llX" : "0..%llu", (unsigned long long)hi);
	if (use->low_zero)
		buf_printf(out, " in steps of %llu", 1ull << (use->low_zero < 63 ? use->low_zero : 63));
	if (field->scale > 1)
		buf_printf(out, ", times %u", field->scale);
	if (field->bias)
		buf_printf(out, ", plus %u", field->bias);
}

/* ---- Spellings ---- */

static void mnemonic_with_letters(const Isa *isa, const IsaInsn *insn, const IsaForm *form, Buf *out)
{
	/* The name with each <letter> written out or left away, as the form binds it. */
	for (const char *at = insn->name; *at;) {
		const char *end = *at == '<' ? strchr(at, '>') : NULL;
		bool known = false;

		for (unsigned f = 0; end && f < insn->field_count; f++) {
			const char *name = isa->fields[insn->fields[f].field].name;
			const char *inner = at + 1 + (at[1] == '.');

			if (strlen(name) == (size_t)(end - inner) && memcmp(name, inner, (size_t)(end - inner)) == 0) {
				if (form->bound[f])
					buf_add(out, at + 1, (size_t)(end - at - 1));
				known = true;
			}
		}
		if (known) {
			at = end + 1;
		} else {
			buf_byte(out, (u8)*at++);
		}
	}
}

static void spelling(const Isa *isa, const IsaForm *form, Buf *out)
{
	const IsaInsn *insn = &isa->insns[form->insn];

	buf_str(out, form->mnemonic);
	if (form->syntax_count)
		buf_byte(out, ' ');
	manual_operands(isa, insn, form->syntax, form->syntax_count, form, out);
}

/* What an alias stands for: the instruction with the bound operands filled in. */
static void alias_target(const Isa *isa, const IsaForm *form, Buf *out)
{
	const IsaInsn *insn = &isa->insns[form->insn];
	u16 shown = 0;

	mnemonic_with_letters(isa, insn, form, out);
	if (insn->syntax_count)
		buf_byte(out, ' ');
	manual_operands(isa, insn, insn->syntax, insn->syntax_count, form, out);
	for (u32 i = 0; i < insn->syntax_count; i++)
		if (insn->syntax[i].is_field)
			shown |= (u16)(1u << insn->syntax[i].field);
	for (unsigned f = 0; f < insn->field_count; f++) {
		const IsaField *field = &isa->fields[insn->fields[f].field];

		if ((shown >> f & 1) || !(form->bound_mask >> f & 1) || field->kind == ISA_FIELD_LETTER)
			continue;
		buf_printf(out, " with %s = ", field->name);
		manual_value(isa, insn, f, form->bound[f], out);
	}
}

/* The word an alias without operands of its own always is. */
static void alias_word(const Isa *isa, const IsaForm *form, Buf *out)
{
	const IsaInsn *insn = &isa->insns[form->insn];
	u64 w[ISA_WORDS] = {0};
	unsigned bad;

	for (unsigned f = 0; f < insn->field_count; f++)
		if (!(form->bound_mask >> f & 1))
			return;
	if (insn->bits > 64 || insn->bits > isa->parcel_bits || !isa_encode(isa, insn, form->bound, w, &bad))
		return;
	buf_printf(out, "0x%0*llX", (int)((insn->bits + 3) / 4), (unsigned long long)w[0]);
}

static bool same_name(const Isa *isa, u32 a, u32 b)
{
	return strcmp(isa->insns[a].name, isa->insns[b].name) == 0;
}

/* Mnemonics made by letters, then aliases, of all encodings of one name. */
static void spellings(Doc *doc, const Isa *isa, u32 first)
{
	static const char *const titles[] = {"alias", "word", "for"};
	u32 letters = 0, aliases = 0;
	Buf text;

	buf_init(&text);
	for (u32 i = 0; i < isa->form_count; i++) {
		const IsaForm *form = &isa->forms[i];

		if (form->insn >= isa->insn_count || !same_name(isa, form->insn, first))
			continue;
		if (form->is_alias)
			aliases++;
		else if (strcmp(form->mnemonic, isa->insns[first].name) != 0)
			buf_printf(&text, "%s%s", letters++ ? " " : "", form->mnemonic);
	}
	if (letters) {
		doc_heading(doc, 4, NULL, "Mnemonics");
		doc_code(doc, buf_text(&text));
	}
	if (aliases) {
		doc_heading(doc, 4, NULL, "Aliases");
		doc_table_begin(doc, "ccc", titles);
		for (u32 i = 0; i < isa->form_count; i++) {
			const IsaForm *form = &isa->forms[i];

			if (form->insn >= isa->insn_count || !same_name(isa, form->insn, first) || !form->is_alias)
				continue;
			buf_clear(&text);
			spelling(isa, form, &text);
			doc_cell(doc, buf_text(&text));
			buf_clear(&text);
			alias_word(isa, form, &text);
			doc_cell(doc, buf_text(&text));
			buf_clear(&text);
			alias_target(isa, form, &text);
			if (form->shadowed)
				buf_str(&text, " (never printed by the disassembler)");
			doc_cell(doc, buf_text(&text));
		}
		doc_table_end(doc);
	}
	buf_fini(&text);
}

/* ---- One encoding ---- */

static void operands_table(Doc *doc, const Isa *isa, const IsaInsn *insn)
{
	static const char *const titles[] = {"field", "bits", "what it is"};
	Buf text;

	if (insn->field_count == 0)
		return;
	buf_init(&text);
	doc_table_begin(doc, "ctt", titles);
	for (unsigned f = 0; f < insn->field_count; f++) {
		const IsaField *field = &isa->fields[insn->fields[f].field];

		doc_cell(doc, field->name);
		doc_cellf(doc, "%u", insn->fields[f].width);
		buf_clear(&text);
		manual_field_text(isa, insn, f, &text);
		if (field->doc && *field->doc)
			buf_printf(&text, "; %s", field->doc);
		doc_cell(doc, buf_text(&text));
	}
	doc_table_end(doc);
	buf_fini(&text);
}

static bool has_should_be(const IsaInsn *insn, bool *checked)
{
	u64 any = 0, unchecked = 0;

	for (unsigned i = 0; i < ISA_WORDS; i++) {
		any |= insn->fill_mask[i];
		unchecked |= insn->fill_mask[i] & ~insn->mask[i];
	}
	*checked = unchecked == 0;
	return any != 0;
}

static void encoding(Doc *doc, const Isa *isa, const IsaInsn *insn, ManualItems *items)
{
	const char *item, *when;
	bool checked;
	Buf text;

	buf_init(&text);
	buf_str(&text, insn->name);
	if (insn->syntax_count)
		buf_byte(&text, ' ');
	manual_operands(isa, insn, insn->syntax, insn->syntax_count, NULL, &text);
	doc_syntax(doc, buf_text(&text));
	manual_diagram(doc, isa, insn, NULL);
	if (has_should_be(insn, &checked))
		doc_para(doc, checked ? "Bits in parentheses must have these values; others make the word illegal."
				      : "Bits in parentheses should have these values; the machine does not look at them.");
	operands_table(doc, isa, insn);
	item = manual_item_take(items, "insn", insn->line);
	when = item ? manual_item_when(item, doc->arena) : "";
	if (insn->when && *when)
		doc_paraf(doc, "Only when %s; otherwise the word is another instruction or illegal.", when);
	doc_code(doc, insn->semantics && *insn->semantics ? insn->semantics : "(does nothing)");
	if (isa->cycles_reg != ISA_NONE)
		doc_paraf(doc, "Cycles: %u%s", insn->cost,
			  insn->semantics && strstr(insn->semantics, "charge") ? ", and what the meaning charges" : "");
	if (insn->restartable)
		doc_para(doc, "May stop in the middle and be run again from its start.");
	buf_fini(&text);
}

void manual_instructions(Doc *doc, const Isa *isa, ManualItems *items)
{
	if (isa->insn_count == 0)
		return;
	doc_heading(doc, 2, "instructions", "Instructions");
	for (u32 i = 0; i < isa->insn_count; i++) {
		const char *said = "";
		bool again = false;

		for (u32 k = 0; k < i && !again; k++)
			again = same_name(isa, i, k);
		if (again)
			continue;
		if (doc->html)
			buf_str(doc->out, "<section>\n");
		doc_heading(doc, 3, manual_insn_id(doc->arena, &isa->insns[i]), isa->insns[i].name);
		for (u32 k = i; k < isa->insn_count; k++) {
			if (!same_name(isa, i, k))
				continue;
			/* Encodings of one name often carry the same text: once is enough. */
			if (isa->insns[k].doc && strcmp(said, isa->insns[k].doc) != 0) {
				doc_para(doc, isa->insns[k].doc);
				said = isa->insns[k].doc;
			}
			encoding(doc, isa, &isa->insns[k], items);
		}
		spellings(doc, isa, i);
		if (doc->html)
			buf_str(doc->out, "</section>\n");
	}
}
