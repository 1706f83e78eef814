/* SPDX-License-Identifier: MIT
 *
 * Merry as a guest: cores begin at word 0 of the instruction section, which jumps to main; `hlt` ends one core, and so
 * does an error, which is told as the original tells it (CORE=0: Attempt to divide by zero.). The machine ends with
 * the last core: with exit code 0 when all of them halted, with 1 when one of them failed earlier, and with Husk's
 * code for the error when it was the last. (The original gives 0 always.)
 */
#include "guests/merry/merry.h"

#include <inttypes.h>
#include <string.h>

static const char *const flag_names[] = {
	"Z", "C", "N", "V", "P", "FZ", "FS", "FU", "FO", "FUF", "FI",
};

void merry_slots(const Machine *machine, MerrySlots *out)
{
	const Isa *isa = machine_isa(machine);
	u8 width;

	*out = (MerrySlots){ 0 };
	isa_find_register(isa, "acc", 3, false, &out->registers, &width);
	isa_find_register(isa, "pc", 2, false, &out->pc, &width);
	isa_find_register(isa, "handler", 7, false, &out->handler, &width);
	for (u32 i = 0; i < COUNT_OF(flag_names); i++)
		isa_find_register(isa, flag_names[i], strlen(flag_names[i]), false, &out->flags[i], &width);
}

u16 merry_space(const Machine *machine, const char *name)
{
	return isa_find_space(machine_isa(machine), name, strlen(name));
}

bool merry_is_b(const Isa *isa)
{
	const char *choice = isa_option_value(isa, "revision");

	return choice && !strcmp(choice, "b");
}

static Status load(Machine *machine, const GuestFile *files, u32 count, DiagList *diags)
{
	if (count > 1) {
		diag_report_file(diags, DIAG_ERROR, files[1].name, "include one text in the other",
				 "a Merry program is one file");
		return STATUS_INVALID;
	}
	merry_graves_reset(machine);
	return count ? merry_beb_load(machine, &files[0], diags) : STATUS_OK;
}

/* What the machine calls this kind of end. */
static void describe_failure(Machine *machine, const MachineStop *stop, Buf *out)
{
	const Isa *isa = machine_isa(machine);
	const char *why;

	switch (stop->kind) {
	case STOP_TRAP:
		why = isa_reason(isa, true, stop->code);
		buf_str(out, why ? why : "a trap");
		break;
	case STOP_FAULT:
		if (stop->space == merry_space(machine, "D"))
			buf_printf(out, "Page fault: there is no data memory at 0x%" PRIX64 ".", stop->address);
		else if (stop->space == isa->code_space)
			buf_printf(out, "Page fault: there are no instructions at 0x%" PRIX64 ".", stop->address);
		else
			buf_printf(out, "STACK access out of range: 0x%" PRIX64 ".", stop->address);
		break;
	default: buf_printf(out, "Unknown instruction at 0x%" PRIX64 ".", stop->pc); break;
	}
}

static bool others_live(const Machine *machine, u32 except)
{
	for (u32 i = 0; i < machine_vcpu_count(machine); i++) {
		VcpuState state = machine_vcpu_state(machine, i);

		if (i != except && state != VCPU_ENDED && state != VCPU_FAILED && state != VCPU_FREE)
			return true;
	}
	return false;
}

/* In the words of the original. */
static void explain(Machine *machine, const MachineStop *stop, Buf *out)
{
	buf_printf(out, "CORE=%u: ", stop->vcpu);
	describe_failure(machine, stop, out);
}

/* The last core's error ends the machine. */
static bool core_failed(Machine *machine, const MachineStop *stop, Buf *out)
{
	MerryPrivate *own = machine_private(machine);

	if (!others_live(machine, stop->vcpu))
		return false;
	own->failed = true;
	explain(machine, stop, out);
	buf_printf(out, " (at 0x%" PRIX64 ")\n", stop->pc);
	return true;
}

static int exit_code(const Machine *machine, u64 code)
{
	const MerryPrivate *own = machine_private((Machine *)machine);

	return own->failed ? 1 : (int)(code & 255);
}

static const HostEntry hosts[] = {
	{ "graves", merry_graves },
	{ "graves_value", merry_graves_value },
	{ "graves_register", merry_graves_register },
	{ "read_char", merry_read_char },
	{ "scan", merry_read_number },
	{ "scanf", merry_read_float },
	{ "read_string", merry_read_string },
	{ "write_string", merry_write_string },
	{ "print", merry_write_unsigned },
	{ "printf", merry_write_float },
	{ NULL, NULL },
};

static const GuestFormat formats[] = {
	{ "beb", ".mbin", merry_beb_write },
	{ NULL, NULL, NULL },
};

static const char *const extensions[] = { ".masm", NULL };

const Guest merry_guest = {
	.name = "merry",
	.isa_name = "Merry",
	.hosts = hosts,
	.recognize = merry_beb_recognize,
	.load = load,
	.reset = merry_graves_reset,
	.formats = formats,
	.isa_text = merry_isa_text,
	.isa_frozen = merry_isa_frozen,
	.private_size = sizeof(MerryPrivate),
	.asm_extensions = extensions,
	.stop_ends_vcpu = true,
	.vcpu_failed = core_failed,
	.explain = explain,
	.vcpu_word = "core",
	.exit_code = exit_code,
};
