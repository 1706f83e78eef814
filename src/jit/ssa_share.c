/* SPDX-License-Identifier: MIT
 *
 * Operations as they are made: each becomes what it equals (ssa_algebra.c), or an equal one that dominates it, and only then a
 * node. Used by the walk of ssa_fold.c, and by ssa_build.c, which so makes few nodes that are not wanted.
 *
 * What is known is of scopes: who walks down the tree of dominators notes entry_count and mark_count at a block, and forgets what
 * came since when it leaves what that block dominates.
 */
#include "base/bits.h"
#include "jit/ssa_fold.h"

enum { DEPTH_MOST = 12 };

struct SsaKnownEntry {
	u64 what; /* op, width << 8, aux << 16, a << 32 */
	SsaRef b, c, value;
	u32 slot, next; /* in heads; entry + 1 */
};

/* ---- Room ---- */

bool ssa_fold_start(SsaFold *f, SsaFunc *func, u32 nodes)
{
	u32 size = 256;

	while (size < nodes)
		size *= 2;
	*f = (SsaFold){.func = func, .head_mask = size - 1, .entry_cap = nodes + 64};
	f->heads = ARENA_ARRAY(func->arena, u32, size);
	f->entries = ARENA_ROOM(func->arena, SsaKnownEntry, f->entry_cap);
	func->failed |= !f->heads || !f->entries;
	return !func->failed;
}

/* ---- What is known ---- */

static SsaKnownEntry key_of(const SsaFold *f, unsigned op, unsigned width, unsigned aux, SsaRef a, SsaRef b, SsaRef c)
{
	SsaKnownEntry key;
	u64 hash;

	if (ssa_commutes(op) && a > b) {
		SsaRef swap = a;

		a = b;
		b = swap;
	}
	key.what = op | (u64)width << 8 | (u64)aux << 16 | (u64)a << 32;
	key.b = b;
	key.c = c;
	hash = key.what * 0x9E3779B97F4A7C15u;
	hash ^= hash >> 29;
	hash = (hash ^ b ^ (u64)c << 32) * 0xC2B2AE3D27D4EB4Fu;
	key.slot = (u32)(hash >> 40) & f->head_mask;
	return key;
}

static SsaRef look_up(const SsaFold *f, const SsaKnownEntry *key)
{
	for (u32 at = f->heads[key->slot]; at; at = f->entries[at - 1].next) {
		const SsaKnownEntry *e = &f->entries[at - 1];

		if (e->what == key->what && e->b == key->b && e->c == key->c)
			return ssa_value(f->func, e->value);
	}
	return 0;
}

static void enter(SsaFold *f, const SsaKnownEntry *key, SsaRef value)
{
	SsaKnownEntry *entry;

	if (!arena_grow(f->func->arena, (void **)&f->entries, &f->entry_cap, f->entry_count, sizeof(SsaKnownEntry))) {
		f->func->failed = true;
		return;
	}
	entry = &f->entries[f->entry_count++];
	*entry = (SsaKnownEntry){.what = key->what, .b = key->b, .c = key->c, .value = value, .slot = key->slot,
		.next = f->heads[key->slot]};
	f->heads[key->slot] = f->entry_count;
}

/* ref is `value` in the blocks below. */
static void mark(SsaFold *f, SsaRef ref, SsaRef value)
{
	SsaNode *node = &f->func->nodes[ref];

	if (node->op == SSA_CONST || node->mark)
		return;
	if (!arena_grow(f->func->arena, (void **)&f->marked, &f->mark_cap, f->mark_count, sizeof(SsaRef))) {
		f->func->failed = true;
		return;
	}
	node->mark = value;
	f->marked[f->mark_count++] = ref;
}

void ssa_fold_forget(SsaFold *f, u32 entries, u32 marks)
{
	while (f->entry_count > entries) {
		const SsaKnownEntry *e = &f->entries[--f->entry_count];

		f->heads[e->slot] = e->next;
	}
	while (f->mark_count > marks)
		f->func->nodes[f->marked[--f->mark_count]].mark = 0;
}

/* The compare that accepts what this one does not, and its operands' order. */
static unsigned inverse(unsigned op, bool *swapped)
{
	*swapped = op >= IR_OP_LTS;
	switch (op) {
	case IR_OP_EQ: return IR_OP_NE;
	case IR_OP_NE: return IR_OP_EQ;
	case IR_OP_LTS: return IR_OP_LES;
	case IR_OP_LES: return IR_OP_LTS;
	case IR_OP_LTU: return IR_OP_LEU;
	default: return IR_OP_LTU;
	}
}

static SsaRef truth(SsaFold *f, bool is)
{
	if (!f->truths[is])
		f->truths[is] = ssa_const(f->func, 1, is);
	return f->truths[is];
}

/* The condition is so from here down. */
static void learn(SsaFold *f, SsaRef cond, bool is)
{
	SsaFunc *func = f->func;
	SsaNode node = func->nodes[cond];
	SsaRef yes = truth(f, is), no = truth(f, !is), a, b;
	SsaKnownEntry key;
	bool swapped;
	unsigned op;
	u64 value;

	mark(f, cond, yes);
	if (node.op >= IR_OP_COUNT)
		return;
	a = ssa_value(func, node.a);
	b = ssa_value(func, node.b);
	if (node.op == IR_OP_XOR && ssa_is_const(func, b, &value)) {
		mark(f, a, value ? no : yes);
	} else if (node.op == (is ? IR_OP_AND : IR_OP_OR)) {
		mark(f, a, yes);
		mark(f, b, yes);
	} else if (ir_op_info[node.op].shape == IR_SHAPE_CMP) {
		op = inverse(node.op, &swapped);
		key = key_of(f, op, 1, 0, swapped ? b : a, swapped ? a : b, 0);
		enter(f, &key, no);
		if (node.op == (is ? IR_OP_EQ : IR_OP_NE) && ssa_is_const(func, b, NULL))
			mark(f, a, b);
		if (is && (node.op == IR_OP_LTS || node.op == IR_OP_LTU)) { /* then they differ, and the other way is not so */
			key = key_of(f, IR_OP_EQ, 1, 0, a, b, 0);
			enter(f, &key, no);
			key = key_of(f, IR_OP_NE, 1, 0, a, b, 0);
			enter(f, &key, yes);
			key = key_of(f, node.op, 1, 0, b, a, 0);
			enter(f, &key, no);
			key = key_of(f, node.op == IR_OP_LTS ? IR_OP_LES : IR_OP_LEU, 1, 0, a, b, 0);
			enter(f, &key, yes);
		}
	}
}

void ssa_fold_learn(SsaFold *f, u32 block)
{
	const SsaFunc *func = f->func;
	const SsaBlock *here = &func->blocks[block], *pred;

	if (here->pred_count != 1)
		return;
	pred = &func->blocks[here->preds[0]];
	if (func->nodes[pred->last].op == SSA_BRANCH)
		learn(f, ssa_value(func, func->nodes[pred->last].a), pred->succ[0] == block);
}

/* ---- Operations ---- */

/* With constants on the right where that is the same. */
static void put_in_order(const SsaFold *f, SsaNode *node)
{
	if (ssa_commutes(node->op) && f->func->nodes[node->a].op == SSA_CONST && f->func->nodes[node->b].op != SSA_CONST) {
		SsaRef swap = node->a;

		node->a = node->b;
		node->b = swap;
	}
}

static SsaRef fold_consts(SsaFold *f, const SsaNode *node)
{
	SsaFunc *func = f->func;
	const SsaRef operand[3] = {node->a, node->b, node->c};
	u64 value[3] = {0};
	unsigned count;

	if (!ssa_is_const(func, node->a, &value[0]) || node->op >= IR_OP_COUNT || !(ssa_effects(node) & SSA_PURE))
		return 0;
	count = ssa_op_info[node->op].operands;
	if (!count)
		return 0;
	for (unsigned i = 1; i < count; i++)
		if (!ssa_is_const(func, operand[i], &value[i]))
			return 0;
	return ssa_const(func, node->width,
			 ir_eval((IrOp)node->op, node->width, func->nodes[node->a].width, node->aux, value[0], value[1], value[2]));
}

/* A float operation that raises flags has them raised by an equal one that dominates it, unless something may clear them in
 * between; and an equal one that does not raise is the same number. */
static bool may_share(const SsaFold *f, const SsaNode *node)
{
	return !f->sets_flags || !(ssa_op_info[node->op].effects & SSA_MAY_RAISE) || !(node->aux & SSA_FLOAT_RAISES);
}

static SsaRef look_up_raising(const SsaFold *f, const SsaNode *node)
{
	SsaKnownEntry raising;

	if (!f->func->floats || node->aux & SSA_FLOAT_RAISES || !(ssa_op_info[node->op].effects & SSA_MAY_RAISE))
		return 0;
	raising = key_of(f, node->op, node->width, node->aux | SSA_FLOAT_RAISES, node->a, node->b, node->c);
	return look_up(f, &raising);
}

static SsaRef simpler(SsaFold *f, const SsaNode *node)
{
	SsaRef folded = fold_consts(f, node);

	if (!folded && f->depth < DEPTH_MOST) {
		f->depth++;
		folded = ssa_algebra(f, node);
		f->depth--;
	}
	return folded ? ssa_fold_value(f, folded) : 0;
}

SsaRef ssa_fold_make(SsaFold *f, unsigned op, unsigned width, unsigned aux, SsaRef a, SsaRef b, SsaRef c)
{
	SsaNode node = {.op = (u8)op, .width = (u8)width, .aux = (u16)aux, .a = ssa_fold_value(f, a), .b = ssa_fold_value(f, b),
		.c = ssa_fold_value(f, c)};
	SsaKnownEntry key;
	SsaRef ref;

	if (f->func->failed)
		return 0;
	put_in_order(f, &node);
	if (ssa_effects(&node) & SSA_PURE && (ref = simpler(f, &node)))
		return ref;
	key = key_of(f, op, width, aux, node.a, node.b, node.c);
	if ((may_share(f, &node) && (ref = look_up(f, &key))) || (ref = look_up_raising(f, &node)))
		return ref;
	node.uses = f->depth ? 0 : f->uses;
	if (!f->at) {
		ref = ssa_emit(f->func, f->block, &node);
	} else {
		ref = ssa_node(f->func, op, width, aux, node.a, node.b, node.c, 0);
		ssa_insert_before(f->func, f->at, ref);
	}
	if (ref)
		enter(f, &key, ref);
	return ref;
}

/* A HOME: an equal one that dominates it will do. */
void ssa_fold_share_home(SsaFold *f, SsaRef ref)
{
	const SsaNode *node = &f->func->nodes[ref];
	SsaKnownEntry key = key_of(f, SSA_HOME, node->width, node->aux, 0, 0, 0);
	SsaRef same = look_up(f, &key);

	if (!same)
		enter(f, &key, ref);
	else if (same != ref)
		ssa_replace(f->func, ref, same);
}

static bool is_changed(const SsaFold *f, SsaRef ref)
{
	return ref >= f->settled || f->changed[ref];
}

/* Is an operation, with its operands as they are known now, what it was? Operands of operands count: rules look at them. */
static bool has_changed(const SsaFold *f, SsaRef ref, const SsaNode *now)
{
	const SsaNode *was = &f->func->nodes[ref];
	bool changed = ref >= f->settled || now->a != was->a || now->b != was->b || now->c != was->c || is_changed(f, now->a) ||
		is_changed(f, now->b) || is_changed(f, now->c);

	if (changed && ref < f->settled)
		f->changed[ref] = 1;
	return changed;
}

void ssa_fold_operation(SsaFold *f, SsaRef ref)
{
	SsaFunc *func = f->func;
	SsaNode *at = &func->nodes[ref]; /* it moves when others are made */
	SsaNode node = {.op = at->op, .width = at->width, .aux = at->aux, .a = ssa_fold_value(f, at->a),
		.b = ssa_fold_value(f, at->b), .c = ssa_fold_value(f, at->c)};
	bool changed = has_changed(f, ref, &node);
	SsaKnownEntry key;
	SsaRef same;

	put_in_order(f, &node);
	at->a = node.a;
	at->b = node.b;
	at->c = node.c;
	f->at = ref;
	same = changed && ssa_effects(&node) & SSA_PURE ? simpler(f, &node) : 0;
	if (!same) {
		key = key_of(f, node.op, node.width, node.aux, node.a, node.b, node.c);
		same = may_share(f, &node) ? look_up(f, &key) : 0;
		if (!same)
			same = look_up_raising(f, &node);
		if (!same)
			enter(f, &key, ref);
	}
	if (same && same != ref)
		ssa_replace(func, ref, same);
}
