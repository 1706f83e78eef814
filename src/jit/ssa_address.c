/* SPDX-License-Identifier: MIT
 *
 * Addresses: constants that are added last go into the displacement of the access. What is left is the *root*, which
 * accesses to fields of one object have in common.
 *
 * In hard spaces the access relies on a CHECK. What is small and added last (a constant, an index into a table of 256) the
 * guard zones take, so the CHECK is one of what it is added to, the *anchor*. It follows from the address alone, so each
 * access finds the CHECK that was made for it.
 *
 * x + (p + c), where p is a PHI of a loop's header that x does not change in, is (x + p) + c: so accesses of a round have that sum in
 * common, which steps with the loop (ssa_check.c). (Loops that copy have x, how far it is from where to where.)
 */
#include "jit/ssa_address.h"

#include "base/bits.h"
#include "jit/ssa_cells.h"
#include "jit/ssa_fold.h"
#include "jit/ssa_tree.h"

enum { SOFT_MOST = 1 << 30, INDEX_MOST = 1 << 18, DEPTH = 4, SUMS_MOST = 16 };

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

/* ---- Sums in loops ---- */

typedef struct Sum {
	SsaRef base, phi, sum;
} Sum;

typedef struct Sums {
	Sum list[SUMS_MOST];
	u32 count;
} Sums;

/* base + phi, made where the loop's round begins. 0: none. */
static SsaRef sum_of(SsaFunc *func, Sums *sums, SsaRef base, SsaRef phi)
{
	SsaRef sum;

	for (u32 i = 0; i < sums->count; i++)
		if (sums->list[i].base == base && sums->list[i].phi == phi)
			return sums->list[i].sum;
	if (sums->count == SUMS_MOST)
		return 0;
	sum = ssa_node(func, IR_OP_ADD, 64, 0, base, phi, 0, 0);
	if (sum)
		ssa_insert_after_phis(func, func->nodes[phi].block, sum);
	sums->list[sums->count++] = (Sum){base, phi, sum};
	return sum;
}

/* The PHI of a header that `ref` is so much more than, if block b is in that loop and `base` does not change there. */
static SsaRef stepped(const SsaFunc *func, SsaRef ref, SsaRef base, u32 b, u64 *step)
{
	const SsaNode *node = &func->nodes[ref];
	SsaRef phi;

	if (node->op != IR_OP_ADD || !ssa_is_const(func, node->b, step))
		return 0;
	phi = ssa_value(func, node->a);
	node = &func->nodes[phi];
	if (node->op != SSA_PHI || !func->blocks[node->block].header || !ssa_in_loop(func, b, node->block) ||
	    ssa_in_loop(func, func->nodes[base].block, node->block))
		return 0;
	return phi;
}

/* The same address, with the constant last. */
static SsaRef constant_last(SsaFunc *func, Sums *sums, SsaRef address)
{
	SsaRef root = ssa_value(func, address), sum;
	u64 step;

	if (func->nodes[root].op != IR_OP_ADD || func->nodes[root].width != 64)
		return address;
	for (unsigned i = 0; i < 2; i++) {
		SsaRef base = ssa_value(func, i ? func->nodes[root].b : func->nodes[root].a);
		SsaRef phi = stepped(func, ssa_value(func, i ? func->nodes[root].a : func->nodes[root].b), base,
				     func->nodes[root].block, &step);

		if (!phi || func->nodes[base].op == SSA_CONST)
			continue;
		sum = sum_of(func, sums, base, phi);
		if (!sum)
			return address;
		sum = ssa_node(func, IR_OP_ADD, 64, 0, sum, ssa_const(func, 64, step), 0, 0);
		if (sum)
			ssa_insert_before(func, root, sum);
		return sum ? sum : address;
	}
	return address;
}

void ssa_address(SsaFunc *func)
{
	Sums sums = {.count = 0};
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
		if (func->loops && is_hard(func, node)) {
			SsaRef address = constant_last(func, &sums, node->a);

			node = &func->nodes[func->touches[i]]; /* there are more now */
			node->a = address;
		}
		if (node->op == SSA_CHECK) {
			node->a = ssa_anchor(func, node->a, &reach);
			continue;
		}
		node->a = root_of(func, node->a, is_hard(func, node), &offset);
		node->imm = (u64)offset;
	}
}
