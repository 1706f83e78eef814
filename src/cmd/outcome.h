/* SPDX-License-Identifier: MIT
 *
 * How a run ended, in words, as an exit code, and as a JSON object.
 *
 *   state          exit code                 when
 *   halted         the guest's own           it ended by itself
 *   illegal        132 (SIGILL)              an instruction that does not exist
 *   trap           133 (SIGTRAP)             an exception nobody handles
 *   input-ended    129 (SIGHUP)              it waits for input, of which there will be no more
 *   fault          139 (SIGSEGV)             access to an address that is not there
 *   deadlock       142 (SIGALRM)             every vCPU waits for another one
 *   denied         159 (SIGSYS)              it called a service it does not have
 *   fuel           137 (SIGKILL)             --fuel ran out
 *   timeout        124                       --timeout ran out
 *   interrupted    128 + signal              husk was asked to end
 *   output-closed  141 (SIGPIPE)             nobody reads its output any more
 *   failed         125, 126, 127             husk could not run it
 */
#ifndef CMD_OUTCOME_H
#define CMD_OUTCOME_H

#include "cmd/load.h"

typedef struct Outcome {
	const char *state;
	int code;
	Buf reason; /* one line for people */
	u64 first;  /* instruction count at the start; not 0 for a snapshot */
	double seconds;
	MachineStop stop;
} Outcome;

void outcome_init(Outcome *outcome);
void outcome_fini(Outcome *outcome);
void outcome_set(Outcome *outcome, const char *state, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* From the reason a machine stopped (not BUDGET, WAIT, FRAME). */
void outcome_of_stop(Outcome *outcome, const Loaded *loaded, const MachineStop *stop);
/* "x3004 (LOOP+2, line 12 of prog.asm)" */
void outcome_place(const Loaded *loaded, u16 space, u64 address, Buf *out);

/* One line of JSON. Numbers that a double can't hold exactly (2^53 and up) are strings "0x...". */
void outcome_json(const Outcome *outcome, const Loaded *loaded, Buf *out);
/* A few lines of figures. */
void outcome_stats(const Outcome *outcome, const Loaded *loaded, Buf *out);

#endif
