/* SPDX-License-Identifier: MIT
 *
 * A toy computer for the tests of machine/ and debug/: small, with everything a description can have (context, two
 * memories, devices, events, interrupts, timers, exceptions), and a way to put a program into it.
 */
#ifndef TESTS_TOY_H
#define TESTS_TOY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "asm/asm.h"
#include "machine/machine.h"

static const char toy_isa[] =
	"isa TOY \"a computer for tests\"\n"
	"space M : 16 x 0x10000\n"
	"space D : 8, size 100\n" /* checked: from 100 on a fault */
	"code M\n"
	"reg R[8] : 16\n"
	"reg pc : 16 = 0x100\n"
	"reg user : 1 context\n"
	"reg kready : 1,  kdata : 16,  ie : 1,  epc : 16,  ticks : 16,  cause : 16\n"
	"view flags = ie @ kready\n"
	"     set v { ie = v[1]; kready = v[0] }\n"
	"field d a b : R\n"
	"field i : signed\n"
	"field t : rel next\n"
	"field v : unsigned\n"
	"insn LI    \"0000 ddd iiiiiiiii\"     d, i      { d = i }\n"
	"insn ADD   \"0001 ddd aaa bbb 000\"  d, a, b   { d = a + b }\n"
	"insn ADDI  \"0010 ddd aaa iiiiii\"    d, a, i   { d = a + i }\n"
	"insn LD    \"0011 ddd aaa 000000\"    d, a      { d = M[a] }\n"
	"insn ST    \"0100 ddd aaa 000000\"    d, a      { M[a] = d }\n"
	"insn BNZ   \"0101 aaa ttttttttt\"     a, t      { if (a != 0) jump t }\n"
	"insn CALL  \"0110 tttttttttttt\"      t         { R[7] = next; call t }\n"
	"insn RET   \"0111 000000000000\"                { ret R[7] }\n"
	"insn OUT   \"1000 aaa 000000000\"     a         { host putc(a[7:0]) }\n"
	"insn GETC  \"1001 ddd 000000000\"     d         { d = zx(host key()) }\n"
	"insn STOP  \"1010 vvvvvvvvvvvv\"      v         { stop v }\n"
	"insn TRAP  \"1011 vvvvvvvvvvvv\"      v         { raise v }\n"
	"insn IRET  \"1100 000000000000\"                { ie = 1; ret epc }\n"
	"insn SETF  \"1101 0 00000000000\"               { ie = 1 }\n"
	"insn MODE  \"1101 1 0000000000 v\"    v         { user = v }\n"
	"insn LDD   \"1110 ddd aaa 00000 0\"   d, a      { d = zx(D[a]) }\n"
	"insn STD   \"1110 ddd aaa 00000 1\"   d, a      { D[a] = d[7:0] }\n"
	"insn RAND  \"1111 ddd 00000000 0\"    d         { d = zx((host random())[7:0]) }\n"
	"insn WHO   \"1111 ddd 00000000 1\"    d         { if (user) d = 1 else d = 0 }\n"
	"on raise(n) { if (n == 9) raise 9; if (n == 8) raise 7; cause = zx(n); if (n == 6) stop 66; jump pc + 1 }\n"
	"on fault(q) { cause = 0xFA; jump pc + 1 }\n"
	"on read M[0xFF00] { return zx(kready) }\n"
	"on read M[0xFF02] { kready = 0; return kdata }\n"
	"on write M[0xFF04] w { host putc(w[7:0]) }\n"
	"on write M[0xFF06] w { if (w == 0) stop 5; ie = w[0] }\n"
	"event key(c:8) when !kready { kready = 1; kdata = zx(c) }\n"
	"interrupt keyboard when kready && ie { ie = 0; epc = pc; jump 0x40 }\n"
	"every 10 { ticks = ticks + 1 }\n"
	"asm {\n"
	"  comment \";\"  label colon  number hex \"0x\" | dec\n"
	"  .ORG q = org\n"
	"  .WORD w = data 16\n"
	"  .SPACE n = space\n"
	"}\n";

typedef struct Toy {
	Isa *isa;
	AsmProgram *program;
	Machine *machine;
	Buf output;
} Toy;

static void toy_output(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(&((Toy *)ctx)->output, bytes, len);
}

static void toy_check(const DiagList *diags, const void *made)
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

/* A second machine of the same description. */
static Machine *toy_machine(const Isa *isa)
{
	DiagList diags;
	Machine *machine = NULL;
	MachineConfig config = { .isa = isa, .random_seed = 42, .size_program = 100 };

	diag_init(&diags);
	machine_create(&config, &machine, &diags);
	toy_check(&diags, machine);
	diag_fini(&diags);
	return machine;
}

static void toy_put(Machine *machine, const AsmProgram *program)
{
	for (u32 i = 0; i < program->segment_count; i++)
		for (u32 k = 0; k < program->segments[i].count; k++)
			assert_int_equal(machine_write(machine, program->segments[i].space,
						       program->segments[i].origin + k, program->segments[i].cells[k]), 0);
}

/* A description, a program in it, a machine about to run it. */
static inline void toy_open_isa(Toy *toy, const char *isa, const char *text)
{
	DiagList diags;
	Source source = { "toy.asm", text, strlen(text) };
	AsmOptions options = { 0 };

	memset(toy, 0, sizeof(*toy));
	diag_init(&diags);
	buf_init(&toy->output);
	toy->isa = isa_load("toy.isa", isa, strlen(isa), NULL, 0, &diags);
	toy_check(&diags, toy->isa);
	toy->program = asm_assemble(toy->isa, &source, &options, &diags);
	toy_check(&diags, toy->program);
	diag_fini(&diags);
	toy->machine = toy_machine(toy->isa);
	toy_put(toy->machine, toy->program);
	machine_reset(toy->machine, true);
	machine_set_output(toy->machine, toy_output, toy);
}

static inline void toy_open(Toy *toy, const char *text)
{
	toy_open_isa(toy, toy_isa, text);
}

static inline void toy_close(Toy *toy)
{
	machine_destroy(toy->machine);
	asm_program_destroy(toy->program);
	isa_destroy(toy->isa);
	buf_fini(&toy->output);
}

static inline u64 toy_reg(const Machine *machine, const char *name)
{
	u32 slot;
	u8 width;

	assert_true(isa_find_register(machine_isa(machine), name, strlen(name), false, &slot, &width));
	return machine_slot(machine, slot);
}

/* All state of a machine as one number. */
static inline u64 toy_hash(const Machine *machine)
{
	Buf bytes;
	u64 hash = 1469598103934665603u;

	buf_init(&bytes);
	assert_int_equal(machine_snapshot(machine, &bytes), STATUS_OK);
	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ bytes.data[i]) * 1099511628211u;
	buf_fini(&bytes);
	return hash;
}

#endif
