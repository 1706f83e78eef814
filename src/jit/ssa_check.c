/* SPDX-License-Identifier: MIT
 *
 * Bounds of hard spaces. An access relies on a CHECK of its anchor (ssa_address.h) that dominates it. A CHECK goes
 *
 *   - out of loops that its root does not change in: to the block ahead of the loop. A way out from there is at the start of the loop's
 *     first instruction: it costs time and nothing else. Where not each round passes it, it could fail for nothing; regions where that is
 *     so often are made anew without (note_in_vain in jit_run.c);
 *   - by induction. p is a PHI of a loop's header, p0 comes in, and each round gives p + c. If each round also accesses memory
 *     near p, that access faults as soon as p is beyond the end by more than the access's displacement, and the round does
 *     not end. So p never gets farther than a step and a displacement, which the guard zones hold, and the CHECK of p is one of
 *     p0, ahead of the loop. Roots that are base + (p << k) likewise;
 *   - where another of the same root dominates it; of constants, one that is not much smaller;
 *   - of a PHI, where all ways to it have checked what comes in, or something near (the stack pointer, where a call comes back
 *     into a loop);
 *   - where it is one of a constant below the limit.
 */
#include "jit/ssa_address.h"
#include "jit/ssa_cells.h"
#include "jit/ssa_tree.h"

enum { STEP_MOST = 1 << 18, NEAR_MOST = 1 << 18, CHECKS_MOST = 8, ANCHORS_MOST = 6, DEPTH = 4, ROUNDS_MOST = 16 };

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
	SsaRef *checks; /* all, those that dominate others first */
	u32 check_count;
	u32 *last, *before; /* per root, per CHECK of it: the newest one that stays, the one before */
	u8 *met;      /* per node: PhiState */
	bool moved;   /* a CHECK has left its loop */
} Checks;

static bool is_hard(const SsaFunc *func, const SsaNode *node)
{
	return node->aux < 64 && func->hard_spaces >> node->aux & 1;
}

static void note_access(Checks *c, SsaRef ref)
{
	const SsaFunc *func = c->func;
	const SsaNode *node = &func->nodes[ref];
	SsaRef root = ssa_value(func, node->a), anchor;
	i64 imm = (i64)node->imm;
	u64 reach;
	u32 near = (u32)(imm < 0 ? -imm : imm) + node->width, far;

	anchor = ssa_anchor(func, root, &reach);
	far = near + (u32)reach;
	c->uses[c->use_count] = (Use){ref, c->first[root]};
	c->first[root] = ++c->use_count;
	c->nearby[root] = near > c->nearby[root] ? near : c->nearby[root];
	c->nearby[anchor] = far > c->nearby[anchor] ? far : c->nearby[anchor];
}

static bool collect(Checks *c)
{
	SsaFunc *func = c->func;

	if (!ssa_has_made(func, SSA_CHECK) || !ssa_list_touches(func))
		return false;
	c->nodes = func->node_count;
	c->first = ARENA_ARRAY(func->arena, u32, c->nodes);
	c->nearby = ARENA_ARRAY(func->arena, u32, c->nodes);
	c->start = ARENA_ARRAY(func->arena, SsaRef, c->nodes);
	c->uses = ARENA_ROOM(func->arena, Use, func->listed_touches + 1);
	c->checks = ARENA_ROOM(func->arena, SsaRef, func->listed_touches + 1);
	if (!c->first || !c->nearby || !c->start || !c->uses || !c->checks || !ssa_tree(func, &c->tree)) {
		func->failed = true;
		return false;
	}
	for (u32 i = 0; i < c->tree.count; i++)
		for (u32 k = 0, b = c->tree.order[i]; k < func->touch_count[b]; k++) {
			SsaRef ref = func->touches[func->first_touch[b] + k];
			const SsaNode *node = &func->nodes[ref];

			if (node->block != b)
				continue;
			if (node->op == SSA_CHECK)
				c->checks[c->check_count++] = ref;
			else if ((node->op == SSA_LOAD || node->op == SSA_STORE) && is_hard(func, node))
				note_access(c, ref);
		}
	return c->check_count;
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

static void move_ahead(Checks *c, SsaRef check, u32 loop)
{
	SsaFunc *func = c->func;
	SsaRef end = func->blocks[func->blocks[loop].before].last;

	ssa_remove(func, check);
	ssa_insert_before(func, end, check);
	c->moved = true;
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
			if (!ssa_each_round(func, &c->tree, func->nodes[check].block, loop)) {
				if (func->careful || func->blocks[func->nodes[check].block].cold)
					return;
				func->nodes[check].imm = 1;
			}
			move_ahead(c, check, loop);
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
		move_ahead(c, check, loop);
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

static void drop_if_dominated(Checks *c, SsaRef ref)
{
	SsaFunc *func = c->func;
	const SsaNode *node = &func->nodes[ref];
	SsaRef value = ssa_value(func, node->a), root = func->nodes[value].op == SSA_CONST ? 0 : value;
	unsigned tries = 0;
	bool found = !root && node->aux < func->space_count && func->nodes[value].imm < func->spaces[node->aux].limit;

	for (u32 at = c->last[root]; at && !found && tries < CHECKS_MOST; at = c->before[at], tries++)
		found = func->nodes[at].aux == node->aux && ssa_above(&c->tree, func->nodes[at].block, node->block) &&
			(root || covers(c, at, value));
	if (found) {
		ssa_remove(func, ref);
	} else {
		c->before[ref] = c->last[root];
		c->last[root] = ref;
	}
}

static bool begin_dropping(Checks *c)
{
	c->last = ARENA_ARRAY(c->func->arena, u32, c->func->node_count);
	c->before = ARENA_ARRAY(c->func->arena, u32, c->func->node_count);
	c->func->failed |= !c->last || !c->before;
	return !c->func->failed;
}

/* Once more, where they are now. */
static void drop_moved(Checks *c)
{
	SsaFunc *func = c->func;

	for (u32 i = 0; i < c->tree.count; i++)
		for (SsaRef ref = func->blocks[c->tree.order[i]].first, next; ref; ref = next) {
			next = func->nodes[ref].next;
			if (func->nodes[ref].op == SSA_CHECK)
				drop_if_dominated(c, ref);
		}
}

/* ---- Where ways meet ---- */

typedef enum PhiState { PHI_UNSEEN, PHI_ASKED, PHI_OPEN, PHI_CHECKED = SSA_MET } PhiState;

/* Is value, or what it is near to, checked on all ways to the end of block b? That CHECK must not go on the same
 * grounds, lest distances add up: so it is one of the value itself, or of no PHI. (That it may go by induction is in SSA_MET_MOST: a
 * step, a displacement, and twice that are less than the guard zone.) */
static bool is_checked(const Checks *c, SsaRef value, u32 b, unsigned space)
{
	u64 reach;
	SsaRef anchor = ssa_anchor(c->func, value, &reach);
	unsigned tries = 0;

	if (reach > SSA_MET_MOST || (anchor != value && c->func->nodes[anchor].op == SSA_PHI))
		return false;
	for (u32 at = c->last[anchor]; at && tries < CHECKS_MOST; at = c->before[at], tries++)
		if (c->func->nodes[at].aux == space && ssa_above(&c->tree, c->func->nodes[at].block, b))
			return true;
	return false;
}

/* The PHIs that come into a PHI, and so on: `list`, of which all that can be known of checks is believed at first. */
static u32 list_phis(Checks *c, SsaRef phi, SsaRef *list)
{
	const SsaFunc *func = c->func;
	u32 count = 0;

	if (c->met[phi] != PHI_UNSEEN)
		return 0;
	c->met[phi] = PHI_ASKED;
	list[count++] = phi;
	for (u32 i = 0; i < count; i++) {
		const SsaNode *node = &func->nodes[list[i]];

		for (u32 k = 0; k < func->blocks[node->block].pred_count; k++) {
			SsaRef value = ssa_value(func, func->pool[node->a + k]);

			if (func->nodes[value].op != SSA_PHI || c->met[value] != PHI_UNSEEN)
				continue;
			c->met[value] = PHI_ASKED;
			list[count++] = value;
		}
	}
	return count;
}

static bool comes_checked(const Checks *c, SsaRef phi, unsigned space)
{
	const SsaFunc *func = c->func;
	const SsaNode *node = &func->nodes[phi];
	const SsaBlock *block = &func->blocks[node->block];

	if (node->width != 64)
		return false;
	for (u32 k = 0; k < block->pred_count; k++) {
		SsaRef value = ssa_value(func, func->pool[node->a + k]);
		bool meets = func->nodes[value].op == SSA_PHI && c->met[value] != PHI_OPEN;

		if (!meets && !is_checked(c, value, block->preds[k], space))
			return false;
	}
	return true;
}

/* What is believed stays true unless something comes in that nobody checked: then all that it comes into is not, either. A sum
 * of such a PHI is none of them, so nothing gets far from what was checked. */
static void drop_met(Checks *c)
{
	SsaFunc *func = c->func;
	SsaRef *list = ARENA_ROOM(func->arena, SsaRef, func->node_count);
	unsigned space = func->nodes[c->checks[0]].aux;

	c->met = ARENA_ARRAY(func->arena, u8, func->node_count);
	if (!list || !c->met) {
		func->failed = true;
		return;
	}
	for (u32 i = 0; i < c->check_count; i++) {
		SsaRef check = c->checks[i], root = ssa_value(func, func->nodes[check].a);
		u32 count;

		if (func->nodes[check].block == SSA_NO_BLOCK || func->nodes[check].aux != space ||
		    func->nodes[root].op != SSA_PHI || root >= c->nodes || c->nearby[root] > SSA_MET_MOST)
			continue;
		count = list_phis(c, root, list);
		for (u32 round = 0, changed = count; changed; round++) {
			changed = false;
			for (u32 k = 0; k < count; k++)
				if (c->met[list[k]] == PHI_ASKED && (round >= ROUNDS_MOST || !comes_checked(c, list[k], space))) {
					c->met[list[k]] = PHI_OPEN;
					changed = true;
				}
		}
		for (u32 k = 0; k < count; k++)
			if (c->met[list[k]] == PHI_ASKED)
				c->met[list[k]] = PHI_CHECKED;
		if (c->met[root] == PHI_CHECKED)
			ssa_remove(func, check);
	}
	func->met = c->met;
	func->met_count = c->nodes;
	func->met_space = space;
}

void ssa_check(SsaFunc *func)
{
	Checks c = {.func = func};

	func->met_count = 0;
	if (func->failed || !collect(&c))
		return;
	if (!begin_dropping(&c))
		return;
	for (u32 i = 0; i < c.check_count; i++)
		drop_if_dominated(&c, c.checks[i]);
	drop_met(&c);
	if (!func->loops)
		return;
	for (u32 i = 0; i < c.check_count && !func->failed; i++)
		if (func->nodes[c.checks[i]].block != SSA_NO_BLOCK)
			move_check(&c, c.checks[i]);
	if (c.moved && !func->failed && begin_dropping(&c))
		drop_moved(&c);
}
