/* SPDX-License-Identifier: MIT
 *
 * What the files of `husk run` share: run.c (options, before and after), run_loop.c (machines), run_linux.c (machines
 * that run Linux programs).
 */
#ifndef CMD_RUN_PRIVATE_H
#define CMD_RUN_PRIVATE_H

#include "cmd/jit_options.h"
#include "cmd/linux_options.h"
#include "cmd/load.h"
#include "cmd/outcome.h"
#include "cmd/screen.h"
#include "cmd/trace.h"

#define SLICE_SECONDS 0.005

enum {
	SLICE_FIRST = 100000,
	SLICE_LEAST = 1000,
	SLICE_MOST = 1 << 24,
	INPUT_AHEAD = 64 * 1024,  /* bytes of a pipe that are fetched before the guest wants them */
	OUTPUT_AT = 64 * 1024,    /* bytes of output kept back at most */
	HELD_LIMIT = 1024 * 1024, /* console output kept back while a display is shown */
};

typedef struct RunOptions {
	LoadOptions load;
	u64 fuel;
	double timeout, speed;
	const char *trace, *format, *report, *input, *snapshot, *pc;
	LinuxOptions system;
	JitOptions jit;
	const char *strace;
	bool takes_all; /* the operand is a program, and what follows is for it */
	bool verbose, stats, screen, quiet, deterministic;
} RunOptions;

typedef struct Run {
	const RunOptions *options;
	Loaded loaded;
	Outcome outcome;
	Trace trace;
	Screen screen;
	Buf output;         /* of the guest, not written yet */
	bool tracing, live; /* live: the display is shown */
	bool output_closed;
	int input_fd;       /* where further input comes from, or -1 */
	u64 slice, fuel_end;
	u64 time_before;    /* the machine's time at `start` */
	JitSetup jit;
	LinuxConfig system; /* for a machine that runs Linux programs */
	LinuxTerminal terminal;
	int strace_fd;      /* -1: none */
	double start, deadline;
	u64 start_ns;
} Run;

/* run.c */
void run_flush(Run *run);

/* run_loop.c */
/* What is given as input at the start. 0, or an exit code with the outcome set. */
int run_input_start(Run *run);
void run_loop(Run *run);
/* True when something other than the guest ends the run. */
bool run_has_to_end(Run *run);
/* At most `most`; negative: for ever. */
double run_seconds_left(const Run *run, double most);
MachineStop run_slice(Run *run);
/* Chooses the length of the next slice by the time the last one took. */
void run_adapt_slice(Run *run, double took, u64 done);
/* The machine's time goes on with ours. */
void run_set_time(Run *run);

/* run_linux.c */
bool run_is_linux(const Run *run);
/* In place of run_input_start and run_loop. */
void run_linux(Run *run);
void run_linux_terminal(Run *run, LinuxTerminal *terminal);
/* --strace, for a machine that is to be made. */
void run_linux_strace(Run *run, LinuxConfig *config);
/* Where its lines go, when all files have been read and before it runs. 0 or the exit code. */
int run_linux_open_strace(Run *run);
/* The outcome of a machine that halted: by which signal its first process died. */
void run_linux_outcome(Run *run);

#endif
