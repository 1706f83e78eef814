/* SPDX-License-Identifier: MIT
 *
 * One slice of an instance, on a worker: what came in meanwhile goes into the machine, the machine runs, what went out is
 * counted; then, with the lock again, what comes of it.
 *
 * A turn on a worker is one slice, or several, if it takes long to move an instance in and out (turn_ns in ready.c): then it looks
 * after each whether somebody has come or something is to be done. Who comes waits for the end of a slice, not of a turn.
 *
 * A slice is a number of instructions that take about slice_ns, by what the last ones took. A guest that suddenly becomes slow (host
 * calls, devices) is held by the machine itself, which looks at the clock after some of these (machine_set_patience).
 */
#include "hyper/hyper_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "machine/vcpus.h"

enum { WEIGHT_SHIFT = 10, GROWTH = 4, SLICE_INSNS_LEAST = 1000, LATE = 2, SWITCH_NS = 4000 };

static u64 host_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (u64)time.tv_sec * 1000000000 + (u64)time.tv_nsec;
}

/* What this thread has had of the host's processors: an instance does not pay for what the host gave to others meanwhile. */
static u64 spent_now(const Hyper *hyper)
{
	struct timespec time;

	if (hyper_is_deterministic(hyper) || clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time))
		return host_now();
	return (u64)time.tv_sec * 1000000000 + (u64)time.tv_nsec;
}

/* ---- What goes out ---- */

static void keep(Instance *instance, const u8 *bytes, size_t len)
{
	u32 size = instance->options.output_kept;

	if (len > size) {
		instance->kept_total += len - size;
		bytes += len - size;
		len = size;
	}
	while (len) {
		u32 at = (u32)(instance->kept_total % size);
		size_t part = len < size - at ? len : size - at;

		memcpy(instance->kept + at, bytes, part);
		instance->kept_total += part;
		bytes += part;
		len -= part;
	}
}

void slice_breach(Instance *instance, BudgetKind kind)
{
	machine_break_soon(instance->machine);
	if (instance->breach)
		return;
	instance->breach_kind = kind;
	if (budget_take(instance->budget, kind, 1, &instance->breach)) /* somebody gave some back: what was tried was too much */
		budget_give(instance->budget, kind, 1);
	if (!instance->breach)
		instance->breach = instance->budget;
}

static void put_out(Instance *instance, MachineOutput output, const u8 *bytes, size_t len)
{
	size_t granted = instance->breach || !len ? 0 : (size_t)budget_take(instance->budget, BUDGET_OUTPUT, len, NULL);

	if (granted < len)
		slice_breach(instance, BUDGET_OUTPUT);
	if (!granted)
		return;
	instance->written += granted;
	if (instance->kept)
		keep(instance, bytes, granted);
	if (output)
		output(instance->options.ctx, bytes, granted);
}

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	Instance *instance = ctx;

	put_out(instance, instance->options.output, bytes, len);
}

static void on_errors(void *ctx, const u8 *bytes, size_t len)
{
	Instance *instance = ctx;

	put_out(instance, instance->options.errors ? instance->options.errors : instance->options.output, bytes, len);
}

static u64 machine_clock_now(void *ctx)
{
	const Instance *instance = ctx;

	return hyper_now(instance->hyper) - instance->base;
}

void slice_attach(Instance *instance)
{
	machine_set_output(instance->machine, on_output, instance);
	machine_set_errors(instance->machine, on_errors, instance);
	if (!hyper_is_deterministic(instance->hyper) && !machine_time_is_virtual(instance->machine))
		machine_set_clock(instance->machine, machine_clock_now, instance);
}

/* ---- What comes in ---- */

/* With the lock for the time of taking it. */
static void let_in(Instance *instance)
{
	Machine *machine = instance->machine;
	const Guest *guest = machine_guest(machine);
	Hyper *hyper = instance->hyper;
	u32 rights = budget_rights(instance->budget);
	bool end, ask, ready, news;
	Buf inbox;

	pthread_mutex_lock(&hyper->lock);
	inbox = instance->inbox;
	buf_init(&instance->inbox);
	end = instance->inbox_end;
	ask = instance->ask_to_end;
	ready = instance->fds_ready;
	news = instance->news;
	instance->inbox_end = instance->ask_to_end = instance->fds_ready = instance->news = false;
	pthread_mutex_unlock(&hyper->lock);

	machine_set_rights(machine, rights);
	machine_set_time(machine, hyper_now(hyper) - instance->base);
	if (news)
		machine_stir(machine);
	if (ready && guest && guest->outside_done)
		guest->outside_done(machine, instance->fds, instance->fd_count);
	if (!(rights & MAY_INPUT)) { /* as if it had ended */
		buf_clear(&inbox);
		end = true;
	}
	if (inbox.len)
		machine_input(machine, inbox.data, inbox.len);
	if (ask && !(guest && guest->ask_to_end && guest->ask_to_end(machine)))
		end = true;
	if (end)
		machine_input_end(machine);
	buf_fini(&inbox);
}

/* Descriptors that others of its processes wait for, while one runs. */
static void look_outside(Instance *instance)
{
	const Guest *guest = machine_guest(instance->machine);
	struct pollfd fds[OUTSIDE_FDS];
	u32 count;

	if (!guest || !guest->outside)
		return;
	count = guest->outside(instance->machine, fds, OUTSIDE_FDS);
	if (count > OUTSIDE_FDS)
		count = OUTSIDE_FDS;
	if (count && poll(fds, count, 0) > 0)
		guest->outside_done(instance->machine, fds, count);
}

/* ---- The slice ---- */

/* So that the next one takes slice_ns. */
static void adapt(Instance *instance, u64 insns, u64 ns)
{
	u64 wanted = instance->hyper->config.slice_ns, most = instance->slice * GROWTH, next;

	if (hyper_is_deterministic(instance->hyper) || !insns)
		return;
	next = (u64)((double)insns * (double)wanted / (double)(ns + 1));
	if (insns < instance->slice && next > instance->slice) /* it had little to do: that says little */
		return;
	next = next < most ? next : most;
	instance->slice = next < SLICE_INSNS_LEAST ? SLICE_INSNS_LEAST : next < SLICE_INSNS_MOST ? next : SLICE_INSNS_MOST;
}

/* In one line, for people; those who know the program's names can say more of it. */
static void describe_stop(const Machine *machine, const MachineStop *stop, char *out, size_t cap)
{
	const Isa *isa = machine_isa(machine);
	unsigned long long pc = stop->pc, address = stop->address, code = stop->code;

	switch (stop->kind) {
	case STOP_ILLEGAL: snprintf(out, cap, "illegal instruction at %#llx", pc); break;
	case STOP_TRAP:
		snprintf(out, cap, "unhandled exception %llu%s%s%s at %#llx", code, stop->reason ? " (" : "",
			 stop->reason ? stop->reason : "", stop->reason ? ")" : "", pc);
		break;
	case STOP_FAULT:
		snprintf(out, cap, "%s outside memory, %s[%#llx], at %#llx", stop->write ? "write" : "access",
			 isa->spaces[stop->space].name, address, pc);
		break;
	case STOP_DENIED: snprintf(out, cap, "%s, at %#llx", stop->text ? stop->text : "a service it does not have", pc); break;
	case STOP_INPUT_ENDED: snprintf(out, cap, "waits for input, which has ended, at %#llx", pc); break;
	default: snprintf(out, cap, "%s", stop->text && *stop->text ? stop->text : "failed"); break;
	}
}

/* What is asked of the machine about its stop, before it goes. */
static void judge(const Machine *machine, SliceOutcome *out)
{
	const Guest *guest = machine_guest(machine);
	const MachineStop *stop = &out->stop;

	out->memory = machine_memory_used(machine);
	switch (stop->kind) {
	case STOP_WAIT: out->starved = machine_input_ended(machine) && !machine_input_pending(machine); break;
	case STOP_HALT:
		out->code = guest && guest->exit_code ? guest->exit_code(machine, stop->code)
						      : (int)(stop->code > 255 ? 255 : stop->code);
		snprintf(out->text, sizeof out->text, "%s", stop->reason && stop->code ? stop->reason : "");
		break;
	case STOP_BUDGET:
	case STOP_FRAME:
	case STOP_ERROR: break;
	case STOP_SLEEP: out->waits_outside = machine_waits_for(machine, MACHINE_OUTSIDE); break;
	default: describe_stop(machine, stop, out->text, sizeof out->text); break;
	}
	out->stop.text = out->stop.reason = NULL;
}

/* What comes of it is seen by others only when the machine has gone: they may end what it is made of. */
static bool leave_if_full(Instance *instance, const SliceOutcome *outcome)
{
	Hyper *hyper = instance->hyper;
	InstanceState state = INSTANCE_ENDED;
	bool full;

	switch (outcome->stop.kind) {
	case STOP_BUDGET:
	case STOP_FRAME:
	case STOP_BREAK:
	case STOP_WATCH: state = INSTANCE_READY; break;
	case STOP_WAIT:
	case STOP_SLEEP: state = INSTANCE_WAITING; break;
	default: break;
	}
	pthread_mutex_lock(&hyper->lock);
	full = instance->refs && pool_is_full(instance, outcome->breach ? INSTANCE_ENDED : state);
	pthread_mutex_unlock(&hyper->lock);
	if (full)
		pool_leave(instance);
	return full;
}

/* Fuel for the next slice; 0: there is none. */
static u64 borrow(Instance *instance, SliceOutcome *out)
{
	u64 most = instance->slice < instance->slice_most ? instance->slice : instance->slice_most;

	return budget_borrow(instance->budget, BUDGET_FUEL, most, &out->breach, &out->again);
}

static void run_one(Instance *instance, u64 granted, SliceOutcome *out)
{
	Hyper *hyper = instance->hyper;
	Machine *machine = instance->machine;
	u64 before = machine_icount(machine), insns;

	let_in(instance);
	if (!hyper_is_deterministic(hyper))
		machine_set_patience(machine, host_now, host_now() + LATE * hyper->config.slice_ns);
	out->stop = machine_run(machine, granted);
	insns = machine_icount(machine) - before;
	budget_settle(instance->budget, BUDGET_FUEL, granted - insns);
	out->insns += insns;
	out->slices++;
	if (instance->breach) {
		out->breach = instance->breach;
		out->kind = instance->breach_kind;
	}
	if (out->stop.kind != STOP_BUDGET || out->breach)
		return;
	look_outside(instance);
	pool_stay(instance, insns);
}

/* Its turn is not over, nobody has come meanwhile and no hour; so nothing would be done but to take it again. */
static bool goes_on(const Instance *instance, const SliceOutcome *out)
{
	const Hyper *hyper = instance->hyper;

	return out->stop.kind == STOP_BUDGET && !out->breach && out->ns < instance->turn_ns &&
	       __atomic_load_n(&hyper->bell, __ATOMIC_RELAXED) == instance->bell &&
	       __atomic_load_n(&hyper->next_hour, __ATOMIC_RELAXED) > hyper_now(hyper);
}

/* It has a machine, or it is said why not. */
static Status enter(Instance *instance, SliceOutcome *out)
{
	Status status;
	Buf why;

	buf_init(&why);
	status = pool_enter(instance, &why);
	if (status)
		snprintf(out->text, sizeof out->text, "%s", buf_text(&why));
	buf_fini(&why);
	return status;
}

void slice_run(Instance *instance, SliceOutcome *out)
{
	u64 granted, start = spent_now(instance->hyper), before = start, now;
	bool parked = !instance->machine;

	*out = (SliceOutcome){.kind = BUDGET_FUEL};
	granted = borrow(instance, out);
	if (!granted)
		return;
	out->stop.status = enter(instance, out);
	if (out->stop.status) {
		out->stop.kind = STOP_ERROR;
		budget_settle(instance->budget, BUDGET_FUEL, granted);
		return;
	}
	if (parked) {
		before = spent_now(instance->hyper);
		out->switch_ns = before - start;
	}
	for (;;) {
		u64 insns = out->insns;

		run_one(instance, granted, out);
		now = spent_now(instance->hyper);
		out->ns = now - start;
		adapt(instance, out->insns - insns, now - before);
		before = now;
		if (!goes_on(instance, out))
			break;
		granted = borrow(instance, out);
		if (!granted) { /* the next turn finds out why */
			out->breach = NULL;
			out->again = false;
			break;
		}
	}
	judge(instance->machine, out);
	if (leave_if_full(instance, out))
		out->switch_ns += spent_now(instance->hyper) - now;
}

/* ---- What comes of it ---- */

/* The mean of some; one that the host has held up counts like twice the mean at most. */
static void count_switch(Pool *pool, u64 ns)
{
	u64 mean, most;

	if (!pool)
		return;
	mean = pool->switch_ns;
	most = 2 * mean + SWITCH_NS;
	pool->switch_ns = (7 * mean + (ns < most ? ns : most)) / 8;
}

static void charge(Instance *instance, const SliceOutcome *outcome)
{
	Hyper *hyper = instance->hyper;
	u64 cost = hyper_is_deterministic(hyper) ? outcome->insns : outcome->ns;

	instance->insns += outcome->insns;
	instance->cpu_ns += outcome->ns;
	instance->slices += outcome->slices + !outcome->slices;
	if (outcome->switch_ns)
		count_switch(instance->pool, outcome->switch_ns);
	if (outcome->again) /* not again at once: others have to come to the end of theirs */
		cost = hyper_is_deterministic(hyper) ? hyper->config.slice_insns : hyper->config.slice_ns / 4;
	instance->had += ((cost ? cost : 1) << WEIGHT_SHIFT) * HYPER_WEIGHT / instance->options.weight;
	hyper->insns += outcome->insns;
	/* The next one like it begins with a part of what this one has come to: it may do something else. */
	if (instance->pool && !hyper_is_deterministic(hyper) && outcome->stop.kind == STOP_BUDGET)
		instance->pool->slice = instance->slice / GROWTH;
}

static void end_at_limit(Instance *instance, const Budget *breach, BudgetKind kind)
{
	Buf text;

	buf_init(&text);
	budget_describe(breach, kind, &text);
	ready_end(instance, END_LIMIT, "reached %s", buf_text(&text));
	buf_fini(&text);
}

static void wait_for(Instance *instance, InstanceWait what, u64 until)
{
	instance->waits = what;
	instance->wake = until;
	ready_set_state(instance, INSTANCE_WAITING);
	if (instance->machine && outside_watch(instance) && (what == WAIT_INPUT || what == WAIT_MESSAGE))
		instance->waits = WAIT_OUTSIDE;
	ready_set_hour(instance);
	/* What came while it ran has not been seen. */
	if (instance->inbox.len || instance->news || instance->inbox_end || instance->ask_to_end || (until != NEVER && until <= hyper_now(instance->hyper)))
		ready_wake(instance);
}

/* Its cap is used up: it goes on in the next window. True: it is. */
static bool is_throttled(Instance *instance, u64 ns)
{
	u64 now = hyper_now(instance->hyper), window = now / CAP_WINDOW_NS;
	u64 most = CAP_WINDOW_NS / 100 * instance->options.cap;

	if (!instance->options.cap || hyper_is_deterministic(instance->hyper))
		return false;
	if (window != instance->window) { /* what was too much then counts now */
		u64 passed = (window - instance->window) * most;

		instance->window_used = instance->window_used > passed ? instance->window_used - passed : 0;
		instance->window = window;
	}
	instance->window_used += ns;
	if (instance->window_used < most)
		return false;
	instance->wake = (window + instance->window_used / most) * CAP_WINDOW_NS;
	return true;
}

void slice_done(Instance *instance, const SliceOutcome *outcome)
{
	const MachineStop *stop = &outcome->stop;

	charge(instance, outcome);
	if (outcome->memory)
		instance->memory = outcome->memory;
	if (outcome->breach && !outcome->again) {
		end_at_limit(instance, outcome->breach, outcome->kind);
		return;
	}
	if (outcome->again) {
		ready_set_state(instance, INSTANCE_READY);
		return;
	}
	instance->stop = *stop;
	switch (stop->kind) {
	case STOP_BUDGET:
	case STOP_FRAME:
	case STOP_BREAK:
	case STOP_WATCH:
		if (is_throttled(instance, outcome->ns)) {
			ready_set_state(instance, INSTANCE_THROTTLED);
			ready_set_hour(instance);
		} else {
			ready_set_state(instance, INSTANCE_READY);
		}
		break;
	case STOP_WAIT:
		if (outcome->starved && !instance->inbox.len)
			ready_end(instance, END_FAILED, "waits for input, which has ended");
		else
			wait_for(instance, WAIT_INPUT, NEVER);
		break;
	case STOP_SLEEP:
		if (stop->code == NEVER)
			wait_for(instance, outcome->waits_outside ? WAIT_MESSAGE : WAIT_INPUT, NEVER);
		else
			wait_for(instance, WAIT_TIME, stop->code > NEVER - instance->base ? NEVER : stop->code + instance->base);
		break;
	case STOP_HALT:
		instance->code = outcome->code;
		ready_end(instance, instance->stopping ? END_STOPPED : END_HALTED, "%s", outcome->text);
		break;
	case STOP_ERROR: ready_end(instance, END_ERROR, "%s%s%s", status_text(stop->status), *outcome->text ? ": " : "", outcome->text); break;
	default:
		ready_end(instance, END_FAILED, "%s", outcome->text);
		break;
	}
}
