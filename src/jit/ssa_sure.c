/* SPDX-License-Identifier: MIT
 *
 * Accesses that are sure, and stores that nobody sees.
 *
 * What memory allows changes only outside regions. So where an access did not leave, a like one of the same cells, which it
 * dominates, doesn't either: it needs no checks, and the state of its instruction need not be at hand. Machines with a stack of
 * operands in memory push to the same few cells again and again.
 *
 * Of a store that is sure only the value is left, and that only matters if somebody sees it. Nobody does if it is overwritten
 * on all ways before anything may leave, and before any load that may be of its cells. If that is so on one way out of its block
 * alone, the store goes to the beginning of the other: from the middle of a loop to where the loop is left.
 *
 * Not in hard spaces: there an access asks nothing, and a store is one instruction of the host. To keep address and value at hand
 * until later costs more, and stores that nobody sees are so few that no program of bench/ has fewer instructions without them.
 *
 * It comes late: behind ssa_fuel, so that a charge, which may leave, stands where it is.
 */
#include "jit/ssa_cells.h"
#include "jit/ssa_tree.h"

enum { TRIES_MOST = 12, WALK_MOST = 60, WAYS_MOST = 3 };

/* ---- Which are sure ---- */

typedef struct Sure {
	SsaFunc *func;
	SsaTree tree;
	SsaRef *last;   /* per root (0: constants): the newest access that may leave */
	SsaRef *before; /* per access: the one before it, of the same root */
} Sure;

/* Did this one not leave, then `node`, which it is in front of, won't. */
static bool vouches(const Sure *s, const SsaNode *at, const SsaNode *node, const SsaCells *cells)
{
	SsaCells earlier = ssa_cells_of(s->func, at);

	return at->op == node->op && ssa_cells_same(&earlier, cells) && at->width == node->width &&
	       ssa_above(&s->tree, at->block, node->block);
}

static bool visit(Sure *s, SsaRef ref)
{
	SsaFunc *func = s->func;
	SsaNode *node = &func->nodes[ref];
	SsaCells cells = ssa_cells_of(func, node);
	unsigned tries = 0;

	for (SsaRef at = s->last[cells.root]; at && tries < TRIES_MOST; at = s->before[at], tries++)
		if (vouches(s, &func->nodes[at], node, &cells)) {
			node->c = 1;
			return true;
		}
	s->before[ref] = s->last[cells.root];
	s->last[cells.root] = ref;
	return false;
}

/* Accesses to hard spaces cost nothing as they are. */
static bool is_asked(const SsaFunc *func, const SsaNode *node)
{
	return (node->op == SSA_STORE || node->op == SSA_LOAD) && !ssa_space_is_hard(func, node->aux);
}

static bool any_asked(const SsaFunc *func)
{
	for (u32 i = 0; i < func->listed_touches; i++)
		if (is_asked(func, &func->nodes[func->touches[i]]))
			return true;
	return false;
}

/* How many stores are sure. */
static u32 find_sure(Sure *s)
{
	SsaFunc *func = s->func;
	u32 count = 0;

	for (u32 i = 0; i < s->tree.count; i++)
		for (u32 k = 0, b = s->tree.order[i]; k < func->touch_count[b]; k++) {
			SsaRef ref = func->touches[func->first_touch[b] + k];

			if (func->nodes[ref].block == b && is_asked(func, &func->nodes[ref]) && visit(s, ref))
				count += func->nodes[ref].op == SSA_STORE;
		}
	return count;
}

/* ---- Who sees a store ---- */

typedef enum Fate { FATE_SEEN, FATE_GONE, FATE_END } Fate;

/* What becomes of the content of these cells from here to the end of the block. left: nodes that are looked at. *changed: another
 * store may have changed a part of it. */
static Fate fate_in(const SsaFunc *func, SsaRef from, const SsaCells *cells, u32 *left, bool *changed)
{
	for (SsaRef ref = from; ref; ref = func->nodes[ref].next) {
		const SsaNode *node = &func->nodes[ref];
		unsigned effects = ssa_effects(node);
		SsaCells other;

		if (effects & SSA_END)
			return node->op == SSA_LEAVE ? FATE_SEEN : FATE_END;
		if (effects & SSA_EXIT || !*left)
			return FATE_SEEN;
		--*left;
		if (!(effects & (SSA_READ | SSA_WRITE)))
			continue;
		if (node->op != SSA_LOAD && node->op != SSA_STORE)
			return FATE_SEEN;
		other = ssa_cells_of(func, node);
		if (node->op == SSA_STORE && ssa_cells_same(&other, cells) && other.width >= cells->width)
			return FATE_GONE;
		if (!ssa_cells_overlap(func, &other, cells))
			continue;
		if (node->op == SSA_LOAD)
			return FATE_SEEN;
		*changed = true;
	}
	return FATE_SEEN;
}

/* Is it overwritten on all ways from the beginning of the block, which nothing else leads to? ways: branches that are followed. */
static bool is_gone(const SsaFunc *func, u32 block, const SsaCells *cells, unsigned ways, u32 *left)
{
	const SsaBlock *at = &func->blocks[block];
	bool changed;
	Fate fate = at->pred_count == 1 ? fate_in(func, at->first, cells, left, &changed) : FATE_SEEN;

	if (fate != FATE_END || (at->succ_count > 1 && !ways))
		return fate == FATE_GONE;
	for (u32 k = 0; k < at->succ_count; k++)
		if (!is_gone(func, at->succ[k], cells, ways - (at->succ_count > 1), left))
			return false;
	return true;
}

static void settle(SsaFunc *func, SsaRef store)
{
	SsaCells cells = ssa_cells_of(func, &func->nodes[store]);
	const SsaBlock *at = &func->blocks[func->nodes[store].block];
	u32 left = WALK_MOST;
	bool gone[2] = {false, false}, changed = false;
	Fate fate = fate_in(func, func->nodes[store].next, &cells, &left, &changed);

	while (fate == FATE_END && at->succ_count == 1 && func->blocks[at->succ[0]].pred_count == 1) {
		at = &func->blocks[at->succ[0]];
		fate = fate_in(func, at->first, &cells, &left, &changed);
	}
	if (fate == FATE_END && at->succ_count == 2)
		for (u32 k = 0; k < 2; k++) {
			left = WALK_MOST;
			gone[k] = is_gone(func, at->succ[k], &cells, WAYS_MOST, &left);
		}
	if (fate != FATE_GONE && !(gone[0] && gone[1]) && (changed || gone[0] == gone[1]))
		return;
	ssa_remove(func, store);
	if (gone[0] != gone[1])
		ssa_insert_after_phis(func, at->succ[gone[0]], store);
}

void ssa_sure(SsaFunc *func)
{
	Sure s = {.func = func};

	if (func->failed || !(ssa_has_made(func, SSA_STORE) || ssa_has_made(func, SSA_LOAD)) ||
	    !ssa_list_touches(func) || !any_asked(func) || !ssa_tree(func, &s.tree))
		return;
	s.last = ARENA_ARRAY(func->arena, SsaRef, func->node_count);
	s.before = ARENA_ARRAY(func->arena, SsaRef, func->node_count);
	if (!s.last || !s.before) {
		func->failed = true;
		return;
	}
	if (!find_sure(&s))
		return;
	for (u32 i = 0; i < func->rpo_count; i++) /* the last first: so they come to the other block in their order */
		for (SsaRef ref = func->blocks[func->rpo[i]].last, prev; ref; ref = prev) {
			prev = func->nodes[ref].prev;
			if (func->nodes[ref].op == SSA_STORE && func->nodes[ref].c)
				settle(func, ref);
		}
}
