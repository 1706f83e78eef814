/* SPDX-License-Identifier: MIT
 *
 * Snapshots: bytes become the state of a machine (docs/snapshot-format.md; snapshot.c writes them).
 *
 * Bytes to restore come from anywhere. Reading goes over them twice with the same function: the first time nothing
 * is changed and everything is checked, the second time the values are put in. So a refused snapshot leaves the
 * machine as it was. Between the two only the sizes of spaces are set, and set back when memory runs out. The vCPUs
 * stand last and are read once, into records of their own, which take the place of the old ones at the end.
 */
#include "machine/snapshot_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/hash.h"

/* ---- The head ---- */

/* Magic, version, length, checksum; then the reader stands at the body. */
static Status open_body(const u8 *bytes, size_t len, ByteReader *body)
{
	ByteReader reader = { .data = bytes, .len = len };
	const u8 *magic = reader_bytes(&reader, 8);
	u32 version = reader_u32(&reader);
	u64 total = reader_u64(&reader);

	if (magic ? memcmp(magic, MACHINE_SNAPSHOT_MAGIC, 8) != 0 : len && memcmp(bytes, MACHINE_SNAPSHOT_MAGIC, len) != 0)
		return STATUS_FORMAT;
	if (reader.bad)
		return STATUS_TRUNCATED;
	if (version != MACHINE_SNAPSHOT_VERSION)
		return STATUS_MISMATCH;
	if (total < SNAPSHOT_HEAD_BYTES + SNAPSHOT_CHECK_BYTES)
		return STATUS_CORRUPT;
	if (total != len)
		return total > len ? STATUS_TRUNCATED : STATUS_CORRUPT;
	reader.at = len - SNAPSHOT_CHECK_BYTES;
	if (reader_u64(&reader) != hash_bytes(HASH_START, bytes, len - SNAPSHOT_CHECK_BYTES))
		return STATUS_CORRUPT;
	*body = (ByteReader){ .data = bytes, .len = len - SNAPSHOT_CHECK_BYTES, .at = SNAPSHOT_HEAD_BYTES };
	return STATUS_OK;
}

static bool read_text(ByteReader *reader, char *out, size_t cap)
{
	u16 len = reader_u16(reader);
	const u8 *bytes = reader_bytes(reader, len);

	out[0] = 0;
	if (!bytes || len >= cap || memchr(bytes, 0, len))
		return false;
	memcpy(out, bytes, len);
	out[len] = 0;
	return true;
}

static bool read_head(ByteReader *reader, SnapshotHead *head)
{
	bool fine = read_text(reader, head->guest, sizeof(head->guest)) &&
		    read_text(reader, head->isa, sizeof(head->isa)) &&
		    read_text(reader, head->choices, sizeof(head->choices));

	head->isa_hash = reader_u64(reader);
	return fine && !reader->bad;
}

Status machine_snapshot_head(const u8 *bytes, size_t len, SnapshotHead *out)
{
	ByteReader reader;
	Status status = open_body(bytes, len, &reader);

	memset(out, 0, sizeof(*out));
	if (status == STATUS_OK || status == STATUS_MISMATCH)
		memcpy(&out->version, bytes + SNAPSHOT_VERSION_AT, sizeof(out->version));
	if (status)
		return status;
	return read_head(&reader, out) ? STATUS_OK : STATUS_CORRUPT;
}

static bool cells_fit(const u8 *bytes, u64 count, const Space *space)
{
	u64 mask = bits_mask(space->cell_bits);

	if (space->cell_bits == 8u << space->cell_shift)
		return true;
	for (u64 i = 0; i < count; i++) {
		u64 value = 0;

		memcpy(&value, bytes + (i << space->cell_shift), (size_t)1 << space->cell_shift);
		if (value & ~mask)
			return false;
	}
	return true;
}

/* The runs of one space. They must come in ascending order and lie inside its cells. */
static Status read_cells(ByteReader *reader, Space *space, u64 cells, bool apply)
{
	u64 next = 0;

	if (apply)
		space_clear(space);
	for (;;) {
		u64 first = reader_u64(reader);
		u32 count = reader_u32(reader);
		const u8 *bytes;

		if (reader->bad)
			return STATUS_CORRUPT;
		if (!count)
			return first == cells ? STATUS_OK : STATUS_CORRUPT;
		if (first < next || first >= cells || count > cells - first)
			return STATUS_CORRUPT;
		bytes = reader_bytes(reader, (size_t)count << space->cell_shift);
		if (!bytes || !cells_fit(bytes, count, space))
			return STATUS_CORRUPT;
		if (apply)
			memcpy(space->base + ((size_t)first << space->cell_shift), bytes,
			       (size_t)count << space->cell_shift);
		next = first + count;
	}
}

typedef struct Schedule {
	u32 turns, running;
	u64 quantum, instruction_ns, time, jitter_state, quantum_left, next_serial, last_code;
	u8 flags;
} Schedule;

/* What a snapshot brings that takes the place of what is there, on its way into the machine. */
typedef struct Arrivals {
	Schedule schedule;
	VcpuRecord *records; /* owned */
	u32 count;
	Aspace *aspaces;     /* owned */
	u32 aspace_count;
	size_t behind_pages; /* where the reader stands when it has read them */
	const u8 *guest;     /* what guest->save gave */
	u64 guest_len;
	ByteReader handles;  /* stands at the open files */
} Arrivals;

/* *bytes: what the spaces take. */
static Status read_spaces(Machine *machine, ByteReader *reader, u64 *sizes, Arrivals *arrivals, bool apply, u64 *bytes)
{
	u64 total = 0;

	if (reader_u32(reader) != machine->vcpu.space_count - machine->private_count)
		return STATUS_CORRUPT;
	for (u32 i = 0; i < machine->vcpu.space_count; i++) {
		Space *space = &machine->vcpu.spaces[i];
		char name[256];
		u64 cells;
		Status status;

		sizes[i] = space->cells;
		if (machine_private_index(machine, (u16)i) < machine->private_count)
			continue;
		if (!read_text(reader, name, sizeof(name)) || strcmp(name, space->name) != 0 ||
		    reader_u8(reader) != space->cell_bits)
			return STATUS_CORRUPT;
		cells = reader_u64(reader);
		if (reader->bad || (space->wraps && cells != space->cells))
			return STATUS_CORRUPT;
		if (space->paged) {
			u64 left = machine->memory_limit - total;

			if (cells != space->cells)
				return STATUS_MISMATCH;
			sizes[i] = cells;
			if (apply) { /* they have been read: on to the place behind them */
				reader->at = arrivals->behind_pages;
				continue;
			}
			status = machine_read_pages(machine, reader, &arrivals->aspaces, &arrivals->aspace_count, &left);
			if (status)
				return status;
			arrivals->behind_pages = reader->at;
			total = machine->memory_limit - left;
			continue;
		}
		if (cells > space->max_cells || cells > (machine->memory_limit - total) >> space->cell_shift)
			return STATUS_TOO_BIG;
		total += cells << space->cell_shift;
		sizes[i] = cells;
		status = read_cells(reader, space, cells, apply);
		if (status)
			return status;
	}
	*bytes = total;
	return STATUS_OK;
}

/* *left: bytes that the spaces leave free, and then the tables, too. */
static Status read_tables(Machine *machine, ByteReader *reader, u64 *left, bool apply)
{
	if (reader_u32(reader) != machine->table_count)
		return STATUS_CORRUPT;
	for (u32 i = 0; i < machine->table_count; i++) {
		const IsaTable *shape = &machine->isa->tables[i];
		u64 rows = reader_u64(reader), bytes;
		Status status;

		if (reader->bad)
			return STATUS_CORRUPT;
		if (rows > MACHINE_TABLE_ROWS || rows * shape->column_count * sizeof(u64) > *left)
			return STATUS_TOO_BIG;
		bytes = rows * shape->column_count * sizeof(u64);
		if (bytes > reader->len - reader->at)
			return STATUS_CORRUPT;
		*left -= bytes;
		status = apply ? STATUS_OK : machine_table_reserve(machine, (u16)i, rows); /* as for the console */
		if (status)
			return status;
		if (apply)
			machine_table_resize(machine, (u16)i, rows);
		for (u64 k = 0; k < rows * shape->column_count; k++) {
			u64 value = reader_u64(reader);

			if (value != bits_trunc(value, shape->widths[k % shape->column_count]))
				return STATUS_CORRUPT;
			if (apply)
				machine->tables[i].cells[k] = value;
		}
	}
	return reader->bad ? STATUS_CORRUPT : STATUS_OK;
}

static Status read_console(Machine *machine, ByteReader *reader, bool ended, u64 input_total, bool apply)
{
	u64 waiting = reader_u64(reader);
	const u8 *bytes;

	if (reader->bad || waiting > MACHINE_INPUT_MAX || waiting > input_total)
		return STATUS_CORRUPT;
	bytes = reader_bytes(reader, (size_t)waiting);
	if (reader->bad)
		return STATUS_CORRUPT;
	if (!apply) { /* find the room now, so that putting it in cannot fail */
		u64 have = machine->input_len - machine->input_at;

		return waiting <= have || machine_input_room(machine, (size_t)(waiting - have)) ? STATUS_OK : STATUS_NOMEM;
	}
	machine->input_at = 0;
	machine->input_len = (size_t)waiting;
	if (waiting)
		memcpy(machine->input, bytes, (size_t)waiting);
	machine->input_ended = ended;
	machine->input_total = input_total;
	return STATUS_OK;
}

static bool slot_is_possible(const Machine *machine, u32 slot, u64 value)
{
	u64 mask = machine->slot_mask[slot];

	return mask ? (value & ~mask) == 0 : value == machine->slot_reset[slot];
}

/* ---- Reading: who runs when ---- */


static bool read_schedule(ByteReader *reader, Schedule *out)
{
	out->turns = reader_u32(reader);
	out->quantum = reader_u64(reader);
	out->flags = reader_u8(reader);
	out->instruction_ns = reader_u64(reader);
	out->time = reader_u64(reader);
	out->jitter_state = reader_u64(reader);
	out->quantum_left = reader_u64(reader);
	out->running = reader_u32(reader);
	out->next_serial = reader_u64(reader);
	out->last_code = reader_u64(reader);
	return !reader->bad && out->turns <= MACHINE_TURNS + MACHINE_VCPU_MAX && out->quantum &&
	       out->quantum <= (u64)1 << 62 && !(out->flags & ~(SNAPSHOT_JITTER | SNAPSHOT_VIRTUAL | SNAPSHOT_ALONE | SNAPSHOT_MOVED)) &&
	       out->quantum_left <= 2 * out->quantum && out->next_serial <= (u64)1 << 62;
}

static void apply_schedule(Machine *machine, const Schedule *schedule)
{
	machine->turns = schedule->turns;
	machine->quantum = schedule->quantum;
	machine->jitter = schedule->flags & SNAPSHOT_JITTER;
	machine->virtual_time = schedule->flags & SNAPSHOT_VIRTUAL;
	machine->instruction_ns = schedule->instruction_ns;
	machine->time = schedule->time;
	machine->jitter_rng.state = schedule->jitter_state;
	machine->quantum_end = machine->vcpu.icount + schedule->quantum_left;
	machine->running = schedule->running;
	machine->next_serial = schedule->next_serial;
	machine->last_code = schedule->last_code;
	machine->came_up = machine->vcpu.icount;
	machine->time_moved = schedule->flags & SNAPSHOT_MOVED;
}

static Status read_private_spaces(const Machine *machine, ByteReader *reader, VcpuRecord *record, u64 *left)
{
	for (u32 i = 0; i < machine->private_count; i++) {
		Space *space = &record->spaces[i];
		u64 cells = reader_u64(reader);
		Status status;

		if (reader->bad || (space->wraps && cells != space->cells))
			return STATUS_CORRUPT;
		if (cells > space->max_cells || cells > *left >> space->cell_shift)
			return STATUS_TOO_BIG;
		*left -= cells << space->cell_shift;
		status = space_resize(space, cells);
		if (!status)
			status = read_cells(reader, space, cells, true);
		if (status)
			return status;
	}
	return STATUS_OK;
}

/* Who lives, lives somewhere. */
static bool aspace_is_possible(const Machine *machine, const Arrivals *arrivals, const VcpuRecord *record)
{
	bool alive = record->state < VCPU_ENDED;
	u32 number = record->aspace;

	if (machine->paged_space == ISA_NONE)
		return number == 0;
	if (number == ASPACE_NONE)
		return !alive;
	return number < arrivals->aspace_count &&
	       (!alive || (arrivals->aspaces[number].engine && !arrivals->aspaces[number].released));
}

static Status read_vcpu(const Machine *machine, ByteReader *reader, VcpuRecord *record, const Arrivals *arrivals,
			u64 *left)
{
	u8 state = reader_u8(reader), flags = reader_u8(reader), paused = flags & SNAPSHOT_PAUSED;

	record->state = state;
	record->paused = paused;
	record->attention = flags & SNAPSHOT_ATTENTION;
	record->channel = reader_u64(reader);
	record->wake_at = reader_u64(reader);
	record->code = reader_u64(reader);
	record->serial = reader_u64(reader);
	record->icount = reader_u64(reader);
	record->aspace = reader_u32(reader);
	if (reader->bad || state > VCPU_FREE || state == VCPU_PAUSED || paused > (state < VCPU_PAUSED) ||
	    flags & ~(SNAPSHOT_PAUSED | SNAPSHOT_ATTENTION) || record->serial >= arrivals->schedule.next_serial ||
	    !aspace_is_possible(machine, arrivals, record))
		return STATUS_CORRUPT;
	for (u32 i = 0; i < machine->vcpu.slot_count; i++) {
		record->slots[i] = reader_u64(reader);
		if (reader->bad || !slot_is_possible(machine, i, record->slots[i]))
			return STATUS_CORRUPT;
	}
	return state == VCPU_FREE ? STATUS_OK : read_private_spaces(machine, reader, record, left);
}

/* `left`: bytes that are free for private spaces. */
static Status read_vcpus(const Machine *machine, ByteReader *reader, Arrivals *arrivals, u64 left)
{
	u32 slots = reader_u32(reader), spaces = reader_u32(reader), count = reader_u32(reader);

	if (reader->bad || slots != machine->vcpu.slot_count || spaces != machine->private_count || !count ||
	    arrivals->schedule.running >= count)
		return STATUS_CORRUPT;
	if (count > machine->vcpu_limit)
		return STATUS_TOO_BIG;
	arrivals->records = calloc(count, sizeof(VcpuRecord));
	if (!arrivals->records)
		return STATUS_NOMEM;
	while (arrivals->count < count) {
		VcpuRecord *record = &arrivals->records[arrivals->count++];
		Status status = machine_make_record(machine, record);

		if (!status)
			status = read_vcpu(machine, reader, record, arrivals, &left);
		if (status)
			return status;
	}
	return STATUS_OK;
}

static void drop_arrivals(const Machine *machine, Arrivals *arrivals)
{
	machine_free_records(machine, arrivals->records, arrivals->count, VCPU_NONE);
	machine_drop_aspaces(machine, arrivals->aspaces, arrivals->aspace_count);
	*arrivals = (Arrivals){ .count = 0 };
}

/* They become the machine's. */
static void move_in(Machine *machine, Arrivals *arrivals)
{
	u32 shown = machine->shown;

	for (u32 i = 0; i < machine->private_count; i++) /* all go away, the one that is shown, too */
		machine->vcpus[shown].spaces[i] = machine->vcpu.spaces[machine->private_spaces[i]];
	machine_free_records(machine, machine->vcpus, machine->vcpu_count, VCPU_NONE);
	machine->vcpus = arrivals->records;
	machine->vcpu_count = machine->vcpu_cap = arrivals->count;
	arrivals->records = NULL;
	arrivals->count = 0;
	machine_count_vcpus(machine);
	apply_schedule(machine, &arrivals->schedule);
	machine->shown = machine->running;
	machine->vcpu.slots = machine->vcpus[machine->shown].slots;
	for (u32 i = 0; i < machine->private_count; i++)
		machine->vcpu.spaces[machine->private_spaces[i]] = machine->vcpus[machine->shown].spaces[i];
	if (machine->paged_space != ISA_NONE)
		machine_move_in_pages(machine, arrivals->aspaces, arrivals->aspace_count,
				      machine->vcpus[machine->shown].aspace);
	arrivals->aspaces = NULL;
	arrivals->aspace_count = 0;
	machine->alone = arrivals->schedule.flags & SNAPSHOT_ALONE && machine_is_alone(machine);
	machine->wants_channel = false;
}

static Status read_body(Machine *machine, ByteReader *reader, u64 *sizes, Arrivals *arrivals, bool apply)
{
	SnapshotHead head;
	u64 icount, rng, output_total, input_total, idle_polls, private_size, space_bytes = 0, left;
	u32 phase;
	u8 flags;
	const u8 *private_bytes;
	Status status;

	if (!read_head(reader, &head))
		return STATUS_CORRUPT;
	if (head.isa_hash != machine->isa->hash || strcmp(head.isa, machine->isa->name) != 0 ||
	    strcmp(head.guest, machine->guest ? machine->guest->name : "") != 0)
		return STATUS_MISMATCH;
	icount = reader_u64(reader);
	phase = reader_u32(reader);
	if (!read_schedule(reader, &arrivals->schedule))
		return STATUS_CORRUPT;
	rng = reader_u64(reader);
	output_total = reader_u64(reader);
	input_total = reader_u64(reader);
	idle_polls = reader_u64(reader);
	flags = reader_u8(reader);
	if (reader->bad || phase > machine->step_count || idle_polls >= MACHINE_IDLE_LIMIT || (flags & ~SNAPSHOT_INPUT_ENDED))
		return STATUS_CORRUPT;
	status = read_console(machine, reader, flags & SNAPSHOT_INPUT_ENDED, input_total, apply);
	if (status)
		return status;
	private_size = reader_u64(reader);
	if (reader->bad || private_size != snapshot_plain_private(machine))
		return STATUS_CORRUPT;
	private_bytes = reader_bytes(reader, private_size);
	if (reader->bad)
		return STATUS_CORRUPT;
	status = read_spaces(machine, reader, sizes, arrivals, apply, &space_bytes);
	left = machine->memory_limit - space_bytes;
	if (!status)
		status = read_tables(machine, reader, &left, apply);
	if (status)
		return status;
	if (apply) {
		if (private_size)
			memcpy(machine->private_bytes, private_bytes, private_size);
		machine->vcpu.icount = icount;
		machine->phase = phase;
		machine->rng.state = rng;
		machine->output_total = output_total;
		machine->idle_polls = idle_polls;
		return STATUS_OK;
	}
	status = read_vcpus(machine, reader, arrivals, left);
	if (status)
		return status;
	arrivals->guest_len = reader_u64(reader);
	if (!reader->bad)
		arrivals->guest = reader_bytes(reader, (size_t)arrivals->guest_len);
	if (arrivals->guest_len && !(machine->guest && machine->guest->restore))
		return STATUS_CORRUPT;
	arrivals->handles = *reader;
	status = reader->bad ? STATUS_CORRUPT : machine_read_handles(machine, reader, false);
	return status || (!reader->bad && reader->at == reader->len) ? status : STATUS_CORRUPT;
}

/* Gives every space its size, or leaves all as they were. */
static Status resize_spaces(Machine *machine, const u64 *sizes, u64 *before)
{
	for (u32 i = 0; i < machine->vcpu.space_count; i++) {
		Space *space = &machine->vcpu.spaces[i];
		Status status = STATUS_OK;

		before[i] = space->cells;
		if (sizes[i] > space->cells)
			status = space_resize(space, sizes[i]);
		if (status) {
			while (i--)
				space_resize(&machine->vcpu.spaces[i], before[i]);
			return status;
		}
	}
	for (u32 i = 0; i < machine->vcpu.space_count; i++)
		if (sizes[i] < machine->vcpu.spaces[i].cells)
			space_resize(&machine->vcpu.spaces[i], sizes[i]);
	return STATUS_OK;
}

/* *refused: all is in place, but the guest can't make sense of its part. */
static Status restore(Machine *machine, const u8 *bytes, size_t len, bool *refused)
{
	ByteReader reader, again;
	Arrivals arrivals = { .count = 0 };
	u64 *sizes;
	Status status = snapshot_is_possible(machine) ? open_body(bytes, len, &reader) : STATUS_UNSUPPORTED;

	if (status)
		return status;
	sizes = calloc(2 * (size_t)machine->vcpu.space_count + 1, sizeof(u64));
	if (!sizes)
		return STATUS_NOMEM;
	again = reader;
	machine_flush_output(machine);
	status = read_body(machine, &reader, sizes, &arrivals, false);
	if (!status)
		status = resize_spaces(machine, sizes, sizes + machine->vcpu.space_count);
	if (!status) {
		status = read_body(machine, &again, sizes, &arrivals, true);
		move_in(machine, &arrivals);
		machine->vcpu.pending.kind = EXIT_BUDGET;
		machine->vcpu.event_pending = false;
		machine->skip_break = false;
		machine->idle_hit = false;
		machine->failure.kind = STOP_BUDGET;
		machine->replay_at = machine->log_count;
		for (u32 i = 0; i < machine->vcpu.space_count; i++)
			machine_mark_space(machine, (u16)i);
		machine_flush_engines(machine);
		if (!status)
			status = machine_read_handles(machine, &arrivals.handles, true);
		if (!status && machine->guest && machine->guest->restore)
			status = machine->guest->restore(machine, arrivals.guest, (size_t)arrivals.guest_len);
		*refused = status != STATUS_OK;
	}
	drop_arrivals(machine, &arrivals);
	free(sizes);
	return status;
}

/* A guest finds out only in the end whether it can make sense of its part. So that the machine is then as before, what it
 * is now is kept until it is known, if that is possible. */
Status machine_restore(Machine *machine, const u8 *bytes, size_t len)
{
	bool refused = false, unused;
	char why[sizeof(machine->why)];
	Status status, kept;
	Buf before;

	machine->why[0] = 0;
	if (!machine->guest || !machine->guest->restore) {
		status = restore(machine, bytes, len, &refused);
		if (status == STATUS_MISMATCH)
			machine_explain_mismatch(machine, bytes, len);
		return status;
	}
	buf_init(&before);
	kept = machine_snapshot(machine, &before);
	status = kept && kept != STATUS_UNSUPPORTED ? kept : restore(machine, bytes, len, &refused);
	if (refused && !kept) {
		memcpy(why, machine->why, sizeof(why));
		restore(machine, before.data, before.len, &unused);
		memcpy(machine->why, why, sizeof(why));
	}
	buf_fini(&before);
	if (status == STATUS_MISMATCH && !refused)
		machine_explain_mismatch(machine, bytes, len);
	return status;
}
