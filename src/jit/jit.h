/* SPDX-License-Identifier: MIT
 *
 * The compiler to host code, as an engine. Each block of guest instructions is compiled when it is first met, in one
 * pass over its IR, and chained to the next; what the compiler does not know, and every access that is not plain, one
 * instruction of the engine `cold` (the interpreter) does instead, so both mean the same by construction (docs/jit.md).
 */
#ifndef JIT_JIT_H
#define JIT_JIT_H

#include "core/engine.h"

/* create gives NULL where jit_is_possible says no. */
extern const EngineOps jit_engine;
/* Is there a target for this computer? */
bool jit_is_possible(void);

#endif
