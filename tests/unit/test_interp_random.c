/* SPDX-License-Identifier: MIT
 * interp, jit: random machines against the plainest evaluator there can be.
 *
 * The made-up machine: each cell of space 0 is the seed of one instruction, whose meaning is random IR (loads,
 * stores, branches with parameters, raises, host calls, parallel PUTs, jumps of every kind). So every store may
 * change code. Cells 0xF0.. are devices: they change registers, raise, wait, stop, wake, write memory, run handler
 * functions. Space 1 holds bytes and has an end; space 2 has 12-bit cells.
 *
 * Two worlds run it: one through an engine in runs of random length, one instruction by instruction through
 * ir_eval. After each run everything must be equal: registers, count, memory, the reason of the exit; and whatever
 * should have ended a run must not have happened before its last instruction.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/bits.h"
#include "base/rng.h"
#include "interp/interp.h"
#include "ir/ir.h"
#include "jit/jit.h"
#include "jit/jit_private.h"
#include "unit/host_float.h"

enum { SLOTS = 12, CODE = 256, BYTES = 96, WORDS = 32, DEVICES = 0xF0, CTX = 1, HANDLERS = 4 };

/* pc, context, then registers of many widths. */
static const u8 slot_width[SLOTS] = {8, 2, 16, 16, 16, 16, 64, 32, 8, 1, 12, 37};

typedef struct World {
	Vcpu vcpu;
	Space spaces[3];
	u64 file[SLOTS + VCPU_TEMPS];
	const EngineOps *ops;
	Engine *engine; /* NULL: the evaluator's world */
	u64 device_count;
	IrFunc **handlers;
	bool gap; /* breakpoints at every 16th cell */
} World;

/* ---- Random meaning ---- */

typedef struct Gen {
	Rng rng;
	IrFunc *func;
	IrRef values[24];
	unsigned count;
	bool handler, may_exit;
} Gen;

static u64 below(Gen *g, u64 n)
{
	return rng_below(&g->rng, n);
}

static void keep(Gen *g, IrRef value)
{
	if (g->count < COUNT_OF(g->values))
		g->values[g->count++] = value;
	else
		g->values[below(g, COUNT_OF(g->values))] = value;
}

static IrRef fit(Gen *g, IrRef value, unsigned width)
{
	unsigned has = ir_width(g->func, value);

	if (has == width)
		return value;
	if (has > width)
		return ir_extract(g->func, value, (unsigned)below(g, has - width + 1), width);
	return below(g, 2) ? ir_zx(g->func, value, width) : ir_sx(g->func, value, width);
}

static IrRef pick(Gen *g, unsigned width)
{
	u64 edge[] = {0, 1, 2, ~(u64)0, (u64)1 << (width - 1), bits_mask(width) >> 1, 0x55};

	if (!g->count || below(g, 4) == 0)
		return ir_const(g->func, width, below(g, 2) ? edge[below(g, COUNT_OF(edge))] : rng_next(&g->rng));
	return fit(g, g->values[below(g, g->count)], width);
}

static unsigned any_width(Gen *g)
{
	static const u8 usual[] = {1, 8, 12, 16, 16, 16, 32, 64};

	return below(g, 4) ? usual[below(g, COUNT_OF(usual))] : 1 + (unsigned)below(g, 64);
}

static IrRef condition(Gen *g)
{
	unsigned w = any_width(g);
	IrRef a = pick(g, w), result;

	if (below(g, 3) == 0 && w > 8) { /* what becomes a range check */
		u64 lo = below(g, bits_mask(w < 32 ? w : 32) / 2), hi = lo + 1 + below(g, 1000);
		IrRef q = below(g, 2) ? ir_bin(g->func, IR_OP_ADD, a, ir_const(g->func, w, rng_next(&g->rng))) : a;
		IrRef x = ir_bin(g->func, IR_OP_LTU, q, ir_const(g->func, w, lo));
		IrRef y = ir_bin(g->func, IR_OP_LEU, ir_const(g->func, w, hi), q);

		keep(g, q);
		result = ir_bin(g->func, IR_OP_OR, x, y);
		return below(g, 2) ? result : ir_bin(g->func, IR_OP_AND, ir_not(g->func, x), ir_not(g->func, y));
	}
	result = ir_bin(g->func, (IrOp)(IR_OP_EQ + below(g, 6)), a, pick(g, w));
	if (below(g, 4) == 0)
		result = ir_bin(g->func, (IrOp)(IR_OP_AND + below(g, 3)), result, pick(g, 1));
	return result;
}

static IrRef pick_float(Gen *g, unsigned width)
{
	return below(g, 3) ? ir_const(g->func, width, float_edge(&g->rng, width == 64)) : pick(g, width);
}

static IrRef gen_float(Gen *g)
{
	IrOp op = (IrOp)(IR_OP_FADD + below(g, IR_OP_FCLASS - IR_OP_FADD + 1));
	IrRound round = below(g, 2) ? IR_ROUND_EVEN : (IrRound)below(g, IR_ROUND_COUNT);
	unsigned w = below(g, 2) ? 64 : 32, result = w, any = any_width(g);
	IrRef a = pick_float(g, w), b = pick_float(g, w), c = pick_float(g, w);

	switch (ir_op_info[op].shape) {
	case IR_SHAPE_FCMP: result = 1; break;
	case IR_SHAPE_FOFI: a = pick(g, any); break;
	case IR_SHAPE_FTOI: result = any; break;
	case IR_SHAPE_FTOF: result = 96 - w; break;
	case IR_SHAPE_FCLASS: return ir_float(g->func, op, round, 10, a, b, c);
	default: break;
	}
	if (below(g, 8) == 0) { /* a single in the register of a double */
		IrRef whole = pick(g, 64), high;

		if (below(g, 2))
			whole = ir_bin(g->func, IR_OP_CONCAT, ir_const(g->func, 32, below(g, 4) ? 0xFFFFFFFF : 5), pick(g, 32));
		high = ir_extract(g->func, whole, 32, 32);
		return ir_select(g->func, ir_bin(g->func, IR_OP_EQ, high, ir_const(g->func, 32, 0xFFFFFFFF)),
				 ir_extract(g->func, whole, 0, 32), below(g, 4) ? ir_const(g->func, 32, 0x7FC00000) : pick(g, 32));
	}
	if (below(g, 2)) { /* what becomes one uop: an operation, and its flags added to others, in any order */
		bool value_first = below(g, 2);
		IrRef value = value_first ? ir_float(g->func, op, round, result, a, b, c) : IR_NONE, flags, old;

		if (below(g, 4) == 0)
			keep(g, ir_bin(g->func, IR_OP_ADD, pick(g, 16), pick(g, 16)));
		flags = ir_float_flags(g->func, op, round, result, a, b, c);
		old = pick(g, 5);
		keep(g, below(g, 2) ? ir_bin(g->func, IR_OP_OR, old, flags) : ir_bin(g->func, IR_OP_OR, flags, old));
		return value_first ? value : ir_float(g->func, op, round, result, a, b, c);
	}
	return (below(g, 3) ? ir_float : ir_float_flags)(g->func, op, round, result, a, b, c);
}

static void gen_pure(Gen *g)
{
	unsigned w = any_width(g), from;
	IrOp op = (IrOp)(IR_OP_ADD + below(g, IR_OP_SEL - IR_OP_ADD + 1));

	if (below(g, 8) == 0) {
		keep(g, gen_float(g));
		return;
	}
	switch (ir_op_info[op].shape) {
	case IR_SHAPE_BIN: keep(g, ir_bin(g->func, op, pick(g, w), pick(g, w))); break;
	case IR_SHAPE_SHIFT: keep(g, ir_bin(g->func, op, pick(g, w), pick(g, any_width(g)))); break;
	case IR_SHAPE_UN:
		if (op == IR_OP_BSWAP)
			w = (unsigned[]){16, 32, 64}[below(g, 3)];
		keep(g, ir_un(g->func, op, pick(g, w)));
		break;
	case IR_SHAPE_CONV:
		from = any_width(g);
		keep(g, fit(g, pick(g, from), w));
		break;
	case IR_SHAPE_CAT: keep(g, ir_bin(g->func, op, pick(g, 1 + (w - 1) / 2), pick(g, 1 + (unsigned)below(g, 32)))); break;
	case IR_SHAPE_CMP: keep(g, condition(g)); break;
	default: keep(g, ir_select(g->func, condition(g), pick(g, w), pick(g, w))); break;
	}
}

static IrRef gen_address(Gen *g, unsigned space)
{
	unsigned w = space == 0 ? (below(g, 2) ? 8 : 16) : below(g, 2) ? 16 : 64;
	IrRef a;

	if (space == 0 && below(g, 8) == 0)
		return ir_const(g->func, w, DEVICES + below(g, 16));
	if (space && !g->handler && below(g, 2)) { /* around one register, as on a stack, or at a fixed place */
		a = below(g, 4) ? ir_get(g->func, 3, 16) : ir_const(g->func, 16, below(g, 8) + (below(g, 8) ? 0 : 60));
		if (space == 1)
			a = ir_bin(g->func, IR_OP_AND, a, ir_const(g->func, 16, 63));
		return ir_bin(g->func, IR_OP_ADD, a, ir_const(g->func, 16, (below(g, 8) - 4) & (space == 1 ? 7 : 0xFFFF)));
	}
	a = pick(g, w);
	if (space == 1)
		a = ir_bin(g->func, IR_OP_AND, a, ir_const(g->func, w, below(g, 16) ? 63 : 127));
	if (below(g, 2))
		a = ir_bin(g->func, IR_OP_ADD, a, ir_const(g->func, w, space == 1 ? below(g, 16) : rng_next(&g->rng)));
	return a;
}

static unsigned access_width(Gen *g, unsigned space)
{
	static const u8 bytes[] = {8, 16, 32, 64, 24};

	return space == 0 ? (below(g, 6) ? 16 : 32) : space == 1 ? bytes[below(g, 5)] : 12 * (1 + (unsigned)below(g, 2));
}

static void gen_effect(Gen *g)
{
	unsigned space = (unsigned)below(g, 3);
	bool raw = g->handler || below(g, 8) == 0;

	switch (below(g, 6)) {
	case 0:
		if (!g->handler || below(g, 2)) {
			ir_store(g->func, space, gen_address(g, space), pick(g, access_width(g, space)), raw);
			break;
		}
		/* fall through */
	case 1:
		if (below(g, 3) == 0) {
			unsigned w = access_width(g, space), order = (unsigned)below(g, 4);
			IrRef at = gen_address(g, space), value = pick(g, w);

			if (below(g, 8) == 0)
				ir_fence(g->func, 3, 3);
			if (below(g, 3))
				keep(g, ir_rmw(g->func, (IrRmw)below(g, IR_RMW_COUNT), space, order, at, value, raw));
			else
				keep(g, ir_cas(g->func, space, order, at,
					       below(g, 2) ? ir_load(g->func, space, w, at, raw) : pick(g, w), value, raw));
			break;
		}
		/* fall through */
	case 2: case 3:
		keep(g, ir_load(g->func, space, access_width(g, space), gen_address(g, space), raw));
		break;
	case 4:
		if (!g->handler && below(g, 3) == 0) {
			IrRef args[3] = {pick(g, 16), pick(g, 64), pick(g, 1)};
			unsigned w = (unsigned)below(g, 2) * 16;
			IrRef value = ir_host(g->func, (unsigned)below(g, 4), w, args, (unsigned)below(g, 4));

			if (w)
				keep(g, value);
			break;
		}
		/* fall through */
	default: {
		unsigned slot = (unsigned)below(g, SLOTS);

		keep(g, ir_get(g->func, slot, slot_width[slot]));
	}
	}
}

static void gen_ops(Gen *g, unsigned count)
{
	while (count--) {
		if (below(g, 3) == 0)
			gen_effect(g);
		else
			gen_pure(g);
	}
}

/* if (condition) { .. } else { .. }, giving up to two values; an arm may raise. */
static void gen_diamond(Gen *g)
{
	u32 yes = ir_block_create(g->func), no = ir_block_create(g->func), join;
	unsigned params = (unsigned)below(g, 3), w = any_width(g), before;
	IrRef args[2];
	bool raises = below(g, 3) == 0;

	ir_br(g->func, condition(g), yes, no);
	before = g->count;
	ir_block_begin(g->func, yes);
	if (raises) {
		if (g->handler || below(g, 3))
			ir_raise(g->func, pick(g, 16));
		else
			ir_illegal(g->func);
		ir_block_begin(g->func, no);
		return;
	}
	join = ir_block_create(g->func);
	for (int arm = 0; arm < 2; arm++) {
		IrRef kept[COUNT_OF(g->values)];

		memcpy(kept, g->values, sizeof kept);
		if (arm)
			ir_block_begin(g->func, no);
		gen_ops(g, (unsigned)below(g, 3));
		args[0] = pick(g, w);
		args[1] = pick(g, 16);
		ir_jmp(g->func, join, args, params);
		memcpy(g->values, kept, sizeof kept); /* what an arm makes does not dominate the join */
		g->count = before;
	}
	ir_block_begin(g->func, join);
	if (params > 0)
		keep(g, ir_param(g->func, w));
	if (params > 1)
		keep(g, ir_param(g->func, 16));
}

/* Raises unless a 16-bit address lies in a range; then uses it. */
static void gen_checked(Gen *g)
{
	u32 yes = ir_block_create(g->func), no = ir_block_create(g->func);
	u64 lo = below(g, 0x6000), hi = lo + 0x1000 + below(g, 0x8000);
	IrRef q = pick(g, 16), value = pick(g, 16), x, y;

	if (below(g, 3))
		q = ir_bin(g->func, IR_OP_ADD, q, ir_const(g->func, 16, rng_next(&g->rng)));
	x = ir_bin(g->func, IR_OP_LTU, q, ir_const(g->func, 16, lo));
	y = ir_bin(g->func, IR_OP_LEU, ir_const(g->func, 16, hi), q);
	ir_br(g->func, ir_bin(g->func, IR_OP_OR, x, y), yes, no);
	ir_block_begin(g->func, yes);
	ir_raise(g->func, below(g, 4) ? ir_const(g->func, 8, 2) : value);
	ir_block_begin(g->func, no);
	if (below(g, 3) == 0)
		ir_store(g->func, 0, q, value, below(g, 8) == 0);
	else
		keep(g, ir_load(g->func, 0, 16, q, below(g, 8) == 0));
	if (below(g, 4) == 0)
		keep(g, q);
}

static unsigned put_slot(Gen *g, bool *dirty)
{
	unsigned slot = 2 + (unsigned)below(g, SLOTS - 2);

	if (below(g, 24) == 0 && !g->handler) {
		*dirty = true;
		return CTX;
	}
	return slot;
}

static void gen_puts(Gen *g, bool *dirty)
{
	unsigned count = (unsigned)below(g, 4);
	bool used[SLOTS] = {false};

	if (below(g, 6) == 0) { /* exchange two registers */
		IrRef x = ir_get(g->func, 2, 16), y = ir_get(g->func, 3, 16);

		ir_put(g->func, 2, y);
		ir_put(g->func, 3, x);
		return;
	}
	if (below(g, 3) == 0) { /* one value to two registers */
		IrRef value = ir_bin(g->func, IR_OP_ADD, pick(g, 16), pick(g, 16));

		ir_put(g->func, 2 + (unsigned)below(g, 2), value);
		ir_put(g->func, 4 + (unsigned)below(g, 2), value);
		keep(g, value);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		unsigned slot = put_slot(g, dirty);
		IrRef value = pick(g, slot_width[slot]);

		if (!used[slot])
			ir_put(g->func, slot, value);
		used[slot] = true;
	}
}

static IrRef target(Gen *g, u64 pc)
{
	return ir_const(g->func, 8, below(g, 3) ? pc + below(g, 24) - 8 : rng_next(&g->rng));
}

/* One instruction. True when the block goes on behind it. */
static bool gen_insn(Gen *g, u64 pc, bool *dirty)
{
	u32 yes, no;

	g->count = 0;
	for (unsigned i = 0; i < 3; i++) {
		unsigned slot = (unsigned)below(g, SLOTS);

		keep(g, ir_get(g->func, slot, slot_width[slot]));
	}
	gen_ops(g, (unsigned)below(g, 8));
	if (below(g, 3) == 0)
		gen_diamond(g);
	if (below(g, 3) == 0)
		gen_ops(g, (unsigned)below(g, 4));
	if (below(g, 3) == 0)
		gen_checked(g);
	switch (below(g, 12)) {
	case 0: { /* goes elsewhere */
		IrRef to = below(g, 2) ? target(g, pc) : pick(g, 8);

		gen_puts(g, dirty);
		ir_goto(g->func, to, IR_FLOW_JUMP);
		return false;
	}
	case 1: case 2: { /* or stays; both as exits */
		IrRef cond = condition(g);

		gen_puts(g, dirty);
		yes = ir_block_create(g->func);
		no = ir_block_create(g->func);
		ir_br(g->func, cond, yes, no);
		ir_block_begin(g->func, yes);
		ir_goto(g->func, target(g, pc), IR_FLOW_JUMP);
		ir_block_begin(g->func, no);
		ir_goto(g->func, ir_const(g->func, 8, pc + 1), IR_FLOW_NEXT);
		return false;
	}
	case 3: { /* leaves the block from its middle */
		IrRef cond = condition(g);

		yes = ir_block_create(g->func);
		no = ir_block_create(g->func);
		ir_br(g->func, cond, yes, no);
		ir_block_begin(g->func, yes);
		gen_puts(g, dirty);
		ir_goto(g->func, target(g, pc), IR_FLOW_JUMP);
		ir_block_begin(g->func, no);
		g->count = 0;
		gen_puts(g, dirty);
		return true;
	}
	case 4:
		if (below(g, 8) == 0) {
			gen_puts(g, dirty);
			ir_stop(g->func, ir_const(g->func, 16, below(g, 100)));
			return false;
		}
		/* fall through */
	case 5: { /* writes in one arm only */
		IrRef cond = condition(g);
		u32 join = ir_block_create(g->func);

		yes = ir_block_create(g->func);
		no = ir_block_create(g->func);
		ir_br(g->func, cond, yes, no);
		ir_block_begin(g->func, yes);
		gen_puts(g, dirty);
		ir_jmp(g->func, join, NULL, 0);
		ir_block_begin(g->func, no);
		ir_jmp(g->func, join, NULL, 0);
		ir_block_begin(g->func, join);
		return true;
	}
	default:
		gen_puts(g, dirty);
		return true;
	}
}

static Status translate(void *ctx, u64 pc, u64 context, u32 max_insns, Arena *arena, Translation *out)
{
	const World *w = ctx;
	Gen g = {.func = ir_func_create(arena, IR_FUNC_BLOCK)};
	u64 start = pc;
	bool goes_on = true;
	u32 n = 0;

	assert_non_null(g.func);
	*out = (Translation){.breakpoint = w->gap && pc % 16 == 0, .plain_spaces = 6}; /* devices stand in space 0 */
	while (goes_on && n < max_insns && !out->dirty && !(n && w->gap && pc % 16 == 0)) {
		g.rng.state = space_cell(&w->spaces[0], pc) * 0x1234567 + context * 77 + pc;
		ir_insn(g.func, pc, 1, n++);
		goes_on = gen_insn(&g, pc, &out->dirty);
		pc = (pc + 1) & (CODE - 1);
	}
	if (goes_on)
		ir_goto(g.func, ir_const(g.func, 8, pc), IR_FLOW_NEXT);
	out->func = g.func;
	out->insns = n;
	out->code_cells = n;
	assert_int_equal((start + n) & (CODE - 1), pc);
	return STATUS_OK;
}

static IrFunc *gen_handler(Arena *arena, u64 seed)
{
	Gen g = {.rng = {seed}, .func = ir_func_create(arena, IR_FUNC_HANDLER), .handler = true};
	bool dirty;

	keep(&g, ir_arg(g.func, 0, 16));
	keep(&g, ir_arg(g.func, 1, 64));
	for (int i = 0; i < 3; i++) {
		gen_ops(&g, (unsigned)below(&g, 4));
		gen_puts(&g, &dirty);
		if (below(&g, 3) == 0)
			gen_diamond(&g);
	}
	switch (below(&g, 6)) {
	case 0: ir_goto(g.func, pick(&g, 8), IR_FLOW_JUMP); break;
	case 1: ir_raise(g.func, pick(&g, 8)); break;
	case 2: ir_ret(g.func, IR_NONE); break;
	default: ir_ret(g.func, pick(&g, 16)); break;
	}
	return g.func;
}

/* ---- The plain evaluator ---- */

typedef enum Plain { PLAIN_NEXT, PLAIN_EXIT, PLAIN_STOP, PLAIN_RET, PLAIN_JUMPED } Plain;

static AccessResult env_read(void *ctx, Vcpu *vcpu, unsigned space, u64 address, unsigned width, u64 *value);
static AccessResult env_write(void *ctx, Vcpu *vcpu, unsigned space, u64 address, unsigned width, u64 value);
static AccessResult env_host(void *ctx, Vcpu *vcpu, unsigned host, const u64 *args, unsigned count, u64 *result);

static u64 value_of(const IrFunc *func, const u64 *values, IrRef ref)
{
	u64 c;

	return ref == IR_NONE ? 0 : ir_is_const(func, ref, &c) ? c : values[ref];
}

static void code_changed(World *w, u64 address, u64 count)
{
	if (w->engine)
		w->ops->invalidate(w->engine, &w->vcpu, address & (CODE - 1), count);
}

static AccessResult access_cells(World *w, unsigned space, u64 address, unsigned width, u64 *value, bool write)
{
	Space *s = &w->spaces[space];
	unsigned count = width / s->cell_bits;
	u64 whole = 0, cell;

	for (unsigned i = 0; i < count; i++)
		if (!space_peek(s, address + i, &cell)) {
			w->vcpu.exit = (VcpuExit){.kind = EXIT_FAULT, .space = (u16)space, .write = write,
						  .value = (address + i) & s->wrap_mask};
			return ACCESS_EXIT;
		}
	for (unsigned i = 0; i < count; i++) {
		unsigned shift = s->cell_bits * (s->big ? count - 1 - i : i);

		space_peek(s, address + i, &cell);
		whole |= cell << shift;
		if (write)
			space_poke(s, address + i, *value >> shift);
	}
	if (!write)
		*value = whole;
	else if (space == 0)
		code_changed(w, address, count);
	return ACCESS_OK;
}

static Plain plain_run(World *w, const IrFunc *func, const u64 *args, u64 *result)
{
	u64 *values = calloc(func->ins_count + 1, sizeof(u64)), moved[8], pc = 0, v;
	u32 i = 0;
	Plain outcome = PLAIN_EXIT;

	for (;;) {
		const IrIns *ins = &func->ins[i];
		bool raw = ins->aux & IR_RAW;
		u64 a, b, c;

		switch (ins->op) {
		case IR_OP_ARG: values[i++] = bits_trunc(args[ins->aux], ins->width); continue;
		case IR_OP_PARAM: i++; continue;
		case IR_OP_GET: /* a block's pc is known, whatever a device's handler jumped to */
			values[i] = !ins->aux && func->kind == IR_FUNC_BLOCK ? pc : w->vcpu.slots[ins->aux];
			i++;
			continue;
		case IR_OP_PUT: w->vcpu.slots[ins->aux] = value_of(func, values, ins->a); i++; continue;
		case IR_OP_INSN: ir_is_const(func, ins->a, &pc); i++; continue;
		case IR_OP_LOAD: case IR_OP_STORE: {
			bool store = ins->op == IR_OP_STORE;
			u64 at = value_of(func, values, ins->a);
			AccessResult r;

			v = store ? value_of(func, values, ins->b) : 0;
			r = raw	    ? access_cells(w, ins->aux & ~IR_RAW, at, ins->width, &v, store)
			    : store ? env_write(w, &w->vcpu, ins->aux, at, ins->width, v)
				    : env_read(w, &w->vcpu, ins->aux, at, ins->width, &v);
			if (r != ACCESS_OK)
				goto out;
			values[i++] = v;
			continue;
		}
		case IR_OP_FENCE: i++; continue;
		case IR_OP_RMW: case IR_OP_CAS: {
			u64 at = value_of(func, values, ins->a), x = value_of(func, values, ins->b);
			unsigned space = ir_atomic_space(ins);
			AccessResult r = raw ? access_cells(w, space, at, ins->width, &v, false)
					     : env_read(w, &w->vcpu, space, at, ins->width, &v);

			if (r != ACCESS_OK)
				goto out;
			a = ins->op == IR_OP_RMW ? ir_rmw_value(ir_atomic_kind(ins), ins->width, v, x)
						 : v == x ? value_of(func, values, ins->c) : v;
			r = raw ? access_cells(w, space, at, ins->width, &a, true)
				: env_write(w, &w->vcpu, space, at, ins->width, a);
			if (r != ACCESS_OK)
				goto out;
			values[i++] = v;
			continue;
		}
		case IR_OP_HOST: {
			u64 list[3];

			for (u32 k = 0; k < ins->c; k++)
				list[k] = value_of(func, values, func->pool[ins->b + k]);
			if (env_host(w, &w->vcpu, ins->aux, list, ins->c, &v) != ACCESS_OK)
				goto out;
			values[i++] = ins->width ? bits_trunc(v, ins->width) : 0;
			continue;
		}
		case IR_OP_JMP:
			for (u32 k = 0; k < ins->c; k++)
				moved[k] = value_of(func, values, func->pool[ins->b + k]);
			for (u32 k = 0; k < ins->c; k++)
				values[func->blocks[ins->a].start + k] = moved[k];
			i = func->blocks[ins->a].start;
			continue;
		case IR_OP_BR:
			i = func->blocks[value_of(func, values, ins->a) ? ins->b : ins->c].start;
			continue;
		case IR_OP_GOTO:
			w->vcpu.slots[0] = value_of(func, values, ins->a);
			outcome = func->kind == IR_FUNC_HANDLER ? PLAIN_JUMPED : PLAIN_NEXT;
			goto out;
		case IR_OP_RAISE:
			w->vcpu.exit = (VcpuExit){.kind = EXIT_RAISE, .value = value_of(func, values, ins->a)};
			goto out;
		case IR_OP_ILLEGAL:
			w->vcpu.exit = (VcpuExit){.kind = EXIT_ILLEGAL};
			goto out;
		case IR_OP_STOP:
			w->vcpu.exit = (VcpuExit){.kind = EXIT_STOP, .value = value_of(func, values, ins->a)};
			w->vcpu.slots[0] = (pc + 1) & (CODE - 1);
			outcome = PLAIN_STOP;
			goto out;
		case IR_OP_RET:
			*result = value_of(func, values, ins->a);
			outcome = PLAIN_RET;
			goto out;
		default:
			a = value_of(func, values, ins->a);
			b = ir_op_info[ins->op].shape == IR_SHAPE_UN || ir_op_info[ins->op].shape == IR_SHAPE_CONV ||
					    ir_float_operands((IrOp)ins->op) == 1
				    ? 0
				    : value_of(func, values, ins->b);
			c = ins->op == IR_OP_SEL || ins->op == IR_OP_FMA ? value_of(func, values, ins->c) : 0;
			if (ir_float_operands((IrOp)ins->op) && (ins->aux & IR_FLOAT_ROUND) < HOST_ROUNDS) {
				values[i++] = host_float((IrOp)ins->op, ins->width, ir_width(func, ins->a), ins->aux, a, b, c);
				continue;
			}
			values[i++] = ir_eval((IrOp)ins->op, ins->width, ir_width(func, ins->a), ins->aux, a, b, c);
		}
	}
out:
	free(values);
	return outcome;
}

/* One instruction of the evaluator's world. True when it retired without any reason to stop behind it. */
static bool plain_step(World *w, ExitKind *kind)
{
	Arena arena;
	Translation t;
	Plain outcome;
	u64 pc = w->vcpu.slots[0], result;
	Buf why;

	arena_init(&arena);
	buf_init(&why);
	assert_int_equal(translate(w, pc, w->vcpu.slots[CTX], 1, &arena, &t), STATUS_OK);
	if (!ir_verify(t.func, &why))
		fail_msg("%s", buf_text(&why));
	outcome = plain_run(w, t.func, NULL, &result);
	arena_fini(&arena);
	buf_fini(&why);
	if (outcome == PLAIN_EXIT) {
		w->vcpu.slots[0] = pc;
		w->vcpu.pending.kind = EXIT_BUDGET;
		*kind = w->vcpu.exit.kind;
		return false;
	}
	w->vcpu.icount++;
	*kind = outcome == PLAIN_STOP ? EXIT_STOP : EXIT_BUDGET;
	if (outcome == PLAIN_STOP) {
		w->vcpu.pending.kind = EXIT_BUDGET;
	} else if (w->vcpu.pending.kind != EXIT_BUDGET) {
		w->vcpu.exit = w->vcpu.pending;
		w->vcpu.pending.kind = EXIT_BUDGET;
		*kind = w->vcpu.exit.kind;
	} else if (w->vcpu.event_pending) {
		*kind = EXIT_EVENT;
		w->vcpu.event_pending = false;
	}
	return *kind == EXIT_BUDGET;
}

/* ---- Devices and host, the same for both worlds ---- */

static AccessResult run_handler(World *w, unsigned index, u64 address, u64 value, u64 *result)
{
	u64 args[2] = {address & 0xFFFF, value};
	bool jumped;
	Plain outcome;

	*result = 0;
	if (w->engine)
		return w->ops->eval(w->engine, &w->vcpu, w->handlers[index], args, result, &jumped);
	outcome = plain_run(w, w->handlers[index], args, result);
	return outcome == PLAIN_EXIT ? ACCESS_EXIT : ACCESS_OK;
}

/* What touching a device cell does. */
static AccessResult device(World *w, u64 cell, bool write, u64 *value)
{
	Vcpu *vcpu = &w->vcpu;

	w->device_count++;
	switch (cell & 15) {
	case 0: vcpu->slots[4] = w->device_count & 0xFFFF; break;
	case 1:
		if (w->device_count % 3 == 0) {
			vcpu->exit = (VcpuExit){.kind = EXIT_WAIT};
			return ACCESS_EXIT;
		}
		break;
	case 2: vcpu->event_pending = true; break;
	case 3:
		vcpu->slots[CTX] = (vcpu->slots[CTX] + 1) & 3;
		vcpu->event_pending = true;
		break;
	case 4: vcpu->pending = (VcpuExit){.kind = EXIT_STOP, .value = 77}; break;
	case 5:
		if (vcpu->pending.kind == EXIT_BUDGET)
			vcpu->pending = (VcpuExit){.kind = EXIT_WATCH, .value = cell, .write = write};
		break;
	case 6: { /* a device that writes memory */
		u64 at = w->device_count * 7 & 0x7F;

		space_poke(&w->spaces[0], at, w->device_count);
		code_changed(w, at, 1);
		break;
	}
	case 7: case 8: case 9: case 10: {
		u64 given = write ? *value : 0;

		return run_handler(w, (cell & 15) - 7, cell, given, value);
	}
	case 11: /* the instruction count must be exact here */
		vcpu->slots[5] = (vcpu->icount + vcpu->slots[0] * 256) & 0xFFFF;
		break;
	default: break;
	}
	*value = (w->device_count * 0x9E37 ^ vcpu->slots[0]) & 0xFFFF;
	return ACCESS_OK;
}

static AccessResult env_access(World *w, unsigned space, u64 address, unsigned width, u64 *value, bool write)
{
	unsigned count = width / 16;
	u64 whole = 0;

	if (space)
		return access_cells(w, space, address, width, value, write);
	for (unsigned i = 0; i < count; i++) {
		u64 at = (address + i) & (CODE - 1), cell = *value >> (16 * i) & 0xFFFF;
		AccessResult r = at >= DEVICES ? device(w, at, write, &cell) : access_cells(w, 0, at, 16, &cell, write);

		if (r != ACCESS_OK)
			return r;
		whole |= (cell & 0xFFFF) << (16 * i);
	}
	if (!write)
		*value = whole;
	return ACCESS_OK;
}

static AccessResult env_read(void *ctx, Vcpu *vcpu, unsigned space, u64 address, unsigned width, u64 *value)
{
	(void)vcpu;
	*value = 0;
	return env_access(ctx, space, address, width, value, false);
}

static AccessResult env_write(void *ctx, Vcpu *vcpu, unsigned space, u64 address, unsigned width, u64 value)
{
	(void)vcpu;
	return env_access(ctx, space, address, width, &value, true);
}

static AccessResult env_host(void *ctx, Vcpu *vcpu, unsigned host, const u64 *args, unsigned count, u64 *result)
{
	World *w = ctx;
	u64 sum = host;

	for (unsigned i = 0; i < count; i++)
		sum = sum * 31 + args[i];
	w->device_count += sum & 7;
	*result = sum + vcpu->icount * 3 + vcpu->slots[0];
	if (host == 3 && w->device_count % 5 == 0) {
		vcpu->exit = (VcpuExit){.kind = EXIT_DENIED, .value = host};
		return ACCESS_EXIT;
	}
	if (host == 2) {
		vcpu->slots[3] = sum & 0xFFFF;
		vcpu->event_pending = sum & 1;
	}
	return ACCESS_OK;
}

static u64 env_context(void *ctx, const Vcpu *vcpu)
{
	(void)ctx;
	return vcpu->slots[CTX];
}

/* ---- The comparison ---- */

static void make_world(World *w, u64 seed, IrFunc **handlers)
{
	Rng rng = {seed};

	memset(w, 0, sizeof *w);
	assert_int_equal(space_init(&w->spaces[0], "code", 16, CODE, CODE, true, false), STATUS_OK);
	assert_int_equal(space_init(&w->spaces[1], "bytes", 8, BYTES, BYTES, false, seed & 1), STATUS_OK);
	assert_int_equal(space_init(&w->spaces[2], "words", 12, WORDS, WORDS, true, seed & 2), STATUS_OK);
	for (u64 i = 0; i < CODE; i++)
		space_poke(&w->spaces[0], i, rng_next(&rng));
	for (u64 i = DEVICES; i < CODE; i++)
		w->spaces[0].attr[i] = ATTR_IO_READ | ATTR_IO_WRITE;
	for (u64 i = 0; i < BYTES; i++)
		space_poke(&w->spaces[1], i, rng_next(&rng));
	w->vcpu = (Vcpu){.slots = w->file, .slot_count = SLOTS, .spaces = w->spaces, .space_count = 3};
	for (unsigned i = 2; i < SLOTS; i++)
		w->file[i] = bits_trunc(rng_next(&rng), slot_width[i]);
	w->file[0] = rng_below(&rng, DEVICES);
	w->handlers = handlers;
	w->gap = seed % 5 == 0;
}

static void free_world(World *w)
{
	for (int i = 0; i < 3; i++)
		space_fini(&w->spaces[i]);
}

static void compare(const World *x, const World *y, u64 seed)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (x->file[i] != y->file[i])
			fail_msg("seed %llu, icount %llu: slot %u is %llx, must be %llx", (unsigned long long)seed,
				 (unsigned long long)x->vcpu.icount, i, (unsigned long long)x->file[i],
				 (unsigned long long)y->file[i]);
	assert_int_equal(x->vcpu.icount, y->vcpu.icount);
	assert_int_equal(x->device_count, y->device_count);
	for (int i = 0; i < 3; i++)
		if (memcmp(x->spaces[i].base, y->spaces[i].base, x->spaces[i].cells << x->spaces[i].cell_shift))
			fail_msg("seed %llu, icount %llu: space %d differs", (unsigned long long)seed,
				 (unsigned long long)x->vcpu.icount, i);
}

/* Raw accesses of the cold engine's. */
static void env_code_changed(void *ctx, Vcpu *vcpu, u64 address, u64 count)
{
	World *w = ctx;

	w->ops->invalidate(w->engine, vcpu, address, count);
}

static void run_both(const EngineOps *ops, u64 seed, u64 total, u64 longest)
{
	static World engine, plain;
	EngineEnv env = {.ctx = &engine, .translate = translate, .context = env_context, .read = env_read,
			 .write = env_write, .host = env_host, .code_space = 0, .cold = &interp_engine};
	IrFunc *handlers[HANDLERS];
	Arena arena;
	Rng rng = {seed ^ 0xABCD};

	arena_init(&arena);
	for (unsigned i = 0; i < HANDLERS; i++)
		handlers[i] = gen_handler(&arena, seed * 100 + i);
	make_world(&engine, seed, handlers);
	make_world(&plain, seed, handlers);
	if (ops != &interp_engine)
		env.code_changed = env_code_changed;
	engine.ops = ops;
	engine.engine = ops->create(&env);
	assert_non_null(engine.engine);
	if (ops == &jit_engine && seed % 2)
		engine.engine->hot = 2;
	for (u64 turns = 0; engine.vcpu.icount < total && turns < total; turns++) {
		u64 budget = 1 + rng_below(&rng, longest), start = engine.vcpu.icount;
		ExitKind kind = ops->run(engine.engine, &engine.vcpu, budget), expected = EXIT_BUDGET;

		assert_int_equal(kind, engine.vcpu.exit.kind);
		assert_true(engine.vcpu.icount - start <= budget);
		if (kind == EXIT_BUDGET)
			assert_int_equal(engine.vcpu.icount - start, budget);
		while (plain.vcpu.icount < engine.vcpu.icount) {
			if (!plain_step(&plain, &expected) && plain.vcpu.icount < engine.vcpu.icount)
				fail_msg("seed %llu: exit %d missed at %llu", (unsigned long long)seed, expected,
					 (unsigned long long)plain.vcpu.icount);
		}
		switch (kind) {
		case EXIT_BUDGET: case EXIT_BREAK: assert_int_equal(expected, EXIT_BUDGET); break;
		case EXIT_EVENT: /* also after writes of the context, which the evaluator need not report */
			assert_true(expected == EXIT_BUDGET || expected == EXIT_EVENT);
			break;
		case EXIT_STOP: case EXIT_WATCH: break;
		default: /* an instruction that did not retire */
			assert_int_equal(expected, EXIT_BUDGET);
			assert_false(plain_step(&plain, &expected));
		}
		if (kind == EXIT_BREAK)
			assert_int_equal(engine.file[0] % 16, 0);
		if (kind != EXIT_BUDGET && kind != EXIT_BREAK && kind != EXIT_EVENT) {
			assert_int_equal(kind, expected);
			assert_int_equal(engine.vcpu.exit.value, plain.vcpu.exit.value);
			assert_int_equal(engine.vcpu.exit.write, plain.vcpu.exit.write);
		}
		compare(&engine, &plain, seed);
		engine.vcpu.event_pending = plain.vcpu.event_pending = false;
		engine.vcpu.skip_break = kind == EXIT_BREAK;
		if (kind != EXIT_BUDGET && kind != EXIT_BREAK && kind != EXIT_EVENT && kind != EXIT_WAIT)
			engine.file[0] = plain.file[0] = rng_below(&rng, CODE); /* elsewhere, or it ends here */
	}
	ops->destroy(engine.engine);
	free_world(&engine);
	free_world(&plain);
	arena_fini(&arena);
}

static void runs(const EngineOps *ops)
{
#ifdef __SANITIZE_ADDRESS__
	const u64 step = 3; /* it takes ten times as long */
#else
	const u64 step = 1;
#endif

	for (u64 seed = 1; seed <= 700; seed += step)
		run_both(ops, seed, 400, 200);
	for (u64 seed = 5001; seed <= 5300; seed += step)
		run_both(ops, seed, 200, 5);
	run_both(ops, 10729, 600, 300); /* flags of a float added to 48 bits */
}

static void interpreted(void **state)
{
	(void)state;
	runs(&interp_engine);
}

static void compiled(void **state)
{
	(void)state;
	if (jit_is_possible())
		runs(&jit_engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interpreted),
		cmocka_unit_test(compiled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
