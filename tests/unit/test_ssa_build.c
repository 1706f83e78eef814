/* SPDX-License-Identifier: MIT
 *
 * Regions as they are built, held against the interpreter: each is run by ssa_eval on random programs of all shapes of machines
 * (engines.h) and on random RV64GC code in a paged space.
 *
 *     test_ssa_build [ROUNDS [SEED]]     of the random RV64GC code
 */
#include "jit/ssa_home.h"
#include "paged_random.h"
#include "ssa_engine.h"

#ifdef __SANITIZE_ADDRESS__
static u64 wanted_rounds = 24, first_seed = 1;
#else
static u64 wanted_rounds = 80, first_seed = 1;
#endif

static const EngineOps *const both[] = {&interp_engine, &ssa_test_engine};

static void watch(void *ctx, const SsaFunc *func, const char *pass)
{
	(void)ctx;
	if (!ssa_test_verify(func))
		fail_msg("after %s", pass);
}

static bool all_passes(SsaFunc *func)
{
	return ssa_optimize(func, watch, NULL);
}

/* State, counting and snapshots alone. */
static bool last_passes(SsaFunc *func)
{
	ssa_fuel(func);
	ssa_state(func);
	ssa_dead(func);
	ssa_snap(func);
	return !func->failed;
}

static bool count_only(SsaFunc *func)
{
	ssa_fuel(func);
	return !func->failed;
}

static bool (*const pass_lists[])(SsaFunc *) = {NULL, last_passes, all_passes, count_only};

static void random_machines(void **state)
{
	(void)state;
	for (u64 seed = 1; seed <= 4; seed++) {
		ssa_test_shy = seed == 2 ? 100 : 0;
		ssa_test_passes = pass_lists[seed % 4];
		try_engines(both, 2, "toy", toy_isa, seed);
		for (u32 i = 0; i < sizeof machine_paths / sizeof *machine_paths; i++) {
			char *text = read_text(machine_paths[i]);

			try_engines(both, 2, machine_paths[i], text, seed);
			free(text);
		}
	}
}

static void random_rv64(void **state)
{
	char *text = read_text("src/guests/rv64/rv64.isa");

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		ssa_test_hard = i & 1;
		ssa_test_shy = i & 2 ? 50 : 0;
		ssa_test_passes = pass_lists[i % 4 ^ (i >> 2)];
		random_paged(both, "rv64.isa", text, first_seed + i * wanted_rounds / 8, wanted_rounds / 8);
	}
	free(text);
}

static void random_odd(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		ssa_test_passes = pass_lists[i];
		random_paged(both, "odd.isa", odd_isa, first_seed + i * wanted_rounds / 4, wanted_rounds / 4);
	}
}

/* ---- What becomes of small programs ---- */

typedef struct Small {
	Isa *isa;
	char *text;
	Machine *machine;
	Arena arena;
	SsaSource sources[8];
	SsaRegion region;
	Buf out;
} Small;

static void open_small(Small *small, const u32 *words, u32 count)
{
	*small = (Small){.text = read_text("src/guests/rv64/rv64.isa")};
	small->isa = load("rv64.isa", small->text);
	small->machine = open_paged(small->isa, &ssa_test_engine);
	for (u32 i = 0; i < 4 * count; i++)
		machine_write(small->machine, machine_paged_space(small->machine), CODE + i, words[i / 4] >> 8 * (i % 4) & 0xFF);
	arena_init(&small->arena);
	for (u32 r = 0; r < small->isa->reg_count; r++)
		for (u32 i = 0; i < small->isa->regs[r].count; i++)
			ssa_test_widths[small->isa->regs[r].slot + i] = small->isa->regs[r].width;
	small->region = (SsaRegion){.sources = small->sources, .slot_count = small->isa->slot_count, .slot_width = ssa_test_widths,
				    .pc_width = 64, .fma = true, .flag_moves = true};
	isa_find_register(small->isa, "fflags", 6, false, &small->region.flags_slot, &(u8){0});
	buf_init(&small->out);
}

static void close_small(Small *small)
{
	machine_destroy(small->machine);
	isa_destroy(small->isa);
	arena_fini(&small->arena);
	buf_fini(&small->out);
	free(small->text);
}

static SsaSource *add_small(Small *small, u32 word)
{
	SsaSource *source = &small->sources[small->region.count++];
	Translation t = {0};

	assert_int_equal(machine_env_translate(small->machine, CODE + 4 * word, 0, 64, &small->arena, &t), STATUS_OK);
	*source = (SsaSource){.pc = CODE + 4 * word, .func = t.func, .insns = t.insns, .dirty = t.dirty};
	return source;
}

static const char *print_small(Small *small, bool optimized)
{
	SsaFunc *func = ssa_build(&small->region, &small->arena);

	assert_non_null(func);
	if (optimized)
		assert_true(ssa_optimize(func, watch, NULL));
	ssa_print(func, NULL, NULL, &small->out);
	return buf_text(&small->out);
}

static void loop_text(void **state)
{
	static const u32 words[] = {
		0x00150513, /* addi a0, a0, 1 */
		0xFEB51EE3, /* bne a0, a1, -4 */
		0x00000073, /* ecall */
	};
	Small small;
	const char *text;

	(void)state;
	open_small(&small, words, 3);
	add_small(&small, 0);
	text = print_small(&small, false);
	assert_string_equal(text,
		"b0 entry  pc 0x10000\n"
		"  %8 = home.64 s12\n"
		"  %17 = home.64 s11\n"
		"  jump -> b1\n"
		"b1 <- b0 b2  pc 0x10000  loop b1 depth 1\n"
		"  %2 = phi.64 s11 [%17, %5]\n"
		"  insn 0x10000\n"
		"  %5 = add.64 %2, 1\n"
		"  put s11, %5\n"
		"  insn 0x10004\n"
		"  %9 = ne.1 %5, %8\n"
		"  branch %9 -> b2, b3\n"
		"b2 <- b1  pc 0x10004  loop b1 depth 1\n"
		"  jump -> b1\n"
		"b3 <- b1  pc 0x10004\n"
		"  leave link 0x10008\n");
	close_small(&small);
}

static const u32 call_words[] = {
	0x00C000EF, /* jal ra, +12 */
	0x00150513, /* addi a0, a0, 1 */
	0x00000073, /* ecall */
	0x00250513, /* addi a0, a0, 2 */
	0x00008067, /* ret */
};

/* A call leaves, and comes back to an entry. */
static void call_text(void **state)
{
	Small small;
	const char *text;

	(void)state;
	open_small(&small, call_words, 5);
	add_small(&small, 0);
	add_small(&small, 1)->landing = true;
	text = print_small(&small, false);
	assert_non_null(strstr(text, "leave call 0x1000c back 0x10004\n"));
	assert_non_null(strstr(text, "entry  pc 0x10004\n"));
	close_small(&small);
	/* What is behind a call is known, wherever that is. */
	open_small(&small, call_words, 5);
	add_small(&small, 0);
	text = print_small(&small, false);
	assert_non_null(strstr(text, "leave call 0x1000c back 0x10004\n"));
	assert_null(strstr(text, "entry  pc 0x10004\n"));
	close_small(&small);
}

/* A copy of the function in the call's place: the return goes where the register says. */
static void inline_text(void **state)
{
	static const SsaLink link = {CODE + 12, 2};
	Small small;
	const char *text;

	(void)state;
	open_small(&small, call_words, 5);
	add_small(&small, 0);
	add_small(&small, 1);
	*add_small(&small, 3) = (SsaSource){.pc = CODE + 12, .copy = 1, .func = small.sources[2].func, .insns = 2, .back = 2};
	small.sources[0].links = &link;
	small.sources[0].link_count = 1;
	text = print_small(&small, false);
	assert_null(strstr(text, "leave call"));
	assert_null(strstr(text, "leave ret"));
	assert_non_null(strstr(text, "put s2, 0x10004\n"));
	assert_non_null(strstr(text, "leave host 0x10008\n"));
	close_small(&small);
}

/* What isless() becomes: flags are saved, and restored behind the compare. */
static void quiet_text(void **state)
{
	static const u32 words[] = {
		0x02B57553, /* fadd.d fa0, fa0, fa1 */
		0x00102773, /* frflags a4 */
		0xA2A517D3, /* flt.d a5, fa0, fa0 */
		0x00171073, /* fsflags a4 */
		0x00000073, /* ecall */
	};
	Small small;
	const char *text;

	(void)state;
	open_small(&small, words, 5);
	for (u32 i = 0; i < 4; i++)
		add_small(&small, i);
	text = print_small(&small, true);
	assert_non_null(strstr(text, "= flt.1[64]"));
	assert_null(strstr(text, "set_flags"));
	assert_null(strstr(text, "guard")); /* what was added is no signaling NaN */
	close_small(&small);
}

static u32 count_of(const char *text, const char *what)
{
	u32 count = 0;

	while ((text = strstr(text, what))) {
		text++;
		count++;
	}
	return count;
}

/* What is left of the round pays for what comes behind the loop, or for a part of it; without, nothing can leave there. */
static void loop_left_text(void **state)
{
	static const u32 words[] = {
		0x00150513, /* addi a0, a0, 1 */
		0x00B50863, /* beq a0, a1, +16 */
		0x00160613, /* addi a2, a2, 1 */
		0x00168693, /* addi a3, a3, 1 */
		0xFF1FF06F, /* j -16 */
		0x00170713, /* addi a4, a4, 1 */
		0x00170713, 0x00170713, 0x00170713, 0x00170713,
		0x00000073, /* ecall */
	};

	(void)state;
	for (u32 from = 5; from <= 9; from += 4) { /* where the copy of it begins: 6 instructions or 2 */
		Small small;
		const char *text;

		open_small(&small, words, COUNT_OF(words));
		add_small(&small, 0);
		add_small(&small, 2);
		add_small(&small, from)->pc = CODE + 4 * 5;
		text = print_small(&small, true);
		assert_non_null(strstr(text, "fuel 5  {pc 0x10000 refund 0"));
		if (from == 5)
			assert_non_null(strstr(text, "fuel 3  {pc 0x10014 refund 3"));
		assert_int_equal(count_of(text, "fuel 5  {pc 0x10000 refund 0"), 2); /* where it is entered, and jumps back */
		assert_int_equal(count_of(text, "  fuel"), from == 5 ? 3 : 2);
		assert_int_equal(count_of(text, "  refund"), 0);
		close_small(&small);
	}
}

/* The region begins at word 2. What is jumped back to from behind it and from in front of it is the header of two loops, unless
 * what comes from behind has been in front of it, too. */
static void loops_with_one_header(void **state)
{
	static const struct {
		u32 words[7], sources[4], count, depth;
	} cases[] = {
		{{
			 0x00F70A63, /* beq a4, a5, +20 */
			 0x00170713, /* addi a4, a4, 1 */
			 0x00150513, /* addi a0, a0, 1 */
			 0xFEB51AE3, /* bne a0, a1, -12 */
			 0x00000073, /* ecall */
			 0x00178793, /* addi a5, a5, 1 */
			 0xFF1FF06F, /* j -16 */
		 }, {2, 0, 1, 5}, 4, 1},
		{{
			 0x00170713, /* addi a4, a4, 1 */
			 0x00178793, /* addi a5, a5, 1 */
			 0x00150513, /* addi a0, a0, 1 */
			 0xFEB51EE3, /* bne a0, a1, -4 */
			 0xFEF718E3, /* bne a4, a5, -16 */
			 0x00000073, /* ecall */
		 }, {2, 4, 0}, 3, 2},
	};

	(void)state;
	for (u32 i = 0; i < COUNT_OF(cases); i++) {
		Small small;
		const char *text;

		open_small(&small, cases[i].words, 7);
		for (u32 k = 0; k < cases[i].count; k++)
			add_small(&small, cases[i].sources[k]);
		text = print_small(&small, false);
		assert_non_null(strstr(text, "depth 1"));
		assert_int_equal(strstr(text, "depth 2") != NULL, cases[i].depth == 2);
		close_small(&small);
	}
}

/* A constant that is loaded ahead of two loops, and anew on a way through the inner one, is that constant everywhere. */
static void web_of_one_value(void **state)
{
	static const u32 words[] = {
		0x00100793, /* li a5, 1 */
		0x00150513, /* addi a0, a0, 1 */
		0x00158593, /* addi a1, a1, 1 */
		0x00E58463, /* beq a1, a4, +8 */
		0x00100793, /* li a5, 1 */
		0xFEC59AE3, /* bne a1, a2, -12 */
		0xFED516E3, /* bne a0, a3, -20 */
		0x00000073, /* ecall */
	};
	static const u32 sources[] = {0, 1, 2, 4, 5, 6};

	(void)state;
	for (u32 number = 1; number <= 2; number++) { /* what is loaded the second time */
		u32 changed[COUNT_OF(words)];
		Small small;
		const char *text;

		memcpy(changed, words, sizeof words);
		changed[4] = number << 20 | 0x793;
		open_small(&small, changed, COUNT_OF(words));
		for (u32 k = 0; k < COUNT_OF(sources); k++)
			add_small(&small, sources[k]);
		text = print_small(&small, false);
		assert_int_equal(count_of(text, "phi.64 s16"), number == 1 ? 0 : 3);
		assert_int_equal(count_of(text, "phi.64 s11"), 1);
		close_small(&small);
	}
}

/* One slot is to stay at home: not the one that goes round, though the other is named more often, as that is written first. */
static void what_is_read_before_it_is_written_stays_no_home(void **state)
{
	enum { ROUND = 1, BETWEEN = 2, OTHER = 3, SLOTS };
	static const struct { IrOp op; u16 slot; } code[] = {
		{IR_OP_GET, ROUND}, {IR_OP_PUT, BETWEEN}, {IR_OP_GET, BETWEEN}, {IR_OP_GET, BETWEEN}, {IR_OP_PUT, ROUND},
		{IR_OP_GET, OTHER}, {IR_OP_PUT, OTHER},
	};
	IrIns ins[COUNT_OF(code)] = {0};
	const IrFunc func = {.ins = ins};

	(void)state;
	for (u32 i = 0; i < COUNT_OF(code); i++)
		ins[i] = (IrIns){.op = (u8)code[i].op, .aux = code[i].slot, .a = code[i].op == IR_OP_PUT ? IR_CONST_BIT : 0};
	for (u64 often = 0; often < 2; often++) { /* then what only passes is one, besides */
		u64 weights[SLOTS] = {0}, reads[SLOTS] = {0};
		bool floats[SLOTS] = {0}, stay[SLOTS];
		u32 seen[SLOTS] = {0};
		SsaWeights w = {.count = SLOTS, .weights = weights, .reads = reads, .seen = seen, .floats = floats, .stay = stay};

		ssa_weigh(&w, &func, 0, 5, often ? 1000 * SSA_ONCE : 2 * SSA_ONCE);
		ssa_weigh(&w, &func, 5, COUNT_OF(code), SSA_ONCE);
		ssa_choose_homes(&w, &(u64){1 << ROUND | 1 << BETWEEN | 1 << OTHER}, NULL, (const u32[2]){1, 1});
		assert_false(stay[ROUND]);
		assert_int_equal(stay[BETWEEN], !often);
		assert_true(stay[OTHER]);
	}
}

/* Three places: the last is for what weighs as much as the heaviest. */
static void the_last_place_is_for_the_heaviest(void **state)
{
	enum { FIRST = 1, LIGHT = 5, SLOTS };

	(void)state;
	for (unsigned alike = 0; alike < 2; alike++) {
		u64 weights[SLOTS] = {0, 90, 90, alike ? 90 : 80, 60, 50}, reads[SLOTS] = {0, 30, 20, 20, 20, 10};
		bool floats[SLOTS] = {0}, stay[SLOTS];
		SsaWeights w = {.count = SLOTS, .weights = weights, .reads = reads, .floats = floats, .stay = stay};
		u32 kept = 0;

		ssa_choose_homes(&w, &(u64){0x3E}, NULL, (const u32[2]){3, 3});
		for (u32 slot = FIRST; slot <= LIGHT; slot++)
			kept += !stay[slot];
		assert_false(stay[FIRST]);
		assert_int_equal(kept, 2 + alike);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loop_text),
		cmocka_unit_test(call_text),
		cmocka_unit_test(inline_text),
		cmocka_unit_test(quiet_text),
		cmocka_unit_test(loop_left_text),
		cmocka_unit_test(loops_with_one_header),
		cmocka_unit_test(web_of_one_value),
		cmocka_unit_test(what_is_read_before_it_is_written_stays_no_home),
		cmocka_unit_test(the_last_place_is_for_the_heaviest),
		cmocka_unit_test(random_machines),
		cmocka_unit_test(random_rv64),
		cmocka_unit_test(random_odd),
	};
	int failed;

	if (argc > 1)
		wanted_rounds = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 0);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (getenv("SSA_COUNTS"))
		fprintf(stderr, "regions %llu, instructions %llu, cold %llu\n", (unsigned long long)ssa_test_regions,
			(unsigned long long)ssa_test_done, (unsigned long long)ssa_test_cold);
	return failed;
}
