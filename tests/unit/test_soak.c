/* SPDX-License-Identifier: MIT
 *
 * The compiler against the interpreter for as long as one likes: random programs on every description of the tree, made so
 * that they run long and in loops (soak_rv64.h; others are mended where they stop), under conditions that are rare
 * otherwise, a new mixture for each program:
 *
 *     blocks are hot after 1 to 8 entries    regions of one stretch of code, or a few        slices of 1 to 50 instructions
 *     the smallest code cache                blocks, halves and all of it dropped at random  allocations and maps that fail
 *     one map that is switched               code that is moved, or copied and run there     snapshots that change engines
 *     rights checked in code, or by the host, or first so and then so
 *
 * After each slice registers, count and the reason to stop are equal, and every now and then the whole state (a snapshot).
 * What went wrong is said with the number of its program: `test_soak 1 NUMBER` does that one alone.
 *
 *     test_soak [INSTRUCTIONS [SEED]]     make soak-jit
 *
 * This program is linked with malloc, calloc, realloc and mmap wrapped (tests.mk).
 */
#define _GNU_SOURCE
#include "soak_rv64.h"

#include <glob.h>
#include <sys/mman.h>

#include "guests/guests.h"
#include "jit/jit.h"

enum { LONG = 100000000, FILES = 64, MENDED = 400, ALTERNATE = 0x20000 /* where code is moved to */ };

#ifdef __SANITIZE_ADDRESS__
static u64 wanted = 400000, first_seed = 1;
enum { TRIAL_INSNS = 100000, TRIAL_SLICES = 150 };
#else
static u64 wanted = 6000000, first_seed = 1;
enum { TRIAL_INSNS = 1000000, TRIAL_SLICES = 600 };
#endif

/* ---- Allocations that fail ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_mmap(void *address, size_t len, int protection, int flags, int file, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_mmap(void *address, size_t len, int protection, int flags, int file, off_t offset);

static u64 until_failure; /* allocations up to the one that fails; 0: none does */
static u64 failures;

static bool refuse(void)
{
	if (!until_failure || --until_failure)
		return false;
	failures++;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return refuse() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return refuse() ? NULL : __real_realloc(old, size);
}

void *__wrap_mmap(void *address, size_t len, int protection, int flags, int file, off_t offset)
{
	return refuse() ? MAP_FAILED : __real_mmap(address, len, protection, flags, file, offset);
}

/* What the machine does for its guest is not what is to fail: only the engine. */
static bool touch_surely(Machine *machine, u32 aspace, u64 address, u8 access)
{
	u64 before = until_failure;
	bool good;

	until_failure = 0;
	good = touch(machine, aspace, address, access);
	until_failure = before;
	return good;
}

/* ---- Descriptions ---- */

typedef struct Described {
	char *path;
	Isa *isa;
	const Guest *guest;
	bool shaped; /* RV64GC: programs with a shape */
	u64 trials, insns, slices, ends;
	EngineStats stats;
} Described;

static Described all[FILES];
static u32 all_count;

static void find_all(void)
{
	static const char *const patterns[] = {"src/guests/*/*.isa", "examples/*/*.isa", "tests/isa/*.isa", "tests/isa/good/*.isa"};

	for (u32 p = 0; p < COUNT_OF(patterns); p++) {
		glob_t found;

		assert_int_equal(glob(patterns[p], 0, NULL, &found), 0);
		for (size_t i = 0; i < found.gl_pathc; i++) {
			char *text = read_text(found.gl_pathv[i]);
			Described *d = &all[all_count++];

			assert_true(all_count < FILES);
			d->path = strdup(found.gl_pathv[i]);
			d->isa = load(d->path, text);
			d->shaped = strstr(d->path, "rv64/rv64.isa");
			d->guest = guests_find(d->isa->name);
			if (!d->guest || d->guest->is_linux)
				d->guest = &guest;
			free(text);
		}
		globfree(&found);
	}
	all[all_count].path = strdup("odd");
	all[all_count].guest = &guest;
	all[all_count++].isa = load("odd.isa", odd_isa);
}

/* ---- One program ---- */

typedef struct Trial {
	Described *of;
	u64 seed;
	Rng rng;
	EngineOptions options;
	u64 slice; /* the longest */
	bool moves, hands_over, fails, paged, moved;
	u64 code, code_cells, start;
	Machine *machines[2]; /* interpreted, compiled */
	Buf good;             /* a state from which it runs for a while */
	u32 step;
} Trial;

static u64 below(Trial *t, u64 n)
{
	return rng_below(&t->rng, n);
}

static void choose_conditions(Trial *t)
{
	EngineOptions *o = &t->options;

	o->hot = 1 + (u32)(below(t, 8) ? below(t, 8) : below(t, 60));
	o->hard_after = below(t, 3) == 0 ? ~(u64)0 : below(t, 2) ? 1 : 3000;
	o->code_cache = below(t, 6) == 0 ? 1 : below(t, 6) == 0 ? 5 << 20 : 0;
	o->evict = below(t, 5) ? 0 : 2 + (u32)(below(t, 2) ? below(t, 8) : below(t, 200));
	o->region = below(t, 5) == 0 ? 1 : below(t, 6) == 0 ? 2 + (u32)below(t, 6) : 0;
	o->switch_rights = below(t, 6) == 0;
	o->waits = below(t, 4) == 0 ? 5000 : 0;
	t->slice = below(t, 5) == 0 ? 50 : (u64)64 << below(t, 11);
	t->moves = below(t, 4) == 0;
	t->hands_over = below(t, 4) == 0;
	t->fails = below(t, 6) == 0 && t->paged; /* elsewhere spaces grow, and functions of guests ask for memory, too */
}

static void fail_trial(const Trial *t, const char *what, const MachineStop *stops)
{
	const EngineOptions *o = &t->options;

	fprintf(stderr, "program %llu (%s) step %u: %s\n  hot=%u cache=%llu evict=%u region=%u waits=%u hard=%lld%s, slices to %llu%s%s%s\n",
		(unsigned long long)t->seed, t->of->path, t->step, what, o->hot, (unsigned long long)o->code_cache, o->evict, o->region, o->waits,
		(long long)o->hard_after, o->switch_rights ? " wx=switch" : "", (unsigned long long)t->slice, t->moves ? ", moves" : "",
		t->hands_over ? ", hands over" : "", t->fails ? ", fails" : "");
	for (u32 i = 0; i < 2; i++)
		fprintf(stderr, "  %s: stop %d code %llu pc %llx address %llx, %llu instructions\n", i ? "compiled" : "interpreted",
			stops[i].kind, (unsigned long long)stops[i].code, (unsigned long long)machine_pc(t->machines[i]),
			(unsigned long long)stops[i].address, (unsigned long long)machine_icount(t->machines[i]));
	for (u32 slot = 0; slot < t->of->isa->slot_count; slot++)
		if (machine_slot(t->machines[0], slot) != machine_slot(t->machines[1], slot))
			fprintf(stderr, "  %s: %llx, compiled %llx\n", isa_slot_name(t->of->isa, slot),
				(unsigned long long)machine_slot(t->machines[0], slot),
				(unsigned long long)machine_slot(t->machines[1], slot));
	fail();
}

static void compare_registers(const Trial *t, const MachineStop *stops, bool ends)
{
	if (machine_icount(t->machines[0]) != machine_icount(t->machines[1]))
		fail_trial(t, "the count", stops);
	for (u32 slot = 0; slot < t->of->isa->slot_count; slot++)
		if (machine_slot(t->machines[0], slot) != machine_slot(t->machines[1], slot))
			fail_trial(t, "registers", stops);
	if (ends && (stops[0].kind != stops[1].kind || stops[0].pc != stops[1].pc ||
		     (stops[0].kind != STOP_BUDGET && stops[0].code != stops[1].code) ||
		     (stops[0].kind == STOP_FAULT && stops[0].address != stops[1].address)))
		fail_trial(t, "the reason to stop", stops);
}

static void compare_all(const Trial *t, const MachineStop *stops)
{
	Buf states[2];

	for (u32 i = 0; i < 2; i++) {
		buf_init(&states[i]);
		assert_int_equal(machine_snapshot(t->machines[i], &states[i]), STATUS_OK);
	}
	if (states[0].len != states[1].len || memcmp(states[0].data, states[1].data, states[0].len) != 0) {
		size_t at = 0;

		while (at < states[0].len && at < states[1].len && states[0].data[at] == states[1].data[at])
			at++;
		for (u32 i = 0; i < 2 && getenv("SOAK_STATE"); i++) {
			char name[300];
			FILE *file;

			snprintf(name, sizeof name, "%s.%u", getenv("SOAK_STATE"), i);
			file = fopen(name, "wb");
			if (file) {
				fwrite(states[i].data, 1, states[i].len, file);
				fclose(file);
			}
		}
		fprintf(stderr, "snapshots of %zu and %zu bytes differ at %zu\n", states[0].len, states[1].len, at);
	}
	if (states[0].len != states[1].len || memcmp(states[0].data, states[1].data, states[0].len) != 0)
		fail_trial(t, "memory, or what else is in a snapshot", stops);
	buf_fini(&states[0]);
	buf_fini(&states[1]);
}

/* ---- Programs ---- */

static void put_cell(Machine *machine, const Trial *t, u64 address, u64 value)
{
	machine_write(machine, t->paged ? machine_paged_space(machine) : t->of->isa->code_space, address, value);
}

static void put_random(Trial *t, u64 at)
{
	u64 words[256];
	u32 count = gen_valid(t->of->isa, &t->rng, words);

	for (u32 i = 0; i < count; i++)
		put_cell(t->machines[0], t, at + i, words[i]);
}

static u64 random_pc(Trial *t)
{
	u64 parcel = t->of->isa->parcel_cells;

	return t->code + below(t, t->code_cells) / parcel * parcel;
}

static void keep(Trial *t)
{
	buf_clear(&t->good);
	assert_int_equal(machine_snapshot(t->machines[0], &t->good), STATUS_OK);
}

static void go_back(const Trial *t, Machine *machine)
{
	assert_int_equal(machine_restore(machine, (const u8 *)t->good.data, t->good.len), STATUS_OK);
}

/* Random code ends soon. Where it does another instruction is put, again and again, until it goes round; also where it goes
 * round on one spot. */
static void mend(Trial *t)
{
	Machine *machine = t->machines[0];
	u32 stuck = 0;

	keep(t);
	for (u32 round = 0; round < 10 * MENDED; round++) {
		MachineStop stop = machine_run(machine, 100);
		u64 pc = machine_pc(machine);

		if (stop.kind == STOP_BUDGET) {
			stuck = machine_run(machine, 1 + below(t, 12)).kind == STOP_BUDGET && machine_pc(machine) - pc + 4 < 8 ? stuck + 1 : 0;
			if (!stuck && round % 4 == 0)
				keep(t);
			if (!stuck && round >= MENDED)
				break;
			if (stuck < 3)
				continue;
		}
		if (stop.kind == STOP_WAIT)
			machine_input(machine, (const u8 *)"7", 1);
		if (stop.kind == STOP_HALT || stop.kind == STOP_DEADLOCK || stop.kind == STOP_SLEEP) { /* for good: before that */
			u32 steps = 0;

			go_back(t, machine);
			do
				pc = machine_pc(machine);
			while (machine_run(machine, 1).kind == STOP_BUDGET && ++steps < 500);
			go_back(t, machine);
		}
		put_random(t, pc);
		if (below(t, 30) == 0)
			machine_set_pc(machine, random_pc(t));
	}
	go_back(t, machine);
}

/* Somewhere to go on from. The same is done to both. */
static void begin_somewhere(Trial *t, Machine *machine, u64 key)
{
	Rng same = {key};
	const Isa *isa = t->of->isa;
	u32 ra = 0;
	u8 width;
	u64 pc;

	if (!t->of->shaped && !t->moved && rng_below(&same, 3)) {
		go_back(t, machine);
		return;
	}
	pc = rng_below(&same, 4) || !t->of->shaped ? t->start : random_pc(&(Trial){.of = t->of, .rng = {key}, .code = t->code, .code_cells = t->code_cells});

	if (!t->of->shaped)
		pc = random_pc(&(Trial){.of = t->of, .rng = {key}, .code = t->code, .code_cells = t->code_cells});
	machine_set_pc(machine, pc);
	if (!t->of->shaped) {
		for (u32 slot = 1; slot < isa->slot_count; slot++) {
			u64 value = rng_below(&same, 2) ? rng_below(&same, 2000) : rng_next(&same) >> rng_below(&same, 64);

			if (rng_below(&same, 16) == 0)
				machine_set_slot(machine, slot, value);
		}
		return;
	}
	stir(machine, isa, &same, false);
	assert_true(isa_find_register(isa, "ra", 2, false, &ra, &width));
	for (u32 reg = RA; reg < 32; reg++) {
		u32 slot = ra + reg - RA;

		if (reg == SP)
			machine_set_slot(machine, slot, DATA + DATA_BYTES - 16 + 16 * rng_below(&same, 2));
		else if (reg == GP)
			machine_set_slot(machine, slot, DATA + 8 * rng_below(&same, 256) + (rng_below(&same, 8) ? 0 : rng_below(&same, 8)));
		else if (reg == S0 || reg == S1)
			machine_set_slot(machine, slot, DATA + 8 * rng_below(&same, 1024));
		else if (reg == RA || (reg >= COUNTER && reg < COUNTER + 6))
			machine_set_slot(machine, slot, reg == RA ? t->start : 1 + rng_below(&same, 9));
	}
}

static void make_program(Trial *t)
{
	Machine *machine = t->machines[0];

	if (t->of->shaped) {
		Shape *shape = calloc(1, sizeof *shape);

		t->start = CODE + shape_program(shape, t->of->isa, &t->rng);
		machine_copy_out(machine, 0, CODE, shape->code, CODE_BYTES);
		free(shape);
		return;
	}
	for (u64 at = t->code; at + 8 < t->code + t->code_cells;) {
		u64 words[256];
		u32 count = gen_valid(t->of->isa, &t->rng, words);

		for (u32 i = 0; i < count; i++)
			put_cell(machine, t, at + i, words[i]);
		at += count ? count : 1;
	}
	mend(t);
}

/* ---- What is done between slices ---- */

/* Code goes elsewhere, and control with it. */
static void move_code(Trial *t, u64 key)
{
	Rng rng = {key};
	bool copy = rng_below(&rng, 2);

	for (u32 i = 0; i < 2; i++) {
		Machine *machine = t->machines[i];
		u64 pc = machine_pc(machine);

		if (t->paged) {
			u64 from = t->moved ? ALTERNATE : CODE, to = t->moved ? CODE : ALTERNATE;

			if (copy) {
				u8 bytes[CODE_BYTES];

				machine_pages_add(machine, 0, to, CODE_BYTES, ATTR_RIGHTS);
				machine_copy_in(machine, 0, from, bytes, CODE_BYTES);
				machine_copy_out(machine, 0, to, bytes, CODE_BYTES);
			} else {
				machine_pages_drop(machine, 0, to, CODE_BYTES);
				assert_int_equal(machine_pages_move(machine, 0, from, to, CODE_BYTES), STATUS_OK);
			}
			if (pc - from < CODE_BYTES)
				machine_set_pc(machine, pc - from + to);
		} else {
			u64 cells[128], to = rng.state % (t->code_cells / 2), from = pc > 64 ? pc - 64 : 0;

			for (u32 k = 0; k < 128; k++)
				if (machine_read(machine, t->of->isa->code_space, from + k, &cells[k]))
					cells[k] = 0;
			for (u32 k = 0; k < 128; k++)
				put_cell(machine, t, to + k, cells[k]);
			machine_set_pc(machine, to + (pc - from));
		}
	}
	if (t->paged) {
		u64 by = t->moved ? (u64)0 - (ALTERNATE - CODE) : ALTERNATE - CODE;

		t->moved = !t->moved;
		t->code += by;
		t->start += by;
	}
}

static bool is_end(const MachineStop *stop)
{
	return stop->kind != STOP_BUDGET && stop->kind != STOP_FRAME;
}

static void between(Trial *t, const MachineStop *stops)
{
	u64 key = rng_next(&t->rng);

	if (stops[0].kind == STOP_WAIT || below(t, 8) == 0)
		for (u32 i = 0; i < 2; i++)
			machine_input(t->machines[i], (const u8 *)&key, 1);
	if (is_end(&stops[0]) && (stops[0].kind != STOP_WAIT || below(t, 4) == 0)) {
		t->of->ends++;
		for (u32 i = 0; i < 2; i++)
			begin_somewhere(t, t->machines[i], key);
	}
	if (t->moves && below(t, 40) == 0)
		move_code(t, key);
	if (!t->paged && below(t, 60) == 0) {
		u64 at = random_pc(t), words[256];
		u32 count = gen_valid(t->of->isa, &t->rng, words);

		for (u32 i = 0; i < 2 * count; i++)
			put_cell(t->machines[i & 1], t, at + i / 2, words[i / 2]);
	}
}

/* The compiler goes first; where it had no memory, the interpreter goes as far as it came. */
static void run_slice(Trial *t, MachineStop *stops)
{
	u64 most = t->slice, insns, before = machine_icount(t->machines[1]), done;

	if (most > 64 && below(t, 4))
		most >>= below(t, 6);
	insns = 1 + below(t, most);
	until_failure = t->fails && below(t, 3) == 0 ? 1 + below(t, 60) : 0;
	stops[1] = machine_run(t->machines[1], insns);
	until_failure = 0;
	done = machine_icount(t->machines[1]) - before;
	if (stops[1].kind != STOP_ERROR) {
		stops[0] = machine_run(t->machines[0], insns);
		compare_registers(t, stops, true);
		return;
	}
	if (!t->fails || stops[1].status != STATUS_NOMEM)
		fail_trial(t, "an error", stops);
	stops[0] = (MachineStop){.kind = STOP_BUDGET};
	if (done)
		stops[0] = machine_run(t->machines[0], done);
	compare_registers(t, stops, false);
	if (stops[0].kind != STOP_BUDGET)
		fail_trial(t, "no memory, and the interpreter stops there for another reason", stops);
}

static void open_trial(Trial *t, Described *of, u64 seed)
{
	const EngineOps *const engines[] = {&interp_engine, &jit_engine};

	Rng mixed = {seed}; /* seeds side by side are not to give the same numbers */

	*t = (Trial){.of = of, .seed = seed, .rng = {rng_next(&mixed)}};
	for (u32 space = 0; space < of->isa->space_count; space++)
		t->paged |= of->isa->spaces[space].is_paged;
	choose_conditions(t);
	engine_options = &t->options;
	for (u32 i = 0; i < 2; i++) {
		t->machines[i] = t->paged ? open_paged(of->isa, engines[i]) : create_for(of->isa, engines[i], of->guest);
		if (t->paged)
			machine_set_pager(t->machines[i], touch_surely);
	}
	engine_options = NULL;
	t->code = t->paged ? CODE : 0;
	t->code_cells = t->paged ? CODE_BYTES : machine_cells(t->machines[0], of->isa->code_space);
	if (t->code_cells > 3000 && !t->paged)
		t->code_cells = 3000;
	t->start = t->code;
	buf_init(&t->good);
	make_program(t);
	carry_over(t->machines[0], t->machines[1]);
	for (u32 i = 0; i < 2; i++)
		begin_somewhere(t, t->machines[i], seed);
}

/* Most of the time goes into translating: nothing is learnt from much of it. */
static bool rewrites_itself(const Machine *machine)
{
	MachineStats stats;

	machine_stats(machine, &stats);
	return stats.translated > stats.icount / 20;
}

static u64 try(Described *of, u64 seed)
{
	MachineStop stops[2];
	EngineStats stats;
	u64 insns, first, most = of->shaped ? TRIAL_INSNS : TRIAL_INSNS / 5;
	u32 longer = wanted >= LONG ? 16 : 1; /* programs that run for longer, and in longer slices when they have been cut enough */
	Trial t;

	open_trial(&t, of, seed);
	if (t.options.evict && t.options.evict < 20)
		most /= 10;
	first = machine_icount(t.machines[0]);
	do {
		if (t.step == TRIAL_SLICES / 3 && t.slice > 50 && !rewrites_itself(t.machines[0])) {
			t.slice *= longer;
			most *= longer;
		}
		run_slice(&t, stops);
		if (below(&t, 40) == 0 && stops[1].kind != STOP_ERROR) /* else work between instructions may be half done */
			compare_all(&t, stops);
		between(&t, stops);
		if (t.hands_over && below(&t, 30) == 0 && stops[1].kind != STOP_ERROR) {
			u32 from = (u32)below(&t, 2);

			carry_over(t.machines[from], t.machines[!from]);
		}
		insns = machine_icount(t.machines[0]) - first;
		if (t.step == 40 && insns < 400) /* it came to nothing */
			break;
	} while (++t.step < TRIAL_SLICES && insns < most);
	t.fails = false;
	run_slice(&t, stops);
	compare_all(&t, stops);
	machine_engine_stats(t.machines[1], &stats);
	for (u32 i = 0; i < ENGINE_COUNTS; i++)
		of->stats.counts[i] += stats.counts[i];
	of->trials++;
	of->slices += t.step;
	of->insns += insns;
	machine_destroy(t.machines[0]);
	machine_destroy(t.machines[1]);
	buf_fini(&t.good);
	return insns;
}

/* Two programs of three are RV64GC's; the others take turns. */
static Described *described_for(u64 seed)
{
	u64 turn = seed / 3 % (all_count - 1);

	if (seed % 3)
		for (u32 i = 0; i < all_count; i++)
			if (all[i].shaped)
				return &all[i];
	for (u32 i = 0; i < all_count; i++)
		if (!all[i].shaped && turn-- == 0)
			return &all[i];
	return &all[0];
}

static void show(const Described *d)
{
	const u64 *counts = d->stats.counts;

	if (!d->trials)
		return;
	printf("%-32s %7llu %11llu %9llu %8llu %8llu %9llu %10llu\n", d->path, (unsigned long long)d->trials, (unsigned long long)d->insns,
	       (unsigned long long)d->slices, (unsigned long long)d->ends, (unsigned long long)counts[ENGINE_REGION_BLOCKS],
	       (unsigned long long)counts[ENGINE_REGION_INSNS], (unsigned long long)counts[ENGINE_REGION_ENTERED]);
}

static void soak(void **state)
{
	u64 total = 0, regions = 0, entered = 0;

	(void)state;
	virtual_time = true;
	find_all();
	for (u64 seed = first_seed; total < wanted; seed++) {
		total += try(described_for(seed), seed);
		if (wanted >= LONG && seed % 1000 == 0)
			fprintf(stderr, "to program %llu: %llu instructions\n", (unsigned long long)seed, (unsigned long long)total);
	}
	printf("%-32s %7s %11s %9s %8s %8s %9s %10s\n", "description", "programs", "insns", "slices", "ends", "regions", "insns", "entered");
	for (u32 i = 0; i < all_count; i++) {
		show(&all[i]);
		regions += all[i].stats.counts[ENGINE_REGION_BLOCKS];
		entered += all[i].stats.counts[ENGINE_REGION_ENTERED];
		/* The compiler was not spared: there were regions, and they ran. (Some machines' random programs end too soon.) */
		if (all[i].shaped && all[i].trials >= 10 && !all[i].stats.counts[ENGINE_REGION_ENTERED])
			fail_msg("%s: no region ever ran", all[i].path);
		isa_destroy(all[i].isa);
		free(all[i].path);
	}
	printf("%llu instructions, seeds from %llu on, %llu regions, entered %llu times, %llu allocations failed\n",
	       (unsigned long long)total, (unsigned long long)first_seed, (unsigned long long)regions, (unsigned long long)entered,
	       (unsigned long long)failures);
	if (total > 1000000)
		assert_true(regions > 20 && entered > 200);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(soak),
	};

	if (argc > 1)
		wanted = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 10);
	return jit_is_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
