/* SPDX-License-Identifier: MIT
 *
 * f64.add(a, b), f32.of_s(x), f64.to_u(x, 16) ...: operations on values that are the bits of IEEE 754 numbers. The name
 * before the dot is the format of the result, for to_s, to_u, class and compares that of the operands.
 *
 * Those that round take the mode as one argument more, f64.add(a, b, rm); and of each that can raise exceptions there is
 * one that gives the flags instead of the value, f64.add_flags(a, b, rm). In the tree: operands a, b, c; the mode, if
 * there is one, as args[0]; index2 = 1 for flags, then `value` is the width of what raises them.
 */
#include <string.h>

#include "base/bits.h"
#include "base/nearest.h"
#include "isa/isa_parse.h"

static const struct {
	const char *name;
	u8 op, args;  /* op: IR_OP_COUNT for those that are plain operations on bits */
	u8 only;      /* exists for this format alone; 0: for both */
} floats[] = {
	{"add", IR_OP_FADD, 2, 0},  {"sub", IR_OP_FSUB, 2, 0},  {"mul", IR_OP_FMUL, 2, 0},   {"div", IR_OP_FDIV, 2, 0},
	{"min", IR_OP_FMIN, 2, 0},  {"max", IR_OP_FMAX, 2, 0},  {"sqrt", IR_OP_FSQRT, 1, 0}, {"fma", IR_OP_FMA, 3, 0},
	{"eq", IR_OP_FEQ, 2, 0},    {"lt", IR_OP_FLT, 2, 0},    {"le", IR_OP_FLE, 2, 0},     {"neg", IR_OP_COUNT, 1, 0},
	{"abs", IR_OP_COUNT, 1, 0}, {"of_s", IR_OP_FOFS, 1, 0}, {"of_u", IR_OP_FOFU, 1, 0},  {"to_s", IR_OP_FTOS, 2, 0},
	{"to_u", IR_OP_FTOU, 2, 0}, {"of_f32", IR_OP_FTOF, 1, 64}, {"of_f64", IR_OP_FTOF, 1, 32},
	{"class", IR_OP_FCLASS, 1, 0},
};

static bool has_flags(u32 i)
{
	return floats[i].op != IR_OP_COUNT && floats[i].op != IR_OP_FCLASS;
}

/* May a mode be given? A single becomes a double exactly, but then a description need not tell the two apart. */
static bool has_mode(u32 i)
{
	return floats[i].op != IR_OP_COUNT && ir_float_rounds((IrOp)floats[i].op, 32);
}

static u32 find_float(unsigned bits, const char *name, u32 len, bool *flags)
{
	u32 base = len > 6 && !memcmp(name + len - 6, "_flags", 6) ? len - 6 : len;

	*flags = base != len;
	for (u32 i = 0; i < COUNT_OF(floats); i++)
		if (text_is(name, base, floats[i].name) && (!floats[i].only || floats[i].only == bits) && (!*flags || has_flags(i)))
			return i;
	return COUNT_OF(floats);
}

static RtlExpr *unknown_float(Parser *p, unsigned bits, const char *name, u32 len, u32 pos)
{
	Nearest n = nearest_to(name, len);

	for (u32 i = 0; i < COUNT_OF(floats); i++)
		if (!floats[i].only || floats[i].only == bits)
			nearest_consider(&n, floats[i].name);
	parse_error(p, pos, 4 + len,
		    n.name ? arena_printf(p->arena, "did you mean 'f%u.%s'?", bits, n.name)
			   : "there are add sub mul div sqrt fma min max eq lt le neg abs class of_s of_u to_s to_u of_f32 of_f64",
		    "unknown float operation 'f%u.%.*s'", bits, (int)(len > 60 ? 60 : len), name);
	return rtl_number(p, pos, 0);
}

/* neg and abs change the sign bit, of a NaN too: x ^ sign, x & ~sign. */
static RtlExpr *sign_operation(Parser *p, RtlExpr *e, unsigned bits, bool negate)
{
	RtlExpr *mask = rtl_number(p, e->pos, negate ? (u64)1 << (bits - 1) : bits_mask(bits - 1));

	mask->width = (u8)bits;
	mask->explicit_width = true;
	e->kind = RTL_BIN;
	e->irop = negate ? IR_OP_XOR : IR_OP_AND;
	e->b = mask;
	return e;
}

bool is_float_name(const char *name, u32 len, unsigned *bits)
{
	*bits = text_is(name, len, "f64") ? 64 : text_is(name, len, "f32") ? 32 : 0;
	return *bits != 0;
}

RtlExpr *parse_float(Parser *p, unsigned bits, u32 pos)
{
	RtlExpr *e = rtl_new_expr(p, RTL_FLOAT, pos);
	const char *name;
	u32 len, i;
	bool flags;
	u64 width;

	expect(p, ".", "behind f64 or f32");
	name = tok_text(p);
	len = p->tok.len;
	if (p->tok.kind != TOK_IDENT) {
		error_here(p, NULL, "expected the name of an operation: f%u.add(a, b)", bits);
		if (tok_is(p, "("))
			rtl_parse_args(p, e, "f64.", 4);
		return rtl_number(p, pos, 0);
	}
	lex_next(p);
	i = find_float(bits, name, len, &flags);
	if (!tok_is(p, "(") && i < COUNT_OF(floats)) {
		parse_error(p, pos, 4 + len, NULL, "f%u.%.*s needs its operands in parentheses", bits, (int)len, name);
		return rtl_number(p, pos, 0);
	}
	if (tok_is(p, "("))
		rtl_parse_args(p, e, name, len);
	if (i == COUNT_OF(floats))
		return unknown_float(p, bits, name, len, pos);
	if (e->argc != floats[i].args && !(has_mode(i) && e->argc == floats[i].args + 1)) {
		bool to = floats[i].op == IR_OP_FTOS || floats[i].op == IR_OP_FTOU;

		parse_error(p, pos, 4 + len, to ? arena_printf(p->arena, "f%u.%s(x, 32) gives 32 bits", bits, floats[i].name) : NULL,
			    "f%u.%.*s takes %u argument%s%s, not %u", bits, (int)len, name, floats[i].args,
			    floats[i].args == 1 ? "" : "s",
			    has_mode(i) ? arena_printf(p->arena, ", or %u with a rounding mode", floats[i].args + 1u) : "", e->argc);
		return rtl_number(p, pos, 0);
	}
	e->irop = floats[i].op;
	e->index = (u16)bits;
	e->width = (u8)bits;
	e->a = e->args[0];
	e->b = floats[i].args > 1 ? e->args[1] : NULL;
	e->c = floats[i].args > 2 ? e->args[2] : NULL;
	e->argc -= floats[i].args; /* walkers of trees meet a, b, c, and what is left: the mode */
	e->args = e->argc ? e->args + floats[i].args : NULL;
	if (e->irop == IR_OP_COUNT)
		return sign_operation(p, e, bits, text_is(name, len, "neg"));
	if (ir_op_info[e->irop].shape == IR_SHAPE_FCMP)
		e->width = 1;
	if (e->irop == IR_OP_FCLASS)
		e->width = 10;
	if (ir_op_info[e->irop].shape == IR_SHAPE_FTOI) {
		if (!rtl_const(p->isa, e->b, NULL, &width) || !width || width > 64) {
			parse_error(p, e->b->pos, 1, "f64.to_s(x, 32) gives 32 bits", "the width must be a number from 1 to 64");
			width = 64;
		}
		e->width = (u8)width;
		e->b = NULL;
	}
	if (flags) {
		if (p->insn && !p->insn->when && p->isa->flags_insn == ~0u)
			p->isa->flags_insn = p->isa->insn_count;
		e->index2 = 1;
		e->value = e->width;
		e->width = 5;
	}
	return e;
}
