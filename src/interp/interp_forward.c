/* SPDX-License-Identifier: MIT
 *
 * Values across the instructions of a block. The builders share nothing from one guest instruction to the next; a stack
 * machine then reads back what it has just pushed, and each `sp = sp + 1` waits for the one before. This pass goes
 * through a function once, forward, and replaces
 *
 *   GET of a slot       by what was PUT there, or read from there, before
 *   LOAD of a cell      by what was stored there, or loaded from there, before
 *   x + c1 + c2         by x + (c1 + c2): all addresses on a stack count from one sp
 *   half of a @ b       by a or b: a single in the register of a double comes out as it went in
 *   a pure operation    by an earlier one that is the same
 *   BR on a condition   that was tested before, by a JMP
 *
 * PUTs and STOREs stay where they are: every instruction still leaves registers and memory as it should, so a block may be
 * left at any of them.
 *
 * Why that is sound. Between two instructions of a block nothing but the block itself changes slots or memory: whoever ran a
 * device or the host leaves the block at the end of that instruction (engine->attention). Within an instruction a device
 * may have run at an access to a space that is not plain (Translation) and written anywhere, so GETs and LOADs behind one
 * are left alone. LOADs are replaced only in plain spaces.
 *
 * What is known at a place is a State. A block with one predecessor starts with its state, any other with nothing; so do
 * all when there would be too many states.
 */
#include "interp/interp_private.h"

#include <string.h>

#include "base/bits.h"

enum {
	KNOWN_CELLS = 16, KNOWN_OPS = 48, KNOWN_CONDITIONS = 12,
	STATES_BYTES = 4 << 20, /* all states of a function: thousands of registers times thousands of branches are too much */
};

typedef struct KnownCell {
	u16 space;
	u8 width, address_width;
	IrRef base;   /* IR_NONE: the address is the offset */
	u64 offset;
	IrRef value;
} KnownCell;

typedef struct State {
	u32 cell_count, op_count, condition_count;
	bool accessed, hosted;  /* in this guest instruction */
	KnownCell cells[KNOWN_CELLS];           /* a ring: the newest overwrites the oldest */
	IrRef ops[KNOWN_OPS];                   /* likewise */
	IrRef conditions[KNOWN_CONDITIONS];
	bool holds[KNOWN_CONDITIONS];
	IrRef slots[];                          /* IR_NONE: not known */
} State;

typedef struct Forward {
	IrFunc *func;
	Arena *arena;
	const Space *spaces;
	u32 space_count, slot_count;
	u64 plain;
	IrRef *instead; /* per IR instruction: what to use for it */
	u32 *edges;     /* per block: into it */
	State **starts; /* per block: what is known there, or NULL: nothing */
	State *now;
	size_t used;    /* bytes of states */
} Forward;

static size_t state_size(const Forward *f)
{
	return sizeof(State) + f->slot_count * sizeof(IrRef);
}

static void forget_all(const Forward *f, State *state)
{
	memset(state, 0, sizeof *state);
	memset(state->slots, 0xFF, f->slot_count * sizeof(IrRef));
}

static void use(const Forward *f, u32 *ref)
{
	if (!(*ref & IR_CONST_BIT))
		*ref = f->instead[*ref];
}

/* The operands of an instruction, replaced. */
static void replace_operands(const Forward *f, IrIns *ins)
{
	switch ((IrShape)ir_op_info[ins->op].shape) {
	case IR_SHAPE_LEAF: case IR_SHAPE_MARK: case IR_SHAPE_NONE: case IR_SHAPE_FENCE:
		return;
	case IR_SHAPE_HOST: case IR_SHAPE_JMP:
		for (u32 i = 0; i < ins->c; i++)
			use(f, &f->func->pool[ins->b + i]);
		return;
	case IR_SHAPE_SEL: case IR_SHAPE_FTRI: case IR_SHAPE_CAS:
		use(f, &ins->c);
		/* fall through */
	case IR_SHAPE_BIN: case IR_SHAPE_SHIFT: case IR_SHAPE_CAT: case IR_SHAPE_CMP: case IR_SHAPE_STORE:
	case IR_SHAPE_FBIN: case IR_SHAPE_FCMP: case IR_SHAPE_RMW:
		use(f, &ins->b);
		/* fall through */
	case IR_SHAPE_UN0: case IR_SHAPE_UN: case IR_SHAPE_CONV: case IR_SHAPE_LOAD: case IR_SHAPE_BR:
	case IR_SHAPE_FUN: case IR_SHAPE_FOFI: case IR_SHAPE_FTOI: case IR_SHAPE_FTOF: case IR_SHAPE_FCLASS:
		use(f, &ins->a);
		return;
	case IR_SHAPE_RET:
		if (ins->a != IR_NONE)
			use(f, &ins->a);
		return;
	}
}

/* ---- Pure operations ---- */

static IrRef fold(Forward *f, u32 at)
{
	IrIns *ins = &f->func->ins[at];
	u64 a = 0, b = 0, inner;
	u8 shape = ir_op_info[ins->op].shape;
	bool two = shape == IR_SHAPE_BIN || shape == IR_SHAPE_CMP || shape == IR_SHAPE_SHIFT;

	if (ins->op == IR_OP_SEL && ir_is_const(f->func, ins->a, &a))
		return a ? ins->b : ins->c;
	if (!two && shape != IR_SHAPE_CONV)
		return at;
	if (ins->op == IR_OP_EXTRACT && !(ins->a & IR_CONST_BIT)) {
		const IrIns *whole = &f->func->ins[ins->a];

		if (whole->op == IR_OP_CONCAT && !ins->aux && ins->width == ir_width(f->func, whole->b))
			return whole->b;
		if (whole->op == IR_OP_CONCAT && ins->aux == ir_width(f->func, whole->b) && ins->width == ir_width(f->func, whole->a))
			return whole->a;
	}
	if (ir_is_const(f->func, ins->a, &a) && (!two || ir_is_const(f->func, ins->b, &b)))
		return ir_const(f->func, ins->width,
				ir_eval((IrOp)ins->op, ins->width, ir_width(f->func, ins->a), ins->aux, a, b, 0));
	if (ins->op == IR_OP_ADD && ir_is_const(f->func, ins->b, &b)) {
		const IrIns *below = ins->a & IR_CONST_BIT ? NULL : &f->func->ins[ins->a];

		if (below && below->op == IR_OP_ADD && ir_is_const(f->func, below->b, &inner)) {
			b += inner;
			ins->a = below->a;
			ins->b = ir_const(f->func, ins->width, b);
		}
		if (bits_trunc(b, ins->width) == 0)
			return ins->a;
	}
	return at;
}

/* Flags are not shared: each is one with the operation and the register of its own instruction (interp_plan.c). */
static bool is_shared(const IrIns *ins)
{
	return (ir_op_info[ins->op].effects & IR_EFFECT_PURE) && ins->op != IR_OP_PARAM && ins->op != IR_OP_ARG &&
	       !(ir_float_operands((IrOp)ins->op) && (ins->aux & IR_FLOAT_FLAGS));
}

static bool is_same(const IrIns *x, const IrIns *y)
{
	return x->op == y->op && x->width == y->width && x->aux == y->aux && x->a == y->a && x->b == y->b && x->c == y->c;
}

static IrRef share(Forward *f, u32 at)
{
	State *now = f->now;
	u32 known = now->op_count < KNOWN_OPS ? now->op_count : KNOWN_OPS;

	for (u32 i = 0; i < known; i++)
		if (is_same(&f->func->ins[now->ops[i]], &f->func->ins[at]))
			return now->ops[i];
	now->ops[now->op_count++ % KNOWN_OPS] = at;
	return at;
}

/* ---- Slots ---- */

static void get_slot(Forward *f, u32 at)
{
	const IrIns *ins = &f->func->ins[at];
	IrRef known = ins->aux < f->slot_count ? f->now->slots[ins->aux] : IR_NONE;

	if (ins->aux == 0 || ins->aux >= f->slot_count) /* slot 0 is not kept up inside a block */
		return;
	if (known != IR_NONE && !f->now->accessed && ir_width(f->func, known) == ins->width)
		f->instead[at] = known;
	else
		f->now->slots[ins->aux] = at;
}

/* ---- Cells ---- */

static bool take_address(const Forward *f, const IrIns *ins, KnownCell *cell)
{
	const IrIns *add = ins->a & IR_CONST_BIT ? NULL : &f->func->ins[ins->a];
	unsigned space = ins->aux & ~(unsigned)IR_RAW;

	if (ins->aux & IR_RAW || space >= f->space_count || space >= 64 || !(f->plain >> space & 1) ||
	    ins->width % f->spaces[space].cell_bits)
		return false;
	*cell = (KnownCell){.space = (u16)space, .width = ins->width, .base = ins->a};
	cell->address_width = (u8)ir_width(f->func, ins->a);
	if (ir_is_const(f->func, ins->a, &cell->offset)) {
		cell->base = IR_NONE;
	} else if (add && add->op == IR_OP_ADD && ir_is_const(f->func, add->b, &cell->offset)) {
		cell->base = add->a;
	}
	return true;
}

/* Can the two share a cell? Known apart only when they count from the same base. */
static bool may_overlap(const Forward *f, const KnownCell *x, const KnownCell *y)
{
	const Space *space = &f->spaces[x->space];
	u64 mask = bits_mask(x->address_width), apart, back;

	if (x->base != y->base || x->address_width != y->address_width)
		return true;
	if (space->wraps)
		mask &= space->wrap_mask;
	if (space->paged) /* the same shared memory may lie on several pages */
		mask &= SPACE_PAGE - 1;
	apart = (y->offset - x->offset) & mask;
	back = (x->offset - y->offset) & mask;
	return apart < x->width / space->cell_bits || back < y->width / space->cell_bits;
}

static void know_cell(Forward *f, const KnownCell *cell)
{
	f->now->cells[f->now->cell_count++ % KNOWN_CELLS] = *cell;
}

static void load(Forward *f, u32 at)
{
	State *now = f->now;
	u32 known = now->cell_count < KNOWN_CELLS ? now->cell_count : KNOWN_CELLS;
	KnownCell cell;

	if (take_address(f, &f->func->ins[at], &cell)) {
		for (u32 i = 0; i < known && !now->accessed; i++) {
			const KnownCell *k = &now->cells[i];

			if (k->value != IR_NONE && k->space == cell.space && k->width == cell.width && k->base == cell.base &&
			    k->address_width == cell.address_width && k->offset == cell.offset) {
				f->instead[at] = k->value;
				f->func->ins[at] = (IrIns){.op = IR_OP_ZX, .width = cell.width, .a = k->value}; /* dead */
				return;
			}
		}
		cell.value = at;
		know_cell(f, &cell);
	} else {
		now->accessed = true;
	}
}

static void store(Forward *f, const IrIns *ins)
{
	State *now = f->now;
	u32 known = now->cell_count < KNOWN_CELLS ? now->cell_count : KNOWN_CELLS;
	unsigned space = ins->aux & ~(unsigned)IR_RAW;
	KnownCell cell;
	bool taken = take_address(f, ins, &cell);

	for (u32 i = 0; i < known; i++)
		if (now->cells[i].space == space && (!taken || may_overlap(f, &now->cells[i], &cell)))
			now->cells[i].value = IR_NONE;
	if (taken) {
		cell.value = ins->b;
		know_cell(f, &cell);
	} else {
		now->accessed = true;
	}
}

/* An atomic access: what the cell holds behind it is not kept. */
static void atomic(Forward *f, const IrIns *ins)
{
	IrIns as_store = {.op = IR_OP_STORE, .width = ins->width, .a = ins->a, .b = IR_NONE,
			  .aux = (u16)(ir_atomic_space(ins) | (ins->aux & IR_RAW))};

	store(f, &as_store);
}

/* ---- Flow ---- */

static bool pass_on(Forward *f, u32 block, const IrIns *br, bool holds)
{
	State *state;

	if (f->edges[block] != 1 || f->used + state_size(f) > STATES_BYTES)
		return true;
	f->used += state_size(f);
	state = arena_alloc(f->arena, state_size(f));
	if (!state)
		return false;
	memcpy(state, f->now, state_size(f));
	if (br && state->condition_count < KNOWN_CONDITIONS) {
		state->conditions[state->condition_count] = br->a;
		state->holds[state->condition_count++] = holds;
	}
	f->starts[block] = state;
	return true;
}

static bool branch(Forward *f, u32 at)
{
	IrIns *ins = &f->func->ins[at];
	u64 value = 0;
	bool known = ir_is_const(f->func, ins->a, &value);

	for (u32 i = 0; i < f->now->condition_count && !known; i++)
		if (f->now->conditions[i] == ins->a) {
			known = true;
			value = f->now->holds[i];
		}
	if (!known)
		return pass_on(f, ins->b, ins, true) && pass_on(f, ins->c, ins, false);
	*ins = (IrIns){.op = IR_OP_JMP, .a = value ? ins->b : ins->c};
	return pass_on(f, ins->a, NULL, false);
}

static bool visit(Forward *f, u32 at)
{
	IrIns *ins = &f->func->ins[at];

	f->instead[at] = at;
	replace_operands(f, ins);
	switch ((IrOp)ins->op) {
	case IR_OP_INSN:
		if (f->now->hosted)
			forget_all(f, f->now);
		f->now->accessed = false;
		return true;
	case IR_OP_GET:
		get_slot(f, at);
		return true;
	case IR_OP_PUT:
		if (ins->aux < f->slot_count)
			f->now->slots[ins->aux] = ins->a;
		return true;
	case IR_OP_LOAD:
		load(f, at);
		return true;
	case IR_OP_STORE:
		store(f, ins);
		return true;
	case IR_OP_RMW: case IR_OP_CAS:
		atomic(f, ins);
		return true;
	case IR_OP_HOST:
		forget_all(f, f->now);
		f->now->accessed = f->now->hosted = true;
		return true;
	case IR_OP_JMP:
		return pass_on(f, ins->a, NULL, false);
	case IR_OP_BR:
		return branch(f, at);
	default:
		break;
	}
	if (is_shared(ins)) {
		f->instead[at] = fold(f, at);
		if (f->instead[at] == at)
			f->instead[at] = share(f, at);
	}
	return true;
}

static bool count_edges(Forward *f)
{
	f->edges = ARENA_ARRAY(f->arena, u32, f->func->block_count + 1);
	if (!f->edges)
		return false;
	for (u32 i = 0; i < f->func->ins_count; i++) {
		const IrIns *ins = &f->func->ins[i];

		if (ins->op == IR_OP_JMP)
			f->edges[ins->a]++;
		if (ins->op == IR_OP_BR) {
			f->edges[ins->b]++;
			f->edges[ins->c]++;
		}
	}
	return true;
}

bool interp_forward(IrFunc *func, const Vcpu *vcpu, u64 plain_spaces, Arena *arena)
{
	Forward f = {.func = func, .arena = arena, .spaces = vcpu->spaces, .space_count = vcpu->space_count,
		     .slot_count = vcpu->slot_count, .plain = plain_spaces};
	u32 *block_of = ARENA_ARRAY(arena, u32, func->ins_count + 1);
	State *fresh;

	f.instead = ARENA_ARRAY(arena, IrRef, func->ins_count + 1);
	f.starts = ARENA_ARRAY(arena, State *, func->block_count + 1);
	fresh = arena_alloc(arena, state_size(&f));
	if (!block_of || !f.instead || !f.starts || !fresh || !count_edges(&f))
		return false;
	for (u32 b = 0; b < func->block_count; b++)
		if (func->blocks[b].begun && func->blocks[b].end > func->blocks[b].start)
			block_of[func->blocks[b].start] = b + 1;
	f.now = fresh;
	forget_all(&f, fresh);
	for (u32 i = 0, count = func->ins_count; i < count; i++) {
		if (i && block_of[i]) {
			f.now = f.starts[block_of[i] - 1];
			if (!f.now) {
				f.now = fresh;
				forget_all(&f, fresh);
			}
		}
		if (!visit(&f, i))
			return false;
	}
	return !func->failed;
}
