/* SPDX-License-Identifier: MIT
 * debug: stepping in both directions, points, expressions, backtraces. Going back must lead to states that were
 * there: they are compared with hashes of the whole machine taken on the way forward.
 */
#include "toy.h"

#include "base/rng.h"
#include "debug/session.h"

typedef struct Bench {
	Toy toy;
	DebugSymbols symbols;
	DebugSession *session;
	Buf output;
} Bench;

static void bench_output(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(&((Bench *)ctx)->output, bytes, len);
}

static void bench_open(Bench *bench, const char *text, const char *input)
{
	DebugOutput output = { .write = bench_output, .ctx = bench };

	toy_open(&bench->toy, text);
	buf_init(&bench->output);
	debug_symbols_init(&bench->symbols, false);
	assert_int_equal(debug_symbols_add_program(&bench->symbols, bench->toy.program), STATUS_OK);
	if (input) {
		machine_input(bench->toy.machine, (const u8 *)input, strlen(input));
		machine_input_end(bench->toy.machine);
	}
	bench->session = debug_session_create(bench->toy.machine, &bench->symbols, 0, &output);
	assert_non_null(bench->session);
}

static void bench_close(Bench *bench)
{
	debug_session_destroy(bench->session);
	debug_symbols_fini(&bench->symbols);
	buf_fini(&bench->output);
	toy_close(&bench->toy);
}

static u64 icount(const Bench *bench)
{
	return machine_icount(bench->toy.machine);
}

static u64 reg(const Bench *bench, const char *name)
{
	return toy_reg(bench->toy.machine, name);
}

static u64 label(Bench *bench, const char *name)
{
	const DebugSymbol *symbol = debug_symbols_find(&bench->symbols, name, strlen(name));

	assert_non_null(symbol);
	return symbol->value;
}

static DebugExpr *expr(Bench *bench, const char *text)
{
	DebugNames names;
	DebugExpr *made;
	Buf error;

	debug_names(bench->session, &names);
	buf_init(&error);
	made = debug_expr_parse(&names, text, strlen(text), NULL, &error);
	if (!made)
		fprintf(stderr, "%s: %s\n", text, buf_text(&error));
	assert_non_null(made);
	buf_fini(&error);
	return made;
}

/* Calls, recursion, memory, devices and interrupts; about 6000 instructions. */
static const char busy[] = ".ORG 0x40\n"
			   "LI R5, -254\nLD R6, R5\nOUT R6\nIRET\n"
			   ".ORG 0x80\n"
			   "deep: ADDI R6, R6, -1\nST R7, R6\nADDI R0, R0, -1\nBNZ R0, more\nLI R4, 1\nBNZ R4, back\n"
			   "more: CALL deep\nafter: ADDI R3, R3, 1\n"
			   "back: LD R7, R6\nADDI R6, R6, 1\nRET\n"
			   ".ORG 0x100\n"
			   "LI R6, 0xFF\nADD R6, R6, R6\nADD R6, R6, R6\n" /* the stack grows down from 0x3FC */
			   "LI R2, 60\n"
			   "loop: LI R0, 5\n"
			   "site: CALL deep\n"
			   "ret: LI R1, 0x7F\nADD R1, R1, R1\nADD R1, R1, R1\nADD R1, R1, R2\nST R3, R1\nRAND R4\nADD R5, R5, R4\n"
			   "ADDI R2, R2, -1\nBNZ R2, loop\nLI R1, 65\nOUT R1\nSTOP 3\n";

/* Random places, there and back, compared with the states of the way forward. */
static void test_goto(void **state)
{
	Bench bench;
	Rng rng = { 3 };
	u64 *hashes, last;
	DebugStop stop;

	(void)state;
	bench_open(&bench, busy, "xyz");
	debug_session_interval(bench.session, 100);
	hashes = calloc(20000, sizeof(u64));
	do {
		hashes[icount(&bench)] = toy_hash(bench.toy.machine);
		stop = debug_step(bench.session, 1);
		assert_in_range(icount(&bench), 1, 19999);
	} while (stop.reason == DEBUG_DONE);
	assert_int_equal(stop.reason, DEBUG_MACHINE);
	assert_int_equal(stop.machine.kind, STOP_HALT);
	last = icount(&bench);
	assert_in_range(last, 2000, 10000);
	for (int n = 0; n < 300; n++) {
		u64 target = rng_below(&rng, last);

		assert_int_equal(debug_goto(bench.session, target).reason, DEBUG_DONE);
		assert_int_equal(icount(&bench), target);
		assert_true(toy_hash(bench.toy.machine) == hashes[target]);
	}
	debug_goto(bench.session, last - 1);
	for (u64 at = last - 1; at > last - 400; at--) {
		assert_int_equal(debug_reverse_step(bench.session, 1).reason, DEBUG_DONE);
		assert_int_equal(icount(&bench), at - 1);
		assert_true(toy_hash(bench.toy.machine) == hashes[at - 1]);
	}
	assert_int_equal(debug_reverse_step(bench.session, last).reason, DEBUG_PAST_END);
	assert_int_equal(icount(&bench), 0);
	assert_int_equal(debug_reverse_step(bench.session, 1).reason, DEBUG_PAST_END);
	assert_int_equal(debug_continue(bench.session).machine.kind, STOP_HALT);
	assert_string_equal(buf_text(&bench.output), "A"); /* shown once, whatever went on in between */
	free(hashes);
	bench_close(&bench);
}

/* Few, spread snapshots however long it runs; going back works everywhere. */
static void test_thinning(void **state)
{
	Bench bench;
	u64 bytes;

	(void)state;
	bench_open(&bench, ".ORG 0x100\nloop: ADDI R1, R1, 1\nLI R2, 1\nBNZ R2, loop\n", NULL);
	debug_session_interval(bench.session, 1000);
	debug_step(bench.session, 1000000);
	assert_in_range(debug_snapshot_count(bench.session, &bytes), 30, 64);
	for (u64 at = 999990; at > 10; at = at * 9 / 10) {
		assert_int_equal(debug_goto(bench.session, at).reason, DEBUG_DONE);
		assert_int_equal(reg(&bench, "R1"), ((at + 2) / 3) & 0xFFFF);
	}
	assert_int_equal(debug_past_begin(bench.session), 0);
	bench_close(&bench);
}

static void test_break(void **state)
{
	Bench bench;
	DebugStop stop;
	const DebugPoint *always, *some;
	u64 at;

	(void)state;
	bench_open(&bench, busy, NULL);
	some = debug_break(bench.session, label(&bench, "loop"), expr(&bench, "R2 == 57 || R2 == 50"), false, "loop");
	stop = debug_continue(bench.session);
	assert_int_equal(stop.reason, DEBUG_BREAK);
	assert_ptr_equal(stop.point, some);
	assert_int_equal(reg(&bench, "R2"), 57);
	assert_int_equal(debug_continue(bench.session).reason, DEBUG_BREAK);
	assert_int_equal(reg(&bench, "R2"), 50);
	assert_int_equal(some->hits, 2);
	at = icount(&bench);
	stop = debug_reverse_continue(bench.session);
	assert_int_equal(stop.reason, DEBUG_BREAK);
	assert_int_equal(reg(&bench, "R2"), 57);
	assert_int_equal(debug_reverse_continue(bench.session).reason, DEBUG_PAST_END);
	assert_int_equal(icount(&bench), 0);
	assert_int_equal(debug_continue(bench.session).reason, DEBUG_BREAK);
	assert_int_equal(debug_continue(bench.session).reason, DEBUG_BREAK);
	assert_int_equal(icount(&bench), at);
	assert_true(debug_point_enable(bench.session, some->id, false));
	always = debug_break(bench.session, label(&bench, "ret"), NULL, true, "ret");
	stop = debug_continue(bench.session);
	assert_int_equal(stop.reason, DEBUG_BREAK);
	assert_ptr_equal(stop.point, always);
	assert_int_equal(debug_point_count(bench.session), 1); /* the temporary one is gone */
	stop = debug_continue(bench.session);
	assert_int_equal(stop.machine.kind, STOP_HALT);
	assert_false(debug_point_delete(bench.session, 99));
	debug_point_delete_all(bench.session);
	assert_int_equal(debug_point_count(bench.session), 0);
	bench_close(&bench);
}

/* Back to the last writer of a cell, of a register, of an expression. */
static void test_watch(void **state)
{
	Bench bench;
	DebugStop stop;
	Buf error;
	const DebugPoint *cell;

	(void)state;
	bench_open(&bench, busy, "pq");
	debug_session_interval(bench.session, 150);
	buf_init(&error);
	assert_int_equal(debug_continue(bench.session).machine.kind, STOP_HALT);
	/* ST R3, R1 writes to 0x1FC + R2; the last time R2 was 1, and R3 had counted 4 for each of 60 rounds. */
	cell = debug_watch(bench.session, expr(&bench, "M[0x1FC + 20]"), NULL, false, false, "cell", &error);
	assert_non_null(cell);
	stop = debug_reverse_continue(bench.session);
	assert_int_equal(stop.reason, DEBUG_WATCH);
	assert_true(stop.backward);
	assert_int_equal(reg(&bench, "R2"), 20);
	assert_int_equal(stop.before.value, 0);
	assert_int_equal(stop.after.value, 4 * 41);
	assert_int_equal(machine_pc(bench.toy.machine), label(&bench, "ret") + 4); /* the store itself */
	assert_int_equal(debug_step(bench.session, 1).reason, DEBUG_WATCH);
	assert_int_equal(debug_reverse_continue(bench.session).reason, DEBUG_WATCH);
	assert_int_equal(debug_reverse_continue(bench.session).reason, DEBUG_PAST_END);
	debug_point_delete_all(bench.session);

	assert_non_null(debug_watch(bench.session, expr(&bench, "R2"), expr(&bench, "R2 < 40"), false, false, "R2", &error));
	stop = debug_continue(bench.session);
	assert_int_equal(stop.reason, DEBUG_WATCH);
	assert_int_equal(stop.before.value, 40);
	assert_int_equal(stop.after.value, 39);
	stop = debug_continue(bench.session);
	assert_int_equal(stop.after.value, 38);
	stop = debug_reverse_continue(bench.session);
	assert_int_equal(stop.after.value, 38); /* before the instruction that makes it 38 */
	assert_int_equal(reg(&bench, "R2"), 39);
	stop = debug_reverse_continue(bench.session);
	assert_int_equal(stop.after.value, 39);
	assert_int_equal(debug_reverse_continue(bench.session).reason, DEBUG_PAST_END);
	debug_point_delete_all(bench.session);

	assert_non_null(debug_watch(bench.session, expr(&bench, "M[0x3FB]"), NULL, true, false, "read", &error));
	stop = debug_continue(bench.session);
	assert_int_equal(stop.reason, DEBUG_WATCH); /* written by the first call */
	stop = debug_continue(bench.session);
	assert_int_equal(stop.reason, DEBUG_WATCH); /* read by its return: the value stays */
	assert_int_equal(stop.before.value, stop.after.value);
	assert_null(debug_watch(bench.session, expr(&bench, "3 + 4"), NULL, false, false, "x", &error));
	buf_fini(&error);
	bench_close(&bench);
}

static void test_next_and_finish(void **state)
{
	Bench bench;
	DebugStop stop;
	u64 called, returned;
	DebugFrame frames[16];
	bool complete;
	u32 count;

	(void)state;
	bench_open(&bench, busy, NULL);
	debug_session_interval(bench.session, 7); /* so that the calls lie on both sides of snapshots */
	debug_until(bench.session, label(&bench, "site"));
	called = icount(&bench);
	stop = debug_next(bench.session, 1);
	assert_int_equal(stop.reason, DEBUG_FINISHED);
	assert_int_equal(machine_pc(bench.toy.machine), label(&bench, "ret"));
	assert_int_equal(reg(&bench, "R3"), 4);
	returned = icount(&bench);
	stop = debug_reverse_next(bench.session, 1); /* over the whole call */
	assert_int_equal(stop.reason, DEBUG_DONE);
	assert_int_equal(icount(&bench), called);

	/* Inside the recursion: `next` over the recursive call stays at its depth. */
	debug_break(bench.session, label(&bench, "more"), NULL, false, "more");
	debug_continue(bench.session);
	debug_continue(bench.session);
	assert_int_equal(reg(&bench, "R0"), 3);
	debug_point_delete_all(bench.session);
	count = debug_backtrace(bench.session, frames, 16, &complete);
	assert_int_equal(count, 3);
	assert_true(complete);
	assert_int_equal(frames[0].entry, label(&bench, "deep"));
	assert_int_equal(frames[0].pc, label(&bench, "more"));
	assert_int_equal(frames[1].pc, label(&bench, "more"));
	assert_int_equal(frames[2].pc, label(&bench, "site"));
	assert_false(frames[2].entry_known);
	called = icount(&bench);
	stop = debug_next(bench.session, 1);
	assert_int_equal(stop.reason, DEBUG_FINISHED);
	assert_int_equal(machine_pc(bench.toy.machine), label(&bench, "after"));
	assert_int_equal(reg(&bench, "R3"), 2);
	assert_int_equal(debug_backtrace(bench.session, frames, 16, &complete), 3);
	debug_reverse_next(bench.session, 1);
	assert_int_equal(icount(&bench), called);
	stop = debug_finish(bench.session); /* out of the inner of two */
	assert_int_equal(stop.reason, DEBUG_FINISHED);
	assert_int_equal(machine_pc(bench.toy.machine), label(&bench, "after"));
	assert_int_equal(reg(&bench, "R3"), 3);
	stop = debug_finish(bench.session);
	assert_int_equal(stop.reason, DEBUG_FINISHED);
	assert_int_equal(icount(&bench), returned);
	stop = debug_finish(bench.session);
	assert_int_equal(stop.reason, DEBUG_FAILED);
	assert_int_equal(debug_next(bench.session, 3).reason, DEBUG_DONE);
	assert_int_equal(machine_pc(bench.toy.machine), label(&bench, "ret") + 3);
	bench_close(&bench);
}

/* An interrupt that comes while stepping is stepped over. */
static void test_next_interrupt(void **state)
{
	Bench bench;
	DebugStop stop;

	(void)state;
	bench_open(&bench, ".ORG 0x40\nLI R5, -254\nLD R6, R5\nOUT R6\nIRET\n"
			   ".ORG 0x100\nSETF\nLI R1, 1\nLI R2, 2\nSTOP 0\n", "k");
	assert_int_equal(debug_next(bench.session, 1).reason, DEBUG_DONE);
	stop = debug_next(bench.session, 1);
	assert_int_equal(stop.reason, DEBUG_DONE);
	assert_int_equal(machine_pc(bench.toy.machine), 0x102);
	assert_int_equal(icount(&bench), 6);
	assert_string_equal(buf_text(&bench.output), "k");
	debug_reverse_next(bench.session, 1);
	assert_int_equal(machine_pc(bench.toy.machine), 0x101);
	debug_goto(bench.session, 3);
	assert_int_equal(machine_pc(bench.toy.machine), 0x42);
	{
		DebugFrame frames[4];
		bool complete;

		assert_int_equal(debug_backtrace(bench.session, frames, 4, &complete), 2);
		assert_true(frames[0].interrupt);
		assert_int_equal(frames[1].pc, 0x101);
	}
	assert_int_equal(debug_finish(bench.session).reason, DEBUG_FINISHED);
	assert_int_equal(machine_pc(bench.toy.machine), 0x101);
	bench_close(&bench);
}

/* Changes: the past stays reachable, running forward again passes through the change; going back and changing
 * something else makes another future. */
static void test_changes(void **state)
{
	Bench bench;
	DebugExpr *target;
	Buf error, saved;
	u64 after;

	(void)state;
	bench_open(&bench, ".ORG 0x100\nloop: ADDI R1, R1, 1\nLI R2, 1\nBNZ R2, loop\n", NULL);
	buf_init(&error);
	buf_init(&saved);
	debug_step(bench.session, 300);
	assert_int_equal(reg(&bench, "R1"), 100);
	target = expr(&bench, "R1");
	assert_true(debug_assign(bench.session, target, 5000, &error));
	debug_step(bench.session, 300);
	assert_int_equal(reg(&bench, "R1"), 5100);
	after = toy_hash(bench.toy.machine);
	debug_goto(bench.session, 150);
	assert_int_equal(reg(&bench, "R1"), 50);
	debug_run_to(bench.session, 600);
	assert_true(toy_hash(bench.toy.machine) == after);
	debug_goto(bench.session, 299);
	assert_int_equal(reg(&bench, "R1"), 100);
	debug_goto(bench.session, 300);
	assert_int_equal(reg(&bench, "R1"), 5000);
	debug_goto(bench.session, 150);
	assert_true(debug_assign(bench.session, target, 7, &error));
	debug_run_to(bench.session, 600);
	assert_int_equal(reg(&bench, "R1"), 7 + 150);
	assert_int_equal(debug_save(bench.session, &saved), STATUS_OK);
	assert_int_equal(debug_reset(bench.session), STATUS_OK);
	assert_int_equal(icount(&bench), 0);
	debug_step(bench.session, 3);
	assert_int_equal(reg(&bench, "R1"), 1);
	assert_int_equal(debug_load(bench.session, saved.data, saved.len), STATUS_OK);
	assert_int_equal(reg(&bench, "R1"), 157);
	assert_int_equal(debug_reverse_step(bench.session, 1).reason, DEBUG_PAST_END);
	saved.data[30] ^= 1;
	assert_int_equal(debug_load(bench.session, saved.data, saved.len), STATUS_CORRUPT);
	debug_expr_destroy(target);
	buf_fini(&error);
	buf_fini(&saved);
	bench_close(&bench);
}

/* Input while it waits is part of the past, and comes again when the past is run again. */
static void test_input(void **state)
{
	Bench bench;
	DebugStop stop;

	(void)state;
	bench_open(&bench, ".ORG 0x100\nloop: GETC R1\nOUT R1\nADD R3, R3, R1\nLI R2, 1\nBNZ R2, loop\n", NULL);
	stop = debug_continue(bench.session);
	assert_int_equal(stop.machine.kind, STOP_WAIT);
	debug_input(bench.session, (const u8 *)"a", 1);
	stop = debug_continue(bench.session);
	assert_int_equal(stop.machine.kind, STOP_WAIT);
	assert_int_equal(icount(&bench), 5);
	debug_input(bench.session, (const u8 *)"b", 1);
	stop = debug_continue(bench.session);
	assert_int_equal(reg(&bench, "R3"), 'a' + 'b');
	debug_goto(bench.session, 2);
	assert_int_equal(reg(&bench, "R1"), 'a');
	stop = debug_continue(bench.session);
	assert_int_equal(stop.machine.kind, STOP_WAIT);
	assert_int_equal(icount(&bench), 10);
	assert_int_equal(reg(&bench, "R3"), 'a' + 'b');
	assert_string_equal(buf_text(&bench.output), "ab");
	debug_goto(bench.session, 6);
	/* b was taken already. Another future: the device takes y, as nothing waits now, and GETC gets z. */
	debug_input(bench.session, (const u8 *)"yz", 2);
	stop = debug_continue(bench.session);
	assert_string_equal(buf_text(&bench.output), "abbz");
	debug_input_end(bench.session);
	assert_int_equal(debug_continue(bench.session).machine.kind, STOP_INPUT_ENDED);
	bench_close(&bench);
}

static void test_interrupted(void **state)
{
	volatile sig_atomic_t flag = 1;
	Bench bench;

	(void)state;
	bench_open(&bench, ".ORG 0x100\nloop: LI R2, 1\nBNZ R2, loop\n", NULL);
	debug_session_interrupt_flag(bench.session, &flag);
	assert_int_equal(debug_continue(bench.session).reason, DEBUG_INTERRUPTED);
	assert_int_equal(flag, 0);
	debug_step(bench.session, 1000);
	flag = 1;
	debug_break(bench.session, 0x200, NULL, false, "nowhere");
	assert_int_equal(debug_reverse_continue(bench.session).reason, DEBUG_INTERRUPTED);
	assert_int_equal(icount(&bench), 1000); /* back where it was */
	bench_close(&bench);
}

/* ---- Expressions ---- */

static void test_expressions(void **state)
{
	static const struct { const char *text; u64 value; } good[] = {
		{ "1 + 2 * 3", 7 },       { "(1 + 2) * 3", 9 },       { "0x10 | 0b101", 0x15 },  { "10 - -3", 13 },
		{ "R1", 0xFFFF },         { "R1 == -1", 1 },          { "R1 < 0", 1 },           { "R1 <u 5", 0 },
		{ "R1 + 1", 0 },          { "-R2", 0xFFFB },          { "~R2 & 0xFF", 0xFA },    { "!R3", 1 },
		{ "M[0x50]", 0x1234 },    { "M[R2 * 16]", 0x1234 },   { "[80] >> 4", 0x123 },    { "*80", 0x1234 },
		{ "there", 0x101 },       { "there + 1 == 0x102", 1 }, { "pc", 0x100 },          { "pc > 0x8000", 0 },
		{ "R[1]", 0xFFFF },       { "D[3]", 0xAB },           { "D:16[3]", 0xCDAB },     { "flags", 2 },
		{ "'A'", 65 },            { "icount", 0 },            { "1 && 0 || 1", 1 },      { "0 && 1 / 0", 0 },
		{ "7 / -2", (u64)-3 },    { "7 % 4", 3 },             { "1 << 4 << 1", 32 },     { "1 == 1 & 1", 1 },
		{ "$R2", 5 },             { "r2", 5 },                { "R1 >= -1 && R1 <= -1", 1 },
	};
	static const char *const bad[] = { "", "1 +", "(1", "M[1", "nothing", "1 2", "M:5[0]", "D[", "'ab'", "&&", ")",
					   "1 / 0", "D[100]", "R[8]", "M:7[0]" };
	Bench bench;
	DebugNames names;
	Buf error, nested;

	(void)state;
	bench_open(&bench, ".ORG 0x100\nSTOP 0\nthere: STOP 1\n", NULL);
	debug_names(bench.session, &names);
	{
		static const struct { const char *target; u64 value; } sets[] = {
			{ "R1", 0xFFFF }, { "R2", 5 }, { "M[0x50]", 0x1234 }, { "D:16[3]", 0xCDAB }, { "ie", 1 },
		};

		buf_init(&error);
		for (size_t i = 0; i < COUNT_OF(sets); i++) {
			DebugExpr *target = expr(&bench, sets[i].target);

			assert_true(debug_expr_assign(target, bench.toy.machine, sets[i].value, &error));
			debug_expr_destroy(target);
		}
	}
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		DebugExpr *made = expr(&bench, good[i].text);
		DebugValue value;

		if (!debug_expr_eval(made, bench.toy.machine, &value, &error) || value.value != good[i].value)
			fail_msg("%s = 0x%llx", good[i].text, (unsigned long long)value.value);
		debug_expr_destroy(made);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		DebugExpr *made;
		DebugValue value;

		buf_clear(&error);
		made = debug_expr_parse(&names, bad[i], strlen(bad[i]), NULL, &error);
		if (made && debug_expr_eval(made, bench.toy.machine, &value, &error))
			fail_msg("'%s' was taken", bad[i]);
		assert_true(error.len > 5);
		debug_expr_destroy(made);
	}
	buf_init(&nested);
	buf_fill(&nested, '(', 100000);
	assert_null(debug_expr_parse(&names, buf_text(&nested), nested.len, NULL, &error));
	buf_clear(&nested);
	buf_fill(&nested, '-', 100000);
	assert_null(debug_expr_parse(&names, buf_text(&nested), nested.len, NULL, &error));
	buf_fini(&nested);
	buf_fini(&error);
	bench_close(&bench);
}

static void test_symbols(void **state)
{
	Bench bench;
	u64 offset;
	const DebugSymbol *symbol;
	const DebugLine *line;

	(void)state;
	bench_open(&bench, ".ORG 0x100\none: STOP 0\nSTOP 1\ntwo: also: STOP 2\n.SPACE 3\nSTOP 4 ; end\n", NULL);
	symbol = debug_symbols_near(&bench.symbols, 0, 0x101, 100, &offset);
	assert_string_equal(symbol->name, "one");
	assert_int_equal(offset, 1);
	assert_null(debug_symbols_near(&bench.symbols, 0, 0xFF, 100, &offset));
	assert_null(debug_symbols_near(&bench.symbols, 0, 0x200, 100, &offset));
	assert_null(debug_symbols_near(&bench.symbols, 1, 0x101, 100, &offset));
	symbol = debug_symbols_near(&bench.symbols, 0, 0x104, 100, &offset);
	assert_string_equal(symbol->name, "two");
	line = debug_symbols_line(&bench.symbols, 0, 0x104);
	assert_int_equal(line->line, 5);
	assert_int_equal(line->cells, 3);
	line = debug_symbols_line(&bench.symbols, 0, 0x106);
	assert_string_equal(line->text, "STOP 4 ; end");
	assert_string_equal(line->file, "toy.asm");
	assert_true(line->is_code);
	assert_null(debug_symbols_line(&bench.symbols, 0, 0x107));
	assert_int_equal(debug_symbols_find_line(&bench.symbols, "toy.asm", 3)->address, 0x101);
	assert_null(debug_symbols_find_line(&bench.symbols, NULL, 7));
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goto), cmocka_unit_test(test_thinning), cmocka_unit_test(test_break),
		cmocka_unit_test(test_watch), cmocka_unit_test(test_next_and_finish),
		cmocka_unit_test(test_next_interrupt), cmocka_unit_test(test_changes), cmocka_unit_test(test_input),
		cmocka_unit_test(test_interrupted), cmocka_unit_test(test_expressions), cmocka_unit_test(test_symbols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
