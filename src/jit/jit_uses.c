/* SPDX-License-Identifier: MIT
 *
 * What the code so far does with each slot, weighed by how often it ran: by that registers are settled (jit_pins.c).
 *
 * How often a block ran is known of those that are counted: what is called, or jumped back to. From there it is passed on along
 * the jumps that are chained; where a block goes on in several places each gets its share, and what stands behind a call all of it.
 *
 * What a register is good for depends on the region that the code will be part of, of which nothing is known yet. Inside it
 * every slot may have a register, pinned or not: what counts is where control comes in, and where it leaves. So what is counted is each
 * write (the value has to go home by the next call or return), and once the read of what the block has not written (it may have to
 * be fetched). Held against the counted instructions of regions with hundreds of random choices of registers, that told
 * what a slot is worth better than all of its uses did; and better still where heat is not taken at its full value: the hottest
 * loop has its values in registers anyway (HEAT_PARTS).
 *
 * A parked slot is saved by one store, restored by one load, and copied; to compute with it takes a move more than from memory.
 */
#include "jit/jit_pins.h"

#include <stdlib.h>

enum {
	USES_MOST = 64,     /* slots of one block; what is beyond does not count */
	ROUNDS = 4,         /* of passing heat on, in the order of pc */
	HEAT_PARTS = 16,    /* this part of Engine.hot is as hot as anything counts */
	MOVED = 5,          /* is worth to a parked slot what so many computing reads and writes cost it */
};

typedef struct JitUse {
	u16 slot;
	u16 reads, writes;
	u16 saves, restores; /* of these, what is only stored or copied; what is loaded or copied */
	bool read_first;
} JitUse;

struct JitUses {
	u64 heat;
	u32 ways;           /* that it is passed on to */
	bool calls;
	u32 count;
	JitUse uses[];
};

/* ---- What a block does ---- */

static JitUse *use_of(JitUse *uses, u32 *count, const IrIns *ins)
{
	for (u32 i = 0; i < *count; i++)
		if (uses[i].slot == ins->aux)
			return &uses[i];
	if (*count == USES_MOST)
		return NULL;
	uses[*count] = (JitUse){.slot = ins->aux, .read_first = ins->op == IR_OP_GET};
	return &uses[(*count)++];
}

static const IrIns *made_by(const IrFunc *func, IrRef ref, IrOp op)
{
	return ref & IR_CONST_BIT || func->ins[ref].op != op ? NULL : &func->ins[ref];
}

static void note_save(const IrFunc *func, IrRef value, JitUse *uses, u32 *count)
{
	const IrIns *get = made_by(func, value, IR_OP_GET);
	JitUse *use = get ? use_of(uses, count, get) : NULL;

	if (use)
		use->saves++;
}

static void note_ins(const IrFunc *func, const IrIns *ins, u32 slot_count, JitUse *uses, u32 *count)
{
	JitUse *use = (ins->op == IR_OP_GET || ins->op == IR_OP_PUT) && ins->aux < slot_count ? use_of(uses, count, ins) : NULL;

	if (ins->op == IR_OP_STORE)
		note_save(func, ins->b, uses, count);
	if (!use)
		return;
	if (ins->op == IR_OP_GET) {
		use->reads++;
		return;
	}
	use->writes++;
	use->restores += made_by(func, ins->a, IR_OP_LOAD) || made_by(func, ins->a, IR_OP_GET);
	note_save(func, ins->a, uses, count);
}

void jit_uses_note(Engine *engine, JitBlock *block, const IrFunc *func)
{
	JitUse uses[USES_MOST];
	u32 count = 0;
	bool calls = false;

	if (engine->settled)
		return;
	for (u32 i = 0; i < func->ins_count; i++) {
		note_ins(func, &func->ins[i], engine->slot_count, uses, &count);
		calls |= func->ins[i].op == IR_OP_GOTO && func->ins[i].aux == IR_FLOW_CALL;
	}
	block->uses = arena_room(&engine->blocks, sizeof *block->uses + count * sizeof *uses);
	if (!block->uses)
		return;
	*block->uses = (struct JitUses){.calls = calls, .count = count};
	for (u32 i = 0; i < count; i++)
		block->uses->uses[i] = uses[i];
}

/* ---- How often it ran ---- */

typedef struct Blocks {
	JitBlock **list;
	u32 count;
} Blocks;

static int by_pc(const void *a, const void *b)
{
	const JitBlock *const *one = a, *const *two = b;

	if ((*one)->pc != (*two)->pc)
		return (*one)->pc < (*two)->pc ? -1 : 1;
	return (*one)->context < (*two)->context ? -1 : (*one)->context > (*two)->context;
}

static bool is_counted(const Engine *engine, const JitBlock *block)
{
	return block->counter && *block->counter <= jit_counter_begin(engine);
}

static u32 ways_of(const Engine *engine, const JitBlock *block)
{
	u32 ways = 0;

	for (u32 i = 0; i < block->exit_count; i++) {
		const JitExit *exit = engine->exits[block->first_exit + i];

		ways += exit->kind == JIT_EXIT_LINK && exit->target;
	}
	return block->uses->calls || !ways ? 1 : ways;
}

static bool list_blocks(Engine *engine, Arena *arena, Blocks *blocks)
{
	blocks->list = ARENA_ROOM(arena, JitBlock *, engine->block_count + 1);
	if (!blocks->list)
		return false;
	for (u32 i = 0; i < engine->hash_cap; i++)
		for (JitBlock *block = engine->hash[i]; block; block = block->hash_next)
			if (block->uses && blocks->count < engine->block_count)
				blocks->list[blocks->count++] = block;
	qsort(blocks->list, blocks->count, sizeof(JitBlock *), by_pc);
	for (u32 i = 0; i < blocks->count; i++) {
		JitBlock *block = blocks->list[i];

		block->uses->ways = ways_of(engine, block);
		block->uses->heat = is_counted(engine, block) ? jit_counter_begin(engine) - *block->counter : 0;
	}
	return true;
}

static void pass_heat_on(const Engine *engine, const Blocks *blocks)
{
	bool changed = true;

	for (u32 round = 0; round < ROUNDS && changed; round++) {
		changed = false;
		for (u32 i = 0; i < blocks->count; i++) {
			JitBlock *block = blocks->list[i];
			u64 heat = 0;

			if (is_counted(engine, block))
				continue;
			for (const JitExit *exit = block->incoming; exit; exit = exit->next)
				heat += exit->owner->uses ? exit->owner->uses->heat / exit->owner->uses->ways : 0;
			changed |= heat != block->uses->heat;
			block->uses->heat = heat;
		}
	}
}

/* ---- What that is worth ---- */

static void weigh(const struct JitUses *uses, u64 most, JitWorth *worth, u64 *computed)
{
	u64 heat = uses->heat < 1 ? 1 : uses->heat < most ? uses->heat : most;

	for (u32 i = 0; i < uses->count; i++) {
		const JitUse *use = &uses->uses[i];
		u32 moved = use->saves + use->restores, all = use->reads + use->writes;

		worth->pin[use->slot] += heat * (use->writes + use->read_first);
		worth->park[use->slot] += heat * MOVED * moved;
		computed[use->slot] += heat * (all > moved ? all - moved : 0);
	}
}

bool jit_uses_weigh(Engine *engine, Arena *arena, JitWorth *worth)
{
	u64 most = engine->hot / HEAT_PARTS ? engine->hot / HEAT_PARTS : 1;
	u64 *computed = ARENA_ARRAY(arena, u64, engine->slot_count);
	Blocks blocks = {0};

	worth->pin = ARENA_ARRAY(arena, u64, engine->slot_count);
	worth->park = ARENA_ARRAY(arena, u64, engine->slot_count);
	if (!computed || !worth->pin || !worth->park || !list_blocks(engine, arena, &blocks))
		return false;
	pass_heat_on(engine, &blocks);
	for (u32 i = 0; i < blocks.count; i++)
		weigh(blocks.list[i]->uses, most, worth, computed);
	for (u32 slot = 0; slot < engine->slot_count; slot++)
		worth->park[slot] = worth->park[slot] > computed[slot] ? worth->park[slot] - computed[slot] : 0;
	return true;
}

/* ---- Counters ---- */

/* A table by hash of pc. */
struct JitResumed {
	u64 pc, context;
	u32 left;            /* 0: nobody is here, .. */
	bool gone;           /* .. or not any more */
};

static struct JitResumed *place_of(const Engine *engine, u64 pc, u64 context)
{
	u32 at = (u32)(pc * 0x9E3779B97F4A7C15u >> 40) & (engine->resumed_cap - 1);

	while (engine->resumed[at].left && (engine->resumed[at].pc != pc || engine->resumed[at].context != context))
		at = (at + 1) & (engine->resumed_cap - 1);
	return &engine->resumed[at];
}

static void resume_later(Engine *engine, const JitBlock *block)
{
	if (engine->resumed)
		*place_of(engine, block->pc, block->context) =
			(struct JitResumed){.pc = block->pc, .context = block->context, .left = *block->counter ? *block->counter : 1};
}

void jit_uses_rearm(Engine *engine)
{
	const u32 begin = jit_counter_begin(engine);
	u32 cap = 64;

	while (cap < engine->block_count * 2)
		cap *= 2;
	free(engine->resumed);
	engine->resumed = calloc(cap, sizeof *engine->resumed); /* NULL: they begin anew */
	engine->resumed_cap = cap;
	for (u32 i = 0; i < engine->hash_cap; i++)
		for (JitBlock *block = engine->hash[i]; block; block = block->hash_next)
			if (block->counter && *block->counter <= begin) {
				*block->counter += engine->hot - begin;
				resume_later(engine, block);
			}
}

void jit_uses_resume(Engine *engine, JitBlock *block)
{
	struct JitResumed *place = engine->resumed && block->counter ? place_of(engine, block->pc, block->context) : NULL;

	if (!place || !place->left || place->gone)
		return;
	*block->counter = place->left;
	place->gone = true;
}

void jit_uses_fini(Engine *engine)
{
	free(engine->resumed);
	engine->resumed = NULL;
}
