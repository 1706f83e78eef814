/* SPDX-License-Identifier: MIT
 *
 * What a base keeps of paged memory: made in park_freeze.c, used in park_pages.c, which has the essay.
 */
#ifndef MACHINE_PARK_IMAGE_H
#define MACHINE_PARK_IMAGE_H

#include "machine/park_private.h"

enum {
	CHUNK = 1 << SPACE_CHUNK_SHIFT, /* pages */
	IS_FREE = 0, IS_USED, IS_RELEASED, /* kinds of address spaces */
	KEPT = ATTR_PRESENT | ATTR_RIGHTS, /* of attr */
};

extern const u8 park_zeros[SPACE_PAGE];

typedef struct BaseChunk {
	u64 number;
	u8 attr[CHUNK];
	u32 place[CHUNK]; /* page of the file + 1; 0: all zeros */
	u8 *bytes;        /* owned (mmap): pages first .. end - 1 of the file, where all of these are; or NULL */
	u32 first, end;
} BaseChunk;

typedef struct BaseAspace {
	u8 kind;
	BaseChunk **chunks; /* owned, ascending */
	u32 count, cap;
	SpaceImage *runs;   /* owned, ascending */
	u32 run_count, run_cap;
} BaseAspace;

struct BasePages {
	int fd;             /* the file */
	u64 serial;         /* of it: no other one's, while any machine lies over it */
	u64 file_pages;
	u32 mapped;
	BaseAspace *aspaces; /* owned */
	u32 count;
};

/* Nobody will write its file; this says so. */
void park_seal(int fd);

static inline u64 park_page_count(const Space *space)
{
	return space->cells >> SPACE_PAGE_SHIFT;
}

static inline u8 *park_page_bytes(const Space *space, u64 page)
{
	return space->base + (page << SPACE_PAGE_SHIFT);
}

static inline u8 park_kind_of(const Machine *machine, u32 number)
{
	if (number >= machine->aspace_count || !machine->aspaces[number].engine)
		return IS_FREE;
	return machine->aspaces[number].released ? IS_RELEASED : IS_USED;
}

/* What the machine itself has there. */
static inline u8 park_page_attr(const Space *space, u64 page)
{
	u8 attr = space->attr[page];

	return attr & ATTR_PRESENT && !(space->backing_count && space_is_backed(space, page)) ? attr & KEPT : 0;
}

#endif
