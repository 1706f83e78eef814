/* SPDX-License-Identifier: MIT
 *
 * The areas of one address space: ranges of whole pages that mmap has made, sorted, never overlapping.
 *
 *      |<------ gap ------>|                |<-- gap -->|
 *      0                   [ area: private  )           [ area: shared )              limit
 *
 * They form an AVL tree by their start, so that nothing a program does with many areas costs more than the logarithm
 * of their number; each node knows the largest gap before an area of its subtree, which finds a place for a new one.
 * They are linked in order, too.
 *
 * An area that grows down keeps AREA_GUARD bytes before it out of its gap: nothing is placed there unasked.
 *
 * Areas own what they name: a reference to their file and to their shared memory (mm_private.h).
 */
#ifndef LINUX_AREA_H
#define LINUX_AREA_H

#include "base/types.h"

typedef struct File File;
typedef struct Shared Shared;
typedef struct Area Area;

enum { AREA_GUARD = 256 * 4096 };

enum AreaFlag {
	AREA_SHARED = 1,
	AREA_GROWS_DOWN = 2,
	AREA_RESERVED = 4,     /* MAP_NORESERVE */
	AREA_READ_ONLY = 8,    /* a shared file opened for reading alone: never writable */
	AREA_NOT_FORKED = 16,  /* MADV_DONTFORK */
	AREA_WIPED = 32,       /* MADV_WIPEONFORK */
	AREA_VDSO = 64,
	AREA_STACK = 128,
};

struct Area {
	u64 start, end;
	u64 offset;            /* of start, in the file or the shared memory */
	u64 touched, untouched; /* every page that was ever made present lies in [touched, untouched) */
	File *file;            /* or NULL: anonymous */
	Shared *shared;        /* anonymous shared memory, or NULL */
	u32 prot, flags;       /* LINUX_PROT_*; AreaFlag */
	/* area.c's own: */
	Area *left, *right, *up;
	Area *previous, *next;
	u64 gap, widest;       /* before this area; the largest in this subtree */
	u8 height;
};

typedef struct Areas {
	Area *root, *first, *last;
	Area *recent;          /* what was found last, or NULL */
	u32 count;
	u64 pages;             /* of all together */
} Areas;

/* The area that holds `address`, else the first one behind it; NULL: there is none. */
Area *area_find(Areas *areas, u64 address);
/* The area that holds it, or NULL. */
Area *area_at(Areas *areas, u64 address);
/* Puts a copy of *like in (the range must be free). NULL: no memory. References are not counted here. */
Area *area_insert(Areas *areas, const Area *like);
/* Takes it out and frees it. References are not given back here. */
void area_remove(Areas *areas, Area *area);
/* Moves its bounds, without passing a neighbour. */
void area_resize(Areas *areas, Area *area, u64 start, u64 end);
/* The highest free place for `len` bytes in [low, high); false: there is none. */
bool area_place_below(const Areas *areas, u64 low, u64 high, u64 len, u64 *start);
/* The lowest one. */
bool area_place_above(const Areas *areas, u64 low, u64 high, u64 len, u64 *start);
/* Nothing is in [start, end), guards included. */
bool area_is_free(Areas *areas, u64 start, u64 end);
/* Order, links, gaps, heights, sums: all as promised? For tests. */
bool area_check(const Areas *areas);

#endif
