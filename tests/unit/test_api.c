/* SPDX-License-Identifier: MIT
 * libhusk: the road from a text to a running program, and every function told something wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <husk/husk.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
