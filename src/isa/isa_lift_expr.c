/* SPDX-License-Identifier: MIT
 *
 * Values: the environment of pending register writes, registers, calls, expressions. See isa_lift.c for the whole.
 */
#include <string.h>

#include "isa/isa_lift_private.h"

IrRef lift_zero(Lift *l, unsigned width)
{
	IrRef ref;

	if (l->zeros[width])
		return l->zeros[width] - 1;
	ref = ir_const(l->func, width, 0);
	if (ref != IR_NONE)
		l->zeros[width] = ref + 1;
	return ref;
}

/* Behind a raise or stop nothing is reached, but an expression may be half way: it goes on in a block without
 * predecessors, which is closed by begin_live or end_path. */
void lift_go_dead(Lift *l)
{
	l->dead = true;
	ir_block_begin(l->func, ir_block_create(l->func));
}

void lift_close_dead(Lift *l)
{
	if (l->dead && l->handler)
		ir_ret(l->func, IR_NONE);
	else if (l->dead)
		ir_illegal(l->func);
	l->dead = false;
}

void lift_begin_live(Lift *l, u32 block)
{
	lift_close_dead(l);
	ir_block_begin(l->func, block);
}

/* ---- environment ---- */

bool lift_env_copy(Lift *l, Env *to, const Env *from)
{
	*to = *from;
	to->vars = ARENA_ROOM(l->arena, IrRef, from->var_count ? from->var_count : 1);
	to->pending_cap = from->pending_count + PENDING_FIRST / 4;
	to->pending = ARENA_ROOM(l->arena, Pending, to->pending_cap);
	if (!to->vars || !to->pending) {
		l->failed = true;
		return false;
	}
	memcpy(to->vars, from->vars, from->var_count * sizeof(IrRef));
	memcpy(to->pending, from->pending, from->pending_count * sizeof(Pending));
	return true;
}

Pending *lift_find_pending(Env *env, u32 slot)
{
	for (u32 i = 0; i < env->pending_count; i++)
		if (env->pending[i].slot == slot)
			return &env->pending[i];
	return NULL;
}

/* The register as memory holds it now, apart from pending writes. */
static IrRef committed_slot(Lift *l, u32 slot, unsigned width)
{
	/* Context registers are part of the key a block is found by: inside it they are constants. */
	for (u32 i = 0; l->in && i < l->isa->context_count; i++)
		if (l->isa->regs[l->isa->context_regs[i]].slot == slot)
			return ir_const(l->func, width, l->in->slots[slot]);
	return ir_get(l->func, slot, width);
}

IrRef lift_pending_value(Lift *l, const Pending *p)
{
	if (p->when == IR_NONE)
		return p->value;
	return ir_select(l->func, p->when, p->value, committed_slot(l, p->slot, ir_width(l->func, p->value)));
}

IrRef lift_read_slot(Lift *l, u32 slot, unsigned width)
{
	Pending *p = lift_find_pending(&l->env, slot);

	return p ? lift_pending_value(l, p) : committed_slot(l, slot, width);
}

void lift_write_slot(Lift *l, u32 slot, IrRef value, IrRef when)
{
	Pending *p = lift_find_pending(&l->env, slot);

	if (!p) {
		if (l->env.pending_count == PENDING_MAX || !arena_grow(l->arena, (void **)&l->env.pending, &l->env.pending_cap,
									l->env.pending_count, sizeof(Pending))) {
			l->failed = true;
			return;
		}
		p = &l->env.pending[l->env.pending_count++];
		p->slot = slot;
	}
	p->value = value;
	p->when = when;
}

const IsaReg *lift_reg_of_slot(const Isa *isa, u32 slot)
{
	for (u32 r = 0; r < isa->reg_count; r++)
		if (slot >= isa->regs[r].slot && slot - isa->regs[r].slot < isa->regs[r].count)
			return &isa->regs[r];
	return &isa->regs[isa->pc_reg];
}

/* ---- registers ---- */

/* The element a register expression names: slot, register, or false when the number is not known now. */
static bool reg_place(Lift *l, const RtlExpr *e, u16 *reg, u32 *element)
{
	u64 index = 0;

	if (e->kind == RTL_REGFIELD) {
		const IsaField *field = &l->isa->fields[l->decoded->insn->fields[e->index].field];

		*reg = field->reg;
		*element = field->reg_from + (u32)isa_field_value(l->isa, l->decoded, e->index);
		return *element < l->isa->regs[*reg].count;
	}
	*reg = e->index;
	if (e->a) {
		IrRef ref = lift_expr(l, e->a);

		if (!ir_is_const(l->func, ref, &index))
			return false;
	}
	*element = (u32)index;
	return index < l->isa->regs[*reg].count;
}

/* An element chosen at run time: a chain of selections over the file. */
static IrRef read_reg_dynamic(Lift *l, const RtlExpr *e)
{
	const IsaReg *r = &l->isa->regs[e->index];
	IrRef index = lift_expr(l, e->a), value = lift_zero(l, r->width);

	for (u32 i = 0; i < r->count && !lift_over_budget(l); i++) {
		IrRef here = r->const_mask && r->const_mask[i] ? ir_const(l->func, r->width, r->const_values[i])
							       : lift_read_slot(l, r->slot + i, r->width);
		IrRef hit = ir_bin(l->func, IR_OP_EQ, index, ir_const(l->func, ir_width(l->func, index), i));

		if (ir_width(l->func, index) < 32 && i >> ir_width(l->func, index))
			break;
		value = ir_select(l->func, hit, here, value);
	}
	return value;
}

static IrRef read_reg(Lift *l, const RtlExpr *e)
{
	u16 reg;
	u32 element;
	const IsaReg *r;

	if (!reg_place(l, e, &reg, &element))
		return e->kind == RTL_REG && e->a ? read_reg_dynamic(l, e) : lift_zero(l, e->width);
	r = &l->isa->regs[reg];
	if (r->const_mask && r->const_mask[element])
		return ir_const(l->func, r->width, r->const_values[element]);
	return lift_read_slot(l, r->slot + element, r->width);
}

void lift_write_reg(Lift *l, const RtlExpr *e, IrRef value)
{
	u16 reg;
	u32 element;
	const IsaReg *r;

	if (!reg_place(l, e, &reg, &element)) {
		IrRef index;

		if (e->kind != RTL_REG || !e->a)
			return;
		r = &l->isa->regs[e->index];
		index = lift_expr(l, e->a);
		for (u32 i = 0; i < r->count && !lift_over_budget(l); i++) {
			if (ir_width(l->func, index) < 32 && i >> ir_width(l->func, index))
				break;
			if (r->const_mask && r->const_mask[i])
				continue;
			lift_write_slot(l, r->slot + i,
				   ir_select(l->func, ir_bin(l->func, IR_OP_EQ, index, ir_const(l->func, ir_width(l->func, index), i)),
					     value, lift_read_slot(l, r->slot + i, r->width)),
				   IR_NONE);
		}
		return;
	}
	r = &l->isa->regs[reg];
	if (r->const_mask && r->const_mask[element])
		return;
	lift_write_slot(l, r->slot + element, value, IR_NONE);
}

/* ---- calls ---- */

/* Runs a body in a frame of its own, in line; its conditional jumps are not allowed here (the loader made sure that
 * only statement calls have them). */
IrRef lift_call_body(Lift *l, const RtlBody *body, const IrRef *args, u32 argc)
{
	IrRef *saved = l->env.vars, result = IR_NONE;
	u32 saved_count = l->env.var_count;
	const RtlBody *saved_body = l->body;

	if (++l->depth > LIFT_DEPTH_MAX || lift_over_budget(l)) {
		l->failed = true;
		l->depth--;
		return lift_zero(l, body->result_width ? body->result_width : 1);
	}
	l->env.vars = ARENA_ROOM(l->arena, IrRef, body->var_count ? body->var_count : 1);
	if (!l->env.vars) {
		l->failed = true;
		l->env.vars = saved;
		l->depth--;
		return IR_NONE;
	}
	l->env.var_count = body->var_count;
	for (u32 i = 0; i < body->var_count; i++)
		l->env.vars[i] = i < argc ? args[i] : lift_zero(l, body->var_widths[i] ? body->var_widths[i] : 1);
	l->body = body;
	if (body->value)
		result = lift_expr(l, body->value);
	else
		lift_inline(l, body->stmts);
	if (!body->value && body->result_var != ISA_NONE)
		result = l->env.vars[body->result_var];
	l->env.vars = saved;
	l->env.var_count = saved_count;
	l->body = saved_body;
	l->depth--;
	return result;
}

static IrRef lift_call(Lift *l, const RtlExpr *e)
{
	const RtlFunc *func = &l->isa->funcs[e->index];
	IrRef args[16];

	for (u32 i = 0; i < e->argc; i++)
		args[i] = lift_expr(l, e->args[i]);
	return lift_call_body(l, &func->body, args, e->argc);
}

static IrRef lift_host(Lift *l, const RtlExpr *e)
{
	IrRef args[16], result;

	for (u32 i = 0; i < e->argc; i++)
		args[i] = lift_expr(l, e->args[i]);
	l->calls_host = true;
	result = ir_host(l->func, e->index, e->width, args, e->argc);
	return result;
}

/* ---- expressions ---- */

IrRef lift_fit(Lift *l, IrRef ref, unsigned width)
{
	unsigned have = ir_width(l->func, ref);

	return have < width ? ir_zx(l->func, ref, width) : have > width ? ir_extract(l->func, ref, 0, width) : ref;
}

static IrRef lift_field(Lift *l, const RtlExpr *e)
{
	u64 value = isa_field_value(l->isa, l->decoded, e->index);

	if (e->kind == RTL_FIELDNUM) {
		const IsaField *field = &l->isa->fields[l->decoded->insn->fields[e->index].field];

		value += field->kind == ISA_FIELD_REG ? field->reg_from : 0;
	}
	return ir_const(l->func, e->width, value);
}

static bool has_effects(const Lift *l, const RtlExpr *e)
{
	if (!e)
		return false;
	if (e->kind == RTL_HOST || e->kind == RTL_MEM || e->kind == RTL_TABLE || e->kind == RTL_ATOMIC)
		return true;
	if (e->kind == RTL_CALL && (l->isa->funcs[e->index].body.effects & RTL_IMPURE))
		return true;
	for (u32 i = 0; i < e->argc && e->args; i++)
		if (has_effects(l, e->args[i]))
			return true;
	return has_effects(l, e->a) || has_effects(l, e->b) || has_effects(l, e->c);
}

/* a && b where b reads memory or calls: b is looked at only if a decides nothing. */
static IrRef lift_short_circuit(Lift *l, const RtlExpr *e)
{
	IrRef a = lift_expr(l, e->a), b;
	u64 known;
	u32 more, skip, join;
	IrRef arg;

	if (ir_is_const(l->func, a, &known)) {
		if ((e->kind == RTL_LAND) != (known != 0))
			return a;
		return lift_expr(l, e->b);
	}
	if (!has_effects(l, e->b)) {
		b = lift_expr(l, e->b);
		return ir_bin(l->func, e->kind == RTL_LAND ? IR_OP_AND : IR_OP_OR, a, b);
	}
	/* A diamond; the right side changes no register by itself (host functions are read again from their slots). */
	more = ir_block_create(l->func);
	skip = ir_block_create(l->func);
	join = ir_block_create(l->func);
	if (e->kind == RTL_LAND)
		ir_br(l->func, a, more, skip);
	else
		ir_br(l->func, a, skip, more);
	ir_block_begin(l->func, skip);
	arg = ir_const(l->func, 1, e->kind == RTL_LOR);
	ir_jmp(l->func, join, &arg, 1);
	ir_block_begin(l->func, more);
	arg = lift_expr(l, e->b);
	if (!l->dead)
		ir_jmp(l->func, join, &arg, 1);
	lift_begin_live(l, join);
	return ir_param(l->func, 1);
}

static IrRef lift_cond(Lift *l, const RtlExpr *e)
{
	IrRef cond = lift_expr(l, e->a), b, c;
	u64 known;

	if (ir_is_const(l->func, cond, &known))
		return lift_expr(l, known ? e->b : e->c);
	if (has_effects(l, e->b) || has_effects(l, e->c)) { /* only the chosen value is computed */
		u32 yes = ir_block_create(l->func), no = ir_block_create(l->func), join = ir_block_create(l->func);

		ir_br(l->func, cond, yes, no);
		ir_block_begin(l->func, yes);
		b = lift_expr(l, e->b);
		if (!l->dead)
			ir_jmp(l->func, join, &b, 1);
		lift_begin_live(l, no);
		c = lift_expr(l, e->c);
		if (!l->dead)
			ir_jmp(l->func, join, &c, 1);
		lift_begin_live(l, join);
		return ir_param(l->func, e->width);
	}
	b = lift_expr(l, e->b);
	c = lift_expr(l, e->c);
	return ir_select(l->func, cond, b, c);
}

static IrRef lift_table(Lift *l, const RtlExpr *e)
{
	IrRef row = lift_expr(l, e->a);
	u64 index, value;

	if (l->flow_only) /* what is in the row does not matter */
		return lift_zero(l, e->width);
	if (!ir_is_const(l->func, row, &index) || !l->in || !l->in->table ||
	    !l->in->table(l->in->ctx, e->index, e->index2, index, &value)) {
		ir_illegal(l->func); /* no such row: no such instruction */
		lift_go_dead(l);
		return lift_zero(l, e->width);
	}
	return ir_const(l->func, e->width, value);
}

static IrRef lift_bit(Lift *l, const RtlExpr *e)
{
	IrRef a = lift_expr(l, e->a), b = lift_expr(l, e->b);
	u64 bit;

	if (ir_is_const(l->func, b, &bit))
		return bit < e->a->width ? ir_extract(l->func, a, (unsigned)bit, 1) : lift_zero(l, 1);
	return ir_extract(l->func, ir_bin(l->func, IR_OP_SHR, a, b), 0, 1);
}

static IrRef lift_mem(Lift *l, const RtlExpr *e)
{
	return ir_load(l->func, e->index, e->width, lift_expr(l, e->a), l->raw && e->index == l->raw_space);
}

/* A mode is nearly always known: it stands in the instruction or in a context register. If not, all are computed. */
static IrRef lift_float(Lift *l, const RtlExpr *e)
{
	IrRef a = lift_expr(l, e->a), b = e->b ? lift_expr(l, e->b) : IR_NONE, c = e->c ? lift_expr(l, e->c) : IR_NONE;
	IrRef mode = e->argc ? lift_expr(l, e->args[0]) : IR_NONE, value = IR_NONE;
	IrRef (*make)(IrFunc *, IrOp, IrRound, unsigned, IrRef, IrRef, IrRef) = e->index2 ? ir_float_flags : ir_float;
	unsigned width = e->index2 ? (unsigned)e->value : e->width, mode_width;
	u64 known;

	if (mode == IR_NONE || !ir_float_rounds(e->irop, width))
		return make(l->func, e->irop, rtl_default_mode(e), width, a, b, c);
	if (ir_is_const(l->func, mode, &known))
		return make(l->func, e->irop, known < IR_ROUND_COUNT ? (IrRound)known : IR_ROUND_EVEN, width, a, b, c);
	mode_width = ir_width(l->func, mode);
	value = make(l->func, e->irop, IR_ROUND_EVEN, width, a, b, c);
	for (unsigned m = IR_ROUND_EVEN + 1; m < IR_ROUND_COUNT && (mode_width > 2 || m < 1u << mode_width); m++)
		value = ir_select(l->func, ir_bin(l->func, IR_OP_EQ, mode, ir_const(l->func, mode_width, m)),
				  make(l->func, e->irop, (IrRound)m, width, a, b, c), value);
	return value;
}

static IrRef lift_atomic(Lift *l, const RtlExpr *e)
{
	IrRef address = lift_expr(l, e->a), b = lift_expr(l, e->b), c = e->c ? lift_expr(l, e->c) : IR_NONE;
	bool raw = l->raw && e->index == l->raw_space;
	u64 order = IR_ORDER_BOTH;

	if (l->dead)
		return lift_zero(l, e->width);
	if (e->argc && !ir_is_const(l->func, lift_expr(l, e->args[0]), &order))
		order = IR_ORDER_BOTH;
	if (e->irop == IR_RMW_COUNT)
		return ir_cas(l->func, e->index, (unsigned)order, address, b, c, raw);
	return ir_rmw(l->func, (IrRmw)e->irop, e->index, (unsigned)order, address, b, raw);
}

/* Sets that are not known order everything. */
static void lift_fence(Lift *l, const RtlExpr *e)
{
	u64 sets[2];

	for (u32 i = 0; i < 2; i++)
		if (!ir_is_const(l->func, lift_expr(l, e->args[i]), &sets[i]))
			sets[i] = 15;
	if (!l->dead)
		ir_fence(l->func, (unsigned)sets[0], (unsigned)sets[1]);
}

static IrRef lift_expr_inner(Lift *l, const RtlExpr *e)
{
	switch ((RtlKind)e->kind) {
	case RTL_NUM:
		return ir_const(l->func, e->width, e->value);
	case RTL_FIELD: case RTL_FIELDNUM:
		return lift_field(l, e);
	case RTL_TARGET:
		return ir_const(l->func, e->width, isa_target(l->isa, l->decoded->insn, e->index, l->pc,
							      isa_field_value(l->isa, l->decoded, e->index)));
	case RTL_REGFIELD: case RTL_REG:
		return read_reg(l, e);
	case RTL_VIEW:
		return lift_call_body(l, l->isa->views[e->index].get, NULL, 0);
	case RTL_VAR:
		return lift_fit(l, l->env.vars[e->index], e->width);
	case RTL_PC:
		return l->handler ? ir_get(l->func, 0, e->width) : ir_const(l->func, e->width, l->pc);
	case RTL_NEXT:
		return ir_const(l->func, e->width, l->next);
	case RTL_MEM:
		return lift_mem(l, e);
	case RTL_ATOMIC:
		return lift_atomic(l, e);
	case RTL_FENCE:
		lift_fence(l, e);
		return lift_zero(l, 1);
	case RTL_TABLE:
		return lift_table(l, e);
	case RTL_BIN: {
		IrRef a = lift_expr(l, e->a), b = lift_expr(l, e->b);

		return ir_bin(l->func, e->irop, a, b);
	}
	case RTL_UN:
		return ir_un(l->func, e->irop, lift_expr(l, e->a));
	case RTL_FLOAT:
		return lift_float(l, e);
	case RTL_NEG:
		return ir_neg(l->func, lift_expr(l, e->a));
	case RTL_NOT: case RTL_LNOT:
		return ir_not(l->func, lift_expr(l, e->a));
	case RTL_LAND: case RTL_LOR:
		return lift_short_circuit(l, e);
	case RTL_COND:
		return lift_cond(l, e);
	case RTL_SLICE:
		return ir_extract(l->func, lift_expr(l, e->a), e->index2, e->width);
	case RTL_BIT:
		return lift_bit(l, e);
	case RTL_SX:
		return ir_sx(l->func, lift_expr(l, e->a), e->width);
	case RTL_ZX:
		return ir_zx(l->func, lift_expr(l, e->a), e->width);
	case RTL_CONCAT: {
		IrRef a = lift_expr(l, e->a), b = lift_expr(l, e->b);

		return ir_bin(l->func, IR_OP_CONCAT, a, b);
	}
	case RTL_CALL:
		return lift_call(l, e);
	case RTL_HOST:
		return lift_host(l, e);
	}
	return lift_zero(l, 1);
}

IrRef lift_expr(Lift *l, const RtlExpr *e)
{
	IrRef ref;

	if (lift_over_budget(l) || l->dead)
		return lift_zero(l, e->width ? e->width : 1);
	ref = lift_expr_inner(l, e);
	return ref == IR_NONE ? lift_zero(l, e->width ? e->width : 1) : ref;
}
