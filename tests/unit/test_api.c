/* SPDX-License-Identifier: MIT
 * libhusk: the road from a text to a running program, and every function told something wrong.
 */
#include "unit/api.h"

#include <pthread.h>
#include <stdio.h>

static const char hello[] = "        .ORIG x3000\n"
			    "        LEA  R0, TEXT\n"
			    "        PUTS\n"
			    "        HALT\n"
			    "TEXT    .STRINGZ \"Hello\\n\"\n"
			    "        .END\n";

typedef struct Seen {
	char text[4096];
	size_t len;
} Seen;

static void take(void *ctx, const void *bytes, size_t len)
{
	Seen *seen = ctx;

	assert_true(seen->len + len < sizeof seen->text);
	memcpy(seen->text + seen->len, bytes, len);
	seen->len += len;
	seen->text[seen->len] = 0;
}

static void test_hello(void **state)
{
	husk_machine_options options;
	husk_context *context;
	husk_program *program;
	husk_machine *machine;
	husk_error *error;
	husk_stop stop;
	husk_isa *isa;
	Seen seen = {.len = 0};

	(void)state;
	HUSK_INIT(options);
	HUSK_INIT(stop);
	options.output = take;
	options.output_ctx = &seen;
	assert_int_equal(husk_context_create(NULL, &context), HUSK_OK);
	assert_int_equal(husk_isa_load_builtin(context, "lc3", NULL, &isa, &error), HUSK_OK);
	assert_null(error);
	assert_int_equal(husk_program_assemble(isa, "hello.asm", hello, strlen(hello), NULL, &program, &error), HUSK_OK);
	assert_int_equal(husk_machine_create(program, &options, &machine, &error), HUSK_OK);
	husk_program_unref(program);
	husk_isa_unref(isa);
	husk_context_unref(context);
	assert_int_equal(husk_machine_run(machine, 3, &stop), HUSK_OK);
	assert_int_equal(stop.kind, HUSK_STOP_FUEL);
	assert_int_equal(stop.instructions, 3);
	assert_int_equal(husk_machine_run(machine, 1000000, &stop), HUSK_OK);
	assert_int_equal(stop.kind, HUSK_STOP_HALTED);
	assert_non_null(strstr(seen.text, "Hello\n"));
	husk_machine_destroy(machine);
}

/* A machine in a context of its own, which it keeps. */
static husk_machine *make(const char *isa_name, const char *isa_text, const char *text, husk_machine_options *options)
{
	husk_context *context;
	husk_machine *machine;

	assert_int_equal(husk_context_create(NULL, &context), HUSK_OK);
	machine = api_make(context, isa_name, isa_text, text, options);
	husk_context_unref(context);
	return machine;
}

static husk_hosts *make_hosts(const char *name, husk_host_function function, void *ctx)
{
	husk_context *context;
	husk_hosts *hosts;

	assert_int_equal(husk_context_create(NULL, &context), HUSK_OK);
	assert_int_equal(husk_hosts_create(context, &hosts), HUSK_OK);
	husk_context_unref(context);
	if (name)
		assert_int_equal(husk_hosts_add(hosts, name, function, ctx), HUSK_OK);
	return hosts;
}

/* ---- Calls, in both directions and into each other ---- */

static const char caller_isa[] = "isa CALLER \"calls and is called\"\n"
				 "space M : 8 x 256\n"
				 "code M\n"
				 "reg R[4] : 32\n"
				 "reg link : 8\n"
				 "reg pc : 8\n"
				 "host twice(x:32) : 32\n"
				 "field d : R\n"
				 "field t : abs\n"
				 "field n : unsigned\n"
				 "insn HOST \"0001 00dd\" d { let before = R[3] + 1; d = host twice(d); R[3] = before }\n"
				 "insn DEC  \"0010 00dd\" d { d = d - 1 }\n"
				 "insn ADD  \"0011 00dd 0000 nnnn\" d, n { d = d + n }\n"
				 "insn JNZ  \"0100 00dd tttttttt\" d, t { if (d != 0) jump t }\n"
				 "insn JMP  \"0101 0000 tttttttt\" t { jump t }\n"
				 "insn RET  \"0110 0000\" { jump link }\n"
				 "insn HLT  \"0111 0000\" { stop 3 }\n"
				 "insn SAVE \"1000 0000\" { M[0xF0] = link }\n"
				 "insn LOAD \"1001 0000\" { link = M[0xF0] }\n";
static const char caller_text[] = "MAIN: HOST R0\n HLT\n"
				  "PLUS5: ADD R0, 5\n RET\n"
				  "SPIN: JMP SPIN\n"
				  "BAD: HLT\n"
				  "DEEP: HOST R0\n RET\n";
static const char *const caller_registers[] = {"R0", "R1"};

typedef struct Nest {
	husk_function *function;
	int depth, most;
	husk_status last;
} Nest;

/* Calls a guest function that calls this again, as deep as it is wanted; then one that only adds. */
static husk_host_result nest(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	husk_convention way;
	husk_function *function;
	Nest *nest = ctx;
	husk_status status;

	assert_int_equal(count, 1);
	HUSK_INIT(way);
	way.arguments = caller_registers;
	way.argument_count = 2;
	way.result = "R0";
	way.link = "link";
	nest->depth++;
	assert_int_equal(husk_function_find(machine, nest->depth < nest->most ? "DEEP" : "PLUS5", &way, &function), HUSK_OK);
	status = husk_function_call(function, args, 1, 1000, result, NULL);
	if (status)
		nest->last = status;
	husk_function_destroy(function);
	*result += 1;
	return HUSK_HOST_DONE;
}

static void call_each_other(husk_engine engine)
{
	husk_machine_options options;
	husk_convention way;
	husk_function *function;
	husk_machine *machine;
	uint64_t value, args[] = {7, 8, 9};
	husk_stop stop;
	Nest state = {.most = 5};

	HUSK_INIT(options);
	HUSK_INIT(stop);
	HUSK_INIT(way);
	options.engine = engine;
	options.hosts = make_hosts("twice", nest, &state);
	machine = make("caller.isa", caller_isa, caller_text, &options);
	husk_hosts_unref(options.hosts);

	way.arguments = caller_registers;
	way.argument_count = 2;
	way.result = "R0";
	way.link = "link";
	assert_int_equal(husk_function_find(machine, "PLUS5", NULL, &function), HUSK_UNSUPPORTED);
	assert_int_equal(husk_function_find(machine, "PLUS6", &way, &function), HUSK_NOT_FOUND);
	assert_int_equal(husk_function_find(machine, "PLUS5", &way, &function), HUSK_OK);
	assert_int_equal(husk_machine_set(machine, "R0", 1000), HUSK_OK);
	assert_int_equal(husk_machine_set(machine, "link", 17), HUSK_OK);
	for (int i = 0; i < 100; i++) { /* until whatever compiles has compiled */
		assert_int_equal(husk_function_call(function, args, 1, 2, &value, &stop), HUSK_OK);
		assert_int_equal(value, 12);
		assert_int_equal(stop.kind, HUSK_STOP_RETURNED);
		assert_int_equal(stop.instructions, 2);
	}
	assert_int_equal(husk_function_call(function, args, 1, 1, &value, &stop), HUSK_FUEL);
	assert_int_equal(stop.instructions, 1);
	assert_int_equal(husk_function_call(function, args, 3, 100, &value, &stop), HUSK_INVALID);
	assert_int_equal(husk_machine_get(machine, "R0", &value), HUSK_OK);
	assert_int_equal(value, 1000);
	assert_int_equal(husk_machine_get(machine, "link", &value), HUSK_OK);
	assert_int_equal(value, 17);
	husk_function_destroy(function);

	assert_int_equal(husk_function_find(machine, "SPIN", &way, &function), HUSK_OK);
	assert_int_equal(husk_function_call(function, NULL, 0, 100001, &value, &stop), HUSK_FUEL);
	assert_int_equal(stop.instructions, 100001);
	husk_function_destroy(function);
	assert_int_equal(husk_function_find(machine, "BAD", &way, &function), HUSK_OK);
	assert_int_equal(husk_function_call(function, NULL, 0, 100, &value, &stop), HUSK_FAILED);
	assert_int_equal(stop.kind, HUSK_STOP_HALTED);
	assert_int_equal(stop.code, 3);
	husk_function_destroy(function);

	/* main -> twice -> DEEP -> twice -> ... -> PLUS5; R[3] of each level survives the levels below. */
	assert_int_equal(husk_machine_set(machine, "R0", 100), HUSK_OK);
	assert_int_equal(husk_machine_set(machine, "R3", 41), HUSK_OK);
	assert_int_equal(husk_machine_run(machine, 100, &stop), HUSK_OK);
	assert_int_equal(stop.kind, HUSK_STOP_HALTED);
	assert_int_equal(stop.instructions, 2);
	assert_int_equal(state.depth, 5);
	assert_int_equal(state.last, HUSK_OK);
	assert_int_equal(husk_machine_get(machine, "R0", &value), HUSK_OK);
	assert_int_equal(value, 110);
	assert_int_equal(husk_machine_get(machine, "R3", &value), HUSK_OK);
	assert_int_equal(value, 42);

	/* Too deep: the innermost call is refused, and all come back. */
	state = (Nest){.most = 1000};
	assert_int_equal(husk_machine_set(machine, "pc", 0), HUSK_OK);
	assert_int_equal(husk_machine_run(machine, 100, &stop), HUSK_OK);
	assert_int_equal(stop.kind, HUSK_STOP_HALTED);
	assert_int_equal(state.last, HUSK_LIMIT);
	assert_int_equal(state.depth, 33);

	assert_int_equal(husk_function_find(machine, "PLUS5", &way, &function), HUSK_OK);
	husk_machine_destroy(machine);
	assert_int_equal(husk_function_call(function, args, 1, 100, &value, NULL), HUSK_STALE);
	husk_function_destroy(function);
}

static void test_calls(void **state)
{
	(void)state;
	call_each_other(HUSK_ENGINE_INTERPRETER);
	call_each_other(HUSK_ENGINE_BEST);
}

static husk_host_result pause_it(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	(void)ctx;
	(void)machine;
	(void)args;
	(void)count;
	(void)result;
	return HUSK_HOST_PAUSE;
}

/* A convention with a stack: the return address is pushed, in the order of the space. */
static void test_stack(void **state)
{
	static const char isa_text[] = "isa STACKED\nspace M : 8 x 0x10000 big\ncode M\nreg a : 16\nreg sp : 16\nreg pc : 16\n"
				       "insn INC \"00000001\" { a = a + 1 }\n"
				       "insn RET \"00000010\" { let to = M:16[sp]; sp = sp + 2; jump to }\n";
	static const char *const arguments[] = {"a"};
	husk_function *function;
	husk_convention way;
	husk_machine *machine = make("stacked.isa", isa_text, "F: INC\n INC\n RET\n", NULL);
	uint64_t value;
	uint8_t cells[2];

	(void)state;
	HUSK_INIT(way);
	way.arguments = arguments;
	way.argument_count = 1;
	way.result = "a";
	way.stack = "sp";
	way.return_address = 0xABCD;
	assert_int_equal(husk_machine_set(machine, "sp", 0x200), HUSK_OK);
	assert_int_equal(husk_function_at(machine, 0, &way, &function), HUSK_OK);
	assert_int_equal(husk_function_call(function, &(uint64_t){40}, 1, 100, &value, NULL), HUSK_OK);
	assert_int_equal(value, 42);
	assert_int_equal(husk_machine_read(machine, 0, 0x1FE, cells, 2), HUSK_OK);
	assert_int_equal(cells[0], 0xAB);
	assert_int_equal(cells[1], 0xCD);
	assert_int_equal(husk_machine_get(machine, "sp", &value), HUSK_OK);
	assert_int_equal(value, 0x200);
	husk_function_destroy(function);
	husk_machine_destroy(machine);
}

/* Linux programs find functions of the host by name, and get errors for what is not there. */
static husk_host_result sum(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	(void)ctx;
	(void)machine;
	assert_int_equal(count, 6);
	for (uint32_t i = 0; i < count; i++)
		*result += args[i];
	return args[0] == 99 ? HUSK_HOST_RAISE : HUSK_HOST_DONE;
}

static void test_linux(void **state)
{
	static const char text[] = "        .globl _start\n"
				   "_start: la a0, name\n li a7, 0x48000000\n ecall\n mv s0, a0\n"       /* FIND "sum": 1 */
				   "        la a0, other\n ecall\n mv s1, a0\n"                          /* nobody */
				   "        li a0, 16\n ecall\n mv s2, a0\n"                            /* no memory there */
				   "        li a7, 0x48000001\n ecall\n mv s3, a0\n"                    /* no such call */
				   "        li a7, 0x48001007\n ecall\n mv s4, a0\n"                    /* no such function */
				   "        li a7, 0x48001000\n add a7, a7, s0\n"
				   "        li a0, 1\n li a1, 2\n li a2, 3\n li a3, 4\n li a4, 5\n li a5, 6\n ecall\n mv s5, a0\n"
				   "        li a0, 99\n li a1, 0\n li a2, 0\n li a3, 0\n li a4, 0\n li a5, 0\n ecall\n mv s6, a0\n"
				   "        li a7, 0x48001000\n ecall\n"                               /* function 0: pauses */
				   "        li a7, 93\n li a0, 7\n ecall\n"
				   "name:   .asciz \"sum\"\nother:  .asciz \"difference\"\n";
	static const struct {
		const char *name;
		int64_t value;
	} expected[] = {{"s0", 1}, {"s1", -2}, {"s2", -14}, {"s3", -38}, {"s4", -38}, {"s5", 21}, {"s6", -99}};
	husk_machine_options options;
	husk_machine *machine;
	uint64_t value;
	husk_stop stop;

	(void)state;
	HUSK_INIT(options);
	HUSK_INIT(stop);
	options.hosts = make_hosts("pause", pause_it, NULL);
	assert_int_equal(husk_hosts_add(options.hosts, "sum", sum, NULL), HUSK_OK);
	machine = make("rv64", NULL, text, &options);
	husk_hosts_unref(options.hosts);
	assert_int_equal(husk_machine_run(machine, 1000, &stop), HUSK_OK);
	assert_int_equal(stop.kind, HUSK_STOP_PAUSED);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		assert_int_equal(husk_machine_get(machine, expected[i].name, &value), HUSK_OK);
		assert_int_equal((int64_t)value, expected[i].value);
	}
	assert_int_equal(husk_machine_run(machine, 1000, &stop), HUSK_OK);
	assert_int_equal(stop.kind, HUSK_STOP_HALTED);
	assert_int_equal(stop.exit_code, 7);
	husk_machine_destroy(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello), cmocka_unit_test(test_calls),
		cmocka_unit_test(test_stack), cmocka_unit_test(test_linux),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
