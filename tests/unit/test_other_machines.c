/* SPDX-License-Identifier: MIT
 * One language, other shapes of machine: words with tags and a stack that is the program's memory (stackvm), 64-bit
 * cells with instructions of one to three (basiccpu), instruction words of 64 bits in a memory of bytes with a hidden
 * call stack (merry), big-endian operands and a heap that grows (iridium). Each program runs at once, instruction by
 * instruction, and from a snapshot at each instruction; what the disassembler prints assembles to the same cells.
 */
#include "toy.h"

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = calloc(1, 1 << 16);

	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 16) - 1, file) > 0);
	fclose(file);
	return text;
}

static HostResult host_aloc(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	u16 heap = isa_find_space(machine_isa(machine), "heap", 4);

	(void)count;
	*result = 1;
	return machine_resize(machine, heap, machine_cells(machine, heap) + args[0]) ? HOST_RAISE : HOST_OK;
}

static const HostEntry hosts[] = { { "aloc", host_aloc }, { NULL, NULL } };
static const Guest guest = { .name = "other", .hosts = hosts };

typedef struct Case {
	const char *path, *choice; /* a choice of the option `mode`, or NULL */
	const char *text;
	u64 entry;
	StopKind end;
	u64 code;
	const char *output;
	struct { const char *name; u64 value; } regs[8];
} Case;

static Machine *create(const Isa *isa, u64 limit)
{
	MachineConfig config = { .isa = isa, .guest = &guest, .size_program = 400, .memory_limit = limit };
	Machine *machine = NULL;
	DiagList diags;

	diag_init(&diags);
	machine_create(&config, &machine, &diags);
	toy_check(&diags, machine);
	diag_fini(&diags);
	machine_reset(machine, false);
	return machine;
}

static AsmProgram *assemble(const Isa *isa, const char *text)
{
	Source source = { "t.asm", text, strlen(text) };
	AsmOptions options = { 0 };
	AsmProgram *program;
	DiagList diags;

	diag_init(&diags);
	program = asm_assemble(isa, &source, &options, &diags);
	toy_check(&diags, program);
	diag_fini(&diags);
	return program;
}

/* Each statement that is code: its cells as text and back. */
static void round_trip(const Isa *isa, const AsmProgram *program)
{
	for (u32 i = 0; i < program->line_count; i++) {
		const AsmLine *line = &program->lines[i];

		for (u32 s = 0; s < program->segment_count; s++) {
			const AsmSegment *segment = &program->segments[s];
			u64 at = line->address - segment->origin, back[32];
			DisOptions options = { 0 };
			DiagList diags;
			Buf text;

			if (!line->is_code || segment->space != line->space || at >= segment->count)
				continue;
			buf_init(&text);
			diag_init(&diags);
			assert_int_equal(dis_cells(isa, &options, line->address, segment->cells + at, line->cells, &text),
					 line->cells);
			if (asm_line(isa, 0, buf_text(&text), line->address, NULL, back, &diags) != line->cells ||
			    memcmp(back, segment->cells + at, line->cells * sizeof(u64)) != 0)
				fail_msg("%s does not come back", buf_text(&text));
			diag_fini(&diags);
			buf_fini(&text);
		}
	}
}

static void check(const Case *test)
{
	char *description = read_text(test->path);
	IsaChoice choice = { "mode", test->choice };
	DiagList diags;
	Isa *isa;
	AsmProgram *program;
	Machine *machine, *other;
	MachineStop stop;
	Toy out = { 0 };
	Buf start, snapshot;
	u64 end, last;

	diag_init(&diags);
	isa = isa_load(test->path, description, strlen(description), &choice, test->choice ? 1 : 0, &diags);
	toy_check(&diags, isa);
	assert_int_equal(diags.warnings, 0);
	diag_fini(&diags);
	free(description);
	program = assemble(isa, test->text);
	round_trip(isa, program);
	machine = create(isa, 0);
	other = create(isa, 0);
	toy_put(machine, program);
	machine_set_pc(machine, test->entry);
	buf_init(&out.output);
	buf_init(&start);
	buf_init(&snapshot);
	machine_set_output(machine, toy_output, &out);
	assert_int_equal(machine_snapshot(machine, &start), STATUS_OK);
	stop = machine_run(machine, 100000);
	if (stop.kind != test->end || stop.code != test->code)
		fail_msg("%s: stop %d, code %llu at 0x%llx: %s", test->path, stop.kind, (unsigned long long)stop.code,
			 (unsigned long long)stop.pc, stop.text);
	assert_string_equal(buf_text(&out.output), test->output);
	for (unsigned i = 0; i < COUNT_OF(test->regs) && test->regs[i].name; i++)
		if (toy_reg(machine, test->regs[i].name) != test->regs[i].value)
			fail_msg("%s: %s is 0x%llx", test->path, test->regs[i].name,
				 (unsigned long long)toy_reg(machine, test->regs[i].name));
	end = toy_hash(machine);
	last = machine_icount(machine);
	assert_int_equal(machine_restore(machine, start.data, start.len), STATUS_OK);
	for (u64 n = 0; n <= last; n++) {
		buf_clear(&snapshot);
		assert_int_equal(machine_snapshot(machine, &snapshot), STATUS_OK);
		assert_int_equal(machine_restore(other, snapshot.data, snapshot.len), STATUS_OK);
		stop = machine_run(other, 100000);
		assert_int_equal(stop.kind, test->end);
		assert_int_equal(machine_icount(other), last);
		assert_true(toy_hash(other) == end);
		stop = machine_run(machine, 1);
		if (stop.kind != STOP_BUDGET)
			break;
	}
	assert_int_equal(stop.kind, test->end);
	assert_true(toy_hash(machine) == end);
	buf_fini(&start);
	buf_fini(&snapshot);
	buf_fini(&out.output);
	machine_destroy(machine);
	machine_destroy(other);
	asm_program_destroy(program);
	isa_destroy(isa);
}

static void check_all(const Case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(&cases[i]);
}

static void test_stackvm(void **state)
{
	static const Case cases[] = {
		{ "tests/isa/stackvm.isa", NULL, "push 3\npush 4\n+\npush 2\n*\nhalt\n", 100, STOP_HALT, 0,
		  "tos: 3\ntos: 4\nadd 3 4\ntos: 7\ntos: 2\nmul 7 2\ntos: 14\nhalt\ntos: 14\n", { { "sp", 1 } } },
		{ "tests/isa/stackvm.isa", NULL, "push 2\npush 3\n-\nhalt\n", 100, STOP_HALT, 0,
		  "tos: 2\ntos: 3\nsub 2 3\ntos: -1\nhalt\ntos: -1\n", { { "sp", 1 } } },
		{ "tests/isa/stackvm.isa", NULL, "neg 7\npush 2\n/ // truncates\nhalt\n", 100, STOP_HALT, 0,
		  "tos: -7\ntos: 2\ndiv -7 2\ntos: -3\nhalt\ntos: -3\n", { { "sp", 1 } } },
		{ "tests/isa/stackvm.isa", "compat", "+\npush 5\npush 6\npush 0\nhalt\n", 100, STOP_HALT, 0,
		  "add 0 0\ntos: 0\ntos: 5\ntos: 6\ntos: 0\nhalt\ntos: 0\n", { { "sp", 2 } } },
		{ "tests/isa/stackvm.isa", NULL, "push 1\n+\nhalt\n", 100, STOP_TRAP, 2, "tos: 1\n", { { "pc", 101 } } },
		{ "tests/isa/stackvm.isa", NULL, "push 1\npush 0\n/\nhalt\n", 100, STOP_TRAP, 1, "tos: 1\ntos: 0\n", { { "sp", 2 } } },
		{ "tests/isa/stackvm.isa", NULL, "prim 77\nhalt\n", 100, STOP_HALT, 0, "tos: 0\nhalt\ntos: 0\n", { { "sp", 0 } } },
	};

	(void)state;
	check_all(cases, COUNT_OF(cases));
}

static void test_basiccpu(void **state)
{
	static const Case cases[] = {
		{ "tests/isa/basiccpu.isa", NULL,
		  "LII r0, 1\nLII r1, 5\nLII r2, 1\nloop: MUL r0, r1\nSUB r1, r2\nCMPI r1, 0\nJNZ loop - 1\nHLT\n", 0, STOP_HALT, 0, "",
		  { { "r0", 120 }, { "r1", 0 }, { "zero", 1 } } },
		{ "tests/isa/basiccpu.isa", NULL, /* the stack; a word nobody knows; data among the code */
		  "LII r0, -8\nPSH r0\nPOP r3\nLDI r4, x\n.word 99\nLII r5, 1\nSHR r3, r5\nSTI x, r3\nLDI r6, x\nHLT\nx: .word 60\n", 0,
		  STOP_HALT, 0, "", { { "r3", (u64)-4 }, { "r4", 60 }, { "r6", (u64)-4 }, { "sp", 4095 } } },
		{ "tests/isa/basiccpu.isa", NULL, /* writes its own next instruction: HLT */
		  "LII r0, 41\nSTI x, r0\nx: JMP x - 1\n", 0, STOP_HALT, 0, "", { { "pc", 7 } } },
		{ "tests/isa/basiccpu.isa", NULL, "LII r0, 3\nLII r1, 0\nDIV r0, r1\nHLT\n", 0, STOP_TRAP, 1, "", { { "pc", 6 } } },
	};

	(void)state;
	check_all(cases, COUNT_OF(cases));
}

static void test_merry(void **state)
{
	static const Case cases[] = {
		{ "tests/isa/merry.isa", NULL,
		  "jmp main\nmain: mov r1, 10\nmov r2, 0\nagain: add r2, r1\ndec r1\nloop r1, again\noutq r2\nhlt\n", 0, STOP_HALT, 0, "55",
		  { { "r1", 0 }, { "r2", 55 } } },
		{ "tests/isa/merry.isa", NULL,
		  "mov r1, 5\nmov acc, 1\ncall fact\noutq acc\npush acc\npopq r7\nhlt\n"
		  "fact: cmp r1, 1\njz out\nmul acc, r1\ndec r1\ncall fact\nout: ret\n", 0, STOP_HALT, 0, "120",
		  { { "acc", 120 }, { "r7", 120 }, { "sp", 0 }, { "depth", 0 } } },
		{ "tests/isa/merry.isa", NULL,
		  "mov r1, 5\ncmp r1, 7\njg bad\ncmp r1, 3\njg good\nbad: mov r9, 1\ngood: movsxb r2, 255\noutq r2\n"
		  "storeq r2, 0x40\nmov r3, 0x40\nloadq r4, r3\nlea r5, r1, r3, r1\nshl r5, 2\nhlt\n", 0, STOP_HALT, 0, "-1",
		  { { "r9", 0 }, { "r4", (u64)-1 }, { "r5", (5 + 64 * 5) << 2 } } },
		{ "tests/isa/merry.isa", NULL, "x: call x\n", 0, STOP_TRAP, 4, "", { { "depth", 50 } } },
		{ "tests/isa/merry.isa", NULL, "ret\n", 0, STOP_TRAP, 5, "", { { "depth", 0 } } },
		{ "tests/isa/merry.isa", NULL, "popq r1\n", 0, STOP_TRAP, 3, "", { { "sp", 0 } } },
		{ "tests/isa/merry.isa", NULL, "mov r2, 0\ndiv r3, r2\n", 0, STOP_TRAP, 1, "", { { "pc", 16 } } },
	};

	(void)state;
	check_all(cases, COUNT_OF(cases));
}

static void test_iridium(void **state)
{
	static const Case cases[] = {
		{ "tests/isa/iridium.isa", NULL,
		  ".code\nload $0 #7\nload $1 #2\ndiv $0 $1 $2\nload $3 #255\nload $4 #15\nand $3 $4 $5\nor $3 $4 $6\nxor $3 $4 $7\n"
		  "not $4 $8\nload $9 #3\nshl $9 #16\nload $10 #1\nlui $10 #34464\nhlt\n", 68, STOP_HALT, 0, "",
		  { { "$2", 3 }, { "remainder", 1 }, { "$5", 15 }, { "$6", 255 }, { "$7", 240 }, { "$8", 0xFFFFFFF0 }, { "$9", 196608 },
		    { "$10", 100000 } } },
		{ "tests/isa/iridium.isa", NULL, ".code\nload $0 #5\ncall @dbl\nload $2 #9\nhlt\ndbl: add $0 $0 $1\nret\n", 68, STOP_HALT, 0, "",
		  { { "$1", 10 }, { "$2", 9 }, { "sp", 0 } } },
		{ "tests/isa/iridium.isa", NULL, ".code\nload $0 #0\ncloop #4\ntop: inc $0\nloop @top\nhlt\n", 68, STOP_HALT, 0, "",
		  { { "$0", 5 } } },
		{ "tests/isa/iridium.isa", NULL,
		  ".code\nload $0 #10\nload $1 #0\nload $2 #1\nload $4 #0\nagain: add $1 $0 $1\nsub $0 $2 $0\nneq $0 $4\ndjmpe @again\nhlt\n",
		  68, STOP_HALT, 0, "", { { "$0", 0 }, { "$1", 55 } } },
		/* The heap has 64 bytes, then 104; an illegal byte and an access beyond the end stop with 1. */
		{ "tests/isa/iridium.isa", NULL,
		  ".code\nload $0 #40\nload $1 #100\naloc $0\nload $2 #258\nsetm $1 $2\nloadm $1 $3\naloc $0\nhlt\n", 68, STOP_HALT, 0, "",
		  { { "$3", 258 } } },
		{ "tests/isa/iridium.isa", NULL, ".code\nload $1 #61\nsetm $1 $1\nhlt\n", 68, STOP_HALT, 1, "", { { "$1", 61 } } },
		{ "tests/isa/iridium.isa", NULL, ".code\npop $1\nhlt\n", 68, STOP_HALT, 1, "", { { "sp", 0 } } },
	};

	(void)state;
	check_all(cases, COUNT_OF(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stackvm), cmocka_unit_test(test_basiccpu), cmocka_unit_test(test_merry),
		cmocka_unit_test(test_iridium),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
