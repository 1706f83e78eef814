/* SPDX-License-Identifier: MIT
 *
 * The parts of `husk lab`: experiments with machines and engines that print a table, say what it shows, and draw it.
 */
#ifndef CMD_LAB_H
#define CMD_LAB_H

#include "cmd/load.h"
#include "lab/lab_engine.h"

typedef struct LabOptions {
	LoadOptions load;
	u64 fuel;        /* instructions at most per run; 0 = as the experiment likes */
	u64 rounds;      /* 0 = 5 */
	const char *svg, *format;
} LabOptions;

extern const Verb verb_lab_dispatch; /* lab_dispatch.c */
extern const Verb verb_lab_machines; /* lab_machines.c */

/* A bar chart. */
typedef struct LabBar {
	const char *name, *note; /* note stands behind the bar */
	double value;            /* < 0: no bar, only the note */
} LabBar;
void lab_chart(Buf *out, const char *title, const char *unit, const LabBar *bars, u32 count);

/* The texts that come with husk. */
typedef struct LabText {
	const char *name; /* "sieve.asm" */
	const char *begin, *end;
} LabText;
const LabText *lab_text(const char *name);

/* A machine with one of these texts in it, its output dropped and its input ended. 0 or an exit code; complains itself.
 * load_fini in any case. */
int lab_load_text(Loaded *loaded, const LoadOptions *options, const LabText *text);
/* The same for a machine that was loaded otherwise. */
void lab_silence(Machine *machine);

/* Processor time of this process, in seconds. */
double lab_seconds(void);

#endif
