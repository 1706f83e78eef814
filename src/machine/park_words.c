/* SPDX-License-Identifier: MIT
 *
 * Everything small of a machine as numbers of 64 bits (park.c), in one order. One function does both directions, as for the kernel's tape
 * (docs/decisions/0018-kernel-on-a-tape.md): word(words, &x) writes x or sets it, so what is packed and what comes back can't differ.
 */
#include "machine/park_private.h"

#include <stdlib.h>
#include <string.h>

enum {
	FLAG_JITTER = 1,
	FLAG_VIRTUAL = 2,
	FLAG_ALONE = 4,
	FLAG_MOVED = 8,
	FLAG_INPUT_ENDED = 16,
	FLAG_PAUSED = 1, /* of a vCPU */
	FLAG_ATTENTION = 2,
};

typedef struct Words {
	Buf *out;      /* writing: borrowed; reading: NULL */
	const u64 *at; /* reading: what comes next */
} Words;

static void word(Words *words, u64 *value)
{
	if (words->out)
		buf_add(words->out, value, sizeof *value);
	else
		*value = *words->at++;
}

static void word32(Words *words, u32 *value)
{
	u64 wide = *value;

	word(words, &wide);
	if (!words->out)
		*value = (u32)wide;
}

/* Reading: bytes NULL: where they lie. */
static const void *word_bytes(Words *words, void *bytes, size_t len)
{
	static const u8 padding[8];
	const void *from = words->at;

	if (words->out) {
		buf_add(words->out, bytes, len);
		buf_add(words->out, padding, -len & 7);
		return bytes;
	}
	words->at += (len + 7) / 8;
	if (bytes && len)
		memcpy(bytes, from, len);
	return from;
}

/* Pointers of a guest that has something to give back are its own; it says what they mean (guest->save_near). */
static size_t plain_private(const Machine *machine)
{
	return machine->guest && machine->guest->fini ? 0 : machine->private_size;
}

/* ---- What reading has to make ---- */

static void free_record(const Machine *machine, VcpuRecord *record)
{
	for (u32 i = 0; record->spaces && i < machine->private_count; i++)
		space_fini(&record->spaces[i]);
	free(record->spaces);
	machine_free_slots(record->slots);
}

/* Records 0 .. count-1 are there with all their spaces, and no others. Number 0 is shown. */
static Status make_records(Machine *machine, u32 count)
{
	Status status = STATUS_OK;

	machine_show_vcpu(machine, 0);
	while (machine->vcpu_count > count)
		free_record(machine, &machine->vcpus[--machine->vcpu_count]);
	if (count > machine->vcpu_cap) {
		VcpuRecord *grown = realloc(machine->vcpus, count * sizeof *grown);

		if (!grown)
			return STATUS_NOMEM;
		machine->vcpus = grown;
		machine->vcpu_cap = count;
	}
	for (u32 n = 1; n < count && !status; n++) {
		VcpuRecord *record = &machine->vcpus[n];

		if (n == machine->vcpu_count)
			*record = (VcpuRecord){ .state = VCPU_FREE };
		status = machine_make_record(machine, record);
		if (n < machine->vcpu_count)
			continue;
		if (status)
			free_record(machine, record);
		else
			machine->vcpu_count++;
	}
	return status;
}

static Status set_size(Machine *machine, Space *space, u16 number, u64 cells)
{
	Status status;

	if (cells == space->cells)
		return STATUS_OK;
	status = space_resize(space, cells);
	if (number == machine->isa->code_space)
		machine_flush_engines(machine);
	return status;
}

/* ---- Both ways ---- */

/* Its size, 0 where it has none of its own here. */
static Status carry_size(Machine *machine, Words *words, Space *space, u16 number)
{
	u64 cells = space ? space->cells : 0;

	word(words, &cells);
	return words->out || !space ? STATUS_OK : set_size(machine, space, number, cells);
}

static Status carry_record(Machine *machine, Words *words, u32 number)
{
	VcpuRecord *record = &machine->vcpus[number];
	u64 flags = (u64)record->state << 2 | (record->paused ? FLAG_PAUSED : 0) | (record->attention ? FLAG_ATTENTION : 0);
	Status status = STATUS_OK;

	word(words, &flags);
	if (!words->out) {
		record->state = (VcpuState)(flags >> 2);
		record->paused = flags & FLAG_PAUSED;
		record->attention = flags & FLAG_ATTENTION;
	}
	word(words, &record->channel);
	word(words, &record->wake_at);
	word(words, &record->code);
	word(words, &record->serial);
	word(words, &record->icount);
	word32(words, &record->aspace);
	word_bytes(words, record->slots, machine->vcpu.slot_count * sizeof(u64));
	for (u32 i = 0; i < machine->private_count && !status; i++) {
		u16 space = machine->private_spaces[i];

		status = carry_size(machine, words, record->state == VCPU_FREE ? NULL : machine_space_of(machine, number, space), space);
	}
	return status;
}

/* Code has the values of tables in it: *changed. */
static Status carry_table(Machine *machine, Words *words, u32 number, bool *changed)
{
	MachineTable *table = &machine->tables[number];
	u64 rows = table->rows;
	const void *cells;
	size_t len;

	word(words, &rows);
	len = rows * machine->isa->tables[number].column_count * sizeof(u64);
	cells = word_bytes(words, words->out ? table->cells : NULL, len);
	if (words->out || (table->rows == rows && (!len || memcmp(table->cells, cells, len) == 0)))
		return STATUS_OK;
	if (machine_table_reserve(machine, (u16)number, rows))
		return STATUS_NOMEM;
	machine_table_resize(machine, (u16)number, rows);
	memcpy(table->cells, cells, len);
	*changed = true;
	return STATUS_OK;
}

static Status carry_tables(Machine *machine, Words *words)
{
	Status status = STATUS_OK;
	bool changed = false;

	for (u32 i = 0; i < machine->table_count && !status; i++)
		status = carry_table(machine, words, i, &changed);
	if (changed)
		machine_flush_engines(machine);
	return status;
}

/* Input that waits. */
static Status carry_input(Machine *machine, Words *words)
{
	u64 waiting = machine->input_len - machine->input_at;

	word(words, &waiting);
	if (words->out) {
		if (waiting)
			word_bytes(words, machine->input + machine->input_at, (size_t)waiting);
		return STATUS_OK;
	}
	machine->input_at = machine->input_len = 0;
	if (waiting && !machine_input_room(machine, (size_t)waiting))
		return STATUS_NOMEM;
	word_bytes(words, machine->input, (size_t)waiting);
	machine->input_len = (size_t)waiting;
	return STATUS_OK;
}

/* hosts: reading: what the origin was allowed. */
static void carry_hosts(Machine *machine, Words *words, const HostFunction *hosts)
{
	for (u32 first = 0; first < machine->isa->host_count; first += 64) {
		u32 end = first + 64 < machine->isa->host_count ? first + 64 : machine->isa->host_count;
		u64 denied = 0;

		for (u32 i = first; i < end && words->out; i++)
			denied |= (u64)!machine->hosts[i] << i % 64;
		word(words, &denied);
		for (u32 i = first; i < end && !words->out; i++)
			machine->hosts[i] = denied >> i % 64 & 1 ? NULL : hosts[i];
	}
}

static void carry_counts(Machine *machine, Words *words)
{
	word(words, &machine->vcpu.icount);
	word32(words, &machine->phase);
	word32(words, &machine->turns);
	word(words, &machine->came_up);
	word(words, &machine->quantum);
	word(words, &machine->instruction_ns);
	word(words, &machine->time);
	word(words, &machine->next_serial);
	word(words, &machine->last_code);
	word(words, &machine->jitter_rng.state);
	word(words, &machine->rng.state);
	word(words, &machine->random_seed);
	word(words, &machine->output_total);
	word(words, &machine->input_total);
	word(words, &machine->idle_polls);
	word(words, &machine->key_polls);
	word(words, &machine->interrupts);
}

/* Sizes, and all that has one. */
static Status carry_parts(Machine *machine, Words *words)
{
	Status status = STATUS_OK;

	for (u32 i = 0; i < machine->vcpu.space_count && !status; i++) {
		bool is_private = machine_private_index(machine, (u16)i) < machine->private_count;

		status = carry_size(machine, words, is_private ? NULL : &machine->vcpu.spaces[i], (u16)i);
	}
	if (status)
		return status;
	word_bytes(words, machine->private_bytes, plain_private(machine));
	for (u32 n = 0; n < machine->vcpu_count && !status; n++)
		status = carry_record(machine, words, n);
	if (!status)
		status = carry_tables(machine, words);
	return status ? status : carry_input(machine, words);
}

/* What follows from what has come; vCPU number `shown` stands in machine->vcpu. */
static void settle(Machine *machine, u64 flags, u32 shown)
{
	machine->jitter = flags & FLAG_JITTER;
	machine->virtual_time = flags & FLAG_VIRTUAL;
	machine->time_moved = flags & FLAG_MOVED;
	machine->input_ended = flags & FLAG_INPUT_ENDED;
	machine_count_vcpus(machine);
	machine_show_vcpu(machine, shown);
	if (machine->paged_space != ISA_NONE)
		machine_map_aspace(machine);
	machine->alone = flags & FLAG_ALONE;
	machine->wants_channel = machine->undone = machine->skip_break = machine->idle_hit = false;
	machine->vcpu.pending.kind = EXIT_BUDGET;
	machine->vcpu.event_pending = false;
	machine->failure.kind = STOP_BUDGET;
	machine->replay_at = machine->log_count;
}

static Status carry(Machine *machine, Words *words, const HostFunction *hosts)
{
	u64 flags = (machine->jitter ? FLAG_JITTER : 0) | (machine->virtual_time ? FLAG_VIRTUAL : 0) | (machine->alone ? FLAG_ALONE : 0) |
		    (machine->time_moved ? FLAG_MOVED : 0) | (machine->input_ended ? FLAG_INPUT_ENDED : 0);
	u64 quantum_end = machine->alone ? 0 : machine->quantum_end;
	u32 count = machine->vcpu_count, running = machine->running, shown = machine->shown;
	Status status = STATUS_OK;

	word32(words, &count);
	word(words, &flags);
	word32(words, &running);
	word32(words, &shown);
	word(words, &quantum_end);
	if (!words->out && (machine->vcpu_count != count || machine->private_count))
		status = make_records(machine, count);
	if (status)
		return status;
	carry_counts(machine, words);
	carry_hosts(machine, words, hosts);
	if (!words->out) {
		machine->running = running;
		machine->quantum_end = quantum_end;
	}
	status = carry_parts(machine, words);
	if (!status && !words->out)
		settle(machine, flags, shown);
	return status;
}

void park_write_words(const Machine *machine, Buf *out)
{
	Words words = {.out = out};

	carry((Machine *)(uintptr_t)machine, &words, NULL); /* nothing of it changes */
}

Status park_read_words(Machine *machine, const HostFunction *hosts, const u64 *at)
{
	Words words = {.at = at};

	return carry(machine, &words, hosts);
}
