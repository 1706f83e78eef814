/* SPDX-License-Identifier: MIT
 *
 * Which slots stay at home (ssa_home.c).
 */
#ifndef JIT_SSA_HOME_H
#define JIT_SSA_HOME_H

#include "jit/ssa.h"

typedef struct SsaWeights {
	u32 count;    /* of slots; each array has as many entries */
	u64 *weights; /* of writes, and of reads of what comes in */
	u64 *reads;   /* these alone */
	u32 *seen;    /* the last stretch that named it, .. */
	u32 stretch;  /* .. of so many so far */
	bool *floats; /* floats are computed with it */
	bool *stay;   /* out: it stays at home */
} SsaWeights;

enum { SSA_ONCE = 16, SSA_OFTEN = 10000 * SSA_ONCE };

/* Weighs what operations start .. end - 1 of func, one stretch of code that runs `weight` times, do with slots. */
void ssa_weigh(SsaWeights *w, const IrFunc *func, u32 start, u32 end, u64 weight);
/* most: SsaRegion.values_most. */
void ssa_choose_homes(SsaWeights *w, const u64 *written, const u8 *pin_of, const u32 most[2]);

#endif
