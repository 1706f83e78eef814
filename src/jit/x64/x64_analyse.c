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

enum {
	OPERANDS_LEAF = 0, OPERANDS_UN0 = 1, OPERANDS_BIN = 2, OPERANDS_SHIFT = 2, OPERANDS_UN = 1, OPERANDS_CONV = 1, OPERANDS_CAT = 2,
	OPERANDS_CMP = 2, OPERANDS_SEL = 3, OPERANDS_LOAD = 1, OPERANDS_STORE = 2, OPERANDS_HOST = X64_IN_POOL, OPERANDS_MARK = 0,
	OPERANDS_RMW = 2, OPERANDS_CAS = 3, OPERANDS_FENCE = 0, OPERANDS_JMP = X64_IN_POOL, OPERANDS_BR = 1, OPERANDS_NONE = 0,
	OPERANDS_RET = 1, OPERANDS_FUN = 1, OPERANDS_FBIN = 2, OPERANDS_FTRI = 3, OPERANDS_FCMP = 2, OPERANDS_FOFI = 1,
	OPERANDS_FTOI = 1, OPERANDS_FTOF = 1, OPERANDS_FCLASS = 1,
};

const u8 x64_operand_counts[IR_OP_COUNT] = {
#define X(name, shape, effects, text) [IR_OP_##name] = OPERANDS_##shape,
#include "ir/ir_ops.def"
#undef X
};

unsigned x64_pool_operands(const IrFunc *func, const IrIns *ins, IrRef *out)
{
	for (u32 i = 0; i < ins->c && i < 16; i++)
		out[i] = func->pool[ins->b + i];
	return ins->c < 16 ? ins->c : 16;
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

/* What is to be known of an operation that comes up. */
enum {
	LOOK_INSN = 1, LOOK_LOW = 2, LOOK_SLOT = 4,
	LOOK_LEAVES = 8, /* it may leave the instruction, or is not done here */
	LOOK_ATOMIC = 16, LOOK_SIGN = 32, LOOK_BRANCH = 64, LOOK_FLOAT = 128,
	LOOK_AT_IT = LOOK_INSN | LOOK_LOW | LOOK_SLOT | LOOK_LEAVES | LOOK_ATOMIC,
};

/* Those that are not here: nothing. */
static const u8 looks[IR_OP_COUNT] = {
	[IR_OP_INSN] = LOOK_INSN, [IR_OP_ZX] = LOOK_LOW, [IR_OP_EXTRACT] = LOOK_LOW, [IR_OP_SX] = LOOK_SIGN, [IR_OP_BR] = LOOK_BRANCH,
	[IR_OP_GET] = LOOK_SLOT, [IR_OP_PUT] = LOOK_SLOT, [IR_OP_LOAD] = LOOK_LEAVES, [IR_OP_STORE] = LOOK_LEAVES,
	[IR_OP_HOST] = LOOK_LEAVES, [IR_OP_RAISE] = LOOK_LEAVES, [IR_OP_ILLEGAL] = LOOK_LEAVES, [IR_OP_STOP] = LOOK_LEAVES,
	[IR_OP_RMW] = LOOK_ATOMIC, [IR_OP_CAS] = LOOK_ATOMIC,
	[IR_OP_FADD] = LOOK_FLOAT, [IR_OP_FSUB] = LOOK_FLOAT, [IR_OP_FMUL] = LOOK_FLOAT, [IR_OP_FDIV] = LOOK_FLOAT,
	[IR_OP_FMIN] = LOOK_FLOAT, [IR_OP_FMAX] = LOOK_FLOAT, [IR_OP_FSQRT] = LOOK_FLOAT, [IR_OP_FMA] = LOOK_FLOAT,
	[IR_OP_FEQ] = LOOK_FLOAT, [IR_OP_FLT] = LOOK_FLOAT, [IR_OP_FLE] = LOOK_FLOAT, [IR_OP_FOFS] = LOOK_FLOAT,
	[IR_OP_FOFU] = LOOK_FLOAT, [IR_OP_FTOS] = LOOK_FLOAT, [IR_OP_FTOU] = LOOK_FLOAT, [IR_OP_FTOF] = LOOK_FLOAT,
	[IR_OP_FCLASS] = LOOK_FLOAT,
};

/* What there is. One pass over all operations, so that what follows can pass over most blocks and instructions. */
static void look(X64Code *c)
{
	const IrFunc *func = c->func;
	const u32 flags = c->engine->flags_slot;
	Value *insn = c->values;
	bool stored = false; /* the instruction */
	u32 there = 0;

	for (u32 i = 0; i < func->ins_count; i++) {
		const IrIns *ins = &func->ins[i];
		const u8 what = looks[ins->op];

		there |= what;
		if (!(what & LOOK_AT_IT))
			continue;
		if (what & LOOK_SLOT) {
			c->has_flags |= flags && ins->aux == flags;
			insn->odd |= ins->aux == 0 && ins->op == IR_OP_PUT;
		} else if (what & LOOK_INSN) {
			insn = &c->values[i];
			stored = false;
		} else if (what & LOOK_LEAVES) {
			insn->odd |= stored || !x64_supported(c, ins);
			stored |= ins->op == IR_OP_STORE;
		} else if (what & LOOK_ATOMIC) {
			insn->odd = true;
		} else if (ins->op == IR_OP_ZX) {
			c->values[i].skip = true;
		} else if (ins->aux == 0) {
			c->values[i].skip = c->has_extract = true;
		}
	}
	c->has_branch = there & LOOK_BRANCH;
	c->has_sign = there & LOOK_SIGN;
	c->has_float = there & LOOK_FLOAT;
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

/* The PUT at `at`, of a pinned slot: may its value be computed into the register right away? Not when anything between can leave the
 * instruction or still reads the old content. */
static void try_claim(X64Code *c, u32 at, u32 block_start)
{
	const IrIns *put = &c->func->ins[at];
	IrRef ref = x64_resolve(c, put->a);
	u32 from;

	if ((ref & IR_CONST_BIT) || c->values[ref].claim ||
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
		if (func->ins[i].op == IR_OP_PUT && c->engine->pin_of[func->ins[i].aux] != JIT_NO_PIN)
			try_claim(c, i, block_start);
	}
}
