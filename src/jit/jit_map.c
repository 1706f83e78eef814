/* SPDX-License-Identifier: MIT
 *
 * The state at a way out of a region: what compiled code left in registers and spill slots, brought home by the map of
 * the exit. Values are taken in before any is written: one slot may be to get what the home of another has. What compiled code
 * did not store as nobody but rare ways out would read it is made anew by the map's steps (ssa_alloc_make.c).
 */
#include "jit/jit_private.h"

#include "base/bits.h"
#include "ir/ir_float.h"
#include "jit/ssa.h"

/* made: by the map's steps so far. */
static u64 value_of(unsigned place, u64 value, const JitFrame *frame, u32 slot_count, const u64 *made)
{
	switch ((JitMapPlace)place) {
	case JIT_MAP_GPR: return frame->gpr[value & 15];
	case JIT_MAP_XMM: return frame->xmm[value & 15];
	case JIT_MAP_SPILL: return frame->slots[slot_count + JIT_SPILLS + value];
	case JIT_MAP_HOME: return frame->slots[value];
	case JIT_MAP_MADE: return made[value];
	case JIT_MAP_CONST: break;
	}
	return value;
}

static u64 low(u64 value, unsigned width)
{
	return width >= 64 ? value : value & (((u64)1 << width) - 1);
}

static u64 canonical(u64 value, unsigned width)
{
	u64 infinite = width == 64 ? 0x7FF0000000000000u : 0x7F800000u;

	return low(value, width - 1u) > infinite ? ir_float_nan(width) : value;
}

static u64 apply(const JitMapEntry *entry, u64 value)
{
	switch ((SsaRecipe)entry->recipe) {
	case SSA_AS_IS: break;
	case SSA_SX: {
		unsigned up = 64 - (unsigned)entry->imm;

		return low((u64)((i64)(value << up) >> up), entry->width);
	}
	case SSA_ZX: return low(value, (unsigned)entry->imm);
	case SSA_PLUS: return low(value + (u64)(i64)entry->imm, entry->width);
	case SSA_NAN: return canonical(low(value, entry->width), entry->width);
	case SSA_BOX: case SSA_BOX_NAN:
		value = low(value, (unsigned)entry->imm);
		value = entry->recipe == SSA_BOX ? value : canonical(value, (unsigned)entry->imm);
		return low(value | ~(u64)0 << entry->imm, entry->width);
	}
	return value;
}

void jit_map_apply(const JitMap *map, const JitFrame *frame, u32 slot_count)
{
	u64 values[SSA_SLOTS_MOST], made[JIT_MAP_STEPS_MOST];

	for (u32 i = 0; i < map->step_count; i++) {
		const JitMapStep *step = &map->steps[i];
		u64 args[3];

		for (unsigned k = 0; k < 3; k++)
			args[k] = value_of(step->places[k], step->values[k], frame, slot_count, made);
		made[i] = ir_eval((IrOp)step->op, step->width, step->arg_width, step->aux, args[0], args[1], args[2]);
	}
	for (u32 i = 0; i < map->count; i++) {
		const JitMapEntry *entry = &map->entries[i];

		values[i] = apply(entry, value_of(entry->place, entry->value, frame, slot_count, made));
	}
	for (u32 i = 0; i < map->count; i++)
		frame->slots[map->entries[i].slot] = values[i];
}
