/* SPDX-License-Identifier: MIT
 *
 * Everything small of a machine as numbers of 64 bits (park.c), written and read in one order: what write_record writes read_record reads,
 * what park_write_words writes park_read_words reads, and a change of one is a change of the other.
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

static void put(Buf *out, u64 word)
{
	buf_add(out, &word, sizeof word);
}

static void put_bytes(Buf *out, const void *bytes, size_t len)
{
	static const u8 padding[8];

	buf_add(out, bytes, len);
	buf_add(out, padding, -len & 7);
}

static u64 flags_of(const Machine *machine)
{
	return (machine->jitter ? FLAG_JITTER : 0) | (machine->virtual_time ? FLAG_VIRTUAL : 0) | (machine->alone ? FLAG_ALONE : 0) |
	       (machine->time_moved ? FLAG_MOVED : 0) | (machine->input_ended ? FLAG_INPUT_ENDED : 0);
}

static void write_record(const Machine *machine, u32 number, Buf *out)
{
	const VcpuRecord *record = &machine->vcpus[number];

	put(out, (u64)record->state << 2 | (record->paused ? FLAG_PAUSED : 0) | (record->attention ? FLAG_ATTENTION : 0));
	put(out, record->channel);
	put(out, record->wake_at);
	put(out, record->code);
	put(out, record->serial);
	put(out, record->icount);
	put(out, record->aspace);
	buf_add(out, record->slots, machine->vcpu.slot_count * sizeof(u64));
	for (u32 i = 0; i < machine->private_count; i++)
		put(out, record->state == VCPU_FREE ? 0 : machine_space_of(machine, number, machine->private_spaces[i])->cells);
}

static u64 denied_of(const Machine *machine, u32 word)
{
	u64 denied = 0;

	for (u32 i = word * 64; i < machine->isa->host_count && i < word * 64 + 64; i++)
		denied |= (u64)!machine->hosts[i] << i % 64;
	return denied;
}

/* Pointers of a guest that has something to give back are its own; it says what they mean (guest->save_near). */
static size_t plain_private(const Machine *machine)
{
	return machine->guest && machine->guest->fini ? 0 : machine->private_size;
}

void park_write_words(const Machine *machine, Buf *out)
{
	const Vcpu *vcpu = &machine->vcpu;
	size_t waiting = machine->input_len - machine->input_at;

	put(out, machine->vcpu_count);
	put(out, waiting);
	put(out, flags_of(machine));
	put(out, vcpu->icount);
	put(out, machine->phase);
	put(out, machine->turns);
	put(out, machine->running);
	put(out, machine->shown);
	put(out, machine->came_up);
	put(out, machine->quantum);
	put(out, machine->alone ? 0 : machine->quantum_end);
	put(out, machine->instruction_ns);
	put(out, machine->time);
	put(out, machine->next_serial);
	put(out, machine->last_code);
	put(out, machine->jitter_rng.state);
	put(out, machine->rng.state);
	put(out, machine->random_seed);
	put(out, machine->output_total);
	put(out, machine->input_total);
	put(out, machine->idle_polls);
	put(out, machine->key_polls);
	put(out, machine->interrupts);
	for (u32 i = 0; i * 64 < machine->isa->host_count; i++)
		put(out, denied_of(machine, i));
	for (u32 i = 0; i < vcpu->space_count; i++)
		put(out, machine_private_index(machine, (u16)i) < machine->private_count ? 0 : vcpu->spaces[i].cells);
	for (u32 i = 0; i < machine->table_count; i++)
		put(out, machine->tables[i].rows);
	put_bytes(out, machine->private_bytes, plain_private(machine));
	for (u32 n = 0; n < machine->vcpu_count; n++)
		write_record(machine, n, out);
	for (u32 i = 0; i < machine->table_count; i++)
		buf_add(out, machine->tables[i].cells,
			machine->tables[i].rows * machine->isa->tables[i].column_count * sizeof(u64));
	if (waiting)
		put_bytes(out, machine->input + machine->input_at, waiting);
}

typedef struct Words {
	const u64 *at;
} Words;

static u64 get(Words *words)
{
	return *words->at++;
}

static const void *get_bytes(Words *words, size_t len)
{
	const void *bytes = words->at;

	words->at += (len + 7) / 8;
	return bytes;
}

static void free_record(const Machine *machine, VcpuRecord *record)
{
	for (u32 i = 0; record->spaces && i < machine->private_count; i++)
		space_fini(&record->spaces[i]);
	free(record->spaces);
	free(record->slots);
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

static Status read_record(Machine *machine, u32 number, Words *words)
{
	VcpuRecord *record = &machine->vcpus[number];
	u64 flags = get(words);

	record->state = (VcpuState)(flags >> 2);
	record->paused = flags & FLAG_PAUSED;
	record->attention = flags & FLAG_ATTENTION;
	record->channel = get(words);
	record->wake_at = get(words);
	record->code = get(words);
	record->serial = get(words);
	record->icount = get(words);
	record->aspace = (u32)get(words);
	memcpy(record->slots, get_bytes(words, machine->vcpu.slot_count * sizeof(u64)), machine->vcpu.slot_count * sizeof(u64));
	for (u32 i = 0; i < machine->private_count; i++) {
		u64 cells = get(words);
		Space *space = machine_space_of(machine, number, machine->private_spaces[i]);
		Status status = record->state == VCPU_FREE ? STATUS_OK : set_size(machine, space, machine->private_spaces[i], cells);

		if (status)
			return status;
	}
	return STATUS_OK;
}

/* Code has the values of tables in it. */
static Status read_tables(Machine *machine, const u64 *rows, Words *words)
{
	bool changed = false;

	for (u32 i = 0; i < machine->table_count; i++) {
		MachineTable *table = &machine->tables[i];
		size_t len = rows[i] * machine->isa->tables[i].column_count * sizeof(u64);
		const void *cells = get_bytes(words, len);

		if (table->rows == rows[i] && (!len || memcmp(table->cells, cells, len) == 0))
			continue;
		if (machine_table_reserve(machine, (u16)i, rows[i]))
			return STATUS_NOMEM;
		machine_table_resize(machine, (u16)i, rows[i]);
		memcpy(table->cells, cells, len);
		changed = true;
	}
	if (changed)
		machine_flush_engines(machine);
	return STATUS_OK;
}

static Status read_input(Machine *machine, const u8 *bytes, size_t len)
{
	machine->input_at = machine->input_len = 0;
	if (!len)
		return STATUS_OK;
	if (!machine_input_room(machine, len))
		return STATUS_NOMEM;
	memcpy(machine->input, bytes, len);
	machine->input_len = len;
	return STATUS_OK;
}

Status park_read_words(Machine *machine, const HostFunction *hosts, const u64 *at)
{
	Words words = { at };
	u32 count = (u32)get(&words), running, shown;
	size_t waiting = (size_t)get(&words);
	u64 flags = get(&words), cells;
	const u64 *rows;
	Status status = STATUS_OK;

	if (machine->vcpu_count != count || machine->private_count)
		status = make_records(machine, count);
	machine->vcpu.icount = get(&words);
	machine->phase = (u32)get(&words);
	machine->turns = (u32)get(&words);
	running = (u32)get(&words);
	shown = (u32)get(&words);
	machine->came_up = get(&words);
	machine->quantum = get(&words);
	machine->quantum_end = get(&words);
	machine->instruction_ns = get(&words);
	machine->time = get(&words);
	machine->next_serial = get(&words);
	machine->last_code = get(&words);
	machine->jitter_rng.state = get(&words);
	machine->rng.state = get(&words);
	machine->random_seed = get(&words);
	machine->output_total = get(&words);
	machine->input_total = get(&words);
	machine->idle_polls = get(&words);
	machine->key_polls = get(&words);
	machine->interrupts = get(&words);
	for (u32 i = 0; i < machine->isa->host_count; i++) {
		u64 denied = words.at[i / 64] >> i % 64 & 1;

		machine->hosts[i] = denied ? NULL : hosts[i];
	}
	words.at += (machine->isa->host_count + 63) / 64;
	if (status)
		return status;
	machine->running = running;
	for (u32 i = 0; i < machine->vcpu.space_count; i++) {
		bool shared = machine_private_index(machine, (u16)i) == machine->private_count;

		cells = get(&words);
		status = shared ? set_size(machine, &machine->vcpu.spaces[i], (u16)i, cells) : STATUS_OK;
		if (status)
			return status;
	}
	rows = get_bytes(&words, machine->table_count * sizeof(u64));
	memcpy(machine->private_bytes, get_bytes(&words, plain_private(machine)), plain_private(machine));
	for (u32 n = 0; n < count && !status; n++)
		status = read_record(machine, n, &words);
	if (!status)
		status = read_tables(machine, rows, &words);
	if (!status)
		status = read_input(machine, get_bytes(&words, waiting), waiting);
	if (status)
		return status;
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
	return STATUS_OK;
}
