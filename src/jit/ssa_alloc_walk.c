/* SPDX-License-Identifier: MIT
 *
 * The walk over the codes of one block: decides for each code where its operands, result and temporaries are, and which
 * moves come before it.
 *
 * In time, a code is:  moves | operands read, temporaries, clobbers, ways out | result written, late operands still there
 *
 * All moves before a code are one parallel move from `before` (what registers held behind the code before) to `held`: so
 * steps below change `held` in any order they like. Registers whose value is given up need nothing done.
 */
#include "jit/ssa_alloc_private.h"

#include <stddef.h>
#include <string.h>

typedef struct Step {
	Ra *ra;
	SsaCode *code;
	u32 claimed;  /* registers that operands and temporaries of this code are in */
	u32 killed;   /* clobbered: what is wanted later may not be there only */
	u32 over;     /* the result comes there */
	u32 temps;
	u32 late;     /* registers of operands that must outlast the result */
	u8 result_reg;
	u32 lost_count;
	u32 lost[SSA_USES_MOST + 1]; /* ids that had to leave a register for a fixed operand */
} Step;

/* ---- The state ---- */

static inline void leave(Ra *ra, unsigned reg)
{
	u32 id = ra->held[reg];

	if (!(ra->changed & ra_bit(reg))) {
		ra->changed |= ra_bit(reg);
		ra->before[reg] = id;
	}
	ra->regs[id] &= ~ra_bit(reg); /* of nobody, too: it has none */
	ra->held[reg] = 0;
	ra->occupied &= ~ra_bit(reg);
}

void ra_take(Ra *ra, unsigned reg, u32 id)
{
	leave(ra, reg);
	ra->held[reg] = id;
	ra->regs[id] |= ra_bit(reg);
	ra->occupied |= ra_bit(reg);
	ra->touched |= ra_bit(reg);
}

void ra_release(Ra *ra, u32 id)
{
	for (u32 set = ra->regs[id]; set; set &= set - 1)
		leave(ra, (unsigned)__builtin_ctz(set));
}

/* Which registers of `set` held a value before the moves of this code. */
static u32 held_before(const Ra *ra, u32 id, u32 set)
{
	u32 found = ra->regs[id] & ~ra->changed;

	for (u32 left = ra->changed & set & ra->begun; left; left &= left - 1) {
		unsigned reg = (unsigned)__builtin_ctz(left);

		found |= ra->before[reg] == id ? ra_bit(reg) : 0;
	}
	return found & set & ra->begun;
}

/* The value had better not be in this register: if that is in a loop, the loop may be walked again. */
static void learn(Ra *ra, u32 id, unsigned reg)
{
	RaValue *value = &ra->values[id];

	if (value->avoid & ra_bit(reg))
		return;
	value->avoid |= ra_bit(reg);
	ra->lessons++;
}

static bool dying(const Ra *ra, u32 id)
{
	return ra->next[id] >= RA_LEAVING;
}

/* How little it hurts to lose a value. */
static u32 distance_of(const Ra *ra, u32 id)
{
	u32 next = ra->next[id];
	const RaValue *value = &ra->values[id];
	bool stored = value->event || ra_loses_nothing(value) || value->in_memory ||
		      ra->func->blocks[value->block].depth < ra->depth;

	if (next >= RA_IDLE)
		return stored ? RA_IDLE : RA_IDLE - 1;
	next -= ra->position;
	if (ra_loses_nothing(value))
		return next + next / 2;
	return stored ? next : next / 2;
}

/* A register of class `cls` for a value, not one of `forbidden`. Without `evict` only one that holds nothing of worth. */
u8 ra_pick(Ra *ra, u32 id, unsigned cls, u32 forbidden, bool evict)
{
	const RaValue *value = &ra->values[id];
	u32 may = ra->allowed & ra_class(cls) & ~forbidden, open = may & ~ra->occupied, best_distance = 0;
	u8 best = RA_NO_REG;

	if (value->hint != RA_NO_REG && open & ra_bit(value->hint))
		return value->hint;
	if (open & ~value->avoid)
		open &= ~value->avoid;
	if (open & ~ra->pins)
		open &= ~ra->pins;
	if (open)
		return (u8)__builtin_ctz(open);
	for (u32 set = may; set; set &= set - 1) {
		u8 reg = (u8)__builtin_ctz(set);
		u32 other = ra->held[reg], distance;

		if (ra->regs[other] & (ra->regs[other] - 1))
			return reg; /* it has another */
		distance = distance_of(ra, other);
		if (distance > best_distance || best == RA_NO_REG) {
			best = reg;
			best_distance = distance;
		}
	}
	return evict ? best : RA_NO_REG;
}

/* Its spill slot is read here. */
static SsaPlace spill_of(Ra *ra, u32 id, bool by_code)
{
	RaValue *value = &ra->values[id];

	if (value->event && value->event <= ra->event_count && ra->events[value->event - 1].id == id &&
	    ra->events[value->event - 1].visit == ra->visit) {
		ra->events[value->event - 1].last = ra->position;
		ra->events[value->event - 1].by_code |= by_code;
	} else {
		if (ra->event_count >= ra->event_cap &&
		    !arena_grow(ra->arena, (void **)&ra->events, &ra->event_cap, ra->event_count, sizeof(RaEvent))) {
			ra->failed = true;
			return (SsaPlace){0};
		}
		ra->events[ra->event_count++] =
			(RaEvent){.id = id, .visit = ra->visit, .at = ra->at, .last = ra->position, .by_code = by_code};
		value->event = ra->event_count;
	}
	return (SsaPlace){.kind = SSA_PLACE_SPILL, .number = id};
}

static inline SsaPlace memory_of(Ra *ra, u32 id)
{
	const RaValue *value = &ra->values[id];

	if (!ra_loses_nothing(value))
		return spill_of(ra, id, true);
	return (SsaPlace){.kind = value->kind == RA_CONST ? SSA_PLACE_CONST : SSA_PLACE_HOME, .number = value->slot};
}

SsaPlace ra_memory_of(Ra *ra, u32 id)
{
	return memory_of(ra, id);
}

/* ---- Operands ---- */

static void claim(Step *step, SsaUse *use, unsigned reg)
{
	use->place = ra_place(reg);
	step->claimed |= ra_bit(reg);
	if (!use->early)
		step->late |= ra_bit(reg);
}

static void bring(Step *step, unsigned reg, u32 id)
{
	u32 old = step->ra->held[reg];

	if (old == id)
		return;
	ra_take(step->ra, reg, id);
	if (old && !step->ra->regs[old] && step->ra->next[old] != RA_DEAD && step->lost_count < COUNT_OF(step->lost))
		step->lost[step->lost_count++] = old;
}

static bool is_tied(const Step *step)
{
	return step->code->tied && step->code->result && step->code->use_count;
}

static void fixed_operands(Step *step)
{
	SsaCode *code = step->code;
	Ra *ra = step->ra;

	for (unsigned u = 0; u < code->use_count; u++) {
		SsaUse *use = &code->uses[u];
		unsigned reg = 16u * use->cls + use->reg;

		if (use->want == SSA_WANT_FIXED) {
			if (step->claimed & ra_bit(reg) && ra->held[reg] != use->value)
				ra->failed = true; /* two values wanted in one */
			if (ra->held[reg] && ra->held[reg] != use->value)
				learn(ra, ra->held[reg], reg);
			bring(step, reg, use->value);
			claim(step, use, reg);
		}
	}
	if (code->result && code->result_reg != RA_NO_REG) {
		step->result_reg = (u8)(16 * code->result_cls + code->result_reg);
		step->over |= ra_bit(step->result_reg);
		if (is_tied(step) && code->uses[0].want != SSA_WANT_FIXED) {
			bring(step, step->result_reg, code->uses[0].value);
			claim(step, &code->uses[0], step->result_reg);
		}
	}
}

/* It was in no register before this code. */
static bool is_fresh(const Step *step, u32 id)
{
	return !held_before(step->ra, id, ~(u32)0);
}

static bool placed(const Step *step, unsigned u)
{
	return step->code->uses[u].place.kind != SSA_PLACE_NONE;
}

/* Registers that operand u may be in: late ones not where clobbers or the result come. */
static u32 barred(const Step *step, const SsaUse *use)
{
	return use->early ? 0 : step->killed | step->over;
}

/* How many are left over. */
static unsigned operands_in_registers(Step *step)
{
	Ra *ra = step->ra;
	unsigned left = 0;

	for (SsaUse *use = step->code->uses, *end = use + step->code->use_count; use < end; use++) {
		u32 set = ra->regs[use->value] & ra_class(use->cls) & ~barred(step, use);

		if (use->place.kind != SSA_PLACE_NONE)
			continue;
		if (!set || (use->want == SSA_WANT_ANY && ra->values[use->value].kind == RA_CONST)) {
			left++;
			continue;
		}
		if (set & step->claimed)
			set &= step->claimed;
		claim(step, use, (unsigned)__builtin_ctz(set));
	}
	return left;
}

static void operands_from_elsewhere(Step *step)
{
	Ra *ra = step->ra;
	const SsaCode *code = step->code;

	for (unsigned u = 0; u < code->use_count; u++) {
		SsaUse *use = &step->code->uses[u];
		u32 id = use->value, bar = barred(step, use) | step->claimed;
		u8 reg;

		if (placed(step, u))
			continue;
		if (use->want == SSA_WANT_ANY && !(u == 0 && is_tied(step))) {
			if (ra->values[id].kind == RA_CONST) {
				use->place = ra_memory_of(ra, id);
				continue;
			}
			reg = RA_NO_REG;
			if (ra->regs[id] || (ra->next[id] < RA_IDLE && ra->next[id] < ra->position + 64))
				reg = ra_pick(ra, id, use->cls, bar | step->killed | step->over, false);
			if (reg == RA_NO_REG) {
				use->place = ra_memory_of(ra, id);
				continue;
			}
		} else {
			u32 set = ra->regs[id] & ra_class(use->cls) & ~barred(step, use);

			if (set) { /* another operand brought it */
				claim(step, use, (unsigned)__builtin_ctz(set));
				continue;
			}
			reg = RA_NO_REG;
			if (!dying(ra, id))
				reg = ra_pick(ra, id, use->cls, bar | step->killed | step->over, false);
			if (reg == RA_NO_REG)
				reg = ra_pick(ra, id, use->cls, bar, true);
			if (reg == RA_NO_REG) {
				ra->failed = true;
				return;
			}
		}
		bring(step, reg, id);
		claim(step, use, reg);
	}
}

/* ---- The register of a tied result ---- */

static bool shared_late(const Step *step, unsigned reg)
{
	for (unsigned u = 1; u < step->code->use_count; u++) {
		const SsaUse *use = &step->code->uses[u];

		if (!use->early && use->place.kind == SSA_PLACE_REG && 16u * use->place.cls + use->place.number == reg)
			return true;
	}
	return false;
}

/* The result is rather to be in a register that is free, or will be. */
static bool wants_another(const Step *step, u32 result, unsigned reg)
{
	const Ra *ra = step->ra;
	u8 hint = ra->values[result].hint;

	if (hint == RA_NO_REG || hint == reg || !(ra->allowed & ra_bit(hint)) || hint >> 4 != step->code->result_cls)
		return false;
	return !ra->held[hint] || dying(ra, ra->held[hint]);
}

static void tie(Step *step)
{
	Ra *ra = step->ra;
	SsaCode *code = step->code;
	SsaUse *use = &code->uses[0];
	u32 id, result;
	unsigned reg;
	u8 to;

	if (!is_tied(step) || step->result_reg != RA_NO_REG)
		return;
	id = use->value;
	result = ra->id[code->node];
	reg = 16u * use->place.cls + use->place.number;
	if (code->may_untie && wants_another(step, result, reg)) {
		code->tied = false;
		return;
	}
	if (!(step->killed & ra_bit(reg)) && !shared_late(step, reg) &&
	    (dying(ra, id) || (ra->regs[id] & ~ra_bit(reg) & ~step->killed) || is_fresh(step, id))) {
		step->result_reg = (u8)reg;
		step->over |= ra_bit(reg);
		return;
	}
	if (code->may_untie) {
		code->tied = false;
		return;
	}
	to = ra_pick(ra, result, use->cls, step->claimed | step->killed | step->over, true);
	if (to == RA_NO_REG) {
		ra->failed = true;
		return;
	}
	bring(step, to, id);
	step->claimed |= ra_bit(to);
	use->place = ra_place(to);
	step->result_reg = to;
	step->over |= ra_bit(to);
}

/* ---- Values that would be lost ---- */

static void rescue(Step *step, u32 id)
{
	Ra *ra = step->ra;
	u32 bar = step->claimed | step->killed | step->over;
	unsigned cls = ra->values[id].cls;
	u8 reg;

	if (is_fresh(step, id) || (ra_loses_nothing(&ra->values[id]) && ra->next[id] >= RA_IDLE))
		return;
	reg = ra_pick(ra, id, cls, bar, false);
	if (reg == RA_NO_REG && ra->next[id] < RA_IDLE) {
		reg = ra_pick(ra, id, cls, bar, true);
		if (reg != RA_NO_REG && distance_of(ra, ra->held[reg]) <= distance_of(ra, id))
			return;
	}
	if (reg != RA_NO_REG)
		ra_take(ra, reg, id);
}

static void rescue_all(Step *step)
{
	Ra *ra = step->ra;

	for (u32 set = (step->killed | step->over) & ra->occupied; set; set &= set - 1) {
		unsigned reg = (unsigned)__builtin_ctz(set);
		u32 id = ra->held[reg];

		if (!id || ra->next[id] == RA_DEAD || ra->regs[id] & ~(step->killed | step->over))
			continue;
		if (ra->next[id] == RA_LEAVING && !(step->killed & ra_bit(reg)))
			continue; /* the way out is before the result */
		learn(ra, id, reg);
		rescue(step, id);
	}
	for (u32 k = 0; k < step->lost_count; k++)
		if (!ra->regs[step->lost[k]] && ra->next[step->lost[k]] != RA_DEAD)
			rescue(step, step->lost[k]);
}

static void temporaries(Step *step)
{
	Ra *ra = step->ra;

	for (unsigned cls = 0; cls < SSA_CLASSES; cls++)
		for (unsigned t = 0; t < step->code->temps[cls] && t < SSA_TEMPS_MOST; t++) {
			u8 reg = ra_pick(ra, 0, cls, step->claimed | step->over | step->killed, true);

			if (reg == RA_NO_REG) {
				ra->failed = true;
				return;
			}
			leave(ra, reg);
			ra->touched &= ~ra_bit(reg);
			step->temps |= ra_bit(reg);
			step->claimed |= ra_bit(reg);
			step->code->temp[cls][t] = reg & 15;
		}
}

/* ---- Moves ---- */

static void push_move(Ra *ra, SsaPlace from, SsaPlace to, u8 width)
{
	if (ra->move_count >= ra->move_cap &&
	    !arena_grow(ra->arena, (void **)&ra->moves, &ra->move_cap, ra->move_count, sizeof(SsaMove))) {
		ra->failed = true;
		return;
	}
	ra->moves[ra->move_count++] = (SsaMove){.from = from, .to = to, .width = width};
}

static SsaPlace source(Ra *ra, u32 id, unsigned to)
{
	u32 found = held_before(ra, id, ~(u32)0), alike = found & ra_class(to >> 4);

	return found ? ra_place((unsigned)__builtin_ctz(alike ? alike : found)) : ra_memory_of(ra, id);
}

/* One by one: first those whose target nobody reads any more; then cycles, over the scratch register; then what comes from memory. */
static void moves_before(Step *step)
{
	Ra *ra = step->ra;
	u8 from[RA_REGS], readers[RA_REGS] = {0};
	u32 waiting = 0, loads = 0;

	for (u32 set = ra->touched; set; set &= set - 1) {
		unsigned reg = (unsigned)__builtin_ctz(set);
		u32 id = ra->held[reg];
		SsaPlace place;

		if (!id || ra->before[reg] == id)
			continue;
		place = source(ra, id, reg);
		if (place.kind != SSA_PLACE_REG) {
			loads |= ra_bit(reg);
			continue;
		}
		from[reg] = (u8)(16 * place.cls + place.number);
		readers[from[reg]]++;
		waiting |= ra_bit(reg);
	}
	while (waiting) {
		u32 set = waiting;
		bool moved = false;

		for (; set; set &= set - 1) {
			unsigned reg = (unsigned)__builtin_ctz(set);

			if (readers[reg])
				continue;
			push_move(ra, ra_place(from[reg]), ra_place(reg), ra->values[ra->held[reg]].width);
			if (from[reg] < RA_REGS && readers[from[reg]])
				readers[from[reg]]--;
			waiting &= ~ra_bit(reg);
			moved = true;
		}
		if (!moved && waiting) {
			unsigned reg = (unsigned)__builtin_ctz(waiting), cls = reg >> 4, scratch = 16 * cls + ra->alloc->scratch[cls];

			push_move(ra, ra_place(reg), ra_place(scratch), ra->values[ra->before[reg]].width);
			for (set = waiting; set; set &= set - 1)
				if (from[__builtin_ctz(set)] == reg)
					from[__builtin_ctz(set)] = (u8)scratch;
			readers[scratch] = readers[reg];
			readers[reg] = 0;
		}
	}
	for (; loads; loads &= loads - 1) {
		unsigned reg = (unsigned)__builtin_ctz(loads);
		u32 id = ra->held[reg];

		push_move(ra, ra_memory_of(ra, id), ra_place(reg), ra->values[id].width);
	}
	step->code->move_count = ra->move_count - step->code->move_first;
}

/* What registers hold at this way out, which sees these. */
static bool has_scene(Ra *ra, u32 kept)
{
	u32 set = ra->occupied & kept & ra_class(SSA_GPR);
	RaScene *scene;

	if (ra->scene && !((ra->stirred | ra->changed) & ra_class(SSA_GPR)) && ra->scenes[ra->scene - 1].set == set) {
		ra->scenes[ra->scene - 1].last = ra->position;
		return true;
	}
	if (ra->scene_count >= ra->scene_cap &&
	    !arena_grow(ra->arena, (void **)&ra->scenes, &ra->scene_cap, ra->scene_count, sizeof(RaScene))) {
		ra->failed = true;
		return false;
	}
	scene = &ra->scenes[ra->scene_count++];
	ra->scene = ra->scene_count;
	scene->set = set;
	scene->at = ra->at;
	scene->last = ra->position;
	scene->made = scene->made_count = 0;
	memcpy(scene->held, ra->held, sizeof scene->held);
	return true;
}

/* The value at this place of a snapshot is in no register. */
static SsaPlace shown_in_memory(Ra *ra, u32 id, u32 place, u32 kept)
{
	const RaValue *value = &ra->values[id];

	if (!value->makeable)
		return memory_of(ra, id);
	if (!has_scene(ra, kept))
		return (SsaPlace){0};
	if (ra->maybe_count >= ra->maybe_cap &&
	    !arena_grow(ra->arena, (void **)&ra->maybes, &ra->maybe_cap, ra->maybe_count, sizeof(RaMaybe))) {
		ra->failed = true;
		return (SsaPlace){0};
	}
	ra->maybes[ra->maybe_count++] = (RaMaybe){.id = id, .scene = ra->scene - 1, .place = place};
	return spill_of(ra, id, false);
}

/* A way out that stores homes itself takes what there is. */
static bool is_rare(const Ra *ra, const SsaCode *code)
{
	const SsaNode *node = &ra->func->nodes[code->node];

	return node->op != SSA_LEAVE || node->aux == SSA_LEAVE_COLD;
}

static void snapshot(Step *step)
{
	Ra *ra = step->ra;
	const SsaSnap *snap = &ra->func->snaps[step->code->snap];
	SsaPlace *places = ra->alloc->snap_places + step->code->snap_place;
	const u32 *ids = ra->named + snap->first, *regs = ra->regs, kept = ~(step->killed | step->temps);
	const RaValue *values = ra->values;
	bool spills = false, rare = is_rare(ra, step->code);
	u32 named = 0;

	if (ra->shown && ra->shown == ra_entries_of(snap) && !(ra->shown_regs & (ra->stirred | ra->changed | ~kept))) {
		memcpy(places, ra->shown_places, snap->count * sizeof *places);
		return;
	}

	for (u32 k = 0, count = snap->count; k < count; k++) {
		u32 id = ids[k], set = regs[id] & kept, own = set & ra_class(values[id].cls);

		if (set && values[id].kind != RA_CONST) {
			set = own ? own : set;
			named |= set & -set;
			places[k] = ra_place((unsigned)__builtin_ctz(set));
		} else {
			spills |= !ra_loses_nothing(&values[id]);
			places[k] = rare ? shown_in_memory(ra, id, step->code->snap_place + k, kept) : memory_of(ra, id);
		}
	}
	ra->shown = spills ? 0 : ra_entries_of(snap);
	ra->shown_places = places;
	ra->shown_regs = named;
	if (ra->scene && ra->scenes[ra->scene - 1].last != ra->position && (ra->stirred | ra->changed))
		ra->scene = 0; /* what changes is counted anew from here on */
	ra->stirred = ra->changed = 0;
}

/* ---- Results ---- */

/* The register was wanted for another value. Who is there was made in this loop and could be elsewhere. */
static void in_the_way(Ra *ra, unsigned reg)
{
	const SsaBlock *block = ra_block_at(ra, ra->at);
	u32 other = ra->held[reg];

	if (!other || !block->depth || block->loop == SSA_NO_BLOCK)
		return;
	if (ra->values[other].kind == RA_VALUE && ra->blocks[ra->func->blocks[block->loop].order].start[reg] != other)
		learn(ra, other, reg);
}

static void write_result(Step *step)
{
	Ra *ra = step->ra;
	SsaCode *code = step->code;
	u32 id = ra->id[code->node];
	u8 reg = step->result_reg;

	if (reg == RA_NO_REG)
		reg = ra_pick(ra, id, code->result_cls, step->temps | step->late, true);
	if (reg == RA_NO_REG) {
		ra->failed = true;
		return;
	}
	if (ra->values[id].hint != RA_NO_REG && reg != ra->values[id].hint)
		in_the_way(ra, ra->values[id].hint);
	ra_take(ra, reg, id);
	code->at = ra_place(reg);
	if (ra->next[id] == RA_DEAD)
		ra_release(ra, id);
}

/* How well operand u of a tied code serves as the register of the result. */
static unsigned fitness(const Step *step, unsigned u)
{
	const Ra *ra = step->ra;
	u32 id = step->code->uses[u].value, set = ra->regs[id] & ra_class(step->code->uses[0].cls);
	u8 hint = ra->values[ra->id[step->code->node]].hint;

	if (!set || !dying(ra, id))
		return 0;
	return hint != RA_NO_REG && set & ra_bit(hint) ? 2 : 1;
}

static void swap_operands(Step *step)
{
	SsaCode *code = step->code;
	SsaUse first;

	if (!code->commutes || !is_tied(step) || code->use_count < 2 || code->uses[0].want != SSA_WANT_REG ||
	    code->uses[1].want == SSA_WANT_FIXED || code->uses[0].cls != code->uses[1].cls || fitness(step, 1) <= fitness(step, 0))
		return;
	first = code->uses[0];
	code->uses[0].ref = code->uses[1].ref;
	code->uses[0].value = code->uses[1].value;
	code->uses[1].ref = first.ref;
	code->uses[1].value = first.value;
}

/* Next uses of the operands' values as they are behind the code. Which operands may be wanted by nobody then: a bit each. */
static inline u64 look_ahead(Ra *ra, SsaCode *code, const u32 *after)
{
	u32 *next = ra->next;
	u64 dead = 0;

	for (unsigned u = 0, count = code->use_count; u < count; u++) {
		next[code->uses[u].value] = after[u];
		code->uses[u].place = (SsaPlace){0};
		dead |= (u64)(after[u] == RA_DEAD) << u;
	}
	return code->commutes && code->use_count > 1 ? dead | 3 : dead; /* the second may be a constant, in no use */
}

/* Operands, temporaries, and the moves for that. */
static void place_operands(Step *step)
{
	SsaCode *code = step->code;
	Ra *ra = step->ra;

	if (code->commutes)
		swap_operands(step);
	if (code->fixed)
		fixed_operands(step);
	if (code->use_count && operands_in_registers(step))
		operands_from_elsewhere(step);
	if (ra->failed)
		return;
	if (code->tied)
		tie(step);
	if ((step->killed | step->over) & ra->occupied || step->lost_count)
		rescue_all(step);
	if (code->temps[SSA_GPR] | code->temps[SSA_XMM])
		temporaries(step);
	if (ra->failed)
		return;
	code->move_first = ra->move_count;
	code->move_count = 0;
	if (ra->touched)
		moves_before(step);
}

static void walk_code(Ra *ra, SsaCode *code, const u32 *after, const u32 *leaving, u32 leaving_count, u32 first_use)
{
	Step step;
	u32 *next = ra->next;
	u64 dead;

	memset(&step, 0, offsetof(Step, lost));
	step.ra = ra;
	step.code = code;
	step.killed = (code->clobbers[SSA_GPR] & 0xFFFF) | code->clobbers[SSA_XMM] << 16;
	step.result_reg = RA_NO_REG;
	ra->begun = ra->occupied;
	ra->stirred |= ra->changed;
	ra->touched = ra->changed = 0;
	if (code->may_untie)
		code->tied = true;
	for (u32 k = 0; k < leaving_count; k++)
		next[leaving[k]] = RA_LEAVING;
	dead = look_ahead(ra, code, after);
	place_operands(&step);
	if (ra->failed)
		return;
	if (code->snap != ~(u32)0)
		snapshot(&step);
	for (u32 set = step.killed & ra->occupied; set; set &= set - 1)
		leave(ra, (unsigned)__builtin_ctz(set));
	for (u32 k = 0; k < leaving_count; k++) {
		next[leaving[k]] = RA_DEAD;
		ra_release(ra, leaving[k]);
	}
	for (; dead; dead &= dead - 1) {
		u32 id = code->uses[__builtin_ctzll(dead)].value;

		if (next[id] == RA_DEAD)
			ra_release(ra, id);
	}
	if (code->result) {
		next[ra->id[code->node]] = first_use;
		write_result(&step);
	}
}

void ra_walk(Ra *ra, u32 position)
{
	u32 b = ra->func->rpo[position], first = ra->alloc->block_first[b], count = ra->alloc->block_codes[b];
	const u32 *after = ra->after + ra->after_first;
	SsaCode *code = &ra->alloc->codes[first];
	u32 *next = ra->next;

	ra->depth = ra_block_at(ra, position)->depth;
	ra->shown = 0;
	ra->scene = 0;
	for (u32 i = 0; i < count && !ra->failed; i++, code++) {
		u32 from = ra->leaving_end[i + 1];

		ra->position = i;
		walk_code(ra, code, after, ra->leaving + from, ra->leaving_end[i] - from, ra->first_use[i]);
		after += code->use_count;
	}
	memcpy(ra->blocks[position].end, ra->held, sizeof(ra->held));
	ra->blocks[position].ends = ra->occupied;
	ra->blocks[position].done = true;
	/* What is left of values that live in this block only: arguments of PHIs. */
	for (u32 set = ra->occupied; set; set &= set - 1) {
		u32 id = ra->held[__builtin_ctz(set)];

		ra->regs[id] = 0;
		ra->next[id] = RA_DEAD;
		ra->held[__builtin_ctz(set)] = 0;
	}
	ra->occupied = 0;
	for (const u32 *id = ra->behind, *end = id + ra->behind_count; id < end; id++)
		next[*id] = RA_DEAD;
}
