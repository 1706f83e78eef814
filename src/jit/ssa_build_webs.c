/* SPDX-License-Identifier: MIT
 *
 * PHIs that name each other and otherwise one value alone: all of them are that value.
 *
 *     outer:  %1 = phi [1, %2]            a constant that the guest loads ahead of a loop, and anew behind each
 *     inner:  %2 = phi [%1, %2, %3]       call in it: its compiler keeps it in a register that calls may change
 *     behind: %3 = phi [%2, 1]
 *
 * No one of them says so: they are looked at together. First nothing is known of any, and what is not known agrees with everything;
 * PHIs to whom different values come are several, and tell the others, until nobody changes his mind.
 */
#include "jit/ssa_build_private.h"

enum { ROUNDS_MOST = 16 }; /* each goes over all; nests of loops are not deeper */

typedef struct Webs {
	SsaBuild *build;
	SsaRef *phis;   /* of slots, block by block */
	u32 count;
	SsaRef *value;  /* per node: the one that comes to this PHI so far; itself: several; 0: none yet, or no such PHI */
} Webs;

static void list(Webs *w)
{
	const SsaFunc *func = w->build->func;

	for (u32 block = 0; block < func->block_count; block++)
		for (SsaRef ref = func->blocks[block].first; ref && func->nodes[ref].op == SSA_PHI; ref = func->nodes[ref].next)
			if (func->nodes[ref].aux != SSA_NO_SLOT)
				w->phis[w->count++] = ref;
}

/* HOMEs are none: each slot's is its own, where it is read. */
static SsaRef meet(const Webs *w, SsaRef phi)
{
	const SsaFunc *func = w->build->func;
	const SsaNode *node = &func->nodes[phi];
	SsaRef one = w->value[phi];

	for (u32 i = 0; i < func->blocks[node->block].pred_count && one != phi; i++) {
		SsaRef arg = ssa_build_settled(w->build, func->pool[node->a + i], node->aux);

		if (!arg)
			return phi;
		if (func->nodes[arg].op == SSA_PHI && func->nodes[arg].aux != SSA_NO_SLOT)
			arg = w->value[arg];
		if (arg && one && arg != one)
			return phi;
		one = arg ? arg : one;
	}
	return one;
}

static bool settle(Webs *w)
{
	bool changed = true;

	for (u32 round = 0; changed; round++) {
		if (round == ROUNDS_MOST)
			return false;
		changed = false;
		for (u32 i = 0; i < w->count; i++) {
			SsaRef now = meet(w, w->phis[i]);

			changed |= now != w->value[w->phis[i]];
			w->value[w->phis[i]] = now;
		}
	}
	return true;
}

bool ssa_build_webs(SsaBuild *b)
{
	Webs w = {.build = b};
	bool changed = false;

	w.phis = ARENA_ROOM(b->arena, SsaRef, b->func->node_count);
	w.value = ARENA_ARRAY(b->arena, SsaRef, b->func->node_count);
	if (!w.phis || !w.value) {
		b->failed = true;
		return false;
	}
	list(&w);
	if (!settle(&w))
		return false;
	for (u32 i = 0; i < w.count; i++) {
		SsaRef phi = w.phis[i], one = w.value[phi];

		if (!one || one == phi || b->func->nodes[one].width != b->func->nodes[phi].width)
			continue;
		ssa_replace(b->func, phi, one);
		changed = true;
	}
	return changed;
}
