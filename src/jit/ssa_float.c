/* SPDX-License-Identifier: MIT
 *
 * Where NaNs are made canonical. The guest's arithmetic gives one NaN, the canonical one; the host's gives the operand's, made
 * quiet, or another of its own. Whether that matters depends on who looks:
 *
 *   - other arithmetic, compares and conversions ask only whether it is a NaN (a quiet one, which it is), so chains of
 *     operations stay as they are;
 *   - whoever sees bits (a store, an integer operation, an address) gets a CANON in front of it;
 *   - ways out make it canonical when they write it: func->odd tells ssa_snap which values want SSA_NAN.
 *
 * Two properties of a value: *one NaN*: by its meaning it never is a NaN but the canonical one; *odd*: the host's register may hold
 * another. Arithmetic is both. Loads, homes and integer operations have any NaN, exactly as it is: making them canonical would
 * change them. So a PHI or SEL may be odd if all that comes into it has one NaN; if not, what is odd gets its CANON
 * before it comes in.
 *
 * What a loop's PHI has from the home at the start is any number; but mostly it is no strange NaN. So a GUARD ahead of the loop says
 * that it is not, and the PHI may be odd: else each round would pay for the CANON of what comes round.
 *
 * Clearing or flipping the sign of what is odd wants no CANON if only arithmetic sees the result. The host's code for FMIN, FMAX,
 * FCLASS and those operations that it computes by ir_eval has to take any NaN, and gives the right bits.
 */
#include "base/bits.h"
#include "ir/ir_float.h"
#include "jit/ssa.h"

enum { ONE_NAN = 1, ODD = 2, SEEN = 4 }; /* SEEN: somebody looks at its bits */

typedef struct Floats {
	SsaFunc *func;
	u8 *what;       /* per node that was there at the start */
	u32 count;
	SsaRef *canon;  /* per node: a CANON of it */
	SsaRef *mixed;  /* PHIs and SELs of 32 or 64 bits, in order */
	u32 mixed_count;
	bool *relied;   /* per node: a PHI that has one NaN if the home does, and somebody relies on that */
} Floats;

static bool is_wide(const SsaNode *node)
{
	return node->width == 32 || node->width == 64;
}

static bool is_float_op(const SsaNode *node)
{
	return node->op < IR_OP_COUNT && ir_float_operands((IrOp)node->op) && node->op != IR_OP_FOFS && node->op != IR_OP_FOFU;
}

/* What the host's registers hold after it may be a NaN of the host's. */
static bool makes_odd(const SsaNode *node)
{
	switch (node->op) {
	case IR_OP_FADD: case IR_OP_FSUB: case IR_OP_FMUL: case IR_OP_FDIV: case IR_OP_FSQRT: case IR_OP_FMA: case IR_OP_FTOF:
		return !(node->aux & IR_FLOAT_FLAGS);
	default:
		return false;
	}
}

static bool has_one_nan(const SsaNode *node)
{
	u64 infinity = node->width == 64 ? 0x7FF0000000000000 : 0x7F800000;

	switch (node->op) {
	case SSA_CONST:
		return bits_trunc(node->imm, node->width - 1u) <= infinity || node->imm == ir_float_nan(node->width);
	case IR_OP_FOFS: case IR_OP_FOFU: case IR_OP_FMIN: case IR_OP_FMAX: case SSA_CANON: case SSA_PHI: case IR_OP_SEL:
		return true; /* of the last two, until seen otherwise */
	default:
		return makes_odd(node);
	}
}

static u8 what(const Floats *f, SsaRef ref)
{
	ref = ssa_value(f->func, ref);
	return ref < f->count ? f->what[ref] : ONE_NAN; /* newer ones are CANONs */
}

/* The operands that a PHI or SEL gives on. */
static unsigned given(const SsaFunc *func, const SsaNode *node, unsigned *first)
{
	*first = node->op == IR_OP_SEL;
	return ssa_operands(func, node);
}

/* Which operand of a PHI is the home, ahead of its loop; ~0: none. */
static u32 home_ahead(const SsaFunc *func, SsaRef ref)
{
	const SsaNode *node = &func->nodes[ref];
	const SsaBlock *block = &func->blocks[node->block];

	if (node->op != SSA_PHI || !block->header || block->before == SSA_NO_BLOCK || !func->blocks[block->before].ahead)
		return ~(u32)0;
	for (u32 p = 0; p < block->pred_count; p++)
		if (block->preds[p] == block->before && func->nodes[ssa_value(func, func->pool[node->a + p])].op == SSA_HOME)
			return p;
	return ~(u32)0;
}

/* PHIs that are odd rely on what comes into them, and so on. */
static void find_relied(Floats *f)
{
	SsaFunc *func = f->func;
	bool changed = true;

	for (u32 i = 0; i < f->mixed_count; i++)
		f->relied[f->mixed[i]] = (f->what[f->mixed[i]] & ODD) != 0;
	while (changed) {
		changed = false;
		for (u32 i = 0; i < f->mixed_count; i++) {
			SsaNode *node = &func->nodes[f->mixed[i]];
			unsigned k, count = given(func, node, &k);

			for (; f->relied[f->mixed[i]] && k < count; k++) {
				SsaRef value = ssa_value(func, *ssa_operand(func, node, k));

				if ((func->nodes[value].op == SSA_PHI || func->nodes[value].op == IR_OP_SEL) && is_wide(&func->nodes[value]) &&
				    !f->relied[value])
					f->relied[value] = changed = true;
			}
		}
	}
}

/* The home that comes into a PHI has one NaN, or the loop is not entered here. Its bits are asked: a compare of floats would
 * say "invalid" for a signalling NaN that nobody may ever compute with. */
static void guard_home(Floats *f, SsaRef phi)
{
	SsaFunc *func = f->func;
	u32 p = home_ahead(func, phi), before;
	SsaRef home, added[5];
	unsigned width;
	u64 infinity;

	if (p == ~(u32)0 || !f->relied[phi])
		return;
	before = func->blocks[func->nodes[phi].block].before;
	home = ssa_value(func, func->pool[func->nodes[phi].a + p]);
	width = func->nodes[home].width;
	infinity = width == 64 ? 0x7FF0000000000000 : 0x7F800000;
	added[0] = ssa_node(func, IR_OP_AND, width, 0, home, ssa_const(func, width, bits_mask(width - 1)), 0, 0);
	added[1] = ssa_node(func, IR_OP_LTU, 1, 0, added[0], ssa_const(func, width, infinity + 1), 0, 0);
	added[2] = ssa_node(func, IR_OP_EQ, 1, 0, home, ssa_const(func, width, infinity | infinity >> 1), 0, 0);
	added[3] = ssa_node(func, IR_OP_OR, 1, 0, added[1], added[2], 0, 0);
	added[4] = ssa_node(func, SSA_GUARD, 0, 0, added[3], 0, 0, 0);
	for (u32 i = 0; i < COUNT_OF(added) && !func->failed; i++)
		ssa_insert_before(func, func->blocks[before].last, added[i]);
}

static void classify(Floats *f)
{
	SsaFunc *func = f->func;
	bool changed = true;

	for (SsaRef ref = 1; ref < f->count; ref++) {
		const SsaNode *node = &func->nodes[ref];

		if (is_wide(node))
			f->what[ref] = (u8)((has_one_nan(node) ? ONE_NAN : 0) | (makes_odd(node) ? ODD : 0));
	}
	while (changed) { /* down: those that have one NaN */
		changed = false;
		for (u32 i = 0; i < f->mixed_count; i++) {
			SsaNode *node = &func->nodes[f->mixed[i]];
			unsigned k, count = given(func, node, &k);

			u32 home = home_ahead(func, f->mixed[i]);

			for (; (f->what[f->mixed[i]] & ONE_NAN) && k < count; k++)
				if (k != home && !(what(f, *ssa_operand(func, node, k)) & ONE_NAN)) {
					f->what[f->mixed[i]] = 0;
					changed = true;
				}
		}
	}
	changed = true;
	while (changed) { /* up: those that are odd */
		changed = false;
		for (u32 i = 0; i < f->mixed_count; i++) {
			SsaNode *node = &func->nodes[f->mixed[i]];
			unsigned k, count = given(func, node, &k);

			for (; f->what[f->mixed[i]] == ONE_NAN && k < count; k++)
				if (what(f, *ssa_operand(func, node, k)) & ODD) {
					f->what[f->mixed[i]] |= ODD;
					changed = true;
				}
		}
	}
}

static bool find_floats(Floats *f)
{
	SsaFunc *func = f->func;
	bool any = false;

	f->count = func->node_count;
	f->mixed = ARENA_ARRAY(func->arena, SsaRef, f->count);
	f->what = ARENA_ARRAY(func->arena, u8, f->count);
	f->canon = ARENA_ARRAY(func->arena, SsaRef, f->count);
	f->relied = ARENA_ARRAY(func->arena, bool, f->count);
	if (!f->mixed || !f->what || !f->canon || !f->relied) {
		func->failed = true;
		return false;
	}
	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first, next; ref; ref = next) {
			const SsaNode *node = &func->nodes[ref];

			next = func->nodes[ref].next;
			any = any || makes_odd(node);
			if (node->op == SSA_CANON && makes_odd(&func->nodes[ssa_value(func, node->a)])) {
				ssa_replace(func, ref, node->a); /* its users get their own where they need one */
				continue;
			}
			if ((node->op == SSA_PHI || node->op == IR_OP_SEL) && is_wide(node))
				f->mixed[f->mixed_count++] = ref;
		}
	return any;
}

/* Who looks at bits: all but arithmetic. */
static void find_seen(Floats *f)
{
	SsaFunc *func = f->func;

	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref; ref = func->nodes[ref].next) {
			SsaNode *node = &func->nodes[ref];

			for (unsigned k = ssa_operands(func, node); !is_float_op(node) && k-- > 0;) {
				SsaRef value = ssa_value(func, *ssa_operand(func, node, k));

				if (value < f->count) /* newer ones are guard_home's */
					f->what[value] |= SEEN;
			}
		}
}

static bool is_sign_change(const Floats *f, SsaRef ref)
{
	const SsaNode *node = &f->func->nodes[ref];
	u64 sign, c;

	if (!is_wide(node)) /* it may have no value at all */
		return false;
	sign = (u64)1 << (node->width - 1);
	return !(f->what[ref] & SEEN) && (node->op == IR_OP_XOR || node->op == IR_OP_AND) &&
	       ssa_is_const(f->func, node->b, &c) && c == (node->op == IR_OP_XOR ? sign : sign - 1);
}

/* It is made canonical where it is computed: then all its users may have that. */
static SsaRef settle(Floats *f, SsaRef ref)
{
	SsaFunc *func = f->func;
	SsaNode node = func->nodes[ref];
	SsaRef raw = ssa_node(func, node.op, node.width, node.aux, node.a, node.b, node.c, node.imm);

	if (!raw)
		return ref;
	ssa_insert_before(func, ref, raw);
	func->nodes[ref].op = SSA_CANON;
	func->nodes[ref].aux = 0;
	func->nodes[ref].a = raw;
	func->nodes[ref].b = func->nodes[ref].c = 0;
	f->what[ref] &= (u8)~ODD;
	return ref;
}

/* A CANON of ref in front of `at`. */
static SsaRef make_canon(Floats *f, SsaRef ref, SsaRef at)
{
	SsaFunc *func = f->func;
	u32 block = func->nodes[at].block;
	SsaRef canon = f->canon[ref];

	if (canon && ssa_dominates(func, func->nodes[canon].block, block))
		return canon;
	if (func->nodes[ref].block == block && makes_odd(&func->nodes[ref]))
		return settle(f, ref);
	canon = ssa_node(func, SSA_CANON, func->nodes[ref].width, 0, ref, 0, 0, 0);
	if (!canon)
		return ref;
	if (func->nodes[ref].block != block) /* behind it others in this block find it */
		ssa_insert_after_phis(func, block, canon);
	else if (func->nodes[ref].op == SSA_PHI)
		ssa_insert_after_phis(func, block, canon);
	else
		ssa_insert_before(func, func->nodes[ref].next, canon);
	f->canon[ref] = canon;
	return canon;
}

static void fix_operand(Floats *f, SsaRef user, unsigned k, SsaRef at)
{
	SsaFunc *func = f->func;
	SsaRef value = ssa_value(func, *ssa_operand(func, &func->nodes[user], k)), canon;

	if (!(what(f, value) & ODD))
		return;
	canon = make_canon(f, value, at);
	*ssa_operand(func, &func->nodes[user], k) = canon;
}

static void fix_node(Floats *f, SsaRef ref)
{
	SsaFunc *func = f->func;
	const SsaNode *node = &func->nodes[ref];
	unsigned k = 0, count = ssa_operands(func, node);
	u32 block = node->block;

	if (ref >= f->count || is_float_op(node) || node->op == SSA_PUT || node->op == SSA_CANON || is_sign_change(f, ref))
		return;
	if (node->op == SSA_PHI || node->op == IR_OP_SEL) {
		if (!is_wide(node) || f->what[ref] & ODD)
			return;
		count = given(func, node, &k);
	}
	for (; k < count && !func->failed; k++)
		fix_operand(f, ref, k, func->nodes[ref].op == SSA_PHI ? func->blocks[func->blocks[block].preds[k]].last : ref);
}

void ssa_float(SsaFunc *func)
{
	Floats f = {.func = func};
	u8 *odd;

	if (func->failed || !find_floats(&f) || func->failed)
		return;
	classify(&f);
	find_relied(&f);
	for (u32 i = 0; i < f.mixed_count && !func->failed; i++)
		guard_home(&f, f.mixed[i]);
	find_seen(&f);
	for (u32 i = 0; i < func->rpo_count && !func->failed; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first, next; ref && !func->failed; ref = next) {
			next = func->nodes[ref].next;
			fix_node(&f, ref);
		}
	odd = ARENA_ARRAY(func->arena, u8, f.count);
	if (!odd) {
		func->failed = true;
		return;
	}
	for (SsaRef ref = 1; ref < f.count; ref++)
		odd[ref] = (f.what[ref] & ODD) != 0;
	func->odd = odd;
	func->odd_count = f.count;
}
