/* SPDX-License-Identifier: MIT
 *
 * The run loop: the work between two instructions (machine_private.h draws it), then the engine, again and again
 * until a reason to stop.
 *
 *     boundary -> engine->run(budget) -> what its exit means -> boundary ...
 *
 * Exceptions. EXIT_RAISE, _ILLEGAL and _FAULT leave an instruction with the state as at its start. The handler that
 * the description has for it (`on raise`, `on illegal`, `on fault`) then runs in the instruction's place: it counts
 * as one retired instruction. An `on illegal` that raises goes on to `on raise`, and so does an `on fault`. An
 * `on raise` that raises the number it was given declines it: the machine stops with what the instruction did, as if
 * there were no handler (a word that is no instruction stops as that, whatever `on illegal` raised). Anything else
 * that goes wrong inside `on raise` is a double fault. Both leave the registers as before the first attempt. What no
 * handler is there for goes to guest->exception, if the guest has an operating system of its own.
 *
 * Every turn of the loop retires an instruction, returns, or puts a vCPU out of action (schedule.c bounds how often
 * they can be woken meanwhile), so nothing a guest does can hold it.
 */
#include "machine/machine_private.h"

#include <stdio.h>
#include <string.h>

enum { ATTEND_TRIES = 8 }; /* guest->attend may want attention again */

static bool give(const Machine *machine, MachineStop *stop, StopKind kind)
{
	*stop = (MachineStop){ .kind = kind, .vcpu = machine->running, .pc = machine->vcpu.slots[0], .text = machine->text };
	return true;
}

static const char *host_name(const Machine *machine, u64 host)
{
	return host < machine->isa->host_count ? machine->isa->hosts[host].name : "?";
}

static bool give_fault(Machine *machine, MachineStop *stop, const VcpuExit *exit)
{
	const char *space = exit->space < machine->vcpu.space_count ? machine->vcpu.spaces[exit->space].name : "?";

	machine_say(machine, "%s outside memory: %s[0x%llX]", exit->fetch ? "fetch" : exit->write ? "write" : "read", space,
		    (unsigned long long)exit->value);
	give(machine, stop, STOP_FAULT);
	stop->space = exit->space;
	stop->address = exit->value;
	stop->write = exit->write;
	return true;
}

/* A host function's own words, if it had any in the instruction that ends here; else the description's. */
static const char *reason_of(Machine *machine, bool raise, u64 number)
{
	if (!machine->reason[0])
		return isa_reason(machine->isa, raise, number);
	memcpy(machine->said, machine->reason, sizeof(machine->said));
	machine->reason[0] = 0;
	return machine->said;
}

static bool give_halt(Machine *machine, MachineStop *stop, u64 code)
{
	const char *reason = reason_of(machine, false, code);

	machine_say(machine, "%s", reason ? reason : "");
	give(machine, stop, STOP_HALT);
	stop->reason = reason;
	stop->code = code;
	return true;
}

static bool give_trap(Machine *machine, MachineStop *stop, u64 number, const char *why)
{
	const char *reason = reason_of(machine, true, number);

	machine_say(machine, "%s (trap %llu%s%s)", why, (unsigned long long)number, reason ? ": " : "",
		    reason ? reason : "");
	give(machine, stop, STOP_TRAP);
	stop->reason = reason;
	stop->code = number;
	return true;
}

/* What slow accesses left for the end of the instruction or handler. True: return from machine_run. */
bool machine_give_pending(Machine *machine, MachineStop *stop)
{
	VcpuExit pending = machine->vcpu.pending;

	machine->vcpu.pending.kind = EXIT_BUDGET;
	if (pending.kind == EXIT_STOP)
		return give_halt(machine, stop, pending.value);
	if (pending.kind == EXIT_WATCH) {
		give(machine, stop, STOP_WATCH);
		stop->space = pending.space;
		stop->address = pending.value;
		stop->write = pending.write;
		return true;
	}
	return false;
}

/* An exit that no handler of the description takes. False: the vCPU waits, others may go on. */
bool machine_give_exit(Machine *machine, MachineStop *stop, const VcpuExit *exit)
{
	const char *name;

	switch (exit->kind) {
	case EXIT_RAISE:
		return give_trap(machine, stop, exit->value, "exception without a handler");
	case EXIT_ILLEGAL:
		machine_say(machine, "illegal instruction");
		return give(machine, stop, STOP_ILLEGAL);
	case EXIT_FAULT:
		return give_fault(machine, stop, exit);
	case EXIT_WAIT:
		if (machine_block(machine))
			return false;
		if (!machine->input_ended)
			return give(machine, stop, STOP_WAIT);
		machine_say(machine, "the program waits for input, which has ended");
		return give(machine, stop, STOP_INPUT_ENDED);
	case EXIT_BREAK:
		return give(machine, stop, STOP_BREAK);
	case EXIT_DENIED:
		name = machine->lacked_name ? machine->lacked_name : host_name(machine, exit->value);
		if (machine->lacked != RIGHT_COUNT)
			machine_say(machine, "no right to '%s' (host function '%s')", right_name(machine->lacked), name);
		else
			machine_say(machine, "the host function '%s' is not available", name);
		return give(machine, stop, STOP_DENIED);
	default:
		if (exit->status == STATUS_TOO_BIG)
			machine_say(machine, "the instruction at 0x%llX is too large: its description unrolls a loop too far",
				    (unsigned long long)machine->vcpu.slots[0]);
		else
			machine_say(machine, "%s", status_text(exit->status ? exit->status : STATUS_INVALID));
		give(machine, stop, STOP_ERROR);
		stop->status = exit->status ? exit->status : STATUS_INVALID;
		return true;
	}
}

static bool give_nomem(Machine *machine, MachineStop *stop)
{
	VcpuExit exit = { .kind = EXIT_ERROR, .status = STATUS_NOMEM };

	return machine_give_exit(machine, stop, &exit);
}

static u32 handler_of(const Machine *machine, const VcpuExit *exit)
{
	switch (exit->kind) {
	case EXIT_RAISE: return machine->on_raise;
	case EXIT_ILLEGAL: return machine->on_illegal;
	case EXIT_FAULT: return machine->on_fault;
	default: return NO_HANDLER;
	}
}

static void retired(Machine *machine)
{
	machine->phase = 0;
	machine->turns = 0;
}

/* The guest's own operating system, where the description has no handler. */
static bool takes_exception(Machine *machine, const VcpuExit *exit)
{
	const Guest *guest = machine->guest;

	return (exit->kind == EXIT_FAULT || exit->kind == EXIT_ILLEGAL || exit->kind == EXIT_RAISE) && guest && !machine->calls &&
	       guest->exception && guest->exception(machine, exit);
}

/* vcpu->exit left the instruction at pc: gives it to the description's handlers. True: return from machine_run. */
bool machine_take_exception(Machine *machine, MachineStop *stop)
{
	Vcpu *vcpu = &machine->vcpu;
	VcpuExit cause = vcpu->exit, exit = cause;
	bool handled[3] = { false, false, false }; /* by on illegal, on fault, on raise */

	vcpu->pending.kind = EXIT_BUDGET;
	machine_save_slots(machine);
	for (;;) {
		u32 index = handler_of(machine, &exit);
		unsigned rank = exit.kind == EXIT_RAISE ? 2 : exit.kind == EXIT_FAULT ? 1 : 0;
		u64 arg = exit.value, result;
		bool jumped;
		IrFunc *func;

		if (index == NO_HANDLER && takes_exception(machine, &exit))
			break;
		if (index == NO_HANDLER)
			return machine_give_exit(machine, stop, &exit);
		if (handled[2] || handled[rank])
			return give_trap(machine, stop, exit.kind == EXIT_RAISE ? exit.value : 0, "double fault");
		func = machine_handler(machine, index, false);
		if (!func)
			return give_nomem(machine, stop);
		handled[rank] = true;
		if (machine_eval(machine, func, &arg, &result, &jumped) == ACCESS_OK)
			break;
		exit = vcpu->exit;
		vcpu->pending.kind = EXIT_BUDGET;
		machine_restore_slots(machine);
		if (handled[2] && exit.kind == EXIT_RAISE && exit.value == arg)
			return machine_give_exit(machine, stop, &cause);
		if (handled[2] && (exit.kind == EXIT_RAISE || exit.kind == EXIT_FAULT))
			return give_trap(machine, stop, exit.kind == EXIT_RAISE ? exit.value : arg, "double fault");
	}
	vcpu->icount++;
	retired(machine);
	return machine_give_pending(machine, stop);
}

/* Evaluates a `when`. */
static bool holds(Machine *machine, u32 handler, bool *ok)
{
	IrFunc *func;
	u64 result = 1;
	bool jumped;

	*ok = true;
	if (!machine->isa->handlers[handler].when)
		return true;
	func = machine_handler(machine, handler, true);
	if (!func) {
		*ok = false;
		return false;
	}
	machine->in_when = true;
	if (machine_eval(machine, func, NULL, &result, &jumped) != ACCESS_OK) {
		result = 0;
		*ok = machine->vcpu.exit.kind != EXIT_ERROR;
	}
	machine->in_when = false;
	return result & 1;
}

/* Runs the body of an event, interrupt or `every`. True: return from machine_run. */
static bool run_body(Machine *machine, u32 handler, const u64 *args, MachineStop *stop)
{
	IrFunc *func = machine_handler(machine, handler, false);
	u64 result;
	bool jumped;

	if (!func)
		return give_nomem(machine, stop);
	machine->stirred = true;
	machine_save_slots(machine);
	if (machine_eval(machine, func, args, &result, &jumped) == ACCESS_OK)
		return machine_give_pending(machine, stop);
	machine_restore_slots(machine);
	return machine_take_exception(machine, stop);
}

static bool is_every(const Machine *machine, u32 handler)
{
	return machine->vcpu.icount && machine->vcpu.icount % machine->isa->handlers[handler].every == 0;
}

static bool frame_due(const Machine *machine)
{
	for (u32 i = 0; i < machine->step_count && machine->steps[i].kind == STEP_EVERY; i++)
		if (is_every(machine, machine->steps[i].handler))
			return true;
	return false;
}

static bool enter_interrupt(Machine *machine, MachineStop *stop)
{
	for (u32 i = 0; i < machine->isa->handler_count; i++) {
		bool ok;

		if (machine->isa->handlers[i].kind != ISA_INTERRUPT)
			continue;
		if (holds(machine, i, &ok)) {
			machine->interrupts++;
			return run_body(machine, i, NULL, stop);
		}
		if (!ok)
			return give_nomem(machine, stop);
	}
	return false;
}

/* A handler that could not come to its end, for want of memory or of input: the step is done anew later. */
static bool is_undone(const MachineStop *stop)
{
	return stop->kind == STOP_ERROR || stop->kind == STOP_WAIT || stop->kind == STOP_INPUT_ENDED;
}

static bool take_event(Machine *machine, u32 handler, MachineStop *stop)
{
	size_t at = machine->input_at;
	u64 byte, polls = machine->idle_polls;
	bool ok, done;

	if (machine->input_at >= machine->input_len)
		return false;
	if (!holds(machine, handler, &ok))
		return !ok && give_nomem(machine, stop);
	byte = machine_take_byte(machine);
	done = run_body(machine, handler, &byte, stop);
	if (machine->undone || (done && is_undone(stop))) { /* the event has not happened */
		machine->input_at = at;
		machine->idle_polls = polls;
	}
	return done;
}

/* The work between two instructions, from where it stands. True: return from machine_run. */
static bool work_off_boundary(Machine *machine, MachineStop *stop)
{
	u64 icount = machine->vcpu.icount;

	for (;;) {
		const Step *step;
		bool done = false;

		machine_replay_due(machine);
		if (machine->phase >= machine->step_count)
			return false;
		step = &machine->steps[machine->phase++]; /* before it runs: a stop in it goes on behind it */
		machine->undone = false;
		switch (step->kind) {
		case STEP_EVERY:
			done = is_every(machine, step->handler) && run_body(machine, step->handler, NULL, stop);
			break;
		case STEP_FRAME:
			done = frame_due(machine) && give(machine, stop, STOP_FRAME);
			break;
		case STEP_EVENT:
			done = take_event(machine, step->handler, stop);
			break;
		case STEP_INTERRUPTS:
			done = enter_interrupt(machine, stop);
			break;
		}
		if (machine->undone || (done && is_undone(stop)))
			machine->phase--;
		if (done || machine->undone)
			return done;
		if (machine->vcpu.icount != icount) /* an exception took the place of the next instruction */
			return false;
	}
}

/* What a guest with an operating system does before its program goes on. False: somebody else has to run. */
static bool prepare(Machine *machine)
{
	VcpuRecord *record = &machine->vcpus[machine->running];

	machine_pass_time(machine);
	for (u32 i = 0; record->attention && machine_vcpu_ready(machine, machine->running) && i < ATTEND_TRIES; i++) {
		record->attention = false;
		machine->stirred = true;
		if (machine->guest->attend)
			machine->guest->attend(machine);
		record = &machine->vcpus[machine->running];
	}
	machine_map_aspace(machine);
	return machine_vcpu_ready(machine, machine->running);
}

/* How far the engine may go before the machine must look again. */
static u64 engine_budget(Machine *machine, u64 end)
{
	u64 icount = machine->vcpu.icount, budget = end - icount, until = machine_replay_distance(machine);

	if (machine->stirred)
		return 1;
	if (!machine->alone) {
		u64 quantum = machine->quantum_end > icount ? machine->quantum_end - icount : 1;

		if (quantum < until)
			until = quantum;
	}
	if (machine->guest && machine->guest->next_hour) {
		u64 hour = machine_instructions_until_hour(machine);

		if (hour < until)
			until = hour;
	}
	for (u32 i = 0; i < machine->step_count && machine->steps[i].kind == STEP_EVERY; i++) {
		u64 every = machine->isa->handlers[machine->steps[i].handler].every;
		u64 distance = every - icount % every;

		if (distance < until)
			until = distance;
	}
	return budget < until ? budget : until;
}

/* One turn of the loop. True: *stop says why machine_run returns. */
static bool turn(Machine *machine, u64 end, MachineStop *stop)
{
	Vcpu *vcpu = &machine->vcpu;
	u64 before;
	ExitKind kind;

	if (machine->idle_hit) {
		machine->idle_hit = false;
		machine_say(machine, "the program keeps asking for input, which has ended");
		return give(machine, stop, STOP_INPUT_ENDED);
	}
	if (vcpu->icount >= end || machine->break_soon)
		return give(machine, stop, STOP_BUDGET);
	if (!machine->alone && !machine_schedule(machine, stop))
		return true;
	if (machine->guest && !prepare(machine))
		return false;
	if (machine->phase == 0)
		machine->stirred = false;
	if (work_off_boundary(machine, stop))
		return true;
	if (machine->phase < machine->step_count)
		return false; /* an exception was taken at the boundary: this is the next one */
	if (!machine_vcpu_ready(machine, machine->running))
		return false; /* a handler has put it out of action */

	vcpu->skip_break = machine->skip_break && machine->skip_pc == vcpu->slots[0];
	vcpu->event_pending = false;
	vcpu->pending.kind = EXIT_BUDGET;
	machine->wants_channel = false;
	before = vcpu->icount;
	kind = machine->ops->run(machine->engine, vcpu, engine_budget(machine, end));
	machine->skip_break = false;
	vcpu->skip_break = false;
	switch (kind) {
	case EXIT_BUDGET:
	case EXIT_EVENT:
		if (vcpu->icount != before)
			retired(machine);
		return false;
	case EXIT_STOP:
	case EXIT_WATCH:
		retired(machine);
		vcpu->pending = vcpu->exit;
		return machine_give_pending(machine, stop);
	default:
		/* The instruction at pc was reached: the boundary before it is behind us, seen or not. */
		if (vcpu->icount != before)
			retired(machine);
		machine->phase = machine->step_count;
		return machine_take_exception(machine, stop);
	}
}

/* `stop` ends one vCPU, or a failure is taken by the guest, and others go on. */
static bool only_one_ends(Machine *machine, const MachineStop *stop)
{
	const Guest *guest = machine->guest;
	VcpuRecord *record = &machine->vcpus[machine->running];
	Buf said;
	bool taken;

	if (!guest || record->state != VCPU_READY)
		return false;
	if (stop->kind == STOP_HALT && guest->stop_ends_vcpu && !machine->alone) {
		machine_vcpu_end(machine, machine->running, stop->code);
		return true;
	}
	if (!guest->vcpu_failed || (stop->kind != STOP_FAULT && stop->kind != STOP_ILLEGAL && stop->kind != STOP_TRAP))
		return false;
	buf_init(&said);
	taken = guest->vcpu_failed(machine, stop, &said);
	if (taken)
		machine_put_error(machine, &said);
	buf_fini(&said);
	if (!taken)
		return false;
	if (record->state == VCPU_READY)
		machine_set_state(machine, machine->running, VCPU_FAILED, record->paused);
	record->code = machine->last_code = stop->code;
	machine->turns++;
	machine_update_alone(machine);
	return true;
}

/* Which one it was, when there are several. */
static void name_vcpu(Machine *machine, MachineStop *stop)
{
	size_t len = strlen(machine->text);

	if (machine->vcpu_count > 1 && len && stop->text == machine->text)
		snprintf(machine->text + len, sizeof(machine->text) - len, " (%s %u)", machine_vcpu_word(machine),
			 stop->vcpu);
	machine_show_vcpu(machine, stop->vcpu);
}

void machine_changed(Machine *machine)
{
	machine->vcpu.event_pending = true;
}

void machine_break_soon(Machine *machine)
{
	machine->break_soon = true;
	machine->vcpu.event_pending = true;
}

enum { PATIENCE = 100 };

void machine_set_patience(Machine *machine, u64 (*clock)(void), u64 until)
{
	machine->patience_clock = clock;
	machine->vcpu.host_slow = true;
	machine->patience_until = until;
	machine->slow_left = PATIENCE;
}

void machine_lose_patience(Machine *machine)
{
	machine->slow_left = PATIENCE;
	if (machine->inside && machine->patience_clock() >= machine->patience_until)
		machine_break_soon(machine);
}

MachineStop machine_run(Machine *machine, u64 max_insns)
{
	u64 icount = machine->vcpu.icount, end = max_insns > ~(u64)0 - icount ? ~(u64)0 : icount + max_insns;
	MachineStop stop;

	machine->text[0] = machine->reason[0] = 0;
	if (machine->failure.kind != STOP_BUDGET) {
		machine_say(machine, "the reset handler did not come to its end");
		machine->failure.text = machine->text;
		return machine->failure;
	}
	machine->stirred = true;
	machine->idle_hit = machine->break_soon = false;
	machine->slow_left = PATIENCE;
	machine->vcpu.resumed = true;
	machine_show_vcpu(machine, machine->running);
	machine->inside = true;
	while (!turn(machine, end, &stop) || only_one_ends(machine, &stop))
		;
	machine->inside = false;
	name_vcpu(machine, &stop);
	machine_flush_output(machine);
	return stop;
}

void machine_skip_break(Machine *machine)
{
	machine->skip_break = true;
	machine->skip_pc = machine->vcpus[machine->running].slots[0];
}
