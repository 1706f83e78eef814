/* SPDX-License-Identifier: MIT
 *
 * atomic.add(mem:32, address, value), atomic.cas(mem:32, address, expected, new): a cell read and written in one step;
 * the value is what was there. A last argument of two bits may give the order: 2 acquire, 1 release, 3 both (which it is
 * otherwise). fence(before, after) orders accesses of the kinds in its two sets: 1 writes, 2 reads, 4 output, 8 input.
 */
#include "base/nearest.h"
#include "isa/isa_parse.h"

static const struct {
	const char *name;
	u8 op, args; /* behind the space */
} atomics[] = {
	{"swap", IR_RMW_SWAP, 2}, {"add", IR_RMW_ADD, 2}, {"and", IR_RMW_AND, 2},   {"or", IR_RMW_OR, 2},
	{"xor", IR_RMW_XOR, 2},   {"min", IR_RMW_MIN, 2}, {"max", IR_RMW_MAX, 2},   {"minu", IR_RMW_MINU, 2},
	{"maxu", IR_RMW_MAXU, 2}, {"cas", IR_RMW_COUNT, 3},
};

/* mem, mem:32 */
static bool parse_place(Parser *p, RtlExpr *e)
{
	u16 space = p->tok.kind == TOK_IDENT ? isa_find_space(p->isa, tok_text(p), p->tok.len) : (u16)ISA_NONE;

	if (space == ISA_NONE) {
		error_here(p, "write: atomic.add(mem:32, address, value)", "an atomic access begins with its space");
		return false;
	}
	lex_next(p);
	e->index = space;
	e->width = p->isa->spaces[space].cell_bits;
	if (accept(p, ":"))
		e->width = parse_access_width(p, space);
	return true;
}

RtlExpr *parse_atomic(Parser *p, u32 pos)
{
	RtlExpr *e = rtl_new_expr(p, RTL_ATOMIC, pos), *args[4] = {NULL};
	const char *name;
	u32 len, i = 0, count = 0;

	expect(p, ".", "behind 'atomic'");
	name = tok_text(p);
	len = p->tok.len;
	lex_next(p);
	while (i < COUNT_OF(atomics) && !text_is(name, len, atomics[i].name))
		i++;
	if (i == COUNT_OF(atomics)) {
		Nearest n = nearest_to(name, len);

		for (u32 k = 0; k < COUNT_OF(atomics); k++)
			nearest_consider(&n, atomics[k].name);
		parse_error(p, pos, 7 + len,
			    n.name ? arena_printf(p->arena, "did you mean 'atomic.%s'?", n.name)
				   : "there are swap add and or xor min max minu maxu cas",
			    "unknown atomic operation '%.*s'", (int)(len > 60 ? 60 : len), name);
		p->give_up = true;
		return rtl_number(p, pos, 0);
	}
	if (!expect(p, "(", "before the space") || !parse_place(p, e)) {
		p->give_up = true;
		return rtl_number(p, pos, 0);
	}
	while (accept(p, ",") && count < COUNT_OF(args) && !p->give_up)
		args[count++] = parse_expr(p);
	expect(p, ")", "after the operands");
	if (count < atomics[i].args || count > atomics[i].args + 1u) {
		parse_error(p, pos, 7 + len,
			    atomics[i].args == 2 ? "write: atomic.add(mem:32, address, value)"
						 : "write: atomic.cas(mem:32, address, expected, new)",
			    "atomic.%s takes a space, %u operands and perhaps the order", atomics[i].name, atomics[i].args);
		return rtl_number(p, pos, 0);
	}
	e->irop = atomics[i].op;
	e->a = args[0];
	e->b = args[1];
	e->c = atomics[i].args == 3 ? args[2] : NULL;
	if (count > atomics[i].args) { /* the order */
		e->args = ARENA_ARRAY(p->arena, RtlExpr *, 1);
		if (!e->args) {
			p->give_up = true;
			return e;
		}
		e->args[0] = args[count - 1];
		e->argc = 1;
	}
	return e;
}

RtlExpr *parse_fence(Parser *p, u32 pos)
{
	RtlExpr *e = rtl_new_expr(p, RTL_FENCE, pos);

	rtl_parse_args(p, e, "fence", 5);
	if (e->argc != 2) {
		parse_error(p, pos, 5, "write: fence(before, after)", "fence takes 2 arguments, not %u", e->argc);
		return rtl_number(p, pos, 0);
	}
	return e;
}

bool type_atomic(Parser *p, RtlExpr *e)
{
	bool ok = type_expr(p, e->a, rtl_natural(p, e->a) ? 0 : p->isa->spaces[e->index].addr_bits, "address") &&
		  type_expr(p, e->b, e->width, "operand of an atomic access") &&
		  (!e->c || type_expr(p, e->c, e->width, "operand of an atomic access"));

	return ok && (!e->argc || type_expr(p, e->args[0], 2, "order"));
}

bool type_fence(Parser *p, RtlExpr *e)
{
	return type_expr(p, e->args[0], 4, "set of accesses") && type_expr(p, e->args[1], 4, "set of accesses");
}
