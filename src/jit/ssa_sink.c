/* SPDX-License-Identifier: MIT
 *
 * PHIs that only ways out want, of values that are made alike: what they are made of goes round instead, which it often does
 * anyway, and the ways out do the rest (ssa_lazy.c).
 *
 *     %1 = phi [%5, %9]    %5 = shr %3, 2         %2 = phi [%3, %7]     for somebody else
 *     %2 = phi [%3, %7]    %9 = shr %7, 2         %1 = shr %2, 2        lazy, and %5 and %9, too
 *
 * A loop's first round makes them as others do where it is there twice (region.c). Where there is no PHI of what they are
 * made of, there is one more, in the place of theirs: one at most.
 */
#include <string.h>

#include "jit/ssa_fold.h"

enum { LIST_MOST = 256 };

typedef struct Sink {
	SsaFunc *func;
	SsaNeeds needs;
	bool sure;      /* an argument is spared if nothing else uses it; else, if it is idle (which is known when others are kept) */
	SsaRef *list;   /* PHIs to be looked at */
	u32 list_count;
} Sink;

/* Only ways out want it. */
static bool is_idle(const Sink *s, SsaRef ref)
{
	return (s->needs.needed[ref] & SSA_FIRM) == SSA_NEEDED;
}

static SsaRef arg_of(const SsaFunc *func, const SsaNode *phi, u32 k)
{
	return ssa_value(func, func->pool[phi->a + k]);
}

/* The operation that all arguments are, but those that are the PHI itself; 0: they are not. */
static SsaRef find_shape(const Sink *s, SsaRef phi, const SsaBlock *block)
{
	const SsaFunc *func = s->func;
	const SsaNode *node = &func->nodes[phi], *shape = NULL;
	SsaRef found = 0;

	for (u32 k = 0; k < block->pred_count; k++) {
		SsaRef arg = arg_of(func, node, k);
		const SsaNode *is = &func->nodes[arg];

		if (arg == phi)
			continue;
		if (!ssa_may_make(func, arg) || is->width != node->width)
			return 0;
		if (shape && (is->op != shape->op || is->aux != shape->aux || is->imm != shape->imm))
			return 0;
		found = found ? found : arg;
		shape = &func->nodes[found];
	}
	return found;
}

/* Is some argument there for ways out alone? */
static bool spares_one(const Sink *s, SsaRef phi, const SsaBlock *block)
{
	for (u32 k = 0; k < block->pred_count; k++) {
		SsaRef arg = arg_of(s->func, &s->func->nodes[phi], k);

		if (arg != phi && (s->sure ? s->func->nodes[arg].uses == 1 : is_idle(s, arg)))
			return true;
	}
	return false;
}

/* Operand k of what predecessor i brings. 0: that brings the PHI itself. */
static SsaRef operand_of(const SsaFunc *func, SsaRef phi, u32 i, unsigned k)
{
	SsaRef arg = arg_of(func, &func->nodes[phi], i);

	return arg == phi ? 0 : ssa_value(func, func->nodes[arg].operands[k]);
}

/* A PHI there with just these arguments. */
static SsaRef find_phi(const SsaFunc *func, const SsaBlock *block, SsaRef phi, unsigned k)
{
	for (SsaRef ref = block->first; ref && func->nodes[ref].op == SSA_PHI; ref = func->nodes[ref].next) {
		u32 i = 0;

		for (; i < block->pred_count; i++) {
			SsaRef wanted = operand_of(func, phi, i, k), arg = arg_of(func, &func->nodes[ref], i);

			if (arg != (wanted ? wanted : ref))
				break;
		}
		if (i == block->pred_count && ref != phi)
			return ref;
	}
	return 0;
}

/* The one value that operand k is on all ways, if it is there in front of the block. */
static SsaRef find_same(const SsaFunc *func, const SsaBlock *block, SsaRef phi, unsigned k)
{
	u32 b = func->nodes[phi].block, block_of;
	SsaRef same = 0;

	for (u32 i = 0; i < block->pred_count; i++) {
		SsaRef operand = operand_of(func, phi, i, k);

		if (operand && same && operand != same)
			return 0;
		same = operand ? operand : same;
	}
	if (func->nodes[same].op == SSA_CONST)
		return same;
	block_of = func->nodes[same].block;
	return block_of != SSA_NO_BLOCK && block_of != b && ssa_dominates(func, block_of, b) ? same : 0;
}

static bool same_widths(const SsaFunc *func, const SsaBlock *block, SsaRef phi, SsaRef shape, unsigned k)
{
	unsigned width = ssa_width(func, func->nodes[shape].operands[k]);

	for (u32 i = 0; i < block->pred_count; i++) {
		SsaRef arg = arg_of(func, &func->nodes[phi], i);

		if (arg != phi && ssa_width(func, func->nodes[arg].operands[k]) != width)
			return false;
	}
	return true;
}

/* Is it made of itself? */
static bool steps_on(const SsaFunc *func, const SsaBlock *block, SsaRef phi, unsigned k)
{
	for (u32 i = 0; i < block->pred_count; i++)
		if (operand_of(func, phi, i, k) == phi)
			return true;
	return false;
}

static SsaRef new_phi(Sink *s, SsaRef phi, unsigned width, unsigned k)
{
	SsaFunc *func = s->func;
	u32 b = func->nodes[phi].block;
	SsaRef ref = ssa_phi(func, b, width, SSA_NO_SLOT);

	for (u32 i = 0; i < func->blocks[b].pred_count && ref; i++) {
		SsaRef operand = operand_of(func, phi, i, k);

		func->pool[func->nodes[ref].a + i] = operand ? operand : ref;
	}
	if (ref && s->list_count < LIST_MOST)
		s->list[s->list_count++] = ref;
	return ref;
}

/* Is operand k a constant, another on each way? */
static bool is_number(const SsaFunc *func, SsaRef phi, const SsaBlock *block, unsigned k)
{
	for (u32 i = 0; i < block->pred_count; i++) {
		SsaRef operand = operand_of(func, phi, i, k);

		if (operand && func->nodes[operand].op != SSA_CONST)
			return false;
	}
	return true;
}

/* What it becomes: `operands` of the operation of `shape`; `missing` of them is a new PHI's, if it is below 3. */
typedef struct Sunk {
	SsaRef shape, operands[3];
	unsigned missing;
} Sunk;

static bool may_sink(const Sink *s, SsaRef phi, Sunk *sunk)
{
	const SsaFunc *func = s->func;
	const SsaBlock *block = &func->blocks[func->nodes[phi].block];
	bool varies = false;

	*sunk = (Sunk){.shape = find_shape(s, phi, block), .missing = 3};
	if (!sunk->shape)
		return false;
	for (unsigned k = 0; k < ssa_op_info[func->nodes[sunk->shape].op].operands; k++) {
		if (!same_widths(func, block, phi, sunk->shape, k) || steps_on(func, block, phi, k))
			return false;
		sunk->operands[k] = find_same(func, block, phi, k);
		if (sunk->operands[k])
			continue;
		sunk->operands[k] = find_phi(func, block, phi, k);
		if (!sunk->operands[k] && sunk->missing != 3)
			return false;
		if (!sunk->operands[k])
			sunk->missing = k;
		else
			varies = true;
	}
	return sunk->missing == 3 || (!varies && !is_number(func, phi, block, sunk->missing) && spares_one(s, phi, block));
}

/* By all but PUTs. */
static void count_uses(SsaFunc *func)
{
	for (u32 i = 1; i < func->node_count; i++)
		func->nodes[i].uses = 0;
	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref; ref = func->nodes[ref].next) {
			SsaNode *node = &func->nodes[ref];

			for (unsigned k = node->op == SSA_PUT || node->op == SSA_INSN ? 0 : ssa_operands(func, node); k-- > 0;)
				func->nodes[ssa_value(func, *ssa_operand(func, node, k))].uses++;
		}
}

static void sink(Sink *s, SsaRef phi)
{
	SsaFunc *func = s->func;
	const SsaNode *shape;
	Sunk sunk;
	SsaRef by;

	if (!may_sink(s, phi, &sunk))
		return;
	if (sunk.missing != 3)
		sunk.operands[sunk.missing] =
			new_phi(s, phi, ssa_width(func, func->nodes[sunk.shape].operands[sunk.missing]), sunk.missing);
	shape = &func->nodes[sunk.shape];
	by = ssa_node(func, shape->op, shape->width, shape->aux, sunk.operands[0], sunk.operands[1], sunk.operands[2], shape->imm);
	if (!by || func->failed)
		return;
	ssa_need(func, &s->needs, by, SSA_NEEDED);
	ssa_insert_after_phis(func, func->nodes[phi].block, by);
	ssa_replace(func, phi, by);
}

/* What is named where the guest's registers are brought home is computed, unless that is behind the loop. */
static void need_leaves(Sink *s)
{
	SsaFunc *func = s->func;

	for (u32 i = 0; i < func->rpo_count; i++) {
		const SsaNode *node = &func->nodes[func->blocks[func->rpo[i]].last];
		const SsaSnap *snap = &func->snaps[node->snap];

		if (!ssa_is_hot_leave(node))
			continue;
		for (u32 k = 0; k < snap->count; k++) {
			SsaRef value = ssa_value(func, func->entries[snap->first + k].ref);

			if (!ssa_is_behind(func, node, value))
				ssa_need(func, &s->needs, value, SSA_FIRM);
		}
	}
}

/* Of all PHIs: those that only ways out want. */
static void list_phis(Sink *s)
{
	SsaFunc *func = s->func;

	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref && func->nodes[ref].op == SSA_PHI; ref = func->nodes[ref].next)
			if (is_idle(s, ref) && s->list_count < LIST_MOST)
				s->list[s->list_count++] = ref;
}

static void sink_all(Sink *s)
{
	for (u32 k = 0; k < s->list_count && !s->func->failed; k++)
		if (is_idle(s, s->list[k]))
			sink(s, s->list[k]);
}

/* Those that stay want their arguments. */
static void keep_others(Sink *s)
{
	u32 kept = 0;
	Sunk sunk;

	for (u32 k = 0; k < s->list_count; k++) {
		SsaRef phi = s->list[k];

		if (s->func->nodes[phi].op != SSA_PHI)
			continue;
		if (is_idle(s, phi) && may_sink(s, phi, &sunk))
			s->list[kept++] = phi;
		else
			ssa_need(s->func, &s->needs, phi, SSA_FIRM);
	}
	s->list_count = kept;
}

void ssa_sink(SsaFunc *func)
{
	Sink s = {.func = func, .sure = true};
	u32 room = func->node_count + 4 * LIST_MOST, listed;

	if (func->failed || !func->snap_count || !ssa_has_made(func, SSA_PHI))
		return;
	s.needs.needed = ARENA_ARRAY(func->arena, u8, room);
	s.needs.work = ARENA_ROOM(func->arena, SsaRef, room);
	s.list = ARENA_ROOM(func->arena, SsaRef, LIST_MOST);
	if (!s.needs.needed || !s.needs.work || !s.list) {
		func->failed = true;
		return;
	}
	memcpy(s.needs.needed, func->needed, func->node_count);
	func->needed = s.needs.needed;
	need_leaves(&s);
	list_phis(&s);
	if (!s.list_count)
		return;
	count_uses(func);
	sink_all(&s);
	s.sure = false;
	do {
		listed = s.list_count;
		keep_others(&s);
	} while (s.list_count < listed);
	sink_all(&s);
}
