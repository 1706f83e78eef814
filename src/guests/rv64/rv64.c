/* SPDX-License-Identifier: MIT
 *
 * The guest: a computer whose programs are those of Linux. Everything that a kernel does is linux/; here stand the
 * instruction set's own part of it (rv64_abi.c) and what the machine is to know.
 */
#include "guests/rv64/rv64.h"

#include "machine/pages.h"

enum { ELF_RISCV = 243 };

static void rv64_reset(Machine *machine)
{
	if (rv64_slots_fit(machine_isa(machine)))
		linux_create(machine, &rv64_abi);
}

static int rv64_recognize(const GuestFile *file)
{
	return linux_recognize(file, ELF_RISCV);
}

static Status rv64_load(Machine *machine, const GuestFile *files, u32 count, DiagList *diags)
{
	if (!rv64_slots_fit(machine_isa(machine)) || machine_paged_space(machine) == ISA_NONE) {
		diag_report_file(diags, DIAG_ERROR, count ? files[0].name : "", "husk isa show rv64 shows one that has",
				 "this description has not all that Linux programs need: a paged space of 64-bit addresses,"
				 " registers x, f, frm and fflags");
		return STATUS_UNSUPPORTED;
	}
	/* A driver that knows nothing of Linux gets its defaults. */
	if (!*(Kernel **)machine_private(machine)) {
		LinuxConfig config = { .argument_count = 0 };
		Status status = linux_configure(machine, &config, diags);

		if (status)
			return status;
	}
	return linux_load(machine, files, count, diags);
}

static void rv64_explain(Machine *machine, const MachineStop *stop, Buf *out)
{
	if (stop->kind == STOP_DENIED && !*(Kernel **)machine_private(machine))
		buf_str(out, "a system call, but no Linux program was loaded");
}

/* The machine gives it as a program ends for its parent: 0..255, or 128 + the signal. */
static int rv64_exit_code(const Machine *machine, u64 code)
{
	(void)machine;
	return (int)(code & 0xFF);
}

static const HostEntry hosts[] = {
	{ "syscall", linux_syscall },
	{ "flush_code", linux_flush_code },
	{ NULL, NULL },
};

static const GuestFormat formats[] = {
	{ "elf", ".elf", rv64_write_elf },
	{ NULL, NULL, NULL },
};

const Guest rv64_guest = {
	.name = "rv64",
	.isa_name = "RV64GC",
	.isa_text = rv64_isa_text,
	.isa_frozen = rv64_isa_frozen,
	.hosts = hosts,
	.formats = formats,
	.recognize = rv64_recognize,
	.load = rv64_load,
	.reset = rv64_reset,
	.read_names = linux_read_names,
	.private_size = sizeof(Kernel *),
	.vcpu_word = "thread",
	.is_linux = true,
	.explain = rv64_explain,
	.describe_wait = linux_describe_wait,
	.summary = linux_summary,
	.exception = linux_exception,
	.attend = linux_attend,
	.waits_outside = linux_waits_outside,
	.outside = linux_poll_set,
	.outside_done = linux_poll_done,
	.ask_to_end = linux_ask_to_end,
	.time_passed = linux_time_passed,
	.next_hour = linux_next_hour,
	.input_arrived = linux_input_arrived,
	.stirred = linux_stirred,
	.save = linux_save,
	.restore = linux_restore,
	.save_near = linux_save_near,
	.restore_near = linux_restore_near,
	.setup = linux_setup,
	.setup_put = linux_setup_put,
	.set_up = linux_set_up,
	.fini = linux_fini,
	.exit_code = rv64_exit_code,
};
