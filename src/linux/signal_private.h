/* SPDX-License-Identifier: MIT
 *
 * What the files about signals share.
 */
#ifndef LINUX_SIGNAL_PRIVATE_H
#define LINUX_SIGNAL_PRIVATE_H

#include "linux/signal.h"

/* As struct sigaction of the kernel where there is no SA_RESTORER: handler, flags, mask. */
typedef struct Action {
	u64 handler, flags, mask;
} Action;

/* Shared by processes with CLONE_SIGHAND. */
struct Signals {
	u32 refs;
	Action actions[65]; /* by number; [0] is not used */
};

/* Flags as asm-generic has them. */
enum {
	ACTION_NOCLDSTOP = 1,
	ACTION_NOCLDWAIT = 2,
	ACTION_SIGINFO = 4,
	ACTION_ONSTACK = 0x08000000,
	ACTION_RESTART = 0x10000000,
	ACTION_NODEFER = 0x40000000,
};
#define ACTION_RESETHAND 0x80000000u

enum { STACK_ONSTACK = 1, STACK_DISABLE = 2 };
#define STACK_AUTODISARM 0x80000000u
enum { STACK_LEAST = 2048 };

static inline u64 signal_bit(i32 number)
{
	return (u64)1 << (number - 1);
}

u64 signal_unblockable(void);  /* SIGKILL, SIGSTOP */
bool signal_stops(i32 number); /* by default */
void signal_queue_drop(SignalQueue *queue, u64 set);
bool signal_is_on_stack(const AltStack *stack, u64 sp);

#endif
