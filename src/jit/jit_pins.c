/* SPDX-License-Identifier: MIT
 *
 * Which slots live in registers of the host: seven are pinned, twelve parked (jit_private.h). All code holds the same ones, so
 * another choice is a flush.
 *
 *     first block   -> what the description names, or what that block uses
 *     some code     -> what the code so far names most, if that is clearly something else (jit_pins_look)
 *     half way hot  -> what is worth most by how often it ran (jit_uses.c), for good (jit_settle); then there are regions
 *
 * Who shares code with others settles at the second step: they wait for it, and all hold the same.
 */
#include "jit/jit_pins.h"

#include <stdlib.h>
#include <string.h>

#include "jit/jit_life.h"
#include "jit/jit_store.h"

enum { HELD_MORE = 6, HELD_LESS = 5 }; /* what is held counts so much more: code for other registers is all compiled anew */

static void count_uses(Engine *engine, const IrFunc *func)
{
	for (u32 i = 0; i < func->ins_count; i++)
		if ((func->ins[i].op == IR_OP_GET || func->ins[i].op == IR_OP_PUT) && func->ins[i].aux < engine->slot_count)
			engine->slot_uses[func->ins[i].aux]++;
}

/* The common code, which loads and stores the registers that are pinned. */
static void start_code(Engine *engine)
{
	engine->without = !engine->rw && !jit_memory_map(engine);
	if (!engine->without) {
		jit_memory_write(engine);
		engine->without = !engine->target->start(engine);
	}
	if (engine->without)
		return;
	engine->start = engine->used;
	jit_evict_begin(engine);
	jit_cache_clear_jumps(engine);
}

static bool can_be_pinned(const Engine *engine, u32 slot)
{
	return slot && slot < engine->slot_count && slot != engine->flags_slot && engine->pin_of[slot] == JIT_NO_PIN &&
	       jit_park_of(engine, slot) == JIT_NO_PIN;
}

static void pin(Engine *engine, u32 slot)
{
	engine->pin_of[slot] = (u8)engine->pin_count;
	engine->pinned[engine->pin_count++] = slot;
}

/* Those of the description; without any, or when code has told more, the most used so far. Slot 0 is the pc, which code knows anyway. */
static void choose_pins(Engine *engine, bool by_use)
{
	memset(engine->pin_of, JIT_NO_PIN, engine->slot_count);
	engine->pin_count = engine->park_count = 0;
	for (u32 i = 0; i < engine->env.pin_count && !by_use && engine->pin_count < JIT_PINS; i++)
		if (can_be_pinned(engine, engine->env.pins[i]))
			pin(engine, engine->env.pins[i]);
	while (engine->pin_count < JIT_PINS) {
		u32 best = 0;

		for (u32 slot = 1; slot < engine->slot_count; slot++)
			if (can_be_pinned(engine, slot) && (!best || engine->slot_uses[slot] > engine->slot_uses[best]))
				best = slot;
		if (!best)
			break;
		pin(engine, best);
	}
	for (u32 i = 0; i < engine->env.pin_count && engine->park_count < JIT_PARKS; i++)
		if (can_be_pinned(engine, engine->env.pins[i]))
			engine->parked[engine->park_count++] = engine->env.pins[i];
}

/* The slot of flags, which has just become known, lies in memory. Nothing is compiled. */
void jit_pins_leave_flags(Engine *engine)
{
	u8 park = jit_park_of(engine, engine->flags_slot);

	if (park == JIT_NO_PIN)
		return;
	engine->parked[park] = engine->parked[--engine->park_count];
	start_code(engine);
}

/* Are those that are pinned nearly as good as the most used ones? */
static bool is_well_pinned(const Engine *engine)
{
	u64 pinned = 0, best = 0;
	u64 last = ~(u64)0;

	for (u32 i = 0; i < engine->pin_count; i++)
		pinned += engine->slot_uses[engine->pinned[i]];
	for (u32 i = 0; i < JIT_PINS; i++) { /* by uses, then by number: each slot once */
		u64 most = 0;

		for (u32 slot = 1; slot < engine->slot_count; slot++) {
			u64 key = (u64)engine->slot_uses[slot] << 32 | slot;

			if (slot != engine->flags_slot && key < last && key > most)
				most = key;
		}
		best += most >> 32;
		last = most;
	}
	return pinned * 8 >= best * 7;
}

static void make_tables(Engine *engine, u32 slot_count)
{
	engine->slot_count = slot_count;
	engine->slot_uses = calloc(slot_count, sizeof(u32));
	engine->pin_of = malloc(slot_count);
	engine->without = !engine->slot_uses || !engine->pin_of;
}

/* Holds the registers that others of the machine hold, if they have settled that. */
bool jit_pins_adopt(Engine *engine, u32 slot_count)
{
	if (engine->without || !jit_store_adopt(engine, slot_count))
		return false;
	if (!engine->slot_uses)
		make_tables(engine, slot_count);
	if (engine->without)
		return false;
	memset(engine->pin_of, JIT_NO_PIN, engine->slot_count);
	for (u32 i = 0; i < engine->pin_count; i++)
		engine->pin_of[engine->pinned[i]] = (u8)i;
	engine->settled = true;
	start_code(engine);
	jit_store_adopted(engine);
	return true;
}

void jit_pins_note(Engine *engine, const Vcpu *vcpu, const IrFunc *func)
{
	if (engine->without)
		return;
	if (!engine->slot_uses) {
		make_tables(engine, vcpu->slot_count);
		if (engine->without)
			return;
		count_uses(engine, func);
		choose_pins(engine, false);
		start_code(engine);
	} else if (!engine->settled) {
		count_uses(engine, func);
	}
}

/* How many of the parked slots, the first of them, does code name so far? What is not named goes behind them. */
static u32 sort_parks(Engine *engine)
{
	u32 named = 0;

	for (u32 i = 0; i < engine->park_count; i++) {
		u32 slot = engine->parked[i];

		if (!engine->slot_uses[slot])
			continue;
		engine->parked[i] = engine->parked[named];
		engine->parked[named++] = slot;
	}
	return named;
}

/* All code goes, the guest's is what it was: what is kept of it stays (jit_first.c). */
static void flush(Engine *engine)
{
	bool kept = engine->first_generation == engine->generation;

	jit_count(engine, ENGINE_FLUSHED_PINS);
	jit_cache_flush(engine);
	if (kept)
		engine->first_generation = engine->generation;
}

/* ---- When some code is known: by its uses alone ---- */

static void look_at_uses(Engine *engine)
{
	u32 named = engine->asks_much ? sort_parks(engine) : engine->park_count;
	bool well = is_well_pinned(engine);

	if (well && named == engine->park_count) {
		jit_store_settle(engine);
		if (!engine->settled || !engine->env.store || engine->store_epoch)
			return;
	}
	flush(engine);
	if (engine->settled && jit_pins_adopt(engine, engine->slot_count))
		return;
	if (!well)
		choose_pins(engine, true);
	if (engine->asks_much) /* around each call all that are parked are moved */
		engine->park_count = sort_parks(engine);
	start_code(engine);
	jit_store_settle(engine);
}

void jit_pins_look(Engine *engine, const Vcpu *vcpu)
{
	bool shares;

	if (engine->settled || engine->without || !engine->slot_uses ||
	    (engine->compiled_blocks < JIT_PIN_BLOCKS && vcpu->icount - engine->first_icount < JIT_PIN_INSNS))
		return;
	shares = jit_store_has_others(engine) || !engine->target->select_region; /* those wait for it */
	if (engine->looked && !shares)
		return;
	engine->looked = true;
	jit_note_asking(engine, vcpu);
	if (shares) {
		jit_uses_rearm(engine);
		engine->settled = true;
	}
	look_at_uses(engine);
}

/* ---- When the first block is half way to being hot: by what is hot ---- */

typedef struct Choice {
	u32 pinned[JIT_PINS], pin_count, parked[JIT_PARKS], park_count;
} Choice;

static bool is_among(const u32 *slots, u32 count, u32 slot)
{
	for (u32 i = 0; i < count; i++)
		if (slots[i] == slot)
			return true;
	return false;
}

static bool is_chosen(const Choice *choice, u32 slot)
{
	return is_among(choice->pinned, choice->pin_count, slot) || is_among(choice->parked, choice->park_count, slot);
}

static u64 worth_of(const u64 *worth, const u32 *held, u32 count, u32 slot)
{
	return worth[slot] * (is_among(held, count, slot) ? HELD_MORE : HELD_LESS);
}

static void choose_pinned(const Engine *engine, const JitWorth *worth, Choice *choice)
{
	while (choice->pin_count < JIT_PINS) {
		u32 best = 0;
		u64 most = 0;

		for (u32 slot = 1; slot < engine->slot_count; slot++) {
			u64 now = worth_of(worth->pin, engine->pinned, engine->pin_count, slot);

			if (now > most && slot != engine->flags_slot && !is_chosen(choice, slot)) {
				best = slot;
				most = now;
			}
		}
		if (!best)
			break;
		choice->pinned[choice->pin_count++] = best;
	}
	for (u32 i = 0; i < engine->pin_count && choice->pin_count < JIT_PINS; i++)
		if (!is_chosen(choice, engine->pinned[i]))
			choice->pinned[choice->pin_count++] = engine->pinned[i];
}

/* Of those that the description names: the others may hold floats, of which regions have enough. What nothing is known of comes
 * last, unless all that are parked are moved around each call. */
static void choose_parked(const Engine *engine, const JitWorth *worth, Choice *choice)
{
	const u32 *names = engine->env.pins;

	while (choice->park_count < JIT_PARKS) {
		u32 best = 0;
		u64 most = 0;

		for (u32 i = 0; i < engine->env.pin_count; i++) {
			u64 now = names[i] < engine->slot_count ? worth_of(worth->park, engine->parked, engine->park_count, names[i]) : 0;

			if (now > most && names[i] != engine->flags_slot && !is_chosen(choice, names[i])) {
				best = names[i];
				most = now;
			}
		}
		if (!best)
			break;
		choice->parked[choice->park_count++] = best;
	}
	for (u32 i = 0; i < engine->park_count && choice->park_count < JIT_PARKS; i++)
		if (!is_chosen(choice, engine->parked[i]) && (!engine->asks_much || engine->slot_uses[engine->parked[i]]))
			choice->parked[choice->park_count++] = engine->parked[i];
}

static bool is_held(const Engine *engine, const Choice *choice)
{
	if (choice->pin_count != engine->pin_count || choice->park_count != engine->park_count)
		return false;
	for (u32 i = 0; i < engine->pin_count; i++)
		if (!is_among(choice->pinned, choice->pin_count, engine->pinned[i]))
			return false;
	for (u32 i = 0; i < engine->park_count; i++)
		if (!is_among(choice->parked, choice->park_count, engine->parked[i]))
			return false;
	return true;
}

static void hold(Engine *engine, const Choice *choice)
{
	memset(engine->pin_of, JIT_NO_PIN, engine->slot_count);
	engine->pin_count = 0;
	for (u32 i = 0; i < choice->pin_count; i++)
		pin(engine, choice->pinned[i]);
	engine->park_count = choice->park_count;
	memcpy(engine->parked, choice->parked, sizeof engine->parked);
}

void jit_settle(Engine *engine)
{
	JitWorth worth;
	Choice choice = {0};
	bool known;

	arena_reset(&engine->regions);
	known = jit_uses_weigh(engine, &engine->regions, &worth);
	if (known) {
		choose_pinned(engine, &worth, &choice);
		choose_parked(engine, &worth, &choice);
	}
	arena_reset(&engine->regions);
	jit_uses_rearm(engine);
	engine->settled = true;
	if (!known || is_held(engine, &choice)) {
		jit_store_settle(engine);
		if (!engine->env.store || engine->store_epoch)
			return;
	}
	flush(engine);
	if (jit_pins_adopt(engine, engine->slot_count))
		return;
	if (known)
		hold(engine, &choice);
	start_code(engine);
	jit_store_settle(engine);
}
