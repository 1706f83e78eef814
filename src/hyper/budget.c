/* SPDX-License-Identifier: MIT */
#include "hyper/budget.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

/* One lock for a tree: whoever takes walks up to the root anyway. */
typedef struct Tree {
	pthread_mutex_t lock;
	u32 nodes; /* guarded by lock */
} Tree;

struct Budget {
	Tree *tree;
	Budget *parent;           /* a reference; NULL: the root */
	u32 refs;                 /* guarded by tree->lock, as is what follows */
	u64 limits[BUDGET_KINDS], used[BUDGET_KINDS];
	u32 borrowers[BUDGET_KINDS];
	u32 alive;                /* clocks of those below, and its own */
	u64 since;                /* alive: its clock was started then */
	u32 rights;
	char name[];
};

static const char *const kind_names[] = {
#define X(NAME, name, unit) name,
#include "hyper/budget.def"
#undef X
};

static const char *const kind_units[] = {
#define X(NAME, name, unit) unit,
#include "hyper/budget.def"
#undef X
};

static void lock(const Budget *budget)
{
	pthread_mutex_lock(&budget->tree->lock);
}

static void unlock(const Budget *budget)
{
	pthread_mutex_unlock(&budget->tree->lock);
}

static Tree *create_tree(void)
{
	Tree *tree = calloc(1, sizeof *tree);

	if (tree && pthread_mutex_init(&tree->lock, NULL)) {
		free(tree);
		return NULL;
	}
	return tree;
}

Budget *budget_create(Budget *parent, const char *name, const u64 *limits)
{
	size_t len = strlen(name) + 1;
	Budget *budget = calloc(1, sizeof *budget + len);
	Tree *tree = parent ? parent->tree : create_tree();

	if (!budget || !tree) {
		if (!parent && tree) {
			pthread_mutex_destroy(&tree->lock);
			free(tree);
		}
		free(budget);
		return NULL;
	}
	*budget = (Budget){.tree = tree, .parent = parent, .refs = 1, .rights = ~0u};
	memcpy(budget->name, name, len);
	for (u32 i = 0; i < BUDGET_KINDS; i++)
		budget->limits[i] = limits ? limits[i] : BUDGET_UNLIMITED;
	lock(budget);
	tree->nodes++;
	if (parent)
		parent->refs++;
	unlock(budget);
	return budget;
}

void budget_ref(Budget *budget)
{
	lock(budget);
	budget->refs++;
	unlock(budget);
}

void budget_unref(Budget *budget)
{
	while (budget) {
		Budget *parent = budget->parent;
		Tree *tree = budget->tree;
		bool gone, last;

		lock(budget);
		gone = --budget->refs == 0;
		last = gone && --tree->nodes == 0;
		unlock(budget);
		if (!gone)
			return;
		free(budget);
		if (last) {
			pthread_mutex_destroy(&tree->lock);
			free(tree);
		}
		budget = parent;
	}
}

const char *budget_name(const Budget *budget)
{
	return budget->name;
}

static u64 left_of(const Budget *budget, BudgetKind kind)
{
	u64 limit = budget->limits[kind], used = budget->used[kind];

	if (limit == BUDGET_UNLIMITED)
		return ~(u64)0 - used;
	return used < limit ? limit - used : 0;
}

/* *who: the node that has least. */
static u64 left_of_all(const Budget *budget, BudgetKind kind, const Budget **who)
{
	u64 least = left_of(budget, kind);

	*who = budget;
	for (budget = budget->parent; budget; budget = budget->parent) {
		u64 left = left_of(budget, kind);

		if (left < least) {
			least = left;
			*who = budget;
		}
	}
	return least;
}

static u64 take(Budget *budget, BudgetKind kind, u64 least, u64 most, const Budget **breach)
{
	const Budget *who;
	u64 amount;

	lock(budget);
	amount = left_of_all(budget, kind, &who);
	amount = amount < least ? 0 : amount < most ? amount : most;
	for (Budget *node = budget; node; node = node->parent)
		node->used[kind] += amount;
	unlock(budget);
	if (!amount && breach)
		*breach = who;
	return amount;
}

u64 budget_take(Budget *budget, BudgetKind kind, u64 most, const Budget **breach)
{
	return take(budget, kind, 1, most, breach);
}

bool budget_take_all(Budget *budget, BudgetKind kind, u64 amount, const Budget **breach)
{
	return !amount || take(budget, kind, amount, amount, breach) == amount;
}

void budget_give(Budget *budget, BudgetKind kind, u64 amount)
{
	lock(budget);
	for (Budget *node = budget; node; node = node->parent)
		node->used[kind] -= amount < node->used[kind] ? amount : node->used[kind];
	unlock(budget);
}

u64 budget_borrow(Budget *budget, BudgetKind kind, u64 most, const Budget **breach, bool *soon)
{
	const Budget *who;
	u64 amount;

	lock(budget);
	amount = left_of_all(budget, kind, &who);
	amount = amount < most ? amount : most;
	*soon = !amount && who->borrowers[kind];
	for (Budget *node = budget; amount && node; node = node->parent) {
		node->used[kind] += amount;
		node->borrowers[kind]++;
	}
	unlock(budget);
	if (!amount)
		*breach = who;
	return amount;
}

void budget_settle(Budget *budget, BudgetKind kind, u64 unspent)
{
	lock(budget);
	for (Budget *node = budget; node; node = node->parent) {
		node->used[kind] -= unspent;
		node->borrowers[kind]--;
	}
	unlock(budget);
}

/* ---- Time ---- */

void budget_clock_start(Budget *budget, u64 now)
{
	lock(budget);
	for (Budget *node = budget; node; node = node->parent)
		if (!node->alive++)
			node->since = now;
	unlock(budget);
}

void budget_clock_stop(Budget *budget, u64 now)
{
	lock(budget);
	for (Budget *node = budget; node; node = node->parent)
		if (!--node->alive && now > node->since)
			node->used[BUDGET_TIME] += now - node->since;
	unlock(budget);
}

static u64 time_of(const Budget *budget, u64 now)
{
	return budget->used[BUDGET_TIME] + (budget->alive && now > budget->since ? now - budget->since : 0);
}

u64 budget_time_over(const Budget *budget, u64 now, const Budget **breach)
{
	u64 first = BUDGET_UNLIMITED;

	lock(budget);
	for (const Budget *node = budget; node; node = node->parent) {
		u64 limit = node->limits[BUDGET_TIME], used = time_of(node, now), hour;

		if (limit == BUDGET_UNLIMITED)
			continue;
		hour = used >= limit ? now : limit - used < BUDGET_UNLIMITED - now ? now + (limit - used) : BUDGET_UNLIMITED;
		if (hour < first) {
			first = hour;
			if (breach)
				*breach = node;
		}
	}
	unlock(budget);
	return first;
}

u64 budget_time_used(const Budget *budget, u64 now)
{
	u64 used;

	lock(budget);
	used = time_of(budget, now);
	unlock(budget);
	return used;
}

/* ---- Rights ---- */

u32 budget_rights(const Budget *budget)
{
	u32 rights = ~0u;

	lock(budget);
	for (const Budget *node = budget; node; node = node->parent)
		rights &= node->rights;
	unlock(budget);
	return rights;
}

void budget_set_rights(Budget *budget, u32 set, u32 clear)
{
	lock(budget);
	budget->rights = (budget->rights | set) & ~clear;
	unlock(budget);
}

bool budget_is_in(const Budget *budget, const Budget *above)
{
	while (budget && budget != above)
		budget = budget->parent;
	return budget != NULL;
}

/* ---- Looking ---- */

u64 budget_used(const Budget *budget, BudgetKind kind)
{
	u64 used;

	lock(budget);
	used = budget->used[kind];
	unlock(budget);
	return used;
}

u64 budget_limit(const Budget *budget, BudgetKind kind)
{
	u64 limit;

	lock(budget);
	limit = budget->limits[kind];
	unlock(budget);
	return limit;
}

u64 budget_left(const Budget *budget, BudgetKind kind)
{
	const Budget *who;
	u64 left;

	lock(budget);
	left = left_of_all(budget, kind, &who);
	unlock(budget);
	return left;
}

void budget_set_limit(Budget *budget, BudgetKind kind, u64 limit)
{
	lock(budget);
	budget->limits[kind] = limit;
	unlock(budget);
}

const char *budget_kind_name(BudgetKind kind)
{
	return kind_names[kind];
}

void budget_describe(const Budget *breach, BudgetKind kind, Buf *out)
{
	u64 limit = budget_limit(breach, kind);

	if (kind == BUDGET_TIME)
		buf_printf(out, "the time limit of %g s (%s)", (double)limit / 1e9, breach->name);
	else
		buf_printf(out, "the %s limit of %llu %s (%s)", kind_names[kind], (unsigned long long)limit, kind_units[kind],
			   breach->name);
}
