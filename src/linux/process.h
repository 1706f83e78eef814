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
/* Its first task, or NULL when it is a zombie. */
Task *process_any_task(const Process *process);

/* From execve, behind the point of no return: vfork's parent goes on, handlers and alternate stacks go back to the
 * default, timers end, did_exec. Other threads have been ended (process_end_others). */
void process_did_exec(Task *task);

#endif
