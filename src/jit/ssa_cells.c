/* SPDX-License-Identifier: MIT
 * ssa_cells.h
 */
#include "jit/ssa_cells.h"

#include "base/bits.h"

SsaCells ssa_cells_of(const SsaFunc *func, const SsaNode *node)
{
	SsaCells cells = {.root = ssa_value(func, node->a), .offset = node->imm, .space = node->aux, .width = node->width};
	u64 c;

	cells.address_width = func->nodes[cells.root].width;
	if (ssa_is_const(func, cells.root, &c)) {
		cells.root = 0;
		cells.offset += c;
	}
	cells.offset = bits_trunc(cells.offset, cells.address_width);
	return cells;
}

/* Cells of an access, and how many bits of an address count; false: not known. */
static bool shape_of(const SsaFunc *func, const SsaCells *at, u64 *count, unsigned *bits)
{
	if (ssa_space_is_hard(func, at->space)) {
		*count = at->width / 8u;
		*bits = 64;
		return at->width % 8 == 0;
	}
	if (at->space >= func->space_count || !func->spaces[at->space].cell_bits)
		return false;
	*count = (at->width + func->spaces[at->space].cell_bits - 1u) / func->spaces[at->space].cell_bits;
	*bits = func->spaces[at->space].address_bits;
	return true;
}

bool ssa_cells_overlap(const SsaFunc *func, const SsaCells *a, const SsaCells *b)
{
	unsigned bits, same;
	u64 x, y, up;

	if (a->space != b->space)
		return false;
	if (a->root != b->root || a->address_width != b->address_width || !shape_of(func, a, &x, &bits) ||
	    !shape_of(func, b, &y, &same))
		return true;
	bits = bits < a->address_width ? bits : a->address_width;
	up = bits_trunc(b->offset - a->offset, bits);
	return up < x || bits_trunc(0 - up, bits) < y;
}

bool ssa_list_touches(SsaFunc *func)
{
	u32 count = 0;

	if (func->touches)
		return true;
	func->touches = ARENA_ROOM(func->arena, SsaRef, func->node_count);
	func->first_touch = ARENA_ROOM(func->arena, u32, func->block_count);
	func->touch_count = ARENA_ROOM(func->arena, u32, func->block_count);
	if (!func->touches || !func->first_touch || !func->touch_count) {
		func->touches = NULL;
		func->failed = true;
		return false;
	}
	for (u32 i = 0; i < func->rpo_count; i++) {
		u32 b = func->rpo[i];

		func->first_touch[b] = count;
		for (SsaRef ref = func->blocks[b].first; ref; ref = func->nodes[ref].next) {
			func->touches[count] = ref; /* taken back, if it is none */
			count += ssa_is_touch(func->nodes[ref].op);
		}
		func->touch_count[b] = count - func->first_touch[b];
	}
	func->listed_touches = count;
	return true;
}
