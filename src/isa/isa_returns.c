/* SPDX-License-Identifier: MIT
 *
 * Which bits a pc may have where guests return to (`ret e`): those that stay of e's masks, over all that the description says
 * anywhere. Engines that know need not mask each return by itself.
 *
 *     let t = (rs1 + imm) & ~1; .. ret t     all but the lowest
 *
 * Of a variable all that is ever assigned to it counts, wherever that stands; what is not understood may have any bit.
 */
#include "isa/isa_parse.h"

#include "isa/rtl.h"

enum { DEEPEST = 4 }; /* variables that are looked through, one behind the other */

static const u64 any = ~(u64)0;

static u64 bits_of(const Isa *isa, const RtlBody *body, const RtlExpr *e, unsigned depth);

/* The variable that (a part of) is written. */
static bool writes(const RtlExpr *lhs, u16 var, bool *whole)
{
	*whole = true;
	while (lhs && (lhs->kind == RTL_SLICE || lhs->kind == RTL_BIT)) {
		*whole = false;
		lhs = lhs->a;
	}
	return lhs && lhs->kind == RTL_VAR && lhs->index == var;
}

/* What these statements assign to it. */
static u64 assigned(const Isa *isa, const RtlBody *body, const RtlStmt *s, u16 var, unsigned depth)
{
	u64 bits = 0;
	bool whole;

	for (; s; s = s->next) {
		bits |= assigned(isa, body, s->yes, var, depth) | assigned(isa, body, s->no, var, depth);
		if (s->kind == RTL_FOR && s->var == var)
			return any;
		if (s->kind == RTL_SWAP && (writes(s->lhs, var, &whole) || writes(s->rhs, var, &whole)))
			return any;
		if (s->kind == RTL_ASSIGN && writes(s->lhs, var, &whole))
			bits |= whole ? bits_of(isa, body, s->rhs, depth) : any;
	}
	return bits;
}

static u64 bits_of(const Isa *isa, const RtlBody *body, const RtlExpr *e, unsigned depth)
{
	u64 value;

	if (rtl_const(isa, e, NULL, &value))
		return value;
	if (e->kind == RTL_BIN && e->irop == IR_OP_AND)
		return bits_of(isa, body, e->a, depth) & bits_of(isa, body, e->b, depth);
	if (e->kind == RTL_VAR && e->index >= body->param_count && depth < DEEPEST)
		return assigned(isa, body, body->stmts, e->index, depth + 1);
	return any;
}

static u64 returned(const Isa *isa, const RtlBody *body, const RtlStmt *s)
{
	u64 bits = 0;

	for (; s; s = s->next) {
		bits |= returned(isa, body, s->yes) | returned(isa, body, s->no);
		if (s->kind == RTL_JUMP && s->flow == IR_FLOW_RET)
			bits |= bits_of(isa, body, s->rhs, 0);
	}
	return bits;
}

u64 isa_find_return_bits(const Isa *isa)
{
	u64 bits = 0;

	for (u32 i = 0; i < isa->insn_count; i++)
		if (isa->insns[i].body)
			bits |= returned(isa, isa->insns[i].body, isa->insns[i].body->stmts);
	for (u32 i = 0; i < isa->func_count; i++)
		bits |= returned(isa, &isa->funcs[i].body, isa->funcs[i].body.stmts);
	for (u32 i = 0; i < isa->handler_count; i++)
		if (isa->handlers[i].body)
			bits |= returned(isa, isa->handlers[i].body, isa->handlers[i].body->stmts);
	for (u32 i = 0; i < isa->view_count; i++) {
		const IsaView *view = &isa->views[i];

		if (view->get)
			bits |= returned(isa, view->get, view->get->stmts);
		if (view->set)
			bits |= returned(isa, view->set, view->set->stmts);
	}
	return bits ? bits : any;
}
