/* SPDX-License-Identifier: MIT
 *
 * Before uops are written: what becomes of each value of a function. Four passes, each linear.
 *
 *   1. flow      forward: which guest instruction (number, pc) each IR instruction belongs to; what is unreachable;
 *                which guest instructions are careful
 *   2. uses      backward: how often each value is used by something that matters; the rest is dead, and so is a PUT that
 *                another one follows before anybody can see it
 *   3. fusion    backward: what is computed by its user instead of by itself; the last use of each value
 *   4. barriers  backward: how long a slot keeps what a GET read or a PUT wrote; so, which GETs cost nothing
 *
 * "Position" is an index into func->ins. Control goes forward only (ir.h, 6), so a value lives between its position
 * and that of its last use, whatever path is taken.
 */
#include "interp/interp_private.h"

#include "base/bits.h"

#define NO_NUMBER 0xFFFFFFFFu

IrRef interp_resolve(const Plan *plan, IrRef ref)
{
	while (ref < plan->func->ins_count && plan->values[ref].kind == VALUE_ALIAS)
		ref = plan->func->ins[ref].a;
	return ref;
}

bool interp_exit_only(const Plan *plan, u32 block)
{
	const IrBlock *b = &plan->func->blocks[block];
	const IrIns *ins = &plan->func->ins[b->start];

	return plan->func->kind == IR_FUNC_BLOCK && b->end - b->start == 1 && ins->op == IR_OP_GOTO &&
	       ir_is_const(plan->func, ins->a, NULL);
}

/* ---- 1. Flow ---- */

static bool sort_blocks(Plan *plan)
{
	const IrFunc *func = plan->func;

	plan->order = ARENA_ARRAY(plan->arena, u32, func->block_count);
	plan->owner = ARENA_ARRAY(plan->arena, u32, func->ins_count);
	if (!plan->order || !plan->owner)
		return false;
	for (u32 b = 0; b < func->block_count; b++)
		if (func->blocks[b].begun)
			for (u32 i = func->blocks[b].start; i < func->blocks[b].end; i++)
				plan->owner[i] = b;
	for (u32 i = 0; i < func->ins_count; i = func->blocks[plan->owner[i]].end)
		plan->order[plan->order_count++] = plan->owner[i];
	return true;
}

typedef struct Place { /* the guest instruction at the start of an IR block */
	u32 number, length;
	u64 pc;
} Place;

/* An edge of the flow; false when it goes backward, which no function of ours does. */
static bool pass_on(const Plan *plan, Place *places, const Place *now, u32 at, u32 target)
{
	if (target >= plan->func->block_count || plan->func->blocks[target].start <= at)
		return false;
	places[target] = *now;
	return true;
}

static Status find_flow(Plan *plan)
{
	const IrFunc *func = plan->func;
	Place *places = ARENA_ARRAY(plan->arena, Place, func->block_count);
	bool fine = true;

	plan->number = ARENA_ARRAY(plan->arena, u32, func->ins_count);
	plan->pc_of = ARENA_ARRAY(plan->arena, u64, func->ins_count);
	plan->length_of = ARENA_ARRAY(plan->arena, u32, func->ins_count);
	if (!places || !plan->number || !plan->pc_of || !plan->length_of)
		return STATUS_NOMEM;
	for (u32 b = 1; b < func->block_count; b++)
		places[b].number = NO_NUMBER;
	for (u32 o = 0; o < plan->order_count && fine; o++) {
		u32 b = plan->order[o];
		Place now = places[b];

		for (u32 i = func->blocks[b].start; i < func->blocks[b].end && fine; i++) {
			const IrIns *ins = &func->ins[i];

			if (now.number != NO_NUMBER && ins->op == IR_OP_INSN) {
				now = (Place){.number = ins->b, .length = ins->aux};
				ir_is_const(func, ins->a, &now.pc);
				if (now.number >= plan->insn_count)
					plan->insn_count = now.number + 1;
			}
			plan->number[i] = now.number;
			plan->pc_of[i] = now.pc;
			plan->length_of[i] = now.length;
			if (now.number == NO_NUMBER)
				continue;
			if (ins->op == IR_OP_JMP)
				fine = pass_on(plan, places, &now, i, ins->a);
			else if (ins->op == IR_OP_BR)
				fine = pass_on(plan, places, &now, i, ins->b) &&
				       pass_on(plan, places, &now, i, ins->c);
		}
	}
	if (!fine || plan->insn_count > func->ins_count)
		return STATUS_INVALID;
	return STATUS_OK;
}

static bool is_atomic(unsigned op)
{
	return op == IR_OP_RMW || op == IR_OP_CAS;
}

static bool find_careful(Plan *plan)
{
	const IrFunc *func = plan->func;
	bool *stored = ARENA_ARRAY(plan->arena, bool, plan->insn_count + 1);

	plan->careful = ARENA_ARRAY(plan->arena, bool, plan->insn_count + 1);
	if (!stored || !plan->careful)
		return false;
	for (u32 i = 0; i < func->ins_count; i++) {
		u32 number = plan->number[i];
		unsigned op = func->ins[i].op;

		if (number == NO_NUMBER)
			continue;
		if (plan->single || func->kind == IR_FUNC_HANDLER || op == IR_OP_HOST ||
		    (stored[number] && (op == IR_OP_LOAD || op == IR_OP_STORE || is_atomic(op))))
			plan->careful[number] = true;
		if (op == IR_OP_STORE || is_atomic(op))
			stored[number] = true;
	}
	return true;
}

/* ---- 2. Uses ---- */

/* Calls visit for each operand of an instruction. */
typedef void (*Visit)(Plan *plan, IrRef operand, u32 at);

static bool removable(const IrIns *ins)
{
	return ins->op == IR_OP_GET || (ir_op_info[ins->op].effects & IR_EFFECT_PURE);
}

static void visit_operands(Plan *plan, const IrIns *ins, u32 at, Visit visit)
{
	switch (ir_op_info[ins->op].shape) {
	case IR_SHAPE_LEAF: case IR_SHAPE_MARK: case IR_SHAPE_NONE: case IR_SHAPE_FENCE:
		break;
	case IR_SHAPE_UN0: case IR_SHAPE_UN: case IR_SHAPE_CONV: case IR_SHAPE_LOAD: case IR_SHAPE_BR:
	case IR_SHAPE_RET: case IR_SHAPE_FUN: case IR_SHAPE_FOFI: case IR_SHAPE_FTOI: case IR_SHAPE_FTOF: case IR_SHAPE_FCLASS:
		visit(plan, ins->a, at);
		break;
	case IR_SHAPE_BIN: case IR_SHAPE_SHIFT: case IR_SHAPE_CAT: case IR_SHAPE_CMP: case IR_SHAPE_STORE:
	case IR_SHAPE_FBIN: case IR_SHAPE_FCMP: case IR_SHAPE_RMW:
		visit(plan, ins->a, at);
		visit(plan, ins->b, at);
		break;
	case IR_SHAPE_SEL: case IR_SHAPE_FTRI: case IR_SHAPE_CAS:
		visit(plan, ins->a, at);
		visit(plan, ins->b, at);
		visit(plan, ins->c, at);
		break;
	case IR_SHAPE_HOST: case IR_SHAPE_JMP:
		for (u32 i = 0; i < ins->c; i++)
			visit(plan, plan->func->pool[ins->b + i], at);
		break;
	}
}

static void count_use(Plan *plan, IrRef operand, u32 at)
{
	if (operand < plan->func->ins_count) /* what uses an alias uses the value */
		plan->values[operand].uses += plan->values[at].kind == VALUE_ALIAS ? plan->values[at].uses : 1;
}

/* Which slots are PUT again further down, with nothing between that could leave the block or read them. */
typedef struct Overwritten {
	u32 *since; /* per slot: the stretch in which it is */
	u32 stretch;
} Overwritten;

/* Backward, at each instruction: true for a PUT that nobody can see. */
static bool is_overwritten(const Plan *plan, Overwritten *slots, u32 at)
{
	const IrIns *ins = &plan->func->ins[at];
	u32 number = plan->number[at];
	bool again;

	if (ins->op == IR_OP_PUT && ins->aux < plan->slot_count) {
		again = slots->since[ins->aux] == slots->stretch;
		slots->since[ins->aux] = slots->stretch;
		return again && plan->func->kind == IR_FUNC_BLOCK;
	}
	if (ins->op == IR_OP_GET && plan->values[at].uses && ins->aux < plan->slot_count)
		slots->since[ins->aux] = 0;
	else if ((ir_op_info[ins->op].effects & (IR_EFFECT_EXIT | IR_EFFECT_END)) ||
		 (ins->op == IR_OP_INSN && number && number != NO_NUMBER && plan->careful[number - 1]))
		slots->stretch++; /* the state is looked at here */
	return false;
}

static bool count_uses(Plan *plan)
{
	const IrFunc *func = plan->func;
	Overwritten slots = {.since = ARENA_ARRAY(plan->arena, u32, plan->slot_count + 1), .stretch = 1};

	if (!slots.since)
		return false;
	for (u32 i = func->ins_count; i-- > 0;) {
		const IrIns *ins = &func->ins[i];
		Value *value = &plan->values[i];

		value->at = value->last = i;
		if (is_overwritten(plan, &slots, i))
			continue; /* VALUE_DEAD */
		if (plan->number[i] == NO_NUMBER || (removable(ins) && !value->uses))
			continue; /* VALUE_DEAD */
		value->kind = ins->op == IR_OP_ZX      ? VALUE_ALIAS
			      : ins->op == IR_OP_GET   ? VALUE_SLOT
			      : ins->op == IR_OP_PARAM ? VALUE_PARAM
						       : VALUE_OP;
		visit_operands(plan, ins, i, count_use);
	}
	return true;
}

/* ---- 3. Fusion ---- */

static void note_use(Plan *plan, IrRef operand, u32 at)
{
	Value *value;

	if (operand >= plan->func->ins_count)
		return;
	value = &plan->values[operand];
	value->seen++;
	if (value->last < at)
		value->last = at;
}

/* The instruction that makes `ref`, if the one at `at` may compute it instead: same IR block, no other user. */
static const IrIns *absorbable(const Plan *plan, IrRef ref, u32 at)
{
	if (ref >= plan->func->ins_count || plan->values[ref].uses != 1 || plan->values[ref].kind != VALUE_OP ||
	    plan->owner[ref] != plan->owner[at])
		return NULL;
	return &plan->func->ins[ref];
}

static void absorb(Plan *plan, IrRef ref, u32 at)
{
	plan->values[ref].kind = VALUE_ABSORBED;
	plan->values[ref].at = at;
}

/* Takes `q <u limit` (below) or `limit <=u q` (not below), also in their other spellings, apart. */
static bool half_range(const Plan *plan, IrRef ref, u32 at, IrRef *q, u64 *limit, bool *below)
{
	const IrIns *ins = absorbable(plan, ref, at);
	bool a_known, b_known;
	u64 a, b, max;

	if (!ins || (ins->op != IR_OP_LTU && ins->op != IR_OP_LEU))
		return false;
	a_known = ir_is_const(plan->func, ins->a, &a);
	b_known = ir_is_const(plan->func, ins->b, &b);
	if (a_known == b_known)
		return false;
	*q = b_known ? ins->a : ins->b;
	*limit = b_known ? b : a;
	*below = b_known;
	max = bits_mask(ir_width(plan->func, *q));
	if ((ins->op == IR_OP_LEU) == b_known) { /* q <= c is q < c + 1; c < q is c + 1 <= q */
		if (*limit == max)
			return false;
		++*limit;
	}
	return true;
}

/* q < lo || q >= hi, or lo <= q && q < hi, in front of the BR at `at`. */
static bool match_range(Plan *plan, u32 at, Branch *branch)
{
	const IrIns *br = &plan->func->ins[at], *both = absorbable(plan, br->a, at), *add;
	IrRef q, q2;
	u64 limits[2];
	bool below[2];
	unsigned width;

	if (!both || (both->op != IR_OP_OR && both->op != IR_OP_AND))
		return false;
	if (!half_range(plan, both->a, at, &q, &limits[0], &below[0]) ||
	    !half_range(plan, both->b, at, &q2, &limits[1], &below[1]) || q != q2 || below[0] == below[1])
		return false;
	branch->inside = both->op == IR_OP_AND;
	/* outside: below lo or not below hi; inside: below hi and not below lo */
	branch->lo = limits[below[0] == branch->inside];
	branch->span = limits[below[0] != branch->inside] - branch->lo;
	width = ir_width(plan->func, q);
	if (limits[below[0] != branch->inside] <= branch->lo || width > 32)
		return false;
	absorb(plan, both->a, at);
	absorb(plan, both->b, at);
	absorb(plan, br->a, at);
	branch->kind = BRANCH_RANGE;
	branch->tested = q;
	branch->base = IR_NONE;
	/* The addition that makes q, when nobody needs q before the branch. */
	if (width != 16 || q >= plan->func->ins_count || plan->owner[q] != plan->owner[at])
		return true;
	add = &plan->func->ins[q];
	if (add->op == IR_OP_ADD && plan->values[q].uses == plan->values[q].seen + 2 &&
	    ir_is_const(plan->func, add->b, &branch->offset)) {
		plan->values[q].kind = VALUE_MOVED;
		plan->values[q].at = at;
		branch->base = add->a;
		note_use(plan, add->a, at);
	}
	return true;
}

static void plan_branch(Plan *plan, u32 at)
{
	const IrIns *br = &plan->func->ins[at], *cond;
	Branch *branch = &plan->branches[plan->owner[at]];

	if (match_range(plan, at, branch)) {
		if (branch->base == IR_NONE)
			note_use(plan, branch->tested, at);
		return;
	}
	cond = absorbable(plan, br->a, at);
	branch->tested = br->a;
	if (cond && ir_op_info[cond->op].shape == IR_SHAPE_CMP) {
		branch->kind = BRANCH_COMPARE;
		absorb(plan, br->a, at);
	} else {
		branch->kind = BRANCH_PLAIN;
		note_use(plan, br->a, at);
	}
}

/* Is the access one of a cell in a small checked space? Its uops add in 32 bits. */
bool interp_is_small(const Space *space, const IrIns *access, unsigned address_width)
{
	return !space->wraps && space->attr_shift == 0 && address_width <= 32 && access->width == space->cell_bits;
}

/* May `base + constant` be left to the access? The sum must wrap where the width of the address does. */
static void plan_address(Plan *plan, u32 at)
{
	const IrIns *ins = &plan->func->ins[at], *add = absorbable(plan, ins->a, at);
	unsigned number = ins->aux & ~(unsigned)IR_RAW;
	u64 mask;

	if (!add || add->op != IR_OP_ADD || !ir_is_const(plan->func, add->b, NULL) || number >= plan->space_count)
		return;
	mask = bits_mask(add->width);
	if (add->width == 64 || (plan->spaces[number].wraps && (plan->spaces[number].wrap_mask & ~mask) == 0) ||
	    (add->width == 32 && interp_is_small(&plan->spaces[number], ins, 32)))
		absorb(plan, ins->a, at);
}

/* ---- Floats with flags ---- */

enum { PAIR_WINDOW = 32 }; /* instructions between the two of a pair */

static bool wants_flags(const IrIns *ins)
{
	return ir_float_operands((IrOp)ins->op) && (ins->aux & IR_FLOAT_FLAGS);
}

/* Does `value` compute what `flags` tells about? */
static bool is_value_of(const Plan *plan, const IrIns *value, const IrIns *flags)
{
	unsigned count = ir_float_operands((IrOp)flags->op);

	return value->op == flags->op && value->aux == (flags->aux & IR_FLOAT_ROUND) &&
	       value->width == flags->aux >> IR_FLOAT_WIDTH_SHIFT &&
	       interp_resolve(plan, value->a) == interp_resolve(plan, flags->a) &&
	       (count < 2 || interp_resolve(plan, value->b) == interp_resolve(plan, flags->b)) &&
	       (count < 3 || interp_resolve(plan, value->c) == interp_resolve(plan, flags->c));
}

/* The operation whose flags those at `flags` are, in the same block and guest instruction. */
static IrRef find_value(const Plan *plan, u32 flags, u32 or_at)
{
	const IrBlock *block = &plan->func->blocks[plan->owner[flags]];
	u32 from = flags > block->start + PAIR_WINDOW ? flags - PAIR_WINDOW : block->start;
	u32 to = or_at + PAIR_WINDOW < block->end ? or_at + PAIR_WINDOW : block->end;

	for (u32 i = from; i < to; i++)
		if (plan->values[i].kind == VALUE_OP && plan->number[i] == plan->number[flags] &&
		    is_value_of(plan, &plan->func->ins[i], &plan->func->ins[flags]))
			return i;
	return IR_NONE;
}

/* Between the places of a pair the uop of both may move: nothing there but pure operations and reads of registers. */
static bool can_move(const Plan *plan, u32 from, u32 to)
{
	for (u32 i = from + 1; i < to; i++)
		if (!(ir_op_info[plan->func->ins[i].op].effects & IR_EFFECT_PURE) && plan->func->ins[i].op != IR_OP_GET)
			return false;
	return true;
}

/* May `old`, to which the flags are added, be read at `head` already? */
static bool is_there(const Plan *plan, IrRef old, u32 head)
{
	return old >= plan->func->ins_count || old < head ||
	       (plan->func->ins[old].op == IR_OP_GET && plan->values[old].uses == 1);
}

/* old | flags of an operation, at `at`: with the operation itself one uop, where the first of the two stands. */
static void plan_flags(Plan *plan, u32 at)
{
	const IrIns *ins = &plan->func->ins[at];
	IrRef sides[2] = {interp_resolve(plan, ins->a), interp_resolve(plan, ins->b)}, flags = IR_NONE, old = IR_NONE, value;
	u32 head = at, tail = at;

	for (unsigned i = 0; i < 2 && flags == IR_NONE; i++)
		if (sides[i] < plan->func->ins_count && wants_flags(&plan->func->ins[sides[i]]) &&
		    plan->values[sides[i]].kind == VALUE_OP && plan->values[sides[i]].uses == 1 &&
		    plan->owner[sides[i]] == plan->owner[at]) {
			flags = sides[i];
			old = sides[!i];
		}
	if (flags == IR_NONE)
		return;
	value = find_value(plan, flags, at);
	if (value != IR_NONE) {
		head = value < at ? value : at;
		tail = value < at ? at : value;
	}
	if (value != IR_NONE && (!can_move(plan, head, tail) || !is_there(plan, old, head))) {
		value = IR_NONE;
		head = at;
	}
	plan->values[flags].kind = VALUE_ABSORBED;
	plan->values[flags].at = plan->values[at].at = head;
	plan->values[at].kind = VALUE_PAIRED;
	plan->values[at].pair = value;
	if (value != IR_NONE) {
		plan->values[value].kind = VALUE_PAIRED;
		plan->values[value].at = head;
		plan->values[value].pair = at;
	}
}

/* May the load that `sx` alone uses extend what it loads itself? */
static bool is_signed_load(const Plan *plan, const IrIns *sx, const IrIns *load)
{
	unsigned number = load->aux & ~(unsigned)IR_RAW;

	return load->op == IR_OP_LOAD && sx->width == 64 && number < plan->space_count && plan->spaces[number].paged &&
	       (load->width == 8 || load->width == 16 || load->width == 32);
}

/* The sum of which `sx` wants the low 32 bits, extended to 64, if one uop can do it all. */
static void plan_narrow(Plan *plan, const IrIns *sx, const IrIns *extract, u32 at)
{
	const IrIns *sum = absorbable(plan, extract->a, at);

	if (sum && (sum->op == IR_OP_ADD || sum->op == IR_OP_SUB) && sx->width == 64 && extract->aux == 0 &&
	    extract->width == 32 && !ir_is_const(plan->func, sum->a, NULL) &&
	    (sum->op == IR_OP_ADD || !ir_is_const(plan->func, sum->b, NULL)))
		absorb(plan, extract->a, at);
}

/* The mask of an address that is jumped to, if the jump can do it. */
static void plan_jump(Plan *plan, u32 at)
{
	const IrIns *ins = &plan->func->ins[at], *mask = absorbable(plan, ins->a, at);

	if (plan->func->kind == IR_FUNC_BLOCK && mask && mask->op == IR_OP_AND && ir_is_const(plan->func, mask->b, NULL) &&
	    !ir_is_const(plan->func, mask->a, NULL))
		absorb(plan, ins->a, at);
}

bool interp_is_unboxing(const Plan *plan, const IrIns *sel)
{
	return sel->a < plan->func->ins_count && plan->values[sel->a].kind == VALUE_ABSORBED;
}

static void plan_unboxing(Plan *plan, u32 at)
{
	const IrIns *sel = &plan->func->ins[at], *eq = absorbable(plan, sel->a, at), *low = absorbable(plan, sel->b, at), *high;
	u64 ones;

	if (!eq || eq->op != IR_OP_EQ || !low || low->op != IR_OP_EXTRACT || low->aux || sel->width != 32 ||
	    !ir_is_const(plan->func, sel->c, NULL) || !ir_is_const(plan->func, eq->b, &ones) || ones != 0xFFFFFFFF)
		return;
	high = absorbable(plan, eq->a, at);
	if (!high || high->op != IR_OP_EXTRACT || high->aux != 32 || high->width != 32 || high->a != low->a ||
	    ir_width(plan->func, low->a) != 64)
		return;
	absorb(plan, eq->a, at);
	absorb(plan, sel->a, at);
	absorb(plan, sel->b, at);
}

static void plan_fusion(Plan *plan)
{
	const IrFunc *func = plan->func;

	for (u32 i = 0; i < func->ins_count; i++)
		if (func->ins[i].op == IR_OP_OR && plan->values[i].kind == VALUE_OP)
			plan_flags(plan, i);

	for (u32 i = func->ins_count; i-- > 0;) {
		const IrIns *ins = &func->ins[i], *inner;
		Value *value = &plan->values[i];

		switch (value->kind) {
		case VALUE_DEAD: case VALUE_SLOT: case VALUE_PARAM: case VALUE_MOVED:
			continue;
		case VALUE_ALIAS: /* the operand lives as long as the alias */
			note_use(plan, ins->a, value->last);
			if (ins->a < func->ins_count)
				plan->values[ins->a].seen += value->seen - 1;
			continue;
		default:
			break;
		}
		if (ins->op == IR_OP_BR) {
			plan_branch(plan, i);
			continue;
		}
		if (value->kind == VALUE_ABSORBED && plan->func->ins[value->at].op == IR_OP_BR &&
		    plan->branches[plan->owner[i]].kind == BRANCH_RANGE)
			continue; /* the branch holds all there is to know */
		if (ins->op == IR_OP_LOAD || ins->op == IR_OP_STORE)
			plan_address(plan, i);
		if (ins->op == IR_OP_SEL)
			plan_unboxing(plan, i);
		if (ins->op == IR_OP_GOTO)
			plan_jump(plan, i);
		inner = ins->op == IR_OP_SX ? absorbable(plan, ins->a, i) : NULL;
		if (inner && inner->op == IR_OP_EXTRACT) {
			absorb(plan, ins->a, i);
			plan_narrow(plan, ins, inner, i);
		}
		if (inner && value->kind == VALUE_OP && is_signed_load(plan, ins, inner)) {
			Value *load = &plan->values[ins->a];

			load->is_signed = true;
			load->uses = value->uses;
			value->kind = VALUE_ALIAS;
			note_use(plan, ins->a, value->last);
			load->seen += value->seen - 1;
			continue;
		}
		visit_operands(plan, ins, value->at, note_use);
	}
}

/* ---- 4. Barriers ---- */

static bool plan_barriers(Plan *plan)
{
	const IrFunc *func = plan->func;
	u32 *next_put = ARENA_ARRAY(plan->arena, u32, plan->slot_count);
	u32 any = func->ins_count; /* the next position that may change any slot */

	if (!next_put)
		return false;
	for (u32 s = 0; s < plan->slot_count; s++)
		next_put[s] = func->ins_count;
	for (u32 i = func->ins_count; i-- > 0;) {
		const IrIns *ins = &func->ins[i];
		Value *value = &plan->values[i];

		if (plan->number[i] == NO_NUMBER)
			continue;
		switch (ins->op) {
		case IR_OP_GET:
			value->barrier = next_put[ins->aux] < any ? next_put[ins->aux] : any;
			if (value->kind == VALUE_SLOT && value->last > value->barrier)
				value->kind = VALUE_COPY;
			break;
		case IR_OP_PUT:
			value->barrier = next_put[ins->aux] < any ? next_put[ins->aux] : any;
			next_put[ins->aux] = i;
			break;
		case IR_OP_HOST:
			any = i;
			break;
		case IR_OP_LOAD: case IR_OP_STORE: case IR_OP_RMW: case IR_OP_CAS: /* a device's handler may write registers */
			if (!(ins->aux & IR_RAW) && plan->careful[plan->number[i]])
				any = i;
			break;
		default:
			break;
		}
	}
	return true;
}

static bool slots_exist(const Plan *plan)
{
	for (u32 i = 0; i < plan->func->ins_count; i++) {
		const IrIns *ins = &plan->func->ins[i];

		if ((ins->op == IR_OP_GET || ins->op == IR_OP_PUT) && ins->aux >= plan->slot_count)
			return false;
	}
	return true;
}

Status interp_plan(Plan *plan)
{
	Status status;

	if (plan->func->failed || plan->func->current != IR_NONE || !slots_exist(plan))
		return plan->func->failed ? STATUS_NOMEM : STATUS_INVALID;
	plan->values = ARENA_ARRAY(plan->arena, Value, plan->func->ins_count);
	plan->branches = ARENA_ARRAY(plan->arena, Branch, plan->func->block_count);
	if (!plan->values || !plan->branches || !sort_blocks(plan))
		return STATUS_NOMEM;
	status = find_flow(plan);
	if (status)
		return status;
	if (!find_careful(plan))
		return STATUS_NOMEM;
	if (!count_uses(plan))
		return STATUS_NOMEM;
	plan_fusion(plan);
	return plan_barriers(plan) ? STATUS_OK : STATUS_NOMEM;
}
