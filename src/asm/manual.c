/* SPDX-License-Identifier: MIT
 *
 * The reference manual of a computer, written from its description alone: what stands here is the order of things
 * and the words between them. See asm/manual.h for the parts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asm/manual.h"
#include "base/bits.h"

static const char *title_of(const Isa *isa)
{
	return isa->title && *isa->title ? isa->title : isa->name;
}

/* ---- Front ---- */

static bool has_functions(const ManualItems *items)
{
	for (u32 i = 0; i < items->count; i++)
		if (strcmp(items->items[i].keyword, "func") == 0)
			return true;
	return false;
}

static void contents(Doc *doc, const Isa *isa, const ManualItems *items)
{
	const struct {
		const char *id, *title;
		bool there;
	} parts[] = {
		{"overview", "Overview", true},
		{"memory", "Memory", true},
		{"registers", "Registers", true},
		{"fields", "Operands", isa->field_count > 0},
		{"functions", "Functions", isa->host_count > 0 || has_functions(items)},
		{"instructions", "Instructions", isa->insn_count > 0},
		{"opcodes", "Opcode map", isa->insn_count > 0},
		{"reserved", "Reserved encodings", isa->insn_count > 0},
		{"handlers", "Traps, devices, interrupts", isa->handler_count + isa->reason_count > 0},
		{"assembler", "Assembler", true},
		{"index", "Index", isa->form_count + isa->pseudo_count > 0},
	};

	if (!doc->html)
		return;
	buf_str(doc->out, "<nav aria-label=\"Contents\">\n<b>");
	doc_text(doc, isa->name);
	buf_str(doc->out, "</b>\n<ul style=\"columns:1\">\n");
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (parts[i].there)
			buf_printf(doc->out, "<li><a href=\"#%s\">%s</a></li>\n", parts[i].id, parts[i].title);
	buf_str(doc->out, "</ul>\n<b>Instructions</b>\n<ul>\n");
	for (u32 i = 0; i < isa->insn_count; i++) {
		bool again = false;

		for (u32 k = 0; k < i && !again; k++)
			again = strcmp(isa->insns[i].name, isa->insns[k].name) == 0;
		if (again)
			continue;
		buf_printf(doc->out, "<li><a href=\"#%s\">", manual_insn_id(doc->arena, &isa->insns[i]));
		doc_text(doc, isa->insns[i].name);
		buf_str(doc->out, "</a></li>\n");
	}
	buf_str(doc->out, "</ul>\n</nav>\n<main>\n");
}

static void overview(Doc *doc, const Isa *isa)
{
	static const char *const titles[] = {"option", "chosen", "choices", ""};
	u32 names = 0;

	doc_heading(doc, 1, "overview", isa->name);
	if (doc->html) {
		buf_str(doc->out, "<p class=\"lead\">");
		doc_text(doc, title_of(isa));
		buf_str(doc->out, "</p>\n");
	} else if (isa->title && *isa->title) {
		doc_para(doc, isa->title);
	}
	doc_para(doc, isa->doc);
	for (u32 i = 0; i < isa->insn_count; i++) {
		bool again = false;

		for (u32 k = 0; k < i && !again; k++)
			again = strcmp(isa->insns[i].name, isa->insns[k].name) == 0;
		names += !again;
	}
	if (isa->insn_count && isa->min_bits == isa->max_bits)
		doc_paraf(doc, "%u instructions in %u encodings, each %u bits long.", names, isa->insn_count, isa->min_bits);
	else if (isa->insn_count)
		doc_paraf(doc, "%u instructions in %u encodings, %u to %u bits long in parcels of %u bits%s.", names,
			  isa->insn_count, isa->min_bits, isa->max_bits, isa->parcel_bits,
			  isa->low_first ? ", the lowest parcel first in memory" : "");
	if (isa->option_count == 0)
		return;
	doc_heading(doc, 3, NULL, "Options");
	doc_para(doc, "Chosen when the description is loaded; this manual is for the choices shown.");
	doc_table_begin(doc, "ccct", titles);
	for (u32 i = 0; i < isa->option_count; i++) {
		const IsaOption *option = &isa->options[i];
		Buf choices;

		buf_init(&choices);
		for (u32 k = 0; k < option->choice_count; k++)
			buf_printf(&choices, "%s%s", k ? ", " : "", option->choices[k]);
		doc_cell(doc, option->name);
		doc_cell(doc, option->chosen < option->choice_count ? option->choices[option->chosen] : "");
		doc_cell(doc, buf_text(&choices));
		doc_cell(doc, option->doc);
		buf_fini(&choices);
	}
	doc_table_end(doc);
}

/* ---- Memory ---- */

static unsigned hex_digits(u64 last)
{
	unsigned digits = 1;

	while (digits < 16 && last >> (4 * digits))
		digits++;
	return digits;
}

static int compare_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static bool is_device(const IsaHandler *handler, u32 space)
{
	return (handler->kind == ISA_ON_READ || handler->kind == ISA_ON_WRITE) && handler->space == space;
}

/* The space cut at every handler's edges; neighbours that nothing tells apart are one line. */
static void memory_map(Doc *doc, const Isa *isa, u32 space)
{
	static const char *const titles[] = {"from", "to", "access", "what is there"};
	const IsaSpace *s = &isa->spaces[space];
	u64 last = s->cells ? s->cells - 1 : bits_mask(s->addr_bits ? s->addr_bits : 64), *edges;
	unsigned digits = hex_digits(last);
	u32 count = 0;

	edges = ARENA_ARRAY(doc->arena, u64, (size_t)isa->handler_count * 2 + 1);
	if (!edges)
		return;
	edges[count++] = 0;
	for (u32 i = 0; i < isa->handler_count; i++)
		if (is_device(&isa->handlers[i], space)) {
			edges[count++] = isa->handlers[i].lo;
			if (isa->handlers[i].hi < last)
				edges[count++] = isa->handlers[i].hi + 1;
		}
	qsort(edges, count, sizeof *edges, compare_u64);
	doc_table_begin(doc, "cctt", titles);
	for (u32 e = 0; e < count; e++) {
		u64 from = edges[e], to;
		const char *what = NULL;
		bool reads = false, writes = false;
		u32 next = e + 1;

		if (e && edges[e - 1] == from)
			continue;
		while (next < count && edges[next] == from)
			next++;
		to = next < count ? edges[next] - 1 : last;
		for (u32 i = 0; i < isa->handler_count; i++) {
			const IsaHandler *handler = &isa->handlers[i];

			if (!is_device(handler, space) || from < handler->lo || from > handler->hi)
				continue;
			reads |= handler->kind == ISA_ON_READ;
			writes |= handler->kind == ISA_ON_WRITE;
			if (!what && handler->doc && *handler->doc)
				what = handler->doc;
		}
		doc_cellf(doc, "0x%0*llX", (int)digits, (unsigned long long)from);
		if (to > from)
			doc_cellf(doc, "0x%0*llX", (int)digits, (unsigned long long)to);
		else
			doc_cell(doc, "");
		doc_cell(doc, reads && writes ? "read, write" : reads ? "read" : writes ? "write" : "");
		doc_cell(doc, what ? what : reads || writes ? "device" : "memory");
	}
	doc_table_end(doc);
}

static void memory(Doc *doc, const Isa *isa)
{
	static const char *const titles[] = {"space", "cells", "addresses", ""};
	Buf text;

	doc_heading(doc, 2, "memory", "Memory");
	buf_init(&text);
	doc_table_begin(doc, "cttt", titles);
	for (u32 i = 0; i < isa->space_count; i++) {
		const IsaSpace *space = &isa->spaces[i];

		doc_cell(doc, space->name);
		if (space->size_name)
			doc_cellf(doc, "%s x %u bits", space->size_name, space->cell_bits);
		else if (space->cells)
			doc_cellf(doc, "%llu x %u bits", (unsigned long long)space->cells, space->cell_bits);
		else
			doc_cellf(doc, "any x %u bits", space->cell_bits);
		doc_cellf(doc, "%u bits%s", space->addr_bits, space->wraps ? ", wraps" : "");
		buf_clear(&text);
		if (i == isa->code_space)
			buf_str(&text, "Instructions are fetched from here. ");
		if (space->cell_bits == 8 || space->big)
			buf_printf(&text, "Accesses of several cells: %s end first. ", space->big ? "big" : "little");
		if (space->grow)
			buf_str(&text, "Can grow. ");
		if (space->is_private)
			buf_str(&text, "Every vCPU has its own. ");
		if (space->is_paged)
			buf_str(&text, "Pages of 4096 bytes, there when they are needed, each with its rights. ");
		if (space->doc)
			buf_str(&text, space->doc);
		doc_cell(doc, buf_text(&text));
	}
	doc_table_end(doc);
	if (isa->image)
		doc_paraf(doc, "A raw file is loaded to %s[0x%llX]%s.", isa->spaces[isa->image->space].name,
			  (unsigned long long)isa->image->address,
			  isa->spaces[isa->image->space].cell_bits <= 8 ? "" :
			  isa->image->little ? ", cells little end first" : ", cells big end first");
	if (isa->display)
		doc_paraf(doc, "The display shows space %s: %u by %u cells, row by row; a cell that is not zero is lit.",
			  isa->spaces[isa->display->space].name, isa->display->width, isa->display->height);
	for (u32 i = 0; i < isa->init_count; i++) {
		const IsaInit *init = &isa->inits[i];

		doc_paraf(doc, "Reset fills %s[0x%llX..0x%llX].", isa->spaces[init->space].name,
			  (unsigned long long)init->address, (unsigned long long)(init->address + init->count - 1));
	}
	for (u32 i = 0; i < isa->table_count; i++)
		doc_paraf(doc, "Table %s comes with the program; its rows are known when an instruction is decoded.",
			  isa->tables[i].name);
	for (u32 i = 0; i < isa->space_count; i++) {
		if (!isa->spaces[i].has_handlers)
			continue;
		buf_clear(&text);
		buf_printf(&text, "Map of %s", isa->spaces[i].name);
		doc_heading(doc, 3, NULL, buf_text(&text));
		memory_map(doc, isa, i);
	}
	buf_fini(&text);
}

/* ---- Registers, views, operand kinds ---- */

/* The names of the elements, unless they are what everybody would expect (R0, R1, ...). */
static void register_names(const IsaReg *reg, Buf *out)
{
	bool plain = !reg->alt_names;
	char expected[64];

	if (!reg->names)
		return;
	for (u32 i = 0; i < reg->count && plain; i++) {
		snprintf(expected, sizeof expected, "%s%u", reg->name, i);
		plain = strcmp(expected, reg->names[i]) == 0;
	}
	if (plain) {
		buf_printf(out, "%s to %s. ", reg->names[0], reg->names[reg->count - 1]);
		return;
	}
	for (u32 i = 0; i < reg->count && i < 64; i++) {
		buf_printf(out, "%s%s", i ? " " : "", reg->names[i]);
		if (reg->alt_names && reg->alt_names[i])
			buf_printf(out, "/%s", reg->alt_names[i]);
	}
	buf_str(out, reg->count > 64 ? " ... " : ". ");
}

static void registers(Doc *doc, const Isa *isa, ManualItems *items)
{
	static const char *const titles[] = {"register", "bits", "reset", ""};
	static const char *const view_titles[] = {"view", "bits", "written?", ""};
	Buf text;

	doc_heading(doc, 2, "registers", "Registers");
	buf_init(&text);
	doc_table_begin(doc, "cttt", titles);
	for (u32 i = 0; i < isa->reg_count; i++) {
		const IsaReg *reg = &isa->regs[i];

		buf_clear(&text);
		buf_str(&text, reg->name);
		if (reg->array)
			buf_printf(&text, "[%u]", reg->count);
		doc_cell(doc, buf_text(&text));
		doc_cellf(doc, "%u", reg->width);
		doc_cellf(doc, reg->reset > 9 ? "0x%llX" : "%llu", (unsigned long long)reg->reset);
		buf_clear(&text);
		if (i == isa->pc_reg)
			buf_str(&text, "The program counter. ");
		if (i == isa->cycles_reg)
			buf_str(&text, "Counts cycles. ");
		if (reg->array)
			register_names(reg, &text);
		if (reg->doc && *reg->doc)
			buf_printf(&text, "%s ", reg->doc);
		for (u32 k = 0; reg->const_mask && k < reg->count; k++)
			if (reg->const_mask[k])
				buf_printf(&text, "%s is always %llu. ", reg->names ? reg->names[k] : reg->name,
					   (unsigned long long)(reg->const_values ? reg->const_values[k] : 0));
		doc_cell(doc, buf_text(&text));
	}
	doc_table_end(doc);
	if (isa->view_count) {
		doc_heading(doc, 3, NULL, "Views");
		doc_para(doc, "Computed from registers, and used like them.");
		doc_table_begin(doc, "cttt", view_titles);
		for (u32 i = 0; i < isa->view_count; i++) {
			doc_cell(doc, isa->views[i].name);
			doc_cellf(doc, "%u", isa->views[i].width);
			doc_cell(doc, isa->views[i].set ? "yes" : "no");
			doc_cell(doc, isa->views[i].doc);
		}
		doc_table_end(doc);
		buf_clear(&text);
		for (u32 i = 0; i < items->count; i++)
			if (strcmp(items->items[i].keyword, "view") == 0)
				buf_printf(&text, "%s\n", items->items[i].text);
		doc_code(doc, buf_text(&text));
	}
	buf_fini(&text);
}

static const char *field_kind(const IsaField *field)
{
	switch ((IsaFieldKind)field->kind) {
	case ISA_FIELD_UNSIGNED: return "unsigned number";
	case ISA_FIELD_SIGNED: return "signed number";
	case ISA_FIELD_REG: return "register";
	case ISA_FIELD_REL: return field->from_next ? "label, from the next instruction" : "label, from this instruction";
	case ISA_FIELD_ABS: return "label, address";
	case ISA_FIELD_LETTER: return "letter of the mnemonic";
	case ISA_FIELD_ENUM: return "one of names";
	case ISA_FIELD_LIST: return "list of registers";
	}
	return "";
}

static void fields(Doc *doc, const Isa *isa)
{
	static const char *const titles[] = {"operand", "bits", "kind", ""};
	Buf text;

	if (isa->field_count == 0)
		return;
	buf_init(&text);
	doc_heading(doc, 2, "fields", "Operands");
	doc_table_begin(doc, "cttt", titles);
	for (u32 i = 0; i < isa->field_count; i++) {
		const IsaField *field = &isa->fields[i];
		u64 widths = 0;

		for (u32 k = 0; k < isa->insn_count; k++)
			for (unsigned f = 0; f < isa->insns[k].field_count; f++)
				if (isa->insns[k].fields[f].field == i && isa->insns[k].fields[f].width)
					widths |= 1ull << (isa->insns[k].fields[f].width - 1);
		buf_clear(&text);
		for (unsigned width = 1; width <= 64; width++)
			if (widths >> (width - 1) & 1)
				buf_printf(&text, "%s%u", text.len ? ", " : "", width);
		doc_cell(doc, field->name);
		doc_cell(doc, widths ? buf_text(&text) : "unused");
		buf_clear(&text);
		buf_str(&text, field_kind(field));
		if (field->kind == ISA_FIELD_REG || field->kind == ISA_FIELD_LIST)
			buf_printf(&text, " of %s", isa->regs[field->reg].name);
		if (field->kind == ISA_FIELD_REG && field->reg_from)
			buf_printf(&text, ", counted from %u", field->reg_from);
		if (field->scale > 1)
			buf_printf(&text, ", times %u", field->scale);
		if (field->bias)
			buf_printf(&text, ", plus %u", field->bias);
		for (u32 k = 0; k < field->enum_count && k < 64; k++)
			buf_printf(&text, "%s%s = %llu", k ? ", " : ": ", field->enums[k].name,
				   (unsigned long long)field->enums[k].value);
		doc_cell(doc, buf_text(&text));
		doc_cell(doc, field->doc);
	}
	doc_table_end(doc);
	buf_fini(&text);
}

static void functions(Doc *doc, const Isa *isa, const ManualItems *items)
{
	static const char *const titles[] = {"function", "arguments", "result"};
	bool headed = false;

	for (u32 i = 0; i < items->count; i++) {
		if (strcmp(items->items[i].keyword, "func") != 0)
			continue;
		if (!headed) {
			doc_heading(doc, 2, "functions", "Functions");
			doc_para(doc, "Used in the meanings below.");
			headed = true;
		}
		doc_code(doc, items->items[i].text);
	}
	if (isa->host_count == 0)
		return;
	doc_heading(doc, headed ? 3 : 2, headed ? NULL : "functions", "Functions of the host");
	doc_para(doc, "Asked of the program that runs the machine; one that is not given stops the machine when it is called.");
	doc_table_begin(doc, "ctt", titles);
	for (u32 i = 0; i < isa->host_count; i++) {
		doc_cell(doc, isa->hosts[i].name);
		doc_cellf(doc, "%u", isa->hosts[i].arg_count);
		if (isa->hosts[i].result_width)
			doc_cellf(doc, "%u bits", isa->hosts[i].result_width);
		else
			doc_cell(doc, "none");
	}
	doc_table_end(doc);
}

/* ---- Traps, devices, interrupts ---- */

static const char *handler_title(const Isa *isa, const IsaHandler *handler, Buf *out)
{
	const char *space = handler->space < isa->space_count ? isa->spaces[handler->space].name : "?";

	buf_clear(out);
	switch ((IsaHandlerKind)handler->kind) {
	case ISA_ON_ILLEGAL: buf_str(out, "Illegal instruction"); break;
	case ISA_ON_RAISE: buf_str(out, "Exception (raise n)"); break;
	case ISA_ON_FETCH: buf_str(out, "Every fetch"); break;
	case ISA_ON_FAULT: buf_str(out, "Access outside of memory"); break;
	case ISA_ON_RESET: buf_str(out, "Reset"); break;
	case ISA_ON_READ:
	case ISA_ON_WRITE:
		buf_printf(out, "%s of %s[0x%llX", handler->kind == ISA_ON_READ ? "Read" : "Write", space,
			   (unsigned long long)handler->lo);
		if (handler->hi != handler->lo)
			buf_printf(out, "..0x%llX", (unsigned long long)handler->hi);
		buf_byte(out, ']');
		break;
	case ISA_INTERRUPT: buf_printf(out, "Interrupt %s", handler->name); break;
	case ISA_EVENT: buf_printf(out, "Console input: %s", handler->name); break;
	case ISA_EVERY: buf_printf(out, "Every %llu instructions", (unsigned long long)handler->every); break;
	}
	return buf_text(out);
}

static void reasons(Doc *doc, const Isa *isa)
{
	static const char *const titles[] = {"what", "number", "why"};

	doc_table_begin(doc, "ttt", titles);
	for (u32 i = 0; i < isa->reason_count; i++) {
		doc_cell(doc, isa->reasons[i].raise ? "exception" : "stop");
		doc_cellf(doc, "%llu", (unsigned long long)isa->reasons[i].number);
		doc_cell(doc, isa->reasons[i].text);
	}
	doc_table_end(doc);
}

static void handlers(Doc *doc, const Isa *isa, ManualItems *items)
{
	Buf title;

	if (isa->handler_count + isa->reason_count == 0)
		return;
	buf_init(&title);
	doc_heading(doc, 2, "handlers", "Traps, devices, interrupts");
	reasons(doc, isa);
	if (isa->handler_count)
		doc_para(doc, "What happens outside of instructions. Inside a device's handler accesses to memory go past devices.");
	for (u32 i = 0; i < isa->handler_count; i++) {
		const IsaHandler *handler = &isa->handlers[i];
		const char *keyword = handler->kind == ISA_INTERRUPT ? "interrupt" : handler->kind == ISA_EVENT ? "event" :
				      handler->kind == ISA_EVERY ? "every" : "on";

		if (doc->html)
			buf_str(doc->out, "<section>\n");
		doc_heading(doc, 4, NULL, handler_title(isa, handler, &title));
		doc_para(doc, handler->doc);
		doc_code(doc, manual_item_take(items, keyword, handler->line));
		if (doc->html)
			buf_str(doc->out, "</section>\n");
	}
	buf_fini(&title);
}

/* ---- Assembler ---- */

static void directive_text(const IsaDirective *directive, Buf *out)
{
	buf_clear(out);
	switch ((IsaAction)directive->action) {
	case ISA_ACT_ORG: buf_str(out, "continue at this address"); break;
	case ISA_ACT_ROW: buf_str(out, "one row more of a table; a label in front is its number"); break;
	case ISA_ACT_DATA:
		buf_printf(out, directive->single ? "a %s of %u bits%s" : "%ss of %u bits each%s",
			   directive->is_float ? "decimal fraction" : "value", directive->bits, directive->little ? ", little end first" : "");
		break;
	case ISA_ACT_SPACE:
		if (directive->bits)
			buf_printf(out, "that many items of %u bits, all zero", directive->bits);
		else
			buf_str(out, "that many cells of zero, or of the second operand");
		break;
	case ISA_ACT_STRING:
		buf_printf(out, "the characters, %u bits each", directive->bits);
		if (directive->has_end)
			buf_printf(out, ", then %llu", (unsigned long long)directive->end);
		break;
	case ISA_ACT_ALIGN: buf_str(out, "zero cells up to a multiple"); break;
	case ISA_ACT_SECTION: buf_printf(out, "continue in space %s", directive->section ? directive->section : "NAME"); break;
	case ISA_ACT_EQU: buf_str(out, "the label is this value"); break;
	case ISA_ACT_INCLUDE: buf_str(out, "the text of that file"); break;
	case ISA_ACT_END: buf_str(out, "end of this part"); break;
	case ISA_ACT_GLOBAL: buf_str(out, "accepted, without effect"); break;
	case ISA_ACT_ENTRY: buf_str(out, "execution starts here"); break;
	case ISA_ACT_IGNORE: buf_str(out, "ignored"); break;
	}
}

static void dialect(Doc *doc, const IsaDialect *dialect_)
{
	static const char *const titles[] = {"directive", "what it does"};
	Buf text;

	buf_init(&text);
	buf_str(&text, "Comments: ");
	for (u32 i = 0; i < dialect_->comment_count && i < COUNT_OF(dialect_->comments); i++)
		buf_printf(&text, "%s%s", i ? "  " : "", dialect_->comments[i]);
	buf_str(&text, dialect_->fold_case ? "\nUpper and lower case: the same" : "\nUpper and lower case: different");
	if (dialect_->commas)
		buf_str(&text, "\nBetween operands: a comma");
	else
		buf_printf(&text, "\nBetween operands: blanks or any of  %s", dialect_->separators ? dialect_->separators : "");
	buf_printf(&text, "\nLabels: %s",
		   dialect_->label == ISA_LABEL_COLON ? "NAME:" : dialect_->label == ISA_LABEL_BARE ? "NAME" : "NAME or NAME:");
	buf_str(&text, "\nNumbers:");
	for (u32 i = 0; i < dialect_->number_count && i < COUNT_OF(dialect_->numbers); i++) {
		const IsaNumberForm *form = &dialect_->numbers[i];
		const char *name = form->base == 16 ? "hexadecimal" : form->base == 2 ? "binary" : form->base == 8 ? "octal" :
				   "decimal", *digits = form->base == 16 ? "1F" : form->base == 2 ? "101" : "17";

		buf_printf(&text, "%s %s%s%s (%s)", i ? "," : "", form->is_suffix ? "" : form->affix, digits,
			   form->is_suffix ? form->affix : "", name);
	}
	if (dialect_->register_prefix && *dialect_->register_prefix)
		buf_printf(&text, "\nRegisters: %sNAME", dialect_->register_prefix);
	if (dialect_->symbol_prefix && *dialect_->symbol_prefix)
		buf_printf(&text, "\nSymbols: %sNAME", dialect_->symbol_prefix);
	if (dialect_->loose_ranges)
		buf_str(&text, "\nRanges: an operand of n bits takes -2^(n-1) to 2^n-1");
	buf_printf(&text, "\nOperands: %s", dialect_->no_expressions ? "a number, a name or a string" : "expressions");
	if (dialect_->rel_number_is_offset)
		buf_str(&text, "\nA number where a label may stand: the offset itself");
	if (dialect_->segments == ISA_SEGMENTS_EXPLICIT)
		buf_str(&text, "\nStatements stand between an origin and an end; several such parts may follow each other");
	else if (dialect_->segments == ISA_SEGMENTS_SINGLE)
		buf_str(&text, "\nStatements stand between one origin and one end");
	if (dialect_->limit)
		buf_printf(&text, "\nNothing at 0x%llX or above%s%s", (unsigned long long)dialect_->limit,
			   dialect_->limit_reason ? ": " : "", dialect_->limit_reason ? dialect_->limit_reason : "");
	for (u32 i = 0; i < dialect_->exclude_count && i < COUNT_OF(dialect_->excludes); i++)
		buf_printf(&text, "%s%s", i ? " " : "\nWithout the mnemonics ", dialect_->excludes[i]);
	doc_code(doc, buf_text(&text));
	doc_table_begin(doc, "ct", titles);
	for (u32 i = 0; i < dialect_->directive_count; i++) {
		doc_cell(doc, dialect_->directives[i].name);
		directive_text(&dialect_->directives[i], &text);
		doc_cell(doc, buf_text(&text));
	}
	doc_table_end(doc);
	buf_fini(&text);
}

static void assembler(Doc *doc, const Isa *isa)
{
	Buf text;

	buf_init(&text);
	doc_heading(doc, 2, "assembler", "Assembler");
	for (u32 i = 0; i < isa->dialect_count; i++) {
		const char *name = isa->dialects[i].name;

		if (isa->dialect_count > 1 || (name && *name)) {
			buf_clear(&text);
			buf_printf(&text, "Dialect %s%s", name && *name ? name : "(without a name)",
				   i == 0 && isa->dialect_count > 1 ? " (default)" : "");
			doc_heading(doc, 3, NULL, buf_text(&text));
		}
		dialect(doc, &isa->dialects[i]);
	}
	if (isa->pseudo_count) {
		doc_heading(doc, 3, "pseudos", "Pseudo-instructions");
		doc_para(doc, "Each stands for one or more instructions.");
	}
	for (u32 i = 0; i < isa->pseudo_count; i++) {
		const IsaPseudo *pseudo = &isa->pseudos[i];

		buf_clear(&text);
		buf_printf(&text, "%s ", pseudo->mnemonic);
		for (u32 k = 0; k < pseudo->syntax_count; k++) {
			const IsaSyntax *part = &pseudo->syntax[k];

			buf_str(&text, part->is_field ? part->field < pseudo->param_count ? pseudo->params[part->field] : "?" :
				       part->text);
			if (!part->is_field && strcmp(part->text, ",") == 0)
				buf_byte(&text, ' ');
		}
		doc_heading(doc, 4, doc_id(doc->arena, "p", pseudo->mnemonic), buf_text(&text));
		doc_para(doc, pseudo->doc);
		doc_code(doc, pseudo->body);
	}
	buf_fini(&text);
}

/* ---- Index ---- */

typedef struct Entry {
	const char *name, *section, *id;
} Entry;

static int compare_entries(const void *a, const void *b)
{
	const Entry *x = a, *y = b;
	int order = 0;

	for (size_t i = 0; order == 0 && (x->name[i] || y->name[i]); i++) {
		order = (u8)ascii_lower(x->name[i]) - (u8)ascii_lower(y->name[i]);
		if (!x->name[i] || !y->name[i])
			break;
	}
	if (order == 0)
		order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->section, y->section);
}

static void index_of_mnemonics(Doc *doc, const Isa *isa)
{
	static const char *const titles[] = {"mnemonic", "described at"};
	u32 count = 0;
	Entry *entries = ARENA_ARRAY(doc->arena, Entry, (size_t)isa->form_count + isa->pseudo_count + 1);

	if (!entries || isa->form_count + isa->pseudo_count == 0)
		return;
	for (u32 i = 0; i < isa->form_count; i++) {
		const IsaForm *form = &isa->forms[i];

		if (form->insn < isa->insn_count)
			entries[count++] = (Entry){form->mnemonic, isa->insns[form->insn].name,
						   manual_insn_id(doc->arena, &isa->insns[form->insn])};
	}
	for (u32 i = 0; i < isa->pseudo_count; i++)
		entries[count++] = (Entry){isa->pseudos[i].mnemonic, "Pseudo-instructions",
					   doc_id(doc->arena, "p", isa->pseudos[i].mnemonic)};
	qsort(entries, count, sizeof *entries, compare_entries);
	doc_heading(doc, 2, "index", "Index");
	doc_table_begin(doc, "cc", titles);
	for (u32 i = 0; i < count; i++) {
		if (i && strcmp(entries[i].name, entries[i - 1].name) == 0 &&
		    strcmp(entries[i].section, entries[i - 1].section) == 0)
			continue;
		doc_cell(doc, entries[i].name);
		doc_cell_link(doc, entries[i].section, entries[i].id);
	}
	doc_table_end(doc);
}

/* ---- The whole ---- */

void manual_write(const Isa *isa, ManualFormat format, Buf *out)
{
	Arena arena;
	Doc doc = {.out = out, .arena = &arena, .html = format == MANUAL_HTML};
	ManualItems items;
	Buf title;

	arena_init(&arena);
	buf_init(&title);
	manual_items_find(isa, &arena, &items);
	buf_printf(&title, "%s: reference manual", isa->name);
	doc_page_begin(&doc, buf_text(&title));
	contents(&doc, isa, &items);
	overview(&doc, isa);
	memory(&doc, isa);
	registers(&doc, isa, &items);
	fields(&doc, isa);
	functions(&doc, isa, &items);
	manual_instructions(&doc, isa, &items);
	manual_opcode_map(&doc, isa);
	handlers(&doc, isa, &items);
	assembler(&doc, isa);
	index_of_mnemonics(&doc, isa);
	doc_page_end(&doc);
	if (arena.failed)
		out->failed = true;
	buf_fini(&title);
	arena_fini(&arena);
}
