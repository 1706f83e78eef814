/* SPDX-License-Identifier: MIT
 *
 * Statements, and the four ways an `if` becomes IR. See isa_lift.c for the whole.
 */
#include <string.h>

#include "isa/isa_lift_private.h"

void lift_commit(Lift *l)
{
	for (u32 i = 0; i < l->env.pending_count; i++) {
		const Pending *p = &l->env.pending[i];
		const IsaReg *r = lift_reg_of_slot(l->isa, p->slot);

		IrRef value = p->value;

		/* Read anew: a device may have written the register since, even one that is constant in this block. */
		if (p->when != IR_NONE)
			value = ir_select(l->func, p->when, value, ir_get(l->func, p->slot, r->width));
		ir_put(l->func, p->slot, value);
		if (r->context || r->irq)
			l->dirty = true;
	}
}

/* ---- assignments ---- */

static void assign(Lift *l, const RtlExpr *lhs, IrRef value)
{
	IrRef old, shifted, mask;
	unsigned width;
	u64 bit;

	switch (lhs->kind) {
	case RTL_VAR:
		l->env.vars[lhs->index] = value;
		break;
	case RTL_REG: case RTL_REGFIELD:
		lift_write_reg(l, lhs, value);
		break;
	case RTL_PC:
		l->env.jump = value;
		l->env.flow = IR_FLOW_JUMP;
		break;
	case RTL_MEM:
		ir_store(l->func, lhs->index, lift_expr(l, lhs->a), value, l->raw && lhs->index == l->raw_space);
		break;
	case RTL_VIEW:
		lift_call_body(l, l->isa->views[lhs->index].set, &value, 1);
		break;
	case RTL_SLICE: /* x[hi:lo] = v: the other bits stay */
		old = lift_expr(l, lhs->a);
		width = lhs->a->width;
		mask = ir_const(l->func, width, ~(bits_mask(lhs->width) << lhs->index2));
		shifted = ir_bin(l->func, IR_OP_SHL, lift_fit(l, value, width), ir_const(l->func, 7, lhs->index2));
		assign(l, lhs->a, ir_bin(l->func, IR_OP_OR, ir_bin(l->func, IR_OP_AND, old, mask), shifted));
		break;
	case RTL_BIT: {
		IrRef number = lift_expr(l, lhs->b);

		old = lift_expr(l, lhs->a);
		width = lhs->a->width;
		if (ir_is_const(l->func, number, &bit) && bit >= width)
			break;
		mask = ir_not(l->func, ir_bin(l->func, IR_OP_SHL, ir_const(l->func, width, 1), number));
		shifted = ir_bin(l->func, IR_OP_SHL, lift_fit(l, value, width), number);
		assign(l, lhs->a, ir_bin(l->func, IR_OP_OR, ir_bin(l->func, IR_OP_AND, old, mask), shifted));
		break;
	}
	default:
		break;
	}
}

/* ---- statements ---- */

/* Ends the instruction here: registers become visible, control goes on. */
static void finish_path(Lift *l)
{
	if (l->dead) {
		lift_close_dead(l);
		return;
	}
	lift_commit(l);
	if (l->handler) {
		if (l->env.jump != IR_NONE)
			ir_goto(l->func, l->env.jump, l->env.flow);
		else
			ir_ret(l->func, l->body && l->body->result_var != ISA_NONE && l->env.vars
						? l->env.vars[l->body->result_var] : IR_NONE);
		return;
	}
	if (l->env.jump != IR_NONE) {
		ir_goto(l->func, l->env.jump, l->env.flow);
		l->ended = true;
	} else if (l->forks || l->dirty || l->calls_host) {
		ir_goto(l->func, ir_const(l->func, l->isa->pc_width, l->next), IR_FLOW_NEXT);
		l->ended = true;
	}
}

/* raise and stop: the current block ends. */
static void lift_leave(Lift *l, const RtlStmt *s)
{
	IrRef number = lift_expr(l, s->rhs);

	if (l->dead)
		return;
	if (s->kind == RTL_RAISE) {
		ir_raise(l->func, number);
	} else {
		lift_commit(l);
		if (!l->handler)
			ir_put(l->func, 0, l->env.jump != IR_NONE ? l->env.jump : ir_const(l->func, l->isa->pc_width, l->next));
		else if (l->env.jump != IR_NONE)
			ir_put(l->func, 0, l->env.jump);
		ir_stop(l->func, number);
	}
	lift_go_dead(l);
}

static bool list_leaves(const RtlStmt *s)
{
	for (; s; s = s->next)
		if (s->leaves)
			return true;
	return false;
}

static u8 list_effects(const RtlStmt *s)
{
	u8 effects = 0;

	for (; s; s = s->next)
		effects |= s->effects;
	return effects;
}

static IrRef happens(Lift *l, const Pending *p)
{
	return !p ? ir_const(l->func, 1, 0) : p->when == IR_NONE ? ir_const(l->func, 1, 1) : p->when;
}

/* l->env becomes what it is after `cond ? yes : l->env`. */
static void merge_pending(Lift *l, Env *yes, IrRef cond)
{
	for (u32 i = 0; i < yes->pending_count && !l->failed; i++) {
		Pending *y = &yes->pending[i], *n = lift_find_pending(&l->env, y->slot);
		IrRef when = IR_NONE;

		if (n && n->value == y->value && n->when == y->when)
			continue;
		if (!n || n->when != IR_NONE || y->when != IR_NONE)
			when = ir_select(l->func, cond, happens(l, y), happens(l, n));
		lift_write_slot(l, y->slot, n ? ir_select(l->func, cond, y->value, n->value) : y->value, when);
	}
	for (u32 i = 0; i < l->env.pending_count && !l->failed; i++) {
		Pending *n = &l->env.pending[i];

		if (!lift_find_pending(yes, n->slot))
			n->when = ir_select(l->func, cond, ir_const(l->func, 1, 0), happens(l, n));
	}
}

/* 1. Both arms evaluated, differences by SEL. */
static void lift_if_pure(Lift *l, const RtlStmt *s, IrRef cond)
{
	Env before, yes;

	if (!lift_env_copy(l, &before, &l->env))
		return;
	lift_inline(l, s->yes);
	yes = l->env;
	l->env = before;
	if (!lift_env_copy(l, &l->env, &before))
		return;
	lift_inline(l, s->no);
	for (u32 i = 0; i < l->env.var_count && !l->failed; i++)
		if (l->env.vars[i] != yes.vars[i] && ir_width(l->func, l->env.vars[i]) == ir_width(l->func, yes.vars[i]))
			l->env.vars[i] = ir_select(l->func, cond, yes.vars[i], l->env.vars[i]);
	merge_pending(l, &yes, cond);
}

/* 2. One arm leaves the instruction. */
static void lift_if_leaving(Lift *l, const RtlStmt *s, IrRef cond, bool yes_leaves)
{
	u32 away = ir_block_create(l->func), rest = ir_block_create(l->func);
	Env before;

	if (!lift_env_copy(l, &before, &l->env))
		return;
	ir_br(l->func, cond, yes_leaves ? away : rest, yes_leaves ? rest : away);
	ir_block_begin(l->func, away);
	lift_inline(l, yes_leaves ? s->yes : s->no);
	l->dead = true; /* the checker said that it leaves; were it not so, this would make it illegal */
	lift_begin_live(l, rest);
	l->env = before;
	lift_inline(l, yes_leaves ? s->no : s->yes);
}

/* 4. A diamond with a join block. */
static void lift_if_diamond(Lift *l, const RtlStmt *s, IrRef cond)
{
	IrFunc *func = l->func;
	u32 yes_block = ir_block_create(func), no_block = ir_block_create(func), join = ir_block_create(func);
	IrRef *yes_args, *no_args;
	Env before, yes, no;
	u32 yes_jmp, no_jmp, count = 0, base, most;
	bool yes_dead, no_dead;

	if (l->failed || !lift_env_copy(l, &before, &l->env))
		return;
	ir_br(func, cond, yes_block, no_block);
	ir_block_begin(func, yes_block);
	lift_inline(l, s->yes);
	yes = l->env;
	yes_dead = l->dead;
	yes_jmp = func->ins_count;
	if (!yes_dead)
		ir_jmp(func, join, NULL, 0);
	if (l->failed || !lift_env_copy(l, &l->env, &before))
		return;
	lift_begin_live(l, no_block);
	lift_inline(l, s->no);
	no = l->env;
	no_dead = l->dead;
	no_jmp = func->ins_count;
	if (!no_dead)
		ir_jmp(func, join, NULL, 0);
	lift_begin_live(l, join);
	if (func->failed || l->failed)
		return;
	if (yes_dead || no_dead) {
		l->env = yes_dead ? no : yes;
		l->dead = yes_dead && no_dead;
		return;
	}
	/* What differs becomes parameters. The arguments were not known when the JMPs were made: they go in now. */
	most = no.var_count + 2 * (yes.pending_count + no.pending_count) + 1;
	yes_args = ARENA_ARRAY(l->arena, IrRef, most);
	no_args = ARENA_ARRAY(l->arena, IrRef, most);
	if (!yes_args || !no_args) {
		l->failed = true;
		return;
	}
	for (u32 i = 0; i < no.var_count; i++)
		if (yes.vars[i] != no.vars[i] && ir_width(func, yes.vars[i]) == ir_width(func, no.vars[i])) {
			yes_args[count] = yes.vars[i];
			no_args[count++] = no.vars[i];
			l->env.vars[i] = ir_param(func, ir_width(func, no.vars[i]));
		}
	for (u32 i = 0; i < yes.pending_count; i++) /* those of yes alone join in, as not happening on the other path */
		if (!lift_find_pending(&l->env, yes.pending[i].slot))
			lift_write_slot(l, yes.pending[i].slot, lift_zero(l, ir_width(func, yes.pending[i].value)), lift_zero(l, 1));
	for (u32 i = 0; i < l->env.pending_count; i++) {
		Pending *p = &l->env.pending[i], *y = lift_find_pending(&yes, p->slot), *n = lift_find_pending(&no, p->slot);
		unsigned width = ir_width(func, p->value);
		bool certain = y && n && y->when == IR_NONE && n->when == IR_NONE;

		if (y && n && y->value == n->value && y->when == n->when)
			continue;
		yes_args[count] = y ? y->value : lift_zero(l, width);
		no_args[count++] = n ? n->value : lift_zero(l, width);
		p->value = ir_param(func, width);
		if (!certain) {
			yes_args[count] = happens(l, y);
			no_args[count++] = happens(l, n);
			p->when = ir_param(func, 1);
		}
	}
	if (yes.jump != no.jump) {
		IrRef next = ir_const(func, l->isa->pc_width, l->next);

		if (l->handler) /* a handler has no next instruction to fall through to */
			l->failed = true;
		yes_args[count] = yes.jump == IR_NONE ? next : yes.jump;
		no_args[count++] = no.jump == IR_NONE ? next : no.jump;
		l->env.jump = ir_param(func, l->isa->pc_width);
		l->env.flow = IR_FLOW_JUMP;
	}
	base = func->pool_count;
	for (u32 i = 0; i < count * 2; i++) {
		if (!arena_grow(func->arena, (void **)&func->pool, &func->pool_cap, func->pool_count, sizeof(IrRef))) {
			l->failed = true;
			return;
		}
		func->pool[func->pool_count++] = i < count ? yes_args[i] : no_args[i - count];
	}
	func->ins[yes_jmp].b = base;
	func->ins[no_jmp].b = base + count;
	func->ins[yes_jmp].c = func->ins[no_jmp].c = count;
}

static void lift_swap(Lift *l, const RtlStmt *s)
{
	IrRef a = lift_expr(l, s->lhs), b = lift_expr(l, s->rhs);

	assign(l, s->lhs, b);
	assign(l, s->rhs, a);
}

void lift_charge(Lift *l, IrRef cycles)
{
	u32 slot;

	if (l->isa->cycles_reg == ISA_NONE)
		return;
	slot = l->isa->regs[l->isa->cycles_reg].slot;
	lift_write_slot(l, slot, ir_bin(l->func, IR_OP_ADD, lift_read_slot(l, slot, 64), lift_fit(l, cycles, 64)), IR_NONE);
}

/* Everything but `if` and `for`. */
static void lift_simple(Lift *l, const RtlStmt *s)
{
	switch (s->kind) {
	case RTL_ASSIGN:
		if (s->lhs) {
			IrRef value = lift_expr(l, s->rhs);

			if (!l->dead)
				assign(l, s->lhs, value);
		}
		break;
	case RTL_JUMP:
		l->env.jump = lift_expr(l, s->rhs);
		l->env.flow = s->flow;
		break;
	case RTL_RAISE: case RTL_STOP:
		lift_leave(l, s);
		break;
	case RTL_SWAP:
		lift_swap(l, s);
		break;
	case RTL_CHARGE:
		lift_charge(l, lift_expr(l, s->rhs));
		break;
	case RTL_DO:
		lift_expr(l, s->rhs);
		break;
	default:
		break;
	}
}

/* `for` is unrolled here: its bounds are known now, or the description asks for too much. */
static void lift_for(Lift *l, const RtlStmt *s)
{
	u64 lo, hi;

	if (!ir_is_const(l->func, lift_expr(l, s->rhs), &lo) || !ir_is_const(l->func, lift_expr(l, s->hi), &hi)) {
		l->failed = true;
		return;
	}
	for (u64 i = lo; i < hi && !lift_over_budget(l); i++) {
		l->env.vars[s->var] = ir_const(l->func, 32, i);
		lift_inline(l, s->yes);
	}
}

/* The kinds of `if` that go on in line; kind 3 is lift_seq's. */
static void lift_if_inline(Lift *l, const RtlStmt *s, IrRef cond)
{
	u8 effects = list_effects(s->yes) | list_effects(s->no);
	bool yes_leaves = list_leaves(s->yes), no_leaves = list_leaves(s->no);

	if (!(effects & RTL_IMPURE))
		lift_if_pure(l, s, cond);
	else if (yes_leaves || no_leaves)
		lift_if_leaving(l, s, cond, yes_leaves);
	else
		lift_if_diamond(l, s, cond);
}

/* A list in the middle of something else: no conditional jumps in it. */
void lift_inline(Lift *l, const RtlStmt *stmts)
{
	l->depth++;
	for (const RtlStmt *s = stmts; s && !l->dead && !lift_over_budget(l); s = s->next) {
		if (s->kind == RTL_IF) {
			IrRef cond = lift_expr(l, s->cond);
			u64 known;

			if (l->dead)
				break;
			if (ir_is_const(l->func, cond, &known))
				lift_inline(l, known ? s->yes : s->no);
			else
				lift_if_inline(l, s, cond);
		} else if (s->kind == RTL_FOR) {
			lift_for(l, s);
		} else {
			lift_simple(l, s);
		}
	}
	l->depth--;
}

static bool jumps_conditionally(const RtlStmt *s)
{
	/* An `if` (or a call with one inside) that jumps needs the rest of the instruction behind each arm. */
	return (s->effects & RTL_JUMPS) != 0;
}

/* Functions called as statements may jump conditionally, so what follows the call is their continuation. */
static bool is_jumping_call(const Lift *l, const RtlStmt *s)
{
	return s->kind == RTL_DO && s->rhs->kind == RTL_CALL && (l->isa->funcs[s->rhs->index].body.effects & RTL_JUMPS);
}

static void run_cont(Lift *l, const Cont *cont)
{
	if (!cont) {
		finish_path(l);
		return;
	}
	if (cont->caller_vars) {
		l->env.vars = cont->caller_vars;
		l->env.var_count = cont->caller_var_count;
	}
	lift_seq(l, cont->stmts, cont->next);
}

static void seq_call(Lift *l, const RtlStmt *s, const Cont *cont)
{
	const RtlBody *body = &l->isa->funcs[s->rhs->index].body;
	IrRef *vars = ARENA_ROOM(l->arena, IrRef, body->var_count ? body->var_count : 1);
	Cont back = {.stmts = s->next, .caller_vars = l->env.vars, .caller_var_count = l->env.var_count, .next = cont};

	if (!vars) {
		l->failed = true;
		return;
	}
	for (u32 i = 0; i < body->var_count; i++)
		vars[i] = i < s->rhs->argc ? lift_expr(l, s->rhs->args[i]) : lift_zero(l, body->var_widths[i] ? body->var_widths[i] : 1);
	l->env.vars = vars;
	l->env.var_count = body->var_count;
	lift_seq(l, body->stmts, &back);
}

static void seq_fork(Lift *l, const RtlStmt *s, IrRef cond, const Cont *cont)
{
	u32 yes = ir_block_create(l->func), no = ir_block_create(l->func);
	Cont rest = {.stmts = s->next, .next = cont};
	Env before;

	l->forks++;
	if (lift_over_budget(l) || !lift_env_copy(l, &before, &l->env))
		return;
	ir_br(l->func, cond, yes, no);
	ir_block_begin(l->func, yes);
	lift_seq(l, s->yes, &rest);
	if (l->failed)
		return;
	l->env = before;
	lift_begin_live(l, no);
	lift_seq(l, s->no, &rest);
}

/* A list with all that follows it to the end of the instruction. */
void lift_seq(Lift *l, const RtlStmt *stmts, const Cont *cont)
{
	if (++l->depth > LIFT_DEPTH_MAX)
		l->failed = true;
	for (const RtlStmt *s = stmts; s; s = s->next) {
		if (lift_over_budget(l) || l->dead)
			break;
		if (is_jumping_call(l, s)) {
			seq_call(l, s, cont);
			l->depth--;
			return;
		}
		if (s->kind == RTL_IF) {
			IrRef cond = lift_expr(l, s->cond);
			u64 known;

			if (l->dead)
				break;
			if (ir_is_const(l->func, cond, &known)) {
				Cont rest = {.stmts = s->next, .next = cont};

				lift_seq(l, known ? s->yes : s->no, &rest);
				l->depth--;
				return;
			}
			if (jumps_conditionally(s)) {
				seq_fork(l, s, cond, cont);
				l->depth--;
				return;
			}
			lift_if_inline(l, s, cond);
		} else if (s->kind == RTL_FOR) {
			lift_for(l, s);
		} else {
			lift_simple(l, s);
		}
	}
	if (l->dead)
		finish_path(l);
	else if (!l->failed)
		run_cont(l, cont);
	l->depth--;
}
