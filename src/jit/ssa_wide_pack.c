/* SPDX-License-Identifier: MIT
 *
 * What a trace becomes on vectors: its accesses of all copies, by address, in packs of four; from what is tested and stored
 * back to loads, four values that are made alike at a time.
 *
 * Values that a PHI brings from the round before were loaded there, so they have an address as well: four that lie in a row
 * are a window over two packs, of which one may be of the time before: they are loaded once more from there, or, where something
 * is stored, put together from what was kept (KEEP).
 *
 * A pack that nobody asks for is loaded all the same, as the loop would, but for what others touch of it (REACH).
 *
 * Words that are merged from two that lie in a row, the end of the one and the beginning of the next, lie in a row themselves, if
 * what is cut off is whole bytes: one load, from between. Its words are loaded as before, too, so nothing is touched that
 * the loop would not touch; those of the time before are loaded once more, so stores of that time must be apart from them,
 * and what their PHIs begin with must lie there (EXPECT).
 *
 * Loads come before all stores of their time. So where in the loop a store comes before a load, the two must be apart: either
 * it follows from their displacements, or the difference of their pointers (which does not change) is looked at first.
 */
#include <string.h>

#include "base/bits.h"
#include "ir/ir_float.h"
#include "jit/ssa_wide_private.h"

enum { SPAN = 4096 }; /* no page is smaller */

typedef struct Value {
	SsaRef ref;
	u32 copy;
} Value;

/* ---- Accesses ---- */

static u32 find_pointer(WidePlan *p, const WideLinear *at)
{
	const WidePhi *phi = wide_phi(p->trace, at->phi);
	i64 step;

	if (!phi || !phi->steps || p->trace->func->nodes[at->phi].width != 64)
		return SSA_WIDE_POINTERS_MOST;
	step = (i64)(phi->step << at->shift) * (i64)p->copies;
	if (!step || step < -WIDE_FAR || step > WIDE_FAR)
		return SSA_WIDE_POINTERS_MOST;
	for (u32 i = 0; i < p->pointer_count; i++)
		if (p->pointers[i].phi == at->phi && p->pointers[i].base == at->base && p->pointers[i].shift == at->shift)
			return i;
	if (p->pointer_count == SSA_WIDE_POINTERS_MOST)
		return SSA_WIDE_POINTERS_MOST;
	p->pointers[p->pointer_count] = (WidePointer){at->phi, at->base, at->shift, step, 0};
	return p->pointer_count++;
}

static bool collect(WidePlan *p)
{
	WideTrace *t = p->trace;

	for (u32 i = 0; i < t->phi_count; i++)
		t->phis[i].asked = false;

	for (u32 copy = 0; copy < p->copies; copy++)
		for (u32 i = 0; i < t->access_count; i++) {
			const SsaNode *node = &t->func->nodes[t->accesses[i]];
			WideAccess *access = &p->all[p->all_count];
			WideLinear at;

			if (node->width != 64 || p->all_count == WIDE_ALL_MOST || !wide_linear(t, node->a, copy, &at) || !at.phi)
				return false;
			*access = (WideAccess){t->accesses[i], copy, find_pointer(p, &at), copy * t->length + t->positions[i],
				(i64)(at.off + node->imm), node->op == SSA_STORE};
			if (access->pointer == SSA_WIDE_POINTERS_MOST || access->off < -WIDE_FAR || access->off > WIDE_FAR)
				return false;
			p->all_count++;
			for (u32 k = 0; k < t->phi_count; k++)
				t->phis[k].asked |= t->phis[k].ref == at.twin;
		}
	return p->all_count;
}

static bool goes_before(const WideAccess *a, const WideAccess *b)
{
	if (a->store != b->store)
		return b->store;
	return a->pointer != b->pointer ? a->pointer < b->pointer : a->off < b->off;
}

static bool pack(WidePlan *p)
{
	for (u32 i = 1; i < p->all_count; i++) {
		WideAccess access = p->all[i];
		u32 at = i;

		for (; at && goes_before(&access, &p->all[at - 1]); at--)
			p->all[at] = p->all[at - 1];
		p->all[at] = access;
	}
	if (p->all_count % SSA_WIDE_LANES || p->all_count > WIDE_PACKS_MOST * SSA_WIDE_LANES)
		return false;
	for (u32 i = 0; i < p->all_count; i += SSA_WIDE_LANES) {
		const WideAccess *first = &p->all[i];

		for (u32 k = 1; k < SSA_WIDE_LANES; k++)
			if (first[k].store != first->store || first[k].pointer != first->pointer || first[k].off != first->off + 8 * k)
				return false;
		if (p->pack_count && p->packs[p->pack_count - 1].pointer == first->pointer &&
		    p->packs[p->pack_count - 1].store == first->store && first->off < p->packs[p->pack_count - 1].off + 32)
			return false;
		p->packs[p->pack_count++] = (WidePack){.pointer = first->pointer, .off = first->off, .store = first->store, .first = i,
			.value = WIDE_NO_REG, .prev = WIDE_NO_REG};
	}
	return true;
}

/* Of a and b, of which b is a store and the order changes: they are apart. */
static bool keep_apart(WidePlan *p, const WideAccess *a, const WideAccess *b)
{
	i64 low = a->off - b->off - 8, high = a->off - b->off + 8;

	if (a->pointer == b->pointer)
		return low >= 0 || high <= 0;
	if (p->pointers[a->pointer].step != p->pointers[b->pointer].step)
		return false;
	for (u32 i = 0; i < p->apart_count; i++) {
		WideApart *apart = &p->aparts[i];

		if (apart->a != a->pointer || apart->b != b->pointer)
			continue;
		apart->low = low < apart->low ? low : apart->low;
		apart->high = high > apart->high ? high : apart->high;
		return true;
	}
	if (p->apart_count == WIDE_APARTS_MOST)
		return false;
	p->aparts[p->apart_count++] = (WideApart){a->pointer, b->pointer, low, high};
	return true;
}

static bool order_holds(WidePlan *p)
{
	for (u32 i = 0; i < p->all_count; i++)
		for (u32 k = 0; k < p->all_count; k++) {
			const WideAccess *a = &p->all[i], *b = &p->all[k];
			bool changes = b->store && (a->store ? i < k : b->position < a->position);

			if (changes && !keep_apart(p, a, b))
				return false;
		}
	return true;
}

/* ---- Values ---- */

static u32 new_reg(WidePlan *p)
{
	if (p->regs == WIDE_NO_REG)
		p->bad = true;
	else
		p->regs++;
	return p->regs - 1;
}

static void add_prepare(WidePlan *p, SsaWideOp op)
{
	if (p->prepare_count == SSA_WIDE_OPS_MOST)
		p->bad = true;
	else
		p->prepare[p->prepare_count++] = op;
}

void wide_add_round(WidePlan *p, SsaWideOp op)
{
	if (p->round_count == SSA_WIDE_OPS_MOST)
		p->bad = true;
	else
		p->round[p->round_count++] = op;
}

static u8 operand(WidePlan *p, SsaRef ref)
{
	u32 at = 0;

	while (at < p->operand_count && p->operands[at] != ref)
		at++;
	if (at + 1 + SSA_WIDE_POINTERS_MOST >= SSA_WIDE_OPERANDS_MOST) {
		p->bad = true;
		return 0;
	}
	if (at == p->operand_count)
		p->operands[p->operand_count++] = ref;
	return (u8)at;
}

static u32 splat(WidePlan *p, SsaRef ref)
{
	const SsaFunc *func = p->trace->func;
	u32 reg = new_reg(p);
	u64 value;

	if (ssa_is_const(func, ref, &value))
		add_prepare(p, (SsaWideOp){.kind = SSA_WIDE_CONST, .to = (u8)reg, .imm = value});
	else
		add_prepare(p, (SsaWideOp){.kind = SSA_WIDE_SPLAT, .to = (u8)reg, .a = operand(p, ref)});
	return reg;
}

static const WideAccess *find_load(const WidePlan *p, SsaRef ref, u32 copy)
{
	for (u32 i = 0; i < p->all_count; i++)
		if (p->all[i].ref == ref && p->all[i].copy == copy && !p->all[i].store)
			return &p->all[i];
	return NULL;
}

/* Where the value lies or lay, as if the pointer had been there all the time. */
static bool find_place(const WidePlan *p, Value value, u32 *pointer, i64 *off)
{
	const SsaNode *node = &p->trace->func->nodes[value.ref];
	const WideAccess *access = NULL;
	u32 copy = p->copies - 1;

	if (node->op == SSA_LOAD) {
		access = find_load(p, value.ref, value.copy);
		if (access)
			*off = access->off;
	} else if (node->op == SSA_PHI || node->op == SSA_FETCH) {
		const WidePhi *phi = wide_phi(p->trace, value.ref);
		SsaRef back = phi ? wide_resolve(p->trace, phi->back, &copy) : 0;

		access = back && p->trace->func->nodes[back].op == SSA_LOAD ? find_load(p, back, copy) : NULL;
		if (access)
			*off = access->off - p->pointers[access->pointer].step;
	}
	if (access)
		*pointer = access->pointer;
	return access;
}

/* The pack of loads there, of this time or (*prev) the one before. */
static WidePack *pack_at(WidePlan *p, u32 pointer, i64 off, bool *prev)
{
	for (u32 i = 0; i < p->pack_count; i++) {
		WidePack *at = &p->packs[i];

		if (at->store || at->pointer != pointer)
			continue;
		*prev = at->off != off;
		if (at->off == off || at->off - p->pointers[pointer].step == off)
			return at;
	}
	return NULL;
}

static u32 part_of(WidePlan *p, WidePack *pack, bool prev)
{
	if (!prev)
		return pack->value;
	if (pack->prev == WIDE_NO_REG)
		pack->prev = new_reg(p);
	return pack->prev;
}

/* What PHIs begin with is what lay in the pack before. */
static void add_init(WidePlan *p, u32 reg, u32 lane, SsaRef phi)
{
	const WidePhi *known = wide_phi(p->trace, phi);

	for (u32 i = 0; i < p->prepare_count; i++)
		if (p->prepare[i].kind == SSA_WIDE_LANE && p->prepare[i].to == reg && p->prepare[i].lane == lane) {
			p->bad |= p->prepare[i].imm != phi;
			return;
		}
	add_prepare(p, (SsaWideOp){.kind = SSA_WIDE_LANE, .to = (u8)reg, .lane = (u8)lane, .a = operand(p, known->init), .imm = phi});
}

static bool has_stores(const WidePlan *p)
{
	return p->all[p->all_count - 1].store; /* they come last */
}

static void expect(WidePlan *p, u32 pointer, i64 off, SsaRef phi)
{
	SsaWideOp op = {.kind = SSA_WIDE_EXPECT, .a = operand(p, wide_phi(p->trace, phi)->init), .b = (u8)pointer, .imm = (u64)off};

	for (u32 i = 0; i < p->prepare_count; i++)
		if (p->prepare[i].kind == SSA_WIDE_EXPECT && p->prepare[i].a == op.a && p->prepare[i].b == op.b &&
		    p->prepare[i].imm == op.imm)
			return;
	add_prepare(p, op);
}

static u32 add_load(WidePlan *p, u32 pointer, i64 off)
{
	u32 reg = new_reg(p);

	wide_add_round(p, (SsaWideOp){.kind = SSA_WIDE_LOAD, .to = (u8)reg, .a = (u8)pointer, .imm = (u64)off});
	return reg;
}

/* They still lie there: those of the time before as nothing is stored. */
static u32 load_again(WidePlan *p, const Value *values, u32 pointer, i64 off)
{
	for (u32 k = 0; k < SSA_WIDE_LANES; k++)
		if (p->trace->func->nodes[values[k].ref].op != SSA_LOAD) {
			if (has_stores(p))
				return WIDE_NO_REG;
			expect(p, pointer, off + 8 * (i64)k, values[k].ref);
		}
	return add_load(p, pointer, off);
}

/* Four that lie in a row. */
static u32 window(WidePlan *p, const Value *values)
{
	u32 pointer, other, reg, shift;
	i64 off, next;
	bool prev[2] = {false, false};
	WidePack *packs[2] = {NULL, NULL};

	if (!find_place(p, values[0], &pointer, &off))
		return WIDE_NO_REG;
	for (u32 k = 1; k < SSA_WIDE_LANES; k++)
		if (!find_place(p, values[k], &other, &next) || other != pointer || next != off + 8 * k)
			return WIDE_NO_REG;
	for (shift = 0; shift < SSA_WIDE_LANES && !packs[0]; shift++)
		packs[0] = pack_at(p, pointer, off - 8 * (i64)shift, &prev[0]);
	if (!packs[0])
		return WIDE_NO_REG;
	if (--shift == 0 && !prev[0])
		return packs[0]->value;
	reg = load_again(p, values, pointer, off);
	if (reg != WIDE_NO_REG)
		return reg;
	packs[1] = shift ? pack_at(p, pointer, off - 8 * (i64)shift + 32, &prev[1]) : packs[0];
	if (!packs[1])
		return WIDE_NO_REG;
	prev[1] = shift ? prev[1] : prev[0];
	reg = shift ? new_reg(p) : part_of(p, packs[0], prev[0]);
	for (u32 k = 0; k < SSA_WIDE_LANES; k++) {
		u32 side = k + shift >= SSA_WIDE_LANES;

		if (prev[side] != (p->trace->func->nodes[values[k].ref].op != SSA_LOAD))
			return WIDE_NO_REG;
		if (prev[side])
			add_init(p, part_of(p, packs[side], true), (k + shift) % SSA_WIDE_LANES, values[k].ref);
	}
	if (shift)
		wide_add_round(p, (SsaWideOp){.kind = SSA_WIDE_SPLICE, .to = (u8)reg, .a = (u8)part_of(p, packs[0], prev[0]),
			.b = (u8)part_of(p, packs[1], prev[1]), .lane = (u8)shift});
	return reg;
}

/* ---- Merged words ---- */

bool wide_same_pointer(const WidePlan *p, u32 a, u32 b)
{
	return p->pointers[a].phi == p->pointers[b].phi && p->pointers[a].base == p->pointers[b].base &&
	       p->pointers[a].shift == p->pointers[b].shift;
}

static u32 skewed_pointer(WidePlan *p, u32 pointer, SsaRef right, SsaRef left)
{
	WidePointer at = p->pointers[pointer];

	for (u32 i = 0; i < p->pointer_count; i++)
		if (wide_same_pointer(p, i, pointer) && p->pointers[i].skew == right)
			return i;
	if (p->pointer_count == SSA_WIDE_POINTERS_MOST)
		return SSA_WIDE_POINTERS_MOST;
	at.skew = right;
	p->merges[p->merge_count++] = (WideMerge){right, left};
	p->pointers[p->pointer_count] = at;
	return p->pointer_count++;
}

/* The word there was loaded the time before; it is loaded once more: no store of that time has changed it. */
static bool still_there(WidePlan *p, u32 pointer, i64 off)
{
	const WideAccess word = {.pointer = pointer, .off = off};

	for (u32 i = 0; i < p->all_count; i++) {
		WideAccess store = p->all[i];

		store.off -= p->pointers[store.pointer].step;
		if (store.store && !keep_apart(p, &word, &store))
			return false;
	}
	return true;
}

/* OR(SHR(word, right), SHL(next word, left)): the two words and counts. */
static bool is_merge(WidePlan *p, Value value, Value words[2], WideMerge *out)
{
	const SsaFunc *func = p->trace->func;
	const SsaNode *node = &func->nodes[value.ref];
	SsaRef counts[2] = {0, 0};

	for (u32 i = 0; i < 2 && node->op == IR_OP_OR; i++) {
		u32 copy = value.copy;
		const SsaNode *part = &func->nodes[wide_resolve(p->trace, i ? node->b : node->a, &copy)];
		u32 left = part->op == IR_OP_SHL, at = copy;

		if ((part->op != IR_OP_SHL && part->op != IR_OP_SHR) || part->width != 64)
			return false;
		counts[left] = wide_resolve(p->trace, part->b, &at);
		counts[left] = wide_move(p->trace, counts[left], at);
		words[left] = (Value){wide_resolve(p->trace, part->a, &copy), 0};
		words[left].copy = copy;
		if (wide_inside(p->trace, counts[left]))
			return false;
	}
	*out = (WideMerge){counts[0], counts[1]};
	return counts[0] && counts[1];
}

static u32 merged(WidePlan *p, const Value *values)
{
	Value words[SSA_WIDE_LANES][2];
	WideMerge merge = {0, 0}, other;
	u32 pointer = 0, at, skewed;
	i64 off = 0, place;

	for (u32 k = 0; k < SSA_WIDE_LANES; k++) {
		if (!is_merge(p, values[k], words[k], &other) || (k && (other.right != merge.right || other.left != merge.left)))
			return WIDE_NO_REG;
		merge = other;
		for (u32 i = 0; i < 2; i++) {
			if (!find_place(p, words[k][i], &at, &place))
				return WIDE_NO_REG;
			if (!k && !i) {
				pointer = at;
				off = place;
			}
			if (at != pointer || place != off + 8 * (i64)(k + i))
				return WIDE_NO_REG;
		}
	}
	for (u32 k = 0; k < SSA_WIDE_LANES; k++)
		for (u32 i = 0; i < 2; i++)
			if (p->trace->func->nodes[words[k][i].ref].op != SSA_LOAD && !still_there(p, pointer, off + 8 * (i64)(k + i)))
				return WIDE_NO_REG;
	skewed = skewed_pointer(p, pointer, merge.right, merge.left);
	if (skewed == SSA_WIDE_POINTERS_MOST)
		return WIDE_NO_REG;
	for (u32 k = 0; k < SSA_WIDE_LANES; k++)
		for (u32 i = 0; i < 2; i++)
			if (p->trace->func->nodes[words[k][i].ref].op != SSA_LOAD)
				expect(p, pointer, off + 8 * (i64)(k + i), words[k][i].ref);
	return add_load(p, skewed, off);
}

/* ---- Operations ---- */

static u8 kind_of(unsigned op)
{
	switch (op) {
	case IR_OP_AND: return SSA_WIDE_AND;
	case IR_OP_OR: return SSA_WIDE_OR;
	case IR_OP_XOR: return SSA_WIDE_XOR;
	case IR_OP_ADD: return SSA_WIDE_ADD;
	case IR_OP_SUB: return SSA_WIDE_SUB;
	case IR_OP_SHL: return SSA_WIDE_SHL;
	case IR_OP_SHR: return SSA_WIDE_SHR;
	case IR_OP_FADD: return SSA_WIDE_FADD;
	case IR_OP_FSUB: return SSA_WIDE_FSUB;
	case IR_OP_FMUL: return SSA_WIDE_FMUL;
	case IR_OP_FDIV: return SSA_WIDE_FDIV;
	default: return 0;
	}
}

/* What kind of thing it is; loads of this time and the one before are one. */
static unsigned sort_of(const WidePlan *p, Value value)
{
	unsigned op = p->trace->func->nodes[wide_resolve(p->trace, value.ref, &value.copy)].op;

	return op == SSA_PHI || op == SSA_FETCH ? SSA_LOAD : op;
}

static bool makes_float(const WidePlan *p, Value value)
{
	const SsaFunc *func = p->trace->func;

	return wide_float(func, &func->nodes[wide_resolve(p->trace, value.ref, &value.copy)]);
}

static u32 make(WidePlan *p, const Value *asked, u32 depth);

/* NOT of four: what they are without it. */
static bool strip_not(const WidePlan *p, Value *values)
{
	const SsaFunc *func = p->trace->func;
	Value plain[SSA_WIDE_LANES];
	u64 mask;

	for (u32 k = 0; k < SSA_WIDE_LANES; k++) {
		u32 copy = values[k].copy;
		const SsaNode *node = &func->nodes[wide_resolve(p->trace, values[k].ref, &copy)];

		if (node->op != IR_OP_XOR || node->width != 64 || !ssa_is_const(func, node->b, &mask) || ~mask)
			return false;
		plain[k] = (Value){node->a, copy};
	}
	memcpy(values, plain, sizeof(plain));
	return true;
}

static u32 make_operation(WidePlan *p, const Value *values, u32 depth)
{
	const SsaFunc *func = p->trace->func;
	const SsaNode *node = &func->nodes[values[0].ref];
	u8 kind = node->op < IR_OP_COUNT && node->width == 64 ? kind_of(node->op) : 0;
	Value parts[2][SSA_WIDE_LANES];
	bool is_float = wide_float(func, node), swaps = false;
	u32 regs[2], reg;

	/* What raises flags comes when nothing ends the time any more. */
	if (!kind || (is_float ? p->testing : kind >= SSA_WIDE_FADD))
		return WIDE_NO_REG;
	for (u32 k = 0; k < SSA_WIDE_LANES; k++) {
		const SsaNode *other = &func->nodes[values[k].ref];

		if (other->op != node->op || other->width != 64 || other->aux != node->aux)
			return WIDE_NO_REG;
		parts[0][k] = (Value){other->a, values[k].copy};
		parts[1][k] = (Value){other->b, values[k].copy};
		if (kind <= SSA_WIDE_ADD && sort_of(p, parts[0][k]) != sort_of(p, parts[0][0]) &&
		    sort_of(p, parts[1][k]) == sort_of(p, parts[0][0])) {
			parts[0][k].ref = other->b;
			parts[1][k].ref = other->a;
		}
	}
	if (kind == SSA_WIDE_AND && (strip_not(p, parts[0]) || (swaps = strip_not(p, parts[1]))))
		kind = SSA_WIDE_ANDN;
	for (u32 i = 0; i < 2; i++) {
		if (!is_float && makes_float(p, parts[i][0]))
			return WIDE_NO_REG; /* it would see bits of NaNs */
		regs[i] = make(p, parts[i], depth - 1);
		if (regs[i] == WIDE_NO_REG)
			return WIDE_NO_REG;
	}
	reg = new_reg(p);
	wide_add_round(p, (SsaWideOp){.kind = kind, .to = (u8)reg, .a = (u8)regs[swaps], .b = (u8)regs[!swaps]});
	return reg;
}

/* A register with these four in its lanes; WIDE_NO_REG: they are not alike. */
static u32 make(WidePlan *p, const Value *asked, u32 depth)
{
	Value values[SSA_WIDE_LANES];
	bool same = true, outside = true;
	u32 reg;

	if (!depth || p->bad)
		return WIDE_NO_REG;
	for (u32 k = 0; k < SSA_WIDE_LANES; k++) {
		values[k] = asked[k];
		values[k].ref = wide_resolve(p->trace, asked[k].ref, &values[k].copy);
		values[k].ref = wide_move(p->trace, values[k].ref, values[k].copy);
		outside = outside && !wide_inside(p->trace, values[k].ref);
		same = same && values[k].ref == values[0].ref;
		if (outside)
			values[k].copy = 0;
	}
	for (u32 i = 0; i < p->known_count; i++) {
		bool equal = true;

		for (u32 k = 0; k < SSA_WIDE_LANES; k++)
			equal = equal && p->known[i].ref[k] == values[k].ref && p->known[i].copy[k] == values[k].copy;
		if (equal)
			return p->known[i].reg;
	}
	if (outside)
		reg = same ? splat(p, values[0].ref) : WIDE_NO_REG;
	else if (sort_of(p, values[0]) == SSA_LOAD)
		reg = window(p, values);
	else if ((reg = merged(p, values)) == WIDE_NO_REG)
		reg = make_operation(p, values, depth);
	if (reg == WIDE_NO_REG || p->bad || p->known_count == SSA_WIDE_OPS_MOST)
		return WIDE_NO_REG;
	for (u32 k = 0; k < SSA_WIDE_LANES; k++) {
		p->known[p->known_count].ref[k] = values[k].ref;
		p->known[p->known_count].copy[k] = (u8)values[k].copy;
	}
	p->known[p->known_count++].reg = (u8)reg;
	return reg;
}

/* ---- The round ---- */

static void add_loads(WidePlan *p)
{
	for (u32 i = 0; i < p->pack_count; i++)
		if (!p->packs[i].store) {
			p->packs[i].value = new_reg(p);
			wide_add_round(p, (SsaWideOp){.kind = SSA_WIDE_LOAD, .to = (u8)p->packs[i].value, .a = (u8)p->packs[i].pointer,
				.imm = (u64)p->packs[i].off});
		}
}

/* Four conditions that are to be as they are on the trace: a register that is 0 then. */
static u32 make_test(WidePlan *p, const WideBranch *const *branches, const u32 *copies)
{
	const SsaFunc *func = p->trace->func;
	Value parts[2][SSA_WIDE_LANES];
	bool equal = false, zero = true;
	u32 a, b, reg;
	u64 value = 0;

	for (u32 k = 0; k < SSA_WIDE_LANES; k++) {
		u32 copy = copies[k];
		const SsaNode *node = &func->nodes[wide_resolve(p->trace, func->nodes[branches[k]->ref].a, &copy)];
		bool wants = (node->op == IR_OP_EQ) == branches[k]->stay;

		if ((node->op != IR_OP_EQ && node->op != IR_OP_NE) || (k && wants != equal) ||
		    func->nodes[ssa_value(func, node->a)].width != 64)
			return WIDE_NO_REG;
		equal = wants;
		parts[0][k] = (Value){node->a, copy};
		parts[1][k] = (Value){node->b, copy};
		zero = zero && ssa_is_const(func, node->b, &value) && value == 0;
	}
	a = make(p, parts[0], WIDE_DEPTH);
	if (a == WIDE_NO_REG || (equal && zero))
		return a;
	b = make(p, parts[1], WIDE_DEPTH);
	if (b == WIDE_NO_REG)
		return b;
	reg = new_reg(p);
	wide_add_round(p, (SsaWideOp){.kind = equal ? SSA_WIDE_XOR : SSA_WIDE_EQ, .to = (u8)reg, .a = (u8)a, .b = (u8)b});
	return reg;
}

static bool add_tests(WidePlan *p)
{
	const WideTrace *t = p->trace;
	const WideBranch *branches[SSA_WIDE_LANES];
	u32 copies[SSA_WIDE_LANES], count = 0, all = WIDE_NO_REG;

	for (u32 copy = 0; copy < p->copies; copy++)
		for (u32 i = 0; i < t->branch_count; i++) {
			u32 reg;

			if (t->branches[i].counted)
				continue;
			branches[count] = &t->branches[i];
			copies[count++] = copy;
			if (count < SSA_WIDE_LANES)
				continue;
			count = 0;
			reg = make_test(p, branches, copies);
			if (reg == WIDE_NO_REG)
				return false;
			if (all != WIDE_NO_REG) {
				u32 both = new_reg(p);

				wide_add_round(p, (SsaWideOp){.kind = SSA_WIDE_OR, .to = (u8)both, .a = (u8)all, .b = (u8)reg});
				reg = both;
			}
			all = reg;
		}
	if (all != WIDE_NO_REG)
		wide_add_round(p, (SsaWideOp){.kind = SSA_WIDE_TEST, .a = (u8)all});
	return !count;
}

/* What was loaded from there this time, all of it; NULL: nothing. */
static const WidePack *loaded_from(const WidePlan *p, const WidePack *store)
{
	for (u32 i = 0; i < p->pack_count; i++)
		if (!p->packs[i].store && p->packs[i].pointer == store->pointer && p->packs[i].off == store->off)
			return &p->packs[i];
	return NULL;
}

static void add_touch(WidePlan *p, const WidePack *at, u32 byte)
{
	const WidePack *same = p->trace->floats ? loaded_from(p, at) : NULL;

	if (same)
		wide_add_round(p, (SsaWideOp){.kind = SSA_WIDE_STORE, .a = (u8)at->pointer, .b = (u8)same->value, .imm = (u64)at->off});
	else
		wide_add_round(p, (SsaWideOp){.kind = SSA_WIDE_TOUCH, .a = (u8)at->pointer, .imm = (u64)(at->off + byte)});
}

/* Of stores of one pointer that span no more than a page, where they begin and where they end may be stored to. The first store
 * of all is asked by itself, but not if flags are raised before it. What was loaded from there may as well be stored once more. */
static void add_touches(WidePlan *p)
{
	bool first = !p->trace->floats;

	for (u32 i = 0, end; i < p->pack_count; i = end) {
		const WidePack *at = &p->packs[i];

		for (end = i + 1; end < p->pack_count && at->store && p->packs[end].pointer == at->pointer &&
		     p->packs[end].off - at->off <= SPAN - 32; end++)
			;
		if (!at->store)
			continue;
		if (!first)
			add_touch(p, at, 0);
		if (end > i + 1 || !(first || (p->trace->floats && loaded_from(p, at))))
			add_touch(p, &p->packs[end - 1], 31);
		first = false;
	}
}

static u32 canonical(WidePlan *p, u32 reg)
{
	u32 nan = splat(p, ssa_const(p->trace->func, 64, ir_float_nan(64))), to = new_reg(p);

	wide_add_round(p, (SsaWideOp){.kind = SSA_WIDE_CANON, .to = (u8)to, .a = (u8)reg, .b = (u8)nan});
	return to;
}

static bool add_stores(WidePlan *p)
{
	u8 regs[WIDE_PACKS_MOST];

	add_touches(p);
	for (u32 i = 0; i < p->pack_count; i++) {
		Value values[SSA_WIDE_LANES];
		u32 reg;

		if (!p->packs[i].store)
			continue;
		for (u32 k = 0; k < SSA_WIDE_LANES; k++) {
			const WideAccess *access = &p->all[p->packs[i].first + k];

			values[k] = (Value){p->trace->func->nodes[access->ref].b, access->copy};
		}
		reg = make(p, values, WIDE_DEPTH);
		if (reg == WIDE_NO_REG)
			return false;
		regs[i] = (u8)(makes_float(p, values[0]) ? canonical(p, reg) : reg);
	}
	for (u32 i = 0; i < p->pack_count; i++)
		if (p->packs[i].store)
			wide_add_round(p, (SsaWideOp){.kind = SSA_WIDE_STORE, .a = (u8)p->packs[i].pointer, .b = regs[i],
				.imm = (u64)p->packs[i].off});
	return true;
}

/* A copy downwards may load some times before it stores any (x64_wide_group.h), if pointers are further apart than for single
 * times: a copy that goes the right way is. */
static void ask_for_batch(WidePlan *p)
{
	const SsaWideOp *store = p->round_count ? &p->round[p->round_count - 1] : NULL;
	i64 step = -8 * SSA_WIDE_LANES;
	u32 found[WIDE_APARTS_MOST], count = 0;

	if (!store || store->kind != SSA_WIDE_STORE || p->pointers[store->a].step != step)
		return;
	for (u32 i = 0; i + 1 < p->round_count; i++) {
		u32 at = 0;

		while (at < p->apart_count && !(wide_same_pointer(p, p->aparts[at].a, p->round[i].a) && p->aparts[at].b == store->a))
			at++;
		if (p->round[i].kind != SSA_WIDE_LOAD || at == p->apart_count || count == WIDE_APARTS_MOST)
			return;
		found[count++] = at;
	}
	for (u32 i = 0; i < count; i++) {
		WideApart *apart = &p->aparts[found[i]];
		i64 off = (i64)p->round[i].imm - (i64)store->imm, low = off + (SSA_WIDE_BATCH - 1) * step + step, high = off + step + 40;

		apart->low = low < apart->low ? low : apart->low;
		apart->high = high > apart->high ? high : apart->high;
	}
	p->batch = count;
}

bool wide_plan(WidePlan *plan, WideTrace *trace, u32 copies)
{
	memset(plan, 0, sizeof(*plan));
	plan->trace = trace;
	plan->copies = copies;
	if (!collect(plan) || !pack(plan) || !order_holds(plan))
		return false;
	add_loads(plan);
	plan->testing = true;
	if (!add_tests(plan))
		return false;
	plan->testing = false;
	if (!add_stores(plan) || plan->bad)
		return false;
	ask_for_batch(plan);
	return true;
}

/* Is it known already that they are apart? */
static bool are_apart(const WidePlan *p, const WideAccess *word, const WideAccess *store)
{
	i64 low = word->off - store->off - 8, high = word->off - store->off + 8;
	bool known = word->pointer == store->pointer && (low >= 0 || high <= 0);

	for (u32 i = 0; i < p->apart_count; i++)
		known |= p->aparts[i].a == word->pointer && p->aparts[i].b == store->pointer && p->aparts[i].low <= low &&
			high <= p->aparts[i].high;
	return known;
}

/* Is it still there when its time is done? */
static bool stays(const WidePlan *p, const WidePack *pack)
{
	for (u32 i = 0; i < p->all_count; i++)
		for (u32 k = 0; k < SSA_WIDE_LANES && p->all[i].store; k++)
			if (!are_apart(p, &(WideAccess){.pointer = pack->pointer, .off = pack->off + 8 * (i64)k}, &p->all[i]))
				return false;
	return true;
}

WidePack *wide_output(WidePlan *plan, SsaRef load, u32 copy, u32 *lane)
{
	for (u32 i = 0; i < plan->pack_count; i++)
		for (u32 k = 0; k < SSA_WIDE_LANES; k++) {
			const WideAccess *access = &plan->all[plan->packs[i].first + k];

			if (plan->packs[i].store || access->ref != load || access->copy != copy)
				continue;
			plan->packs[i].there |= plan->packs[i].prev == WIDE_NO_REG && stays(plan, &plan->packs[i]);
			if (plan->packs[i].prev == WIDE_NO_REG && !plan->packs[i].there)
				plan->packs[i].prev = new_reg(plan);
			plan->packs[i].out = true;
			*lane = k;
			return &plan->packs[i];
		}
	return NULL;
}
