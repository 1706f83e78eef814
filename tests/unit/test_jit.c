/* SPDX-License-Identifier: MIT
 *
 * The compiler gives what the interpreter gives: on machines of all shapes (engines.h), and on RV64GC in a paged space,
 * where it compiles most: random code with loads, stores (into code, too), branches, calls and floats, in slices of
 * random length; after each the registers, the count, the reason to stop and all of memory are equal.
 *
 *     test_jit [ROUNDS [SEED]]     of the random RV64GC code
 */
#include "engines.h"

#include <pthread.h>
#include <sys/resource.h>

#include "jit/jit.h"
#include "jit/jit_private.h"
#include "machine/machine_private.h"
#include "machine/pages.h"

enum {
	CODE = 0x10000, CODE_BYTES = 0x3000,
	DATA = 0x40000, DATA_BYTES = 0x4000, /* present from the start */
	LATE_BYTES = 0x8000,                 /* and made by the pager when touched */
	STEPS = 60,
};

#ifdef __SANITIZE_ADDRESS__
static u64 wanted_rounds = 60, first_seed = 1;
#else
static u64 wanted_rounds = 150, first_seed = 1;
#endif

static const EngineOps *const both[] = {&interp_engine, &jit_engine};

/* Blocks are hot at once. */
static Engine *create_eager(const EngineEnv *env)
{
	Engine *engine = jit_engine.create(env);

	if (engine)
		engine->hot = 2;
	return engine;
}

static void random_programs(void **state)
{
	EngineOps eager = jit_engine;
	const EngineOps *const engines[] = {&interp_engine, &jit_engine, &eager};

	(void)state;
	eager.create = create_eager;
	for (u64 seed = 1; seed <= 6; seed++) {
		try_engines(engines, 3, "toy", toy_isa, seed);
		for (u32 i = 0; i < sizeof machine_paths / sizeof *machine_paths; i++) {
			char *text = read_text(machine_paths[i]);

			try_engines(engines, 3, machine_paths[i], text, seed);
			free(text);
		}
	}
}

static bool touch(Machine *machine, u32 aspace, u64 address, u8 access)
{
	u64 page = address & ~(u64)(SPACE_PAGE - 1);

	if (address < DATA || address >= DATA + LATE_BYTES || access == ATTR_EXEC)
		return false;
	return machine_pages_add(machine, aspace, page, SPACE_PAGE, ATTR_READ | ATTR_WRITE) == STATUS_OK;
}

/* Jumps go near, most accesses are aligned, floats are rounded to nearest more often: else most instructions would be
 * the cold engine's, and few runs long. */
static u32 tame(Rng *rng, u32 word)
{
	bool back = rng_below(rng, 4) == 0;

	switch (word & 0x7F) {
	case 0x6F: return (word & 0xFFF) | rng_below(rng, 64) << 22;
	case 0x67: return rng_below(rng, 4) ? word ^ (0x67 ^ 0x13) : word;
	case 0x63: return back ? word | 0xF8000080 : word & ~0xF8000080;
	case 0x03: case 0x07: return rng_below(rng, 4) ? word & ~(7u << 20) : word;
	case 0x23: case 0x27: return rng_below(rng, 4) ? word & ~(7u << 7) : word;
	case 0x43: case 0x47: case 0x4B: case 0x4F: case 0x53: return rng_below(rng, 2) ? word & ~(7u << 12) : word;
	case 0x73: case 0x2F: return rng_below(rng, 4) ? word : 0x13;
	default: return word;
	}
}

/* Ends are frequent in random code: an illegal word, a fault. The next step begins elsewhere. */
static void fill_code(Machine *machine, const Isa *isa, Rng *rng)
{
	u64 words[64];

	for (u64 at = 0; at + 8 < CODE_BYTES;) {
		u32 count = gen_valid(isa, rng, words), word = 0;

		for (u32 i = 0; i < count && i < 4; i++)
			word |= (u32)words[i] << 8 * i;
		if (count == 4 && isa->parcel_cells == 2)
			word = tame(rng, word);
		for (u32 i = 0; i < count && at < CODE_BYTES; i++)
			machine_write(machine, machine_paged_space(machine), CODE + at++, word >> 8 * i & 0xFF);
	}
}

static u64 random_float(Rng *rng)
{
	static const u64 ends[] = {
		0, (u64)1 << 63, 0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000000, 0x7FF0000000000001, 1,
		0x0010000000000000, 0x7FEFFFFFFFFFFFFF, 0x43E0000000000000, 0xC3E0000000000000, 0x41E0000000000000,
		0xC1E0000000000000, 0x41F0000000000000, 0x000FFFFFFFFFFFFF, 0x3FF0000000000000, 0xBFE8000000000000,
	};
	static const u32 small_ends[] = {
		0, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 1, 0x00800000, 0x7F7FFFFF, 0x5F000000,
		0xDF000000, 0x4F000000, 0xCF000000, 0x4F800000, 0x007FFFFF, 0x3F800000, 0xBF400000,
	};

	switch (rng_below(rng, 6)) {
	case 0: return ends[rng_below(rng, sizeof ends / sizeof *ends)];
	case 1: return 0xFFFFFFFF00000000 | small_ends[rng_below(rng, sizeof small_ends / sizeof *small_ends)];
	case 2: return 0xFFFFFFFF00000000 | (u32)rng_next(rng);
	case 3: return 0xFFFFFFFF00000000 | (0x3F000000 + (u32)rng_below(rng, 0x01000000));
	case 4: return 0x3FE0000000000000 + (rng_next(rng) >> 11);
	default: return rng_next(rng);
	}
}

static u64 random_register(Rng *rng, bool at_code)
{
	switch (rng_below(rng, 7)) {
	case 0: return CODE + (rng_below(rng, CODE_BYTES) & ~1u);
	case 1: return rng_next(rng);
	case 2: return rng_below(rng, 64);
	case 3: return rng_next(rng) >> rng_below(rng, 64);
	case 4: return DATA + rng_below(rng, LATE_BYTES + 64);
	default: return (at_code ? CODE + (rng_below(rng, CODE_BYTES) & ~7u) : DATA + (rng_below(rng, LATE_BYTES) & ~7u));
	}
}

/* Each slot gets a new value, or keeps its own. */
static void stir(Machine *machine, const Isa *isa, Rng *rng, bool at_code)
{
	for (u32 slot = 1; slot < isa->slot_count; slot++) {
		const char *name = isa_slot_name(isa, slot);
		bool number = (name[0] == 'f' && name[1] != 'r' && name[1] != 'f') || (name[0] == 'r' && rng_below(rng, 2));
		u64 value = number ? random_float(rng) : random_register(rng, at_code);

		if (strcmp(name, "frm") == 0)
			value = rng_below(rng, 4) ? 0 : rng_below(rng, 8);
		if (strcmp(name, "fflags") == 0)
			value = rng_below(rng, 2) ? 0 : rng_below(rng, 32);
		if (rng_below(rng, 2))
			machine_set_slot(machine, slot, value);
	}
}

static Machine *open_paged(const Isa *isa, const EngineOps *engine)
{
	Machine *machine = create(isa, engine);

	machine_set_pager(machine, touch);
	assert_int_equal(machine_pages_add(machine, 0, CODE, CODE_BYTES, ATTR_RIGHTS), STATUS_OK);
	assert_int_equal(machine_pages_add(machine, 0, DATA, DATA_BYTES, ATTR_READ | ATTR_WRITE), STATUS_OK);
	return machine;
}

static void compare_state(Machine *const *machines, const MachineStop *stops, const Isa *isa, u64 round, u32 step)
{
	bool same = stops[0].kind == stops[1].kind && stops[0].pc == stops[1].pc && stops[0].address == stops[1].address &&
		    machine_icount(machines[0]) == machine_icount(machines[1]);

	for (u32 slot = 0; slot < isa->slot_count; slot++)
		if (machine_slot(machines[0], slot) != machine_slot(machines[1], slot)) {
			fprintf(stderr, "%s: %llx, compiled %llx\n", isa_slot_name(isa, slot),
				(unsigned long long)machine_slot(machines[0], slot),
				(unsigned long long)machine_slot(machines[1], slot));
			same = false;
		}
	for (u64 page = CODE; page < DATA + LATE_BYTES; page += SPACE_PAGE) {
		const u8 *one = machine_page_bytes(machines[0], 0, page), *other = machine_page_bytes(machines[1], 0, page);

		same &= !one == !other && (!one || memcmp(one, other, SPACE_PAGE) == 0);
	}
	if (!same)
		fail_msg("round %llu step %u: stops %d %d, pc %llx %llx, instructions %llu %llu", (unsigned long long)round, step,
			 stops[0].kind, stops[1].kind, (unsigned long long)stops[0].pc, (unsigned long long)stops[1].pc,
			 (unsigned long long)machine_icount(machines[0]), (unsigned long long)machine_icount(machines[1]));
}

/* What one engine has made the other goes on with. */
static void carry_over(Machine *from, Machine *to)
{
	Buf bytes;

	buf_init(&bytes);
	assert_int_equal(machine_snapshot(from, &bytes), STATUS_OK);
	assert_int_equal(machine_restore(to, (const u8 *)bytes.data, bytes.len), STATUS_OK);
	buf_fini(&bytes);
}

/* Flags kept otherwise; `stop` behind registers; a load whose extension stands in one arm. */
static const char odd_isa[] =
	"isa ODD \"what rv64 does not have\"\n"
	"space mem : 8, address 64, little, paged\n"
	"code mem\n"
	"reg r[8] : 64\n"
	"reg pc : 64\n"
	"reg fl : 5\n"
	"reg fm : 5\n"
	"field d a b : r\n"
	"field i : signed\n"
	"insn ADDI  \"00000 ddd aaa iiiii\"  d, a, i { d = a + sx(i) }\n"
	"insn STOP  \"00001 ddd aaa 00000\"  d, a  { d = d + a; stop d[7:0] }\n"
	"insn LDC   \"00010 ddd aaa 00bbb\"  d, a, b { let v = mem:32[a]; if (b == 0) { d = sx(v); b = b + 1 } else { if (b == 1) raise 7; b = 0 } }\n"
	"insn ADDF  \"00011 ddd aaa 00bbb\"  d, a, b { fl = fl | f64.add_flags(a, b, 0); d = f64.add(a, b, 0) }\n"
	"insn ADDG  \"00100 ddd aaa 00bbb\"  d, a, b { fm = fm | f64.add_flags(a, b, 0); d = f64.add(a, b, 0) }\n"
	"insn MULN  \"00101 ddd aaa 00bbb\"  d, a, b { d = f64.mul(a, b, 0) }\n"
	"insn BOTH  \"00110 ddd aaa 00bbb\"  d, a, b { let o = fl | f64.mul_flags(a, b, 0); fl = o; d = f64.mul(a, b, 0); b = zx(o) }\n"
	"insn LATE  \"00111 ddd aaa 00bbb\"  d, a, b { let v = f64.div(a, b, 0); let w = (a ^ b) * a; fl = fl | f64.div_flags(a, b, 0); d = v + w; a = w }\n"
	"insn OLD   \"01000 ddd aaa 00bbb\"  d, a, b { let o = fl; fl = fl | f64.add_flags(a, b, 0); d = f64.add(a, b, 0); b = zx(o) }\n"
	"insn SETF  \"01001 ddd aaa 00000\"  d, a  { fl = a[4:0] }\n"
	"insn GETF  \"01010 ddd 00000000\"   d     { d = zx(fl) }\n"
	"insn SUBQ  \"01011 ddd aaa 00bbb\"  d, a, b { fl = fl | f64.sub_flags(a, b, 0) | f64.mul_flags(a, b, 0); d = f64.sub(a, b, 0) }\n"
	"insn XCHG  \"01100 ddd aaa 00000\"  d, a  { let v = d; d = a; a = v }\n"
	"insn ST    \"01101 ddd aaa 00000\"  d, a  { mem:64[a] = d }\n"
	"insn MIX   \"01110 ddd aaa 00bbb\"  d, a, b { d = zx(((a[31:0] + b[31:0]) << b[4:0])[31:0]); a = sx((b[15:0] * a[15:0])[11:0]) }\n";

static void random_paged(const char *name, const char *text)
{
	Isa *isa = load(name, text);

	for (u64 round = first_seed; round < first_seed + wanted_rounds; round++) {
		Machine *machines[2];
		MachineStop stops[2];
		Rng rng = {round};

		hard_after = round % 4 == 3 ? ~(u64)0 : round % 4 ? 1 : 3000;
		for (unsigned i = 0; i < 2; i++) {
			Rng same = {round * 99};

			machines[i] = open_paged(isa, both[i]);
			fill_code(machines[i], isa, &same);
		}
		for (u32 step = 0; step < STEPS; step++) {
			u64 insns = rng_below(&rng, 4) ? rng_below(&rng, 200) + 1 : rng_below(&rng, 5000) + 1;
			u64 pc = CODE + (rng_below(&rng, CODE_BYTES) & ~1u), key = rng_next(&rng);

			for (unsigned i = 0; i < 2; i++) {
				Rng same = {key};

				stops[i] = machine_run(machines[i], insns);
				if (stops[i].kind == STOP_BUDGET && step % 4)
					continue;
				machine_set_pc(machines[i], pc);
				stir(machines[i], isa, &same, round % 4 == 1);
			}
			compare_state(machines, stops, isa, round, step);
			if (step % 16 == 7)
				carry_over(machines[round & 1], machines[~round & 1]);
		}
		machine_destroy(machines[0]);
		machine_destroy(machines[1]);
	}
	isa_destroy(isa);
}

static void random_rv64(void **state)
{
	char *text = read_text("src/guests/rv64/rv64.isa");

	(void)state;
	random_paged("rv64.isa", text);
	free(text);
}

static void random_odd(void **state)
{
	(void)state;
	random_paged("odd.isa", odd_isa);
}

/* What is rare otherwise: a full code cache, blocks and halves of it that go at any time, one map for code. */
static void hard_modes(void **state)
{
	static const EngineOptions modes[] = {{.code_cache = 1}, {.evict = 3}, {.evict = 40, .code_cache = 1, .switch_rights = true}};
	char *text = read_text("src/guests/rv64/rv64.isa");
	u64 rounds = wanted_rounds;

	(void)state;
	for (u32 i = 0; i < sizeof modes / sizeof *modes; i++) {
		engine_options = &modes[i];
		wanted_rounds = rounds / 6 + 1;
		random_paged("rv64.isa", text);
		first_seed += wanted_rounds;
	}
	engine_options = NULL;
	wanted_rounds = rounds;
	free(text);
}

/* The same run cut at every instruction. */
static void every_stop(void **state)
{
	enum { STOPS = 2000 };
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	Machine *machines[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		machines[i] = open_paged(isa, both[i]);
	for (u64 k = 1; k <= STOPS; k++) {
		MachineStop stops[2];

		for (unsigned i = 0; i < 2; i++) {
			Rng same = {k / 100 + 1};
			u64 end = machine_icount(machines[i]) + k, ends = 0;

			if (k % 100 == 1)
				fill_code(machines[i], isa, &same);
			stir(machines[i], isa, &same, false);
			machine_set_pc(machines[i], CODE);
			stops[i] = machine_run(machines[i], k);
			for (; stops[i].kind != STOP_BUDGET && ends < 50; ends++) { /* behind what ended it */
				machine_set_pc(machines[i], CODE + (same.state + 2 * ends) % CODE_BYTES / 2 * 2);
				stops[i] = machine_run(machines[i], end - machine_icount(machines[i]));
			}
		}
		compare_state(machines, stops, isa, k, 0);
	}
	machine_destroy(machines[0]);
	machine_destroy(machines[1]);
	isa_destroy(isa);
	free(text);
}

/* ---- Code changes, by every door ---- */

/* What the function at CODE gives in a0: an instruction of it is changed again and again. */
static const u32 function[] = {
	0x00150513, /* addi a0, a0, 1: this one changes */
	0x00360613, /* addi a2, a2, 3 */
	0xFF9FF06F, /* j -8 */
};

static u32 adds(u32 number)
{
	return 0x00050513 | number << 20;
}

static void put_word(Machine *machine, u64 address, u32 word)
{
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(machine_write(machine, machine_paged_space(machine), address + i, word >> 8 * i & 0xFF), 0);
}

static void put_function(Machine *machine, u64 address)
{
	for (u32 i = 0; i < sizeof function / sizeof *function; i++)
		put_word(machine, address + 4 * i, function[i]);
}

static u32 slot_named(const Machine *machine, const char *name)
{
	u32 slot = 0;
	u8 width;

	assert_true(isa_find_register(machine_isa(machine), name, strlen(name), false, &slot, &width));
	return slot;
}

/* Both tiers have code of it: slices of 2 are too short for a block. a0 has grown by `each` for each of three. */
static void run_function(Machine *machine, u64 address, u32 each)
{
	u32 a0 = slot_named(machine, "a0");

	for (u32 slice = 0; slice < 2; slice++) {
		u64 before = machine_slot(machine, a0);

		machine_set_pc(machine, address);
		for (u32 i = 0; i < (slice ? 1u : 6u); i++)
			assert_int_equal(machine_run(machine, slice ? 18 : 3).kind, STOP_BUDGET);
		assert_int_equal(machine_slot(machine, a0) - before, 6 * each);
	}
}

/* Who is jumped back to, or called, is counted: entries are what the counter says, and at zero it is hot. */
static void counted(void **state)
{
	static const u32 code[] = {
		0x00150513, /* 0: addi a0, a0, 1 */
		0x008000EF, /* 4: jal 12, a call */
		0xFF9FF06F, /* 8: j 0 */
		0x00160613, /* 12: addi a2, a2, 1 */
		0x00008067, /* 16: ret */
	};
	enum { ROUND = 5 };
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	Machine *machine = (hard_after = ~(u64)0, open_paged(isa, &jit_engine)); /* making it hard forgets the code */
	Engine *engine = machine->engine;
	const JitBlock *head, *callee, *back;

	(void)state;
	for (u32 i = 0; i < sizeof code / sizeof *code; i++)
		put_word(machine, CODE + 4 * i, code[i]);
	machine_set_pc(machine, CODE);
	machine_run(machine, 500 * ROUND);
	head = jit_cache_find(engine, CODE, engine->context);
	callee = jit_cache_find(engine, CODE + 12, engine->context);
	back = jit_cache_find(engine, CODE + 8, engine->context);
	assert_true(head && head->counter && callee && callee->counter && back && !back->counter);
	assert_in_range(*head->counter, JIT_HOT - 500, JIT_HOT - 490);
	assert_in_range(*callee->counter, JIT_HOT - 500, JIT_HOT - 490);
	machine_run(machine, 600 * ROUND);
	assert_int_equal(*head->counter, JIT_NEVER);
	assert_int_equal(*callee->counter, JIT_NEVER);
	machine_run(machine, 600 * ROUND);
	assert_int_equal(*head->counter, JIT_NEVER);
	assert_int_equal(machine_slot(machine, slot_named(machine, "a0")), machine_slot(machine, slot_named(machine, "a2")));
	machine_destroy(machine);
	isa_destroy(isa);
	free(text);
}

/* The guest's own store: a page of code that stores into CODE. */
static void store_by_guest(Machine *machine, u64 address, u32 word)
{
	static const u32 stores[] = {0x00C5A023 /* sw a2, 0(a1) */, 0x00100073 /* ebreak */};
	u64 at = CODE + 2 * SPACE_PAGE;

	put_word(machine, at, stores[0]);
	put_word(machine, at + 4, stores[1]);
	machine_set_slot(machine, slot_named(machine, "a1"), address);
	machine_set_slot(machine, slot_named(machine, "a2"), word);
	machine_set_pc(machine, at);
	machine_run(machine, 1);
}

static void change(Machine *machine, u32 door, u32 word)
{
	u64 got, other = 0x200000;
	u8 *bytes;

	switch (door) {
	case 0: put_word(machine, CODE, word); break;
	case 1: store_by_guest(machine, CODE, word); break;
	case 2: assert_int_equal(machine_copy_out(machine, 0, CODE, &word, 4), 4); break;
	case 3:
		bytes = machine_span(machine, 0, CODE, 4, ATTR_WRITE, &got);
		assert_non_null(bytes);
		memcpy(bytes, &word, 4);
		break;
	case 4: /* gone and made anew */
		machine_pages_drop(machine, 0, CODE, SPACE_PAGE);
		assert_int_equal(machine_pages_add(machine, 0, CODE, SPACE_PAGE, ATTR_RIGHTS), STATUS_OK);
		put_function(machine, CODE);
		put_word(machine, CODE, word);
		break;
	case 5: /* another page moves there */
		assert_int_equal(machine_pages_add(machine, 0, other, SPACE_PAGE, ATTR_RIGHTS), STATUS_OK);
		put_function(machine, other);
		put_word(machine, other, word);
		run_function(machine, other, word >> 20);
		machine_pages_drop(machine, 0, CODE, SPACE_PAGE);
		assert_int_equal(machine_pages_move(machine, 0, other, CODE, SPACE_PAGE), STATUS_OK);
		break;
	case 6: /* as a compiler at run time does: no right to execute while it writes */
		machine_pages_protect(machine, 0, CODE, SPACE_PAGE, ATTR_READ | ATTR_WRITE);
		store_by_guest(machine, CODE, word);
		machine_pages_protect(machine, 0, CODE, SPACE_PAGE, ATTR_READ | ATTR_EXEC);
		run_function(machine, CODE, word >> 20);
		machine_pages_protect(machine, 0, CODE, SPACE_PAGE, ATTR_RIGHTS);
		break;
	case 7: /* a fork has its own */ {
		u32 child;

		assert_int_equal(machine_aspace_fork(machine, 0, &child), STATUS_OK);
		machine_vcpu_set_aspace(machine, 0, child);
		store_by_guest(machine, CODE, word ^ 1u << 30);
		run_function(machine, CODE, (u32)((i32)(word ^ 1u << 30) >> 20));
		machine_vcpu_set_aspace(machine, 0, 0);
		machine_aspace_release(machine, child);
		store_by_guest(machine, CODE, word);
		break;
	}
	default: /* all engines of the machine hold too much: all is forgotten when something new is compiled */
		put_function(machine, CODE + 64);
		machine_set_pc(machine, CODE + 64 + 8);
		machine_run(machine, 1);
		machine_set_pc(machine, CODE + 64 + 8);
		machine->code_bytes += (size_t)1 << 30;
		machine_run(machine, 31); /* the jump by itself, then one new block to the end: nothing is translated behind it */
		machine->code_bytes -= (size_t)1 << 30;
		store_by_guest(machine, CODE + 64, adds(7));
		run_function(machine, CODE + 64, 7);
		put_word(machine, CODE, word);
	}
}

enum { DOORS = 9 };

static void doors(void **state)
{
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	Rng rng = {3};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		Machine *machine = open_paged(isa, both[i]);

		put_function(machine, CODE);
		run_function(machine, CODE, 1);
		for (u32 round = 0; round < 400; round++) {
			u32 number = 1 + (u32)rng_below(&rng, 500);

			change(machine, round < 2 * DOORS ? round % DOORS : (u32)rng_below(&rng, DOORS), adds(number));
			run_function(machine, CODE, number);
		}
		machine_destroy(machine);
	}
	isa_destroy(isa);
	free(text);
}

/* What blocks cost is counted and given back, also of those that only the cold engine runs, and of dead ones. */
static void bounded(void **state)
{
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	Machine *machine = open_paged(isa, &jit_engine);
	size_t before, most = 0;

	(void)state;
	put_word(machine, CODE, 0x00102573); /* frflags a0 */
	machine_set_pc(machine, CODE);
	before = machine->code_bytes;
	for (u32 i = 0; i < 100; i++) {
		machine_set_pc(machine, CODE);
		assert_int_equal(machine_run(machine, 1).kind, STOP_BUDGET);
		put_word(machine, CODE, 0x00102573);
	}
	assert_true(machine->code_bytes - before > 100 * 64);
	for (u32 i = 0; i < 300000 && machine->code_bytes >= most; i++) {
		most = machine->code_bytes;
		machine_set_pc(machine, CODE);
		machine_run(machine, 1);
		machine_write(machine, machine_paged_space(machine), CODE, 0x73);
	}
	assert_true(most < (size_t)65 << 20);
	machine_pages_drop(machine, 0, CODE, CODE_BYTES);
	machine_destroy(machine);
	isa_destroy(isa);
	free(text);
}

static u32 mappings_both(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[600];
	u32 count = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof line, maps))
		count += strchr(line, ' ') && strchr(line, ' ')[2] == 'w' && strchr(line, ' ')[3] == 'x';
	fclose(maps);
	return count;
}

/* No memory is ever both, to write and to execute; and where none can be had (too many files are open) programs run all
 * the same. */
static void host_memory(void **state)
{
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	u32 both_before = mappings_both();

	(void)state;
	for (u32 denied = 0; denied < 2; denied++) {
		Machine *machine = open_paged(isa, &jit_engine);
		struct rlimit before, none;
		u64 blocks, insns;

		assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
		none = (struct rlimit){0, before.rlim_max};
		put_function(machine, CODE);
		if (denied)
			assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		run_function(machine, CODE, 1);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		run_function(machine, CODE, 1);
		assert_int_equal(mappings_both(), both_before);
		machine->ops->stats(machine->engine, &blocks, &insns);
		assert_true(blocks > 0);
		machine_destroy(machine);
	}
	isa_destroy(isa);
	free(text);
}

static void *run_alone(void *arg)
{
	Machine *machine = arg;

	machine_set_pc(machine, CODE);
	for (u32 i = 0; i < 100; i++)
		machine_run(machine, 3000);
	return NULL;
}

/* Machines share nothing. */
static void threads(void **state)
{
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);
	Machine *machines[4];
	pthread_t ids[4];

	(void)state;
	for (u32 i = 0; i < 4; i++) {
		machines[i] = open_paged(isa, &jit_engine);
		put_function(machines[i], CODE);
	}
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&ids[i], NULL, run_alone, machines[i]), 0);
	for (u32 i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(ids[i], NULL), 0);
		assert_int_equal(machine_slot(machines[i], slot_named(machines[i], "a0")), 100000);
		machine_destroy(machines[i]);
	}
	isa_destroy(isa);
	free(text);
}

/* Wild addresses, in spaces of all sizes. */
static void large_spaces(void **state)
{
#ifdef __SANITIZE_THREAD__ /* has no room for the others */
	static const u8 bits[] = {20, 31, 32, 38};
#else
	static const u8 bits[] = {20, 31, 32, 38, 42, 43, 44, 45, 46};
#endif
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);

	(void)state;
	for (u32 b = 0; b < sizeof bits; b++)
		for (u32 shift = 13; shift < 64; shift++) {
			for (u32 k = 0; k < 4; k++) {
				MachineConfig config = {.isa = isa, .guest = &guest, .address_bits = bits[b], .engine = &jit_engine};
				u64 address = ((u64)1 << shift) - (k & 1 ? 8 : 0);
				static Machine *machine;
				static u8 made;
				MachineStop stop;
				DiagList diags;

				if (made != bits[b]) {
					if (machine)
						machine_destroy(machine);
					diag_init(&diags);
					machine = NULL;
					machine_create(&config, &machine, &diags);
					toy_check(&diags, machine);
					diag_fini(&diags);
					machine_reset(machine, false);
					machine_set_pager(machine, touch);
					made = bits[b];
					assert_int_equal(machine_pages_add(machine, 0, CODE, CODE_BYTES, ATTR_RIGHTS), STATUS_OK);
					put_word(machine, CODE, 0x00000013);
					put_word(machine, CODE + 4, 0x0005B503);  /* ld a0, 0(a1) */
					put_word(machine, CODE + 8, 0x00000013);
					put_word(machine, CODE + 12, 0x00A5B023); /* sd a0, 0(a1) */
				}
				if (address >= DATA - 8 && address < DATA + LATE_BYTES)
					continue;
				machine_set_slot(machine, slot_named(machine, "a1"), address);
				machine_set_pc(machine, CODE + (k & 2 ? 8 : 0));
				stop = machine_run(machine, 10);
				if (address - CODE < CODE_BYTES)
					continue;
				assert_int_equal(stop.kind, STOP_FAULT);
				assert_int_equal(stop.address, address);
				if (b + 1u == sizeof bits && shift == 63 && k == 3) {
					machine_destroy(machine);
					machine = NULL;
				}
			}
		}
	isa_destroy(isa);
	free(text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_programs),
		cmocka_unit_test(random_rv64),
		cmocka_unit_test(random_odd),
		cmocka_unit_test(hard_modes),
		cmocka_unit_test(counted),
		cmocka_unit_test(doors),
		cmocka_unit_test(every_stop),
		cmocka_unit_test(bounded),
		cmocka_unit_test(threads),
		cmocka_unit_test(host_memory),
		cmocka_unit_test(large_spaces),
	};

	if (argc > 1)
		wanted_rounds = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 10);
	return jit_is_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
