/* SPDX-License-Identifier: MIT
 *
 * x64_cells.h. Several cells at once are one host access where cells fill host integers: bytes in any order, wider cells in
 * the host's order, or two of them the other way round.
 */
#include "jit/x64/x64_cells.h"

#include <stddef.h>

static unsigned count_of(const X64Cells *access)
{
	return access->width / access->space->cell_bits;
}

static unsigned host_bits(const Space *space)
{
	return 8u << space->cell_shift;
}

/* The bits that one host access moves. */
static unsigned moved_bits(const X64Cells *access)
{
	return count_of(access) * host_bits(access->space);
}

bool x64_cells_possible(const X64Cells *access)
{
	const Space *space = access->space;
	unsigned count;

	if (space->paged || !access->width || access->width % space->cell_bits)
		return false;
	count = count_of(access);
	if (access->number >= (1u << 20) || count > 8)
		return false;
	if (count == 1)
		return true;
	return space->cell_bits == host_bits(space) && (count & (count - 1)) == 0 && access->width <= 64 &&
	       (!space->big || space->cell_bits == 8 || count == 2);
}

bool x64_cells_signs(const X64Cells *access)
{
	return access->width == host_bits(access->space) * count_of(access) && (count_of(access) == 1 || !access->space->big);
}

static X64Mem field(const X64Cells *access, u8 spaces, size_t offset)
{
	return x64_at(spaces, (i32)(access->number * sizeof(Space) + offset));
}

u8 x64_cells_index(X64Buf *x, const X64Cells *access, u8 address, u8 scratch)
{
	const Space *space = access->space;
	u64 mask = space->wrap_mask;

	if (access->fixed) {
		x64_mov_imm(x, scratch, access->address & mask);
		return scratch;
	}
	if (!space->wraps || (access->address_width < 64 && mask >> access->address_width))
		return address;
	if (access->address_width < 64 && mask == ((u64)1 << access->address_width) - 1)
		return address;
	if (mask == 0xFF || mask == 0xFFFF || mask == 0xFFFFFFFF) {
		x64_zx(x, mask == 0xFF ? 8 : mask == 0xFFFF ? 16 : 32, scratch, address);
	} else if (mask <= 0x7FFFFFFF) {
		x64_mov(x, 32, scratch, address);
		x64_alu_imm(x, X64_AND, 32, scratch, (i32)mask);
	} else { /* more than 2^31 cells: by shifts */
		u8 above = (u8)__builtin_clzll(mask);

		x64_mov(x, 64, scratch, address);
		x64_shift_imm(x, X64_SHL, 64, scratch, above);
		x64_shift_imm(x, X64_SHR, 64, scratch, above);
	}
	return scratch;
}

/* Jumps when a cell is not there. */
static unsigned check_bounds(X64Buf *x, const X64Cells *access, u8 spaces, u8 index, u8 scratch, u8 **sites)
{
	const Space *space = access->space;
	u32 behind = count_of(access) - 1;
	unsigned count = 0;
	u8 last = index;

	if (space->wraps && !behind)
		return 0;
	if (access->fixed && space->wraps && (access->address & space->wrap_mask) + behind < space->cells)
		return 0;
	if (behind && access->address_width > 63 && !space->wraps) { /* the sum could carry */
		x64_load(x, 64, scratch, field(access, spaces, offsetof(Space, cells)));
		x64_alu_imm(x, X64_SUB, 64, scratch, (i32)behind);
		sites[count++] = x64_jcc(x, X64_B);
		x64_alu(x, X64_CMP, 64, index, scratch);
		sites[count++] = x64_jcc(x, X64_AE);
		return count;
	}
	if (behind) {
		x64_lea(x, 64, scratch, x64_at(index, (i32)behind));
		last = scratch;
	}
	x64_alu_mem(x, X64_CMP, 64, last, field(access, spaces, offsetof(Space, cells)));
	sites[count++] = x64_jcc(x, X64_AE);
	return count;
}

/* test [mem], a mask in each byte */
static void test_marks(X64Buf *x, X64Mem mem, unsigned bytes, u8 mask)
{
	if (bytes == 2)
		x64_byte(x, 0x66);
	x64_reg_mem(x, 0, false, bytes == 1 ? 0xF6 : 0xF7, 0, mem, false);
	for (unsigned i = 0; i < bytes; i++)
		x64_byte(x, mask);
}

unsigned x64_cells_check(X64Buf *x, const X64Cells *access, u8 spaces, u8 index, u8 scratch, u8 *sites[X64_CELLS_SITES])
{
	const Space *space = access->space;
	unsigned sited = check_bounds(x, access, spaces, index, scratch, sites), cells = count_of(access);
	u8 mask = access->store ? ATTR_SLOW_WRITE : ATTR_SLOW_READ;

	if (!access->store && access->plain)
		return sited;
	if (!space->attr_shift) {
		unsigned at_once = cells > 4 ? 4 : cells;

		x64_load(x, 64, scratch, field(access, spaces, offsetof(Space, attr)));
		for (unsigned i = 0; i < cells; i += at_once) {
			test_marks(x, x64_at_index(scratch, index, 0, (i32)i), at_once, mask);
			sites[sited++] = x64_jcc(x, X64_NE);
		}
		return sited;
	}
	for (unsigned i = 0; i < cells; i += cells > 1 ? cells - 1 : 1) { /* the first and the last: no more than two granules */
		if (i)
			x64_lea(x, 64, scratch, x64_at(index, (i32)i));
		else
			x64_mov(x, 64, scratch, index);
		x64_shift_imm(x, X64_SHR, 64, scratch, space->attr_shift);
		x64_alu_mem(x, X64_ADD, 64, scratch, field(access, spaces, offsetof(Space, attr)));
		test_marks(x, x64_at(scratch, 0), 1, mask);
		sites[sited++] = x64_jcc(x, X64_NE);
	}
	return sited;
}

bool x64_cells_swaps(const X64Cells *access)
{
	return access->space->big && count_of(access) > 1;
}

/* Cells in the other order. */
static void swap(X64Buf *x, const X64Cells *access, u8 reg)
{
	unsigned bits = moved_bits(access);

	if (!x64_cells_swaps(access))
		return;
	if (access->space->cell_bits == 8 && bits >= 32) {
		x64_bswap(x, bits, reg);
	} else { /* two halves change places */
		if (bits == 16)
			x64_byte(x, 0x66);
		x64_shift_imm(x, X64_ROL, bits, reg, (u8)(bits / 2));
	}
}

void x64_cells_load(X64Buf *x, const X64Cells *access, u8 spaces, u8 index, u8 scratch, u8 to, bool sign)
{
	X64Mem cell = x64_at_index(scratch, index, access->space->cell_shift, 0);

	x64_load(x, 64, scratch, field(access, spaces, offsetof(Space, base)));
	if (sign) {
		x64_load_sx(x, moved_bits(access), to, cell);
		return;
	}
	x64_load_zx(x, moved_bits(access), to, cell);
	swap(x, access, to);
}

void x64_cells_store(X64Buf *x, const X64Cells *access, u8 spaces, u8 index, u8 scratch, u8 value)
{
	swap(x, access, value);
	x64_load(x, 64, scratch, field(access, spaces, offsetof(Space, base)));
	x64_store(x, moved_bits(access), x64_at_index(scratch, index, access->space->cell_shift, 0), value);
}
