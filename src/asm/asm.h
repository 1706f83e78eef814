/* SPDX-License-Identifier: MIT
 *
 * The assembler: text in a machine's dialect -> segments, symbols, line table. Two passes plus relaxation; knows no
 * machine, only its Isa. Object formats are the guests' business (AsmProgram is what they write out).
 */
#ifndef ASM_ASM_H
#define ASM_ASM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/status.h"
#include "base/types.h"
#include "isa/isa.h"

typedef struct AsmSegment {
	u16 space;    /* index into isa->spaces */
	u16 section;  /* of the dialect (`section data8 in data`), or ISA_NONE */
	u64 origin;   /* first cell */
	u64 *cells;   /* [count] */
	u32 count;
	u32 *lines;   /* [count] index into program->lines of the statement that made the cell */
} AsmSegment;

typedef struct AsmLine { /* one statement that made cells */
	u32 source;   /* index into program->sources */
	u32 line;     /* 1-based */
	u16 space;
	u64 address;
	u32 cells;
	bool is_code; /* an instruction (else data) */
} AsmLine;

typedef struct AsmSymbol {
	const char *name; /* as written at its definition */
	u64 value;
	u16 space;     /* ISA_NONE: a constant (equ), or the number of a row */
	u16 table;     /* a row of this table, or ISA_NONE */
	u8 width;      /* bits of an item of the data it labels (what `abs of` asks for), or 0 */
	bool is_float; /* a constant that is a decimal fraction: value is its 64 bits */
	u32 source, line;
} AsmSymbol;

typedef struct AsmRow { /* what a `row` directive adds to a table of the description */
	u16 table;
	u64 row;                     /* counted from 0 in each table */
	const char *name;            /* the label in front, or "" */
	u64 values[ISA_MAX_COLUMNS]; /* one for each column */
	u32 source, line;
} AsmRow;

typedef struct AsmSource {
	const char *name;
	const char *text;
	size_t len;
} AsmSource;

typedef struct AsmProgram {
	Arena arena;
	const Isa *isa; /* borrowed */
	AsmSegment *segments; u32 segment_count; /* in source order; empty ones kept */
	AsmLine *lines; u32 line_count;
	AsmSymbol *symbols; u32 symbol_count;    /* in order of definition */
	AsmRow *rows; u32 row_count;             /* in source order */
	AsmSource *sources; u32 source_count;
	u64 entry;
	bool has_entry; /* `entry` directive, else the first segment's origin */
} AsmProgram;

typedef struct AsmOptions {
	u16 dialect;        /* index into isa->dialects */
	bool liberal;       /* duplicate labels, unknown directives, a missing end are warnings */
	u64 max_cells;      /* refuse more output than this; 0 = 1 << 24 */
	u64 max_address;    /* in the code space: refuse to assemble at or above; 0 = the space's size */
	/* Reads an included file: returns malloced text or NULL. NULL function: includes are refused. */
	char *(*read_file)(void *ctx, const char *name, size_t *len);
	void *ctx;
} AsmOptions;

/* Assembles one source. Errors go to diags; returns NULL after any error. */
AsmProgram *asm_assemble(const Isa *isa, const Source *source, const AsmOptions *options, DiagList *diags);
void asm_program_destroy(AsmProgram *program);

/* A text that continues a program: where its statements go, and what names mean that it does not define itself. There
 * are no rules about segments: it needs no `org` and no `end`. */
typedef struct AsmPiece {
	u16 space;    /* the section it begins in; afterwards that of its end */
	u64 *places;  /* [isa->space_count] the address of the next cell in each space; afterwards behind its own */
	u64 *rows;    /* [isa->table_count] rows that each table has; afterwards with its own; NULL: none */
	/* The name as written, without the dialect's prefix; false = unknown. Of *out, which is zero, value, space, width and
	 * is_float count. */
	bool (*symbol)(void *ctx, const char *name, size_t len, AsmSymbol *out);
	void *ctx;
} AsmPiece;
/* As asm_assemble. After an error *piece is as before. Empty segments may stand before and between. */
AsmProgram *asm_assemble_piece(const Isa *isa, const Source *source, const AsmOptions *options, AsmPiece *piece,
			       DiagList *diags);

/* Assembles a single instruction at pc (debugger, round-trip tests); symbols may be NULL. Cells into out (room for
 * 32); returns their number or 0. */
u32 asm_line(const Isa *isa, u16 dialect, const char *text, u64 pc, const AsmProgram *symbols, u64 *out,
	     DiagList *diags);

/* Checks the body of a pseudo-instruction without using it: unknown mnemonics, functions and parameters, forms that no
 * operands fit, unbalanced braces. Warnings go to diags, placed in the description (isa->text). */
void asm_check_pseudo(const Isa *isa, const IsaPseudo *pseudo, DiagList *diags);

/* Listing: address, cells in hex, line number and source text, then the symbol table and the rows of tables. */
void asm_listing(const AsmProgram *program, Buf *out);

/* ---- Disassembler ---- */

typedef struct DisOptions {
	u16 dialect;
	/* Name for an address (a label), or NULL; may itself be NULL. */
	const char *(*symbol)(void *ctx, u16 space, u64 address);
	void *ctx;
	bool no_alias;
	bool *unwritable; /* may be NULL; set when the dialect has no spelling for it: then it is a comment */
} DisOptions;

/* One instruction as text that assembles to the same cells at the same pc. When no spelling gives these cells
 * (illegal, or odd should-be bits) it prints the dialect's data directive instead. Returns cells consumed (>= 1). */
u32 dis_instruction(const Isa *isa, const DisOptions *options, u64 pc, const IsaDecoded *decoded, Buf *out);
/* Decodes from an array of cells of the code space (count > 0) and prints. */
u32 dis_cells(const Isa *isa, const DisOptions *options, u64 pc, const u64 *cells, u32 count, Buf *out);

/* A number in the dialect's hexadecimal (decimal where it has none), at least so many digits. */
void dis_hex(const Isa *isa, u16 dialect, u64 value, unsigned digits, Buf *out);

/* What the dialect wants in front of such an operand: "$" of a register, "#" of a number, "@" of a label; or "". */
const char *dis_prefix(const IsaDialect *dialect, const IsaField *field);

/* ---- Manual ---- */

typedef enum ManualFormat { MANUAL_TEXT, MANUAL_HTML } ManualFormat;
void manual_write(const Isa *isa, ManualFormat format, Buf *out);
/* One instruction explained, with its fields' values, numbers as the dialect writes them: `explain` of the debugger. */
void manual_explain(const Isa *isa, u16 dialect, u64 pc, const IsaDecoded *decoded, Buf *out);

/* ---- Random instructions, for tests ---- */

struct Rng;
/* A random valid instruction, cells into out (room for 32). Returns their number. Edge values are favoured. */
u32 gen_valid(const Isa *isa, struct Rng *rng, u64 *out);
/* A random word no encoding matches, or 0 when none was found in 1000 tries. */
u32 gen_invalid(const Isa *isa, struct Rng *rng, u64 *out);

#endif
