/* SPDX-License-Identifier: MIT
 *
 * An LC-3 of Husk with its console in a buffer, for tests. Anything that fails here fails the running test.
 */
#ifndef TESTS_LC3_RIG_H
#define TESTS_LC3_RIG_H

#include "base/buf.h"
#include "base/diag.h"
#include "isa/isa.h"
#include "machine/machine.h"

typedef struct Rig {
	Isa *isa;
	Machine *machine;
	Buf output;
	DiagList diags;
	u32 r[8], pc, cc, user, prio, ssp, kbsr, kbdr, kbint, kbowed, dsr, drdy, mcr; /* slots */
	u16 psr; /* view */
} Rig;

/* options: "profile=tiny privilege=off", or "". */
Rig *rig_create(const char *options);
void rig_destroy(Rig *rig);

u64 rig_get(const Rig *rig, u32 slot);
u16 rig_psr(Rig *rig);
u16 rig_word(const Rig *rig, u16 address);
void rig_poke(Rig *rig, u16 address, u16 word);

/* Assembles and adds the object, in the given format (NULL: the first), to *out. */
void rig_assemble(Rig *rig, const char *dialect, const char *format, const char *text, Buf *out);
/* Assembles each text (up to 4, ended by NULL) into a file and loads them in this order, as `husk run` does. */
void rig_load(Rig *rig, const char *text, ...) __attribute__((sentinel));
/* Runs to a stop, with all of the input, which then ends. At most ten million instructions. */
MachineStop rig_run(Rig *rig, const char *input);
const char *rig_output(Rig *rig);

#endif
