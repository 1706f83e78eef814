/* SPDX-License-Identifier: MIT
 *
 * The intermediate form of the optimizing tier: a *region*, many guest blocks with their loops, in SSA.
 *
 *     ssa_build.c   guest blocks (IrFunc each) -> SsaFunc
 *     ssa_pass.c    the list of passes; each is a file ssa_NAME.c
 *     x64/          selection, registers, code
 *
 * Nodes. Pure operations keep number, shape, width rule and meaning of the IR (ir_ops.def, ir_eval): operands in a, b, c;
 * values of 1..64 bits, held zero-extended. Other operations are below. Nodes of a block form a list; constants are in
 * no block. A pass replaces a value by turning its node into SSA_COPY; whoever reads an operand goes through ssa_value.
 *
 * Blocks. 0 is the head's entry. A block with `entry` has no predecessors: control comes there from outside (the head,
 * or where a call comes back to). No critical edges: a block with two successors leads to blocks with one predecessor
 * (ssa_build makes empty ones in between). Loop headers begin with a guest instruction, so their pc is known.
 *
 * Guest registers. Each slot has a *home*: its pinned host register (jit_private.h) or vcpu->slots. Inside a region homes do
 * not change: PUT only says that the slot's value is now `a`. HOME reads the home, so it gives the value that the slot
 * had when the region was entered. block->state[slot] is the value at the start of a block, 0 = it is at home; with
 * the PUTs that stand before a node this is the state there. It may also be a pure node that stands behind the block's PHIs
 * in front of anything that may leave (ssa_insert_after_head). A way out writes to their homes the values that are
 * elsewhere. This is all there is about deoptimization: states are never computed for their own sake.
 *
 * More slots than the host has registers only go from one place in memory to another. So when a region writes too many, those
 * used least *stay at home*: no state, no PUT; BRING writes the home, FETCH reads it (ssa_home.c).
 *
 * Ways out. A node with effect SSA_EXIT may leave the region at the start of the guest instruction it belongs to (the
 * last INSN before it; in a block that is `ahead`, the one at its pc): the cold engine does that instruction. The terminator LEAVE leaves for good: behind its
 * instruction (LINK, JUMP, CALL, RET) or at its start (COLD).
 * Within one guest instruction PUTs come after everything that may leave it, so the state there is that of its start.
 *
 * Counting. FUEL n charges n instructions, or leaves; REFUND n gives back; a way out gives back what was charged and not
 * done (snap->refund). ssa_fuel.c places them, late: before it, cost is the number of INSNs.
 *
 * Snapshots. ssa_snap.c, the last pass, writes down for every way out which slots are not at home and which value each has.
 * A value that is used by PUTs alone need not be computed: if it is SX, ADD of a constant, CANON or CONCAT of ones and
 * something, snapshots name what it is made of and the recipe. So passes leave such nodes in front of PUTs and do the
 * work on what is narrower. Values that ssa_is_odd get SSA_NAN.
 */
#ifndef JIT_SSA_H
#define JIT_SSA_H

#include "base/arena.h"
#include "base/buf.h"
#include "ir/ir.h"

typedef u32 SsaRef; /* index into func->nodes; 0 = none */

typedef enum SsaOp {
	/* Below IR_OP_COUNT: the pure operations of the IR. */
	SSA_CONST = IR_OP_COUNT, /* imm */
	SSA_COPY,   /* the value is a's: left behind by passes, no code */
	SSA_PHI,    /* aux = slot it is for, or SSA_NO_SLOT; args: pool[a + i] comes from pred i */
	SSA_HOME,   /* what lies in the home of slot aux */
	SSA_CANON,  /* the float a, but any NaN is the canonical one (result of arithmetic: x86 makes others; ssa_float.c) */
	SSA_PUT,    /* slot aux is a from here on */
	SSA_INSN,   /* a guest instruction begins: imm = pc, aux = length in cells */
	SSA_CHECK,  /* exit; hard spaces: address a < limit of space aux. Loads and stores behind it rely on it. imm 1: ahead of a loop
	               that need not come to it */
	SSA_LOAD,   /* exit, unless c is 1; space aux at a + imm (wraps as the width of a does) */
	SSA_STORE,  /* exit, unless c is 1; b goes there; width = width(b) */
	SSA_RMW,    /* exit; IR_OP_RMW at a + imm with b; aux as in the IR, never raw. The address is aligned, or it leaves */
	SSA_CAS,    /* exit; IR_OP_CAS likewise: expected b, value c */
	SSA_GUARD,  /* exit; unless a (width 1) is 1. imm 1: nothing says that it is, but that it mostly is so */
	SSA_FUEL,   /* exit; charges imm; aux = SSA_FUEL_NEXT: what comes is where the block jumps to */
	SSA_REFUND, /* gives imm back */
	SSA_FENCE,  /* accesses may not move across */
	SSA_FLAGS,  /* the float flags so far: what the home of flags_slot and the host hold together */
	SSA_SET_FLAGS, /* they are a from here on: at home, and the host holds none */
	SSA_FETCH,  /* what lies in the home of slot aux now; for slots that stay at home */
	SSA_BRING,  /* a comes to the home of slot aux, which is one that stays at home */
	SSA_WIDE,   /* func->wides[imm] (ssa_wide.h): many rounds of the loop that comes behind; how many times it went round. aux
	               operands: pool[a + i] */
	SSA_LANE,   /* lane aux of what the WIDE a, which stands in front of it, has put out as imm */
	/* Ends of blocks */
	SSA_JUMP,   /* to succ[0] */
	SSA_BRANCH, /* a (width 1) ? succ[0] : succ[1] */
	SSA_LEAVE,  /* aux = SsaLeave; LINK, CALL, COLD: imm = pc; JUMP, CALLR, RET: a = pc */
	SSA_OP_COUNT,
} SsaOp;

enum { SSA_FUEL_NEXT = 1, SSA_NO_SLOT = 0xFFFF, SSA_SLOTS_MOST = 512, SSA_NODES_MOST = 60000, SSA_BLOCKS_MOST = 4000 };

typedef enum SsaLeave {
	SSA_LEAVE_LINK,  /* to the constant pc imm, which is not in the region */
	SSA_LEAVE_JUMP,  /* to the computed pc a. imm 1: where it usually goes is in the region, and this is for the rest */
	SSA_LEAVE_CALL,  /* as LINK; b = constant: the pc behind the call, where an `entry` block may wait */
	SSA_LEAVE_CALLR, /* as JUMP; b likewise */
	SSA_LEAVE_RET,   /* as JUMP: it goes back to a caller */
	SSA_LEAVE_COLD,  /* the instruction at imm is the cold engine's; it is not done */
	SSA_LEAVE_HOST,  /* likewise: it calls the host. The state is brought home for that, as for LINK */
} SsaLeave;

enum SsaEffect {
	SSA_PURE = 1,  /* may be shared, moved to where its operands are, dropped */
	SSA_READ = 2, SSA_WRITE = 4, /* memory */
	SSA_EXIT = 8,
	SSA_END = 16,
	SSA_KEEP = 32, /* stays though nobody uses it */
	SSA_MAY_RAISE = 64, /* of what the table says alone: a float operation, which aux may make KEEP and not PURE */
	SSA_MAY_BE_SURE = 128, /* likewise: an access, which is no EXIT where ssa_sure has found that it cannot leave (c is 1) */
};

/* aux of pure float operations: as in the IR, and: its IEEE flags are to be raised (the host keeps them: MXCSR). Such a node may
 * be shared with one that dominates it, but neither dropped nor folded nor moved to where it would not have run. */
enum {
	SSA_FLOAT_RAISES = 0x80,
	SSA_FLOAT_QUIET = 0x40, /* of a compare: no signaling NaN comes in, and it must raise nothing. Not moved */
};

typedef struct SsaNode {
	u8 op;      /* IrOp or SsaOp */
	u8 width;   /* of the result (of the value for PUT and STORE); 0: none */
	u16 aux;
	union {
		struct { SsaRef a, b, c; };
		SsaRef operands[3];
	};
	u64 imm;
	u32 block;
	SsaRef prev, next; /* in its block; 0 at the ends, and for constants */
	u32 snap;   /* ways out, after ssa_snap: index into snaps */
	u32 uses;   /* while ssa_fold runs, and ssa_build: uses as an operand; for the target: by what is computed (not by PUTs and snapshots) */
	u32 mark;   /* free for the pass that runs */
} SsaNode;

typedef struct SsaBlock {
	SsaRef first, last; /* last: its END */
	u32 insns;          /* INSNs in it */
	u64 pc;             /* of the guest instruction it begins with or lies in */
	u32 *preds;
	u32 pred_count, pred_cap;
	u32 succ[2];
	u32 succ_count;
	SsaRef *state;      /* func->slot_count entries */
	bool entry;
	bool dead;          /* cannot be reached: skip it */
	bool ahead;         /* stands in front of a loop for what is moved out of it: no INSNs, no PUTs. All instructions before
	                       it are done; its ways out are at the start of the one at pc, which the loop begins with */
	/* after ssa_order */
	u32 order;          /* position in func->rpo */
	u32 idom;           /* block; itself for entries (and where paths from several entries meet: SSA_NO_BLOCK) */
	u32 loop;           /* header of the innermost loop around it, or SSA_NO_BLOCK */
	u32 outer;          /* of a header: that of the loop around its own, or SSA_NO_BLOCK */
	u32 depth;          /* number of loops around it */
	bool header;
	u32 before;         /* after ssa_loops, of a header: the block `ahead` of it; else SSA_NO_BLOCK */
	bool cold;          /* not expected to run: laid out last */
	u64 heat;           /* how often it ran, relative to others; 0 = not known */
} SsaBlock;

enum { SSA_NO_BLOCK = 0xFFFFFFFFu };

/* How the way out makes a slot's value from `ref`. */
typedef enum SsaRecipe {
	SSA_AS_IS,
	SSA_SX,    /* sign-extended from the low `imm` bits to the width of the slot */
	SSA_ZX,    /* the low `imm` bits: no more is held of ref */
	SSA_PLUS,  /* + imm, at the width of ref */
	SSA_NAN,   /* as CANON: ref is a float of its width */
	SSA_BOX,   /* the low `imm` bits (32) of ref below ones, up to the width of the slot: CONCAT of ones and ref */
	SSA_BOX_NAN, /* likewise of CANON ref */
} SsaRecipe;

typedef struct SsaSnapEntry {
	SsaRef ref;  /* may be a constant */
	u16 slot;
	u8 recipe;   /* SsaRecipe */
	i32 imm;
} SsaSnapEntry;

typedef struct SsaSnap {
	u64 pc;
	u32 refund;       /* instructions charged but not done */
	u32 first, count; /* in func->entries; ascending slots; only those that are not at home */
} SsaSnap;

enum { SSA_LAZY_MOST = 208 }; /* lazy values of a region, and so of a way out */

/* What there is of what is computed. */
typedef enum SsaNeeded {
	SSA_NEEDED = 1, /* something with an effect is made from it, or a way out names it */
	SSA_FIRM = 5,   /* something with an effect is made from it (and so it is needed) */
	SSA_NAMED = 2,  /* a BRING names it, which may make it itself from what it is made from */
} SsaNeeded;

/* What accesses to a space touch. */
typedef struct SsaSpace {
	u8 cell_bits;
	u8 address_bits; /* addresses are taken modulo 2^address_bits; 64: they are not */
	u64 limit;       /* of a hard space: addresses below it pass CHECKs. 0: not known */
} SsaSpace;

typedef struct SsaFunc {
	Arena *arena;      /* borrowed; everything lies there */
	SsaNode *nodes;
	u32 node_count, node_cap;
	SsaBlock *blocks;
	u32 block_count, block_cap;
	SsaRef *pool;      /* arguments of PHIs: room for pred_cap each */
	u32 pool_count, pool_cap;
	u32 slot_count;
	const u8 *slot_width; /* borrowed: bits of each slot */
	u32 *elsewhere, elsewhere_count; /* slots that may be elsewhere than at home, ascending: states and PUTs name no others */
	u8 pc_width;
	u64 context;
	u64 hard_spaces;   /* bit n: accesses to space n fault by themselves: CHECK makes them safe */
	bool careful;      /* likewise from the region */
	const u8 *met;     /* after ssa_check: of the first met_count nodes, SSA_MET (ssa_address.h) for PHIs that need no CHECK .. */
	u32 met_count;
	u32 met_space;     /* .. as addresses of this space */
	const SsaSpace *spaces; /* borrowed; of the first space_count spaces. Of others nothing is known (hard ones are of bytes) */
	u32 space_count;
	u64 stored_spaces; /* bit n: in space n what was stored can be loaded (no device answers reads only): hard ones always */
	u32 flags_slot;    /* the slot that collects float flags, kept by the host while compiled code runs; 0: none */
	u32 *consts;       /* hash: node + 1... */
	u32 const_cap, const_count;
	const u8 *odd;     /* after ssa_float: see ssa_is_odd; of the first odd_count nodes. NULL: none is */
	u32 odd_count;
	u32 *rpo;          /* after ssa_order: blocks that can be reached, in reverse postorder */
	u32 rpo_count;
	struct SsaTree *tree; /* the tree of dominators (ssa_tree.h); NULL: nobody has asked, or it is no longer right */
	SsaSnap *snaps;
	u32 snap_count, snap_cap;
	SsaSnapEntry *entries;
	u32 entry_count, entry_cap;
	SsaRef *touches;   /* list of ssa_is_touch nodes, block by block (ssa_cells.h); NULL: there is none, or it is no longer right */
	u32 listed_touches; /* so many */
	u32 *first_touch, *touch_count; /* per block. Nodes that have gone since are in no block */
	u8 *needed;        /* after ssa_snap, per node: SsaNeeded. A pure node that is 0 need not be computed. NULL: not known */
	bool *lazy;        /* after ssa_lazy: see ssa_is_lazy; of the first lazy_nodes nodes. NULL: none is */
	u32 lazy_nodes, lazy_count; /* so many are */
	bool has_wide;     /* the target does WIDE */
	bool loops;        /* after ssa_order: there are some */
	u32 folded;        /* so many nodes were as simple as they can be when they were last folded */
	bool unfolded;     /* after ssa_build: ssa_fold would find something */
	bool narrowed;     /* after ssa_narrow: it has changed something */
	bool floats;       /* there have been operations on floats */
	bool soft;         /* after ssa_build: there are accesses to spaces that are not hard */
	u64 made[2];       /* bit n: there have been nodes of operation n (ssa_has_made) */
	struct SsaWide **wides;
	u32 wide_count, wide_cap;
	u32 guest_insns;   /* INSNs at building: the measure of compile cost */
	bool failed;       /* memory ran out, or too large: unusable */
} SsaFunc;

typedef struct SsaOpInfo {
	const char *name;
	u8 effects, operands; /* how many of a, b, c are values; SSA_OPERANDS_VARY: ask ssa_operands */
} SsaOpInfo;

enum { SSA_OPERANDS_VARY = 8 };
extern const SsaOpInfo ssa_op_info[SSA_OP_COUNT];

/* What was never made, no pass need look for. */
static inline bool ssa_has_made(const SsaFunc *func, unsigned op)
{
	return func->made[op / 64] >> op % 64 & 1;
}

/* What memory passes look at: accesses, what makes them safe, and homes that change. */
static inline bool ssa_is_touch(unsigned op)
{
	const u32 bit = (u32)op - SSA_CHECK, touches = 1u | 1u << (SSA_LOAD - SSA_CHECK) | 1u << (SSA_STORE - SSA_CHECK) | 1u << (SSA_RMW - SSA_CHECK) |
		1u << (SSA_CAS - SSA_CHECK) | 1u << (SSA_FENCE - SSA_CHECK) | 1u << (SSA_FETCH - SSA_CHECK) | 1u << (SSA_BRING - SSA_CHECK);

	return (bit < 32) & touches >> (bit & 31);
}

/* ---- ssa.c ---- */

SsaFunc *ssa_create(Arena *arena, u32 slot_count, const u8 *slot_width); /* NULL: no memory */
/* Of this node: a float operation that raises has KEEP and is not PURE, an access that is sure is no EXIT. */
static inline unsigned ssa_effects(const SsaNode *node)
{
	unsigned effects = ssa_op_info[node->op].effects;

	if (effects & SSA_MAY_RAISE)
		return node->aux & (SSA_FLOAT_RAISES | SSA_FLOAT_QUIET) ? SSA_KEEP : SSA_PURE;
	if (effects & SSA_MAY_BE_SURE && node->c)
		return effects & ~(unsigned)SSA_EXIT;
	return effects;
}
void ssa_reserve(SsaFunc *func, u32 nodes, u32 blocks); /* at the start: room for about so many; else it grows */
u32 ssa_block(SsaFunc *func, u64 pc);      /* a new block */
void ssa_edge(SsaFunc *func, u32 from, u32 to); /* appends to succ and preds; before PHIs of `to` get their arguments */
SsaRef ssa_const(SsaFunc *func, unsigned width, u64 value);
/* A node in no list. 0 when failed. */
SsaRef ssa_node(SsaFunc *func, unsigned op, unsigned width, unsigned aux, SsaRef a, SsaRef b, SsaRef c, u64 imm);
/* A node like this one (its lists aside) at the end of a block, as ssa_node and ssa_append make it. */
SsaRef ssa_emit(SsaFunc *func, u32 block, const SsaNode *what);
void ssa_append(SsaFunc *func, u32 block, SsaRef ref);          /* at the end, behind everything */
void ssa_insert_before(SsaFunc *func, SsaRef at, SsaRef ref);
void ssa_insert_after_phis(SsaFunc *func, u32 block, SsaRef ref);
void ssa_insert_after_head(SsaFunc *func, u32 block, SsaRef ref); /* behind the PHIs and pure nodes it begins with */
void ssa_remove(SsaFunc *func, SsaRef ref);                     /* out of its list; it must not be used any more */
void ssa_replace(SsaFunc *func, SsaRef ref, SsaRef by);         /* takes it out and makes it a COPY */
SsaRef ssa_phi(SsaFunc *func, u32 block, unsigned width, unsigned slot); /* arguments 0 yet */
static inline SsaRef ssa_value(const SsaFunc *func, SsaRef ref)
{
	while (func->nodes[ref].op == SSA_COPY)
		ref = func->nodes[ref].a;
	return ref;
}
static inline bool ssa_is_const(const SsaFunc *func, SsaRef ref, u64 *value)
{
	const SsaNode *node = &func->nodes[ssa_value(func, ref)];

	if (node->op == SSA_CONST && value)
		*value = node->imm;
	return node->op == SSA_CONST;
}

/* Of a node that stands between two instructions: where the next one is. */
static inline u64 ssa_pc_behind(const SsaFunc *func, SsaRef ref)
{
	const SsaNode *node = &func->nodes[ref];
	const SsaBlock *block = &func->blocks[node->block];

	if (node->op == SSA_FUEL && node->aux == SSA_FUEL_NEXT)
		return func->blocks[block->succ[0]].pc;
	return node->next && func->nodes[node->next].op == SSA_INSN ? func->nodes[node->next].imm : block->pc;
}
/* After ssa_float: what the host holds for this value may be a NaN of its own. A way out writes it with SSA_NAN (or BOX_NAN). */
static inline bool ssa_is_odd(const SsaFunc *func, SsaRef ref)
{
	ref = ssa_value(func, ref);
	return func->odd && ref < func->odd_count && func->odd[ref];
}
/* A LEAVE that brings the state home itself. */
static inline bool ssa_is_hot_leave(const SsaNode *node)
{
	return node->op == SSA_LEAVE && node->aux != SSA_LEAVE_COLD;
}
/* Is the value computed in a loop that the LEAVE stands behind? */
static inline bool ssa_is_behind(const SsaFunc *func, const SsaNode *leave, SsaRef ref)
{
	const SsaNode *node = &func->nodes[ref];

	return node->block != SSA_NO_BLOCK && func->blocks[node->block].depth > func->blocks[leave->block].depth;
}
/* After ssa_lazy: ways out that name it make it; nobody else needs it. */
static inline bool ssa_is_lazy(const SsaFunc *func, SsaRef ref)
{
	return func->lazy && ref < func->lazy_nodes && func->lazy[ref];
}
/* Is it an operation that a way out can do? */
bool ssa_may_make(const SsaFunc *func, SsaRef ref);

/* What is needed: SsaNeeded per node, and room to look for it. */
typedef struct SsaNeeds {
	u8 *needed;
	SsaRef *work;
} SsaNeeds;

void ssa_need(SsaFunc *func, SsaNeeds *needs, SsaRef ref, u8 as); /* it and what it is made from */
bool ssa_find_needed(SsaFunc *func, SsaNeeds *needs); /* by all that has an effect; PUTs have none. False: no memory */

/* A WIDE in no list. */
SsaRef ssa_wide_node(SsaFunc *func, struct SsaWide *wide, const SsaRef *operands);
/* Number of operands (PHI: predecessors), and where operand i stands. */
static inline unsigned ssa_operands(const SsaFunc *func, const SsaNode *node)
{
	unsigned count = ssa_op_info[node->op].operands;

	if (count != SSA_OPERANDS_VARY)
		return count;
	if (node->op == SSA_PHI)
		return func->blocks[node->block].pred_count;
	if (node->op == SSA_WIDE)
		return node->aux;
	return node->aux == SSA_LEAVE_JUMP || node->aux == SSA_LEAVE_CALLR || node->aux == SSA_LEAVE_RET;
}
static inline SsaRef *ssa_operand(SsaFunc *func, SsaNode *node, unsigned index)
{
	return node->op == SSA_PHI || node->op == SSA_WIDE ? &func->pool[node->a + index] : &node->operands[index];
}
/* rpo, preds of dead blocks gone (with their PHI arguments), idom, loops. After every change of edges. */
void ssa_order(SsaFunc *func);
bool ssa_dominates(const SsaFunc *func, u32 above, u32 below);
void ssa_print(const SsaFunc *func, const char *(*slot_name)(const void *ctx, unsigned slot), const void *ctx, Buf *out);
/* All invariants above; false, with a line per fault in `why` (may be NULL). */
bool ssa_verify(const SsaFunc *func, Buf *why);

/* ---- ssa_build.c ---- */

/* A jump to `pc` from the source that has this link goes to that source (an index into region->sources, of the same pc). */
typedef struct SsaLink {
	u64 pc;
	u32 source;
} SsaLink;

typedef struct SsaSource {
	u64 pc;
	u32 copy;      /* code may be there several times (inlined, unrolled): no two sources have the same pc and copy. A jump
	                  goes where a link says, else to the source with its pc in the same copy, else to that of copy 0. A call
	                  goes where a link says, else it leaves */
	const SsaLink *links;
	u32 link_count;
	u32 back;      /* inlined function: its computed RET goes to sources[back - 1] if that pc is what it computes. A jump through a
	                  register that leaves is a call that comes back there. 0: none */
	const SsaLink *guesses; /* where its call or jump through a register usually goes: it is compared with these, one by one, .. */
	u32 guess_count;        /* .. and if it is none it leaves */
	const IrFunc *func;
	u32 begin;     /* its first instruction: the INSN at this place of func->ins, which several sources may share */
	const struct SsaShape *shape; /* of func (ssa_shape.h), if it is known; NULL */
	u32 insns;     /* guest instructions in func; only those before number `keep` are taken (then: next pc); 0: all */
	u32 keep;
	bool dirty;    /* the last one is the cold engine's */
	bool landing;  /* a call comes back to it: it is an entry, too */
	u64 heat;      /* how often it ran, up to heat_most; 0: nobody counted */
} SsaSource;

typedef struct SsaRegion {
	SsaSource *sources; /* sources[0] is the head */
	u32 count;
	u32 slot_count;
	const u8 *slot_width;
	u8 pc_width;
	u64 context;
	u64 hard_spaces;
	bool careful;     /* CHECKs leave no loop that need not come to them, and no form is guessed (ssa_narrow): such a one has failed */
	const SsaSpace *spaces; /* these three as in SsaFunc; may be left out */
	u32 space_count;
	u64 stored_spaces;
	u64 cold_spaces;  /* bit n: accesses to space n are the cold engine's */
	u32 flags_slot;
	bool fma;         /* the host has a fused multiply-add */
	bool flag_moves;  /* the target does FLAGS and SET_FLAGS, and evaluates what else there is of floats; else what needs that is the
	                     cold engine's */
	const u8 *pin_of;    /* per slot: JIT_NO_PIN, or its home is a register; NULL: all are in memory */
	u32 values_most[2];  /* so many written slots become values, of those without and with floats in them; 0: all */
	bool wide;           /* the target does WIDE */
	u64 heat_most;       /* what SsaSource.heat ends at; 0: nobody counted */
	bool atomics;        /* the target does RMW and CAS; else they are the cold engine's */
} SsaRegion;

/* The region in SSA: jumps to a pc that a source begins with stay inside, others LEAVE. A source may hold code that another
 * begins in the middle of: it goes over to that one there. NULL: no memory, or beyond the limits above. */
SsaFunc *ssa_build(const SsaRegion *region, Arena *arena);

/* ---- Passes: ssa_pass.c has the list ---- */

typedef struct SsaPass {
	const char *name;
	void (*run)(SsaFunc *func);
	u8 needs; /* ssa_pass.c */
} SsaPass;

/* Called after each pass; name "build" before the first. */
typedef void SsaWatch(void *ctx, const SsaFunc *func, const char *pass);

/* Runs all; false: func->failed. In debug builds each is verified. */
bool ssa_optimize(SsaFunc *func, SsaWatch *watch, void *ctx);

void ssa_loops(SsaFunc *func);   /* a block ahead of each loop; those that stay empty are joined to others by ssa_fold */
void ssa_fold(SsaFunc *func);    /* folding, algebra, sharing (CSE in dominator order), PHIs of one value */
void ssa_sure(SsaFunc *func);    /* accesses that cannot leave, as one like them did not; stores that nobody sees */
void ssa_state(SsaFunc *func);   /* BRINGs that no way out and no FETCH sees are gone */
void ssa_narrow(SsaFunc *func);  /* known bits, demanded bits: extensions and masks that nobody needs */
void ssa_address(SsaFunc *func); /* constants of addresses into displacements */
void ssa_check(SsaFunc *func);   /* CHECKs: those that follow from others, from induction, out of loops */
void ssa_memory(SsaFunc *func);  /* stores forwarded to loads, loads shared */
void ssa_hoist(SsaFunc *func);   /* loop-invariant code */
void ssa_wide(SsaFunc *func);    /* loops over numbers in a row, four at a time */
void ssa_flags(SsaFunc *func);   /* float flags that are saved, and restored behind a compare: it is a quiet one */
void ssa_float(SsaFunc *func);   /* CANONs where NaNs leave arithmetic, and no others */
void ssa_dead(SsaFunc *func);    /* what nobody uses */
void ssa_fuel(SsaFunc *func);    /* FUEL and REFUND */
void ssa_snap(SsaFunc *func);    /* snapshots */
void ssa_sink(SsaFunc *func);    /* what only ways out want is made behind PHIs, of what goes round anyway */
void ssa_lazy(SsaFunc *func);    /* what only rare ways out name is left to them */

#endif
