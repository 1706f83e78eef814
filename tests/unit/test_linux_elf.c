/* SPDX-License-Identifier: MIT
 *
 * ELF files: a good one, each thing that can be wrong with one and the words for it, and many damaged ones.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/elf_file.h"

static void good(void **state)
{
	ElfFile file;
	ElfProgram program;

	(void)state;
	elf_make(&file);
	assert_int_equal(elf_file_parse(&file, &program, NULL), 0);
	assert_true(elf_file_is_sound(&file, &program));
	assert_int_equal(program.segment_count, 2);
	assert_int_equal(program.entry, ELF_FILE_BASE + ELF_FILE_CODE);
	assert_int_equal(program.headers, ELF_FILE_BASE + ELF_HEADER);
	assert_int_equal(program.low, ELF_FILE_BASE);
	assert_int_equal(program.high, ELF_FILE_BASE + 0x6000);
	assert_string_equal(program.interpreter, "/lib/ld");
	assert_false(program.executable_stack);
	assert_int_equal(program.segments[1].memory, 0x3000);
	/* Segments without a byte are none; a larger alignment counts; a stack may be executable. */
	elf_put_header(&file, 0, 1, 4, 0, 0x5000, 0, 0, 0x10000);
	elf_put(&file, elf_header_field(2, 48), 8, 0x4000);
	elf_put(&file, elf_header_field(3, 4), 4, 7);
	assert_int_equal(elf_file_parse(&file, &program, NULL), 0);
	assert_int_equal(program.segment_count, 2);
	assert_int_equal(program.align, 0x4000);
	assert_true(program.executable_stack);
	assert_string_equal(program.interpreter, "");
}

typedef struct Damage {
	size_t at;
	unsigned size;
	u64 value;
	i64 error;
	const char *words;
} Damage;

static const Damage damages[] = {
	{0, 1, 0, -ENOEXEC, "not an ELF program"},
	{4, 1, 1, -ENOEXEC, "a program of 32 bits, not of 64 bits (EI_CLASS, at offset 4, is 1 instead of 2)"},
	{5, 1, 2, -ENOEXEC, "a big-endian, not a little-endian program (EI_DATA, at offset 5, is 2 instead of 1)"},
	{6, 1, 0, -ENOEXEC, "EI_VERSION, at offset 6, is 0 instead of 1"},
	{16, 2, 1, -ENOEXEC, "this is an object file, not a program (e_type, at offset 16, is 1)"},
	{16, 2, 4, -ENOEXEC, "memory dump"},
	{16, 2, 9, -ENOEXEC, "e_type, at offset 16, is 9 instead of 2 or 3"},
	{18, 2, 62, -ENOEXEC, "this is a program for x86-64, not for riscv64 (e_machine, at offset 18, is 62 instead of 243)"},
	{18, 2, 999, -ENOEXEC, "another machine (e_machine, at offset 18, is 999"},
	{24, 8, 0x13000 + 0x2100, -ENOEXEC, "e_entry, at offset 24, is 0x15100: in no segment"},
	{32, 8, ELF_FILE_SIZE - 10, -ENOEXEC, "e_phoff, at offset 32, is 0x1116: the 4 program headers there reach beyond"},
	{32, 8, ~(u64)0, -ENOEXEC, "reach beyond the file's end at 0x1120"},
	{48, 4, 13, -ENOEXEC, "calling convention is not supported (e_flags, at offset 48, is 0xd)"},
	{54, 2, 32, -ENOEXEC, "e_phentsize, at offset 54, is 32 instead of 56"},
	{56, 2, 0, -ENOEXEC, "e_phnum, at offset 56, is 0"},
	{56, 2, 0xFFFF, -ENOEXEC, "e_phnum, at offset 56, is 65535: more program headers than a program may have (1170)"},
	{64 + 32, 8, 1, -ENOEXEC, "program header 0 (at offset 0x40): p_filesz 0x1: no length of an interpreter's path"},
	{64 + 32, 8, 5000, -ENOEXEC, "no length of an interpreter's path"},
	{64 + 32, 8, 7, -ENOEXEC, "not a text that ends with 0"},
	{64 + 8, 8, ~(u64)0, -ENOEXEC, "not a text that ends with 0"},
	{120 + 40, 8, 0x2FF, -ENOEXEC, "program header 1 (at offset 0x78): p_filesz, 0x300, is larger than p_memsz, 0x2ff"},
	{120 + 8, 8, 1, -EINVAL, "p_vaddr 0x10000 and p_offset 0x1 differ in their low 12 bits"},
	{120 + 16, 8, 0, -EPERM, "p_vaddr 0x0 is below 0x1000, the lowest address a program may have"},
	{120 + 16, 8, (u64)1 << 38, -ENOMEM, "reaches beyond the last address, 0x3fffffffff"},
	{120 + 16, 8, ~(u64)0xFFF, -ENOMEM, "reaches beyond the last address"},
	{176 + 40, 8, ~(u64)0, -ENOMEM, "program header 2 (at offset 0xb0): p_vaddr 0x12100 with p_memsz 0xffffffffffffffff"},
	{176 + 8, 8, 0x7FFFFFFFFFFFF100, -ENOEXEC, "p_offset 0x7ffffffffffff100 with p_filesz 0x20 reaches beyond the file's end"},
	{176 + 32, 8, 0x21, -ENOEXEC, "reaches beyond the file's end at 0x1120"},
	{176 + 16, 8, 0x10100, -ENOEXEC, "p_vaddr 0x10100 is not above the segment before it, which ends at 0x10300"},
};

static void expect_words(ElfFile *file, i64 error, const char *words)
{
	ElfProgram program;
	DiagList diags;
	Buf text;

	diag_init(&diags);
	buf_init(&text);
	assert_int_equal(elf_file_parse(file, &program, &diags), error);
	assert_int_equal(diags.errors, 1);
	diag_render(&diags, &text, false);
	if (!strstr(buf_text(&text), words))
		fail_msg("'%s' is not in: %s", words, buf_text(&text));
	buf_fini(&text);
	diag_fini(&diags);
}

static void damaged(void **state)
{
	ElfFile file;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(damages); i++) {
		elf_make(&file);
		elf_put(&file, damages[i].at, damages[i].size, damages[i].value);
		expect_words(&file, damages[i].error, damages[i].words);
	}
	elf_make(&file);
	elf_put(&file, elf_header_field(1, 0), 4, 7);
	elf_put(&file, elf_header_field(2, 0), 4, 7);
	expect_words(&file, -ENOEXEC, "none of its 4 program headers is of type PT_LOAD");
	elf_make(&file);
	file.len = 40;
	expect_words(&file, -ENOEXEC, "it ends at offset 40, within the ELF header");
	elf_make(&file);
	elf_put(&file, 16, 2, ELF_SHARED);
	elf_put(&file, 24, 8, 0);
	expect_words(&file, -ENOEXEC, "this may be a library");
}

static void truncated(void **state)
{
	ElfFile file;
	ElfProgram program;

	(void)state;
	elf_make(&file);
	for (file.len = 0; file.len < ELF_FILE_SIZE; file.len++)
		assert_true(elf_file_parse(&file, &program, NULL) < 0);
}

typedef struct Told {
	u32 count;
	u64 addresses[4];
	char names[4][8];
} Told;

static void tell(void *ctx, const char *name, size_t len, u16 space, u64 address)
{
	Told *told = ctx;

	assert_int_equal(space, 3);
	if (told->count < 4 && len < 8) {
		told->addresses[told->count] = address;
		memcpy(told->names[told->count], name, len);
	}
	told->count++;
}

static void symbols(void **state)
{
	Told told = {0};
	GuestNames names = {.ctx = &told, .symbol = tell};
	ElfFile file;

	(void)state;
	elf_make(&file);
	assert_int_equal(elf_symbols(file.bytes, file.len, 0x1000, 3, &names), STATUS_OK);
	assert_int_equal(told.count, 2);
	assert_string_equal(told.names[0], "main");
	assert_string_equal(told.names[1], "table");
	assert_int_equal(told.addresses[0], ELF_FILE_BASE + ELF_FILE_CODE + 0x1000);
	/* Those of the dynamic linker, where there are no others. */
	told.count = 0;
	elf_put(&file, ELF_FILE_SECTIONS + 64 + 4, 4, 11);
	assert_int_equal(elf_symbols(file.bytes, file.len, 0, 3, &names), STATUS_OK);
	assert_int_equal(told.count, 2);
	elf_put(&file, ELF_FILE_SECTIONS + 64 + 4, 4, 1);
	assert_int_equal(elf_symbols(file.bytes, file.len, 0, 3, &names), STATUS_FORMAT);
}

/* Whatever stands in the file: refused, or sound. */
static void check(ElfFile *file)
{
	Told told = {0};
	GuestNames names = {.ctx = &told, .symbol = tell};
	ElfProgram program;

	if (elf_file_parse(file, &program, NULL) == 0)
		assert_true(elf_file_is_sound(file, &program));
	elf_symbols(file->bytes, file->len, 0, 3, &names);
}

/* Each field of each header gets each of the values that break things. */
static void every_field(void **state)
{
	static const u64 values[] = {0, 1, 2, 8, 0xFFF, 0x1000, 0x1001, ELF_FILE_SIZE, ELF_FILE_SIZE - 1, ELF_FILE_SIZE + 1,
				     0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x3FFFFFFFFF, 0x4000000000,
				     0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFF000, ~(u64)0};

	(void)state;
	for (size_t at = 0; at < ELF_FILE_SECTIONS + 3 * 64; at++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			for (size_t i = 0; i < COUNT_OF(values) && at % size == 0; i++) {
				ElfFile file;

				elf_make(&file);
				elf_put(&file, at, size, values[i]);
				check(&file);
			}
		}
	}
}

static void random_damage(void **state)
{
	Rng rng = {.state = 11};

	(void)state;
	for (int round = 0; round < 20000; round++) {
		ElfFile file;

		elf_make(&file);
		for (u64 k = 1 + rng_below(&rng, 4); k > 0; k--) {
			static const u16 parts[][2] = {{0, 64}, {64, 224}, {ELF_FILE_SECTIONS, 192}, {ELF_FILE_SYMBOLS, 120}};
			u64 part = rng_below(&rng, COUNT_OF(parts)), size = (u64)1 << rng_below(&rng, 4);
			u64 at = parts[part][0] + rng_below(&rng, parts[part][1] / size) * size;

			elf_put(&file, at, (unsigned)size, rng_next(&rng) >> rng_below(&rng, 64));
		}
		if (rng_below(&rng, 4) == 0)
			file.len = rng_below(&rng, ELF_FILE_SIZE);
		check(&file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good), cmocka_unit_test(damaged), cmocka_unit_test(truncated), cmocka_unit_test(symbols),
		cmocka_unit_test(every_field), cmocka_unit_test(random_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
