/* SPDX-License-Identifier: MIT
 *
 * Snapshots from anywhere: the input is a list of changes to a good one (fuzz_change.h); the length and the checksum are
 * put right again before it is restored. A refused one must leave the machine as
 * it was; an accepted one must run and give a snapshot that is accepted again.
 */
#include <string.h>

#include "fuzz_change.h"
#include "fuzz_machine.h"
#include "machine/vcpus.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static Isa *isa;
	ByteReader changes = {data, size, 0, false};
	Machine *machine;
	Buf before, bytes, after;
	u32 number;

	if (!isa)
		isa = fuzz_lc3("v3");
	machine = fuzz_machine(isa);
	machine_reset(machine, false);
	machine_input(machine, (const u8 *)"abc", 3);
	for (size_t i = 0; i < size % 5; i += 2) /* one or two more vCPUs, or none */
		machine_vcpu_add(machine, &number);
	fuzz_run(machine, size % 300);
	buf_init(&before);
	buf_init(&bytes);
	buf_init(&after);
	if (machine_snapshot(machine, &before) != STATUS_OK)
		fuzz_fail("no snapshot");
	buf_add(&bytes, before.data, before.len);
	while (!changes.bad && changes.at < size && bytes.len < before.len + 1024)
		fuzz_change(&bytes, &changes);
	if (size % 8)
		fuzz_seal(&bytes);
	if (machine_restore(machine, bytes.data, bytes.len) != STATUS_OK) {
		if (machine_snapshot(machine, &after) != STATUS_OK || after.len != before.len ||
		    memcmp(after.data, before.data, after.len) != 0)
			fuzz_fail("a refused snapshot changed the machine");
	} else {
		fuzz_run(machine, 1000);
		if (machine_snapshot(machine, &after) != STATUS_OK ||
		    machine_restore(machine, after.data, after.len) != STATUS_OK)
			fuzz_fail("a machine's own snapshot is refused");
	}
	buf_fini(&before);
	buf_fini(&bytes);
	buf_fini(&after);
	machine_destroy(machine);
	return 0;
}
