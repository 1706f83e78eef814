/* SPDX-License-Identifier: MIT
 *
 * Images under soft paged spaces (space.h): pages of a file, mapped privately at base.
 *
 *     file     | 0 | 1 | 2 | 3 | 4 | ...        a memfd that nobody writes any more
 *                \       \
 *     base     |  0   1   2  |    | 3   4 |     reads go to the file's memory; the first write of a page makes it a copy
 *     images   {page, 3, 0} {page, 2, 3}
 *
 * The host does what copy-on-write takes, and knows which pages are copies: its table of pages says of each whether it is the
 * file's. PAGEMAP_SCAN searches that table (Linux 6.7); before, /proc/self/pagemap is read entry by entry; where there is no
 * /proc all pages count as written. So neither compiled code nor anybody else marks anything.
 *
 * Each run is a map of the host's process, of which it has 65530. Dropping pages in the midst of one makes three of it: past
 * IMAGES_MOST the pages get zeros written over them instead.
 */
#define _GNU_SOURCE

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/space_private.h"

enum { IMAGES_MOST = 256 };

static u8 *bytes_of(const Space *space, u64 page)
{
	return space->base + (page << SPACE_PAGE_SHIFT);
}

static size_t size_of(u64 pages)
{
	return (size_t)pages << SPACE_PAGE_SHIFT;
}

/* ---- The list ---- */

/* Index of the first that ends behind `page`. */
static u32 find(const Space *space, u64 page)
{
	return space_piece_at(space->images, sizeof *space->images, space->image_count, page);
}

bool space_image_room(Space *space)
{
	u32 cap = space->image_cap ? space->image_cap * 2 : 16;
	SpaceImage *grown;

	if (!space->image_count || space->image_count + 2 <= space->image_cap)
		return true;
	grown = realloc(space->images, cap * sizeof *grown);
	if (!grown)
		return false;
	space->images = grown;
	space->image_cap = cap;
	return true;
}

void space_image_cut(Space *space, u64 page, u64 end)
{
	for (u32 at = find(space, page); at < space->image_count && space->images[at].page < end;) {
		SpaceImage *image = &space->images[at], whole = *image;
		u64 last = whole.page + whole.count;

		if (whole.page < page) {
			image->count = page - whole.page;
			at++;
			if (last <= end)
				continue;
			memmove(image + 2, image + 1, (space->image_count - at) * sizeof *image);
			space->image_count++;
			image[1] = (SpaceImage){end, last - end, whole.at + (end - whole.page)};
			return;
		}
		if (last > end) {
			*image = (SpaceImage){end, last - end, whole.at + (end - whole.page)};
			return;
		}
		space->image_count--;
		memmove(image, image + 1, (space->image_count - at) * sizeof *image);
	}
}

Status space_image_put(Space *space, u64 page, u64 count, int fd, u64 at)
{
	const u64 pages = space->cells >> SPACE_PAGE_SHIFT;
	u32 place;

	if (space->twice || !space->paged)
		return STATUS_UNSUPPORTED;
	if (!count || page >= pages || count > pages - page)
		return STATUS_INVALID;
	if (!space->images) {
		space->images = malloc(16 * sizeof *space->images);
		if (!space->images)
			return STATUS_NOMEM;
		space->image_cap = 16;
	}
	if (!space_image_room(space))
		return STATUS_NOMEM;
	space_image_cut(space, page, page + count);
	if (!space_image_room(space))
		return STATUS_NOMEM;
	if (mmap(bytes_of(space, page), size_of(count), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
		 (off_t)(at << SPACE_PAGE_SHIFT)) == MAP_FAILED)
		return STATUS_NOMEM;
	madvise(bytes_of(space, page), size_of(count), MADV_DONTDUMP);
	place = find(space, page);
	memmove(space->images + place + 1, space->images + place, (space->image_count - place) * sizeof *space->images);
	space->images[place] = (SpaceImage){page, count, at};
	space->image_count++;
	return STATUS_OK;
}

bool space_image_is(const Space *space, u64 page, u64 count, u64 at)
{
	u32 place = find(space, page);
	const SpaceImage *image = &space->images[place];

	return place < space->image_count && image->page <= page && page + count <= image->page + image->count &&
	       image->at + (page - image->page) == at;
}

bool space_image_drop(Space *space, u64 page, u64 end)
{
	bool all = true;

	for (u32 at = find(space, page); page < end && at < space->image_count && space->images[at].page < end; at = find(space, page)) {
		u64 first = space->images[at].page, last = first + space->images[at].count;
		bool splits = first < page && last > end;

		first = first < page ? page : first;
		last = last > end ? end : last;
		if ((splits && space->image_count >= IMAGES_MOST) || !space_image_room(space) ||
		    space_make_private(space, first, last - first)) {
			memset(bytes_of(space, first), 0, size_of(last - first));
			all = false;
		} else {
			space_image_cut(space, first, last);
		}
		page = last;
	}
	return all;
}

void space_image_take(Space *space, u64 page, u64 count)
{
	space_image_drop(space, page, page + count);
}

void space_revert(Space *space, u64 page, u64 count)
{
	madvise(bytes_of(space, page), size_of(count), MADV_DONTNEED);
}

/* ---- What was written ---- */

/* <linux/fs.h> of Linux 6.7. */
struct scan_region {
	u64 start, end, categories;
};
struct scan_arg {
	u64 size, flags, start, end, walk_end, vec, vec_len, max_pages;
	u64 category_inverted, category_mask, category_anyof_mask, return_mask;
};
enum { IS_FILE = 1 << 2, IS_PRESENT = 1 << 3, IS_SWAPPED = 1 << 4, IS_ZERO = 1 << 5 };
#define SCAN _IOWR('f', 16, struct scan_arg)

static const u64 entry_present = (u64)1 << 63, entry_swapped = (u64)1 << 62, entry_file = (u64)1 << 61;

static u64 page_of(const Space *space, u64 address)
{
	return (address - (u64)(uintptr_t)space->base) >> SPACE_PAGE_SHIFT;
}

static void add_run(SpaceScan *scan, u64 page, u64 end)
{
	if (scan->count && scan->runs[scan->count - 1].end == page) {
		scan->runs[scan->count - 1].end = end;
		return;
	}
	scan->runs[scan->count].page = page;
	scan->runs[scan->count++].end = end;
}

/* False: the host can't. */
static bool search(SpaceScan *scan)
{
	struct scan_region found[COUNT_OF(scan->runs)];
	struct scan_arg arg = {.size = sizeof arg, .start = (u64)(uintptr_t)bytes_of(scan->space, scan->at),
			       .end = (u64)(uintptr_t)bytes_of(scan->space, scan->end), .vec = (u64)(uintptr_t)found,
			       .vec_len = COUNT_OF(found), .category_inverted = IS_FILE | IS_ZERO, .category_mask = IS_FILE | IS_ZERO,
			       .category_anyof_mask = IS_PRESENT | IS_SWAPPED, .return_mask = IS_FILE};
	int count = ioctl(scan->pagemap, SCAN, &arg);

	if (count < 0 || arg.walk_end < arg.start || arg.walk_end > arg.end)
		return false;
	for (int i = 0; i < count; i++)
		add_run(scan, page_of(scan->space, found[i].start), page_of(scan->space, found[i].end));
	scan->at = page_of(scan->space, arg.walk_end);
	return true;
}

/* The next entries of the table, one by one. */
static void look(SpaceScan *scan)
{
	u64 entries[512], first = (u64)(uintptr_t)bytes_of(scan->space, scan->at) >> SPACE_PAGE_SHIFT;
	u64 count = scan->end - scan->at;
	ssize_t got;

	while (scan->count < COUNT_OF(scan->runs) && count) {
		got = scan->pagemap < 0 ? -1 : pread(scan->pagemap, entries, (count < 512 ? count : 512) * 8, (off_t)(first * 8));
		if (got < 8) { /* nobody knows */
			add_run(scan, scan->at, scan->end);
			scan->at = scan->end;
			return;
		}
		for (u64 i = 0; i < (u64)got / 8 && scan->count < COUNT_OF(scan->runs); i++) {
			bool copy = entries[i] & entry_swapped || (entries[i] & entry_present && !(entries[i] & entry_file));

			if (copy)
				add_run(scan, scan->at, scan->at + 1);
			scan->at++;
			first++;
			count--;
		}
	}
}

void space_scan_begin(SpaceScan *scan, const Space *space, int pagemap, u64 page, u64 end)
{
	*scan = (SpaceScan){.space = space, .pagemap = pagemap, .at = page, .end = end, .by_entry = pagemap < 0};
}

bool space_scan_next(SpaceScan *scan, u64 *page, u64 *end)
{
	while (scan->next == scan->count) {
		scan->next = scan->count = 0;
		if (scan->at >= scan->end)
			return false;
		if (!scan->by_entry)
			scan->by_entry = !search(scan);
		if (scan->by_entry)
			look(scan);
	}
	*page = scan->runs[scan->next].page;
	*end = scan->runs[scan->next++].end;
	return true;
}
