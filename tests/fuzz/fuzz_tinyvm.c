/* SPDX-License-Identifier: MIT
 *
 * Programs for the TinyVM, as text and compiled: refused with a message, or run in some stage. What is read from a
 * .tvmc file comes back byte for byte when it is written and read again.
 *
 *     byte 0: stage, rules, text or compiled | the file
 */
#include <string.h>

#include "fuzz.h"
#include "guests/tinyvm/tinyvm.h"

static Isa *load_stage(unsigned stage, bool built)
{
	char name[8];
	const IsaChoice choices[] = {{"stage", name}, {"rules", built ? "built" : "intended"}, {"time", "off"}, {"services", "on"}};
	DiagList diags;
	Isa *isa;

	snprintf(name, sizeof name, "s%02u", stage);
	diag_init(&diags);
	isa = isa_load("tinyvm.isa", tinyvm_isa_text, strlen(tinyvm_isa_text), choices, 4, &diags);
	if (!isa)
		fuzz_fail("the TinyVM does not load");
	diag_fini(&diags);
	return isa;
}

static void write_again(const GuestFile *file)
{
	TvmProgram first, second;
	Buf once, twice;

	buf_init(&once);
	buf_init(&twice);
	tvm_program_init(&first, 10);
	tvm_program_init(&second, 10);
	if (tvm_read(file, &first, NULL) == STATUS_OK) {
		GuestFile again;

		tvm_write(&first, &once);
		again = (GuestFile){.name = file->name, .data = once.data, .len = once.len};
		if (tvm_read(&again, &second, NULL) != STATUS_OK)
			fuzz_fail("what was written cannot be read");
		tvm_write(&second, &twice);
		if (once.len != twice.len || memcmp(once.data, twice.data, once.len))
			fuzz_fail("it does not come back");
	}
	tvm_program_fini(&first);
	tvm_program_fini(&second);
	buf_fini(&once);
	buf_fini(&twice);
}

static void ignore_symbol(void *ctx, const char *name, size_t len, u16 space, u64 address)
{
	(void)ctx, (void)name, (void)len, (void)space, (void)address;
}

static void ignore_line(void *ctx, u16 space, u64 address, u32 number, const char *text, size_t len)
{
	(void)ctx, (void)space, (void)address, (void)number, (void)text, (void)len;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const unsigned stages[] = {1, 2, 3, 4, 5, 6, 7, 9, 10};
	static Isa *isas[9][2];
	const GuestNames names = {NULL, ignore_symbol, ignore_line};
	MachineConfig config = {.guest = &tinyvm_guest, .random_seed = 1, .virtual_time = true, .quantum = 3};
	Machine *machine = NULL;
	DiagList diags;
	GuestFile file;
	Buf object;
	Status status = STATUS_OK;
	unsigned stage;
	bool built;

	if (size < 1)
		return 0;
	stage = (data[0] & 63) % 9;
	built = data[0] & 64;
	if (!isas[stage][built])
		isas[stage][built] = load_stage(stages[stage], built);
	config.isa = isas[stage][built];
	diag_init(&diags);
	buf_init(&object);
	file = (GuestFile){.name = "fuzz.tvmc", .data = data + 1, .len = size - 1};
	if (data[0] & 128) {
		file.name = "fuzz.tvm";
		status = tinyvm_guest.languages[0].compile(&file, config.isa, &object, NULL, &diags);
		file = (GuestFile){.name = "fuzz.tvm", .data = object.data, .len = object.len,
				   .source = data + 1, .source_len = size - 1};
	} else {
		write_again(&file);
	}
	if (machine_create(&config, &machine, NULL) != STATUS_OK)
		fuzz_fail("no machine");
	if (!status)
		status = tinyvm_guest.load(machine, &file, 1, &diags);
	if (!status) {
		const MachineStop stop = machine_run(machine, 20000);

		if (stop.kind == STOP_ERROR)
			fuzz_fail(status_text(stop.status));
		if (stop.kind == STOP_FAULT || stop.kind == STOP_ILLEGAL || stop.kind == STOP_DENIED)
			fuzz_fail("a program of this language went beyond the machine");
		tinyvm_guest.read_names(machine, &file, &names);
	} else if (!diags.errors && status != STATUS_TOO_BIG) {
		fuzz_fail("refused without a message");
	}
	fuzz_render(&diags);
	machine_destroy(machine);
	buf_fini(&object);
	return 0;
}
