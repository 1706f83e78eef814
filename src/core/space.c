/* SPDX-License-Identifier: MIT
 *
 * Memory spaces on anonymous maps. The whole of max_cells is reserved at once with MAP_NORESERVE: the kernel hands
 * out zero pages when they are touched, so a large empty space costs address space only, base never moves, and
 * shrinking or clearing is giving the pages back.
 */
#include "core/space.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"

enum { FINE_ATTR_CELLS = 1 << 20, COARSE_ATTR_SHIFT = 12, PAGE = 4096 };

static void *reserve(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool is_power_of_two(u64 value)
{
	return value && (value & (value - 1)) == 0;
}

Status space_init(Space *space, const char *name, unsigned cell_bits, u64 cells, u64 max_cells, bool wraps, bool big)
{
	u64 granules;

	*space = (Space){.name = name, .cell_bits = (u8)cell_bits, .wraps = wraps, .big = big};
	if (cell_bits < 1 || cell_bits > 64 || cells > max_cells || !max_cells)
		return STATUS_INVALID;
	if (wraps && (!is_power_of_two(cells) || cells != max_cells))
		return STATUS_INVALID;
	space->cell_shift = cell_bits <= 8 ? 0 : cell_bits <= 16 ? 1 : cell_bits <= 32 ? 2 : 3;
	space->attr_shift = max_cells <= FINE_ATTR_CELLS ? 0 : COARSE_ATTR_SHIFT;
	if (max_cells > ((u64)1 << 46) >> space->cell_shift)
		return STATUS_TOO_BIG;
	granules = ((max_cells - 1) >> space->attr_shift) + 1;
	space->max_cells = max_cells;
	space->mapped = (size_t)((max_cells << space->cell_shift) + PAGE - 1) & ~(size_t)(PAGE - 1);
	space->attr_mapped = (size_t)(granules + PAGE - 1) & ~(size_t)(PAGE - 1);
	space->base = reserve(space->mapped);
	space->attr = reserve(space->attr_mapped);
	if (!space->base || !space->attr) {
		space_fini(space);
		return STATUS_NOMEM;
	}
	space->cells = cells;
	space->wrap_mask = wraps ? cells - 1 : ~(u64)0;
	return STATUS_OK;
}

void space_fini(Space *space)
{
	if (space->chunks)
		munmap(space->chunks, ((space->cells >> (SPACE_PAGE_SHIFT + SPACE_CHUNK_SHIFT)) + 1) * sizeof(u16));
	space_soften(space);
	if (space->whole)
		munmap(space->whole, space->mapped);
	free(space->backings);
	free(space->images);
	if (space->base)
		munmap(space->base, space->mapped);
	if (space->attr)
		munmap(space->attr, space->attr_mapped);
	if (space->has_file)
		close(space->file);
	*space = (Space){0};
}

/* Bytes from..to become zero; whole pages are given back. */
static void clear_bytes(u8 *base, size_t from, size_t to)
{
	size_t first = (from + PAGE - 1) & ~(size_t)(PAGE - 1), last = to & ~(size_t)(PAGE - 1);

	if (first >= last || madvise(base + first, last - first, MADV_DONTNEED) != 0) {
		memset(base + from, 0, to - from);
		return;
	}
	memset(base + from, 0, first - from);
	memset(base + last, 0, to - last);
}

Status space_resize(Space *space, u64 cells)
{
	if (space->paged)
		return cells == space->cells ? STATUS_OK : STATUS_INVALID;
	if (cells > space->max_cells)
		return STATUS_TOO_BIG;
	if (space->wraps && cells != space->cells)
		return STATUS_INVALID;
	if (cells < space->cells)
		clear_bytes(space->base, (size_t)cells << space->cell_shift, (size_t)space->cells << space->cell_shift);
	space->cells = cells;
	return STATUS_OK;
}

void space_clear(Space *space)
{
	if (space->paged)
		space_pages_drop(space, 0, space->cells >> SPACE_PAGE_SHIFT);
	else if (space->cells)
		clear_bytes(space->base, 0, (size_t)space->cells << space->cell_shift);
}

bool space_peek(const Space *space, u64 address, u64 *value)
{
	address &= space->wrap_mask;
	if (address >= space->cells || (space->paged && !(space->attr[address >> space->attr_shift] & ATTR_PRESENT)))
		return false;
	*value = space_cell(space, address);
	return true;
}

bool space_poke(Space *space, u64 address, u64 value)
{
	address &= space->wrap_mask;
	if (address >= space->cells || (space->paged && !(space->attr[address >> space->attr_shift] & ATTR_PRESENT)))
		return false;
	space_set_cell(space, address, bits_trunc(value, space->cell_bits));
	return true;
}
