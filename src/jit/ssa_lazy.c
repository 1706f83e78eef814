/* SPDX-License-Identifier: MIT
 *
 * What only rare ways out name, and can make themselves, is not computed. The guest's registers are full of such values: what an
 * instruction left in one, and nobody reads before another writes it. They must be right wherever the guest may be stopped,
 * but it hardly ever is.
 *
 * Such a value is *lazy*: the target makes no code for it and gives it no place. What it is made of is to be somewhere at the ways
 * out that name it, and these do the operations (ssa_alloc_make.c). One or two values: of more, some would have to be stored for it.
 *
 * A hot LEAVE takes what there is. A lazy value of a loop that it stands behind is computed in front of it; others that it names
 * are not lazy.
 */
#include <string.h>

#include "jit/ssa.h"

enum { LEAVES_MOST = 2 };

typedef struct Lazy {
	SsaFunc *func;
	SsaNeeds needs;
	u32 count;      /* of nodes, at the start */
} Lazy;

static bool is_wanted(const Lazy *l, SsaRef ref)
{
	return (l->needs.needed[ref] & SSA_FIRM) == SSA_NEEDED;
}

static bool may_be_lazy(const Lazy *l, SsaRef ref)
{
	const SsaFunc *func = l->func;
	const SsaNode *node = &func->nodes[ref];
	SsaRef leaves[3];
	u32 count = 0;

	if (!ssa_may_make(func, ref))
		return false;
	for (unsigned k = ssa_op_info[node->op].operands; k-- > 0;) {
		SsaRef operand = ssa_value(func, node->operands[k]);

		if (ssa_is_odd(func, operand))
			return false;
		if (func->nodes[operand].op != SSA_CONST && !(count && leaves[count - 1] == operand))
			leaves[count++] = operand;
	}
	return count <= LEAVES_MOST;
}

static void need(Lazy *l, SsaRef ref)
{
	ssa_need(l->func, &l->needs, ref, SSA_FIRM);
}

static void need_operands(Lazy *l, SsaNode *node)
{
	for (unsigned k = ssa_operands(l->func, node); k-- > 0;)
		need(l, *ssa_operand(l->func, node, k));
}

/* What cannot be lazy: all that PHIs, other operations and hot LEAVEs want. */
static void find_firm(Lazy *l)
{
	SsaFunc *func = l->func;

	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref; ref = func->nodes[ref].next) {
			SsaNode *node = &func->nodes[ref];

			if (node->op == SSA_BRING) {
				if (is_wanted(l, ssa_value(func, node->a)))
					need(l, node->a);
			} else if (ssa_is_hot_leave(node)) {
				const SsaSnap *snap = &func->snaps[node->snap];

				for (u32 k = 0; k < snap->count; k++) {
					SsaRef value = ssa_value(func, func->entries[snap->first + k].ref);

					if (!ssa_is_behind(func, node, value) || !may_be_lazy(l, value))
						need(l, value);
				}
			} else if (is_wanted(l, ref) && ssa_effects(node) & SSA_PURE && !may_be_lazy(l, ref)) {
				need_operands(l, node);
			}
		}
}

static void find_lazy(Lazy *l)
{
	SsaFunc *func = l->func;

	for (u32 i = func->rpo_count; i-- > 0;)
		for (SsaRef ref = func->blocks[func->rpo[i]].last; ref; ref = func->nodes[ref].prev) {
			if (!is_wanted(l, ref) || !(ssa_effects(&func->nodes[ref]) & SSA_PURE) || !may_be_lazy(l, ref))
				continue;
			if (func->lazy_count < SSA_LAZY_MOST) {
				func->lazy[ref] = true;
				func->lazy_count++;
			} else {
				need(l, ref);
			}
		}
}

/* ---- In front of hot LEAVEs ---- */

typedef struct Clones {
	SsaRef leave;
	struct Clone { SsaRef of, is; } list[SSA_LAZY_MOST];
	u32 count;
} Clones;

static SsaRef clone(Lazy *l, Clones *clones, SsaRef ref)
{
	SsaFunc *func = l->func;
	SsaNode node;
	SsaRef is;

	ref = ssa_value(func, ref);
	if (!ssa_is_lazy(func, ref))
		return ref;
	for (u32 i = 0; i < clones->count; i++)
		if (clones->list[i].of == ref)
			return clones->list[i].is;
	node = func->nodes[ref];
	for (unsigned k = 0; k < ssa_op_info[node.op].operands; k++)
		node.operands[k] = clone(l, clones, node.operands[k]);
	is = ssa_node(func, node.op, node.width, node.aux, node.a, node.b, node.c, node.imm);
	if (!is)
		return ref;
	ssa_insert_before(func, clones->leave, is);
	clones->list[clones->count++] = (struct Clone){ref, is};
	return is;
}

/* Its entries may be those of another way out, too. */
static void compute_for(Lazy *l, Clones *clones, SsaRef leave)
{
	SsaFunc *func = l->func;
	SsaSnap *snap = &func->snaps[func->nodes[leave].snap];
	u32 first = func->entry_count;
	bool any = false;

	for (u32 k = 0; k < snap->count && !any; k++)
		any = ssa_is_lazy(func, ssa_value(func, func->entries[snap->first + k].ref));
	if (!any)
		return;
	clones->leave = leave;
	clones->count = 0;
	for (u32 k = 0; k < snap->count && !func->failed; k++) {
		SsaSnapEntry entry = func->entries[snap->first + k];

		entry.ref = clone(l, clones, entry.ref);
		if (!arena_grow(func->arena, (void **)&func->entries, &func->entry_cap, func->entry_count, sizeof entry)) {
			func->failed = true;
			return;
		}
		func->entries[func->entry_count++] = entry;
	}
	if (!arena_grow(func->arena, (void **)&func->snaps, &func->snap_cap, func->snap_count, sizeof *snap)) {
		func->failed = true;
		return;
	}
	func->snaps[func->snap_count] = func->snaps[func->nodes[leave].snap];
	func->snaps[func->snap_count].first = first;
	func->nodes[leave].snap = func->snap_count++;
}

/* Nodes that were made meanwhile are computed. */
static void extend(Lazy *l)
{
	SsaFunc *func = l->func;
	u8 *needed = ARENA_ARRAY(func->arena, u8, func->node_count);
	bool *lazy = ARENA_ARRAY(func->arena, bool, func->node_count);

	if (!needed || !lazy) {
		func->failed = true;
		return;
	}
	memcpy(needed, func->needed, l->count);
	memcpy(lazy, func->lazy, l->count * sizeof *lazy);
	memset(needed + l->count, SSA_FIRM, func->node_count - l->count);
	func->needed = needed;
	func->lazy = lazy;
	func->lazy_nodes = func->node_count;
}

void ssa_lazy(SsaFunc *func)
{
	Lazy l = {.func = func, .count = func->node_count};
	Clones *clones;

	func->lazy = NULL;
	func->lazy_count = 0;
	if (func->failed)
		return;
	l.needs.needed = func->needed;
	l.needs.work = ARENA_ROOM(func->arena, SsaRef, func->node_count);
	func->lazy = ARENA_ARRAY(func->arena, bool, func->node_count);
	func->lazy_nodes = func->node_count;
	clones = ARENA_NEW(func->arena, Clones);
	if (!l.needs.work || !func->lazy || !clones) {
		func->failed = true;
		return;
	}
	find_firm(&l);
	find_lazy(&l);
	if (!func->lazy_count) {
		func->lazy = NULL;
		return;
	}
	for (u32 i = 0; i < func->rpo_count && !func->failed; i++)
		if (ssa_is_hot_leave(&func->nodes[func->blocks[func->rpo[i]].last]))
			compute_for(&l, clones, func->blocks[func->rpo[i]].last);
	if (func->node_count > l.count && !func->failed)
		extend(&l);
}
