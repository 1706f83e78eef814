/* SPDX-License-Identifier: MIT
 * jit: code of regions, without a machine around: a region built by hand is compiled and run on slots and a paged space.
 */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_sum_of_flag),
		cmocka_unit_test(test_home),
	};

	if (!jit_is_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
