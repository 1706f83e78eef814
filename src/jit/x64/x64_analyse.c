/* SPDX-License-Identifier: MIT
 *
 * What is known of a block before any of it is emitted: who uses what until when, which values are looked through, and
 * which are computed straight into the pinned register that a PUT behind gives them to.
 *
 * Looked through: ZX always (values are held zero-extended), EXTRACT of the low 32 bits (or of the bits of a shift count)
 * when each user takes no more of its operand anyway. A LOAD with a SX behind it is one move.
 */
#include "jit/x64/x64_code.h"

IrRef x64_look_through(const X64Code *c, IrRef ref)
{
	while (!(ref & IR_CONST_BIT) && c->values[ref].kind == PLACE_NONE && c->values[ref].skip &&
	       (c->func->ins[ref].op == IR_OP_ZX || c->func->ins[ref].op == IR_OP_EXTRACT))
		ref = c->func->ins[ref].a;
	return ref;
}

enum { IN_POOL = 0xFF };

static const u8 operand_counts[] = {
	[IR_SHAPE_UN0] = 1, [IR_SHAPE_BIN] = 2, [IR_SHAPE_SHIFT] = 2, [IR_SHAPE_UN] = 1, [IR_SHAPE_CONV] = 1, [IR_SHAPE_CAT] = 2,
	[IR_SHAPE_CMP] = 2, [IR_SHAPE_SEL] = 3, [IR_SHAPE_LOAD] = 1, [IR_SHAPE_STORE] = 2, [IR_SHAPE_HOST] = IN_POOL,
	[IR_SHAPE_RMW] = 2, [IR_SHAPE_CAS] = 3, [IR_SHAPE_JMP] = IN_POOL, [IR_SHAPE_BR] = 1, [IR_SHAPE_RET] = 1, [IR_SHAPE_FUN] = 1,
	[IR_SHAPE_FBIN] = 2, [IR_SHAPE_FTRI] = 3, [IR_SHAPE_FCMP] = 2, [IR_SHAPE_FOFI] = 1, [IR_SHAPE_FTOI] = 1, [IR_SHAPE_FTOF] = 1,
	[IR_SHAPE_FCLASS] = 1,
};

unsigned x64_operands(const IrFunc *func, const IrIns *ins, IrRef *out)
{
	const u8 count = operand_counts[ir_op_info[ins->op].shape];

	if (count == IN_POOL) {
		for (u32 i = 0; i < ins->c && i < 16; i++)
			out[i] = func->pool[ins->b + i];
		return ins->c < 16 ? ins->c : 16;
	}
	out[0] = ins->a;
	out[1] = ins->b;
	out[2] = ins->c;
	return count;
}

/* Does operand `index` of `user` take the low `width` bits of it alone? */
static bool takes_low(const X64Code *c, const IrIns *user, unsigned index, unsigned width)
{
	switch (user->op) {
	case IR_OP_ADD: case IR_OP_SUB: case IR_OP_MUL: case IR_OP_AND: case IR_OP_OR: case IR_OP_XOR:
		return width == 32 && user->width == 32;
	case IR_OP_SHL: case IR_OP_SHR: case IR_OP_SAR: case IR_OP_ROL: case IR_OP_ROR:
		if (index == 1)
			return (user->width == 64 && width == 6) || (user->width == 32 && width == 5);
		return width == 32 && user->width == 32;
	case IR_OP_DIVS: case IR_OP_DIVU: case IR_OP_REMS: case IR_OP_REMU:
		return width == 32 && user->width == 32;
	case IR_OP_EQ: case IR_OP_NE: case IR_OP_LTS: case IR_OP_LES: case IR_OP_LTU: case IR_OP_LEU:
		return width == 32;
	case IR_OP_SX:
		return width == 8 || width == 16 || width == 32;
	case IR_OP_STORE:
		return index == 1 && (width == 8 || width == 16 || width == 32) && width == ir_width(c->func, user->b);
	default:
		return false;
	}
}

bool x64_is_compare(const IrIns *ins)
{
	return ins->op >= IR_OP_EQ && ins->op <= IR_OP_LEU;
}

bool x64_supported(const X64Code *c, const IrIns *ins)
{
	switch (ins->op) {
	case IR_OP_LOAD: case IR_OP_STORE: return x64_access_supported(c, ins);
	case IR_OP_RMW: case IR_OP_CAS: return x64_atomic_supported(c, ins);
	case IR_OP_FENCE:
		return true;
	case IR_OP_JMP: case IR_OP_BR: case IR_OP_GOTO: case IR_OP_RAISE: case IR_OP_ILLEGAL:
		return true; /* whoever raises leaves for the cold engine, and has changed nothing */
	case IR_OP_PUT:
		return ins->aux != 0;
	case IR_OP_STOP:
		return false; /* that comes behind the PUTs */
	default:
		return !(ir_op_info[ins->op].effects & (IR_EFFECT_READ | IR_EFFECT_WRITE | IR_EFFECT_EXIT));
	}
}

static void use(X64Code *c, IrRef ref, u32 at)
{
	ref = x64_resolve(c, ref);
	if (ref & IR_CONST_BIT)
		return;
	c->values[ref].uses++;
	if (at > c->values[ref].last)
		c->values[ref].last = at;
}

/* What there is. One pass over all operations, so that what follows can pass over most blocks and instructions. */
static void look(X64Code *c)
{
	const IrFunc *func = c->func;
	const u32 flags = c->engine->flags_slot;
	Value *insn = c->values;
	bool stored = false; /* the instruction */

	for (u32 i = 0; i < func->ins_count; i++) {
		const IrIns *ins = &func->ins[i];

		switch (ins->op) {
		case IR_OP_INSN:
			insn = &c->values[i];
			stored = false;
			break;
		case IR_OP_ZX:
			c->values[i].skip = true;
			break;
		case IR_OP_EXTRACT:
			if (ins->aux == 0)
				c->values[i].skip = c->has_extract = true;
			break;
		case IR_OP_SX: c->has_sign = true; break;
		case IR_OP_BR: c->has_branch = true; break;
		case IR_OP_GET:
			c->has_flags |= flags && ins->aux == flags;
			break;
		case IR_OP_PUT:
			c->has_flags |= flags && ins->aux == flags;
			insn->odd |= !x64_supported(c, ins);
			break;
		case IR_OP_RMW: case IR_OP_CAS:
			insn->odd = true;
			break;
		default:
			if (ir_op_info[ins->op].effects & IR_EFFECT_PURE) {
				c->has_float |= ins->op >= IR_OP_FADD && ins->op <= IR_OP_FCLASS;
				break;
			}
			insn->odd |= !x64_supported(c, ins) || (stored && (ir_op_info[ins->op].effects & IR_EFFECT_EXIT));
			stored |= ins->op == IR_OP_STORE;
		}
	}
}

/* What is not to be looked through after all. */
static void check_extracts(X64Code *c)
{
	const IrFunc *func = c->func;

	for (u32 i = 0; i < func->ins_count; i++) {
		IrRef refs[16];
		unsigned count = x64_operands(func, &func->ins[i], refs);

		for (unsigned k = 0; k < count; k++)
			if (!(refs[k] & IR_CONST_BIT) && func->ins[refs[k]].op == IR_OP_EXTRACT &&
			    !takes_low(c, &func->ins[i], k, func->ins[refs[k]].width))
				c->values[refs[k]].skip = false;
	}
}

/* A LOAD whose only use is the SX right behind. */
static void join_extensions(X64Code *c)
{
	for (u32 i = 1; i < c->func->ins_count; i++) {
		const IrIns *ins = &c->func->ins[i];
		IrRef from;

		if (ins->op != IR_OP_SX || ins->width != 64 || (ins->a & IR_CONST_BIT))
			continue;
		from = ins->a;
		if (c->func->ins[from].op == IR_OP_LOAD && c->values[from].uses == 1 && x64_supported(c, &c->func->ins[from]) &&
		    x64_load_signs(c, &c->func->ins[from])) {
			c->values[from].into = i;
			c->values[i].skip = true;
		}
	}
}

/* The PUT at `at`: may its value be computed into the pinned register right away? Not when anything between can leave the
 * instruction or still reads the old content. */
static void try_claim(X64Code *c, u32 at, u32 block_start)
{
	const IrIns *put = &c->func->ins[at];
	IrRef ref = x64_resolve(c, put->a);
	u32 from;

	if ((ref & IR_CONST_BIT) || c->engine->pin_of[put->aux] == JIT_NO_PIN || c->values[ref].claim ||
	    c->func->ins[ref].op == IR_OP_GET || c->func->ins[ref].op == IR_OP_PARAM)
		return;
	from = ref;
	if (c->func->ins[ref].op == IR_OP_SX && c->values[ref].skip)
		from = c->func->ins[ref].a; /* a LOAD gives it */
	if (from < block_start)
		return;
	for (u32 i = from + 1; i < at; i++) {
		const IrIns *ins = &c->func->ins[i];

		if (ins->op == IR_OP_INSN || (ir_op_info[ins->op].effects & IR_EFFECT_EXIT) ||
		    (ins->op == IR_OP_PUT && ins->aux == put->aux))
			return;
	}
	/* GETs of the slot, in this instruction, that are used behind. */
	for (u32 i = at; i-- > 0 && c->func->ins[i].op != IR_OP_INSN;)
		if (c->func->ins[i].op == IR_OP_GET && c->func->ins[i].aux == put->aux && c->values[i].last > from)
			return;
	c->values[ref].claim = at;
}

/* Is the slot written between the GET and its last use? Then the GET is a copy. */
bool x64_is_overwritten(const X64Code *c, u32 get)
{
	u16 slot = c->func->ins[get].aux;

	for (u32 i = get + 1; i < c->values[get].last; i++)
		if (c->func->ins[i].op == IR_OP_PUT && c->func->ins[i].aux == slot)
			return true;
	return false;
}

static void count_uses(X64Code *c)
{
	const IrFunc *func = c->func;

	for (u32 i = 0; i < func->ins_count; i++) {
		const IrIns *ins = &func->ins[i];
		IrRef refs[16];
		unsigned count = x64_operands(func, ins, refs);

		if (c->values[i].skip && (ins->op == IR_OP_ZX || ins->op == IR_OP_EXTRACT))
			continue;
		for (unsigned k = 0; k < count; k++)
			use(c, refs[k], i);
	}
}

/* A compare that only the branch behind it wants sets the flags for it. */
static void join_compares(X64Code *c)
{
	const IrFunc *func = c->func;

	for (u32 i = 1; i < func->ins_count; i++) {
		const IrIns *ins = &func->ins[i];
		IrRef refs[16];

		if (ins->op != IR_OP_BR || (ins->a & IR_CONST_BIT) || !x64_is_compare(&func->ins[ins->a]) ||
		    c->values[ins->a].uses != 1 || ir_width(func, func->ins[ins->a].a) > 64)
			continue;
		c->values[ins->a].skip = true;
		for (unsigned k = x64_operands(func, &func->ins[ins->a], refs); k-- > 0;) {
			IrRef ref = x64_resolve(c, refs[k]);

			if (!(ref & IR_CONST_BIT) && i > c->values[ref].last)
				c->values[ref].last = i;
		}
	}
}

void x64_analyse(X64Code *c)
{
	const IrFunc *func = c->func;
	u32 block_start = 0;

	look(c);
	if (c->has_extract)
		check_extracts(c);
	count_uses(c);
	if (c->has_branch)
		join_compares(c);
	if (c->has_sign)
		join_extensions(c);
	if (c->has_float)
		x64_match_flags(c);
	/* The base of an address lives until the access. */
	for (u32 i = 0; i < func->ins_count; i++) {
		if (c->block_at[i] != IR_NONE)
			block_start = i;
		if (func->ins[i].op == IR_OP_PUT)
			try_claim(c, i, block_start);
	}
}
