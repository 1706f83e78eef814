/* SPDX-License-Identifier: MIT
 *
 * The vCPUs of a machine: threads of a program, cores of a processor. A machine begins with one, number 0; host
 * functions (or the services vcpu_start .. below) add more. They share the spaces of the machine, except those that
 * the description marks `private` (space stack : 8, size 2097152 private): of these each vCPU has its own.
 *
 * One of them is *current*: machine_slot, machine_set_slot, machine_pc, machine_read of a private space and every
 * host function speak of it. machine_run gives each READY vCPU in turn a quantum of instructions, in the order of
 * their numbers. The machine's instruction count is the sum over all vCPUs and stays the one clock; an instruction of
 * one vCPU is never interleaved with an instruction of another, so each is atomic.
 *
 * Who runs when is part of the state: the same quantum, seed, inputs and times give the same run, bit for bit.
 *
 * Time. machine_time counts nanoseconds since reset. With config.virtual_time it advances by config.instruction_ns an
 * instruction and jumps forward when every vCPU sleeps. Otherwise it comes from outside, like input: machine_set_time,
 * stamped and recorded; when nothing can run before a certain time machine_run returns STOP_SLEEP with that time.
 */
#ifndef MACHINE_VCPUS_H
#define MACHINE_VCPUS_H

#include "machine/machine.h"

typedef enum VcpuState {
	VCPU_READY,
	VCPU_WAIT_INPUT,   /* a host function gave HOST_WAIT for the console */
	VCPU_WAIT_CHANNEL, /* machine_wait_for */
	VCPU_SLEEPING,     /* machine_sleep */
	VCPU_PAUSED,       /* by somebody else; what it waited for goes on counting underneath */
	VCPU_ENDED,        /* machine_vcpu_end, or `stop` while others live when guest->stop_ends_vcpu */
	VCPU_FAILED,       /* a fault that guest->vcpu_failed took */
	VCPU_FREE,         /* the number is not in use */
} VcpuState;

/* The channel of what comes from outside: who waits for it is woken by machine_stir alone, and is no deadlock. */
#define MACHINE_OUTSIDE 0x4F55545349444531u

enum { VCPU_NONE = 0xFFFFFFFFu, VCPU_LIMIT = 64 }; /* VCPU_LIMIT: unless config.vcpu_limit says */

/* Numbers 0 .. count-1 have been in use; some may be FREE. */
u32 machine_vcpu_count(const Machine *machine);
u32 machine_vcpu_current(const Machine *machine);
/* Whose turn it is. Its number is current while machine_run is at work; when it returns, stop.vcpu is. */
u32 machine_vcpu_running(const Machine *machine);
/* Who executes the next instruction, unless it waits: decides it now and makes it current. VCPU_NONE: nobody can. */
u32 machine_vcpu_next(Machine *machine);
/* For debuggers and loaders: makes another one current without running it. The scheduler goes on where it was.
 * STATUS_INVALID: in a host function. */
Status machine_vcpu_select(Machine *machine, u32 number);

/* A new vCPU: registers at their reset values, private spaces zero, READY. It takes the lowest FREE number.
 * STATUS_TOO_BIG: the limit of vCPUs or of memory is reached. */
Status machine_vcpu_add(Machine *machine, u32 *number);
/* Gives the number of an ended or failed one back; its private spaces are released. */
void machine_vcpu_free(Machine *machine, u32 number);
/* Different for every vCPU ever made since reset, so that a number used anew is not confused. */
u64 machine_vcpu_serial(const Machine *machine, u32 number);
VcpuState machine_vcpu_state(const Machine *machine, u32 number);
/* In use, and neither ended nor failed. */
bool machine_vcpu_is_alive(const Machine *machine, u32 number);
u64 machine_vcpu_code(const Machine *machine, u32 number);   /* ENDED: its code */
u64 machine_vcpu_icount(const Machine *machine, u32 number); /* instructions of its own */
u64 machine_vcpu_channel(const Machine *machine, u32 number);  /* WAIT_CHANNEL: which */
/* In words: "waits for lock 'm', held by thread 2", "sleeps until 1.500000 s", "can run". */
void machine_vcpu_describe(const Machine *machine, u32 number, Buf *out);
const char *machine_vcpu_word(const Machine *machine);
u64 machine_vcpu_slot(const Machine *machine, u32 number, u32 slot);
/* Setting the pc (slot 0) of one that waits makes it READY: what it waited for was at the old place. */
void machine_vcpu_set_slot(Machine *machine, u32 number, u32 slot, u64 value);
Status machine_vcpu_read(const Machine *machine, u32 number, u16 space, u64 address, u64 *value);
Status machine_vcpu_write(Machine *machine, u32 number, u16 space, u64 address, u64 value);

/* Of the current one: takes effect when the instruction has retired. When the last one ends the machine halts with
 * the code of number 0 (if that ended, else of the last). */
void machine_vcpu_end(Machine *machine, u32 number, u64 code);
void machine_vcpu_pause(Machine *machine, u32 number, bool on);

/* For host functions, about the current vCPU: */
/* `return machine_wait_for(machine, channel)`: the instruction is left undone and tried again after somebody woke
 * the channel. A channel is any number; the guest says what it means (guest->describe_wait). Nothing may have been
 * changed before. */
HostResult machine_wait_for(Machine *machine, u64 channel);
/* The same, but at `hour` (machine_time) it is tried again in any case. */
HostResult machine_wait_until(Machine *machine, u64 channel, u64 hour);
/* Makes everyone who waits for it READY. */
void machine_wake(Machine *machine, u64 channel);
/* From outside, between two runs: who waits for something that comes from outside tries again. */
void machine_stir(Machine *machine);
/* Does a vCPU wait for this channel? */
bool machine_waits_for(const Machine *machine, u64 channel);
/* The instruction completes; the vCPU goes on when machine_time has advanced by ns. */
void machine_sleep(Machine *machine, u64 ns);
/* The rest of the quantum is given up. */
void machine_yield(Machine *machine);

u64 machine_time(const Machine *machine);
/* From outside; never backwards. No effect on virtual time. */
void machine_set_time(Machine *machine, u64 ns);
bool machine_time_is_virtual(const Machine *machine);
/* Real time within a slice: gives the time since reset, never backwards. Asked only by machine_clock. */
typedef u64 (*MachineClock)(void *ctx);
void machine_set_clock(Machine *machine, MachineClock clock, void *ctx);
/* For host functions (within an instruction): machine_time as exact as the clock gives it. What the clock said is recorded, and is given again
 * when the run is replayed. */
u64 machine_clock(Machine *machine);
/* Has it advanced since the guest was told last (Guest.time_passed)? */
bool machine_time_has_moved(const Machine *machine);

#endif
