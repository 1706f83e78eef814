/* SPDX-License-Identifier: MIT
 *
 * The tree of dominators, numbered; and blocks in front of loops.
 *
 *      a   b                a   b
 *       \ /                  \ /
 *        |                    e      ahead: PHIs of what a and b bring; JUMP
 *    +-> h    becomes     +-> h
 *    |   |                |   |
 *    +-- l                +-- l
 *
 * Only loops whose header dominates them get one: ways into others do not pass it.
 */
#include "jit/ssa_tree.h"

#include <string.h>

bool ssa_tree(SsaFunc *func, SsaTree *tree)
{
	u32 count = func->block_count, depth = 0, place = 0, *stack;

	if (func->tree) {
		*tree = *func->tree;
		return true;
	}
	*tree = (SsaTree){.child = ARENA_ARRAY(func->arena, u32, count + 1), .sibling = ARENA_ARRAY(func->arena, u32, count + 1),
		.in = ARENA_ARRAY(func->arena, u32, count + 1), .out = ARENA_ARRAY(func->arena, u32, count + 1),
		.order = ARENA_ROOM(func->arena, u32, count + 1)};
	stack = ARENA_ROOM(func->arena, u32, count + 1);
	func->tree = ARENA_ROOM(func->arena, SsaTree, 1);
	if (!tree->child || !tree->sibling || !tree->in || !tree->out || !tree->order || !stack || !func->tree) {
		func->tree = NULL;
		func->failed = true;
		return false;
	}
	for (u32 i = func->rpo_count; i-- > 0;) {
		u32 block = func->rpo[i], above = func->blocks[block].idom;

		if (above != block && above != SSA_NO_BLOCK) {
			tree->sibling[block] = tree->child[above];
			tree->child[above] = block + 1;
		}
	}
	for (u32 i = 0; i < func->rpo_count; i++) {
		u32 root = func->rpo[i], next;

		if (func->blocks[root].idom != root && func->blocks[root].idom != SSA_NO_BLOCK)
			continue;
		stack[depth++] = root;
		tree->in[root] = place++;
		tree->order[tree->count++] = root;
		next = tree->child[root];
		while (depth) { /* next: what to go down to; 0: up */
			if (next) {
				next--;
				stack[depth++] = next;
				tree->in[next] = place++;
				tree->order[tree->count++] = next;
				next = tree->child[next];
				continue;
			}
			tree->out[stack[--depth]] = place;
			next = depth ? tree->sibling[stack[depth]] : 0;
		}
	}
	*func->tree = *tree;
	return true;
}

/* ---- Loops ---- */

bool ssa_in_loop(const SsaFunc *func, u32 block, u32 loop)
{
	u32 at = func->blocks[block].loop;

	while (at != SSA_NO_BLOCK && at != loop)
		at = ssa_outer_loop(func, at);
	return at == loop;
}

bool ssa_each_round(const SsaFunc *func, const SsaTree *tree, u32 block, u32 loop)
{
	const SsaBlock *header = &func->blocks[loop];

	for (u32 p = 0; p < header->pred_count; p++)
		if (header->preds[p] != header->before && !ssa_above(tree, block, header->preds[p]))
			return false;
	return true;
}

SsaRef ssa_entry_value(const SsaFunc *func, SsaRef phi)
{
	const SsaNode *node = &func->nodes[phi];
	const SsaBlock *block = &func->blocks[node->block];

	for (u32 p = 0; p < block->pred_count; p++)
		if (block->preds[p] == block->before)
			return ssa_value(func, func->pool[node->a + p]);
	return 0;
}

/* Is everything that comes back dominated by the header? */
static bool is_natural(const SsaFunc *func, u32 header)
{
	const SsaBlock *block = &func->blocks[header];

	for (u32 p = 0; p < block->pred_count; p++)
		if (func->blocks[block->preds[p]].order >= block->order && !ssa_dominates(func, header, block->preds[p]))
			return false;
	return true;
}

static u32 outside_count(const SsaFunc *func, u32 header)
{
	const SsaBlock *block = &func->blocks[header];
	u32 count = 0;

	for (u32 p = 0; p < block->pred_count; p++)
		count += func->blocks[block->preds[p]].order < block->order;
	return count;
}

/* What comes into a PHI of the header from outside, in block `ahead`, whose predecessors these are. */
static SsaRef outside_value(SsaFunc *func, u32 header, u32 ahead, SsaRef phi)
{
	const SsaBlock *block = &func->blocks[header];
	SsaRef value = 0, merged;
	u32 k = 0;
	bool same = true;

	for (u32 p = 0; p < block->pred_count; p++) {
		SsaRef arg = ssa_value(func, func->pool[func->nodes[phi].a + p]);

		if (func->blocks[block->preds[p]].order >= block->order)
			continue;
		same = same && (!value || value == arg);
		value = arg;
	}
	if (same)
		return value;
	merged = ssa_phi(func, ahead, func->nodes[phi].width, func->nodes[phi].aux);
	if (!merged)
		return 0;
	for (u32 p = 0; p < block->pred_count; p++)
		if (func->blocks[block->preds[p]].order < block->order)
			func->pool[func->nodes[merged].a + k++] = func->pool[func->nodes[phi].a + p];
	return merged;
}

static void redirect(SsaFunc *func, u32 from, u32 to, u32 now)
{
	SsaBlock *block = &func->blocks[from];

	for (u32 i = 0; i < block->succ_count; i++)
		if (block->succ[i] == to)
			block->succ[i] = now;
}

static void make_ahead(SsaFunc *func, u32 header)
{
	u32 outside = outside_count(func, header), ahead = ssa_block(func, func->blocks[header].pc), kept = 0;
	SsaBlock *block, *front;
	SsaRef end, *values;
	u32 *preds, phis = 0;

	if (func->failed)
		return;
	block = &func->blocks[header];
	front = &func->blocks[ahead];
	for (SsaRef ref = block->first; func->nodes[ref].op == SSA_PHI; ref = func->nodes[ref].next)
		phis++;
	preds = ARENA_ARRAY(func->arena, u32, outside + 1);
	values = ARENA_ARRAY(func->arena, SsaRef, phis + 1);
	if (!preds || !values) {
		func->failed = true;
		return;
	}
	front->ahead = true;
	front->preds = preds;
	front->pred_cap = outside + 1;
	for (u32 p = 0; p < block->pred_count; p++)
		if (func->blocks[block->preds[p]].order < block->order)
			front->preds[front->pred_count++] = block->preds[p];
	memcpy(front->state, block->state, func->slot_count * sizeof(SsaRef));
	phis = 0;
	for (SsaRef ref = block->first; !func->failed && func->nodes[ref].op == SSA_PHI; ref = func->nodes[ref].next) {
		values[phis] = outside_value(func, header, ahead, ref);
		func->nodes[ref].mark = values[phis++];
	}
	if (func->failed)
		return;
	for (u32 k = 0; k < func->elsewhere_count; k++) {
		u32 slot = func->elsewhere[k];
		SsaRef value = ssa_value(func, front->state[slot]);

		if (value && func->nodes[value].op == SSA_PHI && func->nodes[value].block == header)
			front->state[slot] = func->nodes[value].mark;
	}
	for (u32 p = 0; p < front->pred_count; p++)
		redirect(func, front->preds[p], header, ahead);
	/* The header keeps what comes back, behind the new one. */
	for (u32 p = 0; p < block->pred_count; p++) {
		u32 pred = block->preds[p];

		if (func->blocks[pred].order < block->order)
			continue;
		for (SsaRef ref = block->first; func->nodes[ref].op == SSA_PHI; ref = func->nodes[ref].next)
			func->pool[func->nodes[ref].a + kept] = func->pool[func->nodes[ref].a + p];
		block->preds[kept++] = pred;
	}
	phis = 0;
	for (SsaRef ref = block->first; func->nodes[ref].op == SSA_PHI; ref = func->nodes[ref].next)
		func->pool[func->nodes[ref].a + kept] = values[phis++];
	block->preds[kept] = ahead;
	block->pred_count = kept + 1;
	block->before = ahead;
	front->succ[0] = header;
	front->succ_count = 1;
	end = ssa_node(func, SSA_JUMP, 0, 0, 0, 0, 0, 0);
	ssa_append(func, ahead, end);
}

void ssa_loops(SsaFunc *func)
{
	u32 count = func->block_count;
	bool any = false;

	if (func->failed)
		return;
	for (u32 b = 0; b < count; b++)
		func->blocks[b].before = SSA_NO_BLOCK;
	for (u32 i = 0; i < func->rpo_count && !func->failed; i++) {
		u32 header = func->rpo[i];

		if (!func->blocks[header].header || !is_natural(func, header))
			continue;
		make_ahead(func, header);
		any = true;
	}
	if (any)
		ssa_order(func);
}
