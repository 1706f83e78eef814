/* SPDX-License-Identifier: MIT
 *
 * Addresses: constants that are added last go into the displacement of the access. What is left is the *root*, which
 * accesses to fields of one object have in common.
 *
 * In hard spaces the access relies on a CHECK of its root: there the guard zones take what a displacement adds, if it is
 * small. A root and its CHECK are decided by the address alone, so each access finds the CHECK that was made for it. Where the
 * displacement is too large both keep the whole address.
 */
#include "base/bits.h"
#include "jit/ssa.h"

enum { GUARD_ZONE = 1 << 20, ACCESS_MOST = 16, SOFT_MOST = 1 << 30 };

/* The address without its constant. */
static SsaRef root_of(const SsaFunc *func, SsaRef address, bool hard, i64 *offset)
{
	SsaRef root = ssa_value(func, address);
	i64 sum = 0, most = hard ? GUARD_ZONE - ACCESS_MOST : SOFT_MOST;
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

static bool is_hard(const SsaFunc *func, const SsaNode *node)
{
	return node->aux < 64 && func->hard_spaces >> node->aux & 1;
}

void ssa_address(SsaFunc *func)
{
	i64 offset;

	if (func->failed)
		return;
	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref; ref = func->nodes[ref].next) {
			SsaNode *node = &func->nodes[ref];

			if (node->op != SSA_LOAD && node->op != SSA_STORE && node->op != SSA_CHECK)
				continue;
			if (node->imm) /* it has one: nobody but this pass makes them, so it is done */
				continue;
			node->a = root_of(func, node->a, is_hard(func, node), &offset);
			if (node->op != SSA_CHECK)
				node->imm = (u64)offset;
		}
}
