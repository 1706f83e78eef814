/* SPDX-License-Identifier: MIT
 *
 * Bounds of hard spaces. An access relies on a CHECK of its anchor (ssa_address.h) that dominates it. A CHECK goes
 *
 *   - out of loops that its root does not change in, if each round passes it: to the block ahead of the loop. A way out from
 *     there is at the start of the loop's first instruction: it costs time and nothing else;
 *   - by induction. p is a PHI of a loop's header, p0 comes in, and each round gives p + c. If each round also accesses memory
 *     near p, that access faults as soon as p is beyond the end by more than the access's displacement, and the round does
 *     not end. So p never gets farther than a step and a displacement, which the guard zones hold, and the CHECK of p is one of
 *     p0, ahead of the loop. Roots that are base + (p << k) likewise;
 *   - where another of the same root dominates it; of constants, one that is not much smaller;
 *   - where it is one of a constant below the limit.
 */
#include "jit/ssa_address.h"
#include "jit/ssa_tree.h"

enum { STEP_MOST = 1 << 18, NEAR_MOST = 1 << 18, CHECKS_MOST = 8, ANCHORS_MOST = 6, DEPTH = 4 };

typedef struct Use {
	SsaRef ref;
	u32 next; /* use + 1 */
} Use;

typedef struct Checks {
	SsaFunc *func;
	SsaTree tree;
	u32 nodes;    /* that were there at the start */
	u32 *first;   /* per root: its accesses (Use + 1) */
	u32 *nearby;  /* per anchor: the farthest that is accessed from it */
	SsaRef *start; /* per root: what it is when its loop is entered */
	Use *uses;
	u32 use_count;
	SsaRef *checks;
	u32 check_count;
} Checks;

static bool is_hard(const SsaFunc *func, const SsaNode *node)
{
	return node->aux < 64 && func->hard_spaces >> node->aux & 1;
}

static bool collect(Checks *c)
{
	SsaFunc *func = c->func;
	u32 accesses = 0, checks = 0;

	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref; ref = func->nodes[ref].next) {
			accesses += func->nodes[ref].op == SSA_LOAD || func->nodes[ref].op == SSA_STORE;
			checks += func->nodes[ref].op == SSA_CHECK;
		}
	if (!checks)
		return false;
	c->nodes = func->node_count;
	c->first = ARENA_ARRAY(func->arena, u32, c->nodes);
	c->nearby = ARENA_ARRAY(func->arena, u32, c->nodes);
	c->start = ARENA_ARRAY(func->arena, SsaRef, c->nodes);
	c->uses = ARENA_ARRAY(func->arena, Use, accesses + 1);
	c->checks = ARENA_ARRAY(func->arena, SsaRef, checks);
	if (!c->first || !c->nearby || !c->start || !c->uses || !c->checks || !ssa_tree(func, &c->tree)) {
		func->failed = true;
		return false;
	}
	for (u32 i = 0; i < c->tree.count; i++)
		for (SsaRef ref = func->blocks[c->tree.order[i]].first; ref; ref = func->nodes[ref].next) {
			SsaNode *node = &func->nodes[ref];

			if (node->op == SSA_CHECK)
				c->checks[c->check_count++] = ref;
			if ((node->op == SSA_LOAD || node->op == SSA_STORE) && is_hard(func, node)) {
				SsaRef root = ssa_value(func, node->a);
				i64 imm = (i64)node->imm;
				u64 reach;
				SsaRef anchor = ssa_anchor(func, root, &reach);
				u32 near = (u32)(imm < 0 ? -imm : imm) + node->width, far = near + (u32)reach;

				c->uses[c->use_count] = (Use){ref, c->first[root]};
				c->first[root] = ++c->use_count;
				c->nearby[root] = near > c->nearby[root] ? near : c->nearby[root];
				c->nearby[anchor] = far > c->nearby[anchor] ? far : c->nearby[anchor];
			}
		}
	return true;
}

/* ---- Induction ---- */

/* value is at most *step away from p, whichever way it was made. */
static bool is_step(const SsaFunc *func, SsaRef value, SsaRef p, i64 *step, unsigned depth)
{
	const SsaNode *node = &func->nodes[ssa_value(func, value)];
	unsigned first = node->op == IR_OP_SEL ? 1 : 0, last = 3;
	i64 x, add = 0;
	u64 k;

	*step = 0;
	if (ssa_value(func, value) == p)
		return true;
	if (!depth)
		return false;
	if (node->op == IR_OP_ADD && ssa_is_const(func, node->b, &k)) {
		add = (i64)k;
		if (add > STEP_MOST || add < -STEP_MOST)
			return false;
		add = add < 0 ? -add : add;
		last = 1;
	} else if (node->op == SSA_PHI && !func->blocks[node->block].header) { /* where ways meet */
		last = func->blocks[node->block].pred_count;
	} else if (node->op != IR_OP_SEL) {
		return false;
	}
	for (unsigned i = first; i < last; i++) {
		SsaRef from = node->op == SSA_PHI ? func->pool[node->a + i] : i == 0 ? node->a : i == 1 ? node->b : node->c;

		if (!is_step(func, from, p, &x, depth - 1))
			return false;
		*step = x + add > *step ? x + add : *step;
	}
	return *step <= STEP_MOST;
}

/* The largest step of a header's PHI round the loop; 0: it is none, or not one of this kind. */
static i64 step_of(const SsaFunc *func, SsaRef phi)
{
	const SsaNode *node = &func->nodes[phi];
	const SsaBlock *header = &func->blocks[node->block];
	i64 most = 0, step;

	if (node->op != SSA_PHI || node->width != 64 || header->before == SSA_NO_BLOCK)
		return 0;
	for (u32 p = 0; p < header->pred_count; p++) {
		if (header->preds[p] == header->before)
			continue;
		if (!is_step(func, func->pool[node->a + p], phi, &step, DEPTH))
			return 0;
		most = step > most ? step : most;
	}
	return most;
}

static bool changes_in(const SsaFunc *func, SsaRef ref, u32 loop)
{
	const SsaNode *node = &func->nodes[ssa_value(func, ref)];

	return node->op != SSA_CONST && ssa_in_loop(func, node->block, loop);
}

/* Of a root that steps with a loop: the PHI; and what to add and shift by. */
typedef struct Induction {
	SsaRef phi, base; /* 0: the root is the PHI */
	unsigned shift;
	bool turned;      /* base stands on the right */
	u32 loop;
	i64 step;
} Induction;

static SsaRef shifted(const SsaFunc *func, SsaRef ref, unsigned *shift)
{
	const SsaNode *node = &func->nodes[ssa_value(func, ref)];
	u64 by;

	*shift = 0;
	if (node->op == IR_OP_SHL && ssa_is_const(func, node->b, &by) && by < 8) {
		*shift = (unsigned)by;
		return ssa_value(func, node->a);
	}
	return ssa_value(func, ref);
}

static bool find_induction(const SsaFunc *func, SsaRef root, Induction *in)
{
	const SsaNode *node = &func->nodes[root];

	*in = (Induction){.phi = root};
	if (node->op == IR_OP_ADD) {
		for (unsigned i = 0; i < 2; i++) {
			SsaRef x = shifted(func, i ? node->a : node->b, &in->shift);

			in->base = ssa_value(func, i ? node->b : node->a);
			in->turned = i;
			in->phi = x;
			if (func->nodes[x].op == SSA_PHI && !changes_in(func, in->base, func->nodes[x].block) && step_of(func, x))
				break;
			in->phi = 0;
		}
	}
	if (!in->phi || func->nodes[in->phi].op != SSA_PHI)
		return false;
	in->loop = func->nodes[in->phi].block;
	in->step = step_of(func, in->phi) << in->shift;
	return in->step && in->step <= STEP_MOST;
}

/* Does each round access something near the root? Its value there is of this round: it is computed from the PHI. */
static bool has_anchor(const Checks *c, SsaRef root, unsigned space, u32 loop)
{
	unsigned tries = 0;

	for (u32 at = c->first[root]; at && tries < ANCHORS_MOST; at = c->uses[at - 1].next, tries++)
		if (c->func->nodes[c->uses[at - 1].ref].aux == space &&
		    ssa_each_round(c->func, &c->tree, c->func->nodes[c->uses[at - 1].ref].block, loop))
			return true;
	return false;
}

/* The root as the loop is entered, made ahead of it. */
static SsaRef first_root(SsaFunc *func, const Induction *in)
{
	u32 ahead = func->blocks[in->loop].before;
	SsaRef end = func->blocks[ahead].last, value = ssa_entry_value(func, in->phi), sum;

	if (!in->base)
		return value;
	if (in->shift) {
		value = ssa_node(func, IR_OP_SHL, 64, 0, value, ssa_const(func, 8, in->shift), 0, 0);
		ssa_insert_before(func, end, value);
	}
	sum = ssa_node(func, IR_OP_ADD, 64, 0, in->turned ? value : in->base, in->turned ? in->base : value, 0, 0);
	ssa_insert_before(func, end, sum);
	return sum;
}

/* ---- Places ---- */

static void move_ahead(SsaFunc *func, SsaRef check, u32 loop)
{
	SsaRef end = func->blocks[func->blocks[loop].before].last;

	ssa_remove(func, check);
	ssa_insert_before(func, end, check);
}

/* As far out as it goes. */
static void move_check(Checks *c, SsaRef check)
{
	SsaFunc *func = c->func;
	Induction in;

	for (u32 loop = func->blocks[func->nodes[check].block].loop; loop != SSA_NO_BLOCK; loop = ssa_outer_loop(func, loop)) {
		SsaRef root = ssa_value(func, func->nodes[check].a), first;

		if (func->blocks[loop].before == SSA_NO_BLOCK)
			return;
		if (!changes_in(func, root, loop)) {
			if (!ssa_each_round(func, &c->tree, func->nodes[check].block, loop))
				return;
			move_ahead(func, check, loop);
			continue;
		}
		if (root >= c->nodes || !find_induction(func, root, &in) || in.loop != loop || c->nearby[root] > NEAR_MOST ||
		    !has_anchor(c, root, func->nodes[check].aux, loop))
			return;
		first = c->start[root] ? c->start[root] : first_root(func, &in);
		if (func->failed)
			return;
		c->start[root] = first;
		func->nodes[check].a = first;
		move_ahead(func, check, loop);
	}
}

/* Of constants: what is less than the one that was checked, or little more, is in the space or faults. All that is accessed
 * from here is nearby. */
static bool covers(const Checks *c, SsaRef check, SsaRef value)
{
	const SsaFunc *func = c->func;
	u64 checked = func->nodes[ssa_value(func, func->nodes[check].a)].imm, other = func->nodes[value].imm;

	return other <= checked || (value < c->nodes && other - checked < SSA_GUARD_ZONE / 2 && c->nearby[value] < SSA_GUARD_ZONE / 4);
}

static void drop_dominated(Checks *c)
{
	SsaFunc *func = c->func;
	u32 *last = ARENA_ARRAY(func->arena, u32, func->node_count); /* per root: number of the newest CHECK + 1 */
	u32 *before = ARENA_ARRAY(func->arena, u32, func->node_count);

	if (!last || !before) {
		func->failed = true;
		return;
	}
	for (u32 i = 0; i < c->tree.count; i++)
		for (SsaRef ref = func->blocks[c->tree.order[i]].first, next; ref; ref = next) {
			const SsaNode *node = &func->nodes[ref];
			SsaRef value = ssa_value(func, node->a), root = func->nodes[value].op == SSA_CONST ? 0 : value;
			unsigned tries = 0;
			bool found = false;

			next = node->next;
			if (node->op != SSA_CHECK)
				continue;
			found = !root && node->aux < func->space_count && func->nodes[value].imm < func->spaces[node->aux].limit;
			for (u32 at = last[root]; at && !found && tries < CHECKS_MOST; at = before[at], tries++)
				found = func->nodes[at].aux == node->aux && ssa_above(&c->tree, func->nodes[at].block, node->block) &&
					(root || covers(c, at, value));
			if (found) {
				ssa_remove(func, ref);
			} else {
				before[ref] = last[root];
				last[root] = ref;
			}
		}
}

void ssa_check(SsaFunc *func)
{
	Checks c = {.func = func};

	if (func->failed || !collect(&c))
		return;
	drop_dominated(&c);
	for (u32 i = 0; i < c.check_count && !func->failed; i++)
		if (func->nodes[c.checks[i]].block != SSA_NO_BLOCK)
			move_check(&c, c.checks[i]);
	if (!func->failed)
		drop_dominated(&c);
}
