/* SPDX-License-Identifier: MIT
 *
 * The past of a session: snapshots along the time line, and running on from them. session.h tells the idea.
 *
 * Which snapshot goes when there are too many: each stands for the gap between its neighbours; the gap counts less
 * the longer ago it is. The smallest (gap / age) goes. So distances between snapshots grow in proportion to age, and
 * going back costs a re-execution in proportion to how far one goes, however long the program has run.
 *
 * A machine that cannot be saved (one whose guest has an operating system with open files) goes forward only: its past
 * always begins now.
 */
#include "base/array.h"
#include "debug/session_private.h"

#include <stdlib.h>
#include <string.h>

static void drop(DebugSession *session, u32 index)
{
	session->moment_bytes -= session->moments[index].bytes.len;
	buf_fini(&session->moments[index].bytes);
	session->moment_count--;
	memmove(&session->moments[index], &session->moments[index + 1],
		(session->moment_count - index) * sizeof(Moment));
	if (session->here >= index && session->here > 0)
		session->here--;
}

/* The one to give up, or 0 when only the oldest is left to give. */
static u32 choose_victim(const DebugSession *session)
{
	u64 now = session->moments[session->moment_count - 1].icount;
	double best = 0;
	u32 victim = 0;

	for (u32 i = 1; i + 1 < session->moment_count; i++) {
		const Moment *moment = &session->moments[i];
		double weight;

		if (moment->barrier || i == session->here)
			continue;
		weight = (double)(moment[1].icount - moment[-1].icount + 1) / (double)(now - moment[-1].icount + 1);
		if (!victim || weight < best) {
			victim = i;
			best = weight;
		}
	}
	return victim;
}

static void thin(DebugSession *session)
{
	while (session->moment_count > 2 &&
	       (session->moment_count > MAX_SNAPSHOTS || session->moment_bytes > MAX_SNAPSHOT_BYTES)) {
		u32 victim = choose_victim(session);

		if (!victim && session->here == 0)
			break;
		drop(session, victim);
	}
}

bool history_take(DebugSession *session, bool barrier)
{
	Moment moment = { .icount = machine_icount(session->machine), .barrier = barrier,
			  .log_at = machine_replay_position(session->machine) };
	u32 at = session->moment_count ? session->here + 1 : 0;
	Status status;

	if (session->forward_only && session->moment_count)
		return true;
	buf_init(&moment.bytes);
	status = machine_snapshot(session->machine, &moment.bytes);
	if (status)
		buf_fini(&moment.bytes);
	session->forward_only = status == STATUS_UNSUPPORTED;
	if (status && !session->forward_only)
		return false;
	if (!array_grow((void **)&session->moments, &session->moment_cap, session->moment_count, sizeof(Moment))) {
		buf_fini(&moment.bytes);
		return false;
	}
	memmove(&session->moments[at + 1], &session->moments[at], (session->moment_count - at) * sizeof(Moment));
	session->moments[at] = moment;
	session->moment_count++;
	session->moment_bytes += moment.bytes.len;
	session->here = at;
	thin(session);
	return true;
}

u64 history_next(const DebugSession *session)
{
	return session->here + 1 < session->moment_count ? session->moments[session->here + 1].icount : ~(u64)0;
}

bool history_due(const DebugSession *session)
{
	u64 icount = machine_icount(session->machine), next = history_next(session);

	if (session->frozen || session->forward_only)
		return false;
	return icount - session->moments[session->here].icount >= session->interval &&
	       (next == ~(u64)0 || next - icount >= session->interval);
}

bool history_restore(DebugSession *session, u32 index)
{
	const Moment *moment = &session->moments[index];

	if (session->forward_only)
		return false;
	if (machine_restore(session->machine, moment->bytes.data, moment->bytes.len) != STATUS_OK)
		return false;
	machine_replay_from(session->machine, moment->log_at);
	session->here = index;
	session->output_at = machine_output_bytes(session->machine);
	return true;
}

u32 history_find(const DebugSession *session, u64 icount)
{
	u32 found = 0;

	for (u32 i = 1; i < session->moment_count && session->moments[i].icount <= icount; i++)
		found = i;
	return found;
}

void history_fork(DebugSession *session)
{
	while (session->moment_count > session->here + 1)
		drop(session, session->moment_count - 1);
	machine_replay_forget(session->machine);
	session->reached = machine_icount(session->machine);
	session->output_shown = session->output_at = machine_output_bytes(session->machine);
}

void history_clear(DebugSession *session)
{
	while (session->moment_count)
		drop(session, session->moment_count - 1);
	session->here = 0;
}

bool history_pass(DebugSession *session)
{
	while (machine_icount(session->machine) >= history_next(session)) {
		if (!session->moments[session->here + 1].barrier)
			session->here++;
		else if (!history_restore(session, session->here + 1))
			return false;
	}
	return true;
}

static u64 least(u64 a, u64 b)
{
	return a < b ? a : b;
}

static bool goes_on(const DebugSession *session, const MachineStop *stop, u64 before)
{
	u64 icount = machine_icount(session->machine);

	switch (stop->kind) {
	case STOP_BUDGET:
	case STOP_FRAME:
		return true;
	case STOP_BREAK:
		machine_skip_break(session->machine);
		return true;
	case STOP_HALT: /* the user went on behind it once */
	case STOP_INPUT_ENDED:
		return icount != before && icount < session->reached;
	case STOP_WATCH:
		return true;
	default:
		return false;
	}
}

MachineStop history_advance(DebugSession *session, u64 icount)
{
	MachineStop stop = { .kind = STOP_BUDGET, .pc = machine_pc(session->machine) };

	points_disarm(session);
	for (;;) {
		u64 now, until;

		if (!history_pass(session)) {
			stop = (MachineStop){ .kind = STOP_ERROR, .status = STATUS_NOMEM };
			break;
		}
		now = machine_icount(session->machine);
		if (now >= icount || (session->interrupt && *session->interrupt))
			break;
		if (history_due(session))
			history_take(session, false);
		until = least(least(icount, history_next(session)), now + least(CHUNK, session->interval));
		stop = machine_run(session->machine, until - now);
		if (!goes_on(session, &stop, now))
			break;
	}
	if (machine_icount(session->machine) > session->reached)
		session->reached = machine_icount(session->machine);
	return stop;
}

MachineStop history_seek(DebugSession *session, u64 icount)
{
	u64 now = machine_icount(session->machine);
	u32 index = history_find(session, icount);

	if ((icount < now || index > session->here) && !history_restore(session, index))
		return (MachineStop){ .kind = STOP_ERROR, .status = STATUS_NOMEM };
	return history_advance(session, icount);
}

bool history_save(DebugSession *session, Present *out)
{
	out->log_at = machine_replay_position(session->machine);
	out->here = session->here;
	out->vcpu = machine_vcpu_current(session->machine);
	buf_init(&out->bytes);
	session->frozen = true;
	if (machine_snapshot(session->machine, &out->bytes) == STATUS_OK)
		return true;
	session->frozen = false;
	buf_fini(&out->bytes);
	return false;
}

void history_stay(DebugSession *session, Present *present)
{
	session->frozen = false;
	buf_fini(&present->bytes);
}

void history_return(DebugSession *session, Present *present)
{
	session->frozen = false;
	machine_restore(session->machine, present->bytes.data, present->bytes.len);
	machine_replay_from(session->machine, present->log_at);
	session->here = present->here;
	session->output_at = machine_output_bytes(session->machine);
	machine_vcpu_select(session->machine, present->vcpu);
	buf_fini(&present->bytes);
}
