/* SPDX-License-Identifier: MIT
 *
 * A small computer with a paged space, for the tests of pages, address spaces and guests with an operating system: 16
 * registers, instructions of 16 and 32 bits, loads and stores of all widths. Programs are written as words.
 */
#ifndef TESTS_PAGED_H
#define TESTS_PAGED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "machine/machine.h"
#include "machine/pages.h"
#include "machine/vcpus.h"

static const char paged_isa[] =
	"isa PAGED \"a process for tests\"\n"
	"space mem : 8, address 64, little, paged\n"
	"code mem parcel 16 low-first\n"
	"reg r[16] : 64\n"
	"reg pc : 64\n"
	"field d a : r\n"
	"field i : signed\n"
	"insn addi \"i:16 d:4 a:4 000000 11\" d, a, i { d = a + i }\n"
	"insn ld8  \"i:16 d:4 a:4 000001 11\" d, a, i { d = zx(mem:8[a + i]) }\n"
	"insn ld16 \"i:16 d:4 a:4 000010 11\" d, a, i { d = zx(mem:16[a + i]) }\n"
	"insn ld32 \"i:16 d:4 a:4 000011 11\" d, a, i { d = zx(mem:32[a + i]) }\n"
	"insn ld64 \"i:16 d:4 a:4 000100 11\" d, a, i { d = mem:64[a + i] }\n"
	"insn st8  \"i:16 d:4 a:4 000101 11\" d, a, i { mem:8[a + i] = d[7:0] }\n"
	"insn st16 \"i:16 d:4 a:4 000110 11\" d, a, i { mem:16[a + i] = d[15:0] }\n"
	"insn st32 \"i:16 d:4 a:4 000111 11\" d, a, i { mem:32[a + i] = d[31:0] }\n"
	"insn st64 \"i:16 d:4 a:4 001000 11\" d, a, i { mem:64[a + i] = d }\n"
	"insn bnz  \"i:16 d:4 a:4 001001 11\" d, a, i { if (a != 0) jump pc + i }\n"
	"insn jr   \"i:16 d:4 a:4 001010 11\" d, a, i { jump a + i }\n"
	"insn sys  \"i:16 d:4 a:4 001011 11\" d, a, i { d = host sys(a, sx(i, 64)) }\n"
	"insn trap \"i:16 d:4 a:4 001100 11\" d, a, i { raise sx(i, 64) }\n"
	"insn swap \"i:16 d:4 a:4 001101 11\" d, a, i { let t = mem:64[a + i]; mem:64[a + i] = d; d = t }\n"
	"insn both \"i:16 d:4 a:4 001110 11\" d, a, i restartable { mem:64[a] = d; mem:64[a + i] = d }\n"
	"insn li   \"i:16 d:4 a:4 001111 11\" d, i, a { d = i }\n"
	"insn add  \"i:16 d:4 a:4 010000 11\" d, a, i { d = d + a }\n"
	"insn lds8  \"i:16 d:4 a:4 010001 11\" d, a, i { d = sx(mem:8[a + i]) }\n"
	"insn lds16 \"i:16 d:4 a:4 010010 11\" d, a, i { d = sx(mem:16[a + i]) }\n"
	"insn lds32 \"i:16 d:4 a:4 010011 11\" d, a, i { d = sx(mem:32[a + i]) }\n"
	"insn jrm  \"i:16 d:4 a:4 010100 11\" d, a, i { let t = (a + i) & ~1; d = next; jump t }\n"
	"insn nop  \"d:4 a:4 000000 01\" d, a { }\n"
	"insn halt \"d:4 a:4 000001 01\" d, a { stop d }\n"
	"insn inc  \"d:4 a:4 000010 01\" d, a { d = d + 1 }\n";

enum Op {
	ADDI, LD8, LD16, LD32, LD64, ST8, ST16, ST32, ST64, BNZ, JR, SYS, TRAP, SWAP, BOTH, LI, ADD, LDS8, LDS16, LDS32, JRM,
	NOP = 0, HALT = 1, INC = 2, /* 16 bits */
};

enum { CODE = 0x10000, DATA = 0x20000, PC_SLOT = 0 };

#define R(n) (paged_register + (n))

typedef struct Paged {
	Isa *isa;
	Machine *machine;
	u64 at;          /* where the next instruction goes */
	Buf output;
} Paged;

static u32 paged_register; /* slot of r0 */

static void paged_output(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(&((Paged *)ctx)->output, bytes, len);
}

static void paged_check(const DiagList *diags, const void *made)
{
	Buf text;

	if (made)
		return;
	buf_init(&text);
	diag_render(diags, &text, false);
	fprintf(stderr, "%s", buf_text(&text));
	buf_fini(&text);
	fail();
}

static Machine *paged_machine(const Isa *isa, const MachineConfig *with)
{
	DiagList diags;
	Machine *machine = NULL;
	MachineConfig config = *with;

	config.isa = isa;
	diag_init(&diags);
	machine_create(&config, &machine, &diags);
	paged_check(&diags, machine);
	diag_fini(&diags);
	machine_reset(machine, true);
	return machine;
}

/* A page of code, with the right to be executed alone, and pc at its start. */
static void paged_open(Paged *p, const MachineConfig *with)
{
	DiagList diags;

	memset(p, 0, sizeof(*p));
	buf_init(&p->output);
	diag_init(&diags);
	p->isa = isa_load("paged.isa", paged_isa, strlen(paged_isa), NULL, 0, &diags);
	paged_check(&diags, p->isa);
	diag_fini(&diags);
	for (u32 r = 0; r < p->isa->reg_count; r++)
		if (strcmp(p->isa->regs[r].name, "r") == 0)
			paged_register = p->isa->regs[r].slot;
	p->machine = paged_machine(p->isa, with);
	machine_set_output(p->machine, paged_output, p);
	assert_int_equal(machine_pages_add(p->machine, 0, CODE, SPACE_PAGE, ATTR_EXEC), STATUS_OK);
	machine_set_pc(p->machine, CODE);
	p->at = CODE;
}

static void paged_close(Paged *p)
{
	machine_destroy(p->machine);
	isa_destroy(p->isa);
	buf_fini(&p->output);
}

/* Writes behind the guest's back. */
static void paged_poke(Paged *p, u64 address, u64 value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		assert_int_equal(machine_write(p->machine, machine_paged_space(p->machine), address + i, value >> (8 * i) & 0xFF),
				 STATUS_OK);
}

static inline u64 paged_peek(Paged *p, u64 address, unsigned bytes)
{
	u64 value = 0, cell;

	for (unsigned i = 0; i < bytes; i++) {
		assert_int_equal(machine_read(p->machine, machine_paged_space(p->machine), address + i, &cell), STATUS_OK);
		value |= cell << (8 * i);
	}
	return value;
}

static inline u32 paged_word(enum Op op, unsigned d, unsigned a, int i)
{
	return (u32)i << 16 | d << 12 | a << 8 | (u32)op << 2 | 3;
}

static inline u16 paged_half(enum Op op, unsigned d)
{
	return (u16)(d << 12 | (u32)op << 2 | 1);
}

static inline void put(Paged *p, enum Op op, unsigned d, unsigned a, int i)
{
	paged_poke(p, p->at, paged_word(op, d, a, i), 4);
	p->at += 4;
}

static inline void put2(Paged *p, enum Op op, unsigned d)
{
	paged_poke(p, p->at, paged_half(op, d), 2);
	p->at += 2;
}

static inline void add_page(Paged *p, u64 address, u8 rights)
{
	assert_int_equal(machine_pages_add(p->machine, machine_aspace(p->machine), address, SPACE_PAGE, rights), STATUS_OK);
}

static inline void set(Paged *p, unsigned n, u64 value)
{
	machine_set_slot(p->machine, R(n), value);
}

static inline u64 get(Paged *p, unsigned n)
{
	return machine_slot(p->machine, R(n));
}

/* ---- A guest with an operating system ---- */

/* What the tests' guest was asked, and says. */
typedef struct Kernel {
	u32 asked;              /* calls of the pager */
	u64 asked_at[8];
	u8 asked_for[8];
	u8 grants;              /* rights of pages it makes; 0: it says no */
	u64 grant_from, grant_to;
	VcpuExit exit;          /* of the last exception */
	u32 exceptions;
	u64 go_on;              /* pc after an exception; 0: it is not taken */
	HostResult (*sys)(Machine *machine, u64 a, u64 i, u64 *result);
	void (*attend)(Machine *machine);
	u32 attended, passed;   /* calls of attend, of time_passed */
	u64 timer;              /* next_hour; ~0 after it has gone off */
	bool outside;           /* waits_outside */
} Kernel;

static Kernel *kernel_of(Machine *machine)
{
	return machine_private(machine);
}

static bool paged_pager(Machine *machine, u32 aspace, u64 address, u8 access)
{
	Kernel *kernel = kernel_of(machine);

	if (kernel->asked < 8) {
		kernel->asked_at[kernel->asked] = address;
		kernel->asked_for[kernel->asked] = access;
	}
	kernel->asked++;
	if (!(kernel->grants & access) || address < kernel->grant_from || address >= kernel->grant_to)
		return false;
	return machine_pages_add(machine, aspace, address & ~(u64)(SPACE_PAGE - 1), SPACE_PAGE, kernel->grants) == STATUS_OK;
}

static bool paged_exception(Machine *machine, const VcpuExit *exit)
{
	Kernel *kernel = kernel_of(machine);

	kernel->exit = *exit;
	kernel->exceptions++;
	if (kernel->go_on)
		machine_set_pc(machine, kernel->go_on);
	return kernel->go_on;
}

static HostResult paged_sys(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	return kernel_of(machine)->sys ? kernel_of(machine)->sys(machine, args[0], args[1], result) : HOST_OK;
}

static void paged_attend(Machine *machine)
{
	kernel_of(machine)->attended++;
	if (kernel_of(machine)->attend)
		kernel_of(machine)->attend(machine);
}

static void paged_time_passed(Machine *machine)
{
	Kernel *kernel = kernel_of(machine);

	kernel->passed++;
	if (kernel->timer <= machine_time(machine)) {
		kernel->timer = ~(u64)0;
		machine_want_attention(machine, 0);
	}
}

static u64 paged_next_hour(Machine *machine)
{
	return kernel_of(machine)->timer;
}

static bool paged_waits_outside(Machine *machine)
{
	return kernel_of(machine)->outside;
}

static const HostEntry paged_hosts[] = { { "sys", paged_sys }, { NULL, NULL } };
static const Guest paged_guest = { .name = "paged", .isa_name = "PAGED", .hosts = paged_hosts, .private_size = sizeof(Kernel),
				   .exception = paged_exception, .attend = paged_attend,
				   .time_passed = paged_time_passed, .next_hour = paged_next_hour,
				   .waits_outside = paged_waits_outside };

static void open_with(Paged *p, MachineConfig config)
{
	config.guest = &paged_guest;
	paged_open(p, &config);
	machine_set_pager(p->machine, paged_pager);
	kernel_of(p->machine)->timer = ~(u64)0;
}

static inline void open_plain(Paged *p)
{
	open_with(p, (MachineConfig){ .memory_limit = 1 << 20 });
}

/* Runs to `halt`. */
static inline void expect_halt(Paged *p, u64 code)
{
	MachineStop stop = machine_run(p->machine, 100000);

	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, code);
}

static inline void expect_fault(Paged *p, u64 pc, u64 address, bool write)
{
	u64 before[16];
	MachineStop stop;

	for (unsigned i = 0; i < 16; i++)
		before[i] = get(p, i);
	stop = machine_run(p->machine, 1000);
	assert_int_equal(stop.kind, STOP_FAULT);
	assert_int_equal(stop.pc, pc);
	assert_int_equal(machine_pc(p->machine), pc);
	assert_int_equal(stop.address, address);
	assert_int_equal(stop.write, write);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(get(p, i), before[i]);
}

#endif
