/* SPDX-License-Identifier: MIT
 *
 * Sending signals and keeping them until they are delivered (signal_deliver.c). Sending never ends or stops anybody by
 * itself: it queues, and makes a task that can take the signal look. What it does at once is what must not wait for
 * the receiver: SIGCONT and SIGKILL let a stopped process go on, and cancel stop signals that wait.
 *
 * A signal that is ignored and not blocked is dropped when it is sent, so whatever is pending and not blocked matters.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "linux/process.h"
#include "linux/signal_private.h"

enum { LAST_STANDARD = 31 };

/* ---- Handlers ---- */

Signals *signals_create(void)
{
	Signals *signals = calloc(1, sizeof(*signals));

	if (signals)
		signals->refs = 1;
	return signals;
}

Signals *signals_get(Signals *signals)
{
	signals->refs++;
	return signals;
}

void signals_put(Signals *signals)
{
	if (!--signals->refs)
		free(signals);
}

Signals *signals_fork(Signals *signals)
{
	Signals *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *signals;
	copy->refs = 1;
	return copy;
}

void signals_clear(Process *process)
{
	for (i32 i = 1; i <= 64; i++)
		process->signals->actions[i] = (Action){ .handler = process->signals->actions[i].handler == 1 };
}

/* What is ignored stays so. A table that others share is left to them. */
void signals_exec(Process *process)
{
	if (process->signals->refs > 1) {
		Signals *copy = signals_fork(process->signals);

		if (copy) {
			signals_put(process->signals);
			process->signals = copy;
		}
	}
	signals_clear(process);
}

u64 signal_unblockable(void)
{
	return signal_bit(SIGKILL) | signal_bit(SIGSTOP);
}

bool signal_stops(i32 number)
{
	return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

static u64 stop_set(void)
{
	return signal_bit(SIGSTOP) | signal_bit(SIGTSTP) | signal_bit(SIGTTIN) | signal_bit(SIGTTOU);
}

bool signal_has_action(const Process *process, i32 number)
{
	return process->signals && process->signals->actions[number].handler != 0;
}

bool signal_is_ignored(const Process *process, i32 number)
{
	u64 handler = process->signals->actions[number].handler;

	if (number == SIGKILL || number == SIGSTOP || handler > 1)
		return false;
	return handler == 1 || number == SIGCHLD || number == SIGURG || number == SIGWINCH || number == SIGCONT;
}

/* ---- Queues ---- */

static bool enqueue(SignalQueue *queue, const SignalInfo *info)
{
	if (info->number <= LAST_STANDARD && (queue->set & signal_bit(info->number)))
		return true; /* these are not counted */
	if (queue->count >= SIGNALS_PENDING + 64 ||
	    !array_grow((void **)&queue->infos, &queue->cap, queue->count, sizeof(*info)))
		return false;
	queue->infos[queue->count++] = *info;
	queue->set |= signal_bit(info->number);
	return true;
}

static void drop_at(SignalQueue *queue, u32 at)
{
	i32 number = queue->infos[at].number;
	bool more = false;

	memmove(queue->infos + at, queue->infos + at + 1, (queue->count - at - 1) * sizeof(*queue->infos));
	queue->count--;
	for (u32 i = 0; i < queue->count; i++)
		more |= queue->infos[i].number == number;
	if (!more)
		queue->set &= ~signal_bit(number);
}

void signal_queue_drop(SignalQueue *queue, u64 set)
{
	for (u32 i = queue->count; i-- > 0 && (queue->set & set);)
		if (set & signal_bit(queue->infos[i].number))
			drop_at(queue, i);
}

/* Faults first, then by number; of one number in order of arrival. */
static bool dequeue(SignalQueue *queue, u64 set, SignalInfo *out)
{
	const u64 faults = signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGILL) | signal_bit(SIGTRAP) |
			   signal_bit(SIGFPE) | signal_bit(SIGSYS);

	set &= queue->set;
	if (!set)
		return false;
	if (set & faults)
		set &= faults;
	for (u32 i = 0; i < queue->count; i++)
		if (queue->infos[i].number == __builtin_ctzll(set) + 1) {
			*out = queue->infos[i];
			drop_at(queue, i);
			return true;
		}
	return false;
}

bool signal_take(Task *task, u64 set, SignalInfo *out)
{
	return dequeue(&task->pending, set, out) || dequeue(&task->process->pending, set, out);
}

/* ---- Sending ---- */

bool signal_is_pending(const Task *task)
{
	return ((task->pending.set | task->process->pending.set) & ~task->blocked) != 0;
}

bool signal_kills(const Task *task)
{
	return ((task->pending.set | task->process->pending.set) & signal_bit(SIGKILL)) != 0;
}

void signal_look(Task *task)
{
	if (!signal_is_pending(task) || task->ending)
		return;
	if (task->call.again)
		task_wake(task);
	else
		machine_want_attention(task->kernel->machine, task->vcpu);
}

/* One that does not block it: the first thread if it can. */
static void find_taker(Process *process, i32 number)
{
	u64 bit = signal_bit(number);
	Task *taker = process_any_task(process);

	if (taker && (taker->blocked & bit))
		for (taker = process->tasks; taker && (taker->blocked & bit);)
			taker = taker->next;
	if (taker)
		signal_look(taker);
}

/* What happens to a process before the signal is anybody's. False: it is dropped. */
static bool prepare(Process *process, Task *task, i32 number)
{
	bool blocked = task ? task->blocked & signal_bit(number) : false;

	if (process->zombie || process->exiting || !process->signals)
		return false;
	if (number == SIGCONT || number == SIGKILL) {
		if (number == SIGCONT) {
			signal_queue_drop(&process->pending, stop_set());
			for (Task *each = process->tasks; each; each = each->next)
				signal_queue_drop(&each->pending, stop_set());
		}
		process_continue(process, number == SIGCONT);
	} else if (signal_stops(number)) {
		signal_queue_drop(&process->pending, signal_bit(SIGCONT));
		for (Task *each = process->tasks; each; each = each->next)
			signal_queue_drop(&each->pending, signal_bit(SIGCONT));
	}
	if (!task) {
		blocked = process->tasks != NULL;
		for (const Task *each = process->tasks; each; each = each->next)
			blocked &= (each->blocked & signal_bit(number)) != 0;
	}
	return blocked || !signal_is_ignored(process, number);
}

void signal_send(Process *process, const SignalInfo *info)
{
	if (!prepare(process, NULL, info->number) || !enqueue(&process->pending, info))
		return;
	wait_wake(&process->signal_arrived);
	if (info->number == SIGKILL) /* each of them can take it, whatever it does */
		for (Task *task = process->tasks; task; task = task->next)
			signal_look(task);
	else
		find_taker(process, info->number);
}

void signal_send_task(Task *task, const SignalInfo *info)
{
	if (!prepare(task->process, task, info->number) || !enqueue(&task->pending, info))
		return;
	wait_wake(&task->process->signal_arrived);
	signal_look(task);
}

void signal_raise(Task *task, i32 number)
{
	signal_send_task(task, &(SignalInfo){ .number = number, .code = SI_USER, .pid = task->process->pid,
					      .uid = (i32)task->process->real_user });
}

void signal_force(Task *task, const SignalInfo *info)
{
	u64 bit = signal_bit(info->number);
	Action *action = &task->process->signals->actions[info->number];

	if ((task->blocked & bit) || action->handler == 1) {
		task->blocked &= ~bit;
		*action = (Action){ 0 };
	}
	signal_queue_drop(&task->pending, bit); /* its siginfo is the fault's */
	if (!enqueue(&task->pending, info))
		process_end(task->process, 0, info->number);
}

/* ---- Children ---- */

static void fill_child(const Process *child, bool ended, SignalInfo *info)
{
	*info = (SignalInfo){ .number = ended ? child->death_signal : SIGCHLD, .pid = child->pid,
			      .uid = (i32)child->real_user };
	if (ended) {
		info->code = child->exit_signal ? CLD_KILLED : CLD_EXITED;
		info->status = child->exit_signal ? child->exit_signal : child->exit_code;
	} else if (child->stopped) {
		info->code = CLD_STOPPED;
		info->status = child->stop_signal;
	} else {
		info->code = CLD_CONTINUED;
		info->status = SIGCONT;
	}
}

void signal_child(Process *child, bool ended)
{
	Process *parent = child->parent;
	const Action *action;
	SignalInfo info;
	bool reaps;

	if (!parent || child->kernel->ended || parent->exiting || !parent->signals)
		return;
	action = &parent->signals->actions[SIGCHLD];
	fill_child(child, ended, &info);
	reaps = ended && child->death_signal == SIGCHLD && (action->handler == 1 || (action->flags & ACTION_NOCLDWAIT));
	if (info.number && (ended || !(action->flags & ACTION_NOCLDSTOP)))
		signal_send(parent, &info);
	wait_wake(&parent->children_changed);
	if (reaps)
		process_reap(child);
}
