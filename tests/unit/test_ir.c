/* SPDX-License-Identifier: MIT
 * ir: what each operation gives (against bit-by-bit arithmetic), that folding never changes a value, and what
 * some functions look like when they are folded and printed.
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
#include "ir/ir.h"

/* ---- ir_eval against arithmetic on single bits and repeated addition ---- */

typedef unsigned __int128 u128;
typedef __int128 i128;

static bool bit(u64 value, unsigned n)
{
	return value >> n & 1;
}

static i128 signed_of(u64 value, unsigned width)
{
	return bit(value, width - 1) ? (i128)value - ((i128)1 << width) : (i128)value;
}

static u64 low(i128 value, unsigned width)
{
	return (u64)((u128)value & (((u128)1 << width) - 1));
}

static u64 ref_divide(u64 a, u64 b, unsigned w, bool is_signed, bool rest)
{
	i128 x = is_signed ? signed_of(a, w) : (i128)a, y = is_signed ? signed_of(b, w) : (i128)b;

	if (b == 0)
		return rest ? a : low(-1, w);
	return low(rest ? x % y : x / y, w);
}

static u64 ref_shift(IrOp op, u64 a, u64 by, unsigned w)
{
	u64 result = 0;

	for (unsigned i = 0; i < w; i++) {
		bool b;

		switch (op) {
		case IR_OP_SHL: b = i >= by && bit(a, (unsigned)(i - by)); break;
		case IR_OP_SHR: b = by < w - i && bit(a, (unsigned)(i + by)); break;
		case IR_OP_SAR: b = by < w - i ? bit(a, (unsigned)(i + by)) : bit(a, w - 1); break;
		case IR_OP_ROL: b = bit(a, (unsigned)((i + w - by % w) % w)); break;
		default: b = bit(a, (unsigned)((i + by % w) % w)); break;
		}
		result |= (u64)b << i;
	}
	return result;
}

static u64 ref_count(IrOp op, u64 a, unsigned w)
{
	u64 n = 0;

	for (unsigned i = 0; i < w; i++) {
		if (op == IR_OP_POPC)
			n += bit(a, i);
		else if (bit(a, op == IR_OP_CLZ ? w - 1 - i : i))
			break;
		else
			n++;
	}
	return low(n, w);
}

static u64 ref_eval(IrOp op, unsigned w, unsigned aw, unsigned aux, u64 a, u64 b, u64 c)
{
	i128 sa = signed_of(a, aw), sb = signed_of(b & bits_mask(aw), aw);
	u64 result = 0;

	switch (op) {
	case IR_OP_ADD: return low((i128)a + b, w);
	case IR_OP_SUB: return low((i128)a - b, w);
	case IR_OP_MUL: return low((i128)((u128)a * b), w);
	case IR_OP_MULHS: return low((sa * sb) >> w, w);
	case IR_OP_MULHU: return low((i128)(((u128)a * b) >> w), w);
	case IR_OP_MULHSU: return low((sa * (i128)b) >> w, w);
	case IR_OP_DIVS: return ref_divide(a, b, w, true, false);
	case IR_OP_DIVU: return ref_divide(a, b, w, false, false);
	case IR_OP_REMS: return ref_divide(a, b, w, true, true);
	case IR_OP_REMU: return ref_divide(a, b, w, false, true);
	case IR_OP_AND: case IR_OP_OR: case IR_OP_XOR:
		for (unsigned i = 0; i < w; i++) {
			unsigned n = (unsigned)bit(a, i) + bit(b, i);

			result |= (u64)(op == IR_OP_AND ? n == 2 : op == IR_OP_OR ? n > 0 : n == 1) << i;
		}
		return result;
	case IR_OP_SHL: case IR_OP_SHR: case IR_OP_SAR: case IR_OP_ROL: case IR_OP_ROR: return ref_shift(op, a, b, w);
	case IR_OP_CLZ: case IR_OP_CTZ: case IR_OP_POPC: return ref_count(op, a, w);
	case IR_OP_BSWAP:
		for (unsigned i = 0; i < w; i += 8)
			result |= (a >> i & 0xFF) << (w - 8 - i);
		return result;
	case IR_OP_ZX: return a;
	case IR_OP_SX: return low(sa, w);
	case IR_OP_EXTRACT: return low((i128)(a >> aux), w);
	case IR_OP_CONCAT: return low((i128)((u128)a << (w - aw) | b), w);
	case IR_OP_EQ: return a == b;
	case IR_OP_NE: return a != b;
	case IR_OP_LTS: return sa < sb;
	case IR_OP_LES: return sa <= sb;
	case IR_OP_LTU: return a < b;
	case IR_OP_LEU: return a <= b;
	default: return a ? b : c;
	}
}

static u64 interesting(Rng *rng, unsigned width)
{
	u64 edge[] = {0, 1, 2, 3, ~(u64)0, (u64)1 << (width - 1), bits_mask(width) >> 1, width, width - 1u};

	return bits_trunc(rng_below(rng, 2) ? edge[rng_below(rng, COUNT_OF(edge))] : rng_next(rng), width);
}

static void eval(void **state)
{
	Rng rng = {1};

	(void)state;
	for (int round = 0; round < 400000; round++) {
		IrOp op = (IrOp)(IR_OP_ADD + rng_below(&rng, IR_OP_SEL - IR_OP_ADD + 1));
		unsigned w = 1 + (unsigned)rng_below(&rng, 64), aw = w, bw = w, aux = 0;
		u64 a, b, c, is, must;

		switch (ir_op_info[op].shape) {
		case IR_SHAPE_SHIFT: bw = 1 + (unsigned)rng_below(&rng, 64); break;
		case IR_SHAPE_CMP: w = 1; break;
		case IR_SHAPE_SEL: aw = 1; break;
		case IR_SHAPE_CAT:
			w = 2 + (unsigned)rng_below(&rng, 63);
			aw = 1 + (unsigned)rng_below(&rng, w - 1);
			bw = w - aw;
			break;
		case IR_SHAPE_CONV:
			if (op == IR_OP_EXTRACT) {
				aw = w + (unsigned)rng_below(&rng, 65 - w);
				aux = (unsigned)rng_below(&rng, aw - w + 1);
			} else {
				aw = 1 + (unsigned)rng_below(&rng, w);
			}
			break;
		default: break;
		}
		if (op == IR_OP_BSWAP)
			aw = w = (unsigned[]){16, 32, 64}[rng_below(&rng, 3)];
		a = interesting(&rng, aw);
		b = interesting(&rng, bw);
		c = interesting(&rng, w);
		is = ir_eval(op, w, aw, aux, a, b, c);
		must = ref_eval(op, w, aw, aux, a, b, c);
		if (is != must)
			fail_msg("%s of %llx, %llx, width %u, %u: %llx, must be %llx", ir_op_info[op].name,
				 (unsigned long long)a, (unsigned long long)b, w, aw, (unsigned long long)is,
				 (unsigned long long)must);
	}
}

/* ---- Folding keeps values: every built operation, on several inputs, against ir_eval of its operands ---- */

enum { INPUTS = 6, LEAVES = 5, NODES = 60 };

typedef struct Node {
	IrRef ref;
	unsigned width;
	u64 value[INPUTS];
} Node;

static u64 leaf_value(u64 seed, unsigned leaf, unsigned input, unsigned width)
{
	Rng rng = {seed * 1000 + leaf * 100 + input};

	rng_next(&rng);
	return interesting(&rng, width);
}

/* The value of a ref, by evaluating what was really built. GET slot n is leaf n. */
static u64 compute(const IrFunc *func, IrRef ref, u64 seed, unsigned input)
{
	const IrIns *ins;
	u64 a, b, c, value;
	unsigned shape;

	if (ir_is_const(func, ref, &value))
		return value;
	ins = &func->ins[ref];
	if (ins->op == IR_OP_GET)
		return leaf_value(seed, ins->aux, input, ins->width);
	shape = ir_op_info[ins->op].shape;
	a = compute(func, ins->a, seed, input);
	b = shape == IR_SHAPE_UN || shape == IR_SHAPE_CONV ? 0 : compute(func, ins->b, seed, input);
	c = shape == IR_SHAPE_SEL ? compute(func, ins->c, seed, input) : 0;
	return ir_eval((IrOp)ins->op, ins->width, ir_width(func, ins->a), ins->aux, a, b, c);
}

static Node *choose(Rng *rng, IrFunc *func, Node *nodes, unsigned *count, unsigned width)
{
	Node *node;

	for (int tries = 0; tries < 6; tries++) {
		node = &nodes[rng_below(rng, *count)];
		if (!width || node->width == width)
			return node;
	}
	node = &nodes[(*count)++];
	node->width = width;
	node->value[0] = interesting(rng, width);
	for (unsigned i = 1; i < INPUTS; i++)
		node->value[i] = node->value[0];
	node->ref = ir_const(func, width, node->value[0]);
	return node;
}

static void fold_one(u64 seed)
{
	static const u8 widths[LEAVES] = {1, 8, 16, 16, 64};
	Node nodes[LEAVES + 4 * NODES];
	unsigned count = 0;
	Rng rng = {seed};
	Arena arena;
	IrFunc *func;

	arena_init(&arena);
	func = ir_func_create(&arena, IR_FUNC_BLOCK);
	ir_insn(func, 0, 1, 0);
	for (unsigned leaf = 0; leaf < LEAVES; leaf++) {
		nodes[count] = (Node){.ref = ir_get(func, leaf, widths[leaf]), .width = widths[leaf]};
		for (unsigned i = 0; i < INPUTS; i++)
			nodes[count].value[i] = leaf_value(seed, leaf, i, widths[leaf]);
		count++;
	}
	for (int n = 0; n < NODES; n++) {
		IrOp op = (IrOp)(IR_OP_ADD + rng_below(&rng, IR_OP_SEL - IR_OP_ADD + 1));
		Node a = *choose(&rng, func, nodes, &count, 0), b = a, c = a, made = {.width = a.width};
		unsigned lo = 0;

		/* Bits and compares are where most rules are. */
		if (rng_below(&rng, 3) == 0)
			op = (IrOp)(IR_OP_EQ + rng_below(&rng, 6));
		if (rng_below(&rng, 3) == 0) {
			a = *choose(&rng, func, nodes, &count, 1);
			op = (IrOp)(IR_OP_AND + rng_below(&rng, 3));
			made.width = 1;
		}
		switch (ir_op_info[op].shape) {
		case IR_SHAPE_BIN: b = *choose(&rng, func, nodes, &count, a.width); break;
		case IR_SHAPE_SHIFT: b = *choose(&rng, func, nodes, &count, 0); break;
		case IR_SHAPE_UN:
			if (op == IR_OP_BSWAP && a.width != 16 && a.width != 64)
				continue;
			break;
		case IR_SHAPE_CMP:
			b = *choose(&rng, func, nodes, &count, a.width);
			made.width = 1;
			break;
		case IR_SHAPE_CAT:
			b = *choose(&rng, func, nodes, &count, 0);
			if (a.width + b.width > 64)
				continue;
			made.width = a.width + b.width;
			break;
		case IR_SHAPE_SEL:
			a = *choose(&rng, func, nodes, &count, 1);
			b = *choose(&rng, func, nodes, &count, 0);
			c = *choose(&rng, func, nodes, &count, b.width);
			made.width = b.width;
			break;
		default: /* CONV */
			if (op == IR_OP_EXTRACT) {
				made.width = 1 + (unsigned)rng_below(&rng, a.width);
				lo = (unsigned)rng_below(&rng, a.width - made.width + 1);
			} else {
				made.width = a.width + (unsigned)rng_below(&rng, 65 - a.width);
			}
		}
		if (op == IR_OP_SEL)
			made.ref = ir_select(func, a.ref, b.ref, c.ref);
		else if (op == IR_OP_EXTRACT)
			made.ref = ir_extract(func, a.ref, lo, made.width);
		else if (op == IR_OP_ZX || op == IR_OP_SX)
			made.ref = op == IR_OP_ZX ? ir_zx(func, a.ref, made.width) : ir_sx(func, a.ref, made.width);
		else if (ir_op_info[op].shape == IR_SHAPE_UN)
			made.ref = ir_un(func, op, a.ref);
		else
			made.ref = ir_bin(func, op, a.ref, b.ref);
		assert_int_equal(ir_width(func, made.ref), made.width);
		for (unsigned i = 0; i < INPUTS; i++) {
			made.value[i] = ir_eval(op, made.width, a.width, lo, a.value[i], b.value[i], c.value[i]);
			if (compute(func, made.ref, seed, i) != made.value[i])
				fail_msg("seed %llu: %s folded to another value", (unsigned long long)seed,
					 ir_op_info[op].name);
		}
		/* A short cut for the next ones: the value as a leaf, so that compute() stays shallow. */
		if (count < COUNT_OF(nodes) - 4)
			nodes[count++] = made;
	}
	arena_fini(&arena);
}

static void folding(void **state)
{
	(void)state;
	for (u64 seed = 1; seed <= 6000; seed++)
		fold_one(seed);
}

/* ---- How functions look ---- */

typedef struct Fixture {
	Arena arena;
	IrFunc *func;
	IrRef x, y, b; /* 16, 16, 1 bits */
} Fixture;

static void begin(Fixture *f)
{
	arena_init(&f->arena);
	f->func = ir_func_create(&f->arena, IR_FUNC_BLOCK);
	ir_insn(f->func, 0x3000, 1, 0);
	f->x = ir_get(f->func, 1, 16);
	f->y = ir_get(f->func, 2, 16);
	f->b = ir_get(f->func, 3, 1);
}

/* What the instruction that makes `ref` (or the constant) prints as. */
static void expect(Fixture *f, IrRef ref, const char *text)
{
	Buf out;
	char *line;
	u64 value;

	buf_init(&out);
	if (ir_is_const(f->func, ref, &value)) {
		buf_printf(&out, "0x%llx'%u", (unsigned long long)value, ir_width(f->func, ref));
		assert_string_equal(buf_text(&out), text);
	} else {
		char name[32];

		ir_print(f->func, NULL, NULL, &out);
		snprintf(name, sizeof name, "  %%%u:", ref);
		line = strstr((char *)out.data, name);
		assert_non_null(line);
		*strchr(line + 1, '\n') = 0;
		assert_string_equal(strstr(line, "= ") + 2, text);
	}
	buf_fini(&out);
}

#define C16(v) ir_const(f.func, 16, v)
#define BIN(op, a, b) ir_bin(f.func, IR_OP_##op, a, b)

static void folds(void **state)
{
	Fixture f;
	IrRef zero, lt, eq, gt, nz;

	(void)state;
	begin(&f);
	zero = C16(0);
	expect(&f, f.x, "get s1");
	assert_int_equal(BIN(ADD, f.x, zero), f.x);
	assert_int_equal(BIN(OR, f.x, zero), f.x);
	assert_int_equal(BIN(XOR, f.x, zero), f.x);
	assert_int_equal(BIN(AND, f.x, C16(0xFFFF)), f.x);
	assert_int_equal(BIN(SHL, f.x, zero), f.x);
	expect(&f, BIN(AND, f.x, zero), "0x0'16");
	expect(&f, BIN(SUB, f.x, f.x), "0x0'16");
	expect(&f, BIN(ADD, C16(3), f.x), "add %1, 0x3'16");
	expect(&f, BIN(SUB, f.x, C16(1)), "add %1, 0xffff'16");
	expect(&f, BIN(ADD, BIN(ADD, f.x, C16(3)), C16(0xFFFD)), "get s1");
	expect(&f, BIN(MUL, f.x, C16(8)), "shl %1, 0x3'8");
	/* pieces */
	assert_int_equal(ir_extract(f.func, BIN(CONCAT, f.x, f.y), 16, 16), f.x);
	assert_int_equal(ir_extract(f.func, BIN(CONCAT, f.x, f.y), 0, 16), f.y);
	assert_int_equal(ir_extract(f.func, ir_sx(f.func, f.x, 40), 0, 16), f.x);
	expect(&f, ir_extract(f.func, ir_zx(f.func, f.x, 40), 20, 8), "0x0'8");
	expect(&f, ir_extract(f.func, ir_extract(f.func, f.x, 3, 9), 2, 4), "extract %1, 5");
	expect(&f, ir_zx(f.func, ir_zx(f.func, f.x, 20), 40), "zx %1");
	expect(&f, BIN(CONCAT, ir_const(f.func, 4, 0), f.x), "zx %1");
	/* conditions */
	expect(&f, ir_extract(f.func, f.x, 15, 1), "lts %1, 0x0'16");
	expect(&f, BIN(CONCAT, ir_not(f.func, ir_extract(f.func, f.x, 15, 1)), ir_extract(f.func, f.x, 0, 15)), "xor %1, 0x8000'16");
	assert_int_equal(BIN(CONCAT, ir_extract(f.func, f.x, 15, 1), ir_extract(f.func, f.x, 0, 15)), f.x);
	expect(&f, ir_not(f.func, BIN(LTU, f.x, f.y)), "leu %2, %1");
	assert_int_equal(BIN(EQ, f.b, ir_const(f.func, 1, 1)), f.b);
	assert_int_equal(ir_not(f.func, BIN(EQ, f.b, ir_const(f.func, 1, 0))), f.b);
	assert_int_equal(ir_select(f.func, f.b, f.x, f.x), f.x);
	assert_int_equal(ir_select(f.func, ir_const(f.func, 1, 0), f.x, f.y), f.y);
	expect(&f, BIN(EQ, BIN(ADD, f.x, C16(2)), C16(5)), "eq %1, 0x3'16");
	/* the eight branches of the LC-3 */
	lt = ir_extract(f.func, f.x, 15, 1);
	eq = BIN(EQ, f.x, zero);
	gt = BIN(LTS, zero, f.x);
	expect(&f, BIN(OR, lt, eq), "les %1, 0x0'16");
	expect(&f, BIN(OR, eq, gt), "les 0x0'16, %1");
	nz = BIN(OR, lt, gt);
	expect(&f, nz, "ne %1, 0x0'16");
	expect(&f, BIN(OR, nz, eq), "0x1'1");
	expect(&f, BIN(AND, lt, gt), "0x0'1");
	expect(&f, BIN(OR, BIN(OR, BIN(AND, lt, ir_const(f.func, 1, 0)), BIN(AND, eq, ir_const(f.func, 1, 1))),
		       BIN(AND, gt, ir_const(f.func, 1, 0))),
	       "eq %1, 0x0'16");
	/* other orders do not mix */
	lt = BIN(LTS, f.x, f.y);
	gt = BIN(LTU, f.y, f.x);
	nz = BIN(OR, lt, gt);
	assert_int_equal(f.func->ins[nz].op, IR_OP_OR);
	assert_int_equal(f.func->ins[nz].a, lt);
	arena_fini(&f.arena);
}

static void sharing(void **state)
{
	Fixture f;
	IrRef sum, old;

	(void)state;
	begin(&f);
	sum = BIN(ADD, f.x, f.y);
	assert_int_equal(BIN(ADD, f.x, f.y), sum);
	assert_int_equal(ir_get(f.func, 1, 16), f.x);
	ir_load(f.func, 0, 16, f.y, true);
	assert_int_equal(ir_get(f.func, 1, 16), f.x); /* a raw access runs no handler */
	ir_load(f.func, 0, 16, f.y, false);
	old = ir_get(f.func, 1, 16);
	assert_int_not_equal(old, f.x);
	ir_host(f.func, 0, 0, NULL, 0);
	assert_int_not_equal(ir_get(f.func, 1, 16), old);
	old = ir_get(f.func, 1, 16);
	ir_put(f.func, 2, sum);
	assert_int_equal(ir_get(f.func, 1, 16), old);
	ir_put(f.func, 1, sum);
	ir_insn(f.func, 0x3001, 1, 1);
	assert_int_not_equal(ir_get(f.func, 1, 16), old);
	assert_int_not_equal(BIN(ADD, f.x, f.y), sum); /* an instruction is built without a look at those before */
	arena_fini(&f.arena);
}

static const char *name_of(const void *ctx, unsigned slot)
{
	(void)ctx;
	return slot == 3 ? NULL : ((const char *const[]){"pc", "R0", "cc"})[slot];
}

static void printing(void **state)
{
	Fixture f;
	Buf out;
	IrRef sum, cond, args[2];
	u32 yes, no, join;

	(void)state;
	begin(&f);
	sum = BIN(ADD, f.x, C16(5));
	cond = ir_extract(f.func, sum, 15, 1);
	yes = ir_block_create(f.func);
	no = ir_block_create(f.func);
	join = ir_block_create(f.func);
	ir_br(f.func, cond, yes, no);
	ir_block_begin(f.func, yes);
	args[0] = ir_load(f.func, 0, 16, sum, false);
	ir_jmp(f.func, join, args, 1);
	ir_block_begin(f.func, no);
	args[0] = f.y;
	args[1] = sum;
	ir_store(f.func, 1, sum, f.y, true);
	args[0] = ir_host(f.func, 4, 16, args, 2);
	ir_jmp(f.func, join, args, 1);
	ir_block_begin(f.func, join);
	args[0] = ir_param(f.func, 16);
	ir_put(f.func, 1, args[0]);
	ir_put(f.func, 3, cond);
	ir_goto(f.func, C16(0x3001), IR_FLOW_NEXT);
	buf_init(&out);
	ir_print(f.func, name_of, NULL, &out);
	assert_string_equal(buf_text(&out),
			    "b0:\n"
			    "  insn 0 pc=0x3000 length=1\n"
			    "  %1:16 = get R0\n"
			    "  %2:16 = get cc\n"
			    "  %3:1 = get s3\n"
			    "  %4:16 = add %1, 0x5'16\n"
			    "  %5:1 = lts %4, 0x0'16\n"
			    "  br %5, b1, b2\n"
			    "b1:\n"
			    "  %7:16 = load m0[%4]\n"
			    "  jmp b3(%7)\n"
			    "b2:\n"
			    "  store.raw m1[%4], %2\n"
			    "  %10:16 = host 4(%2, %4)\n"
			    "  jmp b3(%10)\n"
			    "b3:\n"
			    "  %12:16 = param 0\n"
			    "  put R0, %12\n"
			    "  put s3, %5\n"
			    "  goto 0x3001'16 next\n");
	buf_clear(&out);
	assert_true(ir_verify(f.func, &out));
	assert_string_equal(buf_text(&out), "");
	buf_fini(&out);
	arena_fini(&f.arena);
}

/* Atomic accesses: their order and kind are printed; nothing shares or drops them; values are checked. */
static void atomics(void **state)
{
	static const struct {
		IrRmw kind;
		u64 old, value, becomes;
	} table[] = {
		{IR_RMW_SWAP, 1, 2, 2}, {IR_RMW_ADD, 0xFF, 2, 1}, {IR_RMW_AND, 0xF0, 0x3C, 0x30}, {IR_RMW_OR, 0xF0, 0x0F, 0xFF},
		{IR_RMW_XOR, 0xFF, 0x0F, 0xF0}, {IR_RMW_MIN, 0x80, 0x7F, 0x80}, {IR_RMW_MAX, 0x80, 0x7F, 0x7F},
		{IR_RMW_MINU, 0x80, 0x7F, 0x7F}, {IR_RMW_MAXU, 0x80, 0x7F, 0x80},
	};
	IrRef first, second;
	Fixture f;
	Buf out;

	(void)state;
	for (u32 i = 0; i < COUNT_OF(table); i++)
		assert_int_equal(ir_rmw_value(table[i].kind, 8, table[i].old, table[i].value), table[i].becomes);
	begin(&f);
	first = ir_rmw(f.func, IR_RMW_ADD, 0, IR_ORDER_BOTH, f.x, f.y, false);
	second = ir_rmw(f.func, IR_RMW_ADD, 0, IR_ORDER_BOTH, f.x, f.y, false);
	assert_int_not_equal(first, second);
	ir_fence(f.func, 3, 1);
	ir_cas(f.func, 1, IR_ORDER_ACQUIRE, f.x, first, second, true);
	ir_rmw(f.func, IR_RMW_MAXU, 2, IR_ORDER_NONE, f.x, C16(7), false);
	ir_goto(f.func, C16(0x3001), IR_FLOW_NEXT);
	buf_init(&out);
	ir_print(f.func, name_of, NULL, &out);
	assert_string_equal(buf_text(&out), "b0:\n"
					    "  insn 0 pc=0x3000 length=1\n"
					    "  %1:16 = get R0\n"
					    "  %2:16 = get cc\n"
					    "  %3:1 = get s3\n"
					    "  %4:16 = rmw.add.aqrl m0[%1], %2\n"
					    "  %5:16 = rmw.add.aqrl m0[%1], %2\n"
					    "  fence 3, 1\n"
					    "  %7:16 = cas.aq.raw m1[%1], %4, %5\n"
					    "  %8:16 = rmw.maxu m2[%1], 0x7'16\n"
					    "  goto 0x3001'16 next\n");
	buf_clear(&out);
	assert_true(ir_verify(f.func, &out));
	f.func->ins[first].b = f.b; /* one bit into 16 */
	assert_false(ir_verify(f.func, &out));
	assert_non_null(strstr(buf_text(&out), "operand has width 1, not 16"));
	f.func->ins[first].b = f.y;
	f.func->ins[second].aux = IR_RMW_COUNT << IR_ATOMIC_KIND_SHIFT;
	buf_clear(&out);
	assert_false(ir_verify(f.func, &out));
	assert_non_null(strstr(buf_text(&out), "no such atomic operation"));
	buf_fini(&out);
	arena_fini(&f.arena);
}

/* A function that has failed stays quiet and usable. */
static void failed(void **state)
{
	Fixture f;

	(void)state;
	begin(&f);
	f.func->failed = true;
	assert_int_equal(BIN(ADD, f.x, f.y), IR_NONE);
	assert_int_equal(ir_get(f.func, 1, 16), IR_NONE);
	ir_put(f.func, 1, IR_NONE);
	ir_br(f.func, IR_NONE, 0, 0);
	ir_block_begin(f.func, 0);
	assert_int_equal(ir_zx(f.func, IR_NONE, 8), IR_NONE);
	assert_false(ir_verify(f.func, NULL));
	arena_fini(&f.arena);
}

static void many_constants(void **state)
{
	Fixture f;

	(void)state;
	begin(&f);
	for (u64 i = 0; i < 20000; i++)
		assert_int_equal(ir_const(f.func, 40, i * 977) & ~IR_CONST_BIT, i + 1);
	for (u64 i = 0; i < 20000; i++)
		assert_int_equal(ir_const(f.func, 40, i * 977 | (u64)1 << 50) & ~IR_CONST_BIT, i + 1);
	arena_fini(&f.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eval),	    cmocka_unit_test(folding), cmocka_unit_test(folds),
		cmocka_unit_test(sharing),  cmocka_unit_test(printing), cmocka_unit_test(atomics), cmocka_unit_test(failed),
		cmocka_unit_test(many_constants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
