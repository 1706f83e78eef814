/* SPDX-License-Identifier: MIT
 *
 * Nodes, lists and edges of a region (ssa.h). Node 0 is nothing: it has no operation, so a reference of 0 is none.
 */
#include <string.h>

#include "jit/ssa_wide.h"

#define SHAPE_LEAF 0
#define SHAPE_UN0 0
#define SHAPE_BIN 2
#define SHAPE_SHIFT 2
#define SHAPE_UN 1
#define SHAPE_CONV 1
#define SHAPE_CAT 2
#define SHAPE_CMP 2
#define SHAPE_SEL 3
#define SHAPE_LOAD 0
#define SHAPE_STORE 0
#define SHAPE_HOST 0
#define SHAPE_MARK 0
#define SHAPE_RMW 0
#define SHAPE_CAS 0
#define SHAPE_FENCE 0
#define SHAPE_JMP 0
#define SHAPE_BR 0
#define SHAPE_NONE 0
#define SHAPE_RET 0
#define SHAPE_FUN (1 | FLOAT)
#define SHAPE_FBIN (2 | FLOAT)
#define SHAPE_FTRI (3 | FLOAT)
#define SHAPE_FCMP (2 | FLOAT)
#define SHAPE_FOFI (1 | FLOAT)
#define SHAPE_FTOI (1 | FLOAT)
#define SHAPE_FTOF (1 | FLOAT)
#define SHAPE_FCLASS (1 | FLOAT)
enum { FLOAT = 4 };

/* Nothing else is asked as often. */
const SsaOpInfo ssa_op_info[SSA_OP_COUNT] = {
#define X(op, shape, effects, text) [IR_OP_##op] = { #op, SSA_PURE | (SHAPE_##shape & FLOAT ? SSA_MAY_RAISE : 0), SHAPE_##shape & 3 },
#include "ir/ir_ops.def"
#undef X
#define INFO(op, name, effects, operands) [SSA_##op] = { name, effects, operands }
	INFO(CONST, "const", SSA_PURE, 0),
	INFO(COPY, "copy", SSA_PURE, 1),
	INFO(PHI, "phi", SSA_PURE, SSA_OPERANDS_VARY),
	INFO(HOME, "home", SSA_PURE, 0),
	INFO(CANON, "canon", SSA_PURE, 1),
	INFO(PUT, "put", SSA_KEEP, 1),
	INFO(INSN, "insn", SSA_KEEP, 0),
	INFO(CHECK, "check", SSA_EXIT | SSA_KEEP, 1),
	INFO(LOAD, "load", SSA_READ | SSA_EXIT | SSA_KEEP | SSA_MAY_BE_SURE, 1),
	INFO(STORE, "store", SSA_WRITE | SSA_EXIT | SSA_KEEP | SSA_MAY_BE_SURE, 2),
	INFO(RMW, "rmw", SSA_READ | SSA_WRITE | SSA_EXIT | SSA_KEEP, 2),
	INFO(CAS, "cas", SSA_READ | SSA_WRITE | SSA_EXIT | SSA_KEEP, 3),
	INFO(GUARD, "guard", SSA_EXIT | SSA_KEEP, 1),
	INFO(FUEL, "fuel", SSA_EXIT | SSA_KEEP, 0),
	INFO(REFUND, "refund", SSA_KEEP, 0),
	INFO(FENCE, "fence", SSA_READ | SSA_WRITE | SSA_KEEP, 0),
	INFO(FLAGS, "flags", SSA_KEEP, 0),
	INFO(SET_FLAGS, "set_flags", SSA_KEEP, 1),
	INFO(FETCH, "fetch", 0, 0),
	INFO(BRING, "bring", SSA_KEEP, 1),
	INFO(WIDE, "wide", SSA_READ | SSA_WRITE | SSA_KEEP, SSA_OPERANDS_VARY),
	INFO(LANE, "lane", 0, 1),
	INFO(JUMP, "jump", SSA_END | SSA_KEEP, 0),
	INFO(BRANCH, "branch", SSA_END | SSA_KEEP, 1),
	INFO(LEAVE, "leave", SSA_END | SSA_KEEP, SSA_OPERANDS_VARY),
#undef INFO
};

/* ---- Room ---- */

/* Doubles an array of the arena; what it was stays unused. */
static void *grown(SsaFunc *func, const void *old, u32 count, u32 *cap, size_t size)
{
	u32 more = *cap > 32 ? *cap * 2 : 64;
	void *array = arena_room(func->arena, more * size);

	if (!array) {
		func->failed = true;
		return NULL;
	}
	if (count)
		memcpy(array, old, count * size);
	*cap = more;
	return array;
}

SsaFunc *ssa_create(Arena *arena, u32 slot_count, const u8 *slot_width)
{
	SsaFunc *func = ARENA_NEW(arena, SsaFunc);

	if (!func || slot_count > SSA_SLOTS_MOST)
		return NULL;
	*func = (SsaFunc){.arena = arena, .slot_count = slot_count, .slot_width = slot_width, .node_count = 1, .node_cap = 1};
	func->nodes = ARENA_NEW(arena, SsaNode);
	if (!func->nodes)
		return NULL;
	func->elsewhere = ARENA_ROOM(arena, u32, slot_count + 1);
	if (!func->elsewhere)
		return NULL;
	for (u32 slot = 0; slot < slot_count; slot++)
		func->elsewhere[func->elsewhere_count++] = slot;
	return func;
}

void ssa_reserve(SsaFunc *func, u32 nodes, u32 blocks)
{
	SsaNode *more = nodes > func->node_cap && nodes <= SSA_NODES_MOST ? ARENA_ROOM(func->arena, SsaNode, nodes) : NULL;
	SsaBlock *rooms = blocks > func->block_cap && blocks <= SSA_BLOCKS_MOST ? ARENA_ROOM(func->arena, SsaBlock, blocks) : NULL;

	if (more) {
		memcpy(more, func->nodes, func->node_count * sizeof(SsaNode));
		func->nodes = more;
		func->node_cap = nodes;
	}
	if (rooms && !func->block_count) {
		func->blocks = rooms;
		func->block_cap = blocks;
	}
}

static __attribute__((noinline)) bool more_nodes(SsaFunc *func)
{
	SsaNode *nodes = func->node_count >= SSA_NODES_MOST ? NULL
		: grown(func, func->nodes, func->node_count, &func->node_cap, sizeof(SsaNode));

	if (!nodes) {
		func->failed = true;
		return false;
	}
	func->nodes = nodes;
	return true;
}

/* Room for one more, noted as made; false: failed. */
static inline bool begin_node(SsaFunc *func, unsigned op)
{
	if (func->failed || (func->node_count == func->node_cap && !more_nodes(func)))
		return false;
	func->floats |= (ssa_op_info[op].effects & SSA_MAY_RAISE) != 0;
	func->made[op / 64] |= (u64)1 << op % 64;
	return true;
}

SsaRef ssa_node(SsaFunc *func, unsigned op, unsigned width, unsigned aux, SsaRef a, SsaRef b, SsaRef c, u64 imm)
{
	if (!begin_node(func, op))
		return 0;
	func->nodes[func->node_count] = (SsaNode){.op = (u8)op, .width = (u8)width, .aux = (u16)aux, .a = a, .b = b, .c = c,
		.imm = imm, .block = SSA_NO_BLOCK};
	return func->node_count++;
}

SsaRef ssa_emit(SsaFunc *func, u32 block, const SsaNode *what)
{
	SsaBlock *at = &func->blocks[block];
	SsaNode *node;
	SsaRef ref;

	if (!begin_node(func, what->op))
		return 0;
	ref = func->node_count++;
	node = &func->nodes[ref];
	*node = *what;
	node->block = block;
	node->prev = at->last;
	if (at->last)
		func->nodes[at->last].next = ref;
	else
		at->first = ref;
	at->last = ref;
	at->insns += what->op == SSA_INSN;
	func->touches = NULL;
	return ref;
}

static u32 const_hash(const SsaFunc *func, unsigned width, u64 value)
{
	return (u32)((value * 0x9E3779B97F4A7C15u ^ width * 0xC2B2AE3D27D4EB4Fu) >> 40) & (func->const_cap - 1);
}

static bool more_consts(SsaFunc *func)
{
	u32 cap = func->const_cap ? func->const_cap * 2 : 128, old_cap = func->const_cap;
	u32 *table = arena_alloc(func->arena, cap * sizeof(u32)), *old = func->consts;

	if (!table) {
		func->failed = true;
		return false;
	}
	func->const_cap = cap;
	func->consts = table;
	for (u32 i = 0; i < old_cap; i++) {
		const SsaNode *node = &func->nodes[old[i]];
		u32 at = const_hash(func, node->width, node->imm);

		if (!old[i])
			continue;
		while (table[at])
			at = (at + 1) & (cap - 1);
		table[at] = old[i];
	}
	return true;
}

SsaRef ssa_const(SsaFunc *func, unsigned width, u64 value)
{
	u32 at;

	value = width < 64 ? value & (((u64)1 << width) - 1) : value;
	if (func->failed || (func->const_count * 2 >= func->const_cap && !more_consts(func)))
		return 0;
	for (at = const_hash(func, width, value); func->consts[at]; at = (at + 1) & (func->const_cap - 1)) {
		const SsaNode *node = &func->nodes[func->consts[at]];

		if (node->imm == value && node->width == width)
			return func->consts[at];
	}
	func->consts[at] = ssa_node(func, SSA_CONST, width, 0, 0, 0, 0, value);
	func->const_count++;
	return func->consts[at];
}

/* ---- Lists ---- */

/* Between two neighbours, of which either may be 0. */
static void put_between(SsaFunc *func, u32 block, SsaRef before, SsaRef ref, SsaRef behind)
{
	SsaNode *node = &func->nodes[ref];

	func->blocks[block].insns += node->op == SSA_INSN;
	if (ssa_is_touch(node->op))
		func->touches = NULL;
	node->block = block;
	node->prev = before;
	node->next = behind;
	if (before)
		func->nodes[before].next = ref;
	else
		func->blocks[block].first = ref;
	if (behind)
		func->nodes[behind].prev = ref;
	else
		func->blocks[block].last = ref;
}

void ssa_append(SsaFunc *func, u32 block, SsaRef ref)
{
	if (!func->failed)
		put_between(func, block, func->blocks[block].last, ref, 0);
}

void ssa_insert_before(SsaFunc *func, SsaRef at, SsaRef ref)
{
	if (!func->failed)
		put_between(func, func->nodes[at].block, func->nodes[at].prev, ref, at);
}

void ssa_insert_after_phis(SsaFunc *func, u32 block, SsaRef ref)
{
	SsaRef at = func->blocks[block].first;

	if (func->failed)
		return;
	while (at && func->nodes[at].op == SSA_PHI)
		at = func->nodes[at].next;
	put_between(func, block, at ? func->nodes[at].prev : func->blocks[block].last, ref, at);
}

void ssa_insert_after_head(SsaFunc *func, u32 block, SsaRef ref)
{
	SsaRef at = func->blocks[block].first;

	if (func->failed)
		return;
	while (at && ssa_effects(&func->nodes[at]) & SSA_PURE)
		at = func->nodes[at].next;
	put_between(func, block, at ? func->nodes[at].prev : func->blocks[block].last, ref, at);
}

void ssa_remove(SsaFunc *func, SsaRef ref)
{
	SsaNode *node = &func->nodes[ref];
	SsaBlock *block;

	if (func->failed || node->block == SSA_NO_BLOCK)
		return;
	block = &func->blocks[node->block];
	block->insns -= node->op == SSA_INSN;
	if (node->prev)
		func->nodes[node->prev].next = node->next;
	else
		block->first = node->next;
	if (node->next)
		func->nodes[node->next].prev = node->prev;
	else
		block->last = node->prev;
	node->prev = node->next = 0;
	node->block = SSA_NO_BLOCK;
}

void ssa_replace(SsaFunc *func, SsaRef ref, SsaRef by)
{
	if (func->failed || ssa_value(func, by) == ref)
		return;
	ssa_remove(func, ref);
	func->nodes[ref].op = SSA_COPY;
	func->nodes[ref].a = by;
}

/* ---- Blocks ---- */

u32 ssa_block(SsaFunc *func, u64 pc)
{
	SsaBlock *block;

	if (func->failed)
		return 0;
	if (func->block_count == func->block_cap) {
		SsaBlock *blocks = func->block_count >= SSA_BLOCKS_MOST ? NULL
			: grown(func, func->blocks, func->block_count, &func->block_cap, sizeof(SsaBlock));

		if (!blocks) {
			func->failed = true;
			return 0;
		}
		func->blocks = blocks;
	}
	block = &func->blocks[func->block_count];
	*block = (SsaBlock){.pc = pc, .idom = SSA_NO_BLOCK, .loop = SSA_NO_BLOCK, .outer = SSA_NO_BLOCK,
		.before = SSA_NO_BLOCK};
	block->state = ARENA_ARRAY(func->arena, SsaRef, func->slot_count ? func->slot_count : 1);
	if (!block->state) {
		func->failed = true;
		return 0;
	}
	func->touches = NULL;
	func->tree = NULL;
	return func->block_count++;
}

void ssa_edge(SsaFunc *func, u32 from, u32 to)
{
	SsaBlock *block;

	if (func->failed)
		return;
	block = &func->blocks[to];
	if (block->pred_count == block->pred_cap) {
		u32 cap = block->pred_cap ? block->pred_cap * 2 : 4;
		u32 *preds = ARENA_ROOM(func->arena, u32, cap);

		if (!preds) {
			func->failed = true;
			return;
		}
		if (block->pred_count)
			memcpy(preds, block->preds, block->pred_count * sizeof(u32));
		block->preds = preds;
		block->pred_cap = cap;
	}
	block->preds[block->pred_count++] = from;
	func->blocks[from].succ[func->blocks[from].succ_count++] = to;
}

/* In the pool, for so many. */
static void make_room(SsaFunc *func, u32 count)
{
	while (!func->failed && func->pool_count + count > func->pool_cap) {
		SsaRef *pool = grown(func, func->pool, func->pool_count, &func->pool_cap, sizeof(SsaRef));

		if (pool)
			func->pool = pool;
	}
}

bool ssa_may_make(const SsaFunc *func, SsaRef ref)
{
	const SsaNode *node = &func->nodes[ref];

	return node->op >= IR_OP_ADD && node->op <= IR_OP_SEL && node->a && !ssa_is_odd(func, ref);
}

SsaRef ssa_wide_node(SsaFunc *func, SsaWide *wide, const SsaRef *operands)
{
	SsaRef ref;

	make_room(func, wide->operand_count);
	if (func->failed || !arena_grow(func->arena, (void **)&func->wides, &func->wide_cap, func->wide_count, sizeof(SsaWide *))) {
		func->failed = true;
		return 0;
	}
	ref = ssa_node(func, SSA_WIDE, 64, wide->operand_count, func->pool_count, 0, 0, func->wide_count);
	func->wides[func->wide_count++] = wide;
	for (u32 i = 0; i < wide->operand_count; i++)
		func->pool[func->pool_count++] = operands[i];
	return ref;
}

SsaRef ssa_phi(SsaFunc *func, u32 block, unsigned width, unsigned slot)
{
	u32 count = func->blocks[block].pred_count;
	SsaRef ref;

	make_room(func, count);
	ref = ssa_node(func, SSA_PHI, width, slot, func->pool_count, 0, 0, 0);
	if (func->failed)
		return 0;
	memset(func->pool + func->pool_count, 0, count * sizeof(SsaRef));
	func->pool_count += count;
	put_between(func, block, 0, ref, func->blocks[block].first);
	return ref;
}
