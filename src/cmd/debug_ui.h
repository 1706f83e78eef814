/* SPDX-License-Identifier: MIT
 *
 * The debugger's command language, shared by debug*.c. What a command prints is collected in `out` and written at
 * its end, and before the guest runs, so that it never mixes with the guest's own output.
 */
#ifndef CMD_DEBUG_UI_H
#define CMD_DEBUG_UI_H

#include "cmd/lines.h"
#include "cmd/load.h"
#include "debug/session.h"
#include "machine/vcpus.h"

typedef struct Debug {
	Loaded loaded;
	DebugSymbols symbols;
	DebugSession *session; /* owned */
	Machine *machine;      /* borrowed from loaded */
	const Isa *isa;
	Buf out;
	bool color, interactive, quit;
	int lost;              /* errno of output that could not be written: the debugger ends */
	bool mid_line;         /* the guest's last output byte was no line end */
	u64 *seen;             /* owned: registers at the last stop */
	u32 seen_vcpu;         /* whose */
	char last[512];        /* the last line, which an empty one repeats */
	u64 next_address;      /* where x, disassemble go on */
	u16 next_space;
	char memory_format;    /* of x */
	u64 memory_count;
	u64 next_disassembled;
	const char *list_file; /* where list goes on; borrowed from symbols */
	u32 list_line;
} Debug;

typedef struct DebugCommand {
	const char *name, *alias;
	const char *operands;  /* as help shows them */
	const char *help;      /* first line: short */
	bool (*run)(Debug *debug, const char *args); /* false after an error was printed */
	bool repeats;          /* an empty line does it again */
	char completes;        /* what stands behind it: 'l' labels and registers, 'c' commands, 'i' info topics, 'f' files */
} DebugCommand;

/* debug_commands.c */
extern const DebugCommand debug_commands[]; /* ended by a NULL name; in the order help shows them */
extern const char *const debug_info_topics[];
/* One line. False when it failed. */
bool debug_run_line(Debug *debug, const char *line);

/* debug_operands.c. Each takes what stands at *args and moves it behind; false (NULL) after an error was printed. */
bool debug_error(Debug *debug, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *debug_skip(const char *text); /* blanks */
DebugExpr *debug_take_expr(Debug *debug, const char **args, bool whole); /* whole: nothing may stand behind it */
bool debug_eval_expr(Debug *debug, const DebugExpr *expr, DebugValue *value);
bool debug_take_value(Debug *debug, const char **args, bool whole, DebugValue *value);
bool debug_take_number(Debug *debug, const char *args, u64 missing, u64 *number);
bool debug_take_place(Debug *debug, const char **args, u64 *pc);
bool debug_take_condition(Debug *debug, const char *args, DebugExpr **condition);
bool debug_take_format(Debug *debug, const char **args, u64 *count, char *format, const char *letters);

/* debug_show.c */
void debug_flush(Debug *debug);
void debug_write(Debug *debug, const void *bytes, size_t len); /* to stdout; what fails is noted in `lost` */
void debug_show_hex(Debug *debug, u64 value, unsigned bits);
void debug_show_address(Debug *debug, u16 space, u64 address); /* x3002 <LOOP+1> */
void debug_show_value(Debug *debug, DebugValue value, char format);
void debug_show_stop(Debug *debug, const DebugStop *stop);
void debug_show_place(Debug *debug);
void debug_show_vcpus(Debug *debug);
void debug_show_registers(Debug *debug);
void debug_show_memory(Debug *debug, u16 space, u64 address, u64 count, char format);
/* Gives the address behind what was shown. */
u64 debug_show_code(Debug *debug, u64 address, u64 count);
bool debug_show_source(Debug *debug, const char *file, u32 first, u32 last);
/* Remembers the registers, to show later what changed. */
void debug_note_registers(Debug *debug);

/* debug_complete.c */
/* LinesConfig.complete: ctx is a Debug. */
size_t debug_complete(void *ctx, const char *line, Buf *out, u32 *count);

#endif
