/* SPDX-License-Identifier: MIT
 *
 * From meaning to IR: each decoded instruction's tree is walked once with its fields known, so that everything that
 * is constant at decode time folds while it is built.
 *
 * Registers. Writes are held back (env.pending) until the instruction ends, reads look there first. That is the
 * commit rule: when a raise, a fault or a wait leaves the instruction, no register has changed.
 *
 * Jumps are held back too (env.jump): `jump` says where the next instruction is; what stands behind it still runs.
 *
 * An `if` whose condition is not known becomes, in this order:
 *   1. pure arms           -> both evaluated, differences joined by SEL
 *   2. an arm that leaves  -> BR to it; the rest goes on in line
 *   3. an arm with a jump  -> both arms, each followed by a copy of the rest (the paths have different next pcs)
 *   4. anything else       -> diamond; differences become parameters of the join block
 *
 * A block of guest instructions ends at a jump, at a host call, when a register that is context or that interrupts
 * depend on is written, and around an instruction that touches memory after a store (RtlBody.alone): such an
 * instruction can't be started again half way, so it stands in a block of its own, where engines carry slow
 * accesses out in place.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "ir/ir.h"
#include "isa/isa.h"
#include "isa/rtl.h"

enum {
	INS_PER_INSN_MAX = 60000, /* IR one guest instruction may become; beyond it, the description is unreasonable */
	PENDING_MAX = 300,
	FORK_DEPTH_MAX = 24,
	LIFT_DEPTH_MAX = 200,
};

typedef struct Pending {
	u32 slot;
	IrRef value;
} Pending;

/* Everything that assignments change. Copied at forks. */
typedef struct Env {
	IrRef *vars; /* of the current frame */
	u32 var_count;
	Pending *pending; /* room for PENDING_MAX */
	u32 pending_count;
	IrRef jump;  /* IR_NONE: falls through */
	u8 flow;
} Env;

/* What runs after a list of statements ends. */
typedef struct Cont {
	const RtlStmt *stmts;
	IrRef *caller_vars; /* not NULL: restore these variables (return from a function) */
	u32 caller_var_count;
	const struct Cont *next;
} Cont;

typedef struct Lift {
	const Isa *isa;
	const IsaLift *in;   /* NULL for handlers */
	Arena *arena;
	IrFunc *func;
	Env env;
	const IsaDecoded *decoded; /* NULL in handlers */
	u64 pc, next;
	u32 insn_start;      /* IR index where the instruction began */
	Pending *pending_room; /* reused by each instruction of a block */
	u32 forks, depth;
	bool handler, raw;   /* raw: memory accesses pass devices by */
	u16 raw_space;
	bool dirty, ended;   /* this instruction ends the guest block */
	bool calls_host;
	bool dead;           /* the current IR block can't be reached: the instruction has been left */
	bool failed;
	const RtlBody *body;
} Lift;

static IrRef lift_expr(Lift *l, const RtlExpr *e);
static void lift_inline(Lift *l, const RtlStmt *stmts);
static void lift_seq(Lift *l, const RtlStmt *stmts, const Cont *cont);

static bool over_budget(Lift *l)
{
	if (l->func->ins_count - l->insn_start > INS_PER_INSN_MAX || l->depth > LIFT_DEPTH_MAX || l->forks > FORK_DEPTH_MAX ||
	    l->func->failed)
		l->failed = true;
	return l->failed;
}

static IrRef zero(Lift *l, unsigned width)
{
	return ir_const(l->func, width, 0);
}

/* Behind a raise or stop nothing is reached, but an expression may be half way: it goes on in a block without
 * predecessors, which is closed by begin_live or end_path. */
static void go_dead(Lift *l)
{
	l->dead = true;
	ir_block_begin(l->func, ir_block_create(l->func));
}

static void close_dead(Lift *l)
{
	if (l->dead && l->handler)
		ir_ret(l->func, IR_NONE);
	else if (l->dead)
		ir_illegal(l->func);
	l->dead = false;
}

static void begin_live(Lift *l, u32 block)
{
	close_dead(l);
	ir_block_begin(l->func, block);
}

/* ---- environment ---- */

static bool env_copy(Lift *l, Env *to, const Env *from)
{
	*to = *from;
	to->vars = ARENA_ARRAY(l->arena, IrRef, from->var_count ? from->var_count : 1);
	to->pending = ARENA_ARRAY(l->arena, Pending, PENDING_MAX);
	if (!to->vars || !to->pending) {
		l->failed = true;
		return false;
	}
	memcpy(to->vars, from->vars, from->var_count * sizeof(IrRef));
	memcpy(to->pending, from->pending, from->pending_count * sizeof(Pending));
	return true;
}

static Pending *find_pending(Env *env, u32 slot)
{
	for (u32 i = 0; i < env->pending_count; i++)
		if (env->pending[i].slot == slot)
			return &env->pending[i];
	return NULL;
}

static IrRef read_slot(Lift *l, u32 slot, unsigned width)
{
	Pending *p = find_pending(&l->env, slot);

	if (p)
		return p->value;
	/* Context registers are part of the key a block is found by: inside it they are constants. */
	for (u32 i = 0; l->in && i < l->isa->context_count; i++)
		if (l->isa->regs[l->isa->context_regs[i]].slot == slot)
			return ir_const(l->func, width, l->in->slots[slot]);
	return ir_get(l->func, slot, width);
}

static void write_slot(Lift *l, u32 slot, IrRef value)
{
	Pending *p = find_pending(&l->env, slot);

	if (!p) {
		if (l->env.pending_count == PENDING_MAX) {
			l->failed = true;
			return;
		}
		p = &l->env.pending[l->env.pending_count++];
		p->slot = slot;
	}
	p->value = value;
}

static const IsaReg *reg_of_slot(const Isa *isa, u32 slot)
{
	for (u32 r = 0; r < isa->reg_count; r++)
		if (slot >= isa->regs[r].slot && slot - isa->regs[r].slot < isa->regs[r].count)
			return &isa->regs[r];
	return &isa->regs[isa->pc_reg];
}

static void commit(Lift *l)
{
	for (u32 i = 0; i < l->env.pending_count; i++) {
		const IsaReg *r = reg_of_slot(l->isa, l->env.pending[i].slot);

		ir_put(l->func, l->env.pending[i].slot, l->env.pending[i].value);
		if (r->context || r->irq)
			l->dirty = true;
	}
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
	IrRef index = lift_expr(l, e->a), value = zero(l, r->width);

	for (u32 i = 0; i < r->count && !over_budget(l); i++) {
		IrRef here = r->const_mask && r->const_mask[i] ? ir_const(l->func, r->width, r->const_values[i])
							       : read_slot(l, r->slot + i, r->width);
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
		return e->kind == RTL_REG && e->a ? read_reg_dynamic(l, e) : zero(l, e->width);
	r = &l->isa->regs[reg];
	if (r->const_mask && r->const_mask[element])
		return ir_const(l->func, r->width, r->const_values[element]);
	return read_slot(l, r->slot + element, r->width);
}

static void write_reg(Lift *l, const RtlExpr *e, IrRef value)
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
		for (u32 i = 0; i < r->count && !over_budget(l); i++) {
			if (ir_width(l->func, index) < 32 && i >> ir_width(l->func, index))
				break;
			if (r->const_mask && r->const_mask[i])
				continue;
			write_slot(l, r->slot + i,
				   ir_select(l->func, ir_bin(l->func, IR_OP_EQ, index, ir_const(l->func, ir_width(l->func, index), i)),
					     value, read_slot(l, r->slot + i, r->width)));
		}
		return;
	}
	r = &l->isa->regs[reg];
	if (r->const_mask && r->const_mask[element])
		return;
	write_slot(l, r->slot + element, value);
}

/* ---- calls ---- */

/* Runs a body in a frame of its own, in line; its conditional jumps are not allowed here (the loader made sure that
 * only statement calls have them). */
static IrRef call_body(Lift *l, const RtlBody *body, const IrRef *args, u32 argc)
{
	IrRef *saved = l->env.vars, result = IR_NONE;
	u32 saved_count = l->env.var_count;
	const RtlBody *saved_body = l->body;

	if (++l->depth > LIFT_DEPTH_MAX || over_budget(l)) {
		l->failed = true;
		l->depth--;
		return zero(l, body->result_width ? body->result_width : 1);
	}
	l->env.vars = ARENA_ARRAY(l->arena, IrRef, body->var_count ? body->var_count : 1);
	if (!l->env.vars) {
		l->failed = true;
		l->env.vars = saved;
		l->depth--;
		return IR_NONE;
	}
	l->env.var_count = body->var_count;
	for (u32 i = 0; i < body->var_count; i++)
		l->env.vars[i] = i < argc ? args[i] : zero(l, body->var_widths[i] ? body->var_widths[i] : 1);
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
	return call_body(l, &func->body, args, e->argc);
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

static IrRef fit(Lift *l, IrRef ref, unsigned width)
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
	if (e->kind == RTL_HOST || e->kind == RTL_MEM || e->kind == RTL_TABLE)
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
	begin_live(l, join);
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
		begin_live(l, no);
		c = lift_expr(l, e->c);
		if (!l->dead)
			ir_jmp(l->func, join, &c, 1);
		begin_live(l, join);
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

	if (!ir_is_const(l->func, row, &index) || !l->in || !l->in->table ||
	    !l->in->table(l->in->ctx, e->index, e->index2, index, &value)) {
		ir_illegal(l->func); /* no such row: no such instruction */
		go_dead(l);
		return zero(l, e->width);
	}
	return ir_const(l->func, e->width, value);
}

static IrRef lift_bit(Lift *l, const RtlExpr *e)
{
	IrRef a = lift_expr(l, e->a), b = lift_expr(l, e->b);
	u64 bit;

	if (ir_is_const(l->func, b, &bit))
		return bit < e->a->width ? ir_extract(l->func, a, (unsigned)bit, 1) : zero(l, 1);
	return ir_extract(l->func, ir_bin(l->func, IR_OP_SHR, a, b), 0, 1);
}

static IrRef lift_mem(Lift *l, const RtlExpr *e)
{
	return ir_load(l->func, e->index, e->width, lift_expr(l, e->a), l->raw && e->index == l->raw_space);
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
		return call_body(l, l->isa->views[e->index].get, NULL, 0);
	case RTL_VAR:
		return fit(l, l->env.vars[e->index], e->width);
	case RTL_PC:
		return l->handler ? ir_get(l->func, 0, e->width) : ir_const(l->func, e->width, l->pc);
	case RTL_NEXT:
		return ir_const(l->func, e->width, l->next);
	case RTL_MEM:
		return lift_mem(l, e);
	case RTL_TABLE:
		return lift_table(l, e);
	case RTL_BIN: {
		IrRef a = lift_expr(l, e->a), b = lift_expr(l, e->b);

		return ir_bin(l->func, e->irop, a, b);
	}
	case RTL_UN:
		return ir_un(l->func, e->irop, lift_expr(l, e->a));
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
	return zero(l, 1);
}

static IrRef lift_expr(Lift *l, const RtlExpr *e)
{
	IrRef ref;

	if (over_budget(l) || l->dead)
		return zero(l, e->width ? e->width : 1);
	ref = lift_expr_inner(l, e);
	return ref == IR_NONE ? zero(l, e->width ? e->width : 1) : ref;
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
		write_reg(l, lhs, value);
		break;
	case RTL_PC:
		l->env.jump = value;
		l->env.flow = IR_FLOW_JUMP;
		break;
	case RTL_MEM:
		ir_store(l->func, lhs->index, lift_expr(l, lhs->a), value, l->raw && lhs->index == l->raw_space);
		break;
	case RTL_VIEW:
		call_body(l, l->isa->views[lhs->index].set, &value, 1);
		break;
	case RTL_SLICE: /* x[hi:lo] = v: the other bits stay */
		old = lift_expr(l, lhs->a);
		width = lhs->a->width;
		mask = ir_const(l->func, width, ~(bits_mask(lhs->width) << lhs->index2));
		shifted = ir_bin(l->func, IR_OP_SHL, fit(l, value, width), ir_const(l->func, 7, lhs->index2));
		assign(l, lhs->a, ir_bin(l->func, IR_OP_OR, ir_bin(l->func, IR_OP_AND, old, mask), shifted));
		break;
	case RTL_BIT: {
		IrRef number = lift_expr(l, lhs->b);

		old = lift_expr(l, lhs->a);
		width = lhs->a->width;
		if (ir_is_const(l->func, number, &bit) && bit >= width)
			break;
		mask = ir_not(l->func, ir_bin(l->func, IR_OP_SHL, ir_const(l->func, width, 1), number));
		shifted = ir_bin(l->func, IR_OP_SHL, fit(l, value, width), number);
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
		close_dead(l);
		return;
	}
	commit(l);
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
		commit(l);
		if (!l->handler)
			ir_put(l->func, 0, l->env.jump != IR_NONE ? l->env.jump : ir_const(l->func, l->isa->pc_width, l->next));
		else if (l->env.jump != IR_NONE)
			ir_put(l->func, 0, l->env.jump);
		ir_stop(l->func, number);
	}
	go_dead(l);
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

/* 1. Both arms evaluated, differences by SEL. */
static void lift_if_pure(Lift *l, const RtlStmt *s, IrRef cond)
{
	Env before, yes;

	if (!env_copy(l, &before, &l->env))
		return;
	lift_inline(l, s->yes);
	yes = l->env;
	l->env = before;
	if (!env_copy(l, &l->env, &before))
		return;
	lift_inline(l, s->no);
	for (u32 i = 0; i < l->env.var_count && !l->failed; i++)
		if (l->env.vars[i] != yes.vars[i] && ir_width(l->func, l->env.vars[i]) == ir_width(l->func, yes.vars[i]))
			l->env.vars[i] = ir_select(l->func, cond, yes.vars[i], l->env.vars[i]);
	for (u32 i = 0; i < yes.pending_count && !l->failed; i++) {
		u32 slot = yes.pending[i].slot;
		IrRef no = read_slot(l, slot, ir_width(l->func, yes.pending[i].value));

		write_slot(l, slot, ir_select(l->func, cond, yes.pending[i].value, no));
	}
	for (u32 i = 0; i < l->env.pending_count && !l->failed; i++) {
		Pending *p = &l->env.pending[i];

		if (!find_pending(&yes, p->slot))
			p->value = ir_select(l->func, cond, ir_get(l->func, p->slot, ir_width(l->func, p->value)), p->value);
	}
}

/* 2. One arm leaves the instruction. */
static void lift_if_leaving(Lift *l, const RtlStmt *s, IrRef cond, bool yes_leaves)
{
	u32 away = ir_block_create(l->func), rest = ir_block_create(l->func);
	Env before;

	if (!env_copy(l, &before, &l->env))
		return;
	ir_br(l->func, cond, yes_leaves ? away : rest, yes_leaves ? rest : away);
	ir_block_begin(l->func, away);
	lift_inline(l, yes_leaves ? s->yes : s->no);
	l->dead = true; /* the checker said that it leaves; were it not so, this would make it illegal */
	begin_live(l, rest);
	l->env = before;
	lift_inline(l, yes_leaves ? s->no : s->yes);
}

/* Slots that a list may write, so that both arms of a diamond have a value for them. */
typedef struct SlotSet {
	u8 bits[4200 / 8];
} SlotSet;

static void collect_expr(Lift *l, const RtlExpr *e, SlotSet *set);
static void collect_stmts(Lift *l, const RtlStmt *s, SlotSet *set);

static void collect_body(Lift *l, const RtlBody *body, SlotSet *set)
{
	collect_expr(l, body->value, set);
	collect_stmts(l, body->stmts, set);
}

static void collect_target(Lift *l, const RtlExpr *e, SlotSet *set)
{
	u32 from = 0, count = 0;

	if (e->kind == RTL_REGFIELD) {
		const IsaField *field = &l->isa->fields[l->decoded->insn->fields[e->index].field];

		from = l->isa->regs[field->reg].slot + field->reg_from + (u32)isa_field_value(l->isa, l->decoded, e->index);
		count = 1;
	} else if (e->kind == RTL_REG) {
		from = l->isa->regs[e->index].slot;
		count = l->isa->regs[e->index].count;
		if (e->a && e->a->kind == RTL_NUM && e->a->value < count)
			from += (u32)e->a->value, count = 1;
	} else if (e->kind == RTL_VIEW) {
		collect_body(l, l->isa->views[e->index].set, set);
	} else if (e->kind == RTL_SLICE || e->kind == RTL_BIT) {
		collect_target(l, e->a, set);
	}
	for (u32 i = from; i < from + count && i < sizeof(set->bits) * 8; i++)
		set->bits[i / 8] |= (u8)(1u << i % 8);
}

static void collect_expr(Lift *l, const RtlExpr *e, SlotSet *set)
{
	if (!e || l->failed)
		return;
	if (e->kind == RTL_CALL)
		collect_body(l, &l->isa->funcs[e->index].body, set);
	for (u32 i = 0; i < e->argc && e->args; i++)
		collect_expr(l, e->args[i], set);
	collect_expr(l, e->a, set);
	collect_expr(l, e->b, set);
	collect_expr(l, e->c, set);
}

static void collect_stmts(Lift *l, const RtlStmt *s, SlotSet *set)
{
	for (; s; s = s->next) {
		collect_expr(l, s->rhs, set);
		if (s->kind == RTL_ASSIGN || s->kind == RTL_SWAP) {
			if (s->lhs)
				collect_target(l, s->lhs, set);
			if (s->kind == RTL_SWAP)
				collect_target(l, s->rhs, set);
		}
		if (s->kind == RTL_CHARGE && l->isa->cycles_reg != ISA_NONE) {
			u32 slot = l->isa->regs[l->isa->cycles_reg].slot;

			set->bits[slot / 8] |= (u8)(1u << slot % 8);
		}
		collect_stmts(l, s->yes, set);
		collect_stmts(l, s->no, set);
	}
}

/* 4. A diamond with a join block. */
static void lift_if_diamond(Lift *l, const RtlStmt *s, IrRef cond)
{
	IrFunc *func = l->func;
	u32 yes_block = ir_block_create(func), no_block = ir_block_create(func), join = ir_block_create(func);
	SlotSet *set = ARENA_NEW(l->arena, SlotSet);
	IrRef *yes_args, *no_args;
	Env before, yes, no;
	u32 yes_jmp, no_jmp, count = 0, base;
	bool yes_dead, no_dead;

	if (!set) {
		l->failed = true;
		return;
	}
	collect_stmts(l, s->yes, set);
	collect_stmts(l, s->no, set);
	for (u32 slot = 0; slot < l->isa->slot_count && !l->failed; slot++)
		if (set->bits[slot / 8] >> slot % 8 & 1) {
			const IsaReg *r = reg_of_slot(l->isa, slot);

			if (!(r->const_mask && r->const_mask[slot - r->slot]))
				write_slot(l, slot, read_slot(l, slot, r->width));
		}
	if (l->failed || !env_copy(l, &before, &l->env))
		return;
	ir_br(func, cond, yes_block, no_block);
	ir_block_begin(func, yes_block);
	lift_inline(l, s->yes);
	yes = l->env;
	yes_dead = l->dead;
	yes_jmp = func->ins_count;
	if (!yes_dead)
		ir_jmp(func, join, NULL, 0);
	if (l->failed || !env_copy(l, &l->env, &before))
		return;
	begin_live(l, no_block);
	lift_inline(l, s->no);
	no = l->env;
	no_dead = l->dead;
	no_jmp = func->ins_count;
	if (!no_dead)
		ir_jmp(func, join, NULL, 0);
	begin_live(l, join);
	if (func->failed || l->failed)
		return;
	if (yes_dead || no_dead) {
		l->env = yes_dead ? no : yes;
		l->dead = yes_dead && no_dead;
		return;
	}
	/* What differs becomes parameters. The arguments were not known when the JMPs were made: they go in now. */
	yes_args = ARENA_ARRAY(l->arena, IrRef, no.var_count + no.pending_count + 1);
	no_args = ARENA_ARRAY(l->arena, IrRef, no.var_count + no.pending_count + 1);
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
	for (u32 i = 0; i < no.pending_count; i++) {
		Pending *y = find_pending(&yes, no.pending[i].slot);

		if (!y || y->value == no.pending[i].value)
			continue;
		yes_args[count] = y->value;
		no_args[count++] = no.pending[i].value;
		l->env.pending[i].value = ir_param(func, ir_width(func, no.pending[i].value));
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

static void lift_charge(Lift *l, IrRef cycles)
{
	u32 slot;

	if (l->isa->cycles_reg == ISA_NONE)
		return;
	slot = l->isa->regs[l->isa->cycles_reg].slot;
	write_slot(l, slot, ir_bin(l->func, IR_OP_ADD, read_slot(l, slot, 64), fit(l, cycles, 64)));
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

static bool for_bounds(Lift *l, const RtlStmt *s, u64 *lo, u64 *hi)
{
	IrRef a = lift_expr(l, s->rhs), b = lift_expr(l, s->hi);

	if (!ir_is_const(l->func, a, lo) || !ir_is_const(l->func, b, hi)) {
		l->failed = true;
		return false;
	}
	return true;
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
static void lift_inline(Lift *l, const RtlStmt *stmts)
{
	l->depth++;
	for (const RtlStmt *s = stmts; s && !l->dead && !over_budget(l); s = s->next) {
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
			u64 lo, hi;

			if (!for_bounds(l, s, &lo, &hi))
				break;
			for (u64 i = lo; i < hi && !over_budget(l); i++) {
				l->env.vars[s->var] = ir_const(l->func, 32, i);
				lift_inline(l, s->yes);
			}
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
	IrRef *vars = ARENA_ARRAY(l->arena, IrRef, body->var_count ? body->var_count : 1);
	Cont back = {.stmts = s->next, .caller_vars = l->env.vars, .caller_var_count = l->env.var_count, .next = cont};

	if (!vars) {
		l->failed = true;
		return;
	}
	for (u32 i = 0; i < body->var_count; i++)
		vars[i] = i < s->rhs->argc ? lift_expr(l, s->rhs->args[i]) : zero(l, body->var_widths[i] ? body->var_widths[i] : 1);
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
	if (over_budget(l) || !env_copy(l, &before, &l->env))
		return;
	ir_br(l->func, cond, yes, no);
	ir_block_begin(l->func, yes);
	lift_seq(l, s->yes, &rest);
	if (l->failed)
		return;
	l->env = before;
	begin_live(l, no);
	lift_seq(l, s->no, &rest);
}

/* A list with all that follows it to the end of the instruction. */
static void lift_seq(Lift *l, const RtlStmt *stmts, const Cont *cont)
{
	if (++l->depth > LIFT_DEPTH_MAX)
		l->failed = true;
	for (const RtlStmt *s = stmts; s; s = s->next) {
		if (over_budget(l) || l->dead)
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
			u64 lo, hi;

			if (!for_bounds(l, s, &lo, &hi))
				break;
			for (u64 i = lo; i < hi && !over_budget(l); i++) {
				l->env.vars[s->var] = ir_const(l->func, 32, i);
				lift_inline(l, s->yes);
			}
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

/* ---- one instruction, one block ---- */

static bool env_start(Lift *l, const RtlBody *body)
{
	l->env = (Env){.jump = IR_NONE, .var_count = body->var_count};
	l->env.vars = ARENA_ARRAY(l->arena, IrRef, body->var_count ? body->var_count : 1);
	if (!l->pending_room)
		l->pending_room = ARENA_ARRAY(l->arena, Pending, PENDING_MAX);
	l->env.pending = l->pending_room;
	if (!l->env.vars || !l->env.pending)
		return false;
	for (u32 i = 0; i < body->var_count; i++)
		l->env.vars[i] = zero(l, body->var_widths[i] ? body->var_widths[i] : 1);
	l->body = body;
	return true;
}

static const IsaHandler *find_handler(const Isa *isa, u8 kind)
{
	for (u32 i = 0; i < isa->handler_count; i++)
		if (isa->handlers[i].kind == kind)
			return &isa->handlers[i];
	return NULL;
}

/* `on fetch(a)`: checks before the instruction itself. */
static void lift_fetch_check(Lift *l)
{
	const IsaHandler *h = find_handler(l->isa, ISA_ON_FETCH);
	IrRef pc;

	if (!h)
		return;
	pc = ir_const(l->func, l->isa->pc_width, l->pc);
	call_body(l, h->body, &pc, 1);
}

static void lift_instruction(Lift *l)
{
	const IsaInsn *insn = l->decoded->insn;

	static const RtlBody empty = {.result_var = ISA_NONE};

	if (!env_start(l, insn ? insn->body : &empty)) {
		l->failed = true;
		return;
	}
	lift_fetch_check(l);
	if (!insn && !l->dead) {
		ir_illegal(l->func);
		return;
	}
	if (l->dead) {
		close_dead(l);
		return;
	}
	if (l->isa->cycles_reg != ISA_NONE && insn->cost)
		lift_charge(l, ir_const(l->func, 64, insn->cost));
	lift_seq(l, insn->body->stmts, NULL);
}

/* Nothing could be fetched at pc: an access there faults, and says where. */
static void lift_fetch_fault(Lift *l)
{
	const IsaSpace *space = &l->isa->spaces[l->isa->code_space];
	u32 cells = l->isa->max_bits / space->cell_bits;

	for (u32 i = 0; i < cells; i++)
		ir_load(l->func, l->isa->code_space, space->cell_bits, ir_const(l->func, l->isa->pc_width, l->pc + i), false);
	ir_illegal(l->func);
}

static void open_instruction(Lift *l, const IsaDecoded *decoded, u64 pc, u32 number)
{
	l->decoded = decoded;
	l->pc = pc;
	l->next = bits_trunc(pc + decoded->cells, l->isa->pc_width);
	l->insn_start = l->func->ins_count;
	l->dirty = l->ended = l->calls_host = l->dead = false;
	l->forks = l->depth = 0;
	ir_insn(l->func, pc, decoded->cells, number);
}

Status isa_lift_block(const IsaLift *lift, u64 pc, u32 max_insns, Arena *arena, IsaLifted *out)
{
	const Isa *isa = lift->isa;
	Lift l = {.isa = isa, .in = lift, .arena = arena};
	u32 count = 0;

	*out = (IsaLifted){0};
	l.func = ir_func_create(arena, IR_FUNC_BLOCK);
	if (!l.func)
		return STATUS_NOMEM;
	pc = bits_trunc(pc, isa->pc_width);
	do {
		IsaDecoded decoded;
		bool alone;

		if (count && lift->stop_before && lift->stop_before(lift->ctx, pc))
			break;
		*lift->fetch_address = pc;
		isa_decode(isa, lift->fetch_at, lift->ctx, &decoded);
		alone = decoded.insn && decoded.insn->body->alone;
		if (count && (alone || !decoded.insn))
			break;
		open_instruction(&l, &decoded, pc, count);
		count++;
		out->cells += decoded.cells;
		if (decoded.fetch_failed && !decoded.insn) {
			lift_fetch_fault(&l);
			break;
		}
		lift_instruction(&l);
		if (l.failed || l.func->failed)
			return l.func->failed || arena->failed ? STATUS_NOMEM : STATUS_TOO_BIG;
		pc = l.next;
		out->dirty = out->dirty || l.dirty || l.calls_host;
		if (l.ended || alone)
			break;
	} while (count < max_insns && !ir_block_ended(l.func));
	if (!ir_block_ended(l.func))
		ir_goto(l.func, ir_const(l.func, isa->pc_width, pc), IR_FLOW_NEXT);
	out->func = l.func;
	out->insns = count;
	return l.func->failed ? STATUS_NOMEM : STATUS_OK;
}

/* A body with arguments as a handler function. */
static Status lift_handler_body(const Isa *isa, const RtlBody *body, u16 raw_space, Arena *arena, IrFunc **out)
{
	Lift l = {.isa = isa, .arena = arena, .handler = true, .raw = raw_space != ISA_NONE, .raw_space = raw_space};

	l.func = ir_func_create(arena, IR_FUNC_HANDLER);
	if (!l.func || !env_start(&l, body))
		return STATUS_NOMEM;
	for (u32 i = 0; i < body->param_count; i++)
		l.env.vars[i] = ir_arg(l.func, i, body->var_widths[i]);
	if (body->value) {
		IrRef value = lift_expr(&l, body->value);

		ir_ret(l.func, value);
	} else {
		lift_seq(&l, body->stmts, NULL);
	}
	*out = l.func;
	if (l.func->failed || arena->failed)
		return STATUS_NOMEM;
	return l.failed ? STATUS_TOO_BIG : STATUS_OK;
}

Status isa_lift_handler(const Isa *isa, const IsaHandler *handler, bool when, Arena *arena, IrFunc **out)
{
	bool raw = handler->kind == ISA_ON_READ || handler->kind == ISA_ON_WRITE;

	if (when && !handler->when)
		return STATUS_NOT_FOUND;
	return lift_handler_body(isa, when ? handler->when : handler->body, raw ? handler->space : ISA_NONE, arena, out);
}

Status isa_lift_view(const Isa *isa, const IsaView *view, bool set, Arena *arena, IrFunc **out)
{
	if (set && !view->set)
		return STATUS_NOT_FOUND;
	return lift_handler_body(isa, set ? view->set : view->get, ISA_NONE, arena, out);
}

IsaFlow isa_flow(const Isa *isa, const IsaDecoded *decoded)
{
	Arena arena;
	Lift l = {.isa = isa, .arena = &arena};
	IsaFlow flow = {0};
	u32 nexts = 0, gotos = 0;

	if (!decoded->insn)
		return flow;
	arena_init(&arena);
	l.func = ir_func_create(&arena, IR_FUNC_BLOCK);
	if (l.func) {
		open_instruction(&l, decoded, 0, 0);
		lift_instruction(&l);
		for (u32 i = 0; i < l.func->ins_count; i++) {
			const IrIns *ins = &l.func->ins[i];

			flow.host = flow.host || ins->op == IR_OP_HOST;
			flow.stops = flow.stops || ins->op == IR_OP_STOP;
			if (ins->op != IR_OP_GOTO)
				continue;
			gotos++;
			nexts += ins->aux == IR_FLOW_NEXT;
			flow.jumps = flow.jumps || ins->aux == IR_FLOW_JUMP;
			flow.calls = flow.calls || ins->aux == IR_FLOW_CALL;
			flow.returns = flow.returns || ins->aux == IR_FLOW_RET;
		}
		flow.conditional = nexts > 0 && gotos > nexts;
	}
	arena_fini(&arena);
	return flow;
}
