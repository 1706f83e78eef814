/* SPDX-License-Identifier: MIT
 *
 * `husk run --trace`: one line per instruction,
 *
 *     count  address  cells       instruction                 what it changed
 *        12  x3002    1021        ADD R0, R0, #1              R0=x0005 cc=x0005
 *        13  x3003    3202        ST R1, x3006                M[x3006]=x000A
 *        14  -- interrupt                                 R6=x2FFE M[x2FFE]=x3004 M[x2FFF]=x0001
 *
 * The last is something between two instructions that changed registers or memory: an event, an interrupt.
 * The machine is run one instruction at a time. Changed registers are found by comparing; changed cells by a
 * write watch over each space, which tells the place of a write, and by comparing a few cells around that place
 * with a copy of the space (an instruction may write several cells; the watch names one).
 *
 * `--trace=NAME`, NAME being the guest's (guest->trace): the texts its original prints instead, to stderr.
 */
#ifndef CMD_TRACE_H
#define CMD_TRACE_H

#include "cmd/load.h"

typedef struct Trace {
	const Loaded *loaded;
	int fd;
	const char *path; /* borrowed */
	bool owns_fd;
	int error;    /* errno of the first line that could not be written */
	u64 *slots;   /* owned: before the instruction, of one vCPU after the other */
	u32 vcpu_room;/* for how many */
	u64 **copies; /* owned: [spaces] cells as known, or NULL for a space that is too large */
	u64 *counts;  /* owned: [spaces] cells in each copy */
	const GuestTrace *own; /* the guest's, when that was asked for */
	bool begun;            /* own->before was called for an instruction that waits */
	Buf out;
} Trace;

/* path "" or "-": stderr; the name of the guest's own trace: that, to stderr. 0 or an exit code; complains itself. */
int trace_open(Trace *trace, const Loaded *loaded, const char *path);
/* 0, or an exit code when lines were lost; complains itself. */
int trace_close(Trace *trace);
/* As machine_run. Lines are kept back until trace_flush. */
MachineStop trace_run(Trace *trace, u64 max_insns);
void trace_flush(Trace *trace);

#endif
