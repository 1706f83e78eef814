/* SPDX-License-Identifier: MIT */
#include "jit/x64/x64_wide_group.h"

enum { FAR_STEP = 128, SPAN_MOST = X64_WIDE_PAGE / 2, NEAR = 8 };

static bool is_float_op(const SsaWideOp *op)
{
	return op->kind >= SSA_WIDE_FADD && op->kind <= SSA_WIDE_CANON;
}

void x64_wide_span(const SsaWide *wide, const X64WideGroup *group, u32 pointer, i32 *low, i32 *high)
{
	i32 far = (i32)(group->times - 1) * wide->step[pointer];

	*low = INT32_MAX;
	*high = INT32_MIN;
	for (u32 i = 0; i < wide->round_count; i++) {
		const SsaWideOp *op = &wide->round[i];
		i32 at = (i32)(i64)op->imm, end;

		if (!ssa_wide_at_pointer(op) || (op->a != pointer && wide->near[op->a] != pointer + 1))
			continue;
		end = at + (op->kind == SSA_WIDE_TOUCH ? 1 : op->kind == SSA_WIDE_REACH ? 8 : X64_WIDE_BYTES) + (op->a != pointer ? NEAR : 0);
		*low = at < *low ? at : *low;
		*high = end > *high ? end : *high;
	}
	*low += far < 0 ? far : 0;
	*high += far > 0 ? far : 0;
}

static bool reads(const SsaWideOp *op, u8 reg)
{
	if (op->kind == SSA_WIDE_STORE)
		return op->b == reg;
	return !ssa_wide_at_pointer(op) && (op->a == reg || (op->kind != SSA_WIDE_TEST && op->kind != SSA_WIDE_KEEP && op->b == reg));
}

/* Is what it makes read by nobody, or (kept) to be kept only? Registers are used again: until the next one that makes it. */
bool x64_wide_unread(const SsaWide *wide, u32 at)
{
	const SsaWideOp *op = &wide->round[at];

	for (u32 i = at + 1; i < wide->round_count; i++) {
		const SsaWideOp *other = &wide->round[i];

		if (other->kind != SSA_WIDE_KEEP && reads(other, op->to))
			return false;
		if (ssa_wide_makes(other) && other->to == op->to)
			return true;
	}
	return true;
}

/* Is something else loaded from there in each time? */
static bool is_seen(const SsaWide *wide, u8 pointer)
{
	for (u32 i = 0; i < wide->round_count; i++) {
		const SsaWideOp *op = &wide->round[i];

		if (op->kind == SSA_WIDE_LOAD && !x64_wide_unread(wide, i) && (op->a == pointer || wide->near[op->a] == pointer + 1))
			return true;
	}
	return false;
}

/* Does no operation read what was kept the time before, or end a time when something was done? Where all a group accesses is on one
 * page for each pointer, its first time says that the others may. */
static bool may_keep_last(const SsaWide *wide)
{
	bool keeps = false;

	for (u32 i = 0; i < wide->round_count; i++) {
		const SsaWideOp *op = &wide->round[i];

		if (op->kind == SSA_WIDE_TEST || is_float_op(op) ||
		    (op->kind == SSA_WIDE_LOAD && x64_wide_unread(wide, i) && !is_seen(wide, op->a)))
			return false;
		for (u32 k = 0; k < wide->round_count && op->kind == SSA_WIDE_KEEP; k++)
			if (reads(&wide->round[k], op->to))
				return false;
		keeps |= op->kind == SSA_WIDE_KEEP;
	}
	return keeps;
}

/* Is what one load loads all that is stored? */
static bool may_batch(const SsaWide *wide, const X64WideGroup *group)
{
	const SsaWideOp *loaded = NULL, *stored = NULL;

	for (u32 i = 0; i < wide->round_count; i++) {
		const SsaWideOp *op = &wide->round[i];

		if (op->kind == SSA_WIDE_KEEP || op->kind == SSA_WIDE_REACH || (op->kind == SSA_WIDE_LOAD && x64_wide_unread(wide, i)))
			continue;
		if (op->kind == SSA_WIDE_LOAD && !loaded)
			loaded = op;
		else if (op->kind == SSA_WIDE_STORE && !stored)
			stored = op;
		else
			return false;
	}
	return loaded && stored && stored->b == loaded->to && group->times == SSA_WIDE_BATCH &&
	       wide->regs + SSA_WIDE_BATCH - 2 <= SSA_WIDE_REGS;
}

X64WideGroup x64_wide_group(const SsaWide *wide)
{
	X64WideGroup group = {.times = X64_WIDE_GROUP, .joins = wide->round_count && wide->round[wide->round_count - 1].kind == SSA_WIDE_TEST};
	bool floats = false, stores = false, touches = false;
	i32 low, high;

	for (u32 i = 0; i < wide->pointer_count; i++)
		if (wide->step[i] >= FAR_STEP || wide->step[i] <= -FAR_STEP)
			group.times = X64_WIDE_GROUP / 2;
	for (u32 i = 0; i < wide->round_count; i++) {
		const SsaWideOp *op = &wide->round[i];

		floats |= is_float_op(op);
		if (op->kind == SSA_WIDE_STORE && !stores) {
			stores = true;
			group.first_store = op->a;
		}
		if (op->kind == SSA_WIDE_STORE || op->kind == SSA_WIDE_KEEP || op->kind == SSA_WIDE_SPLICE ||
		    is_float_op(op) || (op->kind == SSA_WIDE_TEST && i + 1 < wide->round_count))
			group.joins = false;
	}
	for (u32 i = 0; i < wide->round_count && stores && !floats; i++)
		touches |= wide->round[i].kind == SSA_WIDE_TOUCH && wide->round[i].a == group.first_store;
	if (touches) {
		x64_wide_span(wide, &group, group.first_store, &low, &high);
		group.sure = high - low <= SPAN_MOST;
		group.paged = group.sure ? 1u << group.first_store : 0;
	}
	for (u32 i = 0; i < wide->pointer_count && group.joins && !wide->counted; i++) {
		x64_wide_span(wide, &group, i, &low, &high);
		if (low < high)
			group.paged |= 1u << i;
		if (low < high && high - low > SPAN_MOST)
			group.joins = false;
	}
	if (!group.joins && !group.sure)
		group.paged = 0;
	group.keeps_last = may_keep_last(wide);
	for (u32 i = 0; i < wide->pointer_count && group.keeps_last; i++) {
		x64_wide_span(wide, &group, i, &low, &high);
		if (!wide->near[i] && low < high)
			group.paged |= 1u << i;
		if (low < high && high - low > SPAN_MOST)
			group.keeps_last = false;
	}
	group.batch = group.keeps_last && wide->batch && may_batch(wide, &group);
	return group;
}

/* What it touches lies, with all between, on two pages at most, of which the
 * first is touched by each time's own loads. */
bool x64_wide_reaches_once(const SsaWide *wide, const X64WideGroup *group, const SsaWideOp *op)
{
	i32 low, high;

	if (op->kind != SSA_WIDE_REACH || !op->lane || !wide->counted)
		return false;
	x64_wide_span(wide, group, op->a, &low, &high);
	return high - low <= SPAN_MOST;
}

bool x64_wide_spares(const SsaWide *wide, const X64WideGroup *group, u32 at, u32 ahead)
{
	const SsaWideOp *op = &wide->round[at];

	if (group->keeps_last && ahead + 1 < group->times &&
	    (op->kind == SSA_WIDE_KEEP || (op->kind == SSA_WIDE_LOAD && x64_wide_unread(wide, at))))
		return true;
	return x64_wide_reaches_once(wide, group, op) || (op->kind == SSA_WIDE_TOUCH && group->sure && op->a == group->first_store);
}

u32 x64_wide_regs(const SsaWide *wide)
{
	return wide->regs + (x64_wide_group(wide).batch ? SSA_WIDE_BATCH - 2 : 0);
}

u8 x64_wide_batch_reg(const SsaWide *wide, const SsaWideOp *op, u32 ahead)
{
	return ahead == 0 ? op->to : ahead == 1 ? X64_XMM_SCRATCH : (u8)(wide->regs + ahead - 2);
}
