/* SPDX-License-Identifier: MIT
 *
 * The inside of a debugging session, shared by session*.c and history.c.
 */
#ifndef DEBUG_SESSION_PRIVATE_H
#define DEBUG_SESSION_PRIVATE_H

#include "debug/session.h"
#include "machine/vcpus.h"

enum {
	MAX_SNAPSHOTS = 64,
	MAX_SNAPSHOT_BYTES = 64 << 20,
	DEFAULT_INTERVAL = 100000,
	CHUNK = 100000,            /* instructions between looks at the interrupt flag */
	MAX_TRACE = 4000000,       /* instructions that a search through the call structure looks at */
	FLOW_CACHE = 256,
};

/* A snapshot, and its place on the time line. Sorted by icount; at equal icounts the later one behind. */
typedef struct Moment {
	u64 icount;
	u32 log_at;   /* entries of the machine's input log that lie before it */
	bool barrier;
	Buf bytes;    /* owned */
} Moment;

typedef struct FlowEntry {
	const IsaInsn *insn;
	u64 w[ISA_WORDS];
	IsaFlow flow;
} FlowEntry;

struct DebugSession {
	Machine *machine;      /* borrowed */
	DebugSymbols *symbols; /* borrowed */
	u16 dialect;
	DebugOutput output;
	volatile sig_atomic_t *interrupt;

	Moment *moments;       /* owned */
	u32 moment_count, moment_cap;
	u32 here;              /* the last moment that lies before, or is, the present */
	u64 moment_bytes;
	bool frozen;           /* an excursion is under way: take no snapshots */
	bool forward_only;     /* the machine cannot be saved: its past is gone, and moment 0 has no bytes */
	u64 interval;
	u64 reached;           /* the furthest icount of this time line */

	u64 output_at;         /* bytes the machine has written, as the present state counts */
	u64 output_shown;      /* bytes that the user has seen */

	DebugPoint **points;   /* owned */
	u32 point_count, point_cap, next_id;
	DebugPoint *gone;      /* the temporary point of the last stop; owned */

	u64 *armed;            /* owned: breakpoints the machine has now */
	u32 armed_count, armed_cap;
	bool watches_armed;

	u32 focus;             /* the vCPU whose calls are looked for */
	FlowEntry flows[FLOW_CACHE];
	Buf text;
};

/* history.c */
bool history_take(DebugSession *session, bool barrier); /* a snapshot of the present */
bool history_due(const DebugSession *session);
bool history_restore(DebugSession *session, u32 index);
/* The last moment with icount <= the given one; at least the first. */
u32 history_find(const DebugSession *session, u64 icount);
void history_fork(DebugSession *session);
void history_clear(DebugSession *session);
/* Passes the moments that the present has reached; steps into barriers. False when that failed. */
bool history_pass(DebugSession *session);
/* The icount of the next moment ahead, or ~0. */
u64 history_next(const DebugSession *session);
/* Runs to an icount at or after the present one, past everything. STOP_BUDGET when it got there. */
MachineStop history_advance(DebugSession *session, u64 icount);
/* To any icount within the past, or on from here. */
MachineStop history_seek(DebugSession *session, u64 icount);

typedef struct Present { /* to come back after an excursion into the past */
	Buf bytes;
	u32 log_at, here, vcpu;
} Present;
/* Between save and return (or stay) no snapshots are taken. Both free `present`. */
bool history_save(DebugSession *session, Present *out);
void history_return(DebugSession *session, Present *present);
void history_stay(DebugSession *session, Present *present); /* the excursion has become the present */

/* session_points.c */
/* Makes the machine stop at the enabled points, and at these addresses besides. */
void points_arm(DebugSession *session, const u64 *more, u32 more_count);
void points_disarm(DebugSession *session);
/* Notes the present values of what is watched. */
void points_refresh(DebugSession *session);
bool points_need_steps(const DebugSession *session);
typedef struct PointHit {
	DebugPoint *point; /* NULL: none */
	DebugValue before, after;
} PointHit;
/* The machine stopped before the instruction at pc. */
PointHit points_at_break(DebugSession *session);
/* An instruction was executed; `stop` says whether the machine saw a watched cell. */
PointHit points_after_step(DebugSession *session, const MachineStop *stop);
/* Counts the hit and removes a temporary point. */
void points_hit(DebugSession *session, DebugPoint *point);
void points_free(DebugSession *session);

/* session_flow.c */
typedef enum MoveKind { MOVE_ON, MOVE_CALL, MOVE_RETURN, MOVE_ENTER, MOVE_STUCK } MoveKind;
typedef struct Move {
	MoveKind kind;
	u32 vcpu;      /* who; VCPU_NONE: the one whose turn it was waits, and somebody else executed an instruction */
	u64 from, to;  /* pc before and after */
	u64 back;      /* CALL, ENTER: where it will return to */
	u64 back_too;  /* ENTER: the other possibility (after the instruction, for exceptions) */
} Move;
/* Executes one instruction (without points) and says what it did to the call structure. */
Move flow_step(DebugSession *session);
IsaFlow flow_at(DebugSession *session, u64 pc, u32 *cells);
typedef struct Call {
	u64 from, entry, back;
	bool interrupt;
} Call;
/* The calls that are open now, innermost first; found by executing the past again. owned by the caller (free). */
Call *flow_open_calls(DebugSession *session, u32 *count, bool *complete);

bool session_interrupted(DebugSession *session);
DebugStop session_stop(DebugSession *session, DebugReason reason);
DebugStop session_fail(DebugSession *session, const char *why);
DebugStop session_machine_stop(DebugSession *session, MachineStop stop);

#endif
