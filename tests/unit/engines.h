/* SPDX-License-Identifier: MIT
 *
 * Random programs on machines of all shapes, in several engines side by side, run in slices of random length; after each
 * slice the whole states (as snapshots) are equal, and so are the reasons to stop.
 */
#ifndef TESTS_ENGINES_H
#define TESTS_ENGINES_H

#include "toy.h"

#include "base/rng.h"

enum { SLICES = 40, SLICE = 300, ENGINES_MOST = 16 };

static inline char *read_text(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = calloc(1, 1 << 16);

	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 16) - 1, file) > 0);
	fclose(file);
	return text;
}

static inline HostResult host_aloc(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	u16 heap = isa_find_space(machine_isa(machine), "heap", 4);

	(void)count;
	*result = 1;
	return machine_resize(machine, heap, machine_cells(machine, heap) + args[0]) ? HOST_RAISE : HOST_OK;
}

/* Changes what the instruction around it reads. */
static inline HostResult host_twist(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	const Isa *isa = machine_isa(machine);
	u64 cell = 0;

	(void)count;
	machine_read(machine, isa_find_space(isa, "L", 1), 3, &cell);
	machine_write(machine, isa_find_space(isa, "L", 1), 3, cell + args[0] + 1);
	machine_set_slot(machine, isa->regs[1].slot + 2, machine_slot(machine, isa->regs[1].slot + 2) + 3);
	*result = args[0] ^ cell;
	return HOST_OK;
}

static const HostEntry hosts[] = {{"aloc", host_aloc}, {"twist", host_twist}, {NULL, NULL}};
static const Guest guest = {.name = "other", .hosts = hosts};

/* Legal instructions (and some words that are none) one behind the other. */
static inline void fill(Machine *machine, Rng *rng)
{
	const Isa *isa = machine_isa(machine);
	u64 cells = machine_cells(machine, isa->code_space), words[256];

	if (cells > 2000)
		cells = 2000;
	for (u64 at = 0; at < cells;) {
		u32 count = rng_below(rng, 50) ? gen_valid(isa, rng, words) : 0;

		if (!count || at + count > cells) {
			machine_write(machine, isa->code_space, at++, rng_next(rng) & (isa->parcel_cells == 1 ? 0xFF : 0xF));
			continue;
		}
		for (u32 i = 0; i < count; i++)
			machine_write(machine, isa->code_space, at++, words[i]);
	}
}

static inline Isa *load(const char *name, const char *text)
{
	DiagList diags;
	Isa *isa;

	diag_init(&diags);
	isa = isa_load(name, text, strlen(text), NULL, 0, &diags);
	toy_check(&diags, isa);
	diag_fini(&diags);
	return isa;
}

/* When compiled code leaves rights of pages to the host (MachineConfig). */
static u64 hard_after = 1;
static const EngineOptions *engine_options; /* of machines made from now on */
static bool virtual_time;                   /* likewise */

static inline Machine *create_for(const Isa *isa, const EngineOps *engine, const Guest *its_guest)
{
	static EngineOptions made[256]; /* more machines than there are at any time */
	static u32 next;
	EngineOptions *options = &made[__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % COUNT_OF(made)];
	MachineConfig config = {.isa = isa, .guest = its_guest, .size_program = 2048, .random_seed = 5, .engine = engine,
				.host_rights = true, .engine_options = options, .virtual_time = virtual_time};
	Machine *machine = NULL;
	DiagList diags;

	*options = engine_options ? *engine_options : (EngineOptions){0};
	if (!options->hard_after)
		options->hard_after = hard_after;
	diag_init(&diags);
	machine_create(&config, &machine, &diags);
	toy_check(&diags, machine);
	diag_fini(&diags);
	machine_reset(machine, false);
	return machine;
}

static inline Machine *create(const Isa *isa, const EngineOps *engine)
{
	return create_for(isa, engine, &guest);
}

static inline void compare_machines(Machine *const *machines, const EngineOps *const *engines, const MachineStop *stops,
				    unsigned count, const char *name, unsigned slice)
{
	Buf first, other;

	buf_init(&first);
	assert_int_equal(machine_snapshot(machines[0], &first), STATUS_OK);
	for (unsigned i = 1; i < count; i++) {
		buf_init(&other);
		assert_int_equal(machine_snapshot(machines[i], &other), STATUS_OK);
		if (stops[i].kind != stops[0].kind || stops[i].code != stops[0].code || stops[i].pc != stops[0].pc ||
		    first.len != other.len || memcmp(first.data, other.data, first.len) != 0)
			fail_msg("%s: engine %s differs in slice %u (stop %d code %llu pc %llx icount %llu, not %d %llu %llx %llu)",
				 name, engines[i]->name, slice, stops[i].kind, (unsigned long long)stops[i].code,
				 (unsigned long long)stops[i].pc, (unsigned long long)machine_icount(machines[i]),
				 stops[0].kind, (unsigned long long)stops[0].code, (unsigned long long)stops[0].pc,
				 (unsigned long long)machine_icount(machines[0]));
		buf_fini(&other);
	}
	buf_fini(&first);
}

/* engines[0] is what the others are held against. */
static inline void try_engines(const EngineOps *const *engines, unsigned count, const char *name, const char *text, u64 seed)
{
	Machine *machines[ENGINES_MOST];
	MachineStop stops[ENGINES_MOST];
	Rng rng = {seed};
	Isa *isa;

	isa = load(name, text);
	for (unsigned i = 0; i < count; i++) {
		Rng same = {seed * 77};

		machines[i] = create(isa, engines[i]);
		fill(machines[i], &same);
	}
	for (unsigned slice = 0; slice < SLICES; slice++) {
		u64 insns = rng_below(&rng, SLICE) + 1, pc = rng_below(&rng, 1000);
		u8 key = (u8)rng_next(&rng);

		for (unsigned i = 0; i < count; i++) {
			stops[i] = machine_run(machines[i], insns);
			machine_input(machines[i], &key, 1);
			if (stops[i].kind != STOP_BUDGET)
				machine_set_pc(machines[i], pc);
		}
		compare_machines(machines, engines, stops, count, name, slice);
	}
	for (unsigned i = 0; i < count; i++)
		machine_destroy(machines[i]);
	isa_destroy(isa);
}

static const char *const machine_paths[] = {
	"tests/isa/stackvm.isa", "tests/isa/svm.isa", "tests/isa/iridium.isa", "tests/isa/basiccpu.isa",
	"tests/isa/merry.isa", "tests/isa/rv64gc.isa", "tests/isa/constructs.isa", "examples/isa/6502.isa",
	"examples/isa/chip8.isa", "tests/isa/odd-forward.isa", "examples/isa/tiny8.isa", "src/guests/lc3/lc3.isa",
};

#endif
