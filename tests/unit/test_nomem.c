/* SPDX-License-Identifier: MIT
 * Memory runs out: at the N-th allocation, for every N, once or from then on. Nothing crashes, nothing leaks; what
 * succeeds all the same is whole; what fails says so, and a machine that had no memory goes on when there is some.
 *
 * This program alone is linked with malloc, calloc, realloc, free, mmap and munmap wrapped (tests.mk).
 */
#define _GNU_SOURCE /* memfd_create */

#include "nomem.h"
#include "toy.h"

#include <unistd.h>

#include "asm/manual.h"
#include "machine/pages.h"
#include "machine/vcpus.h"

/* ---- Loading a description ---- */

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = calloc(1, 1 << 18);

	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 18) - 1, file) > 0);
	fclose(file);
	return text;
}

static void load_with_less(const char *text, long step)
{
	DiagList diags;
	Isa *whole;
	long before;

	diag_init(&diags);
	whole = isa_load("t.isa", text, strlen(text), NULL, 0, &diags);
	toy_check(&diags, whole);
	diag_fini(&diags);
	before = nomem_held();
	for (int way = 0; way < 2; way++)
		for (long n = 0;; n += step) {
			Isa *isa;
			bool refused;

			diag_init(&diags);
			nomem_limit(n, way);
			isa = isa_load("t.isa", text, strlen(text), NULL, 0, &diags);
			refused = nomem_was_refused();
			if (isa) { /* not half of it */
				assert_true(isa->hash == whole->hash);
				assert_int_equal(isa->insn_count, whole->insn_count);
				assert_int_equal(isa->form_count, whole->form_count);
				assert_int_equal(isa->field_count, whole->field_count);
				assert_int_equal(isa->handler_count, whole->handler_count);
				assert_int_equal(isa->dialect_count, whole->dialect_count);
				assert_int_equal(isa->pseudo_count, whole->pseudo_count);
			} else {
				assert_true(refused);
				if (!way && !diags.errors)
					fail_msg("allocation %ld: no message", n);
			}
			isa_destroy(isa);
			diag_fini(&diags);
			if (nomem_held() != before)
				fail_msg("allocation %ld: %ld leaked", n, nomem_held() - before);
			if (!refused)
				break;
		}
	isa_destroy(whole);
}

static void test_load(void **state)
{
	static const char *const files[] = { "tests/isa/svm.isa", "tests/isa/iridium.isa", "tests/isa/constructs.isa",
					     "examples/isa/6502.isa", "tests/isa/rv64gc.isa" };

	(void)state;
	load_with_less(toy_isa, 1);
	for (unsigned i = 0; i < COUNT_OF(files); i++) {
		char *text = read_text(files[i]);

		load_with_less(text, i < 3 ? 1 : 7);
		free(text);
	}
}

/* ---- Assembler, disassembler, manual ---- */

static bool same_program(const AsmProgram *a, const AsmProgram *b)
{
	if (a->segment_count != b->segment_count || a->symbol_count != b->symbol_count || a->line_count != b->line_count)
		return false;
	for (u32 i = 0; i < a->segment_count; i++)
		if (a->segments[i].count != b->segments[i].count || a->segments[i].origin != b->segments[i].origin ||
		    memcmp(a->segments[i].cells, b->segments[i].cells, a->segments[i].count * sizeof(u64)) != 0)
			return false;
	return true;
}

static void assemble_with_less(const Isa *isa, const char *text)
{
	Source source = { "t.asm", text, strlen(text) };
	AsmOptions options = { 0 };
	DiagList diags;
	AsmProgram *whole;
	long before;

	diag_init(&diags);
	whole = asm_assemble(isa, &source, &options, &diags);
	toy_check(&diags, whole);
	diag_fini(&diags);
	before = nomem_held();
	for (int way = 0; way < 2; way++)
		for (long n = 0;; n++) {
			AsmProgram *program;
			bool refused;

			diag_init(&diags);
			nomem_limit(n, way);
			program = asm_assemble(isa, &source, &options, &diags);
			refused = nomem_was_refused();
			if (program && !same_program(program, whole))
				fail_msg("allocation %ld: half a program", n);
			if (!program) {
				assert_true(refused);
				if (!way && !diags.errors)
					fail_msg("allocation %ld: no message", n);
			}
			asm_program_destroy(program);
			diag_fini(&diags);
			if (nomem_held() != before)
				fail_msg("allocation %ld: %ld leaked", n, nomem_held() - before);
			if (!refused)
				break;
		}
	asm_program_destroy(whole);
}

static void text_with_less(const Isa *isa)
{
	DisOptions options = { 0 };
	u64 cells[40] = { 0x1234, 0x4321, 0xFFFF };
	long before = nomem_held();
	Buf whole;

	buf_init(&whole);
	dis_cells(isa, &options, 0, cells, COUNT_OF(cells), &whole);
	for (int way = 0; way < 2; way++)
		for (long n = 0;; n++) {
			Buf buf;

			buf_init(&buf);
			nomem_limit(n, way);
			dis_cells(isa, &options, 0, cells, COUNT_OF(cells), &buf);
			if (!buf.failed && (buf.len != whole.len || memcmp(buf.data, whole.data, buf.len) != 0))
				fail_msg("allocation %ld: half a text", n);
			manual_write(isa, n % 2 ? MANUAL_HTML : MANUAL_TEXT, &buf);
			buf_fini(&buf);
			if (!nomem_was_refused())
				break;
		}
	buf_fini(&whole);
	assert_int_equal(nomem_held(), before);
}

static void test_text(void **state)
{
	DiagList diags;
	Isa *isa;
	char *text = read_text("tests/isa/rv64gc.isa");

	(void)state;
	diag_init(&diags);
	isa = isa_load("toy.isa", toy_isa, strlen(toy_isa), NULL, 0, &diags);
	toy_check(&diags, isa);
	assemble_with_less(isa, ".ORG 0x100\nloop: LI R1, 3\n.WORD loop\n.SPACE 40\nx: BNZ R1, loop\n.ORG 0x4000\nADD R1, R2, R3\n");
	text_with_less(isa);
	isa_destroy(isa);
	isa = isa_load("rv.isa", text, strlen(text), NULL, 0, &diags);
	toy_check(&diags, isa);
	assemble_with_less(isa, " li a0, x\n la a1, x\n call x\n .org 0x1000\nx: nop\n beq a0, a1, x\n");
	isa_destroy(isa);
	diag_fini(&diags);
	free(text);
}

/* ---- Machines ---- */

static const char program[] =
	".ORG 0x40\nLI R5, -254\nLD R6, R5\nOUT R6\nIRET\n"
	".ORG 0x80\nwork: ST R1, R1\nLD R2, R1\nADD R3, R3, R2\nRAND R4\nADD R3, R3, R4\nTRAP 2\nRET\n"
	".ORG 0x100\nGETC R0\nLI R0, 9\nSETF\n"
	"loop: ADD R1, R0, R0\nLI R4, 0xFF\nADD R1, R1, R4\nADD R1, R1, R4\nCALL work\n"
	"LI R4, 0x85\nLD R2, R4\nST R2, R4\n"
	"MODE 1\nWHO R2\nADD R3, R3, R2\nMODE 0\nSTD R3, R2\nLDD R2, R0\nOUT R0\nADDI R0, R0, -1\nBNZ R0, loop\n"
	"LI R1, 99\nADDI R1, R1, 5\nSTD R1, R1\nSTOP 3\n";

static void test_create(void **state)
{
	Toy toy;
	long before;

	(void)state;
	toy_open(&toy, program);
	before = nomem_held();
	for (int way = 0; way < 2; way++)
		for (long n = 0;; n++) {
			MachineConfig config = { .isa = toy.isa, .size_program = 100 };
			Machine *machine = NULL;
			DiagList diags;
			Status status;
			bool refused;

			diag_init(&diags);
			nomem_limit(n, way);
			status = machine_create(&config, &machine, &diags);
			refused = nomem_was_refused();
			assert_int_equal(status, refused ? STATUS_NOMEM : STATUS_OK);
			assert_true(refused == !machine);
			machine_destroy(machine);
			diag_fini(&diags);
			if (nomem_held() != before)
				fail_msg("allocation %ld: %ld leaked", n, nomem_held() - before);
			if (!refused)
				break;
		}
	toy_close(&toy);
}

/* Runs out in the middle, at any place, with and without a recording; then goes on. */
static void run_with_less(bool record)
{
	Toy toy;
	u64 end;
	Buf said;
	long before = nomem_held();

	toy_open(&toy, program);
	machine_input(toy.machine, (const u8 *)"abcdef", 6);
	assert_int_equal(machine_run(toy.machine, 100000).kind, STOP_HALT);
	end = toy_hash(toy.machine);
	said = toy.output;
	buf_init(&toy.output);
	toy_close(&toy);
	for (int way = 0; way < 2; way++)
		for (long n = 0;; n++) {
			MachineStop stop;
			bool refused;
			unsigned tries = 0;

			toy_open(&toy, program);
			machine_record(toy.machine, record);
			buf_reserve(&toy.output, 4096);
			machine_input(toy.machine, (const u8 *)"abcdef", 6);
			nomem_limit(n, way);
			stop = machine_run(toy.machine, 100000);
			refused = nomem_was_refused();
			if (stop.kind == STOP_ERROR) {
				assert_true(refused);
				assert_int_equal(stop.status, STATUS_NOMEM);
			}
			while (stop.kind == STOP_ERROR && tries++ < 3)
				stop = machine_run(toy.machine, 100000);
			if (stop.kind != STOP_HALT)
				fail_msg("allocation %ld: stop %d %s", n, stop.kind, stop.text);
			if (toy_hash(toy.machine) != end)
				fail_msg("allocation %ld: another end", n);
			if (toy.output.len != said.len || memcmp(toy.output.data, said.data, said.len) != 0)
				fail_msg("allocation %ld: output lost", n);
			toy_close(&toy);
			if (!refused)
				break;
		}
	buf_fini(&said);
	assert_int_equal(nomem_held(), before);
}

static void test_run(void **state)
{
	(void)state;
	run_with_less(false);
	run_with_less(true);
}

static void test_snapshot(void **state)
{
	Toy toy;
	Machine *other;
	Buf whole;
	long before;
	u64 hash, fresh;

	(void)state;
	toy_open(&toy, program);
	machine_input(toy.machine, (const u8 *)"abcdef", 6);
	machine_run(toy.machine, 100);
	buf_init(&whole);
	assert_int_equal(machine_snapshot(toy.machine, &whole), STATUS_OK);
	hash = toy_hash(toy.machine);
	before = nomem_held();
	for (int way = 0; way < 2; way++)
		for (long n = 0;; n++) {
			Buf buf;
			Status status;
			bool refused;

			buf_init(&buf);
			nomem_limit(n, way);
			status = machine_snapshot(toy.machine, &buf);
			refused = nomem_was_refused();
			assert_int_equal(status, refused ? STATUS_NOMEM : STATUS_OK);
			buf_fini(&buf);
			other = toy_machine(toy.isa);
			fresh = toy_hash(other);
			nomem_limit(n, way);
			status = machine_restore(other, whole.data, whole.len);
			refused |= nomem_was_refused();
			if (status) {
				assert_int_equal(status, STATUS_NOMEM);
				assert_true(toy_hash(other) == fresh);
			} else {
				assert_true(toy_hash(other) == hash);
			}
			machine_destroy(other);
			assert_int_equal(nomem_held(), before);
			if (!refused)
				break;
		}
	buf_fini(&whole);
	toy_close(&toy);
}

static const char shared_isa[] = "isa SHARED\nspace M : 8 x 256\nspace S : 16, size 5000 private\ncode M\nreg pc : 8\n"
				 "reg a : 8\ninsn N \"0000 0000\" { a = a + 1 }\n";

static Machine *shared_machine(const Isa *isa)
{
	MachineConfig config = { .isa = isa, .quantum = 3 };
	Machine *machine = NULL;
	DiagList diags;

	diag_init(&diags);
	assert_int_equal(machine_create(&config, &machine, &diags), STATUS_OK);
	diag_fini(&diags);
	return machine;
}

/* More vCPUs, and a snapshot of several. */
static void test_vcpus(void **state)
{
	DiagList diags;
	Isa *isa;
	Machine *three;
	Buf whole;
	u32 number;
	u64 hash;
	long before;

	(void)state;
	diag_init(&diags);
	isa = isa_load("t.isa", shared_isa, strlen(shared_isa), NULL, 0, &diags);
	toy_check(&diags, isa);
	diag_fini(&diags);
	three = shared_machine(isa);
	assert_int_equal(machine_vcpu_add(three, &number), STATUS_OK);
	assert_int_equal(machine_vcpu_add(three, &number), STATUS_OK);
	assert_int_equal(machine_vcpu_write(three, 2, 1, 4999, 7), STATUS_OK);
	machine_run(three, 100);
	buf_init(&whole);
	assert_int_equal(machine_snapshot(three, &whole), STATUS_OK);
	hash = toy_hash(three);
	before = nomem_held();
	for (int way = 0; way < 2; way++)
		for (long n = 0;; n++) {
			Machine *machine = shared_machine(isa);
			u64 fresh = toy_hash(machine), value;
			Status status;
			bool refused;

			nomem_limit(n, way);
			status = machine_vcpu_add(machine, &number);
			refused = nomem_was_refused();
			assert_int_equal(status, refused ? STATUS_NOMEM : STATUS_OK);
			if (status) { /* what is left of it is a number to be used */
				assert_int_equal(number, VCPU_NONE);
				assert_int_equal(machine_vcpu_add(machine, &number), STATUS_OK);
			}
			assert_int_equal(number, 1);
			assert_int_equal(machine_run(machine, 50).kind, STOP_BUDGET);
			machine_reset(machine, false);
			assert_true(toy_hash(machine) == fresh);
			nomem_limit(n, way);
			status = machine_restore(machine, whole.data, whole.len);
			refused |= nomem_was_refused();
			assert_true(toy_hash(machine) == (status ? fresh : hash));
			if (!status) {
				assert_int_equal(machine_vcpu_read(machine, 2, 1, 4999, &value), STATUS_OK);
				assert_int_equal(value, 7);
			}
			machine_destroy(machine);
			assert_int_equal(nomem_held(), before);
			if (!refused)
				break;
		}
	buf_fini(&whole);
	machine_destroy(three);
	isa_destroy(isa);
}

/* Tables, breakpoints, watchpoints, views, a reset. */
static void test_parts(void **state)
{
	Toy toy;
	char *text = read_text("tests/isa/svm.isa");
	long before = nomem_held();

	(void)state;
	for (int way = 0; way < 2; way++)
		for (long n = 0; n < 40; n++) {
			u64 rows, hash;
			Status status;

			toy_open_isa(&toy, text, "a: iconst 1\n halt\n");
			hash = toy_hash(toy.machine);
			nomem_limit(n, way);
			for (u64 row = 0; row < 100; row++) {
				rows = machine_table_rows(toy.machine, 0);
				status = machine_set_table(toy.machine, 0, 1, row, row);
				if (status) {
					assert_int_equal(status, STATUS_NOMEM);
					assert_int_equal(machine_table_rows(toy.machine, 0), rows);
				}
			}
			for (u64 pc = 0; pc < 50; pc++) {
				status = machine_break_set(toy.machine, pc * 3 % 50, true);
				assert_true(status == STATUS_OK || status == STATUS_NOMEM);
				status = machine_watch_set(toy.machine, 1, pc, 3, true, true, true);
				assert_true(status == STATUS_OK || status == STATUS_NOMEM);
			}
			machine_reset(toy.machine, false);
			nomem_was_refused();
			machine_reset(toy.machine, true);
			assert_true(hash != toy_hash(toy.machine));
			toy_close(&toy);
			toy_open(&toy, program);
			nomem_limit(n, way);
			machine_view(toy.machine, 0);
			status = machine_set_view(toy.machine, 0, 3);
			assert_int_equal(nomem_was_refused() && status != STATUS_OK ? STATUS_NOMEM : STATUS_OK, status);
			assert_int_equal(machine_set_view(toy.machine, 0, 3), STATUS_OK);
			assert_int_equal(machine_view(toy.machine, 0), 3);
			toy_close(&toy);
		}
	free(text);
	assert_int_equal(nomem_held(), before - 1);
}

/* Address spaces: forks, shared memory in pieces, moves, and a snapshot of all that. */
static void test_pages(void **state)
{
	static const char text[] = "isa P\nspace mem : 8, address 64, little, paged\ncode mem\nreg pc : 64\nreg a : 8\n"
				   "insn N \"0000 0000\" { a = a + 1 }\n";
	const u8 rw = ATTR_READ | ATTR_WRITE;
	const u64 page = SPACE_PAGE, shared = 64 * page;
	DiagList diags;
	Isa *isa;
	long before;
	int fd = memfd_create("test", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, 8 * (off_t)page), 0);
	diag_init(&diags);
	isa = isa_load("t.isa", text, strlen(text), NULL, 0, &diags);
	toy_check(&diags, isa);
	diag_fini(&diags);
	before = nomem_held();
	for (int way = 0; way < 2; way++)
		for (long n = 0;; n++) {
			Machine *machine = shared_machine(isa);
			u32 child = 0, other = 0, number;
			bool refused, copied;
			u64 zero = 0;
			Buf bytes;

			assert_int_equal(machine_pages_add(machine, 0, page, 4 * page, ATTR_RIGHTS), STATUS_OK);
			machine_set_pc(machine, page);
			machine_run(machine, 10);
			nomem_limit(n, way);
			machine_pages_back(machine, 0, shared, 8 * page, fd, 0);
			if (machine_pages_add(machine, 0, shared + page, 4 * page, rw) == STATUS_OK)
				machine_pages_drop(machine, 0, shared + 2 * page, page);
			machine_pages_move(machine, 0, shared, 2 * shared, 4 * page);
			machine_pages_move(machine, 0, page, 200 * page, page);
			copied = machine_aspace_fork(machine, 0, &child) == STATUS_OK;
			if (copied && machine_vcpu_add(machine, &number) == STATUS_OK) {
				machine_vcpu_set_aspace(machine, number, child);
				machine_vcpu_set_slot(machine, number, 0, 2 * page);
			}
			if (machine_aspace_create(machine, &other) == STATUS_OK)
				machine_aspace_release(machine, other);
			machine_set_pc(machine, 2 * page);
			machine_run(machine, 100);
			buf_init(&bytes);
			if (machine_snapshot(machine, &bytes) == STATUS_OK)
				machine_restore(machine, bytes.data, bytes.len);
			refused = nomem_was_refused();
			buf_fini(&bytes);
			assert_true(copied || refused);
			/* Whatever came of it: with memory it works, and what is dropped is gone. */
			machine_pages_drop(machine, 0, 0, machine_address_limit(machine));
			assert_int_equal(machine_aspace_present(machine, 0), 0);
			assert_int_equal(machine_pages_add(machine, 0, 0, 4 * page, ATTR_RIGHTS), STATUS_OK);
			assert_int_equal(machine_copy_in(machine, 0, 2 * page, &zero, 8), 8);
			assert_int_equal(zero, 0);
			machine_reset(machine, true);
			assert_int_equal(machine_run(machine, 50).kind, STOP_BUDGET);
			machine_destroy(machine);
			assert_int_equal(nomem_held(), before);
			if (!refused)
				break;
		}
	close(fd);
	isa_destroy(isa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load), cmocka_unit_test(test_text), cmocka_unit_test(test_create),
		cmocka_unit_test(test_run), cmocka_unit_test(test_snapshot), cmocka_unit_test(test_vcpus), cmocka_unit_test(test_parts),
		cmocka_unit_test(test_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
