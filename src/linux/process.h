/* SPDX-License-Identifier: MIT
 *
 * Processes and their threads: making, finding and ending them.
 */
#ifndef LINUX_PROCESS_H
#define LINUX_PROCESS_H

#include "linux/kernel.h"

/* For linux_load: the first process, pid 1, with one task on vCPU 0; memory empty (mm_create), working directory and
 * descriptors 0, 1, 2 as configured. What is missing is exec_file. STATUS_NOMEM, STATUS_INVALID (there is one). */
Status process_create_init(Kernel *kernel, Task **task);

/* NULL: nobody has this number. Zombies are found. */
Process *process_find(Kernel *kernel, i32 pid);
Task *task_find(Kernel *kernel, i32 tid);
/* An empty record behind the others; NULL: the limit, or memory. process_forget takes it out again. */
Process *process_create(Kernel *kernel, i32 pid);
void process_forget(Process *process);
/* Its first task, or NULL when it is a zombie. */
Task *process_any_task(const Process *process);

/* The task's end: what it held is given back, waiters for its end are told. Its process goes on. */
void task_end(Task *task);
/* A new task in the process, on a new vCPU with registers at reset; -EAGAIN, -ENOMEM. */
i64 task_create(Process *process, i32 tid, Task **out);
/* For snapshots: an empty record on a vCPU that is there; NULL: no memory. */
Task *task_put(Process *process, u32 vcpu);
/* A number that neither a process, a group, a session nor a thread has. */
i32 kernel_new_pid(Kernel *kernel);
/* Gives back what ended calls still held. */
void kernel_bury(Kernel *kernel);
/* Everything and everybody, without messages: linux_fini. */
void processes_destroy(Kernel *kernel);
/* The zombie is taken out; what it used is its parent's. */
void process_reap(Process *process);
void process_stop(Process *process, i32 signal);
void process_continue(Process *process, bool tells); /* tells: its parent */
/* Nobody outside the group's own session is parent of one of its members. */
bool process_group_is_orphaned(const Kernel *kernel, i32 pgid);
/* CPU time in ns (LINUX_INSTRUCTION_NS an instruction): of the process with its ended threads; of a thread. */
u64 process_cpu_time(const Process *process);
u64 task_cpu_time(const Task *task);

/* futex.c */
void futex_cancel(Task *task);                      /* it waits no more */
void futex_exit(Task *task);                        /* robust list, clear_tid */
void futexes_destroy(Kernel *kernel);

/* timers.c, time.c: those of a process end */
void timers_exec(Process *process);
void timers_destroy(Process *process);
/* CPU timers and RLIMIT_CPU of all processes. */
void timers_check_cpu(Kernel *kernel);

/* hostwatch.c */
void host_watches_destroy(Kernel *kernel);
bool kernel_watches_host(const Kernel *kernel);

enum { LINUX_INSTRUCTION_NS = 5 }; /* about what the interpreter needs: CPU clocks are in the order of real time */

/* From execve, behind the point of no return: vfork's parent goes on, handlers and alternate stacks go back to the
 * default, timers end, did_exec. Other threads have been ended (process_end_others). */
void process_did_exec(Task *task);

#endif
