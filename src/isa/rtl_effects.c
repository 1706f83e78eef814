/* SPDX-License-Identifier: MIT
 *
 * What a body may do: loads, stores, host calls, raises, stops, jumps. The lifter chooses by it how to turn an `if`
 * into IR, and the loader warns when an instruction can be left after it has changed memory.
 */
#include "isa/isa_parse.h"

static u8 argument_effects(const Parser *p, const RtlExpr *e)
{
	u8 effects = 0;

	for (u32 i = 0; i < e->argc; i++)
		effects |= expr_effects(p, e->args[i]);
	return effects;
}

static u8 view_effects(const Parser *p, u16 view, bool set)
{
	const IsaView *v = &p->isa->views[view];

	return set ? (v->set ? v->set->effects : 0) : v->get->effects;
}

u8 expr_effects(const Parser *p, const RtlExpr *e)
{
	u8 effects = 0;

	if (!e)
		return 0;
	if (e->kind == RTL_CALL)
		return argument_effects(p, e) | p->funcs[e->index].body.effects;
	if (e->kind == RTL_HOST)
		return argument_effects(p, e) | RTL_HOSTS;
	if (e->kind == RTL_VIEW)
		effects = view_effects(p, e->index, false);
	if (e->kind == RTL_MEM)
		effects = RTL_LOADS;
	if (e->kind == RTL_ATOMIC)
		effects = RTL_LOADS | RTL_STORES | argument_effects(p, e);
	if (e->kind == RTL_FENCE)
		effects = RTL_STORES | argument_effects(p, e);
	if (e->kind == RTL_TABLE) /* a missing row makes the instruction illegal */
		effects = RTL_RAISES;
	if (e->kind == RTL_FLOAT)
		effects = argument_effects(p, e);
	return effects | expr_effects(p, e->a) | expr_effects(p, e->b) | expr_effects(p, e->c);
}

static u8 target_effects(const Parser *p, const RtlExpr *e)
{
	switch (e->kind) {
	case RTL_MEM:
		return RTL_STORES | expr_effects(p, e->a);
	case RTL_VIEW:
		return view_effects(p, e->index, true);
	case RTL_SLICE: case RTL_BIT:
		return target_effects(p, e->a) | expr_effects(p, e->a) | expr_effects(p, e->b);
	case RTL_PC:
		return RTL_JUMPS;
	default:
		return expr_effects(p, e->a);
	}
}

void stmts_effects(const Parser *p, RtlStmt *stmts, u8 *effects, bool *leaves)
{
	*effects = 0;
	*leaves = false;
	for (RtlStmt *s = stmts; s; s = s->next) {
		u8 yes = 0, no = 0, own = 0;
		bool yes_leaves = false, no_leaves = false;

		s->leaves = false;
		switch (s->kind) {
		case RTL_ASSIGN:
			own = expr_effects(p, s->rhs) | (s->lhs ? target_effects(p, s->lhs) : 0);
			break;
		case RTL_SWAP:
			own = target_effects(p, s->lhs) | target_effects(p, s->rhs) | expr_effects(p, s->lhs) |
			      expr_effects(p, s->rhs);
			break;
		case RTL_IF: {
			u64 known;

			own = expr_effects(p, s->cond);
			stmts_effects(p, s->yes, &yes, &yes_leaves);
			stmts_effects(p, s->no, &no, &no_leaves);
			if (s->cond->kind == RTL_NUM || rtl_const(p->isa, s->cond, NULL, &known)) {
				/* Folded by an option: the dead arm does nothing. */
				known = s->cond->kind == RTL_NUM ? s->cond->value : known;
				own |= known ? yes : no;
				s->leaves = known ? yes_leaves : no_leaves;
			} else {
				own |= yes | no;
				s->leaves = yes_leaves && no_leaves;
			}
			break;
		}
		case RTL_FOR:
			own = expr_effects(p, s->rhs) | expr_effects(p, s->hi);
			stmts_effects(p, s->yes, &yes, &yes_leaves);
			own |= yes;
			break;
		case RTL_JUMP:
			own = RTL_JUMPS | expr_effects(p, s->rhs);
			break;
		case RTL_RAISE:
			own = RTL_RAISES | expr_effects(p, s->rhs);
			s->leaves = true;
			break;
		case RTL_STOP:
			own = RTL_STOPS | expr_effects(p, s->rhs);
			s->leaves = true;
			break;
		default:
			own = expr_effects(p, s->rhs);
			break;
		}
		s->effects = own;
		*effects |= own;
		if (s->leaves)
			*leaves = true;
	}
}

/* Walks in order of execution, for "what can happen after a store". */
typedef struct Walk {
	const Parser *p;
	bool stored;      /* a store may have happened */
	bool hosted;      /* a host function may have been called */
	bool fault_after, access_after;
} Walk;

static void walk_stmts(Walk *w, const RtlStmt *stmts);
static void walk_body(Walk *w, const RtlBody *body);

static void walk_access(Walk *w, u16 space, bool store)
{
	if (w->stored || w->hosted)
		w->access_after = true;
	if (w->stored && !w->p->isa->spaces[space].wraps)
		w->fault_after = true;
	if (store)
		w->stored = true;
}

static void walk_expr(Walk *w, const RtlExpr *e)
{
	if (!e)
		return;
	if (e->kind == RTL_CALL || e->kind == RTL_HOST) {
		for (u32 i = 0; i < e->argc; i++)
			walk_expr(w, e->args[i]);
		if (e->kind == RTL_CALL) {
			walk_body(w, &w->p->funcs[e->index].body);
		} else {
			if (w->stored || w->hosted)
				w->access_after = true;
			if (w->stored)
				w->fault_after = true;
			w->hosted = true;
		}
		return;
	}
	walk_expr(w, e->a);
	if (e->kind == RTL_COND) {
		bool before = w->stored, after;

		walk_expr(w, e->b);
		after = w->stored;
		w->stored = before;
		walk_expr(w, e->c);
		w->stored = w->stored || after;
		return;
	}
	walk_expr(w, e->b);
	walk_expr(w, e->c);
	for (u32 i = 0; e->kind == RTL_FLOAT && i < e->argc; i++)
		walk_expr(w, e->args[i]);
	if (e->kind == RTL_VIEW)
		walk_body(w, w->p->isa->views[e->index].get);
	if (e->kind == RTL_MEM || e->kind == RTL_ATOMIC)
		walk_access(w, e->index, e->kind == RTL_ATOMIC);
}

static void walk_target(Walk *w, const RtlExpr *e)
{
	if (e->kind == RTL_MEM) {
		walk_expr(w, e->a);
		walk_access(w, e->index, true);
	} else if (e->kind == RTL_VIEW) {
		if (w->p->isa->views[e->index].set)
			walk_body(w, w->p->isa->views[e->index].set);
	} else if (e->kind == RTL_SLICE || e->kind == RTL_BIT) {
		walk_expr(w, e->b);
		walk_target(w, e->a);
	}
}

static void walk_stmts(Walk *w, const RtlStmt *stmts)
{
	for (const RtlStmt *s = stmts; s; s = s->next) {
		u64 known;

		switch (s->kind) {
		case RTL_IF:
			walk_expr(w, s->cond);
			if (rtl_const(w->p->isa, s->cond, NULL, &known)) {
				walk_stmts(w, known ? s->yes : s->no);
			} else {
				bool before = w->stored, hosted = w->hosted, after;

				walk_stmts(w, s->yes);
				after = w->stored;
				w->stored = before;
				walk_stmts(w, s->no);
				w->stored = w->stored || after;
				w->hosted = w->hosted || hosted;
			}
			break;
		case RTL_FOR: {
			bool before = w->stored;

			/* A store of one round stands before the accesses of the next. */
			walk_stmts(w, s->yes);
			if (!before && w->stored)
				walk_stmts(w, s->yes);
			break;
		}
		case RTL_RAISE:
			walk_expr(w, s->rhs);
			if (w->stored)
				w->fault_after = true;
			break;
		case RTL_SWAP:
			walk_expr(w, s->lhs);
			walk_expr(w, s->rhs);
			walk_target(w, s->lhs);
			walk_target(w, s->rhs);
			break;
		default:
			walk_expr(w, s->rhs);
			if (s->kind == RTL_ASSIGN && s->lhs)
				walk_target(w, s->lhs);
			break;
		}
	}
}

static void walk_body(Walk *w, const RtlBody *body)
{
	if (body->value)
		walk_expr(w, body->value);
	walk_stmts(w, body->stmts);
}

void body_effects(const Parser *p, RtlBody *body)
{
	Walk walk = {.p = p};
	bool leaves;

	stmts_effects(p, body->stmts, &body->effects, &leaves);
	if (body->value)
		body->effects |= expr_effects(p, body->value);
	walk_body(&walk, body);
	body->store_then_fault = walk.fault_after;
	body->alone = walk.access_after;
}

/* Registers an interrupt's condition reads: writing one of them makes the machine look at the condition again. */
void mark_irq_regs(Parser *p, const RtlExpr *e)
{
	if (!e)
		return;
	if (e->kind == RTL_REG)
		p->isa->regs[e->index].irq = true;
	if (e->kind == RTL_VIEW)
		mark_irq_regs(p, p->isa->views[e->index].get->value);
	for (u32 i = 0; i < e->argc; i++)
		mark_irq_regs(p, e->args[i]);
	mark_irq_regs(p, e->a);
	mark_irq_regs(p, e->b);
	mark_irq_regs(p, e->c);
}
