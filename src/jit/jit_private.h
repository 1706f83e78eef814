/* SPDX-License-Identifier: MIT
 *
 * The inside of the compiler.
 *
 *     run (jit_run.c) -> find block (jit_cache.c) -> enter -> code ... -> exit record -> run
 *                          | not there: env->translate, target->compile
 *
 * Registers of the guest. The most used slots of a machine are *pinned*: they live in fixed host registers whenever
 * compiled code runs; the others in vcpu->slots. Which ones is decided from the first code
 * compiled, and again when more is known (jit_pins.c).
 *
 * State. At the start of each guest instruction pinned registers and slots together are its precise state (PUTs come last:
 * ir.h, 3), so a way out in the middle of a block needs to know no more than the instruction's pc and number: that is
 * its JitExit. The common way out writes the pinned registers back.
 *
 * Fuel. A block takes its whole cost from `left` when it begins; a way out gives back what was not done.
 *
 * Invariants:
 *  1. Compiled code never calls the machine; whoever must leaves first. So blocks die only while no compiled code runs. The one
 *     exception is an instruction that calls the host (jit_call.c), behind which code that may have died is not gone on with.
 *  2. A chained exit jumps to a live block of the same context.
 */
#ifndef JIT_JIT_PRIVATE_H
#define JIT_JIT_PRIVATE_H

#include "base/arena.h"
#include "base/rng.h"
#include "core/engine.h"
#include "ir/ir.h"
#include "jit/jit.h"
#include "jit/jit_signal.h"

enum {
	JIT_BLOCK_INSNS = 64,
	JIT_FIRST_RUNS = 4,          /* times that a block is evaluated before it is compiled (jit_first.c) .. */
	JIT_FIRST_RUNS_YOUNG = 8,    /* .. and of a program that has met fewer blocks than .. */
	JIT_FIRST_YOUNG = 2048,
	JIT_CODE_CELLS = 4096,       /* at most, of a block: it lies on two pages */
	JIT_CODE_BYTES = 64 << 20,   /* and no more than that of records; the last page stays empty */
	JIT_BLOCK_BYTES = 64 << 10,  /* room for one block's code */
	JIT_JUMPS = 32768,           /* entries of the table of computed jumps */
	JIT_PINS = 7, JIT_PARKS = 12,
	JIT_NO_PIN = 0xFF,
	JIT_PIN_BLOCKS = 256,        /* so many blocks compiled, or */
	JIT_PIN_INSNS = 200000,      /* so many instructions run: which slots are pinned is decided anew; */
	JIT_ASKS_MUCH = 64,          /* with a call of the host in so many of them or fewer, what is not used is not parked any more */
	JIT_CODE_FAULTS = 4,         /* so many stores of one instruction into code: it asks before it stores */
	JIT_PAGE_SHIFT = 12,
	JIT_MET = 8,
	JIT_RESTLESS = 12,           /* deaths of a page's code lately: what is there is not compiled for now */
	JIT_CALM = 20000,
	JIT_RESTLESS_INSNS = 500,    /* the cold engine runs so many there at a time */
	JIT_HOST_NEAR = 32,      /* instructions between two calls of the host that are near each other */
	JIT_HOST_MOST = 4096,
	JIT_HOT = 16000,             /* so many entries of a block that is counted: JIT_EXIT_HOT. A region costs some 0.2 ms
	                                (50 instructions), and gains 5 to 20 ns an entry */
	JIT_NEVER = 0x7FFFFFFF,      /* so large a counter is as good as none */
	JIT_COUNTERS = 1 << 18,      /* half of them for either generation; exits likewise */
	JIT_HABITS = 1 << 12,
	JIT_EXITS = 1 << 20,
	JIT_ROOM_EXITS = 1 << 14,    /* more than a block or region has */
	JIT_FORKS = 1 << 10, JIT_WAYS = 16, /* jumps through registers, and places where each goes */
	JIT_DATA_BYTES = JIT_COUNTERS * 4 + JIT_HABITS * 32 + JIT_FORKS * JIT_WAYS * 16,
	JIT_SPILLS = 2,              /* regions spill behind the slots: slots[slot_count + JIT_SPILLS + n] */
	JIT_REGION_EXITS = 8192,     /* and for its ways out */
	JIT_REGION_BYTES = 1 << 20,  /* room for one region's code */
};

typedef struct JitBlock JitBlock;
typedef struct JitPage JitPage;
typedef struct JitCall JitCall;
extern const JitCall jit_call_unknown; /* nothing is known yet */

/* A block in the list of a page it was made from. */
typedef struct JitPageLink {
	JitBlock *block;
	struct JitPageLink *next, **link;
} JitPageLink;

/* A region in the list of a page that some of its code is from. */
typedef struct JitRegionLink {
	struct JitRegion *region;
	struct JitRegionLink *next;
} JitRegionLink;

struct JitPage {
	u64 number;
	JitPage *hash_next;
	JitPageLink *blocks;
	JitRegionLink *regions; /* dead ones may be among them */
	u64 died_at;            /* count of instructions when code there last died, .. */
	u32 deaths;             /* .. and how often it did, one forgotten for every JIT_CALM instructions since */
};

/* Where a way out of a region finds the value of a slot that is not at home, and what it makes of it. */
typedef struct JitMapEntry {
	u64 value;   /* CONST: it; else the number of the register or of the spill slot */
	i32 imm;     /* of the recipe */
	u16 slot;
	u8 place : 4, recipe : 4; /* JitMapPlace, SsaRecipe */
	u8 width;    /* of what the recipe makes: SX, PLUS: the slot's; NAN: the value's */
} JitMapEntry;

typedef enum JitMapPlace {
	JIT_MAP_GPR, JIT_MAP_XMM, /* in the dump of JitFrame */
	JIT_MAP_SPILL,            /* behind the slots: JIT_SPILLS + number */
	JIT_MAP_CONST,
	JIT_MAP_HOME,             /* what slot `value` has in vcpu->slots before this map is applied */
	JIT_MAP_MADE,             /* what step `value` of the map makes */
} JitMapPlace;

/* An operation of the IR that the way out does, as what it makes is stored nowhere. */
typedef struct JitMapStep {
	u64 values[3];    /* operands, as in entries; those that it has not are constants */
	u8 places[3];     /* JitMapPlace; MADE: by a step before */
	u8 op, width, arg_width;
	u16 aux;          /* as in IrIns */
} JitMapStep;

enum { JIT_MAP_STEPS_MOST = 256 };

/* Every pinned slot is in it: the registers are reused inside a region. Exits with equal ones share it. */
typedef struct JitMap {
	struct JitMap *hash_next; /* while a region is compiled */
	u32 count;
	u32 unparked;             /* bit n: Engine.parked[n] is in vcpu->slots there, not in its register */
	u32 step_count;
	const JitMapStep *steps;  /* behind the entries */
	JitMapEntry entries[];
} JitMap;

typedef enum JitExitKind {
	JIT_EXIT_LINK, /* a jump to a constant pc that is not chained yet */
	JIT_EXIT_BAIL, /* the instruction at pc must be done by the cold engine */
	JIT_EXIT_FUEL, /* the budget does not pay for the block at pc */
	JIT_EXIT_GUESS, /* a computed call that does not go where it went so far: slot 0 is where. It is chained to that, too */
	JIT_EXIT_HOT,  /* the owner's counter has come to zero: nothing of it is done yet, nothing charged */
	JIT_EXIT_ASTRAY, /* as GUESS, but it stays as it is: a function that it usually goes to is taken in (went_astray in jit_run.c) */
} JitExitKind;

typedef enum JitTier {
	JIT_TIER_BASE,   /* one pass over a block */
	JIT_TIER_REGION, /* the optimizer */
} JitTier;

/* A way out of a block or a region. */
typedef struct JitExit {
	u64 pc;                  /* GUESS: the bits that a pc has there. ASTRAY: what the count of instructions was when it left last, + 1 */
	const JitMap *map;       /* regions, BAIL and FUEL: else the state is at home. Lives as long as the exit */
	JitBlock *owner, *target;
	struct JitExit *next, **link; /* in target->incoming */
	u32 site;                /* LINK, GUESS: offset in the code of the jump's displacement */
	u32 stub;                /* offset of the code that leaves with this record */
	u32 number;
	u32 refund;              /* instructions charged but not done */
	u8 kind;
	bool back;               /* LINK: a call, or a jump backward: its target is counted */
	u8 why, op;              /* BAIL: EngineCount and IrOp, for those who count; op 0: none in particular */
	bool ahead;              /* BAIL: of a CHECK ahead of a loop that need not come to it, or of a GUARD that is a guess */
	u8 faults;               /* BAIL: how often it was taken for a store into code that the host refused; ahead: how often at all */
	u8 guesses;              /* GUESS: so many so far */
	u16 guess;               /* GUESS: so far in front of `site` stands the pc that is compared with */
	union {
		const JitCall *call; /* BAIL for IR_OP_HOST: what is known of its instruction (jit_call.c). Its `target` is the
		                        block that was met behind it; no code is patched for that */
		u32 *misses;         /* GUESS, ASTRAY: in Engine.counters, counts down where it goes elsewhere; at zero it leaves */
	};
} JitExit;

struct JitBlock {
	u64 pc, context, cells;
	u32 insns;
	u32 entry, size;         /* offset of its code; bytes (cold: 0) */
	u32 own;                 /* the same as entry, though a region stands in for it */
	u32 body;                /* its own, behind the code that counts */
	u32 *counter;            /* in Engine.counters; counts down. NULL: the block is not the target of a jump backward or a
	                            call, as far as is known */
	u8 tier;                 /* JitTier */
	u8 half;                 /* of the code cache: the generation its records are of */
	u8 why, op;              /* cold: as in JitExit */
	bool cold;               /* nothing to compile: the cold engine runs its first instruction */
	bool dirty;              /* its last instruction changes what the machine must look at: the cold engine's */
	JitBlock *hash_next;
	JitPageLink pages[2];    /* block NULL: it lies on one page */
	JitExit *incoming;
	u32 first_exit, exit_count;
	struct JitRegion *region; /* stands in for it: `entry` is there; or NULL */
	u8 promoted;              /* how often it was the head of a region */
	bool careful;             /* SsaRegion.careful */
	struct JitUses *uses;     /* what it does with slots (jit_uses.c), if it was compiled before registers were settled; or NULL */
};

/*
 * Code of the optimizing tier, for many guest blocks. Its head replaces the code of the block that it was promoted from;
 * other entries are where calls come back to. All state is at home at an entry, as at that of a block: whoever knows the
 * pc (links, table of jumps) may go there. So each entry has a JitBlock, whose `region` is this.
 *
 *     made by who promotes: head, context, ranges       by target->emit_region: entries, exits, code
 *
 * Exits of kind LINK belong to `head` as their owner and are chained as those of blocks are. It dies with any of its
 * ranges: all of its entries are unlinked then.
 */
typedef struct JitRegion {
	JitBlock *head;
	u64 context;
	struct JitRegionEntry {
		u64 pc;
		u32 at;              /* offset of the code */
		JitBlock *block;     /* filled by who promotes; that of entry 0 is head */
	} *entries;                  /* 0: the head */
	u32 entry_count;
	struct JitRange { u64 pc, cells; } *ranges; /* of guest code that it was made from */
	u32 range_count;
	u32 first_exit, exit_count;  /* numbers */
	u32 code, code_bytes;
	u32 hot_bytes;               /* from `code` on: without what is cold */
	u32 guest_insns, spills;     /* for statistics */
	bool dead;
	bool told;                   /* watchers know of it */
} JitRegion;

typedef struct JitJump {
	u64 pc;
	const u8 *code;
} JitJump;

/* Where a call or jump through a register goes: noted by the first tier's code, read where regions are formed. Its place is that of
 * the pc behind it (jit_habit_hash). Two that share one are taken for one that goes here and there. */
typedef struct JitHabit {
	u64 pc;
	u64 taken[2]; /* for what it usually went to, regions were made: the latest first; 0: none */
	u32 same;     /* pc: so many times in a row */
	u32 spare;
} JitHabit;

/* Where jumps through one register go, and how often each: noted likewise. A place is that of the pc behind the jump (jit_fork_hash);
 * in it, targets that share a way make each other less. */
typedef struct JitFork {
	struct JitWay {
		u64 pc;
		u32 count, spare;
	} ways[JIT_WAYS];
} JitFork;

/* What compiled code finds at the stack pointer (jit/x64/x64_code.c knows the offsets). */
typedef struct JitFrame {
	Space *spaces;
	u64 left;
	u8 *attr;
	JitJump *jumps;
	u64 *slots;
	u8 *memory;              /* cell 0 of the paged space (hard: of its view); where there is none, spaces */
	const u8 *code;
	u32 mxcsr, host_mxcsr; /* x64: as compiled code left it; as it was before. Of no meaning without floats */
	u32 floats;            /* Engine.floats when compiled code was entered */
	u64 gpr[16], xmm[16];  /* registers where a region was left by an exit with a map */
	/* For calls of the host (jit_call.c), and what came of the last one. */
	Engine *engine;
	JitExit **exits;       /* Engine.exits */
	Vcpu *vcpu;
	const Space *space;    /* the code space, .. */
	const u8 *view;        /* .. and its view when compiled code was entered */
	u64 deaths;            /* Engine.deaths when it was entered; JIT_EACH_CALL: leave behind every call */
	const u64 *context;    /* what Engine.context is to be compared with, where one slot has it or nothing does */
	u64 limit;             /* count of instructions where the budget ends */
	u32 number;            /* what enter gives, if compiled code is to be left */
	bool over;             /* JIT_CALLED: vcpu->exit ends the run; else on at slot 0 */
	JitExit *from;         /* likewise: exit to be chained to the block there, or NULL */
} JitFrame;

#define JIT_EACH_CALL (~(u64)0)
#define JIT_MISSED 0xFFFFFFFFu
#define JIT_MISSED_CALL 0xFFFFFFFEu
#define JIT_CALLED 0xFFFFFFFDu

typedef struct JitTarget JitTarget;
typedef struct JitBackground JitBackground;
typedef struct JitDisk JitDisk;
struct SsaFunc;

struct Engine {
	EngineEnv env;
	const JitTarget *target;
	Engine *cold;
	u8 *rw, *rx;             /* the same memory, mapped twice */
	u32 *counters;           /* to read and write, right behind rx, so that code reaches them relative to itself */
	u32 counter_count;
	JitHabit *habits;        /* behind the counters; [JIT_HABITS] */
	JitFork *forks;          /* behind the habits; [JIT_FORKS] */
	u32 hot;                 /* what they begin with: JIT_HOT; tests may want less */
	u64 counted;             /* bytes of code and records in *env.code_bytes */
	u32 used, start;         /* start: behind the common code */
	u32 ahead;               /* up to there the host has been asked for pages (jit_memory_ahead) */
	/* The code cache is filled one half at a time (jit_evict.c): code, exits, counters and records of a half die together. */
	u32 half, limit;         /* the one that is being filled, and where it ends */
	u32 other_used, other_exit_end; /* where the other one's code and numbers end; 0: it is empty */
	u32 exit_limit, counter_limit;
	u64 other_counted;       /* of `counted`, what is the other one's */
	bool switches, writable; /* one map, which is writable or executable (jit_memory.c) */
	Rng chance;              /* EngineOptions.evict */
	u32 enter, leave, leave_home, miss, miss_call, lookup, bottom, evaluate, dump, call, guess; /* offsets of common code */
	u32 lookup_jump, lookup_pin[JIT_PINS];
	u64 (*evaluator)(u64 operation, u64 a, u64 b, u64 c); /* ir_eval; operation: op, width, arg_width (8 bits each),
	                                                         aux from bit 32 on */
	u8 *pin_of;              /* owned: per slot, index of its pinned register or JIT_NO_PIN */
	u32 slot_count;
	u32 pinned[JIT_PINS];    /* slots; pin_count of them */
	u32 pin_count;
	u32 parked[JIT_PARKS];   /* slots whose home is a vector register; park_count of them */
	u32 park_count;
	u32 *slot_uses;          /* owned: how often the code so far names each */
	const Space *spaces;     /* of what is being compiled: shapes */
	u64 plain_spaces;        /* likewise: Translation.plain_spaces */
	bool learned;            /* flags_slot has just become known: what was compiled before took no care of flags */
	bool without;            /* there is no memory for code to be had: the cold engine runs everything */
	bool has_wide;           /* SSA_WIDE: vectors of 256 bits */
	bool has_fma, has_lzcnt; /* lzcnt: and tzcnt */
	bool settled;            /* pinned for good */
	bool looked;             /* before that: the registers were held against the first code (jit_pins.c) */
	struct JitResumed *resumed; /* owned: where counters were when it settled (jit_uses.c); or NULL */
	u32 resumed_cap;         /* a power of two */
	bool asks_much;          /* when it settled, many of its instructions had called the host (JIT_ASKS_MUCH) */
	u64 first_icount;
	u64 host_at;             /* instruction count behind the last call of the host from the cold engine */
	bool lists_faults;       /* the space is hard or may become so: each access of the code to it is in faults, also one that
	                            asks first, as the view may allow less than attr for a while (core/space.h) */
	bool hard;               /* there is code that leaves rights to the host: it runs in the view alone */
	JitFaults faults;        /* its accesses, in this half of the code cache; */
	JitFaults other_faults;  /* in the other */
	u64 softly[64];          /* a bit per hash of pc: accesses there ask (jit_asks_softly) */
	bool floats;             /* code for floats, or for the flags that they raise, has been compiled (jit_floats): else compiled code
	                            leaves the host's own floats alone */
	u32 flags_slot;          /* where the guest keeps the flags of floats, once known: the host keeps those that compiled
	                            code raises, and they come there when it is left. 0: not known */
	JitBlock homeless;       /* a cold one that is in no table */
	JitBlock **hash;         /* owned, with `met` behind it */
	u64 *met;                /* JIT_MET bits for each of hash: who is looked for and is not there, as all that is met for the first time,
	                            has none, mostly, and what is looked at for that fits into the host's cache. Bits stay when blocks die */
	u32 hash_cap, block_count;
	JitPage **pages;         /* hash */
	u32 page_cap, page_count;
	JitExit **exits;         /* by number; [JIT_EXITS], mapped with the memory for code */
	u32 exit_count;          /* the next number */
	u64 context;             /* of the entries in jumps */
	u64 generation;          /* of flushes */
	u64 deaths;              /* counts up whenever code dies */
	u32 entered;             /* how many times compiled code is on the stack: once more for each run in a call of the host (jit_call.c) .. */
	Arena dropped;           /* .. and records that died meanwhile */
	JitJump *jumps;          /* mapped with the memory for code. All zero = empty: pc 0 has a place of its own, whose entry is
	                            never empty (jit_cache_clear_jumps) */
	Arena arena, blocks;     /* of one translation; of blocks and exits of this half */
	Arena other_blocks;      /* of the other half */
	Arena page_records;      /* of JitPages, which belong to neither */
	Arena regions;           /* of one region while it is made */
	u64 compiled_blocks, compiled_insns;
	EngineStats stats;
	EnginePlace *places;     /* owned; of the block being compiled, when somebody looks on */
	u32 place_count, place_cap;
	struct JitFirstSlot *firsts; /* owned, or NULL: blocks that were met but not compiled yet (jit_first.c) */
	u32 first_slots, first_count; /* a power of two; of them are taken */
	Arena first_arena, first_before; /* of these; of those before */
	u32 first_waited;        /* instructions of EngineOptions.waits */
	bool first_side;         /* changes when one becomes the other */
	u64 first_generation;    /* `generation` when they were kept */
	u64 store_epoch;         /* of EngineEnv.store whose settings are ours; 0: we share nothing (jit_store.c) */
	u8 cfi[48];              /* EnginePiece.cfi */
	u32 cfi_size;
	struct JitMove *moves;   /* owned; of the block being compiled */
	u32 move_count, move_cap;
	bool moves_failed, joined; /* joined: the store has heard of us */
	bool has_softly;         /* `softly` is not empty */
	JitBackground *background; /* borrowed from the store, once asked for (jit_background.h); */
	u32 pending, seen_finished;       /* regions of ours that are under way there */
};

/* Index of its vector register, or JIT_NO_PIN. */
static inline u8 jit_park_of(const Engine *engine, u32 slot)
{
	for (u32 i = 0; i < engine->park_count; i++)
		if (engine->parked[i] == slot)
			return (u8)i;
	return JIT_NO_PIN;
}

/* What a host has to give. One const struct per folder. */
struct JitTarget {
	const char *name;
	u16 elf_machine;    /* its number in ELF, for perf and debuggers */
	u8 return_column;   /* DWARF: where the return address is */
	/* The program counter in what a signal handler is given. */
	u64 *(*fault_pc)(void *context);
	const void *constants; /* whose address code may hold (jit_store.h, JIT_MOVE_CONSTANTS) */
	u64 (*features)(void); /* of this processor, as a number: code for one may not do on another */
	u32 values_most[2]; /* SsaRegion: how many slots of a region are worth a register */
	bool flag_moves, atomics; /* what select_region knows: SsaRegion */
	/* Common code at the start of the cache. False: not on this host. */
	bool (*start)(Engine *engine);
	/* Appends the code of a block. STATUS_UNSUPPORTED: leave it to the cold engine. */
	Status (*compile)(Engine *engine, JitBlock *block, const IrFunc *func);
	/* The same for a region, in two steps. The first does most of the work and touches nothing but what lies in func->arena,
	 * so that another thread may do it with a copy of the engine (jit_background.c), of which it reads the settings alone:
	 * registers, `env`, rights, shapes of spaces. func is optimized; its nodes are changed. NULL: *status says why
	 * (UNSUPPORTED: too large, or beyond the registers). The member is NULL where a target has no such tier. */
	void *(*select_region)(Engine *settings, struct SsaFunc *func, Status *status);
	/* The code, which may be as long as there is room up to engine->limit (jit_evict_make_room). Everything it makes lies in
	 * engine->blocks; nothing is linked yet. The engine's settings are those it was selected with. */
	Status (*emit_region)(Engine *engine, JitRegion *region, void *selected);
	/* Lets the exit (a LINK, a GUESS) jump to target, or (NULL) to its stub again. */
	void (*link)(Engine *engine, JitExit *exit, const JitBlock *target);
	/* Runs from the block. The number of an exit record, or that slot 0 is the next pc: JIT_MISSED (computed return),
	 * JIT_MISSED_CALL (computed jump or call), JIT_CALLED (behind a call of the host: JitFrame). */
	u32 (*enter)(Engine *engine, JitFrame *frame, const JitBlock *block);
};

/* For this computer; NULL: there is none. */
const JitTarget *jit_host(void);

/* jit_memory.c: the memory for code. Before code is written, and before it is run (targets do neither by themselves). */
bool jit_memory_map(Engine *engine);
void jit_memory_unmap(Engine *engine);
void jit_memory_allow(Engine *engine, bool write);
static inline void jit_memory_write(Engine *engine)
{
	if (engine->switches && !engine->writable)
		jit_memory_allow(engine, true);
}
/* What is written next has pages already, mostly: they come some at a time. */
void jit_memory_fetch(Engine *engine);
static inline void jit_memory_ahead(Engine *engine)
{
	if (engine->used >= engine->ahead)
		jit_memory_fetch(engine);
}
static inline void jit_memory_run(Engine *engine)
{
	if (engine->switches && engine->writable)
		jit_memory_allow(engine, false);
}

/* jit_first.c: evaluates the block at pc, of which there is no code, if it has not been met often. */
typedef enum JitFirstResult {
	JIT_FIRST_NOT,  /* nothing was done: compile it */
	JIT_FIRST_DONE, /* on at slot 0 */
	JIT_FIRST_TURNED, /* likewise; it has called what is there, or jumped back to it */
	JIT_FIRST_LEFT, /* likewise, but the instruction there is the cold engine's */
} JitFirstResult;
JitFirstResult jit_first_run(Engine *engine, Vcpu *vcpu, u64 pc, u64 context, u64 left);
/* What was kept of it, which is still what stands there. False: nothing. */
bool jit_first_take(Engine *engine, Vcpu *vcpu, u64 pc, u64 context, Translation *out);
/* A translation that was forgotten, and had to be made again. */
void jit_first_keep(Engine *engine, const Vcpu *vcpu, u64 pc, u64 context, const Translation *translation);
void jit_first_fini(Engine *engine);

/* jit_evict.c */
/* The half that is filled first, empty. */
void jit_evict_begin(Engine *engine);
/* Makes room for so many bytes of code, or half of what a half has if that is less; blocks, regions and exits may die. */
void jit_evict_make_room(Engine *engine, u32 bytes);
/* Does away with what is in the other half, and goes on there. */
void jit_evict_turn(Engine *engine);
/* EngineOptions.evict. */
void jit_evict_by_chance(Engine *engine);

/* jit_cache.c */
bool jit_cache_init(Engine *engine);
void jit_cache_fini(Engine *engine);
JitBlock *jit_cache_find(const Engine *engine, u64 pc, u64 context);
bool jit_cache_add(Engine *engine, Vcpu *vcpu, JitBlock *block);
void jit_cache_invalidate(Engine *engine, Vcpu *vcpu, u64 address, u64 count);
void jit_cache_flush(Engine *engine);
void jit_cache_clear_jumps(Engine *engine);
void jit_cache_kill(Engine *engine, JitBlock *block);
/* Whoever goes to the block passes its counter from now on. */
void jit_cache_uncount(Engine *engine, JitBlock *block);
/* Computed jumps to the block find it. */
void jit_cache_add_jump(Engine *engine, const JitBlock *block);
/* The table's entry for the block, if it is there, leads to where the block is entered now. */
void jit_cache_move_jump(Engine *engine, const JitBlock *block);
/* Has code there died so often lately that it is not worth compiling? */
bool jit_cache_is_restless(const Engine *engine, const Vcpu *vcpu, u64 pc);
/* A new counter. NULL: there is no room until the next flush. */
u32 *jit_counter_create(Engine *engine);
JitPage *jit_page_make(Engine *engine, u64 number); /* NULL: no memory */
void jit_exit_unchain(Engine *engine, JitExit *exit);
/* Code that jumps to the exit's target goes to this one; NULL: to its stub again. */
void jit_relink(Engine *engine, JitExit *exit, const JitBlock *target);
/* jit_region.c. The region dies with its guest code from now on; false: no memory, it is dead. */
bool jit_region_hang(Engine *engine, struct JitRegion *region);
/* Control comes to it from now on. */
void jit_region_attach(Engine *engine, struct JitRegion *region);
void jit_region_kill(Engine *engine, struct JitRegion *region);
void jit_region_invalidate(Engine *engine, JitPage *page, u64 address, u64 count);
/* What counters begin with: where the first of them is half way, registers are settled (jit_pins.c), and all have the other half to go. */
static inline u32 jit_counter_begin(const Engine *engine)
{
	return engine->settled ? engine->hot : (engine->hot + 1) / 2;
}
/* jit_pins.c: pins what is best for the code so far by how often it ran, for good; forgets all code unless that is pinned already. */
void jit_settle(Engine *engine);
/* Before that. */
static inline void jit_note_asking(Engine *engine, const Vcpu *vcpu)
{
	engine->asks_much = engine->stats.counts[ENGINE_CALLS] > (vcpu->icount - engine->first_icount) / JIT_ASKS_MUCH;
}
/* Code for floats is there from now on. Compiled code that waits in a call of the host was not entered for that: it leaves. */
static inline void jit_floats(Engine *engine)
{
	engine->deaths += !engine->floats;
	engine->floats = true;
}
/* jit_run.c: the exit leads to this block from now on, if it may and does not yet. */
void jit_chain(Engine *engine, JitExit *exit, JitBlock *target);
/* jit_run.c: makes the space hard if it is time to. */
void jit_harden(Engine *engine, Vcpu *vcpu, bool is_worth_it);
/* jit_promote.c: makes a region of what runs from this hot block on. False: it stays as it is. May flush: then, too, true. */
bool jit_promote(Engine *engine, Vcpu *vcpu, JitBlock *block);
/* Attaches what has been compiled on another thread since; Engine.pending says that there is something to wait for. */
void jit_promote_finished(Engine *engine, Vcpu *vcpu);
/* NULL: no memory. */
JitExit *jit_exit_create(Engine *engine, JitBlock *owner, JitExitKind kind, u64 pc, u32 refund);
/* jit_map.c: brings what the map names home, into frame->slots, of which there are slot_count without the spills. */
void jit_map_apply(const JitMap *map, const JitFrame *frame, u32 slot_count);

/* Does the instruction there look at the rights itself, also in a hard space? It does where it has often stored into code. */
static inline u32 jit_soft_hash(u64 pc)
{
	return (u32)(pc * 0x9E3779B97F4A7C15u >> 52);
}

static inline bool jit_asks_softly(const Engine *engine, u64 pc)
{
	return !engine->hard || engine->softly[jit_soft_hash(pc) / 64] >> jit_soft_hash(pc) % 64 & 1;
}

/* Code and records of this half, as the limits count them. */
static inline u64 jit_bytes(const Engine *engine)
{
	return engine->used + engine->blocks.total + engine->faults.count * sizeof(JitFault);
}

static inline u32 jit_habit_hash(u64 behind)
{
	return (u32)(behind * 0x9E3779B97F4A7C15u >> 40) & (JIT_HABITS - 1);
}

static inline u32 jit_fork_hash(u64 behind)
{
	return (u32)(behind * 0x9E3779B97F4A7C15u >> 40) & (JIT_FORKS - 1);
}

/* No return of the guest goes to an odd pc. Then no entry of the table of jumps has one, and all code that it leads to is at an even
 * offset: x64_emit_lookup looks for what nobody has masked. */
static inline bool jit_pcs_are_even(const Engine *engine)
{
	return engine->env.return_zeros & 1;
}

static inline u32 jit_jump_hash(u64 pc)
{
	return (u32)(pc >> 1) & (JIT_JUMPS - 1);
}

#endif
