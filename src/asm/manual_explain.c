/* SPDX-License-Identifier: MIT
 *
 * One instruction, explained: its text, its bits, each field with its value, and its meaning in the description's
 * words with the fields filled in:
 *
 *     0x3002  ADD R1, R1, #-1
 *     Add
 *         ...the bits in boxes...
 *       d = 1   R1      a = 1   R1      i = 0x1F   -1
 *       R1 = R1 + -1; cc = R1
 */
#include <string.h>

#include "asm/manual.h"
#include "base/bits.h"

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool same(const char *name, const char *text, size_t len)
{
	return strlen(name) == len && memcmp(name, text, len) == 0;
}

static void field_value(const Isa *isa, u16 dialect, const IsaInsn *insn, unsigned index, u64 value, Buf *out)
{
	const IsaField *field = &isa->fields[insn->fields[index].field];

	if ((field->kind == ISA_FIELD_UNSIGNED && field->hex && !field->float_bits) || field->kind == ISA_FIELD_ABS)
		dis_hex(isa, dialect, value, 1, out);
	else
		manual_value(isa, insn, index, value, out);
}

/* 0x1F of the description as the dialect writes it; false when it is no such number. */
static bool hex_text(const Isa *isa, u16 dialect, const char *word, size_t len, Buf *out)
{
	u64 value = 0;
	size_t i = 2;

	if (len < 3 || len > 18 || word[0] != '0' || word[1] != 'x')
		return false;
	for (; i < len; i++) {
		char c = ascii_lower(word[i]);

		if (c == '_')
			continue;
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
		value = value << 4 | (u64)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	dis_hex(isa, dialect, value, 1, out);
	return true;
}

/* What stands for the field in the meaning: an address for labels, else the value. */
static void operand_text(const Isa *isa, u16 dialect, const IsaDecoded *decoded, unsigned index, u64 pc, Buf *out)
{
	const IsaField *field = &isa->fields[decoded->insn->fields[index].field];
	u64 value = isa_field_value(isa, decoded, index);

	if (field->kind == ISA_FIELD_REL || field->kind == ISA_FIELD_ABS)
		dis_hex(isa, dialect, isa_target(isa, decoded->insn, index, pc, value), 1, out);
	else if (field->kind == ISA_FIELD_ENUM)
		buf_printf(out, "%llu", (unsigned long long)value);
	else
		field_value(isa, dialect, decoded->insn, index, value, out);
}

/* A name that the meaning binds itself hides a field of the same name. */
static bool is_local(const char *meaning, const char *name, size_t len)
{
	for (const char *at = meaning; (at = strstr(at, "let")) != NULL; at += 3) {
		const char *word = at + 3;

		if ((at > meaning && is_word(at[-1])) || (*word != ' ' && *word != '\t'))
			continue;
		word += strspn(word, " \t");
		if (strncmp(word, name, len) == 0 && !is_word(word[len]))
			return true;
	}
	return false;
}

/* The meaning, each field's name replaced by what it is here; `#d` becomes the register's number. */
static void meaning(const Isa *isa, u16 dialect, const IsaDecoded *decoded, u64 pc, Buf *out)
{
	const IsaInsn *insn = decoded->insn;
	const char *text = insn->semantics ? insn->semantics : "";

	for (const char *at = text; *at;) {
		bool number = *at == '#' && is_word(at[1]), known = false;
		const char *word = at + number, *end = word;

		while (is_word(*end))
			end++;
		if (end == word) {
			buf_byte(out, (u8)*at++);
			continue;
		}
		if ((at > text && (at[-1] == '.' || at[-1] == '\'')) || (*word >= '0' && *word <= '9'))
			known = true; /* part of a table's or a number's spelling: not a field */
		if (!known && same("next", word, (size_t)(end - word))) {
			dis_hex(isa, dialect, bits_trunc(pc + decoded->cells, isa->pc_width ? isa->pc_width : 64), 1, out);
			at = end;
			continue;
		}
		for (unsigned f = 0; f < insn->field_count && !known; f++) {
			if (!same(isa->fields[insn->fields[f].field].name, word, (size_t)(end - word)) ||
			    is_local(text, word, (size_t)(end - word)))
				continue;
			if (number)
				buf_printf(out, "%llu",
					   (unsigned long long)(isa->fields[insn->fields[f].field].reg_from +
								isa_field_value(isa, decoded, f)));
			else
				operand_text(isa, dialect, decoded, f, pc, out);
			at = end;
			break;
		}
		if (at != end && !hex_text(isa, dialect, at, (size_t)(end - at), out))
			buf_add(out, at, (size_t)(end - at));
		at = end;
	}
}

static void fields_table(Doc *doc, const Isa *isa, u16 dialect, const IsaDecoded *decoded, u64 pc)
{
	static const char *const titles[] = {"field", "bits", "value", ""};
	Buf text;

	buf_init(&text);
	doc_table_begin(doc, "cctt", titles);
	for (unsigned f = 0; f < decoded->insn->field_count; f++) {
		const IsaField *field = &isa->fields[decoded->insn->fields[f].field];
		u64 value = isa_field_value(isa, decoded, f);
		unsigned width = decoded->insn->fields[f].width;

		doc_cell(doc, field->name);
		buf_clear(&text);
		for (unsigned bit = width; bit-- > 0;)
			buf_byte(&text, value >> bit & 1 ? '1' : '0');
		doc_cell(doc, buf_text(&text));
		buf_clear(&text);
		field_value(isa, dialect, decoded->insn, f, value, &text);
		if (field->kind == ISA_FIELD_REL || field->kind == ISA_FIELD_ABS) {
			buf_str(&text, ", target ");
			dis_hex(isa, dialect, isa_target(isa, decoded->insn, f, pc, value), 1, &text);
		}
		doc_cell(doc, buf_text(&text));
		buf_clear(&text);
		if (field->doc && *field->doc)
			buf_str(&text, field->doc);
		else
			manual_field_text(isa, decoded->insn, f, &text);
		doc_cell(doc, buf_text(&text));
	}
	doc_table_end(doc);
	buf_fini(&text);
}

void manual_explain(const Isa *isa, u16 dialect, u64 pc, const IsaDecoded *decoded, Buf *out)
{
	DisOptions options = {.dialect = dialect};
	Arena arena;
	Doc doc = {.out = out, .arena = &arena};
	Buf text;

	dis_hex(isa, dialect, pc, 1, out);
	buf_str(out, "  ");
	if (!decoded->insn) {
		buf_str(out, decoded->fetch_failed ? "cannot be fetched: outside of memory\n" : "no instruction: ");
		if (!decoded->fetch_failed) {
			ManualCube cube = {{0}, {0}};
			unsigned bits = decoded->cells * isa->spaces[isa->code_space].cell_bits;

			if (bits > ISA_WORDS * 64)
				bits = ISA_WORDS * 64;
			for (unsigned i = 0; i < ISA_WORDS; i++) {
				cube.mask[i] = ~(u64)0;
				cube.match[i] = decoded->w[i];
			}
			manual_cube_text(isa, &cube, bits, out);
			buf_str(out, " matches no encoding\n");
		}
		return;
	}
	arena_init(&arena);
	buf_init(&text);
	dis_instruction(isa, &options, pc, decoded, &text);
	doc_text(&doc, buf_text(&text));
	buf_byte(out, '\n');
	doc_para(&doc, decoded->insn->doc);
	manual_diagram(&doc, isa, decoded->insn, decoded);
	fields_table(&doc, isa, dialect, decoded, pc);
	buf_clear(&text);
	meaning(isa, dialect, decoded, pc, &text);
	doc_code(&doc, text.len ? buf_text(&text) : "(does nothing)");
	if (arena.failed)
		out->failed = true;
	buf_fini(&text);
	arena_fini(&arena);
}
