/* SPDX-License-Identifier: MIT */
#include "jit/jit_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "jit/jit_background.h"
#include "jit/jit_disk.h"
#include "jit/jit_life.h"

enum {
	STORE_BYTES = 32 << 20, /* of templates; more, and all are forgotten */
	STORE_DISK_BYTES = 64 << 20, /* if they come on disk */
	FIRST_HASH = 1 << 12,
	VERSIONS = 6,           /* of the code at one pc, */
	LONGEST = 40,           /* and of all that meet in one place of the table: a guest may write code without end */
};

struct EngineStore {
	Arena arena;
	JitTemplate **hash; /* owned */
	u32 hash_cap, count;
	u64 epoch;          /* of the settings; 0: there are none */
	JitStoreSettings settings;
	u32 engines;        /* that ever were: what runs alone shares nothing */
	JitTemplate *oldest, **newest; /* those made here, in order */
	JitBackground *background; /* owned; NULL: nobody has asked yet */
	JitDisk *disk;             /* borrowed from the options; NULL: none */
	bool looked;               /* for it */
};

EngineStore *jit_store_create(void)
{
	EngineStore *store = calloc(1, sizeof(*store));

	if (store) {
		arena_init(&store->arena);
		store->newest = &store->oldest;
	}
	return store;
}

void jit_store_destroy(EngineStore *store)
{
	if (!store)
		return;
	jit_background_destroy(store->background);
	if (store->disk && store->epoch)
		jit_disk_save(store->disk, &store->settings, store->oldest);
	arena_fini(&store->arena);
	free(store->hash);
	free(store);
}

JitBackground *jit_store_background(EngineStore *store)
{
	if (!store->background)
		store->background = jit_background_create();
	return store->background;
}

static void forget(EngineStore *store)
{
	arena_fini(&store->arena);
	arena_init(&store->arena);
	if (store->hash)
		memset(store->hash, 0, store->hash_cap * sizeof(JitTemplate *));
	store->count = 0;
	store->oldest = NULL;
	store->newest = &store->oldest;
}

/* ---- Settings ---- */

static JitStoreSettings settings_of(const Engine *engine)
{
	JitStoreSettings settings = { .slot_count = engine->slot_count, .pin_count = engine->pin_count,
			      .park_count = engine->park_count, .flags_slot = engine->flags_slot,
			      .leave = engine->leave, .miss = engine->miss, .miss_call = engine->miss_call,
			      .lookup = engine->lookup, .evaluate = engine->evaluate, .start = engine->start };

	memcpy(settings.pinned, engine->pinned, engine->pin_count * sizeof(u32));
	memcpy(settings.parked, engine->parked, engine->park_count * sizeof(u32));
	return settings;
}

bool jit_store_has_others(Engine *engine)
{
	EngineStore *store = engine->env.store;

	if (store && !engine->joined)
		store->engines++;
	engine->joined = store != NULL;
	return store && (store->engines > 1 || (engine->env.options && engine->env.options->disk));
}

/* What an earlier run left: its choice of registers is taken over, and its blocks are there. */
static void look_for_disk(EngineStore *store, const Engine *engine, u32 slot_count)
{
	JitDisk *disk = engine->env.options ? engine->env.options->disk : NULL;

	store->looked = true;
	/* What is compiled may depend on the shapes of other spaces. */
	if (!disk || !engine->env.has_code || engine->env.space_count != 1)
		return;
	store->disk = disk;
	if (jit_disk_load(disk, engine, slot_count, &store->settings))
		store->epoch = 1;
}

bool jit_store_adopt(Engine *engine, u32 slot_count)
{
	EngineStore *store = engine->env.store;

	if (!store)
		return false;
	if (!store->looked)
		look_for_disk(store, engine, slot_count);
	jit_store_has_others(engine);
	if (!store->epoch || store->settings.slot_count != slot_count ||
	    (engine->flags_slot && engine->flags_slot != store->settings.flags_slot))
		return false;
	engine->pin_count = store->settings.pin_count;
	memcpy(engine->pinned, store->settings.pinned, sizeof engine->pinned);
	engine->park_count = store->settings.park_count;
	memcpy(engine->parked, store->settings.parked, sizeof engine->parked);
	engine->flags_slot = store->settings.flags_slot;
	engine->store_epoch = store->epoch;
	return true;
}

void jit_store_adopted(Engine *engine)
{
	EngineStore *store = engine->env.store;
	JitStoreSettings settings = settings_of(engine);

	if (engine->without || !memcmp(&settings, &store->settings, sizeof settings))
		return;
	/* The common code is not what it was. */
	engine->store_epoch = 0;
	if (store->disk && store->engines <= 1) {
		jit_disk_forget(store->disk);
		store->epoch = 0;
		jit_store_settle(engine);
	}
}

void jit_store_settle(Engine *engine)
{
	EngineStore *store = engine->env.store;
	JitStoreSettings settings = settings_of(engine);

	engine->store_epoch = 0;
	if (!store || !engine->settled || engine->without)
		return;
	/* Whoever knows where the flags are knows more. */
	if (!store->epoch || (!store->settings.flags_slot && settings.flags_slot)) {
		forget(store);
		if (store->disk)
			jit_disk_forget(store->disk);
		store->settings = settings;
		store->epoch++;
	}
	if (memcmp(&settings, &store->settings, sizeof settings) == 0)
		engine->store_epoch = store->epoch;
}

/* Watchers want to see how a piece came about. */
static bool shares(const Engine *engine)
{
	const EngineStore *store = engine->env.store;

	return store && (store->engines > 1 || store->disk) && engine->store_epoch && engine->store_epoch == store->epoch &&
	       !engine->without && !jit_is_watched(engine) && engine->env.has_code;
}

/* Code with an instruction that asks softly was compiled anew for that. */
static bool asks_softly(const Engine *engine, u64 pc, u64 cells)
{
	for (u64 i = 0; engine->has_softly && i < cells; i++)
		if (engine->softly[jit_soft_hash(pc + i) / 64] >> jit_soft_hash(pc + i) % 64 & 1)
			return true;
	return false;
}

/* ---- Templates ---- */

/* A table that can't grow only gets slower. */
static bool make_place(EngineStore *store)
{
	u32 cap = store->hash_cap ? store->hash_cap * 2 : FIRST_HASH;
	JitTemplate **hash;

	if (store->count < store->hash_cap)
		return true;
	hash = calloc(cap, sizeof(JitTemplate *));
	if (!hash)
		return store->hash != NULL;
	for (u32 i = 0; i < store->hash_cap; i++)
		for (JitTemplate *t = store->hash[i], *next; t; t = next) {
			u32 at = jit_template_hash(t->pc, t->context, t->counted) & (cap - 1);

			next = t->next;
			t->next = hash[at];
			hash[at] = t;
		}
	free(store->hash);
	store->hash = hash;
	store->hash_cap = cap;
	return true;
}

void jit_store_begin(Engine *engine)
{
	engine->move_count = 0;
	engine->moves_failed = false;
}

void jit_store_move(Engine *engine, u32 at, JitMoveKind kind, u32 index)
{
	if (!engine->env.store)
		return;
	if (index > 0xFFFF || engine->move_count == 0xFFFF ||
	    !array_grow((void **)&engine->moves, &engine->move_cap, engine->move_count, sizeof(JitMove)))
		engine->moves_failed = true;
	else
		engine->moves[engine->move_count++] = (JitMove){ .at = at, .kind = (u16)kind, .index = (u16)index };
}

/* The newest stay. */
static void cut(EngineStore *store, JitTemplate **at, const JitTemplate *like)
{
	u32 versions = 0, length = 0;

	while (*at) {
		bool same = (*at)->pc == like->pc && (*at)->context == like->context && (*at)->counted == like->counted;

		length++;
		if ((same && ++versions >= VERSIONS) || length >= LONGEST) {
			(*at)->dropped = true;
			*at = (*at)->next;
			store->count--;
		} else {
			at = &(*at)->next;
		}
	}
}

static JitTemplate *new_template(EngineStore *store, const JitBlock *block, u32 exits, u32 faults, u32 moves)
{
	size_t bytes = sizeof(JitTemplate) + exits * sizeof(JitStoredExit) + faults * sizeof(JitFault) + moves * sizeof(JitMove) +
		       block->cells + block->size;
	JitTemplate *t;

	bytes = (bytes + 15) & ~(size_t)15;
	if (store->disk && store->arena.total + bytes > STORE_DISK_BYTES)
		return NULL; /* what was met first is worth keeping */
	if (!store->disk && store->arena.total + bytes > STORE_BYTES)
		forget(store);
	t = make_place(store) ? arena_alloc(&store->arena, bytes) : NULL;
	if (t)
		*t = (JitTemplate){ .bytes = (u32)bytes, .exit_count = (u16)exits, .fault_count = (u16)faults,
				    .move_count = (u16)moves };
	return t;
}

void jit_store_put(Engine *engine, const Vcpu *vcpu, const JitBlock *block, bool counted, u32 faults)
{
	const Space *space = &vcpu->spaces[engine->env.code_space];
	EngineStore *store = engine->env.store;
	u32 exits = block->cold ? 0 : block->exit_count, listed = block->cold ? 0 : engine->faults.count - faults;
	u32 moves = block->cold ? 0 : engine->move_count, at;
	JitTemplate *t;

	if (!shares(engine) || asks_softly(engine, block->pc, block->cells) || engine->moves_failed || exits > 0xFFFF || listed > 0xFFFF ||
	    !engine->env.has_code(engine->env.ctx, block->pc, space->base + block->pc, block->cells))
		return;
	t = new_template(store, block, exits, listed, moves);
	if (!t)
		return;
	t->pc = block->pc;
	t->context = block->context;
	t->cells = (u32)block->cells;
	t->insns = block->insns;
	t->size = block->size;
	t->body = block->body - block->entry;
	t->counted = counted;
	t->has_counter = block->counter != NULL;
	t->hard = engine->hard;
	t->lists_faults = engine->lists_faults;
	t->cold = block->cold;
	t->dirty = block->dirty;
	t->why = block->why;
	t->op = block->op;
	t->floats = engine->floats;
	for (u32 i = 0; i < exits; i++) {
		const JitExit *exit = engine->exits[block->first_exit + i];

		jit_template_exits(t)[i] = (JitStoredExit){ .pc = exit->pc, .site = exit->site ? exit->site - block->entry : 0,
					    .stub = exit->stub ? exit->stub - block->entry : 0, .refund = exit->refund,
					    .kind = exit->kind, .back = exit->back, .why = exit->why, .op = exit->op };
	}
	for (u32 i = 0; i < listed; i++)
		jit_template_faults(t)[i] = (JitFault){ engine->faults.list[faults + i].at - block->entry,
					   engine->faults.list[faults + i].to - block->entry };
	if (moves)
		memcpy(jit_template_moves(t), engine->moves, moves * sizeof(JitMove));
	memcpy(jit_template_guest(t), space->base + block->pc, block->cells);
	if (block->size)
		memcpy(jit_template_host(t), engine->rw + block->entry, block->size);
	/* The displacements to common code become those from offset 0. */
	for (u32 i = 0; i < moves; i++) {
		u8 *site = jit_template_host(t) + engine->moves[i].at;
		u32 value;

		if (engine->moves[i].kind != JIT_MOVE_OUT)
			continue;
		memcpy(&value, site, 4);
		value += block->entry;
		memcpy(site, &value, 4);
	}
	*store->newest = t;
	store->newest = &t->newer;
	at = jit_template_hash(t->pc, t->context, counted) & (store->hash_cap - 1);
	cut(store, &store->hash[at], t);
	t->next = store->hash[at];
	store->hash[at] = t;
	store->count++;
}

static void move(Engine *engine, const JitBlock *block, const JitTemplate *t)
{
	const void *constants = engine->target->constants;

	for (u32 i = 0; i < t->move_count; i++) {
		const JitMove *m = &jit_template_moves(t)[i];
		u8 *at = engine->rw + block->entry + m->at;
		u32 value;

		switch ((JitMoveKind)m->kind) {
		case JIT_MOVE_OUT:
			memcpy(&value, at, 4);
			value -= block->entry;
			break;
		case JIT_MOVE_EXIT:
			value = block->first_exit + m->index;
			break;
		case JIT_MOVE_CONSTANTS:
			memcpy(at, &constants, 8);
			continue;
		case JIT_MOVE_COUNTER: case JIT_MOVES:
		default:
			value = JIT_CODE_BYTES + (u32)(block->counter - engine->counters) * 4 - (block->entry + m->at + 4);
		}
		memcpy(at, &value, 4);
	}
}

static bool fits(const Engine *engine, const JitTemplate *t)
{
	return t->hard == engine->hard && t->lists_faults == engine->lists_faults && !asks_softly(engine, t->pc, t->cells) &&
	       engine->env.has_code(engine->env.ctx, t->pc, jit_template_guest(t), t->cells);
}

static const JitTemplate *find(Engine *engine, u64 pc, u64 context, bool counted)
{
	const EngineStore *store = engine->env.store;
	const JitTemplate *t = store->hash ? store->hash[jit_template_hash(pc, context, counted) & (store->hash_cap - 1)] : NULL;

	for (; t; t = t->next)
		if (t->pc == pc && t->context == context && t->counted == counted && fits(engine, t))
			return t;
	if (!store->disk)
		return NULL;
	for (JitTemplate *d = NULL; (d = jit_disk_find(store->disk, pc, context, counted, d));)
		if (fits(engine, d)) {
			d->age = 0;
			jit_count(engine, ENGINE_DISK_BLOCKS);
			return d;
		}
	return NULL;
}

/* Everything as the compiler would have left it. */
static bool make(Engine *engine, JitBlock *block, const JitTemplate *t)
{
	for (u32 i = 0; i < t->exit_count; i++) {
		const JitStoredExit *from = &jit_template_exits(t)[i];
		JitExit *exit = jit_exit_create(engine, block, (JitExitKind)from->kind, from->pc, from->refund);

		if (!exit)
			return false;
		exit->site = from->site ? from->site + block->entry : 0;
		exit->stub = from->stub ? from->stub + block->entry : 0;
		exit->back = from->back;
		exit->why = from->why;
		exit->op = from->op;
	}
	block->exit_count = t->exit_count;
	for (u32 i = 0; i < t->fault_count; i++) {
		const JitFault *fault = &jit_template_faults(t)[i];

		if (!jit_faults_add(&engine->faults, fault->at + block->entry, fault->to + block->entry))
			return false;
	}
	if (!t->size)
		return true;
	jit_memory_write(engine);
	memcpy(engine->rw + block->entry, jit_template_host(t), t->size);
	move(engine, block, t);
	engine->used += (t->size + 15) & ~15u;
	return true;
}

JitBlock *jit_store_take(Engine *engine, const Vcpu *vcpu, u64 pc, u64 context, bool counted)
{
	const Space *space = &vcpu->spaces[engine->env.code_space];
	const JitTemplate *t;
	JitBlock *block;
	u32 faults;

	if (!shares(engine))
		return NULL;
	engine->lists_faults = space->twice;
	engine->hard |= space->view != NULL;
	t = find(engine, pc, context, counted);
	if (!t)
		return NULL;
	block = t->size <= engine->limit - engine->used ? ARENA_NEW(&engine->blocks, JitBlock) : NULL;
	if (!block)
		return NULL;
	*block = (JitBlock){ .pc = pc, .context = context, .cells = t->cells, .insns = t->insns, .entry = engine->used,
			     .body = engine->used + t->body, .own = engine->used, .size = t->size, .why = t->why, .op = t->op,
			     .cold = t->cold, .dirty = t->dirty, .first_exit = engine->exit_count };
	if (t->has_counter) {
		block->counter = jit_counter_create(engine);
		if (!block->counter)
			return NULL;
	}
	faults = engine->faults.count;
	if (t->floats)
		jit_floats(engine);
	if (make(engine, block, t))
		return block;
	engine->faults.count = faults; /* what else was made is nobody's */
	return NULL;
}
