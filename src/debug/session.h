/* SPDX-License-Identifier: MIT
 *
 * A debugging session: one machine, points to stop at, and its past. Prints nothing; src/cmd/debug.c talks.
 *
 * Time. A place in a run is its instruction count. The session keeps snapshots of the past and the machine's log of
 * input; to be anywhere is to restore the nearest snapshot before it and run on, with the recorded input, silently:
 *
 *     snapshots  0 ........ * ............ * ...... * .. * * now
 *     log            ^ input       ^ input
 *
 * There are at most MAX_SNAPSHOTS, in MAX_SNAPSHOT_BYTES; the ones that are dropped are those whose neighbours are
 * closest in proportion to their age, so what is left thins out with distance. Going back and on again passes
 * through the same states. A change from outside (set, input) makes a new future: what lay ahead is forgotten. A
 * change of state also leaves a *barrier*: a snapshot that running forward across it steps into, since no execution
 * leads there, and that is never thinned out.
 *
 * Several vCPUs. The one that is current (machine_vcpu_select) is the one that is meant: step and next execute its
 * instructions, the others run meanwhile as they are scheduled, and back undoes its last one. Where another one hits a
 * point, that becomes current. Counts of instructions (goto, runto) are the machine's.
 *
 * Output that was shown once is not shown again: the session counts the bytes.
 */
#ifndef DEBUG_SESSION_H
#define DEBUG_SESSION_H

#include <signal.h>

#include "debug/expr.h"
#include "debug/symbols.h"
#include "machine/machine.h"

typedef struct DebugSession DebugSession;

typedef enum DebugReason {
	DEBUG_DONE,        /* as many instructions as were asked for */
	DEBUG_BREAK,       /* a breakpoint: point */
	DEBUG_WATCH,       /* a watchpoint: point, before, after */
	DEBUG_FINISHED,    /* the function returned (finish, next over a call, until) */
	DEBUG_MACHINE,     /* the machine stopped by itself: machine */
	DEBUG_PAST_END,    /* went back to where the recorded past begins */
	DEBUG_INTERRUPTED, /* the interrupt flag was set */
	DEBUG_FAILED,      /* text says what went wrong in Husk */
} DebugReason;

typedef enum DebugPointKind { DEBUG_POINT_BREAK, DEBUG_POINT_WATCH } DebugPointKind;

typedef struct DebugPoint {
	u32 id;
	DebugPointKind kind;
	bool enabled, temporary;
	u64 hits;
	const char *text;     /* as the user wrote it */
	u64 pc;               /* BREAK */
	DebugExpr *condition; /* BREAK, WATCH; or NULL */
	DebugExpr *expr;      /* WATCH: the value watched */
	u32 vcpu;             /* WATCH: whose registers and private memory are meant */
	bool is_cell;         /* WATCH: one memory cell, which the machine itself watches */
	bool reads, writes;   /* WATCH of a cell: stop at reads; at writes even when the value stays */
	u16 space;
	u64 address;
	DebugValue last;      /* WATCH: value when last looked at */
} DebugPoint;

typedef struct DebugStop {
	DebugReason reason;
	MachineStop machine;     /* MACHINE */
	const DebugPoint *point; /* BREAK, WATCH; gone after the next command when temporary */
	DebugValue before, after;
	bool backward;           /* WATCH: the instruction at pc is the one that does it */
	const char *text;        /* or NULL; valid until the next call */
} DebugStop;

/* One frame of the call stack, innermost first. */
typedef struct DebugFrame {
	u64 pc;          /* where it is: the present pc, or the call in it */
	u64 entry;       /* where the function begins, as far as known */
	bool entry_known;
	bool interrupt;  /* was entered by an interrupt or exception, not by a call */
} DebugFrame;

typedef struct DebugOutput {
	void (*write)(void *ctx, const u8 *bytes, size_t len);
	void (*frame)(void *ctx); /* the display wants to be shown; may be NULL */
	void *ctx;
} DebugOutput;

/* The machine is ready to run; the present becomes the beginning of the recorded past. machine and symbols are
 * borrowed and must outlive the session; the machine's output, recording and stops are the session's from now on. */
DebugSession *debug_session_create(Machine *machine, DebugSymbols *symbols, u16 dialect, const DebugOutput *output);
void debug_session_destroy(DebugSession *session);
/* Looked at while running; set by a signal handler. May be NULL. */
void debug_session_interrupt_flag(DebugSession *session, volatile sig_atomic_t *flag);
/* How many instructions lie between snapshots when they are fresh. 0 = the default. */
void debug_session_interval(DebugSession *session, u64 instructions);

Machine *debug_machine(DebugSession *session);
DebugSymbols *debug_symbols(DebugSession *session);
void debug_names(const DebugSession *session, DebugNames *out);

/* ---- Points ---- */
/* condition and expr are taken over, also on failure. */
const DebugPoint *debug_break(DebugSession *session, u64 pc, DebugExpr *condition, bool temporary, const char *text);
const DebugPoint *debug_watch(DebugSession *session, DebugExpr *expr, DebugExpr *condition, bool reads, bool writes,
			      const char *text, Buf *error);
bool debug_point_delete(DebugSession *session, u32 id);
void debug_point_delete_all(DebugSession *session);
bool debug_point_enable(DebugSession *session, u32 id, bool on);
u32 debug_point_count(const DebugSession *session);
const DebugPoint *debug_point(const DebugSession *session, u32 index);

/* ---- Forward ---- */
DebugStop debug_step(DebugSession *session, u64 count);
DebugStop debug_next(DebugSession *session, u64 count);
DebugStop debug_finish(DebugSession *session);
DebugStop debug_continue(DebugSession *session);
DebugStop debug_until(DebugSession *session, u64 pc);
/* To an instruction count, stopping at points. */
DebugStop debug_run_to(DebugSession *session, u64 icount);

/* ---- Back ---- */
DebugStop debug_reverse_step(DebugSession *session, u64 count);
DebugStop debug_reverse_next(DebugSession *session, u64 count);
/* To the last place before this one where a point stops. For a watchpoint that is before the instruction that did
 * it. */
DebugStop debug_reverse_continue(DebugSession *session);
/* Anywhere, forward or back, past all points. */
DebugStop debug_goto(DebugSession *session, u64 icount);
/* The oldest place it can go back to: the present, when the machine cannot be saved. */
u64 debug_past_begin(const DebugSession *session);
u32 debug_snapshot_count(const DebugSession *session, u64 *bytes);

/* ---- Changes from outside ---- */
bool debug_assign(DebugSession *session, const DebugExpr *target, u64 value, Buf *error);
void debug_input(DebugSession *session, const u8 *bytes, size_t len);
void debug_input_end(DebugSession *session);
Status debug_save(DebugSession *session, Buf *out);
Status debug_load(DebugSession *session, const u8 *bytes, size_t len);
/* Back to the beginning of the past, with another future. */
Status debug_reset(DebugSession *session);

/* ---- Looking ---- */
/* At most `cap` frames; *complete says whether the outermost is certainly the last. */
u32 debug_backtrace(DebugSession *session, DebugFrame *frames, u32 cap, bool *complete);

#endif
