/* SPDX-License-Identifier: MIT
 *
 * Loops over numbers of 64 bits that lie one behind the other, done four numbers at a time. In front of a loop comes
 *
 *     ahead:  may one go round often enough?
 *        |
 *     ask:    are what is loaded and what is stored apart? ... (one block for each question; who says no goes to join)
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

enum { LOOPS_MOST = 8, LEAST = 2, MOST_DEPTH = 5 };

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

/* Does the other one stop it as soon, or (the first of equal ones) sooner? */
static bool is_needless(const WideTrace *t, u32 branch, const Bound *bound)
{
	for (u32 i = 0; i < t->branch_count; i++) {
		Bound other;
		bool last = bound->ahead == (bound->step < 0 ? -bound->step : bound->step), other_last;

		if (i == branch || !t->branches[i].counted || !find_bound(t, &t->branches[i], &other) || other.end != bound->end ||
		    other.step != bound->step || other.less != bound->less || other.steps.phi != bound->steps.phi ||
		    other.steps.base != bound->steps.base)
			continue;
		other_last = other.ahead == (other.step < 0 ? -other.step : other.step);
		if (other_last > last || (other_last == last && i < branch))
			return true;
	}
	return false;
}

/* No more than that. */
static u64 most(const SsaFunc *func, SsaRef ref, u32 depth)
{
	const SsaNode *node = &func->nodes[ssa_value(func, ref)];
	u64 all = bits_trunc(~(u64)0, node->width), by = 0, value;

	if (ssa_is_const(func, ref, &value))
		return value;
	if (!depth)
		return all;
	switch (node->op) {
	case IR_OP_AND:
		return ssa_is_const(func, node->b, &by) ? by : all;
	case IR_OP_ZX:
		return most(func, node->a, depth - 1);
	case IR_OP_SHR:
		return ssa_is_const(func, node->b, &by) && by < node->width ? most(func, node->a, depth - 1) >> by : all;
	case IR_OP_SHL:
		value = most(func, node->a, depth - 1);
		return ssa_is_const(func, node->b, &by) && by < node->width && value <= all >> by ? value << by : all;
	default:
		return all;
	}
}

/* Is the end so near that it is not worth it? The C library does what is left behind loops that are unrolled one word at a time. */
static bool is_short(const WideTrace *t, const Bound *bound, u32 copies)
{
	const SsaFunc *func = t->func;
	SsaRef start = ssa_value(func, wide_phi(t, bound->steps.phi)->init), low = bound->step < 0 ? bound->end : start;
	const SsaNode *high = &func->nodes[ssa_value(func, bound->step < 0 ? start : bound->end)];
	u64 step = (u64)(bound->step < 0 ? -bound->step : bound->step), far;

	if (bound->steps.base || high->op != IR_OP_ADD)
		return false;
	if (ssa_value(func, high->a) != low && ssa_value(func, high->b) != low)
		return false;
	far = most(func, ssa_value(func, high->a) == low ? high->b : high->a, MOST_DEPTH);
	return far < LEAST * copies * step;
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

/* Are these whole bytes, and a word together? If right is beyond that, it or left has more than 7 bits. */
static SsaRef make_merge(Maker *m, const WideMerge *merge)
{
	SsaFunc *func = m->func;
	SsaRef right = widened(m, merge->right), left = widened(m, merge->left), wrong;

	wrong = make(m, IR_OP_XOR, 64, make(m, IR_OP_SUB, 64, ssa_const(func, 64, 64), right, 0), left, 0);
	wrong = make(m, IR_OP_OR, 64, wrong, make(m, IR_OP_AND, 64, right, ssa_const(func, 64, 7), 0), 0);
	if (most(func, right, MOST_DEPTH) > 64)
		wrong = make(m, IR_OP_OR, 64, wrong, make(m, IR_OP_SHR, 64, make(m, IR_OP_OR, 64, right, left, 0),
			ssa_const(func, 8, 7), 0), 0);
	return make(m, IR_OP_EQ, 1, wrong, ssa_const(func, 64, 0), 0);
}

/* Blocks from ahead of the loop to WIDE: whoever is asked and says no goes aside. */
typedef struct Questions {
	const WideTrace *trace;
	Maker maker;  /* at the end of `block`, */
	u32 block;    /* the last one so far */
	u32 asides[1 + WIDE_APARTS_MOST + SSA_WIDE_POINTERS_MOST + WIDE_PHIS_MOST], aside_count;
} Questions;

static void leave_block(Questions *q)
{
	ssa_remove(q->maker.func, q->maker.at);
	q->maker.func->blocks[q->block].succ_count = 0;
}

static void ask(Questions *q, SsaRef condition)
{
	SsaFunc *func = q->maker.func;
	u32 next = new_block(func, q->trace), aside = new_block(func, q->trace);

	if (func->failed)
		return;
	leave_block(q);
	ssa_edge(func, q->block, next);
	ssa_edge(func, q->block, aside);
	add_end(func, q->block, SSA_BRANCH, condition);
	add_end(func, aside, SSA_JUMP, 0);
	q->asides[q->aside_count++] = aside;
	q->maker.at = add_end(func, next, SSA_JUMP, 0);
	q->block = next;
}

/* Whether to try at all: times first, as most loops go round too seldom. pointers: where they begin. */
static void ask_all(Questions *q, const WidePlan *plan, SsaRef times, SsaRef *pointers)
{
	const WideTrace *t = q->trace;
	SsaFunc *func = q->maker.func;
	Maker *m = &q->maker;

	if (times)
		ask(q, make(m, IR_OP_LEU, 1, ssa_const(func, 64, LEAST), times, 0));
	for (u32 i = 0; i < plan->pointer_count; i++)
		pointers[i] = pointer_start(m, t, &plan->pointers[i]);
	for (u32 i = 0; i < plan->apart_count; i++) {
		const WideApart *apart = &plan->aparts[i];
		SsaRef far = make(m, IR_OP_SUB, 64, pointers[apart->b], pointers[apart->a], 0);

		far = plus(m, far, 0 - (u64)(apart->low + 1));
		ask(q, make(m, IR_OP_LEU, 1, ssa_const(func, 64, (u64)(apart->high - apart->low - 1)), far, 0));
	}
	for (u32 i = 0; i < plan->merge_count; i++)
		ask(q, make_merge(m, &plan->merges[i]));
	for (u32 i = 0; i < t->phi_count; i++) {
		const WidePhi *phi = &t->phis[i];

		if (phi->asked)
			ask(q, make(m, IR_OP_EQ, 1, phi->init, plus(m, wide_phi(t, phi->like)->init, phi->off), 0));
	}
}

/* The block that WIDE comes to, without an end. */
static u32 working_block(Questions *q)
{
	SsaFunc *func = q->maker.func;
	u32 work = q->block;

	if (!q->aside_count)
		work = new_block(func, q->trace);
	if (func->failed)
		return 0;
	leave_block(q);
	if (!q->aside_count) {
		ssa_edge(func, q->block, work);
		add_end(func, q->block, SSA_JUMP, 0);
	}
	return work;
}

static void rewrite(WideTrace *t, WidePlan *plan, SsaWide *wide)
{
	SsaFunc *func = t->func;
	Questions questions = {.trace = t, .maker = {func, func->blocks[t->ahead].last}, .block = t->ahead};
	Maker maker = {.func = func};
	SsaRef pointers[SSA_WIDE_POINTERS_MOST], operands[SSA_WIDE_OPERANDS_MOST], times = 0, values[WIDE_PHIS_MOST];
	u32 work, behind, none, join, count = 0;
	After after = {.t = t, .plan = plan};

	for (u32 i = 0; i < t->branch_count; i++) {
		Bound bound;
		SsaRef more;

		if (!t->branches[i].counted || !find_bound(t, &t->branches[i], &bound) || is_needless(t, i, &bound))
			continue;
		more = count_times(&questions.maker, t, &bound, plan->copies);
		times = times ? make(&questions.maker, IR_OP_SEL, 64, make(&questions.maker, IR_OP_LTU, 1, times, more, 0), times, more) : more;
	}
	ask_all(&questions, plan, times, pointers);
	wide->counted = times;
	operands[count++] = times ? times : ssa_const(func, 64, ~(u64)0);
	for (u32 i = 0; i < plan->pointer_count; i++)
		operands[count++] = pointers[i];
	for (u32 i = 0; i < plan->operand_count; i++)
		operands[count++] = plan->operands[i];
	wide->operand_count = count;
	work = working_block(&questions);
	behind = new_block(func, t);
	none = new_block(func, t);
	join = new_block(func, t);
	if (func->failed)
		return;
	/* Edges. */
	ssa_edge(func, work, behind);
	ssa_edge(func, work, none);
	ssa_edge(func, behind, join);
	ssa_edge(func, none, join);
	for (u32 i = 0; i < questions.aside_count; i++)
		ssa_edge(func, questions.asides[i], join);
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

static bool is_too_short(const WideTrace *t, u32 copies)
{
	for (u32 i = 0; i < t->branch_count; i++) {
		Bound bound;

		if (t->branches[i].counted && find_bound(t, &t->branches[i], &bound) && is_short(t, &bound, copies))
			return true;
	}
	return false;
}

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
			return is_too_short(t, copies) ? 0 : copies;
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
	WideWays ways = {.blocks = func->block_count};
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
		if (wide_trace(trace, func, func->rpo[i], &ways))
			done += try_loop(trace, plan);
	}
	if (done)
		ssa_order(func);
}
