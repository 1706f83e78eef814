/* SPDX-License-Identifier: MIT
 *
 * src/ir/ir_float.c against another emulator: a riscv64 program does all float operations of RV64GC in all modes on a
 * stream of operands and prints a hash of results and flags of each; here is the same stream. Needs
 * riscv64-linux-gnu-gcc and qemu-riscv64 (tools/deps test installs them).
 *
 * Then the interpreter, which mostly uses the host's arithmetic, against ir_float.c on that stream: through a description
 * that has an instruction for each operation, mode, and order in which value and flags may be written.
 *
 *     test_float_rv64 [ROUNDS]     10000 when not given; each is 210 operations
 */
#include <unistd.h>

#include "asm_testing.h"
#include "base/bits.h"
#include "ir/ir_float.h"
#include "machine/machine.h"
#include "rv64/float_stream.h"
#include "tools.h"

typedef struct Operation {
	IrOp op;
	u8 width, arg_width;
	bool integer;
	const char *text, *rtl;
} Operation;

#define IS_INTEGER_s false
#define IS_INTEGER_d false
#define IS_INTEGER_x true
static const Operation operations[] = {
#define X(ir, to, from, in, out, text, rtl) {IR_OP_##ir, to, from, IS_INTEGER_##in, text, rtl},
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

static void other_emulator(void **state)
{
	char folder[] = "/tmp/float_rv64.XXXXXX", command[400], line[100];
	FILE *lines;
	unsigned count = 0;

	(void)state;
	need_tool("riscv64-linux-gnu-gcc");
	need_tool("qemu-riscv64");
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

/* ---- The interpreter ---- */

enum { FLAGS_FIRST, VALUE_FIRST, ONLY_FLAGS, ONLY_VALUE, FLAGS_REPLACE, FORMS };

/* A word is: form, number of the operation, mode. */
static u64 word_of(unsigned form, unsigned number, unsigned mode)
{
	return form << 13 | number << 4 | mode;
}

static void put_rtl(Buf *out, const char *rtl, const char *suffix)
{
	for (; *rtl; rtl++) {
		if (*rtl == '@')
			buf_str(out, suffix);
		else
			buf_byte(out, (u8)*rtl);
	}
}

static void put_binary(Buf *out, unsigned value, unsigned digits)
{
	while (digits--)
		buf_byte(out, '0' + (value >> digits & 1));
}

static void put_body(Buf *out, const Operation *op, unsigned form)
{
	const char *how = op->width == 64 ? "" : "zx";

	buf_str(out, " m { ");
	if (form == FLAGS_FIRST || form == ONLY_FLAGS) {
		buf_str(out, "ff = ff | ");
		put_rtl(out, op->rtl, "_flags");
		buf_str(out, "; ");
	}
	if (form == FLAGS_REPLACE) {
		buf_str(out, "ff = ");
		put_rtl(out, op->rtl, "_flags");
		buf_str(out, "; ");
	}
	if (form != ONLY_FLAGS) {
		buf_printf(out, "%s = %s(", form == ONLY_VALUE ? "a" : "r", how);
		put_rtl(out, op->rtl, "");
		buf_str(out, "); ");
	}
	if (form == VALUE_FIRST) {
		put_rtl(out, "let x = ", "");
		put_rtl(out, op->rtl, "_flags");
		buf_str(out, "; ff = x | ff ");
	}
	buf_str(out, "}\n");
}

static Isa *float_isa(void)
{
	Buf text = {0};
	Isa *isa;

	buf_str(&text, "isa Floats \"all operations on floats\"\nspace M : 16 x 0x10000\ncode M\n"
		       "reg pc : 16\nreg a : 64, b : 64, c : 64, r : 64\nreg ff : 5\nfield m : unsigned\n");
	for (unsigned form = 0; form < FORMS; form++)
		for (unsigned i = 0; i < COUNT_OF(operations); i++) {
			if (operations[i].op == IR_OP_FCLASS && form != ONLY_VALUE)
				continue;
			buf_printf(&text, "insn op%u_%u \"", form, i);
			put_binary(&text, form, 3);
			put_binary(&text, i, 9);
			buf_str(&text, " m:4\"");
			put_body(&text, &operations[i], form);
		}
	buf_byte(&text, 0);
	isa = test_isa_text("floats.isa", buf_text(&text), NULL, NULL);
	buf_fini(&text);
	return isa;
}

enum { SLOT_A = 1, SLOT_B, SLOT_C, SLOT_R, SLOT_FLAGS };

static void one_form(Machine *machine, unsigned number, unsigned mode, unsigned form, u64 count)
{
	const Operation *op = &operations[number];
	Stream s = stream_open(op->arg_width, number * 8 + mode);
	Rng rng = {number};

	for (u64 i = 0; i < count; i++) {
		Operands o = stream_next(&s, op->integer);
		u64 old = rng_below(&rng, 2) ? rng_below(&rng, 2) : rng_below(&rng, 32), r = form == ONLY_FLAGS ? 5 : 0, ff = old, is;
		unsigned flags;
		u64 value = ir_float_compute(op->op, op->width, op->arg_width, (IrRound)mode, o.a, o.b, o.c, &flags);

		machine_set_slot(machine, SLOT_A, o.a);
		machine_set_slot(machine, SLOT_B, o.b);
		machine_set_slot(machine, SLOT_C, o.c);
		machine_set_slot(machine, SLOT_R, 5);
		machine_set_slot(machine, SLOT_FLAGS, old);
		machine_set_pc(machine, word_of(form, number, mode));
		assert_int_equal(machine_run(machine, 1).kind, STOP_BUDGET);
		is = machine_slot(machine, form == ONLY_VALUE ? SLOT_A : SLOT_R);
		r = form == ONLY_FLAGS ? 5 : value;
		if (form != ONLY_VALUE)
			ff = form == FLAGS_REPLACE ? flags : old | flags;
		if (is != r || machine_slot(machine, SLOT_FLAGS) != ff)
			fail_msg("%s in mode %u, form %u, of %llx %llx %llx: %llx with flags %x, must be %llx with %x",
				 operations[number].text, mode, form, (unsigned long long)o.a, (unsigned long long)o.b,
				 (unsigned long long)o.c, (unsigned long long)is, (unsigned)machine_slot(machine, SLOT_FLAGS),
				 (unsigned long long)r, (unsigned)ff);
	}
}

static void interpreter(void **state)
{
	Isa *isa = float_isa();
	MachineConfig config = {.isa = isa, .size_program = 0, .memory_limit = 64 << 20};
	DiagList *diags = malloc(sizeof(*diags));
	Machine *machine;

	(void)state;
	diag_init(diags);
	assert_int_equal(machine_create(&config, &machine, diags), STATUS_OK);
	for (u64 word = 0; word < 0x10000; word++)
		assert_int_equal(machine_write(machine, 0, word, word), STATUS_OK);
	for (unsigned number = 0; number < COUNT_OF(operations); number++)
		for (unsigned mode = 0; mode < STREAM_MODES; mode++)
			for (unsigned form = 0; form < FORMS; form++)
				if (operations[number].op != IR_OP_FCLASS || form == ONLY_VALUE)
					one_form(machine, number, mode, form, form == FLAGS_FIRST ? rounds : 3000);
	machine_destroy(machine);
	isa_destroy(isa);
	diag_fini(diags);
	free(diags);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(other_emulator), cmocka_unit_test(interpreter)};

	if (argc > 1)
		rounds = strtoull(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
