/* SPDX-License-Identifier: MIT
 *
 * Paged spaces (space.h). All addresses are reserved at once, readable and writable for the host: rights are looked up in
 * attr by whoever accesses, and a page that nobody has touched costs the host nothing. So making a page present is
 * setting a byte, and only taking it away is a call of the kernel.
 *
 *     chunks   | 17 |  0 | 4096 | ...     present pages of each 16 MiB
 *     attr     | . R RW . . . | ...        a byte per page
 *     base     |   |##|##|   |  ...        4096 bytes per page
 *                      ^^ backings: shared memory is mapped over these
 *
 * Huge pages are declined (MADV_NOHUGEPAGE): with them a program that touches every 512th page would take 512 times the
 * memory that it is charged for.
 *
 * Shared memory is known by where it lies; a further place for it is made from there (mremap with an old size of 0),
 * so no descriptor needs to be kept. The memory of a space that can be made hard is shared in the same sense, with itself:
 * base is a place of it, view another. Where other memory was put over it, it comes back from a third, `whole`, that is
 * made before the first such time and that nobody uses.
 */
#define _GNU_SOURCE /* mremap */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/space_private.h"

enum { CHUNK_PAGES = 1 << SPACE_CHUNK_SHIFT };

static void *reserve(size_t bytes, int kind, int file)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, kind | (file < 0 ? MAP_ANONYMOUS : 0) | MAP_NORESERVE, file, 0);

	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, bytes, MADV_NOHUGEPAGE); /* fails where the kernel has none */
	madvise(memory, bytes, MADV_DONTDUMP);
	return memory;
}

static Status init(Space *space, const char *name, u64 cells, bool twice, int file)
{
	u64 pages = cells >> SPACE_PAGE_SHIFT;

	*space = (Space){.name = name, .cell_bits = 8, .attr_shift = SPACE_PAGE_SHIFT, .wrap_mask = ~(u64)0, .paged = true};
	if (!pages || cells % SPACE_PAGE)
		return STATUS_INVALID;
	if (cells > (u64)1 << SPACE_MAX_BITS)
		return STATUS_TOO_BIG;
	space->cells = space->max_cells = cells;
	space->mapped = (size_t)cells;
	space->attr_mapped = (size_t)(pages + SPACE_PAGE - 1) & ~(size_t)(SPACE_PAGE - 1);
	space->twice = twice;
	space->base = reserve(space->mapped, twice ? MAP_SHARED : MAP_PRIVATE, file);
	space->attr = reserve(space->attr_mapped, MAP_PRIVATE, -1);
	space->chunks = reserve(((pages >> SPACE_CHUNK_SHIFT) + 1) * sizeof(u16), MAP_PRIVATE, -1);
	if (!space->base || !space->attr || !space->chunks) {
		space_fini(space);
		return STATUS_NOMEM;
	}
	return STATUS_OK;
}

Status space_init_paged(Space *space, const char *name, u64 cells, bool twice)
{
	return init(space, name, cells, twice, -1);
}

Status space_init_in_file(Space *space, const char *name, u64 cells)
{
	int file = memfd_create("husk-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	Status status = file < 0 || ftruncate(file, (off_t)cells) ? STATUS_NOMEM : init(space, name, cells, true, file);

	if (!status) {
		space->has_file = true;
		space->file = file;
	} else if (file >= 0) {
		close(file);
	}
	return status;
}

static u64 page_count(const Space *space)
{
	return space->cells >> SPACE_PAGE_SHIFT;
}

static u64 clip(const Space *space, u64 page, u64 count)
{
	u64 pages = page_count(space);

	return page >= pages ? 0 : count > pages - page ? pages - page : count;
}

static u8 sane(u8 rights)
{
	rights &= ATTR_RIGHTS;
	return rights & ATTR_WRITE ? rights | ATTR_READ : rights;
}

static u8 *bytes_of(const Space *space, u64 page)
{
	return space->base + (page << SPACE_PAGE_SHIFT);
}

/* ---- What is present ---- */

/* The first page of the next chunk that may have some, behind an empty one. Sixteen chunks at a time: there are 16,384 in a process's
 * memory. (What is mapped for chunks is a whole number of host pages: so many numbers can be read.) */
static u64 skip_empty(const Space *space, u64 page, u64 end)
{
	u64 chunk = (page >> SPACE_CHUNK_SHIFT) + 1, last = (end + CHUNK_PAGES - 1) >> SPACE_CHUNK_SHIFT, four[4];

	while (chunk < last && !space->chunks[chunk]) {
		if (chunk % 16) {
			chunk++;
			continue;
		}
		memcpy(four, space->chunks + chunk, sizeof four);
		if (four[0] | four[1] | four[2] | four[3])
			chunk++;
		else
			chunk += 16;
	}
	return chunk << SPACE_CHUNK_SHIFT;
}

bool space_next_present(const Space *space, u64 *page, u64 end)
{
	u64 pages = page_count(space), at = *page, eight;

	if (end > pages)
		end = pages;
	while (at < end) {
		if (!space->chunks[at >> SPACE_CHUNK_SHIFT]) {
			at = skip_empty(space, at, end);
			continue;
		}
		if (space->attr[at] & ATTR_PRESENT) {
			*page = at;
			return true;
		}
		at++;
		for (; at % 8 == 0 && at % CHUNK_PAGES && at < end; at += 8) { /* attr is as long as a whole number of host pages */
			memcpy(&eight, space->attr + at, sizeof(eight));
			if (eight)
				break;
		}
	}
	return false;
}

static void make_present(Space *space, u64 page, u64 count, u8 rights)
{
	for (u64 p = page; p < page + count; p++) {
		u8 *attr = &space->attr[p];

		if (!(*attr & ATTR_PRESENT)) {
			space->present++;
			space->chunks[p >> SPACE_CHUNK_SHIFT]++;
		}
		*attr = (u8)((*attr & ~ATTR_RIGHTS) | ATTR_PRESENT | sane(rights));
	}
}

void space_pages_add(Space *space, u64 page, u64 count, u8 rights)
{
	count = clip(space, page, count);
	make_present(space, page, count, rights);
	space_view_follow(space, page, page + count);
}

void space_pages_protect(Space *space, u64 page, u64 count, u8 rights)
{
	u64 end = page + clip(space, page, count);

	for (u64 p = page; space_next_present(space, &p, end); p++)
		space->attr[p] = (u8)((space->attr[p] & ~ATTR_RIGHTS) | sane(rights));
	space_view_follow(space, page, end);
}

/* The view follows a mark that goes when somebody meets it (space_settle): a page of code is marked again soon. */
void space_pages_mark(Space *space, u64 page, u64 count, u8 set, u8 clear)
{
	u64 end = page + clip(space, page, count);

	for (u64 p = page; space_next_present(space, &p, end); p++)
		space->attr[p] = (u8)((space->attr[p] & ~clear) | set);
	if (set)
		space_view_lower(space, page, end);
}

static void forget_present(Space *space, u64 page, u64 end)
{
	space_view_hide(space, page, end);
	for (u64 p = page; space->present && space_next_present(space, &p, end); p++) {
		space->attr[p] = 0;
		space->present--;
		space->chunks[p >> SPACE_CHUNK_SHIFT]--;
	}
}

/* ---- Shared memory ---- */

u32 space_piece_at(const void *pieces, size_t size, u32 count, u64 page)
{
	u32 lo = 0, hi = count;

	while (lo < hi) {
		u32 middle = lo + (hi - lo) / 2;
		u64 piece[2];

		memcpy(piece, (const u8 *)pieces + middle * size, sizeof piece);
		if (piece[0] + piece[1] <= page)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

/* Index of the first backing that ends behind `page`. */
static u32 find_backing(const Space *space, u64 page)
{
	return space_piece_at(space->backings, sizeof *space->backings, space->backing_count, page);
}

bool space_is_backed(const Space *space, u64 page)
{
	u32 at = find_backing(space, page);

	return at < space->backing_count && space->backings[at].page <= page;
}

static bool backing_room(Space *space, u32 more)
{
	u32 cap = space->backing_cap ? space->backing_cap * 2 : 16;
	SpaceBacking *grown;

	if (space->backing_count + more <= space->backing_cap)
		return true;
	grown = realloc(space->backings, cap * sizeof(*grown));
	if (!grown)
		return false;
	space->backings = grown;
	space->backing_cap = cap;
	return true;
}

/* There must be room; nothing overlaps. */
static void insert_backing(Space *space, u64 page, u64 count)
{
	u32 at = find_backing(space, page);

	memmove(space->backings + at + 1, space->backings + at, (space->backing_count - at) * sizeof(SpaceBacking));
	space->backings[at] = (SpaceBacking){page, count};
	space->backing_count++;
}

/* Takes pages page .. end - 1 out of the list, which has room for one more. */
static void cut_backings(Space *space, u64 page, u64 end)
{
	u32 at = find_backing(space, page), gone = 0;

	if (at < space->backing_count && space->backings[at].page < page) {
		SpaceBacking whole = space->backings[at];

		space->backings[at++].count = page - whole.page;
		if (whole.page + whole.count > end) {
			insert_backing(space, end, whole.page + whole.count - end);
			return;
		}
	}
	while (at + gone < space->backing_count && space->backings[at + gone].page + space->backings[at + gone].count <= end)
		gone++;
	if (at + gone < space->backing_count && space->backings[at + gone].page < end) {
		space->backings[at + gone].count -= end - space->backings[at + gone].page;
		space->backings[at + gone].page = end;
	}
	memmove(space->backings + at, space->backings + at + gone,
		(space->backing_count - at - gone) * sizeof(SpaceBacking));
	space->backing_count -= gone;
}

/* A place for shared memory, once more. */
static bool map_again(u8 *from, u8 *to, u64 pages)
{
	return mremap(from, 0, (size_t)pages << SPACE_PAGE_SHIFT, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED;
}

/* From now on there will be memory over the space's own. */
static bool keep_whole(Space *space)
{
	void *whole;

	if (!space->twice || space->whole)
		return true;
	whole = mremap(space->base, 0, space->mapped, MREMAP_MAYMOVE);
	if (whole == MAP_FAILED)
		return false;
	space->whole = whole;
	return true;
}

/* Zeros of its own in place of what is there. */
Status space_make_private(Space *space, u64 page, u64 count)
{
	void *at;

	if (space->twice) {
		if (!map_again(space->whole + (page << SPACE_PAGE_SHIFT), bytes_of(space, page), count))
			return STATUS_NOMEM;
		space_view_replace(space, page, count);
		return STATUS_OK;
	}
	at = mmap(bytes_of(space, page), (size_t)count << SPACE_PAGE_SHIFT, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	if (at == MAP_FAILED)
		return STATUS_NOMEM;
	madvise(at, (size_t)count << SPACE_PAGE_SHIFT, MADV_NOHUGEPAGE);
	madvise(at, (size_t)count << SPACE_PAGE_SHIFT, MADV_DONTDUMP);
	return STATUS_OK;
}

static bool cuts_in_two(const Space *space, u64 page, u64 end)
{
	u32 at = find_backing(space, page);

	return at < space->backing_count && space->backings[at].page < page &&
	       space->backings[at].page + space->backings[at].count > end;
}

static Status drop_backings(Space *space, u64 page, u64 end)
{
	if (!space->backing_count)
		return STATUS_OK;
	if (!backing_room(space, 1))
		return STATUS_NOMEM;
	if (space->crowded && cuts_in_two(space, page, end))
		return STATUS_TOO_BIG;
	for (u32 i = find_backing(space, page); i < space->backing_count && space->backings[i].page < end; i++) {
		u64 first = space->backings[i].page, last = first + space->backings[i].count;

		first = first < page ? page : first;
		last = last > end ? end : last;
		if (space_make_private(space, first, last - first))
			return STATUS_NOMEM;
	}
	cut_backings(space, page, end);
	return STATUS_OK;
}

Status space_pages_back(Space *space, u64 page, u64 count, int fd, u64 offset)
{
	u64 at = page;
	void *mapped;

	if (!count || clip(space, page, count) != count || offset % SPACE_PAGE)
		return STATUS_INVALID;
	if (space_next_present(space, &at, page + count))
		return STATUS_INVALID;
	if (!keep_whole(space) || drop_backings(space, page, page + count) || !backing_room(space, 1))
		return STATUS_NOMEM;
	if (!space_image_room(space))
		return STATUS_NOMEM;
	space_image_cut(space, page, page + count);
	mapped = mmap(bytes_of(space, page), (size_t)count << SPACE_PAGE_SHIFT, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED, fd, (off_t)offset);
	if (mapped == MAP_FAILED) {
		Status status = errno == ENOMEM ? STATUS_NOMEM : STATUS_INVALID;

		space_make_private(space, page, count); /* what was there may be gone all the same */
		return status;
	}
	insert_backing(space, page, count);
	space_view_replace(space, page, count);
	return STATUS_OK;
}

/* Pages of one backing get a second place, in `to`. */
static Status back_from(Space *to, u64 at, const Space *from, u64 page, u64 count)
{
	if (!keep_whole(to) || !backing_room(to, 1) || !space_image_room(to))
		return STATUS_NOMEM;
	space_image_cut(to, at, at + count);
	if (!map_again(bytes_of(from, page), bytes_of(to, at), count)) {
		space_make_private(to, at, count);
		return STATUS_NOMEM;
	}
	insert_backing(to, at, count);
	space_view_replace(to, at, count);
	return STATUS_OK;
}

/* ---- All together ---- */

/* Runs of present pages, each given back by one call. */
static void give_back(Space *space, u64 page, u64 end)
{
	bool only_zeros = space->image_count && !space_image_drop(space, page, end);
	u64 left = space->present;

	for (u64 p = page; left && space_next_present(space, &p, end);) {
		u64 from = p;

		while (p < end && space->attr[p] & ATTR_PRESENT)
			p++;
		left -= p - from;
		if (only_zeros || (madvise(bytes_of(space, from), (size_t)(p - from) << SPACE_PAGE_SHIFT,
					   space->twice ? MADV_REMOVE : MADV_DONTNEED) &&
				   (space->twice || space_make_private(space, from, p - from))))
			memset(bytes_of(space, from), 0, (size_t)(p - from) << SPACE_PAGE_SHIFT);
	}
}

Status space_pages_drop(Space *space, u64 page, u64 count)
{
	u64 end = page + clip(space, page, count);
	Status status;

	if (page >= end)
		return STATUS_OK;
	status = drop_backings(space, page, end);
	if (!status)
		give_back(space, page, end);
	forget_present(space, page, end);
	return status;
}

static void copy_page(Space *to, u64 at, const Space *from, u64 page)
{
	make_present(to, at, 1, from->attr[page]);
	if (!space_is_backed(from, page))
		memcpy(bytes_of(to, at), bytes_of(from, page), SPACE_PAGE);
}

Status space_backings_copy(Space *to, const Space *from)
{
	for (u32 i = 0; i < from->backing_count; i++) {
		Status status = back_from(to, from->backings[i].page, from, from->backings[i].page, from->backings[i].count);

		if (status)
			return status;
	}
	return STATUS_OK;
}

Status space_pages_copy(Space *to, const Space *from)
{
	Status status = to->cells == from->cells ? space_backings_copy(to, from) : STATUS_INVALID;

	if (status)
		return status;
	for (u64 p = 0; space_next_present(from, &p, ~(u64)0); p++)
		copy_page(to, p, from, p);
	space_view_follow(to, 0, page_count(to));
	return STATUS_OK;
}

Status space_pages_move(Space *space, u64 from, u64 to, u64 count)
{
	u64 end = from + count;

	if (clip(space, from, count) != count || clip(space, to, count) != count || !count)
		return STATUS_INVALID;
	if (from < to ? to - from < count : from - to < count)
		return STATUS_INVALID;
	for (u64 at = from; at < end;) { /* the list grows meanwhile */
		u32 i = find_backing(space, at);
		u64 first, last;
		Status status;

		if (i == space->backing_count || space->backings[i].page >= end)
			break;
		first = space->backings[i].page < from ? from : space->backings[i].page;
		last = space->backings[i].page + space->backings[i].count;
		last = last > end ? end : last;
		status = back_from(space, first - from + to, space, first, last - first);
		if (status) {
			space_pages_drop(space, to, count);
			return status;
		}
		at = last;
	}
	for (u64 p = from; space_next_present(space, &p, end); p++)
		copy_page(space, p - from + to, space, p);
	space_view_follow(space, to, to + count);
	return space_pages_drop(space, from, count);
}
