/* SPDX-License-Identifier: MIT
 *
 * Values of 64 bits that go round loops and hold no more than 32: the PHI becomes one of 32 bits, and what it was is made from
 * it by one operation, its *form*. What works with 32 bits then finds them (ssa_fold), without the way through 64:
 *
 *     header:  %1 = phi.64 [%0, %4]             header:  %7 = phi.32 [%6, %3]
 *              %2 = extract.32 %1                        %1 = sx.64 %7        used by ways out alone: a recipe
 *              %3 = add.32 %2, 1                         %3 = add.32 %7, 1
 *              %4 = sx.64 %3                             ...
 *
 * Forms: SX, ZX, and BOX, a float below ones. That a PHI has a form is assumed, and taken back until all agree.
 *
 * What comes into a loop from outside may be a register of which nothing is known. If all that goes round has a form, a
 * GUARD ahead of the loop says that so has this: the guest's compiler keeps numbers so, and if not, the first round
 * is done elsewhere, after which it is so. Something must give it the form, though: what only goes round as it came in may be an
 * address, and the region would never be entered. A region whose GUARDs failed often is made again without (careful).
 *
 * Likewise for what such a number is compared with in a loop. It is done for PHIs of which somebody wants the low bits, or that are compared.
 * PHIs that are SX anyway, which takes no GUARD, become narrow, too: else the number is held twice, as it is and extended.
 */
#include "base/bits.h"
#include "jit/ssa_fold.h"
#include "jit/ssa_tree.h"

enum { SX = 1, ZX = 2, BOX = 4, FORMS = 7, DEPTH = 3, NARROW = 32 };
enum { WANTED = 8, FREE = 16, GUESSED = 32, ROUNDS_MOST = 8 };

typedef struct Narrow {
	SsaFunc *func;
	u32 count;      /* of nodes at the start */
	u8 *forms;      /* per node: of PHIs, those that are left, and WANTED, FREE or GUESSED */
	SsaRef *phis;   /* all of 64 bits, in reverse postorder */
	u32 phi_count;
	SsaRef *narrow; /* per node: the PHI of 32 bits */
} Narrow;

/* ---- Forms ---- */

static unsigned forms_of_const(u64 value)
{
	unsigned forms = 0;

	if (value == (u64)bits_signed(bits_trunc(value, NARROW), NARROW))
		forms |= SX;
	if (!(value >> NARROW))
		forms |= ZX;
	if (value >> NARROW == bits_mask(NARROW))
		forms |= BOX;
	return forms;
}

static unsigned forms_of(const Narrow *n, SsaRef ref, unsigned depth)
{
	const SsaFunc *func = n->func;
	const SsaNode *node;
	unsigned forms = 0, width, x, y;
	u64 value;

	ref = ssa_value(func, ref);
	node = &func->nodes[ref];
	if (node->width != 64)
		return 0;
	switch (node->op) {
	case SSA_CONST: return forms_of_const(node->imm);
	case SSA_PHI: return ref < n->count ? n->forms[ref] & FORMS : 0;
	case IR_OP_SX: case IR_OP_ZX:
		width = ssa_width(func, node->a);
		if (width > NARROW)
			return 0;
		return node->op == IR_OP_SX ? SX : width < NARROW ? SX | ZX : ZX;
	case IR_OP_CONCAT:
		if (ssa_is_const(func, node->a, &value) && value == bits_mask(NARROW) && ssa_width(func, node->b) == NARROW)
			return BOX;
		return 0;
	case IR_OP_SEL:
		return depth ? forms_of(n, node->b, depth - 1) & forms_of(n, node->c, depth - 1) : 0;
	case IR_OP_AND: case IR_OP_OR: case IR_OP_XOR:
		if (!depth)
			return 0;
		x = forms_of(n, node->a, depth - 1);
		y = forms_of(n, node->b, depth - 1);
		return (x & y & (SX | ZX)) | (node->op == IR_OP_AND ? (x | y) & ZX : 0);
	case SSA_HOME: case SSA_LOAD: case IR_OP_ADD:
		return 0;
	default:
		if (ssa_sign_bits(func, ref) > 64 - NARROW)
			forms |= SX;
		if (!(ssa_may_be_one(func, ref) >> NARROW))
			forms |= ZX;
		return forms;
	}
}

/* May a GUARD make up for what is not known of argument i? */
static bool is_from_outside(const SsaFunc *func, SsaRef phi, u32 i)
{
	const SsaBlock *block = &func->blocks[func->nodes[phi].block];

	return block->header && block->before != SSA_NO_BLOCK && block->preds[i] == block->before;
}

static void settle_forms(Narrow *n)
{
	const SsaFunc *func = n->func;
	bool changed = true;

	while (changed) {
		changed = false;
		for (u32 k = 0; k < n->phi_count; k++) {
			SsaRef phi = n->phis[k];
			u32 count = func->blocks[func->nodes[phi].block].pred_count;
			unsigned forms = n->forms[phi] & FORMS;

			if (!forms)
				continue;
			for (u32 i = 0; i < count && forms; i++) {
				unsigned arg = forms_of(n, func->pool[func->nodes[phi].a + i], DEPTH);

				forms &= is_from_outside(func, phi, i) && n->forms[phi] & WANTED ? arg | SX | BOX : arg;
			}
			changed = changed || forms != (n->forms[phi] & FORMS);
			n->forms[phi] = (u8)((n->forms[phi] & ~FORMS) | forms);
		}
	}
}

/* ---- Who wants them ---- */

static void want(Narrow *n, SsaRef ref)
{
	ref = ssa_value(n->func, ref);
	if (n->func->nodes[ref].op == SSA_PHI && ref < n->count)
		n->forms[ref] |= WANTED;
}

/* Compared with something that may be a number of 32 bits; that is asked for PHIs alone. */
static void want_compared(Narrow *n, SsaRef ref, SsaRef with)
{
	if (n->func->nodes[ssa_value(n->func, ref)].op == SSA_PHI && forms_of(n, with, DEPTH) & (SX | ZX))
		want(n, ref);
}

static void find_wanted(Narrow *n)
{
	SsaFunc *func = n->func;
	bool changed = true;

	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref; ref = func->nodes[ref].next) {
			const SsaNode *node = &func->nodes[ref];

			if (node->op == IR_OP_EXTRACT && node->width <= NARROW) {
				want(n, node->a);
			} else if (node->op < IR_OP_COUNT && ir_op_info[node->op].shape == IR_SHAPE_CMP) {
				want_compared(n, node->a, node->b);
				want_compared(n, node->b, node->a);
			}
		}
	for (unsigned rounds = 0; changed && rounds < ROUNDS_MOST; rounds++) { /* through other PHIs */
		changed = false;
		for (u32 k = n->phi_count; k-- > 0;) {
			const SsaNode *node = &func->nodes[n->phis[k]];

			if (!(n->forms[n->phis[k]] & WANTED))
				continue;
			for (u32 i = 0; i < func->blocks[node->block].pred_count; i++) {
				SsaRef arg = ssa_value(func, func->pool[node->a + i]);

				if (func->nodes[arg].op == SSA_PHI && arg < n->count && !(n->forms[arg] & WANTED)) {
					n->forms[arg] |= WANTED;
					changed = true;
				}
			}
		}
	}
}

/* Those that have one form, SX, as it stands. */
static void find_free(Narrow *n)
{
	for (u32 k = 0; k < n->phi_count; k++)
		if (n->forms[n->phis[k]] == SX)
			n->forms[n->phis[k]] |= FREE;
}

/* ---- New PHIs ---- */

static SsaRef insert(SsaFunc *func, SsaRef at, unsigned op, unsigned width, unsigned aux, SsaRef a, SsaRef b)
{
	SsaRef ref = ssa_node(func, op, width, aux, a, b, 0, 0);

	if (ref)
		ssa_insert_before(func, at, ref);
	return ref;
}

/* The low bits of an argument, at the end of the block that it comes from. */
static SsaRef low_part(const Narrow *n, SsaRef value, SsaRef end)
{
	SsaFunc *func = n->func;
	const SsaNode *node = &func->nodes[value];
	u64 constant;

	if (ssa_is_const(func, value, &constant))
		return ssa_const(func, NARROW, constant);
	if (value < n->count && n->narrow[value])
		return n->narrow[value];
	if ((node->op == IR_OP_SX || node->op == IR_OP_ZX) && ssa_width(func, node->a) <= NARROW)
		return ssa_width(func, node->a) == NARROW ? ssa_value(func, node->a)
			: insert(func, end, node->op, NARROW, 0, node->a, 0);
	if (node->op == IR_OP_CONCAT && ssa_width(func, node->b) == NARROW)
		return ssa_value(func, node->b);
	return insert(func, end, IR_OP_EXTRACT, NARROW, 0, value, 0);
}

/* Goes on if `value` has the form; if that proves wrong again and again the region is made anew without. */
static void guard(SsaFunc *func, SsaRef value, SsaRef end, unsigned form)
{
	SsaRef part, good;

	if (form == BOX) {
		part = insert(func, end, IR_OP_EXTRACT, NARROW, NARROW, value, 0);
		good = insert(func, end, IR_OP_EQ, 1, 0, part, ssa_const(func, NARROW, bits_mask(NARROW)));
	} else {
		part = insert(func, end, IR_OP_EXTRACT, NARROW, 0, value, 0);
		good = insert(func, end, IR_OP_EQ, 1, 0, insert(func, end, IR_OP_SX, 64, 0, part, 0), value);
	}
	good = ssa_node(func, SSA_GUARD, 0, 0, good, 0, 0, 1);
	if (good)
		ssa_insert_before(func, end, good);
}

static unsigned choose(const Narrow *n, SsaRef phi)
{
	const SsaFunc *func = n->func;
	unsigned forms = n->forms[phi] & FORMS, known = forms;

	for (u32 i = 0; i < func->blocks[func->nodes[phi].block].pred_count; i++)
		known &= forms_of(n, func->pool[func->nodes[phi].a + i], DEPTH);
	forms = known ? known : forms;
	return forms & ZX ? ZX : forms & SX ? SX : forms & BOX;
}

static void fill(Narrow *n, SsaRef phi, unsigned form)
{
	SsaFunc *func = n->func;
	const SsaBlock *block = &func->blocks[func->nodes[phi].block];

	for (u32 i = 0; i < block->pred_count && !func->failed; i++) {
		SsaRef arg = ssa_value(func, func->pool[func->nodes[phi].a + i]), end = func->blocks[block->preds[i]].last;
		SsaRef part = low_part(n, arg, end);

		if (!(forms_of(n, arg, DEPTH) & form))
			guard(func, arg, end, form);
		func->pool[func->nodes[n->narrow[phi]].a + i] = part;
	}
}

static void widen(Narrow *n, SsaRef phi, unsigned form)
{
	SsaFunc *func = n->func;
	u32 block = func->nodes[phi].block;
	SsaRef narrow = n->narrow[phi], wide;

	if (form == BOX)
		wide = ssa_node(func, IR_OP_CONCAT, 64, 0, ssa_const(func, NARROW, bits_mask(NARROW)), narrow, 0, 0);
	else
		wide = ssa_node(func, form == SX ? IR_OP_SX : IR_OP_ZX, 64, 0, narrow, 0, 0, 0);
	if (!wide)
		return;
	ssa_insert_after_phis(func, block, wide);
	ssa_replace(func, phi, wide);
}

/* ---- Compares ---- */

/* A compare in a loop of a number with something from outside: a GUARD ahead says that the latter has the form, too, so that it
 * is one of 32 bits. */
static void guard_compare(Narrow *n, SsaRef compare)
{
	SsaFunc *func = n->func;
	SsaNode node = func->nodes[compare];
	u32 loop = func->blocks[node.block].loop;

	if (func->careful || loop == SSA_NO_BLOCK || func->blocks[loop].before == SSA_NO_BLOCK || ssa_width(func, node.a) != 64)
		return;
	for (unsigned i = 0; i < 2; i++) {
		SsaRef number = ssa_value(func, i ? node.b : node.a), other = ssa_value(func, i ? node.a : node.b), end, part;

		if (func->nodes[number].op == SSA_CONST || !ssa_in_loop(func, func->nodes[number].block, loop))
			continue;
		if (forms_of(n, number, DEPTH) != SX || forms_of(n, other, DEPTH) & SX || func->nodes[other].op == SSA_CONST ||
		    (func->nodes[other].op != SSA_HOME && ssa_in_loop(func, func->nodes[other].block, loop)))
			continue;
		end = func->blocks[func->blocks[loop].before].last;
		if (func->nodes[other].op == SSA_HOME) /* homes do not change */
			other = insert(func, end, SSA_HOME, 64, func->nodes[other].aux, 0, 0);
		guard(func, other, end, SX);
		part = insert(func, end, IR_OP_EXTRACT, NARROW, 0, other, 0);
		part = insert(func, end, IR_OP_SX, 64, 0, part, 0);
		*(i ? &func->nodes[compare].a : &func->nodes[compare].b) = part;
		return;
	}
}

static void guard_compares(Narrow *n)
{
	SsaFunc *func = n->func;

	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref && !func->failed; ref = func->nodes[ref].next)
			if (func->nodes[ref].op < IR_OP_COUNT && ir_op_info[func->nodes[ref].op].shape == IR_SHAPE_CMP)
				guard_compare(n, ref);
}

static bool prepare(Narrow *n)
{
	SsaFunc *func = n->func;

	n->count = func->node_count;
	n->forms = ARENA_ARRAY(func->arena, u8, n->count);
	n->phis = ARENA_ARRAY(func->arena, SsaRef, n->count);
	n->narrow = ARENA_ARRAY(func->arena, SsaRef, n->count);
	if (!n->forms || !n->phis || !n->narrow) {
		func->failed = true;
		return false;
	}
	for (u32 i = 0; i < func->rpo_count; i++)
		for (SsaRef ref = func->blocks[func->rpo[i]].first; ref && func->nodes[ref].op == SSA_PHI;
		     ref = func->nodes[ref].next)
			if (func->nodes[ref].width == 64) {
				n->phis[n->phi_count++] = ref;
				n->forms[ref] = FORMS;
			}
	return n->phi_count;
}

/* Does anything that comes in have one of the PHI's forms, other than by guess? Gives whether this is news. */
static bool give_reason(Narrow *n, SsaRef phi)
{
	const SsaFunc *func = n->func;
	const SsaNode *node = &func->nodes[phi];

	if (!(n->forms[phi] & GUESSED))
		return false;
	for (u32 i = 0; i < func->blocks[node->block].pred_count; i++) {
		SsaRef arg = ssa_value(func, func->pool[node->a + i]);

		if (!(forms_of(n, arg, DEPTH) & n->forms[phi] & FORMS) ||
		    (func->nodes[arg].op == SSA_PHI && n->forms[arg] & GUESSED))
			continue;
		n->forms[phi] &= (u8)~GUESSED;
		return true;
	}
	return false;
}

/* With GUARDs. What goes round as it came in has no form that anybody gave it: it is left as it is known. */
static void guess(Narrow *n)
{
	bool changed = true;

	for (u32 k = 0; k < n->phi_count; k++)
		if (n->forms[n->phis[k]] & WANTED)
			n->forms[n->phis[k]] |= (u8)(n->forms[n->phis[k]] & FORMS ? 0 : GUESSED) | FORMS;
	settle_forms(n);
	while (changed) {
		changed = false;
		for (u32 k = 0; k < n->phi_count; k++)
			changed |= give_reason(n, n->phis[k]);
	}
	for (u32 k = 0; k < n->phi_count; k++)
		if (n->forms[n->phis[k]] & GUESSED)
			n->forms[n->phis[k]] &= (u8)~FORMS;
	settle_forms(n);
}

/* Each PHI has one form from here on, and the others may rely on no more; those that lose theirs take others along. */
static void decide(Narrow *n)
{
	for (u32 k = 0; k < n->phi_count; k++)
		if (n->forms[n->phis[k]] & WANTED)
			n->forms[n->phis[k]] = (u8)(WANTED | choose(n, n->phis[k]));
	settle_forms(n);
}

void ssa_narrow(SsaFunc *func)
{
	Narrow n = {.func = func};

	func->narrowed = false;
	if (func->failed || !prepare(&n))
		return;
	settle_forms(&n); /* without GUARDs */
	find_wanted(&n);
	find_free(&n);
	if (!func->careful)
		guess(&n);
	decide(&n);
	for (u32 k = 0; k < n.phi_count && !func->failed; k++)
		if (n.forms[n.phis[k]] & FORMS && n.forms[n.phis[k]] & (WANTED | FREE))
			n.narrow[n.phis[k]] = ssa_phi(func, func->nodes[n.phis[k]].block, NARROW, SSA_NO_SLOT);
	for (u32 k = 0; k < n.phi_count && !func->failed; k++)
		if (n.narrow[n.phis[k]])
			fill(&n, n.phis[k], n.forms[n.phis[k]] & FORMS);
	for (u32 k = 0; k < n.phi_count && !func->failed; k++)
		if (n.narrow[n.phis[k]])
			widen(&n, n.phis[k], n.forms[n.phis[k]] & FORMS);
	guard_compares(&n);
	func->narrowed = func->node_count != n.count;
}
