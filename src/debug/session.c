/* SPDX-License-Identifier: MIT
 *
 * The life of a session, changes from outside, and running forward: step, next, finish, until, continue.
 *
 * `next` and `finish` run to an address with breakpoints, at full speed. What they return to may be reached by a
 * deeper call from the same place first (recursion), so the place of the call is watched too: every pass of it means
 * one more arrival at the target to let by.
 */
#include "debug/session_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

/* ---- Life ---- */

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	DebugSession *session = ctx;
	u64 start = session->output_at, skip = session->output_shown > start ? session->output_shown - start : 0;

	session->output_at += len;
	if (skip >= len)
		return;
	session->output_shown = session->output_at;
	if (session->output.write)
		session->output.write(session->output.ctx, bytes + skip, len - (size_t)skip);
}

DebugSession *debug_session_create(Machine *machine, DebugSymbols *symbols, u16 dialect, const DebugOutput *output)
{
	DebugSession *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->machine = machine;
	session->symbols = symbols;
	session->dialect = dialect;
	session->output = *output;
	session->interval = DEFAULT_INTERVAL;
	buf_init(&session->text);
	machine_set_output(machine, on_output, session);
	machine_record(machine, true);
	session->output_at = session->output_shown = machine_output_bytes(machine);
	session->reached = machine_icount(machine);
	if (!history_take(session, true)) {
		debug_session_destroy(session);
		return NULL;
	}
	return session;
}

void debug_session_destroy(DebugSession *session)
{
	if (!session)
		return;
	points_free(session);
	history_clear(session);
	machine_record(session->machine, false);
	machine_set_output(session->machine, NULL, NULL);
	buf_fini(&session->text);
	free(session->moments);
	free(session);
}

void debug_session_interrupt_flag(DebugSession *session, volatile sig_atomic_t *flag)
{
	session->interrupt = flag;
}

void debug_session_interval(DebugSession *session, u64 instructions)
{
	session->interval = instructions ? instructions : DEFAULT_INTERVAL;
}

Machine *debug_machine(DebugSession *session)
{
	return session->machine;
}

DebugSymbols *debug_symbols(DebugSession *session)
{
	return session->symbols;
}

void debug_names(const DebugSession *session, DebugNames *out)
{
	*out = (DebugNames){ machine_isa(session->machine), session->dialect, session->symbols };
}

u64 debug_past_begin(const DebugSession *session)
{
	return session->forward_only ? machine_icount(session->machine) : session->moments[0].icount;
}

u32 debug_snapshot_count(const DebugSession *session, u64 *bytes)
{
	*bytes = session->moment_bytes;
	return session->moment_count;
}

/* ---- Stops ---- */

bool session_interrupted(DebugSession *session)
{
	if (!session->interrupt || !*session->interrupt)
		return false;
	*session->interrupt = 0;
	return true;
}

DebugStop session_stop(DebugSession *session, DebugReason reason)
{
	(void)session;
	return (DebugStop){ .reason = reason };
}

DebugStop session_fail(DebugSession *session, const char *why)
{
	buf_clear(&session->text);
	buf_str(&session->text, why);
	return (DebugStop){ .reason = DEBUG_FAILED, .text = buf_text(&session->text) };
}

DebugStop session_machine_stop(DebugSession *session, MachineStop stop)
{
	buf_clear(&session->text);
	buf_str(&session->text, stop.text ? stop.text : "");
	stop.text = buf_text(&session->text);
	return (DebugStop){ .reason = DEBUG_MACHINE, .machine = stop };
}

static DebugStop hit_stop(DebugSession *session, const PointHit *hit)
{
	points_hit(session, hit->point);
	return (DebugStop){ .reason = hit->point->kind == DEBUG_POINT_BREAK ? DEBUG_BREAK : DEBUG_WATCH,
			    .point = hit->point, .before = hit->before, .after = hit->after };
}

/* ---- Forward ---- */

enum {
	IDLE_POLLS = 1000000, /* fruitless looks at the keyboard after which a program is said to wait */
	IDLE_LOOK = 1024,     /* single steps between two counts of them */
};

typedef struct Goal {
	u64 limit;      /* icount to stop at */
	bool has_target, has_call;
	u64 target;     /* pc to stop at ... */
	u64 call;       /* ... but each pass of this pc first lets one more arrival by */
	u64 depth;
	u32 vcpu;       /* of several: whose pc and instructions are meant; else VCPU_NONE */
	u64 own_limit;  /* its own instruction count to stop at; 0 = none */
} Goal;

static u64 least(u64 a, u64 b)
{
	return a < b ? a : b;
}

/* The machine stopped before an instruction. True: the goal is reached. */
static bool goal_reached(DebugSession *session, Goal *goal)
{
	u64 pc = machine_pc(session->machine);

	if (goal->vcpu != VCPU_NONE && goal->vcpu != machine_vcpu_current(session->machine))
		return false;
	if (goal->has_target && pc == goal->target) {
		if (!goal->depth)
			return true;
		goal->depth--;
	} else if (goal->has_call && pc == goal->call) {
		goal->depth++;
	}
	return false;
}

/* How many instructions to run before the session must look again. */
static u64 stretch_of(const DebugSession *session, const Goal *goal, bool steps)
{
	u64 now = machine_icount(session->machine);

	if (steps || goal->own_limit)
		return 1;
	return least(least(goal->limit, history_next(session)), now + least(CHUNK, session->interval)) - now;
}

/* What one call of machine_run came to. True: *out is the stop to give. */
static bool take_stop(DebugSession *session, Goal *goal, MachineStop stop, DebugStop *out)
{
	PointHit hit = { 0 };
	bool arrived;

	switch (stop.kind) {
	case STOP_BREAK:
		arrived = goal_reached(session, goal);
		hit = points_at_break(session);
		if (hit.point)
			*out = hit_stop(session, &hit);
		else if (arrived)
			*out = session_stop(session, DEBUG_FINISHED);
		else
			machine_skip_break(session->machine);
		return hit.point || arrived;
	case STOP_SLEEP: /* nobody is kept waiting here */
		history_fork(session);
		machine_set_time(session->machine, stop.code);
		return false;
	case STOP_FRAME:
		if (session->output.frame)
			session->output.frame(session->output.ctx);
		return false;
	case STOP_BUDGET:
	case STOP_WATCH:
		hit = points_after_step(session, &stop);
		if (hit.point)
			*out = hit_stop(session, &hit);
		return hit.point;
	default:
		*out = session_machine_stop(session, stop);
		return true;
	}
}

/* What has happened since the program began to do nothing but look for a key. */
typedef struct Idle {
	MachineStats since;
	u64 pending;
	u32 stretches;
} Idle;

/* A program that only looks whether a key is there, again and again, waits for one as much as a program that asks for
 * it does. In the past nobody is asked: what was typed then is on record. */
static bool waits_for_key(const DebugSession *session, const Goal *goal, bool steps, Idle *idle)
{
	const Machine *machine = session->machine;
	u64 pending = machine_input_pending(machine);
	MachineStats now;

	if (goal->limit != ~(u64)0 || machine_input_ended(machine) || (steps && ++idle->stretches % IDLE_LOOK))
		return false;
	machine_stats(machine, &now);
	if (now.output_bytes == idle->since.output_bytes && now.input_bytes == idle->since.input_bytes &&
	    pending == idle->pending && now.icount > session->reached)
		return now.key_polls - idle->since.key_polls >= IDLE_POLLS;
	idle->since = now;
	idle->pending = pending;
	return false;
}

static bool is_done(const DebugSession *session, const Goal *goal)
{
	if (machine_icount(session->machine) >= goal->limit)
		return true;
	return goal->own_limit && (machine_vcpu_icount(session->machine, goal->vcpu) >= goal->own_limit ||
				   !machine_vcpu_is_alive(session->machine, goal->vcpu));
}

/* Whose instructions `step` and the like mean. */
static u32 meant_vcpu(const DebugSession *session)
{
	return machine_vcpu_count(session->machine) > 1 ? machine_vcpu_current(session->machine) : VCPU_NONE;
}

static DebugStop run(DebugSession *session, Goal *goal)
{
	Idle idle = { .pending = machine_input_pending(session->machine) };
	Machine *machine = session->machine;
	u64 more[2] = { goal->target, goal->call };
	bool steps = points_need_steps(session);
	DebugStop out;

	machine_stats(machine, &idle.since);
	points_arm(session, more, goal->has_call ? 2 : goal->has_target);
	points_refresh(session);
	machine_skip_break(machine);
	for (;;) {
		if (!history_pass(session))
			return session_fail(session, "out of memory");
		if (is_done(session, goal)) {
			out = session_stop(session, DEBUG_DONE);
			break;
		}
		if (session_interrupted(session)) {
			out = session_stop(session, DEBUG_INTERRUPTED);
			break;
		}
		if (history_due(session))
			history_take(session, false);
		if (take_stop(session, goal, machine_run(machine, stretch_of(session, goal, steps)), &out))
			break;
		if (waits_for_key(session, goal, steps, &idle)) {
			out = session_machine_stop(session, (MachineStop){ .kind = STOP_WAIT, .pc = machine_pc(machine) });
			break;
		}
	}
	if (machine_icount(machine) > session->reached)
		session->reached = machine_icount(machine);
	if (out.reason == DEBUG_DONE && goal->own_limit)
		machine_vcpu_select(machine, goal->vcpu);
	return out;
}

static u64 icount_after(const DebugSession *session, u64 count)
{
	u64 now = machine_icount(session->machine);

	return count > ~(u64)0 - now ? ~(u64)0 : now + count;
}

static DebugStop run_to_pc(DebugSession *session, u64 target, bool has_call, u64 call)
{
	Goal goal = { .limit = ~(u64)0, .has_target = true, .target = target, .has_call = has_call, .call = call,
		      .vcpu = meant_vcpu(session) };

	goal.depth = has_call && machine_pc(session->machine) == call; /* it is the first thing that happens */
	return run(session, &goal);
}

DebugStop debug_step(DebugSession *session, u64 count)
{
	Goal goal = { .limit = icount_after(session, count), .vcpu = meant_vcpu(session) };
	u64 own = machine_vcpu_icount(session->machine, goal.vcpu);

	if (goal.vcpu != VCPU_NONE && machine_vcpu_is_alive(session->machine, goal.vcpu)) {
		goal.limit = ~(u64)0;
		goal.own_limit = count > ~(u64)0 - own ? ~(u64)0 : own + count;
	}
	return run(session, &goal);
}

DebugStop debug_run_to(DebugSession *session, u64 icount)
{
	Goal goal = { .limit = icount, .vcpu = VCPU_NONE };

	return run(session, &goal);
}

DebugStop debug_continue(DebugSession *session)
{
	Goal goal = { .limit = ~(u64)0, .vcpu = VCPU_NONE };

	return run(session, &goal);
}

DebugStop debug_until(DebugSession *session, u64 pc)
{
	return run_to_pc(session, bits_trunc(pc, machine_isa(session->machine)->pc_width), false, 0);
}

static u64 interrupts(const DebugSession *session)
{
	MachineStats stats;

	machine_stats(session->machine, &stats);
	return stats.interrupts;
}

static DebugStop next_once(DebugSession *session)
{
	for (;;) {
		u64 pc = machine_pc(session->machine), entered = interrupts(session), next;
		u32 cells;
		IsaFlow flow = flow_at(session, pc, &cells);
		DebugStop stop = debug_step(session, 1);

		if (stop.reason != DEBUG_DONE)
			return stop;
		next = bits_trunc(pc + cells, machine_isa(session->machine)->pc_width);
		if (interrupts(session) != entered && machine_pc(session->machine) != next) {
			stop = run_to_pc(session, pc, false, 0); /* an interrupt came first: past its handler */
			if (stop.reason != DEBUG_FINISHED)
				return stop;
			continue;
		}
		if (flow.calls && machine_pc(session->machine) != next)
			return run_to_pc(session, next, true, pc);
		return stop;
	}
}

DebugStop debug_next(DebugSession *session, u64 count)
{
	DebugStop stop = session_stop(session, DEBUG_DONE);

	while (count-- && (stop.reason == DEBUG_DONE || stop.reason == DEBUG_FINISHED))
		stop = next_once(session);
	return stop;
}

DebugStop debug_finish(DebugSession *session)
{
	u32 count;
	bool complete;
	Call *calls = flow_open_calls(session, &count, &complete), call;

	if (session_interrupted(session)) {
		free(calls);
		return session_stop(session, DEBUG_INTERRUPTED);
	}
	if (!count) {
		free(calls);
		return session_fail(session, complete ? "this is the outermost function: nothing called it"
						      : "no call that led here was found in the recorded past");
	}
	call = calls[0];
	free(calls);
	return run_to_pc(session, call.back, !call.interrupt && call.back != call.from, call.from);
}

/* ---- Changes from outside ---- */

/* The state was changed by hand: the past leads up to here, another future begins. */
static bool change(DebugSession *session)
{
	Moment *last;

	history_fork(session);
	last = &session->moments[session->here];
	if (session->here > 0 && last->barrier && last->icount == machine_icount(session->machine)) {
		buf_clear(&last->bytes); /* a second change at the same place: one barrier is enough */
		last->log_at = machine_replay_position(session->machine);
		return machine_snapshot(session->machine, &last->bytes) == STATUS_OK;
	}
	return history_take(session, true);
}

bool debug_assign(DebugSession *session, const DebugExpr *target, u64 value, Buf *error)
{
	if (!debug_expr_assign(target, session->machine, value, error))
		return false;
	if (change(session))
		return true;
	buf_str(error, status_text(STATUS_NOMEM));
	return false;
}

void debug_input(DebugSession *session, const u8 *bytes, size_t len)
{
	history_fork(session);
	machine_input(session->machine, bytes, len);
}

void debug_input_end(DebugSession *session)
{
	history_fork(session);
	machine_input_end(session->machine);
}

Status debug_save(DebugSession *session, Buf *out)
{
	return machine_snapshot(session->machine, out);
}

Status debug_load(DebugSession *session, const u8 *bytes, size_t len)
{
	Status status;

	points_disarm(session);
	status = machine_restore(session->machine, bytes, len);
	if (status)
		return status;
	/* A state from elsewhere: no past leads to it. */
	history_clear(session);
	machine_record(session->machine, true);
	session->output_at = session->output_shown = machine_output_bytes(session->machine);
	session->reached = machine_icount(session->machine);
	return history_take(session, true) ? STATUS_OK : STATUS_NOMEM;
}

Status debug_reset(DebugSession *session)
{
	if (session->forward_only)
		return STATUS_UNSUPPORTED;
	points_disarm(session);
	if (!history_restore(session, 0))
		return STATUS_NOMEM;
	history_fork(session);
	return STATUS_OK;
}
