/* SPDX-License-Identifier: MIT
 *
 * Functions of the program, called from outside.
 *
 *     begin   the vCPU gets a copy of its registers: the caller sets those that the function wants
 *     run     engine->run, again and again, until the pc is where the function was told to return to
 *     end     the array of registers that it had before takes the place of the copy, which is kept for the next call
 *
 * The scheduler has no part in it, nor has the work between two instructions (events, interrupts, `every`): for the program it is
 * as if memory changed between two of its instructions, or within the one that called the host. In that case the engine is on the
 * stack already; it allows this (core/engine.h, 6), and its temporaries are where it left them.
 */
#include "machine/machine_private.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT = 64 }; /* instructions */

/* Of the vCPU that is shown. All such arrays are of one size. */
static inline void exchange_slots(Machine *machine, u64 **other)
{
	u64 *slots = machine->vcpu.slots, *now = *other;

	*other = slots;
	machine->vcpus[machine->shown].slots = now;
	machine->vcpu.slots = now;
}

Status machine_call_begin(Machine *machine, u64 **slots)
{
	const bool nested = machine->inside || machine->calls;
	u64 **spare = &machine->call_slots[machine->calls];

	if (machine->calls == MACHINE_CALLS)
		return STATUS_TOO_BIG;
	if (machine->evals || machine->failure.kind != STOP_BUDGET)
		return STATUS_INVALID;
	if (!nested) {
		if (machine->shown != machine->running)
			machine_show_vcpu(machine, machine->running);
		if (machine->paged_space != ISA_NONE)
			machine_map_aspace(machine);
		if (!machine_vcpu_ready(machine, machine->running))
			return STATUS_INVALID;
	}
	if (UNLIKELY(!*spare)) {
		*spare = machine_alloc_slots(machine->vcpu.slot_count + 1);
		if (!*spare)
			return STATUS_NOMEM;
	}
	memcpy(*spare, machine->vcpu.slots, machine->vcpu.slot_count * sizeof **spare);
	exchange_slots(machine, spare);
	machine->calls++;
	*slots = machine->vcpu.slots;
	return STATUS_OK;
}

void machine_call_end(Machine *machine)
{
	exchange_slots(machine, &machine->call_slots[--machine->calls]);
}

/* Most functions that are called are over before compiled code would pay for going in and out. */
static ExitKind run(Machine *machine, u64 budget, u64 done)
{
	if (done >= SHORT || !machine->ops->run_short)
		return machine->ops->run(machine->engine, &machine->vcpu, budget);
	return machine->ops->run_short(machine->engine, &machine->vcpu, budget < SHORT - done ? budget : SHORT - done);
}

/* One turn. True: *stop says why it is over (STOP_RETURN: its kind alone). */
static bool turn(Machine *machine, u64 start, u64 end, MachineStop *stop)
{
	Vcpu *vcpu = &machine->vcpu;
	ExitKind kind;

	if (vcpu->slots[0] == vcpu->return_pc) {
		stop->kind = STOP_RETURN;
		return true;
	}
	if (vcpu->icount >= end) {
		*stop = (MachineStop){.kind = STOP_BUDGET, .vcpu = machine->running};
		return true;
	}
	vcpu->event_pending = false;
	vcpu->pending.kind = EXIT_BUDGET;
	machine->wants_channel = false;
	kind = run(machine, end - vcpu->icount, vcpu->icount - start);
	if (LIKELY(kind == EXIT_RETURN)) {
		stop->kind = STOP_RETURN;
		return true;
	}
	*stop = (MachineStop){.kind = STOP_BUDGET, .vcpu = machine->running};
	switch (kind) {
	case EXIT_BUDGET:
	case EXIT_EVENT:
		break;
	case EXIT_STOP:
	case EXIT_WATCH:
		vcpu->pending = vcpu->exit;
		if (machine_give_pending(machine, stop))
			return true;
		break;
	case EXIT_WAIT:
		*stop = (MachineStop){.kind = STOP_WAIT, .pc = vcpu->slots[0], .vcpu = machine->running, .text = "it would have to wait"};
		return true;
	default:
		if (machine_take_exception(machine, stop))
			return true;
	}
	if (machine_vcpu_ready(machine, machine->running))
		return false;
	*stop = (MachineStop){.kind = STOP_WAIT, .pc = vcpu->slots[0], .vcpu = machine->running, .text = "its vCPU waits, or has ended"};
	return true;
}

StopKind machine_call_run(Machine *machine, u64 return_pc, u64 max_insns, u64 *insns, MachineStop *stop)
{
	Vcpu *vcpu = &machine->vcpu;
	const bool nested = machine->inside || machine->calls > 1;
	const u64 start = vcpu->icount, end = max_insns > ~(u64)0 - start ? ~(u64)0 : start + max_insns;
	const bool before = vcpu->calls, outer_break = machine->break_soon;
	const u64 outer_pc = vcpu->return_pc;

	machine->text[0] = machine->reason[0] = 0;
	vcpu->calls = true;
	vcpu->return_pc = return_pc;
	machine->break_soon = false;
	while (!turn(machine, start, end, stop))
		;
	if (stop->kind != STOP_RETURN) {
		stop->pc = vcpu->slots[0];
		stop->text = stop->text ? stop->text : "";
	}
	vcpu->calls = before;
	vcpu->return_pc = outer_pc;
	vcpu->pending.kind = EXIT_BUDGET;
	*insns = vcpu->icount - start;
	if (nested) {
		vcpu->icount = start;
		machine->break_soon |= outer_break;
		vcpu->event_pending = true;
	} else {
		machine->break_soon = false;
		if (machine->output.len)
			machine_flush_output(machine);
	}
	return stop->kind;
}
