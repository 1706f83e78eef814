/* SPDX-License-Identifier: MIT
 *
 * husk repl: a machine that does each line as it is typed.
 *
 *     line -> asm_assemble_piece at the end of the program -> cells into memory -> run to the end of the program
 *                                                                                  -> what changed is shown
 *
 * The program grows: what a line puts into memory stays there, its labels stay known, so a later `BR loop` runs what
 * was typed before. A line has been done when the pc is at the end of the program again (a breakpoint stands there).
 *
 * Invariants:
 *  1. Between two lines the pc is the end of the program, places[code space].
 *  2. A line with errors changes nothing. A line that faults is taken out of the program; the machine is as it was
 *     before the instruction that faulted. A line that runs too long, or is interrupted, stays.
 *  3. copies[] hold the spaces as they were last shown; what differs from them after a line is what it changed.
 *  4. Whatever changes the machine or the program pushes a ReplUndo first. They hold whole snapshots; the oldest are
 *     dropped when there are too many.
 *
 * Texts that the user sees come from the guest's GuestShell where it has one.
 */
#ifndef CMD_REPL_H
#define CMD_REPL_H

#include "cmd/lines.h"
#include "cmd/load.h"
#include "debug/symbols.h"

typedef struct ReplItem { /* one statement that made cells */
	u64 address;
	u32 cells;
	u16 space;
	bool is_code;
	size_t from, len; /* its line, in the text of its piece */
} ReplItem;

typedef struct ReplPiece { /* a line, a block or a file that is part of the program */
	char *text;      /* owned */
	size_t len;
	ReplItem *items; /* owned */
	u32 count;
} ReplPiece;

typedef struct ReplSymbol {
	char *name; /* owned */
	u64 value;
	u16 space;  /* ISA_NONE: a constant */
	u8 width;   /* as in AsmSymbol */
	bool is_float;
} ReplSymbol;

/* Where the program stands. What lies before first_piece and first_symbol was cleared, but !undo may want it back. */
typedef struct ReplState {
	u32 pieces, first_piece, symbols, first_symbol;
	u16 space;   /* the section that is open */
	u64 *places; /* owned: the next cell of each space; of the code space: the end of the program */
} ReplState;

typedef struct ReplUndo {
	Buf machine; /* a snapshot */
	ReplState state;
} ReplUndo;

typedef struct ReplCopy { /* cells of a space, in the smallest fitting integer */
	u8 *bytes;   /* owned; NULL: the space is too large */
	u64 cells;
	u8 size;     /* bytes of a cell */
	bool watched; /* too large to compare as a whole: writes are noted */
} ReplCopy;

typedef struct ReplCell {
	u16 space;
	u64 address, value;
} ReplCell;

typedef struct Repl {
	Loaded loaded;
	LoadOptions load;
	u64 fuel;
	Machine *machine; /* borrowed from loaded */
	const Isa *isa;
	const GuestShell *shell; /* never NULL */
	Lines *lines;
	Buf out;
	bool color, prompts, quit;
	bool mid_line;    /* the guest's last output byte was no line end */
	int lost;         /* errno of output that could not be written: the session ends */

	ReplPiece *pieces;
	u32 piece_cap;
	ReplSymbol *symbols;
	u32 symbol_cap;
	DebugSymbols names; /* of `symbols`: derived */
	size_t text_bytes;
	ReplState state;
	u64 origin;         /* where the program begins */
	u64 *first_slots;   /* owned: registers at the beginning */
	Buf first;          /* the machine at the beginning: a snapshot */

	ReplUndo *undos;
	u32 undo_count, undo_cap;
	size_t undo_bytes;

	u64 *slots;       /* owned: registers as last shown */
	ReplCopy *copies; /* owned: [spaces] */
	ReplCell touched[64];
	u32 touched_count;

	char **history;   /* owned */
	u32 history_count, history_cap;
	size_t history_bytes;
	Buf block;        /* between !block and !end */
	bool in_block;
	bool trace;       /* each instruction is shown */
} Repl;

/* repl.c */
/* The next line of the session, for a question; NULL at the end of input or after Ctrl-C. */
const char *repl_ask(Repl *repl, const char *prompt);
void repl_flush(Repl *repl);
void repl_write(Repl *repl, const void *bytes, size_t len);
void repl_message(Repl *repl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* repl_program.c: the program so far */
bool repl_program_init(Repl *repl);
void repl_program_fini(Repl *repl);
bool repl_undo_push(Repl *repl);
void repl_undo_drop(Repl *repl); /* the last one: nothing was changed */
/* One step back; to be followed by repl_note_state. False when there is none (said). */
bool repl_undo(Repl *repl);
/* Everything as at the beginning. */
void repl_reset(Repl *repl);
void repl_clear_program(Repl *repl);
/* Adds an assembled piece: text, items, labels. False when the session's limits are reached (said). */
bool repl_add_piece(Repl *repl, const char *text, size_t len, const AsmProgram *program);
void repl_remove_last_piece(Repl *repl, u32 symbols);
/* The item that holds an address, or NULL. */
const ReplItem *repl_item_at(const Repl *repl, u16 space, u64 address);

/* repl_line.c: doing lines */
typedef enum ReplMode {
	REPL_DO,    /* a line: put it in and run it */
	REPL_PLACE, /* a block: put it in */
	REPL_FILE,  /* a file: its labels may replace earlier ones; run from its entry */
} ReplMode;
/* False after an error was shown. */
bool repl_text(Repl *repl, const char *name, const char *text, size_t len, ReplMode mode);
/* A line of cells in hex. */
bool repl_cells(Repl *repl, const u64 *cells, u32 count);
bool repl_run_from(Repl *repl, u64 start);
void repl_set_end(Repl *repl);
/* Until the time that every vCPU of a machine sleeps for has come, or Ctrl-C. */
void repl_sleep_until(Machine *machine, u64 time);

/* repl_show.c */
/* The machine as it is now has been shown: all of it, or a part. */
void repl_note_state(Repl *repl);
void repl_note_registers(Repl *repl);
void repl_note_cell(Repl *repl, u16 space, u64 address);
void repl_show_changes(Repl *repl);
void repl_show_number(Repl *repl, u64 value, unsigned width);
/* "1.5 (0x3FF8000000000000)" */
void repl_show_float(Repl *repl, u64 value, unsigned width);
void repl_show_address(Repl *repl, u16 space, u64 address);
void repl_show_registers(Repl *repl);
void repl_show_memory(Repl *repl, u16 space, u64 address, u64 count);
void repl_show_program(Repl *repl);
void repl_show_symbols(Repl *repl);
void repl_show_history(Repl *repl);
/* The machine's code from an address on. */
void repl_show_code(Repl *repl, u64 address, u64 count);
void repl_show_piece(Repl *repl, const ReplPiece *piece);

/* repl_commands.c */
/* A line that begins with `!`. */
void repl_command(Repl *repl, const char *line);
/* Is what stands behind the first character a command's name? */
bool repl_is_command(const char *line);
size_t repl_complete(void *ctx, const char *line, Buf *out, u32 *count);
/* `? expression` */
void repl_evaluate(Repl *repl, const char *text);

/* repl_spawn.c */
void repl_spawn(Repl *repl, const char *path);

#endif
