/* SPDX-License-Identifier: MIT
 *
 * The system calls about signals.
 */
#include <signal.h>
#include <string.h>

#include "linux/process.h"
#include "linux/signal_private.h"
#include "linux/syscalls.h"

enum { SET_BYTES = 8 }; /* sizeof(sigset_t) as the kernel has it */

/* ---- Handlers and masks ---- */

i64 sys_rt_sigaction(Task *task, const u64 *a)
{
	i32 number = (i32)a[0];
	Action action = { 0 };

	if (a[3] != SET_BYTES || number < 1 || number > 64)
		return -EINVAL;
	if (a[1] && !user_read(task, a[1], &action, sizeof(action)))
		return -EFAULT;
	if (a[1] && (number == SIGKILL || number == SIGSTOP))
		return -EINVAL;
	if (a[2] && !user_write(task, a[2], &task->process->signals->actions[number], sizeof(Action)))
		return -EFAULT;
	if (!a[1])
		return 0;
	action.mask &= ~signal_unblockable();
	task->process->signals->actions[number] = action;
	if (signal_is_ignored(task->process, number)) {
		signal_queue_drop(&task->process->pending, signal_bit(number));
		for (Task *each = task->process->tasks; each; each = each->next)
			signal_queue_drop(&each->pending, signal_bit(number));
	}
	return 0;
}

i64 sys_rt_sigprocmask(Task *task, const u64 *a)
{
	u64 set = 0, before = task->blocked;

	if (a[3] != SET_BYTES)
		return -EINVAL;
	if (a[1]) {
		if (!user_read(task, a[1], &set, sizeof(set)))
			return -EFAULT;
		set &= ~signal_unblockable();
		switch ((i32)a[0]) {
		case SIG_BLOCK: task->blocked |= set; break;
		case SIG_UNBLOCK: task->blocked &= ~set; break;
		case SIG_SETMASK: task->blocked = set; break;
		default: return -EINVAL;
		}
	}
	return !a[2] || user_write(task, a[2], &before, sizeof(before)) ? 0 : -EFAULT;
}

i64 sys_rt_sigpending(Task *task, const u64 *a)
{
	u64 set = (task->pending.set | task->process->pending.set) & task->blocked;

	if (a[1] > SET_BYTES)
		return -EINVAL;
	return user_write(task, a[0], &set, a[1]) ? 0 : -EFAULT;
}

i64 sys_rt_sigsuspend(Task *task, const u64 *a)
{
	u64 set;

	if (a[1] != SET_BYTES)
		return -EINVAL;
	if (!user_read(task, a[0], &set, sizeof(set)))
		return -EFAULT;
	signal_mask_for_call(task, set);
	return CALL_WAIT;
}

i64 sys_rt_sigtimedwait(Task *task, const u64 *a)
{
	Call *call = &task->call;
	SignalInfo info;
	u8 bytes[128];
	u64 set, ns;

	if (a[3] != SET_BYTES)
		return -EINVAL;
	if (!user_read(task, a[0], &set, sizeof(set)))
		return -EFAULT;
	if (a[2] && !call->again) {
		if (!user_timespec(task, a[2], &ns))
			return -EFAULT;
		if (ns == ~(u64)0)
			return -EINVAL;
		call->data[0] = kernel_now(task->kernel) + ns;
	}
	if (signal_take(task, set & ~signal_unblockable(), &info)) {
		signal_put_info(&info, bytes);
		return !a[1] || user_write(task, a[1], bytes, sizeof(bytes)) ? info.number : -EFAULT;
	}
	if (a[2] && call->data[0] <= kernel_now(task->kernel))
		return -EAGAIN;
	if (a[2])
		task_wait_hour(task, call->data[0]);
	return task_watch(task, &task->process->signal_arrived) ? CALL_WAIT : -ENOMEM;
}

i64 sys_sigaltstack(Task *task, const u64 *a)
{
	AltStack *stack = &task->alt_stack;
	u64 sp = machine_slot(task->kernel->machine, task->kernel->abi->registers.sp), raw[3];
	bool on = signal_is_on_stack(stack, sp);
	struct {
		u64 base;
		u32 flags, pad;
		u64 size;
	} wanted, before = { stack->base, stack->flags | (on ? STACK_ONSTACK : 0), 0, stack->size };

	if (a[0]) {
		if (!user_read(task, a[0], raw, sizeof(raw)))
			return -EFAULT;
		memcpy(&wanted, raw, sizeof(wanted));
		if (on)
			return -EPERM;
		if (wanted.flags & ~(STACK_AUTODISARM | STACK_DISABLE | STACK_ONSTACK))
			return -EINVAL;
		if (!(wanted.flags & STACK_DISABLE) && wanted.size < STACK_LEAST)
			return -ENOMEM;
		*stack = (AltStack){ wanted.base, wanted.size, wanted.flags & ~(u32)STACK_ONSTACK };
		if (wanted.flags & STACK_DISABLE)
			*stack = (AltStack){ .flags = STACK_DISABLE };
	}
	return !a[1] || user_write(task, a[1], &before, sizeof(before)) ? 0 : -EFAULT;
}

i64 sys_rt_sigreturn(Task *task, const u64 *a)
{
	const LinuxAbi *abi = task->kernel->abi;
	Machine *machine = task->kernel->machine;
	u8 frame[4096];
	u64 sp = machine_slot(machine, abi->registers.sp), mask, stack[3];
	u32 flags;

	(void)a;
	if (abi->frame_size > sizeof(frame) || !user_read(task, sp + 128, frame, abi->frame_size) ||
	    !abi->restore(machine, frame)) {
		process_end(task->process, 0, SIGSEGV);
		return CALL_DONE;
	}
	memcpy(&mask, frame + abi->mask_offset, 8);
	memcpy(stack, frame + abi->stack_offset, sizeof(stack));
	task->blocked = mask & ~signal_unblockable();
	memcpy(&flags, &stack[1], 4);
	if (!signal_is_on_stack(&task->alt_stack, machine_slot(machine, abi->registers.sp)) &&
	    ((flags & STACK_DISABLE) || stack[2] >= STACK_LEAST)) {
		task->alt_stack = (AltStack){ stack[0], stack[2], flags & ~(u32)STACK_ONSTACK };
		if (flags & STACK_DISABLE)
			task->alt_stack = (AltStack){ .flags = STACK_DISABLE };
	}
	return CALL_DONE;
}

/* ---- Sending ---- */

static bool may_send(const Task *task, const Process *to, i32 number)
{
	const Process *from = task->process;

	return from->user == 0 || from->user == to->real_user || from->user == to->saved_user ||
	       from->real_user == to->real_user || from->real_user == to->saved_user ||
	       (number == SIGCONT && from->sid == to->sid);
}

static i64 send(Task *task, Process *to, const SignalInfo *info)
{
	if (!may_send(task, to, info->number))
		return -EPERM;
	if (info->number && !to->zombie)
		signal_send(to, info);
	return 0;
}

/* To all that `pgid` says: a group, or everybody but the first and the sender for -1. */
static i64 send_to_many(Task *task, i32 pgid, const SignalInfo *info)
{
	i64 result = -ESRCH;

	for (Process *process = task->kernel->processes, *next; process; process = next) {
		i64 one;

		next = process->next;
		if (pgid == -1 ? process->pid == 1 || process == task->process : process->pgid != pgid)
			continue;
		one = send(task, process, info);
		if (result != 0)
			result = one;
	}
	return result;
}

static SignalInfo info_from(const Task *task, i32 number, i32 code)
{
	return (SignalInfo){ .number = number, .code = code, .pid = task->process->pid,
			     .uid = (i32)task->process->real_user };
}

i64 sys_kill(Task *task, const u64 *a)
{
	i32 pid = (i32)a[0];
	SignalInfo info = info_from(task, (i32)a[1], SI_USER);
	Process *to;

	if (info.number < 0 || info.number > 64)
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid <= 0)
		return send_to_many(task, pid == -1 ? -1 : pid == 0 ? task->process->pgid : -pid, &info);
	to = process_find(task->kernel, pid);
	if (!to) {
		Task *thread = task_find(task->kernel, pid); /* a thread's number means its process */

		to = thread ? thread->process : NULL;
	}
	return to ? send(task, to, &info) : -ESRCH;
}

static i64 send_to_task(Task *task, i32 tgid, i32 tid, const SignalInfo *info)
{
	Task *to;

	if (info->number < 0 || info->number > 64 || tid <= 0)
		return -EINVAL;
	to = task_find(task->kernel, tid);
	if (!to || (tgid > 0 && to->process->pid != tgid)) {
		Process *process = process_find(task->kernel, tid);

		return process && process->zombie && (tgid <= 0 || tgid == tid) ? 0 : -ESRCH;
	}
	if (!may_send(task, to->process, info->number))
		return -EPERM;
	if (info->number >= 32 && to->pending.count >= SIGNALS_PENDING)
		return -EAGAIN;
	if (info->number)
		signal_send_task(to, info);
	return 0;
}

i64 sys_tkill(Task *task, const u64 *a)
{
	SignalInfo info = info_from(task, (i32)a[1], SI_TKILL);

	return send_to_task(task, 0, (i32)a[0], &info);
}

i64 sys_tgkill(Task *task, const u64 *a)
{
	SignalInfo info = info_from(task, (i32)a[2], SI_TKILL);

	return (i32)a[0] <= 0 ? -EINVAL : send_to_task(task, (i32)a[0], (i32)a[1], &info);
}

static i64 read_info(Task *task, u64 address, i32 number, i32 pid, SignalInfo *info)
{
	u8 bytes[128];

	if (!user_read(task, address, bytes, sizeof(bytes)))
		return -EFAULT;
	*info = (SignalInfo){ .number = number };
	memcpy(&info->error, bytes + 4, 4);
	memcpy(&info->code, bytes + 8, 4);
	memcpy(&info->pid, bytes + 16, 4);
	memcpy(&info->uid, bytes + 20, 4);
	memcpy(&info->value, bytes + 24, 8);
	return (info->code >= 0 || info->code == SI_TKILL) && pid != task->process->pid ? -EPERM : 0;
}

i64 sys_rt_sigqueueinfo(Task *task, const u64 *a)
{
	Process *to = process_find(task->kernel, (i32)a[0]);
	SignalInfo info;
	i64 error = read_info(task, a[2], (i32)a[1], (i32)a[0], &info);

	if (error)
		return error;
	if (info.number < 0 || info.number > 64)
		return -EINVAL;
	if (!to)
		return -ESRCH;
	if (info.number >= 32 && to->pending.count >= SIGNALS_PENDING)
		return -EAGAIN;
	return send(task, to, &info);
}

i64 sys_rt_tgsigqueueinfo(Task *task, const u64 *a)
{
	SignalInfo info;
	i64 error = read_info(task, a[3], (i32)a[2], (i32)a[0], &info);

	if (error)
		return error;
	return (i32)a[0] <= 0 ? -EINVAL : send_to_task(task, (i32)a[0], (i32)a[1], &info);
}
