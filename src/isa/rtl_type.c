/* SPDX-License-Identifier: MIT
 *
 * Widths. There is no implicit widening, except that literals and immediates take the width of what they meet:
 * an expression made of those alone is *flexible* (natural width 0) and gets the width its surroundings want.
 * After type_expr every node has its width, and a flexible immediate that was widened is wrapped in RTL_SX/RTL_ZX.
 */
#include "base/bits.h"
#include "isa/isa_parse.h"

static unsigned max_of(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static bool is_compare(u8 op)
{
	return op == IR_OP_EQ || op == IR_OP_NE || op == IR_OP_LTS || op == IR_OP_LES || op == IR_OP_LTU || op == IR_OP_LEU;
}

static bool is_shift(u8 op)
{
	return op == IR_OP_SHL || op == IR_OP_SHR || op == IR_OP_SAR || op == IR_OP_ROL || op == IR_OP_ROR;
}

static const IsaInsnField *insn_field(const Parser *p, const RtlExpr *e)
{
	return &p->insn->fields[e->index];
}

static bool field_signed(const Parser *p, const RtlExpr *e)
{
	return e->kind == RTL_FIELD && p->isa->fields[insn_field(p, e)->field].is_signed;
}

static unsigned bits_needed(u64 value)
{
	return value ? 64 - (unsigned)__builtin_clzll(value) : 1;
}

/* Bits of a register number: enough for the file's last element. */
static unsigned fieldnum_width(const Parser *p, const RtlExpr *e)
{
	const IsaField *field = &p->isa->fields[insn_field(p, e)->field];

	if (field->kind == ISA_FIELD_REG)
		return bits_needed(p->isa->regs[field->reg].count - 1u);
	return insn_field(p, e)->width;
}

/* The fixed width, or 0 when flexible. */
unsigned rtl_natural(const Parser *p, const RtlExpr *e)
{
	switch (e->kind) {
	case RTL_NUM:
		return e->explicit_width ? e->width : 0;
	case RTL_FIELD: case RTL_FIELDNUM:
		return 0;
	case RTL_SX: case RTL_ZX:
		return e->explicit_width ? e->width : 0;
	case RTL_HOST: {
		const IsaHost *host = &p->isa->hosts[e->index];

		return host->declared ? host->result_width : 0;
	}
	case RTL_BIN:
		if (is_compare(e->irop))
			return 1;
		if (is_shift(e->irop))
			return rtl_natural(p, e->a);
		return max_of(rtl_natural(p, e->a), rtl_natural(p, e->b));
	case RTL_UN: case RTL_NEG: case RTL_NOT:
		return rtl_natural(p, e->a);
	case RTL_COND:
		return max_of(rtl_natural(p, e->b), rtl_natural(p, e->c));
	case RTL_SLICE:
		return e->index - e->index2 + 1u;
	case RTL_BIT: case RTL_LNOT: case RTL_LAND: case RTL_LOR:
		return 1;
	case RTL_CONCAT: {
		unsigned a = rtl_natural(p, e->a), b = rtl_natural(p, e->b);

		return (a ? a : rtl_flex(p, e->a)) + (b ? b : rtl_flex(p, e->b));
	}
	default:
		return e->width;
	}
}

/* How many bits a flexible expression needs at least. */
unsigned rtl_flex(const Parser *p, const RtlExpr *e)
{
	switch (e->kind) {
	case RTL_NUM:
		if (e->explicit_width)
			return e->width;
		return e->negative ? bits_needed(~e->value) + 1 : bits_needed(e->value);
	case RTL_FIELD:
		return insn_field(p, e)->width;
	case RTL_FIELDNUM:
		return fieldnum_width(p, e);
	case RTL_BIN:
		if (is_compare(e->irop))
			return 1;
		if (is_shift(e->irop))
			return rtl_flex(p, e->a);
		return max_of(rtl_flex(p, e->a), rtl_flex(p, e->b));
	case RTL_UN: case RTL_NEG: case RTL_NOT:
		return rtl_flex(p, e->a);
	case RTL_SX: case RTL_ZX:
		return e->explicit_width ? e->width : max_of(rtl_natural(p, e->a), rtl_flex(p, e->a));
	case RTL_COND:
		return max_of(rtl_flex(p, e->b), rtl_flex(p, e->c));
	case RTL_HOST: {
		const IsaHost *host = &p->isa->hosts[e->index];

		return host->declared ? host->result_width : host->usual_width ? host->usual_width : 1;
	}
	case RTL_VAR:
		return e->width ? e->width : 32;
	default:
		return rtl_natural(p, e);
	}
}

static bool mismatch(Parser *p, const RtlExpr *e, unsigned have, unsigned want, const char *what)
{
	parse_error(p, e->pos, 1, NULL, "%s: %u-bit value where %u bits are needed; use zx(), sx() or [hi:lo]",
		    what ? what : "value", have, want);
	return false;
}

/* The widths of two operands that must agree. */
static unsigned common_width(Parser *p, RtlExpr *e, RtlExpr *a, RtlExpr *b, unsigned want)
{
	unsigned na = rtl_natural(p, a), nb = rtl_natural(p, b);

	if (na && nb && na != nb) {
		parse_error(p, e->pos, 1, NULL, "operands have %u and %u bits; use zx(), sx() or [hi:lo]", na, nb);
		return 0;
	}
	if (na || nb)
		return na ? na : nb;
	return want ? want : max_of(rtl_flex(p, a), rtl_flex(p, b));
}

/* Turns a field node into an extension of itself when it is narrower than wanted. */
static bool widen_field(Parser *p, RtlExpr *e, unsigned have, unsigned want, const char *what)
{
	RtlExpr *inner;

	e->width = (u8)have;
	if (!want || want == have)
		return true;
	if (want < have) {
		return mismatch(p, e, have, want, what);
	}
	inner = ARENA_NEW(p->arena, RtlExpr);
	if (!inner) {
		p->give_up = true;
		return false;
	}
	*inner = *e;
	*e = (RtlExpr){.kind = field_signed(p, inner) ? RTL_SX : RTL_ZX, .width = (u8)want, .pos = inner->pos, .a = inner};
	return true;
}

static bool type_number(Parser *p, RtlExpr *e, unsigned want, const char *what)
{
	unsigned width = e->explicit_width ? e->width : want ? want : rtl_flex(p, e);

	if (width > 64)
		width = 64;
	if (e->explicit_width && want && want != e->width)
		return mismatch(p, e, e->width, want, what);
	if (!e->explicit_width && rtl_flex(p, e) > width &&
	    !(e->negative && -e->value <= bits_mask(width))) { /* -1 as one bit, -200 as 8: wrapped on purpose? no */
		parse_error(p, e->pos, 1, NULL, "%s%llu does not fit %u bits", e->negative ? "-" : "",
			    (unsigned long long)(e->negative ? -e->value : e->value), width);
		return false;
	}
	e->width = (u8)width;
	e->value = bits_trunc(e->value, width);
	return true;
}

/* (sx(a,128) * zx(b,128))[127:64]: the high half of a product. e is the slice. */
static bool type_mulh(Parser *p, RtlExpr *e, unsigned want, const char *what)
{
	RtlExpr *mul = e->a, *a = mul->a, *b = mul->b;
	unsigned wide = a->width, half = wide / 2;
	bool sa = a->kind == RTL_SX, sb = b->kind == RTL_SX;

	if (b->width != wide || e->index != wide - 1 || e->index2 != half) {
		parse_error(p, e->pos, 1, "write (sx(a,128) * sx(b,128))[127:64]",
			    "values have at most 64 bits, except the high half of a product");
		return false;
	}
	if (!type_expr(p, a->a, half, "factor") || !type_expr(p, b->a, half, "factor"))
		return false;
	*e = (RtlExpr){.kind = RTL_BIN, .width = (u8)half, .pos = e->pos,
		       .irop = sa && sb ? IR_OP_MULHS : !sa && !sb ? IR_OP_MULHU : IR_OP_MULHSU,
		       .a = !sa && sb ? b->a : a->a, .b = !sa && sb ? a->a : b->a};
	return !want || want == half || mismatch(p, e, half, want, what);
}

static bool type_extend(Parser *p, RtlExpr *e, unsigned want, const char *what)
{
	unsigned target = e->explicit_width ? e->width : want, inner;

	if (!target) {
		/* Nothing says how wide: sx of a value alone. */
		parse_error(p, e->pos, 2, "give it: sx(x, 32)", "the width of %s() does not follow from here",
			    e->kind == RTL_SX ? "sx" : "zx");
		return false;
	}
	if (e->explicit_width && want && want != target)
		return mismatch(p, e, target, want, what);
	if (target > 64) {
		parse_error(p, e->pos, 2, "only as (sx(a,128) * sx(b,128))[127:64]", "values have at most 64 bits");
		return false;
	}
	if (!type_expr(p, e->a, 0, "operand"))
		return false;
	inner = e->a->width;
	if (inner > target) {
		parse_error(p, e->pos, 2, "take bits with [hi:lo]", "%s() widens, but the value has %u bits and %u are wanted",
			    e->kind == RTL_SX ? "sx" : "zx", inner, target);
		return false;
	}
	e->width = (u8)target;
	return true;
}

static bool type_call(Parser *p, RtlExpr *e, unsigned want, const char *what)
{
	const RtlBody *body = &p->funcs[e->index].body;
	bool ok = true;

	for (u32 i = 0; i < e->argc; i++)
		ok = type_expr(p, e->args[i], body->var_widths[i], "argument") && ok;
	if (want && !e->width) {
		parse_error(p, e->pos, 1, "write the width behind the parameters: func f(a:16) : 16",
			    "function '%s' gives no value", p->funcs[e->index].name);
		return false;
	}
	if (want && e->width != want)
		return mismatch(p, e, e->width, want, what);
	return ok;
}

static bool type_host(Parser *p, RtlExpr *e, unsigned want, const char *what)
{
	IsaHost *host = &p->isa->hosts[e->index];
	bool ok = true;

	for (u32 i = 0; i < e->argc; i++)
		ok = type_expr(p, e->args[i], 0, "argument") && ok;
	if (host->declared) {
		e->width = host->result_width;
		if (!e->width) {
			parse_error(p, e->pos, 1, NULL, "host '%s' gives no value", host->name);
			return false;
		}
		return (!want || e->width == want) ? ok : mismatch(p, e, e->width, want, what);
	}
	e->width = want ? (u8)want : host->usual_width ? host->usual_width : 64;
	if (host->result_width < e->width)
		host->result_width = e->width;
	return ok;
}

static bool type_binary(Parser *p, RtlExpr *e, unsigned want, const char *what)
{
	unsigned width;

	if (is_shift(e->irop)) {
		unsigned natural = rtl_natural(p, e->a);

		width = natural ? natural : want ? want : rtl_flex(p, e->a);
		if (!type_expr(p, e->a, width, "operand") || !type_expr(p, e->b, 0, "shift count"))
			return false;
	} else {
		width = common_width(p, e, e->a, e->b, is_compare(e->irop) ? 0 : want);
		if (!width || !type_expr(p, e->a, width, "operand") || !type_expr(p, e->b, width, "operand"))
			return false;
		if (is_compare(e->irop))
			width = 1;
	}
	e->width = (u8)width;
	return !want || want == width || mismatch(p, e, width, want, what);
}

static bool type_slice(Parser *p, RtlExpr *e, unsigned want, const char *what)
{
	RtlExpr *a = e->a;
	unsigned width = e->index - e->index2 + 1u;

	if (a->kind == RTL_BIN && a->irop == IR_OP_MUL && (a->a->kind == RTL_SX || a->a->kind == RTL_ZX) &&
	    (a->b->kind == RTL_SX || a->b->kind == RTL_ZX) && a->a->explicit_width && a->a->width > 64)
		return type_mulh(p, e, want, what);
	if (!type_expr(p, a, 0, "operand"))
		return false;
	if (e->index >= a->width) {
		/* Slices of a flexible value may look above its own bits: (rs1 + imm)[31:0] has a fixed width, imm[31:0] not. */
		parse_error(p, e->pos, 1, NULL, "bits %u:%u of a value that has %u bits", e->index, e->index2, a->width);
		return false;
	}
	e->width = (u8)width;
	return !want || want == width || mismatch(p, e, width, want, what);
}

/* The width of a result stands fast; here are the operands. */
static bool type_float(Parser *p, RtlExpr *e)
{
	unsigned shape = ir_op_info[e->irop].shape, operand = e->index;
	u64 mode;

	if (shape == IR_SHAPE_FOFI)
		operand = 0;
	else if (shape == IR_SHAPE_FTOF)
		operand = e->index == 64 ? 32 : 64;
	if (e->argc && !type_expr(p, e->args[0], 0, "rounding mode"))
		return false;
	if (e->argc && rtl_const(p->isa, e->args[0], NULL, &mode) && mode >= IR_ROUND_COUNT) {
		parse_error(p, e->args[0]->pos, 1, "0 nearest, ties to even; 1 toward zero; 2 down; 3 up; 4 nearest, ties away from zero",
			    "there is no rounding mode %llu", (unsigned long long)mode);
		return false;
	}
	return type_expr(p, e->a, operand, "operand of a float operation") &&
	       (!e->b || type_expr(p, e->b, operand, "operand of a float operation")) &&
	       (!e->c || type_expr(p, e->c, operand, "operand of a float operation"));
}

bool type_expr(Parser *p, RtlExpr *e, unsigned want, const char *what)
{
	unsigned width;

	if (p->give_up)
		return false;
	switch (e->kind) {
	case RTL_NUM:
		return type_number(p, e, want, what);
	case RTL_FIELD:
		return widen_field(p, e, insn_field(p, e)->width, want, what);
	case RTL_FIELDNUM:
		return widen_field(p, e, fieldnum_width(p, e), want, what);
	case RTL_VAR:
		if (!e->width) /* counts a `for` */
			e->width = (u8)(want ? want : 32);
		break;
	case RTL_REG:
		if (e->a && !type_expr(p, e->a, 0, "register number"))
			return false;
		break;
	case RTL_MEM:
		/* A flexible address is as wide as the space's; everything else has its own width. */
		if (!type_expr(p, e->a, rtl_natural(p, e->a) ? 0 : p->isa->spaces[e->index].addr_bits, "address"))
			return false;
		break;
	case RTL_ATOMIC:
		if (!type_atomic(p, e))
			return false;
		break;
	case RTL_FENCE:
		if (want) {
			parse_error(p, e->pos, 5, NULL, "a fence has no value");
			return false;
		}
		return type_fence(p, e);
	case RTL_TABLE:
		if (!type_expr(p, e->a, 0, "row"))
			return false;
		break;
	case RTL_BIN:
		return type_binary(p, e, want, what);
	case RTL_UN: case RTL_NEG: case RTL_NOT:
		width = rtl_natural(p, e->a);
		width = width ? width : want ? want : rtl_flex(p, e->a);
		if (!type_expr(p, e->a, width, "operand"))
			return false;
		e->width = (u8)width;
		if (e->irop == IR_OP_BSWAP && e->kind == RTL_UN && width != 16 && width != 32 && width != 64) {
			parse_error(p, e->pos, 1, NULL, "bswap takes 16, 32 or 64 bits, not %u", width);
			return false;
		}
		break;
	case RTL_FLOAT:
		if (!type_float(p, e))
			return false;
		break;
	case RTL_LNOT:
		if (!type_expr(p, e->a, 1, "operand of '!'"))
			return false;
		break;
	case RTL_LAND: case RTL_LOR:
		if (!type_expr(p, e->a, 1, "operand of && or ||") || !type_expr(p, e->b, 1, "operand of && or ||"))
			return false;
		break;
	case RTL_COND:
		if (!type_expr(p, e->a, 1, "condition"))
			return false;
		width = common_width(p, e, e->b, e->c, want);
		if (!width || !type_expr(p, e->b, width, "value") || !type_expr(p, e->c, width, "value"))
			return false;
		e->width = (u8)width;
		break;
	case RTL_SLICE:
		return type_slice(p, e, want, what);
	case RTL_BIT:
		if (!type_expr(p, e->a, 0, "operand") || !type_expr(p, e->b, 0, "bit number"))
			return false;
		if (e->b->kind == RTL_NUM && e->b->value >= e->a->width) {
			parse_error(p, e->pos, 1, NULL, "bit %llu of a value that has %u bits",
				    (unsigned long long)e->b->value, e->a->width);
			return false;
		}
		break;
	case RTL_SX: case RTL_ZX:
		return type_extend(p, e, want, what);
	case RTL_CONCAT:
		if ((e->a->kind == RTL_NUM && !e->a->explicit_width) || (e->b->kind == RTL_NUM && !e->b->explicit_width)) {
			parse_error(p, e->pos, 1, "write 0'4 for four zero bits", "a number in '@' needs a width");
			return false;
		}
		if (!type_expr(p, e->a, 0, "operand") || !type_expr(p, e->b, 0, "operand"))
			return false;
		width = e->a->width + e->b->width;
		if (width > 64) {
			parse_error(p, e->pos, 1, NULL, "'@' gives %u bits; values have at most 64", width);
			return false;
		}
		e->width = (u8)width;
		break;
	case RTL_CALL:
		return type_call(p, e, want, what);
	case RTL_HOST:
		return type_host(p, e, want, what);
	default:
		break;
	}
	if (e->kind == RTL_REG && e->a && e->a->kind == RTL_NUM && e->a->value >= p->isa->regs[e->index].count) {
		parse_error(p, e->pos, 1, NULL, "'%s' has the registers 0..%u, not %llu", p->isa->regs[e->index].name,
			    p->isa->regs[e->index].count - 1, (unsigned long long)e->a->value);
		return false;
	}
	if (want && e->width != want)
		return mismatch(p, e, e->width, want, what);
	return true;
}

/* Folds an expression over literals, fields and options. Used for bounds in the file and for `when`. */
bool rtl_const(const Isa *isa, const RtlExpr *e, const IsaDecoded *decoded, u64 *value)
{
	u64 a, b, c;
	unsigned width = e->width ? e->width : 64;

	if (e->width > 64 || (e->a && e->a->width > 64) || (e->b && e->b->width > 64))
		return false; /* refused elsewhere, or half a product */
	switch (e->kind) {
	case RTL_NUM:
		*value = e->value;
		return true;
	case RTL_FIELD:
		if (!decoded)
			return false;
		*value = bits_trunc(isa_field_value(isa, decoded, e->index), width);
		return true;
	case RTL_FIELDNUM: {
		const IsaField *field;

		if (!decoded)
			return false;
		field = &isa->fields[decoded->insn->fields[e->index].field];
		*value = isa_field_value(isa, decoded, e->index) + (field->kind == ISA_FIELD_REG ? field->reg_from : 0);
		*value = bits_trunc(*value, width);
		return true;
	}
	case RTL_TARGET: /* an absolute address is its own value; a relative one is not known without pc */
		if (!decoded || isa->fields[decoded->insn->fields[e->index].field].kind != ISA_FIELD_ABS)
			return false;
		*value = isa_target(isa, decoded->insn, e->index, 0, isa_field_value(isa, decoded, e->index));
		return true;
	case RTL_BIN:
		if (!rtl_const(isa, e->a, decoded, &a) || !rtl_const(isa, e->b, decoded, &b))
			return false;
		*value = ir_eval(e->irop, width, e->a->width ? e->a->width : 64, 0, a, b, 0);
		return true;
	case RTL_FLOAT: {
		u64 mode = rtl_default_mode(e);
		unsigned aux;

		b = c = 0;
		if (!rtl_const(isa, e->a, decoded, &a) || (e->b && !rtl_const(isa, e->b, decoded, &b)) ||
		    (e->c && !rtl_const(isa, e->c, decoded, &c)) || (e->argc && !rtl_const(isa, e->args[0], decoded, &mode)))
			return false;
		aux = mode < IR_ROUND_COUNT ? (unsigned)mode : IR_ROUND_EVEN;
		if (e->index2)
			aux |= IR_FLOAT_FLAGS | (unsigned)e->value << IR_FLOAT_WIDTH_SHIFT;
		*value = ir_eval(e->irop, e->width, e->a->width, aux, a, b, c);
		return true;
	}
	case RTL_NEG:
		if (!rtl_const(isa, e->a, decoded, &a))
			return false;
		*value = bits_trunc(-a, width);
		return true;
	case RTL_NOT:
		if (!rtl_const(isa, e->a, decoded, &a))
			return false;
		*value = bits_trunc(~a, width);
		return true;
	case RTL_LNOT:
		if (!rtl_const(isa, e->a, decoded, &a))
			return false;
		*value = !a;
		return true;
	case RTL_LAND: case RTL_LOR:
		if (!rtl_const(isa, e->a, decoded, &a) || !rtl_const(isa, e->b, decoded, &b))
			return false;
		*value = e->kind == RTL_LAND ? a && b : a || b;
		return true;
	case RTL_COND:
		if (!rtl_const(isa, e->a, decoded, &a) || !rtl_const(isa, e->b, decoded, &b) ||
		    !rtl_const(isa, e->c, decoded, &c))
			return false;
		*value = a ? b : c;
		return true;
	case RTL_SX:
		if (!rtl_const(isa, e->a, decoded, &a) || !e->a->width)
			return false;
		*value = bits_trunc((u64)bits_signed(a, e->a->width), width);
		return true;
	case RTL_ZX:
		return rtl_const(isa, e->a, decoded, value);
	case RTL_SLICE:
		if (!rtl_const(isa, e->a, decoded, &a) || e->index > 63)
			return false;
		*value = bits_trunc(a >> e->index2, e->index - e->index2 + 1u);
		return true;
	case RTL_BIT:
		if (!rtl_const(isa, e->a, decoded, &a) || !rtl_const(isa, e->b, decoded, &b))
			return false;
		*value = b < 64 ? (a >> b) & 1 : 0;
		return true;
	case RTL_CONCAT:
		if (!rtl_const(isa, e->a, decoded, &a) || !rtl_const(isa, e->b, decoded, &b) || !e->b->width ||
		    e->b->width > 63)
			return false;
		*value = a << e->b->width | b;
		return true;
	default:
		return false;
	}
}
