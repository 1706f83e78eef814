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
