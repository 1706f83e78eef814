/* SPDX-License-Identifier: MIT
 *
 * What memory holds is known where it was loaded or stored: a load of the same cells is that value.
 *
 * Known contents go down the tree of dominators: a block begins with what its dominator ends with, less what the stores on
 * any way between the two may change (a loop's header: those of the whole loop).
 *
 * Homes of slots that stay there are cells, too, of which all is known: where a BRING gives one what it has (a function has
 * restored a register that it never changed), it goes.
 *
 * A load that is gone can't leave: the one before it did not, and what memory allows changes only outside regions. A store tells what
 * a load finds if no device can answer the load (func->stored_spaces).
 */
#include "jit/ssa_cells.h"
#include "jit/ssa_tree.h"

enum { KNOWN_MOST = 32, WALK_MOST = 48, STORES_MOST = 64, HOMES_MOST = 64 };

typedef struct Known {
	SsaCells at;
	SsaRef value;
} Known;

typedef struct Home {
	u32 slot;
	SsaRef value;
} Home;

typedef struct Contents {
	Known *known;
	u32 count;
	Home *homes;
	u32 home_count;
} Contents;

typedef struct Memory {
	SsaFunc *func;
	SsaTree tree;
	Contents *end;      /* per block: at its end */
	SsaRef *stores;     /* all stores and fences, block by block */
	u32 *first_store, *store_count; /* per block */
	u32 loads;
	bool any;           /* two accesses, of which one is a load */
	u32 *stamp, *stack; /* of walks */
	Known now[KNOWN_MOST];
	u32 count;
	u32 words;          /* of a set of slots; 0: none stays at home */
	u64 *brought;       /* per block: the slots it has BRINGs of; NULL: none has */
	Home homes[HOMES_MOST];
	u32 home_count;
} Memory;

/* Behind it nothing is known of memory: a fence, or an atomic access, which stores. */
static bool is_barrier(const SsaNode *node)
{
	return node->op == SSA_FENCE || node->op == SSA_RMW || node->op == SSA_CAS;
}

/* ---- What is known ---- */

static void forget(Memory *m, const SsaCells *stored)
{
	u32 kept = 0;

	for (u32 i = 0; i < m->count; i++)
		if (!ssa_cells_overlap(m->func, &m->now[i].at, stored))
			m->now[kept++] = m->now[i];
	m->count = kept;
}

static void learn(Memory *m, const SsaCells *at, SsaRef value)
{
	if (m->count == KNOWN_MOST) { /* the oldest */
		for (u32 i = 1; i < m->count; i++)
			m->now[i - 1] = m->now[i];
		m->count--;
	}
	m->now[m->count++] = (Known){*at, value};
}

/* The value that a load finds; 0: nobody knows. Hard spaces have bytes, the lowest first: a part of a larger one will do. */
static SsaRef find(Memory *m, const SsaCells *at, SsaRef load)
{
	SsaFunc *func = m->func;

	for (u32 i = m->count; i-- > 0;) {
		const Known *known = &m->now[i];
		u64 up = at->offset - known->at.offset;
		unsigned width = func->nodes[ssa_value(func, known->value)].width;
		SsaRef part;

		if (ssa_cells_same(&known->at, at) && width == at->width)
			return known->value;
		if (!ssa_space_is_hard(func, at->space) || known->at.space != at->space || known->at.root != at->root ||
		    at->address_width != known->at.address_width || up >= 8 || up * 8 + at->width > width)
			continue;
		part = ssa_node(func, IR_OP_EXTRACT, at->width, (unsigned)up * 8, known->value, 0, 0, 0);
		if (!part)
			return 0;
		ssa_insert_before(func, load, part);
		return part;
	}
	return 0;
}

/* ---- Homes ---- */

static Home *home_of(Memory *m, u32 slot)
{
	for (u32 i = 0; i < m->home_count; i++)
		if (m->homes[i].slot == slot)
			return &m->homes[i];
	if (m->home_count == HOMES_MOST)
		return NULL;
	m->homes[m->home_count] = (Home){slot, 0};
	return &m->homes[m->home_count++];
}

static void visit_home(Memory *m, SsaRef ref)
{
	const SsaNode *node = &m->func->nodes[ref];
	Home *home = home_of(m, node->aux);

	if (!home)
		return;
	if (node->op == SSA_FETCH) {
		if (home->value && ssa_is_const(m->func, home->value, NULL))
			ssa_replace(m->func, ref, home->value);
		else if (!home->value)
			home->value = ref;
		return;
	}
	if (home->value == ssa_value(m->func, node->a))
		ssa_remove(m->func, ref);
	else
		home->value = ssa_value(m->func, node->a);
}

static void forget_homes(Memory *m, u32 block)
{
	const u64 *brought = &m->brought[(size_t)block * m->words];
	u32 kept = 0;

	for (u32 i = 0; i < m->home_count; i++)
		if (!(brought[m->homes[i].slot / 64] >> m->homes[i].slot % 64 & 1))
			m->homes[kept++] = m->homes[i];
	m->home_count = kept;
}

/* ---- Between a block and its dominator ---- */

static void forget_stores(Memory *m, u32 block)
{
	const SsaFunc *func = m->func;

	if (m->store_count[block] > STORES_MOST)
		m->count = 0;
	for (u32 i = 0; i < m->store_count[block] && m->count; i++) {
		const SsaNode *store = &func->nodes[m->stores[m->first_store[block] + i]];
		SsaCells cells;

		if (is_barrier(store)) {
			m->count = 0;
			return;
		}
		cells = ssa_cells_of(func, store);
		forget(m, &cells);
	}
}

static void forget_between(Memory *m, u32 block, u32 above)
{
	const SsaFunc *func = m->func;
	u32 count = 0, walked = 0;

	m->stack[count++] = block;
	while (count && (m->count || m->home_count)) {
		const SsaBlock *at = &func->blocks[m->stack[--count]];

		for (u32 p = 0; p < at->pred_count; p++) {
			u32 pred = at->preds[p];

			if (pred == above || m->stamp[pred] == block + 1)
				continue;
			if (++walked > WALK_MOST) {
				m->count = m->home_count = 0;
				return;
			}
			m->stamp[pred] = block + 1;
			forget_stores(m, pred);
			if (m->brought)
				forget_homes(m, pred);
			m->stack[count++] = pred;
		}
	}
}

/* ---- Blocks ---- */

static void visit_node(Memory *m, SsaRef ref)
{
	SsaFunc *func = m->func;
	const SsaNode *node = &func->nodes[ref];
	SsaCells at;
	SsaRef value;

	if (is_barrier(node))
		m->count = 0;
	if (node->op == SSA_FETCH || node->op == SSA_BRING)
		visit_home(m, ref);
	if (node->op != SSA_LOAD && node->op != SSA_STORE)
		return;
	at = ssa_cells_of(func, node);
	if (node->op == SSA_STORE) {
		value = node->b;
		forget(m, &at);
		if (ssa_space_is_hard(func, at.space) || (at.space < 64 && func->stored_spaces >> at.space & 1))
			learn(m, &at, value);
		return;
	}
	value = find(m, &at, ref);
	if (value)
		ssa_replace(func, ref, value);
	else
		learn(m, &at, ref);
}

static void visit(Memory *m, u32 block)
{
	SsaFunc *func = m->func;
	const SsaBlock *here = &func->blocks[block];
	const SsaRef *touches = func->touches + func->first_touch[block];
	u32 above = here->idom;

	m->count = m->home_count = 0;
	if (above != block && above != SSA_NO_BLOCK) {
		m->count = m->end[above].count;
		for (u32 i = 0; i < m->count; i++)
			m->now[i] = m->end[above].known[i];
		m->home_count = m->end[above].home_count;
		for (u32 i = 0; i < m->home_count; i++)
			m->homes[i] = m->end[above].homes[i];
		if ((m->count || m->home_count) && !(here->pred_count == 1 && here->preds[0] == above))
			forget_between(m, block, above);
	}
	for (u32 k = 0; k < func->touch_count[block] && !func->failed; k++)
		if (func->nodes[touches[k]].block == block)
			visit_node(m, touches[k]);
	if (!m->count && !m->home_count)
		return;
	m->end[block].known = ARENA_ROOM(func->arena, Known, m->count + 1);
	m->end[block].homes = ARENA_ROOM(func->arena, Home, m->home_count + 1);
	if (!m->end[block].known || !m->end[block].homes) {
		func->failed = true;
		return;
	}
	m->end[block].home_count = m->home_count;
	for (u32 i = 0; i < m->home_count; i++)
		m->end[block].homes[i] = m->homes[i];
	m->end[block].count = m->count;
	for (u32 i = 0; i < m->count; i++)
		m->end[block].known[i] = m->now[i];
}

static bool make_brought(Memory *m)
{
	SsaFunc *func = m->func;

	if (!ssa_has_made(func, SSA_BRING))
		return true;
	m->words = (func->slot_count + 63) / 64;
	m->brought = ARENA_ARRAY(func->arena, u64, (size_t)m->words * func->block_count);
	return m->brought != NULL;
}

/* What stores, block by block; and what is brought home. */
static void collect(Memory *m)
{
	SsaFunc *func = m->func;
	u32 stores = 0;

	for (u32 i = 0; i < func->rpo_count; i++) {
		u32 block = func->rpo[i];
		const SsaRef *touches = func->touches + func->first_touch[block];

		m->first_store[block] = stores;
		for (u32 k = 0; k < func->touch_count[block]; k++) {
			const SsaNode *node = &func->nodes[touches[k]];

			if (node->block != block)
				continue;
			if (node->op == SSA_BRING)
				m->brought[block * m->words + node->aux / 64] |= (u64)1 << node->aux % 64;
			else if (node->op == SSA_STORE || is_barrier(node))
				m->stores[stores++] = touches[k];
			m->loads += node->op == SSA_LOAD;
		}
		m->store_count[block] = stores - m->first_store[block];
	}
	m->any = m->loads && m->loads + stores >= 2;
}

static bool prepare(Memory *m)
{
	SsaFunc *func = m->func;
	u32 blocks = func->block_count;

	if (!ssa_has_made(func, SSA_LOAD) || !ssa_list_touches(func))
		return false;
	m->stores = ARENA_ROOM(func->arena, SsaRef, func->listed_touches + 1);
	m->first_store = ARENA_ARRAY(func->arena, u32, blocks);
	m->store_count = ARENA_ARRAY(func->arena, u32, blocks);
	if (m->stores && m->first_store && m->store_count && make_brought(m)) {
		collect(m);
		if (!m->any)
			return false;
		m->end = ARENA_ARRAY(func->arena, Contents, blocks);
		m->stamp = ARENA_ARRAY(func->arena, u32, blocks);
		m->stack = ARENA_ROOM(func->arena, u32, blocks + 1);
		if (m->end && m->stamp && m->stack && ssa_tree(func, &m->tree))
			return true;
	}
	func->failed = true;
	return false;
}

void ssa_memory(SsaFunc *func)
{
	Memory m = {.func = func};

	if (func->failed || !prepare(&m))
		return;
	for (u32 i = 0; i < m.tree.count && !func->failed; i++)
		visit(&m, m.tree.order[i]);
}
