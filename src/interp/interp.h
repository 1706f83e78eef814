/* SPDX-License-Identifier: MIT
 *
 * The interpreter: the engine every host has, and the one the others are compared with (core/engine.h is its
 * contract). Guest code becomes IR, IR becomes blocks of micro-operations, and those run direct-threaded.
 */
#ifndef INTERP_INTERP_H
#define INTERP_INTERP_H

#include "core/engine.h"

extern const EngineOps interp_engine;

#endif
