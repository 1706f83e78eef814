/* SPDX-License-Identifier: MIT
 *
 * The life of compiled code, seen from outside: what is counted, and who is told.
 *
 *     made     a block has code, is in the tables, and may be entered          jit_life_made
 *     killed   it is not entered any more; its bytes may stay until a flush    jit_life_killed, once for each made
 *
 * Both are calls on the slow side. While nobody looks on (EngineOptions.watchers) they count and return; then the back
 * end need not note where in the code each guest instruction begins, either (jit_life_place).
 */
#ifndef JIT_JIT_LIFE_H
#define JIT_JIT_LIFE_H

#include "jit/jit_private.h"

static inline void jit_count(Engine *engine, EngineCount what)
{
	engine->stats.counts[what]++;
}

static inline bool jit_is_watched(const Engine *engine)
{
	return engine->env.options && engine->env.options->watcher_count;
}

/* Does anybody look at the passes? Writing regions out takes longer than compiling them. */
bool jit_shows_stages(const Engine *engine);
/* Nanoseconds of a clock that does not go back. */
u64 jit_life_now(void);
/* Nanoseconds that this thread has run: a call of the kernel (0.3 us), for what takes long. */
u64 jit_life_spent(void);
/* From here (bytes behind the block's entry) on the code is of the guest instruction at pc. Ascending. */
void jit_life_place(Engine *engine, u32 offset, u64 pc);
/* Forgets the places: a block begins. */
void jit_life_begin(Engine *engine);
void jit_life_stage(Engine *engine, u64 pc, const char *name, const IrFunc *func, const char *text);
void jit_life_made(Engine *engine, const JitBlock *block, u32 size, JitTier tier, u64 ns);
/* A block came from the store. */
void jit_life_taken(Engine *engine, const JitBlock *block);
void jit_life_killed(Engine *engine, const JitBlock *block);
void jit_life_region_killed(Engine *engine, const JitRegion *region);
/* A way out was taken for an instruction of the interpreter, which has done it since; `slow` is what *env.slow was before. */
void jit_life_bailed(Engine *engine, const JitExit *exit, const u64 slow[ENGINE_SLOWS]);
/* Adds the engine's counts. */
void jit_life_count(const Engine *engine, EngineStats *sum);

#endif
