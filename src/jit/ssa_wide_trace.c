/* SPDX-License-Identifier: MIT
 *
 * The shortest way round an innermost loop, and what is known of values on it: where they come from, whether they step, what
 * does not change.
 */
#include "base/bits.h"
#include "jit/ssa_tree.h"
#include "jit/ssa_wide_private.h"

/* ---- Values of a trace ---- */

bool wide_inside(const WideTrace *t, SsaRef ref)
{
	const SsaNode *node = &t->func->nodes[ssa_value(t->func, ref)];

	return node->op != SSA_CONST && node->block != SSA_NO_BLOCK && ssa_in_loop(t->func, node->block, t->header);
}

const WidePhi *wide_phi(const WideTrace *t, SsaRef ref)
{
	for (u32 i = 0; i < t->phi_count; i++)
		if (t->phis[i].ref == ref)
			return &t->phis[i];
	return NULL;
}

/* What a PHI in the middle of the trace is on it; 0: it is not on it. */
static SsaRef on_trace(const WideTrace *t, const SsaNode *phi)
{
	const SsaBlock *block = &t->func->blocks[phi->block];

	for (u32 i = 1; i < t->block_count; i++)
		for (u32 p = 0; t->blocks[i] == phi->block && p < block->pred_count; p++)
			if (block->preds[p] == t->blocks[i - 1])
				return t->func->pool[phi->a + p];
	return 0;
}

static SsaRef fetched(const WideTrace *t, SsaRef ref)
{
	for (u32 i = 0; i < t->fetch_count; i++)
		if (t->fetches[i].ref == ref)
			return t->fetches[i].value;
	return ref;
}

SsaRef wide_resolve(const WideTrace *t, SsaRef ref, u32 *copy)
{
	for (;;) {
		const SsaNode *node;
		const WidePhi *phi;
		SsaRef next;

		ref = ssa_value(t->func, ref);
		node = &t->func->nodes[ref];
		if ((node->op != SSA_PHI && node->op != SSA_FETCH) || !wide_inside(t, ref))
			return ref;
		phi = wide_phi(t, ref);
		if (phi) {
			if (!*copy)
				return ref;
			--*copy;
			ref = phi->back;
			continue;
		}
		next = node->op == SSA_FETCH ? fetched(t, ref) : on_trace(t, node);
		if (!next || next == ref)
			return ref;
		ref = next;
	}
}

static bool linear(const WideTrace *t, SsaRef ref, u32 copy, unsigned depth, WideLinear *out)
{
	const SsaNode *node;
	const WidePhi *phi;
	WideLinear b;
	u64 count;

	ref = ssa_value(t->func, ref);
	node = &t->func->nodes[ref];
	*out = (WideLinear){0};
	if (!depth)
		return false;
	if (ssa_is_const(t->func, ref, &out->off))
		return true;
	if (!wide_inside(t, ref)) {
		out->base = ref;
		return true;
	}
	switch (node->op) {
	case SSA_PHI: case SSA_FETCH:
		phi = wide_phi(t, ref);
		if (!phi) {
			SsaRef next = node->op == SSA_FETCH ? fetched(t, ref) : on_trace(t, node);

			return next && next != ref && linear(t, next, copy, depth - 1, out);
		}
		if (copy && !phi->steps)
			return linear(t, phi->back, copy - 1, depth - 1, out);
		if (phi->like) {
			out->twin = ref;
			out->phi = phi->like;
			out->off = phi->off;
			return true;
		}
		out->phi = ref;
		out->off = bits_trunc(copy * phi->step, node->width);
		return true;
	case IR_OP_ADD:
		if (!linear(t, node->a, copy, depth - 1, out) || !linear(t, node->b, copy, depth - 1, &b) || (out->phi && b.phi) ||
		    (out->base && b.base))
			return false;
		out->shift = out->phi ? out->shift : b.shift;
		out->twin = out->phi ? out->twin : b.twin;
		out->phi = out->phi ? out->phi : b.phi;
		out->base = out->base ? out->base : b.base;
		out->off = bits_trunc(out->off + b.off, node->width);
		return true;
	case IR_OP_SHL:
		if (!ssa_is_const(t->func, node->b, &count) || count > 4 || !linear(t, node->a, copy, depth - 1, out) || out->base)
			return false;
		out->shift += (unsigned)count;
		out->off = bits_trunc(out->off << count, node->width);
		return true;
	default:
		return false;
	}
}

bool wide_float(const SsaFunc *func, const SsaNode *node)
{
	return node->op >= IR_OP_FADD && node->op <= IR_OP_FDIV && node->width == 64 &&
	       node->aux == (func->flags_slot ? SSA_FLOAT_RAISES : 0);
}

bool wide_linear(const WideTrace *t, SsaRef ref, u32 copy, WideLinear *out)
{
	return linear(t, ref, copy, WIDE_DEPTH, out);
}

/* ---- What does not change ---- */

static SsaRef ahead_node(WideTrace *t, const SsaNode *like, SsaRef a, SsaRef b, SsaRef c)
{
	SsaFunc *func = t->func;
	SsaRef ref;

	for (u32 i = 0; i < t->moved_count; i++) {
		const SsaNode *node = &func->nodes[t->moved[i]];

		if (node->op == like->op && node->width == like->width && node->aux == like->aux && node->a == a && node->b == b &&
		    node->c == c)
			return t->moved[i];
	}
	if (t->moved_count == WIDE_MOVED_MOST)
		return 0;
	ref = ssa_node(func, like->op, like->width, like->aux, a, b, c, 0);
	if (!ref)
		return 0;
	ssa_insert_before(func, func->blocks[t->ahead].last, ref);
	t->moved[t->moved_count++] = ref;
	return ref;
}

SsaRef wide_move(WideTrace *t, SsaRef ref, u32 copy)
{
	SsaNode node = t->func->nodes[ref];
	SsaRef parts[3] = {0, 0, 0}, moved;

	if (!wide_inside(t, ref) || node.op >= IR_OP_COUNT || !(ssa_effects(&node) & SSA_PURE))
		return ref;
	for (unsigned i = 0; i < ssa_operands(t->func, &node); i++) {
		u32 at = copy;

		parts[i] = wide_resolve(t, i == 0 ? node.a : i == 1 ? node.b : node.c, &at);
		if (wide_inside(t, parts[i]))
			return ref;
	}
	moved = ahead_node(t, &node, parts[0], parts[1], parts[2]);
	return moved ? moved : ref;
}

/* ---- Traces ---- */

static void find_ways(const SsaFunc *func, u32 header, WideWays *ways)
{
	u32 first = 0, count = 0, *way = ways->way, *queue = ways->queue;

	while (ways->count)
		way[queue[--ways->count]] = 0;

	queue[count++] = header;
	while (first < count) {
		u32 b = queue[first++];
		const SsaBlock *block = &func->blocks[b];

		for (u32 p = 0; p < block->pred_count; p++) {
			u32 pred = block->preds[p];

			if (pred == header || pred >= ways->blocks || way[pred] || func->blocks[pred].loop != header)
				continue;
			way[pred] = way[b] + 1;
			queue[count++] = pred;
		}
	}
	ways->count = count;
}

static bool take_node(WideTrace *t, SsaRef ref)
{
	const SsaNode *node = &t->func->nodes[ref];
	u32 at = 0;

	t->length++;
	switch (node->op) {
	case SSA_LOAD: case SSA_STORE:
		if (t->access_count == WIDE_ACCESSES_MOST || node->width != 64 || node->aux > 63 ||
		    !(t->func->hard_spaces >> node->aux & 1) ||
		    (t->access_count && t->func->nodes[t->accesses[0]].aux != node->aux))
			return false;
		t->positions[t->access_count] = t->length;
		t->accesses[t->access_count++] = ref;
		return true;
	case SSA_FETCH:
		if (t->fetch_count == WIDE_FETCHES_MOST)
			return false;
		while (at < t->bring_count && t->brings[at].slot != node->aux)
			at++;
		t->fetches[t->fetch_count].ref = ref;
		t->fetches[t->fetch_count++].value = at < t->bring_count ? t->brings[at].value : 0;
		return at == t->bring_count || t->func->nodes[ssa_value(t->func, t->brings[at].value)].width == node->width;
	case SSA_BRING:
		while (at < t->bring_count && t->brings[at].slot != node->aux)
			at++;
		if (at == WIDE_BRINGS_MOST)
			return false;
		t->brings[at].slot = node->aux;
		t->brings[at].value = node->a;
		t->bring_count += at == t->bring_count;
		return true;
	case SSA_INSN:
		return ++t->insns <= WIDE_INSNS_MOST;
	case SSA_PUT: case SSA_CHECK: case SSA_JUMP: case SSA_BRANCH: case SSA_PHI:
		return true;
	default:
		t->floats |= wide_float(t->func, node);
		return node->op < IR_OP_COUNT && (ssa_effects(node) & SSA_PURE || wide_float(t->func, node));
	}
}

/* What is fetched before anything was brought there comes from ahead of the loop, or from the round before. */
static bool take_homes(WideTrace *t)
{
	SsaFunc *func = t->func;

	for (u32 i = 0; i < t->fetch_count; i++) {
		SsaNode node = func->nodes[t->fetches[i].ref];
		u32 at = 0;
		SsaRef before;

		if (t->fetches[i].value)
			continue;
		before = ahead_node(t, &node, 0, 0, 0);
		if (!before)
			return false;
		while (at < t->bring_count && t->brings[at].slot != node.aux)
			at++;
		t->fetches[i].value = before;
		if (at == t->bring_count)
			continue;
		for (u32 k = 0; k < t->phi_count && t->fetches[i].value == before; k++)
			if (t->phis[k].home && func->nodes[t->phis[k].ref].aux == node.aux)
				t->fetches[i].value = t->phis[k].ref;
		if (t->fetches[i].value != before)
			continue;
		if (t->phi_count == WIDE_PHIS_MOST || func->nodes[ssa_value(func, t->brings[at].value)].width != node.width)
			return false;
		t->fetches[i].value = t->fetches[i].ref;
		t->phis[t->phi_count++] = (WidePhi){.ref = t->fetches[i].ref, .init = before, .home = true,
			.back = ssa_value(func, t->brings[at].value)};
	}
	return true;
}

static bool take_phis(WideTrace *t)
{
	const SsaFunc *func = t->func;
	const SsaBlock *header = &func->blocks[t->header];
	u32 in = header->pred_count, back = header->pred_count;

	for (u32 p = 0; p < header->pred_count; p++) {
		in = header->preds[p] == t->ahead ? p : in;
		back = header->preds[p] == t->latch ? p : back;
	}
	if (in == header->pred_count || back == header->pred_count)
		return false;
	for (SsaRef ref = header->first; func->nodes[ref].op == SSA_PHI; ref = func->nodes[ref].next) {
		if (t->phi_count == WIDE_PHIS_MOST)
			return false;
		t->phis[t->phi_count++] = (WidePhi){.ref = ref, .init = ssa_value(func, func->pool[func->nodes[ref].a + in]),
			.back = ssa_value(func, func->pool[func->nodes[ref].a + back])};
	}
	if (!take_homes(t))
		return false;
	for (u32 i = 0; i < t->phi_count; i++) {
		WidePhi *phi = &t->phis[i];
		WideLinear at;

		if (!wide_linear(t, phi->back, 0, &at) || at.phi != phi->ref || at.base || at.shift)
			continue;
		phi->steps = true;
		phi->step = (u64)bits_signed(at.off, func->nodes[phi->ref].width);
	}
	for (u32 i = 0; i < t->phi_count; i++) {
		WidePhi *phi = &t->phis[i];
		const WidePhi *like;
		WideLinear at;

		if (phi->steps || phi->home || !wide_linear(t, phi->back, 0, &at) || !at.phi || at.twin || at.base || at.shift)
			continue;
		like = wide_phi(t, at.phi);
		if (!like || !like->steps || like->home || func->nodes[like->ref].width != func->nodes[phi->ref].width)
			continue;
		phi->like = like->ref;
		phi->off = bits_trunc(at.off - like->step, func->nodes[phi->ref].width);
	}
	return true;
}

bool wide_trace(WideTrace *t, SsaFunc *func, u32 header, WideWays *ways)
{
	const u32 *way = ways->way;
	u32 at = header;

	*t = (WideTrace){.func = func, .header = header, .ahead = func->blocks[header].before};
	find_ways(func, header, ways);
	do {
		const SsaBlock *block = &func->blocks[at];
		u32 best = SSA_NO_BLOCK;

		if (t->block_count == WIDE_BLOCKS_MOST || (block->header && at != header))
			return false;
		t->blocks[t->block_count++] = at;
		for (SsaRef ref = block->first; ref; ref = func->nodes[ref].next)
			if (!take_node(t, ref))
				return false;
		for (u32 k = 0; k < block->succ_count; k++) {
			u32 to = block->succ[k];

			if (to == header || (to < ways->blocks && func->blocks[to].loop == header && way[to] &&
					     (best == SSA_NO_BLOCK || (best != header && way[to] < way[best]))))
				best = to;
		}
		if (best == SSA_NO_BLOCK)
			return false;
		if (block->succ_count == 2) {
			if (t->branch_count == WIDE_BRANCHES_MOST)
				return false;
			t->branches[t->branch_count++] = (WideBranch){.ref = block->last, .stay = block->succ[0] == best, .position = t->length};
		}
		t->latch = at;
		at = best;
	} while (at != header);
	return t->access_count && t->branch_count && take_phis(t);
}
