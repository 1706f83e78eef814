/* SPDX-License-Identifier: MIT
 *
 * Operations of the IR become nodes, appended to the block that is built, or are what ssa_share.c makes of them. A GET is the value
 * that the slot has by the state, or its HOME; a PUT changes the state.
 */
#include "jit/ssa_build_private.h"

/* ---- Values ---- */

static unsigned width_of(const SsaBuild *b, SsaRef ref)
{
	return b->func->nodes[ref].width;
}

SsaRef ssa_build_append(SsaBuild *b, unsigned op, unsigned width, unsigned aux, SsaRef x, SsaRef y, SsaRef z, u64 imm)
{
	return ssa_emit(b->func, b->block,
			&(SsaNode){.op = (u8)op, .width = (u8)width, .aux = (u16)aux, .a = x, .b = y, .c = z, .imm = imm});
}

/* A new HOME in a block that is not being filled, or is: in front of its end if it has one. */
static SsaRef make_home(SsaBuild *b, u32 block, u32 slot)
{
	SsaRef ref = ssa_node(b->func, SSA_HOME, b->region->slot_width[slot], slot, 0, 0, 0, 0);
	SsaRef last;

	if (b->func->failed)
		return 0;
	last = b->func->blocks[block].last;
	if (last && (ssa_effects(&b->func->nodes[last]) & SSA_END))
		ssa_insert_before(b->func, last, ref);
	else
		ssa_append(b->func, block, ref);
	return ref;
}

SsaRef ssa_build_home(SsaBuild *b, u32 slot)
{
	if (b->single) {
		if (!b->single[slot])
			b->single[slot] = make_home(b, b->pieces[0].block, slot);
		return b->single[slot];
	}
	if (!b->homes[slot])
		b->homes[slot] = make_home(b, b->block, slot);
	return b->homes[slot];
}

SsaRef ssa_build_value(SsaBuild *b, IrRef ref)
{
	SsaRef value;

	if (ref & IR_CONST_BIT) {
		const IrConst *constant = &b->shape->func->consts[ref & ~IR_CONST_BIT];

		return ssa_const(b->func, constant->width, constant->value);
	}
	value = ref - b->begin < b->value_count ? b->values[ref - b->begin] : 0;
	if (!value)
		b->failed = true; /* IR that breaks its rules, or values that go from one instruction to another */
	return value;
}

/* ---- Floats ---- */

static SsaRef emit_float(SsaBuild *b, const IrIns *ins, unsigned width, unsigned aux)
{
	unsigned count = ir_float_operands((IrOp)ins->op);
	SsaRef x = ssa_build_value(b, ins->a), y = count > 1 ? ssa_build_value(b, ins->b) : 0, z = count > 2 ? ssa_build_value(b, ins->c) : 0;

	return b->failed ? 0 : ssa_fold_make(&b->fold, ins->op, width, aux, x, y, z);
}

/* PUT of flags(x) | slot: what raises them. */
static void emit_raising(SsaBuild *b, const IrIns *put)
{
	const IrFunc *func = b->shape->func;
	const IrIns *either = &func->ins[put->a], *flags = &func->ins[either->a];

	if (flags->op == IR_OP_GET)
		flags = &func->ins[either->b];
	emit_float(b, flags, flags->aux >> IR_FLOAT_WIDTH_SHIFT, (flags->aux & IR_FLOAT_ROUND) | SSA_FLOAT_RAISES);
}

/* ---- One operation ---- */

static bool is_flags(const SsaBuild *b, u32 slot)
{
	return b->region->flags_slot && slot == b->region->flags_slot;
}

static SsaRef read_slot(SsaBuild *b, u32 slot)
{
	if (b->weights.stay[slot]) {
		if (!b->near[slot])
			b->near[slot] = ssa_build_append(b, SSA_FETCH, b->region->slot_width[slot], slot, 0, 0, 0, 0);
		return b->near[slot];
	}
	return ssa_fold_value(&b->fold, b->state[slot] ? b->state[slot] : ssa_build_home(b, slot));
}

SsaRef ssa_build_settled(const SsaBuild *b, SsaRef ref, u32 slot)
{
	const SsaNode *node;

	ref = ssa_value(b->func, ref);
	node = &b->func->nodes[ref];
	return node->op == SSA_HOME && node->aux == slot ? 0 : ref; /* 0: whichever HOME */
}

static void put_slot(SsaBuild *b, u32 slot, SsaRef value)
{
	SsaRef known = ssa_fold_value(&b->fold, value), now;

	if (!value || b->func->failed)
		return;
	if (is_flags(b, slot)) {
		ssa_build_append(b, SSA_SET_FLAGS, 0, 0, known, 0, 0, 0);
		return;
	}
	if (b->weights.stay[slot]) {
		ssa_build_append(b, SSA_BRING, b->region->slot_width[slot], slot, known, 0, 0, 0);
		b->near[slot] = known;
		return;
	}
	now = ssa_build_settled(b, known, slot);
	if (now == b->state[slot] || known == ssa_fold_value(&b->fold, b->state[slot]))
		return;
	b->state[slot] = now;
	b->func->nodes[known].uses += 2; /* all of it is wanted */
	ssa_build_append(b, SSA_PUT, b->region->slot_width[slot], slot, known, 0, 0, 0);
}

/* As it is known here. */
static SsaRef known_value(SsaBuild *b, IrRef ref)
{
	return ssa_fold_value(&b->fold, ssa_build_value(b, ref));
}

static SsaRef emit_access(SsaBuild *b, const IrIns *ins)
{
	SsaRef address = known_value(b, ins->a), value = ins->op == IR_OP_STORE ? known_value(b, ins->b) : 0;

	if (b->failed || b->func->failed)
		return 0;
	if (ins->aux < 64 && b->region->hard_spaces >> ins->aux & 1)
		ssa_build_append(b, SSA_CHECK, 0, ins->aux, address, 0, 0, 0);
	else
		b->func->soft = true;
	if (ins->op == IR_OP_LOAD)
		return ssa_build_append(b, SSA_LOAD, ins->width, ins->aux, address, 0, 0, 0);
	ssa_build_append(b, SSA_STORE, width_of(b, value), ins->aux, address, value, 0, 0);
	return 0;
}

static SsaRef emit_atomic(SsaBuild *b, const IrIns *ins)
{
	SsaRef address = known_value(b, ins->a), first = known_value(b, ins->b);
	SsaRef second = ins->op == IR_OP_CAS ? known_value(b, ins->c) : 0;
	unsigned space = ir_atomic_space(ins);

	if (b->failed || b->func->failed)
		return 0;
	if (space < 64 && b->region->hard_spaces >> space & 1)
		ssa_build_append(b, SSA_CHECK, 0, space, address, 0, 0, 0);
	return ssa_build_append(b, ins->op == IR_OP_RMW ? SSA_RMW : SSA_CAS, ins->width, ins->aux, address, first, second, 0);
}

void ssa_build_ins(SsaBuild *b, u32 at)
{
	const SsaShape *shape = b->shape;
	const IrIns *ins = &shape->func->ins[at];
	SsaRef *out = &b->values[at - b->begin];
	unsigned count;

	switch (ins->op) {
	case IR_OP_INSN:
		ir_is_const(shape->func, ins->a, &b->pc);
		b->length = ins->aux;
		ssa_build_append(b, SSA_INSN, 0, ins->aux, 0, 0, 0, b->pc);
		b->func->guest_insns++;
		return;
	case IR_OP_PARAM:
		return; /* enter_piece has it */
	case IR_OP_GET:
		if (!ins->aux) { /* the pc: its slot is not kept while compiled code runs */
			*out = ssa_const(b->func, ins->width, b->pc);
			return;
		}
		*out = is_flags(b, ins->aux) ? ssa_build_append(b, SSA_FLAGS, ins->width, 0, 0, 0, 0, 0) : read_slot(b, ins->aux);
		return;
	case IR_OP_PUT:
		if (shape->act[at] == SSA_ACT_VALUE) {
			emit_raising(b, ins);
			return;
		}
		put_slot(b, ins->aux, ssa_build_value(b, ins->a));
		return;
	case IR_OP_LOAD: case IR_OP_STORE:
		*out = emit_access(b, ins);
		return;
	case IR_OP_RMW: case IR_OP_CAS:
		*out = emit_atomic(b, ins);
		return;
	case IR_OP_FENCE:
		ssa_build_append(b, SSA_FENCE, 0, 0, 0, 0, 0, 0);
		return;
	default:
		break;
	}
	count = ssa_op_info[ins->op].operands;
	if (ssa_op_info[ins->op].effects & SSA_MAY_RAISE) {
		*out = emit_float(b, ins, ins->width, ins->aux | (shape->act[at] == SSA_ACT_RAISES ? SSA_FLOAT_RAISES : 0u));
	} else if (count) {
		SsaRef x = ssa_build_value(b, ins->a), y = count > 1 ? ssa_build_value(b, ins->b) : 0;
		SsaRef z = count > 2 ? ssa_build_value(b, ins->c) : 0;

		b->fold.uses = shape->uses[at];
		*out = b->failed ? 0 : ssa_fold_make(&b->fold, ins->op, ins->width, ins->aux, x, y, z);
	}
}
