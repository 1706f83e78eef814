/* SPDX-License-Identifier: MIT
 *
 * Which slots live in registers of the host (jit_pins.c), and what code does with them, by how often it runs (jit_uses.c).
 */
#ifndef JIT_JIT_PINS_H
#define JIT_JIT_PINS_H

#include "jit/jit_private.h"

/* ---- jit_pins.c ---- */

/* Before compiled code runs: are the registers nearly as good as what has been compiled wants them? May flush. */
void jit_pins_look(Engine *engine, const Vcpu *vcpu);
/* Holds the registers that others of the machine hold, if they have settled that. */
bool jit_pins_adopt(Engine *engine, u32 slot_count);
/* What is compiled next. With the first block, registers are chosen. */
void jit_pins_note(Engine *engine, const Vcpu *vcpu, const IrFunc *func);
/* The slot of flags, which has just become known, lies in memory. Nothing is compiled. */
void jit_pins_leave_flags(Engine *engine);

/* ---- jit_uses.c ---- */

/* What the block's code does with slots is written down (JitBlock.uses), as long as registers are not settled. */
void jit_uses_note(Engine *engine, JitBlock *block, const IrFunc *func);

/* What a slot is worth in a register, and in a vector register; by slot, slot_count of each, from the arena. */
typedef struct JitWorth {
	u64 *pin, *park;
} JitWorth;
bool jit_uses_weigh(Engine *engine, Arena *arena, JitWorth *worth); /* false: no memory */

/* When registers settle: counters have as far to go as those of JIT_HOT. They outlast a flush behind it: the next block with that pc
 * goes on where this one was. */
void jit_uses_rearm(Engine *engine);
void jit_uses_resume(Engine *engine, JitBlock *block);
void jit_uses_fini(Engine *engine);

#endif
