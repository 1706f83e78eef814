/* SPDX-License-Identifier: MIT
 *
 * Parking: several machines of one base take turns in one Machine, packed after every few instructions, and never differ from
 * those that have a Machine each; afterwards the Machine is as the base, cell by cell.
 */
#include "engines.h"

#include "jit/jit.h"
#include "machine/park.h"
#include "machine/vcpus.h"

enum { TENANTS = 3, TURNS = 60 };

static const char *const more_paths[] = {"tests/isa/vcpus.isa", "src/guests/merry/merry.isa", "src/guests/iridium/iridium.isa",
					 "src/guests/tinyvm/tinyvm.isa", "src/guests/svm/svm.isa", "examples/isa/six.isa"};

static void same_state(Machine *a, Machine *b, const char *name, u32 turn)
{
	Buf one, other;

	buf_init(&one);
	buf_init(&other);
	assert_int_equal(machine_snapshot(a, &one), STATUS_OK);
	assert_int_equal(machine_snapshot(b, &other), STATUS_OK);
	if (one.len != other.len || memcmp(one.data, other.data, one.len) != 0)
		fail_msg("%s: turn %u: the states differ (icount %llu, %llu; pc %llx, %llx)", name, turn,
			 (unsigned long long)machine_icount(a), (unsigned long long)machine_icount(b),
			 (unsigned long long)machine_pc(a), (unsigned long long)machine_pc(b));
	buf_fini(&one);
	buf_fini(&other);
}

static void collect(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
}

typedef struct Party {
	Machine *alone;   /* one that is never parked */
	Buf delta;        /* the one that is */
	bool packed;      /* delta is valid; else it is as the base */
	Buf said, said_too;
} Party;

/* What comes from outside is the same for both. */
static void disturb(Machine *machine, Rng *rng, const MachineStop *stop)
{
	u64 what = rng_below(rng, 8), pc = rng_below(rng, 1000);
	u8 key = (u8)rng_next(rng);

	if (what < 3)
		machine_input(machine, &key, 1);
	if (what == 3)
		machine_set_time(machine, machine_time(machine) + rng_below(rng, 5000));
	if (what == 4 && rng_below(rng, 4) == 0)
		machine_input_end(machine);
	if (stop->kind != STOP_BUDGET)
		machine_set_pc(machine, pc);
}

static void take_turn(Party *party, Machine *carrier, const MachineBase *base, Rng *rng, u64 insns, const char *name, u32 turn)
{
	MachineStop stops[2];
	OpenFiles held = {.items = NULL};
	Rng same = *rng;

	if (party->packed)
		assert_int_equal(machine_unpack(carrier, base, party->delta.data), STATUS_OK);
	machine_set_output(carrier, collect, &party->said_too);
	stops[0] = machine_run(party->alone, insns);
	stops[1] = machine_run(carrier, insns);
	if (stops[0].kind != stops[1].kind || stops[0].code != stops[1].code || stops[0].pc != stops[1].pc)
		fail_msg("%s: turn %u: stop %d %llu at %llx, not %d %llu at %llx", name, turn, stops[1].kind,
			 (unsigned long long)stops[1].code, (unsigned long long)stops[1].pc, stops[0].kind,
			 (unsigned long long)stops[0].code, (unsigned long long)stops[0].pc);
	disturb(party->alone, rng, &stops[0]);
	disturb(carrier, &same, &stops[1]);
	same_state(party->alone, carrier, name, turn);
	buf_clear(&party->delta);
	assert_int_equal(machine_pack(carrier, base, &party->delta, &held), STATUS_OK);
	assert_int_equal(held.count, 0);
	party->packed = true;
	assert_int_equal(machine_unwind(carrier, base, turn % 3 ? party->delta.data : NULL), STATUS_OK);
	assert_int_equal(party->said.len, party->said_too.len);
	assert_true(!party->said.len || memcmp(party->said.data, party->said_too.data, party->said.len) == 0);
}

static void try_machine(const char *path, const EngineOps *engine, u64 seed, u64 most)
{
	char *text = read_text(path);
	Isa *isa = load(path, text);
	Machine *origin = create(isa, engine), *carrier = create(isa, engine);
	Party parties[TENANTS];
	MachineBase *base;
	Rng rng = {seed};
	Status status;

	fill(origin, &rng);
	machine_run(origin, rng_below(&rng, 100));
	status = machine_freeze(origin, &base);
	if (status) {
		assert_int_equal(status, STATUS_UNSUPPORTED);
		assert_true(isa_find_space(isa, "mem", 3) != ISA_NONE); /* a paged one */
		assert_null(base);
	} else {
		assert_int_equal(machine_become(carrier, base), STATUS_OK);
		same_state(origin, carrier, path, 0);
		for (u32 i = 0; i < TENANTS; i++) {
			parties[i] = (Party){.alone = create(isa, engine)};
			assert_int_equal(machine_become(parties[i].alone, base), STATUS_OK);
			buf_init(&parties[i].delta);
			buf_init(&parties[i].said);
			buf_init(&parties[i].said_too);
			machine_set_output(parties[i].alone, collect, &parties[i].said);
		}
		for (u32 turn = 1; turn < TURNS; turn++) {
			u64 insns = 1 + rng_below(&rng, most);

			take_turn(&parties[rng_below(&rng, TENANTS)], carrier, base, &rng, insns, path, turn);
			same_state(origin, carrier, path, turn);
		}
		for (u32 i = 0; i < TENANTS; i++) {
			machine_destroy(parties[i].alone);
			buf_fini(&parties[i].delta);
			buf_fini(&parties[i].said);
			buf_fini(&parties[i].said_too);
		}
		machine_base_destroy(base);
	}
	machine_destroy(origin);
	machine_destroy(carrier);
	isa_destroy(isa);
	free(text);
}

static void all_machines(const EngineOps *engine)
{
	for (u32 i = 0; i < COUNT_OF(machine_paths) + COUNT_OF(more_paths); i++) {
		const char *path = i < COUNT_OF(machine_paths) ? machine_paths[i] : more_paths[i - COUNT_OF(machine_paths)];

		for (u64 seed = 1; seed < 4; seed++) {
			virtual_time = seed & 1;
			try_machine(path, engine, seed * 1000 + i, seed == 3 ? 2000 : 20);
		}
	}
}

static void interpreted(void **state)
{
	(void)state;
	all_machines(&interp_engine);
}

static void compiled(void **state)
{
	static const EngineOptions soon = {.hot = 2};

	(void)state;
	engine_options = &soon;
	all_machines(jit_is_possible() ? &jit_engine : &interp_engine);
	engine_options = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(interpreted), cmocka_unit_test(compiled)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
