/* SPDX-License-Identifier: MIT
 *
 * What is where when a block begins: what its hottest predecessor left in registers and is still live, and its PHIs.
 * Registers are chosen so that few moves come on edges: a PHI takes the register of an argument that ends there; where
 * a loop begins, the values that come round are told which register they should be made in.
 */
#include "jit/ssa_alloc_private.h"

#include <string.h>

/* Is `a` rather to be without moves than `b`? */
static bool is_hotter(const SsaBlock *a, const SsaBlock *b)
{
	if (a->cold != b->cold)
		return b->cold;
	if (a->heat && b->heat && a->heat != b->heat) /* both were counted */
		return a->heat > b->heat;
	if (a->depth != b->depth)
		return a->depth > b->depth;
	return a->heat > b->heat;
}

static u32 main_pred(const Ra *ra, const SsaBlock *block)
{
	u32 best = SSA_NO_BLOCK;

	for (u32 k = 0; k < block->pred_count; k++) {
		u32 pred = block->preds[k];

		if (ra->blocks[ra->func->blocks[pred].order].done &&
		    (best == SSA_NO_BLOCK || is_hotter(&ra->func->blocks[pred], &ra->func->blocks[best])))
			best = pred;
	}
	return best;
}

/* In this register, mostly. */
static bool others_have(const Ra *ra, const SsaBlock *block, u32 id, unsigned reg)
{
	for (u32 k = 0; k < block->pred_count; k++) {
		const RaBlock *pred = &ra->blocks[ra->func->blocks[block->preds[k]].order];

		if (pred->done && (!(pred->ends & ra_bit(reg)) || pred->end[reg] != id) &&
		    ra_found(pred->end, id, pred->ends & ra_class(ra->values[id].cls)) == RA_NO_REG)
			return false;
	}
	return true;
}

/* Loops: values that are to begin in another register than before, or in none. */
static bool is_wished(const Ra *ra, u32 id)
{
	return ra->values[id].wished == ra->at + 1;
}

static bool is_unwanted(const Ra *ra, u32 id)
{
	return is_wished(ra, id) && ra->values[id].wish == RA_NO_REG;
}

static void note_wishes(Ra *ra, u32 position)
{
	for (u32 w = ra->blocks[position].wishes; w; w = ra->wishes[w - 1].next) {
		RaValue *value = &ra->values[ra->wishes[w - 1].id];

		if (value->wished == position + 1)
			continue; /* the latest is first */
		value->wished = position + 1;
		value->wish = ra->wishes[w - 1].reg;
	}
}

static void inherit(Ra *ra, const SsaBlock *block, const RaBlock *from)
{
	const u32 *end = from->end, *next = ra->next;
	u32 *regs = ra->regs;

	for (u32 set = from->ends; set; set &= set - 1) {
		unsigned reg = (unsigned)__builtin_ctz(set);
		u32 id = end[reg];
		const RaValue *value = &ra->values[id];

		if (next[id] == RA_DEAD)
			continue;
		if (regs[id]) { /* once is enough; rather where it is wanted */
			if (value->hint != reg)
				continue;
			ra_release(ra, id);
		}
		if (reg >> 4 != value->cls && ra_found(end, id, from->ends & ra_class(value->cls)) != RA_NO_REG)
			continue;
		if ((next[id] == RA_IDLE && !others_have(ra, block, id, reg)) || is_unwanted(ra, id))
			continue;
		ra->held[reg] = id; /* nothing is there yet */
		regs[id] = ra_bit(reg);
		ra->occupied |= ra_bit(reg);
	}
}

/* ---- Starts of loops ---- */

/* Values change their register before the loop rather than in it. */
static void rearrange(Ra *ra, u32 position)
{
	const u32 *next = ra->next;
	u32 old[RA_REGS];

	memcpy(old, ra->held, sizeof(old));
	for (unsigned reg = 0; reg < RA_REGS; reg++) {
		u32 id = old[reg];
		u8 to;

		if (!id || ra->held[reg] != id)
			continue;
		to = is_wished(ra, id) ? ra->values[id].wish : next[id] < RA_LOOP ? ra->values[id].hint : RA_NO_REG;
		if (!is_wished(ra, id) && ra->blocks[position].tries && ra->values[id].avoid & ra_bit(reg)) {
			to = ra_pick(ra, id, reg >> 4, 0, false);
			if (to != RA_NO_REG && ra->held[to])
				continue;
		}
		if (to == RA_NO_REG || to == reg || to >> 4 != reg >> 4 || !(ra->allowed & ra_bit(to)))
			continue;
		if (!is_wished(ra, id) && (ra->held[to] || ra->values[id].avoid & ra_bit(to)))
			continue;
		if (ra->held[to]) { /* they change places */
			u32 other = ra->held[to];

			ra_release(ra, id);
			ra_take(ra, to, id);
			ra_take(ra, reg, other);
		} else {
			ra_release(ra, id);
			ra_take(ra, to, id);
		}
	}
}

static bool is_phi_here(const Ra *ra, u32 id)
{
	return ra->values[id].kind == RA_PHI && ra->values[id].block == ra->func->rpo[ra->at];
}

/* Who is not used in the loop gives way to who is. */
static u8 idle_register(const Ra *ra, unsigned cls)
{
	const u32 *next = ra->next;
	u32 most = RA_LOOP - 1;
	u8 best = RA_NO_REG;

	for (u32 set = ra->allowed & ra_class(cls) & ra->occupied; set; set &= set - 1) {
		u8 reg = (u8)__builtin_ctz(set);
		u32 id = ra->held[reg];

		if (next[id] != RA_DEAD && next[id] > most && !is_wished(ra, id) && !is_phi_here(ra, id)) {
			most = next[id];
			best = reg;
		}
	}
	return best;
}

static void load_for_loop(Ra *ra, u32 position)
{
	const u32 *next = ra->next;
	u32 list[64], count = 0;

	for (u32 k = 0; k < ra->blocks[position].live_count && count < COUNT_OF(list); k++) {
		u32 id = ra->blocks[position].live[k].id, at;

		if (next[id] >= RA_COLD || ra->regs[id] || is_unwanted(ra, id))
			continue;
		if (ra->blocks[position].full & ra_class(ra->values[id].cls) &&
		    ra_found(ra->blocks[position].start, id, ra->blocks[position].starts & ra_class(ra->values[id].cls)) == RA_NO_REG)
			continue; /* it was not there before, and now there is less room */
		for (at = count++; at > 0 && next[list[at - 1]] > next[id]; at--)
			list[at] = list[at - 1];
		list[at] = id;
	}
	for (u32 k = 0; k < count; k++) {
		u8 reg = ra_pick(ra, list[k], ra->values[list[k]].cls, 0, false);

		if (reg == RA_NO_REG)
			reg = idle_register(ra, ra->values[list[k]].cls);
		if (reg != RA_NO_REG)
			ra_take(ra, reg, list[k]);
	}
}

/* ---- PHIs ---- */

/* The register in which a PHI costs least, if that is free. */
static u8 natural_place(const Ra *ra, const SsaBlock *block, u32 id, u32 main)
{
	const RaValue *value = &ra->values[id];
	u32 open = ra->allowed & ra_class(value->cls) & ~ra->occupied & ~value->avoid;

	if (is_wished(ra, id) && ra->allowed & ~ra->occupied & ra_bit(value->wish))
		return value->wish;
	if (value->hint != RA_NO_REG && open & ra_bit(value->hint))
		return value->hint;
	for (u32 k = 0; k < block->pred_count; k++)
		if (block->preds[k] == main) {
			const RaBlock *from = &ra->blocks[ra->func->blocks[main].order];
			unsigned reg = ra_found(from->end, ra_arg(ra, id, k), from->ends & ra_class(value->cls));

			if (reg != RA_NO_REG && open & ra_bit(reg))
				return (u8)reg;
		}
	return RA_NO_REG;
}

/* What only ways out want goes to memory rather than to a register that costs more than none: so it is in nobody's way, and its
 * slot may be that of its arguments. (Floats may have a register that is free: those who want one are fewer, and a move is
 * cheaper than a store and a load.) */
static void place_phis(Ra *ra, const SsaBlock *block, u32 main)
{
	const RaBlock *here = &ra->blocks[ra->at];
	u32 taken = 0;

	for (u32 k = 0; k < here->phi_count; k++) {
		u32 id = ra->phis[here->phi_first + k].id;
		u8 reg;

		if (ra->next[id] == RA_DEAD || is_unwanted(ra, id))
			continue;
		reg = natural_place(ra, block, id, main);
		if (reg != RA_NO_REG) {
			ra_take(ra, reg, id);
			taken |= ra_bit(reg);
		}
	}
	for (u32 k = 0; k < here->phi_count; k++) {
		u32 id = ra->phis[here->phi_first + k].id;
		bool idle = ra->next[id] >= RA_IDLE;
		u8 reg;

		if (ra->next[id] == RA_DEAD || (idle && ra->values[id].cls == SSA_GPR) || ra->regs[id] || is_unwanted(ra, id))
			continue;
		reg = ra_pick(ra, id, ra->values[id].cls, taken, false);
		if (reg == RA_NO_REG && !idle) {
			reg = ra_pick(ra, id, ra->values[id].cls, taken, true);
			if (reg != RA_NO_REG && ra->next[ra->held[reg]] < ra->next[id])
				reg = RA_NO_REG;
		}
		if (reg != RA_NO_REG) {
			ra_take(ra, reg, id);
			taken |= ra_bit(reg);
		}
	}
}

/* ---- Hints to what comes round ---- */

static void tell(Ra *ra, u32 id, u8 reg, unsigned steps)
{
	while (id && steps--) {
		RaValue *value = &ra->values[id];

		if (value->cls != reg >> 4 || value->kind == RA_CONST || value->kind == RA_HOME)
			return;
		if (ra->blocks[ra->func->blocks[value->block].order].done)
			return; /* it has its place */
		value->hint = reg;
		if (value->kind == RA_PHI) {
			const SsaBlock *block = &ra->func->blocks[value->block];

			if (block->order == ra->at)
				return;
			for (u32 k = 0; k < block->pred_count; k++)
				tell(ra, ra_arg(ra, id, k), reg, steps / 2);
			return;
		}
		if (value->code == RA_NO_CODE || !ra->alloc->codes[value->code].tied)
			return;
		id = ra->alloc->codes[value->code].uses[0].value;
		if (ra->values[id].hint != RA_NO_REG && ra->values[id].hint != reg)
			return;
	}
}

static void tell_args(Ra *ra, const SsaBlock *block)
{
	const RaBlock *here = &ra->blocks[ra->at];

	for (u32 k = 0; k < block->pred_count; k++) {
		if (ra->blocks[ra->func->blocks[block->preds[k]].order].done)
			continue;
		for (u32 n = 0; n < here->phi_count; n++) {
			const RaPhi *phi = &ra->phis[here->phi_first + n];

			if (ra->regs[phi->id])
				tell(ra, ra->args[phi->args + k], (u8)__builtin_ctz(ra->regs[phi->id]), 8);
		}
	}
}

/* A PHI behind this block had better be where this argument is; so had its other arguments. */
void ra_tell_behind(Ra *ra, u32 position)
{
	const SsaBlock *from = ra_block_at(ra, position);
	const SsaBlock *block = from->succ_count == 1 ? &ra->func->blocks[from->succ[0]] : NULL;
	const RaBlock *there;

	if (!block || ra->blocks[block->order].done || block->pred_count < 2)
		return;
	there = &ra->blocks[block->order];
	for (u32 n = 0; n < there->phi_count; n++) {
		const RaPhi *phi = &ra->phis[there->phi_first + n];
		RaValue *value = &ra->values[phi->id];
		u32 own = ra->args[phi->args + ra->blocks[position].back[0]];

		if (value->hint == RA_NO_REG)
			value->hint = (u8)ra_found(ra->blocks[position].end, own, ra->blocks[position].ends & ra_class(value->cls));
	}
	for (u32 k = 0; k < block->pred_count && there->phi_count; k++) {
		if (ra->blocks[ra->func->blocks[block->preds[k]].order].done)
			continue;
		for (u32 n = 0; n < there->phi_count; n++) {
			const RaPhi *phi = &ra->phis[there->phi_first + n];
			u32 arg = ra->args[phi->args + k];
			u8 reg = ra->values[phi->id].hint;

			if (reg != RA_NO_REG && ra->values[arg].hint == RA_NO_REG)
				tell(ra, arg, reg, 3);
		}
	}
}

void ra_start(Ra *ra, u32 position)
{
	const SsaBlock *block = ra_block_at(ra, position);
	u32 main = main_pred(ra, block);

	ra->position = 0;
	if (main != SSA_NO_BLOCK) {
		if (ra->blocks[position].loops)
			note_wishes(ra, position);
		inherit(ra, block, &ra->blocks[ra->func->blocks[main].order]);
		if (ra->blocks[position].loops)
			rearrange(ra, position);
		place_phis(ra, block, main);
		if (ra->blocks[position].loops) {
			load_for_loop(ra, position);
			tell_args(ra, block);
		}
	}
	memcpy(ra->blocks[position].start, ra->held, sizeof(ra->held));
	ra->blocks[position].starts = ra->occupied;
}

/* ---- What a loop that was walked teaches ---- */

static bool wish(Ra *ra, u32 position, u32 id, u8 reg)
{
	RaValue *value = &ra->values[id];

	if (value->taught == ra->round && (reg != RA_NO_REG || value->wish == reg))
		return false;
	if (ra->wish_count >= ra->wish_cap &&
	    !arena_grow(ra->arena, (void **)&ra->wishes, &ra->wish_cap, ra->wish_count, sizeof(RaWish))) {
		ra->failed = true;
		return false;
	}
	ra->wishes[ra->wish_count++] = (RaWish){.next = ra->blocks[position].wishes, .id = id, .reg = reg};
	ra->blocks[position].wishes = ra->wish_count;
	value->wished = position + 1;
	value->wish = reg;
	value->taught = ra->round;
	if (reg == RA_NO_REG) {
		ra->drops++;
		ra->blocks[position].full |= ra_class(value->cls);
	}
	return true;
}

/* PHIs that begin in memory had better begin where they come from, if nobody else begins there. */
static bool learn_from_free(Ra *ra, u32 position, u32 k)
{
	const RaBlock *head = &ra->blocks[position], *latch = &ra->blocks[ra->func->blocks[ra_block_at(ra, position)->preds[k]].order];
	bool any = false;

	for (u32 n = 0; n < head->phi_count; n++) {
		const RaPhi *phi = &ra->phis[head->phi_first + n];
		u32 free = ra_class(ra->values[phi->id].cls) & ~head->starts;
		unsigned found;

		if (is_unwanted(ra, phi->id) || ra_found(head->start, phi->id, head->starts) != RA_NO_REG)
			continue;
		found = ra_found(latch->end, ra->args[phi->args + k], latch->ends & free);
		if (found != RA_NO_REG)
			any |= wish(ra, position, phi->id, (u8)found);
	}
	return any;
}

/* One way back. */
static bool learn_from(Ra *ra, u32 position, u32 k)
{
	const SsaBlock *block = ra_block_at(ra, position);
	const RaBlock *head = &ra->blocks[position], *latch = &ra->blocks[ra->func->blocks[block->preds[k]].order];
	bool any = false;

	for (u32 set = head->starts; set; set &= set - 1) {
		unsigned reg = (unsigned)__builtin_ctz(set), found;
		u32 id = head->start[reg], from = id;
		const RaValue *value = &ra->values[id];

		if (value->kind == RA_PHI && value->block == ra->func->rpo[position])
			from = ra_arg(ra, id, k);
		if (latch->end[reg] == from || !from || ra->values[from].kind == RA_CONST)
			continue;
		found = ra_found(latch->end, from, latch->ends & ra_class(reg >> 4));
		if (found == RA_NO_REG) { /* rather not begin in a register at all */
			if (!ra_loses_nothing(&ra->values[from]) || from == id)
				any |= wish(ra, position, id, RA_NO_REG);
			continue;
		}
		/* It ends elsewhere: let it begin there, unless that is somebody's who stays. */
		if (head->start[found] != latch->end[found] && !(is_wished(ra, id) && value->wish == reg))
			any |= wish(ra, position, id, (u8)found);
	}
	return (!head->brief && learn_from_free(ra, position, k)) || any;
}

bool ra_learn(Ra *ra, u32 position)
{
	const SsaBlock *block = ra_block_at(ra, position);
	u32 asked[4] = {0}, drops = ra->drops;
	bool any = false;

	if (block->pred_count > 32 * COUNT_OF(asked))
		return false;
	ra->at = position;
	ra->round++;
	note_wishes(ra, position);
	for (u32 done = 0; done < block->pred_count; done++) { /* the hottest way back first */
		u32 best = block->pred_count;

		for (u32 k = 0; k < block->pred_count; k++) {
			const SsaBlock *pred = &ra->func->blocks[block->preds[k]];

			if (pred->order >= position && (block->cold || !pred->cold) && !(asked[k / 32] >> k % 32 & 1) &&
			    (best == block->pred_count || is_hotter(pred, &ra->func->blocks[block->preds[best]])))
				best = k;
		}
		if (best == block->pred_count)
			break;
		asked[best / 32] |= (u32)1 << best % 32;
		any |= learn_from(ra, position, best);
	}
	/* Loads on the way back are worth a try; moves only in an inner loop, where it costs little. */
	return ra->drops != drops ||
	       (!ra->blocks[position].tries && ra->next_loop[position + 1] > ra->blocks[position].far && ra->base[ra->blocks[position].far + 1] - ra->base[position] < 200 &&
		(any || ra->lessons != ra->blocks[position].lesson_mark));
}
