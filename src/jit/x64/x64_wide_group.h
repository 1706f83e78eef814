/* SPDX-License-Identifier: MIT
 *
 * Several times of a WIDE in a row (x64_ssa_wide.c), and what they need not do that single ones do.
 *
 *   - Where all it stores to by the first pointer is on one page, the first store says for all of them that the host lets it: a
 *     TOUCH costs 4 cycles, to ask for the page 1.
 *   - Searches that store nothing ask once whether any of their tests says no; then, which one. They would load what lies behind the
 *     end that they look for: so where nobody counted it, they are on one page, too.
 *   - A REACH is the last time's. What is kept of a time for who comes behind is, too, where all is on one page for each pointer:
 *     none between can end.
 *   - A copy downwards stores its times upwards, when all are loaded: stores that are not aligned and go down take twice as long (16 KiB:
 *     345 ns, in fours upwards 238; Zen 3). All is on one page for each pointer there, too: the first store says whether it may.
 */
#ifndef JIT_X64_WIDE_GROUP_H
#define JIT_X64_WIDE_GROUP_H

#include "jit/ssa_wide.h"
#include "jit/x64/x64_ssa.h"

enum { X64_WIDE_GROUP = 4, X64_WIDE_PAGE = 4096, X64_WIDE_BYTES = 8 * SSA_WIDE_LANES };

typedef struct X64WideGroup {
	u32 times;
	bool joins;         /* its tests are looked at together */
	bool sure;          /* stores by first_store ask nothing */
	bool keeps_last;    /* the last time alone loads what is kept */
	bool batch;         /* loads come first, stores go the other way */
	u8 first_store;     /* pointer */
	u32 paged;          /* pointers whose accesses are to be on one page */
} X64WideGroup;

X64WideGroup x64_wide_group(const SsaWide *wide);
/* What a group accesses by that pointer and those near it, relative to it; low is not below high if there is nothing. */
void x64_wide_span(const SsaWide *wide, const X64WideGroup *group, u32 pointer, i32 *low, i32 *high);
/* Is it a REACH that the last time does for all? That one comes before anything of the group is stored. */
bool x64_wide_reaches_once(const SsaWide *wide, const X64WideGroup *group, const SsaWideOp *op);
/* Vector registers that it takes with its groups. */
u32 x64_wide_regs(const SsaWide *wide);
/* The register for what is loaded in the time `ahead` of a batch. */
u8 x64_wide_batch_reg(const SsaWide *wide, const SsaWideOp *op, u32 ahead);
/* Does nobody read what round[at] loads, or is it kept only? */
bool x64_wide_unread(const SsaWide *wide, u32 at);
/* Need round[at] not be done in the time `ahead` of the group? */
bool x64_wide_spares(const SsaWide *wide, const X64WideGroup *group, u32 at, u32 ahead);

#endif
