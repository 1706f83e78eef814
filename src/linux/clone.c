/* SPDX-License-Identifier: MIT
 *
 * New threads and processes: clone, clone3.
 *
 *     CLONE_THREAD       a task more in the process; it shares everything
 *     else               a process with one task: each of memory, descriptors, working directory and handlers is shared
 *                        (CLONE_VM, _FILES, _FS, _SIGHAND) or copied
 *     CLONE_VFORK        the caller waits until the child executes something or ends
 *
 * Everything that can fail is done before anything can be seen. Name spaces are not given: EPERM, as in a container.
 */
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "linux/anon.h"
#include "linux/mm.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/syscalls.h"
#include "linux/vfs.h"

/* Not in every linux/sched.h. */
enum { SPACE_TIME = 0x80, INTO_CGROUP_BIT = 33 };
#define CLEAR_SIGHAND ((u64)1 << 32)

typedef struct CloneArgs {
	u64 flags;      /* CLONE_*; without the signal */
	u64 stack_top;  /* 0: as the caller */
	u64 parent_tid, child_tid, tls, pidfd;
	i32 exit_signal;
} CloneArgs;

static const u64 known_flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_PTRACE | CLONE_VFORK |
			       CLONE_PARENT | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
			       CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_UNTRACED | CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_IO |
			       CLEAR_SIGHAND;
static const u64 space_flags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
			       CLONE_NEWPID | CLONE_NEWNET | SPACE_TIME;

static i64 check(const CloneArgs *args)
{
	u64 flags = args->flags;

	if (flags & space_flags)
		return -EPERM;
	if (flags & ~known_flags)
		return -EINVAL;
	if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && (!(flags & CLONE_VM) || (flags & CLEAR_SIGHAND)))
		return -EINVAL;
	if ((flags & CLONE_PIDFD) && (flags & (CLONE_THREAD | CLONE_DETACHED)))
		return -EINVAL;
	if (args->exit_signal < 0 || args->exit_signal > 64)
		return -EINVAL;
	return 0;
}

/* ---- The parts ---- */

static bool copy_text(Buf *to, const Buf *from)
{
	if (from->len)
		buf_add(to, from->data, from->len);
	return !to->failed;
}

static void copy_identity(Process *child, const Process *parent)
{
	child->pgid = parent->pgid;
	child->sid = parent->sid;
	child->user = parent->user;
	child->group = parent->group;
	child->real_user = parent->real_user;
	child->real_group = parent->real_group;
	child->saved_user = parent->saved_user;
	child->saved_group = parent->saved_group;
	memcpy(child->groups, parent->groups, sizeof(child->groups));
	child->group_count = parent->group_count;
	child->nice = parent->nice;
	child->dumpable = parent->dumpable;
	child->no_new_privileges = parent->no_new_privileges;
	child->keeps_capabilities = parent->keeps_capabilities;
	memcpy(child->limits, parent->limits, sizeof(child->limits));
}

/* All that a process has but its task. False: no memory; what there is belongs to the record already. */
static bool copy_parts(Process *child, Process *parent, u64 flags)
{
	copy_identity(child, parent);
	if (parent->program && !(child->program = strdup(parent->program)))
		return false;
	if (!copy_text(&child->arguments, &parent->arguments) || !copy_text(&child->environment, &parent->environment) ||
	    !copy_text(&child->auxv, &parent->auxv))
		return false;
	child->files = flags & CLONE_FILES ? fds_get(parent->files) : fds_fork(parent->files);
	child->fs = flags & CLONE_FS ? fs_get(parent->fs) : fs_fork(parent->fs);
	child->signals = flags & CLONE_SIGHAND ? signals_get(parent->signals) : signals_fork(parent->signals);
	child->mm = flags & CLONE_VM ? mm_get(parent->mm) : mm_fork(parent->mm);
	return child->files && child->fs && child->signals && child->mm;
}

static void copy_registers(Task *child, const Task *parent, const CloneArgs *args)
{
	const LinuxAbi *abi = parent->kernel->abi;
	Machine *machine = parent->kernel->machine;
	u32 count = machine_isa(machine)->slot_count;

	for (u32 i = 1; i < count; i++)
		machine_vcpu_set_slot(machine, child->vcpu, i, machine_slot(machine, i));
	if (args->stack_top)
		machine_vcpu_set_slot(machine, child->vcpu, abi->registers.sp, args->stack_top);
	if (args->flags & CLONE_SETTLS)
		machine_vcpu_set_slot(machine, child->vcpu, abi->registers.tls, args->tls);
	machine_vcpu_set_slot(machine, child->vcpu, abi->registers.result, 0);
	machine_vcpu_set_slot(machine, child->vcpu, abi->registers.pc, parent->call.pc + abi->call_length);
}

/* RLIMIT_NPROC: of all threads of the user; it does not bind root. */
static bool has_room(const Task *task)
{
	const Kernel *kernel = task->kernel;
	u32 user = task->process->real_user;
	u64 count = 0;

	if (user == 0 || task->process->user == 0)
		return true;
	for (u32 i = 0; i < kernel->task_cap; i++)
		count += kernel->tasks[i] && kernel->tasks[i]->process->real_user == user;
	return count < task->process->limits[RLIMIT_NPROC][0];
}

static i64 make(Task *task, const CloneArgs *args, Task **out)
{
	Kernel *kernel = task->kernel;
	i32 tid = kernel_new_pid(kernel);
	bool thread = args->flags & CLONE_THREAD;
	Process *process = !has_room(task) ? NULL : thread ? task->process : process_create(kernel, tid);
	i64 error;

	if (!process)
		return -EAGAIN;
	error = thread || copy_parts(process, task->process, args->flags) ? task_create(process, tid, out) : -ENOMEM;
	if (error) {
		if (!thread)
			process_forget(process);
		return error;
	}
	machine_vcpu_set_aspace(kernel->machine, (*out)->vcpu, mm_aspace(process->mm));
	if (!thread) {
		process->parent = args->flags & CLONE_PARENT ? task->process->parent : task->process;
		if (!process->parent)
			process->parent = task->process;
		process->death_signal = args->flags & CLONE_PARENT ? task->process->death_signal : args->exit_signal;
	}
	return 0;
}

/* CLONE_PIDFD: a descriptor of the caller alone, so after its table was copied. Without it there is no child. */
static i64 give_pidfd(Task *task, const CloneArgs *args, Task *child)
{
	i64 fd = pidfd_make(task, child->process, 0);

	if (fd >= 0 && !user_put_u32(task, args->pidfd, (u32)fd)) {
		fds_close(task, (i32)fd);
		fd = -EFAULT;
	}
	if (fd < 0) {
		Process *process = child->process;

		task_end(child);
		process_forget(process);
	}
	return fd < 0 ? fd : 0;
}

static i64 clone(Task *task, const CloneArgs *args)
{
	Call *call = &task->call;
	WaitQueue *vfork_done = NULL;
	Task *child = NULL;
	i64 error = check(args);

	if (!error && (args->flags & CLONE_VFORK) && !(vfork_done = calloc(1, sizeof(*vfork_done))))
		error = -ENOMEM;
	if (!error)
		error = make(task, args, &child);
	if (!error && (args->flags & CLONE_PIDFD))
		error = give_pidfd(task, args, child);
	if (error) {
		free(vfork_done);
		return error;
	}
	copy_registers(child, task, args);
	memcpy(child->name, task->name, sizeof(child->name));
	child->blocked = task->has_saved_blocked ? task->saved_blocked : task->blocked;
	child->vfork_done = vfork_done;
	if (!(args->flags & CLONE_VM) || (args->flags & CLONE_VFORK))
		child->alt_stack = task->alt_stack;
	if (args->flags & CLEAR_SIGHAND)
		signals_clear(child->process);
	if (args->flags & CLONE_CHILD_CLEARTID)
		child->clear_tid = args->child_tid;
	if (args->flags & CLONE_CHILD_SETTID)
		user_put_u32(child, args->child_tid, (u32)child->tid);
	if (args->flags & CLONE_PARENT_SETTID)
		user_put_u32(task, args->parent_tid, (u32)child->tid);
	if (!vfork_done)
		return child->tid;
	call->data[0] = (u64)child->tid;
	return task_watch(task, vfork_done) ? CALL_WAIT : child->tid;
}

/* vfork: has the child gone its own way? */
static i64 wait_for_child(Task *task)
{
	Task *child = task_find(task->kernel, (i32)task->call.data[0]);

	if (!child || !child->vfork_done || !task_watch(task, child->vfork_done))
		return (i64)task->call.data[0];
	return CALL_WAIT;
}

i64 sys_clone(Task *task, const u64 *a)
{
	CloneArgs args = { .flags = (u32)a[0] & ~(u32)CSIGNAL, .stack_top = a[1], .parent_tid = a[2], .tls = a[3],
			   .child_tid = a[4], .pidfd = a[2], .exit_signal = (i32)(a[0] & CSIGNAL) };

	return task->call.again ? wait_for_child(task) : clone(task, &args);
}

i64 sys_clone3(Task *task, const u64 *a)
{
	enum { LEAST = 64, MOST = 4096 };
	u64 raw[11] = { 0 }, rest[(MOST - sizeof(raw)) / 8], size = a[1];
	CloneArgs args;

	if (task->call.again)
		return wait_for_child(task);
	if (size > MOST)
		return -E2BIG;
	if (size < LEAST)
		return -EINVAL;
	if (!user_read(task, a[0], raw, size < sizeof(raw) ? size : sizeof(raw)))
		return -EFAULT;
	if (size > sizeof(raw)) {
		memset(rest, 0, sizeof(rest));
		if (!user_read(task, a[0] + sizeof(raw), rest, size - sizeof(raw)))
			return -EFAULT;
		for (u32 i = 0; i < COUNT_OF(rest); i++)
			if (rest[i])
				return -E2BIG;
	}
	/* flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup */
	args = (CloneArgs){ .flags = raw[0], .child_tid = raw[2], .parent_tid = raw[3], .tls = raw[7], .pidfd = raw[1],
			    .exit_signal = raw[4] > 64 ? -1 : (i32)raw[4] };
	if ((raw[0] & CSIGNAL & ~(u64)SPACE_TIME) || (raw[0] & (CLONE_DETACHED | (u64)1 << INTO_CGROUP_BIT)) ||
	    (!raw[5] != !raw[6]) || raw[5] + raw[6] < raw[5])
		return -EINVAL;
	if ((args.flags & (CLONE_THREAD | CLONE_PARENT)) && args.exit_signal)
		return -EINVAL;
	if (raw[9])
		return -EPERM; /* numbers are not chosen by the program */
	args.stack_top = raw[5] + raw[6];
	return clone(task, &args);
}
