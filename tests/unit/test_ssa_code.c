/* SPDX-License-Identifier: MIT
 * jit: code of regions, without a machine around: a region built by hand is compiled and run on slots and a paged space.
 */
#include "base/bits.h"
#include "unit/ssa_code.h"

enum { PC = 0x1000, SLOT_I = 1, SLOT_SUM = 2, SLOT_END = 3 };

/* while (i != end) { sum += i; i++; } */
static void test_loop(void **state)
{
	CodeBench bench;
	SsaFunc *func;
	SsaRef i, sum, end, next, total, test;
	u32 head, loop, back, out;

	(void)state;
	code_open(&bench, 8);
	func = bench.func;
	head = ssa_block(func, PC);
	loop = ssa_block(func, PC);
	back = ssa_block(func, PC);
	out = ssa_block(func, PC);
	func->blocks[head].entry = true;
	ssa_edge(func, head, loop);
	ssa_edge(func, back, loop);
	ssa_edge(func, loop, back);
	ssa_edge(func, loop, out);
	i = ssa_phi(func, loop, 64, SLOT_I);
	sum = ssa_phi(func, loop, 64, SLOT_SUM);
	end = code_add(&bench, head, SSA_HOME, 64, SLOT_END, 0, 0, 0, 0);
	func->pool[func->nodes[i].a] = code_add(&bench, head, SSA_HOME, 64, SLOT_I, 0, 0, 0, 0);
	func->pool[func->nodes[sum].a] = code_add(&bench, head, SSA_HOME, 64, SLOT_SUM, 0, 0, 0, 0);
	code_add(&bench, head, SSA_JUMP, 0, 0, 0, 0, 0, 0);
	code_state(&bench, (CodeState[]){ { SLOT_I, i }, { SLOT_SUM, sum } }, 2, PC, 0);
	code_exit(&bench, code_add(&bench, loop, SSA_FUEL, 0, 0, 0, 0, 0, 2));
	total = code_add(&bench, loop, IR_OP_ADD, 64, 0, sum, i, 0, 0);
	next = code_add(&bench, loop, IR_OP_ADD, 64, 0, i, ssa_const(func, 64, 1), 0, 0);
	test = code_add(&bench, loop, IR_OP_NE, 1, 0, next, end, 0, 0);
	code_add(&bench, loop, SSA_BRANCH, 0, 0, test, 0, 0, 0);
	func->pool[func->nodes[i].a + 1] = next;
	func->pool[func->nodes[sum].a + 1] = total;
	code_add(&bench, back, SSA_JUMP, 0, 0, 0, 0, 0, 0);
	code_state(&bench, (CodeState[]){ { SLOT_I, next }, { SLOT_SUM, total } }, 2, PC + 8, 0);
	code_exit(&bench, code_add(&bench, out, SSA_LEAVE, 0, SSA_LEAVE_LINK, 0, 0, 0, PC + 8));
	for (unsigned pins = 0; pins < 8; pins += 3) {
		code_compile(&bench, pins);
		bench.slots[SLOT_I] = 0;
		bench.slots[SLOT_SUM] = 5;
		bench.slots[SLOT_END] = 1000;
		assert_int_equal(code_run(&bench, 1000000), JIT_EXIT_LINK);
		assert_int_equal(bench.slots[0], PC + 8);
		assert_int_equal(bench.slots[SLOT_SUM], 999 * 500 + 5);
		assert_int_equal(bench.slots[SLOT_I], 1000);
		assert_int_equal(bench.left, 1000000 - 2000);
		bench.slots[SLOT_I] = 10;
		bench.slots[SLOT_SUM] = 0;
		assert_int_equal(code_run(&bench, 11), JIT_EXIT_FUEL);
		assert_int_equal(bench.slots[0], PC);
		assert_int_equal(bench.slots[SLOT_SUM], 10 + 11 + 12 + 13 + 14);
		assert_int_equal(bench.slots[SLOT_I], 15);
		assert_int_equal(bench.left, 1);
	}
	code_close(&bench);
}

/* What was extended is as narrow as before for the back end, which looks through ZX: a constant added to it by a way out
 * is added at the width of the slot. */
static void test_sum_of_flag(void **state)
{
	(void)state;
	for (unsigned hot = 0; hot < 2; hot++) {
		CodeBench bench;
		SsaFunc *func;
		SsaRef home, flag, number;
		u32 block;

		code_open(&bench, 8);
		func = bench.func;
		block = ssa_block(func, PC);
		func->blocks[block].entry = true;
		home = code_add(&bench, block, SSA_HOME, 64, SLOT_I, 0, 0, 0, 0);
		flag = code_add(&bench, block, IR_OP_EQ, 1, 0, home, ssa_const(func, 64, 0), 0, 0);
		number = code_add(&bench, block, IR_OP_ZX, 64, 0, flag, 0, 0, 0);
		code_state(&bench, (CodeState[]){ { SLOT_SUM, number }, { SLOT_END, number } }, 2, PC + 8, 0);
		func->entries[0].recipe = func->entries[1].recipe = SSA_PLUS;
		func->entries[0].imm = 6;
		func->entries[1].imm = -2;
		code_exit(&bench, code_add(&bench, block, SSA_LEAVE, 0, hot ? SSA_LEAVE_LINK : SSA_LEAVE_COLD, 0, 0, 0, PC + 8));
		for (unsigned pins = 0; pins < 8; pins++) {
			code_compile(&bench, pins);
			for (u64 i = 0; i < 2; i++) {
				bench.slots[SLOT_I] = i;
				code_run(&bench, 100);
				assert_int_equal(bench.slots[SLOT_I], i);
				assert_int_equal(bench.slots[SLOT_SUM], 6 + !i);
				assert_int_equal(bench.slots[SLOT_END], (u64)!i - 2);
			}
		}
		code_close(&bench);
	}
}

/* Bytes and words, signed: compared with each other and with numbers, and extended to 32 bits. */
static void test_short(void **state)
{
	static const u64 edges[] = { 0, 1, 5, 0x7E, 0x7F, 0x80, 0x81, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFF7F, 0xFF80, 0xFFFF, 0x12345680 };

	(void)state;
	for (unsigned k = 0; k < 2 * 2 * (COUNT_OF(edges) + 1); k++) {
		unsigned width = k & 1 ? 16 : 8, op = k & 2 ? IR_OP_LTS : IR_OP_LES;
		const u64 *number = k / 4 < COUNT_OF(edges) ? &edges[k / 4] : NULL;
		CodeBench bench;
		SsaFunc *func;
		SsaRef x, y, less, wider;
		u32 block;

		code_open(&bench, 8);
		func = bench.func;
		block = ssa_block(func, PC);
		func->blocks[block].entry = true;
		x = code_add(&bench, block, SSA_HOME, 64, SLOT_I, 0, 0, 0, 0);
		x = code_add(&bench, block, IR_OP_EXTRACT, width, 0, x, 0, 0, 0);
		if (number) {
			y = ssa_const(func, width, bits_trunc(*number, width));
		} else {
			y = code_add(&bench, block, SSA_HOME, 64, SLOT_END, 0, 0, 0, 0);
			y = code_add(&bench, block, IR_OP_EXTRACT, width, 0, y, 0, 0, 0);
		}
		less = code_add(&bench, block, op, 1, 0, x, y, 0, 0);
		less = code_add(&bench, block, IR_OP_ZX, 64, 0, less, 0, 0, 0);
		wider = code_add(&bench, block, IR_OP_SX, 32, 0, x, 0, 0, 0);
		wider = code_add(&bench, block, IR_OP_ZX, 64, 0, wider, 0, 0, 0);
		code_state(&bench, (CodeState[]){ { SLOT_SUM, less }, { SLOT_I, wider } }, 2, PC + 8, 0);
		code_exit(&bench, code_add(&bench, block, SSA_LEAVE, 0, SSA_LEAVE_LINK, 0, 0, 0, PC + 8));
		for (unsigned i = 0; i < COUNT_OF(edges) * COUNT_OF(edges); i++) {
			u64 a = edges[i % COUNT_OF(edges)], b = number ? *number : edges[i / COUNT_OF(edges)];

			if (i % 37 == 0)
				code_compile(&bench, i / 37 % 8);
			bench.slots[SLOT_I] = a;
			bench.slots[SLOT_END] = b;
			code_run(&bench, 100);
			assert_int_equal(bench.slots[SLOT_SUM], ir_eval((IrOp)op, 1, width, 0, bits_trunc(a, width), bits_trunc(b, width), 0));
			assert_int_equal(bench.slots[SLOT_I], (u32)bits_signed(bits_trunc(a, width), width));
		}
		code_close(&bench);
	}
}

/* do { old = home; home = sx(old + 3); sum += old; } while (++i != end), where the home is read early, or behind what comes to it. */
static void test_home(void **state)
{
	(void)state;
	for (unsigned late = 0; late < 2; late++) {
		CodeBench bench;
		SsaFunc *func;
		SsaRef i, sum, end, next, total, old, more;
		u32 head, loop, back, out;

		code_open(&bench, 8);
		func = bench.func;
		head = ssa_block(func, PC);
		loop = ssa_block(func, PC);
		back = ssa_block(func, PC);
		out = ssa_block(func, PC);
		func->blocks[head].entry = true;
		ssa_edge(func, head, loop);
		ssa_edge(func, back, loop);
		ssa_edge(func, loop, back);
		ssa_edge(func, loop, out);
		i = ssa_phi(func, loop, 64, SLOT_I);
		sum = ssa_phi(func, loop, 64, SLOT_SUM);
		end = code_add(&bench, head, SSA_HOME, 64, SLOT_END, 0, 0, 0, 0);
		func->pool[func->nodes[i].a] = code_add(&bench, head, SSA_HOME, 64, SLOT_I, 0, 0, 0, 0);
		func->pool[func->nodes[sum].a] = code_add(&bench, head, SSA_HOME, 64, SLOT_SUM, 0, 0, 0, 0);
		code_add(&bench, head, SSA_JUMP, 0, 0, 0, 0, 0, 0);
		code_state(&bench, (CodeState[]){ { SLOT_I, i }, { SLOT_SUM, sum } }, 2, PC, 0);
		code_exit(&bench, code_add(&bench, loop, SSA_FUEL, 0, 0, 0, 0, 0, 2));
		old = code_add(&bench, loop, SSA_FETCH, 64, 6, 0, 0, 0, 0);
		total = late ? 0 : code_add(&bench, loop, IR_OP_ADD, 64, 0, sum, old, 0, 0);
		more = code_add(&bench, loop, IR_OP_ADD, 32, 0, code_add(&bench, loop, IR_OP_EXTRACT, 32, 0, old, 0, 0, 0),
				ssa_const(func, 32, 3), 0, 0);
		more = code_add(&bench, loop, IR_OP_SX, 64, 0, more, 0, 0, 0);
		code_add(&bench, loop, SSA_BRING, 64, 6, more, 0, 0, 0);
		total = late ? code_add(&bench, loop, IR_OP_ADD, 64, 0, sum, old, 0, 0) : total;
		next = code_add(&bench, loop, IR_OP_ADD, 64, 0, i, ssa_const(func, 64, 1), 0, 0);
		code_add(&bench, loop, SSA_BRANCH, 0, 0, code_add(&bench, loop, IR_OP_NE, 1, 0, next, end, 0, 0), 0, 0, 0);
		func->pool[func->nodes[i].a + 1] = next;
		func->pool[func->nodes[sum].a + 1] = total;
		code_add(&bench, back, SSA_JUMP, 0, 0, 0, 0, 0, 0);
		code_state(&bench, (CodeState[]){ { SLOT_I, next }, { SLOT_SUM, total } }, 2, PC + 8, 0);
		code_exit(&bench, code_add(&bench, out, SSA_LEAVE, 0, SSA_LEAVE_LINK, 0, 0, 0, PC + 8));
		code_compile(&bench, 3);
		bench.slots[SLOT_I] = bench.slots[SLOT_SUM] = 0;
		bench.slots[SLOT_END] = 4;
		bench.slots[6] = 0x7FFFFFF9;
		assert_int_equal(code_run(&bench, 1000), JIT_EXIT_LINK);
		assert_int_equal(bench.slots[SLOT_SUM], 0x7FFFFFF9ull + 0x7FFFFFFCull + 0x7FFFFFFFull + 0xFFFFFFFF80000002ull);
		assert_int_equal(bench.slots[6], 0xFFFFFFFF80000005ull);
		code_close(&bench);
	}
}

/* ---- What ways out make ---- */

enum { MANY = 16, SLOT_MADE = 20, SLOT_TREE = 21, FUELS = 4, UNTOUCHED = 0x5A5A };

typedef struct Operation {
	u8 op, width, from, aux; /* `from`: of the operands */
} Operation;

static SsaRef narrowed(CodeBench *bench, u32 block, SsaRef ref, unsigned width)
{
	return width == 64 ? ref : code_add(bench, block, IR_OP_EXTRACT, width, 0, ref, 0, 0, 0);
}

/* A loop over more values than there are registers, and in each round what is made of three of them for ways out alone:
 * made = op(p1, p2, p3), tree = op(p3, p1, p2) ^ made. */
static void build_made(CodeBench *bench, const Operation *o)
{
	SsaFunc *func = bench->func;
	u32 head = ssa_block(func, PC), loop = ssa_block(func, PC), back = ssa_block(func, PC), out = ssa_block(func, PC);
	SsaRef phis[MANY + 1], next[MANY + 1], test, args[4], made, tree;
	CodeState state[MANY + 2], last[MANY];
	bool is_select = o->op == IR_OP_SEL;

	func->blocks[head].entry = true;
	ssa_edge(func, head, loop);
	ssa_edge(func, back, loop);
	ssa_edge(func, loop, back);
	ssa_edge(func, loop, out);
	for (u32 i = 0; i < MANY; i++)
		phis[i] = ssa_phi(func, loop, 64, i + 1);
	phis[MANY] = phis[0];
	for (u32 i = 0; i < MANY; i++) {
		state[i] = (CodeState){ (u16)(i + 1), phis[i] };
		func->pool[func->nodes[phis[i]].a] = code_add(bench, head, SSA_HOME, 64, i + 1, 0, 0, 0, 0);
	}
	code_add(bench, head, SSA_JUMP, 0, 0, 0, 0, 0, 0);
	code_state(bench, state, MANY, PC, 0);
	code_exit(bench, code_add(bench, loop, SSA_FUEL, 0, 0, 0, 0, 0, 1));
	for (u32 i = 0; i < 3; i++)
		args[i] = narrowed(bench, loop, phis[i], is_select && i == 0 ? 1 : o->from);
	args[3] = narrowed(bench, loop, phis[2], is_select ? 1 : o->from);
	made = code_add(bench, loop, o->op, o->width, o->aux, args[0], args[1], args[2], 0);
	tree = code_add(bench, loop, o->op, o->width, o->aux, args[3], is_select ? args[1] : narrowed(bench, loop, phis[0], o->from),
			args[1], 0);
	tree = code_add(bench, loop, IR_OP_XOR, o->width, 0, tree, made, 0, 0);
	state[MANY] = (CodeState){ SLOT_MADE, made };
	state[MANY + 1] = (CodeState){ SLOT_TREE, tree };
	code_state(bench, state, MANY + 2, PC, 0);
	for (u32 i = 0; i < MANY; i++) {
		next[i] = code_add(bench, loop, IR_OP_ADD, 64, 0, phis[i], phis[i + 1], 0, 0);
		last[i] = (CodeState){ (u16)(i + 1), next[i] };
		func->pool[func->nodes[phis[i]].a + 1] = next[i];
		if (i % 6 == 4 || i == MANY - 1)
			code_exit(bench, code_add(bench, loop, SSA_FUEL, 0, 0, 0, 0, 0, 1));
	}
	test = code_add(bench, loop, IR_OP_NE, 1, 0, next[0], ssa_const(func, 64, 1), 0, 0);
	code_add(bench, loop, SSA_BRANCH, 0, 0, test, 0, 0, 0);
	code_add(bench, back, SSA_JUMP, 0, 0, 0, 0, 0, 0);
	code_state(bench, last, MANY, PC + 8, 0);
	code_exit(bench, code_add(bench, out, SSA_LEAVE, 0, SSA_LEAVE_LINK, 0, 0, 0, PC + 8));
}

static u64 operate(const Operation *o, u64 a, u64 b, u64 c)
{
	u64 mask = o->from == 64 ? ~(u64)0 : ((u64)1 << o->from) - 1;

	return ir_eval((IrOp)o->op, o->width, o->op == IR_OP_SEL ? 1 : o->from, o->aux, o->op == IR_OP_SEL ? a & 1 : a & mask, b & mask, c & mask);
}

/* With the budget for so many charges: what every slot is. Ways out that have steps are counted. */
static u32 stop_after(CodeBench *bench, const Operation *o, u32 charges)
{
	u64 slots[MANY + 1], made, tree;

	for (u32 i = 0; i < MANY; i++)
		bench->slots[i + 1] = slots[i] = (0x123456789ABCDEFull * (i + 3)) ^ (u64)i << (3 * i);
	bench->slots[SLOT_MADE] = bench->slots[SLOT_TREE] = UNTOUCHED;
	assert_int_equal(code_run(bench, charges), JIT_EXIT_FUEL);
	assert_int_equal(bench->left, 0);
	for (u32 round = 0; round < charges / FUELS; round++) {
		slots[MANY] = slots[0];
		for (u32 i = 0; i < MANY; i++)
			slots[i] += slots[i + 1];
	}
	for (u32 i = 0; i < MANY; i++)
		assert_int_equal(bench->slots[i + 1], slots[i]);
	made = operate(o, slots[0], slots[1], slots[2]);
	tree = operate(o, slots[2], o->op == IR_OP_SEL ? slots[1] : slots[0], slots[1]) ^ made;
	assert_int_equal(bench->slots[SLOT_MADE], charges % FUELS ? made : UNTOUCHED);
	assert_int_equal(bench->slots[SLOT_TREE], charges % FUELS ? tree : UNTOUCHED);
	return bench->exit->map->step_count != 0;
}

/* Nothing but ways out wants these values: no code stores them, and every way out has them right. */
static void test_made(void **state)
{
	static const Operation operations[] = {
		{ IR_OP_ADD, 64, 64, 0 }, { IR_OP_ADD, 32, 32, 0 }, { IR_OP_SUB, 64, 64, 0 }, { IR_OP_SUB, 32, 32, 0 },
		{ IR_OP_MUL, 64, 64, 0 }, { IR_OP_MUL, 32, 32, 0 }, { IR_OP_MULHU, 64, 64, 0 }, { IR_OP_AND, 64, 64, 0 },
		{ IR_OP_OR, 64, 64, 0 }, { IR_OP_XOR, 32, 32, 0 }, { IR_OP_SHL, 64, 64, 0 }, { IR_OP_SHL, 32, 32, 0 },
		{ IR_OP_SHR, 64, 64, 0 }, { IR_OP_SAR, 64, 64, 0 }, { IR_OP_SAR, 32, 32, 0 }, { IR_OP_ROL, 32, 32, 0 },
		{ IR_OP_ROR, 64, 64, 0 }, { IR_OP_SX, 64, 32, 0 }, { IR_OP_SX, 64, 8, 0 }, { IR_OP_ZX, 64, 16, 0 },
		{ IR_OP_EXTRACT, 32, 64, 32 }, { IR_OP_EXTRACT, 8, 64, 16 }, { IR_OP_CONCAT, 64, 32, 0 }, { IR_OP_EQ, 1, 64, 0 },
		{ IR_OP_LTS, 1, 64, 0 }, { IR_OP_LTU, 1, 32, 0 }, { IR_OP_SEL, 64, 64, 0 }, { IR_OP_BSWAP, 64, 64, 0 },
		{ IR_OP_CLZ, 64, 64, 0 }, { IR_OP_DIVU, 64, 64, 0 }, { IR_OP_REMS, 64, 64, 0 },
	};

	(void)state;
	for (u32 k = 0; k < sizeof operations / sizeof *operations; k++) {
		CodeBench bench;

		code_open(&bench, 24);
		build_made(&bench, &operations[k]);
		for (unsigned pins = 0; pins < 8; pins += 7) {
			u32 made = 0;

			code_compile(&bench, pins);
			for (u32 charges = 0; charges < 4 * FUELS; charges++)
				made += stop_after(&bench, &operations[k], charges);
			if (!made)
				fail_msg("operation %u is not made", operations[k].op);
		}
		code_close(&bench);
	}
}

/* ret (i & ~1); sum = i: the address comes home as it is. */
static void test_return(void **state)
{
	CodeBench bench;
	SsaFunc *func;
	SsaRef home, address;
	u32 block;

	(void)state;
	code_open(&bench, 8);
	func = bench.func;
	block = ssa_block(func, PC);
	func->blocks[block].entry = true;
	home = code_add(&bench, block, SSA_HOME, 64, SLOT_I, 0, 0, 0, 0);
	address = code_add(&bench, block, IR_OP_AND, 64, 0, home, ssa_const(func, 64, ~(u64)1), 0, 0);
	code_state(&bench, (CodeState[]){ { SLOT_SUM, home } }, 1, 0, 0);
	code_exit(&bench, code_add(&bench, block, SSA_LEAVE, 0, SSA_LEAVE_RET, address, 0, 0, 0));
	for (unsigned pins = 0; pins < 8; pins++) {
		code_compile(&bench, pins);
		bench.slots[SLOT_I] = PC + 7;
		bench.slots[SLOT_SUM] = 0;
		assert_int_equal(code_run(&bench, 100), JIT_EXIT_LINK);
		assert_int_equal(bench.slots[0], PC + 6);
		assert_int_equal(bench.slots[SLOT_I], PC + 7);
		assert_int_equal(bench.slots[SLOT_SUM], PC + 7);
	}
	code_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_sum_of_flag),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_home),
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_return),
	};

	if (!jit_is_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
