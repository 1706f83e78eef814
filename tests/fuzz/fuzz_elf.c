/* SPDX-License-Identifier: MIT
 *
 * ELF files as a loader reads them, and their symbols: refused with a message, or sound (elf.h says what that means).
 */
#include "fuzz.h"
#include "unit/elf_file.h"

static void symbol(void *ctx, const char *name, size_t len, u16 space, u64 address)
{
	(void)space;
	(void)address;
	if (!len || memchr(name, 0, len))
		fuzz_fail("a symbol's name is no text");
	++*(u64 *)ctx;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	ElfFile file = {.len = size < ELF_FILE_SIZE ? size : ELF_FILE_SIZE};
	static ElfProgram program;
	u64 count = 0;
	GuestNames names = {.ctx = &count, .symbol = symbol};
	DiagList diags;
	i64 error;

	if (file.len)
		memcpy(file.bytes, data, file.len);
	diag_init(&diags);
	error = elf_file_parse(&file, &program, &diags);
	if (error > 0 || !error != !diags.errors)
		fuzz_fail("refused without a message, or a message for nothing");
	if (!error && !elf_file_is_sound(&file, &program))
		fuzz_fail("accepted, but not sound");
	elf_symbols(data, size, 0x1000, 0, &names);
	fuzz_render(&diags);
	return 0;
}
