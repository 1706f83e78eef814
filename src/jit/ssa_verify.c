/* SPDX-License-Identifier: MIT
 *
 * The invariants of ssa.h, looked at one by one: lists, edges, widths, and that each definition dominates its uses.
 */
#include "jit/ssa.h"

typedef struct Verify {
	const SsaFunc *func;
	Buf *why;
	u32 *place; /* per node: position in its block */
	bool good;
} Verify;

static void fault(Verify *v, u32 block, SsaRef ref, const char *text)
{
	v->good = false;
	if (v->why)
		buf_printf(v->why, "b%u %%%u: %s\n", block, ref, text);
}

static unsigned width_of(const Verify *v, SsaRef ref)
{
	return v->func->nodes[ssa_value(v->func, ref)].width;
}

static void verify_edges(Verify *v, u32 b)
{
	const SsaFunc *func = v->func;
	const SsaBlock *block = &func->blocks[b];

	if (block->entry && block->pred_count)
		fault(v, b, 0, "an entry has a predecessor");
	for (u32 i = 0; i < block->succ_count; i++) {
		const SsaBlock *to = &func->blocks[block->succ[i]];
		bool found = false;

		if (to->dead)
			fault(v, b, 0, "leads to a dead block");
		for (u32 p = 0; p < to->pred_count; p++)
			found = found || to->preds[p] == b;
		if (!found)
			fault(v, b, 0, "is not among the predecessors of its successor");
		if (block->succ_count > 1 && to->pred_count > 1)
			fault(v, b, 0, "critical edge");
	}
	for (u32 p = 0; p < block->pred_count; p++) {
		const SsaBlock *from = &func->blocks[block->preds[p]];
		bool found = false;

		for (u32 i = 0; i < from->succ_count; i++)
			found = found || from->succ[i] == b;
		if (!found)
			fault(v, b, 0, "has a predecessor that does not lead to it");
	}
}

/* Is the value there at the end of block `at` (or before `user` in it)? */
static void verify_use(Verify *v, u32 at, SsaRef user, SsaRef ref)
{
	const SsaFunc *func = v->func;
	const SsaNode *def;

	ref = ssa_value(func, ref);
	if (!ref || ref >= func->node_count) {
		fault(v, at, user, "operand missing");
		return;
	}
	def = &func->nodes[ref];
	if (def->op == SSA_CONST)
		return;
	if (def->block == SSA_NO_BLOCK || func->blocks[def->block].dead)
		fault(v, at, user, "operand is in no block");
	else if (def->block == at ? user && v->place[ref] >= v->place[user] : !ssa_dominates(func, def->block, at))
		fault(v, at, user, "operand does not dominate its use");
	if (!def->width)
		fault(v, at, user, "operand has no value");
}

static void verify_widths(Verify *v, u32 b, SsaRef ref)
{
	const SsaNode *node = &v->func->nodes[ref];
	bool good = true;

	if (node->op < IR_OP_COUNT) {
		unsigned a = width_of(v, node->a);

		switch (ir_op_info[node->op].shape) {
		case IR_SHAPE_BIN: good = a == node->width && width_of(v, node->b) == node->width; break;
		case IR_SHAPE_SHIFT: case IR_SHAPE_UN: good = a == node->width; break;
		case IR_SHAPE_CAT: good = a + width_of(v, node->b) == node->width; break;
		case IR_SHAPE_CMP: case IR_SHAPE_FCMP: good = a == width_of(v, node->b); break;
		case IR_SHAPE_SEL:
			good = a == 1 && width_of(v, node->b) == node->width && width_of(v, node->c) == node->width;
			break;
		case IR_SHAPE_CONV:
			good = node->op == IR_OP_EXTRACT ? node->aux + node->width <= a : node->width >= a;
			break;
		default: break;
		}
	} else if (node->op == SSA_BRANCH || node->op == SSA_GUARD) {
		good = width_of(v, node->a) == 1;
	} else if (node->op == SSA_CANON) {
		good = width_of(v, node->a) == node->width;
	} else if (node->op == SSA_STORE) {
		good = width_of(v, node->b) == node->width;
	} else if (node->op == SSA_PUT) {
		good = width_of(v, node->a) == node->width && node->aux < v->func->slot_count;
	} else if (node->op == SSA_BRING) {
		good = width_of(v, node->a) == node->width && node->aux < v->func->slot_count;
	} else if (node->op == SSA_HOME || node->op == SSA_FETCH) {
		good = node->aux < v->func->slot_count;
	} else if (node->op == SSA_PHI) {
		for (unsigned i = 0; i < ssa_operands(v->func, node); i++)
			good = good && width_of(v, v->func->pool[node->a + i]) == node->width;
	}
	if (!good)
		fault(v, b, ref, "widths do not fit");
}

static void verify_block(Verify *v, u32 b)
{
	const SsaFunc *func = v->func;
	const SsaBlock *block = &func->blocks[b];
	SsaRef before = 0;
	bool phis = true;
	u32 insns = 0;

	if (!block->last || !(ssa_effects(&func->nodes[block->last]) & SSA_END)) {
		fault(v, b, block->last, "has no end");
		return;
	}
	if (func->nodes[block->last].op == SSA_LEAVE ? block->succ_count != 0
	    : block->succ_count != (func->nodes[block->last].op == SSA_BRANCH ? 2u : 1u))
		fault(v, b, block->last, "wrong number of successors");
	for (SsaRef ref = block->first; ref; before = ref, ref = func->nodes[ref].next) {
		const SsaNode *node = &func->nodes[ref];

		if (node->prev != before || node->block != b) {
			fault(v, b, ref, "list is broken");
			return;
		}
		if (node->op == SSA_COPY || node->op == SSA_CONST)
			fault(v, b, ref, "must not be in a list");
		if ((ssa_effects(node) & SSA_END) && ref != block->last)
			fault(v, b, ref, "an end in the middle");
		if (node->op == SSA_PHI && !phis)
			fault(v, b, ref, "PHI behind others");
		phis = phis && node->op == SSA_PHI;
		insns += node->op == SSA_INSN;
		for (unsigned i = 0; i < ssa_operands(func, node); i++)
			if (node->op == SSA_PHI)
				verify_use(v, block->preds[i], 0, func->pool[node->a + i]);
			else
				verify_use(v, b, ref, node->op == SSA_WIDE ? func->pool[node->a + i] : i == 0 ? node->a : i == 1 ? node->b : node->c);
		if (v->good)
			verify_widths(v, b, ref);
	}
	if (insns != block->insns)
		fault(v, b, 0, "wrong number of instructions");
	for (u32 slot = 0; slot < func->slot_count; slot++)
		if (block->state[slot] && func->nodes[ssa_value(func, block->state[slot])].op != SSA_CONST) {
			SsaRef value = ssa_value(func, block->state[slot]);
			const SsaNode *node = &func->nodes[value];

			if (node->op == SSA_HOME && node->aux == slot)
				continue; /* wherever it stands: at home */
			if (node->block != b || !(ssa_effects(node) & SSA_PURE))
				for (u32 p = 0; p < block->pred_count; p++)
					verify_use(v, block->preds[p], 0, value);
		}
}

bool ssa_verify(const SsaFunc *func, Buf *why)
{
	Verify v = {.func = func, .why = why, .good = true};

	if (func->failed)
		return true;
	v.place = ARENA_ARRAY(func->arena, u32, func->node_count);
	if (!v.place)
		return true;
	for (u32 b = 0; b < func->block_count; b++) {
		u32 place = 0;

		for (SsaRef ref = func->blocks[b].first; ref && place <= func->node_count; ref = func->nodes[ref].next)
			v.place[ref] = place++;
	}
	for (u32 b = 0; b < func->block_count; b++)
		if (!func->blocks[b].dead) {
			verify_edges(&v, b);
			verify_block(&v, b);
		}
	return v.good;
}
