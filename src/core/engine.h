/* SPDX-License-Identifier: MIT
 *
 * The seam between a machine and its engines (interpreter now, JIT later). An engine runs one vCPU for at most N
 * instructions and says why it stopped; it asks the machine, through EngineEnv, for the meaning of guest code
 * (as IR), for slow memory accesses and for host calls. Engines know no ISA, machines no engine's insides.
 *
 * State of a vCPU: an array of 64-bit slots, each holding one register zero-extended; slot 0 is the program counter.
 * Behind them the machine allocates VCPU_TEMPS further entries, zeroed, which belong to the engine: its temporaries
 * lie there, so that one index reaches registers and temporaries alike. They hold nothing between two calls. So do VCPU_FRONT
 * entries in front of the slots: what code asks for often is near to both there, and takes a short displacement.
 *
 * The contract of engine->run:
 *  1. Exactness: it never retires more than `budget` instructions, and retires exactly that many when it returns
 *     EXIT_BUDGET. vcpu->icount counts retired instructions exactly, in every engine.
 *  2. At every return the slots hold the precise state between two instructions, slot 0 included.
 *  3. EXIT_RAISE, _ILLEGAL, _FAULT, _WAIT, _BREAK: slot 0 is the instruction that could not complete; it did not
 *     retire. EXIT_STOP, _EVENT, _WATCH, _BUDGET: the last instruction retired, slot 0 is the next one.
 *  4. A store into translated code is visible at the next instruction.
 *  5. Nothing of the guest stays on the host stack after the return.
 *  6. A host function may run the vCPU again (machine_call). When it comes back slots and temporaries are as it found them; of
 *     icount the run below keeps its own count.
 */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include <stddef.h>
#include <string.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/types.h"
#include "core/space.h"

struct IrFunc; /* ir/ir.h; core only passes it on */

enum {
	VCPU_TEMPS = 1024,
	VCPU_FRONT = 8,                /* a cache line */
	ENGINE_HARD_INSNS = 1000000,   /* EngineOptions.hard_after, if nothing else is wanted: it begins to pay then */
	ENGINE_CODE_BYTES = 128 << 20, /* EngineEnv.code_bytes: more is too much (node's start and work: 60 MiB) */
};

typedef enum ExitKind {
	EXIT_BUDGET,  /* the budget is used up */
	EXIT_EVENT,   /* a register that interrupts or events depend on was written, or code changed: look, then go on */
	EXIT_STOP,    /* `stop code`: value = code */
	EXIT_RAISE,   /* `raise n`: value = n */
	EXIT_ILLEGAL, /* no such encoding */
	EXIT_FAULT,   /* access outside a space, or without the right to it: space, value = address, write, fetch */
	EXIT_WAIT,    /* a host function must wait for input; run the same instruction again later */
	EXIT_BREAK,   /* breakpoint at slot 0 */
	EXIT_WATCH,   /* a watched cell was accessed: space, value = address, write */
	EXIT_DENIED,  /* a host function is absent or refused: value = its number */
	EXIT_RETURN,  /* vcpu->calls, and it has come to return_pc, which is in slot 0 */
	EXIT_ERROR,   /* status says what went wrong in Husk itself (out of memory) */
} ExitKind;

typedef struct VcpuExit {
	ExitKind kind;
	u64 value;
	u16 space;
	bool write;
	bool fetch;       /* FAULT: no instruction can be had from there */
	Status status;
} VcpuExit;

typedef struct Vcpu {
	u64 *slots;       /* owned by the machine: slot_count + VCPU_TEMPS entries; slot 0 = pc */
	u32 slot_count;
	u64 icount;       /* retired instructions since reset */
	Space *spaces;    /* owned by the machine */
	u32 space_count;
	VcpuExit exit;
	/* Filled by slow accesses while an instruction runs; the engine turns it into EXIT_WATCH or EXIT_STOP when
	 * the instruction has retired. kind == EXIT_BUDGET: nothing pending. */
	VcpuExit pending;
	/* What an engine has to look at behind a call of the host: vcpu_wants. */
	bool event_pending; /* likewise: leave with EXIT_EVENT after this instruction */
	bool skip_break;    /* do not stop at a breakpoint on the first instruction */
	bool host_slow;     /* the machine has something to put right before the next call of the host: also services are called by env->host */
	bool calls;         /* run ends (EXIT_RETURN) in front of return_pc, where no program has code of its own: code that another one has
	                       run from there before may miss it */
	u64 return_pc;
	u64 host_calls;     /* ever made by env->host: counted there */
	bool resumed;       /* the program we are part of had control, and may have changed what handles its signals. Cleared by the
	                       engine that looked */
} Vcpu;

/* Is one of event_pending, skip_break, host_slow and calls set? */
static inline bool vcpu_wants(const Vcpu *vcpu)
{
	u32 wants;

	_Static_assert(offsetof(Vcpu, calls) == offsetof(Vcpu, event_pending) + sizeof wants - 1, "they are neighbours");
	memcpy(&wants, &vcpu->event_pending, sizeof wants);
	return wants != 0;
}

/* What a slow access or a host call came to. */
typedef enum AccessResult {
	ACCESS_OK,
	ACCESS_EXIT, /* leave the instruction, state as at its start; vcpu->exit says why (RAISE, FAULT, WAIT, DENIED...) */
} AccessResult;

/* The answer to "what is at pc?". */
typedef struct Translation {
	struct IrFunc *func;
	u32 insns;          /* guest instructions in it, >= 1 (one that is ILLEGAL or only RAISEs counts too) */
	u64 code_cells;     /* cells from pc that it was made from, contiguous in the code space (wrapping) */
	bool dirty;         /* it may write a register that is context or that interrupts depend on: after it, leave with
	                       EXIT_EVENT and look the context up anew */
	bool only_host;     /* dirty, but only because it may call the host: where it does not, it is not */
	bool breakpoint;    /* a breakpoint stands at its first instruction */
	bool no_code;       /* nothing may be fetched at pc: vcpu->exit says why (EXIT_FAULT); all else is empty */
	u64 plain_spaces;   /* bit n: nothing but memory answers in space n and nobody watches reads, so an access runs no
	                       device and a load gives what was stored. When that changes the machine flushes the
	                       engine */
} Translation;

/* ---- What engines count (engine_counts.def) ---- */

typedef enum EngineCount {
#define X(name, key, text) ENGINE_##name,
#include "core/engine_counts.def"
#undef X
	ENGINE_COUNTS
} EngineCount;

enum { ENGINE_OPS = 128 }; /* operations of the IR, at most */

typedef struct EngineStats {
	u64 counts[ENGINE_COUNTS];
	u64 bails[ENGINE_OPS]; /* per operation of the IR: how often an instruction was left because of it */
	u64 slow[ENGINE_OPS];  /* per operation of the IR: how often it was compiled to a call of ir_eval */
} EngineStats;

/* Why an access went to env->read or env->write. The machine counts them there, so that an engine sees what came of
 * the instruction it left. */
typedef enum EngineSlow { ENGINE_SLOW_TOUCH, ENGINE_SLOW_CODE, ENGINE_SLOW_DEVICE, ENGINE_SLOWS } EngineSlow;

/* ---- What engines can be told, and who may look on ---- */

/* Code for the host that an engine has made. */
typedef struct EnginePlace {
	u32 offset; /* in the code: from there on it is of */
	u64 pc;     /* this guest instruction */
} EnginePlace;

typedef struct EnginePiece {
	u64 pc, context;    /* of its first instruction */
	const char *tier;   /* "base", "region" */
	const u8 *code;     /* executable; not to be written */
	u32 size, insns;
	const EnginePlace *places; /* ascending; perhaps none. Borrowed for the call */
	u32 place_count;
	const u8 *cfi;      /* how its frame is unwound, everywhere in it: DWARF call frame instructions; perhaps none */
	u32 cfi_size;
} EnginePiece;

/* Somebody who looks on: a profiler's map, a debugger, a listing. Each piece that was made is killed once, at the
 * latest when its engine is destroyed; its bytes may stay longer, but are not entered any more. */
typedef struct EngineWatcher {
	void *ctx;
	void (*made)(void *ctx, const EnginePiece *piece);
	void (*killed)(void *ctx, const EnginePiece *piece); /* without places; may be NULL */
	/* Stages on the way, before `made`: an IrFunc ("ir"), or what an optimizer's pass left, as text. May be NULL. */
	void (*stage)(void *ctx, u64 pc, const char *name, const struct IrFunc *func, const char *text);
} EngineWatcher;

/* All zero: as usual. */
typedef struct EngineOptions {
	u64 code_cache;     /* bytes of code that an engine keeps at most; 0: what it thinks right */
	bool switch_rights; /* code lies in one map that is now writable, now executable, instead of in two */
	u32 evict;          /* for tests: about one in so many looks for a block drops something at random; 0: none */
	bool background;    /* what is hot is compiled on a thread beside the program */
	u32 hot;            /* entries of a counted block before it is worth the optimizer; 0: as many as usual. For tests */
	u32 region;         /* stretches of code in a region at most; 0: as many as usual. For tests */
	u32 waits;          /* instructions that a program may run without anything compiled, if it ends soon (jit_first.c); 0: none */
	u64 hard_after;     /* instructions run in a space that can be made hard (core/space.h) before it is; ~0: never */
	struct JitDisk *disk; /* borrowed: compiled code that is kept from run to run, of one machine (jit/jit_disk.h); or NULL */
	const EngineWatcher *watchers; /* borrowed */
	u32 watcher_count;
} EngineOptions;

struct Machine;

/* A host function that an engine may call by itself (EngineEnv.services). */
typedef struct EngineService {
	unsigned (*call)(void *ctx, struct Machine *machine, const u64 *args, unsigned count, u64 *result); /* NULL: by env->host alone */
	void *ctx;
} EngineService;

typedef enum EngineWalked {
	ENGINE_WALK_NOT,    /* nothing was done: code is to be translated here */
	ENGINE_WALK_DONE,   /* on at slot 0 */
	ENGINE_WALK_TURNED, /* likewise; the last one has called what is there, or jumped back to it */
	ENGINE_WALK_LEFT,   /* likewise, but the instruction there is another engine's */
} EngineWalked;

typedef struct EngineEnv {
	void *ctx; /* passed to each function below */
	/* IR for the code at pc under `context`, at most max_insns instructions, in `arena`. */
	Status (*translate)(void *ctx, u64 pc, u64 context, u32 max_insns, Arena *arena, Translation *out);
	/* The current context key, from the slots. no_context: it is always 0; context_slot, if there is one: what that slot holds. */
	u64 (*context)(void *ctx, const Vcpu *vcpu);
	bool no_context;
	u32 context_slot;
	/* Full accesses: bounds, attributes, devices, watchpoints, code invalidation. width in bits. */
	AccessResult (*read)(void *ctx, Vcpu *vcpu, unsigned space, u64 address, unsigned width, u64 *value);
	AccessResult (*write)(void *ctx, Vcpu *vcpu, unsigned space, u64 address, unsigned width, u64 value);
	/* May change slots and memory; slot 0 is the calling instruction, icount exact. Sets event_pending when it changed what the
	 * machine has to look at: engines need not leave because of a call alone (only_host). */
	AccessResult (*host)(void *ctx, Vcpu *vcpu, unsigned host, const u64 *args, unsigned count, u64 *result);
	/* Where vcpu->host_slow is not set, host function n may instead be called as services[n].call(its ctx, ctx, ..) with *result = 0,
	 * and if that gives 0 and host_slow is still not set, all is done. Else host_done says what came of it. They never change. */
	const EngineService *services;
	unsigned service_count;
	AccessResult (*host_done)(void *ctx, Vcpu *vcpu, unsigned host, unsigned given, u64 *result);
	/* Cells of the code space were written past `write` (raw accesses of handlers): what engine->invalidate is called for.
	 * NULL: the engine is the only one. */
	void (*code_changed)(void *ctx, Vcpu *vcpu, u64 address, u64 count);
	u64 code_key;        /* what the meaning of code depends on: two machines with the same number translate alike */
	u32 space_count;
	unsigned code_space; /* number of the space instructions come from */
	/* Engines of one machine (an address space each) share a limit for what they keep of translated code: they count it
	 * here, and when it is too much `drop_code` flushes them all, the one that asks, too. NULL: each for itself. */
	size_t *code_bytes;
	void (*drop_code)(void *ctx);
	bool paged;          /* it is paged */
	u64 pages;           /* then: how many pages it has */
	u32 flags_slot;      /* where instructions gather the flags of floats, if that is known beforehand; or 0 */
	u64 return_zeros;    /* bits that the pc of no return of the guest has (IR_FLOW_RET); 0: nothing is known */
	const u32 *pins;     /* the slots that are used most, as the description believes; pin_count of them, perhaps 0 */
	u32 pin_count;
	const struct EngineOps *cold; /* for engines that do not do everything: the one that does */
	const EngineOptions *options; /* NULL: all zero. Lives longer than the engine */
	struct EngineStore *store; /* what the engines of a machine share of translated code; or NULL */
	/* Do these cells stand at pc, may they all be fetched, and does their translation depend on nothing else but the
	 * context (no breakpoint, no table)? NULL: no. */
	bool (*has_code)(void *ctx, u64 pc, const u8 *cells, u64 count);
	/* Does instructions from pc on without translating them: at most so many, and none behind one that may jump. Slot 0 and the count
	 * of instructions go along. NULL: nobody can. */
	EngineWalked (*walk)(void *ctx, Vcpu *vcpu, u64 pc, u32 most);
	const u64 *slow;     /* [ENGINE_SLOWS], counted by read and write; or NULL */
} EngineEnv;

static inline u64 engine_context(const EngineEnv *env, const Vcpu *vcpu)
{
	if (env->no_context)
		return 0;
	return env->context_slot ? vcpu->slots[env->context_slot] : env->context(env->ctx, vcpu);
}

typedef struct Engine Engine;
typedef struct EngineStore EngineStore;

typedef struct EngineOps {
	const char *name;
	Engine *(*create)(const EngineEnv *env); /* copies env; NULL when memory is out */
	void (*destroy)(Engine *engine);
	/* Runs; the reason is in vcpu->exit and returned. Re-entered only through eval, from within env callbacks, and from within
	 * env->host. */
	ExitKind (*run)(Engine *engine, Vcpu *vcpu, u64 budget);
	/* The same, for those who believe that there is little to do (a function that is called): worth no preparations. NULL: run. */
	ExitKind (*run_short)(Engine *engine, Vcpu *vcpu, u64 budget);
	/* Runs a handler function to its RET and gives its value (0 when none). A handler's PUTs change slots at once.
	 * Sets *jumped when the handler ended in GOTO (slot 0 is then set). STOP in a handler ends it, puts EXIT_STOP
	 * into vcpu->pending and gives ACCESS_OK; RAISE gives ACCESS_EXIT with vcpu->exit filled. */
	AccessResult (*eval)(Engine *engine, Vcpu *vcpu, const struct IrFunc *func, const u64 *args, u64 *result,
			     bool *jumped);
	/* Cells [address, address+count) of the code space changed: forget blocks made from them. */
	void (*invalidate)(Engine *engine, Vcpu *vcpu, u64 address, u64 count);
	/* Forget everything (breakpoints changed, snapshot restored). */
	void (*flush)(Engine *engine, Vcpu *vcpu);
	void (*stats)(const Engine *engine, u64 *blocks, u64 *translated_insns);
	/* Adds what it has counted. NULL: nothing. */
	void (*count)(const Engine *engine, EngineStats *sum);
	/* For EngineEnv.store; both NULL: there is none. store_create gives NULL when memory is out. */
	EngineStore *(*store_create)(void);
	void (*store_destroy)(EngineStore *store);
} EngineOps;

/* The engines there are. Each is a folder that exports one of these. */
extern const EngineOps interp_engine;

#endif
