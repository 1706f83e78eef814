/* SPDX-License-Identifier: MIT
 * A box: turns and counts are exact, memories are shared, a failing core harms nobody, a snapshot at any place goes on to the
 * same end, and a bad one is refused whole.
 */
#include "toy.h"

#include "box/box.h"
#include "machine/shared.h"

/* The toy's code: a counter in shared memory, incremented for ever. */
static const u16 counter[] = {
	0x0200, /* LI   R1, 0      (R1 is set from outside)      */
	0x3040, /* LD   R0, R1                                    */
	0x2001, /* ADDI R0, R0, 1                                 */
	0x4040, /* ST   R0, R1                                    */
	0x51FC, /* BNZ  R0, -4  -> LD                             */
	0xA003, /* STOP 3                                         */
};

typedef struct Rig {
	Isa *isa;
	Machine *machines[3];
	SharedMemory *memory;
	Box *box;
} Rig;

static void rig_init_fuel(Rig *rig, u32 cores, u64 quantum, u64 fuel)
{
	DiagList diags;

	*rig = (Rig){0};
	diag_init(&diags);
	rig->isa = isa_load("toy", toy_isa, strlen(toy_isa), NULL, 0, &diags);
	toy_check(&diags, rig->isa);
	rig->memory = shared_create("m", 16);
	rig->box = box_create(quantum, 0);
	assert_int_equal(box_add_memory(rig->box, rig->memory), STATUS_OK);
	for (u32 i = 0; i < cores; i++) {
		static const char *const names[] = {"a", "b", "c"};
		MachineConfig config = {.isa = rig->isa};
		MachineWindow window = {.space = 0, .address = 0x4000, .cells = 8, .memory = rig->memory, .readable = true,
					.writable = true};

		machine_create(&config, &rig->machines[i], &diags);
		toy_check(&diags, rig->machines[i]);
		machine_reset(rig->machines[i], false);
		for (u32 k = 0; k < 6; k++)
			machine_write(rig->machines[i], 0, 0x100 + k, counter[k]);
		machine_set_pc(rig->machines[i], 0x101);
		machine_set_slot(rig->machines[i], rig->isa->regs[0].slot + 1, 0x4000);
		assert_int_equal(machine_map_shared(rig->machines[i], &window), STATUS_OK);
		assert_int_equal(box_add_core(rig->box, names[i], rig->machines[i], fuel), STATUS_OK);
	}
	diag_fini(&diags);
}

static void rig_init(Rig *rig, u32 cores, u64 quantum)
{
	rig_init_fuel(rig, cores, quantum, 0);
}

static void rig_fini(Rig *rig)
{
	box_destroy(rig->box);
	for (u32 i = 0; i < 3; i++)
		machine_destroy(rig->machines[i]);
	shared_unref(rig->memory);
	isa_destroy(rig->isa);
}

static u64 count_of(const Rig *rig)
{
	return shared_bytes(rig->memory)[0] | (u64)shared_bytes(rig->memory)[1] << 8;
}

static void turns_are_exact(void **state)
{
	static const u64 quanta[] = {1, 4, 7, 1000};

	(void)state;
	for (u32 q = 0; q < 4; q++) {
		Rig rig;

		rig_init(&rig, 3, quanta[q]);
		for (u64 total = 0; total < 300; total += 13) {
			u64 turns = total / quanta[q], rest = total % quanta[q];

			assert_int_equal(box_icount(rig.box), total);
			for (u32 i = 0; i < 3; i++) {
				u64 whole = turns / 3 + (i < turns % 3), own = whole * quanta[q] + (i == turns % 3 ? rest : 0);

				assert_int_equal(machine_icount(rig.machines[i]), own);
			}
			assert_int_equal(box_run(rig.box, 13), BOX_BUDGET);
		}
		rig_fini(&rig);
	}
}

/* With quantum 4 a loop of 4 is never torn: no increment is lost. With 1 all three read the same value. */
static void memory_is_shared(void **state)
{
	Rig rig;

	(void)state;
	rig_init(&rig, 3, 4);
	box_run(rig.box, 4 * 30);
	assert_int_equal(count_of(&rig), 30);
	rig_fini(&rig);
	rig_init(&rig, 3, 1);
	box_run(rig.box, 4 * 30);
	assert_int_equal(count_of(&rig), 10);
	rig_fini(&rig);
}

static void others_go_on(void **state)
{
	Rig rig;
	u64 before;

	(void)state;
	rig_init(&rig, 3, 4);
	machine_write(rig.machines[1], 0, 0x102, 0x7001); /* no such instruction */
	machine_write(rig.machines[2], 0, 0x102, 0xA007); /* STOP 7 */
	box_run(rig.box, 1000);
	assert_int_equal(box_core(rig.box, 0)->state, CORE_READY);
	assert_int_equal(box_core(rig.box, 1)->state, CORE_FAILED);
	assert_int_equal(box_core(rig.box, 1)->stop.kind, STOP_ILLEGAL);
	assert_int_equal(box_core(rig.box, 1)->stop.pc, 0x102);
	assert_int_equal(box_core(rig.box, 2)->state, CORE_HALTED);
	assert_int_equal(box_core(rig.box, 2)->stop.code, 7);
	assert_int_equal(machine_icount(rig.machines[1]), 1);
	assert_int_equal(machine_icount(rig.machines[2]), 2);
	assert_int_equal(machine_icount(rig.machines[0]), 1000 - 3);
	before = count_of(&rig);
	assert_in_range(before, 245, 250);
	rig_fini(&rig);
}

static void fuel_and_input(void **state)
{
	Rig rig;

	(void)state;
	rig_init(&rig, 1, 10);
	box_destroy(rig.box);
	rig.box = box_create(10, 0);
	box_add_core(rig.box, "a", rig.machines[0], 25);
	assert_int_equal(box_run(rig.box, 1000), BOX_ENDED);
	assert_int_equal(box_core(rig.box, 0)->state, CORE_NO_FUEL);
	assert_int_equal(box_icount(rig.box), 25);
	rig_fini(&rig);

	rig_init(&rig, 2, 10);
	for (u32 i = 0; i < 2; i++)
		machine_write(rig.machines[i], 0, 0x101, 0x9600); /* GETC R3 */
	machine_write(rig.machines[1], 0, 0x102, 0xA000);
	assert_int_equal(box_run(rig.box, 1000), BOX_WAITS);
	assert_int_equal(box_icount(rig.box), 0);
	machine_input(rig.machines[1], (const u8 *)"x", 1);
	assert_int_equal(box_run(rig.box, 1000), BOX_WAITS);
	assert_int_equal(box_core(rig.box, 1)->state, CORE_HALTED);
	machine_input_end(rig.machines[0]);
	assert_int_equal(box_run(rig.box, 1000), BOX_ENDED);
	assert_int_equal(box_core(rig.box, 0)->stop.kind, STOP_INPUT_ENDED);
	rig_fini(&rig);
}

static void snapshots(void **state)
{
	Buf end, saved, other;

	(void)state;
	buf_init(&end);
	buf_init(&saved);
	buf_init(&other);
	for (u64 k = 0; k < 60; k += 7) {
		Rig rig;

		rig_init(&rig, 3, 5);
		box_run(rig.box, k);
		buf_clear(&saved);
		assert_int_equal(box_snapshot(rig.box, &saved), STATUS_OK);
		box_run(rig.box, 100 - k);
		buf_clear(&end);
		assert_int_equal(box_snapshot(rig.box, &end), STATUS_OK);
		rig_fini(&rig);

		rig_init(&rig, 3, 5);
		box_run(rig.box, 33);
		assert_int_equal(box_restore(rig.box, saved.data, saved.len), STATUS_OK);
		box_run(rig.box, 100 - k);
		buf_clear(&other);
		assert_int_equal(box_snapshot(rig.box, &other), STATUS_OK);
		assert_int_equal(other.len, end.len);
		assert_memory_equal(other.data, end.data, end.len);
		rig_fini(&rig);
	}
	buf_fini(&end);
	buf_fini(&saved);
	buf_fini(&other);
}

static void bad_snapshots(void **state)
{
	Buf saved, before, after;
	Rig rig;

	(void)state;
	buf_init(&saved);
	buf_init(&before);
	buf_init(&after);
	rig_init(&rig, 2, 5);
	box_run(rig.box, 50);
	box_snapshot(rig.box, &saved);
	box_run(rig.box, 50);
	box_snapshot(rig.box, &before);
	for (size_t len = 0; len < saved.len; len += len < 300 ? 1 : 4099)
		assert_int_not_equal(box_restore(rig.box, saved.data, len), STATUS_OK);
	for (size_t at = 0; at < saved.len; at += at < 400 ? 3 : 7919) {
		saved.data[at] ^= 0x5A;
		assert_int_not_equal(box_restore(rig.box, saved.data, saved.len), STATUS_OK);
		saved.data[at] ^= 0x5A;
	}
	box_snapshot(rig.box, &after);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, after.len);
	rig_fini(&rig);
	rig_init(&rig, 3, 5);
	assert_int_equal(box_restore(rig.box, saved.data, saved.len), STATUS_MISMATCH);
	rig_fini(&rig);
	buf_fini(&saved);
	buf_fini(&before);
	buf_fini(&after);
}

/* The fuel of the box that goes on may be less than what was used before. */
static void less_fuel_after_restoring(void **state)
{
	Buf saved;
	Rig rig;

	(void)state;
	buf_init(&saved);
	rig_init_fuel(&rig, 2, 5, 100);
	box_run(rig.box, 80);
	assert_int_equal(box_snapshot(rig.box, &saved), STATUS_OK);
	rig_fini(&rig);
	rig_init_fuel(&rig, 2, 5, 20);
	assert_int_equal(box_restore(rig.box, saved.data, saved.len), STATUS_OK);
	assert_int_equal(box_run(rig.box, 1000), BOX_ENDED);
	assert_int_equal(box_icount(rig.box), 80);
	for (u32 i = 0; i < 2; i++)
		assert_int_equal(box_core(rig.box, i)->state, CORE_NO_FUEL);
	rig_fini(&rig);
	buf_fini(&saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turns_are_exact), cmocka_unit_test(memory_is_shared), cmocka_unit_test(others_go_on),
		cmocka_unit_test(fuel_and_input),  cmocka_unit_test(snapshots),        cmocka_unit_test(bad_snapshots),
		cmocka_unit_test(less_fuel_after_restoring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
