/* SPDX-License-Identifier: MIT
 *
 * Codes made by hand, as selection would make them: for tests of the register allocator.
 */
#ifndef TESTS_SSA_CODES_H
#define TESTS_SSA_CODES_H

#include <string.h>

#include "base/rng.h"
#include "jit/ssa_alloc.h"

enum { SLOTS = 24, PINS = 5, SCRATCH = 15 };

typedef struct Codes {
	Arena arena;
	SsaFunc *func;
	SsaAlloc alloc;
	SsaCode *codes;
	u32 count, cap;
	u8 cls[60000];
	u8 pin_reg[SLOTS];
	u8 slot_width[SLOTS];
	SsaRef home[SLOTS];
} Codes;

static inline void codes_init(Codes *m, unsigned gprs, unsigned xmms, unsigned pins)
{
	memset(m, 0, sizeof(*m));
	arena_init(&m->arena);
	for (unsigned s = 0; s < SLOTS; s++) {
		m->slot_width[s] = 64;
		m->pin_reg[s] = s < pins ? (u8)s : 0xFF;
	}
	m->func = ssa_create(&m->arena, SLOTS, m->slot_width);
	m->alloc = (SsaAlloc){
		.func = m->func, .allowed = {(1u << gprs) - 1, (1u << xmms) - 1}, .scratch = {SCRATCH, SCRATCH},
		.pin_reg = m->pin_reg, .cls = m->cls,
	};
}

static inline void codes_fini(Codes *m)
{
	arena_fini(&m->arena);
}

static inline SsaUse use_of(SsaRef ref, unsigned cls)
{
	return (SsaUse){.ref = ref, .want = SSA_WANT_REG, .cls = (u8)cls, .early = true};
}

static inline SsaUse use_any(SsaRef ref, unsigned cls)
{
	return (SsaUse){.ref = ref, .want = SSA_WANT_ANY, .cls = (u8)cls, .early = true};
}

static inline SsaUse use_in(SsaRef ref, unsigned reg)
{
	return (SsaUse){.ref = ref, .want = SSA_WANT_FIXED, .cls = SSA_GPR, .reg = (u8)reg, .early = true};
}

/* A code at the end of a block. They are put in the order of layout when all are there. */
static inline SsaCode *code_for(Codes *m, u32 block, SsaRef node, const SsaUse *uses, unsigned count)
{
	SsaCode *code;

	if (m->count >= m->cap)
		arena_grow(&m->arena, (void **)&m->codes, &m->cap, m->count, sizeof(SsaCode));
	code = &m->codes[m->count++];
	*code = (SsaCode){.node = node, .block = block, .use_count = (u8)count, .result_reg = 0xFF, .snap = ~(u32)0};
	code->uses = ARENA_ARRAY(&m->arena, SsaUse, count + 1);
	if (count)
		memcpy(code->uses, uses, count * sizeof(SsaUse));
	return code;
}

static inline SsaCode *code_value(Codes *m, u32 block, unsigned cls, const SsaUse *uses, unsigned count)
{
	SsaRef ref = ssa_node(m->func, IR_OP_ADD, 64, 0, 0, 0, 0, 0);
	SsaCode *code;

	ssa_append(m->func, block, ref);
	m->cls[ref] = (u8)cls;
	for (unsigned k = 0; k < 2 && k < count; k++) /* what it is the sum of, for ways out that make it */
		m->func->nodes[ref].operands[k] = uses[k].ref;
	code = code_for(m, block, ref, uses, count);
	code->result = true;
	code->result_cls = (u8)cls;
	return code;
}

static inline SsaRef constant(Codes *m, u64 value, unsigned cls)
{
	SsaRef ref = ssa_const(m->func, 64, value);

	m->cls[ref] = (u8)cls;
	return ref;
}

static inline SsaRef home_of(Codes *m, u32 block, unsigned slot)
{
	if (!m->home[slot]) {
		m->home[slot] = ssa_node(m->func, SSA_HOME, 64, slot, 0, 0, 0, 0);
		ssa_append(m->func, block, m->home[slot]);
	}
	return m->home[slot];
}

/* Codes for the HOMEs of pinned slots at the start of an entry. */
static inline void entry_codes(Codes *m, u32 block)
{
	m->func->blocks[block].entry = true;
	for (unsigned s = 0; s < SLOTS; s++)
		if (m->pin_reg[s] != 0xFF) {
			SsaRef ref = home_of(m, block, s);
			SsaCode *code = code_for(m, block, ref, NULL, 0);

			code->result = true;
			code->result_reg = m->pin_reg[s];
		}
}

static inline SsaCode *code_end(Codes *m, u32 block, unsigned op, const SsaUse *uses, unsigned count)
{
	SsaRef ref = ssa_node(m->func, op, 0, 0, 0, 0, 0, 0);

	ssa_append(m->func, block, ref);
	return code_for(m, block, ref, uses, count);
}

static inline void jump_to(Codes *m, u32 from, u32 to)
{
	ssa_edge(m->func, from, to);
	code_end(m, from, SSA_JUMP, NULL, 0);
}

static inline void branch_to(Codes *m, u32 from, u32 yes, u32 no, const SsaUse *uses, unsigned count)
{
	ssa_edge(m->func, from, yes);
	ssa_edge(m->func, from, no);
	code_end(m, from, SSA_BRANCH, uses, count);
}

static inline SsaRef phi_in(Codes *m, u32 block, unsigned slot, unsigned cls)
{
	SsaRef ref = ssa_phi(m->func, block, 64, slot);

	m->cls[ref] = (u8)cls;
	return ref;
}

static inline void phi_arg(Codes *m, SsaRef phi, u32 pred, SsaRef arg)
{
	const SsaNode *node = &m->func->nodes[phi];
	const SsaBlock *block = &m->func->blocks[node->block];

	for (u32 k = 0; k < block->pred_count; k++)
		if (block->preds[k] == pred)
			m->func->pool[node->a + k] = arg;
}

static inline u32 snap_of(Codes *m, const SsaRef *values, const u16 *slots, u32 count)
{
	SsaFunc *f = m->func;

	if (f->snap_count >= f->snap_cap)
		arena_grow(&m->arena, (void **)&f->snaps, &f->snap_cap, f->snap_count, sizeof(SsaSnap));
	f->snaps[f->snap_count] = (SsaSnap){.first = f->entry_count, .count = count};
	for (u32 i = 0; i < count; i++) {
		if (f->entry_count >= f->entry_cap)
			arena_grow(&m->arena, (void **)&f->entries, &f->entry_cap, f->entry_count, sizeof(SsaSnapEntry));
		f->entries[f->entry_count++] = (SsaSnapEntry){.ref = values[i], .slot = slots[i]};
	}
	return f->snap_count++;
}

/* The allocator wants no COPYs. */
static inline void codes_look_through(Codes *m)
{
	SsaFunc *f = m->func;

	for (u32 c = 0; c < m->count; c++)
		for (unsigned u = 0; u < m->codes[c].use_count; u++)
			m->codes[c].uses[u].ref = ssa_value(f, m->codes[c].uses[u].ref);
	for (u32 i = 0; i < f->entry_count; i++)
		f->entries[i].ref = ssa_value(f, f->entries[i].ref);
	for (u32 b = 0; b < f->block_count; b++)
		for (SsaRef phi = f->blocks[b].first; phi && f->nodes[phi].op == SSA_PHI; phi = f->nodes[phi].next)
			for (u32 k = 0; k < f->blocks[b].pred_count; k++)
				f->pool[f->nodes[phi].a + k] = ssa_value(f, f->pool[f->nodes[phi].a + k]);
}

/* Orders the blocks, puts the codes into layout, allocates. */
static inline void codes_arrange(Codes *m)
{
	SsaFunc *f = m->func;
	SsaCode *sorted = ARENA_ARRAY(&m->arena, SsaCode, m->count + 1);
	u32 *where, at = 0;

	ssa_order(f);
	codes_look_through(m);
	m->alloc.layout = f->rpo;
	m->alloc.layout_count = f->rpo_count;
	m->alloc.block_first = ARENA_ARRAY(&m->arena, u32, f->block_count);
	m->alloc.block_codes = ARENA_ARRAY(&m->arena, u32, f->block_count);
	where = ARENA_ARRAY(&m->arena, u32, f->block_count);
	for (u32 c = 0; c < m->count; c++)
		m->alloc.block_codes[m->codes[c].block]++;
	for (u32 p = 0; p < f->rpo_count; p++) {
		m->alloc.block_first[f->rpo[p]] = where[f->rpo[p]] = at;
		at += m->alloc.block_codes[f->rpo[p]];
	}
	for (u32 c = 0; c < m->count; c++)
		if (!f->blocks[m->codes[c].block].dead)
			sorted[where[m->codes[c].block]++] = m->codes[c];
	m->alloc.codes = sorted;
	m->alloc.code_count = at;
}

static inline void codes_allocate(Codes *m)
{
	codes_arrange(m);
	ssa_allocate(&m->alloc);
}

#endif
