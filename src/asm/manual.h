/* SPDX-License-Identifier: MIT
 *
 * Inside of the manual writer. The content is written once (manual.c, manual_insn.c) against a small set of
 * document parts, which come out as plain text for a terminal or as one HTML page that needs nothing else.
 *
 *     manual.c         what is in the manual, in order         manual_doc.c      headings, paragraphs, tables; escaping
 *     manual_insn.c    one section per mnemonic                manual_diagram.c  the boxes of an encoding
 *     manual_explain.c one decoded instruction                 manual_map.c      opcode map, reserved encodings
 *                                                              manual_source.c   pieces of the description's own text
 *
 * Everything a description contains is somebody's text: nothing of it reaches the output unescaped (HTML) or with
 * its control characters (text).
 */
#ifndef ASM_MANUAL_H
#define ASM_MANUAL_H

#include "asm/asm.h"
#include "base/arena.h"
#include "base/buf.h"
#include "isa/isa.h"

/* ---- manual_source.c: where an item stands in the text of the description ---- */

typedef struct ManualItem {
	const char *keyword; /* borrowed from a constant table: "func", "on", "view", "insn"... */
	u32 line;            /* 1-based, of the keyword */
	const char *text;    /* owned by the arena: from the keyword to the item's end, comments left out */
	bool taken;
} ManualItem;

typedef struct ManualItems {
	ManualItem *items;
	u32 count, cap;
} ManualItems;

void manual_items_find(const Isa *isa, Arena *arena, ManualItems *out);
/* The next item of that keyword on that line which was not asked for before; NULL when there is none. */
const char *manual_item_take(ManualItems *items, const char *keyword, u32 line);
/* "when" condition in the text of an insn, interrupt or event; "" when it has none. */
const char *manual_item_when(const char *text, Arena *arena);

/* ---- manual_doc.c: the parts of a document ---- */

typedef struct DocCell {
	const char *text; /* NULL: empty */
	const char *link; /* id it leads to (HTML), or NULL */
} DocCell;

typedef struct Doc {
	Buf *out;
	Arena *arena; /* for tables; borrowed */
	bool html;
	/* table being filled */
	DocCell *cells;
	u32 cell_count, cell_cap, columns;
	const char *code_columns; /* one letter a column: 'c' = code, 't' = text */
} Doc;

/* One line of somebody's text: HTML-escaped, or control characters replaced. Invalid UTF-8 becomes U+FFFD in HTML. */
void doc_escape(Buf *out, bool html, const char *text, size_t len);
void doc_text(Doc *doc, const char *text);
void doc_heading(Doc *doc, unsigned level, const char *id, const char *text);
/* A paragraph; text is filled to 78 columns. An empty one writes nothing. */
void doc_para(Doc *doc, const char *text);
void doc_paraf(Doc *doc, const char *format, ...) __attribute__((format(printf, 2, 3)));
void doc_syntax(Doc *doc, const char *text);
/* Preformatted, lines kept, common indentation taken off. */
void doc_code(Doc *doc, const char *text);
/* A table: begin with the column titles (NULL-terminated list), then cells row by row, then end. */
void doc_table_begin(Doc *doc, const char *code_columns, const char *const *titles);
void doc_cell(Doc *doc, const char *text);
void doc_cell_link(Doc *doc, const char *text, const char *id);
void doc_cellf(Doc *doc, const char *format, ...) __attribute__((format(printf, 2, 3)));
void doc_table_end(Doc *doc);
void doc_page_begin(Doc *doc, const char *title);
void doc_page_end(Doc *doc);
/* "i-ADD" for "ADD": an id that is safe in an attribute, the same for the same name. */
const char *doc_id(Arena *arena, const char *prefix, const char *name);

/* ---- manual_diagram.c ---- */

/* The encoding of an instruction as boxes, most significant bit left, parcels in fetch order (or the whole word as one
 * number when the code space is low-first). With `decoded` the bits of that instruction stand in the boxes. */
void manual_diagram(Doc *doc, const Isa *isa, const IsaInsn *insn, const IsaDecoded *decoded);
/* Which bit of W stands at `position` (0 = leftmost) of an instruction of `bits` bits. */
unsigned manual_bit_at(const Isa *isa, unsigned bits, unsigned position);

/* ---- manual_map.c ---- */

void manual_opcode_map(Doc *doc, const Isa *isa);

/* A set of words: those with (W & mask) == match. */
typedef struct ManualCube {
	u64 mask[ISA_WORDS], match[ISA_WORDS];
} ManualCube;

typedef struct ManualReserved {
	ManualCube *cubes; /* no word is in two of them */
	u32 count;
	double share;      /* of all words, 0..1; a lower bound when not complete */
	bool complete;     /* false: there were too many */
} ManualReserved;

/* The words of max_bits bits that match no encoding at all (`when` conditions and register numbers that do not exist
 * make further ones illegal; those are not in here). With should_be a wrong should-be bit is no match either, where
 * the machine looks at them. */
void manual_reserved(const Isa *isa, Arena *arena, bool should_be, ManualReserved *out);
/* "1101 xxxx xxxx xxxx", the first `bits` bits in display order. */
void manual_cube_text(const Isa *isa, const ManualCube *cube, unsigned bits, Buf *out);

/* ---- manual_insn.c ---- */

void manual_instructions(Doc *doc, const Isa *isa, ManualItems *items);
/* The operands as written: "d, a, i", with what the form binds (NULL: nothing). */
void manual_operands(const Isa *isa, const IsaInsn *insn, const IsaSyntax *syntax, u32 count, const IsaForm *form,
		     Buf *out);
/* A field's value as a person writes it: register name, signed number, name of the enum. */
void manual_value(const Isa *isa, const IsaInsn *insn, unsigned index, u64 value, Buf *out);
/* "signed, 5 bits: -16..15" */
void manual_field_text(const Isa *isa, const IsaInsn *insn, unsigned index, Buf *out);
/* The section an instruction is described in. */
const char *manual_insn_id(Arena *arena, const IsaInsn *insn);

#endif
