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
	JIT_MOVE_CONSTANTS, /* eight bytes: the address of JitTarget.constants */
	JIT_MOVES
} JitMoveKind;

/* Four bytes of code, or eight. */
typedef struct JitMove {
	u32 at; /* behind the block's entry */
	u16 kind, index;
} JitMove;

typedef struct JitStoredExit {
	u64 pc;
	u32 site, stub; /* behind the entry; 0: none */
	u32 refund;
	u8 kind, back, why, op;
} JitStoredExit;

/* A block that can be copied. It is the same in memory and on disk (jit_disk.h) but for the first three members, and holds no
 * address. Behind it: exits, faults, moves, guest's bytes, host's bytes. */
typedef struct JitTemplate {
	union {
		struct JitTemplate *next; /* in the same place of the table */
		u64 next_at;
	};
	union {
		struct JitTemplate *newer; /* in order of making */
		u64 age;                   /* times its file was written since it was last used */
	};
	u64 sum;        /* on disk: of what follows */
	u64 pc, context;
	u32 bytes;      /* of all, a multiple of 16 */
	u32 cells, insns, size, body; /* body: behind the entry */
	u16 exit_count, fault_count, move_count;
	u8 counted, has_counter, hard, lists_faults, cold, dirty;
	u8 why, op;
	u8 dropped;     /* it is in no table any more */
	u8 floats;      /* the engine it is from had code for floats */
	u8 spare[2];
} JitTemplate;

static inline JitStoredExit *jit_template_exits(const JitTemplate *t)
{
	return (JitStoredExit *)(uintptr_t)(t + 1);
}
static inline JitFault *jit_template_faults(const JitTemplate *t)
{
	return (JitFault *)(void *)(jit_template_exits(t) + t->exit_count);
}
static inline JitMove *jit_template_moves(const JitTemplate *t)
{
	return (JitMove *)(void *)(jit_template_faults(t) + t->fault_count);
}
static inline u8 *jit_template_guest(const JitTemplate *t)
{
	return (u8 *)(jit_template_moves(t) + t->move_count);
}
static inline u8 *jit_template_host(const JitTemplate *t)
{
	return jit_template_guest(t) + t->cells;
}
static inline u32 jit_template_hash(u64 pc, u64 context, bool counted)
{
	return (u32)(((pc * 2 + counted) ^ context << 40) * 0x9E3779B97F4A7C15u >> 32);
}

/* What code depends on besides its own bytes. */
typedef struct JitStoreSettings {
	u32 slot_count, pin_count, pinned[JIT_PINS], park_count, parked[JIT_PARKS], flags_slot;
	u32 leave, miss, miss_call, lookup, evaluate, start; /* where the common code is: the same for the same registers */
} JitStoreSettings;

EngineStore *jit_store_create(void);
void jit_store_destroy(EngineStore *store);
/* The machine's worker, made when it is asked for the first time; NULL: no memory. */
JitBackground *jit_store_background(EngineStore *store);

/* An engine begins, or settles: it takes over what registers are held, if others have settled that. False: it chooses by
 * itself. */
bool jit_store_adopt(Engine *engine, u32 slot_count);
/* Is the engine one of several that share, or were there others, or will there be (on disk)? */
bool jit_store_has_others(Engine *engine);
/* The engine has made its common code with them. */
void jit_store_adopted(Engine *engine);
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
