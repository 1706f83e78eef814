/* SPDX-License-Identifier: MIT
 *
 * Breadth first from the head, so that what is near is in before a limit is reached. Code counts as part of the program
 * when it has run: the first tier has a block at its pc. What never ran stays outside, as a way out that costs nothing on the
 * way.
 *
 * Guest code is translated once (*Code*, up to 64 instructions in a row); a source is a place in one, and goes on until
 * another source begins. So a jump into the middle of what is there already only makes a further source.
 *
 * A call ends a path, as does an instruction that calls the host; where it comes back to is a further entry of the region (a
 * landing). But a small function that calls nobody is taken in (region_calls.c).
 *
 * A loop that is one source, and a small one, is there several times: what is done once a round (counting, jumping back) is
 * done once for several of them.
 */
#include "jit/region.h"

#include <string.h>

#include "base/bits.h"
#include "jit/jit_background.h"
#include "jit/region_private.h"
#include "jit/region_turn.h"
#include "jit/ssa_shape.h"

enum {
	SPOTS = 128,         /* of the table of places, which doubles when it is half full */
	AHEAD = 256,         /* cells that are looked ahead for code that is there */
	GUESSED_MOST = 2,    /* regions of one head that guess: if they prove wrong again and again, later ones do not */
	UNROLL_INSNS = 16,   /* of a loop that is there twice; of half the size: four times */
};

/* ---- Places ---- */

RegionSpot *region_spot(const RegionFormer *f, u64 pc)
{
	u32 at = (u32)((pc * 0x9E3779B97F4A7C15u) >> 40) & (f->spot_cap - 1);

	while (f->spots[at].code && f->spots[at].pc != pc)
		at = (at + 1) & (f->spot_cap - 1);
	return &f->spots[at];
}

/* Room for so many more. No RegionSpot is where it was. */
static bool more_spots(RegionFormer *f, u32 count)
{
	const RegionSpot *old = f->spots;
	u32 old_cap = f->spot_cap, cap = old_cap ? old_cap : SPOTS;
	RegionSpot *spots;

	while (cap < (f->spot_count + count) * 2)
		cap *= 2;
	if (cap == old_cap)
		return true;
	spots = ARENA_ARRAY(f->arena, RegionSpot, cap);
	if (!spots)
		return false;
	f->spots = spots;
	f->spot_cap = cap;
	for (u32 i = 0; i < old_cap; i++)
		if (old[i].code)
			*region_spot(f, old[i].pc) = old[i];
	return true;
}

bool region_is_warm(const RegionFormer *f, u64 pc)
{
	const JitBlock *block = jit_cache_find(f->engine, pc, f->context);

	return block && !block->cold;
}

/* Counted blocks say how often they ran, as long as the first tier runs them. */
static u64 heat_of(const RegionFormer *f, u64 pc)
{
	const JitBlock *block = jit_cache_find(f->engine, pc, f->context);

	return block && block->counter && *block->counter <= f->engine->hot ? f->engine->hot - *block->counter : 0;
}

/* ---- Code ---- */

static void learn_insns(RegionFormer *f, const SsaShape *shape)
{
	if (!more_spots(f, shape->insn_count)) {
		f->failed = true;
		return;
	}
	for (u32 i = 0; i < shape->insn_count; i++) {
		const SsaShapeInsn *insn = &shape->insns[i];
		RegionSpot *spot = region_spot(f, insn->pc);

		if (insn->length && insn->length < f->shortest)
			f->shortest = insn->length;
		if (!spot->code) {
			*spot = (RegionSpot){.pc = insn->pc, .code = f->code_count + 1, .at = insn->at};
			f->spot_count++;
			region_set_bit(f->known, insn->pc);
		}
	}
}

/* Which operation comes next nobody can predict: so there is no branch for it, and what has no slot writes behind them. */
static void learn_widths(const RegionFormer *f, const IrFunc *func)
{
	const u32 slots = f->engine->slot_count;
	u8 *widths = f->slot_width;

	for (const IrIns *ins = func->ins, *end = ins + func->ins_count; ins < end; ins++) {
		bool has = (ins->op == IR_OP_GET) | (ins->op == IR_OP_PUT);

		widths[(has & (ins->aux < slots)) ? ins->aux : slots] = ins->width;
	}
}

static void learn_jumps(RegionFormer *f, const IrFunc *func)
{
	for (u32 b = 0; b < func->block_count; b++) {
		const IrBlock *block = &func->blocks[b];
		const IrIns *last = block->end > block->start ? &func->ins[block->end - 1] : NULL;

		if (!last || last->op != IR_OP_GOTO)
			continue;
		f->plan->region.pc_width = (u8)ir_width(func, last->a);
		f->jumps |= last->aux == IR_FLOW_JUMP && !(last->a & IR_CONST_BIT);
	}
}

/* How many instructions there may be from pc to what is known, as far as those who want at most so many care. Code is not longer
 * than the first tier's block. */
static u32 room_before(const RegionFormer *f, u64 pc, u32 wanted)
{
	const JitBlock *block = jit_cache_find(f->engine, pc, f->context);
	u32 most_ahead = block && block->cells < AHEAD ? (u32)block->cells : AHEAD;

	if (wanted && most_ahead / f->shortest >= wanted)
		most_ahead = wanted * f->shortest;
	for (u32 ahead = 1; ahead < most_ahead; ahead++)
		if (region_bit(f->known, pc + ahead) && region_spot(f, pc + ahead)->code) {
			u32 most = ahead / f->shortest + 1;

			return most < JIT_BLOCK_INSNS ? most : JIT_BLOCK_INSNS;
		}
	return JIT_BLOCK_INSNS;
}

/* What was kept of it since it was met first saves the work. It lives until compiled code runs again; a worker wants it longer. */
static bool translate(RegionFormer *f, u64 pc, Translation *out)
{
	if (!jit_background_is_there(f->engine) && jit_first_take(f->engine, f->vcpu, pc, f->context, out) &&
	    out->insns <= room_before(f, pc, out->insns))
		return true;
	*out = (Translation){0};
	return !f->engine->env.translate(f->engine->env.ctx, pc, f->context, room_before(f, pc, 0), f->arena, out);
}

/* The place of pc, translated if need be; NULL: it stays outside. */
RegionSpot *region_have_code(RegionFormer *f, u64 pc)
{
	const Space *space = &f->vcpu->spaces[f->engine->env.code_space];
	Translation translation = {0};
	RegionSpot *spot = region_spot(f, pc);
	SsaShape *shape;
	SsaSource all;

	if (spot->code || f->failed)
		return f->failed ? NULL : spot;
	if (f->code_count == REGION_SOURCES || f->spot_count >= REGION_INSNS)
		return NULL;
	shape = ARENA_NEW(f->arena, SsaShape);
	if (!shape || !translate(f, pc, &translation)) {
		f->failed = true;
		return NULL;
	}
	if (translation.no_code || translation.breakpoint || translation.code_cells > JIT_CODE_CELLS || pc >= space->cells ||
	    translation.code_cells > space->cells - pc)
		return NULL;
	learn_widths(f, translation.func);
	learn_jumps(f, translation.func);
	f->plan->region.stored_spaces &= translation.plain_spaces;
	translation.dirty = translation.dirty && !translation.only_host; /* that one leaves at the host's call */
	all = (SsaSource){.pc = pc, .func = translation.func, .insns = translation.insns, .dirty = translation.dirty};
	f->plan->region.pc_width = f->plan->region.pc_width ? f->plan->region.pc_width : 64;
	if (!ssa_shape(&f->plan->region, &all, f->arena, shape)) {
		f->failed = true;
		return NULL;
	}
	if (!arena_grow(f->arena, (void **)&f->plan->ranges, &f->range_cap, f->plan->range_count, sizeof(struct JitRange)) ||
	    !arena_grow(f->arena, (void **)&f->codes, &f->code_cap, f->code_count, sizeof(RegionCode))) {
		f->failed = true;
		return NULL;
	}
	learn_insns(f, shape);
	f->plan->ranges[f->plan->range_count++] = (struct JitRange){pc, translation.code_cells};
	f->codes[f->code_count++] = (RegionCode){translation.func, shape, translation.insns, translation.dirty};
	spot = f->failed ? NULL : region_spot(f, pc);
	return spot && spot->code ? spot : NULL;
}

/* ---- Sources ---- */

/* Room for so many more, up to REGION_SOURCES in all. Where they were, they may still be read. */
bool region_more_sources(RegionFormer *f, u32 count)
{
	SsaRegion *region = &f->plan->region;
	u32 need = region->count + count, cap = f->source_cap * 2 > need ? f->source_cap * 2 : need;
	SsaSource *sources;

	if (need <= f->source_cap)
		return true;
	if (cap < 32)
		cap = 32;
	if (cap > REGION_SOURCES)
		cap = REGION_SOURCES;
	sources = need <= cap ? ARENA_ROOM(f->arena, SsaSource, cap) : NULL;
	if (!sources) {
		f->failed |= need <= cap;
		return false;
	}
	if (region->count)
		memcpy(sources, region->sources, region->count * sizeof(SsaSource));
	region->sources = sources;
	f->source_cap = cap;
	return true;
}

/* Index + 1; 0: there is none. */
u32 region_add_source(RegionFormer *f, const RegionSpot *spot, u32 copy)
{
	SsaRegion *region = &f->plan->region;
	const RegionCode *code = &f->codes[spot->code - 1];

	if (region->count >= f->most || !region_more_sources(f, 1))
		return 0;
	if (!copy)
		region_set_bit(f->starts, spot->pc);
	region->sources[region->count] = (SsaSource){
		.pc = spot->pc, .copy = copy, .func = code->func, .shape = code->shape, .begin = spot->at, .insns = code->insns,
		.dirty = code->dirty, .heat = heat_of(f, spot->pc),
	};
	return ++region->count;
}

u32 region_want(RegionFormer *f, u64 pc)
{
	RegionSpot *spot = region_spot(f, pc);

	if (spot->code && spot->source)
		return spot->source;
	if (f->plan->region.count >= f->most || !region_is_warm(f, pc))
		return 0;
	spot = region_have_code(f, pc);
	if (!spot || !spot->code)
		return 0;
	spot->source = region_add_source(f, spot, 0);
	return spot->source;
}

/* ---- Following ---- */

/* Is there a source of this copy at pc? */
static bool begins(const RegionFormer *f, u64 pc, u32 copy)
{
	const SsaRegion *region = &f->plan->region;

	if (!copy)
		return region_bit(f->starts, pc) && region_spot(f, pc)->source;
	for (u32 i = region->count; i-- > 0 && region->sources[i].copy == copy;)
		if (region->sources[i].pc == pc)
			return true;
	return false;
}

/* Where the cold engine takes over between the two; `to`: nowhere. */
static u32 cold_in(const SsaShape *shape, u32 block, u32 from, u32 to)
{
	const u8 *at = shape->cold[block] && from < to ? memchr(shape->act + from, SSA_ACT_COLD, to - from) : NULL;

	return at ? (u32)(at - shape->act) : to;
}

enum { NEAR_BLOCKS = 16 };

/* Where a path has come in the code of a source. */
typedef struct Path {
	u64 near_behind[NEAR_BLOCKS], *behind; /* per block that is reached: pc behind the instruction before */
	bool near_reached[NEAR_BLOCKS], *reached;
} Path;

static bool begin_path(RegionFormer *f, Path *path, u32 blocks)
{
	path->behind = path->near_behind;
	path->reached = path->near_reached;
	if (blocks > NEAR_BLOCKS) {
		path->behind = ARENA_ROOM(f->arena, u64, blocks);
		path->reached = ARENA_ARRAY(f->arena, bool, blocks);
	} else {
		memset(path->near_reached, 0, sizeof path->near_reached);
	}
	f->failed |= !path->behind || !path->reached;
	return !f->failed;
}

/* All GOTOs that a source comes to before another one begins, and where one does; the instructions on the way. False: somebody
 * said so, or memory is out. */
bool region_follow(RegionFormer *f, const SsaSource *source, RegionVisit *visit, void *ctx, u32 *insns)
{
	const SsaShape *shape = source->shape;
	const IrFunc *func = source->func;
	const SsaShapeInsn *insn = shape->insns, *last_insn = insn + shape->insn_count;
	Path path;

	if (!begin_path(f, &path, func->block_count))
		return false;
	for (u32 i = 0; i < shape->order_count; i++) {
		u32 b = shape->order[i], at = func->blocks[b].start, end = func->blocks[b].end;
		const IrIns *last = &func->ins[end - 1];
		bool ends = false;
		u32 cold;
		u64 next;

		if (source->begin >= at && source->begin < end) {
			path.reached[b] = true;
			path.behind[b] = source->pc;
			at = source->begin;
		}
		if (!path.reached[b])
			continue;
		next = path.behind[b];
		for (; insn < last_insn && insn->at < end && !ends; insn++) {
			if (insn->at < at)
				continue;
			if (cold_in(shape, b, at, insn->at) < insn->at)
				break;
			at = insn->at;
			if (at != source->begin && begins(f, insn->pc, source->copy)) {
				RegionExit exit = {NULL, insn->pc, true, insn->pc, false};

				if (!visit(ctx, &exit))
					return false;
				ends = true;
			}
			next = bits_trunc(insn->pc + insn->length, f->plan->region.pc_width);
			*insns += !ends;
		}
		cold = ends ? end : cold_in(shape, b, at, end);
		if (cold < end && ssa_calls_host(shape, cold)) {
			RegionExit exit = {NULL, next, true, next, true};

			if (!visit(ctx, &exit))
				return false;
		}
		if (ends || cold < end)
			continue;
		if (last->op == IR_OP_JMP) {
			path.reached[last->a] = true;
			path.behind[last->a] = next;
		} else if (last->op == IR_OP_BR) {
			path.reached[last->b] = path.reached[last->c] = true;
			path.behind[last->b] = path.behind[last->c] = next;
		} else if (last->op == IR_OP_GOTO) {
			RegionExit exit = {last, shape->gotos[b].pc, shape->gotos[b].known, next, false};

			if (!visit(ctx, &exit))
				return false;
		}
	}
	return true;
}

/* ---- The region ---- */

typedef struct Around {
	RegionFormer *f;
	u32 source;
} Around;

/* A call comes back there. */
static bool land(RegionFormer *f, u32 source)
{
	f->plan->region.sources[source].landing = true;
	return !f->failed && !f->stays;
}

static bool look_around(void *ctx, const RegionExit *exit)
{
	const Around *around = ctx;
	RegionFormer *f = around->f;
	bool leaves = false;
	u32 back;

	if (exit->host) {
		back = region_want(f, exit->behind);
		return back ? land(f, back - 1) : !f->failed;
	}
	if (!exit->jump)
		return true;
	if (exit->jump->aux != IR_FLOW_CALL) {
		if (exit->known)
			region_want(f, exit->to);
		return !f->failed;
	}
	back = region_want(f, exit->behind);
	if (!back)
		return !f->failed;
	if (!region_take_in(f, around->source, exit, back, &leaves) || leaves)
		return land(f, back - 1);
	return !f->failed;
}

bool region_look_around(RegionFormer *f, u32 first)
{
	const SsaRegion *region = &f->plan->region;
	u32 insns = 0;

	for (u32 i = first; i < region->count; i++) {
		Around around = {f, i};

		if (!region->sources[i].copy && !region_follow(f, &region->sources[i], look_around, &around, &insns))
			return false;
	}
	return true;
}

/* ---- Loops ---- */

typedef struct Loop {
	u64 pc, behind; /* its source's; behind the last jump back */
	bool back, calls;
} Loop;

static bool look_for_loop(void *ctx, const RegionExit *exit)
{
	Loop *loop = ctx;

	if (!exit->jump)
		return true;
	loop->calls |= exit->jump->aux == IR_FLOW_CALL;
	if (exit->known && exit->to == loop->pc) {
		loop->back = true;
		loop->behind = exit->behind;
	}
	return true;
}

/* Does it jump to where it begins? */
static bool jumps_back(const SsaSource *source)
{
	for (u32 i = 0; i < source->shape->order_count; i++) {
		const SsaGoto *to = &source->shape->gotos[source->shape->order[i]];

		if (to->known && to->pc == source->pc)
			return true;
	}
	return false;
}

/* The number (in func) of the instruction at pc, in what follows `begin`; 0: there is none. */
static u32 number_of(const SsaSource *source, u64 pc)
{
	u64 at;

	for (u32 i = source->begin + 1; i < source->func->ins_count; i++)
		if (source->func->ins[i].op == IR_OP_INSN && ir_is_const(source->func, source->func->ins[i].a, &at) && at == pc)
			return source->func->ins[i].b;
	return 0;
}

/* A loop that comes round often has its first round ahead of it: what goes round in it was made alike, then, wherever it comes from
 * (ssa_sink.c). */
static void unroll(RegionFormer *f, u32 index, bool comes_round)
{
	SsaRegion *region = &f->plan->region;
	Loop loop = {.pc = region->sources[index].pc};
	u32 insns = 0, keep, copies, first = region->count;
	SsaLink *links;
	RegionSpot *spot;

	if (region->sources[index].copy || region->sources[index].link_count || !jumps_back(&region->sources[index]) ||
	    !region_follow(f, &region->sources[index], look_for_loop, &loop, &insns) || !loop.back || loop.calls)
		return;
	keep = number_of(&region->sources[index], loop.behind);
	if (keep)
		insns = keep - region->sources[index].func->ins[region->sources[index].begin].b;
	if (insns > (comes_round ? REGION_PEEL_INSNS : UNROLL_INSNS))
		return;
	copies = insns > UNROLL_INSNS / 2 ? 1 : 3;
	copies += comes_round && insns <= UNROLL_INSNS;
	links = ARENA_ARRAY(f->arena, SsaLink, copies + 1);
	if (!links || region->count + copies + 1 > f->most || !region_more_sources(f, copies + 1)) {
		f->failed = f->failed || !links;
		return;
	}
	/* What comes behind the loop is there once. */
	spot = region_spot(f, loop.behind);
	if (keep && spot->code && !spot->source)
		spot->source = region_add_source(f, spot, 0);
	first = region->count;
	for (u32 i = 0; i < copies; i++) {
		region->sources[region->count] = region->sources[index];
		region->sources[region->count].landing = false;
		region->sources[region->count].copy = ++f->copies;
		region->sources[region->count++].keep = keep;
	}
	for (u32 i = 0; i <= copies; i++) {
		SsaSource *source = &region->sources[i ? first + i - 1 : index];

		links[i] = (SsaLink){loop.pc, i < copies ? first + i : comes_round ? first : index};
		source->links = &links[i];
		source->link_count = 1;
	}
}

/* ---- Ways into loops ---- */

typedef struct Edges {
	RegionFormer *f;
	RegionEdge *list;
	u32 count, cap, source;
} Edges;

static void put_edge(Edges *edges, u32 to)
{
	if (arena_grow(edges->f->arena, (void **)&edges->list, &edges->cap, edges->count, sizeof(RegionEdge)))
		edges->list[edges->count++] = (RegionEdge){edges->source, to};
	else
		edges->f->failed = true;
}

static bool add_edge(void *ctx, const RegionExit *exit)
{
	Edges *edges = ctx;
	RegionFormer *f = edges->f;
	const SsaSource *source = &f->plan->region.sources[edges->source];
	u32 to = exit->known ? region_spot(f, exit->to)->source : 0;

	if (exit->jump && exit->jump->aux == IR_FLOW_CALL)
		to = region_spot(f, exit->behind)->source;
	if (to)
		put_edge(edges, to - 1);
	for (u32 i = 0; i < source->guess_count && exit->jump && !exit->known && exit->jump->aux == IR_FLOW_JUMP; i++)
		put_edge(edges, source->guesses[i].source);
	return !f->failed;
}

static const bool *turn(RegionFormer *f)
{
	SsaRegion *region = &f->plan->region;
	u32 count = region->count, *insns = ARENA_ARRAY(f->arena, u32, count + 1);
	RegionTurn turn = {.region = region, .copies = f->copies, .insns = insns, .arena = f->arena};
	Edges edges = {.f = f};

	if (!insns) {
		f->failed = true;
		return NULL;
	}
	for (u32 i = 0; i < count; i++) {
		edges.source = i;
		if (!region->sources[i].copy && !region_follow(f, &region->sources[i], add_edge, &edges, &insns[i]))
			return NULL;
	}
	if (!region_more_sources(f, 3 * count + 64 < REGION_SOURCES - count ? 3 * count + 64 : REGION_SOURCES - count))
		return NULL;
	turn.room = f->source_cap;
	turn.edges = edges.list;
	turn.edge_count = edges.count;
	if (!region_turn(&turn)) {
		f->failed = true;
		return NULL;
	}
	f->copies = turn.copies;
	for (u32 i = 0; i < count; i++)
		if (turn.moved[i] != i)
			region_spot(f, region->sources[i].pc)->source = turn.moved[i] + 1;
	return turn.comes_round;
}

/* What passes over memory may know of the spaces. Sizes do not change while compiled code runs, those of wrapping ones never. */
static bool describe_spaces(RegionFormer *f)
{
	u32 count = f->vcpu->space_count;
	SsaSpace *spaces = ARENA_ARRAY(f->arena, SsaSpace, count + 1);

	if (!spaces)
		return false;
	for (u32 i = 0; i < count; i++) {
		const Space *space = &f->vcpu->spaces[i];

		spaces[i] = (SsaSpace){.cell_bits = space->cell_bits, .address_bits = 64};
		if (f->engine->env.paged && i == f->engine->env.code_space)
			spaces[i].limit = f->engine->env.pages << SPACE_PAGE_SHIFT;
		if (space->wraps)
			for (spaces[i].address_bits = 0; (u64)1 << spaces[i].address_bits < space->cells;)
				spaces[i].address_bits++;
	}
	f->plan->region.spaces = spaces;
	f->plan->region.space_count = count;
	f->plan->region.stored_spaces = ~(u64)0;
	return true;
}

static bool prepare(RegionFormer *f, const JitBlock *head)
{
	Engine *engine = f->engine;
	SsaRegion *region = &f->plan->region;

	f->slot_width = ARENA_ARRAY(f->arena, u8, engine->slot_count + 1);
	if (!f->slot_width || !more_spots(f, 0) || !region_more_sources(f, 1))
		return false;
	memset(f->slot_width, 64, engine->slot_count);
	region->slot_count = engine->slot_count;
	region->slot_width = f->slot_width;
	region->context = head->context;
	region->flags_slot = engine->flags_slot;
	region->pin_of = engine->pin_of;
	region->values_most[0] = engine->target->values_most[0];
	region->values_most[1] = engine->target->values_most[1];
	region->fma = engine->has_fma;
	region->careful = head->careful;
	region->wide = engine->has_wide;
	region->flag_moves = engine->target->flag_moves && engine->flags_slot && engine->pin_of[engine->flags_slot] == JIT_NO_PIN;
	region->heat_most = engine->hot;
	region->atomics = engine->target->atomics;
	if (engine->hard && engine->env.code_space < 64)
		region->hard_spaces = (u64)1 << engine->env.code_space;
	return describe_spaces(f);
}

bool region_form(Engine *engine, Vcpu *vcpu, const JitBlock *head, Arena *arena, RegionPlan *out)
{
	RegionFormer f = {.engine = engine, .vcpu = vcpu, .arena = arena, .plan = out, .context = head->context, .shortest = ~(u32)0};
	SsaRegion *region = &out->region;
	const bool *comes_round;
	u32 known;

	*out = (RegionPlan){0};
	f.guesses = head->promoted <= GUESSED_MOST;
	f.most = engine->env.options && engine->env.options->region ? engine->env.options->region : REGION_SOURCES;
	if (f.most > REGION_SOURCES)
		f.most = REGION_SOURCES;
	if (engine->slot_count > SSA_SLOTS_MOST || !prepare(&f, head) || !region_want(&f, head->pc))
		return false;
	if (!region_look_around(&f, 0))
		return false;
	region_take_forks(&f);
	if (f.failed)
		return false;
	known = region->count;
	comes_round = turn(&f);
	for (u32 i = 0, count = region->count; i < count && !f.failed; i++)
		unroll(&f, i, comes_round && i < known && comes_round[i]);
	if (!f.failed)
		region_part_ways(&f);
	return !f.failed;
}
