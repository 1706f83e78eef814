/* SPDX-License-Identifier: MIT
 *
 * What the allocator knows before it starts: which values there are, and where they are wanted next.
 *
 * A list per block has, for each value that lives at its start and across blocks, the distance in codes from there to the
 * next use in a register, or that only snapshots want it. The lists are solved backward over the graph; distances
 * are minima over paths. Within a block ra_annotate turns the lists of the successors into exact
 * numbers per use, just before the block is walked. Values that live in one block only are in no list.
 *
 * Constants and HOMEs that need no definition live upward until the entries: so in a loop that uses them they are live all
 * around, and the start of the loop may decide to keep them in registers.
 */
#include "jit/ssa_alloc_private.h"

#include <string.h>

/* ---- Which values are wanted, and by whom ---- */

static void want(Ra *ra, SsaRef ref, unsigned by)
{
	ra->wanted[ref] |= by;
}

/* COPYs are looked through once and for all. */
static void find_wanted(Ra *ra)
{
	SsaFunc *func = ra->func;
	u32 places = 0;
	bool changed = true;

	for (u32 c = 0; c < ra->alloc->code_count; c++) {
		SsaCode *code = &ra->alloc->codes[c];

		code->move_first = code->move_count = 0;
		code->snap_place = places;
		for (unsigned u = 0; u < code->use_count; u++) {
			code->uses[u].ref = ssa_value(func, code->uses[u].ref);
			want(ra, code->uses[u].ref, RA_BY_CODE);
		}
		if (code->snap != ~(u32)0) {
			const SsaSnap *snap = &func->snaps[code->snap];

			for (u32 i = 0; i < snap->count; i++) {
				SsaSnapEntry *entry = &func->entries[snap->first + i];

				entry->ref = ssa_value(func, entry->ref);
				want(ra, entry->ref, RA_BY_SNAP);
			}
			places += snap->count;
		}
	}
	ra->alloc->snap_place_count = places;
	ra->alloc->snap_places = ARENA_ARRAY(ra->arena, SsaPlace, places + 1);
	if (!ra->alloc->snap_places)
		ra->failed = true;
	while (changed) {
		changed = false;
		for (u32 p = func->rpo_count; p-- > 0;) {
			const SsaBlock *block = ra_block_at(ra, p);

			for (SsaRef phi = block->first; phi && func->nodes[phi].op == SSA_PHI; phi = func->nodes[phi].next) {
				unsigned by = ra->wanted[phi];

				if (!by)
					continue;
				for (u32 k = 0; k < block->pred_count; k++) {
					SsaRef arg = ssa_value(func, func->pool[func->nodes[phi].a + k]);

					if ((ra->wanted[arg] & by) != by) {
						ra->wanted[arg] |= by;
						if (func->nodes[arg].op == SSA_PHI)
							changed = true;
					}
				}
			}
		}
	}
}

/* ---- Which live across blocks ---- */

typedef struct Scan {
	Ra *ra;
	u32 *defined, *seen; /* per node: position + 1 */
	u32 *gen;            /* per node */
	u32 *global;         /* refs, in the order of ids */
	u32 global_count, global_cap;
	u32 position;
} Scan;

static void occurs(Scan *scan, SsaRef ref, u32 distance)
{
	Ra *ra = scan->ra;
	const SsaNode *node = &ra->func->nodes[ref];

	if (distance > ROW_LOOP - 1 && distance != ROW_IDLE)
		distance = ROW_LOOP - 1;
	if (node->op == SSA_CONST && (distance == ROW_IDLE || !ra_block_at(ra, scan->position)->depth))
		return;
	if (scan->defined[ref] == scan->position + 1)
		return;
	if (scan->seen[ref] == scan->position + 1) {
		if (ra->gens[scan->gen[ref]].distance > distance)
			ra->gens[scan->gen[ref]].distance = distance;
		return;
	}
	scan->seen[ref] = scan->position + 1;
	if (ra->gen_count >= ra->gen_cap &&
	    !arena_grow(ra->arena, (void **)&ra->gens, &ra->gen_cap, ra->gen_count, sizeof(RaNear))) {
		ra->failed = true;
		return;
	}
	scan->gen[ref] = ra->gen_count;
	ra->gens[ra->gen_count++] = (RaNear){.id = ref, .distance = distance};
	if (ra->id[ref])
		return;
	if (scan->global_count >= scan->global_cap &&
	    !arena_grow(ra->arena, (void **)&scan->global, &scan->global_cap, scan->global_count, sizeof(u32))) {
		ra->failed = true;
		return;
	}
	scan->global[scan->global_count++] = ref;
	ra->id[ref] = scan->global_count;
}

static void defines(Scan *scan, SsaRef ref, u32 code)
{
	Ra *ra = scan->ra;

	scan->defined[ref] = scan->position + 1;
	if (ra->def_count >= ra->def_cap &&
	    !arena_grow(ra->arena, (void **)&ra->defs, &ra->def_cap, ra->def_count, sizeof(RaDef))) {
		ra->failed = true;
		return;
	}
	ra->defs[ra->def_count++] = (RaDef){.ref = ref, .position = scan->position, .code = code};
}

static void scan_block(Scan *scan)
{
	Ra *ra = scan->ra;
	SsaFunc *func = ra->func;
	u32 b = func->rpo[scan->position], first = ra->alloc->block_first[b], count = ra->alloc->block_codes[b];
	const SsaBlock *block = &func->blocks[b];
	RaBlock *out = &ra->blocks[scan->position];
	u32 uses = 0, entries = 0;

	out->gen_first = ra->gen_count;
	for (SsaRef phi = block->first; phi && func->nodes[phi].op == SSA_PHI; phi = func->nodes[phi].next)
		if (ra->wanted[phi])
			defines(scan, phi, RA_NO_CODE);
	for (u32 i = 0; i < count && !ra->failed; i++) {
		const SsaCode *code = &ra->alloc->codes[first + i];

		for (unsigned u = 0; u < code->use_count; u++) {
			const SsaUse *use = &code->uses[u];

			if (use->want != SSA_WANT_ANY || func->nodes[use->ref].op != SSA_CONST)
				occurs(scan, use->ref, i);
		}
		if (code->snap != ~(u32)0) {
			const SsaSnap *snap = &func->snaps[code->snap];

			for (u32 k = 0; k < snap->count; k++)
				occurs(scan, func->entries[snap->first + k].ref, ROW_IDLE);
			entries += snap->count;
		}
		uses += code->use_count;
		if (code->result)
			defines(scan, code->node, first + i);
	}
	for (u32 s = 0; s < block->succ_count && !ra->failed; s++) {
		const SsaBlock *succ = &func->blocks[block->succ[s]];

		for (SsaRef phi = succ->first; phi && func->nodes[phi].op == SSA_PHI; phi = func->nodes[phi].next) {
			if (!ra->wanted[phi])
				continue;
			for (u32 k = 0; k < succ->pred_count; k++) {
				SsaRef arg;

				if (succ->preds[k] != b)
					continue;
				arg = ssa_value(func, func->pool[func->nodes[phi].a + k]);
				if (func->nodes[arg].op != SSA_CONST)
					occurs(scan, arg, ra->wanted[phi] & RA_BY_CODE ? count : ROW_IDLE);
			}
		}
	}
	out->gen_count = ra->gen_count - out->gen_first;
	ra->after_cap = uses > ra->after_cap ? uses : ra->after_cap;
	ra->leaving_cap = entries > ra->leaving_cap ? entries : ra->leaving_cap;
	ra->codes_cap = count > ra->codes_cap ? count : ra->codes_cap;
}

/* ---- Ids ---- */

static void describe(Ra *ra, u32 id, SsaRef ref)
{
	const SsaNode *node = &ra->func->nodes[ref];
	RaValue *value = &ra->values[id];

	*value = (RaValue){
		.ref = ref, .code = RA_NO_CODE, .block = node->block, .cls = ra->alloc->cls[ref], .hint = RA_NO_REG,
		.width = node->width > 32 ? 64 : 32,
	};
	if (node->op == SSA_CONST) {
		value->kind = RA_CONST;
	} else if (node->op == SSA_HOME && ra->alloc->pin_reg[node->aux] == RA_NO_REG) {
		value->kind = RA_HOME;
	} else if (node->op == SSA_PHI) {
		value->kind = RA_PHI;
		if (node->aux != SSA_NO_SLOT && ra->alloc->pin_reg[node->aux] != RA_NO_REG && value->cls == SSA_GPR)
			value->hint = ra->alloc->pin_reg[node->aux];
	}
	ra->id[ref] = id;
}

static void number(Ra *ra, const Scan *scan)
{
	SsaFunc *func = ra->func;
	u32 count = 0, kills = 0, id;

	for (SsaRef ref = 1; ref < func->node_count; ref++)
		count += ra->wanted[ref] || scan->defined[ref];
	ra->global_count = scan->global_count;
	ra->values = ARENA_ARRAY(ra->arena, RaValue, count + 1);
	ra->next = ARENA_ARRAY(ra->arena, u32, count + 1);
	ra->regs = ARENA_ARRAY(ra->arena, u32, count + 1);
	ra->kills = ARENA_ARRAY(ra->arena, u32, ra->def_count + 1);
	ra->near = ARENA_ARRAY(ra->arena, u16, count + 1);
	ra->behind = ARENA_ARRAY(ra->arena, u32, count + 1);
	if (!ra->values || !ra->next || !ra->regs || !ra->kills || !ra->near || !ra->behind) {
		ra->failed = true;
		return;
	}
	ra->values[0].hint = RA_NO_REG;
	id = 1;
	for (u32 g = 0; g < scan->global_count; g++)
		describe(ra, id++, scan->global[g]);
	for (SsaRef ref = 1; ref < func->node_count; ref++)
		if ((ra->wanted[ref] || scan->defined[ref]) && !ra->id[ref])
			describe(ra, id++, ref);
	ra->value_count = id;
	memset(ra->next, 0xFF, id * sizeof(u32));
	memset(ra->near, 0xFF, id * sizeof(u16));
	for (u32 g = 0; g < ra->gen_count; g++)
		ra->gens[g].id = ra->id[ra->gens[g].id];
	for (u32 d = 0, p = 0; p < func->rpo_count; p++) {
		ra->blocks[p].kill_first = kills;
		for (; d < ra->def_count && ra->defs[d].position == p; d++)
			if (ra->id[ra->defs[d].ref] <= ra->global_count)
				ra->kills[kills++] = ra->id[ra->defs[d].ref];
		ra->blocks[p].kill_count = kills - ra->blocks[p].kill_first;
	}
	for (u32 d = 0; d < ra->def_count; d++) {
		const RaDef *def = &ra->defs[d];
		RaValue *value = &ra->values[ra->id[def->ref]];

		if (def->code == RA_NO_CODE)
			continue;
		if (value->code != RA_NO_CODE)
			value->many = true;
		value->code = def->code;
		value->block = func->rpo[def->position];
		if (ra->alloc->codes[def->code].result_reg != RA_NO_REG)
			value->hint = (u8)(16 * ra->alloc->codes[def->code].result_cls + ra->alloc->codes[def->code].result_reg);
	}
}

/* ---- Distances over edges ---- */

static inline u32 later(u32 distance, u32 by)
{
	if (distance >= ROW_IDLE)
		return distance;
	return distance + by > ROW_MOST ? ROW_MOST : distance + by;
}

static u32 edge_length(const SsaBlock *from, const SsaBlock *to)
{
	u32 length = 0;

	if (to->depth < from->depth)
		length = (from->depth - to->depth) * ROW_LOOP;
	if (to->cold && !from->cold)
		length += ROW_COLD;
	return length > ROW_MOST ? ROW_MOST : length;
}

/* near[] of what lives at the end of a block, whose ids go to `behind`; the distance from there on. */
static void look_behind(Ra *ra, u32 position)
{
	const SsaBlock *block = ra_block_at(ra, position);

	ra->behind_count = 0;
	for (u32 s = 0; s < block->succ_count; s++) {
		const SsaBlock *succ = &ra->func->blocks[block->succ[s]];
		const RaBlock *there = &ra->blocks[succ->order];
		u32 length = edge_length(block, succ);

		for (u32 k = 0; k < there->live_count; k++) {
			u32 id = there->live[k].id, distance = later(there->live[k].distance, length);

			if (ra->near[id] == ROW_DEAD)
				ra->behind[ra->behind_count++] = id;
			if (distance < ra->near[id])
				ra->near[id] = (u16)distance;
		}
	}
}

/* Makes the list of block p anew from near[], which is cleared. True when it is not as it was. */
static bool renew(Ra *ra, u32 position, u32 *total)
{
	RaBlock *block = &ra->blocks[position];
	u32 codes = ra->alloc->block_codes[ra->func->rpo[position]], count = 0;
	bool changed = false;

	for (u32 k = 0; k < ra->behind_count; k++)
		ra->near[ra->behind[k]] = (u16)later(ra->near[ra->behind[k]], codes);
	for (u32 k = 0; k < block->kill_count; k++)
		ra->near[ra->kills[block->kill_first + k]] = ROW_DEAD;
	for (u32 k = 0; k < block->gen_count; k++) {
		const RaNear *gen = &ra->gens[block->gen_first + k];

		/* What was killed is never used from before; so who is dead here is not in the list. */
		if (ra->near[gen->id] == ROW_DEAD)
			ra->behind[ra->behind_count++] = gen->id;
		if (gen->distance < ra->near[gen->id])
			ra->near[gen->id] = (u16)gen->distance;
	}
	for (u32 k = 0; k < ra->behind_count; k++)
		count += ra->near[ra->behind[k]] != ROW_DEAD;
	if (count != block->live_count) {
		changed = true;
	} else {
		for (u32 k = 0; k < block->live_count && !changed; k++)
			changed = ra->near[block->live[k].id] != block->live[k].distance;
	}
	if (count > block->live_cap) {
		block->live_cap = count + count / 4 + 4;
		block->live = ARENA_ARRAY(ra->arena, RaNear, block->live_cap);
		*total += block->live_cap;
		if (!block->live || *total > 4u << 20) {
			ra->failed = true;
			return false;
		}
	}
	count = 0;
	for (u32 k = 0; k < ra->behind_count; k++) {
		u32 id = ra->behind[k];

		if (changed && ra->near[id] != ROW_DEAD)
			block->live[count++] = (RaNear){.id = id, .distance = ra->near[id]};
		ra->near[id] = ROW_DEAD;
	}
	if (changed)
		block->live_count = count;
	return changed;
}

static void solve(Ra *ra)
{
	u32 count = ra->func->rpo_count, budget = 40 * count + 1000, total = 0;
	u8 *dirty = ARENA_ARRAY(ra->arena, u8, count + 1);
	bool again = true;

	if (!dirty) {
		ra->failed = true;
		return;
	}
	memset(dirty, 1, count);
	while (again && !ra->failed) {
		again = false;
		for (u32 p = count; p-- > 0 && !ra->failed;) {
			const SsaBlock *block = ra_block_at(ra, p);

			if (!dirty[p])
				continue;
			if (!budget--) { /* a graph beyond reason */
				ra->failed = true;
				return;
			}
			dirty[p] = 0;
			look_behind(ra, p);
			if (!renew(ra, p, &total))
				continue;
			for (u32 k = 0; k < block->pred_count; k++) {
				u32 pred = ra->func->blocks[block->preds[k]].order;

				dirty[pred] = 1;
				again |= pred >= p;
			}
		}
	}
}

/* ---- Hints: from fixed operands and results backward, over ties and into the arguments of PHIs ---- */

static void hint(Ra *ra, u32 id, unsigned reg)
{
	ra->values[id].hint = (u8)reg;
}

static void find_hints(Ra *ra)
{
	SsaFunc *func = ra->func;

	for (u32 p = func->rpo_count; p-- > 0;) {
		u32 b = func->rpo[p];
		const SsaBlock *block = &func->blocks[b];

		for (u32 s = 0; s < block->succ_count; s++) {
			const SsaBlock *succ = &func->blocks[block->succ[s]];

			for (SsaRef phi = succ->first; phi && func->nodes[phi].op == SSA_PHI; phi = func->nodes[phi].next) {
				u8 reg = ra->wanted[phi] ? ra->values[ra->id[phi]].hint : RA_NO_REG;

				for (u32 k = 0; k < succ->pred_count && reg != RA_NO_REG; k++)
					if (succ->preds[k] == b) {
						u32 arg = ra->id[ssa_value(func, func->pool[func->nodes[phi].a + k])];

						if (arg && ra->values[arg].hint == RA_NO_REG)
							hint(ra, arg, reg);
					}
			}
		}
		for (u32 i = ra->alloc->block_codes[b]; i-- > 0;) {
			const SsaCode *code = &ra->alloc->codes[ra->alloc->block_first[b] + i];

			for (unsigned u = 0; u < code->use_count; u++)
				if (code->uses[u].want == SSA_WANT_FIXED)
					hint(ra, ra->id[code->uses[u].ref], 16u * code->uses[u].cls + code->uses[u].reg);
			if (code->tied && code->use_count && code->result) {
				u32 first = ra->id[code->uses[0].ref];
				u8 reg = ra->values[ra->id[code->node]].hint;

				if (reg != RA_NO_REG && ra->values[first].hint == RA_NO_REG)
					hint(ra, first, reg);
			}
		}
	}
}

static void scratch_for_blocks(Ra *ra)
{
	ra->after = ARENA_ARRAY(ra->arena, u32, ra->after_cap + 1);
	ra->leaving = ARENA_ARRAY(ra->arena, u32, ra->leaving_cap + 1);
	ra->leaving_end = ARENA_ARRAY(ra->arena, u32, ra->codes_cap + 2);
	ra->first_use = ARENA_ARRAY(ra->arena, u32, ra->codes_cap + 1);
	if (!ra->after || !ra->leaving || !ra->leaving_end || !ra->first_use)
		ra->failed = true;
}

void ra_collect(Ra *ra)
{
	u32 nodes = ra->func->node_count + 1;
	Scan scan = {
		.ra = ra, .defined = ARENA_ARRAY(ra->arena, u32, nodes), .seen = ARENA_ARRAY(ra->arena, u32, nodes),
		.gen = ARENA_ARRAY(ra->arena, u32, nodes),
	};

	ra->id = ARENA_ARRAY(ra->arena, u32, nodes);
	ra->wanted = ARENA_ARRAY(ra->arena, u8, nodes);
	if (!scan.defined || !scan.seen || !scan.gen || !ra->id || !ra->wanted) {
		ra->failed = true;
		return;
	}
	find_wanted(ra);
	for (scan.position = 0; scan.position < ra->func->rpo_count && !ra->failed; scan.position++)
		scan_block(&scan);
	if (!ra->failed)
		number(ra, &scan);
	if (!ra->failed)
		solve(ra);
	if (ra->failed)
		return;
	find_hints(ra);
	scratch_for_blocks(ra);
}

/* ---- One block ---- */

static void annotate_edges(Ra *ra, u32 b, u32 count)
{
	SsaFunc *func = ra->func;
	const SsaBlock *block = &func->blocks[b];

	for (u32 s = 0; s < block->succ_count; s++) {
		const SsaBlock *succ = &func->blocks[block->succ[s]];

		for (SsaRef phi = succ->first; phi && func->nodes[phi].op == SSA_PHI; phi = func->nodes[phi].next) {
			u32 next = ra->wanted[phi] & RA_BY_CODE ? count : RA_IDLE;

			if (!ra->wanted[phi])
				continue;
			for (u32 k = 0; k < succ->pred_count; k++)
				if (succ->preds[k] == b) {
					u32 id = ra->id[ssa_value(func, func->pool[func->nodes[phi].a + k])];

					if (ra->values[id].kind != RA_CONST && ra->next[id] > next)
						ra->next[id] = next;
				}
		}
	}
}

void ra_annotate(Ra *ra, u32 position)
{
	SsaFunc *func = ra->func;
	u32 b = func->rpo[position], first = ra->alloc->block_first[b], count = ra->alloc->block_codes[b];
	u32 uses = ra->after_cap, leaving = 0;

	look_behind(ra, position);
	for (u32 k = 0; k < ra->behind_count; k++) {
		u32 id = ra->behind[k];

		ra->next[id] = ra->near[id] == ROW_IDLE ? RA_IDLE : count + ra->near[id];
		ra->near[id] = ROW_DEAD;
	}
	annotate_edges(ra, b, count);
	ra->leaving_end[count] = 0;
	for (u32 i = count; i-- > 0;) {
		const SsaCode *code = &ra->alloc->codes[first + i];

		if (code->result) {
			u32 id = ra->id[code->node];

			ra->first_use[i] = ra->next[id];
			ra->next[id] = RA_DEAD;
		}
		if (code->snap != ~(u32)0) {
			const SsaSnap *snap = &func->snaps[code->snap];

			for (u32 k = 0; k < snap->count; k++) {
				u32 id = ra->id[func->entries[snap->first + k].ref];

				if (ra->next[id] != RA_DEAD || ra->values[id].kind == RA_CONST)
					continue;
				ra->next[id] = RA_LEAVING;
				ra->leaving[leaving++] = id;
			}
		}
		uses -= code->use_count;
		for (unsigned u = 0; u < code->use_count; u++)
			ra->after[uses + u] = ra->next[ra->id[code->uses[u].ref]];
		for (u32 k = ra->leaving_end[i + 1]; k < leaving; k++)
			ra->next[ra->leaving[k]] = RA_IDLE;
		for (unsigned u = 0; u < code->use_count; u++) {
			const SsaUse *use = &code->uses[u];
			u32 id = ra->id[use->ref];

			if (use->want != SSA_WANT_ANY || ra->values[id].kind != RA_CONST)
				ra->next[id] = i;
		}
		ra->leaving_end[i] = leaving;
	}
	ra->after_first = uses;
}
