/* SPDX-License-Identifier: MIT
 *
 * Addresses: constants that are added last go into the displacement of the access. What is left is the *root*, which
 * accesses to fields of one object have in common.
 *
 * In hard spaces the access relies on a CHECK. What is small and added last (a constant, an index into a table of 256) the
 * guard zones take, so the CHECK is one of what it is added to, the *anchor*. It follows from the address alone, so each
 * access finds the CHECK that was made for it.
 */
#include "jit/ssa_address.h"

#include "base/bits.h"
#include "jit/ssa_cells.h"
#include "jit/ssa_fold.h"

enum { SOFT_MOST = 1 << 30, INDEX_MOST = 1 << 18, DEPTH = 4 };

/* The address without its constant. */
static SsaRef root_of(const SsaFunc *func, SsaRef address, bool hard, i64 *offset)
{
	SsaRef root = ssa_value(func, address);
	i64 sum = 0, most = hard ? SSA_GUARD_ZONE - SSA_ACCESS_MOST : SOFT_MOST;
	u64 c;

	*offset = 0;
	if (hard && func->nodes[root].width != 64)
		return root;
	for (SsaRef at = root; func->nodes[at].op == IR_OP_ADD && ssa_is_const(func, func->nodes[at].b, &c);) {
		i64 add = bits_signed(c, func->nodes[at].width);

		if (add <= -most || add >= most)
			break;
		sum += add;
		if (sum <= -most || sum >= most)
			break;
		at = ssa_value(func, func->nodes[at].a);
		root = at;
		*offset = sum;
	}
	return root;
}

/* Is it less than INDEX_MOST, for what it is made from? */
static bool is_small(const SsaFunc *func, SsaRef ref, u64 *most)
{
	*most = ssa_may_be_one(func, ref);
	return *most < INDEX_MOST && func->nodes[ssa_value(func, ref)].op != SSA_CONST;
}

SsaRef ssa_anchor(const SsaFunc *func, SsaRef address, u64 *reach)
{
	i64 offset;
	SsaRef root = root_of(func, address, true, &offset);
	u64 most;

	*reach = (u64)(offset < 0 ? -offset : offset);
	for (unsigned depth = 0; depth < DEPTH && func->nodes[root].width == 64; depth++) {
		const SsaNode *node = &func->nodes[root];
		SsaRef rest;

		if (node->op != IR_OP_ADD)
			break;
		if (ssa_is_const(func, node->b, &most)) {
			i64 add = (i64)most;

			most = (u64)(add < 0 ? -add : add);
			rest = node->a;
		} else if (is_small(func, node->b, &most)) {
			rest = node->a;
		} else if (is_small(func, node->a, &most)) {
			rest = node->b;
		} else {
			break;
		}
		if (most >= SSA_GUARD_ZONE || *reach + most >= SSA_GUARD_ZONE - SSA_ACCESS_MOST)
			break;
		*reach += most;
		root = ssa_value(func, rest);
	}
	return root;
}

static bool is_hard(const SsaFunc *func, const SsaNode *node)
{
	return node->aux < 64 && func->hard_spaces >> node->aux & 1;
}

void ssa_address(SsaFunc *func)
{
	i64 offset;
	u64 reach;

	if (func->failed || !ssa_list_touches(func)) /* ssa_memory and others want the list, too */
		return;
	for (u32 i = 0; i < func->listed_touches; i++) {
		SsaNode *node = &func->nodes[func->touches[i]];

		if ((node->op != SSA_LOAD && node->op != SSA_STORE && node->op != SSA_CHECK) || node->block == SSA_NO_BLOCK)
			continue;
		if (node->imm) /* it has one: nobody but this pass makes them, so it is done */
			continue;
		if (node->op == SSA_CHECK) {
			node->a = ssa_anchor(func, node->a, &reach);
			continue;
		}
		node->a = root_of(func, node->a, is_hard(func, node), &offset);
		node->imm = (u64)offset;
	}
}
