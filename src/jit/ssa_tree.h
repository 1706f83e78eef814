/* SPDX-License-Identifier: MIT
 *
 * The tree of dominators, and loops, for passes: who is above whom in constant time.
 */
#ifndef JIT_SSA_TREE_H
#define JIT_SSA_TREE_H

#include "jit/ssa.h"

typedef struct SsaTree {
	u32 *child, *sibling; /* per block: block + 1; children in reverse postorder */
	u32 *in, *out;        /* per block: the first and behind the last place of its part of the tree */
	u32 *order;           /* blocks, each behind those that dominate it, and behind all its predecessors but those that come back */
	u32 count;
} SsaTree;

/* It is kept until blocks come or go. False: no memory (func->failed). */
bool ssa_tree(SsaFunc *func, SsaTree *tree);
static inline bool ssa_above(const SsaTree *tree, u32 above, u32 below)
{
	return tree->in[above] <= tree->in[below] && tree->out[below] <= tree->out[above];
}

/* After ssa_loops, and as long as edges stay as they are. `loop`: its header. */
static inline u32 ssa_outer_loop(const SsaFunc *func, u32 loop)
{
	return func->blocks[loop].outer;
}
bool ssa_in_loop(const SsaFunc *func, u32 block, u32 loop);
/* Is the block passed on each way round the loop? */
bool ssa_each_round(const SsaFunc *func, const SsaTree *tree, u32 block, u32 loop);
/* The argument of a header's PHI that comes from outside. */
SsaRef ssa_entry_value(const SsaFunc *func, SsaRef phi);

#endif
