/* SPDX-License-Identifier: MIT
 *
 * Accesses of compiled code to a hard space (core/space.h) that the host refuses: instead of a signal that ends the process,
 * the code goes on at a stub that leaves in front of the instruction, and the cold engine does what is to be done.
 *
 *     jit_signal_install()                   whenever others may have changed what handles signals; any thread
 *     JitRun run = { code, memory, faults }
 *     jit_signal_enter(&run)                 this thread runs compiled code from now on
 *       ... compiled code:  mov eax, [rbx + rdx]       <- SIGSEGV at code + at: the handler sets rip to code + to,
 *                                                         run.page to the page, run.faulted
 *     jit_signal_leave(&run)
 *
 * What a back end has to do. Behind each instruction of the host that accesses guest memory without a test of rights stands
 * an entry in `faults`: `at`, the offset of that instruction, and `to`, that of the code which goes on. All registers but
 * rip, and the stack, are there as they were at `at`; an access that faults has changed nothing (one access per
 * instruction; no `rep`, no push). The list is sorted by `at`: code is laid down in ascending order, so appending does it.
 * The list and the struct must not change while compiled code runs.
 *
 * What is ours: SIGSEGV (or SIGBUS) by an access of the thread's own to an address in [memory - SPACE_GUARD, memory +
 * memory_bytes + SPACE_GUARD) by an instruction in `faults`. Any other goes to the handler that was there before, or
 * ends the process as if there were none. When that one gets nowhere (it gave way to ours and went back, hoping for
 * another), the process ends after some rounds.
 *
 * The handler runs on the stack of compiled code (or the thread's sigaltstack if it has one) and needs some 4 KiB of it. It
 * reads what is named here and writes the context, nothing else. enter and leave are two moves each.
 */
#ifndef JIT_JIT_SIGNAL_H
#define JIT_JIT_SIGNAL_H

#include "base/types.h"

typedef struct JitFault {
	u32 at, to; /* to: may hold JIT_FAULT_STAYS */
} JitFault;

/* Nobody needs to know of this fault: compiled code goes on. */
#define JIT_FAULT_STAYS 0x80000000u

typedef struct JitFaults {
	JitFault *list; /* owned */
	u32 count, cap;
} JitFaults;

typedef struct JitRun {
	const u8 *code;          /* where it is executed */
	u32 code_bytes;
	const u8 *memory;        /* cell 0 of the view; NULL: none, no fault is ours */
	u64 memory_bytes;
	const JitFaults *faults, *other_faults; /* each sorted; other_faults may be NULL */
	u64 page;                /* of the last fault that was ours; one in a guard: far beyond the space */
	bool faulted;            /* there was one; whoever sees it clears it */
	struct JitRun *outer;
} JitRun;

/* Ours comes first afterwards. False: signals can't be had. */
bool jit_signal_install(void);
void jit_signal_enter(JitRun *run);
void jit_signal_leave(const JitRun *run);
/* False: no memory. */
bool jit_faults_add(JitFaults *faults, u32 at, u32 to);

#endif
