/* SPDX-License-Identifier: MIT
 *
 * What does not change in a loop goes ahead of it.
 *
 * Pure operations: those that cost something (multiplication, division, floats, counting bits), and chains of others that end in
 * something that stays, if it is worth a register: a single addition of a constant or a cut is as good where it is.
 *
 * Homes: whoever allocates registers may read them again where they are needed, so this costs nothing.
 *
 * Loads: in loops that store nothing that may be of the same cells, and do so each round. A load that leaves does so at the start of
 * the loop's first instruction. Its CHECK has gone before it (ssa_check.c), or it stays.
 *
 * Moves are few enough for registers: at most HOISTS_MOST values for each loop.
 */
#include "base/bits.h"
#include "jit/ssa_address.h"
#include "jit/ssa_tree.h"

enum { HOISTS_MOST = 6, CHECKS_MOST = 8 };

typedef struct Hoist {
	SsaFunc *func;
	SsaTree tree;
	u32 *taken;   /* per header: values that were moved ahead of it */
	u8 *stores;   /* per header: does the loop store? */
	SsaRef *last, *before; /* per anchor: CHECKs, newest first */
	u32 count;    /* of nodes at the start */
} Hoist;

static bool costs(const SsaFunc *func, const SsaNode *node)
{
	u64 c;

	if (node->op >= IR_OP_COUNT || !(ssa_effects(node) & SSA_PURE))
		return false;
	switch (node->op) {
	case IR_OP_MUL: case IR_OP_MULHS: case IR_OP_MULHU: case IR_OP_MULHSU: case IR_OP_DIVS: case IR_OP_DIVU: case IR_OP_REMS:
	case IR_OP_REMU: case IR_OP_CLZ: case IR_OP_CTZ: case IR_OP_POPC: case IR_OP_BSWAP:
		return true;
	case IR_OP_ADD: case IR_OP_SHL: case IR_OP_AND: case IR_OP_XOR: case IR_OP_OR: case IR_OP_SHR: case IR_OP_SAR:
		return !ssa_is_const(func, node->b, &c); /* with a constant it is an addressing mode or as cheap */
	case IR_OP_SUB: case IR_OP_SEL: case IR_OP_CONCAT: case IR_OP_SX: case IR_OP_ROL: case IR_OP_ROR:
		return true;
	default:
		return ir_float_operands((IrOp)node->op) != 0;
	}
}

/* Is it there ahead of the loop? */
static bool is_outside(const SsaFunc *func, SsaRef ref, u32 loop)
{
	const SsaNode *node = &func->nodes[ssa_value(func, ref)];

	return node->op == SSA_CONST || !ssa_in_loop(func, node->block, loop);
}

static bool is_made_outside(SsaFunc *func, SsaNode *node, u32 loop)
{
	for (unsigned i = ssa_operands(func, node); i-- > 0;)
		if (!is_outside(func, *ssa_operand(func, node, i), loop))
			return false;
	return true;
}

static bool is_worth_it(const SsaFunc *func, const SsaNode *node)
{
	return node->op == SSA_LOAD || node->op == SSA_HOME || costs(func, node);
}

/* Is there one to begin with? Mostly there is none. */
static bool any_moves(SsaFunc *func)
{
	for (u32 i = 0; i < func->rpo_count; i++) {
		const SsaBlock *block = &func->blocks[func->rpo[i]];

		if (block->loop == SSA_NO_BLOCK || func->blocks[block->loop].before == SSA_NO_BLOCK)
			continue;
		for (SsaRef ref = block->first; ref; ref = func->nodes[ref].next)
			if (is_worth_it(func, &func->nodes[ref]) && is_made_outside(func, &func->nodes[ref], block->loop))
				return true;
	}
	return false;
}

static void find_stores(Hoist *h)
{
	const SsaFunc *func = h->func;

	for (u32 i = 0; i < func->rpo_count; i++) {
		u32 b = func->rpo[i];
		bool stores = false;

		for (SsaRef ref = func->blocks[b].first; ref && !stores; ref = func->nodes[ref].next) {
			u8 op = func->nodes[ref].op;

			stores = op == SSA_STORE || op == SSA_FENCE || op == SSA_RMW || op == SSA_CAS;
		}
		for (u32 loop = func->blocks[b].loop; stores && loop != SSA_NO_BLOCK; loop = ssa_outer_loop(func, loop))
			h->stores[loop] = true;
	}
}

/* Is the access safe ahead of the loop: is there a CHECK that dominates that place? */
static bool is_checked(const Hoist *h, const SsaNode *load, u32 loop)
{
	const SsaFunc *func = h->func;
	u32 ahead = func->blocks[loop].before;
	unsigned tries = 0;
	u64 reach;
	SsaRef anchor;

	if (!(load->aux < 64 && func->hard_spaces >> load->aux & 1))
		return true;
	anchor = ssa_anchor(func, load->a, &reach);
	if (anchor < func->met_count && func->met[anchor] == SSA_MET && load->aux == func->met_space &&
	    load->imm + SSA_MET_MOST / 2 < SSA_MET_MOST && reach < SSA_MET_MOST / 2)
		return true;
	for (SsaRef check = h->last[anchor]; check && tries < CHECKS_MOST; check = h->before[check], tries++)
		if (func->nodes[check].aux == load->aux && ssa_above(&h->tree, func->nodes[check].block, ahead))
			return true;
	return false;
}

static bool may_move(const Hoist *h, SsaRef ref, u32 loop)
{
	SsaFunc *func = h->func;
	SsaNode *node = &func->nodes[ref];

	if (func->blocks[loop].before == SSA_NO_BLOCK)
		return false;
	if (node->op == SSA_HOME)
		return true;
	if (h->taken[loop] >= HOISTS_MOST || !is_made_outside(func, node, loop))
		return false;
	return node->op != SSA_LOAD ||
	       (!h->stores[loop] && ssa_each_round(func, &h->tree, node->block, loop) && is_checked(h, node, loop));
}

static void move(Hoist *h, SsaRef ref)
{
	SsaFunc *func = h->func;

	for (u32 loop = func->blocks[func->nodes[ref].block].loop; loop != SSA_NO_BLOCK && may_move(h, ref, loop);
	     loop = ssa_outer_loop(func, loop)) {
		SsaRef end = func->blocks[func->blocks[loop].before].last;

		ssa_remove(func, ref);
		ssa_insert_before(func, end, ref);
		h->taken[loop] += func->nodes[ref].op != SSA_HOME;
	}
}

static bool prepare(Hoist *h)
{
	SsaFunc *func = h->func;

	if (!any_moves(func))
		return false;
	h->count = func->node_count;
	h->taken = ARENA_ARRAY(func->arena, u32, func->block_count);
	h->stores = ARENA_ARRAY(func->arena, u8, func->block_count);
	h->last = ARENA_ARRAY(func->arena, SsaRef, h->count);
	h->before = ARENA_ARRAY(func->arena, SsaRef, h->count);
	if (!h->taken || !h->stores || !h->last || !h->before || !ssa_tree(func, &h->tree)) {
		func->failed = true;
		return false;
	}
	find_stores(h);
	for (u32 i = 0; i < h->tree.count; i++)
		for (SsaRef ref = func->blocks[h->tree.order[i]].first; ref; ref = func->nodes[ref].next)
			if (func->nodes[ref].op == SSA_CHECK) {
				SsaRef root = ssa_value(func, func->nodes[ref].a);

				h->before[ref] = h->last[root];
				h->last[root] = ref;
			}
	return true;
}

void ssa_hoist(SsaFunc *func)
{
	Hoist h = {.func = func};

	if (func->failed || !prepare(&h))
		return;
	for (u32 i = 0; i < h.tree.count; i++) {
		u32 b = h.tree.order[i];

		if (func->blocks[b].loop == SSA_NO_BLOCK)
			continue;
		for (SsaRef ref = func->blocks[b].first, next; ref; ref = next) {
			next = func->nodes[ref].next;
			if (is_worth_it(func, &func->nodes[ref]))
				move(&h, ref);
		}
	}
}
