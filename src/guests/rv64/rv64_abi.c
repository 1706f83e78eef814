/* SPDX-License-Identifier: MIT
 *
 * RISC-V as Linux has it (UAPI asm/sigcontext.h, asm/ucontext.h): registers of system calls, the frame of a signal.
 *
 *     struct ucontext   0  uc_flags, uc_link
 *                      16  uc_stack: base, flags, size
 *                      40  uc_sigmask, 8 bytes; room for 128
 *                     176  sc_regs: pc, x1 .. x31
 *                     432  sc_fpregs: f0 .. f31, fcsr (4 bytes); room for the 128-bit ones, zero
 *                     960
 */
#define _GNU_SOURCE /* signal.h: TRAP_BRKPT */
#include <signal.h>
#include <string.h>

#include "guests/rv64/rv64.h"

enum {
	MASK_AT = 40,
	STACK_AT = 16,
	REGS_AT = 176,
	FP_AT = 432,
	FCSR_AT = FP_AT + 32 * 8,
	FRAME = 960,
	REG_RA = RV64_X + 1,
	REG_SP = RV64_X + 2,
	REG_TP = RV64_X + 4,
	REG_A0 = RV64_X + 10,
	REG_A7 = RV64_X + 17,
	/* `raise` gives the numbers of the privileged manual. */
	CAUSE_ILLEGAL = 2,
	CAUSE_BREAKPOINT = 3,
	CAUSE_LOAD_MISALIGNED = 4,
	CAUSE_STORE_MISALIGNED = 6,
};

static bool is_at(const Isa *isa, const char *name, u32 slot, u8 width)
{
	u32 found;
	u8 has;

	return isa_find_register(isa, name, strlen(name), false, &found, &has) && found == slot && has == width;
}

bool rv64_slots_fit(const Isa *isa)
{
	return is_at(isa, "pc", RV64_PC, 64) && is_at(isa, "ra", REG_RA, 64) && is_at(isa, "sp", REG_SP, 64) &&
	       is_at(isa, "tp", REG_TP, 64) && is_at(isa, "a0", REG_A0, 64) && is_at(isa, "a7", REG_A7, 64) &&
	       is_at(isa, "t6", RV64_X + 31, 64) && is_at(isa, "ft0", RV64_F, 64) && is_at(isa, "ft11", RV64_F + 31, 64) &&
	       is_at(isa, "frm", RV64_FRM, 3) && is_at(isa, "fflags", RV64_FFLAGS, 5);
}

static void put64(u8 *at, u64 value)
{
	memcpy(at, &value, sizeof(value));
}

static u64 get64(const u8 *at)
{
	u64 value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void save(Machine *machine, u8 *frame)
{
	u32 fcsr = (u32)(machine_slot(machine, RV64_FRM) << 5 | machine_slot(machine, RV64_FFLAGS));

	put64(frame + REGS_AT, machine_pc(machine));
	for (u32 i = 1; i < 32; i++)
		put64(frame + REGS_AT + 8 * i, machine_slot(machine, RV64_X + i));
	for (u32 i = 0; i < 32; i++)
		put64(frame + FP_AT + 8 * i, machine_slot(machine, RV64_F + i));
	memcpy(frame + FCSR_AT, &fcsr, sizeof(fcsr));
}

static bool restore(Machine *machine, const u8 *frame)
{
	u32 fcsr;

	/* Behind fcsr begin further extensions of the context; there are none here. */
	for (u32 i = FCSR_AT + 4; i < FCSR_AT + 16; i++)
		if (frame[i])
			return false;
	memcpy(&fcsr, frame + FCSR_AT, sizeof(fcsr));
	machine_set_pc(machine, get64(frame + REGS_AT));
	for (u32 i = 1; i < 32; i++)
		machine_set_slot(machine, RV64_X + i, get64(frame + REGS_AT + 8 * i));
	for (u32 i = 0; i < 32; i++)
		machine_set_slot(machine, RV64_F + i, get64(frame + FP_AT + 8 * i));
	machine_set_slot(machine, RV64_FRM, fcsr >> 5 & 7);
	machine_set_slot(machine, RV64_FFLAGS, fcsr & 31);
	return true;
}

static void enter(Machine *machine, u64 handler, u64 stack, u64 number, u64 info, u64 context, u64 back)
{
	machine_set_pc(machine, handler);
	machine_set_slot(machine, REG_SP, stack);
	machine_set_slot(machine, REG_RA, back);
	machine_set_slot(machine, REG_A0, number);
	machine_set_slot(machine, REG_A0 + 1, info);
	machine_set_slot(machine, REG_A0 + 2, context);
}

/* Faults of memory are the kernel's own business (mm_fault). */
static int signal_of(const Machine *machine, const VcpuExit *exit, i32 *code, u64 *address)
{
	*address = machine_pc(machine);
	if (exit->kind == EXIT_ILLEGAL || (exit->kind == EXIT_RAISE && exit->value == CAUSE_ILLEGAL)) {
		*code = ILL_ILLOPC;
		return SIGILL;
	}
	if (exit->kind == EXIT_RAISE && exit->value == CAUSE_BREAKPOINT) {
		*code = TRAP_BRKPT;
		return SIGTRAP;
	}
	if (exit->kind == EXIT_RAISE && (exit->value == CAUSE_LOAD_MISALIGNED || exit->value == CAUSE_STORE_MISALIGNED)) {
		*code = BUS_ADRALN;
		return SIGBUS;
	}
	return 0;
}

static void reset(Machine *machine)
{
	u32 count = machine_isa(machine)->slot_count;

	for (u32 i = 0; i < count; i++)
		machine_set_slot(machine, i, 0);
	machine_set_slot(machine, RV64_FFLAGS + 1, ~(u64)0); /* nothing is reserved */
}

/* li a7, 139 (rt_sigreturn); ecall */
static const u8 trampoline[] = { 0x93, 0x08, 0xB0, 0x08, 0x73, 0x00, 0x00, 0x00 };

/* AT_HWCAP: a bit for each of the letters I M A F D C. */
#define LETTER(c) ((u64)1 << ((c) - 'A'))

const LinuxAbi rv64_abi = {
	.machine_name = "riscv64",
	.elf_machine = 243,
	.elf_flags_refused = 8, /* RVE: 16 registers */
	.hwcap = LETTER('I') | LETTER('M') | LETTER('A') | LETTER('F') | LETTER('D') | LETTER('C'),
	.registers = {
		.pc = RV64_PC,
		.sp = REG_SP,
		.tls = REG_TP,
		.result = REG_A0,
		.number = REG_A7,
		.args = { REG_A0, REG_A0 + 1, REG_A0 + 2, REG_A0 + 3, REG_A0 + 4, REG_A0 + 5 },
	},
	.call_length = 4,
	.trampoline = trampoline,
	.trampoline_len = sizeof(trampoline),
	.frame_size = FRAME,
	.mask_offset = MASK_AT,
	.stack_offset = STACK_AT,
	.save = save,
	.restore = restore,
	.enter = enter,
	.signal_of = signal_of,
	.reset = reset,
};
