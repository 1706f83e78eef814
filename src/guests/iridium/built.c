/* SPDX-License-Identifier: MIT
 *
 * Text to an EPIE file exactly as the original's assembler does it, version 0.0.33. What it does and nobody would
 * expect:
 *
 *   - it stops reading at the first thing it does not understand, and keeps what it has (here: with a warning);
 *   - a label is 60 + 4 * the number of statements before it, directives included: right after .data and .code, and 4
 *     too much for each further directive;
 *   - strings are counted in the header but not written, so a program with strings starts that many bytes late;
 *   - a number beyond 16 bits is cut to 16, of which LOAD gets the high byte and a LUI behind it the low one. The LUIs
 *     are put in one after the other at places counted before any was, so with several of them all but the first
 *     stand one or more instructions early;
 *   - every instruction takes any operands: a register is a byte, a number or label two, a string and an unknown label
 *     nothing. Fewer than four bytes are filled up, more stay;
 *   - an unknown mnemonic is byte 100, which is no instruction.
 */
#include <string.h>

#include "asm/asm.h"
#include "base/strmap.h"
#include "guests/iridium/iasm.h"
#include "guests/iridium/iridium.h"

enum { LABEL_BASE = 60, OP_LOAD = 0x00, OP_LUI = 0x27, OP_NONE = 100, MOST_STATEMENTS = 1 << 22 };

typedef struct Item {
	IasmStatement statement;
	bool is_lui; /* put in behind a LOAD */
} Item;

typedef struct Built {
	const Source *source;
	const Isa *isa;
	DiagList *diags;
	Arena arena;
	StrMap symbols; /* name -> value */
	Item *items;
	u32 count, cap;
	u32 sections, strings; /* headers seen; bytes of read-only data */
	bool in_section;
	bool no_memory;
	u32 errors;   /* there were before */
} Built;

static void tell(Built *built, DiagLevel level, IasmPart part, const char *hint, const char *text)
{
	diag_report(built->diags, level, built->source, part.at, part.len, hint, "%s", text);
}

static bool name_is(const Built *built, const IasmStatement *statement, const char *word)
{
	return iasm_is(built->source, statement->name, word, false);
}

static u8 opcode_of(const Built *built, const IasmStatement *statement)
{
	for (u32 i = 0; i < built->isa->insn_count; i++)
		if (iasm_is(built->source, statement->name, built->isa->insns[i].name, true))
			return (u8)built->isa->insns[i].match[0];
	return OP_NONE;
}

/* ---- Reading ---- */

static bool add_item(Built *built, const IasmStatement *statement, bool is_lui)
{
	if (built->count == MOST_STATEMENTS ||
	    !arena_grow(&built->arena, (void **)&built->items, &built->cap, built->count, sizeof(Item))) {
		built->no_memory = true;
		return false;
	}
	built->items[built->count++] = (Item){*statement, is_lui};
	return true;
}

static void check_numbers(Built *built, const IasmStatement *statement)
{
	for (u32 i = 0; i < statement->count; i++) {
		const IasmOperand *operand = &statement->operands[i];

		if (operand->kind == IASM_NUMBER && (operand->value > INT32_MAX || operand->value < INT32_MIN))
			tell(built, DIAG_ERROR, operand->whole, NULL,
			     "ParseError: the original's assembler crashes: this number does not fit 32 bits");
		if (operand->kind == IASM_REGISTER && operand->value > 255)
			tell(built, DIAG_ERROR, operand->whole, NULL,
			     "ParseError: the original's assembler crashes: this register number does not fit a byte");
	}
	if (!statement->is_directive && opcode_of(built, statement) == OP_LOAD && statement->count < 2)
		tell(built, DIAG_ERROR, statement->name, NULL,
		     "ParseError: the original's assembler crashes: LOAD has nothing to load");
}

static void read_all(Built *built)
{
	IasmReader reader = {.source = built->source, .as_built = true};
	IasmStatement statement;
	IasmResult result;

	while ((result = iasm_next(&reader, &statement)) == IASM_STATEMENT) {
		check_numbers(built, &statement);
		if (!add_item(built, &statement, false))
			return;
	}
	if (result == IASM_BAD && !built->count)
		tell(built, DIAG_ERROR, reader.where, NULL, "ParseError: this is no assembly text");
	else if (result == IASM_BAD)
		tell(built, DIAG_WARNING, reader.where, "the program is what stands before this place",
		     "the original's assembler stops reading here, without a word");
	else if (!built->count)
		diag_report_file(built->diags, DIAG_ERROR, built->source->name, NULL, "ParseError: there is no statement");
}

/* ---- Wide numbers ---- */

static bool is_wide(const Built *built, const IasmStatement *statement)
{
	const IasmOperand *number = &statement->operands[1];

	return !statement->is_directive && statement->count > 1 && opcode_of(built, statement) == OP_LOAD &&
	       number->kind == IASM_NUMBER && (number->value > 32768 || number->value < -32768);
}

/* Each LUI goes in at the place counted before any was put in: k places too early for the k-th. */
static void split_wide(Built *built)
{
	const u32 before = built->count;
	Item *inserted = ARENA_ARRAY(&built->arena, Item, before + 1);
	u32 *places = ARENA_ARRAY(&built->arena, u32, before + 1);
	u32 count = 0, from = 0;
	Item *result;

	if (!inserted || !places) {
		built->no_memory = true;
		return;
	}
	for (u32 i = 0; i < before; i++) {
		IasmStatement *load = &built->items[i].statement;
		const u16 low = (u16)load->operands[1].value;

		if (!is_wide(built, load))
			continue;
		inserted[count] = (Item){*load, true};
		inserted[count].statement.label.len = 0;
		inserted[count].statement.count = 2;
		inserted[count].statement.operands[1].value = low & 0xFF;
		load->operands[1].value = low >> 8;
		places[count++] = i + 1;
	}
	result = ARENA_ARRAY(&built->arena, Item, before + count + 1);
	if (!result) {
		built->no_memory = true;
		return;
	}
	/* Inserting at p0 < p1 < .. in turn, each in the list as it is by then: the places of the result are the same. */
	for (u32 i = 0, next = 0; i < before + count; i++) {
		if (next < count && places[next] == i)
			result[i] = inserted[next++];
		else
			result[i] = built->items[from++];
	}
	built->items = result;
	built->count = built->cap = before + count;
}

/* ---- First phase: symbols ---- */

static void declare(Built *built, const IasmStatement *statement, u32 index)
{
	const char *name = built->source->text + statement->label.at;

	if (!built->in_section)
		tell(built, DIAG_ERROR, statement->label, "write .data or .code first",
		     "NoSegmentDeclarationFound: a label outside of .data and .code");
	else if (strmap_get(&built->symbols, name, statement->label.len, ~0u) != ~0u)
		tell(built, DIAG_ERROR, statement->label, NULL, "SymbolAlreadyDeclared: this label is declared twice");
	else if (!strmap_put(&built->symbols, name, statement->label.len, LABEL_BASE + EPIE_UNIT * index))
		built->no_memory = true;
}

/* .asciiz and .integer: the label, if it is known, becomes the offset. */
static void define_data(Built *built, const IasmStatement *statement, u32 bytes)
{
	const char *name = built->source->text + statement->label.at;

	if (!statement->label.len) {
		tell(built, DIAG_WARNING, statement->name, NULL,
		     "StringConstantDeclaredWithoutLabel: the original's assembler drops this");
		return;
	}
	if (strmap_get(&built->symbols, name, statement->label.len, ~0u) != ~0u)
		strmap_put(&built->symbols, name, statement->label.len, built->strings);
	built->strings += bytes;
}

static void first_phase_directive(Built *built, const IasmStatement *statement)
{
	const IasmOperand *operand = &statement->operands[0];

	if (!statement->count) {
		if (name_is(built, statement, "data") || name_is(built, statement, "code")) {
			built->sections++;
			built->in_section = true;
		} else {
			diag_report(built->diags, DIAG_WARNING, built->source, statement->name.at, statement->name.len,
				    "it is ignored", "Found an section header that is unknown: \"%.*s\"",
				    (int)(statement->name.len > 60 ? 60 : statement->name.len),
				    built->source->text + statement->name.at);
		}
	} else if (name_is(built, statement, "asciiz")) {
		if (operand->kind == IASM_STRING)
			define_data(built, statement, (u32)operand->name.len + 1);
		else
			tell(built, DIAG_WARNING, operand->whole, NULL, "String constant following an .asciiz was empty");
	} else if (name_is(built, statement, "integer")) {
		if (operand->kind == IASM_NUMBER)
			define_data(built, statement, 4);
		else
			tell(built, DIAG_WARNING, operand->whole, NULL, "integer constant following an .integer was empty");
	} else {
		tell(built, DIAG_ERROR, statement->name, "there are .asciiz 'text' and .integer #5",
		     "UnknownDirectiveFound: there is no such directive");
	}
}

static void first_phase(Built *built)
{
	for (u32 i = 0; i < built->count; i++) {
		const IasmStatement *statement = &built->items[i].statement;

		if (statement->label.len)
			declare(built, statement, i);
		if (statement->is_directive)
			first_phase_directive(built, statement);
	}
	if (built->diags->errors == built->errors && built->sections != 2)
		tell(built, DIAG_ERROR, built->items[0].statement.name, "a program has .data and .code",
		     "InsufficientSections: there are not two section headers");
}

/* ---- Second phase: bytes ---- */

static void put_operand(Built *built, const IasmOperand *operand, Buf *out)
{
	u32 value = (u16)operand->value;

	if (operand->kind == IASM_REGISTER) {
		buf_byte(out, (u8)operand->value);
		return;
	}
	if (operand->kind == IASM_LABEL) {
		value = strmap_get(&built->symbols, built->source->text + operand->name.at, operand->name.len, ~0u);
		if (value == ~0u) {
			tell(built, DIAG_WARNING, operand->whole, "nothing is written for it",
			     "this label is declared nowhere");
			return;
		}
	}
	if (operand->kind == IASM_STRING)
		return;
	buf_byte(out, (u8)(value >> 8));
	buf_byte(out, (u8)value);
}

static void list(const Built *built, const Item *item, const Buf *out, size_t from, Buf *listing)
{
	const IasmStatement *statement = &item->statement;
	const IasmOperand *last = &statement->operands[statement->count ? statement->count - 1 : 0];
	const size_t end = statement->count ? last->whole.at + last->whole.len : statement->name.at + statement->name.len;

	buf_printf(listing, "%04zX ", from);
	for (size_t i = from; i < out->len; i++)
		buf_printf(listing, " %02X", out->data[i]);
	if (item->is_lui)
		buf_str(listing, "  (its low byte)\n");
	else
		buf_printf(listing, "  %.*s\n", (int)(end - statement->name.at), built->source->text + statement->name.at);
}

static void second_phase(Built *built, Buf *out, Buf *listing)
{
	epie_header(built->strings, out);
	for (u32 i = 0; i < built->count && !out->failed; i++) {
		const IasmStatement *statement = &built->items[i].statement;
		const size_t from = out->len;

		if (statement->is_directive)
			continue;
		buf_byte(out, built->items[i].is_lui ? OP_LUI : opcode_of(built, statement));
		for (u32 k = 0; k < statement->count; k++)
			put_operand(built, &statement->operands[k], out);
		if (out->len - from < EPIE_UNIT)
			buf_fill(out, 0, EPIE_UNIT - (out->len - from));
		if (listing)
			list(built, &built->items[i], out, from, listing);
	}
}

static Status assemble(const Source *source, const Isa *isa, Buf *out, Buf *listing, DiagList *diags)
{
	Built built = {.source = source, .isa = isa, .diags = diags, .errors = diags->errors};
	const u32 errors = diags->errors;
	Status status;

	arena_init(&built.arena);
	strmap_init(&built.symbols, false);
	read_all(&built);
	if (diags->errors == errors && !built.no_memory)
		split_wide(&built);
	if (diags->errors == errors && !built.no_memory)
		first_phase(&built);
	if (diags->errors == errors && !built.no_memory)
		second_phase(&built, out, listing);
	status = diags->errors != errors ? STATUS_SYNTAX
	       : built.no_memory || built.symbols.failed || out->failed ? STATUS_NOMEM : STATUS_OK;
	strmap_fini(&built.symbols);
	arena_fini(&built.arena);
	return status;
}

Status iasm_compile_built(const GuestFile *file, const Isa *isa, Buf *out, Buf *listing, DiagList *diags)
{
	const Source source = {file->name, (const char *)file->data, file->len};

	return assemble(&source, isa, out, listing, diags);
}

Status epie_write_built(const AsmProgram *program, Buf *out, DiagList *diags)
{
	const Source source = {program->sources[0].name, program->sources[0].text, program->sources[0].len};

	return assemble(&source, program->isa, out, NULL, diags);
}
