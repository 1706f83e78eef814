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

/* ---- Values ---- */

static u32 new_id(Ra *ra, SsaRef ref)
{
	const SsaNode *node = &ra->func->nodes[ref];
	RaValue *value;

	if (ra->value_count >= ra->value_cap &&
	    !arena_grow(ra->arena, (void **)&ra->values, &ra->value_cap, ra->value_count, sizeof(RaValue))) {
		ra->failed = true;
		return 0;
	}
	value = &ra->values[ra->value_count];
	*value = (RaValue){
		.ref = ref, .code = RA_NO_CODE, .block = node->block, .cls = ra->alloc->cls[ref], .hint = RA_NO_REG,
		.width = node->width > 32 ? 64 : 32,
	};
	if (node->op == SSA_CONST) {
		value->kind = RA_CONST;
		value->slot = ref;
	} else if (node->op == SSA_HOME && ra->alloc->pin_reg[node->aux] == RA_NO_REG) {
		value->kind = RA_HOME;
		value->slot = node->aux;
		value->local = node->imm != 0;
	} else if (node->op == SSA_PHI) {
		value->kind = RA_PHI;
		if (node->aux != SSA_NO_SLOT && ra->alloc->pin_reg[node->aux] != RA_NO_REG && value->cls == SSA_GPR)
			value->hint = ra->alloc->pin_reg[node->aux];
	} else {
		value->makeable = value->cls == SSA_GPR && ssa_may_make(ra->func, ref);
	}
	return ra->id[ref] = ra->value_count++;
}

static inline u32 id_of(Ra *ra, SsaRef ref)
{
	u32 id = ra->id[ref];

	return id ? id : new_id(ra, ref);
}

/* Id 0 stands for what could not be made. */
static inline u32 want(Ra *ra, SsaRef ref, unsigned by)
{
	u32 id = id_of(ra, ref);

	ra->values[id].wanted |= by;
	return id;
}

/* Through PHIs to their arguments. */
static void want_args(Ra *ra)
{
	SsaFunc *func = ra->func;
	bool changed = true;

	while (changed && !ra->failed) {
		changed = false;
		for (u32 p = func->rpo_count; p-- > 0;) {
			const SsaBlock *block = ra_block_at(ra, p);

			for (SsaRef phi = block->first; phi && func->nodes[phi].op == SSA_PHI; phi = func->nodes[phi].next) {
				unsigned by = ra->id[phi] ? ra->values[ra->id[phi]].wanted : 0;

				for (u32 k = 0; k < block->pred_count && by; k++) {
					SsaRef arg = func->pool[func->nodes[phi].a + k];

					if (ra->id[arg] && (ra->values[ra->id[arg]].wanted & by) == by)
						continue;
					want(ra, arg, by);
					changed |= func->nodes[arg].op == SSA_PHI && func->blocks[func->nodes[arg].block].order >= p;
				}
			}
		}
	}
}

static void list_phis(Ra *ra, u32 position)
{
	SsaFunc *func = ra->func;
	const SsaBlock *block = ra_block_at(ra, position);
	RaBlock *out = &ra->blocks[position];

	out->phi_first = ra->phi_count;
	for (SsaRef phi = block->first; phi && func->nodes[phi].op == SSA_PHI; phi = func->nodes[phi].next) {
		u32 id = ra->id[phi];

		if (!id || !ra->values[id].wanted)
			continue;
		if (ra->phi_count >= ra->phi_cap &&
		    !arena_grow(ra->arena, (void **)&ra->phis, &ra->phi_cap, ra->phi_count, sizeof(RaPhi)))
			ra->failed = true;
		if (ra->failed)
			return;
		ra->values[id].args = ra->arg_count;
		ra->phis[ra->phi_count++] = (RaPhi){.id = id, .args = ra->arg_count};
		for (u32 k = 0; k < block->pred_count; k++) {
			if (ra->arg_count >= ra->arg_cap &&
			    !arena_grow(ra->arena, (void **)&ra->args, &ra->arg_cap, ra->arg_count, sizeof(u32))) {
				ra->failed = true;
				return;
			}
			ra->args[ra->arg_count++] = ra->id[func->pool[func->nodes[phi].a + k]];
		}
	}
	out->phi_count = ra->phi_count - out->phi_first;
}

/* All values. */
static void find_values(Ra *ra)
{
	SsaFunc *func = ra->func;
	u32 places = 0;
	u64 wanted = 0;

	ra->value_cap = ra->alloc->code_count + ra->alloc->code_count / 2 + 64;
	ra->values = ARENA_ROOM(ra->arena, RaValue, ra->value_cap);
	ra->named = ARENA_ROOM(ra->arena, u32, func->entry_count + 1);
	if (!ra->values || !ra->named) {
		ra->failed = true;
		return;
	}
	ra->values[0] = (RaValue){.kind = RA_CONST, .hint = RA_NO_REG};
	ra->value_count = 1;
	for (u32 c = 0; c < ra->alloc->code_count; c++) {
		SsaCode *code = &ra->alloc->codes[c];

		code->move_first = code->move_count = 0;
		code->fixed = code->result && code->result_reg != RA_NO_REG;
		code->snap_place = places;
		for (unsigned u = 0; u < code->use_count; u++) {
			SsaUse *use = &code->uses[u];

			use->value = want(ra, use->ref, RA_BY_CODE);
			code->fixed |= use->want == SSA_WANT_FIXED;
		}
		if (code->result)
			id_of(ra, code->node);
		if (code->snap != ~(u32)0) {
			const SsaSnap *snap = &func->snaps[code->snap];

			u32 count = ra_entries_of(snap) == wanted ? 0 : snap->count;
			const SsaSnapEntry *entries = &func->entries[snap->first];
			u32 *named = ra->named + snap->first;

			for (u32 i = 0; i < count; i++)
				named[i] = ssa_is_lazy(func, entries[i].ref) ? 0 : want(ra, entries[i].ref, RA_BY_SNAP);
			wanted = ra_entries_of(snap);
			places += snap->count;
		}
	}
	want_args(ra);
	for (u32 p = 0; p < func->rpo_count && !ra->failed; p++)
		list_phis(ra, p);
	ra->alloc->snap_place_count = places;
	ra->alloc->snap_places = ARENA_ROOM(ra->arena, SsaPlace, places + 1);
	ra->next = ARENA_ROOM(ra->arena, u32, ra->value_count);
	ra->regs = ARENA_ARRAY(ra->arena, u32, ra->value_count);
	ra->behind = ARENA_ROOM(ra->arena, u32, ra->value_count);
	if (!ra->alloc->snap_places || !ra->next || !ra->regs || !ra->behind) {
		ra->failed = true;
		return;
	}
	memset(ra->next, 0xFF, ra->value_count * sizeof(u32));
}

/* ---- What is used in a block from before, and what is defined there ---- */

typedef struct Sight {
	u32 defined, seen; /* position + 1 */
	u32 gen;
} Sight;

typedef struct Scan {
	Ra *ra;
	Sight *sights; /* per id */
	u32 position, depth; /* of the block */
	u32 now;       /* position + 1 */
} Scan;

static bool more_gens(Ra *ra)
{
	if (!arena_grow(ra->arena, (void **)&ra->gens, &ra->gen_cap, ra->gen_count, sizeof(RaNear)))
		ra->failed = true;
	return !ra->failed;
}

static inline void first_seen(Scan *scan, u32 id, u32 distance)
{
	Ra *ra = scan->ra;
	RaValue *value = &ra->values[id];

	if ((value->kind == RA_CONST && (distance == RA_IDLE || !scan->depth)) || value->local ||
	    (ra->gen_count >= ra->gen_cap && !more_gens(ra)))
		return;
	value->crosses = true;
	scan->sights[id] = (Sight){ .defined = scan->sights[id].defined, .seen = scan->now, .gen = ra->gen_count };
	ra->gens[ra->gen_count++] = (RaNear){.id = id, .distance = distance};
}

static inline void occurs(Scan *scan, u32 id, u32 distance)
{
	const Sight *sight = &scan->sights[id];

	if (distance > RA_LOOP - 1 && distance != RA_IDLE)
		distance = RA_LOOP - 1;
	if (sight->defined == scan->now)
		return;
	if (sight->seen != scan->now)
		first_seen(scan, id, distance);
	else if (scan->ra->gens[sight->gen].distance > distance)
		scan->ra->gens[sight->gen].distance = distance;
}

/* There is room: no code has two results. */
static inline void defines(Scan *scan, u32 id, u32 code)
{
	Ra *ra = scan->ra;

	scan->sights[id].defined = scan->now;
	ra->defs[ra->def_count++] = (RaDef){.id = id, .position = scan->position, .code = code};
}

static void defines_result(Scan *scan, const SsaCode *code, u32 index)
{
	Ra *ra = scan->ra;
	u32 id = ra->id[code->node];
	RaValue *value = &ra->values[id];

	defines(scan, id, index);
	value->many |= value->code != RA_NO_CODE;
	value->code = index;
	value->block = ra->func->rpo[scan->position];
	if (code->result_reg != RA_NO_REG)
		value->hint = (u8)(16 * code->result_cls + code->result_reg);
}

static void scan_block(Scan *scan)
{
	Ra *ra = scan->ra;
	SsaFunc *func = ra->func;
	u32 b = func->rpo[scan->position], first = ra->alloc->block_first[b], count = ra->alloc->block_codes[b];
	const SsaBlock *block = &func->blocks[b];
	RaBlock *out = &ra->blocks[scan->position];
	u32 uses = 0, entries = 0;
	u64 seen = 0;

	scan->now = scan->position + 1;
	scan->depth = block->depth;
	out->gen_first = ra->gen_count;
	for (u32 k = 0; k < out->phi_count; k++)
		defines(scan, ra->phis[out->phi_first + k].id, RA_NO_CODE);
	for (u32 i = 0; i < count && !ra->failed; i++) {
		const SsaCode *code = &ra->alloc->codes[first + i];

		for (unsigned u = 0; u < code->use_count; u++) {
			const SsaUse *use = &code->uses[u];
			if (use->want != SSA_WANT_ANY || ra->values[use->value].kind != RA_CONST)
				occurs(scan, use->value, i);
		}
		if (code->snap != ~(u32)0) {
			const SsaSnap *snap = &func->snaps[code->snap];

			u32 named = ra_entries_of(snap) == seen ? 0 : snap->count, now = scan->now;

			for (u32 k = 0; k < named; k++) {
				u32 id = ra->named[snap->first + k];

				if (scan->sights[id].defined != now && scan->sights[id].seen != now)
					first_seen(scan, id, RA_IDLE);
			}
			seen = ra_entries_of(snap);
			entries += snap->count;
		}
		uses += code->use_count;
		if (code->result)
			defines_result(scan, code, first + i);
	}
	for (u32 s = 0; s < block->succ_count && !ra->failed; s++) {
		const RaBlock *succ = &ra->blocks[func->blocks[block->succ[s]].order];

		for (u32 k = 0; k < succ->phi_count; k++) {
			const RaPhi *phi = &ra->phis[succ->phi_first + k];
			u32 arg = ra->args[phi->args + out->back[s]];

			if (ra->values[arg].kind != RA_CONST)
				occurs(scan, arg, ra->values[phi->id].wanted & RA_BY_CODE ? count : RA_IDLE);
		}
	}
	out->gen_count = ra->gen_count - out->gen_first;
	ra->after_cap = uses > ra->after_cap ? uses : ra->after_cap;
	ra->leaving_cap = entries > ra->leaving_cap ? entries : ra->leaving_cap;
	ra->codes_cap = count > ra->codes_cap ? count : ra->codes_cap;
}

static void find_kills(Ra *ra)
{
	u32 kills = 0;

	ra->kills = ARENA_ROOM(ra->arena, u32, ra->def_count + 1);
	if (!ra->kills) {
		ra->failed = true;
		return;
	}
	for (u32 d = 0, p = 0; p < ra->func->rpo_count; p++) {
		ra->blocks[p].kill_first = kills;
		for (; d < ra->def_count && ra->defs[d].position == p; d++)
			if (ra->values[ra->defs[d].id].crosses)
				ra->kills[kills++] = ra->defs[d].id;
		ra->blocks[p].kill_count = kills - ra->blocks[p].kill_first;
	}
}

/* ---- Distances over edges ---- */

static inline u32 later(u32 distance, u32 by)
{
	return distance == RA_IDLE ? RA_IDLE : distance + by;
}

static u32 edge_length(const SsaBlock *from, const SsaBlock *to)
{
	u32 length = 0;

	if (to->depth < from->depth)
		length = (from->depth - to->depth) * RA_LOOP;
	if (to->cold && !from->cold)
		length += RA_COLD;
	return length > RA_FAR ? RA_FAR : length;
}

/* next[] of what lives at the end of a block, whose ids go to `behind`: the distance from `codes` in front of there. All are
 * dead before. */
static void look_behind(Ra *ra, u32 position, u32 codes)
{
	const SsaBlock *block = ra_block_at(ra, position);
	u32 *behind = ra->behind, *next = ra->next, count = 0;

	for (u32 s = 0; s < block->succ_count; s++) {
		const SsaBlock *succ = &ra->func->blocks[block->succ[s]];
		const RaBlock *there = &ra->blocks[succ->order];
		const RaNear *live = there->live, *end = live + there->live_count;
		u32 length = edge_length(block, succ) + codes;

		if (!count) {
			for (u32 *id = behind; live < end; live++, id++) {
				*id = live->id;
				next[*id] = later(live->distance, length);
			}
			count = there->live_count;
			continue;
		}
		for (; live < end; live++) {
			u32 id = live->id, distance = later(live->distance, length), was = next[id];

			behind[count] = id; /* taken back, if it is there */
			count += was == RA_DEAD;
			next[id] = distance < was ? distance : was;
		}
	}
	ra->behind_count = count;
}

/* The list of block p from next[], which is cleared. */
static void make_list(Ra *ra, RaBlock *block)
{
	const u32 *behind = ra->behind;
	RaNear *live = block->live;
	u32 *next = ra->next;

	for (u32 k = 0; k < ra->behind_count; k++) {
		u32 id = behind[k];

		*live = (RaNear){.id = id, .distance = next[id]};
		live += next[id] != RA_DEAD;
		next[id] = RA_DEAD;
	}
	block->live_count = (u32)(live - block->live);
}

static bool has_changed(Ra *ra, const RaBlock *block)
{
	u32 count = 0;

	for (u32 k = 0; k < ra->behind_count; k++)
		count += ra->next[ra->behind[k]] != RA_DEAD;
	if (count != block->live_count)
		return true;
	for (u32 k = 0; k < block->live_count; k++)
		if (ra->next[block->live[k].id] != block->live[k].distance)
			return true;
	return false;
}

/* Makes the list of block p anew from next[], which is cleared. True when it is not as it was. */
static bool renew(Ra *ra, u32 position, u32 *total)
{
	RaBlock *block = &ra->blocks[position];
	const u32 *kills = ra->kills + block->kill_first;
	const RaNear *gens = ra->gens + block->gen_first;
	u32 *behind = ra->behind, count = ra->behind_count;
	bool is_first = !block->live;
	u32 *next = ra->next;

	for (u32 k = 0; k < block->kill_count; k++)
		next[kills[k]] = RA_DEAD;
	for (u32 k = 0; k < block->gen_count; k++) {
		u32 id = gens[k].id, distance = gens[k].distance, was = next[id];

		/* What was killed is never used from before; so who is dead here is not in the list. */
		if (was == RA_DEAD)
			behind[count++] = id;
		next[id] = distance < was ? distance : was;
	}
	ra->behind_count = count;
	if (!is_first && !has_changed(ra, block)) {
		for (u32 k = 0; k < count; k++)
			next[behind[k]] = RA_DEAD;
		return false;
	}
	if (count >= block->live_cap) { /* one more is written, and not kept */
		block->live_cap = count + count / 4 + 4;
		block->live = ARENA_ROOM(ra->arena, RaNear, block->live_cap);
		*total += block->live_cap;
		if (!block->live || *total > 4u << 20) {
			ra->failed = true;
			return false;
		}
	}
	make_list(ra, block);
	return !is_first || block->live_count;
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
			look_behind(ra, p, ra->alloc->block_codes[ra->func->rpo[p]]);
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
			const RaBlock *succ = &ra->blocks[func->blocks[block->succ[s]].order];

			for (u32 k = 0; k < succ->phi_count; k++) {
				const RaPhi *phi = &ra->phis[succ->phi_first + k];
				u32 arg = ra->args[phi->args + ra->blocks[p].back[s]];
				u8 reg = ra->values[phi->id].hint;

				if (reg != RA_NO_REG && ra->values[arg].hint == RA_NO_REG)
					hint(ra, arg, reg);
			}
		}
		for (u32 i = ra->alloc->block_codes[b]; i-- > 0;) {
			const SsaCode *code = &ra->alloc->codes[ra->alloc->block_first[b] + i];

			for (unsigned u = 0, uses = code->fixed ? code->use_count : 0; u < uses; u++)
				if (code->uses[u].want == SSA_WANT_FIXED)
					hint(ra, code->uses[u].value, 16u * code->uses[u].cls + code->uses[u].reg);
			if (code->tied && code->use_count && code->result) {
				u32 first = code->uses[0].value;
				u8 reg = ra->values[ra->id[code->node]].hint;

				if (reg != RA_NO_REG && ra->values[first].hint == RA_NO_REG)
					hint(ra, first, reg);
			}
		}
	}
}

static void scratch_for_blocks(Ra *ra)
{
	ra->after = ARENA_ROOM(ra->arena, u32, ra->after_cap + 1);
	ra->leaving = ARENA_ROOM(ra->arena, u32, ra->leaving_cap + 1);
	ra->leaving_end = ARENA_ROOM(ra->arena, u32, ra->codes_cap + 2);
	ra->first_use = ARENA_ROOM(ra->arena, u32, ra->codes_cap + 1);
	if (!ra->after || !ra->leaving || !ra->leaving_end || !ra->first_use)
		ra->failed = true;
}

void ra_collect(Ra *ra)
{
	Scan scan = {.ra = ra};

	ra->id = ARENA_ARRAY(ra->arena, u32, ra->func->node_count + 1);
	if (!ra->id) {
		ra->failed = true;
		return;
	}
	find_values(ra);
	scan.sights = ARENA_ARRAY(ra->arena, Sight, ra->value_count);
	ra->defs = ARENA_ROOM(ra->arena, RaDef, ra->alloc->code_count + ra->phi_count + 1);
	if (!scan.sights || !ra->defs)
		ra->failed = true;
	for (scan.position = 0; scan.position < ra->func->rpo_count && !ra->failed; scan.position++)
		scan_block(&scan);
	if (!ra->failed)
		find_kills(ra);
	if (!ra->failed)
		solve(ra);
	if (ra->failed)
		return;
	find_hints(ra);
	scratch_for_blocks(ra);
}

/* ---- One block ---- */

static void annotate_edges(Ra *ra, u32 position, u32 count)
{
	const SsaBlock *block = ra_block_at(ra, position);

	for (u32 s = 0; s < block->succ_count; s++) {
		const RaBlock *succ = &ra->blocks[ra->func->blocks[block->succ[s]].order];

		for (u32 k = 0; k < succ->phi_count; k++) {
			const RaPhi *phi = &ra->phis[succ->phi_first + k];
			u32 next = ra->values[phi->id].wanted & RA_BY_CODE ? count : RA_IDLE;
			u32 id = ra->args[phi->args + ra->blocks[position].back[s]];

			if (ra->values[id].kind != RA_CONST && ra->next[id] > next)
				ra->next[id] = next;
		}
	}
}

void ra_annotate(Ra *ra, u32 position)
{
	SsaFunc *func = ra->func;
	u32 b = func->rpo[position], first = ra->alloc->block_first[b], count = ra->alloc->block_codes[b];
	u32 leaving = 0, *next = ra->next, *after = ra->after + ra->after_cap;
	u64 seen = 0;

	look_behind(ra, position, count);
	annotate_edges(ra, position, count);
	ra->leaving_end[count] = 0;
	for (u32 i = count; i-- > 0;) {
		const SsaCode *code = &ra->alloc->codes[first + i];

		if (code->result) {
			u32 id = ra->id[code->node];

			ra->first_use[i] = next[id];
			next[id] = RA_DEAD;
		}
		if (code->snap != ~(u32)0) {
			const SsaSnap *snap = &func->snaps[code->snap];

			u32 named = ra_entries_of(snap) == seen ? 0 : snap->count;
			const u32 *ids = ra->named + snap->first;

			for (u32 k = 0; k < named; k++) {
				if (next[ids[k]] != RA_DEAD || ra->values[ids[k]].kind == RA_CONST)
					continue;
				next[ids[k]] = RA_LEAVING;
				ra->leaving[leaving++] = ids[k];
			}
			seen = ra_entries_of(snap);
		}
		after -= code->use_count;
		for (unsigned u = 0, uses = code->use_count; u < uses; u++)
			after[u] = next[code->uses[u].value];
		for (u32 k = ra->leaving_end[i + 1]; k < leaving; k++)
			next[ra->leaving[k]] = RA_IDLE;
		for (unsigned u = 0, uses = code->use_count; u < uses; u++) {
			const SsaUse *use = &code->uses[u];

			if (use->want != SSA_WANT_ANY || ra->values[use->value].kind != RA_CONST)
				next[use->value] = i;
		}
		ra->leaving_end[i] = leaving;
	}
	ra->after_first = (u32)(after - ra->after);
}
