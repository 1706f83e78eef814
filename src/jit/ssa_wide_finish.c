/* SPDX-License-Identifier: MIT
 *
 * A plan becomes what WIDE wants: loads that nobody asks for are thinned, each virtual register gets one of the host's, and what is put
 * out has its place.
 */
#include <string.h>

#include "jit/ssa_wide_private.h"

/* ---- Loads that nobody asks for ---- */

static void uses_of(const SsaWideOp *op, u8 *uses, u32 *count)
{
	*count = 0;
	if (ssa_wide_at_pointer(op) && op->kind != SSA_WIDE_STORE)
		return;
	if (op->kind != SSA_WIDE_STORE)
		uses[(*count)++] = op->a;
	if (op->kind != SSA_WIDE_TEST && op->kind != SSA_WIDE_KEEP)
		uses[(*count)++] = op->b;
}

static bool is_used(const WidePlan *p, u32 reg)
{
	u8 uses[2];
	u32 count;

	for (u32 i = 0; i < p->round_count; i++) {
		uses_of(&p->round[i], uses, &count);
		for (u32 k = 0; k < count; k++)
			if (uses[k] == reg)
				return true;
	}
	return false;
}

/* Is the word touched by other loads? One from between touches three for sure. */
static bool is_touched(const WidePlan *p, u32 but, i64 word)
{
	for (u32 i = 0; i < p->round_count; i++) {
		const SsaWideOp *op = &p->round[i];
		i64 at = (i64)op->imm;

		if (i != but && op->kind == SSA_WIDE_LOAD && wide_same_pointer(p, op->a, p->round[but].a) && word + 8 <= at + 32 &&
		    word >= at + (p->pointers[op->a].skew ? 8 : 0))
			return true;
	}
	return false;
}

/* Of packs that nobody asks for, one end is touched where others touch the other end: there is no page between. */
static void thin_loads(WidePlan *p)
{
	for (u32 i = p->round_count; i--;) {
		SsaWideOp *op = &p->round[i];
		u32 touched = 0;
		bool up;

		if (op->kind != SSA_WIDE_LOAD || p->pointers[op->a].skew || is_used(p, op->to))
			continue;
		for (u32 k = 0; k < SSA_WIDE_LANES; k++)
			touched |= is_touched(p, i, (i64)op->imm + 8 * k) ? 1u << k : 0;
		up = touched & 1;
		if (!up && !(touched >> (SSA_WIDE_LANES - 1)))
			continue;
		if (touched == (1u << SSA_WIDE_LANES) - 1) {
			memmove(op, op + 1, (--p->round_count - i) * sizeof(*op));
			continue;
		}
		*op = (SsaWideOp){.kind = SSA_WIDE_REACH, .a = op->a, .imm = op->imm + (up ? 8 * (SSA_WIDE_LANES - 1) : 0),
			.lane = up == (p->pointers[op->a].step > 0)};
	}
}

/* ---- Registers ---- */

/* Registers in the order they are needed: those of `prepare` and of the time before for good, others until their last use. */
static bool assign(WidePlan *p, u8 *real, u32 *used)
{
	i32 last[256];
	u8 uses[2];
	u32 count, busy = 0;

	memset(real, WIDE_NO_REG, 256);
	for (u32 i = 0; i < 256; i++)
		last[i] = -1;
	*used = 0;
	for (u32 i = 0; i < p->prepare_count; i++)
		if (p->prepare[i].kind != SSA_WIDE_EXPECT && real[p->prepare[i].to] == WIDE_NO_REG)
			real[p->prepare[i].to] = (u8)(*used)++;
	for (u32 i = 0; i < p->pack_count; i++)
		if (p->packs[i].prev != WIDE_NO_REG && real[p->packs[i].prev] == WIDE_NO_REG)
			real[p->packs[i].prev] = (u8)(*used)++;
	if (*used > SSA_WIDE_REGS)
		return false;
	busy = (1u << *used) - 1;
	for (u32 i = 0; i < p->round_count; i++) {
		uses_of(&p->round[i], uses, &count);
		for (u32 k = 0; k < count; k++)
			last[uses[k]] = (i32)i;
	}
	for (u32 i = 0; i < p->round_count; i++) {
		const SsaWideOp *op = &p->round[i];
		bool makes = ssa_wide_makes(op) && op->kind != SSA_WIDE_KEEP;

		uses_of(op, uses, &count);
		for (u32 k = 0; k < count; k++)
			if (last[uses[k]] == (i32)i && real[uses[k]] >= *used && real[uses[k]] != WIDE_NO_REG)
				busy &= ~(1u << real[uses[k]]);
		if (!makes)
			continue;
		for (u32 reg = *used; reg < SSA_WIDE_REGS && real[op->to] == WIDE_NO_REG; reg++)
			if (!(busy >> reg & 1))
				real[op->to] = (u8)reg;
		if (real[op->to] == WIDE_NO_REG)
			return false;
		if (last[op->to] >= 0)
			busy |= 1u << real[op->to];
	}
	return true;
}

/* ---- All of it ---- */

static SsaWideOut out_of(const WidePlan *p, const WidePack *pack, const u8 *real)
{
	if (!pack->there)
		return (SsaWideOut){.reg = real[pack->prev]};
	return (SsaWideOut){.there = true, .pointer = (u8)pack->pointer, .off = (i32)(pack->off - p->pointers[pack->pointer].step)};
}

bool wide_finish(WidePlan *plan, SsaWide *out, Arena *arena)
{
	u8 real[256];
	u32 fixed;

	for (u32 i = 0; i < plan->pack_count; i++)
		if (plan->packs[i].prev != WIDE_NO_REG)
			wide_add_round(plan, (SsaWideOp){.kind = SSA_WIDE_KEEP,
				.to = (u8)plan->packs[i].prev, .a = (u8)plan->packs[i].value});
	thin_loads(plan);
	if (plan->bad || !assign(plan, real, &fixed))
		return false;
	out->prepare = ARENA_ARRAY(arena, SsaWideOp, plan->prepare_count + 1);
	out->round = ARENA_ARRAY(arena, SsaWideOp, plan->round_count + 1);
	if (!out->prepare || !out->round)
		return false;
	out->batch = plan->batch;
	out->pointer_count = plan->pointer_count;
	for (u32 i = 0; i < plan->pointer_count; i++) {
		out->step[i] = (i32)plan->pointers[i].step;
		for (u32 k = 0; k < plan->pointer_count && plan->pointers[i].skew; k++)
			if (!plan->pointers[k].skew && wide_same_pointer(plan, i, k))
				out->near[i] = (u8)(k + 1);
	}
	for (u32 i = 0; i < plan->prepare_count; i++) {
		out->prepare[i] = plan->prepare[i];
		out->prepare[i].to = plan->prepare[i].kind == SSA_WIDE_EXPECT ? 0 : real[plan->prepare[i].to];
		out->prepare[i].a = (u8)(plan->prepare[i].a + 1 + plan->pointer_count);
	}
	for (u32 i = 0; i < plan->round_count; i++) {
		SsaWideOp *op = &out->round[i];
		bool at_pointer;

		*op = plan->round[i];
		at_pointer = ssa_wide_at_pointer(op);
		op->to = ssa_wide_makes(op) ? real[op->to] : 0;
		op->a = at_pointer ? op->a : real[op->a];
		op->b = (at_pointer && op->kind != SSA_WIDE_STORE) || op->kind == SSA_WIDE_TEST || op->kind == SSA_WIDE_KEEP
			? 0 : real[op->b];
	}
	out->prepare_count = plan->prepare_count;
	out->round_count = plan->round_count;
	out->regs = 0;
	for (u32 i = 0; i < plan->regs; i++)
		if (real[i] != WIDE_NO_REG && real[i] >= out->regs)
			out->regs = real[i] + 1u;
	for (u32 i = 0; i < plan->pack_count; i++)
		if (plan->packs[i].out) {
			if (out->out_count == SSA_WIDE_OUTS_MOST)
				return false;
			plan->packs[i].value = out->out_count; /* its number from now on */
			out->outs[out->out_count++] = out_of(plan, &plan->packs[i], real);
		}
	return true;
}
