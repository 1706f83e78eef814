/* SPDX-License-Identifier: MIT
 *
 * The order of blocks in memory: from the head along the likeliest way, loops in one piece, what is cold at the end.
 *
 * A chain goes on with the successor that stays in the loop, or is hotter. Where it ends, the next one begins at the first
 * block (in reverse postorder) of the innermost loop that the chain was in and that is not finished.
 */
#include "jit/x64/x64_ssa.h"

typedef struct Layout {
	X64Ssa *s;
	bool *placed;
	u32 *outer; /* per header: that of the loop around its own */
	u32 *left;  /* per header: blocks of its loop, without those of inner ones, that are not placed; counted with inner ones */
	u32 count;
} Layout;

static u32 find_outer(const SsaFunc *func, u32 loop)
{
	u32 above;

	if (loop == SSA_NO_BLOCK)
		return loop;
	above = func->blocks[loop].idom;
	if (func->blocks[loop].depth <= 1 || above == SSA_NO_BLOCK || above == loop)
		return SSA_NO_BLOCK;
	/* The loop around a header is that of a dominator. */
	above = func->blocks[above].loop;
	while (above != SSA_NO_BLOCK && func->blocks[above].depth >= func->blocks[loop].depth) {
		u32 next = func->blocks[above].idom;

		if (next == SSA_NO_BLOCK || next == above)
			return SSA_NO_BLOCK;
		above = func->blocks[next].loop;
	}
	return above;
}

static void place(Layout *l, u32 b)
{
	l->placed[b] = true;
	l->s->alloc.layout[l->count++] = b;
	for (u32 loop = l->s->func->blocks[b].loop; loop != SSA_NO_BLOCK; loop = l->outer[loop])
		l->left[loop]--;
}

static bool better(const SsaBlock *a, const SsaBlock *b)
{
	if (a->depth != b->depth)
		return a->depth > b->depth;
	if (a->heat != b->heat)
		return a->heat > b->heat;
	return a->order < b->order;
}

/* Is the work of a loop done that `from` is in and `to` is not? */
static bool may_leave(const Layout *l, u32 from, u32 to)
{
	const SsaFunc *func = l->s->func;

	for (u32 loop = func->blocks[from].loop; loop != SSA_NO_BLOCK; loop = l->outer[loop]) {
		u32 in = func->blocks[to].loop;

		while (in != SSA_NO_BLOCK && in != loop)
			in = l->outer[in];
		if (in == loop)
			return true;
		if (l->left[loop])
			return false;
	}
	return true;
}

static u32 follow(const Layout *l, u32 b)
{
	const SsaFunc *func = l->s->func;
	u32 best = SSA_NO_BLOCK;

	for (u32 i = 0; i < func->blocks[b].succ_count; i++) {
		u32 to = func->blocks[b].succ[i];

		if (l->placed[to] || func->blocks[to].cold || !may_leave(l, b, to))
			continue;
		if (best == SSA_NO_BLOCK || better(&func->blocks[to], &func->blocks[best]))
			best = to;
	}
	return best;
}

static u32 restart(const Layout *l, u32 b)
{
	const SsaFunc *func = l->s->func;

	for (u32 loop = func->blocks[b].loop; loop != SSA_NO_BLOCK; loop = l->outer[loop])
		if (l->left[loop])
			for (u32 i = 0; i < func->rpo_count; i++) {
				u32 to = func->rpo[i], in = func->blocks[to].loop;

				if (l->placed[to] || func->blocks[to].cold)
					continue;
				while (in != SSA_NO_BLOCK && in != loop)
					in = l->outer[in];
				if (in == loop)
					return to;
			}
	return SSA_NO_BLOCK;
}

bool x64_ssa_layout(X64Ssa *s)
{
	SsaFunc *func = s->func;
	Layout l = { .s = s };
	u32 next = 0;

	l.placed = ARENA_ARRAY(s->arena, bool, func->block_count);
	l.left = ARENA_ARRAY(s->arena, u32, func->block_count);
	s->alloc.layout = ARENA_ARRAY(s->arena, u32, func->rpo_count + 1);
	l.outer = ARENA_ARRAY(s->arena, u32, func->block_count);
	if (!l.outer || !l.placed || !l.left || !s->alloc.layout)
		return false;
	for (u32 i = 0; i < func->rpo_count; i++)
		if (func->blocks[func->rpo[i]].header)
			l.outer[func->rpo[i]] = find_outer(func, func->rpo[i]);
	for (u32 i = 0; i < func->rpo_count; i++) {
		u32 b = func->rpo[i];

		/* What leads to nothing but cold blocks, and what does the cold engine's work, is cold. */
		if (func->nodes[func->blocks[b].last].op == SSA_LEAVE && func->nodes[func->blocks[b].last].aux == SSA_LEAVE_COLD &&
		    b != 0)
			func->blocks[b].cold = true;
		if (!func->blocks[b].cold)
			for (u32 loop = func->blocks[b].loop; loop != SSA_NO_BLOCK; loop = l.outer[loop])
				l.left[loop]++;
	}
	func->blocks[0].cold = false;
	for (u32 i = 0; i < func->rpo_count; i++) {
		next = i ? func->rpo[i] : 0;
		while (next != SSA_NO_BLOCK && !l.placed[next] && !func->blocks[next].cold) {
			u32 from = next;

			place(&l, from);
			next = follow(&l, from);
			if (next == SSA_NO_BLOCK)
				next = restart(&l, from);
		}
	}
	for (u32 i = 0; i < func->rpo_count; i++)
		if (!l.placed[func->rpo[i]]) {
			l.placed[func->rpo[i]] = true;
			s->alloc.layout[l.count++] = func->rpo[i];
		}
	s->alloc.layout_count = l.count;
	return true;
}
