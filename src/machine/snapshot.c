/* SPDX-License-Identifier: MIT
 *
 * Snapshots: the whole state of a machine as bytes. The layout is specified in docs/snapshot-format.md; write_body below and read_body in
 * snapshot_read.c follow it line by line. snapshot_pages.c has paged memory.
 */
#include "machine/snapshot_private.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

enum {
	ZERO_GAP = 16,   /* bytes of zeros that end a run */
	ZERO_BLOCK = 4096,
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "cells are copied as they lie: port copy_cells first");

static void write_text(Buf *out, const char *text)
{
	size_t len = strlen(text);

	if (len > 0xFFFF)
		len = 0xFFFF;
	buf_u16(out, (u16)len);
	buf_add(out, text, len);
}

static void write_choices(Buf *out, const Isa *isa)
{
	Buf text;

	buf_init(&text);
	machine_show_choices(isa, &text);
	out->failed |= text.failed;
	write_text(out, buf_text(&text));
	buf_fini(&text);
}

static u64 word_at(const u8 *bytes, size_t at)
{
	u64 word;

	memcpy(&word, bytes + at, sizeof(word));
	return word;
}

/* The first byte at or after `at` (a multiple of 8) whose 8-byte word is not zero, or `len`. */
static size_t skip_zeros(const u8 *bytes, size_t at, size_t len)
{
	static const u8 zeros[ZERO_BLOCK];

	while (at < len) {
		if (at % ZERO_BLOCK == 0 && len - at >= ZERO_BLOCK && memcmp(bytes + at, zeros, ZERO_BLOCK) == 0) {
			at += ZERO_BLOCK;
			continue;
		}
		if (word_at(bytes, at))
			return at;
		at += 8;
	}
	return len;
}

/* Runs of cells that are not all zero. A space's memory is mapped in whole pages, zero behind its last cell, so it
 * may be looked at in words of 8 bytes. */
static void write_cells(Buf *out, const Space *space)
{
	size_t len = (((size_t)space->cells << space->cell_shift) + 7) & ~(size_t)7, at = 0;

	for (;;) {
		size_t end, gap = 0;
		u64 first, count;

		at = skip_zeros(space->base, at, len);
		if (at >= len)
			break;
		for (end = at; end < len && gap < ZERO_GAP && end - at < 1u << 30; end += 8)
			gap = word_at(space->base, end) ? 0 : gap + 8;
		first = at >> space->cell_shift;
		count = (end - gap - at) >> space->cell_shift;
		if (count > space->cells - first)
			count = space->cells - first;
		buf_u64(out, first);
		buf_u32(out, (u32)count);
		buf_add(out, space->base + at, (size_t)count << space->cell_shift);
		at = end;
	}
	buf_u64(out, space->cells);
	buf_u32(out, 0);
}

static void write_tables(Buf *out, const Machine *machine)
{
	buf_u32(out, machine->table_count);
	for (u32 i = 0; i < machine->table_count; i++) {
		const MachineTable *table = &machine->tables[i];

		buf_u64(out, table->rows);
		for (u64 k = 0; k < table->rows * machine->isa->tables[i].column_count; k++)
			buf_u64(out, table->cells[k]);
	}
}

static void write_schedule(Buf *out, const Machine *machine)
{
	u64 icount = machine->vcpu.icount;

	buf_u32(out, machine->turns);
	buf_u64(out, machine->quantum);
	buf_byte(out, (u8)((machine->jitter ? SNAPSHOT_JITTER : 0) | (machine->virtual_time ? SNAPSHOT_VIRTUAL : 0) |
			   (machine->alone ? SNAPSHOT_ALONE : 0) | (machine->time_moved ? SNAPSHOT_MOVED : 0)));
	buf_u64(out, machine->instruction_ns);
	buf_u64(out, machine->time);
	buf_u64(out, machine->jitter_rng.state);
	buf_u64(out, !machine->alone && machine->quantum_end > icount ? machine->quantum_end - icount : 0);
	buf_u32(out, machine->running);
	buf_u64(out, machine->next_serial);
	buf_u64(out, machine->last_code);
}

static void write_vcpus(Buf *out, const Machine *machine)
{
	buf_u32(out, machine->vcpu_count);
	for (u32 n = 0; n < machine->vcpu_count; n++) {
		const VcpuRecord *record = &machine->vcpus[n];

		buf_byte(out, (u8)record->state);
		buf_byte(out, (u8)((record->paused ? SNAPSHOT_PAUSED : 0) | (record->attention ? SNAPSHOT_ATTENTION : 0)));
		buf_u64(out, record->channel);
		buf_u64(out, record->wake_at);
		buf_u64(out, record->code);
		buf_u64(out, record->serial);
		buf_u64(out, machine_vcpu_icount(machine, n));
		buf_u32(out, record->aspace);
		for (u32 i = 0; i < machine->vcpu.slot_count; i++)
			buf_u64(out, record->slots[i]);
		for (u32 i = 0; record->state != VCPU_FREE && i < machine->private_count; i++) {
			const Space *space = machine_space_of(machine, n, machine->private_spaces[i]);

			buf_u64(out, space->cells);
			write_cells(out, space);
		}
	}
}

static Status write_guest(const Machine *machine, Buf *out)
{
	size_t at = out->len;
	Status status = STATUS_OK;
	u64 len;

	buf_u64(out, 0);
	if (machine->guest && machine->guest->save)
		status = machine->guest->save(machine, out);
	if (out->failed)
		return STATUS_NOMEM;
	len = out->len - at - 8;
	for (unsigned i = 0; i < 8; i++)
		out->data[at + i] = (u8)(len >> (8 * i));
	return status;
}

static Status write_body(const Machine *machine, Buf *out)
{
	const Vcpu *vcpu = &machine->vcpu;
	u64 waiting = machine->input_len - machine->input_at;
	Status status;

	write_text(out, machine->guest ? machine->guest->name : "");
	write_text(out, machine->isa->name);
	write_choices(out, machine->isa);
	buf_u64(out, machine->isa->hash);
	buf_u64(out, vcpu->icount);
	buf_u32(out, machine->phase);
	write_schedule(out, machine);
	buf_u64(out, machine->rng.state);
	buf_u64(out, machine->output_total);
	buf_u64(out, machine->input_total);
	buf_u64(out, machine->idle_polls);
	buf_byte(out, machine->input_ended ? SNAPSHOT_INPUT_ENDED : 0);
	buf_u64(out, waiting);
	if (waiting)
		buf_add(out, machine->input + machine->input_at, (size_t)waiting);
	buf_u64(out, snapshot_plain_private(machine));
	buf_add(out, machine->private_bytes, snapshot_plain_private(machine));
	buf_u32(out, vcpu->space_count - machine->private_count);
	for (u32 i = 0; i < vcpu->space_count; i++) {
		if (machine_private_index(machine, (u16)i) < machine->private_count)
			continue;
		write_text(out, vcpu->spaces[i].name);
		buf_byte(out, vcpu->spaces[i].cell_bits);
		buf_u64(out, vcpu->spaces[i].cells);
		if (vcpu->spaces[i].paged)
			machine_write_pages(machine, out);
		else
			write_cells(out, &vcpu->spaces[i]);
	}
	write_tables(out, machine);
	buf_u32(out, vcpu->slot_count);
	buf_u32(out, machine->private_count);
	write_vcpus(out, machine);
	status = write_guest(machine, out);
	machine_write_handles(machine, out);
	return status;
}

Status machine_snapshot(const Machine *machine, Buf *out)
{
	size_t start = out->len;
	Status status;
	u64 len;

	if (!snapshot_is_possible(machine))
		return STATUS_UNSUPPORTED;
	buf_add(out, MACHINE_SNAPSHOT_MAGIC, 8);
	buf_u32(out, MACHINE_SNAPSHOT_VERSION);
	buf_u64(out, 0);
	status = write_body(machine, out);
	if (out->failed || status)
		return status ? status : STATUS_NOMEM;
	len = out->len - start + SNAPSHOT_CHECK_BYTES;
	for (unsigned i = 0; i < 8; i++)
		out->data[start + SNAPSHOT_LENGTH_AT + i] = (u8)(len >> (8 * i));
	buf_u64(out, hash_bytes(HASH_START, out->data + start, out->len - start));
	return out->failed ? STATUS_NOMEM : STATUS_OK;
}

const char *machine_why(const Machine *machine)
{
	return machine->why;
}

void machine_set_why(Machine *machine, const char *why)
{
	snprintf(machine->why, sizeof(machine->why), "%s", why);
}
