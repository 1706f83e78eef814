/* SPDX-License-Identifier: MIT
 *
 * Breakpoints and watchpoints. Their addresses are armed in the machine only while it runs for the user, so that
 * excursions into the past pass them at full speed. What the machine cannot watch by itself (registers, expressions)
 * is compared after every single instruction.
 */
#include "base/array.h"
#include "debug/session_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

static void free_point(DebugPoint *point)
{
	if (!point)
		return;
	debug_expr_destroy(point->condition);
	debug_expr_destroy(point->expr);
	free((char *)point->text);
	free(point);
}

void points_free(DebugSession *session)
{
	points_disarm(session);
	while (session->point_count)
		free_point(session->points[--session->point_count]);
	free_point(session->gone);
	free(session->points);
	free(session->armed);
}

static DebugPoint *add_point(DebugSession *session, DebugPointKind kind, const char *text)
{
	DebugPoint *point;

	points_disarm(session); /* so that the next run arms the new one too */
	if (!array_grow((void **)&session->points, &session->point_cap, session->point_count, sizeof(point)))
		return NULL;
	point = calloc(1, sizeof(*point));
	if (!point)
		return NULL;
	point->text = strdup(text);
	if (!point->text) {
		free(point);
		return NULL;
	}
	point->kind = kind;
	point->enabled = true;
	point->id = ++session->next_id;
	session->points[session->point_count++] = point;
	return point;
}

const DebugPoint *debug_break(DebugSession *session, u64 pc, DebugExpr *condition, bool temporary, const char *text)
{
	DebugPoint *point = add_point(session, DEBUG_POINT_BREAK, text);

	if (!point) {
		debug_expr_destroy(condition);
		return NULL;
	}
	point->pc = bits_trunc(pc, machine_isa(session->machine)->pc_width);
	point->condition = condition;
	point->temporary = temporary;
	return point;
}

const DebugPoint *debug_watch(DebugSession *session, DebugExpr *expr, DebugExpr *condition, bool reads, bool writes,
			      const char *text, Buf *error)
{
	DebugPoint *point;
	DebugValue value;
	u16 space;
	u64 address;
	bool is_cell = debug_expr_cell(expr, session->machine, &space, &address);

	if (!debug_expr_varies(expr))
		buf_str(error, "that is a constant; a register, a cell such as M[...] or a sum of them can be watched");
	else if ((reads || writes) && !is_cell)
		buf_str(error, "only of one memory cell can reads be seen");
	else if (debug_expr_eval(expr, session->machine, &value, error)) {
		point = add_point(session, DEBUG_POINT_WATCH, text);
		if (point) {
			point->expr = expr;
			point->condition = condition;
			point->reads = reads;
			point->writes = writes;
			point->is_cell = is_cell && address < machine_cells(session->machine, space);
			point->space = space;
			point->address = address;
			point->last = value;
			point->vcpu = machine_vcpu_current(session->machine);
			return point;
		}
		buf_str(error, status_text(STATUS_NOMEM));
	}
	debug_expr_destroy(expr);
	debug_expr_destroy(condition);
	return NULL;
}

static u32 index_of(const DebugSession *session, u32 id)
{
	for (u32 i = 0; i < session->point_count; i++)
		if (session->points[i]->id == id)
			return i;
	return ~0u;
}

static DebugPoint *take_out(DebugSession *session, u32 index)
{
	DebugPoint *point = session->points[index];

	session->point_count--;
	memmove(&session->points[index], &session->points[index + 1],
		(session->point_count - index) * sizeof(*session->points));
	return point;
}

bool debug_point_delete(DebugSession *session, u32 id)
{
	u32 index = index_of(session, id);

	if (index == ~0u)
		return false;
	points_disarm(session);
	free_point(take_out(session, index));
	return true;
}

void debug_point_delete_all(DebugSession *session)
{
	points_disarm(session);
	while (session->point_count)
		free_point(session->points[--session->point_count]);
}

bool debug_point_enable(DebugSession *session, u32 id, bool on)
{
	u32 index = index_of(session, id);

	if (index == ~0u)
		return false;
	points_disarm(session);
	session->points[index]->enabled = on;
	return true;
}

u32 debug_point_count(const DebugSession *session)
{
	return session->point_count;
}

const DebugPoint *debug_point(const DebugSession *session, u32 index)
{
	return index < session->point_count ? session->points[index] : NULL;
}

/* ---- Arming ---- */

static bool wants(const u64 *list, u32 count, u64 pc)
{
	for (u32 i = 0; i < count; i++)
		if (list[i] == pc)
			return true;
	return false;
}

static void arm_watches(DebugSession *session, bool on)
{
	if (session->watches_armed == on)
		return;
	for (u32 i = 0; i < session->point_count; i++) {
		const DebugPoint *point = session->points[i];

		if (point->kind == DEBUG_POINT_WATCH && point->enabled && point->is_cell)
			machine_watch_set(session->machine, point->space, point->address, 1, point->reads, true, on);
	}
	session->watches_armed = on;
}

static bool add_armed(DebugSession *session, u64 pc)
{
	if (wants(session->armed, session->armed_count, pc))
		return true;
	if (!array_grow((void **)&session->armed, &session->armed_cap, session->armed_count, sizeof(u64)))
		return false;
	if (machine_break_set(session->machine, pc, true) != STATUS_OK)
		return false;
	session->armed[session->armed_count++] = pc;
	return true;
}

static bool is_wanted(const DebugSession *session, u64 pc, const u64 *more, u32 more_count)
{
	for (u32 i = 0; i < session->point_count; i++)
		if (session->points[i]->kind == DEBUG_POINT_BREAK && session->points[i]->enabled &&
		    session->points[i]->pc == pc)
			return true;
	return wants(more, more_count, pc);
}

void points_arm(DebugSession *session, const u64 *more, u32 more_count)
{
	for (u32 i = session->armed_count; i-- > 0;)
		if (!is_wanted(session, session->armed[i], more, more_count)) {
			machine_break_set(session->machine, session->armed[i], false);
			session->armed[i] = session->armed[--session->armed_count];
		}
	for (u32 i = 0; i < session->point_count; i++)
		if (session->points[i]->kind == DEBUG_POINT_BREAK && session->points[i]->enabled)
			add_armed(session, session->points[i]->pc);
	for (u32 i = 0; i < more_count; i++)
		add_armed(session, more[i]);
	arm_watches(session, true);
}

void points_disarm(DebugSession *session)
{
	while (session->armed_count)
		machine_break_set(session->machine, session->armed[--session->armed_count], false);
	arm_watches(session, false);
}

bool points_need_steps(const DebugSession *session)
{
	for (u32 i = 0; i < session->point_count; i++)
		if (session->points[i]->kind == DEBUG_POINT_WATCH && session->points[i]->enabled &&
		    !session->points[i]->is_cell)
			return true;
	return false;
}

/* ---- Hits ---- */

static bool value_of(DebugSession *session, const DebugExpr *expr, DebugValue *out)
{
	Buf error;
	bool fine;

	buf_init(&error);
	fine = debug_expr_eval(expr, session->machine, out, &error);
	buf_fini(&error);
	return fine;
}

/* The value of a watchpoint, as the vCPU has it that was current when it was set. */
static bool value_of_watch(DebugSession *session, const DebugPoint *point, DebugValue *out)
{
	u32 current = machine_vcpu_current(session->machine);
	bool fine = machine_vcpu_select(session->machine, point->vcpu) == STATUS_OK && value_of(session, point->expr, out);

	machine_vcpu_select(session->machine, current);
	return fine;
}

/* A condition that cannot be evaluated holds: better to stop than to pass by. */
static bool holds(DebugSession *session, const DebugPoint *point)
{
	DebugValue value;

	return !point->condition || !value_of(session, point->condition, &value) || value.value;
}

void points_refresh(DebugSession *session)
{
	for (u32 i = 0; i < session->point_count; i++)
		if (session->points[i]->kind == DEBUG_POINT_WATCH)
			value_of_watch(session, session->points[i], &session->points[i]->last);
}

PointHit points_at_break(DebugSession *session)
{
	u64 pc = machine_pc(session->machine);

	for (u32 i = 0; i < session->point_count; i++) {
		DebugPoint *point = session->points[i];

		if (point->kind == DEBUG_POINT_BREAK && point->enabled && point->pc == pc && holds(session, point))
			return (PointHit){ .point = point };
	}
	return (PointHit){ 0 };
}

static bool was_accessed(const DebugSession *session, const DebugPoint *point, const MachineStop *stop)
{
	if (stop->vcpu != point->vcpu && machine_isa(session->machine)->spaces[point->space].is_private)
		return false;
	return stop->kind == STOP_WATCH && point->is_cell && stop->space == point->space &&
	       stop->address == point->address && (stop->write ? point->writes : point->reads);
}

PointHit points_after_step(DebugSession *session, const MachineStop *stop)
{
	PointHit hit = { 0 };

	for (u32 i = 0; i < session->point_count; i++) {
		DebugPoint *point = session->points[i];
		DebugValue before = point->last, now;

		if (point->kind != DEBUG_POINT_WATCH || !point->enabled || !value_of_watch(session, point, &now))
			continue;
		point->last = now;
		if ((now.value != before.value || was_accessed(session, point, stop)) && !hit.point && holds(session, point))
			hit = (PointHit){ point, before, now };
	}
	return hit;
}

void points_hit(DebugSession *session, DebugPoint *point)
{
	point->hits++;
	if (!point->temporary)
		return;
	points_disarm(session);
	free_point(session->gone);
	session->gone = take_out(session, index_of(session, point->id));
}
