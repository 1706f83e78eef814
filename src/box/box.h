/* SPDX-License-Identifier: MIT
 *
 * A box: cores of several kinds in one machine. Each core is a Machine with a description, spaces and devices of its own
 * (and perhaps several vCPUs); memories of the box are seen by several of them through windows (machine/shared.h).
 *
 *     core "feeder" (LC-3)      memory "mailbox"      core "adder" (Iridium)
 *       M: x0000 .. [x4000..] <----> bytes <----> heap: 0 .. [64 ..]
 *
 * Cores take turns in the order they were added: a quantum of instructions each. The clock of the box is the sum of all
 * instructions; its time advances with it (instruction_ns each) and jumps forward when every core sleeps. So a run is a
 * function of programs, quantum and input alone, and the same every time.
 *
 * A core that fails or ends is no longer run; the others go on, and see of it only what it wrote into memories.
 */
#ifndef BOX_BOX_H
#define BOX_BOX_H

#include "base/buf.h"
#include "machine/machine.h"
#include "machine/shared.h"

typedef struct Box Box;

enum { BOX_CORES = 64, BOX_MEMORIES = 64 };

typedef enum CoreState {
	CORE_READY,
	CORE_WAITS,    /* for input */
	CORE_SLEEPS,
	CORE_HALTED,   /* by itself: stop.code */
	CORE_FAILED,   /* stop says how */
	CORE_NO_FUEL,
} CoreState;

typedef enum BoxStopKind {
	BOX_BUDGET, /* the instructions are used up */
	BOX_ENDED,  /* no core can ever go on */
	BOX_WAITS,  /* some wait for input, none can run: machine_input or machine_input_end, then run again */
} BoxStopKind;

typedef struct BoxCore {
	char name[64];
	Machine *machine; /* borrowed: must outlive the box */
	CoreState state;
	MachineStop stop; /* of the last run; its text is borrowed from the machine */
	u64 fuel;         /* instructions at most; 0 = no limit */
	u64 wake;         /* SLEEPS: box time */
	MachineStop (*run)(void *ctx, u64 max_insns); /* in place of machine_run, which it calls: a tracer; or NULL */
	void *run_ctx;
} BoxCore;

/* quantum and instruction_ns: 0 = 1000. NULL when memory is out. */
Box *box_create(u64 quantum, u64 instruction_ns);
void box_destroy(Box *box);

/* STATUS_TOO_BIG: BOX_CORES are there. The machine must sleep on time from outside (not virtual_time). */
Status box_add_core(Box *box, const char *name, Machine *machine, u64 fuel);
/* The box takes a reference. */
Status box_add_memory(Box *box, SharedMemory *memory);

/* For tracers: run(ctx, n) runs the core's machine. */
void box_set_runner(Box *box, u32 core, MachineStop (*run)(void *ctx, u64 max_insns), void *ctx);

u32 box_core_count(const Box *box);
const BoxCore *box_core(const Box *box, u32 index);
u64 box_icount(const Box *box);
u64 box_time(const Box *box);

/* At most max_insns in all. */
BoxStopKind box_run(Box *box, u64 max_insns);

/* Everything: the memories, every core, whose turn it is. Restoring wants a box made in the same way (the same cores with
 * the same descriptions, memories of the same sizes): STATUS_MISMATCH, _FORMAT, _CORRUPT, _TRUNCATED; on error the
 * box is as before. */
Status box_snapshot(const Box *box, Buf *out);
Status box_restore(Box *box, const u8 *bytes, size_t len);

#endif
