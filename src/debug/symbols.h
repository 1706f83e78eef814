/* SPDX-License-Identifier: MIT
 *
 * What a debugger knows about a program besides its cells: names of addresses, and which source line made them.
 * Filled from an assembled program, or by whoever reads a machine's own symbol files. Answers need the tables sorted;
 * that happens by itself at the first question after a change.
 */
#ifndef DEBUG_SYMBOLS_H
#define DEBUG_SYMBOLS_H

#include "asm/asm.h"
#include "base/arena.h"
#include "base/status.h"
#include "base/strmap.h"
#include "base/types.h"

typedef struct DebugSymbol {
	const char *name; /* owned by the arena */
	u64 value;
	u16 space;        /* ISA_NONE: a constant */
	u8 width;         /* bits of an item of the data it labels, or 0 */
	bool is_float;    /* a constant: the bits of a decimal fraction */
} DebugSymbol;

typedef struct DebugLine {
	u64 address, cells;
	const char *file; /* owned by the arena; "" when not known */
	const char *text; /* the line as written, without its end */
	u32 line;         /* 1-based; 0 = not known */
	u16 space;
	bool is_code;
} DebugLine;

typedef struct DebugSymbols {
	Arena arena;
	StrMap by_name;
	DebugSymbol *symbols; /* in order of definition */
	u32 symbol_count, symbol_cap;
	u32 *by_address;      /* symbol numbers by (space, value); constants left out */
	u32 address_count;
	DebugLine *lines;     /* by (space, address) once sorted */
	u32 line_count, line_cap;
	bool sorted, fold_case;
} DebugSymbols;

void debug_symbols_init(DebugSymbols *symbols, bool fold_case);
void debug_symbols_fini(DebugSymbols *symbols);

/* A later symbol of the same name replaces an earlier one. STATUS_NOMEM. */
Status debug_symbols_add(DebugSymbols *symbols, const char *name, size_t len, u16 space, u64 value);
/* What the assembler knows more of the symbol added last. */
void debug_symbols_mark(DebugSymbols *symbols, u8 width, bool is_float);
Status debug_symbols_add_line(DebugSymbols *symbols, const DebugLine *line);
/* Labels and lines of an assembled program (copied). */
Status debug_symbols_add_program(DebugSymbols *symbols, const AsmProgram *program);

const DebugSymbol *debug_symbols_find(const DebugSymbols *symbols, const char *name, size_t len);
/* The same, as an instruction means it: of the name of a row of a table and of its place, which the assembler gives one
 * behind the other, the number of the row. */
const DebugSymbol *debug_symbols_operand(const DebugSymbols *symbols, const char *name, size_t len);
/* The symbol at `address`, or the nearest below it in the same space no more than `reach` cells away. */
const DebugSymbol *debug_symbols_near(DebugSymbols *symbols, u16 space, u64 address, u64 reach, u64 *offset);
/* The statement whose cells hold `address`; NULL when none is known. */
const DebugLine *debug_symbols_line(DebugSymbols *symbols, u16 space, u64 address);
/* The first statement made by `line` of `file` (NULL: of any file), or by the next line that made cells. */
const DebugLine *debug_symbols_find_line(DebugSymbols *symbols, const char *file, u32 line);

#endif
