/* SPDX-License-Identifier: MIT
 *
 * Snapshots from anywhere. Noise never gets past the checksum, so the input is a list of changes to a good snapshot:
 *
 *     u8 kind | u16 offset | u8 value      kind 0: set the byte, 1: add to it, 2: cut off at offset, 3: insert
 *
 * and the length and the checksum are put right again before it is restored. A refused one must leave the machine as
 * it was; an accepted one must run and give a snapshot that is accepted again.
 */
#include <string.h>

#include "fuzz_machine.h"
#include "machine/vcpus.h"

enum { LENGTH_AT = 12, HEAD_BYTES = 20, CHECK_BYTES = 8 };

static void put_u64(u8 *at, u64 value)
{
	for (unsigned i = 0; i < 8; i++)
		at[i] = (u8)(value >> (8 * i));
}

static void seal(Buf *bytes)
{
	u64 hash = 0xCBF29CE484222325u; /* docs/snapshot-format.md: FNV-1a over all bytes before it */

	if (bytes->len < HEAD_BYTES + CHECK_BYTES)
		return;
	put_u64(bytes->data + LENGTH_AT, bytes->len);
	for (size_t i = 0; i < bytes->len - CHECK_BYTES; i++)
		hash = (hash ^ bytes->data[i]) * 0x100000001B3u;
	put_u64(bytes->data + bytes->len - CHECK_BYTES, hash);
}

static void change(Buf *bytes, ByteReader *changes)
{
	u8 kind = reader_u8(changes);
	size_t offset = reader_u16(changes);
	u8 value = reader_u8(changes);

	if (changes->bad || offset >= bytes->len)
		return;
	switch (kind % 4) {
	case 0: bytes->data[offset] = value; break;
	case 1: bytes->data[offset] = (u8)(bytes->data[offset] + value); break;
	case 2: bytes->len = offset; break;
	default:
		buf_byte(bytes, 0);
		memmove(bytes->data + offset + 1, bytes->data + offset, bytes->len - 1 - offset);
		bytes->data[offset] = value;
		break;
	}
}

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
		change(&bytes, &changes);
	if (size % 8)
		seal(&bytes);
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
