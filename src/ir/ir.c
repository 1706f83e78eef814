/* SPDX-License-Identifier: MIT
 *
 * The tables and arrays of an IrFunc: op table, constants, instructions. No knowledge of what the ops mean.
 *
 * Constants are interned, so equal constants have equal refs and comparing refs compares values. The index is an
 * open-addressing table of const number + 1 (0 = free), at most half full.
 */
#include "ir/ir_private.h"

#include <assert.h>
#include <string.h>

#include "base/bits.h"

const IrOpInfo ir_op_info[IR_OP_COUNT] = {
#define PURE IR_EFFECT_PURE
#define READ IR_EFFECT_READ
#define WRITE IR_EFFECT_WRITE
#define REG IR_EFFECT_REG
#define EXIT IR_EFFECT_EXIT
#define END IR_EFFECT_END
#define X(name, shape, effects, text) [IR_OP_##name] = {#name, IR_SHAPE_##shape, effects},
#include "ir/ir_ops.def"
#undef X
};

enum {
	MAX_ITEMS = 1 << 24,   /* instructions, pool entries, constants: far above what any description makes */
	FIRST_INS = 48,
	SHARE_WINDOW = 64,     /* how far back ir_share looks: keeps building linear */
};

IrFunc *ir_func_create(Arena *arena, IrFuncKind kind)
{
	IrFunc *func = ARENA_NEW(arena, IrFunc);

	if (!func)
		return NULL;
	func->arena = arena;
	func->kind = kind;
	func->current = IR_NONE;
	/* Room for a short block at once, instead of by doubling. */
	func->ins = arena_room(arena, FIRST_INS * sizeof(IrIns));
	func->ins_cap = func->ins ? FIRST_INS : 0;
	ir_block_create(func);
	if (func->failed)
		return NULL;
	ir_block_begin(func, 0);
	return func;
}

u32 ir_block_create(IrFunc *func)
{
	if (func->block_count >= MAX_ITEMS || !arena_grow(func->arena, (void **)&func->blocks, &func->block_cap,
							   func->block_count, sizeof(IrBlock))) {
		func->failed = true;
		return 0;
	}
	func->blocks[func->block_count] = (IrBlock){0};
	return func->block_count++;
}

/* Is `block` an arm of the BR that was emitted last? Such a block has one predecessor, so what that one computed
 * may be shared. */
static bool follows_branch(const IrFunc *func, u32 block)
{
	const IrIns *last;

	if (!func->ins_count)
		return false;
	last = &func->ins[func->ins_count - 1];
	return last->op == IR_OP_BR && (last->b == block || last->c == block);
}

void ir_block_begin(IrFunc *func, u32 block)
{
	if (func->failed)
		return;
	assert(func->current == IR_NONE && block < func->block_count && !func->blocks[block].begun);
	if (!follows_branch(func, block))
		func->cse_floor = func->ins_count;
	func->blocks[block].start = func->blocks[block].end = func->ins_count;
	func->blocks[block].begun = true;
	func->current = block;
}

bool ir_block_ended(const IrFunc *func)
{
	return func->current == IR_NONE;
}

/* Room for one more. Apart, so that ir_emit itself is short: it is called five times an instruction. */
static __attribute__((noinline)) bool grow_ins(IrFunc *func)
{
	if (func->failed || func->ins_count >= MAX_ITEMS ||
	    !arena_grow(func->arena, (void **)&func->ins, &func->ins_cap, func->ins_count, sizeof(IrIns)))
		func->failed = true;
	return !func->failed;
}

IrRef ir_emit(IrFunc *func, IrOp op, unsigned width, unsigned aux, u32 a, u32 b, u32 c)
{
	IrRef ref = func->ins_count;

	if ((func->failed || ref >= func->ins_cap) && !grow_ins(func))
		return IR_NONE;
	assert(func->current != IR_NONE && aux <= 0xFFFF && width <= 64);
	func->ins[ref] = (IrIns){.op = (u8)op, .width = (u8)width, .aux = (u16)aux, .a = a, .b = b, .c = c};
	func->blocks[func->current].end = ++func->ins_count;
	if (ir_op_info[op].effects & IR_EFFECT_END)
		func->current = IR_NONE;
	return ref;
}

/* May the GET be taken over from before this instruction? Not across anything that can change the slot, and not
 * across the start of a guest instruction: there the interpreter reads the slot anyway, for nothing. */
static bool ends_get(const IrIns *ins, unsigned slot)
{
	switch (ins->op) {
	case IR_OP_PUT: return ins->aux == slot;
	case IR_OP_HOST: case IR_OP_INSN: return true;
	case IR_OP_LOAD: case IR_OP_STORE: case IR_OP_RMW: case IR_OP_CAS: return !(ins->aux & IR_RAW);
	default: return false;
	}
}

IrRef ir_share(IrFunc *func, IrOp op, unsigned width, unsigned aux, u32 a, u32 b, u32 c)
{
	u32 floor = func->cse_floor, i = func->ins_count;

	if (func->failed)
		return IR_NONE;
	if (i > SHARE_WINDOW && floor < i - SHARE_WINDOW)
		floor = i - SHARE_WINDOW;
	while (i > floor) {
		const IrIns *ins = &func->ins[--i];

		if (ins->op == op && ins->width == width && ins->aux == aux && ins->a == a && ins->b == b &&
		    ins->c == c)
			return i;
		if (op == IR_OP_GET && ends_get(ins, aux))
			break;
	}
	return ir_emit(func, op, width, aux, a, b, c);
}

static u32 const_hash(u64 value, unsigned width)
{
	return (u32)(((value ^ width) * 0x9E3779B97F4A7C15u) >> 32);
}

static bool grow_const_index(IrFunc *func)
{
	u32 cap = func->const_index_cap ? func->const_index_cap * 2 : 64; /* most blocks have fewer than 32 */
	u32 *index = ARENA_ARRAY(func->arena, u32, cap);

	if (!index)
		return false;
	for (u32 i = 0; i < func->const_count; i++) {
		u32 at = const_hash(func->consts[i].value, func->consts[i].width) & (cap - 1);

		while (index[at])
			at = (at + 1) & (cap - 1);
		index[at] = i + 1;
	}
	func->const_index = index;
	func->const_index_cap = cap;
	return true;
}

/* Room for one more, in both. */
static __attribute__((noinline)) bool grow_consts(IrFunc *func)
{
	if (func->failed || func->const_count >= MAX_ITEMS ||
	    !arena_grow(func->arena, (void **)&func->consts, &func->const_cap, func->const_count, sizeof(IrConst)) ||
	    (func->const_count >= func->const_index_cap / 2 && !grow_const_index(func)))
		func->failed = true;
	return !func->failed;
}

IrRef ir_const(IrFunc *func, unsigned width, u64 value)
{
	u32 at, mask, number;

	assert(width >= 1 && width <= 64);
	if ((func->failed || func->const_count >= func->const_cap || func->const_count >= func->const_index_cap / 2) &&
	    !grow_consts(func))
		return IR_NONE;
	value &= ~(u64)0 >> (64 - width);
	mask = func->const_index_cap - 1;
	for (at = const_hash(value, width) & mask; (number = func->const_index[at]) != 0; at = (at + 1) & mask)
		if (func->consts[number - 1].value == value && func->consts[number - 1].width == width)
			return IR_CONST_BIT | (number - 1);
	number = func->const_count++;
	func->consts[number] = (IrConst){.value = value, .width = (u8)width};
	func->const_index[at] = number + 1;
	return IR_CONST_BIT | number;
}

static void *copy(Arena *arena, const void *from, size_t bytes)
{
	void *to = arena_room(arena, bytes ? bytes : 1);

	if (to && bytes)
		memcpy(to, from, bytes);
	return to;
}

IrFunc *ir_copy(const IrFunc *from, Arena *arena)
{
	IrFunc *func = copy(arena, from, sizeof *from);

	if (!func)
		return NULL;
	func->arena = arena;
	func->ins = copy(arena, from->ins, from->ins_count * sizeof(IrIns));
	func->consts = copy(arena, from->consts, from->const_count * sizeof(IrConst));
	func->blocks = copy(arena, from->blocks, from->block_count * sizeof(IrBlock));
	func->pool = copy(arena, from->pool, from->pool_count * sizeof(IrRef));
	func->const_index = NULL;
	func->ins_cap = func->ins_count;
	func->const_cap = func->const_count;
	func->block_cap = func->block_count;
	func->pool_cap = func->pool_count;
	func->const_index_cap = 0;
	return func->ins && func->consts && func->blocks && func->pool ? func : NULL;
}
