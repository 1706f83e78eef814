/* SPDX-License-Identifier: MIT
 *
 * Which guest blocks become one region: what runs from a hot block on.
 */
#ifndef JIT_REGION_H
#define JIT_REGION_H

#include "jit/jit_private.h"
#include "jit/ssa.h"

enum { REGION_INSNS = 1000, REGION_SOURCES = 400 };

typedef struct RegionPlan {
	SsaRegion region;
	struct JitRange *ranges; /* of the guest code it is from */
	u32 range_count;
} RegionPlan;

/* Follows constant jumps from the head through code that has run (the first tier has compiled it). All of the plan lies in the
 * arena. False: there is nothing to be made of it, or no memory. */
bool region_form(Engine *engine, Vcpu *vcpu, const JitBlock *head, Arena *arena, RegionPlan *out);

#endif
