/* SPDX-License-Identifier: MIT
 *
 * Delivery: what a task does about its signals before its next instruction.
 *
 *     handler       a frame on its stack (below), registers as a call of the handler; it returns into the vDSO page,
 *                   whose rt_sigreturn puts back what the frame holds
 *     default       ignore, stop the process, end it
 *     a call that gave way (task->restarts) is made again when no handler runs or its SA_RESTART says so; else it
 *                   gives EINTR
 *
 *     sp before ->  |                     |
 *                   |  struct ucontext    |  frame_size: abi->save, mask, alternate stack
 *                   |  siginfo_t, 128     |
 *     sp in it  ->  +---------------------+  a multiple of 16
 *
 * A frame that cannot be written (a wild stack pointer) ends the process with SIGSEGV.
 */
#include <signal.h>
#include <string.h>

#include "linux/mm.h"
#include "linux/process.h"
#include "linux/signal_private.h"

enum { INFO_BYTES = 128, FRAME_LIMIT = 4096 };

/* ---- siginfo_t ---- */

static bool is_fault(const SignalInfo *info)
{
	return info->code > 0 && info->code < SI_KERNEL &&
	       (info->number == SIGSEGV || info->number == SIGBUS || info->number == SIGILL || info->number == SIGTRAP ||
		info->number == SIGFPE);
}

void signal_put_info(const SignalInfo *info, u8 *to)
{
	memset(to, 0, INFO_BYTES);
	memcpy(to, &info->number, 4);
	memcpy(to + 4, &info->error, 4);
	memcpy(to + 8, &info->code, 4);
	if (is_fault(info)) {
		memcpy(to + 16, &info->address, 8);
	} else if (info->code == SI_TIMER) {
		u32 overrun = (u32)info->address;

		memcpy(to + 16, &info->timer, 4);
		memcpy(to + 20, &overrun, 4);
		memcpy(to + 24, &info->value, 8);
	} else {
		memcpy(to + 16, &info->pid, 4);
		memcpy(to + 20, &info->uid, 4);
		if (info->number == SIGCHLD && info->code > 0)
			memcpy(to + 24, &info->status, 4);
		else
			memcpy(to + 24, &info->value, 8);
	}
}

/* ---- Handlers ---- */

bool signal_is_on_stack(const AltStack *stack, u64 sp)
{
	return !(stack->flags & (STACK_DISABLE | STACK_AUTODISARM)) && sp > stack->base && sp - stack->base <= stack->size;
}

static bool push_frame(Task *task, const Action *action, const SignalInfo *info)
{
	const LinuxAbi *abi = task->kernel->abi;
	Machine *machine = task->kernel->machine;
	u8 frame[INFO_BYTES + FRAME_LIMIT];
	u64 sp = machine_slot(machine, abi->registers.sp), mask, back = mm_trampoline(task->process->mm);
	u32 size = INFO_BYTES + abi->frame_size;
	AltStack *stack = &task->alt_stack;
	u32 flags = stack->flags;

	if (abi->frame_size > FRAME_LIMIT || !back)
		return false;
	if (signal_is_on_stack(stack, sp))
		flags |= STACK_ONSTACK;
	else if ((action->flags & ACTION_ONSTACK) && !(stack->flags & STACK_DISABLE))
		sp = stack->base + stack->size;
	sp = (sp - size) & ~(u64)15;
	if ((flags & STACK_ONSTACK) && sp <= stack->base)
		return false; /* it has run over */
	memset(frame, 0, size);
	signal_put_info(info, frame);
	abi->save(machine, frame + INFO_BYTES);
	mask = task->has_saved_blocked ? task->saved_blocked : task->blocked;
	task->has_saved_blocked = false;
	memcpy(frame + INFO_BYTES + abi->mask_offset, &mask, 8);
	memcpy(frame + INFO_BYTES + abi->stack_offset, &stack->base, 8);
	memcpy(frame + INFO_BYTES + abi->stack_offset + 8, &flags, 4);
	memcpy(frame + INFO_BYTES + abi->stack_offset + 16, &stack->size, 8);
	if (!user_write(task, sp, frame, size))
		return false;
	if (stack->flags & STACK_AUTODISARM)
		*stack = (AltStack){ .flags = STACK_DISABLE };
	abi->enter(machine, action->handler, sp, (u64)info->number, sp, sp + INFO_BYTES, back);
	return true;
}

static void call_again(Task *task)
{
	const LinuxRegisters *registers = &task->kernel->abi->registers;

	machine_set_pc(task->kernel->machine, task->call.pc);
	machine_set_slot(task->kernel->machine, registers->args[0], task->call.args[0]);
	machine_set_slot(task->kernel->machine, registers->number, task->call.number);
}

static void run_handler(Task *task, const SignalInfo *info)
{
	Process *process = task->process;
	Action action = process->signals->actions[info->number];

	if (task->restarts && task->call.restart == CALL_RESTART && (action.flags & ACTION_RESTART))
		call_again(task);
	task->restarts = false;
	task->call.again = false;
	if (action.flags & ACTION_RESETHAND)
		process->signals->actions[info->number].handler = 0;
	if (!push_frame(task, &action, info)) {
		process_end(process, 0, SIGSEGV);
		return;
	}
	task->blocked |= action.mask;
	if (!(action.flags & ACTION_NODEFER))
		task->blocked |= signal_bit(info->number);
	task->blocked &= ~signal_unblockable();
}

/* ---- All of them ---- */

/* Nobody here would continue it, but whoever started the driver does. */
static bool driver_stops(const Process *process, int number)
{
	const Kernel *kernel = process->kernel;

	return number == SIGTSTP && kernel->terminal && kernel->terminal->can_stop && process->pgid == kernel->foreground;
}

/* False: the task goes no further, it has ended or stopped. */
static bool take_one(Task *task, const SignalInfo *info)
{
	Process *process = task->process;
	u64 handler = process->signals->actions[info->number].handler;

	if (handler > 1 && info->number != SIGKILL && info->number != SIGSTOP) {
		run_handler(task, info);
		return !task->ending;
	}
	if (signal_is_ignored(process, info->number))
		return true;
	if (signal_stops(info->number)) {
		if (info->number != SIGSTOP && process_group_is_orphaned(task->kernel, process->pgid)) {
			if (!driver_stops(process, info->number))
				return true;
			task->kernel->stop_wanted = true;
		}
		process_stop(process, info->number);
		machine_want_attention(task->kernel->machine, task->vcpu); /* the rest when it goes on */
		return false;
	}
	if (!process->parent && !task->kernel->ended) {
		task->kernel->end_place = machine_pc(task->kernel->machine);
		task->kernel->end_address = info->address;
		task->kernel->end_code = info->code;
	}
	process_end(process, 0, info->number);
	return false;
}

void signal_deliver(Task *task)
{
	Kernel *kernel = task->kernel;
	SignalInfo info;

	if (task->ending || task->process->stopped)
		return;
	/* In the midst of a call that waits: it is tried again, and gives way there. */
	if (task->call.again && machine_pc(kernel->machine) == task->call.pc)
		return;
	while (signal_take(task, ~task->blocked, &info)) {
		if (kernel->trace)
			strace_signal(task, &info);
		if (!take_one(task, &info))
			return;
	}
	if (task->restarts) {
		task->restarts = false;
		task->call.again = true; /* with what it remembers */
		call_again(task);
	}
	if (task->has_saved_blocked) {
		task->blocked = task->saved_blocked;
		task->has_saved_blocked = false;
		signal_look(task);
	}
}

void signal_mask_for_call(Task *task, u64 mask)
{
	if (!task->has_saved_blocked)
		task->saved_blocked = task->blocked;
	task->has_saved_blocked = true;
	task->blocked = mask & ~signal_unblockable();
}
