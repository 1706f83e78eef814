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

/* What stands for the field in the meaning: an address for labels, else the value. */
static void operand_text(const Isa *isa, const IsaDecoded *decoded, unsigned index, u64 pc, Buf *out)
{
	const IsaField *field = &isa->fields[decoded->insn->fields[index].field];
	u64 value = isa_field_value(isa, decoded, index);

	if (field->kind == ISA_FIELD_REL || field->kind == ISA_FIELD_ABS)
		buf_printf(out, "0x%llX", (unsigned long long)isa_target(isa, decoded->insn, index, pc, value));
	else if (field->kind == ISA_FIELD_ENUM)
		buf_printf(out, "%llu", (unsigned long long)value);
	else
		manual_value(isa, decoded->insn, index, value, out);
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
static void meaning(const Isa *isa, const IsaDecoded *decoded, u64 pc, Buf *out)
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
			u64 next = pc + decoded->cells;

			buf_printf(out, "0x%llX", (unsigned long long)bits_trunc(next, isa->pc_width ? isa->pc_width : 64));
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
				operand_text(isa, decoded, f, pc, out);
			at = end;
			break;
		}
		if (at != end) {
			buf_add(out, at, (size_t)(end - at));
			at = end;
		}
	}
}

static void fields_table(Doc *doc, const Isa *isa, const IsaDecoded *decoded, u64 pc)
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
		manual_value(isa, decoded->insn, f, value, &text);
		if (field->kind == ISA_FIELD_REL || field->kind == ISA_FIELD_ABS)
			buf_printf(&text, ", target 0x%llX",
				   (unsigned long long)isa_target(isa, decoded->insn, f, pc, value));
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

void manual_explain(const Isa *isa, u64 pc, const IsaDecoded *decoded, Buf *out)
{
	DisOptions options = {.dialect = 0};
	Arena arena;
	Doc doc = {.out = out, .arena = &arena};
	Buf text;

	buf_printf(out, "0x%llX  ", (unsigned long long)pc);
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
	fields_table(&doc, isa, decoded, pc);
	buf_clear(&text);
	meaning(isa, decoded, pc, &text);
	doc_code(&doc, text.len ? buf_text(&text) : "(does nothing)");
	if (arena.failed)
		out->failed = true;
	buf_fini(&text);
	arena_fini(&arena);
}
