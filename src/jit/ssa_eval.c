/* SPDX-License-Identifier: MIT
 *
 * The state of the guest is known here three times: as the values that PUTs named (what has to be), by block->state with the
 * PUTs behind (ssa.h, "Guest registers"), and by the snapshot once there are any. The last one is what a way out
 * writes; that all are equal is looked at there. Likewise the instructions done: INSNs are counted, and FUEL, REFUND and
 * the snapshot's refund have to come to the same.
 */
#include "jit/ssa_eval.h"
#include "jit/ssa_wide.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "ir/ir_float.h"

typedef struct Run {
	const SsaFunc *func;
	const SsaMemory *memory;
	SsaEval *eval;
	u64 *values;    /* per node */
	u64 *wanted;    /* per slot: its value by PUTs; */
	bool *changed;  /* if there was one */
	SsaRef *now;    /* per slot: by block->state */
	u64 *fetched;   /* arguments of PHIs */
	bool has_fuel, in_insn;
	bool went_wide; /* since the last block that is not `ahead`: what its PUTs would have been is what the state says there */
	u64 pc, done, charged;
	u64 outs[SSA_WIDE_OUTS_MOST * SSA_WIDE_LANES]; /* of the last WIDE */
	unsigned raised;
} Run;

static SsaEvalEnd wrong(Run *run, SsaRef ref, const char *text, u64 detail)
{
	run->eval->last = ref;
	if (run->eval->why)
		buf_printf(run->eval->why, "%%%u: %s (%llx)\n", ref, text, (unsigned long long)detail);
	return SSA_EVAL_WRONG;
}

static u64 value_of(const Run *run, SsaRef ref)
{
	ref = ssa_value(run->func, ref);
	return run->func->nodes[ref].op == SSA_CONST ? run->func->nodes[ref].imm : run->values[ref];
}

static unsigned width_of(const Run *run, SsaRef ref)
{
	return run->func->nodes[ssa_value(run->func, ref)].width;
}

static void pure(Run *run, SsaRef ref)
{
	const SsaNode *node = &run->func->nodes[ref];
	unsigned count = ssa_op_info[node->op].operands, aux = node->aux, from = width_of(run, node->a);
	u64 a = value_of(run, node->a), b = count > 1 ? value_of(run, node->b) : 0, c = count > 2 ? value_of(run, node->c) : 0;

	if (ir_float_operands((IrOp)node->op)) {
		aux &= ~(unsigned)(SSA_FLOAT_RAISES | SSA_FLOAT_QUIET);
		if (node->aux & SSA_FLOAT_RAISES)
			run->raised |= (unsigned)ir_eval((IrOp)node->op, 5, from,
							 aux | IR_FLOAT_FLAGS | (unsigned)node->width << IR_FLOAT_WIDTH_SHIFT, a, b, c);
	}
	run->values[ref] = ir_eval((IrOp)node->op, node->width, from, aux, a, b, c);
}

/* ---- Ways out ---- */

static u64 canonical(u64 value, unsigned width)
{
	u64 infinity = width == 64 ? 0x7FF0000000000000 : 0x7F800000;

	return (value & bits_mask(width - 1)) > infinity ? ir_float_nan(width) : value;
}

static u64 made_by_recipe(const Run *run, const SsaSnapEntry *entry)
{
	u64 value = value_of(run, entry->ref);
	unsigned width = width_of(run, entry->ref), wide = run->func->slot_width[entry->slot];

	switch (entry->recipe) {
	case SSA_SX: return bits_trunc((u64)bits_signed(value, (unsigned)entry->imm), wide);
	case SSA_ZX: return bits_trunc(value, (unsigned)entry->imm);
	case SSA_PLUS: return bits_trunc(value + (u64)(i64)entry->imm, width);
	case SSA_BOX: return value | (bits_mask(wide) & ~bits_mask((unsigned)entry->imm));
	case SSA_BOX_NAN:
		value = canonical(value, (unsigned)entry->imm);
		return value | (bits_mask(wide) & ~bits_mask((unsigned)entry->imm));
	case SSA_NAN: return canonical(value, width);
	default: return value;
	}
}

static u64 slot_value(const Run *run, const SsaSnap *snap, u32 *entry, u32 slot)
{
	SsaRef now = ssa_value(run->func, run->now[slot]);

	if (snap) {
		const SsaSnapEntry *at = &run->func->entries[snap->first + *entry];

		if (*entry == snap->count || at->slot != slot)
			return run->eval->slots[slot];
		++*entry;
		return made_by_recipe(run, at);
	}
	if (!now || (run->func->nodes[now].op == SSA_HOME && run->func->nodes[now].aux == slot))
		return run->eval->slots[slot];
	return value_of(run, now);
}

static SsaEvalEnd way_out(Run *run, SsaRef ref, SsaEvalEnd end, u64 pc)
{
	const SsaFunc *func = run->func;
	const SsaSnap *snap = func->snap_count ? &func->snaps[func->nodes[ref].snap] : NULL;
	u64 *slots = run->eval->slots;
	u32 entry = 0;

	run->eval->last = ref;
	if (snap && func->nodes[ref].snap >= func->snap_count)
		return wrong(run, ref, "has no snapshot", func->nodes[ref].snap);
	if (snap && end != SSA_EVAL_LEFT && snap->pc != pc)
		return wrong(run, ref, "its snapshot has another pc", snap->pc);
	if (snap && run->charged - snap->refund != run->done)
		return wrong(run, ref, "charged but not done", run->charged - run->done);
	for (u32 slot = 1; slot < func->slot_count; slot++) {
		u64 value = slot_value(run, snap, &entry, slot);

		if (value != (run->changed[slot] ? run->wanted[slot] : slots[slot])) {
			if (run->eval->why)
				buf_printf(run->eval->why, "slot %u: 0x%llx, not 0x%llx\n", slot, (unsigned long long)value,
					   (unsigned long long)(run->changed[slot] ? run->wanted[slot] : slots[slot]));
			return wrong(run, ref, "state", slot);
		}
		slots[slot] = value;
	}
	if (func->flags_slot)
		slots[func->flags_slot] |= run->raised;
	slots[0] = pc;
	run->eval->left -= run->done;
	return end;
}

static SsaEvalEnd leave(Run *run, SsaRef ref)
{
	const SsaNode *node = &run->func->nodes[ref];

	switch (node->aux) {
	case SSA_LEAVE_COLD: case SSA_LEAVE_HOST: return way_out(run, ref, SSA_EVAL_COLD, node->imm);
	case SSA_LEAVE_LINK: case SSA_LEAVE_CALL:
		run->done += run->in_insn;
		return way_out(run, ref, SSA_EVAL_LEFT, node->imm);
	default:
		run->done += run->in_insn;
		return way_out(run, ref, SSA_EVAL_LEFT, value_of(run, node->a));
	}
}

/* ---- Nodes ---- */

/* It charges what it does. */
static u64 go_wide(Run *run, const SsaNode *node)
{
	const SsaWide *wide = run->func->wides[node->imm];
	u64 operands[SSA_WIDE_OPERANDS_MOST], left = run->eval->left - (run->has_fuel ? run->charged : run->done), times;

	for (u32 i = 0; i < wide->operand_count; i++)
		operands[i] = value_of(run, run->func->pool[node->a + i]);
	times = ssa_wide_eval(wide, operands, left / wide->cost, run->memory, run->outs, &run->raised);
	run->done += times * wide->cost;
	run->charged += run->has_fuel ? times * wide->cost : 0;
	run->went_wide = times;
	return times;
}

/* False: it is a way out, or (*end) something is wrong. */
static bool step(Run *run, SsaRef ref, SsaEvalEnd *end)
{
	const SsaNode *node = &run->func->nodes[ref];
	const SsaMemory *memory = run->memory;
	bool goes_on = true;
	u64 address;

	if (node->op < IR_OP_COUNT) {
		pure(run, ref);
		return true;
	}
	address = node->op >= SSA_CHECK && node->op <= SSA_CAS
		? bits_trunc(value_of(run, node->a) + node->imm, width_of(run, node->a)) : 0;
	*end = SSA_EVAL_COLD;
	switch (node->op) {
	case SSA_WIDE:
		run->values[ref] = go_wide(run, node);
		return true;
	case SSA_LANE:
		run->values[ref] = run->outs[node->imm * SSA_WIDE_LANES + node->aux];
		return true;
	case SSA_BRING:
		run->eval->slots[node->aux] = value_of(run, node->a);
		return true;
	case SSA_HOME: case SSA_FETCH:
		run->values[ref] = run->eval->slots[node->aux];
		return true;
	case SSA_CANON:
		run->values[ref] = canonical(value_of(run, node->a), node->width);
		return true;
	case SSA_PUT:
		run->wanted[node->aux] = value_of(run, node->a);
		run->changed[node->aux] = true;
		run->now[node->aux] = node->a;
		return true;
	case SSA_INSN:
		run->done += run->in_insn;
		run->in_insn = true;
		run->pc = node->imm;
		if (!run->has_fuel && run->done == run->eval->left) {
			*end = SSA_EVAL_FUEL;
			return false;
		}
		if (run->has_fuel && run->done >= run->charged) {
			*end = wrong(run, ref, "an instruction that nothing was charged for", run->pc);
			return false;
		}
		return true;
	case SSA_CHECK: goes_on = address < memory->limit(memory->ctx, node->aux); break;
	case SSA_LOAD: goes_on = memory->read(memory->ctx, node->aux, address, node->width, &run->values[ref]); break;
	case SSA_STORE:
		goes_on = memory->write(memory->ctx, node->aux, address, node->width, value_of(run, node->b));
		break;
	case SSA_RMW: case SSA_CAS: {
		unsigned space = node->aux & IR_ATOMIC_SPACE;
		u64 old, put;

		goes_on = address % (node->width / 8u) == 0 && memory->read(memory->ctx, space, address, node->width, &old);
		if (!goes_on)
			break;
		put = node->op == SSA_CAS ? (old == value_of(run, node->b) ? value_of(run, node->c) : old)
			: ir_rmw_value((IrRmw)(node->aux >> IR_ATOMIC_KIND_SHIFT & 15), node->width, old, value_of(run, node->b));
		goes_on = memory->write(memory->ctx, space, address, node->width, put);
		run->values[ref] = old;
		break;
	}
	case SSA_GUARD: goes_on = value_of(run, node->a) == 1; break;
	case SSA_FUEL: /* between two instructions */
		run->done += run->in_insn;
		run->in_insn = false;
		*end = SSA_EVAL_FUEL;
		if (run->charged + node->imm > run->eval->left)
			return false;
		run->charged += node->imm;
		return true;
	case SSA_FLAGS:
		run->values[ref] = run->eval->slots[run->func->flags_slot] | run->raised;
		return true;
	case SSA_SET_FLAGS:
		run->eval->slots[run->func->flags_slot] = value_of(run, node->a);
		run->raised = 0;
		return true;
	case SSA_REFUND:
		run->charged -= node->imm;
		return true;
	default: return true;
	}
	if (!goes_on && !(ssa_effects(node) & SSA_EXIT)) {
		*end = wrong(run, ref, "an access that was to be sure, at", address);
		return false;
	}
	return goes_on;
}

static void enter_block(Run *run, u32 from, u32 to)
{
	const SsaBlock *block = &run->func->blocks[to];
	u32 pred = 0, count = 0;

	memcpy(run->now, block->state, run->func->slot_count * sizeof(SsaRef));
	if (block->ahead) { /* between two instructions */
		run->done += run->in_insn;
		run->in_insn = false;
	}
	while (pred < block->pred_count && block->preds[pred] != from)
		pred++;
	for (SsaRef ref = block->first; ref && run->func->nodes[ref].op == SSA_PHI; ref = run->func->nodes[ref].next)
		run->fetched[count++] = value_of(run, run->func->pool[run->func->nodes[ref].a + pred]);
	count = 0;
	for (SsaRef ref = block->first; ref && run->func->nodes[ref].op == SSA_PHI; ref = run->func->nodes[ref].next)
		run->values[ref] = run->fetched[count++];
	for (u32 slot = 1; slot < run->func->slot_count && run->went_wide && !block->ahead; slot++)
		if (block->state[slot]) {
			run->wanted[slot] = value_of(run, block->state[slot]);
			run->changed[slot] = true;
		}
	run->went_wide = run->went_wide && block->ahead;
}

/* Of a way out. */
static u64 pc_at(const Run *run, SsaRef ref)
{
	return run->in_insn ? run->pc : ssa_pc_behind(run->func, ref);
}

static SsaEvalEnd follow(Run *run, u32 b)
{
	const SsaFunc *func = run->func;
	SsaEvalEnd end = SSA_EVAL_WRONG;

	memcpy(run->now, func->blocks[b].state, func->slot_count * sizeof(SsaRef));
	for (;;) {
		const SsaBlock *block = &func->blocks[b];
		const SsaNode *last = &func->nodes[block->last];
		u32 to;

		for (SsaRef ref = block->first; ref && ref != block->last; ref = func->nodes[ref].next)
			if (func->nodes[ref].op != SSA_PHI && !step(run, ref, &end))
				return end == SSA_EVAL_WRONG ? end : way_out(run, ref, end, pc_at(run, ref));
		if (!block->last)
			return wrong(run, 0, "a block without an end", b);
		if (last->op == SSA_LEAVE)
			return leave(run, block->last);
		to = block->succ[last->op == SSA_BRANCH && !value_of(run, last->a)];
		enter_block(run, b, to);
		b = to;
	}
}

SsaEvalEnd ssa_eval(const SsaFunc *func, u32 entry, const SsaMemory *memory, SsaEval *eval)
{
	Run run = {.func = func, .memory = memory, .eval = eval};
	SsaEvalEnd end = SSA_EVAL_WRONG;

	for (SsaRef ref = 1; ref < func->node_count; ref++)
		run.has_fuel |= func->nodes[ref].op == SSA_FUEL && func->nodes[ref].block != SSA_NO_BLOCK;
	run.values = calloc(func->node_count + 1, sizeof(u64));
	run.fetched = calloc(func->node_count + 1, sizeof(u64));
	run.wanted = calloc(func->slot_count + 1, sizeof(u64));
	run.changed = calloc(func->slot_count + 1, sizeof(bool));
	run.now = calloc(func->slot_count + 1, sizeof(SsaRef));
	if (run.values && run.fetched && run.wanted && run.changed && run.now)
		end = follow(&run, entry);
	free(run.values);
	free(run.fetched);
	free(run.wanted);
	free(run.changed);
	free(run.now);
	return end;
}
