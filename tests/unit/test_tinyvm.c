/* SPDX-License-Identifier: MIT
 *
 * The TinyVM as a library: source to TvmProgram, .tvmc there and back, threads and locks of a machine that somebody
 * else drives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guests/tinyvm/tinyvm.h"
#include "machine/vcpus.h"

static GuestFile text_file(const char *text)
{
	return (GuestFile){ .name = "test.tvm", .data = (const u8 *)text, .len = strlen(text) };
}

/* ---- Text ---- */

static void parse(TvmProgram *program, unsigned stage, const char *text)
{
	const GuestFile file = text_file(text);

	tvm_program_init(program, stage);
	assert_int_equal(tvm_parse(&file, program, NULL), STATUS_OK);
}

static i32 number_of(const char *text)
{
	char line[128];
	TvmProgram program;
	i32 value;

	snprintf(line, sizeof line, "set v %s", text);
	parse(&program, 1, line);
	value = program.functions[0].insns[0].constant;
	tvm_program_fini(&program);
	return value;
}

/* As C reads them, wherever `long` has 64 bits. */
static void test_numbers(void **state)
{
	static const char *const texts[] = {
		"0", "7", "-7", "+7", "12abc", "abc", "-", "--3", "0x10", "2147483647", "2147483648", "-2147483648", "-2147483649",
		"4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
		"99999999999999999999", "-99999999999999999999", "007",
	};

	(void)state;
	assert_int_equal(sizeof(long), 8);
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (number_of(texts[i]) != (i32)strtol(texts[i], NULL, 10))
			fail_msg("%s is read as %d", texts[i], number_of(texts[i]));
}

/* Which words a stage knows; the others print a variable without a name. */
static void test_words(void **state)
{
	static const struct { const char *word; u8 from; u32 op; } cases[] = {
		{ "set", 1, TVM_LOAD_CONST }, { "add", 1, TVM_ADD }, { "print", 1, TVM_PRINT }, { "sleep", 1, TVM_SLEEP },
		{ "exit", 2, TVM_RETURN }, { "setshared", 3, TVM_SETSHARED }, { "lock", 4, TVM_MONITOR_ENTER },
		{ "unlock", 4, TVM_MONITOR_EXIT }, { "sync", 6, TVM_INVOKE_SYNC }, { "async", 6, TVM_INVOKE_ASYNC },
		{ "print_stack_trace", 9, TVM_PRINT_STACK_TRACE },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (unsigned stage = 1; stage <= 10; stage++) {
			const bool known = stage >= cases[i].from;
			char text[64];
			TvmProgram program;
			const TvmInsn *insn;

			snprintf(text, sizeof text, "function main\n%s a 1 b\n", cases[i].word);
			parse(&program, stage, text);
			insn = &program.functions[0].insns[stage <= 6];
			assert_int_equal(insn->op, known ? cases[i].op : TVM_PRINT);
			assert_int_equal(insn->strange, !known);
			if (!known)
				assert_string_equal(insn->name, "");
			tvm_program_fini(&program);
		}
	}
}

static void test_lines(void **state)
{
	TvmProgram program;

	(void)state;
	parse(&program, 7, "/ left out\n\nfunction f extra\n\t print \t x y z\r\n   \r\n/\nfunction  g\n  function h\nexit");
	assert_int_equal(program.lines, 5);
	assert_int_equal(program.count, 2);
	assert_string_equal(program.functions[0].name, "f");
	assert_int_equal(program.functions[0].count, 1);
	assert_string_equal(program.functions[0].insns[0].name, "x");
	assert_int_equal(program.functions[0].insns[0].line, 4);
	assert_string_equal(program.functions[1].name, "g");
	assert_int_equal(program.functions[1].count, 2); /* an indented `function` begins none */
	assert_int_equal(program.functions[1].insns[0].op, TVM_NOP);
	tvm_program_fini(&program);
}

/* ---- Compiled files ---- */

static void test_written(void **state)
{
	static const char expected[] =
		"\1\0\0\0" "\5\0\0\0main\0" "\3\0\0\0"
		"\3\0\0\0" "\0\0" "\1\0" "\2\0" "\0\0\0\0" "\0\0\0\0"                      /* ADD */
		"\5\0\0\0" "\0\0" "\0\0" "\0\0" "\xFE\xFF\xFF\xFF" "\1\0\0\0" "\2\0\0\0s\0" /* SETSHARED */
		"\2\0\0\0" "\3\0" "\0\0" "\0\0" "\7\0\0\0" "\1\0\0\0" "\2\0\0\0t\0"         /* LOAD_CONST */
		"\4\0\0\0" "\2\0\0\0t\0" "\2\0\0\0a\0" "\2\0\0\0b\0" "\2\0\0\0t\0";
	TvmProgram program;
	Buf out;

	(void)state;
	parse(&program, 10, "function main\nadd t a b\nsetshared s -2\nset t 7\n");
	buf_init(&out);
	tvm_write(&program, &out);
	assert_int_equal(out.len, sizeof expected - 1);
	assert_memory_equal(out.data, expected, out.len);
	buf_fini(&out);
	tvm_program_fini(&program);
}

/* A file that is cut anywhere is refused, with one message; whole it comes back byte for byte. */
static void test_cut(void **state)
{
	TvmProgram program;
	Buf out, again;

	(void)state;
	parse(&program, 10, "function f\nlock m\nadd a b c\nprint_stack_trace\nfunction main\nsync f\nasync g\nsleep 3\nexit");
	buf_init(&out);
	buf_init(&again);
	tvm_write(&program, &out);
	tvm_program_fini(&program);
	for (size_t len = 0; len <= out.len; len++) {
		u8 *exact = malloc(len ? len : 1);
		const GuestFile file = { .name = "cut.tvmc", .data = exact, .len = len };
		DiagList diags;
		Status status;

		assert_non_null(exact);
		memcpy(exact, out.data, len);
		diag_init(&diags);
		tvm_program_init(&program, 10);
		status = tvm_read(&file, &program, &diags);
		if (len < out.len) {
			assert_int_not_equal(status, STATUS_OK);
			assert_int_equal(diags.errors, 1);
		} else {
			assert_int_equal(status, STATUS_OK);
			tvm_write(&program, &again);
		}
		tvm_program_fini(&program);
		diag_fini(&diags);
		free(exact);
	}
	assert_int_equal(out.len, again.len);
	assert_memory_equal(out.data, again.data, out.len);
	buf_fini(&out);
	buf_fini(&again);
}

/* ---- The machine ---- */

typedef struct Rig {
	Isa *isa;
	Machine *machine;
	Buf output, notes;
} Rig;

static void add_output(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
}

static void rig_open(Rig *rig, const char *stage, const char *text, u64 quantum)
{
	const IsaChoice choices[] = { { "stage", stage }, { "time", "off" } };
	const GuestFile file = text_file(text);
	MachineConfig config = { .guest = &tinyvm_guest, .virtual_time = true, .quantum = quantum };
	GuestFile object;
	DiagList diags;
	Buf compiled;

	diag_init(&diags);
	buf_init(&compiled);
	buf_init(&rig->output);
	buf_init(&rig->notes);
	rig->isa = isa_load("tinyvm.isa", tinyvm_isa_text, strlen(tinyvm_isa_text), choices, 2, &diags);
	assert_non_null(rig->isa);
	assert_int_equal(diags.warnings, 0);
	config.isa = rig->isa;
	assert_int_equal(machine_create(&config, &rig->machine, &diags), STATUS_OK);
	assert_int_equal(tinyvm_guest.languages[0].compile(&file, rig->isa, &compiled, NULL, &diags), STATUS_OK);
	object = (GuestFile){ .name = "test.tvm", .data = compiled.data, .len = compiled.len };
	assert_int_equal(tinyvm_guest.load(rig->machine, &object, 1, &diags), STATUS_OK);
	machine_set_output(rig->machine, add_output, &rig->output);
	buf_fini(&compiled);
	diag_fini(&diags);
}

static void rig_close(Rig *rig)
{
	machine_destroy(rig->machine);
	isa_destroy(rig->isa);
	buf_fini(&rig->output);
	buf_fini(&rig->notes);
}

static const char two_workers[] =
	"function work\nlock m\nset one 1\nadd n n one\nsetshared last 3\nprint last\nunlock m\nexit\n"
	"function main\nsetshared n 0\nasync work\nasync work\nsync work\nexit\n";

/* Whatever the quantum, all threads come to their end, and what is locked is never entered by two. */
static void test_interleaving(void **state)
{
	(void)state;
	for (u64 quantum = 1; quantum <= 40; quantum++) {
		const char *at;
		int inside = 0, taken = 0;
		Rig rig;

		rig_open(&rig, "s10", two_workers, quantum);
		assert_int_equal(machine_run(rig.machine, 10000).kind, STOP_HALT);
		assert_int_equal(machine_vcpu_count(rig.machine), 3);
		for (at = buf_text(&rig.output); (at = strchr(at, '\n')) != NULL; at++) {
			if (strncmp(at + 1, "[Thread ", 8))
				continue;
			if (!strncmp(at + 12, "Acquired", 8)) {
				taken++;
				assert_int_equal(++inside, 1);
			}
			if (!strncmp(at + 12, "Released", 8))
				assert_int_equal(--inside, 0);
		}
		assert_int_equal(taken, 3);
		rig_close(&rig);
	}
}

/* Run in steps of one instruction, with a snapshot restored into the machine at each: the same output. */
static void test_snapshots(void **state)
{
	Rig whole, steps;
	MachineStop stop;

	(void)state;
	rig_open(&whole, "s07", two_workers, 3);
	rig_open(&steps, "s07", two_workers, 3);
	assert_int_equal(machine_run(whole.machine, 10000).kind, STOP_HALT);
	do {
		Buf snapshot;

		stop = machine_run(steps.machine, 1);
		if (stop.kind == STOP_HALT)
			break;
		assert_int_equal(stop.kind, STOP_BUDGET);
		buf_init(&snapshot);
		assert_int_equal(machine_snapshot(steps.machine, &snapshot), STATUS_OK);
		assert_int_equal(machine_restore(steps.machine, snapshot.data, snapshot.len), STATUS_OK);
		buf_fini(&snapshot);
	} while (machine_icount(steps.machine) < 10000);
	assert_string_equal(buf_text(&whole.output), buf_text(&steps.output));
	rig_close(&whole);
	rig_close(&steps);
}

static void test_deadlock(void **state)
{
	Rig rig;
	MachineStop stop;
	Buf text;

	(void)state;
	rig_open(&rig, "s04", "lock a\nthread 3\nexit\nlock b\nlock a\nexit", 100);
	machine_set_notes(rig.machine, add_output, &rig.notes);
	stop = machine_run(rig.machine, 1000);
	assert_int_equal(stop.kind, STOP_DEADLOCK);
	assert_int_equal(machine_vcpu_state(rig.machine, 1), VCPU_WAIT_CHANNEL);
	assert_non_null(strstr(buf_text(&rig.notes), "[lock] thread 1 waits for lock 'a', held by thread 0"));
	buf_init(&text);
	tinyvm_guest.describe_wait(rig.machine, 1, 1, &text);
	assert_string_equal(buf_text(&text), "lock 'a', held by thread 0, which ended without 'unlock'");
	buf_clear(&text);
	tinyvm_guest.describe_wait(rig.machine, 1, 0xFFFFFFFFFFFFFFFF, &text); /* no lock of ours */
	assert_int_equal(strncmp(buf_text(&text), "lock '", 6), 0);
	buf_fini(&text);
	rig_close(&rig);
}

/* After a reset that keeps memory the program runs again as it did. */
static void test_reset(void **state)
{
	Rig rig;
	Buf first;

	(void)state;
	rig_open(&rig, "s06", two_workers, 5);
	assert_int_equal(machine_run(rig.machine, 10000).kind, STOP_HALT);
	first = rig.output;
	buf_init(&rig.output);
	machine_reset(rig.machine, true);
	assert_int_equal(machine_run(rig.machine, 10000).kind, STOP_HALT);
	assert_string_equal(buf_text(&first), buf_text(&rig.output));
	buf_fini(&first);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),      cmocka_unit_test(test_words),     cmocka_unit_test(test_lines),
		cmocka_unit_test(test_written),      cmocka_unit_test(test_cut),       cmocka_unit_test(test_interleaving),
		cmocka_unit_test(test_snapshots),    cmocka_unit_test(test_deadlock),  cmocka_unit_test(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
