/* SPDX-License-Identifier: MIT
 *
 * Husk's LC-3 against the oracle (tests/lc3/oracle.c): random memory, registers, keyboard input; after every piece of
 * a run all registers, the devices, the console and every word written are the same, at its end the whole memory.
 * Pieces are one instruction long, or a random number of them so that whole blocks run. Now and then the machine is
 * saved and goes on as another one.
 *
 *     HUSK_LC3_STEPS=1000000 test_lc3_trace       instructions for each of the 30 seeds
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lc3/oracle.h"
#include "../lc3/rig.h"
#include "base/rng.h"
#include "guests/lc3/lc3.h"

#ifdef HUSK_DEBUG /* slower by far */
enum { DEFAULT_STEPS = 10000 };
#else
enum { DEFAULT_STEPS = 1000000 };
#endif
enum { SEEDS = 30, WINDOW = 1024, INPUT = 512 };

typedef struct Pair {
	Rig *rig;
	Oracle *oracle;
	Rng rng;
	u8 input[INPUT];
	u32 output_seen; /* bytes of output compared so far in this life */
	u16 window;
	const char *options;
	u64 steps, lives;
} Pair;

static u32 below(Pair *pair, u32 bound)
{
	return (u32)rng_below(&pair->rng, bound);
}

static bool chance(Pair *pair, u32 percent)
{
	return below(pair, 100) < percent;
}

static u16 word(Pair *pair)
{
	return (u16)rng_next(&pair->rng);
}

/* ---- Random programs ---- */

static const u16 edges[] = { 0x2FFF, 0x3000, 0, 1, 2, 0x7F, 0x80, 0xFF, 0x1FF, 0x200, 0x2FFF, 0x3000, 0x7FFF, 0x8000, 0xFDFF, 0xFE00,
			     0xFE01, 0xFE02, 0xFE04, 0xFE06, 0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF };

static const u16 devices[] = { 0xFE00, 0xFE02, 0xFE04, 0xFE06, 0xFFFC, 0xFFFE };

static u16 edge(Pair *pair)
{
	return chance(pair, 50) ? edges[below(pair, COUNT_OF(edges))] : devices[below(pair, COUNT_OF(devices))];
}

static u16 address(Pair *pair)
{
	switch (below(pair, 8)) {
	case 0: return word(pair);
	case 1: case 2: return edge(pair);
	default: return (u16)(pair->window + below(pair, WINDOW));
	}
}

/* Mostly an instruction with its fixed bits right; sometimes anything. */
static u16 instruction(Pair *pair)
{
	static const u8 weights[16] = { /* BR */ 14, /* ADD */ 16, /* LD */ 6, /* ST */ 5, /* JSR */ 3, /* AND */ 8,
					/* LDR */ 7, /* STR */ 6, /* RTI */ 1, /* NOT */ 5, /* LDI */ 5, /* STI */ 4,
					/* JMP */ 2, /* reserved */ 0, /* LEA */ 6, /* TRAP */ 2 };
	u16 w = word(pair), op = 0;
	u32 pick = below(pair, 90);

	if (chance(pair, 3))
		return w;
	if (chance(pair, 4))
		return edge(pair); /* a pointer, for LDI and STI */
	while (pick >= weights[op])
		pick -= weights[op++];
	switch (op) {
	case 0x1: case 0x5:
		w &= w & 0x20 ? 0x0FFF : 0x0FC7;
		break;
	case 0x4:
		w = chance(pair, 50) ? (u16)(0x800 | (w & 0x7FF)) : w & 0x01C0;
		break;
	case 0x6: case 0x7:
		if (chance(pair, 40))
			w &= 0xFC0; /* offset 0: the device itself where the register points at one */
		break;
	case 0x8: w = 0; break;
	case 0x9: w |= 0x3F; break;
	case 0xC: w &= 0x01C0; break;
	case 0xF: w = chance(pair, 80) ? 0x20 + below(pair, 6) : w & 0xFF; break;
	case 0x0: case 0x2: case 0x3: case 0xA: case 0xB: case 0xE:
		/* Offsets mostly stay near. */
		if (chance(pair, 80))
			w = (u16)((w & 0xE00) | ((below(pair, 64) - 32) & 0x1FF));
		break;
	}
	return (u16)(op << 12 | (w & 0xFFF));
}

static void poke(Pair *pair, u16 at, u16 value)
{
	rig_poke(pair->rig, at, value);
	pair->oracle->m[at] = value;
}

static void set(Pair *pair, u32 slot, u16 *mine, u16 value)
{
	machine_set_slot(pair->rig->machine, slot, value);
	*mine = value;
}

static void random_memory(Pair *pair)
{
	static const u16 places[] = { 0x3000, 0x2F80, 0x2F80, 0x0500, 0xFB00 };
	bool v3 = pair->oracle->profile == ORACLE_V3;

	pair->window = chance(pair, 80) ? places[below(pair, COUNT_OF(places))] : (u16)(0x1000 + below(pair, 0xE000));
	for (u32 i = 0; i < WINDOW; i++)
		if (pair->window + i < 0xFE00)
			poke(pair, (u16)(pair->window + i), instruction(pair));
	if (v3)
		poke(pair, 0x0180, chance(pair, 70) ? (u16)(pair->window + below(pair, WINDOW)) : 0x0413);
	for (u16 vector = 0x100; v3 && vector < 0x103; vector++)
		if (chance(pair, 50)) /* else the system's: it prints and halts */
			poke(pair, vector, address(pair));
	for (u16 vector = 0x20; vector < 0x26; vector++)
		if (chance(pair, 20))
			poke(pair, vector, address(pair));
}

static void random_registers(Pair *pair)
{
	Rig *rig = pair->rig;
	Oracle *o = pair->oracle;
	bool v3 = o->profile == ORACLE_V3;
	u16 cc = chance(pair, 50) ? word(pair) : 0;

	for (u32 i = 0; i < 8; i++)
		set(pair, rig->r[i], &o->r[i], address(pair));
	if (v3)
		set(pair, rig->r[6], &o->r[6], (u16)(0x2000 + below(pair, 0x1000)));
	set(pair, rig->ssp, &o->ssp, v3 ? (u16)(0x2000 + below(pair, 0x1000)) : 0x3000);
	set(pair, rig->pc, &o->pc, (u16)(pair->window + below(pair, WINDOW)));
	set(pair, rig->prio, &o->prio, chance(pair, 70) ? 0 : (u16)below(pair, 8));
	set(pair, rig->kbsr, &o->kbsr, v3 && chance(pair, 60) ? 0x4000 : 0);
	o->user = chance(pair, 60);
	if (v3 && o->user && pair->window == 0x2F80) /* system memory is near */
		set(pair, rig->pc, &o->pc, (u16)(0x3000 + below(pair, 0x40)));
	machine_set_slot(rig->machine, rig->user, o->user);
	machine_set_slot(rig->machine, rig->cc, cc);
	o->n = cc >> 15;
	o->z = !cc;
	o->p = !o->n && !o->z;
}

static void copy_memory(Pair *pair)
{
	for (u32 i = 0; i < 0x10000; i++)
		pair->oracle->m[i] = rig_word(pair->rig, (u16)i);
}

/* Both sides from power-on, with memory as it is. */
static void new_life(Pair *pair)
{
	Oracle *o = pair->oracle;
	bool blank = !o->m[0] && !o->m[0x200];

	machine_reset(pair->rig->machine, true);
	if (blank) /* it got its operating system back */
		copy_memory(pair);
	buf_clear(&pair->rig->output);
	o->kbdr = o->dsr = 0;
	o->queue = 0;
	o->mcr = 0x8000;
	o->interrupt_owed = o->dsr_seen = o->asked = o->stops = o->undefined = false;
	o->input = pair->input;
	o->input_len = o->input_at = 0;
	o->input_ended = false;
	o->output_len = o->dirty_count = 0;
	o->steps = 0;
	pair->output_seen = 0;
	pair->lives++;
	if (chance(pair, 30))
		random_memory(pair);
	random_registers(pair);
}

static void feed(Pair *pair)
{
	Oracle *o = pair->oracle;
	u32 count = 1 + below(pair, 3);

	if (o->input_ended || o->input_len + count > INPUT)
		return;
	for (u32 i = 0; i < count; i++)
		pair->input[o->input_len + i] = (u8)word(pair);
	machine_input(pair->rig->machine, pair->input + o->input_len, count);
	o->input_len += count;
}

/* ---- Comparing ---- */

static void check(const Pair *pair, const char *what, u64 husk, u64 oracle)
{
	if (husk == oracle)
		return;
	print_error("%s: %s is x%llX, the oracle has x%llX after %llu instructions of life %llu\n", pair->options, what,
		    (unsigned long long)husk, (unsigned long long)oracle, (unsigned long long)pair->oracle->steps,
		    (unsigned long long)pair->lives);
	fail();
}

static void compare(Pair *pair)
{
	Rig *rig = pair->rig;
	Oracle *o = pair->oracle;
	u32 len = o->output_len, kept = len < ORACLE_OUTPUT ? len : ORACLE_OUTPUT;
	u32 dirty = o->dirty_count < ORACLE_DIRTY ? o->dirty_count : ORACLE_DIRTY;

	check(pair, "pc", rig_get(rig, rig->pc), o->pc);
	for (u32 i = 0; i < 8; i++)
		check(pair, (const char[]){ 'R', (char)('0' + i), 0 }, rig_get(rig, rig->r[i]), o->r[i]);
	check(pair, "PSR", rig_psr(rig), oracle_psr(o));
	check(pair, "icount", machine_icount(rig->machine), o->steps);
	if (o->profile != ORACLE_TINY) {
		check(pair, "KBSR", rig_get(rig, rig->kbsr), o->kbsr);
		check(pair, "KBDR", rig_get(rig, rig->kbdr), o->kbdr);
		check(pair, "DSR", rig_get(rig, rig->dsr), o->dsr);
		check(pair, "MCR", rig_get(rig, rig->mcr), o->mcr);
		check(pair, "SSP", rig_get(rig, rig->ssp), o->ssp);
		check(pair, "kbint", rig_get(rig, rig->kbint), o->interrupt_owed);
		check(pair, "kbowed", rig_get(rig, rig->kbowed), o->queue);
		check(pair, "drdy", rig_get(rig, rig->drdy), o->dsr_seen);
	}
	for (u32 i = 0; i < dirty; i++)
		check(pair, "a written word", rig_word(rig, o->dirty[i]), o->m[o->dirty[i]]);
	o->dirty_count = 0;
	check(pair, "length of output", rig->output.len, len);
	if (kept > pair->output_seen)
		check(pair, "output", (u64)memcmp(rig->output.data + pair->output_seen, o->output + pair->output_seen,
						  kept - pair->output_seen), 0);
	pair->output_seen = kept;
}

static void compare_memory(const Pair *pair)
{
	const Oracle *o = pair->oracle;

	for (u32 i = 0; i < 0x10000; i++)
		if (rig_word(pair->rig, (u16)i) != o->m[i]) {
			print_error("word x%04X\n", i);
			check(pair, "a word", rig_word(pair->rig, (u16)i), o->m[i]);
		}
}

/* The machine is written out and goes on as another one. */
static void move_house(Pair *pair)
{
	Rig *fresh = rig_create(pair->options);
	Buf snapshot;

	buf_init(&snapshot);
	assert_int_equal(machine_snapshot(pair->rig->machine, &snapshot), STATUS_OK);
	assert_int_equal(machine_restore(fresh->machine, snapshot.data, snapshot.len), STATUS_OK);
	buf_add(&fresh->output, pair->rig->output.data, pair->rig->output.len);
	rig_destroy(pair->rig);
	pair->rig = fresh;
	buf_fini(&snapshot);
}

/* ---- Running ---- */

/* Runs `count` instructions on both sides. False when this life is over. */
static bool run_piece(Pair *pair, u32 count)
{
	Oracle *o = pair->oracle;
	OracleResult result = ORACLE_OK;
	u64 before = o->steps;
	MachineStop stop;

	for (u32 i = 0; i < count && result == ORACLE_OK && !o->undefined; i++)
		result = oracle_step(o);
	if (o->undefined)
		return false;
	stop = machine_run(pair->rig->machine, count);
	pair->steps += o->steps - before;
	switch (result) {
	case ORACLE_OK: check(pair, "stop", stop.kind, STOP_BUDGET); break;
	case ORACLE_HALTED: check(pair, "stop", stop.kind, STOP_HALT); break;
	case ORACLE_WAITS: check(pair, "stop", stop.kind, STOP_WAIT); break;
	case ORACLE_ILLEGAL:
		check(pair, "stop", stop.kind == STOP_ILLEGAL || stop.kind == STOP_TRAP, true);
		break;
	}
	compare(pair);
	if (result == ORACLE_WAITS) {
		if (chance(pair, 80)) {
			feed(pair);
		} else if (!o->input_ended) {
			machine_input_end(pair->rig->machine);
			o->input_ended = true;
		}
	}
	if (result == ORACLE_HALTED && chance(pair, 80))
		return false;
	return result != ORACLE_ILLEGAL && o->output_len < ORACLE_OUTPUT / 2;
}

static void live(Pair *pair, bool single)
{
	u32 length = 20 + below(pair, chance(pair, 90) ? 400 : 4000), done = 0;
	bool alive = true;

	new_life(pair);
	while (alive && done < length) {
		u32 count = single ? 1 : 1 + below(pair, chance(pair, 50) ? 10 : 300);

		if (chance(pair, single ? 1 : 20))
			feed(pair);
		alive = run_piece(pair, count);
		done += count;
		if (alive && chance(pair, 10) && below(pair, 200) == 0)
			move_house(pair);
	}
	if (pair->oracle->undefined) {
		/* The oracle went ahead alone: take Husk's memory and begin again. */
		copy_memory(pair);
	} else if (chance(pair, 5)) {
		compare_memory(pair);
	}
}

static u64 steps_wanted(void)
{
	const char *text = getenv("HUSK_LC3_STEPS");

	return text ? strtoull(text, NULL, 10) : DEFAULT_STEPS;
}

static void run_seed(u64 seed)
{
	static const struct {
		const char *options;
		OracleProfile profile;
		bool no_privilege, jsrr_bug, queued;
	} kinds[] = {
		{ "profile=v3", ORACLE_V3, false, false, true },
		{ "profile=classic", ORACLE_CLASSIC, false, false, false },
		{ "profile=v3 interrupts=level", ORACLE_V3, false, false, false },
		{ "profile=tiny", ORACLE_TINY, false, false, false },
		{ "profile=v3 privilege=off", ORACLE_V3, true, false, true },
		{ "profile=v3 jsrr=original interrupts=level", ORACLE_V3, false, true, false },
		{ "profile=v3 jsrr=original interrupts=queued", ORACLE_V3, false, true, true },
		{ "profile=tiny jsrr=original", ORACLE_TINY, false, true, false },
	};
	u64 kind = seed % COUNT_OF(kinds), wanted = steps_wanted();
	Pair *pair = calloc(1, sizeof *pair);

	assert_non_null(pair);
	pair->rng.state = seed * 0x10001 + 1;
	pair->options = kinds[kind].options;
	pair->rig = rig_create(pair->options);
	pair->oracle = calloc(1, sizeof *pair->oracle);
	assert_non_null(pair->oracle);
	oracle_init(pair->oracle, kinds[kind].profile);
	pair->oracle->no_privilege = kinds[kind].no_privilege;
	pair->oracle->jsrr_bug = kinds[kind].jsrr_bug;
	pair->oracle->queued = kinds[kind].queued;
	assert_int_equal(lc3_guest.load(pair->rig->machine, NULL, 0, &pair->rig->diags), STATUS_OK);
	copy_memory(pair);
	random_memory(pair);
	for (bool single = false; pair->steps < wanted; single = below(pair, 4) == 0)
		live(pair, single);
	compare_memory(pair);
	rig_destroy(pair->rig);
	free(pair->oracle);
	free(pair);
}

static void test_lc3_is_what_the_oracle_says(void **state)
{
	(void)state;
	for (u64 seed = 0; seed < SEEDS; seed++)
		run_seed(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lc3_is_what_the_oracle_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
