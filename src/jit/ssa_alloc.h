/* SPDX-License-Identifier: MIT
 *
 * Registers for the values of a region. Selection (jit/x64) has decided which nodes make code and what each needs; the
 * allocator says where everything is. It knows no host: registers are numbers in two classes.
 *
 *     code[]   one SsaCode per node that makes code, block by block in the order of layout
 *
 * Allocation is over *values* (SsaRefs). A value has at any point one register or place in memory, or several: it
 * may be split. What the emitter gets: for each code its operands' and result's places; moves before codes; moves on edges.
 *
 * Places in memory: spill slots of the JitFrame, 8 bytes each, or the home of a slot (a HOME value that is not in a
 * register is simply read again; homes in vcpu->slots do not change inside a region). Constants are never allocated unless
 * a code asks for one in a register: it is made again where it is needed.
 *
 * Pinned slots. HOME of a pinned slot is defined at each entry block in its register; a LEAVE wants the state's value of
 * each pinned slot in that register (a USE_FIXED of LEAVE; selection lists them). In between the register is as free
 * as any. There is one HOME node (in no block) for each pinned slot then: one code per entry block, at its start, has it as its
 * result, in result_reg = the pinned register. So this value alone has several definitions; each path passes one.
 *
 * PHIs make no code; their arguments, the refs of snapshots and of uses are no COPYs (ssa_value). A node may have its code in another
 * place than its list says: a LOAD whose only use is a SX is a code for the SX where the LOAD stands.
 *
 * A snapshot's places are those at its code, behind the moves, as the operands' are; a code that leaves does so before its
 * result is written and before `clobbers`, but temps may be written by then: they are in no
 * register that the snapshot names. A tied code never leaves.
 *
 * Snapshots take values wherever they are: they make values live, but ask for no register. What would have to be stored for
 * rare ways out alone, they make themselves, if what it is made from is there anyway (ssa_alloc_make.c).
 *
 * In time, a code is
 *     moves | uses are read, temps and clobbers are written, a way out is taken | the result is written
 * so the result may come to the register of a value that this code's snapshot wants, or of an early use, for the last
 * time: nothing may be written to it while the way out can still be taken.
 *
 * What selection gives:
 *  1. Every block that can be reached has at least one code: its END (JUMP, too, with no uses). Nothing has a result there.
 *  2. uses[0] of a tied code is WANT_REG or FIXED. Fixed registers are `allowed` ones; no two values in one at one code;
 *     a late use is not fixed in a clobbered register. Operands, temps and clobbers together leave registers enough.
 *  3. A HOME whose slot is pinned is the result of a code at the start of every entry block it is used behind; one node per
 *     slot. Where it may be moved, way outs must know it: selection adds pinned slots that are at home to the
 *     snapshots (as HOME of the slot).
 *  4. A HOME in memory needs no code: like a constant it is made where it is needed. One whose imm is not 0 is used in its own
 *     block only, and may be made no earlier than it is used: before, the home may hold something else.
 *  5. ssa_order was run.
 */
#ifndef JIT_SSA_ALLOC_H
#define JIT_SSA_ALLOC_H

#include "jit/ssa.h"

enum { SSA_GPR, SSA_XMM, SSA_CLASSES };
enum { SSA_USES_MOST = 40, SSA_TEMPS_MOST = 2, SSA_SPILLS_MOST = 256 };

typedef enum SsaPlaceKind {
	SSA_PLACE_NONE, SSA_PLACE_REG, SSA_PLACE_SPILL, /* number: of the spill slot */
	SSA_PLACE_HOME,  /* number: slot, in vcpu->slots */
	SSA_PLACE_CONST, /* number: SsaRef of the constant */
	SSA_PLACE_MADE,  /* snapshots: the way out makes it: number in `made` */
} SsaPlaceKind;

typedef struct SsaPlace {
	u8 kind, cls;    /* SsaPlaceKind; SSA_GPR or SSA_XMM for REG */
	u32 number;      /* REG: 0..15 */
} SsaPlace;

static inline bool ssa_same_place(const SsaPlace *a, const SsaPlace *b)
{
	return a->kind == b->kind && a->number == b->number && (a->kind != SSA_PLACE_REG || a->cls == b->cls);
}

typedef enum SsaWant {
	SSA_WANT_REG,    /* a register of its class */
	SSA_WANT_ANY,    /* register or memory (or a constant stays one) */
	SSA_WANT_FIXED,  /* in register `reg` */
} SsaWant;

typedef struct SsaUse {
	SsaRef ref;
	u8 want, reg;
	u8 cls;          /* class of the register wanted: a value of the other class is moved over */
	bool early;      /* may share its register with the result (read before the result is written); false: must not */
	u32 value;       /* the allocator's own number of it */
	SsaPlace place;  /* out */
} SsaUse;

typedef struct SsaCode {
	SsaRef node;     /* 0 for those that stand for no node */
	u32 block;
	SsaUse *uses;    /* operands that need places, in the order selection likes */
	u8 use_count;
	u8 temps[SSA_CLASSES]; /* scratch registers wanted, distinct from uses and result */
	bool result;     /* it defines node's value */
	bool tied;       /* the result is in the register of uses[0] (which is copied before if it lives on) */
	bool commutes;   /* tied; the allocator may swap the refs of uses[0] and uses[1] (both of one class) */
	bool may_untie;  /* tied, but there is a form with three registers (lea): if uses[0] lives on, the allocator clears `tied` */
	bool fixed;      /* the allocator's own: an operand or the result is in a certain register */
	u8 result_cls;
	u8 result_reg;   /* 0xFF: any; else fixed */
	u32 clobbers[SSA_CLASSES]; /* registers destroyed (bit mask), after uses are read, before the result is written */
	u32 snap;        /* ~0: none. Else its values' places are written to snap_places */
	/* out */
	SsaPlace at;     /* of the result */
	u8 temp[SSA_CLASSES][SSA_TEMPS_MOST];
	u32 move_first, move_count; /* moves to be done before it, in this order */
	u32 snap_place;  /* first of snap.count places, in the order of the snapshot's entries */
} SsaCode;

typedef struct SsaMove {
	SsaPlace from, to;
	u8 width;        /* of the value: 32 or 64 is to be moved */
} SsaMove;

/* Orders and scratch registers: a move from memory or a constant to memory, or from a constant to an XMM register, goes over
 * scratch[SSA_GPR], which is free then. Moves between the classes are bit by bit. No move may change the host's flags
 * if selection counts on them across codes.
 *
 * Moves of the edge into block b from its predecessor p: at the end of p when p has one successor, else at the start of b
 * (no critical edges). Already in an order in which they can be done one by one; scratch registers are used for cycles.
 * Only edges that have moves are listed. */
typedef struct SsaEdge {
	u32 from, to;
	u32 move_first, move_count;
} SsaEdge;

/* A value that a way out makes: the pure operation `ref` of what lies in these places (of its operands, in their order). One that
 * is MADE is made before it, and has a smaller number. */
typedef struct SsaMade {
	SsaRef ref;
	SsaPlace from[3];
} SsaMade;

enum { SSA_MADE_MOST = 48 }; /* for one way out, beside those that are lazy */

typedef struct SsaAlloc {
	SsaFunc *func;
	SsaCode *codes;      /* in layout order; each block's contiguous */
	u32 code_count;
	u32 *layout;         /* blocks in the order they are emitted */
	u32 layout_count;
	u32 *block_first;    /* per block: index of its first code */
	u32 *block_codes;    /* per block: how many */
	u32 allowed[SSA_CLASSES]; /* registers that may be used, as bit masks; never those the engine keeps */
	u32 scratch[SSA_CLASSES]; /* one register of each class that is never allocated: moves between memory and cycles use it */
	const u8 *pin_reg;   /* per slot: register that is its home, or 0xFF: the home is in memory */
	const u8 *cls;       /* per node: SSA_GPR or SSA_XMM */
	/* out */
	SsaMove *moves;
	u32 move_count;
	SsaEdge *edges;
	u32 edge_count;
	SsaPlace *snap_places;
	u32 snap_place_count;
	SsaMade *made;
	u32 made_count;
	u32 spills;          /* spill slots used */
	bool failed;         /* no memory, or more spills than there are */
} SsaAlloc;

/* Fills what is marked "out". Arrays come from func->arena. Linear in the size of the code but for a logarithm. */
void ssa_allocate(SsaAlloc *alloc);

/* Follows every value through the result and says where a use would find another one (tests, debug builds). Without memory to look,
 * nothing is found. */
bool ssa_alloc_verify(const SsaAlloc *alloc, Buf *why);

#endif
