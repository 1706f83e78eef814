/* SPDX-License-Identifier: MIT
 *
 * Signals: handlers, sending, delivery, and the life of processes as far as others call it.
 */
#ifndef LINUX_SIGNAL_H
#define LINUX_SIGNAL_H

#include "linux/kernel.h"

Signals *signals_create(void);
Signals *signals_get(Signals *signals);
void signals_put(Signals *signals);
Signals *signals_fork(Signals *signals);
void signals_exec(Process *process); /* handlers go back to the default */

void signal_send(Process *process, const SignalInfo *info);
void signal_send_task(Task *task, const SignalInfo *info);
/* By number alone, from the kernel (SIGPIPE, SIGCHLD, SIGALRM). */
void signal_raise(Task *task, i32 number);
/* A fault of the current instruction: it cannot be ignored or blocked. */
void signal_force(Task *task, const SignalInfo *info);
/* Is there one that a waiting call must give way to? */
bool signal_is_pending(const Task *task);

/* Ends all other threads of the process: exec. */
void process_end_others(Task *task);
/* exit_group; signal: by this one. */
void process_end(Process *process, i32 code, i32 signal);

#endif
