/* SPDX-License-Identifier: MIT
 *
 * The inside of the interpreter.
 *
 *     run (interp_run.c) -> look up block (interp_cache.c) -> execute (interp_exec.c) -> ... leave -> run
 *                              | not there: env->translate, then interp_plan.c and interp_emit.c
 *
 * The operand file is vcpu->slots: registers first, then VCPU_TEMPS temporaries; an operand is an index into it.
 *
 *     | slot 0 = pc | ... registers ... | zero | dump | temporaries ...
 *                                       ^ slot_count
 *
 * Two ways of running an instruction:
 *   - *lean*, the usual one inside a block: pc and icount are not kept up; a memory access that is not plain leaves
 *     the block with the state as at the start of its instruction, which then runs alone;
 *   - *careful*: MARK makes pc and icount exact, and such an access goes through env in place and is carried out.
 *     If it happened (engine->attention), the block is left when the instruction is done.
 * An instruction is careful when its block has no other (`single`), when it calls the host, and when a memory access
 * follows a store in it, since that store must not be done twice. Handlers access in place, too.
 *
 * Invariants:
 *  1. At the start of an instruction all slots but pc hold its precise state (PUTs come last: ir.h, 3).
 *  2. Blocks are only freed when nothing executes: until then a dead one is in `graveyard`.
 *  3. An EXIT's imm is a live block of the same context or engine->nowhere, whose cost no budget can pay.
 */
#ifndef INTERP_INTERP_PRIVATE_H
#define INTERP_INTERP_PRIVATE_H

#include "base/arena.h"
#include "core/engine.h"
#include "ir/ir.h"

typedef enum UopKind {
#define X(name, text) UOP_##name,
#include "interp/uops.def"
#undef X
	UOP_COUNT
} UopKind;

typedef struct Uop {
	const void *handler;
	u16 d, d2, a, b;
	u64 imm;
} Uop;

_Static_assert(sizeof(Uop) == 24, "three words");

/* Facts about a memory uop that only the slow path needs. */
enum {
	META_WIDTH = 0x7F,      /* of the value, 1..64 */
	META_ADDRESS_SHIFT = 7, /* width of the address, 1..64 */
	META_RAW = 1 << 14,
	META_CAREFUL = 1 << 15,
	META_SPACE_SHIFT = 16,  /* number of the space: 15 bits */
	META_SPACE = 0x7FFF,
	META_SIGNED = 1u << 31, /* what is loaded is sign-extended to 64 bits */
};

enum { ATOMIC_CAS = 15 }; /* in the imm of ATOMIC: no IrRmw */

/* An atomic access with its operands. */
typedef struct Atomic {
	bool cas;
	IrRmw kind;
	unsigned width;
	u64 value, expected;
} Atomic;

enum { FILE_ZERO = 0, FILE_DUMP = 1, FILE_TEMPS = 2 }; /* behind the slots */

enum {
	BLOCK_INSNS = 64,            /* guest instructions per block */
	PAGE_SHIFT = 6,              /* cells of the code space per page of the index, as a power of two */
	THRASH_SHORT = 32,           /* so many blocks of a page invalidated: only short ones there from now on */
	THRASH_SINGLE = 256,         /* so many: single instructions */
	THRASH_CALM = 32,            /* instructions after which one of them is forgotten, where pages are new */
	EVAL_DEPTH = 8,
	JUMP_CACHE = 4096,
	NO_BUDGET = 62,              /* budgets are cut to 2^62 */
};

typedef struct Block Block;
typedef struct Exit Exit;
typedef struct PageLink PageLink;
typedef struct CodePage CodePage;

/* A way out of a block to a constant pc. While chained it is in the target's list of incoming exits. */
struct Exit {
	Block *owner;
	Block *target;           /* NULL: not chained */
	Exit *next, **link;      /* in target->incoming; link is what points here */
	u32 uop;
	u64 pc;
};

/* From uop `first` on, up to the next run: guest instruction `number`, at pc. */
typedef struct InsnRun {
	u32 first, number;
	u64 pc;
} InsnRun;

/* A block in the list of one page it was made from. */
struct PageLink {
	Block *block;
	CodePage *page;
	PageLink *next, **link;
};

struct CodePage {
	u64 number;
	PageLink *blocks;
	u64 lines;               /* bit n: blocks may stand in the n-th of its 64 parts; none elsewhere */
	u32 invalidations;
	u64 invalidated_at;      /* instruction of the last one */
	CodePage *next;          /* hash chain */
};

/* A translated guest block, or a handler function. One allocation, everything inside it. */
struct Block {
	Block *grave_next;
	Exit *incoming;
	Exit *exits;
	InsnRun *runs;
	u32 *meta;               /* per uop */
	u16 *calls;              /* HOST: number, result width, count, operands... */
	PageLink *pages;
	u32 exit_count, run_count, uop_count, page_count;
	u32 temps;               /* entries used behind the slots */
	u64 cells;               /* of the code space from pc */
	size_t bytes;
	/* What a look-up and a jump compare stands beside what is run. */
	Block *hash_next;
	u32 insns;
	bool single, dirty, breakpoint, dead;
	u64 cost;                /* insns; or ~0: can't be chained to */
	u64 pc, context;
	Uop uops[];
};

typedef struct Handler {     /* lowered handler functions by IrFunc */
	const IrFunc *func;
	Block *block;
} Handler;

struct Engine {
	EngineEnv env;
	Block *nowhere;
	Block *jump_cache[JUMP_CACHE];
	bool attention;          /* something went through env in place */
	u32 eval_depth;
	Block **hash;
	u32 hash_cap, block_count;
	CodePage **page_hash;
	u32 page_cap, page_count;
	Block *graveyard;
	u32 host_depth;     /* host functions at work: the blocks that called them are executing, whoever runs now */
	size_t own_bytes, *bytes; /* of all blocks that are not freed; bytes: of all engines that share the limit */
	bool running;            /* in engine_run */
	u32 deaths;              /* of blocks lately, as of instruction deaths_at */
	u64 deaths_at;
	u64 generation;          /* of flushes */
	Handler *handlers;
	u32 handler_cap, handler_count;
	Arena arena;             /* for one translation */
	u64 translated_blocks, translated_insns;
};

/* ---- interp_forward.c ---- */

/* Replaces what is already known within a guest block. plain_spaces: see Translation. False when memory is out. */
bool interp_forward(IrFunc *func, const Vcpu *vcpu, u64 plain_spaces, Arena *arena);

/* ---- interp_plan.c: what becomes of each value ---- */

typedef enum ValueKind {
	VALUE_DEAD,
	VALUE_OP,       /* computed by an uop of its own */
	VALUE_SLOT,     /* GET that is read where it is used */
	VALUE_COPY,     /* GET that must be copied, since its slot changes first */
	VALUE_ALIAS,    /* ZX: the same number as its operand */
	VALUE_ABSORBED, /* computed by the uop that uses it */
	VALUE_MOVED,    /* computed by the RANGE16 at `at` */
	VALUE_PARAM,
	VALUE_PAIRED,   /* a float operation, and the `or` of its flags into others: one uop, at `at`, does both */
} ValueKind;

typedef struct Value {
	u8 kind;
	bool is_signed; /* LOAD: sign-extended to 64 bits, as the SX that is its alias says */
	u16 where;      /* operand, once it is known */
	u32 uses, seen; /* seen: those met so far by the fusion pass, which goes backward */
	u32 at;         /* instruction whose uop computes it */
	u32 last;       /* instruction of the last use, >= at */
	u32 barrier;    /* GET, PUT: next instruction that may change the slot otherwise */
	IrRef pair;     /* PAIRED: the other; IR_NONE when only the flags are wanted */
} Value;

typedef enum BranchKind { BRANCH_PLAIN, BRANCH_COMPARE, BRANCH_RANGE } BranchKind;

typedef struct Branch {
	u8 kind;
	bool inside;    /* RANGE: the condition says inside */
	u64 lo, span;
	IrRef tested;   /* RANGE: the value, resolved; COMPARE: the compare */
	IrRef base;     /* RANGE: operand of the addition that makes `tested`, or IR_NONE */
	u64 offset;
} Branch;

typedef struct Plan {
	const IrFunc *func;
	Arena *arena;
	const Space *spaces;
	u32 space_count, slot_count;
	bool single;             /* all instructions are careful */
	Value *values;           /* per instruction of the IR */
	u32 *order;              /* blocks in the order they stand */
	u32 order_count;
	u32 *owner;              /* block of each instruction */
	u32 *number;             /* guest instruction that runs at each instruction; handlers: 0 */
	u64 *pc_of;              /* its pc */
	u32 *length_of;
	bool *careful;           /* per guest instruction */
	Branch *branches;        /* per IR block, of the BR that ends it */
	u32 insn_count;
} Plan;

Status interp_plan(Plan *plan);
IrRef interp_resolve(const Plan *plan, IrRef ref); /* through aliases */
bool interp_is_small(const Space *space, const IrIns *access, unsigned address_width);
/* x[63:32] all ones ? x[31:0] : a constant, whose parts the SEL has absorbed: a single in the register of a double. */
bool interp_is_unboxing(const Plan *plan, const IrIns *sel);
bool interp_exit_only(const Plan *plan, u32 block); /* nothing but GOTO to a constant? */

/* ---- interp_emit.c ---- */

/* Lowers func into a new block (malloc); arena is for work space. STATUS_TOO_BIG: it needs more temporaries than
 * there are. */
Status interp_lower(Engine *engine, const Vcpu *vcpu, const IrFunc *func, bool single, bool dirty, Arena *arena,
		    Block **out);

/* ---- interp_cache.c ---- */

bool interp_cache_init(Engine *engine);
void interp_cache_fini(Engine *engine);
Block *interp_cache_find(const Engine *engine, u64 pc, u64 context, bool single);
/* Enters a block; marks its cells as code. False when memory is out (the block is freed). */
bool interp_cache_add(Engine *engine, Vcpu *vcpu, Block *block);
u32 interp_cache_max_insns(const Engine *engine, const Vcpu *vcpu, u64 pc);
void interp_cache_invalidate(Engine *engine, Vcpu *vcpu, u64 address, u64 count);
void interp_cache_flush(Engine *engine, Vcpu *vcpu);
void interp_cache_bury(Engine *engine); /* frees the dead; nothing may be executing */
void interp_exit_link(Exit *exit, Block *target);
static inline u32 interp_jump_hash(u64 pc)
{
	return (u32)(pc ^ pc >> 11) & (JUMP_CACHE - 1);
}

/* ---- interp_atomic.c ---- */

/* Does it, if the memory there is plain. */
bool interp_atomic_plain(Space *space, const Atomic *op, u64 address, u64 *old);

/* ---- interp_exec.c ---- */

typedef enum Outcome {
	OUT_DISPATCH, /* go on at slot 0; x->exit may be chained to what is found there */
	OUT_LEAVE,    /* go on at slot 0 after looking at what happened */
	OUT_EVENT,    /* go on at slot 0, but tell the machine */
	OUT_BAIL,     /* run the instruction at slot 0 alone */
	OUT_STOP,     /* vcpu->exit is filled; the instruction retired */
	OUT_EXIT,     /* vcpu->exit is filled; it did not */
	OUT_RET,      /* handler ended: x->result */
	OUT_JUMPED,   /* handler ended, slot 0 set */
} Outcome;

typedef struct Exec {
	Engine *engine;
	Vcpu *vcpu;
	u64 limit;   /* vcpu->icount + what is left of the budget */
	u64 left;    /* of the budget; exact after OUT_* */
	Exit *exit;  /* OUT_DISPATCH: where it came from, or NULL */
	bool handler; /* runs a handler function: pc and icount are not its own */
	u64 result;   /* RET; also in transit through the slow paths */
} Exec;

Outcome interp_execute(Exec *x, Block *block);
const void *const *interp_handlers(void); /* [UOP_COUNT] */

#endif
