/* SPDX-License-Identifier: MIT
 *
 * A memory space as engines see it: cells of 1..64 bits, each in the next larger host integer (1, 2, 4 or 8
 * bytes, host byte order), and beside them a map of attributes that makes rare accesses leave the fast path.
 *
 *   base    | cell 0 | cell 1 | ...                      cell k at base + (k << cell_shift)
 *   attr    one byte per granule of 2^attr_shift cells; 0 = an ordinary cell
 *
 * Invariants:
 *  1. wraps: cells is a power of two and addresses are taken & (cells-1). Otherwise address >= cells is a fault.
 *  2. An access wider than a cell takes several consecutive cells (each wraps by itself); `big` says which comes
 *     first. An access narrower than a cell does not exist.
 *  3. A cell's host integer never has bits above cell_bits.
 *  4. ATTR_CODE is set on every granule that a translated block was made from.
 *
 * A *paged* space is a large byte space of which only parts are there (the memory of a process). attr has a byte per
 * page of 4096 cells, and an access needs the right in it:
 *
 *     absent    0: no right at all; the first touch asks the machine's pager (machine/pages.h)
 *     present   ATTR_PRESENT | rights | ATTR_CODE, ATTR_WATCH_*; the page counts against the memory limit
 *
 *  5. Bytes of an absent page at `base` are zero, or belong to shared memory that was put there (space_pages_back).
 *  6. A present page without rights keeps its content (mprotect(PROT_NONE)).
 *  7. Who may write may read: ATTR_WRITE never stands alone.
 *  8. Pages of 2^12 pages make a chunk; chunks[] says how many of its pages are present, so nobody looks at the attr of
 *     the many empty ones.
 *
 * A *hard* paged space (space_harden) has the same memory a second time, for compiled code alone, where the host itself
 * denies what attr does not allow (space_view.c):
 *
 *     base     everything readable and writable, as always: whoever looks at attr himself works here
 *     view     guard | cell 0 | cell 1 | ... | guard        an access that is no plain one is a SIGSEGV
 *
 * A soft paged space may lie over an *image* (space_image.c): pages of a file that never changes, mapped privately. They are
 * read from there until they are written; that is how many machines share what none of them has changed.
 *
 *     images   | page, count, at | ...     where, in ascending order, and from which page of the file on
 *
 *  9. No page of view allows more than attr does: absent, not readable or watched for reads: nothing; not writable, code or
 *     watched for writes: reading. It may allow less for a while, after marks have gone (space_settle).
 *  10. attr of a paged space is changed by space_pages_*() alone.
 */
#ifndef CORE_SPACE_H
#define CORE_SPACE_H

#include "base/status.h"
#include "base/types.h"

enum SpaceAttr {
	ATTR_CODE = 1,        /* code was translated from here: a store must invalidate it */
	ATTR_IO_READ = 2,     /* `on read` handles it */
	ATTR_IO_WRITE = 4,    /* `on write` handles it */
	ATTR_WATCH_READ = 8,  /* the debugger wants to know */
	ATTR_WATCH_WRITE = 16,
	/* Paged spaces, where no device answers: */
	ATTR_PRESENT = 2,
	ATTR_READ = 32,
	ATTR_WRITE = 64,
	ATTR_EXEC = 128,
	ATTR_RIGHTS = ATTR_READ | ATTR_WRITE | ATTR_EXEC,
	/* A plain access finds exactly the right among these. */
	ATTR_PAGED_LOAD = ATTR_READ | ATTR_WATCH_READ,
	ATTR_PAGED_STORE = ATTR_WRITE | ATTR_CODE | ATTR_WATCH_WRITE,

	ATTR_SLOW_READ = ATTR_IO_READ | ATTR_WATCH_READ,
	ATTR_SLOW_WRITE = ATTR_CODE | ATTR_IO_WRITE | ATTR_WATCH_WRITE,
};

typedef struct SpaceBacking SpaceBacking;
typedef struct SpaceImage SpaceImage;

typedef struct Space {
	u8 *base;       /* owned (mmap) */
	u8 *attr;       /* owned (mmap) */
	u64 cells;      /* current size; 0 = nothing is mapped yet */
	u64 wrap_mask;  /* cells - 1 when wraps, else ~0 */
	u64 max_cells;  /* how far space_resize may go */
	size_t mapped, attr_mapped; /* bytes */
	u8 cell_bits, cell_shift, attr_shift;
	bool wraps, big;
	bool paged;
	u64 present;      /* paged: pages that are */
	u16 *chunks;      /* paged: owned (mmap) */
	SpaceBacking *backings; /* paged: owned; where shared memory lies, in ascending order */
	u32 backing_count, backing_cap;
	SpaceImage *images; /* paged: owned; what lies over an image, in ascending order */
	u32 image_count, image_cap;
	bool crowded;     /* paged: there are so many of them that a drop may not cut one in two */
	bool twice;       /* paged: can be made hard, or could be: */
	bool never;       /* it will never be again */
	u8 *view;         /* paged: NULL: it is soft */
	u8 *view_rights;  /* hard: owned (mmap); what the host allows there, per page */
	u8 *whole;        /* can be made hard: owned (mmap); the memory without what is put over it. NULL: nothing ever was */
	bool has_file;    /* paged: its memory lies in a file of its own, page by page: */
	int file;         /* owned */
	u32 seams;        /* hard: places in view where the host's rights change: each is a map of the host's process */
	u32 *all_seams;   /* borrowed or NULL: those of all spaces that share a limit for them */
	const char *name; /* borrowed from the Isa */
} Space;

enum {
	SPACE_PAGE = 4096, SPACE_PAGE_SHIFT = 12,
	SPACE_CHUNK_SHIFT = 12, /* pages of a chunk, as a power of two */
	SPACE_MAX_BITS = 46,    /* of an address in a paged space: the host must have room for it */
	SPACE_GUARD = 1 << 20,  /* bytes before and behind a view where nothing is */
	SPACE_SEAMS = 16384,    /* at most; a host's process has 65530 maps */
};

/* Pages page .. page + count - 1 lie in shared memory. */
struct SpaceBacking {
	u64 page, count;
};

/* Pages page .. page + count - 1 are those of a file from `at` on, until they are written. */
struct SpaceImage {
	u64 page, count, at;
};

/* Reserves room for max_cells and makes `cells` of them usable, all zero. */
Status space_init(Space *space, const char *name, unsigned cell_bits, u64 cells, u64 max_cells, bool wraps, bool big);
void space_fini(Space *space);
/* Grows or shrinks; new cells are zero. STATUS_TOO_BIG beyond max_cells. */
Status space_resize(Space *space, u64 cells);
/* All cells zero; attributes stay. */
void space_clear(Space *space);

/* One cell, no checks but wrapping/bounds: false when out of range. For loaders, debuggers, snapshots. */
bool space_peek(const Space *space, u64 address, u64 *value);
bool space_poke(Space *space, u64 address, u64 value); /* does not invalidate code: use machine_write */

/* ---- Paged spaces (space_paged.c). Pages by number; code made from them is the caller's business ---- */

/* Reserves `cells` addresses (a multiple of SPACE_PAGE); nothing is present. Little-endian bytes. twice: space_harden may be
 * called (the memory is then of a kind that can be mapped again; pages cost the host a little more). STATUS_INVALID,
 * STATUS_TOO_BIG (SPACE_MAX_BITS), STATUS_NOMEM. */
Status space_init_paged(Space *space, const char *name, u64 cells, bool twice);
/* Likewise, twice, with a file (in memory) that an image can be made of as it is (has_file). STATUS_NOMEM also when there is no descriptor. */
Status space_init_in_file(Space *space, const char *name, u64 cells);
/* Absent pages become present, with these rights; present ones get the rights and keep their content. */
void space_pages_add(Space *space, u64 page, u64 count, u8 rights);
/* New rights for those that are present. */
void space_pages_protect(Space *space, u64 page, u64 count, u8 rights);
/* Absent again, the memory given back; shared memory is taken away. STATUS_NOMEM, STATUS_TOO_BIG (crowded): absent, but some
 * of the shared memory still lies there. */
Status space_pages_drop(Space *space, u64 page, u64 count);
/* Absent pages lie in this shared memory from now on (a memfd that can't shrink), from `offset` on. Still absent. */
Status space_pages_back(Space *space, u64 page, u64 count, int fd, u64 offset);
/* The first present page from *page on, before `end`; false: none. */
bool space_next_present(const Space *space, u64 *page, u64 end);
/* Does the page lie in shared memory? */
bool space_is_backed(const Space *space, u64 page);
/* What is present in `from`, with its rights, and its shared memory become those of `to`, which is empty and as large.
 * Present pages are copied; pages of shared memory are the same. On failure `to` holds a part. */
Status space_pages_copy(Space *to, const Space *from);
/* What lies under absent pages of `from` (space_pages_back) lies under those of `to`, too. */
Status space_backings_copy(Space *to, const Space *from);
/* Moves pages and shared memory to where nothing is. STATUS_INVALID: the two overlap. */
Status space_pages_move(Space *space, u64 from, u64 to, u64 count);
/* Sets and clears ATTR_CODE and ATTR_WATCH_* of those that are present. */
void space_pages_mark(Space *space, u64 page, u64 count, u8 set, u8 clear);

/* ---- Images (space_image.c). Of soft spaces that can't be made hard ---- */

/* What is there is replaced by pages at .. of the file, which may hold anything in pages that are to be present and zeros in the
 * others; presence stays the caller's business. STATUS_UNSUPPORTED: the space can be made hard. STATUS_NOMEM. */
Status space_image_put(Space *space, u64 page, u64 count, int fd, u64 at);
/* No image lies there any more: zeros. */
void space_image_take(Space *space, u64 page, u64 count);
/* Does an image lie there, with these pages of the file? */
bool space_image_is(const Space *space, u64 page, u64 count, u64 at);
/* What was written is forgotten: the image is there again, or zeros. Not in shared memory. */
void space_revert(Space *space, u64 page, u64 count);

/* Runs of pages that may have been written since they were put there or last reverted (no others have been), in ascending
 * order; shared memory left out. The host is asked, so it costs what was touched, nearly. */
typedef struct SpaceScan {
	const Space *space;
	int pagemap;      /* /proc/self/pagemap of this process, or -1: all count as written */
	u64 at, end;
	bool by_entry;    /* the host cannot search by itself */
	u32 next, count;  /* of runs */
	struct {
		u64 page, end;
	} runs[64];
} SpaceScan;
void space_scan_begin(SpaceScan *scan, const Space *space, int pagemap, u64 page, u64 end);
bool space_scan_next(SpaceScan *scan, u64 *page, u64 *end);

/* ---- Hard (space_view.c). Any change of pages may make a hard space soft again (view is NULL then), for good: the host refused,
 * or there were too many seams. Whoever keeps the address of view looks whether it is still there. ---- */

/* Makes the view. False: it can't be had (now). Accesses to it may fault also where attr allows them (space_settle). */
bool space_harden(Space *space);
/* Takes it away. */
void space_soften(Space *space);
/* All that it has is `aside`'s now, which is nobody's: for space_fini, later. It itself is to be made anew. */
void space_set_aside(Space *space, Space *aside);
/* Lets the view allow all that attr does in that page. False: it did. */
bool space_settle(Space *space, u64 page);
/* Memory for pages that are present and about to be written through the view, all at once. */
void space_populate(Space *space, u64 page, u64 count);
/* Where the bytes from `address` on are, of an access that attr allows: in the view if the host allows it there, as compiled code is
 * likely to come to them next, and then the host knows the page in one place alone. */
u8 *space_bytes_for(const Space *space, u64 address, u64 bytes, bool write);

static inline u64 space_cell(const Space *space, u64 index)
{
	switch (space->cell_shift) {
	case 0: return space->base[index];
	case 1: return ((const u16 *)(const void *)space->base)[index];
	case 2: return ((const u32 *)(const void *)space->base)[index];
	default: return ((const u64 *)(const void *)space->base)[index];
	}
}

static inline void space_set_cell(Space *space, u64 index, u64 value)
{
	switch (space->cell_shift) {
	case 0: space->base[index] = (u8)value; break;
	case 1: ((u16 *)(void *)space->base)[index] = (u16)value; break;
	case 2: ((u32 *)(void *)space->base)[index] = (u32)value; break;
	default: ((u64 *)(void *)space->base)[index] = value; break;
	}
}

#endif
