/* SPDX-License-Identifier: MIT
 * Windows onto shared bytes: two machines see each other's cells in their own shapes; rights, ranges, fetches, lifetimes.
 */
#include "toy.h"

#include "machine/shared.h"

static Isa *load_isa(void)
{
	DiagList diags;
	Isa *isa;

	diag_init(&diags);
	isa = isa_load("toy", toy_isa, strlen(toy_isa), NULL, 0, &diags);
	toy_check(&diags, isa);
	diag_fini(&diags);
	return isa;
}

static Machine *create(const Isa *isa, const u16 *program, u32 count)
{
	MachineConfig config = {.isa = isa};
	Machine *machine = NULL;
	DiagList diags;

	diag_init(&diags);
	machine_create(&config, &machine, &diags);
	toy_check(&diags, machine);
	diag_fini(&diags);
	machine_reset(machine, false);
	for (u32 i = 0; i < count; i++)
		machine_write(machine, 0, 0x100 + i, program[i]);
	return machine;
}

static void set_reg(Machine *machine, u32 number, u64 value)
{
	machine_set_slot(machine, machine_isa(machine)->regs[0].slot + number, value);
}

static u64 reg(const Machine *machine, u32 number)
{
	return machine_slot(machine, machine_isa(machine)->regs[0].slot + number);
}

enum { ST_R0_R1 = 0x4040, LD_R0_R1 = 0x3040, LDD_R0_R1 = 0xE040, STD_R0_R1 = 0xE041, STOP0 = 0xA000 };

static void two_shapes_of_the_same_bytes(void **state)
{
	static const u16 store[] = {ST_R0_R1, STOP0}, load[] = {LDD_R0_R1, STOP0};
	SharedMemory *memory = shared_create("box", 16);
	Isa *isa = load_isa();
	Machine *words = create(isa, store, 2), *bytes = create(isa, load, 2);
	MachineWindow in_words = {.space = 0, .address = 0x4000, .cells = 8, .memory = memory, .readable = true,
				  .writable = true};
	MachineWindow in_bytes = {.space = 1, .address = 100, .cells = 16, .memory = memory, .readable = true};
	u64 value;

	(void)state;
	assert_int_equal(machine_map_shared(words, &in_words), STATUS_OK);
	assert_int_equal(machine_map_shared(bytes, &in_bytes), STATUS_OK);
	shared_unref(memory); /* the windows hold it */
	set_reg(words, 0, 0x1234);
	set_reg(words, 1, 0x4002);
	assert_int_equal(machine_run(words, 10).kind, STOP_HALT);
	assert_int_equal(shared_bytes(memory)[4], 0x34);
	assert_int_equal(shared_bytes(memory)[5], 0x12);
	set_reg(bytes, 1, 105);
	assert_int_equal(machine_run(bytes, 10).kind, STOP_HALT);
	assert_int_equal(reg(bytes, 0), 0x12);
	assert_int_equal(machine_read(bytes, 1, 104, &value), STATUS_OK); /* a debugger sees it, too */
	assert_int_equal(value, 0x34);
	assert_int_equal(machine_write(words, 0, 0x4007, 0xABCD), STATUS_OK);
	assert_int_equal(shared_bytes(memory)[15], 0xAB);
	machine_destroy(words);
	assert_int_equal(shared_bytes(memory)[15], 0xAB);
	machine_destroy(bytes);
	isa_destroy(isa);
}

static void rights_and_byte_order(void **state)
{
	static const u16 store[] = {STD_R0_R1, STOP0}, load[] = {LD_R0_R1, STOP0};
	SharedMemory *memory = shared_create("box", 8);
	Isa *isa = load_isa();
	Machine *reader = create(isa, load, 2), *writer = create(isa, store, 2);
	MachineWindow big = {.space = 0, .address = 0, .cells = 4, .memory = memory, .big = true, .readable = true};
	MachineWindow fixed = {.space = 1, .address = 20, .cells = 8, .memory = memory, .readable = true};
	u32 slot;
	u8 width;

	(void)state;
	assert_int_equal(machine_map_shared(reader, &big), STATUS_OK);
	assert_int_equal(machine_map_shared(writer, &fixed), STATUS_OK);
	shared_bytes(memory)[0] = 0x12;
	shared_bytes(memory)[1] = 0x34;
	assert_int_equal(machine_run(reader, 10).kind, STOP_HALT);
	assert_int_equal(reg(reader, 0), 0x1234);
	/* toy's `on fault` jumps on and leaves a mark in `cause` */
	set_reg(writer, 1, 20);
	assert_int_equal(machine_run(writer, 10).kind, STOP_HALT);
	assert_int_equal(shared_bytes(memory)[0], 0x12);
	assert_true(isa_find_register(isa, "cause", 5, false, &slot, &width));
	assert_int_equal(machine_slot(writer, slot), 0xFA);
	machine_destroy(reader);
	machine_destroy(writer);
	shared_unref(memory);
	isa_destroy(isa);
}

static void what_cannot_be_mapped(void **state)
{
	SharedMemory *memory = shared_create("box", 8);
	Isa *isa = load_isa();
	Machine *machine = create(isa, NULL, 0);
	MachineWindow window = {.space = 0, .address = 0x10, .cells = 4, .memory = memory, .readable = true};

	(void)state;
	assert_int_equal(machine_map_shared(machine, &window), STATUS_OK);
	window.address = 0x13;
	assert_int_equal(machine_map_shared(machine, &window), STATUS_INVALID); /* overlaps */
	window.address = 0x20;
	window.cells = 5;
	assert_int_equal(machine_map_shared(machine, &window), STATUS_RANGE); /* 10 bytes of 8 */
	window.cells = 4;
	window.offset = 2;
	assert_int_equal(machine_map_shared(machine, &window), STATUS_RANGE);
	window.offset = ~(u64)0;
	assert_int_equal(machine_map_shared(machine, &window), STATUS_RANGE);
	window = (MachineWindow){.space = 0, .address = 0xFFFE, .cells = 4, .memory = memory};
	assert_int_equal(machine_map_shared(machine, &window), STATUS_RANGE);
	window.space = 9;
	assert_int_equal(machine_map_shared(machine, &window), STATUS_NOT_FOUND);
	/* Code is not fetched through a window, also when it stood there before. */
	machine_write(machine, 0, 0x100, STOP0);
	assert_int_equal(machine_run(machine, 1).kind, STOP_HALT);
	window = (MachineWindow){.space = 0, .address = 0x100, .cells = 1, .memory = memory, .readable = true};
	shared_bytes(memory)[1] = 0xA0;
	assert_int_equal(machine_map_shared(machine, &window), STATUS_OK);
	machine_set_pc(machine, 0x100);
	assert_int_equal(machine_run(machine, 1).kind == STOP_HALT, 0);
	machine_destroy(machine);
	shared_unref(memory);
	isa_destroy(isa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_shapes_of_the_same_bytes),
		cmocka_unit_test(rights_and_byte_order),
		cmocka_unit_test(what_cannot_be_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
