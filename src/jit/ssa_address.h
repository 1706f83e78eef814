/* SPDX-License-Identifier: MIT
 *
 * What a CHECK has to say of an address in a hard space: that its *anchor* is below the limit. The address is the anchor and
 * *reach bytes at most, up or down.
 */
#ifndef JIT_SSA_ADDRESS_H
#define JIT_SSA_ADDRESS_H

#include "jit/ssa.h"

enum { SSA_GUARD_ZONE = 1 << 20, SSA_ACCESS_MOST = 16 };
/* SsaFunc.met: such a PHI is checked where it is made, and may be so far from what was; accesses near it may be as far from it. */
enum { SSA_MET = 3, SSA_MET_MOST = 1 << 16 };

SsaRef ssa_anchor(const SsaFunc *func, SsaRef address, u64 *reach);

#endif
