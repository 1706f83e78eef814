/* SPDX-License-Identifier: MIT
 * The passes behind ssa_fold: random regions with pointers into a small space, good and bad ones, leave where the others
 * pass in the same state, and nothing reaches beyond guard zones. And what some loops come to.
 */
#include "ssa_toy.h"

static void (*const all[])(SsaFunc *) = {ssa_fold, ssa_dead, ssa_loops, ssa_narrow, ssa_fold, ssa_dead, ssa_address, ssa_memory,
	ssa_check, ssa_hoist, ssa_fold, ssa_dead, ssa_float, ssa_fuel, ssa_sure, ssa_state, ssa_snap, ssa_sink, ssa_lazy};

enum { FUEL_AT = COUNT_OF(all) - 6, FLOAT_AT = FUEL_AT - 1 };

static u64 seeds = 1500, first_seed = 1, left_early;

static void show(const SsaFunc *func)
{
	Buf text;

	buf_init(&text);
	ssa_print(func, NULL, NULL, &text);
	fprintf(stderr, "%s", buf_text(&text));
	buf_fini(&text);
}

static void try_seed(u64 seed)
{
	ToyRun before[4], after;
	Toy toy;

	toy_random(&toy, seed, seed % 4 == 0, seed % 8 != 7);
	toy_verify(&toy);
	for (unsigned i = 0; i < 4; i++) {
		toy_start(&before[i], seed * 7 + i);
		toy_run(toy.func, &before[i]);
	}
	for (unsigned p = 0; p < COUNT_OF(all); p++) {
		if (getenv("SSA_SHOW"))
			show(toy.func);
		all[p](toy.func);
		toy_verify(&toy);
		for (unsigned i = 0; i < 4; i++) {
			toy_start(&after, seed * 7 + i);
			after.host = p >= FLOAT_AT;
			after.fuels = p >= FUEL_AT ? rng_below(&toy.rng, 12) : 0;
			toy_run(toy.func, &after);
			left_early += after.done < before[i].done;
			if (!toy_leaves_on_way(&before[i], &after) || (after.left && !toy_same(&before[i], &after))) {
				show(toy.func);
				fail_msg("seed %llu, start %u: not the same behind pass %u", (unsigned long long)seed, i, p);
			}
		}
	}
	toy_end(&toy);
}

static void test_random(void **state)
{
	(void)state;
	for (u64 seed = first_seed; seed < first_seed + seeds; seed++)
		try_seed(seed);
	if (getenv("SSA_COUNTS"))
		fprintf(stderr, "left early: %llu\n", (unsigned long long)left_early);
}

/* What comes to a home and is overwritten there before anything reads it or leaves. */
static void test_brings(void **state)
{
	static void (*const passes[])(SsaFunc *) = {ssa_dead, ssa_state};
	static const u8 seen_by[] = {SSA_INSN, SSA_FETCH, SSA_GUARD};

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(seen_by) * COUNT_OF(passes); i++) {
		u8 by = seen_by[i / COUNT_OF(passes)];
		SsaRef first, second;
		Toy toy;

		toy_begin(&toy);
		toy_insn(&toy);
		first = toy_node(&toy, SSA_BRING, 64, 3, toy_const(&toy, 64, 1), 0, 0, 0);
		toy_insn(&toy);
		if (by == SSA_FETCH)
			toy_put(&toy, 5, toy_node(&toy, SSA_FETCH, 64, 3, 0, 0, 0, 0));
		else if (by == SSA_GUARD)
			toy_node(&toy, SSA_GUARD, 0, 0, toy_node(&toy, IR_OP_EXTRACT, 1, 0, toy_home(&toy, 1), 0, 0, 0), 0, 0, 0);
		second = toy_node(&toy, SSA_BRING, 64, 3, toy_const(&toy, 64, 2), 0, 0, 0);
		toy_insn(&toy);
		toy_leave(&toy);
		ssa_order(toy.func);
		passes[i % COUNT_OF(passes)](toy.func);
		toy_verify(&toy);
		for (SsaRef ref = toy.func->blocks[0].first; ref; ref = toy.func->nodes[ref].next) {
			first = ref == first ? 0 : first;
			second = ref == second ? 0 : second;
		}
		assert_int_equal(second, 0);
		assert_int_equal(first == 0, by != SSA_INSN);
		toy_end(&toy);
	}
}

/* A function saves a register that stays at home, and restores it: it never was away, unless it was changed in between. */
static void test_restored(void **state)
{
	(void)state;
	for (unsigned changed = 0; changed < 2; changed++) {
		SsaRef sp, saved, loaded, restored;
		bool kept = false;
		Toy toy;

		toy_begin(&toy);
		toy.func->hard_spaces = 1;
		toy_insn(&toy);
		sp = toy_home(&toy, 1);
		toy_node(&toy, SSA_CHECK, 0, 0, sp, 0, 0, 0);
		saved = toy_node(&toy, SSA_FETCH, 64, 3, 0, 0, 0, 0);
		toy_node(&toy, SSA_STORE, 64, 0, sp, saved, 0, (u64)-8);
		toy_insn(&toy);
		if (changed)
			toy_node(&toy, SSA_BRING, 64, 3, toy_const(&toy, 64, 7), 0, 0, 0);
		toy_insn(&toy);
		loaded = toy_node(&toy, SSA_LOAD, 64, 0, sp, 0, 0, (u64)-8);
		restored = toy_node(&toy, SSA_BRING, 64, 3, loaded, 0, 0, 0);
		toy_insn(&toy);
		toy_leave(&toy);
		ssa_order(toy.func);
		ssa_memory(toy.func);
		toy_verify(&toy);
		assert_int_equal(ssa_value(toy.func, loaded), saved);
		for (SsaRef ref = toy.func->blocks[0].first; ref; ref = toy.func->nodes[ref].next)
			kept |= ref == restored;
		assert_int_equal(kept, changed);
		toy_end(&toy);
	}
}

/* A home is read on the one way and the other, and nothing is ever brought there, or on one way: loads are shared behind both. */
static void test_only_fetched(void **state)
{
	(void)state;
	for (unsigned brought = 0; brought < 2; brought++) {
		SsaRef pointer, first, second;
		u32 join, ways[2];
		Toy toy;

		toy_begin(&toy);
		toy.func->hard_spaces = 1;
		toy_insn(&toy);
		pointer = toy_home(&toy, 1);
		toy_put(&toy, 5, toy_node(&toy, SSA_FETCH, 64, 3, 0, 0, 0, 0));
		join = toy_block(&toy);
		ways[0] = toy_block(&toy);
		ways[1] = toy_block(&toy);
		toy_branch(&toy, toy_node(&toy, IR_OP_EXTRACT, 1, 0, pointer, 0, 0, 0), ways[0], ways[1]);
		for (unsigned i = 0; i < 2; i++) {
			toy.block = ways[i];
			if (brought && i)
				toy_node(&toy, SSA_BRING, 64, 3, toy_const(&toy, 64, 7), 0, 0, 0);
			toy_jump(&toy, join);
		}
		toy.block = join;
		toy_put(&toy, 7, toy_node(&toy, SSA_FETCH, 64, 3, 0, 0, 0, 0));
		first = toy_node(&toy, SSA_LOAD, 64, 0, pointer, 0, 0, 8);
		second = toy_node(&toy, SSA_LOAD, 64, 0, pointer, 0, 0, 8);
		toy_leave(&toy);
		ssa_order(toy.func);
		ssa_memory(toy.func);
		toy_verify(&toy);
		assert_int_equal(ssa_value(toy.func, second), first);
		toy_end(&toy);
	}
}

/* s1 = (i32)(s1 * 3) until it is s3, which is first read in the loop: one PHI of 32 bits, compared as such. */
static void test_narrow(void **state)
{
	Toy toy;
	SsaRef phi, x;
	u32 header, latch, behind, phis = 0, compares = 0;

	(void)state;
	toy_begin(&toy);
	toy_insn(&toy);
	x = toy_node(&toy, IR_OP_SX, 64, 0, toy_node(&toy, IR_OP_EXTRACT, 32, 0, toy_home(&toy, 1), 0, 0, 0), 0, 0, 0);
	toy_put(&toy, 1, x);
	header = toy_block(&toy);
	toy_jump(&toy, header);
	toy.func->blocks[header].pred_count = 2;
	phi = ssa_phi(toy.func, header, 64, 1);
	toy.func->blocks[header].pred_count = 1;
	toy.func->pool[toy.func->nodes[phi].a] = x;
	toy.state[1] = toy.func->blocks[header].state[1] = phi;
	toy.block = header;
	toy_insn(&toy);
	x = toy_node(&toy, IR_OP_EXTRACT, 32, 0, toy_bin(&toy, IR_OP_MUL, phi, toy_const(&toy, 64, 3)), 0, 0, 0);
	x = toy_node(&toy, IR_OP_SX, 64, 0, x, 0, 0, 0);
	toy_put(&toy, 1, x);
	latch = toy_block(&toy);
	behind = toy_block(&toy);
	toy_branch(&toy, toy_bin(&toy, IR_OP_LTS, x, toy_home(&toy, 3)), latch, behind);
	toy.block = latch;
	toy_jump(&toy, header);
	toy.func->pool[toy.func->nodes[phi].a + 1] = x;
	toy.block = behind;
	toy_leave(&toy);
	ssa_order(toy.func);
	for (unsigned i = 0; i < 6; i++)
		all[i](toy.func);
	toy_verify(&toy);
	for (SsaRef ref = toy.func->blocks[header].first; toy.func->nodes[ref].op == SSA_PHI; ref = toy.func->nodes[ref].next) {
		assert_int_equal(toy.func->nodes[ref].width, 32);
		phis++;
	}
	assert_int_equal(phis, 1);
	for (SsaRef ref = toy.func->blocks[header].first; ref; ref = toy.func->nodes[ref].next)
		if (toy.func->nodes[ref].op == IR_OP_LTS) {
			assert_int_equal(toy.func->nodes[ssa_value(toy.func, toy.func->nodes[ref].a)].width, 32);
			compares++;
		}
	assert_int_equal(compares, 1);
	toy_end(&toy);
}

/* s1 goes round as it came in, s3 = (i32)(s3 * 3), until they are the same: that s3 came in as a number is a guess, which a careful
 * region does not make; and s1, which may be anything for ever, is none. */
static void test_guess(void **state)
{
	(void)state;
	for (unsigned careful = 0; careful < 2; careful++) {
		SsaRef kept, number, x;
		u32 header, latch, behind, guards = 0;
		Toy toy;

		toy_begin(&toy);
		toy.func->careful = careful;
		toy_insn(&toy);
		header = toy_block(&toy);
		kept = toy_home(&toy, 1);
		x = toy_home(&toy, 3);
		toy_jump(&toy, header);
		toy.func->blocks[header].pred_count = 2;
		number = ssa_phi(toy.func, header, 64, 3);
		toy.func->pool[toy.func->nodes[number].a] = x;
		toy.state[3] = toy.func->blocks[header].state[3] = number;
		x = kept;
		kept = ssa_phi(toy.func, header, 64, 1);
		toy.func->pool[toy.func->nodes[kept].a] = x;
		toy.func->pool[toy.func->nodes[kept].a + 1] = kept;
		toy.state[1] = toy.func->blocks[header].state[1] = kept;
		toy.func->blocks[header].pred_count = 1;
		toy.block = header;
		toy_insn(&toy);
		x = toy_node(&toy, IR_OP_EXTRACT, 32, 0, number, 0, 0, 0);
		x = toy_node(&toy, IR_OP_MUL, 32, 0, x, toy_const(&toy, 32, 3), 0, 0);
		x = toy_node(&toy, IR_OP_SX, 64, 0, x, 0, 0, 0);
		toy_put(&toy, 3, x);
		latch = toy_block(&toy);
		behind = toy_block(&toy);
		toy_branch(&toy, toy_bin(&toy, IR_OP_EQ, x, kept), behind, latch);
		toy.block = latch;
		toy_jump(&toy, header);
		toy.func->pool[toy.func->nodes[number].a + 1] = x;
		toy.block = behind;
		toy_leave(&toy);
		ssa_order(toy.func);
		ssa_loops(toy.func);
		ssa_narrow(toy.func);
		toy_verify(&toy);
		for (u32 i = 0; i < toy.func->rpo_count; i++)
			for (SsaRef ref = toy.func->blocks[toy.func->rpo[i]].first; ref; ref = toy.func->nodes[ref].next)
				if (toy.func->nodes[ref].op == SSA_GUARD) {
					assert_int_equal(toy.func->nodes[ref].imm, 1);
					guards++;
				}
		assert_int_equal(guards, careful ? 0 : 1);
		toy_end(&toy);
	}
}

/* s1 += s3 (floats) in a loop: the home is looked at once, ahead of it, and what comes round is not. */
static void test_sum(void **state)
{
	Toy toy;
	SsaRef phi, sum;
	u32 header, latch, behind, guards = 0;

	(void)state;
	toy_begin(&toy);
	toy_insn(&toy);
	header = toy_block(&toy);
	sum = toy_home(&toy, 1);
	toy_jump(&toy, header);
	toy.func->blocks[header].pred_count = 2;
	phi = ssa_phi(toy.func, header, 64, 1);
	toy.func->blocks[header].pred_count = 1;
	toy.func->pool[toy.func->nodes[phi].a] = sum;
	toy.state[1] = toy.func->blocks[header].state[1] = phi;
	toy.block = header;
	toy_insn(&toy);
	sum = toy_bin(&toy, IR_OP_FADD, phi, toy_home(&toy, 3));
	toy_put(&toy, 1, sum);
	latch = toy_block(&toy);
	behind = toy_block(&toy);
	toy_branch(&toy, toy_bin(&toy, IR_OP_FLT, sum, toy_home(&toy, 5)), latch, behind);
	toy.block = latch;
	toy_jump(&toy, header);
	toy.func->pool[toy.func->nodes[phi].a + 1] = sum;
	toy.block = behind;
	toy_leave(&toy);
	ssa_order(toy.func);
	for (unsigned i = 0; i < COUNT_OF(all); i++)
		all[i](toy.func);
	toy_verify(&toy);
	for (u32 i = 0; i < toy.func->rpo_count; i++) {
		const SsaBlock *block = &toy.func->blocks[toy.func->rpo[i]];

		for (SsaRef ref = block->first; ref; ref = toy.func->nodes[ref].next) {
			assert_true(block->ahead || toy.func->nodes[ref].op != SSA_CANON);
			guards += toy.func->nodes[ref].op == SSA_GUARD;
		}
	}
	assert_int_equal(guards, 1);
	toy_end(&toy);
}

static SsaRef put_there(Toy *toy, SsaRef at, unsigned width, u64 value, u64 imm)
{
	return toy_node(toy, SSA_STORE, width, 0, at, toy_const(toy, width, value), 0, imm);
}

static bool is_there(const SsaFunc *func, SsaRef ref, u32 block)
{
	for (SsaRef at = func->blocks[block].first; at; at = func->nodes[at].next)
		if (at == ref)
			return true;
	return false;
}

static SsaRef begin_soft(Toy *toy)
{
	toy_begin(toy);
	toy->func->spaces = toy_spaces;
	toy->func->space_count = COUNT_OF(toy_spaces);
	toy_insn(toy);
	return toy_home(toy, 1);
}

/* Of two stores to the same cells the first goes, unless a load sees it; and it stays if it may leave. */
static void test_sure(void **state)
{
	(void)state;
	for (unsigned seen = 0; seen < 2; seen++) {
		SsaRef at, first, second, third, loads[2];
		Toy toy;

		at = begin_soft(&toy);
		loads[0] = toy_node(&toy, SSA_LOAD, 8, 0, at, 0, 0, 0);
		toy_insn(&toy);
		first = put_there(&toy, at, 64, 1, 0);
		toy_insn(&toy);
		second = put_there(&toy, at, 64, 2, 0);
		toy_insn(&toy);
		loads[1] = seen ? toy_node(&toy, SSA_LOAD, 8, 0, at, 0, 0, 0) : 0;
		third = put_there(&toy, at, 64, 3, 0);
		toy_insn(&toy);
		toy_leave(&toy);
		ssa_order(toy.func);
		ssa_sure(toy.func);
		toy_verify(&toy);
		assert_int_equal(toy.func->nodes[loads[0]].c, 0);
		assert_int_equal(toy.func->nodes[loads[seen]].c, seen);
		assert_int_equal(toy.func->nodes[first].c, 0);
		assert_int_equal(toy.func->nodes[third].c, 1);
		assert_true(is_there(toy.func, first, 0));
		assert_int_equal(is_there(toy.func, second, 0), seen);
		assert_true(is_there(toy.func, third, 0));
		toy_end(&toy);
	}
}

/* A store that is overwritten on one way goes to the other; not past one that changes a part of it and stays. */
static void test_sunk(void **state)
{
	(void)state;
	for (unsigned parted = 0; parted < 2; parted++) {
		SsaRef at, moves;
		u32 ways[2];
		Toy toy;

		at = begin_soft(&toy);
		put_there(&toy, at, 16, 0, 1);
		toy_insn(&toy);
		put_there(&toy, at, 64, 1, 0);
		toy_insn(&toy);
		moves = put_there(&toy, at, 64, 2, 0);
		toy_insn(&toy);
		if (parted)
			put_there(&toy, at, 16, 3, 1);
		ways[0] = toy_block(&toy);
		ways[1] = toy_block(&toy);
		toy_branch(&toy, toy_node(&toy, IR_OP_EXTRACT, 1, 0, at, 0, 0, 0), ways[0], ways[1]);
		for (unsigned k = 0; k < 2; k++) {
			toy.block = ways[k];
			toy_insn(&toy);
			if (!k)
				put_there(&toy, at, 64, 4, 0);
			toy_leave(&toy);
		}
		ssa_order(toy.func);
		ssa_sure(toy.func);
		toy_verify(&toy);
		assert_int_equal(is_there(toy.func, moves, 0), parted);
		assert_int_equal(is_there(toy.func, moves, ways[1]), !parted);
		toy_end(&toy);
	}
}

/* for (;;) { s1 += 1; load [s3 + s1]; } then load [(s5 ^ 5) + s1]: in the loop, the address is (s3 + what s1 was) + 1, its CHECK
 * goes ahead. Behind the loop it stays as it is: what is added there was not known when the round began. */
static void test_added_last(void **state)
{
	u32 header, latch, behind, checks = 0;
	SsaRef phi, first, base, access[2], next;
	const SsaNode *node;
	Toy toy;

	(void)state;
	toy_begin(&toy);
	toy.func->hard_spaces = 1;
	base = toy_home(&toy, 3);
	first = toy_home(&toy, 1);
	toy_insn(&toy);
	header = toy_block(&toy);
	toy_jump(&toy, header);
	toy.func->blocks[header].pred_count = 2;
	phi = ssa_phi(toy.func, header, 64, 1);
	toy.func->pool[toy.func->nodes[phi].a] = first;
	toy.func->blocks[header].pred_count = 1;
	toy.func->blocks[header].state[1] = toy.state[1] = phi;
	toy.block = header;
	toy_insn(&toy);
	next = toy_bin(&toy, IR_OP_ADD, phi, toy_const(&toy, 64, 1));
	toy_put(&toy, 1, next);
	toy_insn(&toy);
	toy_node(&toy, SSA_CHECK, 0, 0, toy_bin(&toy, IR_OP_ADD, base, next), 0, 0, 0);
	access[0] = toy_node(&toy, SSA_LOAD, 64, 0, toy_bin(&toy, IR_OP_ADD, base, next), 0, 0, 0);
	toy_put(&toy, 7, access[0]);
	latch = toy_block(&toy);
	behind = toy_block(&toy);
	toy_branch(&toy, toy_bin(&toy, IR_OP_LTU, next, toy_const(&toy, 64, 1000)), latch, behind);
	toy.block = latch;
	toy_jump(&toy, header);
	toy.func->pool[toy.func->nodes[phi].a + 1] = next;
	toy.block = behind;
	toy_insn(&toy);
	base = toy_bin(&toy, IR_OP_ADD, toy_bin(&toy, IR_OP_XOR, toy_home(&toy, 5), toy_const(&toy, 64, 5)), next);
	toy_node(&toy, SSA_CHECK, 0, 0, base, 0, 0, 0);
	access[1] = toy_node(&toy, SSA_LOAD, 64, 0, base, 0, 0, 0);
	toy_put(&toy, 7, access[1]);
	toy_leave(&toy);
	ssa_order(toy.func);
	ssa_loops(toy.func);
	toy_verify(&toy);
	ssa_address(toy.func);
	toy_verify(&toy);
	node = &toy.func->nodes[access[0]];
	assert_int_equal(node->imm, 1);
	node = &toy.func->nodes[node->a];
	assert_int_equal(node->op, IR_OP_ADD);
	assert_true(node->a == phi || node->b == phi);
	assert_int_equal(toy.func->nodes[access[1]].imm, 0);
	ssa_check(toy.func);
	toy_verify(&toy);
	for (SsaRef ref = toy.func->blocks[header].first; ref; ref = toy.func->nodes[ref].next)
		checks += toy.func->nodes[ref].op == SSA_CHECK;
	assert_int_equal(checks, 0);
	toy_end(&toy);
}

/* A loop that a first round leads into: for (;;) { load [s1]; s1 += 8; s3 = s1 ^ 5; } where s3 is never read. Of s3 nothing is
 * computed: it is made of s1 by the ways out of the next round, and in front of the LEAVE. That is so, too, if it is made in
 * two steps, and the first round may end there: then s3 is a PHI behind the loop that one more way out wants before it is written. */
static void leave_to_ways_out(bool early)
{
	SsaRef address, made, phis[2] = {0}, ends[2] = {0}, first[2] = {0};
	u32 header, latch, out, behind, ways = 0, count = 0, computed = 0;
	Toy toy;

	toy_begin(&toy);
	toy.func->hard_spaces = 1;
	header = toy_block(&toy);
	behind = toy_block(&toy);
	for (unsigned round = 0; round < 2; round++) {
		address = round ? phis[0] : toy_home(&toy, 1);
		toy_insn(&toy);
		toy_node(&toy, SSA_CHECK, 0, 0, address, 0, 0, 0);
		toy_node(&toy, SSA_LOAD, 64, 0, address, 0, 0, 0);
		toy_insn(&toy);
		address = toy_bin(&toy, IR_OP_ADD, address, toy_const(&toy, 64, 8));
		toy_put(&toy, 1, address);
		toy_insn(&toy);
		made = toy_bin(&toy, IR_OP_XOR, address, toy_const(&toy, 64, 5));
		toy_put(&toy, 3, early ? toy_bin(&toy, IR_OP_AND, made, toy_const(&toy, 64, 255)) : made);
		if (round)
			break;
		first[0] = toy.state[1];
		first[1] = toy.state[3];
		if (early) {
			u32 on = toy_block(&toy);

			out = toy_block(&toy);
			toy_branch(&toy, toy_bin(&toy, IR_OP_LTU, first[0], toy_const(&toy, 64, 1000)), on, out);
			toy.block = out;
			toy_jump(&toy, behind);
			toy.block = on;
		}
		toy_jump(&toy, header);
		toy.func->blocks[header].pred_count = 2;
		for (unsigned i = 0; i < 2; i++) {
			phis[i] = ssa_phi(toy.func, header, 64, i ? 3 : 1);
			toy.func->pool[toy.func->nodes[phis[i]].a] = toy.state[i ? 3 : 1];
			toy.func->blocks[header].state[i ? 3 : 1] = phis[i];
		}
		toy.func->blocks[header].pred_count = 1;
		memcpy(toy.state, toy.func->blocks[header].state, toy.func->slot_count * sizeof(SsaRef));
		toy.block = header;
	}
	latch = toy_block(&toy);
	out = toy_block(&toy);
	toy_branch(&toy, toy_bin(&toy, IR_OP_LTU, toy.state[1], toy_const(&toy, 64, 1000)), latch, out);
	toy.block = latch;
	for (unsigned i = 0; i < 2; i++)
		toy.func->pool[toy.func->nodes[phis[i]].a + 1] = toy.state[i ? 3 : 1];
	toy_jump(&toy, header);
	toy.block = out;
	toy_jump(&toy, behind);
	memcpy(toy.func->blocks[behind].state, toy.state, sizeof toy.state);
	for (unsigned i = 0; i < 2 && early; i++) {
		ends[i] = ssa_phi(toy.func, behind, 64, i ? 3 : 1);
		toy.func->pool[toy.func->nodes[ends[i]].a] = first[i];
		toy.func->pool[toy.func->nodes[ends[i]].a + 1] = toy.state[i ? 3 : 1];
		toy.func->blocks[behind].state[i ? 3 : 1] = toy.state[i ? 3 : 1] = ends[i];
	}
	toy.block = behind;
	if (early) {
		toy_insn(&toy);
		toy_node(&toy, SSA_CHECK, 0, 0, ends[0], 0, 0, 0);
		toy_put(&toy, 3, ends[0]);
	}
	toy_leave(&toy);
	ssa_order(toy.func);
	toy_verify(&toy);
	ssa_fuel(toy.func);
	ssa_snap(toy.func);
	ssa_sink(toy.func);
	ssa_lazy(toy.func);
	toy_verify(&toy);
	for (SsaRef ref = toy.func->blocks[header].first; ref; ref = toy.func->nodes[ref].next) {
		const SsaNode *node = &toy.func->nodes[ref];

		count += node->op == SSA_PHI && toy.func->needed[ref];
		computed += node->op == IR_OP_XOR && !ssa_is_lazy(toy.func, ref);
		for (u32 k = 0; node->op == SSA_CHECK && k < toy.func->snaps[node->snap].count; k++)
			ways += ssa_is_lazy(toy.func, ssa_value(toy.func, toy.func->entries[toy.func->snaps[node->snap].first + k].ref));
	}
	assert_int_equal(count, 1); /* of s1 */
	assert_int_equal(computed, 0);
	assert_int_equal(ways, 1);
	for (SsaRef ref = toy.func->blocks[behind].first; ref; ref = toy.func->nodes[ref].next)
		computed += toy.func->nodes[ref].op == IR_OP_XOR && !ssa_is_lazy(toy.func, ref);
	assert_int_equal(computed, !early);
	toy_end(&toy);
}

static void test_left_to_ways_out(void **state)
{
	(void)state;
	leave_to_ways_out(false);
	leave_to_ways_out(true);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_brings),
		cmocka_unit_test(test_restored),
		cmocka_unit_test(test_only_fetched),
		cmocka_unit_test(test_sure),
		cmocka_unit_test(test_sunk),
		cmocka_unit_test(test_added_last),
		cmocka_unit_test(test_left_to_ways_out),
		cmocka_unit_test(test_narrow), cmocka_unit_test(test_guess),
		cmocka_unit_test(test_sum),
		cmocka_unit_test(test_random),
	};

	if (argc > 1)
		seeds = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
