/* SPDX-License-Identifier: MIT
 *
 * Any memory image on the LC-3 in any profile: up to 10000 instructions in slices, with input. Whatever the program does, the
 * clock is exact, and a second machine that is restored from a snapshot taken on the way ends in the same state.
 *
 *     byte 0: profile, length of a slice | byte 1: bytes of input (from the end) | words, big-endian, from x3000 on;
 *     what does not fit there goes to x0000
 */
#include <string.h>

#include "fuzz_machine.h"

enum { INSNS = 10000, ORIGIN = 0x3000, WORDS = 0x10000 };

static void feed(Machine *machine, const u8 *input, size_t len)
{
	machine_input(machine, input, len);
	machine_input_end(machine);
}

/* Runs until `end` on the clock or until the guest stops for good. */
static void run_to(Machine *machine, u64 end, u64 slice)
{
	while (machine_icount(machine) < end) {
		u64 left = end - machine_icount(machine);
		MachineStop stop = fuzz_run(machine, left < slice ? left : slice);

		if (stop.kind != STOP_BUDGET && stop.kind != STOP_FRAME)
			return;
	}
}

static void compare(Machine *a, Machine *b)
{
	Buf one, two;

	buf_init(&one);
	buf_init(&two);
	if (machine_snapshot(a, &one) != STATUS_OK || machine_snapshot(b, &two) != STATUS_OK)
		fuzz_fail("no snapshot");
	if (one.len != two.len || memcmp(one.data, two.data, one.len) != 0)
		fuzz_fail("a restored machine went another way");
	buf_fini(&one);
	buf_fini(&two);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const char *const profiles[] = {"v3", "classic", "tiny"};
	static Isa *isas[3];
	Machine *machine, *twin;
	size_t input, words;
	Buf snapshot;
	unsigned profile;
	u64 slice, total;

	if (size < 2)
		return 0;
	profile = data[0] % 3;
	slice = 1 + (u64)(data[0] / 3) * (data[0] / 3) * (data[0] / 3) / 30;
	total = 24 * slice < INSNS ? 24 * slice : INSNS; /* short slices are slow: fewer of them */
	input = data[1] < size - 2 ? data[1] : size - 2;
	words = (size - 2 - input) / 2;
	if (!isas[profile])
		isas[profile] = fuzz_lc3(profiles[profile]);
	machine = fuzz_machine(isas[profile]);
	twin = fuzz_machine(isas[profile]);
	machine_reset(machine, false);
	for (size_t i = 0; i < words && i < WORDS; i++)
		machine_write(machine, isas[profile]->code_space, (ORIGIN + i) % WORDS,
			      (u64)data[2 + 2 * i] << 8 | data[3 + 2 * i]);
	machine_set_pc(machine, ORIGIN);
	feed(machine, data + size - input, input);
	run_to(machine, total / 2, slice);
	buf_init(&snapshot);
	if (machine_snapshot(machine, &snapshot) != STATUS_OK ||
	    machine_restore(twin, snapshot.data, snapshot.len) != STATUS_OK)
		fuzz_fail("a machine's own snapshot is refused");
	buf_fini(&snapshot);
	run_to(machine, total, slice);
	run_to(twin, total, INSNS);
	compare(machine, twin);
	machine_destroy(machine);
	machine_destroy(twin);
	return 0;
}
