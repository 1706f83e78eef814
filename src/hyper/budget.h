/* SPDX-License-Identifier: MIT
 *
 * What instances may use, as a tree: every amount is taken from a node and all that stand above it, or not at all, so the sum of
 * what a subtree uses never goes beyond the limit of its root, whoever is created, forked or started anew in it.
 *
 *     root      fuel 10 G      memory 1 GiB                 used: 3 G, 400 MiB
 *      +- tenant  fuel 5 G       memory -                     used: 3 G, 400 MiB
 *          +- guest   fuel -       memory 256 MiB               used: 3 G, 256 MiB
 *          +- guest   fuel 1 M     memory 256 MiB               used: 1 M, 144 MiB
 *
 * Two kinds of amounts. What is *spent* (fuel, output, messages, disk, time) never comes back; what is *held* (memory, instances, files)
 * is given back when it is not needed any more. Both are the same here: budget_give is for what was taken too much as well.
 *
 * Time is taken by a clock: that of a node runs while somebody in it lives. So it is the wall time of the whole subtree, and two
 * who live side by side do not use it up twice as fast.
 *
 * A node also says what those in it may do (machine/rights.h): what it and all above it allow.
 *
 * Limits may be changed at any time, also to less than is used: then nothing more is to be had.
 * All functions may be called from any thread; a tree has one lock, innermost of all.
 */
#ifndef HYPER_BUDGET_H
#define HYPER_BUDGET_H

#include "base/buf.h"
#include "base/types.h"

typedef enum BudgetKind {
#define X(NAME, name, unit) BUDGET_##NAME,
#include "hyper/budget.def"
#undef X
	BUDGET_KINDS
} BudgetKind;

#define BUDGET_UNLIMITED (~(u64)0)

typedef struct Budget Budget;

/* Counted references, one at first; a node keeps its parent. limits: per kind, or NULL for none. NULL when memory is out. */
Budget *budget_create(Budget *parent, const char *name, const u64 *limits);
void budget_ref(Budget *budget);
void budget_unref(Budget *budget);
const char *budget_name(const Budget *budget);

/* As much as there is, up to `most`, from the node and all above. 0: nothing is left, and *breach (may be NULL) is the node
 * whose limit it is, borrowed. `most` > 0. */
u64 budget_take(Budget *budget, BudgetKind kind, u64 most, const Budget **breach);
/* All of it or nothing. */
bool budget_take_all(Budget *budget, BudgetKind kind, u64 amount, const Budget **breach);
void budget_give(Budget *budget, BudgetKind kind, u64 amount);

/* What will be spent is not known yet: as budget_take, and then budget_settle says how much of it was not. *soon (when nothing is
 * left): somebody who borrowed from the node may still give something back. */
u64 budget_borrow(Budget *budget, BudgetKind kind, u64 most, const Budget **breach, bool *soon);
void budget_settle(Budget *budget, BudgetKind kind, u64 unspent);

/* Somebody in the node begins, or ceases, to live; `now` in ns never goes back. */
void budget_clock_start(Budget *budget, u64 now);
void budget_clock_stop(Budget *budget, u64 now);
/* When the first limit of time is reached, if the node's clock goes on; BUDGET_UNLIMITED: never. *breach (may be NULL): whose. */
u64 budget_time_over(const Budget *budget, u64 now, const Budget **breach);
u64 budget_time_used(const Budget *budget, u64 now);

/* What those in the node may do. A new node forbids nothing. */
u32 budget_rights(const Budget *budget);
void budget_set_rights(Budget *budget, u32 set, u32 clear);
/* Is it `above`, or does it stand below it? */
bool budget_is_in(const Budget *budget, const Budget *above);

/* TIME: until its clock was stopped last. */
u64 budget_used(const Budget *budget, BudgetKind kind);
u64 budget_limit(const Budget *budget, BudgetKind kind);
/* What could be taken now. */
u64 budget_left(const Budget *budget, BudgetKind kind);
void budget_set_limit(Budget *budget, BudgetKind kind, u64 limit);

const char *budget_kind_name(BudgetKind kind); /* "fuel" */
/* "the fuel limit of 1000 instructions (tenant)": the limit that was reached. */
void budget_describe(const Budget *breach, BudgetKind kind, Buf *out);

#endif
