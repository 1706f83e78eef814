/* SPDX-License-Identifier: MIT
 *
 * Signals: handlers, sending, delivery, and the life of processes as far as others call it.
 */
#ifndef LINUX_SIGNAL_H
#define LINUX_SIGNAL_H

#include "linux/kernel.h"

enum { SIGNALS_PENDING = 1024 }; /* queued at most, of a process and of each task */

Signals *signals_create(void);
Signals *signals_get(Signals *signals);
void signals_put(Signals *signals);
Signals *signals_fork(Signals *signals);
void signals_exec(Process *process); /* handlers go back to the default */
void signals_clear(Process *process); /* likewise, in its own table */

void signal_send(Process *process, const SignalInfo *info);
void signal_send_task(Task *task, const SignalInfo *info);
/* By number alone, from the kernel (SIGPIPE, SIGCHLD, SIGALRM). */
void signal_raise(Task *task, i32 number);
bool signal_is_ignored(const Process *process, i32 number); /* by SIG_IGN or by default */
bool signal_has_action(const Process *process, i32 number); /* a handler, or SIG_IGN */
/* A fault of the current instruction: it cannot be ignored or blocked. */
void signal_force(Task *task, const SignalInfo *info);
/* Is there one that a waiting call must give way to? */
bool signal_is_pending(const Task *task);

bool signal_kills(const Task *task); /* is there a SIGKILL? */
/* Takes the next pending one that is in `set` (blocked or not): sigtimedwait, signalfd. */
bool signal_take(Task *task, u64 set, SignalInfo *out);
/* ppoll, pselect, epoll_pwait, at every try: these are blocked until the call ends, or a handler has returned. */
void signal_mask_for_call(Task *task, u64 mask);
/* There may be one for it now: it looks before its next instruction, or tries its waiting call again. */
void signal_look(Task *task);
/* Tells the parent that its child ended, stopped or goes on. The child may be reaped by that. */
void signal_child(Process *child, bool ended);
/* What has to be done for the current task before its next instruction: calls made again, handlers, the default. */
void signal_deliver(Task *task);
/* siginfo_t as Linux lays it out (128 bytes). */
void signal_put_info(const SignalInfo *info, u8 *to);

/* Ends all other threads of the process: exec. */
void process_end_others(Task *task);
/* exit_group; signal: by this one. */
void process_end(Process *process, i32 code, i32 signal);

#endif
