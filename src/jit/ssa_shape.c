/* SPDX-License-Identifier: MIT
 *
 * Which operations of a source a region does (ssa_shape.h): one pass forward over its IR.
 *
 * The cold engine does whole instructions. One that holds an operation compiled code has none for (a call of the host, an
 * atomic access, `stop`, a second access behind a store) is left at its start. When such an operation stands in an arm that
 * is not always taken (`if (m > 4) raise 2`), and nothing was changed on the way, only that arm leaves: registers and
 * memory are as they were at the instruction's start, so leaving in its middle is leaving at its start.
 *
 * Floats. The host keeps the flags that its operations raise until compiled code is left (x64_float.c). So
 *
 *     %f:5 = fadd.flags %a, %b     %g:5 = get fflags     %o:5 = or %g, %f     put fflags, %o     %d:64 = fadd %a, %b
 *
 * is %d alone, which raises. An operation that raises without that pattern would raise too much: it is the cold engine's, as
 * are those the host does otherwise, and whoever looks at the flags; unless the target moves flags to and fro (flag_moves).
 */
#include <string.h>

#include "base/bits.h"
#include "jit/ssa_shape.h"

enum { KNOWN_SLOTS = 12 }; /* constants in slots that are remembered */

typedef struct KnownSlot {
	u16 slot;
	u64 value;
} KnownSlot;

/* Where a path into a block has come. */
typedef struct Place {
	bool reached;
	bool changed, stored, raised; /* since the instruction began */
	u32 insn, insn_block;         /* its INSN, and the block that is in */
	u32 known_count;
	KnownSlot known[KNOWN_SLOTS];
} Place;

typedef struct Look {
	const SsaRegion *region;
	const SsaSource *source;
	const IrFunc *func;
	SsaShape *shape;
	Place *places;  /* per block */
	u32 *insn_of;   /* per instruction of the IR: the INSN it belongs to, + 1; 0: not looked at */
	u32 *uses;
	u8 *is_known;   /* is it a constant? */
	u64 *known;
	Place now;
	u32 block;
	bool floats;    /* some operation may be one that is_odd_float means */
} Look;

static bool known_value(const Look *look, IrRef ref, u64 *value)
{
	if (ref & IR_CONST_BIT)
		return ir_is_const(look->func, ref, value);
	*value = look->known[ref];
	return look->is_known[ref];
}

static void learn_slot(Look *look, u16 slot, bool known, u64 value)
{
	Place *now = &look->now;
	u32 at = 0;

	while (at < now->known_count && now->known[at].slot != slot)
		at++;
	if (!known) {
		if (at < now->known_count)
			now->known[at] = now->known[--now->known_count];
		return;
	}
	if (at == KNOWN_SLOTS)
		at = 0;
	else if (at == now->known_count)
		now->known_count++;
	now->known[at] = (KnownSlot){slot, value};
}

static void evaluate(Look *look, u32 at)
{
	const IrIns *ins = &look->func->ins[at];
	unsigned count = ssa_op_info[ins->op].operands;
	u64 values[3];

	if (ins->op == IR_OP_GET) {
		for (u32 i = 0; i < look->now.known_count; i++)
			if (look->now.known[i].slot == ins->aux) {
				look->is_known[at] = 1;
				look->known[at] = look->now.known[i].value;
			}
		return;
	}
	if (!count || (!(ins->a & IR_CONST_BIT) && !look->is_known[ins->a]) || !(ir_op_info[ins->op].effects & IR_EFFECT_PURE) ||
	    !known_value(look, ins->a, &values[0]))
		return;
	values[1] = values[2] = 0;
	if ((count > 1 && !known_value(look, ins->b, &values[1])) || (count > 2 && !known_value(look, ins->c, &values[2])))
		return;
	look->is_known[at] = 1;
	look->known[at] = ir_eval((IrOp)ins->op, ins->width, ir_width(look->func, ins->a), ins->aux, values[0], values[1],
				  values[2]);
}

/* ---- Floats ---- */

static bool is_float(const IrIns *ins)
{
	return ssa_op_info[ins->op].effects & SSA_MAY_RAISE;
}

/* Can the host do this value operation? `from`: width of its operand. */
static bool host_does(const Look *look, IrOp op, unsigned width, unsigned from, unsigned round)
{
	switch (op) {
	case IR_OP_FADD: case IR_OP_FSUB: case IR_OP_FMUL: case IR_OP_FDIV: case IR_OP_FSQRT: case IR_OP_FTOF:
		return round == IR_ROUND_EVEN;
	case IR_OP_FMA:
		return round == IR_ROUND_EVEN && look->region->fma;
	case IR_OP_FEQ: case IR_OP_FLT: case IR_OP_FLE:
		return true;
	case IR_OP_FOFS:
		return round == IR_ROUND_EVEN && from <= 64;
	case IR_OP_FOFU:
		return round == IR_ROUND_EVEN && from <= 32;
	case IR_OP_FTOS: case IR_OP_FTOU:
		return round == IR_ROUND_ZERO && (width == 32 || width == 64);
	default:
		return false;
	}
}

/* It raises nothing, whatever the operand. */
static bool is_silent(const Look *look, const IrIns *ins)
{
	return ins->op == IR_OP_FCLASS ||
	       ((ins->op == IR_OP_FOFS || ins->op == IR_OP_FOFU) &&
		ir_width(look->func, ins->a) <= (ins->width == 64 ? 53u : 24u));
}

static const IrIns *made_by(const Look *look, IrRef ref)
{
	return ref & IR_CONST_BIT ? NULL : &look->func->ins[ref];
}

/* The operation itself, whose flags are those at `flags`; 0: nobody wants it. In this block and instruction. */
static u32 twin_of(const Look *look, u32 flags)
{
	const IrIns *wanted = &look->func->ins[flags];
	const IrBlock *block = &look->func->blocks[look->block];
	u32 low = flags, high = flags;

	while (low > block->start && look->func->ins[low].op != IR_OP_INSN)
		low--;
	while (high + 1 < block->end && look->func->ins[high + 1].op != IR_OP_INSN)
		high++;
	for (u32 i = low; i <= high; i++) {
		const IrIns *ins = &look->func->ins[i];
		unsigned count = ir_float_operands((IrOp)ins->op);

		if (ins->op == wanted->op && !(ins->aux & IR_FLOAT_FLAGS) && look->uses[i] && !look->shape->act[i] &&
		    ((ins->aux ^ wanted->aux) & IR_FLOAT_ROUND) == 0 && ins->width == wanted->aux >> IR_FLOAT_WIDTH_SHIFT &&
		    ins->a == wanted->a && (count < 2 || ins->b == wanted->b) && (count < 3 || ins->c == wanted->c))
			return i;
	}
	return 0;
}

/* put flags, or(get flags, flags of an operation): the host notes them. */
static bool match_flags(Look *look, u32 put)
{
	const IrFunc *func = look->func;
	const IrIns *either = made_by(look, func->ins[put].a), *wanted;
	u32 get, flags, twin;

	if (!either || either->op != IR_OP_OR || (either->a & IR_CONST_BIT) || (either->b & IR_CONST_BIT))
		return false;
	get = func->ins[either->a].op == IR_OP_GET && func->ins[either->a].aux == func->ins[put].aux ? either->a : either->b;
	flags = get == either->a ? either->b : either->a;
	wanted = &func->ins[flags];
	if (func->ins[get].op != IR_OP_GET || func->ins[get].aux != func->ins[put].aux || !is_float(wanted) ||
	    !(wanted->aux & IR_FLOAT_FLAGS) || look->uses[get] != 1 || look->uses[flags] != 1 ||
	    look->uses[func->ins[put].a] != 1 || flags < func->blocks[look->block].start || flags < look->now.insn ||
	    !host_does(look, (IrOp)wanted->op, wanted->aux >> IR_FLOAT_WIDTH_SHIFT, ir_width(func, wanted->a),
		       wanted->aux & IR_FLOAT_ROUND))
		return false;
	twin = twin_of(look, flags);
	if (twin)
		look->shape->act[twin] = SSA_ACT_RAISES;
	look->shape->act[flags] = look->shape->act[get] = look->shape->act[func->ins[put].a] = SSA_ACT_NONE;
	look->shape->act[put] = twin ? SSA_ACT_NONE : SSA_ACT_VALUE;
	return true;
}

/* Those that make or want flags in a way the host has no place for. */
static bool is_odd_float(const Look *look, u32 at)
{
	const IrIns *ins = &look->func->ins[at];

	if (!look->uses[at] || look->shape->act[at] == SSA_ACT_NONE || look->region->flag_moves)
		return false;
	if (ins->op == IR_OP_GET)
		return look->region->flags_slot && ins->aux == look->region->flags_slot;
	if (!is_float(ins))
		return false;
	if (ins->aux & IR_FLOAT_FLAGS)
		return true;
	if (look->shape->act[at] == SSA_ACT_RAISES)
		return false;
	return !host_does(look, (IrOp)ins->op, ins->width, ir_width(look->func, ins->a), ins->aux & IR_FLOAT_ROUND) ||
	       (look->region->flags_slot && !is_silent(look, ins));
}

/* ---- What it leaves to the cold engine ---- */

static bool is_cold_space(const Look *look, unsigned aux)
{
	return (aux & IR_RAW) || (aux < 64 && look->region->cold_spaces >> aux & 1);
}

/* The operation at `at` is the cold engine's. What stands behind it is looked at all the same: sources may begin there. */
static void leave(Look *look, u32 at)
{
	bool whole = look->now.changed || look->now.stored || look->now.raised || look->now.insn_block == look->block;

	look->shape->act[whole ? look->now.insn : at] = SSA_ACT_COLD;
}

static void look_at(Look *look, u32 at)
{
	const IrIns *ins = &look->func->ins[at];
	Place *now = &look->now;
	u64 value = 0;

	look->insn_of[at] = now->insn + 1;
	switch (ins->op) {
	case IR_OP_INSN:
		ir_is_const(look->func, ins->a, &value);
		look->shape->insns[look->shape->insn_count++] = (SsaShapeInsn){at, ins->aux, value};
		now->changed = now->stored = now->raised = false;
		now->insn = at;
		now->insn_block = look->block;
		if (look->source->dirty && ins->b + 1 == look->source->insns)
			look->shape->act[at] = SSA_ACT_COLD;
		return;
	case IR_OP_PUT:
		if (look->region->flags_slot && ins->aux == look->region->flags_slot && match_flags(look, at))
			return;
		if (!ins->aux || (look->region->flags_slot && ins->aux == look->region->flags_slot && !look->region->flag_moves))
			look->shape->act[now->insn] = SSA_ACT_COLD;
		learn_slot(look, ins->aux, known_value(look, ins->a, &value), value);
		now->changed = true;
		return;
	case IR_OP_LOAD: case IR_OP_STORE:
		if (now->stored || now->raised || is_cold_space(look, ins->aux))
			leave(look, at);
		now->stored |= ins->op == IR_OP_STORE;
		return;
	case IR_OP_RMW: case IR_OP_CAS:
		if (now->stored || now->raised || !look->region->atomics ||
		    is_cold_space(look, (ins->aux & IR_RAW) | ir_atomic_space(ins)))
			leave(look, at);
		now->stored = true;
		return;
	case IR_OP_ARG: case IR_OP_HOST: case IR_OP_STOP: case IR_OP_RAISE:
	case IR_OP_ILLEGAL: case IR_OP_RET:
		leave(look, at);
		return;
	default:
		break;
	}
	if (ins->op == IR_OP_GET && !look->uses[at])
		look->shape->act[at] = SSA_ACT_NONE;
	if (is_float(ins)) {
		look->floats = true;
		if (look->uses[at] && !(ins->aux & IR_FLOAT_FLAGS) && ins->op != IR_OP_FCLASS)
			now->raised |= !is_silent(look, ins) && look->region->flags_slot;
	}
	look->floats |= ins->op == IR_OP_GET && look->region->flags_slot && ins->aux == look->region->flags_slot;
	evaluate(look, at);
}

static void flow_into(Look *look, u32 to, bool alone)
{
	Place *place = &look->places[to];

	if (!place->reached) {
		*place = look->now;
		place->reached = true;
	} else {
		place->changed |= look->now.changed;
		place->stored |= look->now.stored;
		place->raised |= look->now.raised;
		if (place->insn_block != look->now.insn_block)
			place->insn_block = IR_NONE;
	}
	if (!alone)
		place->known_count = 0;
}

static void look_at_block(Look *look, u32 b)
{
	const IrFunc *func = look->func;
	const IrBlock *block = &func->blocks[b];
	const IrIns *last = &func->ins[block->end - 1];

	look->now = look->places[b];
	look->block = b;
	for (u32 at = block->start; at < block->end; at++)
		look_at(look, at);
	switch (last->op) {
	case IR_OP_JMP: flow_into(look, last->a, false); break;
	case IR_OP_BR:
		flow_into(look, last->b, true);
		flow_into(look, last->c, true);
		break;
	case IR_OP_GOTO:
		look->shape->gotos[b].known = known_value(look, last->a, &look->shape->gotos[b].pc);
		break;
	default: break;
	}
}

/* ---- The whole ---- */

/* Blocks of the IR by where they begin. They mostly stand in that order. */
static void sort_blocks(const IrFunc *func, u32 *by_start)
{
	for (u32 b = 0; b < func->block_count; b++) {
		u32 at = b;

		for (; at && func->blocks[by_start[at - 1]].start > func->blocks[b].start; at--)
			by_start[at] = by_start[at - 1];
		by_start[at] = b;
	}
}

/* Operands that are values, where ssa_op_info has none; POOL: those in the pool. */
enum { POOL = 4 };
static const u8 value_operands[IR_OP_COUNT] = {
	[IR_OP_PUT] = 1, [IR_OP_GOTO] = 1, [IR_OP_RAISE] = 1, [IR_OP_STOP] = 1, [IR_OP_BR] = 1, [IR_OP_LOAD] = 1,
	[IR_OP_STORE] = 2, [IR_OP_RMW] = 2, [IR_OP_CAS] = 3, [IR_OP_JMP] = POOL, [IR_OP_HOST] = POOL,
};

/* Uses; gives how many INSNs there are. Which operation comes next nobody can predict: so what is no value counts behind them, and
 * there is no branch for it. */
static u32 count_all(Look *look)
{
	const IrFunc *func = look->func;
	const u32 none = func->ins_count; /* constants have numbers beyond, too */
	u32 insns = 0, *uses = look->uses;

	for (u32 at = 0; at < func->ins_count; at++) {
		const IrIns *ins = &func->ins[at];
		unsigned count = ssa_op_info[ins->op].operands + value_operands[ins->op];

		insns += ins->op == IR_OP_INSN;
		if (count < POOL) {
			uses[((count > 0) & (ins->a < none)) ? ins->a : none]++;
			uses[((count > 1) & (ins->b < none)) ? ins->b : none]++;
			uses[((count > 2) & (ins->c < none)) ? ins->c : none]++;
			continue;
		}
		for (u32 i = 0; i < ins->c; i++)
			uses[func->pool[ins->b + i] < none ? func->pool[ins->b + i] : none]++;
	}
	return insns;
}

/* What is kept per operation of the IR, in one piece. */
static bool make_room(Look *look, Arena *arena)
{
	u32 count = look->func->ins_count + 1;
	u32 *words = ARENA_ARRAY(arena, u32, 2 * (size_t)count);
	u8 *bytes = ARENA_ARRAY(arena, u8, 2 * (size_t)count);

	if (!words || !bytes)
		return false;
	look->uses = words;
	look->shape->uses = words;
	look->insn_of = words + count;
	look->shape->act = bytes;
	look->is_known = bytes + count;
	look->known = ARENA_ROOM(arena, u64, count);
	look->places = ARENA_ARRAY(arena, Place, look->func->block_count);
	return look->known && look->places;
}

bool ssa_shape(const SsaRegion *region, const SsaSource *source, Arena *arena, SsaShape *out)
{
	const IrFunc *func = source->func;
	Look look = {.region = region, .source = source, .func = func, .shape = out};
	u32 *by_start = ARENA_ROOM(arena, u32, func->block_count);

	*out = (SsaShape){.func = func};
	out->order = ARENA_ROOM(arena, u32, func->block_count);
	out->gotos = ARENA_ARRAY(arena, SsaGoto, func->block_count);
	out->cold = ARENA_ARRAY(arena, bool, func->block_count);
	if (!by_start || !out->order || !out->gotos || !out->cold || !make_room(&look, arena))
		return false;
	out->insns = ARENA_ROOM(arena, SsaShapeInsn, count_all(&look) + 1);
	if (!out->insns)
		return false;
	look.places[0].reached = true;
	sort_blocks(func, by_start);
	for (u32 i = 0; i < func->block_count; i++) {
		u32 b = by_start[i];

		if (look.places[b].reached && func->blocks[b].end > func->blocks[b].start) {
			out->order[out->order_count++] = b;
			look_at_block(&look, b);
		}
	}
	for (u32 i = 0; i < out->order_count && look.floats; i++) {
		const IrBlock *block = &func->blocks[out->order[i]];

		for (u32 at = block->start; at < block->end; at++)
			if (look.insn_of[at] && is_odd_float(&look, at))
				out->act[look.insn_of[at] - 1] = SSA_ACT_COLD;
	}
	for (u32 i = 0; i < out->order_count; i++) {
		const IrBlock *block = &func->blocks[out->order[i]];

		out->cold[out->order[i]] = memchr(out->act + block->start, SSA_ACT_COLD, block->end - block->start) != NULL;
	}
	return true;
}

bool ssa_calls_host(const SsaShape *shape, u32 at)
{
	const IrFunc *func = shape->func;

	if (func->ins[at].op != IR_OP_INSN)
		return func->ins[at].op == IR_OP_HOST;
	for (u32 i = at + 1; i < func->ins_count && func->ins[i].op != IR_OP_INSN; i++)
		if (func->ins[i].op == IR_OP_HOST)
			return true;
	return false;
}
