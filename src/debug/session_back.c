/* SPDX-License-Identifier: MIT
 *
 * Going back. Nothing runs backward: the past is executed again from a snapshot, and searched.
 *
 * reverse-continue looks for the last place before this one where a point would have stopped. It runs the stretch
 * from the nearest snapshot to here with the points armed and keeps the last hit; when there is none it takes the
 * stretch before that, and so on to the beginning. Then it goes to the hit in the same way the search found it.
 */
#include "base/array.h"
#include "debug/session_private.h"

#include <stdlib.h>

DebugStop debug_goto(DebugSession *session, u64 icount)
{
	MachineStop stop;
	u64 begin = debug_past_begin(session);

	stop = history_seek(session, icount < begin ? begin : icount);
	if (session_interrupted(session))
		return session_stop(session, DEBUG_INTERRUPTED);
	if (stop.kind == STOP_ERROR)
		return session_fail(session, status_text(stop.status));
	if (machine_icount(session->machine) < icount)
		return session_machine_stop(session, stop);
	machine_vcpu_next(session->machine);
	return session_stop(session, icount < begin ? DEBUG_PAST_END : DEBUG_DONE);
}

/* How many instructions of its own this vCPU had executed at an instruction count of the past. */
static u64 own_at(DebugSession *session, u32 vcpu, u64 serial, u64 icount)
{
	history_seek(session, icount);
	return machine_vcpu_serial(session->machine, vcpu) == serial ? machine_vcpu_icount(session->machine, vcpu) : 0;
}

/* The last place at which it had executed `own` instructions: looks ever further back, then halves the distance. */
static u64 find_own(DebugSession *session, u32 vcpu, u64 own, u64 now)
{
	u64 serial = machine_vcpu_serial(session->machine, vcpu), begin = debug_past_begin(session);
	u64 after = now, before, step = 1;

	for (;;) {
		before = after - begin > step ? after - step : begin;
		if (before == begin || own_at(session, vcpu, serial, before) <= own)
			break;
		after = before;
		step *= 2;
	}
	while (after - before > 1) {
		u64 middle = before + (after - before) / 2;

		if (own_at(session, vcpu, serial, middle) <= own)
			before = middle;
		else
			after = middle;
	}
	return before;
}

/* Undoes instructions of the vCPU that is current, whatever the others did in between. */
static DebugStop back_vcpu(DebugSession *session, u64 count)
{
	u32 vcpu = machine_vcpu_current(session->machine);
	u64 own = machine_vcpu_icount(session->machine, vcpu), icount;
	DebugStop stop;
	Present present;

	if (!own || machine_icount(session->machine) <= debug_past_begin(session))
		return debug_goto(session, machine_icount(session->machine) - 1);
	if (!history_save(session, &present))
		return session_fail(session, "out of memory");
	icount = find_own(session, vcpu, own > count ? own - count : 0, machine_icount(session->machine));
	history_return(session, &present);
	stop = debug_goto(session, icount);
	machine_vcpu_select(session->machine, vcpu);
	return stop;
}

DebugStop debug_reverse_step(DebugSession *session, u64 count)
{
	u64 now = machine_icount(session->machine), begin = debug_past_begin(session);
	DebugStop stop;

	if (now <= begin)
		return session_stop(session, DEBUG_PAST_END);
	if (machine_vcpu_count(session->machine) > 1)
		return back_vcpu(session, count);
	stop = debug_goto(session, now - begin < count ? begin : now - count);
	if (stop.reason == DEBUG_DONE && now - begin < count)
		stop.reason = DEBUG_PAST_END;
	return stop;
}

/* ---- reverse-next ---- */

typedef struct Delta { /* the call depth changes by `by` when the instruction at icount is executed */
	u64 icount;
	int by;
} Delta;

typedef struct Deltas {
	Delta *items;
	u32 count, cap;
} Deltas;

static bool note(Deltas *deltas, u64 icount, int by)
{
	if (!array_grow((void **)&deltas->items, &deltas->cap, deltas->count, sizeof(Delta)))
		return false;
	deltas->items[deltas->count++] = (Delta){ icount, by };
	return true;
}

static bool scan_depth(DebugSession *session, u64 end, Deltas *deltas)
{
	deltas->count = 0;
	while (machine_icount(session->machine) < end) {
		u64 icount = machine_icount(session->machine);
		Move move = flow_step(session);
		int by = move.vcpu != session->focus ? 0 :
			 move.kind == MOVE_RETURN ? -1 : move.kind == MOVE_CALL || move.kind == MOVE_ENTER ? 1 : 0;

		if (move.kind == MOVE_STUCK || (by && !note(deltas, icount, by)) ||
		    (session->interrupt && *session->interrupt))
			return false;
	}
	return true;
}

/* Walks back over the changes of depth; `level` is how much deeper than the start it is there. True: found. */
static bool walk_back(const Deltas *deltas, i64 *level, u64 *found)
{
	for (u32 i = deltas->count; i-- > 0;) {
		*level -= deltas->items[i].by;
		if (*level <= 0) {
			*found = deltas->items[i].icount;
			return true;
		}
	}
	return false;
}

/* The instruction before the present one returned from somewhere: finds where it had been called from. */
static bool find_caller(DebugSession *session, u64 now, u64 *found)
{
	Deltas deltas = { 0 };
	u64 end = now;
	u32 index = history_find(session, now - 1) + 1;
	i64 level = 0;
	bool done = false;

	while (!done && index-- > 0 && now - session->moments[index].icount <= MAX_TRACE)
		if (session->moments[index].icount < end) {
			if (!history_restore(session, index) || !scan_depth(session, end, &deltas))
				break;
			done = walk_back(&deltas, &level, found);
			end = session->moments[index].icount;
		}
	free(deltas.items);
	return done;
}

static DebugStop reverse_next_once(DebugSession *session)
{
	u64 now = machine_icount(session->machine), found;
	u32 vcpu = machine_vcpu_current(session->machine);
	Present present;
	DebugStop stop;
	Move move;

	if (now <= debug_past_begin(session))
		return session_stop(session, DEBUG_PAST_END);
	if (!history_save(session, &present))
		return session_fail(session, "out of memory");
	session->focus = vcpu;
	if (machine_vcpu_count(session->machine) > 1 && machine_vcpu_icount(session->machine, vcpu)) /* behind its last */
		now = find_own(session, vcpu, machine_vcpu_icount(session->machine, vcpu) - 1, now) + 1;
	history_seek(session, now - 1);
	move = flow_step(session);
	found = now - 1;
	if (move.kind == MOVE_RETURN && !find_caller(session, now, &found))
		found = move.kind == MOVE_RETURN && now - debug_past_begin(session) <= MAX_TRACE ? debug_past_begin(session)
												: now - 1;
	if (session_interrupted(session)) {
		history_return(session, &present);
		return session_stop(session, DEBUG_INTERRUPTED);
	}
	history_return(session, &present);
	stop = debug_goto(session, found);
	machine_vcpu_select(session->machine, vcpu);
	return stop;
}

DebugStop debug_reverse_next(DebugSession *session, u64 count)
{
	DebugStop stop = session_stop(session, DEBUG_DONE);

	points_disarm(session);
	while (count-- && stop.reason == DEBUG_DONE)
		stop = reverse_next_once(session);
	return stop;
}

/* ---- reverse-continue ---- */

typedef struct PastHit {
	PointHit hit;
	u64 icount; /* of the instruction that is about to be executed */
} PastHit;

/* Runs from the present to icount `end`, keeping the last hit. False: interrupted. */
static bool search(DebugSession *session, u64 end, PastHit *last)
{
	Machine *machine = session->machine;
	bool steps = points_need_steps(session);

	points_refresh(session);
	while (machine_icount(machine) < end) {
		u64 now = machine_icount(machine), left = end - now;
		MachineStop stop = machine_run(machine, steps ? 1 : left < CHUNK ? left : CHUNK);
		PointHit hit;

		if (session->interrupt && *session->interrupt)
			return false;
		if (stop.kind == STOP_BREAK) {
			hit = points_at_break(session);
			if (hit.point)
				*last = (PastHit){ hit, machine_icount(machine) };
			machine_skip_break(machine);
			continue;
		}
		hit = points_after_step(session, &stop);
		if (hit.point)
			*last = (PastHit){ hit, machine_icount(machine) - 1 };
		if (machine_icount(machine) == now && stop.kind != STOP_FRAME && stop.kind != STOP_WATCH)
			break; /* the program cannot get past here */
	}
	return true;
}

/* The last hit before icount `now`. False: interrupted or out of memory. */
static bool search_back(DebugSession *session, u64 now, PastHit *last)
{
	u64 end = now;

	for (u32 index = history_find(session, now - 1) + 1; index-- > 0 && !last->hit.point;) {
		if (session->moments[index].icount >= end)
			continue;
		if (!history_restore(session, index) || !search(session, end, last))
			return false;
		end = session->moments[index].icount;
	}
	return true;
}

static DebugStop go_to_hit(DebugSession *session, PastHit *last)
{
	history_seek(session, last->icount);
	if (last->hit.point->kind == DEBUG_POINT_BREAK) {
		/* To the very same place: what happens between two instructions has happened there. */
		points_arm(session, NULL, 0);
		machine_run(session->machine, 1);
	} else {
		machine_vcpu_next(session->machine); /* that is the one who did it */
	}
	points_hit(session, last->hit.point);
	return (DebugStop){ .reason = last->hit.point->kind == DEBUG_POINT_BREAK ? DEBUG_BREAK : DEBUG_WATCH,
			    .point = last->hit.point, .before = last->hit.before, .after = last->hit.after,
			    .backward = true };
}

DebugStop debug_reverse_continue(DebugSession *session)
{
	u64 now = machine_icount(session->machine);
	PastHit last = { 0 };
	Present present;

	if (now <= debug_past_begin(session))
		return session_stop(session, DEBUG_PAST_END);
	if (!history_save(session, &present))
		return session_fail(session, "out of memory");
	points_arm(session, NULL, 0);
	if (!search_back(session, now, &last)) {
		history_return(session, &present);
		return session_interrupted(session) ? session_stop(session, DEBUG_INTERRUPTED)
						    : session_fail(session, "out of memory");
	}
	history_stay(session, &present);
	if (last.hit.point)
		return go_to_hit(session, &last);
	history_seek(session, debug_past_begin(session));
	return session_stop(session, DEBUG_PAST_END);
}
