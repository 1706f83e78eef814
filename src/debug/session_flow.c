/* SPDX-License-Identifier: MIT
 *
 * The call structure of the guest, which nothing records while it runs. It is found when somebody asks, by executing
 * the last stretch of the past again, one instruction at a time, and noting what each does: `call`, `ret` (the
 * description says which instructions are which), or entering a handler.
 *
 * A return closes the innermost open call that comes back to where it went; a return that matches none (a jump
 * through a register that only looks like one) closes nothing.
 */
#include "base/array.h"
#include "debug/session_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

IsaFlow flow_at(DebugSession *session, u64 pc, u32 *cells)
{
	IsaDecoded decoded;
	FlowEntry *entry;
	u64 hash = 0;

	machine_decode(session->machine, pc, &decoded);
	*cells = decoded.cells;
	if (!decoded.insn)
		return (IsaFlow){ 0 };
	for (unsigned i = 0; i < ISA_WORDS; i++)
		hash = (hash ^ decoded.w[i]) * 0x9E3779B97F4A7C15u;
	entry = &session->flows[hash >> 56];
	if (entry->insn != decoded.insn || memcmp(entry->w, decoded.w, sizeof(entry->w)) != 0) {
		entry->insn = decoded.insn;
		memcpy(entry->w, decoded.w, sizeof(entry->w));
		entry->flow = isa_flow(machine_isa(session->machine), &decoded);
	}
	return entry->flow;
}

Move flow_step(DebugSession *session)
{
	Machine *machine = session->machine;
	MachineStats before, after;
	u32 cells, next_up = machine_vcpu_next(machine), vcpu = next_up == VCPU_NONE ? machine_vcpu_running(machine) : next_up;
	Move move = { .kind = MOVE_ON, .vcpu = vcpu, .from = machine_vcpu_slot(machine, vcpu, 0) };
	IsaFlow flow = flow_at(session, move.from, &cells);
	u64 next = bits_trunc(move.from + cells, machine_isa(machine)->pc_width);
	u64 own = machine_vcpu_icount(machine, vcpu);

	machine_stats(machine, &before);
	do { /* a frame may be due first */
		machine_skip_break(machine);
	} while (machine_run(machine, 1).kind == STOP_FRAME && machine_icount(machine) == before.icount);
	machine_stats(machine, &after);
	move.to = machine_vcpu_slot(machine, vcpu, 0);
	if (after.icount == before.icount) {
		move.kind = MOVE_STUCK;
	} else if (machine_vcpu_icount(machine, vcpu) == own) {
		move.vcpu = VCPU_NONE;
	} else if (after.interrupts != before.interrupts) {
		move.kind = MOVE_ENTER;
		move.back = move.back_too = move.from;
	} else if (flow.calls && move.to != next) {
		move.kind = MOVE_CALL;
		move.back = next;
	} else if (flow.returns && (!flow.conditional || move.to != next)) {
		move.kind = MOVE_RETURN;
	} else if (!flow.jumps && !flow.calls && !flow.returns && move.to != next) {
		move.kind = MOVE_ENTER; /* an exception */
		move.back = move.from;
		move.back_too = next;
	}
	return move;
}

/* ---- Open calls ---- */

/* What a stretch of execution did: returns that closed calls made before it, then the calls it left open. */
typedef struct Stretch {
	u64 *returns; /* where they went */
	u32 return_count, return_cap;
	struct OpenCall {
		Call call;
		u64 back_too;
	} *calls;
	u32 call_count, call_cap;
	bool failed;
} Stretch;

static void stretch_free(Stretch *stretch)
{
	free(stretch->returns);
	free(stretch->calls);
}

static void push_call(Stretch *stretch, const Move *move)
{
	if (!array_grow((void **)&stretch->calls, &stretch->call_cap, stretch->call_count, sizeof(*stretch->calls))) {
		stretch->failed = true;
		return;
	}
	stretch->calls[stretch->call_count++] = (struct OpenCall){
		.call = { .from = move->from, .entry = move->to, .back = move->back,
			  .interrupt = move->kind == MOVE_ENTER },
		.back_too = move->kind == MOVE_ENTER ? move->back_too : move->back,
	};
}

/* Closes the innermost call that comes back to `to`, and those inside it. False when there is none. */
static bool pop_call(Stretch *stretch, u64 to)
{
	for (u32 i = stretch->call_count; i-- > 0;)
		if (stretch->calls[i].call.back == to || stretch->calls[i].back_too == to) {
			stretch->call_count = i;
			return true;
		}
	return false;
}

static void note_return(Stretch *stretch, u64 to)
{
	if (pop_call(stretch, to))
		return;
	if (!array_grow((void **)&stretch->returns, &stretch->return_cap, stretch->return_count, sizeof(u64))) {
		stretch->failed = true;
		return;
	}
	stretch->returns[stretch->return_count++] = to;
}

/* Executes from the present to icount `end`, noting. It ends at `end_pc`: where an instruction would run otherwise, an
 * interrupt has been entered and its handler not begun. */
static void run_stretch(DebugSession *session, u64 end, u64 end_pc, Stretch *stretch)
{
	while (machine_icount(session->machine) < end && !stretch->failed) {
		Move move = flow_step(session);

		if (move.kind == MOVE_STUCK)
			return;
		if (move.vcpu != session->focus)
			; /* another one's calls */
		else if (move.kind == MOVE_RETURN)
			note_return(stretch, move.to);
		else if (move.kind != MOVE_ON)
			push_call(stretch, &move);
		if (session->interrupt && *session->interrupt) {
			stretch->failed = true;
			return;
		}
	}
	if (machine_vcpu_slot(session->machine, session->focus, 0) != end_pc) {
		u64 from = machine_vcpu_slot(session->machine, session->focus, 0);
		Move move = { .kind = MOVE_ENTER, .from = from, .to = end_pc, .back = from, .back_too = from };

		push_call(stretch, &move);
	}
}

/* `later` happened after `first`: joined into `first`. */
static void join(Stretch *first, const Stretch *later)
{
	for (u32 i = 0; i < later->return_count; i++)
		note_return(first, later->returns[i]);
	for (u32 i = 0; i < later->call_count && !first->failed; i++) {
		const struct OpenCall *open = &later->calls[i];
		Move move = { .kind = open->call.interrupt ? MOVE_ENTER : MOVE_CALL, .from = open->call.from,
			      .to = open->call.entry, .back = open->call.back, .back_too = open->back_too };

		push_call(first, &move);
	}
	first->failed |= later->failed;
}

Call *flow_open_calls(DebugSession *session, u32 *count, bool *complete)
{
	u64 now = machine_icount(session->machine), end = now, end_pc = machine_pc(session->machine), begin_pc;
	u32 index = session->here + 1;
	Stretch whole = { 0 };
	Present present;
	Call *calls;

	*count = 0;
	*complete = false;
	session->focus = machine_vcpu_current(session->machine);
	if (!history_save(session, &present))
		return NULL;
	points_disarm(session);
	while (index-- > 0 && !whole.failed && now - session->moments[index].icount <= MAX_TRACE) {
		Stretch stretch = { 0 };

		if (!history_restore(session, index))
			break;
		begin_pc = machine_vcpu_slot(session->machine, session->focus, 0);
		run_stretch(session, end, end_pc, &stretch);
		join(&stretch, &whole);
		stretch_free(&whole);
		whole = stretch;
		end = session->moments[index].icount;
		end_pc = begin_pc;
		*complete = index == 0 && end == 0 && !whole.failed;
	}
	history_return(session, &present);
	calls = calloc((size_t)whole.call_count + 1, sizeof(*calls));
	for (u32 i = 0; calls && i < whole.call_count; i++)
		calls[i] = whole.calls[whole.call_count - 1 - i].call;
	*count = calls ? whole.call_count : 0;
	stretch_free(&whole);
	return calls;
}

u32 debug_backtrace(DebugSession *session, DebugFrame *frames, u32 cap, bool *complete)
{
	u32 count, used = 0;
	Call *calls = flow_open_calls(session, &count, complete);

	for (u32 i = 0; i <= count && used < cap; i++) {
		DebugFrame *frame = &frames[used++];

		*frame = (DebugFrame){ .pc = i ? calls[i - 1].from : machine_pc(session->machine) };
		if (calls && i < count) {
			frame->entry = calls[i].entry;
			frame->entry_known = true;
			frame->interrupt = calls[i].interrupt;
		}
	}
	*complete = *complete && used == count + 1;
	free(calls);
	return used;
}
