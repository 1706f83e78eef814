/* SPDX-License-Identifier: MIT
 *
 * A box as bytes (little-endian):
 *
 *     "HUSKBOX1" | u64 icount, skipped, left | u32 turn, cores, memories
 *     per memory: u64 size, bytes
 *     per core:   64 bytes name | u32 state, stop kind | u64 stop pc, code, address, wake | u16 stop space, u16 write |
 *                 u64 size, snapshot of the machine (docs/snapshot-format.md)
 *     u64 checksum of everything before (FNV-1a)
 *
 * All or nothing: before anything is restored the present state is snapshotted; should a core refuse, all go back to it.
 */
#include <string.h>

#include "base/hash.h"
#include "box/box.h"
#include "box/box_private.h"

#define MAGIC "HUSKBOX1"

Status box_snapshot(const Box *box, Buf *out)
{
	size_t start = out->len;
	Buf one;

	buf_add(out, MAGIC, 8);
	buf_u64(out, box->icount);
	buf_u64(out, box->skipped);
	buf_u64(out, box->left);
	buf_u32(out, box->turn);
	buf_u32(out, box->core_count);
	buf_u32(out, box->memory_count);
	for (u32 i = 0; i < box->memory_count; i++) {
		buf_u64(out, shared_size(box->memories[i]));
		buf_add(out, shared_bytes(box->memories[i]), shared_size(box->memories[i]));
	}
	for (u32 i = 0; i < box->core_count; i++) {
		const BoxCore *core = &box->cores[i];
		Status status;

		buf_add(out, core->name, sizeof core->name);
		buf_u32(out, core->state);
		buf_u32(out, core->stop.kind);
		buf_u64(out, core->stop.pc);
		buf_u64(out, core->stop.code);
		buf_u64(out, core->stop.address);
		buf_u64(out, core->wake);
		buf_u16(out, core->stop.space);
		buf_u16(out, core->stop.write);
		buf_init(&one);
		status = machine_snapshot(core->machine, &one);
		buf_u64(out, one.len);
		buf_add(out, one.data, one.len);
		buf_fini(&one);
		if (status)
			return status;
	}
	if (out->failed)
		return STATUS_NOMEM;
	buf_u64(out, hash_bytes(HASH_START, out->data + start, out->len - start));
	return out->failed ? STATUS_NOMEM : STATUS_OK;
}

/* What was read, not applied yet. */
typedef struct Saved {
	BoxCore cores[BOX_CORES];
	const u8 *machines[BOX_CORES], *memories[BOX_MEMORIES];
	size_t sizes[BOX_CORES];
	u64 icount, skipped, left;
	u32 turn;
} Saved;

static Status read_core(const Box *box, ByteReader *in, Saved *saved, u32 i)
{
	BoxCore *core = &saved->cores[i];
	const u8 *name = reader_bytes(in, sizeof core->name);

	if (!name)
		return STATUS_TRUNCATED;
	if (memcmp(name, box->cores[i].name, sizeof core->name) != 0)
		return STATUS_MISMATCH;
	*core = box->cores[i];
	core->state = (CoreState)reader_u32(in);
	core->stop = (MachineStop){.kind = (StopKind)reader_u32(in)};
	core->stop.pc = reader_u64(in);
	core->stop.code = reader_u64(in);
	core->stop.address = reader_u64(in);
	core->wake = reader_u64(in);
	core->stop.space = reader_u16(in);
	core->stop.write = reader_u16(in);
	core->stop.text = "";
	saved->sizes[i] = reader_u64(in);
	saved->machines[i] = reader_bytes(in, saved->sizes[i]);
	if (in->bad)
		return STATUS_TRUNCATED;
	if (core->state > CORE_NO_FUEL || core->stop.kind > STOP_ERROR ||
	    core->stop.space >= machine_isa(core->machine)->space_count)
		return STATUS_CORRUPT;
	return STATUS_OK;
}

static Status read_all(const Box *box, const u8 *bytes, size_t len, Saved *saved)
{
	ByteReader in;
	Status status;

	if (len < 8 || memcmp(bytes, MAGIC, 8) != 0)
		return STATUS_FORMAT;
	if (len < 16)
		return STATUS_TRUNCATED;
	in = (ByteReader){.data = bytes, .len = len - 8};
	reader_bytes(&in, 8);
	saved->icount = reader_u64(&in);
	saved->skipped = reader_u64(&in);
	saved->left = reader_u64(&in);
	saved->turn = reader_u32(&in);
	if (reader_u32(&in) != box->core_count || reader_u32(&in) != box->memory_count)
		return in.bad ? STATUS_TRUNCATED : STATUS_MISMATCH;
	for (u32 i = 0; i < box->memory_count; i++) {
		u64 size = reader_u64(&in);

		if (in.bad)
			return STATUS_TRUNCATED;
		if (size != shared_size(box->memories[i]))
			return STATUS_MISMATCH;
		saved->memories[i] = reader_bytes(&in, size);
	}
	for (u32 i = 0; i < box->core_count; i++) {
		status = in.bad ? STATUS_TRUNCATED : read_core(box, &in, saved, i);
		if (status)
			return status;
	}
	if (in.bad)
		return STATUS_TRUNCATED;
	if (in.at != in.len || saved->left > box->quantum || saved->turn >= (box->core_count ? box->core_count : 1))
		return STATUS_CORRUPT;
	in = (ByteReader){.data = bytes + len - 8, .len = 8};
	return reader_u64(&in) == hash_bytes(HASH_START, bytes, len - 8) ? STATUS_OK : STATUS_CORRUPT;
}

/* The machines' present states, so that a refusal in the middle can be undone. */
static Status keep(const Box *box, Buf *kept, size_t *ends)
{
	for (u32 i = 0; i < box->core_count; i++) {
		Status status = machine_snapshot(box->cores[i].machine, kept);

		if (status)
			return status;
		ends[i] = kept->len;
	}
	return kept->failed ? STATUS_NOMEM : STATUS_OK;
}

Status box_restore(Box *box, const u8 *bytes, size_t len)
{
	Saved saved;
	size_t ends[BOX_CORES];
	Status status = read_all(box, bytes, len, &saved);
	Buf kept;

	if (status)
		return status;
	buf_init(&kept);
	status = keep(box, &kept, ends);
	for (u32 i = 0; i < box->core_count && !status; i++) {
		status = machine_restore(box->cores[i].machine, saved.machines[i], saved.sizes[i]);
		for (u32 k = 0; status && k < i; k++) {
			size_t start = k ? ends[k - 1] : 0;

			machine_restore(box->cores[k].machine, kept.data + start, ends[k] - start);
		}
	}
	buf_fini(&kept);
	if (status)
		return status;
	for (u32 i = 0; i < box->memory_count; i++)
		memcpy(shared_bytes(box->memories[i]), saved.memories[i], shared_size(box->memories[i]));
	memcpy(box->cores, saved.cores, sizeof box->cores[0] * box->core_count);
	box->icount = saved.icount;
	box->skipped = saved.skipped;
	box->left = saved.left;
	box->turn = saved.turn;
	return STATUS_OK;
}
