/* SPDX-License-Identifier: MIT
 *
 * A second LC-3, for tests only: a switch over opcodes, written from the published rules and sharing no code with
 * Husk, so that the two can be held against each other instruction by instruction.
 */
#ifndef TESTS_LC3_ORACLE_H
#define TESTS_LC3_ORACLE_H

#include "base/types.h"

typedef enum OracleProfile { ORACLE_V3, ORACLE_CLASSIC, ORACLE_TINY } OracleProfile;

typedef enum OracleResult {
	ORACLE_OK,      /* one instruction was executed (or raised an exception that was entered) */
	ORACLE_HALTED,  /* likewise, and it stopped the machine */
	ORACLE_WAITS,   /* a trap of the tiny machine wants a character: nothing changed */
	ORACLE_ILLEGAL, /* classic, tiny: the instruction does not exist: nothing changed */
} OracleResult;

enum { ORACLE_OUTPUT = 1 << 16, ORACLE_DIRTY = 1 << 12 };

typedef struct Oracle {
	OracleProfile profile;
	bool no_privilege; /* access violations are off */
	bool jsrr_bug;
	bool queued;       /* interrupts, once raised, come whatever happens to their character */

	u16 m[0x10000];
	u16 r[8], pc, ssp;
	bool n, z, p, user;
	u16 prio;
	u16 kbsr, kbdr, dsr, mcr;
	bool interrupt_owed; /* the character in KBDR has not interrupted yet */
	u32 queue;           /* interrupts raised and not taken */
	bool dsr_seen;       /* classic: DSR was read as ready */
	bool asked;          /* tiny IN has prompted */
	bool stops;          /* the clock was switched off by this instruction */

	const u8 *input;     /* borrowed */
	size_t input_len, input_at;
	bool input_ended;

	u8 output[ORACLE_OUTPUT]; /* further bytes are only counted */
	u32 output_len;
	u16 dirty[ORACLE_DIRTY];  /* addresses written since the owner last set dirty_count to 0 */
	u32 dirty_count;          /* may pass ORACLE_DIRTY: then some are missing */
	u64 steps;
	/* A stack frame went into the device registers: which of the devices' effects and the entry's come first is not
	 * laid down anywhere. */
	bool undefined;
} Oracle;

void oracle_init(Oracle *oracle, OracleProfile profile);
OracleResult oracle_step(Oracle *oracle);
u16 oracle_psr(const Oracle *oracle);
void oracle_set_psr(Oracle *oracle, u16 psr);

#endif
