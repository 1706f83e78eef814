/* SPDX-License-Identifier: MIT
 *
 * Engines to learn from: one set of operations, dispatched in the ways that interpreters have been built in. They stand
 * behind the same seam as the real one (core/engine.h), run every machine and give the same results and counts, so
 * that what differs between two runs is dispatch alone:
 *
 *   redecode     like switch, but each instruction is decoded and lowered anew whenever it is reached
 *   switch       one loop around one `switch`: one indirect jump, shared by all operations
 *   goto         computed goto: each operation ends in an indirect jump of its own, through a table of labels
 *   threaded     direct threading: the operation holds its handler's address; no table, no opcode
 *   counting     like switch, and counts operations and memory accesses (not for timing)
 *
 *     guest instruction --translate--> IR --lower.c--> LabOp[]: one per IR operation, no fusion
 *                                                       | ADD_RI | PUT | GOTO |      dispatched one by one
 *
 * An instruction is the unit: it is looked up by its address, runs to its end, then the next one is looked up. That is what
 * Husk's own interpreter saves with blocks of up to 64 instructions, chained exits and fused operations.
 *
 * Limits: meant for machines with one vCPU.
 */
#ifndef LAB_ENGINE_H
#define LAB_ENGINE_H

#include "core/engine.h"

typedef enum LabTechnique { LAB_REDECODE, LAB_SWITCH, LAB_GOTO, LAB_THREADED, LAB_COUNTING, LAB_TECHNIQUES } LabTechnique;

extern const EngineOps lab_engines[LAB_TECHNIQUES];

typedef struct LabCounts {
	u64 insns, ops;       /* guest instructions; operations dispatched for them */
	u64 fetched;          /* cells of code that these instructions consist of */
	u64 reads[16], writes[16]; /* cells, by space number; spaces from 15 on share the last entry */
	u64 jumps;            /* instructions that were not followed by the one behind them */
} LabCounts;

/* Of a counting engine. */
void lab_counts(const Engine *engine, LabCounts *out);

#endif
