/* SPDX-License-Identifier: MIT
 *
 * The state at a way out of a region: what compiled code left in registers and spill slots, brought home by the map of
 * the exit. Values are taken in before any is written: one slot may be to get what the home of another has.
 */
#include "jit/jit_private.h"

#include "base/bits.h"
#include "ir/ir_float.h"
#include "jit/ssa.h"

static u64 value_of(const JitMapEntry *entry, const JitFrame *frame, u32 slot_count)
{
	switch ((JitMapPlace)entry->place) {
	case JIT_MAP_GPR: return frame->gpr[entry->value & 15];
	case JIT_MAP_XMM: return frame->xmm[entry->value & 15];
	case JIT_MAP_SPILL: return frame->slots[slot_count + JIT_SPILLS + entry->value];
	case JIT_MAP_HOME: return frame->slots[entry->value];
	case JIT_MAP_CONST: break;
	}
	return entry->value;
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
	u64 values[SSA_SLOTS_MOST];

	for (u32 i = 0; i < map->count; i++)
		values[i] = apply(&map->entries[i], value_of(&map->entries[i], frame, slot_count));
	for (u32 i = 0; i < map->count; i++)
		frame->slots[map->entries[i].slot] = values[i];
}
