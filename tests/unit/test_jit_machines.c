/* SPDX-License-Identifier: MIT
 *
 * Every description of the tree, compiled: random programs on registers that are stirred between slices, so that addresses
 * wrap, miss and hit code; with breakpoints and watchpoints that come and go, and keys typed. After each slice the
 * snapshot, the reason to stop and the count are the interpreter's.
 *
 *     test_jit_machines [ROUNDS [SEED]]
 */
#include "engines.h"

#include "jit/jit.h"
#include "jit/jit_private.h"

static const char *const more_paths[] = {
	"examples/isa/basiccpu.isa", "examples/isa/six.isa", "examples/museum/aspire.isa", "examples/museum/buffed.isa",
	"examples/museum/enigma.isa", "examples/museum/enigma_v2.isa", "examples/museum/fraud.isa", "examples/museum/khoya.isa",
	"src/guests/iridium/iridium.isa", "src/guests/merry/merry.isa", "src/guests/stackvm/stackvm.isa",
	"src/guests/svm/svm.isa", "src/guests/tinyvm/tinyvm.isa", "tests/isa/vcpus.isa",
};

#ifdef __SANITIZE_ADDRESS__
static u64 rounds = 1, first_seed = 1;
#else
static u64 rounds = 4, first_seed = 1;
#endif

/* Blocks are hot at once. */
static Engine *create_eager(const EngineEnv *env)
{
	Engine *engine = jit_engine.create(env);

	if (engine)
		engine->hot = 2;
	return engine;
}

static u64 random_value(const Isa *isa, Machine *machine, Rng *rng)
{
	u64 cells = machine_cells(machine, (u16)rng_below(rng, isa->space_count));

	switch (rng_below(rng, 6)) {
	case 0: return rng_next(rng);
	case 1: return rng_next(rng) >> rng_below(rng, 64);
	case 2: return rng_below(rng, 40);
	case 3: return cells + rng_below(rng, 16) - 8;
	case 4: return rng_below(rng, 2000); /* in the program, or near it */
	default: return cells ? rng_below(rng, cells) : 0;
	}
}

/* The same is done to each. */
static void disturb(Machine *machine, u64 seed)
{
	const Isa *isa = machine_isa(machine);
	Rng rng = {seed};
	u8 key = (u8)rng_next(&rng);
	u16 space = (u16)rng_below(&rng, isa->space_count);
	bool on = rng_below(&rng, 2);

	machine_input(machine, &key, 1);
	for (u32 slot = 1; slot < isa->slot_count; slot++) {
		u64 value = random_value(isa, machine, &rng);

		if (rng_below(&rng, 4) == 0)
			machine_set_slot(machine, slot, value);
	}
	if (rng_below(&rng, 4) == 0)
		machine_break_set(machine, rng_below(&rng, 1000), on);
	if (rng_below(&rng, 4) == 0) {
		u64 address = random_value(isa, machine, &rng), count = 1 + rng_below(&rng, 9);
		bool reads = rng_below(&rng, 2);

		machine_watch_set(machine, space, address, count, reads, !reads || rng_below(&rng, 2), on);
	}
	if (rng_below(&rng, 16) == 0)
		fill(machine, &rng);
}

static void run_all(const char *path, const char *text, u64 seed)
{
	enum { ENGINES = 3, STEPS = 60 };
	EngineOps eager = jit_engine;
	const EngineOps *const engines[ENGINES] = {&interp_engine, &jit_engine, &eager};
	Isa *isa = load(path, text);
	Machine *machines[ENGINES];
	MachineStop stops[ENGINES];
	Rng rng = {seed};

	eager.create = create_eager;
	for (unsigned i = 0; i < ENGINES; i++) {
		Rng same = {seed * 77};

		machines[i] = create(isa, engines[i]);
		fill(machines[i], &same);
	}
	for (unsigned step = 0; step < STEPS; step++) {
		u64 insns = rng_below(&rng, 3) ? rng_below(&rng, 60) + 1 : rng_below(&rng, 3000) + 1;
		u64 pc = rng_below(&rng, 1000), key = rng_next(&rng);

		for (unsigned i = 0; i < ENGINES; i++) {
			stops[i] = machine_run(machines[i], insns);
			if (stops[i].kind == STOP_BREAK)
				machine_skip_break(machines[i]);
			else if (stops[i].kind != STOP_BUDGET && stops[i].kind != STOP_WATCH)
				machine_set_pc(machines[i], pc);
			if (step % 3 == 0)
				disturb(machines[i], key);
		}
		compare_machines(machines, engines, stops, ENGINES, path, step);
	}
	for (unsigned i = 0; i < ENGINES; i++)
		machine_destroy(machines[i]);
	isa_destroy(isa);
}

static void run_path(const char *path, u64 seed)
{
	char *text = read_text(path);

	run_all(path, text, seed);
	free(text);
}

/* Several cells at once, at both ends of the addresses there are, in spaces of each kind; two stores of which the second may
 * miss; an arm that calls the host. */
static const char ends_isa[] =
	"isa ENDS \"accesses at the ends\"\n"
	"space C : 8 x 0x1000\n"
	"space D : 8, size 0x200000, little\n"
	"space E : 8, size 0x300000, big\n"
	"space F : 16, size 600\n"
	"space G : 32 x 64, big\n"
	"space H : 12 x 32\n"
	"code C\n"
	"reg r[8] : 64\n"
	"reg pc : 16\n"
	"host putc(c:8)\n"
	"field d a : r\n"
	"insn LDC  \"00000 ddd\"      d    { d = D:64[0xFFFFFFFFFFFFFFFF] }\n"
	"insn LDD  \"00001 ddd .:5 aaa\" d, a { d = D:64[a] }\n"
	"insn LDE  \"00010 ddd .:5 aaa\" d, a { d = E:64[a] + zx(E:16[a + 3], 64) }\n"
	"insn STE  \"00011 ddd .:5 aaa\" d, a { E:32[a] = d[31:0]; E:64[d] = a; D:16[a] = d[15:0] }\n"
	"insn LDF  \"00100 ddd .:5 aaa\" d, a { d = F:64[a] - sx(F:16[d], 64) }\n"
	"insn STF  \"00101 ddd .:5 aaa\" d, a { F:32[a] = d[31:0]; F:16[d] = a[15:0] }\n"
	"insn LDG  \"00110 ddd .:5 aaa\" d, a { d = G:64[a] ^ sx(G:32[d], 64) }\n"
	"insn STG  \"00111 ddd .:5 aaa\" d, a { G:64[a] = d; if (d[0:0] == 1) G:32[d] = a[31:0] else D:64[d] = a; d = d + 1 }\n"
	"insn LDH  \"01000 ddd .:5 aaa\" d, a { d = sx(H:12[a], 64) + zx(H:24[d], 64) }\n"
	"insn STH  \"01001 ddd .:5 aaa\" d, a { H:12[a] = d[11:0]; H:24[d] = a[23:0] }\n"
	"insn OUT  \"01010 ddd .:5 aaa\" d, a { if (d[3:0] == 0) host putc(a[7:0]); d = d + a }\n"
	"insn STC  \"01011 ddd .:5 aaa\" d, a { C:16[a] = d[15:0]; C:8[d] = a[7:0] }\n"
	"insn JMP  \"01100 ddd .:5 aaa\" d, a { d = d + 1; if (a <s d) jump zx(d[7:0], 16) }\n"
	"insn END  \"01101 ddd\"      d    { d = d - 3; if (d[5:0] == 9) stop 1 }\n";

static void ends(void **state)
{
	(void)state;
	for (u64 seed = first_seed; jit_is_possible() && seed < first_seed + 40 * rounds; seed++)
		run_all("ends.isa", ends_isa, seed);
}

static void every_description(void **state)
{
	(void)state;
	if (!jit_is_possible())
		return;
	for (u64 seed = first_seed; seed < first_seed + rounds; seed++) {
		for (u32 i = 0; i < COUNT_OF(machine_paths); i++)
			run_path(machine_paths[i], seed);
		for (u32 i = 0; i < COUNT_OF(more_paths); i++)
			run_path(more_paths[i], seed);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends),
		cmocka_unit_test(every_description),
	};

	if (argc > 1)
		rounds = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
