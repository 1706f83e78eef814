/* SPDX-License-Identifier: MIT */
#include "jit/jit_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "jit/jit_background.h"
#include "jit/jit_life.h"

enum {
	STORE_BYTES = 32 << 20, /* of templates; more, and all are forgotten */
	FIRST_HASH = 1 << 12,
	VERSIONS = 6,           /* of the code at one pc, */
	LONGEST = 40,           /* and of all that meet in one place of the table: a guest may write code without end */
};

typedef struct StoredExit {
	u64 pc;
	u32 site, stub; /* behind the entry; 0: none */
	u32 refund;
	u8 kind, back, why, op;
} StoredExit;

/* Behind it: exits, faults, moves, guest's bytes, host's bytes. */
typedef struct JitTemplate {
	struct JitTemplate *next;
	u64 pc, context;
	u32 cells, insns, size, body; /* body: behind the entry */
	u16 exit_count, fault_count, move_count;
	bool counted, has_counter, hard, lists_faults, cold, dirty;
	u8 why, op;
	StoredExit *exits;
	JitFault *faults;
	JitMove *moves;
	u8 *guest, *host;
} JitTemplate;

/* What code depends on besides its own bytes. */
typedef struct Settings {
	u32 slot_count, pin_count, pinned[JIT_PINS], flags_slot;
	u32 leave, miss, miss_call, lookup, evaluate, start; /* where the common code is: the same for the same registers */
} Settings;

struct EngineStore {
	Arena arena;
	JitTemplate **hash; /* owned */
	u32 hash_cap, count;
	u64 epoch;          /* of the settings; 0: there are none */
	Settings settings;
	u32 engines;        /* that ever were: what runs alone shares nothing */
	JitBackground *background; /* owned; NULL: nobody has asked yet */
};

EngineStore *jit_store_create(void)
{
	EngineStore *store = calloc(1, sizeof(*store));

	if (store)
		arena_init(&store->arena);
	return store;
}

void jit_store_destroy(EngineStore *store)
{
	if (!store)
		return;
	jit_background_destroy(store->background);
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
}

/* ---- Settings ---- */

static Settings settings_of(const Engine *engine)
{
	Settings settings = { .slot_count = engine->slot_count, .pin_count = engine->pin_count, .flags_slot = engine->flags_slot,
			      .leave = engine->leave, .miss = engine->miss, .miss_call = engine->miss_call,
			      .lookup = engine->lookup, .evaluate = engine->evaluate, .start = engine->start };

	memcpy(settings.pinned, engine->pinned, engine->pin_count * sizeof(u32));
	return settings;
}

bool jit_store_has_others(Engine *engine)
{
	EngineStore *store = engine->env.store;

	if (store && !engine->joined)
		store->engines++;
	engine->joined = store != NULL;
	return store && store->engines > 1;
}

bool jit_store_adopt(Engine *engine, u32 slot_count)
{
	EngineStore *store = engine->env.store;

	if (!store)
		return false;
	jit_store_has_others(engine);
	if (!store->epoch || store->settings.slot_count != slot_count ||
	    (engine->flags_slot && engine->flags_slot != store->settings.flags_slot))
		return false;
	engine->pin_count = store->settings.pin_count;
	memcpy(engine->pinned, store->settings.pinned, sizeof engine->pinned);
	engine->flags_slot = store->settings.flags_slot;
	engine->store_epoch = store->epoch;
	return true;
}

void jit_store_settle(Engine *engine)
{
	EngineStore *store = engine->env.store;
	Settings settings = settings_of(engine);

	engine->store_epoch = 0;
	if (!store || !engine->settled || engine->without)
		return;
	/* Whoever knows where the flags are knows more. */
	if (!store->epoch || (!store->settings.flags_slot && settings.flags_slot)) {
		forget(store);
		store->settings = settings;
		store->epoch++;
	}
	if (memcmp(&settings, &store->settings, sizeof settings) == 0)
		engine->store_epoch = store->epoch;
}

/* Watchers want to see how a piece came about; an instruction that asks softly was compiled anew for that. */
static bool shares(const Engine *engine)
{
	const EngineStore *store = engine->env.store;

	return store && store->engines > 1 && engine->store_epoch && engine->store_epoch == store->epoch && !engine->without &&
	       !engine->has_softly && !jit_is_watched(engine) && engine->env.has_code;
}

/* ---- Templates ---- */

static u32 hash_of(u64 pc, u64 context, bool counted)
{
	return (u32)(((pc * 2 + counted) ^ context << 40) * 0x9E3779B97F4A7C15u >> 32);
}

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
			u32 at = hash_of(t->pc, t->context, t->counted) & (cap - 1);

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
			*at = (*at)->next;
			store->count--;
		} else {
			at = &(*at)->next;
		}
	}
}

static JitTemplate *new_template(EngineStore *store, const JitBlock *block, u32 exits, u32 faults, u32 moves)
{
	size_t bytes = sizeof(JitTemplate) + exits * sizeof(StoredExit) + faults * sizeof(JitFault) + moves * sizeof(JitMove) +
		       block->cells + block->size;
	u8 *at;
	JitTemplate *t;

	if (store->arena.total + bytes > STORE_BYTES)
		forget(store);
	at = make_place(store) ? arena_alloc(&store->arena, bytes) : NULL;
	if (!at)
		return NULL;
	t = (JitTemplate *)(void *)at;
	*t = (JitTemplate){ .exit_count = (u16)exits, .fault_count = (u16)faults, .move_count = (u16)moves };
	t->exits = (StoredExit *)(void *)(at += sizeof(JitTemplate));
	t->faults = (JitFault *)(void *)(at += exits * sizeof(StoredExit));
	t->moves = (JitMove *)(void *)(at += faults * sizeof(JitFault));
	t->guest = at += moves * sizeof(JitMove);
	t->host = at + block->cells;
	return t;
}

void jit_store_put(Engine *engine, const Vcpu *vcpu, const JitBlock *block, bool counted, u32 faults)
{
	const Space *space = &vcpu->spaces[engine->env.code_space];
	EngineStore *store = engine->env.store;
	u32 exits = block->cold ? 0 : block->exit_count, listed = block->cold ? 0 : engine->faults.count - faults;
	u32 moves = block->cold ? 0 : engine->move_count, at;
	JitTemplate *t;

	if (!shares(engine) || engine->moves_failed || exits > 0xFFFF || listed > 0xFFFF ||
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
	for (u32 i = 0; i < exits; i++) {
		const JitExit *exit = engine->exits[block->first_exit + i];

		t->exits[i] = (StoredExit){ .pc = exit->pc, .site = exit->site ? exit->site - block->entry : 0,
					    .stub = exit->stub ? exit->stub - block->entry : 0, .refund = exit->refund,
					    .kind = exit->kind, .back = exit->back, .why = exit->why, .op = exit->op };
	}
	for (u32 i = 0; i < listed; i++)
		t->faults[i] = (JitFault){ engine->faults.list[faults + i].at - block->entry,
					   engine->faults.list[faults + i].to - block->entry };
	if (moves)
		memcpy(t->moves, engine->moves, moves * sizeof(JitMove));
	memcpy(t->guest, space->base + block->pc, block->cells);
	if (block->size)
		memcpy(t->host, engine->rw + block->entry, block->size);
	/* The displacements to common code become those from offset 0. */
	for (u32 i = 0; i < moves; i++) {
		u32 value;

		if (t->moves[i].kind != JIT_MOVE_OUT)
			continue;
		memcpy(&value, t->host + t->moves[i].at, 4);
		value += block->entry;
		memcpy(t->host + t->moves[i].at, &value, 4);
	}
	at = hash_of(t->pc, t->context, counted) & (store->hash_cap - 1);
	cut(store, &store->hash[at], t);
	t->next = store->hash[at];
	store->hash[at] = t;
	store->count++;
}

static void move(Engine *engine, const JitBlock *block, const JitTemplate *t)
{
	for (u32 i = 0; i < t->move_count; i++) {
		const JitMove *m = &t->moves[i];
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
		case JIT_MOVE_COUNTER:
		default:
			value = JIT_CODE_BYTES + (u32)(block->counter - engine->counters) * 4 - (block->entry + m->at + 4);
		}
		memcpy(at, &value, 4);
	}
}

static const JitTemplate *find(Engine *engine, u64 pc, u64 context, bool counted)
{
	const EngineStore *store = engine->env.store;
	const JitTemplate *t = store->hash ? store->hash[hash_of(pc, context, counted) & (store->hash_cap - 1)] : NULL;

	for (; t; t = t->next)
		if (t->pc == pc && t->context == context && t->counted == counted && t->hard == engine->hard &&
		    t->lists_faults == engine->lists_faults && engine->env.has_code(engine->env.ctx, pc, t->guest, t->cells))
			return t;
	return NULL;
}

/* Everything as the compiler would have left it. */
static bool make(Engine *engine, JitBlock *block, const JitTemplate *t)
{
	for (u32 i = 0; i < t->exit_count; i++) {
		const StoredExit *from = &t->exits[i];
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
	for (u32 i = 0; i < t->fault_count; i++)
		if (!jit_faults_add(&engine->faults, t->faults[i].at + block->entry, t->faults[i].to + block->entry))
			return false;
	if (!t->size)
		return true;
	jit_memory_write(engine);
	memcpy(engine->rw + block->entry, t->host, t->size);
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
	if (make(engine, block, t))
		return block;
	engine->faults.count = faults; /* what else was made is nobody's */
	return NULL;
}
