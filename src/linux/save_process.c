/* SPDX-License-Identifier: MIT
 *
 * Processes and their threads on a tape. First the records alone, so that all else can say whose it is; the parts that
 * processes share (memory, descriptors, handlers ...) are objects of their own, and who has which comes behind them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "linux/mm.h"
#include "linux/process.h"
#include "linux/save.h"
#include "linux/signal_private.h"
#include "linux/vfs.h"

enum { PID_MOST = 4194304, TEXT_MOST = 1 << 28 };

static const TapeField info_fields[] = {
	TAPE_FIELD(SignalInfo, number), TAPE_FIELD(SignalInfo, code), TAPE_FIELD(SignalInfo, error),
	TAPE_FIELD(SignalInfo, pid), TAPE_FIELD(SignalInfo, uid), TAPE_FIELD(SignalInfo, address),
	TAPE_FIELD(SignalInfo, value), TAPE_FIELD(SignalInfo, status), TAPE_FIELD(SignalInfo, timer),
};

void carry_signals(Tape *tape, SignalQueue *queue)
{
	u32 count = tape_count(tape, queue->count, 40);

	if (!tape_check(tape, count <= SIGNALS_PENDING + 64))
		return;
	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		if (tape->loading) {
			if (!array_grow((void **)&queue->infos, &queue->cap, i, sizeof(*queue->infos))) {
				tape_fail(tape, STATUS_NOMEM, "%s", "");
				return;
			}
			queue->infos[i] = (SignalInfo){ 0 };
		}
		tape_fields(tape, &queue->infos[i], info_fields, COUNT_OF(info_fields));
		if (!tape_check(tape, queue->infos[i].number >= 1 && queue->infos[i].number <= 64))
			return;
		if (tape->loading) {
			queue->count = i + 1;
			queue->set |= signal_bit(queue->infos[i].number);
		}
	}
}

/* ---- Handlers ---- */

void carry_handlers(Tape *tape)
{
	u32 count = tape_count(tape, tape->lists[TAPE_HANDLERS].count, 4);

	for (u32 n = 0; n < count && tape_ok(tape); n++) {
		Signals *signals = tape->loading ? signals_create() : tape->lists[TAPE_HANDLERS].items[n];
		u32 used = 0;

		if (!signals || (tape->loading && !tape_add(tape, TAPE_HANDLERS, signals))) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			free(tape->loading ? signals : NULL);
			return;
		}
		/* Few are other than the default. */
		for (u32 i = 1; i <= 64; i++)
			used += signals->actions[i].handler || signals->actions[i].flags || signals->actions[i].mask;
		used = tape_count(tape, used, 25);
		for (u32 i = 1; used && tape_ok(tape); i++) {
			Action *action;
			u8 number = (u8)i;

			if (!tape->loading && !signals->actions[i].handler && !signals->actions[i].flags && !signals->actions[i].mask)
				continue;
			tape_u8(tape, &number);
			if (!tape_check(tape, number >= 1 && number <= 64))
				return;
			action = &signals->actions[number];
			tape_u64(tape, &action->handler);
			tape_u64(tape, &action->flags);
			tape_u64(tape, &action->mask);
			used--;
		}
	}
}

/* ---- Tasks ---- */

static const TapeField task_fields[] = {
	TAPE_FIELD(Task, tid), TAPE_FIELD(Task, name), TAPE_FIELD(Task, blocked), TAPE_FIELD(Task, saved_blocked),
	TAPE_FIELD(Task, has_saved_blocked), TAPE_FIELD(Task, alt_stack.base), TAPE_FIELD(Task, alt_stack.size),
	TAPE_FIELD(Task, alt_stack.flags), TAPE_FIELD(Task, clear_tid), TAPE_FIELD(Task, robust_list),
	TAPE_FIELD(Task, robust_len), TAPE_FIELD(Task, started_icount), TAPE_FIELD(Task, resumes),
	TAPE_FIELD(Task, restarts), TAPE_FIELD(Task, resume_pc), TAPE_FIELD(Task, call.number),
	TAPE_FIELD(Task, call.args), TAPE_FIELD(Task, call.again), TAPE_FIELD(Task, call.hour),
	TAPE_FIELD(Task, call.progress), TAPE_FIELD(Task, call.data), TAPE_FIELD(Task, call.started),
	TAPE_FIELD(Task, call.pc),
};

static bool is_alive(const Machine *machine, u32 vcpu)
{
	if (vcpu >= machine_vcpu_count(machine))
		return false;
	switch (machine_vcpu_state(machine, vcpu)) {
	case VCPU_ENDED:
	case VCPU_FAILED:
	case VCPU_FREE:
		return false;
	default:
		return true;
	}
}

/* Loading: NULL when it can't be made. */
static Task *task_for(Tape *tape, Process *process, u32 vcpu)
{
	Kernel *kernel = tape->kernel;
	Task *task;

	if (!tape_check(tape, is_alive(kernel->machine, vcpu) && (vcpu >= kernel->task_cap || !kernel->tasks[vcpu])))
		return NULL;
	task = task_put(process, vcpu);
	if (!task)
		tape_fail(tape, STATUS_NOMEM, "%s", "");
	return task;
}

static void carry_task(Tape *tape, Process *process, Task *task)
{
	u32 vcpu = task ? task->vcpu : 0;
	u8 restart;
	bool is_vfork;

	tape_u32(tape, &vcpu);
	if (tape->loading)
		task = tape_ok(tape) ? task_for(tape, process, vcpu) : NULL;
	if (!task)
		return;
	tape_fields(tape, task, task_fields, COUNT_OF(task_fields));
	restart = (u8)task->call.restart;
	tape_u8(tape, &restart);
	task->call.restart = (CallRestart)restart;
	tape_check(tape, restart <= CALL_NEVER && task->tid > 0 && task->tid < PID_MOST && task->call.progress >= 0 &&
				 (u64)task->call.progress < (u64)1 << 62 && !task->name[sizeof(task->name) - 1]);
	carry_signals(tape, &task->pending);
	is_vfork = task->vfork_done != NULL;
	tape_bool(tape, &is_vfork);
	if (tape->loading && is_vfork) {
		task->vfork_done = calloc(1, sizeof(*task->vfork_done));
		if (!task->vfork_done)
			tape_fail(tape, STATUS_NOMEM, "%s", "");
	}
	if (task->vfork_done)
		tape_queue(tape, task->vfork_done);
}

/* ---- Processes ---- */

static const TapeField process_fields[] = {
	TAPE_FIELD(Process, pid), TAPE_FIELD(Process, pgid), TAPE_FIELD(Process, sid), TAPE_FIELD(Process, zombie),
	TAPE_FIELD(Process, stopped), TAPE_FIELD(Process, continued), TAPE_FIELD(Process, did_exec),
	TAPE_FIELD(Process, exit_code), TAPE_FIELD(Process, exit_signal), TAPE_FIELD(Process, stop_signal),
	TAPE_FIELD(Process, death_signal), TAPE_FIELD(Process, limits), TAPE_FIELD(Process, user_icount),
	TAPE_FIELD(Process, children_icount), TAPE_FIELD(Process, user), TAPE_FIELD(Process, group),
	TAPE_FIELD(Process, real_user), TAPE_FIELD(Process, real_group), TAPE_FIELD(Process, saved_user),
	TAPE_FIELD(Process, saved_group), TAPE_FIELD(Process, group_count), TAPE_FIELD(Process, groups),
	TAPE_FIELD(Process, nice), TAPE_FIELD(Process, parent_death_signal), TAPE_FIELD(Process, dumpable),
	TAPE_FIELD(Process, no_new_privileges), TAPE_FIELD(Process, subreaper), TAPE_FIELD(Process, keeps_capabilities),
	TAPE_FIELD(Process, started),
};

static bool is_signal_or_none(i32 number)
{
	return number >= 0 && number <= 64;
}

static bool numbers_are_possible(const Process *process)
{
	return process->pid > 0 && process->pid < PID_MOST && process->pgid >= 0 && process->sid >= 0 &&
	       process->group_count <= COUNT_OF(process->groups) && is_signal_or_none(process->exit_signal) &&
	       is_signal_or_none(process->stop_signal) && is_signal_or_none(process->death_signal) &&
	       is_signal_or_none(process->parent_death_signal) && process->nice >= -20 && process->nice <= 19 &&
	       process->exit_code >= 0 && process->exit_code <= 255;
}

static void carry_tasks(Tape *tape, Process *process)
{
	u32 count = 0;

	for (const Task *task = process->tasks; task; task = task->next)
		count++;
	count = tape_count(tape, count, 200);
	if (!tape_check(tape, !count == process->zombie))
		return;
	if (!tape->loading) {
		for (Task *task = process->tasks; task; task = task->next)
			carry_task(tape, process, task);
		return;
	}
	for (u32 i = 0; i < count && tape_ok(tape); i++)
		carry_task(tape, process, NULL);
}

static void carry_process(Tape *tape, Process *process)
{
	bool first = process == tape->kernel->processes;

	process->parent = tape_ref(tape, TAPE_PROCESSES, process->parent);
	tape_fields(tape, process, process_fields, COUNT_OF(process_fields));
	if (!tape_check(tape, numbers_are_possible(process) && first == !process->parent && process->parent != process))
		return;
	process->exiting = process->zombie;
	tape_queue(tape, &process->children_changed);
	tape_queue(tape, &process->signal_arrived);
	carry_signals(tape, &process->pending);
	tape_text(tape, &process->program, PATH_LIMIT);
	tape_buf(tape, &process->arguments, TEXT_MOST);
	tape_buf(tape, &process->environment, TEXT_MOST);
	tape_buf(tape, &process->auxv, TEXT_MOST);
	carry_tasks(tape, process);
}

static int by_number(const void *a, const void *b)
{
	i32 x = *(const i32 *)a, y = *(const i32 *)b;

	return (x > y) - (x < y);
}

static bool all_differ(i32 *numbers, u32 count)
{
	if (count)
		qsort(numbers, count, sizeof(*numbers), by_number);
	for (u32 i = 1; i < count; i++)
		if (numbers[i] == numbers[i - 1])
			return false;
	return true;
}

/* No number is two processes', or two threads'. */
static void check_numbers(Tape *tape)
{
	Kernel *kernel = tape->kernel;
	u32 most = kernel->process_count > kernel->task_cap ? kernel->process_count : kernel->task_cap, count = 0;
	i32 *numbers = malloc((most + 1) * sizeof(*numbers));

	if (!numbers) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	for (const Process *process = kernel->processes; process; process = process->next)
		numbers[count++] = process->pid;
	tape_check(tape, all_differ(numbers, count));
	count = 0;
	for (u32 i = 0; i < kernel->task_cap; i++)
		if (kernel->tasks[i])
			numbers[count++] = kernel->tasks[i]->tid;
	tape_check(tape, all_differ(numbers, count));
	free(numbers);
}

void carry_processes(Tape *tape)
{
	Kernel *kernel = tape->kernel;
	u32 count = tape_count(tape, kernel->process_count, 400);

	if (!tape->loading) {
		for (Process *process = kernel->processes; process; process = process->next)
			tape_add(tape, TAPE_PROCESSES, process);
		for (Process *process = kernel->processes; process; process = process->next)
			carry_process(tape, process);
		return;
	}
	if (count > kernel->limits.processes)
		tape_fail(tape, STATUS_TOO_BIG, "it has %u processes, and %llu are allowed", count,
			  (unsigned long long)kernel->limits.processes);
	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		Process *process = process_create(kernel, 0);

		if (!process || !tape_add(tape, TAPE_PROCESSES, process))
			tape_fail(tape, STATUS_NOMEM, "%s", "");
		else
			carry_process(tape, process);
	}
	if (tape_ok(tape))
		check_numbers(tape);
}

/* Every thread runs in the memory of its process. */
static bool lives_in_its_memory(const Process *process)
{
	const Machine *machine = process->kernel->machine;

	for (const Task *task = process->tasks; task; task = task->next)
		if (machine_vcpu_aspace(machine, task->vcpu) != mm_aspace(process->mm))
			return false;
	return true;
}

void carry_process_parts(Tape *tape)
{
	for (Process *process = tape->kernel->processes; process && tape_ok(tape); process = process->next) {
		Signals *signals = tape_ref(tape, TAPE_HANDLERS, process->signals);
		FdTable *files = tape_ref(tape, TAPE_TABLES, process->files);
		FsState *fs = tape_ref(tape, TAPE_FOLDERS, process->fs);
		Mm *mm = tape_ref(tape, TAPE_MEMORIES, process->mm);

		if (tape->loading) {
			process->signals = signals ? signals_get(signals) : NULL;
			process->files = files ? fds_get(files) : NULL;
			process->fs = fs ? fs_get(fs) : NULL;
			process->mm = mm ? mm_get(mm) : NULL;
			if (!tape_check(tape, signals && !files == process->zombie && !fs == process->zombie &&
						      !mm == process->zombie && (!mm || lives_in_its_memory(process))))
				return;
		}
		carry_timers(tape, process);
	}
}
