/* SPDX-License-Identifier: MIT
 *
 * Loops over numbers of 64 bits that lie one behind the other, done four numbers at a time. In front of a loop comes
 *
 *     ahead:  how often may one go round?  are what is loaded and what is stored apart?
 *        |
 *     wide:   WIDE: times it went round (ssa_wide.h)
 *        |
 *     behind: each slot and each PHI of the loop as it is after so many rounds
 *        |
 *     join -> the loop, as it was: it does what is left
 *
 * What is done wide is a trace, the shortest way round an innermost loop. Branches of it that compare what steps with
 * what does not say how often one may go round; those that test what was loaded for equality are tested on vectors; where any
 * would leave the trace, WIDE ends and the loop does it. So no state is kept while WIDE runs, and nothing need
 * be known of what lies beside the trace.
 *
 * Only in hard spaces: there a load or store that is not plain ends WIDE for nothing.
 */
#include <string.h>

#include "base/bits.h"
#include "jit/ssa_tree.h"
#include "jit/ssa_wide_private.h"

enum { LOOPS_MOST = 8, LEAST = 2 };

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

/* Per block. */
typedef struct Ways {
	u32 *way;    /* how many blocks it is from there to the header; 0: it does not come there */
	u32 *queue;  /* blocks that have one */
	u32 count, blocks;
} Ways;

static void find_ways(const SsaFunc *func, u32 header, Ways *ways)
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

static bool find_trace(WideTrace *t, SsaFunc *func, u32 header, Ways *ways)
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

/* ---- How often ---- */

typedef struct Maker {
	SsaFunc *func;
	SsaRef at; /* what is made stands before it */
} Maker;

static SsaRef make(Maker *m, unsigned op, unsigned width, SsaRef a, SsaRef b, SsaRef c)
{
	SsaRef ref = ssa_node(m->func, op, width, 0, a, b, c, 0);

	if (ref)
		ssa_insert_before(m->func, m->at, ref);
	return ref;
}

static SsaRef plus(Maker *m, SsaRef a, u64 add)
{
	unsigned width = m->func->nodes[ssa_value(m->func, a)].width;

	return bits_trunc(add, width) ? make(m, IR_OP_ADD, width, a, ssa_const(m->func, width, add), 0) : a;
}

typedef struct Bound {
	WideLinear steps; /* what is compared in copy 0 */
	SsaRef end;
	unsigned less;    /* LTU, LTS: it is to stay on its side; 0: it must not be equal */
	i64 step, ahead;  /* of a round; how far it is ahead of its PHI, in that direction */
} Bound;

/* Does this branch compare what steps with what does not? The trace goes on while it has not come to the end. */
static bool find_bound(const WideTrace *t, const WideBranch *branch, Bound *out)
{
	const SsaFunc *func = t->func;
	const SsaNode *node = &func->nodes[branch->ref];
	u32 copy = 0;
	const WidePhi *phi;
	WideLinear a, b;
	unsigned width;
	bool below;

	node = &func->nodes[wide_resolve(t, node->a, &copy)];
	if (node->op < IR_OP_EQ || node->op > IR_OP_LEU || !wide_linear(t, node->a, 0, &a) || !wide_linear(t, node->b, 0, &b) ||
	    !a.phi == !b.phi)
		return false;
	*out = (Bound){.steps = a.phi ? a : b, .end = ssa_value(func, a.phi ? node->b : node->a)};
	if (wide_inside(t, out->end) || out->steps.shift || out->steps.twin)
		return false;
	phi = wide_phi(t, out->steps.phi);
	if (!phi || !phi->steps)
		return false;
	width = func->nodes[phi->ref].width;
	out->step = (i64)phi->step;
	out->ahead = bits_signed(out->steps.off, width);
	out->ahead = out->step < 0 ? -out->ahead : out->ahead;
	if (!out->step || out->step > WIDE_FAR || out->step < -WIDE_FAR || out->ahead < 0 ||
	    out->ahead > (out->step < 0 ? -out->step : out->step))
		return false;
	if (node->op == IR_OP_EQ || node->op == IR_OP_NE)
		return (node->op == IR_OP_NE) == branch->stay;
	below = (a.phi != 0) == branch->stay;
	out->less = node->op == IR_OP_LTS || node->op == IR_OP_LES ? IR_OP_LTS : IR_OP_LTU;
	return below == (out->step > 0);
}

/* Times that one may go round, each `copies` rounds, until this one stops it. */
static SsaRef count_times(Maker *m, const WideTrace *t, const Bound *bound, u32 copies)
{
	SsaFunc *func = m->func;
	const WidePhi *phi = wide_phi(t, bound->steps.phi);
	u64 round = (u64)(bound->step < 0 ? -bound->step : bound->step), all = round * copies;
	unsigned width = func->nodes[phi->ref].width, log = 0;
	SsaRef start = phi->init, left, times;

	while ((u64)1 << log < all)
		log++;
	if (bound->steps.base)
		start = make(m, IR_OP_ADD, width, start, bound->steps.base, 0);
	left = bound->step > 0 ? make(m, IR_OP_SUB, width, bound->end, start, 0) : make(m, IR_OP_SUB, width, start, bound->end, 0);
	if ((u64)bound->ahead == round)
		left = plus(m, left, ~(u64)0);
	times = log ? make(m, IR_OP_SHR, width, left, ssa_const(func, 8, log), 0) : left;
	if (bound->less) {
		SsaRef right = bound->step > 0 ? make(m, bound->less, 1, start, bound->end, 0)
			: make(m, bound->less, 1, bound->end, start, 0);

		times = make(m, IR_OP_SEL, width, right, times, ssa_const(func, width, 0));
	}
	return width < 64 ? make(m, IR_OP_ZX, 64, times, 0, 0) : times;
}

static bool is_power(u64 value)
{
	return value && !(value & (value - 1));
}

/* ---- What is so afterwards ---- */

typedef struct After {
	WideTrace *t;
	WidePlan *plan;
	Maker maker;       /* func NULL: it is only asked whether it can be made */
	SsaRef wide, times;
	u32 made;
} After;

/* The PHI as the round after the last one finds it. */
static SsaRef stepped(After *a, const WidePhi *phi)
{
	SsaFunc *func = a->t->func;
	unsigned width = func->nodes[phi->ref].width, log = 0;
	u64 all = phi->step * a->plan->copies, size;
	bool down = (i64)all < 0;
	SsaRef times = a->times;

	size = down ? 0 - all : all;
	if (width < 64)
		times = make(&a->maker, IR_OP_EXTRACT, width, times, 0, 0);
	if (is_power(size)) {
		while ((u64)1 << log < size)
			log++;
		times = log ? make(&a->maker, IR_OP_SHL, width, times, ssa_const(func, 8, log), 0) : times;
	} else {
		times = make(&a->maker, IR_OP_MUL, width, times, ssa_const(func, width, size), 0);
	}
	return make(&a->maker, down ? IR_OP_SUB : IR_OP_ADD, width, phi->init, times, 0);
}

/* What a value was in that copy of the last time round. 0: it can't be said. */
static SsaRef last_value(After *a, SsaRef ref, u32 copy, unsigned depth)
{
	SsaFunc *func = a->t->func;
	SsaNode node;
	SsaRef parts[3] = {0, 0, 0};
	unsigned count;
	WideLinear at;
	u32 lane;

	if (!depth || ++a->made > 200)
		return 0;
	if (wide_linear(a->t, ref, copy, &at) && at.phi && !at.twin) {
		const WidePhi *phi = wide_phi(a->t, at.phi);
		unsigned width = func->nodes[ssa_value(func, ref)].width;
		SsaRef value;

		if (phi && phi->steps && func->nodes[at.phi].width == width) {
			if (!a->maker.func)
				return ref;
			value = stepped(a, phi);
			value = plus(&a->maker, value, 0 - phi->step * a->plan->copies);
			if (at.shift)
				value = make(&a->maker, IR_OP_SHL, width, value, ssa_const(func, 8, at.shift), 0);
			if (at.base)
				value = make(&a->maker, IR_OP_ADD, width, value, at.base, 0);
			return plus(&a->maker, value, at.off);
		}
	}
	ref = wide_resolve(a->t, ref, &copy);
	node = func->nodes[ref];
	if (!wide_inside(a->t, ref))
		return ref;
	if (node.op == SSA_LOAD) {
		const WidePack *pack = wide_output(a->plan, ref, copy, &lane);

		if (!pack || !a->maker.func)
			return pack ? ref : 0;
		ref = ssa_node(func, SSA_LANE, 64, lane, a->wide, 0, 0, pack->value);
		if (ref)
			ssa_insert_before(func, a->maker.at, ref);
		return ref;
	}
	if (node.op >= IR_OP_COUNT || !(ssa_effects(&node) & SSA_PURE || wide_float(func, &node)))
		return 0; /* floats raise once more what they have raised */
	count = ssa_operands(func, &node);
	for (unsigned i = 0; i < count; i++) {
		parts[i] = last_value(a, i == 0 ? node.a : i == 1 ? node.b : node.c, copy, depth - 1);
		if (!parts[i])
			return 0;
	}
	if (!a->maker.func)
		return ref;
	ref = ssa_node(func, node.op, node.width, node.aux, parts[0], parts[1], parts[2], node.imm);
	if (ref)
		ssa_insert_before(func, a->maker.at, ref);
	return ref;
}

static SsaRef after_phi(After *a, const WidePhi *phi)
{
	if (phi->steps)
		return a->maker.func ? stepped(a, phi) : phi->ref;
	return last_value(a, phi->back, a->plan->copies - 1, WIDE_DEPTH);
}

static bool can_go_on(After *a)
{
	for (u32 i = 0; i < a->t->phi_count; i++)
		if (!a->t->phis[i].home && !after_phi(a, &a->t->phis[i]))
			return false;
	for (u32 i = 0; i < a->t->bring_count; i++)
		if (!last_value(a, a->t->brings[i].value, a->plan->copies - 1, WIDE_DEPTH))
			return false;
	return true;
}

/* ---- The new blocks ---- */

static u32 new_block(SsaFunc *func, const WideTrace *t)
{
	u32 b = ssa_block(func, func->blocks[t->header].pc);
	const SsaBlock *ahead = &func->blocks[t->ahead];

	if (func->failed)
		return 0;
	func->blocks[b].ahead = true;
	func->blocks[b].before = SSA_NO_BLOCK;
	func->blocks[b].loop = ahead->loop;
	func->blocks[b].depth = ahead->depth;
	memcpy(func->blocks[b].state, ahead->state, func->slot_count * sizeof(SsaRef));
	return b;
}

static SsaRef add_end(SsaFunc *func, u32 block, unsigned op, SsaRef a)
{
	SsaRef ref = ssa_node(func, op, 0, 0, a, 0, 0, 0);

	ssa_append(func, block, ref);
	return ref;
}

static SsaRef widened(Maker *m, SsaRef ref)
{
	unsigned width = m->func->nodes[ssa_value(m->func, ref)].width;

	return width < 64 ? make(m, IR_OP_ZX, 64, ref, 0, 0) : ref;
}

static SsaRef pointer_start(Maker *m, const WideTrace *t, const WidePointer *pointer)
{
	SsaRef value = wide_phi(t, pointer->phi)->init;

	if (pointer->shift)
		value = make(m, IR_OP_SHL, 64, value, ssa_const(m->func, 8, pointer->shift), 0);
	if (pointer->base)
		value = make(m, IR_OP_ADD, 64, value, pointer->base, 0);
	if (pointer->skew)
		value = make(m, IR_OP_ADD, 64, value, make(m, IR_OP_SHR, 64, widened(m, pointer->skew), ssa_const(m->func, 8, 3), 0), 0);
	return value;
}

/* Are these whole bytes, and a word together? */
static SsaRef make_merge(Maker *m, const WideMerge *merge)
{
	SsaFunc *func = m->func;
	SsaRef right = widened(m, merge->right), all;

	all = make(m, IR_OP_EQ, 1, make(m, IR_OP_SUB, 64, ssa_const(func, 64, 64), right, 0), widened(m, merge->left), 0);
	all = make(m, IR_OP_AND, 1, all, make(m, IR_OP_EQ, 1, make(m, IR_OP_AND, 64, right, ssa_const(func, 64, 7), 0),
		ssa_const(func, 64, 0), 0), 0);
	return make(m, IR_OP_AND, 1, all, make(m, IR_OP_LEU, 1, right, ssa_const(func, 64, 64), 0), 0);
}

/* Whether to try at all: 0 if nothing speaks against it. */
static SsaRef make_question(Maker *m, const WideTrace *t, const WidePlan *plan, const SsaRef *pointers, SsaRef times)
{
	SsaFunc *func = m->func;
	SsaRef all = times ? make(m, IR_OP_LEU, 1, ssa_const(func, 64, LEAST), times, 0) : 0;

	for (u32 i = 0; i < plan->apart_count; i++) {
		const WideApart *apart = &plan->aparts[i];
		SsaRef far = make(m, IR_OP_SUB, 64, pointers[apart->b], pointers[apart->a], 0);

		far = plus(m, far, 0 - (u64)(apart->low + 1));
		far = make(m, IR_OP_LEU, 1, ssa_const(func, 64, (u64)(apart->high - apart->low - 1)), far, 0);
		all = all ? make(m, IR_OP_AND, 1, all, far, 0) : far;
	}
	for (u32 i = 0; i < plan->merge_count; i++) {
		SsaRef fits = make_merge(m, &plan->merges[i]);

		all = all ? make(m, IR_OP_AND, 1, all, fits, 0) : fits;
	}
	for (u32 i = 0; i < t->phi_count; i++) {
		const WidePhi *phi = &t->phis[i];
		SsaRef same;

		if (!phi->asked)
			continue;
		same = make(m, IR_OP_EQ, 1, phi->init, plus(m, wide_phi(t, phi->like)->init, phi->off), 0);
		all = all ? make(m, IR_OP_AND, 1, all, same, 0) : same;
	}
	return all;
}

static void rewrite(WideTrace *t, WidePlan *plan, SsaWide *wide)
{
	SsaFunc *func = t->func;
	Maker maker = {func, func->blocks[t->ahead].last};
	SsaRef pointers[SSA_WIDE_POINTERS_MOST], operands[SSA_WIDE_OPERANDS_MOST], times = 0, ask, values[WIDE_PHIS_MOST];
	u32 work, behind, none, join, aside = 0, count = 0;
	After after = {.t = t, .plan = plan};

	for (u32 i = 0; i < t->branch_count; i++) {
		Bound bound;
		SsaRef more;

		if (!t->branches[i].counted || !find_bound(t, &t->branches[i], &bound))
			continue;
		more = count_times(&maker, t, &bound, plan->copies);
		times = times ? make(&maker, IR_OP_SEL, 64, make(&maker, IR_OP_LTU, 1, times, more, 0), times, more) : more;
	}
	for (u32 i = 0; i < plan->pointer_count; i++)
		pointers[i] = pointer_start(&maker, t, &plan->pointers[i]);
	ask = make_question(&maker, t, plan, pointers, times);
	wide->counted = times;
	operands[count++] = times ? times : ssa_const(func, 64, ~(u64)0);
	for (u32 i = 0; i < plan->pointer_count; i++)
		operands[count++] = pointers[i];
	for (u32 i = 0; i < plan->operand_count; i++)
		operands[count++] = plan->operands[i];
	wide->operand_count = count;
	work = new_block(func, t);
	behind = new_block(func, t);
	none = new_block(func, t);
	join = new_block(func, t);
	aside = ask ? new_block(func, t) : 0;
	if (func->failed)
		return;
	/* Edges. */
	ssa_remove(func, func->blocks[t->ahead].last);
	func->blocks[t->ahead].succ_count = 0;
	ssa_edge(func, t->ahead, work);
	if (ask)
		ssa_edge(func, t->ahead, aside);
	add_end(func, t->ahead, ask ? SSA_BRANCH : SSA_JUMP, ask);
	ssa_edge(func, work, behind);
	ssa_edge(func, work, none);
	ssa_edge(func, behind, join);
	ssa_edge(func, none, join);
	if (ask)
		ssa_edge(func, aside, join);
	if (func->failed)
		return;
	for (u32 p = 0; p < func->blocks[t->header].pred_count; p++)
		if (func->blocks[t->header].preds[p] == t->ahead)
			func->blocks[t->header].preds[p] = join;
	func->blocks[join].succ[0] = t->header;
	func->blocks[join].succ_count = 1;
	func->blocks[t->header].before = join;
	/* What is in them. */
	after.wide = after.times = ssa_wide_node(func, wide, operands);
	ssa_append(func, work, after.wide);
	maker.at = add_end(func, work, SSA_BRANCH, ssa_const(func, 1, 0));
	func->nodes[maker.at].a = make(&maker, IR_OP_NE, 1, after.wide, ssa_const(func, 64, 0), 0);
	add_end(func, none, SSA_JUMP, 0);
	if (ask)
		add_end(func, aside, SSA_JUMP, 0);
	add_end(func, join, SSA_JUMP, 0);
	after.maker = (Maker){func, add_end(func, behind, SSA_JUMP, 0)};
	for (u32 i = 0; i < t->phi_count && !func->failed; i++)
		values[i] = t->phis[i].home ? 0 : after_phi(&after, &t->phis[i]);
	for (u32 i = 0; i < t->bring_count && !func->failed; i++) {
		SsaRef value = last_value(&after, t->brings[i].value, plan->copies - 1, WIDE_DEPTH);
		SsaRef bring = ssa_node(func, SSA_BRING, func->nodes[value].width, t->brings[i].slot, value, 0, 0, 0);

		ssa_insert_before(func, after.maker.at, bring);
	}
	for (u32 i = 0; i < t->phi_count && !func->failed; i++) {
		const WidePhi *phi = &t->phis[i];
		SsaRef merged = phi->home ? 0 : ssa_phi(func, join, func->nodes[phi->ref].width, func->nodes[phi->ref].aux);
		const SsaBlock *header = &func->blocks[t->header];

		if (!merged)
			continue;
		for (u32 p = 0; p < func->blocks[join].pred_count; p++)
			func->pool[func->nodes[merged].a + p] = func->blocks[join].preds[p] == behind ? values[i] : phi->init;
		for (u32 p = 0; p < header->pred_count; p++)
			if (header->preds[p] == join)
				func->pool[func->nodes[phi->ref].a + p] = merged;
		for (u32 slot = 0; slot < func->slot_count; slot++)
			if (header->state[slot] && ssa_value(func, header->state[slot]) == phi->ref)
				func->blocks[join].state[slot] = merged;
	}
}

/* ---- All of it ---- */

/* How many rounds at a time; 0: none that works. */
static u32 plan_copies(WideTrace *t, WidePlan *plan)
{
	for (u32 i = 0; i < t->branch_count; i++) {
		Bound bound;

		t->branches[i].counted = find_bound(t, &t->branches[i], &bound) && is_power((u64)(bound.step < 0 ? -bound.step : bound.step));
	}
	for (u32 copies = 1; copies <= WIDE_COPIES_MOST; copies *= 2) {
		if (t->access_count * copies % SSA_WIDE_LANES)
			continue;
		if (wide_plan(plan, t, copies))
			return copies;
	}
	return 0;
}

static bool try_loop(WideTrace *t, WidePlan *plan)
{
	SsaFunc *func = t->func;
	After ask = {.t = t, .plan = plan};
	SsaWide *wide;

	if (!plan_copies(t, plan) || !can_go_on(&ask))
		return false;
	wide = ARENA_NEW(func->arena, SsaWide);
	if (!wide) {
		func->failed = true;
		return false;
	}
	*wide = (SsaWide){.space = func->nodes[t->accesses[0]].aux, .cost = t->insns * plan->copies};
	if (!wide_finish(plan, wide, func->arena))
		return false;
	rewrite(t, plan, wide);
	return true;
}

/* Could it be? Looked at before anything is made for it. */
static bool is_likely(const SsaFunc *func, u32 header)
{
	const SsaBlock *block = &func->blocks[header];

	if (!block->header || block->before == SSA_NO_BLOCK || block->dead)
		return false;
	for (SsaRef ref = block->first; ref; ref = func->nodes[ref].next)
		if ((func->nodes[ref].op == SSA_LOAD || func->nodes[ref].op == SSA_STORE) && func->nodes[ref].width != 64)
			return false;
	return true;
}

void ssa_wide(SsaFunc *func)
{
	WideTrace *trace = NULL;
	WidePlan *plan = NULL;
	Ways ways = {.blocks = func->block_count};
	u32 done = 0, count = func->rpo_count;

	if (func->failed || !func->has_wide || !func->hard_spaces)
		return;
	for (u32 i = 0; i < count && done < LOOPS_MOST && !func->failed; i++) {
		if (!is_likely(func, func->rpo[i]))
			continue;
		if (!trace) {
			trace = ARENA_NEW(func->arena, WideTrace);
			plan = ARENA_NEW(func->arena, WidePlan);
			ways.way = ARENA_ARRAY(func->arena, u32, ways.blocks);
			ways.queue = ARENA_ARRAY(func->arena, u32, ways.blocks + 1);
		}
		if (!trace || !plan || !ways.way || !ways.queue) {
			func->failed = true;
			return;
		}
		if (find_trace(trace, func, func->rpo[i], &ways))
			done += try_loop(trace, plan);
	}
	if (done)
		ssa_order(func);
}
