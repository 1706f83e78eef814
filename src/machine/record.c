/* SPDX-License-Identifier: MIT
 *
 * The log of everything that came from outside, and its replay. An entry says at which place in time (icount, turns,
 * phase: machine_private.h) bytes or the end of input arrived, or what time it was. Given a state from before and the
 * log, machine_run gives the same run again: it stops the engine at the icount of the next entry, works off the
 * boundary up to its place, and lets the entry in.
 *
 *     log    | e0 | e1 | e2 | e3 |        entries before replay_at have happened,
 *                        ^ replay_at      the others will, when their time comes
 *
 * Input from outside while entries lie ahead makes another future: the rest of the log is dropped first.
 */
#include "base/array.h"
#include "machine/machine_private.h"

#include <stdlib.h>
#include <string.h>

void machine_record(Machine *machine, bool on)
{
	machine_log_truncate(machine, 0);
	machine->recording = on;
}

u32 machine_event_count(const Machine *machine)
{
	return machine->log_count;
}

const MachineEvent *machine_event(const Machine *machine, u32 index)
{
	return index < machine->log_count ? &machine->log[index] : NULL;
}

u32 machine_replay_position(const Machine *machine)
{
	return machine->replay_at;
}

void machine_replay_from(Machine *machine, u32 index)
{
	machine->replay_at = index < machine->log_count ? index : machine->log_count;
}

void machine_replay_forget(Machine *machine)
{
	machine_log_truncate(machine, machine->replay_at);
}

void machine_log_truncate(Machine *machine, u32 count)
{
	while (machine->log_count > count)
		free((u8 *)machine->log[--machine->log_count].bytes);
	if (machine->replay_at > machine->log_count)
		machine->replay_at = machine->log_count;
}

/* The present place in time, behind the icount. */
static u64 place_of(const Machine *machine)
{
	return (u64)machine->turns * (machine->step_count + 1) + machine->phase;
}

void machine_log_event(Machine *machine, MachineEventKind kind, const u8 *bytes, size_t len, u64 time)
{
	MachineEvent *entry;
	u8 *copy = NULL;

	if (!machine->recording || len > MACHINE_INPUT_MAX)
		return;
	if (!array_grow((void **)&machine->log, &machine->log_cap, machine->log_count, sizeof(*machine->log)))
		return;
	if (len) {
		copy = malloc(len);
		if (!copy)
			return;
		memcpy(copy, bytes, len);
	}
	entry = &machine->log[machine->log_count++];
	*entry = (MachineEvent){ .icount = machine->vcpu.icount, .place = place_of(machine), .kind = kind, .time = time,
				 .len = (u32)len, .bytes = copy };
	machine->replay_at = machine->log_count;
}

static bool is_due(const Machine *machine, const MachineEvent *entry)
{
	return entry->icount < machine->vcpu.icount ||
	       (entry->icount == machine->vcpu.icount && entry->place <= place_of(machine));
}

static bool is_of_host(const MachineEvent *entry)
{
	return entry->kind == EVENT_CLOCK || entry->kind == EVENT_FILE;
}

/* An entry that only a host function can let in, and may still. One that is behind us never will. */
static bool awaits_host(Machine *machine)
{
	while (machine->replay_at < machine->log_count && is_of_host(&machine->log[machine->replay_at])) {
		if (machine->log[machine->replay_at].icount >= machine->vcpu.icount)
			return true;
		machine->replay_at++;
	}
	return false;
}

static void let_in(Machine *machine, const MachineEvent *entry)
{
	if (entry->kind == EVENT_TIME)
		machine_accept_time(machine, entry->time);
	else
		machine_accept(machine, entry->bytes, entry->len, entry->kind == EVENT_INPUT_END);
}

void machine_replay_due(Machine *machine)
{
	while (!awaits_host(machine) && machine->replay_at < machine->log_count && is_due(machine, &machine->log[machine->replay_at]))
		let_in(machine, &machine->log[machine->replay_at++]);
}

bool machine_replay_now(Machine *machine)
{
	if (awaits_host(machine) || machine->replay_at >= machine->log_count ||
	    machine->log[machine->replay_at].icount > machine->vcpu.icount)
		return false;
	let_in(machine, &machine->log[machine->replay_at++]);
	return true;
}

bool machine_is_replaying(const Machine *machine)
{
	return machine->replay_at < machine->log_count;
}

const MachineEvent *machine_replay_take(Machine *machine, MachineEventKind kind)
{
	const MachineEvent *entry = awaits_host(machine) ? &machine->log[machine->replay_at] : NULL;

	if (!entry || entry->kind != kind || entry->icount != machine->vcpu.icount)
		return NULL;
	machine->replay_at++;
	return entry;
}

u64 machine_clock(Machine *machine)
{
	const MachineEvent *entry;
	u64 now;

	if (machine->virtual_time)
		return machine_time(machine);
	if (machine_is_replaying(machine)) { /* as it was then */
		entry = machine_replay_take(machine, EVENT_CLOCK);
		if (entry)
			machine_accept_time(machine, entry->time);
		return machine_time(machine);
	}
	now = machine->clock_function ? machine->clock_function(machine->clock_ctx) : 0;
	if (now > machine_time(machine)) {
		machine_log_event(machine, EVENT_CLOCK, NULL, 0, now);
		machine_accept_time(machine, now);
	}
	return machine_time(machine);
}

void machine_set_clock(Machine *machine, MachineClock clock, void *ctx)
{
	machine->clock_function = clock;
	machine->clock_ctx = ctx;
}

u64 machine_replay_distance(const Machine *machine)
{
	const MachineEvent *entry;

	if (machine->replay_at >= machine->log_count)
		return ~(u64)0;
	entry = &machine->log[machine->replay_at];
	return entry->icount > machine->vcpu.icount ? entry->icount - machine->vcpu.icount : 1;
}
