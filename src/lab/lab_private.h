/* SPDX-License-Identifier: MIT
 *
 * The inside of the lab's engines.
 *
 * The operand file is the temporaries behind the vCPU's slots: every IR value has one, registers are copied in (GET) and
 * out (PUT). Invariants: PUTs stand behind everything that may leave an instruction (ir.h, 3), so whenever one is left
 * early the slots are as at its start; slot 0 and icount are exact at every operation.
 */
#ifndef LAB_PRIVATE_H
#define LAB_PRIVATE_H

#include "base/arena.h"
#include "ir/ir.h"
#include "lab/lab_engine.h"

typedef enum LabKind {
#define X(name) LAB_OP_##name,
#include "lab/lab_ops.def"
#undef X
	LAB_OP_COUNT
} LabKind;

typedef struct LabOp {
	const void *handler; /* threaded only */
	u16 kind;            /* LabKind */
	u16 aux;             /* slot, space, host, bit number */
	u8 width, from;      /* of the result (STORE, LOAD: of the value); of operand a */
	u16 d, a, b, c;      /* temporaries */
	u64 imm;             /* operand b of _RI; mask; target of jumps (operation number) */
} LabOp;

typedef struct LabCode LabCode;
struct LabCode {         /* one guest instruction, or a handler function */
	u64 pc, context, cells;
	const IrFunc *func;  /* handlers: the key */
	LabCode *next;       /* hash chain */
	LabCode *dead_next;
	bool breakpoint, dirty;
	u32 temps, count;
	u16 *calls;          /* HOST: operands */
	LabOp ops[];
};

enum { LAB_HASH = 1 << 14, LAB_HANDLERS = 64, LAB_DEPTH = 8, LAB_MAX_CELLS = 32 };

struct Engine {
	EngineEnv env;
	LabTechnique technique;
	LabCode *hash[LAB_HASH]; /* by pc */
	LabCode *handlers[LAB_HANDLERS];
	LabCode *dead;           /* freed when nothing executes */
	u32 depth;
	bool attention;          /* something went through env: look at what it left before the next instruction */
	u64 code_count;
	Arena arena;
	LabCounts counts;
	u64 translated;
};

typedef enum LabOutcome {
	LAB_MISS,   /* no code for slot 0, or a breakpoint there */
	LAB_BUDGET,
	LAB_LOOK,   /* the instruction retired; something is pending perhaps */
	LAB_EVENT,  /* it retired and may have changed the context */
	LAB_STOP, LAB_EXIT, /* vcpu->exit is filled; it retired, did not */
	LAB_RET, LAB_JUMPED, /* a handler function ended */
} LabOutcome;

typedef struct LabRun {
	Engine *engine;
	Vcpu *vcpu;
	u64 limit;    /* icount at which the budget is used up */
	u64 context;
	u64 result;   /* of a handler function */
} LabRun;

/* lab_lower.c: NULL and *status when it cannot be. malloc. */
LabCode *lab_lower(const IrFunc *func, const void *const *handlers, Status *status);

/* The loops; each is lab_loop.inc with other macros. Gives the table of handlers when run is NULL. */
LabOutcome lab_loop_switch(LabRun *run, LabCode *code, const void *const **handlers);
LabOutcome lab_loop_goto(LabRun *run, LabCode *code, const void *const **handlers);
LabOutcome lab_loop_threaded(LabRun *run, LabCode *code, const void *const **handlers);
LabOutcome lab_loop_counting(LabRun *run, LabCode *code, const void *const **handlers);

/* lab_engine.c: for the loops */
bool lab_load(LabRun *run, const LabOp *op, u64 address, u64 *value);
bool lab_store(LabRun *run, const LabOp *op, u64 address, u64 value);
bool lab_host(LabRun *run, const LabCode *code, const LabOp *op, u64 *temps);
static inline u32 lab_hash(u64 pc)
{
	return (u32)(pc ^ pc >> 14) & (LAB_HASH - 1);
}
static inline LabCode *lab_find(const Engine *engine, u64 pc, u64 context)
{
	LabCode *code = engine->hash[lab_hash(pc)];

	while (code && (code->pc != pc || code->context != context))
		code = code->next;
	return code;
}

#endif
