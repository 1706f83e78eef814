/* SPDX-License-Identifier: MIT
 *
 * src/ir/ir_float.c against another emulator: a riscv64 program does all float operations of RV64GC in all modes on a
 * stream of operands and prints a hash of results and flags of each; here is the same stream. Needs
 * riscv64-linux-gnu-gcc and qemu-riscv64 (tools/deps test installs them).
 *
 *     test_float_rv64 [ROUNDS]     10000 when not given; each is 210 operations
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bits.h"
#include "ir/ir_float.h"
#include "rv64/float_stream.h"

typedef struct Operation {
	IrOp op;
	u8 width, arg_width;
	bool integer;
	const char *text;
} Operation;

#define IS_INTEGER_s false
#define IS_INTEGER_d false
#define IS_INTEGER_x true
static const Operation operations[] = {
#define X(ir, to, from, in, out, text) {IR_OP_##ir, to, from, IS_INTEGER_##in, text},
#include "rv64/float_ops.def"
#undef X
};

static u64 rounds = 10000;

static u64 stream_of(unsigned number, unsigned mode)
{
	const Operation *op = &operations[number];
	Stream s = stream_open(op->arg_width, number * 8 + mode);
	u64 hash = 0;

	for (u64 i = 0; i < rounds; i++) {
		Operands o = stream_next(&s, op->integer);
		unsigned flags;
		u64 value = ir_float_compute(op->op, op->width, op->arg_width, (IrRound)mode, o.a, o.b, o.c, &flags);

		hash = stream_hash(stream_hash(hash, value), flags);
	}
	return hash;
}

static bool have(const char *tool)
{
	char command[100];

	snprintf(command, sizeof command, "command -v %s >/dev/null", tool);
	return system(command) == 0;
}

static void other_emulator(void **state)
{
	char folder[] = "/tmp/float_rv64.XXXXXX", command[400], line[100];
	FILE *lines;
	unsigned count = 0;

	(void)state;
	if (!have("riscv64-linux-gnu-gcc") || !have("qemu-riscv64"))
		skip();
	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof command,
		 "riscv64-linux-gnu-gcc -O2 -march=rv64gc -static -nostdlib -ffreestanding -fno-builtin -DROUNDS=%llu -Isrc -Itests "
		 "-o %s/stream tests/rv64/float_stream.c && qemu-riscv64 %s/stream; rm -r %s",
		 (unsigned long long)rounds, folder, folder, folder);
	lines = popen(command, "r");
	assert_non_null(lines);
	while (fgets(line, sizeof line, lines)) {
		unsigned number, mode;
		unsigned long long hash;

		assert_int_equal(sscanf(line, "%x %x %llx", &number, &mode, &hash), 3);
		assert_true(number < COUNT_OF(operations) && mode < STREAM_MODES);
		if (stream_of(number, mode) != hash)
			fail_msg("other results of %s in mode %u", operations[number].text, mode);
		count++;
	}
	assert_int_equal(pclose(lines), 0);
	assert_int_equal(count, COUNT_OF(operations) * STREAM_MODES);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(other_emulator)};

	if (argc > 1)
		rounds = strtoull(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
