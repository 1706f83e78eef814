/* SPDX-License-Identifier: MIT
 *
 * Folding: one walk down the tree of dominators, in reverse postorder among siblings, so that a node's operands and all
 * predecessors of a block but those of back edges come before it. On the way
 *
 *   - operations become what they equal (ssa_algebra.c), or an equal one that dominates them;
 *   - PHIs of one value are that value, and PHIs of one home are that home;
 *   - behind a branch its condition is known, and what an equality compared;
 *   - branches on what is known become jumps. A block that no edge leads to any more is skipped, and PHIs behind it do not
 *     see its arguments.
 *
 * What was folded before, and is made of what it was made of then, is only shared: no rule would find more.
 *
 * Then chains of blocks become one. What nobody uses any more stays until ssa_dead.
 */
#include <string.h>

#include "base/bits.h"
#include "jit/ssa_fold.h"

enum { ALIKE_MOST = 8, HOMES_MOST = 6 };

typedef struct Scope {
	u32 block;
	u32 entries, marks;
	u32 next; /* child to visit */
} Scope;

typedef struct Walk {
	SsaFold fold;
	u32 *child, *sibling; /* block + 1 */
	bool *reached;
	bool *comes; /* per predecessor of the block that is looked at: control may come from there */
	Scope *scopes;
	bool failed;
} Walk;

/* ---- PHIs ---- */

/* Can control come from there? What is behind in reverse postorder has not been looked at. */
static bool comes_from(const Walk *w, u32 block, u32 pred)
{
	const SsaFunc *func = w->fold.func;

	return func->blocks[pred].order >= func->blocks[block].order || w->reached[pred];
}

/* Does control go from pred to block? A branch on a constant has become a jump to the other. */
static bool leads_to(const SsaFunc *func, u32 pred, u32 block)
{
	const SsaBlock *from = &func->blocks[pred];

	return from->succ[0] == block || (from->succ_count > 1 && from->succ[1] == block);
}

static bool same_args(const SsaFunc *func, const SsaNode *a, const SsaNode *b)
{
	for (u32 i = 0; i < func->blocks[a->block].pred_count; i++)
		if (ssa_value(func, func->pool[a->a + i]) != ssa_value(func, func->pool[b->a + i]))
			return false;
	return a->width == b->width;
}

static void fold_phi(const Walk *w, SsaFold *f, u32 block, SsaRef ref, SsaRef first_other)
{
	SsaFunc *func = f->func;
	SsaBlock *to = &func->blocks[block];
	SsaRef same = 0, home = 0, other;
	bool one = true, homes = true;
	unsigned tries = 0;

	for (u32 i = 0; i < to->pred_count; i++) {
		SsaRef arg = ssa_value(func, func->pool[func->nodes[ref].a + i]);

		if (arg == ref || !w->comes[i])
			continue;
		one = one && (!same || same == arg);
		same = arg;
		homes = homes && func->nodes[arg].op == SSA_HOME && (!home || func->nodes[arg].aux == func->nodes[home].aux);
		home = homes ? arg : home;
	}
	if (!same)
		return;
	if (one) {
		ssa_replace(func, ref, same);
		return;
	}
	if (homes) {
		f->at = first_other;
		ssa_replace(func, ref, ssa_fold_make(f, SSA_HOME, func->nodes[ref].width, func->nodes[home].aux, 0, 0, 0));
		return;
	}
	for (other = func->nodes[ref].prev; other && tries < ALIKE_MOST; other = func->nodes[other].prev, tries++)
		if (same_args(func, &func->nodes[ref], &func->nodes[other])) {
			ssa_replace(func, ref, other);
			return;
		}
}

/* The arguments that successors get from here are what is known here. */
static void pass_values(Walk *w, u32 block)
{
	SsaFold *f = &w->fold;
	SsaFunc *func = f->func;

	for (u32 i = 0; i < func->blocks[block].succ_count; i++) {
		const SsaBlock *to = &func->blocks[func->blocks[block].succ[i]];

		for (u32 p = 0; p < to->pred_count; p++) {
			if (to->preds[p] != block)
				continue;
			for (SsaRef ref = to->first; ref && func->nodes[ref].op == SSA_PHI; ref = func->nodes[ref].next) {
				SsaRef *arg = &func->pool[func->nodes[ref].a + p];

				*arg = ssa_fold_value(f, *arg);
			}
		}
	}
}

/* ---- Blocks ---- */

/* The branch is a jump to succ[yes ? 0 : 1]. */
static void decide_branch(SsaFold *f, u32 block, bool yes)
{
	SsaFunc *func = f->func;
	SsaBlock *from = &func->blocks[block];
	SsaNode *end = &func->nodes[from->last];
	SsaBlock *dropped = &func->blocks[from->succ[yes ? 1 : 0]];

	if (dropped->pred_count != 1)
		return;
	dropped->pred_count = 0;
	from->succ[0] = from->succ[yes ? 0 : 1];
	from->succ_count = 1;
	end->op = SSA_JUMP;
	end->a = 0;
	f->edges = true;
}

static void fold_end(SsaFold *f, u32 block)
{
	SsaFunc *func = f->func;
	SsaBlock *from = &func->blocks[block];
	SsaNode *end = &func->nodes[from->last];
	u64 value;

	if (end->op == SSA_BRANCH) {
		const SsaNode *cond = &func->nodes[end->a];

		if (cond->op == IR_OP_XOR && ssa_is_const(func, cond->b, &value) && value == 1) {
			u32 swap = from->succ[0];

			from->succ[0] = from->succ[1];
			from->succ[1] = swap;
			end->a = ssa_fold_value(f, cond->a);
		}
		if (ssa_is_const(func, end->a, &value))
			decide_branch(f, block, value);
	} else if (end->op == SSA_LEAVE && ssa_operands(func, end) && ssa_is_const(func, end->a, &value)) {
		end->aux = end->aux == SSA_LEAVE_CALLR ? SSA_LEAVE_CALL : SSA_LEAVE_LINK;
		end->imm = value;
		end->a = 0;
	}
}

static void fold_node(SsaFold *f, SsaRef ref)
{
	SsaFunc *func = f->func;
	SsaNode *node = &func->nodes[ref];
	unsigned count;
	u64 value;

	if (node->op < IR_OP_COUNT || node->op == SSA_CANON) {
		ssa_fold_operation(f, ref);
		return;
	}
	count = ssa_op_info[node->op].operands;
	if (count == SSA_OPERANDS_VARY) {
		count = ssa_operands(func, node);
		for (unsigned i = 0; i < count; i++) {
			SsaRef *operand = ssa_operand(func, node, i);

			*operand = ssa_fold_value(f, *operand);
		}
		return;
	}
	for (unsigned i = 0; i < count; i++)
		node->operands[i] = ssa_fold_value(f, node->operands[i]);
	if (node->op == SSA_HOME)
		ssa_fold_share_home(f, ref);
	if (node->op == SSA_GUARD && ssa_is_const(func, node->a, &value) && value)
		ssa_remove(func, ref);
}

/* What a block has brought home to a slot, or fetched from it. */
typedef struct Near {
	struct { u32 slot; SsaRef value; } homes[HOMES_MOST];
	u32 oldest;
} Near;

/* A FETCH or BRING: what is near is what the next one there fetches. */
static void forward_home(SsaFunc *func, Near *near, SsaRef ref)
{
	const SsaNode *node = &func->nodes[ref];
	u32 at = 0;

	while (at < HOMES_MOST && !(near->homes[at].value && near->homes[at].slot == node->aux))
		at++;
	if (node->op == SSA_FETCH && at < HOMES_MOST && ssa_width(func, near->homes[at].value) == node->width) {
		ssa_replace(func, ref, near->homes[at].value);
		return;
	}
	if (at == HOMES_MOST) {
		at = near->oldest;
		near->oldest = (near->oldest + 1) % HOMES_MOST;
	}
	near->homes[at].slot = node->aux;
	near->homes[at].value = node->op == SSA_FETCH ? ref : node->a;
}

static void fold_block(Walk *w, u32 block)
{
	SsaFold *f = &w->fold;
	SsaFunc *func = f->func;
	SsaBlock *here = &func->blocks[block];
	SsaRef ref, next, other = here->first;
	Near near = {.oldest = 0};

	while (func->nodes[other].op == SSA_PHI)
		other = func->nodes[other].next;
	for (u32 p = 0; p < here->pred_count && other != here->first; p++)
		w->comes[p] = comes_from(w, block, here->preds[p]) && leads_to(func, here->preds[p], block);
	for (ref = here->first; ref && func->nodes[ref].op == SSA_PHI; ref = next) {
		next = func->nodes[ref].next;
		fold_phi(w, f, block, ref, other);
	}
	for (; ref && !func->failed; ref = next) {
		unsigned op = func->nodes[ref].op;

		next = func->nodes[ref].next;
		if (op == SSA_INSN)
			continue;
		fold_node(f, ref);
		if (op == SSA_FETCH || op == SSA_BRING)
			forward_home(func, &near, ref);
	}
	if (func->failed)
		return;
	fold_end(f, block);
	pass_values(w, block);
	for (u32 i = 0; i < here->succ_count; i++)
		w->reached[here->succ[i]] = true;
}

static bool can_be_reached(const Walk *w, u32 block)
{
	const SsaFunc *func = w->fold.func;
	const SsaBlock *here = &func->blocks[block];

	if (here->entry || w->reached[block])
		return true;
	for (u32 p = 0; p < here->pred_count; p++) /* against the order: nobody knows yet */
		if (func->blocks[here->preds[p]].order >= here->order && !ssa_dominates(func, block, here->preds[p]))
			return true;
	return false;
}

static void visit(Walk *w, u32 *depth, u32 block)
{
	SsaFold *f = &w->fold;

	w->scopes[(*depth)++] = (Scope){block, f->entry_count, f->mark_count, w->child[block]};
	if (!can_be_reached(w, block))
		return;
	w->reached[block] = true;
	ssa_fold_learn(f, block);
	fold_block(w, block);
}

static void walk_tree(Walk *w, u32 root)
{
	u32 depth = 0;

	visit(w, &depth, root);
	while (depth && !w->fold.func->failed) {
		Scope *scope = &w->scopes[depth - 1];
		u32 next = scope->next;

		if (!next) {
			ssa_fold_forget(&w->fold, scope->entries, scope->marks);
			depth--;
			continue;
		}
		scope->next = w->sibling[next - 1];
		visit(w, &depth, next - 1);
	}
}

/* ---- Chains ---- */

/* b, which follows nobody but a and whom nobody else precedes, becomes the end of a. */
static void join(SsaFunc *func, u32 a, u32 b)
{
	SsaBlock *x = &func->blocks[a], *y = &func->blocks[b];
	SsaRef tail;

	ssa_remove(func, x->last);
	tail = x->last;
	for (SsaRef ref = y->first; ref; ref = func->nodes[ref].next)
		func->nodes[ref].block = a;
	func->nodes[y->first].prev = tail;
	if (tail)
		func->nodes[tail].next = y->first;
	else
		x->first = y->first;
	x->last = y->last;
	x->insns += y->insns;
	y->insns = 0;
	func->touches = NULL;
	x->succ_count = y->succ_count;
	for (u32 i = 0; i < y->succ_count; i++) {
		SsaBlock *to = &func->blocks[y->succ[i]];

		x->succ[i] = y->succ[i];
		for (u32 p = 0; p < to->pred_count; p++)
			if (to->preds[p] == b)
				to->preds[p] = a;
	}
	x->cold = x->cold && y->cold;
	x->heat = x->heat > y->heat ? x->heat : y->heat;
	y->first = y->last = 0;
	y->pred_count = y->succ_count = 0;
	y->dead = true;
}

static bool join_chains(SsaFunc *func)
{
	bool any = false;

	for (u32 i = 0; i < func->rpo_count; i++) {
		u32 a = func->rpo[i];

		while (!func->blocks[a].dead && func->nodes[func->blocks[a].last].op == SSA_JUMP) {
			u32 b = func->blocks[a].succ[0];

			if (b == a || func->blocks[b].pred_count != 1 || func->blocks[b].entry || func->blocks[a].ahead ||
			    func->blocks[b].ahead ||
			    func->nodes[func->blocks[b].first].op == SSA_PHI)
				break;
			join(func, a, b);
			any = true;
		}
	}
	return any;
}

/* The order without the blocks that are part of others now: a block that was joined had that one above it. */
static void close_gaps(SsaFunc *func)
{
	u32 kept = 0;

	func->tree = NULL;
	for (u32 i = 0; i < func->rpo_count; i++) {
		SsaBlock *block = &func->blocks[func->rpo[i]];

		if (block->dead)
			continue;
		while (block->idom != SSA_NO_BLOCK && func->blocks[block->idom].dead)
			block->idom = func->blocks[block->idom].idom;
		block->order = kept;
		func->rpo[kept++] = func->rpo[i];
	}
	func->rpo_count = kept;
}

/* ---- All of it ---- */

static void count_uses_of(SsaFunc *func, SsaNode *node)
{
	SsaNode *nodes = func->nodes;

	switch (ssa_op_info[node->op].operands) {
	case 3: nodes[ssa_value(func, node->c)].uses++; __attribute__((fallthrough));
	case 2: nodes[ssa_value(func, node->b)].uses++; __attribute__((fallthrough));
	case 1: nodes[ssa_value(func, node->a)].uses++; __attribute__((fallthrough));
	case 0: return;
	default: break;
	}
	for (unsigned k = ssa_operands(func, node); k-- > 0;)
		nodes[ssa_value(func, *ssa_operand(func, node, k))].uses++;
}

/* Uses by PUTs count here: what they want of a value is all of it. */
static void count_all_uses(SsaFunc *func)
{
	for (SsaRef ref = 0; ref < func->node_count; ref++)
		func->nodes[ref].mark = func->nodes[ref].uses = 0;
	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref; ref = func->nodes[ref].next)
			count_uses_of(func, &func->nodes[ref]);
}

static bool prepare(Walk *w, SsaFunc *func)
{
	u32 count = func->block_count, preds = 1;

	if (!ssa_fold_start(&w->fold, func, func->node_count))
		return false;
	w->fold.settled = func->folded;
	w->fold.changed = ARENA_ARRAY(func->arena, u8, func->folded + 1);
	w->child = ARENA_ARRAY(func->arena, u32, count + 1);
	w->sibling = ARENA_ARRAY(func->arena, u32, count + 1);
	w->reached = ARENA_ARRAY(func->arena, bool, count + 1);
	w->scopes = ARENA_ROOM(func->arena, Scope, count + 1);
	if (!w->fold.changed || !w->child || !w->sibling || !w->reached || !w->scopes) {
		func->failed = true;
		return false;
	}
	for (u32 i = func->rpo_count; i-- > 0;) { /* children in ascending order */
		u32 block = func->rpo[i], above = func->blocks[block].idom;

		if (above != block && above != SSA_NO_BLOCK) {
			w->sibling[block] = w->child[above];
			w->child[above] = block + 1;
		}
		preds = func->blocks[block].pred_count > preds ? func->blocks[block].pred_count : preds;
	}
	w->comes = ARENA_ROOM(func->arena, bool, preds);
	func->failed |= !w->comes;
	return !func->failed;
}

void ssa_fold(SsaFunc *func)
{
	Walk w;

	if (func->failed || !prepare(&w, func))
		return;
	count_all_uses(func);
	w.fold.sets_flags = ssa_has_made(func, SSA_SET_FLAGS);
	for (u32 i = 0; i < func->rpo_count && !func->failed; i++) {
		u32 block = func->rpo[i];

		if (func->blocks[block].idom == block || func->blocks[block].idom == SSA_NO_BLOCK)
			walk_tree(&w, block);
	}
	if (func->failed)
		return;
	func->folded = func->node_count;
	if (w.fold.edges)
		ssa_order(func);
	if (join_chains(func))
		close_gaps(func);
}
