/* SPDX-License-Identifier: MIT
 *
 * Snapshots of a box: a TinyVM whose threads hold locks and sleep, and an LC-3 with vCPUs that writes into a window. A
 * refused one must leave the box as it was; an accepted one must run, and its own snapshot must be accepted again.
 *
 *     byte 0: how far the box has run, byte 1: bit 0: box or the TinyVM alone | changes (fuzz_change.h)
 */
#include "box/box.h"
#include "fuzz_change.h"
#include "fuzz_machine.h"
#include "machine/vcpus.h"

static const char threads[] = "function sell\nlock office\nsetshared sold 1\nsleep 10\nprint sold\nunlock office\nexit\n\n"
			      "function main\nasync sell\nasync sell\nset front 40\nlock door\nsleep 5\nadd s front front\n"
			      "print s\nunlock door\nexit\n";
static const u16 writer[] = {0x2005 /* LD R0, +5 */, 0x1261 /* ADD R1, R1, 1 */, 0x7200 /* STR R1, R0 */,
			     0x6400 /* LDR R2, R0 */, 0x0FFC /* BR -4 */, 0, 0x4000};

typedef struct Rig {
	Machine *threads, *writer;
	SharedMemory *memory;
	Box *box;
} Rig;

static const Isa *tinyvm(const Guest *guest, Buf *object)
{
	GuestFile text = {.name = "fuzz.tvm", .data = (const u8 *)threads, .len = sizeof threads - 1};
	DiagList diags;
	Isa *isa;

	diag_init(&diags);
	isa = isa_load("tinyvm", guest->isa_text, strlen(guest->isa_text), NULL, 0, &diags);
	if (!isa || guest->languages[0].compile(&text, isa, object, NULL, &diags) != STATUS_OK || diags.errors)
		fuzz_fail("the TinyVM's program does not compile");
	diag_fini(&diags);
	return isa;
}

static void rig_init(Rig *rig)
{
	static const Isa *isa, *lc3;
	static Buf object;
	const Guest *guest = guests_find("tinyvm");
	MachineConfig config = {.guest = guest, .random_seed = 1, .quantum = 5, .memory_limit = 64 << 20};
	MachineWindow window = {.address = 0x4000, .cells = 4, .readable = true, .writable = true};
	GuestFile file;
	u32 number;

	if (!isa) {
		buf_init(&object);
		isa = tinyvm(guest, &object);
		lc3 = fuzz_lc3("tiny");
	}
	config.isa = isa;
	file = (GuestFile){.name = "fuzz.tvm", .data = object.data, .len = object.len};
	if (machine_create(&config, &rig->threads, NULL) || guest->load(rig->threads, &file, 1, NULL))
		fuzz_fail("no TinyVM");
	rig->writer = fuzz_machine(lc3);
	machine_reset(rig->writer, false);
	rig->memory = shared_create("m", 8);
	rig->box = box_create(20, 0);
	window.memory = rig->memory;
	if (!rig->memory || !rig->box || box_add_memory(rig->box, rig->memory) ||
	    machine_map_shared(rig->writer, &window) || box_add_core(rig->box, "threads", rig->threads, 0) ||
	    box_add_core(rig->box, "writer", rig->writer, 3000))
		fuzz_fail("no box");
	for (u32 i = 0; i < sizeof writer / sizeof *writer; i++)
		machine_write(rig->writer, 0, 0x3000 + i, writer[i]);
	machine_set_pc(rig->writer, 0x3000);
	machine_vcpu_add(rig->writer, &number);
}

static void rig_fini(Rig *rig)
{
	box_destroy(rig->box);
	machine_destroy(rig->threads);
	machine_destroy(rig->writer);
	shared_unref(rig->memory);
}

static Status snapshot(const Rig *rig, bool whole, Buf *out)
{
	buf_clear(out);
	return whole ? box_snapshot(rig->box, out) : machine_snapshot(rig->threads, out);
}

static Status restore(Rig *rig, bool whole, const Buf *bytes)
{
	return whole ? box_restore(rig->box, bytes->data, bytes->len)
		     : machine_restore(rig->threads, bytes->data, bytes->len);
}

/* The checksums of a box's parts, as far as its sizes can be believed, then its own. */
static void seal_box(Buf *bytes)
{
	ByteReader in = {bytes->data, bytes->len, 0, false};
	u64 hash = 0xCBF29CE484222325u;

	reader_bytes(&in, 8 + 3 * 8 + 3 * 4 + 8 + 8);
	for (u32 i = 0; i < 2 && !in.bad; i++) {
		const u8 *part;
		Buf copy;
		u64 size;

		reader_bytes(&in, 64 + 8 + 4 * 8 + 4);
		size = reader_u64(&in);
		part = reader_bytes(&in, size);
		if (!part || in.bad)
			break;
		buf_init(&copy);
		buf_add(&copy, part, size);
		fuzz_seal(&copy);
		memcpy(bytes->data + (part - bytes->data), copy.data, size);
		buf_fini(&copy);
	}
	for (size_t i = 0; i + 8 < bytes->len; i++)
		hash = (hash ^ bytes->data[i]) * 0x100000001B3u;
	if (bytes->len >= 8)
		fuzz_put_u64(bytes->data + bytes->len - 8, hash);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	ByteReader changes = {data, size, 2, false};
	bool whole;
	Rig rig;
	Buf before, bytes, after;

	if (size < 2)
		return 0;
	whole = data[1] & 1;
	rig_init(&rig);
	box_run(rig.box, data[0] * 3u);
	buf_init(&before);
	buf_init(&bytes);
	buf_init(&after);
	if (snapshot(&rig, whole, &before))
		fuzz_fail("no snapshot");
	buf_add(&bytes, before.data, before.len);
	while (!changes.bad && changes.at < size && bytes.len < before.len + 1024)
		fuzz_change(&bytes, &changes);
	if (whole)
		seal_box(&bytes);
	else
		fuzz_seal(&bytes);
	if (restore(&rig, whole, &bytes) != STATUS_OK) {
		if (snapshot(&rig, whole, &after) || after.len != before.len ||
		    memcmp(after.data, before.data, after.len) != 0)
			fuzz_fail("a refused snapshot changed the box");
	} else {
		const u64 count = box_icount(rig.box);

		box_run(rig.box, 3000);
		if (box_icount(rig.box) - count > 3000)
			fuzz_fail("more was run than there is fuel");
		if (snapshot(&rig, whole, &after) || restore(&rig, whole, &after))
			fuzz_fail("a box's own snapshot is refused");
	}
	buf_fini(&before);
	buf_fini(&bytes);
	buf_fini(&after);
	rig_fini(&rig);
	return 0;
}
