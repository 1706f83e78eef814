/* SPDX-License-Identifier: MIT
 *
 * Small regions made by hand or at random for the tests of passes, and what they do: a plain evaluator that knows no snapshots.
 *
 * A random region is a chain of pieces, each a run of operations, a diamond or a loop that ends after a few rounds. Its operations
 * take what dominates them. At the end every slot has been PUT.
 */
#ifndef TESTS_SSA_TOY_H
#define TESTS_SSA_TOY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/bits.h"
#include "base/rng.h"
#include "jit/ssa.h"

/* Of all slots the first TOY_SLOTS become values; the others stay at home. */
enum { TOY_SLOTS = 8, TOY_ALL = TOY_SLOTS + 3, TOY_VALUES = 400, TOY_STEPS = 100000, TOY_TRAIL = 2000, TOY_GUARD = (1 << 20) - 16 };

static const u8 toy_widths[TOY_ALL] = {64, 64, 32, 64, 16, 64, 8, 64, 64, 32, 64};

typedef struct Toy {
	Arena arena;
	SsaFunc *func;
	Rng rng;
	u32 block;
	SsaRef values[TOY_VALUES]; /* that dominate what comes next */
	u32 count;
	SsaRef state[TOY_ALL];
	u64 pc;
	bool floats, memory, homes, reads_homes, crowded; /* homes: some stay there, or are only read; crowded: mostly the same few cells, and stores */
} Toy;

static inline void toy_begin(Toy *toy)
{
	memset(toy, 0, sizeof(*toy));
	arena_init(&toy->arena);
	toy->func = ssa_create(&toy->arena, TOY_ALL, toy_widths);
	toy->func->pc_width = 64;
	toy->block = ssa_block(toy->func, 0x1000);
	toy->func->blocks[0].entry = true;
	toy->pc = 0x1000;
}

static inline void toy_end(Toy *toy)
{
	arena_fini(&toy->arena);
}

static inline SsaRef toy_node(Toy *toy, unsigned op, unsigned width, unsigned aux, SsaRef a, SsaRef b, SsaRef c, u64 imm)
{
	SsaRef ref = ssa_node(toy->func, op, width, aux, a, b, c, imm);

	ssa_append(toy->func, toy->block, ref);
	return ref;
}
static inline SsaRef toy_home(Toy *toy, unsigned slot)
{
	return toy_node(toy, SSA_HOME, toy_widths[slot], slot, 0, 0, 0, 0);
}
static inline SsaRef toy_bin(Toy *toy, unsigned op, SsaRef a, SsaRef b)
{
	unsigned width = toy->func->nodes[a].width;

	if (op == IR_OP_CONCAT)
		width += toy->func->nodes[b].width;
	else if (ir_op_info[op].shape == IR_SHAPE_CMP || ir_op_info[op].shape == IR_SHAPE_FCMP)
		width = 1;
	return toy_node(toy, op, width, 0, a, b, 0, 0);
}
static inline SsaRef toy_const(Toy *toy, unsigned width, u64 value)
{
	return ssa_const(toy->func, width, value);
}
static inline void toy_put(Toy *toy, unsigned slot, SsaRef value)
{
	toy_node(toy, SSA_PUT, toy_widths[slot], slot, value, 0, 0, 0);
	toy->state[slot] = value;
}
static inline void toy_insn(Toy *toy)
{
	toy_node(toy, SSA_INSN, 0, 4, 0, 0, 0, toy->pc);
	toy->pc += 4;
}
/* A new block whose state is that of where we are; toy->block stays. */
static inline u32 toy_block(Toy *toy)
{
	u32 block = ssa_block(toy->func, toy->pc);

	memcpy(toy->func->blocks[block].state, toy->state, sizeof(toy->state));
	return block;
}
static inline void toy_jump(Toy *toy, u32 to)
{
	toy_node(toy, SSA_JUMP, 0, 0, 0, 0, 0, 0);
	ssa_edge(toy->func, toy->block, to);
}
static inline void toy_branch(Toy *toy, SsaRef cond, u32 yes, u32 no)
{
	toy_node(toy, SSA_BRANCH, 0, 0, cond, 0, 0, 0);
	ssa_edge(toy->func, toy->block, yes);
	ssa_edge(toy->func, toy->block, no);
}
static inline void toy_leave(Toy *toy)
{
	toy_node(toy, SSA_LEAVE, 0, SSA_LEAVE_LINK, 0, 0, 0, toy->pc);
}

static inline void toy_verify(const Toy *toy)
{
	Buf why;

	buf_init(&why);
	if (!ssa_verify(toy->func, &why)) {
		Buf text;

		buf_init(&text);
		ssa_print(toy->func, NULL, NULL, &text);
		fprintf(stderr, "%s%s", buf_text(&text), buf_text(&why));
		buf_fini(&text);
		fail_msg("invariants");
	}
	buf_fini(&why);
}

/* Runs passes and compares what is left, in their numbering. */
static inline void toy_expect(Toy *toy, void (*const *passes)(SsaFunc *), u32 count, const char *expected)
{
	Buf text;

	ssa_order(toy->func);
	toy_verify(toy);
	for (u32 i = 0; i < count; i++) {
		passes[i](toy->func);
		toy_verify(toy);
	}
	buf_init(&text);
	ssa_print(toy->func, NULL, NULL, &text);
	if (strcmp(buf_text(&text), expected))
		fail_msg("got:\n%swanted:\n%s", buf_text(&text), expected);
	buf_fini(&text);
}

/* ---- What it does ---- */

typedef struct ToyRun {
	u64 slots[TOY_ALL];
	u8 memory[256];
	u64 insns;
	u64 exits;
	bool left; /* at a LEAVE; else by a GUARD or a fault */
	u64 pc;
	bool host; /* arithmetic gives other NaNs, as a host does */
	u64 done;  /* instructions, when it is left: pc is the one it goes on with */
	u64 fuels; /* at so many FUELs from here it leaves; 0: at none */
	u64 pcs[TOY_TRAIL + 1], states[TOY_TRAIL + 1]; /* at the start of each: hash of slots and memory */
} ToyRun;

static inline bool toy_is_nan(unsigned width, u64 value)
{
	return bits_trunc(value, width - 1u) > (width == 64 ? 0x7FF0000000000000 : 0x7F800000);
}

static inline u64 toy_canon(unsigned width, u64 value)
{
	return toy_is_nan(width, value) ? width == 64 ? 0x7FF8000000000000 : 0x7FC00000 : value;
}

static inline u64 toy_value(const SsaFunc *func, const u64 *values, SsaRef ref)
{
	ref = ssa_value(func, ref);
	return func->nodes[ref].op == SSA_CONST ? func->nodes[ref].imm : values[ref];
}

/* What is there as instruction number `done` begins, or would. */
static inline void toy_note(ToyRun *run, u64 done, const u64 *now)
{
	u64 hash = 0, cell;

	for (unsigned i = 0; i < sizeof run->memory && done <= TOY_TRAIL; i += sizeof cell) {
		memcpy(&cell, run->memory + i, sizeof cell);
		hash = (hash ^ cell) * 0x9E3779B97F4A7C15u;
		hash ^= hash >> 29;
	}
	for (unsigned s = 0; s < TOY_ALL; s++)
		hash = (hash ^ now[s]) * 0x9E3779B97F4A7C15u;
	if (done <= TOY_TRAIL) {
		run->pcs[done] = run->pc;
		run->states[done] = hash;
	}
}

static inline bool toy_step(const SsaFunc *func, u64 *values, ToyRun *run, SsaRef ref, u64 *now)
{
	const SsaNode *node = &func->nodes[ref];
	u64 a = toy_value(func, values, node->a), b = toy_value(func, values, node->b), c = toy_value(func, values, node->c);
	u64 at = a + node->imm;
	unsigned bytes;

	switch (node->op) {
	case SSA_HOME: values[ref] = run->slots[node->aux]; return true;
	case SSA_FETCH: values[ref] = now[node->aux]; return true;
	case SSA_PUT: case SSA_BRING: now[node->aux] = run->host && ssa_is_odd(func, node->a) ? toy_canon(node->width, a) : a; return true;
	case SSA_CANON: values[ref] = toy_canon(node->width, a); return true;
	case SSA_INSN:
		run->pc = node->imm;
		toy_note(run, run->insns, now);
		run->insns++;
		return true;
	case SSA_GUARD: return a;
	case SSA_CHECK: return a < sizeof run->memory;
	case SSA_LOAD: case SSA_STORE:
		bytes = node->width / 8u;
		if (func->hard_spaces && at >= sizeof run->memory + TOY_GUARD && at < 0 - (u64)TOY_GUARD)
			fail_msg("%%%u: an access to 0x%llx reaches host memory", ref, (unsigned long long)at);
		if (at >= sizeof run->memory || at + bytes > sizeof run->memory) {
			if (node->c)
				fail_msg("%%%u is not sure: 0x%llx", ref, (unsigned long long)at);
			return false;
		}
		if (node->op == SSA_STORE) {
			memcpy(run->memory + at, &b, bytes);
			return true;
		}
		values[ref] = 0;
		memcpy(&values[ref], run->memory + at, bytes);
		return true;
	case SSA_FUEL: return !run->fuels || --run->fuels;
	case SSA_FENCE: case SSA_REFUND: case SSA_PHI: return true;
	default:
		values[ref] = ir_eval((IrOp)node->op, node->width, func->nodes[ssa_value(func, node->a)].width,
				      node->aux & ~(node->op >= IR_OP_FADD ? (unsigned)SSA_FLOAT_RAISES : 0u), a, b, c);
		if (values[ref] & ~bits_mask(node->width))
			fail_msg("%%%u has bits above its width", ref);
		if (run->host && ((node->op >= IR_OP_FADD && node->op <= IR_OP_FDIV) || node->op == IR_OP_FSQRT ||
				  node->op == IR_OP_FMA || node->op == IR_OP_FTOF) && toy_is_nan(node->width, values[ref]))
			values[ref] ^= (u64)1 << (node->width - 1) | (ref & 0xFFF);
		return true;
	}
}

/* From block 0, until it leaves. */
static inline void toy_run(const SsaFunc *func, ToyRun *run)
{
	u64 *values = calloc(func->node_count, sizeof(u64)), *args = calloc(func->node_count, sizeof(u64));
	u64 now[TOY_ALL], steps = 0;
	u32 block = 0;
	bool on = true;

	memcpy(now, run->slots, sizeof(now));
	while (on) {
		const SsaBlock *here = &func->blocks[block];
		const SsaNode *end = &func->nodes[here->last];
		u32 to, count = 0, pred = 0;

		SsaRef at = here->first;

		while (at != here->last && (on = toy_step(func, values, run, at, now)))
			at = func->nodes[at].next;
		if (!on || end->op == SSA_LEAVE || ++steps > TOY_STEPS) {
			run->left = on && end->op == SSA_LEAVE;
			run->done = run->insns - 1;
			if (run->left)
				run->pc = end->imm;
			if (run->left || here->ahead) {
				run->done++;
				run->pc = here->ahead ? here->pc : run->pc;
			} else if (func->nodes[at].op == SSA_FUEL) { /* between two instructions */
				run->done++;
				run->pc = ssa_pc_behind(func, at);
			}
			toy_note(run, run->done, now);
			break;
		}
		to = here->succ[end->op == SSA_BRANCH && !toy_value(func, values, end->a)];
		while (func->blocks[to].preds[pred] != block)
			pred++;
		for (SsaRef ref = func->blocks[to].first; func->nodes[ref].op == SSA_PHI; ref = func->nodes[ref].next)
			args[count++] = toy_value(func, values, func->pool[func->nodes[ref].a + pred]);
		count = 0;
		for (SsaRef ref = func->blocks[to].first; func->nodes[ref].op == SSA_PHI; ref = func->nodes[ref].next)
			values[ref] = args[count++];
		block = to;
	}
	memcpy(run->slots, now, sizeof(now));
	free(values);
	free(args);
}

/* ---- Random ones ---- */

static inline u64 toy_number(Toy *toy, unsigned width)
{
	static const u64 edges[] = {0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF,
		0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, ~(u64)0, ~(u64)1, 0xFFFFFFFF80000000,
		0x7FF0000000000000, 0x7FF8000000000000, 0x7FF8000000000001, 0x3FF0000000000000};
	u64 value = rng_below(&toy->rng, 3) ? edges[rng_below(&toy->rng, COUNT_OF(edges))] : rng_next(&toy->rng);

	return bits_trunc(rng_below(&toy->rng, 4) ? value : 0 - value, width);
}

static inline void toy_keep(Toy *toy, SsaRef ref)
{
	if (toy->count < TOY_VALUES)
		toy->values[toy->count++] = ref;
}

/* Something of that width. */
static inline SsaRef toy_pick(Toy *toy, unsigned width)
{
	SsaRef ref;
	unsigned have;

	if (rng_below(&toy->rng, 5) == 0)
		return toy_const(toy, width, toy_number(toy, width));
	for (unsigned i = 0; i < 6; i++) {
		ref = toy->values[toy->count - 1 - rng_below(&toy->rng, toy->count < 12 || i > 3 ? toy->count : 12)];
		if (toy->func->nodes[ref].width == width)
			return ref;
	}
	ref = toy->values[rng_below(&toy->rng, toy->count)];
	have = toy->func->nodes[ref].width;
	if (have == width)
		return ref;
	if (have > width)
		return toy_node(toy, IR_OP_EXTRACT, width, rng_below(&toy->rng, 2) ? 0 : (unsigned)rng_below(&toy->rng, have - width + 1u),
				ref, 0, 0, 0);
	return toy_node(toy, rng_below(&toy->rng, 2) ? IR_OP_ZX : IR_OP_SX, width, 0, ref, 0, 0, 0);
}

static inline SsaRef toy_pointer(Toy *toy)
{
	SsaRef ref = toy_pick(toy, 64);

	switch (rng_below(&toy->rng, 6)) {
	case 4: /* a table */
		ref = toy_node(toy, IR_OP_ZX, 64, 0, toy_pick(toy, rng_below(&toy->rng, 2) ? 8 : 16), 0, 0, 0);
		ref = toy_bin(toy, IR_OP_SHL, ref, toy_const(toy, 8, rng_below(&toy->rng, 4)));
		return toy_bin(toy, IR_OP_ADD, toy->values[rng_below(&toy->rng, 2)], ref);
	case 5: return toy_const(toy, 64, rng_below(&toy->rng, rng_below(&toy->rng, 2) ? 300 : 3 << 20));
	case 0: return toy_bin(toy, IR_OP_AND, ref, toy_const(toy, 64, 0xFF));
	case 1: return toy_bin(toy, IR_OP_ADD, toy->values[rng_below(&toy->rng, 2)], toy_const(toy, 64, rng_below(&toy->rng, 64)));
	case 2: return toy->values[rng_below(&toy->rng, 2)];
	default: return toy_bin(toy, IR_OP_ADD, toy->values[rng_below(&toy->rng, 2)], toy_const(toy, 64, 0 - rng_below(&toy->rng, 64)));
	}
}

/* An access near a pointer: the only one of its instruction. */
static inline void toy_access(Toy *toy, SsaRef at)
{
	static const u8 widths[] = {64, 32, 16, 8};
	bool crowded = toy->crowded && rng_below(&toy->rng, 8);
	unsigned width = widths[crowded && rng_below(&toy->rng, 4) ? 0 : rng_below(&toy->rng, COUNT_OF(widths))];
	SsaRef base = crowded ? toy->values[0] : at;
	u64 add = crowded ? rng_below(&toy->rng, 3) * 8 : rng_below(&toy->rng, 32) - 8;
	SsaRef address = rng_below(&toy->rng, 2) ? base : toy_bin(toy, IR_OP_ADD, base, toy_const(toy, 64, add));
	SsaRef value = toy_pick(toy, width);

	toy_node(toy, SSA_CHECK, 0, 0, address, 0, 0, 0);
	if (rng_below(&toy->rng, 3) && (!crowded || !rng_below(&toy->rng, 3)))
		toy_keep(toy, toy_node(toy, SSA_LOAD, width, 0, address, 0, 0, 0));
	else
		toy_node(toy, SSA_STORE, width, 0, address, value, 0, 0);
}

static inline unsigned toy_width(Toy *toy)
{
	static const u8 widths[] = {64, 64, 64, 32, 32, 16, 8, 1, 5, 33};

	return widths[rng_below(&toy->rng, COUNT_OF(widths))];
}

static inline void toy_operation(Toy *toy)
{
	static const u8 bins[] = {IR_OP_ADD, IR_OP_ADD, IR_OP_ADD, IR_OP_SUB, IR_OP_SUB, IR_OP_MUL, IR_OP_MULHS, IR_OP_MULHU,
		IR_OP_MULHSU, IR_OP_DIVS, IR_OP_DIVU, IR_OP_REMS, IR_OP_REMU, IR_OP_AND, IR_OP_AND, IR_OP_OR, IR_OP_XOR, IR_OP_XOR};
	static const u8 shifts[] = {IR_OP_SHL, IR_OP_SHL, IR_OP_SHR, IR_OP_SHR, IR_OP_SAR, IR_OP_ROL, IR_OP_ROR};
	static const u8 compares[] = {IR_OP_EQ, IR_OP_NE, IR_OP_LTS, IR_OP_LES, IR_OP_LTU, IR_OP_LEU};
	static const u8 fbins[] = {IR_OP_FADD, IR_OP_FSUB, IR_OP_FMUL, IR_OP_FDIV, IR_OP_FMIN, IR_OP_FMAX};
	unsigned width = toy_width(toy), other;
	SsaRef a, b, ref;

	switch (rng_below(&toy->rng, toy->floats ? 12 : 10)) {
	case 0: case 1: case 2:
		a = toy_pick(toy, width);
		b = toy_pick(toy, width);
		ref = toy_bin(toy, bins[rng_below(&toy->rng, COUNT_OF(bins))], a, b);
		break;
	case 3: case 4:
		a = toy_pick(toy, width);
		b = rng_below(&toy->rng, 3) ? toy_const(toy, 8, rng_below(&toy->rng, 70)) : toy_pick(toy, 5);
		ref = toy_node(toy, shifts[rng_below(&toy->rng, COUNT_OF(shifts))], width, 0, a, b, 0, 0);
		break;
	case 5:
		a = toy_pick(toy, width);
		ref = toy_bin(toy, compares[rng_below(&toy->rng, COUNT_OF(compares))], a, toy_pick(toy, width));
		break;
	case 6:
		a = toy_pick(toy, 1);
		b = toy_pick(toy, width);
		ref = toy_node(toy, IR_OP_SEL, width, 0, a, b, toy_pick(toy, width), 0);
		break;
	case 7:
		a = toy_pick(toy, width);
		other = toy->func->nodes[a].width;
		ref = other < 64 ? toy_node(toy, rng_below(&toy->rng, 2) ? IR_OP_SX : IR_OP_ZX, rng_below(&toy->rng, 2) ? 64 : other + 1,
					    0, a, 0, 0, 0)
			: toy_node(toy, rng_below(&toy->rng, 2) ? IR_OP_CLZ : IR_OP_POPC, 64, 0, a, 0, 0, 0);
		break;
	case 8:
		a = toy_pick(toy, 64);
		other = (unsigned)rng_below(&toy->rng, 2) ? 32 : 1 + (unsigned)rng_below(&toy->rng, 63);
		ref = toy_node(toy, IR_OP_EXTRACT, other, rng_below(&toy->rng, 2) ? 0 : 64 - other, a, 0, 0, 0);
		break;
	case 9:
		a = toy_pick(toy, 32);
		ref = toy_bin(toy, IR_OP_CONCAT, rng_below(&toy->rng, 2) ? toy_pick(toy, rng_below(&toy->rng, 2) ? 32 : 1)
			      : toy_const(toy, 32, 0xFFFFFFFF), a);
		break;
	case 10:
		width = rng_below(&toy->rng, 3) ? 64 : 32;
		a = toy_pick(toy, width);
		ref = toy_bin(toy, fbins[rng_below(&toy->rng, COUNT_OF(fbins))], a, toy_pick(toy, width));
		break;
	default:
		a = toy_pick(toy, 64);
		ref = rng_below(&toy->rng, 2) ? toy_bin(toy, IR_OP_FLT, a, toy_pick(toy, 64))
			: toy_node(toy, IR_OP_FTOF, 32, 0, a, 0, 0, 0);
	}
	toy_keep(toy, ref);
}

static inline void toy_operations(Toy *toy)
{
	for (u64 n = 1 + rng_below(&toy->rng, 12); n-- > 0;) {
		toy_insn(toy);
		for (u64 k = 1 + rng_below(&toy->rng, 3); k-- > 0;)
			toy_operation(toy);
		if (toy->memory && rng_below(&toy->rng, 2))
			toy_access(toy, toy_pointer(toy));
		if (rng_below(&toy->rng, 2)) {
			unsigned slot = (unsigned)rng_below(&toy->rng, TOY_SLOTS);

			toy_put(toy, slot, toy_pick(toy, toy_widths[slot]));
		}
		if (toy->homes && rng_below(&toy->rng, 2)) {
			unsigned slot = TOY_SLOTS + (unsigned)rng_below(&toy->rng, TOY_ALL - TOY_SLOTS);

			if (toy->reads_homes || rng_below(&toy->rng, 2))
				toy_keep(toy, toy_node(toy, SSA_FETCH, toy_widths[slot], slot, 0, 0, 0, 0));
			else
				toy_node(toy, SSA_BRING, toy_widths[slot], slot, toy_pick(toy, toy_widths[slot]), 0, 0, 0);
		}
	}
}

static inline SsaRef toy_now(Toy *toy, unsigned slot)
{
	return toy->state[slot] ? toy->state[slot] : toy_home(toy, slot);
}

/* PHIs of what two ways brought, and some of other values. */
static inline void toy_meet(Toy *toy, u32 join, const SsaRef *first, const SsaRef *second)
{
	SsaFunc *func = toy->func;

	toy->block = join;
	for (unsigned slot = 0; slot < TOY_SLOTS; slot++) {
		SsaRef phi;

		toy->state[slot] = first[slot];
		if (first[slot] == second[slot])
			continue;
		phi = ssa_phi(func, join, toy_widths[slot], slot);
		func->pool[func->nodes[phi].a] = first[slot];
		func->pool[func->nodes[phi].a + 1] = second[slot];
		toy->state[slot] = phi;
		toy_keep(toy, phi);
	}
	memcpy(func->blocks[join].state, toy->state, sizeof(toy->state));
}

static inline void toy_diamond(Toy *toy, unsigned depth);
static inline void toy_loop(Toy *toy, unsigned depth);

static inline void toy_pieces(Toy *toy, unsigned depth)
{
	for (u64 n = 1 + rng_below(&toy->rng, 3); n-- > 0;) {
		toy_operations(toy);
		if (depth && rng_below(&toy->rng, 2))
			toy_diamond(toy, depth - 1);
		else if (depth && rng_below(&toy->rng, 2))
			toy_loop(toy, depth - 1);
	}
}

static inline void toy_diamond(Toy *toy, unsigned depth)
{
	SsaRef states[2][TOY_SLOTS], before[TOY_SLOTS];
	u32 count, arms[2], join;
	SsaRef cond = toy_pick(toy, 1);

	for (unsigned slot = 0; slot < TOY_SLOTS; slot++) /* so that each has a value to meet */
		if (!toy->state[slot])
			toy_put(toy, slot, toy_home(toy, slot));
	arms[0] = toy_block(toy);
	arms[1] = toy_block(toy);
	join = toy_block(toy);
	toy_branch(toy, cond, arms[0], arms[1]);
	count = toy->count;
	memcpy(before, toy->state, sizeof(before));
	for (unsigned i = 0; i < 2; i++) {
		toy->block = arms[i];
		memcpy(toy->state, before, sizeof(before));
		if (rng_below(&toy->rng, 4))
			toy_pieces(toy, depth);
		memcpy(states[i], toy->state, sizeof(before));
		toy_jump(toy, join);
		toy->count = count;
	}
	toy_meet(toy, join, states[0], states[1]);
}

/* Not in each round. */
static inline void toy_rare_access(Toy *toy, SsaRef p)
{
	SsaRef cond = rng_below(&toy->rng, 2) ? toy_pick(toy, 1) : toy_bin(toy, IR_OP_LTU, toy_const(toy, 64, 2 << 20), p);
	u32 arm = toy_block(toy), other = toy_block(toy), join = toy_block(toy), count = toy->count;

	toy_branch(toy, cond, arm, other);
	toy->block = arm;
	toy_insn(toy);
	toy_access(toy, p);
	toy_jump(toy, join);
	toy->block = other;
	toy_jump(toy, join);
	toy->block = join;
	toy->count = count;
}

/* do { ... } while (--n), with a PHI for each slot. */
static inline void toy_loop(Toy *toy, unsigned depth)
{
	SsaFunc *func = toy->func;
	SsaRef before[TOY_SLOTS], phis[TOY_SLOTS], counter, less;
	u32 header, latch, behind, count;

	for (unsigned slot = 0; slot < TOY_SLOTS; slot++)
		before[slot] = toy_now(toy, slot);
	header = toy_block(toy);
	toy_jump(toy, header);
	func->blocks[header].pred_count = 2; /* room for the way back */
	counter = ssa_phi(func, header, 64, SSA_NO_SLOT);
	for (unsigned slot = 0; slot < TOY_SLOTS; slot++) {
		phis[slot] = ssa_phi(func, header, toy_widths[slot], slot);
		func->pool[func->nodes[phis[slot]].a] = before[slot];
		toy->state[slot] = phis[slot];
	}
	func->blocks[header].pred_count = 1;
	func->pool[func->nodes[counter].a] = toy_const(toy, 64, 1 + rng_below(&toy->rng, rng_below(&toy->rng, 4) ? 4 : 40));
	memcpy(func->blocks[header].state, phis, sizeof(phis));
	toy->block = header;
	count = toy->count;
	toy_keep(toy, counter);
	for (unsigned slot = 0; slot < TOY_SLOTS; slot++)
		toy_keep(toy, phis[slot]);
	if (toy->memory && rng_below(&toy->rng, 4)) { /* along an array */
		u64 step = rng_below(&toy->rng, 3) ? 1 + rng_below(&toy->rng, 40) : rng_below(&toy->rng, 600000);
		unsigned slot = rng_below(&toy->rng, 2) ? 0 : 1;
		SsaRef p = phis[slot];

		toy_insn(toy);
		if (rng_below(&toy->rng, 3) == 0)
			p = toy_bin(toy, IR_OP_ADD, toy->values[0], toy_bin(toy, IR_OP_SHL, p, toy_const(toy, 8, rng_below(&toy->rng, 4))));
		if (rng_below(&toy->rng, 3))
			toy_access(toy, p);
		else
			toy_rare_access(toy, p);
		toy_insn(toy);
		toy_put(toy, slot, toy_bin(toy, IR_OP_ADD, phis[slot], toy_const(toy, 64, rng_below(&toy->rng, 3) ? step : 0 - step)));
	}
	if (rng_below(&toy->rng, 2)) { /* numbers of 32 bits */
		static const u8 slots[] = {3, 5, 7};
		unsigned slot = slots[rng_below(&toy->rng, 3)];
		SsaRef low = toy_node(toy, IR_OP_EXTRACT, 32, 0, phis[slot], 0, 0, 0);

		toy_insn(toy);
		low = toy_bin(toy, IR_OP_ADD, low, toy_pick(toy, 32));
		low = rng_below(&toy->rng, 3) == 0 ? toy_bin(toy, IR_OP_CONCAT, toy_const(toy, 32, 0xFFFFFFFF), low)
			: toy_node(toy, rng_below(&toy->rng, 3) ? IR_OP_SX : IR_OP_ZX, 64, 0, low, 0, 0, 0);
		toy_put(toy, slot, low);
		toy_keep(toy, low);
	}
	toy_pieces(toy, depth);
	less = toy_bin(toy, IR_OP_SUB, counter, toy_const(toy, 64, 1));
	latch = toy_block(toy);
	behind = toy_block(toy);
	toy_branch(toy, toy_bin(toy, IR_OP_NE, less, toy_const(toy, 64, 0)), latch, behind);
	toy->block = latch;
	toy_jump(toy, header);
	func->pool[func->nodes[counter].a + 1] = less;
	for (unsigned slot = 0; slot < TOY_SLOTS; slot++)
		func->pool[func->nodes[phis[slot]].a + 1] = toy->state[slot];
	toy->block = behind;
	toy->count = count; /* the header dominates it, but let others see less */
	for (unsigned slot = 0; slot < TOY_SLOTS; slot++)
		toy_keep(toy, toy->state[slot]);
}

static const SsaSpace toy_spaces[] = {{.cell_bits = 8, .address_bits = 64}};

static inline void toy_random(Toy *toy, u64 seed, bool floats, bool memory)
{
	toy_begin(toy);
	toy->rng.state = seed;
	toy->floats = floats;
	toy->memory = memory;
	toy->crowded = memory && seed % 3 == 1;
	toy->homes = seed % 5 < 2;
	toy->reads_homes = seed % 5 == 1;
	toy->func->hard_spaces = memory && !(toy->crowded && seed % 2);
	toy->func->stored_spaces = memory;
	toy->func->spaces = toy_spaces;
	toy->func->space_count = COUNT_OF(toy_spaces);
	for (unsigned slot = 0; slot < TOY_SLOTS; slot++)
		toy_keep(toy, toy_home(toy, slot));
	toy_pieces(toy, 3);
	toy_leave(toy);
	ssa_order(toy->func);
}

/* Some starts, the same for a seed. */
static inline void toy_start(ToyRun *run, u64 seed)
{
	Toy toy = {.rng.state = seed};

	memset(run, 0, sizeof(*run));
	for (unsigned slot = 0; slot < TOY_ALL; slot++)
		run->slots[slot] = toy_number(&toy, toy_widths[slot]);
	for (unsigned slot = 0; slot < 2; slot++) /* pointers, mostly good */
		if (rng_below(&toy.rng, 6))
			run->slots[slot] = rng_below(&toy.rng, rng_below(&toy.rng, 4) ? 100 : 300);
	for (u32 i = 0; i < sizeof run->memory; i++)
		run->memory[i] = (u8)rng_next(&toy.rng);
}

static inline bool toy_same(const ToyRun *a, const ToyRun *b)
{
	return !memcmp(a->slots, b->slots, sizeof a->slots) && !memcmp(a->memory, b->memory, sizeof a->memory) &&
	       a->insns == b->insns && a->left == b->left && a->pc == b->pc;
}

/* Did `b` leave on the way of `a`, in its state there? Both may leave where they like, as long as others can go on. */
static inline bool toy_leaves_on_way(const ToyRun *a, const ToyRun *b)
{
	return b->done <= a->done && (b->done > TOY_TRAIL || (a->pcs[b->done] == b->pc && a->states[b->done] == b->states[b->done]));
}

#endif
