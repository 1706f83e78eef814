/* SPDX-License-Identifier: MIT
 *
 * A host that does what it likes while compiled code waits for it: runs functions of the program within its call, stores into code
 * that called, raises, stops, waits, asks for attention, changes registers. What it does is drawn by the machine's own generator, so
 * all engines meet the same; after each slice their states are equal, under regions made at once, small caches and eviction.
 */
#include "engines.h"

#include <fenv.h>

#include "jit/jit.h"

static const char calls_isa[] =
	"isa CALLS \"asks the host for everything\"\n"
	"space M : 16 x 0x1000\n"
	"space D : 8, size 100\n"
	"code M\n"
	"reg R[8] : 16\n"
	"reg pc : 16 = 0x100\n"
	"reg mode : 1 context\n"
	"reg cause : 16\n"
	"reg ie : 1\n"
	"reg epc : 16\n"
	"host any(x:16, y:16) : 16\n"
	"field d a b : R\n"
	"field i : signed\n"
	"field t : rel next\n"
	"insn LI    \"0000 ddd iiiiiiiii\"     d, i      { d = i }\n"
	"insn ADD   \"0001 ddd aaa bbb 000\"  d, a, b   { d = a + b }\n"
	"insn ADDI  \"0010 ddd aaa iiiiii\"    d, a, i   { d = a + i }\n"
	"insn LD    \"0011 ddd aaa 000000\"    d, a      { d = M[a] }\n"
	"insn ST    \"0100 ddd aaa 000000\"    d, a      { M[a] = d }\n"
	"insn BNZ   \"0101 aaa ttttttttt\"     a, t      { if (a != 0) jump t }\n"
	"insn CALL  \"0110 tttttttttttt\"      t         { R[7] = next; call t }\n"
	"insn RET   \"0111 000000000000\"                { ret R[7] }\n"
	"insn ANY   \"1000 ddd aaa bbb 000\"  d, a, b   { d = host any(a, b) }\n"
	"insn TELL  \"1001 aaa 000000000\"     a         { host any(a, 7) }\n"
	"insn TWICE \"1010 ddd aaa bbb 000\"  d, a, b   { d = host any(a, b) + host any(b, 3) }\n"
	"insn SOME  \"1011 ddd aaa bbb 000\"  d, a, b   { if (a[0]) d = host any(a, b) else d = b }\n"
	"insn INTO  \"1100 ddd aaa 000000\"    d, a      { D[zx(a[6:0], 64)] = (host any(d, a))[7:0] }\n"
	"insn MODE  \"1101 aaa 000000000\"     a         { mode = (host any(a, a))[0] }\n"
	"insn WHO   \"1110 ddd 000000000\"     d         { if (mode) d = d + 3 else d = d + 1 }\n"
	"insn EI    \"1111 000000000000\"                { ie = 1 }\n"
	"on raise(n) { cause = zx(n); jump pc + 1 }\n"
	"on fault(q) { cause = 0xFA; jump pc + 1 }\n"
	"interrupt often when ie && cause[1] { ie = 0; cause = 0; epc = pc }\n"
	"asm {\n"
	"  comment \";\"  label colon  number hex \"0x\" | dec\n"
	"  .ORG q = org\n"
	"}\n";

/* FUNC is what the host calls; SPOT is where it stores into code. */
static const char calls_text[] =
	"        .ORG 0x100\n"
	"AGAIN:  LI R5, 20\n"
	"LOOP:   ANY R1, R1, R5\n"
	"        CALL FUNC\n"
	"SPOT:   ADDI R2, R2, 1\n" /* where a return comes to */
	"        TELL R1\n"
	"        CALL LEAF\n"
	"        TWICE R3, R1, R2\n"
	"        SOME R4, R5, R3\n"
	"        INTO R4, R2\n"
	"        WHO R2\n"
	"        ADDI R5, R5, -1\n"
	"        BNZ R5, LOOP\n"
	"        MODE R2\n"
	"        EI\n"
	"        BNZ R0, AGAIN\n"
	"        LI R0, 1\n"
	"        BNZ R0, AGAIN\n"
	"        .ORG 0x200\n"
	"FUNC:   ADDI R6, R7, 0\n"
	"        ADDI R3, R3, 5\n"
	"        ANY R4, R3, R1\n"
	"        CALL LEAF\n"
	"        ANY R1, R4, R3\n"
	"        ADDI R7, R6, 0\n"
	"        RET\n"
	"        .ORG 0x240\n"
	"LEAF:   TELL R2\n"
	"        RET\n"
	"        .ORG 0x260\n"
	"SPIN:   LI R3, 100\n" /* so long that it is compiled code, too; what is evicted then is what its caller is in */
	"TURN:   ADDI R3, R3, -1\n"
	"        BNZ R3, TURN\n"
	"        TWICE R1, R1, R3\n"
	"        RET\n";

enum { SPOT = 0x103, FUNC = 0x200, LEAF = 0x240, SPIN = 0x260, NOWHERE = 0xFFF };

static u32 depth_most;

static void call_back(Machine *machine, u64 pc, u64 *result)
{
	static u32 depth;
	const Isa *isa = machine_isa(machine);
	MachineStop stop;
	u64 *slots, insns;

	if (machine_call_begin(machine, &slots) != STATUS_OK)
		return;
	depth++;
	depth_most = depth > depth_most ? depth : depth_most;
	slots[0] = pc;
	slots[isa->regs[0].slot + 7] = NOWHERE;
	slots[isa->regs[0].slot + 1] = *result & 0xFF;
	if (machine_call_run(machine, NOWHERE, pc == SPIN ? 400 : 60, &insns, &stop) == STOP_RETURN)
		*result = slots[isa->regs[0].slot + 1] + insns;
	depth--;
	machine_call_end(machine);
}

static u32 mode_slot(const Machine *machine)
{
	const Isa *isa = machine_isa(machine);
	u32 i = 0;

	while (strcmp(isa->regs[i].name, "mode") != 0)
		i++;
	return isa->regs[i].slot;
}

static HostResult any(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	const u32 drawn = (u32)(machine_random(machine) >> 40), slot = machine_isa(machine)->regs[0].slot;

	(void)count;
	*result = args[0] * 3 + args[1] + machine_pc(machine) + machine_icount(machine);
	switch (drawn % 400) {
	case 0: /* another `ADDI R2, R2, i` */
		machine_write(machine, 0, SPOT, 0x2480 | (drawn >> 8 & 31));
		return HOST_QUIET;
	case 1: machine_write(machine, 0, FUNC + 1, 0x26C0 | (drawn >> 8 & 31)); return HOST_OK;
	case 2: case 3: call_back(machine, FUNC, result); return HOST_QUIET;
	case 4: call_back(machine, LEAF, result); return HOST_OK;
	case 5: /* and then its caller is another */
		call_back(machine, FUNC, result);
		machine_write(machine, 0, SPOT, 0x2480 | (drawn >> 8 & 31));
		return HOST_QUIET;
	case 6: *result = drawn >> 8 & 3; return HOST_RAISE;
	case 7: *result = 9; return drawn & 0x1000 ? HOST_STOP : HOST_OK;
	case 8: machine_set_slot(machine, slot + 2, drawn >> 8 & 0xFF); return HOST_QUIET;
	case 9: machine_changed(machine); return HOST_QUIET;
	case 10: machine_break_soon(machine); return HOST_QUIET;
	case 11: return machine_resize(machine, 1, 90 + (drawn >> 8) % 100) ? HOST_RAISE : HOST_QUIET;
	case 12: return drawn & 0x1000 ? HOST_WAIT : HOST_OK;
	case 13: /* other code */
		machine_set_slot(machine, mode_slot(machine), drawn >> 8 & 1);
		machine_changed(machine);
		return HOST_QUIET;
	case 14: call_back(machine, SPIN, result); return HOST_QUIET;
	default: return drawn % 8 == 0 ? HOST_OK : HOST_QUIET;
	}
}

static const HostEntry its_hosts[] = {{"any", any}, {NULL, NULL}};
static const Guest its_guest = {.name = "calls", .hosts = its_hosts};

static AsmProgram *assemble(const Isa *isa, const char *text)
{
	Source source = {"calls.asm", text, strlen(text)};
	AsmOptions options = {0};
	AsmProgram *program;
	DiagList diags;

	diag_init(&diags);
	program = asm_assemble(isa, &source, &options, &diags);
	toy_check(&diags, program);
	diag_fini(&diags);
	return program;
}

static void test_anything(void **state)
{
	static const EngineOptions ways[] = {{.hot = 1}, {.hot = 3, .evict = 7}, {.hot = 1, .evict = 40}, {.hot = 1, .region = 1},
					     {.hot = 20, .switch_rights = true}, {.hot = 1, .background = true}, {.hot = 1000000}};
	enum { WAYS = COUNT_OF(ways), ROUNDS = 10, LENGTH = 100 };
	const EngineOps *engines[WAYS + 1] = {&interp_engine};
	EngineStats stats = {0};
	Isa *isa = load("calls.isa", calls_isa);
	AsmProgram *program = assemble(isa, calls_text);

	(void)state;
	for (u64 seed = 1; seed <= ROUNDS; seed++) {
		Machine *machines[WAYS + 1];
		MachineStop stops[WAYS + 1];
		Rng rng = {seed};

		for (unsigned e = 0; e <= WAYS; e++) {
			engines[e] = e ? &jit_engine : &interp_engine;
			engine_options = e ? &ways[e - 1] : NULL;
			machines[e] = create_for(isa, engines[e], &its_guest);
			toy_put(machines[e], program);
			machine_set_seed(machines[e], seed * 1000);
		}
		engine_options = NULL;
		for (unsigned slice = 0; slice < LENGTH; slice++) {
			u64 insns = rng_below(&rng, 4) ? 1 + rng_below(&rng, 4000) : 1 + rng_below(&rng, 12);

			for (unsigned e = 0; e <= WAYS; e++)
				stops[e] = machine_run(machines[e], insns);
			compare_machines(machines, engines, stops, WAYS + 1, "calls", slice);
		}
		machine_engine_stats(machines[1], &stats);
		for (unsigned e = 0; e <= WAYS; e++)
			machine_destroy(machines[e]);
	}
	assert_true(depth_most > 1);
	assert_true(stats.counts[ENGINE_CALLS] > 1000);
	assert_true(stats.counts[ENGINE_REGION_BLOCKS] > 0);
	asm_program_destroy(program);
	isa_destroy(isa);
}

/*
 * The host computes with floats of its own while compiled code waits, first where no guest code does; the first that does may be what
 * the host runs within such a call. The guest's flags are its own, and so are the host's.
 */
static const char floats_isa[] =
	"isa FLOATS \"divides\"\n"
	"space M : 16 x 0x1000\n"
	"code M\n"
	"reg R[8] : 16\n"
	"reg F[2] : 64\n"
	"reg ff : 5\n"
	"reg pc : 16 = 0x100\n"
	"host any(x:16, y:16) : 16\n"
	"field d a b : R\n"
	"field i : signed\n"
	"field t : rel next\n"
	"insn LI    \"0000 ddd iiiiiiiii\"     d, i      { d = i }\n"
	"insn ADDI  \"0010 ddd aaa iiiiii\"    d, a, i   { d = a + i }\n"
	"insn BNZ   \"0101 aaa ttttttttt\"     a, t      { if (a != 0) jump t }\n"
	"insn CALL  \"0110 tttttttttttt\"      t         { R[7] = next; call t }\n"
	"insn RET   \"0111 000000000000\"                { ret R[7] }\n"
	"insn ANY   \"1000 ddd aaa bbb 000\"  d, a, b   { d = host any(a, b) }\n"
	"insn CALLR \"0100 aaa 000000000\"     a         { R[7] = next; call a }\n"
	"insn SET   \"1001 aaa 000000000\"     a         { F[0] = f64.of_u(a); F[1] = f64.of_u(a[2:0]) }\n"
	"insn DIV   \"1010 000000000000\"                { ff = ff | f64.div_flags(F[0], F[1]); F[0] = f64.div(F[0], F[1]) }\n"
	"insn FLAGS \"1011 ddd 000000000\"     d         { d = zx(ff); ff = 0 }\n"
	"asm {\n"
	"  comment \";\"  label colon  number hex \"0x\" | dec\n"
	"  .ORG q = org\n"
	"}\n";

static const char floats_text[] =
	"        .ORG 0x80\n"
	"NOTHING: RET\n"
	"        .ORG 0x100\n"
	"        LI R5, 200\n"
	"        LI R4, 0x80\n"
	"LOOP:   ANY R1, R1, R5\n"
	"        CALLR R4\n" /* NOTHING, and at some time FUNC */
	"        ADDI R5, R5, -1\n"
	"        BNZ R5, LOOP\n"
	"AGAIN:  LI R5, 100\n"
	"MORE:   ANY R1, R1, R5\n"
	"        CALL FUNC\n"
	"        ANY R1, R1, R2\n"
	"        FLAGS R3\n"
	"        ANY R1, R1, R3\n"
	"        ADDI R5, R5, -1\n"
	"        BNZ R5, MORE\n"
	"        LI R0, 1\n"
	"        BNZ R0, AGAIN\n"
	"        .ORG 0x200\n"
	"FUNC:   SET R1\n"
	"        DIV\n"
	"        ADDI R1, R1, 1\n"
	"        RET\n";

static HostResult divide(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	const u32 drawn = (u32)(machine_random(machine) >> 40);

	(void)count;
	assert_int_equal(fegetround(), FE_TONEAREST);
	*result = args[0] + args[1];
	if (drawn % 3 == 0)
		feraiseexcept(FE_OVERFLOW | (int[]){FE_INEXACT, FE_DIVBYZERO, FE_UNDERFLOW, FE_INVALID}[drawn >> 8 & 3]);
	if (drawn % 100 == 0) {
		for (unsigned i = 0; i < 20; i++) /* so that it is compiled by then */
			call_back(machine, FUNC, result);
		machine_set_slot(machine, machine_isa(machine)->regs[0].slot + 4, FUNC);
	}
	return HOST_QUIET;
}

static const HostEntry dividing_hosts[] = {{"any", divide}, {NULL, NULL}};
static const Guest dividing_guest = {.name = "floats", .hosts = dividing_hosts};

static void test_floats(void **state)
{
	static const EngineOptions ways[] = {{.hot = 1}, {.hot = 3, .evict = 7}, {.hot = 1, .region = 1}, {.hot = 20, .switch_rights = true},
					     {.hot = 1, .background = true}, {.hot = 1000000}};
	enum { WAYS = COUNT_OF(ways), ROUNDS = 10, LENGTH = 30 };
	const EngineOps *engines[WAYS + 1] = {&interp_engine};
	Isa *isa = load("floats.isa", floats_isa);
	AsmProgram *program = assemble(isa, floats_text);

	(void)state;
	for (u64 seed = 1; seed <= ROUNDS; seed++) {
		Machine *machines[WAYS + 1];
		MachineStop stops[WAYS + 1];
		Rng rng = {seed};

		for (unsigned e = 0; e <= WAYS; e++) {
			engines[e] = e ? &jit_engine : &interp_engine;
			engine_options = e ? &ways[e - 1] : NULL;
			machines[e] = create_for(isa, engines[e], &dividing_guest);
			toy_put(machines[e], program);
			machine_set_seed(machines[e], seed * 1000);
		}
		engine_options = NULL;
		for (unsigned slice = 0; slice < LENGTH; slice++) {
			u64 insns = rng_below(&rng, 4) ? 1 + rng_below(&rng, 800) : 1 + rng_below(&rng, 12);

			for (unsigned e = 0; e <= WAYS; e++) {
				feclearexcept(FE_ALL_EXCEPT);
				stops[e] = machine_run(machines[e], insns);
				assert_true(insns < 200 || fetestexcept(FE_OVERFLOW)); /* what the host raised last */
			}
			compare_machines(machines, engines, stops, WAYS + 1, "floats", slice);
		}
		for (unsigned e = 0; e <= WAYS; e++)
			machine_destroy(machines[e]);
	}
	asm_program_destroy(program);
	isa_destroy(isa);
}

/*
 * Registers that could be parked, but are not named by the code that calls the host all the time: from then on they are memory, whatever
 * names them later.
 */
static const char parked_isa[] =
	"isa PARKED \"has many registers\"\n"
	"space M : 16 x 0x1000\n"
	"code M\n"
	"reg R[32] : 16\n"
	"reg pc : 16 = 0x100\n"
	"host any(x:16, y:16) : 16\n"
	"pin R0-R15\n"
	"field d a : R\n"
	"field i : signed\n"
	"field t : rel next\n"
	"insn LI    \"0000 ddddd iiiiiii\"  d, i  { d = i }\n"
	"insn ADD   \"0001 ddddd aaaaa 00\" d, a  { d = d + a }\n"
	"insn DEC   \"0010 ddddd 0000000\"  d     { d = d - 1 }\n"
	"insn BNZ   \"0011 aaaaa ttttttt\"  a, t  { if (a != 0) jump t }\n"
	"insn ANY   \"0100 ddddd aaaaa 00\" d, a  { d = host any(d, a) }\n"
	"asm {\n"
	"  comment \";\"  label colon  number hex \"0x\" | dec\n"
	"  .ORG q = org\n"
	"}\n";

static const char parked_text[] =
	"        .ORG 0x100\n"
	"AGAIN:  LI R1, 60\n"
	"LOOP:   ANY R2, R1\n"
	"        ADD R3, R2\n"
	"        DEC R1\n"
	"        BNZ R1, LOOP\n"
	"        LI R1, 30\n"
	"NEXT:   ADD R8, R2\n"
	"        ADD R9, R8\n"
	"        ADD R15, R9\n"
	"        ANY R9, R15\n"
	"        ADD R2, R9\n"
	"        DEC R1\n"
	"        BNZ R1, NEXT\n"
	"        LI R0, 1\n"
	"        BNZ R0, AGAIN\n";

static HostResult count_up(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	const u32 drawn = (u32)(machine_random(machine) >> 40), slot = machine_isa(machine)->regs[0].slot;

	(void)count;
	*result = args[0] * 5 + args[1] + machine_slot(machine, slot + 8) + machine_slot(machine, slot + 15);
	if (drawn % 10 == 0)
		machine_set_slot(machine, slot + 8 + (drawn >> 8 & 7), drawn >> 12);
	return drawn % 30 == 0 ? HOST_OK : HOST_QUIET;
}

static const HostEntry counting_hosts[] = {{"any", count_up}, {NULL, NULL}};
static const Guest counting_guest = {.name = "parked", .hosts = counting_hosts};

static void test_parked(void **state)
{
	static const EngineOptions ways[] = {{.hot = 1}, {.hot = 30}, {.hot = 3, .evict = 7}, {.hot = 20, .switch_rights = true},
					     {.hot = 1, .background = true}};
	enum { WAYS = COUNT_OF(ways), ROUNDS = 5, LENGTH = 30 };
	const EngineOps *engines[WAYS + 1] = {&interp_engine};
	Isa *isa = load("parked.isa", parked_isa);
	AsmProgram *program = assemble(isa, parked_text);

	(void)state;
	for (u64 seed = 1; seed <= ROUNDS; seed++) {
		Machine *machines[WAYS + 1];
		MachineStop stops[WAYS + 1];
		EngineStats stats = {0};
		Rng rng = {seed};

		for (unsigned e = 0; e <= WAYS; e++) {
			engines[e] = e ? &jit_engine : &interp_engine;
			engine_options = e ? &ways[e - 1] : NULL;
			machines[e] = create_for(isa, engines[e], &counting_guest);
			toy_put(machines[e], program);
			machine_set_seed(machines[e], seed * 1000);
		}
		engine_options = NULL;
		for (unsigned slice = 0; slice < LENGTH; slice++) {
			u64 insns = rng_below(&rng, 4) ? 1 + rng_below(&rng, 2000) : 1 + rng_below(&rng, 12);

			for (unsigned e = 0; e <= WAYS; e++)
				stops[e] = machine_run(machines[e], insns);
			compare_machines(machines, engines, stops, WAYS + 1, "parked", slice);
		}
		machine_engine_stats(machines[2], &stats);
		assert_true(stats.counts[ENGINE_FLUSHED_PINS] > 0);
		for (unsigned e = 0; e <= WAYS; e++)
			machine_destroy(machines[e]);
	}
	asm_program_destroy(program);
	isa_destroy(isa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_anything), cmocka_unit_test(test_floats), cmocka_unit_test(test_parked)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
