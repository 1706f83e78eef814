/* SPDX-License-Identifier: MIT
 *
 * Compiled blocks that the address spaces of a machine share.
 *
 *     engine A: compiles a block -> jit_store_put: a template, by content
 *     engine B: meets the same code -> jit_store_take: its bytes, moved to where they lie in B, and B's own records
 *
 * A template is keyed by all that the code depends on: the pc, the context, the guest's bytes themselves (compared, not
 * hashed), whether it counts, whether it leaves rights to the host, and the registers that are held, which are one choice
 * for all who share. Nothing is shared but what was copied: a block lives and dies in its engine as if it had compiled it,
 * and what one guest stores into its code another never sees.
 *
 * Whatever in the code depends on where it lies or on numbers of the engine is noted while it is made (jit_store_move).
 * The store belongs to the machine (EngineEnv.store), is used by one thread at a time as the machine is, and forgets all
 * when it is full. Decision 0014 says why it is like this.
 */
#ifndef JIT_JIT_STORE_H
#define JIT_JIT_STORE_H

#include "jit/jit_private.h"

typedef enum JitMoveKind {
	JIT_MOVE_OUT,     /* displacement to common code: the same place, from elsewhere */
	JIT_MOVE_EXIT,    /* number of exit `index` of the block */
	JIT_MOVE_COUNTER, /* displacement to the block's counter */
} JitMoveKind;

/* Four bytes of code. */
typedef struct JitMove {
	u32 at; /* behind the block's entry */
	u16 kind, index;
} JitMove;

EngineStore *jit_store_create(void);
void jit_store_destroy(EngineStore *store);
/* The machine's worker, made when it is asked for the first time; NULL: no memory. */
JitBackground *jit_store_background(EngineStore *store);

/* An engine begins, or settles: it takes over what registers are held, if others have settled that. False: it chooses by
 * itself. */
bool jit_store_adopt(Engine *engine, u32 slot_count);
/* Is the engine one of several that share, or were there others? */
bool jit_store_has_others(Engine *engine);
/* The engine has settled them, or learned of flags: others may follow. */
void jit_store_settle(Engine *engine);
/* While a block is compiled: what has to be changed when it moves. */
void jit_store_begin(Engine *engine);
void jit_store_move(Engine *engine, u32 at, JitMoveKind kind, u32 index);
/* A block as it was compiled, nothing chained; `faults`: how many entries Engine.faults had before. */
void jit_store_put(Engine *engine, const Vcpu *vcpu, const JitBlock *block, bool counted, u32 faults);
/* The block, in no table yet, or NULL. */
JitBlock *jit_store_take(Engine *engine, const Vcpu *vcpu, u64 pc, u64 context, bool counted);

#endif
