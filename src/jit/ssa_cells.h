/* SPDX-License-Identifier: MIT
 *
 * Which cells a load or a store is of, and whether two of them may be of the same: for passes over memory.
 */
#ifndef JIT_SSA_CELLS_H
#define JIT_SSA_CELLS_H

#include "jit/ssa.h"

typedef struct SsaCells {
	SsaRef root; /* 0: none, a constant address */
	u64 offset;
	unsigned space, width, address_width;
} SsaCells;

SsaCells ssa_cells_of(const SsaFunc *func, const SsaNode *node); /* of a LOAD or STORE */
/* May they be of the same cell? Not if they have one root and displacements that far apart, or constant addresses. */
bool ssa_cells_overlap(const SsaFunc *func, const SsaCells *a, const SsaCells *b);
/* Do both begin with the same cell, for certain? */
static inline bool ssa_cells_same(const SsaCells *a, const SsaCells *b)
{
	return a->space == b->space && a->root == b->root && a->offset == b->offset && a->address_width == b->address_width;
}
/* Lists what touches memory, unless that is known (func->touches). False: no memory. */
bool ssa_list_touches(SsaFunc *func);
static inline bool ssa_space_is_hard(const SsaFunc *func, unsigned space)
{
	return space < 64 && func->hard_spaces >> space & 1;
}

#endif
